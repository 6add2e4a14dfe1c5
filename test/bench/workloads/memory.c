/* Memory-bound work: string instructions, loops over large arrays, dependent loads. */
#include "workloads.h"

#define APART (64u << 20)

static u32 sum_of(const u8 *at, size_t size) {
  u32 sum = 0;
  for (size_t i = 0; i < size; i += 4093) sum = sum * 31 + at[i];
  return sum;
}

static void fill(u32 *at, size_t words) {
  for (size_t i = 0; i < words; i++) at[i] = (u32)i * 2654435761u;
}

/* REP STOS over 32 MiB, words and bytes. */
u32 string_set(void) {
  for (u32 round = 0; round < 8; round++) {
    void *to = ARENA;
    size_t count = (32u << 20) / sizeof(word);
    __asm__ volatile("rep stos%z2" : "+D"(to), "+c"(count) : "a"((word)(round * 0x0101010101010101ull)) : "memory");
    to = ARENA + 3, count = 1 << 20;
    __asm__ volatile("rep stosb" : "+D"(to), "+c"(count) : "a"(round) : "memory");
  }
  return sum_of(ARENA, 32u << 20);
}

/* REP MOVS of 16 MiB, words and unaligned bytes. */
u32 string_copy(void) {
  fill((u32 *)ARENA, 1 << 22);
  for (u32 round = 0; round < 8; round++) {
    void *to = ARENA + APART + round;
    const void *from = ARENA + round * 3;
    size_t count = (15u << 20) / sizeof(word);
    if (sizeof(word) == 8) __asm__ volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(count) : : "memory");
    else __asm__ volatile("rep movsl" : "+D"(to), "+S"(from), "+c"(count) : : "memory");
    count = 4096;
    __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(count) : : "memory");
  }
  return sum_of(ARENA + APART, 16u << 20);
}

/* Eight bytes a turn over 64 MiB. */
u32 store_loop(void) {
  volatile u64 *to = (volatile u64 *)ARENA;
  for (size_t i = 0; i < APART / 8; i += 4) to[i] = i, to[i + 1] = i, to[i + 2] = i, to[i + 3] = i;
  return sum_of(ARENA, APART);
}

/* Copies to a place 64 MiB away. */
u32 copy_loop(void) {
  volatile u64 *to = (volatile u64 *)(ARENA + APART);
  const volatile u64 *from = (const volatile u64 *)ARENA;
  fill((u32 *)ARENA, 1 << 20);
  for (size_t i = 0; i < APART / 8; i++) to[i] = from[i];
  return sum_of(ARENA + APART, APART);
}

/* One random cycle over `count` words, followed `steps` times. */
static u32 chase(u32 count, u32 steps) {
  u32 *next = (u32 *)ARENA;
  for (u32 i = 0; i < count; i++) next[i] = i;
  for (u32 i = count - 1; i > 0; i--) {
    u32 j = random32() % i, kept = next[i];
    next[i] = next[j], next[j] = kept;
  }
  u32 at = 0;
  for (u32 i = 0; i < steps; i++) at = next[at];
  return at;
}

u32 chase_256k(void) { return chase(1 << 16, 16000000); }
u32 chase_32m(void) { return chase(1 << 23, 3000000); }
