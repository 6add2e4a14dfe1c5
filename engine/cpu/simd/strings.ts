/** PCMPESTRM (60), PCMPESTRI (61), PCMPISTRM (62), PCMPISTRI (63) (SDM 2, 4.1). */
import { VCPU_GPR, VCPU_RCX, VCPU_XMM } from '../../abi/index';
import { F_CF, F_OF, F_SF, F_ZF, setArithmeticFlags } from '../flags';
import { cpu } from '../state';

/** Fields of the immediate. */
const WORDS: u32 = 1;
const SIGNED: u32 = 2;
const EQUAL_ANY: u32 = 0;
const RANGES: u32 = 1;
const EQUAL_EACH: u32 = 2;
const NEGATIVE: u32 = 0x10;
const MASKED: u32 = 0x20;
/** For an index: the last one; for a mask: whole elements. */
const LAST: u32 = 0x40;

let words: bool = false;
let signed: bool = false;
let elements: u32 = 16;

function element(at: usize, i: u32): i32 {
  if (words) return signed ? <i32>load<i16>(at + ((<usize>i) << 1)) : <i32>load<u16>(at + ((<usize>i) << 1));
  return signed ? <i32>load<i8>(at + <usize>i) : <i32>load<u8>(at + <usize>i);
}

/** Elements before the first zero. */
function implicitLength(at: usize): u32 {
  let i: u32 = 0;
  while (i < elements && element(at, i) != 0) i++;
  return i;
}

/** The magnitude of a length in a register, at most all elements. */
function explicitLength(register: usize, wide: bool): u32 {
  const value = wide ? load<i64>(cpu + VCPU_GPR + register) : <i64>load<i32>(cpu + VCPU_GPR + register);
  const magnitude = <u64>(value < 0 ? -value : value);
  return <u32>min<u64>(magnitude, <u64>elements);
}

/** One bit for each element of b: the result of `kind` for it and the elements of a. Elements past an end compare as in SDM 2 table 4-7. */
function aggregate(kind: u32, a: usize, aLength: u32, b: usize, bLength: u32): u32 {
  let bits: u32 = 0;
  for (let j: u32 = 0; j < elements; j++) {
    let holds = false;
    if (kind == EQUAL_ANY || kind == RANGES) {
      if (j < bLength) holds = kind == EQUAL_ANY ? isOneOf(a, aLength, element(b, j)) : isInRange(a, aLength, element(b, j));
    } else if (kind == EQUAL_EACH) {
      if (j < aLength && j < bLength) holds = element(a, j) == element(b, j);
      else holds = j >= aLength && j >= bLength;
    } else {
      holds = startsAt(a, aLength, b, bLength, j);
    }
    if (holds) bits |= 1 << j;
  }
  return bits;
}

function isOneOf(set: usize, length: u32, value: i32): bool {
  for (let i: u32 = 0; i < length; i++) if (element(set, i) == value) return true;
  return false;
}

/** Pairs of a lower and an upper bound; a pair counts when both lie before the end. */
function isInRange(pairs: usize, length: u32, value: i32): bool {
  for (let i: u32 = 0; i + 1 < length; i += 2) if (value >= element(pairs, i) && value <= element(pairs, i + 1)) return true;
  return false;
}

/** Does the string a occur at element j of b, as far as b's register reaches? */
function startsAt(a: usize, aLength: u32, b: usize, bLength: u32, j: u32): bool {
  for (let i: u32 = 0; i < aLength && j + i < elements; i++) {
    if (j + i >= bLength || element(a, i) != element(b, j + i)) return false;
  }
  return true;
}

/** XMM0 := the bits, or with LAST whole elements. */
function storeMask(bits: u32, whole: bool): void {
  store<u64>(cpu, whole ? 0 : <u64>bits, VCPU_XMM);
  store<u64>(cpu, 0, VCPU_XMM + 8);
  if (!whole) return;
  for (let i: u32 = 0; i < elements; i++) {
    if (!((bits >> i) & 1)) continue;
    if (words) store<u16>(cpu + ((<usize>i) << 1), 0xffff, VCPU_XMM);
    else store<u8>(cpu + <usize>i, 0xff, VCPU_XMM);
  }
}

export function compareStrings(opcode: u32, wide: bool, immediate: u32, a: usize, b: usize): void {
  words = (immediate & WORDS) != 0;
  signed = (immediate & SIGNED) != 0;
  elements = words ? 8 : 16;
  const explicit = opcode < 0x62;
  const aLength = explicit ? explicitLength(0, wide) : implicitLength(a);
  const bLength = explicit ? explicitLength(16, wide) : implicitLength(b);
  let bits = aggregate((immediate >> 2) & 3, a, aLength, b, bLength);
  if (immediate & NEGATIVE) bits ^= immediate & MASKED ? (1 << bLength) - 1 : (1 << elements) - 1;
  if (opcode & 1) {
    const index = bits == 0 ? elements : immediate & LAST ? 31 - clz<u32>(bits) : ctz<u32>(bits);
    store<u64>(cpu, <u64>index, VCPU_RCX);
  } else {
    storeMask(bits, (immediate & LAST) != 0);
  }
  setArithmeticFlags((bits != 0 ? F_CF : 0) | (bLength < elements ? F_ZF : 0) | (aLength < elements ? F_SF : 0) | (bits & 1 ? F_OF : 0));
}
