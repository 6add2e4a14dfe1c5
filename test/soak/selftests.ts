import { runVitest } from './run-vitest';
import type { Soak } from './soak';

/** The kernel's memslot selftests with memory as large as the kernel's own: 1 GiB under dirty logging and per vCPU, 512 MiB written from both sides. */
export const selftests: Soak = {
  name: 'selftests',
  title: "the kernel's memslot selftests with the kernel's sizes, real guests on all three indexes",
  async run(say) {
    const status = await runVitest(['test/guests/selftests'], { LAB_SELFTESTS: 'full' }, say);
    if (status !== 0) throw new Error('a selftest fails (see above)');
    return 'all of test/guests/selftests';
  },
};
