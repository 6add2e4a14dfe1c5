/**
 * SYSCALL, SYSRET (Intel's: 64-bit mode only), SYSENTER, SYSEXIT. SDM 2, the instructions' pages; SDM 3A 5.8.7, 5.8.8.
 */
import {
  SEG_BASE,
  SEG_CS,
  SEG_LIMIT,
  SEG_SS,
  VCPU_CSTAR,
  VCPU_LSTAR,
  VCPU_R11,
  VCPU_RCX,
  VCPU_RDX,
  VCPU_RIP,
  VCPU_RSP,
  VCPU_SFMASK,
  VCPU_STAR,
  VCPU_SYSENTER_CS,
  VCPU_SYSENTER_EIP,
  VCPU_SYSENTER_ESP,
} from '../abi/index';
import { getFlags, setFlags } from './flags';
import { cpl, EFER_SCE, efer, is64, isCanonical, isLong, isProt, modeChanged, privilegeChanged, segRecord, setCpl } from './mmu-mode';
import { isNull } from './segments';
import { cpu, raise, VEC_GP, VEC_UD } from './state';
import { isAmd } from './system/cpuid';

/** Flat code (execute/read, accessed) 64-bit and 32-bit, flat data; DPL 0. */
const CODE64: u32 = 0xa9b;
const CODE32: u32 = 0xc9b;
const DATA: u32 = 0xc93;
const FLAG_IF: u32 = 0x200;
const FLAG_VM: u32 = 0x20000;
const FLAG_RF: u32 = 0x10000;

/** Base 0 and limit 4 GiB. The limit, the selector and the attributes lie side by side. */
@inline
function flat(seg: i32, selector: u32, attr: u32, dpl: u32): void {
  const record = segRecord(seg);
  store<u64>(record, 0, SEG_BASE);
  store<u64>(record, 0xffffffff | ((<u64>(selector & 0xffff)) << 32) | ((<u64>(attr | (dpl << 5))) << 48), SEG_LIMIT);
}

/** VCPU_RIP is the next instruction's address. #UD without EFER.SCE, and outside 64-bit mode; AMD's have it in compatibility mode too. */
export function syscall(): i32 {
  const compatible = !is64() && isLong() && isAmd();
  if ((!is64() && !compatible) || !(efer() & EFER_SCE)) return raise(VEC_UD, 0);
  const c = cpu;
  const selector = <u32>(load<u64>(c, VCPU_STAR) >> 32) & 0xfffc;
  const flags = getFlags() & ~FLAG_RF;
  store<u64>(c, load<u64>(c, VCPU_RIP), VCPU_RCX);
  store<u64>(c, flags, VCPU_R11);
  store<u64>(c, compatible ? load<u64>(c, VCPU_CSTAR) : load<u64>(c, VCPU_LSTAR), VCPU_RIP);
  setFlags((flags & ~(<u32>load<u64>(c, VCPU_SFMASK))) | 2);
  flat(SEG_CS, selector, CODE64, 0);
  flat(SEG_SS, selector + 8, DATA, 0);
  privilegeChanged(0);
  return 1;
}

/** opsize 8 returns to 64-bit code, 4 to compatibility mode. #GP(0) above CPL 0 or when RCX is not canonical. */
export function sysret(opsize: i32): i32 {
  if (!is64() || !(efer() & EFER_SCE)) return raise(VEC_UD, 0);
  const rcx = load<u64>(cpu, VCPU_RCX);
  if (cpl != 0 || (opsize == 8 && !isCanonical(rcx))) return raise(VEC_GP, 0);
  const selector = <u32>(load<u64>(cpu, VCPU_STAR) >> 48);
  store<u64>(cpu, opsize == 8 ? rcx : rcx & 0xffffffff, VCPU_RIP);
  setFlags((<u32>load<u64>(cpu, VCPU_R11) & 0x3c7fd7) | 2);
  if (opsize == 8) flat(SEG_CS, (selector + 16) | 3, CODE64, 3);
  else flat(SEG_CS, selector | 3, CODE32, 3);
  flat(SEG_SS, (selector + 8) | 3, DATA, 3);
  if (opsize == 8) privilegeChanged(3);
  else {
    setCpl(3);
    modeChanged();
  }
  return 1;
}

/** #GP(0) in real mode or with a null IA32_SYSENTER_CS. */
export function sysenter(): i32 {
  const selector = <u32>load<u64>(cpu, VCPU_SYSENTER_CS) & 0xfffc;
  if (!isProt() || isNull(selector)) return raise(VEC_GP, 0);
  const long = isLong();
  const mask: u64 = long ? ~(<u64>0) : 0xffffffff;
  setFlags(getFlags() & ~(FLAG_IF | FLAG_VM | FLAG_RF));
  store<u64>(cpu, load<u64>(cpu, VCPU_SYSENTER_ESP) & mask, VCPU_RSP);
  store<u64>(cpu, load<u64>(cpu, VCPU_SYSENTER_EIP) & mask, VCPU_RIP);
  flat(SEG_CS, selector, long ? CODE64 : CODE32, 0);
  flat(SEG_SS, selector + 8, DATA, 0);
  setCpl(0);
  modeChanged();
  return 1;
}

/** opsize 8 returns to 64-bit code. #GP(0) above CPL 0, in real mode, with a null IA32_SYSENTER_CS, or for addresses not canonical. */
export function sysexit(opsize: i32): i32 {
  const base = <u32>load<u64>(cpu, VCPU_SYSENTER_CS) & 0xfffc;
  if (!isProt() || isNull(base) || cpl != 0) return raise(VEC_GP, 0);
  const rcx = load<u64>(cpu, VCPU_RCX);
  const rdx = load<u64>(cpu, VCPU_RDX);
  const wide = opsize == 8;
  if (wide && (!isCanonical(rcx) || !isCanonical(rdx))) return raise(VEC_GP, 0);
  store<u64>(cpu, wide ? rcx : rcx & 0xffffffff, VCPU_RSP);
  store<u64>(cpu, wide ? rdx : rdx & 0xffffffff, VCPU_RIP);
  flat(SEG_CS, (base + (wide ? 32 : 16)) | 3, wide ? CODE64 : CODE32, 3);
  flat(SEG_SS, (base + (wide ? 40 : 24)) | 3, DATA, 3);
  setCpl(3);
  modeChanged();
  return 1;
}
