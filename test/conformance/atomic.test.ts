/** Operations without a KVM ioctl: change sets, whole sets, resize, split, merge, history. The rules: docs/memslots.md. */
import { expect, it } from 'vitest';
import { PAGE_CLEAN, PAGE_PRESENT } from '../../engine/abi/exits';
import { type Change, ChangeSet, type CommitEvent, type MemslotArch, type MemslotEngine } from '../../engine/memory/index';
import { accepted, expectRefused, gone, harvest, LOG, onEachIndex, P, RO, region, stateOf } from './support';

const ids = (engine: MemslotEngine, asId = 0) => engine.memslots(asId).map((slot) => slot.slot);

onEachIndex('delta', (make) => {
  it('two slots exchange their addresses, in two swaps', () => {
    const engine = make();
    accepted(engine.changeUserMemoryRegions([region(0, 0, 0, 4 * P, 64 * P), region(1, 0, 8 * P, 4 * P, 96 * P)]));
    const commit = accepted(engine.changeUserMemoryRegions([region(0, 0, 8 * P, 4 * P, 64 * P), region(1, 0, 0, 4 * P, 96 * P)]));
    expect([commit.swaps, commit.generation]).toEqual([2, 6]);
    expect([engine.gpaToHva(0), engine.gpaToHva(8 * P)]).toEqual([96 * P, 64 * P]);
  });

  it('a hundred creates cost one swap, a hundred deletes two', () => {
    const engine = make();
    const regions = Array.from({ length: 100 }, (_, id) => region(id, 0, id * P, P, 0));
    expect(accepted(engine.changeUserMemoryRegions(regions)).swaps).toBe(1);
    expect(accepted(engine.changeUserMemoryRegions(regions.map(({ slot }) => gone(slot)))).swaps).toBe(2);
    expect(engine.generation()).toBe(6);
  });

  it('a slot may be created where one is deleted by the same request', () => {
    const engine = make();
    accepted(engine.setUserMemoryRegion(region(0, 0, 0, 8 * P, 64 * P)));
    accepted(engine.changeUserMemoryRegions([region(1, 0, 0, 4 * P, 32 * P), gone(0), region(2, 0, 4 * P, 4 * P, 16 * P)]));
    expect(ids(engine)).toEqual([1, 2]);
  });

  it('every entry at fault is named, and nothing is applied', () => {
    const engine = make();
    accepted(engine.setUserMemoryRegion(region(0, 0, 0, P, 0)));
    const before = stateOf(engine);
    const commit = engine.changeUserMemoryRegions([
      region(1, 0, P, P, 0),
      region(2, 0, 0, P, 0),
      region(3, 0, 8 * P, 2 * P, 0),
      region(4, 0, 9 * P, P, 0),
      region(5, 0, 16 * P, 1, 0),
      gone(6),
      region(7, 0, 20 * P, P, 0),
      region(7, 0, 21 * P, P, 0),
    ]);
    expect(commit.ok || commit.refusals.map(({ index, errno }) => `${index} ${errno}`)).toEqual([
      '1 EEXIST',
      '2 EEXIST',
      '3 EEXIST',
      '4 EINVAL',
      '5 EINVAL',
      '6 EINVAL',
      '7 EINVAL',
    ]);
    expect(stateOf(engine)).toEqual(before);
  });

  it('a range that encloses several others is reported for each of them', () => {
    const commit = make().check([0, 4, 8].map((gfn, i) => region(i, 0, gfn * P, gfn === 0 ? 16 * P : P, 0)));
    expect(commit.ok || commit.refusals.map(({ index, errno }) => `${index} ${errno}`)).toEqual(['0 EEXIST', '1 EEXIST', '2 EEXIST']);
  });

  it('one wrong entry does not make others wrong', () => {
    const engine = make();
    accepted(engine.setUserMemoryRegion(region(0, 0, 0, P, 0)));
    const commit = engine.changeUserMemoryRegions([{ ...gone(0), flags: 8 }, region(1, 0, 0, P, 0)]);
    expect(commit.ok || commit.refusals.map(({ index }) => index)).toEqual([0]);
  });

  it('size, hva and READONLY of a live slot may change: replace', () => {
    const engine = make();
    accepted(engine.setUserMemoryRegion(region(0, 0, 0, 4 * P, 64 * P)));
    for (const next of [
      region(0, 0, 0, 4 * P, 65 * P),
      region(0, 0, 0, 5 * P, 65 * P),
      region(0, RO, 0, 5 * P, 65 * P),
      region(0, LOG, P, 2 * P, 9 * P),
    ]) {
      expect(accepted(engine.changeUserMemoryRegions([next])).changes.map((change) => change.kind)).toEqual(['replace']);
      expect(engine.layout()).toEqual([next]);
    }
    engine.verify();
  });

  it('spans address spaces; each has its generation', () => {
    const engine = make();
    accepted(engine.setUserMemoryRegion(region(0, 0, 0, P, 0, 1)));
    const events: CommitEvent[] = [];
    engine.subscribe((event) => events.push(event));
    const commit = accepted(engine.changeUserMemoryRegions([region(0, 0, 0, P, 0, 0), gone(0, 1)]));
    expect([engine.generation(0), engine.generation(1), commit.swaps]).toEqual([2, 7, 2]);
    const shown = events.map((event) => (event.type === 'publish' ? `publish ${event.asId} ${event.swap}/${event.of}` : event.type));
    expect(shown).toEqual(['publish 1 1/2', 'zap', 'publish 0 1/1', 'publish 1 2/2', 'commit', 'commit']);
    expect(engine.history(0)).toHaveLength(1);
    expect(engine.history(1)).toHaveLength(2);
  });

  it('an empty request, and one that changes nothing, cost nothing', () => {
    const engine = make();
    accepted(engine.setUserMemoryRegion(region(0, 0, 0, P, 0)));
    const before = stateOf(engine);
    expect(accepted(engine.changeUserMemoryRegions([])).swaps).toBe(0);
    expect(accepted(engine.changeUserMemoryRegions([region(0, 0, 0, P, 0)])).generation).toBe(2);
    expect(stateOf(engine)).toEqual(before);
  });

  it('check says what would happen, and changes nothing', () => {
    const engine = make();
    accepted(engine.setUserMemoryRegion(region(0, 0, 0, P, 0)));
    const before = stateOf(engine);
    const request = [region(0, 0, P, P, 0), region(1, LOG, 0, P, 64 * P)];
    const foreseen = engine.check(request);
    expect(stateOf(engine)).toEqual(before);
    expect(engine.preview({ call: 'delta', regions: request })).toEqual([request[1], request[0]]);
    expect(engine.changeUserMemoryRegions(request)).toEqual(foreseen);
    expect(engine.check([gone(9)])).toMatchObject({ ok: false, refusals: [{ index: 0, errno: 'EINVAL' }] });
  });

  it('reports for each phase which slots are INVALID and how long it took; the time between two phases does not count', () => {
    let now = 0;
    const engine = make({ clock: () => (now += 10) });
    accepted(engine.changeUserMemoryRegions([region(3, 0, 0, P, 0), region(7, 0, P, P, P), region(8, 0, 2 * P, P, 2 * P)]));
    const run = engine.beginCommit({ call: 'delta', regions: [region(3, 0, P, P, 0), region(7, 0, 0, P, P)] });
    const seen: [string, number[]][] = [];
    while (run.phase !== 'done') {
      run.step();
      seen.push([run.phase, run.invalid.map(({ slot }) => slot).toSorted()]);
      now += 1000;
    }
    expect(seen).toEqual([
      ['prepare', []],
      ['swap1', []],
      ['zap', [3, 7]],
      ['swap2', [3, 7]],
      ['hooks', []],
      ['free', []],
      ['done', []],
    ]);
    expect(run.timings.map(({ phase, us }) => `${phase} ${us > 0 && us < 100}`)).toEqual(
      ['validate', 'prepare', 'swap1', 'zap', 'swap2', 'hooks', 'free'].map((phase) => `${phase} true`),
    );
    const { us } = accepted(run.result!);
    expect(us).toBeGreaterThanOrEqual(70);
    expect(us).toBeLessThan(1000);
    expect(accepted(make().changeUserMemoryRegions([region(0, 0, 0, P, 0)])).us).toBeUndefined();
  });

  it('keeps its zap mode while a commit is past its first swap', () => {
    const engine = make();
    accepted(engine.setUserMemoryRegion(region(0, 0, 0, P, 0)));
    const run = engine.beginCommit({ call: 'delta', regions: [region(0, 0, P, P, 0)] });
    while (run.phase !== 'zap') run.step();
    expect(() => {
      engine.zap = 'all';
    }).toThrow('between its phases');
    expect(engine.zap).toBe('slot');
    run.run();
    engine.zap = 'all';
    expect(engine.zap).toBe('all');
  });

  it('zap all drops every translation, and still names the ranges', () => {
    const engine = make({ zap: 'all' });
    accepted(engine.setUserMemoryRegion(region(0, 0, 0, P, 0)));
    const zaps: unknown[] = [];
    engine.subscribe((event) => event.type === 'zap' && zaps.push([event.mode, event.ranges]));
    accepted(engine.setUserMemoryRegion(region(0, 0, P, P, 0)));
    engine.zap = 'slot';
    accepted(engine.setUserMemoryRegion(gone(0)));
    expect(zaps).toEqual([
      ['all', [{ asId: 0, start: 0, end: 1 }]],
      ['slot', [{ asId: 0, start: 1, end: 2 }]],
    ]);
  });
});

onEachIndex('whole set', (make) => {
  it('deletes what it does not name and leaves alone what is right', () => {
    const engine = make();
    accepted(engine.changeUserMemoryRegions([region(0, LOG, 0, P, 0), region(1, 0, P, P, 0), region(2, 0, 2 * P, P, 0)]));
    const kept = engine.memslotById(0);
    engine.markDirty(0);
    const commit = accepted(engine.setUserMemoryRegions([region(5, 0, P, P, 64 * P), region(0, LOG, 0, P, 0)]));
    expect(commit.changes.map((change) => change.kind).sort()).toEqual(['create', 'delete', 'delete']);
    expect(ids(engine)).toEqual([0, 5]);
    expect(engine.memslotById(0)).toBe(kept);
    expect(harvest(engine, 0)).toEqual([0]);
  });

  it('belongs to one address space', () => {
    const engine = make();
    accepted(engine.setUserMemoryRegion(region(0, 0, 0, P, 0, 1)));
    accepted(engine.setUserMemoryRegions([{ slot: 3, guestPhysAddr: 0, memorySize: P, userspaceAddr: 0 }], 1));
    expect([ids(engine, 0), ids(engine, 1)]).toEqual([[], [3]]);
    expectRefused(engine, () => engine.setUserMemoryRegions([region(0, 0, 0, P, 0, 0)], 1), 'EINVAL');
    expectRefused(engine, () => engine.setUserMemoryRegions([gone(3, 1)], 1), 'EINVAL');
    expectRefused(engine, () => engine.setUserMemoryRegions([], 7), 'EINVAL', -1);
  });

  it('a large set costs only its differences, and an id twice is still refused', () => {
    const engine = make();
    const all = Array.from({ length: 700 }, (_, id) => region(id, 0, id * P, P, 0));
    accepted(engine.setUserMemoryRegions(all));
    const commit = accepted(engine.setUserMemoryRegions([...all.slice(1, 699), region(699, LOG, 699 * P, P, 0)]));
    expect(commit.changes.map(({ kind, old }) => `${kind} ${old?.slot}`).sort()).toEqual(['delete 0', 'flags-only 699']);
    expectRefused(engine, () => engine.setUserMemoryRegions([...all, region(350, 0, 9000 * P, P, 0)]), 'EINVAL', 700);
    engine.verify();
  });

  it('of no slot deletes all in two swaps', () => {
    const engine = make();
    accepted(engine.setUserMemoryRegions(Array.from({ length: 50 }, (_, id) => region(id, 0, id * 2 * P, P, 0))));
    expect(accepted(engine.setUserMemoryRegions([])).swaps).toBe(2);
    expect(engine.memslots()).toEqual([]);
    engine.verify();
  });
});

onEachIndex('resize, split, merge', (make) => {
  const withDirty = (engine: MemslotEngine) => {
    accepted(engine.setUserMemoryRegion(region(0, LOG, 16 * P, 16 * P, 64 * P)));
    for (const gfn of [16, 20, 24, 31]) engine.markDirty(gfn);
    return engine;
  };

  it('grow keeps the dirty bits and every translation: one swap, nothing zapped', () => {
    const engine = withDirty(make());
    const commit = accepted(engine.resizeMemslot(0, 32 * P));
    expect([commit.swaps, commit.zapped]).toEqual([1, []]);
    expect(harvest(engine, 0)).toEqual([0, 4, 8, 15]);
    expect(engine.memslotAt(47)?.npages).toBe(32);
  });

  it('shrink zaps only the tail', () => {
    const engine = withDirty(make());
    const commit = accepted(engine.resizeMemslot(0, 8 * P));
    expect([commit.swaps, commit.zapped]).toEqual([2, [{ asId: 0, start: 24, end: 32 }]]);
    expect(harvest(engine, 0)).toEqual([0, 4]);
  });

  it('split carries each page’s bit to the slot that has it now', () => {
    const engine = withDirty(make());
    const commit = accepted(engine.splitMemslot(0, 21 * P, 9));
    expect([commit.swaps, commit.zapped]).toEqual([1, []]);
    expect(engine.layout()).toEqual([region(0, LOG, 16 * P, 5 * P, 64 * P), region(9, LOG, 21 * P, 11 * P, 69 * P)]);
    expect([harvest(engine, 0), harvest(engine, 9)]).toEqual([
      [0, 4],
      [3, 10],
    ]);
  });

  it('a dry run predicts the commit', () => {
    const engine = withDirty(make());
    for (const request of [
      { call: 'split', slot: 0, atGpa: 21 * P, newSlot: 9 },
      { call: 'merge', slots: [9, 0] },
      { call: 'resize', slot: 9, memorySize: 3 * P },
      { call: 'undo' },
    ] as const) {
      const foreseen = engine.checkRequest(request);
      expect(engine.beginCommit(request).run()).toEqual(foreseen);
    }
  });

  it('merge is the way back, whatever the order of ids; the first stays', () => {
    const engine = withDirty(make());
    accepted(engine.splitMemslot(0, 21 * P, 9));
    accepted(engine.splitMemslot(9, 30 * P, 4));
    const commit = accepted(engine.mergeMemslots([9, 4, 0]));
    expect([commit.zapped, commit.swaps <= 2]).toEqual([[], true]);
    expect(engine.layout()).toEqual([region(9, LOG, 16 * P, 16 * P, 64 * P)]);
    expect(harvest(engine, 9)).toEqual([0, 4, 8, 15]);
  });

  it('a page that loses logging and gets it back is clean again', () => {
    const engine = withDirty(make());
    const cache = engine.createCache();
    expect(cache.lookupPage(20)).toBe(68 * P + PAGE_PRESENT);
    accepted(engine.changeUserMemoryRegions([region(0, 0, 16 * P, 4 * P, 64 * P), region(1, LOG, 20 * P, 12 * P, 68 * P)]));
    expect([16, 20, 21].map((gfn) => cache.lookupPage(gfn) & PAGE_CLEAN)).toEqual([0, 0, PAGE_CLEAN]);
    expect(harvest(engine, 1)).toEqual([0, 4, 11]);
  });

  it('arch data: prepare is passed the slot whose pages a slot takes over', () => {
    const seen: string[] = [];
    const text = (change: Change) =>
      `${change.kind} ${change.next?.slot ?? '-'} from ${(change.from ?? []).map((slot) => slot.slot).join()}`;
    const prepare: MemslotArch['prepare'] = (_old, next, change) => {
      seen.push(text(change));
      return next && { made: next.slot };
    };
    const engine = make({ arch: { prepare } });
    accepted(engine.setUserMemoryRegion(region(0, 0, 0, 4 * P, 0)));
    accepted(engine.splitMemslot(0, 2 * P, 1));
    expect(seen).toEqual(['create 0 from ', 'replace 0 from 0', 'create 1 from 0']);
    expect(engine.memslotById(1)?.arch).toEqual({ made: 1 });
  });

  it('arch data without a hook stays with the pages', () => {
    let first = true;
    const prepare = (): unknown => {
      const made = first ? { rmap: 1 } : undefined;
      first = false;
      return made;
    };
    const engine = make({ arch: { prepare } });
    accepted(engine.setUserMemoryRegion(region(0, 0, 0, 4 * P, 0)));
    accepted(engine.setUserMemoryRegion(region(0, LOG, 0, 4 * P, 0)));
    accepted(engine.resizeMemslot(0, 8 * P));
    accepted(engine.splitMemslot(0, 2 * P, 1));
    expect(engine.memslots().map((slot) => slot.arch)).toEqual([{ rmap: 1 }, { rmap: 1 }]);
  });

  it('refuses what makes no sense', () => {
    const engine = withDirty(make());
    accepted(engine.setUserMemoryRegion(region(1, LOG, 32 * P, P, 0)));
    accepted(engine.setUserMemoryRegion(region(2, RO, 33 * P, P, P)));
    accepted(engine.setUserMemoryRegion(region(3, LOG, 40 * P, P, 80 * P)));
    for (const [act, errno] of [
      [() => engine.resizeMemslot(7, P), 'EINVAL'],
      [() => engine.resizeMemslot(0, 0), 'EINVAL'],
      [() => engine.resizeMemslot(0, P + 1), 'EINVAL'],
      [() => engine.resizeMemslot(0, 17 * P), 'EEXIST'],
      [() => engine.resizeMemslot(0, Number.NaN), 'EINVAL'],
      [() => engine.splitMemslot(0, 16 * P, 9), 'EINVAL'],
      [() => engine.splitMemslot(0, 32 * P, 9), 'EINVAL'],
      [() => engine.splitMemslot(0, 20 * P + 1, 9), 'EINVAL'],
      [() => engine.splitMemslot(0, 20 * P, 1), 'EEXIST'],
      [() => engine.splitMemslot(0, 20 * P, 0), 'EEXIST'],
      [() => engine.mergeMemslots([0]), 'EINVAL'],
      [() => engine.mergeMemslots([0, 0]), 'EINVAL'],
    ] as const)
      expectRefused(engine, act, errno);
    for (const [act, errno, index] of [
      [() => engine.splitMemslot(0, 20 * P, 40000), 'EINVAL', 1],
      [() => engine.mergeMemslots([0, 1]), 'EINVAL', 1],
      [() => engine.mergeMemslots([1, 2]), 'EINVAL', 1],
      [() => engine.mergeMemslots([0, 3]), 'EINVAL', 1],
      [() => engine.mergeMemslots([0, 8]), 'EINVAL', 1],
    ] as const)
      expectRefused(engine, act, errno, index);
  });
});

onEachIndex('history', (make) => {
  it('undo goes back step by step, redo forward; a new commit ends redo', () => {
    const engine = make();
    const layouts: unknown[] = [engine.layout()];
    for (const regions of [
      [region(0, 0, 0, P, 0), region(1, 0, P, P, 0)],
      [region(0, 0, 8 * P, P, 0), gone(1)],
      [region(0, RO, 0, 3 * P, 64 * P)],
    ]) {
      accepted(engine.changeUserMemoryRegions(regions));
      layouts.push(engine.layout());
    }
    for (const at of [2, 1, 0]) {
      accepted(engine.undo());
      expect(engine.layout()).toEqual(layouts[at]);
    }
    expectRefused(engine, () => engine.undo(), 'ENOENT', -1);
    for (const at of [1, 2]) {
      accepted(engine.redo());
      expect(engine.layout()).toEqual(layouts[at]);
    }
    accepted(engine.setUserMemoryRegion(region(9, 0, 99 * P, P, 0)));
    expectRefused(engine, () => engine.redo(), 'ENOENT', -1);
    accepted(engine.undo());
    expect(engine.layout()).toEqual(layouts[2]);
    expect(
      engine
        .history()
        .map((entry) => entry.via)
        .join(),
    ).toBe('commit,commit,commit,undo,undo,undo,redo,redo,commit,undo');
    engine.verify();
  });

  it('takes several commits back, or does them again, in one commit', () => {
    const engine = make();
    const layouts: unknown[] = [engine.layout()];
    for (const regions of [
      [region(0, 0, 0, P, 0), region(1, 0, P, P, 0)],
      [region(0, 0, 8 * P, P, 0), gone(1)],
      [region(0, 0, 0, P, 0)],
      [region(0, 0, 8 * P, P, 0)],
    ]) {
      accepted(engine.changeUserMemoryRegions(regions));
      layouts.push(engine.layout());
    }
    expectRefused(engine, () => engine.undo(0, 5), 'ENOENT', -1);
    expectRefused(engine, () => engine.undo(0, 0), 'ENOENT', -1);
    const from = engine.generation();
    expect(accepted(engine.undo(0, 3))).toMatchObject({ swaps: 2 });
    expect(engine.generation()).toBe(from + 4);
    expect(engine.layout()).toEqual(layouts[1]);
    accepted(engine.redo(0, 3));
    expect(engine.layout()).toEqual(layouts[4]);
    // There and back again is no change at all, and still two steps.
    expect(accepted(engine.undo(0, 2))).toMatchObject({ swaps: 0, changes: [] });
    expect(engine.layout()).toEqual(layouts[2]);
    accepted(engine.undo());
    expect(engine.layout()).toEqual(layouts[1]);
    accepted(engine.redo(0, 3));
    expect(engine.layout()).toEqual(layouts[4]);
    expectRefused(engine, () => engine.redo(), 'ENOENT', -1);
    engine.verify();
  });

  it('says what each commit did', () => {
    const engine = make();
    accepted(engine.changeUserMemoryRegions([region(4, 0, 0, 4 * P, 0), region(2, 0, 8 * P, P, 0)]));
    accepted(engine.setUserMemoryRegion(gone(4), { legacy: true }));
    const [first, second] = engine.history();
    expect(first).toMatchObject({
      from: 0,
      generation: 2,
      swaps: 1,
      zappedPages: 0,
      kinds: ['create', 'create'],
      slots: [2, 4],
      legacy: false,
    });
    expect(second).toMatchObject({ from: 2, generation: 6, swaps: 2, zappedPages: 4, kinds: ['delete'], slots: [4], legacy: true });
  });

  it('diffs any two generations, both ways', () => {
    const engine = make();
    accepted(engine.setUserMemoryRegion(region(0, 0, 0, P, 0)));
    const at2 = engine.layout();
    accepted(engine.setUserMemoryRegion(region(0, 0, P, P, 0)));
    accepted(engine.setUserMemoryRegion(region(1, 0, 0, P, 0)));
    const at8 = engine.layout();
    expect(engine.diff(2, 8)?.diffs).toEqual(ChangeSet.of(at2, at8).diffs);
    expect(engine.diff(8, 2)?.diffs).toEqual(ChangeSet.of(at8, at2).diffs);
    expect(engine.diff(2, 2)?.isEmpty).toBe(true);
    expect(engine.diff(2, 5)).toBeUndefined();
  });

  it('keeps only so many commits', () => {
    const engine = make({ historyLimit: 3 });
    for (let id = 0; id < 10; id++) accepted(engine.setUserMemoryRegion(region(id, 0, id * P, P, 0)));
    expect(engine.history().map((entry) => entry.slots[0])).toEqual([7, 8, 9]);
    for (let i = 0; i < 3; i++) accepted(engine.undo());
    expect(engine.canUndo()).toBe(false);
    expect(make({ historyLimit: 0 }).undo().ok).toBe(false);
  });

  it('knows whether an undo or redo could map host memory again, and can forget', () => {
    const engine = make();
    accepted(engine.setUserMemoryRegion(region(0, 0, 0, 2 * P, 64 * P)));
    accepted(engine.setUserMemoryRegion(gone(0)));
    expect([engine.historyMayMap(65 * P, 66 * P), engine.historyMayMap(66 * P, 99 * P)]).toEqual([true, false]);
    accepted(engine.undo());
    accepted(engine.undo());
    expect(engine.historyMayMap(65 * P, 66 * P)).toBe(true);
    engine.forgetHistory();
    expect([engine.historyMayMap(0, 99 * P), engine.canUndo(), engine.canRedo(), engine.history().length]).toEqual([
      false,
      false,
      false,
      0,
    ]);
  });

  it('a change set made for another layout is stale', () => {
    const engine = make();
    const request = ChangeSet.of([], [region(0, 0, 0, P, 0)]);
    accepted(engine.apply(request));
    expectRefused(engine, () => engine.apply(request), 'ESTALE');
    accepted(engine.apply(request.invert()));
    expect(engine.memslots()).toEqual([]);
  });

  it('the legacy plan of an exchange takes both away before it puts them back', () => {
    const engine = make();
    accepted(engine.changeUserMemoryRegions([region(0, 0, 0, P, 64 * P), region(1, LOG, 8 * P, P, 96 * P), region(2, 0, 16 * P, P, 0)]));
    const target = [region(0, 0, 8 * P, P, 64 * P), region(1, LOG, 0, P, 96 * P), region(2, LOG, 16 * P, P, 0)];
    const plan = engine.legacyPlan({ call: 'delta', regions: target });
    const calls = plan.ok ? plan.regions : [];
    expect(calls.map(({ slot, memorySize }) => `${slot}:${memorySize}`)).toEqual(['0:0', '1:0', '0:4096', '1:4096', '2:4096']);
    for (const call of calls) accepted(engine.setUserMemoryRegion(call, { legacy: true }));
    expect(engine.memslots().map(({ slot, baseGfn, flags }) => [slot, baseGfn, flags])).toEqual([
      [1, 0, LOG],
      [0, 8, 0],
      [2, 16, LOG],
    ]);
    expect(engine.legacyPlan({ call: 'delta', regions: [region(0, 0, 16 * P, P, 0)] }).ok).toBe(false);
  });

  it('the legacy plan of a plain move is KVM’s move', () => {
    const engine = make();
    accepted(engine.setUserMemoryRegion(region(0, 0, 4 * P, 4 * P, 0)));
    const plan = engine.legacyPlan({ call: 'delta', regions: [region(0, 0, 2 * P, 4 * P, 0)] });
    expect(plan).toEqual({ ok: true, regions: [region(0, 0, 2 * P, 4 * P, 0)] });
  });
});
