/**
 * The x87 functions that compiled regions call (engine/jit/x87.ts). A region keeps the status word in a local and writes results to their registers,
 * so only `jitX87` and `jitX87State` here touch the record's status. Functions that compute return the bits of the status word that the operation
 * sets, or NOT_DONE, having changed nothing.
 */
import { VCPU_FDP, VCPU_FIP, VCPU_FOP, VCPU_FSW } from '../../abi/index';
import { X87_EMPTIED, X87_OPERAND, X87_RETAGGED } from '../../abi/x87-ways';
import { cpu } from '../state';
import { shortly } from './fast';
import {
  addNormal,
  compareNormal,
  divideNormal,
  multiplyNormal,
  NOT_DONE,
  narrowDouble,
  narrowed,
  narrowedInexact,
  narrowedUp,
  narrowInteger,
  narrowSingle,
  rootNormal,
  statusOf,
} from './fast-arithmetic';
import { setTag } from './registers';

/** Runs the x87 instruction at p on its short path, with the operand at va. VREG_PAGE is valid. 0: nothing was changed, the general handler must run it. */
export function jitX87(p: usize, va: u64): i32 {
  return i32(shortly(p, va));
}

/** a + b to the register at `to`. */
export function jitX87Add(to: usize, aSig: u64, aSe: u32, bSig: u64, bSe: u32): i32 {
  return addNormal(to, aSig, aSe, bSig, bSe);
}
/** a * b. */
export function jitX87Multiply(to: usize, aSig: u64, aSe: u32, bSig: u64, bSe: u32): i32 {
  return multiplyNormal(to, aSig, aSe, bSig, bSe);
}
/** a / b. */
export function jitX87Divide(to: usize, aSig: u64, aSe: u32, bSig: u64, bSe: u32): i32 {
  return divideNormal(to, aSig, aSe, bSig, bSe);
}
export function jitX87Root(to: usize, sig: u64, se: u32): i32 {
  return rootNormal(to, sig, se);
}

/** 0 equal, 1 greater, 2 less; NOT_DONE. */
export function jitX87Relation(aSig: u64, aSe: u32, bSig: u64, bSe: u32): i32 {
  return compareNormal(aSig, aSe, bSig, bSe);
}

/** Stores the number at `host`. `bits`: 32 and 64 for a float; 16, 32 and 64, + 128, for an integer. `chop`: towards zero. */
export function jitX87Store(host: usize, sig: u64, se: u32, bits: i32, chop: i32): i32 {
  const width = <u32>bits & 127;
  if (bits > 128) {
    if (!narrowInteger(sig, se, width, chop != 0)) return NOT_DONE;
  } else if (!(width == 32 ? narrowSingle(sig, se) : narrowDouble(sig, se))) return NOT_DONE;
  if (width == 64) store<u64>(host, narrowed);
  else if (width == 32) store<u32>(host, <u32>narrowed);
  else store<u16>(host, <u16>narrowed);
  return <i32>statusOf(narrowedInexact, narrowedUp);
}

/**
 * Writes what a region knows about a run of instructions: `status` with the TOP before them, and the numbers of the last one. `note`: how far TOP has
 * moved, and X87_* (engine/abi/x87-ways.ts); registers are numbered from the old TOP.
 */
export function jitX87State(note: u32, status: u32, fop: i32, fip: u64, fdp: u64): void {
  const c = cpu;
  const top = (status >> 11) & 7;
  store<u16>(c, <u16>((status & ~(<u32>0x3800)) | (((top + note) & 7) << 11)), VCPU_FSW);
  for (let i: u32 = 0; i < 8; i++) {
    if ((note >> (X87_RETAGGED + i)) & 1) setTag((top + i) & 7, (note >> (X87_EMPTIED + i)) & 1 ? 3 : 0);
  }
  store<u16>(c, <u16>fop, VCPU_FOP);
  store<u64>(c, fip, VCPU_FIP);
  if (note & X87_OPERAND) store<u64>(c, fdp, VCPU_FDP);
}
