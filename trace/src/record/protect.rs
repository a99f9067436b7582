//! Calls of pcall and xpcall, inlined: pcall's own frame and, above it, that of what it calls (kind PCALL).
//!
//! The frame word of the latter holds `Thread::pcall_depth`. Memory learns of the new depth only when the state is written back: by exits
//! (`Snap::pcalls`), or before a helper runs.

use traceorus_base::Value;
use traceorus_base::bytecode::{self as bc, MULTI};
use traceorus_base::frame::{self, kind};
use traceorus_base::objects::*;
use traceorus_vm::{body, debuginfo};

use super::call::{Callee, Way, after};
use super::{Cursor, How, Rec, Recorder, Slot, Step, Tv};
use crate::ir::{FieldId, IrOp, REF_NONE, Ref, Ty};

/// ORDER: `vm::call::MAX_CCALLS`.
const MAX_DEPTH: u32 = 200;

impl Recorder {
    /// `Thread::pcall_depth` as memory has it.
    fn depth_in_memory(&mut self) -> Rec<Ref> {
        let l = self.running()?;
        self.field(l, FieldId::ThreadPcalls)
    }

    /// There may be one more protected call, guarded.
    pub(super) unsafe fn may_protect(&mut self) -> Rec<bool> {
        // SAFETY: the thread is live. While it is recorded the interpreter performs everything: memory has the depth.
        if unsafe { (*self.l).pcall_depth } >= MAX_DEPTH {
            return Ok(false);
        }
        let d = self.depth_in_memory()?;
        let most = self
            .buf
            .k(Ty::U32, u64::from(MAX_DEPTH - u32::from(self.pcalls)));
        self.guard(IrOp::Ult, Ty::U32, d, most)?;
        Ok(true)
    }

    /// Word of a frame of kind PCALL in which there are `pcalls` protected calls that memory does not count.
    fn protected_word(&mut self, pcalls: i64, delta: i16, bits: u64) -> Rec<Ref> {
        let d = self.depth_in_memory()?;
        let d = self.emit(IrOp::Cast, Ty::Int, d, REF_NONE)?;
        let n = self.buf.k_int(pcalls);
        let d = self.emit(IrOp::Add, Ty::Int, d, n)?;
        let three = self.buf.k_int(3);
        let d = self.emit(IrOp::Shl, Ty::Int, d, three)?;
        let rest = frame::word(kind::PCALL, 0, delta as u64) | bits;
        let rest = self.buf.k_int(rest as i64);
        let word = self.emit(IrOp::Or, Ty::Int, d, rest)?;
        self.emit(IrOp::Cast, Ty::Word, word, REF_NONE)
    }
    /// The word of the running frame, which is that of a protected call, with these bits set.
    pub(super) fn own_protected_word(&mut self, delta: i16, bits: u64) -> Rec<Ref> {
        self.protected_word(i64::from(self.pcalls) - 1, delta, bits)
    }

    /// Writes the depth to memory, if that does not have it.
    pub(super) fn flush_depth(&mut self) -> Rec<()> {
        let n = std::mem::take(&mut self.pcalls);
        self.change_depth(n.into())
    }
    /// Memory's depth grows by `n`.
    pub(super) fn change_depth(&mut self, n: i64) -> Rec<()> {
        if n == 0 {
            return Ok(());
        }
        let d = self.depth_in_memory()?;
        let (op, by) = if n < 0 {
            (IrOp::Sub, -n)
        } else {
            (IrOp::Add, n)
        };
        let by = self.buf.k(Ty::U32, by as u64);
        let d = self.emit(op, Ty::U32, d, by)?;
        let l = self.running()?;
        let f = Self::lit(FieldId::ThreadPcalls as u16);
        let at = self.emit(IrOp::FRef, Ty::Ptr, l, f)?;
        self.emit(IrOp::FSt, Ty::U32, at, d)?;
        Ok(())
    }

    /// A call of pcall (`delta` 1) or xpcall (2), the native function `f`, with `nargs` arguments. `None`: by the helper.
    #[inline(never)]
    pub(super) unsafe fn protected_call(
        &mut self,
        i: Cursor,
        f: Value,
        nargs: i16,
        delta: i16,
    ) -> Rec<Option<Step>> {
        // SAFETY: [GC-LIVE] as `native`.
        unsafe {
            if nargs < delta {
                return Ok(None);
            }
            let r = i.ra();
            for k in 1..=delta {
                if self.observed(r + k).tag != traceorus_base::Tag::FUNCTION {
                    return Ok(None);
                }
            }
            let closure = self.observed(r + 1).as_ptr::<LuaClosure>();
            let proto = (*closure).proto;
            if (*closure).hdr.kind != ObjKind::LuaClosure as u8 {
                return Ok(None);
            }
            let entry = self.way_into(closure, false)?;
            if matches!(entry, Way::No) || self.frames.len() as u32 > self.params.maxdepth {
                return Ok(None);
            }
            let fv = self.guard_observed(r)?;
            let own = self.guard_is(fv.val, f.payload)?;
            let callee = self.guard_observed(r + 1)?;
            let known = self.guard_function(callee, closure)?;
            let handler = self.guard_observed(r + delta)?;
            if !self.may_protect()? {
                return Ok(None);
            }
            let at = self.base() + r;
            let func = at + delta;
            if !self.room_to_call(func, proto, nargs - delta)? {
                return Ok(None);
            }
            let frame = self.protected_word(self.pcalls.into(), delta, 0)?;
            let word = self.buf.k(Ty::Word, frame::word(kind::LUA, i.pc as u64, 0));
            let v = Tv {
                val: own,
                tag: word,
            };
            for k in 1..=nargs {
                // all of them are in the trace before anything changes
                self.slot_tv(at + k)?;
            }
            self.put_slot(at, Slot::Known { v, dirty: true });
            if delta == 2 {
                self.put_slot(
                    at + 1,
                    Slot::Known {
                        v: handler,
                        dirty: true,
                    },
                );
            }
            self.pcalls += 1;
            self.enter_frame(Callee {
                func,
                val: callee.val,
                closure,
                known,
                nargs: nargs - delta,
                word: frame,
                call_pc: i.pc,
                how: How::Protected { delta },
            })?;
            self.go_into(entry, closure).map(Some)
        }
    }

    /// The function that pcall has called ends with `n` results from register `from` on.
    pub(super) unsafe fn end_protected(&mut self, _i: Cursor, from: i16, n: i16) -> Rec<Step> {
        // SAFETY: [CODE] pcall was called by a call instruction.
        unsafe {
            let mut results = vec![self.konst(Value::TRUE)];
            for k in 0..n {
                results.push(self.tv(from + k)?);
            }
            self.leave_protected(results)
        }
    }

    /// Ends pcall in the running frame with these results.
    pub(super) unsafe fn leave_protected(&mut self, results: Vec<Tv>) -> Rec<Step> {
        // SAFETY: as `end_protected`.
        unsafe {
            let How::Protected { delta } = self.frame().how else {
                return Err(crate::abort::Abort::Internal);
            };
            let call_pc = self.frame().call_pc;
            let wanted = bc::c(*call_pc);
            let all = wanted == MULTI;
            let wanted = if all {
                results.len() as i16
            } else {
                wanted as i16
            };
            if all {
                let at = self.frame().func - delta;
                self.need_slots(at + wanted + 1)?;
            }
            self.pin_snap()?;
            let fr = self.frames.pop().expect("inlined");
            let at = fr.func - delta;
            self.forget_pending_from(at);
            let nil = self.konst(Value::NIL);
            for k in 0..wanted {
                let v = results.get(k as usize).copied().unwrap_or(nil);
                self.put_slot(at + k, Slot::Known { v, dirty: true });
            }
            self.forget_from(at + wanted);
            if self.pcalls > 0 {
                self.pcalls -= 1;
            } else {
                self.change_depth(-1)?;
            }
            let next = after(call_pc);
            if all {
                self.set_multi(next, at + wanted);
            }
            self.expect(next);
            Ok(Step::More)
        }
    }

    // ---- errors -------------------------------------------------------------------------------------------------------

    /// The error that is being raised in `l` while the running instruction is performed is caught in the frame in which the recording
    /// began, or above, or in a coroutine that the trace has resumed, or ends such coroutines: the recording goes on there.
    pub(crate) unsafe fn is_caught(&self, l: *mut Thread) -> bool {
        let here = match self.pending {
            super::Pending::Generic { .. } => true,
            super::Pending::Expect { .. } => self.raising,
            super::Pending::None => false,
        };
        // the threads that the error can come to: the running one, and those that wait for it
        let Some(waiting) = self.waits_for(l) else {
            return false;
        };
        let start = std::ptr::eq(l, self.start_l);
        // SAFETY: [STACK-STABLE] frames are in order.
        unsafe {
            here && match traceorus_vm::throw::catcher(l) {
                Some(pb) => !start || pb.byte_offset_from((*l).stack) > self.entry_base,
                // it is passed on to the one that has resumed it
                None => !start && waiting != 0,
            }
        }
    }
    /// What catches errors now is a frame above that in which the recording began.
    unsafe fn caught_above(&self, l: *mut Thread) -> bool {
        // SAFETY: [STACK-STABLE] frames are in order.
        unsafe {
            traceorus_vm::throw::catcher(l)
                .is_some_and(|pb| pb.byte_offset_from((*l).stack) > self.entry_base)
        }
    }

    /// A call of the function `error`, which is `f`.
    #[inline(never)]
    pub(super) unsafe fn raise_error(&mut self, i: Cursor, f: Value, nargs: i16) -> Rec<Step> {
        // SAFETY: [GC-LIVE] as `native`.
        unsafe {
            let protected = |x: &super::Frame| matches!(x.how, How::Protected { .. });
            let Some(m) = self.frames.iter().rposition(protected) else {
                let here = std::ptr::eq(self.l, self.start_l);
                if self.kind == super::Kind::Loop || !here || self.caught_above(self.l) {
                    return self.generic(i);
                }
                // caught below: the trace ends here
                return self.resume(i.pc);
            };
            if !self.can_give_up(m) {
                return self.generic(i);
            }
            let handler = match self.frames[m].how {
                How::Protected { delta: 2 } => Some(self.frames[m].func - 1),
                _ => None,
            };
            let handles = |x: &super::Frame| body::is_error(x.proto);
            if handler.is_some() && self.frames[m..].iter().any(handles) {
                // an error of the handler
                return self.generic(i);
            }
            let r = i.ra();
            let nothing = Value::NIL;
            let o = if nargs < 1 {
                nothing
            } else {
                self.observed(r + 1)
            };
            let level = match nargs {
                ..2 => Value::int(1),
                _ => self.observed(r + 2),
            };
            let n = match level.tag {
                traceorus_base::Tag::NIL => 1,
                traceorus_base::Tag::INT => level.as_int(),
                _ => return self.generic(i),
            };
            let text = o.tag == traceorus_base::Tag::STRING && n > 0;
            let mut place = Vec::new();
            if text {
                let last = self.frames.len() - 1;
                match n {
                    1 => place = debuginfo::where_at(self.frame().proto, i.pc),
                    // pcall has called the function
                    2 if last == m => {}
                    2 => {
                        place =
                            debuginfo::where_at(self.frames[last - 1].proto, self.frame().call_pc)
                    }
                    _ => return self.generic(i),
                }
            }
            let fv = self.guard_observed(r)?;
            self.guard_is(fv.val, f.payload)?;
            if nargs >= 2 {
                let v = self.guard_observed(r + 2)?;
                if level.tag == traceorus_base::Tag::INT {
                    let k = self.buf.k_int(n);
                    if v.val != k {
                        self.guard(IrOp::Eq, Ty::Int, v.val, k)?;
                    }
                }
            }
            let mut v = match nargs {
                ..1 => self.nil(),
                _ => self.tv(r + 1)?,
            };
            if self.known_tag(v).is_none() {
                v = self.guard_tag(v, o.tag)?;
            }
            self.guard_nothing_pending()?;
            if !place.is_empty() {
                let at = self.text(&place);
                v = self.texts(&[at.val, v.val])?;
            }
            match handler {
                None => self.give_up(m, v),
                Some(slot) => self.handle_error(i, slot, v),
            }
        }
    }

    /// Frames from number `m` on, that of a protected call, can be given up for an error: nothing is to be closed.
    pub(super) unsafe fn can_give_up(&self, m: usize) -> bool {
        // SAFETY: [GC-LIVE] the thread and its functions.
        unsafe {
            let text = |x: &super::Frame| body::is_body(x.proto) && body::is_gsub(x.proto);
            (*self.l).tbc_len == 0 && !self.frames[m..].iter().any(text)
        }
    }
    /// Guards that no variables wait to be closed.
    pub(super) fn guard_nothing_pending(&mut self) -> Rec<()> {
        let l = self.running()?;
        let pending = self.field(l, FieldId::ThreadTbc)?;
        let zero = self.buf.k(Ty::U32, 0);
        self.guard(IrOp::Eq, Ty::U32, pending, zero)?;
        Ok(())
    }
    /// The protected call whose frame is number `m` ends with the error `v`.
    pub(super) unsafe fn give_up(&mut self, m: usize, v: Tv) -> Rec<Step> {
        // SAFETY: as `raise_error`.
        unsafe {
            self.pin_snap()?;
            let passed = self.frames[m..].iter();
            let passed = passed.filter(|x| body::is_closed(x.proto)).count();
            if passed != 0 {
                self.change_bodies(-(passed as i64))?;
            }
            self.frames.truncate(m + 1);
            let no = self.konst(Value::FALSE);
            self.raising = true;
            self.leave_protected(vec![no, v])
        }
    }
    /// The message handler in `slot` is called with `v`, by the body of `error`.
    unsafe fn handle_error(&mut self, i: Cursor, slot: i16, v: Tv) -> Rec<Step> {
        // SAFETY: as `raise_error`; xpcall's frame keeps its handler.
        unsafe {
            let h = self.slot_tv(slot)?;
            let now = self.observed(slot - self.base());
            match self.error_body(i, (h, now), v)? {
                Some(step) => Ok(step),
                None => self.generic(i),
            }
        }
    }
    /// The end of the body of `error`, whose message is argument 1 of the call at `i`.
    pub(super) unsafe fn raise_handled(&mut self, i: Cursor) -> Rec<Step> {
        // SAFETY: [GC-LIVE] as `native`.
        unsafe {
            let protected = |x: &super::Frame| matches!(x.how, How::Protected { .. });
            let m = self.frames.iter().rposition(protected);
            let Some(m) = m.filter(|&m| self.can_give_up(m)) else {
                return self.generic(i);
            };
            self.guard_nothing_pending()?;
            let v = self.tv(i.ra() + 1)?;
            self.give_up(m, v)
        }
    }
}
