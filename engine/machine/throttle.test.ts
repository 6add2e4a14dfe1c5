import { describe, expect, it } from 'vitest';
import { Throttle } from './throttle';

function at(start = 1000) {
  const wall = { ms: start };
  return { wall, throttle: new Throttle(() => wall.ms) };
}

describe('throttle', () => {
  it('lets an idle guest sleep as fast as the wall clock goes', () => {
    const { wall, throttle } = at();
    expect(throttle.allowed(0)).toBe(0);
    wall.ms += 10;
    expect(throttle.allowed(0)).toBe(10e6);
    wall.ms += 5;
    expect(throttle.allowed(10e6)).toBe(15e6);
  });

  it('does not let a guest that ran ahead wait for the wall clock to catch up', () => {
    const { wall, throttle } = at();
    expect(throttle.allowed(900e6)).toBe(900e6);
    wall.ms += 3;
    expect(throttle.allowed(900e6)).toBe(903e6);
  });

  it('skips time that a suspended tab lost', () => {
    const { wall, throttle } = at();
    throttle.allowed(0);
    wall.ms += 600_000;
    expect(throttle.allowed(0)).toBe(250e6);
    wall.ms += 1;
    expect(throttle.allowed(250e6)).toBe(251e6);
  });

  it('does not count the time that the machine was stopped', () => {
    const { wall, throttle } = at();
    wall.ms += 100;
    throttle.restart(0);
    wall.ms += 1;
    expect(throttle.allowed(0)).toBe(1e6);
  });
});
