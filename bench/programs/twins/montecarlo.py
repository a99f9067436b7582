"""Twin of common/montecarlo.lua."""
import sys
from math import floor

state = 42


def draw(limit):
    global state
    state = (state * 3877 + 29573) % 139968
    return limit * state / 139968


def main():
    scale = float(sys.argv[1]) if len(sys.argv) > 1 else 1
    samples = floor(2800000 * scale)
    hits = 0
    for _ in range(samples):
        x, y = draw(1.0), draw(1.0)
        if x * x + y * y <= 1.0:
            hits = hits + 1
    position, furthest = 0, 0
    for _ in range(samples):
        step = draw(3.0)
        if step < 1.0:
            position = position - 1
        elif step >= 2.0:
            position = position + 1
        if position > furthest:
            furthest = position
        elif -position > furthest:
            furthest = -position
    print("montecarlo %d %d %d" % (hits, position, furthest))


main()
