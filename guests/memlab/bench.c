/* bench: integer loops. Guest time follows the instruction count, so compare against a clock outside. */
#include "lab.h"

static u8 area[64 * KIB] __attribute__((aligned(64)));

static u64 sieve(void) {
  u64 primes = 0;
  for (u32 round = 0; round < 20; round++) {
    for (u32 i = 0; i < sizeof area; i++) area[i] = 1;
    for (u32 i = 2; i * i < sizeof area; i++) {
      if (area[i]) for (u32 j = i * i; j < sizeof area; j += i) area[j] = 0;
    }
    primes = 0;
    for (u32 i = 2; i < sizeof area; i++) primes += area[i];
  }
  return primes;
}

static u64 crc32(void) {
  u32 *table = (u32 *)area;
  for (u32 i = 0; i < 256; i++) {
    u32 value = i;
    for (u32 bit = 0; bit < 8; bit++) value = value >> 1 ^ (value & 1 ? 0xedb88320u : 0);
    table[i] = value;
  }
  u32 crc = ~0u;
  for (u32 i = 0; i < 1000000; i++) crc = crc >> 8 ^ table[(crc ^ i) & 255];
  return ~crc;
}

static u64 chase(void) {
  u32 *next = (u32 *)area, count = sizeof area / 4, at = 0;
  for (u32 i = 0; i < count; i++) next[i] = (i * 5 + 1) & (count - 1); /* one cycle over all of them */
  for (u32 i = 0; i < 2000000; i++) at = next[at];
  return at;
}

__attribute__((noinline)) static u64 fib(u32 n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }

static u64 fib_run(void) { return fib(25); }

struct loop { char name[16]; u64 (*run)(void); };

void command_bench(void) {
  static const struct loop loops[] = {{"sieve", sieve}, {"crc32", crc32}, {"chase", chase}, {"fib", fib_run}};
  say("  loop     result      guest time\n");
  for (u32 i = 0; i < sizeof loops / sizeof loops[0]; i++) {
    u64 start = nanoseconds();
    u64 result = loops[i].run();
    u64 spent = nanoseconds() - start;
    say("  %-7s  0x%.8lx  %lu.%.3lu ms\n", loops[i].name, result, spent / 1000000, spent / 1000 % 1000);
    if (interrupted()) return;
  }
}
