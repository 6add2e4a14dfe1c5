/**
 * Ten flags among many slots, by the three calls: the delta, the whole set, and one ioctl after another. Measured on a scratch engine without a
 * guest, in batches as in index-bench.ts: a single commit is too short for a browser's clock.
 */
import { MemFlag, type MemoryRegion, MemslotEngine } from '../memory/index';
import { type BenchClock, MOST_SLOTS, measure } from './index-bench';
import { regionAt } from './index-workload';

export interface FlagsBench {
  slots: number;
  changes: number;
  /** Microseconds for all changes together. */
  deltaUs: number;
  wholeUs: number;
  singleUs: number;
}

export async function benchFlags(slots: number, changes: number, clock: BenchClock): Promise<FlagsBench> {
  if (!Number.isInteger(slots) || slots < 1 || slots > MOST_SLOTS)
    throw new Error(`slots is ${String(slots)}: use a whole number from 1 to ${MOST_SLOTS}`);
  if (!Number.isInteger(changes) || changes < 1 || changes > slots)
    throw new Error(`changes is ${String(changes)}: use a whole number from 1 to the ${slots} slots`);
  const layouts = [0, MemFlag.LogDirtyPages].map((flags) => layout(slots, changes, flags));
  const deltas = layouts.map((regions) => regions.filter((_, index) => isChanged(index, slots, changes)));
  const jobs = [
    job(layouts[0]!, (engine, i) => engine.changeUserMemoryRegions(deltas[i % 2]!).ok),
    job(layouts[0]!, (engine, i) => engine.setUserMemoryRegions(layouts[i % 2]!, 0).ok),
    job(layouts[0]!, (engine, i) => deltas[i % 2]!.every((region) => engine.setUserMemoryRegion(region).ok)),
  ];
  const [delta, whole, single] = (await measure(jobs, clock)).map((ns) => ns / 1000);
  return { slots, changes, deltaUs: delta!, wholeUs: whole!, singleUs: single! };
}

/** Evenly distributed. */
const isChanged = (index: number, slots: number, changes: number): boolean =>
  Math.floor((index * changes) / slots) !== Math.floor(((index - 1) * changes) / slots);

const layout = (slots: number, changes: number, flags: number): MemoryRegion[] =>
  Array.from({ length: slots }, (_, index) => ({ ...regionAt(index), flags: isChanged(index, slots, changes) ? flags : 0 }));

/** Each sets the flags and clears them in turn. */
function job(
  start: readonly MemoryRegion[],
  change: (engine: MemslotEngine, i: number) => boolean,
): (from: number, count: number) => number {
  const engine = new MemslotEngine({ historyLimit: 0 });
  engine.changeUserMemoryRegions(start);
  return (from, count) => {
    let done = 0;
    for (let i = from + 1; i <= from + count; i++) if (change(engine, i)) done++;
    if (done !== count) throw new Error('a commit of the measurement was refused');
    return done;
  };
}
