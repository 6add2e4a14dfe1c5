import { expect, it } from 'vitest';
import { nearestRoom } from './free-room';

const MIB = 2 ** 20;
const range = (from: number, to: number) => ({ start: from * MIB, end: to * MIB });

it('finds the free place nearest to a wish, below or above what is taken', () => {
  const taken = [range(16, 32), range(0, 4), range(20, 40)];
  expect(nearestRoom(taken, 2 * MIB, 8 * MIB)).toBe(8 * MIB);
  expect(nearestRoom(taken, 2 * MIB, 17 * MIB)).toBe(14 * MIB);
  expect(nearestRoom(taken, 2 * MIB, 39 * MIB)).toBe(40 * MIB);
  expect(nearestRoom(taken, 16 * MIB, MIB)).toBe(40 * MIB);
  expect(nearestRoom([], 2 * MIB, 2 ** 46)).toBe(2 ** 46 - 2 * MIB);
  expect(nearestRoom([{ start: 0, end: 2 ** 46 }], MIB, 0)).toBeUndefined();
});
