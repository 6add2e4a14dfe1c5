/** The core's exports (abi/core.ts, CoreExports). */
import { codeWritten, dropAllCode } from './code-pages';
import { getFlags, setFlags } from './flags';
import { translate as walk } from './mmu';
import { blockOf, cpu, selectCpu } from './state';
import { resetVcpu as powerOn } from './system';
import { restoreTlb, retag } from './tlb/retag';
import { noteRange, startTracking } from './track';
import { warmUp } from './warm-up';
import { breaksIn } from './watch';

export { traceExceptions } from './events';
export {
  jitX87,
  jitX87Add,
  jitX87Divide,
  jitX87Multiply,
  jitX87Relation,
  jitX87Root,
  jitX87State,
  jitX87Store,
} from './fpu/for-regions';
export { protectGfnRange, zapAll, zapGfnRange } from './mmu';
export {
  jitBlock,
  jitCarry,
  jitCold,
  jitCondition,
  jitCover,
  jitEnd,
  jitExec,
  jitFetch,
  jitFill,
  jitFirstBlock,
  jitFlags,
  jitHeat,
  jitInstall,
  jitNextBlock,
  jitPrepare,
  jitRecords,
  jitRotated,
  jitSetup,
  jitTwin,
  jitUses,
  jitWatch,
} from './regions';
export { run } from './run';
export { resetVcpu, stateChanged } from './system';
export { watchesChanged } from './watches-changed';

/** Once, before anything else. The head start comes first: the engine's compiler works beside all that follows. */
export function init(): void {
  selectCpu(blockOf(0));
  warmUp();
  powerOn(0);
  dropAllCode();
}

export function getRflags(vcpu: i32): u32 {
  const before = cpu;
  selectCpu(blockOf(vcpu));
  const flags = getFlags();
  selectCpu(before);
  return flags;
}

export function setRflags(vcpu: i32, rflags: u32): void {
  const before = cpu;
  selectCpu(blockOf(vcpu));
  setFlags(rflags);
  selectCpu(before);
}

export function invalidateCode(hva: usize, length: i32): void {
  noteRange(hva, <usize>(<u32>length));
  codeWritten(hva, length);
}

export function trackWrites(on: i32): void {
  startTracking(on != 0);
  retag();
}

export function tlbRestored(vcpu: i32): void {
  restoreTlb(blockOf(vcpu));
}

export function invalidateAllCode(): void {
  dropAllCode();
}

export function watchesCode(vcpu: i32, gvaLow: u32, gvaHigh: u32, gfn: u32): i32 {
  return i32(breaksIn(blockOf(vcpu), <u64>gvaLow | ((<u64>gvaHigh) << 32), gfn));
}

export function translate(vcpu: i32, gvaLow: u32, gvaHigh: u32): i32 {
  return walk(blockOf(vcpu), <u64>gvaLow | ((<u64>gvaHigh) << 32));
}
