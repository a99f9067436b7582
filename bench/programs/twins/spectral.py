"""Twin of common/spectral.lua."""
import sys
from math import floor, sqrt


def entry(i, j):
    d = i - j
    return 1.0 / (1.0 + d * d * 0.25 + i * 0.125)


def multiply(n, src, dst):
    for i in range(n):
        total = 0.0
        for j in range(n):
            total = total + entry(i + 1, j + 1) * src[j]
        dst[i] = total


def multiply_transposed(n, src, dst):
    for i in range(n):
        total = 0.0
        for j in range(n):
            total = total + entry(j + 1, i + 1) * src[j]
        dst[i] = total


def main():
    scale = float(sys.argv[1]) if len(sys.argv) > 1 else 1
    n = floor(380 * sqrt(scale))
    v, w, t = [1.0] * n, [0.0] * n, [0.0] * n
    sigma = 0.0
    for _ in range(60):
        multiply(n, v, t)
        multiply_transposed(n, t, w)
        norm = 0.0
        for x in w:
            norm = norm + x * x
        norm = sqrt(norm)
        for i in range(n):
            v[i] = w[i] / norm
        sigma = sqrt(norm)
    print("spectral %.9f" % sigma)


main()
