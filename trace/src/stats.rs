//! Counters for reports.

use std::collections::HashMap;

use crate::abort::Abort;
use crate::jit::Trace;
use crate::record::{Kind, Recorder};

/// What the trace compiler has done so far.
#[derive(Default, Debug, Clone)]
pub struct Stats {
    /// Recordings begun.
    pub recordings: u64,
    /// Root traces of loops compiled.
    pub loops: u64,
    /// Root traces of functions compiled.
    pub funcs: u64,
    /// Root traces of continuations compiled.
    pub conts: u64,
    /// Side traces compiled.
    pub sides: u64,
    /// Aborts by cause.
    pub aborts: HashMap<Abort, u64>,
    /// Aborts by cause and place (address of the last instruction recorded).
    pub abort_places: HashMap<(Abort, usize), u64>,
    /// Bytecode instructions recorded in compiled traces.
    pub bytecodes: u64,
    /// IR instructions after optimisation.
    pub ir: u64,
    /// Bytes of machine code.
    pub mcode: u64,
    /// Exits taken to the interpreter.
    pub exits: u64,
    /// Collector steps on trace.
    pub polls: u64,
}

impl Stats {
    pub(crate) fn abort(&mut self, why: Abort, r: &Recorder) {
        *self.aborts.entry(why).or_default() += 1;
        *self
            .abort_places
            .entry((why, r.last_pc as usize))
            .or_default() += 1;
    }
    pub(crate) fn compiled(&mut self, r: &Recorder, t: &Trace) {
        match t.kind {
            Kind::Loop => self.loops += 1,
            Kind::Func => self.funcs += 1,
            Kind::Cont { .. } => self.conts += 1,
            Kind::Side { .. } => self.sides += 1,
        }
        self.bytecodes += u64::from(r.nbc);
        self.ir += r.buf.len() as u64;
        self.mcode += u64::from(t.bytes);
    }
}
