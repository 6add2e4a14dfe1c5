/**
 * A change set as a history keeps it: numbers in one typed array, 32 bytes for a slot that is created or deleted, 56 for one that changes.
 * As objects they would take five times as much, and a history holds up to 65,536 of them.
 */
import { ChangeSet, type SlotDiff } from './change-set';
import { type ChangeKind, MemFlag, type MemoryRegion } from './types';

const PAGE = 4096;
/** A side of a diff: first gfn, pages, hva. */
const SIDE = 3;
/** Flags of a side that is not there. */
const ABSENT = 0xf;

/** Head of a diff: slot id (16 bits), address space (8), flags before (4), flags after (4). */
function headOf({ asId, slot, old, next }: SlotDiff): number {
  return slot + 2 ** 16 * (asId + 2 ** 8 * (flagsOf(old) + 2 ** 4 * flagsOf(next)));
}

const flagsOf = (region: MemoryRegion | undefined): number => (region ? (region.flags ?? 0) : ABSENT);

export class PackedChanges {
  readonly count: number;
  private readonly numbers: Float64Array;

  constructor({ diffs }: ChangeSet) {
    this.count = diffs.length;
    const sides = diffs.reduce((sum, { old, next }) => sum + (old ? 1 : 0) + (next ? 1 : 0), 0);
    this.numbers = new Float64Array(diffs.length + sides * SIDE);
    let at = 0;
    for (const diff of diffs) {
      this.numbers[at++] = headOf(diff);
      for (const side of [diff.old, diff.next]) {
        if (!side) continue;
        this.numbers[at++] = side.guestPhysAddr / PAGE;
        this.numbers[at++] = side.memorySize / PAGE;
        this.numbers[at++] = side.userspaceAddr;
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
    const side = (slot: number, asId: number, flags: number): MemoryRegion | undefined => {
      if (flags === ABSENT) return undefined;
      const region = {
        slot,
        asId,
        flags,
        guestPhysAddr: numbers[at]! * PAGE,
        memorySize: numbers[at + 1]! * PAGE,
        userspaceAddr: numbers[at + 2]!,
      };
      at += SIDE;
      return region;
    };
    while (at < numbers.length) {
      const head = numbers[at++]!;
      const slot = head % 2 ** 16;
      const asId = Math.floor(head / 2 ** 16) % 2 ** 8;
      const old = side(slot, asId, Math.floor(head / 2 ** 24) % 2 ** 4);
      const next = side(slot, asId, Math.floor(head / 2 ** 28));
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
