/**
 * QEMU's ACPI memory hotplug registers (docs/specs/acpi_mem_hotplug), 24 bytes for any number of slots. The DSDT's methods and
 * memlab drive them; the fields of the selected slot:
 *
 *   offset  read                                    write
 *   0x00    base, low half                          slot selector
 *   0x04    base, high half                         _OST event
 *   0x08    length, low half                        _OST status: reports to the host
 *   0x0c    length, high half
 *   0x10    proximity domain
 *   0x14    1 enabled, 2 insert event, 4 remove     2 clears insert, 4 clears remove, 8 ejects
 *
 * The board supplies base and length at each read, so they report where a DIMM is mapped now, even after its slot
 * was moved. A selector out of range reads 0 everywhere and ignores writes; unknown registers read all ones.
 *
 * Not implemented: nothing known of QEMU's block.
 */
import type { BusDevice, DeviceState } from './bus';
import { allOnes, copyFields, flag, list, object, readFields, type Schema, u32 } from './state';

const SELECTOR = 0x00;
const BASE_HIGH = 0x04;
const LENGTH_LOW = 0x08;
const LENGTH_HIGH = 0x0c;
const PROXIMITY = 0x10;
const FLAGS = 0x14;
const ENABLED = 1;
const INSERT = 2;
const REMOVE = 4;
const EJECT = 8;
const MAX_SLOTS = 256;

export interface MappedDimm {
  /** gpa, bytes */
  base: number;
  /** bytes */
  length: number;
  node: number;
}

export interface MemoryHotplugOptions {
  /** 0..256 */
  slots: number;
  /** The DIMM in a slot, and where it is mapped now; undefined for an empty slot. No side effects. */
  dimm: (slot: number) => MappedDimm | undefined;
  /** A slot has an event: interrupt the guest. */
  event: () => void;
  /** The guest ejects; true if the DIMM is gone. */
  eject: (slot: number) => boolean;
  /** _OST: source event and status code of ACPI 6.3.5. */
  ost: (slot: number, event: number, status: number) => void;
}

export interface HotplugSlot {
  enabled: boolean;
  inserting: boolean;
  removing: boolean;
  ostEvent: number;
  ostStatus: number;
}

interface State {
  selector: number;
  slots: HotplugSlot[];
}

const slotSchema: Schema<HotplugSlot> = { enabled: flag, inserting: flag, removing: flag, ostEvent: u32, ostStatus: u32 };

const empty = (): HotplugSlot => ({ enabled: false, inserting: false, removing: false, ostEvent: 0, ostStatus: 0 });

export class MemoryHotplug implements BusDevice {
  readonly name = 'acpi-mem-hotplug';
  private readonly schema: Schema<State>;
  private s: State;

  constructor(private readonly options: MemoryHotplugOptions) {
    const { slots } = options;
    if (!Number.isInteger(slots) || slots < 0 || slots > MAX_SLOTS)
      throw new RangeError(`${slots} DIMM slots: 0 to ${MAX_SLOTS} are possible`);
    this.schema = { selector: u32, slots: list(object(slotSchema), slots) };
    this.s = { selector: 0, slots: Array.from({ length: slots }, empty) };
  }

  /** A DIMM is now in `slot`. notify false: it was there at power-on, and the guest finds it by itself. */
  plug(slot: number, notify = true): void {
    this.s.slots[this.checked(slot)] = { ...empty(), enabled: true, inserting: notify };
    if (notify) this.options.event();
  }

  /** Asks the guest to give back the DIMM. */
  requestUnplug(slot: number): void {
    this.s.slots[this.checked(slot)]!.removing = true;
    this.options.event();
  }

  /** Empties the slot without asking the guest. */
  unplug(slot: number): void {
    this.s.slots[this.checked(slot)] = empty();
  }

  status(slot: number): Readonly<HotplugSlot> {
    return { ...this.s.slots[this.checked(slot)]! };
  }

  read(offset: number, size: number): number {
    return this.peek(offset, size);
  }

  peek(offset: number, size: number): number {
    const slot = this.s.slots[this.s.selector];
    if (slot === undefined) return 0;
    const dimm = this.options.dimm(this.s.selector);
    const value = this.field(offset, slot, dimm);
    return size >= 4 ? value : value % (allOnes(size) + 1);
  }

  write(offset: number, _size: number, value: number): void {
    if (offset === SELECTOR) {
      this.s.selector = value >>> 0;
      return;
    }
    const index = this.s.selector;
    const slot = this.s.slots[index];
    if (slot === undefined) return;
    if (offset === BASE_HIGH) {
      slot.ostEvent = value >>> 0;
    } else if (offset === LENGTH_LOW) {
      slot.ostStatus = value >>> 0;
      this.options.ost(index, slot.ostEvent, slot.ostStatus);
    } else if (offset === FLAGS) {
      this.writeFlags(index, slot, value);
    }
  }

  /** A reset keeps plugged DIMMs and drops unseen events, since the guest scans every slot when it boots. */
  reset(): void {
    const slots = this.s.slots.map((slot) => ({ ...empty(), enabled: slot.enabled }));
    this.s = { selector: 0, slots };
  }

  save(): DeviceState {
    return copyFields(this.s);
  }

  check(state: DeviceState): State {
    return readFields(this.name, this.schema, state);
  }

  restore(state: DeviceState): void {
    this.s = this.check(state);
  }

  private checked(slot: number): number {
    if (this.s.slots[slot] === undefined) throw new RangeError(`no DIMM slot ${slot}: there are ${this.s.slots.length}`);
    return slot;
  }

  private field(offset: number, slot: HotplugSlot, dimm: MappedDimm | undefined): number {
    const base = dimm?.base ?? 0;
    const length = dimm?.length ?? 0;
    switch (offset) {
      case SELECTOR:
        return base % 2 ** 32;
      case BASE_HIGH:
        return Math.floor(base / 2 ** 32);
      case LENGTH_LOW:
        return length % 2 ** 32;
      case LENGTH_HIGH:
        return Math.floor(length / 2 ** 32);
      case PROXIMITY:
        return dimm?.node ?? 0;
      case FLAGS:
        return (slot.enabled && dimm ? ENABLED : 0) | (slot.inserting ? INSERT : 0) | (slot.removing ? REMOVE : 0);
      default:
        return 0xffffffff;
    }
  }

  /** Only one bit counts per write, the lowest set one, as in QEMU. */
  private writeFlags(index: number, slot: HotplugSlot, value: number): void {
    if ((value & INSERT) !== 0) slot.inserting = false;
    else if ((value & REMOVE) !== 0) slot.removing = false;
    else if ((value & EJECT) !== 0 && slot.enabled && this.options.eject(index)) {
      // _OST(3, 0) follows the eject, so the slot keeps its fields.
      this.s.slots[index] = { ...empty(), ostEvent: slot.ostEvent, ostStatus: slot.ostStatus };
    }
  }
}
