//! Peak resident memory of programs, compared with that of the reference. What counts is how the release build is linked
//! (`docs/decisions/0010-linked-for-little-memory.md`), and when the collector runs.

mod common;

use std::path::Path;

use common::{Run, reference, traceorus};

/// Programs of the benchmark with many tables and objects, and the one that does nothing.
const PROGRAMS: [&str; 8] = [
    "classes",
    "empty",
    "life",
    "scheduler",
    "shapes",
    "sparse",
    "trees",
    "vectors",
];
/// Times the reference's. Addresses are random, and so is which parts of libraries are resident, which is worth some hundredths; functions that are
/// new since the layout was made cost 64 KiB each (0.025) if they lie apart.
const LIMIT: f64 = 1.1;
const ROUNDS: usize = 5;

/// The least peak of some runs in KiB.
fn peak(program: &Path, script: &Path) -> i64 {
    let once = || {
        // the interpreter's; traces take memory of their own
        let r = Run::new(program)
            .arg(script)
            .env("TRACEORUS_JIT", "off")
            .run();
        assert!(r.success(), "{script:?}: {}\n{}", r.end(), r.err());
        r.peak_kib
    };
    (0..ROUNDS).map(|_| once()).min().expect("some rounds")
}

#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "the debug build is not linked for little memory"
)]
fn at_most_that_of_the_reference() {
    let Some(reference) = reference() else {
        assert!(
            std::env::var_os("TRACEORUS_NO_SKIP").is_none(),
            "no lua5.4 here"
        );
        return eprintln!("SKIPPED: no lua5.4 here");
    };
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("bench/programs/common");
    let mut large = Vec::new();
    for name in PROGRAMS {
        let script = dir.join(name).with_extension("lua");
        let (ours, theirs) = (
            peak(traceorus(), &script),
            peak(Path::new(reference), &script),
        );
        println!("{name}: {ours} KiB, reference {theirs} KiB");
        if ours as f64 > theirs as f64 * LIMIT {
            large.push(format!("{name}: {ours} KiB, reference {theirs} KiB"));
        }
    }
    assert!(
        large.is_empty(),
        "more than {LIMIT} times the memory; cli/layout.sh may help:\n{}",
        large.join("\n")
    );
}
