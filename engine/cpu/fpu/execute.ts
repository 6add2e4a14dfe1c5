/**
 * x87 instructions D8..DF and FWAIT (SDM 2, the F... pages; opcode tables A-7..A-22). R_FPU of the record: opcode | ModRM << 8 | WAY_* << 16. With
 * CR0.NE = 0 a pending error is reported by FERR#; the next waiting instruction asserts it, not the one that failed.
 */
import { VCPU_CR0, VCPU_FCW, VCPU_RAX } from '../../abi/index';
import { WAY_NONE } from '../../abi/x87-ways';
import { exactCount, memVal, operandVa, rd, ripOf, wr } from '../mem';
import { CR0_EM, CR0_MP, CR0_TS } from '../mmu-mode';
import { AUX_SIZE, R_AUX, R_FPU } from '../record';
import { cpu, raise, VEC_NM, VEC_UD } from '../state';
import { arithmeticRegister, compareFlags, compareRegister, conditionalMove, endCompare, relationBits } from './arithmetic';
import { loadEnvironment, restoreState, saveState, storeEnvironment } from './environment';
import { shortly } from './fast';
import { BIAS, INTEGER_BIT, isDenormal, isInf, isNan, isUnsupported, isZero, signOf } from './float80';
import { compare } from './float80-arithmetic';
import { instructionF0 } from './functions';
import { memoryForm } from './memory-forms';
import {
  beginOperation,
  clearC1,
  clearSummary,
  copyRegister,
  decrementTop,
  FSW_C0,
  FSW_C1,
  FSW_C2,
  FSW_C3,
  FSW_ES,
  fcw,
  fsw,
  initialise,
  isEmpty,
  noteInstruction,
  noteOperand,
  pendingError,
  physical,
  popStack,
  pushResult,
  seOf,
  setConditions,
  setRegister,
  setTag,
  sigOf,
  stackFault,
  underflow,
  updateSummary,
} from './registers';

export function opFpu(p: usize): i32 {
  const word = load<u32>(p, R_FPU);
  const opcode = word & 255;
  const modrm = (word >> 8) & 255;
  if (word >> 16 != WAY_NONE && shortly(p, operandVa(p))) return 1;
  const cr0 = load<u64>(cpu, VCPU_CR0);
  if (opcode == 0x9b) {
    if ((cr0 & (CR0_MP | CR0_TS)) == (CR0_MP | CR0_TS)) return raise(VEC_NM, 0);
    return fsw() & FSW_ES ? waitFor(p) : 1;
  }
  if (cr0 & (CR0_EM | CR0_TS)) return raise(VEC_NM, 0);
  const memory = modrm < 0xc0;
  const reg = (modrm >> 3) & 7;
  if (!isNonWaiting(opcode, modrm, memory, reg) && fsw() & FSW_ES && !waitFor(p)) return 0;
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
    store<u16>(cpu, <u16>fsw(), VCPU_RAX);
    return 1;
  }
  noteInstruction(opcode, modrm, ripOf(p));
  return registerForm(opcode, reg, modrm & 7);
}

function waitFor(p: usize): i32 {
  exactCount(p);
  return pendingError();
}

/** FNINIT FNCLEX FNSTSW FNSTCW FNSTENV FNSAVE do not wait for pending exceptions. */
function isNonWaiting(opcode: u32, modrm: u32, memory: bool, reg: u32): bool {
  if (memory) return (opcode == 0xd9 && reg >= 6) || (opcode == 0xdd && reg >= 6);
  return (opcode == 0xdb && reg == 4) || (opcode == 0xdf && modrm == 0xe0);
}

/** DB E0..E4: FNENI, FNDISI, FNSETPM (287 relics: nothing), FNCLEX, FNINIT. */
function controlRegister(modrm: u32): i32 {
  if (modrm > 0xe4) return raise(VEC_UD, 0);
  if (modrm == 0xe2) clearSummary(fsw() & 0x7f00);
  else if (modrm == 0xe3) initialise();
  return 1;
}

/** D9 /4../7: FLDENV FLDCW FNSTENV FNSTCW; DD (+8) /4 FRSTOR, /6 FNSAVE, /7 FNSTSW. */
function controlMemory(p: usize, va: u64, which: u32): i32 {
  const wide = (<u32>load<u8>(p, R_AUX) & AUX_SIZE) != 1;
  switch (which) {
    case 4:
      return loadEnvironment(p, va, wide);
    case 5: {
      if (!rd(p, va, 2)) return 0;
      store<u16>(cpu, <u16>((memVal & 0x1f3f) | 0x40), VCPU_FCW);
      updateSummary();
      return 1;
    }
    case 6:
      return storeEnvironment(p, va, wide);
    case 7:
      return wr(p, va, 2, fcw());
    case 12:
      return restoreState(p, va, wide);
    case 14:
      return saveState(p, va, wide);
    case 15:
      return wr(p, va, 2, fsw());
    default:
      return memoryForm(p, 0xdd, 5, va);
  }
}

function registerForm(opcode: u32, reg: u32, i: u32): i32 {
  switch (opcode) {
    case 0xd8:
      if (reg == 2 || reg == 3) return compareRegister(i, false, reg == 3 ? 1 : 0);
      return arithmeticRegister(reg, i, 0, false);
    case 0xd9:
      return formD9(reg, i);
    case 0xda:
      if (reg < 4) return conditionalMove(reg, false, i);
      return reg == 5 && i == 1 ? compareRegister(1, true, 2) : raise(VEC_UD, 0);
    case 0xdb:
      if (reg < 4) return conditionalMove(reg, true, i);
      return reg == 5 || reg == 6 ? compareFlags(i, reg == 5, false) : raise(VEC_UD, 0);
    case 0xdc:
      if (reg == 2 || reg == 3) return compareRegister(i, false, reg == 3 ? 1 : 0);
      return arithmeticRegister(reg, i, i, false);
    case 0xdd:
      return formDD(reg, i);
    case 0xde:
      if (reg == 2) return compareRegister(i, false, 1);
      if (reg == 3) return i == 1 ? compareRegister(1, false, 2) : raise(VEC_UD, 0);
      return arithmeticRegister(reg, i, i, true);
    default:
      return formDF(reg, i);
  }
}

function formDD(reg: u32, i: u32): i32 {
  switch (reg) {
    case 0: // FFREE
      clearC1();
      setTag(physical(i), 3);
      return 1;
    case 1:
      return exchange(i);
    case 2:
      return storeRegister(i, false);
    case 3:
      return storeRegister(i, true);
    case 4:
      return compareRegister(i, true, 0);
    case 5:
      return compareRegister(i, true, 1);
    default:
      return raise(VEC_UD, 0);
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
    case 1:
      return exchange(i);
    case 2:
    case 3:
      return storeRegister(i, true);
    case 5:
      return compareFlags(i, true, true);
    case 6:
      return compareFlags(i, false, true);
    default:
      return raise(VEC_UD, 0);
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
    case 0:
      return loadRegister(i);
    case 1:
      return exchange(i);
    case 2:
      return i == 0 ? 1 : raise(VEC_UD, 0); // FNOP
    case 3:
      clearC1();
      copyRegister(i);
      popStack();
      return 1;
    case 4:
      return signAndClass(i);
    case 5:
      return loadConstant(i);
    default:
      return instructionF0(((reg & 1) << 3) | i);
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

/** FLD1 FLDL2T FLDL2E FLDPI FLDLG2 FLDLN2 FLDZ, rounded according to RC (the manual's constants are rounded to nearest). */
function loadConstant(i: u32): i32 {
  beginOperation(false);
  const mode = (fcw() >> 10) & 3;
  const down = mode == 1 || mode == 3;
  switch (i) {
    case 0:
      pushResult(INTEGER_BIT, BIAS);
      return 1;
    case 1:
      pushResult(mode == 2 ? 0xd49a784bcd1b8aff : 0xd49a784bcd1b8afe, BIAS + 1);
      return 1;
    case 2:
      pushResult(down ? 0xb8aa3b295c17f0bb : 0xb8aa3b295c17f0bc, BIAS);
      return 1;
    case 3:
      pushResult(down ? 0xc90fdaa22168c234 : 0xc90fdaa22168c235, BIAS + 1);
      return 1;
    case 4:
      pushResult(down ? 0x9a209a84fbcff798 : 0x9a209a84fbcff799, BIAS - 2);
      return 1;
    case 5:
      pushResult(down ? 0xb17217f7d1cf79ab : 0xb17217f7d1cf79ac, BIAS - 1);
      return 1;
    case 6:
      pushResult(0, 0);
      return 1;
    default:
      return raise(VEC_UD, 0);
  }
}
