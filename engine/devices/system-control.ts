/**
 * Port 0x61 of the PC: gate of timer 2 (bit 0), speaker (bit 1), refresh toggle (bit 4), OUT of timer 2 (bit 5).
 *
 * Not implemented: NMI sources (bits 2, 3, 6, 7: parity and channel check are kept or read 0), sound.
 */
import type { BusDevice, DeviceState, VirtualClock } from './bus';
import type { Pit } from './pit';
import { copyFields, readFields, type Schema, u8 } from './state';

/** DRAM refresh, and with it bit 4, changes every 15.085 us (18 ticks of 1,193,182 Hz). */
const REFRESH_NS = 15_085;

export interface SystemControlOptions {
  clock: VirtualClock;
  pit: Pit;
}

interface State {
  /** Bits 0-3 as written. */
  control: number;
}
const schema: Schema<State> = { control: u8 };

export class SystemControl implements BusDevice {
  readonly name = 'system-control';
  private s: State = { control: 0 };

  constructor(private readonly options: SystemControlOptions) {}

  read(offset: number, size: number): number {
    return this.peek(offset, size);
  }

  peek(_offset: number, _size: number): number {
    const refresh = Math.floor(this.options.clock.now() / REFRESH_NS) % 2 === 1 ? 0x10 : 0;
    return this.s.control | refresh | (this.options.pit.out2() ? 0x20 : 0);
  }

  write(_offset: number, _size: number, value: number): void {
    this.s.control = value & 0x0f;
    this.options.pit.setGate2((value & 1) !== 0);
  }

  reset(): void {
    this.s = { control: 0 };
    this.options.pit.setGate2(false);
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
