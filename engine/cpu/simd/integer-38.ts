/** Integer operations of the map 0F 38 on 128-bit vectors (SSSE3, SSE4.1, SSE4.2). */
import { F_CF, F_ZF, setArithmeticFlags } from '../flags';

/** Even and odd lanes of a and then of b, for the horizontal operations. */
@inline
function evenWords(a: v128, b: v128): v128 {
  return v128.shuffle<i16>(a, b, 0, 2, 4, 6, 8, 10, 12, 14);
}
@inline
function oddWords(a: v128, b: v128): v128 {
  return v128.shuffle<i16>(a, b, 1, 3, 5, 7, 9, 11, 13, 15);
}
@inline
function evenDwords(a: v128, b: v128): v128 {
  return v128.shuffle<i32>(a, b, 0, 2, 4, 6);
}
@inline
function oddDwords(a: v128, b: v128): v128 {
  return v128.shuffle<i32>(a, b, 1, 3, 5, 7);
}

/** PMADDUBSW: unsigned bytes of a times signed bytes of b, neighbours added with saturation. */
function multiplyAddBytes(a: v128, b: v128): v128 {
  const even = i16x8.mul(v128.and(a, i16x8.splat(0xff)), i16x8.shr_s(i16x8.shl(b, 8), 8));
  const odd = i16x8.mul(i16x8.shr_u(a, 8), i16x8.shr_s(b, 8));
  return i16x8.add_sat_s(even, odd);
}

/** PMULHRSW. The host's instruction saturates -1 * -1, this one wraps. */
function multiplyRound(a: v128, b: v128): v128 {
  const lowest = i16x8.splat(-32768);
  const both = v128.and(i16x8.eq(a, lowest), i16x8.eq(b, lowest));
  return v128.xor(i16x8.q15mulr_sat_s(a, b), both);
}

/** PSIGN: `negative` is -a, `sign` and `nothing` mark the lanes of b below and equal to 0. */
@inline
function signed(a: v128, negative: v128, sign: v128, nothing: v128): v128 {
  return v128.andnot(v128.bitselect(negative, a, sign), nothing);
}

/** SSSE3: 00-0B and 1C-1E but PSHUFB, the same for MMX (whose horizontal operations get both operands in one vector). */
function ssse3(opcode: u32, a: v128, b: v128): v128 {
  const zero = i64x2.splat(0);
  switch (opcode) {
    case 0x01:
      return i16x8.add(evenWords(a, b), oddWords(a, b));
    case 0x02:
      return i32x4.add(evenDwords(a, b), oddDwords(a, b));
    case 0x03:
      return i16x8.add_sat_s(evenWords(a, b), oddWords(a, b));
    case 0x04:
      return multiplyAddBytes(a, b);
    case 0x05:
      return i16x8.sub(evenWords(a, b), oddWords(a, b));
    case 0x06:
      return i32x4.sub(evenDwords(a, b), oddDwords(a, b));
    case 0x07:
      return i16x8.sub_sat_s(evenWords(a, b), oddWords(a, b));
    case 0x08:
      return signed(a, i8x16.neg(a), i8x16.lt_s(b, zero), i8x16.eq(b, zero));
    case 0x09:
      return signed(a, i16x8.neg(a), i16x8.lt_s(b, zero), i16x8.eq(b, zero));
    case 0x0a:
      return signed(a, i32x4.neg(a), i32x4.lt_s(b, zero), i32x4.eq(b, zero));
    case 0x0b:
      return multiplyRound(a, b);
    case 0x1c:
      return i8x16.abs(b);
    case 0x1d:
      return i16x8.abs(b);
    default:
      return i32x4.abs(b);
  }
}

/** SSSE3 on MMX registers. */
export function mmx38(opcode: u32, a: u64, b: u64): u64 {
  const x = i64x2.splat(<i64>a);
  const y = i64x2.splat(<i64>b);
  let result: v128;
  if (opcode == 0x00) {
    result = v128.swizzle(x, v128.and(y, i8x16.splat(<i8>0x87)));
  } else if ((opcode >= 0x01 && opcode <= 0x03) || (opcode >= 0x05 && opcode <= 0x07)) {
    const both = v128.shuffle<i64>(x, y, 0, 2);
    result = ssse3(opcode, both, both);
  } else {
    result = ssse3(opcode, x, y);
  }
  return <u64>i64x2.extract_lane(result, 0);
}

function multiplyEvenSigned(a: v128, b: v128): v128 {
  return i64x2.extmul_low_i32x4_s(evenDwords(a, a), evenDwords(b, b));
}

/** dst OP src on XMM registers. */
export function integer38(opcode: u32, a: v128, b: v128): v128 {
  switch (opcode) {
    case 0x00:
      return v128.swizzle(a, v128.and(b, i8x16.splat(<i8>0x8f)));
    case 0x28:
      return multiplyEvenSigned(a, b);
    case 0x29:
      return i64x2.eq(a, b);
    case 0x2b:
      return i16x8.narrow_i32x4_u(a, b);
    case 0x37:
      return i64x2.gt_s(a, b);
    case 0x38:
      return i8x16.min_s(a, b);
    case 0x39:
      return i32x4.min_s(a, b);
    case 0x3a:
      return i16x8.min_u(a, b);
    case 0x3b:
      return i32x4.min_u(a, b);
    case 0x3c:
      return i8x16.max_s(a, b);
    case 0x3d:
      return i32x4.max_s(a, b);
    case 0x3e:
      return i16x8.max_u(a, b);
    case 0x3f:
      return i32x4.max_u(a, b);
    case 0x40:
      return i32x4.mul(a, b);
    default:
      return ssse3(opcode, a, b);
  }
}

/** PMOVSX (20-25) and PMOVZX (30-35) of the low bytes of v. */
export function extendLanes(opcode: u32, v: v128): v128 {
  switch (opcode) {
    case 0x20:
      return i16x8.extend_low_i8x16_s(v);
    case 0x21:
      return i32x4.extend_low_i16x8_s(i16x8.extend_low_i8x16_s(v));
    case 0x22:
      return i64x2.extend_low_i32x4_s(i32x4.extend_low_i16x8_s(i16x8.extend_low_i8x16_s(v)));
    case 0x23:
      return i32x4.extend_low_i16x8_s(v);
    case 0x24:
      return i64x2.extend_low_i32x4_s(i32x4.extend_low_i16x8_s(v));
    case 0x25:
      return i64x2.extend_low_i32x4_s(v);
    case 0x30:
      return i16x8.extend_low_i8x16_u(v);
    case 0x31:
      return i32x4.extend_low_i16x8_u(i16x8.extend_low_i8x16_u(v));
    case 0x32:
      return i64x2.extend_low_i32x4_u(i32x4.extend_low_i16x8_u(i16x8.extend_low_i8x16_u(v)));
    case 0x33:
      return i32x4.extend_low_i16x8_u(v);
    case 0x34:
      return i64x2.extend_low_i32x4_u(i32x4.extend_low_i16x8_u(v));
    default:
      return i64x2.extend_low_i32x4_u(v);
  }
}

/** PBLENDVB (10), BLENDVPS (14), BLENDVPD (15): lanes of b where the lane's top bit of the mask, XMM0, is set. */
export function blendVariable(opcode: u32, a: v128, b: v128, mask: v128): v128 {
  const lanes = opcode == 0x10 ? i8x16.shr_s(mask, 7) : opcode == 0x14 ? i32x4.shr_s(mask, 31) : i64x2.shr_s(mask, 63);
  return v128.bitselect(b, a, lanes);
}

/** BLENDPS (0C), BLENDPD (0D), PBLENDW (0E): lanes of b where the immediate's bit is set. */
export function blendImmediate(opcode: u32, a: v128, b: v128, immediate: u32): v128 {
  let mask: v128;
  if (opcode == 0x0c) mask = i32x4.ne(v128.and(i32x4.splat(immediate), i32x4(1, 2, 4, 8)), i32x4.splat(0));
  else if (opcode == 0x0d) mask = i64x2.ne(v128.and(i64x2.splat(immediate), i64x2(1, 2)), i64x2.splat(0));
  else mask = i16x8.ne(v128.and(i16x8.splat(<i16>immediate), i16x8(1, 2, 4, 8, 16, 32, 64, 128)), i16x8.splat(0));
  return v128.bitselect(b, a, mask);
}

/** PTEST: ZF when no bit is in both, CF when b has none that a has not; the other flags are cleared. */
export function testBits(a: v128, b: v128): void {
  const common = v128.any_true(v128.and(a, b));
  const beyond = v128.any_true(v128.andnot(b, a));
  setArithmeticFlags((common ? 0 : F_ZF) | (beyond ? 0 : F_CF));
}

/** PHMINPOSUW: the smallest word and the index of the first of its value. */
export function smallestWord(dst: usize, src: usize): void {
  let best: u32 = 0x10000;
  let index: u32 = 0;
  for (let i: u32 = 0; i < 8; i++) {
    const word = <u32>load<u16>(src + ((<usize>i) << 1));
    if (word < best) {
      best = word;
      index = i;
    }
  }
  store<u64>(dst, <u64>(best | (index << 16)));
  store<u64>(dst, 0, 8);
}
