"""Twin of common/mandelbrot.lua."""
import sys
from math import floor, sqrt


def main():
    scale = float(sys.argv[1]) if len(sys.argv) > 1 else 1
    size = floor(620 * sqrt(scale))
    limit = 160
    inside, total = 0, 0
    for py in range(size):
        ci = 2.4 * py / size - 1.2
        for px in range(size):
            cr = 3.0 * px / size - 2.1
            zr, zi, count = 0.0, 0.0, 0
            r2, i2 = 0.0, 0.0
            while count < limit and r2 + i2 <= 4.0:
                zi = 2.0 * zr * zi + ci
                zr = r2 - i2 + cr
                r2 = zr * zr
                i2 = zi * zi
                count = count + 1
            if count == limit:
                inside = inside + 1
            total = total + count
    print("mandelbrot %d %d" % (inside, total))


main()
