/**
 * The paging-structure cache (SDM 3A 4.10.3): for 2 MiB of linear space the last-level table of a 4-level walk, with the rights and NX of the levels
 * above. It is used only for walks that start at CR3, filled when their accessed bits are set, and emptied whenever a translation is dropped; a page
 * fault drops the entry of its address.
 */
import { cpu } from './state';

/** Entry: u64 va >> 21, u64 root, u64 table and rights, u32 age, u32 vCPU. */
const E_PLACE: usize = 0;
const E_ROOT: usize = 8;
const E_TABLE: usize = 16;
const E_AGE: usize = 24;
const E_CPU: usize = 28;
const ENTRIES: usize = 64;
const cells: usize = memory.data(2048, 16);

/** Entries of another age are no longer valid. */
let age: u32 = 1;

export function forgetTables(): void {
  age++;
}

/** Drops the entry that a walk for va would begin with. */
export function forgetTable(va: u64): void {
  store<u32>(entryOf(va), 0, E_AGE);
}

@inline
function entryOf(va: u64): usize {
  return cells + ((<usize>(va >> 21) & (ENTRIES - 1)) << 5);
}

/** The `table` of rememberTable, or 0. `root`: CR3 and whatever else determines the levels above. */
export function findTable(va: u64, root: u64): u64 {
  const entry = entryOf(va);
  const known =
    load<u64>(entry, E_PLACE) == va >> 21 &&
    load<u64>(entry, E_ROOT) == root &&
    load<u32>(entry, E_AGE) == age &&
    load<u32>(entry, E_CPU) == <u32>cpu;
  return known ? load<u64>(entry, E_TABLE) : 0;
}

/** `table`: its address, R/W and U/S of all levels above, NX if set in one of them. */
export function rememberTable(va: u64, root: u64, table: u64): void {
  const entry = entryOf(va);
  store<u64>(entry, va >> 21, E_PLACE);
  store<u64>(entry, root, E_ROOT);
  store<u64>(entry, table, E_TABLE);
  store<u32>(entry, age, E_AGE);
  store<u32>(entry, <u32>cpu, E_CPU);
}
