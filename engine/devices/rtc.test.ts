import { beforeEach, describe, expect, it } from 'vitest';
import { Rtc } from './rtc';
import { recorder, TestClock } from './test-clock';

const SECOND = 1e9;
/** 2024-02-28 23:59:58 UTC, a Wednesday; .5 s into the second. */
const START = 1_709_164_798_500;

let clock: TestClock;
let irq: ReturnType<typeof recorder>;
let rtc: Rtc;

beforeEach(() => {
  clock = new TestClock();
  irq = recorder();
  rtc = new Rtc({ clock, irq: irq.line, start: START });
});

const read = (index: number, from = rtc): number => {
  from.write(0, 1, index);
  return from.read(1, 1);
};
const write = (index: number, value: number): void => {
  rtc.write(0, 1, index);
  rtc.write(1, 1, value);
};
/** century year month day hour minute second weekday */
const time = (): string => [0x32, 9, 8, 7, 4, 2, 0, 6].map((index) => read(index).toString(16).padStart(2, '0')).join(' ');

describe('RTC', () => {
  it('shows the start date in BCD and counts over a leap day', () => {
    expect(time()).toBe('20 24 02 28 23 59 58 04');
    clock.advance(1.6 * SECOND);
    expect(time()).toBe('20 24 02 29 00 00 00 05');
    clock.advance(86_400 * SECOND);
    expect(time()).toBe('20 24 03 01 00 00 00 06');
  });

  it('announces each update for 244 us, once a second, and is whole at any other time', () => {
    let rises = 0;
    let before = 0;
    for (let i = 0; i < 30_000; i++) {
      clock.advance(100_000);
      const updating = read(0x0a) >> 7;
      if (updating > before) {
        rises++;
        const second = read(0);
        clock.advance(250_000);
        expect([read(0x0a), read(0)]).toEqual([0x26, second === 0x59 ? 0 : second + (second % 16 === 9 ? 7 : 1)]);
        before = 0;
      } else before = updating;
    }
    expect(rises).toBe(3);
    expect(read(0x0d)).toBe(0x80);
  });

  it('announces nothing while SET holds the registers', () => {
    write(0x0b, 0x82);
    clock.advance(SECOND / 2 - 100_000);
    expect(read(0x0a)).toBe(0x26);
  });

  it('shows binary and 12-hour time when set to', () => {
    write(0x0b, 0x06);
    expect(read(4)).toBe(23);
    write(0x0b, 0x04);
    expect(read(4)).toBe(11 | 0x80);
    write(0x0b, 0x00);
    expect(read(4)).toBe(0x11 | 0x80);
    clock.advance(2 * SECOND);
    expect(read(4)).toBe(0x12);
  });

  it('can be set, with SET as drivers do it and without', () => {
    write(0x0b, 0x82);
    for (const [index, value] of [
      [0x32, 0x19],
      [9, 0x99],
      [8, 0x12],
      [7, 0x31],
      [4, 0x23],
      [2, 0x59],
      [0, 0x59],
    ] as const) {
      write(index, value);
    }
    clock.advance(5 * SECOND);
    expect(read(0)).toBe(0x59);
    write(0x0b, 0x02);
    expect(time()).toBe('19 99 12 31 23 59 59 06');
    clock.advance(SECOND);
    expect(time()).toBe('20 00 01 01 00 00 00 07');
    write(2, 0x30);
    expect(time()).toBe('20 00 01 01 00 30 00 07');
  });

  it('interrupts periodically and falls silent when unread', () => {
    write(0x0b, 0x42); // 1024 Hz
    clock.advance(SECOND);
    expect(irq.rises).toBe(1);
    expect(read(0x0c) & 0xc0).toBe(0xc0);
    expect(irq.level).toBe(0);
    let seen = 0;
    for (let i = 0; i < 10_240; i++) {
      clock.advance(SECOND / 10_240);
      if (irq.level === 1) {
        seen++;
        read(0x0c);
      }
    }
    expect(Math.abs(seen - 1024)).toBeLessThanOrEqual(1);
  });

  it('interrupts at the alarm, once a day or with wild cards', () => {
    write(1, 0x05);
    write(3, 0x00);
    write(5, 0x00);
    write(0x0b, 0x22);
    clock.advance(6.4 * SECOND);
    expect(irq.rises).toBe(0);
    clock.advance(0.2 * SECOND);
    expect(irq.rises).toBe(1);
    expect(read(0x0c) & 0xa0).toBe(0xa0);
    write(3, 0xc0);
    write(5, 0xff);
    clock.advance(60 * SECOND);
    expect(irq.rises).toBe(2);
  });

  it('interrupts after each update; needs no timer when nothing is enabled', () => {
    expect(clock.next()).toBeUndefined();
    write(0x0b, 0x12);
    clock.advance(0.6 * SECOND);
    expect(read(0x0c) & 0x90).toBe(0x90);
    clock.advance(SECOND);
    expect(irq.level).toBe(1);
    write(0x0b, 0x02);
    expect(irq.level).toBe(0);
    expect(clock.next()).toBeUndefined();
    clock.advance(10 * SECOND);
    expect(read(0x0c) & 0x90).toBe(0x10);
  });

  it('holds memory sizes at the firmware’s offsets', () => {
    rtc.setMemorySize(256 * 0x100000, 3 * 2 ** 30);
    const word = (index: number): number => read(index) | (read(index + 1) << 8);
    expect(word(0x15)).toBe(640);
    expect(word(0x17)).toBe(65535);
    expect(word(0x30)).toBe(65535);
    expect(word(0x34)).toBe((240 * 0x100000) / 65536);
    expect(word(0x5b) + read(0x5d) * 65536).toBe((3 * 2 ** 30) / 65536);
  });

  it('restores time, alarm and flags; peek has no side effect', () => {
    write(0x0b, 0x12);
    clock.advance(2.7 * SECOND);
    rtc.write(0, 1, 0x0c);
    expect(rtc.peek(1, 1) & 0x90).toBe(0x90);
    expect(irq.level).toBe(1);
    const state = rtc.save();
    const copy = new Rtc({ clock, irq: () => {}, start: 0 });
    copy.restore(JSON.parse(JSON.stringify(state)));
    expect(copy.save()).toEqual(state);
    expect(read(7, copy)).toBe(0x29);
    expect(() => copy.restore({ ...state, cmos: [1] })).toThrow('rtc: cmos must have 128 entries, not 1');
    expect(read(7, copy)).toBe(0x29);
  });
});
