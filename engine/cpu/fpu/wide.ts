/** 128-bit helpers: results are returned in wideHi and wideLo. */

export let wideHi: u64 = 0;
export let wideLo: u64 = 0;

/** Full product of two u64. */
export function multiply(a: u64, b: u64): void {
  const a0 = a & 0xffffffff;
  const a1 = a >> 32;
  const b0 = b & 0xffffffff;
  const b1 = b >> 32;
  const low = a0 * b0;
  const cross = a1 * b0 + (low >> 32);
  const middle = a0 * b1 + (cross & 0xffffffff);
  wideHi = a1 * b1 + (cross >> 32) + (middle >> 32);
  wideLo = (middle << 32) | (low & 0xffffffff);
}

/** hi:lo shifted right by n >= 0; bits shifted out are kept in bit 0 ("sticky"). */
export function shiftRightSticky(hi: u64, lo: u64, n: i32): void {
  if (n == 0) {
    wideHi = hi;
    wideLo = lo;
  } else if (n < 64) {
    wideHi = hi >> <u64>n;
    wideLo = (hi << (<u64>(64 - n))) | (lo >> <u64>n) | u64(lo << (<u64>(64 - n)) != 0);
  } else if (n < 128) {
    const m = <u64>(n - 64);
    const lost = n == 64 ? lo != 0 : ((hi << (64 - m)) | lo) != 0;
    wideHi = 0;
    wideLo = (hi >> m) | u64(lost);
  } else {
    wideHi = 0;
    wideLo = u64((hi | lo) != 0);
  }
}

/** hi:lo shifted left by 0 <= n < 128. */
export function shiftLeft(hi: u64, lo: u64, n: i32): void {
  if (n == 0) {
    wideHi = hi;
    wideLo = lo;
  } else if (n < 64) {
    wideHi = (hi << (<u64>n)) | (lo >> <u64>(64 - n));
    wideLo = lo << (<u64>n);
  } else {
    wideHi = lo << (<u64>(n - 64));
    wideLo = 0;
  }
}

/** Leading zeros of hi:lo. */
export function leadingZeros(hi: u64, lo: u64): i32 {
  return hi != 0 ? <i32>clz(hi) : 64 + <i32>clz(lo);
}

/** Difference a - b (a >= b). */
export function subtract(aHi: u64, aLo: u64, bHi: u64, bLo: u64): void {
  wideLo = aLo - bLo;
  wideHi = aHi - bHi - u64(aLo < bLo);
}

/** (hi:lo) / divisor for hi < divisor and a divisor with its top bit set: the quotient in wideHi, the remainder in wideLo (Knuth's algorithm D). */
export function divide(hi: u64, lo: u64, divisor: u64): void {
  const first = digit(hi, lo >> 32, divisor);
  const rest = ((hi << 32) | (lo >> 32)) - first * divisor;
  const second = digit(rest, lo & 0xffffffff, divisor);
  wideHi = (first << 32) | second;
  wideLo = ((rest << 32) | (lo & 0xffffffff)) - second * divisor;
}
/** Next digit of 32 bits of a quotient: (hi << 32 | next) / divisor. */
function digit(hi: u64, next: u64, divisor: u64): u64 {
  const top = divisor >> 32;
  const low = divisor & 0xffffffff;
  let q = hi / top;
  let rest = hi - q * top;
  // The estimate from the divisor's upper half is at most 2 too large.
  while (q > 0xffffffff || q * low > ((rest << 32) | next)) {
    q--;
    rest += top;
    if (rest > 0xffffffff) break;
  }
  return q;
}

export function setWide(hi: u64, lo: u64): void {
  wideHi = hi;
  wideLo = lo;
}
