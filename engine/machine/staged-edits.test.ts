import { beforeEach, describe, expect, it, vi } from 'vitest';
import { HOST_BASE } from '../abi/layout';
import { MemFlag, MemslotEngine } from '../memory/index';
import { MachineError } from './api';
import { Backends } from './backends';
import { makeBackingRule } from './backing-rule';
import { HostMemory } from './host-memory';
import { StagedEdits } from './staged-edits';

const MIB = 0x100000;

let host: HostMemory;
let engine: MemslotEngine;
let set: StagedEdits;
let between: number[][];
let told: number;
/** Called between two ioctls: should the legacy commit continue? */
let goOn: () => boolean;

const bases = () => engine.memslots().map((slot) => [slot.slot, slot.baseGfn * 4096, slot.npages * 4096]);

beforeEach(() => {
  host = new HostMemory();
  engine = new MemslotEngine({ hostBase: HOST_BASE, hostSize: host.limit, backings: makeBackingRule(host) });
  between = [];
  told = 0;
  goOn = () => true;
  set = new StagedEdits({
    engine,
    host,
    backends: new Backends(host, engine, { changed: () => {}, editable: () => {} }),
    changed: () => told++,
    counted: () => [],
    moveRefusal: () => ({}),
    kept: () => [],
    carry: () => () => {},
    retries: () => 0,
    collect: () => {},
    runBetween: async () => {
      between.push(engine.memslots().map((slot) => slot.slot));
      return goOn();
    },
  });
  engine.changeUserMemoryRegions(
    [0, 1, 2].map((slot) => ({ slot, guestPhysAddr: slot * MIB, memorySize: MIB, userspaceAddr: host.allocate(MIB, `mem${slot}`) })),
  );
});

const exchange = () => {
  set.begin();
  set.stage({ op: 'move', slot: 0, gpa: 2 * MIB });
  set.stage({ op: 'move', slot: 2, gpa: 0 });
};

describe('staging', () => {
  it('allocates zeroed host memory for an added slot without an hva when it is staged', () => {
    const before = host.inUse;
    set.begin();
    set.stage({ op: 'add', slot: 9, gpa: 8 * MIB, size: MIB, flags: 0 });
    const edit = set.entries[0]!.edit as { hva: number };
    expect([host.inUse - before, host.rangeAt(edit.hva)]).toMatchObject([MIB, { start: edit.hva, size: MIB, label: 'bare.9' }]);
    expect(() => set.stage({ op: 'add', slot: 9, gpa: 16 * MIB, size: MIB, flags: 0 })).toThrow('memslot 9 already has an operation');
    expect(host.inUse - before).toBe(MIB);
    set.stage({ op: 'add', slot: 10, gpa: 16 * MIB, size: MIB, hva: edit.hva, flags: 0 });
    expect(host.inUse - before).toBe(MIB);
  });

  it('commits everything at once: two slots exchange their places', async () => {
    exchange();
    expect(set.check().ok).toBe(true);
    expect(set.preview()!.map((region) => region.slot)).toEqual([2, 1, 0]);
    const before = engine.generation();
    const commit = await set.commit();
    expect(commit).toMatchObject({ ok: true, swaps: 2 });
    expect(engine.generation()).toBe(before + 4);
    expect(bases()).toEqual([
      [2, 0, MIB],
      [1, MIB, MIB],
      [0, 2 * MIB, MIB],
    ]);
    expect(set.open).toBe(false);
    expect(between).toEqual([]);
    expect(told).toBe(4);
  });

  it('in legacy mode deletes first and creates then, with the guest running in the hole', async () => {
    exchange();
    const commit = await set.commit({ legacy: true });
    expect(commit.ok).toBe(true);
    expect(between).toEqual([[1, 2], [1], [2, 1].toSorted()].map((ids, index) => (index === 2 ? expect.arrayContaining([1]) : ids)));
    expect(bases().map(([slot]) => slot)).toEqual([2, 1, 0]);
    expect(
      engine
        .history(0)
        .slice(-4)
        .every((entry) => entry.legacy),
    ).toBe(true);
  });

  it('joins split, resize, flags, delete and add in one commit', async () => {
    set.begin();
    set.stage({ op: 'split', slot: 0, gpa: 0x40000, newSlot: 7 });
    set.stage({ op: 'resize', slot: 1, size: MIB / 2 });
    set.stage({ op: 'del', slot: 2 });
    set.stage({ op: 'add', slot: 8, gpa: 2 * MIB, size: MIB, hva: engine.memslotById(2)!.userspaceAddr, flags: MemFlag.ReadOnly });
    expect((await set.commit()).ok).toBe(true);
    expect(bases()).toEqual([
      [0, 0, 0x40000],
      [7, 0x40000, 0xc0000],
      [1, MIB, MIB / 2],
      [8, 2 * MIB, MIB],
    ]);
    set.begin();
    set.stage({ op: 'merge', slots: [7, 0] });
    set.stage({ op: 'flags', slot: 8, flags: 0 });
    expect((await set.commit()).ok).toBe(true);
    expect(bases()[0]).toEqual([7, 0, MIB]);
    expect(engine.memslotById(8)!.flags).toBe(0);
  });

  it('accepts one operation per memslot id', () => {
    set.begin();
    set.stage({ op: 'split', slot: 0, gpa: 0x40000, newSlot: 7 });
    expect(() => set.stage({ op: 'move', slot: 7, gpa: 0 })).toThrow('memslot 7 already has an operation in this change set');
    expect(() => set.stage({ op: 'merge', slots: [1, 1] })).toThrow('memslot 1 is named twice');
    set.drop(0);
    set.stage({ op: 'del', slot: 7 });
    expect(set.entries).toHaveLength(1);
    expect(() => set.drop(1)).toThrow('the change set has no entry 1: it has 1');
  });

  it('needs begin, and only one at a time', () => {
    expect(() => set.stage({ op: 'del', slot: 1 })).toThrow(MachineError);
    expect(() => set.abort()).toThrow(/no change set is open/);
    set.begin();
    expect(() => set.begin()).toThrow(/already open/);
    set.abort();
    expect(set.open).toBe(false);
  });
});

describe('refusals', () => {
  it('name the staged entry at fault, and change nothing', async () => {
    set.begin();
    set.stage({ op: 'split', slot: 1, gpa: MIB + 0x1000, newSlot: 9 });
    set.stage({ op: 'move', slot: 0, gpa: 2 * MIB });
    set.stage({ op: 'del', slot: 5 });
    const before = engine.generation();
    const commit = await set.commit();
    expect(commit).toMatchObject({
      ok: false,
      refusals: [
        { index: 1, errno: 'EEXIST', reason: expect.stringContaining('overlaps memslot 2') },
        { index: 2, errno: 'ENOENT', reason: 'memslot 5 does not exist' },
      ],
    });
    set.drop(2);
    const again = await set.commit();
    expect(again).toMatchObject({ ok: false, refusals: [{ index: 1, errno: 'EEXIST' }] });
    expect(set.entries.map((entry) => entry.refusals.length)).toEqual([0, 1]);
    expect(set.preview()).toBeUndefined();
    expect(engine.generation()).toBe(before);
    expect(set.open).toBe(true);
    set.stage({ op: 'del', slot: 2 });
    expect((await set.commit()).ok).toBe(true);
  });

  it.each([
    [
      'growing beyond the backing',
      { op: 'resize', slot: 2, size: 2 * MIB } as const,
      /memslot 2 of 0x200000 bytes goes beyond its backing 'mem2', which has 0x100000/,
    ],
    [
      'host memory without an owner',
      { op: 'add', slot: 9, gpa: 8 * MIB, size: MIB, hva: 0x20000000, flags: 0 } as const,
      /hva 0x20000000 is not host memory in use/,
    ],
    ['a slot that exists', { op: 'add', slot: 1, gpa: 8 * MIB, size: MIB, hva: HOST_BASE, flags: 0 } as const, /memslot 1 exists/],
  ])('%s', (_what, edit, reason) => {
    set.begin();
    set.stage(edit);
    const commit = set.check();
    expect(commit.ok).toBe(false);
    expect(commit.ok ? '' : commit.refusals[0]!.reason).toMatch(reason);
  });
});

describe('hundreds of slots', () => {
  it('map every page to its own slot after each of many random splits and merges', async () => {
    let state = 7;
    const random = (below: number) => {
      state = (Math.imul(state, 1103515245) + 12345) >>> 0;
      return Math.floor((state / 2 ** 32) * below);
    };
    const pages = engine.memslots().reduce((sum, slot) => sum + slot.npages, 0);
    const where = (gfn: number) => {
      const slot = engine.memslotAt(gfn);
      return slot && slot.userspaceAddr / 4096 + gfn - slot.baseGfn;
    };
    const backing = Array.from({ length: pages }, (_unused, gfn) => where(gfn));
    for (let round = 0; round < 1500; round++) {
      const slots = engine.memslots();
      const at = random(slots.length);
      const [slot, next] = [slots[at]!, slots[at + 1]];
      const joined = next && next.userspaceAddr === slot.userspaceAddr + slot.npages * 4096;
      set.begin();
      if (joined && random(8) === 0) set.stage({ op: 'merge', slots: [slot.slot, next.slot], span: true });
      else if (slot.npages > 1) {
        const gpa = (slot.baseGfn + 1 + random(slot.npages - 1)) * 4096;
        set.stage({ op: 'split', slot: slot.slot, gpa, newSlot: 1000 + round });
      }
      expect((await set.commit()).ok).toBe(true);
      // In this order no lookup profits from the slot of the previous one.
      for (let step = 0; step < 40; step++) {
        const gfn = random(pages);
        expect(where(gfn), `gfn ${gfn} after round ${round}`).toBe(backing[gfn]);
      }
    }
    expect(engine.slotCount(0)).toBeGreaterThan(200);
  });
});

describe('the dry run behind the entries', () => {
  it('is done again only when the set or the layout has changed', () => {
    const check = vi.spyOn(engine, 'check');
    set.begin();
    for (let id = 10; id < 3010; id++) set.stage({ op: 'add', slot: id, gpa: (id + 10) * MIB, size: 4096, hva: HOST_BASE, flags: 0 });
    expect(check).not.toHaveBeenCalled();
    expect(set.entries.filter((entry) => entry.refusals.length > 0)).toEqual([]);
    expect(set.entries).toHaveLength(3000);
    expect(check).toHaveBeenCalledTimes(1);
    engine.setUserMemoryRegion({ slot: 5000, guestPhysAddr: 20 * MIB, memorySize: 4096, userspaceAddr: HOST_BASE });
    expect(set.entries.filter((entry) => entry.refusals.length > 0).map(({ edit }) => edit)).toMatchObject([{ slot: 10 }]);
    set.drop(0);
    expect(set.entries.some((entry) => entry.refusals.length > 0)).toBe(false);
    set.stage({ op: 'add', slot: 10, gpa: 9000 * MIB, size: 4096, hva: HOST_BASE, flags: 0 });
    expect(check).toHaveBeenCalledTimes(3);
  });
});
