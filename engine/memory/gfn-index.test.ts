/** The trees at sizes where they split, merge and rotate: thousands of slots, random order, against a sorted list. */
import { describe, expect, it } from 'vitest';
import { createIndex } from './create-index';
import { firstOverlap, type GfnIndex, type IndexKind } from './gfn-index';
import { HvaTree } from './hva-tree';
import { ORDER } from './index-btree';
import { RbTree } from './rbtree';
import { SlotTable } from './slot-table';

function random(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

class World {
  readonly table = new SlotTable(0);
  readonly index: GfnIndex;
  readonly hvas = new HvaTree(this.table);
  /** gfn / 4 -> record */
  readonly naive = new Map<number, number>();

  constructor(
    kind: IndexKind,
    private readonly pick: (below: number) => number,
  ) {
    this.index = createIndex(kind, this.table);
  }

  record(place: number): number {
    this.table.reserve(1);
    return this.table.allocate(place % 32768, place * 4, 1 + this.pick(4), this.pick(5000) * 4096, 0);
  }

  reserve(count: number): void {
    this.table.reserve(count);
    this.index.reserve(count);
    this.hvas.reserve();
  }

  check(): void {
    const places = [...this.naive.keys()].sort((a, b) => a - b);
    const records: number[] = [];
    this.index.collect(records);
    expect(records).toEqual(places.map((place) => this.naive.get(place)));
    expect(this.index.count).toBe(places.length);
    if (this.index instanceof RbTree) this.index.verify();
    this.hvas.verify();
    for (let i = 0; i < 200; i++) {
      const gfn = this.pick(40_000) - 5;
      const at = places.filter((place) => place * 4 <= gfn).at(-1);
      const below = at === undefined ? 0 : this.naive.get(at)!;
      const above = places.find((place) => place * 4 > gfn);
      expect(this.index.floor(gfn)).toBe(below);
      expect(this.index.above(gfn)).toBe(above === undefined ? 0 : this.naive.get(above));
      expect(this.index.find(gfn)).toBe(below && gfn < at! * 4 + this.table.pagesOf(below) ? below : 0);
    }
    this.checkHvas();
  }

  private checkHvas(): void {
    for (let i = 0; i < 20; i++) {
      const start = this.pick(5000) * 4096;
      const end = start + 1 + this.pick(20) * 4096;
      const found: number[] = [];
      this.hvas.overlapping(start, end, found);
      const { table } = this;
      const expected = [...this.naive.values()].filter((r) => table.hvaOf(r) < end && table.hvaOf(r) + table.pagesOf(r) * 4096 > start);
      expect(found.sort()).toEqual(expected.sort());
    }
  }
}

describe.each(['array', 'rbtree', 'btree'] as const)('%s', (kind) => {
  it.each([1, 2, 3])('random single inserts, removes and replaces (seed %i)', (seed) => {
    const pick = random(seed);
    const world = new World(kind, pick);
    for (let round = 0; round < 24; round++) {
      const growing = round % 8 < 4;
      for (let i = 0; i < 400; i++) {
        const place = pick(10_000);
        const old = world.naive.get(place);
        world.reserve(1);
        if (old === undefined) {
          if (!growing && pick(4) > 0) continue;
          const record = world.record(place);
          world.index.insert(record);
          world.hvas.insert(record);
          world.naive.set(place, record);
        } else if (pick(3) === 0) {
          const next = world.table.copy(old, 1);
          world.index.replace(old, next);
          world.hvas.replace(old, next);
          world.table.free(old);
          world.naive.set(place, next);
        }
      }
      const remove = [...world.naive].filter(() => pick(10) < (growing ? 1 : 6));
      for (const [place, record] of remove) {
        world.index.remove(record);
        world.hvas.remove(record);
        world.table.free(record);
        world.naive.delete(place);
      }
      world.check();
    }
  });

  it('batches', () => {
    const pick = random(7);
    const world = new World(kind, pick);
    for (let round = 0; round < 20; round++) {
      const removed = [...world.naive].filter(() => pick(3) === 0).sort((a, b) => a[0] - b[0]);
      const places = [...new Set(Array.from({ length: pick(3000) }, () => pick(10_000)))].sort((a, b) => a - b);
      world.reserve(places.length);
      for (const [place] of removed) world.naive.delete(place);
      const added = places.filter((place) => !world.naive.has(place)).map((place) => [place, world.record(place)] as const);
      world.reserve(added.length);
      const olds = removed.map(([, record]) => record);
      world.index.update(
        olds,
        added.map(([, record]) => record),
      );
      for (const record of olds) world.hvas.remove(record);
      for (const [place, record] of added) {
        world.hvas.insert(record);
        world.naive.set(place, record);
      }
      for (const record of olds) world.table.free(record);
      world.check();
    }
  });

  it('ascending, descending and inside-out inserts keep their order', () => {
    const orders = [
      Array.from({ length: 5000 }, (_, i) => i),
      Array.from({ length: 5000 }, (_, i) => 4999 - i),
      Array.from({ length: 5000 }, (_, i) => (i % 2 ? 2500 + (i >> 1) : 2499 - (i >> 1))),
    ];
    for (const order of orders) {
      const world = new World(kind, random(1));
      for (const place of order) {
        world.reserve(1);
        const record = world.record(place);
        world.index.insert(record);
        world.hvas.insert(record);
        world.naive.set(place, record);
      }
      world.check();
      expect(world.index.shape().fill).toBeGreaterThan(0.45);
    }
  });

  it('keys below an inner node that lost its first child survive a merge of inner nodes', () => {
    const world = new World(kind, random(5));
    const insert = (place: number) => {
      world.reserve(1);
      const record = world.record(place);
      world.index.insert(record);
      world.hvas.insert(record);
      world.naive.set(place, record);
    };
    const remove = (from: number, to: number) => {
      for (let place = from; place < to; place++) {
        const record = world.naive.get(place)!;
        world.index.remove(record);
        world.hvas.remove(record);
        world.naive.delete(place);
      }
    };
    const inner = ORDER * ORDER; // places below one inner node
    for (let place = 0; place < 2.3 * inner; place++) insert(place);
    remove(inner, inner + ORDER);
    insert(inner + 4);
    remove(2 * ORDER, inner - 6);
    remove(inner + 3 * ORDER, 2 * inner - 90);
    world.check();
    for (const place of [inner - 2, inner + 4, inner + ORDER + 10, 2 * inner - 90])
      expect(world.index.find(place * 4)).toBe(world.naive.get(place));
  });

  it('first overlap and the way of a lookup', () => {
    const world = new World(kind, () => 3);
    for (let place = 0; place < 500; place += 2) {
      world.reserve(1);
      world.index.insert(world.record(place));
    }
    const base = (record: number) => world.table.base[record];
    expect(base(firstOverlap(world.index, world.table, 8, 9))).toBe(8);
    expect(base(firstOverlap(world.index, world.table, 12, 17))).toBe(16);
    expect(firstOverlap(world.index, world.table, 12, 16)).toBe(0);
    const { steps } = world.index.trace(808);
    const last = steps.at(-1)!;
    expect(steps.length).toBeLessThanOrEqual(world.index.shape().height);
    if (kind === 'btree') expect(last.keys[last.taken]).toBe(808);
    expect(steps.some((step) => step.keys[step.taken] === 808)).toBe(true);
    expect(world.index.trace(-1).steps.at(-1)?.taken).toBe(-1);
  });
});
