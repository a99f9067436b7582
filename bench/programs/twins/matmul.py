"""Twin of common/matmul.lua."""
import sys
from math import floor


def build(n, f):
    return [[f(i, j) for j in range(1, n + 1)] for i in range(1, n + 1)]


def product(n, a, b):
    bt = build(n, lambda i, j: b[j - 1][i - 1])
    c = []
    for i in range(n):
        ai, ci = a[i], []
        for j in range(n):
            bj, total = bt[j], 0.0
            for k in range(n):
                total = total + ai[k] * bj[k]
            ci.append(total)
        c.append(ci)
    return c


def main():
    scale = float(sys.argv[1]) if len(sys.argv) > 1 else 1
    n = floor(340 * scale ** (1 / 3) + 0.5)
    a = build(n, lambda i, j: (i * 7 + j * 3) % 11 / 8)
    b = build(n, lambda i, j: (i * 5 - j * 2) % 13 / 16)
    c = product(n, a, b)
    trace, corner = 0.0, c[0][n - 1]
    for i in range(n):
        trace = trace + c[i][i]
    print("matmul %d %.7f %.7f" % (n, trace, corner))


main()
