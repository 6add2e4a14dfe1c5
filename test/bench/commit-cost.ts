/**
 * Measures what change sets cost a guest that computes. A workload of the bench image runs in windows of a million instructions; every second one
 * begins with a commit. What a window with a commit takes longer than the two beside it is the cost of that commit: the time the guest is stopped,
 * plus what it has to look up, compile or fetch into caches again. The slots that move are not used by the workload.
 */
import { BenchMachine, type BenchOptions } from './bench-machine';
import { median } from './statistics';
import { workloads } from './workload-names';

export const SLOTS = [1, 10, 100] as const;
export const ZAPS = ['slot', 'all'] as const;
type Zap = (typeof ZAPS)[number];
/** In registers and few windows; through many windows; over more pages than windows hold at once. */
const GUESTS = ['sha256', 'sieve', 'chase 256 KiB'] as const;
/** Stretches of BenchMachine. What a commit leaves behind in caches is made up for in the first of them. */
const WINDOW = 10;
const FIRST_ID = 100;
const FIRST_GPA = 2 ** 32;
const SIZE = 0x10000;

/** The image is the 64-bit one. */
export interface CommitRequest extends BenchOptions {
  rounds: number;
}

export interface CommitCost {
  workload: string;
  zap: Zap;
  slots: number;
  /** us, medians: what a commit cost the guest in total, and how long it was stopped. */
  lost: number;
  stood: number;
  /** Per commit, on average: dropped windows and regions, and TLB misses of the guest in the window, more than in those beside it. */
  windows: number;
  regions: number;
  misses: number;
}

/**
 * All combinations; `say` is called with each result as it comes in. `now`: ms; a clock of processor time, where there is one, does not count
 * waiting.
 */
export async function measureCommits(
  { rounds, ...options }: CommitRequest,
  now: () => number,
  say: (cost: CommitCost) => void,
): Promise<void> {
  for (const slots of SLOTS) {
    const guest = await Computing.start(options, slots, now);
    for (const zap of ZAPS) for (const workload of GUESTS) say(await guest.cost(workload, zap, rounds));
  }
}

/** `ms` with the commit, if there is one; `stood`: ms that the commit took. */
type Window = Record<'ms' | 'stood' | 'windows' | 'regions' | 'misses', number>;

const less = (window: Window, before: Window, after: Window): Window => {
  const beside = (of: keyof Window): number => window[of] - (before[of] + after[of]) / 2;
  return { ms: beside('ms'), stood: window.stood, windows: beside('windows'), regions: beside('regions'), misses: beside('misses') };
};

class Computing {
  /** Each slot is at the upper of its two places. */
  private up = false;

  private constructor(
    private readonly bench: BenchMachine,
    private readonly slots: number,
    private readonly now: () => number,
  ) {}

  static async start(options: BenchOptions, slots: number, now: () => number): Promise<Computing> {
    const bench = await BenchMachine.start(options);
    const { changeSet } = bench.machine;
    changeSet.begin();
    for (let n = 0; n < slots; n++) changeSet.stage({ op: 'add', slot: FIRST_ID + n, gpa: placeOf(n, false), size: SIZE, flags: 0 });
    const done = await changeSet.commit();
    if (!done.ok) throw new Error(done.refusals[0]?.reason);
    return new Computing(bench, slots, now);
  }

  async cost(workload: (typeof GUESTS)[number], zap: Zap, rounds: number): Promise<CommitCost> {
    this.bench.machine.changeSet.setZap(zap);
    const { checksum } = await this.run(workload, false);
    // Warm up: code that is compiled late is compiled by now.
    await this.run(workload, true);
    const commits: Window[] = [];
    for (let round = 0; round < rounds; round++) {
      const moved = await this.run(workload, true);
      if (moved.checksum !== checksum) throw new Error(`${workload}: another checksum with commits`);
      commits.push(...moved.commits);
    }
    const middle = (of: 'ms' | 'stood'): number => median(commits.map((each) => each[of])) * 1000;
    const average = (of: 'windows' | 'regions' | 'misses'): number => commits.reduce((sum, each) => sum + each[of], 0) / commits.length;
    return {
      ...{ workload, zap, slots: this.slots, lost: middle('ms'), stood: middle('stood') },
      ...{ windows: average('windows'), regions: average('regions'), misses: average('misses') },
    };
  }

  /** Runs the workload to its end. `commits`: the windows with one, less the mean of those before and after it. */
  private async run(workload: (typeof GUESTS)[number], moving: boolean): Promise<{ checksum: string; commits: Window[] }> {
    const { bench } = this;
    bench.begin(String.fromCharCode(97 + workloads.indexOf(workload)));
    const windows: Window[] = [];
    while (bench.measured === undefined) windows.push(await this.window(moving && windows.length % 2 === 1));
    // The last one ends somewhere behind the workload.
    windows.pop();
    const commits: Window[] = [];
    for (let at = 1; at + 1 < windows.length; at += 2) commits.push(less(windows[at]!, windows[at - 1]!, windows[at + 1]!));
    return { checksum: bench.measured.checksum, commits };
  }

  private async window(moving: boolean): Promise<Window> {
    const { bench, now } = this;
    const before = bench.machine.inspect.stats();
    const start = now();
    const stood = moving ? await this.commit() : 0;
    for (let stretch = 0; stretch < WINDOW; stretch++) bench.advance();
    const ms = now() - start;
    const after = bench.machine.inspect.stats();
    const grown = (name: string): number => (after[name] ?? 0) - (before[name] ?? 0);
    return { ms, stood, windows: grown('jit_windows_dropped'), regions: grown('jit_regions_dropped'), misses: grown('tlb_misses') };
  }

  /**
   * All slots move to their other place, in one change set. Returns the ms that the commit took. The guest runs while the lines before it are typed.
   */
  private async commit(): Promise<number> {
    const { changeSet } = this.bench.machine;
    this.up = !this.up;
    changeSet.begin();
    for (let n = 0; n < this.slots; n++) changeSet.stage({ op: 'move', slot: FIRST_ID + n, gpa: placeOf(n, this.up) });
    const start = this.now();
    const done = await changeSet.commit();
    const ms = this.now() - start;
    if (!done.ok) throw new Error(done.refusals[0]?.reason);
    return ms;
  }
}

const placeOf = (slot: number, up: boolean): number => FIRST_GPA + slot * 2 * SIZE + (up ? SIZE / 2 : 0);
