/** LDMXCSR and STMXCSR (0F AE /2, /3), with the checks of every SSE instruction. */
import { VCPU_CR0, VCPU_CR4, VCPU_MXCSR } from '../../abi/index';
import { fxrstor, fxsave, MXCSR_MASK } from '../fpu/environment';
import { canRead, memVal, operandVa, rd, wr } from '../mem';
import { CR0_EM, CR0_TS, CR4_OSFXSR } from '../mmu-mode';
import { cpu, raise, VEC_GP, VEC_NM, VEC_UD } from '../state';

/** 0F AE with a memory operand: FXSAVE (0), FXRSTOR (1), LDMXCSR (2), STMXCSR (3), CLFLUSH (7: checked as a read of one byte). */
export function saveGroup(p: usize, which: u32, wide: bool): i32 {
  const cr0 = load<u64>(cpu, VCPU_CR0);
  const va = operandVa(p);
  if (which == 7) return canRead(p, va, 1);
  if (which < 2) {
    if (cr0 & (CR0_EM | CR0_TS)) return raise(VEC_NM, 0);
    return which == 0 ? fxsave(p, va, wide) : fxrstor(p, va, wide);
  }
  if (cr0 & CR0_EM || !(load<u64>(cpu, VCPU_CR4) & CR4_OSFXSR)) return raise(VEC_UD, 0);
  if (cr0 & CR0_TS) return raise(VEC_NM, 0);
  if (which == 3) return wr(p, va, 4, load<u32>(cpu, VCPU_MXCSR));
  if (!rd(p, va, 4)) return 0;
  if (<u32>memVal & ~MXCSR_MASK) return raise(VEC_GP, 0);
  store<u32>(cpu, <u32>memVal, VCPU_MXCSR);
  return 1;
}
