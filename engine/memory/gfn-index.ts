/** The index by gfn of one set: which record holds a gfn. Three forms behind one interface, all in typed arrays. */
import type { IndexTrace } from './index-trace';
import type { SlotTable } from './slot-table';

export type IndexKind = 'array' | 'rbtree' | 'btree';

/** What an index looks like now, for people. */
export interface IndexShape {
  kind: IndexKind;
  /** slots */
  count: number;
  /** levels on the longest way down; for the array the number of probes of a search */
  height: number;
  /** nodes in use (array: 1) */
  nodes: number;
  /** bytes allocated */
  bytes: number;
  /** used places / allocated places of the nodes in use, 0..1 */
  fill: number;
}

/** Ranges in an index never overlap; callers see to that. */
export interface GfnIndex {
  readonly kind: IndexKind;
  readonly count: number;
  /** First gfn of the slot that the last `find` found: a lookup that has it need not read the record's own. */
  readonly foundBase: number;
  /** Makes room for `count` more; the only method that may fail (RangeError). */
  reserve(count: number): void;
  /** The record whose range holds gfn, its first gfn then in `foundBase`; or 0. */
  find(gfn: number): number;
  /** The record with the greatest base <= gfn, or 0. */
  floor(gfn: number): number;
  /** The record with the smallest base > gfn, or 0. */
  above(gfn: number): number;
  insert(record: number): void;
  remove(record: number): void;
  /** Puts `next`, which has the same base, in the place of `old`. */
  replace(old: number, next: number): void;
  /** Removes and inserts many at once; both lists sorted by base. For an array this is O(n + k) instead of O(n x k). */
  update(removed: readonly number[], added: readonly number[]): void;
  /** Appends all records in gfn order. */
  collect(into: number[]): void;
  shape(): IndexShape;
  /** What `find` does for this gfn; for people, slow. */
  trace(gfn: number): IndexTrace;
}

/** First record that overlaps [start, end), or 0. Go on with `above(base of the record)`. */
export function firstOverlap(index: GfnIndex, table: SlotTable, start: number, end: number): number {
  const hit = index.find(start);
  if (hit) return hit;
  const next = index.above(start);
  return next && table.base[next]! < end ? next : 0;
}
