/** Shares of dirty pages over a range of gfns, to show where the guest writes. Reading harvests and protects nothing. */
import type { AddressSpace } from './address-space';
import type { DirtyState } from './dirty-state';
import { firstOverlap } from './gfn-index';

/** No page of the column is logged, which is not the same as clean. */
export const HEAT_UNKNOWN = 255;
/** Every logged page is dirty. */
export const HEAT_ALL = 254;

/**
 * [from, to) in gfns (whole or not) cut into columns of equal width; one byte each into `into` from `at` on: HEAT_UNKNOWN, or the share of
 * the column's logged pages that are dirty, 0 .. HEAT_ALL. One dirty page among very many still gives 1.
 */
export function dirtyHeat(space: AddressSpace, from: number, to: number, columns: number, into: Uint8Array, at: number): void {
  const width = (to - from) / columns;
  for (let column = 0; column < columns; column++) {
    const first = Math.floor(from + column * width);
    const end = Math.max(first + 1, Math.ceil(from + (column + 1) * width));
    into[at + column] = share(space, first, end);
  }
}

function share({ active, table }: AddressSpace, first: number, end: number): number {
  let logged = 0;
  let dirty = 0;
  for (let record = firstOverlap(active.gfns, table, first, end); record; record = active.gfns.above(table.base[record]!)) {
    const base = table.base[record]!;
    if (base >= end) break;
    const state = table.dirty.get(record);
    if (!state) continue;
    const a = Math.max(first, base) - base;
    const b = Math.min(end, base + state.pages) - base;
    logged += b - a;
    dirty += countDirty(state, a, b);
  }
  if (logged === 0) return HEAT_UNKNOWN;
  return dirty === 0 ? 0 : Math.max(1, Math.floor((dirty / logged) * HEAT_ALL));
}

/** Dirty pages of [from, to): in the bitmap, or in a ring and not reset yet. */
export function countDirty({ bits, ringed }: DirtyState, from: number, to: number): number {
  let count = 0;
  for (let byte = from >>> 3; byte < (to + 7) >>> 3; byte++) {
    let set = (bits?.[byte] ?? 0) | (ringed?.[byte] ?? 0);
    if (set === 0) continue;
    if (byte === from >>> 3) set &= 0xff << (from & 7);
    if (byte === to >>> 3) set &= (1 << (to & 7)) - 1;
    for (; set; set &= set - 1) count++;
  }
  return count;
}
