#!/bin/sh
# Compares the C library with the installed liblua5.4: sh bench/embedding/run.sh [rounds [folder]]
#
# The same program runs with either in turn, `rounds` times (5); a row shows the fewest nanoseconds per operation with each, and how many
# times as fast ours is. `folder` is what capi/build.sh made; without it, that is done first. Give CPU=n to stay on one core.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
rounds=${1:-5}
folder=${2:-$(sh "$here/../../capi/build.sh")}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
on() { if [ -n "${CPU:-}" ]; then taskset -c "$CPU" "$@"; else "$@"; fi; }

"${CC:-cc}" -O2 -I"$folder/include" "$here/host.c" -o "$scratch/host" -L"$folder/lib" -l:liblua5.4.so.0
i=0
while [ "$i" -lt "$rounds" ]; do
  on env -u LD_LIBRARY_PATH "$scratch/host" | sed 's/^/lua /' >>"$scratch/rows"
  LD_LIBRARY_PATH=$folder/lib on "$scratch/host" | sed 's/^/ours /' >>"$scratch/rows"
  i=$((i + 1))
done
awk '
  {
    who = $1; time = $NF; name = $2
    for (i = 3; i < NF; i++) name = name " " $i
    if (!((who, name) in best) || time < best[who, name]) best[who, name] = time
    if (!(name in seen)) { seen[name] = 1; order[++n] = name }
  }
  END {
    printf "%-28s %10s %10s %8s\n", "ns per operation", "liblua5.4", "ours", "speed"
    for (i = 1; i <= n; i++) {
      a = best["lua", order[i]]; b = best["ours", order[i]]
      printf "%-28s %10.2f %10.2f %7.2fx\n", order[i], a, b, a / b
      sum += log(a / b)
    }
    printf "%-28s %10s %10s %7.2fx\n", "geometric mean", "", "", exp(sum / n)
  }' "$scratch/rows"
