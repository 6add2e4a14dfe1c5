/**
 * kvm-modes in the guest linux-kvm: random programs in six modes, nested and not, until a given number of nested exits have reached their VMM.
 */
import { Linux, missingKvm } from '../guests/linux';
import type { Soak } from './soak';

const EXITS = Number(process.env.LAB_SOAK_RUNS ?? 1_000_000);
const PROGRAMS = 2000;
const SEED = Number(process.env.LAB_SEED ?? 20261203);
const REPORT_EVERY = 5;

export const kvmModes: Soak = {
  name: 'kvm-modes',
  title: `${EXITS} port and MMIO exits of nested guests in real, protected, paged, PAE, long and compatibility mode, compared with the same code run without nesting`,
  async run(say) {
    if (missingKvm) throw new Error(missingKvm);
    const linux = await Linux.boot({ variant: 'linux-kvm', bootLimit: 3e9, smp: 2 });
    const sums = new Map<string, number>();
    const sum = (name: string): number => sums.get(name) ?? 0;
    for (let round = 0; sum('ports') + sum('MMIO') < EXITS; round++) {
      const command = `kvm-modes ${SEED + round} ${PROGRAMS} ${1 + (round % 2)}`;
      const text = linux.sh(command, 40e9);
      if (!text.endsWith('no register differs')) throw new Error(`${command}: ${text.slice(-500)}`);
      for (const [, count, name] of text.matchAll(/(\d+) (programs|ports|MMIO|windows|interrupts|NMIs|timer ticks)/g))
        sums.set(name!, sum(name!) + Number(count));
      if (round % REPORT_EVERY === 0) say([...sums].map(([name, count]) => `${count} ${name}`).join(', '));
    }
    const complaints = linux.complaints();
    if (complaints.length > 0) throw new Error(`the kernel complains: ${complaints[0]}`);
    return `${[...sums].map(([name, count]) => `${count} ${name}`).join(', ')}`;
  },
};
