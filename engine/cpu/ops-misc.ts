/** Data movement, flags and segment-register instructions in their general forms. */
import {
  SEG_BASE,
  SEG_FS,
  SEG_SS,
  SHADOW_MOV_SS,
  SHADOW_STI,
  VCPU_INTR_SHADOW,
  VCPU_RAX,
  VCPU_RBX,
  VCPU_RDX,
  VCPU_SEG,
  VCPU_SEG_SIZE,
} from '../abi/index';
import { arithmeticFlags, carry, condition, F_CF, F_DF, F_IF, setArithmeticFlags, setSysFlags, sysFlags } from './flags';
import {
  exactCount,
  leaveAfter,
  memVal,
  operandSize,
  operandVa,
  rd,
  regRead,
  regWrite,
  rmRead,
  rmWrite,
  segmentedOffset,
  uncheckedVa,
  writeReg,
} from './mem';
import { MODE_64, mode } from './mmu-mode';
import { pointerOffset, pointerValue } from './ops-branch';
import { mayTouchInterrupts } from './ops-stack';
import { AUX_ASIZE_SHIFT, R_AUX, R_CONDITION, R_DST, R_NUMBER, R_SEGMENT, VREG_EA } from './record';
import { loadSegment, selectorOf } from './segments';
import { cpu, raise, VEC_BR } from './state';

export function opSetccM(p: usize): i32 {
  return rmWrite(p, 1, <u64>condition(load<u32>(p, R_CONDITION)));
}
export function opCmov16(p: usize): i32 {
  if (!rmRead(p, 2)) return 0;
  if (condition(load<u32>(p, R_CONDITION))) regWrite(p, 2, memVal);
  return 1;
}
/** LEA with a 16-bit operand or address. */
export function opLea16(p: usize): i32 {
  let value = operandVa(p);
  const asize = <u32>load<u8>(p, R_AUX) >> AUX_ASIZE_SHIFT;
  if (asize == 1) value &= 0xffff;
  else if (asize == 2) value &= 0xffffffff;
  regWrite(p, operandSize(p), value);
  return 1;
}
export function opCbw(_p: usize): i32 {
  store<u16>(cpu, <u16>(<i16>load<i8>(cpu, VCPU_RAX)), VCPU_RAX);
  return 1;
}
export function opCwd(_p: usize): i32 {
  store<u16>(cpu, <u16>(<i32>load<i16>(cpu, VCPU_RAX) >> 15), VCPU_RDX);
  return 1;
}

/** Linear address of seg:offset in any mode, into VREG_EA; in 64-bit mode only FS and GS have a base. */
export function linearOf(seg: i32, offset: u64, size: i32, write: bool): i32 {
  if (!(mode & MODE_64)) return segmentedOffset(seg, offset, size, write);
  const base: u64 = seg >= SEG_FS ? load<u64>(cpu + VCPU_SEG + <usize>seg * VCPU_SEG_SIZE, SEG_BASE) : 0;
  store<u64>(cpu, base + offset, VREG_EA);
  return 1;
}

export function opXlat(p: usize): i32 {
  const asize = <u32>load<u8>(p, R_AUX) >> AUX_ASIZE_SHIFT;
  let offset = load<u64>(cpu, VCPU_RBX) + <u64>load<u8>(cpu, VCPU_RAX);
  if (asize < 3) offset &= asize == 1 ? 0xffff : 0xffffffff;
  if (!linearOf(<i32>load<u32>(p, R_SEGMENT), offset, 1, false)) return 0;
  if (!rd(p, load<u64>(cpu, VREG_EA), 1)) return 0;
  store<u8>(cpu, <u8>memVal, VCPU_RAX);
  return 1;
}

export function opLahf(_p: usize): i32 {
  store<u8>(cpu, <u8>(arithmeticFlags() | 2), VCPU_RAX + 1);
  return 1;
}
export function opSahf(_p: usize): i32 {
  setArithmeticFlags((arithmeticFlags() & 0x800) | (<u32>load<u8>(cpu, VCPU_RAX + 1) & 0xd5));
  return 1;
}
/** R_NUMBER: 0 CMC, 1 CLC, 2 STC, 3 CLD, 4 STD, 6 SALC. */
export function opFlag(p: usize): i32 {
  const old = arithmeticFlags();
  switch (load<u32>(p, R_NUMBER)) {
    case 0:
      setArithmeticFlags(old ^ F_CF);
      break;
    case 1:
      setArithmeticFlags(old & ~F_CF);
      break;
    case 2:
      setArithmeticFlags(old | F_CF);
      break;
    case 3:
      setSysFlags(sysFlags() & ~F_DF);
      break;
    case 4:
      setSysFlags(sysFlags() | F_DF);
      break;
    default:
      store<u8>(cpu, carry() ? 255 : 0, VCPU_RAX);
  }
  return 1;
}
/** BSWAP of a 16-bit register is undefined; Intel processors clear it. */
export function opBswap16(p: usize): i32 {
  store<u16>(cpu + <usize>load<u16>(p, R_DST), 0);
  return 1;
}
/** One bound, sign-extended, into `limit`. */
let limit: i64 = 0;
function readBound(p: usize, distance: u64, size: i32): i32 {
  if (!uncheckedVa(p, distance, size, false) || !rd(p, load<u64>(cpu, VREG_EA), size)) return 0;
  limit = size == 2 ? <i64>(<i16>memVal) : <i64>(<i32>memVal);
  return 1;
}
/** An index below the lower bound faults before the upper bound is read. */
export function opBound(p: usize): i32 {
  const size = operandSize(p);
  const raw = regRead(p, size);
  const index = size == 2 ? <i64>(<i16>raw) : <i64>(<i32>raw);
  if (!readBound(p, 0, size)) return 0;
  if (index < limit) return raise(VEC_BR, 0);
  if (!readBound(p, <u64>size, size)) return 0;
  return index > limit ? raise(VEC_BR, 0) : 1;
}

export function opCli(_p: usize): i32 {
  if (!mayTouchInterrupts()) return 0;
  setSysFlags(sysFlags() & ~F_IF);
  return 1;
}
export function opSti(p: usize): i32 {
  if (!mayTouchInterrupts()) return 0;
  if (!(sysFlags() & F_IF)) store<u32>(cpu, SHADOW_STI, VCPU_INTR_SHADOW);
  setSysFlags(sysFlags() | F_IF);
  return leaveAfter(p);
}

export function opMovFromSeg(p: usize): i32 {
  return rmWrite(p, operandSize(p), <u64>selectorOf(<i32>load<u32>(p, R_NUMBER)));
}
export function opMovToSeg(p: usize): i32 {
  if (!rmRead(p, 2)) return 0;
  const seg = <i32>load<u32>(p, R_NUMBER);
  exactCount(p);
  if (!loadSegment(seg, <u32>memVal)) return 0;
  if (seg == SEG_SS) store<u32>(cpu, SHADOW_MOV_SS, VCPU_INTR_SHADOW);
  return leaveAfter(p);
}
/** LES LDS LSS LFS LGS. */
export function opLoadFar(p: usize): i32 {
  if (!pointerOffset(p)) return 0;
  exactCount(p);
  if (!loadSegment(<i32>load<u32>(p, R_NUMBER), <u32>memVal)) return 0;
  writeReg(<u32>load<u16>(p, R_DST), operandSize(p), pointerValue());
  return leaveAfter(p);
}
