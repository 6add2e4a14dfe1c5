/** This project's machine with the bench image in it, and the start and end of a workload on it. */
import { createMachine, type Machine } from '../../engine/machine/index';
import { Marks, type Measured } from './contender';

/**
 * Guest instructions per stretch; serial output is handed over at its end, so this is the resolution of the end mark (about 0.5 ms). Stretches are
 * short up to the start mark, since a workload may be a few string instructions that take as long as millions of others.
 */
const STRETCH = 100_000;
const STRETCH_TO_START = 20;

export interface BenchOptions {
  /** core.wasm */
  core: Uint8Array<ArrayBuffer>;
  image: Uint8Array<ArrayBuffer>;
  accel: 'interp' | 'jit';
  /** -cpu; lab64 when absent */
  cpu?: string;
}

export class BenchMachine {
  /** Of the workload that was begun last, once it has ended. */
  measured: Measured | undefined;
  private letter = '';
  private readonly marks: Marks;

  private constructor(readonly machine: Machine) {
    this.marks = new Marks(() => machine.run.instructions);
    machine.serial.onOutput((bytes) => {
      for (const byte of bytes) this.marks.byte(byte);
    });
  }

  static async start({ core, image, accel, cpu }: BenchOptions): Promise<BenchMachine> {
    const machine = await createMachine({
      core,
      guest: { name: 'bench', kernel: image },
      ram: 256 << 20,
      slots: 0,
      maxmem: 256 << 20,
      smp: 1,
      accel,
      ...(cpu === undefined ? {} : { cpu }),
      wallClock: () => performance.now(),
    });
    return new BenchMachine(machine);
  }

  /** Starts a workload (`letter` as in main.c) and runs up to its start mark. */
  begin(letter: string): void {
    this.letter = letter;
    this.measured = undefined;
    this.marks.expect((result) => {
      this.measured = result;
    });
    this.machine.serial.input(new TextEncoder().encode(letter));
    while (!this.marks.started) this.run(STRETCH_TO_START);
  }

  /** Runs one stretch of the workload. */
  advance(): void {
    this.run(STRETCH);
  }

  private run(count: number): void {
    const { run } = this.machine;
    run.advance(count);
    if (run.state !== 'running') throw new Error(`the machine is ${run.state} in workload ${this.letter}`);
  }
}
