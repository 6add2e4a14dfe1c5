/**
 * Control and debug registers, and small privileged instructions. SDM 3A 2.5 (CRs), 10.8.6 (task priority), 17.2 (DRs).
 * A write to DR0-DR3 or DR7 arms the breakpoints (../watches-changed.ts). CR0.CD and NW, and cache invalidation, have no effect.
 */
import {
  SEG_ATTR,
  SEG_BASE,
  SEG_CS,
  SEG_GS,
  VCPU_CPL,
  VCPU_CR0,
  VCPU_CR2,
  VCPU_CR3,
  VCPU_CR4,
  VCPU_CR8,
  VCPU_DR0,
  VCPU_DR6,
  VCPU_DR7,
  VCPU_EFER,
  VCPU_GDT_BASE,
  VCPU_GDT_LIMIT,
  VCPU_HALTED,
  VCPU_IDT_BASE,
  VCPU_IDT_LIMIT,
  VCPU_INDEX,
  VCPU_KERNEL_GS_BASE,
} from '../../abi/index';
import { SVM_VINTR } from '../../abi/svm';
import { cr8Written } from '../imports';
import { invlpg as dropPage, flushTlb } from '../mmu';
import {
  ATTR_L,
  CR0_BITS,
  CR0_CD,
  CR0_ET,
  CR0_NW,
  CR0_PE,
  CR0_PG,
  CR0_TS,
  CR0_WP,
  CR4_BITS,
  CR4_DE,
  CR4_PAE,
  CR4_PGE,
  CR4_PSE,
  cpl,
  cr0,
  cr4,
  EFER_LMA,
  EFER_LME,
  efer,
  is64,
  isCanonical,
  isLong,
  modeChanged,
  segRecord,
} from '../mmu-mode';
import { PAE_PDPTE_RESERVED } from '../page-bits';
import { clearPending, cpu, PEND_RETRY, pend, pending, raise, VEC_DB, VEC_GP, VEC_UD } from '../state';
import { guestFrame } from '../svm/nested';
import { hasVirtualTpr } from '../svm/state';
import { watchesChanged } from '../watches-changed';

/** Address bits above MAXPHYADDR 46. */
const CR3_RESERVED: u64 = 0xffffc00000000000;

/** For instructions of CPL 0: #GP(0) otherwise. */
export function requireCpl0(): i32 {
  return cpl == 0 ? 1 : raise(VEC_GP, 0);
}

/** MOV from CRn. Returns 0 with a fault pending above CPL 0 (#GP) or for a register that does not exist (#UD). */
export function readCr(n: i32): u64 {
  if (n == 1 || (n > 4 && n != 8)) return <u64>raise(VEC_UD, 0);
  if (cpl != 0) return <u64>raise(VEC_GP, 0);
  if (n == 0) return load<u64>(cpu, VCPU_CR0);
  if (n == 2) return load<u64>(cpu, VCPU_CR2);
  if (n == 3) return load<u64>(cpu, VCPU_CR3);
  if (n == 4) return load<u64>(cpu, VCPU_CR4);
  return hasVirtualTpr() ? load<u64>(cpu, SVM_VINTR) & 15 : load<u64>(cpu, VCPU_CR8);
}

/** MOV to CRn; outside 64-bit mode the caller zero-extends `value`. Ends the block: mode and translations may change. */
export function writeCr(n: i32, value: u64): i32 {
  if (n == 1 || (n > 4 && n != 8)) return raise(VEC_UD, 0);
  if (cpl != 0) return raise(VEC_GP, 0);
  if (n == 0) return writeCr0(value);
  if (n == 3) return writeCr3(value);
  if (n == 4) return writeCr4(value);
  if (n == 2) {
    store<u64>(cpu, value, VCPU_CR2);
    return 1;
  }
  if (value > 15) return raise(VEC_GP, 0);
  if (hasVirtualTpr()) {
    store<u64>(cpu, (load<u64>(cpu, SVM_VINTR) & ~(<u64>0xff)) | value, SVM_VINTR);
    return 1;
  }
  store<u64>(cpu, value, VCPU_CR8);
  cr8Written(load<u32>(cpu, VCPU_INDEX));
  return 1;
}

/** Reserved bits of the four PDPTEs at `cr3` raise #GP(0) when PAE paging starts or CR3 is loaded (SDM 3A 4.4.1). */
function checkPdptes(cr3: u64): i32 {
  clearPending();
  const answer = guestFrame(cr3 & 0xffffffe0);
  if (pending != 0) return 0;
  if (answer & 8) return pend(PEND_RETRY);
  if (answer == 0) return 1; // all ones of an open bus: the walk reports it
  const table = <usize>(answer & 0xfffff000) + (<usize>cr3 & 0xfe0);
  for (let i: usize = 0; i < 32; i += 8) {
    const entry = load<u64>(table + i);
    if (entry & 1 && entry & PAE_PDPTE_RESERVED) return raise(VEC_GP, 0);
  }
  return 1;
}

function writeCr0(value: u64): i32 {
  const old = cr0();
  if (value >> 32 || (value & (CR0_PG | CR0_PE)) == CR0_PG || (value & (CR0_NW | CR0_CD)) == CR0_NW) return raise(VEC_GP, 0);
  const next = (value & CR0_BITS) | CR0_ET;
  const starts = (next & ~old & CR0_PG) != 0;
  const stops = (old & ~next & CR0_PG) != 0;
  if (starts && efer() & EFER_LME) {
    if (!(cr4() & CR4_PAE) || <u32>load<u16>(segRecord(SEG_CS), SEG_ATTR) & ATTR_L) return raise(VEC_GP, 0);
    store<u64>(cpu, efer() | EFER_LMA, VCPU_EFER);
  } else if (starts && cr4() & CR4_PAE && !checkPdptes(load<u64>(cpu, VCPU_CR3))) {
    return 0;
  }
  if (stops) {
    if (is64()) return raise(VEC_GP, 0);
    store<u64>(cpu, efer() & ~EFER_LMA, VCPU_EFER);
  }
  store<u64>(cpu, next, VCPU_CR0);
  if (!(old & CR0_PE) && next & CR0_PE) store<u32>(cpu, 0, VCPU_CPL);
  if ((old ^ next) & (CR0_PG | CR0_WP | CR0_PE)) flushTlb(false);
  modeChanged();
  return 1;
}

function writeCr3(value: u64): i32 {
  if (isLong()) {
    if (value & CR3_RESERVED) return raise(VEC_GP, 0);
  } else if (cr0() & CR0_PG && cr4() & CR4_PAE && !checkPdptes(value)) {
    return 0;
  }
  store<u64>(cpu, value, VCPU_CR3);
  flushTlb(true);
  return 1;
}

function writeCr4(value: u64): i32 {
  const old = cr4();
  if (value & ~CR4_BITS) return raise(VEC_GP, 0);
  if (isLong() && !(value & CR4_PAE)) return raise(VEC_GP, 0);
  if (value & ~old & CR4_PAE && cr0() & CR0_PG && !isLong() && !checkPdptes(load<u64>(cpu, VCPU_CR3))) return 0;
  store<u64>(cpu, value, VCPU_CR4);
  if ((old ^ value) & (CR4_PSE | CR4_PAE | CR4_PGE)) flushTlb(false);
  modeChanged();
  return 1;
}

/** SMSW: the low word in 16-bit form, all of CR0 in the wider ones. */
export function smsw(): u64 {
  return load<u64>(cpu, VCPU_CR0);
}

/** LMSW sets PE, MP, EM, TS; it cannot clear PE. */
export function lmsw(value: u32): i32 {
  if (cpl != 0) return raise(VEC_GP, 0);
  const old = cr0();
  return writeCr0((old & ~(<u64>0xe)) | (value & 0xf) | (old & CR0_PE));
}

export function clts(): i32 {
  if (cpl != 0) return raise(VEC_GP, 0);
  store<u64>(cpu, cr0() & ~CR0_TS, VCPU_CR0);
  modeChanged();
  return 1;
}

/** INVLPG of a linear address. */
export function invlpg(va: u64): i32 {
  if (cpl != 0) return raise(VEC_GP, 0);
  if (isCanonical(va)) dropPage(va & ~(<u64>0xfff));
  return 1;
}

/** INVD, WBINVD: there are no caches to write back. */
export function wbinvd(): i32 {
  return requireCpl0();
}

/** HLT: VCPU_HALTED becomes 1; RIP is already the next instruction's. */
export function hlt(): i32 {
  if (cpl != 0) return raise(VEC_GP, 0);
  store<u32>(cpu, 1, VCPU_HALTED);
  return 1;
}

const DR6_BD: u64 = 0x2000;
const DR7_ENABLED: u64 = 0xff;
const DR7_GD: u64 = 0x2000;

/** DR4 and DR5 are DR6 and DR7 unless CR4.DE forbids them. -1: #UD. */
function debugSlot(n: i32): i32 {
  if (n == 4 || n == 5) return cr4() & CR4_DE ? -1 : n;
  return n >= 6 ? (n > 7 ? -1 : n - 2) : n;
}

/** May DRn be accessed? With DR7.GD set any access is #DB, as a fault (SDM 3B 18.2.4). */
function allowsDebug(slot: i32): i32 {
  if (cpl != 0) return raise(VEC_GP, 0);
  if (slot < 0) return raise(VEC_UD, 0);
  if (!(load<u64>(cpu, VCPU_DR7) & DR7_GD)) return 1;
  store<u64>(cpu, load<u64>(cpu, VCPU_DR6) | DR6_BD, VCPU_DR6);
  return raise(VEC_DB, 0);
}

/** MOV from DRn; a fault is pending as with readCr. */
export function readDr(n: i32): u64 {
  const slot = debugSlot(n);
  return allowsDebug(slot) ? load<u64>(cpu + <usize>(slot << 3), VCPU_DR0) : 0;
}

export function writeDr(n: i32, value: u64): i32 {
  const slot = debugSlot(n);
  if (!allowsDebug(slot)) return 0;
  let next = value;
  if (slot >= 4) {
    if (value >> 32) return raise(VEC_GP, 0);
    next = slot == 4 ? (value & 0xe00f) | 0xffff0ff0 : (value & 0xffff2bff) | 0x400;
  }
  const before = load<u64>(cpu, VCPU_DR7);
  store<u64>(cpu + <usize>(slot << 3), next, VCPU_DR0);
  if (slot != 4 && (before | load<u64>(cpu, VCPU_DR7)) & DR7_ENABLED) watchesChanged();
  return 1;
}

/** LGDT, LIDT. `opsize` 2 (outside 64-bit mode) takes 24 bits of the base. */
export function lgdt(limit: u32, base: u64, opsize: i32): i32 {
  if (cpl != 0 || (is64() && !isCanonical(base))) return raise(VEC_GP, 0);
  store<u64>(cpu, opsize == 2 ? base & 0xffffff : base, VCPU_GDT_BASE);
  store<u32>(cpu, limit & 0xffff, VCPU_GDT_LIMIT);
  return 1;
}

export function lidt(limit: u32, base: u64, opsize: i32): i32 {
  if (cpl != 0 || (is64() && !isCanonical(base))) return raise(VEC_GP, 0);
  store<u64>(cpu, opsize == 2 ? base & 0xffffff : base, VCPU_IDT_BASE);
  store<u32>(cpu, limit & 0xffff, VCPU_IDT_LIMIT);
  return 1;
}

export function swapgs(): i32 {
  if (!is64()) return raise(VEC_UD, 0);
  if (cpl != 0) return raise(VEC_GP, 0);
  const gs = segRecord(SEG_GS);
  const base = load<u64>(gs, SEG_BASE);
  store<u64>(gs, load<u64>(cpu, VCPU_KERNEL_GS_BASE), SEG_BASE);
  store<u64>(cpu, base, VCPU_KERNEL_GS_BASE);
  return 1;
}

/** XGETBV, XSETBV: CR4.OSXSAVE cannot be set. */
export function xgetbv(): i32 {
  return raise(VEC_UD, 0);
}
