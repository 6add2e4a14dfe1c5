/**
 * One lane of SSE arithmetic, bit-exact with flags, for cases that the fast paths of float.ts do not cover (special values, denormals, tiny and
 * huge results, rounding modes, first inexact result). SDM 1 chapters 4.8, 4.9, 11.5.
 *
 * The exact result is computed by the 80-bit arithmetic rounded toward zero with a sticky bit, and rounded once to the lane's format.
 */
import { VCPU_MXCSR } from '../../abi/index';
import { fromDouble, fromInteger, fromSingle, narrow, narrowLossy, narrowTiny, toDouble, toInteger, toSingle } from '../fpu/convert';
import {
  begin,
  EX_DENORMAL,
  EX_INVALID,
  EX_PRECISION,
  EX_UNDERFLOW,
  EX_ZERO,
  give,
  raised,
  setRounding,
  signOf,
  zSe,
  zSig,
} from '../fpu/float80';
import { add, div, mul, sqrt80 } from '../fpu/float80-arithmetic';
import { cpu } from '../state';

export const OP_ADD: u32 = 0;
export const OP_MUL: u32 = 1;
export const OP_SUB: u32 = 2;
export const OP_MIN: u32 = 3;
export const OP_DIV: u32 = 4;
export const OP_MAX: u32 = 5;

const DAZ: u32 = 0x40;
const FTZ: u32 = 0x8000;
/** Toward zero, all masked, 64-bit precision. */
const EXACT: u32 = 0xf3f;

/** Exceptions of the lanes so far. */
export let laneFlags: u32 = 0;
export function clearLaneFlags(): void {
  laneFlags = 0;
}
export function addLaneFlags(flags: u32): void {
  laneFlags |= flags;
}

@inline
export function mxcsr(): u32 {
  return load<u32>(cpu, VCPU_MXCSR);
}
/** Masks and rounding of MXCSR as an x87 control word. */
@inline
function controlWord(): u32 {
  const m = mxcsr();
  return ((m >> 7) & 0x3f) | (((m >> 13) & 3) << 10) | 0x300;
}
@inline
function roundingDown(): bool {
  return ((mxcsr() >> 13) & 3) == 1;
}

@inline
function signBit(double: bool): u64 {
  return double ? 0x8000000000000000 : 0x80000000;
}
@inline
function infinity(double: bool): u64 {
  return double ? 0x7ff0000000000000 : 0x7f800000;
}
@inline
function quietBit(double: bool): u64 {
  return double ? 0x8000000000000 : 0x400000;
}
@inline
function indefinite(double: bool): u64 {
  return double ? 0xfff8000000000000 : 0xffc00000;
}
@inline
export function isNanLane(v: u64, double: bool): bool {
  return (v & ~signBit(double)) > infinity(double);
}
@inline
function isSignallingLane(v: u64, double: bool): bool {
  return isNanLane(v, double) && (v & quietBit(double)) == 0;
}
@inline
function isDenormalLane(v: u64, double: bool): bool {
  return (v & infinity(double)) == 0 && (v & ~signBit(double)) != 0;
}

/** Denormals are zeros under DAZ; otherwise they raise DE. */
function operand(v: u64, double: bool): u64 {
  if (!isDenormalLane(v, double)) return v;
  if (mxcsr() & DAZ) return v & signBit(double);
  laneFlags |= EX_DENORMAL;
  return v;
}

/** A denormal is zero under DAZ; otherwise it is not reported here. */
export function flushOperand(v: u64, double: bool): u64 {
  return isDenormalLane(v, double) && mxcsr() & DAZ ? v & signBit(double) : v;
}

/** A NaN made quiet; a signalling one is invalid. */
export function quietLane(v: u64, double: bool): u64 {
  return nanOf(v, v, double);
}

/** The NaN that a two-operand instruction returns: the first operand if that is one, made quiet. */
function nanOf(a: u64, b: u64, double: bool): u64 {
  if (isSignallingLane(a, double) || isSignallingLane(b, double)) laneFlags |= EX_INVALID;
  return (isNanLane(a, double) ? a : b) | quietBit(double);
}

@inline
function widen(v: u64, double: bool): void {
  if (double) fromDouble(v);
  else fromSingle(<u32>v);
}

/** Rounds the sticky 80-bit value to the lane's format under MXCSR. */
function roundLane(sig: u64, se: u32, double: bool): u64 {
  begin(controlWord(), false);
  if (double) toDouble(sig, se);
  else toSingle(sig, se);
  if (narrowTiny && mxcsr() & FTZ && controlWord() & EX_UNDERFLOW) {
    laneFlags |= EX_UNDERFLOW | EX_PRECISION;
    return narrow & signBit(double);
  }
  laneFlags |= raised;
  // Unlike x87 stores, lanes also report lost precision on unmasked overflow and underflow.
  if (narrowLossy) laneFlags |= EX_PRECISION;
  return narrow;
}

/** The exact result in zSig/zSe, with its lost bits in bit 0. */
@inline
function sticky(): u64 {
  return raised & EX_PRECISION ? zSig | 1 : zSig;
}

/** OP_ADD, OP_SUB, OP_MUL, OP_DIV, OP_MIN or OP_MAX. */
export function binaryLane(op: u32, a: u64, b: u64, double: bool): u64 {
  if (op == OP_MIN || op == OP_MAX) return selectLane(op, a, b, double);
  if (isNanLane(a, double) || isNanLane(b, double)) return nanOf(a, b, double);
  const before = laneFlags;
  a = operand(a, double);
  b = operand(b, double);
  begin(EXACT, false);
  widen(a, double);
  const aSig = zSig;
  const aSe = zSe;
  widen(b, double);
  const bSig = zSig;
  const bSe = zSe;
  if (op == OP_ADD || op == OP_SUB) {
    add(aSig, aSe, bSig, bSe, op == OP_SUB);
    const differ = signOf(aSe) != (signOf(bSe) ^ u32(op == OP_SUB));
    if (zSig == 0 && differ && roundingDown()) give(0, 0x8000);
  } else if (op == OP_MUL) {
    mul(aSig, aSe, bSig, bSe);
  } else {
    div(aSig, aSe, bSig, bSe);
  }
  if (raised & EX_INVALID) {
    laneFlags = before | EX_INVALID;
    return indefinite(double);
  }
  if (raised & EX_ZERO) laneFlags = before | EX_ZERO;
  return roundLane(sticky(), zSe, double);
}

/** MIN, MAX: the second operand if either is a NaN or both are zeros. */
function selectLane(op: u32, a: u64, b: u64, double: bool): u64 {
  if (isNanLane(a, double) || isNanLane(b, double)) {
    laneFlags |= EX_INVALID;
    return isDenormalLane(b, double) && mxcsr() & DAZ ? b & signBit(double) : b;
  }
  a = operand(a, double);
  b = operand(b, double);
  const relation = order(a, b, double);
  return relation == (op == OP_MIN ? 2 : 1) ? a : b;
}

/** 0 equal, 1 a greater, 2 a less; no NaNs. */
function order(a: u64, b: u64, double: bool): i32 {
  const x = double ? reinterpret<f64>(a) : <f64>reinterpret<f32>(<u32>a);
  const y = double ? reinterpret<f64>(b) : <f64>reinterpret<f32>(<u32>b);
  return x == y ? 0 : x > y ? 1 : 2;
}

export function sqrtLane(v: u64, double: bool): u64 {
  if (isNanLane(v, double)) return nanOf(v, v, double);
  const before = laneFlags;
  v = operand(v, double);
  begin(EXACT, false);
  widen(v, double);
  sqrt80(zSig, zSe);
  if (raised & EX_INVALID) {
    laneFlags = before | EX_INVALID;
    return indefinite(double);
  }
  return roundLane(sticky(), zSe, double);
}

/** Relation for COMIS and CMP: 0 equal, 1 greater, 2 less, 3 unordered. `quiet`: only signalling NaNs are invalid. */
export function compareLane(a: u64, b: u64, double: bool, quiet: bool): i32 {
  if (isNanLane(a, double) || isNanLane(b, double)) {
    if (!quiet || isSignallingLane(a, double) || isSignallingLane(b, double)) laneFlags |= EX_INVALID;
    return 3;
  }
  return order(operand(a, double), operand(b, double), double);
}

/** CMPxx: all ones or zeros. Predicates EQ LT LE UNORD NEQ NLT NLE ORD. */
export function predicateLane(predicate: u32, a: u64, b: u64, double: bool): u64 {
  const kind = predicate & 3;
  const relation = compareLane(a, b, double, kind == 0 || kind == 3);
  let holds: bool;
  if (kind == 0) holds = relation == 0;
  else if (kind == 1) holds = relation == 2;
  else if (kind == 2) holds = relation == 2 || relation == 0;
  else holds = relation == 3;
  return holds != ((predicate & 4) != 0) ? (double ? <u64>-1 : 0xffffffff) : 0;
}

/** Single to double or double to single. */
export function convertLane(v: u64, fromDoubleLane: bool): u64 {
  if (isNanLane(v, fromDoubleLane)) {
    if (isSignallingLane(v, fromDoubleLane)) laneFlags |= EX_INVALID;
    if (fromDoubleLane) return ((v >> 32) & 0x80000000) | 0x7fc00000 | ((v >> 29) & 0x3fffff);
    return ((v & 0x80000000) << 32) | 0x7ff8000000000000 | ((v & 0x3fffff) << 29);
  }
  v = operand(v, fromDoubleLane);
  begin(EXACT, false);
  widen(v, fromDoubleLane);
  return roundLane(zSig, zSe, !fromDoubleLane);
}

/** Signed integer to a lane. */
export function fromIntegerLane(value: i64, double: bool): u64 {
  begin(EXACT, false);
  fromInteger(value);
  return roundLane(zSig, zSe, double);
}

/** Lane to a signed integer of 32 or 64 bits, truncating or as MXCSR rounds; out of range: IE and the integer indefinite. */
export function toIntegerLane(v: u64, double: bool, bits: u32, truncate: bool): u64 {
  if (isDenormalLane(v, double) && mxcsr() & DAZ) v &= signBit(double);
  begin(controlWord(), false);
  widen(v, double);
  if (truncate) setRounding(3);
  toInteger(zSig, zSe, bits);
  laneFlags |= raised;
  return narrow;
}
