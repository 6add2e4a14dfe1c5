import { describe, expect, test } from 'vitest';
import { PULSE_MS, Pulse } from './pulse';

/** A page whose worker answers while `alive`; `seconds(n)` lets n of them pass. */
function page() {
  const told: number[] = [];
  const world = { alive: true, visible: true, now: 5000 };
  const pulse: Pulse = new Pulse({
    ping: () => world.alive && pulse.heard(),
    visible: () => world.visible,
    now: () => world.now,
    tell: (seconds) => told.push(seconds),
  });
  const seconds = (count: number): void => {
    for (let n = 0; n < count; n++) {
      world.now += PULSE_MS;
      pulse.tick();
    }
  };
  return { world, told, pulse, seconds };
}

describe('the worker’s pulse', () => {
  test('a worker that answers is never reported', () => {
    const { told, seconds } = page();
    seconds(60);
    expect(told).toEqual([]);
  });

  test('one that does not is reported within seconds, and again each second', () => {
    const { world, told, seconds } = page();
    world.alive = false;
    seconds(5);
    expect(told).toEqual([4]);
    seconds(2);
    expect(told).toEqual([4, 5, 6]);
  });

  test('a word of it, late, takes that back', () => {
    const { world, told, pulse, seconds } = page();
    world.alive = false;
    seconds(6);
    world.alive = true;
    pulse.heard();
    seconds(10);
    expect(told).toEqual([4, 5, 0]);
  });

  test('time in the background does not count', () => {
    const { world, told, seconds } = page();
    world.alive = false;
    world.visible = false;
    seconds(60);
    expect(told).toEqual([]);
    world.visible = true;
    seconds(4);
    expect(told).toEqual([4]);
  });

  test('nor does a night with the computer asleep', () => {
    const { world, told, pulse, seconds } = page();
    world.alive = false;
    seconds(3);
    world.now += 8 * 3600 * 1000;
    pulse.tick();
    expect(told).toEqual([]);
  });
});
