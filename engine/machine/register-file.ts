/** Registers of a vCPU by their names in a debugger, written one at a time. */
import type { CoreExports } from '../abi/core';
import { VCPU_BASE, VCPU_BLOCK_SIZE } from '../abi/layout';
import * as abi from '../abi/vcpu';
import { MachineError } from './api';
import type { HostMemory } from './host-memory';
import type { Vcpu } from './vcpu';

const GPRS = ['rax', 'rcx', 'rdx', 'rbx', 'rsp', 'rbp', 'rsi', 'rdi', 'r8', 'r9', 'r10', 'r11', 'r12', 'r13', 'r14', 'r15'];
const SEGMENTS = ['es', 'cs', 'ss', 'ds', 'fs', 'gs'];
/** CR0.PE */
const PROTECTED = 1;
/** CS.L and D: the digest of modes depends on them, so only the guest may change them. */
const WIDE: Readonly<Record<string, { at: number; state?: true }>> = {
  rip: { at: abi.VCPU_RIP },
  fs_base: { at: abi.VCPU_SEG + abi.SEG_FS * abi.VCPU_SEG_SIZE + abi.SEG_BASE, state: true },
  gs_base: { at: abi.VCPU_SEG + abi.SEG_GS * abi.VCPU_SEG_SIZE + abi.SEG_BASE, state: true },
  k_gs_base: { at: abi.VCPU_KERNEL_GS_BASE },
  cr0: { at: abi.VCPU_CR0, state: true },
  cr2: { at: abi.VCPU_CR2 },
  cr3: { at: abi.VCPU_CR3, state: true },
  cr4: { at: abi.VCPU_CR4, state: true },
  cr8: { at: abi.VCPU_CR8 },
  efer: { at: abi.VCPU_EFER, state: true },
};
/** x87: offset and size. Tags are separate: the record has two bits for each register, and so has a debugger's FTAG. */
const SMALL: Readonly<Record<string, { at: number; bytes: 2 | 4 }>> = {
  fctrl: { at: abi.VCPU_FCW, bytes: 2 },
  fstat: { at: abi.VCPU_FSW, bytes: 2 },
  ftag: { at: abi.VCPU_FTW, bytes: 2 },
  fop: { at: abi.VCPU_FOP, bytes: 2 },
  mxcsr: { at: abi.VCPU_MXCSR, bytes: 4 },
};

export interface Registered {
  vcpu: Vcpu;
  host: HostMemory;
  core: CoreExports;
}

/** Writes one register. True: `stateChanged` must follow. MachineError for an unknown name. */
export function writeRegister({ vcpu, host, core }: Registered, name: string, value: bigint): boolean {
  const { view } = host;
  const base = VCPU_BASE + vcpu.index * VCPU_BLOCK_SIZE;
  const gpr = GPRS.indexOf(name);
  if (gpr >= 0) {
    vcpu.setU64(abi.VCPU_GPR + 8 * gpr, BigInt.asUintN(64, value));
    return false;
  }
  const wide = WIDE[name];
  if (wide) {
    if (vcpu.u64(wide.at) === BigInt.asUintN(64, value)) return false;
    vcpu.setU64(wide.at, BigInt.asUintN(64, value));
    return wide.state === true;
  }
  const small = SMALL[name];
  if (small) {
    if (small.bytes === 2) view.setUint16(base + small.at, Number(BigInt.asUintN(16, value)), true);
    else vcpu.setU32(small.at, Number(BigInt.asUintN(32, value)) & 0xffff);
    return false;
  }
  if (name === 'eflags') {
    core.setRflags(vcpu.index, Number(BigInt.asUintN(32, value)) | 2);
    return false;
  }
  const segment = SEGMENTS.indexOf(name);
  if (segment >= 0) return writeSelector(vcpu, segment, Number(BigInt.asUintN(16, value)));
  const xmm = /^xmm(\d+)$/.exec(name);
  if (xmm && Number(xmm[1]) < 16) {
    const at = abi.VCPU_XMM + 16 * Number(xmm[1]);
    vcpu.setU64(at, BigInt.asUintN(64, value));
    vcpu.setU64(at + 8, BigInt.asUintN(64, value >> 64n));
    return false;
  }
  const st = /^st([0-7])$/.exec(name);
  if (st) {
    const top = (view.getUint16(base + abi.VCPU_FSW, true) >> 11) & 7;
    const at = abi.VCPU_FPU_REGS + 16 * ((top + Number(st[1])) & 7);
    vcpu.setU64(at, BigInt.asUintN(64, value));
    view.setUint16(base + at + 8, Number(BigInt.asUintN(16, value >> 64n)), true);
    return false;
  }
  throw new MachineError(`there is no register '${name}'`);
}

/** Loads it as in real mode. In protected mode only its current value may be written: any other would need a descriptor. */
function writeSelector(vcpu: Vcpu, index: number, selector: number): boolean {
  const segment = vcpu.segment(index);
  if (segment.selector === selector) return false;
  if (vcpu.u32(abi.VCPU_CR0) & PROTECTED)
    throw new MachineError(`${SEGMENTS[index]} cannot be written in protected mode: let the guest load its descriptor`);
  vcpu.setSegment(index, { ...segment, selector, base: selector * 16 });
  return true;
}
