/**
 * The one table of operations: every operation that a decoded record can name. An operation's number (R_OP) is its position in
 * the table, and nothing computes with numbers. The core's constants and lookups, the interpreter's handlers
 * (scripts/core) and part of docs/x86-coverage.md are generated from the table; the JIT reads the rows themselves.
 *
 * The disassembler has its own table of opcodes: tests compare the two.
 */
import { arithmetic, joined, shiftsAndProducts } from './arithmetic';
import { branches } from './branches';
import { isCommon } from './common';
import { moves, simple } from './moves';
import { type Operation, operation } from './operation';
import { outOfLine, outOfLineCalled, outOfLineEnding } from './out-of-line';

/** Stands after a copy of the instruction after which the interpreter must stop. */
const stop = operation({ name: 'stop', family: 'control', action: 'stop', form: 'none' });

/** Replaces the first record of a block at which a compiled region can be entered. */
const region = operation({ name: 'region', family: 'control', action: 'region', form: 'none', ends: true });

/** Inline operations, each family in one piece. */
export const INLINE: readonly Operation[] = [
  ...arithmetic,
  ...moves,
  ...shiftsAndProducts,
  ...simple,
  stop,
  ...joined,
  ...branches,
  region,
];

/** Each run of operations has its own dense switch: the interpreter's loop (common inline ones and the called), out of line, rare inline ones. */
export const OPERATIONS: readonly Operation[] = [
  ...INLINE.filter(isCommon),
  ...outOfLineCalled,
  ...outOfLine,
  ...outOfLineEnding,
  ...INLINE.filter((row) => !isCommon(row)),
];

const numbers: ReadonlyMap<string, number> = new Map(OPERATIONS.map(({ name }, number) => [name, number]));

/** The number of the operation `name`. Throws a RangeError when there is none. */
export function operationNumber(name: string): number {
  const number = numbers.get(name);
  if (number === undefined) throw new RangeError(`no operation is called '${name}'`);
  return number;
}

/** The row of the operation `name`. Throws a RangeError when there is none. */
export const operationNamed = (name: string): Operation => OPERATIONS[operationNumber(name)]!;

export const isInline = (row: Operation): boolean => row.run === undefined;
/** Inline, but not in the interpreter's loop. */
export const isRare = (row: Operation): boolean => isInline(row) && !isCommon(row);

export type { Access, Family, Form, Operation, Segment, Size } from './operation';
export { AF, ALL_FLAGS, bits, bytes, CF, flagsOfCondition, OF, PF, SF, ZF } from './operation';
