/* Twin of common/mandelbrot.lua. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv) {
  double scale = argc > 1 ? atof(argv[1]) : 1;
  long size = (long)floor(620 * sqrt(scale));
  const long limit = 160;
  long inside = 0, total = 0;
  for (long py = 0; py < size; py++) {
    double ci = 2.4 * py / size - 1.2;
    for (long px = 0; px < size; px++) {
      double cr = 3.0 * px / size - 2.1;
      double zr = 0.0, zi = 0.0, r2 = 0.0, i2 = 0.0;
      long count = 0;
      while (count < limit && r2 + i2 <= 4.0) {
        zi = 2.0 * zr * zi + ci;
        zr = r2 - i2 + cr;
        r2 = zr * zr;
        i2 = zi * zi;
        count = count + 1;
      }
      if (count == limit) {
        inside = inside + 1;
      }
      total = total + count;
    }
  }
  printf("mandelbrot %ld %ld\n", inside, total);
  return 0;
}
