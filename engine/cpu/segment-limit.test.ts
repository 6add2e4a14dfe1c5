/** The limit of CS holds for each byte of each instruction, and a branch beyond it faults at the branch (SDM 3A 5.3; SDM 2, JMP, CALL, RET). */
import { describe, expect, it } from 'vitest';
import * as abi from '../abi/vcpu';
import { TestCore } from '../../test/support/core';

const CODE = 0x10ff0;
const HANDLERS = 0x20000;
const IDT = 0x60000;
const GDT = 0x61000;
const NEXT_PAGE = 0x11000;

interface Outcome {
  /** Vector and address of the fault as a distance from CODE; undefined: HLT was reached. */
  fault: [vector: number, at: number] | undefined;
  eax: number;
}

/** 32-bit code with base 0 and the limit CODE + last; paging on, so that the page behind the code's first can be missing. */
function prepare(code: string, last: number, { hole = false } = {}): TestCore {
  const t = new TestCore(0x80000);
  t.flat32(CODE);
  for (let vector = 0; vector < 32; vector++) {
    t.poke(HANDLERS + 16 * vector, 'f4');
    const at = HANDLERS + 16 * vector;
    t.poke64(IDT + 8 * vector, BigInt(at & 0xffff) | 0x80000n | (0x8e00n << 32n) | (BigInt(at >>> 16) << 48n));
  }
  t.set64(abi.VCPU_IDT_BASE, BigInt(IDT));
  t.set32(abi.VCPU_IDT_LIMIT, 255);
  t.set64(abi.VCPU_GDT_BASE, BigInt(GDT));
  t.set32(abi.VCPU_GDT_LIMIT, 0x1f);
  t.poke64(GDT + 8, 0x00cf9b000000ffffn);
  t.poke64(GDT + 16, 0x00cf93000000ffffn);
  t.poke64(GDT + 24, 0x00409b000000ffffn | (BigInt(CODE + last) & 0xffffn) | ((BigInt(CODE + last) >> 16n) << 48n));
  t.poke64(0x1000, 0x2007n);
  for (let i = 0; i < 128; i += 2) t.poke64(0x2000 + 4 * i, BigInt((i * 4096) | 7) | (BigInt(((i + 1) * 4096) | 7) << 32n));
  if (hole) t.poke64(0x2000 + 4 * (NEXT_PAGE / 4096 - 1), BigInt((NEXT_PAGE - 4096) | 7));
  t.set64(abi.VCPU_CR3, 0x1000n);
  t.set64(abi.VCPU_CR0, 0x80000011n);
  t.segment(abi.SEG_CS, 0x18, 0n, CODE + last, 0x49b);
  t.setReg('rsp', 0x30000);
  t.setReg('rcx', 1);
  t.poke(CODE, code);
  t.core.stateChanged(0);
  return t;
}

function outcome(t: TestCore, slice = 1000): Outcome {
  t.run(1000, slice);
  const vector = (Number(t.rip) - 1 - HANDLERS) / 16;
  const fault = vector >= 0;
  const esp = Number(t.reg('rsp'));
  return { fault: fault ? [vector, Number(t.peek(esp + (vector === 6 ? 0 : 4), 4)) - CODE] : undefined, eax: Number(t.reg('rax')) };
}

describe('the limit of CS', () => {
  it.each<[string, string, number, Outcome]>([
    ['that no instruction crosses has no effect', '40 40 40 f4', 3, { fault: undefined, eax: 3 }],
    ['stops in the middle of a block', '40 40 40 40 f4', 2, { fault: [13, 3], eax: 3 }],
    ['stops an instruction that straddles it', '40 b878563412 f4', 4, { fault: [13, 1], eax: 1 }],
    ['stops the first instruction of a block', 'b878563412 f4', 3, { fault: [13, 0], eax: 0 }],
    ['stops between CMP and the following branch', '40 39c0 7400 f4', 3, { fault: [13, 3], eax: 1 }],
    ['stops at the end of a page', `${'40'.repeat(14)} 6690 f4`, 15, { fault: [13, 16], eax: 14 }],
    ['stops an instruction of two pages in its second', `${'40'.repeat(14)} b878563412 f4`, 17, { fault: [13, 14], eax: 14 }],
    ['holds for a jump, at the jump', '40 eb10 f4', 5, { fault: [13, 1], eax: 1 }],
    ['holds for a jump with a 32-bit distance', '40 e910000000 f4', 8, { fault: [13, 1], eax: 1 }],
    ['holds for a conditional jump that is taken', '39c0 7410 40 f4', 6, { fault: [13, 2], eax: 0 }],
    ['does not hold for one that is not taken', '39c0 7510 40 f4', 6, { fault: undefined, eax: 1 }],
    ['holds for a jump through a register', 'b830100100 ffe0', 20, { fault: [13, 5], eax: 0x11030 }],
    ['holds for a call', '40 e810000000 f4', 8, { fault: [13, 1], eax: 1 }],
    ['holds for a return', '6830100100 c3', 20, { fault: [13, 5], eax: 0 }],
    ['holds for LOOP', '41 e210 40 f4', 6, { fault: [13, 1], eax: 0 }],
    ['holds for JECXZ', '49 e310 40 f4', 6, { fault: [13, 1], eax: 0 }],
    ['lets a loop inside it run', 'b905000000 40 e2fd f4', 8, { fault: undefined, eax: 5 }],
  ])('%s', (_what, code, last, expected) => {
    for (const slice of [1, 2, 1000]) expect(outcome(prepare(code, last), slice)).toEqual(expected);
  });

  it('is checked before a missing page beyond it', () => {
    const code = `${'40'.repeat(14)} b878563412`;
    expect(outcome(prepare(code, 15, { hole: true }))).toEqual({ fault: [13, 14], eax: 14 });
    expect(outcome(prepare(code, 18, { hole: true })).fault?.[0]).toBe(14);
  });

  it('applies to code that was decoded under a larger one', () => {
    const t = prepare('40 40 40 40 f4', 0x100);
    expect(outcome(t)).toEqual({ fault: undefined, eax: 4 });
    t.segment(abi.SEG_CS, 0x18, 0n, CODE + 2, 0x49b);
    t.set32(abi.VCPU_HALTED, 0);
    t.rip = BigInt(CODE);
    t.core.stateChanged(0);
    expect(outcome(t)).toEqual({ fault: [13, 3], eax: 7 });
  });

  it('is 64 KiB in real mode, where IP does not wrap', () => {
    for (const [at, code, ip] of [
      [0xfffe, '40 40', 0x10000],
      [0xfffe, '40 b83412', 0xffff],
    ] as const) {
      const t = new TestCore(0x80000);
      t.real(at);
      t.poke(at, code);
      t.poke(13 * 4, '00 00 00 20'); // 2000:0
      t.poke(HANDLERS, 'f4');
      t.setReg('rsp', 0x8000);
      t.run(100);
      expect(Number(t.rip)).toBe(1);
      expect(t.peek(0x8000 - 6, 2)).toBe(BigInt(ip & 0xffff));
    }
  });
});
