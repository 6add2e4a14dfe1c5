/** This project's machine as a contender. */
import { tracerOf } from '../../engine/trace/index';
import { BenchMachine, type BenchOptions } from './bench-machine';
import type { Contender } from './contender';

/** No workload takes this many instructions. */
const LIMIT = 4e9;

export interface LabRequest extends BenchOptions {
  bits: 32 | 64;
  /** of the build, where it is not this one */
  build?: string;
  /** Every event of the trace is on. */
  traced?: boolean;
}

export async function startLab({ core, image, bits, accel, cpu, build = 'memslot-lab', traced = false }: LabRequest): Promise<Contender> {
  const bench = await BenchMachine.start({ core, image, accel, ...(cpu === undefined ? {} : { cpu }) });
  const { machine } = bench;
  if (traced) tracerOf(machine).set('*', true);
  const name = `${build} ${accel === 'jit' ? 'JIT' : 'interpreter'}, ${bits}-bit${traced ? ', traced' : ''}`;
  return {
    name,
    async run(letter) {
      bench.begin(letter);
      const end = machine.run.instructions + LIMIT;
      while (bench.measured === undefined) {
        bench.advance();
        if (machine.run.instructions > end) throw new Error(`${name}: workload ${letter} does not end`);
      }
      return bench.measured;
    },
    close: async () => machine.run.stop(),
  };
}
