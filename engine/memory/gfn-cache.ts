/**
 * A vCPU's way into the engine: the slot it used last, valid only for the generation it was found in. Generations differ between
 * address spaces, so a vCPU that changes its space misses by itself. Nothing here allocates.
 */
import { PAGE_CLEAN, PAGE_INVALID, PAGE_PRESENT, PAGE_READONLY } from '../abi/exits';
import { isBetween } from './branchless';
import type { DirtyRing } from './dirty-ring';
import type { DirtyState } from './dirty-state';
import type { SlotReader } from './slot-reader';
import { MEMSLOT_INVALID } from './slot-table';
import { MemFlag } from './types';

const PAGE = 4096;

export class GfnCache {
  /** The vCPU's dirty ring, when rings were on before this cache was made. */
  readonly ring: DirtyRing | undefined;
  private readonly reader: SlotReader;
  private readonly asId: number;
  private readonly stamps: Float64Array;
  // NaN from the start, so that V8 gives these fields the double representation they need and never changes it.
  private stamp = Number.NaN;
  private start = Number.NaN;
  private end = Number.NaN;
  /** hva of gfn 0, if the slot reached down to it: a hit adds to it and subtracts nothing. */
  private origin = Number.NaN;
  private bits = 0;
  private slot = 0;
  private dirty: DirtyState | undefined;

  constructor(reader: SlotReader, asId: number, ring: DirtyRing | undefined) {
    this.reader = reader;
    this.stamps = reader.stamps;
    this.asId = asId;
    this.ring = ring;
  }

  /** Generations begin again where they were: what was found in one of them may be another slot the next time. */
  forget(): void {
    this.stamp = Number.NaN;
  }

  /**
   * hva of the page | PAGE_* bits (abi/exits.ts), as a number 0 .. 2^32-1: hvas must lie below 2^32. 0: no memslot.
   * PAGE_INVALID alone: the slot is between the two swaps of a commit, try again.
   */
  lookupPage(gfn: number, asId: number = this.asId): number {
    if (!this.holds(gfn, asId) && !this.fill(gfn, asId)) return 0;
    if (this.bits === PAGE_INVALID) return PAGE_INVALID;
    const word = this.origin + gfn * PAGE + this.bits;
    return this.dirty?.isClean(gfn - this.start) ? word + PAGE_CLEAN : word;
  }

  /** The vCPU writes to this page. No-op where nothing is logged. */
  markDirty(gfn: number, asId: number = this.asId): void {
    if (!this.holds(gfn, asId) && !this.fill(gfn, asId)) return;
    if (!this.dirty) return;
    const offset = gfn - this.start;
    if (this.ring && this.dirty.ringed) this.ring.push(this.dirty.ringed, asId, this.slot, offset);
    else this.dirty.mark(offset);
  }

  private holds(gfn: number, asId: number): boolean {
    return isBetween(gfn, this.start, this.end) && this.stamp === this.stamps[asId];
  }

  private fill(gfn: number, asId: number): boolean {
    const { gfns, table } = this.reader.set(asId)!;
    const record = gfns.find(gfn);
    if (!record) return false;
    const flags = table.flagsOf(record);
    this.stamp = this.stamps[asId]!;
    this.start = gfns.foundBase;
    this.end = this.start + table.pagesOf(record);
    this.origin = table.hvaOf(record) - this.start * PAGE;
    this.slot = table.idOf(record);
    this.bits = flags & MEMSLOT_INVALID ? PAGE_INVALID : flags & MemFlag.ReadOnly ? PAGE_PRESENT | PAGE_READONLY : PAGE_PRESENT;
    this.dirty = flags & MemFlag.LogDirtyPages ? table.dirty.get(record) : undefined;
    return true;
  }
}
