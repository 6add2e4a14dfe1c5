/**
 * x87 instructions with a short path, on the significands in locals: moves are written here, arithmetic calls the core
 * (engine/cpu/fpu/for-regions.ts). If an operand is not ordinary, the core runs the whole instruction on its short path, or the region exits.
 */
import { FL_BITS } from '../abi/flags';
import { VCPU_FPU_REGS } from '../abi/vcpu';
import {
  WAY_COMPARE,
  WAY_COMPARE_DOUBLE,
  WAY_COMPARE_FLAGS,
  WAY_COMPARE_FLAGS_POP,
  WAY_COMPARE_POP,
  WAY_COMPARE_POP2,
  WAY_COMPARE_SINGLE,
  WAY_EXCHANGE,
  WAY_LOAD_DOUBLE,
  WAY_LOAD_EXTENDED,
  WAY_LOAD_INT16,
  WAY_LOAD_INT32,
  WAY_LOAD_INT64,
  WAY_LOAD_SINGLE,
  WAY_MOVE,
  WAY_ONE,
  WAY_PUSH,
  WAY_ROOT,
  WAY_SIGN,
  WAY_STORE_DOUBLE,
  WAY_STORE_EXTENDED,
  WAY_STORE_INT16,
  WAY_STORE_INT32,
  WAY_STORE_INT64,
  WAY_STORE_SINGLE,
  WAY_TO_REGISTER,
  WAY_TO_REGISTER_POP,
  WAY_TO_TOP,
  WAY_WITH_DOUBLE,
  WAY_WITH_INT16,
  WAY_WITH_INT32,
  WAY_WITH_SINGLE,
  WAY_ZERO,
} from '../abi/x87-ways';
import { C1 } from './emit-x87';
import type { Emitter } from './emitter';
import { Kind } from './flag-kinds';
import { R, T, VA, VCPU, X, X87_ADD, X87_DIVIDE, X87_MULTIPLY, X87_RELATION, X87_ROOT, X87_SE, X87_STORE, Y } from './locals';
import type { Instruction } from './records';
import { setsFlags, type X87Form, x87Form, x87Operand } from './x87-forms';

const BIAS = 16383;
const INTEGER_BIT = 0x8000000000000000n;
const CONDITIONS = 0x4700;

/** Locals of a number: its significand, and its sign and exponent. */
interface Float {
  sig: number;
  se: number;
}
/** An operand from memory. */
const WIDE: Float = { sig: X, se: X87_SE };

const isSingle = (way: number): boolean => way === WAY_WITH_SINGLE || way === WAY_COMPARE_SINGLE || way === WAY_LOAD_SINGLE;
const isDouble = (way: number): boolean => way === WAY_WITH_DOUBLE || way === WAY_COMPARE_DOUBLE || way === WAY_LOAD_DOUBLE;

/** Widens the operand in memory to `to`. If that may be no normal number, pushes an i32 that is nonzero in this case, and returns true. */
function widen(e: Emitter, way: number, to: Float): boolean {
  const { code } = e;
  e.host();
  if (way === WAY_LOAD_EXTENDED) {
    code.i64Load(e.at);
    code.set(to.sig);
    e.host();
    code.i32Load16U(e.at + 8);
    code.set(to.se);
    return false;
  }
  if (isSingle(way) || isDouble(way)) {
    const fraction = isSingle(way) ? 23 : 52;
    const largest = isSingle(way) ? 0xff : 0x7ff;
    if (isSingle(way)) code.i64Load32U(e.at);
    else code.i64Load(e.at);
    code.tee(Y);
    code.i64Const(63 - fraction);
    code.i64Shl();
    code.i64Const(INTEGER_BIT);
    code.i64Or();
    code.set(to.sig);
    code.get(Y);
    code.i64Const(fraction);
    code.i64ShrU();
    code.i32WrapI64();
    code.tee(T);
    code.i32Const(largest);
    code.i32And();
    code.i32Const(BIAS - (largest >> 1));
    code.i32Add();
    code.get(T);
    code.i32Const(largest + 1);
    code.i32And();
    code.i32Const(isSingle(way) ? 7 : 4);
    code.i32Shl();
    code.i32Or();
    code.set(to.se);
    code.get(T);
    code.i32Const(largest);
    code.i32And();
    code.i32Const(1);
    code.i32Sub();
    code.i32Const(largest - 1);
    code.i32GeU();
    return true;
  }
  if (way === WAY_LOAD_INT64) code.i64Load(e.at);
  else if (way === WAY_LOAD_INT32 || way === WAY_WITH_INT32) code.i64Load32S(e.at);
  else code.i64Load16S(e.at);
  // The magnitude, its top bit moved to bit 63.
  code.tee(Y);
  code.get(Y);
  code.i64Const(63);
  code.i64ShrS();
  code.i64Xor();
  code.get(Y);
  code.i64Const(63);
  code.i64ShrS();
  code.i64Sub();
  code.tee(to.sig);
  code.get(to.sig);
  code.i64Clz();
  code.i64Shl();
  code.i32Const(BIAS + 63);
  code.get(to.sig);
  code.i64Clz();
  code.i32WrapI64();
  code.i32Sub();
  code.get(Y);
  code.i64Const(48);
  code.i64ShrU();
  code.i32WrapI64();
  code.i32Const(0x8000);
  code.i32And();
  code.i32Or();
  code.i32Const(0);
  code.get(Y);
  code.i64Const(0);
  code.i64Ne();
  code.select();
  code.set(to.se);
  code.set(to.sig);
  return false;
}

function push(e: Emitter, { sig, se }: Float, negated = false): void {
  const { code } = e;
  code.get(sig);
  code.get(se);
  if (!negated) return;
  code.i32Const(0x8000);
  code.i32Xor();
}

/** R is the result of `helper`: if it is negative, the core's short path runs the whole instruction; otherwise `done` follows. */
function unlessDone(e: Emitter, at: Instruction, done: () => void, slow?: () => void): void {
  const { code } = e;
  code.get(R);
  code.i32Const(0);
  code.i32LtS();
  code.unlikelyIf();
  e.slowX87(at);
  slow?.();
  code.else();
  done();
  code.end();
}

/** R = `act`, if the number from `widen` is normal; otherwise -1. */
function ifNormal(e: Emitter, tested: boolean, act: () => void): void {
  const { code } = e;
  if (!tested) {
    act();
    code.set(R);
    return;
  }
  code.unlikelyIf();
  code.i32Const(-1);
  code.set(R);
  code.else();
  act();
  code.set(R);
  code.end();
}

/** register = a op b. */
function arithmetic(e: Emitter, at: Instruction, register: number, op: number, a: Float, b: Float, tested: boolean): void {
  const { code } = e;
  e.locate(register);
  ifNormal(e, tested, () => {
    e.place(register);
    code.i32Const(VCPU_FPU_REGS);
    code.i32Add();
    const reversed = op === 5 || op === 7;
    push(e, reversed ? b : a);
    push(e, reversed ? a : b, op === 4 || op === 5);
    code.callHelper(op === 1 ? X87_MULTIPLY : op >= 6 ? X87_DIVIDE : X87_ADD);
  });
  unlessDone(e, at, () => e.setStatus(C1, () => code.get(R)));
  e.forgetCopy(register);
}

/** Compares ST(0) with b: conditions in the status word, or flags. */
function compare(e: Emitter, at: Instruction, a: Float, b: Float, tested: boolean): void {
  const { code } = e;
  ifNormal(e, tested, () => {
    push(e, a);
    push(e, b);
    code.callHelper(X87_RELATION);
  });
  /** The bits for an equal and for a less ST(0). */
  const bits = (equal: number, shift: number): void => {
    code.i32Const(equal);
    code.get(R);
    code.i32Const(1);
    code.i32ShrU();
    code.i32Const(shift);
    code.i32Shl();
    code.get(R);
    code.i32Eqz();
    code.select();
  };
  if (!setsFlags(at)) {
    unlessDone(e, at, () => e.setStatus(CONDITIONS, () => bits(0x4000, 8)));
    return;
  }
  unlessDone(
    e,
    at,
    () => {
      bits(0x40, 0);
      code.i64ExtendI32U();
      code.set(X);
    },
    () => {
      code.get(VCPU);
      code.i64Load32U(FL_BITS);
      code.set(X);
    },
  );
  e.setFlags(Kind.GIVEN, 3, undefined, undefined, () => code.get(X));
}

/** Pushes the number that `value` puts into the locals passed to it; like `widen` it may push an i32, and then returns true. */
function load(e: Emitter, at: Instruction, value: (to: Float) => boolean): void {
  const { code } = e;
  const register = e.stackRegister(7);
  const to = e.copyOf(register);
  e.locate(register);
  const done = (): void => {
    e.toRegister(register, to);
    e.setStatus(C1);
  };
  if (!value(to)) {
    done();
    return;
  }
  code.unlikelyIf();
  e.slowX87(at);
  e.place(register);
  code.i64Load(VCPU_FPU_REGS);
  code.set(to.sig);
  e.place(register);
  code.i32Load16U(VCPU_FPU_REGS + 8);
  code.set(to.se);
  code.else();
  done();
  code.end();
}

const STORED: ReadonlyMap<number, number> = new Map([
  [WAY_STORE_SINGLE, 32],
  [WAY_STORE_DOUBLE, 64],
  [WAY_STORE_INT16, 128 + 16],
  [WAY_STORE_INT32, 128 + 32],
  [WAY_STORE_INT64, 128 + 64],
]);

function store(e: Emitter, at: Instruction, { way, reg }: X87Form, from: Float): void {
  const { code } = e;
  if (way === WAY_STORE_EXTENDED) {
    e.host();
    code.get(from.sig);
    code.i64Store(e.at);
    e.host();
    code.get(from.se);
    code.i32Store16(e.at + 8);
    e.setStatus(C1);
    return;
  }
  e.host();
  code.i32Const(e.at);
  code.i32Add();
  push(e, from);
  code.i32Const(STORED.get(way)!);
  code.i32Const(Number(reg === 1));
  code.callHelper(X87_STORE);
  code.set(R);
  unlessDone(e, at, () => e.setStatus(C1, () => code.get(R)));
}

function body(e: Emitter, at: Instruction, form: X87Form): void {
  const { code } = e;
  const { way, reg, i, modrm } = form;
  const top = e.stackRegister(0);
  const other = e.stackRegister(i);
  switch (way) {
    case WAY_TO_TOP:
    case WAY_TO_REGISTER:
    case WAY_TO_REGISTER_POP:
      arithmetic(e, at, way === WAY_TO_TOP ? top : other, reg, e.number(top), e.number(other), false);
      return;
    case WAY_WITH_SINGLE:
    case WAY_WITH_DOUBLE:
    case WAY_WITH_INT16:
    case WAY_WITH_INT32: {
      const a = e.number(top);
      e.locate(top);
      arithmetic(e, at, top, reg, a, WIDE, widen(e, way, WIDE));
      return;
    }
    case WAY_COMPARE:
    case WAY_COMPARE_POP:
    case WAY_COMPARE_POP2:
    case WAY_COMPARE_FLAGS:
    case WAY_COMPARE_FLAGS_POP:
      compare(e, at, e.number(top), e.number(other), false);
      return;
    case WAY_COMPARE_SINGLE:
    case WAY_COMPARE_DOUBLE: {
      const a = e.number(top);
      compare(e, at, a, WIDE, widen(e, way, WIDE));
      return;
    }
    case WAY_LOAD_SINGLE:
    case WAY_LOAD_DOUBLE:
    case WAY_LOAD_EXTENDED:
    case WAY_LOAD_INT16:
    case WAY_LOAD_INT32:
    case WAY_LOAD_INT64:
      load(e, at, (to) => widen(e, way, to));
      return;
    case WAY_ONE:
    case WAY_ZERO:
      load(e, at, ({ sig, se }) => {
        code.i64Const(way === WAY_ONE ? INTEGER_BIT : 0);
        code.set(sig);
        code.i32Const(way === WAY_ONE ? BIAS : 0);
        code.set(se);
        return false;
      });
      return;
    case WAY_PUSH: {
      const from = e.number(other);
      const to = e.stackRegister(7);
      e.toRegister(to, from);
      e.shareCopy(other, to);
      e.setStatus(C1);
      return;
    }
    case WAY_EXCHANGE:
      if (i !== 0) {
        const a = e.number(top);
        const b = e.number(other);
        e.toRegister(top, b);
        e.toRegister(other, a);
        e.swapCopies(top, other);
      }
      e.setStatus(C1);
      return;
    case WAY_MOVE:
      if (i !== 0) {
        e.toRegister(other, e.number(top));
        e.shareCopy(top, other);
      }
      e.setStatus(C1);
      return;
    case WAY_SIGN: {
      const from = e.number(top);
      e.place(top);
      code.get(from.se);
      code.i32Const(modrm & 7 ? 0x7fff : 0x8000);
      if (modrm & 7) code.i32And();
      else code.i32Xor();
      code.i32Store16(VCPU_FPU_REGS + 8);
      e.forgetCopy(top);
      e.setStatus(C1);
      return;
    }
    case WAY_ROOT: {
      const from = e.number(top);
      e.place(top);
      code.i32Const(VCPU_FPU_REGS);
      code.i32Add();
      push(e, from);
      code.callHelper(X87_ROOT);
      code.set(R);
      unlessDone(e, at, () => e.setStatus(C1, () => code.get(R)));
      e.forgetCopy(top);
      return;
    }
    default:
      store(e, at, form, e.number(top));
  }
}

/** An instruction of a run that has started. */
export function x87(e: Emitter, at: Instruction): void {
  const form = x87Form(at);
  if (x87Operand(at) !== undefined) {
    e.operand(at);
    e.address(at, true);
    e.code.set(VA);
  }
  body(e, at, form);
  e.doneX87(at, form);
}
