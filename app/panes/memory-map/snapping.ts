/** Where a dragged slot or its end snaps: to edges of other slots within reach, otherwise to multiples of 2 MiB. Bytes. */
import type { Range } from '../change-set/staging';

/** The step of a drag if no edge is near. */
export const DRAG_GRAIN = 2 * 2 ** 20;
const PAGE = 4096;

/** Where `length` bytes would begin or end at an edge of the others. */
export const edgePlaces = (others: readonly Range[], length: number): number[] =>
  others.flatMap(({ start, end }) => [start, start - length, end, end - length]).filter((at) => at >= 0);

/** The start for `length` bytes that are dragged to `gpa`. */
export function snapStart(gpa: number, length: number, others: readonly Range[], reach: number): number {
  let best = Math.round(gpa / DRAG_GRAIN) * DRAG_GRAIN;
  let distance = reach;
  for (const at of edgePlaces(others, length)) {
    if (Math.abs(at - gpa) >= distance) continue;
    best = at;
    distance = Math.abs(at - gpa);
  }
  return best;
}

/** The size of a slot whose end is dragged to `wanted` bytes behind its start: up to the start of another, else whole 2 MiB; `fine`: whole pages. */
export function snapSize(
  { guestPhysAddr: start, memorySize }: { guestPhysAddr: number; memorySize: number },
  wanted: number,
  others: readonly Range[],
  { reach, fine }: { reach: number; fine: boolean },
): number {
  const grain = fine ? PAGE : DRAG_GRAIN;
  const edge = fine ? undefined : others.find((range) => Math.abs(range.start - start - wanted) < reach);
  const length = edge ? edge.start - start : Math.round(wanted / grain) * grain;
  return Math.max(fine ? PAGE : Math.min(memorySize, DRAG_GRAIN), length);
}
