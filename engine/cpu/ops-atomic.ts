/** XCHG XADD CMPXCHG CMPXCHG8B CMPXCHG16B. One vCPU runs at a time and slices end between instructions, so all are atomic. SDM 2. */
import { VCPU_GPR, VCPU_RAX, VCPU_RBX, VCPU_RCX, VCPU_RDX } from '../abi/index';
import { arithmeticFlags, F_ZF, FL_FIRST, FL_RESULT, FL_WORD, FLAGS_ADD, FLAGS_SUB, setArithmeticFlags } from './flags';
import { canWrite, inMemory, memVal, operandSize, operandVa, rd, regRead, regWrite, rmModify, rmWrite, wr, writeReg } from './mem';
import { cpu, raise, VEC_GP } from './state';

@inline
function maskOf(size: i32): u64 {
  return size == 8 ? 0xffffffffffffffff : ((<u64>1) << ((<u64>size) << 3)) - 1;
}
function lazyFlags(kind: u32, size: i32, first: u64, result: u64): void {
  store<u32>(cpu, kind | ((64 - ((<u32>size) << 3)) << 8), FL_WORD);
  store<u64>(cpu, first, FL_FIRST);
  store<u64>(cpu, result & maskOf(size), FL_RESULT);
}

export function opXchg(p: usize): i32 {
  const size = operandSize(p);
  if (!rmModify(p, size)) return 0;
  const old = memVal;
  if (!rmWrite(p, size, regRead(p, size))) return 0;
  regWrite(p, size, old);
  return 1;
}

export function opXadd(p: usize): i32 {
  const size = operandSize(p);
  if (!rmModify(p, size)) return 0;
  const old = memVal;
  const sum = old + regRead(p, size);
  if (inMemory(p)) {
    // Memory first: the register may be part of the address.
    if (!rmWrite(p, size, sum)) return 0;
    regWrite(p, size, old);
  } else {
    // The sum wins if both operands are the same register.
    regWrite(p, size, old);
    rmWrite(p, size, sum);
  }
  lazyFlags(FLAGS_ADD, size, old, sum);
  return 1;
}

export function opCmpxchg(p: usize): i32 {
  const size = operandSize(p);
  if (!rmModify(p, size)) return 0;
  const old = memVal;
  const wanted = load<u64>(cpu, VCPU_RAX) & maskOf(size);
  if (old == wanted) {
    if (!rmWrite(p, size, regRead(p, size))) return 0;
  } else {
    // Without a match a memory destination is written too, with its old value.
    if (inMemory(p) && !rmWrite(p, size, old)) return 0;
    writeReg(VCPU_GPR, size, old);
  }
  lazyFlags(FLAGS_SUB, size, wanted, wanted - old);
  return 1;
}

function setZero(equal: bool): i32 {
  setArithmeticFlags((arithmeticFlags() & ~F_ZF) | (equal ? F_ZF : 0));
  return 1;
}

export function opCmpxchg8b(p: usize): i32 {
  const va = operandVa(p);
  if (!canWrite(p, va, 8) || !rd(p, va, 8)) return 0;
  const old = memVal;
  const wanted = <u64>load<u32>(cpu, VCPU_RAX) | ((<u64>load<u32>(cpu, VCPU_RDX)) << 32);
  const equal = old == wanted;
  if (!wr(p, va, 8, equal ? <u64>load<u32>(cpu, VCPU_RBX) | ((<u64>load<u32>(cpu, VCPU_RCX)) << 32) : old)) return 0;
  if (!equal) {
    store<u64>(cpu, old & 0xffffffff, VCPU_RAX);
    store<u64>(cpu, old >> 32, VCPU_RDX);
  }
  return setZero(equal);
}

export function opCmpxchg16b(p: usize): i32 {
  const va = operandVa(p);
  if (va & 15) return raise(VEC_GP, 0);
  if (!canWrite(p, va, 16) || !rd(p, va, 8)) return 0;
  const low = memVal;
  if (!rd(p, va + 8, 8)) return 0;
  const high = memVal;
  const equal = low == load<u64>(cpu, VCPU_RAX) && high == load<u64>(cpu, VCPU_RDX);
  if (!wr(p, va, 8, equal ? load<u64>(cpu, VCPU_RBX) : low) || !wr(p, va + 8, 8, equal ? load<u64>(cpu, VCPU_RCX) : high)) return 0;
  if (!equal) {
    store<u64>(cpu, low, VCPU_RAX);
    store<u64>(cpu, high, VCPU_RDX);
  }
  return setZero(equal);
}
