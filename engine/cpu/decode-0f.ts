/** Two-byte opcode map (0F), SDM 2D table A-3. Prefetches, hint NOPs (ENDBR64 is one) and the fences are NOPs. */

import { extend, generic, lockIfMemory, numbered, plain, targetReg, uncheckedMemory } from './decode-common';
import { farPointer, jcc, relativeZ } from './decode-control';
import {
  addressSize,
  allowLock,
  emit,
  endsBlock,
  fetch8,
  gpr,
  inLong,
  invalid,
  isMemory,
  memoryAccess,
  mod,
  opSize,
  prefix66,
  readModrm,
  reg,
  repeat,
  rex,
  rm,
  setAux,
  setDst,
  setImm,
  setSrc,
  stackSize,
} from './decode-state';
import { decode30, group6, group7, leaving, loadRights, moveControl } from './decode-system';
import { cmovOp, multiplyOp } from './generated/lookups';
import {
  OP_BIT,
  OP_BSF,
  OP_BSR,
  OP_BSWAP16,
  OP_BSWAP32,
  OP_BSWAP64,
  OP_CLTS,
  OP_CMOV16,
  OP_CMPXCHG,
  OP_CMPXCHG8B,
  OP_CMPXCHG16B,
  OP_CPUID,
  OP_IMUL16,
  OP_LAR,
  OP_LSL,
  OP_NOP,
  OP_POP_SEG,
  OP_POPCNT,
  OP_PUSH_SEG,
  OP_RDRAND,
  OP_SETCC_M,
  OP_SETCC_R,
  OP_SHLD,
  OP_SHRD,
  OP_SYSCALL,
  OP_SYSRET,
  OP_WBINVD,
  OP_XADD,
} from './generated/ops';
import { setAuxSize, setCondition, setKind, setWhere, WHERE_WRAPS } from './record';
import { decodeSaveGroup, decodeSimdMap } from './simd/decode';

export function decodeTwoByte(): void {
  const opcode = fetch8();
  switch (opcode >> 4) {
    case 0x0:
      decode00(opcode);
      return;
    case 0x1:
      if (opcode >= 0x18) hintNop();
      else decodeSimdMap(opcode);
      return;
    case 0x2:
      if (opcode < 0x24) moveControl(opcode);
      else if (opcode < 0x28)
        invalid(true); // test registers, of the 486
      else decodeSimdMap(opcode);
      return;
    case 0x3:
      decode30(opcode);
      return;
    case 0x4:
      conditionalMove(opcode & 15);
      return;
    case 0x8:
      jcc(opcode & 15, relativeZ());
      return;
    case 0x9:
      setOnCondition(opcode & 15);
      return;
    case 0xa:
      decodeA0(opcode);
      return;
    case 0xb:
      decodeB0(opcode);
      return;
    case 0xc:
      decodeC0(opcode);
      return;
    default:
      if (opcode == 0xff) undefinedModrm();
      else decodeSimdMap(opcode);
  }
}

/** UD0, UD1: #UD with a ModRM byte. */
function undefinedModrm(): void {
  readModrm();
  invalid(true);
}

function hintNop(): void {
  readModrm();
  emit(OP_NOP);
}

function decode00(opcode: u32): void {
  switch (opcode) {
    case 0x00:
      readModrm();
      group6();
      return;
    case 0x01:
      readModrm();
      group7();
      return;
    case 0x02:
      readModrm();
      loadRights(OP_LAR);
      return;
    case 0x03:
      readModrm();
      loadRights(OP_LSL);
      return;
    case 0x05:
      leaving(OP_SYSCALL);
      return;
    case 0x06:
      leaving(OP_CLTS);
      return;
    case 0x07:
      leaving(OP_SYSRET);
      return;
    case 0x08:
    case 0x09:
      leaving(OP_WBINVD);
      return;
    case 0x0b:
      invalid(true);
      return;
    case 0x0d:
      hintNop();
      return; // PREFETCHW
    default:
      invalid(false);
  }
}

function conditionalMove(condition: u32): void {
  readModrm();
  const size = opSize;
  const r = size == 1 ? generic(OP_CMOV16, 1, false) : targetReg(cmovOp(0, size), cmovOp(1, size), cmovOp(1, size), size);
  setCondition(r, condition);
}

function setOnCondition(condition: u32): void {
  readModrm();
  let r: usize;
  if (isMemory) r = generic(OP_SETCC_M, 0, true);
  else {
    r = emit(OP_SETCC_R);
    setDst(r, gpr(rm, 0));
  }
  setCondition(r, condition);
}

/** R_KIND: 0 BT 1 BTS 2 BTR 3 BTC, + 4: the bit number is the reg operand (and may reach beyond a memory operand). */
function bitTest(kind: u32, byRegister: bool): void {
  if (kind != 0) lockIfMemory();
  if (byRegister && isMemory && !inLong) {
    // The word that holds the bit decides the segment checks.
    setKind(uncheckedMemory(OP_BIT, opSize), kind | 4);
    return;
  }
  const r = generic(OP_BIT, opSize, kind != 0);
  setKind(r, kind | (byRegister ? 4 : 0));
  if (!byRegister) setImm(r, <i64>fetch8());
  else if (addressSize < 3) setWhere(r, WHERE_WRAPS);
}

function doubleShift(op: i32, byCl: bool): void {
  readModrm();
  const r = generic(op, opSize, true);
  setImm(r, byCl ? -1 : <i64>fetch8());
}

function segmentOnStack(op: i32, seg: u32): void {
  setAuxSize(numbered(op, seg), stackSize());
  if (op == OP_POP_SEG) endsBlock();
}

function decodeA0(opcode: u32): void {
  switch (opcode) {
    case 0xa0:
      segmentOnStack(OP_PUSH_SEG, 4);
      return;
    case 0xa1:
      segmentOnStack(OP_POP_SEG, 4);
      return;
    case 0xa8:
      segmentOnStack(OP_PUSH_SEG, 5);
      return;
    case 0xa9:
      segmentOnStack(OP_POP_SEG, 5);
      return;
    case 0xa2:
      plain(OP_CPUID);
      return;
    case 0xa3:
      readModrm();
      bitTest(0, true);
      return;
    case 0xab:
      readModrm();
      bitTest(1, true);
      return;
    case 0xa4:
      doubleShift(OP_SHLD, false);
      return;
    case 0xa5:
      doubleShift(OP_SHLD, true);
      return;
    case 0xac:
      doubleShift(OP_SHRD, false);
      return;
    case 0xad:
      doubleShift(OP_SHRD, true);
      return;
    case 0xae:
      group15();
      return;
    case 0xaf: {
      readModrm();
      if (opSize == 1) {
        generic(OP_IMUL16, 1, false);
      } else targetReg(multiplyOp(0, 0, opSize), multiplyOp(0, 1, opSize), multiplyOp(0, 1, opSize), opSize);
      return;
    }
    default:
      invalid(true); // RSM (0F AA) outside SMM is #UD
  }
}

/** LFENCE MFENCE SFENCE; the rest saves and restores FPU and SSE state. */
function group15(): void {
  readModrm();
  if (isMemory) decodeSaveGroup();
  else if ((reg & 7) >= 5 && repeat == 0 && !prefix66) emit(OP_NOP);
  else invalid(false);
}

function decodeB0(opcode: u32): void {
  switch (opcode) {
    case 0xb0:
    case 0xb1:
      readModrm();
      lockIfMemory();
      generic(OP_CMPXCHG, opcode & 1 ? opSize : 0, true);
      return;
    case 0xb2:
      loadPointer(2);
      return;
    case 0xb3:
      readModrm();
      bitTest(2, true);
      return;
    case 0xb4:
      loadPointer(4);
      return;
    case 0xb5:
      loadPointer(5);
      return;
    case 0xb6:
      readModrm();
      extend(false, 0);
      return;
    case 0xb7:
      readModrm();
      extend(false, 1);
      return;
    case 0xb8:
      readModrm();
      if (repeat == 0xf3) generic(OP_POPCNT, opSize, false);
      else invalid(false); // JMPE of Itanium
      return;
    case 0xb9:
      undefinedModrm();
      return;
    case 0xba:
      readModrm();
      if ((reg & 7) < 4) invalid(true);
      else bitTest(reg & 3, false);
      return;
    case 0xbb:
      readModrm();
      bitTest(3, true);
      return;
    case 0xbc:
      readModrm();
      generic(OP_BSF, opSize, false);
      return; // F3 (TZCNT) is ignored without BMI1
    case 0xbd:
      readModrm();
      generic(OP_BSR, opSize, false);
      return;
    case 0xbe:
      readModrm();
      extend(true, 0);
      return;
    default:
      readModrm();
      extend(true, 1);
  }
}

function loadPointer(seg: u32): void {
  readModrm();
  if (isMemory) farPointer(seg);
  else invalid(true);
}

function decodeC0(opcode: u32): void {
  if (opcode >= 0xc8) {
    const number = (opcode & 7) | ((rex & 1) << 3);
    const r = emit(opSize == 3 ? OP_BSWAP64 : opSize == 2 ? OP_BSWAP32 : OP_BSWAP16);
    setDst(r, gpr(number, opSize));
    return;
  }
  if (opcode < 0xc2) {
    readModrm();
    lockIfMemory();
    generic(OP_XADD, opcode & 1 ? opSize : 0, true);
    return;
  }
  if (opcode != 0xc7) {
    decodeSimdMap(opcode);
    return;
  }
  readModrm();
  if (isMemory && (reg & 7) == 1) {
    allowLock();
    const wide = opSize == 3;
    generic(wide ? OP_CMPXCHG16B : OP_CMPXCHG8B, 3, true);
    memoryAccess(wide ? 16 : 8, true);
  } else if (!isMemory && (reg & 7) == 6 && mod == 3) {
    const r = plain(OP_RDRAND);
    setDst(r, gpr(rm, opSize));
    setSrc(r, gpr(rm, opSize));
    setAux(r, <u32>opSize);
  } else invalid(false);
}
