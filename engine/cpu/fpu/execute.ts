/**
 * x87 instructions D8..DF and FWAIT (SDM 2, the F... pages; opcode tables A-7..A-22). R_IMM of the record: opcode | ModRM << 8.
 * With CR0.NE = 0 unmasked exceptions also raise #MF: there is no FERR# pin.
 */
import { VCPU_CR0, VCPU_FCW, VCPU_GPR } from '../../abi/index';
import { F_CF, F_PF, F_ZF, arithmeticFlags, setArithmeticFlags } from '../flags';
import { canWrite, memVal, operandVa, rd, ripOf, wr } from '../mem';
import { CR0_EM, CR0_MP, CR0_TS } from '../mmu-mode';
import { AUX_SIZE, R_AUX, R_IMM } from '../record';
import { VEC_MF, VEC_NM, VEC_UD, cpu, raise } from '../state';
import { bcdHigh, bcdLow, fromBcd, fromDouble, fromInteger, fromSingle, narrow, toBcd, toDouble, toInteger, toSingle } from './convert';
import { loadEnvironment, restoreState, saveState, storeEnvironment } from './environment';
import {
  BIAS, EX_INVALID, EX_OVERFLOW, EX_UNDERFLOW, INTEGER_BIT, RC_ZERO, add, compare, div, isDenormal, isInf, isNan, isSignalling, isUnsupported, isZero, mul,
  raiseFlag, raiseNarrow, raised, setRounding, signOf, sqrt80, zSe, zSig,
} from './float80';
import { extract, extractSe, extractSig, remPartial, remQuotient, remainder, roundInt, scale } from './float80-more';
import {
  FSW_C0, FSW_C1, FSW_C2, FSW_C3, FSW_ES, accept, beginOperation, clearC1, copyRegister, decrementTop, fcw, fsw, incrementTop, initialise, isEmpty, noteInstruction, noteOperand,
  physical, popStack, pushResult, seOf, setConditions, setFsw, setRegister, setTag, sigOf, stackFault, underflow, updateSummary,
} from './registers';
import { arctangent2, cosine, exp2m1, outOfRange, sine, tangent, yLog2x, yLog2x1 } from './transcendental';

const INTEGER_INDEFINITE: u64 = 0x8000000000000000;
const QUIET: u64 = 0x4000000000000000;
const FLOAT_INDEFINITE32: u64 = 0xffc00000;
const FLOAT_INDEFINITE64: u64 = 0xfff8000000000000;

export function opFpu(p: usize): i32 {
  const word = <u32>load<u64>(p, R_IMM);
  const opcode = word & 255;
  const modrm = (word >> 8) & 255;
  const cr0 = load<u64>(cpu, VCPU_CR0);
  if (opcode == 0x9b) {
    if ((cr0 & (CR0_MP | CR0_TS)) == (CR0_MP | CR0_TS)) return raise(VEC_NM, 0);
    return fsw() & FSW_ES ? raise(VEC_MF, 0) : 1;
  }
  if (cr0 & (CR0_EM | CR0_TS)) return raise(VEC_NM, 0);
  const memory = modrm < 0xc0;
  const reg = (modrm >> 3) & 7;
  if (!isNonWaiting(opcode, modrm, memory, reg) && fsw() & FSW_ES) return raise(VEC_MF, 0);
  if (memory) {
    const va = operandVa(p);
    if (opcode == 0xd9 && reg >= 4) return controlMemory(p, va, reg);
    if (opcode == 0xdd && reg >= 4) return controlMemory(p, va, reg + 8);
    if (!memoryForm(p, opcode, reg, va)) return 0;
    noteInstruction(opcode, modrm, ripOf(p));
    noteOperand(va);
    return 1;
  }
  if (opcode == 0xdb && reg == 4) return controlRegister(modrm);
  if (opcode == 0xdf && modrm == 0xe0) {
    store<u16>(cpu, <u16>fsw(), VCPU_GPR);
    return 1;
  }
  noteInstruction(opcode, modrm, ripOf(p));
  return registerForm(opcode, reg, modrm & 7);
}

/** FNINIT FNCLEX FNSTSW FNSTCW FNSTENV FNSAVE do not wait for pending exceptions. */
function isNonWaiting(opcode: u32, modrm: u32, memory: bool, reg: u32): bool {
  if (memory) return (opcode == 0xd9 && reg >= 6) || (opcode == 0xdd && reg >= 6);
  return (opcode == 0xdb && reg == 4) || (opcode == 0xdf && modrm == 0xe0);
}

/** DB E0..E4: FNENI, FNDISI, FNSETPM (287 relics: nothing), FNCLEX, FNINIT. */
function controlRegister(modrm: u32): i32 {
  if (modrm > 0xe4) return raise(VEC_UD, 0);
  if (modrm == 0xe2) setFsw(fsw() & 0x7f00);
  else if (modrm == 0xe3) initialise();
  return 1;
}

/** D9 /4../7: FLDENV FLDCW FNSTENV FNSTCW; DD (+8) /4 FRSTOR, /6 FNSAVE, /7 FNSTSW. */
function controlMemory(p: usize, va: u64, which: u32): i32 {
  const wide = (<u32>load<u8>(p, R_AUX) & AUX_SIZE) != 1;
  switch (which) {
    case 4: return loadEnvironment(p, va, wide);
    case 5: {
      if (!rd(p, va, 2)) return 0;
      store<u16>(cpu, <u16>((memVal & 0x1f3f) | 0x40), VCPU_FCW);
      updateSummary();
      return 1;
    }
    case 6: return storeEnvironment(p, va, wide);
    case 7: return wr(p, va, 2, fcw());
    case 12: return restoreState(p, va, wide);
    case 14: return saveState(p, va, wide);
    case 15: return wr(p, va, 2, fsw());
    default: return memoryForm(p, 0xdd, 5, va);
  }
}

/** Reads the operand of D8 (single), DC (double), DA (int32), DE (int16) arithmetic and of the loads into zSig/zSe. */
function loadOperand(p: usize, va: u64, kind: u32): i32 {
  if (!rd(p, va, kind == 0 || kind == 1 ? 4 : kind == 2 ? 8 : 2)) return 0;
  beginOperation(true);
  if (kind == 0) fromSingle(<u32>memVal);
  else if (kind == 1) fromInteger(<i64><i32>memVal);
  else if (kind == 2) fromDouble(memVal);
  else fromInteger(<i64><i16>memVal);
  return 1;
}

function memoryForm(p: usize, opcode: u32, reg: u32, va: u64): i32 {
  if (!(opcode & 1)) {
    if (!loadOperand(p, va, (opcode >> 1) & 3)) return 0;
    arithmeticMemory(reg, zSig, zSe);
    return 1;
  }
  switch (((opcode >> 1) & 3) * 8 + reg) {
    case 0: return loadFloat(p, va, 0); // D9: single
    case 2: return storeFloat(p, va, 4, false);
    case 3: return storeFloat(p, va, 4, true);
    case 8: return loadFloat(p, va, 1); // DB: int32
    case 9: return storeInteger(p, va, 4, true, true);
    case 10: return storeInteger(p, va, 4, false, false);
    case 11: return storeInteger(p, va, 4, true, false);
    case 13: return loadExtended(p, va);
    case 15: return storeExtended(p, va);
    case 16: return loadFloat(p, va, 2); // DD: double
    case 17: return storeInteger(p, va, 8, true, true);
    case 18: return storeFloat(p, va, 8, false);
    case 19: return storeFloat(p, va, 8, true);
    case 24: return loadFloat(p, va, 3); // DF: int16
    case 25: return storeInteger(p, va, 2, true, true);
    case 26: return storeInteger(p, va, 2, false, false);
    case 27: return storeInteger(p, va, 2, true, false);
    case 28: return loadBcd(p, va);
    case 29: return loadLong(p, va);
    case 30: return storeBcd(p, va);
    case 31: return storeInteger(p, va, 8, true, false);
    default: return raise(VEC_UD, 0);
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
  const bits = <u32>size << 3;
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

/** op 0 add, 1 mul, 4 a - b, 5 b - a, 6 a / b, 7 b / a. */
function arithmetic(op: u32, aSig: u64, aSe: u32, bSig: u64, bSe: u32): void {
  switch (op) {
    case 0: add(aSig, aSe, bSig, bSe, false); return;
    case 1: mul(aSig, aSe, bSig, bSe); return;
    case 4: add(aSig, aSe, bSig, bSe, true); return;
    case 5: add(bSig, bSe, aSig, aSe, true); return;
    case 6: div(aSig, aSe, bSig, bSe); return;
    default: div(bSig, bSe, aSig, aSe);
  }
}

/** Condition codes of a comparison: 0 equal, 1 greater, 2 less, 3 unordered. */
function relationBits(relation: i32): u32 {
  return relation == 0 ? FSW_C3 : relation == 1 ? 0 : relation == 2 ? FSW_C0 : FSW_C0 | FSW_C2 | FSW_C3;
}

/** Ends a comparison; answers whether the stack may be popped. */
function endCompare(relation: i32): bool {
  const accepted = accept();
  setConditions(relationBits(relation));
  return accepted;
}

function arithmeticMemory(reg: u32, sig: u64, se: u32): void {
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
function arithmeticRegister(op: u32, i: u32, to: u32, pop: bool): i32 {
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

function compareRegister(i: u32, quiet: bool, pops: i32): i32 {
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
function compareFlags(i: u32, quiet: bool, pop: bool): i32 {
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
function conditionalMove(condition: u32, negate: bool, i: u32): i32 {
  const flags = arithmeticFlags();
  const mask: u32 = condition == 0 ? F_CF : condition == 1 ? F_ZF : condition == 2 ? F_CF | F_ZF : F_PF;
  if (isEmpty(0) || isEmpty(i)) {
    underflow(0);
    return 1;
  }
  if (((flags & mask) != 0) != negate) setRegister(0, sigOf(i), seOf(i));
  return 1;
}

function registerForm(opcode: u32, reg: u32, i: u32): i32 {
  switch (opcode) {
    case 0xd8:
      if (reg == 2 || reg == 3) return compareRegister(i, false, reg == 3 ? 1 : 0);
      return arithmeticRegister(reg, i, 0, false);
    case 0xd9: return formD9(reg, i);
    case 0xda:
      if (reg < 4) return conditionalMove(reg, false, i);
      return reg == 5 && i == 1 ? compareRegister(1, true, 2) : raise(VEC_UD, 0);
    case 0xdb:
      if (reg < 4) return conditionalMove(reg, true, i);
      return reg == 5 || reg == 6 ? compareFlags(i, reg == 5, false) : raise(VEC_UD, 0);
    case 0xdc:
      if (reg == 2 || reg == 3) return compareRegister(i, false, reg == 3 ? 1 : 0);
      return arithmeticRegister(reg, i, i, false);
    case 0xdd: return formDD(reg, i);
    case 0xde:
      if (reg == 2) return compareRegister(i, false, 1);
      if (reg == 3) return i == 1 ? compareRegister(1, false, 2) : raise(VEC_UD, 0);
      return arithmeticRegister(reg, i, i, true);
    default: return formDF(reg, i);
  }
}

function formDD(reg: u32, i: u32): i32 {
  switch (reg) {
    case 0: // FFREE
      clearC1();
      setTag(physical(i), 3);
      return 1;
    case 1: return exchange(i);
    case 2: return storeRegister(i, false);
    case 3: return storeRegister(i, true);
    case 4: return compareRegister(i, true, 0);
    case 5: return compareRegister(i, true, 1);
    default: return raise(VEC_UD, 0);
  }
}

/** DF: FFREEP, FXCH, FSTP aliases, FUCOMIP, FCOMIP. */
function formDF(reg: u32, i: u32): i32 {
  switch (reg) {
    case 0:
      clearC1();
      setTag(physical(i), 3);
      popStack();
      return 1;
    case 1: return exchange(i);
    case 2:
    case 3: return storeRegister(i, true);
    case 5: return compareFlags(i, true, true);
    case 6: return compareFlags(i, false, true);
    default: return raise(VEC_UD, 0);
  }
}

function exchange(i: u32): i32 {
  if (isEmpty(0) || isEmpty(i)) {
    if (!stackFault(false)) return 1;
    if (isEmpty(0)) setRegister(0, 0xc000000000000000, 0xffff);
    if (isEmpty(i)) setRegister(i, 0xc000000000000000, 0xffff);
  } else {
    clearC1();
  }
  const sig = sigOf(0);
  const se = seOf(0);
  setRegister(0, sigOf(i), seOf(i));
  setRegister(i, sig, se);
  return 1;
}

function storeRegister(i: u32, pop: bool): i32 {
  if (isEmpty(0)) {
    if (!underflow(i)) return 1;
  } else {
    clearC1();
    setRegister(i, sigOf(0), seOf(0));
  }
  if (pop) popStack();
  return 1;
}

function formD9(reg: u32, i: u32): i32 {
  switch (reg) {
    case 0: return loadRegister(i);
    case 1: return exchange(i);
    case 2: return i == 0 ? 1 : raise(VEC_UD, 0); // FNOP
    case 3:
      clearC1();
      copyRegister(i);
      popStack();
      return 1;
    case 4: return signAndClass(i);
    case 5: return loadConstant(i);
    default: return function2(((reg & 1) << 3) | i);
  }
}

function loadRegister(i: u32): i32 {
  beginOperation(false);
  if (isEmpty(i)) {
    if (stackFault(false)) {
      decrementTop();
      setRegister(0, 0xc000000000000000, 0xffff);
    }
    return 1;
  }
  pushResult(sigOf(i), seOf(i));
  return 1;
}

/** FCHS FABS FTST FXAM. */
function signAndClass(i: u32): i32 {
  if (i == 5) {
    examine();
    return 1;
  }
  if (i != 0 && i != 1 && i != 4) return raise(VEC_UD, 0);
  if (isEmpty(0)) {
    if (i == 4) {
      stackFault(false);
      setConditions(relationBits(3));
    } else underflow(0);
    return 1;
  }
  if (i == 4) {
    beginOperation(false);
    endCompare(compare(sigOf(0), seOf(0), 0, 0, false));
    return 1;
  }
  clearC1();
  setRegister(0, sigOf(0), i == 0 ? seOf(0) ^ 0x8000 : seOf(0) & 0x7fff);
  return 1;
}

function examine(): void {
  const sig = sigOf(0);
  const se = seOf(0);
  let bits: u32 = signOf(se) ? FSW_C1 : 0;
  if (isEmpty(0)) bits |= FSW_C3 | FSW_C0;
  else if (isUnsupported(sig, se)) bits |= 0;
  else if (isNan(sig, se)) bits |= FSW_C0;
  else if (isInf(sig, se)) bits |= FSW_C2 | FSW_C0;
  else if (isZero(sig, se)) bits |= FSW_C3;
  else if (isDenormal(sig, se)) bits |= FSW_C3 | FSW_C2;
  else bits |= FSW_C2;
  setConditions(bits);
}

/** FLD1 FLDL2T FLDL2E FLDPI FLDLG2 FLDLN2 FLDZ, rounded as RC says (the constants of the manual are to nearest). */
function loadConstant(i: u32): i32 {
  beginOperation(false);
  const mode = (fcw() >> 10) & 3;
  const down = mode == 1 || mode == 3;
  switch (i) {
    case 0: pushResult(INTEGER_BIT, BIAS); return 1;
    case 1: pushResult(mode == 2 ? 0xd49a784bcd1b8aff : 0xd49a784bcd1b8afe, BIAS + 1); return 1;
    case 2: pushResult(down ? 0xb8aa3b295c17f0bb : 0xb8aa3b295c17f0bc, BIAS); return 1;
    case 3: pushResult(down ? 0xc90fdaa22168c234 : 0xc90fdaa22168c235, BIAS + 1); return 1;
    case 4: pushResult(down ? 0x9a209a84fbcff798 : 0x9a209a84fbcff799, BIAS - 2); return 1;
    case 5: pushResult(down ? 0xb17217f7d1cf79ab : 0xb17217f7d1cf79ac, BIAS - 1); return 1;
    case 6: pushResult(0, 0); return 1;
    default: return raise(VEC_UD, 0);
  }
}

/** D9 F0..FF. */
function function2(which: u32): i32 {
  if (which == 6 || which == 7) {
    if (which == 6) decrementTop();
    else incrementTop();
    clearC1();
    return 1;
  }
  const two = which == 1 || which == 3 || which == 5 || which == 8 || which == 9 || which == 13;
  if (isEmpty(0) || (two && isEmpty(1))) return functionUnderflow(which);
  beginOperation(which == 10);
  const sig = sigOf(0);
  const se = seOf(0);
  switch (which) {
    case 0: exp2m1(sig, se); return unaryEnd();
    case 1: yLog2x(sigOf(1), seOf(1), sig, se); return binaryPop();
    case 2: tangent(sig, se); return pairEnd(INTEGER_BIT, BIAS);
    case 3: arctangent2(sigOf(1), seOf(1), sig, se); return binaryPop();
    case 4: return extractEnd(sig, se);
    case 5: remainder(sig, se, sigOf(1), seOf(1), true); return remainderEnd();
    case 8: remainder(sig, se, sigOf(1), seOf(1), false); return remainderEnd();
    case 9: yLog2x1(sigOf(1), seOf(1), sig, se); return binaryPop();
    case 10: sqrt80(sig, se); return unaryEnd();
    case 11: return sineCosineEnd(sig, se);
    case 12: roundInt(sig, se); return unaryEnd();
    case 13: scale(sig, se, sigOf(1), seOf(1)); return unaryEnd();
    case 14: sine(sig, se); return angleEnd();
    default: cosine(sig, se); return angleEnd();
  }
}

/** Masked response to an empty operand: indefinite in every result. */
function functionUnderflow(which: u32): i32 {
  if (which == 1 || which == 3 || which == 9) {
    if (underflow(1)) popStack();
  } else if (which == 2 || which == 4 || which == 11) {
    if (underflow(0)) {
      decrementTop();
      setRegister(0, 0xc000000000000000, 0xffff);
    }
  } else {
    underflow(0);
    if (which == 5 || which == 8) setFsw(fsw() & ~FSW_C2);
  }
  return 1;
}

function unaryEnd(): i32 {
  if (accept()) setRegister(0, zSig, zSe);
  return 1;
}

function binaryPop(): i32 {
  if (!accept()) return 1;
  setRegister(1, zSig, zSe);
  popStack();
  return 1;
}

function remainderEnd(): i32 {
  const accepted = accept();
  if (accepted) setRegister(0, zSig, zSe);
  const q = <u32>remQuotient;
  if (raised & EX_INVALID || !accepted) setFsw(fsw() & ~(FSW_C2 | FSW_C1));
  else if (remPartial) setConditions(FSW_C2);
  else setConditions((q & 1 ? FSW_C1 : 0) | (q & 2 ? FSW_C3 : 0) | (q & 4 ? FSW_C0 : 0));
  return 1;
}

/** FSIN, FCOS: C2 and an untouched operand when it is out of range. */
function angleEnd(): i32 {
  if (!accept()) return 1;
  setFsw(outOfRange ? fsw() | FSW_C2 : fsw() & ~FSW_C2);
  setRegister(0, zSig, zSe);
  return 1;
}

/** Result in ST(0), then a second value pushed (FPTAN). */
function pairEnd(sig: u64, se: u32): i32 {
  const empty = isEmpty(7);
  if (!outOfRange && !empty) {
    pairOverflow();
    return 1;
  }
  if (!accept()) return 1;
  setFsw(outOfRange ? fsw() | FSW_C2 : fsw() & ~FSW_C2);
  if (outOfRange) return 1;
  const nan = isNan(zSig, zSe);
  const first = zSig;
  const firstSe = zSe;
  setRegister(0, first, firstSe);
  decrementTop();
  setRegister(0, nan ? first : sig, nan ? firstSe : se);
  return 1;
}

function pairOverflow(): void {
  if (!stackFault(true)) return;
  setRegister(0, 0xc000000000000000, 0xffff);
  decrementTop();
  setRegister(0, 0xc000000000000000, 0xffff);
}

function extractEnd(sig: u64, se: u32): i32 {
  if (!isEmpty(7)) {
    pairOverflow();
    return 1;
  }
  extract(sig, se);
  if (!accept()) return 1;
  setRegister(0, extractSig, extractSe);
  decrementTop();
  setRegister(0, zSig, zSe);
  return 1;
}

function sineCosineEnd(sig: u64, se: u32): i32 {
  sine(sig, se);
  if (!outOfRange && !isEmpty(7)) {
    pairOverflow();
    return 1;
  }
  if (outOfRange || raised & ~fcw() & 7) return angleEnd();
  const first = zSig;
  const firstSe = zSe;
  cosine(sig, se);
  if (!accept()) return 1;
  setFsw(fsw() & ~FSW_C2);
  setRegister(0, first, firstSe);
  decrementTop();
  setRegister(0, zSig, zSe);
  return 1;
}
