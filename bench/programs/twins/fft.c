/* Twin of common/fft.lua. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { N = 1 << 13 };

static const double pi = 3.14159265358979323846;
static double re[N], im[N];

static void swap(double *list, int i, int j) {
  double t = list[i];
  list[i] = list[j];
  list[j] = t;
}

static void bit_reverse(void) {
  int j = 0;
  for (int i = 0; i <= N - 2; i++) {
    if (i < j) {
      swap(re, i, j);
      swap(im, i, j);
    }
    int half = N / 2;
    while (half <= j) {
      j = j - half;
      half = half / 2;
    }
    j = j + half;
  }
}

static void transform(double sign) {
  bit_reverse();
  for (int len = 2; len <= N; len = len * 2) {
    int half = len / 2;
    double theta = sign * 2 * pi / len;
    double stepr = cos(theta), stepi = sin(theta);
    for (int start = 0; start < N; start += len) {
      double wr = 1.0, wi = 0.0;
      for (int a = start; a < start + half; a++) {
        int b = a + half;
        double br = re[b], bi = im[b];
        double tr = wr * br - wi * bi, ti = wr * bi + wi * br;
        double ar = re[a], ai = im[a];
        re[b] = ar - tr;
        im[b] = ai - ti;
        re[a] = ar + tr;
        im[a] = ai + ti;
        double next = wr * stepr - wi * stepi;
        wi = wr * stepi + wi * stepr;
        wr = next;
      }
    }
  }
}

int main(int argc, char **argv) {
  double scale = argc > 1 ? atof(argv[1]) : 1;
  long rounds = (long)fmax(1, floor(50 * scale));
  for (int i = 1; i <= N; i++) {
    re[i - 1] = i * 37 % 101 / 101.0;
    im[i - 1] = 0.0;
  }
  double peak = 0.0;
  for (long k = 0; k < rounds; k++) {
    transform(-1);
    peak = sqrt(re[1] * re[1] + im[1] * im[1]);
    transform(1);
    for (int i = 0; i < N; i++) {
      re[i] = re[i] / N;
      im[i] = im[i] / N;
    }
  }
  double err = 0.0;
  for (int i = 1; i <= N; i++) {
    err = fmax(err, fabs(re[i - 1] - i * 37 % 101 / 101.0));
  }
  printf("fft %.6f %s\n", peak, err < 1e-9 ? "exact" : "off");
  return 0;
}
