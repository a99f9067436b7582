#!/bin/sh
# Builds the Python package lupa with our library, and runs its tests: sh tests/capi/lupa.sh folder/lib unpacked-source
# Needs python3 with headers and pip, pkg-config and a C compiler.
set -eu
lib=$(cd "$1" && pwd)
cd "$2"

export PYTHONPATH="$PWD/tools" PKG_CONFIG_PATH="$lib/pkgconfig" LUPA_NO_BUNDLE=true LUPA_NO_LUAJIT=true
python3 -m pip install --quiet --target tools Cython==3.3.1 setuptools==80.9.0
python3 setup.py build_ext --inplace >build.log 2>&1 || { cat build.log; exit 1; }
# the package tries whatever is named like a module for Lua
rm -f lupa/lua*.c lupa/lua*.pyx
export LD_LIBRARY_PATH="$lib"
ldd lupa/lua.*.so | grep -q "liblua5.4.so.0 => $lib/" || { echo "lupa is not linked with our library"; exit 1; }

# all tests but those whose name contains the argument
run='
import sys, unittest
import lupa.tests.test
def tests(s):
    for t in s:
        if isinstance(t, unittest.TestSuite):
            yield from tests(t)
        elif sys.argv[1] not in t.id():
            yield t
loaded = unittest.defaultTestLoader.loadTestsFromModule(lupa.tests.test)
unittest.TextTestRunner(verbosity=2).run(unittest.TestSuite(tests(loaded)))
'
hot=hotloop=1,hotcall=1,hotexit=1
for setting in TRACEORUS_JIT=on TRACEORUS_JIT=off "TRACEORUS_JIT=$hot" "TRACEORUS_JIT=$hot,exitrandom=20" TRACEORUS_STACK_STRESS=1 TRACEORUS_GC_STRESS=20; do
  # a collection after every few allocations leaves no cells to hand out, so that a limit bites in calls that lupa does not protect
  without=nothing
  [ "$setting" = TRACEORUS_GC_STRESS=20 ] && without=TestMaxMemory
  env "$setting" python3 -c "$run" "$without" >log 2>&1 || true
  ran=$(sed -n 's/^Ran \([0-9]*\) tests.*/\1/p' log)
  failed=$(sed -n 's/^\(FAIL\|ERROR\): \([^ ]*\).*/\2/p' log | sort -u | paste -sd ' ')
  if [ -n "$failed" ] || [ "${ran:-0}" -lt 400 ]; then
    cat log
    echo "lupa, $setting: ${ran:-0} tests; failed: $failed"
    exit 1
  fi
  echo "lupa, $setting: $ran tests passed"
done
