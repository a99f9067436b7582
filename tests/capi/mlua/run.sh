#!/bin/sh
# Runs the tests of the crate mlua with our library: sh tests/capi/mlua/run.sh folder/lib
# Needs cargo, pkg-config and a C compiler. The tests come with the package of the crate; they are used where cargo has put them.
set -eu
lib=$(cd "$1" && pwd)
here=$(cd "$(dirname "$0")" && pwd)
work=${CARGO_TARGET_DIR:-$here/../../../target}/mlua

rm -rf "$work/tests"
mkdir -p "$work/tests"
cp -r "$here/Cargo.toml" "$here/Cargo.lock" "$here/src" "$work"
cd "$work"
export PKG_CONFIG_PATH="$lib/pkgconfig" LD_LIBRARY_PATH="$lib" CARGO_TARGET_DIR="$work/target"
package=$(cargo metadata --locked --format-version 1 | grep -o '"manifest_path":"[^"]*/mlua-[0-9.]*/Cargo.toml"' | cut -d '"' -f 4)
for file in "$(dirname "$package")"/tests/*.rs; do
  case ${file##*/} in
    # another language, and messages of the Rust compiler
    luau.rs | compile.rs) ;;
    *) ln -s "$file" tests ;;
  esac
done
cargo test --quiet --locked --no-run
ldd target/debug/deps/tests-* 2>/dev/null | grep -q "liblua5.4.so.0 => $lib/" || { echo "mlua is not linked with our library"; exit 1; }

# suite NAME SETTING [arguments of the tests]
suite() {
  name=$1 setting=$2
  shift 2
  env "$setting" cargo test --quiet --locked --no-fail-fast -- --format pretty "$@" >log 2>&1 || true
  passed=$(sed -n 's/^test result: .* \([0-9]*\) passed.*/\1/p' log | awk '{ n += $1 } END { print n + 0 }')
  failed=$(sed -n 's/^test \([^ ]*\) .*FAILED$/\1/p' log | sort | paste -sd ' ')
  if [ -n "$failed" ] || [ "$passed" -lt 300 ] || grep -q 'signal: ' log; then
    cat log
    echo "mlua, $name: $passed passed; failed: $failed"
    exit 1
  fi
  echo "mlua, $name: $passed passed"
}

hot=hotloop=1,hotcall=1,hotexit=1
suite plain TRACEORUS_JIT=on
suite interpreted TRACEORUS_JIT=off
suite hot "TRACEORUS_JIT=$hot"
suite "hot, leaving at random" "TRACEORUS_JIT=$hot,exitrandom=20"
suite "stack moves" TRACEORUS_STACK_STRESS=1
# one test fills the stack, all of which each collection looks at
suite "collections" TRACEORUS_GC_STRESS=20 --skip test_ref_stack_exhaustion
