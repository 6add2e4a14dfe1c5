/** Exact instruction counts while an instruction runs, and how the interpreter is made to stop behind it. */
import { VCPU_ICOUNT, VCPU_LEFT, VCPU_STOP_AT } from '../abi/index';
import { TRAIT_ENDS, traitsOf } from './generated/lookups';
import { OP_STOP } from './generated/ops';
import { MODE_64, mode } from './mmu-mode';
import { R_AFTER, R_LEN, R_OFF, R_OP, RECORD_SIZE, setOp, VREG_PAGE } from './record';
import { cpu } from './state';

/** Taken from VCPU_LEFT to make the next block boundary stop. */
const STEAL: i32 = 0x60000000;
let stolen: i32 = 0;
/** Record whose handler number OP_STOP replaces for the moment, or 0. */
let patched: usize = 0;
let patchedOp: u16 = 0;
/** The record of the instruction that made the last access of the slow kind; 0: none runs. */
let running: usize = 0;

/** Stores the exact number of retired instructions while the one at p runs. */
@inline
export function exactCount(p: usize): void {
  running = p;
  store<u64>(cpu, load<u64>(cpu, VCPU_STOP_AT) - <u64>(load<i32>(cpu, VCPU_LEFT) + stolen + <i32>load<u8>(p, R_AFTER)), VCPU_ICOUNT);
}

/** The same between two blocks. */
@inline
export function exactCountBetween(): void {
  store<u64>(cpu, load<u64>(cpu, VCPU_STOP_AT) - <u64>(load<i32>(cpu, VCPU_LEFT) + stolen), VCPU_ICOUNT);
}

/** RIP of the instruction at p, and of the one behind it. */
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

/** Makes the interpreter stop behind the instruction at p. */
export function stopAfter(p: usize): void {
  if (traitsOf(<i32>load<u16>(p, R_OP)) & TRAIT_ENDS) {
    if (stolen == 0) {
      stolen = STEAL;
      store<i32>(cpu, load<i32>(cpu, VCPU_LEFT) - STEAL, VCPU_LEFT);
    }
    return;
  }
  if (patched != 0) return;
  const off = load<u16>(p, R_OFF);
  let next = p + RECORD_SIZE;
  while (load<u16>(next, R_OFF) == off) next += RECORD_SIZE;
  patched = next;
  patchedOp = load<u16>(next, R_OP);
  setOp(next, OP_STOP);
}

/** The same for the instruction that makes an access now; events are delivered between two instructions, where there is nothing to stop. */
export function stopHere(): void {
  if (running != 0) stopAfter(running);
}

/** The record at which the interpreter will stop because of stopAfter, or 0. */
export function stopRecord(): usize {
  return patched;
}

/** Undoes stopAfter. `execute` has returned. */
export function afterStop(): void {
  running = 0;
  if (patched != 0) {
    setOp(patched, patchedOp);
    patched = 0;
  }
  if (stolen != 0) {
    store<i32>(cpu, load<i32>(cpu, VCPU_LEFT) + stolen, VCPU_LEFT);
    stolen = 0;
  }
}
