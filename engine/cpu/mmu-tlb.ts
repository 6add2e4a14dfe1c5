/**
 * Upkeep of the software TLB (entry layout: abi/tlb.ts): fills, guest flushes, zaps by the memslot engine.
 *
 * MOV CR3 must be cheap (a Linux boot does it 17,500 times) and must keep global pages. Tags stay bare page addresses, so the hit path
 * and compiled code pay nothing; instead every fill of a non-global page is noted in a per-vCPU log, and a flush that keeps globals
 * drops the logged entries. A log that overflowed makes the flush drop everything, which is always allowed.
 *
 * INVLPG must drop every 4 KiB fragment of a large page: per-vCPU filters remember which 4 MiB of linear space had pages of 2 or 4 MiB, and
 * which GiB had pages of 1 GiB. The fragments of 4 MiB share 1024 entries in a row, so a page of 4 KiB near large ones costs little.
 */
import {
  CODE_PAGES,
  FILL_LOG_CAPACITY,
  MAX_VCPUS,
  PAGE_CLEAN,
  PAGE_INVALID,
  PAGE_READONLY,
  STAT_TLB_FLUSH,
  STAT_TLB_MISS,
  STAT_ZAPPED_ENTRIES,
  TLB_ADDEND,
  TLB_ENTRIES,
  TLB_ENTRY_SIZE,
  TLB_GFN,
  TLB_TAG_EXEC,
  TLB_TAG_READ,
  TLB_TAG_WRITE,
  TLB_USER,
  VCPU_FILL_COUNT,
  VCPU_FILL_LOG,
  VCPU_GUEST_CONTEXT,
  VCPU_HUGE_FILTER,
  VCPU_INDEX,
  VCPU_LARGE_FILTER,
  VCPU_STATS,
  VCPU_TLB,
  VCPU_TLB_GFNS,
  WRITTEN_PAGES,
} from '../abi/index';
import { clearFrameCaches, dirtyFrame, frame } from './frames';
import { MODE_ALIGN, mode, tlbCells, tlbSuper } from './mmu-mode';
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
} from './mmu-walk';
import { WALK_EXIT, WALK_OK, WALK_RETRY } from './page-bits';
import { blockOf, clearPending, cpu, PEND_RETRY, pend, raisePageFault } from './state';
import { isNested } from './svm/state';
import { forgetTable, forgetTables } from './table-cache';
import { isChanged, noteChanged, tracking } from './track';
import { armed, TAG_EXEC, TAG_READ, TAG_WRITE, watchedTags } from './watch';
import { dropPrivateWindows, dropWindows, dropWindowsOf, forgetNotes, isCovered, isGlobal, noteEntry } from './windows';

const NO_TAG: u64 = <u64>-1;
const TABLE_BYTES: usize = TLB_ENTRIES * TLB_ENTRY_SIZE;

const LARGE_SHIFT: u64 = 22;
const LARGE_ENTRIES: usize = 1024;
const HUGE_SHIFT: u64 = 30;

/** Bits of vCPUs whose TLB was ever filled, then of their guests. Scans skip the others. */
let usedTlbs: u32 = 0;
const GUEST_USED: u32 = 1 << MAX_VCPUS;
/** No entry of any context has a gfn below the first or above the last. A zap of other gfns, as of a slot nobody used yet, need not scan. */
let firstGfn: u32 = 0xffffffff;
let lastGfn: u32 = 0;
/** Number of contexts: the host's of each vCPU, then the guests'. Where number i lies, and its tables. */
const PAIRS: i32 = 2 * MAX_VCPUS;
function contextOf(i: i32): usize {
  return i < MAX_VCPUS ? blockOf(i) : blockOf(i - MAX_VCPUS) + VCPU_GUEST_CONTEXT;
}
function tablesOf(i: i32): usize {
  return contextOf(i) + VCPU_TLB;
}

export const ACCESS_R: i32 = 0;
export const ACCESS_W: i32 = 1;
export const ACCESS_X: i32 = 2;

/** Result of the last `fill`: host address of the byte, or 0 and the gpa when it is MMIO. */
export let hitHost: usize = 0;
export let hitGpa: u64 = 0;
@inline
export function setHit(host: usize): void {
  hitHost = host;
}

@inline
function count(stat: usize, n: u64): void {
  store<u64>(cpu + stat, load<u64>(cpu + stat, VCPU_STATS) + n, VCPU_STATS);
}
@inline
function entryOf(table: usize, va: u64): usize {
  return table + (((<usize>(va >> 12) ^ <usize>(va >> 24)) & (TLB_ENTRIES - 1)) << 5);
}
@inline
function clearTags(entry: usize): void {
  store<u64>(entry, NO_TAG, TLB_TAG_READ);
  store<u64>(entry, NO_TAG, TLB_TAG_WRITE);
  store<u64>(entry, NO_TAG, TLB_TAG_EXEC);
}
/** Number of an entry in a context's tables, as in the lists (windows.ts). */
@inline
function numberIn(context: usize, entry: usize): u32 {
  return <u32>((entry - (context + VCPU_TLB)) >> 5);
}
/** Where VCPU_TLB_GFNS has the gfn of this entry. */
@inline
function gfnAt(context: usize, number: u32): usize {
  return context + VCPU_TLB_GFNS + ((<usize>number) << 2);
}
/** This entry of the tables in use is about to lose its page. */
@inline
function uncover(entry: usize): void {
  const number = numberIn(tlbCells, entry);
  if (isCovered(tlbCells, number)) dropWindowsOf(tlbCells, number, load<u64>(entry, TLB_TAG_READ));
}
@inline
function isEmpty(entry: usize): bool {
  return (load<u64>(entry, TLB_TAG_READ) & load<u64>(entry, TLB_TAG_WRITE) & load<u64>(entry, TLB_TAG_EXEC)) == NO_TAG;
}
@inline
function hasCode(host: usize): bool {
  return load<u32>((host >> 12) << 2, CODE_PAGES) != 0;
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
  enter(va & ~(<u64>0xfff), table, gfn, answer);
  return 1;
}

/**
 * As `fill` for a read or write that hits memory and concerns nobody else: no fault, no INVALID slot, no device, no first write to a clean
 * page, no write to decoded code. 0: it is not such an access, and nothing was changed.
 */
export function fillPlain(va: u64, write: bool, table: usize): i32 {
  const page = va & ~(<u64>0xfff);
  const tag = entryOf(table, va) + (write ? TLB_TAG_WRITE : TLB_TAG_READ);
  // A watched page is entered already, and stays the interpreter's.
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
  count(STAT_TLB_MISS, 1);
  commitAccessedDirty(write);
  if (write && tracking) noteChanged(answer & 0xfffff000);
  enter(page, table, gfn, answer);
  return i32(load<u64>(tag) == page);
}

/** Leaves a #VMEXIT that a quiet access met to the interpreter. Returns 0. */
function giveUp(): i32 {
  clearPending();
  return 0;
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
  firstGfn = min(firstGfn, <u32>gfn);
  lastGfn = max(lastGfn, <u32>gfn);
  if (armed || tracking) {
    retagEntry(cpu, entry);
    // A window that has the page would go past the mark.
    uncover(entry);
  }
  if (writable) noteWritten(host);
  usedTlbs |= tlbCells == cpu ? 1 << load<u32>(cpu, VCPU_INDEX) : GUEST_USED << load<u32>(cpu, VCPU_INDEX);
  if (!walkGlobal) noteFill(number);
  if (walkShift > 12) noteLarge(page);
}

@inline
function noteWritten(host: u32): void {
  const byte = <usize>WRITTEN_PAGES + <usize>(host >> 15);
  store<u8>(byte, load<u8>(byte) | <u8>((<u32>1) << ((host >> 12) & 7)));
}
@inline
function noteFill(number: u32): void {
  const filled = load<u32>(tlbCells, VCPU_FILL_COUNT);
  if (filled < <u32>FILL_LOG_CAPACITY) store<u16>(tlbCells + ((<usize>filled) << 1), <u16>number, VCPU_FILL_LOG);
  if (filled <= <u32>FILL_LOG_CAPACITY) store<u32>(tlbCells, filled + 1, VCPU_FILL_COUNT);
}
/** The byte of VCPU_LARGE_FILTER for va, and the bit in it. */
@inline
function largeByte(va: u64): usize {
  return tlbCells + VCPU_LARGE_FILTER + <usize>((<u32>(va >> LARGE_SHIFT) & 1023) >> 3);
}
@inline
function largeBit(va: u64): u8 {
  return <u8>((<u32>1) << (<u32>(va >> LARGE_SHIFT) & 7));
}
@inline
function hugeBit(va: u64): u32 {
  return (<u32>1) << (<u32>(va >> HUGE_SHIFT) & 31);
}
function noteLarge(va: u64): void {
  if (walkShift == <i32>HUGE_SHIFT) {
    store<u32>(tlbCells, load<u32>(tlbCells, VCPU_HUGE_FILTER) | hugeBit(va), VCPU_HUGE_FILTER);
    return;
  }
  const byte = largeByte(va);
  store<u8>(byte, load<u8>(byte) | largeBit(va));
}

/** Bit 0 of a tag says that the page is watched (watch.ts): it never hits. */
@inline
function setWatched(tag: usize, watched: bool): void {
  const value = load<u64>(tag);
  if (value != NO_TAG) store<u64>(tag, (value & ~(<u64>1)) | u64(watched));
}
function retagEntry(block: usize, entry: usize): void {
  if (isEmpty(entry)) return;
  let page = load<u64>(entry, TLB_TAG_READ);
  if (page == NO_TAG) page = load<u64>(entry, TLB_TAG_WRITE);
  if (page == NO_TAG) page = load<u64>(entry, TLB_TAG_EXEC);
  page &= ~(<u64>1);
  const tags = armed ? watchedTags(block, page, load<u32>(entry, TLB_GFN)) : 0;
  const host = <usize>(<u32>page + load<u32>(entry, TLB_ADDEND));
  setWatched(entry + TLB_TAG_READ, (tags & TAG_READ) != 0);
  // A write tag of a page with decoded code is there only in a TLB that was put back.
  setWatched(entry + TLB_TAG_WRITE, (tags & TAG_WRITE) != 0 || (tracking && !isChanged(host)) || hasCode(host));
  setWatched(entry + TLB_TAG_EXEC, (tags & TAG_EXEC) != 0);
}

/** A write goes through this write tag, which has bit 0 set, to this host page. From now on it hits, if nothing watches it. */
export function written(tag: usize, host: u32): void {
  if (!tracking) return;
  noteChanged(host);
  const entry = tag - TLB_TAG_WRITE;
  const watched = armed ? watchedTags(cpu, load<u64>(tag) & ~(<u64>1), load<u32>(entry, TLB_GFN)) : 0;
  if (!(watched & TAG_WRITE) && !hasCode(host)) setWatched(tag, false);
}

/** The TLBs of the vCPU of this block are as they were some time ago. */
export function restoreTlb(block: usize): void {
  firstGfn = 0;
  lastGfn = 0xffffffff;
  const index = load<u32>(block, VCPU_INDEX);
  usedTlbs |= (GUEST_USED + 1) << index;
  clearFrameCaches();
  for (let i = <i32>index; i < PAIRS; i += MAX_VCPUS) {
    let entry = tablesOf(i);
    for (const end = entry + 2 * TABLE_BYTES; entry < end; entry += TLB_ENTRY_SIZE) {
      retagEntry(block, entry);
      store<u32>(gfnAt(contextOf(i), numberIn(contextOf(i), entry)), load<u32>(entry, TLB_GFN));
      const tag = load<u64>(entry, TLB_TAG_WRITE);
      if (tag == NO_TAG) continue;
      noteWritten((<u32>tag & ~1) + load<u32>(entry, TLB_ADDEND));
    }
    dropWindows(contextOf(i));
  }
}

/** Updates all entries of all vCPUs to what is watched now, without dropping any. */
export function retag(): void {
  for (let index = 0; index < PAIRS; index++) {
    if (!((usedTlbs >> index) & 1)) continue;
    const block = blockOf(index % MAX_VCPUS);
    let entry: usize = tablesOf(index);
    for (const end = entry + 2 * TABLE_BYTES; entry < end; entry += TLB_ENTRY_SIZE) retagEntry(block, entry);
    dropWindows(contextOf(index));
  }
}

/** Empties a context: its two tables, and what goes with them. */
function dropContext(context: usize): void {
  forgetTables();
  memory.fill(context + VCPU_TLB, 0xff, 2 * TABLE_BYTES);
  memory.fill(context + VCPU_LARGE_FILTER, 0, 128);
  store<u32>(context, 0, VCPU_HUGE_FILTER);
  store<u32>(context, 0, VCPU_FILL_COUNT);
  forgetNotes(context);
}

/** Empties the host's and the guest's tables of a vCPU, given by its block. */
function dropAll(block: usize): void {
  dropContext(block);
  dropContext(block + VCPU_GUEST_CONTEXT);
}

/** Empties the tables of a vCPU's guest under SVM. */
export function dropGuestTlb(block: usize): void {
  dropContext(block + VCPU_GUEST_CONTEXT);
}

/** Empties the tables that are in use otherwise. */
export function dropHostTlb(block: usize): void {
  dropContext(block);
}

/** The running program's own flush (MOV CR3, CR4 changes). keepGlobal keeps pages entered as global. */
export function flushTlb(keepGlobal: bool): void {
  const filled = load<u32>(tlbCells, VCPU_FILL_COUNT);
  forgetTables();
  count(STAT_TLB_FLUSH, 1);
  if (!keepGlobal || filled > <u32>FILL_LOG_CAPACITY) {
    dropContext(tlbCells);
    return;
  }
  let at = tlbCells + VCPU_FILL_LOG;
  const end = at + ((<usize>filled) << 1);
  // An entry of the log may hold a global page by now.
  let all = false;
  for (; at < end; at += 2) {
    const number = load<u16>(at);
    all = all || (isCovered(tlbCells, number) && isGlobal(tlbCells, number));
    clearTags(tlbSuper + ((<usize>number) << 5));
  }
  if (all) dropWindows(tlbCells);
  else dropPrivateWindows(tlbCells);
  store<u32>(tlbCells, 0, VCPU_FILL_COUNT);
}

function dropEntry(entry: usize): void {
  uncover(entry);
  clearTags(entry);
}

/** INVLPG: drops va's page, global or not, with all its fragments if it is large. */
export function invlpg(va: u64): void {
  forgetTables();
  dropEntry(entryOf(tlbSuper, va));
  dropEntry(entryOf(tlbSuper + TLB_USER, va));
  if (load<u32>(tlbCells, VCPU_HUGE_FILTER) & hugeBit(va)) dropLinear(va, HUGE_SHIFT, 0, TLB_ENTRIES);
  else if (load<u8>(largeByte(va)) & largeBit(va))
    dropLinear(va, LARGE_SHIFT, ((entryOf(tlbSuper, va) - tlbSuper) / TLB_ENTRY_SIZE) & ~(LARGE_ENTRIES - 1), LARGE_ENTRIES);
}

/** Drops the entries, among `count` from number `first` on, whose address agrees with va above `shift`. */
function dropLinear(va: u64, shift: u64, first: usize, count: usize): void {
  for (let at = first; at < first + count; at++) {
    const entry = tlbSuper + at * TLB_ENTRY_SIZE;
    if (load<u64>(entry, TLB_TAG_READ) >> shift == va >> shift) dropEntry(entry);
    if (load<u64>(entry + TLB_USER, TLB_TAG_READ) >> shift == va >> shift) dropEntry(entry + TLB_USER);
  }
}

/** Drops the entry, or its write tag. Did it lose something? */
function dropOne(entry: usize, writeOnly: bool): bool {
  if (writeOnly) {
    if (load<u64>(entry, TLB_TAG_WRITE) == NO_TAG) return false;
    store<u64>(entry, NO_TAG, TLB_TAG_WRITE);
    return true;
  }
  if (isEmpty(entry)) return false;
  clearTags(entry);
  return true;
}

/** As dropRange, in one context. `length` -1: everything. */
function dropIn(context: usize, first: u32, length: u32, writeOnly: bool): i32 {
  const all = length == 0xffffffff;
  const from = i32x4.splat(<i32>first);
  const most = i32x4.splat(<i32>length);
  let dropped = 0;
  let covered = false;
  for (let four: u32 = 0; four < <u32>(2 * TLB_ENTRIES); four += 4) {
    if (!all && !v128.any_true(i32x4.lt_u(i32x4.sub(v128.load(gfnAt(context, four)), from), most))) continue;
    for (let number = four; number < four + 4; number++) {
      const entry = context + VCPU_TLB + ((<usize>number) << 5);
      if ((load<u32>(entry, TLB_GFN) - first >= length && !all) || !dropOne(entry, writeOnly)) continue;
      covered = covered || isCovered(context, number);
      dropped++;
    }
  }
  if (covered) dropWindows(context);
  return dropped;
}

/** Drops entries of gfns [start, start + npages) on all vCPUs (writeOnly: only their write tags). How many lost something. */
function dropRange(start: f64, npages: f64, writeOnly: bool): i32 {
  clearFrameCaches();
  const first = <u32>(<u64>start);
  const length = npages >= 4294967296.0 ? 0xffffffff : <u32>npages;
  if (length == 0 || first > lastGfn || <u64>first + length <= <u64>firstGfn) return 0;
  let dropped = 0;
  for (let index = 0; index < PAIRS; index++) {
    if ((usedTlbs >> index) & 1) dropped += dropIn(contextOf(index), first, length, writeOnly);
  }
  if (!writeOnly) count(STAT_ZAPPED_ENTRIES, dropped);
  return dropped;
}

/** The engine's zap of a gfn range (see CoreExports.zapGfnRange). */
export function zapGfnRange(start: f64, npages: f64): i32 {
  return dropRange(start, npages, false);
}

/** Drops every translation of every vCPU; how many there were. */
export function zapAll(): i32 {
  const dropped = dropRange(0, 4294967296.0, false);
  for (let index = 0; index < MAX_VCPUS; index++) {
    if ((usedTlbs >> index) & (GUEST_USED + 1)) dropAll(blockOf(index));
  }
  return dropped;
}

/** Drops the write tags of a gfn range: its pages became clean or read-only. */
export function protectGfnRange(start: f64, npages: f64): i32 {
  return dropRange(start, npages, true);
}

/** Empties the TLB of the current vCPU without counting a guest flush (reset, restore). */
export function resetTlb(): void {
  clearFrameCaches();
  dropAll(cpu);
}

/** Drops the write tags of all entries, on all vCPUs, that map this host page (hva / 4096): it is about to hold decoded code. */
export function stripWriteTags(hostPage: u32): void {
  const byte = <usize>WRITTEN_PAGES + <usize>(hostPage >> 3);
  const bit: u32 = 1 << (hostPage & 7);
  if (!(load<u8>(byte) & bit)) return;
  store<u8>(byte, load<u8>(byte) & <u8>~bit);
  forgetTables();
  const host = hostPage << 12;
  for (let index = 0; index < PAIRS; index++) {
    if (!((usedTlbs >> index) & 1)) continue;
    const context = contextOf(index);
    let entry: usize = tablesOf(index);
    for (const end = entry + 2 * TABLE_BYTES; entry < end; entry += TLB_ENTRY_SIZE) {
      const tag = load<u64>(entry, TLB_TAG_WRITE);
      if (tag == NO_TAG || (<u32>tag & ~1) + load<u32>(entry, TLB_ADDEND) != host) continue;
      store<u64>(entry, NO_TAG, TLB_TAG_WRITE);
      if (isCovered(context, numberIn(context, entry))) dropWindowsOf(context, numberIn(context, entry), tag);
    }
  }
}
