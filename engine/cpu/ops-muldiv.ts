/** MUL, IMUL, DIV, IDIV of all sizes. SDM 2. ZF SF AF PF after a multiplication come from the low half; they are undefined. */
import { VCPU_RAX, VCPU_RDX } from '../abi/index';
import { F_CF, F_OF, setResultFlags } from './flags';
import { memVal, operandSize, regRead, regWrite, rmRead } from './mem';
import { R_IMM, R_KIND } from './record';
import { cpu, raise, VEC_DE } from './state';

export function mulHigh(a: u64, b: u64): u64 {
  const a0 = a & 0xffffffff;
  const a1 = a >> 32;
  const b0 = b & 0xffffffff;
  const b1 = b >> 32;
  const low = a0 * b0;
  const mid = a1 * b0 + (low >> 32);
  const mid2 = a0 * b1 + (mid & 0xffffffff);
  return a1 * b1 + (mid >> 32) + (mid2 >> 32);
}
export function mulHighSigned(a: u64, b: u64): u64 {
  return mulHigh(a, b) - (<i64>a < 0 ? b : 0) - (<i64>b < 0 ? a : 0);
}

function setWide(size: i32, low: u64, high: u64, carried: bool): i32 {
  if (size == 1) store<u16>(cpu, <u16>low, VCPU_RAX);
  else if (size == 2) {
    store<u16>(cpu, <u16>low, VCPU_RAX);
    store<u16>(cpu, <u16>high, VCPU_RDX);
  } else {
    store<u64>(cpu, low, VCPU_RAX);
    store<u64>(cpu, high, VCPU_RDX);
  }
  const result = size == 8 ? low : low & (((<u64>1) << ((<u64>size) << 3)) - 1);
  setResultFlags(result, (<u32>size) << 3, carried ? F_CF | F_OF : 0);
  return 1;
}

export function opMul(p: usize): i32 {
  const size = operandSize(p);
  if (!rmRead(p, size)) return 0;
  const b = memVal;
  if (size == 8) {
    const a = load<u64>(cpu, VCPU_RAX);
    const high = mulHigh(a, b);
    return setWide(8, a * b, high, high != 0);
  }
  const mask = ((<u64>1) << ((<u64>size) << 3)) - 1;
  const product = (load<u64>(cpu, VCPU_RAX) & mask) * b;
  const high = (product >> ((<u64>size) << 3)) & mask;
  return setWide(size, size == 1 ? product : product & mask, high, high != 0);
}

function signExtend(value: u64, size: i32): i64 {
  const shift = 64 - ((<u64>size) << 3);
  return <i64>(value << shift) >> shift;
}

export function opImul1(p: usize): i32 {
  const size = operandSize(p);
  if (!rmRead(p, size)) return 0;
  if (size == 8) {
    const a = load<u64>(cpu, VCPU_RAX);
    const low = a * memVal;
    const high = mulHighSigned(a, memVal);
    return setWide(8, low, high, <i64>high != <i64>low >> 63);
  }
  const product = signExtend(load<u64>(cpu, VCPU_RAX), size) * signExtend(memVal, size);
  const mask = ((<u64>1) << ((<u64>size) << 3)) - 1;
  const high = (<u64>product >> ((<u64>size) << 3)) & mask;
  return setWide(size, size == 1 ? <u64>product : <u64>product & mask, high, product != signExtend(<u64>product, size));
}

/** 16-bit IMUL r, rm and (R_KIND 1) IMUL r, rm, imm. */
export function opImul16(p: usize): i32 {
  if (!rmRead(p, 2)) return 0;
  const other = load<u32>(p, R_KIND) ? <i64>(<i16>load<i64>(p, R_IMM)) : <i64>(<i16>regRead(p, 2));
  const product = other * <i64>(<i16>memVal);
  regWrite(p, 2, <u64>product);
  setResultFlags(<u64>product & 0xffff, 16, product != <i64>(<i16>product) ? F_CF | F_OF : 0);
  return 1;
}

/** Remainder of the last divide128. */
let remainder: u64 = 0;
/** (high:low) / divisor with high < divisor, bit by bit where the dividend needs more than 64 bits. */
function divide128(high: u64, low: u64, divisor: u64): u64 {
  if (high == 0) {
    remainder = low % divisor;
    return low / divisor;
  }
  let rest = high;
  let quotient: u64 = 0;
  for (let i = 63; i >= 0; i--) {
    const carried = rest >> 63;
    rest = (rest << 1) | ((low >> <u64>i) & 1);
    if (carried || rest >= divisor) {
      rest -= divisor;
      quotient |= (<u64>1) << (<u64>i);
    }
  }
  remainder = rest;
  return quotient;
}

function setQuotient(size: i32, quotient: u64, rest: u64): i32 {
  if (size == 1) store<u16>(cpu, <u16>((quotient & 255) | (rest << 8)), VCPU_RAX);
  else if (size == 2) {
    store<u16>(cpu, <u16>quotient, VCPU_RAX);
    store<u16>(cpu, <u16>rest, VCPU_RDX);
  } else {
    store<u64>(cpu, size == 4 ? quotient & 0xffffffff : quotient, VCPU_RAX);
    store<u64>(cpu, size == 4 ? rest & 0xffffffff : rest, VCPU_RDX);
  }
  return 1;
}

/** The dividend of an 8-, 16- or 32-bit division. */
function dividend(size: i32): u64 {
  if (size == 1) return <u64>load<u16>(cpu, VCPU_RAX);
  if (size == 2) return ((<u64>load<u16>(cpu, VCPU_RDX)) << 16) | <u64>load<u16>(cpu, VCPU_RAX);
  return ((<u64>load<u32>(cpu, VCPU_RDX)) << 32) | <u64>load<u32>(cpu, VCPU_RAX);
}

export function opDiv(p: usize): i32 {
  const size = operandSize(p);
  if (!rmRead(p, size)) return 0;
  const divisor = memVal;
  if (divisor == 0) return raise(VEC_DE, 0);
  if (size == 8) {
    const high = load<u64>(cpu, VCPU_RDX);
    if (high >= divisor) return raise(VEC_DE, 0);
    const quotient = divide128(high, load<u64>(cpu, VCPU_RAX), divisor);
    return setQuotient(8, quotient, remainder);
  }
  const value = dividend(size);
  const quotient = value / divisor;
  if (quotient >> ((<u64>size) << 3)) return raise(VEC_DE, 0);
  return setQuotient(size, quotient, value % divisor);
}

export function opIdiv(p: usize): i32 {
  const size = operandSize(p);
  if (!rmRead(p, size)) return 0;
  if (memVal == 0) return raise(VEC_DE, 0);
  if (size == 8) return signedDivide128(memVal);
  const divisor = signExtend(memVal, size);
  const value = size == 4 ? <i64>dividend(4) : signExtend(dividend(size), size * 2);
  if (divisor == -1 && value == i64.MIN_VALUE) return raise(VEC_DE, 0);
  const quotient = value / divisor;
  if (quotient != signExtend(<u64>quotient, size)) return raise(VEC_DE, 0);
  return setQuotient(size, <u64>quotient, <u64>(value % divisor));
}

function signedDivide128(raw: u64): i32 {
  let high = load<u64>(cpu, VCPU_RDX);
  let low = load<u64>(cpu, VCPU_RAX);
  const negative = <i64>high < 0;
  const divisorNegative = <i64>raw < 0;
  const divisor = divisorNegative ? 0 - raw : raw;
  if (negative) {
    low = 0 - low;
    high = ~high + (low == 0 ? 1 : 0);
  }
  if (high >= divisor) return raise(VEC_DE, 0);
  const quotient = divide128(high, low, divisor);
  const minus = negative != divisorNegative;
  if (quotient > (minus ? 0x8000000000000000 : 0x7fffffffffffffff)) return raise(VEC_DE, 0);
  return setQuotient(8, minus ? 0 - quotient : quotient, negative ? 0 - remainder : remainder);
}
