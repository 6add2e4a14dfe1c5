/**
 * How x87 instructions use the register stack and memory. Those with a short path (engine/cpu/fpu/short-ways.ts) are compiled in runs within a block:
 * which registers a run needs full or empty is known in advance, relative to its first TOP.
 */
import {
  WAY_COMPARE,
  WAY_COMPARE_DOUBLE,
  WAY_COMPARE_FLAGS,
  WAY_COMPARE_FLAGS_POP,
  WAY_COMPARE_POP,
  WAY_COMPARE_POP2,
  WAY_COMPARE_SINGLE,
  WAY_EXCHANGE,
  WAY_LOAD_DOUBLE,
  WAY_LOAD_EXTENDED,
  WAY_LOAD_INT16,
  WAY_LOAD_INT32,
  WAY_LOAD_INT64,
  WAY_LOAD_SINGLE,
  WAY_MOVE,
  WAY_ONE,
  WAY_PUSH,
  WAY_STORE_DOUBLE,
  WAY_STORE_EXTENDED,
  WAY_STORE_INT16,
  WAY_STORE_INT32,
  WAY_STORE_INT64,
  WAY_STORE_SINGLE,
  WAY_TO_REGISTER,
  WAY_TO_REGISTER_POP,
  WAY_TO_TOP,
  WAY_WITH_DOUBLE,
  WAY_WITH_INT16,
  WAY_WITH_INT32,
  WAY_WITH_SINGLE,
  WAY_ZERO,
} from '../abi/x87-ways';
import type { Instruction } from './records';
import { isVector } from './vector-forms';

/** Low bytes of R_FPU: opcode, ModRM; above them the short path, or 0. */
const wordOf = (at: Instruction): number => at.low >>> 0;

export interface X87Form {
  way: number;
  opcode: number;
  modrm: number;
  /** ModRM.reg, and the number of ST(i). */
  reg: number;
  i: number;
}
export function x87Form(at: Instruction): X87Form {
  const word = wordOf(at);
  const modrm = (word >> 8) & 255;
  return { way: word >>> 16, opcode: word & 255, modrm, reg: (modrm >> 3) & 7, i: modrm & 7 };
}

export const isX87 = (at: Instruction): boolean => at.row.name === 'fpu';

/** Is it compiled? FLD ST(7) cannot be: it needs a register both full and empty. */
export function isShortX87(at: Instruction): boolean {
  if (!isX87(at)) return false;
  const { way, i } = x87Form(at);
  return way !== 0 && !(way === WAY_PUSH && i === 7);
}

/** FCOMI, FUCOMI, FCOMIP, FUCOMIP. */
export function setsFlags(at: Instruction): boolean {
  const { way } = x87Form(at);
  return way === WAY_COMPARE_FLAGS || way === WAY_COMPARE_FLAGS_POP;
}

const BYTES: ReadonlyMap<number, number> = new Map([
  [WAY_WITH_SINGLE, 4],
  [WAY_WITH_INT32, 4],
  [WAY_WITH_DOUBLE, 8],
  [WAY_WITH_INT16, 2],
  [WAY_COMPARE_SINGLE, 4],
  [WAY_COMPARE_DOUBLE, 8],
  [WAY_LOAD_SINGLE, 4],
  [WAY_LOAD_DOUBLE, 8],
  [WAY_LOAD_EXTENDED, 10],
  [WAY_LOAD_INT16, 2],
  [WAY_LOAD_INT32, 4],
  [WAY_LOAD_INT64, 8],
  [WAY_STORE_SINGLE, 4],
  [WAY_STORE_DOUBLE, 8],
  [WAY_STORE_EXTENDED, 10],
  [WAY_STORE_INT16, 2],
  [WAY_STORE_INT32, 4],
  [WAY_STORE_INT64, 8],
]);

/** Its operand in memory; undefined: none. */
export function x87Operand(at: Instruction): { bytes: number; writes: boolean } | undefined {
  const { way } = x87Form(at);
  const bytes = BYTES.get(way);
  return bytes === undefined ? undefined : { bytes, writes: way >= WAY_STORE_SINGLE && way <= WAY_STORE_INT64 };
}

/** Numbers of ST(i), as before the instruction. */
interface Effect {
  full: readonly number[];
  pushes: boolean;
  /** A register that is full after it, whatever it was before. */
  fills?: number;
  pops: number;
}

function effectOf(form: X87Form): Effect {
  const { way, reg, i } = form;
  const unless2 = reg === 2 ? 0 : 1;
  switch (way) {
    case WAY_TO_TOP:
    case WAY_TO_REGISTER:
    case WAY_COMPARE:
    case WAY_COMPARE_FLAGS:
    case WAY_EXCHANGE:
      return { full: [0, i], pushes: false, pops: 0 };
    case WAY_TO_REGISTER_POP:
    case WAY_COMPARE_POP:
    case WAY_COMPARE_FLAGS_POP:
      return { full: [0, i], pushes: false, pops: 1 };
    case WAY_COMPARE_POP2:
      return { full: [0, 1], pushes: false, pops: 2 };
    case WAY_COMPARE_SINGLE:
    case WAY_COMPARE_DOUBLE:
    case WAY_STORE_SINGLE:
    case WAY_STORE_DOUBLE:
    case WAY_STORE_INT16:
    case WAY_STORE_INT32:
    case WAY_STORE_INT64:
      return { full: [0], pushes: false, pops: unless2 };
    case WAY_STORE_EXTENDED:
      return { full: [0], pushes: false, pops: 1 };
    case WAY_LOAD_SINGLE:
    case WAY_LOAD_DOUBLE:
    case WAY_LOAD_EXTENDED:
    case WAY_LOAD_INT16:
    case WAY_LOAD_INT32:
    case WAY_LOAD_INT64:
    case WAY_ONE:
    case WAY_ZERO:
      return { full: [], pushes: true, pops: 0 };
    case WAY_PUSH:
      return { full: [i], pushes: true, pops: 0 };
    case WAY_MOVE:
      return { full: [0], pushes: false, fills: i, pops: unless2 };
    default:
      return { full: [0], pushes: false, pops: 0 };
  }
}

/** Registers numbered from the TOP of a run's start; bits by number. */
export class Stack {
  /** What must hold at the start. */
  needsFull = 0;
  needsEmpty = 0;
  /** Known at this point. */
  full = 0;
  empty = 0;
  /** Tags that were written. */
  retagged = 0;
  /** How much TOP has moved, 0 to 7. */
  top = 0;

  /** Number of ST(i). */
  register(i: number): number {
    return (this.top + i) & 7;
  }

  private tag(register: number, full: boolean): void {
    const bit = 1 << register;
    this.retagged |= bit;
    this.full = full ? this.full | bit : this.full & ~bit;
    this.empty = full ? this.empty & ~bit : this.empty | bit;
  }

  /** Tracks an instruction. False, with nothing changed: a register that it needs full is empty, or the reverse. */
  follow(form: X87Form): boolean {
    const { full, pushes, fills, pops } = effectOf(form);
    const bits = full.reduce((sum, i) => sum | (1 << this.register(i)), 0);
    const pushed = pushes ? 1 << this.register(7) : 0;
    if (bits & this.empty || pushed & (this.full | bits)) return false;
    this.needsFull |= bits & ~this.full;
    this.full |= bits;
    this.needsEmpty |= pushed & ~this.empty;
    if (pushes) {
      this.top = this.register(7);
      this.tag(this.top, true);
    }
    if (fills !== undefined) this.tag(this.register(fills), true);
    for (let pop = 0; pop < pops; pop++) {
      this.tag(this.top, false);
      this.top = this.register(1);
    }
    return true;
  }
}

/** A run: its first and last instruction, and what it needs at the start. */
export interface Run {
  first: Instruction;
  last: Instruction;
  needsFull: number;
  needsEmpty: number;
}

/** The runs of a block, by each of their instructions. */
export function planX87(instructions: readonly Instruction[]): ReadonlyMap<Instruction, Run> {
  const runs = new Map<Instruction, Run>();
  let run: Run | undefined;
  let stack = new Stack();
  for (const at of instructions) {
    if (isShortX87(at)) {
      const form = x87Form(at);
      if (run === undefined || !stack.follow(form)) {
        stack = new Stack();
        stack.follow(form);
        run = { first: at, last: at, needsFull: 0, needsEmpty: 0 };
      }
      run.last = at;
      run.needsFull = stack.needsFull;
      run.needsEmpty = stack.needsEmpty;
      runs.set(at, run);
      // A handler of the core may change anything.
    } else if (at.row.family === 'out-of-line' && !isVector(at)) run = undefined;
  }
  return runs;
}
