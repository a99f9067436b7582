//! What governs the trace compiler: the numbers of `base::params`, switches, what is dumped.

use crate::opt::Passes;

/// All of it; copied into each recording.
#[derive(Clone, Copy, Debug)]
pub struct Params {
    /// Numbers.
    pub n: traceorus_base::params::Params,
    /// Passes of the optimiser.
    pub passes: Passes,
    /// Traces are recorded and entered.
    pub on: bool,
    /// What is dumped (bits of [`dump`]).
    pub dump: u32,
}

impl std::ops::Deref for Params {
    type Target = traceorus_base::params::Params;
    fn deref(&self) -> &Self::Target {
        &self.n
    }
}

/// Bits of [`Params::dump`].
pub mod dump {
    /// Bytecode while it is recorded.
    pub const REC: u32 = 1;
    /// The optimised IR.
    pub const IR: u32 = 2;
    /// With snapshots.
    pub const SNAP: u32 = 4;
    /// Register allocation.
    pub const RA: u32 = 8;
    /// Machine code.
    pub const MC: u32 = 16;
    /// Exits as they are taken.
    pub const EXIT: u32 = 32;
    /// One line per trace and abort.
    pub const TRACE: u32 = 64;
}

/// Stages of `TRACEORUS_DUMP` and their bits; `bc` is printed by whoever loads chunks.
const STAGES: &[(&str, u32)] = &[
    ("bc", 0),
    ("rec", dump::REC),
    ("ir", dump::IR),
    ("snap", dump::SNAP),
    ("ra", dump::RA),
    ("mc", dump::MC),
    ("exit", dump::EXIT),
    ("trace", dump::TRACE),
];

impl Default for Params {
    fn default() -> Params {
        Params {
            n: traceorus_base::params::Params::default(),
            passes: Passes::ALL,
            on: true,
            dump: 0,
        }
    }
}

impl Params {
    /// Applies `off`, `on` or `name=value,...`, as `TRACEORUS_JIT` and `-j` have it. The error is a message.
    pub fn apply(&mut self, text: &str) -> Result<(), String> {
        for part in text.split(',').map(str::trim).filter(|p| !p.is_empty()) {
            match part {
                "off" => self.on = false,
                "on" => self.on = true,
                _ => self.n.assign(part)?,
            }
        }
        Ok(())
    }
    /// Applies the stages of `TRACEORUS_DUMP` (without its file).
    pub fn apply_dump(&mut self, stages: &str) -> Result<(), String> {
        for part in stages.split(',').map(str::trim).filter(|p| !p.is_empty()) {
            match STAGES.iter().find(|s| s.0 == part) {
                Some(s) => self.dump |= s.1 | dump::TRACE,
                None => {
                    let all: Vec<&str> = STAGES.iter().map(|s| s.0).collect();
                    return Err(format!(
                        "no stage '{part}' to dump; there are {}",
                        all.join(", ")
                    ));
                }
            }
        }
        Ok(())
    }
    /// Applies `TRACEORUS_OPT`: `0` to `3`, or names of passes with `+` or `-`.
    pub fn apply_opt(&mut self, text: &str) -> Result<(), String> {
        self.passes = match text.trim() {
            "0" => Passes::NONE,
            "1" => Passes::FOLD.with(Passes::CSE).with(Passes::DCE),
            "2" => Passes::ALL.without(Passes::SINK),
            "3" => Passes::ALL,
            t => self
                .passes
                .parse(t)
                .ok_or_else(|| format!("no such passes: '{t}'"))?,
        };
        Ok(())
    }
    /// What the environment asks for. The error names the variable.
    pub fn from_env(var: impl Fn(&str) -> Option<String>) -> Result<Params, String> {
        let mut p = Params::default();
        type Apply = fn(&mut Params, &str) -> Result<(), String>;
        let all: [(&str, Apply); 3] = [
            ("TRACEORUS_JIT", Params::apply),
            ("TRACEORUS_DUMP", |p, t| {
                p.apply_dump(t.split(':').next().unwrap_or(""))
            }),
            ("TRACEORUS_OPT", Params::apply_opt),
        ];
        for (name, apply) in all {
            if let Some(text) = var(name) {
                apply(&mut p, &text).map_err(|e| format!("{name}: {e}"))?;
            }
        }
        Ok(p)
    }
}
