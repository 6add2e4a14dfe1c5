/**
 * The most frequent XMM instructions of compiled programs, one handler for each kind: loads and stores, full and partial, integer and logic
 * operations, arithmetic. decode.ts selects them (`hotOperation`); execute.ts runs all other forms. The semantics are the same, with less dispatch.
 */
import { inMemory, operandVa } from '../mem';
import { hostRead, hostWrite } from '../mmu';
import { MODE_XMM, mode } from '../mmu-mode';
import { R_DST, R_SIMD, R_SRC } from '../record';
import { cpu } from '../state';
import { SIMD_ALIGNED } from './decode';
import { arithmetic } from './float';
import { integerOp } from './integer';
import { available, operandPointer, storeOperand } from './operand';

@inline
function isAligned(p: usize): bool {
  return (load<u64>(p, R_SIMD) & SIMD_ALIGNED) != 0;
}
@inline
function operandBytes(p: usize): i32 {
  return <i32>load<u8>(p, R_SIMD + 4);
}
/** May XMM instructions run? 0: a fault is pending. */
@inline
function ready(p: usize): bool {
  return (mode & MODE_XMM) != 0 || available(p, true, false) != 0;
}

/** Pointer to the 16 bytes of the rm operand; 0: a fault is pending. */
@inline
function source(p: usize): usize {
  let at: usize = 0;
  if (inMemory(p)) {
    const va = operandVa(p);
    if (!(<u32>va & 15)) at = hostRead<v128>(va);
    if (at == 0) at = operandPointer(p, 16, isAligned(p));
  } else {
    at = cpu + <usize>load<u16>(p, R_SRC);
  }
  return at;
}

/** MOVAPS MOVAPD MOVDQA, MOVUPS MOVUPD MOVDQU into a register. */
export function opXmmLoad(p: usize): i32 {
  if (!ready(p)) return 0;
  const src = source(p);
  if (src == 0) return 0;
  v128.store(cpu + <usize>load<u16>(p, R_DST), v128.load(src));
  return 1;
}

/** The same moves, and MOVNTPS MOVNTPD MOVNTDQ, out of the ModRM.reg register. */
export function opXmmStore(p: usize): i32 {
  if (!ready(p)) return 0;
  const from = cpu + <usize>load<u16>(p, R_DST);
  if (!inMemory(p)) {
    v128.store(cpu + <usize>load<u16>(p, R_SRC), v128.load(from));
    return 1;
  }
  const va = operandVa(p);
  const host: usize = <u32>va & 15 ? 0 : hostWrite<v128>(va);
  if (host == 0) return storeOperand(p, from, 16, isAligned(p));
  v128.store(host, v128.load(from));
  return 1;
}

/** MOVSS MOVSD MOVQ MOVD from memory (MOVD and MOVQ also from a register): the rest of the register is cleared. */
export function opXmmLoadPart(p: usize): i32 {
  if (!ready(p)) return 0;
  const bytes = operandBytes(p);
  let at: usize;
  if (inMemory(p)) {
    const va = operandVa(p);
    at = bytes == 8 ? hostRead<u64>(va) : hostRead<u32>(va);
    if (at == 0) at = operandPointer(p, bytes, false);
    if (at == 0) return 0;
  } else {
    at = cpu + <usize>load<u16>(p, R_SRC);
  }
  const dst = cpu + <usize>load<u16>(p, R_DST);
  store<u64>(dst, bytes == 8 ? load<u64>(at) : <u64>load<u32>(at));
  store<u64>(dst, 0, 8);
  return 1;
}

/** MOVSS MOVSD MOVQ MOVD MOVLPS MOVLPD to memory. */
export function opXmmStorePart(p: usize): i32 {
  if (!ready(p)) return 0;
  return storeOperand(p, cpu + <usize>load<u16>(p, R_DST), operandBytes(p), false);
}

/** Integer and logic operations of two XMM operands; their opcodes are integerOp's. */
export function opXmmInteger(p: usize): i32 {
  if (!ready(p)) return 0;
  const src = source(p);
  if (src == 0) return 0;
  const dst = cpu + <usize>load<u16>(p, R_DST);
  v128.store(dst, integerOp(<u32>load<u8>(p, R_SIMD), v128.load(dst), v128.load(src), false));
  return 1;
}

/** ADD MUL SUB MIN DIV MAX, packed and scalar. */
export function opXmmArithmetic(p: usize): i32 {
  if (!ready(p)) return 0;
  const bytes = operandBytes(p);
  const src = bytes == 16 || !inMemory(p) ? source(p) : operandPointer(p, bytes, false);
  if (src == 0) return 0;
  return arithmetic(<u32>load<u8>(p, R_SIMD), <u32>load<u8>(p, R_SIMD + 1) & 3, cpu + <usize>load<u16>(p, R_DST), src);
}
