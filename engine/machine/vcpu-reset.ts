/** Power-on and start-up of vCPUs, for the board. */
import type { CoreExports } from '../abi/core';
import * as abi from '../abi/vcpu';
import { CLOCK_SHIFT } from './board';
import { Halted, type Vcpu } from './vcpu';

const NEVER = 0xffffffffffffffffn;
const CODE16 = 0x9b;

/** Power-on state, at guest time 0. All but vCPU 0 wait for a start-up message. */
export function powerOnVcpu(core: CoreExports, vcpu: Vcpu): void {
  core.resetVcpu(vcpu.index);
  vcpu.setU32(abi.VCPU_INDEX, vcpu.index);
  vcpu.setU32(abi.VCPU_CLOCK_SHIFT, CLOCK_SHIFT);
  vcpu.setU64(abi.VCPU_BREAK_ICOUNT, NEVER);
  if (vcpu.index > 0) vcpu.setU32(abi.VCPU_HALTED, Halted.waitForSipi);
  core.stateChanged(vcpu.index);
}

/**
 * The same at guest time `now` (ns). The count of instructions and the random generator continue, so that nothing repeats after a reset; so does a
 * break at a count, which was set from outside.
 */
export function resetVcpu(core: CoreExports, vcpu: Vcpu, now: number): void {
  const { icount } = vcpu;
  const random = vcpu.u64(abi.VCPU_RDRAND);
  const breakAt = vcpu.u64(abi.VCPU_BREAK_ICOUNT);
  powerOnVcpu(core, vcpu);
  vcpu.setCount(abi.VCPU_ICOUNT, icount);
  vcpu.setCount(abi.VCPU_CLOCK_SKEW, Math.max(0, now - icount * 2 ** CLOCK_SHIFT));
  vcpu.setU64(abi.VCPU_RDRAND, random);
  vcpu.setU64(abi.VCPU_BREAK_ICOUNT, breakAt);
}

/** Start-up message (SDM 3A 9.4): real mode at vector << 12. */
export function startVcpu(core: CoreExports, vcpu: Vcpu, vector: number): void {
  vcpu.setSegment(abi.SEG_CS, { selector: vector << 8, base: vector << 12, limit: 0xffff, attributes: CODE16 });
  vcpu.setCount(abi.VCPU_RIP, 0);
  vcpu.setU32(abi.VCPU_HALTED, Halted.no);
  core.stateChanged(vcpu.index);
}

/** Counters of all vCPUs together, for people. */
export function sumStats(vcpus: readonly Vcpu[]): Record<string, number> {
  const sum = (offset: number) => vcpus.reduce((total, vcpu) => total + vcpu.stat(offset), 0);
  return {
    tlb_misses: sum(abi.STAT_TLB_MISS),
    page_walks: sum(abi.STAT_PAGE_WALK),
    tlb_flushes: sum(abi.STAT_TLB_FLUSH),
    zapped_entries: sum(abi.STAT_ZAPPED_ENTRIES),
    blocks_decoded: sum(abi.STAT_BLOCKS_DECODED),
    code_invalidated: sum(abi.STAT_CODE_INVALIDATED),
    mmio: sum(abi.STAT_MMIO),
    pio: sum(abi.STAT_PIO),
    exceptions: sum(abi.STAT_EXCEPTIONS),
    interrupts: sum(abi.STAT_INTERRUPTS),
    retries: sum(abi.STAT_RETRIES),
    unimplemented: sum(abi.STAT_UNIMPLEMENTED),
  };
}
