/**
 * MMX, SSE, SSE2 and SSE3 instructions (opcode table: decode.ts). Operands become pointers: registers in the vCPU record, guest memory that the
 * TLB maps in place, and anything else through a buffer.
 */
import { SEG_BASE, VCPU_FPU_REGS, VCPU_FTW, VCPU_RDI, VCPU_SEG, VCPU_SEG_SIZE, VCPU_XMM } from '../../abi/index';
import { canWrite, inMemory, segmentedOffset, wr } from '../mem';
import { is64, isCanonical } from '../mmu-mode';
import { R_DST, R_SEGMENT, R_SIMD, R_SRC, VREG_EA } from '../record';
import { cpu, raise, VEC_GP } from '../state';
import {
  betweenFormats,
  integersDoubles,
  integersSingles,
  packedFromMmx,
  packedToMmx,
  scalarFromInteger,
  scalarToInteger,
} from './convert';
import { SIMD_ALIGNED, SIMD_MMX, SIMD_WIDE } from './decode';
import { arithmetic, comparePredicate, compareToFlags, reciprocal, squareRoot } from './float';
import { addSubtract, horizontal } from './horizontal';
import { integerOp, shiftBytes, shiftGroup, shiftVector, shuffleFloats, shuffleImmediate } from './integer';
import { saveGroup } from './mxcsr';
import { available, enterMmx, operandPointer, storeOperand } from './operand';

function isStore(opcode: u32, prefix: u32): bool {
  switch (opcode) {
    case 0x11:
    case 0x13:
    case 0x17:
    case 0x29:
    case 0x2b:
    case 0x7f:
    case 0xc3:
    case 0xe7:
      return true;
    case 0x7e:
      return prefix < 2;
    case 0xd6:
      return prefix == 1;
    default:
      return false;
  }
}

/** Do these opcodes of the 0F map use XMM registers besides MMX registers? */
@inline
function mixes(opcode: u32, prefix: u32): bool {
  return opcode == 0x2a || opcode == 0x2c || opcode == 0x2d || (opcode == 0xd6 && prefix >= 2);
}

/** Is the register offset one of the MMX (x87) registers? */
@inline
function isMmxRegister(offset: u32): bool {
  return offset - VCPU_FPU_REGS < 128;
}

export function opSimd(p: usize): i32 {
  const word = load<u64>(p, R_SIMD);
  const opcode = <u32>word & 255;
  const prefix = <u32>(word >> 8) & 3;
  const mmx = (word & SIMD_MMX) != 0;
  const bytes = <i32>(word >> 32) & 255;
  if (opcode == 0xae) return saveGroup(p, <u32>(word >> 16) & 255, (word & SIMD_WIDE) != 0);
  // MOVNTI uses no vector state.
  if (opcode != 0xc3 && !available(p, !mmx || mixes(opcode, prefix), mmx)) return 0;
  if (opcode == 0x77) {
    enterMmx();
    store<u16>(cpu, 0xffff, VCPU_FTW);
    return 1;
  }
  const dst = cpu + <usize>load<u16>(p, R_DST);
  const memory = inMemory(p);
  if (isStore(opcode, prefix)) {
    const from = opcode == 0x17 ? dst + 8 : dst;
    const done = memory
      ? storeOperand(p, from, bytes, (word & SIMD_ALIGNED) != 0)
      : moveBack(opcode, prefix, dst, cpu + <usize>load<u16>(p, R_SRC), word);
    if (done && mmx) enterMmx();
    return done;
  }
  if (opcode == 0xf7) return maskedStore(p, dst, cpu + <usize>load<u16>(p, R_SRC), mmx);
  const src = memory ? operandPointer(p, bytes, (word & SIMD_ALIGNED) != 0) : cpu + <usize>load<u16>(p, R_SRC);
  if (src == 0) return 0;
  if (mmx) enterMmx(); // even if the operation then raises #XM
  if (!perform(opcode, prefix, dst, src, word, memory)) return 0;
  if (mmx) {
    const shifts = opcode >= 0x71 && opcode <= 0x73;
    if (shifts) store<u16>(src, 0xffff, 8);
    else if (isMmxRegister(<u32>load<u16>(p, R_DST))) store<u16>(dst, 0xffff, 8);
  }
  return 1;
}

/** Register forms of the storing opcodes: rm := reg. */
function moveBack(opcode: u32, prefix: u32, reg: usize, rm: usize, word: u64): i32 {
  switch (opcode) {
    case 0x11:
      if (prefix < 2) v128.store(rm, v128.load(reg));
      else if (prefix == 2) store<u32>(rm, load<u32>(reg));
      else store<u64>(rm, load<u64>(reg));
      return 1;
    case 0x7e:
      store<u64>(rm, word & SIMD_WIDE ? load<u64>(reg) : <u64>load<u32>(reg));
      return 1;
    case 0x7f:
      if (prefix == 0) {
        store<u64>(rm, load<u64>(reg));
        store<u16>(rm, 0xffff, 8);
        return 1;
      }
      v128.store(rm, v128.load(reg));
      return 1;
    case 0xd6:
      store<u64>(rm, load<u64>(reg));
      store<u64>(rm, 0, 8);
      return 1;
    default:
      v128.store(rm, v128.load(reg));
      return 1;
  }
}

function perform(opcode: u32, prefix: u32, dst: usize, src: usize, word: u64, memory: bool): i32 {
  switch (opcode >> 4) {
    case 1:
      return moveFloats(opcode, prefix, dst, src, memory);
    case 2:
      return group2(opcode, prefix, dst, src, word);
    case 5:
      return group5(opcode, prefix, dst, src);
    case 12:
      return groupC(opcode, prefix, dst, src, word);
    default:
      return groupInteger(opcode, prefix, dst, src, word);
  }
}

/** 10, 12, 14, 15, 16. */
function moveFloats(opcode: u32, prefix: u32, dst: usize, src: usize, memory: bool): i32 {
  switch (opcode) {
    case 0x10:
      if (prefix < 2) {
        v128.store(dst, v128.load(src));
      } else if (memory) {
        store<u64>(dst, prefix == 2 ? <u64>load<u32>(src) : load<u64>(src));
        store<u64>(dst, 0, 8);
      } else if (prefix == 2) {
        store<u32>(dst, load<u32>(src));
      } else {
        store<u64>(dst, load<u64>(src));
      }
      return 1;
    case 0x12: // MOVLPS, MOVLPD, MOVHLPS, MOVSLDUP, MOVDDUP
      if (prefix >= 2) v128.store(dst, prefix == 2 ? evenSingles(v128.load(src)) : v128.load64_splat(src));
      else store<u64>(dst, load<u64>(src + (memory ? 0 : 8)));
      return 1;
    case 0x14:
      return unpackFloats(prefix == 1, false, dst, src);
    case 0x15:
      return unpackFloats(prefix == 1, true, dst, src);
    default: // 16: MOVHPS, MOVHPD, MOVLHPS, MOVSHDUP
      if (prefix == 2) v128.store(dst, oddSingles(v128.load(src)));
      else store<u64>(dst, load<u64>(src), 8);
      return 1;
  }
}

@inline
function evenSingles(v: v128): v128 {
  return v128.shuffle<i32>(v, v, 0, 0, 2, 2);
}
@inline
function oddSingles(v: v128): v128 {
  return v128.shuffle<i32>(v, v, 1, 1, 3, 3);
}

function unpackFloats(double: bool, high: bool, dst: usize, src: usize): i32 {
  const a = v128.load(dst);
  const b = v128.load(src);
  if (double) v128.store(dst, high ? v128.shuffle<i64>(a, b, 1, 3) : v128.shuffle<i64>(a, b, 0, 2));
  else v128.store(dst, high ? v128.shuffle<i32>(a, b, 2, 6, 3, 7) : v128.shuffle<i32>(a, b, 0, 4, 1, 5));
  return 1;
}

function group2(opcode: u32, prefix: u32, dst: usize, src: usize, word: u64): i32 {
  const wide = (word & SIMD_WIDE) != 0;
  switch (opcode) {
    case 0x28:
      v128.store(dst, v128.load(src));
      return 1;
    case 0x2a:
      if (prefix < 2) return packedFromMmx(prefix == 1, dst, src);
      return scalarFromInteger(prefix == 3, dst, wide ? load<i64>(src) : <i64>load<i32>(src));
    case 0x2c:
    case 0x2d:
      if (prefix < 2) return packedToMmx(prefix == 1, opcode == 0x2c, dst, src);
      return scalarToInteger(prefix == 3, opcode == 0x2c, wide, dst, src);
    default:
      return compareToFlags(prefix == 1, opcode == 0x2e, dst, src);
  }
}

function group5(opcode: u32, prefix: u32, dst: usize, src: usize): i32 {
  switch (opcode) {
    case 0x50:
      store<u64>(dst, <u64>(prefix == 0 ? i32x4.bitmask(v128.load(src)) : i64x2.bitmask(v128.load(src))));
      return 1;
    case 0x51:
      return squareRoot(prefix, dst, src);
    case 0x52:
      return reciprocal(true, prefix, dst, src);
    case 0x53:
      return reciprocal(false, prefix, dst, src);
    case 0x54:
      v128.store(dst, v128.and(v128.load(dst), v128.load(src)));
      return 1;
    case 0x55:
      v128.store(dst, v128.andnot(v128.load(src), v128.load(dst)));
      return 1;
    case 0x56:
      v128.store(dst, v128.or(v128.load(dst), v128.load(src)));
      return 1;
    case 0x57:
      v128.store(dst, v128.xor(v128.load(dst), v128.load(src)));
      return 1;
    case 0x5a:
      return betweenFormats(prefix, dst, src);
    case 0x5b:
      return integersSingles(prefix, dst, src);
    default:
      return arithmetic(opcode, prefix, dst, src);
  }
}

function groupC(opcode: u32, prefix: u32, dst: usize, src: usize, word: u64): i32 {
  const immediate = <u32>(word >> 16) & 255;
  switch (opcode) {
    case 0xc2:
      return comparePredicate(prefix, dst, src, immediate & 7);
    case 0xc4:
      store<u16>(dst + <usize>((immediate & (prefix == 0 ? 3 : 7)) << 1), load<u16>(src));
      return 1;
    case 0xc5:
      store<u64>(dst, <u64>load<u16>(src + <usize>((immediate & (prefix == 0 ? 3 : 7)) << 1)));
      return 1;
    default:
      shuffleFloats(prefix == 1, dst, src, immediate);
      return 1;
  }
}

function groupInteger(opcode: u32, prefix: u32, dst: usize, src: usize, word: u64): i32 {
  const mmx = prefix == 0;
  switch (opcode) {
    case 0x6e: // MOVD, MOVQ from a general register or memory
      store<u64>(dst, word & SIMD_WIDE ? load<u64>(src) : <u64>load<u32>(src));
      if (!mmx) store<u64>(dst, 0, 8);
      return 1;
    case 0x6f:
      if (mmx) store<u64>(dst, load<u64>(src));
      else v128.store(dst, v128.load(src));
      return 1;
    case 0x70:
      shuffleImmediate(prefix, dst, src, <u32>(word >> 16) & 255);
      return 1;
    case 0x71:
    case 0x72:
    case 0x73:
      return shiftImmediate(opcode, mmx, dst, src, <u32>(word >> 16) & 255);
    case 0x7c:
    case 0x7d:
      return horizontal(opcode == 0x7d, prefix == 1, dst, src);
    case 0xd0:
      return addSubtract(prefix == 1, dst, src);
    case 0xf0: // LDDQU
      v128.store(dst, v128.load(src));
      return 1;
    case 0x7e: // F3: MOVQ xmm, xmm/m64
    case 0xd6: // F3: MOVQ2DQ, F2: MOVDQ2Q
      store<u64>(dst, load<u64>(src));
      if (prefix == 2) store<u64>(dst, 0, 8);
      return 1;
    case 0xd7:
      store<u64>(dst, <u64>(i8x16.bitmask(v128.load(src)) & (mmx ? 0xff : 0xffff)));
      return 1;
    case 0xe6:
      return integersDoubles(prefix, dst, src);
    default:
      if (mmx) store<u64>(dst, <u64>i64x2.extract_lane(integerOp(opcode, v128.load64_zero(dst), v128.load64_zero(src), true), 0));
      else v128.store(dst, integerOp(opcode, v128.load(dst), v128.load(src), false));
      return 1;
  }
}

/** 71-73: the register is ModRM.rm and the operation ModRM.reg, which R_DST encodes like a register. */
function shiftImmediate(opcode: u32, mmx: bool, reg: usize, rm: usize, count: u32): i32 {
  const which = (<u32>(reg - cpu - (mmx ? VCPU_FPU_REGS : VCPU_XMM)) >> 4) & 7;
  const operation = shiftGroup(opcode, which);
  if (operation < 2) shiftBytes(rm, operation == 1, count);
  else if (mmx) store<u64>(rm, <u64>i64x2.extract_lane(shiftVector(operation, v128.load64_zero(rm), count), 0));
  else v128.store(rm, shiftVector(operation, v128.load(rm), count));
  return 1;
}

/** MASKMOVQ, MASKMOVDQU: stores to seg:rDI the bytes of reg whose mask byte in rm has its top bit set. The page must be writable even with an empty mask. */
function maskedStore(p: usize, reg: usize, rm: usize, mmx: bool): i32 {
  if (mmx) enterMmx();
  const mask = i8x16.bitmask(v128.load(rm)) & (mmx ? 0xff : 0xffff);
  const extra = load<u32>(p, R_SEGMENT);
  const size = mmx ? 8 : 16;
  const width = (extra >> 8) & 255;
  const rdi = load<u64>(cpu, VCPU_RDI) & (width == 3 ? <u64>-1 : width == 2 ? 0xffffffff : 0xffff);
  let va = rdi;
  if (!is64()) {
    if (!segmentedOffset(<i32>(extra & 255), rdi, size, true)) return 0;
    va = load<u64>(cpu, VREG_EA);
  } else {
    if ((extra & 255) != 0xff) va += load<u64>(cpu + VCPU_SEG + <usize>(extra & 255) * VCPU_SEG_SIZE, SEG_BASE);
    if (!isCanonical(va)) return raise(VEC_GP, 0);
  }
  if (!canWrite(p, va, size)) return 0;
  for (let i = 0; i < size; i++) {
    if ((mask >> i) & 1 && !wr(p, va + <u64>i, 1, load<u8>(reg + i))) return 0;
  }
  return 1;
}
