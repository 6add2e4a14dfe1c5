/** Refills a window around an access of compiled code that missed it, with pages of the TLB. */
import {
  JIT_WINDOWS_FILLED,
  MISS_BYTES_SHIFT,
  MISS_CELL,
  MISS_WRITABLE,
  MISS_WRITES,
  TLB_ADDEND,
  TLB_ENTRIES,
  TLB_ENTRY_SIZE,
  TLB_TAG_READ,
  TLB_TAG_WRITE,
  TLB_USER,
  VCPU_ICOUNT,
  VCPU_LEFT,
  VCPU_MISS,
  VCPU_MISS_VA,
  VCPU_PROBING,
  VCPU_STOP_AT,
  VCPU_WINDOWS,
  WINDOW_FIRST,
  WINDOW_GLOBAL,
  WINDOW_HOST,
  WINDOW_LENGTH,
  WINDOW_MARGIN,
  WINDOW_MISSES,
  WINDOW_SINCE,
  WINDOW_SIZE,
} from '../../abi/index';
import { jitMisses } from '../imports';
import { probePlain } from '../mmu';
import { tlbBase, tlbCells, tlbSuper } from '../mmu-mode';
import { cpu } from '../state';
import { cover, isGlobal, listWindow } from './windows';

/** Pages to check above and below the access. More misses lengthen a window further. */
const ABOVE: i32 = 128;
const BELOW: i32 = 32;
const PAGE: u64 = 4096;

/** After this many misses their rate is checked: a cell that misses every RATE instructions or more often is given up. */
const SAMPLE: u32 = 512;
const RATE: u32 = 1000;

@inline
function entryOf(page: u64): usize {
  return tlbBase + (((<usize>(page >> 12) ^ <usize>(page >> 24)) & (TLB_ENTRIES - 1)) << 5);
}
@inline
function numberOf(entry: usize): u32 {
  return <u32>((entry - tlbSuper) / TLB_ENTRY_SIZE);
}

/** Does the TLB have the page with this right and at this distance from the host's? Then the window includes it. */
function take(page: u64, right: usize, addend: u32): bool {
  const entry = entryOf(page);
  if (load<u64>(entry + right) != page || load<u32>(entry, TLB_ADDEND) != addend) return false;
  cover(tlbCells, numberOf(entry));
  return true;
}

/** Counts a miss of the cell; reports a cell that misses too often. */
function countMiss(cell: usize, number: u32): void {
  const now = <u32>load<u64>(cpu, VCPU_ICOUNT);
  const misses = load<u32>(cell, WINDOW_MISSES) + 1;
  if (misses == 1) store<u32>(cell, now, WINDOW_SINCE);
  if (misses < SAMPLE) {
    store<u32>(cell, misses, WINDOW_MISSES);
    return;
  }
  store<u32>(cell, 0, WINDOW_MISSES);
  if (now - load<u32>(cell, WINDOW_SINCE) < SAMPLE * RATE) jitMisses(<i32>number);
}

/** A region was left because of VCPU_MISS; registers and counts are exact. */
export function fillWindow(): void {
  store<u64>(cpu, load<u64>(cpu, VCPU_STOP_AT) - <u64>load<i32>(cpu, VCPU_LEFT), VCPU_ICOUNT);
  const miss = load<u32>(cpu, VCPU_MISS);
  const va = load<u64>(cpu, VCPU_MISS_VA);
  const number = miss & MISS_CELL;
  const user = tlbBase != tlbSuper;
  const cell = tlbCells + VCPU_WINDOWS + (user ? <usize>TLB_USER : 0) + <usize>number * WINDOW_SIZE;
  const bytes = <i32>((miss >> MISS_BYTES_SHIFT) & 31);
  const right: usize = miss & MISS_WRITABLE ? TLB_TAG_WRITE : TLB_TAG_READ;
  countMiss(cell, number);
  // The interpreter's access a moment later does the same, and asks for the same rights. That one counts as the retry of an INVALID slot; this lookup
  // does not.
  store<u32>(cpu, 1, VCPU_PROBING);
  const plain = probePlain(va, bytes, (miss & MISS_WRITES) != 0);
  store<u32>(cpu, 0, VCPU_PROBING);
  if (!plain) return;
  const page = va & ~(PAGE - 1);
  const addend = load<u32>(entryOf(page), TLB_ADDEND);
  if (!take(page, right, addend)) return;
  let first = page;
  let end = page + PAGE;
  let global = isGlobal(tlbCells, numberOf(entryOf(page)));
  // The TLB still has what the window held; otherwise the window would have been dropped.
  const length = load<u64>(cell, WINDOW_LENGTH);
  if (length != 0 && load<u32>(cell, WINDOW_HOST) - <u32>load<u64>(cell, WINDOW_FIRST) == addend) {
    const before = load<u64>(cell, WINDOW_FIRST);
    const behind = before + length + WINDOW_MARGIN;
    if (behind == first) first = before;
    else if (before == end) end = behind;
    if (end - first != PAGE) global = global && load<u32>(cell, WINDOW_GLOBAL) != 0;
  }
  for (let n = 0; n < ABOVE && end != 0 && take(end, right, addend); n++) {
    global = global && isGlobal(tlbCells, numberOf(entryOf(end)));
    end += PAGE;
  }
  for (let n = 0; n < BELOW && first != 0 && take(first - PAGE, right, addend); n++) {
    first -= PAGE;
    global = global && isGlobal(tlbCells, numberOf(entryOf(first)));
  }
  store<u32>(JIT_WINDOWS_FILLED, load<u32>(JIT_WINDOWS_FILLED) + 1);
  if (length == 0) listWindow(tlbCells, number | (user ? 4096 : 0));
  store<u64>(cell, first, WINDOW_FIRST);
  store<u64>(cell, end - first - WINDOW_MARGIN, WINDOW_LENGTH);
  store<u32>(cell, <u32>first + addend, WINDOW_HOST);
  store<u32>(cell, u32(global), WINDOW_GLOBAL);
}
