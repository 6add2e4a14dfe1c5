/**
 * The stack during a far transfer: pushes and pops use a local pointer, and RSP changes only when the whole transfer has succeeded. Also the
 * task-state segment as the source of inner stacks (SDM 3A 7.2, 7.7).
 */
import { SEG_ATTR, SEG_BASE, SEG_LIMIT, SEG_SELECTOR, SEG_SS, SEG_TR, VCPU_RSP } from '../abi/index';
import { checkAlignment } from './mem';
import { readSlow, slowValue, sysRead, sysWrite, writeSlow } from './mmu';
import { cpl, isCanonical, MODE_64, MODE_STACK32, mode, segRecord } from './mmu-mode';
import {
  ATTR_BIG,
  ATTR_CODE,
  ATTR_DC,
  ATTR_P,
  descAttr,
  descBase,
  descHigh,
  descLimit,
  descLow,
  dplOf,
  isNull,
  isWritableData,
  putSegment,
  readDescriptor,
  segLinear,
  segVa,
  setDescriptor,
  touchDescriptor,
} from './segments';
import { cpu, raise, VEC_SS, VEC_TS } from './state';

const ALL_ONES: u64 = <u64>-1;

/** Stack pointer of the next push or pop. */
export let stackPtr: u64 = 0;
let base: u64 = 0;
let mask: u64 = ALL_ONES;
/** Bits of RSP that the stack's width does not change. */
let high: u64 = 0;
let limit: u32 = 0;
let attr: u32 = 0;
/** Error code of a push outside the limit: 0 or EXT for the current stack, the selector for a new one. */
let faultError: u32 = 0;
let flat: bool = false;
let system: bool = false;

/** Starts with the current stack; `error` is the code of an #SS. */
export function useCurrentStack(error: u32 = 0): void {
  const record = segRecord(SEG_SS);
  base = load<u64>(record, SEG_BASE);
  limit = load<u32>(record, SEG_LIMIT);
  attr = load<u16>(record, SEG_ATTR);
  flat = (mode & MODE_64) != 0;
  mask = flat ? ALL_ONES : mode & MODE_STACK32 ? 0xffffffff : 0xffff;
  stackPtr = load<u64>(cpu, VCPU_RSP) & mask;
  high = mask == 0xffff ? load<u64>(cpu, VCPU_RSP) & ~mask : 0;
  faultError = error;
  system = cpl != 3;
}

/** Starts with a flat 64-bit stack for privilege `forCpl`. */
export function useFlatStack(rsp: u64, forCpl: u32, error: u32): void {
  base = 0;
  flat = true;
  mask = ALL_ONES;
  high = 0;
  stackPtr = rsp;
  faultError = error;
  system = forCpl != 3;
}

/** Starts with the inner stack whose descriptor was read last (see innerStack). */
export function useNewStack(pointer: u64, error: u32): void {
  base = descBase();
  limit = descLimit();
  attr = descAttr;
  flat = false;
  mask = descAttr & ATTR_BIG ? 0xffffffff : 0xffff;
  stackPtr = pointer & mask;
  high = pointer & ~mask;
  faultError = error;
  system = true;
}

let stackVa: u64 = 0;
/** Linear address of `size` bytes at `offset` in this stack; #SS outside. 1: in stackVa. */
function linear(offset: u64, size: i32): i32 {
  if (flat) {
    if (!isCanonical(offset) || !isCanonical(offset + <u64>(size - 1))) return raise(VEC_SS, faultError);
    stackVa = offset;
    return 1;
  }
  const last = offset + <u64>(size - 1);
  if ((attr & (ATTR_CODE | ATTR_DC)) == ATTR_DC) {
    if (offset <= limit || last > mask) return raise(VEC_SS, faultError);
  } else if (last > limit) {
    return raise(VEC_SS, faultError);
  }
  stackVa = (base + offset) & 0xffffffff;
  return 1;
}

/** Pushes `size` (2, 4 or 8) bytes. */
export function pushValue(size: i32, value: u64): i32 {
  const to = (stackPtr - <u64>size) & mask;
  if (!linear(to, size) || (!system && !checkAlignment(stackVa, <u64>(size - 1)))) return 0;
  if (!(system ? sysWrite(stackVa, size, value) : writeSlow(stackVa, size, value))) return 0;
  stackPtr = to;
  return 1;
}

/** Pops `size` bytes into popped. */
export let popped: u64 = 0;
export function popValue(size: i32): i32 {
  if (!linear(stackPtr, size) || !checkAlignment(stackVa, <u64>(size - 1))) return 0;
  if (!readSlow(stackVa, size)) return 0;
  popped = slowValue;
  stackPtr = (stackPtr + <u64>size) & mask;
  return 1;
}

/** Skips `bytes` (RET imm16). */
export function skipBytes(bytes: u32): void {
  stackPtr = (stackPtr + bytes) & mask;
}

/** Stores the local pointer in RSP. */
export function commitStack(): void {
  store<u64>(cpu, high | stackPtr, VCPU_RSP);
}

/** New outer stack pointer of a return: `bits32` is the new SS.B, `wide` a 64-bit target. */
export function setOuterPointer(value: u64, wide: bool, bits32: bool): void {
  if (wide) store<u64>(cpu, value, VCPU_RSP);
  else if (bits32) store<u64>(cpu, value & 0xffffffff, VCPU_RSP);
  else store<u16>(cpu, <u16>value, VCPU_RSP);
}

/** Reads `size` bytes of the current TSS into slowValue; beyond its limit #TS(TR). */
export function readTss(offset: u32, size: i32, ext: u32): i32 {
  const tr = segRecord(SEG_TR);
  if (offset + <u32>size - 1 > load<u32>(tr, SEG_LIMIT)) return raise(VEC_TS, (<u32>load<u16>(tr, SEG_SELECTOR) & 0xfffc) | ext);
  return sysRead(load<u64>(tr, SEG_BASE) + offset, size);
}

/** The inner stack segment that innerStack found. */
let innerSelector: u32 = 0;
let innerLow: u32 = 0;
let innerHigh: u32 = 0;

/** Loads SS with the segment that innerStack found. */
export function putInnerSegment(): void {
  setDescriptor(innerLow, innerHigh);
  putSegment(SEG_SS, innerSelector);
}

/**
 * Finds the stack for privilege `forCpl` in a 16- or 32-bit TSS, checks its segment (SDM 3A 6.12.1.1, #TS) and starts with it.
 * putInnerSegment commits it.
 */
export function innerStack(forCpl: u32, ext: u32): i32 {
  const wide = (<u32>load<u16>(segRecord(SEG_TR), SEG_ATTR) & 8) != 0;
  if (!readTss(wide ? 4 + forCpl * 8 : 2 + forCpl * 4, wide ? 4 : 2, ext)) return 0;
  const pointer = slowValue;
  if (!readTss(wide ? 8 + forCpl * 8 : 4 + forCpl * 4, 2, ext)) return 0;
  const selector = <u32>slowValue;
  if (isNull(selector)) return raise(VEC_TS, ext);
  if (!readDescriptor(selector, VEC_TS, ext)) return 0;
  if ((selector & 3) != forCpl || dplOf(descAttr) != forCpl || !isWritableData(descAttr)) return raise(VEC_TS, (selector & 0xfffc) | ext);
  if (!(descAttr & ATTR_P)) return raise(VEC_SS, (selector & 0xfffc) | ext);
  if (!touchDescriptor()) return 0;
  innerSelector = selector;
  innerLow = descLow;
  innerHigh = descHigh;
  useNewStack(pointer, (selector & 0xfffc) | ext);
  return 1;
}

/** Finds RSPn (or, for ist != 0, that interrupt stack) in a 64-bit TSS and starts with it, masked by `align`. #SS when not canonical. */
export function innerStack64(forCpl: u32, ist: u32, ext: u32, align: u64): i32 {
  if (!readTss(ist ? 0x24 + (ist - 1) * 8 : 4 + forCpl * 8, 8, ext)) return 0;
  if (!isCanonical(slowValue)) return raise(VEC_SS, ext);
  useFlatStack(slowValue & align, forCpl, ext);
  return 1;
}

/** Reads a parameter at `offset` above the caller's stack pointer into slowValue (call gates, before the switch). */
export function readOldStack(offset: u64, size: i32): i32 {
  const width: u64 = mode & MODE_STACK32 ? 0xffffffff : 0xffff;
  const at = (load<u64>(cpu, VCPU_RSP) + offset) & width;
  if (!segLinear(SEG_SS, at, size, false) || !checkAlignment(segVa, <u64>(size - 1))) return 0;
  return readSlow(segVa, size);
}
