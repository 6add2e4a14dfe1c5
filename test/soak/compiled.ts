import { runVitest } from './run-vitest';
import type { Soak } from './soak';

/** The recorded corpus in compiled code: each case of 64-bit code is compiled by itself. `npm test` takes a few of them. */
export const compiled: Soak = {
  name: 'compiled',
  title: 'what a real processor did with every case of the recorded corpus, and compiled code',
  async run(say) {
    const status = await runVitest(['test/differential/compiled.test.ts'], { LAB_STRIDE: '1' }, say);
    if (status !== 0) throw new Error('compiled code differs (see above)');
    return 'all cases of 64-bit code';
  },
};
