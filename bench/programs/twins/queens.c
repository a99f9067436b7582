/* Twin of common/queens.lua. */
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

enum { MOST = 9 };

static int n;
static long solutions, tried, check;
static bool column[MOST + 1], up[2 * MOST + 1], down[2 * MOST + 1];
static int place[MOST + 1];

static void put(int row) {
  if (row > n) {
    solutions = solutions + 1;
    long sum = 0;
    for (int i = 1; i <= n; i++) {
      sum = sum * 3 + place[i];
    }
    check = (check + sum) % 1000003;
    return;
  }
  for (int c = 1; c <= n; c++) {
    tried = tried + 1;
    if (!column[c] && !up[row + c] && !down[row - c + n]) {
      column[c] = up[row + c] = down[row - c + n] = true;
      place[row] = c;
      put(row + 1);
      column[c] = up[row + c] = down[row - c + n] = false;
    }
  }
}

int main(int argc, char **argv) {
  double scale = argc > 1 ? atof(argv[1]) : 1;
  n = scale >= 1 ? 9 : 7;
  long rounds = (long)fmax(1, floor(150 * scale));
  for (long k = 0; k < rounds; k++) {
    put(1);
  }
  printf("queens %ld %ld %ld\n", solutions, tried, check);
  return 0;
}
