/** Power-on state of a vCPU (SDM 3A table 10-1), and the updates needed after a change of its record from outside. */
import {
  SEG_ATTR,
  SEG_CS,
  SEG_ES,
  SEG_GS,
  SEG_LDTR,
  SEG_SS,
  SEG_TR,
  VCPU_APIC_BASE,
  VCPU_BREAK_ICOUNT,
  VCPU_CLOCK_SHIFT,
  VCPU_CPL,
  VCPU_CR0,
  VCPU_DR6,
  VCPU_DR7,
  VCPU_FCW,
  VCPU_FTW,
  VCPU_GDT_LIMIT,
  VCPU_HALTED,
  VCPU_IDT_LIMIT,
  VCPU_INDEX,
  VCPU_MISC_ENABLE,
  VCPU_MXCSR,
  VCPU_PASS_COUNT,
  VCPU_PAT,
  VCPU_RDRAND,
  VCPU_RDX,
  VCPU_RIP,
  VCPU_STATS,
} from '../../abi/index';
import { VCPU_CONFIG_END, VCPU_CPU_MODEL } from '../../abi/svm';
import { setFlags } from '../flags';
import { resetTlb } from '../mmu';
import { CR0_PE, cr0, modeChanged, segRecord } from '../mmu-mode';
import { dplOf, putSegmentRaw } from '../segments';
import { blockOf, cpu, selectCpu } from '../state';
import { watchesChanged } from '../watches-changed';
import { cpuSignature } from './cpuid';

const APIC_BASE_RESET: u64 = 0xfee00800;
const APIC_BASE_BSP: u64 = 0x100;
const WAIT_FOR_SIPI: u32 = 2;

/**
 * Power-on: registers as in the manual, instruction count and clock at 0. What the machine sets once is kept: clock shift, RDRAND seed, CPU model.
 * vCPU 0 is the bootstrap processor; the others wait for SIPI.
 */
export function resetVcpu(vcpu: i32): void {
  const before = cpu;
  const record = blockOf(vcpu);
  const shift = load<u32>(record, VCPU_CLOCK_SHIFT);
  const seed = load<u64>(record, VCPU_RDRAND);
  memory.fill(record, 0, VCPU_CPU_MODEL);
  memory.fill(record + VCPU_CONFIG_END, 0, VCPU_STATS - VCPU_CONFIG_END);
  selectCpu(record);
  store<u32>(cpu, vcpu, VCPU_INDEX);
  store<u32>(cpu, shift, VCPU_CLOCK_SHIFT);
  store<u64>(cpu, seed, VCPU_RDRAND);
  store<u64>(cpu, <u64>-1, VCPU_BREAK_ICOUNT);
  store<u64>(cpu, cpuSignature(), VCPU_RDX);
  store<u64>(cpu, 0xfff0, VCPU_RIP);
  store<u64>(cpu, 0x60000010, VCPU_CR0);
  store<u64>(cpu, 0xffff0ff0, VCPU_DR6);
  store<u64>(cpu, 0x400, VCPU_DR7);
  store<u32>(cpu, 0xffff, VCPU_GDT_LIMIT);
  store<u32>(cpu, 0xffff, VCPU_IDT_LIMIT);
  store<u64>(cpu, 0x0007040600070406, VCPU_PAT);
  store<u64>(cpu, 1, VCPU_MISC_ENABLE);
  store<u64>(cpu, APIC_BASE_RESET | (vcpu == 0 ? APIC_BASE_BSP : 0), VCPU_APIC_BASE);
  store<u32>(cpu, vcpu == 0 ? 0 : WAIT_FOR_SIPI, VCPU_HALTED);
  store<u16>(cpu, 0x40, VCPU_FCW);
  store<u16>(cpu, 0x5555, VCPU_FTW);
  store<u32>(cpu, 0x1f80, VCPU_MXCSR);
  for (let seg = SEG_ES; seg <= SEG_GS; seg++) putSegmentRaw(seg, 0, 0, 0xffff, 0x93);
  putSegmentRaw(SEG_CS, 0xf000, 0xffff0000, 0xffff, 0x93);
  putSegmentRaw(SEG_LDTR, 0, 0, 0xffff, 0x82);
  putSegmentRaw(SEG_TR, 0, 0, 0xffff, 0x8b);
  setFlags(2);
  store<u64>(cpu, <u64>-1, VCPU_PASS_COUNT);
  resetTlb();
  watchesChanged();
  selectCpu(before);
  modeChanged();
}

/** JS wrote control or segment fields of a record: sets CPL to SS.DPL (0 in real mode), recomputes derived state, empties the TLB. */
export function stateChanged(vcpu: i32): void {
  const before = cpu;
  selectCpu(blockOf(vcpu));
  store<u32>(cpu, cr0() & CR0_PE ? dplOf(load<u16>(segRecord(SEG_SS), SEG_ATTR)) : 0, VCPU_CPL);
  modeChanged();
  resetTlb();
  watchesChanged();
  selectCpu(before);
  modeChanged();
}
