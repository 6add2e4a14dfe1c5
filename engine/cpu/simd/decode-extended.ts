/**
 * SSSE3, SSE4.1 and SSE4.2 in the maps 0F 38 and 0F 3A (SDM 2D tables ). Each form becomes one record of OP_SIMD_38 or OP_SIMD_3A,
 * laid out as in decode.ts. CRC32 is an integer instruction.
 * Not decoded (not advertised): MOVBE, ADCX, ADOX, AES, PCLMULQDQ, SHA, GFNI, INVEPT and similar.
 */

import { VCPU_GPR } from '../../abi/index';
import { generic } from '../decode-common';
import { fetch8, invalid, isMemory, opSize, readModrm, reg, rex, setDst } from '../decode-state';
import { OP_CRC32, OP_SIMD_3A, OP_SIMD_38 } from '../generated/ops';
import { IMMEDIATE, integer, layDown, MEMORY_ONLY, mandatoryPrefix, PREFIX_66, PREFIX_F2, RM_GPR, STORES, UNALIGNED } from './decode';

/** PMOVSX, PMOVZX: bytes of the source, by the opcode's low three bits (BW BD BQ WD WQ DQ). */
function extendBytes(which: u32): u32 {
  switch (which) {
    case 1:
    case 4:
      return 4;
    case 2:
      return 2;
    default:
      return 8;
  }
}

function form38(opcode: u32, p: u32): u32 {
  if (opcode < 0x0c || (opcode >= 0x1c && opcode <= 0x1e)) return integer(p);
  if (p != PREFIX_66) return 0;
  switch (opcode) {
    case 0x10:
    case 0x14:
    case 0x15:
    case 0x17:
    case 0x28:
    case 0x29:
    case 0x2b:
    case 0x40:
    case 0x41:
      return 16;
    case 0x2a:
      return 16 | MEMORY_ONLY; // MOVNTDQA
    default:
      if (opcode >= 0x37 && opcode <= 0x3f) return 16;
      return opcode >> 5 == 1 && (opcode & 15) < 6 ? extendBytes(opcode & 7) : 0;
  }
}

function form3A(opcode: u32, p: u32): u32 {
  if (opcode == 0x0f) return integer(p);
  if (p != PREFIX_66) return 0;
  const wide: u32 = rex & 8 ? 8 : 4;
  switch (opcode) {
    case 0x0a:
      return 4;
    case 0x0b:
      return 8;
    case 0x14:
      return 1 | RM_GPR | STORES;
    case 0x15:
      return 2 | RM_GPR | STORES;
    case 0x16:
      return wide | RM_GPR | STORES;
    case 0x17:
      return 4 | RM_GPR | STORES;
    case 0x20:
      return 1 | RM_GPR;
    case 0x21:
      return 4;
    case 0x22:
      return wide | RM_GPR;
    case 0x40:
    case 0x41:
    case 0x42:
      return 16;
    default:
      if (opcode >= 0x60 && opcode <= 0x63) return 16 | UNALIGNED;
      return opcode >= 0x08 && opcode <= 0x0e ? 16 : 0;
  }
}

/** F2 0F 38 F0 (a byte), F1 (the operand size). The target is a 32-bit register, or with REX.W a 64-bit one. */
function crc32(opcode: u32): void {
  const r = generic(OP_CRC32, opcode & 1 ? opSize : 0, false);
  setDst(r, VCPU_GPR + (reg << 3));
}

export function decode38(): void {
  const opcode = fetch8();
  const p = mandatoryPrefix();
  readModrm();
  if (p == PREFIX_F2 && (opcode & 0xfe) == 0xf0) {
    crc32(opcode);
    return;
  }
  const form = form38(opcode, p);
  if (form == 0 || (!isMemory && form & MEMORY_ONLY)) invalid(form != 0);
  else layDown(OP_SIMD_38, opcode, p, form);
}

export function decode3A(): void {
  const opcode = fetch8();
  const p = mandatoryPrefix();
  const form = form3A(opcode, p);
  readModrm();
  if (form == 0) invalid(false);
  else layDown(OP_SIMD_3A, opcode, p, form | IMMEDIATE);
}
