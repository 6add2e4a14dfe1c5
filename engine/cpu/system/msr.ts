/**
 * RDMSR, WRMSR, the time stamp counter and RDRAND. SDM 4 (MSRs), SDM 3B 18.17 (TSC). MSRs of absent features: absent-msrs.ts. Any other MSR raises
 * #GP(0) and is logged. IA32_MISC_ENABLE is stored and has no effect.
 */
import {
  LOG_MSR,
  SEG_BASE,
  SEG_FS,
  SEG_GS,
  VCPU_APIC_BASE,
  VCPU_CLOCK_SHIFT,
  VCPU_CLOCK_SKEW,
  VCPU_CSTAR,
  VCPU_EFER,
  VCPU_ICOUNT,
  VCPU_KERNEL_GS_BASE,
  VCPU_LSTAR,
  VCPU_MAILBOX,
  VCPU_MISC_ENABLE,
  VCPU_PAT,
  VCPU_RAX,
  VCPU_RCX,
  VCPU_RDRAND,
  VCPU_RDX,
  VCPU_SFMASK,
  VCPU_STAR,
  VCPU_SYSENTER_CS,
  VCPU_SYSENTER_EIP,
  VCPU_SYSENTER_ESP,
  VCPU_TSC_AUX,
  VCPU_TSC_DEADLINE,
  VCPU_TSC_OFFSET,
  VCPU_TSC_SHOWN,
} from '../../abi/index';
import { SVM_GUEST_TSC_OFFSET } from '../../abi/svm';
import { apicMsr, log } from '../imports';
import { flushTlb } from '../mmu';
import {
  CR0_PG,
  CR4_TSD,
  cpl,
  cr0,
  cr4,
  EFER_BITS,
  EFER_LMA,
  EFER_LME,
  EFER_NXE,
  EFER_SVME,
  efer,
  isCanonical,
  modeChanged,
  segRecord,
} from '../mmu-mode';
import { cpu, raise, VEC_GP, vcpuIndex } from '../state';
import { isSvmMsr, mayEnableSvm, readSvmMsr, writeSvmMsr } from '../svm/msr';
import { inGuest } from '../svm/state';
import { absentMsr, isAbsentMsr, isReadOnlyMsr } from './absent-msrs';

const MSR_TSC: u32 = 0x10;
const MSR_APIC_BASE: u32 = 0x1b;
const MSR_TSC_ADJUST: u32 = 0x3b;
const MSR_MICROCODE: u32 = 0x8b;
const MSR_TSC_DEADLINE: u32 = 0x6e0;
const MSR_X2APIC: u32 = 0x800;
const MSR_X2APIC_END: u32 = 0x900;
const MSR_EFER: u32 = 0xc0000080;
const MSR_FS_BASE: u32 = 0xc0000100;
const MSR_GS_BASE: u32 = 0xc0000101;
const MSR_SFMASK: u32 = 0xc0000084;
/** plainMsr's result for an MSR that is not a plain 64-bit field. */
const NO_FIELD: usize = 0;

/** Guest time in ns: the TSC without its offset. */
function guestTime(): u64 {
  return (load<u64>(cpu, VCPU_ICOUNT) << (<u64>load<u32>(cpu, VCPU_CLOCK_SHIFT))) + load<u64>(cpu, VCPU_CLOCK_SKEW);
}

/** Guest time as the TSC shows it: never earlier than a value that any vCPU has read. */
function shownTime(): u64 {
  const time = guestTime();
  const shown = load<u64>(cpu, VCPU_TSC_SHOWN);
  if (shown == 0) return time;
  const next = time > shown ? time : shown + 1;
  store<u64>(cpu, next, VCPU_TSC_SHOWN);
  return next;
}

export function readTsc(): u64 {
  const tsc = shownTime() + load<u64>(cpu, VCPU_TSC_OFFSET);
  return inGuest() ? tsc + load<u64>(cpu, SVM_GUEST_TSC_OFFSET) : tsc;
}

/** Offset in the vCPU record of an MSR that is only storage. */
function plainMsr(index: u32): usize {
  switch (index) {
    case 0x174:
      return VCPU_SYSENTER_CS;
    case 0x175:
      return VCPU_SYSENTER_ESP;
    case 0x176:
      return VCPU_SYSENTER_EIP;
    case 0x1a0:
      return VCPU_MISC_ENABLE;
    case 0x277:
      return VCPU_PAT;
    case 0xc0000081:
      return VCPU_STAR;
    case 0xc0000082:
      return VCPU_LSTAR;
    case 0xc0000083:
      return VCPU_CSTAR;
    case MSR_SFMASK:
      return VCPU_SFMASK;
    case 0xc0000102:
      return VCPU_KERNEL_GS_BASE;
    case 0xc0000103:
      return VCPU_TSC_AUX;
    default:
      return NO_FIELD;
  }
}

/** Fields that hold linear addresses, which WRMSR requires to be canonical. */
function holdsAddress(index: u32): bool {
  return (
    index == 0x175 ||
    index == 0x176 ||
    index == 0xc0000082 ||
    index == 0xc0000083 ||
    index == MSR_FS_BASE ||
    index == MSR_GS_BASE ||
    index == 0xc0000102
  );
}

function unknown(index: u32, write: u32): i32 {
  log(vcpuIndex(), LOG_MSR, index, write);
  return raise(VEC_GP, 0);
}

function isApicMsr(index: u32): bool {
  return index == MSR_APIC_BASE || index == MSR_TSC_DEADLINE || (index >= MSR_X2APIC && index < MSR_X2APIC_END);
}

let value: u64 = 0;

function read(index: u32): i32 {
  const field = plainMsr(index);
  if (field != NO_FIELD) {
    value = load<u64>(cpu + field);
    return 1;
  }
  if (isApicMsr(index)) {
    if (apicMsr(vcpuIndex(), index, 0) != 0) return unknown(index, 0);
    value = load<u64>(cpu, VCPU_MAILBOX);
    return 1;
  }
  if (index == MSR_TSC) value = readTsc();
  else if (index == MSR_TSC_ADJUST) value = load<u64>(cpu, VCPU_TSC_OFFSET);
  else if (index == MSR_MICROCODE) value = 0;
  else if (index == MSR_EFER) value = efer();
  else if (isSvmMsr(index)) value = readSvmMsr(index);
  else if (index == MSR_FS_BASE) value = load<u64>(segRecord(SEG_FS), SEG_BASE);
  else if (index == MSR_GS_BASE) value = load<u64>(segRecord(SEG_GS), SEG_BASE);
  else if (isAbsentMsr(index)) value = absentMsr(index);
  else return unknown(index, 0);
  return 1;
}

/** Each byte of the PAT names a memory type: 0, 1, 4, 5, 6 or 7. */
export function isPat(image: u64): bool {
  for (let i = 0; i < 8; i++) {
    const type = <u32>(image >> ((<u64>i) << 3)) & 0xff;
    if (type > 7 || type == 2 || type == 3) return false;
  }
  return true;
}

/** LME may change only while paging is off; LMA follows CR0.PG and is not written. */
function writeEfer(next: u64): i32 {
  const old = efer();
  if (next & ~EFER_BITS || (next & EFER_SVME && !mayEnableSvm())) return raise(VEC_GP, 0);
  if ((old ^ next) & EFER_LME && cr0() & CR0_PG) return raise(VEC_GP, 0);
  store<u64>(cpu, (next & ~EFER_LMA) | (old & EFER_LMA), VCPU_EFER);
  if ((old ^ next) & EFER_NXE) flushTlb(false);
  modeChanged();
  return 1;
}

function writePlain(index: u32, field: usize, next: u64): i32 {
  if (index == 0x277 && !isPat(next)) return raise(VEC_GP, 0);
  if ((index == 0xc0000103 || index == MSR_SFMASK) && next >> 32) return raise(VEC_GP, 0);
  store<u64>(cpu + field, next);
  return 1;
}

function writeApic(index: u32, next: u64): i32 {
  store<u64>(cpu, next, VCPU_MAILBOX);
  if (index == MSR_TSC_DEADLINE) store<u64>(cpu, next, VCPU_TSC_DEADLINE);
  if (apicMsr(vcpuIndex(), index, 1) != 0) return unknown(index, 1);
  if (index == MSR_APIC_BASE) store<u64>(cpu, next, VCPU_APIC_BASE);
  return 1;
}

function write(index: u32, next: u64): i32 {
  if (holdsAddress(index) && !isCanonical(next)) return raise(VEC_GP, 0);
  const field = plainMsr(index);
  if (field != NO_FIELD) return writePlain(index, field, next);
  if (isApicMsr(index)) return writeApic(index, next);
  // A write to the TSC changes TSC_ADJUST by the same amount, so one offset serves both.
  if (index == MSR_TSC) store<u64>(cpu, next - shownTime(), VCPU_TSC_OFFSET);
  else if (index == MSR_TSC_ADJUST) store<u64>(cpu, next, VCPU_TSC_OFFSET);
  else if (index == MSR_EFER) return writeEfer(next);
  else if (isSvmMsr(index)) return writeSvmMsr(index, next);
  else if (index == MSR_FS_BASE) store<u64>(segRecord(SEG_FS), next, SEG_BASE);
  else if (index == MSR_GS_BASE) store<u64>(segRecord(SEG_GS), next, SEG_BASE);
  else if (isReadOnlyMsr(index)) return raise(VEC_GP, 0);
  else if (index != MSR_MICROCODE && !isAbsentMsr(index)) return unknown(index, 1);
  return 1;
}

/** RDMSR: ECX in, EDX:EAX out. #GP(0) above CPL 0 or for an unknown MSR. */
export function rdmsr(): i32 {
  if (cpl != 0) return raise(VEC_GP, 0);
  if (!read(load<u32>(cpu, VCPU_RCX))) return 0;
  store<u64>(cpu, value & 0xffffffff, VCPU_RAX);
  store<u64>(cpu, value >> 32, VCPU_RDX);
  return 1;
}

/** WRMSR: ECX, EDX:EAX in. */
export function wrmsr(): i32 {
  if (cpl != 0) return raise(VEC_GP, 0);
  return write(load<u32>(cpu, VCPU_RCX), <u64>load<u32>(cpu, VCPU_RAX) | ((<u64>load<u32>(cpu, VCPU_RDX)) << 32));
}

/** RDTSC: EDX:EAX. #GP(0) above CPL 0 with CR4.TSD. */
export function rdtsc(): i32 {
  if (cpl != 0 && cr4() & CR4_TSD) return raise(VEC_GP, 0);
  const tsc = readTsc();
  store<u64>(cpu, tsc & 0xffffffff, VCPU_RAX);
  store<u64>(cpu, tsc >> 32, VCPU_RDX);
  return 1;
}

/** RDTSCP: also ECX = IA32_TSC_AUX. */
export function rdtscp(): i32 {
  if (!rdtsc()) return 0;
  store<u64>(cpu, load<u64>(cpu, VCPU_TSC_AUX) & 0xffffffff, VCPU_RCX);
  return 1;
}

/** RDPMC: there are no counters. */
export function rdpmc(): i32 {
  return raise(VEC_GP, 0);
}

/** Next 64 bits of the vCPU's generator (splitmix64), for RDRAND; it never fails (CF = 1). */
export function rdrand(): u64 {
  const state = load<u64>(cpu, VCPU_RDRAND) + 0x9e3779b97f4a7c15;
  store<u64>(cpu, state, VCPU_RDRAND);
  let z = state;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}
