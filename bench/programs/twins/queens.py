"""Twin of common/queens.lua."""
import sys
from math import floor


def main():
    scale = float(sys.argv[1]) if len(sys.argv) > 1 else 1
    n = 9 if scale >= 1 else 7
    solutions, tried, check = 0, 0, 0
    column, up, down, place = [False] * (n + 1), [False] * (2 * n + 1), [False] * (2 * n + 1), [0] * (n + 1)

    def put(row):
        nonlocal solutions, tried, check
        if row > n:
            solutions = solutions + 1
            total = 0
            for i in range(1, n + 1):
                total = total * 3 + place[i]
            check = (check + total) % 1000003
            return
        for c in range(1, n + 1):
            tried = tried + 1
            if not column[c] and not up[row + c] and not down[row - c + n]:
                column[c] = up[row + c] = down[row - c + n] = True
                place[row] = c
                put(row + 1)
                column[c] = up[row + c] = down[row - c + n] = False

    for _ in range(max(1, floor(150 * scale))):
        put(1)
    print("queens %d %d %d" % (solutions, tried, check))


main()
