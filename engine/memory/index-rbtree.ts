/** Red-black tree by first gfn: what KVM has since 5.17. Lookup, insert, remove O(log n); replace O(1). */
import type { GfnIndex, IndexShape } from './gfn-index';
import { IndexTrace } from './index-trace';
import { RbTree } from './rbtree';
import type { SlotTable } from './slot-table';

export class RbTreeIndex extends RbTree implements GfnIndex {
  readonly kind = 'rbtree';
  foundBase = Number.NaN;
  private readonly table: SlotTable;

  constructor(table: SlotTable) {
    super();
    this.table = table;
  }

  protected keyOf(node: number): number {
    return this.table.base[node]!;
  }

  reserve(_count: number): void {
    this.reserveNodes(this.table.capacity);
  }

  find(gfn: number): number {
    const record = this.floor(gfn);
    if (record === 0) return 0;
    const base = this.table.base[record]!;
    this.foundBase = base;
    return gfn - base < this.table.pagesOf(record) ? record : 0;
  }

  floor(gfn: number): number {
    const child = this.child;
    const keys = this.table.base;
    let best = 0;
    let at = this.root;
    while (at) {
      const right = +(keys[at]! <= gfn);
      best += (at - best) & -right;
      at = child[2 * at + right]!;
    }
    return best;
  }

  above(gfn: number): number {
    const keys = this.table.base;
    let best = 0;
    let at = this.root;
    while (at) {
      if (keys[at]! > gfn) {
        best = at;
        at = this.child[2 * at]!;
      } else {
        at = this.child[2 * at + 1]!;
      }
    }
    return best;
  }

  update(removed: readonly number[], added: readonly number[]): void {
    for (const record of removed) this.remove(record);
    for (const record of added) this.insert(record);
  }

  collect(into: number[]): void {
    for (let at = this.first(); at; at = this.successor(at)) into.push(at);
  }

  shape(): IndexShape {
    const fill = this.count / this.parent.length;
    return { kind: this.kind, count: this.count, height: this.height(), nodes: this.count, bytes: this.nodeBytes, fill };
  }

  get top(): number {
    return this.root;
  }

  node(at: number): { left: number; right: number; red: boolean } {
    return { left: this.child[2 * at]!, right: this.child[2 * at + 1]!, red: this.red[at] === 1 };
  }

  trace(gfn: number): IndexTrace {
    const trace = new IndexTrace();
    const keys = this.table.base;
    let best = 0;
    for (let at = this.root; at; ) {
      const right = keys[at]! <= gfn;
      trace.read('base', at, 8);
      trace.compared++;
      trace.steps.push({ node: at, keys: [keys[at]!], taken: right ? 0 : -1, red: this.red[at] === 1 });
      if (right) best = at;
      trace.read('child', 2 * at + (right ? 1 : 0), 4);
      at = this.child[2 * at + (right ? 1 : 0)]!;
    }
    if (!best) return trace;
    trace.readPages(best);
    if (gfn - keys[best]! < this.table.pagesOf(best)) trace.record = best;
    return trace;
  }
}
