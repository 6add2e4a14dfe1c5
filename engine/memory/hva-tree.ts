/**
 * Interval tree over host addresses: red-black by first hva, every node knows the greatest end below it (Cormen et al., 14.3).
 * Ranges may overlap or be equal: two slots may share their backing.
 */
import { RbTree } from './rbtree';
import { FIRST_CAPACITY, grown, type SlotTable } from './slot-table';

const PAGE = 4096;

export class HvaTree extends RbTree {
  private readonly table: SlotTable;
  /** Greatest end (bytes, exclusive) in the node's subtree. */
  private maxEnd = new Float64Array(FIRST_CAPACITY);

  constructor(table: SlotTable) {
    super();
    this.table = table;
  }

  protected keyOf(node: number): number {
    return this.table.hvaOf(node);
  }

  reserve(): void {
    const capacity = this.table.capacity;
    if (capacity > this.maxEnd.length) this.maxEnd = grown(Float64Array, this.maxEnd, capacity);
    this.reserveNodes(capacity);
  }

  get bytes(): number {
    return this.nodeBytes + this.maxEnd.length * 8;
  }

  private end(node: number): number {
    return this.table.hvaOf(node) + this.table.pagesOf(node) * PAGE;
  }

  protected override augment(node: number): void {
    const left = this.maxEnd[this.child[2 * node]!]!;
    const right = this.maxEnd[this.child[2 * node + 1]!]!;
    this.maxEnd[node] = Math.max(this.end(node), left, right);
  }

  /** Stops where nothing changes any more: a replace by an equal range costs O(1). */
  protected override updateUp(start: number): void {
    for (let node = start; node; node = this.parent[node]!) {
      const before = this.maxEnd[node]!;
      this.augment(node);
      if (node !== start && this.maxEnd[node] === before) return;
    }
  }

  /** Appends the records whose backing overlaps [start, end), bytes, in order of their first hva. */
  overlapping(start: number, end: number, into: number[], node = this.root): void {
    if (!node || this.maxEnd[node]! <= start) return;
    this.overlapping(start, end, into, this.child[2 * node]!);
    const first = this.table.hvaOf(node);
    if (first >= end) return;
    if (this.end(node) > start) into.push(node);
    this.overlapping(start, end, into, this.child[2 * node + 1]!);
  }

  /** Throws where a node's greatest end is wrong. For tests. */
  override verify(node = this.root): number {
    if (node) {
      const before = this.maxEnd[node]!;
      this.augment(node);
      if (this.maxEnd[node] !== before) throw new Error(`greatest end of node ${node} is ${before}, should be ${this.maxEnd[node]}`);
    }
    return super.verify(node);
  }
}
