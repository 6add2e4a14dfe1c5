import { describe, expect, it } from 'vitest';
import { easing, milliseconds } from './glide';

describe('easing', () => {
  const ease = easing('cubic-bezier(0.2, 0, 0, 1)');

  it('begins at 0, ends at 1 and only grows', () => {
    const values = Array.from({ length: 101 }, (_, i) => ease(i / 100));
    expect([values[0], values[100]]).toEqual([0, 1]);
    values.slice(1).forEach((value, i) => {
      expect(value).toBeGreaterThanOrEqual(values[i]!);
    });
  });

  it('is most of the way there halfway, as the token wants it', () => {
    expect(ease(0.5)).toBeGreaterThan(0.8);
  });

  it('is a straight line for "linear" and for anything else', () => {
    expect(easing('linear')(0.3)).toBe(0.3);
  });
});

describe('milliseconds', () => {
  it('reads what a token holds', () => {
    expect(milliseconds(' 180ms')).toBe(180);
    expect(milliseconds('.18s')).toBe(180);
    expect(milliseconds('0s')).toBe(0);
    expect(milliseconds('0ms')).toBe(0);
    expect(milliseconds('')).toBe(0);
  });
});
