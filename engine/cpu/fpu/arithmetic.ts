/** x87 arithmetic, comparisons and conditional moves between registers and with a memory operand (SDM 2). */
import { arithmeticFlags, F_CF, F_PF, F_ZF, setArithmeticFlags } from '../flags';
import { zSe, zSig } from './float80';
import { add, compare, div, mul } from './float80-arithmetic';
import {
  accept,
  beginOperation,
  FSW_C0,
  FSW_C1,
  FSW_C2,
  FSW_C3,
  fsw,
  isEmpty,
  popStack,
  seOf,
  setConditions,
  setFsw,
  setRegister,
  sigOf,
  stackFault,
  underflow,
} from './registers';

/** op 0 add, 1 mul, 4 a - b, 5 b - a, 6 a / b, 7 b / a. */
function arithmetic(op: u32, aSig: u64, aSe: u32, bSig: u64, bSe: u32): void {
  switch (op) {
    case 0:
      add(aSig, aSe, bSig, bSe, false);
      return;
    case 1:
      mul(aSig, aSe, bSig, bSe);
      return;
    case 4:
      add(aSig, aSe, bSig, bSe, true);
      return;
    case 5:
      add(bSig, bSe, aSig, aSe, true);
      return;
    case 6:
      div(aSig, aSe, bSig, bSe);
      return;
    default:
      div(bSig, bSe, aSig, aSe);
  }
}

/** Condition codes of a comparison: 0 equal, 1 greater, 2 less, 3 unordered. */
export function relationBits(relation: i32): u32 {
  return relation == 0 ? FSW_C3 : relation == 1 ? 0 : relation == 2 ? FSW_C0 : FSW_C0 | FSW_C2 | FSW_C3;
}

/** Ends a comparison; returns whether the stack may be popped. */
export function endCompare(relation: i32): bool {
  const accepted = accept();
  setConditions(relationBits(relation));
  return accepted;
}

export function arithmeticMemory(reg: u32, sig: u64, se: u32): void {
  if (reg == 2 || reg == 3) {
    if (isEmpty(0)) {
      const masked = stackFault(false);
      setConditions(relationBits(3));
      if (!masked) return;
    } else if (!endCompare(compare(sigOf(0), seOf(0), sig, se, false))) return;
    if (reg == 3) popStack();
    return;
  }
  if (isEmpty(0)) {
    underflow(0);
    return;
  }
  arithmetic(reg, sigOf(0), seOf(0), sig, se);
  if (accept()) setRegister(0, zSig, zSe);
}

/** ST(to) = ST(0) op ST(i), with the popping forms. */
export function arithmeticRegister(op: u32, i: u32, to: u32, pop: bool): i32 {
  let done: bool;
  if (isEmpty(0) || isEmpty(i)) {
    done = underflow(to);
  } else {
    beginOperation(true);
    arithmetic(op, sigOf(0), seOf(0), sigOf(i), seOf(i));
    done = accept();
    if (done) setRegister(to, zSig, zSe);
  }
  if (done && pop) popStack();
  return 1;
}

export function compareRegister(i: u32, quiet: bool, pops: i32): i32 {
  if (isEmpty(0) || isEmpty(i)) {
    const masked = stackFault(false);
    setConditions(relationBits(3));
    if (!masked) return 1;
  } else {
    beginOperation(false);
    if (!endCompare(compare(sigOf(0), seOf(0), sigOf(i), seOf(i), quiet))) return 1;
  }
  for (let n = 0; n < pops; n++) popStack();
  return 1;
}

/** FCOMI, FUCOMI: to ZF, PF, CF; OF, SF and AF are cleared. */
export function compareFlags(i: u32, quiet: bool, pop: bool): i32 {
  let relation = 3;
  let accepted: bool;
  if (isEmpty(0) || isEmpty(i)) {
    accepted = stackFault(false);
  } else {
    beginOperation(false);
    relation = compare(sigOf(0), seOf(0), sigOf(i), seOf(i), quiet);
    const c1 = fsw() & FSW_C1;
    accepted = accept();
    setFsw(fsw() | c1);
  }
  setArithmeticFlags(relation == 0 ? F_ZF : relation == 1 ? 0 : relation == 2 ? F_CF : F_ZF | F_PF | F_CF);
  if (pop && accepted) popStack();
  return 1;
}

/** FCMOVcc: condition 0 B, 1 E, 2 BE, 3 U. */
export function conditionalMove(condition: u32, negate: bool, i: u32): i32 {
  const flags = arithmeticFlags();
  const mask: u32 = condition == 0 ? F_CF : condition == 1 ? F_ZF : condition == 2 ? F_CF | F_ZF : F_PF;
  if (isEmpty(0) || isEmpty(i)) {
    underflow(0);
    return 1;
  }
  if (((flags & mask) != 0) != negate) setRegister(0, sigOf(i), seOf(i));
  return 1;
}
