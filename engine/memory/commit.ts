/**
 * One commit, step by step. `run` goes to the end; a page that shows the phases, and the interleaving tests, call `step`.
 *
 * Validate and Prepare change nothing that readers see and may refuse. From Swap 1 on nothing can fail: records, bitmaps, arch data
 * and room in every index exist by then.
 */
import type { AddressSpace } from './address-space';
import { describeChanges, inheritedArch } from './describe-change';
import { countDirty } from './dirty-heat';
import type { DirtyLog } from './dirty-log';
import type { DirtyState } from './dirty-state';
import { orBits } from './dirty-state';
import type { Standing } from './index-view';
import { type PageFlow, pageFlow, swapsOf } from './page-flow';
import { arrives, leaves, type Plan, type PlannedChange, type SpacePlan } from './plan';
import { MEMSLOT_INVALID } from './slot-table';
import { sortBy } from './sort-by';
import {
  type Accepted,
  type Change,
  type Commit,
  type CommitEvent,
  type EngineNote,
  type Errno,
  type GfnRange,
  MemFlag,
  type MemslotArch,
  type Phase,
  type Refusal,
} from './types';

type Next = Phase | 'done';

/** A phase that ran, and how long it took, microseconds. */
export interface PhaseTime {
  phase: Phase;
  us: number;
}

/** What a commit needs of its engine. */
export interface CommitHost {
  readonly arch: MemslotArch;
  readonly dirtyLog: DirtyLog;
  readonly zap: 'slot' | 'all';
  /** Microseconds; undefined: nothing is measured. */
  readonly clock: (() => number) | undefined;
  /** Counts commits; a plan is good only for the epoch it was made in. */
  epoch: number;
  /** The commit that is past Prepare; it excludes all others. */
  running: CommitRun | undefined;
  emit(event: CommitEvent): void;
  /** There are listeners for notes. Without any, none are made. */
  readonly observed: boolean;
  note(note: EngineNote): void;
  /** Calls a hook or listener; what it throws must not break the commit. */
  contain(hook: () => void): void;
  /** After the last phase, before the 'commit' event; once per address space. */
  committed(options: CommitOptions, space: AddressSpace, from: number, commit: Accepted): void;
  /** Called instead when the request changed nothing. */
  unchanged(options: CommitOptions): void;
  generation(asId: number): number;
}

/** A change with everything that Prepare made for it. */
interface Prepared {
  plan: PlannedChange;
  change: Change;
  next: number;
  invalid: number;
}

interface SpaceRun {
  plan: SpacePlan;
  flow: PageFlow;
  prepared: Prepared[];
  /** Those whose old slot leaves, and the records that arrive; both by first gfn. */
  leaving: Prepared[];
  arriving: number[];
  /** Generation before the commit. */
  from: number;
}

const ERRNOS: readonly string[] = ['EINVAL', 'EEXIST', 'ENOENT', 'ENOMEM', 'ENXIO', 'E2BIG', 'ESTALE'];

export interface CommitOptions {
  /** For the history. */
  via: 'commit' | 'undo' | 'redo';
  /** How many commits an undo takes back, or a redo does again. */
  steps: number;
  legacy: boolean;
  /** The address space whose generation a request without any change reports. */
  asId: number;
  /** Gets each old slot's dirty state after its last possible write and before it is freed: for harvesting. */
  onLastDirty?: (state: DirtyState | undefined) => void;
}

export class CommitRun {
  phase: Next = 'validate';
  /** Set when `phase` is 'done'. */
  result: Commit | undefined;
  private runs: SpaceRun[] = [];
  private epoch = 0;
  private swaps = 1;
  private stepping = false;
  private readonly times: PhaseTime[] = [];
  private phaseBegan = 0;
  constructor(
    private readonly host: CommitHost,
    private readonly makePlan: () => Plan,
    private readonly options: CommitOptions,
  ) {}

  /** Runs all phases that are left. */
  run(): Commit {
    while (this.phase !== 'done') this.step();
    return this.result!;
  }

  /** Runs the current phase and returns the next one; phases with nothing to do are passed over. */
  step(): Next {
    if (this.stepping) throw new Error(`step() was called from inside the phase ${this.phase} of the same commit`);
    const ran = this.phase;
    this.stepping = true;
    if (this.host.observed && ran !== 'validate' && ran !== 'done') this.host.note({ type: 'phase', phase: ran, slots: this.slots });
    this.phaseBegan = this.host.clock?.() ?? 0;
    try {
      this.phase = this.advance();
    } finally {
      this.stepping = false;
    }
    if (this.host.clock && ran !== 'done') this.times.push({ phase: ran, us: this.sincePhaseBegan() });
    return this.phase;
  }

  private advance(): Next {
    switch (this.phase) {
      case 'validate':
        return this.validate();
      case 'prepare':
        return this.prepare();
      case 'swap1':
        return this.swap1();
      case 'zap':
        return this.zap();
      case 'swap2':
        return this.swap2();
      case 'hooks':
        return this.hooks();
      case 'free':
        return this.free();
      case 'done':
        return 'done';
    }
  }

  /** Gives up; only before the first swap. Returns whether it could. */
  abort(): boolean {
    if (this.phase === 'done' || this.host.running === this) return false;
    this.cancelPrepared();
    this.phase = this.refuse([{ index: -1, errno: 'ESTALE', reason: 'the change set was aborted' }]);
    return true;
  }

  /** What will be swapped and zapped, and the generation that it ends with; undefined before Validate. For previews and for the page. */
  get outlook(): { swaps: number; zapped: GfnRange[]; generation: number } | undefined {
    const first = this.runs[0];
    if (!first) return undefined;
    const { active, nextGeneration } = first.plan.space;
    const generation = first.from + swapsOf(first.flow) * (nextGeneration - active.generation);
    return { swaps: this.swaps, zapped: this.zapped, generation };
  }

  /** Phases that ran so far; empty where the engine has no clock. The time between two steps does not count. */
  get timings(): readonly PhaseTime[] {
    return this.times;
  }

  /** Slots that readers find INVALID now: from Swap 1 to Swap 2. */
  get invalid(): (GfnRange & { slot: number })[] {
    if (this.phase !== 'zap' && this.phase !== 'swap2') return [];
    return this.runs.flatMap(({ plan, prepared }) => {
      const { asId, table } = plan.space;
      const records = prepared.map((item) => item.invalid).filter((record) => record > 0);
      return records.map((record) => {
        const start = table.base[record]!;
        return { asId, slot: table.idOf(record), start, end: start + table.pagesOf(record) };
      });
    });
  }

  private sincePhaseBegan(): number {
    return Math.max(0, Math.round((this.host.clock!() - this.phaseBegan) * 10) / 10);
  }

  /** How the inactive set stands to the active one now. Only of the commit that is past its first swap. */
  get standing(): Standing {
    switch (this.phase) {
      case 'zap':
        return 'before';
      case 'swap2':
        return 'building';
      case 'hooks':
      case 'free':
        return 'behind';
      default:
        return 'same';
    }
  }

  private refuse(refusals: Refusal[]): Next {
    this.result = { ok: false, refusals };
    if (this.host.observed && this.phase !== 'done') this.host.note({ type: 'refused', phase: this.phase, refusals });
    return 'done';
  }

  private get slots(): number[] {
    return this.runs.flatMap(({ plan }) => plan.changes.map(({ region }) => region.id));
  }

  private get busy(): boolean {
    return this.host.running !== undefined && this.host.running !== this;
  }

  private validate(): Next {
    if (this.busy)
      return this.refuse([{ index: -1, errno: 'ESTALE', reason: 'another change set is being committed: try again after it' }]);
    const plan = this.makePlan();
    if (!plan.ok) return this.refuse(plan.refusals);
    this.epoch = this.host.epoch;
    this.runs = plan.spaces.map((space) => ({
      plan: space,
      flow: pageFlow(space),
      prepared: [],
      leaving: [],
      arriving: [],
      from: space.space.active.generation,
    }));
    if (this.host.observed) this.host.note({ type: 'phase', phase: 'validate', slots: this.slots });
    if (this.runs.some((run) => swapsOf(run.flow) === 2)) this.swaps = 2;
    return this.runs.length > 0 ? 'prepare' : this.finishEmpty();
  }

  /** A request that changes nothing costs nothing: no swap, no generation, no event. */
  private finishEmpty(): Next {
    this.swaps = 0;
    this.host.unchanged(this.options);
    this.result = { ok: true, generation: this.host.generation(this.options.asId), swaps: 0, changes: [], zapped: [] };
    return 'done';
  }

  private get stale(): boolean {
    return this.busy || this.epoch !== this.host.epoch;
  }

  private refuseStale(): Next {
    this.cancelPrepared();
    return this.refuse([
      { index: -1, errno: 'ESTALE', reason: 'the layout changed after this change set was validated: validate it again' },
    ]);
  }

  private prepare(): Next {
    if (this.stale) return this.refuseStale();
    try {
      for (const run of this.runs) reserve(run);
    } catch (error) {
      return this.refuse([{ index: -1, errno: 'ENOMEM', reason: `no memory for the change set: ${messageOf(error)}` }]);
    }
    this.host.running = this; // a prepare hook that changes the layout would take the room reserved here
    const refusal = this.prepareAll();
    this.host.running = undefined;
    if (refusal) {
      this.cancelPrepared();
      return this.refuse([refusal]);
    }
    return this.swaps === 2 ? 'swap1' : 'swap2';
  }

  private prepareAll(): Refusal | undefined {
    for (const run of this.runs) {
      const { changes: plans } = run.plan;
      const changes = describeChanges(run.plan, run.flow);
      for (let at = 0; at < plans.length; at++) {
        const plan = plans[at]!;
        const prepared: Prepared = { plan, change: changes[at]!, next: 0, invalid: 0 };
        try {
          this.prepareOne(run, prepared);
        } catch (error) {
          return { index: plan.index, errno: errnoOf(error), reason: `memslot ${plan.region.id} cannot be prepared: ${messageOf(error)}` };
        }
      }
      order(run);
    }
    return undefined;
  }

  /** Allocates what the change needs; may throw. */
  private prepareOne(run: SpaceRun, prepared: Prepared): void {
    const { table } = run.plan.space;
    const { plan, change } = prepared;
    const { region, kind } = plan;
    const logged = kind !== 'delete' && (region.flags & MemFlag.LogDirtyPages) !== 0;
    const kept = kind === 'move' || kind === 'flags-only' ? table.dirty.get(plan.old) : undefined;
    const dirty = logged ? (kept ?? this.host.dirtyLog.newState(region.pages)) : undefined;
    const { old, next } = change;
    let arch = inheritedArch(change);
    if (this.host.arch.prepare) {
      const made = this.host.arch.prepare(old, next, change);
      if (made !== undefined) arch = made;
    }
    run.prepared.push(prepared);
    if (!next) return;
    next.arch = arch;
    prepared.next = table.allocate(region.id, region.base, region.pages, region.hva, region.flags);
    if (dirty) table.dirty.set(prepared.next, dirty);
    if (arch !== undefined) table.arch.set(prepared.next, arch);
  }

  private cancelPrepared(): void {
    for (const run of this.runs.toReversed())
      for (const { change, next } of run.prepared.toReversed()) {
        this.host.contain(() => this.host.arch.cancel?.(change.old, change.next, change));
        if (next) run.plan.space.table.free(next);
      }
    this.runs = [];
  }

  /** Publishes removed and moved slots as INVALID: a vCPU that meets one retries. */
  private swap1(): Next {
    if (this.stale) return this.refuseStale();
    this.host.running = this;
    for (const { plan, flow, prepared } of this.runs) {
      const { space } = plan;
      const { table, hvas } = space;
      for (const item of prepared) {
        const { old } = item.plan;
        if (!flow.invalidated.has(item.plan)) continue;
        item.invalid = table.copy(old, table.flagsOf(old) | MEMSLOT_INVALID);
        space.replace(old, item.invalid);
        hvas.replace(old, item.invalid);
      }
    }
    this.publish(
      1,
      this.runs.filter((run) => swapsOf(run.flow) === 2),
    );
    return 'zap';
  }

  private publish(swap: number, runs: SpaceRun[]): void {
    for (const { plan } of runs) plan.space.publish();
    for (const run of runs) {
      const { asId, nextGeneration: generation } = run.plan.space;
      const of = swapsOf(run.flow);
      this.host.emit({ type: 'publish', asId, generation, swap: Math.min(swap, of), of });
    }
  }

  private quiesce(): void {
    for (const { plan } of this.runs) plan.space.quiesce();
  }

  private get zapped(): GfnRange[] {
    return this.runs.flatMap((run) => run.flow.zapped);
  }

  private zap(): Next {
    this.quiesce();
    const { zap: mode } = this.host;
    const ranges = this.zapped;
    if (mode === 'all' || ranges.length > 0) this.host.emit({ type: 'zap', mode, ranges });
    this.build();
    return 'swap2';
  }

  /** The final set, built in the inactive one, which has had no readers since the grace period ended. */
  private build(): void {
    for (const run of this.runs) {
      const { space } = run.plan;
      const gone = run.leaving.map(({ plan }) => plan.old);
      space.update(gone, run.arriving);
      for (const { plan, next } of run.prepared) if (plan.kind === 'flags-only') space.replace(plan.old, next);
    }
  }

  /** Nothing can write to the pages that go; dirty bits of those that stay are carried over, and the final set is published. */
  private swap2(): Next {
    if (this.swaps === 1) {
      if (this.stale) return this.refuseStale();
      this.host.running = this;
      this.build();
    }
    for (const run of this.runs) {
      carryDirtyBits(run);
      this.lastDirty(run);
      exchangeByHva(run);
    }
    this.publish(this.swaps, this.runs);
    const ranges = this.runs.flatMap((run) => this.newlyLogged(run));
    if (ranges.length > 0) this.host.emit({ type: 'protect', ranges });
    return 'hooks';
  }

  private lastDirty(run: SpaceRun): void {
    const { onLastDirty } = this.options;
    if (!onLastDirty) return;
    for (const { plan } of run.prepared) {
      if (!plan.old) continue;
      const state = run.plan.space.table.dirty.get(plan.old);
      onLastDirty(state);
      if (state && this.host.observed)
        this.host.note({ type: 'harvest', from: 'log', slots: [plan.region.id], pages: countDirty(state, 0, state.pages) });
    }
  }

  /** Pages that keep their translation but whose first write must be seen from now on. */
  private newlyLogged(run: SpaceRun): GfnRange[] {
    const { dirtyLog } = this.host;
    const { asId, table } = run.plan.space;
    if (dirtyLog.initiallySet && !dirtyLog.ringEnabled) return [];
    const logs = (flags: number): boolean => (flags & MemFlag.LogDirtyPages) !== 0;
    const ranges: GfnRange[] = [];
    for (const { plan } of run.prepared) {
      const { base, pages, flags } = plan.region;
      if (plan.kind === 'flags-only' && logs(flags) && !logs(table.flagsOf(plan.old)))
        ranges.push({ asId, start: base, end: base + pages });
    }
    for (const { from, to, start, end } of run.flow.kept)
      if (logs(to.region.flags) && (dirtyLog.ringEnabled || !logs(table.flagsOf(from.old)))) ranges.push({ asId, start, end });
    return ranges;
  }

  private hooks(): Next {
    this.quiesce();
    const { arch } = this.host;
    if (arch.commit)
      for (const { prepared } of this.runs)
        for (const { change } of prepared) this.host.contain(() => arch.commit!(change.old, change.next, change));
    return 'free';
  }

  /** Brings the other set up to date and frees what neither set refers to any more. */
  private free(): Next {
    for (const run of this.runs) {
      const { space } = run.plan;
      const { table } = space;
      const gone = run.leaving.map(({ plan, invalid }) => invalid || plan.old);
      space.update(gone, run.arriving);
      for (const { plan, next } of run.prepared) if (plan.kind === 'flags-only') space.replace(plan.old, next);
      space.settle();
      for (const { plan, invalid } of run.prepared) {
        if (invalid) table.free(invalid);
        if (plan.old) table.free(plan.old);
      }
    }
    this.host.epoch++;
    this.host.running = undefined;
    this.finish();
    return 'done';
  }

  private finish(): void {
    const took = this.host.clock ? { us: this.times.reduce((sum, { us }) => sum + us, this.sincePhaseBegan()) } : {};
    const commits = this.runs.map((run): Accepted => {
      const changes = run.prepared.map((item) => item.change);
      const { generation } = run.plan.space.active;
      return { ok: true, generation, swaps: swapsOf(run.flow), changes, zapped: run.flow.zapped, ...took };
    });
    const first = commits[0]!;
    const changes = commits.length === 1 ? first.changes : commits.flatMap((commit) => commit.changes);
    this.result = commits.length === 1 ? first : { ...first, swaps: this.swaps, changes, zapped: this.zapped };
    for (const [i, run] of this.runs.entries()) this.host.committed(this.options, run.plan.space, run.from, commits[i]!);
    for (const [i, run] of this.runs.entries()) this.host.emit({ type: 'commit', asId: run.plan.space.asId, commit: commits[i]! });
  }
}

/** All room that the commit may need: a new record per arriving slot and an INVALID copy per leaving one. */
function reserve(run: SpaceRun): void {
  let records = 0;
  let slots = 0;
  let maxId = 0;
  for (const { kind, region } of run.plan.changes) {
    if (kind !== 'delete') records++;
    if (leaves(kind)) records++;
    if (arrives(kind)) slots++;
    maxId = Math.max(maxId, region.id);
  }
  run.plan.space.reserve(records, slots, maxId);
}

function carryDirtyBits(run: SpaceRun): void {
  const { table } = run.plan.space;
  if (run.flow.kept.length === 0) return;
  const nextOf = new Map(run.prepared.map((item) => [item.plan, item.next]));
  for (const { from, to, start, end } of run.flow.kept) {
    const source = table.dirty.get(from.old)?.bits;
    const target = table.dirty.get(nextOf.get(to)!)?.bits;
    if (source && target) orBits(target, start - to.region.base, source, start - table.base[from.old]!, end - start);
  }
}

/** The index by hva goes from what readers found so far to the final set. A slot that moves keeps its place in it. */
function exchangeByHva({ plan: { space }, prepared, leaving }: SpaceRun): void {
  for (const { plan, invalid } of leaving) if (plan.kind !== 'move') space.hvas.remove(invalid || plan.old);
  for (const { plan, next, invalid } of prepared) {
    if (plan.kind === 'move' || plan.kind === 'flags-only') space.hvas.replace(invalid || plan.old, next);
    else if (arrives(plan.kind)) space.hvas.insert(next);
  }
}

function order(run: SpaceRun): void {
  const { base } = run.plan.space.table;
  for (const item of run.prepared) {
    if (leaves(item.plan.kind)) run.leaving.push(item);
    if (arrives(item.plan.kind)) run.arriving.push(item.next);
  }
  sortBy(run.leaving, ({ plan }) => base[plan.old]!);
  sortBy(run.arriving, (record) => base[record]!);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function errnoOf(error: unknown): Errno {
  const errno = typeof error === 'object' && error !== null ? (error as { errno?: unknown }).errno : undefined;
  return ERRNOS.includes(String(errno)) ? (errno as Errno) : 'ENOMEM';
}
