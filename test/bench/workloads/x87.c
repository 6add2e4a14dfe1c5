/* The x87, as `long double` uses it: 64-bit significands. */
#include "workloads.h"

u32 x87(void) {
  long double x = 1.5L, sum = 0, step = 1.0L / 3;
  for (u32 i = 0; i < 700000; i++) {
    x = x * 1.0000001L + step;
    sum += __builtin_sqrtl(x) / (x + 2);
    if (sum > 1000) sum -= 999.5L;
  }
  union { long double value; u32 words[3]; } result = {.value = sum};
  return result.words[0] ^ result.words[1];
}
