/** Addition, multiplication, division, square root and comparison of 80-bit values (SDM 1 chapter 8). Conventions: float80.ts. */
import {
  BIAS,
  EX_INVALID,
  EX_ZERO,
  give,
  giveInf,
  giveZero,
  handledNan,
  handledNan1,
  INTEGER_BIT,
  invalid,
  isInf,
  isNan,
  isSignalling,
  isUnsupported,
  isZero,
  normalise,
  normExp,
  normSig,
  noteDenormals,
  RC_DOWN,
  raiseFlag,
  roundingMode,
  roundPack,
  signOf,
} from './float80';
import { divide, leadingZeros, multiply, setWide, shiftLeft, shiftRightSticky, wideHi, wideLo } from './wide';

function addMagnitudes(sign: u32, aExp: i32, aSig: u64, bExp: i32, bSig: u64): void {
  if (aExp < bExp) {
    addMagnitudes(sign, bExp, bSig, aExp, aSig);
    return;
  }
  shiftRightSticky(bSig, 0, aExp - bExp);
  let lo = wideLo;
  let sum = aSig + wideHi;
  let exp = aExp;
  if (sum < aSig) {
    lo = (sum << 63) | (lo >> 1) | (lo & 1);
    sum = (sum >> 1) | INTEGER_BIT;
    exp++;
  }
  roundPack(sign, exp, sum, lo);
}

function subMagnitudes(sign: u32, aExp: i32, aSig: u64, bExp: i32, bSig: u64): void {
  if (aExp < bExp || (aExp == bExp && aSig < bSig)) {
    subMagnitudes(sign ^ 1, bExp, bSig, aExp, aSig);
    return;
  }
  if (aExp == bExp && aSig == bSig) {
    giveZero(u32(roundingMode() == RC_DOWN));
    return;
  }
  shiftRightSticky(bSig, 0, aExp - bExp);
  const lo = <u64>0 - wideLo;
  const hi = aSig - wideHi - u64(wideLo != 0);
  const shift = leadingZeros(hi, lo);
  shiftLeft(hi, lo, shift);
  roundPack(sign, aExp - shift, wideHi, wideLo);
}

/** a + b, or a - b with `negate`. */
export function add(aSig: u64, aSe: u32, bSig: u64, bSe: u32, negate: bool): void {
  if (handledNan(aSig, aSe, bSig, bSe)) return;
  const bSign = signOf(bSe) ^ u32(negate);
  const aSign = signOf(aSe);
  if (isInf(aSig, aSe)) {
    if (isInf(bSig, bSe) && aSign != bSign) invalid();
    else {
      noteDenormals(aSig, aSe, bSig, bSe);
      giveInf(aSign);
    }
    return;
  }
  noteDenormals(aSig, aSe, bSig, bSe);
  if (isInf(bSig, bSe)) {
    giveInf(bSign);
    return;
  }
  if (aSig == 0 && bSig == 0) {
    giveZero(aSign == bSign ? aSign : u32(roundingMode() == RC_DOWN));
    return;
  }
  if (aSig == 0 || bSig == 0) {
    if (aSig == 0) normalise(bSig, bSe);
    else normalise(aSig, aSe);
    roundPack(aSig == 0 ? bSign : aSign, normExp, normSig, 0);
    return;
  }
  normalise(aSig, aSe);
  const aNorm = normSig;
  const aExp = normExp;
  normalise(bSig, bSe);
  if (aSign == bSign) addMagnitudes(aSign, aExp, aNorm, normExp, normSig);
  else subMagnitudes(aSign, aExp, aNorm, normExp, normSig);
}

export function mul(aSig: u64, aSe: u32, bSig: u64, bSe: u32): void {
  if (handledNan(aSig, aSe, bSig, bSe)) return;
  const sign = signOf(aSe) ^ signOf(bSe);
  if (isInf(aSig, aSe) || isInf(bSig, bSe)) {
    if (isZero(aSig, aSe) || isZero(bSig, bSe)) invalid();
    else {
      noteDenormals(aSig, aSe, bSig, bSe);
      giveInf(sign);
    }
    return;
  }
  noteDenormals(aSig, aSe, bSig, bSe);
  if (aSig == 0 || bSig == 0) {
    giveZero(sign);
    return;
  }
  normalise(aSig, aSe);
  const aNorm = normSig;
  const aExp = normExp;
  normalise(bSig, bSe);
  multiply(aNorm, normSig);
  let hi = wideHi;
  let lo = wideLo;
  let exp = aExp + normExp - BIAS + 1;
  if (hi < INTEGER_BIT) {
    hi = (hi << 1) | (lo >> 63);
    lo <<= 1;
    exp--;
  }
  roundPack(sign, exp, hi, lo);
}

/** a / b. */
export function div(aSig: u64, aSe: u32, bSig: u64, bSe: u32): void {
  if (handledNan(aSig, aSe, bSig, bSe)) return;
  const sign = signOf(aSe) ^ signOf(bSe);
  if (isInf(aSig, aSe)) {
    if (isInf(bSig, bSe)) invalid();
    else {
      noteDenormals(aSig, aSe, bSig, bSe);
      giveInf(sign);
    }
    return;
  }
  if (isZero(bSig, bSe)) {
    if (isZero(aSig, aSe)) invalid();
    else {
      raiseFlag(EX_ZERO);
      giveInf(sign);
    }
    return;
  }
  noteDenormals(aSig, aSe, bSig, bSe);
  if (isInf(bSig, bSe) || aSig == 0) {
    giveZero(sign);
    return;
  }
  normalise(aSig, aSe);
  let aNorm = normSig;
  let exp = normExp;
  normalise(bSig, bSe);
  exp += BIAS - 1 - normExp;
  let low: u64 = 0;
  if (aNorm >= normSig) {
    exp++;
    low = aNorm << 63;
    aNorm >>= 1;
  }
  quotient(aNorm, low, normSig);
  roundPack(sign, exp, wideHi, wideLo);
}

/** (hi:low) / divisor with hi < divisor; quotient in wideHi, sticky and half bits in wideLo. */
export function quotient(hi: u64, low: u64, divisor: u64): void {
  divide(hi, low, divisor);
  const remainder = wideLo;
  // Comparing twice the remainder with the divisor decides on which side of one half the rest is.
  const carry = remainder >> 63;
  const twice = remainder << 1;
  let lo: u64 = 0;
  if (remainder != 0) lo = carry != 0 || twice > divisor ? INTEGER_BIT | 1 : twice == divisor ? INTEGER_BIT : 1;
  setWide(wideHi, lo);
}

/** Square root. */
export function sqrt80(sig: u64, se: u32): void {
  if (handledNan1(sig, se)) return;
  if (isZero(sig, se)) {
    give(sig, se);
    return;
  }
  if (signOf(se)) {
    invalid();
    return;
  }
  if (isInf(sig, se)) {
    giveInf(0);
    return;
  }
  noteDenormals(sig, se, 0, 0);
  normalise(sig, se);
  const exp = normExp;
  root(normSig, exp);
  roundPack(0, rootExp(exp), wideHi, wideLo);
}

/** Biased exponent of the square root of a number with this one. */
export function rootExp(exp: i32): i32 {
  return ((exp - BIAS) >> 1) + BIAS;
}

/** Square root of a normalised significand with this exponent: 64 bits with the top one set in wideHi, sticky and half bits in wideLo. */
export function root(sig: u64, exp: i32): void {
  const odd = ((exp - BIAS) & 1) != 0;
  // Radicand of 128 bits in [2^126, 2^128).
  const hi = odd ? sig : sig >> 1;
  const lo = odd ? <u64>0 : sig << 63;
  // f64 gives 52 bits of the root; one Newton step on the exact remainder leaves it at most a few units off.
  const estimate = sqrt<f64>(<f64>hi) * 4294967296.0;
  let q: u64 = estimate >= 18446744073709551616.0 ? <u64>-1 : <u64>estimate;
  multiply(q, q);
  let remLo = lo - wideLo;
  let remHi = hi - wideHi - u64(lo < wideLo);
  q += <u64>(<i64>((<f64>(<i64>remHi) * 18446744073709551616.0 + <f64>remLo) / (2.0 * <f64>q)));
  multiply(q, q);
  remLo = lo - wideLo;
  remHi = hi - wideHi - u64(lo < wideLo);
  while (<i64>remHi < 0) {
    // (q - 1)^2 = q^2 - 2q + 1
    q--;
    const more = (q << 1) | 1;
    remLo += more;
    remHi += (q >> 63) + u64(remLo < more);
  }
  while (remHi > q >> 63 || (remHi == q >> 63 && remLo > q << 1)) {
    const less = (q << 1) | 1;
    remHi -= (q >> 63) + u64(remLo < less);
    remLo -= less;
    q++;
  }
  // A remainder above the root means that the rest is above one half.
  const above = remHi != 0 || remLo > q;
  setWide(q, remHi == 0 && remLo == 0 ? 0 : above ? INTEGER_BIT | 1 : 1);
}

/** Relation of a to b: 0 equal, 1 greater, 2 less, 3 unordered. `quiet`: quiet NaNs raise nothing (FUCOM). */
export function compare(aSig: u64, aSe: u32, bSig: u64, bSe: u32, quiet: bool): i32 {
  if (isUnsupported(aSig, aSe) || isUnsupported(bSig, bSe)) {
    raiseFlag(EX_INVALID);
    return 3;
  }
  if (isNan(aSig, aSe) || isNan(bSig, bSe)) {
    if (!quiet || isSignalling(aSig, aSe) || isSignalling(bSig, bSe)) raiseFlag(EX_INVALID);
    return 3;
  }
  noteDenormals(aSig, aSe, bSig, bSe);
  if (aSig == 0 && bSig == 0) return 0;
  const aNegative = signOf(aSe) != 0;
  const bNegative = signOf(bSe) != 0;
  if (aSig == 0) return bNegative ? 1 : 2;
  if (bSig == 0) return aNegative ? 2 : 1;
  if (aNegative != bNegative) return aNegative ? 2 : 1;
  normalise(aSig, aSe);
  const aNorm = normSig;
  const aExp = normExp;
  normalise(bSig, bSe);
  if (aExp == normExp && aNorm == normSig) return 0;
  const larger = aExp > normExp || (aExp == normExp && aNorm > normSig);
  return larger != aNegative ? 1 : 2;
}
