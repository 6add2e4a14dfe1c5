/**
 * The paging-structure cache (SDM 3A 4.10.3): for 2 MiB of linear space the last-level table of a 4-level walk, with the rights and NX of the levels
 * above. Only walks that start at CR3 use it, and it is filled when their accessed bits are set. Dropping any translation makes all entries doubtful,
 * and a page fault those of its address: a doubtful entry is used again only if the three table entries that lead to the table are unchanged, so that
 * the walk from CR3 would find the same. Any move of guest frames empties the cache.
 */
import { VCPU_WALK } from '../abi/index';
import { cpu } from './state';

/** Entry: u64 va >> 21, u64 root, u64 table and rights, u32 age, u32 vCPU, u32 frame age, 3 u32 hosts and 3 u64 values of the levels above. */
const E_PLACE: usize = 0;
const E_ROOT: usize = 8;
const E_TABLE: usize = 16;
const E_AGE: usize = 24;
const E_CPU: usize = 28;
const E_FRAME_AGE: usize = 32;
const E_HOST: usize = 36;
const E_VALUE: usize = 48;
const ENTRY_SIZE: usize = 72;
const ENTRIES: usize = 64;
const cells: usize = memory.data(4608, 16);
/** A record of VCPU_WALK (mmu-walk.ts), which begins with the u32 host address. */
const WALK_ENTRY_SIZE: usize = 24;

/** Entries of another age are doubtful. */
let age: u32 = 1;
/** Those of another frame age are no longer valid. */
let frameAge: u32 = 1;

export function forgetTables(): void {
  age++;
}

/** Frames may have moved in host memory. */
export function forgetTablePlaces(): void {
  age++;
  frameAge++;
}

/** Makes the entry doubtful with which a walk for va would begin. */
export function forgetTable(va: u64): void {
  store<u32>(entryOf(va), 0, E_AGE);
}

@inline
function entryOf(va: u64): usize {
  return cells + (<usize>(va >> 21) & (ENTRIES - 1)) * ENTRY_SIZE;
}

/** The `table` of rememberTable, or 0. `root`: CR3 and everything else that determines the levels above. */
export function findTable(va: u64, root: u64): u64 {
  const entry = entryOf(va);
  if (load<u64>(entry, E_PLACE) != va >> 21 || load<u64>(entry, E_ROOT) != root || load<u32>(entry, E_CPU) != <u32>cpu) return 0;
  if (load<u32>(entry, E_AGE) != age) {
    if (load<u32>(entry, E_FRAME_AGE) != frameAge || !isSame(entry)) return 0;
    store<u32>(entry, age, E_AGE);
  }
  return load<u64>(entry, E_TABLE);
}

@inline
function isSame(entry: usize): bool {
  return (
    load<u64>(load<u32>(entry, E_HOST)) == load<u64>(entry, E_VALUE) &&
    load<u64>(load<u32>(entry, E_HOST + 4)) == load<u64>(entry, E_VALUE + 8) &&
    load<u64>(load<u32>(entry, E_HOST + 8)) == load<u64>(entry, E_VALUE + 16)
  );
}

/** `table`: its address, R/W and U/S of all levels above, NX if one of them sets it. The first three records of VCPU_WALK are those of these levels. */
export function rememberTable(va: u64, root: u64, table: u64): void {
  const entry = entryOf(va);
  store<u64>(entry, va >> 21, E_PLACE);
  store<u64>(entry, root, E_ROOT);
  store<u64>(entry, table, E_TABLE);
  store<u32>(entry, age, E_AGE);
  store<u32>(entry, <u32>cpu, E_CPU);
  store<u32>(entry, frameAge, E_FRAME_AGE);
  for (let level: usize = 0; level < 3; level++) {
    const host = load<u32>(cpu + VCPU_WALK + level * WALK_ENTRY_SIZE);
    // An entry on the open bus has no host address. Any other has its accessed bit set by now.
    if (host == 0) store<u32>(entry, 0, E_FRAME_AGE);
    else store<u64>(entry + (level << 3), load<u64>(host), E_VALUE);
    store<u32>(entry + (level << 2), host, E_HOST);
  }
}
