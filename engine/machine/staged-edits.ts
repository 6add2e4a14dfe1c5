/**
 * The change set that is being staged. Its edits are what monitor and page say; here they become memory regions, all of them
 * for one commit. At most one operation per slot id, so their order cannot matter.
 */
import { HOST_BASE } from '../abi/layout';
import { type Regions, regionOf } from '../memory/index';
import type { Commit, Errno, MemoryRegion, Refusal } from '../memory/types';
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
import { nearestRoom } from './free-room';
import { follow, type RehostContext, type RehostEdit, rehostOf } from './rehost';
import { SteppedCommit } from './stepped-commit';

const PAGE = 4096;
/** Guest instructions between two ioctls of a legacy commit. */
const LEGACY_SLICE = 200_000;
/** Entries of a change set up to which a refusal names the nearest address. */
const ADVISED = 64;
/** Reasons that the refusal of a stepped commit names. */
const NAMED = 8;

/** Why nothing else may change the layout while a commit is stepped through. */
export const BETWEEN_PHASES = 'a commit is between its phases: run it to its end (changeset_step -a), or abort it before swap 1';

export interface ChangeSetContext extends RehostContext {
  changed(): void;
  /** Lets the guest run, if it runs at all, and others have a turn. False: the commit is to be given up. */
  runBetween(instructions: number): Promise<boolean>;
  /**
   * A commit is about to run that moves these backings: they are carried to their new host memory at its zap, when no vCPU reaches them.
   * What it returns is called with the result.
   */
  carry(moves: readonly Rehost[]): (accepted: boolean) => void;
  /** Guest accesses tried again since power-on. */
  retries(): number;
  /** Memory that the guest counts on where it is. */
  counted(): Counted[];
  /** Why a DIMM cannot be moved there with the guest's consent, and where it can. */
  moveRefusal(id: string, addr: number): { refusal?: string; nearest?: number };
  /** Room for memory that devices keep: nothing else may lie there. Bytes. */
  kept(): readonly { id: string; start: number; end: number }[];
  /** Edits went away or were done: host memory that was taken for them may be free now. */
  collect(): void;
}

/** Regions for the engine, and which staged entry each comes from. */
interface Request {
  regions: MemoryRegion[];
  origin: number[];
  refusals: Refusal[];
  moves: Rehost[];
}

export class StagedEdits implements StagedChangeSet {
  private edits: StagedEdit[] | undefined;
  /** Slot ids that the edits are about. */
  private readonly taken = new Set<number>();
  private committing = false;
  /** While a legacy commit runs, which takes many turns: what was to be seen before it. */
  private before: { entries: readonly StagedEntry[]; preview: MemoryRegion[] | undefined; check: Commit } | undefined;
  private stepped:
    | { commit: SteppedCommit; request: Request; entries: readonly StagedEntry[]; preview: MemoryRegion[] | undefined }
    | undefined;
  /** Counts changes of `edits`. */
  private version = 0;
  /** The last dry run, and what it was of: with thousands of entries it is too dear to do again for every look. */
  private dryRun: { of: string; commit: Commit; unasked?: readonly Unasked[] } | undefined;

  constructor(private readonly context: ChangeSetContext) {}

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
    // The guest runs on: what its vCPUs stand on is looked up again, but not for every look of a large set.
    if (!this.check().ok) return [];
    const known = this.dryRun!;
    known.unasked ??= this.unaskedNow(this.edits);
    return known.unasked;
  }

  private unaskedNow(edits: readonly StagedEdit[]): readonly Unasked[] {
    const { engine, counted } = this.context;
    const { regions, origin, moves } = this.translate(edits);
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

  /** Whether the guest would take the DIMM where it is to go. */
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
    edits.push(this.withHostMemory(edit));
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

  /** Host memory, bytes, that a staged edit maps; of that of a rehost the first byte. */
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

  private checkNow(edits: readonly StagedEdit[]): Commit {
    return this.judge(this.translate(edits));
  }

  /** Every reason: of entries that mean nothing, and of the regions that the others mean. */
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
    const request = this.translate(this.opened());
    return request.refusals.length > 0 ? undefined : this.context.engine.preview({ call: 'delta', regions: request.regions });
  }

  async commit(options: { legacy?: boolean; whole?: boolean } = {}): Promise<Commit> {
    const edits = this.editable();
    const request = this.translate(edits);
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

  get stepping(): Stepping | undefined {
    return this.stepped?.commit.view;
  }

  beginStepped(): void {
    const edits = this.editable();
    if (edits.length === 0) throw new MachineError('the change set is empty: there is nothing to step through');
    const request = this.translate(edits);
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
    if (!this.stepped) throw new MachineError('no stepped commit runs: changeset_commit -s begins one');
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
    // A set that would be refused has no layout: the delta call says why.
    const commit = layout ? engine.setUserMemoryRegions(layout, 0) : engine.changeUserMemoryRegions(regions);
    carried(commit.ok);
    return commit;
  }

  /** The layout that a delta leads to, for the whole-set call. */
  private wholeLayout(regions: readonly MemoryRegion[]): MemoryRegion[] | undefined {
    const spans = new Set(regions.filter(({ span }) => span).map(({ slot }) => slot));
    return this.context.engine
      .preview({ call: 'delta', regions })
      ?.filter(({ asId = 0 }) => asId === 0)
      .map((region) => (spans.has(region.slot) ? { ...region, span: true } : region));
  }

  /** One ioctl after the other, as KVM's users must; the guest runs in between and meets the holes. */
  private async commitLegacy(request: Request): Promise<Commit> {
    const { engine } = this.context;
    const plan = engine.legacyPlan({ call: 'delta', regions: request.regions });
    if (!plan.ok) return plan;
    const done: Extract<Commit, { ok: true }> = { ok: true, generation: engine.generation(), swaps: 0, changes: [], zapped: [] };
    for (const [index, region] of plan.regions.entries()) {
      if (index > 0 && !(await this.context.runBetween(LEGACY_SLICE)))
        throw new MachineError(`given up after ${index} of ${plan.regions.length} calls: what they did stays done`);
      const commit = engine.setUserMemoryRegion(region, { legacy: true });
      // As for KVM's users: what was done before stays done.
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
    if (this.committing) throw new MachineError('this change set is being committed');
  }

  /** The engine's refusals name regions; people staged entries. */
  private mapped(commit: Commit, request: Request): Commit {
    if (commit.ok) return commit;
    const seen = new Set<string>();
    const refusals = commit.refusals.map((refusal) => ({ ...refusal, index: request.origin[refusal.index] ?? -1 }));
    return { ok: false, refusals: refusals.filter((r) => !seen.has(`${r.index} ${r.reason}`) && seen.add(`${r.index} ${r.reason}`)) };
  }

  private translate(edits: readonly StagedEdit[]): Request {
    const request: Request = { regions: [], origin: [], refusals: [], moves: [] };
    edits.forEach((edit, index) => {
      if (edit.op === 'rehost') return;
      if (edit.op === 'add') request.refusals.push(...this.refuseAdd(edit).map((refusal) => ({ ...refusal, index })));
      const meant = this.regionsOf(edit);
      if (!meant.ok) {
        request.refusals.push(...meant.refusals.map((refusal) => ({ ...refusal, index })));
        return;
      }
      for (const region of meant.regions) {
        const kept = this.keptBy(region);
        if (kept) request.refusals.push({ index, errno: 'EEXIST', reason: kept });
        request.regions.push('span' in edit && edit.span ? { ...region, span: true } : region);
        request.origin.push(index);
      }
    });
    this.translateMoves(edits, request);
    return request;
  }

  /** After all others, since what they lead to moves too. */
  private translateMoves(edits: readonly StagedEdit[], request: Request): void {
    const moves: { move: Rehost; index: number }[] = [];
    edits.forEach((edit, index) => {
      if (edit.op !== 'rehost') return;
      const move = rehostOf(edit, this.context);
      const twice = typeof move !== 'string' && moves.some((other) => other.move.from === move.from || other.move.to === move.to);
      if (typeof move !== 'string' && !twice) moves.push({ move, index });
      else request.refusals.push({ index, errno: 'EINVAL', reason: twice ? 'this backing is moved twice' : String(move) });
    });
    follow(moves, this.context.engine, request);
    request.moves = moves.map(({ move }) => move);
  }

  /**
   * Host memory is taken when the edit is staged, so that a dry run can say whether there is any. A size that is refused gets none: the dry
   * run names what else is wrong with the edit.
   */
  private withHostMemory(edit: NewEdit): StagedEdit {
    const { engine, host } = this.context;
    if (edit.op === 'add')
      return { ...edit, hva: edit.hva ?? (isSize(edit.size) ? host.allocate(edit.size, `bare.${edit.slot}`) : HOST_BASE) };
    if (edit.op !== 'rehost') return edit;
    const slot = engine.memslotById(edit.slot);
    const range = slot && host.rangeAt(slot.userspaceAddr);
    return range && edit.hva === undefined && edit.memdev === undefined ? { ...edit, hva: host.allocate(range.size, range.label) } : edit;
  }

  /** What the engine would not refuse: there it would change a slot that exists, or delete one. */
  private refuseAdd({ slot, size }: Extract<StagedEdit, { op: 'add' }>): Omit<Refusal, 'index'>[] {
    const refusals: Omit<Refusal, 'index'>[] = [];
    if (this.context.engine.memslotById(slot))
      refusals.push({ errno: 'EEXIST', reason: `memslot ${slot} exists: use another id, or move or resize it` });
    if (size === 0) refusals.push({ errno: 'EINVAL', reason: 'memorySize is 0: a memslot has at least one page (nearest: 0x1000)' });
    return refusals;
  }

  /** The regions that an edit means, or why it means nothing. */
  private regionsOf(edit: Exclude<StagedEdit, RehostEdit>): Regions {
    const { engine } = this.context;
    switch (edit.op) {
      case 'add': {
        const { slot, flags, gpa: guestPhysAddr, size, hva: userspaceAddr } = edit;
        // Size 0 is refused above and would mean a delete: the other fields are checked with the least size.
        return { ok: true, regions: [{ slot, asId: 0, flags, guestPhysAddr, memorySize: size === 0 ? PAGE : size, userspaceAddr }] };
      }
      case 'move':
        return this.changed(edit.slot, { guestPhysAddr: edit.gpa });
      case 'flags':
        return this.changed(edit.slot, { flags: edit.flags });
      case 'del':
        return this.changed(edit.slot, { memorySize: 0 });
      case 'resize':
        return engine.regionsOf({ call: 'resize', slot: edit.slot, memorySize: edit.size });
      case 'split':
        return engine.regionsOf({ call: 'split', slot: edit.slot, atGpa: edit.gpa, newSlot: edit.newSlot });
      case 'merge':
        return engine.regionsOf({ call: 'merge', slots: edit.slots });
    }
  }

  private changed(slot: number, fields: Partial<MemoryRegion>): Regions {
    const found = this.context.engine.memslotById(slot);
    return found ? { ok: true, regions: [{ ...regionOf(found), ...fields }] } : refuse('ENOENT', `memslot ${slot} does not exist`);
  }

  /** Each question is a pass over the layout, so a large change set asks none. */
  private roomNearest(slot: number, wanted: number, size: number): number | undefined {
    if ((this.edits?.length ?? 0) > ADVISED) return undefined;
    const slots = this.context.engine.memslots(0).filter((other) => other.slot !== slot);
    const taken = slots.map(({ baseGfn, npages }) => ({ start: baseGfn * PAGE, end: (baseGfn + npages) * PAGE }));
    return nearestRoom([...taken, ...this.context.kept()], size, wanted);
  }

  /** A slot must not come to lie in room that a memory device keeps for what it maps itself. The parts of what it maps may be split and joined. */
  private keptBy({ slot, guestPhysAddr: start, memorySize: size, userspaceAddr: hva }: MemoryRegion): string | undefined {
    const end = start + size;
    const { engine } = this.context;
    if (engine.gpaToHva(start) === hva && engine.gpaToHva(end - PAGE) === hva + size - PAGE) return undefined;
    const device = size === 0 ? undefined : this.context.kept().find((range) => range.start < end && start < range.end);
    if (!device) return undefined;
    const now = engine.memslotById(slot);
    const there = now && now.baseGfn * PAGE < device.end && device.start < (now.baseGfn + now.npages) * PAGE;
    if (there) return undefined;
    const grows = now && now.baseGfn * PAGE === start;
    const nearest = grows ? undefined : this.roomNearest(slot, start, size);
    const elsewhere = nearest === undefined ? '' : ` (nearest free address: ${hex(nearest)})`;
    const advice = grows ? ` (nearest size: ${hex(device.start - start)})` : elsewhere;
    return `memslot ${slot} would lie in [${hex(device.start)}:${hex(device.end)}), which memory device '${device.id}' keeps${advice}`;
  }
}

function slotIds(edit: NewEdit): number[] {
  if (edit.op === 'merge') return edit.slots;
  if (edit.op === 'split') return [edit.slot, edit.newSlot];
  if (edit.op === 'rehost') return [];
  return [edit.slot];
}

const isSize = (size: number): boolean => size > 0 && size % PAGE === 0;

function refuse(errno: Errno, reason: string): Regions {
  return { ok: false, refusals: [{ index: 0, errno, reason }] };
}

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}
