#!/bin/sh
# Writes cli/layout.ld: which functions the benchmark programs call, as a linker script that puts them next to each other:
# first what every program calls when it starts, then the interpreter, then the others, those first that most programs call; last
# what is called only when traces are compiled. The system maps 64 KiB around each page that is touched, so what counts is that a
# program finds all it calls in few such pieces: small functions come a little earlier.
# Constants of our own crates, and the few of others that most programs need, come before the rest; of ours, tables for the jumps of
# the front end, the libraries and the line editor come last. Run it from the top folder after
# `cargo build --release -p traceorus-cli`; it needs valgrind. Names in the script that do not exist do no harm, and functions
# missing from it only lie elsewhere, so it need not be run often.
set -e
bin=target/release/traceorus
dir=$(mktemp -d)
trap 'rm -r "$dir"' EXIT
for p in bench/programs/*/*.lua; do
    for jit in off hotloop=3,hotcall=3,hotexit=2,freecompile=1000000; do
        valgrind --tool=callgrind --demangle=no --callgrind-out-file="$dir/$(basename "$p").${jit%%=*}" \
            "$bin" -j$jit "$p" 0.01 >"$dir/log" 2>&1
    done
done
# names of functions; and patterns that match several of them
nm -S -t d "$bin" | awk '$3 ~ /^[tT]$/ && $4 !~ /^(traceorus_|main$)/ && $2 > 0 { print $4, $2 + 0, $1 }' >"$dir/symbols"
# the names of crates contain numbers that change from build to build
unhashed() {
    sed -E -e 's/\.llvm\.[0-9]+$/*/' -e 's/Cs[0-9A-Za-z]+_([0-9])/Cs*_\1/g'
}
sed -E 's/(\.llvm\.[0-9]+)? .*//' "$dir/symbols" | LC_ALL=C sort -u | unhashed | LC_ALL=C sort | uniq -d >"$dir/ambiguous"
# The functions called, as patterns for their sections, with those numbers only if that matters: those first that most programs call. Names are given once
# per file and then by number; those of closures and recursion end in 'number.
called() {
    awk '
        FNR == NR { size[$1] = $2; at[$1] = $3; alike[$3] = alike[$3] " " $1; next }
        FNR == 1 { split("", name); split("", seen) }
        /^c?fn=/ {
            id = $0; sub(/^c?fn=/, "", id); sub(/\).*/, ")", id)
            if ($0 ~ /\) /) { n = $0; sub(/^[^)]*\) /, "", n); sub(/\047[0-9]+$/, "", n); name[id] = n }
            n = name[id]
            if (n in size && !(n in seen)) { seen[n] = 1; count[n]++ }
        }
        END {
            for (n in count) if (!(at[n] in done)) {
                done[at[n]] = 1
                # equal functions are merged, and any of their names may be that of the section
                k = split(alike[at[n]], all, " ")
                for (i = 1; i <= k; i++) printf "%.6f %s\n", count[n] / sqrt(size[n]), all[i]
            }
        }' "$dir/symbols" "$@" | LC_ALL=C sort -k1,1nr -k2 >"$dir/called"
    cut -d ' ' -f 2 "$dir/called" | unhashed | paste -d ' ' - "$dir/called" |
        sed -E 's/\.llvm\.[0-9]+$/*/' |
        awk 'FNR == NR { several[$1] = 1; next } { n = $1 in several ? $3 : $1 } !(n in seen) { seen[n] = 1; print n }' "$dir/ambiguous" -
}
called "$dir"/empty.lua.* | LC_ALL=C sort >"$dir/start"
called "$dir"/*.off | awk 'FNR == NR { start[$0] = 1; next } !($0 in start)' "$dir/start" - >"$dir/others"
cat "$dir/start" "$dir/others" >"$dir/before"
called "$dir"/*.hotloop | awk 'FNR == NR { before[$0] = 1; next } !($0 in before)' "$dir/before" - >"$dir/traces"
{
    echo "/* Made by cli/layout.sh. */"
    echo "SECTIONS {"
    echo "  .rodata.used : {"
    echo "    *(.rodata.*_4core3num7dec2flt5table*)"
    echo "    *.std-*.o(.rodata.anon.* .rodata.str1.1)"
    echo "    *.core-*.o(.rodata..Lanon*)" # powers of ten
    echo "    *.traceorus*.o(.rodata.anon.* .rodata.str* .rodata.cst* .rodata..L*)"
    echo "    *.traceorus.*.o(.rodata.*9traceorus*)"
    echo "    *.traceorus_vm-*.o(.rodata .rodata.*)"
    echo "    *.traceorus_*.o(.rodata .rodata.*)"
    echo "    *.traceorus.*.o(.rodata .rodata.*)"
    echo "  }"
    echo "} INSERT BEFORE .rodata;"
    echo "SECTIONS {"
    echo "  .text.used : {"
    echo "    *crt*.o(.text .text.*)"
    echo "    *(.text.main)"
    echo "    *traceorus_vm-*.o(.text)" # calls of C functions
    sed 's/.*/    *(.text*.&)/' "$dir/start"
    echo "    *(.text.traceorus_interp)"
    sed 's/.*/    *(.text*.&)/' "$dir/others" "$dir/traces"
    echo "  }"
    echo "} INSERT BEFORE .text;"
} >"$dir/layout.ld"
mv "$dir/layout.ld" cli/layout.ld
