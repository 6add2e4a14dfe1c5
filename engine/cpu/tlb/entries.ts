/**
 * The entries of the software TLB (layout: abi/tlb.ts) and its contexts: every vCPU has one, and its guest under SVM another. fill.ts enters pages,
 * drop.ts has flushes and zaps, retag.ts the marks of watched pages, windows.ts the windows of compiled code.
 *
 * Tags are bare page addresses, so the hit path and compiled code pay nothing for flushes. MOV CR3 must be cheap (a Linux boot does it 17,500
 * times) and must keep global pages: a log per context notes every fill of a non-global page, and a flush that keeps globals drops the logged
 * entries. If the log has overflowed, the flush drops everything, which is always allowed.
 *
 * INVLPG must drop every 4 KiB fragment of a large page: filters per context record which 4 MiB of linear space had pages of 2 or 4 MiB, and which
 * GiB had pages of 1 GiB. The fragments of 4 MiB share 1024 entries in a row, so a page of 4 KiB near large ones costs little.
 */
import {
  CODE_PAGES,
  MAX_VCPUS,
  TLB_ENTRIES,
  TLB_ENTRY_SIZE,
  TLB_TAG_EXEC,
  TLB_TAG_READ,
  TLB_TAG_WRITE,
  VCPU_GUEST_CONTEXT,
  VCPU_LARGE_FILTER,
  VCPU_STATS,
  VCPU_TLB,
  VCPU_TLB_GFNS,
  VCPU_TLB_HOSTS,
  WRITTEN_PAGES,
} from '../../abi/index';
import { tlbCells } from '../mmu-mode';
import { blockOf, cpu } from '../state';
import { dropWindowsOf, isCovered } from './windows';

export const NO_TAG: u64 = <u64>-1;
export const TABLE_BYTES: usize = TLB_ENTRIES * TLB_ENTRY_SIZE;

export const LARGE_SHIFT: u64 = 22;
export const HUGE_SHIFT: u64 = 30;

/** Number of contexts: the host's of each vCPU, then the guests'. */
export const CONTEXTS: i32 = 2 * MAX_VCPUS;
/** Context number i, and its tables. */
export function contextOf(i: i32): usize {
  return i < MAX_VCPUS ? blockOf(i) : blockOf(i - MAX_VCPUS) + VCPU_GUEST_CONTEXT;
}
export function tablesOf(i: i32): usize {
  return contextOf(i) + VCPU_TLB;
}

/** Contexts that were ever filled, as bits by number (that of a vCPU's guest: GUEST_USED << index). Scans skip the others. */
export let usedTlbs: u32 = 0;
export const GUEST_USED: u32 = 1 << MAX_VCPUS;
@inline
export function noteUsed(contexts: u32): void {
  usedTlbs |= contexts;
}

/** No entry of any context has a gfn below the first or above the last. A zap of other gfns, such as those of a new slot, need not scan. */
export let firstGfn: u32 = 0xffffffff;
export let lastGfn: u32 = 0;
@inline
export function noteGfn(gfn: u32): void {
  firstGfn = min(firstGfn, gfn);
  lastGfn = max(lastGfn, gfn);
}
/** Any gfn may be in the TLB from now on. */
@inline
export function forgetGfns(): void {
  firstGfn = 0;
  lastGfn = 0xffffffff;
}

@inline
export function count(stat: usize, n: u64): void {
  store<u64>(cpu + stat, load<u64>(cpu + stat, VCPU_STATS) + n, VCPU_STATS);
}
@inline
export function entryOf(table: usize, va: u64): usize {
  return table + (((<usize>(va >> 12) ^ <usize>(va >> 24)) & (TLB_ENTRIES - 1)) << 5);
}
@inline
export function clearTags(entry: usize): void {
  store<u64>(entry, NO_TAG, TLB_TAG_READ);
  store<u64>(entry, NO_TAG, TLB_TAG_WRITE);
  store<u64>(entry, NO_TAG, TLB_TAG_EXEC);
}
/** Number of an entry in a context's tables, as in the lists (windows.ts). */
@inline
export function numberIn(context: usize, entry: usize): u32 {
  return <u32>((entry - (context + VCPU_TLB)) >> 5);
}
/** Address of the entry's gfn in VCPU_TLB_GFNS. */
@inline
export function gfnAt(context: usize, number: u32): usize {
  return context + VCPU_TLB_GFNS + ((<usize>number) << 2);
}
/** Address of the entry's host page in VCPU_TLB_HOSTS. */
@inline
export function hostAt(context: usize, number: u32): usize {
  return context + VCPU_TLB_HOSTS + <usize>number;
}
/** The entry, in the tables in use, will lose its page: drops windows that hold it. */
@inline
export function uncover(entry: usize): void {
  const number = numberIn(tlbCells, entry);
  if (isCovered(tlbCells, number)) dropWindowsOf(tlbCells, number, load<u64>(entry, TLB_TAG_READ));
}
/** The entry's page, maybe with the mark of a watched tag (bit 0); NO_TAG: it is empty. An entry may have a tag for execution only. */
@inline
export function pageOf(entry: usize): u64 {
  return load<u64>(entry, TLB_TAG_READ) & load<u64>(entry, TLB_TAG_WRITE) & load<u64>(entry, TLB_TAG_EXEC);
}
@inline
export function isEmpty(entry: usize): bool {
  return pageOf(entry) == NO_TAG;
}
@inline
export function hasCode(host: usize): bool {
  return load<u32>((host >> 12) << 2, CODE_PAGES) != 0;
}
/** The host page may have a write tag from now on. */
@inline
export function noteWritten(host: u32): void {
  const byte = <usize>WRITTEN_PAGES + <usize>(host >> 15);
  store<u8>(byte, load<u8>(byte) | <u8>((<u32>1) << ((host >> 12) & 7)));
}
/** The byte of VCPU_LARGE_FILTER for va, and the bit in it. */
@inline
export function largeByte(va: u64): usize {
  return tlbCells + VCPU_LARGE_FILTER + <usize>((<u32>(va >> LARGE_SHIFT) & 1023) >> 3);
}
@inline
export function largeBit(va: u64): u8 {
  return <u8>((<u32>1) << (<u32>(va >> LARGE_SHIFT) & 7));
}
@inline
export function hugeBit(va: u64): u32 {
  return (<u32>1) << (<u32>(va >> HUGE_SHIFT) & 31);
}
