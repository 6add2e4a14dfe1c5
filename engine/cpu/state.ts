/** The current vCPU, and the reason why an instruction could not complete. Shared by every file of the core. */
import { VCPU_BASE, VCPU_BLOCK_SIZE, VCPU_FAULT_ADDR, VCPU_FAULT_ERROR, VCPU_FAULT_VECTOR, VCPU_INDEX } from '../abi/index';

/** Address of the running vCPU's block (abi/layout.ts), which begins with its record. `execute` keeps a copy in a local. */
export let cpu: usize = VCPU_BASE;
export function selectCpu(block: usize): void {
  cpu = block;
}
/** Index of the running vCPU: an argument of every call that leaves the core. */
@inline
export function vcpuIndex(): i32 {
  return load<i32>(cpu, VCPU_INDEX);
}
@inline
export function blockOf(vcpu: i32): usize {
  return <usize>VCPU_BASE + <usize>vcpu * VCPU_BLOCK_SIZE;
}

/**
 * Why the last helper returned "did not complete". Faults are return values (helpers return 0), never traps: the interpreter leaves through one exit
 * label, sets RIP back to the instruction and calls `deliver`.
 */
export const PEND_NONE: i32 = 0;
/** An exception waits in VCPU_FAULT_VECTOR / _ERROR (and _ADDR for #PF). */
export const PEND_EXCEPTION: i32 = 1;
/** INVALID memslot: leave with EXIT_RETRY. */
export const PEND_RETRY: i32 = 2;
/** Fetch from a gpa without memslot: leave with EXIT_INTERNAL_ERROR. */
export const PEND_INTERNAL: i32 = 3;
/** The processor waits at this instruction until an interrupt arrives. */
export const PEND_WAIT: i32 = 4;
/** There is a breakpoint on the instruction (watch.ts). */
export const PEND_DEBUG: i32 = 5;

/** A #VMEXIT was requested (svm/state.ts). */
export const PEND_EXIT: i32 = 6;

export let pending: i32 = PEND_NONE;
export function clearPending(): void {
  pending = PEND_NONE;
}

export const VEC_DE: i32 = 0;
export const VEC_DB: i32 = 1;
export const VEC_NMI: i32 = 2;
export const VEC_BP: i32 = 3;
export const VEC_OF: i32 = 4;
export const VEC_BR: i32 = 5;
export const VEC_UD: i32 = 6;
export const VEC_NM: i32 = 7;
export const VEC_DF: i32 = 8;
export const VEC_TS: i32 = 10;
export const VEC_NP: i32 = 11;
export const VEC_SS: i32 = 12;
export const VEC_GP: i32 = 13;
export const VEC_PF: i32 = 14;
export const VEC_MF: i32 = 16;
export const VEC_AC: i32 = 17;
export const VEC_XM: i32 = 19;

/** Pends an exception and returns 0, so that a helper can `return raise(VEC_GP, 0)`. */
export function raise(vector: i32, error: u32): i32 {
  pending = PEND_EXCEPTION;
  store<u32>(cpu, vector, VCPU_FAULT_VECTOR);
  store<u32>(cpu, error, VCPU_FAULT_ERROR);
  return 0;
}

export function raisePageFault(va: u64, error: u32): i32 {
  store<u64>(cpu, va, VCPU_FAULT_ADDR);
  return raise(VEC_PF, error);
}

export function pend(kind: i32): i32 {
  pending = kind;
  return 0;
}
