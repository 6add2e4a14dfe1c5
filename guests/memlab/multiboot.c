/* The memory map that the loader hands over (Multiboot Specification 0.6.96, section 3.3), kept as it was at boot. */
#include "lab.h"

#define LOADER_MAGIC 0x2badb002u
#define HAS_MEMORY 1u
#define HAS_MAP 0x40u
#define MOST 32

struct boot_range boot_ranges[MOST];
u32 boot_range_count;

static void add(u64 base, u64 size, u32 type) {
  if (size && boot_range_count < MOST) boot_ranges[boot_range_count++] = (struct boot_range){base, size, type};
}

static void read_map(u64 at, u64 end) {
  while (at + 24 <= end) {
    u32 entry_size = read32(at);
    add(read64(at + 4), read64(at + 12), read32(at + 20));
    at += entry_size + 4;
  }
}

void multiboot_read(u32 magic, u64 information) {
  if (magic != LOADER_MAGIC) return;
  u32 flags = read32(information);
  if (flags & HAS_MAP) {
    u64 at = read32(information + 48);
    read_map(at, at + read32(information + 44));
  } else if (flags & HAS_MEMORY) {
    add(0, read32(information + 4) * KIB, 1);
    add(MIB, read32(information + 8) * KIB, 1);
  }
}

u64 boot_ram(void) {
  u64 total = 0;
  for (u32 i = 0; i < boot_range_count; i++) if (boot_ranges[i].type == 1) total += boot_ranges[i].size;
  return total;
}

u32 boot_ram_ranges(void) {
  u32 n = 0;
  for (u32 i = 0; i < boot_range_count; i++) if (boot_ranges[i].type == 1) n++;
  return n;
}
