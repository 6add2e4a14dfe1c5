/**
 * The decoder: bytes -> records. One-byte opcode map (SDM 2D appendix A); decode-0f.ts has the two-byte map.
 * Not decoded: VEX, EVEX, XOP (not advertised): #UD with a log line.
 */
import { SEG_DS, VCPU_GPR } from '../abi/index';
import { SVM_EXIT_INVLPG } from '../abi/svm';
import { decodeTwoByte } from './decode-0f';
import { farImmediate, lockIfMemory, moveImmediate, numbered, plain, targetReg, targetRm } from './decode-common';
import { decodeC8, decodeE0, decodeE8, farPointer, group5, jcc, nearReturn } from './decode-control';
import { decode60, decode80, decode88, decodeA0, exchange, moveByte, moveWide, popRegister, pushRegister } from './decode-data';
import { decodeFpu } from './decode-ext';
import { finishFlags, startFlags } from './decode-flags';
import { decodeD0, group3, shift, unary } from './decode-shift';
import {
  addressSize,
  beginInstruction,
  beginRecords,
  code,
  codeStart,
  documented,
  emit,
  endInstruction,
  ends,
  endsBlock,
  failed,
  fetch16,
  firstRecord,
  gpr,
  immediateZ,
  inLong,
  invalid,
  isMemory,
  lockable,
  locked,
  moveRecordsEnd,
  opSize,
  readModrm,
  readPrefixes,
  recordsEnd,
  reg,
  repeat,
  restartRecords,
  segment,
  setCode,
  setDst,
  setImm,
  signed8,
} from './decode-state';
import { ALU_CMP, aluOp, FORM_MR, FORM_RI, FORM_RM, FORM_RR, FORM_RX, UNARY_DEC, UNARY_INC, unaryOp } from './generated/lookups';
import {
  OP_AAA,
  OP_AAS,
  OP_CALLF,
  OP_CBW,
  OP_CDQ,
  OP_CDQE,
  OP_CLI,
  OP_CQO,
  OP_CWD,
  OP_CWDE,
  OP_DAA,
  OP_DAS,
  OP_FALL,
  OP_FLAG,
  OP_HLT,
  OP_INT,
  OP_LAHF,
  OP_NOP,
  OP_POP_SEG,
  OP_POPF,
  OP_PUSH_SEG,
  OP_PUSHF,
  OP_SAHF,
  OP_STI,
  OP_TOO_LONG,
  OP_UNDEFINED,
} from './generated/ops';
import { countFromEnd, opOf, RECORD_SIZE, setBytes, setKind, setLogged, setPlace } from './record';

import { guardFor, NO_GUARD, putGuard } from './svm/guard';
import { KEY_GUEST } from './why';

export { recordsEnd } from './decode-state';

export const DECODE_OK: i32 = 0;
/** An invalid instruction, decoded to a record that raises #UD. */
export const DECODE_BAD: i32 = 1;
/** Longer than 15 bytes, decoded to a record that raises #GP. */
export const DECODE_TOO_LONG: i32 = 2;

export let decodedLength: i32 = 0;
/** The last instruction ends its block. */
export let decodedEnds: bool = false;

let guarded: bool = false;

export function startDecoding(first: usize, key: u32): void {
  guarded = (key & KEY_GUEST) != 0;
  beginRecords(first, key);
  startFlags();
}

/** Decodes one instruction from `at` (16 readable bytes), at offset `off` of its page, number `number` of its block. */
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
    setLogged(r, failed && !documented);
    setBytes(r, codeStart);
    endsBlock();
  }
  endInstruction();
  if (guarded && status == DECODE_OK) guardLast(opcode);
  decodedLength = <i32>(code - codeStart);
  decodedEnds = ends;
  finishFlags(firstRecord, recordsEnd);
  return status;
}

/** In guest mode: puts a guard before the instruction if its host can intercept it. The guard of INVLPG needs the address first. */
function guardLast(opcode: u32): void {
  const main = recordsEnd - RECORD_SIZE;
  const last = <u32>load<u8>(code - 1);
  const exit = guardFor(main, last, opcode == 0x90 && repeat == 0xf3);
  if (exit == NO_GUARD) return;
  const at = exit == SVM_EXIT_INVLPG ? main : firstRecord;
  memory.copy(at + RECORD_SIZE, at, recordsEnd - at);
  moveRecordsEnd(RECORD_SIZE);
  putGuard(at, main + RECORD_SIZE, exit, last, addressSize, segment >= 0 ? segment : SEG_DS);
}

/**
 * Leaves out the record of a NOP with which the block of records from `first` begins, such as the ENDBR64 or the room for a tracer's call at the
 * start of a function: nothing can stop between a block's entry and its second instruction. The NOP counts all the same.
 */
export function leaveOutIdle(first: usize): void {
  if (recordsEnd != first + RECORD_SIZE || opOf(first) != OP_NOP) return;
  moveRecordsEnd(-(<usize>RECORD_SIZE));
  startFlags();
}

/** Ends the block of `count` instructions: adds the record that continues after it, and numbers the records from the end. */
export function finishBlock(first: usize, count: i32, off: u32, ended: bool): void {
  const last = recordsEnd;
  if (!ended) {
    setPlace(emit(OP_FALL), 0, off, 0);
  }
  for (let r = first; r < last; r += RECORD_SIZE) countFromEnd(r, count);
}

function decodeOneByte(opcode: u32): void {
  if (opcode < 0x40) {
    decodeAlu(opcode);
    return;
  }
  const size = opcode & 1 ? opSize : 0;
  switch (opcode & 0xf8) {
    case 0x40:
      incDec(UNARY_INC, opcode);
      return;
    case 0x48:
      incDec(UNARY_DEC, opcode);
      return;
    case 0x50:
      pushRegister(opcode & 7);
      return;
    case 0x58:
      popRegister(opcode & 7);
      return;
    case 0x60:
    case 0x68:
      decode60(opcode);
      return;
    case 0x70:
    case 0x78:
      jcc(opcode & 15, signed8());
      return;
    case 0x80:
      decode80(opcode, size);
      return;
    case 0x88:
      decode88(opcode, size);
      return;
    case 0x90:
      exchange(opcode & 7);
      return;
    case 0x98:
      decode98(opcode);
      return;
    case 0xa0:
    case 0xa8:
      decodeA0(opcode, size);
      return;
    case 0xb0:
      moveByte(opcode & 7);
      return;
    case 0xb8:
      moveWide(opcode & 7);
      return;
    case 0xc0:
      decodeC0(opcode, size);
      return;
    case 0xc8:
      decodeC8(opcode);
      return;
    case 0xd0:
      decodeD0(opcode, size);
      return;
    case 0xd8:
      decodeFpu(opcode);
      return;
    case 0xe0:
      decodeE0(opcode);
      return;
    case 0xe8:
      decodeE8(opcode);
      return;
    default:
      decodeF0(opcode, size);
      return;
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
    default:
      decodeLow(opcode);
      return;
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
    case 0x27:
      plain(OP_DAA);
      return;
    case 0x2f:
      plain(OP_DAS);
      return;
    case 0x37:
      plain(OP_AAA);
      return;
    case 0x3f:
      plain(OP_AAS);
      return;
    default:
      if (opcode & 1) {
        numbered(OP_POP_SEG, opcode >> 3);
        endsBlock();
      } else numbered(OP_PUSH_SEG, opcode >> 3);
  }
}

function incDec(kind: i32, opcode: u32): void {
  const r = emit(unaryOp(kind, 0, opSize));
  setDst(r, gpr(opcode & 7, opSize));
}

function decode98(opcode: u32): void {
  switch (opcode) {
    case 0x98:
      plain(opSize == 3 ? OP_CDQE : opSize == 2 ? OP_CWDE : OP_CBW);
      return;
    case 0x99:
      plain(opSize == 3 ? OP_CQO : opSize == 2 ? OP_CDQ : OP_CWD);
      return;
    case 0x9a: {
      if (inLong) {
        invalid(true);
        return;
      }
      farImmediate(OP_CALLF);
      endsBlock();
      return;
    }
    case 0x9b:
      decodeFpu(opcode);
      return;
    case 0x9c:
      plain(OP_PUSHF);
      return;
    case 0x9d:
      plain(OP_POPF);
      endsBlock();
      return;
    case 0x9e:
      plain(OP_SAHF);
      return;
    default:
      plain(OP_LAHF);
  }
}

function decodeC0(opcode: u32, size: i32): void {
  switch (opcode) {
    case 0xc0:
    case 0xc1: {
      readModrm();
      shift(size, 0);
      return;
    }
    case 0xc2:
      nearReturn(<i64>fetch16());
      return;
    case 0xc3:
      nearReturn(0);
      return;
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

function decodeF0(opcode: u32, size: i32): void {
  switch (opcode) {
    case 0xf1:
      setKind(numbered(OP_INT, 1), 2);
      endsBlock();
      return;
    case 0xf4:
      plain(OP_HLT);
      endsBlock();
      return;
    case 0xf5:
      numbered(OP_FLAG, 0);
      return; // CMC
    case 0xf6:
    case 0xf7:
      readModrm();
      group3(size);
      return;
    case 0xf8:
      numbered(OP_FLAG, 1);
      return; // CLC
    case 0xf9:
      numbered(OP_FLAG, 2);
      return; // STC
    case 0xfa:
      plain(OP_CLI);
      return;
    case 0xfb:
      plain(OP_STI);
      endsBlock();
      return;
    case 0xfc:
      numbered(OP_FLAG, 3);
      return; // CLD
    case 0xfd:
      numbered(OP_FLAG, 4);
      return; // STD
    case 0xfe:
      readModrm();
      if ((reg & 7) > 1) invalid(false);
      else unary((reg & 7) == 0 ? UNARY_INC : UNARY_DEC, size);
      return;
    default:
      readModrm();
      group5();
  }
}
