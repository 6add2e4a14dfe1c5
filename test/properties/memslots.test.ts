/** Compares the engine with the naive model, and checks laws that every change set must obey. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { PAGE_CLEAN, PAGE_PRESENT, PAGE_READONLY } from '../../engine/abi/exits';
import { ChangeSet, MANUAL_PROTECT, type MemoryRegion, MemslotEngine } from '../../engine/memory/index';
import { type Draft, draft, drafts, GFNS, INDEXES, onEachIndex, parameters, RUNS, requestFor, sequence } from './arbitraries';
import { applyDelta, applySingle, emptyLayout, type Layout, markDirty, P, pagesOf, regionsOf } from './model';

type Kind = (typeof INDEXES)[number];

function engineOf(index: Kind, regions: readonly MemoryRegion[] = []): MemslotEngine {
  const engine = new MemslotEngine({ index });
  engine.dirtyLog.setManualProtect(MANUAL_PROTECT); // reading a log must not change it
  expect(engine.changeUserMemoryRegions(regions).ok).toBe(true);
  return engine;
}

/** The visible state of one address space, one line per fact; strings, since a soak compares millions of them. */
function seenBy(engine: MemslotEngine, layout: Layout, asId: number): string {
  const lines = [JSON.stringify(engine.layout(asId))];
  for (let gfn = 0; gfn < GFNS + 12; gfn++) lines.push(`${gfn}: ${engine.gpaToHva(gfn * P, asId)} ${engine.memslotAt(gfn, asId)?.slot}`);
  for (const region of regionsOf(layout, asId)) {
    const log = engine.getDirtyLog(region.slot, asId);
    lines.push(`dirty ${region.slot}: ${log.ok ? bitsOf(log.bitmap) : log.errno}`);
    const sharing = engine.memslotsByHva(region.userspaceAddr, region.userspaceAddr + region.memorySize, asId);
    lines.push(`sharing ${region.slot}: ${sharing.map((slot) => slot.slot).sort()}`);
  }
  return lines.join('\n');
}

function expectedOf(layout: Layout, asId: number): string {
  const regions = regionsOf(layout, asId);
  const pages = pagesOf(layout, asId);
  const lines = [JSON.stringify(regions)];
  for (let gfn = 0; gfn < GFNS + 12; gfn++) {
    const page = pages.get(gfn);
    lines.push(`${gfn}: ${page?.hva ?? -1} ${page && page.key % 1000}`);
  }
  for (const region of regions) {
    const dirty = layout.dirty.get(asId * 1000 + region.slot);
    lines.push(`dirty ${region.slot}: ${dirty ? [...dirty].sort((a, b) => a - b) : 'ENOENT'}`);
    const sharing = regions.filter((other) => hvaOverlap(region, other)).map((other) => other.slot);
    lines.push(`sharing ${region.slot}: ${sharing.sort()}`);
  }
  return lines.join('\n');
}

function expectSame(engine: MemslotEngine, layout: Layout): void {
  for (const asId of [0, 1]) expect(seenBy(engine, layout, asId)).toBe(expectedOf(layout, asId));
  engine.verify();
}

function bitsOf(bitmap: Uint8Array): number[] {
  const bits: number[] = [];
  for (let i = 0; i < bitmap.length * 8; i++) if ((bitmap[i >> 3]! >> (i & 7)) & 1) bits.push(i);
  return bits;
}

const hvaOverlap = (a: MemoryRegion, b: MemoryRegion): boolean =>
  a.userspaceAddr < b.userspaceAddr + b.memorySize && b.userspaceAddr < a.userspaceAddr + a.memorySize;

/** A legal layout grown from drafts. */
function layoutOf(list: readonly Draft[]): Layout {
  let layout = emptyLayout();
  for (const item of list) layout = applyDelta(layout, requestFor(layout, [item])) ?? layout;
  return layout;
}

onEachIndex((index) => {
  it('does what the naive model does, to layout, dirty bits and lookups', () => {
    fc.assert(
      fc.property(sequence, (steps) => {
        const engine = engineOf(index);
        const cache = engine.createCache();
        let layout = emptyLayout();
        for (const step of steps) {
          const request = requestFor(layout, step.drafts);
          const single = step.single === 0;
          const next = single ? applySingle(layout, request[0]!) : applyDelta(layout, request);
          const commit = single ? engine.setUserMemoryRegion(request[0]!) : engine.changeUserMemoryRegions(request);
          expect(commit.ok).toBe(next !== undefined);
          expect(commit.ok && commit.swaps > 2).toBe(false);
          layout = next ?? layout;
          for (const gfn of step.writes) {
            cache.markDirty(gfn, gfn % 2);
            markDirty(layout, gfn % 2, gfn);
          }
          expectSame(engine, layout);
        }
      }),
      parameters(RUNS),
    );
  });

  it('no translation outlives the page it is for, and no unlogged write goes unseen', () => {
    fc.assert(
      fc.property(sequence, (steps) => {
        const engine = engineOf(index);
        const tlb = new SoftTlb(engine);
        let layout = emptyLayout();
        for (const step of steps) {
          for (const asId of [0, 1]) for (let gfn = 0; gfn < GFNS + 10; gfn++) tlb.fill(gfn, asId, step.writes.includes(gfn));
          const request = requestFor(layout, step.drafts);
          if (engine.changeUserMemoryRegions(request).ok) layout = applyDelta(layout, request)!;
          tlb.expectRight();
        }
      }),
      parameters(RUNS / 2),
    );
  });

  it('entry order does not matter', () => {
    fc.assert(
      fc.property(fc.array(draft, { maxLength: 12 }), drafts, fc.nat(), (seedSlots, list, turn) => {
        const start = layoutOf(seedSlots);
        const request = requestFor(start, list);
        const shuffled = request.map((entry, i) => ({ entry, at: (i * 7919 + turn) % 1009 }));
        const order = shuffled.sort((a, b) => a.at - b.at).map(({ entry }) => entry);
        const [a, b] = [engineOf(index, [...start.slots.values()]), engineOf(index, [...start.slots.values()])];
        const [left, right] = [a.changeUserMemoryRegions(request), b.changeUserMemoryRegions(order)];
        expect(right.ok).toBe(left.ok);
        for (const asId of [0, 1]) expect(b.layout(asId)).toEqual(a.layout(asId));
        expect([b.generation(0), b.generation(1)]).toEqual([a.generation(0), a.generation(1)]);
        if (left.ok && right.ok) {
          const ranges = (zapped: typeof left.zapped) => zapped.map((r) => `${r.asId} ${r.start} ${r.end}`).sort();
          expect(ranges(right.zapped)).toEqual(ranges(left.zapped));
        } else if (!left.ok && !right.ok) {
          const entries = (refusals: typeof left.refusals, of: MemoryRegion[]) =>
            refusals.map((r) => `${r.errno} ${of[r.index]?.slot} ${of[r.index]?.asId}`).sort();
          expect(entries(right.refusals, order)).toEqual(entries(left.refusals, request));
        }
      }),
      parameters(RUNS * 4),
    );
  });

  it('delta, whole set and legacy calls lead to the same layout', () => {
    fc.assert(
      fc.property(fc.array(draft, { maxLength: 12 }), drafts, (seedSlots, list) => {
        const start = layoutOf(seedSlots.map((item) => ({ ...item, region: { ...item.region, asId: 0 } })));
        const request = requestFor(
          start,
          list.map((item) => ({ ...item, region: { ...item.region, asId: 0 } })),
        );
        const regions = [...start.slots.values()];
        const [delta, whole, legacy] = [engineOf(index, regions), engineOf(index, regions), engineOf(index, regions)];
        const calls = legacy.legacyPlan({ call: 'delta', regions: request });
        const commit = delta.changeUserMemoryRegions(request);
        expect(calls.ok).toBe(commit.ok);
        if (!commit.ok || !calls.ok) return;
        expect(whole.setUserMemoryRegions(delta.layout().toReversed()).ok).toBe(true);
        for (const call of calls.regions) expect(legacy.setUserMemoryRegion(call, { legacy: true })).toMatchObject({ ok: true });
        expect(whole.layout()).toEqual(delta.layout());
        expect(legacy.layout()).toEqual(delta.layout());
        expect(whole.generation()).toBe(delta.generation());
      }),
      parameters(RUNS * 4),
    );
  });

  it('invert restores the layout, compose equals doing both, undo and redo agree with them', () => {
    fc.assert(
      fc.property(fc.array(draft, { maxLength: 12 }), drafts, drafts, (seedSlots, first, second) => {
        const start = layoutOf(seedSlots);
        const engine = engineOf(index, [...start.slots.values()]);
        const all = () => [...engine.layout(0), ...engine.layout(1)].sort((a, b) => a.asId! * 1000 + a.slot - b.asId! * 1000 - b.slot);
        const steps = [all()];
        const sets: ChangeSet[] = [];
        for (const list of [first, second]) {
          const before = applyTo(steps.at(-1)!);
          const commit = engine.changeUserMemoryRegions(requestFor(before, list));
          if (!commit.ok) continue;
          steps.push(all());
          sets.push(ChangeSet.ofChanges(commit.changes));
          expect(sets.at(-1)!.diffs).toEqual(ChangeSet.of(steps.at(-2)!, steps.at(-1)!).diffs);
          expect(sets.at(-1)!.apply(steps.at(-2)!)).toEqual(steps.at(-1));
          expect(sets.at(-1)!.invert().apply(steps.at(-1)!)).toEqual(steps.at(-2));
        }
        const both = sets.reduce((sum, set) => sum.compose(set), ChangeSet.of([], []));
        expect(both.apply(steps[0]!)).toEqual(steps.at(-1));
        expect(engine.apply(both.invert()).ok).toBe(true);
        expect(all()).toEqual(steps[0]);
        expect(engine.apply(both).ok).toBe(true);
        expect(all()).toEqual(steps.at(-1));
        engine.verify();
      }),
      parameters(RUNS * 4),
    );
  });
});

it('the three indexes always agree', () => {
  fc.assert(
    fc.property(sequence, (steps) => {
      const engines = INDEXES.map((index) => engineOf(index));
      let layout = emptyLayout();
      for (const step of steps) {
        const request = requestFor(layout, step.drafts);
        const [a, b, c] = engines.map((engine) => engine.changeUserMemoryRegions(request));
        expect(b).toEqual(a);
        expect(c).toEqual(a);
        layout = applyDelta(layout, request) ?? layout;
        const [x, y, z] = engines.map((engine) => [engine.memslots(0), engine.memslots(1)]);
        expect(y).toEqual(x);
        expect(z).toEqual(x);
      }
    }),
    parameters(RUNS),
  );
});

const applyTo = (regions: readonly MemoryRegion[]): Layout => ({
  slots: new Map(regions.map((region) => [(region.asId ?? 0) * 1000 + region.slot, region])),
  dirty: new Map(),
});

/** What the core's TLB does with the engine's events, page by page. */
class SoftTlb {
  private readonly words = new Map<number, number>();
  private readonly writable = new Set<number>();
  private readonly cache;

  constructor(engine: MemslotEngine) {
    this.cache = engine.createCache();
    engine.subscribe((event) => {
      if (event.type !== 'zap' && event.type !== 'protect') return;
      for (const { asId, start, end } of event.ranges)
        for (let gfn = start; gfn < end; gfn++) {
          if (event.type === 'zap') this.words.delete(asId * 1000 + gfn);
          this.writable.delete(asId * 1000 + gfn);
        }
    });
  }

  fill(gfn: number, asId: number, write: boolean): void {
    const key = asId * 1000 + gfn;
    const word = this.cache.lookupPage(gfn, asId);
    if (!word) return;
    this.words.set(key, word - (word % 4096) + (word & (PAGE_PRESENT | PAGE_READONLY)));
    if (word & PAGE_READONLY) return;
    if (write) this.cache.markDirty(gfn, asId);
    if (write || !(word & PAGE_CLEAN)) this.writable.add(key);
  }

  /** Every entry equals a fresh lookup, and a writable one belongs to a page whose next write need not be recorded. */
  expectRight(): void {
    const wrong: string[] = [];
    for (const [key, word] of this.words) {
      const fresh = this.cache.lookupPage(key % 1000, Math.floor(key / 1000));
      if (word !== fresh - (fresh & PAGE_CLEAN)) wrong.push(`${key}: has ${word}, should be ${fresh}`);
      else if (this.writable.has(key) && fresh & PAGE_CLEAN) wrong.push(`${key}: may be written unseen`);
    }
    expect(wrong).toEqual([]);
  }
}
