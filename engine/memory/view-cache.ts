/**
 * The frozen views of one address space by gfn, for `memslotAt`: a direct-mapped cache. A hit reads one place and the view itself; a search reads
 * several levels of an index, the record's handle there, and the view's place by handle.
 *
 * Each place serves 2^shift gfns in a row, about half a slot, and the same number again every `places` * 2^shift gfns. So slots of one size that lie side
 * by side never share a place, wherever they lie. Others may, and then displace each other.
 */
import type { SlotTable } from './slot-table';
import type { Memslot } from './types';

const PLACES_PER_SLOT = 2;
/** The number of places is a power of two, and may be this much smaller: then few slots share places. */
const ENOUGH = 7 / 8;
/** Searches, beyond one per slot, before the places are laid out: allocating them costs as much as some searches. */
const PATIENCE = 64;

export class ViewCache {
  private readonly table: SlotTable;
  /** The view of no slot, which has no pages. */
  private readonly none: Memslot;
  private views: Memslot[];
  private mask = 0;
  /** 2^-shift. Starts as a fraction, so that V8 gives this field the double representation it needs and never changes it. */
  private placesPerGfn = 0.5;
  /** Slots came or went since the places were laid out. */
  private changed = false;
  /** Since then. */
  private searches = 0;

  constructor(table: SlotTable) {
    this.table = table;
    this.none = table.view(0);
    this.views = [this.none];
  }

  /** The view of the slot that holds gfn, or of another one, or of none: the caller checks. */
  at(gfn: number): Memslot {
    return this.views[(gfn * this.placesPerGfn) & this.mask]!;
  }

  /** A search found the view of the slot that holds gfn. */
  keep(gfn: number, view: Memslot): void {
    this.views[(gfn * this.placesPerGfn) & this.mask] = view;
    this.searches++;
  }

  /** The slots have changed, and the searches since then cost as much as a new layout for so many slots will. */
  wantsLayout(slots: number): boolean {
    return this.changed && this.searches > slots + PATIENCE;
  }

  /** Chooses the number of places and their size for these records, all of the set. O(n). */
  layOut(records: readonly number[]): void {
    this.changed = false;
    this.searches = 0;
    let bits = 0;
    for (const record of records) bits += 31 - Math.clz32(this.table.pagesOf(record));
    const shift = Math.max(0, Math.round(bits / records.length) - Math.log2(PLACES_PER_SLOT));
    const places = 2 ** Math.ceil(Math.log2(records.length * PLACES_PER_SLOT * ENOUGH));
    if (2 ** -shift === this.placesPerGfn && places === this.views.length) return;
    this.placesPerGfn = 2 ** -shift;
    this.mask = places - 1;
    this.views = Array.from({ length: places }, () => this.none);
  }

  /** The slot of this record changes or goes. */
  forget(record: number): void {
    const first = this.table.base[record]!;
    const start = Math.floor(first * this.placesPerGfn);
    const last = Math.floor((first + this.table.pagesOf(record) - 1) * this.placesPerGfn);
    const end = Math.min(last, start + this.mask);
    for (let place = start; place <= end; place++) this.views[place & this.mask] = this.none;
  }

  /** Slots came or went. */
  change(): void {
    this.changed = true;
  }

  /** Bytes. */
  get bytes(): number {
    return this.views.length * 8;
  }
}
