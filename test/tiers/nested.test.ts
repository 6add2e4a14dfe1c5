/** The same random programs run plainly and in a nested guest that interrupts force to exit repeatedly: no register may differ. */
import { expect, it } from 'vitest';
import { EXIT_BUDGET } from '../../engine/abi/exits';
import { HOST_BASE } from '../../engine/abi/layout';
import * as svm from '../../engine/abi/svm';
import * as abi from '../../engine/abi/vcpu';
import { GPR_NAMES } from '../support/core';
import { Random } from '../support/random';
import { SvmCore, VMCB } from '../support/svm';
import { EAGER, Pair } from './pair';
import { DATA, DATA_PAGES, randomProgram } from './program';

const SEED = Number(process.env.LAB_SEED ?? 20261202);
const PROGRAMS = Number(process.env.LAB_SOAK_RUNS ?? 60);
const STRETCHES = 40;
const RAM = 0x400000;
/** VMCB, maps and the host's program; the part of RAM that belongs to the host. */
const HOST = 0x10b000;
const NESTED = 0x380000;
const INTR = 0x60n;

const pageOf = (t: Pair['plain'], gpa: number): Uint8Array => new Uint8Array(t.memory.buffer, t.hva(gpa), 4096);

/** The guest of `t` is what `plain` is, under nested paging one to one; the host enters it again after each exit. `vmcb`: of a guest in ring 0. */
function nest(t: SvmCore, plain: Pair['plain'], vmcb: Uint8Array): void {
  new Uint8Array(t.memory.buffer, HOST_BASE, RAM).set(new Uint8Array(plain.memory.buffer, HOST_BASE, RAM));
  for (let gpa = VMCB; gpa < HOST; gpa += 4096) pageOf(t, gpa).fill(0);
  pageOf(t, VMCB).set(vmcb);
  t.core.invalidateAllCode();
  t.core.resetVcpu(0);
  t.core.zapAll();
  t.longMode(HOST);
  t.poke(HOST, '0f01d8 ebfb');
  t.poke64(NESTED, BigInt(NESTED + 0x1000) | 7n);
  t.poke64(NESTED + 0x1000, BigInt(NESTED + 0x2000) | 7n);
  t.poke64(NESTED + 0x2000, BigInt(NESTED + 0x3000) | 7n);
  t.poke64(NESTED + 0x2008, BigInt(NESTED + 0x4000) | 7n);
  for (let i = 0; i < 1024; i++) t.poke64(NESTED + 0x3000 + 8 * i, BigInt(i * 4096) | 7n);
  const tr = abi.VCPU_SEG + abi.SEG_TR * abi.VCPU_SEG_SIZE;
  for (let offset = 0; offset < abi.VCPU_STATS; offset += 8) {
    const isState =
      (offset >= tr && offset < tr + abi.VCPU_SEG_SIZE) ||
      offset < abi.VCPU_CR0 ||
      (offset >= abi.VCPU_STAR && offset < abi.VCPU_CPL) ||
      (offset >= abi.VCPU_FPU_REGS && offset < svm.VCPU_CPU_MODEL);
    if (isState) t.set64(offset, plain.get64(offset));
  }
  t.intercept('third', 1);
  t.put(svm.VMCB_VINTR, 1n << 24n);
  t.put(svm.VMCB_NP_ENABLE, 1n);
  t.put(svm.VMCB_NCR3, BigInt(NESTED));
  for (const [field, at] of [
    [abi.VCPU_CR0, svm.VMCB_CR0],
    [abi.VCPU_CR3, svm.VMCB_CR3],
    [abi.VCPU_CR4, svm.VMCB_CR4],
    [abi.VCPU_RIP, svm.VMCB_RIP],
    [abi.VCPU_GPR + 32, svm.VMCB_RSP],
    [abi.VCPU_GPR, svm.VMCB_RAX],
    [abi.VCPU_GDT_BASE, svm.VMCB_GDTR + 8],
    [abi.VCPU_IDT_BASE, svm.VMCB_IDTR + 8],
  ] as const)
    t.put(at, plain.get64(field));
  t.put(svm.VMCB_EFER, plain.get64(abi.VCPU_EFER) | 0x1000n);
  t.put(svm.VMCB_GDTR, BigInt(plain.get32(abi.VCPU_GDT_LIMIT)) << 32n);
  t.put(svm.VMCB_IDTR, BigInt(plain.get32(abi.VCPU_IDT_LIMIT)) << 32n);
  t.put(svm.VMCB_RFLAGS, BigInt(plain.flags));
  t.set64(abi.VCPU_CR0, 0x80000011n);
  t.set64(abi.VCPU_CR3, 0x1000n);
  t.set64(abi.VCPU_CR4, 0x20n);
  t.set64(abi.VCPU_EFER, 0x1500n);
  t.rip = BigInt(HOST);
  t.setReg('rax', VMCB);
  t.core.setRflags(0, 0x202);
  t.set32(svm.SVM_GIF_CLEAR, 1);
  t.core.stateChanged(0);
}

const seen = (t: Pair['plain']): string => {
  const xmm = Array.from({ length: 32 }, (_unused, i) => t.get64(abi.VCPU_XMM + 8 * i).toString(16));
  return [
    ...GPR_NAMES.map((name) => t.reg(name).toString(16)),
    t.rip.toString(16),
    t.flags.toString(16),
    t.get64(abi.VCPU_CR2),
    ...xmm,
  ].join(' ');
};

it.each([
  ['interpreted', undefined],
  ['compiled', EAGER],
] as const)(`${PROGRAMS} programs from seed ${SEED}, %s, see nothing of ${STRETCHES} exits each`, { timeout: 3_600_000 }, (_name, jit) => {
  const pair = new Pair();
  const random = new Random(SEED);
  const t = new SvmCore(RAM, jit);
  const vmcb = pageOf(t, VMCB).slice();
  let exits = 0;
  for (let seed = SEED; seed < SEED + PROGRAMS; seed++) {
    pair.load(randomProgram(seed), seed);
    const { plain } = pair;
    nest(t, plain, vmcb);
    // Of the address only: the nested guest's instruction count includes its host's.
    plain.deviceRead = t.deviceRead = ({ address, size }) => BigInt.asUintN(size * 8, BigInt(address) * 0x9e3779b97f4a7c15n);
    t.run(1);
    for (let stretch = 0; stretch < STRETCHES; stretch++) {
      const count = 1 + random.below(300);
      const ended = plain.run(count) !== EXIT_BUDGET;
      t.run(count);
      // The program's last HLT is intercepted, and a triple fault too.
      if (ended) break;
      expect(seen(t), `seed ${seed}, stretch ${stretch}`).toBe(seen(plain));
      // An interrupt forces an exit; a jump and VMRUN enter again.
      t.set32(abi.VCPU_IRQ_PENDING, 1);
      t.run(2);
      t.set32(abi.VCPU_IRQ_PENDING, 0);
      expect(t.get(svm.VMCB_EXITCODE)).toBe(INTR);
      exits++;
    }
    for (let page = DATA; page < DATA + DATA_PAGES * 4096; page += 4096)
      expect(Buffer.compare(pageOf(t, page), pageOf(plain, page)), `seed ${seed}, page ${page.toString(16)}`).toBe(0);
  }
  if (t.jit) expect(t.jit.figures().compiled).toBeGreaterThan(PROGRAMS);
  expect(exits).toBeGreaterThan((PROGRAMS * STRETCHES) / 2);
});
