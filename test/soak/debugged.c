/* What gdb debugs in the guest: a sum that grows in a function called again and again. */
#include <stdio.h>

long total;

static long add(long value) {
  total += value;
  return total;
}

int main(void) {
  for (long n = 1; n <= 5; n++) add(n);
  printf("total %ld\n", total);
  return 0;
}
