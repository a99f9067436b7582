//! Counters of what the trace compiler has done. [`crate::report`] makes reports of them.

use std::collections::HashMap;

use crate::abort::Abort;
use crate::ir::{Class, IrBuf, IrOp, SnapNo};
use crate::places::{Place, place};
use crate::record::{Kind, Recorder};
use crate::traces::Trace;

/// A recording that was given up: where it began, why, and at which instruction.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct AbortPlace {
    /// First instruction of the recording.
    pub start: Place,
    /// Reason.
    pub why: Abort,
    /// The instruction that could not be recorded.
    pub at: Place,
    /// Its op.
    pub op: String,
}

/// An exit of traces, by place and by what is checked there.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct ExitPlace {
    /// Where the interpreter goes on.
    pub at: Place,
    /// Types and ops of the guards that leave through it, `tag TEQ` or `int LT/tag TEQ`.
    pub guards: String,
    /// Number of the trace.
    pub trace: u16,
    /// Number of the exit.
    pub exit: u16,
    /// A side trace was attached in the end.
    pub side: bool,
}

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
    /// Traces removed again.
    pub removed: u64,
    /// Trees removed to make room.
    pub evicted: u64,
    /// Times that trees were put to sleep, to see which are used.
    pub naps: u64,
    /// Trees that were used again after that.
    pub woken: u64,
    /// Loops whose root trace was recorded anew, as the first one was not what they do.
    pub rerooted: u64,
    /// Trees that were to be recorded anew, in another way.
    pub renewed: u64,
    /// Trees removed because they were left more often than they are worth.
    pub losing: u64,
    /// Recordings that did not begin since too much of the run time had gone to recording and compiling.
    pub postponed: u64,
    /// Recordings that did not begin for want of room.
    pub refused: u64,
    /// Aborts by cause.
    pub aborts: HashMap<Abort, u64>,
    /// Aborts by cause and place.
    pub abort_places: HashMap<AbortPlace, u64>,
    /// Exits of traces that have been removed.
    pub gone_exits: HashMap<ExitPlace, u64>,
    /// Bytecode instructions recorded in compiled traces.
    pub bytecodes: u64,
    /// IR instructions after optimisation.
    pub ir: u64,
    /// Bytes of machine code.
    pub mcode: u64,
    /// Guards that recordings asked for, those of peeled iterations included.
    pub guards_asked: u64,
    /// Of these, those that recorders asked for, once each.
    pub guards_recorded: u64,
    /// Of the ones asked for, those that earlier ones imply.
    pub guards_proved: u64,
    /// Of these, those of a loop's body that only its first iteration checks.
    pub guards_hoisted: u64,
    /// Guards in compiled traces.
    pub guards: u64,
    /// Of these, those that are checked when a loop is entered and not in each iteration.
    pub guards_before_loops: u64,
    /// Those that are checked in each iteration of a loop.
    pub guards_in_loops: u64,
    /// Branches that became selections, in compiled traces.
    pub selects: u64,
    /// Allocations in compiled traces.
    pub allocations: u64,
    /// Allocations that were moved out of compiled traces into their exits.
    pub sunk: u64,
    /// Instructions that are performed by calling their helpers, in compiled traces, by op.
    pub helpers: HashMap<String, u64>,
    /// Exits taken to the interpreter.
    pub exits: u64,
    /// Runs of compiled code that were compared with the interpreter's (parameter `replay`).
    pub replayed: u64,
    /// Collector steps on trace.
    pub polls: u64,
    /// Nanoseconds between the beginnings and ends of recordings: interpreting while recording, compiling.
    pub record_ns: u64,
    /// Nanoseconds of these spent compiling, in compilations that succeeded.
    pub compile_ns: u64,
}

/// The guards that leave through a snapshot, each kind once, in order: type and op, `tag TEQ/int LT`.
pub(crate) fn guards_of(buf: &IrBuf, exit: usize) -> String {
    let mut names: Vec<String> = Vec::new();
    for i in buf.snap_guards(SnapNo(exit as u16)) {
        let name = format!("{} {}", i.ty.name().trim_end(), i.op.name());
        if i.op.is_guard() && !names.contains(&name) {
            names.push(name);
        }
    }
    if exit == 0 && !buf.entry.is_empty() {
        names.push("tag TEQ".into());
    }
    if names.is_empty() {
        END.into()
    } else {
        names.join("/")
    }
}

/// In place of guards: the trace ends there.
pub(crate) const END: &str = "end of trace";

impl Stats {
    /// Of the guards that were recorded, those that are not checked each time that their instruction runs: removed, or hoisted out of a
    /// loop.
    pub fn guards_thinned(&self) -> u64 {
        let left = self.guards - self.guards_before_loops;
        self.guards_recorded.saturating_sub(left)
    }
    pub(crate) fn abort(&mut self, why: Abort, r: &Recorder) {
        *self.aborts.entry(why).or_default() += 1;
        // SAFETY: [GC-LIVE] the recording keeps its prototypes; [CODE] both are instructions of them.
        let key = unsafe {
            AbortPlace {
                start: place(&r.protos, r.start_pc),
                why,
                at: place(&r.protos, r.last_pc),
                op: traceorus_vm::dispatch::op_at(r.last_pc).mnemonic(),
            }
        };
        *self.abort_places.entry(key).or_default() += 1;
    }
    #[inline(never)]
    pub(crate) fn compiled(&mut self, r: &Recorder, t: &Trace) {
        match t.kind {
            Kind::Loop => self.loops += 1,
            Kind::Func => self.funcs += 1,
            Kind::Cont { .. } | Kind::Event { .. } => self.conts += 1,
            Kind::Side { .. } => self.sides += 1,
        }
        self.bytecodes += u64::from(r.nbc);
        self.ir += r.buf.len() as u64;
        self.mcode += u64::from(t.bytes);
        let s = &r.opt.stats;
        self.guards_asked += u64::from(s.guards_asked);
        self.guards_recorded += u64::from(s.guards_asked - s.guards_repeated);
        self.guards_proved += u64::from(s.guards_proved);
        self.guards_hoisted += u64::from(s.guards_hoisted);
        self.selects += u64::from(s.selects);
        self.sunk += u64::from(s.sunk);
        self.guards += r.buf.entry.len() as u64;
        if !r.buf.loop_ref.is_none() {
            self.guards_before_loops += r.buf.entry.len() as u64;
        }
        let mut in_loop = false;
        for i in &r.buf.ins {
            in_loop |= i.op == IrOp::Loop;
            if i.op.is_guard() {
                self.guards += 1;
                self.guards_in_loops += u64::from(in_loop);
                self.guards_before_loops += u64::from(!in_loop && !r.buf.loop_ref.is_none());
            }
            self.allocations += u64::from(i.op.class() == Class::A);
        }
        for p in &r.performed {
            *self.helpers.entry(p.name()).or_default() += 1;
        }
    }
    /// A trace is removed: keeps what reports say about it.
    ///
    /// # Safety
    /// [GC-LIVE] the memory of its prototypes is still intact.
    #[inline(never)]
    pub(crate) unsafe fn trace_gone(&mut self, t: &Trace) {
        self.removed += 1;
        // SAFETY: as promised.
        for (key, n) in unsafe { exits(t) } {
            *self.gone_exits.entry(key).or_default() += n;
        }
    }
}

/// The exits of a trace that were taken.
///
/// # Safety
/// [GC-LIVE] the memory of its prototypes is still intact.
pub(crate) unsafe fn exits(t: &Trace) -> Vec<(ExitPlace, u64)> {
    let mut all = Vec::new();
    for (n, e) in t.states.iter().enumerate().filter(|(_, e)| e.taken != 0) {
        // SAFETY: as promised.
        let at = unsafe { place(&t.protos, t.exits.get(n as u16).pc as *const _) };
        let key = ExitPlace {
            side: e.side != 0,
            at,
            guards: t.guards.get(n).cloned().unwrap_or_default(),
            trace: t.number,
            exit: n as u16,
        };
        all.push((key, e.taken.into()));
    }
    all
}
