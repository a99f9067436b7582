"""Twin of common/sieve.lua."""
import sys
from math import floor


def main():
    scale = float(sys.argv[1]) if len(sys.argv) > 1 else 1
    limit = floor(1000000 * scale)
    count, last = 0, 0
    for _ in range(10):
        composite = []
        for _ in range(limit + 1):
            composite.append(False)
        count = 0
        for i in range(2, limit + 1):
            if not composite[i]:
                count = count + 1
                last = i
                for j in range(i * i, limit + 1, i):
                    composite[j] = True
    print("sieve %d %d" % (count, last))


main()
