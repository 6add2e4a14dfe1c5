/**
 * The workload for measuring an index, in the page and in test/bench: the layout of the kernel's memslot_perf_test, and gfns from a fixed generator,
 * so that every run makes the same queries.
 */
import type { MemoryRegion } from '../memory/types';

export const PAGE = 4096;
/** Slots from 256 MiB on, 16 KiB each. */
export const FIRST_GFN = 65536;
export const SLOT_PAGES = 4;

export const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1]!;

export const regionAt = (id: number, gfn = FIRST_GFN + id * SLOT_PAGES): MemoryRegion => ({
  slot: id,
  guestPhysAddr: gfn * PAGE,
  memorySize: SLOT_PAGES * PAGE,
  userspaceAddr: (FIRST_GFN + id * SLOT_PAGES) * PAGE,
});

/** The same generator as in test/bench/c/rbtree.c. */
export class Draw {
  constructor(private state: number) {}

  below(limit: number): number {
    this.state = (Math.imul(this.state, 1664525) + 1013904223) >>> 0;
    return Math.floor((this.state * limit) / 2 ** 32);
  }
}

export function shuffled(n: number): number[] {
  const draw = new Draw(1);
  const order = Array.from({ length: n }, (_, i) => i);
  for (let i = n - 1; i > 0; i--) {
    const j = draw.below(i + 1);
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  return order;
}

/** Gfns among `n` slots: uniform, except that `localPercent` of them stay in the slot of the previous one. */
export function queries(n: number, count: number, localPercent: number): Float64Array {
  const draw = new Draw(2);
  const list = new Float64Array(count);
  let last = FIRST_GFN;
  for (let i = 0; i < count; i++) {
    if (draw.below(100) < localPercent) last = last - (last % SLOT_PAGES) + draw.below(SLOT_PAGES);
    else last = FIRST_GFN + draw.below(n * SLOT_PAGES);
    list[i] = last;
  }
  return list;
}
