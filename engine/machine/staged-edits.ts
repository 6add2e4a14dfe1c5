/**
 * The staged change set. Its edits are those of monitor and page; edit-regions.ts turns them into memory regions for one commit. At most one
 * operation per slot id, so their order cannot matter.
 */
import { regionOf } from '../memory/index';
import type { Commit, MemoryRegion } from '../memory/types';
import {
  MachineError,
  type NewEdit,
  type PhaseReport,
  type StagedChangeSet,
  type StagedEdit,
  type StagedEntry,
  type Stepping,
  type Unasked,
} from './api';
import type { Rehost } from './backends';
import { type Counted, unaskedIn } from './consent';
import { type EditContext, EditRegions, isSize, type Request } from './edit-regions';
import { SteppedCommit } from './stepped-commit';

/** Guest instructions between two ioctls of a legacy commit. */
const LEGACY_SLICE = 200_000;
/** Largest change set whose refusals name the nearest address, entries. */
const ADVISED = 64;
/** Reasons that the refusal of a stepped commit lists. */
const NAMED = 8;

/** Why nothing else may change the layout during a stepped commit. */
export const BETWEEN_PHASES = 'a commit is between its phases: run it to its end (changeset_step -a), or abort it before swap 1';

const COMMITTING = 'this change set is being committed';

export interface ChangeSetContext extends EditContext {
  changed(): void;
  /** Lets the guest run, if it runs at all, and yields to others. False: give up the commit. */
  runBetween(instructions: number): Promise<boolean>;
  /**
   * A commit that moves these backings is about to run: copies them to their new host memory at its zap, when no vCPU can access them. Call the
   * returned function with the result.
   */
  carry(moves: readonly Rehost[]): (accepted: boolean) => void;
  /** Guest accesses retried since power-on. */
  retries(): number;
  /** Memory that the guest uses and expects in place. */
  counted(): Counted[];
  /** Why a DIMM cannot be moved there with the guest's consent, and where it can. */
  moveRefusal(id: string, addr: number): { refusal?: string; nearest?: number };
  /** Edits were dropped or committed: host memory allocated for them may be free now. */
  collect(): void;
}

export class StagedEdits implements StagedChangeSet {
  private edits: StagedEdit[] | undefined;
  /** Slot ids of the edits. */
  private readonly taken = new Set<number>();
  private committing = false;
  /** During a legacy commit, which takes many turns: the view from before it. */
  private before: { entries: readonly StagedEntry[]; preview: MemoryRegion[] | undefined; check: Commit } | undefined;
  private stepped:
    | { commit: SteppedCommit; request: Request; entries: readonly StagedEntry[]; preview: MemoryRegion[] | undefined }
    | undefined;
  /** Counts changes of `edits`. */
  private version = 0;
  /** The last dry run, and what it was for: with thousands of entries it is too expensive to repeat for every query. */
  private dryRun: { of: string; commit: Commit; unasked?: readonly Unasked[] } | undefined;

  private readonly regions: EditRegions;

  constructor(private readonly context: ChangeSetContext) {
    this.regions = new EditRegions(context);
  }

  get open(): boolean {
    return this.edits !== undefined;
  }

  get count(): number {
    return this.edits?.length ?? 0;
  }

  get entries(): readonly StagedEntry[] {
    // Between the phases the layout is not the one that the edits were made for.
    if (this.stepped) return this.stepped.entries;
    if (this.before) return this.before.entries;
    if (!this.edits || this.edits.length === 0) return [];
    const commit = this.check();
    const entries: StagedEntry[] = this.edits.map((edit) => ({ edit, refusals: [] }));
    if (!commit.ok) for (const refusal of commit.refusals) entries[refusal.index]?.refusals.push(refusal);
    for (const each of this.unasked) {
      const entry = entries[each.index];
      if (entry) entry.unasked = [...(entry.unasked ?? []), each];
    }
    return entries;
  }

  get unasked(): readonly Unasked[] {
    if (!this.edits?.length || this.stepped || this.before) return [];
    // The guest runs on: what its vCPUs run from is looked up again, but not for every query of a large set.
    if (!this.check().ok) return [];
    const known = this.dryRun!;
    known.unasked ??= this.unaskedNow(this.edits);
    return known.unasked;
  }

  private unaskedNow(edits: readonly StagedEdit[]): readonly Unasked[] {
    const { engine, counted } = this.context;
    const { regions, origin, moves } = this.translated(edits);
    const then = engine.preview({ call: 'delta', regions });
    if (!then) return [];
    const entries = new Map(regions.map((region, i) => [region.slot, origin[i]!]));
    const layouts = {
      now: engine.memslots(0).map(regionOf),
      then,
      carried: (hva: number) => {
        const move = moves.find(({ from, size }) => hva >= from && hva < from + size);
        return move ? hva - move.from + move.to : hva;
      },
    };
    const found = unaskedIn(counted(), layouts, (slot) => {
      const index = entries.get(slot);
      return index === undefined ? undefined : { index, edit: edits[index]! };
    });
    return found.map((each) => this.withRefusal(each));
  }

  unaskedBy(then: readonly MemoryRegion[]): Unasked[] {
    const { engine, counted } = this.context;
    const next = new Map(then.filter(({ asId = 0 }) => asId === 0).map((region) => [region.slot, region]));
    const layouts = { now: engine.memslots(0).map(regionOf), then, carried: (hva: number) => hva };
    const found = unaskedIn(counted(), layouts, (slot) => {
      const gpa = next.get(slot)?.guestPhysAddr;
      return {
        index: -1,
        edit:
          gpa === undefined || gpa === regionOf(engine.memslotById(slot)!).guestPhysAddr ? { op: 'del', slot } : { op: 'move', slot, gpa },
      };
    });
    return found.map((each) => this.withRefusal(each));
  }

  /** Would the guest take the DIMM at its new address? */
  private withRefusal(each: Unasked): Unasked {
    return each.ask?.do === 'move' ? { ...each, ask: { ...each.ask, ...this.context.moveRefusal(each.ask.dimm, each.ask.addr) } } : each;
  }

  begin(): void {
    if (this.edits) throw new MachineError('a change set is already open: commit or abort it first');
    this.edits = [];
    this.edited();
    this.context.changed();
  }

  stage(edit: NewEdit): void {
    const edits = this.editable();
    const mine = slotIds(edit);
    const taken = mine.find((id) => this.taken.has(id));
    const twice = mine.find((id, index) => mine.indexOf(id) !== index);
    if (twice !== undefined) throw new MachineError(`memslot ${twice} is named twice`);
    if (taken !== undefined)
      throw new MachineError(`memslot ${taken} already has an operation in this change set: at most one per memslot id`);
    edits.push(this.regions.withHostMemory(edit));
    for (const id of mine) this.taken.add(id);
    this.version++;
    this.context.changed();
  }

  drop(index: number): void {
    const edits = this.editable();
    if (!Number.isInteger(index) || index < 0 || index >= edits.length) {
      throw new MachineError(`the change set has no entry ${index}: it has ${edits.length}`);
    }
    edits.splice(index, 1);
    this.edited();
    this.context.collect();
    this.context.changed();
  }

  abort(): void {
    this.opened();
    this.notCommitting();
    if (this.stepped) {
      this.stepped.commit.abort();
      this.stepped = undefined;
      this.context.changed();
      return;
    }
    this.edits = undefined;
    this.edited();
    this.context.collect();
    this.context.changed();
  }

  /** Host memory, bytes, that a staged edit maps; for a rehost, its first byte. */
  forEachHostRange(visit: (start: number, size: number) => void): void {
    for (const edit of this.edits ?? []) {
      if (edit.op === 'add' && isSize(edit.size)) visit(edit.hva, edit.size);
      else if (edit.op === 'rehost' && edit.hva !== undefined) visit(edit.hva, 1);
    }
  }

  check(): Commit {
    if (this.before) return this.before.check;
    const edits = this.editable();
    const { engine, host } = this.context;
    const layout = [0, 1].map((asId) => `${engine.generation(asId)}${engine.generationInProgress(asId) ? '*' : ''}`);
    const of = `${this.version} ${layout} ${host.version}`;
    if (this.dryRun?.of !== of) this.dryRun = { of, commit: this.checkNow(edits) };
    return this.dryRun.commit;
  }

  private translated(edits: readonly StagedEdit[]): Request {
    return this.regions.translate(edits, (this.edits?.length ?? 0) <= ADVISED);
  }

  private checkNow(edits: readonly StagedEdit[]): Commit {
    return this.judge(this.translated(edits));
  }

  /** All reasons: of entries without regions, and of the regions of the others. */
  private judge(request: Request): Commit {
    const commit = this.mapped(this.context.engine.check(request.regions), request);
    if (request.refusals.length === 0) return commit;
    const refusals = [...request.refusals, ...(commit.ok ? [] : commit.refusals)];
    return { ok: false, refusals: refusals.sort((a, b) => a.index - b.index) };
  }

  private reasons(request: Request): string {
    const commit = this.judge(request);
    const refusals = commit.ok ? [] : commit.refusals;
    const texts = refusals.slice(0, NAMED).map(({ index, errno, reason }) => `entry ${index + 1}: ${errno}: ${reason}`);
    return [...texts, ...(refusals.length > NAMED ? [`and ${refusals.length - NAMED} more (changeset_check)`] : [])].join('; ');
  }

  preview(): MemoryRegion[] | undefined {
    if (this.stepped) return this.stepped.preview;
    if (this.before) return this.before.preview;
    const request = this.translated(this.opened());
    return request.refusals.length > 0 ? undefined : this.context.engine.preview({ call: 'delta', regions: request.regions });
  }

  async commit(options: { legacy?: boolean; whole?: boolean } = {}): Promise<Commit> {
    const edits = this.editable();
    const request = this.translated(edits);
    if (request.refusals.length > 0) return this.judge(request);
    if (options.legacy && request.moves.length > 0)
      throw new MachineError('memslot_rehost needs an atomic commit: the guest would write to the old memory while it is copied');
    if (options.legacy) this.before = { entries: this.entries, preview: this.preview(), check: this.check() };
    this.committing = true;
    try {
      const commit = options.legacy ? await this.commitLegacy(request) : this.commitAtomic(request, options.whole);
      if (commit.ok) {
        this.edits = undefined;
        this.edited();
        this.context.collect();
      }
      return this.mapped(commit, request);
    } finally {
      this.before = undefined;
      this.committing = false;
      this.context.changed();
    }
  }

  get underWay(): string | undefined {
    if (this.stepped) return BETWEEN_PHASES;
    return this.committing ? COMMITTING : undefined;
  }

  /** The open set's edits, for a checkpoint. */
  keep(): readonly StagedEdit[] | undefined {
    return this.edits && [...this.edits];
  }

  putBack(kept: readonly StagedEdit[] | undefined): void {
    this.edits = kept && [...kept];
    this.edited();
    this.context.changed();
  }

  get stepping(): Stepping | undefined {
    return this.stepped?.commit.view;
  }

  beginStepped(): void {
    const edits = this.editable();
    if (edits.length === 0) throw new MachineError('the change set is empty: there is nothing to step through');
    const request = this.translated(edits);
    if (request.refusals.length > 0) throw new MachineError(this.reasons(request));
    const run = this.context.engine.beginCommit({ call: 'delta', regions: request.regions });
    const commit = new SteppedCommit(run, {
      retries: () => this.context.retries(),
      generation: () => this.context.engine.generation(),
      begin: () => this.context.carry(request.moves),
    });
    this.stepped = { commit, request, entries: this.entries, preview: this.preview() };
    this.context.changed();
  }

  step(): PhaseReport {
    if (!this.stepped) throw new MachineError('no stepped commit is running: changeset_commit -s begins one');
    const { commit, request } = this.stepped;
    const report = commit.step();
    if (report.commit) {
      this.stepped = undefined;
      if (report.commit.ok) {
        this.edits = undefined;
        this.edited();
        this.context.collect();
      }
      report.commit = this.mapped(report.commit, request);
    }
    this.context.changed();
    return report;
  }

  /** A vCPU met an INVALID slot at this gfn. */
  retried(gfn: number): void {
    this.stepped?.commit.retried(gfn);
  }

  finish(): PhaseReport[] {
    const reports = [this.step()];
    while (!reports.at(-1)!.commit) reports.push(this.step());
    return reports;
  }

  setZap(mode: string): void {
    if (mode !== 'slot' && mode !== 'all') throw new MachineError(`zap mode '${mode}' does not exist: use slot or all`);
    if (this.stepped) throw new MachineError(BETWEEN_PHASES);
    this.context.engine.zap = mode;
    this.context.changed();
  }

  private commitAtomic({ regions, moves }: Request, whole = false): Commit {
    const { engine } = this.context;
    const carried = this.context.carry(moves);
    const layout = whole ? this.wholeLayout(regions) : undefined;
    // A set that would be refused has no layout: the delta call reports why.
    const commit = layout ? engine.setUserMemoryRegions(layout, 0) : engine.changeUserMemoryRegions(regions);
    carried(commit.ok);
    return commit;
  }

  /** The layout that results from a delta, for the whole-set call. */
  private wholeLayout(regions: readonly MemoryRegion[]): MemoryRegion[] | undefined {
    const spans = new Set(regions.filter(({ span }) => span).map(({ slot }) => slot));
    return this.context.engine
      .preview({ call: 'delta', regions })
      ?.filter(({ asId = 0 }) => asId === 0)
      .map((region) => (spans.has(region.slot) ? { ...region, span: true } : region));
  }

  /** One ioctl after the other, as KVM's users must; the guest runs in between and sees the holes. */
  private async commitLegacy(request: Request): Promise<Commit> {
    const { engine } = this.context;
    const plan = engine.legacyPlan({ call: 'delta', regions: request.regions });
    if (!plan.ok) return plan;
    const done: Extract<Commit, { ok: true }> = { ok: true, generation: engine.generation(), swaps: 0, changes: [], zapped: [] };
    for (const [index, region] of plan.regions.entries()) {
      if (index > 0 && !(await this.context.runBetween(LEGACY_SLICE)))
        throw new MachineError(`cancelled after ${index} of ${plan.regions.length} calls: their effects remain`);
      const commit = engine.setUserMemoryRegion(region, { legacy: true });
      // As for KVM's users, calls already made stay made.
      if (!commit.ok) return commit;
      done.generation = commit.generation;
      done.swaps += commit.swaps;
      done.changes.push(...commit.changes);
      done.zapped.push(...commit.zapped);
    }
    return done;
  }

  private edited(): void {
    this.taken.clear();
    for (const edit of this.edits ?? []) for (const id of slotIds(edit)) this.taken.add(id);
    this.version++;
    this.dryRun = undefined;
  }

  private opened(): StagedEdit[] {
    if (!this.edits) throw new MachineError('no change set is open: changeset_begin opens one');
    return this.edits;
  }

  private editable(): StagedEdit[] {
    const edits = this.opened();
    if (this.stepped) throw new MachineError(BETWEEN_PHASES);
    this.notCommitting();
    return edits;
  }

  private notCommitting(): void {
    if (this.committing) throw new MachineError(COMMITTING);
  }

  /** The engine's refusals name regions; these name staged entries. */
  private mapped(commit: Commit, request: Request): Commit {
    if (commit.ok) return commit;
    const seen = new Set<string>();
    const refusals = commit.refusals.map((refusal) => ({ ...refusal, index: request.origin[refusal.index] ?? -1 }));
    return { ok: false, refusals: refusals.filter((r) => !seen.has(`${r.index} ${r.reason}`) && seen.add(`${r.index} ${r.reason}`)) };
  }
}

function slotIds(edit: NewEdit): number[] {
  if (edit.op === 'merge') return edit.slots;
  if (edit.op === 'split') return [edit.slot, edit.newSlot];
  if (edit.op === 'rehost') return [];
  return [edit.slot];
}
