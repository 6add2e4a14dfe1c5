/**
 * FSIN, FCOS, FSINCOS, FPTAN, FPATAN, F2XM1, FYL2X, FYL2XP1 (SDM 2, the instructions' pages; SDM 1 8.3.9-8.3.10): Taylor series over 128-bit
 * significands. Results are correctly rounded except in rare cases, for the argument as the processor reduces it, with pi to 66 bits. Real processors
 * differ in the last place.
 */
import {
  addBig,
  addExp,
  bigExp,
  bigSign,
  copyBig,
  divBig,
  divSmall,
  giveBig,
  isBigZero,
  isLess,
  mulBig,
  nudgeDown,
  setBig,
  setFrom80,
  setInteger,
  setSign,
  slot,
} from './bigfloat';
import {
  BIAS,
  EX_PRECISION,
  EX_ZERO,
  expOf,
  give,
  giveInf,
  giveZero,
  handledNan,
  handledNan1,
  INTEGER_BIT,
  invalid,
  isInf,
  isZero,
  normalise,
  normExp,
  normSig,
  noteDenormals,
  raiseFlag,
  signOf,
} from './float80';
import { subtract, wideHi, wideLo } from './wide';

const PI_HI: u64 = 0xc90fdaa22168c234;
const PI_LO: u64 = 0xc4c6628b80dc1cd1;
/** pi to 66 bits, as argument reduction uses it. */
const PI66_LO: u64 = 0xc000000000000000;
const LN2_HI: u64 = 0xb17217f7d1cf79ab;
const LN2_LO: u64 = 0xc9e3b39803f2f6af;
/** 1 / ln 2. */
const LOG2E_HI: u64 = 0xb8aa3b295c17f0bb;
const LOG2E_LO: u64 = 0xbe87fed0691d3e89;
/** Below this exponent a function equals its first term to 128 bits. */
const TINY: i32 = -68;
const TINY_TANGENT: i32 = -62;

/** The argument is outside +-2^63: C2 is set and nothing changes. */
export let outOfRange: bool = false;

// Slots: 0 argument or reduced argument, 1 its square, 2 series, 3 term, 4.. results.
const X: usize = 0;
const SQUARE: usize = 1;
const SUM: usize = 2;
const TERM: usize = 3;
const SINE: usize = 4;
const COSINE: usize = 5;
const ONE: usize = 6;
const T: usize = 7;

/** Reduces |x| (normalised in normSig, normExp) by multiples of pi/2: slot X in [-pi/4, pi/4]; returns the quotient mod 4. */
function reduceAngle(): u32 {
  const exp = normExp - BIAS;
  if (exp < -1) {
    setBig(slot(X), 0, exp, normSig, 0);
    return 0;
  }
  let hi = exp < 0 ? normSig >> 1 : normSig;
  let lo: u64 = exp < 0 ? normSig << 63 : 0;
  let quotient: u32 = 0;
  for (let i = 0; ; i++) {
    if (hi > PI_HI || (hi == PI_HI && lo >= PI66_LO)) {
      subtract(hi, lo, PI_HI, PI66_LO);
      hi = wideHi;
      lo = wideLo;
      quotient |= 1;
    }
    if (i >= exp) break;
    const carry = hi >> 63;
    hi = (hi << 1) | (lo >> 63);
    lo <<= 1;
    quotient <<= 1;
    if (carry != 0) {
      subtract(hi, lo, PI_HI, PI66_LO);
      hi = wideHi;
      lo = wideLo;
      quotient |= 1;
    }
  }
  // More than half of pi/2 left: go to the next multiple.
  if (hi > PI_HI >> 1) {
    subtract(PI_HI, PI66_LO, hi, lo);
    setBig(slot(X), 1, 0, wideHi, wideLo);
    return (quotient + 1) & 3;
  }
  setBig(slot(X), 0, 0, hi, lo);
  return quotient & 3;
}

/** 1 - s/(k(k+1)) * (1 - s/((k+2)(k+3)) * ...) from k = first, s = slot SQUARE: the sine's (2) or cosine's (1) series, to slot SUM. */
function alternating(first: u32): void {
  setInteger(slot(SUM), 1);
  for (let k = first + 28; k >= first; k -= 2) {
    mulBig(slot(TERM), slot(SQUARE), slot(SUM));
    divSmall(slot(TERM), slot(TERM), k * (k + 1));
    setSign(slot(TERM), bigSign(slot(TERM)) ^ 1);
    addBig(slot(SUM), slot(ONE), slot(TERM));
    if (k == first) break;
  }
}

/** Sine and cosine of slot X, to slots SINE and COSINE. */
function sineCosine(): void {
  setInteger(slot(ONE), 1);
  if (isBigZero(slot(X))) {
    copyBig(slot(SINE), slot(X));
    copyBig(slot(COSINE), slot(ONE));
    return;
  }
  mulBig(slot(SQUARE), slot(X), slot(X));
  if (bigExp(slot(X)) < TINY) {
    copyBig(slot(SINE), slot(X));
    nudgeDown(slot(SINE));
    copyBig(slot(COSINE), slot(ONE));
    nudgeDown(slot(COSINE));
    return;
  }
  alternating(2);
  mulBig(slot(SINE), slot(SUM), slot(X));
  alternating(1);
  copyBig(slot(COSINE), slot(SUM));
}

/** Common start: true when the result is already known (NaN, infinity) or the argument is out of range. The quotient is in `quadrant`. */
let quadrant: u32 = 0;
function startAngle(sig: u64, se: u32): bool {
  outOfRange = false;
  if (handledNan1(sig, se)) return true;
  if (isInf(sig, se)) {
    invalid();
    return true;
  }
  if (isZero(sig, se)) return false;
  if (expOf(se) >= BIAS + 63) {
    outOfRange = true;
    give(sig, se);
    return true;
  }
  noteDenormals(sig, se, 0, 0);
  normalise(sig, se);
  quadrant = reduceAngle();
  sineCosine();
  return false;
}

function giveSine(negative: u32): void {
  const source = slot(quadrant & 1 ? COSINE : SINE);
  setSign(source, bigSign(source) ^ negative ^ (quadrant >> 1));
  giveBig(source, false);
}

export function sine(sig: u64, se: u32): void {
  if (startAngle(sig, se)) return;
  if (isZero(sig, se)) give(sig, se);
  else giveSine(signOf(se));
}

export function cosine(sig: u64, se: u32): void {
  if (startAngle(sig, se)) return;
  if (isZero(sig, se)) {
    give(INTEGER_BIT, BIAS);
    return;
  }
  quadrant = (quadrant + 1) & 3;
  giveSine(0);
}

/** The tangent; FPTAN pushes 1 after it. */
export function tangent(sig: u64, se: u32): void {
  if (startAngle(sig, se)) return;
  if (isZero(sig, se)) {
    give(sig, se);
    return;
  }
  if (quadrant & 1) {
    divBig(slot(T), slot(COSINE), slot(SINE));
    setSign(slot(T), bigSign(slot(T)) ^ 1);
  } else {
    // The tangent of a tiny angle is just above it, by less than the division's own error: the sticky bit below accounts for it.
    if (bigExp(slot(X)) < TINY_TANGENT) copyBig(slot(T), slot(X));
    else divBig(slot(T), slot(SINE), slot(COSINE));
  }
  setSign(slot(T), bigSign(slot(T)) ^ signOf(se));
  giveBig(slot(T), false);
}

/** 2^x - 1 for -1 <= x <= 1; outside (undefined by the manual) the operand is returned, or the limit for infinity. */
export function exp2m1(sig: u64, se: u32): void {
  if (handledNan1(sig, se)) return;
  if (isInf(sig, se)) {
    if (signOf(se)) give(INTEGER_BIT, BIAS | 0x8000);
    else give(sig, se);
    return;
  }
  if (isZero(sig, se)) {
    give(sig, se);
    return;
  }
  noteDenormals(sig, se, 0, 0);
  if (expOf(se) > BIAS || (expOf(se) == BIAS && sig != INTEGER_BIT)) {
    raiseFlag(EX_PRECISION);
    give(sig, se);
    return;
  }
  if (expOf(se) == BIAS) {
    raiseFlag(EX_PRECISION);
    give(INTEGER_BIT, signOf(se) ? 0x8000 | (BIAS - 1) : BIAS);
    return;
  }
  setFrom80(slot(X), sig, se);
  setBig(slot(T), 0, -1, LN2_HI, LN2_LO);
  mulBig(slot(X), slot(X), slot(T));
  setInteger(slot(ONE), 1);
  setInteger(slot(SUM), 1);
  if (bigExp(slot(X)) > -130) {
    for (let k: u32 = 36; k >= 2; k--) {
      mulBig(slot(TERM), slot(X), slot(SUM));
      divSmall(slot(TERM), slot(TERM), k);
      addBig(slot(SUM), slot(ONE), slot(TERM));
    }
  }
  mulBig(slot(T), slot(X), slot(SUM));
  giveBig(slot(T), false);
}

/** 2 * atanh(slot X) / ln 2 to slot T, |X| <= 0.2. */
function atanhLog2(): void {
  setInteger(slot(ONE), 1);
  mulBig(slot(SQUARE), slot(X), slot(X));
  setBig(slot(SUM), 0, 0, 0, 0);
  for (let k: i32 = 61; k >= 1; k -= 2) {
    mulBig(slot(TERM), slot(SQUARE), slot(SUM));
    divSmall(slot(SUM), slot(ONE), <u32>k);
    addBig(slot(SUM), slot(SUM), slot(TERM));
  }
  mulBig(slot(T), slot(X), slot(SUM));
  setBig(slot(TERM), 0, 1, LOG2E_HI, LOG2E_LO);
  mulBig(slot(T), slot(T), slot(TERM));
}

/** log2 of slot X (positive) to slot T. True when exact (a power of two). */
function log2Big(): bool {
  let exp = bigExp(slot(X));
  addExp(slot(X), -exp);
  setBig(slot(TERM), 0, 0, 0xb504f333f9de6484, 0);
  if (isLess(slot(TERM), slot(X))) {
    addExp(slot(X), -1);
    exp++;
  }
  setInteger(slot(ONE), 1);
  setInteger(slot(TERM), -1);
  addBig(slot(SUM), slot(X), slot(TERM));
  if (isBigZero(slot(SUM))) {
    setInteger(slot(T), exp);
    return true;
  }
  addBig(slot(TERM), slot(X), slot(ONE));
  divBig(slot(X), slot(SUM), slot(TERM));
  atanhLog2();
  if (exp != 0) {
    setInteger(slot(TERM), exp);
    addBig(slot(T), slot(T), slot(TERM));
  }
  return false;
}

/** y times slot T. */
function giveProduct(ySig: u64, ySe: u32, exact: bool): void {
  setFrom80(slot(TERM), ySig, ySe);
  mulBig(slot(T), slot(T), slot(TERM));
  giveBig(slot(T), exact);
}

/** y * log2(x). */
export function yLog2x(ySig: u64, ySe: u32, xSig: u64, xSe: u32): void {
  if (handledNan(ySig, ySe, xSig, xSe)) return;
  const sign = signOf(ySe);
  const yZero = isZero(ySig, ySe);
  const yInf = isInf(ySig, ySe);
  if (isZero(xSig, xSe)) {
    if (yZero) invalid();
    else {
      if (!yInf) raiseFlag(EX_ZERO);
      giveInf(sign ^ 1);
    }
    return;
  }
  if (signOf(xSe)) {
    invalid();
    return;
  }
  if (isInf(xSig, xSe)) {
    if (yZero) invalid();
    else {
      noteDenormals(ySig, ySe, 0, 0);
      giveInf(sign);
    }
    return;
  }
  const one = expOf(xSe) == BIAS && xSig == INTEGER_BIT;
  if (yInf && one) {
    invalid();
    return;
  }
  noteDenormals(ySig, ySe, xSig, xSe);
  const below = expOf(xSe) < BIAS ? <u32>1 : <u32>0;
  if (yInf || yZero || one) {
    if (yInf) giveInf(sign ^ below);
    else giveZero(one ? sign : sign ^ below);
    return;
  }
  setFrom80(slot(X), xSig, xSe);
  raiseFlag(EX_PRECISION); // processors report it even for powers of two
  giveProduct(ySig, ySe, log2Big());
}

/** y * log2(1 + x). */
export function yLog2x1(ySig: u64, ySe: u32, xSig: u64, xSe: u32): void {
  if (handledNan(ySig, ySe, xSig, xSe)) return;
  const sign = signOf(ySe) ^ signOf(xSe);
  const yZero = isZero(ySig, ySe);
  const yInf = isInf(ySig, ySe);
  const xZero = isZero(xSig, xSe);
  if ((yInf && xZero) || (yZero && isInf(xSig, xSe)) || (signOf(xSe) && expOf(xSe) >= BIAS)) {
    invalid();
    return;
  }
  noteDenormals(ySig, ySe, xSig, xSe);
  if (xZero || yZero) giveZero(sign);
  else if (yInf || isInf(xSig, xSe)) giveInf(sign);
  else {
    setFrom80(slot(X), xSig, xSe);
    log2Plus1();
    giveProduct(ySig, ySe, false);
  }
}

/** log2(1 + slot X) to slot T, accurate for small X too: atanh of x / (2 + x). */
function log2Plus1(): void {
  if (bigExp(slot(X)) >= -2) {
    setInteger(slot(TERM), 1);
    addBig(slot(X), slot(X), slot(TERM));
    log2Big();
    return;
  }
  setInteger(slot(TERM), 2);
  addBig(slot(TERM), slot(X), slot(TERM));
  divBig(slot(X), slot(X), slot(TERM));
  atanhLog2();
}

/** atan(i / 8), i = 0..8, to `to`. */
function atanEighth(to: usize, i: u32): void {
  switch (i) {
    case 0:
      setBig(to, 0, 0, 0, 0);
      return;
    case 1:
      setBig(to, 0, -4, 0xfeadd4d5617b6e32, 0xc897989f3e888ef8);
      return;
    case 2:
      setBig(to, 0, -3, 0xfadbafc96406eb15, 0x6dc79ef5f7a217e6);
      return;
    case 3:
      setBig(to, 0, -2, 0xb7b0ca0f26f78473, 0x8aa32122dcfe4483);
      return;
    case 4:
      setBig(to, 0, -2, 0xed63382b0dda7b45, 0x6fe445ecbc3a8d03);
      return;
    case 5:
      setBig(to, 0, -1, 0x8f005d5ef7f59f9b, 0x5c835e1665c43748);
      return;
    case 6:
      setBig(to, 0, -1, 0xa4bc7d1934f70924, 0x19a87f2a457dac9f);
      return;
    case 7:
      setBig(to, 0, -1, 0xb8053e2bc2319e73, 0xcb2da55210a4443d);
      return;
    default:
      setBig(to, 0, -1, PI_HI, PI_LO);
  }
}

/** atan of slot X, 0 < X <= 1, to slot T: atan x = atan(i/8) + atan((x - i/8) / (1 + x i/8)). */
function arctangent(): void {
  const exp = bigExp(slot(X));
  setInteger(slot(ONE), 1);
  const high = load<u64>(slot(X), 16);
  const i = exp < -5 ? 0 : <u32>(((high >> <u64>-exp) >> 59) + 1) >> 1;
  if (i != 0) {
    setInteger(slot(TERM), <i32>i);
    addExp(slot(TERM), -3);
    mulBig(slot(SUM), slot(X), slot(TERM));
    addBig(slot(SUM), slot(SUM), slot(ONE));
    setSign(slot(TERM), 1);
    addBig(slot(X), slot(X), slot(TERM));
    divBig(slot(X), slot(X), slot(SUM));
  }
  if (isBigZero(slot(X))) {
    copyBig(slot(T), slot(X));
  } else {
    mulBig(slot(SQUARE), slot(X), slot(X));
    setSign(slot(SQUARE), 1);
    setBig(slot(SUM), 0, 0, 0, 0);
    for (let k: i32 = bigExp(slot(X)) < TINY ? 1 : 37; k >= 1; k -= 2) {
      mulBig(slot(TERM), slot(SQUARE), slot(SUM));
      divSmall(slot(SUM), slot(ONE), <u32>k);
      addBig(slot(SUM), slot(SUM), slot(TERM));
    }
    mulBig(slot(T), slot(X), slot(SUM));
    if (i == 0 && bigExp(slot(X)) < TINY) nudgeDown(slot(T));
  }
  if (i != 0) {
    atanEighth(slot(TERM), i);
    addBig(slot(T), slot(T), slot(TERM));
  }
}

/** Eighths of pi (2: pi/4, 4: pi/2, 6: 3 pi/4, 8: pi) with a sign, rounded. */
function givePi(eighths: i32, sign: u32): void {
  setInteger(slot(TERM), eighths);
  setBig(slot(T), 0, 1 - 3, PI_HI, PI_LO);
  mulBig(slot(T), slot(T), slot(TERM));
  setSign(slot(T), sign);
  giveBig(slot(T), false);
}

/** Angle of the point (x, y): FPATAN with y = ST(1), x = ST(0). */
export function arctangent2(ySig: u64, ySe: u32, xSig: u64, xSe: u32): void {
  if (handledNan(ySig, ySe, xSig, xSe)) return;
  const sign = signOf(ySe);
  const left = signOf(xSe) != 0;
  const yInf = isInf(ySig, ySe);
  const xInf = isInf(xSig, xSe);
  noteDenormals(ySig, ySe, xSig, xSe);
  if (yInf) givePi(xInf ? (left ? 6 : 2) : 4, sign);
  else if (xInf || isZero(ySig, ySe)) {
    if (left) givePi(8, sign);
    else giveZero(sign);
  } else if (isZero(xSig, xSe)) givePi(4, sign);
  else {
    arctangentFinite(ySig, ySe, xSig, xSe);
    setSign(slot(T), sign);
    giveBig(slot(T), false);
  }
}

function arctangentFinite(ySig: u64, ySe: u32, xSig: u64, xSe: u32): void {
  const left = signOf(xSe) != 0;
  setFrom80(slot(X), xSig, xSe & 0x7fff);
  setFrom80(slot(T), ySig, ySe & 0x7fff);
  const steep = isLess(slot(X), slot(T));
  if (steep) divBig(slot(X), slot(X), slot(T));
  else divBig(slot(X), slot(T), slot(X));
  arctangent();
  if (steep) {
    setSign(slot(T), left ? 0 : 1);
    setBig(slot(TERM), 0, 0, PI_HI, PI_LO);
    addBig(slot(T), slot(T), slot(TERM));
  } else if (left) {
    setSign(slot(T), 1);
    setBig(slot(TERM), 0, 1, PI_HI, PI_LO);
    addBig(slot(T), slot(T), slot(TERM));
  }
}
