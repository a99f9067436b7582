//! Instructions that traces leave to the interpreter's helper.

use traceorus_base::bytecode::{Mode, Op};
use traceorus_base::objects::*;

use super::{Cursor, Pending, Rec, Recorder, Slot, Step};
use crate::ir::{IrOp, REF_NONE, Ty};

/// An instruction that a trace leaves to its helper.
#[derive(Clone, Copy, Debug)]
pub struct Performed {
    op: Op,
    quiet: bool,
    /// Where it is.
    pub pc: *const Instr,
}

impl Performed {
    /// The instruction's name in reports.
    pub fn name(&self) -> String {
        let name = self.op.mnemonic();
        if self.quiet {
            format!("{name} (quiet)")
        } else {
            name
        }
    }
}

impl Recorder {
    /// Records the instruction as a call of its helper.
    pub(crate) unsafe fn generic(&mut self, i: Cursor) -> Rec<Step> {
        // SAFETY: as `instruction`.
        unsafe { self.perform(i, false) }
    }

    /// The same; `quiet`: it is the call of a function that is quiet with these arguments, all of which is guarded.
    pub(super) unsafe fn perform(&mut self, i: Cursor, quiet: bool) -> Rec<Step> {
        // SAFETY: as `instruction`.
        unsafe {
            self.performed.push(Performed {
                op: i.op,
                quiet,
                pc: i.pc,
            });
            self.flush(i.pc)?;
            if let Some(top) = self.multi_top(i.pc) {
                self.emit(IrOp::STop, Ty::Void, Self::slot_lit(top), REF_NONE)?;
            }
            self.pending = Pending::Generic {
                pc: i.pc,
                quiet,
                base: (*self.l).base.byte_offset_from((*self.l).stack),
            };
            Ok(Step::More)
        }
    }

    /// The helper of the instruction at `pc` has been run and execution goes on at `next`.
    pub(crate) unsafe fn finish_generic(
        &mut self,
        pc: *const Instr,
        base: isize,
        quiet: bool,
        next: *const Instr,
    ) -> Rec<()> {
        // SAFETY: as `step`.
        unsafe {
            let op = traceorus_vm::dispatch::op_at(pc);
            let l = Recorder::global(self).hot.current;
            let same = l == self.l
                && (*l).base.byte_offset_from((*l).stack) == base
                && self.in_frame(next)
                && !matches!(
                    op,
                    Op::TailCall
                        | Op::TailCallM
                        | Op::Ret0
                        | Op::Ret1
                        | Op::Ret
                        | Op::RetM
                        | Op::RetC
                );
            let (kpc, knext) = (self.buf.k_ptr(pc as u64), self.buf.k_ptr(next as u64));
            let args = self.emit(IrOp::CArg, Ty::Void, kpc, knext)?;
            let from = Self::lit(self.base() as u16);
            if !same {
                if l != self.l {
                    self.waiting.clear();
                    self.thread = REF_NONE;
                }
                self.l = l;
                self.emit(IrOp::XOpR, Ty::Void, args, from)?;
                self.reset_frames();
                self.end = self.entered_recursion(next);
                return Ok(());
            }
            let how = if quiet { IrOp::XOpQ } else { IrOp::XOp };
            self.emit(how, Ty::Void, args, from)?;
            self.checked = 0;
            // what it has written
            let ra = self.base() + (traceorus_base::bytecode::a(*pc) / 16) as i16;
            match op.info().modes[0] {
                Mode::W => self.put_slot(ra, Slot::Unknown),
                Mode::S => self.forget_from(ra),
                _ => {}
            }
            // a generic loop's control variable is below its call's registers
            if matches!(op, Op::TForLoop) {
                self.put_slot(ra - 2, Slot::Unknown);
            }
            Ok(())
        }
    }

    fn in_frame(&self, pc: *const Instr) -> bool {
        // SAFETY: [GC-LIVE] the frame keeps its prototype alive.
        unsafe {
            let p = self.frame().proto;
            let code = (*p).code as *const Instr;
            pc >= code && pc < code.add((*p).ncode as usize)
        }
    }
}
