import { describe, expect, it } from 'vitest';
import { Axis } from './axis';

const MiB = 2 ** 20;
const GiB = 2 ** 30;
const ram = { start: 0, end: 192 * MiB };

describe('Axis', () => {
  it('is to scale when no hole dwarfs the mapped memory', () => {
    const axis = Axis.over([ram, { start: 256 * MiB, end: 320 * MiB }]);
    expect(axis.segments).toHaveLength(1);
    expect(axis.toU(100 * MiB)).toBe(100 * MiB);
    expect(axis.toGpa(100 * MiB)).toBe(100 * MiB);
  });

  it('folds the hole below a DIMM at 1 TiB and keeps both sides to the same scale', () => {
    const axis = Axis.over([ram, { start: 1024 * GiB, end: 1024 * GiB + 64 * MiB }]);
    const [, fold] = axis.segments;
    expect(fold?.folded).toBe(true);
    expect(fold!.start).toBeGreaterThan(192 * MiB);
    expect(fold!.end).toBeLessThan(1024 * GiB);
    expect(axis.toU(1024 * GiB + 64 * MiB) - axis.toU(1024 * GiB)).toBe(64 * MiB);
    expect(fold!.u1 - fold!.u0).toBeLessThan(0.2 * axis.length);
  });

  it('finds every address again, inside folds too', () => {
    const axis = Axis.over([ram, { start: 4 * GiB, end: 4 * GiB + 64 * MiB }, { start: 1024 * GiB, end: 1025 * GiB }]);
    for (const gpa of [0, 4096, 191 * MiB, GiB, 4 * GiB, 4 * GiB + 5 * MiB, 500 * GiB, 1024 * GiB + 1]) {
      expect(Math.abs(axis.toGpa(axis.toU(gpa)) - gpa)).toBeLessThanOrEqual(Math.max(1, gpa * 1e-9));
    }
  });

  it('gives an empty layout a span, so that the map has something to show', () => {
    expect(Axis.over([]).length).toBeGreaterThan(0);
  });

  it('keeps folds to a third of the axis however many there are', () => {
    const far = Array.from({ length: 300 }, (_, i) => ({ start: (i + 1) * 1024 * GiB, end: (i + 1) * 1024 * GiB + MiB }));
    const axis = Axis.over([ram, ...far]);
    const folded = axis.segments.filter((s) => s.folded).reduce((sum, s) => sum + s.u1 - s.u0, 0);
    expect(folded / axis.length).toBeLessThan(0.34);
  });
});
