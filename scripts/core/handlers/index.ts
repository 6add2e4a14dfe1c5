/** Prints the interpreter's handler of an inline operation. */
import type { Operation } from '../../../engine/abi/ops/index';
import { aluBody, moveHandler, multiplyHandler, shiftHandler, unaryBody } from './arithmetic';
import { branchHandler, joinedHandler } from './branches';
import { addressHandler, conditionHandler, convertHandler, exchangeHandler, extendHandler, stackHandler } from './simple';
import { NEXT } from './templates';

/** Runs the compiled region that begins at this block; see engine/cpu/regions.ts. */
const REGION = `n = enterRegion(p);
if (n >= REGION_FAULT) { p = leftAt; why = n == REGION_FAULT ? WHY_FAULT : n == REGION_STOP ? WHY_STOP : WHY_LEAVE; break; }
if (tlb != tlbBase || key != blockKey()) return WHY_AGAIN;
rip = load<u64>(c, VCPU_RIP); interpret = n == REGION_INTERPRET; why = WHY_JUMP; break;`;

export function handlerOf(row: Operation): string {
  const { family, size, from, condition, joins } = row;
  if (family === 'branch') return branchHandler(row);
  if (family === 'address') return addressHandler(row, size);
  if (family === 'convert') return convertHandler(row, size);
  if (family === 'control') return row.action === 'region' ? REGION : 'why = WHY_STOP; break;';
  if (size === undefined) throw new Error(`${row.name} needs an operand size`);
  if (joins !== undefined) return joinedHandler(row, size, condition!);
  switch (family) {
    case 'alu':
    case 'test':
      return `${aluBody(row, size)} ${NEXT}`;
    case 'unary':
      return `${unaryBody(row, size)} ${NEXT}`;
    case 'move':
      return moveHandler(row, size);
    case 'extend':
      return extendHandler(row, from!, size);
    case 'shift':
      return shiftHandler(row, size);
    case 'multiply':
      return multiplyHandler(row, size);
    case 'stack':
      return stackHandler(row, size);
    case 'condition':
      return conditionHandler(row, size);
    case 'exchange':
      return exchangeHandler(size);
    default:
      throw new Error(`${row.name}: no inline handlers for the family '${family}'`);
  }
}
