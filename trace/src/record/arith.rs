//! Arithmetic and bitwise instructions.

use traceorus_base::bytecode::{self as bc, Op};
use traceorus_base::{Tag, Value};
use traceorus_vm::arith::{self, ArithOp};

use super::{Cursor, Rec, Recorder, Step, Tv};
use crate::abort::Abort;
use crate::ir::{CallId, IrOp, REF_NONE, Ref, Ty};

/// 2^53: integers up to here are exact as floats.
const EXACT: i64 = 1 << 53;

impl Recorder {
    #[inline(never)]
    pub(crate) unsafe fn arith(&mut self, i: Cursor) -> Rec<Step> {
        use Op::*;
        // SAFETY: as `instruction`.
        unsafe {
            let (op, k_left) = match i.op {
                Add | AddK | AddI => (ArithOp::Add, false),
                AddKR => (ArithOp::Add, true),
                Sub | SubK | SubI => (ArithOp::Sub, false),
                SubKR => (ArithOp::Sub, true),
                Mul | MulK => (ArithOp::Mul, false),
                MulKR => (ArithOp::Mul, true),
                Div | DivK => (ArithOp::Div, false),
                DivKR => (ArithOp::Div, true),
                Mod | ModK => (ArithOp::Mod, false),
                ModKR => (ArithOp::Mod, true),
                Pow | PowK => (ArithOp::Pow, false),
                PowKR => (ArithOp::Pow, true),
                IDiv | IDivK => (ArithOp::IDiv, false),
                IDivKR => (ArithOp::IDiv, true),
                BAnd | BAndK => (ArithOp::BAnd, false),
                BAndKR => (ArithOp::BAnd, true),
                BOr | BOrK => (ArithOp::BOr, false),
                BOrKR => (ArithOp::BOr, true),
                BXor | BXorK => (ArithOp::BXor, false),
                BXorKR => (ArithOp::BXor, true),
                Shl | ShlK => (ArithOp::Shl, false),
                ShlKR => (ArithOp::Shl, true),
                Shr | ShrK => (ArithOp::Shr, false),
                ShrKR => (ArithOp::Shr, true),
                Unm => (ArithOp::Unm, false),
                BNot => (ArithOp::BNot, false),
                _ => return Err(Abort::Internal),
            };
            let three = matches!(
                i.op,
                Add | Sub | Mul | Div | Mod | Pow | IDiv | BAnd | BOr | BXor | Shl | Shr
            );
            let ob = self.observed(i.rb());
            let oc = match i.op {
                Unm | BNot => ob,
                AddI | SubI => Value::int(i64::from(bc::c(i.w) as i16)),
                _ if three => self.observed(i.rc()),
                _ => i.konst_c(),
            };
            if !ob.tag.is_number() || !oc.tag.is_number() {
                let b = (self.tv(i.rb())?, ob);
                let c = match i.op {
                    Unm | BNot => b,
                    _ if three => (self.tv(i.rc())?, oc),
                    _ => (self.konst(oc), oc),
                };
                let (x, y) = if k_left { (c, b) } else { (b, c) };
                return self.arith_event(i, op, x, y);
            }
            let b = self.guard_observed(i.rb())?;
            let c = match i.op {
                Unm | BNot => b,
                _ if three => self.guard_observed(i.rc())?,
                _ => self.konst(oc),
            };
            let (x, y, ox, oy) = if k_left {
                (c, b, oc, ob)
            } else {
                (b, c, ob, oc)
            };
            match self.arith_op(op, x, y, ox, oy)? {
                Some(v) => {
                    let v = self.typed(v);
                    self.set(i.ra(), v);
                    Ok(Step::More)
                }
                None => self.generic(i),
            }
        }
    }

    /// A number as float.
    pub(crate) fn float_of(&mut self, v: Tv) -> Rec<Ref> {
        if self.buf.ty(v.val) == Ty::Float {
            return Ok(v.val);
        }
        self.emit(IrOp::ItoF, Ty::Float, v.val, REF_NONE)
    }
    /// A number as integer; leaves the trace if it is no integer.
    pub(crate) fn int_of(&mut self, v: Tv) -> Rec<Ref> {
        if self.buf.ty(v.val) == Ty::Int {
            return Ok(v.val);
        }
        self.guard(IrOp::FtoI, Ty::Int, v.val, REF_NONE)
    }
    pub(crate) fn call2(&mut self, op: IrOp, id: CallId, a: Ref, b: Ref) -> Rec<Ref> {
        let args = self.emit(IrOp::CArg, Ty::Void, a, b)?;
        self.emit(op, id.info().ret, args, Self::lit(id as u16))
    }

    /// `x op y` of two numbers of known types; `None`: by the helper.
    #[inline(never)]
    pub(super) fn arith_op(
        &mut self,
        op: ArithOp,
        x: Tv,
        y: Tv,
        ox: Value,
        oy: Value,
    ) -> Rec<Option<Ref>> {
        let ints = ox.tag == Tag::INT && oy.tag == Tag::INT;
        Ok(Some(match op {
            ArithOp::Add | ArithOp::Sub | ArithOp::Mul => {
                let irop = match op {
                    ArithOp::Add => IrOp::Add,
                    ArithOp::Sub => IrOp::Sub,
                    _ => IrOp::Mul,
                };
                if ints {
                    self.emit(irop, Ty::Int, x.val, y.val)?
                } else {
                    let (a, b) = (self.float_of(x)?, self.float_of(y)?);
                    self.emit(irop, Ty::Float, a, b)?
                }
            }
            ArithOp::Div => {
                let (a, b) = (self.float_of(x)?, self.float_of(y)?);
                self.emit(IrOp::Div, Ty::Float, a, b)?
            }
            ArithOp::Pow => {
                let a = self.float_of(x)?;
                let two = self.buf.int(y.val) == Some(2) || self.buf.float(y.val) == Some(2.0);
                if two {
                    self.emit(IrOp::Mul, Ty::Float, a, a)?
                } else {
                    let b = self.float_of(y)?;
                    self.call2(IrOp::CallN, CallId::Pow, a, b)?
                }
            }
            ArithOp::IDiv | ArithOp::Mod if ints => {
                if matches!(oy.as_int(), 0 | -1) {
                    return Ok(None);
                }
                if !y.val.is_const() {
                    let k = self.buf.k_int(0);
                    self.guard(IrOp::Ne, Ty::Int, y.val, k)?;
                    let k = self.buf.k_int(-1);
                    self.guard(IrOp::Ne, Ty::Int, y.val, k)?;
                }
                let irop = if op == ArithOp::IDiv {
                    IrOp::IDiv
                } else {
                    IrOp::IMod
                };
                self.emit(irop, Ty::Int, x.val, y.val)?
            }
            ArithOp::IDiv => {
                let (a, b) = (self.float_of(x)?, self.float_of(y)?);
                let q = self.emit(IrOp::Div, Ty::Float, a, b)?;
                self.emit(IrOp::Round, Ty::Float, q, Self::lit(1))?
            }
            ArithOp::Mod => {
                let (a, b) = (self.float_of(x)?, self.float_of(y)?);
                self.call2(IrOp::CallN, CallId::FMod, a, b)?
            }
            ArithOp::Unm => {
                let ty = self.buf.ty(x.val);
                self.emit(IrOp::Neg, ty, x.val, REF_NONE)?
            }
            ArithOp::BNot | ArithOp::BAnd | ArithOp::BOr | ArithOp::BXor => {
                if arith::arith_raw(op, ox, oy).is_err() {
                    return Ok(None);
                }
                let a = self.int_of(x)?;
                if op == ArithOp::BNot {
                    return self.emit(IrOp::Not, Ty::Int, a, REF_NONE).map(Some);
                }
                let b = self.int_of(y)?;
                let irop = match op {
                    ArithOp::BAnd => IrOp::And,
                    ArithOp::BOr => IrOp::Or,
                    _ => IrOp::Xor,
                };
                self.emit(irop, Ty::Int, a, b)?
            }
            ArithOp::Shl | ArithOp::Shr => {
                if arith::arith_raw(op, ox, oy).is_err() {
                    return Ok(None);
                }
                let count = match oy.tag {
                    Tag::INT => oy.as_int(),
                    _ => oy.as_float() as i64,
                };
                let (a, b) = (self.int_of(x)?, self.int_of(y)?);
                return self.shift(op == ArithOp::Shl, a, b, count).map(Some);
            }
        }))
    }

    /// Lua's shift: counts may be negative or large.
    fn shift(&mut self, left: bool, a: Ref, b: Ref, count: i64) -> Rec<Ref> {
        let k64 = self.buf.k_int(64);
        let zero = self.buf.k_int(0);
        let (left, by) = if (0..64).contains(&count) {
            self.guard(IrOp::Ult, Ty::Int, b, k64)?;
            (left, b)
        } else if (-63..0).contains(&count) {
            let n = self.emit(IrOp::Neg, Ty::Int, b, REF_NONE)?;
            self.guard(IrOp::Ult, Ty::Int, n, k64)?;
            (!left, n)
        } else if count >= 64 {
            self.guard(IrOp::Ge, Ty::Int, b, k64)?;
            return Ok(zero);
        } else {
            let k = self.buf.k_int(-64);
            self.guard(IrOp::Le, Ty::Int, b, k)?;
            return Ok(zero);
        };
        let op = if left { IrOp::Shl } else { IrOp::Shr };
        self.emit(op, Ty::Int, a, by)
    }

    /// Makes two numbers comparable: both integers or both floats. A mixed pair becomes floats where that is exact; `None`
    /// if it is not.
    pub(crate) fn comparable(
        &mut self,
        x: Tv,
        y: Tv,
        ox: Value,
        oy: Value,
    ) -> Rec<Option<(Ty, Ref, Ref)>> {
        let (tx, ty) = (self.buf.ty(x.val), self.buf.ty(y.val));
        if tx == ty {
            return Ok(Some((tx, x.val, y.val)));
        }
        for (v, o) in [(x, ox), (y, oy)] {
            if self.buf.ty(v.val) == Ty::Int {
                if !(-EXACT..=EXACT).contains(&o.as_int()) {
                    return Ok(None);
                }
                if !v.val.is_const() {
                    let k = self.buf.k_int(EXACT);
                    let s = self.emit(IrOp::Add, Ty::Int, v.val, k)?;
                    let k = self.buf.k_int(2 * EXACT);
                    self.guard(IrOp::Ule, Ty::Int, s, k)?;
                }
            }
        }
        let (a, b) = (self.float_of(x)?, self.float_of(y)?);
        Ok(Some((Ty::Float, a, b)))
    }
}
