/**
 * Change sets of the lab's own memslots under nested guests: random programs of kvm-modes run nested and without nesting while the DIMM that holds
 * their memory is split, merged, logged and moved to other backings.
 */
import { Linux, missingKvm } from '../guests/linux';
import { Random } from '../support/random';
import { plugForShaking, shaken } from './shaken';
import type { Soak } from './soak';

const CHANGE_SETS = Number(process.env.LAB_SOAK_RUNS ?? 1000);
const PROGRAMS = 500;
/** Instructions between two change sets, at most. */
const SLICE = 4_000_000;
const SEED = Number(process.env.LAB_SEED ?? 20261204);

export const kvmSets: Soak = {
  name: 'kvm-sets',
  title: `${CHANGE_SETS} random change sets under nested guests whose results, registers and memory must equal those of the same code run without nesting`,
  async run(say) {
    if (missingKvm) throw new Error(missingKvm);
    const linux = await Linux.boot({ variant: 'linux-kvm', bootLimit: 3e9, smp: 2 });
    plugForShaking(linux, 'online_movable');
    const random = new Random(SEED);
    let [sets, under] = [0, 0];
    for (let round = 0; under < CHANGE_SETS; round++) {
      const command = `kvm-modes ${SEED + round} ${PROGRAMS} ${1 + (round % 2)}`;
      const run = await shaken(linux, command, random, SLICE);
      if (!run.output.includes('no register differs')) throw new Error(`${command}, change set ${sets}: ${run.output.slice(-500)}`);
      sets += run.sets;
      under += run.under;
      say(`${sets} change sets, ${under} of them under a nested guest with memory in that DIMM; no wrong byte`);
    }
    return `${sets} change sets, ${under} of them under a nested guest with memory in the DIMM that they changed`;
  },
};
