/** Change sets as values: what differs between two layouts, by slot. They can be applied to a layout, inverted and composed. */
import type { Change, MemoryRegion, Memslot } from './types';

/** One slot before and after; `undefined`: not there. Never both undefined, never equal. */
export interface SlotDiff {
  readonly asId: number;
  readonly slot: number;
  readonly old: MemoryRegion | undefined;
  readonly next: MemoryRegion | undefined;
}

/** Why a change set cannot be applied to a layout in which this slot is another than before. */
export const staleReason = (asId: number, slot: number): string => `memslot ${slot} (as ${asId}) is not what the change set was made for`;

const keyOf = (asId: number, slot: number): number => asId * 0x10000 + slot;

export class ChangeSet {
  /** Ascending by address space and slot id. */
  readonly diffs: readonly SlotDiff[];

  private constructor(diffs: SlotDiff[]) {
    diffs.sort((a, b) => keyOf(a.asId, a.slot) - keyOf(b.asId, b.slot));
    this.diffs = Object.freeze(diffs);
  }

  /** What turns the layout `before` into the layout `after`. */
  static of(before: readonly MemoryRegion[], after: readonly MemoryRegion[]): ChangeSet {
    const olds = byKey(before);
    const nexts = byKey(after);
    const diffs: SlotDiff[] = [];
    for (const [key, old] of olds) push(diffs, key, old, nexts.get(key));
    for (const [key, next] of nexts) if (!olds.has(key)) push(diffs, key, undefined, next);
    return new ChangeSet(diffs);
  }

  /** What a commit did. */
  static ofChanges(changes: readonly Change[]): ChangeSet {
    const diffs: SlotDiff[] = [];
    for (const { old, next } of changes) {
      const either = (old ?? next)!;
      push(diffs, keyOf(either.asId, either.slot), old && regionOf(old), next && regionOf(next));
    }
    return new ChangeSet(diffs);
  }

  /** Diffs as another change set has them. */
  static ofDiffs(diffs: readonly SlotDiff[]): ChangeSet {
    return new ChangeSet([...diffs]);
  }

  get isEmpty(): boolean {
    return this.diffs.length === 0;
  }

  /** True where every slot of the change set is in `layout` as it was before. */
  matches(layout: readonly MemoryRegion[]): boolean {
    const slots = byKey(layout);
    return this.diffs.every(({ asId, slot, old }) => sameRegion(slots.get(keyOf(asId, slot)), old));
  }

  /** The layout afterwards, in order of slot ids. Throws Error where the layout is not the one it was made for. */
  apply(layout: readonly MemoryRegion[]): MemoryRegion[] {
    const slots = byKey(layout);
    for (const { asId, slot, old, next } of this.diffs) {
      const key = keyOf(asId, slot);
      if (!sameRegion(slots.get(key), old)) throw new Error(staleReason(asId, slot));
      if (next) slots.set(key, next);
      else slots.delete(key);
    }
    return [...slots.entries()].sort((a, b) => a[0] - b[0]).map(([, region]) => region);
  }

  /** What takes it back. */
  invert(): ChangeSet {
    return new ChangeSet(this.diffs.map(({ asId, slot, old, next }) => ({ asId, slot, old: next, next: old })));
  }

  /** This and then `later` as one change set. Throws Error where `later` was not made for the layout that this one leads to. */
  compose(later: ChangeSet): ChangeSet {
    const merged = new Map(this.diffs.map((diff) => [keyOf(diff.asId, diff.slot), diff]));
    for (const diff of later.diffs) {
      const key = keyOf(diff.asId, diff.slot);
      const first = merged.get(key);
      if (first && !sameRegion(first.next, diff.old))
        throw new Error(`memslot ${diff.slot} (as ${diff.asId}) differs between the two change sets`);
      if (!first) merged.set(key, diff);
      else if (sameRegion(first.old, diff.next)) merged.delete(key);
      else merged.set(key, { ...first, next: diff.next });
    }
    return new ChangeSet([...merged.values()]);
  }

  /** The entries for `changeUserMemoryRegions`. */
  toRequest(): MemoryRegion[] {
    return this.diffs.map(({ old, next }) => (next ? { ...next } : { ...old!, flags: 0, memorySize: 0 }));
  }
}

export function regionOf(slot: Memslot): MemoryRegion {
  return {
    slot: slot.slot,
    asId: slot.asId,
    flags: slot.flags % 0x10000,
    guestPhysAddr: slot.baseGfn * 4096,
    memorySize: slot.npages * 4096,
    userspaceAddr: slot.userspaceAddr,
  };
}

export function sameRegion(a: MemoryRegion | undefined, b: MemoryRegion | undefined): boolean {
  if (!a || !b) return a === b;
  const same = a.slot === b.slot && (a.asId ?? 0) === (b.asId ?? 0) && (a.flags ?? 0) === (b.flags ?? 0);
  return same && a.guestPhysAddr === b.guestPhysAddr && a.memorySize === b.memorySize && a.userspaceAddr === b.userspaceAddr;
}

function byKey(layout: readonly MemoryRegion[]): Map<number, MemoryRegion> {
  const slots = new Map<number, MemoryRegion>();
  for (const region of layout) {
    const key = keyOf(region.asId ?? 0, region.slot);
    if (slots.has(key)) throw new Error(`memslot ${region.slot} is in the layout twice`);
    slots.set(key, { asId: 0, flags: 0, ...region });
  }
  return slots;
}

function push(diffs: SlotDiff[], key: number, old: MemoryRegion | undefined, next: MemoryRegion | undefined): void {
  if (!sameRegion(old, next)) diffs.push({ asId: Math.floor(key / 0x10000), slot: key % 0x10000, old, next });
}
