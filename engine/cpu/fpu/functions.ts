/** D9 F0..FF: FSQRT, FPREM, FSCALE, FXTRACT and the transcendental instructions, with their stack effects (SDM 2). */
import { BIAS, EX_INVALID, INTEGER_BIT, isNan, raised, zSe, zSig } from './float80';
import { sqrt80 } from './float80-arithmetic';
import { extract, extractSe, extractSig, remainder, remPartial, remQuotient, roundInt, scale } from './float80-integral';
import {
  accept,
  beginOperation,
  clearC1,
  decrementTop,
  FSW_C0,
  FSW_C1,
  FSW_C2,
  FSW_C3,
  fcw,
  fsw,
  incrementTop,
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
import { arctangent2, cosine, exp2m1, outOfRange, sine, tangent, yLog2x, yLog2x1 } from './transcendental';

/** D9 F0..FF. */
export function instructionF0(which: u32): i32 {
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
    case 0:
      exp2m1(sig, se);
      return unaryEnd();
    case 1:
      yLog2x(sigOf(1), seOf(1), sig, se);
      return binaryPop();
    case 2:
      tangent(sig, se);
      return pairEnd(INTEGER_BIT, BIAS);
    case 3:
      arctangent2(sigOf(1), seOf(1), sig, se);
      return binaryPop();
    case 4:
      return extractEnd(sig, se);
    case 5:
      remainder(sig, se, sigOf(1), seOf(1), true);
      return remainderEnd();
    case 8:
      remainder(sig, se, sigOf(1), seOf(1), false);
      return remainderEnd();
    case 9:
      yLog2x1(sigOf(1), seOf(1), sig, se);
      return binaryPop();
    case 10:
      sqrt80(sig, se);
      return unaryEnd();
    case 11:
      return sineCosineEnd(sig, se);
    case 12:
      roundInt(sig, se);
      return unaryEnd();
    case 13:
      scale(sig, se, sigOf(1), seOf(1));
      return unaryEnd();
    case 14:
      sine(sig, se);
      return angleEnd();
    default:
      cosine(sig, se);
      return angleEnd();
  }
}

/** Masked response to an empty operand: indefinite in every result. */
function functionUnderflow(which: u32): i32 {
  if (which == 2 || which == 5 || which == 8 || which == 11 || which >= 14) setFsw(fsw() & ~FSW_C2);
  if (which == 1 || which == 3 || which == 9) {
    if (underflow(1)) popStack();
  } else if (which == 2 || which == 4 || which == 11) {
    if (underflow(0)) {
      decrementTop();
      setRegister(0, 0xc000000000000000, 0xffff);
    }
  } else {
    underflow(0);
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
  if (raised & EX_INVALID || !accepted || isNan(zSig, zSe)) setFsw(fsw() & ~(FSW_C2 | FSW_C1));
  else if (remPartial) setConditions(FSW_C2);
  else setConditions((q & 1 ? FSW_C1 : 0) | (q & 2 ? FSW_C3 : 0) | (q & 4 ? FSW_C0 : 0));
  return 1;
}

/** FSIN, FCOS: C2 and an untouched operand when it is out of range. */
function angleEnd(): i32 {
  const accepted = accept();
  setFsw(outOfRange ? fsw() | FSW_C2 : fsw() & ~FSW_C2);
  if (accepted) setRegister(0, zSig, zSe);
  return 1;
}

/** Result in ST(0), then a second value pushed (FPTAN). */
function pairEnd(sig: u64, se: u32): i32 {
  if (!isEmpty(7)) {
    pairOverflow();
    return 1;
  }
  const accepted = accept();
  setFsw(outOfRange ? fsw() | FSW_C2 : fsw() & ~FSW_C2);
  if (outOfRange || !accepted) return 1;
  const nan = isNan(zSig, zSe);
  const first = zSig;
  const firstSe = zSe;
  setRegister(0, first, firstSe);
  decrementTop();
  setRegister(0, nan ? first : sig, nan ? firstSe : se);
  return 1;
}

function pairOverflow(): void {
  setFsw(fsw() & ~FSW_C2);
  if (!stackFault(true)) return;
  setRegister(0, 0xc000000000000000, 0xffff);
  decrementTop();
  setRegister(0, 0xc000000000000000, 0xffff);
}

function extractEnd(sig: u64, se: u32): i32 {
  if (!isEmpty(7)) {
    const c2 = fsw() & FSW_C2;
    pairOverflow();
    setFsw(fsw() | c2);
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
  if (!isEmpty(7)) {
    pairOverflow();
    return 1;
  }
  sine(sig, se);
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
