/**
 * The decoder: bytes -> records. One-byte opcode map (SDM 2D appendix A); decode-0f.ts has the two-byte map.
 * Not decoded: VEX, EVEX, XOP (not advertised): #UD with a log line.
 */
import { VCPU_GPR } from '../abi/index';
import { decodeTwoByte } from './decode-0f';
import {
  ALU_CMP, aluOp, extend, FORM_MI, FORM_MR, FORM_RI, FORM_RM, FORM_RR, FORM_RX, generic, lockIfMemory, moveImmediate, moveToReg, moveToRm, movOp, plain,
  targetReg, targetRm, targetRmImmediate,
} from './decode-common';
import { decodeFpu } from './decode-ext';
import { finishFlags, joinWithBranch, startFlags } from './decode-flags';
import {
  absoluteOperand, addressSize, beginInstruction, beginRecords, branchTarget, code, codeStart, documented, emit, emitEffective, emitMemory, ends, endInstruction,
  endsBlock, failed, fetch16, fetch32, fetch64, fetch8, firstRecord, gpr, immediateZ, inLong, invalid, isIndexed, isMemory, lockable, locked, memoryAccess,
  operandSegment, opSize, prefix66, readModrm, readPrefixes, recordsEnd, reg, repeat, restartRecords, rex, rm, segment, setAux, setCode, setDst, setExtra, setImm,
  setOpSize, setSrc, signed8, stackSize,
} from './decode-state';
import {
  OP_AAA, OP_AAD, OP_AAM, OP_AAS, OP_ARPL, OP_BOUND, OP_CALL64, OP_CALL_G, OP_CALL_M64, OP_CALL_R64, OP_CALL_RM, OP_CALLF, OP_CALLF_M, OP_CBW, OP_CDQ, OP_CDQE,
  OP_CLI, OP_CQO, OP_CWD, OP_CWDE, OP_DAA, OP_DAS, OP_DEC_M8, OP_DEC_R8, OP_DIV, OP_ENTER, OP_FALL, OP_FLAG, OP_HLT, OP_IDIV, OP_IMUL1, OP_IMUL16,
  OP_IMUL_RMI32, OP_IMUL_RRI32, OP_IN, OP_INC_M8, OP_INC_R8, OP_INT, OP_INTO, OP_IRET, OP_J0, OP_JCC_G, OP_JMP, OP_JMP_G, OP_JMP_M64, OP_JMP_R64, OP_JMP_RM,
  OP_JMPF, OP_JMPF_M, OP_LAHF, OP_LEA16, OP_LEA_M32, OP_LEA_M64, OP_LEA_X32, OP_LEA_X64, OP_LEAVE, OP_LEAVE64, OP_LOAD_FAR, OP_LOOP, OP_MOV_FROM_SEG,
  OP_MOV_RI8, OP_MOV_RM8, OP_MOV_RR32, OP_MOV_MR8, OP_MOV_TO_SEG, OP_MOVSX_32_64_R, OP_MUL, OP_NEG_M8, OP_NEG_R8, OP_NOP, OP_NOT_M8, OP_NOT_R8, OP_OUT,
  OP_POP_M, OP_POP_R, OP_POP_R64, OP_POP_SEG, OP_POPA, OP_POPF, OP_PUSH_I, OP_PUSH_I64, OP_PUSH_M, OP_PUSH_R, OP_PUSH_R64, OP_PUSH_SEG, OP_PUSHA, OP_PUSHF,
  OP_RET64, OP_RET_G, OP_RETF, OP_ROL_RC32, OP_ROL_RC64, OP_ROL_RI32, OP_ROL_RI64, OP_ROR_RC32, OP_ROR_RC64, OP_ROR_RI32, OP_ROR_RI64, OP_SAHF, OP_SAR_RC32,
  OP_SAR_RC64, OP_SAR_RI32, OP_SAR_RI64, OP_SHIFT, OP_SHL_RC32, OP_SHL_RC64, OP_SHL_RI32, OP_SHL_RI64, OP_SHR_RC32, OP_SHR_RC64, OP_SHR_RI32, OP_SHR_RI64,
  OP_STI, OP_STRING, OP_STRING_IO, OP_TEST_MI8, OP_TEST_MR8, OP_TEST_RI8, OP_TEST_RR8, OP_TOO_LONG, OP_UNDEFINED, OP_XCHG, OP_XCHG_RR32, OP_XCHG_RR64, OP_XLAT,
} from './generated/ops';
import { AUX_ASIZE_SHIFT, AUX_MEMORY, AUX_REP, AUX_REPNE, R_AFTER, R_LEN, R_OFF, R_SCALE, RECORD_SIZE } from './record';

export { recordsEnd } from './decode-state';

export const DECODE_OK: i32 = 0;
/** An invalid instruction, decoded to a record that raises #UD. */
export const DECODE_BAD: i32 = 1;
/** Longer than 15 bytes, decoded to a record that raises #GP. */
export const DECODE_TOO_LONG: i32 = 2;

export let decodedLength: i32 = 0;
/** The last instruction ends its block. */
export let decodedEnds: bool = false;

export function startDecoding(first: usize, key: u32): void {
  beginRecords(first, key);
  startFlags();
}

/** Decodes one instruction from `at` (16 readable bytes), which lies at offset `off` of its page and is number `number` of its block. */
export function decodeInstruction(at: usize, off: u32, number: i32): i32 {
  beginInstruction(at, off, number);
  const opcode = readPrefixes();
  if (code - codeStart <= 15) decodeOneByte(opcode);
  let status = DECODE_OK;
  if (code - codeStart > 15) {
    status = DECODE_TOO_LONG;
    restartRecords();
    emit(OP_TOO_LONG);
    setCode(codeStart + 15);
    endsBlock();
  } else if (failed || (locked && !lockable)) {
    status = DECODE_BAD;
    restartRecords();
    const r = emit(OP_UNDEFINED);
    setImm(r, documented || !failed ? 0 : 1);
    memory.copy(r + 24, codeStart, 8);
    endsBlock();
  }
  endInstruction();
  decodedLength = <i32>(code - codeStart);
  decodedEnds = ends;
  finishFlags(firstRecord, recordsEnd);
  return status;
}

/** Ends the block of `count` instructions: adds the record that goes on behind it, and numbers the records from the end. */
export function finishBlock(first: usize, count: i32, off: u32, ended: bool): void {
  const last = recordsEnd;
  if (!ended) {
    const r = emit(OP_FALL);
    store<u16>(r, <u16>off, R_OFF);
    store<u8>(r, 0, R_LEN);
  }
  for (let r = first; r < last; r += RECORD_SIZE) store<u8>(r, <u8>(count - <i32>load<u8>(r, R_AFTER)), R_AFTER);
}

function decodeOneByte(opcode: u32): void {
  if (opcode < 0x40) {
    decodeAlu(opcode);
    return;
  }
  const size = opcode & 1 ? opSize : 0;
  switch (opcode & 0xf8) {
    case 0x40: incDec(OP_INC_R8, opcode); return;
    case 0x48: incDec(OP_DEC_R8, opcode); return;
    case 0x50: pushRegister(opcode & 7); return;
    case 0x58: popRegister(opcode & 7); return;
    case 0x60:
    case 0x68: decode60(opcode); return;
    case 0x70:
    case 0x78: jcc(opcode & 15, signed8()); return;
    case 0x80: decode80(opcode, size); return;
    case 0x88: decode88(opcode, size); return;
    case 0x90: exchange(opcode & 7); return;
    case 0x98: decode98(opcode); return;
    case 0xa0:
    case 0xa8: decodeA0(opcode, size); return;
    case 0xb0: moveByte(opcode & 7); return;
    case 0xb8: moveWide(opcode & 7); return;
    case 0xc0: decodeC0(opcode, size); return;
    case 0xc8: decodeC8(opcode); return;
    case 0xd0: decodeD0(opcode, size); return;
    case 0xd8: decodeFpu(opcode); return;
    case 0xe0: decodeE0(opcode); return;
    case 0xe8: decodeE8(opcode); return;
    default: decodeF0(opcode, size); return;
  }
}

function decodeAlu(opcode: u32): void {
  const kind = <i32>(opcode >> 3);
  const size = opcode & 1 ? opSize : 0;
  switch (opcode & 7) {
    case 0:
    case 1:
      readModrm();
      if (kind != ALU_CMP) lockIfMemory();
      targetRm(aluOp(kind, FORM_RR, size), aluOp(kind, FORM_MR, size), size, kind != ALU_CMP);
      return;
    case 2:
    case 3:
      readModrm();
      targetReg(aluOp(kind, FORM_RR, size), aluOp(kind, FORM_RM, size), aluOp(kind, FORM_RX, size), size);
      return;
    case 4:
    case 5: {
      const r = emit(aluOp(kind, FORM_RI, size));
      setDst(r, VCPU_GPR);
      setImm(r, immediateZ(size));
      return;
    }
    default: decodeLow(opcode); return;
  }
}

/** PUSH and POP of ES CS SS DS, decimal adjust, 0F. */
function decodeLow(opcode: u32): void {
  if (opcode == 0x0f) {
    decodeTwoByte();
    return;
  }
  if (inLong) {
    invalid(true);
    return;
  }
  switch (opcode) {
    case 0x27: plain(OP_DAA); return;
    case 0x2f: plain(OP_DAS); return;
    case 0x37: plain(OP_AAA); return;
    case 0x3f: plain(OP_AAS); return;
    default:
      if (opcode & 1) {
        plain(OP_POP_SEG, <i64>(opcode >> 3));
        endsBlock();
      } else plain(OP_PUSH_SEG, <i64>(opcode >> 3));
  }
}

function incDec(op: i32, opcode: u32): void {
  const r = emit(op + opSize);
  setDst(r, gpr(opcode & 7, opSize));
}

function pushRegister(number: u32): void {
  const size = stackSize();
  const r = emit(size == 3 ? OP_PUSH_R64 : OP_PUSH_R);
  setAux(r, <u32>size);
  setSrc(r, gpr(number | ((rex & 1) << 3), size));
}
function popRegister(number: u32): void {
  const size = stackSize();
  const r = emit(size == 3 ? OP_POP_R64 : OP_POP_R);
  setAux(r, <u32>size);
  setDst(r, gpr(number | ((rex & 1) << 3), size));
}

function pushImmediate(value: i64): void {
  const size = stackSize();
  const r = emit(size == 3 ? OP_PUSH_I64 : OP_PUSH_I);
  setAux(r, <u32>size);
  setImm(r, value);
}

function multiplyImmediate(narrow: bool): void {
  readModrm();
  if (opSize == 1) {
    const r = generic(OP_IMUL16, 1, false);
    setImm(r, narrow ? signed8() : immediateZ(1));
    setExtra(r, 1);
    return;
  }
  const r = targetReg(OP_IMUL_RRI32 + opSize - 2, OP_IMUL_RMI32 + opSize - 2, OP_IMUL_RMI32 + opSize - 2, opSize);
  setImm(r, narrow ? signed8() : immediateZ(opSize));
}

function decode60(opcode: u32): void {
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
      if (!isMemory) invalid(false);
      else {
        generic(OP_BOUND, opSize, false);
        memoryAccess(2 << opSize, false);
      }
      return;
    case 0x63: decode63(); return;
    case 0x68: pushImmediate(inLong && prefix66 && !(rex & 8) ? immediateZ(1) : immediateZ(opSize)); return;
    case 0x69: multiplyImmediate(false); return;
    case 0x6a: pushImmediate(signed8()); return;
    case 0x6b: multiplyImmediate(true); return;
    case 0x6c:
    case 0x6d:
    case 0x6e:
    case 0x6f: stringRecord(OP_STRING_IO, opcode); return;
    default: invalid(true);
  }
}

function decode63(): void {
  readModrm();
  if (!inLong) {
    generic(OP_ARPL, 1, true);
    return;
  }
  if (opSize < 3) {
    moveToReg(opSize);
    return;
  }
  const r = isMemory ? emitMemory(OP_MOVSX_32_64_R + (isIndexed() ? 2 : 1)) : emit(OP_MOVSX_32_64_R);
  setDst(r, gpr(reg, 3));
  if (!isMemory) setSrc(r, gpr(rm, 2));
  memoryAccess(4, false);
}

function decode80(opcode: u32, size: i32): void {
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
    targetRm(OP_TEST_RR8 + size, OP_TEST_MR8 + size, size, false);
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

function decode88(opcode: u32, size: i32): void {
  readModrm();
  switch (opcode) {
    case 0x88:
    case 0x89: moveToRm(size); return;
    case 0x8a:
    case 0x8b: moveToReg(size); return;
    case 0x8c: {
      if ((reg & 7) > 5) {
        invalid(true);
        return;
      }
      const r = generic(OP_MOV_FROM_SEG, isMemory ? 1 : opSize, true);
      setImm(r, <i64>(reg & 7));
      return;
    }
    case 0x8d: loadEffective(); return;
    case 0x8e: {
      if ((reg & 7) > 5 || (reg & 7) == 1) {
        invalid(true);
        return;
      }
      const r = generic(OP_MOV_TO_SEG, 1, false);
      setImm(r, <i64>(reg & 7));
      endsBlock();
      return;
    }
    default: {
      if ((reg & 7) != 0) {
        invalid(false);
        return;
      }
      const pop = stackSize();
      const r = generic(OP_POP_M, pop, true);
      setImm(r, 0);
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
  setAux(r, <u32>opSize | (<u32>addressSize << AUX_ASIZE_SHIFT));
}

function exchange(number: u32): void {
  const other = number | ((rex & 1) << 3);
  if (other == 0) {
    emit(OP_NOP); // NOP, PAUSE
    return;
  }
  const r = emit(opSize == 3 ? OP_XCHG_RR64 : opSize == 2 ? OP_XCHG_RR32 : OP_XCHG);
  setAux(r, <u32>opSize);
  setDst(r, VCPU_GPR);
  setSrc(r, gpr(other, opSize));
}

function decode98(opcode: u32): void {
  switch (opcode) {
    case 0x98: plain(opSize == 3 ? OP_CDQE : opSize == 2 ? OP_CWDE : OP_CBW); return;
    case 0x99: plain(opSize == 3 ? OP_CQO : opSize == 2 ? OP_CDQ : OP_CWD); return;
    case 0x9a: {
      if (inLong) {
        invalid(true);
        return;
      }
      const offset: i64 = opSize == 1 ? <i64>fetch16() : <i64>fetch32();
      plain(OP_CALLF, offset, fetch16());
      endsBlock();
      return;
    }
    case 0x9b: decodeFpu(opcode); return;
    case 0x9c: plain(OP_PUSHF); return;
    case 0x9d: plain(OP_POPF); endsBlock(); return;
    case 0x9e: plain(OP_SAHF); return;
    default: plain(OP_LAHF);
  }
}

function decodeA0(opcode: u32, size: i32): void {
  if (opcode < 0xa4) {
    absoluteOperand();
    const r = emitMemory(movOp(opcode < 0xa2 ? OP_MOV_RM8 : OP_MOV_MR8, size));
    if (opcode < 0xa2) setDst(r, VCPU_GPR);
    else setSrc(r, VCPU_GPR);
    memoryAccess(1 << size, opcode >= 0xa2);
  } else if (opcode == 0xa8 || opcode == 0xa9) {
    const r = emit(OP_TEST_RI8 + size);
    setDst(r, VCPU_GPR);
    setImm(r, immediateZ(size));
  } else stringRecord(OP_STRING, opcode);
}

/** R_EXTRA: the opcode without its size bit. R_SCALE: the source segment. */
function stringRecord(op: i32, opcode: u32): void {
  const r = emit(op);
  const size = opcode & 1 ? (op == OP_STRING_IO && opSize == 3 ? 2 : opSize) : 0;
  const rep: u32 = repeat == 0xf3 ? AUX_REP : repeat == 0xf2 ? AUX_REPNE : 0;
  setAux(r, <u32>size | rep | (<u32>addressSize << AUX_ASIZE_SHIFT));
  setExtra(r, opcode & 0xfe);
  store<u8>(r, <u8>(segment >= 0 ? segment : 3), R_SCALE);
  endsBlock();
}

function moveByte(number: u32): void {
  const r = emit(OP_MOV_RI8);
  setDst(r, gpr(number | ((rex & 1) << 3), 0));
  setImm(r, <i64>fetch8());
}
function moveWide(number: u32): void {
  const r = emit(movOp(OP_MOV_RI8, opSize));
  setDst(r, gpr(number | ((rex & 1) << 3), opSize));
  setImm(r, opSize == 3 ? <i64>fetch64() : immediateZ(opSize));
}

function decodeC0(opcode: u32, size: i32): void {
  switch (opcode) {
    case 0xc0:
    case 0xc1: {
      readModrm();
      shift(size, 0);
      return;
    }
    case 0xc2: nearReturn(<i64>fetch16()); return;
    case 0xc3: nearReturn(0); return;
    case 0xc4:
    case 0xc5:
      if (inLong) invalid(false);
      else {
        readModrm();
        if (isMemory) farPointer(opcode == 0xc4 ? 0 : 3);
        else invalid(false);
      }
      return;
    default: {
      readModrm();
      if ((reg & 7) != 0) {
        invalid(false);
        return;
      }
      const r = moveImmediate(size);
      setImm(r, immediateZ(size));
    }
  }
}

/** LES LDS LSS LFS LGS. */
export function farPointer(seg: u32): void {
  const r = generic(OP_LOAD_FAR, opSize, false);
  memoryAccess((1 << opSize) + 2, false);
  setImm(r, <i64>seg);
  endsBlock();
}

function nearReturn(pop: i64): void {
  const size = stackSize();
  const r = emit(inLong ? OP_RET64 : OP_RET_G);
  setAux(r, <u32>size);
  setImm(r, pop);
  endsBlock();
}

/** Shift group; source of the count: 0 immediate, 1 one, 2 CL. */
function shift(size: i32, source: i32): void {
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

function decodeC8(opcode: u32): void {
  switch (opcode) {
    case 0xc8: {
      const bytes = fetch16();
      const r = plain(OP_ENTER, <i64>bytes, fetch8() & 31);
      setAux(r, 0);
      store<u8>(r, <u8>stackSize(), 15);
      return;
    }
    case 0xc9: {
      const size = stackSize();
      const r = emit(size == 3 ? OP_LEAVE64 : OP_LEAVE);
      setAux(r, <u32>size);
      return;
    }
    case 0xca: plain(OP_RETF, <i64>fetch16()); endsBlock(); return;
    case 0xcb: plain(OP_RETF, 0); endsBlock(); return;
    case 0xcc: plain(OP_INT, 3, 1); endsBlock(); return;
    case 0xcd: plain(OP_INT, <i64>fetch8(), 0); endsBlock(); return;
    case 0xce:
      if (inLong) invalid(true);
      else plain(OP_INTO);
      endsBlock();
      return;
    default: plain(OP_IRET); endsBlock();
  }
}

function decodeD0(opcode: u32, size: i32): void {
  if (opcode < 0xd4) {
    readModrm();
    shift(size, opcode < 0xd2 ? 1 : 2);
    return;
  }
  if (opcode == 0xd7) {
    const r = plain(OP_XLAT, 0, <u32>(segment >= 0 ? segment : 3));
    setAux(r, <u32>addressSize << AUX_ASIZE_SHIFT);
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

/** Near branches: 16-bit operand size wraps IP and goes out of line. In 64-bit mode 66 is ignored (as Intel processors do). */
function quickBranch(): bool {
  return inLong || opSize == 2;
}

export function jcc(condition: u32, relative: i64): void {
  if (quickBranch()) {
    const r = emit(OP_J0 + <i32>condition);
    branchTarget(r, relative);
    joinWithBranch(r, condition);
  } else {
    const r = plain(OP_JCC_G, <i64>condition);
    branchTarget(r, relative);
  }
  endsBlock();
}

function nearBranch(quick: i32, slow: i32, relative: i64): void {
  const r = quickBranch() && (quick == OP_JMP || inLong) ? emit(quick) : plain(slow);
  branchTarget(r, relative);
  endsBlock();
}

/** rel16 or rel32. */
export function relativeZ(): i64 {
  return inLong || opSize == 2 ? <i64><i32>fetch32() : <i64><i16>fetch16();
}

function decodeE0(opcode: u32): void {
  if (opcode < 0xe4) {
    const relative = signed8();
    const r = plain(OP_LOOP, <i64>(opcode & 3));
    if (inLong) {
      store<u8>(r, 3, 15);
    }
    setAux(r, <u32>addressSize << AUX_ASIZE_SHIFT);
    branchTarget(r, relative);
  } else portRecord(opcode, <i64>fetch8());
  endsBlock();
}

function portRecord(opcode: u32, port: i64): void {
  const r = plain(opcode & 2 ? OP_OUT : OP_IN, port);
  store<u8>(r, opcode & 1 ? (opSize == 1 ? 1 : 2) : 0, 15);
}

function decodeE8(opcode: u32): void {
  switch (opcode) {
    case 0xe8: nearBranch(OP_CALL64, OP_CALL_G, relativeZ()); return;
    case 0xe9: nearBranch(OP_JMP, OP_JMP_G, relativeZ()); return;
    case 0xea: {
      if (inLong) {
        invalid(true);
        return;
      }
      const offset: i64 = opSize == 1 ? <i64>fetch16() : <i64>fetch32();
      plain(OP_JMPF, offset, fetch16());
      endsBlock();
      return;
    }
    case 0xeb: nearBranch(OP_JMP, OP_JMP_G, signed8()); return;
    default: portRecord(opcode, -1); endsBlock();
  }
}

function decodeF0(opcode: u32, size: i32): void {
  switch (opcode) {
    case 0xf1: plain(OP_INT, 1, 2); endsBlock(); return;
    case 0xf4: plain(OP_HLT); endsBlock(); return;
    case 0xf5: plain(OP_FLAG, 0); return; // CMC
    case 0xf6:
    case 0xf7: readModrm(); group3(size); return;
    case 0xf8: plain(OP_FLAG, 1); return; // CLC
    case 0xf9: plain(OP_FLAG, 2); return; // STC
    case 0xfa: plain(OP_CLI); return;
    case 0xfb: plain(OP_STI); endsBlock(); return;
    case 0xfc: plain(OP_FLAG, 3); return; // CLD
    case 0xfd: plain(OP_FLAG, 4); return; // STD
    case 0xfe:
      readModrm();
      if ((reg & 7) > 1) invalid(false);
      else unary((reg & 7) == 0 ? OP_INC_R8 : OP_DEC_R8, (reg & 7) == 0 ? OP_INC_M8 : OP_DEC_M8, size);
      return;
    default: readModrm(); group5();
  }
}

function unary(opRegister: i32, opMemory: i32, size: i32): void {
  lockIfMemory();
  targetRmImmediate(opRegister + size, opMemory + size, size, true);
}

function group3(size: i32): void {
  switch (reg & 7) {
    case 0:
    case 1: {
      const r = targetRmImmediate(OP_TEST_RI8 + size, OP_TEST_MI8 + size, size, false);
      setImm(r, immediateZ(size));
      return;
    }
    case 2: unary(OP_NOT_R8, OP_NOT_M8, size); return;
    case 3: unary(OP_NEG_R8, OP_NEG_M8, size); return;
    case 4: generic(OP_MUL, size, false); return;
    case 5: generic(OP_IMUL1, size, false); return;
    case 6: generic(OP_DIV, size, false); return;
    default: generic(OP_IDIV, size, false);
  }
}

function group5(): void {
  const kind = reg & 7;
  if (kind < 2) {
    unary(kind == 0 ? OP_INC_R8 : OP_DEC_R8, kind == 0 ? OP_INC_M8 : OP_DEC_M8, opSize);
    return;
  }
  if (kind == 6) {
    const size = stackSize();
    if (!isMemory && size == 3) {
      const r = emit(OP_PUSH_R64);
      setSrc(r, gpr(rm, 3));
    } else generic(OP_PUSH_M, size, false);
    return;
  }
  if (kind == 7) {
    invalid(true);
    return;
  }
  endsBlock();
  if (kind == 3 || kind == 5) {
    if (!isMemory) {
      invalid(true);
      return;
    }
    generic(kind == 3 ? OP_CALLF_M : OP_JMPF_M, opSize, false);
    memoryAccess((1 << opSize) + 2, false);
    return;
  }
  if (inLong) {
    if (isMemory) emitMemory(kind == 2 ? OP_CALL_M64 : OP_JMP_M64);
    else setSrc(emit(kind == 2 ? OP_CALL_R64 : OP_JMP_R64), gpr(rm, 3));
  } else generic(kind == 2 ? OP_CALL_RM : OP_JMP_RM, opSize, false);
}
