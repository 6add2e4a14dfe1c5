/** x87 errors with CR0.NE = 0: FERR# instead of #MF, and the processor waits (SDM 1 8.7). */
import { describe, expect, it } from 'vitest';
import { EXIT_HLT } from '../abi/exits';
import * as abi from '../abi/vcpu';
import { TestCore } from '../../test/support/core';

const CODE = 0x10000;
const HANDLERS = 0x20000;
const IDT = 0x60000;
const GDT = 0x61000;
/** FNINIT; FLDCW with all exceptions unmasked; FLD1; FLDZ; FDIVP: the error waits for the next instruction. */
const DIVIDE = 'dbe3 d92b d9e8 d9ee def9';
const DIVIDE_COUNT = 5;

function prepare(code: string, cr0 = 0x80000011n): TestCore {
  const t = new TestCore(0x80000);
  t.longMode(CODE);
  t.set64(abi.VCPU_CR0, cr0);
  t.set64(abi.VCPU_CR4, 0x620n);
  t.poke64(GDT + 8, 0x00af9b000000ffffn);
  t.poke64(GDT + 0x10, 0x00cf93000000ffffn);
  t.set64(abi.VCPU_GDT_BASE, BigInt(GDT));
  t.set32(abi.VCPU_GDT_LIMIT, 0x17);
  t.set64(abi.VCPU_IDT_BASE, BigInt(IDT));
  t.set32(abi.VCPU_IDT_LIMIT, 0x3ff);
  for (let vector = 0; vector < 64; vector++) {
    t.poke(HANDLERS + 16 * vector, 'f4');
    t.poke64(IDT + 16 * vector, BigInt((16 * vector) & 0xffff) | 0x80000n | (0x8e00n << 32n) | (2n << 48n));
    t.poke64(IDT + 16 * vector + 8, 0n);
  }
  t.poke(CODE, `${DIVIDE} ${code} f4`);
  t.setReg('rbx', 0x8000);
  t.setReg('rsp', 0x30000);
  t.poke64(0x8000, 0x340n);
  t.core.stateChanged(0);
  t.core.setRflags(0, 0x202);
  return t;
}
const at = (t: TestCore): number => Number(t.rip) - CODE;
const WAITS = 10;

describe('an x87 error', () => {
  it('with CR0.NE is #MF at the next waiting instruction', () => {
    const t = prepare('9b', 0x80000031n);
    expect(t.run(100)).toBe(EXIT_HLT);
    expect(Number(t.rip)).toBe(HANDLERS + 16 * 16 + 1);
    expect(t.ferrs).toEqual([]);
  });

  it.each([
    ['FWAIT', '9b'],
    ['an arithmetic instruction', 'd9e8'],
    ['an MMX instruction', '0fefc0'],
  ])('without it asserts FERR# and waits at %s', (_what, code) => {
    for (const slice of [1, 100]) {
      const t = prepare(code);
      expect(t.run(100, slice)).toBe(EXIT_HLT);
      expect(t.ferrs).toEqual([0]);
      expect(at(t)).toBe(WAITS);
      expect(t.icount).toBe(BigInt(DIVIDE_COUNT));
      expect(t.get32(abi.VCPU_HALTED)).toBe(1);
    }
  });

  it('does not delay instructions that do not wait', () => {
    const t = prepare('dfe0 dbe2 9b d9e8');
    expect(t.run(100)).toBe(EXIT_HLT);
    expect(t.ferrs).toEqual([]);
    expect(t.reg('rax') & 0x84n).toBe(0x84n);
  });

  it('is handled by an interrupt at the waiting instruction, and returns to it', () => {
    const t = prepare('9b b055');
    t.poke(HANDLERS + 16 * 0x2d, 'dbe2 48cf'); // fnclex; iretq
    expect(t.run(100)).toBe(EXIT_HLT);
    t.vectors.push(0x2d);
    t.set32(abi.VCPU_IRQ_PENDING, 1);
    expect(t.run(100)).toBe(EXIT_HLT);
    expect(t.reg('rax') & 0xffn).toBe(0x55n);
    expect(t.ferrs).toEqual([0]);
  });

  it('is ignored while IGNNE# is asserted, which ends when the error is cleared', () => {
    const t = prepare('d9e8 d9e8 dbe2 def1 def1 d9ee def9 d9e8');
    t.run(DIVIDE_COUNT);
    t.set32(abi.VCPU_IGNNE, 1);
    t.run(2);
    expect(t.ferrs).toEqual([]);
    expect(t.get32(abi.VCPU_IGNNE)).toBe(1);
    t.run(1);
    expect(t.get32(abi.VCPU_IGNNE)).toBe(0);
  });

  it('asserts FERR# again when another interrupt returns to the waiting instruction', () => {
    const t = prepare('9b');
    t.poke(HANDLERS + 16 * 0x21, '48cf');
    expect(t.run(100)).toBe(EXIT_HLT);
    t.vectors.push(0x21);
    t.set32(abi.VCPU_IRQ_PENDING, 1);
    expect(t.run(100)).toBe(EXIT_HLT);
    expect(t.ferrs).toEqual([0, 0]);
    expect(at(t)).toBe(WAITS);
  });
});
