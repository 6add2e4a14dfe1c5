/** RFLAGS: the lazy arithmetic flags (layout and kinds: abi/flags.ts) and the other flags. */
import {
  F_AC,
  FL_BITS,
  FL_FIRST,
  FL_RESULT,
  FL_SYS,
  FL_WORD,
  FLAGS_ADD,
  FLAGS_DEC,
  FLAGS_INC,
  FLAGS_LOGIC,
  FLAGS_RAW,
  FLAGS_RES,
  FLAGS_SUB,
} from '../abi/flags';
import { modeChanged } from './mmu-mode';
import { cpu } from './state';

export * from '../abi/flags';

export const F_CF: u32 = 1;
export const F_PF: u32 = 4;
export const F_AF: u32 = 0x10;
export const F_ZF: u32 = 0x40;
export const F_SF: u32 = 0x80;
export const F_TF: u32 = 0x100;
export const F_IF: u32 = 0x200;
export const F_DF: u32 = 0x400;
export const F_OF: u32 = 0x800;
export const F_IOPL: u32 = 0x3000;
export const F_NT: u32 = 0x4000;
export const F_RF: u32 = 0x10000;
export const F_VM: u32 = 0x20000;
export const F_VIF: u32 = 0x80000;
export const F_VIP: u32 = 0x100000;
export const F_ID: u32 = 0x200000;
export const ARITHMETIC: u32 = 0x8d5;
const SYSTEM: u32 = F_TF | F_IF | F_DF | F_IOPL | F_NT | F_RF | F_VM | F_AC | F_VIF | F_VIP | F_ID;

/** The flags outside the arithmetic six (and bit 1). */
@inline
export function sysFlags(): u32 {
  return load<u32>(cpu, FL_SYS);
}
@inline
export function setSysFlags(value: u32): void {
  store<u32>(cpu, value, FL_SYS);
}

export function carry(): u32 {
  const kind = load<u32>(cpu, FL_WORD) & 255;
  if (kind == FLAGS_SUB) return u32(load<u64>(cpu, FL_RESULT) > load<u64>(cpu, FL_FIRST));
  if (kind == FLAGS_ADD) return u32(load<u64>(cpu, FL_RESULT) < load<u64>(cpu, FL_FIRST));
  if (kind == FLAGS_LOGIC) return 0;
  return load<u32>(cpu, FL_BITS) & F_CF;
}

@inline
export function zero(): u32 {
  return u32(load<u64>(cpu, FL_RESULT) == 0);
}

export function sign(): u32 {
  const word = load<u32>(cpu, FL_WORD);
  if ((word & 255) == FLAGS_RAW) return (load<u32>(cpu, FL_BITS) >> 7) & 1;
  return u32(<i64>(load<u64>(cpu, FL_RESULT) << (word >> 8)) < 0);
}

export function overflow(): u32 {
  const word = load<u32>(cpu, FL_WORD);
  const kind = word & 255;
  const shift = <u64>(word >> 8);
  const result = load<u64>(cpu, FL_RESULT);
  const first = load<u64>(cpu, FL_FIRST);
  if (kind == FLAGS_SUB) return u32(<i64>(((first ^ (first - result)) & (first ^ result)) << shift) < 0);
  if (kind == FLAGS_ADD) return u32(<i64>(((first ^ result) & ((result - first) ^ result)) << shift) < 0);
  if (kind == FLAGS_LOGIC) return 0;
  if (kind == FLAGS_INC) return u32(result << shift == 0x8000000000000000);
  if (kind == FLAGS_DEC) return u32(result << shift == (<u64>0x7fffffffffffffff >> shift) << shift);
  return (load<u32>(cpu, FL_BITS) >> 11) & 1;
}

function parity(): u32 {
  if ((load<u32>(cpu, FL_WORD) & 255) == FLAGS_RAW) return (load<u32>(cpu, FL_BITS) >> 2) & 1;
  return ~popcnt<u32>(<u32>load<u8>(cpu, FL_RESULT)) & 1;
}

function adjust(): u32 {
  const kind = load<u32>(cpu, FL_WORD) & 255;
  const result = <u32>load<u64>(cpu, FL_RESULT);
  const first = <u32>load<u64>(cpu, FL_FIRST);
  if (kind == FLAGS_SUB) return (first ^ (first - result) ^ result) & F_AF;
  if (kind == FLAGS_ADD) return (first ^ (result - first) ^ result) & F_AF;
  if (kind == FLAGS_LOGIC) return 0;
  if (kind == FLAGS_INC) return (result & 15) == 0 ? F_AF : 0;
  if (kind == FLAGS_DEC) return (result & 15) == 15 ? F_AF : 0;
  return load<u32>(cpu, FL_BITS) & F_AF;
}

/** CF PF AF ZF SF OF in their RFLAGS positions. */
export function arithmeticFlags(): u32 {
  const word = load<u32>(cpu, FL_WORD);
  const kind = word & 255;
  if (kind == FLAGS_RAW) return load<u32>(cpu, FL_BITS);
  if (kind == FLAGS_SUB) {
    const result = load<u64>(cpu, FL_RESULT);
    const first = load<u64>(cpu, FL_FIRST);
    const second = first - result;
    const shift = <u64>(word >> 8);
    const high = ((first ^ second) & (first ^ result)) << shift;
    return (
      u32(result > first) |
      ((~popcnt<u32>(<u32>result & 255) & 1) << 2) |
      (<u32>(first ^ second ^ result) & F_AF) |
      (u32(result == 0) << 6) |
      (<u32>((result << shift) >> 56) & F_SF) |
      ((<u32>(high >> 63)) << 11)
    );
  }
  return carry() | (parity() << 2) | adjust() | (zero() << 6) | (sign() << 7) | (overflow() << 11);
}

export function setArithmeticFlags(value: u32): void {
  store<u32>(cpu, FLAGS_RAW, FL_WORD);
  store<u64>(cpu, 0, FL_FIRST);
  store<u64>(cpu, u64((value & F_ZF) == 0), FL_RESULT);
  store<u32>(cpu, value & ARITHMETIC, FL_BITS);
}

/** Flags of a result of `bits` bits (zero-extended) with CF, AF and OF given. */
export function setResultFlags(result: u64, bits: u32, explicit: u32): void {
  store<u32>(cpu, FLAGS_RES | ((64 - bits) << 8), FL_WORD);
  store<u64>(cpu, result, FL_RESULT);
  store<u32>(cpu, explicit, FL_BITS);
}

/** RFLAGS. */
export function getFlags(): u32 {
  return arithmeticFlags() | load<u32>(cpu, FL_SYS) | 2;
}

/** Sets all flags; reserved bits are dropped. */
@inline
export function setFlags(value: u32): void {
  const changed = value ^ load<u32>(cpu, FL_SYS);
  setArithmeticFlags(value);
  store<u32>(cpu, value & SYSTEM, FL_SYS);
  if (changed & F_AC) modeChanged();
}

/** Condition codes of Jcc, SETcc, CMOVcc (SDM 1 appendix B): 0 or 1. */
export function condition(code: u32): u32 {
  let result: u32;
  switch (code >> 1) {
    case 0:
      result = overflow();
      break;
    case 1:
      result = carry();
      break;
    case 2:
      result = zero();
      break;
    case 3:
      result = carry() | zero();
      break;
    case 4:
      result = sign();
      break;
    case 5:
      result = parity();
      break;
    case 6:
      result = sign() ^ overflow();
      break;
    default:
      result = zero() | (sign() ^ overflow());
      break;
  }
  return result ^ (code & 1);
}
