/** VMRUN, VMLOAD, VMSAVE, VMMCALL, STGI, CLGI, INVLPGA. SKINIT is not implemented (#UD). APM 3, the instructions' pages. */
import { VCPU_RAX, VCPU_RCX, VCPU_RIP } from '../../abi/index';
import { SVM_GIF_CLEAR } from '../../abi/svm';
import { exactCount, leaveAfter, ripAfter } from '../mem';
import { cpl, EFER_SVME, efer, is64, isProt } from '../mmu-mode';
import { PHYS_BITS } from '../page-bits';
import { R_NUMBER } from '../record';
import { cpu, PEND_RETRY, pend, raise, VEC_GP, VEC_UD } from '../state';
import { flushAsid } from './asid';
import { vmrun } from './enter';
import { physInvalid, physPage } from './physical';
import { loadMoreState, saveMoreState } from './save-area';

/** R_NUMBER: ModRM.rm. */
export const SVM_VMRUN: i32 = 0;
export const SVM_VMMCALL: i32 = 1;
export const SVM_VMLOAD: i32 = 2;
export const SVM_VMSAVE: i32 = 3;
export const SVM_STGI: i32 = 4;
export const SVM_CLGI: i32 = 5;
export const SVM_SKINIT: i32 = 6;
export const SVM_INVLPGA: i32 = 7;

/** The vector of a fault that precedes everything else, including the intercept, or 0. */
export function svmFault(number: i32): i32 {
  if (number == SVM_VMMCALL) return 0;
  if (number == SVM_SKINIT || !(efer() & EFER_SVME) || !isProt()) return VEC_UD;
  return cpl != 0 ? VEC_GP : 0;
}

/** The physical address in rAX. */
function address(): u64 {
  const rax = load<u64>(cpu, VCPU_RAX);
  return is64() ? rax : rax & 0xffffffff;
}

/** VMLOAD, VMSAVE. */
function move(saves: bool): i32 {
  const gpa = address();
  if (gpa & 0xfff || gpa >> PHYS_BITS) return raise(VEC_GP, 0);
  const vmcb = physPage(gpa, saves);
  if (vmcb == 0) return physInvalid ? pend(PEND_RETRY) : raise(VEC_GP, 0);
  if (saves) saveMoreState(vmcb);
  else loadMoreState(vmcb);
  return 1;
}

export function opSvm(p: usize): i32 {
  exactCount(p);
  const number = load<i32>(p, R_NUMBER);
  const fault = svmFault(number);
  if (fault != 0) return raise(fault, 0);
  switch (number) {
    case SVM_VMRUN: {
      const before = load<u64>(cpu, VCPU_RIP);
      store<u64>(cpu, ripAfter(p), VCPU_RIP);
      if (vmrun(address())) return 2;
      store<u64>(cpu, before, VCPU_RIP);
      return 0;
    }
    case SVM_VMLOAD:
    case SVM_VMSAVE:
      return move(number == SVM_VMSAVE) ? leaveAfter(p) : 0;
    case SVM_STGI:
    case SVM_CLGI:
      store<u32>(cpu, u32(number == SVM_CLGI), SVM_GIF_CLEAR);
      return leaveAfter(p);
    case SVM_INVLPGA:
      flushAsid(load<u32>(cpu, VCPU_RCX));
      return leaveAfter(p);
    default:
      return raise(VEC_UD, 0); // VMMCALL that is not intercepted
  }
}
