/** The generations of one address space: what each commit did, and the two stacks of undo and redo. */
import { ChangeSet } from './change-set';
import type { Accepted, ChangeKind, MemoryRegion } from './types';

export interface HistoryEntry {
  asId: number;
  /** Before and after the commit. */
  from: number;
  generation: number;
  swaps: number;
  /** Pages whose translations were dropped (with zap 'all': those that had to be). */
  zappedPages: number;
  kinds: ChangeKind[];
  /** Slot ids, ascending. */
  slots: number[];
  changes: ChangeSet;
  via: 'commit' | 'undo' | 'redo';
  /** One of several single calls that stand for one request, as KVM's users must do it. */
  legacy: boolean;
}

/** Changes that the entries of a history may hold together; older entries go first, the newest always stays. */
const MAX_CHANGES = 65536;

/** Bounded: drops its oldest items beyond `limit` items or MAX_CHANGES changes, but never the newest. */
class Bounded<T> {
  items: T[] = [];
  private held = 0;

  constructor(
    private readonly limit: number,
    private readonly weight: (item: T) => number,
  ) {}

  push(item: T): void {
    this.items.push(item);
    this.held += this.weight(item);
    while (this.items.length > 1 && (this.items.length > this.limit || this.held > MAX_CHANGES))
      this.held -= this.weight(this.items.shift()!);
  }

  pop(): T | undefined {
    const item = this.items.pop();
    if (item !== undefined) this.held -= this.weight(item);
    return item;
  }

  clear(): void {
    this.items = [];
    this.held = 0;
  }
}

const sizeOf = (changes: ChangeSet): number => changes.diffs.length;

export class History {
  private readonly list: Bounded<HistoryEntry>;
  private readonly undos: Bounded<ChangeSet>;
  private readonly redos: Bounded<ChangeSet>;

  constructor(private readonly limit: number) {
    this.list = new Bounded(limit, (entry) => sizeOf(entry.changes));
    this.undos = new Bounded(limit, sizeOf);
    this.redos = new Bounded(limit, sizeOf);
  }

  get entries(): readonly HistoryEntry[] {
    return this.list.items;
  }

  record(asId: number, from: number, commit: Accepted, via: HistoryEntry['via'], legacy: boolean): void {
    if (this.limit === 0) return;
    const changes = ChangeSet.ofChanges(commit.changes);
    const zappedPages = commit.zapped.reduce((sum, range) => sum + range.end - range.start, 0);
    const { generation, swaps } = commit;
    const kinds = commit.changes.map((change) => change.kind);
    const slots = changes.diffs.map((diff) => diff.slot);
    this.list.push({ asId, from, generation, swaps, zappedPages, kinds, slots, changes, via, legacy });
    if (via !== 'commit') return;
    this.redos.clear();
    this.undos.push(changes);
  }

  /** `steps` commits were taken back, or done again. */
  travelled(via: 'undo' | 'redo', steps: number): void {
    const [from, to] = via === 'undo' ? [this.undos, this.redos] : [this.redos, this.undos];
    for (let step = 0; step < steps; step++) {
      const changes = from.pop();
      if (changes) to.push(changes);
    }
  }

  /** Every region that an undo or a redo could bring back. */
  *regions(): Generator<MemoryRegion> {
    for (const { items } of [this.undos, this.redos]) {
      for (const { diffs } of items) {
        for (const { old, next } of diffs) {
          if (old) yield old;
          if (next) yield next;
        }
      }
    }
  }

  /** Nothing before now can be undone, redone or compared any more. */
  forget(): void {
    this.list.clear();
    this.undos.clear();
    this.redos.clear();
  }

  /** What the next `steps` undos would commit together; undefined: there are not so many. */
  undo(steps = 1): ChangeSet | undefined {
    return joined(this.undos.items.slice(-steps), steps)?.invert();
  }

  redo(steps = 1): ChangeSet | undefined {
    return joined(this.redos.items.slice(-steps).reverse(), steps);
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

/** One change set that does what these do one after another; undefined where there are not `steps` of them. */
function joined(items: readonly ChangeSet[], steps: number): ChangeSet | undefined {
  if (!(steps >= 1) || items.length !== steps) return undefined;
  return items.reduce((sum, changes) => sum.compose(changes));
}
