/** Pieces that both opcode maps use. */
import {
  addressSize, allowLock, emit, emitEffective, emitMemory, gpr, inLong, isIndexed, isMemory, memoryAccess, operandSegment, opSize, reg, rm, setAux, setDst, setExtra, setImm, setSrc,
} from './decode-state';
import {
  OP_ADD_RI8, OP_ADD_RR8, OP_MOV_MI8, OP_MOV_MR8, OP_MOV_RI8, OP_MOV_RM8, OP_MOV_RR16, OP_MOV_RR8, OP_MOV_RX8, OP_MOV_XR8, OP_MOVSX_16_32_R, OP_MOVSX_16_64_R,
  OP_MOVSX_8_16_R, OP_MOVSX_8_32_R, OP_MOVSX_8_64_R, OP_MOVZX_16_32_R, OP_MOVZX_8_16_R, OP_MOVZX_8_32_R,
} from './generated/ops';
import { AUX_MEMORY } from './record';

/** Handler numbers of a family run [operation][form][size]. */
export const FORM_RR: i32 = 0;
export const FORM_RI: i32 = 1;
export const FORM_RM: i32 = 2;
export const FORM_RX: i32 = 3;
export const FORM_MR: i32 = 4;
export const FORM_MI: i32 = 5;
export const ALU_CMP: i32 = 7;
const ALU_FORM: i32 = OP_ADD_RI8 - OP_ADD_RR8;
const ALU_KIND: i32 = ALU_FORM * 6;
const MOV_SIZE: i32 = OP_MOV_RR16 - OP_MOV_RR8;

@inline export function aluOp(kind: i32, form: i32, size: i32): i32 {
  return OP_ADD_RR8 + kind * ALU_KIND + form * ALU_FORM + size;
}
@inline export function movOp(form8: i32, size: i32): i32 {
  return form8 + size * MOV_SIZE;
}

/** Record of an out-of-line handler: R_DST the reg operand, R_SRC or the address the rm operand, its size in R_AUX. */
export function generic(op: i32, size: i32, writes: bool): usize {
  const r = isMemory ? emitMemory(op) : emit(op);
  setAux(r, <u32>size);
  setDst(r, gpr(reg, size));
  if (!isMemory) setSrc(r, gpr(rm, size));
  memoryAccess(1 << size, writes);
  return r;
}

/** Outside 64-bit mode: the handler itself makes the segment's checks, with `uncheckedVa`. R_IMM: 2, segment << 8, log2 of the address size << 16. */
export function uncheckedMemory(op: i32, size: i32): usize {
  const r = emitEffective(op);
  setAux(r, <u32>size | AUX_MEMORY);
  setDst(r, gpr(reg, size));
  setImm(r, 2 | (<i64>operandSegment() << 8) | (<i64>addressSize << 16));
  return r;
}

/** Record whose target is the rm operand and whose source is the reg operand. */
export function targetRm(opRegister: i32, opMemory: i32, size: i32, writes: bool): usize {
  const r = isMemory ? emitMemory(opMemory) : emit(opRegister);
  setSrc(r, gpr(reg, size));
  if (!isMemory) setDst(r, gpr(rm, size));
  memoryAccess(1 << size, writes);
  return r;
}

/** Record whose target is the reg operand and whose source is the rm operand. */
export function targetReg(opRegister: i32, opMemory: i32, opIndexed: i32, size: i32): usize {
  const r = isMemory ? emitMemory(isIndexed() ? opIndexed : opMemory) : emit(opRegister);
  setDst(r, gpr(reg, size));
  if (!isMemory) setSrc(r, gpr(rm, size));
  memoryAccess(1 << size, false);
  return r;
}

/** Operation on the rm operand and an immediate. */
export function targetRmImmediate(opRegister: i32, opMemory: i32, size: i32, writes: bool): usize {
  const r = isMemory ? emitMemory(opMemory) : emit(opRegister);
  if (!isMemory) setDst(r, gpr(rm, size));
  memoryAccess(1 << size, writes);
  return r;
}

export function moveToRm(size: i32): void {
  if (isMemory && !isIndexed()) targetRm(movOp(OP_MOV_RR8, size), movOp(OP_MOV_MR8, size), size, true);
  else targetRm(movOp(OP_MOV_RR8, size), movOp(OP_MOV_XR8, size), size, true);
}
export function moveToReg(size: i32): void {
  targetReg(movOp(OP_MOV_RR8, size), movOp(OP_MOV_RM8, size), movOp(OP_MOV_RX8, size), size);
}
export function moveImmediate(size: i32): usize {
  return targetRmImmediate(movOp(OP_MOV_RI8, size), movOp(OP_MOV_MI8, size), size, true);
}

/** MOVZX, MOVSX from 8 or 16 bits. */
export function extend(signedMove: bool, from: i32): void {
  let op: i32;
  if (signedMove) {
    if (from == 0) op = opSize == 1 ? OP_MOVSX_8_16_R : opSize == 2 ? OP_MOVSX_8_32_R : OP_MOVSX_8_64_R;
    else op = opSize == 1 ? OP_MOV_RR16 : opSize == 2 ? OP_MOVSX_16_32_R : OP_MOVSX_16_64_R;
  } else if (from == 0) op = opSize == 1 ? OP_MOVZX_8_16_R : OP_MOVZX_8_32_R;
  else op = opSize == 1 ? OP_MOV_RR16 : OP_MOVZX_16_32_R;
  if (op == OP_MOV_RR16) {
    moveToReg(1);
    return;
  }
  const r = isMemory ? emitMemory(isIndexed() ? op + 2 : op + 1) : emit(op);
  setDst(r, gpr(reg, opSize));
  if (!isMemory) setSrc(r, gpr(rm, from));
  memoryAccess(1 << from, false);
}

/** An out-of-line instruction without ModRM: `a` in R_IMM, `b` in R_EXTRA, operand size in R_AUX. */
export function plain(op: i32, a: i64 = 0, b: u32 = 0): usize {
  const r = emit(op);
  setAux(r, <u32>opSize);
  setImm(r, a);
  setExtra(r, b);
  return r;
}

export function lockIfMemory(): void {
  if (isMemory) allowLock();
}
export function notInLong(): bool {
  return !inLong;
}
