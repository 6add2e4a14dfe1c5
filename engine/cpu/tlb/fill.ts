/** Fills of the software TLB: walks the guest's tables for an access that missed, and enters the page. */
import {
  FILL_LOG_CAPACITY,
  PAGE_CLEAN,
  PAGE_INVALID,
  PAGE_READONLY,
  STAT_TLB_MISS,
  TLB_ADDEND,
  TLB_GFN,
  TLB_TAG_EXEC,
  TLB_TAG_READ,
  TLB_TAG_WRITE,
  VCPU_FILL_COUNT,
  VCPU_FILL_LOG,
  VCPU_HUGE_FILTER,
  VCPU_INDEX,
} from '../../abi/index';
import { dirtyFrame, frame } from '../frames';
import { MODE_ALIGN, mode, tlbCells, tlbSuper } from '../mmu-mode';
import {
  commitAccessedDirty,
  faultCode,
  walkAllows,
  walkAllowsWrite,
  walkDirty,
  walkGlobal,
  walkGpa,
  walkNested,
  walkNx,
  walkShift,
  walkTables,
} from '../mmu-walk';
import { WALK_EXIT, WALK_OK, WALK_RETRY } from '../page-bits';
import { VREG_PAGE } from '../record';
import { clearPending, cpu, PEND_RETRY, pend, raisePageFault } from '../state';
import { stopBehind } from '../stops';
import { isNested } from '../svm/state';
import { forgetTable } from '../table-cache';
import { noteChanged, tracking } from '../track';
import { armed } from '../watch';
import {
  count,
  entryOf,
  GUEST_USED,
  gfnAt,
  HUGE_SHIFT,
  hasCode,
  hostAt,
  hugeBit,
  largeBit,
  largeByte,
  NO_TAG,
  noteGfn,
  noteUsed,
  noteWritten,
  uncover,
} from './entries';
import { retagEntry, written } from './retag';
import { isGlobal, noteEntry } from './windows';

export const ACCESS_R: i32 = 0;
export const ACCESS_W: i32 = 1;
export const ACCESS_X: i32 = 2;

/** Result of the last `fill`: host address of the byte, or 0 and the gpa if it is MMIO. */
export let hitHost: usize = 0;
export let hitGpa: u64 = 0;
@inline
export function setHit(host: usize): void {
  hitHost = host;
}

/**
 * Walks for va (wrapped already), checks rights, sets A/D, and enters the page into `table` (this vCPU's supervisor or user table, which
 * also says the privilege). 1: hitHost, or hitHost 0 and hitGpa for MMIO. 0: #PF or PEND_RETRY is pending and nothing was changed.
 */
export function fill(va: u64, access: i32, table: usize): i32 {
  count(STAT_TLB_MISS, 1);
  const user = table != tlbSuper;
  const write = access == ACCESS_W;
  const execute = access == ACCESS_X;
  const status = walkTables(va);
  if (status == WALK_RETRY) return pend(PEND_RETRY);
  if (status == WALK_EXIT) return 0;
  if (status != WALK_OK || !walkAllows(write, execute, user)) {
    // A page fault drops the paging-structure cache's entry for its address (SDM 3A 4.10.4.1): the table above may have been replaced.
    forgetTable(va);
    return raisePageFault(va, faultCode(status, write, execute, user));
  }
  if (isNested()) {
    const nested = walkNested(va & 0xfff, write, execute);
    if (nested != WALK_OK) return nested == WALK_RETRY ? pend(PEND_RETRY) : 0;
  }
  const gfn = walkGpa >> 12;
  let answer = frame(gfn);
  if (answer & PAGE_INVALID) return pend(PEND_RETRY);
  commitAccessedDirty(write);
  hitGpa = walkGpa | (va & 0xfff);
  if (answer == 0 || (write && answer & PAGE_READONLY)) {
    hitHost = 0;
    return 1;
  }
  if (write && answer & PAGE_CLEAN) {
    dirtyFrame(gfn);
    answer &= ~(<u32>PAGE_CLEAN);
  }
  hitHost = <usize>(answer & 0xfffff000) + (<usize>va & 0xfff);
  if (write && tracking) noteChanged(hitHost);
  const page = va & ~(<u64>0xfff);
  if (!execute && replacesCode(entryOf(table, va), page, answer)) stopBehind();
  enter(page, table, gfn, answer);
  return 1;
}

/**
 * Like `fill`, for a read or write with no other effect: no fault, no INVALID slot, no device, no first write to a clean page, no write to
 * decoded code, no other page in the place of one that may be running. 0: it is not such an access, and nothing was changed.
 */
export function fillPlain(va: u64, write: bool, table: usize): i32 {
  const page = va & ~(<u64>0xfff);
  const tag = entryOf(table, va) + (write ? TLB_TAG_WRITE : TLB_TAG_READ);
  // A watched page is in the TLB already, and only the interpreter accesses it.
  if (load<u64>(tag) == (page | 1)) {
    if (write) written(tag, load<u32>(tag - TLB_TAG_WRITE, TLB_ADDEND) + <u32>page);
    return i32(load<u64>(tag) == page);
  }
  if (walkTables(va) != WALK_OK) return giveUp();
  if (!walkAllows(write, false, table != tlbSuper)) return 0;
  if (isNested() && walkNested(va & 0xfff, write, false) != WALK_OK) return giveUp();
  const gfn = walkGpa >> 12;
  const answer = frame(gfn);
  if (answer == 0 || answer & PAGE_INVALID) return 0;
  if (write && (answer & (PAGE_READONLY | PAGE_CLEAN) || hasCode(answer & 0xfffff000))) return 0;
  if (replacesCode(entryOf(table, va), page, answer)) return 0;
  count(STAT_TLB_MISS, 1);
  commitAccessedDirty(write);
  if (write && tracking) noteChanged(answer & 0xfffff000);
  enter(page, table, gfn, answer);
  return i32(load<u64>(tag) == page);
}

/** A quiet access met a #VMEXIT: leaves that to the interpreter. Returns 0. */
function giveUp(): i32 {
  clearPending();
  return 0;
}

/**
 * Will the entry lose a page with decoded code, or get another frame for it, or one that must not be executed? The block that runs may be there, and
 * must not go on in the old frame: a slice that ended inside it would fetch from the new one, so the guest would depend on slices.
 */
function replacesCode(entry: usize, page: u64, answer: u32): bool {
  const tag = load<u64>(entry, TLB_TAG_EXEC);
  if (tag == NO_TAG) return false;
  const old = tag & ~(<u64>1);
  const addend = load<u32>(entry, TLB_ADDEND);
  if (old == page && addend == (answer & 0xfffff000) - <u32>page && !walkNx) return false;
  // Data pages without NX have this tag too. A block that is not cached does not count as code of its page.
  return old == load<u64>(cpu, VREG_PAGE) || hasCode(<u32>old + addend);
}

function enter(page: u64, table: usize, gfn: u64, answer: u32): void {
  const entry = entryOf(table, page);
  const host = answer & 0xfffff000;
  const user = table != tlbSuper;
  // Accesses whose alignment is checked must not hit.
  const checked = user && (mode & MODE_ALIGN) != 0;
  const writable = !checked && walkDirty && walkAllowsWrite(user) && !(answer & (PAGE_READONLY | PAGE_CLEAN)) && !hasCode(host);
  const number = <u32>((entry - tlbSuper) >> 5);
  const same =
    !checked &&
    load<u64>(entry, TLB_TAG_READ) == page &&
    load<u32>(entry, TLB_ADDEND) == host - <u32>page &&
    (writable || load<u64>(entry, TLB_TAG_WRITE) == NO_TAG) &&
    isGlobal(tlbCells, number) == walkGlobal;
  if (!same) {
    uncover(entry);
    noteEntry(tlbCells, number, walkGlobal);
  }
  store<u64>(entry, checked ? NO_TAG : page, TLB_TAG_READ);
  store<u64>(entry, writable ? page : NO_TAG, TLB_TAG_WRITE);
  store<u64>(entry, walkNx ? NO_TAG : page, TLB_TAG_EXEC);
  store<u32>(entry, host - <u32>page, TLB_ADDEND);
  store<u32>(entry, <u32>gfn, TLB_GFN);
  store<u32>(gfnAt(tlbCells, number), <u32>gfn);
  store<u8>(hostAt(tlbCells, number), <u8>(host >> 12));
  noteGfn(<u32>gfn);
  if (armed || tracking) {
    retagEntry(cpu, entry);
    // A window with the page would bypass the mark.
    uncover(entry);
  }
  if (writable) noteWritten(host);
  noteUsed(tlbCells == cpu ? 1 << load<u32>(cpu, VCPU_INDEX) : GUEST_USED << load<u32>(cpu, VCPU_INDEX));
  if (!walkGlobal) noteFill(number);
  if (walkShift > 12) noteLarge(page);
}

@inline
function noteFill(number: u32): void {
  const filled = load<u32>(tlbCells, VCPU_FILL_COUNT);
  if (filled < <u32>FILL_LOG_CAPACITY) store<u16>(tlbCells + ((<usize>filled) << 1), <u16>number, VCPU_FILL_LOG);
  if (filled <= <u32>FILL_LOG_CAPACITY) store<u32>(tlbCells, filled + 1, VCPU_FILL_COUNT);
}
function noteLarge(va: u64): void {
  if (walkShift == <i32>HUGE_SHIFT) {
    store<u32>(tlbCells, load<u32>(tlbCells, VCPU_HUGE_FILTER) | hugeBit(va), VCPU_HUGE_FILTER);
    return;
  }
  const byte = largeByte(va);
  store<u8>(byte, load<u8>(byte) | largeBit(va));
}
