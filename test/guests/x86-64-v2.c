/*
 * A userland program built for x86-64-v2, like those of distributions: compiled loops, the C library's CPUID-based choices, and one use of each kind
 * of instruction. Prints one checksum, which must be the same everywhere. With an argument: alignment checks.
 */
#include <immintrin.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint32_t sum = 0xffffffff;
static uint32_t seed = 2463534242;

static void add(const void *data, size_t size) {
  for (size_t i = 0; i < size; i++) sum = _mm_crc32_u8(sum, ((const uint8_t *)data)[i]);
}
static void add_vector(__m128i v) {
  add(&v, sizeof v);
}
static uint32_t draw(void) {
  seed ^= seed << 13;
  seed ^= seed >> 17;
  return seed ^= seed << 5;
}

static void integers(__m128i a, __m128i b) {
  add_vector(_mm_shuffle_epi8(a, b));
  add_vector(_mm_maddubs_epi16(a, b));
  add_vector(_mm_mulhrs_epi16(a, b));
  add_vector(_mm_alignr_epi8(a, b, 5));
  add_vector(_mm_blendv_epi8(a, b, _mm_cmpgt_epi64(a, b)));
  add_vector(_mm_mullo_epi32(a, b));
  add_vector(_mm_packus_epi32(a, b));
  add_vector(_mm_cvtepi8_epi64(a));
  add_vector(_mm_minpos_epu16(a));
  add_vector(_mm_mpsadbw_epu8(a, b, 5));
  add_vector(_mm_insert_epi64(a, _mm_extract_epi64(b, 1), 0));
  uint64_t word = _mm_extract_epi64(a, 0);
  word = _mm_popcnt_u64(word) ^ _mm_crc32_u64(sum, word) ^ (uint64_t)_mm_testz_si128(a, b) << 63;
  add(&word, sizeof word);
}

static void floats(__m128 a, __m128 b) {
  add_vector(_mm_castps_si128(_mm_hadd_ps(a, b)));
  add_vector(_mm_castps_si128(_mm_addsub_ps(a, b)));
  add_vector(_mm_castps_si128(_mm_dp_ps(a, b, 0xf5)));
  add_vector(_mm_castps_si128(_mm_round_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)));
  add_vector(_mm_castps_si128(_mm_insert_ps(a, b, 0x98)));
}

static void strings(const char *text) {
  size_t found[] = {strlen(text), strcspn(text, "xyz"), strspn(text, "abcdefgh"), (size_t)(strchr(text, 'q') ? strchr(text, 'q') - text : -1),
                    (size_t)(strstr(text, "dc") ? strstr(text, "dc") - text : -1)};
  add(found, sizeof found);
  __m128i words = _mm_loadu_si128((const __m128i *)text);
  int index = _mm_cmpistri(_mm_setr_epi8('a', 'f', 'p', 's', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0), words, _SIDD_CMP_RANGES);
  add(&index, sizeof index);
}

static void loops(void) {
  static float x[1000];
  static uint8_t bytes[1000];
  uint64_t bits = 0;
  double total = 0;
  for (int i = 0; i < 1000; i++) x[i] = (float)(draw() % 1000) / 8, bytes[i] = (uint8_t)draw();
  for (int i = 0; i < 1000; i++) total += __builtin_floor(x[i] * 1.25);
  for (int i = 0; i < 1000; i++) bits += (uint64_t)__builtin_popcount(bytes[i]) * (bytes[i] > 99 ? bytes[i] : 7);
  add(&total, sizeof total);
  add(&bits, sizeof bits);
}

static void on_bus_error(int number, siginfo_t *info, void *context) {
  (void)number;
  (void)context;
  __asm__ volatile("pushfq; andq $~0x40000, (%%rsp); popfq" ::: "cc", "memory");
  printf("alignment: SIGBUS, code %d\n", info->si_code);
  exit(0);
}

static void check_alignment(void) {
  static uint64_t words[2];
  struct sigaction action = {.sa_flags = SA_SIGINFO, .sa_sigaction = on_bus_error};
  sigaction(SIGBUS, &action, NULL);
  uint32_t value;
  __asm__ volatile("subq $128, %%rsp; pushfq; orq $0x40000, (%%rsp); popfq; addq $128, %%rsp; movl 4(%1), %0; movl 1(%1), %0"
                   : "=r"(value)
                   : "r"(words)
                   : "cc", "memory");
  printf("alignment: nothing happened (%u)\n", value);
}

int main(int argc, char **argv) {
  (void)argv;
  if (!__builtin_cpu_supports("x86-64-v2")) {
    puts("this processor is not x86-64-v2");
    return 1;
  }
  if (argc > 1) {
    check_alignment();
    return 0;
  }
  for (int i = 0; i < 2000; i++) {
    __m128i a = _mm_setr_epi32((int)draw(), (int)draw(), (int)draw(), (int)draw());
    __m128i b = _mm_setr_epi32((int)draw(), (int)draw(), (int)draw(), (int)draw());
    integers(a, b);
    floats(_mm_cvtepi32_ps(_mm_srai_epi32(a, 9)), _mm_cvtepi32_ps(_mm_srai_epi32(b, 12)));
    char text[64];
    size_t length = 16 + draw() % 40;
    for (size_t n = 0; n < length; n++) text[n] = (char)('a' + draw() % 26);
    memset(text + length, 0, sizeof text - length);
    strings(text);
  }
  loops();
  printf("x86-64-v2: %08x\n", (unsigned)~sum);
  return 0;
}
