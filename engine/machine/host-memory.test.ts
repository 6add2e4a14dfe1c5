import { describe, expect, it } from 'vitest';
import { HOST_BASE } from '../abi/layout';
import { MachineError } from './api';
import { HostMemory } from './host-memory';

const MIB = 0x100000;

describe('host memory', () => {
  it('allocates zeroed, disjoint, page-aligned ranges above HOST_BASE', () => {
    const host = new HostMemory();
    const a = host.allocate(3 * MIB, 'a');
    const b = host.allocate(100, 'b');
    expect(a).toBeGreaterThanOrEqual(HOST_BASE);
    expect(b % 4096).toBe(0);
    expect(b).toBeGreaterThanOrEqual(a + 3 * MIB);
    expect(host.bytes[a + 3 * MIB - 1]).toBe(0);
    expect(host.rangeAt(b)).toMatchObject({ start: b, size: 4096, label: 'b' });
    expect(host.rangeAt(b + 4096)).toBeUndefined();
  });

  it('reuses freed memory as zeros and reports that its owner changed', () => {
    const host = new HostMemory();
    const recycled: [number, number][] = [];
    host.onRecycle = (hva, size) => recycled.push([hva, size]);
    const a = host.allocate(MIB, 'a');
    host.allocate(MIB, 'behind');
    host.bytes[a + 5] = 7;
    expect(recycled).toEqual([]);
    host.release(a);
    const c = host.allocate(MIB / 2, 'c');
    expect(c).toBe(a);
    expect(host.bytes[c + 5]).toBe(0);
    expect(recycled).toEqual([[a, MIB / 2]]);
  });

  it('knows whether memory has had the same owners since a version, without a gap', () => {
    const host = new HostMemory();
    const a = host.allocate(MIB, 'a');
    const b = host.allocate(MIB, 'b');
    const then = host.version;
    const from = (start: number, size: number) => ({ start, end: start + size });
    expect(host.isSince(from(a, 2 * MIB), then)).toBe(true);
    expect(host.isSince(from(a, 2 * MIB), then - 1)).toBe(false);
    expect(host.isSince(from(a + 4096, 2 * MIB), then)).toBe(false);
    host.release(b);
    expect(host.isSince(from(a, MIB + 4096), then)).toBe(false);
    expect(host.allocate(MIB, 'c')).toBe(b);
    expect(host.isSince(from(a, MIB + 4096), then)).toBe(false);
    expect(host.isSince(from(a, MIB), then)).toBe(true);
  });

  it('refuses what does not fit, naming the wish, and stays usable', () => {
    const host = new HostMemory(0x400);
    expect(() => host.allocate(64 * MIB, 'mem9')).toThrow(
      `guest memory 'mem9': Cannot allocate memory (64 MiB requested, ${64 - HOST_BASE / MIB} MiB of host memory free)`,
    );
    expect(() => host.allocate(0, 'none')).toThrow(MachineError);
    expect(host.allocate(MIB, 'small')).toBe(HOST_BASE);
  });
});

describe('ranges that come and go', () => {
  it('are handed out at the first gap that holds them, as a plain search finds it', () => {
    const host = new HostMemory(HOST_BASE / 0x10000 + 64);
    const live: { start: number; size: number }[] = [];
    let seed = 7;
    const random = (below: number): number => {
      seed = (Math.imul(seed, 1103515245) + 12345) & 0x7fffffff;
      return seed % below;
    };
    for (let round = 0; round < 2000; round++) {
      if (random(50) === 0) {
        const kept = live.filter(() => random(3) > 0);
        const half = random(kept.length + 1);
        // A mark on any part of a range keeps it, and so does one over several ranges; a mark outside all ranges keeps nothing.
        host.releaseAllBut([
          (keep) => {
            for (const { start, size } of kept.slice(0, half)) keep(start + random(size / 4096) * 4096, 1, host.version);
            if (kept[0]) keep(kept[0].start, kept[0].size, host.version);
            keep(host.limit, 4096, host.version);
          },
          (keep) => {
            for (const { start, size } of kept.slice(half)) keep(start, size, host.version);
          },
        ]);
        live.splice(0, live.length, ...kept);
        expect(host.ranges().map(({ start }) => start)).toEqual(live.map(({ start }) => start).sort((a, b) => a - b));
      }
      if (live.length > 0 && random(5) < 2) {
        const [gone] = live.splice(random(live.length), 1);
        host.release(gone!.start);
        continue;
      }
      const size = (1 + random(12)) * 4096;
      let expected = HOST_BASE;
      for (const range of [...live].sort((a, b) => a.start - b.start)) {
        if (range.start - expected >= size) break;
        expected = range.start + range.size;
      }
      if (expected + size > host.limit) {
        expect(() => host.allocate(size, 'too much')).toThrow('Cannot allocate memory');
        host.release(live.pop()!.start);
        continue;
      }
      expect(host.allocate(size, `range ${round}`)).toBe(expected);
      live.push({ start: expected, size });
    }
    expect(host.ranges().length).toBe(live.length);
    host.releaseAllBut([
      (keep) => keep(HOST_BASE, host.limit, host.version),
      () => {
        throw new Error('nothing was left to ask for');
      },
    ]);
    expect(host.ranges().length).toBe(live.length);
  });
});
