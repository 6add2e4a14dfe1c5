import { describe, expect, it } from 'vitest';
import { fromSeconds, toSeconds } from './calendar';
import { DebugExit } from './debug-exit';
import { DebugConsole } from './debugcon';
import { FloatingPorts } from './floating';
import { Rate } from './rate';

describe('debug ports', () => {
  it('isa-debugcon prints bytes and can be detected', () => {
    let text = '';
    const device = new DebugConsole({ output: (byte) => (text += String.fromCharCode(byte)) });
    for (const char of 'ok\n') device.write(0, 1, char.charCodeAt(0));
    expect(text).toBe('ok\n');
    expect(device.read(0, 1)).toBe(0xe9);
  });

  it('isa-debug-exit exits with (value << 1) | 1', () => {
    const statuses: number[] = [];
    const device = new DebugExit({ exit: (status) => statuses.push(status) });
    device.write(0, 1, 0);
    device.write(0, 1, 0x10);
    device.write(0, 4, 0xffffffff);
    expect(statuses).toEqual([1, 0x21, 0xffffffff]);
  });

  it('absent ports read a constant of the right width', () => {
    const ones = new FloatingPorts('pci-config', 0xffffffff);
    ones.write();
    expect([1, 2, 4].map((size) => ones.read(0, size))).toEqual([0xff, 0xffff, 0xffffffff]);
    expect(new FloatingPorts('keyboard', 0).read(0, 1)).toBe(0);
    expect(() => ones.restore({ a: 1 })).toThrow('pci-config: "a" is not a field');
  });
});

describe('time', () => {
  it('calendar goes there and back over 400 years', () => {
    for (let seconds = -3e9; seconds < 1e10; seconds += 86_399 * 7) {
      const time = fromSeconds(seconds);
      expect(toSeconds(time)).toBe(seconds);
      const host = new Date(seconds * 1000);
      expect([time.year, time.month, time.day, time.hour, time.weekday]).toEqual([
        host.getUTCFullYear(),
        host.getUTCMonth() + 1,
        host.getUTCDate(),
        host.getUTCHours(),
        host.getUTCDay(),
      ]);
    }
  });

  it('a rate never fires before its tick, nor late by a whole one', () => {
    for (const hz of [1_193_182, 32_768, 1000]) {
      const rate = new Rate(hz);
      for (let tick = 0; tick < 2 ** 45; tick = tick * 3 + 1) {
        const ns = rate.nsAt(tick);
        if (ns > 2 ** 52) break;
        expect(rate.ticksAt(ns)).toBe(tick);
        if (ns > 0) expect(rate.ticksAt(ns - 1)).toBe(tick - 1);
      }
    }
  });
});
