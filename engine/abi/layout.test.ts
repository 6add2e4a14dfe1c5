import { expect, it } from 'vitest';
import * as layout from './layout';
import { VREG_PAGE } from './record';
import { TLB_ENTRIES, TLB_ENTRY_SIZE, TLB_MASK, TLB_USER, WINDOW_SIZE, WINDOWS } from './tlb';
import { STAT_VM_EXITS, VCPU_STATS } from './vcpu';

it("fits a vCPU's parts into its block, in order", () => {
  const parts = [
    [0, Math.max(VREG_PAGE, VCPU_STATS + STAT_VM_EXITS) + 8],
    [layout.VCPU_RECORD_SIZE, layout.VCPU_CELLS_USED],
    [layout.VCPU_SCRATCH, layout.VCPU_SCRATCH + layout.VCPU_SCRATCH_SIZE],
    [layout.VCPU_FRAME_CACHE, layout.VCPU_CACHES_END],
    [layout.VCPU_TLB, layout.VCPU_TLB + layout.VCPU_TLB_SIZE],
    [layout.VCPU_WINDOWS, layout.VCPU_WINDOWS + layout.VCPU_TLB_SIZE],
  ] as const;
  for (const [number, [start, end]] of parts.entries()) {
    expect(end, `part ${number}`).toBeGreaterThan(start);
    expect(end, `part ${number}`).toBeLessThanOrEqual(parts[number + 1]?.[0] ?? layout.VCPU_BLOCK_SIZE);
  }
  expect(layout.VCPU_TLB_SIZE).toBe(2 * TLB_ENTRIES * TLB_ENTRY_SIZE);
  expect(TLB_USER).toBe(TLB_ENTRIES * TLB_ENTRY_SIZE);
  expect(TLB_MASK).toBe((TLB_ENTRIES - 1) * TLB_ENTRY_SIZE);
  expect(layout.VCPU_WINDOW_LIST - layout.VCPU_TLB_NOTES).toBe(2 * TLB_ENTRIES);
  expect(layout.VCPU_TLB_HOSTS - layout.VCPU_TLB_GFNS).toBe(2 * TLB_ENTRIES * 4);
  expect(layout.VCPU_CACHES_END - layout.VCPU_TLB_HOSTS).toBe(2 * TLB_ENTRIES);
  expect(WINDOWS * WINDOW_SIZE).toBeLessThanOrEqual(TLB_USER);
  expect(1 << layout.FRAME_CACHE_SHIFT).toBe(layout.FRAME_CACHE_ENTRIES);
});

it('leaves room for decoded code below host memory', () => {
  expect(layout.ARENA_END - layout.ARENA_BASE).toBeGreaterThan(8 << 20);
  expect(layout.JIT_TABLES).toBeGreaterThanOrEqual(layout.JIT_EXITS + layout.JIT_REASONS * 4);
  expect(layout.HOST_BASE % layout.PAGE_SIZE).toBe(0);
});
