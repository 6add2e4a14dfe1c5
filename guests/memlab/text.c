#include "lab.h"

size_t length(const char *text) {
  size_t n = 0;
  while (text[n]) n++;
  return n;
}

bool same(const char *a, const char *b) {
  while (*a && *a == *b) a++, b++;
  return *a == *b;
}

/* gcc may call these for structure copies and clears. */
void *memset(void *to, int value, size_t n) {
  u8 *p = to;
  while (n--) *p++ = (u8)value;
  return to;
}

void *memcpy(void *to, const void *from, size_t n) {
  u8 *p = to;
  const u8 *q = from;
  while (n--) *p++ = *q++;
  return to;
}

static int digit_of(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return 99;
}

static int shift_of(char suffix) {
  switch (suffix) {
    case 'k': case 'K': return 10;
    case 'm': case 'M': return 20;
    case 'g': case 'G': return 30;
    case 't': case 'T': return 40;
    default: return -1;
  }
}

bool parse_number(const char *text, u64 *value) {
  u64 base = 10, result = 0;
  if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) base = 16, text += 2;
  const char *first = text;
  for (; (u64)digit_of(*text) < base; text++) {
    if (__builtin_mul_overflow(result, base, &result)) return false;
    if (__builtin_add_overflow(result, (u64)digit_of(*text), &result)) return false;
  }
  if (text == first) return false;
  if (*text) {
    int shift = shift_of(*text);
    if (shift < 0 || text[1] || result >> (64 - shift)) return false;
    result <<= shift;
  }
  *value = result;
  return true;
}
