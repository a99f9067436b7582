//! The figures of a report as they are shown: formatted numbers, ratios to the reference, means, lengths of bars.

use serde::Serialize;

use crate::args::Metric;
use crate::program::COMMON;
use crate::report::{ProgramReport, Report, STARTUP, geometric_mean};

/// How many of the worst programs per peer are listed.
const WORST: usize = 5;

/// Everything that a renderer shows.
#[derive(Debug, Serialize)]
pub struct View {
    /// Day of the measurement, `YYYY-MM-DD`.
    pub day: String,
    /// Processor, number of cores, kernel.
    pub machine: String,
    /// Number of rounds.
    pub rounds: u32,
    /// The size factor, if it was not 1.
    pub scale: Option<f64>,
    /// What the times are.
    pub clock: &'static str,
    /// Name of the reference peer, with what stands in where it cannot run.
    pub reference: String,
    /// The peers, one column each.
    pub peers: Vec<PeerView>,
    /// Peers that could not take part.
    pub missing: Vec<String>,
    /// The programs by set and group.
    pub groups: Vec<Group>,
    /// Means over each set.
    pub totals: Vec<Means>,
    /// The programs that do worst against the reference, per peer.
    pub worst: Vec<Worst>,
    /// Programs that failed or disagreed.
    pub problems: Vec<String>,
}

/// One peer.
#[derive(Debug, Serialize)]
pub struct PeerView {
    /// Its name.
    pub name: String,
    /// Its command.
    pub command: String,
    /// Its version.
    pub version: String,
    /// Whether the others are compared with it.
    pub is_reference: bool,
}

/// The programs of one group of one set.
#[derive(Debug, Serialize)]
pub struct Group {
    /// One row per program.
    pub rows: Vec<Row>,
    /// The means below them.
    pub means: Means,
}

/// One program.
#[derive(Debug, Serialize)]
pub struct Row {
    /// Its name.
    pub name: String,
    /// What it does.
    pub about: String,
    /// What it prints.
    pub output: String,
    /// One cell per peer.
    pub cells: Vec<CellView>,
}

/// One program under one peer.
#[derive(Debug, Default, Serialize)]
pub struct CellView {
    /// Time in milliseconds, or why there is none.
    pub time: String,
    /// Speed against the reference, such as `1.43`, or empty.
    pub speed: String,
    /// Peak memory in MiB, or empty.
    pub memory: String,
    /// Memory against the reference, or empty.
    pub memory_ratio: String,
    /// Length of the time's bar, in percent of the row's longest.
    pub time_bar: f64,
    /// Length of the memory's bar, in percent of the row's longest.
    pub memory_bar: f64,
    /// The problem, if there was one.
    pub problem: Option<String>,
}

/// Geometric means over some programs.
#[derive(Debug, Serialize)]
pub struct Means {
    /// What they are over.
    pub label: String,
    /// One per peer.
    pub cells: Vec<MeanCell>,
}

/// The mean of one peer.
#[derive(Debug, Serialize)]
pub struct MeanCell {
    /// Mean speed against the reference, or empty.
    pub speed: String,
    /// Mean memory against the reference, or empty.
    pub memory_ratio: String,
    /// Length of the speed's bar, in percent of the longest of the row.
    pub bar: f64,
    /// Number of programs that count.
    pub count: usize,
}

/// Where a peer does worst.
#[derive(Debug, Serialize)]
pub struct Worst {
    /// Name of the peer.
    pub peer: String,
    /// `name ratio` of the slowest programs.
    pub slowest: Vec<String>,
    /// `name ratio` of the programs with the most memory.
    pub largest: Vec<String>,
}

impl View {
    /// Forms the figures of `report` with the `references` as 1.
    pub fn new(report: &Report, references: &[&str], metric: Metric) -> Self {
        let names: Vec<&str> = report.peers.iter().map(|p| p.name.as_str()).collect();
        let figures = Figures {
            names: &names,
            references,
            metric,
        };
        let groups = report
            .programs
            .chunk_by(|a, b| (&a.set, &a.group) == (&b.set, &b.group))
            .map(|programs| {
                let first = &programs[0];
                let label = if first.set == COMMON {
                    first.group.clone()
                } else {
                    format!("{} ({})", first.group, first.set)
                };
                Group {
                    rows: programs.iter().map(|p| figures.row(p)).collect(),
                    means: figures.means(label, &programs.iter().collect::<Vec<_>>()),
                }
            })
            .collect();
        let totals = report
            .programs
            .chunk_by(|a, b| a.set == b.set)
            .map(|programs| {
                let counted: Vec<&ProgramReport> =
                    programs.iter().filter(|p| p.group != STARTUP).collect();
                figures.means(format!("all {}", programs[0].set), &counted)
            })
            .collect();
        View {
            day: day(report.unix_time),
            machine: format!(
                "{}, {} cores, Linux {}",
                report.machine.processor, report.machine.cores, report.machine.kernel
            ),
            rounds: report.rounds,
            scale: report.scale.filter(|s| (s - 1.0).abs() > 1e-9),
            clock: match metric {
                Metric::Wall => "wall time",
                Metric::Cpu => "processor time",
            },
            reference: references.join(", else "),
            peers: report
                .peers
                .iter()
                .map(|p| PeerView {
                    name: p.name.clone(),
                    command: p.command.clone(),
                    version: p.version.clone(),
                    is_reference: references.contains(&p.name.as_str()),
                })
                .collect(),
            missing: report.missing.clone(),
            groups,
            totals,
            worst: names
                .iter()
                .filter(|n| Some(*n) != references.first())
                .map(|n| figures.worst(n, &report.programs))
                .collect(),
            problems: report
                .programs
                .iter()
                .flat_map(|p| {
                    p.cells.iter().filter_map(move |(peer, c)| {
                        c.problem
                            .as_ref()
                            .map(|why| format!("{}/{} under {peer}: {why}", p.set, p.name))
                    })
                })
                .collect(),
        }
    }
}

/// What all figures depend on.
struct Figures<'a> {
    names: &'a [&'a str],
    references: &'a [&'a str],
    metric: Metric,
}

impl Figures<'_> {
    fn row(&self, program: &ProgramReport) -> Row {
        let seconds: Vec<Option<f64>> = self
            .names
            .iter()
            .map(|n| program.cells.get(*n)?.seconds(self.metric))
            .collect();
        let bytes: Vec<Option<f64>> = self
            .names
            .iter()
            .map(|n| program.cells.get(*n)?.bytes())
            .collect();
        let cells = self.names.iter().enumerate().map(|(k, name)| {
            let problem = program.cells.get(*name).and_then(|c| c.problem.clone());
            CellView {
                time: match (seconds[k], &problem) {
                    (Some(s), _) => milliseconds(s),
                    (None, Some(_)) => "failed".into(),
                    (None, None) => "-".into(),
                },
                speed: ratio(program.speed(name, self.references, self.metric)),
                memory: bytes[k].map_or_else(String::new, |b| format!("{:.1}", b / 1_048_576.0)),
                memory_ratio: ratio(program.memory(name, self.references)),
                time_bar: percent(seconds[k], &seconds),
                memory_bar: percent(bytes[k], &bytes),
                problem,
            }
        });
        Row {
            name: program.name.clone(),
            about: program.about.clone(),
            output: program.output.clone(),
            cells: cells.collect(),
        }
    }

    fn means(&self, label: String, programs: &[&ProgramReport]) -> Means {
        let speeds: Vec<Option<f64>> = self
            .names
            .iter()
            .map(|n| {
                geometric_mean(
                    programs
                        .iter()
                        .filter_map(|p| p.speed(n, self.references, self.metric)),
                )
            })
            .collect();
        let cells = self.names.iter().enumerate().map(|(k, n)| MeanCell {
            speed: ratio(speeds[k]),
            memory_ratio: ratio(geometric_mean(
                programs.iter().filter_map(|p| p.memory(n, self.references)),
            )),
            bar: percent(speeds[k], &speeds),
            count: programs
                .iter()
                .filter(|p| p.speed(n, self.references, self.metric).is_some())
                .count(),
        });
        Means {
            label,
            cells: cells.collect(),
        }
    }

    fn worst(&self, peer: &str, programs: &[ProgramReport]) -> Worst {
        let list = |mut all: Vec<(&str, f64)>| {
            all.truncate(WORST);
            all.iter()
                .map(|(name, r)| format!("{name} {r:.2}"))
                .collect()
        };
        let mut speeds: Vec<_> = programs
            .iter()
            .filter_map(|p| {
                Some((
                    p.name.as_str(),
                    p.speed(peer, self.references, self.metric)?,
                ))
            })
            .collect();
        speeds.sort_by(|a, b| a.1.total_cmp(&b.1));
        let mut memory: Vec<_> = programs
            .iter()
            .filter_map(|p| Some((p.name.as_str(), p.memory(peer, self.references)?)))
            .collect();
        memory.sort_by(|a, b| b.1.total_cmp(&a.1));
        Worst {
            peer: peer.to_owned(),
            slowest: list(speeds),
            largest: list(memory),
        }
    }
}

/// A time in milliseconds with about three figures.
fn milliseconds(seconds: f64) -> String {
    let ms = seconds * 1000.0;
    if ms < 10.0 {
        format!("{ms:.2}")
    } else if ms < 100.0 {
        format!("{ms:.1}")
    } else {
        format!("{ms:.0}")
    }
}

fn ratio(value: Option<f64>) -> String {
    value.map_or_else(String::new, |v| {
        if v < 0.1 {
            format!("{v:.3}")
        } else {
            format!("{v:.2}")
        }
    })
}

/// `value` in percent of the largest of `all`.
fn percent(value: Option<f64>, all: &[Option<f64>]) -> f64 {
    let largest = all
        .iter()
        .flatten()
        .copied()
        .fold(f64::MIN_POSITIVE, f64::max);
    value.map_or(0.0, |v| (1000.0 * v / largest).round() / 10.0)
}

/// The day in UTC of a time in seconds since 1970. Source: the usual conversion from days to a date of the Gregorian calendar, with years
/// that begin in March.
fn day(unix_time: u64) -> String {
    let days = unix_time / 86_400 + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 {
        march_month + 3
    } else {
        march_month - 9
    };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_follow_the_calendar() {
        assert_eq!(day(0), "1970-01-01");
        assert_eq!(day(951_782_400), "2000-02-29");
        assert_eq!(day(951_868_800), "2000-03-01");
        assert_eq!(day(1_735_689_599), "2024-12-31");
    }

    #[test]
    fn numbers_keep_three_figures() {
        assert_eq!(milliseconds(0.001_234), "1.23");
        assert_eq!(milliseconds(0.0567), "56.7");
        assert_eq!(milliseconds(1.5), "1500");
        assert_eq!(ratio(Some(1.426)), "1.43");
        assert_eq!(ratio(None), "");
    }

    #[test]
    fn bars_are_relative_to_the_longest() {
        let all = [Some(1.0), None, Some(4.0)];
        assert_eq!(percent(all[0], &all), 25.0);
        assert_eq!(percent(None, &all), 0.0);
        assert_eq!(percent(all[2], &all), 100.0);
    }
}
