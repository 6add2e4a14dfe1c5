import { beforeEach, describe, expect, it } from 'vitest';
import { PIT_HZ, Pit } from './pit';
import { SystemControl } from './system-control';
import { recorder, TestClock } from './test-clock';

let clock: TestClock;
let irq: ReturnType<typeof recorder>;
let pit: Pit;
let control: SystemControl;

beforeEach(() => {
  clock = new TestClock();
  irq = recorder();
  pit = new Pit({ clock, irq: irq.line });
  control = new SystemControl({ clock, pit });
});

const MS = 1e6;
const ticks = (n: number): number => Math.ceil((n * 1e9) / PIT_HZ);
function load(channel: number, mode: number, value: number, access = 3, bcd = 0): void {
  pit.write(3, 1, (channel << 6) | (access << 4) | (mode << 1) | bcd);
  if ((access & 1) !== 0) pit.write(channel, 1, value & 0xff);
  if ((access & 2) !== 0) pit.write(channel, 1, value >> 8);
}
function latched(channel: number): number {
  pit.write(3, 1, channel << 6);
  const low = pit.read(channel, 1);
  return low | (pit.read(channel, 1) << 8);
}

describe('8254', () => {
  it('mode 2 interrupts at its rate, for ever and without drift', () => {
    load(0, 2, 11932);
    const before = irq.rises; // OUT goes high with the control word
    clock.advance(10_000 * MS);
    expect(irq.rises - before).toBe(Math.floor((10 * PIT_HZ) / 11932));
    expect(clock.next()).toBeDefined();
  });

  it('mode 3 is high for one half and low for the other', () => {
    load(0, 3, 1000);
    clock.advance(ticks(400));
    expect(irq.level).toBe(1);
    clock.advance(ticks(200));
    expect(irq.level).toBe(0);
    clock.advance(ticks(500));
    expect(irq.level).toBe(1);
  });

  it('mode 0 interrupts once, after the count', () => {
    load(0, 0, 5000);
    expect(irq.level).toBe(0);
    clock.advance(ticks(4990));
    expect(irq.rises).toBe(0);
    clock.advance(ticks(20));
    expect(irq.level).toBe(1);
    clock.advance(1000 * MS);
    expect(irq.rises).toBe(1);
    expect(clock.next()).toBeUndefined();
  });

  it('calibrates a TSC through channel 2 and port 0x61, as Linux and memtest86+ do', () => {
    const count = Math.floor(PIT_HZ / 20);
    control.write(0, 1, (control.read(0, 1) & ~0x02) | 0x01);
    load(2, 0, count);
    expect(control.read(0, 1) & 0x20).toBe(0);
    let waited = 0;
    while ((control.read(0, 1) & 0x20) === 0) {
      clock.advance(1000);
      waited += 1000;
      if (waited > 60 * MS) break;
    }
    expect(Math.abs(waited - 50 * MS)).toBeLessThan(5000);
  });

  it('counter 2 stops while its gate is low', () => {
    load(2, 0, 1000);
    clock.advance(ticks(5000));
    expect(pit.out2()).toBe(false);
    expect(latched(2)).toBe(1000);
    control.write(0, 1, 1);
    clock.advance(ticks(400));
    control.write(0, 1, 0);
    const stopped = latched(2);
    expect(Math.abs(stopped - 600)).toBeLessThan(4);
    clock.advance(ticks(5000));
    expect(latched(2)).toBe(stopped);
    control.write(0, 1, 1);
    clock.advance(ticks(610));
    expect(pit.out2()).toBe(true);
  });

  it('mode 1 fires a pulse at each rising gate', () => {
    load(2, 1, 100);
    expect(pit.out2()).toBe(true);
    pit.setGate2(true);
    clock.advance(ticks(50));
    expect(pit.out2()).toBe(false);
    clock.advance(ticks(60));
    expect(pit.out2()).toBe(true);
    pit.setGate2(false);
    pit.setGate2(true);
    clock.advance(ticks(10));
    expect(pit.out2()).toBe(false);
  });

  it('latches a count, byte by byte, while it continues', () => {
    load(0, 2, 0x8000);
    clock.advance(ticks(0x100));
    pit.write(3, 1, 0);
    clock.advance(ticks(0x1000));
    const value = pit.read(0, 1) | (pit.read(0, 1) << 8);
    expect(Math.abs(value - 0x7f00)).toBeLessThan(3);
    expect(latched(0)).toBeLessThan(0x6f10);
  });

  it('reads back status and count together', () => {
    load(0, 3, 0x4000);
    clock.advance(ticks(100));
    pit.write(3, 1, 0xc2);
    expect(pit.read(0, 1)).toBe(0x80 | 0x30 | (3 << 1));
    const count = pit.read(0, 1) | (pit.read(0, 1) << 8);
    expect(Math.abs(count - (0x4000 - 200))).toBeLessThan(6);
  });

  it('a new count of a periodic mode takes over at the end of the period', () => {
    load(0, 2, 10_000);
    clock.advance(ticks(5000));
    pit.write(0, 1, 1000 & 0xff);
    pit.write(0, 1, 1000 >> 8);
    clock.advance(ticks(4000));
    expect(irq.rises).toBe(1); // OUT went high with the control word
    clock.advance(ticks(1020));
    expect(irq.rises).toBe(2);
    clock.advance(ticks(1000));
    expect(irq.rises).toBe(3);
  });

  it('counts in BCD', () => {
    load(2, 0, 0x1000, 3, 1);
    pit.setGate2(true);
    clock.advance(ticks(11));
    const value = latched(2);
    expect(value.toString(16)).toMatch(/^9[89]\d$/);
  });

  it('save, restore and go on: the next interrupt comes at the same time', () => {
    load(0, 2, 50_000);
    clock.advance(ticks(20_000));
    const state = pit.save();
    const later = recorder();
    const copy = new Pit({ clock, irq: later.line });
    copy.restore(JSON.parse(JSON.stringify(state)));
    expect(copy.save()).toEqual(state);
    expect(clock.timers.map((timer) => timer.at)).toEqual([clock.timers[0]!.at, clock.timers[0]!.at]);
    expect(() => copy.restore({ channels: [] })).toThrow('pit: channels must have 3 entries, not 0');
  });

  it('every value on every port leaves a device that still answers', () => {
    let seed = 7;
    const random = (n: number): number => {
      seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
      return (seed >>> 8) % n;
    };
    for (let i = 0; i < 20_000; i++) {
      if (random(4) === 0) clock.advance(random(100_000));
      const port = random(5);
      if (port === 4) control.write(0, 1, random(256));
      else if (random(2) === 0) pit.write(port, 1, random(256));
      else expect(pit.read(port, 1)).toBeGreaterThanOrEqual(0);
    }
    expect(() => pit.restore(pit.save())).not.toThrow();
  });
});
