//! Variables to be closed: they are registered by the helper, quietly, and closed by calls of `__close` that are part of the trace, where it
//! is known which ones are pending.

use traceorus_base::bytecode::{self as bc, Op};
use traceorus_base::meta::MetaMethod;
use traceorus_base::objects::*;
use traceorus_vm::dispatch;

use super::meta::Handler;
use super::{Cursor, Rec, Recorder, Step};
use crate::ir::{FieldId, IrOp, Ty};

impl Recorder {
    /// Register A is to be closed, unless it is nil or false.
    pub(crate) unsafe fn register_pending(&mut self, i: Cursor) -> Rec<Step> {
        // SAFETY: as `instruction`.
        unsafe {
            let falsy = self.observed(i.ra()).is_falsy();
            let v = self.tv(i.ra())?;
            self.guard_truth(v, falsy)?;
            if falsy {
                return Ok(Step::More);
            }
            self.pending_close.push(self.base() + i.ra());
            self.perform(i, true)
        }
    }

    /// The registers from A up are left.
    pub(crate) unsafe fn close(&mut self, i: Cursor) -> Rec<Step> {
        // SAFETY: as `instruction`.
        unsafe {
            if (*self.l).tbc_len == 0 {
                // nothing is pending in the whole thread
                self.guard_pending(0)?;
                return Ok(Step::More);
            }
            let level = self.base() + i.ra();
            let known = self.pending_close.partition_point(|&s| s < level);
            let here = self.pending_close.split_off(known);
            if let [slot] = here[..]
                && self.is_alone(level, slot)
                && self.call_close(i, slot)?
            {
                return Ok(Step::More);
            }
            self.generic(i)
        }
    }

    /// So many variables are pending in the thread.
    fn guard_pending(&mut self, n: u64) -> Rec<()> {
        let l = self.running()?;
        self.guard_field(l, FieldId::ThreadTbc, n)
    }

    /// No other variable of the running frame from `level` up to `slot` may have been registered before the trace began.
    unsafe fn is_alone(&self, level: i16, slot: i16) -> bool {
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
                if first >= 0 && (level..slot).contains(&r) {
                    return false;
                }
                at += op.words();
            }
            true
        }
    }

    /// Closes the variable in `slot`, the only one that is pending in what is left. False: by the helper; nothing has been emitted that has
    /// an effect.
    unsafe fn call_close(&mut self, i: Cursor, slot: i16) -> Rec<bool> {
        // SAFETY: [GC-LIVE] as `instruction`.
        unsafe {
            let o = self.observed(slot - self.base());
            let v = self.slot_tv(slot)?;
            let Some(Handler::Call(f, of)) = self.handler((v, o), MetaMethod::Close)? else {
                return Ok(false);
            };
            let v = self.slot_tv(slot)?;
            let nil = self.nil();
            if !self.call_event(i, f, of, &[v, nil], None)? {
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
}
