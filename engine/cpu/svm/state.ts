/** Whether a guest of this vCPU runs, what its host intercepts, and the pending #VMEXIT. APM 2 15.5 to 15.13. */
import { SVM_GIF_CLEAR, SVM_GUEST, SVM_INTERCEPT_CR, SVM_NESTED, SVM_VINTR } from '../../abi/svm';
import { EVENT_ERROR_CODE, EVENT_VALID } from '../../abi/vcpu';
import { cpu, PEND_EXIT, pend } from '../state';

export const V_IRQ: u64 = 0x100;
export const V_IGN_TPR: u64 = 1 << 20;
export const V_INTR_MASKING: u64 = 1 << 24;

/** EXITCODE when VMRUN refuses a VMCB. */
export const EXIT_INVALID: u64 = <u64>-1;

@inline
export function inGuest(): bool {
  return load<u32>(cpu, SVM_GUEST) != 0;
}

/** The running program's physical addresses are translated by the nested tables. */
@inline
export function isNested(): bool {
  return load<u32>(cpu, SVM_NESTED) != 0;
}

/** A guest runs, or the global interrupt flag is clear: the usual interrupt rules do not apply. One load. */
@inline
export function hasOwnRules(): bool {
  return load<u64>(cpu, SVM_GIF_CLEAR) != 0;
}

/** Has the host set the intercept of the exit code? 0x00-0x9f: the five intercept words, one bit per code. */
export function intercepts(code: i32): bool {
  return ((load<u32>(cpu + <usize>((code >> 5) << 2), SVM_INTERCEPT_CR) >> <u32>(code & 31)) & 1) != 0;
}

/** The guest's CR8 is V_TPR. */
@inline
export function hasVirtualTpr(): bool {
  return inGuest() && (load<u64>(cpu, SVM_VINTR) & V_INTR_MASKING) != 0;
}

export let exitCode: u64 = 0;
export let exitInfo1: u64 = 0;
export let exitInfo2: u64 = 0;
/** RIP of the next instruction for instruction intercepts, otherwise 0. */
export let exitNextRip: u64 = 0;
/** EXITINTINFO: the event whose delivery caused the exit; 0: none. */
export let exitEvent: u64 = 0;

/** Requests a #VMEXIT and returns 0, for a handler to return. Nothing may have changed before. */
export function requestExit(code: u64, info1: u64, info2: u64, nextRip: u64): i32 {
  exitCode = code;
  exitInfo1 = info1;
  exitInfo2 = info2;
  exitNextRip = nextRip;
  exitEvent = 0;
  return pend(PEND_EXIT);
}

/** Records that the exit just requested occurred while this event (vector and EVENT_* bits) was being delivered. */
export function exitWhileDelivering(event: u32, error: u32): void {
  exitEvent = <u64>(event | EVENT_VALID) | (event & EVENT_ERROR_CODE ? (<u64>error) << 32 : 0);
}
