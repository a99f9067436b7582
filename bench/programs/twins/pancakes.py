"""Twin of common/pancakes.lua."""
import sys
from math import floor


def flips(n, perm, work):
    first = perm[1]
    if first == 1:
        return 0
    for i in range(1, n + 1):
        work[i] = perm[i]
    count = 0
    while first != 1:
        i, j = 1, first
        while i < j:
            work[i], work[j] = work[j], work[i]
            i, j = i + 1, j - 1
        count = count + 1
        first = work[1]
    return count


def main():
    scale = float(sys.argv[1]) if len(sys.argv) > 1 else 1
    n = 9 if scale >= 1 else 7
    rounds = max(1, floor(2 * scale))
    perm, work, counter = [0] * (n + 1), [0] * (n + 1), [0] * (n + 1)
    best, total, seen = 0, 0, 0

    def visit():
        nonlocal best, total, seen
        f = flips(n, perm, work)
        if f > best:
            best = f
        total = total + (f if seen % 2 == 0 else -f)
        seen = seen + 1

    for _ in range(rounds):
        for i in range(1, n + 1):
            perm[i] = i
            counter[i] = 1
        visit()
        level = 1
        while level <= n:
            if counter[level] < level:
                other = 1 if level % 2 == 1 else counter[level]
                perm[other], perm[level] = perm[level], perm[other]
                visit()
                counter[level] = counter[level] + 1
                level = 1
            else:
                counter[level] = 1
                level = level + 1
    print("pancakes %d %d %d" % (best, total, seen))


main()
