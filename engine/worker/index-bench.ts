/**
 * Measures the three indexes on scratch engines without a guest, like test/bench/memslots.ts: in interleaved rounds, so that noise affects all alike,
 * with medians. A browser's clock is coarse (0.1 ms), so a sample is a batch that takes some milliseconds; after each sample the worker yields, so
 * that the guest runs on.
 */
import { createIndex } from '../memory/create-index';
import type { GfnIndex } from '../memory/gfn-index';
import { type GfnCache, type IndexKind, MemslotEngine } from '../memory/index';
import { SlotTable } from '../memory/slot-table';
import { FIRST_GFN, median, PAGE, queries, regionAt, SLOT_PAGES, shuffled } from './index-workload';

export interface IndexBenchRow {
  index: IndexKind;
  /** The bare index: gfn to slot record, uniform random gfns. */
  lookupNs: number;
  /** A vCPU's lookup through its last used slot, 90 % of them in the slot of the one before. */
  localLookupNs: number;
  /** One whole commit (checks, both sets, all indexes, events): the middle slot deleted, or created again. */
  updateUs: number;
  /** All typed arrays of the address space (records, both sets with their indexes by gfn, hva and id) / slots. */
  bytesPerSlot: number;
}

export interface IndexBench {
  slots: number;
  rows: IndexBenchRow[];
}

export interface BenchClock {
  /** ms, monotonic */
  monotonic(): number;
  yieldTurn(): Promise<void>;
}

/** The engine's own limit is 32,764 slots; the mail measures 32,763, as one id is kept for the test's code. */
export const MOST_SLOTS = 32_763;
const KINDS: readonly IndexKind[] = ['array', 'rbtree', 'btree'];
const ROUNDS = 7;
/** ms: fifty times the resolution of a browser's clock, and well below a turn. */
const SAMPLE_MS = 5;
const FIRST_BATCH = 256;
const LARGEST_BATCH = 2 ** 20;
/** A power of two. */
const QUERIES = 2 ** 16;
/** Slots created by one commit, which takes a few milliseconds at most. */
const BUILD_STEP = 512;

interface Scratch {
  lookup(from: number, count: number): number;
  local(from: number, count: number): number;
  update(from: number, count: number): number;
  bytesPerSlot: number;
}

export async function benchIndexes(slots: number, clock: BenchClock): Promise<IndexBench> {
  if (!Number.isInteger(slots) || slots < 1 || slots > MOST_SLOTS)
    throw new Error(`slots is ${String(slots)}: use a whole number from 1 to ${MOST_SLOTS}`);
  const uniform = queries(slots, QUERIES, 0);
  const local = queries(slots, QUERIES, 90);
  const scratches: Scratch[] = [];
  for (const kind of KINDS) scratches.push(await scratch(kind, slots, uniform, local, clock));
  const lookup = await measure(
    scratches.map((each) => each.lookup),
    clock,
  );
  const localLookup = await measure(
    scratches.map((each) => each.local),
    clock,
  );
  const update = await measure(
    scratches.map((each) => each.update),
    clock,
  );
  const rows = KINDS.map((index, i) => ({
    index,
    lookupNs: lookup[i]!,
    localLookupNs: localLookup[i]!,
    updateUs: update[i]! / 1000,
    bytesPerSlot: scratches[i]!.bytesPerSlot,
  }));
  return { slots, rows };
}

async function scratch(kind: IndexKind, slots: number, uniform: Float64Array, local: Float64Array, clock: BenchClock): Promise<Scratch> {
  const order = shuffled(slots);
  const table = new SlotTable(0);
  const index = createIndex(kind, table);
  const engine = new MemslotEngine({ index: kind, historyLimit: 0 });
  for (let from = 0; from < slots; from += BUILD_STEP) {
    const ids = order.slice(from, from + BUILD_STEP);
    table.reserve(ids.length);
    index.reserve(ids.length);
    for (const id of ids) index.insert(table.allocate(id, FIRST_GFN + id * SLOT_PAGES, SLOT_PAGES, id * SLOT_PAGES * PAGE, 0));
    const commit = engine.changeUserMemoryRegions(ids.map((id) => regionAt(id)));
    if (!commit.ok) throw new Error(commit.refusals[0]!.reason);
    await clock.yieldTurn();
  }
  const cache = engine.createCache();
  const loop = LOOKUP_LOOPS[kind];
  const there = regionAt(slots >> 1);
  const gone = { ...there, memorySize: 0 };
  return {
    lookup: (from, count) => loop(index, table, uniform, from, count),
    local: (from, count) => localLoop(cache, local, from, count),
    update: (from, count) => {
      let swaps = 0;
      for (let i = from; i < from + count; i++) {
        const commit = engine.setUserMemoryRegion(i % 2 ? there : gone);
        swaps += commit.ok ? commit.swaps : 0;
      }
      return swaps;
    },
    bytesPerSlot: engine.footprint(0).total / slots,
  };
}

type LookupLoop = (index: GfnIndex, table: SlotTable, list: Float64Array, from: number, count: number) => number;

// One loop per index, written out: V8 keeps type feedback per call site, so a shared loop would measure each index with the others' feedback.
// (test/bench creates its loops with `new Function`, which the page's security policy forbids.)
const LOOKUP_LOOPS: Record<IndexKind, LookupLoop> = {
  array(index, table, list, from, count) {
    let sum = 0;
    for (let i = from; i < from + count; i++) sum += table.hvaOf(index.find(list[i & (QUERIES - 1)]!));
    return sum;
  },
  rbtree(index, table, list, from, count) {
    let sum = 0;
    for (let i = from; i < from + count; i++) sum += table.hvaOf(index.find(list[i & (QUERIES - 1)]!));
    return sum;
  },
  btree(index, table, list, from, count) {
    let sum = 0;
    for (let i = from; i < from + count; i++) sum += table.hvaOf(index.find(list[i & (QUERIES - 1)]!));
    return sum;
  },
};

/** One loop for all: the cache's single call of `find` sees three kinds of index anyway. */
function localLoop(cache: GfnCache, list: Float64Array, from: number, count: number): number {
  let sum = 0;
  for (let i = from; i < from + count; i++) sum += cache.lookupPage(list[i & (QUERIES - 1)]!, 0);
  return sum;
}

type Job = (from: number, count: number) => number;

interface Run {
  job: Job;
  /** Operations of one sample; even, so that an update restores what it deleted. */
  batch: number;
  /** Operations done so far. */
  done: number;
  /** Results of the lookups, so that no compiler can remove the work. */
  found: number;
  /** Nanoseconds per operation. */
  samples: number[];
}

/** Nanoseconds per operation of each job: the median over rounds in which each runs once. */
export async function measure(jobs: readonly Job[], clock: BenchClock): Promise<number[]> {
  const runs = jobs.map((job): Run => ({ job, batch: FIRST_BATCH, done: 0, found: 0, samples: [] }));
  for (const run of runs) await warmUp(run, clock);
  for (let round = 0; round < ROUNDS; round++) for (const run of runs) run.samples.push(await sample(run, clock));
  return runs.map(({ samples }) => median(samples));
}

/** Until the code is compiled and a batch takes about a sample's time: twice, since once may have been an interruption. */
async function warmUp(run: Run, clock: BenchClock): Promise<void> {
  while (run.batch < LARGEST_BATCH) {
    const ms = Math.min(await batch(run, clock), await batch(run, clock));
    if (ms >= SAMPLE_MS) return;
    run.batch *= 2;
  }
}

/** A batch too short for the clock is not counted. */
async function sample(run: Run, clock: BenchClock): Promise<number> {
  for (;;) {
    const ms = await batch(run, clock);
    if (ms >= SAMPLE_MS / 2 || run.batch >= LARGEST_BATCH) return (ms * 1e6) / run.batch;
    run.batch *= 2;
  }
}

/** Milliseconds of one batch. */
async function batch(run: Run, clock: BenchClock): Promise<number> {
  const start = clock.monotonic();
  run.found += run.job(run.done, run.batch);
  const ms = clock.monotonic() - start;
  run.done += run.batch;
  await clock.yieldTurn();
  return ms;
}
