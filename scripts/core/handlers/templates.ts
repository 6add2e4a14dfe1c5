/**
 * Text building blocks of the interpreter's handlers (AssemblyScript). Inside the big switch `continue` runs the record at p next,
 * `break` leaves the fast path: with why == 0 the instruction at p could not complete.
 * Shared locals: a b r (u32), x y z (u64), va, e (TLB entry), h (host address), q (next block), t (branch taken), n.
 */

import { bits, bytes, type Size } from '../../../engine/abi/ops/index';

export const memoryType = (size: Size): string => `u${bits(size)}`;

/** Names of the locals for the first operand, the second operand and the result, and their type. */
export interface Names {
  a: string;
  b: string;
  r: string;
  type: string;
  signed: string;
}
export const names = (size: Size): Names =>
  size === 3 ? { a: 'x', b: 'y', r: 'z', type: 'u64', signed: 'i64' } : { a: 'a', b: 'b', r: 'r', type: 'u32', signed: 'i32' };

const register = (field: string): string => `c + <usize>load<u16>(p, ${field})`;
export const DST = register('R_DST');
export const SRC = register('R_SRC');

export const readRegister = (size: Size, field: string): string => `load<${memoryType(size)}>(${register(field)})`;

/** 32-bit results clear the upper half, 8 and 16-bit results keep the rest. */
export function writeRegister(size: Size, field: string, value: string): string {
  if (size === 2) return `store<u64>(${register(field)}, <u64>(${value}));`;
  return `store<${memoryType(size)}>(${register(field)}, ${size === 3 ? value : `<${memoryType(size)}>(${value})`});`;
}

export const immediate = (size: Size): string => (size === 3 ? 'load<u64>(p, R_IMM)' : `<u32>load<${memoryType(size)}>(p, R_IMM)`);

/** va of [base + disp], or of [base + index * scale + disp]. */
export function address(indexed: boolean): string {
  const base = `va = load<u64>(${register('R_BASE')}) + <u64><i64>load<i32>(p, R_DISP)`;
  return indexed ? `${base} + (load<u64>(${register('R_INDEX')}) << <u64>load<u8>(p, R_SCALE));` : `${base};`;
}

const probe = (size: Size, tag: string): string =>
  `e = tlb + ((<usize>(va >> 7) ^ <usize>(va >> 19)) & TLB_MASK); if (load<u64>(e, ${tag}) == (${size === 0 ? 'va' : `(va + ${bytes(size) - 1})`} & PAGE_MASK))`;
const HOST = '<usize>va + <usize>load<u32>(e, TLB_ADDEND)';

/** Loads the `size` bytes at va into `target`. */
export function readMemory(size: Size, target: string, type: string): string {
  return `${probe(size, 'TLB_TAG_READ')} ${target} = load<${memoryType(size)}>(${HOST});
else { q = readInline(p, va, ${bytes(size)}); if (q == 0) break; p = q; ${target} = <${type}>slowValue; }`;
}

export function writeMemory(size: Size, value: string): string {
  return `${probe(size, 'TLB_TAG_WRITE')} store<${memoryType(size)}>(${HOST}, <${memoryType(size)}>(${value}));
else { q = writeInline(p, va, ${bytes(size)}, <u64>(${value})); if (q == 0) break; p = q; }`;
}

/** First half of a read-modify-write: `target` is read, h is the host address (0: only the slow path may write). */
export function modifyRead(size: Size, target: string, type: string): string {
  return `${probe(size, 'TLB_TAG_WRITE')} { h = ${HOST}; ${target} = load<${memoryType(size)}>(h); }
else { q = modifyInline(p, va, ${bytes(size)}); if (q == 0) break; p = q; h = 0; ${target} = <${type}>slowValue; }`;
}
export function modifyWrite(size: Size, value: string): string {
  return `if (h) store<${memoryType(size)}>(h, <${memoryType(size)}>(${value}));
else { q = writeInline(p, va, ${bytes(size)}, <u64>(${value})); if (q == 0) break; p = q; }`;
}

export const NEXT = 'p += RECORD_SIZE; continue;';

/** Continues with the block that the branch record at `at` links for t (0 next, 1 target), if it is known and fits into the slice. */
export function branch(at: string): string {
  const move = at === 'p' ? '' : `p = ${at};`;
  return `${move} q = <usize>load<u32>(p + (<usize>t << 2), R_FALL);
if (q == 0) { why = WHY_FALL + t; break; }
n = load<i32>(c, VCPU_LEFT) - load<i32>(q - HEADER_SIZE + H_COUNT); store<i32>(c, n, VCPU_LEFT);
p = q;
if (n < 0) { why = WHY_OVER; break; }
continue;`;
}

export type Kind = 'ADD' | 'SUB' | 'LOGIC' | 'INC' | 'DEC' | 'RES';
/** Stores the lazy flags of an instruction of this kind. */
export function flags(kind: Kind, size: Size, explicit = ''): string {
  const { a, r } = names(size);
  const word = `store<u32>(c, FLAGS_${kind} | ${(64 - bits(size)) << 8}, FL_WORD);`;
  const first = kind === 'ADD' || kind === 'SUB' ? ` store<u64>(c, <u64>${a}, FL_FIRST);` : '';
  const bitsText = explicit === '' ? '' : ` store<u32>(c, ${explicit}, FL_BITS);`;
  return `${word}${first} store<u64>(c, <u64>${r}, FL_RESULT);${bitsText}`;
}

/** Wraps an expression to the operand size. */
export const wrap = (size: Size, text: string): string => (size === 0 ? `(${text}) & 255` : size === 1 ? `(${text}) & 65535` : text);

/** The operand as a signed number. */
export const signed = (size: Size, name: string): string =>
  size === 0 ? `<i32><i8>${name}` : size === 1 ? `<i32><i16>${name}` : size === 2 ? `<i32>${name}` : `<i64>${name}`;
