/** What follows a change of what is watched: the tags of the TLB follow it, which ask watch.ts themselves. */
import { retag } from './mmu-tlb';
import { rearm } from './watch';

/** The table or a debug register has changed. Only between blocks, or in an instruction that ends its block. */
export function watchesChanged(): void {
  if (rearm()) retag();
}
