/**
 * MMX and SSE to SSE3 in the 0F map (SDM 2D table A-3). Each form becomes one OP_SIMD record: R_DST the ModRM.reg register, R_SRC the rm
 * register (or the memory operand), as byte offsets of the vCPU record; R_SIMD as below. The maps 0F 38 and 0F 3A: decode-extended.ts.
 * Not decoded (not advertised): SSE4A, 3DNow!.
 */
import { VCPU_FPU_REGS, VCPU_GPR, VCPU_XMM } from '../../abi/index';
import {
  addressSize,
  emit,
  emitMemory,
  fetch8,
  inLong,
  invalid,
  isMemory,
  memoryAccess,
  operandSegment,
  prefix66,
  readModrm,
  reg,
  repeat,
  rex,
  rm,
  segment,
  setDst,
  setSrc,
} from '../decode-state';
import {
  OP_SIMD,
  OP_XMM_ARITHMETIC,
  OP_XMM_INTEGER,
  OP_XMM_LOAD,
  OP_XMM_LOAD_PART,
  OP_XMM_STORE,
  OP_XMM_STORE_PART,
} from '../generated/ops';
import { setSegmentWord, setSimdWord } from '../record';

/** R_SIMD: opcode in bits 0-7, prefix in 8-9, immediate in 16-23, then these; bytes of the memory operand in bits 32-39. */
export const SIMD_WIDE: u64 = 1 << 24; // REX.W
export const SIMD_MMX: u64 = 1 << 25; // touches MMX registers
export const SIMD_ALIGNED: u64 = 1 << 26; // memory must be aligned to its size
export const PREFIX_NONE: u32 = 0;
export const PREFIX_66: u32 = 1;
export const PREFIX_F3: u32 = 2;
export const PREFIX_F2: u32 = 3;

/** Description of a form: bytes of the memory operand, and these flags. 0: no instruction. */
const REG_MMX: u32 = 0x100;
const RM_MMX: u32 = 0x200;
const REG_GPR: u32 = 0x400;
export const RM_GPR: u32 = 0x800;
export const STORES: u32 = 0x1000;
export const UNALIGNED: u32 = 0x2000;
export const MEMORY_ONLY: u32 = 0x4000;
const REGISTER_ONLY: u32 = 0x8000;
export const IMMEDIATE: u32 = 0x10000;
export const MMX: u32 = REG_MMX | RM_MMX;

/** Packed single, packed double, scalar single, scalar double. */
function four(prefix: u32): u32 {
  return prefix < 2 ? 16 : prefix == PREFIX_F3 ? 4 : 8;
}
function two(prefix: u32, form: u32): u32 {
  return prefix < 2 ? form : 0;
}
/** MMX without prefix, XMM with 66. */
export function integer(prefix: u32): u32 {
  return prefix == 0 ? MMX | 8 : prefix == PREFIX_66 ? 16 : 0;
}

/** SSE3: packed double with 66, packed single with F2. */
function horizontalForm(prefix: u32): u32 {
  return prefix == PREFIX_66 || prefix == PREFIX_F2 ? 16 : 0;
}

function form10(opcode: u32, p: u32): u32 {
  switch (opcode) {
    case 0x10:
      return four(p) | UNALIGNED;
    case 0x11:
      return four(p) | UNALIGNED | STORES;
    case 0x12:
    case 0x16:
      if (p >= 2) return p == PREFIX_F3 ? 16 : opcode == 0x12 ? 8 : 0; // MOVSLDUP, MOVSHDUP, MOVDDUP
      return p == 0 ? 8 | UNALIGNED : 8 | MEMORY_ONLY;
    case 0x13:
    case 0x17:
      return two(p, 8 | MEMORY_ONLY | STORES);
    default:
      return two(p, 16); // 14, 15 UNPCK
  }
}

function form28(opcode: u32, p: u32, wide: u32): u32 {
  switch (opcode) {
    case 0x28:
      return two(p, 16);
    case 0x29:
      return two(p, 16 | STORES);
    case 0x2a:
      return p < 2 ? 8 | RM_MMX : wide | RM_GPR;
    case 0x2b:
      return two(p, 16 | MEMORY_ONLY | STORES);
    case 0x2c:
    case 0x2d:
      return p == 0 ? 8 | REG_MMX : p == 1 ? 16 | REG_MMX : p == PREFIX_F3 ? 4 | REG_GPR : 8 | REG_GPR;
    default:
      return p == 0 ? 4 : p == 1 ? 8 : 0; // 2E, 2F COMIS
  }
}

function form50(opcode: u32, p: u32): u32 {
  switch (opcode) {
    case 0x50:
      return two(p, 16 | REG_GPR | REGISTER_ONLY);
    case 0x52:
    case 0x53:
      return p == 0 ? 16 : p == PREFIX_F3 ? 4 : 0;
    case 0x54:
    case 0x55:
    case 0x56:
    case 0x57:
      return two(p, 16);
    case 0x5a:
      return p == 0 ? 8 : four(p);
    case 0x5b:
      return p == PREFIX_F2 ? 0 : 16;
    default:
      return four(p);
  }
}

function form60(opcode: u32, p: u32, wide: u32): u32 {
  if (opcode < 0x63) return p == 0 ? MMX | 4 : integer(p);
  if (opcode < 0x6c) return integer(p);
  if (opcode < 0x6e) return p == PREFIX_66 ? 16 : 0;
  if (opcode == 0x6e) return p == 0 ? wide | RM_GPR | REG_MMX : p == PREFIX_66 ? wide | RM_GPR : 0;
  return p == PREFIX_F3 ? 16 | UNALIGNED : integer(p);
}

function form70(opcode: u32, p: u32, wide: u32): u32 {
  switch (opcode) {
    case 0x70:
      return (p == 0 ? MMX | 8 : 16) | IMMEDIATE;
    case 0x71:
    case 0x72:
    case 0x73:
      return p < 2 ? integer(p) | IMMEDIATE | REGISTER_ONLY : 0;
    case 0x7e:
      return p == 0 ? wide | RM_GPR | REG_MMX | STORES : p == PREFIX_66 ? wide | RM_GPR | STORES : p == PREFIX_F3 ? 8 : 0;
    case 0x7f:
      return p == PREFIX_F3 ? 16 | UNALIGNED | STORES : p < 2 ? integer(p) | STORES : 0;
    case 0x7c:
    case 0x7d:
      return horizontalForm(p);
    default:
      return opcode >= 0x74 && opcode <= 0x76 ? integer(p) : 0;
  }
}

function formC0(opcode: u32, p: u32, wide: u32): u32 {
  switch (opcode) {
    case 0xc2:
      return four(p) | IMMEDIATE;
    case 0xc3:
      return p == 0 ? wide | REG_GPR | MEMORY_ONLY | STORES : 0;
    case 0xc4:
      return p == 0 ? 2 | RM_GPR | REG_MMX | IMMEDIATE : p == PREFIX_66 ? 2 | RM_GPR | IMMEDIATE : 0;
    case 0xc5:
      return p < 2 ? (p == 0 ? RM_MMX : 0) | 16 | REG_GPR | IMMEDIATE | REGISTER_ONLY : 0;
    default:
      return opcode == 0xc6 ? two(p, 16 | IMMEDIATE) : 0;
  }
}

function formD0(opcode: u32, p: u32): u32 {
  switch (opcode) {
    case 0xd0:
      return horizontalForm(p);
    case 0xf0:
      return p == PREFIX_F2 ? 16 | UNALIGNED | MEMORY_ONLY : 0; // LDDQU
    case 0xff:
      return 0;
    case 0xd6:
      return p == PREFIX_66 ? 8 | STORES : p == PREFIX_F3 ? 8 | RM_MMX | REGISTER_ONLY : p == PREFIX_F2 ? 8 | REG_MMX | REGISTER_ONLY : 0;
    case 0xd7:
      return p < 2 ? (p == 0 ? RM_MMX : 0) | 16 | REG_GPR | REGISTER_ONLY : 0;
    case 0xe6:
      return p == 0 ? 0 : p == PREFIX_F3 ? 8 : 16;
    case 0xe7:
      return p < 2 ? integer(p) | MEMORY_ONLY | STORES : 0;
    case 0xf7:
      return p < 2 ? integer(p) | REGISTER_ONLY : 0;
    default:
      return integer(p);
  }
}

function decodeForm(opcode: u32, p: u32): u32 {
  const wide: u32 = rex & 8 ? 8 : 4;
  switch (opcode >> 4) {
    case 1:
      return form10(opcode, p);
    case 2:
      return form28(opcode, p, wide);
    case 5:
      return form50(opcode, p);
    case 6:
      return form60(opcode, p, wide);
    case 7:
      return form70(opcode, p, wide);
    case 12:
      return formC0(opcode, p, wide);
    case 13:
    case 14:
    case 15:
      return formD0(opcode, p);
    default:
      return 0;
  }
}

function registerOffset(number: u32, isGpr: bool, isMmx: bool): u32 {
  if (isGpr) return VCPU_GPR + (number << 3);
  return isMmx ? VCPU_FPU_REGS + ((number & 7) << 4) : VCPU_XMM + (number << 4);
}

/** Shift groups 71-73 select their operation by ModRM.reg. */
function shiftExists(opcode: u32, which: u32, p: u32): bool {
  if (opcode == 0x73) return which == 2 || which == 6 || (p == PREFIX_66 && (which == 3 || which == 7));
  return which == 2 || which == 4 || which == 6;
}

/** The mandatory prefix: F2 and F3 count before 66. */
export function mandatoryPrefix(): u32 {
  return repeat == 0xf3 ? PREFIX_F3 : repeat == 0xf2 ? PREFIX_F2 : prefix66 ? PREFIX_66 : PREFIX_NONE;
}

/** One integer operation of two XMM registers, with 66: integerOp's opcodes. */
function isIntegerOp(opcode: u32): bool {
  if (opcode < 0x80) return (opcode >= 0x60 && opcode <= 0x6d) || (opcode >= 0x74 && opcode <= 0x76);
  if (opcode < 0xd1 || opcode == 0xf0) return false;
  const low = opcode & 15;
  return low != 7 && (low != 6 || opcode == 0xf6) && opcode != 0xff;
}

/** The handler in simd/hot.ts for the form whose ModRM byte was read, or the general one in execute.ts. */
function hotOperation(opcode: u32, p: u32): i32 {
  switch (opcode) {
    case 0x10:
    case 0x28:
      return p < 2 ? OP_XMM_LOAD : isMemory ? OP_XMM_LOAD_PART : OP_SIMD;
    case 0x11:
    case 0x29:
    case 0x2b:
      return p < 2 ? OP_XMM_STORE : isMemory ? OP_XMM_STORE_PART : OP_SIMD;
    case 0x13:
      return OP_XMM_STORE_PART;
    case 0x54:
    case 0x55:
    case 0x56:
    case 0x57:
      return OP_XMM_INTEGER;
    case 0x58:
    case 0x59:
    case 0x5c:
    case 0x5d:
    case 0x5e:
    case 0x5f:
      return OP_XMM_ARITHMETIC;
    case 0x6e:
      return p == PREFIX_66 ? OP_XMM_LOAD_PART : OP_SIMD;
    case 0x6f:
      return p != 0 ? OP_XMM_LOAD : OP_SIMD;
    case 0x7e:
      return p == PREFIX_F3 ? OP_XMM_LOAD_PART : p == PREFIX_66 && isMemory ? OP_XMM_STORE_PART : OP_SIMD;
    case 0x7f:
      return p != 0 ? OP_XMM_STORE : OP_SIMD;
    case 0xd6:
      return p == PREFIX_66 && isMemory ? OP_XMM_STORE_PART : OP_SIMD;
    case 0xe7:
      return p == PREFIX_66 ? OP_XMM_STORE : OP_SIMD;
    default:
      return p == PREFIX_66 && isIntegerOp(opcode) ? OP_XMM_INTEGER : OP_SIMD;
  }
}

/** ModRM has not been read yet. */
export function decodeSimdMap(opcode: u32): void {
  const p = mandatoryPrefix();
  if (opcode == 0x77) {
    if (p == 0) setSimdWord(emit(OP_SIMD), 0x77 | SIMD_MMX);
    else invalid(true);
    return;
  }
  const form = decodeForm(opcode, p);
  if (form == 0) {
    invalid(false);
    return;
  }
  readModrm();
  const shift = opcode >= 0x71 && opcode <= 0x73;
  if ((isMemory && form & REGISTER_ONLY) || (!isMemory && form & MEMORY_ONLY) || (shift && !shiftExists(opcode, reg & 7, p))) {
    invalid(true);
    return;
  }
  const r = layDown(hotOperation(opcode, p), opcode, p, form);
  if (opcode == 0xf7) setSegmentWord(r, <u32>(inLong && segment < 4 ? 0xff : operandSegment()) | ((<u32>addressSize) << 8));
}

/** The record of a form whose ModRM byte was read and is valid. */
export function layDown(op: i32, opcode: u32, p: u32, form: u32): usize {
  const bytes = form & 0xff;
  const r = isMemory ? emitMemory(op) : emit(op);
  memoryAccess(bytes, (form & STORES) != 0);
  setDst(r, registerOffset(reg, (form & REG_GPR) != 0, (form & REG_MMX) != 0));
  if (!isMemory) setSrc(r, registerOffset(rm, (form & RM_GPR) != 0, (form & RM_MMX) != 0));
  let word = <u64>opcode | ((<u64>p) << 8) | ((<u64>bytes) << 32);
  if (form & IMMEDIATE) word |= (<u64>fetch8()) << 16;
  if (rex & 8) word |= SIMD_WIDE;
  if (form & REG_MMX || (form & RM_MMX && (!isMemory || opcode != 0x2a))) word |= SIMD_MMX;
  if (bytes == 16 && !(form & UNALIGNED)) word |= SIMD_ALIGNED;
  setSimdWord(r, word);
  return r;
}

/** 0F AE with a memory operand, ModRM read: FXSAVE FXRSTOR LDMXCSR STMXCSR, and CLFLUSH, which only checks its operand. */
export function decodeSaveGroup(): void {
  const which = reg & 7;
  const prefixed = repeat != 0 || prefix66;
  if (prefixed || which == 4 || which == 5 || which == 6) {
    invalid(false); // XSAVE, XRSTOR, XSAVEOPT, CLWB, CLFLUSHOPT
    return;
  }
  const r = emitMemory(OP_SIMD);
  memoryAccess(which < 2 ? 512 : which == 7 ? 1 : 4, which == 0 || which == 3);
  setSimdWord(r, <u64>0xae | ((<u64>which) << 16) | (rex & 8 ? SIMD_WIDE : 0));
}
