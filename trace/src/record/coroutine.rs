//! Coroutines: resume, yield and the end of a coroutine's body switch BASE to the other stack.
//!
//! **What is left behind is complete** (rule H): before a switch the dirty live slots of the thread that is left are stored, its native frame (of
//! `resume` or `yield`) gets its word, and the thread its base, top, pc and status, as the interpreter's handlers do it (`vm/interp/src/calls.rs`:
//! `func_resume`, `func_yield`, `end_thread`). So snapshots describe the running thread only, and the collector sees nothing new.
//!
//! **Where a thread goes on** is a fact guarded by its frame word (COWORD): the pc of the instruction by which the frame of `resume` or `yield` was
//! called, which also tells the prototype, the register for the results and how many are wanted.
//!
//! **What is known of a thread that waits** for one that it has resumed on this trace stays known ([`Waiting`]): nobody else writes its
//! slots. So a loop that consumes a generator keeps its variables in registers. Nothing is known of a thread that has yielded.
//!
//! **Errors** that end a coroutine are raised by the helper of the instruction; the trace goes on in the thread that they come to (XOPR).
//!
//! Threads with hooks, native functions in between, varargs in the body of a new coroutine, and wrong uses (dead or running
//! coroutines) are left to the generic call.

use traceorus_base::bytecode::{self as bc, MULTI, Op};
use traceorus_base::frame::{self, kind};
use traceorus_base::objects::*;
use traceorus_base::{Tag, Value};
use traceorus_vm::call::word_at;
use traceorus_vm::dispatch;

use super::call::after;
use super::{Cursor, Frame, Rec, Recorder, Slot, Step, Tv};
use crate::ir::{FieldId, IrOp, REF_NONE, Ref, Ty};
use crate::loc::Link;

/// Resumes that may be nested, less one (ORDER: `vm::call::MAX_CCALLS`).
const MAX_DEPTH: u32 = 199;
/// The part of `Thread::ncalls` that counts them.
const DEPTH: u32 = 0xffff;
/// Values that a thread may get without a check for room (there are `call::EXTRA` slots more).
const MOST_VALUES: usize = 8;
/// Side traces of a tree that may go on in the thread that has resumed the running one; others go to what is compiled there.
const MOST_SIDES: u32 = 8;
/// Slots above the base of a new coroutine (ORDER: `vm::state::CO_STACK`, less `call::EXTRA` and the function slot).
const NEW_ROOM: u8 = 15;

/// A thread that has resumed another one on the trace, and what is known of it.
pub(crate) struct Waiting {
    l: *mut Thread,
    thread: Ref,
    slots: Vec<Slot>,
    frames: Vec<Frame>,
    base0: isize,
    checked: u16,
    changed: Vec<bool>,
    changed_all: bool,
    pending_close: Vec<super::tbc::Pending>,
    /// Slot of the function `resume`, or of the one that `wrap` made.
    func: i16,
}

/// A guarded way back to the thread that has resumed the running one.
#[derive(Clone, Copy)]
struct Back {
    to: Ref,
    /// Pc of the call that waits, if the trace ends by going to its continuation.
    link: Ref,
}

/// Where results of a switch go.
#[derive(Clone, Copy)]
struct Place {
    /// The call that waits for them.
    pc: *const Instr,
    /// Its operand A.
    a: i16,
    /// How many it wants, or [`MULTI`].
    wanted: u16,
}

/// The call of the native frame in which `l` waits, if that can be gone on with by `n` values, and its frame word.
unsafe fn waits(l: *mut Thread, n: usize) -> Option<(Place, u64)> {
    // SAFETY: [CODE] a thread that waits runs a native function; a word of kind LUA is the pc of a call.
    unsafe {
        let word = word_at((*l).base.sub(1));
        if frame::kind_of(word) != kind::LUA || (*l).hook_mask != 0 {
            return None;
        }
        let pc = word as *const Instr;
        if !dispatch::op_at(pc).has_continuation() {
            return None;
        }
        let (a, wanted) = ((bc::a(*pc) / 16) as i16, bc::c(*pc));
        if wanted == MULTI {
            // they must have room in the frame
            let f = (*(*l).base.sub(a as usize + 2)).payload as *mut LuaClosure;
            let room = i32::from((*(*f).proto).frame_size) - i32::from(a);
            if n as i32 + 1 > room {
                return None;
            }
        }
        Some((Place { pc, a, wanted }, word))
    }
}

impl Recorder {
    /// Not in the thread in which the recording began.
    pub(crate) fn elsewhere(&self) -> bool {
        self.kind == super::Kind::Loop && self.l != self.start_l
    }

    /// How many threads wait, on this trace, for `l`, which is the running thread or waits itself; `None`: it does neither.
    pub(super) fn waits_for(&self, l: *mut Thread) -> Option<usize> {
        if l == self.l {
            return Some(self.waiting.len());
        }
        self.waiting.iter().position(|w| w.l == l)
    }

    /// The running thread.
    pub(super) fn running(&mut self) -> Rec<Ref> {
        if self.thread.is_none() {
            let p = &raw const self.global().hot.current;
            let p = self.buf.k_ptr(p as u64);
            let p = self.emit(IrOp::XRef, Ty::Ptr, p, REF_NONE)?;
            self.thread = self.emit(IrOp::LdV, Ty::Thread, p, REF_NONE)?;
        }
        Ok(self.thread)
    }

    /// Guards that a field of a thread is `bits`.
    pub(super) fn guard_field(&mut self, thread: Ref, f: FieldId, bits: u64) -> Rec<()> {
        let v = self.field(thread, f)?;
        let ty = f.info().ty;
        let k = self.buf.k(ty, bits);
        self.guard(IrOp::Eq, ty, v, k).map(drop)
    }
    pub(super) fn set_field(&mut self, thread: Ref, f: FieldId, v: Ref) -> Rec<()> {
        let at = self.emit(IrOp::FRef, Ty::Ptr, thread, Self::lit(f as u16))?;
        self.emit(IrOp::FSt, f.info().ty, at, v).map(drop)
    }
    fn set_field_k(&mut self, thread: Ref, f: FieldId, bits: u64) -> Rec<()> {
        let k = self.buf.k(f.info().ty, bits);
        self.set_field(thread, f, k)
    }

    /// A call of a native function that switches to another coroutine, if it is one that is recorded.
    #[inline(never)]
    pub(super) unsafe fn switching(
        &mut self,
        i: Cursor,
        f: Value,
        nargs: i16,
    ) -> Rec<Option<Step>> {
        // SAFETY: [GC-LIVE] as `instruction`: function and arguments are in slots.
        unsafe {
            // a tail call leaves its frame below a native function, whose results the next instruction returns
            match header(f.as_ptr()) {
                Op::FfYield => self.yielding(i, f, nargs),
                Op::FfResume => {
                    let o = self.observed(i.ra() + 1);
                    if nargs == 0 || o.tag != Tag::THREAD {
                        return Ok(None);
                    }
                    let co = o.as_ptr::<Thread>();
                    let Some(to) = self.resumable(co, nargs as usize - 1) else {
                        return Ok(None);
                    };
                    let fv = self.guard_observed(i.ra())?;
                    self.guard_is(fv.val, f.payload)?;
                    let thread = self.guard_observed(i.ra() + 1)?.val;
                    let mut args = Vec::new();
                    for k in 2..=nargs {
                        args.push(self.tv(i.ra() + k)?);
                    }
                    self.resuming(i, co, thread, to, &args, 0)
                }
                Op::FfWrapped => {
                    let Some((co, to)) = self.wrapped(f, nargs as usize) else {
                        return Ok(None);
                    };
                    let fv = self.guard_observed(i.ra())?;
                    let thread = self.guard_wrapped(fv, f)?;
                    let mut args = Vec::new();
                    for k in 1..=nargs {
                        args.push(self.tv(i.ra() + k)?);
                    }
                    self.resuming(i, co, thread, to, &args, 1)
                }
                _ => Ok(None),
            }
        }
    }

    /// The same for the iterator of a generic loop.
    #[inline(never)]
    pub(super) unsafe fn switching_loop(&mut self, i: Cursor) -> Rec<Option<Step>> {
        // SAFETY: [GC-LIVE] as `instruction`: iterator, state and control variable are in slots.
        unsafe {
            let a = i.ra();
            let f = self.observed(a - 4);
            if f.tag != Tag::FUNCTION || header(f.as_ptr()) != Op::FfWrapped {
                return Ok(None);
            }
            let Some((co, to)) = self.wrapped(f, 2) else {
                return Ok(None);
            };
            let fv = self.guard_observed(a - 4)?;
            let thread = self.guard_wrapped(fv, f)?;
            let args = [self.tv(a - 3)?, self.tv(a - 2)?];
            self.set(a, fv);
            self.resuming(i, co, thread, to, &args, 1)
        }
    }

    /// The coroutine of a function that `wrap` made, and where it goes on.
    unsafe fn wrapped(
        &self,
        f: Value,
        nargs: usize,
    ) -> Option<(*mut Thread, Option<(Place, u64)>)> {
        // SAFETY: [GC-LIVE] `f` is in a slot; its upvalue is the thread.
        unsafe {
            let up = f.as_ptr::<u8>().add(NativeClosure::UPVALS).cast::<Value>();
            let co = (*up).as_ptr::<Thread>();
            self.resumable(co, nargs).map(|to| (co, to))
        }
    }
    unsafe fn guard_wrapped(&mut self, fv: Tv, f: Value) -> Rec<Ref> {
        // SAFETY: [GC-LIVE] `f` is in a slot.
        unsafe {
            let kind = self.field(fv.val, FieldId::Kind)?;
            let want = self.buf.k(Ty::U8, ObjKind::NativeClosure as u64);
            self.guard(IrOp::Eq, Ty::U8, kind, want)?;
            let code = self.field(fv.val, FieldId::FuncNative)?;
            let func = (*f.as_ptr::<NativeClosure>()).func as *const () as u64;
            let want = self.buf.k_ptr(func);
            self.guard(IrOp::Eq, Ty::Ptr, code, want)?;
            self.emit(IrOp::NUpv, Ty::Thread, fv.val, Self::lit(0))
        }
    }

    /// `co` can be resumed by a recorded switch with `n` values: where it goes on (none: it begins).
    unsafe fn resumable(&self, co: *mut Thread, n: usize) -> Option<Option<(Place, u64)>> {
        // SAFETY: [GC-LIVE] the thread is in a slot, or an upvalue of what is.
        unsafe {
            if (*self.l).ncalls & DEPTH >= MAX_DEPTH || (*co).hook_mask != 0 {
                return None;
            }
            match (*co).status {
                thread_status::SUSPENDED => waits(co, n).map(Some),
                thread_status::FRESH => {
                    let base = (*co).stack.add(1);
                    let f = (*base.sub(1)).payload as *mut LuaClosure;
                    let plain = (*co).base == base
                        && (*co).top == base
                        && word_at(base.sub(1)) == kind::BASE
                        && !f.is_null()
                        && (*f).hdr.kind == ObjKind::LuaClosure as u8
                        && (*(*f).proto).is_vararg == 0
                        && (*(*f).proto).frame_size <= NEW_ROOM;
                    plain.then_some(None)
                }
                _ => None,
            }
        }
    }

    /// Records the resume of `co` (`thread`), which goes on at `to`, by the call at `i`. `how`: `Thread::resume_kind`.
    unsafe fn resuming(
        &mut self,
        i: Cursor,
        co: *mut Thread,
        thread: Ref,
        to: Option<(Place, u64)>,
        args: &[Tv],
        how: u64,
    ) -> Rec<Option<Step>> {
        // SAFETY: [GC-LIVE] `co` is in a slot, or an upvalue of what is; it waits as `to` says.
        unsafe {
            let me = self.running()?;
            let status = if to.is_some() {
                thread_status::SUSPENDED
            } else {
                thread_status::FRESH
            };
            self.guard_field(thread, FieldId::ThreadStatus, status.into())?;
            self.guard_field(thread, FieldId::ThreadHooks, 0)?;
            let depth = self.field(me, FieldId::ThreadCalls)?;
            let mask = self.buf.k(Ty::U32, DEPTH.into());
            let depth = self.emit(IrOp::And, Ty::U32, depth, mask)?;
            let most = self.buf.k(Ty::U32, MAX_DEPTH.into());
            self.guard(IrOp::Ult, Ty::U32, depth, most)?;
            let base = self.field(thread, FieldId::ThreadBase)?;
            let word = to.map_or(kind::BASE, |t| t.1);
            // many coroutines are resumed here: wherever it waits
            let side = matches!(self.kind, super::Kind::Side { .. });
            let wide = side && self.sides >= MOST_SIDES && args.len() <= MOST_VALUES;
            let link = match to {
                Some((p, _)) if wide => {
                    self.guard(IrOp::CoPc, Ty::Ptr, base, Self::lit(p.wanted))?
                }
                _ => {
                    let kword = self.buf.k(Ty::Word, word);
                    self.guard(IrOp::CoWord, Ty::Void, base, kword)?;
                    REF_NONE
                }
            };
            let closure = match to {
                Some(_) => None,
                None => Some(self.guard_body(thread, (*(*co).stack).payload as *mut LuaClosure)?),
            };
            // the thread is left
            let func = self.base() + i.ra();
            self.leave(i, me, func, thread_status::NORMAL)?;
            let one = self.buf.k(Ty::U32, 1);
            let depth = self.emit(IrOp::Add, Ty::U32, depth, one)?;
            self.set_field(thread, FieldId::ThreadResumer, me)?;
            self.set_field_k(thread, FieldId::ThreadKind, how)?;
            self.set_field(thread, FieldId::ThreadCalls, depth)?;
            if let Some((p, _)) = to
                && !link.is_none()
            {
                return self.go_linked(thread, link, p, args).map(Some);
            }
            self.enter(thread, to.map_or(0, |t| t.0.a + 1))?;
            self.waiting.push(Waiting {
                l: self.l,
                thread: me,
                slots: std::mem::take(&mut self.slots),
                frames: std::mem::take(&mut self.frames),
                base0: self.base0,
                checked: self.checked,
                changed: std::mem::take(&mut self.changed),
                changed_all: self.changed_all,
                pending_close: std::mem::take(&mut self.pending_close),
                func,
            });
            self.l = co;
            self.thread = thread;
            match to {
                Some((p, _)) => {
                    self.begin_at((*co).base.sub(p.a as usize + 1));
                    self.arrive(p, p.a, args);
                }
                None => {
                    self.begin_at((*co).base);
                    let f = self.frame().closure;
                    let nil = self.konst(Value::NIL);
                    for k in 0..i16::from((*(*f).proto).nparams) {
                        let v = args.get(k as usize).copied().unwrap_or(nil);
                        self.put_slot(k, Slot::Known { v, dirty: true });
                    }
                    if let Some(c) = closure {
                        let tag = self.buf.k(Ty::Word, kind::BASE);
                        let v = Tv { val: c, tag };
                        self.put_slot(-1, Slot::Known { v, dirty: false });
                        self.frames[0].known = c.is_const();
                    }
                    self.expect((*f).pc);
                }
            }
            Ok(Some(Step::More))
        }
    }

    /// Guards that the body of the new coroutine `thread` has the prototype of `f`, or is `f`.
    unsafe fn guard_body(&mut self, thread: Ref, f: *mut LuaClosure) -> Rec<Ref> {
        // SAFETY: [GC-LIVE] in the function slot of a new coroutine.
        unsafe {
            let stack = self.field(thread, FieldId::ThreadStack)?;
            let at = self.emit(IrOp::XRef, Ty::Ptr, stack, REF_NONE)?;
            let val = self.emit(IrOp::LdV, Ty::Func, at, REF_NONE)?;
            // null: the value there is to be called by its metamethod
            let null = self.buf.k(Ty::Func, 0);
            self.guard(IrOp::Ne, Ty::Func, val, null)?;
            let tag = self.buf.k_tag(Tag::FUNCTION);
            let known = self.guard_function(Tv { val, tag }, f)?;
            Ok(if known {
                self.buf.k(Ty::Func, f as u64)
            } else {
                val
            })
        }
    }

    /// `coroutine.yield`.
    #[inline(never)]
    unsafe fn yielding(&mut self, i: Cursor, f: Value, nargs: i16) -> Rec<Option<Step>> {
        // SAFETY: [GC-LIVE] as `instruction`.
        unsafe {
            if !self.returnable(nargs as usize) {
                return Ok(None);
            }
            let fv = self.guard_observed(i.ra())?;
            self.guard_is(fv.val, f.payload)?;
            let mut args = Vec::new();
            for k in 1..=nargs {
                args.push(self.tv(i.ra() + k)?);
            }
            let me = self.running()?;
            let to = self.guard_resumer(me)?;
            let func = self.base() + i.ra();
            self.leave(i, me, func, thread_status::SUSPENDED)?;
            self.go_back(me, to, args).map(Some)
        }
    }

    /// The body of the running coroutine returns `n` values from register `from` on.
    #[inline(never)]
    pub(super) unsafe fn ending(&mut self, i: Cursor, from: i16, n: i16) -> Rec<Option<Step>> {
        // SAFETY: as `instruction`.
        unsafe {
            let l = self.l;
            if (*l).tbc_len != 0 || !self.returnable(n as usize) {
                return Ok(None);
            }
            // a loop of the body itself ends with it
            if self.kind == super::Kind::Loop && self.waiting.is_empty() {
                return Ok(None);
            }
            let mut results = Vec::new();
            for k in 0..n {
                results.push(self.tv(from + k)?);
            }
            let begun =
                matches!(self.slot(-1), Slot::Known { v, .. } if self.buf.ty(v.tag) == Ty::Word);
            self.new_snap(i.pc);
            if !begun {
                let base = Self::lit(kind::BASE as u16);
                self.guard(IrOp::RetKind, Ty::Void, base, REF_NONE)?;
            }
            let me = self.running()?;
            self.guard_field(me, FieldId::ThreadTbc, 0)?;
            let to = self.guard_resumer(me)?;
            // nothing is left on its stack
            let zero = self.buf.k_int(0);
            self.emit(IrOp::SSt, Ty::Int, Self::slot_lit(-1), zero)?;
            let word = self.buf.k(Ty::Word, kind::BASE);
            self.emit(IrOp::SStW, Ty::Word, Self::slot_lit(-1), word)?;
            self.set_field_k(me, FieldId::ThreadPc, 0)?;
            self.set_field_k(me, FieldId::ThreadPcalls, 0)?;
            self.set_field_k(me, FieldId::ThreadStatus, thread_status::DEAD.into())?;
            self.emit(IrOp::CoLeave, Ty::Void, me, Self::slot_lit(0))?;
            self.go_back(me, to, results).map(Some)
        }
    }

    /// The running coroutine can give `n` values to the one that has resumed it by a recorded switch.
    unsafe fn returnable(&self, n: usize) -> bool {
        // SAFETY: [GC-LIVE] the thread that has resumed the running one.
        unsafe {
            let l = self.l;
            let r = (*l).resumer;
            l != self.global().hot.main
                && (*l).ncalls & !DEPTH == 0
                && !r.is_null()
                && (*l).resume_kind <= 1
                && n <= MOST_VALUES
                && waits(r, n + 1).is_some()
        }
    }

    /// The thread that has resumed the running one, `me`, guarded to wait where it waits now, or at least for as many values.
    unsafe fn guard_resumer(&mut self, me: Ref) -> Rec<Back> {
        // SAFETY: [GC-LIVE] `returnable`.
        unsafe {
            if let Some(w) = self.waiting.last() {
                let to = w.thread;
                debug_assert_eq!(w.l, (*self.l).resumer);
                self.guard_field(to, FieldId::ThreadHooks, 0)?;
                return Ok(Back { to, link: REF_NONE });
            }
            let to = self.field(me, FieldId::ThreadResumer)?;
            // the main thread has none
            let null = self.buf.k(Ty::Thread, 0);
            self.guard(IrOp::Ne, Ty::Thread, to, null)?;
            let depth = self.field(me, FieldId::ThreadCalls)?;
            let most = self.buf.k(Ty::U32, 0x1_0000);
            self.guard(IrOp::Ult, Ty::U32, depth, most)?;
            let how = (*self.l).resume_kind;
            self.guard_field(me, FieldId::ThreadKind, how.into())?;
            self.guard_field(to, FieldId::ThreadHooks, 0)?;
            let base = self.field(to, FieldId::ThreadBase)?;
            let word = word_at((*(*self.l).resumer).base.sub(1));
            let link = if self.sides < MOST_SIDES {
                let kword = self.buf.k(Ty::Word, word);
                self.guard(IrOp::CoWord, Ty::Void, base, kword)?;
                REF_NONE
            } else {
                let wanted = bc::c(*(word as *const Instr));
                self.guard(IrOp::CoPc, Ty::Ptr, base, Self::lit(wanted))?
            };
            Ok(Back { to, link })
        }
    }

    /// Stores what is known of the running thread `me`, which waits in the native function in slot `func`, called by `i`, from then on. The
    /// arguments do not stay on its stack.
    unsafe fn leave(&mut self, i: Cursor, me: Ref, func: i16, status: u32) -> Rec<()> {
        self.flush_below(i.pc, func)?;
        if let Slot::Known { v, dirty: true } = self.slot(func) {
            self.emit(IrOp::SSt, Ty::Func, Self::slot_lit(func), v.val)?;
        }
        let word = self.buf.k(Ty::Word, frame::word(kind::LUA, i.pc as u64, 0));
        self.emit(IrOp::SStW, Ty::Word, Self::slot_lit(func), word)?;
        self.set_field_k(me, FieldId::ThreadPc, i.pc as u64)?;
        self.set_field_k(me, FieldId::ThreadStatus, status.into())?;
        self.emit(IrOp::CoLeave, Ty::Void, me, Self::slot_lit(func + 1))?;
        Ok(())
    }

    /// The thread `thread` runs, with BASE `delta` slots below its base.
    fn enter(&mut self, thread: Ref, delta: i16) -> Rec<()> {
        self.set_field_k(thread, FieldId::ThreadStatus, thread_status::RUNNING.into())?;
        // the collector has to look at its stack again
        let nil = self.konst(Value::NIL);
        let nil = if nil.val.is_none() {
            self.buf.k(Ty::Nil, 0)
        } else {
            nil.val
        };
        self.emit(IrOp::Bar, Ty::Nil, thread, nil)?;
        self.emit(IrOp::CoEnter, Ty::Void, thread, Self::slot_lit(delta))?;
        Ok(())
    }

    /// The thread that has resumed the running one, `me`, goes on with these values.
    unsafe fn go_back(&mut self, me: Ref, back: Back, mut values: Vec<Tv>) -> Rec<Step> {
        // SAFETY: [GC-LIVE] `returnable`.
        unsafe {
            let (l, r) = (self.l, (*self.l).resumer);
            if (*l).resume_kind == 0 {
                let yes = self.konst(Value::TRUE);
                values.insert(0, yes);
            }
            let place = waits(r, values.len()).map(|w| w.0);
            let Some(place) = place else {
                return Err(crate::abort::Abort::Internal);
            };
            self.set_field_k(me, FieldId::ThreadResumer, 0)?;
            if !back.link.is_none() {
                return self.go_linked(back.to, back.link, place, &values);
            }
            match self.waiting.pop() {
                Some(w) => {
                    self.enter(back.to, w.func + 1)?;
                    self.l = w.l;
                    self.thread = w.thread;
                    self.slots = w.slots;
                    self.frames = w.frames;
                    self.base0 = w.base0;
                    self.checked = w.checked;
                    self.pcalls = 0;
                    self.changed = w.changed;
                    self.changed_all = w.changed_all;
                    self.pending_close = w.pending_close;
                    self.arrive(place, w.func, &values);
                }
                None => {
                    self.enter(back.to, place.a + 1)?;
                    self.l = r;
                    self.thread = back.to;
                    self.begin_at((*r).base.sub(place.a as usize + 1));
                    self.arrive(place, place.a, &values);
                }
            }
            Ok(Step::More)
        }
    }

    /// The thread `to` goes on with these values by what has been compiled for what follows the call that waits there, whose pc is `link` and which
    /// wants as many results as the one at `place`.
    fn go_linked(&mut self, to: Ref, link: Ref, place: Place, values: &[Tv]) -> Rec<Step> {
        self.enter(to, 0)?;
        let all = place.wanted == MULTI;
        let n = if all {
            values.len() as i16
        } else {
            place.wanted as i16
        };
        let nil = self.konst(Value::NIL);
        for k in 0..n {
            let v = values.get(k as usize).copied().unwrap_or(nil);
            self.store_slot(k - 1, v)?;
        }
        if all {
            self.emit(IrOp::STop, Ty::Void, Self::slot_lit(n - 1), REF_NONE)?;
        }
        Ok(Step::Stop(Link::Return {
            call: link,
            down: 0,
        }))
    }

    /// The call that waited at `p`, with its function in slot `func`, has these results.
    unsafe fn arrive(&mut self, p: Place, func: i16, values: &[Tv]) {
        // SAFETY: [CODE] a call.
        unsafe {
            let n = if p.wanted == MULTI {
                values.len() as i16
            } else {
                p.wanted as i16
            };
            let nil = self.konst(Value::NIL);
            for k in 0..n {
                let v = values.get(k as usize).copied().unwrap_or(nil);
                self.put_slot(func + k, Slot::Known { v, dirty: true });
            }
            self.forget_from(func + n);
            let next = after(p.pc);
            if p.wanted == MULTI {
                self.set_multi(next, func + n);
            }
            self.expect(next);
        }
    }
}

/// What enters the function `f`.
unsafe fn header(f: *mut NativeClosure) -> Op {
    // SAFETY: [CODE] the header is the word before the first instruction of closures of both kinds.
    unsafe { dispatch::op_at((*f).pc.sub(1)) }
}
