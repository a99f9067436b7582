#!/bin/sh
# Runs Debian programs that embed Lua, with liblua5.4 and with ours in its place (plain, compiled at once, with many
# collections), and compares what they print:
# sh tests/capi/programs/run.sh folder/lib
# Needs clingo (package gringo), lighttpd with lighttpd-modules-lua, neomutt, curl.
set -eu
lib=$(cd "$1" && pwd)
here=$(cd "$(dirname "$0")" && pwd)
scratch=$(mktemp -d)
server=
trap 'if [ -n "$server" ]; then kill "$server"; fi; rm -rf "$scratch"' EXIT

# A program uses our library only if the loader finds it first.
uses_ours() {
  LD_LIBRARY_PATH=$lib ldd "$1" | grep -q "liblua5.4.so.0 => $lib/" || { echo "$1 is not linked with liblua5.4"; exit 1; }
}

# clingo's exit status says how many answers there are
solver() { clingo --verbose=0 "$here/numbers.lp" 2>&1 || [ $? -lt 128 ]; gringo --text "$here/numbers.lp" 2>&1; }
mail() { neomutt -n -F /dev/null -e "lua-source $here/mail.lua" -Q sort </dev/null 2>&1; }
web() {
  cat >"$scratch/lighttpd.conf" <<CONF
server.document-root = "$scratch"
server.port = 18099
server.bind = "127.0.0.1"
server.modules = ("mod_magnet")
server.errorlog = "$scratch/error.log"
magnet.attract-raw-url-to = ("$here/magnet.lua")
CONF
  lighttpd -D -f "$scratch/lighttpd.conf" &
  server=$!
  curl --silent --retry 20 --retry-connrefused --retry-delay 1 "http://127.0.0.1:18099/first"
  for n in 1 5 15; do curl --silent "http://127.0.0.1:18099/path$n?$n"; done
  i=0
  while [ $i -lt 60 ]; do curl --silent "http://127.0.0.1:18099/?2"; i=$((i + 1)); done | sort | uniq -c
  kill "$server"
  wait "$server" || true
  server=
}

uses_ours "$(command -v clingo)"
uses_ours "$(command -v neomutt)"
uses_ours /usr/lib/lighttpd/mod_magnet.so
for program in solver mail web; do
  $program >"$scratch/expected"
  [ -s "$scratch/expected" ]
  for setting in TRACEORUS_JIT=on TRACEORUS_JIT=hotloop=1,hotcall=1,hotexit=1 TRACEORUS_GC_STRESS=20; do
    (export LD_LIBRARY_PATH="$lib" "$setting"; $program) >"$scratch/printed"
    diff "$scratch/expected" "$scratch/printed"
  done
  echo "$program: the same"
done
