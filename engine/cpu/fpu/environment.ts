/**
 * FLDENV, FSTENV, FSAVE, FRSTOR (16- and 32-bit forms, SDM 1 figures 8-9..8-12), FXSAVE, FXRSTOR (SDM 1 10.5, table 10-2).
 * FCS and FDS are stored as 0 and ignored on load (CPUID.7.EBX[13]); real-address forms are laid out as the protected ones.
 */
import { VCPU_CR4, VCPU_FCW, VCPU_FDP, VCPU_FIP, VCPU_FOP, VCPU_FPU_REGS, VCPU_FTW, VCPU_MXCSR, VCPU_XMM } from '../../abi/index';
import { canRead, canWrite, memVal, rd, wr } from '../mem';
import { CR4_OSFXSR, is64, MODE_ALIGN, mode } from '../mmu-mode';
import { cpu, raise, VEC_GP } from '../state';
import { INTEGER_BIT } from './float80';
import { fcw, fsw, initialise, physical, setFsw, setTag, updateSummary } from './registers';

/** Exact tags: 0 valid, 1 zero, 2 special, 3 empty. */
function tagWord(): u32 {
  let word: u32 = 0;
  for (let n: u32 = 0; n < 8; n++) {
    const at = cpu + VCPU_FPU_REGS + <usize>(n << 4);
    const exp = <u32>load<u16>(at, 8) & 0x7fff;
    const sig = load<u64>(at);
    let tag = (<u32>load<u16>(cpu, VCPU_FTW) >> (n << 1)) & 3;
    if (tag != 3) tag = exp == 0 && sig == 0 ? 1 : exp == 0 || exp == 0x7fff || sig < INTEGER_BIT ? 2 : 0;
    word |= tag << (n << 1);
  }
  return word;
}

function setTagWord(word: u32): void {
  for (let n: u32 = 0; n < 8; n++) setTag(n, ((word >> (n << 1)) & 3) == 3 ? 3 : 0);
}

/** FNSTENV: masks all exceptions afterwards. */
export function storeEnvironment(p: usize, va: u64, wide: bool): i32 {
  if (!canWrite(p, va, wide ? 28 : 14)) return 0;
  if (!putEnvironment(p, va, wide)) return 0;
  store<u16>(cpu, <u16>(fcw() | 0x3f), VCPU_FCW);
  updateSummary();
  return 1;
}

function putEnvironment(p: usize, va: u64, wide: bool): i32 {
  const fip = load<u64>(cpu, VCPU_FIP);
  const fdp = load<u64>(cpu, VCPU_FDP);
  const fop = <u64>load<u16>(cpu, VCPU_FOP) & 0x7ff;
  if (!wide) {
    if (!wr(p, va, 2, fcw()) || !wr(p, va + 2, 2, fsw()) || !wr(p, va + 4, 2, tagWord())) return 0;
    return wr(p, va + 6, 2, fip) && wr(p, va + 8, 2, 0) && wr(p, va + 10, 2, fdp) && wr(p, va + 12, 2, 0) ? 1 : 0;
  }
  const ones: u64 = 0xffff0000;
  if (!wr(p, va, 4, fcw() | ones) || !wr(p, va + 4, 4, fsw() | ones) || !wr(p, va + 8, 4, tagWord() | ones)) return 0;
  return wr(p, va + 12, 4, fip) && wr(p, va + 16, 4, fop << 16) && wr(p, va + 20, 4, fdp) && wr(p, va + 24, 4, ones) ? 1 : 0;
}

export function loadEnvironment(p: usize, va: u64, wide: bool): i32 {
  const step: u64 = wide ? 4 : 2;
  if (!canRead(p, va, wide ? 28 : 14)) return 0;
  if (!rd(p, va, 2)) return 0;
  store<u16>(cpu, <u16>((memVal & 0x1f3f) | 0x40), VCPU_FCW);
  if (!rd(p, va + step, 2)) return 0;
  setFsw(<u32>memVal);
  if (!rd(p, va + step * 2, 2)) return 0;
  setTagWord(<u32>memVal);
  if (!rd(p, va + step * 3, wide ? 4 : 2)) return 0;
  store<u64>(cpu, memVal, VCPU_FIP);
  if (wide) {
    if (!rd(p, va + 18, 2)) return 0;
    store<u16>(cpu, <u16>memVal & 0x7ff, VCPU_FOP);
  }
  if (!rd(p, va + step * 5, wide ? 4 : 2)) return 0;
  store<u64>(cpu, memVal, VCPU_FDP);
  updateSummary();
  return 1;
}

/** The image of one register; inside the area of FSAVE it needs no alignment. */
function putRegister(p: usize, to: u64, at: usize): i32 {
  if (!(mode & MODE_ALIGN)) return wr(p, to, 8, load<u64>(at)) && wr(p, to + 8, 2, load<u16>(at, 8)) ? 1 : 0;
  for (let i: usize = 0; i < 10; i += 2) if (!wr(p, to + <u64>i, 2, load<u16>(at + i))) return 0;
  return 1;
}
function getRegister(p: usize, from: u64, at: usize): i32 {
  if (mode & MODE_ALIGN) {
    for (let i: usize = 0; i < 10; i += 2) {
      if (!rd(p, from + <u64>i, 2)) return 0;
      store<u16>(at + i, <u16>memVal);
    }
    return 1;
  }
  if (!rd(p, from, 8)) return 0;
  store<u64>(at, memVal);
  if (!rd(p, from + 8, 2)) return 0;
  store<u16>(at, <u16>memVal, 8);
  return 1;
}

/** FNSAVE: environment, then ST(0)..ST(7), then FNINIT. */
export function saveState(p: usize, va: u64, wide: bool): i32 {
  const size = wide ? 28 : 14;
  if (!canWrite(p, va, size + 80)) return 0;
  if (!putEnvironment(p, va, wide)) return 0;
  for (let i: u32 = 0; i < 8; i++) {
    const at = cpu + VCPU_FPU_REGS + <usize>(physical(i) << 4);
    if (!putRegister(p, va + <u64>(size + <i32>i * 10), at)) return 0;
  }
  initialise();
  return 1;
}

export function restoreState(p: usize, va: u64, wide: bool): i32 {
  const size = wide ? 28 : 14;
  if (!canRead(p, va, size + 80)) return 0;
  if (!loadEnvironment(p, va, wide)) return 0;
  for (let i: u32 = 0; i < 8; i++) {
    const at = cpu + VCPU_FPU_REGS + <usize>(physical(i) << 4);
    if (!getRegister(p, va + <u64>(size + <i32>i * 10), at)) return 0;
  }
  return 1;
}

/** Bits of MXCSR that exist (the first processors lacked DAZ, but all with SSE2 have it). */
export const MXCSR_MASK: u32 = 0xffff;

/** FXSAVE. `wide`: REX.W. Not aligned to 16 bytes: #GP(0). XMM registers are saved only with CR4.OSFXSR. */
export function fxsave(p: usize, va: u64, wide: bool): i32 {
  if (va & 15) return raise(VEC_GP, 0);
  if (!canWrite(p, va, 512)) return 0;
  let tags: u64 = 0;
  for (let n: u32 = 0; n < 8; n++) {
    if (((<u32>load<u16>(cpu, VCPU_FTW) >> (n << 1)) & 3) != 3) tags |= 1 << n;
  }
  const fop = <u64>load<u16>(cpu, VCPU_FOP) & 0x7ff;
  const ip = load<u64>(cpu, VCPU_FIP);
  const dp = load<u64>(cpu, VCPU_FDP);
  const limit: u64 = wide ? <u64>-1 : 0xffffffff;
  if (!wr(p, va, 8, <u64>fcw() | ((<u64>fsw()) << 16) | (tags << 32) | (fop << 48))) return 0;
  if (!wr(p, va + 8, 8, ip & limit) || !wr(p, va + 16, 8, dp & limit)) return 0;
  if (!wr(p, va + 24, 8, <u64>load<u32>(cpu, VCPU_MXCSR) | ((<u64>MXCSR_MASK) << 32))) return 0;
  for (let i: u32 = 0; i < 8; i++) {
    const at = cpu + VCPU_FPU_REGS + <usize>(physical(i) << 4);
    const to = va + 32 + <u64>(i << 4);
    if (!wr(p, to, 8, load<u64>(at)) || !wr(p, to + 8, 8, load<u16>(at, 8))) return 0;
  }
  if (!(load<u64>(cpu, VCPU_CR4) & CR4_OSFXSR)) return 1;
  const count: u32 = is64() ? 16 : 8;
  for (let i: u32 = 0; i < count; i++) {
    const at = cpu + VCPU_XMM + <usize>(i << 4);
    const to = va + 160 + <u64>(i << 4);
    if (!wr(p, to, 8, load<u64>(at)) || !wr(p, to + 8, 8, load<u64>(at, 8))) return 0;
  }
  return 1;
}

/** FXRSTOR. Reserved MXCSR bits: #GP(0). */
export function fxrstor(p: usize, va: u64, wide: bool): i32 {
  if (va & 15) return raise(VEC_GP, 0);
  if (!canRead(p, va, 512)) return 0;
  if (!rd(p, va + 24, 4)) return 0;
  const mxcsr = <u32>memVal;
  const withXmm = (load<u64>(cpu, VCPU_CR4) & CR4_OSFXSR) != 0;
  if (mxcsr & ~MXCSR_MASK) return raise(VEC_GP, 0);
  store<u32>(cpu, mxcsr, VCPU_MXCSR);
  if (!rd(p, va, 8)) return 0;
  store<u16>(cpu, <u16>((memVal & 0x1f3f) | 0x40), VCPU_FCW);
  setFsw(<u32>(memVal >> 16) & 0xffff);
  const tags = <u32>(memVal >> 32) & 0xff;
  store<u16>(cpu, <u16>(memVal >> 48) & 0x7ff, VCPU_FOP);
  for (let n: u32 = 0; n < 8; n++) setTag(n, (tags >> n) & 1 ? 0 : 3);
  updateSummary();
  const limit: u64 = wide ? <u64>-1 : 0xffffffff;
  if (!rd(p, va + 8, 8)) return 0;
  store<u64>(cpu, memVal & limit, VCPU_FIP);
  if (!rd(p, va + 16, 8)) return 0;
  store<u64>(cpu, memVal & limit, VCPU_FDP);
  for (let i: u32 = 0; i < 8; i++) {
    const at = cpu + VCPU_FPU_REGS + <usize>(physical(i) << 4);
    const from = va + 32 + <u64>(i << 4);
    if (!rd(p, from, 8)) return 0;
    store<u64>(at, memVal);
    if (!rd(p, from + 8, 2)) return 0;
    store<u16>(at, <u16>memVal, 8);
  }
  if (!withXmm) return 1;
  const count: u32 = is64() ? 16 : 8;
  for (let i: u32 = 0; i < count; i++) {
    const at = cpu + VCPU_XMM + <usize>(i << 4);
    const from = va + 160 + <u64>(i << 4);
    if (!rd(p, from, 8)) return 0;
    store<u64>(at, memVal);
    if (!rd(p, from + 8, 8)) return 0;
    store<u64>(at, memVal, 8);
  }
  return 1;
}
