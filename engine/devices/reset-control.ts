/**
 * The two chipset registers that reset a PC beside the 8042: system control port A (0x92, PS/2) and the reset control register of Intel's
 * bridges (0xCF9, PIIX3 data sheet 4.2.2).
 *
 * Not implemented: the A20 gate (port 0x92 bit 1 is kept, and no address wraps at 1 MiB); the security lock and the activity light of port
 * 0x92 (read 0); a difference between soft and hard reset; PCI configuration (0xCF8 and 0xCFC read all ones).
 */
import type { BusDevice, DeviceState } from './bus';
import { allOnes, int, readFields, type Schema } from './state';

const FAST_RESET = 1;
const A20 = 2;
const RESET_CPU = 4;
const HARD_RESET = 2;
/** 0xCF9 as a distance from 0xCF8. It answers byte accesses only: a wider one is PCI's configuration address. */
const CONTROL = 1;

interface PortState {
  value: number;
}

export class SystemControlA implements BusDevice {
  readonly name = 'port92';
  private readonly schema: Schema<PortState> = { value: int(0, A20) };
  private s: PortState = { value: A20 };

  constructor(private readonly pulse: () => void) {}

  read(): number {
    return this.s.value;
  }

  peek(): number {
    return this.s.value;
  }

  /** A change of bit 0 from 0 to 1 resets; the bit reads 0 again afterwards. */
  write(_offset: number, _size: number, value: number): void {
    this.s.value = value & A20;
    if ((value & FAST_RESET) !== 0) this.pulse();
  }

  /** As firmware leaves it: A20 on. */
  reset(): void {
    this.s.value = A20;
  }

  save(): DeviceState {
    return { ...this.s };
  }

  check(state: DeviceState): PortState {
    return readFields(this.name, this.schema, state);
  }

  restore(state: DeviceState): void {
    this.s = this.check(state);
  }
}

export class ResetControl implements BusDevice {
  readonly name = 'reset-control';
  private readonly schema: Schema<PortState> = { value: int(0, HARD_RESET) };
  private s: PortState = { value: 0 };

  constructor(private readonly pulse: () => void) {}

  read(offset: number, size: number): number {
    return offset === CONTROL && size === 1 ? this.s.value : allOnes(size);
  }

  peek(offset: number, size: number): number {
    return this.read(offset, size);
  }

  write(offset: number, size: number, value: number): void {
    if (offset !== CONTROL || size !== 1) return;
    this.s.value = value & HARD_RESET;
    if ((value & RESET_CPU) !== 0) this.pulse();
  }

  reset(): void {
    this.s.value = 0;
  }

  save(): DeviceState {
    return { ...this.s };
  }

  check(state: DeviceState): PortState {
    return readFields(this.name, this.schema, state);
  }

  restore(state: DeviceState): void {
    this.s = this.check(state);
  }
}
