//! Loop instructions.

use traceorus_base::Tag;
use traceorus_base::bytecode::{self as bc, Op};
use traceorus_base::objects::*;
use traceorus_vm::{arith, dispatch, number};

use super::{Cursor, Kind, Rec, Recorder, Slot, Step};
use crate::abort::Abort;
use crate::ir::{IrOp, REF_NONE, Ty};

/// Iterations of a compiled inner loop that are rather recorded as part of the outer one, if their number is known.
const SHORT_LOOP: i128 = 8;

impl Recorder {
    #[inline(never)]
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
                            self.decides(i.next());
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
        // what follows a call in a loop that is not compiled yet waits for the loop's trace, which it will lead to
        let first = match i.op {
            Op::Loop | Op::TForLoop => i.target32(),
            _ => i.next().wrapping_offset(bc::jump16(i.w) as isize),
        };
        let follows = matches!(self.kind, Kind::Cont { .. } | Kind::Event { .. });
        if follows && self.frames.len() == 1 && (first..i.pc).contains(&self.start_pc) {
            self.around = first;
            return Ok(());
        }
        self.outer = match i.op {
            Op::TForLoop => i.pc.wrapping_sub(Op::TForCall.words()),
            _ => i.pc,
        }
        .cast_mut();
        let n = self.unrolled.entry(i.pc as usize).or_insert(0);
        *n += 1;
        if *n > self.params.loopunroll {
            return Err(Abort::InnerLoop);
        }
        Ok(())
    }

    /// The loop at `anchor`, whose body begins here, runs a few times more, which is a fact of the trace: it is recorded as part of the
    /// one around it although it is compiled.
    pub(crate) unsafe fn is_short_loop(&self, anchor: *const Instr) -> bool {
        // SAFETY: [CODE] the anchor is in live code, that of the running function.
        let (op, w) = unsafe { (dispatch::op_at(anchor), *anchor) };
        if op == Op::TForCall {
            return self.is_short_list((bc::a(w) / 16) as i16);
        }
        if !matches!(op, Op::ForLoop | Op::ForLoopV) {
            return false;
        }
        let a = self.base() + (bc::a(w) / 16) as i16;
        let known = |slot| match self.slot(slot) {
            Slot::Known { v, .. } if v.val.is_const() => self.buf.int(v.val),
            _ => None,
        };
        let (Some(i), Some(last), Some(step)) = (known(a), known(a + 1), known(a + 2)) else {
            return false;
        };
        // the limit has been made the last value of the index
        let rest = i128::from(last) - i128::from(i);
        step != 0 && (0..SHORT_LOOP).contains(&(rest / i128::from(step)))
    }

    /// The generic loop whose TFORCALL has this A goes by `ipairs` through a table that the trace has made, which is short.
    fn is_short_list(&self, a: i16) -> bool {
        let of = |r: i16| match self.slot(self.base() + r) {
            Slot::Known { v, .. } => v.val,
            Slot::Unknown => REF_NONE,
        };
        let (f, t) = (of(a - 4), of(a - 3));
        // SAFETY: [GC-LIVE] a constant of the trace, which has guarded that it is this function.
        let ipairs = self.buf.konst(f).is_some_and(|k| unsafe {
            k.ty == Ty::Func && {
                let c = k.bits as *const GcHeader;
                (*c).kind == ObjKind::NativeClosure as u8 && (*c).flags & flags::NATIVE_IPAIRS != 0
            }
        });
        let made = t.is_ins() && matches!(self.buf.at(t).op, IrOp::TArr | IrOp::TNew);
        ipairs
            && made
            && self.buf.int(of(a - 2)).is_some()
            && self.buf.at(t).lit_b() < Table::INLINE_MAX as u16
    }

    /// The instruction of the loop around `pc` by which the recording has just come there; null: it has not.
    pub(crate) fn outer_loop(&self, pc: *const Instr) -> *mut Instr {
        for (n, fr) in self.frames.iter().enumerate() {
            let at = self.frames.get(n + 1).map_or(pc, |inner| inner.call_pc);
            // SAFETY: [GC-LIVE] the frame keeps its prototype alive.
            let (code, len) =
                unsafe { ((*fr.proto).code as *const Instr, (*fr.proto).ncode as usize) };
            let outer = self.outer.cast_const();
            if outer > at && outer >= code && outer < code.wrapping_add(len) {
                return self.outer;
            }
        }
        std::ptr::null_mut()
    }

    /// A loop ends; not the one that is recorded, unless it is left for good.
    fn leaves(&self, i: Cursor) -> Rec<()> {
        if self.is_own(i) {
            return Err(Abort::LeavingLoop);
        }
        Ok(())
    }

    /// The limit of an integer loop becomes the last value of the index: that is a multiple of the step away.
    #[inline(never)]
    unsafe fn for_prep(&mut self, i: Cursor) -> Rec<Step> {
        // SAFETY: as `instruction`.
        unsafe {
            let a = i.ra();
            let (oi, ol, os) = (self.observed(a), self.observed(a + 1), self.observed(a + 2));
            let plain = oi.tag == Tag::INT && os.tag == Tag::INT;
            if !plain || !matches!(ol.tag, Tag::INT | Tag::FLOAT) || os.as_int() == 0 {
                return self.generic(i);
            }
            let (step, up) = (os.as_int(), os.as_int() > 0);
            let Some(whole) = number::for_limit(ol, step).ok().flatten() else {
                return self.generic(i);
            };
            let (nearest, farthest) = if up {
                (oi.as_int(), whole)
            } else {
                (whole, oi.as_int())
            };
            let runs = nearest <= farthest;
            // else the limit would have to be clipped
            let exact = ol.tag == Tag::INT || ol.as_float().abs() <= 9e18;
            let constant = matches!(self.tv(a + 2)?, v if v.val.is_const());
            if runs && farthest.checked_sub(nearest).is_none()
                || !matches!(step, -1 | 1..) && !constant
                || step == i64::MIN
                || !exact
            {
                return self.generic(i);
            }
            let init = self.guard_observed(a)?;
            let limit = self.guard_observed(a + 1)?;
            let by = self.guard_observed(a + 2)?;
            let mut last = limit;
            if ol.tag == Tag::FLOAT {
                let how = Self::lit(if up { 1 } else { 2 });
                let r = self.emit(IrOp::Round, Ty::Float, limit.val, how)?;
                let r = self.guard(IrOp::FtoI, Ty::Int, r, REF_NONE)?;
                last = self.typed(r);
            }
            let k = self.buf.k_int(step);
            let one = self.buf.k_int(1);
            if matches!(step, -1 | 1) {
                self.guard(IrOp::Eq, Ty::Int, by.val, k)?;
            } else if up {
                self.guard(IrOp::Gt, Ty::Int, by.val, one)?;
            }
            let op = match (up, runs) {
                (true, true) => IrOp::Le,
                (true, false) => IrOp::Gt,
                (false, true) => IrOp::Ge,
                (false, false) => IrOp::Lt,
            };
            self.guard(op, Ty::Int, init.val, last.val)?;
            if runs && !matches!(step, -1 | 1) {
                let (far, near) = if up { (last, init) } else { (init, last) };
                let zero = self.buf.k_int(0);
                let way = self.emit(IrOp::Sub, Ty::Int, far.val, near.val)?;
                self.guard(IrOp::Ge, Ty::Int, way, zero)?;
                let size = if up { by.val } else { self.buf.k_int(-step) };
                let rest = self.emit(IrOp::IMod, Ty::Int, way, size)?;
                let op = if up { IrOp::Sub } else { IrOp::Add };
                let r = self.emit(op, Ty::Int, last.val, rest)?;
                last = self.typed(r);
            }
            // they are integers by construction from here on
            if runs && last != limit {
                self.set(a + 1, last);
            }
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
                if goes_on {
                    self.decides(i.next());
                }
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
                if goes_on {
                    self.decides(i.next());
                }
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
