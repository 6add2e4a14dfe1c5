/** What the public lookups give: one frozen object per memslot, until the memslot changes. */
import { describe, expect, it } from 'vitest';
import { Random } from '../../test/support/random';
import { type Memslot, MemslotEngine } from './index';
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

describe.each(['array', 'rbtree', 'btree'] as const)('memslotAt, asked often, on index %s', (index) => {
  const START = 2 ** 33;
  const GFNS = 400;

  /** Compares each gfn of the range with the list of all slots. */
  function expectTheList(engine: MemslotEngine, when: string): void {
    const wanted = new Array<Memslot | undefined>(GFNS).fill(undefined);
    for (const slot of engine.memslots()) wanted.fill(slot, slot.baseGfn - START, slot.baseGfn - START + slot.npages);
    // More than once: each slot is looked up in the index first, and a cache may answer after that.
    for (let time = 0; time < 3; time++)
      for (const [i, slot] of wanted.entries()) {
        const found = engine.memslotAt(START + i);
        if (found !== slot) expect.fail(`${when}, gfn ${i}: slot ${found?.slot} instead of ${slot?.slot}`);
      }
  }

  it('answers as the list of slots does, in every phase of random changes', () => {
    const seed = Number(process.env.LAB_SEED ?? 20261130);
    const random = new Random(seed);
    const engine = new MemslotEngine({ index });
    for (let step = 0; step < 200; step++) {
      const npages = random.below(4) === 0 ? 0 : 1 + random.below(random.below(8) === 0 ? 100 : 8);
      const guestPhysAddr = (START + random.below(GFNS - 100)) * PAGE;
      const changed = { slot: random.below(60), flags: random.below(2), guestPhysAddr, memorySize: npages * PAGE, userspaceAddr: PAGE };
      const run = engine.beginCommit({ call: 'region', region: changed });
      while (run.phase !== 'done') {
        run.step();
        if (run.result?.ok !== false) expectTheList(engine, `seed ${seed}, step ${step}, before ${run.phase}`);
      }
    }
    expect(engine.slotCount()).toBeGreaterThan(10);
    engine.verify();
  });

  it('finds slots far apart and of very different sizes', () => {
    const engine = new MemslotEngine({ index });
    const create = (slot: number, gfn: number, npages: number): void => {
      const made = engine.setUserMemoryRegion({ slot, guestPhysAddr: gfn * PAGE, memorySize: npages * PAGE, userspaceAddr: 0 });
      expect(made.ok).toBe(true);
    };
    for (let slot = 0; slot < 200; slot++) create(slot, 3 + slot * 5, 5);
    create(200, 2 ** 30, 2 ** 31 - 1);
    create(201, 2 ** 33 + 7, 1);
    for (let time = 0; time < 5; time++)
      for (const { slot, baseGfn, npages } of engine.memslots())
        for (const gfn of [baseGfn, baseGfn + npages - 1]) expect(engine.memslotAt(gfn)!.slot).toBe(slot);
    engine.setUserMemoryRegion({ slot: 200, guestPhysAddr: 0, memorySize: 0, userspaceAddr: 0 });
    for (const gfn of [2 ** 30, 2 ** 30 + 1000, 2 ** 31, 3 * 2 ** 30 - 2]) expect(engine.memslotAt(gfn)).toBeUndefined();
    for (const nothing of [-1, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 33]) expect(engine.memslotAt(nothing)).toBeUndefined();
  });
});
