/**
 * Flags at the exit of a compiled region, which keeps only the last operation that set them and its operands. `word` is the kind | (64 - bits) << 8;
 * operands and results are zero-extended. engine/jit/flag-kinds.ts lists the kinds that flags.ts does not have.
 */
import {
  FL_BITS,
  FL_FIRST,
  FL_RESULT,
  FL_WORD,
  FLAGS_ADD,
  FLAGS_DEC,
  FLAGS_INC,
  FLAGS_LOGIC,
  FLAGS_SUB,
  setArithmeticFlags,
  setResultFlags,
} from './flags';
import { mulHighSigned } from './ops-muldiv';
import { cpu } from './state';

const COMPARE: u32 = 7;
const ADC: u32 = 8;
const SBB: u32 = 9;
const SHL: u32 = 10;
const SHR: u32 = 11;
const SAR: u32 = 12;
const IMUL: u32 = 13;
const GIVEN: u32 = 14;

function keep(kind: u32, shift: u32, first: u64, result: u64, bits: u32): void {
  store<u32>(cpu, kind | (shift << 8), FL_WORD);
  store<u64>(cpu, first, FL_FIRST);
  store<u64>(cpu, result, FL_RESULT);
  store<u32>(cpu, bits, FL_BITS);
}

/** CF of a multiplication that lost bits; OF is the same. */
function lost(a: u64, b: u64, r: u64, bits: u32): u32 {
  if (bits == 64) return u32(<i64>mulHighSigned(a, b) != <i64>r >> 63);
  return u32(<i64>(<i32>a) * <i64>(<i32>b) != <i64>(<i32>r));
}

/** Stores the lazy flags of operation `word` on `first` and `second` with this result. Each case says which of them its kind needs. */
export function storeLazyFlags(word: u32, first: u64, second: u64, result: u64): void {
  const shift = word >> 8;
  const bits = 64 - shift;
  const mask = <u64>-1 >> <u64>shift;
  switch (word & 255) {
    case FLAGS_SUB: // second, result
      keep(FLAGS_SUB, shift, (result + second) & mask, result, 0);
      return;
    case FLAGS_ADD: // second, result
      keep(FLAGS_ADD, shift, (result - second) & mask, result, 0);
      return;
    case FLAGS_LOGIC: // result
      keep(FLAGS_LOGIC, shift, 0, result, 0);
      return;
    case FLAGS_INC: // CF in second, result
    case FLAGS_DEC:
      keep(word & 255, shift, 0, result, <u32>second);
      return;
    case COMPARE: // first, second
      keep(FLAGS_SUB, shift, first, (first - second) & mask, 0);
      return;
    case ADC: {
      const carried = (result - first - second) & mask;
      const cf = u32(result < first || (carried != 0 && result == first));
      const over = <u32>(((first ^ result) & (second ^ result)) >> <u64>(bits - 1)) & 1;
      setResultFlags(result, bits, cf | (<u32>(first ^ second ^ result) & 16) | (over << 11));
      return;
    }
    case SBB: {
      const borrowed = (first - second - result) & mask;
      const cf = u32(first < second || (borrowed != 0 && first == second));
      const over = <u32>(((first ^ second) & (first ^ result)) >> <u64>(bits - 1)) & 1;
      setResultFlags(result, bits, cf | (<u32>(first ^ second ^ result) & 16) | (over << 11));
      return;
    }
    case SHL: {
      // first, count in second, result
      const out = <u32>(first >> <u64>(bits - <u32>second)) & 1;
      setResultFlags(result, bits, out | ((out ^ (<u32>(result >> <u64>(bits - 1)) & 1)) << 11));
      return;
    }
    case SHR: {
      const out = <u32>(first >> (second - 1)) & 1;
      setResultFlags(result, bits, out | ((<u32>(first >> <u64>(bits - 1)) & u32(second == 1)) << 11));
      return;
    }
    case SAR: {
      setResultFlags(result, bits, <u32>(<i64>(first << (<u64>shift)) >> <i64>(second - 1 + <u64>shift)) & 1);
      return;
    }
    case IMUL: {
      const t = lost(first, second, result, bits);
      setResultFlags(result, bits, t | (t << 11));
      return;
    }
    case GIVEN: // the flags are in result
      setArithmeticFlags(<u32>result);
      return;
    default:
      return; // nothing was set since the record was exact
  }
}
