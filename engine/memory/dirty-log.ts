/**
 * Dirty logging of all slots: KVM_GET_DIRTY_LOG, KVM_CLEAR_DIRTY_LOG, KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2, KVM_CAP_DIRTY_LOG_RING and
 * its WITH_BITMAP addition, KVM_RESET_DIRTY_RINGS. Argument rules and their order are the kernel's (virt/kvm/kvm_main.c).
 */
import type { AddressSpace } from './address-space';
import { countDirty, dirtyHeat, HEAT_UNKNOWN } from './dirty-heat';
import { DirtyRing, ENTRY_BYTES, MAX_ENTRIES, RESERVED_ENTRIES, type RingEntry, type RingedMap, type SavedRing } from './dirty-ring';
import { clearBit, DirtyState, runsOf } from './dirty-state';
import type { Limits } from './limits';
import { PAGE_SIZE } from './limits';
import { type EngineNote, type Errno, type GfnRange, MemFlag } from './types';

/** KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE: GET only copies, CLEAR clears. */
export const MANUAL_PROTECT = 1;
/** KVM_DIRTY_LOG_INITIALLY_SET: a new log starts with every page dirty. Needs MANUAL_PROTECT. */
export const INITIALLY_SET = 2;

export type Done = { ok: true } | { ok: false; errno: Errno };
export type DirtyLogAnswer = { ok: true; bitmap: Uint8Array } | { ok: false; errno: Errno };
export interface ClearDirtyLog {
  slot: number;
  asId?: number;
  /** a multiple of 64 */
  firstPage: number;
  /** a multiple of 64, unless the range ends with the slot */
  numPages: number;
  /** bit 0: firstPage; numPages rounded up to 64 bits */
  bitmap: Uint8Array;
}

/** Dirty rings as a snapshot has them. */
export interface SavedRings {
  /** of each ring */
  entries: number;
  /** Bitmaps exist beside them. */
  bitmap: boolean;
  /** One per vCPU; none before the guest first runs. */
  vcpus: SavedRing[];
}

/** What a dirty log needs of its engine. */
export interface DirtyLogHost {
  /** Write tags of these gfns must go. */
  protect(ranges: GfnRange[]): void;
  /** There are listeners for notes. */
  readonly observed: boolean;
  note(note: EngineNote): void;
}

const fail = (errno: Errno): { ok: false; errno: Errno } => ({ ok: false, errno });

export class DirtyLog {
  private manual = 0;
  private ringBytes = 0;
  private ringBitmap = false;
  readonly rings: DirtyRing[] = [];
  private readonly written = { pages: 0 };
  /** vCPU caches exist, so rings can no longer be enabled. */
  private started = false;

  constructor(
    private readonly limits: Limits,
    private readonly spaces: readonly AddressSpace[],
    private readonly host: DirtyLogHost,
  ) {}

  private protect(ranges: GfnRange[]): void {
    this.host.protect(ranges);
  }

  get initiallySet(): boolean {
    return (this.manual & INITIALLY_SET) !== 0;
  }

  get ringEnabled(): boolean {
    return this.ringBytes > 0;
  }

  get ringSize(): number {
    return this.ringBytes;
  }

  get manualProtect(): number {
    return this.manual;
  }

  /** Pages that became dirty, in a bitmap or a ring, since the start: a page counts again after each harvest. */
  get dirtied(): number {
    return this.rings.reduce((sum, ring) => sum + ring.total, this.written.pages);
  }

  /** May throw RangeError: no memory. */
  newState(pages: number): DirtyState {
    const bitmap = !this.ringEnabled || this.ringBitmap;
    return new DirtyState(pages, { bitmap, ring: this.ringEnabled, allOnes: this.initiallySet }, this.written);
  }

  setManualProtect(flags: number): Done {
    if (flags !== 0 && flags !== MANUAL_PROTECT && flags !== (MANUAL_PROTECT | INITIALLY_SET)) return fail('EINVAL');
    this.manual = flags;
    return { ok: true };
  }

  enableRing(bytes: number): Done {
    const powerOfTwo = Number.isSafeInteger(bytes) && bytes > 0 && Number.isInteger(Math.log2(bytes));
    if (!powerOfTwo || bytes < PAGE_SIZE || bytes < RESERVED_ENTRIES * ENTRY_BYTES) return fail('EINVAL');
    if (bytes > MAX_ENTRIES * ENTRY_BYTES) return fail('E2BIG');
    if (this.ringBytes > 0 || this.started) return fail('EINVAL');
    this.ringBytes = bytes;
    for (const { table } of this.spaces) for (const state of table.dirty.values()) state.addRing();
    return { ok: true };
  }

  /** Writes that no vCPU makes (devices) go to bitmaps beside the rings. Before the first memslot. */
  enableRingWithBitmap(): Done {
    if (!this.ringEnabled || this.spaces.some((space) => space.active.count > 0)) return fail('EINVAL');
    this.ringBitmap = true;
    return { ok: true };
  }

  /** The ring of a new vCPU. */
  newVcpu(): DirtyRing | undefined {
    this.started = true;
    if (!this.ringEnabled) return undefined;
    const ring = new DirtyRing(this.ringBytes);
    this.rings.push(ring);
    return ring;
  }

  /**
   * A write from outside any vCPU. KVM loses it when there are only rings (and warns); here it goes to the first vCPU's ring.
   */
  markDirty(space: AddressSpace, gfn: number): void {
    const { table, active } = space;
    const record = active.find(gfn);
    if (!record || (table.flagsOf(record) & MemFlag.LogDirtyPages) === 0) return;
    const state = table.dirty.get(record)!;
    const offset = gfn - table.base[record]!;
    if (state.bits) state.mark(offset);
    else if (state.ringed) this.rings[0]?.push(state.ringed, space.asId, table.idOf(record), offset);
  }

  private resolve(slot: number, asId: number): { space: AddressSpace; record: number } | Errno {
    if (this.ringEnabled && !this.ringBitmap) return 'ENXIO';
    const space = this.spaces[asId];
    if (!space || !Number.isInteger(slot) || slot < 0 || slot >= this.limits.maxSlots) return 'EINVAL';
    return { space, record: space.active.byId(slot) };
  }

  get(slot: number, asId: number): DirtyLogAnswer {
    const found = this.resolve(slot, asId);
    if (typeof found === 'string') return fail(found);
    const { space, record } = found;
    const bits = space.table.dirty.get(record)?.bits;
    if (!bits) return fail('ENOENT');
    const bitmap = bits.slice();
    if (this.manual & MANUAL_PROTECT) return { ok: true, bitmap };
    bits.fill(0);
    this.protectRuns(space, record, bitmap, 0);
    this.harvested(slot, bitmap);
    return { ok: true, bitmap };
  }

  peek(slot: number, asId: number): Uint8Array | undefined {
    const space = this.spaces[asId];
    return space?.table.dirty.get(space.active.byId(slot))?.bits?.slice();
  }

  /** Dirty pages of a slot, and whether the page `offset` is one; undefined where nothing is logged. */
  summary(slot: number, asId: number, offset: number): { pages: number; dirtyPages: number; dirty: boolean } | undefined {
    const space = this.spaces[asId];
    const state = space?.table.dirty.get(space.active.byId(slot));
    if (!state) return undefined;
    return {
      pages: state.pages,
      dirtyPages: countDirty(state, 0, state.pages),
      dirty: countDirty(state, offset, offset + 1) > 0,
    };
  }

  /** See dirty-heat.ts. */
  heat(asId: number, from: number, to: number, columns: number, into: Uint8Array, at: number): void {
    const space = this.spaces[asId];
    if (space) dirtyHeat(space, from, to, columns, into, at);
    else into.fill(HEAT_UNKNOWN, at, at + columns);
  }

  /** For snapshots. The whole slot is write-protected: a page that is clean now may have a write tag. */
  load(slot: number, asId: number, bitmap: Uint8Array): boolean {
    const space = this.spaces[asId];
    const record = space?.active.byId(slot) ?? 0;
    const bits = space?.table.dirty.get(record)?.bits;
    if (!space || !bits || bits.length !== bitmap.length) return false;
    const start = space.table.base[record]!;
    const pages = space.table.pagesOf(record);
    bits.set(bitmap);
    for (let offset = pages; offset < bits.length * 8; offset++) clearBit(bits, offset);
    this.protect([{ asId, start, end: start + pages }]);
    return true;
  }

  clear(request: ClearDirtyLog): Done {
    const { slot, asId = 0, firstPage, numPages, bitmap } = request;
    const found = this.resolve(slot, asId);
    if (typeof found === 'string') return fail(found);
    if (!Number.isSafeInteger(firstPage) || firstPage < 0 || firstPage % 64 !== 0) return fail('EINVAL');
    const { space, record } = found;
    const bits = space.table.dirty.get(record)?.bits;
    if (!bits) return fail('ENOENT');
    const pages = space.table.pagesOf(record);
    if (!Number.isSafeInteger(numPages) || numPages < 0 || firstPage > pages || numPages > pages - firstPage) return fail('EINVAL');
    if (numPages % 64 !== 0 && firstPage + numPages !== pages) return fail('EINVAL');
    if (!(bitmap instanceof Uint8Array) || bitmap.length * 8 < numPages) return fail('EINVAL');
    const cleared = new Uint8Array(Math.ceil(numPages / 64) * 8);
    for (let i = 0; i < cleared.length; i++) {
      const both = bits[firstPage / 8 + i]! & (bitmap[i] ?? 0);
      cleared[i] = both;
      bits[firstPage / 8 + i]! &= ~both;
    }
    this.protectRuns(space, record, cleared, firstPage);
    this.harvested(slot, cleared);
    return { ok: true };
  }

  private harvested(slot: number, bits: Uint8Array): void {
    if (!this.host.observed) return;
    const pages = runsOf(bits, bits.length * 8).reduce((sum, { start, end }) => sum + end - start, 0);
    this.host.note({ type: 'harvest', from: 'log', slots: [slot], pages });
  }

  private protectRuns(space: AddressSpace, record: number, bits: Uint8Array, firstPage: number): void {
    const base = space.table.base[record]! + firstPage;
    const ranges = runsOf(bits, bits.length * 8).map(({ start, end }) => ({ asId: space.asId, start: base + start, end: base + end }));
    if (ranges.length > 0) this.protect(ranges);
  }

  private readonly mapOf: RingedMap = (asId, slot) => {
    const space = this.spaces[asId];
    return space?.table.dirty.get(space.active.byId(slot))?.ringed;
  };

  /** undefined: rings are off. */
  saveRings(): SavedRings | undefined {
    if (!this.ringEnabled) return undefined;
    return { entries: this.ringBytes / ENTRY_BYTES, bitmap: this.ringBitmap, vcpus: this.rings.map((ring) => ring.save(this.mapOf)) };
  }

  /**
   * Replaces the rings by rings of this kind, or by none. Holders of a cache make a new one; after that, `fillRings` is called. Slots that log get the
   * maps that this kind needs.
   */
  replaceRings(saved: Omit<SavedRings, 'vcpus'> | undefined): void {
    this.ringBytes = saved ? saved.entries * ENTRY_BYTES : 0;
    this.ringBitmap = saved?.bitmap ?? false;
    this.written.pages = this.dirtied;
    this.rings.length = 0;
    const mode = { bitmap: !saved || saved.bitmap, ring: saved !== undefined };
    for (const { table } of this.spaces) for (const state of new Set(table.dirty.values())) state.reshape(mode);
  }

  /** Saved entries of the rings, by vCPU. */
  fillRings(vcpus: readonly SavedRing[]): void {
    for (const [index, ring] of this.rings.entries()) if (vcpus[index]) ring.restore(vcpus[index], this.mapOf);
  }

  /** Frees the harvested entries of all rings and protects their pages again. Returns the number of entries, or EINVAL without rings. */
  resetRings(): { ok: true; count: number } | { ok: false; errno: Errno } {
    if (!this.ringEnabled) return fail('EINVAL');
    const ranges: GfnRange[] = [];
    const again = (asId: number, slot: number, offset: number): void => {
      const { table, active } = this.spaces[asId]!;
      const gfn = table.base[active.byId(slot)]! + offset;
      const last = ranges.at(-1);
      if (last && last.asId === asId && last.end === gfn) last.end++;
      else ranges.push({ asId, start: gfn, end: gfn + 1 });
    };
    let count = 0;
    for (const ring of this.rings) count += ring.reset(this.mapOf, again);
    if (ranges.length > 0) this.protect(ranges);
    if (this.host.observed) this.host.note({ type: 'ring-reset', pages: count });
    return { ok: true, count };
  }

  /** Entries of all vCPUs' rings, in each ring's order. */
  harvestRings(limit?: number): RingEntry[] {
    const entries = this.rings.flatMap((ring) => ring.harvest(limit));
    if (this.host.observed) {
      const slots = [...new Set(entries.map(({ slot }) => slot))];
      this.host.note({ type: 'harvest', from: 'ring', slots, pages: entries.length });
    }
    return entries;
  }
}
