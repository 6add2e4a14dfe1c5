/** x87 instructions with a memory operand other than control: loads, stores and arithmetic (SDM 2D tables, ... A-21). */
import { canWrite, memVal, rd, wr } from '../mem';
import { raise, VEC_UD } from '../state';
import { arithmeticMemory } from './arithmetic';
import { bcdHigh, bcdLow, fromBcd, fromDouble, fromInteger, fromSingle, narrow, toBcd, toDouble, toInteger, toSingle } from './convert';
import {
  EX_INVALID,
  EX_OVERFLOW,
  EX_UNDERFLOW,
  INTEGER_BIT,
  isSignalling,
  RC_ZERO,
  raised,
  raiseFlag,
  raiseNarrow,
  setRounding,
  zSe,
  zSig,
} from './float80';
import { accept, beginOperation, clearC1, fcw, isEmpty, popStack, pushResult, seOf, sigOf, stackFault } from './registers';

const INTEGER_INDEFINITE: u64 = 0x8000000000000000;
const QUIET: u64 = 0x4000000000000000;
const FLOAT_INDEFINITE32: u64 = 0xffc00000;
const FLOAT_INDEFINITE64: u64 = 0xfff8000000000000;

/** Reads the operand of D8 (single), DC (double), DA (int32), DE (int16) arithmetic and of the loads into zSig/zSe. */
function loadOperand(p: usize, va: u64, kind: u32): i32 {
  if (!rd(p, va, kind == 0 || kind == 1 ? 4 : kind == 2 ? 8 : 2)) return 0;
  beginOperation(true);
  if (kind == 0) fromSingle(<u32>memVal);
  else if (kind == 1) fromInteger(<i64>(<i32>memVal));
  else if (kind == 2) fromDouble(memVal);
  else fromInteger(<i64>(<i16>memVal));
  return 1;
}

export function memoryForm(p: usize, opcode: u32, reg: u32, va: u64): i32 {
  if (!(opcode & 1)) {
    if (!loadOperand(p, va, (opcode >> 1) & 3)) return 0;
    arithmeticMemory(reg, zSig, zSe);
    return 1;
  }
  switch (((opcode >> 1) & 3) * 8 + reg) {
    case 0:
      return loadFloat(p, va, 0); // D9: single
    case 2:
      return storeFloat(p, va, 4, false);
    case 3:
      return storeFloat(p, va, 4, true);
    case 8:
      return loadFloat(p, va, 1); // DB: int32
    case 9:
      return storeInteger(p, va, 4, true, true);
    case 10:
      return storeInteger(p, va, 4, false, false);
    case 11:
      return storeInteger(p, va, 4, true, false);
    case 13:
      return loadExtended(p, va);
    case 15:
      return storeExtended(p, va);
    case 16:
      return loadFloat(p, va, 2); // DD: double
    case 17:
      return storeInteger(p, va, 8, true, true);
    case 18:
      return storeFloat(p, va, 8, false);
    case 19:
      return storeFloat(p, va, 8, true);
    case 24:
      return loadFloat(p, va, 3); // DF: int16
    case 25:
      return storeInteger(p, va, 2, true, true);
    case 26:
      return storeInteger(p, va, 2, false, false);
    case 27:
      return storeInteger(p, va, 2, true, false);
    case 28:
      return loadBcd(p, va);
    case 29:
      return loadLong(p, va);
    case 30:
      return storeBcd(p, va);
    case 31:
      return storeInteger(p, va, 8, true, false);
    default:
      return raise(VEC_UD, 0);
  }
}

/** FLD/FILD: a signalling NaN becomes quiet with #IA, a denormal of the narrow format raises #D. */
function loadFloat(p: usize, va: u64, kind: u32): i32 {
  if (!loadOperand(p, va, kind)) return 0;
  let sig = zSig;
  const se = zSe;
  if (isSignalling(sig, se)) {
    raiseFlag(EX_INVALID);
    sig |= QUIET;
  }
  if (kind == 0 || kind == 2) raiseNarrow();
  pushResult(sig, se);
  return 1;
}

function loadLong(p: usize, va: u64): i32 {
  if (!rd(p, va, 8)) return 0;
  beginOperation(false);
  fromInteger(<i64>memVal);
  pushResult(zSig, zSe);
  return 1;
}

function loadExtended(p: usize, va: u64): i32 {
  if (!rd(p, va, 8)) return 0;
  const sig = memVal;
  if (!rd(p, va + 8, 2)) return 0;
  beginOperation(false);
  pushResult(sig, <u32>memVal);
  return 1;
}

function loadBcd(p: usize, va: u64): i32 {
  if (!rd(p, va, 8)) return 0;
  const low = memVal;
  if (!rd(p, va + 8, 2)) return 0;
  beginOperation(false);
  fromBcd(low, <u32>memVal);
  pushResult(zSig, zSe);
  return 1;
}

function storeFloat(p: usize, va: u64, size: i32, pop: bool): i32 {
  beginOperation(false);
  let value = size == 4 ? FLOAT_INDEFINITE32 : FLOAT_INDEFINITE64;
  if (isEmpty(0)) {
    if (!canWrite(p, va, size)) return 0;
    if (!stackFault(false)) return 1;
  } else {
    if (size == 4) toSingle(sigOf(0), seOf(0));
    else toDouble(sigOf(0), seOf(0));
    value = narrow;
    if (raised & ~fcw() & (EX_INVALID | EX_OVERFLOW | EX_UNDERFLOW)) {
      if (!canWrite(p, va, size)) return 0;
      accept();
      clearC1();
      return 1;
    }
  }
  if (!wr(p, va, size, value)) return 0;
  if (!isEmpty(0)) accept();
  if (pop) popStack();
  return 1;
}

function storeInteger(p: usize, va: u64, size: i32, pop: bool, chop: bool): i32 {
  beginOperation(false);
  if (chop) setRounding(RC_ZERO);
  const bits = (<u32>size) << 3;
  let value = INTEGER_INDEFINITE >> <u64>(64 - bits);
  const empty = isEmpty(0);
  if (!empty) {
    toInteger(sigOf(0), seOf(0), bits);
    value = narrow;
  }
  const blocked = (empty || (raised & EX_INVALID) != 0) && !(fcw() & EX_INVALID);
  if (!(blocked ? canWrite(p, va, size) : wr(p, va, size, value))) return 0;
  if (empty) stackFault(false);
  else accept();
  if (pop && !blocked) popStack();
  return 1;
}

function storeExtended(p: usize, va: u64): i32 {
  if (!canWrite(p, va, 10)) return 0;
  let sig: u64 = 0xc000000000000000;
  let se: u32 = 0xffff;
  if (isEmpty(0)) {
    if (!stackFault(false)) return 1;
  } else {
    sig = sigOf(0);
    se = seOf(0);
    clearC1();
  }
  if (!wr(p, va, 8, sig) || !wr(p, va + 8, 2, se)) return 0;
  popStack();
  return 1;
}

function storeBcd(p: usize, va: u64): i32 {
  if (!canWrite(p, va, 10)) return 0;
  beginOperation(false);
  const empty = isEmpty(0);
  toBcd(empty ? INTEGER_BIT | QUIET : sigOf(0), empty ? 0xffff : seOf(0));
  if (empty) {
    if (!stackFault(false)) return 1;
  } else if (!accept()) return 1;
  if (!wr(p, va, 8, bcdLow) || !wr(p, va + 8, 2, bcdHigh)) return 0;
  popStack();
  return 1;
}
