//! What governs the trace compiler: the numbers of `base::params`, switches, passes, what is dumped. See [`crate::config`] for the rest.

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

    /// Stages and their bits; `bc` (printed by whoever loads chunks) and `sym` are no bits.
    const STAGES: &[(&str, u32)] = &[
        ("bc", 0),
        ("rec", REC),
        ("ir", IR),
        ("snap", IR | SNAP),
        ("ra", RA),
        ("mc", MC),
        ("exit", EXIT),
        ("trace", TRACE),
        ("sym", 0),
    ];

    /// Bits of a stage. The error is a message.
    pub fn stage(name: &str) -> Result<u32, String> {
        match STAGES.iter().find(|s| s.0 == name) {
            Some(s) => Ok(s.1 | TRACE),
            None => Err(format!(
                "no stage '{name}' to dump; there are {}",
                stage_names()
            )),
        }
    }
    /// Names of the stages, for messages.
    pub fn stage_names() -> String {
        let names: Vec<&str> = STAGES.iter().map(|s| s.0).collect();
        names.join(", ")
    }
}

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
                _ if part.contains('=') => self.n.assign(part)?,
                _ => return Err(format!("'{part}' is neither off, on nor name=value")),
            }
        }
        Ok(())
    }
    /// Applies parts separated by commas: a level (`0` to `3`), passes with `+` or `-`, `name=value`; as `TRACEORUS_OPT`, `-O` and
    /// `jit.opt.start` have them. The error is a message.
    pub fn apply_opt(&mut self, text: &str) -> Result<(), String> {
        for part in text.split(',').map(str::trim).filter(|p| !p.is_empty()) {
            self.passes = match part {
                "0" => Passes::NONE,
                "1" => Passes::FOLD.with(Passes::CSE).with(Passes::DCE),
                "2" => Passes::ALL.without(Passes::SINK),
                "3" => Passes::ALL,
                _ if part.contains('=') => {
                    self.n.assign(part)?;
                    continue;
                }
                _ if part.starts_with(['+', '-']) => {
                    let p = self.passes.parse(part);
                    p.ok_or_else(|| format!("no such pass: '{part}'; there are {}", pass_names()))?
                }
                _ => {
                    return Err(format!(
                        "'{part}' is neither a level (0 to 3) nor +pass, -pass or name=value; passes are {}",
                        pass_names()
                    ));
                }
            };
        }
        Ok(())
    }
}

/// Names of the passes, for messages.
pub fn pass_names() -> String {
    let names: Vec<&str> = Passes::NAMES.iter().map(|n| n.0).collect();
    names.join(", ")
}
