/*
 * The host sends a letter over COM1: 'a' runs the first workload, and so on. The guest answers 'S' when it starts and 'E', eight hex
 * digits of checksum and a newline when it is done.
 */
#include "workloads.h"

#define COM1 0x3f8

u32 random_state;

/* The order is the order of `workloads` in images.ts. */
static workload *const all[] = {
  alu, crc32, sha256, multiply, sieve, qsort, fib, records, list, bytecode, string_set, string_copy, store_loop, copy_loop, chase_256k,
  chase_32m, sse_float, sse_integer, x87, invlpg, cr3_flush, page_fault, port_io, interrupt0, interrupt3, syscall_,
};

static void put(char c) {
  while ((in8(COM1 + 5) & 0x20) == 0) {}
  out8(COM1, (u8)c);
}

/* gcc calls these for large copies and initialisers. */
void *memset(void *to, int value, size_t size) {
  void *at = to;
  __asm__ volatile("rep stosb" : "+D"(at), "+c"(size) : "a"(value) : "memory");
  return to;
}

void *memcpy(void *to, const void *from, size_t size) {
  void *at = to;
  __asm__ volatile("rep movsb" : "+D"(at), "+S"(from), "+c"(size) : : "memory");
  return to;
}

void bench_main(void) {
  system_init();
  for (;;) {
    while ((in8(COM1 + 5) & 1) == 0) {}
    u32 which = (u32)in8(COM1) - 'a';
    if (which >= sizeof all / sizeof all[0]) continue;
    random_state = 0x2545f491;
    put('S');
    u32 checksum = all[which]();
    put('E');
    for (int shift = 28; shift >= 0; shift -= 4) put("0123456789abcdef"[checksum >> shift & 15]);
    put('\n');
  }
}
