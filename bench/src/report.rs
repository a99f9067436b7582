//! What a run found: the data of results.json, and the figures formed from it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::args::Metric;

/// The peers that others are compared with if none is named, as far as they take part.
const USUAL_REFERENCES: [&str; 2] = ["luajit-joff", "lua5.4"];
/// The group that total means leave out: its programs last a few milliseconds and have a goal of their own.
pub const STARTUP: &str = "startup";

/// Everything a run found.
#[derive(Debug, Serialize, Deserialize)]
pub struct Report {
    /// When it ended, in seconds since 1970.
    pub unix_time: u64,
    /// Where it ran.
    pub machine: Machine,
    /// Number of rounds.
    pub rounds: u32,
    /// The size factor, if one was given.
    pub scale: Option<f64>,
    /// The folder of the programs.
    pub programs_folder: String,
    /// The peers that took part, in the order of the command line.
    pub peers: Vec<PeerInfo>,
    /// The peers that could not take part, with the reason.
    pub missing: Vec<String>,
    /// The programs, sorted by set, group and name.
    pub programs: Vec<ProgramReport>,
}

/// The machine of a run.
#[derive(Debug, Serialize, Deserialize)]
pub struct Machine {
    /// Model name.
    pub processor: String,
    /// Number of processors that may be used.
    pub cores: usize,
    /// Version of the kernel.
    pub kernel: String,
}

/// A peer that took part.
#[derive(Debug, Serialize, Deserialize)]
pub struct PeerInfo {
    /// Its name in tables.
    pub name: String,
    /// Its command, without folders.
    pub command: String,
    /// What it says of itself.
    pub version: String,
}

/// The figures of one program.
#[derive(Debug, Serialize, Deserialize)]
pub struct ProgramReport {
    /// `common` or a dialect.
    pub set: String,
    /// Group of the program.
    pub group: String,
    /// Name of the program.
    pub name: String,
    /// What it does.
    pub about: String,
    /// What the peers agree it prints.
    pub output: String,
    /// By name of peer; peers that cannot run the set have no entry.
    pub cells: BTreeMap<String, Cell>,
}

/// One program under one peer.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Cell {
    /// Why it does not count, if it does not.
    pub problem: Option<String>,
    /// Time of every run.
    pub wall_seconds: Vec<f64>,
    /// Processor time of every run.
    pub cpu_seconds: Vec<f64>,
    /// Peak resident memory of every run.
    pub peak_bytes: Vec<u64>,
}

impl Cell {
    /// The smallest time by the clock `metric`, in seconds; `None` if the program had a problem.
    pub fn seconds(&self, metric: Metric) -> Option<f64> {
        let all = match metric {
            Metric::Wall => &self.wall_seconds,
            Metric::Cpu => &self.cpu_seconds,
        };
        // a run shorter than the clock's grain would make a ratio infinite
        self.valid(all.iter().copied().map(|s| s.max(1e-5)).reduce(f64::min))
    }

    /// The smallest peak memory, in bytes; `None` if the program had a problem.
    pub fn bytes(&self) -> Option<f64> {
        self.valid(
            self.peak_bytes
                .iter()
                .map(|&b| b.max(1) as f64)
                .reduce(f64::min),
        )
    }

    fn valid(&self, value: Option<f64>) -> Option<f64> {
        value.filter(|_| self.problem.is_none())
    }
}

impl ProgramReport {
    /// The peer that this program's figures are compared with: the first of `references` that can run it.
    fn reference(&self, references: &[&str]) -> Option<&Cell> {
        references.iter().find_map(|name| self.cells.get(*name))
    }

    /// How many times faster `peer` is than the reference; `None` unless both ran it.
    pub fn speed(&self, peer: &str, references: &[&str], metric: Metric) -> Option<f64> {
        Some(self.reference(references)?.seconds(metric)? / self.cells.get(peer)?.seconds(metric)?)
    }

    /// How many times the memory of the reference it takes under `peer`; `None` unless both ran it.
    pub fn memory(&self, peer: &str, references: &[&str]) -> Option<f64> {
        Some(self.cells.get(peer)?.bytes()? / self.reference(references)?.bytes()?)
    }
}

impl Report {
    /// The peers to compare with: those named, or the usual ones that took part, or the first. `Err` if a named one did not take part.
    pub fn pick_references(&self, named: &[String]) -> Result<Vec<&str>, String> {
        let find = |name: &str| {
            self.peers
                .iter()
                .map(|p| p.name.as_str())
                .find(|n| *n == name)
        };
        if !named.is_empty() {
            let get = |name: &String| {
                find(name).ok_or_else(|| format!("the reference peer '{name}' did not take part"))
            };
            return named.iter().map(get).collect();
        }
        let usual: Vec<&str> = USUAL_REFERENCES.iter().filter_map(|n| find(n)).collect();
        if !usual.is_empty() {
            return Ok(usual);
        }
        let first = self.peers.first().ok_or("the report has no peers")?;
        Ok(vec![first.name.as_str()])
    }
}

/// The geometric mean, or `None` of nothing.
pub fn geometric_mean(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let (mut sum, mut count) = (0.0, 0u32);
    for v in values {
        sum += v.ln();
        count += 1;
    }
    (count > 0).then(|| (sum / f64::from(count)).exp())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(wall: &[f64], bytes: u64) -> Cell {
        Cell {
            problem: None,
            wall_seconds: wall.to_vec(),
            cpu_seconds: wall.to_vec(),
            peak_bytes: vec![bytes],
        }
    }

    #[test]
    fn ratios_use_minima() {
        let cells = BTreeMap::from([
            ("a".to_owned(), cell(&[0.5, 0.25], 400)),
            ("b".to_owned(), cell(&[1.0, 2.0], 100)),
        ]);
        let program = ProgramReport {
            set: "common".into(),
            group: "g".into(),
            name: "p".into(),
            about: String::new(),
            output: String::new(),
            cells,
        };
        assert_eq!(program.speed("a", &["b"], Metric::Wall), Some(4.0));
        assert_eq!(program.memory("a", &["none", "b"]), Some(4.0));
        assert_eq!(program.speed("a", &["c"], Metric::Wall), None);
    }

    #[test]
    fn problems_do_not_count() {
        let mut c = cell(&[0.5], 1);
        c.problem = Some("exit status 1".into());
        assert_eq!(c.seconds(Metric::Wall), None);
        assert_eq!(c.bytes(), None);
    }

    #[test]
    fn means_are_geometric() {
        assert_eq!(geometric_mean([]), None);
        let mean = geometric_mean([0.5, 2.0, 8.0]).expect("not empty");
        assert!((mean - 2.0).abs() < 1e-12, "{mean}");
    }
}
