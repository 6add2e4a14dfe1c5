import { expect, test } from 'vitest';
import { duration } from './stepping';

test('what a clock is too coarse to measure reads as less than its step', () => {
  expect(duration(0, () => 5)).toBe('< 5 µs');
  expect(duration(0, () => 100)).toBe('< 100 µs');
  expect(duration(0, () => 1000)).toBe('< 1 ms');
  expect(duration(0, () => 16_700)).toBe('< 17 ms');
});

test('a time has the unit that keeps it short', () => {
  expect([1.25, 14.4, 999, 1000, 12_300].map((us) => duration(us))).toEqual(['1.3 µs', '14 µs', '999 µs', '1.0 ms', '12 ms']);
});
