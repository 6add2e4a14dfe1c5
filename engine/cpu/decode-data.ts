/** One-byte opcodes that move data: PUSH, POP, MOV, LEA, XCHG, IMUL with immediate, string instructions. */
import { SEG_DS, VCPU_GPR } from '../abi/index';
import {
  extendRecord,
  generic,
  lockIfMemory,
  moveToReg,
  moveToRm,
  plain,
  targetReg,
  targetRm,
  targetRmImmediate,
  uncheckedMemory,
} from './decode-common';
import {
  absoluteOperand,
  addressSize,
  emit,
  emitEffective,
  emitMemory,
  endsBlock,
  fetch8,
  fetch64,
  flatStack,
  gpr,
  immediateZ,
  inLong,
  invalid,
  isIndexed,
  isMemory,
  memoryAccess,
  opSize,
  prefix66,
  readModrm,
  reg,
  repeat,
  rex,
  rm,
  segment,
  setAux,
  setDst,
  setImm,
  setSrc,
  signed8,
  stackSize,
} from './decode-state';
import { ALU_CMP, aluOp, FORM_MI, FORM_MR, FORM_RI, FORM_RM, FORM_RR, moveOp, multiplyOp, testOp } from './generated/lookups';
import {
  OP_ARPL,
  OP_BOUND,
  OP_IMUL16,
  OP_LEA_M32,
  OP_LEA_M64,
  OP_LEA_X32,
  OP_LEA_X64,
  OP_LEA16,
  OP_MOV_FROM_SEG,
  OP_MOV_TO_SEG,
  OP_NOP,
  OP_POP_M,
  OP_POP_R,
  OP_POP_R32,
  OP_POP_R64,
  OP_POPA,
  OP_PUSH_I,
  OP_PUSH_I32,
  OP_PUSH_I64,
  OP_PUSH_R,
  OP_PUSH_R32,
  OP_PUSH_R64,
  OP_PUSHA,
  OP_STRING,
  OP_STRING_IO,
  OP_XCHG,
  OP_XCHG_RR32,
  OP_XCHG_RR64,
} from './generated/ops';
import { AUX_ASIZE_SHIFT, AUX_REP, AUX_REPNE, setKind, setNumber, setStringSegment } from './record';

export function pushRegister(number: u32): void {
  const size = stackSize();
  const r = emit(size == 3 ? OP_PUSH_R64 : flatStack() ? OP_PUSH_R32 : OP_PUSH_R);
  setAux(r, <u32>size);
  setSrc(r, gpr(number | ((rex & 1) << 3), size));
}
export function popRegister(number: u32): void {
  const size = stackSize();
  const r = emit(size == 3 ? OP_POP_R64 : flatStack() ? OP_POP_R32 : OP_POP_R);
  setAux(r, <u32>size);
  setDst(r, gpr(number | ((rex & 1) << 3), size));
}

function pushImmediate(value: i64): void {
  const size = stackSize();
  const r = emit(size == 3 ? OP_PUSH_I64 : flatStack() ? OP_PUSH_I32 : OP_PUSH_I);
  setAux(r, <u32>size);
  setImm(r, value);
}

function multiplyImmediate(narrow: bool): void {
  readModrm();
  if (opSize == 1) {
    const r = generic(OP_IMUL16, 1, false);
    setImm(r, narrow ? signed8() : immediateZ(1));
    setKind(r, 1);
    return;
  }
  const r = targetReg(multiplyOp(1, 0, opSize), multiplyOp(1, 1, opSize), multiplyOp(1, 1, opSize), opSize);
  setImm(r, narrow ? signed8() : immediateZ(opSize));
}

export function decode60(opcode: u32): void {
  switch (opcode) {
    case 0x60:
    case 0x61:
      if (inLong) invalid(true);
      else plain(opcode == 0x60 ? OP_PUSHA : OP_POPA);
      return;
    case 0x62:
      if (inLong) {
        invalid(false);
        return;
      }
      readModrm();
      if (isMemory) uncheckedMemory(OP_BOUND, opSize);
      else invalid(false);
      return;
    case 0x63:
      decode63();
      return;
    case 0x68:
      pushImmediate(inLong && prefix66 && !(rex & 8) ? immediateZ(1) : immediateZ(opSize));
      return;
    case 0x69:
      multiplyImmediate(false);
      return;
    case 0x6a:
      pushImmediate(signed8());
      return;
    case 0x6b:
      multiplyImmediate(true);
      return;
    case 0x6c:
    case 0x6d:
    case 0x6e:
    case 0x6f:
      stringRecord(OP_STRING_IO, opcode);
      return;
    default:
      invalid(true);
  }
}

function decode63(): void {
  readModrm();
  if (!inLong) {
    if (isMemory) uncheckedMemory(OP_ARPL, 1);
    else generic(OP_ARPL, 1, true);
    return;
  }
  if (opSize < 3) {
    moveToReg(opSize);
    return;
  }
  setDst(extendRecord(true, 2, 3), gpr(reg, 3));
}

export function decode80(opcode: u32, size: i32): void {
  if (opcode >= 0x86) {
    readModrm();
    lockIfMemory();
    if (!isMemory && size >= 2) {
      const r = emit(size == 2 ? OP_XCHG_RR32 : OP_XCHG_RR64);
      setDst(r, gpr(rm, size));
      setSrc(r, gpr(reg, size));
    } else generic(OP_XCHG, size, true);
    return;
  }
  readModrm();
  if (opcode >= 0x84) {
    targetRm(testOp(FORM_RR, size), testOp(FORM_MR, size), size, false);
    return;
  }
  if (opcode == 0x82 && inLong) {
    invalid(true);
    return;
  }
  const kind = <i32>(reg & 7);
  if (kind != ALU_CMP) lockIfMemory();
  const r = targetRmImmediate(aluOp(kind, FORM_RI, size), aluOp(kind, FORM_MI, size), size, kind != ALU_CMP);
  setImm(r, opcode == 0x81 ? immediateZ(size) : signed8());
}

export function decode88(opcode: u32, size: i32): void {
  readModrm();
  switch (opcode) {
    case 0x88:
    case 0x89:
      moveToRm(size);
      return;
    case 0x8a:
    case 0x8b:
      moveToReg(size);
      return;
    case 0x8c: {
      if ((reg & 7) > 5) {
        invalid(true);
        return;
      }
      setNumber(generic(OP_MOV_FROM_SEG, isMemory ? 1 : opSize, true), reg & 7);
      return;
    }
    case 0x8d:
      loadEffective();
      return;
    case 0x8e: {
      if ((reg & 7) > 5 || (reg & 7) == 1) {
        invalid(true);
        return;
      }
      setNumber(generic(OP_MOV_TO_SEG, 1, false), reg & 7);
      endsBlock();
      return;
    }
    default: {
      if ((reg & 7) != 0) {
        invalid(false);
        return;
      }
      const pop = stackSize();
      if (inLong || !isMemory) generic(OP_POP_M, pop, true);
      else uncheckedMemory(OP_POP_M, pop);
    }
  }
}

function loadEffective(): void {
  if (!isMemory) {
    invalid(true);
    return;
  }
  let op = OP_LEA16;
  if (opSize == 3 && addressSize == 3) op = isIndexed() ? OP_LEA_X64 : OP_LEA_M64;
  else if (opSize >= 2 && addressSize >= 2) op = isIndexed() ? OP_LEA_X32 : OP_LEA_M32;
  const r = emitEffective(op);
  setDst(r, gpr(reg, opSize));
  setAux(r, <u32>opSize | ((<u32>addressSize) << AUX_ASIZE_SHIFT));
}

export function exchange(number: u32): void {
  const other = number | ((rex & 1) << 3);
  if (other == 0 || (number == 0 && repeat == 0xf3)) {
    emit(OP_NOP); // NOP; F3: PAUSE whatever REX.B says
    return;
  }
  const r = emit(opSize == 3 ? OP_XCHG_RR64 : opSize == 2 ? OP_XCHG_RR32 : OP_XCHG);
  setAux(r, <u32>opSize);
  setDst(r, VCPU_GPR);
  setSrc(r, gpr(other, opSize));
}

export function decodeA0(opcode: u32, size: i32): void {
  if (opcode < 0xa4) {
    absoluteOperand();
    const r = emitMemory(moveOp(opcode < 0xa2 ? FORM_RM : FORM_MR, size));
    if (opcode < 0xa2) setDst(r, VCPU_GPR);
    else setSrc(r, VCPU_GPR);
    memoryAccess(1 << size, opcode >= 0xa2);
  } else if (opcode == 0xa8 || opcode == 0xa9) {
    const r = emit(testOp(FORM_RI, size));
    setDst(r, VCPU_GPR);
    setImm(r, immediateZ(size));
  } else stringRecord(OP_STRING, opcode);
}

/** R_KIND: the opcode without its size bit. */
function stringRecord(op: i32, opcode: u32): void {
  const r = emit(op);
  const size = opcode & 1 ? (op == OP_STRING_IO && opSize == 3 ? 2 : opSize) : 0;
  const rep: u32 = repeat == 0xf3 ? AUX_REP : repeat == 0xf2 ? AUX_REPNE : 0;
  setAux(r, <u32>size | rep | ((<u32>addressSize) << AUX_ASIZE_SHIFT));
  setKind(r, opcode & 0xfe);
  setStringSegment(r, segment >= 0 ? segment : SEG_DS);
  endsBlock();
}

export function moveByte(number: u32): void {
  const r = emit(moveOp(FORM_RI, 0));
  setDst(r, gpr(number | ((rex & 1) << 3), 0));
  setImm(r, <i64>fetch8());
}
export function moveWide(number: u32): void {
  const r = emit(moveOp(FORM_RI, opSize));
  setDst(r, gpr(number | ((rex & 1) << 3), opSize));
  setImm(r, opSize == 3 ? <i64>fetch64() : immediateZ(opSize));
}
