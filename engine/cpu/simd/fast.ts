/**
 * Lanes that the host's own arithmetic handles: rounding to nearest with PM set, ordinary or zero operands and results. Exactness is determined from
 * the rounding error (Knuth's two-sum, Dekker's two-product; singles in double precision), and only while MXCSR.PE is still clear.
 */
import { OP_ADD, OP_DIV, OP_MAX, OP_MIN, OP_MUL, OP_SUB } from './lanes';

/** Result bits of the last lane that succeeded, and whether it is inexact (false if not determined). */
export let fastBits: u64 = 0;
export let fastInexact: bool = false;

/** Exponent field in [2, max): nothing tiny, huge or special. */
@inline
export function ordinary64(bits: u64): bool {
  return ((bits >> 52) & 0x7ff) - 2 < 0x7fd;
}
@inline
export function ordinary32(bits: u32): bool {
  return ((bits >> 23) & 0xff) - 2 < 0xfd;
}
@inline
export function zeroOr64(bits: u64): bool {
  return ordinary64(bits) || bits << 1 == 0;
}
@inline
export function zeroOr32(bits: u32): bool {
  return ordinary32(bits) || bits << 1 == 0;
}
/** Far enough from both ends that products of halves neither overflow nor lose bits. */
@inline
function middle64(bits: u64): bool {
  return ((bits >> 52) & 0x7ff) - 0x80 < 0x700;
}

/** a * b - p for p = a * b rounded; exact for operands and product in the middle range. */
function productError(a: f64, b: f64, p: f64): f64 {
  const ac: f64 = a * 134217729.0;
  const ah = ac - (ac - a);
  const al = a - ah;
  const bc: f64 = b * 134217729.0;
  const bh = bc - (bc - b);
  const bl = b - bh;
  return ah * bh - p + ah * bl + al * bh + al * bl;
}

/** r * b is not exactly a: detects inexact quotients and square roots. False in fastKnown: out of range. */
let fastKnown: bool = true;
function differs(r: f64, b: f64, a: f64): bool {
  fastKnown = middle64(reinterpret<u64>(r)) && middle64(reinterpret<u64>(b)) && middle64(reinterpret<u64>(a));
  const p = r * b;
  return p != a || productError(r, b, p) != 0;
}

@inline
function take(bits: u64, inexact: bool): bool {
  fastBits = bits;
  fastInexact = inexact;
  return true;
}

/** One lane of doubles. False: lanes.ts must do it. */
export function fastLane64(op: u32, aBits: u64, bBits: u64, wanted: bool): bool {
  if (!zeroOr64(aBits) || !zeroOr64(bBits)) return false;
  const a = reinterpret<f64>(aBits);
  const b = reinterpret<f64>(bBits);
  if (op == OP_MIN) return take(a < b ? aBits : bBits, false);
  if (op == OP_MAX) return take(a > b ? aBits : bBits, false);
  if (op == OP_ADD || op == OP_SUB) {
    const y = op == OP_SUB ? -b : b;
    const s = a + y;
    const sum = reinterpret<u64>(s);
    if (!zeroOr64(sum)) return false;
    const t = s - a;
    return take(sum, wanted && a - (s - t) + (y - t) != 0);
  }
  if (op == OP_DIV && b == 0) return false;
  const r = op == OP_MUL ? a * b : a / b;
  const bits = reinterpret<u64>(r);
  if (a == 0 || b == 0) return take(bits, false);
  if (!ordinary64(bits)) return false;
  if (!wanted) return take(bits, false);
  const inexact = op == OP_DIV ? differs(r, b, a) : productError(a, b, r) != 0;
  if (op == OP_MUL) fastKnown = middle64(aBits) && middle64(bBits) && middle64(bits);
  return fastKnown ? take(bits, inexact) : false;
}

/** One lane of singles. */
export function fastLane32(op: u32, aBits: u32, bBits: u32, wanted: bool): bool {
  if (!zeroOr32(aBits) || !zeroOr32(bBits)) return false;
  const a = reinterpret<f32>(aBits);
  const b = reinterpret<f32>(bBits);
  if (op == OP_MIN) return take(<u64>(a < b ? aBits : bBits), false);
  if (op == OP_MAX) return take(<u64>(a > b ? aBits : bBits), false);
  if (op == OP_ADD || op == OP_SUB) {
    const y = op == OP_SUB ? -b : b;
    const s: f32 = a + y;
    const sum = reinterpret<u32>(s);
    if (!zeroOr32(sum)) return false;
    const t: f32 = s - a;
    const error: f32 = a - (s - t) + (y - t);
    return take(sum, wanted && error != 0);
  }
  if (op == OP_DIV && b == 0) return false;
  const r: f32 = op == OP_MUL ? a * b : a / b;
  const bits = reinterpret<u32>(r);
  if (a == 0 || b == 0) return take(bits, false);
  if (!ordinary32(bits)) return false;
  return take(bits, op == OP_MUL ? <f64>a * <f64>b != <f64>r : <f64>r * <f64>b != <f64>a);
}

/** Square root of an ordinary positive double. */
export function fastRoot64(bits: u64, wanted: bool): bool {
  if (!ordinary64(bits) || bits >> 63) return false;
  const v = reinterpret<f64>(bits);
  const r = sqrt<f64>(v);
  if (!wanted) return take(reinterpret<u64>(r), false);
  const inexact = differs(r, r, v);
  return fastKnown ? take(reinterpret<u64>(r), inexact) : false;
}
export function fastRoot32(bits: u32, wanted: bool): bool {
  if (!ordinary32(bits) || bits >> 31) return false;
  const v = reinterpret<f32>(bits);
  const r = sqrt<f32>(v);
  return take(reinterpret<u32>(r), wanted && <f64>r * <f64>r != <f64>v);
}
