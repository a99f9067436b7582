//! The command line.

use std::env;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, ValueEnum};

/// Which clock the ratios are formed from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Metric {
    /// Time from start to end of the process.
    Wall,
    /// Processor time of the process, user and system; steadier on a busy machine.
    Cpu,
}

/// Runs benchmark programs under several Lua implementations and prints ratios between them.
///
/// Every round runs each program under each peer once; the smallest time of all rounds counts. Outputs must agree. The exit status is 1 if
/// a program failed or outputs disagree, and 2 if nothing could be measured.
#[derive(Debug, Parser)]
#[command(version)]
pub struct Args {
    /// A peer as NAME=COMMAND, or the NAME of a default peer (traceorus, luajit-joff, lua5.4, luajit) or of a twin (c, python3); may be repeated.
    #[arg(long, value_name = "NAME[=COMMAND]")]
    pub peer: Vec<String>,

    /// The peer that the others are compared with; if repeated, a later one serves the programs that the earlier ones cannot run
    /// [default: luajit-joff, then lua5.4, then the first peer found].
    #[arg(long = "ref", value_name = "NAME")]
    pub reference: Vec<String>,

    /// Only programs whose SET/GROUP/NAME contains this text; may be repeated, any of them selects. The set `cliffs` takes part only if the
    /// text names it.
    #[arg(long, value_name = "TEXT")]
    pub filter: Vec<String>,

    /// Only programs that have a twin in C or Python.
    #[arg(long)]
    pub twins: bool,

    /// Number of rounds.
    #[arg(long, short = 'n', default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    pub rounds: u32,

    /// Size factor handed to each program as its first argument, for example 0.1 for a quick look.
    #[arg(long)]
    pub scale: Option<f64>,

    /// Seconds after which a run is ended and counts as failed.
    #[arg(long, default_value_t = 120.0, value_name = "SECONDS")]
    pub timeout: f64,

    /// The clock that ratios are formed from.
    #[arg(long, value_enum, default_value_t = Metric::Wall)]
    pub metric: Metric,

    /// Exit with status 1 also if a peer is missing.
    #[arg(long)]
    pub strict: bool,

    /// Folder of the programs [default: bench/programs].
    #[arg(long, value_name = "DIR")]
    pub programs: Option<PathBuf>,

    /// Folder for results.json and results.html [default: bench/out].
    #[arg(long, value_name = "DIR", conflicts_with = "no_out")]
    pub out: Option<PathBuf>,

    /// Write neither results.json nor results.html.
    #[arg(long)]
    pub no_out: bool,

    /// Also write the tables as Markdown.
    #[arg(long, value_name = "FILE")]
    pub md: Option<PathBuf>,

    /// Show an earlier results.json again, perhaps with another --ref or --metric, instead of measuring.
    #[arg(long, value_name = "FILE")]
    pub from: Option<PathBuf>,

    /// Instead of comparing peers, print what the trace compiler of the first one says: how much ran compiled, what became of guards, the
    /// share of time for compiling.
    #[arg(long, conflicts_with_all = ["from", "reference", "rounds"])]
    pub statistics: bool,

    /// List the selected programs and stop.
    #[arg(long)]
    pub list: bool,
}

impl Args {
    /// The longest time that one run may take. Absurd values mean no practical limit.
    pub fn timeout(&self) -> Duration {
        Duration::try_from_secs_f64(self.timeout).unwrap_or(Duration::from_secs(86_400))
    }

    /// The folder of the programs: as given, or found from the current folder or from the one cargo names.
    pub fn programs_dir(&self) -> Result<PathBuf, String> {
        if let Some(dir) = &self.programs {
            return if dir.is_dir() {
                Ok(dir.clone())
            } else {
                Err(format!("no such folder: {}", dir.display()))
            };
        }
        bench_dir()
            .map(|d| d.join("programs"))
            .filter(|d| d.is_dir())
            .ok_or_else(|| {
                "cannot find bench/programs from here; name the folder with --programs".into()
            })
    }

    /// The folder for result files, or `None` if none shall be written.
    pub fn out_dir(&self) -> Option<PathBuf> {
        if self.no_out {
            return None;
        }
        self.out.clone().or_else(|| {
            if self.from.is_some() {
                None
            } else {
                bench_dir().map(|d| d.join("out"))
            }
        })
    }
}

/// The folder `bench` of the repository, if it can be found.
fn bench_dir() -> Option<PathBuf> {
    let candidates = [
        Some(PathBuf::from("bench")),
        Some(PathBuf::from(".")),
        env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from),
    ];
    candidates
        .into_iter()
        .flatten()
        .find(|d| d.join("programs").is_dir())
}
