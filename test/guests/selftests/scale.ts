/** How large the memory is that selftests fill: the kernel's own size in `npm run soak -- selftests`, less where a commit waits for it. */
const FULL = process.env.LAB_SELFTESTS === 'full';

export const scaled = (kernels: number, ours: number): number => (FULL ? kernels : ours);
