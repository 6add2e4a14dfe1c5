/**
 * Behind an instruction that asks to leave the interpreter (system instructions, I/O, far transfers) mostly nothing has to be looked at.
 * `mayGoOn` asks for everything that `run` would look at before the next instruction; where it finds nothing, the interpreter goes on.
 */
import {
  EVENT_VALID,
  VCPU_BREAK_ICOUNT,
  VCPU_EVENT,
  VCPU_EXIT_REQUEST,
  VCPU_HALTED,
  VCPU_ICOUNT,
  VCPU_INTR_SHADOW,
  VCPU_IRQ_PENDING,
  VCPU_LEFT,
  VCPU_NMI_PENDING,
  VCPU_PENDING_DEBUG,
  VCPU_SLICE_END,
  VCPU_STOP_AT,
} from '../abi/index';
import { F_RF, F_TF, setSysFlags, sysFlags } from './flags';
import { BLOCK_LIMIT, R_AFTER } from './record';
import { cpu } from './state';
import { hasOwnRules } from './svm/state';
import { armed } from './watch';

/** No instruction count. */
const NEVER: u64 = <u64>-1;

/** Ends of the slice for which the interpreter was entered; 0: it shall come back behind each instruction. */
let sliceEnd: u64 = 0;
let breakAt: u64 = 0;
/** Instruction count at which `mayGoOn` took RF away: it has lasted for the instruction there, unless that did not run. */
let resumedAt: u64 = NEVER;

/** The interpreter is entered. `single`: for one instruction, whose end must be seen. */
export function noteSlice(single: bool): void {
  sliceEnd = single ? 0 : load<u64>(cpu, VCPU_SLICE_END);
  breakAt = load<u64>(cpu, VCPU_BREAK_ICOUNT);
  resumedAt = NEVER;
}

/** The instruction at p is done and wants to leave: is there nothing to leave for? */
export function mayGoOn(p: usize): bool {
  const waits =
    load<u32>(cpu, VCPU_IRQ_PENDING) |
    load<u32>(cpu, VCPU_NMI_PENDING) |
    load<u32>(cpu, VCPU_HALTED) |
    load<u32>(cpu, VCPU_INTR_SHADOW) |
    load<u32>(cpu, VCPU_EXIT_REQUEST) |
    load<u32>(cpu, VCPU_PENDING_DEBUG) |
    (load<u32>(cpu, VCPU_EVENT) & EVENT_VALID) |
    (sysFlags() & F_TF) |
    u32(hasOwnRules()) |
    armed;
  if (waits || load<u8>(p, R_AFTER) != 1) return false;
  // A device may have lowered the end of the slice.
  if (load<u64>(cpu, VCPU_SLICE_END) != sliceEnd || load<u64>(cpu, VCPU_BREAK_ICOUNT) != breakAt) return false;
  if (sysFlags() & F_RF) {
    // RF lasts for the next instruction, so that one has to run: any block fits into what is left.
    const left = load<i32>(cpu, VCPU_LEFT);
    if (left < BLOCK_LIMIT) return false;
    setSysFlags(sysFlags() & ~F_RF);
    resumedAt = load<u64>(cpu, VCPU_STOP_AT) - <u64>left;
  }
  return true;
}

/** The next instruction did not succeed: it gets RF back, if it had it. */
export function resumeAgain(): void {
  if (load<u64>(cpu, VCPU_ICOUNT) == resumedAt) setSysFlags(sysFlags() | F_RF);
}
