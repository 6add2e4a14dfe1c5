/** Random programs, plain and nested, on the bare core, and VMCBs, maps and tables with random contents. */
import { runVitest } from './run-vitest';
import type { Soak } from './soak';

/** Test files with their number of runs in a soak; LAB_SOAK_RUNS overrides both. */
const LONG = [
  ['test/tiers/nested.test.ts', 25_000],
  ['engine/cpu/svm/fuzz.test.ts', 100_000],
] as const;

export const svm: Soak = {
  name: 'svm',
  title: LONG.map(([path, runs]) => `${process.env.LAB_SOAK_RUNS ?? runs} runs of ${path}`).join(', '),
  async run(say) {
    for (const [path, runs] of LONG) {
      const count = process.env.LAB_SOAK_RUNS ?? String(runs);
      say(`${path}, ${count} runs`);
      if ((await runVitest([path], { LAB_SOAK_RUNS: count }, say)) !== 0) throw new Error(`${path} fails (see above)`);
    }
    return 'no register differs, and no input to VMRUN broke the core';
  },
};
