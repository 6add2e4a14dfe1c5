/**
 * `run`: slices, interrupts, exceptions, HLT, single steps. Between blocks VCPU_RIP and VCPU_ICOUNT are exact here. Interrupts are checked whenever
 * `execute` returns, and by going-on.ts where it would. Everything that can make one deliverable (devices, STI, POPF, IRET, CR8, the start of a
 * slice) makes it return, so interrupts are taken at instruction counts that do not depend on the slices. Debug exceptions: SDM 3B 18.3.1. A fault
 * discards the trap that a preceding MOV SS held back.
 */
import {
  EXIT_BREAK,
  EXIT_BUDGET,
  EXIT_DEBUG,
  EXIT_HLT,
  EXIT_INTERNAL_ERROR,
  EXIT_REQUESTED,
  EXIT_RETRY,
  EXIT_SHUTDOWN,
  SHADOW_MOV_SS,
  STAT_RETRIES,
  VCPU_BREAK_ICOUNT,
  VCPU_DR6,
  VCPU_EXIT_REQUEST,
  VCPU_HALTED,
  VCPU_ICOUNT,
  VCPU_INDEX,
  VCPU_INTR_SHADOW,
  VCPU_IRQ_PENDING,
  VCPU_LEFT,
  VCPU_NMI_BLOCKED,
  VCPU_NMI_PENDING,
  VCPU_PENDING_DEBUG,
  VCPU_RIP,
  VCPU_SLICE_END,
  VCPU_STATS,
  VCPU_STOP_AT,
} from '../abi/index';
import { findBlock, scratchBlock } from './blocks';
import { dropAccesses, endAccesses, holdAccesses, inMidst, resumeAccesses } from './device-accesses';
import { deliver, eventWaits, reinject, takeInterrupt, takeNmi } from './events';
import { arithmeticFlags, F_IF, F_RF, F_TF, setArithmeticFlags, setSysFlags, sysFlags } from './flags';
import { execute } from './generated/interp';
import { OP_INT, OP_INTO, OP_SYSCALL, OP_SYSRET } from './generated/ops';
import { faultsAgain, noteSlice, resumeAgain, undelivered } from './going-on';
import { ackInterrupt } from './imports';
import { modeChanged } from './mmu-mode';
import { blockCount, R_AFTER, VREG_EA, VREG_PAGE } from './record';
import { nextSample, sampleDue, sampled } from './regions';
import {
  blockOf,
  clearPending,
  cpu,
  PEND_DEBUG,
  PEND_EXCEPTION,
  PEND_EXIT,
  PEND_INTERNAL,
  PEND_RETRY,
  PEND_WAIT,
  pending,
  raise,
  selectCpu,
  VEC_DB,
} from './state';
import { beginStops, endStops, ripOf, ripOfBlock } from './stops';
import { takeByRules, virtualWaits } from './svm/interrupts';
import { leaveGuest } from './svm/leave';
import { hasOwnRules } from './svm/state';
import { armed, dropHits, labHits, meetBreakpoint, setPassing, takeGuestHits } from './watch';
import { leavePoint, WHY_EVENT, WHY_FAULT, WHY_FETCH, WHY_LEAVE, WHY_OVER, WHY_STOP } from './why';

/** Deliveries without a retired instruction after which a slice gives up, in case a guest's handler faults for ever. */
const DELIVERY_LIMIT: i32 = 10000;
/** The debug exception is a single-step trap. */
const DR6_BS: u32 = 0x4000;
/** Breakpoints met; those of the last debug exception come first. */
const DR6_B: u64 = 0xf;
/** `step` continues. */
const GO_ON: i32 = -1;
/** In the last step two exceptions were delivered at the same instruction count. */
let faultedTwice: bool = false;

/** Clears what in the record depends on how instructions were grouped: flags are plain, pseudo registers and the slice's end 0. */
function finish(code: i32): i32 {
  endAccesses();
  setArithmeticFlags(arithmeticFlags());
  store<u64>(cpu, 0, VCPU_SLICE_END);
  store<u64>(cpu, 0, VREG_EA);
  store<u64>(cpu, 0, VREG_PAGE);
  return code;
}

export function run(vcpu: i32, budget: i32): i32 {
  selectCpu(blockOf(vcpu));
  modeChanged();
  clearPending();
  resumeAccesses();
  if (armed) dropHits();
  store<u64>(cpu, load<u64>(cpu, VCPU_ICOUNT) + <u64>budget, VCPU_SLICE_END);
  let deliveries = 0;
  while (true) {
    const before = load<u64>(cpu, VCPU_ICOUNT);
    let exit = step();
    if (exit == GO_ON && armed) exit = watched();
    if (exit != GO_ON) return finish(exit);
    deliveries = load<u64>(cpu, VCPU_ICOUNT) == before ? deliveries + 1 : i32(faultedTwice);
    if (deliveries > DELIVERY_LIMIT) return finish(EXIT_BUDGET);
  }
}

/** The exit for the pending reason, or GO_ON after delivering an exception. */
function settle(trap: bool = false): i32 {
  if (pending == PEND_EXCEPTION) {
    dropAccesses();
    if (deliver(trap)) return GO_ON;
  }
  if (pending == PEND_DEBUG) {
    clearPending();
    const bits = meetBreakpoint();
    return bits ? debugException(bits) : EXIT_DEBUG;
  }
  return stopped();
}

/** The exit for the pending reason if an event could not be delivered or an instruction not run. */
function stopped(): i32 {
  if (load<u32>(cpu, VCPU_HALTED) == 3) return EXIT_SHUTDOWN;
  const why = pending;
  clearPending();
  if (why == PEND_RETRY) {
    holdAccesses();
    store<u64>(cpu, load<u64>(cpu, VCPU_STATS + STAT_RETRIES) + 1, VCPU_STATS + STAT_RETRIES);
    return EXIT_RETRY;
  }
  dropAccesses();
  if (why == PEND_EXIT) return leaveGuest() ? GO_ON : stopped();
  if (why == PEND_WAIT) store<u32>(cpu, 1, VCPU_HALTED);
  return why == PEND_INTERNAL ? EXIT_INTERNAL_ERROR : GO_ON;
}

/** Delivers the waiting event; else an NMI or interrupt that is pending and not blocked. GO_ON, or an exit. */
function interrupts(): i32 {
  if (eventWaits() && !reinject()) return stopped();
  // Finishes an instruction that has accessed a device first.
  if (inMidst()) return GO_ON;
  if (hasOwnRules()) return takeByRules() ? GO_ON : stopped();
  if (load<u32>(cpu, VCPU_INTR_SHADOW)) return GO_ON;
  if (load<u32>(cpu, VCPU_NMI_PENDING) && !load<u32>(cpu, VCPU_NMI_BLOCKED)) {
    if (!takeNmi()) return stopped();
  } else if (load<u32>(cpu, VCPU_IRQ_PENDING) && sysFlags() & F_IF) {
    const vector = ackInterrupt(load<i32>(cpu, VCPU_INDEX));
    if (vector >= 0 && !takeInterrupt(vector)) return stopped();
  }
  return GO_ON;
}

function step(): i32 {
  faultedTwice = false;
  if (load<u32>(cpu, VCPU_EXIT_REQUEST)) {
    store<u32>(cpu, 0, VCPU_EXIT_REQUEST);
    return EXIT_REQUESTED;
  }
  const halted = load<u32>(cpu, VCPU_HALTED);
  if (halted == 3) return EXIT_SHUTDOWN;
  if (halted == 2) return EXIT_HLT;
  const now = load<u64>(cpu, VCPU_ICOUNT);
  if (now == load<u64>(cpu, VCPU_BREAK_ICOUNT)) return EXIT_BREAK;
  if (!halted && now >= load<u64>(cpu, VCPU_SLICE_END)) return EXIT_BUDGET;
  const taken = interrupts();
  if (taken != GO_ON) return taken;
  if (armed) {
    const hit = watched();
    if (hit != GO_ON) return hit;
  }
  if (load<u32>(cpu, VCPU_HALTED)) return EXIT_HLT;
  if (now >= load<u64>(cpu, VCPU_SLICE_END)) return EXIT_BUDGET;
  return instructions(now);
}

/** Runs blocks up to the end of the slice, or one instruction (interrupt shadow, single step). */
function instructions(now: u64): i32 {
  let stopAt = min(load<u64>(cpu, VCPU_SLICE_END), load<u64>(cpu, VCPU_BREAK_ICOUNT));
  if (stopAt < now) stopAt = load<u64>(cpu, VCPU_SLICE_END); // the break count was passed already
  const shadow = load<u32>(cpu, VCPU_INTR_SHADOW);
  const trap = (sysFlags() & F_TF) != 0;
  const resume = sysFlags() & F_RF;
  const held = load<u32>(cpu, VCPU_PENDING_DEBUG);
  // With nothing pending the shadow has no effect: whatever makes an interrupt pending also stops after that instruction.
  const shaded = shadow != 0 && ((load<u32>(cpu, VCPU_IRQ_PENDING) | load<u32>(cpu, VCPU_NMI_PENDING)) != 0 || virtualWaits());
  // RF affects the following instructions only if there are breakpoints.
  if (shaded || trap || (resume && armed) || held) stopAt = now + 1;
  const most = <i32>(stopAt - now);
  let left = nextSample(most);
  store<u64>(cpu, now + <u64>left, VCPU_STOP_AT);
  store<i32>(cpu, left, VCPU_LEFT);
  const rip = load<u64>(cpu, VCPU_RIP);
  setPassing(resume != 0 || shadow == SHADOW_MOV_SS);
  let block = findBlock(rip);
  if (block != 0) {
    // A sample may be late; the end of the slice must be exact.
    const count = blockCount(block);
    if (count > left) {
      left = count < most ? count : most;
      store<u64>(cpu, now + <u64>left, VCPU_STOP_AT);
      store<i32>(cpu, left, VCPU_LEFT);
    }
    if (count > left) block = scratchBlock(rip, left);
  }
  if (block == 0) {
    const exit = settle();
    setPassing(false);
    return exit;
  }
  setPassing(false);
  store<i32>(cpu, left - blockCount(block), VCPU_LEFT);
  store<u32>(cpu, 0, VCPU_INTR_SHADOW);
  // RF lasts for this instruction; a repeated one sets it again.
  if (resume) setSysFlags(sysFlags() & ~F_RF);
  noteSlice(stopAt == now + 1);
  beginStops();
  const why = execute(block);
  endStops();
  account(why);
  const due = sampleDue(<i32>(load<u64>(cpu, VCPU_ICOUNT) - now));
  if (why == WHY_EVENT) return undelivered ? stopped() : GO_ON;
  // The end of a slice is no sample: it may fall into the middle of any block.
  if (due && why == WHY_OVER && load<u64>(cpu, VCPU_ICOUNT) < stopAt) sampled(leavePoint);
  const retired = load<u64>(cpu, VCPU_ICOUNT) - now;
  // The next instruction cannot be fetched: the traps of this one come first, then it is fetched again.
  if (why == WHY_FETCH && retired != 0) {
    clearPending();
    resumeAgain();
  } else if (why == WHY_FAULT || why == WHY_FETCH) {
    // Hits of an instruction that failed do not count.
    if (armed) dropHits();
    // RF is cleared when an instruction succeeds; the frame of a double fault shows it unchanged.
    faultedTwice = faultsAgain();
    if (retired == 0) {
      if (pending == PEND_RETRY || pending == PEND_EXIT) store<u32>(cpu, shadow, VCPU_INTR_SHADOW);
      else store<u32>(cpu, 0, VCPU_PENDING_DEBUG);
      setSysFlags(sysFlags() | resume);
    } else resumeAgain();
    return settle();
  }
  // Of several MOV SS in a row only the first holds traps back, as the manual guarantees; otherwise an endless row would keep all events out.
  if (shadow == SHADOW_MOV_SS && retired == 1 && load<u32>(cpu, VCPU_INTR_SHADOW) == SHADOW_MOV_SS) store<u32>(cpu, 0, VCPU_INTR_SHADOW);
  if (retired == 0) return GO_ON;
  let debug: u32 = traps(trap, why) ? DR6_BS : 0;
  if (held) {
    debug |= held;
    store<u32>(cpu, 0, VCPU_PENDING_DEBUG);
  }
  if (armed) {
    const hits = takeGuestHits();
    if (load<u32>(cpu, VCPU_INTR_SHADOW) == SHADOW_MOV_SS) store<u32>(cpu, hits, VCPU_PENDING_DEBUG);
    else debug |= hits;
  }
  return debug ? debugException(debug) : GO_ON;
}

/** Between two instructions: did the delivery of an event, or the instruction before, hit a watch? GO_ON, or an exit. */
function watched(): i32 {
  const hits = takeGuestHits();
  if (hits) {
    const exit = debugException(hits);
    if (exit != GO_ON) return exit;
  }
  return labHits() ? EXIT_DEBUG : GO_ON;
}

/** Does a single-step trap follow the instruction that just retired? `before`: TF at its start (SDM 3B 18.3.1.4). */
function traps(before: bool, why: i32): bool {
  if (why == WHY_LEAVE) {
    const op = <i32>load<u16>(leavePoint);
    // INT n and INTO clear TF themselves.
    if (op == OP_INT || op == OP_INTO) return false;
    // TF as they leave it: no trap inside a kernel that masks TF, and a trap as if SYSCALL had just completed on the return to traced code.
    if (op == OP_SYSCALL || op == OP_SYSRET) return (sysFlags() & F_TF) != 0;
  }
  if (!before || load<u32>(cpu, VCPU_INTR_SHADOW) == SHADOW_MOV_SS) return false;
  // The trap ends HLT, but not the state after an INIT.
  return load<u32>(cpu, VCPU_HALTED) <= 1;
}

/** #DB for these bits of DR6, at RIP. It ends HLT. */
function debugException(bits: u32): i32 {
  store<u32>(cpu, 0, VCPU_HALTED);
  store<u64>(cpu, (load<u64>(cpu, VCPU_DR6) & ~DR6_B) | <u64>bits, VCPU_DR6);
  raise(VEC_DB, 0);
  return settle(true);
}

/** Exact RIP and instruction count after `execute`. */
function account(why: i32): void {
  let left = load<i32>(cpu, VCPU_LEFT);
  const p = leavePoint;
  if (why == WHY_FAULT || why == WHY_STOP) {
    left += <i32>load<u8>(p, R_AFTER);
    store<u64>(cpu, ripOf(p), VCPU_RIP);
  } else if (why == WHY_OVER) {
    left += blockCount(p);
    store<u64>(cpu, ripOfBlock(p), VCPU_RIP);
  } else if (why == WHY_LEAVE) left += <i32>load<u8>(p, R_AFTER) - 1;
  store<u64>(cpu, load<u64>(cpu, VCPU_STOP_AT) - <u64>left, VCPU_ICOUNT);
}
