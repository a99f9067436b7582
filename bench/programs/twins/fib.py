"""Twin of common/fib.lua."""
import sys


def global_fib(k):
    if k < 2:
        return k
    return global_fib(k - 1) + global_fib(k - 2)


def main():
    scale = float(sys.argv[1]) if len(sys.argv) > 1 else 1
    n = 34 if scale >= 1 else 24

    def fib(k):
        if k < 2:
            return k
        return fib(k - 1) + fib(k - 2)

    print("fib %d %d" % (fib(n), global_fib(n - 1)))


main()
