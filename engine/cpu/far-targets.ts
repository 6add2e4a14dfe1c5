/**
 * Where far transfers last went. Most go to the same place again (SYSCALL, INT), or to one of a few. Remembering the block avoids waiting for the
 * loads that find it: through the TLB and the hash of blocks each load depends on the one before, and the processor cannot hide that latency behind a
 * mispredicted jump.
 */
import { execHost } from './mmu';
import { isBlockAt, isCached, R_LAST, VREG_PAGE } from './record';
import { cpu } from './state';
import { blockKey } from './why';

/** The block at rip if the far transfer at p went there before and `findBlock` would find the same block; else 0. 64-bit or flat code only. */
@inline
export function lastTarget(p: usize, rip: u64): usize {
  const block = <usize>load<u32>(p, R_LAST);
  if (block == 0) return 0;
  const hva = execHost(rip);
  if (hva == 0 || !isBlockAt(block, hva, blockKey()) || !isCached(block)) return 0;
  store<u64>(cpu, rip & ~(<u64>4095), VREG_PAGE);
  return block;
}
