/**
 * RFLAGS in the vCPU record, compiled by both tsc and asc. The six arithmetic flags are lazy: an instruction stores what it computed, and
 * a flag is computed when something reads it.
 *
 *        0               4               8                               16                              24
 *      +---------------+---------------+-------------------------------+-------------------------------+---------------+
 *      | WORD          | SYS           | FIRST                         | RESULT                        | BITS          |
 *      +---------------+---------------+-------------------------------+-------------------------------+---------------+
 *
 * Operands and results are zero-extended; with every kind but FLAGS_RAW a zero result means ZF.
 */
import { VCPU_FLAGS } from './vcpu';

/** u32 kind | (64 - bits) << 8. */
export const FL_WORD = VCPU_FLAGS;
/** u32 all other flags, in their RFLAGS positions. */
export const FL_SYS = VCPU_FLAGS + 4;
/** u64 first operand. */
export const FL_FIRST = VCPU_FLAGS + 8;
/** u64 result. */
export const FL_RESULT = VCPU_FLAGS + 16;
/** u32 flags given explicitly, in their RFLAGS positions. */
export const FL_BITS = VCPU_FLAGS + 24;

/** BITS holds all six flags; RESULT is 0 where ZF is set. */
export const FLAGS_RAW = 0;
/** ZF SF PF from the result, CF AF OF explicit. */
export const FLAGS_RES = 1;
/** result = first - something. */
export const FLAGS_SUB = 2;
/** result = first + something. */
export const FLAGS_ADD = 3;
/** CF = OF = AF = 0. */
export const FLAGS_LOGIC = 4;
/** CF explicit (INC and DEC keep it). */
export const FLAGS_INC = 5;
export const FLAGS_DEC = 6;

/** Alignment is checked with CR0.AM and at CPL 3. The other flags: engine/cpu/flags.ts. */
export const F_AC = 0x40000;
