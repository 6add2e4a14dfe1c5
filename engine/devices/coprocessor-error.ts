/**
 * The PC's way of reporting x87 errors while CR0.NE is 0 (SDM 1 8.7.2, figure 8-8): FERR# of the processor latches IRQ 13; a write to port
 * 0xF0 drops the request and asserts IGNNE#, with which the processor continues despite the pending error until that is cleared.
 *
 * Not implemented: port 0xF1 (the reset of a separate coprocessor). FERR# of every vCPU is wired, not of the boot processor alone.
 */
import type { BusDevice, DeviceState, IrqLine } from './bus';
import { allOnes, flag, readFields, type Schema } from './state';

interface State {
  /** IRQ 13 is requested. */
  latched: boolean;
}
const schema: Schema<State> = { latched: flag };

export interface CoprocessorErrorOptions {
  irq: IrqLine;
  /** IGNNE# of the vCPU that writes. */
  ignore: () => void;
}

export class CoprocessorError implements BusDevice {
  readonly name = 'coprocessor-error';
  private s: State = { latched: false };

  constructor(private readonly options: CoprocessorErrorOptions) {}

  /** FERR#. */
  raise(): void {
    this.s.latched = true;
    this.options.irq(1);
  }

  read(_offset: number, size: number): number {
    return allOnes(size);
  }

  peek(_offset: number, size: number): number {
    return allOnes(size);
  }

  write(): void {
    if (!this.s.latched) return;
    this.options.ignore();
    this.reset();
  }

  reset(): void {
    this.s.latched = false;
    this.options.irq(0);
  }

  save(): DeviceState {
    return { ...this.s };
  }

  check(state: DeviceState): State {
    return readFields(this.name, schema, state);
  }

  restore(state: DeviceState): void {
    this.s = this.check(state);
  }
}
