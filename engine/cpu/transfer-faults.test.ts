/**
 * Every fault that the manual lists for a far transfer or a load of LDTR, TR or SS (SDM 2: IRET, RET, JMP, CALL, INT, SYSRET, LLDT, LTR,
 * LSS), with its error code. A fault leaves CS, SS and the stack pointer as they were.
 */
import { beforeEach, describe, expect, it } from 'vitest';
import { EXIT_HLT } from '../abi/exits';
import * as abi from '../abi/vcpu';
import { TestCore } from '../../test/support/core';

const CODE = 0x10000;
const TARGET = 0x30000;
const STACK = 0x80000;
const GDT = 0x61000;
const LDT = 0x62000;
const IDT = 0x60000;
const TSS = 0x63000;
const HANDLERS = 0x70000;
const FAR = 0xffff800000000000n;
const [NP, SS, GP, UD, TS] = [11, 12, 13, 6, 10];

const descriptor = (access: number, flags = 0xc, limit = 0xfffffn): bigint =>
  (limit & 0xffffn) | (BigInt(access) << 40n) | ((limit >> 16n) << 48n) | (BigInt(flags) << 52n);
const gateTo = (selector: number, access: number, words = 0): bigint =>
  (BigInt(TARGET) & 0xffffn) | (BigInt(selector) << 16n) | (BigInt(words) << 32n) | (BigInt(access) << 40n) | (BigInt(TARGET >> 16) << 48n);

/** Selectors of the GDT, RPL 0. */
const S = {
  code: 0x08,
  data: 0x10,
  code32: 0x18,
  userCode32: 0x20,
  userData: 0x28,
  userCode: 0x30,
  conforming: 0x38,
  userConforming: 0x40,
  absentCode: 0x48,
  absentUserCode: 0x50,
  bothWidths: 0x58,
  userBothWidths: 0x60,
  absentUserData: 0x68,
  readOnlyUserData: 0x70,
  absentData: 0x78,
  readOnlyData: 0x80,
  smallUserCode32: 0x88,
  // System descriptors, 16 bytes each.
  ldt: 0x90,
  absentLdt: 0xa0,
  tss: 0xb0,
  busyTss: 0xc0,
  absentTss: 0xd0,
  highType: 0xe0,
  gate: 0x100,
  absentGate: 0x110,
  kernelGate: 0x120,
  nullGate: 0x130,
  dataGate: 0x140,
  userGate: 0x150,
  absentTarget: 0x160,
  gate32Bit: 0x170,
  outsideGate: 0x180,
  ring1Gate: 0x190,
  ring1Code: 0x1a0,
  ring1Data: 0x1a8,
  smallRing1Data: 0x1b0,
  last: 0x1b8,
  outside: 0x1c0,
};

let t: TestCore;

beforeEach(() => {
  t = new TestCore();
  faultAt = 0;
  stackLimit = 0xffffffff;
});

function tables(long: boolean): void {
  const entries: Record<number, bigint> = {
    [S.code]: descriptor(0x9b, long ? 0xa : 0xc),
    [S.data]: descriptor(0x93),
    [S.code32]: descriptor(0x9b),
    [S.userCode32]: descriptor(0xfb),
    [S.userData]: descriptor(0xf3),
    [S.userCode]: descriptor(0xfb, long ? 0xa : 0xc),
    [S.conforming]: descriptor(0x9f, long ? 0xa : 0xc),
    [S.userConforming]: descriptor(0xff, long ? 0xa : 0xc),
    [S.absentCode]: descriptor(0x1b, long ? 0xa : 0xc),
    [S.absentUserCode]: descriptor(0x7b, long ? 0xa : 0xc),
    [S.bothWidths]: descriptor(0x9b, 0xe),
    [S.userBothWidths]: descriptor(0xfb, 0xe),
    [S.absentUserData]: descriptor(0x73),
    [S.readOnlyUserData]: descriptor(0xf1),
    [S.absentData]: descriptor(0x13),
    [S.readOnlyData]: descriptor(0x91),
    [S.smallUserCode32]: descriptor(0xfb, 4, 0xfffn),
    [S.ldt]: descriptor(0x82, 0, 0xffn) | (BigInt(LDT) << 16n),
    [S.absentLdt]: descriptor(0x02, 0, 0xffn),
    [S.tss]: descriptor(0x89, 0, 0x67n),
    [S.busyTss]: descriptor(0x8b, 0, 0x67n),
    [S.absentTss]: descriptor(0x09, 0, 0x67n),
    [S.highType]: descriptor(0x89, 0, 0x67n),
    [S.highType + 8]: 0x100n << 32n,
    [S.gate]: gateTo(S.code, 0xec),
    [S.absentGate]: gateTo(S.code, 0x6c),
    [S.kernelGate]: gateTo(S.code, 0x8c),
    [S.nullGate]: gateTo(3, 0xec),
    [S.dataGate]: gateTo(S.data, 0xec),
    [S.userGate]: gateTo(S.userCode, 0xec),
    [S.absentTarget]: gateTo(S.absentCode, 0xec),
    [S.gate32Bit]: gateTo(S.code32, 0xec),
    [S.outsideGate]: gateTo(S.outside, 0xec),
    [S.ring1Gate]: gateTo(S.ring1Code, 0xec),
    [S.ring1Code]: descriptor(0xbb, long ? 0xa : 0xc),
    [S.ring1Data]: descriptor(0xb3),
    [S.smallRing1Data]: descriptor(0xb3, 4, 0xfffn),
    [S.last]: gateTo(S.code, 0xec),
  };
  for (let at = 0; at <= S.last; at += 8) t.poke64(GDT + at, entries[at] ?? 0n);
  t.set64(abi.VCPU_GDT_BASE, BigInt(GDT));
  t.set32(abi.VCPU_GDT_LIMIT, S.outside - 1);
  t.segment(abi.SEG_TR, S.busyTss, BigInt(TSS), 0x67, 0x8b);
  t.set64(abi.VCPU_IDT_BASE, BigInt(IDT));
  t.set32(abi.VCPU_IDT_LIMIT, 0xfff);
  for (let vector = 0; vector < 32; vector++) {
    const handler = HANDLERS + 16 * vector;
    const gate = BigInt(handler & 0xffff) | (BigInt(S.code) << 16n) | (0x8en << 40n) | (BigInt(handler >> 16) << 48n);
    t.poke(handler, 'f4');
    t.poke64(IDT + vector * (long ? 16 : 8), gate);
    if (long) t.poke64(IDT + vector * 16 + 8, 0n);
  }
}

const withError = new Set([8, TS, NP, SS, GP, 14, 17]);
/** Size of a stack slot: 8 in long mode. */
let slot = 8;

/** Offset of the instruction that faults. */
let faultAt = 0;
let stackLimit = 0xffffffff;

/** Runs `code` at `level` until a HLT. */
function enter(code: string, level: number): void {
  const long = slot === 8;
  t.segment(abi.SEG_CS, level ? S.userCode | 3 : S.code, 0n, 0xffffffff, (long ? 0xa9b : 0xc9b) | (level << 5));
  t.segment(abi.SEG_SS, level ? S.userData | 3 : S.data, 0n, stackLimit, 0xc93 | (level << 5));
  t.set32(abi.VCPU_CPL, level);
  t.poke(CODE, `${code} f4`);
  t.poke(TARGET, 'f4');
  t.rip = BigInt(CODE);
  t.setReg('rsp', STACK);
  t.core.setRflags(0, 0x202);
  t.set32(abi.VCPU_HALTED, 0);
  t.core.stateChanged(0);
  expect(t.run(100)).toBe(EXIT_HLT);
}

/** The same: [vector, error] of its fault, or undefined. */
function execute(code: string, level = 0): [number, number] | undefined {
  enter(code, level);
  const vector = (Number(t.rip) - 1 - HANDLERS) / 16;
  if (vector < 0) return undefined;
  let frame = Number(t.reg('rsp'));
  const error = withError.has(vector) ? Number(t.peek(frame, 4)) : 0;
  if (withError.has(vector)) frame += slot;
  const saved = (n: number) => Number(t.peek(frame + n * slot, slot === 8 ? 8 : 4));
  expect([saved(0), saved(1)]).toEqual([CODE + faultAt, level ? S.userCode | 3 : S.code]);
  if (slot === 8 || level) expect([saved(3), saved(4)]).toEqual([STACK, level ? S.userData | 3 : S.data]);
  else expect(frame).toBe(STACK - 12);
  return [vector, error];
}

function push(...words: (bigint | number)[]): void {
  words.forEach((word, i) => {
    const value = BigInt.asUintN(64, BigInt(word));
    const bytes = Array.from({ length: slot }, (_, n) => Number((value >> BigInt(8 * n)) & 255n));
    t.poke(STACK + slot * i, bytes);
  });
}

/** 16 bits of machine code. */
const word = (value: number): string => Buffer.from([value & 255, value >> 8]).toString('hex');

const U = 3;
const good = { rip: BigInt(TARGET), cs: S.userCode | U, ss: S.userData | U };
type Row = [what: string, frame: Partial<typeof good>, fault: [number, number]];
const outer: Row[] = [
  ['a null CS', { cs: U }, [GP, 0]],
  ['a CS beyond the table', { cs: S.outside | U }, [GP, S.outside]],
  ['a CS in an LDT that is not there', { cs: S.code | 4 | U }, [GP, S.code | 4]],
  ['a CS of data', { cs: S.userData | U }, [GP, S.userData]],
  ['a CS of a system segment', { cs: S.ldt | U }, [GP, S.ldt]],
  ['a DPL unlike the RPL', { cs: S.userCode | 1 }, [GP, S.userCode]],
  ['a conforming CS of more privilege than its RPL asks for', { cs: S.userConforming }, [GP, S.userConforming]],
  ['a CS that is not present', { cs: S.absentUserCode | U }, [NP, S.absentUserCode]],
  ['a null SS', { ss: 0 }, [GP, 0]],
  ['a null SS with RPL 3', { ss: U }, [GP, 0]],
  ['an SS beyond the table', { ss: S.outside | U }, [GP, S.outside]],
  ['an SS with another RPL than CS', { ss: S.userData | 2 }, [GP, S.userData]],
  ['an SS of code', { ss: S.userCode | U }, [GP, S.userCode]],
  ['an SS that is read only', { ss: S.readOnlyUserData | U }, [GP, S.readOnlyUserData]],
  ['an SS with another DPL', { ss: S.data | U }, [GP, S.data]],
  ['an SS that is not present', { ss: S.absentUserData | U }, [SS, S.absentUserData]],
  ['an offset beyond the limit', { cs: S.smallUserCode32 | U, rip: 0x1000n }, [GP, 0]],
  ['both a bad SS and a bad offset: SS first', { cs: S.smallUserCode32 | U, rip: 0x1000n, ss: S.outside | U }, [GP, S.outside]],
];
const outerLong: Row[] = [
  ['a CS that is both 64- and 32-bit', { cs: S.userBothWidths | U }, [GP, S.userBothWidths]],
  ['an RIP that is not canonical', { rip: 0x800000000000n }, [GP, 0]],
  ['both a bad SS and a bad RIP: SS first', { rip: 0x800000000000n, ss: S.code | U }, [GP, S.code]],
];

describe('long mode', () => {
  beforeEach(() => {
    slot = 8;
    t.longMode(CODE);
    t.set64(abi.VCPU_EFER, 0x501n);
    tables(true);
    t.poke64(TSS + 4, BigInt(STACK + 0x4000));
  });

  it.each([...outer, ...outerLong])('IRETQ to user mode: %s', (_what, frame, fault) => {
    const { rip, cs, ss } = { ...good, ...frame };
    push(rip, cs, 0x202, STACK, ss);
    expect(execute('48cf')).toEqual(fault);
  });

  it.each([...outer, ...outerLong])('RETFQ to user mode: %s', (_what, frame, fault) => {
    const { rip, cs, ss } = { ...good, ...frame };
    push(rip, cs, STACK, ss);
    expect(execute('48cb')).toEqual(fault);
  });

  it('IRETQ at the same level', () => {
    const from = (rip: bigint | number, cs: number, ss: number, flags = 0x202) => {
      push(rip, cs, flags, STACK, ss);
      return execute('48cf');
    };
    expect(from(TARGET, S.code, S.data)).toBeUndefined();
    expect(from(TARGET, S.code, 0)).toBeUndefined(); // 64-bit kernel code may have no SS
    expect(from(TARGET, S.code, 1)).toEqual([GP, 0]); // but its RPL must be right
    expect(from(TARGET, S.code32, 0)).toEqual([GP, 0]); // and 32-bit code must have one
    expect(from(TARGET, S.code, S.absentData)).toEqual([SS, S.absentData]);
    expect(from(TARGET, S.code, S.readOnlyData)).toEqual([GP, S.readOnlyData]);
    expect(from(FAR - 1n, S.code, S.data)).toEqual([GP, 0]);
    expect(from(FAR - 1n, S.code, S.userData)).toEqual([GP, S.userData]);
    expect(from(BigInt(TARGET) + 0x500000000n, S.code32, S.data)).toBeUndefined(); // which has 32 bits of offset
    expect(t.rip).toBe(BigInt(TARGET + 1));
    // The nested-task flag that counts is the one that is set now.
    expect(from(TARGET, S.code, S.data, 0x4202)).toBeUndefined();
    push(TARGET, S.code, 0x202, STACK, S.data);
    faultAt = 9;
    // pushfq; or dword [rsp], 0x4000; popfq; iretq
    expect(execute('9c 810c2400400000 9d 48cf')).toEqual([GP, 0]);
  });

  it('IRETQ from user mode never gets inside', () => {
    for (const cs of [S.code, S.code | 1, S.conforming]) {
      push(TARGET, cs, 0x202, STACK, S.data);
      expect(execute('48cf', 3)).toEqual([GP, cs & ~3]);
    }
    push(TARGET, S.userCode | U, 0x202, STACK, S.absentUserData | U);
    expect(execute('48cf', 3)).toEqual([SS, S.absentUserData]);
  });

  const pointer = (selector: number) => `f4 00000300 ${word(selector)}`;
  const jump = (selector: number, level: number) => execute(`ff2d01000000 ${pointer(selector)}`, level);
  const call = (selector: number, level: number) => execute(`ff1d01000000 ${pointer(selector)}`, level);

  const direct: [what: string, selector: number, level: number, fault: [number, number]][] = [
    ['a null selector', 0, 0, [GP, 0]],
    ['a null selector with an RPL', 2, 0, [GP, 0]],
    ['a selector beyond the table', S.outside, 0, [GP, S.outside]],
    ['data', S.data, 0, [GP, S.data]],
    ['code of less privilege', S.userCode, 0, [GP, S.userCode]],
    ['code of more privilege', S.code, 3, [GP, S.code]],
    ['an RPL of less privilege', S.code | 3, 0, [GP, S.code]],
    ['conforming code of less privilege', S.userConforming, 0, [GP, S.userConforming]],
    ['code that is not present', S.absentCode, 0, [NP, S.absentCode]],
    ['code that is both 64- and 32-bit', S.bothWidths, 0, [GP, S.bothWidths]],
    ['an LDT', S.ldt, 0, [GP, S.ldt]],
    ['a TSS: long mode has no task switches', S.tss, 0, [GP, S.tss]],
    ['a busy TSS', S.busyTss, 0, [GP, S.busyTss]],
    ['a gate of more privilege', S.kernelGate, 3, [GP, S.kernelGate]],
    ['a gate by an RPL of less privilege', S.kernelGate | 3, 0, [GP, S.kernelGate]],
    ['a gate that is not present', S.absentGate | 3, 3, [NP, S.absentGate]],
    ['a gate whose second half is beyond the table', S.last, 0, [GP, S.last]],
    ['a gate to a null selector', S.nullGate | 3, 3, [GP, 0]],
    ['a gate beyond the table', S.outsideGate | 3, 3, [GP, S.outside]],
    ['a gate to data', S.dataGate | 3, 3, [GP, S.data]],
    ['a gate to code of less privilege', S.userGate, 0, [GP, S.userCode]],
    ['a gate to code that is not present', S.absentTarget, 0, [NP, S.absentCode]],
    ['a gate to 32-bit code', S.gate32Bit, 0, [GP, S.code32]],
  ];
  it.each(direct)('JMP and CALL to %s', (_what, selector, level, fault) => {
    expect(jump(selector, level)).toEqual(fault);
    expect(call(selector, level)).toEqual(fault);
  });

  it('JMP and CALL to addresses that are not canonical', () => {
    for (const gate of [S.gate, S.gate + 8]) t.poke64(GDT + gate, gate === S.gate ? gateTo(S.code, 0xec) : 0x8000n);
    for (const run of [jump, call]) expect(run(S.gate, 0)).toEqual([GP, 0]);
    const wide = '00000000 00800000';
    for (const code of ['48ff2d01000000', '48ff1d01000000']) {
      expect(execute(`${code} f4 ${wide} ${word(S.code)}`)).toEqual([GP, 0]);
    }
  });

  it('a gate to more privilege: CALL goes there, JMP does not; the stack comes before the offset', () => {
    expect(jump(S.gate | 3, 3)).toEqual([GP, S.code]);
    t.poke64(TSS + 12, BigInt(STACK + 0x2000));
    // HLT at CPL 1 faults, with the frame of the call on the stack of the TSS.
    enter(`ff1d01000000 ${pointer(S.ring1Gate | 3)}`, 3);
    expect([0, 1, 2, 3].map((n) => t.peek(STACK + 0x2000 - 32 + 8 * n, 8))).toEqual(
      [CODE + 6, S.userCode | 3, STACK, S.userData | 3].map(BigInt),
    );
    t.poke64(GDT + S.ring1Gate + 8, 0x8000n);
    expect(call(S.ring1Gate | 3, 3)).toEqual([GP, 0]);
    t.poke64(TSS + 12, 0x800000000000n);
    expect(call(S.ring1Gate | 3, 3)).toEqual([SS, 0]);
    t.segment(abi.SEG_TR, S.busyTss, BigInt(TSS), 0x12, 0x8b);
    expect(call(S.ring1Gate | 3, 3)).toEqual([TS, S.busyTss]);
  });

  const IDT_ERROR = 0x20 * 8 + 2;
  const gates: [what: string, selector: number, access: number, level: number, fault: [number, number]][] = [
    ['a gate of another type', S.code, 0x8c, 0, [GP, IDT_ERROR]],
    ['no gate', 0, 0, 0, [GP, IDT_ERROR]],
    ['a task gate: long mode has none', S.tss, 0x85, 0, [GP, IDT_ERROR]],
    ['a gate of more privilege', S.code, 0x8e, 3, [GP, IDT_ERROR]],
    ['a gate of more privilege that is not there either', S.code, 0x0e, 3, [GP, IDT_ERROR]],
    ['a gate that is not present', S.code, 0x0e, 0, [NP, IDT_ERROR]],
    ['a null selector', 2, 0x8e, 0, [GP, 0]],
    ['a selector beyond the table', S.outside, 0x8e, 0, [GP, S.outside]],
    ['data', S.data, 0x8e, 0, [GP, S.data]],
    ['code of less privilege', S.userCode, 0x8e, 0, [GP, S.userCode]],
    ['32-bit code', S.code32, 0x8e, 0, [GP, S.code32]],
    ['code that is not present', S.absentCode, 0x8e, 0, [NP, S.absentCode]],
  ];
  it.each(gates)('INT n through %s', (_what, selector, access, level, fault) => {
    t.poke64(IDT + 16 * 0x20, gateTo(selector, access));
    t.poke64(IDT + 16 * 0x20 + 8, 0n);
    expect(execute('cd20', level)).toEqual(fault);
  });

  it('INT n to addresses and stacks that are not canonical, and beyond the IDT and the TSS', () => {
    t.poke64(IDT + 16 * 0x20, gateTo(S.code, 0xee));
    t.poke64(IDT + 16 * 0x20 + 8, 0x8000n);
    expect(execute('cd20')).toEqual([GP, 0]);
    t.poke64(IDT + 16 * 0x20 + 8, 0n);
    t.poke64(IDT + 16 * 0x20, gateTo(S.ring1Code, 0xee));
    t.poke64(TSS + 12, 0x800000000000n);
    expect(execute('cd20', 3)).toEqual([SS, 0]);
    t.segment(abi.SEG_TR, S.busyTss, BigInt(TSS), 0x12, 0x8b);
    expect(execute('cd20', 3)).toEqual([TS, S.busyTss]);
    t.set32(abi.VCPU_IDT_LIMIT, 0x20e);
    expect(execute('cd20')).toEqual([GP, IDT_ERROR]);
  });

  it('SYSRET', () => {
    t.set64(abi.VCPU_STAR, BigInt(S.code32) << 48n);
    t.setReg('r11', 0x202);
    t.setReg('rcx', 0x800000000000n);
    expect(execute('480f07')).toEqual([GP, 0]);
    t.setReg('rcx', TARGET);
    expect(execute('480f07', 3)).toEqual([GP, 0]);
    t.set64(abi.VCPU_EFER, 0x500n);
    expect(execute('480f07')).toEqual([UD, 0]);
    expect(execute('480f07', 3)).toEqual([UD, 0]);
  });

  const mov = (selector: number) => `66b8 ${word(selector)}`;
  it('LLDT and LTR', () => {
    faultAt = 4;
    const lldt = (selector: number, level = 0) => execute(`${mov(selector)} 0f00d0`, level);
    const ltr = (selector: number, level = 0) => execute(`${mov(selector)} 0f00d8`, level);
    expect(lldt(S.ldt, 3)).toEqual([GP, 0]);
    expect(lldt(3)).toBeUndefined();
    expect(lldt(S.ldt)).toBeUndefined();
    expect(lldt(S.ldt | 4)).toEqual([GP, S.ldt | 4]);
    expect(lldt(S.outside)).toEqual([GP, S.outside]);
    expect(lldt(S.last)).toEqual([GP, S.last]);
    expect(lldt(S.data)).toEqual([GP, S.data]);
    expect(lldt(S.tss)).toEqual([GP, S.tss]);
    expect(lldt(S.absentLdt)).toEqual([NP, S.absentLdt]);
    expect(ltr(S.tss, 3)).toEqual([GP, 0]);
    expect(ltr(2)).toEqual([GP, 0]);
    expect(ltr(S.tss | 4)).toEqual([GP, S.tss | 4]);
    expect(ltr(S.outside)).toEqual([GP, S.outside]);
    expect(ltr(S.code)).toEqual([GP, S.code]);
    expect(ltr(S.ldt)).toEqual([GP, S.ldt]);
    expect(ltr(S.busyTss)).toEqual([GP, S.busyTss]);
    expect(ltr(S.highType)).toEqual([GP, S.highType]);
    expect(ltr(S.absentTss)).toEqual([NP, S.absentTss]);
    expect(ltr(S.tss)).toBeUndefined();
    expect(ltr(S.tss)).toEqual([GP, S.tss]); // busy now
  });

  it('LSS and MOV to SS', () => {
    const lss = (selector: number, level = 0) => {
      faultAt = 0;
      return execute(`0fb20501000000 ${pointer(selector)}`, level);
    };
    const movSs = (selector: number, level = 0) => {
      faultAt = 4;
      return execute(`${mov(selector)} 8ed0`, level);
    };
    for (const load of [lss, movSs]) {
      expect(load(S.data)).toBeUndefined();
      expect(load(0)).toBeUndefined();
      expect(load(1)).toEqual([GP, 0]);
      expect(load(3, 3)).toEqual([GP, 0]);
      expect(load(S.outside)).toEqual([GP, S.outside]);
      expect(load(S.data | 1)).toEqual([GP, S.data]);
      expect(load(S.userData)).toEqual([GP, S.userData]);
      expect(load(S.code)).toEqual([GP, S.code]);
      expect(load(S.readOnlyData)).toEqual([GP, S.readOnlyData]);
      expect(load(S.absentData)).toEqual([SS, S.absentData]);
      expect(load(S.absentUserData | 3, 3)).toEqual([SS, S.absentUserData]);
    }
  });
});

describe('protected mode', () => {
  beforeEach(() => {
    slot = 4;
    t.flat32(CODE);
    tables(false);
    t.poke64(TSS + 4, BigInt(STACK + 0x4000) | (BigInt(S.data) << 32n));
  });

  it.each(outer)('IRETD to user mode: %s', (_what, frame, fault) => {
    const { rip, cs, ss } = { ...good, ...frame };
    push(rip, cs, 0x202, STACK, ss);
    expect(execute('cf')).toEqual(fault);
  });

  it.each(outer)('RETF to user mode: %s', (_what, frame, fault) => {
    const { rip, cs, ss } = { ...good, ...frame };
    push(rip, cs, STACK, ss);
    expect(execute('cb')).toEqual(fault);
  });

  it('a stack without room for the frame of a fault is #SS with EXT', () => {
    // #UD by conforming code keeps the level and the stack; #SS goes to the stack of the TSS.
    t.poke64(IDT + 8 * UD, (t.peek(IDT + 8 * UD, 8) & ~0xffff0000n) | (BigInt(S.conforming) << 16n));
    stackLimit = STACK - 5;
    expect(execute('0f0b', 3)).toEqual([SS, 1]);
    stackLimit = STACK + 10;
    expect(execute('cf', 3)).toEqual([SS, 0]);
    expect(execute('cb', 3)).toEqual([GP, 0]); // that much there is: a null CS
  });

  const inward: [what: string, code: string][] = [
    ['CALL through a gate', `9a 00000000 ${word(S.ring1Gate | 3)}`],
    ['INT n', 'cd20'],
  ];
  it.each(inward)('%s to more privilege checks the stack of the TSS, and then the offset', (_what, code) => {
    t.poke64(IDT + 8 * 0x20, gateTo(S.ring1Code, 0xee));
    const call = (selector: number, pointer = STACK + 0x2000) => {
      t.poke64(TSS + 12, BigInt(pointer) | (BigInt(selector) << 32n));
      return execute(code, 3);
    };
    expect(call(2)).toEqual([TS, 0]);
    expect(call(S.outside | 1)).toEqual([TS, S.outside]);
    expect(call(S.ring1Data)).toEqual([TS, S.ring1Data]);
    expect(call(S.data | 1)).toEqual([TS, S.data]);
    expect(call(S.ring1Code | 1)).toEqual([TS, S.ring1Code]);
    expect(call(S.smallRing1Data | 1, 0x1008)).toEqual([SS, S.smallRing1Data]);
    t.poke64(GDT + S.ring1Code, descriptor(0xbb, 4, 0xfffn));
    expect(call(S.ring1Data | 1)).toEqual([GP, 0]);
    expect(call(2)).toEqual([TS, 0]);
    t.poke64(GDT + S.ring1Data, descriptor(0x33));
    expect(call(S.ring1Data | 1)).toEqual([SS, S.ring1Data]);
  });
});
