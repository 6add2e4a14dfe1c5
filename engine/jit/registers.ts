/** Which general registers an instruction reads or writes, as bits by register number. */
import { VCPU_GPR } from '../abi/vcpu';
import { isShortDivision } from './division-forms';
import { isGpr } from './locals';
import type { Instruction } from './records';
import { isVector, vectorRegisters } from './vector-forms';
import { isX87 } from './x87-forms';

const RAX = 1;
const RCX = 1 << 1;
const RDX = 1 << 2;
const RSP = 1 << 4;
const RBP = 1 << 5;

/** The bit of the register at this offset of the record; 0: not a general register. */
const bitOf = (offset: number): number => (isGpr(offset) ? 1 << ((offset - VCPU_GPR) >> 3) : 0);

/** Registers that a general instruction may change; those in memory operands are only read. */
function changes(at: Instruction): number {
  const { family, action, form } = at.row;
  switch (family) {
    case 'stack':
      return RSP | (action === 'leave' ? RBP : action === 'pop' ? bitOf(at.destination) : 0);
    case 'convert':
      if (action === 'bswap') return bitOf(at.destination);
      if (action === 'nop') return 0;
      return action === 'cdq' || action === 'cqo' ? RAX | RDX : RAX;
    case 'branch':
      return action === 'call' || action === 'ret' ? RSP : 0;
    case 'exchange':
      return bitOf(at.destination) | bitOf(at.source);
    default:
      if (form === 'mr' || form === 'xr' || form === 'mi') return 0;
      if (form === 'm') return family === 'extend' || family === 'address' ? bitOf(at.destination) : 0;
      return bitOf(at.destination);
  }
}

/** Registers that a general instruction only reads, beside those of its address. */
function reads({ row: { family, action, form }, source }: Instruction): number {
  switch (family) {
    case 'stack':
      return action !== 'leave' && action !== 'pop' && form === 'r' ? bitOf(source) : 0;
    case 'convert':
    case 'exchange':
      return 0;
    case 'branch':
      return form === 'r' ? bitOf(source) : 0;
    default:
      if (form === 'rc') return RCX;
      return form === 'mr' || form === 'xr' || form === 'rr' || form === 'r' || form === 'rri' ? bitOf(source) : 0;
  }
}

function note(at: Instruction): void {
  const vector = isVector(at);
  const { row } = at;
  let used = row.memory || row.family === 'address' || vector || isX87(at) ? bitOf(at.base) | bitOf(at.index) : 0;
  let changed = 0;
  if (row.family !== 'out-of-line') {
    changed = changes(at);
    used |= reads(at);
  }
  if (isShortDivision(at)) {
    changed = RAX | RDX;
    used |= bitOf(at.source);
  }
  if (vector) changed |= vectorRegisters(at).general;
  at.changed = changed;
  at.used = used | changed;
}

export function changedBy(at: Instruction): number {
  if (at.used < 0) note(at);
  return at.changed;
}

/** All registers that the instruction names, changed or not. */
export function usedBy(at: Instruction): number {
  if (at.used < 0) note(at);
  return at.used;
}
