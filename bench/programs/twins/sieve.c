/* Twin of common/sieve.lua. */
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv) {
  double scale = argc > 1 ? atof(argv[1]) : 1;
  long limit = (long)floor(1000000 * scale);
  long count = 0, last = 0;
  for (int round = 0; round < 10; round++) {
    bool *composite = malloc(limit + 1);
    for (long i = 1; i <= limit; i++) {
      composite[i] = false;
    }
    count = 0;
    for (long i = 2; i <= limit; i++) {
      if (!composite[i]) {
        count = count + 1;
        last = i;
        for (long j = i * i; j <= limit; j += i) {
          composite[j] = true;
        }
      }
    }
    free(composite);
  }
  printf("sieve %ld %ld\n", count, last);
  return 0;
}
