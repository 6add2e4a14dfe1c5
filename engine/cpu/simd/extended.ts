/** The instructions of the maps 0F 38 and 0F 3A: SSSE3, SSE4.1, SSE4.2 (opcode tables: decode-extended.ts). */
import { VCPU_XMM } from '../../abi/index';
import { inMemory } from '../mem';
import { R_DST, R_SIMD, R_SRC } from '../record';
import { cpu } from '../state';
import { alignRight, extract, insertSingle, insertWhole, sumsOfDifferences } from './bytes';
import { SIMD_ALIGNED, SIMD_MMX, SIMD_WIDE } from './decode';
import { dotProduct } from './horizontal';
import { blendImmediate, blendVariable, extendLanes, integer38, mmx38, smallestWord, testBits } from './integer-38';
import { available, enterMmx, operandPointer, storeOperand } from './operand';
import { roundLanes } from './round';
import { compareStrings } from './strings';

/** Pointer to the rm operand, after the checks of every SIMD instruction; 0: a fault is pending. */
function source(p: usize, word: u64): usize {
  const mmx = (word & SIMD_MMX) != 0;
  if (!available(p, !mmx, mmx)) return 0;
  if (!inMemory(p)) return cpu + <usize>load<u16>(p, R_SRC);
  return operandPointer(p, <i32>(word >> 32) & 255, (word & SIMD_ALIGNED) != 0);
}

export function opSimd38(p: usize): i32 {
  const word = load<u64>(p, R_SIMD);
  const src = source(p, word);
  if (src == 0) return 0;
  const dst = cpu + <usize>load<u16>(p, R_DST);
  const opcode = <u32>word & 255;
  if (word & SIMD_MMX) {
    enterMmx();
    store<u64>(dst, mmx38(opcode, load<u64>(dst), load<u64>(src)));
    store<u16>(dst, 0xffff, 8);
    return 1;
  }
  switch (opcode) {
    case 0x10:
    case 0x14:
    case 0x15:
      v128.store(dst, blendVariable(opcode, v128.load(dst), v128.load(src), v128.load(cpu, VCPU_XMM)));
      return 1;
    case 0x17:
      testBits(v128.load(dst), v128.load(src));
      return 1;
    case 0x2a: // MOVNTDQA
      v128.store(dst, v128.load(src));
      return 1;
    case 0x41:
      smallestWord(dst, src);
      return 1;
    default:
      if (opcode >= 0x20 && opcode < 0x28) v128.store(dst, extendLanes(opcode, v128.load64_zero(src)));
      else if (opcode >= 0x30 && opcode < 0x36) v128.store(dst, extendLanes(opcode, v128.load64_zero(src)));
      else v128.store(dst, integer38(opcode, v128.load(dst), v128.load(src)));
      return 1;
  }
}

export function opSimd3A(p: usize): i32 {
  const word = load<u64>(p, R_SIMD);
  const opcode = <u32>word & 255;
  const immediate = <u32>(word >> 16) & 255;
  const wide = (word & SIMD_WIDE) != 0;
  const dst = cpu + <usize>load<u16>(p, R_DST);
  if (opcode >= 0x14 && opcode <= 0x17) {
    if (!available(p, true, false)) return 0;
    // The source register is ModRM.reg, the target ModRM.rm.
    const from = extract(opcode, wide, immediate, dst);
    if (inMemory(p)) return storeOperand(p, from, <i32>(word >> 32) & 255, false);
    store<u64>(cpu + <usize>load<u16>(p, R_SRC), load<u64>(from));
    return 1;
  }
  const src = source(p, word);
  if (src == 0) return 0;
  switch (opcode) {
    case 0x0f: {
      const mmx = (word & SIMD_MMX) != 0;
      if (mmx) enterMmx();
      alignRight(mmx, dst, src, immediate);
      if (mmx) store<u16>(dst, 0xffff, 8);
      return 1;
    }
    case 0x20:
    case 0x22:
      insertWhole(opcode, wide, immediate, dst, src);
      return 1;
    case 0x21:
      insertSingle(dst, load<u32>(src + (inMemory(p) ? 0 : <usize>((immediate >> 6) << 2))), immediate);
      return 1;
    case 0x40:
    case 0x41:
      return dotProduct(opcode == 0x41, dst, src, immediate);
    case 0x42:
      sumsOfDifferences(dst, src, immediate);
      return 1;
    case 0x60:
    case 0x61:
    case 0x62:
    case 0x63:
      compareStrings(opcode, wide, immediate, dst, src);
      return 1;
    default:
      if (opcode < 0x0c) return roundLanes(opcode, dst, src, immediate);
      v128.store(dst, blendImmediate(opcode, v128.load(dst), v128.load(src), immediate));
      return 1;
  }
}
