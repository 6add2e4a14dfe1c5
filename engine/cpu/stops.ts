/** Exact instruction counts while an instruction runs, and stops of the interpreter after it. */
import {
  VCPU_ICOUNT,
  VCPU_LAST,
  VCPU_LAST_RECORDS,
  VCPU_LEFT,
  VCPU_RECORD_AT,
  VCPU_STOP_AT,
  VCPU_STOP_BEHIND,
  VCPU_WITHHELD,
} from '../abi/index';
import { TRAIT_ENDS, traitsOf } from './generated/lookups';
import { OP_STOP } from './generated/ops';
import { MODE_64, mode } from './mmu-mode';
import { blockHva, opOf, R_AFTER, R_LEN, R_OFF, RECORD_SIZE, setOp, VREG_PAGE } from './record';
import { cpu } from './state';

/** More instructions than a slice has. */
const ALL: i32 = 0x60000000;

/** Stores p, and the exact number of retired instructions while the instruction there runs. */
@inline
export function exactCount(p: usize): void {
  store<u32>(cpu, <u32>p, VCPU_RECORD_AT);
  store<u64>(
    cpu,
    load<u64>(cpu, VCPU_STOP_AT) - <u64>(load<i32>(cpu, VCPU_LEFT) + load<i32>(cpu, VCPU_WITHHELD) + <i32>load<u8>(p, R_AFTER)),
    VCPU_ICOUNT,
  );
}

/** The same between two blocks. */
@inline
export function exactCountBetween(): void {
  store<u32>(cpu, 0, VCPU_RECORD_AT);
  store<u64>(cpu, load<u64>(cpu, VCPU_STOP_AT) - <u64>(load<i32>(cpu, VCPU_LEFT) + load<i32>(cpu, VCPU_WITHHELD)), VCPU_ICOUNT);
}

/** RIP of the instruction at p, and of the next one. */
@inline
export function ripOf(p: usize): u64 {
  const rip = load<u64>(cpu, VREG_PAGE) + <u64>load<u16>(p, R_OFF);
  return mode & MODE_64 ? rip : rip & 0xffffffff;
}
@inline
export function ripAfter(p: usize): u64 {
  const rip = load<u64>(cpu, VREG_PAGE) + <u64>load<u16>(p, R_OFF) + <u64>load<u8>(p, R_LEN);
  return mode & MODE_64 ? rip : rip & 0xffffffff;
}

/** RIP of a block. Its first record may be that of a later instruction (leaveOutIdle in decode.ts). */
export function ripOfBlock(block: usize): u64 {
  const rip = load<u64>(cpu, VREG_PAGE) + <u64>(blockHva(block) & 4095);
  return mode & MODE_64 ? rip : rip & 0xffffffff;
}

/**
 * Stops after the running instruction: it accessed a device, dropped decoded code or took a TLB entry from a page with code, hit a watch, or the vCPU
 * was asked to leave.
 */
@inline
export function stopBehind(): void {
  store<u32>(cpu, 1, VCPU_STOP_BEHIND);
}
/** Was `stopBehind` called? */
@inline
export function stopsBehind(): bool {
  return load<u32>(cpu, VCPU_STOP_BEHIND) != 0;
}

/** Called when `execute` begins: discards earlier requests. */
export function beginStops(): void {
  store<u32>(cpu, 0, VCPU_STOP_BEHIND);
}

/** Called when `execute` has returned: gives back the withheld instructions. */
export function endStops(): void {
  store<i32>(cpu, load<i32>(cpu, VCPU_LEFT) + load<i32>(cpu, VCPU_WITHHELD), VCPU_LEFT);
  store<i32>(cpu, 0, VCPU_WITHHELD);
  // What an interrupt reads and writes during delivery belongs to no instruction.
  store<u32>(cpu, 0, VCPU_RECORD_AT);
}

/**
 * The record to continue with after the instruction at p did something that can request a stop: p, or a copy of it in VCPU_LAST that OP_STOP follows.
 * Decoded records are shared and never modified. A record that ends its block continues itself: instructions are withheld from the next block entry,
 * so that one stops.
 */
@inline
export function goingOn(p: usize): usize {
  return stopsBehind() ? lastOf(p) : p;
}

export function lastOf(p: usize): usize {
  const copy = cpu + VCPU_LAST;
  if (p >= copy && p < copy + VCPU_LAST_RECORDS * RECORD_SIZE) return p;
  if (traitsOf(opOf(p)) & TRAIT_ENDS) {
    if (load<i32>(cpu, VCPU_WITHHELD) == 0) {
      store<i32>(cpu, ALL, VCPU_WITHHELD);
      store<i32>(cpu, load<i32>(cpu, VCPU_LEFT) - ALL, VCPU_LEFT);
    }
    return p;
  }
  const next = behind(p);
  memory.copy(copy, p, next - p + RECORD_SIZE);
  setOp(copy + (next - p), OP_STOP);
  return copy;
}

/** First record of the instruction after the one at p, which does not end its block. */
export function behind(p: usize): usize {
  const off = load<u16>(p, R_OFF);
  let next = p + RECORD_SIZE;
  while (load<u16>(next, R_OFF) == off) next += RECORD_SIZE;
  return next;
}
