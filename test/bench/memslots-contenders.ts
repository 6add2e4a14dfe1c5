/** The contenders: our three indexes, npm's ordered structures, a plain sorted array, and a red-black tree in C. */
import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import IntervalTreeModule from '@flatten-js/interval-tree';
import BTreeModule from 'sorted-btree';
import { createIndex } from '../../engine/memory/create-index';
import type { GfnIndex } from '../../engine/memory/gfn-index';
import { type GfnCache, type IndexKind, MemslotEngine } from '../../engine/memory/index';
import { SlotTable } from '../../engine/memory/slot-table';
import { FIRST_GFN, PAGE, regionAt, SLOT_PAGES } from '../../engine/worker/index-workload';
import { ownCopy } from './memslots-measure';

const require = createRequire(import.meta.url);

export const SIZES = [10, 32, 100, 509, 8194, 32763] as const;
export const KINDS: readonly IndexKind[] = ['array', 'rbtree', 'btree'];

export interface Contender {
  name: string;
  ours: boolean;
  /** Stands for a slot: any number that a lookup can only read from the slot itself. */
  find(gfn: number): number;
  insert(id: number): void;
  remove(id: number): void;
}

interface Slot {
  base: number;
  npages: number;
  hva: number;
}

const slotOf = (id: number): Slot => ({ base: FIRST_GFN + id * SLOT_PAGES, npages: SLOT_PAGES, hva: (FIRST_GFN + id * SLOT_PAGES) * PAGE });

type OwnFind = (table: SlotTable, gfns: GfnIndex) => Contender['find'];

/** The index itself, as peers are measured: no checks, no second set. */
function ownIndex(kind: IndexKind): Contender {
  const table = new SlotTable(0);
  const gfns = createIndex(kind, table);
  const records: number[] = [];
  return {
    name: kind,
    ours: true,
    find: (ownCopy('table', 'gfns', 'return (gfn) => table.hvaOf(gfns.find(gfn));') as OwnFind)(table, gfns),
    insert(id) {
      table.reserve(1);
      gfns.reserve(1);
      const { base, npages, hva } = slotOf(id);
      records[id] = table.allocate(id, base, npages, hva, 0);
      gfns.insert(records[id]!);
    },
    remove(id) {
      gfns.remove(records[id]!);
      table.free(records[id]!);
    },
  };
}

type SortedBTree = { set(k: number, v: Slot): void; delete(k: number): void; getPairOrNextLower(k: number): [number, Slot] | undefined };

function sortedBtree(): Contender {
  const BTree = ((BTreeModule as unknown as { default?: unknown }).default ?? BTreeModule) as new () => SortedBTree;
  const tree = new BTree();
  return {
    name: 'sorted-btree',
    ours: false,
    find(gfn) {
      const slot = tree.getPairOrNextLower(gfn)![1];
      return gfn < slot.base + slot.npages ? slot.hva : -1;
    },
    insert: (id) => tree.set(slotOf(id).base, slotOf(id)),
    remove: (id) => tree.delete(slotOf(id).base),
  };
}

type FlattenTree = {
  insert(k: [number, number], v: Slot): void;
  remove(k: [number, number], v?: Slot): void;
  search(k: [number, number]): Slot[];
};

function flattenTree(): Contender {
  const IntervalTree = ((IntervalTreeModule as unknown as { default?: unknown }).default ?? IntervalTreeModule) as new () => FlattenTree;
  const tree = new IntervalTree();
  const slots: Slot[] = [];
  const range = ({ base, npages }: Slot): [number, number] => [base, base + npages - 1];
  return {
    name: '@flatten-js/interval-tree',
    ours: false,
    find: (gfn) => tree.search([gfn, gfn])[0]!.hva,
    insert(id) {
      slots[id] = slotOf(id);
      tree.insert(range(slots[id]!), slots[id]!);
    },
    remove: (id) => tree.remove(range(slots[id]!), slots[id]!),
  };
}

type FunctionalTree = { insert(k: number, v: Slot): FunctionalTree; remove(k: number): FunctionalTree; le(k: number): { value: Slot } };

function functionalTree(): Contender {
  const create = require('functional-red-black-tree') as (compare: (a: number, b: number) => number) => FunctionalTree;
  let tree = create((a, b) => a - b);
  return {
    name: 'functional-red-black-tree',
    ours: false,
    find(gfn) {
      const slot = tree.le(gfn).value;
      return gfn < slot.base + slot.npages ? slot.hva : -1;
    },
    insert(id) {
      tree = tree.insert(slotOf(id).base, slotOf(id));
    },
    remove(id) {
      tree = tree.remove(slotOf(id).base);
    },
  };
}

/** The obvious implementation: an array of objects, binary search, splice. */
function plainArray(): Contender {
  const slots: Slot[] = [];
  const place = (gfn: number): number => {
    let low = 0;
    let high = slots.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (slots[middle]!.base <= gfn) low = middle + 1;
      else high = middle;
    }
    return low;
  };
  return {
    name: 'sorted array of objects',
    ours: false,
    find(gfn) {
      const slot = slots[place(gfn) - 1]!;
      return gfn < slot.base + slot.npages ? slot.hva : -1;
    },
    insert(id) {
      const slot = slotOf(id);
      slots.splice(place(slot.base), 0, slot);
    },
    remove(id) {
      slots.splice(place(slotOf(id).base) - 1, 1);
    },
  };
}

export function contenders(): Contender[] {
  return [...KINDS.map(ownIndex), sortedBtree(), flattenTree(), functionalTree(), plainArray()];
}

export function engineWith(kind: IndexKind, n: number): { engine: MemslotEngine; cache: GfnCache } {
  const engine = new MemslotEngine({ index: kind, historyLimit: 0 });
  for (let id = 0; id < n; id++) {
    const commit = engine.setUserMemoryRegion(regionAt(id));
    if (!commit.ok) throw new Error(commit.refusals[0]!.reason);
  }
  return { engine, cache: engine.createCache() };
}

export interface CTree {
  run(slots: number, count: number, localPercent: number): { lookup: number; insert: number; move: number };
}

/** Compiled at run time. Without gcc, prints one clear line and returns undefined. */
export function cTree(): CTree | undefined {
  mkdirSync('build', { recursive: true });
  const built = spawnSync('gcc', ['-O2', '-o', 'build/bench-rbtree', 'test/bench/c/rbtree.c'], { encoding: 'utf8' });
  if (built.error || built.status !== 0) {
    console.log(
      `C red-black tree: left out, gcc is missing or fails (${built.error?.message ?? built.stderr.trim()}); install gcc to compare`,
    );
    return undefined;
  }
  return {
    run(slots, count, localPercent) {
      const ran = spawnSync('build/bench-rbtree', [slots, count, localPercent].map(String), { encoding: 'utf8' });
      if (ran.status !== 0) throw new Error(`build/bench-rbtree failed: ${ran.stderr}`);
      return JSON.parse(ran.stdout) as { lookup: number; insert: number; move: number };
    },
  };
}
