/* Twin of common/heat.lua. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { W = 120, H = 120 };

static double plates[2][W * H + 1];

int main(int argc, char **argv) {
  double scale = argc > 1 ? atof(argv[1]) : 1;
  long steps = (long)floor(1000 * scale);
  double *now = plates[0], *following = plates[1];
  for (int x = 1; x <= W; x++) {
    now[x] = following[x] = 100.0;
  }
  for (long k = 0; k < steps; k++) {
    for (int y = 1; y <= H - 2; y++) {
      int base = y * W;
      for (int i = base + 2; i <= base + W - 1; i++) {
        double c = now[i];
        following[i] = c + 0.2 * (now[i - 1] + now[i + 1] + now[i - W] + now[i + W] - 4.0 * c);
      }
    }
    double *t = now;
    now = following;
    following = t;
  }
  double sum = 0.0;
  for (int i = 1; i <= W * H; i++) {
    sum = sum + now[i];
  }
  printf("heat %.6f %.9f\n", sum, now[2 * W + 60]);
  return 0;
}
