/**
 * ACPI generic event device (ACPI 6.4, 5.6.9 and 4.8.3.7): an event selector with an interrupt, and beside it the sleep
 * and reset registers of hardware-reduced ACPI, laid out as QEMU's microvm board has them.
 *
 *   +0x000 u32  event selector: one bit per event; a read clears them and lowers the line
 *   +0x200 u8   sleep control: (type << 2) | 0x20; type 5 is power-off (S5)
 *   +0x201 u8   sleep status: 0x80 (WAK_STS) always reads 0 here
 *   +0x202 u8   reset: 0x42 resets the machine
 *
 * The line rises again with each event (an edge for each, even while an earlier one is unread) and falls when the selector is read.
 *
 * Not implemented: sleep types other than S5 (ignored, as the DSDT offers none), events other than memory and power button
 * (the selector passes any bit it is given).
 */
import type { BusDevice, DeviceState, IrqLine } from './bus';
import { copyFields, readFields, type Schema, u32 } from './state';

const SELECTOR = 0x000;
const SLEEP_CONTROL = 0x200;
const RESET = 0x202;
const RESET_VALUE = 0x42;
const SLEEP_ENABLE = 0x20;
const SLEEP_TYPE_S5 = 5;

export interface GenericEventDeviceOptions {
  irq: IrqLine;
  powerOff: () => void;
  reset: () => void;
}

interface State {
  selector: number;
}
const schema: Schema<State> = { selector: u32 };

export class GenericEventDevice implements BusDevice {
  readonly name = 'acpi-ged';
  private s: State = { selector: 0 };

  constructor(private readonly options: GenericEventDeviceOptions) {}

  /** events: bits of the selector (GED_EVENT_* of the board). */
  raise(events: number): void {
    this.s.selector = (this.s.selector | events) >>> 0;
    this.options.irq(0);
    this.options.irq(1);
  }

  read(offset: number, size: number): number {
    const value = this.peek(offset, size);
    if (offset === SELECTOR) {
      this.s.selector = 0;
      this.options.irq(0);
    }
    return value;
  }

  write(offset: number, _size: number, value: number): void {
    const byte = value & 0xff;
    if (offset === SLEEP_CONTROL && (byte & SLEEP_ENABLE) !== 0 && ((byte >> 2) & 7) === SLEEP_TYPE_S5) this.options.powerOff();
    else if (offset === RESET && byte === RESET_VALUE) this.options.reset();
  }

  peek(offset: number, size: number): number {
    if (offset !== SELECTOR) return 0;
    return size >= 4 ? this.s.selector : this.s.selector % 2 ** (8 * size);
  }

  reset(): void {
    this.s = { selector: 0 };
    this.options.irq(0);
  }

  save(): DeviceState {
    return copyFields(this.s);
  }

  check(state: DeviceState): State {
    return readFields(this.name, schema, state);
  }

  restore(state: DeviceState): void {
    this.s = this.check(state);
  }
}
