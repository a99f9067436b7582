#!/bin/sh
# Makes the C library: sh capi/build.sh [folder]
#
#   lib/libtraceorus.so    to link new programs with
#   lib/liblua5.4.so.0     the same under the name that existing programs look for (LD_LIBRARY_PATH=folder/lib program)
#   lib/libtraceorus.a     to link statically, with -lm -ldl -lpthread
#   lib/pkgconfig          traceorus, and lua, lua5.4, lua-5.4, lua54 for programs that look for these
#   include                lua.h, lauxlib.h, lualib.h, luaconf.h, lua.hpp
#
# Needs cargo and a C compiler (CC, else cc). TRACEORUS_PROFILE names another cargo profile than release; TRACEORUS_STATIC a static
# library that is built already. The folder is target/capi unless given.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
out=${1:-$root/target/capi}
cc=${CC:-cc}
profile=${TRACEORUS_PROFILE:-release}

static=${TRACEORUS_STATIC:-}
if [ -z "$static" ]; then
  cargo build --quiet --manifest-path "$root/Cargo.toml" --profile "$profile" --package traceorus-clib
  static=${CARGO_TARGET_DIR:-$root/target}/$([ "$profile" = dev ] && echo debug || echo "$profile")/libtraceorus_c.a
fi

rm -rf "$out/lib" "$out/include"
mkdir -p "$out/lib/pkgconfig" "$out/include"
out=$(cd "$out" && pwd)
cp "$root"/capi/include/*.h "$root"/capi/include/*.hpp "$out/include"
cp "$static" "$out/lib/libtraceorus.a"

# shared FILE SONAME
shared() {
  "$cc" -shared -o "$out/lib/$1" -Wl,-soname,"$2" -Wl,--whole-archive "$static" -Wl,--no-whole-archive \
    -Wl,--version-script="$root/capi/exports.map" -Wl,--gc-sections -Wl,-z,relro,-z,now -Wl,-z,noexecstack -lm -ldl -lpthread -lgcc_s
}
shared libtraceorus.so libtraceorus.so
shared liblua5.4.so.0 liblua5.4.so.0
ln -s liblua5.4.so.0 "$out/lib/liblua5.4.so"

# module NAME LIBRARY
module() {
  cat >"$out/lib/pkgconfig/$1.pc" <<PC
prefix=\${pcfiledir}/../..
libdir=\${prefix}/lib
includedir=\${prefix}/include
INSTALL_LMOD=\${prefix}/share/lua/5.4
INSTALL_CMOD=\${prefix}/lib/lua/5.4

Name: Lua
Description: Lua 5.4 as implemented by Traceorus
Version: 5.4.8
Libs: -L\${libdir} -l$2
Libs.private: -lm -ldl -lpthread
Cflags: -I\${includedir}
PC
}
module traceorus traceorus
for name in lua lua5.4 lua-5.4 lua54; do module "$name" lua5.4; done
echo "$out"
