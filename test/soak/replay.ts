import { MIB, rootFile } from '../guests/harness';
import { linuxImage, missing } from '../guests/linux';
import { sameAgain } from '../guests/recorded';
import type { Soak } from './soak';

const SEED = 20261126;
const RUNS = 4;
/** Inputs: enough for a boot and the same number at the prompt. */
const ROUNDS = 30_000;
/** About one in a thousand; most inputs are typed or let the guest continue. */
const RARE = ['<plug>', '<unplug>', '<nmi>', '<stop>'];
const USUAL = ['a', '\r', '<cont>', '<cont>', 'free -m\r', 'cat /proc/interrupts\r'];
const INPUTS = [...RARE, ...Array.from({ length: 1000 }, (_unused, n) => USUAL[n % USUAL.length]!)];

/** A machine's behaviour depends only on its inputs and their positions, regardless of the number of vCPUs and of when the host reads its clock. */
export const replay: Soak = {
  name: 'replay',
  title: `Linux with 1 to 4 vCPUs, ${RUNS} runs each with ${ROUNDS} inputs by the wall clock, repeated by position in the other tier, seed ${SEED}`,
  async run(say) {
    if (missing) throw new Error(missing);
    const memlab = await sameAgain(
      { guest: { name: 'memlab', kernel: rootFile('guests/memlab/memlab.elf') } },
      SEED,
      ['mem\r', ...INPUTS],
      ROUNDS,
    );
    say(`memlab: equal after ${memlab.end.instructions} instructions`);
    for (let n = 0; n < RUNS; n++)
      for (const smp of [1, 2, 3, 4]) {
        const [accel, other] = n % 2 === 0 ? (['jit', 'interp'] as const) : (['interp', 'jit'] as const);
        const options = { guest: linuxImage(), ram: 256 * MIB, smp, slots: 4, accel };
        const { end, text } = await sameAgain(options, SEED + 2 * n, INPUTS, ROUNDS, 1, { accel: other });
        if (!text.includes('guest# ')) throw new Error(`with ${smp} vCPUs it did not reach its prompt`);
        say(
          `${smp} vCPUs, recorded with ${accel}: equal after ${end.instructions} instructions and ${Math.round(end.timeNs / 1e9)} s of guest time`,
        );
      }
    return 'every repetition ended in the digest of its run';
  },
};
