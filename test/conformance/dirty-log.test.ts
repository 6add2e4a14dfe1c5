/** D: KVM_GET_DIRTY_LOG, KVM_CLEAR_DIRTY_LOG, manual protect. */
import { expect, it } from 'vitest';
import { PAGE_CLEAN, PAGE_PRESENT } from '../../engine/abi/exits';
import { type CommitEvent, type GfnRange, INITIALLY_SET, MANUAL_PROTECT, type MemslotEngine } from '../../engine/memory/index';
import { accepted, bitsOf, gone, harvest, LOG, onEachIndex, P, region } from './support';

const HVA = 1024 * P;

function logged(engine: MemslotEngine, pages: number, slot = 0, gfn = 0): MemslotEngine {
  accepted(engine.setUserMemoryRegion(region(slot, LOG, gfn * P, pages * P, HVA)));
  return engine;
}

const bits = (pages: number[], length = 128): Uint8Array => {
  const map = new Uint8Array(length / 8);
  for (const page of pages) map[page >> 3]! |= 1 << (page & 7);
  return map;
};

function protections(engine: MemslotEngine): GfnRange[] {
  const ranges: GfnRange[] = [];
  engine.subscribe((event: CommitEvent) => {
    if (event.type === 'protect') ranges.push(...event.ranges);
  });
  return ranges;
}

onEachIndex('D: dirty log', (make) => {
  it('D1 absent slot and slot without a log: ENOENT; bad id or address space: EINVAL; rings alone: ENXIO', () => {
    const engine = make();
    accepted(engine.setUserMemoryRegion(region(0, 0, 0, P, 0)));
    expect(engine.getDirtyLog(0)).toEqual({ ok: false, errno: 'ENOENT' });
    expect(engine.getDirtyLog(9)).toEqual({ ok: false, errno: 'ENOENT' });
    for (const id of [32764, -1, 0.5, Number.NaN]) expect(engine.getDirtyLog(id)).toEqual({ ok: false, errno: 'EINVAL' });
    expect(engine.getDirtyLog(0, 2)).toEqual({ ok: false, errno: 'EINVAL' });
    const rings = make();
    rings.dirtyLog.enableRing(4096);
    expect(logged(rings, 1).getDirtyLog(0)).toEqual({ ok: false, errno: 'ENXIO' });
    expect(rings.clearDirtyLog({ slot: 0, firstPage: 1, numPages: 0, bitmap: bits([]) })).toEqual({ ok: false, errno: 'ENXIO' });
  });

  it.each([
    [1, 8],
    [63, 8],
    [64, 8],
    [65, 16],
    [128, 16],
  ])('D2 %i pages make a bitmap of %i bytes', (pages, bytes) => {
    const engine = logged(make(), pages);
    engine.markDirty(pages - 1);
    const log = engine.getDirtyLog(0);
    expect(log.ok && log.bitmap.length).toBe(bytes);
    expect(log.ok && bitsOf(log.bitmap)).toEqual([pages - 1]);
  });

  it('D3 GET clears; a write in between shows', () => {
    const engine = logged(make(), 100);
    const cache = engine.createCache();
    cache.markDirty(7);
    engine.markDirty(64);
    expect(harvest(engine, 0)).toEqual([7, 64]);
    expect(harvest(engine, 0)).toEqual([]);
    cache.markDirty(99);
    expect(harvest(engine, 0)).toEqual([99]);
  });

  it('D3 what was harvested is write-protected again, and only that', () => {
    const engine = logged(make(), 100, 0, 10);
    const protectedAgain = protections(engine);
    for (const gfn of [11, 12, 13, 40, 109]) engine.markDirty(gfn);
    harvest(engine, 0);
    expect(protectedAgain).toEqual([
      { asId: 0, start: 11, end: 14 },
      { asId: 0, start: 40, end: 41 },
      { asId: 0, start: 109, end: 110 },
    ]);
    harvest(engine, 0);
    expect(protectedAgain).toHaveLength(3);
  });

  it('D3 a clean page says so until it is written', () => {
    const engine = logged(make(), 4);
    const cache = engine.createCache();
    expect(cache.lookupPage(2)).toBe(HVA + 2 * P + PAGE_PRESENT + PAGE_CLEAN);
    cache.markDirty(2);
    expect(cache.lookupPage(2)).toBe(HVA + 2 * P + PAGE_PRESENT);
    harvest(engine, 0);
    expect(cache.lookupPage(2)).toBe(HVA + 2 * P + PAGE_PRESENT + PAGE_CLEAN);
  });

  it('D4 with manual protect GET does not clear', () => {
    const engine = logged(make(), 10);
    expect(engine.dirtyLog.setManualProtect(MANUAL_PROTECT)).toEqual({ ok: true });
    engine.markDirty(3);
    expect([harvest(engine, 0), harvest(engine, 0)]).toEqual([[3], [3]]);
  });

  it('D5 CLEAR: first page before slot, then the range', () => {
    const engine = logged(make(), 100);
    const clear = (slot: number, firstPage: number, numPages: number) => {
      const answer = engine.clearDirtyLog({ slot, firstPage, numPages, bitmap: bits([], 1024) });
      return answer.ok ? 'ok' : answer.errno;
    };
    expect(clear(9, 1, 0)).toBe('EINVAL');
    expect(clear(9, 64, 0)).toBe('ENOENT');
    expect(clear(0, 0, 63)).toBe('EINVAL');
    expect(clear(0, 64, 36)).toBe('ok');
    expect(clear(0, 128, 0)).toBe('EINVAL');
    expect(clear(0, 64, 37)).toBe('EINVAL');
    expect(clear(0, 0, 100)).toBe('ok');
    expect(clear(0, 0, 64)).toBe('ok');
    for (const bad of [Number.NaN, -64, 32.5, 2 ** 53]) expect(clear(0, bad, 0)).toBe('EINVAL');
    expect(clear(0, 0, -64)).toBe('EINVAL');
    expect(engine.clearDirtyLog({ slot: 0, firstPage: 0, numPages: 64, bitmap: new Uint8Array(4) })).toEqual({
      ok: false,
      errno: 'EINVAL',
    });
  });

  it('D6 CLEAR touches only bits that are asked for and set; bits past the end are harmless', () => {
    const engine = logged(make(), 70);
    engine.dirtyLog.setManualProtect(MANUAL_PROTECT);
    for (const gfn of [0, 5, 63, 64, 69]) engine.markDirty(gfn);
    const protectedAgain = protections(engine);
    expect(engine.clearDirtyLog({ slot: 0, firstPage: 0, numPages: 64, bitmap: bits([5, 6]) })).toEqual({ ok: true });
    expect(harvest(engine, 0)).toEqual([0, 63, 64, 69]);
    expect(engine.clearDirtyLog({ slot: 0, firstPage: 64, numPages: 6, bitmap: bits([0, 5, 9, 63], 64) })).toEqual({ ok: true });
    expect(harvest(engine, 0)).toEqual([0, 63]);
    expect(protectedAgain.map((range) => range.start)).toEqual([5, 64, 69]);
  });

  it('D6 CLEAR works without manual protect, as the ioctl does', () => {
    const engine = logged(make(), 64);
    engine.markDirty(1);
    expect(engine.clearDirtyLog({ slot: 0, firstPage: 0, numPages: 64, bitmap: bits([1]) })).toEqual({ ok: true });
    expect(harvest(engine, 0)).toEqual([]);
  });

  it('D7 bits survive a move, logging off drops them, on again starts empty', () => {
    const engine = logged(make(), 64);
    engine.markDirty(9);
    accepted(engine.setUserMemoryRegion(region(0, LOG, 128 * P, 64 * P, HVA)));
    accepted(engine.setUserMemoryRegion(region(0, LOG, 128 * P, 64 * P, HVA)));
    expect(harvest(engine, 0)).toEqual([9]);
    engine.markDirty(128);
    accepted(engine.setUserMemoryRegion(region(0, 0, 128 * P, 64 * P, HVA)));
    expect(engine.getDirtyLog(0)).toEqual({ ok: false, errno: 'ENOENT' });
    accepted(engine.setUserMemoryRegion(region(0, LOG, 128 * P, 64 * P, HVA)));
    expect(harvest(engine, 0)).toEqual([]);
  });

  it('D7 logging that comes on protects the slot; with INITIALLY_SET it starts full and needs none', () => {
    const engine = make();
    accepted(engine.setUserMemoryRegion(region(0, 0, 8 * P, 65 * P, HVA)));
    const protectedAgain = protections(engine);
    accepted(engine.setUserMemoryRegion(region(0, LOG, 8 * P, 65 * P, HVA)));
    expect(protectedAgain).toEqual([{ asId: 0, start: 8, end: 73 }]);
    engine.dirtyLog.setManualProtect(MANUAL_PROTECT | INITIALLY_SET);
    accepted(engine.setUserMemoryRegion(region(0, 0, 8 * P, 65 * P, HVA)));
    accepted(engine.setUserMemoryRegion(region(0, LOG, 8 * P, 65 * P, HVA)));
    expect(harvest(engine, 0)).toEqual(Array.from({ length: 65 }, (_, i) => i));
    expect(protectedAgain).toHaveLength(1);
  });

  it.each([2, 4, 5, -1, Number.NaN])('D8 manual protect flags %d', (flags) => {
    const engine = make();
    expect(engine.dirtyLog.setManualProtect(flags)).toEqual({ ok: false, errno: 'EINVAL' });
  });

  it('D9 a plain delete loses the bits; deleteAndHarvest returns those of the last instant', () => {
    const engine = logged(make(), 64);
    engine.markDirty(1);
    accepted(engine.setUserMemoryRegion(gone(0)));
    logged(engine, 64);
    expect(harvest(engine, 0)).toEqual([]);
    engine.markDirty(2);
    // The guest goes on writing until its translations are zapped.
    engine.subscribe((event) => {
      if (event.type === 'publish' && event.swap === 1) engine.markDirty(3);
    });
    const commit = engine.deleteAndHarvest(0);
    accepted(commit);
    expect(bitsOf(commit.bitmap!)).toEqual([2, 3]);
    expect(engine.memslotById(0)).toBeUndefined();
  });

  it('D9 deleteAndHarvest of a slot without a log deletes it, and of no slot is EINVAL', () => {
    const engine = make();
    accepted(engine.setUserMemoryRegion(region(0, 0, 0, P, 0)));
    const commit = engine.deleteAndHarvest(0);
    expect([commit.ok, commit.bitmap]).toEqual([true, undefined]);
    expect(engine.deleteAndHarvest(0)).toMatchObject({ ok: false, refusals: [{ errno: 'EINVAL' }] });
  });

  it('a log can be read and restored, for snapshots; clean pages are then protected', () => {
    const engine = logged(make(), 70, 0, 8);
    engine.markDirty(8 + 69);
    const saved = engine.peekDirtyLog(0)!;
    expect(bitsOf(saved)).toEqual([69]);
    engine.markDirty(8);
    const protectedAgain = protections(engine);
    saved[15] = 0xff; // beyond the slot's end
    expect(engine.loadDirtyLog(0, saved)).toBe(true);
    expect(protectedAgain).toEqual([{ asId: 0, start: 8, end: 78 }]);
    expect(harvest(engine, 0)).toEqual([69]);
    expect([engine.loadDirtyLog(0, new Uint8Array(8)), engine.loadDirtyLog(1, saved), engine.peekDirtyLog(1)]).toEqual([
      false,
      false,
      undefined,
    ]);
  });
});
