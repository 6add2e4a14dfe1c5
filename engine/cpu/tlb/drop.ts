/** Drops of TLB entries: the guest's flushes (MOV CR3, INVLPG), zaps and protects by the memslot engine, resets, and write tags of pages with code. */
import {
  FILL_LOG_CAPACITY,
  MAX_VCPUS,
  STAT_TLB_FLUSH,
  STAT_ZAPPED_ENTRIES,
  TLB_ADDEND,
  TLB_ENTRIES,
  TLB_ENTRY_SIZE,
  TLB_GFN,
  TLB_TAG_WRITE,
  TLB_USER,
  VCPU_FILL_COUNT,
  VCPU_FILL_LOG,
  VCPU_GUEST_CONTEXT,
  VCPU_HUGE_FILTER,
  VCPU_LARGE_FILTER,
  VCPU_TLB,
  WRITTEN_PAGES,
} from '../../abi/index';
import { clearFrameCaches } from '../frames';
import { tlbCells, tlbSuper } from '../mmu-mode';
import { blockOf, cpu } from '../state';
import { forgetTables } from '../table-cache';
import {
  CONTEXTS,
  clearTags,
  contextOf,
  count,
  entryOf,
  firstGfn,
  GUEST_USED,
  gfnAt,
  HUGE_SHIFT,
  hostAt,
  hugeBit,
  isEmpty,
  LARGE_SHIFT,
  largeBit,
  largeByte,
  lastGfn,
  NO_TAG,
  pageOf,
  TABLE_BYTES,
  uncover,
  usedTlbs,
} from './entries';
import { dropPrivateWindows, dropWindows, dropWindowsOf, forgetNotes, isCovered, isGlobal } from './windows';

const LARGE_ENTRIES: usize = 1024;

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

/** Empties its own tables. */
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
  // An entry in the log may hold a global page by now.
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
    if (pageOf(entry) >> shift == va >> shift) dropEntry(entry);
    if (pageOf(entry + TLB_USER) >> shift == va >> shift) dropEntry(entry + TLB_USER);
  }
}

/** Drops the entry, or its write tag. Returns whether it had any. */
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

/** Like dropRange, in one context. `length` -1: everything. */
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

/** Drops entries of gfns [start, start + npages) on all vCPUs (writeOnly: only their write tags). Returns how many. */
function dropRange(start: f64, npages: f64, writeOnly: bool): i32 {
  clearFrameCaches();
  const first = <u32>(<u64>start);
  const length = npages >= 4294967296.0 ? 0xffffffff : <u32>npages;
  if (length == 0 || first > lastGfn || <u64>first + length <= <u64>firstGfn) return 0;
  let dropped = 0;
  for (let index = 0; index < CONTEXTS; index++) {
    if ((usedTlbs >> index) & 1) dropped += dropIn(contextOf(index), first, length, writeOnly);
  }
  if (!writeOnly) count(STAT_ZAPPED_ENTRIES, dropped);
  return dropped;
}

/** The engine's zap of a gfn range (see CoreExports.zapGfnRange). */
export function zapGfnRange(start: f64, npages: f64): i32 {
  return dropRange(start, npages, false);
}

/** Drops every translation of every vCPU. Returns how many. */
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

/** Drops the write tags of all entries, on all vCPUs, that map this host page (hva / 4096), which will hold decoded code. */
export function stripWriteTags(hostPage: u32): void {
  const byte = <usize>WRITTEN_PAGES + <usize>(hostPage >> 3);
  const bit: u32 = 1 << (hostPage & 7);
  if (!(load<u8>(byte) & bit)) return;
  store<u8>(byte, load<u8>(byte) & <u8>~bit);
  forgetTables();
  const sought = i8x16.splat(<i8>hostPage);
  for (let index = 0; index < CONTEXTS; index++) {
    if (!((usedTlbs >> index) & 1)) continue;
    const context = contextOf(index);
    for (let first: u32 = 0; first < <u32>(2 * TLB_ENTRIES); first += 16) {
      let alike = i8x16.bitmask(i8x16.eq(v128.load(hostAt(context, first)), sought));
      for (; alike != 0; alike &= alike - 1) stripWriteTag(context, first + <u32>ctz(alike), hostPage << 12);
    }
  }
}

/** Drops the write tag of an entry if it has one and maps this host page. */
function stripWriteTag(context: usize, number: u32, host: u32): void {
  const entry = context + VCPU_TLB + ((<usize>number) << 5);
  const tag = load<u64>(entry, TLB_TAG_WRITE);
  if (tag == NO_TAG || (<u32>tag & ~1) + load<u32>(entry, TLB_ADDEND) != host) return;
  store<u64>(entry, NO_TAG, TLB_TAG_WRITE);
  if (isCovered(context, number)) dropWindowsOf(context, number, tag);
}
