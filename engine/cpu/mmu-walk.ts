/**
 * Walks of the guest's page tables: none, 32-bit (with PSE, PSE-36), PAE and 4-level with 2 MiB and 1 GiB pages. SDM 3A chapter 4.
 *
 * Tables are read by guest-physical address through the memslot engine. An entry that no memslot maps reads as all ones, like an
 * open bus does: with PAE and 4-level tables that sets reserved bits, so the guest gets #PF with RSVD.
 * PAE PDPTEs are read from memory at each walk instead of being cached at MOV CR3  (the SDM lets software see the difference only
 * if it changes them without a reload).
 * Not implemented: 5-level paging, PCID, SMEP, SMAP, protection keys (none is advertised), memory types (PAT, PCD, PWT are ignored).
 */
import { CODE_PAGES, PAGE_CLEAN, PAGE_INVALID, PAGE_READONLY, STAT_PAGE_WALK, VCPU_CR3, VCPU_STATS, VCPU_WALK } from '../abi/index';
import { codeWritten } from './code-pages';
import { dirtyFrame, frame } from './frames';
import { CR0_PG, CR0_WP, CR4_PAE, CR4_PGE, CR4_PSE, cr0, cr4, EFER_LMA, EFER_NXE, efer } from './mmu-mode';
import {
  PAE_PDPTE_RESERVED,
  PF_I,
  PF_P,
  PF_RSVD,
  PF_U,
  PF_W,
  PHYS_MASK,
  PTE_A,
  PTE_D,
  PTE_G,
  PTE_NX,
  PTE_P,
  PTE_PS,
  PTE_RW,
  PTE_US,
  RSVD_PAE,
  RSVD_PHYS,
  WALK_NOT_PRESENT,
  WALK_OK,
  WALK_RESERVED,
  WALK_RETRY,
} from './page-bits';
import { cpu } from './state';
import { nestedNx, nestedPage, nestedWritable, translateFinal, translateTable } from './svm/nested';
import { isNested } from './svm/state';
import { findTable, rememberTable } from './table-cache';
import { noteChanged, tracking } from './track';

/** Result of the last walk that answered WALK_OK: gpa of the 4 KiB page, and the rights of all levels combined. */
export let walkGpa: u64 = 0;
export let walkWritable: bool = true;
export let walkUser: bool = true;
export let walkNx: bool = false;
export let walkGlobal: bool = false;
/** log2 of the guest's page size. */
export let walkShift: u32 = 12;
/** The leaf's dirty bit is set (always, without paging). */
export let walkDirty: bool = true;

/** A record of VCPU_WALK: host u32 (0: open bus), lookup answer u32, value u64, gpa u64 (the machine's, whatever the guest calls it). */
const WALK_ENTRY_SIZE: usize = 24;
let walkCount: usize = 0;
let entryHost: usize = 0;
let entryAnswer: u32 = 0;
let entryGpa: u64 = 0;
/** Why `locate` returned false: WALK_RETRY or WALK_EXIT. */
let missing: i32 = WALK_RETRY;

function countWalk(): void {
  store<u64>(cpu, load<u64>(cpu, VCPU_STATS + STAT_PAGE_WALK) + 1, VCPU_STATS + STAT_PAGE_WALK);
}

/** Finds the table entry at gpa; false: see `missing`. */
function locate(gpa: u64): bool {
  entryGpa = gpa;
  if (isNested()) {
    missing = translateTable(gpa);
    if (missing != WALK_OK) return false;
    entryGpa = nestedPage | (gpa & 0xfff);
  }
  entryAnswer = frame(entryGpa >> 12);
  if (entryAnswer & PAGE_INVALID) {
    missing = WALK_RETRY;
    return false;
  }
  entryHost = entryAnswer == 0 ? 0 : <usize>(entryAnswer & 0xfffff000) + (<usize>gpa & 0xfff);
  return true;
}

function remember(value: u64): void {
  const record = cpu + VCPU_WALK + walkCount * WALK_ENTRY_SIZE;
  store<u32>(record, <u32>entryHost);
  store<u32>(record, entryAnswer, 4);
  store<u64>(record, value, 8);
  store<u64>(record, entryGpa, 16);
  walkCount++;
}

/** For `commitAccessedDirty`, which may remember the last table of the running walk: its root, and where the table is, as rememberTable takes it. */
let lastPlace: u64 = 0;
let lastRoot: u64 = 0;
let lastTable: u64 = 0;
let afresh: bool = false;

/** A 4-level walk, which begins at the last-level table if that is cached. */
function walkLong(va: u64): i32 {
  const root = load<u64>(cpu, VCPU_CR3) & PHYS_MASK;
  if (isNested()) return walkWide(va, root, 39, RSVD_PHYS);
  lastPlace = va;
  lastRoot = root | (efer() & EFER_NXE);
  const known = afresh ? 0 : findTable(va, lastRoot);
  return known == 0 ? walkWide(va, root, 39, RSVD_PHYS) : walkWide(va, known & PHYS_MASK, 12, RSVD_PHYS, known);
}

/** Walks levels of 512 wide entries, from the one indexed by va >> shift down to the leaf. */
function walkWide(va: u64, table: u64, top: u32, reservedHigh: u64, above: u64 = PTE_RW | PTE_US): i32 {
  let reservedAll = reservedHigh;
  if (!(efer() & EFER_NXE)) reservedAll |= PTE_NX;
  let rights = above & (PTE_RW | PTE_US);
  let noExecute = above;
  for (let shift = top; ; shift -= 9) {
    const gpa = table + (((va >> shift) & 511) << 3);
    if (!locate(gpa)) return missing;
    const entry = entryHost == 0 ? <u64>-1 : load<u64>(entryHost);
    if (!(entry & PTE_P)) return WALK_NOT_PRESENT;
    const large = shift > 12 && (entry & PTE_PS) != 0;
    let reserved = reservedAll;
    if (large) reserved |= shift == 39 ? PTE_PS : (((<u64>1) << shift) - 1) & ~(<u64>0x1fff);
    if (entry & reserved) return WALK_RESERVED;
    remember(entry);
    if (shift == 12 && top == 39) lastTable = table | rights | (noExecute & PTE_NX);
    rights &= entry;
    noExecute |= entry;
    if (shift == 12 || large) {
      const inside = ((<u64>1) << shift) - 1;
      finish((entry & PHYS_MASK & ~inside) | (va & inside & ~(<u64>0xfff)), rights, entry, shift);
      walkNx = (noExecute & PTE_NX) != 0;
      return WALK_OK;
    }
    table = entry & PHYS_MASK;
  }
  return WALK_OK;
}

function finish(gpa: u64, rights: u64, leaf: u64, shift: u32): void {
  walkGpa = gpa;
  walkWritable = (rights & PTE_RW) != 0;
  walkUser = (rights & PTE_US) != 0;
  walkGlobal = (leaf & PTE_G) != 0 && (cr4() & CR4_PGE) != 0;
  walkDirty = (leaf & PTE_D) != 0;
  walkShift = shift;
}

function walkPae(va: u64): i32 {
  const gpa = (load<u64>(cpu, VCPU_CR3) & 0xffffffe0) + ((va >> 30) << 3);
  if (!locate(gpa)) return missing;
  const entry = entryHost == 0 ? <u64>-1 : load<u64>(entryHost);
  if (!(entry & PTE_P)) return WALK_NOT_PRESENT;
  if (entry & PAE_PDPTE_RESERVED) return WALK_RESERVED;
  return walkWide(va, entry & PHYS_MASK, 21, RSVD_PAE);
}

function walk32(va: u64): i32 {
  let gpa = (load<u64>(cpu, VCPU_CR3) & 0xfffff000) + (((va >> 22) & 1023) << 2);
  if (!locate(gpa)) return missing;
  const pde = entryHost == 0 ? <u32>-1 : load<u32>(entryHost);
  if (!(pde & <u32>PTE_P)) return WALK_NOT_PRESENT;
  remember(pde);
  if (pde & <u32>PTE_PS && cr4() & CR4_PSE) {
    if (pde & 0x200000) return WALK_RESERVED; // PSE-36 uses bits 20:13 as address bits 39:32
    const base = <u64>(pde & 0xffc00000) | (((<u64>pde >> 13) & 0xff) << 32);
    finish(base | (va & 0x3ff000), pde, pde, 22);
    return WALK_OK;
  }
  gpa = <u64>(pde & 0xfffff000) + (((va >> 12) & 1023) << 2);
  if (!locate(gpa)) return missing;
  const pte = entryHost == 0 ? <u32>-1 : load<u32>(entryHost);
  if (!(pte & <u32>PTE_P)) return WALK_NOT_PRESENT;
  remember(pte);
  finish(<u64>(pte & 0xfffff000), pde & pte, pte, 12);
  return WALK_OK;
}

/** Like walkTables, but always from the root: for callers that must see the tables in memory. */
export function walkAfresh(va: u64): i32 {
  afresh = true;
  const status = walkTables(va);
  afresh = false;
  return status;
}

/** Linear address -> walkGpa and rights. It changes nothing for the guest and checks no rights. Returns WALK_*. */
export function walkTables(va: u64): i32 {
  walkCount = 0;
  lastTable = 0;
  walkNx = false;
  if (!(cr0() & CR0_PG)) {
    walkGpa = va & 0xfffff000;
    walkWritable = true;
    walkUser = true;
    walkGlobal = false;
    walkDirty = true;
    walkShift = 12;
    return WALK_OK;
  }
  countWalk();
  if (efer() & EFER_LMA) return walkLong(va);
  if (cr4() & CR4_PAE) return walkPae(va & 0xffffffff);
  return walk32(va & 0xffffffff);
}

/**
 * For a guest with nested paging: translates the last walk's page to the machine's physical address and adds the host's rights. WALK_OK, WALK_RETRY,
 * or WALK_EXIT. Call it after the checks of the guest's own rights, which come first.
 */
export function walkNested(offset: u64, write: bool, execute: bool): i32 {
  const status = translateFinal(walkGpa | offset, write, execute);
  if (status != WALK_OK) return status;
  walkGpa = nestedPage;
  walkNx = walkNx || nestedNx;
  walkDirty = walkDirty && nestedWritable;
  return WALK_OK;
}

/** Do the rights of the last walk allow the access (SDM 3A 4.6)? CR0.WP decides for supervisor writes. */
export function walkAllows(write: bool, execute: bool, user: bool): bool {
  if (user && !walkUser) return false;
  if (write && !walkWritable && (user || (cr0() & CR0_WP) != 0)) return false;
  return !(execute && walkNx);
}

/** Do they allow writes at this privilege? A write tag needs that besides the dirty bit. */
export function walkAllowsWrite(user: bool): bool {
  return walkWritable || (!user && !(cr0() & CR0_WP));
}

/** Error code of a #PF after the last walk (SDM 3A 4.7). I/D is reported only while NX is enabled. */
export function faultCode(status: i32, write: bool, execute: bool, user: bool): u32 {
  let code: u32 = status == WALK_NOT_PRESENT ? 0 : PF_P;
  if (status == WALK_RESERVED) code |= PF_RSVD;
  if (write) code |= PF_W;
  if (user) code |= PF_U;
  if (execute && (efer() & EFER_NXE) != 0 && (cr4() & CR4_PAE) != 0) code |= PF_I;
  return code;
}

/**
 * Sets the accessed bits of every entry that the last walk used and, for a write, the leaf's dirty bit. A table in a read-only memslot keeps its bits
 * (KVM's update_accessed_dirty_bits skips those too), and so does one on the open bus.
 */
export function commitAccessedDirty(write: bool): void {
  for (let i: usize = 0; i < walkCount; i++) {
    const record = cpu + VCPU_WALK + i * WALK_ENTRY_SIZE;
    const host = <usize>load<u32>(record);
    const leaf = i == walkCount - 1;
    const wanted: u64 = leaf && write ? PTE_A | PTE_D : PTE_A;
    if (host == 0 || (load<u64>(record, 8) & wanted) == wanted) continue;
    const answer = load<u32>(record, 4);
    if (answer & PAGE_READONLY) continue;
    if (answer & PAGE_CLEAN) dirtyFrame(load<u64>(record, 16) >> 12);
    if (load<u32>((host >> 12) << 2, CODE_PAGES) != 0) codeWritten(host, 8);
    if (tracking) noteChanged(host);
    store<u8>(host, load<u8>(host) | <u8>wanted);
    if (leaf && write) walkDirty = true;
  }
  if (lastTable != 0 && !isNested()) rememberTable(lastPlace, lastRoot, lastTable);
}
