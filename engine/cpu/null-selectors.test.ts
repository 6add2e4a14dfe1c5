/** The state of a segment register with a null selector: kvm-unit-tests emulator64.c for returns, Intel's processors for loads. */
import { describe, expect, it } from 'vitest';
import * as abi from '../abi/vcpu';
import { TestCore } from '../../test/support/core';

const CODE = 0x10000;
const DATA = 0x8000;
const GDT = 0x61000;
const FS_BASE = 0x500000n;
const GS_BASE = 0x7fff00400000n;

const at = (seg: number): number => abi.VCPU_SEG + seg * abi.VCPU_SEG_SIZE;
function segment(t: TestCore, seg: number): { selector: number; base: bigint; usable: boolean } {
  const word = t.get32(at(seg) + abi.SEG_SELECTOR);
  return { selector: word & 0xffff, base: t.get64(at(seg) + abi.SEG_BASE), usable: word >>> 16 !== 0 };
}

/** Ring 0 in 64-bit mode; ES, FS and GS hold the segment with this selector, FS and GS have bases of their own. */
function kernel(code: string, selector = 0x10): TestCore {
  const t = new TestCore(0x80000);
  t.longMode(CODE);
  t.poke(CODE, `${code} ${'90'.repeat(8)}`);
  t.set64(abi.VCPU_GDT_BASE, BigInt(GDT));
  t.set32(abi.VCPU_GDT_LIMIT, 0x2f);
  t.poke64(GDT + 8, 0x00af9b000000ffffn);
  t.poke64(GDT + 0x10, 0x00cf93000000ffffn);
  t.poke64(GDT + 0x18, 0x00cffb000000ffffn);
  t.poke64(GDT + 0x20, 0x00cff3000000ffffn);
  t.poke64(GDT + 0x28, 0x00affb000000ffffn);
  const attr = selector === 0x10 ? 0xc93 : selector === 0x23 ? 0xcf3 : 0xc9f;
  t.segment(abi.SEG_ES, selector, 0n, 0xffffffff, attr);
  t.segment(abi.SEG_FS, selector, FS_BASE, 0xffffffff, attr);
  t.segment(abi.SEG_GS, selector, GS_BASE, 0xffffffff, attr);
  t.setReg('rsp', 0x20000);
  t.setReg('rbx', DATA);
  t.set64(abi.VCPU_EFER, 0x501n);
  t.set64(abi.VCPU_STAR, 0x18n << 48n);
  t.setReg('rcx', CODE + 0x100);
  t.setReg('r11', 2);
  t.core.stateChanged(0);
  return t;
}

const push = (value: number): string => `68${value.toString(16).padStart(8, '0').match(/../g)!.reverse().join('')}`;
const IRETQ = `${push(0x23)} ${push(0x30000)} ${push(2)} ${push(0x2b)} ${push(CODE + 0x100)} 48cf`;
const IRETQ32 = `${push(0x23)} ${push(0x30000)} ${push(2)} ${push(0x1b)} ${push(CODE + 0x100)} 48cf`;
const RETFQ = `${push(0x23)} ${push(0x30000)} ${push(0x2b)} ${push(CODE + 0x100)} 48cb`;

describe('a return to ring 3', () => {
  it.each([
    ['IRETQ', IRETQ, 6],
    ['IRETQ to 32-bit code', IRETQ32, 6],
    ['RETFQ', RETFQ, 5],
  ])('%s makes selectors of ring 0 null and leaves the bases of FS and GS', (_what, code, count) => {
    const t = kernel(code);
    t.run(count);
    expect(t.get32(abi.VCPU_CPL)).toBe(3);
    expect(segment(t, abi.SEG_FS)).toEqual({ selector: 0, base: FS_BASE, usable: false });
    expect(segment(t, abi.SEG_GS)).toEqual({ selector: 0, base: GS_BASE, usable: false });
    expect(segment(t, abi.SEG_ES)).toMatchObject({ selector: 0, usable: false });
  });

  it('lets 64-bit code read through that base', () => {
    const t = kernel(IRETQ);
    t.poke64(0x1000, 0x2007n);
    t.segment(abi.SEG_GS, 0x10, BigInt(DATA), 0xffffffff, 0xc93);
    t.poke64(DATA, 0x1234n);
    t.poke(CODE + 0x100, '65488b042500000000'); // mov rax, gs:[0]
    t.run(7);
    expect(t.reg('rax')).toBe(0x1234n);
  });

  it.each([
    ['data of ring 3', 0x23],
    ['a conforming code segment', 0x08],
  ])('leaves %s as it is', (_what, selector) => {
    const t = kernel(IRETQ, selector);
    t.run(6);
    for (const [seg, base] of [[abi.SEG_FS, FS_BASE] as const, [abi.SEG_GS, GS_BASE] as const, [abi.SEG_ES, 0n] as const])
      expect(segment(t, seg)).toEqual({ selector, base, usable: true });
  });

  it('by SYSRET changes no data segment', () => {
    const t = kernel('480f07');
    t.run(1);
    expect(t.get32(abi.VCPU_CPL)).toBe(3);
    expect(segment(t, abi.SEG_FS)).toEqual({ selector: 0x10, base: FS_BASE, usable: true });
  });

  it('and IRETQ within ring 0 changes none', () => {
    const t = kernel(`${push(0x10)} ${push(0x30000)} ${push(2)} ${push(8)} ${push(CODE + 0x100)} 48cf`);
    t.run(6);
    expect(segment(t, abi.SEG_GS)).toEqual({ selector: 0x10, base: GS_BASE, usable: true });
  });
});

describe('a null selector that an instruction loads', () => {
  it.each([
    ['MOV FS', '31c0 8ee0', 2, abi.SEG_FS],
    ['MOV GS', '31c0 8ee8', 2, abi.SEG_GS],
    ['POP FS', '6a00 0fa1', 2, abi.SEG_FS],
    ['POP GS', '6a00 0fa9', 2, abi.SEG_GS],
    ['LFS', '0fb403', 1, abi.SEG_FS],
    ['LGS', '0fb503', 1, abi.SEG_GS],
    ['MOV ES', '31c0 8ec0', 2, abi.SEG_ES],
  ])('clears the base: %s', (_what, code, count, seg) => {
    const t = kernel(code);
    t.run(count);
    expect(segment(t, seg)).toEqual({ selector: 0, base: 0n, usable: false });
  });
});
