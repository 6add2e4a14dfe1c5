/**
 * Which ranges of a refused request overlap which slots of the final layout. Sort and sweep: O((n + k) log(n + k)) for k ranges and n slots,
 * however many pairs overlap. Every range at fault is found; of the slots that it overlaps the first few are named, the rest are counted.
 */
import type { Place } from './limits';

/** Slots that a reason names. */
const NAMED = 4;
/** Ranges that get the nearest place where they would fit: each costs a pass over the layout. */
const ADVISED = 64;

/** A range that a request asks for. */
export interface Asked {
  /** Entry in the request */
  index: number;
  place: Place;
  /** It is part of the final layout, so others must not overlap it. The range of an entry with other faults is not. */
  stands: boolean;
}

export interface Overlap {
  asked: Asked;
  /** By first gfn; at most NAMED. */
  named: Place[];
  /** All slots that it overlaps. */
  count: number;
  /** First gfn of the nearest place with room for it. */
  nearestBase: number | undefined;
  /** Pages that would fit where it begins. */
  roomThere: number;
}

const byBase = (a: Place, b: Place): number => a.base - b.base || a.id - b.id;
const endOf = ({ base, pages }: Place): number => base + pages;

/** `staying`: slots that the request leaves where they are, in gfn order. `endGfn`: the first gfn that does not exist. Answers in order of entries. */
export function findOverlaps(asked: readonly Asked[], staying: readonly Place[], endGfn: number): Overlap[] {
  const standing = [...staying, ...asked.filter(({ stands }) => stands).map(({ place }) => place)].sort(byBase);
  const bases = Float64Array.from(standing, ({ base }) => base);
  const ends = Float64Array.from(standing, endOf).sort();
  const found: Overlap[] = [];
  /** Of the slots that begin before the range: those that reach furthest, furthest first. */
  const reaching: Place[] = [];
  let next = 0;
  for (const each of [...asked].sort((a, b) => byBase(a.place, b.place))) {
    const { place } = each;
    const end = endOf(place);
    for (; next < standing.length && standing[next]!.base < place.base; next++) keepFurthest(reaching, standing[next]!);
    const count = below(bases, end) - below(ends, place.base + 1) - (each.stands ? 1 : 0);
    if (count === 0) continue;
    const named = reaching.filter((other) => endOf(other) > place.base);
    for (let i = next; i < standing.length && standing[i]!.base < end && named.length < NAMED; i++)
      if (standing[i] !== place) named.push(standing[i]!);
    found.push({ asked: each, named: named.sort(byBase), count, nearestBase: undefined, roomThere: 0 });
  }
  found.sort((a, b) => a.asked.index - b.asked.index);
  for (const overlap of found.slice(0, ADVISED)) advise(overlap, standing, endGfn);
  return found;
}

/** A later range need only be compared with the NAMED furthest-reaching ones. */
function keepFurthest(reaching: Place[], place: Place): void {
  let at = reaching.length;
  while (at > 0 && endOf(reaching[at - 1]!) < endOf(place)) at--;
  reaching.splice(at, 0, place);
  if (reaching.length > NAMED) reaching.pop();
}

/** How many of the sorted values are less than `value`. */
function below(values: Float64Array, value: number): number {
  let low = 0;
  let high = values.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (values[middle]! < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

function advise(overlap: Overlap, standing: readonly Place[], endGfn: number): void {
  const { place } = overlap.asked;
  let best: number | undefined;
  let from = 0;
  const gap = (start: number, end: number): void => {
    if (place.base >= start && place.base < end) overlap.roomThere = Math.min(place.pages, end - place.base);
    if (end - start < place.pages) return;
    const base = Math.min(Math.max(place.base, start), end - place.pages);
    if (best === undefined || Math.abs(base - place.base) < Math.abs(best - place.base)) best = base;
  };
  for (const other of standing) {
    if (other === place) continue;
    gap(from, Math.max(from, other.base));
    from = Math.max(from, endOf(other));
  }
  gap(from, endGfn);
  overlap.nearestBase = best;
}
