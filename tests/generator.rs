//! Random programs, run here and by the reference implementation: both must print the same. Each also runs with a
//! collection at every allocation, with a stack that moves at every call, and with another hash seed.
//!
//! One second in `cargo test`; `TRACEORUS_FUZZ_SECONDS` makes it longer, with new programs each time.
//! `TRACEORUS_FUZZ_SEED` names the first seed (a failure prints its own), `TRACEORUS_FUZZ_KEEP=1` goes on after failures,
//! `TRACEORUS_FUZZ_SHOW=1` only prints the first seed's program.

mod common;
#[path = "common/luagen/mod.rs"]
mod luagen;

use std::time::{Duration, Instant};

use common::{Ran, Run, lua, reference, reference_version};
use luagen::tree::{Item, render, shrink};

/// Then it hangs. While a program is made smaller, each run has less.
const TIMEOUT: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_secs(5);

/// Ways to run a program that must not change what it does.
const MODES: [&[(&str, &str)]; 4] = [
    &[("TRACEORUS_GC_STRESS", "1")],
    &[("TRACEORUS_STACK_STRESS", "1")],
    &[("TRACEORUS_SEED", "12345")],
    &[
        ("TRACEORUS_GC_STRESS", "3"),
        ("TRACEORUS_STACK_STRESS", "1"),
        ("TRACEORUS_SEED", "1"),
    ],
];

/// What a program showed.
#[derive(PartialEq, Debug)]
struct Shown {
    out: String,
    error: String,
    end: String,
}

fn shown(r: Ran) -> Shown {
    let end = match r.status {
        Some(s) if r.exited() => format!("exit {}", s.code().unwrap_or(-1)),
        _ => r.end(),
    };
    // the message without the program's name and without the traceback
    let error = r.err();
    let error = error.lines().next().unwrap_or("");
    let error = error.split_once(": ").map_or(error, |(_, m)| m).to_string();
    Shown {
        out: r.out(),
        error,
        end,
    }
}

fn ours(source: &str, env: &[(&str, &str)], timeout: Duration) -> Shown {
    // with a fixed hash seed, so that failures can be repeated
    let run = lua(source).timeout(timeout).env("TRACEORUS_SEED", "7");
    shown(env.iter().fold(run, |r, (k, v)| r.env(k, v)).run())
}

fn theirs(name: &str, source: &str, timeout: Duration) -> Shown {
    shown(Run::new(name).arg("-").stdin(source).timeout(timeout).run())
}

/// The first difference, if a run of the program differs from what it should be.
fn differs(
    source: &str,
    modes: &[&[(&str, &str)]],
    compare: Option<&str>,
    timeout: Duration,
) -> Option<String> {
    let plain = ours(source, &[], timeout);
    if plain.end != "exit 0" && plain.end != "exit 1" {
        return Some(format!(
            "traceorus: {} after\n{}",
            plain.end,
            last_lines(&plain.out)
        ));
    }
    if let Some(name) = compare {
        let want = theirs(name, source, timeout);
        let same = if reference_version().is_some_and(|(_, v)| v == "5.4.8") {
            want == plain
        } else {
            let of = |s: &Shown| (as_older_versions(&s.out), as_older_versions(&s.error));
            of(&want) == of(&plain) && want.end == plain.end
        };
        if !same {
            return Some(difference(&want, &plain, name, "traceorus"));
        }
    }
    for env in modes {
        let got = ours(source, env, timeout);
        if got != plain {
            return Some(difference(&plain, &got, "plain", &format!("{env:?}")));
        }
    }
    None
}

/// What versions before 5.4.8 show differently: the line of a division by zero, the number of an argument.
fn as_older_versions(s: &str) -> String {
    let lines = s.lines().map(|l| {
        let zero = ["attempt to divide by zero", "attempt to perform 'n"];
        let l = match zero.iter().find_map(|m| l.find(m)) {
            Some(at) => {
                let (before, after) = l.split_at(at);
                let before = before.trim_end_matches(": ");
                format!(
                    "{}: {after}",
                    before.trim_end_matches(|c: char| c.is_ascii_digit())
                )
            }
            None => l.to_string(),
        };
        l.replace("#1 to 'table.remove' (pos", "#2 to 'table.remove' (pos")
    });
    lines.map(|l| l + "\n").collect()
}

fn last_lines(s: &str) -> String {
    let lines: Vec<&str> = s.lines().collect();
    lines[lines.len().saturating_sub(3)..].join("\n")
}

fn difference(a: &Shown, b: &Shown, an: &str, bn: &str) -> String {
    let (mut x, mut y) = (a.out.lines(), b.out.lines());
    let mut n = 0;
    loop {
        n += 1;
        match (x.next(), y.next()) {
            (None, None) => {
                return format!(
                    "{an}: {} {:?}\n{bn}: {} {:?}",
                    a.end, a.error, b.end, b.error
                );
            }
            (p, q) if p != q => {
                let show = |l: Option<&str>| l.unwrap_or("(nothing)").to_string();
                return format!(
                    "line {n} of the output:\n  {an}: {}\n  {bn}: {}\n({}, {})",
                    show(p),
                    show(q),
                    a.end,
                    b.end
                );
            }
            _ => {}
        }
    }
}

fn minimal(program: Vec<Item>, modes: &[&[(&str, &str)]], compare: Option<&str>) -> String {
    // without the modes that are not needed, to be quick
    let source = render(&program);
    let needed: Vec<&[(&str, &str)]> = if differs(&source, &[], compare, SHORT).is_some() {
        Vec::new()
    } else {
        let one = modes
            .iter()
            .find(|m| differs(&source, &[**m], None, SHORT).is_some());
        one.map_or(modes.to_vec(), |m| vec![*m])
    };
    let compare = if needed.is_empty() { compare } else { None };
    let end = Instant::now() + Duration::from_secs(120);
    let small = shrink(program, |p| {
        Instant::now() < end && differs(&render(p), &needed, compare, SHORT).is_some()
    });
    let source = render(&small);
    let what = differs(&source, &needed, compare, SHORT);
    format!(
        "{source}-- {}",
        what.unwrap_or("(does not always fail)".into())
            .replace('\n', "\n-- ")
    )
}

fn seconds(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn same_as_the_reference() {
    let compare = reference();
    if compare.is_none() {
        assert!(
            std::env::var_os("TRACEORUS_NO_SKIP").is_none(),
            "no lua5.4 here"
        );
        eprintln!("no lua5.4 here: programs are only compared with their stress runs");
    }
    common::traceorus();
    let long = seconds("TRACEORUS_FUZZ_SECONDS");
    let time = Duration::from_secs(long.unwrap_or(1));
    let first = seconds("TRACEORUS_FUZZ_SEED").unwrap_or_else(|| match long {
        None => 1,
        Some(_) => std::time::UNIX_EPOCH
            .elapsed()
            .map_or(1, |t| t.as_nanos() as u64 >> 10),
    });
    if std::env::var_os("TRACEORUS_FUZZ_SHOW").is_some() {
        println!("{}", render(&luagen::program(first)));
        return;
    }
    let keep = std::env::var_os("TRACEORUS_FUZZ_KEEP").is_some();
    let start = Instant::now();
    let (mut seed, mut failures) = (first, 0);
    while start.elapsed() < time || seed == first {
        let program = luagen::program(seed);
        let source = render(&program);
        if let Some(what) = differs(&source, &MODES, compare, TIMEOUT) {
            failures += 1;
            eprintln!("TRACEORUS_FUZZ_SEED={seed}: {what}");
            let small = minimal(program, &MODES, compare);
            eprintln!("reduced:\n{small}\n");
            assert!(
                keep,
                "TRACEORUS_FUZZ_SEED={seed}: {what}\nreduced:\n{small}"
            );
        }
        seed += 1;
    }
    eprintln!("{} programs, seeds from {first}", seed - first);
    assert_eq!(failures, 0);
}

/// The generator makes what it says: programs that compile, do something, and end.
#[test]
fn programs_are_valid() {
    let (mut silent, mut lines) = (0, 0);
    for seed in 0..40 {
        let source = render(&luagen::program(seed));
        let r = ours(&source, &[], TIMEOUT);
        assert_eq!(
            (r.error.as_str(), r.end.as_str()),
            ("", "exit 0"),
            "seed {seed}:\n{source}"
        );
        lines += r.out.lines().count();
        silent += usize::from(r.out.is_empty());
    }
    assert!(
        silent < 4 && lines > 1000,
        "{silent} silent programs, {lines} lines in all"
    );
}

/// The reducer finds the one statement that matters.
#[test]
fn shrinking() {
    let line = |s: &str| Item::Line(s.into());
    let program = vec![
        line("a = 1"),
        Item::block(
            "do",
            vec![
                line("b = 2"),
                Item::block("if a then", vec![line("bad()"), line("c = 3")], "end"),
            ],
            "end",
        ),
        line("d = 4"),
    ];
    let small = shrink(program, |p| render(p).contains("bad()"));
    assert_eq!(render(&small), "bad()\n");
}
