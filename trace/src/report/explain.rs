//! The explanation: for each hot source line whether it is compiled and, if it is not or is left often, why, in words.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use crate::abort::Abort;
use crate::places::Place;
use crate::stats::END;

use super::{Heat, Report, TraceRow};

/// A line is hot with this share of the samples, in percent.
const HOT_PERCENT: u64 = 1;
/// Exits of a line are worth mentioning from this number on.
const MANY_EXITS: u64 = 100;
/// Most lines that are explained.
const LISTED: usize = 50;
/// Most reasons that are given for a line.
const REASONS: usize = 4;

/// Why a trace is left, from types and ops of the guards there.
fn guard_in_words(guards: &str) -> String {
    let mut words = BTreeSet::new();
    for g in guards.split('/') {
        let (ty, op) = g.split_once(' ').unwrap_or(("", g));
        words.insert(match op {
            _ if g == END => "the trace ends there",
            "TEQ" | "TNE" => "a value has another type than when the trace was recorded",
            "TFALSY" | "TTRUTHY" => "a condition comes out differently than when the trace was recorded",
            "EQ" if matches!(ty, "ptr" | "fun" | "u32" | "u8" | "tab") => {
                "it works on another function, table or kind of table than when the trace was recorded"
            }
            "ULT" | "UGE" | "ULE" | "UGT" => {
                "an index lies outside of the array, or a comparison comes out differently"
            }
            "EQ" | "NE" | "LT" | "GE" | "LE" | "GT" | "NLT" | "NLE" | "NGT" | "NGE" => {
                "a comparison comes out differently than when the trace was recorded, or a loop ends"
            }
            "BITSZ" | "BITSNZ" => "a table has gained or lost a metatable or metamethod",
            "FTOI" => "a float is no integer",
            "STKCHK" => "the stack has to grow",
            "TOPEQ" => "a function returns another number of results than when the trace was recorded",
            "POLL" => "a finalizer, hook or signal waits",
            "COWORD" | "COPC" => "a coroutine waits elsewhere, or was resumed from elsewhere, than when the trace was recorded",
            "RETF" | "RETPC" | "RETWORD" | "RETKIND" => "a function returns to another caller than when the trace was recorded",
            _ => "a check fails",
        });
    }
    words.into_iter().collect::<Vec<_>>().join("; or ")
}

/// What can be done about it, or what it means.
fn abort_in_words(why: Abort, op: &str) -> String {
    match why {
        Abort::Nyi => format!("{op} cannot be recorded yet"),
        Abort::InnerLoop => {
            "an inner loop had to be compiled first (the outer loop is tried again later)".into()
        }
        Abort::LeavingLoop => {
            "the loop was left while it was being recorded (it ended, or its function or coroutine was left)".into()
        }
        Abort::RecordLimit | Abort::TooLong | Abort::TooManyConstants => {
            format!("{} (parameters maxrecord, maxsnap)", why.text())
        }
        Abort::TooManyTraces => "there are too many traces (parameter maxtrace)".into(),
        Abort::CodeMemory => "there is no room for more machine code (parameter maxmcode)".into(),
        Abort::OverBudget => format!("{} (parameter maxcompile)", why.text()),
        Abort::SwitchedOff => "compilation is switched off for it".into(),
        _ => why.text().into(),
    }
}

/// What is known of a line.
#[derive(Default)]
struct Line<'a> {
    heat: Heat,
    runs: Vec<&'a TraceRow>,
    starts: Vec<&'a TraceRow>,
    notes: Vec<(u64, String)>,
    exits: u64,
}

impl Line<'_> {
    fn note(&mut self, weight: u64, text: String) {
        self.notes.push((weight, text));
    }
}

fn lines(r: &Report) -> BTreeMap<&Place, Line<'_>> {
    let mut lines: BTreeMap<&Place, Line<'_>> = BTreeMap::new();
    for (p, h) in &r.heat {
        lines.entry(p).or_default().heat = *h;
    }
    for t in &r.traces {
        for p in &t.lines {
            lines.entry(p).or_default().runs.push(t);
        }
        lines.entry(&t.start).or_default().starts.push(t);
        for (op, p) in &t.helpers {
            let text = format!(
                "trace {} performs {op} by calling the interpreter's function for it",
                t.number
            );
            lines.entry(p).or_default().note(0, text);
        }
    }
    for (a, n) in &r.aborts {
        let why = abort_in_words(a.why, &a.op);
        let times = if *n == 1 {
            "once".into()
        } else {
            format!("{n} times")
        };
        let from = if a.start == a.at {
            String::new()
        } else {
            format!(" that began at {}", a.start)
        };
        let text = format!("a recording{from} was given up here {times}: {why}");
        lines.entry(&a.at).or_default().note(*n, text);
        if a.start != a.at {
            let text = format!(
                "a recording from here was given up {times} at {}: {why}",
                a.at
            );
            lines.entry(&a.start).or_default().note(*n, text);
        }
    }
    for (e, n) in &r.exits {
        let line = lines.entry(&e.at).or_default();
        line.exits += n;
        if *n >= MANY_EXITS {
            let then = if e.side {
                "a side trace goes on since"
            } else {
                "no side trace was made for it"
            };
            let text = format!(
                "trace {} was left here {n} times: {} ({then})",
                e.trace,
                guard_in_words(&e.guards)
            );
            line.note(*n, text);
        }
    }
    lines
}

fn numbers(rows: &[&TraceRow]) -> String {
    let mut numbers: Vec<u16> = rows.iter().map(|t| t.number).collect();
    numbers.sort_unstable();
    numbers.dedup();
    let more = numbers.len().saturating_sub(8);
    let mut list: Vec<String> = numbers.iter().take(8).map(u16::to_string).collect();
    if more != 0 {
        list.push(format!("{more} more"));
    }
    format!(
        "{} {}",
        if numbers.len() == 1 {
            "trace"
        } else {
            "traces"
        },
        list.join(", ")
    )
}

/// The explanation as text. `source` gives the text of a line of a file, if it can.
pub fn explain(r: &Report, source: impl Fn(&Place) -> Option<String>) -> String {
    let mut out = String::new();
    if !r.on {
        out.push_str("Nothing is compiled: the trace compiler is switched off, or there is no executable memory for it.\n");
    }
    let total = r.samples.as_ref().map_or(0, |s| s.total());
    let mut hot: Vec<(&Place, Line<'_>)> = lines(r)
        .into_iter()
        .filter(|(p, l)| {
            let warm = total != 0 && 100 * l.heat.total() >= HOT_PERCENT * total;
            p.line != 0 && (warm || !l.starts.is_empty() || l.notes.iter().any(|n| n.0 != 0))
        })
        .collect();
    let weight = |l: &Line<'_>| (l.heat.total(), l.notes.iter().map(|n| n.0).sum::<u64>());
    hot.sort_by_key(|(_, l)| std::cmp::Reverse(weight(l)));
    let left_out = hot.len().saturating_sub(LISTED);
    hot.truncate(LISTED);
    hot.sort_by_key(|(p, _)| *p);
    if hot.is_empty() && r.on {
        out.push_str("No line was hot: no loop and no function ran often enough to be compiled.\n");
    }
    for (p, mut l) in hot {
        let text = source(p).unwrap_or_default();
        let _ = write!(out, "{p}: {}", text.trim());
        if total != 0 && l.heat.total() != 0 {
            let share = 100.0 * l.heat.total() as f64 / total as f64;
            let interpreted = 100 * l.heat.interpreted / l.heat.total();
            let _ = write!(
                out,
                "   [{share:.1}% of the time, {interpreted}% of it interpreted]"
            );
        }
        out.push('\n');
        verdict(&mut out, &l);
        l.notes.sort_by_key(|n| std::cmp::Reverse(n.0));
        let more = l.notes.len().saturating_sub(REASONS);
        for (_, text) in l.notes.iter().take(REASONS) {
            let _ = writeln!(out, "    {text}");
        }
        if more != 0 {
            let _ = writeln!(out, "    and {more} more reasons");
        }
    }
    if left_out != 0 {
        let _ = writeln!(out, "{left_out} cooler lines are left out.");
    }
    out
}

fn verdict(out: &mut String, l: &Line<'_>) {
    let roots: Vec<&&TraceRow> = l.starts.iter().filter(|t| t.parent.is_none()).collect();
    let text = if let Some(root) = roots.first() {
        format!(
            "    compiled: {} of a {} begins here",
            numbers(&[**root]),
            root.kind
        )
    } else if !l.runs.is_empty() {
        format!("    compiled: part of {}", numbers(&l.runs))
    } else if !l.starts.is_empty() {
        format!("    compiled: part of {}", numbers(&l.starts))
    } else if l.notes.is_empty() {
        "    not compiled: no loop or function around it ran often enough, or it lies in no trace's path".into()
    } else {
        "    not compiled".into()
    };
    let _ = writeln!(out, "{text}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Samples;
    use crate::stats::{AbortPlace, ExitPlace};

    fn at(line: u32) -> Place {
        Place {
            chunk: "a.lua".into(),
            line,
        }
    }

    #[test]
    fn compiled_left_and_not_compiled() {
        let mut r = Report::without_compiler(Some(Samples {
            interpreted: 500,
            compiled: 500,
            ..Samples::default()
        }));
        r.on = true;
        let heat = |interpreted, compiled| Heat {
            interpreted,
            compiled,
        };
        r.heat = [
            (at(2), heat(0, 500)),
            (at(9), heat(490, 0)),
            (at(20), heat(5, 0)),
        ]
        .into();
        r.traces.push(TraceRow {
            number: 7,
            kind: "loop",
            root: 7,
            parent: None,
            start: at(2),
            link: String::new(),
            ir: 10,
            bytes: 100,
            exits: 1000,
            lines: vec![at(2), at(3)],
            helpers: vec![("CONCAT".into(), at(3))],
        });
        let abort = AbortPlace {
            start: at(8),
            why: Abort::Nyi,
            at: at(9),
            op: "VARARG".into(),
        };
        r.aborts.push((abort, 4));
        let exit = ExitPlace {
            at: at(3),
            guards: "tag TEQ".into(),
            trace: 7,
            exit: 1,
            side: false,
        };
        r.exits.push((exit, 1000));
        let text = explain(&r, |p| (p.line == 2).then(|| "  for i = 1, n do".into()));
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines,
            [
                "a.lua:2: for i = 1, n do   [50.0% of the time, 0% of it interpreted]",
                "    compiled: trace 7 of a loop begins here",
                "a.lua:3: ",
                "    compiled: part of trace 7",
                "    trace 7 was left here 1000 times: a value has another type than when the trace was recorded (no side trace was made for it)",
                "    trace 7 performs CONCAT by calling the interpreter's function for it",
                "a.lua:8: ",
                "    not compiled",
                "    a recording from here was given up 4 times at a.lua:9: VARARG cannot be recorded yet",
                "a.lua:9:    [49.0% of the time, 100% of it interpreted]",
                "    not compiled",
                "    a recording that began at a.lua:8 was given up here 4 times: VARARG cannot be recorded yet",
            ],
            "{text}"
        );
    }

    #[test]
    fn every_guard_has_words() {
        for op in crate::ir::IrOp::ALL.iter().filter(|o| o.is_guard()) {
            let g = format!("int {}", op.name());
            assert_ne!(guard_in_words(&g), "a check fails", "{g}");
        }
    }

    #[test]
    fn nothing_hot() {
        let mut r = Report::without_compiler(None);
        assert!(explain(&r, |_| None).starts_with("Nothing is compiled"));
        r.on = true;
        assert!(explain(&r, |_| None).starts_with("No line was hot"));
    }
}
