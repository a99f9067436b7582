//! Where a recording begins (loops, exits) and ends (the loop is closed, or left).

use traceorus_base::bytecode::{self as bc, Op};
use traceorus_base::frame::{self, kind};
use traceorus_base::objects::*;
use traceorus_vm::call::word_at;
use traceorus_vm::dispatch;

use super::{Cursor, Frame, How, Kind, Rec, Recorder, Slot, Step, Tv};
use crate::abort::Abort;
use crate::ir::{IrOp, REF_NONE, Ref, Ty};
use crate::loc::{Inherited, Link, Loc};
use crate::opt::{self, Carried};
use crate::traces::Trace;

impl Recorder {
    /// Takes over the state of exit `exit` of the trace `t`, which has been left there.
    #[inline(never)]
    pub(crate) unsafe fn inherit(&mut self, t: &Trace, exit: u16) -> Rec<()> {
        // SAFETY: [SNAP-EXACT] the interpreter's state has just been put back from this exit.
        unsafe {
            let map = &t.exits.get(exit);
            self.frames_below(map.base);
            // the exit itself does not change the depth once this trace is linked to it
            self.pcalls = map.pcalls;
            let mut seen = Vec::new();
            let mut slots = Vec::new();
            for s in map.slots() {
                let tag_ty = if s.word { Ty::Word } else { Ty::Tag };
                let taken = self.take_value([s.val, s.tag], s.ty, tag_ty, &mut seen);
                slots.push((s.slot, taken));
            }
            let mut parts = Vec::new();
            for (n, p) in map.parts() {
                let taken = self.take_value([p.val, p.tag], p.ty, Ty::Tag, &mut seen);
                parts.push((n, p.part, taken));
            }
            // in front of LOOP not all has been proved that the body relies on
            let proved = t.body.is_none() || exit >= t.loop_exits;
            self.through_of = if proved { t.through_of } else { 0 };
            for &(_, name, loc, ty) in t.through.iter().filter(|x| x.0 == exit) {
                let r = self.take(loc, ty, &mut seen);
                self.through.push((name, r));
            }
            // all inherited values stand at the head; what follows may refer to any of them
            let objects = self.make_again(map.objects())?;
            for (n, part, taken) in parts {
                let v = self.known(taken, &objects)?;
                self.fill_part(objects[n], part, v)?;
            }
            for (slot, taken) in slots {
                let v = self.known(taken, &objects)?;
                self.put_slot(slot, Slot::Known { v, dirty: true });
            }
            // the exit itself does not set the top once this trace is linked to it
            if map.top != crate::ir::Snap::NO_TOP {
                self.set_multi(self.start_pc, map.top);
            }
            // closures that are constants
            for n in 0..self.frames.len() {
                let func = self.frames[n].base - 1;
                if let Slot::Known { v, .. } = self.slot(func)
                    && let Some(k) = self.buf.konst(v.val)
                    && k.bits == self.frames[n].closure as u64
                {
                    self.frames[n].known = true;
                }
            }
            self.inherit_known(t, exit)?;
            self.after_branch = t.states[exit as usize].decided;
            self.iteration = self.buf.next();
            Ok(())
        }
    }

    /// What waits is served before `pc`. On each way around a loop and into a function there is such a place.
    pub(crate) fn poll(&mut self, pc: *const Instr) -> Rec<()> {
        self.new_snap(pc);
        self.guard(IrOp::Poll, Ty::Void, REF_NONE, REF_NONE)?;
        Ok(())
    }

    /// What follows a call is recorded from `pc` on: as many results as there are now, if it wanted all.
    pub(crate) unsafe fn continuation(&mut self, call: *const Instr, pc: *const Instr) -> Rec<()> {
        // SAFETY: [CODE] the thread has just returned to the call.
        unsafe {
            let a = (bc::a(*call) / 16) as i16;
            let top = (*self.l).top.offset_from((*self.l).base) as i16;
            if bc::c(*call) == bc::MULTI && (a..a + 8).contains(&top) {
                self.new_snap(pc);
                self.guard(IrOp::TopEq, Ty::Void, Self::slot_lit(top), REF_NONE)?;
                self.set_multi(pc, top);
            }
            Ok(())
        }
    }

    /// Slots that BASE goes down by where the trace is entered; see [`Link::Return`].
    pub(crate) fn down(&self) -> i16 {
        match self.kind {
            // SAFETY: [CODE] the call is in live code.
            Kind::Cont { call } => unsafe { (bc::a(*call) / 16) as i16 + 1 },
            Kind::Event { word } => frame::delta_of(word) as i16,
            _ => 0,
        }
    }

    /// What follows the instruction at `pc`, which has called a metamethod in a frame `delta` slots above its own, is recorded: the result, in the
    /// slot below that frame, has not been made use of yet.
    #[inline(never)]
    pub(crate) unsafe fn after_event(&mut self, pc: *const Instr, delta: i16) -> Rec<()> {
        // SAFETY: [CODE] the instruction waits in the running frame.
        unsafe {
            let (w, op) = (*pc, dispatch::op_at(pc));
            let at = Cursor { pc, w, op };
            let v = self.slot_tv(delta - 1)?;
            let mut next = at.next();
            match super::meta::end_of(pc).ok_or(Abort::Nyi)? {
                super::meta::End::Value => {
                    self.forget_from(delta - 1);
                    self.set(at.ra(), v);
                }
                super::meta::End::Nothing => self.forget_from(delta - 1),
                super::meta::End::Jump(sense) => {
                    let falsy = self.observed(delta - 1).is_falsy();
                    let mut other = next.wrapping_offset(bc::jump16(w) as isize);
                    if sense != falsy {
                        std::mem::swap(&mut next, &mut other);
                    }
                    self.forget_from(delta - 1);
                    self.decides(other);
                    self.guard_truth(v, falsy)?;
                }
            }
            self.expect(next);
            Ok(())
        }
    }

    /// What is at `loc` in the parent. What is at one place at the exit is one value.
    fn take(&mut self, loc: Loc, ty: Ty, seen: &mut Vec<(Inherited, Ref)>) -> Ref {
        let from = Inherited { loc, ty };
        match loc {
            Loc::None | Loc::Sunk(_) => return REF_NONE,
            Loc::Const(bits) => return self.buf.k(ty, bits),
            _ => {}
        }
        if let Some(s) = seen.iter().find(|s| s.0 == from) {
            return s.1;
        }
        let n = self.inherited.len() as u16;
        self.inherited.push(from);
        self.buf.pvals.push(ty);
        let mine = self
            .buf
            .push(crate::ir::Ins::new(IrOp::PVal, ty, Self::lit(n), REF_NONE));
        seen.push((from, mine));
        mine
    }

    /// Finds the frames between BASE, which is `base` slots below the running frame, and the running frame.
    unsafe fn frames_below(&mut self, base: i16) {
        // SAFETY: [CODE] frames are in order; those that a trace inlines are of kinds LUA, TAIL, VARARG, CONT, PCALL.
        unsafe {
            let running = (*self.l).base;
            let zero = running.sub(base as usize);
            self.base0 = zero.byte_offset_from((*self.l).stack);
            self.entry_base = self.base0;
            self.frames.clear();
            let mut at = running;
            loop {
                let closure = (*at.sub(1)).payload as *mut LuaClosure;
                let proto = (*closure).proto;
                self.note_proto(proto);
                let here = at.offset_from(zero) as i16;
                let mut fr = Frame {
                    base: here,
                    func: here - 1,
                    closure,
                    known: false,
                    proto,
                    call_pc: std::ptr::null(),
                    how: How::Call,
                    nextra: None,
                };
                if here > 0 {
                    let mut word = word_at(at.sub(1));
                    if frame::kind_of(word) == kind::VARARG {
                        let delta = frame::delta_of(word) as usize;
                        fr.nextra = Some((delta - 1) as u16 - u16::from((*proto).nparams));
                        at = at.sub(delta);
                        fr.func = at.offset_from(zero) as i16 - 1;
                        word = word_at(at.sub(1));
                    }
                    let delta = frame::delta_of(word) as usize;
                    match frame::kind_of(word) {
                        kind::CONT => {
                            fr.how = How::Meta;
                            fr.call_pc = frame::addr_of(word) as *const Instr;
                            at = at.sub(delta);
                        }
                        of => {
                            if of == kind::PCALL {
                                let delta = delta as i16;
                                fr.how = How::Protected { delta };
                                at = at.sub(delta as usize);
                                word = word_at(at.sub(1));
                            }
                            fr.call_pc = frame::addr_of(word) as *const Instr;
                            at = at.sub((bc::a(*fr.call_pc) / 16) as usize + 1);
                        }
                    }
                }
                self.frames.push(fr);
                if here == 0 {
                    break;
                }
            }
            self.frames.reverse();
        }
    }

    /// The value whose payload, of type `ty`, and tag are at these places in the parent.
    fn take_value(
        &mut self,
        at: [Loc; 2],
        mut ty: Ty,
        tag_ty: Ty,
        seen: &mut Vec<(Inherited, Ref)>,
    ) -> super::inherit::Taken {
        let [val, tag] = at;
        if let Loc::Sunk(n) = val {
            let v = Tv {
                val: REF_NONE,
                tag: self.take(tag, tag_ty, seen),
            };
            return super::inherit::Taken {
                v,
                cast: false,
                object: Some(n.into()),
            };
        }
        // a payload's type in the parent may come from a later guard on its tag
        let known = matches!(tag, Loc::None | Loc::Const(_));
        let open = !known && tag_ty == Ty::Tag && ty != Ty::Void;
        if open && !ty.is_float() {
            ty = Ty::Any;
        }
        let v = Tv {
            val: self.take(val, ty, seen),
            tag: self.take(tag, tag_ty, seen),
        };
        super::inherit::Taken {
            v,
            cast: open && ty.is_float(),
            object: None,
        }
    }

    /// The running loop recording passes `pc`: is it left?
    pub(crate) unsafe fn leaving(&self, pc: *const Instr) -> Rec<()> {
        if self.kind == Kind::Loop
            && self.frames.len() == 1
            && self.l == self.start_l
            && self.base0 == self.start_base
            && self.frame().proto == self.protos[0]
        {
            let anchor = self.anchor as *const Instr;
            // SAFETY: [CODE] the anchor is in live code.
            let (lo, hi) = match unsafe { self.generic_loop_end() } {
                // the body lies between the target of TFORLOOP and TFORLOOP
                Some(end) => (end.target32(), end.pc),
                None => (self.start_pc.min(anchor), self.start_pc.max(anchor)),
            };
            if pc < lo || pc > hi {
                return Err(Abort::LeavingLoop);
            }
        }
        Ok(())
    }

    /// The TFORLOOP of the loop that is recorded, if that is a generic one, which begins at its TFORCALL.
    pub(crate) unsafe fn generic_loop_end(&self) -> Option<Cursor> {
        // SAFETY: [CODE] the anchor is in live code; a TFORLOOP follows each TFORCALL.
        unsafe {
            if self.anchor.is_null() || dispatch::op_at(self.anchor) != Op::TForCall {
                return None;
            }
            let pc = self.anchor.add(Op::TForCall.words()) as *const Instr;
            debug_assert_eq!(dispatch::op_at(pc), Op::TForLoop);
            Some(Cursor {
                pc,
                w: *pc,
                op: Op::TForLoop,
            })
        }
    }

    /// At the beginning again?
    pub(crate) unsafe fn at_start(&mut self, pc: *const Instr) -> Rec<Option<Step>> {
        if pc != self.start_pc || self.frames.len() != 1 || self.frame().proto != self.protos[0] {
            return Ok(None);
        }
        if self.kind == Kind::Func {
            // a tail call of itself
            self.flush(pc)?;
            return Ok(Some(Step::Stop(Link::SelfEntry { base: 0 })));
        }
        // another coroutine in the same loop is on its way to the one in which this began
        if self.kind != Kind::Loop || self.l != self.start_l {
            return Ok(None);
        }
        self.iterations += 1;
        self.poll(pc)?;
        self.note_progress(self.buf.done.instructions);
        let carried = self.carried(pc);
        // SAFETY: [CODE] the anchor is in live code.
        let (op, w) = unsafe { (dispatch::op_at(self.anchor), *self.anchor) };
        let counts = matches!(
            op,
            Op::ForLoop | Op::ForLoopV | Op::JForLoop | Op::JForLoopV
        );
        self.opt.index = counts.then_some((bc::a(w) / 16) as i16);
        let header = std::mem::take(&mut self.header);
        let seen = &self.seen;
        match opt::peel_observed(
            &mut self.opt,
            &mut self.buf,
            self.iteration,
            &header,
            &carried,
            &|_, r| seen.get(&r).copied(),
        ) {
            Ok(()) => Ok(Some(Step::Stop(Link::Loop))),
            Err(Abort::TypeUnstable) if self.iterations < self.params.instunroll => {
                self.next_iteration(pc)?;
                Ok(None)
            }
            Err(Abort::TypeUnstable) => {
                // by way of memory: the entry looks at the types again, and side traces take the others
                self.flush(pc)?;
                Ok(Some(Step::Stop(Link::SelfEntry { base: 0 })))
            }
            Err(e) => Err(e),
        }
    }

    /// The slots that have changed in the iteration that ends at `pc`.
    fn carried(&self, pc: *const Instr) -> Vec<Carried> {
        let mut out = Vec::new();
        let live = self.base() + Self::live_at(self.frame().proto, pc);
        for slot in -1..live {
            let i = (slot + 1) as usize;
            let changed = self.changed_all || self.changed.get(i).copied().unwrap_or(false);
            if !changed {
                continue;
            }
            out.push(match self.slot(slot) {
                Slot::Known { v, dirty } => Carried {
                    slot,
                    val: v.val,
                    tag: v.tag,
                    dirty,
                },
                Slot::Unknown => Carried {
                    slot,
                    val: REF_NONE,
                    tag: REF_NONE,
                    dirty: false,
                },
            });
        }
        out
    }

    /// Types have not settled: the next iteration becomes the model of the loop's body. What slots hold at its beginning gets
    /// names of its own: every slot that is known, since any of them may change in the model.
    fn next_iteration(&mut self, pc: *const Instr) -> Rec<()> {
        self.unrolled.clear();
        self.header.clear();
        self.changed.clear();
        self.changed_all = false;
        self.thread = REF_NONE;
        self.waiting.clear();
        let live = self.base() + Self::live_at(self.frame().proto, pc);
        for slot in -1..self.slots.len() as i16 - 1 {
            let Slot::Known { v, dirty } = self.slot(slot) else {
                continue;
            };
            if slot >= live {
                self.put_slot(slot, Slot::Unknown);
                continue;
            }
            let copy = |r: &mut Self, x: Ref| {
                if x.is_none() || r.buf.ty(x) == Ty::Word {
                    return x;
                }
                let ty = r.buf.ty(x);
                r.buf.push(crate::ir::Ins::new(IrOp::Copy, ty, x, REF_NONE))
            };
            let v = Tv {
                val: copy(self, v.val),
                tag: if v.tag.is_const() {
                    v.tag
                } else {
                    copy(self, v.tag)
                },
            };
            self.put_slot(slot, Slot::Known { v, dirty });
            self.header.push(Carried {
                slot,
                val: v.val,
                tag: v.tag,
                dirty,
            });
        }
        self.changed.clear();
        self.checked = 0;
        self.iteration = self.opt.begin_iteration(&self.buf);
        self.note_progress(self.buf.done.instructions);
        self.buf.done_before_body = self.buf.done;
        self.new_snap(pc);
        Ok(())
    }

    /// Stores every dirty live slot, for a link to code that finds its state in memory.
    pub(crate) fn flush_all(&mut self, pc: *const Instr) -> Rec<()> {
        self.flush(pc)
    }
}
