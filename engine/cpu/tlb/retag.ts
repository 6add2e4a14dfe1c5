/**
 * Marks on the tags of TLB entries. Bit 0 of a tag keeps it from hitting, so that each access takes the slow path: for watched pages (watch.ts), and for
 * the first write to a page since the last checkpoint (track.ts).
 */
import { MAX_VCPUS, TLB_ADDEND, TLB_ENTRY_SIZE, TLB_GFN, TLB_TAG_EXEC, TLB_TAG_READ, TLB_TAG_WRITE, VCPU_INDEX } from '../../abi/index';
import { clearFrameCaches } from '../frames';
import { blockOf, cpu } from '../state';
import { isChanged, noteChanged, tracking } from '../track';
import { armed, TAG_EXEC, TAG_READ, TAG_WRITE, watchedTags } from '../watch';
import {
  CONTEXTS,
  contextOf,
  forgetGfns,
  GUEST_USED,
  gfnAt,
  hasCode,
  hostAt,
  isEmpty,
  NO_TAG,
  noteUsed,
  noteWritten,
  numberIn,
  pageOf,
  TABLE_BYTES,
  tablesOf,
  usedTlbs,
} from './entries';
import { dropWindows } from './windows';

@inline
function setWatched(tag: usize, watched: bool): void {
  const value = load<u64>(tag);
  if (value != NO_TAG) store<u64>(tag, (value & ~(<u64>1)) | u64(watched));
}
/** Marks the tags of the entry that must not hit. */
export function retagEntry(block: usize, entry: usize): void {
  if (isEmpty(entry)) return;
  const page = pageOf(entry) & ~(<u64>1);
  const tags = armed ? watchedTags(block, page, load<u32>(entry, TLB_GFN)) : 0;
  const host = <usize>(<u32>page + load<u32>(entry, TLB_ADDEND));
  setWatched(entry + TLB_TAG_READ, (tags & TAG_READ) != 0);
  // Only a restored TLB has write tags for pages with decoded code.
  setWatched(entry + TLB_TAG_WRITE, (tags & TAG_WRITE) != 0 || (tracking && !isChanged(host)) || hasCode(host));
  setWatched(entry + TLB_TAG_EXEC, (tags & TAG_EXEC) != 0);
}

/** A write goes through this write tag, which has bit 0 set, to this host page. The tag hits from now on, unless the page is watched or has code. */
export function written(tag: usize, host: u32): void {
  if (!tracking) return;
  noteChanged(host);
  const entry = tag - TLB_TAG_WRITE;
  const watched = armed ? watchedTags(cpu, load<u64>(tag) & ~(<u64>1), load<u32>(entry, TLB_GFN)) : 0;
  if (!(watched & TAG_WRITE) && !hasCode(host)) setWatched(tag, false);
}

/** TypeScript restored an earlier state of the TLBs of this block's vCPU: updates marks, gfns and the bits of written pages. */
export function restoreTlb(block: usize): void {
  forgetGfns();
  const index = load<u32>(block, VCPU_INDEX);
  noteUsed((GUEST_USED + 1) << index);
  clearFrameCaches();
  for (let i = <i32>index; i < CONTEXTS; i += MAX_VCPUS) {
    let entry = tablesOf(i);
    for (const end = entry + 2 * TABLE_BYTES; entry < end; entry += TLB_ENTRY_SIZE) {
      retagEntry(block, entry);
      const number = numberIn(contextOf(i), entry);
      store<u32>(gfnAt(contextOf(i), number), load<u32>(entry, TLB_GFN));
      const tag = load<u64>(entry, TLB_TAG_WRITE);
      if (tag == NO_TAG) continue;
      const host = (<u32>tag & ~1) + load<u32>(entry, TLB_ADDEND);
      store<u8>(hostAt(contextOf(i), number), <u8>(host >> 12));
      noteWritten(host);
    }
    dropWindows(contextOf(i));
  }
}

/** Updates the marks of all entries of all vCPUs, without dropping any. */
export function retag(): void {
  for (let index = 0; index < CONTEXTS; index++) {
    if (!((usedTlbs >> index) & 1)) continue;
    const block = blockOf(index % MAX_VCPUS);
    let entry: usize = tablesOf(index);
    for (const end = entry + 2 * TABLE_BYTES; entry < end; entry += TLB_ENTRY_SIZE) retagEntry(block, entry);
    dropWindows(contextOf(index));
  }
}
