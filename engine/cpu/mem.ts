/**
 * Data accesses of instructions: the slow ends of the inlined fast paths, and accesses and operands of out-of-line handlers. The instruction count is
 * exact around every access that can call JS. The interpreter stops after an instruction that accessed a device, dropped decoded code, or filled the
 * dirty ring, for which `markDirty` asks to leave: stops.ts.
 */
import { SEG_ATTR, SEG_BASE, SEG_LIMIT, VCPU_EXIT_REQUEST, VCPU_RBP, VCPU_RIP, VCPU_RSP, VCPU_SEG, VCPU_SEG_SIZE } from '../abi/index';
import { TRAIT_EITHER, TRAIT_STACK, traitsOf } from './generated/lookups';
import { hostRead, hostWrite, isCanonical, probeRead, probeWrite, readSlow, slowValue, writeSlow } from './mmu';
import { MODE_64, MODE_ALIGN, mode, wrapLinear } from './mmu-mode';
import {
  AUX_MEMORY,
  AUX_SIZE,
  R_AUX,
  R_BASE,
  R_DISP,
  R_DST,
  R_EA_SEGMENT,
  R_INDEX,
  R_OP,
  R_SCALE,
  R_SRC,
  R_WHERE,
  VREG_EA,
} from './record';
import { segLinear, segVa } from './segments';
import { cpu, raise, VEC_AC, VEC_GP, VEC_SS } from './state';
import { exactCount, goingOn, ripAfter, stopBehind } from './stops';

export { exactCount, ripAfter, ripOf } from './stops';

/** In 64-bit mode a non-canonical address is #GP, or #SS for an operand on the stack; 1: canonical. */
function checkCanonical(p: usize, va: u64, size: i32): i32 {
  if (!(mode & MODE_64) || (isCanonical(va) && isCanonical(va + <u64>(size - 1)))) return 1;
  const base = <usize>load<u16>(p, R_BASE);
  const traits = traitsOf(<i32>load<u16>(p, R_OP));
  const atTop = va + 8 - load<u64>(cpu, VCPU_RSP) <= 8;
  const onStack = base == VCPU_RSP || base == VCPU_RBP || (traits & TRAIT_STACK) != 0 || ((traits & TRAIT_EITHER) != 0 && atTop);
  return raise(onStack ? VEC_SS : VEC_GP, 0);
}

/** #AC if alignment is checked and va is not a multiple of `mask` + 1 bytes; 1: no fault. */
export function checkAlignment(va: u64, mask: u64): i32 {
  return mode & MODE_ALIGN && va & mask ? raise(VEC_AC, 0) : 1;
}

/** Alignment of an operand of `size` bytes minus 1 (SDM 3A table 6-7); not for vectors and FXSAVE's area. */
function alignmentOf(size: i32): u64 {
  switch (size) {
    case 2:
    case 14: // FSTENV and FSAVE with 16-bit operands
    case 94:
      return 1;
    case 4:
    case 28: // and with 32-bit ones
    case 108:
      return 3;
    case 8:
    case 10:
      return 7;
    default:
      return 0;
  }
}

/** Reads into slowValue. 0: failed. The plain address of flat 32-bit code may have overflowed. */
@inline
function readExactly(p: usize, va: u64, size: i32): i32 {
  exactCount(p);
  va = wrapLinear(va);
  if (!checkCanonical(p, va, size) || !checkAlignment(va, <u64>(size - 1)) || !readSlow(va, size)) return 0;
  if (load<u32>(cpu, VCPU_EXIT_REQUEST)) stopBehind();
  return 1;
}

@inline
function writeExactly(p: usize, va: u64, size: i32, value: u64): i32 {
  exactCount(p);
  va = wrapLinear(va);
  if (!checkCanonical(p, va, size) || !checkAlignment(va, <u64>(size - 1)) || !writeSlow(va, size, value)) return 0;
  if (load<u32>(cpu, VCPU_EXIT_REQUEST)) stopBehind();
  return 1;
}

export function rdSlow(p: usize, va: u64, size: i32): i32 {
  return readExactly(p, va, size);
}
export function wrSlow(p: usize, va: u64, size: i32, value: u64): i32 {
  return writeExactly(p, va, size, value);
}

// Variants for inline handlers: they return the record to continue with, or 0. They are too large for the compiler to inline them into each handler.
// That keeps the interpreter's loop smaller, and the engine optimises it sooner.

export function readInline(p: usize, va: u64, size: i32): usize {
  return readExactly(p, va, size) ? goingOn(p) : 0;
}
export function writeInline(p: usize, va: u64, size: i32, value: u64): usize {
  return writeExactly(p, va, size, value) ? goingOn(p) : 0;
}
/** First half of a read-modify-write. The write must not fault later. */
export function modifyInline(p: usize, va: u64, size: i32): usize {
  exactCount(p);
  va = wrapLinear(va);
  if (!checkCanonical(p, va, size) || !checkAlignment(va, <u64>(size - 1)) || !probeWrite(va, size)) return 0;
  return readExactly(p, va, size) ? goingOn(p) : 0;
}

/** Value of the last rd, or rmRead, zero-extended. */
export let memVal: u64 = 0;

export function rd(p: usize, va: u64, size: i32): i32 {
  let host: usize = 0;
  if (size == 8) {
    host = hostRead<u64>(va);
    if (host != 0) memVal = load<u64>(host);
  } else if (size == 4) {
    host = hostRead<u32>(va);
    if (host != 0) memVal = <u64>load<u32>(host);
  } else if (size == 2) {
    host = hostRead<u16>(va);
    if (host != 0) memVal = <u64>load<u16>(host);
  } else {
    host = hostRead<u8>(va);
    if (host != 0) memVal = <u64>load<u8>(host);
  }
  if (host != 0) return 1;
  if (!rdSlow(p, va, size)) return 0;
  memVal = slowValue;
  return 1;
}

export function wr(p: usize, va: u64, size: i32, value: u64): i32 {
  if (size == 8) {
    const host = hostWrite<u64>(va);
    if (host != 0) {
      store<u64>(host, value);
      return 1;
    }
  } else if (size == 4) {
    const host = hostWrite<u32>(va);
    if (host != 0) {
      store<u32>(host, <u32>value);
      return 1;
    }
  } else if (size == 2) {
    const host = hostWrite<u16>(va);
    if (host != 0) {
      store<u16>(host, <u16>value);
      return 1;
    }
  } else {
    const host = hostWrite<u8>(va);
    if (host != 0) {
      store<u8>(host, <u8>value);
      return 1;
    }
  }
  return wrSlow(p, va, size, value);
}

/** May `size` bytes at va be read? For instructions that load more than once, or not at all. */
export function canRead(p: usize, va: u64, size: i32): i32 {
  exactCount(p);
  return checkCanonical(p, va, size) && checkAlignment(va, alignmentOf(size)) && probeRead(va, size) ? 1 : 0;
}

/** May `size` bytes at va be written? For instructions that store more than once or read first. */
export function canWrite(p: usize, va: u64, size: i32): i32 {
  exactCount(p);
  if (!checkCanonical(p, va, size) || !checkAlignment(va, alignmentOf(size))) return 0;
  return probeWrite(va, size);
}

/** Linear address of the record's memory operand. */
@inline
export function operandVa(p: usize): u64 {
  return (
    load<u64>(cpu + <usize>load<u16>(p, R_BASE)) +
    (load<u64>(cpu + <usize>load<u16>(p, R_INDEX)) << (<u64>load<u8>(p, R_SCALE))) +
    <u64>(<i64>load<i32>(p, R_DISP))
  );
}

@inline
export function operandSize(p: usize): i32 {
  return 1 << (<i32>load<u8>(p, R_AUX) & AUX_SIZE);
}
@inline
export function inMemory(p: usize): bool {
  return (<u32>load<u8>(p, R_AUX) & AUX_MEMORY) != 0;
}

export function readReg(offset: u32, size: i32): u64 {
  const at = cpu + <usize>offset;
  return size == 8 ? load<u64>(at) : size == 4 ? <u64>load<u32>(at) : size == 2 ? <u64>load<u16>(at) : <u64>load<u8>(at);
}
export function writeReg(offset: u32, size: i32, value: u64): void {
  const at = cpu + <usize>offset;
  if (size == 8) store<u64>(at, value);
  else if (size == 4) store<u64>(at, value & 0xffffffff);
  else if (size == 2) store<u16>(at, <u16>value);
  else store<u8>(at, <u8>value);
}

/** The ModRM.reg operand. */
@inline
export function regRead(p: usize, size: i32): u64 {
  return readReg(<u32>load<u16>(p, R_DST), size);
}
@inline
export function regWrite(p: usize, size: i32, value: u64): void {
  writeReg(<u32>load<u16>(p, R_DST), size, value);
}

/** The ModRM.rm operand into memVal. */
export function rmRead(p: usize, size: i32): i32 {
  if (inMemory(p)) return rd(p, operandVa(p), size);
  memVal = readReg(<u32>load<u16>(p, R_SRC), size);
  return 1;
}
/** The same for an operand that is written afterwards: a fault is raised now. */
export function rmModify(p: usize, size: i32): i32 {
  if (inMemory(p)) {
    const va = operandVa(p);
    if (!canWrite(p, va, size)) return 0;
    return rd(p, va, size);
  }
  memVal = readReg(<u32>load<u16>(p, R_SRC), size);
  return 1;
}
export function rmWrite(p: usize, size: i32, value: u64): i32 {
  if (inMemory(p)) return wr(p, operandVa(p), size, value);
  writeReg(<u32>load<u16>(p, R_SRC), size, value);
  return 1;
}

/** Stores RIP of the next instruction and returns "leave". */
export function leaveAfter(p: usize): i32 {
  store<u64>(cpu, ripAfter(p), VCPU_RIP);
  return 2;
}

/** Address record outside 64-bit mode: takes the offset at the record's address size, checks the segment, puts the linear address in VREG_EA. */
export function segmentedAddress(p: usize): i32 {
  const extra = load<u32>(p, R_EA_SEGMENT);
  const seg = <i32>(extra & 255);
  const offset = operandVa(p) & (((extra >> 8) & 255) == 1 ? 0xffff : 0xffffffff);
  return segmentedOffset(seg, offset, <i32>((extra >> 16) & 0x7ff), extra >> 31 != 0);
}

/** The operand of an `uncheckedMemory` record, `distance` bytes further on: linear address in VREG_EA. */
export function uncheckedVa(p: usize, distance: u64, size: i32, write: bool): i32 {
  const where = load<u32>(p, R_WHERE);
  const offset = (operandVa(p) + distance) & (where >> 16 == 1 ? 0xffff : 0xffffffff);
  return segmentedOffset(<i32>((where >> 8) & 255), offset, size, write);
}

/** Linear address of seg:offset outside 64-bit mode, in VREG_EA. A flat, writable, present data segment needs no checks. */
export function segmentedOffset(seg: i32, offset: u64, size: i32, write: bool): i32 {
  const record = cpu + VCPU_SEG + <usize>seg * VCPU_SEG_SIZE;
  if (load<u32>(record, SEG_LIMIT) == 0xffffffff && (load<u16>(record, SEG_ATTR) & 0x9e) == 0x92 && offset + <u64>size <= 0x100000000) {
    store<u64>(cpu, (load<u64>(record, SEG_BASE) + offset) & 0xffffffff, VREG_EA);
    return 1;
  }
  if (!segLinear(seg, offset, size, write)) return 0;
  store<u64>(cpu, segVa, VREG_EA);
  return 1;
}

/** A near branch in 64-bit mode to an address that is not canonical: the branch faults, not its target. */
export function badTarget(): void {
  raise(VEC_GP, 0);
}
export function badCall(p: usize, slot: u64): void {
  if (canWrite(p, slot, 8)) badTarget();
}
