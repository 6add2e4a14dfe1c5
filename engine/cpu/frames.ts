/** Guest frames: gfn -> host page through the memslot engine, with the report of a first write to a clean page. */
import {
  FRAME_CACHE_ENTRIES,
  FRAME_CACHE_SHIFT,
  MAX_VCPUS,
  PAGE_CLEAN,
  PAGE_INVALID,
  VCPU_AS_ID,
  VCPU_FRAME_CACHE,
  VCPU_FRAMES_USED,
} from '../abi/index';
import { lookup, markDirty } from './imports';
import { blockOf, cpu, vcpuIndex } from './state';
import { forgetTablePlaces } from './table-cache';

/**
 * gfn -> host page and PAGE_* bits of the current vCPU's address space, as `lookup` answers, through a small direct-mapped cache. It never holds
 * holes or INVALID slots. Zaps and protects clear it, so one of them must follow every change of a lookup answer, unless that was "no memslot"
 * before.
 */
export function frame(gfn: u64): u32 {
  const slot = frameSlot(gfn);
  const cached = load<u32>(slot, ANSWER);
  return cached != 0 && load<u32>(slot) == keyOf(gfn) ? cached : findFrame(gfn, slot);
}

function findFrame(gfn: u64, slot: usize): u32 {
  const answer = <u32>lookup(vcpuIndex(), <f64>gfn, load<i32>(cpu, VCPU_AS_ID));
  if (answer != 0 && !(answer & PAGE_INVALID)) {
    store<u32>(slot, keyOf(gfn));
    store<u32>(slot, answer, ANSWER);
    store<u32>(cpu, 1, VCPU_FRAMES_USED);
  }
  return answer;
}

/** Entry: u32 key, u32 answer (0: empty). A gfn has 40 bits at most. */
const ANSWER: usize = 4;
/** The bits of a gfn that the entry's index does not imply, and the address space. */
@inline
function keyOf(gfn: u64): u32 {
  return <u32>(gfn >> FRAME_CACHE_SHIFT) | (load<u32>(cpu, VCPU_AS_ID) << 31);
}
@inline
function frameSlot(gfn: u64): usize {
  return cpu + VCPU_FRAME_CACHE + ((<usize>(gfn ^ (gfn >> FRAME_CACHE_SHIFT)) & (FRAME_CACHE_ENTRIES - 1)) << 3);
}

/** Clears the caches of all vCPUs. */
export function clearFrameCaches(): void {
  forgetTablePlaces();
  for (let vcpu = 0; vcpu < MAX_VCPUS; vcpu++) {
    const block = blockOf(vcpu);
    if (!load<u32>(block, VCPU_FRAMES_USED)) continue;
    memory.fill(block + VCPU_FRAME_CACHE, 0, FRAME_CACHE_ENTRIES << 3);
    store<u32>(block, 0, VCPU_FRAMES_USED);
  }
}

/** Reports the first write to a clean page, which may have a write tag from then on. Another vCPU may have reported it already. */
export function dirtyFrame(gfn: u64): void {
  const vcpu = vcpuIndex();
  const asId = load<u32>(cpu, VCPU_AS_ID);
  if (<u32>lookup(vcpu, <f64>gfn, <i32>asId) & PAGE_CLEAN) markDirty(vcpu, <f64>gfn, <i32>asId);
  const slot = frameSlot(gfn);
  if (load<u32>(slot) == keyOf(gfn)) store<u32>(slot, load<u32>(slot, ANSWER) & ~(<u32>PAGE_CLEAN), ANSWER);
}
