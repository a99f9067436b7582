//! What the trace compiler says about each program: how much of it ran compiled, what became of guards, how much time compiling took.
//!
//! Each program runs twice: as it is, for times and memory, and with the parameter `count`, which makes it slower, for what was executed.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use serde::Serialize;
use serde_json::Value;

use crate::args::Args;
use crate::child::{self, Sample};
use crate::peer::{self, Peer};
use crate::program::Program;
use crate::twin::Scratch;

/// One program.
#[derive(Debug, Serialize)]
pub struct Row {
    /// `SET/GROUP/NAME`.
    pub program: String,
    /// Bytecode instructions executed.
    pub instructions: u64,
    /// Percent of them in compiled code.
    pub compiled: f64,
    /// Percent of them that traces performed by handlers and helpers of the interpreter.
    pub performed: f64,
    /// Percent of the executed guards of types that held.
    pub types_held: f64,
    /// Percent by which fewer guards were executed than recordings asked for.
    pub guards_fewer: f64,
    /// Percent of the guards in recordings that were removed or hoisted out of loops, however often they run.
    pub guards_thinned: f64,
    /// Milliseconds between the beginnings and ends of recordings, compiling included; by the clock on the wall, so a busy machine adds to it.
    pub recording_ms: f64,
    /// Processor time in milliseconds.
    pub cpu_ms: f64,
    /// Peak memory in MiB.
    pub peak_mib: f64,
}

/// `part` in percent of `all`; nothing of nothing is everything.
fn percent(part: f64, all: f64) -> f64 {
    if all > 0.0 { 100.0 * part / all } else { 100.0 }
}

/// The number at a path of keys.
fn number(v: &Value, path: &[&str]) -> Result<f64, String> {
    let found = path.iter().try_fold(v, |v, key| v.get(*key));
    let missing = || format!("the statistics lack {}", path.join("."));
    found.and_then(Value::as_f64).ok_or_else(missing)
}

impl Row {
    /// From the statistics of both runs.
    fn new(program: String, plain: &Value, counted: &Value, sample: Sample) -> Result<Row, String> {
        let executed = |key| number(counted, &["executed", key]);
        let guards = |key| number(plain, &["guards", key]);
        let (compiled, performed) = (executed("compiled")?, executed("performed")?);
        let all = compiled + executed("interpreted")?;
        let (recorded, run) = (executed("guards_recorded")?, executed("guards")?);
        let cpu = sample.cpu.as_secs_f64();
        Ok(Row {
            program,
            instructions: all as u64,
            compiled: percent(compiled - performed, all),
            performed: percent(performed, all),
            types_held: percent(executed("type_guards_held")?, executed("type_guards")?),
            guards_fewer: percent(recorded - run, recorded),
            guards_thinned: percent(guards("thinned")?, guards("recorded")?),
            recording_ms: number(plain, &["recordings", "ns"])? / 1e6,
            cpu_ms: 1000.0 * cpu,
            peak_mib: sample.peak_bytes as f64 / f64::from(1 << 20),
        })
    }
}

/// Runs the program with further `options`: what it cost and its statistics.
fn run_once(
    peer: &Peer,
    program: &Program,
    options: &[&str],
    file: &Path,
    args: &Args,
) -> Result<(Sample, Value), String> {
    let scale = args.scale.map(|s| s.to_string());
    let stats = format!("--stats=json:{}", file.display());
    let mut arguments: Vec<&OsStr> = options.iter().map(OsStr::new).collect();
    arguments.extend([OsStr::new(&stats), program.path.as_os_str()]);
    arguments.extend(scale.as_deref().map(OsStr::new));
    let outcome = child::run(&peer.command, &arguments, args.timeout())
        .map_err(|e| format!("{} cannot be started: {e}", peer.name))?;
    if let Some(why) = outcome.problem() {
        return Err(format!("{}: {why}", program.id()));
    }
    let text = fs::read(file).map_err(|e| format!("{}: {e}", file.display()))?;
    let stats = serde_json::from_slice(&text).map_err(|e| format!("{}: {e}", file.display()))?;
    Ok((outcome.sample, stats))
}

/// Runs all programs under the first peer, which has to be ours.
pub fn run(args: &Args, programs: &[Program]) -> Result<Vec<Row>, String> {
    let peers = peer::parse(&args.peer)?;
    let (name, command) = peers.into_iter().next().ok_or("no peer")?;
    let peer = peer::probe(name, command)?;
    let folder = Scratch::new().map_err(|e| format!("no place for statistics: {e}"))?;
    let file = folder.path().join("statistics.json");
    let able = programs.iter().filter(|p| peer.runs(p));
    able.map(|program| {
        let (sample, plain) = run_once(&peer, program, &[], &file, args)?;
        let (_, counted) = run_once(&peer, program, &["-jcount=1"], &file, args)?;
        Row::new(program.id(), &plain, &counted, sample)
            .map_err(|e| format!("{}: {e}", program.id()))
    })
    .collect()
}

/// The rows as a Markdown table.
pub fn table(rows: &[Row]) -> String {
    let mut out = String::from(
        "| program | instructions | compiled % | by helpers % | type guards held % | fewer guards % | guards thinned % | recording ms | ms | MiB |\n\
         |---|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n",
    );
    for r in rows {
        let name = r.program.rsplit('/').next().unwrap_or(&r.program);
        // writing to a string does not fail
        let _ = writeln!(
            out,
            "| {name} | {} | {:.2} | {:.2} | {:.2} | {:.1} | {:.1} | {:.2} | {:.1} | {:.1} |",
            r.instructions,
            r.compiled,
            r.performed,
            r.types_held,
            r.guards_fewer,
            r.guards_thinned,
            r.recording_ms,
            r.cpu_ms,
            r.peak_mib,
        );
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn statistics() -> Value {
        serde_json::json!({
            "executed": {
                "interpreted": 100, "compiled": 900, "performed": 50, "guards_recorded": 200, "guards": 50,
                "type_guards": 40, "type_guards_held": 30,
            },
            "guards": {"recorded": 10, "thinned": 4},
            "recordings": {"ns": 2_000_000},
        })
    }

    #[test]
    fn figures_are_shares() {
        let sample = Sample {
            wall: Duration::from_millis(150),
            cpu: Duration::from_millis(100),
            peak_bytes: 3 << 20,
        };
        let s = statistics();
        let row = Row::new("common/x/y".into(), &s, &s, sample).expect("complete");
        assert_eq!(
            (row.instructions, row.compiled, row.performed),
            (1000, 85.0, 5.0)
        );
        assert_eq!((row.types_held, row.guards_fewer), (75.0, 75.0));
        assert_eq!((row.guards_thinned, row.recording_ms), (40.0, 2.0));
        let text = table(&[row]);
        assert!(
            text.contains("| y | 1000 | 85.00 | 5.00 | 75.00 | 75.0 | 40.0 | 2.00 | 100.0 | 3.0 |"),
            "{text}"
        );
    }

    #[test]
    fn what_is_missing_is_named() {
        let e = number(&statistics(), &["guards", "lost"]).expect_err("not there");
        assert_eq!(e, "the statistics lack guards.lost");
    }
}
