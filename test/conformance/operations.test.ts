/** O and G: the effect of each change, and its cost in swaps and generations. */
import { expect, it } from 'vitest';
import { accepted, gone, harvest, LOG, MAX, onEachIndex, P, region, stateOf } from './support';

const N = 2;

onEachIndex('O: operations', (make) => {
  it('O1 the same arguments twice cost nothing', () => {
    const engine = make();
    accepted(engine.setUserMemoryRegion(region(0, LOG, 0, P, 0)));
    const slot = engine.memslotById(0);
    const before = stateOf(engine);
    const again = accepted(engine.setUserMemoryRegion(region(0, LOG, 0, P, 0)));
    expect(again).toEqual({ ok: true, generation: N, swaps: 0, changes: [], zapped: [] });
    expect(engine.memslotById(0)).toBe(slot);
    expect(stateOf(engine)).toEqual(before);
  });

  it('O2 flags-only: one swap, nothing zapped', () => {
    const engine = make();
    accepted(engine.setUserMemoryRegion(region(0, 0, 0, P, 0)));
    const commit = accepted(engine.setUserMemoryRegion(region(0, LOG, 0, P, 0)));
    expect([commit.generation, commit.swaps, commit.changes[0]?.kind, commit.zapped]).toEqual([2 * N, 1, 'flags-only', []]);
    expect(engine.memslotById(0)?.flags).toBe(LOG);
  });

  it('O3 create: one swap', () => {
    const engine = make();
    const commit = accepted(engine.setUserMemoryRegion(region(7, 0, 8 * P, 2 * P, 4 * P)));
    expect([commit.generation, commit.swaps, engine.generation()]).toEqual([N, 1, N]);
    expect(commit.changes).toEqual([{ kind: 'create', next: engine.memslotById(7) }]);
    expect(engine.memslotById(7)).toEqual({ slot: 7, asId: 0, flags: 0, baseGfn: 8, npages: 2, userspaceAddr: 4 * P, arch: undefined });
  });

  it('O4 delete: two swaps, its range zapped', () => {
    const engine = make();
    accepted(engine.setUserMemoryRegion(region(0, 0, 8 * P, 2 * P, 0)));
    const commit = accepted(engine.setUserMemoryRegion(gone(0)));
    expect([commit.generation, commit.swaps]).toEqual([N + 2 * N, 2]);
    expect(commit.zapped).toEqual([{ asId: 0, start: 8, end: 10 }]);
    expect(engine.memslots()).toEqual([]);
  });

  it('O5 move: two swaps, its old range zapped', () => {
    const engine = make();
    accepted(engine.setUserMemoryRegion(region(0, 0, 8 * P, 2 * P, 0)));
    const commit = accepted(engine.setUserMemoryRegion(region(0, 0, 20 * P, 2 * P, 0)));
    expect([commit.generation, commit.swaps, commit.changes[0]?.kind]).toEqual([N + 2 * N, 2, 'move']);
    expect(commit.zapped).toEqual([{ asId: 0, start: 8, end: 10 }]);
    expect([engine.gpaToHva(8 * P), engine.gpaToHva(20 * P)]).toEqual([-1, 0]);
  });

  it('O6 a move may switch dirty logging in the same call', () => {
    const engine = make();
    accepted(engine.setUserMemoryRegion(region(0, 0, 0, P, 0)));
    accepted(engine.setUserMemoryRegion(region(0, LOG, P, P, 0)));
    engine.markDirty(1);
    expect(harvest(engine, 0)).toEqual([0]);
  });

  it('O7 two slots may share their backing; the hva lookup returns both', () => {
    const engine = make();
    accepted(engine.setUserMemoryRegion(region(0, 0, 0, 4 * P, 64 * P)));
    accepted(engine.setUserMemoryRegion(region(1, 0, 16 * P, 4 * P, 64 * P)));
    accepted(engine.setUserMemoryRegion(region(2, 0, 32 * P, 4 * P, 66 * P)));
    const ids = (start: number, end: number) => engine.memslotsByHva(start, end).map((slot) => slot.slot);
    expect(ids(64 * P, 65 * P)).toEqual([0, 1]);
    expect(ids(67 * P, 67 * P + 1)).toEqual([0, 1, 2]);
    expect(ids(68 * P, 70 * P)).toEqual([2]);
    expect(ids(70 * P, 99 * P)).toEqual([]);
  });

  it('O8 all ids, delete all, all again', () => {
    const engine = make();
    for (let round = 0; round < 2; round++) {
      for (let id = 0; id < MAX; id++) accepted(engine.setUserMemoryRegion(region(id, 0, id * P, P, 0)));
      expect(engine.slotCount()).toBe(MAX);
      for (const id of [0, 1, 16381, MAX - 1]) expect(engine.memslotAt(id)?.slot).toBe(id);
      for (let id = 0; id < MAX; id++) accepted(engine.setUserMemoryRegion(gone(id)));
      expect(engine.memslots()).toEqual([]);
    }
    engine.verify();
  });

  it('O9 sparse ids', () => {
    const engine = make();
    accepted(engine.setUserMemoryRegion(region(MAX - 1, 0, 0, P, 0)));
    accepted(engine.setUserMemoryRegion(region(0, 0, P, P, 0)));
    expect(engine.memslots().map((slot) => slot.slot)).toEqual([MAX - 1, 0]);
    expect(engine.memslotById(5)).toBeUndefined();
  });
});

onEachIndex('G: generations', (make) => {
  it('G1 they start at the address space, and stay even or odd', () => {
    const engine = make();
    expect([engine.generation(0), engine.generation(1)]).toEqual([0, 1]);
    accepted(engine.setUserMemoryRegion(region(0, 0, 0, P, 0, 0)));
    accepted(engine.setUserMemoryRegion(region(0, 0, 0, P, 0, 1)));
    accepted(engine.setUserMemoryRegion(gone(0, 1)));
    expect([engine.generation(0), engine.generation(1)]).toEqual([2, 7]);
  });

  it('G2 in progress from a publish to the end of its grace period, and never after', () => {
    const engine = make();
    accepted(engine.setUserMemoryRegion(region(0, 0, 0, P, 0)));
    const seen: unknown[] = [];
    engine.subscribe((event) => {
      seen.push([event.type, engine.generationInProgress(), engine.generation()]);
    });
    accepted(engine.setUserMemoryRegion(gone(0)));
    expect(seen).toEqual([
      ['publish', true, 2],
      ['zap', false, 4],
      ['publish', true, 4],
      ['commit', false, 6],
    ]);
    expect(engine.generationInProgress()).toBe(false);
  });

  it('G3 a refused request leaves the generation', () => {
    const engine = make();
    accepted(engine.setUserMemoryRegion(region(0, 0, 0, P, 0)));
    expect(engine.setUserMemoryRegion(region(1, 0, 0, P, 0)).ok).toBe(false);
    expect(engine.generation()).toBe(N);
  });

  it('G4 a failing prepare costs nothing: it runs before anything is published (KVM: two swaps and a rollback)', () => {
    let fail = false;
    const prepare = (): unknown => {
      if (fail) throw new Error('no memory for rmap');
      return {};
    };
    const engine = make({ arch: { prepare } });
    accepted(engine.setUserMemoryRegion(region(0, 0, 0, P, 0)));
    const slot = engine.memslotById(0);
    const before = stateOf(engine);
    fail = true;
    const commit = engine.setUserMemoryRegion(region(0, 0, P, P, 0));
    expect(commit).toMatchObject({ ok: false, refusals: [{ index: 0, errno: 'ENOMEM', reason: expect.stringContaining('rmap') }] });
    expect(engine.memslotById(0)).toBe(slot);
    expect(stateOf(engine)).toEqual(before);
  });

  it('G5 one address space never changes the generation of another', () => {
    const engine = make({ addressSpaces: 4 });
    accepted(engine.setUserMemoryRegion(region(0, 0, 0, P, 0, 2)));
    expect([0, 1, 2, 3].map((asId) => engine.generation(asId))).toEqual([0, 1, 6, 3]);
  });
});
