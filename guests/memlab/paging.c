/*
 * Every physical address is mapped to itself. The low 4 GiB are mapped from the start (boot.S); the rest is mapped at first use, from a small pool of
 * tables. When the pool is empty, all of its tables are reclaimed.
 */
#include "lab.h"

#define POOL 24
#define ENTRIES 512
#define PRESENT_WRITABLE 3ul
#define LARGE 0x83ul
#define ADDRESS_MASK 0x000ffffffffff000ul

extern u64 boot_pml4[ENTRIES], boot_pdpt[ENTRIES];
static u64 pool[POOL][ENTRIES] __attribute__((aligned(4096)));
static u32 pool_used;

u64 paging_root(void) { return (u64)boot_pml4; }

static void reload(void) { __asm__ volatile("mov %0, %%cr3" : : "r"(boot_pml4) : "memory"); }

static void take_back(void) {
  for (u32 i = 1; i < ENTRIES; i++) boot_pml4[i] = 0;
  for (u32 i = 4; i < ENTRIES; i++) boot_pdpt[i] = 0;
  pool_used = 0;
  reload();
}

/* The table that an entry points to, or a new one; 0 if the pool is empty. */
static u64 *table_of(u64 *entry) {
  if (*entry & 1) return (u64 *)(*entry & ADDRESS_MASK);
  if (pool_used == POOL) return 0;
  u64 *table = pool[pool_used++];
  for (u32 i = 0; i < ENTRIES; i++) table[i] = 0;
  *entry = (u64)table | PRESENT_WRITABLE;
  return table;
}

static bool map_once(u64 address) {
  u64 *pdpt = table_of(&boot_pml4[address >> 39]);
  if (!pdpt) return false;
  u64 *entry = &pdpt[address >> 30 & 511];
  u64 gigabyte = address & ~(GIB - 1);
  if (cpu.huge_pages) {
    *entry = gigabyte | LARGE;
    return true;
  }
  u64 *pd = table_of(entry);
  if (!pd) return false;
  for (u64 i = 0; i < ENTRIES; i++) pd[i] = (gigabyte + i * 2 * MIB) | LARGE;
  return true;
}

bool paging_map(u64 address) {
  if (address < 4 * GIB || address >> cpu.physical_bits) return false;
  if (!map_once(address)) {
    take_back();
    map_once(address);
  }
  return true;
}
