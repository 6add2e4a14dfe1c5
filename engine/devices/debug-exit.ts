/**
 * QEMU's isa-debug-exit: a write ends the machine with status (value << 1) | 1. Reads return 0.
 *
 * Not implemented: nothing known. The host decides what to do with the status (an exit code has 8 bits).
 */
import { StatelessDevice } from './state';

export interface DebugExitOptions {
  /** status: (value << 1) | 1, an unsigned 32-bit number. */
  exit: (status: number) => void;
}

export class DebugExit extends StatelessDevice {
  readonly name = 'isa-debug-exit';

  constructor(private readonly options: DebugExitOptions) {
    super();
  }

  read(): number {
    return 0;
  }

  write(_offset: number, _size: number, value: number): void {
    this.options.exit(((value << 1) | 1) >>> 0);
  }

  peek(): number {
    return 0;
  }
}
