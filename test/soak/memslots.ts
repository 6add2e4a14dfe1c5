import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Soak } from './soak';

const root = fileURLToPath(new URL('../..', import.meta.url));
const RUNS = 100_000;
const INDEXES = ['array', 'rbtree', 'btree'];

/** The tests of test/properties are grouped by the name of the index; those of no group compare the indexes. */
const ACROSS = `^(?!(${INDEXES.join('|')}) )`;

/** Those whose full name fits the pattern. */
function runProperties(pattern: string, say: (text: string) => void): Promise<number> {
  const program = 'node_modules/vitest/vitest.mjs';
  const options = ['--reporter=verbose', '--testTimeout=7200000', '--testNamePattern', pattern];
  return new Promise((done, fail) => {
    const child = spawn(process.execPath, [program, 'run', ...options, 'test/properties'], {
      cwd: root,
      env: { ...process.env, LAB_SOAK_RUNS: String(RUNS), NO_COLOR: '1' },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    child.stdout.setEncoding('utf8');
    child.stdout.on('data', (text: string) => {
      // Tests of the other indexes are listed as skipped: no news.
      for (const line of text.split('\n')) if (line.trim() !== '' && !line.includes('↓')) say(line.trimEnd());
    });
    child.on('error', fail);
    child.on('exit', (code) => done(code ?? 1));
  });
}

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
