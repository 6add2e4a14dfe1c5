/** What the index inspector shows: the same slots in three forms, both sets through a stepped commit, and never more than can be drawn. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type IndexKind, type IndexSetView, type IndexStructure, type IndexView, type MemoryRegion, MemslotEngine } from './index';

const KINDS = ['array', 'rbtree', 'btree'] as const;
const P = 4096;
const at = (slot: number, gfn: number, pages = 4, flags = 0): MemoryRegion => ({
  slot,
  flags,
  guestPhysAddr: gfn * P,
  memorySize: pages * P,
  userspaceAddr: slot * 64 * P,
});

function engineOf(index: IndexKind, regions: readonly MemoryRegion[] = []): MemslotEngine {
  const engine = new MemslotEngine({ index });
  const commit = engine.changeUserMemoryRegions(regions);
  if (!commit.ok) throw new Error(commit.refusals[0]!.reason);
  return engine;
}

const look = (engine: MemslotEngine, gpa?: number): IndexView => engine.inspectIndexes(gpa)!;

/** Slot ids of a structure that is drawn whole, in gfn order. */
function slotsOf({ picture }: IndexStructure): (number | undefined)[] {
  const levels = Math.max(0, ...picture.nodes.map((node) => node.level));
  const leaves = picture.nodes.filter((node) => picture.nodes.length === 1 || node.cells.length === 1 || node.level === levels);
  return leaves
    .flatMap((node) => node.cells)
    .sort((a, b) => a.gfn - b.gfn)
    .map((cell) => cell.slot);
}

const cellsOf = (structure: IndexStructure) => structure.picture.nodes.flatMap((node) => node.cells);
const marked = (set: IndexSetView, mark: 'invalid' | 'differs') =>
  set.structures.map((structure) => cellsOf(structure).flatMap((cell) => (cell[mark] ? [cell.slot] : [])));

describe.each(KINDS)('machine with %s', (kind) => {
  it('shows the same slots in all three, after any change sets, and changes nothing by looking', () => {
    const entry = fc.record({ slot: fc.nat(11), gfn: fc.nat(60), pages: fc.nat(6), flags: fc.nat(3) });
    fc.assert(
      fc.property(
        fc.array(fc.array(entry, { minLength: 1, maxLength: 4 }), { maxLength: 12 }),
        fc.integer({ min: 0, max: 70 }),
        (sets, gfn) => {
          const engine = new MemslotEngine({ index: kind });
          for (const set of sets) {
            engine.changeUserMemoryRegions(set.map(({ slot, gfn: base, pages, flags }) => at(slot, base, pages, flags)));
            const before = [engine.layout(), engine.generation()];
            const { active, inactive, inUse } = look(engine, gfn * P);
            expect([engine.layout(), engine.generation()]).toEqual(before);
            engine.verify();
            expect(inUse).toBe(kind);
            expect(inactive.standing).toBe('same');
            const ids = engine.memslots().map(({ slot }) => slot);
            const found = engine.memslotAt(gfn)?.slot;
            for (const view of [active, inactive]) {
              expect(view).toMatchObject({ slots: ids.length, differs: 0, invalid: [] });
              expect(view.found?.slot).toBe(found);
              for (const structure of view.structures) {
                expect(slotsOf(structure)).toEqual(ids);
                const taken = cellsOf(structure).filter((cell) => cell.taken);
                if (found !== undefined) expect(taken.map((cell) => cell.slot)).toEqual([found]);
                if (ids.length > 0) expect(structure.lookup!.bytes).toBeGreaterThanOrEqual(8);
              }
            }
          }
        },
      ),
      { seed: Number(process.env.LAB_SEED ?? 20210205), numRuns: Number(process.env.LAB_SOAK_RUNS ?? 60) },
    );
  });

  it('a commit, step by step: old set, INVALID, the final set being built, published, brought up to date', () => {
    const before = [at(0, 0), at(1, 8), at(2, 16), at(3, 24), at(4, 32)];
    const engine = engineOf(kind, before);
    look(engine);
    // 1 and 3 exchange their places, 9 is new, 4 gets a flag.
    const run = engine.beginCommit({ call: 'delta', regions: [at(1, 24), at(3, 8), at(9, 40), at(4, 32, 4, 1)] });
    const seen: Record<
      string,
      { standing: string; active: unknown; inactive: unknown; invalid: unknown; differs: unknown; generation: number }
    > = {};
    while (run.phase !== 'done') {
      const next = run.phase;
      const { active, inactive } = look(engine, 8 * P);
      seen[next] = {
        standing: inactive.standing,
        active: active.structures.map(slotsOf),
        inactive: inactive.structures.map(slotsOf),
        invalid: marked(active, 'invalid'),
        differs: marked(inactive, 'differs'),
        generation: inactive.generation,
      };
      if (next === 'zap') expect(active.found).toEqual({ slot: 1, invalid: true });
      run.step();
    }
    const thrice = (slots: number[]) => [slots, slots, slots];
    const old = [0, 1, 2, 3, 4];
    const final = [0, 3, 2, 1, 4, 9];
    expect(seen.swap1).toMatchObject({ standing: 'same', active: thrice(old), inactive: thrice(old), invalid: thrice([]) });
    expect(seen.zap).toMatchObject({ standing: 'before', active: thrice(old), inactive: thrice(old), invalid: thrice([1, 3]) });
    expect(seen.swap2).toMatchObject({ standing: 'building', active: thrice(old), inactive: thrice(final), invalid: thrice([1, 3]) });
    expect(seen.swap2!.generation).toBe(engine.generation());
    expect(seen.swap2!.differs).toEqual(expect.arrayContaining([expect.arrayContaining([1, 3, 4, 9])]));
    expect(seen.hooks).toMatchObject({ standing: 'behind', active: thrice(final), inactive: thrice(old), invalid: thrice([]) });
    const { active, inactive } = look(engine);
    expect(inactive.standing).toBe('same');
    expect([...active.structures, ...inactive.structures].map(slotsOf)).toEqual([...thrice(final), ...thrice(final)]);
    engine.verify();
  });

  it('shows what a commit replaces, whatever room is left in the columns', () => {
    for (let count = 2; count < 24; count++) {
      const engine = engineOf(
        kind,
        Array.from({ length: count }, (_, slot) => at(slot, slot * 8)),
      );
      look(engine);
      const run = engine.beginCommit({ call: 'delta', regions: [at(0, 8), at(1, 0)] });
      for (let phase: string = run.phase; phase !== 'zap'; phase = run.phase) run.step();
      const invalid = marked(look(engine).active, 'invalid').map((slots) => slots.toSorted());
      expect(invalid, `${count} slots`).toEqual(Array(3).fill([0, 1]));
      for (let phase: string = run.phase; phase !== 'done'; phase = run.phase) run.step();
    }
  });

  it('thousands of slots: some dozens of cells around the lookup, and the number of those left out', () => {
    const count = 5000;
    const engine = engineOf(
      kind,
      Array.from({ length: count }, (_, slot) => at(slot, slot * 8)),
    );
    for (const slot of [0, 1, 127, 128, 2500, count - 1]) {
      const { active } = look(engine, (slot * 8 + 2) * P);
      expect(active.found).toEqual({ slot, invalid: false });
      for (const structure of active.structures) {
        const cells = cellsOf(structure);
        expect(cells.length).toBeLessThanOrEqual(80);
        expect(cells.filter((cell) => cell.taken).at(-1)?.slot).toBe(slot);
        const { picture, lookup, nodes } = structure;
        const visited = structure.index === 'array' ? cells.filter((cell) => cell.visit) : picture.nodes.filter((node) => node.visit);
        expect(visited.length).toBe(lookup!.visited);
        if (structure.index === 'rbtree') {
          const hidden = picture.nodes.reduce((sum, node) => sum + node.hidden[0] + node.hidden[1], 0);
          expect(picture.nodes.length + hidden).toBe(count);
          expect(picture.leftOut).toEqual({ slots: hidden, nodes: hidden });
        }
        if (structure.index === 'array') expect(cells.length + picture.leftOut.slots).toBe(count);
        if (structure.index === 'btree') expect(picture.nodes.length + picture.leftOut.nodes).toBe(nodes);
      }
    }
    // Without a lookup: the top of each, nothing visited.
    for (const { picture, lookup } of look(engine).active.structures) {
      expect(lookup).toBeUndefined();
      expect(picture.nodes.length).toBeGreaterThan(0);
      expect(picture.nodes.some((node) => node.visit || node.cells.some((cell) => cell.taken || cell.visit))).toBe(false);
    }
  });

  it('an empty address space, an address in a hole, an address space that is not there', () => {
    const engine = engineOf(kind);
    for (const { picture, height, lookup } of look(engine, 5 * P).active.structures) {
      expect({ nodes: picture.nodes, height, visited: lookup!.visited }).toEqual({ nodes: [], height: 0, visited: 0 });
    }
    engine.changeUserMemoryRegions([at(3, 16)]);
    const view = look(engine, 40 * P);
    expect(view.lookup).toEqual({ gpa: 40 * P, gfn: 40 });
    expect(view.active.found).toBeUndefined();
    expect(engine.inspectIndexes(0, 7)).toBeUndefined();
  });
});
