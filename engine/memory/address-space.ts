/**
 * One address space: two sets over one table of records. A change edits the inactive set; one store publishes it.
 *
 * The index by hva is one for both sets, where KVM has one in each. It always says what the active set says, because it is changed in the step
 * that publishes a set. Nobody looks into the inactive set by hva.
 */
import type { IndexKind } from './gfn-index';
import { HvaTree } from './hva-tree';
import { SlotSet } from './slot-set';
import { SlotTable } from './slot-table';

export class AddressSpace {
  readonly asId: number;
  readonly table: SlotTable;
  /** What readers see. Read it once per lookup. */
  active: SlotSet;
  inactive: SlotSet;
  /** The active set by backing. */
  readonly hvas: HvaTree;
  /**
   * What caches compare, by asId, for all spaces of an engine: the generation, or NaN (equal to nothing) while a set is published but its
   * predecessor may still be read. KVM marks that time with bit 63 of the generation.
   */
  readonly stamps: Float64Array;
  /** Added per swap: the number of address spaces, so that no two spaces ever have the same generation. */
  private readonly step: number;

  constructor(asId: number, stamps: Float64Array, kind: IndexKind) {
    this.asId = asId;
    this.stamps = stamps;
    this.step = stamps.length;
    stamps[asId] = asId;
    this.table = new SlotTable(asId);
    this.active = new SlotSet(kind, this.table, asId);
    this.inactive = new SlotSet(kind, this.table, asId);
    this.hvas = new HvaTree(this.table);
  }

  get inProgress(): boolean {
    return Number.isNaN(this.stamps[this.asId]);
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

  /** kvm_swap_active_memslots up to the grace period: the new set is visible, and marked, with the old generation. */
  publish(): void {
    const next = this.inactive;
    next.generation = this.active.generation;
    this.stamps[this.asId] = Number.NaN;
    this.inactive = this.active;
    this.active = next;
  }

  /** Nobody reads the old set any more: the new generation counts. */
  endGrace(): void {
    if (!this.inProgress) return;
    this.active.generation += this.step;
    this.stamps[this.asId] = this.active.generation;
  }
}
