/**
 * A vCPU's dirty ring (virt/kvm/dirty_ring.c): entries of 16 bytes {u32 flags, u32 slot, u64 offset}, filled by writes, harvested in
 * order by the owner, freed by a reset.
 */
import { clearBit, setBit, testBit } from './dirty-state';

/** KVM_DIRTY_RING_RSVD_ENTRIES; there is no hardware page-modification log whose size KVM would add. */
export const RESERVED_ENTRIES = 64;
/** KVM_DIRTY_RING_MAX_ENTRIES */
export const MAX_ENTRIES = 65536;
export const ENTRY_BYTES = 16;
const WORDS = 4;
const DIRTY = 1;
const RESET = 2;

export interface RingEntry {
  asId: number;
  slot: number;
  /** page, from the start of the slot */
  offset: number;
}

/** The entries of a ring, for snapshots; three lists of equal length, one element per entry, oldest first. */
export interface SavedRing {
  /** How many entries, from the first, were harvested and wait for a reset. */
  harvested: number;
  overflows: number;
  /** address space * 0x10000 + slot id */
  slots: number[];
  /** page, from the start of the slot */
  pages: number[];
  /** 1: the slot that has this id now records nothing more for the page until a reset. 0: the entry is of a slot that is gone. */
  live: number[];
}

/** Finds the map of a slot's pages that have an entry in a ring; undefined: the slot is gone or does not log. */
export type RingedMap = (asId: number, slot: number) => Uint8Array | undefined;

export class DirtyRing {
  readonly size: number;
  private readonly words: Uint32Array;
  /** Entries pushed, harvested and reset since the start. */
  private pushed = 0;
  private harvested = 0;
  private collected = 0;
  /** Writes that found the ring full to the last entry: the driver ignored `isFull`. Their pages stay write-protected. */
  overflows = 0;

  constructor(bytes: number) {
    this.size = bytes / ENTRY_BYTES;
    this.words = new Uint32Array(this.size * WORDS);
  }

  /** Soft limit reached: leave the guest with KVM_EXIT_DIRTY_RING_FULL until a reset makes room. */
  get isFull(): boolean {
    return this.pushed - this.collected >= this.size - RESERVED_ENTRIES;
  }

  /** Entries that are not free: they wait for harvest, or for a reset after it. */
  get used(): number {
    return this.pushed - this.collected;
  }

  /** Entries ever pushed. */
  get total(): number {
    return this.pushed;
  }

  /** Entries that wait for harvest. */
  get pending(): number {
    return this.pushed - this.harvested;
  }

  /** A page that already has an entry is not pushed again. */
  push(ringed: Uint8Array, asId: number, slot: number, offset: number): void {
    if (testBit(ringed, offset)) return;
    if (this.pushed - this.collected >= this.size) {
      this.overflows++;
      return;
    }
    setBit(ringed, offset);
    const at = (this.pushed % this.size) * WORDS;
    this.words[at] = DIRTY;
    this.words[at + 1] = asId * 0x10000 + slot;
    this.words[at + 2] = offset;
    this.words[at + 3] = 0;
    this.pushed++;
  }

  /** `isLive`: whether the slot's map marks the page as one with an entry. */
  save(mapOf: RingedMap): SavedRing {
    const { pushed, harvested, collected, overflows } = this;
    const saved: SavedRing = { harvested: harvested - collected, overflows, slots: [], pages: [], live: [] };
    for (let entry = collected; entry < pushed; entry++) {
      const at = (entry % this.size) * WORDS;
      const [slot, page] = [this.words[at + 1]!, this.words[at + 2]!];
      const ringed = mapOf(Math.floor(slot / 0x10000), slot % 0x10000);
      saved.slots.push(slot);
      saved.pages.push(page);
      saved.live.push(ringed && page < ringed.length * 8 && testBit(ringed, page) ? 1 : 0);
    }
    return saved;
  }

  /** For a new ring of the same size; the slots have maps, and they are empty. */
  restore(saved: SavedRing, mapOf: RingedMap): void {
    this.pushed = saved.slots.length;
    this.harvested = saved.harvested;
    this.collected = 0;
    this.overflows = saved.overflows;
    saved.slots.forEach((slot, index) => {
      const page = saved.pages[index]!;
      this.words.set([index < saved.harvested ? RESET : DIRTY, slot, page, 0], index * WORDS);
      const ringed = saved.live[index] ? mapOf(Math.floor(slot / 0x10000), slot % 0x10000) : undefined;
      if (ringed && page < ringed.length * 8) setBit(ringed, page);
    });
  }

  /** Takes up to `limit` entries in order and marks them for reset. */
  harvest(limit = Number.POSITIVE_INFINITY): RingEntry[] {
    const entries: RingEntry[] = [];
    while (this.harvested < this.pushed && entries.length < limit) {
      const at = (this.harvested++ % this.size) * WORDS;
      this.words[at] = RESET;
      const slot = this.words[at + 1]!;
      entries.push({ asId: Math.floor(slot / 0x10000), slot: slot % 0x10000, offset: this.words[at + 2]! });
    }
    return entries;
  }

  /** Frees harvested entries, and reports each page that may be write-protected again. Returns how many entries were freed. */
  reset(mapOf: RingedMap, protect: (asId: number, slot: number, offset: number) => void): number {
    let count = 0;
    for (; this.collected < this.harvested; this.collected++, count++) {
      const at = (this.collected % this.size) * WORDS;
      const slot = this.words[at + 1]!;
      const offset = this.words[at + 2]!;
      this.words[at] = 0;
      const ringed = mapOf(Math.floor(slot / 0x10000), slot % 0x10000);
      if (!ringed || offset >= ringed.length * 8) continue;
      clearBit(ringed, offset);
      protect(Math.floor(slot / 0x10000), slot % 0x10000, offset);
    }
    return count;
  }
}
