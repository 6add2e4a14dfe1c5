/* Everyday code for a compiler: integer, x87, SSE, strings, atomics. Compiled, never run. */
typedef unsigned long long u64;
typedef unsigned char u8;
typedef short s16;

long double x87(long double a, long double b, int n) {
  long double sum = 0;
  for (int i = 0; i < n; i++) {
    sum += a * b - sum / (a + i);
    if (sum > b) sum = -sum;
    a = __builtin_sqrtl(a);
  }
  return sum;
}
double dot(double *a, double *b, int n) {
  double sum = 0;
  for (int i = 0; i < n; i++) {
    sum += a[i] * b[i];
    if (a[i] < b[i]) sum -= __builtin_sqrt(b[i]);
  }
  return sum;
}
float mixed(float *a, int *b, int n) {
  float sum = 0;
  for (int i = 0; i < n; i++) sum += a[i] * (float)b[i];
  return sum;
}
void saturate(u8 *a, u8 *b, int n) {
  for (int i = 0; i < n; i++) a[i] = a[i] + b[i] > 255 ? 255 : a[i] + b[i];
}
void high(s16 *a, s16 *b, int n) {
  for (int i = 0; i < n; i++) a[i] = (a[i] * b[i]) >> 16;
}
u64 divide(u64 a, u64 b) { return a * b + (a >> (b & 63)) + (a << 7) + (unsigned)a / (unsigned)b + (unsigned)a % 10; }
int choose(int x, char *p) {
  switch (x) {
    case 1: return p[0];
    case 2: return p[1] * 3;
    case 3: return *(short *)p;
    case 4: return *(int *)(p + 4);
    case 5: __builtin_memset(p, 0, 400); return 1;
    case 6: __builtin_memcpy(p, p + 800, 700); return 2;
  }
  return __builtin_ctz(x) + (x > 100 ? x : 7);
}
long convert(double x, float y, int z) { return (long)x + (int)y + (long)((double)z * y); }
int atomics(int *p, int a, int b) {
  __sync_fetch_and_add(p, a);
  __sync_bool_compare_and_swap(p, a, b);
  __sync_synchronize();
  return __sync_lock_test_and_set(p, b);
}
