/**
 * Measures what change sets cost a guest that computes. A workload of the bench image runs repeatedly, alternately without commits and with some at
 * fixed instruction counts. It executes the same instructions each time, so the extra time is the cost of the commits: the time the guest is stopped,
 * plus the lookups and compiled code it has to redo. The slots that move are not used by the workload.
 */
import { BenchMachine, type BenchOptions } from './bench-machine';
import type { Measured } from './contender';
import { median } from './statistics';
import { workloads } from './workload-names';

export const SLOTS = [1, 10, 100] as const;
export const ZAPS = ['slot', 'all'] as const;
type Zap = (typeof ZAPS)[number];
/** In registers and few windows; through many windows; over more pages than windows hold at once. */
const GUESTS = ['sha256', 'sieve', 'chase 256 KiB'] as const;
/** Commits in one run of a workload, each between two stretches. */
const COMMITS = 4;
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
  /** Dropped by a commit, on average. */
  windows: number;
  regions: number;
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
    const stood: number[] = [];
    const lost: number[] = [];
    const dropped = { windows: 0, regions: 0 };
    const count = (name: string): number => this.bench.machine.inspect.stats()[name] ?? 0;
    const commit = async (): Promise<void> => {
      const [windows, regions] = [count('jit_windows_dropped'), count('jit_regions_dropped')];
      stood.push(await this.commit());
      dropped.windows += count('jit_windows_dropped') - windows;
      dropped.regions += count('jit_regions_dropped') - regions;
    };
    const { instructions } = await this.run(workload, Number.POSITIVE_INFINITY, commit);
    const every = instructions / (COMMITS + 1);
    // Warm up: code that is compiled late is compiled by now.
    await this.run(workload, every, async () => void (await this.commit()));
    for (let round = 0; round < rounds; round++) {
      const quiet = await this.run(workload, Number.POSITIVE_INFINITY, commit);
      const moved = await this.run(workload, every, commit);
      if (moved.checksum !== quiet.checksum) throw new Error(`${workload}: another checksum with commits`);
      lost.push((moved.ms - quiet.ms) / COMMITS);
    }
    const commits = COMMITS * rounds;
    return {
      ...{ workload, zap, slots: this.slots, lost: median(lost) * 1000, stood: median(stood) * 1000 },
      ...{ windows: dropped.windows / commits, regions: dropped.regions / commits },
    };
  }

  /** Runs the workload with a commit after every `every` instructions. `ms` includes the whole last stretch, which is the same each time. */
  private async run(workload: (typeof GUESTS)[number], every: number, commit: () => Promise<void>): Promise<Measured> {
    const { bench, now } = this;
    bench.begin(String.fromCharCode(97 + workloads.indexOf(workload)));
    const start = now();
    let next = bench.machine.run.instructions + every;
    for (let done = 0; bench.measured === undefined; ) {
      if (done < COMMITS && bench.machine.run.instructions >= next) {
        await commit();
        next += every;
        done++;
      }
      bench.advance();
    }
    return { ...bench.measured, ms: now() - start };
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
