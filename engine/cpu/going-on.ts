/**
 * After an instruction that asks to leave the interpreter (system instructions, I/O, far transfers) there is mostly nothing to do. `mayGoOn` checks
 * everything that `run` would check before the next instruction; if nothing is due, the interpreter continues. `faultGoesOn` does the same for an
 * instruction that failed: it delivers the exception first.
 */
import {
  EVENT_VALID,
  VCPU_BREAK_ICOUNT,
  VCPU_EVENT,
  VCPU_EXIT_REQUEST,
  VCPU_HALTED,
  VCPU_ICOUNT,
  VCPU_IRQ_PENDING,
  VCPU_LEFT,
  VCPU_PENDING_DEBUG,
  VCPU_RIP,
  VCPU_SLICE_END,
  VCPU_STOP_AT,
  VCPU_STOP_BEHIND,
  VCPU_WITHHELD,
} from '../abi/index';
import { SVM_GIF_CLEAR } from '../abi/svm';
import { dropAccesses } from './device-accesses';
import { deliver } from './events';
import { F_RF, F_TF, FL_SYS } from './flags';
import { BLOCK_LIMIT, R_AFTER } from './record';
import { cpu, PEND_EXCEPTION, pending } from './state';
import { ripOf } from './stops';
import { armed } from './watch';

/** No instruction count. */
const NEVER: u64 = <u64>-1;

/** End of the slice for which the interpreter was entered; 0: it returns after each instruction. */
let sliceEnd: u64 = 0;
let breakAt: u64 = 0;
/** Instruction count at which `mayGoOn` cleared RF: RF was valid for the instruction there, in case that did not run. */
let resumedAt: u64 = NEVER;
/** Instruction count at which the interpreter was entered, and at which `faultGoesOn` last delivered an exception. */
let enteredAt: u64 = 0;
let deliveredAt: u64 = NEVER;
/** Why `faultGoesOn` returned -1: the exception could not be delivered. */
export let undelivered: bool = false;

/** The interpreter is entered. `single`: for one instruction, after which it must return. */
export function noteSlice(single: bool): void {
  sliceEnd = single ? 0 : load<u64>(cpu, VCPU_SLICE_END);
  breakAt = load<u64>(cpu, VCPU_BREAK_ICOUNT);
  resumedAt = NEVER;
  enteredAt = load<u64>(cpu, VCPU_ICOUNT);
  deliveredAt = NEVER;
}

/**
 * The instruction at p is done and asks to leave: can the interpreter continue? At the end of the slice it leaves before it walks the next
 * instruction's page, so that accessed bits do not depend on the length of slices.
 */
export function mayGoOn(p: usize): bool {
  return load<u8>(p, R_AFTER) == 1 && load<i32>(cpu, VCPU_LEFT) > 0 && nothingWaits();
}

/** Between two instructions, with VCPU_LEFT exact: would `run` find nothing to do? */
@inline
function nothingWaits(): bool {
  const c = cpu;
  const flags = load<u32>(c, FL_SYS);
  // Checks pairs of adjacent u32 cells at once; hasOwnRules has the rules of SVM.
  const waits =
    load<u64>(c, VCPU_IRQ_PENDING) |
    load<u64>(c, VCPU_HALTED) |
    load<u64>(c, SVM_GIF_CLEAR) |
    <u64>(
      (load<u32>(c, VCPU_EXIT_REQUEST) |
        load<u32>(c, VCPU_PENDING_DEBUG) |
        (load<u32>(c, VCPU_EVENT) & EVENT_VALID) |
        (flags & F_TF) |
        armed)
    );
  if (waits) return false;
  // A device may have lowered the end of the slice.
  if (load<u64>(c, VCPU_SLICE_END) != sliceEnd || load<u64>(c, VCPU_BREAK_ICOUNT) != breakAt) return false;
  if (flags & F_RF) {
    // RF covers the next instruction, so that one must run: any block fits into the rest of the slice.
    const left = load<i32>(c, VCPU_LEFT);
    if (left < BLOCK_LIMIT) return false;
    store<u32>(c, flags & ~F_RF, FL_SYS);
    resumedAt = load<u64>(c, VCPU_STOP_AT) - <u64>left;
  }
  return true;
}

/**
 * The instruction at p could not complete: delivers its exception as `run` would, if possible. 1: the handler is entered, and the interpreter
 * continues there; -1: `run` continues, with WHY_EVENT; 0: nothing was done. It leaves a second exception at the same count to `run`, which gives up
 * on a guest that makes no progress.
 */
export function faultGoesOn(p: usize): i32 {
  const c = cpu;
  if (pending != PEND_EXCEPTION || sliceEnd == 0 || armed || load<u64>(c, SVM_GIF_CLEAR)) return 0;
  if (load<u32>(c, VCPU_STOP_BEHIND) | load<u32>(c, VCPU_WITHHELD)) return 0;
  const left = load<i32>(c, VCPU_LEFT) + <i32>load<u8>(p, R_AFTER);
  const now = load<u64>(c, VCPU_STOP_AT) - <u64>left;
  if (now == enteredAt || now == deliveredAt) return 0;
  deliveredAt = now;
  store<i32>(c, left, VCPU_LEFT);
  store<u64>(c, now, VCPU_ICOUNT);
  store<u64>(c, ripOf(p), VCPU_RIP);
  resumeAgain();
  dropAccesses();
  undelivered = !deliver(false);
  return !undelivered && left > 0 && !load<u32>(c, VCPU_STOP_BEHIND) && nothingWaits() ? 1 : -1;
}

/** Is an exception to be delivered at the count at which `faultGoesOn` last delivered one? */
export function faultsAgain(): bool {
  return load<u64>(cpu, VCPU_ICOUNT) == deliveredAt;
}

/** The next instruction did not succeed: restores the RF that `mayGoOn` cleared for it. */
export function resumeAgain(): void {
  if (load<u64>(cpu, VCPU_ICOUNT) == resumedAt) store<u32>(cpu, load<u32>(cpu, FL_SYS) | F_RF, FL_SYS);
}
