/**
 * Events between instructions: exceptions, including those that arise while another one is delivered (SDM 3A 6.15), external interrupts, NMI. If the
 * delivery meets an INVALID memslot, the event waits in the vCPU record and is delivered first when the vCPU runs again (KVM's event re-injection):
 * the interrupt controller has already acknowledged the vector and would not raise it again. INT n, INT3, INTO and INT1 do not need this: the
 * instruction is run again.
 */
import {
  EVENT_ERROR_CODE,
  EVENT_EXTERNAL,
  EVENT_FAULT,
  EVENT_NMI,
  EVENT_TRAP,
  EVENT_TYPE,
  EVENT_VALID,
  LOG_EXCEPTION,
  LOG_TRIPLE,
  STAT_EXCEPTIONS,
  VCPU_CR2,
  VCPU_DR7,
  VCPU_EVENT,
  VCPU_EVENT_ERROR,
  VCPU_FAULT_ADDR,
  VCPU_FAULT_ERROR,
  VCPU_FAULT_VECTOR,
  VCPU_HALTED,
  VCPU_NMI_BLOCKED,
  VCPU_NMI_PENDING,
  VCPU_RIP,
} from '../abi/index';
import { EVENT_SOFTWARE, SVM_INJECTED_RIP } from '../abi/svm';
import { log } from './imports';
import { isProt } from './mmu-mode';
import {
  clearPending,
  cpu,
  PEND_EXCEPTION,
  PEND_EXIT,
  PEND_RETRY,
  pending,
  VEC_AC,
  VEC_BP,
  VEC_DB,
  VEC_DE,
  VEC_DF,
  VEC_GP,
  VEC_NMI,
  VEC_OF,
  VEC_PF,
  VEC_TS,
  vcpuIndex,
} from './state';
import { exceptionExits, shutdownExits } from './svm/exceptions';
import { exitEvent, exitWhileDelivering, inGuest } from './svm/state';
import { count, deliverEvent, INT_FAULT, INT_HARDWARE, INT_SOFTWARE, INT_TRAP, interrupt } from './transfer-interrupt';

/** Each exception is reported (LOG_EXCEPTION). */
let tracing: bool = false;

export function traceExceptions(on: i32): void {
  tracing = on != 0;
}

/** DR7: general detect. */
const DR7_GD: u64 = 0x2000;

/** #DE #TS #NP #SS #GP: the contributory exceptions (SDM 3A table 6-5). */
function isContributory(vector: i32): bool {
  return vector == VEC_DE || (vector >= VEC_TS && vector <= VEC_GP);
}

function pushesError(vector: i32): bool {
  return vector == VEC_DF || (vector >= VEC_TS && vector <= VEC_PF) || vector == VEC_AC;
}

/** The vector to deliver when `second` arose while `first` was being delivered; -1: triple fault. */
function combine(first: i32, second: i32): i32 {
  const bad = isContributory(second) || second == VEC_PF;
  if (first == VEC_DF) return bad ? -1 : second;
  if (first == VEC_PF && bad) return VEC_DF;
  if (isContributory(first) && isContributory(second)) return VEC_DF;
  return second;
}

function shutDown(first: i32, last: i32): i32 {
  clearPending();
  store<u32>(cpu, 3, VCPU_HALTED);
  log(vcpuIndex(), LOG_TRIPLE, first, last);
  return 0;
}

/** Stores an event until its delivery can be retried. Returns 0. */
function keep(event: u32, error: u32): i32 {
  store<u32>(cpu, event | EVENT_VALID, VCPU_EVENT);
  store<u32>(cpu, error, VCPU_EVENT_ERROR);
  return 0;
}

function keepException(vector: i32, trap: bool, withError: bool, error: u32): i32 {
  return keep(<u32>vector | (trap ? EVENT_TRAP : EVENT_FAULT) | (withError ? EVENT_ERROR_CODE : 0), error);
}

/** Delivers an exception, and the double fault that may follow. CR2 is already set. */
function deliverException(first: i32, trap: bool, withError: bool, firstError: u32): i32 {
  let vector = first;
  let error = firstError;
  for (;;) {
    clearPending();
    // #DF is an abort: no RF of its own in its frame.
    if (deliverEvent(vector, trap || vector == VEC_DF ? INT_TRAP : INT_FAULT, withError, error)) return 1;
    const event = <u32>vector | EVENT_FAULT | (withError ? EVENT_ERROR_CODE : 0);
    if (pending == PEND_RETRY) return keepException(vector, trap, withError, error);
    if (pending == PEND_EXIT) exitWhileDelivering(event, error);
    if (pending != PEND_EXCEPTION) return 0;
    const second = load<i32>(cpu, VCPU_FAULT_VECTOR);
    const next = combine(vector, second);
    const secondError = load<u32>(cpu, VCPU_FAULT_ERROR);
    if (exceptionExits(second, secondError) || (next == VEC_DF && exceptionExits(VEC_DF, 0)) || (next < 0 && shutdownExits())) {
      exitWhileDelivering(event, error);
      return 0;
    }
    if (next < 0) return shutDown(first, second);
    error = next == VEC_DF ? 0 : secondError;
    if (second == VEC_PF) store<u64>(cpu, load<u64>(cpu, VCPU_FAULT_ADDR), VCPU_CR2);
    vector = next;
    trap = false;
    withError = pushesError(vector) && isProt();
    count(STAT_EXCEPTIONS);
  }
  return 0;
}

/**
 * Delivers the exception that `raise` left; RIP is the faulting instruction's, or for a trap the next one's. 1: the handler is entered. 0 with
 * nothing pending: triple fault, the vCPU is shut down (VCPU_HALTED is 3, registers as at the fault). 0 with PEND_RETRY: the event waits in the
 * record.
 */
export function deliver(trap: bool): i32 {
  const vector = load<i32>(cpu, VCPU_FAULT_VECTOR);
  if (exceptionExits(vector, load<u32>(cpu, VCPU_FAULT_ERROR))) return 0;
  if (vector == VEC_DB) {
    // The frame has no RF, whatever the class: the handler of an instruction breakpoint decides whether to set it, and it may use DR0-DR7.
    trap = true;
    store<u64>(cpu, load<u64>(cpu, VCPU_DR7) & ~DR7_GD, VCPU_DR7);
  }
  if (vector == VEC_PF) store<u64>(cpu, load<u64>(cpu, VCPU_FAULT_ADDR), VCPU_CR2);
  count(STAT_EXCEPTIONS);
  if (tracing) log(vcpuIndex(), LOG_EXCEPTION, vector, pushesError(vector) ? load<u32>(cpu, VCPU_FAULT_ERROR) : 0);
  return deliverException(vector, trap, pushesError(vector) && isProt(), load<u32>(cpu, VCPU_FAULT_ERROR));
}

/** An external interrupt or NMI. A fault during delivery replaces the event (SDM 3A 6.15, benign first event). */
function deliverHardware(vector: i32, event: u32): i32 {
  if (interrupt(vector, INT_HARDWARE)) return 1;
  if (pending == PEND_RETRY) return keep(<u32>vector | event, 0);
  const delivered = pending == PEND_EXCEPTION && deliver(false);
  if (pending == PEND_EXIT && exitEvent == 0) exitWhileDelivering(<u32>vector | event, 0);
  return i32(delivered);
}

/** Delivers the vector that the interrupt controller returned. Returns as `deliver`. */
export function takeInterrupt(vector: i32): i32 {
  store<u32>(cpu, 0, VCPU_HALTED);
  return deliverHardware(vector & 255, EVENT_EXTERNAL);
}

/** Delivers the pending NMI; others stay blocked until the next IRET. Returns as `deliver`. */
export function takeNmi(): i32 {
  store<u32>(cpu, 0, VCPU_HALTED);
  store<u32>(cpu, 0, VCPU_NMI_PENDING);
  store<u32>(cpu, 1, VCPU_NMI_BLOCKED);
  return deliverHardware(VEC_NMI, EVENT_NMI);
}

/** Is an event waiting in the record? */
@inline
export function eventWaits(): bool {
  return (load<u32>(cpu, VCPU_EVENT) & EVENT_VALID) != 0;
}

/** INT n, INT3 or INTO that VMRUN injects: the frame shows the RIP after the instruction. */
function injectSoftware(vector: i32, event: u32): i32 {
  const rip = load<u64>(cpu, VCPU_RIP);
  store<u64>(cpu, load<u64>(cpu, SVM_INJECTED_RIP), VCPU_RIP);
  if (deliverEvent(vector, (event & EVENT_TYPE) == EVENT_SOFTWARE ? INT_SOFTWARE : INT_TRAP, false, 0)) return 1;
  store<u64>(cpu, rip, VCPU_RIP);
  if (pending == PEND_RETRY) return keep(event, 0);
  const delivered = pending == PEND_EXCEPTION && deliver(false);
  if (pending == PEND_EXIT && exitEvent == 0) exitWhileDelivering(event, 0);
  return i32(delivered);
}

/** Retries delivery of the waiting event. Returns as `deliver`. */
export function reinject(): i32 {
  const event = load<u32>(cpu, VCPU_EVENT);
  const error = load<u32>(cpu, VCPU_EVENT_ERROR);
  store<u32>(cpu, 0, VCPU_EVENT);
  store<u32>(cpu, 0, VCPU_EVENT_ERROR);
  const type = event & EVENT_TYPE;
  const vector = <i32>(event & 255);
  if (type == EVENT_SOFTWARE || (type == EVENT_FAULT && (vector == VEC_BP || vector == VEC_OF) && inGuest()))
    return injectSoftware(vector, event);
  if (type == EVENT_FAULT || type == EVENT_TRAP)
    return deliverException(vector, type == EVENT_TRAP, (event & EVENT_ERROR_CODE) != 0, error);
  return deliverHardware(vector, type);
}
