/**
 * What readers see of the memslots: of each address space the set that is published, and the stamp that caches compare. Lookups answer in
 * numbers out of typed columns, which could lie in shared memory, and allocate nothing. The engine publishes through this file alone.
 */
import type { SlotSet } from './slot-set';

export class SlotReader {
  /**
   * By asId: the generation of the published set, or NaN (equal to nothing) while its predecessor may still be read. KVM marks that time with
   * bit 63 of the generation.
   */
  readonly stamps: Float64Array;
  private readonly sets: SlotSet[] = [];

  constructor(spaces: number) {
    this.stamps = new Float64Array(spaces);
  }

  /** The set that a lookup reads; undefined: there is no such address space. Read it once per lookup. */
  set(asId: number): SlotSet | undefined {
    return this.sets[asId];
  }

  /** An address space's first set, empty. */
  begin(asId: number, set: SlotSet): void {
    this.sets[asId] = set;
    this.stamps[asId] = set.generation;
  }

  /** kvm_swap_active_memslots up to the grace period: one store makes `next` visible, and nothing found from now on may be cached. */
  publish(asId: number, next: SlotSet): void {
    this.stamps[asId] = Number.NaN;
    this.sets[asId] = next;
  }

  /** The previous set may still have readers. */
  inGrace(asId: number): boolean {
    return Number.isNaN(this.stamps[asId]);
  }

  /**
   * The grace period (KVM: synchronize_srcu_expedited): returns when the previous set has no readers left, and makes the new generation
   * count. Guest and engine share one thread and a lookup is never interrupted, so there is no reader to wait for.
   */
  quiesce(asId: number): void {
    this.stamps[asId] = this.sets[asId]!.generation;
  }
}
