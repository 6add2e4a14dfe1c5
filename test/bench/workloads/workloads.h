/* Shared by the workloads: one source for 32 and 64 bits, freestanding. */
#pragma once
#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef uintptr_t word; /* as wide as a register */

/* Physical memory after the image that workloads may use, mapped 1:1 in 4 KiB pages. The machine needs 256 MiB. */
#define ARENA ((u8 *)0x1000000)
#define ARENA_SIZE (208u << 20)

static inline void out8(u16 port, u8 value) { __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port) : "memory"); }
static inline u8 in8(u16 port) { u8 value; __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port) : "memory"); return value; }

extern u32 random_state;
static inline u32 random32(void) {
  u32 state = random_state;
  state ^= state << 13;
  state ^= state >> 17;
  return random_state = state ^ state << 5;
}

/* Paging with 4 KiB pages, descriptor tables, SSE and x87 switched on (system.c). */
void system_init(void);

/* Each returns its checksum. */
typedef u32 workload(void);
workload alu, crc32, sha256, multiply, sieve, qsort, fib, records, list, bytecode; /* compute.c */
workload string_set, string_copy, store_loop, copy_loop, chase_256k, chase_32m;    /* memory.c */
workload sse_float, sse_integer;                                                   /* simd.c */
workload x87;                                                                      /* x87.c */
workload invlpg, cr3_flush, page_fault, port_io, interrupt0, interrupt3, syscall_; /* system.c */
