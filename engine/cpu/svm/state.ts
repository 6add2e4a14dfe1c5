/** Is a guest of this vCPU running, what does its host intercept, and the #VMEXIT that waits to be done. APM 2 15.5 to 15.13. */
import { SVM_GIF_CLEAR, SVM_GUEST, SVM_INTERCEPT_CR, SVM_NESTED, SVM_VINTR } from '../../abi/svm';
import { EVENT_ERROR_CODE, EVENT_VALID } from '../../abi/vcpu';
import { cpu, PEND_EXIT, pend } from '../state';

export const V_IRQ: u64 = 0x100;
export const V_IGN_TPR: u64 = 1 << 20;
export const V_INTR_MASKING: u64 = 1 << 24;

/** EXITCODE of a VMCB that VMRUN refuses. */
export const EXIT_INVALID: u64 = <u64>-1;

@inline
export function inGuest(): bool {
  return load<u32>(cpu, SVM_GUEST) != 0;
}

/** The running program's physical addresses go through the nested tables. */
@inline
export function isNested(): bool {
  return load<u32>(cpu, SVM_NESTED) != 0;
}

/** A guest runs, or the global interrupt flag is clear: the usual rules about interrupts do not do. One load. */
@inline
export function hasOwnRules(): bool {
  return load<u64>(cpu, SVM_GIF_CLEAR) != 0;
}

/** Is the exit code one whose intercept the host has set? 0x00-0x9f: the five intercept words, one bit a code. */
export function intercepts(code: i32): bool {
  return ((load<u32>(cpu + <usize>((code >> 5) << 2), SVM_INTERCEPT_CR) >> <u32>(code & 31)) & 1) != 0;
}

/** CR8 of the guest is V_TPR. */
@inline
export function hasVirtualTpr(): bool {
  return inGuest() && (load<u64>(cpu, SVM_VINTR) & V_INTR_MASKING) != 0;
}

export let exitCode: u64 = 0;
export let exitInfo1: u64 = 0;
export let exitInfo2: u64 = 0;
/** RIP of the next instruction, for the intercepts of instructions; else 0. */
export let exitNextRip: u64 = 0;
/** EXITINTINFO: the event on whose way to its handler the exit came; 0: none. */
export let exitEvent: u64 = 0;

/** Pends a #VMEXIT and answers 0, so that a handler can return it: nothing may have changed. */
export function requestExit(code: u64, info1: u64, info2: u64, nextRip: u64): i32 {
  exitCode = code;
  exitInfo1 = info1;
  exitInfo2 = info2;
  exitNextRip = nextRip;
  exitEvent = 0;
  return pend(PEND_EXIT);
}

/** The exit that was just requested came while this event (vector and EVENT_* bits) was being delivered. */
export function exitWhileDelivering(event: u32, error: u32): void {
  exitEvent = <u64>(event | EVENT_VALID) | (event & EVENT_ERROR_CODE ? (<u64>error) << 32 : 0);
}
