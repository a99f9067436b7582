/* Twin of common/collatz.lua. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv) {
  double scale = argc > 1 ? atof(argv[1]) : 1;
  long long bound = (long long)floor(170000 * scale);
  long long best = 0, best_start = 0, total = 0;
  for (long long start = 1; start <= bound; start++) {
    long long n = start, len = 1;
    while (n != 1) {
      if (n % 2 == 0) {
        n = n / 2;
      } else {
        n = 3 * n + 1;
      }
      len = len + 1;
    }
    total = total + len;
    if (len > best) {
      best = len;
      best_start = start;
    }
  }
  printf("collatz %lld %lld %lld\n", best_start, best, total);
  return 0;
}
