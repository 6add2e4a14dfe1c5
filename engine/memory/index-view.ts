/** Both sets of an address space in all three indexes, for the page and the monitor: their shape, and what a lookup does in each. */
import type { AddressSpace } from './address-space';
import type { GfnIndex, IndexKind, IndexShape } from './gfn-index';
import { IndexMirror } from './index-mirror';
import { type Describe, type IndexPicture, pictureOf } from './index-picture';
import { PAGE_SIZE } from './limits';
import type { SlotSet } from './slot-set';
import { MEMSLOT_INVALID, type SlotTable } from './slot-table';

/** How the inactive set stands to the active one. Between commits it has the same slots. */
export type Standing =
  | 'same'
  /** After swap 1: as the slots were before the commit, none INVALID. */
  | 'before'
  /** After the zap: as swap 2 will publish it. */
  | 'building'
  /** After swap 2: the set that was active, until Free brings it up to date. */
  | 'behind';

export interface IndexLookup {
  /** Different nodes; the array's nodes are the places that were read. */
  visited: number;
  /** Keys compared with the gfn, each as often as it was. */
  compared: number;
  /** Different bytes read of the typed arrays: keys, links, sizes, and the page count of the record. */
  bytes: number;
  /** Different 64-byte lines that these bytes lie in, each array taken to begin one. */
  lines: number;
}

export interface IndexStructure extends Omit<IndexShape, 'kind' | 'count'> {
  index: IndexKind;
  /** Absent where nothing is looked up. */
  lookup?: IndexLookup;
  picture: IndexPicture;
}

export interface IndexSetView {
  /** Of an inactive set that is being built: the generation that it will have. */
  generation: number;
  slots: number;
  /** Ids of slots that are INVALID in this set. */
  invalid: number[];
  /** Slots that the other set lacks, or has in another state. */
  differs: number;
  /** Absent: no slot holds the gfn, or none is looked up. */
  found?: { slot: number; invalid: boolean };
  structures: IndexStructure[];
}

export interface IndexView {
  /** The kind that the machine uses. */
  inUse: IndexKind;
  lookup?: { gpa: number; gfn: number };
  active: IndexSetView;
  inactive: IndexSetView & { standing: Standing };
}

/** Records that take some milliseconds to index. */
const MUCH = 4096;
const KINDS: readonly IndexKind[] = ['array', 'rbtree', 'btree'];

/** Created by the first inspection. */
export class IndexInspector {
  /** A set keeps its mirror when it goes from active to inactive. */
  private readonly mirrors = new Map<SlotSet, IndexMirror>();

  constructor(
    private readonly space: AddressSpace,
    private readonly inUse: IndexKind,
  ) {
    const others = KINDS.filter((kind) => kind !== inUse);
    for (const set of [space.active, space.inactive]) this.mirrors.set(set, new IndexMirror(others, space.asId));
  }

  /** Brings one set after the other up to date, and yields after each that took long. `look` does the rest, and what has changed since. */
  *catchUp(): Generator<void> {
    for (const [set, mirror] of this.mirrors) if (mirror.follow(set.table, recordsOf(set)) > MUCH) yield;
  }

  look(gpa: number | undefined, standing: Standing): IndexView {
    const { active, inactive } = this.space;
    const gfn = gpa === undefined ? undefined : Math.floor(gpa / PAGE_SIZE);
    const [now, other] = [recordsOf(active), recordsOf(inactive)];
    const view: IndexView = {
      inUse: this.inUse,
      active: this.view(active, now, onlyIn(now, other, active.table), gfn),
      inactive: { ...this.view(inactive, other, onlyIn(other, now, active.table), gfn), standing },
    };
    // A commit may not touch this address space, or touch it only in its second swap.
    if (view.active.differs + view.inactive.differs === 0) view.inactive.standing = 'same';
    else if (standing === 'building') view.inactive.generation = this.space.nextGeneration;
    if (gpa !== undefined && gfn !== undefined) view.lookup = { gpa, gfn };
    return view;
  }

  private view(set: SlotSet, records: readonly number[], differing: ReadonlySet<number>, gfn: number | undefined): IndexSetView {
    const mirror = this.mirrors.get(set)!;
    mirror.follow(set.table, records);
    const structures = KINDS.map((kind) => {
      const index = mirror.index(kind);
      return index ? structure(index, mirror.table, differing, gfn) : structure(set.gfns, set.table, differing, gfn);
    });
    const { table, generation, count } = set;
    const record = gfn === undefined ? 0 : set.gfns.find(gfn);
    const invalid = records.filter((each) => isInvalid(table, each)).map((each) => table.idOf(each));
    const view: IndexSetView = { generation, slots: count, invalid, differs: differing.size, structures };
    if (record) view.found = { slot: table.idOf(record), invalid: isInvalid(table, record) };
    return view;
  }
}

function structure(index: GfnIndex, table: SlotTable, differing: ReadonlySet<number>, gfn: number | undefined): IndexStructure {
  const describe: Describe = (record, base) => ({
    slot: table.idOf(record),
    ...(isInvalid(table, record) ? { invalid: true as const } : {}),
    ...(differing.has(base) ? { differs: true as const } : {}),
  });
  const trace = gfn === undefined ? undefined : index.trace(gfn);
  const { kind, count: _, ...shape } = index.shape();
  const made: IndexStructure = { index: kind, ...shape, picture: pictureOf(index, table, describe, trace) };
  if (trace) made.lookup = { visited: trace.visited, compared: trace.compared, bytes: trace.bytes, lines: trace.lines };
  return made;
}

const isInvalid = (table: SlotTable, record: number): boolean => (table.flagsOf(record) & MEMSLOT_INVALID) !== 0;

function recordsOf(set: SlotSet): number[] {
  const records: number[] = [];
  set.gfns.collect(records);
  return records;
}

/** First gfns of the records that only `ours` has. Both lists are in gfn order, and both sets share their records: handles are compared. */
function onlyIn(ours: readonly number[], theirs: readonly number[], { base }: SlotTable): Set<number> {
  const only = new Set<number>();
  let at = 0;
  for (const record of ours) {
    const gfn = base[record]!;
    while (at < theirs.length && base[theirs[at]!]! < gfn) at++;
    if (theirs[at] !== record) only.add(gfn);
  }
  return only;
}
