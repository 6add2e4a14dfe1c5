/* Integer work that stays in the caches. */
#include "workloads.h"

static u8 bytes[1 << 20] __attribute__((aligned(4096)));

/* Dependent additions, shifts and logic in registers. */
u32 alu(void) {
  u32 a = 1, b = 0x9e3779b9, c = 7;
  for (u32 i = 0; i < 20000000; i++) {
    a += b ^ i;
    b = (b << 5 | b >> 27) - a;
    c ^= a & b;
  }
  return a ^ b ^ c;
}

/* Table-driven CRC-32 of 256 KiB, 20 times. */
u32 crc32(void) {
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

#define ROTATE(x, n) ((x) >> (n) | (x) << (32 - (n)))

/* The round structure of SHA-256 with made-up constants: additions, rotations and boolean functions on eight words. */
u32 sha256(void) {
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

/* A 64-bit xorshift-multiply generator; compiled for 32 bits each step is several multiplications. */
u32 multiply(void) {
  u64 state = 0x9e3779b97f4a7c15, sum = 0;
  for (u32 i = 0; i < 6000000; i++) {
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    sum += state * 0x2545f4914f6cdd1d;
  }
  return (u32)(sum ^ sum >> 32);
}

/* Primes below 2^19, six times. */
u32 sieve(void) {
  u32 primes = 0;
  for (u32 round = 0; round < 6; round++) {
    for (size_t i = 0; i < sizeof bytes / 2; i++) {
      bytes[i] = 1;
      __asm__ volatile("" : : : "memory"); /* stays a loop */
    }
    for (size_t i = 2; i * i < sizeof bytes / 2; i++) {
      if (bytes[i]) for (size_t j = i * i; j < sizeof bytes / 2; j += i) bytes[j] = 0;
    }
    for (size_t i = 2; i < sizeof bytes / 2; i++) primes += bytes[i];
  }
  return primes;
}

static int ascending(const void *a, const void *b) {
  u32 x = *(const u32 *)a, y = *(const u32 *)b;
  return (x > y) - (x < y);
}

__attribute__((noinline)) static void quick(u32 *values, long low, long high, int (*compare)(const void *, const void *)) {
  while (low < high) {
    u32 pivot = values[(low + high) / 2];
    long i = low, j = high;
    while (i <= j) {
      while (compare(&values[i], &pivot) < 0) i++;
      while (compare(&values[j], &pivot) > 0) j--;
      if (i <= j) {
        u32 kept = values[i];
        values[i++] = values[j], values[j--] = kept;
      }
    }
    quick(values, low, j, compare);
    low = i;
  }
}

/* Quicksort through a pointer to the compare function. */
u32 qsort(void) {
  u32 *values = (u32 *)bytes, count = 200000, sum = 0;
  int (*volatile compare)(const void *, const void *) = ascending;
  for (u32 i = 0; i < count; i++) values[i] = random32();
  quick(values, 0, (long)count - 1, compare);
  for (u32 i = 0; i < count; i += 997) sum = sum * 31 + values[i];
  return sum;
}

__attribute__((noinline)) static u32 fibonacci(u32 n) {
  u32 sum = 0;
  if (n < 2) return n;
  sum = fibonacci(n - 1);
  __asm__ volatile("" : "+r"(sum)); /* keeps both calls calls */
  return sum + fibonacci(n - 2);
}

u32 fib(void) { return fibonacci(32); }

struct record {
  char name[24];
  u32 key, count;
};

__attribute__((noinline)) static size_t length(const char *text) {
  size_t n = 0;
  while (text[n]) n++;
  return n;
}

__attribute__((noinline)) static int differ(const char *a, const char *b) {
  while (*a && *a == *b) a++, b++;
  return (u8)*a - (u8)*b;
}

/* Generates, hashes, looks up and compares names in a table with open addressing, like a symbol table. */
u32 records(void) {
  struct record *table = (struct record *)bytes;
  enum { SLOTS = 16384 };
  u32 sum = 0;
  for (u32 i = 0; i < SLOTS; i++) table[i].name[0] = 0;
  for (u32 i = 0; i < 400000; i++) {
    char name[24] = "item";
    u32 number = random32() % 9000, n = 4;
    do name[n++] = (char)('0' + number % 10); while (number /= 10);
    name[n] = 0;
    u32 key = 5381;
    for (const char *at = name; *at; at++) key = key * 33 ^ (u8)*at;
    u32 slot = key % SLOTS;
    while (table[slot].name[0] && differ(table[slot].name, name)) slot = (slot + 1) % SLOTS;
    if (!table[slot].name[0]) {
      for (size_t c = 0, size = length(name); c <= size; c++) table[slot].name[c] = name[c];
      table[slot].key = key, table[slot].count = 0;
    }
    sum += ++table[slot].count ^ key;
  }
  return sum;
}

struct node {
  struct node *next;
  u32 value;
};

/* Alternates between reversing and summing a linked list, a small matrix product and a state machine over text. */
u32 list(void) {
  struct node *nodes = (struct node *)bytes, *head = NULL;
  static u32 a[32][32], b[32][32], c[32][32];
  static u8 text[16000];
  u32 sum = 0;
  for (u32 i = 0; i < 4000; i++) nodes[i] = (struct node){head, random32()}, head = &nodes[i];
  for (u32 i = 0; i < 32; i++) for (u32 j = 0; j < 32; j++) a[i][j] = random32(), b[i][j] = random32();
  for (u32 i = 0; i < sizeof text; i++) text[i] = (u8)random32() & 31;
  for (u32 round = 0; round < 120; round++) {
    struct node *turned = NULL;
    while (head) {
      struct node *next = head->next;
      head->next = turned, turned = head, head = next;
    }
    head = turned;
    for (struct node *at = head; at; at = at->next) sum = sum * 3 + at->value;
    for (u32 i = 0; i < 32; i++) for (u32 j = 0; j < 32; j++) {
      u32 cell = 0;
      for (u32 k = 0; k < 32; k++) cell += a[i][k] * b[k][j];
      c[i][j] = cell ^ round;
    }
    sum ^= c[round & 31][round >> 2 & 31];
    u32 state = 0, numbers = 0;
    for (u32 i = 0; i < sizeof text; i++) {
      u8 letter = text[i];
      switch (state) {
        case 0: state = letter < 10 ? 1 : letter == 31 ? 3 : 0; break;
        case 1: if (letter == 12) state = 2; else if (letter >= 10) state = 0, numbers++; break;
        case 2: state = letter < 10 ? 2 : 3; break;
        default: state = letter & 1 ? 0 : 3, numbers += letter; break;
      }
    }
    sum += numbers;
  }
  return sum;
}

/* A stack machine in bytecode: sums i * i ^ sum for i below n. */
enum { PUSH, LOAD, STORE, ADD, MUL, XOR, LESS, JUMP_IF, HALT };

u32 bytecode(void) {
  static const u8 code[] = {
    LOAD, 0, LOAD, 0, MUL, LOAD, 1, XOR, STORE, 1, /* sum = i * i ^ sum */
    LOAD, 0, PUSH, 1, ADD, STORE, 0,               /* i = i + 1 */
    LOAD, 0, LOAD, 2, LESS, JUMP_IF, 0, HALT,
  };
  u32 stack[16], variables[3] = {0, 0, 400000};
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
