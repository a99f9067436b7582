"""Twin of common/fft.lua."""
import sys
from math import cos, floor, pi, sin, sqrt


def bit_reverse(n, re, im):
    j = 0
    for i in range(n - 1):
        if i < j:
            re[i], re[j] = re[j], re[i]
            im[i], im[j] = im[j], im[i]
        half = n // 2
        while half <= j:
            j = j - half
            half = half // 2
        j = j + half


def transform(n, re, im, sign):
    bit_reverse(n, re, im)
    length = 2
    while length <= n:
        half = length // 2
        theta = sign * 2 * pi / length
        stepr, stepi = cos(theta), sin(theta)
        for start in range(0, n, length):
            wr, wi = 1.0, 0.0
            for a in range(start, start + half):
                b = a + half
                br, bi = re[b], im[b]
                tr, ti = wr * br - wi * bi, wr * bi + wi * br
                ar, ai = re[a], im[a]
                re[b], im[b] = ar - tr, ai - ti
                re[a], im[a] = ar + tr, ai + ti
                wr, wi = wr * stepr - wi * stepi, wr * stepi + wi * stepr
        length = length * 2


def main():
    scale = float(sys.argv[1]) if len(sys.argv) > 1 else 1
    rounds = max(1, floor(50 * scale))
    n = 2**13
    re = [(i * 37 % 101) / 101 for i in range(1, n + 1)]
    im = [0.0] * n
    peak = 0.0
    for _ in range(rounds):
        transform(n, re, im, -1)
        peak = sqrt(re[1] * re[1] + im[1] * im[1])
        transform(n, re, im, 1)
        for i in range(n):
            re[i], im[i] = re[i] / n, im[i] / n
    err = 0.0
    for i in range(1, n + 1):
        err = max(err, abs(re[i - 1] - (i * 37 % 101) / 101))
    print("fft %.6f %s" % (peak, "exact" if err < 1e-9 else "off"))


main()
