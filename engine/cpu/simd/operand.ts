/** The checks and operand access common to every MMX and SSE instruction. */
import { VCPU_CR0, VCPU_CR4, VCPU_FSW, VCPU_FTW } from '../../abi/index';
import { FSW_ES, fsw, pendingError } from '../fpu/registers';
import { canRead, canWrite, exactCount, memVal, operandVa, rd, wr } from '../mem';
import { hostRead, hostWrite } from '../mmu';
import { CR0_EM, CR0_TS, CR4_OSFXSR } from '../mmu-mode';
import { cpu, raise, VEC_GP, VEC_NM, VEC_UD } from '../state';
import { operandBuffer } from './buffers';

/** #UD, #NM or #MF before any operand is touched (SDM 3A tables 13-1, 12-1). */
export function available(p: usize, xmm: bool, mmx: bool): i32 {
  const cr0 = load<u64>(cpu, VCPU_CR0);
  if (cr0 & CR0_EM || (xmm && !(load<u64>(cpu, VCPU_CR4) & CR4_OSFXSR))) return raise(VEC_UD, 0);
  if (cr0 & CR0_TS) return raise(VEC_NM, 0);
  if (!mmx || !(fsw() & FSW_ES)) return 1;
  exactCount(p);
  return pendingError();
}

/** Using MMX makes TOP 0 and all registers valid (SDM 1 9.5). */
export function enterMmx(): void {
  store<u16>(cpu, load<u16>(cpu, VCPU_FSW) & 0xc7ff, VCPU_FSW);
  store<u16>(cpu, 0, VCPU_FTW);
}

/** Pointer to a memory operand of `bytes` for reading; 0: a fault is pending. */
export function operandPointer(p: usize, bytes: i32, aligned: bool): usize {
  const va = operandVa(p);
  if (bytes == 16) {
    if (aligned && va & 15) return <usize>raise(VEC_GP, 0);
    const host = hostRead<v128>(va);
    if (host != 0) return host;
    if (!canRead(p, va, 16) || !rd(p, va, 8)) return 0;
    store<u64>(operandBuffer(), memVal);
    if (!rd(p, va + 8, 8)) return 0;
    store<u64>(operandBuffer(), memVal, 8);
    return operandBuffer();
  }
  if (!rd(p, va, bytes)) return 0;
  store<u64>(operandBuffer(), memVal);
  store<u64>(operandBuffer(), 0, 8);
  return operandBuffer();
}

/** Stores `bytes` from the register at `from`. */
export function storeOperand(p: usize, from: usize, bytes: i32, aligned: bool): i32 {
  const va = operandVa(p);
  if (bytes != 16) return wr(p, va, bytes, load<u64>(from));
  if (aligned && va & 15) return raise(VEC_GP, 0);
  const host = hostWrite<v128>(va);
  if (host != 0) {
    v128.store(host, v128.load(from));
    return 1;
  }
  if (!canWrite(p, va, 16)) return 0;
  if (!wr(p, va, 8, load<u64>(from))) return 0;
  return wr(p, va + 8, 8, load<u64>(from, 8));
}
