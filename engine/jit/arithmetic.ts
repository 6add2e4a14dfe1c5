/** ADD to CMP, TEST, INC to NOT, shifts, IMUL and DIV. */
import { AUX_SIZE } from '../abi/record';
import { VCPU_GPR } from '../abi/vcpu';
import type { Emitter } from './emitter';
import { Kind } from './flag-kinds';
import { T, X, Y, Z } from './locals';
import { cut, localsOf, store, type Two, two } from './operands';
import type { Instruction, Size } from './records';

const RAX = VCPU_GPR;
const RCX = VCPU_GPR + 8;
const RDX = VCPU_GPR + 16;

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

/**
 * DIV and IDIV by a register. The dividend must be RAX, zero- or sign-extended into RDX; a 32-bit DIV takes any. Other dividends exit, and so do
 * divisions that fault.
 */
export function divide(e: Emitter, at: Instruction): void {
  const { code } = e;
  const size = (at.aux & AUX_SIZE) as Size;
  const signed = at.row.name === 'idiv';
  const wide = size === 3;
  const extended = (): void => {
    if (wide) return;
    if (signed) code.i64ExtendI32S();
    else code.i64ExtendI32U();
  };
  e.readRegister(at.source, size);
  extended();
  code.set(Y);
  e.readRegister(RAX, size);
  extended();
  code.set(X);
  e.readRegister(RDX, size);
  extended();
  code.set(Z);
  if (!wide && !signed) {
    // The quotient has more than 32 bits, or does not exist.
    code.get(Z);
    code.get(Y);
    code.i64GeU();
  } else {
    code.get(Z);
    if (signed) {
      code.get(X);
      code.i64Const(63);
      code.i64ShrS();
    } else code.i64Const(0);
    code.i64Ne();
    // The divisor is 0, or it is -1, for which the least number has no quotient.
    code.get(Y);
    code.i64Const(signed ? 1 : 0);
    code.i64Add();
    code.i64Const(signed ? 2 : 1);
    code.i64LtU();
    code.i32Or();
  }
  code.unlikelyIf();
  e.exitBefore(at, at.number);
  code.end();
  if (!wide && !signed) {
    code.get(Z);
    code.i64Const(32);
    code.i64Shl();
    code.get(X);
    code.i64Or();
    code.set(X);
  }
  code.get(X);
  code.get(Y);
  if (signed) code.i64DivS();
  else code.i64DivU();
  code.set(Z);
  const put = (register: number): void => {
    if (!wide) code.i32WrapI64();
    e.writeRegister(register, size);
  };
  code.get(Z);
  put(RAX);
  code.get(X);
  code.get(Z);
  code.get(Y);
  code.i64Mul();
  code.i64Sub();
  put(RDX);
}
