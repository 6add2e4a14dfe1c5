/** Invalid input is refused with errno, entry and reason, or contained; it never changes the state. */
import { describe, expect, it } from 'vitest';
import { type Commit, MemslotEngine, type MemslotEngineOptions } from '../../engine/memory/index';
import { accepted, expectRefused, gone, LOG, MAX, onEachIndex, P, region, stateOf } from './support';

const NONSENSE: unknown[] = [Number.NaN, 0.5, -1, -P, 2 ** 53, 2 ** 64, Number.POSITIVE_INFINITY, '4096', null, {}, 1n, true];

function populated(make: (options?: MemslotEngineOptions) => MemslotEngine): MemslotEngine {
  const engine = make();
  accepted(engine.changeUserMemoryRegions([region(0, LOG, 0, 4 * P, 0), region(1, 0, 8 * P, 4 * P, 8 * P), region(0, 0, 0, P, 0, 1)]));
  engine.markDirty(2);
  accepted(engine.setUserMemoryRegion(region(1, 0, 9 * P, 4 * P, 8 * P)));
  return engine;
}

onEachIndex('bad input', (make) => {
  it.each(['slot', 'flags', 'guestPhysAddr', 'memorySize', 'userspaceAddr', 'asId'])('%s that is no number of the right kind', (field) => {
    const engine = populated(make);
    for (const value of NONSENSE) {
      const bad = { ...region(5, 0, 64 * P, P, 0), [field]: value };
      expectRefused(engine, () => engine.setUserMemoryRegion(bad), 'EINVAL');
      expectRefused(engine, () => engine.changeUserMemoryRegions([region(6, 0, 32 * P, P, 0), bad]), 'EINVAL', 1);
      expectRefused(engine, () => engine.setUserMemoryRegions([bad]), 'EINVAL');
      expect(engine.check([bad]).ok).toBe(false);
    }
  });

  it('the reason names the value and what would do', () => {
    const commit = make().setUserMemoryRegion(region(0, 0, 0, 4097, 0));
    expect(commit).toEqual({
      ok: false,
      refusals: [{ index: 0, errno: 'EINVAL', reason: 'memorySize is 0x1001: use a multiple of 4096 (nearest: 0x1000)' }],
    });
  });

  it('requests that are no lists of regions', () => {
    const engine = populated(make);
    const change = (value: unknown) => () => engine.changeUserMemoryRegions(value as never);
    for (const value of [undefined, null, 5, 'x', {}, new Set()]) expectRefused(engine, change(value), 'EINVAL', -1);
    for (const value of [undefined, null, 5, 'x', () => 0]) expectRefused(engine, change([value]), 'EINVAL');
    expectRefused(engine, () => engine.setUserMemoryRegion(undefined as never), 'EINVAL');
    const trap = {
      get slot(): number {
        throw new Error('boo');
      },
    };
    expectRefused(engine, change([trap]), 'EINVAL');
  });

  it('a huge list is E2BIG before it is read', () => {
    const engine = populated(make);
    const huge = new Array(3 * MAX).fill(gone(0));
    expectRefused(engine, () => engine.changeUserMemoryRegions(huge), 'E2BIG', 2 * MAX);
  });

  it('an id twice is refused at both places', () => {
    const engine = populated(make);
    const act = (): Commit => engine.changeUserMemoryRegions([gone(0), region(4, 0, 64 * P, P, 0), region(0, 0, 0, 4 * P, 0)]);
    expectRefused(engine, act, 'EINVAL', 0);
    expectRefused(engine, act, 'EINVAL', 2);
  });

  it('verbs with nonsense', () => {
    const engine = populated(make);
    for (const value of NONSENSE) {
      const n = value as number;
      for (const act of [
        () => engine.resizeMemslot(n, P),
        () => engine.resizeMemslot(0, n),
        () => engine.resizeMemslot(0, P, n),
        () => engine.splitMemslot(n, P, 9),
        () => engine.splitMemslot(0, n, 9),
        () => engine.splitMemslot(0, P, n),
        () => engine.splitMemslot(0, P, 9, n),
        () => engine.mergeMemslots([n, 1]),
        () => engine.mergeMemslots(n as never),
        () => engine.mergeMemslots([0, 1], n),
        () => engine.deleteAndHarvest(n),
        () => engine.deleteAndHarvest(0, n),
        () => engine.undo(n),
        () => engine.redo(n),
      ]) {
        const before = stateOf(engine);
        expect(act().ok).toBe(false);
        expect(stateOf(engine)).toEqual(before);
      }
    }
  });

  it('lookups with nonsense find nothing', () => {
    const engine = populated(make);
    const cache = engine.createCache();
    for (const value of NONSENSE.filter((v) => typeof v === 'number' && !(v >= 0 && v < 4))) {
      const n = value as number;
      expect([engine.memslotAt(n), engine.memslotById(n), engine.memslotsByHva(n, n), cache.lookupPage(n)]).toEqual([
        undefined,
        undefined,
        [],
        0,
      ]);
      expect([engine.gpaToHva(n), engine.memslots(n), engine.getDirtyLog(n).ok]).toEqual([-1, [], false]);
      expect([engine.history(n), engine.layout(n), engine.memslotAt(0, n), engine.generation(n)]).toEqual([[], [], undefined, -1]);
      engine.markDirty(n);
      engine.markDirty(0, n);
    }
    engine.verify();
  });

  it.each([0, 1, 2, 3, 4])('a prepare that throws at entry %i', (at) => {
    const cancelled: number[] = [];
    let countdown = Number.POSITIVE_INFINITY;
    const engine = make({
      arch: {
        prepare: (_old, next) => {
          if (countdown-- === 0) throw new RangeError('Array buffer allocation failed');
          return next && { slot: next.slot };
        },
        cancel: (_old, _next, change) => cancelled.push((change.next ?? change.old)!.slot),
      },
    });
    accepted(engine.changeUserMemoryRegions([region(0, LOG, 0, P, 0), region(1, 0, P, P, 0), region(2, 0, 2 * P, P, 0)]));
    engine.markDirty(0);
    const request = [region(0, LOG, P, P, 0), region(1, 0, 0, P, 0), gone(2), region(3, LOG, 4 * P, P, 0), region(4, 0, 5 * P, P, 0)];
    countdown = at;
    expectRefused(engine, () => engine.changeUserMemoryRegions(request), 'ENOMEM', at);
    expect(cancelled).toEqual([0, 1, 2, 3].slice(0, at).reverse());
    countdown = Number.POSITIVE_INFINITY;
    accepted(engine.changeUserMemoryRegions(request));
    engine.verify();
  });

  it('a prepare may choose the errno', () => {
    const prepare = (): never => {
      throw Object.assign(new Error('page tracking is in use'), { errno: 'EINVAL' });
    };
    const engine = make({ arch: { prepare } });
    expectRefused(engine, () => engine.setUserMemoryRegion(region(0, 0, 0, P, 0)), 'EINVAL');
  });

  it('a bitmap that the host has no memory for', () => {
    const engine = make();
    engine.dirtyLog.newState = () => {
      throw new RangeError('Array buffer allocation failed');
    };
    expectRefused(engine, () => engine.changeUserMemoryRegions([region(1, 0, P, P, 0), region(0, LOG, 0, P, 0)]), 'ENOMEM', 1);
  });

  it('a prepare that changes the layout itself', () => {
    const inner: Commit[] = [];
    const engine: MemslotEngine = make({
      arch: {
        prepare: () => {
          for (let id = 100; id < 200; id++) inner.push(engine.setUserMemoryRegion(region(id, 0, id * P, P, 0)));
        },
      },
    });
    accepted(engine.setUserMemoryRegion(region(0, 0, 0, P, 0)));
    expect(new Set(inner.map((commit) => commit.ok || commit.refusals[0]!.errno))).toEqual(new Set(['ESTALE']));
    expect(engine.slotCount()).toBe(1);
    engine.verify();
  });

  it('a listener or a commit hook that throws is reported and has no other effect', () => {
    const errors: unknown[] = [];
    const seen: string[] = [];
    const commit = (): never => {
      throw new Error('hook');
    };
    const engine = make({ arch: { commit }, onListenerError: (error) => errors.push((error as Error).message) });
    engine.subscribe((event) => {
      throw new Error(event.type);
    });
    engine.subscribe((event) => seen.push(event.type));
    accepted(engine.setUserMemoryRegion(region(0, LOG, 0, P, 0)));
    accepted(engine.setUserMemoryRegion(gone(0)));
    expect(errors).toEqual(['publish', 'hook', 'commit', 'publish', 'zap', 'publish', 'hook', 'commit']);
    expect(seen).toEqual(['publish', 'commit', 'publish', 'zap', 'publish', 'commit']);
    engine.verify();
  });

  it('a listener that commits: refused inside a commit, welcome after it', () => {
    const engine = make();
    const answers: string[] = [];
    let left = 2;
    engine.subscribe((event) => {
      if (left <= 0) return;
      if (event.type === 'commit') left--;
      const commit = engine.setUserMemoryRegion(region(10 + left, 0, (10 + left) * P, P, 0));
      answers.push(`${event.type} ${commit.ok ? 'ok' : commit.refusals[0]!.errno}`);
    });
    accepted(engine.setUserMemoryRegion(region(0, 0, 0, P, 0)));
    expect(answers).toEqual(['publish ESTALE', 'publish ESTALE', 'commit ok', 'commit ok']);
    engine.verify();
  });

  it('a slot that was handed out cannot be used to change the engine', () => {
    const engine = populated(make);
    const slot = engine.memslotById(0)!;
    expect(() => {
      slot.baseGfn = 77;
    }).toThrow(TypeError);
    expect(engine.memslotById(0)?.baseGfn).toBe(0);
  });
});

describe('options', () => {
  it.each([
    { maxSlots: 0 },
    { maxSlots: 32768 },
    { addressSpaces: 0 },
    { addressSpaces: 1.5 },
    { physAddrBits: 53 },
    { hostBase: -1 },
    { hostBase: 8192, hostSize: 4096 },
    { index: 'hash' as never },
    { zap: 'some' as never },
  ])('%o is refused by name', (options) => {
    expect(() => new MemslotEngine(options)).toThrow(new RegExp(Object.keys(options).at(-1)!));
  });
});
