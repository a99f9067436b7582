//! `...`: in inlined functions a list of slots whose number is a fact of the trace; in the function in which the trace runs the values are
//! in memory, below its base, and their number is in its frame word.

use traceorus_base::bytecode::{self as bc, MULTI, Op};
use traceorus_base::fastfn::FastFn;
use traceorus_base::frame;
use traceorus_base::objects::*;
use traceorus_base::{Tag, Value};
use traceorus_vm::call::word_at;
use traceorus_vm::dispatch;
use traceorus_vm::string::str_bytes;

use super::call::after;
use super::{Cursor, Rec, Recorder, Step, Tv};
use crate::ir::{IrOp, REF_NONE, Ref, Ty};

/// Most values that are looked at one by one.
const MAX_VALUES: i16 = 8;
/// Side traces of a tree from which on the number of values that a list has is no longer a fact of the trace.
const MAX_COUNTS: u32 = 16;
/// Numbers below this one do not overflow when a few are added.
const SMALL: i64 = 1 << 40;

impl Recorder {
    pub(crate) unsafe fn vararg(&mut self, i: Cursor) -> Rec<Step> {
        // SAFETY: as `instruction`.
        unsafe {
            let Some(n) = self.frame().nextra else {
                let done = match i.op {
                    Op::Vararg => self.first_extras(i)?,
                    _ => self.select_extras(i)? || self.all_extras(i)?,
                };
                return match done {
                    true => Ok(Step::More),
                    false => self.perform(i, true),
                };
            };
            let base = self.base();
            let first = base - 1 - n as i16;
            let nil = self.konst(Value::NIL);
            let all = i.op == Op::VarargM;
            let wanted = if all { n as i16 } else { bc::b(i.w) as i16 };
            if all {
                self.need_slots(base + i.ra() + wanted + 1)?;
            }
            for k in 0..wanted {
                let v = if k < n as i16 {
                    self.slot_tv(first + k)?
                } else {
                    nil
                };
                self.set(i.ra() + k, v);
            }
            if all {
                let top = base + i.ra() + wanted;
                self.forget_from(top);
                self.set_multi(i.next(), top);
            }
            Ok(Step::More)
        }
    }

    /// How many extra arguments the frame at BASE has, and how many there are now.
    unsafe fn count_extras(&mut self) -> Rec<(Ref, i64)> {
        // SAFETY: [STACK-STABLE] the running frame is one of a vararg function.
        unsafe {
            debug_assert_eq!(self.base(), 0);
            let fixed = 1 + i64::from((*self.frame().proto).nparams);
            let at = self.buf.k_int(-1);
            let at = self.emit(IrOp::VRef, Ty::Ptr, at, REF_NONE)?;
            let word = self.emit(IrOp::LdV, Ty::Int, at, REF_NONE)?;
            // ORDER: `frame::vararg_word`
            let shift = self.buf.k_int(3);
            let delta = self.emit(IrOp::Shr, Ty::Int, word, shift)?;
            Ok((self.plus(delta, -fixed)?, self.extras_now()))
        }
    }
    /// How many extra arguments the running frame, which is that at BASE, has now.
    unsafe fn extras_now(&self) -> i64 {
        // SAFETY: as `count_extras`.
        unsafe {
            let fixed = 1 + i64::from((*self.frame().proto).nparams);
            frame::delta_of(word_at((*self.l).base.sub(1))) as i64 - fixed
        }
    }

    /// Guards the frame word `down` slots below the one under BASE.
    pub(super) fn guard_word_below(&mut self, down: i16, word: u64) -> Rec<()> {
        let at = self.buf.k_int(-2 * i64::from(down) - 1);
        let at = self.emit(IrOp::VRef, Ty::Ptr, at, REF_NONE)?;
        let is = self.emit(IrOp::LdV, Ty::Int, at, REF_NONE)?;
        let k = self.buf.k_int(word as i64);
        self.guard(IrOp::Eq, Ty::Int, is, k).map(drop)
    }

    /// Extra argument `k` (from 0) of the `n` that the frame at BASE has; there is one.
    fn extra(&mut self, k: Ref, n: Ref) -> Rec<Tv> {
        // a slot lies between them and the base
        let d = self.emit(IrOp::Sub, Ty::Int, k, n)?;
        let one = self.buf.k_int(1);
        let d = self.emit(IrOp::Shl, Ty::Int, d, one)?;
        let at = self.plus(d, -2)?;
        let at = self.emit(IrOp::VRef, Ty::Ptr, at, REF_NONE)?;
        let val = self.emit(IrOp::LdV, Ty::Any, at, REF_NONE)?;
        let at = self.plus(d, -1)?;
        let at = self.emit(IrOp::VRef, Ty::Ptr, at, REF_NONE)?;
        let tag = self.emit(IrOp::LdV, Ty::Tag, at, REF_NONE)?;
        self.loaded(val, tag)
    }

    /// `local a, b = ...`. False: by the helper.
    unsafe fn first_extras(&mut self, i: Cursor) -> Rec<bool> {
        // SAFETY: as `vararg`.
        unsafe {
            let wanted = bc::b(i.w) as i16;
            if wanted > MAX_VALUES {
                return Ok(false);
            }
            let (n, now) = self.count_extras()?;
            let there = now.min(wanted.into());
            let k = self.buf.k_int(there);
            let op = if now < wanted.into() {
                IrOp::Eq
            } else {
                IrOp::Ge
            };
            self.guard(op, Ty::Int, n, k)?;
            let zero = self.buf.k_int(0);
            let values = self.extras_from(zero, n, there)?;
            self.give_values(i.ra(), values, wanted);
            Ok(true)
        }
    }

    /// `...` as a list, if there are few values: how many is a fact of the trace. False: by the helper.
    unsafe fn all_extras(&mut self, i: Cursor) -> Rec<bool> {
        // SAFETY: as `vararg`.
        unsafe {
            if self.sides >= MAX_COUNTS {
                return Ok(false);
            }
            let (n, now) = self.count_extras()?;
            if now > MAX_VALUES.into() {
                return Ok(false);
            }
            let top = self.base() + i.ra() + now as i16;
            self.need_slots(top + 1)?;
            let k = self.buf.k_int(now);
            self.guard(IrOp::Eq, Ty::Int, n, k)?;
            let zero = self.buf.k_int(0);
            let values = self.extras_from(zero, n, now)?;
            self.give_values(i.ra(), values, now as i16);
            self.forget_from(top);
            self.set_multi(i.next(), top);
            Ok(true)
        }
    }

    /// `there` extra arguments from number `k` on.
    fn extras_from(&mut self, k: Ref, n: Ref, there: i64) -> Rec<Vec<Tv>> {
        let mut values = Vec::new();
        for j in 0..there {
            let k = self.plus(k, j)?;
            values.push(self.extra(k, n)?);
        }
        Ok(values)
    }

    /// Registers from `r` on become these values, and nil.
    fn give_values(&mut self, r: i16, values: Vec<Tv>, wanted: i16) {
        let nil = self.konst(Value::NIL);
        for k in 0..wanted {
            self.set(r + k, values.get(k as usize).copied().unwrap_or(nil));
        }
    }

    /// `select(k, ...)` and `select("#", ...)` (in tail calls, too), of which `i` makes the arguments: they are not made, and the call is recorded, too. False: by
    /// the helpers.
    unsafe fn select_extras(&mut self, i: Cursor) -> Rec<bool> {
        // SAFETY: as `vararg`; [CODE] the instruction that takes the values follows.
        unsafe {
            let pc = i.next();
            let (w, op) = (*pc, dispatch::op_at(pc));
            let (r, wanted) = (i.ra() - 2, bc::c(w));
            let takes = matches!(op, Op::CallM | Op::TailCallM) && (bc::a(w) / 16) as i16 == r;
            if !takes || wanted != MULTI && wanted > MAX_VALUES as u16 {
                return Ok(false);
            }
            let (f, o) = (self.observed(r), self.observed(r + 1));
            let c = f.as_ptr::<NativeClosure>();
            if f.tag != Tag::FUNCTION
                || (*c).hdr.kind != ObjKind::NativeClosure as u8
                || (*c).hdr.word != FastFn::Select as u32
            {
                return Ok(false);
            }
            let number = o.tag == Tag::STRING && str_bytes(o.as_ptr()) == b"#";
            if !number && (o.tag != Tag::INT || !(1..SMALL).contains(&o.as_int())) {
                return Ok(false);
            }
            if wanted == MULTI && !number {
                let there = self.extras_now() + 1 - o.as_int();
                if self.sides >= MAX_COUNTS || there > MAX_VALUES.into() {
                    return Ok(false);
                }
            }
            let fv = self.guard_observed(r)?;
            self.guard_is(fv.val, f.payload)?;
            let first = self.guard_observed(r + 1)?.val;
            let (n, now) = self.count_extras()?;
            // of results that are all wanted, how many there are is a fact of the trace
            let all = wanted == MULTI;
            let from = o.as_int() - 1;
            let wanted = match (all, number) {
                (false, _) => wanted as i16,
                (true, true) => 1,
                (true, false) => (now - from).clamp(0, SMALL) as i16,
            };
            if all {
                self.need_slots(self.base() + r + wanted + 1)?;
            }
            let values = if number {
                self.guard_is(first, o.payload)?;
                vec![self.typed(n)]
            } else {
                let there = (now - from).clamp(0, wanted.into());
                let from = self.plus(first, -1)?;
                let most = self.buf.k_int(SMALL);
                self.guard(IrOp::Ult, Ty::Int, from, most)?;
                let rest = self.emit(IrOp::Sub, Ty::Int, n, from)?;
                let k = self.buf.k_int(there);
                let op = match there {
                    0 if all || wanted != 0 => IrOp::Le,
                    t if t == i64::from(wanted) && !all => IrOp::Ge,
                    _ => IrOp::Eq,
                };
                if all || wanted != 0 {
                    self.guard(op, Ty::Int, rest, k)?;
                }
                self.extras_from(from, n, there)?
            };
            self.give_values(r, values, wanted);
            let top = self.base() + r + wanted;
            self.forget_from(top);
            if all {
                self.set_multi(after(pc), top);
            }
            self.skip_to = after(pc);
            Ok(true)
        }
    }
}
