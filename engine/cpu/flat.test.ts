/** 32-bit code with segments from 0 to 4 GiB uses fast paths; it must notice when a segment no longer has that size. */
import { beforeEach, describe, expect, it } from 'vitest';
import { EXIT_HLT } from '../abi/exits';
import * as abi from '../abi/vcpu';
import { TestCore } from '../../test/support/core';

const CODE = 0x10000;
const GDT = 0x61000;
const IDT = 0x60000;
const TSS = 0x62000;
const HANDLERS = 0x70000;
const STACK = 0x80000;
const [SS, GP] = [12, 13];

let t: TestCore;

/** Runs to a HLT: [vector, where in the code it faulted], or undefined for the code's own HLT. */
function execute(code: string): [number, number] | undefined {
  t.poke(CODE, `${code} f4`);
  t.set32(abi.VCPU_HALTED, 0);
  expect(t.run(100)).toBe(EXIT_HLT);
  const vector = (Number(t.rip) - 1 - HANDLERS) / 16;
  return vector < 0 ? undefined : [vector, Number(t.peek(Number(t.reg('rsp')) + 4, 4)) - CODE];
}

beforeEach(() => {
  t = new TestCore();
  t.flat32(CODE);
  t.poke64(GDT + 0x08, 0x00cf9b000000ffffn);
  t.poke64(GDT + 0x10, 0x00cf93000000ffffn);
  t.poke64(GDT + 0x18, 0x00409300000000ffn | (0xffn << 8n)); // data up to 0xffff
  t.poke64(GDT + 0x20, 0x00cffb000000ffffn);
  t.poke64(GDT + 0x28, 0x00cff3000000ffffn);
  t.poke64(GDT + 0x30, 0x00cf93200000ffffn); // data from 0x200000 on
  t.set64(abi.VCPU_GDT_BASE, BigInt(GDT));
  t.set32(abi.VCPU_GDT_LIMIT, 0x37);
  t.set64(abi.VCPU_IDT_BASE, BigInt(IDT));
  t.set32(abi.VCPU_IDT_LIMIT, 0xff);
  t.segment(abi.SEG_TR, 0x38, BigInt(TSS), 0x67, 0x8b);
  t.poke64(TSS + 4, BigInt(STACK + 0x1000) | (0x10n << 32n));
  for (let vector = 0; vector < 32; vector++) {
    t.poke(HANDLERS + 16 * vector, 'f4');
    t.poke64(IDT + 8 * vector, BigInt(16 * vector) | (8n << 16n) | (0x8en << 40n) | (7n << 48n));
  }
  t.setReg('rsp', STACK);
  t.core.stateChanged(0);
  t.poke(0x20000, '78563412');
  t.poke(0x200000 + 0x2000, '11111111');
});

describe('flat 32-bit code', () => {
  it('checks the limit of a DS that was loaded later', () => {
    // mov eax, [0x20000]; mov cx, 0x18; mov ds, cx; mov ebx, [0xfffc]; mov edx, [0x20000]
    expect(execute('a100000200 66b91800 8ed9 8b1dfcff0000 8b1500000200')).toEqual([GP, 17]);
    expect(t.reg('rax')).toBe(0x12345678n);
  });

  it('checks a null DS, and adds the base of another', () => {
    expect(execute('31c9 8ed9 a100000200')).toEqual([GP, 4]);
    t.flat32(CODE);
    expect(execute('66b93000 8ed9 8b1d00200000')).toBeUndefined();
    expect(t.reg('rbx')).toBe(0x11111111n);
  });

  it('checks the limit of an SS that was loaded later', () => {
    t.poke64(IDT + 8 * SS, 0n); // its handler would need that stack
    // mov cx, 0x18; mov ss, cx; push eax
    t.setReg('rsp', 0x10004);
    t.poke(CODE, '66b91800 8ed1 50 50 f4');
    t.run(4);
    expect(t.peek(0x10000, 1)).toBe(0x66n); // not written
    expect(t.logs.at(-1)?.[1]).toBe(SS);
    t.flat32(CODE);
    t.setReg('rsp', 0x9004);
    t.setReg('rax', 0xabcd1234);
    t.core.stateChanged(0);
    expect(execute('66b91800 8ed1 50')).toBeUndefined();
    expect(t.peek(0x9000, 4)).toBe(0xabcd1234n);
  });

  it('has no DS in user mode after an IRET dropped it', () => {
    [0x11000, 0x23, 0x202, 0x90000, 0x2b].forEach((value, i) => {
      t.poke(STACK + 4 * i, [value & 255, (value >> 8) & 255, (value >> 16) & 255, 0]);
    });
    t.poke(0x11000, '58 a100000200');
    expect(execute('a100000200 cf')).toEqual([GP, 0x1001]);
  });

  it('takes the segments that prefixes name', () => {
    t.segment(abi.SEG_FS, 0x30, 0x200000n, 0xffffffff, 0xc93);
    t.segment(abi.SEG_ES, 0x18, 0n, 0xffff, 0x493);
    t.core.stateChanged(0);
    expect(execute('648b1d00200000 3e8b0500000200 368b0d00000200 268b1500000200')).toEqual([GP, 21]);
    expect([t.reg('rbx'), t.reg('rax'), t.reg('rcx')]).toEqual([0x11111111n, 0x12345678n, 0x12345678n]);
  });

  it('cuts addresses to 32 bits', () => {
    t.setReg('rsi', 0xffff0000);
    t.setReg('rdi', 0x30000);
    expect(execute('8b043e 8b8e00000300 8d143e')).toBeUndefined();
    expect([t.reg('rax'), t.reg('rcx'), t.reg('rdx')]).toEqual([0x12345678n, 0x12345678n, 0x20000n]);
  });

  it('continues at address 0 after the last one', () => {
    t.poke(0, '3412cdab');
    t.setReg('rsi', 0xfffffffe);
    // The last two bytes are no memory here: devices answer all ones.
    // mov eax, [esi]; mov ecx, [esi + 2]; mov edx, 2; mov esp, edx; push 0x99887766
    expect(execute('8b06 8b4e02 ba02000000 89d4 6866778899')).toBeUndefined();
    expect([t.reg('rax'), t.reg('rcx')]).toEqual([0x1234ffffn, 0xabcd1234n]);
    expect([t.peek(0, 2), t.reg('rsp')]).toEqual([0x9988n, 0xfffffffen]);
    expect(t.accesses.map(({ kind, address, size, value }) => [kind, address, size, value])).toEqual([
      ['mmioRead', 0xfffffffe, 2, 0xffffffffffffffffn],
      ['mmioWrite', 0xfffffffe, 2, 0x7766n],
    ]);
  });
});

describe('stack instructions at the edges of segments', () => {
  it('POP to memory reads the stack before it checks its operand', () => {
    // mov cx, 0x18; mov ds, cx; mov ss, cx; pop dword [0x10000]: both are beyond the limit
    t.setReg('rsp', 0x10000);
    expect(execute('66b91800 8ed9 8ed1 8f0500000100')).toEqual([SS, 8]);
  });
});
