/** VMCBs and nested tables with random contents: VMEXIT_INVALID, an exit, #GP or a guest that keeps running, never a trap of the core. */
import { expect, it } from 'vitest';
import { EXIT_BUDGET, EXIT_HLT, EXIT_INTERNAL_ERROR, EXIT_REQUESTED, EXIT_SHUTDOWN } from '../../abi/exits';
import * as svm from '../../abi/svm';
import * as abi from '../../abi/vcpu';
import { Random } from '../../../test/support/random';
import { GUEST, SvmCore, VMCB } from '../../../test/support/svm';

const SEED = Number(process.env.LAB_SEED ?? 20261201);
const RUNS = Number(process.env.LAB_SOAK_RUNS ?? 400);
const BUDGET = 400;
/** Fields that get a random value more often than by chance. */
const FIELDS = [
  svm.VMCB_IOPM, svm.VMCB_MSRPM, svm.VMCB_NCR3, svm.VMCB_EVENTINJ, svm.VMCB_VINTR, svm.VMCB_CR0, svm.VMCB_CR3, svm.VMCB_CR4,
  svm.VMCB_EFER, svm.VMCB_RFLAGS, svm.VMCB_RIP, svm.VMCB_RSP, svm.VMCB_CS, svm.VMCB_CS + 8, svm.VMCB_SS, svm.VMCB_IDTR, svm.VMCB_IDTR + 8,
  svm.VMCB_GDTR, svm.VMCB_NP_ENABLE, svm.VMCB_ASID, svm.VMCB_DR7, svm.VMCB_G_PAT,
]; // biome-ignore format: a list

const wide = (random: Random): bigint => (BigInt(random.below(2 ** 31)) << 33n) ^ BigInt(random.below(2 ** 31)) ^ BigInt(random.below(8) << 29);

it(`${RUNS} VMCBs (seed ${SEED}) end as the manual says`, () => {
  const random = new Random(SEED);
  const codes = new Map<bigint, number>();
  let t = new SvmCore();
  for (let run = 0; run < RUNS; run++) {
    if (run % 50 === 0) t = new SvmCore();
    const before = Array.from({ length: 512 }, (_unused, i) => t.peek(VMCB + 8 * i, 8));
    const spoiled = 1 + random.below(6);
    for (let i = 0; i < spoiled; i++) {
      if (random.below(2)) t.put(FIELDS[random.below(FIELDS.length)]!, random.below(2) ? wide(random) : 1n << BigInt(random.below(64)));
      else t.poke(VMCB + random.below(0x700), [random.below(256)]);
    }
    if (random.below(2)) t.put(svm.VMCB_NP_ENABLE, 1n);
    if (random.below(3) === 0) t.put(svm.VMCB_NCR3, BigInt(0x200000 + 4096 * random.below(4)));
    for (let i = 0; i < 16; i++) t.poke64(0x200000 + 8 * random.below(2048), random.below(2) ? wide(random) : BigInt(0x200000 + 4096 * random.below(16)) | 7n);
    t.poke(GUEST, Array.from({ length: 64 }, () => random.below(256)));
    if (random.below(4) === 0) t.set32(abi.VCPU_IRQ_PENDING, 1);
    if (random.below(8) === 0) t.set32(abi.VCPU_NMI_PENDING, 1);
    t.vectors.splice(0, t.vectors.length, random.below(256));
    t.rip = 0x10000n;
    t.setReg('rax', random.below(16) ? VMCB : wide(random));
    t.set32(abi.VCPU_HALTED, 0);
    t.set32(svm.SVM_GIF_CLEAR, 1);
    const exit = t.run(BUDGET);
    expect([EXIT_BUDGET, EXIT_HLT, EXIT_SHUTDOWN, EXIT_REQUESTED, EXIT_INTERNAL_ERROR]).toContain(exit);
    if (t.get32(svm.SVM_GUEST) === 0 && exit === EXIT_HLT) {
      const code = t.get(svm.VMCB_EXITCODE);
      codes.set(code, (codes.get(code) ?? 0) + 1);
    }
    // The next case begins with an intact host and VMCB.
    before.forEach((value, i) => {
      t.poke64(VMCB + 8 * i, value);
    });
    const host = new SvmCoreState(t);
    host.reset();
  }
  expect([...codes.values()].reduce((sum, count) => sum + count, 0)).toBeGreaterThan(RUNS / 4);
  for (const code of [0xffffffffffffffffn, 0x400n, 0x7fn]) expect(codes.get(code) ?? 0, `exit ${code.toString(16)}`).toBeGreaterThan(0);
});

/** Returns the vCPU to the host's program, from any mode. */
class SvmCoreState {
  constructor(private readonly t: SvmCore) {}

  reset(): void {
    const { t } = this;
    t.core.resetVcpu(0);
    t.longMode(0x10000);
    t.set64(abi.VCPU_EFER, 0x1500n);
    t.set64(abi.VCPU_GDT_BASE, 0x53000n);
    t.set32(abi.VCPU_GDT_LIMIT, 0x17);
    t.setReg('rsp', 0x80000);
    t.poke(0x10000, '0f01d8 f4');
    t.core.stateChanged(0);
  }
}
