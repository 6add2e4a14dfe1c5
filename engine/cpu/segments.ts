/**
 * Segment registers: descriptors from GDT and LDT, the checks of MOV/POP to a segment register, and limit and type checks of memory
 * operands. SDM 3A chapters 3.4-3.5, 5.3-5.7; in 64-bit mode 3.4.4 and 5.2.1.
 */
import { SEG_ATTR, SEG_BASE, SEG_FS, SEG_LDTR, SEG_LIMIT, SEG_SELECTOR, SEG_SS, VCPU_GDT_BASE, VCPU_GDT_LIMIT } from '../abi/index';
import { slowValue, sysRead, sysWrite } from './mmu';
import { cpl, is64, isCanonical, isProt, modeChanged, segRecord } from './mmu-mode';
import { cpu, raise, VEC_GP, VEC_NP, VEC_SS } from './state';

/** Attribute bits of a segment record (abi/vcpu.ts); types as in SDM 3A table 3-1. */
export const ATTR_TYPE: u32 = 0xf;
export const ATTR_ACCESSED: u32 = 1;
/** Data: writable. Code: readable. */
export const ATTR_RW: u32 = 2;
/** Data: expand-down. Code: conforming. */
export const ATTR_DC: u32 = 4;
export const ATTR_CODE: u32 = 8;
export const ATTR_S: u32 = 0x10;
export const ATTR_P: u32 = 0x80;
export const ATTR_LONG: u32 = 0x200;
export const ATTR_BIG: u32 = 0x400;
export const ATTR_G: u32 = 0x800;

/** The descriptor that readDescriptor found last: its two words, its attributes in record form, and its linear address. */
export let descLow: u32 = 0;
export let descHigh: u32 = 0;
export let descAttr: u32 = 0;
export let descVa: u64 = 0;

@inline
export function selectorOf(seg: i32): u32 {
  return load<u16>(segRecord(seg), SEG_SELECTOR);
}
@inline
export function attrOf(seg: i32): u32 {
  return load<u16>(segRecord(seg), SEG_ATTR);
}
@inline
export function dplOf(attr: u32): u32 {
  return (attr >> 5) & 3;
}
@inline
export function isNull(selector: u32): bool {
  return (selector & 0xfffc) == 0;
}
/** A data segment that is writable. */
@inline
export function isWritableData(attr: u32): bool {
  return (attr & (ATTR_S | ATTR_CODE | ATTR_RW)) == (ATTR_S | ATTR_RW);
}
@inline
export function isCode(attr: u32): bool {
  return (attr & (ATTR_S | ATTR_CODE)) == (ATTR_S | ATTR_CODE);
}

/** Uses a descriptor whose words are known. */
export function setDescriptor(low: u32, high: u32): void {
  descLow = low;
  descHigh = high;
  descAttr = ((high >> 8) & 0xff) | (((high >> 20) & 0xf) << 8);
}

export function descBase(): u32 {
  return (descLow >> 16) | ((descHigh & 0xff) << 16) | (descHigh & 0xff000000);
}
/** Limit in bytes. */
export function descLimit(): u32 {
  const raw = (descLow & 0xffff) | (descHigh & 0xf0000);
  return descAttr & ATTR_G ? (raw << 12) | 0xfff : raw;
}

/**
 * Linear address of a selector's descriptor in descVa; false if it is outside its table (`bytes` long) or there is no LDT.
 */
export function locateDescriptor(selector: u32, bytes: u32): bool {
  let base: u64;
  let limit: u32;
  if (selector & 4) {
    const ldtr = segRecord(SEG_LDTR);
    if (!(<u32>load<u16>(ldtr, SEG_ATTR) & ATTR_P)) return false;
    base = load<u64>(ldtr, SEG_BASE);
    limit = load<u32>(ldtr, SEG_LIMIT);
  } else {
    base = load<u64>(cpu, VCPU_GDT_BASE);
    limit = load<u32>(cpu, VCPU_GDT_LIMIT);
  }
  if ((selector & 0xfff8) + (bytes - 1) > limit) return false;
  descVa = base + (selector & 0xfff8);
  return true;
}

/** Reads a selector's descriptor; outside the table: `vector` with the selector (and `ext`, the EXT bit) as error code. */
export function readDescriptor(selector: u32, vector: i32, ext: u32 = 0): i32 {
  if (!locateDescriptor(selector, 8)) return raise(vector, (selector & 0xfffc) | ext);
  if (!sysRead(descVa, 8)) return 0;
  setDescriptor(<u32>slowValue, <u32>(slowValue >> 32));
  return 1;
}

/** Marks the last descriptor accessed (code and data segments), in the table and in descAttr. */
export function touchDescriptor(): i32 {
  if (descAttr & ATTR_ACCESSED) return 1;
  if (!sysWrite(descVa + 5, 1, (descHigh >> 8) | 1)) return 0;
  setDescriptor(descLow, descHigh | 0x100);
  return 1;
}

/** Fills a segment record from the last descriptor. */
export function putSegment(seg: i32, selector: u32): void {
  putSegmentRaw(seg, selector, descBase(), descLimit(), descAttr);
}

export function putSegmentRaw(seg: i32, selector: u32, base: u64, limit: u32, attr: u32): void {
  const record = segRecord(seg);
  store<u64>(record, base, SEG_BASE);
  store<u32>(record, limit, SEG_LIMIT);
  store<u16>(record, <u16>selector, SEG_SELECTOR);
  store<u16>(record, <u16>attr, SEG_ATTR);
}

/** An instruction loads a null selector: the segment is unusable. Base and limit become 0, those of FS and GS too, as on Intel's processors. */
export function putNull(seg: i32, selector: u32): void {
  putSegmentRaw(seg, selector, 0, 0, 0);
}

/**
 * A return to an outer level, which may not use this segment: it becomes unusable, with a null selector, but the hidden base and limit stay. In
 * 64-bit mode the base of FS and GS counts whatever the selector is.
 */
export function nullify(seg: i32): void {
  store<u16>(segRecord(seg), 0, SEG_SELECTOR);
  store<u16>(segRecord(seg), 0, SEG_ATTR);
}

/** Real mode: base = selector * 16, limit and rights stay (so that "unreal mode" works). */
export function putReal(seg: i32, selector: u32): void {
  const record = segRecord(seg);
  store<u64>(record, <u64>(selector << 4), SEG_BASE);
  store<u16>(record, <u16>selector, SEG_SELECTOR);
  if (!(<u32>load<u16>(record, SEG_ATTR) & ATTR_P)) {
    store<u32>(record, 0xffff, SEG_LIMIT);
    store<u16>(record, 0x93, SEG_ATTR);
  }
}

/** May SS have a null selector at privilege `forCpl`? Only in 64-bit code outside CPL 3. */
@inline
export function mayBeNullStack(selector: u32, forCpl: u32, wide: bool): bool {
  return wide && forCpl != 3 && (selector & 3) == forCpl;
}

/** Checks a selector that is not null for SS at privilege `forCpl` and leaves its descriptor as the last one. #GP, or #SS when not present. */
export function checkStackSegment(selector: u32, forCpl: u32): i32 {
  const error = selector & 0xfffc;
  if (!readDescriptor(selector, VEC_GP)) return 0;
  if ((selector & 3) != forCpl || dplOf(descAttr) != forCpl || !isWritableData(descAttr)) return raise(VEC_GP, error);
  if (!(descAttr & ATTR_P)) return raise(VEC_SS, error);
  return touchDescriptor();
}

function loadStackSegment(selector: u32): i32 {
  if (isNull(selector)) {
    if (!mayBeNullStack(selector, cpl, is64())) return raise(VEC_GP, 0);
    putNull(SEG_SS, selector);
  } else {
    if (!checkStackSegment(selector, cpl)) return 0;
    putSegment(SEG_SS, selector);
  }
  modeChanged();
  return 1;
}

/** MOV/POP/Lxx to ES, SS, DS, FS or GS (SDM 2, MOV). CS is the caller's #UD. */
export function loadSegment(seg: i32, selector: u32): i32 {
  selector &= 0xffff;
  if (!isProt()) {
    putReal(seg, selector);
    return 1;
  }
  if (seg == SEG_SS) return loadStackSegment(selector);
  if (isNull(selector)) {
    putNull(seg, selector);
    modeChanged();
    return 1;
  }
  if (!readDescriptor(selector, VEC_GP)) return 0;
  const attr = descAttr;
  if (!(attr & ATTR_S) || (attr & (ATTR_CODE | ATTR_RW)) == ATTR_CODE) return raise(VEC_GP, selector & 0xfffc);
  const conforming = (attr & (ATTR_CODE | ATTR_DC)) == (ATTR_CODE | ATTR_DC);
  if (!conforming && (dplOf(attr) < (selector & 3) || dplOf(attr) < cpl)) return raise(VEC_GP, selector & 0xfffc);
  if (!(attr & ATTR_P)) return raise(VEC_NP, selector & 0xfffc);
  if (!touchDescriptor()) return 0;
  putSegment(seg, selector);
  modeChanged();
  return 1;
}

/** Linear address found by segLinear. */
export let segVa: u64 = 0;

/**
 * Checks a memory operand of `size` bytes at seg:offset and gives its linear address in segVa. Outside 64-bit mode limit and type are
 * checked (#GP(0), or #SS(0) for SS); in 64-bit mode only that the address is canonical, and only FS and GS have a base.
 */
export function segLinear(seg: i32, offset: u64, size: i32, write: bool): i32 {
  const record = segRecord(seg);
  if (is64()) {
    const va = seg >= SEG_FS ? load<u64>(record, SEG_BASE) + offset : offset;
    if (!isCanonical(va) || !isCanonical(va + <u64>(size - 1))) return segFault(seg);
    segVa = va;
    return 1;
  }
  const attr = <u32>load<u16>(record, SEG_ATTR);
  if (isProt()) {
    if (!(attr & ATTR_P)) return segFault(seg);
    if (write) {
      if ((attr & (ATTR_CODE | ATTR_RW)) != ATTR_RW) return segFault(seg);
    } else if ((attr & (ATTR_CODE | ATTR_RW)) == ATTR_CODE) {
      return segFault(seg);
    }
  }
  const limit = <u64>load<u32>(record, SEG_LIMIT);
  const first = offset & 0xffffffff;
  const last = first + <u64>(size - 1);
  if ((attr & (ATTR_CODE | ATTR_DC)) == ATTR_DC) {
    if (first <= limit || last > (attr & ATTR_BIG ? 0xffffffff : 0xffff)) return segFault(seg);
  } else if (last > limit) {
    return segFault(seg);
  }
  segVa = (load<u64>(record, SEG_BASE) + first) & 0xffffffff;
  return 1;
}

@inline
function segFault(seg: i32): i32 {
  return raise(seg == SEG_SS ? VEC_SS : VEC_GP, 0);
}
