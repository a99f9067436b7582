"""Twin of common/collatz.lua."""
import sys
from math import floor


def main():
    scale = float(sys.argv[1]) if len(sys.argv) > 1 else 1
    bound = floor(170000 * scale)
    best, best_start, total = 0, 0, 0
    for start in range(1, bound + 1):
        n, length = start, 1
        while n != 1:
            if n % 2 == 0:
                n = n // 2
            else:
                n = 3 * n + 1
            length = length + 1
        total = total + length
        if length > best:
            best, best_start = length, start
    print("collatz %d %d %d" % (best_start, best, total))


main()
