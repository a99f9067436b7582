/* Twin of common/montecarlo.lua. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static long state = 42;

static double draw(double limit) {
  state = (state * 3877 + 29573) % 139968;
  return limit * state / 139968;
}

int main(int argc, char **argv) {
  double scale = argc > 1 ? atof(argv[1]) : 1;
  long samples = (long)floor(2800000 * scale);
  long hits = 0;
  for (long k = 0; k < samples; k++) {
    double x = draw(1.0), y = draw(1.0);
    if (x * x + y * y <= 1.0) {
      hits = hits + 1;
    }
  }
  long position = 0, furthest = 0;
  for (long k = 0; k < samples; k++) {
    double step = draw(3.0);
    if (step < 1.0) {
      position = position - 1;
    } else if (step >= 2.0) {
      position = position + 1;
    }
    if (position > furthest) {
      furthest = position;
    } else if (-position > furthest) {
      furthest = -position;
    }
  }
  printf("montecarlo %ld %ld %ld\n", hits, position, furthest);
  return 0;
}
