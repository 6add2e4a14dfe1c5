/** What the public lookups give: one frozen object per memslot, until the memslot changes. */
import { describe, expect, it } from 'vitest';
import { MemslotEngine } from './index';
import { MEMSLOT_INVALID } from './slot-table';

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

  it('find nothing in a hole, whichever slot was asked for before', () => {
    for (const slot of [20, 21, 22]) {
      expect(engine.memslotAt(slot * 2)?.slot).toBe(slot);
      for (const hole of [41, 43, 45, 2 * SLOTS + 5, -1]) expect(engine.memslotAt(hole)).toBeUndefined();
    }
  });

  it('see every phase of a commit that moves the slot they gave last', () => {
    const gfn = 60;
    const asked = () => engine.memslotAt(gfn);
    const before = asked()!;
    const run = engine.beginCommit({ call: 'region', region: { ...region(30), guestPhysAddr: 5000 * PAGE } });
    const seen: unknown[] = [];
    for (let phase = run.phase; phase !== 'done'; ) {
      phase = run.step();
      asked();
      seen.push(asked()?.flags);
    }
    // validate, prepare; swap 1, zap; swap 2, hooks, free
    expect(seen).toEqual([0, 0, MEMSLOT_INVALID, MEMSLOT_INVALID, undefined, undefined, undefined]);
    expect(before).toMatchObject({ slot: 30, baseGfn: gfn, flags: 0 });
    expect(engine.memslotAt(5000)).toMatchObject({ slot: 30, baseGfn: 5000, userspaceAddr: before.userspaceAddr });
  });
});

it('addresses of more than 31 bits are exact, and leave the views of others as they were', () => {
  const engine = new MemslotEngine();
  engine.setUserMemoryRegion(region(1));
  const low = engine.memslotAt(2)!;
  const [gfn, hva] = [2 ** 33 + 1, 2 ** 52 + PAGE];
  engine.setUserMemoryRegion({ slot: 2, guestPhysAddr: gfn * PAGE, memorySize: PAGE, userspaceAddr: hva });
  expect(engine.memslotAt(gfn)).toEqual({ slot: 2, asId: 0, flags: 0, baseGfn: gfn, npages: 1, userspaceAddr: hva, arch: undefined });
  expect(engine.memslotAt(2 ** 33)).toBeUndefined();
  expect(engine.memslotAt(2)).toBe(low);
  expect(low).toEqual({ slot: 1, asId: 0, flags: 0, baseGfn: 2, npages: 1, userspaceAddr: 2 * PAGE, arch: undefined });
});
