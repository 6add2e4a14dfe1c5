/**
 * The one table of operations: what a decoded record can ask for. Its position in the table is an operation's number (R_OP), and means
 * nothing else: nobody computes with numbers. Printed from the table are the core's constants and lookups and the interpreter's handlers
 * (scripts/core), and part of docs/x86-coverage.md; the JIT reads the rows themselves.
 *
 * The disassembler's table of opcodes is no part of it: tests hold one against the other.
 */
import { arithmetic, joined, shiftsAndProducts } from './arithmetic';
import { branches } from './branches';
import { moves, simple } from './moves';
import { type Operation, operation } from './operation';
import { outOfLine, outOfLineCalled, outOfLineEnding } from './out-of-line';

/** Put over the record behind an instruction after which the interpreter has to stop. */
const stop = operation({ name: 'stop', family: 'control', action: 'stop', form: 'none' });

/** Put over the first record of a block at which a compiled region can be entered. */
const region = operation({ name: 'region', family: 'control', action: 'region', form: 'none', ends: true });

/** The inline ones come first, then those that the interpreter's switch calls: it is dense over both, as a second one is over those out of line. */
export const OPERATIONS: readonly Operation[] = [
  ...arithmetic,
  ...moves,
  ...shiftsAndProducts,
  ...simple,
  stop,
  ...joined,
  ...branches,
  region,
  ...outOfLineCalled,
  ...outOfLine,
  ...outOfLineEnding,
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

export type { Access, Family, Form, Operation, Segment, Size } from './operation';
export { AF, ALL_FLAGS, bits, bytes, CF, flagsOfCondition, OF, PF, SF, ZF } from './operation';
