//! The state machine and policy: when to record, what to do with what was recorded, which traces there are.

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::time::Instant;

use traceorus_base::bytecode::Op;
use traceorus_base::objects::*;
use traceorus_base::{Tag, Value, frame};
use traceorus_gc::Marker;
use traceorus_vm::jithooks::{self, JitHooks};
use traceorus_vm::state::Global;
use traceorus_vm::{dispatch, exec};

use crate::abort::Abort;
use crate::chars::Chars;
use crate::config::{Config, StatsConfig};
use crate::dump::{Code, Dump, Symbols};
use crate::events::{Event, What};
use crate::ir::{IrBuf, IrOp, Ref, SnapNo, Ty};
use crate::loc::{ExitMap, Inherited, Link, Loc};
use crate::lower::{self, CodeArea, CodeInput, RustEntry, Thunks, TraceRegs};
use crate::opt;
use crate::outputs::Outputs;
use crate::params::{Params, dump};
use crate::places;
use crate::record::inherit::{SlotFact, slot_facts};
use crate::record::select::{self, Profile};
use crate::record::{Kind, Pending, Performed, Recorder, Step};
use crate::report;
use crate::stats::Stats;

/// A compiled trace.
pub struct Trace {
    /// Its number.
    pub number: u16,
    /// What it was recorded as.
    pub kind: Kind,
    /// The root trace of its tree (itself, if it is one).
    pub root: u16,
    /// Where it begins.
    pub start_pc: *const Instr,
    /// Instruction or header that enters it; null for side traces.
    pub anchor: *mut Instr,
    /// Prototype of the anchor (of side traces: of the first instruction).
    pub proto: *mut Proto,
    /// How it ends.
    pub link: Link,
    /// Optimised IR, for side traces and reports.
    pub ir: IrBuf,
    /// What it finds of slots that it leaves alone.
    pub slots: Vec<SlotFact>,
    /// What its exits restore, by snapshot.
    pub exits: Vec<ExitMap>,
    /// How often each exit was taken to the interpreter.
    pub counts: Vec<u16>,
    /// The same, never set back.
    pub taken: Vec<u32>,
    /// Side trace of each exit (0: none).
    pub sides: Vec<u16>,
    /// Address of its code.
    pub address: u64,
    /// Bytes of code.
    pub bytes: u32,
    /// Address of the entry.
    pub entry: u64,
    /// Addresses of the exit stubs.
    pub stubs: Vec<u64>,
    /// Snapshots of POLLs.
    pub polls: Vec<SnapNo>,
    /// Snapshots of STKCHKs, and how many slots above BASE each asks for.
    pub checks: Vec<(SnapNo, u16)>,
    /// Spill slots used, those of ancestors included.
    pub spills: u16,
    /// Side traces of its tree (roots only).
    pub nsides: u32,
    /// Objects that it keeps alive.
    pub keep: Vec<Value>,
    /// Prototypes whose code it refers to.
    pub protos: Vec<*mut Proto>,
    /// Can be entered and linked to.
    pub alive: bool,
    /// A root that is to be recorded anew: nothing enters it any more but traces that are linked to it already, until there is another.
    pub retired: bool,
    /// Bytecode by offset in the code (see [`places::code_map`]), if reports need it.
    pub map: Vec<(u32, u64)>,
    /// Bytecode instructions that are performed by calling their helpers.
    pub helpers: Vec<Performed>,
}

/// Bit of `Proto::jit`: traces refer to the prototype, or reports do.
pub(crate) const PROTO_KNOWN: u64 = 1;
/// Bit of `Proto::jit`: no trace may contain the function (`jit.off`).
pub(crate) const PROTO_OFF: u64 = 2;

#[cfg(test)]
impl Trace {
    /// A trace without code, for tests of what shows traces.
    pub(crate) fn empty(number: u16, address: u64) -> Trace {
        Trace {
            number,
            kind: Kind::Loop,
            root: number,
            start_pc: std::ptr::null(),
            anchor: std::ptr::null_mut(),
            proto: std::ptr::null_mut(),
            link: Link::Loop,
            ir: IrBuf::new(),
            slots: Vec::new(),
            exits: Vec::new(),
            counts: Vec::new(),
            taken: Vec::new(),
            sides: Vec::new(),
            address,
            bytes: 0,
            entry: address,
            stubs: Vec::new(),
            polls: Vec::new(),
            checks: Vec::new(),
            spills: 0,
            nsides: 0,
            keep: Vec::new(),
            protos: Vec::new(),
            alive: true,
            retired: false,
            map: Vec::new(),
            helpers: Vec::new(),
        }
    }
}

/// Numbers that traces can have.
const MAX_TRACES: usize = 1 << 16;

/// Offset in the state of the word that says that a frame was disturbed from outside (`debug.setlocal` and the like).
const DISTURBED: i32 = (std::mem::offset_of!(GlobalHot, jit_scratch) + 24) as i32;

/// Address of the helper of the instruction at `pc`.
fn helper(pc: u64) -> u64 {
    // SAFETY: [CODE] XOPs name instructions of prototypes that the trace keeps alive.
    let op = unsafe { dispatch::op_at(pc as *const Instr) };
    dispatch::helper_address(op) as u64
}

/// Address of the handler of the instruction at `pc`, if it does nothing but perform it.
fn handler(pc: u64) -> Option<u64> {
    // SAFETY: as above.
    let op = unsafe { dispatch::op_at(pc as *const Instr) };
    dispatch::handler_address(op).map(|a| a as u64)
}

/// Snapshots of the POLLs of a trace.
fn polls(ir: &IrBuf) -> Vec<SnapNo> {
    (0..ir.len())
        .filter(|&i| ir.ins[i].op == IrOp::Poll)
        .filter_map(|i| ir.snap_of(Ref::from_ins(i)))
        .collect()
}

/// Snapshots of the STKCHKs of a trace.
fn checks(ir: &IrBuf) -> Vec<(SnapNo, u16)> {
    let at = |i: usize| (ir.snap_of(Ref::from_ins(i)), ir.ins[i].lit_a());
    (0..ir.len())
        .filter(|&i| ir.ins[i].op == IrOp::StkChk)
        .filter_map(|i| at(i).0.map(|s| (s, at(i).1)))
        .collect()
}

/// What happened at a place where recording was tried.
#[derive(Clone, Copy, Default)]
struct Penalty {
    tries: u32,
    /// Times that something else had to be compiled first.
    waits: u32,
    counter: u16,
}

/// So often a place waits for others; then each time counts as a failure.
const MAX_WAITS: u32 = 40;

impl Penalty {
    /// A recording has failed; `wait`: until something else is compiled, which is in hand.
    fn count(&mut self, wait: bool) {
        if wait && self.waits < MAX_WAITS {
            self.waits += 1;
        } else {
            self.tries += 1;
        }
    }
}

/// Instructions are watched, for [`Jit::profile`].
struct Watch {
    /// So many more.
    left: u32,
    /// The last one, if it was a conditional jump: where it is, leads to, and goes on.
    last: Option<[*const Instr; 3]>,
    /// What is to be recorded then; null: it is gone.
    anchor: *mut Instr,
}

/// Times that a root trace is recorded anew.
const MAX_RENEWED: u32 = 3;

/// The parameter `hotcall` that means that functions are not compiled by themselves.
const NEVER: u32 = 65534;

/// The trace compiler of one state.
pub struct Jit {
    /// Switches and numbers.
    pub params: Params,
    /// Counters for reports.
    pub stats: Stats,
    /// Traces by number; number 0 is none.
    pub traces: Vec<Option<Box<Trace>>>,
    pub(crate) g: *mut Global,
    entries: Vec<u64>,
    pub(crate) recorder: Option<Box<Recorder>>,
    /// Root traces of loops by their first pc.
    by_start: HashMap<usize, u16>,
    /// Compiled functions by prototype: address of the entry, and whether it calls itself.
    funcs: HashMap<usize, (u64, bool)>,
    /// How often compiled code returned to a call without continuation.
    returns: HashMap<usize, u32>,
    penalties: HashMap<usize, Penalty>,
    /// How the branches of loops that became hot went for a while.
    profile: Profile,
    watch: Option<Watch>,
    /// Anchors that need no more watching.
    watched: HashSet<usize>,
    /// Side traces that begin at an instruction, by root trace and instruction.
    sites: HashMap<(u16, usize), u32>,
    /// Instructions at which shapes are not guarded; see `record::join`.
    joins: HashSet<usize>,
    /// Instructions that are left to their helpers; see [`Jit::is_join`].
    helped: HashSet<usize>,
    /// Continuations of instructions that have called metamethods: frame word, address.
    events_table: Box<[[u64; 2]; lower::EVENTS]>,
    /// How often the root trace with this first instruction was recorded anew.
    renewed: HashMap<usize, u32>,
    area: CodeArea,
    /// What all traces share, made for the first recording.
    thunks: Option<Thunks>,
    /// Where code may lie.
    pub(crate) code: Range<u64>,
    /// Dumps.
    pub dump: Dump,
    symbols: Symbols,
    /// What is told to other programs.
    pub outputs: Outputs,
    /// Source lines of machine code are kept.
    lines: bool,
    /// Functions that became hot are kept in mind.
    explain: bool,
    /// Those functions.
    pub(crate) hot_protos: Vec<*mut Proto>,
    /// What is to be told to functions that `jit.attach` was given; see [`crate::events`].
    pub(crate) events: Option<Vec<Event>>,
    /// Where statistics go, until they have been written.
    pub(crate) stats_config: Option<StatsConfig>,
    /// Called when the state is closed, while its objects are still there.
    pub at_close: Option<fn(&mut Jit)>,
    /// When the recording began.
    began: Option<Instant>,
    roots: Vec<Value>,
    chars: Chars,
    seed: u32,
}

impl Jit {
    /// A trace compiler for the state `g`, not installed yet. `None` without executable memory or generated interpreter.
    ///
    /// # Safety
    /// `g` is a live state.
    pub unsafe fn new(g: &mut Global, config: &Config, outputs: Outputs) -> Option<Box<Jit>> {
        let params = config.params;
        if g.hot.resume.is_null() {
            return None;
        }
        let area = CodeArea::new(g.hot.resume as u64).ok()?;
        let first = area.next_address();
        let code = first..first + lower::area::AREA_BYTES as u64;
        Some(Box::new(Jit {
            params,
            stats: Stats::default(),
            traces: vec![None],
            g,
            entries: Vec::new(),
            recorder: None,
            by_start: HashMap::new(),
            funcs: HashMap::new(),
            returns: HashMap::new(),
            penalties: HashMap::new(),
            profile: HashMap::new(),
            watch: None,
            watched: HashSet::new(),
            sites: HashMap::new(),
            joins: HashSet::new(),
            helped: HashSet::new(),
            events_table: Box::new([[0; 2]; lower::EVENTS]),
            renewed: HashMap::new(),
            area,
            thunks: None,
            code,
            dump: Dump::new(config, outputs.dump.clone()),
            symbols: Symbols::default(),
            outputs,
            lines: config.wants_lines(),
            explain: config.explain,
            hot_protos: Vec::new(),
            events: None,
            stats_config: config.stats.clone(),
            at_close: None,
            began: None,
            roots: Vec::new(),
            chars: Chars::default(),
            seed: 1,
        }))
    }

    /// Makes what traces need. Programs without hot code do without its memory.
    unsafe fn prepare(&mut self) -> Result<(), Abort> {
        if self.thunks.is_some() {
            return Ok(());
        }
        // SAFETY: [CODE] the state is live, and has no traces that the address of the entries could be in.
        unsafe {
            let g = &mut *self.g;
            let rust = RustEntry {
                exit: crate::exit::exit as *const () as usize as u64,
                poll: crate::exit::poll as *const () as usize as u64,
                barrier: crate::exit::barrier as *const () as usize as u64,
                alloc: crate::exit::alloc as *const () as usize as u64,
                charge: crate::exit::charge as *const () as usize as u64,
                slot_of: crate::exit::slot_of as *const () as usize as u64,
                method: crate::exit::method as *const () as usize as u64,
                ret_event: crate::exit::ret_event as *const () as usize as u64,
                events: self.events_table.as_ptr() as u64,
                ret: crate::exit::ret as *const () as usize as u64,
                resume: g.hot.resume as u64,
                disturbed_offset: DISTURBED,
                exit_left_offset: (self.params.exitrandom != 0)
                    .then_some(std::mem::offset_of!(GlobalHot, exit_left) as i32),
                helpers: helper,
                handlers: handler,
            };
            let first = self.area.next_address();
            let (code, thunks) = lower::emit_thunks::<traceorus_asm::Host>(first, &rust)
                .map_err(|_| Abort::Assembler)?;
            self.area.install(&code)?;
            self.outputs.thunks(first, &code);
            if self.params.dump & dump::MC != 0 {
                self.symbols = Symbols::of_state(&raw const g.hot, &thunks);
            }
            self.entries = vec![0; MAX_TRACES];
            g.hot.traces = self.entries.as_ptr();
            self.thunks = Some(thunks);
            self.roll();
        }
        Ok(())
    }

    /// Chooses the guard at which compiled code is left without need next.
    pub(crate) unsafe fn roll(&mut self) {
        let most = self.params.exitrandom.saturating_mul(2);
        if most != 0 {
            let n = 1 + self.rand() % most;
            // SAFETY: the state is live.
            unsafe { (*self.g).hot.exit_left = n }
        }
    }

    /// Hands it over to its state.
    ///
    /// # Safety
    /// As [`Jit::new`]; the state has no trace compiler.
    pub unsafe fn install(self: Box<Jit>) -> *mut Jit {
        // SAFETY: as promised.
        unsafe {
            let g = &mut *self.g;
            g.hotloop = self.params.hotloop as u16;
            g.hotcall = self.params.hotcall as u16;
            let data = Box::into_raw(self);
            g.jit = Some(JitHooks {
                data: data.cast(),
                hot,
                record,
                raising,
                mark,
                proto_freed,
                disturbed,
                close,
            });
            data
        }
    }

    /// The trace compiler of a state.
    ///
    /// # Safety
    /// Hooks of the state are ours. The reference is not kept across anything that may record or exit.
    pub unsafe fn of<'a>(g: &Global) -> Option<&'a mut Jit> {
        // SAFETY: as promised.
        g.jit.map(|j| unsafe { &mut *j.data.cast::<Jit>() })
    }

    pub(crate) fn trace(&mut self, n: u16) -> &mut Trace {
        self.traces[n as usize].as_mut().expect("a live trace")
    }

    fn rand(&mut self) -> u32 {
        self.seed = self
            .seed
            .wrapping_mul(1_664_525)
            .wrapping_add(1_013_904_223);
        self.seed >> 8
    }

    // ---- recording ----------------------------------------------------------------------------------------------------

    unsafe fn start(
        &mut self,
        l: *mut Thread,
        kind: Kind,
        anchor: *mut Instr,
        pc: *const Instr,
    ) -> Result<(), Abort> {
        // SAFETY: [CODE] as the callers.
        unsafe {
            if let Err(why) = self.prepare() {
                tracing::warn!(target: "compile", "switched off: {}", why.text());
                self.params.on = false;
                return Err(why);
            }
            let mut r = Recorder::new(l, kind, anchor, pc, self.params);
            r.funcs = &raw const self.funcs;
            r.chars = &raw mut self.chars;
            r.profile = &raw const self.profile;
            r.joins = &raw const self.joins;
            r.helped = &raw const self.helped;
            let n = self.params.abortrandom;
            if n != 0 && self.rand().is_multiple_of(n) {
                r.die_at = 1 + self.rand() % 30;
            }
            match kind {
                Kind::Side { parent, exit } => {
                    let t = self.traces[parent as usize].as_ref().expect("alive");
                    let root = self.traces[t.root as usize].as_ref().expect("alive");
                    r.in_loop = root.kind == Kind::Loop;
                    r.wants_poll = !r.in_loop;
                    r.sides = root.nsides;
                    r.inherit(t, exit)?;
                }
                Kind::Cont { call } => r.continuation(call, pc)?,
                Kind::Event { word } => r.after_event(pc, frame::delta_of(word) as i16)?,
                _ => {}
            }
            self.recorder = Some(Box::new(r));
            (*self.g).recording = true;
            dispatch::follow_recording(l);
            self.stats.recordings += 1;
            self.began = Some(Instant::now());
            self.tell(What::Start);
            Ok(())
        }
    }

    /// Has the interpreter watched before what begins at `start` is recorded, if there are branches in it that may become selections.
    unsafe fn watches(
        &mut self,
        l: *mut Thread,
        proto: *mut Proto,
        anchor: *mut Instr,
        start: *const Instr,
    ) -> bool {
        // SAFETY: [CODE] as the callers.
        unsafe {
            let left = self.params.watch;
            let on = self.params.passes.has(opt::Passes::SELECT) && self.params.hotloop > 1;
            if left == 0 || !on || !self.watched.insert(anchor as usize) {
                return false;
            }
            let end = match start > anchor {
                true => (*proto).code.add((*proto).ncode as usize).cast_const(),
                false => anchor.cast_const(),
            };
            let mut at = start;
            while at < end && select::join(at).is_none() {
                at = at.add(dispatch::op_at(at).words());
            }
            if at >= end {
                return false;
            }
            self.watch = Some(Watch {
                left,
                last: None,
                anchor,
            });
            jithooks::set_proto_jit(&mut *self.g, proto, (*proto).jit | PROTO_KNOWN);
            (*self.g).recording = true;
            dispatch::follow_recording(l);
            true
        }
    }

    /// The instruction at `pc` is about to be performed, and is watched.
    unsafe fn watching(&mut self, pc: *const Instr) {
        // SAFETY: [CODE] as the hook; the prototype of the anchor is known.
        unsafe {
            let Some(w) = self.watch.as_mut() else {
                return;
            };
            if let Some([at, to, next]) = w.last
                && (pc == to || pc == next)
            {
                self.profile.entry(at as usize).or_default()[usize::from(pc == next)] += 1;
            }
            let next = pc.add(dispatch::op_at(pc).words());
            w.last = select::target(pc).map(|to| [pc, to, next]);
            w.left -= 1;
            if w.left > 0 {
                return;
            }
            let anchor = w.anchor;
            self.watch = None;
            self.stop();
            if !anchor.is_null() && jithooks_is_counter(anchor) {
                jithooks::set_counter(anchor, 1);
            }
        }
    }

    unsafe fn stop(&mut self) {
        // SAFETY: the state is live.
        unsafe {
            if let Some(began) = self.began.take() {
                self.stats.record_ns += began.elapsed().as_nanos() as u64;
            }
            let g = &mut *self.g;
            g.recording = false;
            dispatch::follow_recording(g.hot.current);
        }
    }

    /// Gives the recording up.
    pub(crate) unsafe fn abort(&mut self, why: Abort) {
        // SAFETY: as `stop`.
        unsafe {
            self.tell(What::Abort(why));
            let Some(r) = self.recorder.take() else {
                return;
            };
            self.stop();
            self.stats.abort(why, &r);
            self.dump.abort(&r, why);
            tracing::debug!(target: "record", "{:?} given up: {}", r.kind, why.text());
            self.punish(&r, why);
        }
    }

    /// Sets the counter of a place where a recording has failed.
    unsafe fn punish(&mut self, r: &Recorder, why: Abort) {
        // SAFETY: [CODE] the anchor is in code that the running frame or its callers keep alive.
        unsafe {
            let random = (self.rand() & 15) as u16;
            let first = matches!(why, Abort::CalleeFirst | Abort::OuterFirst);
            let wait = first && self.hurry(r.first);
            match r.kind {
                Kind::Side { parent, exit } => {
                    let t = self.trace(parent);
                    // try again much later
                    t.counts[exit as usize] = 0;
                    let key = t.stubs[exit as usize] as usize;
                    self.penalties.entry(key).or_default().count(wait);
                }
                Kind::Cont { call } => {
                    let p = self.penalties.entry(call as usize).or_default();
                    p.count(wait);
                }
                Kind::Event { word } => {
                    let p = self.penalties.entry(word as usize).or_default();
                    p.count(wait);
                }
                _ => {
                    let p = self.penalties.entry(r.anchor as usize).or_insert(Penalty {
                        counter: 32,
                        ..Penalty::default()
                    });
                    p.tries += 1;
                    if why != Abort::InnerLoop || p.tries > 8 {
                        p.counter = (p.counter.saturating_mul(2)).min(60000) + random;
                    }
                    if jithooks_is_counter(r.anchor) {
                        jithooks::set_counter(r.anchor, p.counter);
                    }
                }
            }
            self.reinstate(r.kind, r.start_pc);
        }
    }

    // ---- joins --------------------------------------------------------------------------------------------------------

    /// The exit of the tree `root` at `pc` is one too many that an access to a table there has caused: the tree is to be recorded anew, with
    /// what is there looked up (`record::join`), or left to the helper.
    unsafe fn is_join(&mut self, root: u16, pc: *const Instr) -> bool {
        // SAFETY: [CODE] the exit goes on there.
        let most = match unsafe { dispatch::op_at(pc) } {
            Op::GetField | Op::SetField => self.params.maxshapes,
            // a shape tells the function that is called, too: to guard that instead is worth it only if there are very many
            Op::SelfGet => self.params.maxshapes.saturating_mul(10),
            Op::GetIndex | Op::SetIndex | Op::GetInt | Op::SetInt | Op::Len => u32::MAX,
            _ => return false,
        };
        let n = self.sites.entry((root, pc as usize)).or_insert(0);
        *n += 1;
        // the helper takes whatever comes
        let all = match most {
            u32::MAX => self.params.maxshapes.saturating_mul(4),
            _ => self.params.maxshapes.saturating_mul(12),
        };
        let helped = *n >= all && self.helped.insert(pc as usize);
        if !helped && (*n < most || !self.joins.insert(pc as usize)) {
            return false;
        }
        let t = self.traces[root as usize].as_mut().expect("alive");
        let times = self.renewed.entry(t.start_pc as usize).or_insert(0);
        if *times >= MAX_RENEWED {
            return false;
        }
        *times += 1;
        t.retired = true;
        let (anchor, proto, kind) = (t.anchor, t.proto, t.kind);
        // SAFETY: [CODE] the trace keeps its code alive.
        unsafe {
            if !anchor.is_null() {
                jithooks::set_entry(anchor, proto, None, 1);
            }
            self.set_return(kind, 0);
        }
        true
    }

    /// The trace `number`, a root, takes the place of those that were retired in its favour.
    fn replace_retired(&mut self, number: u16) -> Result<(), Abort> {
        let t = self.traces[number as usize].as_ref().expect("made");
        let (kind, start, entry) = (t.kind, t.start_pc, t.entry);
        if let Some(old) = self.retired(kind, start) {
            let at = old.entry;
            (old.retired, old.anchor) = (false, std::ptr::null_mut());
            old.link = Link::Entry {
                address: entry,
                base: 0,
            };
            let jump = traceorus_asm::Host::link_stub(at, entry);
            self.area.patch(at, jump.ok_or(Abort::CodeMemory)?)?;
        }
        Ok(())
    }

    /// The root of this kind that was retired and has not been replaced.
    fn retired(&mut self, kind: Kind, start: *const Instr) -> Option<&mut Trace> {
        let is = |t: &&mut Box<Trace>| t.retired && t.kind == kind && t.start_pc == start;
        let t = self.traces.iter_mut().flatten().find(is);
        t.map(|t| &mut **t)
    }

    /// A root could not be recorded: the one that was retired for it is entered again.
    unsafe fn reinstate(&mut self, kind: Kind, start: *const Instr) {
        let Some(t) = self.retired(kind, start) else {
            return;
        };
        t.retired = false;
        let (anchor, proto, n, entry) = (t.anchor, t.proto, t.number, t.entry);
        self.renewed.insert(start as usize, MAX_RENEWED);
        // SAFETY: [CODE] the trace keeps its code alive.
        unsafe {
            self.set_return(kind, entry);
            if !anchor.is_null() {
                jithooks::set_entry(anchor, proto, Some(n), 0);
            }
        }
    }

    /// Returns to what the continuation of this kind follows go to `entry`; 0: to the interpreter.
    unsafe fn set_return(&mut self, kind: Kind, entry: u64) {
        match kind {
            // SAFETY: [CODE] the trace keeps its code alive.
            Kind::Cont { call } => unsafe { jithooks::set_continuation(call.cast_mut(), entry) },
            Kind::Event { word } => {
                let at = &mut self.events_table[lower::event_index(word)];
                if entry != 0 {
                    *at = [word, entry];
                } else if at[0] == word {
                    *at = [0; 2];
                }
            }
            _ => {}
        }
    }

    /// Has the function with this header, or the loop, recorded at its next call or iteration. False: that has failed too often.
    unsafe fn hurry(&mut self, anchor: *mut Instr) -> bool {
        // SAFETY: [CODE] the anchor is in code that the recording kept alive.
        unsafe {
            let may = may_hurry(&self.penalties, &self.params, anchor);
            if may {
                jithooks::set_counter(anchor, 1);
            }
            may
        }
    }

    /// One step of the recording; see `JitHooks::record`.
    unsafe fn record(&mut self, l: *mut Thread, pc: *const Instr) -> *const Instr {
        // SAFETY: as the hook.
        unsafe {
            if self.watch.is_some() {
                self.watching(pc);
                return pc;
            }
            let Some(r) = self.recorder.as_mut() else {
                self.stop();
                return pc;
            };
            let g = &*self.g;
            if g.hot.activation != r.activation {
                // a callback of a native function, or what entered us has been left
                let mut a = g.hot.activation;
                while !a.is_null() {
                    if a == r.activation {
                        return pc;
                    }
                    a = (*a).prev;
                }
                self.abort(Abort::OtherThread);
                return pc;
            }
            if (*l).hook_mask != 0 {
                self.abort(Abort::HookSet);
                return pc;
            }
            if std::mem::take(&mut r.disturbed) {
                self.abort(Abort::Disturbed);
                return pc;
            }
            // what they changed the trace does not know, unless it happened in a helper, after which it knows nothing
            let in_helper = matches!(r.pending, Pending::Generic { quiet: false, .. });
            if std::mem::replace(&mut r.finalizer_runs, g.finalizer_runs) != g.finalizer_runs
                && !in_helper
            {
                self.abort(Abort::Finalizers);
                return pc;
            }
            if l != r.l && !matches!(r.pending, Pending::Generic { quiet: false, .. }) {
                self.abort(Abort::OtherThread);
                return pc;
            }
            let res = self.record_step(pc);
            match res {
                Ok(Step::More) => {}
                Ok(Step::Stop(link)) => {
                    if let Err(why) = self.compile(link) {
                        self.abort(why);
                    } else {
                        self.stop();
                    }
                }
                Err(why) => self.abort(why),
            }
            pc
        }
    }

    unsafe fn record_step(&mut self, pc: *const Instr) -> Result<Step, Abort> {
        // SAFETY: as `record`.
        unsafe {
            let r = self.recorder.as_mut().expect("recording");
            if r.skips(pc) {
                return Ok(Step::More);
            }
            if let Step::Stop(link) = r.step(pc)? {
                return Ok(Step::Stop(link));
            }
            if (*r.frame().proto).jit & PROTO_OFF != 0 {
                return Err(Abort::SwitchedOff);
            }
            if r.nbc > 1 {
                if let Some(stop) = r.at_start(pc)? {
                    return Ok(stop);
                }
                // another compiled loop begins here
                if let Some(&n) = self.by_start.get(&(pc as usize)) {
                    let t = self.traces[n as usize].as_ref().expect("alive");
                    let (entry, own) = (t.entry, t.anchor == r.anchor);
                    let mut short = r.is_short_loop(t.anchor);
                    if short && r.kind != Kind::Loop {
                        // better one trace of the loop around than two that meet here
                        let outer = r.outer_loop(pc);
                        if !outer.is_null() && may_hurry(&self.penalties, &self.params, outer) {
                            r.first = outer;
                            return Err(Abort::OuterFirst);
                        }
                        short = false;
                    }
                    // those of coroutines that a loop resumes become parts of it
                    if !own && !short && !r.elsewhere() {
                        if r.kind != Kind::Loop {
                            let base = r.base();
                            // the exit may be in front of the loop's own
                            r.poll(pc)?;
                            r.flush_all(pc)?;
                            return Ok(Step::Stop(Link::Entry {
                                address: entry,
                                base,
                            }));
                        }
                        return Err(Abort::InnerLoop);
                    }
                }
            }
            self.dump.bytecode(r, pc);
            r.leaving(pc)?;
            let step = r.instruction(pc)?;
            Ok(r.end.map_or(step, Step::Stop))
        }
    }

    // ---- compilation ------------------------------------------------------------------------------------------------------

    fn free_number(&mut self) -> Result<u16, Abort> {
        if let Some(n) = (1..self.traces.len()).find(|&n| self.traces[n].is_none()) {
            return Ok(n as u16);
        }
        if self.traces.len() > self.params.maxtrace as usize {
            return Err(Abort::TooManyTraces);
        }
        self.traces.push(None);
        Ok((self.traces.len() - 1) as u16)
    }

    /// Makes the recording a trace.
    unsafe fn compile(&mut self, link: Link) -> Result<(), Abort> {
        // SAFETY: [CODE] as the callers.
        unsafe {
            let began = Instant::now();
            let number = self.free_number()?;
            let parent_spills = match self.recorder.as_ref().expect("recording").kind {
                Kind::Side { parent, .. } => self.trace(parent).spills,
                _ => 0,
            };
            let (area, thunks) = (&mut self.area, self.thunks.as_ref());
            let thunks = thunks.expect("made for the recording");
            let r = self.recorder.as_mut().expect("recording");
            r.drop_poll();
            opt::finish(&mut r.opt, &mut r.buf);
            #[cfg(debug_assertions)]
            if let Err(what) = crate::ir::verify::verify(&r.buf) {
                let ir = crate::ir::print::print(&r.buf, Default::default());
                panic!("trace {number}: {what}\n{ir}");
            }
            self.dump.ir(number, r);
            let address = area.next_address();
            let input = CodeInput {
                ir: &r.buf,
                link,
                inherited: &r.inherited,
                parent_spills,
                trace: number,
                down: r.down(),
                address,
                thunks,
            };
            self.dump.allocation(number, || {
                lower::print_allocation::<traceorus_asm::Host>(&input, &[])
                    .unwrap_or_else(|why| format!("none: {}\n", why.text()))
            });
            let out = lower::assemble::<traceorus_asm::Host>(&input)?;
            area.install(&out.bytes)?;
            self.tell(What::Stop(number));
            let r = self.recorder.take().expect("recording");
            let root = match r.kind {
                Kind::Side { parent, .. } => self.trace(parent).root,
                _ => number,
            };
            let map = if self.lines {
                places::code_map(&r.buf, r.start_pc as u64, &out.ins_offsets)
            } else {
                Vec::new()
            };
            let n = r.buf.snaps.len();
            let proto = r.protos[0];
            let mut keep = r.keep.clone();
            for k in &r.buf.konsts {
                if k.ty.is_gc() && k.bits != 0 {
                    keep.push(Value::new(k.bits, k.ty.tag().expect("an object")));
                }
            }
            let t = Box::new(Trace {
                number,
                kind: r.kind,
                root,
                start_pc: r.start_pc,
                anchor: r.anchor,
                proto,
                link,
                exits: out.exits,
                counts: vec![0; n],
                taken: vec![0; n],
                sides: vec![0; n],
                address,
                bytes: out.bytes.len() as u32,
                entry: address + u64::from(out.entry),
                stubs: out.stubs.iter().map(|&s| address + u64::from(s)).collect(),
                polls: polls(&r.buf),
                checks: checks(&r.buf),
                spills: out.spills,
                nsides: 0,
                keep,
                protos: r.protos.clone(),
                alive: true,
                slots: slot_facts(&r.buf, &r.inherited_facts),
                retired: false,
                ir: r.buf.clone(),
                map,
                helpers: r.performed.clone(),
            });
            self.stats.compiled(&r, &t);
            self.dump.trace(&r, &t);
            let code = Code {
                bytes: &out.bytes,
                ir: &t.ir,
                at: &out.ins_offsets,
                loop_head: out.loop_head,
            };
            if self.dump.wants(dump::MC) {
                self.symbols.add_constants(&t.ir);
                self.dump.machine_code(&t, &code, &self.symbols);
                self.symbols.add(t.entry, format!("trace_{number}"));
            }
            self.outputs.compiled(&t, code.bytes);
            tracing::debug!(target: "compile", number, kind = ?t.kind, ir = t.ir.len(), bytes = t.bytes, "compiled");
            self.entries[number as usize] = t.entry;
            for &p in &t.protos {
                jithooks::set_proto_jit(&mut *self.g, p, (*p).jit | PROTO_KNOWN);
            }
            let entry = t.entry;
            self.traces[number as usize] = Some(t);
            self.replace_retired(number)?;
            match r.kind {
                Kind::Side { parent, exit } => {
                    let root = self.trace(parent).root;
                    self.trace(root).nsides += 1;
                    let p = self.trace(parent);
                    p.sides[exit as usize] = number;
                    let stub = p.stubs[exit as usize];
                    let jump = traceorus_asm::Host::link_stub(stub, entry);
                    self.area.patch(stub, jump.ok_or(Abort::CodeMemory)?)?;
                }
                Kind::Loop => {
                    self.by_start.insert(r.start_pc as usize, number);
                    jithooks::set_entry(r.anchor, proto, Some(number), 0);
                }
                Kind::Func => {
                    self.funcs.insert(proto as usize, (entry, r.recursive));
                    jithooks::set_entry(r.anchor, proto, Some(number), 0);
                }
                Kind::Cont { .. } | Kind::Event { .. } => self.set_return(r.kind, entry),
            }
            self.stats.compile_ns += began.elapsed().as_nanos() as u64;
            Ok(())
        }
    }

    /// An exit has been taken and the interpreter restored: count it, perhaps record what follows. `full`: it was for want of room on the stack.
    pub(crate) unsafe fn exited(
        &mut self,
        l: *mut Thread,
        n: u16,
        exit: u16,
        pc: *const Instr,
        full: bool,
    ) {
        // SAFETY: [CODE] `l` goes on at `pc`.
        unsafe {
            let hotexit = self.params.hotexit;
            let (maxside, on) = (self.params.maxside, self.params.on);
            let maxtries = self.params.maxtries;
            let t = self.trace(n);
            // what follows is for the interpreter: a trace would end there at once
            let end = t.link == Link::Exit && exit as usize + 1 == t.exits.len();
            t.taken[exit as usize] = t.taken[exit as usize].saturating_add(1);
            if full {
                return;
            }
            let c = &mut t.counts[exit as usize];
            *c = c.saturating_add(1);
            if u32::from(*c) < hotexit || end || !on || (*l).hook_mask != 0 {
                return;
            }
            *c = 0;
            let stub = t.stubs[exit as usize] as usize;
            let (root, taken) = (t.root, t.taken[exit as usize]);
            let tree = self.trace(root);
            if tree.retired || tree.nsides >= maxside || (*self.g).recording {
                return;
            }
            if self.is_join(root, pc) {
                return;
            }
            let tries = self.penalties.get(&stub).map_or(0, |p| p.tries);
            // with each further failure it takes twice as many exits to try again
            if tries >= maxtries && taken < hotexit.saturating_mul(64) << (tries - maxtries).min(8)
            {
                return;
            }
            let kind = Kind::Side { parent: n, exit };
            let _ = self.start(l, kind, std::ptr::null_mut(), pc);
        }
    }

    /// Compiled code has returned to the call at `call`, which has no continuation. Gives the pc to go on at.
    pub(crate) unsafe fn returned(&mut self, l: *mut Thread, call: *const Instr) -> *const Instr {
        // SAFETY: [CODE] `l` goes on behind the call.
        unsafe {
            let next = call.add(dispatch::op_at(call).words());
            let n = self.returns.entry(call as usize).or_insert(0);
            *n += 1;
            if *n >= self.params.hotexit
                && self.params.on
                && (*l).hook_mask == 0
                && !(*self.g).recording
            {
                *n = 0;
                let tries = self.penalties.get(&(call as usize)).map_or(0, |p| p.tries);
                if tries < self.params.maxtries {
                    let _ = self.start(l, Kind::Cont { call }, std::ptr::null_mut(), next);
                }
            }
            next
        }
    }

    /// Compiled code has returned from a metamethod to the instruction at `pc`, which has no continuation (or another has its place in the table). `word` is the
    /// frame word; the result is in the slot below the frame.
    pub(crate) unsafe fn event_returned(&mut self, l: *mut Thread, word: u64, pc: *const Instr) {
        let kind = Kind::Event { word };
        let mut traces = self.traces.iter().flatten();
        if let Some(t) = traces.rfind(|t| t.alive && !t.retired && t.kind == kind) {
            let entry = t.entry;
            // SAFETY: as `set_return`.
            unsafe { self.set_return(kind, entry) };
            return;
        }
        let n = self.returns.entry(word as usize).or_insert(0);
        *n += 1;
        // SAFETY: [CODE] `l` goes on with what the instruction does with the result.
        unsafe {
            if *n >= self.params.hotexit
                && self.params.on
                && (*l).hook_mask == 0
                && !(*self.g).recording
            {
                *n = 0;
                let tries = self.penalties.get(&(word as usize)).map_or(0, |p| p.tries);
                if tries < self.params.maxtries {
                    let _ = self.start(l, kind, std::ptr::null_mut(), pc);
                }
            }
        }
    }

    /// Removes every trace; those that wait for a call to return are left then. Code memory is not used again.
    ///
    /// # Safety
    /// The state is live.
    pub unsafe fn flush(&mut self) {
        // SAFETY: [CODE] anchors are in live code.
        unsafe {
            if self.recorder.is_some() {
                self.abort(Abort::SwitchedOff);
            }
            for n in 1..self.traces.len() {
                self.unlink(n as u16);
            }
            self.disturb();
            self.tell(What::Flush);
        }
    }

    /// Traces that wait for a call to return are left then: what they know of frames and constants may be wrong.
    unsafe fn disturb(&mut self) {
        if let Some(r) = self.recorder.as_mut() {
            r.disturbed = true;
        }
        // SAFETY: the state is live.
        unsafe { (*self.g).hot.jit_scratch[3] = 1 }
    }

    /// No instruction enters the trace any more.
    pub(crate) unsafe fn unlink(&mut self, n: u16) {
        // SAFETY: as `flush`.
        unsafe {
            let Some(t) = self.traces[n as usize].as_mut() else {
                return;
            };
            if !t.alive {
                return;
            }
            self.stats.trace_gone(t);
            t.alive = false;
            t.retired = false;
            if !t.anchor.is_null() {
                let hot = self.params.hotloop as u16;
                jithooks::set_entry(t.anchor, t.proto, None, hot);
            }
            let start = t.start_pc as usize;
            if self.by_start.get(&start) == Some(&n) {
                self.by_start.remove(&start);
            }
            match t.kind {
                // others may have taken its place
                Kind::Func => {
                    let proto = t.proto as usize;
                    if self.funcs.get(&proto).is_some_and(|f| f.0 == t.entry) {
                        self.funcs.remove(&proto);
                    }
                }
                Kind::Cont { call } if jithooks::continuation(call) == t.entry => {
                    jithooks::set_continuation(call.cast_mut(), 0);
                }
                Kind::Event { .. } => {
                    let kind = t.kind;
                    self.set_return(kind, 0);
                }
                _ => {}
            }
        }
    }
}

/// What begins at `anchor` may be recorded soon: it counts, and that has not failed too often.
unsafe fn may_hurry(
    penalties: &HashMap<usize, Penalty>,
    params: &Params,
    anchor: *mut Instr,
) -> bool {
    let tried = penalties.get(&(anchor as usize)).map_or(0, |p| p.tries);
    // SAFETY: [CODE] the anchor is in code that the recording keeps alive.
    tried <= 2 && params.hotcall != NEVER && unsafe { jithooks_is_counter(anchor) }
}

/// Whether the word at `anchor` still counts (it does not enter a trace).
unsafe fn jithooks_is_counter(anchor: *mut Instr) -> bool {
    // SAFETY: [CODE] as the callers.
    unsafe {
        let op = dispatch::exact_op_of(traceorus_base::bytecode::op_field(*anchor));
        op.original() == op
    }
}

// ---- hooks ----------------------------------------------------------------------------------------------------------------

unsafe fn hot(data: *mut u8, l: *mut Thread, anchor: *mut Instr, start: *const Instr) {
    // SAFETY: [CODE] as the hook promises.
    unsafe {
        let jit = &mut *data.cast::<Jit>();
        let func = matches!(dispatch::op_at(anchor), Op::FuncF | Op::FuncV);
        let n = match func {
            true => jit.params.hotcall,
            false => jit.params.hotloop,
        };
        jithooks::set_counter(anchor, n as u16);
        // a function trace does not know how many arguments `...` has: helpers would do what handlers do faster
        let vararg = dispatch::op_at(anchor) == Op::FuncV;
        let never = func && (vararg || jit.params.hotcall == NEVER);
        if !jit.params.on || never || (*jit.g).recording {
            return;
        }
        let proto = {
            let closure = (*(*l).base.sub(1)).payload as *mut LuaClosure;
            (*closure).proto
        };
        if (*proto).jit & PROTO_OFF != 0 {
            // asks again now and then
            jithooks::set_counter(anchor, 0xFFFE);
            return;
        }
        if jit.explain && !jit.hot_protos.contains(&proto) {
            jit.hot_protos.push(proto);
            jithooks::set_proto_jit(&mut *jit.g, proto, (*proto).jit | PROTO_KNOWN);
        }
        if jit.watches(l, proto, anchor, start) {
            return;
        }
        let kind = if func { Kind::Func } else { Kind::Loop };
        let _ = jit.start(l, kind, anchor, start);
    }
}

unsafe fn record(data: *mut u8, l: *mut Thread, pc: *const Instr) -> *const Instr {
    // SAFETY: as the hook promises.
    unsafe { (*data.cast::<Jit>()).record(l, pc) }
}

unsafe fn raising(data: *mut u8, l: *mut Thread) {
    // SAFETY: as the hook promises.
    unsafe {
        let jit = &mut *data.cast::<Jit>();
        let Some(r) = jit.recorder.as_ref() else {
            return;
        };
        let g = &*jit.g;
        // errors in callbacks that are caught there do not concern us; others unwind to our frames, where the pc tells
        if g.hot.activation == r.activation && l == g.hot.current && !r.is_caught(l) {
            jit.abort(Abort::ErrorRaised);
        }
    }
}

unsafe fn mark(data: *mut u8, m: &mut Marker<'_>) {
    // SAFETY: [GC-LIVE] constants of traces and recordings.
    unsafe {
        let jit = &mut *data.cast::<Jit>();
        for e in jit.events.iter().flatten() {
            m.value(e.func);
        }
        for &s in jit.chars.strings() {
            m.value(Value::ptr(s, Tag::STRING));
        }
        if let Some(r) = &jit.recorder {
            for k in &r.buf.konsts {
                if k.ty.is_gc() && k.bits != 0 {
                    m.value(Value::new(k.bits, k.ty.tag().expect("an object")));
                }
            }
            for &v in &r.keep {
                m.value(v);
            }
            for &p in &r.protos {
                m.value(Value::ptr(p, Tag::PROTO));
            }
        }
        for t in jit.traces.iter().flatten() {
            if !t.alive {
                continue;
            }
            for &v in &t.keep {
                m.value(v);
            }
            for &p in &t.protos {
                m.value(Value::ptr(p, Tag::PROTO));
            }
        }
    }
}

unsafe fn disturbed(data: *mut u8, constant: bool) {
    // SAFETY: as the hook promises.
    unsafe {
        let jit = &mut *data.cast::<Jit>();
        jit.disturb();
        if constant {
            jit.flush();
        }
    }
}

unsafe fn proto_freed(data: *mut u8, p: *mut Proto) {
    // SAFETY: as the hook promises: the code is still intact.
    unsafe {
        let jit = &mut *data.cast::<Jit>();
        let (from, to) = {
            let code = (*p).code as usize;
            (code, code + 8 * (*p).ncode as usize)
        };
        jit.hot_protos.retain(|&q| q != p);
        let other = |at: usize| !(from..to).contains(&at);
        jit.penalties.retain(|&at, _| other(at));
        jit.sites.retain(|&(_, at), _| other(at));
        jit.renewed.retain(|&at, _| other(at));
        jit.joins.retain(|&at| other(at));
        jit.helped.retain(|&at| other(at));
        jit.profile.retain(|&at, _| other(at));
        jit.watched.retain(|&at| other(at));
        if let Some(w) = &mut jit.watch
            && !other(w.anchor as usize)
        {
            w.anchor = std::ptr::null_mut();
        }
        for n in 1..jit.traces.len() {
            if jit.traces[n]
                .as_ref()
                .is_some_and(|t| t.alive && t.protos.contains(&p))
            {
                jit.unlink(n as u16);
            }
        }
    }
}

unsafe fn close(data: *mut u8) {
    // SAFETY: made by `install`; nothing is called after this.
    unsafe {
        let mut jit = Box::from_raw(data.cast::<Jit>());
        if let Some(f) = jit.at_close.take() {
            f(&mut jit);
        }
        report::finish(&mut jit, None);
        let g = &mut *jit.g;
        g.hot.traces = std::ptr::null();
        drop(jit);
    }
}

// ---- polls ------------------------------------------------------------------------------------------------------------------

impl Jit {
    /// A POLL found work: the state has been written back. True: the trace may go on.
    pub(crate) unsafe fn collect(&mut self, l: *mut Thread, roots: &[(Value, ())]) -> bool {
        // SAFETY: [GC-LIVE] [GC-SAFEPOINT] live slots are on the stack, everything else that the trace has is in `roots`.
        unsafe {
            self.roots.clear();
            self.roots.extend(roots.iter().map(|r| r.0));
            let g = &mut *self.g;
            g.extra_roots = (self.roots.as_ptr(), self.roots.len());
            let more = exec::collect_at_poll(l);
            (*self.g).extra_roots = (std::ptr::null(), 0);
            !more
        }
    }
}

/// Places and types that a side trace takes over from an exit.
pub(crate) fn inherited(
    t: &Trace,
    exit: u16,
) -> impl Iterator<Item = (usize, Inherited, Inherited)> + '_ {
    let entries = t.ir.snap_entries(SnapNo(exit));
    let map = &t.exits[exit as usize];
    entries
        .iter()
        .zip(&map.slots)
        .enumerate()
        .map(|(i, (e, s))| {
            let ty = if e.val.is_none() {
                Ty::Void
            } else {
                t.ir.ty(e.val)
            };
            let val = Inherited { loc: s.val, ty };
            let tag = Inherited {
                loc: s.tag,
                ty: if s.word { Ty::Word } else { Ty::Tag },
            };
            let _ = Loc::None;
            (i, val, tag)
        })
}
