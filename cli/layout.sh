#!/bin/sh
# Writes cli/layout.ld: which functions the benchmark programs call, as a linker script that puts them next to each
# other. Run it from the top folder after `cargo build --release -p traceorus-cli`; it needs valgrind. Names in the
# script that do not exist do no harm, and functions missing from it only lie elsewhere, so it need not be run often.
set -e
bin=target/release/traceorus
dir=$(mktemp -d)
trap 'rm -r "$dir"' EXIT
for p in bench/programs/common/*.lua; do
    valgrind --tool=callgrind --demangle=no --callgrind-out-file="$dir/$(basename "$p").out" \
        "$bin" "$p" 0.01 >"$dir/log" 2>&1
done
nm "$bin" | awk '$2 ~ /^[tT]$/ && $3 ~ /^_(ZN|R)/ { print $3 }' >"$dir/symbols"
{
    echo "/* Made by cli/layout.sh. */"
    echo "SECTIONS {"
    echo "  .text.used : {"
    echo "    *crt*.o(.text .text.*)"
    echo "    *(.text.traceorus_interp .text.main)"
    # names are given once per file and then by number; those of closures and recursion end in 'number
    awk '
        FNR == NR { exists[$0] = 1; next }
        FNR == 1 { split("", name) }
        /^c?fn=/ {
            id = $0; sub(/^c?fn=/, "", id); sub(/\).*/, ")", id)
            if ($0 ~ /\) /) { n = $0; sub(/^[^)]*\) /, "", n); sub(/\047[0-9]+$/, "", n); name[id] = n }
            if (name[id] in exists) print name[id]
        }' "$dir/symbols" "$dir"/*.out |
        sed -E -e 's/17h[0-9a-f]{16}E.*$/17h*/' -e 's/\.llvm\.[0-9]+$/*/' -e 's/Cs[0-9A-Za-z]+_([0-9])/Cs*_\1/g' |
        LC_ALL=C sort -u | sed 's/.*/    *(.text*.&)/'
    echo "  }"
    echo "} INSERT AFTER .plt;"
} >"$dir/layout.ld"
mv "$dir/layout.ld" cli/layout.ld
