//! The state machine and policy: when to record, what to do with what was recorded, which traces there are.

use rustc_hash::{FxHashMap, FxHashSet};
use std::ops::Range;
use std::sync::atomic::AtomicU32;
use std::time::Instant;

use traceorus_base::bytecode::Op;
use traceorus_base::objects::*;
use traceorus_base::{Value, frame};
use traceorus_vm::dispatch;
use traceorus_vm::state::Global;

use crate::abort::Abort;
use crate::chars::Chars;
use crate::config::{Config, StatsConfig};
use crate::dump::{Dump, Symbols};
use crate::events::{Event, What};
use crate::hooks;
use crate::index::Index;
use crate::kept::Kept;
use crate::loc::Link;
use crate::lower::{self, CodeArea, RustEntry, Thunks};
use crate::outputs::Outputs;
use crate::params::{Params, dump};
use crate::policy::{Penalty, may_hurry, processor_time};
use crate::record::select::Profile;
use crate::record::{Kind, Pending, Recorder, Recursion, Step, Told};
use crate::replay::Replay;
use crate::short::Short;
use crate::stats::Stats;
use crate::traces::{PROTO_OFF, Trace};
use crate::watch::Watch;

/// Numbers that traces can have.
pub(crate) const MAX_TRACES: usize = (1 << 16) - 1;

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

/// The trace compiler of one state.
pub struct Jit {
    /// Switches and numbers.
    pub params: Params,
    /// Counters for reports.
    pub stats: Stats,
    /// Traces by number; number 0 is none.
    pub traces: Vec<Option<Box<Trace>>>,
    /// What is asked about all of them.
    pub(crate) index: Index,
    /// Trees whose entries are closed until they are used, by anchor or pc of the call; see [`crate::trees`].
    pub(crate) asleep: FxHashMap<usize, u16>,
    /// Exits that have code of their own, by trace and exit.
    pub(crate) shorts: FxHashMap<(u16, u16), Short>,
    /// Side traces of a root that begin at a pc, each on another way there; at calls, all of them. See [`crate::meet`].
    pub(crate) starts: FxHashMap<(u16, usize), u32>,
    /// Traces that begin where ways meet, by pc; see [`crate::meet`].
    pub(crate) meets: FxHashMap<usize, u16>,
    /// What compiled code counts down when it returns to a call without continuation; see [`Jit::returned`].
    pub(crate) returns_left: Box<AtomicU32>,
    /// Objects that traces keep alive, those that are not freed yet included.
    pub(crate) kept: Kept,
    /// Traces that were removed, and are not freed yet.
    pub(crate) dead: Vec<u16>,
    /// Ticks whenever a tree is made or woken.
    pub(crate) clock: u64,
    /// Traces made or refused since trees were last put to sleep.
    pub(crate) made_since_nap: usize,
    /// The loop that is recorded is another way through one that has a trace: for the end of this side trace, see [`Jit::other_way`].
    pub(crate) way_for: Option<u16>,
    /// What recordings have cost, in microseconds, and more for trees that lose: see [`Recorder::cost_us`].
    pub(crate) spent_us: u64,
    /// Processor time when the state was made.
    pub(crate) born_us: u64,
    /// Requests to record that are refused without looking at the clock.
    pub(crate) wait: u32,
    pub(crate) g: *mut Global,
    pub(crate) entries: Vec<u64>,
    pub(crate) recorder: Option<Box<Recorder>>,
    /// Root traces of loops by their first pc.
    pub(crate) by_start: FxHashMap<usize, u16>,
    /// Compiled functions by prototype: address of the entry, and whether it calls itself.
    pub(crate) funcs: FxHashMap<usize, (u64, Recursion)>,
    /// Header of the function that the instruction at which a recording has just failed is about to enter, and that was to be compiled
    /// first; null: none.
    pub(crate) entering: *mut Instr,
    /// How often compiled code returned to a call without continuation.
    pub(crate) returns: FxHashMap<usize, u32>,
    pub(crate) penalties: FxHashMap<usize, Penalty>,
    /// Side traces that begin at an instruction, by root trace and instruction.
    pub(crate) sites: FxHashMap<(u16, usize), u32>,
    /// Closures of a prototype (the second) that had been made when an exit at a method call (the first) was last looked at.
    pub(crate) instances: FxHashMap<(usize, usize), u32>,
    /// Instructions at which shapes are not guarded; see `record::join`.
    pub(crate) joins: FxHashSet<usize>,
    /// Instructions that are left to their helpers; see [`Jit::is_join`].
    pub(crate) helped: FxHashSet<usize>,
    /// By instruction, the metatable of the table that the latest exit to it found there, and how often it was another one than before.
    pub(crate) metatables: FxHashMap<usize, (usize, u32)>,
    /// Calls at which closures are told by their prototype only; see [`Jit::meets_other_closure`].
    pub(crate) by_prototype: FxHashSet<usize>,
    /// What traces guard of closures, by instruction and prototype; the last one counts.
    pub(crate) told: FxHashMap<(usize, usize), Told>,
    /// Exits of a tree at a call that has met another closure than the one that was guarded.
    pub(crate) misses: FxHashMap<(u16, usize), u32>,
    /// Continuations of instructions that have called metamethods: frame word, address.
    pub(crate) events_table: Box<[[u64; 2]; lower::EVENTS]>,
    /// All of them whose trees can be entered, by frame word: the table has room for one at a place.
    pub(crate) event_entries: FxHashMap<u64, u64>,
    /// How the branches of loops that became hot went for a while.
    pub(crate) profile: Profile,
    pub(crate) watch: Option<Watch>,
    /// Anchors that need no more watching.
    pub(crate) watched: FxHashSet<usize>,
    /// How often the root trace with this first instruction was recorded anew.
    pub(crate) renewed: FxHashMap<usize, u32>,
    pub(crate) area: CodeArea,
    /// What all traces share, made for the first recording.
    pub(crate) thunks: Option<Thunks>,
    /// Where code may lie.
    pub(crate) code: Range<u64>,
    /// Dumps.
    pub dump: Dump,
    pub(crate) symbols: Symbols,
    /// What is told to other programs.
    pub outputs: Outputs,
    /// Source lines of machine code are kept.
    pub(crate) lines: bool,
    /// There will be a report.
    pub(crate) reports: bool,
    /// What is executed is counted.
    pub(crate) counts: bool,
    pub(crate) replay: Replay,
    /// Functions that became hot are kept in mind.
    pub(crate) explain: bool,
    /// Those functions.
    pub(crate) hot_protos: Vec<*mut Proto>,
    /// What is to be told to functions that `jit.attach` was given; see [`crate::events`].
    pub(crate) events: Option<Vec<Event>>,
    /// Where statistics go, until they have been written.
    pub(crate) stats_config: Option<StatsConfig>,
    /// Called once, when something is hot for the first time, before the compiler does anything.
    pub at_first: Option<fn()>,
    /// Called when the state is closed, while its objects are still there.
    pub at_close: Option<fn(&mut Jit)>,
    /// When the recording began, by the clock on the wall and in processor time.
    pub(crate) began: Option<(Instant, u64)>,
    pub(crate) roots: Vec<Value>,
    pub(crate) chars: Chars,
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
            index: Index::default(),
            asleep: FxHashMap::default(),
            shorts: FxHashMap::default(),
            meets: FxHashMap::default(),
            starts: FxHashMap::default(),
            returns_left: Box::new(AtomicU32::new(1)),
            kept: Kept::default(),
            dead: Vec::new(),
            clock: 0,
            made_since_nap: usize::MAX,
            way_for: None,
            spent_us: 0,
            born_us: processor_time(),
            wait: 0,
            g,
            entries: Vec::new(),
            recorder: None,
            by_start: FxHashMap::default(),
            funcs: FxHashMap::default(),
            entering: std::ptr::null_mut(),
            returns: FxHashMap::default(),
            penalties: FxHashMap::default(),
            sites: FxHashMap::default(),
            instances: FxHashMap::default(),
            joins: FxHashSet::default(),
            helped: FxHashSet::default(),
            metatables: FxHashMap::default(),
            by_prototype: FxHashSet::default(),
            told: FxHashMap::default(),
            misses: FxHashMap::default(),
            events_table: Box::new([[0; 2]; lower::EVENTS]),
            event_entries: FxHashMap::default(),
            renewed: FxHashMap::default(),
            profile: FxHashMap::default(),
            watch: None,
            watched: FxHashSet::default(),
            area,
            thunks: None,
            code,
            dump: Dump::new(config, outputs.dump.clone()),
            symbols: Symbols::default(),
            outputs,
            lines: config.wants_lines(),
            reports: config.stats.is_some() || config.explain,
            counts: params.count != 0 || params.replay != 0,
            replay: Replay::default(),
            explain: config.explain,
            hot_protos: Vec::new(),
            events: None,
            stats_config: config.stats.clone(),
            at_first: None,
            at_close: None,
            began: None,
            roots: Vec::new(),
            chars: Chars::default(),
            seed: 1,
        }))
    }

    /// Makes what traces need. Programs without hot code do without its memory.
    #[inline(never)]
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
                returns_left: self.returns_left.as_ptr() as u64,
                resume: g.hot.resume as u64,
                disturbed_offset: DISTURBED,
                exit_left_offset: (self.params.exitrandom != 0)
                    .then_some(std::mem::offset_of!(GlobalHot, exit_left) as i32),
                entered: (self.params.replay != 0)
                    .then_some(crate::replay::entered as *const () as usize as u64),
                counts_offset: self
                    .counts
                    .then_some(std::mem::offset_of!(GlobalHot, counts) as i32),
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
            if self.counts {
                dispatch::count_instructions(g);
            }
            let data = Box::into_raw(self);
            g.jit = Some(hooks::of(data));
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

    pub(crate) fn rand(&mut self) -> u32 {
        self.seed = self
            .seed
            .wrapping_mul(1_664_525)
            .wrapping_add(1_013_904_223);
        self.seed >> 8
    }

    pub(crate) unsafe fn start(
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
            if let Err(why) = self.may_record(kind, anchor) {
                self.reinstate(kind, pc);
                return Err(why);
            }
            let mut r = Recorder::new(l, kind, anchor, pc, self.params);
            r.funcs = &raw const self.funcs;
            r.chars = &raw mut self.chars;
            r.joins = &raw const self.joins;
            r.helped = &raw const self.helped;
            r.by_prototype = &raw const self.by_prototype;
            r.profile = &raw const self.profile;
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
            self.entering = std::ptr::null_mut();
            (*self.g).recording = true;
            dispatch::follow_recording(l);
            self.stats.recordings += 1;
            self.began = Some((Instant::now(), processor_time()));
            self.tell(What::Start);
            Ok(())
        }
    }

    pub(crate) unsafe fn stop(&mut self) {
        // SAFETY: the state is live.
        unsafe {
            if let Some((began, _)) = self.began.take() {
                self.stats.record_ns += began.elapsed().as_nanos() as u64;
            }
            let g = &mut *self.g;
            g.recording = false;
            dispatch::follow_recording(g.hot.current);
        }
    }

    /// A recording has cost so much, in microseconds.
    fn charge(&mut self, us: u64) {
        self.spent_us += us;
        self.stats.cost_us += us;
    }

    /// Gives the recording up.
    pub(crate) unsafe fn abort(&mut self, why: Abort) {
        // SAFETY: as `stop`.
        unsafe {
            self.tell(What::Abort(why));
            self.way_for = None;
            let Some(r) = self.recorder.take() else {
                return;
            };
            self.stop();
            self.charge(r.cost_us());
            self.stats.abort(why, &r);
            self.dump.abort(&r, why);
            tracing::debug!(target: "record", "{:?} given up: {}", r.kind, why.text());
            self.punish(&r, why);
        }
    }

    /// One step of the recording; see `JitHooks::record`.
    pub(crate) unsafe fn record(&mut self, l: *mut Thread, pc: *const Instr) -> *const Instr {
        // SAFETY: as the hook.
        unsafe {
            if self.replays(l, pc) {
                return pc;
            }
            if self.watch.is_some() {
                self.watching(pc);
                return pc;
            }
            let Some(r) = self.recorder.as_mut() else {
                let entering = std::mem::replace(&mut self.entering, std::ptr::null_mut());
                self.stop();
                if !entering.is_null() && pc == entering.add(1) {
                    self.hot(l, entering, pc);
                    if self.recorder.is_some() {
                        return self.record(l, pc);
                    }
                }
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
            if dispatch::op_at(pc) == Op::ContCatch {
                // an error goes on, and says so itself
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
                    match self.compile(link) {
                        Err(why) => self.abort(why),
                        Ok(n) => {
                            self.stop();
                            let cost = self.trace(n).cost_us.into();
                            self.charge(cost);
                            if self.other_way(l, n, pc) {
                                // which begins with this instruction
                                return self.record(l, pc);
                            }
                        }
                    }
                }
                Err(why) => {
                    self.abort(why);
                    if !self.entering.is_null() {
                        // compiled code may get to all other calls before they are counted: this one is looked at
                        (*self.g).recording = true;
                        dispatch::follow_recording(l);
                    }
                }
            }
            pc
        }
    }

    pub(crate) unsafe fn record_step(&mut self, pc: *const Instr) -> Result<Step, Abort> {
        // SAFETY: as `record`.
        unsafe {
            let r = self.recorder.as_mut().expect("recording");
            if r.skips(pc) {
                return Ok(Step::More);
            }
            if let Step::Stop(link) = r.step(pc)? {
                return Ok(Step::Stop(link));
            }
            let (kind, base) = (r.kind, r.base());
            let loop_here = self.loop_at(kind, pc, base);
            let r = self.recorder.as_mut().expect("recording");
            if (*r.frame().proto).jit & PROTO_OFF != 0 {
                return Err(Abort::SwitchedOff);
            }
            if r.nbc > 1 || r.after_branch {
                if let Some(stop) = r.at_start(pc)? {
                    return Ok(stop);
                }
                // another compiled loop begins here
                if let Some(n) = loop_here {
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
                            let of = self.traces[r.through_of as usize].as_ref();
                            if let Some(body) = of
                                .filter(|t| t.start_pc == pc)
                                .and_then(|t| t.body.as_ref())
                                && r.reenter_loop(body, pc)?
                            {
                                return Ok(Step::Stop(Link::Body { address: body.head }));
                            }
                            r.flush_all(pc)?;
                            return Ok(Step::Stop(Link::Entry {
                                address: entry,
                                base,
                            }));
                        }
                        return Err(Abort::InnerLoop);
                    }
                } else if r.around == pc {
                    return Err(Abort::InnerLoop);
                }
            }
            // all ways lead to another trace from here on
            if let Some(&to) = self.meets.get(&(pc as usize))
                && r.may_meet(pc)
            {
                let to = self.traces[to as usize].as_ref().expect("alive");
                let (address, base) = (to.entry, r.base());
                r.poll(pc)?;
                r.flush_all(pc)?;
                return Ok(Step::Stop(Link::Entry { address, base }));
            }
            self.dump.bytecode(r, pc);
            r.leaving(pc)?;
            let step = r.instruction(pc)?;
            // the interpreter may have to do it
            let left =
                |s: &Step| matches!(s, Step::Stop(Link::Resume { pc: at, .. }) if *at == pc as u64);
            if !left(&step) {
                r.note_progress(r.begun);
            }
            Ok(r.end.map_or(step, Step::Stop))
        }
    }
}
