/**
 * Breakpoints and watchpoints: the guest's (DR0-DR7; SDM 3B 18.2) and the debugger's (abi/watch.ts). They cost nothing while none is armed: watched
 * pages get TLB tags that never hit (bit 0 set), so every access and every jump to them takes the slow path, which checks. The translation stays in
 * the entry; otherwise a guest that changed its tables without a flush could see the difference.
 *
 * Code of a watched page is decoded under a separate key (KEY_WATCHED), and blocks end before each breakpoint. The block that begins there is never
 * cached, so `findBlock` sees every arrival, and everything else in the page runs from the cache.
 */
import {
  CODE_OFFSETS,
  CODE_OFFSETS_SIZE,
  HIT_ACCESS,
  HIT_ADDRESS,
  HIT_BYTES,
  HIT_COUNT,
  HIT_GPA,
  HIT_LIMIT,
  HIT_SIZE,
  HIT_WATCH,
  HITS,
  MAX_VCPUS,
  TLB_ENTRIES,
  TLB_GFN,
  TLB_TAG_EXEC,
  TLB_TAG_READ,
  TLB_TAG_WRITE,
  VCPU_CR4,
  VCPU_DR0,
  VCPU_DR7,
  VCPU_ICOUNT,
  VCPU_PASS_COUNT,
  VCPU_PASS_RIP,
  WATCH_EXEC,
  WATCH_FIRST,
  WATCH_KIND,
  WATCH_LAST,
  WATCH_LIMIT,
  WATCH_MSR,
  WATCH_PHYSICAL,
  WATCH_PORT,
  WATCH_READ,
  WATCH_SIZE,
  WATCH_VECTOR,
  WATCH_WRITE,
  WATCHES,
} from '../abi/index';
import { codeWritten, dropAllCode } from './code-pages';
import { CR4_DE, isLong, tlbBase } from './mmu-mode';
import { blockOf, cpu } from './state';
import { stopBehind } from './stops';

/** What guest or debugger has armed: ARM_*. Fast checks compare it with 0. */
export let armed: u32 = 0;
export const ARM_CODE: u32 = 1;
export const ARM_DATA: u32 = 2;
/** The guest's data breakpoints: they see each iteration of a repeated string instruction. */
export const ARM_GUEST_DATA: u32 = 4;
export const ARM_PORT: u32 = 8;
export const ARM_MSR: u32 = 16;
export const ARM_VECTOR: u32 = 32;

/** The watched tags of a TLB entry. */
export const TAG_READ: u32 = 1;
export const TAG_WRITE: u32 = 2;
export const TAG_EXEC: u32 = 4;

/** DR7.R/W of each breakpoint (SDM 3B 18.2.4). */
const RW_EXEC: u32 = 0;
const RW_WRITE: u32 = 1;
const RW_PORT: u32 = 2;
const RW_ACCESS: u32 = 3;

/** Bits of DR6 that the running instruction, or the delivery of an event, has hit. */
let guestHits: u32 = 0;

// Debug registers

@inline
function enabled(dr7: u32, n: u32): bool {
  return ((dr7 >> (n << 1)) & 3) != 0;
}
@inline
function rwOf(dr7: u32, n: u32): u32 {
  return (dr7 >> (16 + (n << 2))) & 3;
}
/** Bytes less 1: LEN is 0, 1, 2, 3 for 1, 2, 8, 4. */
@inline
function maskOf(dr7: u32, n: u32): u64 {
  const code = (dr7 >> (18 + (n << 2))) & 3;
  return code == 2 ? 7 : <u64>code;
}
@inline
function addressOf(block: usize, n: u32): u64 {
  return load<u64>(block + ((<usize>n) << 3), VCPU_DR0);
}

function guestArms(block: usize): u32 {
  const dr7 = load<u32>(block, VCPU_DR7);
  if (!(dr7 & 0xff)) return 0;
  let arms: u32 = 0;
  for (let n: u32 = 0; n < 4; n++) {
    if (!enabled(dr7, n)) continue;
    const rw = rwOf(dr7, n);
    if (rw == RW_PORT) arms |= ARM_PORT;
    else if (rw == RW_EXEC) {
      arms |= ARM_CODE;
      noteOffsets(addressOf(block, n), addressOf(block, n));
    } else arms |= ARM_DATA | ARM_GUEST_DATA;
  }
  return arms;
}

function watchArms(watch: usize): u32 {
  const kind = load<u32>(watch, WATCH_KIND);
  if (kind & WATCH_PORT) return ARM_PORT;
  if (kind & WATCH_MSR) return ARM_MSR;
  if (kind & WATCH_VECTOR) return ARM_VECTOR;
  let arms: u32 = kind & (WATCH_READ | WATCH_WRITE) ? ARM_DATA : 0;
  if (kind & WATCH_EXEC) {
    arms |= ARM_CODE;
    noteOffsets(load<u64>(watch, WATCH_FIRST), load<u64>(watch, WATCH_LAST));
  }
  return arms;
}

@inline
function watchAt(index: u32): usize {
  return <usize>WATCHES + <usize>index * WATCH_SIZE;
}

/** Page offsets before which blocks end, in any watched page. */
function noteOffsets(first: u64, last: u64): void {
  if (last - first >= 4095) {
    memory.fill(CODE_OFFSETS, 0xff, CODE_OFFSETS_SIZE);
    return;
  }
  for (let at = first; ; at++) {
    const byte = <usize>CODE_OFFSETS + ((<usize>at & 4095) >> 3);
    store<u8>(byte, load<u8>(byte) | <u8>((<u32>1) << (<u32>at & 7)));
    if (at == last) return;
  }
}

/** Is a breakpoint at this offset of some page? */
export function isCodeOffset(off: usize): bool {
  return ((load<u8>(<usize>CODE_OFFSETS + (off >> 3)) >> (<u8>off & 7)) & 1) != 0;
}

/** Reads the table and the debug registers again. False: nothing is watched, and nothing was before. */
export function rearm(): bool {
  const before = armed;
  armed = 0;
  memory.fill(CODE_OFFSETS, 0, CODE_OFFSETS_SIZE);
  for (let vcpu = 0; vcpu < MAX_VCPUS; vcpu++) armed |= guestArms(blockOf(vcpu));
  for (let index: u32 = 0; index < <u32>WATCH_LIMIT; index++) armed |= watchArms(watchAt(index));
  if (!(before | armed)) return false;
  dropWatchedCode();
  return true;
}

// Pages that hold code decoded for KEY_WATCHED

const PAGE_LIMIT: i32 = 64;
const pages = memory.data(256);
let pageCount: i32 = 0;

/** Code of this host page will be decoded for KEY_WATCHED. */
export function noteWatchedCode(page: usize): void {
  for (let i = 0; i < min(pageCount, PAGE_LIMIT); i++) if (load<u32>(pages + ((<usize>i) << 2)) == <u32>page) return;
  if (pageCount < PAGE_LIMIT) store<u32>(pages + ((<usize>pageCount) << 2), <u32>page);
  pageCount = min(pageCount + 1, PAGE_LIMIT + 1);
}

function dropWatchedCode(): void {
  if (pageCount > PAGE_LIMIT) dropAllCode();
  else for (let i = 0; i < pageCount; i++) codeWritten((<usize>load<u32>(pages + ((<usize>i) << 2))) << 12, 4096);
  pageCount = 0;
}

// Pages

/** TAG_* of a page of linear memory that maps this gfn (its low 32 bits), for the vCPU of this block. Called only while something is armed. */
export function watchedTags(block: usize, page: u64, gfn: u32): u32 {
  let tags: u32 = 0;
  const dr7 = load<u32>(block, VCPU_DR7);
  if (dr7 & 0xff)
    for (let n: u32 = 0; n < 4; n++) {
      if (!enabled(dr7, n) || addressOf(block, n) >> 12 != page >> 12) continue;
      const rw = rwOf(dr7, n);
      if (rw == RW_EXEC) tags |= TAG_EXEC;
      else if (rw == RW_WRITE) tags |= TAG_WRITE;
      else if (rw == RW_ACCESS) tags |= TAG_READ | TAG_WRITE;
    }
  for (let index: u32 = 0; index < <u32>WATCH_LIMIT; index++) {
    const watch = watchAt(index);
    const kind = load<u32>(watch, WATCH_KIND);
    if (!(kind & (WATCH_EXEC | WATCH_READ | WATCH_WRITE)) || kind & (WATCH_PORT | WATCH_MSR)) continue;
    const first = load<u64>(watch, WATCH_FIRST) >> 12;
    const last = load<u64>(watch, WATCH_LAST) >> 12;
    const inside = kind & WATCH_PHYSICAL ? <u64>(gfn - <u32>first) <= last - first : (page >> 12) - first <= last - first;
    if (!inside) continue;
    if (kind & WATCH_EXEC) tags |= TAG_EXEC;
    if (kind & WATCH_READ) tags |= TAG_READ;
    if (kind & WATCH_WRITE) tags |= TAG_WRITE;
  }
  return tags;
}

@inline
function entryOf(table: usize, va: u64): usize {
  return table + (((<usize>(va >> 12) ^ <usize>(va >> 24)) & (TLB_ENTRIES - 1)) << 5);
}

/** Does the page of linear memory that maps this gfn have a breakpoint for the vCPU of this block? */
export function breaksIn(block: usize, page: u64, gfn: u32): bool {
  return (armed & ARM_CODE) != 0 && (watchedTags(block, page, gfn) & TAG_EXEC) != 0;
}

/** Is the page of va, which has just been fetched from, watched? */
export function isWatchedCode(va: u64): bool {
  return (load<u64>(entryOf(tlbBase, va), TLB_TAG_EXEC) & 1) != 0;
}

/** Is one of the guest's data breakpoints in va's page? */
export function guestWatches(va: u64): bool {
  const dr7 = load<u32>(cpu, VCPU_DR7);
  for (let n: u32 = 0; n < 4; n++) if (enabled(dr7, n) && rwOf(dr7, n) & 1 && addressOf(cpu, n) >> 12 == va >> 12) return true;
  return false;
}

// Hits

function hit(index: u32, access: u32, address: u64, gpa: u64, bytes: u32): void {
  const count = load<u32>(HIT_COUNT);
  store<u32>(HIT_COUNT, count + 1);
  if (count >= <u32>HIT_LIMIT) return;
  const at = <usize>HITS + <usize>count * HIT_SIZE;
  store<u32>(at, index, HIT_WATCH);
  store<u32>(at, access, HIT_ACCESS);
  store<u64>(at, address, HIT_ADDRESS);
  store<u64>(at, gpa, HIT_GPA);
  store<u32>(at, bytes, HIT_BYTES);
}

/** Was a watch of the debugger hit? */
@inline
export function labHits(): bool {
  return load<u32>(HIT_COUNT) != 0;
}
export function takeGuestHits(): u32 {
  const hits = guestHits;
  guestHits = 0;
  return hits;
}
/** Discards hits: `run` begins, or the instruction that hit did not complete. */
export function dropHits(): void {
  guestHits = 0;
  store<u32>(HIT_COUNT, 0);
}

@inline
function overlap(va: u64, bytes: u64, first: u64, last: u64): bool {
  return va - first <= last - first || first - va < bytes;
}

/** An access of `bytes` at va inside one page has happened; `gpa` is where. */
function notePart(va: u64, bytes: u64, access: u32, gpa: u64): bool {
  let seen = false;
  const dr7 = load<u32>(cpu, VCPU_DR7);
  if (dr7 & 0xff) {
    const wide: u64 = isLong() ? 0xffffffffffffffff : 0xffffffff;
    for (let n: u32 = 0; n < 4; n++) {
      if (!enabled(dr7, n)) continue;
      const rw = rwOf(dr7, n);
      if (rw != RW_ACCESS && !(rw == RW_WRITE && access == WATCH_WRITE)) continue;
      const mask = maskOf(dr7, n);
      const first = addressOf(cpu, n) & ~mask & wide;
      if (!overlap(va, bytes, first, first | mask)) continue;
      guestHits |= 1 << n;
      seen = true;
    }
  }
  for (let index: u32 = 0; index < <u32>WATCH_LIMIT; index++) {
    const watch = watchAt(index);
    const kind = load<u32>(watch, WATCH_KIND);
    if (!(kind & access) || kind & (WATCH_PORT | WATCH_MSR)) continue;
    const at = kind & WATCH_PHYSICAL ? gpa : va;
    if (!overlap(at, bytes, load<u64>(watch, WATCH_FIRST), load<u64>(watch, WATCH_LAST))) continue;
    hit(index, access, va, gpa, <u32>bytes);
    seen = true;
  }
  return seen;
}

/** The physical address of va: of its TLB entry, or `device` where a device answers. */
function gpaOf(va: u64, table: usize, device: u64): u64 {
  const entry = entryOf(table, va);
  const page = va & ~(<u64>0xfff);
  const known =
    (load<u64>(entry, TLB_TAG_READ) & ~(<u64>1)) == page ||
    (load<u64>(entry, TLB_TAG_WRITE) & ~(<u64>1)) == page ||
    (load<u64>(entry, TLB_TAG_EXEC) & ~(<u64>1)) == page;
  return known ? ((<u64>load<u32>(entry, TLB_GFN)) << 12) | (va & 0xfff) : device;
}

/**
 * Memory was read or written (WATCH_READ, WATCH_WRITE): `size` bytes through the table of this privilege; `device` is the gpa if no memslot maps it.
 * Called only while ARM_DATA is armed.
 */
export function noteData(va: u64, size: i32, access: u32, table: usize, device: u64): void {
  const first = min(<u64>size, 0x1000 - (va & 0xfff));
  let seen = notePart(va, first, access, gpaOf(va, table, device));
  if (first < <u64>size) seen = notePart(va + first, <u64>size - first, access, gpaOf(va + first, table, device)) || seen;
  if (seen) stopBehind();
}

/** IN (WATCH_READ) or OUT (WATCH_WRITE) is done. */
export function notePort(port: u32, size: i32, access: u32): void {
  let seen = false;
  const dr7 = load<u32>(cpu, VCPU_DR7);
  if (dr7 & 0xff && load<u64>(cpu, VCPU_CR4) & CR4_DE)
    for (let n: u32 = 0; n < 4; n++) {
      if (!enabled(dr7, n) || rwOf(dr7, n) != RW_PORT) continue;
      const mask = maskOf(dr7, n);
      const first = addressOf(cpu, n) & ~mask;
      if (!overlap(<u64>port, <u64>size, first, first | mask)) continue;
      guestHits |= 1 << n;
      seen = true;
    }
  if (noteNumber(WATCH_PORT, access, <u64>port, <u32>size) || seen) stopBehind();
}

function noteNumber(kind: u32, access: u32, number: u64, size: u32): bool {
  let seen = false;
  for (let index: u32 = 0; index < <u32>WATCH_LIMIT; index++) {
    const watch = watchAt(index);
    const wanted = load<u32>(watch, WATCH_KIND);
    if (!(wanted & kind) || (access && !(wanted & access))) continue;
    if (!overlap(number, <u64>size, load<u64>(watch, WATCH_FIRST), load<u64>(watch, WATCH_LAST))) continue;
    hit(index, access, number, 0, size);
    seen = true;
  }
  return seen;
}

/** RDMSR or WRMSR is done. */
export function noteMsr(number: u32, access: u32): void {
  if (noteNumber(WATCH_MSR, access, <u64>number, 1)) stopBehind();
}

/** The handler of a vector was entered. */
export function noteVector(vector: i32): void {
  if (noteNumber(WATCH_VECTOR, 0, <u64>vector, 1)) stopBehind();
}

/** While true, the guest's breakpoint on the next instruction is ignored, because of RFLAGS.RF or a preceding MOV SS. */
let passing: bool = false;
export function setPassing(value: bool): void {
  passing = value;
}

let metRip: u64 = 0;
let metVa: u64 = 0;

/** Must the instruction at `rip`, linear address va in a watched page, wait for a breakpoint? `meetBreakpoint` finds whose. */
export function stopsCode(rip: u64, va: u64): bool {
  if (!isCodeOffset(<usize>va & 4095)) return false;
  metRip = rip;
  metVa = va;
  return (arrives() && labStops(false)) || guestStops() != 0;
}

/** Each arrival meets the debugger's breakpoints once. */
function arrives(): bool {
  return load<u64>(cpu, VCPU_PASS_COUNT) != load<u64>(cpu, VCPU_ICOUNT) || load<u64>(cpu, VCPU_PASS_RIP) != metRip;
}

function labStops(write: bool): bool {
  const gpa = gpaOf(metVa, tlbBase, 0);
  let seen = false;
  for (let index: u32 = 0; index < <u32>WATCH_LIMIT; index++) {
    const watch = watchAt(index);
    const kind = load<u32>(watch, WATCH_KIND);
    if (!(kind & WATCH_EXEC)) continue;
    const at = kind & WATCH_PHYSICAL ? gpa : metVa;
    if (!overlap(at, 1, load<u64>(watch, WATCH_FIRST), load<u64>(watch, WATCH_LAST))) continue;
    if (write) hit(index, WATCH_EXEC, metVa, gpa, 1);
    seen = true;
  }
  return seen;
}

function guestStops(): u32 {
  const dr7 = load<u32>(cpu, VCPU_DR7);
  if (passing || !(dr7 & 0xff)) return 0;
  const wide: u64 = isLong() ? 0xffffffffffffffff : 0xffffffff;
  let bits: u32 = 0;
  for (let n: u32 = 0; n < 4; n++) if (enabled(dr7, n) && rwOf(dr7, n) == RW_EXEC && (addressOf(cpu, n) & wide) == metVa) bits |= 1 << n;
  return bits;
}

/** The next instruction is the one that `stopsCode` found. Returns bits of DR6; 0: the debugger's breakpoints, which come first, have hits. */
export function meetBreakpoint(): u32 {
  if (!arrives() || !labStops(true)) return guestStops();
  store<u64>(cpu, load<u64>(cpu, VCPU_ICOUNT), VCPU_PASS_COUNT);
  store<u64>(cpu, metRip, VCPU_PASS_RIP);
  return 0;
}
