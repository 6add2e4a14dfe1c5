import { describe, expect, it } from 'vitest';
import { edgePlaces, snapSize, snapStart } from './snapping';

const MIB = 2 ** 20;
const others = [
  { slot: 1, start: 0, end: 10 * MIB },
  { slot: 2, start: 33 * MIB, end: 65 * MIB },
];

describe('a dragged slot', () => {
  it('begins where another ends, or ends where another begins, within reach', () => {
    expect(snapStart(10.3 * MIB, 8 * MIB, others, MIB)).toBe(10 * MIB);
    expect(snapStart(24.6 * MIB, 8 * MIB, others, MIB)).toBe(25 * MIB);
  });

  it('takes the nearer of two edges', () => {
    expect(snapStart(9.6 * MIB, 23 * MIB, others, 4 * MIB)).toBe(10 * MIB);
  });

  it('snaps to 2 MiB if no edge is within reach', () => {
    expect(snapStart(16.9 * MIB, 8 * MIB, others, 0.5 * MIB)).toBe(16 * MIB);
    expect(snapStart(17.1 * MIB, 8 * MIB, others, 0.5 * MIB)).toBe(18 * MIB);
  });

  it('has no place below 0', () => {
    expect(edgePlaces([others[0]!], 4 * MIB)).toEqual([0, 10 * MIB, 6 * MIB]);
  });
});

describe('a dragged end', () => {
  const slot = { guestPhysAddr: 16 * MIB, memorySize: 8 * MIB };

  it('reaches up to the next slot, or by whole 2 MiB', () => {
    expect(snapSize(slot, 16.7 * MIB, others, { reach: MIB, fine: false })).toBe(17 * MIB);
    expect(snapSize(slot, 12.8 * MIB, others, { reach: MIB, fine: false })).toBe(12 * MIB);
  });

  it('goes by pages when fine, and leaves at least one', () => {
    expect(snapSize(slot, 16.7 * MIB, others, { reach: MIB, fine: true })).toBe(Math.round((16.7 * MIB) / 4096) * 4096);
    expect(snapSize(slot, -MIB, others, { reach: MIB, fine: true })).toBe(4096);
  });

  it('leaves 2 MiB, or what a smaller slot has', () => {
    expect(snapSize(slot, 0, others, { reach: 0, fine: false })).toBe(2 * MIB);
    expect(snapSize({ guestPhysAddr: 16 * MIB, memorySize: 4096 }, 0, others, { reach: 0, fine: false })).toBe(4096);
  });
});
