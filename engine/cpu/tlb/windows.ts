/**
 * Windows of compiled code (abi/tlb.ts), and what drops them. A window holds only pages that the TLB holds with the same right, so an access through
 * it hits wherever the interpreter's would. Anything that takes a page or a right out of the TLB drops the window first.
 */
import {
  JIT_WINDOWS_DROPPED,
  NOTE_COVERED,
  NOTE_GLOBAL,
  TLB_ENTRIES,
  TLB_USER,
  VCPU_TLB_NOTES,
  VCPU_WINDOW_COUNT,
  VCPU_WINDOW_LIST,
  VCPU_WINDOWS,
  WINDOW_FIRST,
  WINDOW_GLOBAL,
  WINDOW_LENGTH,
  WINDOW_LIST_CAPACITY,
  WINDOW_MARGIN,
  WINDOW_SIZE,
  WINDOWS,
} from '../../abi/index';

function countDropped(number: u32): void {
  store<u32>(JIT_WINDOWS_DROPPED, load<u32>(JIT_WINDOWS_DROPPED) + number);
}

/** Entries are numbered by their position in the supervisor table; those of the user table follow, from TLB_ENTRIES on. */
@inline
function noteAt(context: usize, entry: u32): usize {
  return context + VCPU_TLB_NOTES + <usize>entry;
}
/** The cell that a list entry names: bit 12 is set in the user table. */
@inline
function cellAt(context: usize, number: u32): usize {
  return context + VCPU_WINDOWS + <usize>(number >> 12) * TLB_USER + <usize>(number & 4095) * WINDOW_SIZE;
}

/** May some window of this context hold the entry's page? */
@inline
export function isCovered(context: usize, entry: u32): bool {
  return (load<u8>(noteAt(context, entry)) & NOTE_COVERED) != 0;
}
@inline
export function isGlobal(context: usize, entry: u32): bool {
  return (load<u8>(noteAt(context, entry)) & NOTE_GLOBAL) != 0;
}
/** The entry gets a new page. */
@inline
export function noteEntry(context: usize, entry: u32, global: bool): void {
  store<u8>(noteAt(context, entry), global ? <u8>NOTE_GLOBAL : 0);
}
@inline
export function cover(context: usize, entry: u32): void {
  store<u8>(noteAt(context, entry), load<u8>(noteAt(context, entry)) | <u8>NOTE_COVERED);
}

/** Drops all windows of a context: a vCPU's block, or its guest's (VCPU_GUEST_CONTEXT). */
export function dropWindows(context: usize): void {
  const count = load<u32>(context, VCPU_WINDOW_COUNT);
  for (let at: u32 = 0; at < count; at++) {
    store<u64>(cellAt(context, load<u16>(context + ((<usize>at) << 1), VCPU_WINDOW_LIST)), 0, WINDOW_LENGTH);
  }
  countDropped(count);
  store<u32>(context, 0, VCPU_WINDOW_COUNT);
}

/** The same when the whole TLB is emptied. */
export function forgetNotes(context: usize): void {
  dropWindows(context);
  memory.fill(context + VCPU_TLB_NOTES, 0, 2 * TLB_ENTRIES);
}

/** Drops the windows with pages that are not global. */
export function dropPrivateWindows(context: usize): void {
  const count = load<u32>(context, VCPU_WINDOW_COUNT);
  let kept: u32 = 0;
  for (let at: u32 = 0; at < count; at++) {
    const number = load<u16>(context + ((<usize>at) << 1), VCPU_WINDOW_LIST);
    const cell = cellAt(context, number);
    if (load<u32>(cell, WINDOW_GLOBAL)) {
      store<u16>(context + ((<usize>kept) << 1), number, VCPU_WINDOW_LIST);
      kept++;
    } else store<u64>(cell, 0, WINDOW_LENGTH);
  }
  countDropped(count - kept);
  store<u32>(context, kept, VCPU_WINDOW_COUNT);
}

/** Drops the windows that hold the page of this entry. */
export function dropWindowsOf(context: usize, entry: u32, page: u64): void {
  const count = load<u32>(context, VCPU_WINDOW_COUNT);
  let kept: u32 = 0;
  for (let at: u32 = 0; at < count; at++) {
    const number = load<u16>(context + ((<usize>at) << 1), VCPU_WINDOW_LIST);
    const cell = cellAt(context, number);
    const length = load<u64>(cell, WINDOW_LENGTH);
    const holds = <u32>number >= <u32>WINDOWS == entry >= <u32>TLB_ENTRIES && page - load<u64>(cell, WINDOW_FIRST) < length + WINDOW_MARGIN;
    if (holds || length == 0) store<u64>(cell, 0, WINDOW_LENGTH);
    else {
      store<u16>(context + ((<usize>kept) << 1), number, VCPU_WINDOW_LIST);
      kept++;
    }
  }
  countDropped(count - kept);
  store<u32>(context, kept, VCPU_WINDOW_COUNT);
  store<u8>(noteAt(context, entry), load<u8>(noteAt(context, entry)) & ~(<u8>NOTE_COVERED));
}

/** The cell, empty so far, is about to be filled: notes it, so that it is dropped with the others. */
export function listWindow(context: usize, number: u32): void {
  if (load<u32>(context, VCPU_WINDOW_COUNT) >= <u32>WINDOW_LIST_CAPACITY) dropWindows(context);
  const count = load<u32>(context, VCPU_WINDOW_COUNT);
  store<u16>(context + ((<usize>count) << 1), <u16>number, VCPU_WINDOW_LIST);
  store<u32>(context, count + 1, VCPU_WINDOW_COUNT);
}
