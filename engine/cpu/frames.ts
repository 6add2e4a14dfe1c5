/** Guest frames: gfn -> host page through the memslot engine, with the report of a first write to a clean page. */
import { FRAME_CACHE_ENTRIES, MAX_VCPUS, PAGE_CLEAN, PAGE_INVALID, VCPU_AS_ID, VCPU_FRAME_CACHE, VCPU_FRAMES_USED } from '../abi/index';
import { lookup, markDirty } from './imports';
import { blockOf, cpu, vcpuIndex } from './state';

/**
 * gfn -> host page and PAGE_* bits of the current vCPU's address space, as `lookup` answers, behind a small direct-mapped cache.
 * Holes and INVALID slots are never cached; zaps and protects clear the cache, so every change of a lookup answer other than from
 * "no memslot" must be followed by one of them.
 */
export function frame(gfn: u64): u32 {
  const asId = load<u32>(cpu, VCPU_AS_ID);
  const key = gfn | ((<u64>asId) << 52);
  const slot = frameSlot(gfn);
  const cached = load<u32>(slot, 8);
  if (cached != 0 && load<u64>(slot) == key) return cached;
  const answer = <u32>lookup(vcpuIndex(), <f64>gfn, <i32>asId);
  if (answer != 0 && !(answer & PAGE_INVALID)) {
    store<u64>(slot, key);
    store<u32>(slot, answer, 8);
    store<u32>(cpu, 1, VCPU_FRAMES_USED);
  }
  return answer;
}

@inline
function frameSlot(gfn: u64): usize {
  return cpu + VCPU_FRAME_CACHE + ((<usize>(gfn ^ (gfn >> 8) ^ (gfn >> 14)) & (FRAME_CACHE_ENTRIES - 1)) << 4);
}

/** Of all vCPUs. */
export function clearFrameCaches(): void {
  for (let vcpu = 0; vcpu < MAX_VCPUS; vcpu++) {
    const block = blockOf(vcpu);
    if (!load<u32>(block, VCPU_FRAMES_USED)) continue;
    memory.fill(block + VCPU_FRAME_CACHE, 0, FRAME_CACHE_ENTRIES << 4);
    store<u32>(block, 0, VCPU_FRAMES_USED);
  }
}

/** Reports the first write to a clean page, so that it may carry a write tag from now on. Another vCPU may have been first. */
export function dirtyFrame(gfn: u64): void {
  const vcpu = vcpuIndex();
  const asId = load<u32>(cpu, VCPU_AS_ID);
  if (<u32>lookup(vcpu, <f64>gfn, <i32>asId) & PAGE_CLEAN) markDirty(vcpu, <f64>gfn, <i32>asId);
  const slot = frameSlot(gfn);
  if (load<u64>(slot) == (gfn | ((<u64>asId) << 52))) store<u32>(slot, load<u32>(slot, 8) & ~(<u32>PAGE_CLEAN), 8);
}
