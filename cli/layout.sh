#!/bin/sh
# Writes cli/layout.ld: which functions the benchmark programs call, as a linker script that puts them next to each other:
# first what nearly every program calls while it starts and its script is read, those last that are called later, too; then the interpreter, then the
# others, those first that most programs call; last what is called only when traces are compiled. The system maps 64 KiB around each page that
# is touched, so what counts is that a program finds all it calls in few such pieces: small functions come a little earlier. Of programs with
# traces those functions count that are called after the first recording has begun: what was resident then has been given back.
# Constants of our own crates, and the few of others that most programs need, come before the rest; of ours, tables for the jumps of
# the front end, the libraries and the line editor come last. Run it from the top folder after
# `cargo build --release -p traceorus-cli`; it needs valgrind. Names in the script that do not exist do no harm, and functions
# missing from it only lie elsewhere, so it need not be run often.
set -e
bin=target/release/traceorus
dir=$(mktemp -d)
trap 'rm -r "$dir"' EXIT
first=$(nm "$bin" | awk '$3 ~ /8resident12forget_start$/ { print $3 }')
profile() { # program, settings of traces, option of callgrind
    valgrind --tool=callgrind --demangle=no $3 --callgrind-out-file="$dir/$(basename "$1").${2%%=*}" \
        "$bin" "-j$2" "$1" 0.01 >"$dir/log.$(basename "$1")" 2>&1
}
for p in bench/programs/*/*.lua; do
    profile "$p" off &
    profile "$p" hotloop=3,hotcall=3,hotexit=2,freecompile=1000000 "--zero-before=$first"
    wait $!
done
wait
# names of functions; and patterns that match several of them
nm -S -t d "$bin" | awk '$3 ~ /^[tT]$/ && $4 !~ /^(traceorus_|main$)/ && $2 > 0 { print $4, $2 + 0, $1 }' >"$dir/symbols"
# the names of crates contain numbers that change from build to build
unhashed() {
    sed -E -e 's/\.llvm\.[0-9]+$/*/' -e 's/Cs[0-9A-Za-z]+_([0-9])/Cs*_\1/g'
}
sed -E 's/(\.llvm\.[0-9]+)? .*//' "$dir/symbols" | LC_ALL=C sort -u | unhashed | LC_ALL=C sort | uniq -d >"$dir/ambiguous"
# The functions called: part of the text, place in it, name. Names are given once per file and then by number; those of closures and recursion end in 'number.
awk '
    FNR == NR { size[$1] = $2; at[$1] = $3; alike[$3] = alike[$3] " " $1; next }
    FNR == 1 {
        split("", name); split("", seen)
        off = FILENAME ~ /\.off$/
        empty = FILENAME ~ /\/empty\.lua\.off$/
        programs += off
    }
    /^c?fn=/ {
        id = $0; sub(/^c?fn=/, "", id); sub(/\).*/, ")", id)
        if ($0 ~ /\) /) { n = $0; sub(/^[^)]*\) /, "", n); sub(/\047[0-9]+$/, "", n); name[id] = n }
        n = name[id]
        if (n in size && !(n in seen)) {
            seen[n] = 1
            called[n]
            if (off) plain[n]++; else traced[n]++
            if (empty) start[n]
        }
    }
    END {
        for (n in called) if (!(at[n] in done)) {
            done[at[n]] = 1
            most = plain[n] > traced[n] ? plain[n] : traced[n]
            if (n in start || plain[n] > programs * 4 / 5) { part = 1; place = traced[n] + 0 }
            else { part = plain[n] ? 2 : 3; place = -most / sqrt(size[n]) }
            # equal functions are merged, and any of their names may be that of the section
            k = split(alike[at[n]], all, " ")
            for (i = 1; i <= k; i++) printf "%d %.6f %s\n", part, place, all[i]
        }
    }' "$dir/symbols" "$dir"/*.off "$dir"/*.hotloop | LC_ALL=C sort -k1,1n -k2,2n -k3 >"$dir/called"
# As patterns for their sections, with those numbers only if that matters.
functions() {
    awk -v part="$1" '$1 == part { print $3 }' "$dir/called" >"$dir/names"
    unhashed <"$dir/names" | paste -d ' ' - "$dir/names" | sed -E 's/\.llvm\.[0-9]+$/*/' |
        awk 'FNR == NR { several[$1] = 1; next } { n = $1 in several ? $2 : $1 } !(n in seen) { seen[n] = 1; print n }' "$dir/ambiguous" - |
        sed 's/.*/    *(.text*.&)/'
}
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
    functions 1
    echo "    *(.text.traceorus_interp)"
    functions 2
    functions 3
    echo "  }"
    echo "} INSERT BEFORE .text;"
} >"$dir/layout.ld"
mv "$dir/layout.ld" cli/layout.ld
