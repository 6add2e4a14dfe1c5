import { describe, expect, it } from 'vitest';
import { Random } from '../../test/support/random';
import { MemslotEngine } from './index';
import type { Place } from './limits';
import { type Asked, findOverlaps } from './overlaps';

const END = 64;
const meets = (a: Place, b: Place): boolean => a.base < b.base + b.pages && b.base < a.base + a.pages;

/** Every pair is looked at, and every place is tried. */
function plainly(asked: readonly Asked[], staying: readonly Place[]) {
  const standing = [...staying, ...asked.filter(({ stands }) => stands).map(({ place }) => place)];
  return asked.flatMap(({ index, place }) => {
    const others = standing.filter((other) => other !== place);
    const overlapped = others.filter((other) => meets(place, other));
    if (overlapped.length === 0) return [];
    const free = (base: number, pages: number): boolean => others.every((other) => !meets({ ...place, base, pages }, other));
    const places = Array.from({ length: Math.max(0, END - place.pages + 1) }, (_unused, base) => base).filter((base) =>
      free(base, place.pages),
    );
    const nearest = Math.min(...places.map((base) => Math.abs(base - place.base)));
    let room = 0;
    while (room < place.pages && place.base + room < END && free(place.base, room + 1)) room++;
    return [{ index, count: overlapped.length, ids: overlapped.map(({ id }) => id), nearest, room }];
  });
}

describe('overlaps', () => {
  it('are all found, with the first slots by name and the nearest place, as looking at every pair finds them', () => {
    const random = new Random(20261);
    for (let round = 0; round < 1500; round++) {
      let id = 0;
      const staying: Place[] = [];
      for (let base = random.below(6); base < END - 8; base += 1 + random.below(12)) {
        const pages = 1 + random.below(6);
        staying.push({ id: id++, asId: 0, base, pages });
        base += pages;
      }
      const asked = Array.from({ length: random.below(9) }, (_unused, index): Asked => {
        const place = { id: 100 + id++, asId: 0, base: random.below(END - 4), pages: 1 + random.below(20) };
        return { index, place, stands: random.below(4) > 0 };
      });
      const found = findOverlaps(asked, staying, END);
      const expected = plainly(asked, staying);
      const about = `round ${round}`;
      expect(
        found.map(({ asked: { index }, count }) => [index, count]),
        about,
      ).toEqual(expected.map(({ index, count }) => [index, count]));
      for (const [i, { asked: each, named, count, nearestBase, roomThere }] of found.entries()) {
        expect(named, about).toHaveLength(Math.min(4, count));
        for (const { id: other } of named) expect(expected[i]!.ids, about).toContain(other);
        const distance = nearestBase === undefined ? Number.POSITIVE_INFINITY : Math.abs(nearestBase - each.place.base);
        expect(distance, about).toBe(expected[i]!.nearest);
        expect(roomThere, about).toBe(expected[i]!.room);
      }
    }
  });

  it('are found in any request without comparing every pair', () => {
    const many = 3000;
    const region = (slot: number, gfn: number, pages: number) => ({
      slot,
      guestPhysAddr: gfn * 4096,
      memorySize: pages * 4096,
      userspaceAddr: 0,
    });
    const engine = new MemslotEngine({ historyLimit: 0 });
    engine.changeUserMemoryRegions(Array.from({ length: many }, (_unused, slot) => region(slot, slot, 1)));
    const gone = Array.from({ length: many }, (_unused, slot) => region(slot, 0, 0));
    const over = Array.from({ length: many }, (_unused, index) => region(many + index, 0, many));
    const commit = engine.changeUserMemoryRegions([...gone, ...over]);
    expect(commit.ok || commit.refusals).toHaveLength(many);
    expect(commit.ok || commit.refusals[7]!.reason).toBe(
      'memslot 3007 at [0x0, 0xbb8000) overlaps memslot 3000 at [0x0, 0xbb8000), memslot 3001 at [0x0, 0xbb8000), memslot 3002 at [0x0, 0xbb8000), memslot 3003 at [0x0, 0xbb8000) and 2995 more (nearest free address: 0xbb8000)',
    );
  });
});
