/**
 * System instructions, events and their returns have the same effect whether or not the TLB has the tables and stacks, and whether the interpreter
 * continues after them or a slice ends there.
 */
import { describe, expect, it } from 'vitest';
import { TestCore } from '../../test/support/core';
import { EXIT_HLT } from '../abi/exits';
import * as abi from '../abi/vcpu';

const CODE = 0x10000;
const IDT = 0x60000;
const GDT = 0x61000;
const TSS = 0x62000;
const HANDLERS = 0x70000;
const COUNTER = '48ff042500100700 '; // inc qword [0x71000]
const IST_STACK = 0x83000;
const USER_STACK = 0x90000;
const USER = 0x20000;
const [KCODE, KDATA, UDATA, UCODE] = [0x08, 0x10, 0x23, 0x2b];

/** Handlers: INT 0x21 returns; INT 0x22 has a stack of its own; #UD steps over UD2; INT 0x30 ends; SYSCALL's at 0x71800. */
function machine(kernelStack: number): TestCore {
  const t = new TestCore();
  t.longMode(CODE);
  t.set64(abi.VCPU_EFER, 0x501n);
  const descriptors = [0x00af9b000000ffffn, 0x00cf93000000ffffn, 0x00cffb000000ffffn, 0x00cff3000000ffffn, 0x00affb000000ffffn];
  for (const [i, value] of descriptors.entries()) t.poke64(GDT + 8 + 8 * i, value);
  t.set64(abi.VCPU_GDT_BASE, BigInt(GDT));
  t.set32(abi.VCPU_GDT_LIMIT, 0xff);
  t.set64(abi.VCPU_IDT_BASE, BigInt(IDT));
  t.set32(abi.VCPU_IDT_LIMIT, 0xfff);
  for (const [vector, ist, code] of [
    [0x06, 0, '4883042402 48cf'],
    [0x0d, 0, 'f4'],
    [0x21, 0, `${COUNTER} 48cf`],
    [0x22, 1, `${COUNTER} 3bc1 48cf`],
    [0x30, 0, 'f4'],
  ] as const) {
    const at = HANDLERS + 64 * vector;
    t.poke(at, code);
    t.poke64(IDT + 16 * vector, BigInt(at & 0xffff) | 0x80000n | (BigInt(ist) << 32n) | (0xee00n << 32n) | (BigInt(at >>> 16) << 48n));
    t.poke64(IDT + 16 * vector + 8, 0n);
  }
  t.segment(abi.SEG_TR, 0x30, BigInt(TSS), 0x67, 0x8b);
  t.poke64(TSS + 4, BigInt(kernelStack));
  t.poke64(TSS + 0x24, BigInt(IST_STACK));
  t.set64(abi.VCPU_STAR, (0x18n << 48n) | (BigInt(KCODE) << 32n));
  t.set64(abi.VCPU_LSTAR, 0x71800n);
  t.set64(abi.VCPU_SFMASK, 0x400n);
  t.poke(0x71800, `${COUNTER} 480f07`);
  t.segment(abi.SEG_CS, KCODE, 0n, 0xffffffff, 0xa9b);
  for (const seg of [abi.SEG_SS, abi.SEG_DS, abi.SEG_ES]) t.segment(seg, KDATA, 0n, 0xffffffff, 0xc93);
  t.core.setRflags(0, 2);
  t.poke(CODE, '48cf');
  for (const [i, value] of [USER, UCODE, 0x3202, USER_STACK, UDATA].entries()) t.poke64(0x80000 - 40 + 8 * i, BigInt(value));
  t.setReg('rsp', 0x80000 - 40);
  t.core.stateChanged(0);
  return t;
}

const PROGRAM = [
  'bd 09000000', // mov ebp, 9
  '39d8 cd21 0f92c2', // cmp eax, ebx; int 0x21; setc dl
  '01e8 0f05', // add eax, ebp; syscall
  'cd22 0f0b 90', // int 0x22; ud2; nop
  'e460 e661', // in al, 0x60; out 0x61, al
  '9c 8134240002 0000 9d', // pushf; xor dword [rsp], DF and more; popf
  'fc bf00f00900 b900300000 f3aa', // cld; mov edi, 0x9f000; mov ecx, 0x3000; rep stosb
  'be00f00900 bf10f00900 b900200000 f3a4', // mov esi, 0x9f000; mov edi, 0x9f010; mov ecx, 0x2000; rep movsb
  'ffcd 75b6', // dec ebp; jnz
  'cd30',
].join(' ');

/** State at each instruction count where a slice ended. */
function trace(kernelStack: number, slice: number, cold: boolean): Map<bigint, string> {
  const t = machine(kernelStack);
  const code = PROGRAM.replaceAll(' ', '');
  const loop = code.indexOf('39d8') / 2;
  const end = code.indexOf('ffcd75') / 2 + 4;
  t.poke(USER, code.replace('75b6', `75${((loop - end) & 255).toString(16).padStart(2, '0')}`));
  const states = new Map<bigint, string>();
  for (let n = 0; n < 4000; n++) {
    if (cold) t.core.zapAll();
    const exit = t.core.run(0, slice);
    const stack = [0, 8, 16, 24, 32, 40].map((offset) => t.peek(Number(t.reg('rsp')) + offset, 8).toString(16));
    states.set(t.icount, `${t.state()} cs=${t.get64(abi.VCPU_SEG + 16 + 8)} ss=${t.get64(abi.VCPU_SEG + 32 + 8)} ${stack}`);
    if (exit === EXIT_HLT) break;
  }
  return states;
}

describe.each([
  ['in one page', 0x81000],
  ['across two pages', 0x81010],
])('with interrupt frames %s', (_where, kernelStack) => {
  const reference = trace(kernelStack, 1, true);

  it('ends where the program ends', () => {
    const last = [...reference.values()].at(-1)!;
    expect(reference.size).toBeGreaterThan(200);
    expect(last).toContain(`rip=${(HANDLERS + 64 * 0x30 + 1).toString(16)}`);
  });

  it.each([1, 2, 3, 7, 64, 100, 1000])('agrees in slices of %i', (slice) => {
    const states = trace(kernelStack, slice, false);
    for (const [count, state] of states) expect(`${count}: ${state}`).toBe(`${count}: ${reference.get(count)}`);
    expect([...states.keys()].at(-1)).toBe([...reference.keys()].at(-1));
  });
});

it.each([
  ['INT3', '90 cc'],
  ['SYSCALL', '90 0f05'],
  ['RETF', '90 48cb'],
  ['WRMSR', '90 0f30'],
  ['the last instruction of a page', '90 90'],
  ['JMP', '90 e9fa0f1f00'],
])('a slice that ends after %s has not walked to the next page yet, in any number of runs', (_name, code) => {
  const next = 0x300000;
  const table = 0x9000;
  const entry = table + 8;
  const [whole, single] = [[2], [1, 1]].map((budgets) => {
    const t = machine(0x81000);
    // The next page has its own entry in a page table, whose accessed bit shows whether the page was reached.
    t.poke64(0x3000 + 8, BigInt(table | 7));
    t.poke64(entry, BigInt(next | 7));
    t.poke(next, '90 f4');
    const at = code.endsWith('30') ? 0x200ffd : code.endsWith('90') ? 0x200ffe : CODE;
    t.poke64(table, BigInt(0x200000 | 7));
    t.poke(at, code);
    t.rip = BigInt(at);
    t.poke64(IDT + 16 * 3, 0x80000n | 0x1000n | (0x8e00n << 32n) | (0x20n << 48n));
    t.set64(abi.VCPU_LSTAR, 0x201000n);
    t.setReg('rsp', 0x80000);
    t.poke64(0x80000, 0x201000n);
    t.poke64(0x80008, BigInt(KCODE));
    t.setReg('rcx', 0xc0000102);
    t.setReg('rdx', 0);
    t.core.stateChanged(0);
    for (const budget of budgets) t.core.run(0, budget);
    expect([t.icount, t.rip]).toEqual([2n, 0x201000n]);
    return t.peek(entry, 8);
  });
  expect(whole).toBe(single);
});
