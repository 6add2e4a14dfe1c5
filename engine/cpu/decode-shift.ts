/** Shift and unary groups: C0, C1, D0-D3, F6, F7, FE. */
import { SEG_DS } from '../abi/index';
import { generic, lockIfMemory, numbered, plain, targetRmImmediate, withImmediate } from './decode-common';
import {
  addressSize,
  emit,
  fetch8,
  gpr,
  immediateZ,
  inLong,
  invalid,
  isMemory,
  readModrm,
  reg,
  rm,
  segment,
  setAux,
  setDst,
  setImm,
  setSrc,
} from './decode-state';
import { FORM_MI, FORM_RI, shiftOp, testOp, UNARY_NEG, UNARY_NOT, unaryOp } from './generated/lookups';
import { OP_AAD, OP_AAM, OP_DIV, OP_FLAG, OP_IDIV, OP_IMUL1, OP_MOV_RR32, OP_MUL, OP_NOP, OP_SHIFT, OP_XLAT } from './generated/ops';
import { AUX_ASIZE_SHIFT, setKind, setSegmentWord } from './record';

/** Shift group; source of the count: 0 immediate, 1 one, 2 CL. */
export function shift(size: i32, source: i32): void {
  const kind = reg & 7;
  const count: i64 = source == 0 ? 0 : source == 1 ? 1 : -1;
  if (!isMemory && size >= 2 && kind != 2 && kind != 3) {
    quickShift(kind, size, source);
    return;
  }
  const r = generic(OP_SHIFT, size, true);
  setKind(r, kind);
  setImm(r, source == 0 ? <i64>fetch8() : count);
}

function quickShift(kind: u32, size: i32, source: i32): void {
  const wide = size == 3;
  const count = source == 0 ? fetch8() & (wide ? 63 : 31) : 1;
  let op: i32 = OP_NOP;
  if (source == 2) op = shiftOp(<i32>kind, 1, size);
  else if (count != 0) op = shiftOp(<i32>kind, 0, size);
  else if (!wide) op = OP_MOV_RR32; // a count of 0 clears the upper half all the same
  const r = emit(op);
  setDst(r, gpr(rm, size));
  if (op == OP_MOV_RR32) setSrc(r, gpr(rm, size));
  setImm(r, <i64>count);
}

export function decodeD0(opcode: u32, size: i32): void {
  if (opcode < 0xd4) {
    readModrm();
    shift(size, opcode < 0xd2 ? 1 : 2);
    return;
  }
  if (opcode == 0xd7) {
    const r = plain(OP_XLAT);
    setSegmentWord(r, <u32>(segment >= 0 ? segment : SEG_DS));
    setAux(r, (<u32>addressSize) << AUX_ASIZE_SHIFT);
    return;
  }
  if (inLong) {
    invalid(true);
    return;
  }
  if (opcode == 0xd4) withImmediate(OP_AAM, <i64>fetch8());
  else if (opcode == 0xd5) withImmediate(OP_AAD, <i64>fetch8());
  else numbered(OP_FLAG, 6); // SALC
}

/** INC DEC NEG NOT of the rm operand. */
export function unary(kind: i32, size: i32): void {
  lockIfMemory();
  targetRmImmediate(unaryOp(kind, 0, size), unaryOp(kind, 1, size), size, true);
}

export function group3(size: i32): void {
  switch (reg & 7) {
    case 0:
    case 1: {
      const r = targetRmImmediate(testOp(FORM_RI, size), testOp(FORM_MI, size), size, false);
      setImm(r, immediateZ(size));
      return;
    }
    case 2:
      unary(UNARY_NOT, size);
      return;
    case 3:
      unary(UNARY_NEG, size);
      return;
    case 4:
      generic(OP_MUL, size, false);
      return;
    case 5:
      generic(OP_IMUL1, size, false);
      return;
    case 6:
      generic(OP_DIV, size, false);
      return;
    default:
      generic(OP_IDIV, size, false);
  }
}
