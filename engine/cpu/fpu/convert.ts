/**
 * Conversions between the 80-bit format and memory formats: single, double, integers, packed BCD. SDM 1 4.2, 4.7, 8.1.
 */
import {
  BIAS,
  EX_INVALID,
  EX_OVERFLOW,
  EX_PRECISION,
  EX_UNDERFLOW,
  give,
  giveZero,
  INTEGER_BIT,
  isInf,
  isNan,
  isSignalling,
  isUnmasked,
  isUnsupported,
  isZero,
  normalise,
  normExp,
  normSig,
  noteNarrowDenormal,
  noteUp,
  RC_DOWN,
  RC_NEAREST,
  RC_UP,
  raiseFlag,
  roundingMode,
  signOf,
} from './float80';
import { giveInteger, integral, integralInexact, integralUp, roundToIntegral } from './float80-integral';

/**
 * A narrow float (`fracBits` 23 or 52, `expBits` 8 or 11) as an 80-bit value, exactly. Signalling NaNs stay signalling; a denormal is recorded and
 * counts as a denormal operand of the operation.
 */
function widen(bits: u64, fracBits: u32, expBits: u32): void {
  const sign = <u32>(bits >> <u64>(fracBits + expBits)) & 1;
  const expMax = (1 << expBits) - 1;
  const exp = <u32>(bits >> <u64>fracBits) & expMax;
  const frac = bits & (((<u64>1) << (<u64>fracBits)) - 1);
  const bias = <i32>(expMax >> 1);
  if (exp == expMax) {
    give(INTEGER_BIT | (frac << (<u64>(63 - fracBits))), (sign << 15) | 0x7fff);
  } else if (exp != 0) {
    give(INTEGER_BIT | (frac << (<u64>(63 - fracBits))), (sign << 15) | <u32>(<i32>exp - bias + BIAS));
  } else if (frac == 0) {
    giveZero(sign);
  } else {
    const shift = <i32>clz(frac);
    noteNarrowDenormal();
    give(frac << (<u64>shift), (sign << 15) | <u32>(BIAS - bias + 1 - (shift - <i32>(63 - fracBits))));
  }
}

export function fromSingle(bits: u32): void {
  widen(bits, 23, 8);
}
export function fromDouble(bits: u64): void {
  widen(bits, 52, 11);
}
export function fromInteger(value: i64): void {
  giveInteger(u32(value < 0), <u64>(value < 0 ? -value : value));
}

/** Result of the conversions to memory formats. */
export let narrow: u64 = 0;
/** The value was tiny (below the narrow format's normal range after rounding), exact or not. */
export let narrowTiny: bool = false;
/** The last value had bits below the format's precision (whatever its range). */
export let narrowLossy: bool = false;

/** Rounds to a narrow float in `narrow`. With an unmasked exception the caller does not store it. */
function pack(sig: u64, se: u32, fracBits: u32, expBits: u32): void {
  const sign = (<u64>signOf(se)) << (<u64>(fracBits + expBits));
  const expMax = (1 << expBits) - 1;
  const infinity = (<u64>expMax) << (<u64>fracBits);
  narrowTiny = false;
  narrowLossy = false;
  if (isUnsupported(sig, se)) {
    raiseFlag(EX_INVALID);
    narrow = ((<u64>1) << (<u64>(fracBits + expBits))) | infinity | ((<u64>1) << (<u64>(fracBits - 1)));
    return;
  }
  if (isNan(sig, se)) {
    if (isSignalling(sig, se)) raiseFlag(EX_INVALID);
    narrow = sign | infinity | ((<u64>1) << (<u64>(fracBits - 1))) | ((sig & ~INTEGER_BIT) >> <u64>(63 - fracBits));
    return;
  }
  if (isInf(sig, se) || isZero(sig, se)) {
    narrow = sign | (isInf(sig, se) ? infinity : 0);
    return;
  }
  normalise(sig, se);
  packFinite(signOf(se), normExp - BIAS + <i32>(expMax >> 1), normSig, fracBits, expMax);
  narrow |= sign;
}

/** Does cutting the `drop` low bits (1..64) of sig round away from zero? `sticky`: bits below are set. */
function narrowUp(sign: u32, sig: u64, drop: u32, sticky: bool): bool {
  const mode = roundingMode();
  const rest = drop == 64 ? sig : sig & (((<u64>1) << (<u64>drop)) - 1);
  const some = rest != 0 || sticky;
  if (mode != RC_NEAREST) return some && ((mode == RC_DOWN && sign != 0) || (mode == RC_UP && sign == 0));
  const half = (<u64>1) << (<u64>(drop - 1));
  const odd = drop != 64 && ((sig >> <u64>drop) & 1) != 0;
  return rest > half || (rest == half && (sticky || odd));
}

function packFinite(sign: u32, exp: i32, sig: u64, fracBits: u32, expMax: i32): void {
  const drop = 63 - fracBits;
  const mask = ((<u64>1) << (<u64>drop)) - 1;
  narrowLossy = (sig & mask) != 0;
  if (exp <= 0) {
    packDenormal(sign, exp, sig, drop, mask);
    return;
  }
  const up = narrowUp(sign, sig, drop, false);
  let kept = sig >> <u64>drop;
  if (up) kept++;
  if (kept >> <u64>(fracBits + 1) != 0) {
    kept >>= 1;
    exp++;
  }
  noteUp(up);
  if (exp >= expMax) {
    overflow(sign, fracBits, expMax);
    return;
  }
  if (sig & mask) raiseFlag(EX_PRECISION);
  narrow = ((<u64>exp) << (<u64>fracBits)) | (kept & (((<u64>1) << (<u64>fracBits)) - 1));
}

function overflow(sign: u32, fracBits: u32, expMax: i32): void {
  const mode = roundingMode();
  const toInf = mode == RC_NEAREST || (mode == RC_DOWN && sign != 0) || (mode == RC_UP && sign == 0);
  raiseFlag(isUnmasked(EX_OVERFLOW) ? EX_OVERFLOW : EX_OVERFLOW | EX_PRECISION);
  noteUp(toInf);
  narrow = toInf ? (<u64>expMax) << (<u64>fracBits) : ((<u64>expMax) << (<u64>fracBits)) - 1;
}

function packDenormal(sign: u32, exp: i32, sig: u64, drop: u32, mask: u64): void {
  // Tiny unless rounding with an unbounded exponent would carry into the normal range.
  const carries = exp == 0 && narrowUp(sign, sig, drop, false) && (sig | mask) == <u64>-1;
  narrowTiny = !carries;
  const shift = 1 - exp;
  const cut = shift + <i32>drop;
  const exact = cut < 64 ? (sig & (((<u64>1) << (<u64>cut)) - 1)) == 0 : false;
  let kept: u64 = 0;
  let up: bool;
  if (cut < 64) {
    up = narrowUp(sign, sig, cut, false);
    kept = sig >> <u64>cut;
  } else if (cut == 64) {
    up = narrowUp(sign, sig, 64, false);
  } else {
    const mode = roundingMode();
    up = (mode == RC_DOWN && sign != 0) || (mode == RC_UP && sign == 0);
  }
  if (up) kept++;
  noteUp(up);
  if (!carries && isUnmasked(EX_UNDERFLOW))
    raiseFlag(EX_UNDERFLOW); // nothing is stored, so nothing is inexact
  else if (!exact) raiseFlag(carries ? EX_PRECISION : EX_PRECISION | EX_UNDERFLOW);
  narrow = kept; // a carry into bit fracBits is exponent 1: the smallest normal number
}

export function toSingle(sig: u64, se: u32): void {
  pack(sig, se, 23, 8);
}
export function toDouble(sig: u64, se: u32): void {
  pack(sig, se, 52, 11);
}

/** To a signed integer of `bits` bits under the current rounding mode; out of range: #IA and the integer indefinite. */
export function toInteger(sig: u64, se: u32, bits: u32): void {
  const indefinite = (<u64>1) << (<u64>(bits - 1));
  const sign = signOf(se);
  if (isUnsupported(sig, se) || isNan(sig, se) || isInf(sig, se)) {
    raiseFlag(EX_INVALID);
    narrow = indefinite;
    return;
  }
  if (isZero(sig, se)) {
    narrow = 0;
    return;
  }
  normalise(sig, se);
  if (normExp >= BIAS + 64) {
    raiseFlag(EX_INVALID);
    narrow = indefinite;
    return;
  }
  roundToIntegral(sign, normSig, normExp);
  if (integral > indefinite - (sign ? 0 : 1)) {
    raiseFlag(EX_INVALID);
    narrow = indefinite;
    return;
  }
  if (integralInexact()) raiseFlag(EX_PRECISION);
  noteUp(integralUp());
  narrow = sign ? <u64>0 - integral : integral;
}

/** Packed BCD: 18 digits in bcdLow (16 of them) and the low byte of bcdHigh, the sign in its bit 15. */
export let bcdLow: u64 = 0;
export let bcdHigh: u32 = 0;
const BCD_LIMIT: u64 = 1000000000000000000;

export function toBcd(sig: u64, se: u32): void {
  const sign = signOf(se);
  let magnitude: u64 = 0;
  let bad = isUnsupported(sig, se) || isNan(sig, se) || isInf(sig, se);
  if (!bad && !isZero(sig, se)) {
    normalise(sig, se);
    if (normExp >= BIAS + 64) {
      bad = true;
    } else {
      roundToIntegral(sign, normSig, normExp);
      magnitude = integral;
      bad = magnitude >= BCD_LIMIT;
      if (!bad) {
        if (integralInexact()) raiseFlag(EX_PRECISION);
        noteUp(integralUp());
      }
    }
  }
  if (bad) {
    raiseFlag(EX_INVALID);
    bcdLow = 0xc000000000000000;
    bcdHigh = 0xffff;
    return;
  }
  bcdLow = 0;
  for (let i: u64 = 0; i < 64; i += 4) {
    bcdLow |= (magnitude % 10) << i;
    magnitude /= 10;
  }
  bcdHigh = <u32>(magnitude % 10) | ((<u32>(magnitude / 10)) << 4) | (sign << 15);
}

/** Digits above 9 give an unspecified value, as the manual allows. */
export function fromBcd(low: u64, high: u32): void {
  let magnitude = <u64>((high >> 4) & 15) * 10 + <u64>(high & 15);
  for (let i = 60; i >= 0; i -= 4) magnitude = magnitude * 10 + ((low >> <u64>i) & 15);
  giveInteger((high >> 15) & 1, magnitude);
}
