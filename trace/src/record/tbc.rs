//! Variables to be closed: they are registered by the helper, quietly, and closed by calls of `__close` that are part of the trace, where it
//! is known which ones are pending.
//!
//! That is known where every instruction that may have registered one of the variables to be closed is on the trace. The instruction that closes
//! (CLOSE, RETC) is performed again after each call, until nothing is pending.

use traceorus_base::bytecode::{self as bc, MULTI, Op};
use traceorus_base::frame::FULL_BIT;
use traceorus_base::meta::MetaMethod;
use traceorus_base::objects::*;
use traceorus_vm::dispatch;

use super::meta::Handler;
use super::{Cursor, How, Rec, Recorder, Step};
use crate::ir::{FieldId, IrOp, Ty};

/// A variable whose registration is on the trace.
#[derive(Clone, Copy)]
pub(crate) struct Pending {
    slot: i16,
    /// It is nil or false: nothing is pending.
    falsy: bool,
}

/// What is pending above a slot.
enum Next {
    /// It cannot be told.
    Unknown,
    /// Nothing.
    Nothing,
    /// The variable in this slot is closed first.
    Slot(i16),
}

impl Recorder {
    /// Register A is to be closed, unless it is nil or false.
    pub(crate) unsafe fn register_pending(&mut self, i: Cursor) -> Rec<Step> {
        // SAFETY: as `instruction`.
        unsafe { self.register(i, i.ra()) }
    }

    /// The instruction at `i` registers the variable in register `r`.
    pub(super) unsafe fn register(&mut self, i: Cursor, r: i16) -> Rec<Step> {
        // SAFETY: as `instruction`.
        unsafe {
            let falsy = self.observed(r).is_falsy();
            let v = self.tv(r)?;
            self.guard_truth(v, falsy)?;
            let slot = self.base() + r;
            self.forget_pending_from(slot);
            self.pending_close.push(Pending { slot, falsy });
            if falsy {
                return Ok(Step::More);
            }
            self.perform(i, true)
        }
    }

    /// Nothing in the slots from `slot` on is pending any more.
    pub(super) fn forget_pending_from(&mut self, slot: i16) {
        let known = self.pending_close.partition_point(|p| p.slot < slot);
        self.pending_close.truncate(known);
    }

    /// What is pending in the running frame from slot `level` on.
    unsafe fn next_pending(&self, level: i16) -> Next {
        let known = self.pending_close.partition_point(|p| p.slot < level);
        let here = &self.pending_close[known..];
        let top = here.iter().rfind(|p| !p.falsy).map(|p| p.slot);
        // SAFETY: [CODE] the frame keeps its code.
        unsafe {
            let (p, base) = (self.frame().proto, self.base());
            let (mut at, end) = (1, (*p).ncode as usize);
            while at < end {
                let pc = (*p).code.add(at) as *const Instr;
                let op = dispatch::op_at(pc);
                let first = match op {
                    Op::Tbc => 0,
                    Op::TForPrep => 3,
                    _ => -1,
                };
                let r = base + (bc::a(*pc) / 16) as i16 + first;
                // what lies above the first one to be closed was closed before that came to be
                let may = first >= 0 && r >= level && top.is_none_or(|t| r < t);
                if may && here.iter().all(|p| p.slot != r) {
                    return Next::Unknown;
                }
                at += op.words();
            }
        }
        top.map_or(Next::Nothing, Next::Slot)
    }

    /// The registers from A up are left.
    pub(crate) unsafe fn close(&mut self, i: Cursor) -> Rec<Step> {
        // SAFETY: as `instruction`.
        unsafe {
            let level = self.base() + i.ra();
            let done = match self.next_pending(level) {
                Next::Nothing => true,
                Next::Slot(slot) => {
                    if self.call_close(i, slot, None)? {
                        return Ok(Step::More);
                    }
                    false
                }
                Next::Unknown => self.nothing_pending()?,
            };
            self.forget_pending_from(level);
            match done {
                true => Ok(Step::More),
                false => self.generic(i),
            }
        }
    }

    /// The frame is left with `n` results from register A on, all of its variables having been closed: true if a call of `__close` comes first,
    /// which has been recorded; `None`: by the helper.
    pub(super) unsafe fn close_frame(&mut self, i: Cursor, n: i16) -> Rec<Option<bool>> {
        // SAFETY: as `instruction`.
        unsafe {
            let level = self.base();
            let may_call = match self.frames.len() {
                1 => !self.in_loop,
                // the metamethod's result is looked at in its frame
                _ => self.frame().how != How::Meta,
            };
            match self.next_pending(level) {
                Next::Nothing => Ok(Some(false)),
                Next::Slot(slot) if may_call => {
                    let at = self.above_results(i, n);
                    Ok(self.call_close(i, slot, Some(at))?.then_some(true))
                }
                Next::Unknown if self.nothing_pending()? => Ok(Some(false)),
                _ => Ok(None),
            }
        }
    }

    /// The register for a function to be called while the `n` results of the return at `i` wait.
    unsafe fn above_results(&self, i: Cursor, n: i16) -> i16 {
        (i.ra() + n).max(Self::live_at(self.frame().proto, i.pc))
    }

    /// Guards that nothing is pending in the whole thread, if that is so.
    unsafe fn nothing_pending(&mut self) -> Rec<bool> {
        // SAFETY: the thread is live.
        if unsafe { (*self.l).tbc_len } != 0 {
            return Ok(false);
        }
        let l = self.running()?;
        self.guard_field(l, FieldId::ThreadTbc, 0)?;
        Ok(true)
    }

    /// Calls `__close` of the variable in `slot`, which is the next one to be closed, with its function in register `at` (`None`: above the
    /// frame). False: by the helper; nothing has been emitted that has an effect.
    unsafe fn call_close(&mut self, i: Cursor, slot: i16, at: Option<i16>) -> Rec<bool> {
        // SAFETY: [GC-LIVE] as `instruction`; [STACK-STABLE] the slot is in a frame.
        unsafe {
            let below = (*self.l).stack.byte_offset(self.base0);
            let o = *below.offset(slot as isize);
            let v = self.slot_tv(slot)?;
            let Some(Handler::Call(f, of)) = self.handler((v, o), MetaMethod::Close)? else {
                return Ok(false);
            };
            let v = self.slot_tv(slot)?;
            let nil = self.nil();
            self.forget_pending_from(slot);
            if !self.call_event(i, f, of, &[v, nil], at)? {
                return Ok(false);
            }
            let l = self.running()?;
            let n = self.field(l, FieldId::ThreadTbc)?;
            let one = self.buf.k(Ty::U32, 1);
            let n = self.emit(IrOp::Sub, Ty::U32, n, one)?;
            self.set_field(l, FieldId::ThreadTbc, n)?;
            Ok(true)
        }
    }

    /// The call of `__close` in the running frame ends: the instruction `at` in the frame below closes the next variable, or has been performed.
    pub(super) unsafe fn go_on_closing(&mut self, at: Cursor) -> Rec<Step> {
        // SAFETY: [CODE] the instruction waits in the frame below.
        unsafe {
            self.pin_snap()?;
            let func = self.frame().func;
            self.leave_event();
            let (base, a) = (self.base(), at.ra());
            let ret = at.op == Op::RetC;
            let n = match bc::b(at.w) {
                _ if !ret => 0,
                MULTI => func - (base + a),
                n => n as i16,
            };
            if ret && bc::b(at.w) == MULTI {
                self.set_multi(at.pc, func);
            }
            match self.next_pending(if ret { base } else { base + a }) {
                Next::Nothing if ret => self.ret_values(at, n),
                Next::Nothing => {
                    self.expect(at.next());
                    Ok(Step::More)
                }
                Next::Slot(slot) => {
                    let over = ret.then(|| self.above_results(at, n));
                    match self.call_close(at, slot, over)? {
                        true => Ok(Step::More),
                        false => self.resume(at.pc),
                    }
                }
                Next::Unknown => self.resume(at.pc),
            }
        }
    }
}

/// Bits of the frame word of a function that is called for the instruction at `pc`.
///
/// # Safety
/// [CODE]
pub(super) unsafe fn word_bits(pc: *const Instr) -> u64 {
    // SAFETY: as promised.
    match unsafe { dispatch::op_at(pc) } {
        Op::RetC => FULL_BIT,
        _ => 0,
    }
}
