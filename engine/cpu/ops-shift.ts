/** Shifts and rotates in their general forms, SHLD and SHRD. SDM 2. Undefined OF (count above 1) gets the count-1 formula. */
import { VCPU_RCX } from '../abi/index';
import { arithmeticFlags, carry, F_CF, F_OF, setArithmeticFlags, setResultFlags } from './flags';
import { inMemory, memVal, operandSize, regRead, rmModify, rmWrite } from './mem';
import { R_IMM, R_KIND } from './record';
import { cpu } from './state';

let result: u64 = 0;
let out: u32 = 0;
let over: u32 = 0;

@inline
function maskOf(bits: u64): u64 {
  return bits == 64 ? 0xffffffffffffffff : ((<u64>1) << bits) - 1;
}
@inline
function topBit(value: u64, bits: u64): u32 {
  return <u32>(value >> (bits - 1)) & 1;
}

function rotateLeft(a: u64, bits: u64, count: u64): void {
  const n = count % bits;
  result = n == 0 ? a : ((a << n) | (a >> (bits - n))) & maskOf(bits);
  out = <u32>result & 1;
  over = topBit(result, bits) ^ out;
}
function rotateRight(a: u64, bits: u64, count: u64): void {
  const n = count % bits;
  result = n == 0 ? a : ((a >> n) | (a << (bits - n))) & maskOf(bits);
  out = topBit(result, bits);
  over = out ^ (<u32>(result >> (bits - 2)) & 1);
}
/** Through CF: one bit at a time, the count is at most 63. */
function rotateCarry(a: u64, bits: u64, count: u64, left: bool): void {
  let value = a;
  let cf = carry();
  const first = cf;
  for (let n: u64 = count % (bits + 1); n > 0; n--) {
    if (left) {
      const top = topBit(value, bits);
      value = ((value << 1) | <u64>cf) & maskOf(bits);
      cf = top;
    } else {
      const low = <u32>value & 1;
      value = (value >> 1) | ((<u64>cf) << (bits - 1));
      cf = low;
    }
  }
  result = value;
  out = cf;
  over = left ? topBit(value, bits) ^ cf : topBit(a, bits) ^ first;
}
function shiftLeft(a: u64, bits: u64, count: u64): void {
  result = (a << count) & maskOf(bits);
  out = count <= bits ? <u32>(a >> (bits - count)) & 1 : 0;
  over = topBit(result, bits) ^ out;
}
function shiftRight(a: u64, bits: u64, count: u64): void {
  result = a >> count;
  out = <u32>(a >> (count - 1)) & 1;
  over = count == 1 ? topBit(a, bits) : 0;
}
function shiftArithmetic(a: u64, bits: u64, count: u64): void {
  const wide = <i64>(a << (64 - bits)) >> (64 - bits);
  result = <u64>(wide >> count) & maskOf(bits);
  out = <u32>(wide >> (count - 1)) & 1;
  over = 0;
}

/** R_IMM: the count, -1: CL. */
@inline
function countOf(p: usize, size: i32): u64 {
  const given = load<i64>(p, R_IMM);
  return (given < 0 ? <u64>load<u8>(cpu, VCPU_RCX) : <u64>given) & (size == 8 ? 63 : 31);
}

/** R_KIND: ROL ROR RCL RCR SHL SHR SAL SAR. */
export function opShift(p: usize): i32 {
  const size = operandSize(p);
  const bits = (<u64>size) << 3;
  const count = countOf(p, size);
  if (!rmModify(p, size)) return 0;
  const a = memVal;
  if (count == 0) return inMemory(p) ? 1 : rmWrite(p, size, a);
  const kind = load<u32>(p, R_KIND);
  switch (kind) {
    case 0:
      rotateLeft(a, bits, count);
      break;
    case 1:
      rotateRight(a, bits, count);
      break;
    case 2:
      rotateCarry(a, bits, count, true);
      break;
    case 3:
      rotateCarry(a, bits, count, false);
      break;
    case 5:
      shiftRight(a, bits, count);
      break;
    case 7:
      shiftArithmetic(a, bits, count);
      break;
    default:
      shiftLeft(a, bits, count);
  }
  const flags = out | (over << 11);
  const before = arithmeticFlags();
  if (!rmWrite(p, size, result)) return 0;
  if (kind >= 4) setResultFlags(result, <u32>bits, flags);
  else if (kind < 2 || count % (bits + 1) != 0) setArithmeticFlags((before & ~(F_CF | F_OF)) | flags);
  return 1;
}

/** A count above 16 with 16-bit operands is undefined: the double register rotates on. */
function doubleShift(p: usize, left: bool): i32 {
  const size = operandSize(p);
  const bits = (<u64>size) << 3;
  const count = countOf(p, size);
  if (!rmModify(p, size)) return 0;
  const a = memVal;
  if (count == 0) return inMemory(p) ? 1 : rmWrite(p, size, a);
  const b = regRead(p, size);
  if (size == 2) shortDouble(a, b, count, left);
  else if (left) {
    result = ((a << count) | (b >> (bits - count))) & maskOf(bits);
    out = <u32>(a >> (bits - count)) & 1;
  } else {
    result = ((a >> count) | (b << (bits - count))) & maskOf(bits);
    out = <u32>(a >> (count - 1)) & 1;
  }
  over = topBit(result, bits) ^ topBit(a, bits);
  const cf = out;
  if (!rmWrite(p, size, result)) return 0;
  setResultFlags(result, <u32>bits, cf | (over << 11));
  return 1;
}
function shortDouble(a: u64, b: u64, count: u64, left: bool): void {
  if (left) {
    const wide = (a << 32) | (b << 16) | a;
    result = (wide >> (32 - count)) & 0xffff;
    out = <u32>(wide >> (48 - count)) & 1;
  } else {
    const wide = (a << 32) | (b << 16) | a;
    result = (wide >> count) & 0xffff;
    out = <u32>(wide >> (count - 1)) & 1;
  }
}
export function opShld(p: usize): i32 {
  return doubleShift(p, true);
}
export function opShrd(p: usize): i32 {
  return doubleShift(p, false);
}
