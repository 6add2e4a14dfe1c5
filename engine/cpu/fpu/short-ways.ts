/** The x87 instructions that have a short path (fast.ts) beside the general one (execute.ts). Their numbers: engine/abi/x87-ways.ts. */
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
  WAY_NONE,
  WAY_ONE,
  WAY_PUSH,
  WAY_ROOT,
  WAY_SIGN,
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
} from '../../abi/x87-ways';

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
