/* SSE2, float and integer. */
#define _MM_MALLOC_H_INCLUDED /* the header needs a C library */
#include <emmintrin.h>
#include "workloads.h"

/* Lengths of vectors, double and single precision. */
u32 sse_float(void) {
  __m128d x = _mm_set_pd(1.25, 0.75), y = _mm_set_pd(0.5, 1.5), total = _mm_setzero_pd();
  __m128 s = _mm_set_ps(1, 2, 3, 4), factor = _mm_set1_ps(1.0001f), small = _mm_setzero_ps();
  for (u32 i = 0; i < 3000000; i++) {
    __m128d square = _mm_add_pd(_mm_mul_pd(x, x), _mm_mul_pd(y, y));
    total = _mm_add_pd(total, _mm_div_pd(_mm_sqrt_pd(square), _mm_set1_pd(3.0)));
    x = _mm_add_pd(x, _mm_set1_pd(0.001));
    s = _mm_mul_ps(s, factor);
    small = _mm_add_ps(small, s);
    s = _mm_sub_ps(s, _mm_mul_ps(s, _mm_set1_ps(0.0001f)));
  }
  union { __m128d d; __m128 s; u32 words[4]; } first = {.d = total}, second = {.s = small};
  return first.words[0] ^ first.words[1] ^ second.words[0] ^ second.words[3];
}

/* Sums, comparisons and shuffles over 1 MiB. */
u32 sse_integer(void) {
  __m128i *data = (__m128i *)ARENA, sum = _mm_setzero_si128(), most = _mm_setzero_si128();
  for (u32 i = 0; i < 1 << 18; i++) ((u32 *)data)[i] = random32();
  for (u32 round = 0; round < 20; round++) {
    for (u32 i = 0; i < 1 << 16; i++) {
      __m128i value = _mm_load_si128(&data[i]);
      most = _mm_max_epi16(most, value);
      __m128i mask = _mm_cmpgt_epi32(value, sum);
      sum = _mm_add_epi32(sum, _mm_xor_si128(_mm_and_si128(mask, value), _mm_srli_epi32(value, 3)));
      _mm_store_si128(&data[i], _mm_add_epi8(value, _mm_shuffle_epi32(sum, 0x1b)));
    }
  }
  union { __m128i v; u32 words[4]; } result = {.v = _mm_xor_si128(sum, most)};
  return result.words[0] ^ result.words[1] ^ result.words[2] ^ result.words[3];
}
