//! Runs every program under every peer, in interleaved rounds.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use indicatif::{ProgressBar, ProgressStyle};

use crate::args::Args;
use crate::child;
use crate::peer::{self, Peer};
use crate::program::Program;
use crate::report::{Cell, Machine, PeerInfo, ProgramReport, Report};
use crate::twin::{Language, Scratch};

/// Runs shorter than this are repeated within a round, since start-up noise is large against them.
const SHORT: Duration = Duration::from_millis(20);
/// How often a short run is repeated in one round.
const SHORT_REPEATS: u32 = 10;

/// What is known so far about one program under one peer.
#[derive(Default)]
struct Slot {
    cell: Cell,
    stdout: Option<Vec<u8>>,
}

/// How a peer starts a program: a command, and the file that is its first argument unless the command is the built program itself.
struct Start {
    command: Vec<String>,
    file: Option<PathBuf>,
}

impl Start {
    /// Finds out, and builds what must be built. `Err` says why the program cannot be run.
    fn new(peer: &Peer, program: &Program, scratch: &mut Option<Scratch>) -> Result<Self, String> {
        let command = peer.command.clone();
        let Some(language) = peer.language else {
            let file = Some(program.path.clone());
            return Ok(Start { command, file });
        };
        let twin = language.file(program).ok_or("has no twin")?;
        if language == Language::Python {
            let file = Some(twin);
            return Ok(Start { command, file });
        }
        let scratch = match scratch {
            Some(scratch) => scratch,
            None => scratch.insert(Scratch::new().map_err(|e| format!("no place to build: {e}"))?),
        };
        let built = scratch.build(&command, &twin)?;
        Ok(Start {
            command: vec![built.to_string_lossy().into_owned()],
            file: None,
        })
    }
}

/// Measures `programs` under the peers that `args` names. `Err` if no peer answers.
pub fn run(args: &Args, root: &Path, programs: &[Program]) -> Result<Report, String> {
    let mut missing = Vec::new();
    let mut peers = Vec::new();
    for (name, command) in peer::parse(&args.peer)? {
        match peer::probe(name, command) {
            Ok(p) => peers.push(p),
            Err(why) => {
                eprintln!("peer skipped: {why}");
                missing.push(why);
            }
        }
    }
    if peers.is_empty() {
        return Err("none of the peers can be run".into());
    }
    let work: Vec<(usize, Vec<usize>)> = programs
        .iter()
        .enumerate()
        .map(|(i, program)| {
            (
                i,
                (0..peers.len())
                    .filter(|&k| peers[k].runs(program))
                    .collect(),
            )
        })
        .filter(|(_, able): &(usize, Vec<usize>)| !able.is_empty())
        .collect();
    let mut slots: BTreeMap<(usize, usize), Slot> = BTreeMap::new();
    // the folder lives until the last round is over
    let mut scratch = None;
    let mut starts: BTreeMap<(usize, usize), Start> = BTreeMap::new();
    for (i, able) in &work {
        for &k in able {
            match Start::new(&peers[k], &programs[*i], &mut scratch) {
                Ok(start) => drop(starts.insert((*i, k), start)),
                Err(why) => slots.entry((*i, k)).or_default().cell.problem = Some(why),
            }
        }
    }
    let runs = work.iter().map(|(_, able)| able.len() as u64).sum::<u64>() * u64::from(args.rounds);
    let bar = progress(runs);
    for round in 0..args.rounds {
        for (i, able) in &work {
            // another peer goes first in each round, so that none always follows the same neighbour
            for step in 0..able.len() {
                let k = able[(step + round as usize) % able.len()];
                bar.set_message(format!("{} under {}", programs[*i].name, peers[k].name));
                if let Some(start) = starts.get(&(*i, k)) {
                    visit(&mut *slots.entry((*i, k)).or_default(), start, args);
                }
                bar.inc(1);
            }
        }
        if bar.is_hidden() {
            eprintln!("round {} of {} done", round + 1, args.rounds);
        }
    }
    bar.finish_and_clear();
    Ok(condense(
        args, root, programs, &peers, &work, slots, missing,
    ))
}

/// A bar that shows the running program and the time left; hidden if the standard error is no terminal.
fn progress(runs: u64) -> ProgressBar {
    let bar = ProgressBar::new(runs);
    // the template is constant; were it ever wrong, the plain style would be used
    if let Ok(style) = ProgressStyle::with_template(
        "{bar:32.cyan/blue} {pos}/{len} {elapsed_precise} (left {eta}) {wide_msg}",
    ) {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

/// Runs one program under one peer once, or a few times if it is short. Once it has failed, it is not tried again.
fn visit(slot: &mut Slot, start: &Start, args: &Args) {
    let scale = args.scale.map(|s| s.to_string());
    let mut arguments: Vec<&OsStr> = Vec::new();
    arguments.extend(start.file.as_deref().map(Path::as_os_str));
    arguments.extend(scale.as_deref().map(OsStr::new));
    for _ in 0..SHORT_REPEATS {
        if slot.cell.problem.is_some() {
            return;
        }
        let outcome = match child::run(&start.command, &arguments, args.timeout()) {
            Ok(outcome) => outcome,
            Err(e) => {
                slot.cell.problem = Some(format!("cannot be started: {e}"));
                return;
            }
        };
        slot.cell.problem = outcome.problem();
        match &slot.stdout {
            None => slot.stdout = Some(outcome.stdout),
            Some(first) if *first != outcome.stdout && slot.cell.problem.is_none() => {
                slot.cell.problem = Some("prints something else in each run".into())
            }
            Some(_) => {}
        }
        if slot.cell.problem.is_some() {
            return;
        }
        let sample = outcome.sample;
        slot.cell.wall_seconds.push(sample.wall.as_secs_f64());
        slot.cell.cpu_seconds.push(sample.cpu.as_secs_f64());
        slot.cell.peak_bytes.push(sample.peak_bytes);
        if sample.wall > SHORT {
            return;
        }
    }
}

/// Puts everything measured into a report, with outputs compared.
fn condense(
    args: &Args,
    root: &Path,
    programs: &[Program],
    peers: &[Peer],
    work: &[(usize, Vec<usize>)],
    mut slots: BTreeMap<(usize, usize), Slot>,
    missing: Vec<String>,
) -> Report {
    let mut reports = Vec::new();
    for (i, able) in work {
        let mut cells: Vec<(usize, Slot)> = able
            .iter()
            .filter_map(|&k| slots.remove(&(*i, k)).map(|slot| (k, slot)))
            .collect();
        let output = agree(&mut cells, peers);
        let program = &programs[*i];
        reports.push(ProgramReport {
            set: program.set.clone(),
            group: program.group.clone(),
            name: program.name.clone(),
            about: program.about.clone(),
            output,
            cells: cells
                .into_iter()
                .map(|(k, slot)| (peers[k].name.clone(), slot.cell))
                .collect(),
        });
    }
    Report {
        unix_time: SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |d| d.as_secs()),
        machine: machine(),
        rounds: args.rounds,
        scale: args.scale,
        programs_folder: root.display().to_string(),
        peers: peers
            .iter()
            .map(|p| PeerInfo {
                name: p.name.clone(),
                command: shown(&p.command),
                version: p.version.clone(),
            })
            .collect(),
        missing,
        programs: reports,
    }
}

/// The command as shown in reports: the folder of the program is left out, since it only says where this machine keeps it.
fn shown(command: &[String]) -> String {
    let mut words = command.to_vec();
    if let Some(name) = Path::new(&words[0]).file_name() {
        words[0] = name.to_string_lossy().into_owned();
    }
    words.join(" ")
}

/// Marks the peers whose output differs from what most peers print (in a tie, from what the earliest of the larger parties prints), and
/// gives the agreed output.
fn agree(cells: &mut [(usize, Slot)], peers: &[Peer]) -> String {
    let outputs: Vec<Vec<u8>> = cells
        .iter()
        .filter(|(_, s)| s.cell.problem.is_none())
        .filter_map(|(_, s)| s.stdout.clone())
        .collect();
    let Some(agreed) = outputs.iter().enumerate().max_by_key(|&(at, o)| {
        (
            outputs.iter().filter(|other| *other == o).count(),
            usize::MAX - at,
        )
    }) else {
        return String::new();
    };
    let agreed = agreed.1.clone();
    let backers: Vec<&str> = cells
        .iter()
        .filter(|(_, s)| s.stdout.as_ref() == Some(&agreed))
        .map(|(k, _)| peers[*k].name.as_str())
        .collect();
    let backers = backers.join(", ");
    for (_, slot) in cells.iter_mut().filter(|(_, s)| s.cell.problem.is_none()) {
        if let Some(own) = slot.stdout.as_ref().filter(|own| **own != agreed) {
            slot.cell.problem = Some(format!(
                "prints {} where {backers} prints {}",
                line(own),
                line(&agreed)
            ));
        }
    }
    String::from_utf8_lossy(&agreed).trim_end().to_owned()
}

/// The first line of an output, quoted and shortened.
fn line(output: &[u8]) -> String {
    let text = String::from_utf8_lossy(output);
    let first: String = text.lines().next().unwrap_or("").chars().take(60).collect();
    format!("{first:?}")
}

/// What the machine says about itself.
fn machine() -> Machine {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let osrelease = read("/proc/sys/kernel/osrelease");
    let cpuinfo = read("/proc/cpuinfo");
    let processor = cpuinfo
        .lines()
        .find(|l| l.starts_with("model name"))
        .and_then(|l| l.split_once(':'))
        .map_or("", |(_, name)| name.trim());
    Machine {
        processor: if processor.is_empty() {
            std::env::consts::ARCH.to_owned()
        } else {
            processor.to_owned()
        },
        cores: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        kernel: osrelease
            .trim()
            .split(['-', '+'])
            .next()
            .unwrap_or("")
            .to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peers(names: &[&str]) -> Vec<Peer> {
        names
            .iter()
            .map(|n| Peer {
                name: (*n).into(),
                command: vec![],
                dialect: "Lua 5.4".into(),
                language: None,
                version: String::new(),
            })
            .collect()
    }

    fn slot(output: &str) -> Slot {
        Slot {
            cell: Cell::default(),
            stdout: Some(output.into()),
        }
    }

    #[test]
    fn the_majority_is_right() {
        let mut cells = vec![(0, slot("a\n")), (1, slot("b\n")), (2, slot("b\n"))];
        assert_eq!(agree(&mut cells, &peers(&["x", "y", "z"])), "b");
        assert_eq!(
            cells[0].1.cell.problem.as_deref(),
            Some("prints \"a\" where y, z prints \"b\"")
        );
        assert!(cells[1].1.cell.problem.is_none());
    }

    #[test]
    fn failed_runs_have_no_vote() {
        let mut cells = vec![(0, slot("a")), (1, slot("b"))];
        cells[0].1.cell.problem = Some("exit status 1".into());
        assert_eq!(agree(&mut cells, &peers(&["x", "y"])), "b");
        assert_eq!(cells[0].1.cell.problem.as_deref(), Some("exit status 1"));
    }
}
