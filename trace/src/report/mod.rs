//! Reports about what was compiled, how well it went, and where the time went: statistics ([`Report::text`], [`Report::json`]) and the
//! explanation by source line ([`explain`]).
//!
//! The trace compiler counts ([`crate::stats`]). Where the time goes is found by sampling: whoever runs the program looks some hundred
//! times a second at what the processor is doing and gives the sums as [`Samples`]. So times are estimates with an error of about the square root
//! of the number of samples, and cost nothing where nobody samples.

mod explain;
mod sections;

use std::collections::BTreeMap;
use std::io::Write;

use traceorus_base::objects::{Counts, Instr, Proto};

use crate::config::{StatsConfig, Target};
use crate::jit::Jit;
use crate::places::{Place, chunk_name, line, pc_of, proto_at};
use crate::stats::{AbortPlace, ExitPlace, Stats, exits};

pub use explain::explain;

/// What a sampler has seen, in numbers of samples.
#[derive(Clone, Debug, Default)]
pub struct Samples {
    /// Microseconds of processor time between two samples.
    pub period_us: u64,
    /// In the interpreter or in functions that it called.
    pub interpreted: u64,
    /// In traces or in functions that they called.
    pub compiled: u64,
    /// While recording or compiling.
    pub recording: u64,
    /// In the collector.
    pub collecting: u64,
    /// Elsewhere: start-up, the front end.
    pub other: u64,
    /// Of all these, those whose place found no room in the tables below.
    pub lost: u64,
    /// Samples by bytecode instruction, for what was interpreted (the instruction that runs or has called).
    pub bytecode: Vec<(u64, u64)>,
    /// Samples by address of machine code, for what was compiled (for functions that it called, where they return to).
    pub code: Vec<(u64, u64)>,
}

impl Samples {
    /// All samples.
    pub fn total(&self) -> u64 {
        self.interpreted + self.compiled + self.recording + self.collecting + self.other
    }
}

/// Samples of a source line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Heat {
    /// In the interpreter.
    pub interpreted: u64,
    /// In traces.
    pub compiled: u64,
}

impl Heat {
    /// Both.
    pub fn total(self) -> u64 {
        self.interpreted + self.compiled
    }
}

/// A trace that exists at the end.
#[derive(Clone, Debug)]
pub struct TraceRow {
    /// Number.
    pub number: u16,
    /// `loop`, `function`, `continuation`, `side`.
    pub kind: &'static str,
    /// Root trace of its tree.
    pub root: u16,
    /// Parent and exit of a side trace.
    pub parent: Option<(u16, u16)>,
    /// Where it begins.
    pub start: Place,
    /// How it ends, in words.
    pub link: String,
    /// IR instructions.
    pub ir: usize,
    /// Bytes of code.
    pub bytes: u32,
    /// Exits taken to the interpreter.
    pub exits: u64,
    /// Source lines that it runs.
    pub lines: Vec<Place>,
    /// Instructions that it performs by calling their helpers: op and place.
    pub helpers: Vec<(String, Place)>,
}

/// Everything that the reports say, without references to the state.
#[derive(Clone, Debug)]
pub struct Report {
    /// Counters.
    pub stats: Stats,
    /// What was sampled, if anything.
    pub samples: Option<Samples>,
    /// Samples by source line.
    pub heat: BTreeMap<Place, Heat>,
    /// Traces by number.
    pub traces: Vec<TraceRow>,
    /// Aborts, the most frequent first.
    pub aborts: Vec<(AbortPlace, u64)>,
    /// Exits to the interpreter, the most frequent first.
    pub exits: Vec<(ExitPlace, u64)>,
    /// Traces are compiled at all.
    pub on: bool,
    /// What was executed, if it was counted (parameter `count`).
    pub counts: Option<Counts>,
}

impl Report {
    /// Writes the statistics.
    pub fn write(&self, config: &StatsConfig) -> std::io::Result<()> {
        let text = if config.json {
            self.json()
        } else {
            self.text()
        };
        match &config.target {
            Target::Stderr => std::io::stderr().write_all(text.as_bytes()),
            Target::File(name) => std::fs::write(name, text),
        }
    }

    /// What is to be said about a state without trace compiler (no executable memory, or no generated interpreter).
    pub fn without_compiler(samples: Option<Samples>) -> Report {
        Report {
            stats: Stats::default(),
            samples,
            heat: BTreeMap::new(),
            traces: Vec::new(),
            aborts: Vec::new(),
            exits: Vec::new(),
            on: false,
            counts: None,
        }
    }

    /// Collects everything.
    ///
    /// # Safety
    /// [GC-LIVE] the state of `jit` is live.
    pub unsafe fn new(jit: &Jit, samples: Option<Samples>) -> Report {
        let mut r = Report {
            stats: jit.stats.clone(),
            heat: BTreeMap::new(),
            traces: Vec::new(),
            aborts: jit.stats.abort_places.clone().into_iter().collect(),
            exits: jit.stats.gone_exits.clone().into_iter().collect(),
            on: jit.is_on(),
            // SAFETY: the state is live.
            counts: jit.counts.then(|| unsafe { (*jit.g).hot.counts }),
            samples: None,
        };
        let mut protos = jit.hot_protos.clone();
        for t in jit.live() {
            // SAFETY: [GC-LIVE] live traces keep their prototypes.
            unsafe {
                r.exits.extend(exits(t));
                r.traces.push(row(t));
            }
            protos.extend(&t.protos);
        }
        protos.sort_unstable();
        protos.dedup();
        let by_count = |a: u64, b: u64| b.cmp(&a);
        r.aborts
            .sort_by(|a, b| by_count(a.1, b.1).then_with(|| a.0.cmp(&b.0)));
        r.exits
            .sort_by(|a, b| by_count(a.1, b.1).then_with(|| a.0.cmp(&b.0)));
        if let Some(s) = &samples {
            // SAFETY: [GC-LIVE] both lists hold live prototypes only: the dead ones are taken out.
            unsafe { r.heat = heat(jit, s, &protos) };
        }
        r.samples = samples;
        r
    }
}

/// Writes the statistics that the configuration asks for. Does so once.
///
/// # Safety
/// [GC-LIVE] the state of `jit` is live.
pub unsafe fn finish(jit: &mut Jit, samples: Option<Samples>) {
    let Some(config) = jit.stats_config.take() else {
        return;
    };
    // SAFETY: as promised.
    let report = unsafe { Report::new(jit, samples) };
    if let Err(e) = report.write(&config) {
        let name = match &config.target {
            Target::File(name) => name.display().to_string(),
            Target::Stderr => "standard error".into(),
        };
        // nobody is left to tell if that fails, too
        let _ = writeln!(std::io::stderr(), "cannot write statistics to {name}: {e}");
    }
}

/// Place of an instruction, if it is in one of these prototypes.
unsafe fn known_place(protos: &[*mut Proto], pc: u64) -> Option<Place> {
    let pc = pc as *const Instr;
    // SAFETY: [GC-LIVE] as the caller.
    unsafe {
        let p = proto_at(protos, pc)?;
        Some(Place {
            chunk: chunk_name(p),
            line: line(p, pc),
        })
    }
}

unsafe fn heat(jit: &Jit, s: &Samples, protos: &[*mut Proto]) -> BTreeMap<Place, Heat> {
    let mut heat: BTreeMap<Place, Heat> = BTreeMap::new();
    for &(pc, n) in &s.bytecode {
        // SAFETY: [GC-LIVE] as the caller.
        if let Some(p) = unsafe { known_place(protos, pc) } {
            heat.entry(p).or_default().interpreted += n;
        }
    }
    for &(at, n) in &s.code {
        let t = jit
            .live()
            .find(|t| (t.address..t.address + u64::from(t.bytes)).contains(&at));
        let pc = t.and_then(|t| pc_of(&t.map, (at - t.address) as u32));
        // SAFETY: [GC-LIVE] as the caller.
        if let Some(p) = pc.and_then(|pc| unsafe { known_place(protos, pc) }) {
            heat.entry(p).or_default().compiled += n;
        }
    }
    heat
}

unsafe fn row(t: &crate::traces::Trace) -> TraceRow {
    use crate::record::Kind;
    // SAFETY: [GC-LIVE] as the caller: the trace is live.
    let place = |pc: u64| unsafe { known_place(&t.protos, pc) };
    let mut lines: Vec<Place> = t.map.iter().filter_map(|m| place(m.1)).collect();
    lines.sort();
    lines.dedup();
    let helpers = t.helpers.iter();
    TraceRow {
        number: t.number,
        kind: t.kind_name(),
        root: t.root,
        parent: match t.kind {
            Kind::Side { parent, exit } => Some((parent, exit)),
            _ => None,
        },
        start: place(t.start_pc as u64).unwrap_or_else(Place::unknown),
        link: t.link.text(),
        ir: t.nins as usize,
        bytes: t.bytes,
        exits: t.states.iter().map(|e| u64::from(e.taken)).sum(),
        lines,
        helpers: helpers
            .filter_map(|p| Some((p.name(), place(p.pc as u64)?)))
            .collect(),
    }
}
