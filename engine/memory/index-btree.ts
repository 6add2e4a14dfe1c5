/**
 * Dense B+ tree by first gfn: the tree that the 2021 discussion wished for. Nodes of up to ORDER keys lie in one typed array, keys
 * beside keys, so that a lookup touches a few cache lines per level and never chases a pointer per comparison. Every eighth key of a node, the first
 * of a cache line, stands once more among its marks: two lines of marks and one of keys are all that a search in a node reads.
 *
 * Inner nodes hold for every child the smallest base that ever was its first; the key at place 0 is not read. A leaf that
 * overflows splits; one that runs low is merged with a neighbour when both fit well into one node (relaxed: no borrowing).
 */
import { lastOfFour } from './branchless';
import type { GfnIndex, IndexShape } from './gfn-index';
import type { IndexTrace } from './index-trace';
import { grown, grownCapacity, type SlotTable } from './slot-table';
import { type BTreeInside, traceBTree } from './trace-btree';

export const ORDER = 128;
/** Keys in a cache line, and marks of a node. */
export const LINE_KEYS = 8;
const MARKS = ORDER / LINE_KEYS;
const LOW = ORDER / 4;
/** A merged node keeps this much room, so that the next insert does not split it again. */
const MERGED = (ORDER * 3) / 4;
const MAX_HEIGHT = 12;
/** Up to so many the pool of nodes doubles; a node is 1.5 KiB. */
const FEW_NODES = 4;
/** The one node of trees that never held anything, empty and shared, since many address spaces stay empty. It is never written. */
const NO_KEYS = new Float64Array(ORDER).fill(Number.POSITIVE_INFINITY);
const NO_ITEMS = new Int32Array(ORDER);
const NO_SIZES = new Int32Array(1);
/** The way down of the last `descend`, in whichever tree: node and place per level, root first. Read before the next one only. */
const pathNode = new Int32Array(MAX_HEIGHT);
const pathPlace = new Int32Array(MAX_HEIGHT);

export class BTreeIndex implements GfnIndex {
  readonly kind = 'btree';
  count = 0;
  foundBase = Number.NaN;
  private keys = NO_KEYS;
  /** Mark m of a node: its key m * LINE_KEYS. */
  private marks = NO_KEYS;
  /** leaf: records; inner node: children */
  private items = NO_ITEMS;
  private sizes = NO_SIZES;
  /** Nodes that the arrays have room for. */
  private capacity = 0;
  private readonly freed: number[] = [];
  /** Nodes from here on were never used. */
  private top = 0;
  private root = 0;
  /** Levels above the leaves. */
  private depth = 0;
  private readonly table: SlotTable;

  constructor(table: SlotTable) {
    this.table = table;
  }

  /**
   * A node can only split when it is full: it was full before, or at least ORDER / 2 inserts filled it; one that splits at its very end
   * stays full and may split once more.
   */
  reserve(count: number): void {
    const inUse = this.top - this.freed.length;
    const splits = Math.min(count, 2 * (inUse + Math.ceil((2 * count) / ORDER)));
    const nodes = inUse + this.newNodes(splits);
    if (nodes <= this.capacity) return;
    this.resize(nodes < FEW_NODES ? grownCapacity(Math.max(1, this.capacity), nodes) : Math.ceil((nodes * 17) / 16));
  }

  /** At most so many nodes come with so many splits of leaves. A new root takes ORDER - 2 more splits before it can split itself. */
  private newNodes(splits: number): number {
    // The root above the leaves takes them while it has places.
    if (this.depth === 1 && this.sizes[this.root]! + splits <= ORDER) return splits;
    return splits < ORDER - 2 ? splits * (this.depth + 1) + 1 : splits + Math.ceil(splits / 8) + this.depth + 3;
  }

  private resize(capacity: number): void {
    const live = Math.min(capacity, this.capacity);
    const keys = grown(Float64Array, this.keys.subarray(0, live * ORDER), capacity * ORDER);
    const marks = grown(Float64Array, this.marks.subarray(0, live * MARKS), capacity * MARKS);
    const items = grown(Int32Array, this.items.subarray(0, live * ORDER), capacity * ORDER);
    this.sizes = grown(Int32Array, this.sizes.subarray(0, live), capacity);
    this.keys = keys;
    this.marks = marks;
    this.items = items;
    this.capacity = capacity;
  }

  /** Gives back what a large batch reserved for the worst case, but for what one more insert may need. */
  private trim(): void {
    const kept = Math.floor((this.top * 17) / 16) + this.newNodes(1);
    if (this.capacity > kept * 1.2) this.resize(kept);
  }

  private allocate(): number {
    const node = this.freed.pop() ?? this.top++;
    if (node >= this.capacity) throw new Error(`the B-tree needs node ${node}, reserve made room for ${this.capacity}`);
    this.sizes[node] = 0;
    this.keys.fill(Number.POSITIVE_INFINITY, node * ORDER, (node + 1) * ORDER);
    this.mark(node, 0, ORDER);
    return node;
  }

  /** The keys of `node` have changed from `place` on, up to `end`. */
  private mark(node: number, place: number, end: number): void {
    const { keys, marks } = this;
    for (let m = Math.floor(place / LINE_KEYS); m * LINE_KEYS < end; m++) marks[node * MARKS + m] = keys[node * ORDER + m * LINE_KEYS]!;
  }

  /** Place in `node` of the greatest key <= gfn; 0 when all are greater. */
  private place(node: number, gfn: number): number {
    return this.search(node, gfn) - node * ORDER;
  }

  /**
   * The same as an index into `keys` and `items`. No branch depends on gfn, see ArrayIndex. Unused places hold infinity, so larger nodes take the same
   * steps whatever their size. Only a root has few keys for long; it has few at each lookup, so the processor predicts those branches.
   */
  private search(node: number, gfn: number): number {
    const size = this.sizes[node]!;
    let line = Math.imul(node, MARKS);
    if (size > 4 * LINE_KEYS) line = lastOfFour(this.marks, line, 4, gfn);
    if (size > LINE_KEYS) line = lastOfFour(this.marks, line, 1, gfn);
    return lastInLine(this.keys, Math.imul(line, LINE_KEYS), gfn);
  }

  find(gfn: number): number {
    const items = this.items;
    let at = 0;
    let record = this.root;
    for (let level = this.depth; level >= 0; level--) {
      at = this.search(record, gfn);
      record = items[at]!;
    }
    const base = this.keys[at]!;
    if (gfn < base) return this.findBefore(gfn);
    this.foundBase = base;
    return gfn - base < this.table.pagesOf(record) ? record : 0;
  }

  private findBefore(gfn: number): number {
    const record = this.endOfLeafBefore(gfn);
    this.foundBase = this.table.base[record]!;
    return gfn - this.foundBase < this.table.pagesOf(record) ? record : 0;
  }

  /** Descends as `find` does. A shared function would cost each lookup a call: V8 inlines only so much. */
  floor(gfn: number): number {
    const items = this.items;
    let at = 0;
    let record = this.root;
    for (let level = this.depth; level >= 0; level--) {
      at = this.search(record, gfn);
      record = items[at]!;
    }
    return gfn < this.keys[at]! ? this.endOfLeafBefore(gfn) : record;
  }

  /** The leaf's first keys were removed since its separator was set: the slot before gfn ends the leaf before it. */
  private endOfLeafBefore(gfn: number): number {
    if (this.count === 0) return 0;
    this.descend(gfn);
    const before = this.neighbourLeaf(-1);
    return before < 0 ? 0 : this.items[before * ORDER + this.sizes[before]! - 1]!;
  }

  above(gfn: number): number {
    if (this.count === 0) return 0;
    const leaf = this.descend(gfn);
    let place = this.place(leaf, gfn);
    if (this.keys[leaf * ORDER + place]! <= gfn) place++;
    if (place < this.sizes[leaf]!) return this.items[leaf * ORDER + place]!;
    const after = this.neighbourLeaf(1);
    return after >= 0 ? this.items[after * ORDER]! : 0;
  }

  /** As leafOf, but remembers the way. */
  private descend(gfn: number): number {
    let node = this.root;
    for (let level = 0; level < this.depth; level++) {
      const place = this.place(node, gfn);
      pathNode[level] = node;
      pathPlace[level] = place;
      node = this.items[node * ORDER + place]!;
    }
    return node;
  }

  /** The leaf beside the one of the last `descend`, or -1. */
  private neighbourLeaf(step: -1 | 1): number {
    for (let level = this.depth - 1; level >= 0; level--) {
      const node = pathNode[level]!;
      const place = pathPlace[level]! + step;
      if (place < 0 || place >= this.sizes[node]!) continue;
      let at = this.items[node * ORDER + place]!;
      for (let below = level + 1; below < this.depth; below++) at = this.items[at * ORDER + (step < 0 ? this.sizes[at]! - 1 : 0)]!;
      return at;
    }
    return -1;
  }

  insert(record: number): void {
    const key = this.table.base[record]!;
    if (this.top === 0) this.root = this.allocate();
    const leaf = this.descend(key);
    const size = this.sizes[leaf]!;
    let place = size === 0 ? 0 : this.place(leaf, key);
    if (size > 0 && this.keys[leaf * ORDER + place]! <= key) place++;
    this.count++;
    this.insertAt(this.depth, leaf, place, key, record);
  }

  /** Puts (key, item) at `place` of `node`, which stands `level` steps below the root, splitting upwards as needed. */
  private insertAt(level: number, node: number, place: number, key: number, item: number): void {
    if (this.sizes[node]! < ORDER) {
      this.open(node, place, key, item);
      return;
    }
    // Ascending inserts (setting up memory) leave full nodes behind, not half full ones.
    const cut = place === ORDER ? ORDER : ORDER / 2;
    const right = this.allocate();
    const from = node * ORDER;
    this.keys.copyWithin(right * ORDER, from + cut, from + ORDER);
    this.items.copyWithin(right * ORDER, from + cut, from + ORDER);
    this.sizes[right] = ORDER - cut;
    this.sizes[node] = cut;
    this.keys.fill(Number.POSITIVE_INFINITY, from + cut, from + ORDER);
    this.mark(right, 0, ORDER);
    this.mark(node, cut, ORDER);
    if (place >= cut) this.open(right, place - cut, key, item);
    else this.open(node, place, key, item);
    const separator = this.keys[right * ORDER]!;
    if (level > 0) {
      this.insertAt(level - 1, pathNode[level - 1]!, pathPlace[level - 1]! + 1, separator, right);
      return;
    }
    const root = this.allocate();
    this.open(root, 0, this.keys[node * ORDER]!, node);
    this.open(root, 1, separator, right);
    this.root = root;
    this.depth++;
  }

  private open(node: number, place: number, key: number, item: number): void {
    const { keys, items } = this;
    const at = node * ORDER + place;
    for (let i = node * ORDER + this.sizes[node]!; i > at; i--) {
      keys[i] = keys[i - 1]!;
      items[i] = items[i - 1]!;
    }
    keys[at] = key;
    items[at] = item;
    this.mark(node, place, ++this.sizes[node]!);
  }

  private close(node: number, place: number): void {
    const { keys, items } = this;
    const end = node * ORDER + --this.sizes[node]!;
    for (let i = node * ORDER + place; i < end; i++) {
      keys[i] = keys[i + 1]!;
      items[i] = items[i + 1]!;
    }
    keys[end] = Number.POSITIVE_INFINITY;
    this.mark(node, place, end + 1 - node * ORDER);
  }

  remove(record: number): void {
    const key = this.table.base[record]!;
    const leaf = this.descend(key);
    this.close(leaf, this.place(leaf, key));
    this.count--;
    this.shrink(this.depth, leaf);
  }

  /** Merges a node that runs low with a neighbour, and continues upwards where that removed a child. */
  private shrink(level: number, node: number): void {
    if (level === 0) {
      this.shrinkRoot();
      return;
    }
    const size = this.sizes[node]!;
    if (size >= LOW) return;
    const parent = pathNode[level - 1]!;
    const place = pathPlace[level - 1]!;
    if (size === 0) {
      this.takeChild(level - 1, parent, place, node);
      return;
    }
    if (place > 0 && this.mergeInto(level, parent, place - 1)) return;
    if (place + 1 < this.sizes[parent]!) this.mergeInto(level, parent, place);
  }

  /** Merges the child of `parent` at `place` with the next one, if both fit well into one node. */
  private mergeInto(level: number, parent: number, place: number): boolean {
    const left = this.items[parent * ORDER + place]!;
    const right = this.items[parent * ORDER + place + 1]!;
    if (this.sizes[left]! + this.sizes[right]! > MERGED) return false;
    // The key at place 0 of an inner node was never kept right; from here on it is read.
    if (level < this.depth) this.keys[right * ORDER] = this.keys[parent * ORDER + place + 1]!;
    this.append(left, right);
    this.takeChild(level - 1, parent, place + 1, right);
    return true;
  }

  private append(to: number, from: number): void {
    const size = this.sizes[to]!;
    const count = this.sizes[from]!;
    this.keys.copyWithin(to * ORDER + size, from * ORDER, from * ORDER + count);
    this.items.copyWithin(to * ORDER + size, from * ORDER, from * ORDER + count);
    this.sizes[to] = size + count;
    this.mark(to, size, size + count);
  }

  private takeChild(level: number, parent: number, place: number, child: number): void {
    this.close(parent, place);
    this.freed.push(child);
    this.shrink(level, parent);
  }

  private shrinkRoot(): void {
    while (this.depth > 0 && this.sizes[this.root] === 1) {
      const only = this.items[this.root * ORDER]!;
      this.freed.push(this.root);
      this.root = only;
      this.depth--;
    }
    if (this.depth > 0 && this.sizes[this.root] === 0) this.depth = 0;
  }

  replace(old: number, next: number): void {
    const key = this.table.base[old]!;
    const leaf = this.descend(key);
    this.items[leaf * ORDER + this.place(leaf, key)] = next;
  }

  update(removed: readonly number[], added: readonly number[]): void {
    for (const record of removed) this.remove(record);
    for (const record of added) this.insert(record);
    if (added.length > ORDER) this.trim();
  }

  collect(into: number[]): void {
    this.collectFrom(this.root, this.depth, into);
  }

  private collectFrom(node: number, levels: number, into: number[]): void {
    for (let place = 0; place < this.sizes[node]!; place++) {
      const item = this.items[node * ORDER + place]!;
      if (levels > 0) this.collectFrom(item, levels - 1, into);
      else into.push(item);
    }
  }

  shape(): IndexShape {
    const nodes = this.top - this.freed.length;
    let used = 0;
    const visit = (node: number, levels: number): void => {
      used += this.sizes[node]!;
      if (levels > 0) for (let i = 0; i < this.sizes[node]!; i++) visit(this.items[node * ORDER + i]!, levels - 1);
    };
    visit(this.root, this.depth);
    const bytes = this.capacity * (ORDER * 12 + MARKS * 8 + 4);
    return {
      kind: this.kind,
      count: this.count,
      height: nodes ? this.depth + 1 : 0,
      nodes,
      bytes,
      fill: nodes ? used / (nodes * ORDER) : 0,
    };
  }

  /** How it lies in memory, for display. */
  get inside(): BTreeInside {
    const { keys, marks, items, sizes, root, depth, count } = this;
    return { order: ORDER, lineKeys: LINE_KEYS, keys, marks, items, sizes, root, depth, count };
  }

  trace(gfn: number): IndexTrace {
    return traceBTree(this.inside, this.table, gfn);
  }
}

/** Index of the last of the keys of one line, from `start` on, that is <= gfn; `start` if there is none. */
function lastInLine(keys: Float64Array, start: number, gfn: number): number {
  return lastOfFour(keys, (start + (4 & -(keys[(start + 4) | 0]! <= gfn))) | 0, 1, gfn);
}
