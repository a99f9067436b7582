/* Twin of common/nbody.lua. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { N = 8 };

struct body {
  double x, y, z, vx, vy, vz, mass;
};

static void kick(struct body *list, double dt) {
  for (int i = 0; i < N; i++) {
    struct body *a = &list[i];
    double ax = a->x, ay = a->y, az = a->z, am = a->mass;
    for (int j = i + 1; j < N; j++) {
      struct body *b = &list[j];
      double dx = b->x - ax, dy = b->y - ay, dz = b->z - az;
      double d2 = dx * dx + dy * dy + dz * dz + 0.01;
      double f = dt / (d2 * sqrt(d2));
      double fb = f * b->mass, fa = f * am;
      a->vx = a->vx + dx * fb;
      a->vy = a->vy + dy * fb;
      a->vz = a->vz + dz * fb;
      b->vx = b->vx - dx * fa;
      b->vy = b->vy - dy * fa;
      b->vz = b->vz - dz * fa;
    }
  }
}

static void drift(struct body *list, double dt) {
  for (int i = 0; i < N; i++) {
    struct body *a = &list[i];
    a->x = a->x + dt * a->vx;
    a->y = a->y + dt * a->vy;
    a->z = a->z + dt * a->vz;
  }
}

static double energy(const struct body *list) {
  double e = 0.0;
  for (int i = 0; i < N; i++) {
    const struct body *a = &list[i];
    e = e + 0.5 * a->mass * (a->vx * a->vx + a->vy * a->vy + a->vz * a->vz);
    for (int j = i + 1; j < N; j++) {
      const struct body *b = &list[j];
      double dx = b->x - a->x, dy = b->y - a->y, dz = b->z - a->z;
      e = e - a->mass * b->mass / sqrt(dx * dx + dy * dy + dz * dz + 0.01);
    }
  }
  return e;
}

int main(int argc, char **argv) {
  double scale = argc > 1 ? atof(argv[1]) : 1;
  long steps = (long)floor(125000 * scale);
  double pi = 3.14159265358979323846;
  struct body bodies[N];
  for (int i = 1; i <= N; i++) {
    double angle = (i - 1) * pi / 4;
    bodies[i - 1] = (struct body){
        cos(angle) * (1 + i / 10.0),
        sin(angle) * (1 + i / 10.0),
        (i % 3 - 1) / 20.0,
        -sin(angle) * 0.8,
        cos(angle) * 0.8,
        0.0,
        0.05 + i / 200.0,
    };
  }
  double before = energy(bodies);
  for (long k = 0; k < steps; k++) {
    kick(bodies, 0.0005);
    drift(bodies, 0.0005);
  }
  printf("nbody %.9f %.9f\n", before, energy(bodies));
  return 0;
}
