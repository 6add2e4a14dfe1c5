/**
 * Nested paging (APM 2 15.25): a guest's physical address through the host's tables at N_CR3, in the host's paging mode. Accesses count as
 * user accesses; those to the guest's own tables as writes, since they may have to set A and D there.
 * Accessed bits of upper levels are set on the way down, also when a lower level then faults.
 */
import { PAGE_INVALID, PAGE_READONLY } from '../../abi/index';
import { NPF_FINAL, NPF_TABLE, SVM_EXIT_NPF, SVM_HOST_CR4, SVM_HOST_EFER, SVM_NCR3 } from '../../abi/svm';
import { frame } from '../frames';
import { CR4_PAE, CR4_PSE, EFER_LMA, EFER_NXE } from '../mmu-mode';
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
  PTE_NX,
  PTE_P,
  PTE_PS,
  PTE_RW,
  PTE_US,
  RSVD_PAE,
  RSVD_PHYS,
  WALK_EXIT,
  WALK_OK,
  WALK_RETRY,
} from '../page-bits';
import { cpu } from '../state';
import { noteWrite } from './physical';
import { isNested, requestExit } from './state';

/** Result of the last walk that returned WALK_OK: the 4 KiB page's physical address, and the rights that the tables grant. */
export let nestedPage: u64 = 0;
export let nestedWritable: bool = true;
export let nestedNx: bool = false;

/** Set during a walk for a debugger: accessed and dirty bits are not set, and a fault does not exit. */
let quiet: bool = false;
export function setQuiet(value: bool): void {
  quiet = value;
}

let errorCode: u64 = 0;
let table: u64 = 0;
let shift: u32 = 0;
let reserved: u64 = 0;

function fault(status: u32): i32 {
  errorCode |= status;
  return WALK_EXIT;
}

/** Sets A, or A and D, in a table entry. An entry in a read-only memslot keeps its bits. */
function mark(host: usize, answer: u32, gpa: u64, entry: u64, bits: u64): void {
  if (quiet || host == 0 || answer & PAGE_READONLY || (entry & bits) == bits) return;
  noteWrite(host, answer, gpa, 8);
  store<u8>(host, load<u8>(host) | <u8>bits);
}

/** Where the walk begins, by the host's mode. WALK_OK: table, shift and reserved are set. */
function begin(gpa: u64): i32 {
  const ncr3 = load<u64>(cpu, SVM_NCR3);
  reserved = load<u64>(cpu, SVM_HOST_EFER) & EFER_NXE ? 0 : PTE_NX;
  if (load<u64>(cpu, SVM_HOST_EFER) & EFER_LMA) {
    table = ncr3 & PHYS_MASK;
    shift = 39;
    reserved |= RSVD_PHYS;
    return gpa >> 48 ? fault(0) : WALK_OK;
  }
  if (gpa >> 32) return fault(0);
  if (!(load<u64>(cpu, SVM_HOST_CR4) & CR4_PAE)) {
    table = ncr3 & 0xfffff000;
    shift = 22;
    return WALK_OK;
  }
  const at = (ncr3 & 0xffffffe0) + ((gpa >> 30) << 3);
  const answer = frame(at >> 12);
  if (answer & PAGE_INVALID) return WALK_RETRY;
  const entry = answer == 0 ? <u64>-1 : load<u64>(<usize>(answer & 0xfffff000) + (<usize>at & 0xfff));
  if (!(entry & PTE_P)) return fault(0);
  if (entry & PAE_PDPTE_RESERVED) return fault(PF_P | PF_RSVD);
  table = entry & PHYS_MASK;
  shift = 21;
  reserved |= RSVD_PAE;
  return WALK_OK;
}

/** The walk itself; errorCode already describes the kind of access. WALK_OK, WALK_RETRY, or WALK_EXIT: nested page fault. */
function walk(gpa: u64, write: bool, execute: bool): i32 {
  const begun = begin(gpa);
  if (begun != WALK_OK) return begun;
  const narrow = shift == 22;
  const step: u32 = narrow ? 10 : 9;
  let rights: u64 = PTE_RW | PTE_US;
  let noExecute: u64 = 0;
  for (;;) {
    const index = (gpa >> shift) & ((1 << step) - 1);
    const at = table + (index << (narrow ? 2 : 3));
    const answer = frame(at >> 12);
    if (answer & PAGE_INVALID) return WALK_RETRY;
    const host: usize = answer == 0 ? 0 : <usize>(answer & 0xfffff000) + (<usize>at & 0xfff);
    const entry: u64 = narrow ? (host == 0 ? 0xffffffff : <u64>load<u32>(host)) : host == 0 ? <u64>-1 : load<u64>(host);
    if (!(entry & PTE_P)) return fault(0);
    const large = shift > 12 && entry & PTE_PS && (!narrow || load<u64>(cpu, SVM_HOST_CR4) & CR4_PSE);
    const inside = ((<u64>1) << shift) - 1;
    let bad = reserved;
    if (large) bad |= narrow ? 0x200000 : shift == 39 ? PTE_PS : inside & ~(<u64>0x1fff);
    if (entry & bad) return fault(PF_P | PF_RSVD);
    rights &= entry;
    if (!narrow) noExecute |= entry;
    if (shift > 12 && !large) {
      mark(host, answer, at, entry, PTE_A);
      table = entry & (narrow ? 0xfffff000 : PHYS_MASK);
      shift -= step;
      continue;
    }
    nestedNx = (noExecute & PTE_NX) != 0;
    const allowed = (rights & PTE_US) != 0 && !(write && !(rights & PTE_RW)) && !(execute && nestedNx);
    if (!allowed) return fault(PF_P);
    mark(host, answer, at, entry, write ? PTE_A | PTE_D : PTE_A);
    // A later write that must set D must come here again.
    nestedWritable = (rights & PTE_RW) != 0 && (write || (entry & PTE_D) != 0);
    const high: u64 = narrow && large ? ((entry >> 13) & 0xff) << 32 : 0;
    nestedPage = high | (entry & (narrow ? 0xfffff000 : PHYS_MASK) & ~inside) | (gpa & inside & ~(<u64>0xfff));
    return WALK_OK;
  }
}

function translate(gpa: u64, write: bool, execute: bool, kind: u64): i32 {
  errorCode = kind | PF_U;
  if (write) errorCode |= PF_W;
  if (execute && load<u64>(cpu, SVM_HOST_EFER) & EFER_NXE) errorCode |= PF_I;
  const status = walk(gpa, write, execute);
  if (status == WALK_EXIT && !quiet) requestExit(SVM_EXIT_NPF, errorCode, gpa, 0);
  return status;
}

/** The page of a guest's page-table entry at gpa. WALK_OK, WALK_RETRY, or WALK_EXIT with the exit requested. */
export function translateTable(gpa: u64): i32 {
  return translate(gpa, true, false, NPF_TABLE);
}

/** The page that an instruction of the guest, or the delivery of an event to it, accesses. Returns the same as translateTable. */
export function translateFinal(gpa: u64, write: bool, execute: bool): i32 {
  return translate(gpa, write, execute, NPF_FINAL);
}

/** As `frame`, for an address that is physical to the running program. 0 if an exit was requested, or nothing is there. */
export function guestFrame(gpa: u64): u32 {
  if (!isNested()) return frame(gpa >> 12);
  const status = translateTable(gpa);
  if (status == WALK_RETRY) return PAGE_INVALID;
  return status == WALK_OK ? frame(nestedPage >> 12) : 0;
}
