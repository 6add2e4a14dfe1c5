/** The whole boot of a stock Linux in both tiers: the same digest and the same output at the same counts of instructions. */
import { GIB, Guest, MIB } from '../guests/harness';
import { linuxImage, missing } from '../guests/linux';
import type { Soak } from './soak';

/** Instructions between two digests: a prime, so that they do not align with anything. */
const EVERY = 24_999_983;
const PROMPT = 'guest# ';
/** Number of additional digests at the prompt. */
const AFTER = 2;

const boot = (smp: number, accel: 'jit' | 'interp'): Promise<Guest> =>
  Guest.boot({ guest: linuxImage(), ram: 256 * MIB, slots: 8, maxmem: 4 * GIB, smp, accel });

export const tiersLinux: Soak = {
  name: 'tiers-linux',
  title: 'Linux with 1 to 4 vCPUs from its start to its prompt, with the interpreter and with the JIT',
  async run(say) {
    if (missing) throw new Error(missing);
    for (const smp of [1, 2, 3, 4]) {
      const [interpreted, compiled] = await Promise.all([boot(smp, 'interp'), boot(smp, 'jit')]);
      let compared = 0;
      for (let more = AFTER; more > 0; compared++) {
        for (const { machine } of [interpreted, compiled]) machine.run.advance(EVERY);
        const at = `${smp} vCPUs, ${interpreted.machine.run.instructions} instructions`;
        if (compiled.machine.run.instructions !== interpreted.machine.run.instructions)
          throw new Error(`${at}: the JIT is at ${compiled.machine.run.instructions}`);
        if ((await compiled.machine.digest()) !== (await interpreted.machine.digest())) throw new Error(`${at}: the digests differ`);
        if (compiled.text !== interpreted.text) throw new Error(`${at}: the outputs differ`);
        if (interpreted.text.includes(PROMPT)) more--;
      }
      const { ran = 0 } = compiled.machine.inspect.jitFigures() ?? {};
      say(`${smp} vCPUs: equal at ${compared} counts up to ${compiled.machine.run.instructions}, ${ran} of them run as compiled code`);
    }
    return 'both tiers agree from power-on to the prompt';
  },
};
