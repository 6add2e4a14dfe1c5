/** This project's machine with the bench image in it. */
import { createMachine } from '../../engine/machine/index';
import { tracerOf } from '../../engine/trace/index';
import { type Contender, Marks, type Measured } from './contender';

/**
 * Guest instructions per stretch; serial output is handed over at its end, so this is the resolution of the end mark (about 0.5 ms). Stretches are
 * short up to the start mark, since a workload may be a few string instructions that take as long as millions of others.
 */
const STRETCH = 100_000;
const STRETCH_TO_START = 20;
/** No workload takes this many instructions. */
const LIMIT = 4e9;

export interface LabRequest {
  /** core.wasm */
  core: Uint8Array<ArrayBuffer>;
  image: Uint8Array<ArrayBuffer>;
  bits: 32 | 64;
  accel: 'interp' | 'jit';
  /** -cpu; lab64 when absent */
  cpu?: string;
  /** of the build, where it is not this one */
  build?: string;
  /** Every event of the trace is on. */
  traced?: boolean;
}

export async function startLab({ core, image, bits, accel, cpu, build = 'memslot-lab', traced = false }: LabRequest): Promise<Contender> {
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
  if (traced) tracerOf(machine).set('*', true);
  const marks = new Marks(() => machine.run.instructions);
  machine.serial.onOutput((bytes) => {
    for (const byte of bytes) marks.byte(byte);
  });
  const name = `${build} ${accel === 'jit' ? 'JIT' : 'interpreter'}, ${bits}-bit${traced ? ', traced' : ''}`;
  return {
    name,
    async run(letter) {
      let measured: Measured | undefined;
      marks.expect((result) => {
        measured = result;
      });
      machine.serial.input(new TextEncoder().encode(letter));
      const end = machine.run.instructions + LIMIT;
      while (measured === undefined) {
        machine.run.advance(marks.started ? STRETCH : STRETCH_TO_START);
        if (machine.run.instructions > end) throw new Error(`${name}: workload ${letter} does not end`);
        if (machine.run.state !== 'running') throw new Error(`${name}: the machine is ${machine.run.state} in workload ${letter}`);
      }
      return measured;
    },
    close: async () => machine.run.stop(),
  };
}
