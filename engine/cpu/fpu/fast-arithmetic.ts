/**
 * Arithmetic and conversions of normal numbers with a normal result, directly on the 64-bit significands: what nearly all x87 code does. With the
 * precision exception masked they can change only PE and C1. Conventions: float80.ts, which handles everything else.
 *
 * Arithmetic returns the status bits that it sets, PE and C1, or NOT_DONE, having changed nothing, when it cannot handle the case. Widening and
 * narrowing then return false.
 */
import { VCPU_FCW, VCPU_FSW, VCPU_IGNNE } from '../../abi/index';
import { cpu } from '../state';
import { BIAS, EX_PRECISION, INTEGER_BIT, RC_DOWN, RC_ZERO, roundsAway } from './float80';
import { quotient, root, rootExp } from './float80-arithmetic';
import { FSW_C1 } from './registers';
import { leadingZeros, multiply, wideHi, wideLo } from './wide';

/** FCW: rounding to nearest, significands of 64 bits. */
const USUAL_CONTROL: u32 = 0x300;
const CONTROL: u32 = 0xf00;
/** Largest biased exponent of a normal number. */
const EXP_NORMAL: u32 = 0x7ffe;

export const NOT_DONE: i32 = -1;

@inline
export function isNormal(sig: u64, se: u32): bool {
  return sig >> 63 != 0 && (se & 0x7fff) - 1 < EXP_NORMAL;
}
@inline
function signOfSe(se: u32): u32 {
  return (se >> 15) & 1;
}

/** Status bits of a result that is inexact, or was rounded up. */
@inline
export function statusOf(inexact: bool, up: bool): u32 {
  return (inexact ? EX_PRECISION : 0) | (up ? FSW_C1 : 0);
}
/** Ends an operation that raised nothing or PE: adds its bits to the status word. */
@inline
export function endInexact(bits: u32): void {
  const c = cpu;
  store<u16>(c, <u16>((<u32>load<u16>(c, VCPU_FSW) & ~FSW_C1) | bits), VCPU_FSW);
  store<u32>(c, 0, VCPU_IGNNE);
}

/** Rounds +-hi.lo * 2^(exp - BIAS - 63), hi with its top bit set, into the register at `to`. */
function finish(to: usize, sign: u32, exp: i32, hi: u64, lo: u64): i32 {
  if (exp < 1) return NOT_DONE;
  const control = <u32>load<u16>(cpu, VCPU_FCW) & CONTROL;
  let mask: u64 = 0;
  let up: bool;
  if (control == USUAL_CONTROL) {
    up = lo > INTEGER_BIT || (lo == INTEGER_BIT && (hi & 1) != 0);
  } else {
    const precision = (control >> 8) & 3;
    const drop = precision == 0 ? 40 : precision == 2 ? 11 : 0;
    mask = ((<u64>1) << (<u64>drop)) - 1;
    up = roundsAway(control >> 10, sign, hi, lo, drop);
  }
  const inexact = ((hi & mask) | lo) != 0;
  let sig = hi & ~mask;
  if (up) {
    sig += mask + 1;
    if (sig == 0) {
      sig = INTEGER_BIT;
      exp++;
    }
  }
  if (<u32>exp > EXP_NORMAL) return NOT_DONE;
  store<u64>(to, sig);
  store<u16>(to, <u16>((sign << 15) | <u32>exp), 8);
  return <i32>statusOf(inexact, up);
}

function zero(to: usize, sign: u32): i32 {
  store<u64>(to, 0);
  store<u16>(to, <u16>(sign << 15), 8);
  return 0;
}

/** a + b of normal numbers. */
function add(to: usize, aSig: u64, aSe: u32, bSig: u64, bSe: u32): i32 {
  let exp = <i32>(aSe & 0x7fff);
  let distance = exp - <i32>(bSe & 0x7fff);
  let sign = signOfSe(aSe);
  if (distance < 0 || (distance == 0 && aSig < bSig)) {
    exp -= distance;
    distance = -distance;
    sign = signOfSe(bSe);
    const sig = aSig;
    aSig = bSig;
    bSig = sig;
  }
  let lo: u64 = 0;
  if (distance >= 64) {
    const far = <u64>(distance - 64);
    lo = far == 0 ? bSig : far < 64 ? (bSig >> far) | u64(bSig << (64 - far) != 0) : 1;
    bSig = 0;
  } else if (distance > 0) {
    lo = bSig << (64 - <u64>distance);
    bSig >>= <u64>distance;
  }
  if (!((aSe ^ bSe) & 0x8000)) {
    let sum = aSig + bSig;
    if (sum < aSig) {
      lo = (sum << 63) | (lo >> 1) | (lo & 1);
      sum = (sum >> 1) | INTEGER_BIT;
      exp++;
    }
    return finish(to, sign, exp, sum, lo);
  }
  let hi = aSig - bSig - u64(lo != 0);
  lo = 0 - lo;
  if (<i64>hi >= 0) {
    if ((hi | lo) == 0) return zero(to, u32((<u32>load<u16>(cpu, VCPU_FCW) & CONTROL) >> 10 == RC_DOWN));
    const shift = leadingZeros(hi, lo);
    exp -= shift;
    if (shift < 64) {
      hi = (hi << (<u64>shift)) | (lo >> <u64>(64 - shift));
      lo <<= <u64>shift;
    } else {
      hi = lo << (<u64>(shift - 64));
      lo = 0;
    }
  }
  return finish(to, sign, exp, hi, lo);
}

function mul(to: usize, aSig: u64, aSe: u32, bSig: u64, bSe: u32): i32 {
  multiply(aSig, bSig);
  let hi = wideHi;
  let lo = wideLo;
  let exp = <i32>(aSe & 0x7fff) + <i32>(bSe & 0x7fff) - BIAS + 1;
  if (<i64>hi >= 0) {
    hi = (hi << 1) | (lo >> 63);
    lo <<= 1;
    exp--;
  }
  return finish(to, signOfSe(aSe ^ bSe), exp, hi, lo);
}

function div(to: usize, aSig: u64, aSe: u32, bSig: u64, bSe: u32): i32 {
  let exp = <i32>(aSe & 0x7fff) - <i32>(bSe & 0x7fff) + BIAS - 1;
  let low: u64 = 0;
  if (aSig >= bSig) {
    exp++;
    low = aSig << 63;
    aSig >>= 1;
  }
  quotient(aSig, low, bSig);
  return finish(to, signOfSe(aSe ^ bSe), exp, wideHi, wideLo);
}

function isZero(sig: u64, se: u32): bool {
  return (sig | <u64>(se & 0x7fff)) == 0;
}
/** op 0 a + b, 1 a * b, 6 a / b, where one operand is zero and the other is normal. Zero is never the divisor. */
function withZero(op: u32, to: usize, aSig: u64, aSe: u32, bSig: u64, bSe: u32): i32 {
  const first = isZero(aSig, aSe);
  if (!isNormal(first ? bSig : aSig, first ? bSe : aSe) || !(first || isZero(bSig, bSe))) return NOT_DONE;
  if (op == 1 || (op == 6 && first)) return zero(to, signOfSe(aSe ^ bSe));
  if (op == 6) return NOT_DONE;
  return first ? finish(to, signOfSe(bSe), <i32>(bSe & 0x7fff), bSig, 0) : finish(to, signOfSe(aSe), <i32>(aSe & 0x7fff), aSig, 0);
}

/** a + b, to the register at `to`. */
export function addNormal(to: usize, aSig: u64, aSe: u32, bSig: u64, bSe: u32): i32 {
  return isNormal(aSig, aSe) && isNormal(bSig, bSe) ? add(to, aSig, aSe, bSig, bSe) : withZero(0, to, aSig, aSe, bSig, bSe);
}
/** a * b. */
export function multiplyNormal(to: usize, aSig: u64, aSe: u32, bSig: u64, bSe: u32): i32 {
  return isNormal(aSig, aSe) && isNormal(bSig, bSe) ? mul(to, aSig, aSe, bSig, bSe) : withZero(1, to, aSig, aSe, bSig, bSe);
}
/** a / b. */
export function divideNormal(to: usize, aSig: u64, aSe: u32, bSig: u64, bSe: u32): i32 {
  return isNormal(aSig, aSe) && isNormal(bSig, bSe) ? div(to, aSig, aSe, bSig, bSe) : withZero(6, to, aSig, aSe, bSig, bSe);
}

/** op 0 a + b, 1 a * b, 4 a - b, 5 b - a, 6 a / b, 7 b / a. */
export function arithmeticNormal(op: u32, to: usize, aSig: u64, aSe: u32, bSig: u64, bSe: u32): i32 {
  switch (op) {
    case 0:
      return addNormal(to, aSig, aSe, bSig, bSe);
    case 1:
      return multiplyNormal(to, aSig, aSe, bSig, bSe);
    case 4:
      return addNormal(to, aSig, aSe, bSig, bSe ^ 0x8000);
    case 5:
      return addNormal(to, bSig, bSe, aSig, aSe ^ 0x8000);
    case 6:
      return divideNormal(to, aSig, aSe, bSig, bSe);
    default:
      return divideNormal(to, bSig, bSe, aSig, aSe);
  }
}

/** For a positive number. */
export function rootNormal(to: usize, sig: u64, se: u32): i32 {
  if (se & 0x8000 || !isNormal(sig, se)) return NOT_DONE;
  root(sig, <i32>se);
  return finish(to, 0, rootExp(<i32>se), wideHi, wideLo);
}

/** A normal number or zero. */
@inline
function isOrdinary(sig: u64, se: u32): bool {
  return isNormal(sig, se) || (sig == 0 && (se & 0x7fff) == 0);
}

/** Relation of a to b: 0 equal, 1 greater, 2 less; -1: not handled here. */
export function compareNormal(aSig: u64, aSe: u32, bSig: u64, bSe: u32): i32 {
  if (!isOrdinary(aSig, aSe) || !isOrdinary(bSig, bSe)) return -1;
  if ((aSig | bSig) == 0) return 0;
  if ((aSe ^ bSe) & 0x8000) return aSe & 0x8000 ? 2 : 1;
  if (aSe == bSe && aSig == bSig) return 0;
  const larger = aSe > bSe || (aSe == bSe && aSig > bSig);
  return larger != ((aSe & 0x8000) != 0) ? 1 : 2;
}

/** The result of widening. */
export let wideSig: u64 = 0;
export let wideSe: u32 = 0;

/** A normal single or zero as an 80-bit value. */
export function widenSingle(bits: u32): bool {
  const exp = (bits >> 23) & 0xff;
  wideSe = (bits >> 16) & 0x8000;
  wideSig = 0;
  if (bits << 1 == 0) return true;
  if (exp - 1 >= 0xfe) return false;
  wideSe |= exp + (<u32>BIAS - 127);
  wideSig = INTEGER_BIT | (((<u64>bits) << 40) & (INTEGER_BIT - 1));
  return true;
}
/** A normal double or zero. */
export function widenDouble(bits: u64): bool {
  const exp = <u32>(bits >> 52) & 0x7ff;
  wideSe = <u32>(bits >> 48) & 0x8000;
  wideSig = 0;
  if (bits << 1 == 0) return true;
  if (exp - 1 >= 0x7fe) return false;
  wideSe |= exp + (<u32>BIAS - 1023);
  wideSig = INTEGER_BIT | ((bits << 11) & (INTEGER_BIT - 1));
  return true;
}
export function widenInteger(value: i64): void {
  wideSe = 0;
  wideSig = 0;
  if (value == 0) return;
  const magnitude = <u64>(value < 0 ? -value : value);
  const shift = clz(magnitude);
  wideSig = magnitude << shift;
  wideSe = (value < 0 ? 0x8000 : 0) | (<u32>BIAS + 63 - <u32>shift);
}

/** The result of narrowing, to be stored, and how it was rounded. */
export let narrowed: u64 = 0;
export let narrowedInexact: bool = false;
export let narrowedUp: bool = false;

@inline
function roundingControl(): u32 {
  return (<u32>load<u16>(cpu, VCPU_FCW) >> 10) & 3;
}

/** To a float with a fraction of `fraction` bits and exponents up to `expMax`. Handles normal numbers and zero. */
function narrowFloat(sig: u64, se: u32, fraction: u32, expMax: i32): bool {
  const sign = signOfSe(se);
  narrowedInexact = false;
  narrowedUp = false;
  narrowed = 0;
  if (isNormal(sig, se)) {
    let exp = <i32>(se & 0x7fff) - BIAS + (expMax >> 1);
    if (exp < 1) return false;
    const rest = sig << (<u64>(fraction + 1));
    let kept = sig >> <u64>(63 - fraction);
    narrowedInexact = rest != 0;
    if (roundsAway(roundingControl(), sign, kept, rest, 0)) {
      narrowedUp = true;
      kept++;
      if (kept >> <u64>(fraction + 1) != 0) {
        kept >>= 1;
        exp++;
      }
    }
    if (exp >= expMax) return false;
    narrowed = ((<u64>exp) << (<u64>fraction)) + (kept ^ ((<u64>1) << (<u64>fraction)));
  } else if (sig != 0 || (se & 0x7fff) != 0) return false;
  narrowed |= (<u64>sign) << (fraction == 23 ? 31 : 63);
  return true;
}
export function narrowSingle(sig: u64, se: u32): bool {
  return narrowFloat(sig, se, 23, 0xff);
}
export function narrowDouble(sig: u64, se: u32): bool {
  return narrowFloat(sig, se, 52, 0x7ff);
}

/** To a signed integer of `bits` bits (`chop`: towards zero). Handles numbers whose magnitude is 1 or more, and zero. */
export function narrowInteger(sig: u64, se: u32, bits: u32, chop: bool): bool {
  narrowedInexact = false;
  narrowedUp = false;
  narrowed = 0;
  const sign = signOfSe(se);
  if (!isNormal(sig, se)) return sig == 0 && (se & 0x7fff) == 0;
  const magnitude = <i32>(se & 0x7fff) - BIAS;
  if (<u32>magnitude > bits - 2) return false;
  const rest = sig << (<u64>(magnitude + 1));
  let whole = sig >> <u64>(63 - magnitude);
  narrowedInexact = rest != 0;
  if (roundsAway(chop ? RC_ZERO : roundingControl(), sign, whole, rest, 0)) {
    narrowedUp = true;
    whole++;
    if (whole >> <u64>(bits - 1) != 0) return false;
  }
  narrowed = sign ? 0 - whole : whole;
  return true;
}
