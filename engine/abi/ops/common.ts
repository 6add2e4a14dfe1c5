/**
 * Which inline operations are common: the interpreter's loop has their handlers, and a function beside it those of all others, which are rare.
 *
 * The loop must stay small: V8 gives a function of up to 8,192 virtual registers its better register allocator (Node 20: a tenth of the time of
 * interpreted code), and all handlers have three times that many. A rare operation costs a call and a second dispatch. Common are those that a count
 * (`npm run asm -- --profile`) found in the workloads of `npm run bench`, or as more than 0.01 % in the boot of Linux, and some counterparts.
 */
import type { Operation } from './operation';

/** Action and form: sizes in bits. `quiet`: the form without flags. */
const PLAIN: Readonly<Record<string, string>> = {
  'add rr': '8 32 64',
  'add ri': '8 32 64',
  'add rm': '32 64',
  'add rx': '32 64',
  'add mr': '32 64',
  'add mi': '32 64',
  'or rr': '8 32 64',
  'or ri': '32 64',
  'or rm': '64',
  'or mi': '8 32 64',
  'adc rr': '64',
  'adc ri': '32 64',
  'adc mr': '32',
  'sbb rr': '32',
  'sbb ri': '32',
  'and rr': '32 64',
  'and ri': '8 32 64',
  'and rm': '8 32 64',
  'and mi': '32 64',
  'sub rr': '32 64',
  'sub ri': '32 64',
  'sub rm': '32 64',
  'xor rr': '32 64',
  'xor ri': '32',
  'xor rm': '8',
  'xor rx': '32',
  'xor mr': '32',
  'cmp rr': '32 64',
  'cmp ri': '8 16 32 64',
  'cmp rm': '64',
  'cmp mr': '32 64',
  'cmp mi': '8 32 64',
  'test rr': '32 64',
  'test ri': '8',
  'test mi': '8 32',
  'inc r': '32 64',
  'inc m': '32 64',
  'dec r': '32',
  'dec m': '32',
  'neg r': '32 64',
  'not r': '32 64',
  'shl ri': '32 64',
  'shl rc': '32 64',
  'shr ri': '32 64',
  'shr rc': '32 64',
  'sar ri': '64',
  'sar rc': '64',
  'rol ri': '32',
  'ror ri': '32',
  'imul rr': '64',
  'imul rm': '32',
  'imul rri': '32',
  'mov rr': '8 32 64',
  'mov ri': '32 64',
  'mov rm': '8 16 32 64',
  'mov rx': '32 64',
  'mov mr': '8 16 32 64',
  'mov xr': '8 32 64',
  'mov mi': '8 32 64',
  'quiet add rr': '32 64',
  'quiet add ri': '32 64',
  'quiet or rr': '32 64',
  'quiet or ri': '32 64',
  'quiet and rr': '32 64',
  'quiet and ri': '32 64',
  'quiet sub rr': '32 64',
  'quiet sub ri': '32 64',
  'quiet xor rr': '32 64',
  'quiet xor ri': '32 64',
  'quiet shl ri': '32 64',
  'quiet shr ri': '32 64',
  'quiet sar ri': '32 64',
};

/** Joined with a branch: operation, condition codes. */
const JOINED: Readonly<Record<string, string>> = {
  cmp_rr8: '4 5',
  cmp_rr32: '2 3 4 5 12 13 14 15',
  cmp_rr64: '2 3 4 5 12 13 14 15',
  cmp_ri8: '4 5 6 7',
  cmp_ri32: '2 3 4 5 6 7',
  cmp_ri64: '2 3 4 5 6 7',
  cmp_rx8: '4 5',
  cmp_rx32: '3 5',
  cmp_rx64: '2 4 5',
  cmp_mr8: '5',
  cmp_mr32: '2 4 5 14',
  cmp_mr64: '2 3 4 5 14',
  cmp_mi8: '4 5',
  cmp_mi32: '4 5',
  cmp_mi64: '4 5',
  test_rr8: '4 5 8 9',
  test_rr32: '4 5 8 9 14 15',
  test_rr64: '4 5 8 9',
  test_ri8: '4 5',
  test_ri32: '4 5',
  test_ri64: '4 5',
  test_mi8: '4 5',
  add_ri32: '5',
  add_ri64: '4',
  and_ri32: '4 5',
  sub_rr32: '4',
  sub_ri32: '5 8',
  sub_ri64: '5',
  dec_r32: '5',
  dec_r64: '5',
};

/** Common whatever the count says: few, and with no other handlers like them. */
const FAMILIES: readonly string[] = ['branch', 'control', 'stack'];
const NAMES: readonly string[] = [
  ...['cmov_r32', 'cmov_r64', 'lea_m64', 'lea_x64', 'lea_m32', 'lea_x32', 'ea64', 'ea32', 'nop', 'cdqe', 'setcc_r', 'bswap64'],
  ...['movzx_8_32_r', 'movzx_8_32_m', 'movzx_8_32_x', 'movzx_16_32_r', 'movzx_16_32_m', 'movzx_16_32_x'],
  ...['movsx_8_32_r', 'movsx_8_32_m', 'movsx_8_64_r', 'movsx_8_64_m', 'movsx_32_64_r', 'movsx_32_64_m', 'movsx_32_64_x'],
];

/** All names in these lists. */
export function commonNames(): string[] {
  const plain = Object.entries(PLAIN).flatMap(([key, sizes]) => {
    const [form, action, quiet] = key.split(' ').reverse();
    return sizes.split(' ').map((size) => `${action}_${form}${size}${quiet === undefined ? '' : '_quiet'}`);
  });
  const joined = Object.entries(JOINED).flatMap(([name, codes]) => codes.split(' ').map((code) => `${name}_j${code}`));
  return [...plain, ...joined, ...NAMES];
}

const COMMON = new Set(commonNames());

/** For an inline operation. */
export const isCommon = ({ name, family }: Operation): boolean => FAMILIES.includes(family) || COMMON.has(name);
