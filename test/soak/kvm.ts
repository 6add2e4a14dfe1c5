/**
 * Compares the engine with KVM: kvm-fuzz runs in the guest linux-kvm, and the engine makes the same calls on all three indexes. In every fourth round
 * the lab's own memslots are also split, merged, logged and moved to other backings under the nested guest. Then the same number of calls under
 * QEMU's TCG, if installed, as a second machine. LAB_GUEST=linux-kvm-6.12 selects the KVM of Linux 6.12.
 */
import { bzImageOf, Linux, type LinuxVariant, linuxImage, missingGuest } from '../guests/linux';
import { compareAnswers } from '../support/kvm-answers';
import { Random } from '../support/random';
import { QemuLinux, qemuInstalled } from './qemu-linux';
import { plugForShaking, shaken } from './shaken';
import type { Soak } from './soak';

const ROUND = 10_000;
const ROUNDS = Number(process.env.LAB_SOAK_RUNS ?? 1_000_000) / ROUND;
const INDEXES = ['array', 'rbtree', 'btree'] as const;
const SEED = Number(process.env.LAB_SEED ?? 20261130);
const GUEST = (process.env.LAB_GUEST ?? 'linux-kvm') as LinuxVariant;
/** CPUID 0x80000008 of lab64-svm, and of QEMU's qemu64. */
const PHYS_BITS = 46;
const QEMU_PHYS_BITS = 40;
/** Instructions between two change sets under a round, at most. */
const SLICE = 20_000_000;

/** @throws Error with the first call that was answered differently */
function compare(output: string, physAddrBits: number, what: string): number {
  const lines = output.replaceAll('\r', '').split('\n');
  if (!lines.includes('end')) throw new Error(`${what}: kvm-fuzz did not finish: ${output.slice(-300)}`);
  let calls = 0;
  for (const index of INDEXES) {
    const compared = compareAnswers(lines, { physAddrBits, index });
    if (compared.difference !== undefined) throw new Error(`${what}: ${compared.difference}`);
    calls = compared.calls;
  }
  return calls;
}

/** The same rounds under QEMU. */
async function judgedByQemu(say: (text: string) => void): Promise<string> {
  if (!qemuInstalled()) return 'QEMU is not installed: left out';
  const { initrd, append } = linuxImage(undefined, false, GUEST);
  const linux = await QemuLinux.boot(bzImageOf(GUEST), initrd!, append!);
  let calls = 0;
  try {
    for (let round = 0; round < ROUNDS; round++) {
      const seed = SEED + round;
      calls += compare(await linux.command(`kvm-fuzz ${seed} ${ROUND}`), QEMU_PHYS_BITS, `QEMU, seed ${seed}`);
      if (round % 5 === 4) say(`under QEMU's TCG: ${calls} calls, none answered differently`);
    }
  } finally {
    linux.close();
  }
  return `${calls} calls under QEMU's TCG`;
}

export const kvm: Soak = {
  name: 'kvm',
  title: `${ROUNDS * ROUND} random memslot calls, answered by Debian's KVM in the lab and by the engine on ${INDEXES.join(', ')}`,
  async run(say) {
    const missing = missingGuest(GUEST);
    if (missing) throw new Error(missing);
    const random = new Random(SEED);
    const linux = await Linux.boot({ variant: GUEST, bootLimit: 3e9 });
    plugForShaking(linux);
    let calls = 0;
    let sets = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const seed = SEED + round;
      const command = `kvm-fuzz ${seed} ${ROUND}`;
      let output: string;
      if (round % 4 === 3) {
        const run = await shaken(linux, command, random, SLICE);
        ({ output } = run);
        sets += run.sets;
      } else output = linux.guest.command(command, 'kvm# ', 20e9);
      calls += compare(output, PHYS_BITS, `seed ${seed}`);
      const complaints = round % 10 === 0 ? linux.complaints() : [];
      if (complaints.length > 0) throw new Error(`seed ${seed}: the kernel complains: ${complaints[0]}`);
      if (round % 5 === 4) say(`${calls} calls, none answered differently; ${sets} change sets of the lab's own memslots meanwhile`);
    }
    const qemu = await judgedByQemu(say);
    return `${calls} calls, ${sets} change sets of the lab's own memslots under the nested guest; ${qemu}`;
  },
};
