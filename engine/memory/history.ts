/** The generations of one address space: what each commit did, and the two stacks of undo and redo. */
import { ChangeSet } from './change-set';
import { kindOf, PackedChanges } from './packed-changes';
import type { Accepted, ChangeKind, MemoryRegion } from './types';

export interface HistoryEntry {
  asId: number;
  /** Before and after the commit. */
  from: number;
  generation: number;
  swaps: number;
  /** Pages whose translations were dropped (with zap 'all': those that had to be). */
  zappedPages: number;
  /** In order of slot ids, as `slots` and `changes`. */
  readonly kinds: ChangeKind[];
  /** Slot ids, ascending. */
  readonly slots: number[];
  readonly changes: ChangeSet;
  via: 'commit' | 'undo' | 'redo';
  /** One of several single calls that replace one request, as KVM's users must issue them. */
  legacy: boolean;
}

/** How a commit came about. */
export interface Origin {
  via: HistoryEntry['via'];
  legacy: boolean;
  /** `BackingRule.version` at the commit; 0 without a rule. */
  backings: number;
}

/** What an undo or redo commits, and `BackingClaim.since` for it. */
export interface Travel {
  changes: ChangeSet;
  since: number;
  /** Each region that exists at its end and that a commit on the way touched, including those that `changes` leaves as they are. */
  mapped: MemoryRegion[];
}

/** Changes that all entries of a history may hold together. Older entries are dropped first; the newest always stays. */
const MAX_CHANGES = 65536;

/** An entry as the history stores it. Its lists are made on demand. */
class Kept implements HistoryEntry {
  readonly asId: number;
  readonly from: number;
  readonly generation: number;
  readonly swaps: number;
  readonly zappedPages: number;
  readonly via: HistoryEntry['via'];
  readonly legacy: boolean;
  readonly backings: number;
  readonly packed: PackedChanges;

  constructor(asId: number, from: number, { generation, swaps, changes, zapped }: Accepted, { via, legacy, backings }: Origin) {
    this.asId = asId;
    this.from = from;
    this.generation = generation;
    this.swaps = swaps;
    this.zappedPages = zapped.reduce((sum, range) => sum + range.end - range.start, 0);
    this.via = via;
    this.legacy = legacy;
    this.backings = backings;
    this.packed = new PackedChanges(changes);
  }

  get changes(): ChangeSet {
    return this.packed.unpack();
  }

  get slots(): number[] {
    return Array.from(this.packed.diffs(), ({ slot }) => slot);
  }

  get kinds(): ChangeKind[] {
    return Array.from(this.packed.diffs(), kindOf);
  }
}

/** Bounded: drops its oldest entries beyond `limit` entries or MAX_CHANGES changes, but never the newest. */
class Bounded {
  items: Kept[] = [];
  private held = 0;

  constructor(private readonly limit: number) {}

  push(item: Kept): void {
    this.items.push(item);
    this.held += item.packed.count;
    while (this.items.length > 1 && (this.items.length > this.limit || this.held > MAX_CHANGES))
      this.held -= this.items.shift()!.packed.count;
  }

  pop(): Kept | undefined {
    const item = this.items.pop();
    if (item) this.held -= item.packed.count;
    return item;
  }

  clear(): void {
    this.put([]);
  }

  put(items: readonly Kept[]): void {
    this.items = [...items];
    this.held = items.reduce((sum, { packed }) => sum + packed.count, 0);
  }
}

/** All that a history holds at one moment; its entries never change. */
export interface SavedHistory {
  list: readonly Kept[];
  undos: readonly Kept[];
  redos: readonly Kept[];
}

export class History {
  private readonly list: Bounded;
  private readonly undos: Bounded;
  private readonly redos: Bounded;

  constructor(private readonly limit: number) {
    this.list = new Bounded(limit);
    this.undos = new Bounded(limit);
    this.redos = new Bounded(limit);
  }

  get entries(): readonly HistoryEntry[] {
    return this.list.items;
  }

  save(): SavedHistory {
    const { list, undos, redos } = this;
    return { list: [...list.items], undos: [...undos.items], redos: [...redos.items] };
  }

  load({ list, undos, redos }: SavedHistory): void {
    this.list.put(list);
    this.undos.put(undos);
    this.redos.put(redos);
  }

  /** Commits that can be undone. */
  get depth(): number {
    return this.undos.items.length;
  }

  /** Commits that can be redone. */
  get redoDepth(): number {
    return this.redos.items.length;
  }

  /** Bytes of the changes that it holds. */
  get bytes(): number {
    const all = new Set([this.list, this.undos, this.redos].flatMap(({ items }) => items));
    return [...all].reduce((sum, { packed }) => sum + packed.bytes, 0);
  }

  record(asId: number, from: number, commit: Accepted, origin: Origin): void {
    if (this.limit === 0) return;
    const entry = new Kept(asId, from, commit, origin);
    this.list.push(entry);
    if (origin.via !== 'commit') return;
    this.redos.clear();
    this.undos.push(entry);
  }

  /** `steps` commits were undone or redone. */
  travelled(via: 'undo' | 'redo', steps: number): void {
    const [from, to] = via === 'undo' ? [this.undos, this.redos] : [this.redos, this.undos];
    for (let step = 0; step < steps; step++) {
      const entry = from.pop();
      if (entry) to.push(entry);
    }
  }

  /** Host memory, bytes, that an undo or a redo could map again if it has not changed hands since `BackingClaim.since`. */
  forEachHostRange(visit: (start: number, size: number, since: number) => void): void {
    for (const { items } of [this.undos, this.redos])
      for (const { packed, backings } of items) packed.forEachHostRange((start, size) => visit(start, size, backings));
  }

  /** Nothing before now can be undone, redone or compared any more. */
  forget(): void {
    this.list.clear();
    this.undos.clear();
    this.redos.clear();
  }

  /** What the next `steps` undos would commit together; undefined: there are fewer. */
  undo(steps = 1): Travel | undefined {
    const entries = this.undos.items.slice(-steps);
    const changes = joined(entries, steps)?.invert();
    // The oldest of them found regions that were mapped before it.
    return changes && { changes, since: entries[0]!.backings, mapped: endsOf(entries, 'old') };
  }

  redo(steps = 1): Travel | undefined {
    const entries = this.redos.items.slice(-steps).reverse();
    const changes = joined(entries, steps);
    // The newest of them left regions that were mapped until it was undone.
    return changes && { changes, since: entries.at(-1)!.backings, mapped: endsOf(entries.toReversed(), 'next') };
  }

  /** Everything that happened from generation `from` to generation `to`, as one change set; undefined where the history does not reach. */
  diff(from: number, to: number): ChangeSet | undefined {
    if (from > to) return this.diff(to, from)?.invert();
    if (from === to) return ChangeSet.of([], []);
    const first = this.entries.findIndex((entry) => entry.from === from);
    const last = this.entries.findIndex((entry) => entry.generation === to);
    if (first < 0 || last < first) return undefined;
    return this.entries.slice(first, last + 1).reduce((sum, entry) => sum.compose(entry.changes), ChangeSet.of([], []));
  }
}

/** How the first of these entries that touches a slot leaves it (`next`) or found it (`old`). */
function endsOf(entries: readonly Kept[], side: 'old' | 'next'): MemoryRegion[] {
  const seen = new Set<number>();
  const regions: MemoryRegion[] = [];
  for (const { packed } of entries)
    for (const diff of packed.diffs()) {
      if (seen.has(diff.slot)) continue;
      seen.add(diff.slot);
      const region = diff[side];
      if (region) regions.push(region);
    }
  return regions;
}

/** One change set that does what these do one after another; undefined where there are fewer than `steps`. */
function joined(items: readonly Kept[], steps: number): ChangeSet | undefined {
  if (!(steps >= 1) || items.length !== steps) return undefined;
  return items.map(({ changes }) => changes).reduce((sum, changes) => sum.compose(changes));
}
