/** How a block ends, with the links that its last record has to other blocks of its page, also in the twin of a region's entry (regions.ts). */
import { TRAIT_ENDS, TRAIT_LINKS, traitsOf } from './generated/lookups';
import { branchLink, entryOf, isCached, opOf, R_AFTER, RECORD_SIZE, setBranchLink } from './record';

/** Field of an entry descriptor. */
export const E_TWIN: usize = 16; // u32 first record of the twin
/** H_ENTRY of a block that a region contains without an entry. */
export const COVERED: u32 = 1;

/** Behind the last record of the block. */
export function endOf(block: usize): usize {
  let record = block;
  while (true) {
    const ends = (traitsOf(opOf(record)) & TRAIT_ENDS) != 0;
    record += RECORD_SIZE;
    // A compare that is fused with its branch ends the block only with that.
    if (ends && load<u8>(record - RECORD_SIZE, R_AFTER) <= 1) return record;
  }
}

/** Blocks of the page that this one is in were dropped: it has no links to them any more, and neither has its twin. */
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
