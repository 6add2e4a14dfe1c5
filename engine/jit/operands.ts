/** Shared by the writers of operations: their locals by size, and arithmetic of either width. */
import type { Emitter } from './emitter';
import { A, B, R, X, Y, Z } from './locals';
import type { Size } from './records';

/** First operand, second operand and result: 32-bit locals up to 32 bits, else 64-bit ones. */
export const localsOf = (size: Size): { a: number; b: number; r: number } => (size === 3 ? WIDE : NARROW);
const WIDE = { a: X, b: Y, r: Z };
const NARROW = { a: A, b: B, r: R };

export type Two = 'Add' | 'Sub' | 'Mul' | 'And' | 'Or' | 'Xor' | 'Shl' | 'ShrS' | 'ShrU' | 'Rotl' | 'Rotr';
/** Names of the methods for each width: composed here once. */
const METHODS = {
  Add: ['i32Add', 'i64Add'],
  Sub: ['i32Sub', 'i64Sub'],
  Mul: ['i32Mul', 'i64Mul'],
  And: ['i32And', 'i64And'],
  Or: ['i32Or', 'i64Or'],
  Xor: ['i32Xor', 'i64Xor'],
  Shl: ['i32Shl', 'i64Shl'],
  ShrS: ['i32ShrS', 'i64ShrS'],
  ShrU: ['i32ShrU', 'i64ShrU'],
  Rotl: ['i32Rotl', 'i64Rotl'],
  Rotr: ['i32Rotr', 'i64Rotr'],
} as const;
export function two(e: Emitter, size: Size, operation: Two): void {
  e.code[METHODS[operation][size === 3 ? 1 : 0]]();
}

/** Cuts an i32 on the stack to 8 or 16 bits. */
export function cut(e: Emitter, size: Size): void {
  if (size > 1) return;
  e.code.i32Const(size === 0 ? 0xff : 0xffff);
  e.code.i32And();
}

/** The local goes to a register, or (undefined) to the memory that was tested. */
export function store(e: Emitter, register: number | undefined, size: Size, local: number): void {
  if (register === undefined) {
    e.host();
    e.code.get(local);
    e.storeSized(size);
  } else {
    e.code.get(local);
    e.writeRegister(register, size);
  }
}
