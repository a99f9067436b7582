/* Twin of common/fib.lua. Both functions are the same here; the second is visible from outside, as the Lua program's second is global. */
#include <stdio.h>
#include <stdlib.h>

static long fib(long k) {
  if (k < 2) {
    return k;
  }
  return fib(k - 1) + fib(k - 2);
}

long global_fib(long k) {
  if (k < 2) {
    return k;
  }
  return global_fib(k - 1) + global_fib(k - 2);
}

int main(int argc, char **argv) {
  double scale = argc > 1 ? atof(argv[1]) : 1;
  long n = scale >= 1 ? 34 : 24;
  printf("fib %ld %ld\n", fib(n), global_fib(n - 1));
  return 0;
}
