/** A record of a lookup in the B-tree: `BTreeIndex.find` with the same reads in the same order. */
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
    let at = 0;
    let record = tree.root;
    for (let level = tree.depth; level >= 0; level--) {
      at = this.search(record);
      if (tree.count > 0) this.step(record, at, level === 0 && gfn < tree.keys[at]!);
      record = this.item(at);
    }
    trace.read('keys', at, 8);
    let offset = gfn - tree.keys[at]!;
    if (offset < 0) {
      record = this.floor();
      trace.read('base', record, 8);
      offset = gfn - table.base[record]!;
    }
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

  private place(node: number): number {
    return this.search(node) - node * this.tree.order;
  }

  private search(node: number): number {
    const { lineKeys, order } = this.tree;
    const size = this.size(node);
    let line = (node * order) / lineKeys;
    if (size > 4 * lineKeys) line = this.lastOfFour('marks', line, 4);
    if (size > lineKeys) line = this.lastOfFour('marks', line, 1);
    let at = line * lineKeys;
    if (this.compare('keys', at + 4)) at += 4;
    return this.lastOfFour('keys', at, 1);
  }

  private lastOfFour(column: 'keys' | 'marks', start: number, step: number): number {
    const passed = [1, 2, 3].filter((part) => this.compare(column, start + part * step));
    return start + passed.length * step;
  }

  /** Whether that key is <= gfn. */
  private compare(column: 'keys' | 'marks', at: number): boolean {
    this.trace.read(column, at, 8);
    if (this.tree.count > 0) this.trace.compared++;
    return this.tree[column][at]! <= this.gfn;
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
