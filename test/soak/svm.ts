/** Random programs that run plainly and nested on the bare core, and VMCBs, maps and tables full of nonsense. */
import { runVitest } from './run-vitest';
import type { Soak } from './soak';

/** Test files, and how many runs a long one is; LAB_SOAK_RUNS takes the place of both. */
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
    return 'not one register differs, and nothing that VMRUN was given broke the core';
  },
};
