/**
 * One set of memslots (KVM: struct kvm_memslots): its indexes by gfn and by id over the shared records, a generation, the last used slot.
 * The index by hva is the address space's.
 */
import { isWithin } from './branchless';
import { createIndex } from './create-index';
import type { GfnIndex, IndexKind } from './gfn-index';
import { PAGE_SIZE } from './limits';
import { FIRST_CAPACITY, grown, grownCapacity, MEMSLOT_INVALID, type SlotTable } from './slot-table';
import type { Memslot } from './types';

export class SlotSet {
  readonly table: SlotTable;
  readonly gfns: GfnIndex;
  /** id -> record; a direct table, grown to the highest id in use. */
  private ids = new Int32Array(FIRST_CAPACITY);
  generation: number;
  /** A cache of one for lookups by gfn. */
  lastUsed = 0;

  constructor(kind: IndexKind, table: SlotTable, generation: number) {
    this.table = table;
    this.gfns = createIndex(kind, table);
    this.generation = generation;
  }

  get count(): number {
    return this.gfns.count;
  }

  /** Makes room for `count` more slots with ids up to `maxId`. The table must have been grown first. */
  reserve(count: number, maxId: number): void {
    this.gfns.reserve(count);
    if (maxId >= this.ids.length) this.ids = grown(Int32Array, this.ids, grownCapacity(this.ids.length, maxId + 1));
  }

  byId(id: number): number {
    return id < this.ids.length ? this.ids[id]! : 0;
  }

  /** Lookup through the last used slot. */
  find(gfn: number): number {
    return this.lastHolds(gfn) ? this.lastUsed : this.search(gfn);
  }

  /**
   * hva of a guest-physical address, bytes; -1 where no slot maps it, or the slot is INVALID. Two returns, so that V8 reads the last used slot's columns
   * once: after a join with the search it would read them again.
   */
  hvaAt(gpa: number): number {
    const gfn = Math.floor(gpa / PAGE_SIZE);
    if (this.lastHolds(gfn)) return this.hvaIn(this.lastUsed, gpa);
    return this.hvaIn(this.search(gfn), gpa);
  }

  private lastHolds(gfn: number): boolean {
    const { table, lastUsed } = this;
    return isWithin(gfn - table.base[lastUsed]!, table.pagesOf(lastUsed));
  }

  private search(gfn: number): number {
    const record = this.gfns.find(gfn);
    if (record) this.lastUsed = record;
    return record;
  }

  private hvaIn(record: number, gpa: number): number {
    const { table } = this;
    if (record === 0 || (table.flagsOf(record) & MEMSLOT_INVALID) !== 0) return -1;
    return table.hvaOf(record) + gpa - table.base[record]! * PAGE_SIZE;
  }

  /** The view of the slot that holds gfn. Compares gfn with the view, which callers read anyway, and spares a read of the record. */
  viewAt(gfn: number): Memslot | undefined {
    const view = this.table.view(this.gfns.floor(gfn));
    return isWithin(gfn - view.baseGfn, view.npages) ? view : undefined;
  }

  /** `next` covers the same gfns as `old`. */
  replace(old: number, next: number): void {
    this.gfns.replace(old, next);
    this.ids[this.table.idOf(next)] = next;
    if (this.lastUsed === old) this.lastUsed = next;
  }

  /** Both lists sorted by first gfn. All removals come before all insertions, so that slots can exchange their places. */
  update(removed: readonly number[], added: readonly number[]): void {
    for (const record of removed) {
      this.ids[this.table.idOf(record)] = 0;
      if (this.lastUsed === record) this.lastUsed = 0;
    }
    this.gfns.update(removed, added);
    for (const record of added) this.ids[this.table.idOf(record)] = record;
  }

  get idBytes(): number {
    return this.ids.byteLength;
  }
}
