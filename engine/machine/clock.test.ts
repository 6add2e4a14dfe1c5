import { describe, expect, it } from 'vitest';
import { Clock } from './clock';

function clockAt(start: number) {
  const source = { time: start, ends: [] as number[], now: () => source.time, endSliceBy: (at: number) => source.ends.push(at) };
  return { clock: new Clock(source), source };
}

describe('guest clock', () => {
  it('fires in order of expiry, equal times in order of creation', () => {
    const { clock } = clockAt(0);
    const fired: string[] = [];
    const late = clock.timer('late', () => fired.push('late'));
    const first = clock.timer('first', () => fired.push('first'));
    const second = clock.timer('second', () => fired.push('second'));
    late.set(30);
    second.set(20);
    first.set(20);
    clock.fireDue(19);
    expect(fired).toEqual([]);
    clock.fireDue(100);
    expect(fired).toEqual(['first', 'second', 'late']);
    expect(clock.next).toBeUndefined();
  });

  it('ends the running slice only for a timer that is now the next', () => {
    const { clock, source } = clockAt(0);
    const a = clock.timer('a', () => {});
    const b = clock.timer('b', () => {});
    a.set(100);
    b.set(200);
    b.set(50);
    expect(source.ends).toEqual([100, 50]);
    expect(clock.next).toBe(50);
    b.set(undefined);
    expect(clock.next).toBe(100);
    expect(b.at).toBeUndefined();
  });

  it('lets a timer set itself again while it fires', () => {
    const { clock } = clockAt(0);
    const times: number[] = [];
    const tick = clock.timer('tick', () => {
      times.push(times.length);
      if (times.length < 3) tick.set(10 * (times.length + 1));
    });
    tick.set(10);
    clock.fireDue(25);
    expect(times).toEqual([0, 1]);
    expect(tick.at).toBe(30);
  });
});
