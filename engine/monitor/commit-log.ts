/**
 * The history of commits for `info generations` and the page: one entry per change set (a legacy change set, many ioctls, is one entry), with a
 * position that undo and redo move. One log per machine, shared by its monitors.
 */

import type { DeviceCommit, Machine, Unasked } from '../machine/index';
import { BETWEEN_PHASES } from '../machine/index';
import type { Change, Commit, CommitEvent, GfnRange, Memslot } from '../memory/types';
import { MemFlag } from '../memory/types';
import { titleOf } from './commit-title';
import { type DeviceShare, judge, shareOf } from './device-undo';

const PAGE = 4096;
/** Commits to keep, and their changes in total; older ones are dropped first. The engine's own history is as long. */
const MAX_COMMITS = 256;
const MAX_CHANGES = 65536;
/** Why a commit that the engine's history has dropped cannot be undone. */
const FORGOTTEN = 'lies further back than the history of the memslot engine reaches';

export interface CommitEntry {
  generation: number;
  /** "+ dimm1", "+ 9 mem1", "4 <-> 5" */
  title: string;
  swaps: number;
  zappedPages: number;
  /** Duration of its phases, microseconds, without the time between two phases, or two ioctls of a legacy commit. */
  us: number;
  legacy: boolean;
  /** It was a whole-set switch. */
  whole?: boolean;
  /** Guest accesses without a slot, from this commit to the next. */
  holes: number;
  /** Retries of guest accesses that waited for its second swap. */
  retries: number;
  /** The device through which the guest made it; absent: a person made it. */
  by?: string;
  /** Ids of the slots that it created, moved, changed or deleted. */
  changed: number[];
  /** ms since 1970 */
  at: number;
  /** The guest's instruction count at the commit, of all vCPUs. */
  instructions: number;
}

export interface Travel {
  /** What was undone or redone: the entry's title in quotes, or how many. */
  title: string;
  commit: Commit;
  /** A warning, one line. */
  note?: string;
  /** Memory that it took from the guest without its consent. */
  unasked: readonly Unasked[];
}

interface Entry extends CommitEntry {
  changes: Change[];
  /** Number of commits of the engine: undo must revert as many. */
  steps: number;
  /** The machine's holes when it began. */
  holesBefore: number;
  /** The name of each slot at the time. */
  names: Map<number, string>;
  /** Memory devices that it plugged or unplugged. */
  devices: DeviceShare[];
  /** Why it cannot be undone: "it ...". */
  final?: string;
}

interface KeptLog {
  log: readonly Entry[];
  position: number;
  holesCounted: number;
}

/** A slot at two moments of the history; absent: it was not there. */
export interface SlotDifference {
  slot: number;
  /** Without the part in brackets: "dimm1". */
  name: string;
  before?: SlotPlace;
  after?: SlotPlace;
}

/** Bytes. */
export interface SlotPlace {
  gpa: number;
  size: number;
  hva: number;
  /** MemFlag bits */
  flags: number;
}

export class CommitLog {
  private readonly log: Entry[] = [];
  private position = 0;
  private batch: Entry | undefined;
  /** Ids that the batch has changed so far. */
  private readonly batchIds = new Set<number>();
  /** Set while undo or redo runs: its commits move the position and add no entries. */
  private replaying = false;
  /** The machine's count of holes up to which they are attributed to live entries. */
  private holesCounted = 0;
  /** The machine's count of retries when the running commit published its first set. */
  private retriesBefore = 0;
  private readonly listeners = new Set<() => void>();

  constructor(
    private readonly machine: Machine,
    private readonly wallClock: () => number,
  ) {
    this.restart('power on');
    machine.subscribe((event) => {
      if (event.type === 'commit' && event.event.type === 'commit') this.committed(event.event, event.through);
      else if (event.type === 'commit' && event.event.type === 'publish') this.published(event.event);
      else if (event.type === 'history-ended') Object.assign(this.log[this.position]!, { final: event.reason });
      else if (event.type === 'restored') this.restart('loaded');
      else if (event.type === 'dimms') this.nameDimm();
    });
  }

  /** A copy of the whole log, for a machine that may be restored to this moment. */
  keep(): KeptLog {
    return { log: this.log.map((entry) => ({ ...entry })), position: this.position, holesCounted: this.holesCounted };
  }

  putBack({ log, position, holesCounted }: KeptLog): void {
    this.log.splice(0, this.log.length, ...log.map((entry) => ({ ...entry })));
    this.position = position;
    this.holesCounted = holesCounted;
    this.notify();
  }

  /** A history with nothing to undo. */
  private restart(title: string): void {
    this.log.length = 0;
    this.holesCounted = this.machine.inspect.holes.total;
    this.log.push({ ...this.blank(title, false), generation: this.machine.memory.generation(0) });
    this.position = 0;
    this.notify();
  }

  /** The origin of the machine: "loaded from grown", "loaded from a file". */
  begins(title: string): void {
    this.log[0]!.title = title;
    this.notify();
  }

  /** The difference between two entries, by slot; at most 65536 changes may lie between them. */
  difference(from: number, to: number): SlotDifference[] {
    const [first, last] = [Math.min(from, to), Math.max(from, to)];
    const ends = new Map<number, { old: Memslot | undefined; next: Memslot | undefined; name: string }>();
    for (const entry of this.log.slice(first + 1, last + 1)) {
      for (const { old, next } of entry.changes) {
        const { slot } = (next ?? old)!;
        const seen = ends.get(slot);
        ends.set(slot, { old: seen ? seen.old : old, next, name: entry.names.get(slot) ?? seen?.name ?? `${slot}` });
      }
    }
    const differing = [...ends].filter(([, { old, next }]) => !samePlace(old, next)).sort(([a], [b]) => a - b);
    return differing.map(([slot, { old, next, name }]) => {
      const [before, after] = from <= to ? [old, next] : [next, old];
      return { slot, name, ...(before ? { before: placeOf(before) } : {}), ...(after ? { after: placeOf(after) } : {}) };
    });
  }

  entries(): CommitEntry[] {
    return this.log.map((entry, index) => ({
      generation: entry.generation,
      title: entry.title,
      swaps: entry.swaps,
      zappedPages: entry.zappedPages,
      us: entry.us,
      legacy: entry.legacy,
      ...(entry.whole ? { whole: true } : {}),
      ...(entry.by === undefined ? {} : { by: entry.by }),
      holes: entry.holes + (index === this.position ? this.machine.inspect.holes.total - this.holesCounted : 0),
      retries: entry.retries,
      changed: entry.changed,
      at: entry.at,
      instructions: entry.instructions,
    }));
  }

  /** Index of the live entry. */
  get live(): number {
    return this.position;
  }
  get canUndo(): boolean {
    return this.position > 0 && this.machine.memory.canUndo(0);
  }
  get canRedo(): boolean {
    return this.position < this.log.length - 1 && this.machine.memory.canRedo(0);
  }

  /** Called after each commit, undo and redo. */
  onChange(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** All commits of `action` become one entry of the history. */
  async group<T>(title: string, action: () => Promise<T>): Promise<T> {
    return this.batched(this.blank(title, false), action);
  }

  /** Commits of `action` go into `batch`, which is entered if there were any. */
  private async batched<T>(batch: Entry, action: () => Promise<T>): Promise<T> {
    this.batch = batch;
    this.batchIds.clear();
    try {
      return await action();
    } finally {
      this.batch = undefined;
      batch.changed = [...this.batchIds];
      batch.title ||= titleOf(batch.changes, this.nameOf);
      if (batch.steps > 0) this.push(batch);
    }
  }

  /** Commits the machine's change set; a legacy commit becomes one entry, however many ioctls it has. */
  async commit(legacy: boolean, whole = false): Promise<Commit> {
    if (whole) return this.commitWhole();
    if (!legacy) return this.machine.changeSet.commit({ legacy: false });
    return this.batched(this.blank('', true), () => this.machine.changeSet.commit({ legacy: true }));
  }

  private async commitWhole(): Promise<Commit> {
    const before = this.log[this.position];
    const commit = await this.machine.changeSet.commit({ whole: true });
    const entry = this.log[this.position];
    if (entry && entry !== before) entry.whole = true;
    this.notify();
    return commit;
  }

  /** Reverts the newest `count` live entries in one commit. Returns the reason if that is impossible. */
  undo(count = 1): Travel | string {
    return this.goTo(this.position - count);
  }

  redo(count = 1): Travel | string {
    return this.goTo(this.position + count);
  }

  /** Makes the entry at `index` the live one in one commit: the guest sees the layout before or after, and none in between. */
  goTo(index: number): Travel | string {
    if (this.machine.changeSet.stepping) return BETWEEN_PHASES;
    if (!Number.isInteger(index)) return `${index} is not an entry of the history`;
    const back = index <= this.position;
    const entries = back ? this.log.slice(Math.max(0, index) + 1, this.position + 1) : this.log.slice(this.position + 1, index + 1);
    const count = Math.abs(index - this.position);
    const verb = back ? 'undo' : 'redo';
    if (entries.length === 0) return `nothing to ${verb}`;
    if (entries.length < count) return `cannot ${verb} ${count} commits: there are ${entries.length}`;
    const title = entries.length === 1 ? `"${entries[0]!.title}"` : `${entries.length} commits`;
    const final = back ? entries.find((entry) => entry.final !== undefined) : undefined;
    if (final) return `cannot undo ${title}: ${entries.length === 1 ? 'it' : `"${final.title}"`} ${final.final}`;
    const steps = entries.reduce((sum, entry) => sum + entry.steps, 0);
    const devices = entries.flatMap((entry) => entry.devices);
    const next = devices.length === 0 ? undefined : this.machine.memory.preview({ call: verb, steps });
    const verdict = next ? judge(this.machine, devices, next) : {};
    if ('refused' in verdict) return `cannot ${verb} ${title}: ${verdict.refused}`;
    const unasked = this.unaskedAt(index);
    this.replaying = true;
    const holesBefore = this.machine.inspect.holes.total;
    let commit: Commit;
    try {
      commit = this.machine.memory[verb](0, steps);
    } finally {
      this.replaying = false;
    }
    if (!commit.ok) return `cannot ${verb} ${title}: ${commit.refusals.map(({ reason }) => reason).join('; ')}`;
    this.countHoles(holesBefore);
    this.position = index;
    this.notify();
    return { title, commit, unasked, ...verdict };
  }

  /** What going to the entry at `index` would remove without the guest's consent; nothing if that is impossible. */
  unaskedAt(index: number): Unasked[] {
    const back = index <= this.position;
    const entries = back ? this.log.slice(Math.max(0, index) + 1, this.position + 1) : this.log.slice(this.position + 1, index + 1);
    if (entries.length === 0 || entries.length !== Math.abs(index - this.position)) return [];
    const steps = entries.reduce((sum, entry) => sum + entry.steps, 0);
    const next = this.machine.memory.preview({ call: back ? 'undo' : 'redo', steps });
    return next ? this.machine.changeSet.unaskedBy(next) : [];
  }

  private published({ swap }: Extract<CommitEvent, { type: 'publish' }>): void {
    if (swap === 1) this.retriesBefore = this.retries();
  }

  private retries(): number {
    return this.machine.inspect.stats().retries ?? 0;
  }

  private committed(event: Extract<CommitEvent, { type: 'commit' }>, through: DeviceCommit | undefined): void {
    if (this.replaying || event.commit.changes.length === 0) return;
    const entry = this.batch ?? this.blank('', false);
    const { commit } = event;
    entry.generation = commit.generation;
    entry.swaps += commit.swaps;
    entry.zappedPages += pagesOf(commit.zapped);
    entry.us += commit.us ?? 0;
    entry.retries += this.retries() - this.retriesBefore;
    // Not spread: a commit may have more changes than a call accepts arguments.
    for (const change of commit.changes) {
      entry.changes.push(change);
      const slot = (change.next ?? change.old)!;
      const name = this.shortNameOf(slot);
      if (name !== undefined) entry.names.set(slot.slot, name);
    }
    if (through) entry.devices.push(shareOf(this.machine, through));
    entry.steps++;
    const ids = this.batch ? this.batchIds : new Set<number>();
    for (const change of commit.changes) ids.add((change.next ?? change.old)!.slot);
    if (this.batch) return;
    entry.changed = [...ids];
    entry.title = titleOf(commit.changes, this.nameOf);
    if (through?.who === 'guest') entry.by = through.device;
    this.push(entry);
  }

  /** Attributes holes up to now to the live entry. */
  private countHoles(upTo: number): void {
    const live = this.log[this.position];
    if (live) live.holes += upTo - this.holesCounted;
    this.holesCounted = upTo;
  }

  private push(entry: Entry): void {
    this.countHoles(entry.holesBefore);
    this.log.length = this.position + 1;
    this.log.push(entry);
    while (this.log.length > 2 && (this.log.length > MAX_COMMITS + 1 || this.heldChanges() > MAX_CHANGES)) this.forgetOldest();
    this.position = this.log.length - 1;
    this.markForgotten();
    this.notify();
  }

  /** Merges the two oldest entries: the first one is the oldest state that undo can reach. */
  private forgetOldest(): void {
    const [start, oldest] = [this.log[0]!, this.log[1]!];
    const { generation, at } = oldest;
    this.log.splice(0, 2, { ...start, title: 'earlier commits', generation, at, holes: start.holes + oldest.holes });
  }

  /** One entry may be many commits for the engine, whose history has its own limit. */
  private markForgotten(): void {
    let steps = 0;
    const depth = this.machine.memory.undoDepth(0);
    for (const entry of this.log.slice(1).reverse()) {
      if (entry.final !== undefined) return;
      steps += entry.steps;
      if (steps > depth) {
        entry.final = FORGOTTEN;
        return;
      }
    }
  }

  private heldChanges(): number {
    return this.log.reduce((sum, entry) => sum + entry.changes.length, 0);
  }

  private notify(): void {
    for (const listener of this.listeners) listener();
  }

  /** "dimm1" for a whole DIMM, else "5 ram.a". */
  private readonly nameOf = (slot: Memslot): string => {
    const backing = this.machine.host.backingOf(slot.userspaceAddr);
    const dimm = this.machine.dimms.list().find(({ memdev, id }) => memdev === backing?.id && id !== '');
    if (dimm && backing?.offset === 0 && dimm.size === slot.npages * PAGE) return dimm.id;
    const name = dimm?.id ?? backing?.id;
    return name === undefined ? `${slot.slot}` : `${slot.slot} ${name}`;
  };

  /** "dimm1", "ram.a" */
  private shortNameOf({ userspaceAddr }: Memslot): string | undefined {
    const backing = this.machine.host.backingOf(userspaceAddr)?.id;
    return this.machine.dimms.list().find(({ memdev, id }) => memdev === backing && id !== '')?.id ?? backing;
  }

  /** A DIMM gets its id only after the commit that mapped it. */
  private nameDimm(): void {
    const entry = this.log.at(-1);
    const change = entry?.changes[0];
    if (entry?.changes.length !== 1 || !change?.next || change.kind !== 'create') return;
    // A slot that has lost its backing keeps its previous name.
    const backing = this.machine.host.backingOf(change.next.userspaceAddr)?.id;
    const dimm = this.machine.dimms.list().find(({ memdev }) => memdev === backing);
    if (!dimm) return;
    if (dimm.id !== '') entry.names.set(change.next.slot, dimm.id);
    const title = titleOf(entry.changes, this.nameOf);
    if (title === entry.title) return;
    entry.title = title;
    this.notify();
  }

  private blank(title: string, legacy: boolean): Entry {
    const holesBefore = this.machine.inspect.holes.total;
    return {
      generation: 0,
      title,
      swaps: 0,
      zappedPages: 0,
      us: 0,
      legacy,
      holes: 0,
      retries: 0,
      changed: [],
      at: this.wallClock(),
      instructions: this.machine.run.instructions,
      changes: [],
      steps: 0,
      devices: [],
      names: new Map(),
      holesBefore,
    };
  }
}

export const pagesOf = (ranges: readonly GfnRange[]): number => ranges.reduce((sum, range) => sum + (range.end - range.start), 0);

const placeOf = (slot: Memslot): SlotPlace => ({
  gpa: slot.baseGfn * PAGE,
  size: slot.npages * PAGE,
  hva: slot.userspaceAddr,
  flags: slot.flags & (MemFlag.ReadOnly | MemFlag.LogDirtyPages),
});

function samePlace(a: Memslot | undefined, b: Memslot | undefined): boolean {
  if (!a || !b) return a === b;
  return JSON.stringify(placeOf(a)) === JSON.stringify(placeOf(b));
}
