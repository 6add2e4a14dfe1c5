/**
 * QEMU's isa-debugcon (Bochs' port 0xe9): a byte written is a byte of output; reads return 0xe9 so that a guest can find it.
 *
 * Not implemented: input (there is none in QEMU either).
 */
import { StatelessDevice } from './state';

export interface DebugConsoleOptions {
  output: (byte: number) => void;
}

export class DebugConsole extends StatelessDevice {
  readonly name = 'isa-debugcon';

  constructor(private readonly options: DebugConsoleOptions) {
    super();
  }

  read(_offset: number, size: number): number {
    return this.peek(_offset, size);
  }

  /** Wider writes reach consecutive ports; the device sits on the first, so only the low byte counts. */
  write(offset: number, _size: number, value: number): void {
    if (offset === 0) this.options.output(value & 0xff);
  }

  peek(_offset: number, _size: number): number {
    return 0xe9;
  }
}
