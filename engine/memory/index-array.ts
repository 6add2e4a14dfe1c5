/**
 * Sorted array of first gfns: what KVM had before 5.17, but searched without branches. Lookup O(log n) over one dense column,
 * insert and remove O(n) by memmove.
 */
import { lastOfFour } from './branchless';
import type { GfnIndex, IndexShape } from './gfn-index';
import { IndexTrace } from './index-trace';
import { grown, grownCapacity, type SlotTable } from './slot-table';

/** More slots than most machines have: V8 compiles an array that was never replaced as a constant, and lookups in it take a third less time. */
const FIRST_PLACES = 64;

export class ArrayIndex implements GfnIndex {
  readonly kind = 'array';
  count = 0;
  foundBase = Number.NaN;
  private keys = new Float64Array(FIRST_PLACES);
  private records = new Int32Array(FIRST_PLACES);
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

  /**
   * Position of the greatest key <= gfn, or -1. How often each branch is taken depends on the number of keys alone, so the processor predicts them. Each
   * step leaves a fourth of the keys: three comparisons side by side take little longer than one.
   */
  private position(gfn: number): number {
    const keys = this.keys;
    let left = this.count;
    if (left === 0 || gfn < keys[0]!) return -1;
    let at = 0;
    while (left > 3) {
      const fourth = left >> 2;
      at = lastOfFour(keys, at, fourth, gfn);
      left = (left - 3 * fourth) | 0;
    }
    if (left > 1) at = (at + +(keys[(at + 1) | 0]! <= gfn)) | 0;
    if (left > 2) at = (at + +(keys[(at + 1) | 0]! <= gfn)) | 0;
    return at;
  }

  find(gfn: number): number {
    const at = this.position(gfn);
    if (at < 0) return 0;
    const record = this.records[at]!;
    const base = this.keys[at]!;
    this.foundBase = base;
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
    const height = probesAmong(this.count);
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
    while (left > 3) {
      const fourth = left >> 2;
      const probes = [1, 2, 3].map((part) => this.probe(trace, at + part * fourth, gfn));
      at += probes.filter((below) => below).length * fourth;
      left -= 3 * fourth;
    }
    for (; left > 1; left--) if (this.probe(trace, at + 1, gfn)) at++;
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

/** Keys that a search among so many reads, the same for each gfn that is not left of all. */
function probesAmong(count: number): number {
  let probes = Math.min(count, 1);
  let left = count;
  for (; left > 3; left -= 3 * (left >> 2)) probes += 3;
  return probes + Math.max(0, left - 1);
}
