//! What is told to other programs, and where dumps go. Opened before the state is made, so that errors can be reported in time.

use crate::config::{Config, Perf};
use crate::dump::Out;
use crate::gdbjit::GdbJit;
use crate::perfmap::{Jitdump, PerfMap};
use crate::places::{Place, place};
use crate::traces::Trace;

/// A trace as debuggers and profilers want it.
pub(crate) struct Symbol<'a> {
    /// `trace_3:loop:script.lua:12`
    pub name: String,
    /// Address of the code.
    pub address: u64,
    /// The code.
    pub bytes: &'a [u8],
    /// Source lines: offset in the code from which on they hold, ascending.
    pub lines: Vec<(u32, Place)>,
}

impl<'a> Symbol<'a> {
    fn of(t: &Trace, bytes: &'a [u8]) -> Symbol<'a> {
        // SAFETY: [GC-LIVE] the trace keeps its prototypes.
        let place = |pc: u64| unsafe { place(&t.protos, pc as *const _) };
        let start = place(t.start_pc as u64);
        Symbol {
            name: format!("trace_{}:{}:{start}", t.number, t.kind_name()),
            address: t.address,
            bytes,
            lines: t.map.iter().map(|&(o, pc)| (o, place(pc))).collect(),
        }
    }
}

/// Everything that is written while traces are made.
#[derive(Default)]
pub struct Outputs {
    /// Where dumps go.
    pub dump: Out,
    map: Option<PerfMap>,
    jitdump: Option<Jitdump>,
    gdb: Option<GdbJit>,
}

impl Outputs {
    /// Opens what the configuration asks for. The error is a message.
    pub fn open(config: &Config) -> Result<Outputs, String> {
        let mut o = Outputs {
            dump: Out::open(config)?,
            ..Outputs::default()
        };
        match config.perf {
            Some(Perf::Map) => o.map = Some(PerfMap::create()?),
            Some(Perf::Jitdump) => o.jitdump = Some(Jitdump::create()?),
            None => {}
        }
        if config.gdb {
            o.gdb = Some(GdbJit::default());
        }
        Ok(o)
    }

    pub(crate) fn wanted(&self) -> bool {
        self.map.is_some() || self.jitdump.is_some() || self.gdb.is_some()
    }

    /// A trace was compiled.
    #[inline(never)]
    pub(crate) fn compiled(&mut self, t: &Trace, bytes: &[u8]) {
        if self.wanted() {
            self.code(&Symbol::of(t, bytes));
        }
    }

    /// The code that all traces share was made.
    pub(crate) fn thunks(&mut self, address: u64, bytes: &[u8]) {
        if self.wanted() {
            self.code(&Symbol {
                name: "trace_thunks".into(),
                address,
                bytes,
                lines: Vec::new(),
            });
        }
    }

    fn code(&mut self, symbol: &Symbol<'_>) {
        if let Some(m) = &mut self.map {
            m.add(symbol);
        }
        if let Some(j) = &mut self.jitdump {
            j.add(symbol);
        }
        if let Some(g) = &mut self.gdb {
            g.add(symbol);
        }
    }
}
