/** Size of the memory that selftests fill: the kernel's own size in `npm run soak -- selftests`, less in `npm test`. */
const FULL = process.env.LAB_SELFTESTS === 'full';

export const scaled = (kernels: number, ours: number): number => (FULL ? kernels : ours);
