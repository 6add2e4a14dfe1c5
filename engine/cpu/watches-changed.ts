/** Called after a change of what is watched: updates the tags of the TLB, which are computed by watch.ts. */
import { retag } from './tlb/retag';
import { rearm } from './watch';

/** The table or a debug register has changed. Only between blocks, or in an instruction that ends its block. */
export function watchesChanged(): void {
  if (rearm()) retag();
}
