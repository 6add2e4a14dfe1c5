/**
 * The x87 instructions that have a short way (fast.ts) beside the general one (execute.ts). The decoder puts the number of theirs into the
 * record.
 */
export const WAY_NONE: u32 = 0;
/** ST(0) = ST(0) op ST(i); ST(i) = ST(0) op ST(i), without and with a pop. */
export const WAY_TO_TOP: u32 = 1;
export const WAY_TO_REGISTER: u32 = 2;
export const WAY_TO_REGISTER_POP: u32 = 3;
/** ST(0) = ST(0) op memory. */
export const WAY_WITH_SINGLE: u32 = 4;
export const WAY_WITH_INT32: u32 = 5;
export const WAY_WITH_DOUBLE: u32 = 6;
export const WAY_WITH_INT16: u32 = 7;
/** ST(0) with ST(i), popping none, one or two; the flags of FCOMI; ST(0) with memory. */
export const WAY_COMPARE: u32 = 8;
export const WAY_COMPARE_POP: u32 = 9;
export const WAY_COMPARE_POP2: u32 = 10;
export const WAY_COMPARE_FLAGS: u32 = 11;
export const WAY_COMPARE_FLAGS_POP: u32 = 12;
export const WAY_COMPARE_SINGLE: u32 = 13;
export const WAY_COMPARE_DOUBLE: u32 = 14;
export const WAY_LOAD_SINGLE: u32 = 15;
export const WAY_LOAD_DOUBLE: u32 = 16;
export const WAY_LOAD_EXTENDED: u32 = 17;
export const WAY_LOAD_INT16: u32 = 18;
export const WAY_LOAD_INT32: u32 = 19;
export const WAY_LOAD_INT64: u32 = 20;
export const WAY_STORE_SINGLE: u32 = 21;
export const WAY_STORE_DOUBLE: u32 = 22;
export const WAY_STORE_EXTENDED: u32 = 23;
/** FIST, FISTP and FISTTP. */
export const WAY_STORE_INT16: u32 = 24;
export const WAY_STORE_INT32: u32 = 25;
export const WAY_STORE_INT64: u32 = 26;
/** FLD ST(i), FXCH, FST ST(i) and FSTP ST(i). */
export const WAY_PUSH: u32 = 27;
export const WAY_EXCHANGE: u32 = 28;
export const WAY_MOVE: u32 = 29;
/** FLD1, FLDZ. */
export const WAY_ONE: u32 = 30;
export const WAY_ZERO: u32 = 31;
/** FCHS, FABS. */
export const WAY_SIGN: u32 = 32;
export const WAY_ROOT: u32 = 33;

/** WAY_* of an instruction D8..DF. */
export function shortWay(opcode: u32, modrm: u32): u32 {
  const reg = (modrm >> 3) & 7;
  return modrm < 0xc0 ? memoryWay(opcode, reg) : registerWay(opcode, reg, modrm);
}

function memoryWay(opcode: u32, reg: u32): u32 {
  const compares = reg == 2 || reg == 3;
  switch (opcode) {
    case 0xd8:
      return compares ? WAY_COMPARE_SINGLE : WAY_WITH_SINGLE;
    case 0xd9:
      return reg == 0 ? WAY_LOAD_SINGLE : compares ? WAY_STORE_SINGLE : WAY_NONE;
    case 0xda:
      return compares ? WAY_NONE : WAY_WITH_INT32;
    case 0xdb:
      if (reg < 4) return reg == 0 ? WAY_LOAD_INT32 : WAY_STORE_INT32;
      return reg == 5 ? WAY_LOAD_EXTENDED : reg == 7 ? WAY_STORE_EXTENDED : WAY_NONE;
    case 0xdc:
      return compares ? WAY_COMPARE_DOUBLE : WAY_WITH_DOUBLE;
    case 0xdd:
      return reg == 0 ? WAY_LOAD_DOUBLE : reg == 1 ? WAY_STORE_INT64 : compares ? WAY_STORE_DOUBLE : WAY_NONE;
    case 0xde:
      return compares ? WAY_NONE : WAY_WITH_INT16;
    default:
      if (reg < 4) return reg == 0 ? WAY_LOAD_INT16 : WAY_STORE_INT16;
      return reg == 5 ? WAY_LOAD_INT64 : reg == 7 ? WAY_STORE_INT64 : WAY_NONE;
  }
}

function registerWay(opcode: u32, reg: u32, modrm: u32): u32 {
  const compares = reg == 2 || reg == 3;
  switch (opcode) {
    case 0xd8:
      return !compares ? WAY_TO_TOP : reg == 2 ? WAY_COMPARE : WAY_COMPARE_POP;
    case 0xd9:
      if (reg < 2) return reg == 0 ? WAY_PUSH : WAY_EXCHANGE;
      if (modrm == 0xe0 || modrm == 0xe1) return WAY_SIGN;
      return modrm == 0xe8 ? WAY_ONE : modrm == 0xee ? WAY_ZERO : modrm == 0xfa ? WAY_ROOT : WAY_NONE;
    case 0xda:
      return modrm == 0xe9 ? WAY_COMPARE_POP2 : WAY_NONE;
    case 0xdb:
      return reg == 5 || reg == 6 ? WAY_COMPARE_FLAGS : WAY_NONE;
    case 0xdc:
      return compares ? WAY_NONE : WAY_TO_REGISTER;
    case 0xdd:
      if (compares) return WAY_MOVE;
      return reg == 4 ? WAY_COMPARE : reg == 5 ? WAY_COMPARE_POP : WAY_NONE;
    case 0xde:
      return !compares ? WAY_TO_REGISTER_POP : modrm == 0xd9 ? WAY_COMPARE_POP2 : WAY_NONE;
    default:
      return reg == 5 || reg == 6 ? WAY_COMPARE_FLAGS_POP : WAY_NONE;
  }
}
