/**
 * Sorted array of first gfns: what KVM had before 5.17, but searched without branches. Lookup O(log n) over one dense column,
 * insert and remove O(n) by memmove.
 */
import { foundBase, type GfnIndex, type IndexShape } from './gfn-index';
import { IndexTrace } from './index-trace';
import { FIRST_CAPACITY, grown, grownCapacity, type SlotTable } from './slot-table';

export class ArrayIndex implements GfnIndex {
  readonly kind = 'array';
  count = 0;
  private keys = new Float64Array(FIRST_CAPACITY);
  private records = new Int32Array(FIRST_CAPACITY);
  private readonly table: SlotTable;

  constructor(table: SlotTable) {
    this.table = table;
  }

  reserve(count: number): void {
    const needed = this.count + count;
    if (needed <= this.keys.length) return;
    const capacity = grownCapacity(this.keys.length, needed);
    const keys = grown(Float64Array, this.keys, capacity);
    this.records = grown(Int32Array, this.records, capacity);
    this.keys = keys;
  }

  /** Position of the greatest key <= gfn, or -1. The mask keeps the processor from guessing branches it cannot guess. */
  private position(gfn: number): number {
    const keys = this.keys;
    let left = this.count;
    if (left === 0 || gfn < keys[0]!) return -1;
    let at = 0;
    while (left > 1) {
      const half = left >> 1;
      at += half & -(keys[at + half]! <= gfn);
      left -= half;
    }
    return at;
  }

  find(gfn: number): number {
    const at = this.position(gfn);
    if (at < 0) return 0;
    const record = this.records[at]!;
    const base = this.keys[at]!;
    foundBase[0] = base;
    return gfn - base < this.table.pagesOf(record) ? record : 0;
  }

  floor(gfn: number): number {
    const at = this.position(gfn);
    return at < 0 ? 0 : this.records[at]!;
  }

  above(gfn: number): number {
    const at = this.position(gfn) + 1;
    return at < this.count ? this.records[at]! : 0;
  }

  insert(record: number): void {
    const key = this.table.base[record]!;
    const at = this.position(key) + 1;
    if (at < this.count) {
      this.keys.copyWithin(at + 1, at, this.count);
      this.records.copyWithin(at + 1, at, this.count);
    }
    this.keys[at] = key;
    this.records[at] = record;
    this.count++;
  }

  remove(record: number): void {
    const at = this.position(this.table.base[record]!);
    this.keys.copyWithin(at, at + 1, this.count);
    this.records.copyWithin(at, at + 1, this.count);
    this.count--;
  }

  replace(old: number, next: number): void {
    this.records[this.position(this.table.base[old]!)] = next;
  }

  update(removed: readonly number[], added: readonly number[]): void {
    if (removed.length + added.length <= 8) {
      for (const record of removed) this.remove(record);
      for (const record of added) this.insert(record);
      return;
    }
    this.drop(removed);
    this.merge(added);
  }

  /** One pass that closes all gaps. */
  private drop(removed: readonly number[]): void {
    const { keys, records } = this;
    let next = 0;
    let to = 0;
    for (let from = 0; from < this.count; from++) {
      if (next < removed.length && records[from] === removed[next]) {
        next++;
        continue;
      }
      keys[to] = keys[from]!;
      records[to++] = records[from]!;
    }
    this.count = to;
  }

  /** One pass from the end that opens all gaps. */
  private merge(added: readonly number[]): void {
    const { keys, records, table } = this;
    let from = this.count - 1;
    let to = this.count + added.length - 1;
    for (let next = added.length - 1; next >= 0; next--) {
      const record = added[next]!;
      const key = table.base[record]!;
      for (; from >= 0 && keys[from]! > key; from--, to--) {
        keys[to] = keys[from]!;
        records[to] = records[from]!;
      }
      keys[to] = key;
      records[to--] = record;
    }
    this.count += added.length;
  }

  collect(into: number[]): void {
    for (let i = 0; i < this.count; i++) into.push(this.records[i]!);
  }

  shape(): IndexShape {
    const bytes = this.keys.length * 12;
    const height = this.count === 0 ? 0 : Math.ceil(Math.log2(this.count)) + 1;
    return { kind: this.kind, count: this.count, height, nodes: 1, bytes, fill: this.count / this.keys.length };
  }

  recordAt(place: number): number {
    return this.records[place]!;
  }

  trace(gfn: number): IndexTrace {
    const trace = new IndexTrace();
    let left = this.count;
    if (left === 0 || !this.probe(trace, 0, gfn)) return trace;
    let at = 0;
    while (left > 1) {
      const half = left >> 1;
      if (this.probe(trace, at + half, gfn)) at += half;
      left -= half;
    }
    trace.read('items', at, 4);
    const record = this.records[at]!;
    trace.readPages(record);
    if (gfn - this.keys[at]! < this.table.pagesOf(record)) trace.record = record;
    return trace;
  }

  private probe(trace: IndexTrace, at: number, gfn: number): boolean {
    const key = this.keys[at]!;
    trace.read('keys', at, 8);
    trace.compared++;
    trace.steps.push({ node: at, keys: [key], taken: key <= gfn ? 0 : -1 });
    return key <= gfn;
  }
}
