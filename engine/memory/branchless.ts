/** Comparisons with gfns that take no branch of their own: the processor cannot predict those of random gfns. */

/** 0 <= offset < pages, as one branch. Every second random gfn lies below a given slot, so a branch on that alone would be mispredicted half of the time. */
export function isWithin(offset: number, pages: number): boolean {
  return (+(offset >= 0) & +(offset < pages)) !== 0;
}

/** start <= gfn < end, as one branch. */
export function isBetween(gfn: number, start: number, end: number): boolean {
  return (+(gfn >= start) & +(gfn < end)) !== 0;
}

/**
 * Index of the last of four keys, `step` places apart from `start` on, that is <= gfn; `start` if there is none. The three comparisons do not wait for
 * one another. `| 0` spares V8 an overflow check for each sum.
 */
export function lastOfFour(keys: Float64Array, start: number, step: number, gfn: number): number {
  const second = (start + step) | 0;
  const third = (second + step) | 0;
  const passed = +(keys[second]! <= gfn) + +(keys[third]! <= gfn) + +(keys[(third + step) | 0]! <= gfn);
  return (start + step * passed) | 0;
}
