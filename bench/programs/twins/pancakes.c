/* Twin of common/pancakes.lua. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static int n;
static int perm[10], work[10], counter[10];
static long best, sum, seen;

static int flips(void) {
  int first = perm[1];
  if (first == 1) {
    return 0;
  }
  for (int i = 1; i <= n; i++) {
    work[i] = perm[i];
  }
  int count = 0;
  while (first != 1) {
    for (int i = 1, j = first; i < j; i++, j--) {
      int t = work[i];
      work[i] = work[j];
      work[j] = t;
    }
    count = count + 1;
    first = work[1];
  }
  return count;
}

static void visit(void) {
  int f = flips();
  if (f > best) {
    best = f;
  }
  sum = sum + (seen % 2 == 0 ? f : -f);
  seen = seen + 1;
}

int main(int argc, char **argv) {
  double scale = argc > 1 ? atof(argv[1]) : 1;
  n = scale >= 1 ? 9 : 7;
  long rounds = (long)fmax(1, floor(2 * scale));
  for (long r = 0; r < rounds; r++) {
    for (int i = 1; i <= n; i++) {
      perm[i] = i;
      counter[i] = 1;
    }
    visit();
    int level = 1;
    while (level <= n) {
      if (counter[level] < level) {
        int other = level % 2 == 1 ? 1 : counter[level];
        int t = perm[other];
        perm[other] = perm[level];
        perm[level] = t;
        visit();
        counter[level] = counter[level] + 1;
        level = 1;
      } else {
        counter[level] = 1;
        level = level + 1;
      }
    }
  }
  printf("pancakes %ld %ld %ld\n", best, sum, seen);
  return 0;
}
