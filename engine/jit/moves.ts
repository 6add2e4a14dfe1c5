/** MOV, MOVZX, MOVSX, LEA, XCHG, SETcc, CMOVcc, and instructions that convert within a register. */
import { VCPU_GPR } from '../abi/vcpu';
import type { Emitter } from './emitter';
import { T } from './locals';
import { cut, localsOf, two } from './operands';
import { type Instruction, immediateOf } from './records';

const RAX = VCPU_GPR;
const RDX = VCPU_GPR + 16;

export function move(e: Emitter, at: Instruction): void {
  const { form, size } = at.row;
  if (form === 'rr') e.readRegister(at.source, size);
  else if (form === 'ri') e.immediate(at, size);
  else if (form === 'rm' || form === 'rx') e.load(at, size);
  else {
    e.operand(at);
    e.host();
    if (form === 'mi') e.immediate(at, size);
    else e.readRegister(at.source, size);
    e.storeSized(size);
    return;
  }
  e.writeRegister(at.destination, size);
}

/** MOVZX MOVSX. */
export function extend(e: Emitter, at: Instruction): void {
  const { action, form, size, from } = at.row;
  const { code } = e;
  if (form === 'r') e.readRegister(at.source, from);
  else e.load(at, from);
  if (action === 'movsx') {
    if (from === 0) code.i32Extend8S();
    else if (from === 1) code.i32Extend16S();
    if (size === 3) code.i64ExtendI32S();
    else cut(e, size);
  } else if (size === 3) code.i64ExtendI32U();
  e.writeRegister(at.destination, size);
}

/** LEA, and the records that compute an address for the next instruction. */
export function address(e: Emitter, at: Instruction): void {
  const { action, form, size, name } = at.row;
  const { code } = e;
  if (action === 'lea') {
    e.address(at, form === 'x');
    if (size === 2) code.i32WrapI64();
    e.writeRegister(at.destination, size);
    return;
  }
  if (name === 'ea_far') e.address(at, false, immediateOf(at));
  else e.address(at, true);
  if (name === 'ea32') {
    code.i64Const(0xffffffffn);
    code.i64And();
  }
  e.recordField(at.extra);
  code.i64Add();
  e.setEffective();
}

/** NOP CWDE CDQE CDQ CQO BSWAP. */
export function convert(e: Emitter, at: Instruction): void {
  const { code } = e;
  switch (at.row.action) {
    case 'nop':
      return;
    case 'cwde':
      e.readRegister(RAX, 2);
      code.i32Extend16S();
      e.writeRegister(RAX, 2);
      return;
    case 'cdqe':
      e.readRegister(RAX, 3);
      code.i64Extend32S();
      e.writeRegister(RAX, 3);
      return;
    case 'cdq':
      e.readRegister(RAX, 2);
      code.i32Const(31);
      code.i32ShrS();
      e.writeRegister(RDX, 2);
      return;
    case 'cqo':
      e.readRegister(RAX, 3);
      code.i64Const(63);
      code.i64ShrS();
      e.writeRegister(RDX, 3);
      return;
    default:
      swapBytes(e, at);
  }
}

function swapBytes(e: Emitter, at: Instruction): void {
  const { size } = at.row;
  const { code } = e;
  const { a } = localsOf(size);
  const constant = (value: bigint): void => (size === 3 ? code.i64Const(value) : code.i32Const(Number(BigInt.asIntN(32, value))));
  e.readRegister(at.destination, size);
  // Swaps adjacent bytes, then adjacent pairs, then the halves.
  const masks: [bigint, bigint][] = [
    [8n, 0x00ff00ff00ff00ffn],
    ...(size === 3 ? ([[16n, 0x0000ffff0000ffffn]] as [bigint, bigint][]) : []),
  ];
  for (const [by, mask] of masks) {
    code.tee(a);
    constant(by);
    two(e, size, 'ShrU');
    constant(mask);
    two(e, size, 'And');
    code.get(a);
    constant(mask);
    two(e, size, 'And');
    constant(by);
    two(e, size, 'Shl');
    two(e, size, 'Or');
  }
  constant(size === 3 ? 32n : 16n);
  two(e, size, 'Rotl');
  e.writeRegister(at.destination, size);
}

export function exchange(e: Emitter, at: Instruction): void {
  const { size } = at.row;
  const { a } = localsOf(size);
  e.readRegister(at.destination, size);
  e.code.set(a);
  e.readRegister(at.source, size);
  e.writeRegister(at.destination, size);
  e.code.get(a);
  e.writeRegister(at.source, size);
}

/** SETcc of a register, CMOVcc. A 32-bit CMOV clears the upper half whether it moves or not. */
export function conditional(e: Emitter, at: Instruction): void {
  const { action, form, size } = at.row;
  const { a } = localsOf(size);
  const { code } = e;
  const wanted = at.low & 15;
  if (action === 'setcc') {
    e.condition(wanted);
    e.writeRegister(at.destination, 0);
    return;
  }
  if (form === 'rm') e.load(at, size);
  else e.readRegister(at.source, size);
  code.set(a);
  e.condition(wanted);
  code.set(T);
  code.get(a);
  e.readRegister(at.destination, size);
  code.get(T);
  code.select();
  e.writeRegister(at.destination, size);
}
