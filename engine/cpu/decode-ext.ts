/**
 * x87 in the decoder. Each instruction becomes one record of OP_FPU: R_FPU, operand size in R_AUX. MMX and SSE: see simd/decode.ts.
 */
import { emit, emitMemory, invalid, isMemory, memoryAccess, mod, opSize, readModrm, reg, rm, setAux } from './decode-state';
import { shortWay } from './fpu/short-ways';
import { OP_FPU } from './generated/ops';
import { setFpuWord } from './record';

/** Bytes of a memory operand by opcode (D8..DF) and ModRM.reg; 0: no instruction. FLDENV and FSAVE depend on the operand size. */
function fpuBytes(opcode: u32, which: u32): i32 {
  switch (opcode) {
    case 0xd9:
      if (which == 1) return 0;
      if (which == 4 || which == 6) return opSize == 1 ? 14 : 28;
      return which == 5 || which == 7 ? 2 : 4;
    case 0xdb:
      if (which == 4 || which == 6) return 0;
      return which == 5 || which == 7 ? 10 : 4;
    case 0xdc:
      return 8;
    case 0xdd:
      if (which == 5) return 0;
      if (which == 4 || which == 6) return opSize == 1 ? 94 : 108;
      return which == 7 ? 2 : 8;
    case 0xde:
      return 2;
    case 0xdf:
      return which == 4 || which == 6 ? 10 : which == 5 || which == 7 ? 8 : 2;
    default:
      return 4;
  }
}

function fpuWrites(opcode: u32, which: u32): bool {
  if (!(opcode & 1)) return false;
  if (opcode == 0xd9) return which == 2 || which == 3 || which >= 6;
  if (opcode == 0xdd) return which == 1 || which == 2 || which == 3 || which >= 6;
  return (which >= 1 && which <= 3) || which >= 6;
}

/** Register forms that are no instruction (SDM 2D tables A-8..A-22): #UD before any check of the FPU's state. */
function fpuRegisterExists(opcode: u32, which: u32, i: u32): bool {
  switch (opcode) {
    case 0xd9:
      if (which == 2) return i == 0;
      if (which == 4) return i == 0 || i == 1 || i == 4 || i == 5;
      return which != 5 || i != 7;
    case 0xda:
      return which < 4 || (which == 5 && i == 1);
    case 0xdb:
      return which < 4 || (which == 4 && i < 5) || which == 5 || which == 6;
    case 0xdd:
      return which < 6;
    case 0xde:
      return which != 3 || i == 1;
    case 0xdf:
      return (which == 4 && i == 0) || (which != 4 && which != 7);
    default:
      return true;
  }
}

/** D8..DF, and 9B (FWAIT). ModRM is not read yet. */
export function decodeFpu(opcode: u32): void {
  if (opcode == 0x9b) {
    setFpuWord(emit(OP_FPU), opcode);
    return;
  }
  readModrm();
  const which = reg & 7;
  const bytes = fpuBytes(opcode, which);
  if (isMemory ? bytes == 0 : !fpuRegisterExists(opcode, which, rm & 7)) {
    invalid(true);
    return;
  }
  const r = isMemory ? emitMemory(OP_FPU) : emit(OP_FPU);
  setAux(r, <u32>opSize);
  const modrm = (mod << 6) | (which << 3) | (rm & 7);
  setFpuWord(r, opcode | (modrm << 8) | (shortWay(opcode, modrm) << 16));
  memoryAccess(bytes, fpuWrites(opcode, which));
}
