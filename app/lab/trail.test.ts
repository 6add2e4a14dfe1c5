import { describe, expect, it } from 'vitest';
import type { Figures } from '../../engine/worker/protocol';
import { Trail } from './trail';

const figures = (mips: number, holes = 0, share = 0): Figures => ({
  mips,
  instructions: 0,
  guestTimeNs: 0,
  tlbMissPerMille: 0,
  rates: { tlbMisses: 0, zappedPages: 0, dirtyPages: 0, mmio: 0, pio: 0, holes },
  jit: { share, refused: false, regions: 1, compileMs: 0, regionsDropped: 0, windowsDropped: 3 },
  holes: 0,
  idle: false,
});

describe('Trail', () => {
  it('gives ages and values, oldest first', () => {
    const trail = new Trail();
    trail.push(figures(1, 7, 40), 10);
    trail.push(figures(2), 10.25);
    expect(trail.read('compiled', 10.25).values).toEqual([40, 0]);
    expect(trail.read('windowsDropped', 10.25).values).toEqual([3, 3]);
    expect(trail.read('mips', 10.25)).toEqual({ ages: [-0.25, 0], values: [1, 2] });
    expect(trail.read('holes', 10.25).values).toEqual([7, 0]);
  });

  it('holds the last value over a silence, up to now', () => {
    const trail = new Trail();
    trail.push(figures(5), 10);
    trail.push(figures(0), 10.25);
    trail.push(figures(9), 20);
    expect(trail.read('mips', 22)).toEqual({ ages: [-12, -11.75, -2.25, -2, 0], values: [5, 0, 0, 9, 9] });
  });

  it('forgets what is older than two minutes', () => {
    const trail = new Trail();
    for (let second = 0; second < 600; second++) trail.push(figures(second), second / 2);
    const { ages, values } = trail.read('mips', 299.5);
    expect(ages[0]).toBeGreaterThanOrEqual(-121);
    expect(values.at(-1)).toBe(599);
    expect(values.length).toBeLessThan(250);
    trail.clear();
    expect(trail.read('mips', 300)).toEqual({ ages: [], values: [] });
  });
});
