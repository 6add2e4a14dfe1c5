import { Memtest } from '../guests/memtest';
import type { Soak } from './soak';

const RAM = 24 << 20;
/** A pass takes about 42 G instructions, half of them waiting in the bit fade test. */
const LIMIT = 200e9;
const REPORT_EVERY_MS = 15_000;

/** One whole pass of Memtest86+: any bug in the core, the paging or the slot mapping shows up as a memory error. */
export const memtest: Soak = {
  name: 'memtest',
  title: 'a whole pass of Memtest86+ over 24 MiB',
  async run(say) {
    const memtest = await Memtest.boot({ ram: RAM });
    const { machine } = memtest.guest;
    const start = performance.now();
    let next = start + REPORT_EVERY_MS;
    const speed = () =>
      `${(machine.run.instructions / 1e9).toFixed(1)} G instructions, ${(machine.run.instructions / (performance.now() - start) / 1000).toFixed(0)} MIPS`;
    const done = () => {
      if (performance.now() >= next) {
        next = performance.now() + REPORT_EVERY_MS;
        say(`${memtest.progress}, ${speed()}`);
      }
      return memtest.passes >= 1 || memtest.errors > 0;
    };
    memtest.runUntil(done, LIMIT, 'the end of the pass');
    if (memtest.errors > 0) throw new Error(`Memtest86+ reports ${memtest.errors} errors:\n${memtest.screen.text}`);
    return `pass 1 is over without an error, ${speed()}`;
  },
};
