/**
 * The x87 register stack, status and tag words in the vCPU record (SDM 1 8.1). VCPU_FTW holds 3 (empty) or 0 (anything else) per
 * physical register; the exact tags are computed when FSTENV or FSAVE stores them.
 */
import {
  VCPU_CR0,
  VCPU_FCW,
  VCPU_FDP,
  VCPU_FIP,
  VCPU_FOP,
  VCPU_FPU_REGS,
  VCPU_FSW,
  VCPU_FTW,
  VCPU_IGNNE,
  VCPU_INDEX,
} from '../../abi/index';
import { ferr } from '../imports';
import { CR0_NE } from '../mmu-mode';
import { cpu, PEND_WAIT, pend, raise, VEC_MF } from '../state';
import { begin, EX_BEFORE, EX_INVALID, INDEFINITE_SE, INDEFINITE_SIG, raised, roundedUp } from './float80';

export const FSW_SF: u32 = 0x40;
export const FSW_ES: u32 = 0x80;
export const FSW_C0: u32 = 0x100;
export const FSW_C1: u32 = 0x200;
export const FSW_C2: u32 = 0x400;
export const FSW_C3: u32 = 0x4000;
export const FSW_B: u32 = 0x8000;
const CONDITIONS: u32 = 0x4700;

@inline
export function fcw(): u32 {
  return load<u16>(cpu, VCPU_FCW);
}
@inline
export function fsw(): u32 {
  return load<u16>(cpu, VCPU_FSW);
}
@inline
export function setFsw(value: u32): void {
  store<u16>(cpu, <u16>value, VCPU_FSW);
}
@inline
export function top(): u32 {
  return (fsw() >> 11) & 7;
}
@inline
function setTop(value: u32): void {
  setFsw((fsw() & ~(<u32>0x3800)) | ((value & 7) << 11));
}

/** Physical number of ST(i). */
@inline
export function physical(i: u32): u32 {
  return (top() + i) & 7;
}
@inline
function register(i: u32): usize {
  return cpu + VCPU_FPU_REGS + <usize>(physical(i) << 4);
}
@inline
export function sigOf(i: u32): u64 {
  return load<u64>(register(i));
}
@inline
export function seOf(i: u32): u32 {
  return load<u16>(register(i), 8);
}
@inline
export function isEmpty(i: u32): bool {
  return ((<u32>load<u16>(cpu, VCPU_FTW) >> (physical(i) << 1)) & 3) == 3;
}
export function setTag(number: u32, tag: u32): void {
  const shift = number << 1;
  store<u16>(cpu, <u16>((<u32>load<u16>(cpu, VCPU_FTW) & ~((<u32>3) << shift)) | (tag << shift)), VCPU_FTW);
}
export function setRegister(i: u32, sig: u64, se: u32): void {
  store<u64>(register(i), sig);
  store<u16>(register(i), <u16>se, 8);
  setTag(physical(i), 0);
}
/** FSTP's alias D9 D8+i: raises no stack fault; an empty register is not copied. */
export function copyRegister(i: u32): void {
  if (!isEmpty(0)) setRegister(i, sigOf(0), seOf(0));
}
export function popStack(): void {
  setTag(top(), 3);
  setTop(top() + 1);
}
export function decrementTop(): void {
  setTop(top() - 1);
}
export function incrementTop(): void {
  setTop(top() + 1);
}

/** Recomputes ES and B after the status or the masks changed. */
export function updateSummary(): void {
  const status = fsw() & ~(FSW_ES | FSW_B);
  if (status & ~fcw() & 0x3f) setFsw(status | FSW_ES | FSW_B);
  else clearSummary(status);
}

/** Stores a status without pending errors: FERR# and IGNNE# are deasserted. */
export function clearSummary(status: u32): void {
  setFsw(status);
  store<u32>(cpu, 0, VCPU_IGNNE);
}

/**
 * A waiting instruction found a pending error. CR0.NE selects #MF or FERR#; with FERR# the processor waits for the external interrupt (SDM 1 8.7).
 * Returns 1 if the instruction continues because IGNNE# is asserted.
 */
export function pendingError(): i32 {
  if (load<u64>(cpu, VCPU_CR0) & CR0_NE) return raise(VEC_MF, 0);
  if (load<u32>(cpu, VCPU_IGNNE)) return 1;
  ferr(load<i32>(cpu, VCPU_INDEX));
  return pend(PEND_WAIT);
}

/**
 * Ends an operation: sticky exceptions, C1, ES. False when an unmasked exception forbids the result (invalid, denormal, zero divide).
 */
export function accept(): bool {
  let flags = raised;
  const blocking = flags & ~fcw() & EX_BEFORE;
  if (blocking & EX_INVALID) flags &= EX_INVALID;
  else if (blocking) flags &= EX_BEFORE;
  let status = (fsw() & ~FSW_C1) | flags;
  if (roundedUp && !blocking) status |= FSW_C1;
  setFsw(status);
  updateSummary();
  return blocking == 0;
}

export function setConditions(bits: u32): void {
  setFsw((fsw() & ~CONDITIONS) | bits);
}
export function clearC1(): void {
  setFsw(fsw() & ~FSW_C1);
}

/** Stack fault: #IS, C1 set for overflow. True if it is masked: the caller uses the indefinite value. */
export function stackFault(overflow: bool): bool {
  setFsw((fsw() & ~FSW_C1) | FSW_SF | EX_INVALID | (overflow ? FSW_C1 : 0));
  updateSummary();
  return (fcw() & EX_INVALID) != 0;
}

/** Pushes the value of an operation that was begun. Only an unmasked #IA keeps it off the stack. */
export function pushResult(sig: u64, se: u32): void {
  if (!isEmpty(7)) {
    if (stackFault(true)) {
      decrementTop();
      setRegister(0, INDEFINITE_SIG, INDEFINITE_SE);
    }
    return;
  }
  accept();
  if (raised & ~fcw() & EX_INVALID) return;
  decrementTop();
  setRegister(0, sig, se);
}

/** Puts the indefinite value in ST(i) after a masked underflow. */
export function underflow(i: u32): bool {
  if (!stackFault(false)) return false;
  setRegister(i, INDEFINITE_SIG, INDEFINITE_SE);
  return true;
}

export function beginOperation(controlled: bool): void {
  begin(fcw(), controlled);
}

/** FNINIT. */
export function initialise(): void {
  store<u16>(cpu, 0x37f, VCPU_FCW);
  clearSummary(0);
  store<u16>(cpu, 0xffff, VCPU_FTW);
  store<u16>(cpu, 0, VCPU_FOP);
  store<u64>(cpu, 0, VCPU_FIP);
  store<u64>(cpu, 0, VCPU_FDP);
}

/** Address of the last instruction that is not a control instruction, for FSTENV and FXSAVE. */
@inline
export function noteInstruction(opcode: u32, modrm: u32, rip: u64): void {
  store<u16>(cpu, <u16>(((opcode & 7) << 8) | modrm), VCPU_FOP);
  store<u64>(cpu, rip, VCPU_FIP);
}
@inline
export function noteOperand(va: u64): void {
  store<u64>(cpu, va, VCPU_FDP);
}
