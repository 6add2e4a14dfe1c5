import { runVitest } from './run-vitest';
import type { Soak } from './soak';

const RUNS = 100_000;
const INDEXES = ['array', 'rbtree', 'btree'];

/** The tests of test/properties are grouped by index name; those outside the groups compare the indexes. */
const ACROSS = `^(?!(${INDEXES.join('|')}) )`;

/** Those whose full name fits the pattern. */
const runProperties = (pattern: string, say: (text: string) => void): Promise<number> =>
  runVitest(['--testNamePattern', pattern, 'test/properties'], { LAB_SOAK_RUNS: String(RUNS) }, say);

/** The engine's property tests (seeded random change sets against a naive model) with many more runs, on each index. */
export const memslots: Soak = {
  name: 'memslots',
  title: `the memslot engine's properties, ${RUNS} runs each, on ${INDEXES.join(', ')}`,
  async run(say) {
    for (const index of INDEXES) {
      say(`index ${index}`);
      const status = await runProperties(`^${index} `, say);
      if (status !== 0) throw new Error(`index ${index}: a property does not hold (see above)`);
    }
    say('all indexes together');
    if ((await runProperties(ACROSS, say)) !== 0) throw new Error('the indexes do not agree (see above)');
    return `${INDEXES.length} indexes, and all together`;
  },
};
