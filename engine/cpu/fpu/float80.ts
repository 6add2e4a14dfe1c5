/**
 * The x87's 80-bit extended format in software: kinds of values, NaNs, rounding control, precision control and exceptions, bit-exact.
 * SDM 1 chapter 8 (formats 8.2, NaNs 4.8.3, rounding 4.8.4, exceptions 8.5).
 *
 * A value is a pair: significand u64 with explicit integer bit, and sign << 15 | biased exponent. Operations take pairs and leave their
 * result in zSig and zSe; exceptions accumulate in `raised`. The caller decides from the masks whether the result is stored.
 * The operations: float80-arithmetic.ts, float80-integral.ts.
 */
import { shiftRightSticky, wideHi, wideLo } from './wide';

export const EX_INVALID: u32 = 1;
export const EX_DENORMAL: u32 = 2;
export const EX_ZERO: u32 = 4;
export const EX_OVERFLOW: u32 = 8;
export const EX_UNDERFLOW: u32 = 16;
export const EX_PRECISION: u32 = 32;
/** Exceptions found before the operation: unmasked, they leave the destination alone. */
export const EX_BEFORE: u32 = 7;

export const BIAS: i32 = 16383;
export const EXP_MAX: i32 = 0x7fff;
export const INTEGER_BIT: u64 = 0x8000000000000000;
const QUIET_BIT: u64 = 0x4000000000000000;
/** The "QNaN floating-point indefinite" of the manual. */
export const INDEFINITE_SIG: u64 = 0xc000000000000000;
export const INDEFINITE_SE: u32 = 0xffff;
/** Exponent adjustment of unmasked overflow and underflow. */
const WRAP: i32 = 24576;

export const RC_NEAREST: u32 = 0;
export const RC_DOWN: u32 = 1;
export const RC_UP: u32 = 2;
export const RC_ZERO: u32 = 3;

export let zSig: u64 = 0;
export let zSe: u32 = 0;
export let raised: u32 = 0;
/** The last rounding increased the magnitude (C1). */
export let roundedUp: bool = false;
/** A memory operand was a denormal in its own format: counts as a denormal operand. */
let narrowDenormal: bool = false;
let rounding: u32 = 0;
let masks: u32 = 0x3f;
/** Significand bits dropped by precision control: 40, 11 or 0. */
let dropBits: i32 = 0;

/** Starts an operation under a control word. `controlled`: the operation obeys precision control (add, sub, mul, div, sqrt). */
export function begin(controlWord: u32, controlled: bool): void {
  rounding = (controlWord >> 10) & 3;
  masks = controlWord & 0x3f;
  const precision = (controlWord >> 8) & 3;
  dropBits = !controlled || precision == 3 || precision == 1 ? 0 : precision == 0 ? 40 : 11;
  raised = 0;
  roundedUp = false;
  narrowDenormal = false;
}
export function roundingMode(): u32 {
  return rounding;
}
export function setRounding(mode: u32): void {
  rounding = mode;
}
export function raiseFlag(flag: u32): void {
  raised |= flag;
}
export function noteUp(up: bool): void {
  roundedUp = up;
}
export function noteNarrowDenormal(): void {
  narrowDenormal = true;
}
export function isUnmasked(flag: u32): bool {
  return (flag & ~masks) != 0;
}

@inline
export function expOf(se: u32): i32 {
  return <i32>(se & 0x7fff);
}
@inline
export function signOf(se: u32): u32 {
  return (se >> 15) & 1;
}
@inline
export function isZero(sig: u64, se: u32): bool {
  return sig == 0 && (se & 0x7fff) == 0;
}
@inline
export function isInf(sig: u64, se: u32): bool {
  return (se & 0x7fff) == 0x7fff && sig == INTEGER_BIT;
}
@inline
export function isNan(sig: u64, se: u32): bool {
  return (se & 0x7fff) == 0x7fff && sig > INTEGER_BIT;
}
@inline
export function isSignalling(sig: u64, se: u32): bool {
  return isNan(sig, se) && (sig & QUIET_BIT) == 0;
}
/** Encodings that no operation accepts: unnormals, pseudo-infinities and pseudo-NaNs (SDM 1 table 8-3). */
@inline
export function isUnsupported(sig: u64, se: u32): bool {
  return (se & 0x7fff) != 0 && sig < INTEGER_BIT;
}
@inline
export function isDenormal(sig: u64, se: u32): bool {
  return (se & 0x7fff) == 0 && sig != 0;
}

export function give(sig: u64, se: u32): void {
  zSig = sig;
  zSe = se;
}
export function giveZero(sign: u32): void {
  give(0, sign << 15);
}
export function giveInf(sign: u32): void {
  give(INTEGER_BIT, (sign << 15) | 0x7fff);
}
export function invalid(): void {
  raised |= EX_INVALID;
  give(INDEFINITE_SIG, INDEFINITE_SE);
}

/** NaN or unsupported operand: sets the result and returns true (SDM 1 table 4-7). */
export function handledNan(aSig: u64, aSe: u32, bSig: u64, bSe: u32): bool {
  if (isUnsupported(aSig, aSe) || isUnsupported(bSig, bSe)) {
    invalid();
    return true;
  }
  const aNan = isNan(aSig, aSe);
  const bNan = isNan(bSig, bSe);
  if (!aNan && !bNan) return false;
  const aSnan = isSignalling(aSig, aSe);
  const bSnan = isSignalling(bSig, bSe);
  if (aSnan || bSnan) raised |= EX_INVALID;
  let takeA = aNan;
  if (aNan && bNan) {
    if (aSnan != bSnan) takeA = bSnan;
    else if (aSig != bSig) takeA = aSig > bSig;
    else takeA = signOf(aSe) == 0;
  }
  if (takeA) give(aSig | QUIET_BIT, aSe);
  else give(bSig | QUIET_BIT, bSe);
  return true;
}

/** The same for one operand. */
export function handledNan1(sig: u64, se: u32): bool {
  return handledNan(sig, se, 0, 0);
}

export function noteDenormals(aSig: u64, aSe: u32, bSig: u64, bSe: u32): void {
  if (narrowDenormal || isDenormal(aSig, aSe) || isDenormal(bSig, bSe)) raised |= EX_DENORMAL;
}

/** Normal form of a finite, nonzero operand: significand with the integer bit, exponent possibly below 1. */
export let normSig: u64 = 0;
export let normExp: i32 = 0;
export function normalise(sig: u64, se: u32): void {
  const shift = <i32>clz(sig);
  const exp = expOf(se);
  normSig = sig << (<u64>shift);
  normExp = (exp == 0 ? 1 : exp) - shift;
}

/** Does rounding hi.lo, with `drop` bits of hi cut, go away from zero under the rounding mode RC_*? */
export function roundsAway(mode: u32, sign: u32, hi: u64, lo: u64, drop: i32): bool {
  if (mode == RC_ZERO) return false;
  let above: bool;
  let tie: bool;
  if (drop == 0) {
    if (mode != RC_NEAREST) return lo != 0 && (mode == RC_DOWN) == (sign != 0);
    above = lo > INTEGER_BIT;
    tie = lo == INTEGER_BIT;
    return above || (tie && (hi & 1) != 0);
  }
  const mask = ((<u64>1) << (<u64>drop)) - 1;
  const rest = hi & mask;
  if (mode != RC_NEAREST) return (rest | lo) != 0 && (mode == RC_DOWN) == (sign != 0);
  const half = (<u64>1) << (<u64>(drop - 1));
  above = rest > half || (rest == half && lo != 0);
  tie = rest == half && lo == 0;
  return above || (tie && (hi & (mask + 1)) != 0);
}

/** The same under the operation's mode. */
function roundsUp(sign: u32, hi: u64, lo: u64, drop: i32): bool {
  return roundsAway(rounding, sign, hi, lo, drop);
}

/**
 * Rounds +-hi.lo * 2^(exp - BIAS - 63), hi with its top bit set, to the current precision and range.
 * Tininess is detected after rounding.
 */
export function roundPack(sign: u32, exp: i32, hi: u64, lo: u64): void {
  const mask = ((<u64>1) << (<u64>dropBits)) - 1;
  if (exp <= 0) {
    const up = roundsUp(sign, hi, lo, dropBits);
    const tiny = exp < 0 || !up || (hi | mask) != <u64>-1;
    if (!tiny || masks & EX_UNDERFLOW) {
      roundDenormal(sign, exp, hi, lo, mask, tiny);
      return;
    }
    raised |= EX_UNDERFLOW;
    exp += WRAP;
    if (exp <= 0) {
      // Only FSCALE goes this far out of range.
      raised |= EX_PRECISION;
      giveZero(sign);
      return;
    }
  }
  const up = roundsUp(sign, hi, lo, dropBits);
  const inexact = ((hi & mask) | lo) != 0;
  let sig = hi & ~mask;
  if (up) {
    sig += mask + 1;
    if (sig == 0) {
      sig = INTEGER_BIT;
      exp++;
    }
  }
  if (exp >= EXP_MAX) {
    if (masks & EX_OVERFLOW) {
      giveOverflow(sign, mask);
      return;
    }
    raised |= EX_OVERFLOW;
    exp -= WRAP;
    if (exp >= EXP_MAX) {
      raised |= EX_PRECISION;
      roundedUp = true;
      giveInf(sign);
      return;
    }
  }
  if (inexact) raised |= EX_PRECISION;
  roundedUp = up;
  give(sig, (sign << 15) | <u32>exp);
}

function roundDenormal(sign: u32, exp: i32, hi: u64, lo: u64, mask: u64, tiny: bool): void {
  shiftRightSticky(hi, lo, 1 - exp);
  const sh = wideHi;
  const sl = wideLo;
  const up = roundsUp(sign, sh, sl, dropBits);
  const inexact = ((sh & mask) | sl) != 0;
  const sig = (sh & ~mask) + (up ? mask + 1 : 0);
  if (inexact) raised |= tiny ? EX_PRECISION | EX_UNDERFLOW : EX_PRECISION;
  roundedUp = up;
  give(sig, (sign << 15) | (sig >= INTEGER_BIT ? 1 : 0));
}

function giveOverflow(sign: u32, mask: u64): void {
  raised |= EX_OVERFLOW | EX_PRECISION;
  const toInf = rounding == RC_NEAREST || (rounding == RC_DOWN && sign != 0) || (rounding == RC_UP && sign == 0);
  roundedUp = toInf;
  if (toInf) giveInf(sign);
  else give(~mask, (sign << 15) | 0x7ffe);
}

/** Raises the denormal exception if the memory operand was one in its own format (loads). */
export function raiseNarrow(): void {
  if (narrowDenormal) raised |= EX_DENORMAL;
}
