/**
 * Flags in compiled code. The last operation that set them leaves its kind and operands in locals. Conditions are computed from these; an exit passes
 * them to the core (engine/cpu/region-flags.ts, with the same numbers), which computes the flags on demand.
 */
import { isShortDivision } from './division-forms';
import type { Instruction, Row, Size } from './records';
import { isVector } from './vector-forms';
import { isShortX87, setsFlags } from './x87-forms';

export const Kind = {
  /** second, result */
  SUB: 2,
  ADD: 3,
  /** result */
  LOGIC: 4,
  /** CF in second, result */
  INC: 5,
  DEC: 6,
  /** first, second */
  COMPARE: 7,
  /** first, second, result */
  ADC: 8,
  SBB: 9,
  /** first, count in second, result */
  SHL: 10,
  SHR: 11,
  SAR: 12,
  /** first, second, result */
  IMUL: 13,
  /** the flags themselves in result */
  GIVEN: 14,
  /** The vCPU's record has them. */
  RECORD: 255,
} as const;

/** A kind and its operand size; undefined: not known at compile time, the local holds it. */
export type Flags = { readonly kind: number; readonly size: Size } | undefined;

export const IN_RECORD: Flags = { kind: Kind.RECORD, size: 3 };

/** Value of the local `kind`: the number, and 64 minus the operand size in bits. */
export const wordOf = (kind: number, size: Size): number => kind | ((64 - (8 << size)) << 8);

const ALU_KINDS: Record<string, number> = {
  add: Kind.ADD,
  sub: Kind.SUB,
  cmp: Kind.COMPARE,
  and: Kind.LOGIC,
  or: Kind.LOGIC,
  xor: Kind.LOGIC,
  test: Kind.LOGIC,
  adc: Kind.ADC,
  sbb: Kind.SBB,
  inc: Kind.INC,
  dec: Kind.DEC,
  neg: Kind.SUB,
  shl: Kind.SHL,
  shr: Kind.SHR,
  sar: Kind.SAR,
  imul: Kind.IMUL,
};

/** 'none': does not change the flags; 'some': changes some of them, or in a way that compiled code does not track. */
export type Effect = 'none' | 'some' | { readonly kind: number; readonly size: Size };

const GIVEN: Effect = { kind: Kind.GIVEN, size: 3 };
/** Of operations whose row determines it, by number. */
const known: (Effect | undefined)[] = [];

export function effectOf(at: Instruction): Effect {
  const { row, number } = at;
  if (row.family !== 'out-of-line') {
    known[number] ??= rowEffect(row);
    return known[number];
  }
  if (isVector(at) || isShortDivision(at)) return 'none';
  if (isShortX87(at)) return setsFlags(at) ? GIVEN : 'none';
  return 'some';
}

function rowEffect(row: Row): Effect {
  if (row.quiet) return 'none';
  switch (row.family) {
    case 'alu':
    case 'test':
      return { kind: ALU_KINDS[row.action]!, size: row.size };
    case 'unary':
      return row.action === 'not' ? 'none' : { kind: ALU_KINDS[row.action]!, size: row.size };
    case 'multiply':
      return { kind: Kind.IMUL, size: row.size };
    case 'shift':
      if (row.action === 'rol' || row.action === 'ror' || row.form === 'rc') return 'some';
      return { kind: ALU_KINDS[row.action]!, size: row.size };
    default:
      return 'none';
  }
}

/** Does the instruction read flags? */
export function readsFlags(at: Instruction): boolean {
  const { row } = at;
  if (row.family === 'out-of-line') return !isVector(at) && !isShortX87(at) && !isShortDivision(at);
  if (row.family === 'condition' || row.action === 'jcc') return true;
  return row.action === 'adc' || row.action === 'sbb' || ((row.action === 'inc' || row.action === 'dec') && row.family === 'unary');
}

/** Can the region exit before the instruction, so that all flags must be known there? `misses`: its memory operand may not be plain memory. */
export function mayLeave({ row }: Instruction, misses: boolean): boolean {
  return misses || (row.ends && !row.joined) || row.family === 'out-of-line';
}
