/**
 * One address space: two sets over one table of records. A change edits the inactive set; one store publishes it.
 *
 * Both sets share one index by hva, where KVM has one in each. It always matches the active set, because the step that publishes a set changes it
 * too. No lookup by hva needs the inactive set.
 */
import { isWithin } from './branchless';
import { regionOf } from './change-set';
import type { IndexKind } from './gfn-index';
import { HvaTree } from './hva-tree';
import type { SlotReader } from './slot-reader';
import { SlotSet } from './slot-set';
import { SlotTable } from './slot-table';
import type { MemoryRegion, Memslot } from './types';
import { ViewCache } from './view-cache';

export class AddressSpace {
  readonly asId: number;
  readonly table: SlotTable;
  inactive: SlotSet;
  /** The active set by backing. */
  readonly hvas: HvaTree;
  /** Of the active set. A commit takes views out of it, and until it is complete none is put in. */
  private readonly views: ViewCache;
  /** A commit has begun to edit the inactive set, and is not complete. */
  private edited = false;
  private readonly reader: SlotReader;
  /** Added per swap: the number of address spaces, so that no two spaces ever have the same generation. */
  private readonly step: number;

  constructor(asId: number, reader: SlotReader, kind: IndexKind) {
    this.asId = asId;
    this.reader = reader;
    this.step = reader.stamps.length;
    this.table = new SlotTable(asId);
    reader.begin(asId, new SlotSet(kind, this.table, asId));
    this.inactive = new SlotSet(kind, this.table, asId);
    this.hvas = new HvaTree(this.table);
    this.views = new ViewCache(this.table);
  }

  /** What readers see. */
  get active(): SlotSet {
    return this.reader.set(this.asId)!;
  }

  /** The frozen view of the active set's slot that holds gfn. */
  viewAt(gfn: number): Memslot | undefined {
    const view = this.views.at(gfn);
    return isWithin(gfn - view.baseGfn, view.npages) ? view : this.searchView(gfn);
  }

  private searchView(gfn: number): Memslot | undefined {
    const view = this.active.viewAt(gfn);
    if (view && !this.edited) {
      if (this.views.wantsLayout(this.active.count)) this.layOutViews();
      this.views.keep(gfn, view);
    }
    return view;
  }

  private layOutViews(): void {
    const records: number[] = [];
    this.active.gfns.collect(records);
    this.views.layOut(records);
  }

  /** In the inactive set: `next` covers the same gfns as `old`. */
  replace(old: number, next: number): void {
    this.edited = true;
    this.views.forget(old);
    this.inactive.replace(old, next);
  }

  /** In the inactive set, see SlotSet. */
  update(removed: readonly number[], added: readonly number[]): void {
    this.edited = true;
    for (const record of removed) this.views.forget(record);
    if (removed.length + added.length > 0) this.views.change();
    this.inactive.update(removed, added);
  }

  /** Both sets hold the same slots again. */
  settle(): void {
    this.edited = false;
  }

  get viewBytes(): number {
    return this.views.bytes;
  }

  get inProgress(): boolean {
    return this.reader.inGrace(this.asId);
  }

  /** The active set's slot as a request names it: a new object each time. */
  regionById(slot: number): MemoryRegion | undefined {
    const record = Number.isInteger(slot) && slot >= 0 ? this.active.byId(slot) : 0;
    return record ? regionOf(this.table.describe(record)) : undefined;
  }

  /** All that a change set may need, before it starts: `records` new records, `slots` more slots, ids up to `maxId`. */
  reserve(records: number, slots: number, maxId: number): void {
    this.table.reserve(records);
    this.hvas.reserve();
    this.active.reserve(slots, maxId);
    this.inactive.reserve(slots, maxId);
  }

  /** The generation that the next swap gives. */
  get nextGeneration(): number {
    return this.active.generation + this.step;
  }

  /** The sets change places: the new one is visible, with the old generation until `quiesce`. */
  publish(): void {
    const [before, next] = [this.active, this.inactive];
    next.generation = before.generation;
    this.inactive = before;
    this.reader.publish(this.asId, next);
  }

  /** After `publish`: the old set has no readers and may be changed, and the new generation counts. */
  quiesce(): void {
    if (!this.inProgress) return;
    this.active.generation += this.step;
    this.reader.quiesce(this.asId);
  }

  /** What is published is of this generation again. */
  rewind(generation: number): void {
    this.active.generation = generation;
    this.reader.quiesce(this.asId);
  }
}
