/**
 * Writes each operation, one function per family; the interpreter's handlers of the same names are in scripts/core. Operands are read before
 * anything is written, and all probes of memory come before the first change: an exit leaves the instruction undone.
 */
import { VCPU_GPR } from '../abi/vcpu';
import type { Emitter } from './emitter';
import { Kind } from './flag-kinds';
import { A, B, R, RIP, T, X, Y, Z } from './locals';
import { type Instruction, immediateOf, type Size } from './records';

const RAX = VCPU_GPR;
const RCX = VCPU_GPR + 8;
const RDX = VCPU_GPR + 16;
const RSP = VCPU_GPR + 32;
const RBP = VCPU_GPR + 40;

/** First operand, second operand and result: 32-bit locals up to 32 bits, else 64-bit ones. */
const localsOf = (size: Size): { a: number; b: number; r: number } => (size === 3 ? { a: X, b: Y, r: Z } : { a: A, b: B, r: R });

type Two = 'Add' | 'Sub' | 'Mul' | 'And' | 'Or' | 'Xor' | 'Shl' | 'ShrS' | 'ShrU' | 'Rotl' | 'Rotr';
function two(e: Emitter, size: Size, operation: Two): void {
  e.code[size === 3 ? (`i64${operation}` as const) : (`i32${operation}` as const)]();
}

/** Cuts an i32 on the stack to 8 or 16 bits. */
function cut(e: Emitter, size: Size): void {
  if (size > 1) return;
  e.code.i32Const(size === 0 ? 0xff : 0xffff);
  e.code.i32And();
}

const ALU: Record<string, Two> = {
  add: 'Add',
  adc: 'Add',
  sub: 'Sub',
  sbb: 'Sub',
  cmp: 'Sub',
  and: 'And',
  or: 'Or',
  xor: 'Xor',
  test: 'And',
};
const KINDS: Record<string, number> = {
  add: Kind.ADD,
  adc: Kind.ADC,
  sub: Kind.SUB,
  sbb: Kind.SBB,
  cmp: Kind.COMPARE,
  and: Kind.LOGIC,
  or: Kind.LOGIC,
  xor: Kind.LOGIC,
  test: Kind.LOGIC,
};

/** ADD OR ADC SBB AND SUB XOR CMP TEST: registers, immediates, memory sources and targets. */
export function arithmetic(e: Emitter, at: Instruction): void {
  const { action, form, size, quiet } = at.row;
  const { a, b, r } = localsOf(size);
  const { code } = e;
  const writes = action !== 'cmp' && action !== 'test';
  const toMemory = form === 'mr' || form === 'mi';
  const carries = action === 'adc' || action === 'sbb';
  if (carries) {
    e.carry();
    code.set(T);
  }
  if (toMemory || form === 'rm' || form === 'rx') {
    e.operand(at);
    e.host();
    e.loadSized(size);
    code.set(toMemory ? a : b);
  }
  if (!toMemory) {
    e.readRegister(at.destination, size);
    code.set(a);
  }
  if (form === 'rr' || form === 'mr') e.readRegister(at.source, size);
  else if (form === 'ri' || form === 'mi') e.immediate(at, size);
  else code.get(b);
  code.set(b);
  if (action === 'cmp') {
    e.setFlags(
      Kind.COMPARE,
      size,
      () => code.get(a),
      () => code.get(b),
      undefined,
    );
    return;
  }
  code.get(a);
  code.get(b);
  two(e, size, ALU[action]!);
  if (carries) {
    code.get(T);
    if (size === 3) code.i64ExtendI32U();
    two(e, size, ALU[action]!);
  }
  cut(e, size);
  code.set(r);
  if (writes) store(e, toMemory ? undefined : at.destination, size, r);
  if (!quiet) {
    const kind = KINDS[action]!;
    const logic = kind === Kind.LOGIC;
    e.setFlags(kind, size, logic ? undefined : () => code.get(a), logic ? undefined : () => code.get(b), () => code.get(r));
  }
}

/** The local goes to a register, or (undefined) to the memory that was probed. */
function store(e: Emitter, register: number | undefined, size: Size, local: number): void {
  if (register === undefined) {
    e.host();
    e.code.get(local);
    e.storeSized(size);
  } else {
    e.code.get(local);
    e.writeRegister(register, size);
  }
}

/** INC DEC NEG NOT. */
export function unary(e: Emitter, at: Instruction): void {
  const { action, form, size } = at.row;
  const { a, r } = localsOf(size);
  const { code } = e;
  const memory = form === 'm';
  const keepsCarry = action === 'inc' || action === 'dec';
  if (memory) {
    e.operand(at);
    e.host();
    e.loadSized(size);
  } else e.readRegister(at.destination, size);
  code.set(a);
  if (keepsCarry && !e.flagsDead) {
    e.carry();
    code.set(T);
  }
  const constant = (value: number): void => (size === 3 ? code.i64Const(value) : code.i32Const(value));
  if (action === 'neg') {
    constant(0);
    code.get(a);
    two(e, size, 'Sub');
  } else {
    code.get(a);
    constant(action === 'not' ? -1 : 1);
    two(e, size, action === 'not' ? 'Xor' : action === 'inc' ? 'Add' : 'Sub');
  }
  cut(e, size);
  code.set(r);
  store(e, memory ? undefined : at.destination, size, r);
  if (action === 'not') return;
  if (action === 'neg')
    e.setFlags(
      Kind.SUB,
      size,
      () => constant(0),
      () => code.get(a),
      () => code.get(r),
    );
  else
    e.setFlags(
      action === 'inc' ? Kind.INC : Kind.DEC,
      size,
      undefined,
      () => {
        code.get(T);
        if (size === 3) code.i64ExtendI32U();
      },
      () => code.get(r),
    );
}

export function move(e: Emitter, at: Instruction): void {
  const { form, size } = at.row;
  if (form === 'rr') e.readRegister(at.source, size);
  else if (form === 'ri') e.immediate(at, size);
  else if (form === 'rm' || form === 'rx') e.load(at, size);
  else {
    e.operand(at);
    e.host();
    if (form === 'mi') e.immediate(at, size);
    else e.readRegister(at.source, size);
    e.storeSized(size);
    return;
  }
  e.writeRegister(at.destination, size);
}

/** MOVZX MOVSX. */
export function extend(e: Emitter, at: Instruction): void {
  const { action, form, size, from } = at.row;
  const { code } = e;
  if (form === 'r') e.readRegister(at.source, from);
  else e.load(at, from);
  if (action === 'movsx') {
    if (from === 0) code.i32Extend8S();
    else if (from === 1) code.i32Extend16S();
    if (size === 3) code.i64ExtendI32S();
    else cut(e, size);
  } else if (size === 3) code.i64ExtendI32U();
  e.writeRegister(at.destination, size);
}

const SHIFTS: Record<string, Two> = { shl: 'Shl', shr: 'ShrU', sar: 'ShrS', rol: 'Rotl', ror: 'Rotr' };
const SHIFT_KINDS: Record<string, number> = { shl: Kind.SHL, shr: Kind.SHR, sar: Kind.SAR };

/** SHL SHR SAR ROL ROR of a register, by a constant that is not 0 or by CL. */
export function shift(e: Emitter, at: Instruction): void {
  const { action, form, size, quiet } = at.row;
  const { a, b, r } = localsOf(size);
  const { code } = e;
  const byCl = form === 'rc';
  const rotates = action === 'rol' || action === 'ror';
  e.readRegister(at.destination, size);
  code.set(a);
  if (byCl) {
    e.readRegister(RCX, size);
    if (size === 3) code.i64Const(63);
    else code.i32Const(31);
    two(e, size, 'And');
  } else if (size === 3) code.i64Const(at.low & 63);
  else code.i32Const(at.low & 31);
  code.set(b);
  code.get(a);
  code.get(b);
  two(e, size, SHIFTS[action]!);
  code.set(r);
  store(e, at.destination, size, r);
  if (quiet || e.flagsDead) return;
  const setAll = (): void => {
    if (rotates) e.turned(action === 'rol', size, r);
    else
      e.setFlags(
        SHIFT_KINDS[action]!,
        size,
        () => code.get(a),
        () => code.get(b),
        () => code.get(r),
      );
  };
  if (!byCl) {
    setAll();
    return;
  }
  // A count of 0 does not change the flags.
  code.get(b);
  if (size === 3) code.i32WrapI64();
  code.if();
  setAll();
  code.end();
  e.flags = undefined;
}

/** IMUL with two or three operands. */
export function multiply(e: Emitter, at: Instruction): void {
  const { form, size } = at.row;
  const { a, b, r } = localsOf(size);
  const { code } = e;
  if (form === 'rm' || form === 'rmi') e.load(at, size);
  else e.readRegister(at.source, size);
  code.set(a);
  if (form.endsWith('i')) e.immediate(at, size);
  else e.readRegister(at.destination, size);
  code.set(b);
  code.get(a);
  code.get(b);
  two(e, size, 'Mul');
  code.set(r);
  store(e, at.destination, size, r);
  e.setFlags(
    Kind.IMUL,
    size,
    () => code.get(a),
    () => code.get(b),
    () => code.get(r),
  );
}

/** LEA, and the records that compute an address for the instruction behind them. */
export function address(e: Emitter, at: Instruction): void {
  const { action, form, size, name } = at.row;
  const { code } = e;
  if (action === 'lea') {
    e.address(at, form === 'x');
    if (size === 2) code.i32WrapI64();
    e.writeRegister(at.destination, size);
    return;
  }
  if (name === 'ea_far') e.address(at, false, immediateOf(at));
  else e.address(at, true);
  if (name === 'ea32') {
    code.i64Const(0xffffffffn);
    code.i64And();
  }
  e.recordField(at.extra);
  code.i64Add();
  e.setEffective();
}

/** PUSH POP LEAVE. */
export function stack(e: Emitter, at: Instruction): void {
  const { action, form } = at.row;
  const { code } = e;
  if (action === 'push') {
    push(e, at, () => (form === 'i' ? e.immediate(at, 3) : e.readRegister(at.source, 3)));
    return;
  }
  e.operand(at);
  e.host();
  e.loadSized(3);
  code.set(X);
  code.get(e.gpr(action === 'pop' ? RSP : RBP));
  code.i64Const(8);
  code.i64Add();
  e.writeRegister(RSP, 3);
  code.get(X);
  e.writeRegister(action === 'pop' ? at.destination : RBP, 3);
}

/** `which`: the push among the instruction's memory operands. */
export function push(e: Emitter, at: Instruction, value: () => void, which = 0): void {
  const { code } = e;
  e.operand(at, which);
  e.host();
  value();
  e.storeSized(3);
  code.get(e.gpr(RSP));
  code.i64Const(-8);
  code.i64Add();
  e.writeRegister(RSP, 3);
}

/** Reads the return address into RIP, and exits to the interpreter if it is not canonical. */
export function popReturn(e: Emitter, at: Instruction): void {
  const { code } = e;
  e.operand(at);
  e.host();
  e.loadSized(3);
  code.set(X);
  canonical(e, at);
  code.get(e.gpr(RSP));
  code.i64Const(8 + at.low);
  code.i64Add();
  e.writeRegister(RSP, 3);
  code.get(X);
  code.set(RIP);
}

/** Exits before the instruction unless the target in X is canonical. */
export function canonical(e: Emitter, at: Instruction): void {
  const { code } = e;
  code.get(X);
  code.i64Const(0x800000000000n);
  code.i64Add();
  code.i64Const(48);
  code.i64ShrU();
  code.i64Eqz();
  code.i32Eqz();
  code.unlikelyIf();
  e.exitBefore(at, at.number);
  code.end();
}

/** NOP CWDE CDQE CDQ CQO BSWAP. */
export function convert(e: Emitter, at: Instruction): void {
  const { code } = e;
  switch (at.row.action) {
    case 'nop':
      return;
    case 'cwde':
      e.readRegister(RAX, 2);
      code.i32Extend16S();
      e.writeRegister(RAX, 2);
      return;
    case 'cdqe':
      e.readRegister(RAX, 3);
      code.i64Extend32S();
      e.writeRegister(RAX, 3);
      return;
    case 'cdq':
      e.readRegister(RAX, 2);
      code.i32Const(31);
      code.i32ShrS();
      e.writeRegister(RDX, 2);
      return;
    case 'cqo':
      e.readRegister(RAX, 3);
      code.i64Const(63);
      code.i64ShrS();
      e.writeRegister(RDX, 3);
      return;
    default:
      swapBytes(e, at);
  }
}

function swapBytes(e: Emitter, at: Instruction): void {
  const { size } = at.row;
  const { code } = e;
  const { a } = localsOf(size);
  const constant = (value: bigint): void => (size === 3 ? code.i64Const(value) : code.i32Const(Number(BigInt.asIntN(32, value))));
  e.readRegister(at.destination, size);
  // Swaps bytes in pairs, then the pairs, then the halves.
  const masks: [bigint, bigint][] = [
    [8n, 0x00ff00ff00ff00ffn],
    ...(size === 3 ? ([[16n, 0x0000ffff0000ffffn]] as [bigint, bigint][]) : []),
  ];
  for (const [by, mask] of masks) {
    code.tee(a);
    constant(by);
    two(e, size, 'ShrU');
    constant(mask);
    two(e, size, 'And');
    code.get(a);
    constant(mask);
    two(e, size, 'And');
    constant(by);
    two(e, size, 'Shl');
    two(e, size, 'Or');
  }
  constant(size === 3 ? 32n : 16n);
  two(e, size, 'Rotl');
  e.writeRegister(at.destination, size);
}

export function exchange(e: Emitter, at: Instruction): void {
  const { size } = at.row;
  const { a } = localsOf(size);
  e.readRegister(at.destination, size);
  e.code.set(a);
  e.readRegister(at.source, size);
  e.writeRegister(at.destination, size);
  e.code.get(a);
  e.writeRegister(at.source, size);
}

/** SETcc of a register, CMOVcc. A 32-bit CMOV clears the upper half whether it moves or not. */
export function conditional(e: Emitter, at: Instruction): void {
  const { action, form, size } = at.row;
  const { a } = localsOf(size);
  const { code } = e;
  const wanted = at.low & 15;
  if (action === 'setcc') {
    e.condition(wanted);
    e.writeRegister(at.destination, 0);
    return;
  }
  if (form === 'rm') e.load(at, size);
  else e.readRegister(at.source, size);
  code.set(a);
  e.condition(wanted);
  code.set(T);
  code.get(a);
  e.readRegister(at.destination, size);
  code.get(T);
  code.select();
  e.writeRegister(at.destination, size);
}

/** By family; undefined: no wasm for it. */
export const OPERATION_WRITERS: Readonly<Record<string, (e: Emitter, at: Instruction) => void>> = {
  alu: arithmetic,
  test: arithmetic,
  unary,
  move,
  extend,
  shift,
  multiply,
  address,
  stack,
  convert,
  condition: conditional,
  exchange,
};
