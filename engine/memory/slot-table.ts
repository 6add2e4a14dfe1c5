/**
 * The memslot records of one address space, as columns of typed arrays. Both sets (active and inactive) refer to the
 * same records, as both of KVM's sets refer to the same struct kvm_memory_slot.
 *
 * A record is named by its handle, an integer from 1; 0 means "none" everywhere in this folder.
 */
import type { DirtyState } from './dirty-state';
import type { Memslot } from './types';

/** Internal flag, as KVM_MEMSLOT_INVALID: the slot is being removed or moved, and lookups that meet it are retried. */
export const MEMSLOT_INVALID = 0x10000;

/** MEMSLOT_INVALID is the highest flag (17 bits); ids have 15. */
const ID_SHIFT = 17;
const FLAGS_MASK = 0x1ffff;
/** Of columns and links, in records: more than a small machine's slots, few enough for an address space that stays empty. */
export const FIRST_CAPACITY = 16;

export class SlotTable {
  readonly asId: number;
  /** First gfn, by record: a column of its own, since the red-black tree walks it. */
  base = new Float64Array(FIRST_CAPACITY);
  /** The rest of a record in 16 bytes, so that a lookup touches one cache line: hva f64, pages u32, id and flags u32. */
  private hvas = new Float64Array(FIRST_CAPACITY * 2);
  private words = new Uint32Array(this.hvas.buffer);
  /** Only for slots under dirty logging; old, INVALID copy and moved slot share one. */
  readonly dirty = new Map<number, DirtyState>();
  /** Only for slots whose arch hook gave something. */
  readonly arch = new Map<number, unknown>();
  /** By record: the frozen objects that were asked for. */
  private readonly views: (Memslot | undefined)[] = [];
  private readonly freed: number[] = [];
  /** Handles from here on were never used. */
  private top = 1;

  constructor(asId: number) {
    this.asId = asId;
  }

  get capacity(): number {
    return this.base.length;
  }

  /** Records in use. */
  get used(): number {
    return this.top - 1 - this.freed.length;
  }

  /** Makes room for `count` more records; may throw RangeError, and then has changed nothing that matters. */
  reserve(count: number): void {
    const needed = this.top + Math.max(0, count - this.freed.length);
    if (needed <= this.capacity) return;
    const capacity = grownCapacity(this.capacity, needed);
    const base = grown(Float64Array, this.base, capacity);
    this.hvas = grown(Float64Array, this.hvas, capacity * 2);
    this.words = new Uint32Array(this.hvas.buffer);
    this.base = base;
  }

  /** Bytes. */
  hvaOf(record: number): number {
    return this.hvas[record << 1]!;
  }

  /** 1 .. 2^31 - 1; 0 for the handle that means none. */
  pagesOf(record: number): number {
    return this.words[((record << 2) + 2) | 0]!;
  }

  flagsOf(record: number): number {
    return this.words[((record << 2) + 3) | 0]! & FLAGS_MASK;
  }

  idOf(record: number): number {
    return this.words[((record << 2) + 3) | 0]! >>> ID_SHIFT;
  }

  /** Call `reserve` first: this cannot fail. */
  allocate(id: number, base: number, pages: number, hva: number, flags: number): number {
    const record = this.freed.pop() ?? this.top++;
    this.base[record] = base;
    this.hvas[record * 2] = hva;
    this.words[record * 4 + 2] = pages;
    this.words[record * 4 + 3] = ((id << ID_SHIFT) | flags) >>> 0;
    return record;
  }

  /** A copy with other flags that shares dirty state and arch data (KVM: the INVALID copy of a slot). */
  copy(record: number, flags: number): number {
    const copy = this.allocate(this.idOf(record), this.base[record]!, this.pagesOf(record), this.hvaOf(record), flags);
    const dirty = this.dirty.get(record);
    if (dirty) this.dirty.set(copy, dirty);
    if (this.arch.has(record)) this.arch.set(copy, this.arch.get(record));
    return copy;
  }

  free(record: number): void {
    this.dirty.delete(record);
    this.arch.delete(record);
    if (record < this.views.length) this.views[record] = undefined;
    this.freed.push(record);
  }

  /** The record as a new object. */
  describe(record: number): Memslot {
    return {
      slot: this.idOf(record),
      asId: this.asId,
      flags: this.flagsOf(record),
      baseGfn: this.base[record]!,
      npages: this.pagesOf(record),
      userspaceAddr: this.hvaOf(record),
      arch: this.arch.get(record),
    };
  }

  /** The record as a frozen object, created by the first call and the same one for as long as the record lives. */
  view(record: number): Memslot {
    return this.views[record] ?? this.makeView(record);
  }

  private makeView(record: number): Memslot {
    // Filled up to here, so that it stays an array without holes.
    while (this.views.length <= record) this.views.push(undefined);
    const view = frozenView(this.describe(record));
    this.views[record] = view;
    return view;
  }

  /** Bytes held by the columns. */
  get bytes(): number {
    return this.capacity * (8 + 16);
  }
}

/**
 * The fields that a lookup and most of its callers read come first: they share a cache line with the object's head, or lie in the next one. Only
 * this function makes objects of this shape, so V8 keeps their numbers in the fields. A number of 2^31 or more gets a heap object of its own.
 */
function frozenView({ slot, asId, flags, baseGfn, npages, userspaceAddr, arch }: Memslot): Memslot {
  return Object.freeze({ userspaceAddr: inField(userspaceAddr), baseGfn: inField(baseGfn), npages, flags, slot, asId, arch });
}

/** The same number. V8 reads a double from a Float64Array; this makes it a small integer where it is one. */
function inField(value: number): number {
  return value === (value | 0) ? value | 0 : value;
}

/** Doubling while small, by eighths from some hundred on: doubling alone would leave half of it empty. */
export function grownCapacity(capacity: number, needed: number): number {
  let next = capacity;
  while (next < needed) next = next < 256 ? next * 2 : Math.ceil((next * 1.125) / 64) * 64;
  return next;
}

interface Growable {
  length: number;
}

export function grown<A extends Growable & { set(from: A): void }>(type: new (length: number) => A, from: A, capacity: number): A {
  const to = new type(capacity);
  to.set(from);
  return to;
}
