/** Connects local APICs and I/O APICs: finds the destinations of an interrupt message, and the I/O APICs of an EOI. It keeps no state. */

export const DELIVERY_FIXED = 0;
export const DELIVERY_LOWEST = 1;
export const DELIVERY_NMI = 4;
export const DELIVERY_INIT = 5;
export const DELIVERY_SIPI = 6;
export const DELIVERY_EXTINT = 7;

export interface ApicMessage {
  delivery: number;
  vector: number;
  /** Level triggered: its EOI is broadcast. */
  level: boolean;
  logical: boolean;
  /** APIC id, or the logical destination. */
  destination: number;
  /** The sender's all-ones destination (8 or 32 bits wide). */
  broadcast: boolean;
}

export interface ApicTarget {
  readonly id: number;
  matches(message: ApicMessage): boolean;
  /** Task priority class for lowest-priority arbitration. */
  readonly processorPriority: number;
  /** false: the APIC is off and takes no interrupt of this kind. */
  accept(message: ApicMessage): boolean;
}

export interface EoiListener {
  endOfInterrupt(vector: number): void;
}

export class ApicBus {
  readonly lapics: ApicTarget[] = [];
  readonly ioapics: EoiListener[] = [];

  /** Delivers to every APIC of the destination; true if at least one accepted it. */
  send(message: ApicMessage): boolean {
    return this.deliver(
      message,
      this.lapics.filter((lapic) => message.broadcast || lapic.matches(message)),
    );
  }

  /** For shorthands: the sender has chosen the destinations. */
  deliver(message: ApicMessage, targets: readonly ApicTarget[]): boolean {
    if (message.delivery === DELIVERY_LOWEST) {
      // Equal priorities: the lowest id, so that runs are reproducible.
      const order = [...targets].sort((a, b) => a.processorPriority - b.processorPriority || a.id - b.id);
      return order.some((lapic) => lapic.accept(message));
    }
    let taken = false;
    for (const lapic of targets) taken = lapic.accept(message) || taken;
    return taken;
  }

  /** EOI of a level-triggered vector. */
  eoi(vector: number): void {
    for (const ioapic of this.ioapics) ioapic.endOfInterrupt(vector);
  }
}
