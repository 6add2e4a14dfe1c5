/** Interrupts, exceptions, gates, far transfers and system calls, as guest code and the frames on its stacks show them. */
import { beforeEach, describe, expect, it } from 'vitest';
import { EXIT_HLT, EXIT_SHUTDOWN, LOG_TRIPLE, ABSENT_TASK_GATE, LOG_ABSENT } from '../abi/exits';
import * as abi from '../abi/vcpu';
import { TestCore } from '../../test/support/core';

const CODE = 0x10000;
const IDT = 0x60000n;
const GDT = 0x61000;
const TSS = 0x62000;
const HANDLERS = 0x70000;
const KERNEL_STACK = 0x81000;
const IST_STACK = 0x82000;
const USER_STACK = 0x90000;
/** Selectors of the GDT below. */
const KCODE = 0x08;
const KDATA = 0x10;
const UCODE32 = 0x1b;
const UDATA = 0x23;
const UCODE64 = 0x2b;

let t: TestCore;
const handler = (vector: number) => HANDLERS + 16 * vector;

function commonTables(long: boolean): void {
  t.poke64(GDT + 0x08, long ? 0x00af9b000000ffffn : 0x00cf9b000000ffffn);
  t.poke64(GDT + 0x10, 0x00cf93000000ffffn);
  t.poke64(GDT + 0x18, 0x00cffb000000ffffn);
  t.poke64(GDT + 0x20, 0x00cff3000000ffffn);
  t.poke64(GDT + 0x28, 0x00affb000000ffffn);
  t.set64(abi.VCPU_GDT_BASE, BigInt(GDT));
  t.set32(abi.VCPU_GDT_LIMIT, 0xff);
  t.set64(abi.VCPU_IDT_BASE, IDT);
  t.set32(abi.VCPU_IDT_LIMIT, 0xfff);
  for (let vector = 0; vector < 64; vector++) t.poke(handler(vector), 'f4');
}

/** Gate of `type` (0xe interrupt, 0xf trap) with DPL and, in long mode, IST. */
function gate(vector: number, type = 0xe, dpl = 0, ist = 0, selector = KCODE, present = 1): void {
  const at = Number(IDT) + vector * 16;
  const target = BigInt(handler(vector));
  const attributes = BigInt((present << 7) | (dpl << 5) | type);
  t.poke64(at, (target & 0xffffn) | (BigInt(selector) << 16n) | (BigInt(ist) << 32n) | (attributes << 40n) | ((target >> 16n) << 48n));
  t.poke64(at + 8, 0n);
}
function gate32(vector: number, type = 0xe, dpl = 0, selector = KCODE): void {
  const target = BigInt(handler(vector));
  const attributes = BigInt(0x80 | (dpl << 5) | type);
  t.poke64(Number(IDT) + vector * 8, (target & 0xffffn) | (BigInt(selector) << 16n) | (attributes << 40n) | ((target >> 16n) << 48n));
}

/** Runs code at CPL 0 from CODE until something stops it. */
function start(code: string, rsp = 0x80000): number {
  const long = (t.get64(abi.VCPU_EFER) & 0x400n) !== 0n;
  t.segment(abi.SEG_CS, KCODE, 0n, 0xffffffff, long ? 0xa9b : 0xc9b);
  for (const seg of [abi.SEG_SS, abi.SEG_DS, abi.SEG_ES]) t.segment(seg, KDATA, 0n, 0xffffffff, 0xc93);
  t.poke(CODE, code);
  t.rip = BigInt(CODE);
  t.setReg('rsp', rsp);
  t.core.setRflags(0, 0x202);
  t.set32(abi.VCPU_HALTED, 0);
  t.core.stateChanged(0);
  return t.run(1000);
}
/** The vector of the handler that halted. */
function halted(): number {
  return (Number(t.rip) - 1 - HANDLERS) / 16;
}
function stack64(n: number): bigint {
  return t.peek(Number(t.reg('rsp')) + 8 * n, 8);
}
function stack32(n: number): number {
  return Number(t.peek(Number(t.reg('rsp')) + 4 * n, 4));
}
function segment(seg: number, field: number): number {
  return t.get32(abi.VCPU_SEG + seg * abi.VCPU_SEG_SIZE + field) & 0xffff;
}
const cs = () => segment(abi.SEG_CS, abi.SEG_SELECTOR);
const ss = () => segment(abi.SEG_SS, abi.SEG_SELECTOR);

describe('long mode', () => {
  beforeEach(() => {
    t = new TestCore();
    t.longMode(CODE);
    t.set64(abi.VCPU_EFER, 0x501n);
    commonTables(true);
    for (let vector = 0; vector < 32; vector++) gate(vector);
    t.segment(abi.SEG_TR, 0x30, BigInt(TSS), 0x67, 0x8b);
    t.poke64(TSS + 4, BigInt(KERNEL_STACK));
    t.poke64(TSS + 0x24, BigInt(IST_STACK));
  });

  /** Starts user code through IRETQ, as a kernel does. */
  function user(code: string, selector = UCODE64): number {
    t.poke(0x20000, code);
    [0x20000, selector, 0x202, USER_STACK, UDATA].forEach((value, i) => {
      t.poke64(0x80000 - 40 + 8 * i, BigInt(value));
    });
    return start('48cf', 0x80000 - 40);
  }

  it('pushes an aligned frame with SS:RSP even without a change of level', () => {
    expect(start('0f0b', 0x7fff5)).toBe(EXIT_HLT);
    expect(halted()).toBe(6);
    expect(t.reg('rsp')).toBe(0x7fff0n - 40n);
    expect([stack64(0), stack64(1), stack64(3), stack64(4)]).toEqual([BigInt(CODE), 8n, 0x7fff5n, 0x10n]);
    expect(stack64(2) & 0x10202n).toBe(0x10202n); // faults push RF
    expect(t.flags & 0x200).toBe(0); // an interrupt gate clears IF
  });

  it('switches to RSP0 from user mode and back with IRETQ', () => {
    expect(user('0f0b')).toBe(EXIT_HLT);
    expect(halted()).toBe(6);
    expect(t.reg('rsp')).toBe(BigInt(KERNEL_STACK - 40));
    expect([stack64(0), stack64(1), stack64(3), stack64(4)]).toEqual([0x20000n, BigInt(UCODE64), BigInt(USER_STACK), BigInt(UDATA)]);
    expect([cs(), ss(), t.get32(abi.VCPU_CPL)]).toEqual([KCODE, 0, 0]);
    // The handler skips UD2 and returns; the user code halts, which is #GP.
    t.poke(handler(6), '48830424 02 48cf');
    user('0f0b f4');
    expect(halted()).toBe(13);
    expect(stack64(1)).toBe(0x20002n);
  });

  it('takes the IST stack whatever the level', () => {
    gate(6, 0xe, 0, 1);
    start('0f0b');
    expect(t.reg('rsp')).toBe(BigInt(IST_STACK - 40));
    user('0f0b');
    expect(t.reg('rsp')).toBe(BigInt(IST_STACK - 40));
  });

  it('checks the DPL of software interrupts only', () => {
    gate(0x30, 0xf, 3);
    gate(0x31, 0xe, 0);
    user('cd30');
    expect(halted()).toBe(0x30);
    expect(t.flags & 0x200).toBe(0x200); // a trap gate leaves IF
    expect(stack64(0)).toBe(0x20002n);
    user('cd31');
    expect(halted()).toBe(13);
    expect(stack64(0)).toBe(BigInt(0x31 * 8 + 2)); // IDT bit, no EXT
    expect(stack64(1)).toBe(0x20000n);
    t.vectors.push(0x31);
    t.set32(abi.VCPU_IRQ_PENDING, 1);
    user('90 90 ebfe');
    expect(halted()).toBe(0x31);
  });

  it('reports a missing gate with EXT for a fault: a double fault from #PF', () => {
    gate(14, 0xe, 0, 0, KCODE, 0);
    start('488b042500000040'); // not mapped
    expect(halted()).toBe(8);
    expect(stack64(0)).toBe(0n);
    expect(t.get64(abi.VCPU_CR2)).toBe(0x40000000n);
  });

  it('delivers the second of two benign or unlike faults by itself', () => {
    gate(6, 0xe, 0, 0, KCODE, 0); // #UD is benign: #NP is delivered, not #DF
    start('0f0b');
    expect(halted()).toBe(11);
    expect(stack64(0)).toBe(BigInt(6 * 8 + 3));
  });

  it('shuts down on a triple fault with the registers of the fault', () => {
    t.set32(abi.VCPU_IDT_LIMIT, 0);
    expect(start('bb07000000 0f0b')).toBe(EXIT_SHUTDOWN);
    expect(t.rip).toBe(BigInt(CODE + 5));
    expect(t.reg('rbx')).toBe(7n);
    expect(t.logs).toEqual([[LOG_TRIPLE, 6, 13]]);
    expect(t.run(10)).toBe(EXIT_SHUTDOWN);
  });

  it('blocks NMIs until IRET', () => {
    t.poke(handler(2), 'ff0425 00900000 48cf');
    t.set32(abi.VCPU_NMI_PENDING, 1);
    start('90 90 f4');
    expect(t.peek(0x9000, 4)).toBe(1n);
    expect(t.get32(abi.VCPU_NMI_BLOCKED)).toBe(0);
    t.poke(handler(2), 'f4');
    t.set32(abi.VCPU_HALTED, 0);
    t.set32(abi.VCPU_NMI_PENDING, 1);
    start('90 90 f4');
    expect(halted()).toBe(2);
    t.set32(abi.VCPU_NMI_PENDING, 1);
    expect(t.run(10)).toBe(EXIT_HLT);
    expect(t.get32(abi.VCPU_NMI_PENDING)).toBe(1);
  });

  it('enters and leaves the kernel by SYSCALL and SYSRET', () => {
    t.set64(abi.VCPU_STAR, (0x18n << 48n) | (8n << 32n));
    t.set64(abi.VCPU_LSTAR, 0x30000n);
    t.set64(abi.VCPU_SFMASK, 0x200n);
    t.poke(0x30000, '4989ce 4d89df 480f07'); // mov r14,rcx; mov r15,r11; sysretq
    user('0f05 f4');
    expect(halted()).toBe(13); // HLT at CPL 3
    expect([t.reg('r14'), t.reg('r15') & 0x202n]).toEqual([0x20002n, 0x202n]);
    expect([stack64(1), stack64(2), stack64(5)]).toEqual([0x20002n, 0x2bn, 0x23n]);
    t.set64(abi.VCPU_EFER, 0x500n);
    user('0f05');
    expect(halted()).toBe(6);
  });

  it('enters by SYSENTER and leaves by SYSEXIT', () => {
    t.set64(abi.VCPU_SYSENTER_CS, 8n);
    t.set64(abi.VCPU_SYSENTER_ESP, 0x83000n);
    t.set64(abi.VCPU_SYSENTER_EIP, 0x30000n);
    t.poke(0x30000, '4989e6 b900000900 ba02000200 480f35');
    user('0f34 f4');
    expect(halted()).toBe(13);
    expect(t.reg('r14')).toBe(0x83000n);
    expect([stack64(1), stack64(2), stack64(4), stack64(5)]).toEqual([0x20002n, 0x2bn, 0x90000n, 0x33n]);
  });

  it('returns to compatibility mode and back', () => {
    user('b8ffffffff 40 f4', UCODE32); // inc eax exists only there
    expect(halted()).toBe(13);
    expect(t.reg('rax')).toBe(0n);
    expect(stack64(2)).toBe(BigInt(UCODE32));
  });

  it('calls through a 64-bit gate to CPL 0 and returns with RETF', () => {
    t.poke64(GDT + 0x40, (0x30000n & 0xffffn) | (8n << 16n) | (0xecn << 40n) | (3n << 48n));
    t.poke64(GDT + 0x48, 0n);
    t.poke(0x30000, '4989e6 48cb');
    // lcall [rip+1]; hlt; the pointer behind.
    user('ff1d01000000 f4 00000000 4300');
    expect(halted()).toBe(13);
    expect(stack64(1)).toBe(0x20006n);
    expect(t.reg('r14')).toBe(BigInt(KERNEL_STACK - 32));
    expect(stack64(4)).toBe(BigInt(USER_STACK));
  });

  it('refuses far jumps to bad selectors with the selector as error code', () => {
    // ljmp [rip+1]
    start('ff2d01000000 f4 00000000 2b00'); // DPL 3 code from CPL 0
    expect([halted(), stack64(0)]).toEqual([13, 0x28n]);
    start('ff2d01000000 f4 00000000 f80f'); // beyond the GDT
    expect([halted(), stack64(0)]).toEqual([13, 0xff8n]);
    start('ff2d01000000 f4 00000000 0000');
    expect([halted(), stack64(0)]).toEqual([13, 0n]);
  });

  it('loads segment registers only as their descriptors allow', () => {
    start('66b80800 8ed8 f4');
    expect(halted()).not.toBe(13); // readable code may go into DS
    start('66b80800 8ed0');
    expect([halted(), stack64(0)]).toEqual([13, 8n]); // but not into SS
    t.poke64(GDT + 0x38, 0x00cf13000000ffffn);
    start('66b83800 8ed8');
    expect([halted(), stack64(0)]).toEqual([11, 0x38n]);
    user('66b81000 8ed8');
    expect([halted(), stack64(0)]).toEqual([13, 0x10n]);
    t.poke64(GDT + 0x38, 0x00cff2000000ffffn);
    user('66b83b00 8ed8 f4');
    expect(t.peek(GDT + 0x3d, 1)).toBe(0xf3n); // accessed
  });
});

describe('protected mode', () => {
  beforeEach(() => {
    t = new TestCore();
    t.flat32(CODE);
    commonTables(false);
    for (let vector = 0; vector < 32; vector++) gate32(vector);
    t.segment(abi.SEG_TR, 0x30, BigInt(TSS), 0x67, 0x8b);
    t.poke64(TSS + 4, BigInt(KERNEL_STACK) | (BigInt(KDATA) << 32n));
  });

  function user(code: string): number {
    t.poke(0x20000, code);
    [0x20000, UCODE32, 0x202, USER_STACK, UDATA].forEach((value, i) => {
      t.poke(0x80000 - 20 + 4 * i, [value & 255, (value >> 8) & 255, (value >> 16) & 255, 0]);
    });
    return start('cf', 0x80000 - 20);
  }

  it('keeps the stack on a fault at the same level', () => {
    start('0f0b');
    expect(halted()).toBe(6);
    expect(t.reg('rsp')).toBe(0x80000n - 12n);
    expect([stack32(0), stack32(1)]).toEqual([CODE, 8]);
  });

  it('switches stacks through the TSS, and IRET drops inner data segments', () => {
    user('8cd8 f4');
    expect(halted()).toBe(13);
    expect(t.reg('rax') & 0xffffn).toBe(0n); // DS was kernel data
    expect(t.reg('rsp')).toBe(BigInt(KERNEL_STACK - 24));
    expect([stack32(0), stack32(1), stack32(2), stack32(4), stack32(5)]).toEqual([0, 0x20002, UCODE32, USER_STACK, UDATA]);
    expect([cs(), ss()]).toEqual([KCODE, KDATA]);
  });

  it('raises #TS for a bad stack selector in the TSS', () => {
    t.poke64(TSS + 4, BigInt(KERNEL_STACK) | (0x23n << 32n));
    gate32(10, 0xe, 0);
    expect(user('0f0b')).toBe(EXIT_SHUTDOWN); // the #TS handler needs the same stack
    expect(t.logs.at(-1)?.[0]).toBe(LOG_TRIPLE);
  });

  it('copies parameters through a call gate and releases them on both stacks', () => {
    const target = 0x30000n;
    t.poke64(GDT + 0x40, (target & 0xffffn) | (8n << 16n) | (2n << 32n) | (0xecn << 40n) | ((target >> 16n) << 48n));
    t.poke(0x30000, '8b442408 8b5c240c ca0800'); // mov eax,[esp+8]; mov ebx,[esp+12]; retf 8
    user('6811110000 6822220000 9a000000004300 f4');
    expect(halted()).toBe(13);
    expect([t.reg('rax'), t.reg('rbx')]).toEqual([0x2222n, 0x1111n]);
    expect(stack32(1)).toBe(0x20000 + 17);
    expect(stack32(4)).toBe(USER_STACK); // the user's parameters are gone
  });

  it('says that task gates are not there', () => {
    t.poke64(Number(IDT) + 0x20 * 8, (0x30n << 16n) | (0x85n << 40n));
    start('cd20');
    expect([halted(), stack32(0)]).toEqual([13, 0x20 * 8 + 2]);
    expect(t.logs.at(-1)).toEqual([LOG_ABSENT, ABSENT_TASK_GATE, 0x20]);
  });

  it('checks limits and types of segments', () => {
    t.poke64(GDT + 0x38, 0x0040930000000fffn); // 4 KiB data
    start('66b83800 8ed8 a1fc0f0000 a1fd0f0000');
    expect([halted(), stack32(0), stack32(1)]).toEqual([13, 0, CODE + 11]);
    t.poke64(GDT + 0x38, 0x00cf91000000ffffn); // read-only data
    start('66b83800 8ed8 a100000000 a300000000');
    expect([halted(), stack32(1)]).toEqual([13, CODE + 11]);
    t.poke64(GDT + 0x38, 0x00409700000000ffn); // expand-down: 0x100..0xffffffff
    start('66b83800 8ed8 a100010000 a1ff000000');
    expect([halted(), stack32(1)]).toEqual([13, CODE + 11]);
    start('2ea300000000'); // code is never written
    expect(halted()).toBe(13);
  });
});

describe('real mode', () => {
  beforeEach(() => {
    t = new TestCore();
    t.real(0x7000);
    for (const seg of [abi.SEG_SS, abi.SEG_DS, abi.SEG_ES]) t.segment(seg, 0, 0n, 0xffff, 0x93);
    t.set64(abi.VCPU_IDT_BASE, 0n);
    t.set32(abi.VCPU_IDT_LIMIT, 0x3ff);
    t.setReg('rsp', 0x6000);
    t.core.setRflags(0, 0x202);
    t.core.stateChanged(0);
  });

  it('goes through the interrupt vector table and back', () => {
    t.poke(0x80, [0x34, 0x12, 0x00, 0x02]); // INT 20h at 0200:1234
    t.poke(0x3234, 'cf');
    t.poke(0x7000, 'cd20 f4');
    expect(t.run(2)).toBe(0);
    expect(t.rip).toBe(0x7002n);
    t.rip = 0x7000n;
    t.run(1);
    expect(cs()).toBe(0x200);
    expect(t.reg('rsp')).toBe(0x5ffan);
    expect([t.peek(0x5ffa, 2), t.peek(0x5ffc, 2), t.peek(0x5ffe, 2)]).toEqual([0x7002n, 0n, 0x202n]);
    expect(t.flags & 0x200).toBe(0);
  });

  it('raises #GP beyond 64 KiB, without an error code', () => {
    t.poke(13 * 4, [0x00, 0x30, 0x00, 0x00]);
    t.poke(0x3000, 'f4');
    t.poke(0x7000, 'a1ffff f4');
    expect(t.run(10)).toBe(EXIT_HLT);
    expect(t.rip).toBe(0x3001n);
    expect(t.reg('rsp')).toBe(0x5ffan);
  });

  it('far calls and returns', () => {
    t.poke(0x7000, '9a00100002 f4');
    t.poke(0x3000, 'cb');
    expect(t.run(10)).toBe(EXIT_HLT);
    expect([t.rip, t.reg('rsp'), cs()]).toEqual([0x7006n, 0x6000n, 0]);
  });
});
