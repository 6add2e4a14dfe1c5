/** A lookup in the B-tree, written down: `BTreeIndex.find` with the same reads in the same order. */
import { IndexTrace } from './index-trace';
import type { SlotTable } from './slot-table';

export interface BTreeInside {
  /** Places of a node. */
  readonly order: number;
  /** Keys in a cache line. */
  readonly lineKeys: number;
  readonly keys: Float64Array;
  /** The first key of each line, node by node. */
  readonly marks: Float64Array;
  /** leaf: records; inner node: children */
  readonly items: Int32Array;
  readonly sizes: Int32Array;
  readonly root: number;
  /** Levels above the leaves. */
  readonly depth: number;
  readonly count: number;
}

export const traceBTree = (tree: BTreeInside, table: SlotTable, gfn: number): IndexTrace => new Tracer(tree, gfn).find(table);

interface Turn {
  node: number;
  place: number;
}

class Tracer {
  private readonly trace = new IndexTrace();

  constructor(
    private readonly tree: BTreeInside,
    private readonly gfn: number,
  ) {}

  find(table: SlotTable): IndexTrace {
    const { trace, tree, gfn } = this;
    let node = tree.root;
    let at = this.at(node, this.placeInRoot());
    for (let level = tree.depth; level > 0; level--) {
      this.step(node, at, false);
      node = this.item(at);
      at = this.at(node, this.place(node));
    }
    let record = this.item(at);
    trace.read('keys', at, 8);
    let offset = gfn - tree.keys[at]!;
    if (tree.count > 0) this.step(node, at, offset < 0);
    if (offset < 0) {
      record = this.floor();
      trace.read('base', record, 8);
      offset = gfn - table.base[record]!;
    }
    if (offset < 0) return trace;
    trace.readPages(record);
    if (offset < table.pagesOf(record)) trace.record = record;
    return trace;
  }

  private at(node: number, place: number): number {
    return node * this.tree.order + place;
  }

  private step(node: number, at: number, leftOfAll: boolean): void {
    const { keys, sizes, order } = this.tree;
    const start = node * order;
    const own = [...keys.subarray(start, start + sizes[node]!)];
    this.trace.steps.push({ node, keys: own, taken: leftOfAll ? -1 : at - start });
  }

  private item(at: number): number {
    this.trace.read('items', at, 4);
    return this.tree.items[at]!;
  }

  private size(node: number): number {
    this.trace.read('sizes', node, 4);
    return this.tree.sizes[node]!;
  }

  private compare(at: number): boolean {
    this.trace.read('keys', at, 8);
    this.trace.compared++;
    return this.tree.keys[at]! <= this.gfn;
  }

  private placeInRoot(): number {
    let place = 0;
    for (let left = this.size(this.tree.root); left > 1; left -= left >> 1) {
      if (this.compare(this.at(this.tree.root, place + (left >> 1)))) place += left >> 1;
    }
    return place;
  }

  private place(node: number): number {
    const { lineKeys, order } = this.tree;
    const start = (node * order) / lineKeys;
    let at = start;
    if (this.compareMark(start + lineKeys)) at += lineKeys;
    at += this.notAbove((mark) => this.compareMark(mark), at);
    at *= lineKeys;
    return at + this.notAbove((key) => this.compare(key), at) - node * order;
  }

  private compareMark(at: number): boolean {
    this.trace.read('marks', at, 8);
    this.trace.compared++;
    return this.tree.marks[at]! <= this.gfn;
  }

  /** All behind `at` in its line are compared. */
  private notAbove(compare: (at: number) => boolean, at: number): number {
    let count = 0;
    for (let next = 1; next < this.tree.lineKeys; next++) if (compare(at + next)) count++;
    return count;
  }

  private floor(): number {
    const { tree } = this;
    if (tree.count === 0) return 0;
    const way: Turn[] = [];
    let node = tree.root;
    for (let level = 0; level < tree.depth; level++) {
      const place = this.place(node);
      way.push({ node, place });
      node = this.item(this.at(node, place));
    }
    // Left of all keys here, else `find` would not have asked.
    this.compare(this.at(node, this.place(node)));
    const before = this.leafBefore(way);
    if (before < 0) return 0;
    const last = this.at(before, this.size(before) - 1);
    this.step(before, last, false);
    return this.item(last);
  }

  private leafBefore(way: readonly Turn[]): number {
    for (let level = way.length - 1; level >= 0; level--) {
      const { node, place } = way[level]!;
      if (place === 0) continue;
      this.size(node);
      let at = this.item(this.at(node, place - 1));
      for (let below = level + 1; below < way.length; below++) at = this.item(this.at(at, this.size(at) - 1));
      return at;
    }
    return -1;
  }
}
