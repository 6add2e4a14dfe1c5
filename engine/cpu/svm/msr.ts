/** The MSRs of SVM: VM_CR and VM_HSAVE_PA (APM 2 15.30). VM_IGNNE, SMM_CTL and SVM_KEY are not implemented. */
import { CPUID_SVM, SVM_HSAVE_PA, SVM_VM_CR } from '../../abi/svm';
import { EFER_SVME, efer } from '../mmu-mode';
import { PHYS_BITS } from '../page-bits';
import { cpu, raise, VEC_GP } from '../state';
import { extendedFeatures } from '../system/cpuid';

const MSR_VM_CR: u32 = 0xc0010114;
const MSR_VM_HSAVE_PA: u32 = 0xc0010117;
/** SVMDIS: EFER.SVME cannot be set. LOCK: neither can be changed. */
const VM_CR_LOCK: u64 = 1 << 3;
const VM_CR_SVMDIS: u64 = 1 << 4;
/** DPD, R_INIT, DIS_A20M are stored and have no effect. */
const VM_CR_BITS: u64 = 0x1f;

function hasSvm(): bool {
  return (extendedFeatures() & CPUID_SVM) != 0;
}

/** EFER.SVME may be set. */
export function mayEnableSvm(): bool {
  return hasSvm() && !(load<u64>(cpu, SVM_VM_CR) & VM_CR_SVMDIS);
}

export function isSvmMsr(index: u32): bool {
  return (index == MSR_VM_CR || index == MSR_VM_HSAVE_PA) && hasSvm();
}

export function readSvmMsr(index: u32): u64 {
  return load<u64>(cpu + (index == MSR_VM_CR ? SVM_VM_CR : SVM_HSAVE_PA));
}

/** #GP(0) for bits that must be zero, and for SVMDIS while SVM is enabled. */
export function writeSvmMsr(index: u32, value: u64): i32 {
  if (index == MSR_VM_HSAVE_PA) {
    if (value & 0xfff || value >> PHYS_BITS) return raise(VEC_GP, 0);
    store<u64>(cpu, value, SVM_HSAVE_PA);
    return 1;
  }
  const old = load<u64>(cpu, SVM_VM_CR);
  const kept: u64 = old & VM_CR_LOCK ? VM_CR_LOCK | VM_CR_SVMDIS : 0;
  if (value & ~VM_CR_BITS) return raise(VEC_GP, 0);
  const next = (value & ~kept) | (old & kept);
  if (next & ~old & VM_CR_SVMDIS && efer() & EFER_SVME) return raise(VEC_GP, 0);
  store<u64>(cpu, next, SVM_VM_CR);
  return 1;
}
