/** Finds a free place for a memslot that was refused at its address. */

/** Guest-physical addresses end here: 46 bits are wired. */
const END = 2 ** 46;

/**
 * The start nearest to `wanted` of a free range of `size` bytes, all multiples of a page; undefined if there is none. `taken` is in any order and may
 * overlap. O(n log n).
 */
export function nearestRoom(taken: readonly { start: number; end: number }[], size: number, wanted: number): number | undefined {
  let best: number | undefined;
  let free = 0;
  for (const { start, end } of [...taken].sort((a, b) => a.start - b.start).concat({ start: END, end: END })) {
    const at = Math.min(Math.max(wanted, free), start - size);
    if (at >= free && (best === undefined || Math.abs(at - wanted) < Math.abs(best - wanted))) best = at;
    free = Math.max(free, end);
  }
  return best;
}
