/** Shift and unary groups: C0, C1, D0-D3, F6, F7, FE. */
import { generic, lockIfMemory, plain, targetRmImmediate } from './decode-common';
import {
  addressSize, emit, fetch8, gpr, immediateZ, inLong, invalid, isMemory, readModrm, reg, rm, segment, setAux, setDst, setExtra, setImm,
  setSrc,
} from './decode-state';
import {
  OP_AAD, OP_AAM, OP_DIV, OP_FLAG, OP_IDIV, OP_IMUL1, OP_MOV_RR32, OP_MUL, OP_NEG_M8, OP_NEG_R8, OP_NOP, OP_NOT_M8, OP_NOT_R8,
  OP_ROL_RC32, OP_ROL_RC64, OP_ROL_RI32, OP_ROL_RI64, OP_ROR_RC32, OP_ROR_RC64, OP_ROR_RI32, OP_ROR_RI64, OP_SAR_RC32, OP_SAR_RC64,
  OP_SAR_RI32, OP_SAR_RI64, OP_SHIFT, OP_SHL_RC32, OP_SHL_RC64, OP_SHL_RI32, OP_SHL_RI64, OP_SHR_RC32, OP_SHR_RC64, OP_SHR_RI32,
  OP_SHR_RI64, OP_TEST_MI8, OP_TEST_RI8, OP_XLAT,
} from './generated/ops';
import { AUX_ASIZE_SHIFT } from './record';

/** Shift group; source of the count: 0 immediate, 1 one, 2 CL. */
export function shift(size: i32, source: i32): void {
  const kind = reg & 7;
  const count: i64 = source == 0 ? 0 : source == 1 ? 1 : -1;
  if (!isMemory && size >= 2 && kind != 2 && kind != 3) {
    quickShift(kind, size, source);
    return;
  }
  const r = generic(OP_SHIFT, size, true);
  setExtra(r, kind);
  setImm(r, source == 0 ? <i64>fetch8() : count);
}

function quickShift(kind: u32, size: i32, source: i32): void {
  const wide = size == 3;
  const count = source == 0 ? fetch8() & (wide ? 63 : 31) : 1;
  let op: i32 = OP_NOP;
  if (source == 2) {
    if (kind == 0) op = wide ? OP_ROL_RC64 : OP_ROL_RC32;
    else if (kind == 1) op = wide ? OP_ROR_RC64 : OP_ROR_RC32;
    else if (kind == 5) op = wide ? OP_SHR_RC64 : OP_SHR_RC32;
    else if (kind == 7) op = wide ? OP_SAR_RC64 : OP_SAR_RC32;
    else op = wide ? OP_SHL_RC64 : OP_SHL_RC32;
  } else if (count != 0) {
    if (kind == 0) op = wide ? OP_ROL_RI64 : OP_ROL_RI32;
    else if (kind == 1) op = wide ? OP_ROR_RI64 : OP_ROR_RI32;
    else if (kind == 5) op = wide ? OP_SHR_RI64 : OP_SHR_RI32;
    else if (kind == 7) op = wide ? OP_SAR_RI64 : OP_SAR_RI32;
    else op = wide ? OP_SHL_RI64 : OP_SHL_RI32;
  } else if (!wide) op = OP_MOV_RR32; // a count of 0 clears the upper half all the same
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
    const r = plain(OP_XLAT, 0, <u32>(segment >= 0 ? segment : 3));
    setAux(r, (<u32>addressSize) << AUX_ASIZE_SHIFT);
    return;
  }
  if (inLong) {
    invalid(true);
    return;
  }
  if (opcode == 0xd4) plain(OP_AAM, <i64>fetch8());
  else if (opcode == 0xd5) plain(OP_AAD, <i64>fetch8());
  else plain(OP_FLAG, 6); // SALC
}

export function unary(opRegister: i32, opMemory: i32, size: i32): void {
  lockIfMemory();
  targetRmImmediate(opRegister + size, opMemory + size, size, true);
}

export function group3(size: i32): void {
  switch (reg & 7) {
    case 0:
    case 1: {
      const r = targetRmImmediate(OP_TEST_RI8 + size, OP_TEST_MI8 + size, size, false);
      setImm(r, immediateZ(size));
      return;
    }
    case 2:
      unary(OP_NOT_R8, OP_NOT_M8, size);
      return;
    case 3:
      unary(OP_NEG_R8, OP_NEG_M8, size);
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
