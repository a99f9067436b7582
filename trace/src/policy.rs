//! When to record: counters, what has become of earlier attempts, what recording may cost.
//!
//! **Failures.** A place where a recording failed is tried again after twice as many rounds each time; nothing is banned for ever.
//!
//! **Room and time.** No recording begins that could not become a trace: room is made first ([`crate::trees`]), or the place waits. Nor does
//! one begin while recording and compiling have taken more than their share of the run time (`maxcompile`). What they take is estimated from numbers of instructions:
//! so only when a recording begins may depend on the machine, and for programs that do not use up `freecompile` nothing does.
//!
//! **Loops with the wrong root.** A loop's trace follows the iteration that happened to be recorded. If that was a rare one, nearly every entry leaves in
//! the first iteration, before LOOP, and side traces would have to come back by way of the entry. So when an exit
//! before LOOP becomes hot while the exits behind it are rare, the trace is removed and the next iteration recorded in its place.
//!
//! **Loops with several ways.** The first iteration of a loop's trace checks the types of what comes in. Where other types come
//! in, a side trace of that iteration would lead back to the same check each time. So when a side trace from an exit of the
//! first iteration that looks at types comes to the loop's header, the next iteration is recorded as a loop of its own, and the side trace linked to that; so are further side
//! traces from there. Other side traces of such a loop go back to it, not to the first one. A tree has at most four, each of which is tried when the first
//! iteration of the one before has gone another way. A type that the body looks at in each iteration again says nothing of the next one, and is no reason for that.
//!
//! **Trees that lose.** An exit at which nothing is recorded any more (too many side traces, too many failures) gets code of its own ([`crate::short`]), but
//! costs as much as a dozen bytecode instructions all the same. A tree that is left in such a way again and again, with little time in between, is removed; its place counts
//! from a higher number. The time that it took to compile is counted several times then: programs in which many trees lose compile less.

use std::sync::atomic::Ordering;

use rustc_hash::FxHashMap;

use traceorus_base::Tag;
use traceorus_base::bytecode::{self as bc, Op};
use traceorus_base::objects::*;
use traceorus_vm::{dispatch, jithooks};

use crate::abort::Abort;
use crate::jit::Jit;
use crate::loc::Link;
use crate::meet::is_call;
use crate::params::Params;
use crate::record::{Kind, Recorder};
use crate::traces::{ExitState, PROTO_KNOWN, PROTO_OFF, Trace};

/// What happened at a place where recording was tried.
#[derive(Clone, Copy, Default)]
pub(crate) struct Penalty {
    /// Failures.
    pub tries: u32,
    /// Times that something else had to be compiled first.
    waits: u32,
    /// What the counter of a loop or function was set to last.
    counter: u16,
    /// Times that its trace was to be recorded anew.
    rerooted: u8,
}

/// So often a place waits for others; then each time counts as a failure.
const MAX_WAITS: u32 = 40;
/// So often the trace of a loop is recorded anew because another path is taken.
const MOST_ROOTS: u8 = 2;
/// So many traces of loops a tree may have.
const MOST_WAYS: usize = 4;
/// Lost exits are looked at when there have been so many more: enough that it does not depend on chance what becomes of a tree.
const LOST: u32 = 8192;
/// A tree loses if these took less time, in microseconds: 200 ns each. Leaving by a short exit and entering again costs a fifth of that, but traces that are left after some dozen instructions gain no more than that either.
const LOST_US: u64 = LOST as u64 * 200 / 1000;
/// What a tree that has lost took to compile counts so often once more.
const LOSS: u64 = 4;
/// Microseconds that a millisecond of `freecompile` stands for: unoptimised builds take longer, and are for tests, which want everything compiled.
const FREE_US: u64 = if cfg!(debug_assertions) {
    100_000
} else {
    1000
};

/// Processor time of the process in microseconds. (Other clocks would count what else the machine does.)
pub(crate) fn processor_time() -> u64 {
    unsafe extern "C" {
        /// Of the C library; POSIX says that the unit is a microsecond.
        safe fn clock() -> std::ffi::c_long;
    }
    clock().max(0) as u64
}

impl Penalty {
    /// A recording has failed; `wait`: until something else is compiled, which is in hand.
    fn count(&mut self, wait: bool) {
        if wait && self.waits < MAX_WAITS {
            self.waits += 1;
        } else {
            self.tries += 1;
        }
    }
    /// The counter for the next attempt: so many times the last one.
    fn raise(&mut self, times: u16, random: u16) -> u16 {
        self.counter = self.counter.max(32).saturating_mul(times).min(60000) + random;
        self.counter
    }
}

/// One of so many returns to calls without continuation is looked at, and counts for all.
const RETURNS: u32 = 16;
/// The parameter `hotcall` that means that functions are not compiled by themselves.
const NEVER: u32 = 65534;

impl Jit {
    /// The counter of a loop or function has run out; see `JitHooks::hot`.
    pub(crate) unsafe fn hot(&mut self, l: *mut Thread, anchor: *mut Instr, start: *const Instr) {
        // SAFETY: [CODE] as the hook promises.
        unsafe {
            if self.wake(anchor as usize) {
                return;
            }
            let func = matches!(dispatch::op_at(anchor), Op::FuncF | Op::FuncV);
            let n = match func {
                true => self.params.hotcall,
                false => self.params.hotloop,
            };
            jithooks::set_counter(anchor, n as u16);
            // a function trace does not know how many arguments `...` has: helpers would do what handlers do faster
            let vararg = dispatch::op_at(anchor) == Op::FuncV;
            let never = func && (vararg || self.params.hotcall == NEVER);
            if !self.params.on || never || (*self.g).recording {
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
            if self.explain && !self.hot_protos.contains(&proto) {
                self.hot_protos.push(proto);
                jithooks::set_proto_jit(&mut *self.g, proto, (*proto).jit | PROTO_KNOWN);
            }
            if let Some(f) = self.at_first.take() {
                f();
            }
            if self.watches(l, proto, anchor, start) {
                return;
            }
            let kind = if func { Kind::Func } else { Kind::Loop };
            let _ = self.start(l, kind, anchor, start);
        }
    }

    /// What tells recordings of this kind, and their trees, from others: the address of an anchor, a call, the stub of an exit.
    pub(crate) fn place_of(&self, kind: Kind, anchor: *mut Instr) -> usize {
        match kind {
            Kind::Side { parent, exit } => {
                let parent = self.traces[parent as usize].as_ref();
                parent.expect("a live trace").stub(exit) as usize
            }
            Kind::Cont { call } => Jit::place_of_call(call),
            // (its kind is in the lowest bits)
            Kind::Event { word } => word as usize,
            // (no kind of a frame word that the one above has)
            Kind::Meet { pc } => pc as usize | 4,
            Kind::Loop | Kind::Func => anchor as usize,
        }
    }

    /// What is known of earlier recordings of this kind.
    unsafe fn penalty(&mut self, kind: Kind, anchor: *mut Instr) -> &mut Penalty {
        let place = self.place_of(kind, anchor);
        self.penalties.entry(place).or_default()
    }

    /// So many of them failed. (Those of loops and functions have another place.)
    pub(crate) fn tries(&self, kind: Kind) -> u32 {
        let place = self.place_of(kind, std::ptr::null_mut());
        self.penalties.get(&place).map_or(0, |p| p.tries)
    }

    /// Whether a recording may begin: there is room for another trace, and time. If not, the place has been told to wait.
    pub(crate) unsafe fn may_record(
        &mut self,
        kind: Kind,
        anchor: *mut Instr,
    ) -> Result<(), Abort> {
        // SAFETY: [CODE] as the callers.
        unsafe {
            let counts = matches!(kind, Kind::Loop | Kind::Func);
            let last = u64::from(self.params.stoptrace);
            let made = self.stats.made();
            if last != 0 && made >= last {
                return Err(Abort::TooManyTraces);
            }
            if self.is_over_budget() {
                self.stats.postponed += 1;
                if counts && jithooks_is_counter(anchor) {
                    let n = (8 * self.params.hotloop.max(8)).min(60000) as u16;
                    jithooks::set_counter(anchor, n);
                }
                return Err(Abort::OverBudget);
            }
            let parent = match kind {
                Kind::Side { parent, .. } => self.trace(parent).root,
                _ => self.way_for.map_or(0, |n| self.trace(n).root),
            };
            let refused = self.penalty(kind, anchor).tries;
            let Err(why) = self.make_room(parent, refused) else {
                return Ok(());
            };
            self.stats.refused += 1;
            let random = (self.rand() & 15) as u16;
            let p = self.penalty(kind, anchor);
            p.tries += 1;
            let n = p.raise(2, random);
            if counts && jithooks_is_counter(anchor) {
                jithooks::set_counter(anchor, n);
            }
            Err(why)
        }
    }

    /// Recording and compiling have taken more than their share.
    fn is_over_budget(&mut self) -> bool {
        let share = u64::from(self.params.maxcompile);
        let free = FREE_US * u64::from(self.params.freecompile);
        let over = self.spent_us.saturating_sub(free);
        if over == 0 || share >= 100 {
            return false;
        }
        // the clock is a system call
        if self.wait > 0 {
            self.wait -= 1;
            return true;
        }
        let is_over = over * 100 > (processor_time() - self.born_us) * share;
        self.wait = if is_over { 31 } else { 0 };
        is_over
    }

    /// Sets the counter of a place where a recording has failed.
    pub(crate) unsafe fn punish(&mut self, r: &Recorder, why: Abort) {
        // SAFETY: [CODE] the anchor is in code that the running frame or its callers keep alive.
        unsafe {
            let random = (self.rand() & 15) as u16;
            let first = matches!(why, Abort::CalleeFirst | Abort::OuterFirst);
            let wait = first && self.hurry(r.first);
            if wait && why == Abort::CalleeFirst {
                self.entering = r.first;
            }
            if let Kind::Side { parent, exit } = r.kind {
                // try again much later
                self.trace(parent).states[exit as usize].count = 0;
            }
            self.reinstate(r.kind, r.start_pc);
            let p = self.penalty(r.kind, r.anchor);
            if !matches!(r.kind, Kind::Loop | Kind::Func) {
                p.count(wait);
                return;
            }
            p.tries += 1;
            if why != Abort::InnerLoop || p.tries > 8 {
                p.raise(2, random);
            }
            let n = p.counter.max(32);
            if jithooks_is_counter(r.anchor) {
                jithooks::set_counter(r.anchor, n);
            }
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
            let recording = (*self.g).recording;
            if !self.asleep.is_empty() {
                let root = self.trace(n).root;
                self.wake_tree(root);
            }
            let many = self.exits_at_once(n, exit);
            self.stats.exits += u64::from(many - 1);
            let t = self.trace(n);
            let state = &mut t.states[exit as usize];
            state.taken = state.taken.saturating_add(many);
            if full || !t.alive {
                return;
            }
            let last = exit as usize + 1 == t.exits.len();
            if last && t.link_offset != 0 {
                return self.at_link(l, n, exit, many, pc);
            }
            let state = &mut t.states[exit as usize];
            state.count = state.count.saturating_add(many as u16);
            // what follows is for the interpreter: a trace would end there at once
            let end = t.link == Link::Exit && last;
            if u32::from(state.count) < hotexit || end || !on || (*l).hook_mask != 0 {
                return;
            }
            state.count = 0;
            let (taken, root) = (state.taken, t.root);
            if recording {
                return;
            }
            let decided = self.trace(n).states[exit as usize].decided;
            let anew = !decided && self.meets_new_class(l, pc);
            if self.trace(root).retired
                || !decided && self.is_join(l, root, pc, anew)
                || anew && self.wears_out(root, pc)
            {
                return;
            }
            let closure = !decided && self.meets_other_closure(l, root, pc);
            if self.trace(root).retired {
                return;
            }
            if self.calls_many(root, pc) {
                return self.shorten(n, exit);
            }
            let kind = match self.meets(n, exit) {
                false => Kind::Side { parent: n, exit },
                true => match self.meet(n, exit, pc) {
                    Some(kind) => kind,
                    None => return,
                },
            };
            let tries = self.tries(kind);
            let due = is_due(&self.params, tries, taken) && !self.calls_new_function(l, pc);
            let side = matches!(kind, Kind::Side { .. });
            if side && self.trace(root).nsides >= maxside || !due {
                self.shorten(n, exit);
                return self.lose(root, many.max(hotexit));
            }
            if !closure && self.has_wrong_root(n, exit) {
                return self.record_anew(n);
            }
            if let Err(why) = self.start(l, kind, std::ptr::null_mut(), pc) {
                self.shorten(n, exit);
                // what only waits for its share of the time is not lost
                if why != Abort::OverBudget {
                    self.lose(root, many.max(hotexit));
                }
            }
        }
    }

    /// The instruction at `pc` is about to call a Lua function that the interpreter has never called. At an exit that is taken again and again it is one of
    /// many that are loaded anew, most likely, and a guard for it would never hold again.
    unsafe fn calls_new_function(&self, l: *mut Thread, pc: *const Instr) -> bool {
        // SAFETY: [CODE] `l` goes on at `pc`; [GC-LIVE] what is called is in a register; the header is the word before the code.
        unsafe {
            if !is_call(pc) {
                return false;
            }
            let f = *(*l).base.byte_add(bc::a(*pc) as usize);
            let c = f.as_ptr::<LuaClosure>();
            if f.tag != Tag::FUNCTION || (*c).hdr.kind != ObjKind::LuaClosure as u8 {
                return false;
            }
            let header = (*c).pc.sub(1).cast_mut();
            jithooks_is_counter(header) && jithooks::counter(header) == (*self.g).hotcall
        }
    }

    /// Trace `n` would have gone on in another tree, which has its entries closed: it begins at `pc`. That has happened `many` times.
    #[inline(never)]
    unsafe fn at_link(&mut self, l: *mut Thread, n: u16, exit: u16, many: u32, pc: *const Instr) {
        // SAFETY: [CODE] `l` goes on at `pc`.
        unsafe {
            let target = self.index.link(n);
            if target != 0 && !self.trace(target).retired {
                return self.wake_tree(target);
            }
            if target == 0 {
                // it is gone. Is there another one?
                let closure = (*(*l).base.sub(1)).payload as *mut LuaClosure;
                let func = self.funcs.get(&((*closure).proto as usize)).copied();
                let new = match func.filter(|_| (*closure).pc == pc) {
                    Some((entry, _)) => self.index.at_entry(entry),
                    None => {
                        let loops = self.by_start.get(&(pc as usize));
                        loops.or(self.meets.get(&(pc as usize))).copied()
                    }
                };
                if let Some(new) = new {
                    return self.link_again(n, new);
                }
            }
            // the header of a function has been passed, and so has the back edge of a loop, perhaps each time
            let anchor = self.trace(n).link_anchor;
            if (*l).hook_mask == 0 && jithooks_is_counter(anchor) {
                let left = u32::from(jithooks::counter(anchor)).saturating_sub(many);
                if left <= 1 {
                    return self.hot(l, anchor, pc);
                }
                jithooks::set_counter(anchor, left as u16);
            }
            self.shorten(n, exit);
        }
    }

    /// Whether the root trace of a loop, `n`, is left by `exit` because it was recorded from an iteration of a rare kind.
    fn has_wrong_root(&self, n: u16, exit: u16) -> bool {
        let t = self.traces[n as usize].as_ref().expect("a trace");
        let root = t.kind == Kind::Loop && t.root == n && t.nsides == 0;
        if !root || t.link != Link::Loop || exit >= t.loop_exits {
            return false;
        }
        // the end of the loop is no path through it; and a trace that has come to it is not that wrong
        let ended = |n: u16| t.states[n as usize].taken != 0 && self.leaves(t, n);
        if self.leaves(t, exit) || (t.loop_exits..t.states.len() as u16).any(ended) {
            return false;
        }
        let before = self.penalties.get(&(t.anchor as usize));
        if before.is_some_and(|p| p.rerooted >= MOST_ROOTS) {
            return false;
        }
        let taken = |exits: &[ExitState]| exits.iter().map(|e| e.taken).sum::<u32>();
        let (first, body) = t.states.split_at(t.loop_exits as usize);
        4 * taken(body) < taken(first)
    }

    /// The trace of the loop that a recording of this kind begins in; 0: none.
    pub(crate) fn way_of(&self, kind: Kind) -> u16 {
        let Kind::Side { parent, exit } = kind else {
            return 0;
        };
        match self.traces[parent as usize].as_ref() {
            Some(t) if t.way != 0 && !self.leaves(t, exit) => t.way,
            _ => 0,
        }
    }

    /// Whether an exit of `t` leaves the loop that the trace is in.
    pub(crate) fn leaves(&self, t: &Trace, exit: u16) -> bool {
        let Some(of) = self.traces[t.way as usize].as_ref() else {
            return true;
        };
        let at = t.exits.get(exit);
        let (start, anchor) = (of.start_pc as u64, of.anchor as u64);
        // the body of a generic loop, which begins at its anchor, is in front of it
        let out = at.pc > anchor || start != anchor && at.pc < start;
        at.base < 0 || at.base == 0 && out
    }

    /// Whether a recording of this kind is reached in the first iteration of a loop's trace only.
    pub(crate) fn is_early(&self, kind: Kind) -> bool {
        let Kind::Side { parent, exit } = kind else {
            return false;
        };
        let t = self.traces[parent as usize].as_ref().expect("the parent");
        let first = match t.kind {
            Kind::Loop => t.link == Link::Loop && exit < t.loop_exits,
            _ => t.early,
        };
        first && self.way_of(kind) != 0
    }

    /// Whether types are looked at where a recording of this kind begins, which the loop `way` does not do there in each iteration.
    fn is_about_types(&self, kind: Kind, way: u16) -> bool {
        let Kind::Side { parent, exit } = kind else {
            return false;
        };
        let of = |n: u16| self.traces[n as usize].as_ref().expect("a trace");
        let (t, way) = (of(parent), of(way));
        let at = t.exits.get(exit);
        let place = (at.pc, at.base);
        let again = |n: u16| {
            let at = way.exits.get(n);
            way.states[n as usize].types && (at.pc, at.base) == place
        };
        let body = way.loop_exits..way.states.len() as u16;
        t.states[exit as usize].types && !body.into_iter().any(again)
    }

    /// The trace of the compiled loop that begins at `pc`, with its frame `base` slots above BASE, which a recording of this kind would
    /// go on in.
    pub(crate) fn loop_at(&self, kind: Kind, pc: *const Instr, base: i16) -> Option<u16> {
        let main = *self.by_start.get(&(pc as usize))?;
        let way = self.way_of(kind);
        match self.traces[way as usize].as_ref() {
            Some(t) if t.start_pc == pc && base == 0 => Some(match t.next_way {
                next if next != 0 && self.is_early(kind) => next,
                _ => way,
            }),
            _ => Some(main),
        }
    }

    /// Trace `n` has been made, and execution is at `pc`, where it ends. If that is the header of the loop in whose first iteration the trace is,
    /// the recording of the next way through the loop is begun.
    pub(crate) unsafe fn other_way(&mut self, l: *mut Thread, n: u16, pc: *const Instr) -> bool {
        let t = self.trace(n);
        let (kind, root, early) = (t.kind, t.root, t.early);
        let to = self.index.link(n);
        if !early || to == 0 || !self.is_about_types(kind, to) || !self.params.on {
            return false;
        }
        let of_tree = |t: &&Trace| t.root == root && t.kind == Kind::Loop;
        let ways = self.live().filter(of_tree).count();
        let t = self.trace(to);
        let (last, anchor) = (t.next_way == 0 && t.link == Link::Loop, t.anchor);
        if !last || ways >= MOST_WAYS || self.way_of(kind) != to {
            return false;
        }
        self.way_for = Some(n);
        // SAFETY: [CODE] the state is as at a back edge of the loop.
        let begun = unsafe { self.start(l, Kind::Loop, anchor, pc).is_ok() };
        if !begun {
            self.way_for = None;
        }
        begun
    }

    /// Removes the root trace of a loop and has its next iteration recorded.
    unsafe fn record_anew(&mut self, n: u16) {
        // SAFETY: [CODE] the trace is live, so its anchor is.
        unsafe {
            let anchor = self.trace(n).anchor;
            self.remove(n);
            self.penalty(Kind::Loop, anchor).rerooted += 1;
            jithooks::set_counter(anchor, 1);
            self.stats.rerooted += 1;
        }
    }

    /// The tree of this root had to make room: it takes twice as much each time until it is there again, so that trees that do not fit together do
    /// not take turns.
    pub(crate) unsafe fn was_evicted(&mut self, kind: Kind, anchor: *mut Instr) {
        // SAFETY: [CODE] the tree has just been removed; it still keeps its prototypes.
        unsafe {
            let random = (self.rand() & 15) as u16;
            let p = self.penalty(kind, anchor);
            if anchor.is_null() {
                p.tries += 1;
            } else {
                let n = p.raise(2, random);
                jithooks::set_counter(anchor, n);
            }
        }
    }

    /// The tree has been left `times` times where nothing is recorded any more.
    unsafe fn lose(&mut self, root: u16, times: u32) {
        // SAFETY: [CODE] the tree is live, so its anchor is.
        unsafe {
            let random = (self.rand() & 15) as u16;
            let t = self.trace(root);
            t.lost.0 += times;
            if t.lost.0 < LOST {
                return;
            }
            let now = processor_time();
            let before = std::mem::replace(&mut t.lost, (0, Some(now))).1;
            if before.is_none_or(|b| now - b >= LOST_US * u64::from(times.max(LOST) / LOST)) {
                return;
            }
            let (kind, anchor) = (t.kind, t.anchor);
            let tree = self.index.tree(root);
            let traces = tree
                .iter()
                .filter_map(|&n| self.traces[n as usize].as_ref());
            let cost: u64 = traces.map(|t| u64::from(t.cost_us)).sum();
            self.spent_us += LOSS * cost;
            self.remove(root);
            self.stats.losing += 1;
            let p = self.penalty(kind, anchor);
            p.tries += 2;
            let n = p.raise(16, random);
            if jithooks_is_counter(anchor) {
                jithooks::set_counter(anchor, n);
            }
        }
    }

    /// Compiled code has returned to the call at `call`, which has no continuation. Gives the pc to go on at.
    pub(crate) unsafe fn returned(&mut self, l: *mut Thread, call: *const Instr) -> *const Instr {
        // SAFETY: [CODE] `l` goes on behind the call.
        unsafe {
            let next = call.add(dispatch::op_at(call).words());
            if self.wake(Jit::place_of_call(call)) {
                return next;
            }
            let hotexit = self.params.hotexit;
            let every = hotexit.min(RETURNS);
            self.returns_left.store(every, Ordering::Relaxed);
            let n = self.returns.entry(call as usize).or_insert(0);
            let before = *n;
            let taken = before.saturating_add(every);
            *n = taken;
            if taken / hotexit != before / hotexit
                && self.params.on
                && (*l).hook_mask == 0
                && !(*self.g).recording
            {
                let kind = Kind::Cont { call };
                if is_due(&self.params, self.tries(kind), taken) {
                    let _ = self.start(l, kind, std::ptr::null_mut(), next);
                }
            }
            next
        }
    }

    /// Compiled code has returned from a metamethod to the instruction at `pc`, which has no continuation (or another has its place in the table). `word` is the
    /// frame word; the result is in the slot below the frame.
    pub(crate) unsafe fn event_returned(&mut self, l: *mut Thread, word: u64, pc: *const Instr) {
        let kind = Kind::Event { word };
        // SAFETY: [CODE] `l` goes on with what the instruction does with the result.
        unsafe {
            if self.wake(word as usize) {
                return;
            }
            if let Some(&entry) = self.event_entries.get(&word) {
                return self.set_return(kind, entry);
            }
            let n = self.returns.entry(word as usize).or_insert(0);
            *n += 1;
            let taken = *n;
            if taken.is_multiple_of(self.params.hotexit)
                && self.params.on
                && (*l).hook_mask == 0
                && !(*self.g).recording
                && is_due(&self.params, self.tries(kind), taken)
            {
                let _ = self.start(l, kind, std::ptr::null_mut(), pc);
            }
        }
    }
}

/// What begins at `anchor` may be recorded soon: it counts, and that has not failed too often.
pub(crate) unsafe fn may_hurry(
    penalties: &FxHashMap<usize, Penalty>,
    params: &Params,
    anchor: *mut Instr,
) -> bool {
    let tried = penalties.get(&(anchor as usize)).map_or(0, |p| p.tries);
    // SAFETY: [CODE] the anchor is in code that the recording keeps alive.
    tried <= 2 && params.hotcall != NEVER && unsafe { jithooks_is_counter(anchor) }
}

/// Whether something may be tried at an exit (or a return) that has been taken `taken` times and where `tries` attempts have failed:
/// beyond `maxtries`, it takes twice as many for each of them.
fn is_due(params: &Params, tries: u32, taken: u32) -> bool {
    let more = tries.saturating_sub(params.maxtries - 1);
    more == 0
        || taken
            >= params
                .hotexit
                .saturating_mul(32)
                .saturating_mul(1 << more.min(24))
}

/// Whether the word at `anchor` still counts (it does not enter a trace).
pub(crate) unsafe fn jithooks_is_counter(anchor: *mut Instr) -> bool {
    if anchor.is_null() {
        return false;
    }
    // SAFETY: [CODE] as the callers.
    unsafe {
        let op = dispatch::exact_op_of(traceorus_base::bytecode::op_field(*anchor));
        op.original() == op
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_double_what_it_takes() {
        let mut p = Params::default();
        for (name, n) in [("maxtries", 3), ("hotexit", 10)] {
            p.n.set(name, n).expect("in range");
        }
        assert!((0..3).all(|tries| is_due(&p, tries, 10)));
        for (tries, taken) in [(3, 640), (4, 1280), (5, 2560)] {
            assert!(!is_due(&p, tries, taken - 1) && is_due(&p, tries, taken));
        }
        // never for ever
        assert!(!is_due(&p, 20, 1_000_000) && is_due(&p, 1000, u32::MAX));
    }
}
