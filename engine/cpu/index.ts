/** The core's exports (abi/core.ts, CoreExports). */
import { MAX_VCPUS, VCPU_BASE, VCPU_STRIDE } from '../abi/index';
import { codeWritten, dropAllCode } from './blocks';
import { getFlags, setFlags } from './flags';
import { translate as walk } from './mmu';
import { cpu, selectCpu } from './state';
import { resetVcpu as powerOn } from './system';

export { run } from './run';
export {
  jitBlock, jitCarry, jitCold, jitCondition, jitCover, jitExec, jitFetch, jitFill, jitFirstBlock, jitFlags, jitInstall, jitNextBlock, jitPrepare, jitRecords,
  jitRotated, jitSetup, jitTwin, jitUses, jitWatch,
} from './regions';
export { protectGfnRange, zapAll, zapGfnRange } from './mmu';
export { resetVcpu, stateChanged } from './system';

@inline function record(vcpu: i32): usize {
  return <usize>VCPU_BASE + <usize>vcpu * VCPU_STRIDE;
}

/** Once, before anything else. */
export function init(): void {
  for (let vcpu = 0; vcpu < MAX_VCPUS; vcpu++) powerOn(vcpu);
  selectCpu(record(0));
  dropAllCode();
}

export function getRflags(vcpu: i32): u32 {
  const before = cpu;
  selectCpu(record(vcpu));
  const flags = getFlags();
  selectCpu(before);
  return flags;
}

export function setRflags(vcpu: i32, rflags: u32): void {
  const before = cpu;
  selectCpu(record(vcpu));
  setFlags(rflags);
  selectCpu(before);
}

export function invalidateCode(hva: usize, length: i32): void {
  codeWritten(hva, length);
}

export function invalidateAllCode(): void {
  dropAllCode();
}

export function translate(vcpu: i32, gvaLow: u32, gvaHigh: u32): i32 {
  return walk(record(vcpu), <u64>gvaLow | (<u64>gvaHigh << 32));
}
