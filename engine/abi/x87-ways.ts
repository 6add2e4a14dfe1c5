/**
 * Numbers of the short paths of x87 instructions, which the decoder stores in the record (R_FPU), and the notes of compiled code. Compiled by both
 * tsc and asc.
 */
export const WAY_NONE = 0;
/** ST(0) = ST(0) op ST(i); ST(i) = ST(0) op ST(i), without and with a pop. */
export const WAY_TO_TOP = 1;
export const WAY_TO_REGISTER = 2;
export const WAY_TO_REGISTER_POP = 3;
/** ST(0) = ST(0) op memory. */
export const WAY_WITH_SINGLE = 4;
export const WAY_WITH_INT32 = 5;
export const WAY_WITH_DOUBLE = 6;
export const WAY_WITH_INT16 = 7;
/** ST(0) with ST(i), popping none, one or two; the flags of FCOMI; ST(0) with memory. */
export const WAY_COMPARE = 8;
export const WAY_COMPARE_POP = 9;
export const WAY_COMPARE_POP2 = 10;
export const WAY_COMPARE_FLAGS = 11;
export const WAY_COMPARE_FLAGS_POP = 12;
export const WAY_COMPARE_SINGLE = 13;
export const WAY_COMPARE_DOUBLE = 14;
export const WAY_LOAD_SINGLE = 15;
export const WAY_LOAD_DOUBLE = 16;
export const WAY_LOAD_EXTENDED = 17;
export const WAY_LOAD_INT16 = 18;
export const WAY_LOAD_INT32 = 19;
export const WAY_LOAD_INT64 = 20;
export const WAY_STORE_SINGLE = 21;
export const WAY_STORE_DOUBLE = 22;
export const WAY_STORE_EXTENDED = 23;
/** FIST, FISTP and FISTTP. */
export const WAY_STORE_INT16 = 24;
export const WAY_STORE_INT32 = 25;
export const WAY_STORE_INT64 = 26;
/** FLD ST(i), FXCH, FST ST(i) and FSTP ST(i). */
export const WAY_PUSH = 27;
export const WAY_EXCHANGE = 28;
export const WAY_MOVE = 29;
/** FLD1, FLDZ. */
export const WAY_ONE = 30;
export const WAY_ZERO = 31;
/** FCHS, FABS. */
export const WAY_SIGN = 32;
export const WAY_ROOT = 33;

/**
 * A note of compiled code: what a run of instructions changed. Bits 0-2: added to TOP; one bit for each register whose tag it wrote, and one for
 * whether that is empty now; whether an instruction had an operand in memory.
 */
export const X87_RETAGGED = 3;
export const X87_EMPTIED = 11;
export const X87_OPERAND = 0x80000;
/** Set in every note, so that none is 0. */
export const X87_NOTED = 0x100000;
