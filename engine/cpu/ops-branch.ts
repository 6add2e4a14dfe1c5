/** Near branches in their general forms, and the instructions for far ones, which transfer.ts implements. SDM 2: JMP, CALL, RET, LOOP, JRCXZ, INT, IRET. */
import { SEG_CS, SEG_LIMIT, VCPU_RCX, VCPU_RIP, VCPU_SEG, VCPU_SEG_SIZE } from '../abi/index';
import { condition, overflow, zero } from './flags';
import { exactCount, memVal, operandSize, operandVa, rd, ripAfter, rmRead } from './mem';
import { MODE_64, mode } from './mmu-mode';
import { drop, peek, push } from './ops-stack';
import { AUX_ASIZE_SHIFT, R_AUX, R_CONDITION, R_FAR_OFFSET, R_IMM, R_KIND, R_NUMBER, R_SELECTOR, R_TARGET, VREG_PAGE } from './record';
import { cpu, raise, VEC_BP, VEC_GP, VEC_OF } from './state';
import { farCall, farJump, farRet } from './transfer';
import { INT_PRIVILEGED, INT_SOFTWARE, interrupt } from './transfer-interrupt';
import { iret } from './transfer-iret';

const NEAR: i32 = 3;
const LEAVE: i32 = 2;
const FAR: i32 = 4;

/** RIP of a near target, cut to the operand size; #GP(0) beyond the CS limit. */
function target(p: usize, rip: u64): i32 {
  let to = rip;
  if (!(mode & MODE_64)) {
    to &= operandSize(p) == 2 ? 0xffff : 0xffffffff;
    if (to > <u64>load<u32>(cpu + VCPU_SEG + SEG_CS * VCPU_SEG_SIZE, SEG_LIMIT)) return raise(VEC_GP, 0);
  }
  store<u64>(cpu, to, VCPU_RIP);
  return NEAR;
}
function relative(p: usize): u64 {
  return load<u64>(cpu, VREG_PAGE) + <u64>(<i64>load<i32>(p, R_TARGET));
}
function next(p: usize): i32 {
  store<u64>(cpu, ripAfter(p), VCPU_RIP);
  return NEAR;
}

export function opJccNear(p: usize): i32 {
  return condition(load<u32>(p, R_CONDITION)) ? target(p, relative(p)) : next(p);
}
export function opJmpNear(p: usize): i32 {
  return target(p, relative(p));
}
export function opJmpRm(p: usize): i32 {
  if (!rmRead(p, operandSize(p))) return 0;
  return target(p, memVal);
}
function call(p: usize, to: u64): i32 {
  const size = mode & MODE_64 ? 8 : operandSize(p);
  if (!target(p, to)) return 0;
  return push(p, size, ripAfter(p)) ? NEAR : 0;
}
export function opCallNear(p: usize): i32 {
  return call(p, relative(p));
}
export function opCallRm(p: usize): i32 {
  if (!rmRead(p, operandSize(p))) return 0;
  return call(p, memVal);
}
export function opRetNear(p: usize): i32 {
  const size = operandSize(p);
  if (!peek(p, size)) return 0;
  if (!target(p, memVal)) return 0;
  drop(<u64>size + load<u64>(p, R_IMM));
  return NEAR;
}

/** R_NUMBER: 0 LOOPNE, 1 LOOPE, 2 LOOP, 3 JCXZ. The count register has the address size. */
export function opLoop(p: usize): i32 {
  const kind = load<u32>(p, R_NUMBER);
  const asize = <u32>load<u8>(p, R_AUX) >> AUX_ASIZE_SHIFT;
  const mask: u64 = asize == 3 ? 0xffffffffffffffff : asize == 2 ? 0xffffffff : 0xffff;
  const old = load<u64>(cpu, VCPU_RCX);
  if (kind == 3) return (old & mask) == 0 ? target(p, relative(p)) : next(p);
  const left = (old - 1) & mask;
  let taken = left != 0;
  if (kind == 0) taken = taken && !zero();
  else if (kind == 1) taken = taken && zero() != 0;
  if (taken && !target(p, relative(p))) return 0;
  store<u64>(cpu, asize == 1 ? (old & ~(<u64>0xffff)) | left : left, VCPU_RCX);
  return taken ? NEAR : next(p);
}

/** Far transfers: while they run, RIP is the next instruction's. */
function prepare(p: usize): void {
  exactCount(p);
  store<u64>(cpu, ripAfter(p), VCPU_RIP);
}
@inline
function far(done: i32): i32 {
  return done ? FAR : 0;
}

export function opJmpFar(p: usize): i32 {
  prepare(p);
  return far(farJump(load<u32>(p, R_SELECTOR), load<u64>(p, R_FAR_OFFSET), operandSize(p)));
}
export function opCallFar(p: usize): i32 {
  prepare(p);
  return far(farCall(load<u32>(p, R_SELECTOR), load<u64>(p, R_FAR_OFFSET), operandSize(p)));
}
let farOffset: u64 = 0;
/** Reads m16:16/32/64: the offset into farOffset, the selector into memVal. */
function readPointer(p: usize): i32 {
  const size = operandSize(p);
  const va = operandVa(p);
  if (!rd(p, va, size)) return 0;
  farOffset = memVal;
  return rd(p, va + <u64>size, 2);
}
export function opJmpFarM(p: usize): i32 {
  if (!readPointer(p)) return 0;
  prepare(p);
  return farJump(<u32>memVal, farOffset, operandSize(p)) ? LEAVE : 0;
}
export function opCallFarM(p: usize): i32 {
  if (!readPointer(p)) return 0;
  prepare(p);
  return farCall(<u32>memVal, farOffset, operandSize(p)) ? LEAVE : 0;
}
export function opRetFar(p: usize): i32 {
  prepare(p);
  return far(farRet(operandSize(p), load<u32>(p, R_IMM)));
}
export function opIret(p: usize): i32 {
  prepare(p);
  return far(iret(operandSize(p)));
}

/** R_NUMBER vector; R_KIND 0 INT n, 1 INT3, 2 INT1. */
export function opInt(p: usize): i32 {
  prepare(p);
  const kind = load<u32>(p, R_KIND);
  return far(interrupt(kind == 1 ? VEC_BP : load<i32>(p, R_NUMBER), kind == 2 ? INT_PRIVILEGED : INT_SOFTWARE));
}
export function opInto(p: usize): i32 {
  prepare(p);
  if (!overflow()) return next(p);
  return interrupt(VEC_OF, INT_SOFTWARE) ? LEAVE : 0;
}

/** Used by LDS, LES, LSS, LFS and LGS. */
export function pointerOffset(p: usize): i32 {
  return readPointer(p);
}
export function pointerValue(): u64 {
  return farOffset;
}
