/** PUSH, POP, LEAVE, and the stack accesses of calls and returns. */
import { VCPU_GPR } from '../abi/vcpu';
import type { Emitter } from './emitter';
import { RIP, X } from './locals';
import type { Instruction } from './records';

const RSP = VCPU_GPR + 32;
const RBP = VCPU_GPR + 40;

/** PUSH POP LEAVE. */
export function stack(e: Emitter, at: Instruction): void {
  const { action, form } = at.row;
  const { code } = e;
  if (action === 'push') {
    push(e, at, () => (form === 'i' ? e.immediate(at, 3) : e.readRegister(at.source, 3)));
    return;
  }
  e.operand(at);
  e.host();
  e.loadSized(3);
  code.set(X);
  code.get(e.gpr(action === 'pop' ? RSP : RBP));
  code.i64Const(8);
  code.i64Add();
  e.writeRegister(RSP, 3);
  code.get(X);
  e.writeRegister(action === 'pop' ? at.destination : RBP, 3);
}

/** `which`: number of the push among the instruction's memory operands. */
export function push(e: Emitter, at: Instruction, value: () => void, which = 0): void {
  const { code } = e;
  e.operand(at, which);
  e.host();
  value();
  e.storeSized(3);
  code.get(e.gpr(RSP));
  code.i64Const(-8);
  code.i64Add();
  e.writeRegister(RSP, 3);
}

/** Pops the return address into RIP. */
export function popReturn(e: Emitter, at: Instruction): void {
  const { code } = e;
  e.operand(at);
  e.host();
  e.loadSized(3);
  code.set(RIP);
  code.get(e.gpr(RSP));
  code.i64Const(8 + at.low);
  code.i64Add();
  e.writeRegister(RSP, 3);
}

/** Exits before the return if the address that it popped is not canonical. */
export function canonicalReturn(e: Emitter, at: Instruction): void {
  canonical(e, at, () => {
    e.code.get(e.gpr(RSP));
    e.code.i64Const(-8 - at.low);
    e.code.i64Add();
    e.writeRegister(RSP, 3);
  });
}

/** Does `undo` and exits before the instruction if the target in RIP is not canonical. */
export function canonical(e: Emitter, at: Instruction, undo?: () => void): void {
  const { code } = e;
  code.get(RIP);
  code.i64Const(0x800000000000n);
  code.i64Add();
  code.i64Const(48);
  code.i64ShrU();
  code.i64Eqz();
  code.i32Eqz();
  code.unlikelyIf();
  undo?.();
  e.exitBefore(at, at.number);
  code.end();
}
