//! File tests of the optimiser: `tests/filetests/opt/*.ir`.
//!
//! ```text
//! ; test: opt fold,cse [peel] [finish]
//! ; start: 0004                      first instruction of the model iteration (default: the first)
//! ; header: 3 0002 0003              slot, payload, tag as known there
//! ; carried: 3 0005 int dirty        slot, payload, tag at the end of the iteration
//! ..instructions..
//! ; ====
//! ; ..what comes out..
//! ```
//! The instructions are emitted through the pipeline with these passes. `TRACEORUS_BLESS=1` rewrites the expectations.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use traceorus_trace::abort::Abort;
use traceorus_trace::ir::parse::parse;
use traceorus_trace::ir::print::{Print, print};
use traceorus_trace::ir::verify::verify;
use traceorus_trace::ir::{IrBuf, Mode, Ref, Snap};
use traceorus_trace::opt::{Carried, OptCx, Passes, finish, peel};

#[derive(Default)]
struct Head {
    passes: Option<Passes>,
    peel: bool,
    finish: bool,
    start: Option<String>,
    header: Vec<String>,
    carried: Vec<String>,
}

fn head(text: &str) -> Head {
    let mut h = Head::default();
    for line in text.lines() {
        let Some((key, value)) = line.strip_prefix("; ").and_then(|l| l.split_once(": ")) else {
            continue;
        };
        match key {
            "test" => {
                let mut words = value.split_whitespace();
                assert_eq!(words.next(), Some("opt"), "unknown kind of test: {value}");
                h.passes = words.next().and_then(|w| Passes::NONE.parse(w));
                for w in words {
                    match w {
                        "peel" => h.peel = true,
                        "finish" => h.finish = true,
                        _ => panic!("unknown stage {w}"),
                    }
                }
            }
            "start" => h.start = Some(value.to_string()),
            "header" => h.header.push(value.to_string()),
            "carried" => h.carried.push(value.to_string()),
            _ => {}
        }
    }
    h
}

/// The slot that a directive describes, with refs of the emitted buffer.
fn slot(source: &IrBuf, map: &HashMap<Ref, Ref>, buf: &mut IrBuf, text: &str) -> Carried {
    let w: Vec<&str> = text.split_whitespace().collect();
    assert!(w.len() >= 3, "slot, payload and tag expected: {text}");
    // Constants are read by the parser; a snapshot is the easiest way to it.
    let mut probe = source.clone();
    let mut one = |w: &str| -> Ref {
        if let Some(r) = w.parse::<usize>().ok().filter(|_| w.len() == 4) {
            return map[&Ref::from_ins(r)];
        }
        let line = format!("{:04} tag SSTT #0 {w}", 1);
        let parsed = parse(&line).unwrap_or_else(|e| panic!("{w}: {e}"));
        let r = parsed.ins[1].b;
        match parsed.konst(r) {
            Some(k) => {
                probe.k(k.ty, k.bits);
                buf.k(k.ty, k.bits)
            }
            None => r,
        }
    };
    Carried {
        slot: w[0].parse().expect("a slot number"),
        val: one(w[1]),
        tag: one(w[2]),
        dirty: w.get(3) == Some(&"dirty"),
    }
}

/// Emits `source` through the pipeline.
fn run(h: &Head, source: &IrBuf) -> Result<IrBuf, Abort> {
    let mut cx = OptCx::new(h.passes.expect("passes"));
    let mut buf = IrBuf::new();
    buf.pvals = source.pvals.clone();
    let mut map: HashMap<Ref, Ref> = HashMap::new();
    let mut start = Ref::from_ins(1);
    let start_label: Option<usize> = h.start.as_ref().map(|s| s.parse().expect("a number"));
    let mut snap = 0;
    for n in 1..=source.len() {
        let r = Ref::from_ins(n);
        while let Some(s) = source.snaps.get(snap).filter(|s| s.first <= r) {
            let from = buf.entries.len() as u32;
            for e in &source.entries[s.start as usize..s.end as usize] {
                let mut e = *e;
                e.val = translate(source, &map, &mut buf, e.val);
                e.tag = translate(source, &map, &mut buf, e.tag);
                buf.entries.push(e);
            }
            let end = buf.entries.len() as u32;
            let first = buf.next();
            buf.snaps.push(Snap {
                first,
                start: from,
                end,
                ..s.clone()
            });
            snap += 1;
        }
        if n == source.len() {
            break;
        }
        if start_label == Some(n) {
            start = cx.begin_iteration(&buf);
        }
        let i = source.at(r);
        let [ma, mb] = i.op.modes();
        let mut operand = |m: Mode, o: Ref| match m {
            Mode::Ref | Mode::Const => translate(source, &map, &mut buf, o),
            _ => o,
        };
        let (a, b) = (operand(ma, i.a), operand(mb, i.b));
        let out = cx.emit(&mut buf, i.op, i.ty, a, b)?;
        map.insert(r, out);
    }
    if h.peel {
        let header: Vec<Carried> = h
            .header
            .iter()
            .map(|t| slot(source, &map, &mut buf, t))
            .collect();
        let carried: Vec<Carried> = h
            .carried
            .iter()
            .map(|t| slot(source, &map, &mut buf, t))
            .collect();
        let before = print(
            &buf,
            Print {
                names: false,
                nops: true,
            },
        );
        if let Err(e) = peel(&mut cx, &mut buf, start, &header, &carried) {
            let after = print(
                &buf,
                Print {
                    names: false,
                    nops: true,
                },
            );
            assert_eq!(
                before, after,
                "a failed peel must leave the buffer as it was"
            );
            return Err(e);
        }
    }
    if h.finish {
        finish(&mut cx, &mut buf);
    }
    verify(&buf).unwrap_or_else(|e| panic!("{e}\n{}", print(&buf, Print::default())));
    Ok(buf)
}

fn translate(source: &IrBuf, map: &HashMap<Ref, Ref>, buf: &mut IrBuf, r: Ref) -> Ref {
    if let Some(k) = source.konst(r) {
        buf.k(k.ty, k.bits)
    } else if r.is_ins() {
        map[&r]
    } else {
        r
    }
}

fn outcome(path: &Path, text: &str) -> String {
    let input = text
        .split("; ====")
        .next()
        .expect("there is always a first part");
    let source = parse(input).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    verify(&source).unwrap_or_else(|e| panic!("{}: the input: {e}", path.display()));
    let printed = match run(&head(input), &source) {
        Ok(buf) => print(
            &buf,
            Print {
                names: true,
                nops: false,
            },
        ),
        Err(e) => format!("error: {}\n", e.text()),
    };
    let mut out = format!("{}; ====\n", input);
    for line in printed.lines() {
        out.push_str("; ");
        out.push_str(line);
        out.push('\n');
    }
    out
}

fn files() -> Vec<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/filetests/opt");
    let mut files: Vec<PathBuf> = std::fs::read_dir(dir)
        .expect("the directory of the file tests")
        .map(|e| e.expect("an entry").path())
        .filter(|p| p.extension().is_some_and(|e| e == "ir"))
        .collect();
    files.sort();
    files
}

#[test]
fn optimiser() {
    let bless = std::env::var_os("TRACEORUS_BLESS").is_some();
    let files = files();
    assert!(files.len() > 10, "the file tests are missing");
    let mut failed = Vec::new();
    for path in files {
        let text = std::fs::read_to_string(&path).expect("readable");
        let now = outcome(&path, &text);
        if now == text {
            continue;
        }
        if bless {
            std::fs::write(&path, now).expect("writable");
            continue;
        }
        let mut diff = String::new();
        for (n, (a, b)) in text.lines().zip(now.lines()).enumerate() {
            if a != b {
                diff.push_str(&format!("line {}:\n  - {a}\n  + {b}\n", n + 1));
                break;
            }
        }
        failed.push(format!("{}\n{diff}now:\n{now}", path.display()));
    }
    assert!(
        failed.is_empty(),
        "{} file tests differ (TRACEORUS_BLESS=1 rewrites them):\n{}",
        failed.len(),
        failed.join("\n")
    );
}
