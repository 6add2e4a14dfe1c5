/** The gdb stub under a hostile client: ten thousand packets must leave the guest unchanged. */
import { Guest, rootFile } from '../guests/harness';
import { attack } from '../support/gdb-fuzz';
import { Random } from '../support/random';
import type { Soak } from './soak';

const PACKETS = 10_000;

export const gdb: Soak = {
  name: 'gdb',
  title: `${PACKETS} mutated packets at the gdb stub`,
  async run() {
    const seed = Number(process.env.LAB_SEED ?? Date.now() % 1_000_000);
    const guest = await Guest.boot({ guest: { name: 'memlab', kernel: rootFile('guests/memlab/memlab.elf') } });
    guest.until('lab> ');
    const { machine } = guest;
    machine.run.stop();
    const digest = await machine.digest();
    const answers = await attack(
      {
        machine,
        hold: () => () => {},
        stop: () => machine.run.stop(),
        cont: () => machine.run.cont(),
        changed: () => {},
        monitor: async (line) => line,
        turn: () => new Promise((resolve) => setImmediate(resolve)),
        wallClock: () => performance.now(),
        quit: () => {},
      },
      new Random(seed),
      PACKETS,
    );
    if ((await machine.digest()) !== digest) throw new Error(`seed ${seed}: the guest has changed`);
    return `${answers} answers, seed ${seed}`;
  },
};
