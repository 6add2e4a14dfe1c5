/**
 * Writes each operation, one function per family; the interpreter's handlers of the same names are in scripts/core. Operands are read before anything
 * is written, and all tests of memory precede the first change, so an exit leaves the instruction undone.
 */
import { arithmetic, multiply, shift, unary } from './arithmetic';
import type { Emitter } from './emitter';
import { address, conditional, convert, exchange, extend, move } from './moves';
import type { Instruction } from './records';
import { stack } from './stack';

/** By family; undefined: not compiled. */
export const OPERATION_WRITERS: Readonly<Record<string, (e: Emitter, at: Instruction) => void>> = {
  alu: arithmetic,
  test: arithmetic,
  unary,
  move,
  extend,
  shift,
  multiply,
  address,
  stack,
  convert,
  condition: conditional,
  exchange,
};
