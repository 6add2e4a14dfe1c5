/**
 * The slots of one set in the indexes of the other kinds, for comparison. Commits do not maintain it: each query brings it up to date,
 * with the steps by which a commit changes a set. So each is as deep and as full as if it had been in use since the first query.
 */
import { createIndex } from './create-index';
import type { GfnIndex, IndexKind } from './gfn-index';
import { SlotTable } from './slot-table';

export class IndexMirror {
  /** Records of its own: the set's are freed and reused between two queries. */
  readonly table: SlotTable;
  private readonly indexes: readonly GfnIndex[];

  constructor(kinds: readonly IndexKind[], asId: number) {
    this.table = new SlotTable(asId);
    this.indexes = kinds.map((kind) => createIndex(kind, this.table));
  }

  /** undefined: a kind that it was not made with. */
  index(kind: IndexKind): GfnIndex | undefined {
    return this.indexes.find((index) => index.kind === kind);
  }

  /** `theirs`: the set's records, in gfn order. Returns how many differed. */
  follow(other: SlotTable, theirs: readonly number[]): number {
    const { table } = this;
    const { removed, added, replaced } = this.compare(other, theirs);
    for (const index of this.indexes) {
      // First, since a new record's handle may lie beyond the index's room.
      index.reserve(added.length);
      for (const [old, next] of replaced) index.replace(old, next);
      index.update(removed, added);
    }
    for (const old of removed) table.free(old);
    for (const [old] of replaced) table.free(old);
    return removed.length + added.length + replaced.length;
  }

  /** Both lists are in gfn order: one walk over both. New records are allocated, none is freed. */
  private compare(other: SlotTable, theirs: readonly number[]) {
    const { table } = this;
    const held: number[] = [];
    this.indexes[0]!.collect(held);
    const removed: number[] = [];
    const added: number[] = [];
    const replaced: [number, number][] = [];
    const take = (record: number): number => {
      table.reserve(1);
      return table.allocate(other.idOf(record), other.base[record]!, other.pagesOf(record), other.hvaOf(record), other.flagsOf(record));
    };
    let at = 0;
    for (const record of theirs) {
      const base = other.base[record]!;
      while (at < held.length && table.base[held[at]!]! < base) removed.push(held[at++]!);
      const own = at < held.length && table.base[held[at]!] === base ? held[at++]! : 0;
      if (own && sameRecord(table, own, other, record)) continue;
      if (own && sameRange(table, own, other, record)) {
        // Flags only, or INVALID: the commit puts the new record in the old one's place.
        replaced.push([own, take(record)]);
      } else {
        if (own) removed.push(own);
        added.push(take(record));
      }
    }
    removed.push(...held.slice(at));
    return { removed, added, replaced };
  }
}

/** The same slot at the same gfns. */
const sameRange = (a: SlotTable, one: number, b: SlotTable, other: number): boolean =>
  a.idOf(one) === b.idOf(other) && a.pagesOf(one) === b.pagesOf(other);

const sameRecord = (a: SlotTable, one: number, b: SlotTable, other: number): boolean =>
  sameRange(a, one, b, other) && a.flagsOf(one) === b.flagsOf(other) && a.hvaOf(one) === b.hvaOf(other);
