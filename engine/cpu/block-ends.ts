/** The end of a block, and its links to other blocks of its page, which the last record holds. The twin of a region's entry (regions.ts) has them too. */
import { TRAIT_ENDS, TRAIT_LINKS, traitsOf } from './generated/lookups';
import { branchLink, entryOf, isCached, opOf, R_AFTER, RECORD_SIZE, setBranchLink } from './record';

/** Field of an entry descriptor. */
export const E_TWIN: usize = 16; // u32 first record of the twin
/** H_ENTRY of a block that a region contains without an entry. */
export const COVERED: u32 = 1;

/** The address after the block's last record. */
export function endOf(block: usize): usize {
  let record = block;
  while (true) {
    const ends = (traitsOf(opOf(record)) & TRAIT_ENDS) != 0;
    record += RECORD_SIZE;
    // A compare fused with its branch ends the block only together with it.
    if (ends && load<u8>(record - RECORD_SIZE, R_AFTER) <= 1) return record;
  }
}

/** Blocks of this one's page were dropped: removes the links to them, from the block and from its twin. */
export function forgetDropped(block: usize): void {
  const entry = entryOf(block);
  const twin = entry > COVERED ? <usize>load<u32>(entry, E_TWIN) : block;
  const last = endOf(twin) - RECORD_SIZE;
  if (!(traitsOf(opOf(last)) & TRAIT_LINKS)) return;
  forgetLinks(last);
  if (twin != block) forgetLinks(block + (last - twin));
}

function forgetLinks(branch: usize): void {
  for (let taken = 0; taken < 2; taken++) {
    const target = branchLink(branch, taken);
    if (target != 0 && !isCached(target)) setBranchLink(branch, taken, 0);
  }
}
