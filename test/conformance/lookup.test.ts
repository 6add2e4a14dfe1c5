/** L: lookups, the vCPU's cache and what the guest observes. */
import { expect, it } from 'vitest';
import { PAGE_INVALID, PAGE_PRESENT, PAGE_READONLY } from '../../engine/abi/exits';
import { MEMSLOT_INVALID } from '../../engine/memory/index';
import { accepted, gone, onEachIndex, P, RO, region } from './support';

onEachIndex('L: lookup', (make) => {
  it('L1 first and last byte of a slot, the byte before and the byte after', () => {
    const engine = make();
    accepted(engine.setUserMemoryRegion(region(0, 0, 16 * P, 4 * P, 64 * P)));
    expect(engine.gpaToHva(16 * P - 1)).toBe(-1);
    expect(engine.gpaToHva(16 * P)).toBe(64 * P);
    expect(engine.gpaToHva(20 * P - 1)).toBe(68 * P - 1);
    expect(engine.gpaToHva(20 * P)).toBe(-1);
    expect([15, 16, 19, 20].map((gfn) => engine.memslotAt(gfn)?.slot)).toEqual([undefined, 0, 0, undefined]);
  });

  it('L2 a READONLY slot reads as memory and says that writes are MMIO', () => {
    const engine = make();
    accepted(engine.setUserMemoryRegion(region(0, RO, 0, P, 64 * P)));
    expect(engine.createCache().lookupPage(0)).toBe(64 * P + PAGE_PRESENT + PAGE_READONLY);
    expect(engine.createCache().lookupPage(1)).toBe(0);
  });

  it('L3 an INVALID slot has no translation: try again, not MMIO', () => {
    const engine = make();
    accepted(engine.setUserMemoryRegion(region(0, 0, 0, P, 64 * P)));
    const cache = engine.createCache();
    const run = engine.beginCommit({ call: 'region', region: gone(0) });
    while (run.phase !== 'zap') run.step();
    expect(engine.memslotAt(0)?.flags).toBe(MEMSLOT_INVALID);
    expect(engine.gpaToHva(0)).toBe(-1);
    expect(cache.lookupPage(0)).toBe(PAGE_INVALID);
    run.run();
    expect(cache.lookupPage(0)).toBe(0);
  });

  it('L4 a cached hit of a deleted slot misses', () => {
    const engine = make();
    accepted(engine.setUserMemoryRegion(region(0, 0, 0, P, 64 * P)));
    const cache = engine.createCache();
    expect(cache.lookupPage(0)).toBe(64 * P + PAGE_PRESENT);
    expect(engine.memslotAt(0)?.slot).toBe(0);
    accepted(engine.setUserMemoryRegion(gone(0)));
    expect(cache.lookupPage(0)).toBe(0);
    expect(engine.memslotAt(0)).toBeUndefined();
    accepted(engine.setUserMemoryRegion(region(1, 0, 0, P, 32 * P)));
    expect(cache.lookupPage(0)).toBe(32 * P + PAGE_PRESENT);
  });

  it('L5 a vCPU that changes its address space does not take its cache along', () => {
    const engine = make();
    accepted(engine.setUserMemoryRegion(region(0, 0, 0, P, 64 * P, 0)));
    accepted(engine.setUserMemoryRegion(region(0, 0, 0, P, 32 * P, 1)));
    const cache = engine.createCache();
    const seen = [0, 1, 0, 1].map((asId) => cache.lookupPage(0, asId) - PAGE_PRESENT);
    expect(seen).toEqual([64 * P, 32 * P, 64 * P, 32 * P]);
  });

  it('L7 a lookup while a generation is in progress must not be cached', () => {
    const engine = make();
    accepted(engine.setUserMemoryRegion(region(0, 0, 0, P, 64 * P)));
    const cache = engine.createCache();
    const words: number[] = [];
    engine.subscribe(() => {
      words.push(cache.lookupPage(0));
    });
    accepted(engine.changeUserMemoryRegions([region(0, 0, P, P, 64 * P), region(1, 0, 0, P, 8 * P)]));
    expect(words).toEqual([PAGE_INVALID, PAGE_INVALID, 8 * P + PAGE_PRESENT, 8 * P + PAGE_PRESENT]);
  });

  it('L8 gfns beyond 32 bits and hvas up to 2^32', () => {
    const engine = make({ physAddrBits: 52 });
    const gpa = 2 ** 51;
    accepted(engine.setUserMemoryRegion(region(0, 0, gpa, 2 * P, 2 ** 32 - 2 * P)));
    accepted(engine.setUserMemoryRegion(region(1, 0, gpa - 2 ** 43, P, 16 * P)));
    expect(engine.createCache().lookupPage(gpa / P + 1)).toBe(2 ** 32 - P + PAGE_PRESENT);
    expect(engine.gpaToHva(gpa + P + 5)).toBe(2 ** 32 - P + 5);
    expect(engine.memslotAt((gpa - 2 ** 43) / P)?.slot).toBe(1);
    expect(engine.memslotAt(gpa / P + 2)).toBeUndefined();
  });
});
