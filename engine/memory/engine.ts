/**
 * The memslot engine: guest-physical memory as memslots per address space, changed by KVM's call and by the atomic calls that KVM
 * never got. Pure: it knows no vCPU and no device; parts that must act on a commit subscribe. docs/memslots.md has the semantics.
 */
import { AddressSpace } from './address-space';
import { ChangeSet, regionOf } from './change-set';
import { type CommitHost, type CommitOptions, CommitRun } from './commit';
import { type ClearDirtyLog, DirtyLog, type DirtyLogAnswer, type Done } from './dirty-log';
import { foresee } from './dry-run';
import { type Footprint, footprintOf } from './footprint';
import { GfnCache } from './gfn-cache';
import type { IndexKind, IndexShape } from './gfn-index';
import { History, type HistoryEntry, type SavedHistory } from './history';
import type { IndexStep } from './index-trace';
import { IndexInspector, type IndexView } from './index-view';
import { legacyCalls } from './legacy';
import { type Limits, limitsOf, PAGE_SIZE } from './limits';
import { Listeners } from './listeners';
import type { Plan, PlanMode } from './plan';
import { type CommitRequest, Planner, type VerbRequest } from './requests';
import { SlotReader } from './slot-reader';
import type { BackingRule, Commit, CommitEvent, EngineNote, MemoryRegion, Memslot, MemslotEngineOptions } from './types';
import type { Regions } from './verbs';
import { verifySpace } from './verify';

export const DEFAULT_INDEX: IndexKind = 'btree';

/** By asId: its generation, and what can be undone and redone there. */
export type Timeline = readonly { generation: number; history: SavedHistory }[];

export class MemslotEngine {
  readonly limits: Limits;
  readonly indexKind: IndexKind;
  readonly dirtyLog: DirtyLog;
  private readonly reader: SlotReader;
  private readonly spaces: AddressSpace[] = [];
  private readonly histories: History[] = [];
  private readonly caches: GfnCache[] = [];
  private readonly inspectors: IndexInspector[] = [];
  private readonly listeners: Listeners;
  private readonly planner: Planner;
  private readonly host: CommitHost;
  private readonly backings: BackingRule | undefined;
  private zapMode: 'slot' | 'all';

  /** Throws RangeError naming an option out of range. */
  constructor(options: MemslotEngineOptions = {}) {
    this.limits = limitsOf(options);
    this.indexKind = options.index ?? DEFAULT_INDEX;
    if (!['array', 'rbtree', 'btree'].includes(this.indexKind))
      throw new RangeError(`option index is ${String(options.index)}: use array, rbtree or btree`);
    this.backings = options.backings;
    this.reader = new SlotReader(this.limits.spaces);
    this.zapMode = 'slot';
    this.zap = options.zap ?? 'slot';
    this.listeners = new Listeners(options.onListenerError ?? (() => {}));
    const historyLimit = options.historyLimit ?? 256;
    for (let asId = 0; asId < this.limits.spaces; asId++) {
      this.spaces.push(new AddressSpace(asId, this.reader, this.indexKind));
      this.histories.push(new History(historyLimit));
    }
    this.planner = new Planner(this.limits, this.spaces, this.histories, this.backings);
    const { listeners } = this;
    this.dirtyLog = new DirtyLog(this.limits, this.spaces, {
      protect: (ranges) => listeners.emit({ type: 'protect', ranges }),
      get observed() {
        return listeners.observed;
      },
      note: (note) => listeners.note(note),
    });
    this.host = this.makeHost(options);
  }

  private makeHost({ arch = {}, clock }: MemslotEngineOptions): CommitHost {
    const engine = this;
    const { listeners } = this;
    return {
      arch,
      clock,
      dirtyLog: this.dirtyLog,
      get zap() {
        return engine.zapMode;
      },
      epoch: 0,
      running: undefined,
      emit: (event) => listeners.emit(event),
      get observed() {
        return listeners.observed;
      },
      note: (note) => listeners.note(note),
      contain: (hook) => listeners.contain(hook),
      generation: (asId) => engine.generation(asId),
      committed: ({ via, legacy, steps }, space, from, commit) => {
        const history = engine.histories[space.asId]!;
        history.record(space.asId, from, commit, { via, legacy, backings: engine.backings?.version ?? 0 });
        if (via !== 'commit') history.travelled(via, steps);
      },
      unchanged: ({ via, asId, steps }) => {
        if (via !== 'commit') engine.histories[asId]?.travelled(via, steps);
      },
    };
  }

  /** What a delete or move drops: only that slot's translations, or every one (KVM_X86_QUIRK_SLOT_ZAP_ALL). May be set between commits. */
  get zap(): 'slot' | 'all' {
    return this.zapMode;
  }

  set zap(mode: 'slot' | 'all') {
    if (mode !== 'slot' && mode !== 'all') throw new RangeError(`zap is ${String(mode)}: use slot or all`);
    if (this.host?.running) throw new Error('a commit is between its phases: zap can be set when it is over');
    this.zapMode = mode;
  }

  // ---- changes ------------------------------------------------------------------------------------------------------------

  /** Exactly KVM_SET_USER_MEMORY_REGION. `legacy` marks the history entry as part of a request issued call by call. */
  setUserMemoryRegion(region: MemoryRegion, options: { legacy?: boolean } = {}): Commit {
    return this.beginCommit({ call: 'region', region, ...options }).run();
  }

  /** The delta call: all or nothing, validated against the final layout, at most one operation per slot id, at most two swaps. */
  changeUserMemoryRegions(regions: readonly MemoryRegion[]): Commit {
    return this.beginCommit({ call: 'delta', regions }).run();
  }

  /** "Make it look like this": slots of the address space that are not named are deleted, those already right are not touched. */
  setUserMemoryRegions(regions: readonly MemoryRegion[], asId = 0): Commit {
    return this.beginCommit({ call: 'whole', regions, asId }).run();
  }

  resizeMemslot(slot: number, memorySize: number, asId = 0): Commit {
    return this.beginCommit({ call: 'resize', slot, memorySize, asId }).run();
  }

  splitMemslot(slot: number, atGpa: number, newSlot: number, asId = 0): Commit {
    return this.beginCommit({ call: 'split', slot, atGpa, newSlot, asId }).run();
  }

  mergeMemslots(slots: readonly number[], asId = 0): Commit {
    return this.beginCommit({ call: 'merge', slots, asId }).run();
  }

  /** `bitmap`: the dirty bits at the instant after the last possible write; absent where the slot has no bitmap. */
  deleteAndHarvest(slot: number, asId = 0): Commit & { bitmap?: Uint8Array } {
    const region: MemoryRegion = { slot, asId, guestPhysAddr: 0, memorySize: 0, userspaceAddr: 0 };
    let bitmap: Uint8Array | undefined;
    const commit = this.newRun({ call: 'region', region }, (state) => {
      bitmap = state?.bits?.slice();
    }).run();
    return bitmap ? { ...commit, bitmap } : commit;
  }

  /** A change set as a value; ESTALE where the layout is not the one it was made for. */
  apply(changes: ChangeSet): Commit {
    return this.beginCommit({ call: 'apply', changes }).run();
  }

  /**
   * Commits the inverse of the newest commit that was not undone yet, or of the newest `steps` of them, in one commit. ENOENT: there are fewer
   * than that.
   */
  undo(asId = 0, steps = 1): Commit {
    return this.beginCommit({ call: 'undo', asId, steps }).run();
  }

  /** Commits again what the last undo took back (`steps` of them, in one commit). ENOENT: there is none, or something else was committed since. */
  redo(asId = 0, steps = 1): Commit {
    return this.beginCommit({ call: 'redo', asId, steps }).run();
  }

  /** A commit to be stepped through its phases; the calls above are this one, run to the end. */
  beginCommit(request: CommitRequest): CommitRun {
    return this.newRun(request);
  }

  private newRun(request: CommitRequest, onLastDirty?: CommitOptions['onLastDirty']): CommitRun {
    const asId = 'asId' in request ? request.asId : request.call === 'region' ? request.region?.asId : undefined;
    const via = request.call === 'undo' || request.call === 'redo' ? request.call : 'commit';
    const legacy = request.call === 'region' && request.legacy === true;
    const steps = 'steps' in request ? (request.steps ?? 1) : 1;
    const options: CommitOptions = { via, steps, legacy, asId: asId ?? 0 };
    if (onLastDirty) options.onLastDirty = onLastDirty;
    return new CommitRun(this.host, () => this.planner.plan(request), options);
  }

  // ---- dry runs -----------------------------------------------------------------------------------------------------------

  /** Dry run of `changeUserMemoryRegions` up to Prepare: what it would do, or every reason against it. */
  check(regions: readonly MemoryRegion[]): Commit {
    return this.foresee(this.planner.planRegions(regions, { type: 'delta' }));
  }

  /** Dry run of any request. */
  checkRequest(request: CommitRequest): Commit {
    return this.foresee(this.planner.plan(request));
  }

  /**
   * Dry run of `changeUserMemoryRegions`, or with `asId` of `setUserMemoryRegions`, that does not ask the backing rule: for callers about to
   * change the backings too.
   */
  checkUnbacked(regions: readonly MemoryRegion[], asId?: number): Commit {
    const mode: PlanMode = asId === undefined ? { type: 'delta' } : { type: 'whole', asId };
    return this.foresee(this.planner.planRegions(regions, mode, { backings: undefined }));
  }

  private foresee(plan: Plan): Commit {
    return foresee(plan, this.generation(), this.limits.spaces);
  }

  /** The layout that a request would lead to, in gfn order; undefined where it is refused. */
  preview(request: CommitRequest, asId = 0): MemoryRegion[] | undefined {
    const answer = this.checkRequest(request);
    if (!answer.ok) return undefined;
    const layout = this.layout(asId);
    const changes = answer.changes.filter((change) => (change.old ?? change.next)!.asId === asId);
    return ChangeSet.ofChanges(changes)
      .apply(layout)
      .sort((a, b) => a.guestPhysAddr - b.guestPhysAddr);
  }

  /** The regions of one change set that do what a resize, split or merge does: to be joined with others in one delta. */
  regionsOf(request: VerbRequest): Regions {
    return this.planner.regionsOf(request);
  }

  /** The single calls that stand for a request on today's KVM, to be issued in this order; or why it is refused as a whole. */
  legacyPlan(request: CommitRequest): Regions {
    const plan = this.planner.plan(request);
    return plan.ok ? { ok: true, regions: legacyCalls(plan.spaces) } : plan;
  }

  // ---- lookups ------------------------------------------------------------------------------------------------------------

  /** A slot that is being removed shows with MEMSLOT_INVALID among its flags. */
  memslotAt(gfn: number, asId = 0): Memslot | undefined {
    return this.spaces[asId]?.viewAt(gfn);
  }

  /** The id of the slot at a gfn, INVALID or not; -1: there is none. Allocates nothing. */
  slotIdAt(gfn: number, asId = 0): number {
    const set = this.reader.set(asId);
    const record = set?.find(gfn);
    return record ? set!.table.idOf(record) : -1;
  }

  memslotById(slot: number, asId = 0): Memslot | undefined {
    const space = this.spaces[asId];
    const record = space && Number.isInteger(slot) && slot >= 0 ? space.active.byId(slot) : 0;
    return record ? space!.table.view(record) : undefined;
  }

  /** Slots whose backing overlaps [start, end), bytes, in order of their first hva. */
  memslotsByHva(start: number, end: number, asId = 0): Memslot[] {
    const space = this.spaces[asId];
    if (!space || !(start < end)) return [];
    const records: number[] = [];
    space.hvas.overlapping(start, end, records);
    return records.map((record) => space.table.view(record));
  }

  /** In gfn order. */
  memslots(asId = 0): Memslot[] {
    const space = this.spaces[asId];
    const records: number[] = [];
    space?.active.gfns.collect(records);
    return records.map((record) => space!.table.view(record));
  }

  /** In gfn order, as requests name them. */
  layout(asId = 0): MemoryRegion[] {
    const space = this.spaces[asId];
    const records: number[] = [];
    space?.active.gfns.collect(records);
    return records.map((record) => regionOf(space!.table.describe(record)));
  }

  /** As a request names it: a new object each time. */
  regionById(slot: number, asId = 0): MemoryRegion | undefined {
    return this.spaces[asId]?.regionById(slot);
  }

  /** Bytes; -1 where no slot maps it, or the slot is INVALID. */
  gpaToHva(gpa: number, asId = 0): number {
    const set = this.reader.set(asId);
    return set ? set.hvaAt(gpa) : -1;
  }

  slotCount(asId = 0): number {
    return this.spaces[asId]?.active.count ?? 0;
  }

  /** Starts at asId and grows by the number of address spaces with every swap. */
  generation(asId = 0): number {
    return this.spaces[asId]?.active.generation ?? -1;
  }

  /** Between a publish and its grace period: the old set may still be read, nothing found now may be cached (KVM: bit 63). */
  generationInProgress(asId = 0): boolean {
    return this.spaces[asId]?.inProgress ?? false;
  }

  /** A vCPU's cache. Rings must be switched on before the first one. */
  createCache(asId = 0): GfnCache {
    const cache = new GfnCache(this.reader, asId, this.dirtyLog.newVcpu());
    this.caches.push(cache);
    return cache;
  }

  // ---- dirty pages --------------------------------------------------------------------------------------------------------

  /** A write from outside any vCPU (a device); vCPUs use their cache's. */
  markDirty(gfn: number, asId = 0): void {
    const space = this.spaces[asId];
    if (space) this.dirtyLog.markDirty(space, gfn);
  }

  /** KVM_GET_DIRTY_LOG: harvests (gets and clears), or with manual protect only gets. */
  getDirtyLog(slot: number, asId = 0): DirtyLogAnswer {
    return this.dirtyLog.get(slot, asId);
  }

  /** KVM_CLEAR_DIRTY_LOG. */
  clearDirtyLog(request: ClearDirtyLog): Done {
    return this.dirtyLog.clear(request);
  }

  /** A copy of the slot's dirty bits, nothing harvested; undefined where there are none. */
  peekDirtyLog(slot: number, asId = 0): Uint8Array | undefined {
    return this.dirtyLog.peek(slot, asId);
  }

  /** Puts saved dirty bits in place of the slot's own. False, and nothing is changed, where the slot has none or another number of bytes. */
  loadDirtyLog(slot: number, bitmap: Uint8Array, asId = 0): boolean {
    return this.dirtyLog.load(slot, asId, bitmap);
  }

  // ---- history and events -------------------------------------------------------------------------------------------------

  /** Oldest first. */
  history(asId = 0): readonly HistoryEntry[] {
    return this.histories[asId]?.entries ?? [];
  }

  /** What changed from one generation to another (either way round), as one change set; undefined where the history does not reach. */
  diff(from: number, to: number, asId = 0): ChangeSet | undefined {
    return this.histories[asId]?.diff(from, to);
  }

  /** Whether an undo or redo, in any address space, could map host memory of [start, end), bytes, again. */
  historyMayMap(start: number, end: number): boolean {
    let found = false;
    for (const history of this.histories)
      history.forEachHostRange((hva, size) => {
        found ||= hva < end && start < hva + size;
      });
    return found;
  }

  /** Visits host memory, bytes, that a memslot maps. Here and below, the same range may be visited several times. */
  forEachMappedRange(visit: (start: number, size: number) => void): void {
    for (const space of this.spaces) {
      const records: number[] = [];
      space.active.gfns.collect(records);
      for (const record of records) visit(space.table.hvaOf(record), space.table.pagesOf(record) * PAGE_SIZE);
    }
  }

  /** Host memory, bytes, that an undo or redo could map again if it has not changed hands since that version of the backing rule. */
  forEachKeptRange(visit: (start: number, size: number, since: number) => void): void {
    for (const history of this.histories) history.forEachHostRange(visit);
  }

  /** The commits so far can no longer be undone, redone or compared: their host memory has been replaced. */
  forgetHistory(): void {
    for (const history of this.histories) history.forget();
  }

  /** Generations and histories of all address spaces. */
  timeline(): Timeline {
    return this.spaces.map(({ active }, asId) => ({ generation: active.generation, history: this.histories[asId]!.save() }));
  }

  /** For a layout that was restored to what it was when `timeline` was called: restores generations and histories too. */
  rewind(timeline: Timeline): void {
    for (const [asId, { generation, history }] of timeline.entries()) {
      this.spaces[asId]!.rewind(generation);
      this.histories[asId]!.load(history);
    }
    for (const cache of this.caches) cache.forget();
  }

  canUndo(asId = 0): boolean {
    return this.undoDepth(asId) > 0;
  }

  canRedo(asId = 0): boolean {
    return (this.histories[asId]?.redoDepth ?? 0) > 0;
  }

  /** Commits that undo can take back. */
  undoDepth(asId = 0): number {
    return this.histories[asId]?.depth ?? 0;
  }

  /** Errors of a listener go to onListenerError; the commit and the other listeners continue. Returns a function that unsubscribes. */
  subscribe(listener: (event: CommitEvent) => void): () => void {
    return this.listeners.subscribe(listener);
  }

  /** Reports everything else: phases, refusals, harvests. Without a listener no notes are made. Returns a function that unsubscribes. */
  observe(listener: (note: EngineNote) => void): () => void {
    return this.listeners.observe(listener);
  }

  // ---- inspection ---------------------------------------------------------------------------------------------------------

  /** The index by gfn of the active set. */
  indexShape(asId = 0): IndexShape | undefined {
    return this.spaces[asId]?.active.gfns.shape();
  }

  /** The nodes that a lookup of gfn visits. */
  traceLookup(gfn: number, asId = 0): IndexStep[] {
    return this.spaces[asId]?.active.gfns.trace(gfn).steps ?? [];
  }

  /**
   * Both sets in all three indexes, and a lookup of gpa (bytes) in each. The indexes that are not in use exist from the first call on and
   * are brought up to date by the next; undefined: there is no such address space.
   */
  inspectIndexes(gpa?: number, asId = 0): IndexView | undefined {
    return this.inspector(asId)?.look(gpa, this.host.running?.standing ?? 'same');
  }

  /**
   * Does the work of `inspectIndexes` piece by piece: with many thousand slots the first look takes a tenth of a second. Anything may happen
   * between two pieces.
   */
  *prepareInspection(asId = 0): Generator<void> {
    const inspector = this.inspector(asId);
    if (inspector) yield* inspector.catchUp();
  }

  private inspector(asId: number): IndexInspector | undefined {
    const space = this.spaces[asId];
    if (space) this.inspectors[asId] ??= new IndexInspector(space, this.indexKind);
    return this.inspectors[asId];
  }

  /** Throws Error where an address space is not sound at rest. O(n). */
  verify(): void {
    for (const space of this.spaces) verifySpace(space);
  }

  footprint(asId = 0): Footprint {
    return footprintOf(this.spaces[asId]!);
  }
}
