import { describe, expect, it } from 'vitest';
import { Random } from '../../../test/support/random';
import type { Range } from '../change-set/staging';
import { Rooms } from './rooms';

const MiB = 2 ** 20;
const LIMIT = 2 ** 40;

/** Every gap looked at, from the left. */
function naive(ranges: readonly Range[], length: number, wanted: number, limit: number): number | undefined {
  let best: number | undefined;
  let free = 0;
  for (const end of [...ranges, { start: limit, end: limit }].map((range) => range)) {
    if (end.start - free >= length) {
      const at = Math.min(Math.max(wanted, free), end.start - length);
      if (best === undefined || Math.abs(at - wanted) < Math.abs(best - wanted)) best = at;
    }
    free = Math.max(free, end.end);
  }
  return best;
}

describe('free places', () => {
  it('the nearest one, on either side', () => {
    const rooms = new Rooms([{ slot: 5, start: 256 * MiB, end: 320 * MiB }]);
    expect(rooms.nearest(64 * MiB, 300 * MiB, LIMIT)).toBe(320 * MiB);
    expect(rooms.nearest(64 * MiB, 200 * MiB, LIMIT)).toBe(192 * MiB);
    expect(rooms.nearest(64 * MiB, 300 * MiB, LIMIT, 5)).toBe(300 * MiB);
    expect(new Rooms([{ slot: 0, start: 0, end: LIMIT }]).nearest(MiB, 0, LIMIT)).toBeUndefined();
  });

  it('are those that a look at every gap finds, whichever slot is left out', () => {
    const random = new Random(5);
    for (let round = 0; round < 400; round++) {
      const ranges = Array.from({ length: random.below(12) }, (_, slot) => {
        const start = random.below(60);
        return { slot, start, end: start + 1 + random.below(12) };
      }).sort((a, b) => a.start - b.start);
      const rooms = new Rooms(ranges);
      for (let question = 0; question < 20; question++) {
        const [length, wanted, slot] = [1 + random.below(8), random.below(80), random.below(13)];
        const limit = 80 + length;
        const expected = naive(
          ranges.filter((range) => range.slot !== slot),
          length,
          wanted,
          limit,
        );
        const found = rooms.nearest(length, wanted, limit, slot);
        // Two places equally near are both right.
        expect(found === undefined ? undefined : Math.abs(found - wanted)).toBe(
          expected === undefined ? undefined : Math.abs(expected - wanted),
        );
        const taken = ranges.some(
          (range) => range.slot !== slot && found !== undefined && range.start < found + length && found < range.end,
        );
        expect(taken).toBe(false);
      }
    }
  });
});
