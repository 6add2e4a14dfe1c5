/**
 * SSE and SSE2 arithmetic: opcodes 51-59, 5C-5F, C2, 2E, 2F. Operations that round to nearest with ordinary operands and results use the host's
 * arithmetic: all lanes at once if the precision flag is already set, otherwise lane by lane (fast.ts). lanes.ts does the rest.
 */

import { VCPU_MXCSR } from '../../abi/index';
import { F_CF, F_PF, F_ZF, setArithmeticFlags } from '../flags';
import { CR4_OSXMMEXCPT, cr4 } from '../mmu-mode';
import { cpu, raise, VEC_UD, VEC_XM } from '../state';
import { resultBuffer } from './buffers';
import { fastBits, fastInexact, fastLane32, fastLane64, fastRoot32, fastRoot64, zeroOr64 } from './fast';
import {
  addLaneFlags,
  binaryLane,
  clearLaneFlags,
  compareLane,
  laneFlags,
  mxcsr,
  OP_ADD,
  OP_DIV,
  OP_MAX,
  OP_MIN,
  OP_MUL,
  OP_SUB,
  predicateLane,
  sqrtLane,
} from './lanes';

const PE: u32 = 0x20;
/** RC nearest and PM set: fast.ts can do it. */
@inline
export function plainMxcsr(): bool {
  return (mxcsr() & 0x7000) == 0x1000;
}
/** PE is set already: an ordinary inexact result changes nothing in MXCSR. */
@inline
export function isPrecisionNoted(): bool {
  return (mxcsr() & PE) != 0;
}
/** Sets PE for an inexact result whose exception is masked. */
@inline
export function notePrecision(inexact: bool): void {
  if (inexact) store<u32>(cpu, mxcsr() | PE, VCPU_MXCSR);
}

/** Merges the lanes' flags; false (with #XM or #UD pending) when one is unmasked. */
export function acceptLanes(): bool {
  const status = mxcsr();
  const masks = (status >> 7) & 0x3f;
  let flags = laneFlags;
  const before = flags & 7 & ~masks;
  if (before) flags &= 7;
  store<u32>(cpu, status | flags, VCPU_MXCSR);
  if (!(flags & ~masks)) return true;
  raise(cr4() & CR4_OSXMMEXCPT ? VEC_XM : VEC_UD, 0);
  return false;
}

/** All lanes ordinary or (with `zeros`) zero. */
@inline
function allOrdinary64(v: v128, zeros: bool): bool {
  const exp = v128.and(v, i64x2.splat(0x7ff0000000000000));
  const shifted = i64x2.sub(i64x2.shr_u(exp, 52), i64x2.splat(2));
  let ok = v128.and(i64x2.ge_s(shifted, i64x2.splat(0)), i64x2.lt_s(shifted, i64x2.splat(0x7fd)));
  if (zeros) ok = v128.or(ok, i64x2.eq(i64x2.shl(v, 1), i64x2.splat(0)));
  return i64x2.all_true(ok);
}
@inline
function allOrdinary32(v: v128, zeros: bool): bool {
  const shifted = i32x4.sub(v128.and(v, i32x4.splat(0x7f800000)), i32x4.splat(2 << 23));
  let ok = i32x4.lt_u(shifted, i32x4.splat(0x7e800000));
  if (zeros) ok = v128.or(ok, i32x4.eq(i32x4.shl(v, 1), i32x4.splat(0)));
  return i32x4.all_true(ok);
}

/** OP_* of opcodes 58-5F, or 0xff. */
function operation(opcode: u32): u32 {
  switch (opcode) {
    case 0x58:
      return OP_ADD;
    case 0x59:
      return OP_MUL;
    case 0x5c:
      return OP_SUB;
    case 0x5d:
      return OP_MIN;
    case 0x5e:
      return OP_DIV;
    default:
      return OP_MAX;
  }
}

function fastPacked64(op: u32, dst: usize, src: usize): bool {
  const a = v128.load(dst);
  const b = v128.load(src);
  if (!allOrdinary64(a, true) || !allOrdinary64(b, op != OP_DIV)) return false;
  let r: v128;
  if (op == OP_ADD) r = f64x2.add(a, b);
  else if (op == OP_SUB) r = f64x2.sub(a, b);
  else if (op == OP_MUL) r = f64x2.mul(a, b);
  else if (op == OP_DIV) r = f64x2.div(a, b);
  else {
    v128.store(dst, op == OP_MIN ? v128.bitselect(a, b, f64x2.lt(a, b)) : v128.bitselect(a, b, f64x2.gt(a, b)));
    return true;
  }
  if (!allOrdinary64(r, op == OP_ADD || op == OP_SUB)) return false;
  v128.store(dst, r);
  return true;
}

function fastPacked32(op: u32, dst: usize, src: usize): bool {
  const a = v128.load(dst);
  const b = v128.load(src);
  if (!allOrdinary32(a, true) || !allOrdinary32(b, op != OP_DIV)) return false;
  let r: v128;
  if (op == OP_ADD) r = f32x4.add(a, b);
  else if (op == OP_SUB) r = f32x4.sub(a, b);
  else if (op == OP_MUL) r = f32x4.mul(a, b);
  else if (op == OP_DIV) r = f32x4.div(a, b);
  else {
    v128.store(dst, op == OP_MIN ? v128.bitselect(a, b, f32x4.lt(a, b)) : v128.bitselect(a, b, f32x4.gt(a, b)));
    return true;
  }
  if (!allOrdinary32(r, op == OP_ADD || op == OP_SUB)) return false;
  v128.store(dst, r);
  return true;
}

/** All lanes one by one through fast.ts; false with nothing changed when one does not fit. */
function fastLanes(op: u32, prefix: u32, dst: usize, src: usize): bool {
  const wanted = !isPrecisionNoted();
  let inexact = false;
  if (prefix == 3) {
    if (!fastLane64(op, load<u64>(dst), load<u64>(src), wanted)) return false;
    store<u64>(dst, fastBits);
    notePrecision(fastInexact);
    return true;
  }
  if (prefix == 2) {
    if (!fastLane32(op, load<u32>(dst), load<u32>(src), wanted)) return false;
    store<u32>(dst, <u32>fastBits);
    notePrecision(fastInexact);
    return true;
  }
  for (let i = 0; i < 16; i += prefix == 1 ? 8 : 4) {
    if (prefix == 1) {
      if (!fastLane64(op, load<u64>(dst + i), load<u64>(src + i), wanted)) return false;
      store<u64>(resultBuffer() + i, fastBits);
    } else {
      if (!fastLane32(op, load<u32>(dst + i), load<u32>(src + i), wanted)) return false;
      store<u32>(resultBuffer() + i, <u32>fastBits);
    }
    inexact = inexact || fastInexact;
  }
  memory.copy(dst, resultBuffer(), 16);
  notePrecision(inexact);
  return true;
}

/** ADD MUL SUB MIN DIV MAX, packed or scalar (prefix as in decode.ts: 0 PS, 1 PD, 2 SS, 3 SD). */
export function arithmetic(opcode: u32, prefix: u32, dst: usize, src: usize): i32 {
  const op = operation(opcode);
  if (plainMxcsr()) {
    if (isPrecisionNoted() && prefix == 1 && fastPacked64(op, dst, src)) return 1;
    if (isPrecisionNoted() && prefix == 0 && fastPacked32(op, dst, src)) return 1;
    if (fastLanes(op, prefix, dst, src)) return 1;
  }
  clearLaneFlags();
  const double = (prefix & 1) != 0;
  const bytes = prefix == 0 || prefix == 1 ? 16 : double ? 8 : 4;
  if (double) {
    for (let i = 0; i < bytes; i += 8) store<u64>(resultBuffer() + i, binaryLane(op, load<u64>(dst + i), load<u64>(src + i), true));
  } else {
    for (let i = 0; i < bytes; i += 4) store<u32>(resultBuffer() + i, <u32>binaryLane(op, load<u32>(dst + i), load<u32>(src + i), false));
  }
  if (!acceptLanes()) return 0;
  memory.copy(dst, resultBuffer(), bytes);
  return 1;
}

/** One lane of ADD MUL SUB MIN DIV MAX (OP_*); its exceptions are noted in the lanes' flags. */
export function oneLane(op: u32, a: u64, b: u64, double: bool): u64 {
  if (plainMxcsr()) {
    const wanted = !isPrecisionNoted();
    if (double ? fastLane64(op, a, b, wanted) : fastLane32(op, <u32>a, <u32>b, wanted)) {
      if (fastInexact) addLaneFlags(PE);
      return fastBits;
    }
  }
  return binaryLane(op, a, b, double);
}

export function squareRoot(prefix: u32, dst: usize, src: usize): i32 {
  const double = (prefix & 1) != 0;
  const bytes = prefix < 2 ? 16 : double ? 8 : 4;
  clearLaneFlags();
  const plain = plainMxcsr();
  const wanted = !isPrecisionNoted();
  for (let i = 0; i < bytes; i += double ? 8 : 4) {
    let lane: u64;
    const v = double ? load<u64>(src + i) : <u64>load<u32>(src + i);
    if (plain && (double ? fastRoot64(v, wanted) : fastRoot32(<u32>v, wanted))) {
      lane = fastBits;
      if (fastInexact) addLaneFlags(PE);
    } else {
      lane = sqrtLane(v, double);
    }
    if (double) store<u64>(resultBuffer() + i, lane);
    else store<u32>(resultBuffer() + i, <u32>lane);
  }
  if (!acceptLanes()) return 0;
  memory.copy(dst, resultBuffer(), bytes);
  return 1;
}

/** CMPPS CMPPD CMPSS CMPSD; of the immediate's bits only the low three count. */
export function comparePredicate(prefix: u32, dst: usize, src: usize, predicate: u32): i32 {
  const double = (prefix & 1) != 0;
  const bytes = prefix < 2 ? 16 : double ? 8 : 4;
  clearLaneFlags();
  if (double) {
    for (let i = 0; i < bytes; i += 8)
      store<u64>(resultBuffer() + i, predicateLane(predicate, load<u64>(dst + i), load<u64>(src + i), true));
  } else {
    for (let i = 0; i < bytes; i += 4)
      store<u32>(resultBuffer() + i, <u32>predicateLane(predicate, load<u32>(dst + i), load<u32>(src + i), false));
  }
  if (!acceptLanes()) return 0;
  memory.copy(dst, resultBuffer(), bytes);
  return 1;
}

/** COMISS COMISD UCOMISS UCOMISD: ZF PF CF; OF SF AF are cleared. */
export function compareToFlags(double: bool, quiet: bool, dst: usize, src: usize): i32 {
  if (double && zeroOr64(load<u64>(dst)) && zeroOr64(load<u64>(src))) {
    const x = load<f64>(dst);
    const y = load<f64>(src);
    setArithmeticFlags(x == y ? F_ZF : x > y ? 0 : F_CF);
    return 1;
  }
  clearLaneFlags();
  const a = double ? load<u64>(dst) : <u64>load<u32>(dst);
  const b = double ? load<u64>(src) : <u64>load<u32>(src);
  const relation = compareLane(a, b, double, quiet);
  if (!acceptLanes()) return 0;
  setArithmeticFlags(relation == 0 ? F_ZF : relation == 1 ? 0 : relation == 2 ? F_CF : F_ZF | F_PF | F_CF);
  return 1;
}

/** RCPPS RCPSS RSQRTPS RSQRTSS: no flags, denormals are zeros. The results are more accurate than the 1.5 * 2^-12 that the manual requires. */
export function reciprocal(root: bool, prefix: u32, dst: usize, src: usize): i32 {
  const bytes = prefix == 2 ? 4 : 16;
  for (let i = 0; i < bytes; i += 4) store<u32>(resultBuffer() + i, reciprocalLane(root, load<u32>(src + i)));
  memory.copy(dst, resultBuffer(), bytes);
  return 1;
}

function reciprocalLane(root: bool, bits: u32): u32 {
  const magnitude = bits & 0x7fffffff;
  const sign = bits & 0x80000000;
  if (magnitude > 0x7f800000) return bits | 0x400000;
  if (magnitude < 0x800000) return sign | 0x7f800000;
  if (root && sign) return 0xffc00000;
  if (magnitude == 0x7f800000) return sign;
  const value = reinterpret<f32>(bits);
  const result = reinterpret<u32>(root ? <f32>(1.0 / sqrt<f64>(<f64>value)) : <f32>1.0 / value);
  return (result & 0x7fffffff) < 0x800000 ? sign : result;
}
