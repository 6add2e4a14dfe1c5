/**
 * The digest of CR0, CR4, EFER, CS, SS, DS and CPL that the hot paths need, kept in globals for the current vCPU.
 * SDM 3A 2.2 (modes of operation), 4.1.1 (paging modes).
 */

import { F_AC, FL_SYS } from '../abi/flags';
import {
  SEG_ATTR,
  SEG_BASE,
  SEG_CS,
  SEG_DS,
  SEG_LIMIT,
  SEG_SS,
  TLB_ENTRIES,
  TLB_ENTRY_SIZE,
  TLB_USER,
  VCPU_ALIGNED,
  VCPU_CPL,
  VCPU_CR0,
  VCPU_CR4,
  VCPU_EFER,
  VCPU_GUEST_CONTEXT,
  VCPU_MODE,
  VCPU_SEG,
  VCPU_SEG_SIZE,
  VCPU_TLB,
} from '../abi/index';
import {
  MODE_32,
  MODE_64,
  MODE_ALIGN,
  MODE_FLAT,
  MODE_GUEST,
  MODE_LIMITED,
  MODE_LONG,
  MODE_NARROW,
  MODE_PROT,
  MODE_STACK32,
  MODE_USER,
  MODE_XMM,
} from '../abi/mode';
import { SVM_GUEST } from '../abi/svm';
import { cpu } from './state';
import { dropWindows } from './tlb/windows';

export * from '../abi/mode';

export const CR0_PE: u64 = 1;
export const CR0_MP: u64 = 1 << 1;
export const CR0_EM: u64 = 1 << 2;
export const CR0_TS: u64 = 1 << 3;
export const CR0_ET: u64 = 1 << 4;
export const CR0_NE: u64 = 1 << 5;
export const CR0_WP: u64 = 1 << 16;
export const CR0_AM: u64 = 1 << 18;
export const CR0_NW: u64 = 1 << 29;
export const CR0_CD: u64 = 1 << 30;
export const CR0_PG: u64 = 1 << 31;
export const CR4_TSD: u64 = 1 << 2;
export const CR4_DE: u64 = 1 << 3;
export const CR4_PSE: u64 = 1 << 4;
export const CR4_PAE: u64 = 1 << 5;
export const CR4_MCE: u64 = 1 << 6;
export const CR4_PGE: u64 = 1 << 7;
export const CR4_PCE: u64 = 1 << 8;
export const CR4_OSFXSR: u64 = 1 << 9;
export const CR4_OSXMMEXCPT: u64 = 1 << 10;
export const EFER_SCE: u64 = 1;
export const EFER_LME: u64 = 1 << 8;
export const EFER_LMA: u64 = 1 << 10;
export const EFER_NXE: u64 = 1 << 11;
export const EFER_SVME: u64 = 1 << 12;
/** Bits that exist. */
export const CR0_BITS: u64 = CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_NW | CR0_CD | CR0_PG;
export const CR4_BITS: u64 = CR4_TSD | CR4_DE | CR4_PSE | CR4_PAE | CR4_MCE | CR4_PGE | CR4_PCE | CR4_OSFXSR | CR4_OSXMMEXCPT;
/** SVME only with SVM. */
export const EFER_BITS: u64 = EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE | EFER_SVME;

/** Segment attribute bits (abi/vcpu.ts). */
export const ATTR_L: u32 = 1 << 9;
export const ATTR_DB: u32 = 1 << 10;

export let mode: u32 = 0;
export let cpl: u32 = 0;
/** TLB table of the current CPL, and the vCPU's two tables. */
export let tlbBase: usize = 0;
export let tlbSuper: usize = 0;
/** What addresses of the TLB, its cells and windows are relative to: the vCPU's block, plus VCPU_GUEST_CONTEXT for a guest under SVM. */
export let tlbCells: usize = 0;

@inline
export function is64(): bool {
  return (mode & MODE_64) != 0;
}
@inline
export function is32(): bool {
  return (mode & MODE_32) != 0;
}
@inline
export function isLong(): bool {
  return (mode & MODE_LONG) != 0;
}
@inline
export function isProt(): bool {
  return (mode & MODE_PROT) != 0;
}

@inline
export function segRecord(seg: i32): usize {
  return cpu + VCPU_SEG + <usize>seg * VCPU_SEG_SIZE;
}

/** Base 0, limit 4 GiB, and present with the attribute bits `wanted` of `mask`. */
function isFlat(seg: i32, mask: u32, wanted: u32): bool {
  const record = segRecord(seg);
  return (
    load<u64>(record, SEG_BASE) == 0 && load<u32>(record, SEG_LIMIT) == 0xffffffff && (<u32>load<u16>(record, SEG_ATTR) & mask) == wanted
  );
}
/** For MODE_FLAT: P, S and the type as in a segment record: code, and writable data that does not grow down. */
function flatModes(digest: u32): u32 {
  const needed = MODE_PROT | MODE_32 | MODE_STACK32;
  if ((digest & (needed | MODE_64)) != needed) return 0;
  if (!isFlat(SEG_CS, 0x98, 0x98) || !isFlat(SEG_SS, 0x9e, 0x92) || !isFlat(SEG_DS, 0x9e, 0x92)) return 0;
  return digest & MODE_LONG ? MODE_FLAT : MODE_FLAT | MODE_NARROW;
}

function xmmMode(): u32 {
  return load<u64>(cpu, VCPU_CR4) & CR4_OSFXSR && !(load<u64>(cpu, VCPU_CR0) & (CR0_EM | CR0_TS)) ? MODE_XMM : 0;
}

/** MODE_ALIGN, or 0. When it starts, the user TLB loses its tags; it gets none for reads and writes until it ends (tlb/fill.ts). */
function alignMode(): u32 {
  if (cpl != 3 || !(load<u32>(cpu, FL_SYS) & F_AC) || !(load<u64>(cpu, VCPU_CR0) & CR0_AM)) {
    store<u32>(tlbCells, 0, VCPU_ALIGNED);
    return 0;
  }
  if (!load<u32>(tlbCells, VCPU_ALIGNED)) {
    memory.fill(tlbSuper + TLB_USER, 0xff, TLB_ENTRIES * TLB_ENTRY_SIZE);
    dropWindows(tlbCells);
    store<u32>(tlbCells, 1, VCPU_ALIGNED);
  }
  return MODE_ALIGN;
}

/**
 * Recomputes everything above from the current vCPU's record. Call it after selectCpu and after any change of CR0, CR4, EFER, CS, SS, DS, RFLAGS.AC
 * or VCPU_CPL. VCPU_CPL remains the source of the CPL; it is forced to 0 in real mode.
 */
export function modeChanged(): void {
  let digest: u32 = 0;
  const cs: u32 = load<u16>(segRecord(SEG_CS), SEG_ATTR);
  const ss: u32 = load<u16>(segRecord(SEG_SS), SEG_ATTR);
  if (load<u64>(cpu, VCPU_CR0) & CR0_PE) digest |= MODE_PROT;
  else store<u32>(cpu, 0, VCPU_CPL);
  if (load<u64>(cpu, VCPU_EFER) & EFER_LMA) digest |= MODE_LONG;
  if (digest & MODE_LONG && cs & ATTR_L) {
    digest |= MODE_64;
  } else {
    if (cs & ATTR_DB) digest |= MODE_32;
    if (ss & ATTR_DB) digest |= MODE_STACK32;
  }
  cpl = load<u32>(cpu, VCPU_CPL);
  if (cpl == 3) digest |= MODE_USER;
  // The record holds the architectural modes only: the core's flat-segment bits must not change a machine's digest.
  store<u32>(cpu, digest, VCPU_MODE);
  const limited = !(digest & MODE_64) && load<u32>(segRecord(SEG_CS), SEG_LIMIT) != 0xffffffff;
  const guest = load<u32>(cpu, SVM_GUEST) != 0;
  tlbCells = guest ? cpu + VCPU_GUEST_CONTEXT : cpu;
  tlbSuper = tlbCells + VCPU_TLB;
  if (guest) digest |= MODE_GUEST;
  mode = digest | flatModes(digest) | alignMode() | (limited ? MODE_LIMITED : 0) | xmmMode();
  tlbBase = cpl == 3 ? tlbSuper + TLB_USER : tlbSuper;
}

/** The same for a change of privilege from 64-bit code to 64-bit code: only the CPL can have changed. */
@inline
export function privilegeChanged(newCpl: u32): void {
  setCpl(newCpl);
  if (load<u64>(cpu, VCPU_CR0) & CR0_AM) {
    modeChanged();
    return;
  }
  cpl = newCpl;
  const user: u32 = newCpl == 3 ? MODE_USER : 0;
  mode = (mode & ~MODE_USER) | user;
  store<u32>(cpu, (load<u32>(cpu, VCPU_MODE) & ~MODE_USER) | user, VCPU_MODE);
  tlbBase = newCpl == 3 ? tlbSuper + TLB_USER : tlbSuper;
}

@inline
export function setCpl(value: u32): void {
  store<u32>(cpu, value, VCPU_CPL);
}

@inline
export function cr0(): u64 {
  return load<u64>(cpu, VCPU_CR0);
}
@inline
export function cr4(): u64 {
  return load<u64>(cpu, VCPU_CR4);
}
@inline
export function efer(): u64 {
  return load<u64>(cpu, VCPU_EFER);
}

/** Bits 63:47 all equal (48-bit linear addresses, SDM 1 3.3.7.1). */
@inline
export function isCanonical(va: u64): bool {
  return <u64>(<i64>(va << 16) >> 16) == va;
}
/** A linear address as the current mode sees it: outside 64-bit mode it wraps at 4 GiB. */
@inline
export function wrapLinear(va: u64): u64 {
  return mode & MODE_64 ? va : va & 0xffffffff;
}
