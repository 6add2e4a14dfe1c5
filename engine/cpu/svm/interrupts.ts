/**
 * Interrupts and NMIs while a guest runs or the global interrupt flag is clear, virtual interrupts, and the intercepts of all of them
 * (APM 2 15.13, 15.17, 15.21). An intercepted interrupt or NMI stays pending: the host takes it after STGI.
 */

import { VCPU_INDEX, VCPU_INTR_SHADOW, VCPU_IRQ_PENDING, VCPU_NMI_BLOCKED, VCPU_NMI_PENDING } from '../../abi/index';
import { SVM_EXIT_INTR, SVM_EXIT_NMI, SVM_EXIT_VINTR, SVM_GIF_CLEAR, SVM_HOST_RFLAGS, SVM_VINTR } from '../../abi/svm';
import { takeInterrupt, takeNmi } from '../events';
import { F_IF, sysFlags } from '../flags';
import { ackInterrupt } from '../imports';
import { cpu } from '../state';
import { inGuest, intercepts, requestExit, V_IGN_TPR, V_INTR_MASKING, V_IRQ } from './state';

/** A virtual interrupt that the guest's TPR does not mask. */
function virtualPending(vintr: u64): bool {
  return (vintr & V_IRQ) != 0 && ((vintr & V_IGN_TPR) != 0 || ((vintr >> 16) & 15) > (vintr & 15));
}

/** An event that the interrupt shadow of the next instruction may have to delay. */
export function virtualWaits(): bool {
  return inGuest() && virtualPending(load<u64>(cpu, SVM_VINTR));
}

/** Takes the events that can be taken now. 1: the vCPU continues; 0: something is pending (state.pending). */
export function takeByRules(): i32 {
  if (load<u32>(cpu, SVM_GIF_CLEAR)) return 1;
  const shadow = load<u32>(cpu, VCPU_INTR_SHADOW) != 0;
  const open = (sysFlags() & F_IF) != 0 && !shadow;
  const vintr = load<u64>(cpu, SVM_VINTR);
  if (load<u32>(cpu, VCPU_NMI_PENDING)) {
    if (intercepts(SVM_EXIT_NMI)) return requestExit(SVM_EXIT_NMI, 0, 0, 0);
    if (!shadow && !load<u32>(cpu, VCPU_NMI_BLOCKED)) return takeNmi();
  }
  const host = vintr & V_INTR_MASKING ? (load<u64>(cpu, SVM_HOST_RFLAGS) & F_IF) != 0 : open;
  if (host && load<u32>(cpu, VCPU_IRQ_PENDING)) {
    if (intercepts(SVM_EXIT_INTR)) return requestExit(SVM_EXIT_INTR, 0, 0, 0);
    const vector = ackInterrupt(load<i32>(cpu, VCPU_INDEX));
    if (vector >= 0) return takeInterrupt(vector);
  }
  if (!open || !virtualPending(vintr)) return 1;
  if (intercepts(SVM_EXIT_VINTR)) return requestExit(SVM_EXIT_VINTR, 0, 0, 0);
  store<u64>(cpu, vintr & ~V_IRQ, SVM_VINTR);
  return takeInterrupt(<i32>(vintr >> 32) & 255);
}
