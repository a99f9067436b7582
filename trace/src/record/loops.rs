//! Loop instructions.

use traceorus_base::Tag;
use traceorus_base::bytecode::Op;
use traceorus_vm::arith;

use super::{Cursor, Rec, Recorder, Step};
use crate::abort::Abort;
use crate::ir::{IrOp, Ty};

impl Recorder {
    pub(crate) unsafe fn looping(&mut self, i: Cursor) -> Rec<Step> {
        // SAFETY: as `instruction`.
        unsafe {
            match i.op {
                Op::Loop => {
                    self.back_edge(i)?;
                    Ok(Step::More)
                }
                Op::TForCall => self.tfor_call(i),
                Op::TForPrep => self.tfor_prep(i),
                Op::ForPrep => self.for_prep(i),
                Op::ForLoop | Op::ForLoopV => self.for_loop(i),
                Op::TForLoop => {
                    let a = i.ra();
                    let v = self.tv(a)?;
                    let nil = self.observed(a).is_nil();
                    if self.known_tag(v).is_none() {
                        if nil {
                            self.guard_tag(v, Tag::NIL)?;
                        } else {
                            let t = Tag::NIL.0 as u16;
                            self.guard(IrOp::TNe, Ty::Tag, v.tag, Self::lit(t))?;
                        }
                    }
                    if !nil {
                        self.set(a - 2, v);
                        self.back_edge(i)?;
                    } else {
                        self.leaves(i)?;
                    }
                    Ok(Step::More)
                }
                _ => self.generic(i),
            }
        }
    }

    /// The loop instruction is that of the loop that is recorded.
    fn is_own(&self, i: Cursor) -> bool {
        if i.op == Op::TForLoop {
            // SAFETY: [CODE] the anchor is in live code.
            return unsafe { self.generic_loop_end() }.is_some_and(|end| end.pc == i.pc);
        }
        std::ptr::eq(i.pc, self.anchor)
    }

    /// The back edge of a loop is taken.
    fn back_edge(&mut self, i: Cursor) -> Rec<()> {
        if self.is_own(i) {
            return Ok(());
        }
        let n = self.unrolled.entry(i.pc as usize).or_insert(0);
        *n += 1;
        if *n > self.params.loopunroll {
            return Err(Abort::InnerLoop);
        }
        Ok(())
    }

    /// A loop ends; not the one that is recorded, unless it is left for good.
    fn leaves(&self, i: Cursor) -> Rec<()> {
        if self.is_own(i) {
            return Err(Abort::LeavingLoop);
        }
        Ok(())
    }

    unsafe fn for_prep(&mut self, i: Cursor) -> Rec<Step> {
        // SAFETY: as `instruction`.
        unsafe {
            let a = i.ra();
            let (oi, ol, os) = (self.observed(a), self.observed(a + 1), self.observed(a + 2));
            // step 1: the limit is the last value
            let plain = [oi, ol, os].iter().all(|v| v.tag == Tag::INT);
            if !plain || os.as_int() != 1 {
                return self.generic(i);
            }
            let init = self.guard_observed(a)?;
            let limit = self.guard_observed(a + 1)?;
            let step = self.guard_observed(a + 2)?;
            let one = self.buf.k_int(1);
            if step.val != one {
                self.guard(IrOp::Eq, Ty::Int, step.val, one)?;
            }
            let runs = oi.as_int() <= ol.as_int();
            let op = if runs { IrOp::Le } else { IrOp::Gt };
            self.guard(op, Ty::Int, init.val, limit.val)?;
            // the three keep their values; they are integers by construction from here on
            Ok(Step::More)
        }
    }

    unsafe fn for_loop(&mut self, i: Cursor) -> Rec<Step> {
        // SAFETY: as `instruction`.
        unsafe {
            let a = i.ra();
            let (oi, ol, os) = (self.observed(a), self.observed(a + 1), self.observed(a + 2));
            let index = self.guard_observed(a)?;
            // what ForPrep has made sure of
            let (limit, step) = (self.tv(a + 1)?, self.tv(a + 2)?);
            let limit = self.assume_tag(limit, oi.tag)?;
            let mut step = self.assume_tag(step, oi.tag)?;
            let (next, goes_on);
            if oi.tag == Tag::INT {
                self.saw(limit.val, ol.as_int());
                self.saw(step.val, os.as_int());
                if !step.val.is_const() && matches!(os.as_int(), 1 | -1) {
                    // as good as always it is a constant
                    let k = self.buf.k_int(os.as_int());
                    self.guard(IrOp::Eq, Ty::Int, step.val, k)?;
                    step.val = k;
                }
                goes_on = oi.as_int() != ol.as_int();
                let op = if goes_on { IrOp::Ne } else { IrOp::Eq };
                self.guard(op, Ty::Int, index.val, limit.val)?;
                if !goes_on {
                    self.leaves(i)?;
                    return Ok(Step::More);
                }
                next = self.emit(IrOp::Add, Ty::Int, index.val, step.val)?;
            } else {
                let up = os.as_float() > 0.0;
                let zero = self.buf.k_float(0.0);
                let op = if up { IrOp::Gt } else { IrOp::NGt };
                self.guard(op, Ty::Float, step.val, zero)?;
                next = self.emit(IrOp::Add, Ty::Float, index.val, step.val)?;
                let sum = traceorus_base::Value::float(oi.as_float() + os.as_float());
                let (x, y, ox, oy) = if up {
                    (next, limit.val, sum, ol)
                } else {
                    (limit.val, next, ol, sum)
                };
                goes_on = arith::le(ox, oy) == Some(true);
                let op = if goes_on { IrOp::Le } else { IrOp::NLe };
                self.guard(op, Ty::Float, x, y)?;
                if !goes_on {
                    self.leaves(i)?;
                    return Ok(Step::More);
                }
            }
            let v = self.typed(next);
            self.set(a, v);
            if i.op == Op::ForLoopV {
                self.set(a + 3, v);
            }
            self.back_edge(i)?;
            Ok(Step::More)
        }
    }
}
