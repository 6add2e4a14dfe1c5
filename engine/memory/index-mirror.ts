/**
 * The slots of one set in an index of another kind, for people who compare. Nobody keeps it up: it is brought up to date when somebody looks,
 * by the same steps with which a commit changes a set. So it is as deep and as full as if it had been in use since the first look.
 */
import { createIndex, type GfnIndex, type IndexKind } from './gfn-index';
import { SlotTable } from './slot-table';

export class IndexMirror {
  /** Records of its own: the set's are freed and used again between two looks. */
  readonly table: SlotTable;
  readonly index: GfnIndex;
  /** In gfn order. */
  private held: number[] = [];

  constructor(kind: IndexKind, asId: number) {
    this.table = new SlotTable(asId);
    this.index = createIndex(kind, this.table);
  }

  /** `theirs`: the set's records, in gfn order. Returns how many differed. */
  follow(other: SlotTable, theirs: readonly number[]): number {
    const { table, index } = this;
    const { removed, added, replaced, kept } = this.compare(other, theirs);
    const differed = removed.length + added.length + replaced.length;
    if (differed === 0) return 0;
    for (const [old, next] of replaced) index.replace(old, next);
    index.reserve(added.length);
    index.update(removed, added);
    for (const old of removed) table.free(old);
    for (const [old] of replaced) table.free(old);
    this.held = kept;
    return differed;
  }

  /** Both lists are in gfn order: one walk over both. New records are allocated, none is freed. */
  private compare(other: SlotTable, theirs: readonly number[]) {
    const { table, held } = this;
    const removed: number[] = [];
    const added: number[] = [];
    const replaced: [number, number][] = [];
    const kept: number[] = [];
    const take = (record: number): number => {
      table.reserve(1);
      return table.allocate(other.idOf(record), other.base[record]!, other.pagesOf(record), other.hvaOf(record), other.flagsOf(record));
    };
    let at = 0;
    for (const record of theirs) {
      const base = other.base[record]!;
      while (at < held.length && table.base[held[at]!]! < base) removed.push(held[at++]!);
      const own = at < held.length && table.base[held[at]!] === base ? held[at++]! : 0;
      if (own && sameRecord(table, own, other, record)) kept.push(own);
      else if (own && sameRange(table, own, other, record)) {
        // Flags only, or INVALID: the commit puts the new record in the old one's place.
        const next = take(record);
        replaced.push([own, next]);
        kept.push(next);
      } else {
        if (own) removed.push(own);
        added.push(take(record));
        kept.push(added.at(-1)!);
      }
    }
    removed.push(...held.slice(at));
    return { removed, added, replaced, kept };
  }
}

/** The same slot at the same gfns. */
const sameRange = (a: SlotTable, one: number, b: SlotTable, other: number): boolean =>
  a.idOf(one) === b.idOf(other) && a.pagesOf(one) === b.pagesOf(other);

const sameRecord = (a: SlotTable, one: number, b: SlotTable, other: number): boolean =>
  sameRange(a, one, b, other) && a.flagsOf(one) === b.flagsOf(other) && a.hvaOf(one) === b.hvaOf(other);
