"""Twin of common/nbody.lua."""
import sys
from math import cos, floor, pi, sin, sqrt


class Body:
    def __init__(self, i):
        angle = (i - 1) * pi / 4
        self.x = cos(angle) * (1 + i / 10)
        self.y = sin(angle) * (1 + i / 10)
        self.z = (i % 3 - 1) / 20
        self.vx = -sin(angle) * 0.8
        self.vy = cos(angle) * 0.8
        self.vz = 0.0
        self.mass = 0.05 + i / 200


def kick(bodies, dt):
    n = len(bodies)
    for i in range(n):
        a = bodies[i]
        ax, ay, az, am = a.x, a.y, a.z, a.mass
        for j in range(i + 1, n):
            b = bodies[j]
            dx, dy, dz = b.x - ax, b.y - ay, b.z - az
            d2 = dx * dx + dy * dy + dz * dz + 0.01
            f = dt / (d2 * sqrt(d2))
            fb, fa = f * b.mass, f * am
            a.vx = a.vx + dx * fb
            a.vy = a.vy + dy * fb
            a.vz = a.vz + dz * fb
            b.vx = b.vx - dx * fa
            b.vy = b.vy - dy * fa
            b.vz = b.vz - dz * fa


def drift(bodies, dt):
    for a in bodies:
        a.x = a.x + dt * a.vx
        a.y = a.y + dt * a.vy
        a.z = a.z + dt * a.vz


def energy(bodies):
    e = 0.0
    for i, a in enumerate(bodies):
        e = e + 0.5 * a.mass * (a.vx * a.vx + a.vy * a.vy + a.vz * a.vz)
        for j in range(i + 1, len(bodies)):
            b = bodies[j]
            dx, dy, dz = b.x - a.x, b.y - a.y, b.z - a.z
            e = e - a.mass * b.mass / sqrt(dx * dx + dy * dy + dz * dz + 0.01)
    return e


def main():
    scale = float(sys.argv[1]) if len(sys.argv) > 1 else 1
    steps = floor(125000 * scale)
    bodies = [Body(i) for i in range(1, 9)]
    before = energy(bodies)
    for _ in range(steps):
        kick(bodies, 0.0005)
        drift(bodies, 0.0005)
    print("nbody %.9f %.9f" % (before, energy(bodies)))


main()
