/** A reader at any point of a commit sees the old layout, the new one or "try again", never a mixture or a hole. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { PAGE_INVALID } from '../../engine/abi/exits';
import { type GfnCache, type MemoryRegion, MemslotEngine } from '../../engine/memory/index';
import { draft, drafts, GFNS, onEachIndex, parameters, RUNS, requestFor } from './arbitraries';
import { applyDelta, emptyLayout, type Layout, P, pagesOf } from './model';

const END = GFNS + 10;

/** Page words of all gfns of both address spaces as a vCPU sees them: from its TLB, otherwise by lookup. */
function view(cache: GfnCache, tlb: ReadonlyMap<number, number>): number[] {
  const words: number[] = [];
  for (const asId of [0, 1]) for (let gfn = 0; gfn < END; gfn++) words.push(tlb.get(asId * 1000 + gfn) ?? cache.lookupPage(gfn, asId) & ~4);
  return words;
}

const agrees = (seen: readonly number[], whole: readonly number[]): boolean =>
  seen.every((word, i) => word === PAGE_INVALID || word === whole[i]);

function layoutOf(regions: readonly MemoryRegion[], index: 'array' | 'rbtree' | 'btree'): MemslotEngine {
  const engine = new MemslotEngine({ index });
  expect(engine.changeUserMemoryRegions(regions).ok).toBe(true);
  return engine;
}

function start(list: readonly Parameters<typeof requestFor>[1][number][]): Layout {
  let layout = emptyLayout();
  for (const item of list) layout = applyDelta(layout, requestFor(layout, [item])) ?? layout;
  return layout;
}

onEachIndex((index) => {
  it('sees one layout or tries again, between all phases and inside all events', () => {
    fc.assert(
      fc.property(
        fc.array(draft, { minLength: 4, maxLength: 14 }),
        drafts,
        fc.array(fc.nat(1999), { maxLength: 60 }),
        (seedSlots, list, cached) => {
          const layout = start(seedSlots);
          const request = requestFor(layout, list);
          const regions = [...layout.slots.values()];
          const target = layoutOf(regions, index);
          const commit = target.changeUserMemoryRegions(request);
          const engine = layoutOf(regions, index);
          const cache = engine.createCache();
          const tlb = new Map<number, number>();
          const old = view(cache, tlb);
          const next = view(target.createCache(), tlb);
          for (const key of cached) {
            const word = cache.lookupPage(key % 1000, Math.floor(key / 1000)) & ~4;
            if (word) tlb.set(key, word);
          }
          let published = false;
          const look = (): void => {
            const seen = view(cache, tlb);
            expect(agrees(seen, published ? next : old)).toBe(true);
          };
          engine.subscribe((event) => {
            if (event.type === 'zap')
              for (const { asId, start: first, end } of event.ranges) for (let gfn = first; gfn < end; gfn++) tlb.delete(asId * 1000 + gfn);
            if (event.type === 'publish' && event.swap === event.of) published = true;
            look();
          });
          const run = engine.beginCommit({ call: 'delta', regions: request });
          look();
          while (run.phase !== 'done') {
            run.step();
            look();
          }
          expect(run.result).toEqual(commit);
          if (commit.ok && commit.swaps > 0) expect(view(cache, tlb)).toEqual(next);
          engine.verify();
        },
      ),
      parameters(RUNS * 6),
    );
  });

  it('a run that is aborted before its first swap leaves nothing behind', () => {
    fc.assert(
      fc.property(fc.array(draft, { minLength: 4, maxLength: 14 }), drafts, fc.nat(3), (seedSlots, list, steps) => {
        const layout = start(seedSlots);
        const engine = layoutOf([...layout.slots.values()], index);
        const before = [engine.memslots(0), engine.memslots(1), engine.generation(0), engine.generation(1)];
        const run = engine.beginCommit({ call: 'delta', regions: requestFor(layout, list) });
        for (let i = 0; i < steps && run.phase !== 'swap1' && run.phase !== 'swap2' && run.phase !== 'done'; i++) run.step();
        const could = run.abort();
        expect(could || run.result !== undefined).toBe(true);
        expect([engine.memslots(0), engine.memslots(1), engine.generation(0), engine.generation(1)]).toEqual(before);
        engine.verify();
      }),
      parameters(RUNS * 2),
    );
  });

  it('a plan that waited while another commit came first is stale', () => {
    const engine = layoutOf([{ slot: 0, guestPhysAddr: 0, memorySize: P, userspaceAddr: 0 }], index);
    const run = engine.beginCommit({ call: 'delta', regions: [{ slot: 0, guestPhysAddr: P, memorySize: P, userspaceAddr: 0 }] });
    run.step();
    run.step();
    expect(run.phase).toBe('swap1');
    expect(engine.setUserMemoryRegion({ slot: 1, guestPhysAddr: P, memorySize: P, userspaceAddr: 0 }).ok).toBe(true);
    expect(run.run()).toMatchObject({ ok: false, refusals: [{ errno: 'ESTALE' }] });
    expect(pagesIn(engine)).toEqual([0, 1]);
    engine.verify();
  });

  it('between its swaps a run excludes other commits and cannot be aborted', () => {
    const engine = layoutOf([{ slot: 0, guestPhysAddr: 0, memorySize: P, userspaceAddr: 0 }], index);
    const run = engine.beginCommit({ call: 'delta', regions: [{ slot: 0, guestPhysAddr: 0, memorySize: 0, userspaceAddr: 0 }] });
    const phases = [];
    while (run.phase !== 'done') {
      phases.push(run.phase);
      const next = run.step();
      if (next === 'done' || next === 'prepare' || next === 'swap1') continue;
      expect(run.abort()).toBe(false);
      const other = engine.setUserMemoryRegion({ slot: 1, guestPhysAddr: P, memorySize: P, userspaceAddr: 0 });
      expect(other).toMatchObject({ ok: false, refusals: [{ errno: 'ESTALE' }] });
    }
    expect(phases).toEqual(['validate', 'prepare', 'swap1', 'zap', 'swap2', 'hooks', 'free']);
    expect(run.result?.ok).toBe(true);
    engine.verify();
  });
});

const pagesIn = (engine: MemslotEngine): number[] => [
  ...pagesOf({ slots: new Map(engine.layout().map((r) => [r.slot, r])), dirty: new Map() }, 0).keys(),
];
