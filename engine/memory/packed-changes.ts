/**
 * A change set as a history keeps it: numbers in one typed array, 24 bytes for a slot that is created or deleted, 40 for one that changes.
 * As objects they would take seven times as much, and a history holds up to 65,536 of them.
 *
 * A diff is a head and one or two sides, each number below 2^53:
 *
 *   head   slot id (15 bits), address space (4), flags before (3), flags after (3), pages / 2^24 before (7), pages / 2^24 after (7)
 *   side   first gfn (41), pages % 2^12 (12)
 *          hva / 4096 (41), pages / 2^12 % 2^12 (12)
 */
import { ChangeSet, type SlotDiff } from './change-set';
import { sortBy } from './sort-by';
import { type Change, type ChangeKind, MemFlag, type MemoryRegion, type Memslot } from './types';

const PAGE = 4096;
/** Flags of a side that is not there. */
const ABSENT = 7;
const FRAMES = 2 ** 41;
const PART = 2 ** 12;

/** Widths of the head's bit fields, the lowest first. */
const HEAD = [15, 4, 3, 3, 7, 7] as const;

function headOf(old: Memslot | undefined, next: Memslot | undefined): number {
  const { slot, asId } = (old ?? next)!;
  return slot + 2 ** 15 * (asId + 2 ** 4 * (flagsOf(old) + 2 ** 3 * (flagsOf(next) + 2 ** 3 * (high(old) + 2 ** 7 * high(next)))));
}

function fieldsOf(head: number): number[] {
  let rest = head;
  return HEAD.map((width) => {
    const field = rest % 2 ** width;
    rest = Math.floor(rest / 2 ** width);
    return field;
  });
}

const flagsOf = (slot: Memslot | undefined): number => (slot ? slot.flags % 0x10000 : ABSENT);
const high = (slot: Memslot | undefined): number => (slot ? Math.floor(slot.npages / PART / PART) : 0);

function keyOf({ old, next }: Change): number {
  const { slot, asId } = (old ?? next)!;
  return asId * 0x10000 + slot;
}

export class PackedChanges {
  readonly count: number;
  private readonly numbers: Float64Array;

  /** Of a commit: one change per slot, in any order. */
  constructor(changes: readonly Change[]) {
    this.count = changes.length;
    let length = changes.length;
    for (const { old, next } of changes) length += (old ? 2 : 0) + (next ? 2 : 0);
    this.numbers = new Float64Array(length);
    let at = 0;
    for (const { old, next } of sortBy(changes.slice(), keyOf)) {
      this.numbers[at++] = headOf(old, next);
      if (old) at = this.put(at, old);
      if (next) at = this.put(at, next);
    }
  }

  private put(at: number, { baseGfn, npages, userspaceAddr }: Memslot): number {
    this.numbers[at] = baseGfn + (npages % PART) * FRAMES;
    this.numbers[at + 1] = userspaceAddr / PAGE + (Math.floor(npages / PART) % PART) * FRAMES;
    return at + 2;
  }

  /** Bytes. */
  get bytes(): number {
    return this.numbers.byteLength;
  }

  unpack(): ChangeSet {
    return ChangeSet.ofDiffs([...this.diffs()]);
  }

  /** Host memory that a side of a diff maps, before or after; bytes. */
  forEachHostRange(visit: (start: number, size: number) => void): void {
    for (const { old, next } of this.diffs()) {
      if (old) visit(old.userspaceAddr, old.memorySize);
      if (next) visit(next.userspaceAddr, next.memorySize);
    }
  }

  /** In order of address spaces and slot ids. */
  *diffs(): Generator<SlotDiff> {
    const { numbers } = this;
    let at = 0;
    const side = (slot: number, asId: number, flags: number, highest: number): MemoryRegion | undefined => {
      if (flags === ABSENT) return undefined;
      const [low, middle] = [numbers[at]!, numbers[at + 1]!];
      at += 2;
      const pages = Math.floor(low / FRAMES) + PART * (Math.floor(middle / FRAMES) + PART * highest);
      const [guestPhysAddr, userspaceAddr] = [(low % FRAMES) * PAGE, (middle % FRAMES) * PAGE];
      return { slot, asId, flags, guestPhysAddr, memorySize: pages * PAGE, userspaceAddr };
    };
    while (at < numbers.length) {
      const [slot, asId, before, after, highBefore, highAfter] = fieldsOf(numbers[at++]!) as [
        number,
        number,
        number,
        number,
        number,
        number,
      ];
      const old = side(slot, asId, before, highBefore);
      const next = side(slot, asId, after, highAfter);
      yield { asId, slot, old, next };
    }
  }
}

export function kindOf({ old, next }: SlotDiff): ChangeKind {
  if (!old) return 'create';
  if (!next) return 'delete';
  const access = (((old.flags ?? 0) ^ (next.flags ?? 0)) & MemFlag.ReadOnly) !== 0;
  if (access || old.memorySize !== next.memorySize || old.userspaceAddr !== next.userspaceAddr) return 'replace';
  return old.guestPhysAddr === next.guestPhysAddr ? 'flags-only' : 'move';
}
