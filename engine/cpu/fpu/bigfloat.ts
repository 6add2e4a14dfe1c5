/**
 * Floating point with a 128-bit significand, for the internal precision of the x87's transcendental instructions. A number is a slot of 32 bytes in
 * core memory: sign u32, exponent i32, low u64, high u64; value = (-1)^sign * high.low / 2^127 * 2^exponent, high with its top bit set; zero has high
 * = low = 0. Operations truncate: relative error below 2^-125 each. Exponents do not overflow in practice.
 */

import { VCPU_BIGFLOAT } from '../../abi/index';
import { cpu } from '../state';
import { BIAS, INTEGER_BIT, normalise, normExp, normSig, roundPack, signOf } from './float80';
import { leadingZeros, multiply, shiftLeft, shiftRightSticky, subtract, wideHi, wideLo } from './wide';

@inline
export function slot(n: usize): usize {
  return cpu + VCPU_BIGFLOAT + (n << 5);
}

@inline
function signAt(p: usize): u32 {
  return load<u32>(p);
}
@inline
function expAt(p: usize): i32 {
  return load<i32>(p, 4);
}
@inline
function lowAt(p: usize): u64 {
  return load<u64>(p, 8);
}
@inline
function highAt(p: usize): u64 {
  return load<u64>(p, 16);
}

/** Stores hi:lo (any alignment, maybe zero) * 2^(exp - 127). */
export function setBig(to: usize, sign: u32, exp: i32, hi: u64, lo: u64): void {
  const shift = (hi | lo) == 0 ? 0 : leadingZeros(hi, lo);
  shiftLeft(hi, lo, shift);
  store<u32>(to, sign);
  store<i32>(to, exp - shift, 4);
  store<u64>(to, wideLo, 8);
  store<u64>(to, wideHi, 16);
}

export function copyBig(to: usize, from: usize): void {
  memory.copy(to, from, 32);
}

export function setInteger(to: usize, value: i32): void {
  setBig(to, u32(value < 0), 63, <u64>(value < 0 ? -(<i64>value) : <i64>value), 0);
}

/** From a finite 80-bit value other than zero. */
export function setFrom80(to: usize, sig: u64, se: u32): void {
  normalise(sig, se);
  setBig(to, signOf(se), normExp - BIAS, normSig, 0);
}

export function isBigZero(p: usize): bool {
  return highAt(p) == 0;
}
export function bigSign(p: usize): u32 {
  return signAt(p);
}
export function setSign(p: usize, sign: u32): void {
  store<u32>(p, sign);
}
export function bigExp(p: usize): i32 {
  return expAt(p);
}
export function addExp(p: usize, by: i32): void {
  store<i32>(p, expAt(p) + by, 4);
}

/** Compares magnitudes of nonzero numbers: a < b. */
export function isLess(a: usize, b: usize): bool {
  if (expAt(a) != expAt(b)) return expAt(a) < expAt(b);
  if (highAt(a) != highAt(b)) return highAt(a) < highAt(b);
  return lowAt(a) < lowAt(b);
}

export function mulBig(to: usize, a: usize, b: usize): void {
  const sign = signAt(a) ^ signAt(b);
  const exp = expAt(a) + expAt(b);
  if (isBigZero(a) || isBigZero(b)) {
    setBig(to, sign, 0, 0, 0);
    return;
  }
  multiply(highAt(a), lowAt(b));
  const cross1 = wideHi;
  multiply(lowAt(a), highAt(b));
  const cross2 = wideHi;
  multiply(highAt(a), highAt(b));
  let lo = wideLo + cross1;
  let hi = wideHi + u64(lo < cross1);
  lo += cross2;
  hi += u64(lo < cross2);
  setBig(to, sign, exp + 1, hi, lo);
}

/** a + b. */
export function addBig(to: usize, a: usize, b: usize): void {
  if (isBigZero(a) || isBigZero(b)) {
    copyBig(to, isBigZero(a) ? b : a);
    return;
  }
  if (isLess(a, b)) {
    addBig(to, b, a);
    return;
  }
  const exp = expAt(a);
  const sign = signAt(a);
  const hi = highAt(a);
  const lo = lowAt(a);
  shiftRightSticky(highAt(b), lowAt(b), exp - expAt(b));
  if (sign != signAt(b)) {
    subtract(hi, lo, wideHi, wideLo);
    setBig(to, sign, exp, wideHi, wideLo);
    return;
  }
  const sumLo = lo + wideLo;
  const carryLo = u64(sumLo < lo);
  const part = hi + wideHi;
  const sumHi = part + carryLo;
  if (part < hi || sumHi < part) setBig(to, sign, exp + 1, (sumHi >> 1) | INTEGER_BIT, (sumHi << 63) | (sumLo >> 1));
  else setBig(to, sign, exp, sumHi, sumLo);
}

/** a / b, b not zero. */
export function divBig(to: usize, a: usize, b: usize): void {
  const sign = signAt(a) ^ signAt(b);
  if (isBigZero(a)) {
    setBig(to, sign, 0, 0, 0);
    return;
  }
  const exp = expAt(a) - expAt(b);
  const bHi = highAt(b);
  const bLo = lowAt(b);
  let restHi = highAt(a);
  let restLo = lowAt(a);
  let hi: u64 = 0;
  let lo: u64 = 0;
  let carry: u64 = 0;
  for (let i = 0; i < 128; i++) {
    hi = (hi << 1) | (lo >> 63);
    lo <<= 1;
    if (carry != 0 || restHi > bHi || (restHi == bHi && restLo >= bLo)) {
      subtract(restHi, restLo, bHi, bLo);
      restHi = wideHi;
      restLo = wideLo;
      lo |= 1;
    }
    carry = restHi >> 63;
    restHi = (restHi << 1) | (restLo >> 63);
    restLo <<= 1;
  }
  setBig(to, sign, exp, hi, lo | u64((restHi | restLo) != 0));
}

/** a / n for a small positive integer. */
export function divSmall(to: usize, a: usize, n: u32): void {
  const d = <u64>n;
  let rest: u64 = 0;
  let word = highAt(a) >> 32;
  const q3 = word / d;
  rest = word % d;
  word = (rest << 32) | (highAt(a) & 0xffffffff);
  const q2 = word / d;
  rest = word % d;
  word = (rest << 32) | (lowAt(a) >> 32);
  const q1 = word / d;
  rest = word % d;
  word = (rest << 32) | (lowAt(a) & 0xffffffff);
  const q0 = word / d;
  rest = word % d;
  const qf = (rest << 32) / d;
  const hi = (q3 << 32) | q2;
  const lo = (q1 << 32) | q0;
  if (hi == 0) {
    setBig(to, signAt(a), isBigZero(a) ? 0 : expAt(a) - 64, lo, qf << 32);
    return;
  }
  const shift = <i32>clz(hi);
  shiftLeft(hi, lo, shift);
  const tail = shift == 0 ? 0 : shift <= 32 ? qf >> <u64>(32 - shift) : qf << (<u64>(shift - 32));
  setBig(to, signAt(a), expAt(a) - shift, wideHi, wideLo | tail);
}

/** Rounds to the 80-bit result. `exact`: the bits below the 128 are zero; otherwise they count as nonzero. */
export function giveBig(p: usize, exact: bool): void {
  roundPack(signAt(p), expAt(p) + BIAS, highAt(p), lowAt(p) | u64(!exact));
}

/** The next smaller magnitude: for functions that stay just below their argument. */
export function nudgeDown(p: usize): void {
  subtract(highAt(p), lowAt(p), 0, 1);
  setBig(p, signAt(p), expAt(p), wideHi, wideLo);
}
