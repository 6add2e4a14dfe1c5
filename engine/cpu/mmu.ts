/**
 * Guest memory by linear address. The fast paths are a compare and an add; the slow ones handle page walks, page crossings, MMIO, dirty logging and
 * pages with decoded code. All addresses are linear (segmentation is done) and already wrapped to the mode.
 *
 * Every function that returns i32: 1 = done, 0 = not done, nothing was changed, and state.pending has the reason. The callers check alignment (#AC)
 * for instructions (mem.ts).
 */
import {
  CODE_PAGES,
  STAT_MMIO,
  TLB_ADDEND,
  TLB_ENTRIES,
  TLB_TAG_EXEC,
  TLB_TAG_READ,
  TLB_TAG_WRITE,
  VCPU_MAILBOX,
  VCPU_MAILBOX2,
  VCPU_STATS,
  WATCH_READ,
  WATCH_WRITE,
} from '../abi/index';
import { codeWritten } from './code-pages';
import { DONE_READ, DONE_WRITE, doneValue, noteDone, wasDone } from './device-accesses';
import { mmioRead, mmioWrite } from './imports';
import { is64, isCanonical, tlbBase, tlbSuper, wrapLinear } from './mmu-mode';
import { walkAfresh, walkGpa, walkNested } from './mmu-walk';
import { WALK_OK } from './page-bits';
import { cpu, PEND_INTERNAL, pend, raise, selectCpu, VEC_GP, vcpuIndex } from './state';
import { stopBehind } from './stops';
import { setQuiet } from './svm/nested';
import { isNested } from './svm/state';
import { ACCESS_R, ACCESS_W, ACCESS_X, fill, fillPlain, hitGpa, hitHost, setHit } from './tlb/fill';
import { written } from './tlb/retag';
import { ARM_DATA, armed, noteData } from './watch';

export { cpl, is32, is64, isCanonical, isLong, isProt, mode, modeChanged, tlbBase, tlbSuper, wrapLinear } from './mmu-mode';
export {
  dropGuestTlb,
  dropHostTlb,
  flushTlb,
  invlpg,
  protectGfnRange,
  resetTlb,
  stripWriteTags,
  zapAll,
  zapGfnRange,
} from './tlb/drop';

/** Result of readSlow and sysRead, zero-extended. */
export let slowValue: u64 = 0;

@inline
function slot(table: usize, va: u64): usize {
  return table + (((<usize>(va >> 12) ^ <usize>(va >> 24)) & (TLB_ENTRIES - 1)) << 5);
}

/** Host address of the sizeof<T>() bytes at va if the TLB allows reading all of them in one page; else 0 (use readSlow). */
@inline
export function hostRead<T>(va: u64): usize {
  const entry = slot(tlbBase, va);
  const hit = load<u64>(entry, TLB_TAG_READ) == ((va + (sizeof<T>() - 1)) & ~(<u64>0xfff));
  return hit ? <usize>(<u32>va + load<u32>(entry, TLB_ADDEND)) : 0;
}

/** As hostRead, for writing. A hit needs no dirty tracking and no code check. */
@inline
export function hostWrite<T>(va: u64): usize {
  const entry = slot(tlbBase, va);
  const hit = load<u64>(entry, TLB_TAG_WRITE) == ((va + (sizeof<T>() - 1)) & ~(<u64>0xfff));
  return hit ? <usize>(<u32>va + load<u32>(entry, TLB_ADDEND)) : 0;
}

/** Host address of `bytes` bytes at va if the TLB allows reading them at any CPL, all in one page; else 0. */
export function superRead(va: u64, bytes: u64): usize {
  const entry = slot(tlbSuper, va);
  const hit = load<u64>(entry, TLB_TAG_READ) == ((va + (bytes - 1)) & ~(<u64>0xfff));
  return hit ? <usize>(<u32>va + load<u32>(entry, TLB_ADDEND)) : 0;
}
/** As superRead, for writing. */
export function superWrite(va: u64, bytes: u64): usize {
  const entry = slot(tlbSuper, va);
  const hit = load<u64>(entry, TLB_TAG_WRITE) == ((va + (bytes - 1)) & ~(<u64>0xfff));
  return hit ? <usize>(<u32>va + load<u32>(entry, TLB_ADDEND)) : 0;
}
/** As superRead, at the current CPL. */
export function readHost(va: u64, bytes: u64): usize {
  const entry = slot(tlbBase, va);
  const hit = load<u64>(entry, TLB_TAG_READ) == ((va + (bytes - 1)) & ~(<u64>0xfff));
  return hit ? <usize>(<u32>va + load<u32>(entry, TLB_ADDEND)) : 0;
}

/** The page of va at the current CPL, for instructions that work on whole pages: hitHost, or hitHost 0 for a device. */
export function resolvePage(va: u64, access: i32): i32 {
  return resolve(va, access, tlbBase);
}

/** One byte's page through the TLB or a walk: hitHost, or hitHost 0 and hitGpa for MMIO. */
function resolve(va: u64, access: i32, table: usize): i32 {
  const entry = slot(table, va);
  const offset: usize = access == ACCESS_R ? TLB_TAG_READ : access == ACCESS_W ? TLB_TAG_WRITE : TLB_TAG_EXEC;
  // Bit 0 marks a page that must not hit (watch.ts, track.ts).
  const tag = load<u64>(entry + offset);
  if ((tag & ~(<u64>1)) == (va & ~(<u64>0xfff))) {
    const host = <u32>va + load<u32>(entry, TLB_ADDEND);
    if (tag & 1 && access == ACCESS_W) written(entry + offset, host);
    setHit(<usize>host);
    return 1;
  }
  return fill(va, access, table);
}

@inline
function crosses(va: u64, size: i32): bool {
  return (<i32>va & 0xfff) + size > 0x1000;
}

function countMmio(): void {
  store<u64>(cpu, load<u64>(cpu, VCPU_STATS + STAT_MMIO) + 1, VCPU_STATS + STAT_MMIO);
}

/** Largest piece a device sees: a power of two not above n. */
@inline
function piece(n: i32): i32 {
  return n >= 4 ? 4 : n >= 2 ? 2 : 1;
}

function deviceRead(gpa: u64, size: i32): u64 {
  stopBehind();
  if (wasDone(DONE_READ, gpa, size)) return doneValue;
  countMmio();
  mmioRead(vcpuIndex(), <f64>gpa, size);
  const answer = load<u64>(cpu, VCPU_MAILBOX);
  const value = size == 8 ? answer : answer & (((<u64>1) << (size << 3)) - 1);
  noteDone(DONE_READ, gpa, size, value);
  return value;
}

function deviceWrite(gpa: u64, size: i32, value: u64): void {
  stopBehind();
  if (wasDone(DONE_WRITE, gpa, size)) return;
  countMmio();
  store<u64>(cpu, size == 8 ? value : value & (((<u64>1) << (size << 3)) - 1), VCPU_MAILBOX);
  mmioWrite(vcpuIndex(), <f64>gpa, size);
  noteDone(DONE_WRITE, gpa, size, 0);
}

/** Reads n < 8 bytes that lie in one page, low byte first. */
function readPart(host: usize, gpa: u64, n: i32): u64 {
  let value: u64 = 0;
  for (let done = 0; done < n; ) {
    if (host != 0) {
      value |= (<u64>load<u8>(host + done)) << (done << 3);
      done++;
    } else {
      const size = piece(n - done);
      value |= deviceRead(gpa + done, size) << (done << 3);
      done += size;
    }
  }
  return value;
}

function writePart(host: usize, gpa: u64, n: i32, value: u64): void {
  if (host != 0 && hasCode(host)) codeWritten(host, n);
  for (let done = 0; done < n; ) {
    if (host != 0) {
      store<u8>(host + done, <u8>(value >> (done << 3)));
      done++;
    } else {
      const size = piece(n - done);
      deviceWrite(gpa + done, size, value >> (done << 3));
      done += size;
    }
  }
}

@inline
function hasCode(host: usize): bool {
  return load<u32>((host >> 12) << 2, CODE_PAGES) != 0;
}

@inline
function loadSized(host: usize, size: i32): u64 {
  return size == 8 ? load<u64>(host) : size == 4 ? <u64>load<u32>(host) : size == 2 ? <u64>load<u16>(host) : <u64>load<u8>(host);
}

function storeSized(host: usize, size: i32, value: u64): void {
  if (size == 8) store<u64>(host, value);
  else if (size == 4) store<u32>(host, <u32>value);
  else if (size == 2) store<u16>(host, <u16>value);
  else store<u8>(host, <u8>value);
}

function readFrom(va: u64, size: i32, table: usize): i32 {
  if (!crosses(va, size)) {
    if (!resolve(va, ACCESS_R, table)) return 0;
    const device = hitGpa;
    slowValue = hitHost != 0 ? loadSized(hitHost, size) : deviceRead(hitGpa, size);
    if (armed & ARM_DATA) noteData(va, size, WATCH_READ, table, device);
    return 1;
  }
  const first = 0x1000 - (<i32>va & 0xfff);
  if (!resolve(va, ACCESS_R, table)) return 0;
  const host = hitHost;
  const gpa = hitGpa;
  if (!resolve(wrapLinear(va + <u64>first), ACCESS_R, table)) return 0;
  const host2 = hitHost;
  const gpa2 = hitGpa;
  const low = readPart(host, gpa, first);
  slowValue = low | (readPart(host2, gpa2, size - first) << (first << 3));
  if (armed & ARM_DATA) noteData(va, size, WATCH_READ, table, gpa);
  return 1;
}

function writeTo(va: u64, size: i32, value: u64, table: usize): i32 {
  if (!crosses(va, size)) {
    if (!resolve(va, ACCESS_W, table)) return 0;
    const device = hitGpa;
    const host = hitHost;
    if (host == 0) deviceWrite(device, size, value);
    else {
      if (hasCode(host)) codeWritten(host, size);
      storeSized(host, size, value);
    }
    if (armed & ARM_DATA) noteData(va, size, WATCH_WRITE, table, device);
    return 1;
  }
  const first = 0x1000 - (<i32>va & 0xfff);
  if (!resolve(va, ACCESS_W, table)) return 0;
  const host = hitHost;
  const gpa = hitGpa;
  if (!resolve(wrapLinear(va + <u64>first), ACCESS_W, table)) return 0;
  const host2 = hitHost;
  const gpa2 = hitGpa;
  writePart(host, gpa, first, value);
  writePart(host2, gpa2, size - first, value >> (first << 3));
  if (armed & ARM_DATA) noteData(va, size, WATCH_WRITE, table, gpa);
  return 1;
}

/** Any read of 1, 2, 4 or 8 bytes at the current CPL: TLB miss, page crossing, MMIO. The value is in slowValue. */
export function readSlow(va: u64, size: i32): i32 {
  return readFrom(va, size, tlbBase);
}

/** Any write of 1, 2, 4 or 8 bytes at the current CPL. Both pages of a crossing write are checked before either is written. */
export function writeSlow(va: u64, size: i32, value: u64): i32 {
  return writeTo(va, size, value, tlbBase);
}

/** Implicit supervisor read (descriptor tables, TSS), at any CPL. */
export function sysRead(va: u64, size: i32): i32 {
  const entry = slot(tlbSuper, va);
  if (load<u64>(entry, TLB_TAG_READ) == ((va + <u64>(size - 1)) & ~(<u64>0xfff))) {
    slowValue = loadSized(<usize>(<u32>va + load<u32>(entry, TLB_ADDEND)), size);
    return 1;
  }
  return readFrom(va, size, tlbSuper);
}

export function sysWrite(va: u64, size: i32, value: u64): i32 {
  const entry = slot(tlbSuper, va);
  if (load<u64>(entry, TLB_TAG_WRITE) == ((va + <u64>(size - 1)) & ~(<u64>0xfff))) {
    storeSized(<usize>(<u32>va + load<u32>(entry, TLB_ADDEND)), size, value);
    return 1;
  }
  return writeTo(va, size, value, tlbSuper);
}

/** May [va, va + size) be written at the current CPL (size 1..4096)? Sets A and D as the write will; MMIO counts as writable. */
export function probeWrite(va: u64, size: i32): i32 {
  const entry = slot(tlbBase, va);
  if (load<u64>(entry, TLB_TAG_WRITE) == ((va + <u64>(size - 1)) & ~(<u64>0xfff))) return 1;
  if (!resolve(va, ACCESS_W, tlbBase)) return 0;
  if (!crosses(va, size)) return 1;
  return resolve(wrapLinear(va + <u64>(size - 1)) & ~(<u64>0xfff), ACCESS_W, tlbBase);
}

/** May [va, va + size) be read at the current CPL? */
export function probeRead(va: u64, size: i32): i32 {
  const entry = slot(tlbBase, va);
  if (load<u64>(entry, TLB_TAG_READ) == ((va + <u64>(size - 1)) & ~(<u64>0xfff))) return 1;
  if (!resolve(va, ACCESS_R, tlbBase)) return 0;
  if (!crosses(va, size)) return 1;
  return resolve(wrapLinear(va + <u64>(size - 1)) & ~(<u64>0xfff), ACCESS_R, tlbBase);
}

/**
 * Host address of the byte at va for execution at the current CPL. 0: #PF, #GP (not canonical), PEND_RETRY, or PEND_INTERNAL when no
 * memslot maps it.
 */
export function fetchPage(va: u64): usize {
  const entry = slot(tlbBase, va);
  if (load<u64>(entry, TLB_TAG_EXEC) == (va & ~(<u64>0xfff))) return <usize>(<u32>va + load<u32>(entry, TLB_ADDEND));
  if (is64() && !isCanonical(va)) return raise(VEC_GP, 0);
  if (!resolve(va, ACCESS_X, tlbBase)) return 0;
  return hitHost != 0 ? hitHost : <usize>pend(PEND_INTERNAL);
}

/**
 * For compiled code whose TLB probe missed: enters va's page if the access is plain memory in one page. 0: it is not, or it faults. Nothing was
 * changed then, and the interpreter runs the instruction.
 */
export function quietFill(va: u64, size: i32, write: bool): i32 {
  if (crosses(va, size) || !isCanonical(va)) return 0;
  return fillPlain(va, write, tlbBase);
}

/** `quietFill` unless the access hits. */
export function probePlain(va: u64, size: i32, write: bool): i32 {
  const entry = slot(tlbBase, va);
  const tag = load<u64>(entry + (write ? TLB_TAG_WRITE : TLB_TAG_READ));
  return tag == ((va + <u64>(size - 1)) & ~(<u64>0xfff)) ? 1 : quietFill(va, size, write);
}

/** Host address from which va is executed at the current CPL, if the TLB has it; else 0. */
export function execHost(va: u64): usize {
  const entry = slot(tlbBase, va);
  return load<u64>(entry, TLB_TAG_EXEC) == (va & ~(<u64>0xfff)) ? <usize>(<u32>va + load<u32>(entry, TLB_ADDEND)) : 0;
}

/**
 * The debugger's walk of a vCPU given by its block: no accessed or dirty bits, no TLB fill, no fault. 1: the gpa is in VCPU_MAILBOX2.
 * Rights are ignored. 0: not mapped (or a table lies in an INVALID memslot).
 */
export function translate(block: usize, va: u64): i32 {
  const saved = cpu;
  selectCpu(block);
  setQuiet(true);
  const found = walkAfresh(va) == WALK_OK && (!isNested() || walkNested(va & 0xfff, false, false) == WALK_OK);
  setQuiet(false);
  selectCpu(saved);
  if (!found) return 0;
  store<u64>(block, walkGpa | (va & 0xfff), VCPU_MAILBOX2);
  return 1;
}
