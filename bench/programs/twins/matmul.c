/* Twin of common/matmul.lua. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static long n;

static double **matrix(void) {
  double **m = malloc((n + 1) * sizeof *m);
  for (long i = 1; i <= n; i++) {
    m[i] = malloc((n + 1) * sizeof **m);
  }
  return m;
}

/* The remainder that has the sign of the divisor. */
static long modulo(long a, long b) {
  long r = a % b;
  return r < 0 ? r + b : r;
}

static double **transpose(double **m) {
  double **t = matrix();
  for (long i = 1; i <= n; i++) {
    for (long j = 1; j <= n; j++) {
      t[i][j] = m[j][i];
    }
  }
  return t;
}

static double **product(double **a, double **b) {
  double **bt = transpose(b), **c = matrix();
  for (long i = 1; i <= n; i++) {
    double *ai = a[i], *ci = c[i];
    for (long j = 1; j <= n; j++) {
      double *bj = bt[j], sum = 0.0;
      for (long k = 1; k <= n; k++) {
        sum = sum + ai[k] * bj[k];
      }
      ci[j] = sum;
    }
  }
  return c;
}

int main(int argc, char **argv) {
  double scale = argc > 1 ? atof(argv[1]) : 1;
  n = (long)floor(340 * pow(scale, 1.0 / 3) + 0.5);
  double **a = matrix(), **b = matrix();
  for (long i = 1; i <= n; i++) {
    for (long j = 1; j <= n; j++) {
      a[i][j] = modulo(i * 7 + j * 3, 11) / 8.0;
      b[i][j] = modulo(i * 5 - j * 2, 13) / 16.0;
    }
  }
  double **c = product(a, b);
  double trace = 0.0, corner = c[1][n];
  for (long i = 1; i <= n; i++) {
    trace = trace + c[i][i];
  }
  printf("matmul %ld %.7f %.7f\n", n, trace, corner);
  return 0;
}
