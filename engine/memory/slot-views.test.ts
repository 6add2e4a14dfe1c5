/** What the public lookups give: one frozen object per memslot, until the memslot changes. */
import { describe, expect, it } from 'vitest';
import { MemslotEngine } from './index';

const PAGE = 4096;
const SLOTS = 1000;
const region = (slot: number, flags = 0) => ({
  slot,
  flags,
  guestPhysAddr: slot * 2 * PAGE,
  memorySize: PAGE,
  userspaceAddr: (slot + 1) * PAGE,
});

describe.each(['array', 'rbtree', 'btree'] as const)('the public lookups, on index %s', (index) => {
  const engine = new MemslotEngine({ index });
  engine.setUserMemoryRegions(Array.from({ length: SLOTS }, (_unused, slot) => region(slot)));

  it('give the same object for the same memslot, by gfn, by id, by hva and in the list', () => {
    const all = engine.memslots();
    for (const [slot, view] of all.entries()) {
      expect(view).toMatchObject({ slot, baseGfn: slot * 2, npages: 1, userspaceAddr: (slot + 1) * PAGE });
      expect(Object.isFrozen(view)).toBe(true);
    }
    // Asked for again when all others were asked for meanwhile.
    for (const [slot, view] of all.entries()) {
      expect(engine.memslotById(slot)).toBe(view);
      expect(engine.memslotAt(slot * 2)).toBe(view);
      expect(engine.memslotsByHva(view.userspaceAddr, view.userspaceAddr + 1)[0]).toBe(view);
    }
    expect(engine.memslots()).toEqual(all);
  });

  it('give another object when the memslot changed, and leave the one before as it was', () => {
    const [before, beside] = [engine.memslotById(7)!, engine.memslotById(8)!];
    engine.setUserMemoryRegion(region(7, 1));
    expect(engine.memslotById(7)).toMatchObject({ slot: 7, flags: 1 });
    expect(before.flags).toBe(0);
    expect(engine.memslotById(8)).toBe(beside);
    engine.setUserMemoryRegion({ ...region(7), memorySize: 0 });
    expect(engine.memslotAt(14)).toBeUndefined();
    expect(before).toMatchObject({ slot: 7, baseGfn: 14 });
  });
});
