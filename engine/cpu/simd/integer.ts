/**
 * MMX and SSE2 integer operations of two operands, on 128-bit vectors. MMX operands are zero-extended and only the low 64 bits of the result count;
 * operations that look across the halves (PACK, PUNPCKH) have their own MMX form here.
 */

/** Both low halves side by side. */
@inline
function joinLow(a: v128, b: v128): v128 {
  return v128.shuffle<i64>(a, b, 0, 2);
}
@inline
function highOf(v: v128, mmx: bool): v128 {
  return mmx ? v128.shuffle<i64>(v, v, 1, 0) : v;
}

function unpackOrPack(opcode: u32, a: v128, b: v128, mmx: bool): v128 {
  switch (opcode) {
    case 0x54:
      return v128.and(a, b); // ANDPS ANDNPS ORPS XORPS
    case 0x55:
      return v128.andnot(b, a);
    case 0x56:
      return v128.or(a, b);
    case 0x57:
      return v128.xor(a, b);
    case 0x60:
      return v128.shuffle<i8>(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
    case 0x61:
      return v128.shuffle<i16>(a, b, 0, 8, 1, 9, 2, 10, 3, 11);
    case 0x62:
      return v128.shuffle<i32>(a, b, 0, 4, 1, 5);
    case 0x63:
      return mmx ? i8x16.narrow_i16x8_s(joinLow(a, b), joinLow(a, b)) : i8x16.narrow_i16x8_s(a, b);
    case 0x64:
      return i8x16.gt_s(a, b);
    case 0x65:
      return i16x8.gt_s(a, b);
    case 0x66:
      return i32x4.gt_s(a, b);
    case 0x67:
      return mmx ? i8x16.narrow_i16x8_u(joinLow(a, b), joinLow(a, b)) : i8x16.narrow_i16x8_u(a, b);
    case 0x68:
      if (mmx) return highOf(v128.shuffle<i8>(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23), true);
      return v128.shuffle<i8>(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
    case 0x69:
      if (mmx) return highOf(v128.shuffle<i16>(a, b, 0, 8, 1, 9, 2, 10, 3, 11), true);
      return v128.shuffle<i16>(a, b, 4, 12, 5, 13, 6, 14, 7, 15);
    case 0x6a:
      return mmx ? highOf(v128.shuffle<i32>(a, b, 0, 4, 1, 5), true) : v128.shuffle<i32>(a, b, 2, 6, 3, 7);
    case 0x6b:
      return mmx ? i16x8.narrow_i32x4_s(joinLow(a, b), joinLow(a, b)) : i16x8.narrow_i32x4_s(a, b);
    case 0x6c:
      return joinLow(a, b);
    case 0x6d:
      return v128.shuffle<i64>(a, b, 1, 3);
    case 0x74:
      return i8x16.eq(a, b);
    case 0x75:
      return i16x8.eq(a, b);
    default:
      return i32x4.eq(a, b);
  }
}

/** Counts above the lane's width give zero, or the sign for arithmetic shifts. */
export function shiftVector(opcode: u32, a: v128, count: u64): v128 {
  const zero = i64x2.splat(0);
  switch (opcode) {
    case 0xd1:
      return count > 15 ? zero : i16x8.shr_u(a, <i32>count);
    case 0xd2:
      return count > 31 ? zero : i32x4.shr_u(a, <i32>count);
    case 0xd3:
      return count > 63 ? zero : i64x2.shr_u(a, <i32>count);
    case 0xe1:
      return i16x8.shr_s(a, count > 15 ? 15 : <i32>count);
    case 0xe2:
      return i32x4.shr_s(a, count > 31 ? 31 : <i32>count);
    case 0xf1:
      return count > 15 ? zero : i16x8.shl(a, <i32>count);
    case 0xf2:
      return count > 31 ? zero : i32x4.shl(a, <i32>count);
    default:
      return count > 63 ? zero : i64x2.shl(a, <i32>count);
  }
}

function multiplyHigh(a: v128, b: v128, signed: bool): v128 {
  const low = signed ? i32x4.extmul_low_i16x8_s(a, b) : i32x4.extmul_low_i16x8_u(a, b);
  const high = signed ? i32x4.extmul_high_i16x8_s(a, b) : i32x4.extmul_high_i16x8_u(a, b);
  return v128.shuffle<i16>(low, high, 1, 3, 5, 7, 9, 11, 13, 15);
}

/** PSADBW: sums of absolute differences of each eight bytes. */
function sumDifferences(a: v128, b: v128): v128 {
  const difference = v128.or(i8x16.sub_sat_u(a, b), i8x16.sub_sat_u(b, a));
  const sums = i32x4.extadd_pairwise_i16x8_u(i16x8.extadd_pairwise_i8x16_u(difference));
  return v128.and(i64x2.add(sums, i64x2.shr_u(sums, 32)), i64x2.splat(0xffffffff));
}

function multiplyEven(a: v128, b: v128): v128 {
  return i64x2.extmul_low_i32x4_u(v128.shuffle<i32>(a, a, 0, 2, 0, 2), v128.shuffle<i32>(b, b, 0, 2, 0, 2));
}

/** dst OP src for the opcodes that are one vector operation. */
export function integerOp(opcode: u32, a: v128, b: v128, mmx: bool): v128 {
  if (opcode < 0x80) return unpackOrPack(opcode, a, b, mmx);
  switch (opcode) {
    case 0xd1:
    case 0xd2:
    case 0xd3:
    case 0xe1:
    case 0xe2:
    case 0xf1:
    case 0xf2:
    case 0xf3:
      return shiftVector(opcode, a, <u64>i64x2.extract_lane(b, 0));
    case 0xd4:
      return i64x2.add(a, b);
    case 0xd5:
      return i16x8.mul(a, b);
    case 0xd8:
      return i8x16.sub_sat_u(a, b);
    case 0xd9:
      return i16x8.sub_sat_u(a, b);
    case 0xda:
      return i8x16.min_u(a, b);
    case 0xdb:
      return v128.and(a, b);
    case 0xdc:
      return i8x16.add_sat_u(a, b);
    case 0xdd:
      return i16x8.add_sat_u(a, b);
    case 0xde:
      return i8x16.max_u(a, b);
    case 0xdf:
      return v128.andnot(b, a);
    case 0xe0:
      return i8x16.avgr_u(a, b);
    case 0xe3:
      return i16x8.avgr_u(a, b);
    case 0xe4:
      return multiplyHigh(a, b, false);
    case 0xe5:
      return multiplyHigh(a, b, true);
    case 0xe8:
      return i8x16.sub_sat_s(a, b);
    case 0xe9:
      return i16x8.sub_sat_s(a, b);
    case 0xea:
      return i16x8.min_s(a, b);
    case 0xeb:
      return v128.or(a, b);
    case 0xec:
      return i8x16.add_sat_s(a, b);
    case 0xed:
      return i16x8.add_sat_s(a, b);
    case 0xee:
      return i16x8.max_s(a, b);
    case 0xef:
      return v128.xor(a, b);
    case 0xf4:
      return multiplyEven(a, b);
    case 0xf5:
      return i32x4.dot_i16x8_s(a, b);
    case 0xf6:
      return sumDifferences(a, b);
    case 0xf8:
      return i8x16.sub(a, b);
    case 0xf9:
      return i16x8.sub(a, b);
    case 0xfa:
      return i32x4.sub(a, b);
    case 0xfb:
      return i64x2.sub(a, b);
    case 0xfc:
      return i8x16.add(a, b);
    case 0xfd:
      return i16x8.add(a, b);
    default:
      return i32x4.add(a, b);
  }
}

/** 71-73: the ModRM.reg operation as the opcode of the same shift by register; 0: PSRLDQ, 1: PSLLDQ. */
export function shiftGroup(opcode: u32, which: u32): u32 {
  const lane = opcode - 0x71;
  if (which == 2) return 0xd1 + lane;
  if (which == 4) return 0xe1 + lane;
  if (which == 6) return 0xf1 + lane;
  return which == 3 ? 0 : 1;
}

/** PSRLDQ, PSLLDQ by bytes, in place. */
export function shiftBytes(at: usize, left: bool, count: u32): void {
  const lo = load<u64>(at);
  const hi = load<u64>(at, 8);
  let newLo: u64 = 0;
  let newHi: u64 = 0;
  if (count == 0) {
    newLo = lo;
    newHi = hi;
  } else if (count < 8) {
    const n = <u64>(count << 3);
    newLo = left ? lo << n : (lo >> n) | (hi << (64 - n));
    newHi = left ? (hi << n) | (lo >> (64 - n)) : hi >> n;
  } else if (count < 16) {
    const n = <u64>((count - 8) << 3);
    newLo = left ? 0 : hi >> n;
    newHi = left ? lo << n : 0;
  }
  store<u64>(at, newLo);
  store<u64>(at, newHi, 8);
}

/** PSHUFD, PSHUFHW, PSHUFLW and PSHUFW by their prefix (1, 2, 3, 0). Reads everything before it writes. */
export function shuffleImmediate(prefix: u32, dst: usize, src: usize, order: u32): void {
  const lo = load<u64>(src);
  const hi = prefix == 0 ? 0 : load<u64>(src, 8);
  if (prefix == 1) {
    const low = pick32(lo, hi, order & 3) | (pick32(lo, hi, (order >> 2) & 3) << 32);
    const high = pick32(lo, hi, (order >> 4) & 3) | (pick32(lo, hi, order >> 6) << 32);
    store<u64>(dst, low);
    store<u64>(dst, high, 8);
    return;
  }
  store<u64>(dst, prefix == 2 ? lo : pick16(lo, order));
  if (prefix != 0) store<u64>(dst, prefix == 2 ? pick16(hi, order) : hi, 8);
}
@inline
function pick32(lo: u64, hi: u64, n: u32): u64 {
  return ((n & 2 ? hi : lo) >> <u64>((n & 1) << 5)) & 0xffffffff;
}
function pick16(v: u64, order: u32): u64 {
  let result: u64 = 0;
  for (let i: u32 = 0; i < 4; i++) result |= ((v >> <u64>(((order >> (i << 1)) & 3) << 4)) & 0xffff) << (<u64>(i << 4));
  return result;
}

/** SHUFPS, SHUFPD. */
export function shuffleFloats(double: bool, dst: usize, src: usize, order: u32): void {
  const aLo = load<u64>(dst);
  const aHi = load<u64>(dst, 8);
  const bLo = load<u64>(src);
  const bHi = load<u64>(src, 8);
  if (double) {
    store<u64>(dst, order & 1 ? aHi : aLo);
    store<u64>(dst, order & 2 ? bHi : bLo, 8);
    return;
  }
  store<u64>(dst, pick32(aLo, aHi, order & 3) | (pick32(aLo, aHi, (order >> 2) & 3) << 32));
  store<u64>(dst, pick32(bLo, bHi, (order >> 4) & 3) | (pick32(bLo, bHi, (order >> 6) & 3) << 32), 8);
}
