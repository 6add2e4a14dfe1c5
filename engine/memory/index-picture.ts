/**
 * An index as it is drawn: all of it if it has few slots; else the surroundings of a lookup, with the number of slots and nodes left out at
 * each place. Never more than some dozens of cells, however many slots there are.
 */
import type { GfnIndex } from './gfn-index';
import { ArrayIndex } from './index-array';
import { BTreeIndex } from './index-btree';
import { RbTreeIndex } from './index-rbtree';
import type { IndexTrace } from './index-trace';
import type { SlotTable } from './slot-table';

/** An index with at most this many slots is drawn whole. */
export const WHOLE = 31;
/** Places of an array or of a B-tree's node around the one that the lookup takes. */
const AROUND = 4;
/** Levels of a large red-black tree that are drawn beside the lookup's way. */
const TOP_LEVELS = 3;

export interface PictureCell {
  /** In its node; a step of more than one: cells between are left out. */
  place: number;
  gfn: number;
  /** Absent: a separator in an inner node that no slot begins at (any more). */
  slot?: number;
  /** The slot is INVALID in this set. */
  invalid?: true;
  /** The other set lacks this slot, or has it in another state. */
  differs?: true;
  /** The lookup continues here; in the last node, what it found or the greatest key not above the gfn. */
  taken?: true;
  /** The probe that read this place, from 1; for the array only, whose places are its nodes. */
  visit?: number;
}

export interface PictureNode {
  /** Parents stand before their children; -1: the root. */
  parent: number;
  /** Place in the parent; of a red-black node 0: left, 1: right. */
  place: number;
  level: number;
  cells: PictureCell[];
  /** Places in use. */
  size: number;
  red?: true;
  /** Slots below this node that are not drawn; of a red-black node to the left and to the right. */
  hidden: [number, number];
  /** When the lookup came here, from 1. */
  visit?: number;
}

export interface IndexPicture {
  nodes: PictureNode[];
  /** What is not drawn. */
  leftOut: { slots: number; nodes: number };
}

/** What a cell shows of its slot. */
export type Describe = (record: number, gfn: number) => Pick<PictureCell, 'slot' | 'invalid' | 'differs'>;

export function pictureOf(index: GfnIndex, table: SlotTable, describe: Describe, trace: IndexTrace | undefined): IndexPicture {
  if (index.count === 0) return { nodes: [], leftOut: { slots: 0, nodes: 0 } };
  if (index instanceof ArrayIndex) return arrayPicture(index, table, describe, trace);
  if (index instanceof RbTreeIndex) return new RbPicture(index, table, describe, trace).make();
  if (index instanceof BTreeIndex) return new BTreePicture(index, table, describe, trace).make();
  throw new Error(`no picture of index ${index.kind}`);
}

/** Order of the first visit to each node. */
function visits(trace: IndexTrace | undefined): Map<number, number> {
  const order = new Map<number, number>();
  for (const { node } of trace?.steps ?? []) if (!order.has(node)) order.set(node, order.size + 1);
  return order;
}

/** Places of a node that are drawn: all, or those around `at` and those in `also`. */
function drawnPlaces(size: number, at: number, around: number, also: Iterable<number> = []): number[] {
  const places = new Set<number>(also);
  const from = Math.max(0, Math.min(at - around, size - 2 * around - 1));
  for (let place = from; place < Math.min(size, from + 2 * around + 1); place++) places.add(place);
  return [...places].sort((a, b) => a - b);
}

function arrayPicture(index: ArrayIndex, table: SlotTable, describe: Describe, trace: IndexTrace | undefined): IndexPicture {
  const order = visits(trace);
  // The lookup has read the greatest place whose key is not above the gfn, and place 0.
  const taken = Math.max(-1, ...(trace?.steps ?? []).filter((step) => step.taken === 0).map((step) => step.node));
  const places =
    index.count <= WHOLE ? drawnPlaces(index.count, 0, index.count) : drawnPlaces(index.count, Math.max(0, taken), AROUND, order.keys());
  const cells = places.map((place): PictureCell => {
    const record = index.recordAt(place);
    const gfn = table.base[record]!;
    const visit = order.get(place);
    return {
      place,
      gfn,
      ...describe(record, gfn),
      ...(visit ? { visit } : {}),
      ...(place === taken ? { taken: true as const } : {}),
    };
  });
  const slots = index.count - cells.length;
  return {
    nodes: [{ parent: -1, place: 0, level: 0, cells, size: index.count, hidden: [slots, 0] }],
    leftOut: { slots, nodes: 0 },
  };
}

class RbPicture {
  private readonly nodes: PictureNode[] = [];
  private readonly order: Map<number, number>;
  private readonly whole: boolean;
  /** Of the greatest key not above the gfn. */
  private readonly taken: number;

  constructor(
    private readonly index: RbTreeIndex,
    private readonly table: SlotTable,
    private readonly describe: Describe,
    trace: IndexTrace | undefined,
  ) {
    this.order = visits(trace);
    this.whole = index.count <= WHOLE;
    this.taken = trace?.steps.findLast((step) => step.taken === 0)?.node ?? 0;
  }

  make(): IndexPicture {
    this.draw(this.index.top, -1, 0, 0);
    const left = this.index.count - this.nodes.length;
    return { nodes: this.nodes, leftOut: { slots: left, nodes: left } };
  }

  private draw(at: number, parent: number, place: number, level: number): void {
    const { left, right, red } = this.index.node(at);
    const gfn = this.table.base[at]!;
    const cell: PictureCell = { place: 0, gfn, ...this.describe(at, gfn), ...(at === this.taken ? { taken: true as const } : {}) };
    const visit = this.order.get(at);
    const number = this.nodes.length;
    const node: PictureNode = { parent, place, level, cells: [cell], size: 1, hidden: [0, 0] };
    if (red) node.red = true;
    if (visit) node.visit = visit;
    this.nodes.push(node);
    for (const [side, child] of [left, right].entries()) {
      if (!child) continue;
      // All of a small tree; of a large one its top, the lookup's way, and what that way passes by.
      if (this.whole || level + 1 < TOP_LEVELS || visit) this.draw(child, number, side, level + 1);
      else node.hidden[side] = this.countBelow(child);
    }
  }

  private countBelow(at: number): number {
    if (!at) return 0;
    const { left, right } = this.index.node(at);
    return 1 + this.countBelow(left) + this.countBelow(right);
  }
}

class BTreePicture {
  private readonly nodes: PictureNode[] = [];
  private readonly order: Map<number, number>;
  private readonly takenIn = new Map<number, number>();
  private drawnSlots = 0;

  constructor(
    private readonly index: BTreeIndex,
    private readonly table: SlotTable,
    private readonly describe: Describe,
    trace: IndexTrace | undefined,
  ) {
    this.order = visits(trace);
    // The last step is the one that counts: the leaf before may have been visited for its last slot.
    for (const { node, taken } of trace?.steps ?? []) this.takenIn.set(node, taken);
  }

  make(): IndexPicture {
    const { root, depth, count } = this.index.inside;
    this.draw(root, -1, 0, depth, 0);
    return {
      nodes: this.nodes,
      leftOut: { slots: count - this.drawnSlots, nodes: Math.max(0, this.index.shape().nodes - this.nodes.length) },
    };
  }

  private draw(node: number, parent: number, place: number, levels: number, level: number): void {
    const { keys, items } = this.inside(node);
    const leaf = levels === 0;
    const visit = this.order.get(node);
    const taken = this.takenIn.get(node) ?? -1;
    const whole = this.index.count <= WHOLE;
    // A node beside the way is only hinted at: by its first cells.
    const around = whole ? keys.length : visit || level === 0 ? AROUND : 0;
    const places = drawnPlaces(keys.length, Math.max(0, taken), around);
    const cells = places.map((at): PictureCell => {
      const gfn = keys[at]!;
      const record = leaf ? items[at]! : this.slotAt(gfn);
      return { place: at, gfn, ...(record ? this.describe(record, gfn) : {}), ...(at === taken ? { taken: true as const } : {}) };
    });
    const number = this.nodes.length;
    const picture: PictureNode = { parent, place, level, cells, size: keys.length, hidden: [leaf ? keys.length - cells.length : 0, 0] };
    if (visit) picture.visit = visit;
    this.nodes.push(picture);
    if (leaf) this.drawnSlots += cells.length;
    else {
      const children = this.children(items, taken, visit !== undefined || level === 0);
      for (const child of children) this.draw(items[child]!, number, child, levels - 1, level + 1);
    }
  }

  /** Children of a node on the way: the one taken and those beside it, and one that the lookup fell back to. Else none. */
  private children(items: Int32Array, taken: number, onTheWay: boolean): number[] {
    if (!onTheWay) return [];
    const visited = [...items.keys()].filter((place) => this.order.has(items[place]!));
    return drawnPlaces(items.length, Math.max(0, taken), 1, visited);
  }

  private inside(node: number): { keys: Float64Array; items: Int32Array } {
    const { order, keys, items, sizes } = this.index.inside;
    const [start, end] = [node * order, node * order + sizes[node]!];
    return { keys: keys.subarray(start, end), items: items.subarray(start, end) };
  }

  private slotAt(gfn: number): number {
    const record = this.index.floor(gfn);
    return this.table.base[record] === gfn ? record : 0;
  }
}
