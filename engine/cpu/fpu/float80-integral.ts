/**
 * FRNDINT, FSCALE, FXTRACT, FPREM, FPREM1 on 80-bit values (SDM 2, the instructions' pages). Conventions: float80.ts.
 */
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
  noteUp,
  RC_DOWN,
  RC_NEAREST,
  RC_UP,
  raiseFlag,
  roundingMode,
  roundPack,
  signOf,
  zSe,
  zSig,
} from './float80';

/** Magnitude of the integral value from roundToIntegral, and whether it was rounded up or inexact. */
export let integral: u64 = 0;
let inexact: bool = false;
let upward: bool = false;

/** Rounds a normalised magnitude below 2^64 to an integer under the current mode. */
export function roundToIntegral(sign: u32, sig: u64, exp: i32): void {
  const shift = BIAS + 63 - exp; // fraction bits, >= 0
  let whole: u64;
  let half: bool;
  let sticky: bool;
  if (shift == 0) {
    whole = sig;
    half = false;
    sticky = false;
  } else if (shift < 64) {
    const s = <u64>shift;
    whole = sig >> s;
    half = ((sig >> (s - 1)) & 1) != 0;
    sticky = (sig & (((<u64>1) << (s - 1)) - 1)) != 0;
  } else {
    whole = 0;
    half = shift == 64;
    sticky = shift == 64 ? sig != INTEGER_BIT : true;
  }
  inexact = half || sticky;
  const mode = roundingMode();
  if (mode == RC_NEAREST) upward = half && (sticky || (whole & 1) != 0);
  else upward = inexact && ((mode == RC_DOWN && sign != 0) || (mode == RC_UP && sign == 0));
  integral = whole + u64(upward);
}
export function integralInexact(): bool {
  return inexact;
}
export function integralUp(): bool {
  return upward;
}

export function roundInt(sig: u64, se: u32): void {
  if (handledNan1(sig, se)) return;
  if (isInf(sig, se) || isZero(sig, se)) {
    give(sig, se);
    return;
  }
  noteDenormals(sig, se, 0, 0);
  if (expOf(se) >= BIAS + 63) {
    give(sig, se);
    return;
  }
  normalise(sig, se);
  const sign = signOf(se);
  roundToIntegral(sign, normSig, normExp);
  if (inexact) raiseFlag(EX_PRECISION);
  noteUp(upward);
  if (integral == 0) giveZero(sign);
  else giveInteger(sign, integral);
}

/** An integer magnitude as an 80-bit value (exact). */
export function giveInteger(sign: u32, magnitude: u64): void {
  if (magnitude == 0) {
    giveZero(sign);
    return;
  }
  const shift = <i32>clz(magnitude);
  give(magnitude << (<u64>shift), (sign << 15) | <u32>(BIAS + 63 - shift));
}

/** a * 2^trunc(b). */
export function scale(aSig: u64, aSe: u32, bSig: u64, bSe: u32): void {
  if (handledNan(aSig, aSe, bSig, bSe)) return;
  const sign = signOf(aSe);
  if (isInf(bSig, bSe)) {
    const down = signOf(bSe) != 0;
    if ((down && isInf(aSig, aSe)) || (!down && isZero(aSig, aSe))) {
      invalid();
      return;
    }
    noteDenormals(aSig, aSe, bSig, bSe);
    if (down) giveZero(sign);
    else giveInf(sign);
    return;
  }
  noteDenormals(aSig, aSe, bSig, bSe);
  if (isInf(aSig, aSe) || isZero(aSig, aSe) || isZero(bSig, bSe)) {
    if (isInf(aSig, aSe) || isZero(aSig, aSe)) give(aSig, aSe);
    else {
      normalise(aSig, aSe);
      roundPack(sign, normExp, normSig, 0);
    }
    return;
  }
  normalise(bSig, bSe);
  let by = 0;
  if (normExp >= BIAS + 16) by = 0x10000;
  else if (normExp >= BIAS) by = <i32>(normSig >> <u64>(BIAS + 63 - normExp));
  if (signOf(bSe)) by = -by;
  normalise(aSig, aSe);
  roundPack(sign, normExp + by, normSig, 0);
}

/** FXTRACT: the exponent of a as a value in extractSig/extractSe, the significand as the result. */
export let extractSig: u64 = 0;
export let extractSe: u32 = 0;
function keepExponent(sig: u64, se: u32): void {
  extractSig = sig;
  extractSe = se;
}
export function extract(sig: u64, se: u32): void {
  if (handledNan1(sig, se)) {
    keepExponent(zSig, zSe);
    return;
  }
  const sign = signOf(se);
  if (isInf(sig, se)) {
    keepExponent(INTEGER_BIT, 0x7fff);
    giveInf(sign);
    return;
  }
  if (isZero(sig, se)) {
    raiseFlag(EX_ZERO);
    keepExponent(INTEGER_BIT, 0xffff);
    giveZero(sign);
    return;
  }
  noteDenormals(sig, se, 0, 0);
  normalise(sig, se);
  const exp = normExp - BIAS;
  const significand = normSig;
  giveInteger(u32(exp < 0), <u64>(exp < 0 ? -exp : exp));
  if (exp == 0) giveZero(0);
  keepExponent(zSig, zSe);
  give(significand, (sign << 15) | BIAS);
}

/** Low bits of the quotient of the last remainder, and whether the reduction is incomplete (C2). */
export let remQuotient: u64 = 0;
export let remPartial: bool = false;

/**
 * Remainder of a / b: truncating (FPREM) or to nearest (FPREM1). If the exponents are 64 or more apart, each call reduces by 32 to 63 bits and sets
 * remPartial.
 */
export function remainder(aSig: u64, aSe: u32, bSig: u64, bSe: u32, nearest: bool): void {
  remQuotient = 0;
  remPartial = false;
  if (handledNan(aSig, aSe, bSig, bSe)) return;
  if (isInf(aSig, aSe) || isZero(bSig, bSe)) {
    invalid();
    return;
  }
  noteDenormals(aSig, aSe, bSig, bSe);
  const sign = signOf(aSe);
  if (isZero(aSig, aSe)) {
    give(aSig, aSe);
    return;
  }
  normalise(aSig, aSe);
  let rest = normSig;
  let restExp = normExp;
  if (isInf(bSig, bSe)) {
    roundPack(sign, restExp, rest, 0);
    return;
  }
  normalise(bSig, bSe);
  const divisor = normSig;
  const bExp = normExp;
  const distance = restExp - bExp;
  const least = nearest ? -1 : 0;
  if (distance < least) {
    roundPack(sign, restExp, rest, 0);
    return;
  }
  if (distance >= 64) {
    const n = (distance & 31) | 32;
    reduce(rest, divisor, n);
    remPartial = true;
    remQuotient = 0;
    restExp = bExp + distance - n;
    packRest(sign, restExp, reduced);
    return;
  }
  let negative = sign;
  if (distance < 0) {
    // a < b, and a >= b / 2: to nearest the quotient may be 1.
    if (rest > divisor) {
      remQuotient = 1;
      negative ^= 1;
      // b - a in half units: 2 * divisor - rest fits since rest > divisor.
      packRest(negative, restExp, divisor - (rest - divisor));
    } else {
      roundPack(sign, restExp, rest, 0);
    }
    return;
  }
  reduce(rest, divisor, distance);
  rest = reduced;
  if (nearest) {
    const other = divisor - rest;
    if (rest > other || (rest == other && (remQuotient & 1) != 0)) {
      rest = other;
      negative ^= 1;
      remQuotient++;
    }
  }
  packRest(negative, bExp, rest);
}

let reduced: u64 = 0;
/** (value << n) mod divisor, both normalised, n < 64: `reduced`, and the quotient's low bits in remQuotient. */
function reduce(value: u64, divisor: u64, n: i32): void {
  let rest = value;
  let quotient: u64 = 0;
  if (rest >= divisor) {
    rest -= divisor;
    quotient = 1;
  }
  for (let i = 0; i < n; i++) {
    const carry = rest >> 63;
    rest <<= 1;
    quotient <<= 1;
    if (carry != 0 || rest >= divisor) {
      rest -= divisor;
      quotient |= 1;
    }
  }
  reduced = rest;
  remQuotient = quotient;
}

/** An exact remainder; zero keeps the dividend's sign. */
function packRest(sign: u32, exp: i32, rest: u64): void {
  if (rest == 0) {
    giveZero(sign);
    return;
  }
  const shift = <i32>clz(rest);
  roundPack(sign, exp - shift, rest << (<u64>shift), 0);
}
