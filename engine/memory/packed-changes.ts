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
import { type ChangeKind, MemFlag, type MemoryRegion } from './types';

const PAGE = 4096;
/** Flags of a side that is not there. */
const ABSENT = 7;
const FRAMES = 2 ** 41;
const PART = 2 ** 12;

/** Puts bit fields together, the lowest first, and takes them apart. Widths add up to 53 at most. */
const HEAD = [15, 4, 3, 3, 7, 7] as const;

function headOf({ asId, slot, old, next }: SlotDiff): number {
  const fields = [slot, asId, flagsOf(old), flagsOf(next), high(old), high(next)];
  return fields.reduceRight((sum, field, index) => sum * 2 ** HEAD[index]! + field, 0);
}

function fieldsOf(head: number): number[] {
  let rest = head;
  return HEAD.map((width) => {
    const field = rest % 2 ** width;
    rest = Math.floor(rest / 2 ** width);
    return field;
  });
}

const flagsOf = (region: MemoryRegion | undefined): number => (region ? (region.flags ?? 0) : ABSENT);
const high = (region: MemoryRegion | undefined): number => (region ? Math.floor(region.memorySize / PAGE / PART / PART) : 0);

export class PackedChanges {
  readonly count: number;
  private readonly numbers: Float64Array;

  constructor({ diffs }: ChangeSet) {
    this.count = diffs.length;
    const sides = diffs.reduce((sum, { old, next }) => sum + (old ? 1 : 0) + (next ? 1 : 0), 0);
    this.numbers = new Float64Array(diffs.length + sides * 2);
    let at = 0;
    for (const diff of diffs) {
      this.numbers[at++] = headOf(diff);
      for (const side of [diff.old, diff.next]) {
        if (!side) continue;
        const pages = side.memorySize / PAGE;
        this.numbers[at++] = side.guestPhysAddr / PAGE + (pages % PART) * FRAMES;
        this.numbers[at++] = side.userspaceAddr / PAGE + (Math.floor(pages / PART) % PART) * FRAMES;
      }
    }
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
