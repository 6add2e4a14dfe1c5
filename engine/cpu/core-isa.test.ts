/** Results and flags of instructions according to the manual. The differential suite covers far more; these tests are readable examples. */
import { beforeEach, describe, expect, it } from 'vitest';
import { type Gpr, TestCore } from '../../test/support/core';
import { EXIT_HLT } from '../abi/exits';
import { SEG_BASE, SEG_DS, SEG_GS, SEG_LIMIT, SEG_SELECTOR, VCPU_SEG, VCPU_SEG_SIZE } from '../abi/vcpu';

const CF = 1;
const PF = 4;
const AF = 0x10;
const ZF = 0x40;
const SF = 0x80;
const OF = 0x800;
const ARITHMETIC = 0x8d5;
const CODE = 0x10000;

let t: TestCore;
beforeEach(() => {
  t = new TestCore();
});

/** Runs the bytes and a HLT in 64-bit mode. */
function run64(code: string, regs: Partial<Record<Gpr, bigint | number>> = {}, flags = 2): void {
  t.longMode(CODE);
  t.setReg('rsp', 0x80000);
  for (const [name, value] of Object.entries(regs)) t.setReg(name as Gpr, value);
  t.core.setRflags(0, flags);
  t.poke(CODE, `${code} f4`);
  expect(t.run(1000)).toBe(1);
}

describe('arithmetic', () => {
  it.each([
    ['add eax, ebx', '01d8', 0xffffffffn, 1n, 0n, CF | ZF | PF | AF],
    ['add al, bl keeps the rest', '00d8', 0x11223344556677ffn, 1n, 0x1122334455667700n, CF | ZF | PF | AF],
    ['add ax, bx overflows', '6601d8', 0x7fffn, 1n, 0x8000n, OF | SF | AF | PF],
    ['sub rax, rbx borrows', '4829d8', 0n, 1n, 0xffffffffffffffffn, CF | SF | AF | PF],
    ['cmp eax, ebx leaves eax', '39d8', 5n, 5n, 5n, ZF | PF],
    ['and clears CF and OF', '4821d8', 0xf0n, 0x0fn, 0n, ZF | PF],
    ['neg of the smallest', '48f7d8', 0x8000000000000000n, 0n, 0x8000000000000000n, CF | OF | SF | PF],
    ['inc keeps CF', 'f9 ffc0', 0x7fffffffn, 0n, 0x80000000n, CF | OF | SF | AF | PF],
    ['dec keeps CF', 'f8 66ffc8', 0n, 0n, 0xffffn, SF | AF | PF],
    ['adc takes CF in', 'f9 4811d8', 0xffffffffffffffffn, 0n, 0n, CF | ZF | PF | AF],
    ['sbb of itself spreads CF', 'f9 19c0', 7n, 0n, 0xffffffffn, CF | SF | AF | PF],
    ['32-bit result clears the upper half', '01d8', 0xffffffff00000001n, 1n, 2n, 0],
  ])('%s', (_name, code, rax, rbx, result, flags) => {
    run64(code, { rax, rbx });
    expect(t.reg('rax')).toBe(result);
    expect(t.flags & ARITHMETIC).toBe(flags);
  });

  it('multiplies 64 by 64 bits to 128', () => {
    run64('48f7e3', { rax: 0xfedcba9876543210n, rbx: 0x123456789abcdef0n });
    const product = 0xfedcba9876543210n * 0x123456789abcdef0n;
    expect(t.reg('rax')).toBe(BigInt.asUintN(64, product));
    expect(t.reg('rdx')).toBe(product >> 64n);
    expect(t.flags & (CF | OF)).toBe(CF | OF);
  });

  it('divides 128 by 64 bits, signed', () => {
    const dividend = -0x123456789abcdef0123456789abn;
    run64('48f7fb', { rax: BigInt.asUintN(64, dividend), rdx: BigInt.asUintN(64, dividend >> 64n), rbx: 0x7fffffffffffffffn });
    expect(BigInt.asIntN(64, t.reg('rax'))).toBe(dividend / 0x7fffffffffffffffn);
    expect(BigInt.asIntN(64, t.reg('rdx'))).toBe(dividend % 0x7fffffffffffffffn);
  });

  it.each([
    ['shl by 1 into the sign', 'd1e0', 0x40000000n, 0x80000000n, SF | OF | PF],
    ['sar keeps the sign', '48c1f804', 0x8000000000000000n, 0xf800000000000000n, SF | PF],
    ['shr moves the last bit to CF', 'c1e802', 0x6n, 1n, CF],
    ['rcl goes through CF', 'f9 48d1d0', 0x8000000000000000n, 1n, CF | OF],
    ['rol wraps', '66d1c0', 0xf001n, 0xe003n, CF],
  ])('%s', (_name, code, rax, result, flags) => {
    run64(code, { rax });
    expect(t.reg('rax')).toBe(result);
    expect(t.flags & ARITHMETIC & ~AF).toBe(flags);
  });

  it('does nothing for a shift by CL = 0, not even to flags', () => {
    run64('48d3e0', { rax: 5n, rcx: 64 }, 0x8d7);
    expect(t.reg('rax')).toBe(5n);
    expect(t.flags & ARITHMETIC).toBe(ARITHMETIC);
  });
});

describe('data movement and bits', () => {
  it('extends with and without sign', () => {
    run64('480fbed8 0fb7c8 4863d0', { rax: 0xffffffff80c0fff0n });
    expect(t.reg('rbx')).toBe(0xfffffffffffffff0n);
    expect(t.reg('rcx')).toBe(0xfff0n);
    expect(t.reg('rdx')).toBe(0xffffffff80c0fff0n);
  });

  it('reaches AH, and SPL with a REX prefix', () => {
    run64('88e3 4088e1', { rax: 0x1234n });
    expect(t.reg('rbx')).toBe(0x12n);
    expect(t.reg('rcx')).toBe(0x00n); // SPL of 0x80000
  });

  it('pops into memory through the moved stack pointer', () => {
    // push 0x77; pop qword [rsp]
    run64('6a77 8f0424');
    expect(t.peek(0x80000, 8)).toBe(0x77n);
    expect(t.reg('rsp')).toBe(0x80000n);
  });

  it('exchanges atomically and compares', () => {
    // lock cmpxchg [0x20000], rbx (equal), then again (not equal)
    t.poke64(0x20000, 9n);
    run64('f0480fb11c2500000200 0f94c1 f0480fb11c2500000200 0f94c2', { rax: 9n, rbx: 12n });
    expect(t.peek(0x20000, 8)).toBe(12n);
    expect(t.reg('rax')).toBe(12n);
    expect(t.reg('rcx') & 255n).toBe(1n);
    expect(t.reg('rdx') & 255n).toBe(0n);
  });

  it('tests bits far outside the addressed word', () => {
    t.poke(0x20000 - 8, [0, 0, 0, 0, 0, 0, 0, 0x80]);
    // bts [0x20000], rbx with rbx = -1
    run64('480fab1c2500000200 0f92c0', { rbx: 0xffffffffffffffffn, rax: 0 });
    expect(t.reg('rax')).toBe(1n);
  });

  it('wraps the offset of a bit with a 32-bit address, and not what the segment adds', () => {
    t.longMode(CODE);
    t.poke64(0x2020, 0x83n); // 4 GiB and up onto physical 0
    t.set64(VCPU_SEG + SEG_GS * VCPU_SEG_SIZE + SEG_BASE, 0x20004n);
    t.setReg('rax', 0);
    t.setReg('rbx', 0xffffffffn);
    t.poke(CODE, '65670fab18 f4'); // bts gs:[eax], ebx: offset 0xfffffffc
    t.core.stateChanged(0);
    expect(t.run(1000)).toBe(EXIT_HLT);
    expect(t.peek(0x20000, 4)).toBe(0x80000000n);
  });

  it('leaves the target of BSF alone when the source is 0', () => {
    run64('480fbcc3', { rax: 77, rbx: 0 });
    expect(t.reg('rax')).toBe(77n);
    expect(t.flags & ZF).toBe(ZF);
  });
});

describe('16- and 32-bit code', () => {
  it('adjusts decimals', () => {
    t.flat32(CODE);
    t.setReg('rax', 0x79);
    t.setReg('rbx', 0x35);
    t.poke(CODE, '00d8 27 f4'); // add al, bl; daa
    t.run(10);
    expect(t.reg('rax')).toBe(0x14n);
    expect(t.flags & CF).toBe(CF);
  });

  it('saves and restores all registers', () => {
    t.flat32(CODE);
    for (const [i, name] of (['rax', 'rcx', 'rdx', 'rbx', 'rbp', 'rsi', 'rdi'] as const).entries()) t.setReg(name, 100 + i);
    t.setReg('rsp', 0x8000);
    // pusha; xor eax..edi; popa
    t.poke(CODE, '60 31c0 31c9 31d2 31db 31ed 31f6 31ff 61 f4');
    t.run(20);
    for (const [i, name] of (['rax', 'rcx', 'rdx', 'rbx', 'rbp', 'rsi', 'rdi'] as const).entries())
      expect(t.reg(name)).toBe(BigInt(100 + i));
    expect(t.reg('rsp')).toBe(0x8000n);
  });

  it('wraps IP and addresses at 64 KiB in real mode', () => {
    t.real(0x7c00);
    t.setReg('rbx', 0xffff);
    t.poke(0x1, [0x5a]);
    t.poke(0x7c00, '8a4702 e9fd83'); // mov al, [bx+2]; jmp 0x0003 (through the wrap)
    t.poke(0x3, 'f4');
    expect(t.run(10)).toBe(1);
    expect(t.reg('rax')).toBe(0x5an);
    expect(t.rip).toBe(4n);
  });

  it('respects segment limits', () => {
    t.flat32(CODE);
    t.segment(3, 16, 0x1000n, 0xfff, 0x493);
    t.core.stateChanged(0);
    t.poke(CODE, 'a0fc0f0000 a1fd0f0000 f4'); // mov al, [0xffc]; mov eax, [0xffd] is one byte too long
    t.run(10);
    expect(t.get32(0x2d0)).toBe(13);
    expect(t.rip).toBe(BigInt(CODE + 5));
  });
});

describe('invalid code', () => {
  it.each([
    ['LOCK on a register form', 'f001d8'],
    ['LOCK on MOV', 'f0890424'],
    ['UD2', '0f0b'],
    ['PUSH ES in 64-bit mode', '06'],
  ])('%s is #UD at its own address', (_name, code) => {
    t.longMode(CODE);
    t.poke(CODE, `90 ${code}`);
    expect(t.run(10)).toBe(2); // no IDT: triple fault
    expect(t.rip).toBe(BigInt(CODE + 1));
    expect(t.icount).toBe(1n);
  });

  it('recognizes an invalid instruction by its own bytes, without reading past it', () => {
    t.longMode(t.ramSize - 2);
    t.poke(t.ramSize - 2, '0f0b');
    expect(t.run(10)).toBe(2); // no IDT: triple fault
    expect(t.rip).toBe(BigInt(t.ramSize - 2));
  });

  it('logs what is not implemented, with its bytes', () => {
    t.longMode(CODE);
    t.poke(CODE, '0f38f00424'); // MOVBE
    t.run(10);
    expect(t.logs[0]).toEqual([1, CODE, 0]);
    expect(t.get32(0x2e0) & 0xffffff).toBe(0xf0380f & 0xffffff);
  });

  it('faults for instructions longer than 15 bytes', () => {
    t.longMode(CODE);
    t.poke(CODE, `${'66'.repeat(15)}90`);
    t.run(10);
    expect(t.logs.at(-1)?.[1]).toBe(13);
    expect(t.icount).toBe(0n);
  });
});

describe('edge cases of a processor', () => {
  /** 16- or 32-bit code whose DS reaches up to `limit`; true: it reached its HLT. */
  function limited(code: string, limit: number, attributes: number, regs: Partial<Record<Gpr, number>>): boolean {
    t.core.resetVcpu(0);
    t.flat32(CODE);
    const at = VCPU_SEG + SEG_DS * VCPU_SEG_SIZE;
    t.set32(at + SEG_LIMIT, limit);
    t.set32(at + SEG_SELECTOR, 0x10 | (attributes << 16));
    t.core.stateChanged(0);
    for (const [name, value] of Object.entries(regs)) t.setReg(name as Gpr, value);
    t.poke(CODE, `${code} f4`);
    return t.run(100) === EXIT_HLT;
  }
  const WRITABLE = 0xc93;
  const READ_ONLY = 0xc91;

  it('checks the segment at the bit of BTS, not at the start of its operand', () => {
    // bts [eax], ebx: 0x20000 is inside, 0x100 doublewords further is not; and the reverse.
    expect(limited('0fab18', 0x200ff, WRITABLE, { rax: 0x20000, rbx: 0x2000 })).toBe(false);
    expect(limited('0fab18', 0x200ff, WRITABLE, { rax: 0x20400, rbx: 0xffffe000 })).toBe(true);
    expect(t.peek(0x20000, 1)).toBe(1n);
  });

  it('needs the whole image of FXSAVE inside the segment', () => {
    expect(limited('0fae00', 0x201fe, WRITABLE, { rax: 0x20000 })).toBe(false);
    expect(limited('0fae00', 0x201ff, WRITABLE, { rax: 0x20000 })).toBe(true);
  });

  it('lets ARPL read what cannot be written, as long as nothing changes', () => {
    t.poke(0x20000, '0300');
    expect(limited('6318', 0xffffffff, READ_ONLY, { rax: 0x20000, rbx: 0 })).toBe(true);
    t.poke(0x20000, '0000');
    expect(limited('6318', 0xffffffff, READ_ONLY, { rax: 0x20000, rbx: 3 })).toBe(false);
  });

  it('reports a BOUND index below the lower bound before it reads the upper one', () => {
    t.poke(0x20000, '05000000');
    // bound ebx, [eax], with only the lower bound inside the segment
    expect(limited('6218', 0x20003, WRITABLE, { rax: 0x20000, rbx: 4 })).toBe(false);
    expect(t.logs[0]?.[1]).toBe(5);
    t.logs.length = 0;
    expect(limited('6218', 0x20003, WRITABLE, { rax: 0x20000, rbx: 5 })).toBe(false);
    expect(t.logs[0]?.[1]).toBe(13);
  });

  it('takes F3 90 for PAUSE whatever REX.B says', () => {
    run64('f34190', { rax: 1, r8: 2 });
    expect([t.reg('rax'), t.reg('r8')]).toEqual([1n, 2n]);
  });

  it.each(['24', '25', '26', '27'])('raises #UD for 0F %s', (opcode) => {
    t.longMode(CODE);
    t.poke(CODE, `0f${opcode}c0 f4`);
    t.run(10);
    expect(t.logs[0]?.[1]).toBe(6);
  });
});
