/** Pieces that both opcode maps use. */
import {
  addressSize,
  allowLock,
  emit,
  emitEffective,
  emitMemory,
  fetch16,
  fetch32,
  gpr,
  isIndexed,
  isMemory,
  memoryAccess,
  operandSegment,
  opSize,
  reg,
  rm,
  setAux,
  setDst,
  setImm,
  setSrc,
} from './decode-state';
import {
  EXTEND_M,
  EXTEND_R,
  EXTEND_X,
  extendOp,
  FORM_MI,
  FORM_MR,
  FORM_RI,
  FORM_RM,
  FORM_RR,
  FORM_RX,
  FORM_XR,
  moveOp,
} from './generated/lookups';
import { AUX_MEMORY, setFarPointer, setNumber, setWhere, WHERE_SEGMENT } from './record';

/** Record of an out-of-line handler: R_DST the reg operand, R_SRC or the address the rm operand, its size in R_AUX. */
export function generic(op: i32, size: i32, writes: bool): usize {
  const r = isMemory ? emitMemory(op) : emit(op);
  setAux(r, <u32>size);
  setDst(r, gpr(reg, size));
  if (!isMemory) setSrc(r, gpr(rm, size));
  memoryAccess(1 << size, writes);
  return r;
}

/** Outside 64-bit mode: the handler makes the segment checks itself, with `uncheckedVa`. */
export function uncheckedMemory(op: i32, size: i32): usize {
  const r = emitEffective(op);
  setAux(r, <u32>size | AUX_MEMORY);
  setDst(r, gpr(reg, size));
  setWhere(r, WHERE_SEGMENT | ((<u32>operandSegment()) << 8) | ((<u32>addressSize) << 16));
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
  targetRm(moveOp(FORM_RR, size), moveOp(isIndexed() ? FORM_XR : FORM_MR, size), size, true);
}
export function moveToReg(size: i32): void {
  targetReg(moveOp(FORM_RR, size), moveOp(FORM_RM, size), moveOp(FORM_RX, size), size);
}
export function moveImmediate(size: i32): usize {
  return targetRmImmediate(moveOp(FORM_RI, size), moveOp(FORM_MI, size), size, true);
}

/** MOVZX, MOVSX from 8 or 16 bits. A 64-bit MOVZX is a 32-bit one, and from 16 bits to 16 it is MOV. */
export function extend(signedMove: bool, from: i32): void {
  const to = signedMove || opSize < 3 ? opSize : 2;
  if (to == from) {
    moveToReg(to);
    return;
  }
  const r = extendRecord(signedMove, from, to);
  setDst(r, gpr(reg, opSize));
}

/** The record of MOVZX or MOVSX; the source is the rm operand. */
export function extendRecord(signedMove: bool, from: i32, to: i32): usize {
  const form = !isMemory ? EXTEND_R : isIndexed() ? EXTEND_X : EXTEND_M;
  const op = extendOp(i32(signedMove), from, to, form);
  const r = isMemory ? emitMemory(op) : emit(op);
  if (!isMemory) setSrc(r, gpr(rm, from));
  memoryAccess(1 << from, false);
  return r;
}

/** An out-of-line instruction without ModRM: operand size in R_AUX. */
export function plain(op: i32): usize {
  const r = emit(op);
  setAux(r, <u32>opSize);
  return r;
}
/** The same with an immediate. */
export function withImmediate(op: i32, value: i64): usize {
  const r = plain(op);
  setImm(r, value);
  return r;
}
/** The same with a number: that of a segment or control register, of an interrupt, or of a variant within a group. */
export function numbered(op: i32, number: u32): usize {
  const r = plain(op);
  setNumber(r, number);
  return r;
}
/** The same with a far pointer after the opcode. */
export function farImmediate(op: i32): void {
  const offset: i64 = opSize == 1 ? <i64>fetch16() : <i64>fetch32();
  setFarPointer(plain(op), fetch16(), offset);
}

export function lockIfMemory(): void {
  if (isMemory) allowLock();
}
