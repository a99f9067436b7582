//! File tests of the optimiser: `tests/filetests/opt/*.ir`.
//!
//! ```text
//! ; test: opt fold,cse [peel] [entry] [finish] [known]
//! ; start: 0004                      first instruction of the model iteration (default: the first)
//! ; header: 3 0002 0003              slot, payload, tag as known there
//! ; carried: 3 0005 int dirty        slot, payload, tag at the end of the iteration
//! ; observed: 0007 100               value of an instruction while recording
//! ..instructions..
//! ; ====
//! ; ..what comes out..
//! ```
//! `entered:` in what comes out says that others may go on in the body, and what that relies on. `known` lists for each snapshot what side traces that begin there know:
//! guards about values of slots (`#2`, tags `#2.tag`; in memory `[#2]`) and about what can be computed from these.
//!
//! The instructions are emitted through the pipeline with these passes. `TRACEORUS_BLESS=1` rewrites the expectations.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use traceorus_trace::abort::Abort;
use traceorus_trace::ir::parse::parse;
use traceorus_trace::ir::print::{Print, print};
use traceorus_trace::ir::verify::verify;
use traceorus_trace::ir::{FieldId, IrBuf, IrOp, Mode, Ref, Snap, SnapNo};
use traceorus_trace::opt::entry;
use traceorus_trace::opt::known::{self, Known};
use traceorus_trace::opt::reentry::Reentry;
use traceorus_trace::opt::{Carried, OptCx, Passes, finish, peel_observed};

#[derive(Default)]
struct Head {
    passes: Option<Passes>,
    peel: bool,
    finish: bool,
    known: bool,
    entry: bool,
    start: Option<String>,
    header: Vec<String>,
    carried: Vec<String>,
    observed: Vec<String>,
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
                        "known" => h.known = true,
                        "entry" => h.entry = true,
                        _ => panic!("unknown stage {w}"),
                    }
                }
            }
            "start" => h.start = Some(value.to_string()),
            "header" => h.header.push(value.to_string()),
            "observed" => h.observed.push(value.to_string()),
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
fn run(h: &Head, source: &IrBuf) -> Result<(IrBuf, Option<Reentry>, Known), Abort> {
    let mut cx = OptCx::new(h.passes.expect("passes"));
    cx.rebuilds = true;
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
        let observed: HashMap<Ref, i64> = h
            .observed
            .iter()
            .map(|t| {
                let (r, v) = t.split_once(' ').expect("instruction and value");
                let r = Ref::from_ins(r.parse().expect("a number"));
                (map[&r], v.trim().parse().expect("a value"))
            })
            .collect();
        let observe = |_: &IrBuf, r: Ref| observed.get(&r).copied();
        if let Err(e) = peel_observed(&mut cx, &mut buf, start, &header, &carried, &observe) {
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
    let proved = known::proved(&cx, &buf, cx.reentry.as_ref());
    if h.entry {
        entry::gather(&mut buf, 0x10, 5);
    }
    if h.finish {
        finish(&mut cx, &mut buf);
    }
    let known = proved.at_exits(&buf);
    if !known.nodes.is_empty() {
        assert_eq!(known.pack().unpack(), known);
    }
    verify(&buf).unwrap_or_else(|e| panic!("{e}\n{}", print(&buf, Print::default())));
    Ok((buf, cx.reentry, known))
}

/// What is known at an exit.
struct KnownAt<'a> {
    known: &'a Known,
    exit: u16,
    /// Slots that it restores.
    written: Vec<i16>,
}

impl KnownAt<'_> {
    fn guards(&self) -> Vec<String> {
        let guards = self.known.nodes.iter().filter(|n| n.op.is_guard());
        guards.filter_map(|n| self.computed(n)).collect()
    }
    fn computed(&self, n: &known::Node) -> Option<String> {
        if n.op == IrOp::Nop || !(n.from..n.until).contains(&self.exit) {
            return None;
        }
        let [ma, mb] = n.op.modes();
        let (slot, field) = (n.a.0 as i16, FieldId::from_u16(n.b.0));
        Some(match n.op {
            IrOp::SLoad | IrOp::SLoadT if self.written.contains(&slot) => return None,
            IrOp::SLoad => format!("[#{slot}]"),
            IrOp::SLoadT => format!("[#{slot}].tag"),
            IrOp::FLd => format!("{}({})", field?.info().name, self.operand(ma, n.a)?),
            op => format!(
                "{}({} {})",
                op.name(),
                self.operand(ma, n.a)?,
                self.operand(mb, n.b)?
            ),
        })
    }
    fn operand(&self, mode: Mode, o: Ref) -> Option<String> {
        if !matches!(mode, Mode::Ref | Mode::Const) {
            return Some((o.0 as i16).to_string());
        }
        if o.is_const() {
            return Some(self.known.konsts[o.const_index()].bits.to_string());
        }
        let n = o.ins_index();
        match self.known.slots_of(n, self.exit).next() {
            Some((slot, false)) => Some(format!("#{slot}")),
            Some((slot, true)) => Some(format!("#{slot}.tag")),
            None => self.computed(&self.known.nodes[n]),
        }
    }
}

fn list(known: &Known, buf: &IrBuf) -> String {
    let mut text = String::new();
    for exit in 0..buf.snaps.len() as u16 {
        let entries = buf.snap_entries(SnapNo(exit));
        let at = KnownAt {
            known,
            exit,
            written: entries.iter().map(|e| e.slot).collect(),
        };
        text += &format!("known at #{exit}: {}\n", at.guards().join(", "));
    }
    text
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
        Ok((buf, reentry, known)) => {
            let how = Print {
                names: true,
                nops: false,
            };
            let enters = reentry.map_or(String::new(), |r| format!("entered: {r}\n"));
            let known = match head(input).known {
                true => list(&known, &buf),
                false => String::new(),
            };
            print(&buf, how) + &enters + &known
        }
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

/// What is printed is read again as the same.
#[test]
fn text_form() {
    let exact = Print {
        names: false,
        nops: true,
    };
    for path in files() {
        let text = std::fs::read_to_string(&path).expect("readable");
        let source = parse(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let printed = print(&source, exact);
        let again =
            parse(&printed).unwrap_or_else(|e| panic!("{}: {e}\n{printed}", path.display()));
        assert_eq!(source.ins, again.ins, "{}", path.display());
        assert_eq!(source.snaps, again.snaps, "{}", path.display());
        assert_eq!(source.entries, again.entries, "{}", path.display());
        assert_eq!(printed, print(&again, exact));
    }
}

#[test]
fn parse_errors_name_the_line() {
    let cases = [
        ("0001    int ADD +1", 1, "operand of ADD"),
        ("\n0001    int ADDD +1 +2", 2, "no instruction"),
        ("0002    int ADD +1 +2", 1, "instruction 1 expected"),
        ("0001    int ADD 0001 +2", 1, "not defined yet"),
        ("0001 >  int ADD +1 +2", 1, "no guard"),
        ("0001    int LT +1 +2", 1, "a guard"),
        ("0001    foo ADD +1 +2", 1, "no type"),
        ("0001    ptr FLD ptr:1 tab.nothing", 1, "no literal"),
        ("0001    int SLOAD #40000", 1, "out of range"),
        ("#1 pc=0 []", 1, "snapshot #0 expected"),
        ("#0 pc=0 [1: -]", 1, "payload and tag"),
    ];
    for (text, line, part) in cases {
        let e = parse(text).expect_err(text);
        assert_eq!(e.line, line, "{text}: {e}");
        assert!(e.text.contains(part), "{text}: {e}");
    }
}

#[test]
fn verifier_refuses() {
    let cases = [
        (
            "0001    num SLOAD #0\n0002    int ADD 0001 +1",
            "0001 is num",
        ),
        (
            "0001    int SLOAD #0\n0002 >  int LT 0001 +1",
            "without snapshot",
        ),
        (
            "0001    ptr SLOAD #0\n0002    ptr HREF 0001 #0\n0003    ptr ADD 0002 0002",
            "a type that",
        ),
        (
            "0001    ptr SLOAD #0\n0002    ptr HREF 0001 #0\n0003    any SST #1 0002",
            "no value",
        ),
        (
            "0001    ptr SLOAD #0\n0002    ptr HREF 0001 #0\n0003    tag LDB 0002",
            "no address of this kind",
        ),
        (
            "0001    int SLOAD #0\n0002    int PHI 0001 +1",
            "PHI without loop",
        ),
        (
            "0001    int SLOAD #0\n0002 ---- LOOP ----\n0003    int ADD 0001 +1\n0004    int PHI 0001 0003\n0005    int PHI 0001 0003",
            "a second PHI",
        ),
        (
            "0001    int SLOAD #0\n0002 ---- LOOP ----\n0003    num ITOF 0001\n0004    int PHI 0001 0003",
            "0003 is num",
        ),
        (
            "0001    int SLOAD #0\n0002 ---- LOOP ----\n0003    int ADD 0001 +1\n0004    int PHI 0001 0003\n0005    int ADD 0001 +1",
            "behind a PHI",
        ),
        ("#0 pc=1 [1: +1 int, 0: +1 int]", "not in order"),
        ("#0 pc=1 [1: - int]", "a payload is missing"),
        ("#0 pc=1 [1: +1 +1]", "not a tag"),
        ("0001    int CALLN - pow", "0 arguments"),
        ("0001    u32 SST #1 u32:4294967296", "does not fit"),
    ];
    for (text, part) in cases {
        let buf = parse(text).unwrap_or_else(|e| panic!("{text}: {e}"));
        let e = verify(&buf).expect_err(text);
        assert!(e.contains(part), "{text}: {e}");
    }
}

/// A removed instruction does not leave its op's chain pointing behind the end.
#[test]
fn truncating_behind_a_removed_instruction() {
    let mut buf = parse("0001    int SST #0 +1\n0002    int SST #0 +2").expect("good");
    let to = buf.next();
    buf.push(traceorus_trace::ir::Ins::new(
        traceorus_trace::ir::IrOp::SSt,
        traceorus_trace::ir::Ty::Int,
        Ref(0),
        Ref::from_const(0),
    ));
    buf.kill(to);
    buf.truncate(to);
    assert_eq!(buf.last(traceorus_trace::ir::IrOp::SSt), Ref::from_ins(2));
}
