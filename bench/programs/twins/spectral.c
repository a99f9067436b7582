/* Twin of common/spectral.lua. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static long n;

static double entry(long i, long j) {
  double d = i - j;
  return 1.0 / (1.0 + d * d * 0.25 + i * 0.125);
}

static void multiply(const double *src, double *dst) {
  for (long i = 1; i <= n; i++) {
    double sum = 0.0;
    for (long j = 1; j <= n; j++) {
      sum = sum + entry(i, j) * src[j];
    }
    dst[i] = sum;
  }
}

static void multiply_transposed(const double *src, double *dst) {
  for (long i = 1; i <= n; i++) {
    double sum = 0.0;
    for (long j = 1; j <= n; j++) {
      sum = sum + entry(j, i) * src[j];
    }
    dst[i] = sum;
  }
}

int main(int argc, char **argv) {
  double scale = argc > 1 ? atof(argv[1]) : 1;
  n = (long)floor(380 * sqrt(scale));
  double *v = malloc(3 * (n + 1) * sizeof *v), *w = v + n + 1, *t = w + n + 1;
  for (long i = 1; i <= n; i++) {
    v[i] = 1.0;
    w[i] = t[i] = 0.0;
  }
  double sigma = 0.0;
  for (int k = 0; k < 60; k++) {
    multiply(v, t);
    multiply_transposed(t, w);
    double norm = 0.0;
    for (long i = 1; i <= n; i++) {
      norm = norm + w[i] * w[i];
    }
    norm = sqrt(norm);
    for (long i = 1; i <= n; i++) {
      v[i] = w[i] / norm;
    }
    sigma = sqrt(norm);
  }
  printf("spectral %.9f\n", sigma);
  free(v);
  return 0;
}
