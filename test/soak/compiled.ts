import { runVitest } from './run-vitest';
import type { Soak } from './soak';

/** The recorded corpus in compiled code: each case of 64-bit code is compiled separately. `npm test` runs a few of them. */
export const compiled: Soak = {
  name: 'compiled',
  title: 'every case of the recorded corpus in compiled code, compared with a real processor',
  async run(say) {
    const status = await runVitest(['test/differential/compiled.test.ts'], { LAB_STRIDE: '1' }, say);
    if (status !== 0) throw new Error('compiled code differs (see above)');
    return 'all cases of 64-bit code';
  },
};
