/** The heat map's columns against counting page by page, and that looking leaves the log as it was. */
import { describe, expect, it } from 'vitest';
import { HEAT_ALL, HEAT_UNKNOWN } from './dirty-heat';
import { MemslotEngine } from './engine';
import { MemFlag } from './types';

const PAGE = 4096;
const LOG = MemFlag.LogDirtyPages;

function engineWith(...slots: [slot: number, gfn: number, pages: number, flags: number][]): MemslotEngine {
  const engine = new MemslotEngine();
  for (const [slot, gfn, pages, flags] of slots)
    engine.setUserMemoryRegion({
      slot,
      flags,
      guestPhysAddr: gfn * PAGE,
      memorySize: pages * PAGE,
      userspaceAddr: 0x10000000 + gfn * PAGE,
    });
  return engine;
}

function heat(engine: MemslotEngine, from: number, to: number, columns: number): number[] {
  const into = new Uint8Array(columns);
  engine.dirtyLog.heat(0, from, to, columns, into, 0);
  return [...into];
}

describe('dirty heat', () => {
  it('distinguishes clean, a share, all dirty and not logged', () => {
    const engine = engineWith([1, 0, 64, LOG], [2, 64, 64, 0], [3, 128, 64, LOG]);
    for (let page = 128; page < 160; page++) engine.markDirty(page);
    expect(heat(engine, 0, 256, 8)).toEqual([0, 0, HEAT_UNKNOWN, HEAT_UNKNOWN, HEAT_ALL, 0, HEAT_UNKNOWN, HEAT_UNKNOWN]);
    expect(heat(engine, 128, 192, 1)).toEqual([HEAT_ALL / 2]);
  });

  it('one dirty page among very many is not clean', () => {
    const engine = engineWith([1, 0, 100_000, LOG]);
    engine.markDirty(77_777);
    expect(heat(engine, 0, 100_000, 2)).toEqual([0, 1]);
  });

  it('a page wider than a column fills each of its columns', () => {
    const engine = engineWith([1, 0, 4, LOG]);
    engine.markDirty(2);
    expect(heat(engine, 1, 4, 6)).toEqual([0, 0, HEAT_ALL, HEAT_ALL, 0, 0]);
  });

  it('joins several slots under one column and counts only what is logged', () => {
    const engine = engineWith([1, 0, 3, LOG], [2, 3, 5, 0], [3, 9, 1, LOG]);
    engine.markDirty(1);
    engine.markDirty(5);
    engine.markDirty(9);
    expect(heat(engine, 0, 10, 1)).toEqual([HEAT_ALL / 2]);
  });

  it('harvests nothing, and a page counts again after each harvest', () => {
    const engine = engineWith([1, 0, 70, LOG]);
    engine.markDirty(69);
    engine.markDirty(69);
    expect(heat(engine, 64, 70, 6)).toEqual([0, 0, 0, 0, 0, HEAT_ALL]);
    expect(engine.dirtyLog.summary(1, 0, 69)).toEqual({ pages: 70, dirtyPages: 1, dirty: true });
    expect(engine.dirtyLog.dirtied).toBe(1);
    const log = engine.getDirtyLog(1);
    expect(log.ok && log.bitmap[8]).toBe(0x20);
    expect(heat(engine, 64, 70, 6)).toEqual([0, 0, 0, 0, 0, 0]);
    engine.markDirty(69);
    expect(engine.dirtyLog.dirtied).toBe(2);
    expect(engine.dirtyLog.summary(2, 0, 0)).toBeUndefined();
  });

  it('with rings it shows their entries until the reset', () => {
    const engine = new MemslotEngine();
    engine.dirtyLog.enableRing(PAGE);
    const cache = engine.createCache();
    engine.setUserMemoryRegion({ slot: 1, flags: LOG, guestPhysAddr: 0, memorySize: 8 * PAGE, userspaceAddr: 0x10000000 });
    cache.markDirty(3);
    const shown = [0, 0, 0, HEAT_ALL, 0, 0, 0, 0];
    expect(heat(engine, 0, 8, 8)).toEqual(shown);
    engine.dirtyLog.harvestRings();
    expect(heat(engine, 0, 8, 8)).toEqual(shown);
    engine.dirtyLog.resetRings();
    expect(heat(engine, 0, 8, 1)).toEqual([0]);
    expect(engine.dirtyLog.dirtied).toBe(1);
  });
});
