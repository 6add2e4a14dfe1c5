/** R: the dirty ring. */
import { expect, it } from 'vitest';
import { PAGE_CLEAN } from '../../engine/abi/exits';
import type { MemslotEngine } from '../../engine/memory/index';
import { accepted, gone, harvest, LOG, onEachIndex, P, region } from './support';

const SIZE = 4096; // 256 entries, 64 of them reserved
const SOFT = 256 - 64;

function withRing(engine: MemslotEngine, pages = 1024) {
  expect(engine.dirtyLog.enableRing(SIZE)).toEqual({ ok: true });
  accepted(engine.setUserMemoryRegion(region(3, LOG, 0, pages * P, 0)));
  return engine.createCache();
}

onEachIndex('R: dirty ring', (make) => {
  it.each([0, 3, 1024, 2048, 4096 + 16, 6144, -4096, Number.NaN])('R1 %d bytes are no ring', (bytes) => {
    const engine = make();
    expect(engine.dirtyLog.enableRing(bytes)).toEqual({ ok: false, errno: 'EINVAL' });
  });

  it('R1 more than 65536 entries are E2BIG, also when a ring exists', () => {
    const engine = make();
    expect(engine.dirtyLog.enableRing(65536 * 32)).toEqual({ ok: false, errno: 'E2BIG' });
    expect(engine.dirtyLog.enableRing(65536 * 16)).toEqual({ ok: true });
    expect(engine.dirtyLog.enableRing(65536 * 32)).toEqual({ ok: false, errno: 'E2BIG' });
  });

  it('R2 once, and before the first vCPU', () => {
    const engine = make();
    expect(engine.dirtyLog.enableRing(SIZE)).toEqual({ ok: true });
    expect(engine.dirtyLog.enableRing(SIZE)).toEqual({ ok: false, errno: 'EINVAL' });
    const late = make();
    late.createCache();
    expect(late.dirtyLog.enableRing(SIZE)).toEqual({ ok: false, errno: 'EINVAL' });
  });

  it('R3 full at the soft limit; a reset returns how many were collected and makes room', () => {
    const engine = make();
    const cache = withRing(engine);
    for (let gfn = 0; gfn < SOFT - 1; gfn++) cache.markDirty(gfn);
    expect(cache.ring!.isFull).toBe(false);
    cache.markDirty(SOFT - 1);
    expect(cache.ring!.isFull).toBe(true);
    expect(engine.dirtyLog.resetRings()).toEqual({ ok: true, count: 0 });
    expect(engine.dirtyLog.harvestRings(10)).toHaveLength(10);
    expect(engine.dirtyLog.resetRings()).toEqual({ ok: true, count: 10 });
    expect(cache.ring!.isFull).toBe(false);
    expect(engine.dirtyLog.harvestRings()).toHaveLength(SOFT - 10);
    expect(engine.dirtyLog.resetRings()).toEqual({ ok: true, count: SOFT - 10 });
  });

  it('R3 entries name slot and offset, in order, each page once until it is reset', () => {
    const engine = make();
    accepted(engine.setUserMemoryRegion(region(7, LOG, 5000 * P, 8 * P, 0, 1)));
    const cache = withRing(engine);
    for (const gfn of [9, 4, 9]) cache.markDirty(gfn);
    cache.markDirty(5003, 1);
    expect(cache.ring!.harvest()).toEqual([
      { asId: 0, slot: 3, offset: 9 },
      { asId: 0, slot: 3, offset: 4 },
      { asId: 1, slot: 7, offset: 3 },
    ]);
    expect(cache.lookupPage(9) & PAGE_CLEAN).toBe(0);
    engine.dirtyLog.resetRings();
    expect(cache.lookupPage(9) & PAGE_CLEAN).toBe(PAGE_CLEAN);
    cache.markDirty(9);
    expect(cache.ring!.harvest()).toEqual([{ asId: 0, slot: 3, offset: 9 }]);
  });

  it('R3 a reset protects what it collected, neighbours as one range', () => {
    const engine = make();
    const cache = withRing(engine);
    for (const gfn of [4, 5, 6, 100]) cache.markDirty(gfn);
    cache.ring!.harvest();
    const ranges: unknown[] = [];
    engine.subscribe((event) => {
      if (event.type === 'protect') ranges.push(...event.ranges);
    });
    engine.dirtyLog.resetRings();
    expect(ranges).toEqual([
      { asId: 0, start: 4, end: 7 },
      { asId: 0, start: 100, end: 101 },
    ]);
  });

  it('R3 a driver that runs past the reserve loses no page: the page stays clean and is recorded later', () => {
    const engine = make();
    const cache = withRing(engine);
    for (let gfn = 0; gfn < 300; gfn++) cache.markDirty(gfn);
    expect(cache.ring!.overflows).toBe(44);
    expect(cache.lookupPage(299) & PAGE_CLEAN).toBe(PAGE_CLEAN);
    engine.dirtyLog.harvestRings();
    engine.dirtyLog.resetRings();
    cache.markDirty(299);
    expect(cache.ring!.harvest()).toEqual([{ asId: 0, slot: 3, offset: 299 }]);
  });

  it('R3 each vCPU has its ring; a write from outside goes to the first', () => {
    const engine = make();
    const first = withRing(engine);
    const second = engine.createCache();
    second.markDirty(1);
    engine.markDirty(2);
    expect([first.ring!.pending, second.ring!.pending]).toEqual([1, 1]);
    expect(engine.dirtyLog.harvestRings().map((entry) => entry.offset)).toEqual([2, 1]);
  });

  it('R4 entries of a deleted slot are counted and skipped', () => {
    const engine = make();
    const cache = withRing(engine);
    cache.markDirty(1);
    cache.ring!.harvest();
    accepted(engine.setUserMemoryRegion(gone(3)));
    expect(engine.dirtyLog.resetRings()).toEqual({ ok: true, count: 1 });
    expect(make().dirtyLog.resetRings()).toEqual({ ok: false, errno: 'EINVAL' });
  });

  it('R4 after a split the pages of the new slot are recorded under it', () => {
    const engine = make();
    const cache = withRing(engine, 8);
    cache.markDirty(6);
    cache.ring!.harvest();
    accepted(engine.splitMemslot(3, 4 * P, 4));
    engine.dirtyLog.resetRings();
    cache.markDirty(6);
    expect(cache.ring!.harvest()).toEqual([{ asId: 0, slot: 4, offset: 2 }]);
  });

  it('R5 with bitmap: needs a ring and no memslot; writes without a vCPU go to the bitmap', () => {
    const engine = make();
    expect(engine.dirtyLog.enableRingWithBitmap()).toEqual({ ok: false, errno: 'EINVAL' });
    engine.dirtyLog.enableRing(SIZE);
    accepted(engine.setUserMemoryRegion(region(0, LOG, 0, 8 * P, 0)));
    expect(engine.dirtyLog.enableRingWithBitmap()).toEqual({ ok: false, errno: 'EINVAL' });
    accepted(engine.setUserMemoryRegion(gone(0)));
    expect(engine.dirtyLog.enableRingWithBitmap()).toEqual({ ok: true });
    accepted(engine.setUserMemoryRegion(region(0, LOG, 0, 8 * P, 0)));
    const cache = engine.createCache();
    cache.markDirty(1);
    engine.markDirty(2);
    expect(cache.ring!.harvest()).toEqual([{ asId: 0, slot: 0, offset: 1 }]);
    expect(harvest(engine, 0)).toEqual([2]);
  });

  it('R6 rings that come on while a slot logs', () => {
    const engine = make();
    accepted(engine.setUserMemoryRegion(region(0, LOG, 0, 8 * P, 0)));
    engine.dirtyLog.enableRing(SIZE);
    const cache = engine.createCache();
    cache.markDirty(5);
    expect(cache.ring!.harvest()).toEqual([{ asId: 0, slot: 0, offset: 5 }]);
  });
});
