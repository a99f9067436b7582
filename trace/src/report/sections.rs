//! Statistics as text and as JSON.

use std::fmt::Write;

use serde_json::{Value, json};

use traceorus_base::objects::Counts;

use super::{Report, Samples};

/// How many aborts and exits the text lists.
const LISTED: usize = 20;

fn percent(part: u64, all: u64) -> f64 {
    if all == 0 {
        0.0
    } else {
        100.0 * part as f64 / all as f64
    }
}

fn times(s: &Samples) -> String {
    let all = s.total();
    let share = |n| percent(n, all);
    format!(
        "time          interpreted {:.1}%, compiled {:.1}%, recording {:.1}%, collecting {:.1}%, other {:.1}% ({all} samples, one in {} us of processor time)\n",
        share(s.interpreted),
        share(s.compiled),
        share(s.recording),
        share(s.collecting),
        share(s.other),
        s.period_us,
    )
}

fn executed(c: &Counts) -> String {
    let all = c.interpreted + c.compiled;
    format!(
        "executed      {all} bytecode instructions: {:.2}% compiled, {:.2}% performed by traces through handlers and helpers, {:.2}% interpreted\n\
         guards run    {} of {} that were recorded for what ran, {:.1}% fewer; {} about types, {:.2}% of which held\n",
        percent(c.compiled.saturating_sub(c.performed), all),
        percent(c.performed, all),
        percent(c.interpreted, all),
        c.guards,
        c.guards_recorded,
        percent(
            c.guards_recorded.saturating_sub(c.guards),
            c.guards_recorded
        ),
        c.type_guards,
        percent(c.type_guards_held, c.type_guards),
    )
}

impl Report {
    /// The statistics for people.
    pub fn text(&self) -> String {
        let s = &self.stats;
        let mut t = String::from("---- statistics of the trace compiler\n");
        let compiled = s.made();
        let aborted: u64 = s.aborts.values().sum();
        if !self.on {
            t.push_str("compiler      switched off\n");
        }
        // writing to a string does not fail
        let _ = writeln!(
            t,
            "traces        {compiled} compiled: {} of loops, {} of functions, {} of continuations, {} where ways meet, {} side traces; {} removed\n\
             trees         {} removed for others, {} because they lost time, {} to be recorded from another iteration, {} anew; {} naps, {} woken\n\
             recordings    {} begun, {aborted} given up, {} postponed, {} refused; {:.1} ms, {:.1} ms of them compiling\n\
             size          {} bytecode instructions, {} IR instructions, {} bytes of machine code\n\
             guards        {} asked for, {} implied by others, {} hoisted out of loops, {} left, {} of them in loops\n\
             guards        {} recorded, {:.1}% of them removed or hoisted out of loops\n\
             branches      {} became selections\n\
             allocations   {} left in traces, {} sunk into exits\n\
             exits         {} to the interpreter; {} collector steps on trace",
            s.loops,
            s.funcs,
            s.conts,
            s.meets,
            s.sides,
            s.removed,
            s.evicted,
            s.losing,
            s.rerooted,
            s.renewed,
            s.naps,
            s.woken,
            s.recordings,
            s.postponed,
            s.refused,
            s.record_ns as f64 / 1e6,
            s.compile_ns as f64 / 1e6,
            s.bytecodes,
            s.ir,
            s.mcode,
            s.guards_asked,
            s.guards_proved,
            s.guards_hoisted,
            s.guards,
            s.guards_in_loops,
            s.guards_recorded,
            percent(s.guards_thinned(), s.guards_recorded),
            s.selects,
            s.allocations,
            s.sunk,
            s.exits,
            s.polls,
        );
        if s.replayed != 0 {
            let _ = writeln!(t, "replayed      {} runs of compiled code", s.replayed);
        }
        if let Some(c) = &self.counts {
            t.push_str(&executed(c));
        }
        if let Some(samples) = &self.samples {
            t.push_str(&times(samples));
        }
        let mut section = |title: &str, rows: Vec<(u64, String)>| {
            if rows.is_empty() {
                return;
            }
            let _ = writeln!(t, "{title}");
            let more = rows.len().saturating_sub(LISTED);
            for (n, text) in rows.into_iter().take(LISTED) {
                let _ = writeln!(t, "{n:>10}  {text}");
            }
            if more != 0 {
                let _ = writeln!(t, "            and {more} more");
            }
        };
        let aborts = self.aborts.iter().map(|(a, n)| {
            let text = format!(
                "{} at {} ({}), recording from {}",
                a.why.text(),
                a.at,
                a.op,
                a.start
            );
            (*n, text)
        });
        section("aborts by cause and place", aborts.collect());
        let exits = self.exits.iter().map(|(e, n)| {
            let side = if e.side { ", side trace since" } else { "" };
            let text = format!(
                "{} at {} (trace {}/{}{side})",
                e.guards, e.at, e.trace, e.exit
            );
            (*n, text)
        });
        section("exits by guard and place", exits.collect());
        let mut helpers: Vec<(u64, String)> =
            s.helpers.iter().map(|(op, n)| (*n, op.clone())).collect();
        helpers.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
        section(
            "instructions that traces perform by calling their helpers",
            helpers,
        );
        t
    }

    /// The statistics for programs.
    pub fn json(&self) -> String {
        let s = &self.stats;
        let place = |p: &crate::places::Place| json!({"chunk": &*p.chunk, "line": p.line});
        let causes: serde_json::Map<String, Value> = s
            .aborts
            .iter()
            .map(|(a, n)| (format!("{a:?}"), json!(n)))
            .collect();
        let aborts: Vec<Value> = self
            .aborts
            .iter()
            .map(|(a, n)| {
                json!({
                    "cause": format!("{:?}", a.why), "text": a.why.text(), "at": place(&a.at), "op": a.op,
                    "start": place(&a.start), "count": n,
                })
            })
            .collect();
        let exits: Vec<Value> = self
            .exits
            .iter()
            .map(|(e, n)| {
                json!({
                    "guards": e.guards.split('/').collect::<Vec<_>>(), "at": place(&e.at), "trace": e.trace,
                    "exit": e.exit, "side_trace": e.side, "count": n,
                })
            })
            .collect();
        let traces: Vec<Value> = self
            .traces
            .iter()
            .map(|t| {
                json!({
                    "number": t.number, "kind": t.kind, "root": t.root,
                    "parent": t.parent.map(|p| json!({"trace": p.0, "exit": p.1})),
                    "start": place(&t.start), "link": t.link, "ir": t.ir, "bytes": t.bytes, "exits": t.exits,
                })
            })
            .collect();
        let lines: Vec<Value> = self
            .heat
            .iter()
            .map(|(p, h)| {
                json!({"at": place(p), "interpreted": h.interpreted, "compiled": h.compiled})
            })
            .collect();
        let times = self.samples.as_ref().map(|s| {
            json!({
                "period_us": s.period_us, "interpreted": s.interpreted, "compiled": s.compiled,
                "recording": s.recording, "collecting": s.collecting, "other": s.other, "lost": s.lost,
            })
        });
        let executed = self.counts.map(|c| {
            json!({
                "interpreted": c.interpreted, "compiled": c.compiled, "performed": c.performed,
                "guards": c.guards, "guards_recorded": c.guards_recorded, "type_guards": c.type_guards, "type_guards_held": c.type_guards_held,
            })
        });
        let all = json!({
            "on": self.on,
            "executed": executed,
            "traces": {
                "loops": s.loops, "functions": s.funcs, "continuations": s.conts, "meets": s.meets, "sides": s.sides,
                "removed": s.removed, "list": traces,
            },
            "trees": {
                "evicted": s.evicted, "losing": s.losing, "rerooted": s.rerooted, "renewed": s.renewed, "naps": s.naps, "woken": s.woken,
            },
            "recordings": {"begun": s.recordings, "postponed": s.postponed, "refused": s.refused, "cost_us": s.cost_us, "ns": s.record_ns, "compile_ns": s.compile_ns},
            "size": {"bytecodes": s.bytecodes, "ir": s.ir, "bytes": s.mcode},
            "guards": {
                "asked": s.guards_asked, "recorded": s.guards_recorded, "thinned": s.guards_thinned(), "implied": s.guards_proved, "hoisted": s.guards_hoisted,
                "left": s.guards, "left_in_loops": s.guards_in_loops,
            },
            "branches": {"selected": s.selects},
            "allocations": {"left": s.allocations, "sunk": s.sunk},
            "aborts": {"causes": causes, "places": aborts},
            "exits": {"total": s.exits, "places": exits},
            "collector_steps": s.polls,
            "replayed": s.replayed,
            "helpers": s.helpers,
            "samples": times,
            "lines": lines,
        });
        let mut text = serde_json::to_string_pretty(&all).unwrap_or_default();
        text.push('\n');
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abort::Abort;
    use crate::places::Place;
    use crate::stats::{AbortPlace, ExitPlace};

    fn report() -> Report {
        let at = |line| Place {
            chunk: "a \"quoted\".lua".into(),
            line,
        };
        let mut r = Report::without_compiler(Some(Samples {
            period_us: 1000,
            interpreted: 30,
            compiled: 70,
            ..Samples::default()
        }));
        r.on = true;
        r.stats.loops = 2;
        r.stats.guards_asked = 100;
        r.stats.guards = 40;
        r.stats.selects = 7;
        r.stats.aborts.insert(Abort::Nyi, 3);
        let abort = AbortPlace {
            start: at(1),
            why: Abort::Nyi,
            at: at(2),
            op: "CONCAT".into(),
        };
        r.aborts.push((abort, 3));
        for n in 0..30 {
            let exit = ExitPlace {
                at: at(n),
                guards: "tag TEQ/int LT".into(),
                trace: 1,
                exit: n as u16,
                side: false,
            };
            r.exits.push((exit, 100 - u64::from(n)));
        }
        r
    }

    #[test]
    fn text() {
        let t = report().text();
        assert!(t.contains("2 of loops"), "{t}");
        assert!(t.contains("interpreted 30.0%, compiled 70.0%"), "{t}");
        assert!(
            t.contains("3  not recorded yet at a \"quoted\".lua:2 (CONCAT), recording from"),
            "{t}"
        );
        assert!(
            t.contains("100  tag TEQ/int LT at a \"quoted\".lua (trace 1/0)"),
            "{t}"
        );
        assert!(t.contains("and 10 more"), "{t}");
        assert!(t.contains("7 became selections"), "{t}");
    }

    #[test]
    fn json() {
        let v: Value = serde_json::from_str(&report().json()).expect("JSON");
        assert_eq!(v["traces"]["loops"], 2);
        assert_eq!(v["guards"]["asked"], 100);
        assert_eq!(v["branches"]["selected"], 7);
        assert_eq!(v["aborts"]["causes"]["Nyi"], 3);
        assert_eq!(v["aborts"]["places"][0]["at"]["line"], 2);
        assert_eq!(v["aborts"]["places"][0]["at"]["chunk"], "a \"quoted\".lua");
        assert_eq!(v["exits"]["places"].as_array().map(Vec::len), Some(30));
        assert_eq!(v["exits"]["places"][0]["guards"][1], "int LT");
        assert_eq!(v["samples"]["compiled"], 70);
    }
}
