/*
 * Integer workloads, one source for 32 and 64 bits. The host sends a letter over COM1: 'a' runs the first workload, and so on.
 * The guest answers 'S' when it starts and 'E', eight hex digits of checksum and a newline when it is done.
 */
#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint32_t u32;

#define COM1 0x3f8

static inline void out8(uint16_t port, u8 value) { __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port) : "memory"); }
static inline u8 in8(uint16_t port) { u8 value; __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port) : "memory"); return value; }

static void put(char c) {
  while ((in8(COM1 + 5) & 0x20) == 0) {}
  out8(COM1, (u8)c);
}

static u8 bytes[1 << 20] __attribute__((aligned(4096)));
static u32 random_state;

static u32 random32(void) {
  random_state ^= random_state << 13;
  random_state ^= random_state >> 17;
  return random_state ^= random_state << 5;
}

/* Primes below 2^19, six times. */
static u32 sieve(void) {
  u32 primes = 0;
  for (u32 round = 0; round < 6; round++) {
    for (size_t i = 0; i < sizeof bytes / 2; i++) bytes[i] = 1;
    for (size_t i = 2; i * i < sizeof bytes / 2; i++) {
      if (bytes[i]) for (size_t j = i * i; j < sizeof bytes / 2; j += i) bytes[j] = 0;
    }
    for (size_t i = 2; i < sizeof bytes / 2; i++) primes += bytes[i];
  }
  return primes;
}

/* Table-driven CRC-32 of 256 KiB, 20 times. */
static u32 crc32(void) {
  static u32 table[256];
  for (u32 i = 0; i < 256; i++) {
    u32 value = i;
    for (u32 bit = 0; bit < 8; bit++) value = value >> 1 ^ (value & 1 ? 0xedb88320u : 0);
    table[i] = value;
  }
  for (size_t i = 0; i < 256 << 10; i++) bytes[i] = (u8)random32();
  u32 crc = ~0u;
  for (u32 round = 0; round < 20; round++) {
    for (size_t i = 0; i < 256 << 10; i++) crc = crc >> 8 ^ table[(crc ^ bytes[i]) & 255];
  }
  return ~crc;
}

/* One random cycle over `count` words, followed `steps` times. */
static u32 chase(u32 count, u32 steps) {
  u32 *next = (u32 *)bytes;
  for (u32 i = 0; i < count; i++) next[i] = i;
  for (u32 i = count - 1; i > 0; i--) {
    u32 j = random32() % i, kept = next[i];
    next[i] = next[j], next[j] = kept;
  }
  u32 at = 0;
  for (u32 i = 0; i < steps; i++) at = next[at];
  return at;
}

static u32 chase_small(void) { return chase(4096, 12000000); }
static u32 chase_medium(void) { return chase(262144, 6000000); }

__attribute__((noinline)) static u32 fibonacci(u32 n) {
  u32 sum = 0;
  if (n < 2) return n;
  sum = fibonacci(n - 1);
  __asm__ volatile("" : "+r"(sum)); /* keeps both calls calls */
  return sum + fibonacci(n - 2);
}

static u32 fib(void) { return fibonacci(31); }

/* A stack machine in bytecode: sums i * i ^ sum for i below n. */
enum { PUSH, LOAD, STORE, ADD, MUL, XOR, LESS, JUMP_IF, HALT };

static u32 vm(void) {
  static const u8 code[] = {
    LOAD, 0, LOAD, 0, MUL, LOAD, 1, XOR, STORE, 1, /* sum = i * i ^ sum */
    LOAD, 0, PUSH, 1, ADD, STORE, 0,               /* i = i + 1 */
    LOAD, 0, LOAD, 2, LESS, JUMP_IF, 0, HALT,
  };
  u32 stack[16], variables[3] = {0, 0, 260000};
  size_t top = 0, at = 0;
  for (;;) {
    switch (code[at++]) {
      case PUSH: stack[top++] = code[at++]; break;
      case LOAD: stack[top++] = variables[code[at++]]; break;
      case STORE: variables[code[at++]] = stack[--top]; break;
      case ADD: top--, stack[top - 1] += stack[top]; break;
      case MUL: top--, stack[top - 1] *= stack[top]; break;
      case XOR: top--, stack[top - 1] ^= stack[top]; break;
      case LESS: top--, stack[top - 1] = stack[top - 1] < stack[top]; break;
      case JUMP_IF: at = stack[--top] ? code[at] : at + 1; break;
      case HALT: return variables[1];
    }
  }
}

static void quick(u32 *values, long low, long high) {
  while (low < high) {
    u32 pivot = values[(low + high) / 2];
    long i = low, j = high;
    while (i <= j) {
      while (values[i] < pivot) i++;
      while (values[j] > pivot) j--;
      if (i <= j) {
        u32 kept = values[i];
        values[i++] = values[j], values[j--] = kept;
      }
    }
    quick(values, low, j);
    low = i;
  }
}

static u32 qsort(void) {
  u32 *values = (u32 *)bytes, count = 200000, sum = 0;
  for (u32 i = 0; i < count; i++) values[i] = random32();
  quick(values, 0, (long)count - 1);
  for (u32 i = 0; i < count; i += 997) sum = sum * 31 + values[i];
  return sum;
}

#define ROTATE(x, n) ((x) >> (n) | (x) << (32 - (n)))

/* The round structure of SHA-256 with made-up constants: additions, rotations and boolean functions on eight words. */
static u32 hash(void) {
  u32 state[8], schedule[64], constants[64];
  for (u32 i = 0; i < 64; i++) constants[i] = random32();
  for (u32 i = 0; i < 8; i++) state[i] = random32();
  for (u32 block = 0; block < 14000; block++) {
    for (u32 i = 0; i < 16; i++) schedule[i] = block * 16 + i;
    for (u32 i = 16; i < 64; i++) {
      u32 a = schedule[i - 15], b = schedule[i - 2];
      schedule[i] = schedule[i - 16] + (ROTATE(a, 7) ^ ROTATE(a, 18) ^ a >> 3) + schedule[i - 7] + (ROTATE(b, 17) ^ ROTATE(b, 19) ^ b >> 10);
    }
    u32 a = state[0], b = state[1], c = state[2], d = state[3], e = state[4], f = state[5], g = state[6], h = state[7];
    for (u32 i = 0; i < 64; i++) {
      u32 t = h + (ROTATE(e, 6) ^ ROTATE(e, 11) ^ ROTATE(e, 25)) + ((e & f) ^ (~e & g)) + constants[i] + schedule[i];
      u32 u = (ROTATE(a, 2) ^ ROTATE(a, 13) ^ ROTATE(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
      h = g, g = f, f = e, e = d + t, d = c, c = b, b = a, a = t + u;
    }
    state[0] += a, state[1] += b, state[2] += c, state[3] += d, state[4] += e, state[5] += f, state[6] += g, state[7] += h;
  }
  return state[0] ^ state[3] ^ state[7];
}

/* The order is the order of `workloads` in images.ts. */
static u32 (*const all[])(void) = {sieve, crc32, chase_small, chase_medium, fib, vm, qsort, hash};

void bench_main(void) {
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
