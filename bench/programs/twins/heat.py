"""Twin of common/heat.lua."""
import sys
from math import floor


def main():
    scale = float(sys.argv[1]) if len(sys.argv) > 1 else 1
    w, h = 120, 120
    steps = floor(1000 * scale)
    now, following = [0.0] * (w * h + 1), [0.0] * (w * h + 1)
    for x in range(1, w + 1):
        now[x], following[x] = 100.0, 100.0
    for _ in range(steps):
        for y in range(1, h - 1):
            base = y * w
            for i in range(base + 2, base + w):
                c = now[i]
                following[i] = c + 0.2 * (now[i - 1] + now[i + 1] + now[i - w] + now[i + w] - 4.0 * c)
        now, following = following, now
    total = 0.0
    for x in now:
        total = total + x
    print("heat %.6f %.9f" % (total, now[2 * w + 60]))


main()
