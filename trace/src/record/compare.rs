//! Comparisons and conditional jumps.

use traceorus_base::bytecode::{self as bc, Op};
use traceorus_base::meta::MetaMethod;
use traceorus_base::{Tag, Value};
use traceorus_vm::arith;
use traceorus_vm::debuginfo::ErrKind;

use super::select::target;
use super::{Cursor, Rec, Recorder, Step, Tv};
use crate::abort::Abort;
use crate::ir::{CallId, IrOp, REF_NONE, Ref, Ty};

/// Order of a comparison.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    Lt,
    Le,
    Gt,
    Ge,
}

/// The conditional jump `op` is taken if its condition holds.
fn jumps_if_true(op: Op) -> bool {
    use Op::*;
    matches!(
        op,
        JLt | JLe | JEq | JLtI | JLeI | JGtI | JGeI | JEqI | JEqK | JEqP | JT | JTSet
    )
}

impl Recorder {
    #[inline(never)]
    pub(crate) unsafe fn compare(&mut self, i: Cursor) -> Rec<Step> {
        use Op::*;
        // SAFETY: as `instruction`.
        unsafe {
            if self.if_convert(i)? {
                return Ok(Step::More);
            }
            match i.op {
                JLt | JNLt => self.order(i, Order::Lt, None),
                JLe | JNLe => self.order(i, Order::Le, None),
                JLtI | JNLtI => self.order(i, Order::Lt, Some(bc::b(i.w) as i16)),
                JLeI | JNLeI => self.order(i, Order::Le, Some(bc::b(i.w) as i16)),
                JGtI | JNGtI => self.order(i, Order::Gt, Some(bc::b(i.w) as i16)),
                JGeI | JNGeI => self.order(i, Order::Ge, Some(bc::b(i.w) as i16)),
                JEq | JNe => {
                    let (ox, oy) = (self.observed(i.ra()), self.observed(i.rb()));
                    let x = self.tv(i.ra())?;
                    let y = self.tv(i.rb())?;
                    self.equality(i, x, y, ox, oy)
                }
                JEqI | JNeI => {
                    let oy = Value::int(i64::from(bc::b(i.w) as i16));
                    let x = self.tv(i.ra())?;
                    let y = self.konst(oy);
                    self.equality(i, x, y, self.observed(i.ra()), oy)
                }
                JEqK | JNeK => {
                    let oy = Value::new(i.word(1), Tag(bc::b(i.w) as i16 as i32));
                    let x = self.tv(i.ra())?;
                    let y = self.konst(oy);
                    self.equality(i, x, y, self.observed(i.ra()), oy)
                }
                JEqP | JNeP => {
                    let want = Tag(bc::b(i.w) as i16 as i32);
                    let x = self.tv(i.ra())?;
                    if self.known_tag(x).is_none() {
                        self.decided(i, self.observed(i.ra()).tag == want);
                        if self.observed(i.ra()).tag == want {
                            self.guard_tag(x, want)?;
                        } else {
                            self.guard(IrOp::TNe, Ty::Tag, x.tag, Self::lit(want.0 as u16))?;
                        }
                    }
                    Ok(Step::More)
                }
                JT | JF => {
                    let x = self.tv(i.ra())?;
                    let falsy = self.observed(i.ra()).is_falsy();
                    self.decided(i, !falsy);
                    self.guard_truth(x, falsy)?;
                    Ok(Step::More)
                }
                JTSet | JFSet => {
                    let x = self.tv(i.rb())?;
                    let falsy = self.observed(i.rb()).is_falsy();
                    let sets = falsy == (i.op == JFSet);
                    if sets {
                        self.decided(i, !falsy);
                    }
                    self.guard_truth(x, falsy)?;
                    if sets {
                        self.set(i.ra(), x);
                    }
                    Ok(Step::More)
                }
                _ => Err(Abort::Internal),
            }
        }
    }

    /// The next guard is the last one of the conditional jump `i`, whose condition holds now (`yes`) or not: it decides which way that goes.
    unsafe fn decided(&mut self, i: Cursor, yes: bool) {
        // SAFETY: [CODE] as `instruction`.
        if let Some(to) = unsafe { target(i.pc) } {
            let jumps = yes == jumps_if_true(i.op);
            self.decides(if jumps { i.next() } else { to });
        }
    }

    unsafe fn order(&mut self, i: Cursor, order: Order, imm: Option<i16>) -> Rec<Step> {
        // SAFETY: as `instruction`.
        unsafe {
            let ox = self.observed(i.ra());
            let oy = match imm {
                Some(n) => Value::int(n.into()),
                None => self.observed(i.rb()),
            };
            let strings = ox.tag == Tag::STRING && oy.tag == Tag::STRING;
            if !(strings || ox.tag.is_number() && oy.tag.is_number()) {
                let x = (self.tv(i.ra())?, ox);
                let y = match imm {
                    Some(_) => (self.konst(oy), oy),
                    None => (self.tv(i.rb())?, oy),
                };
                let (x, y) = match order {
                    Order::Lt | Order::Le => (x, y),
                    Order::Gt | Order::Ge => (y, x),
                };
                let ev = match order {
                    Order::Lt | Order::Gt => MetaMethod::Lt,
                    Order::Le | Order::Ge => MetaMethod::Le,
                };
                return match self.event(i, ev, x, y)? {
                    true => Ok(Step::More),
                    false => self.fail_at(i, ErrKind::Compare, ev, &[x, y]),
                };
            }
            let holds = match order {
                Order::Lt => arith::lt(ox, oy),
                Order::Le => arith::le(ox, oy),
                Order::Gt => arith::lt(oy, ox),
                Order::Ge => arith::le(oy, ox),
            }
            .ok_or(Abort::Internal)?;
            let x = self.guard_observed(i.ra())?;
            let y = match imm {
                Some(_) => self.konst(oy),
                None => self.guard_observed(i.rb())?,
            };
            if strings {
                let c = self.call2(IrOp::CallN, CallId::StrCmp, x.val, y.val)?;
                let zero = self.buf.k_int(0);
                self.decided(i, holds);
                self.order_guard(order, holds, Ty::Int, c, zero)?;
                return Ok(Step::More);
            }
            match self.comparable(x, y, ox, oy)? {
                Some((ty, a, b)) => {
                    self.decided(i, holds);
                    self.order_guard(order, holds, ty, a, b)?;
                    Ok(Step::More)
                }
                None => self.generic(i),
            }
        }
    }

    fn order_guard(&mut self, order: Order, holds: bool, ty: Ty, a: Ref, b: Ref) -> Rec<Ref> {
        use IrOp::*;
        let op = match (order, holds, ty == Ty::Float) {
            (Order::Lt, true, _) => Lt,
            (Order::Le, true, _) => Le,
            (Order::Gt, true, _) => Gt,
            (Order::Ge, true, _) => Ge,
            (Order::Lt, false, false) => Ge,
            (Order::Le, false, false) => Gt,
            (Order::Gt, false, false) => Le,
            (Order::Ge, false, false) => Lt,
            (Order::Lt, false, true) => NLt,
            (Order::Le, false, true) => NLe,
            (Order::Gt, false, true) => NGt,
            (Order::Ge, false, true) => NGe,
        };
        self.guard(op, ty, a, b)
    }

    /// Guards that `x` and `y` are not of one type, nor both numbers: so they are not equal. What one of them is is enough to know.
    fn differ(&mut self, (x, ox): (Tv, Value), (y, oy): (Tv, Value)) -> Rec<()> {
        let (known, other) = if self.known_tag(x).is_some() {
            (x, y)
        } else if self.known_tag(y).is_some() {
            (y, x)
        } else if ox.tag.is_number() && !oy.tag.is_number() {
            // that of the other one takes one guard less
            (self.guard_tag(y, oy.tag)?, x)
        } else {
            (self.guard_tag(x, ox.tag)?, y)
        };
        if self.known_tag(other).is_some() {
            return Ok(());
        }
        let not = match self.known_tag(known) {
            Some(t) if !t.is_number() => vec![t],
            _ => vec![Tag::INT, Tag::FLOAT],
        };
        for t in not {
            self.guard(IrOp::TNe, Ty::Tag, other.tag, Self::lit(t.0 as u16))?;
        }
        Ok(())
    }

    /// `x == y`; without a metamethod the jump itself needs no more.
    unsafe fn equality(&mut self, i: Cursor, x: Tv, y: Tv, ox: Value, oy: Value) -> Rec<Step> {
        // SAFETY: [GC-LIVE] as `instruction`.
        unsafe {
            let equal = arith::raw_equal(ox, oy);
            if ox.tag != oy.tag && !(ox.tag.is_number() && oy.tag.is_number()) {
                self.asks(true);
                self.differ((x, ox), (y, oy))?;
                return Ok(Step::More);
            }
            if ox.tag == Tag::USERDATA && !equal {
                // __eq may have to be asked
                return self.generic(i);
            }
            self.asks(true);
            let x = self.guard_tag(x, ox.tag)?;
            let y = self.guard_tag(y, oy.tag)?;
            self.asks(false);
            if x.val.is_none() {
                return Ok(Step::More);
            }
            let op = if equal { IrOp::Eq } else { IrOp::Ne };
            if ox.tag.is_number() {
                let Some((ty, a, b)) = self.comparable(x, y, ox, oy)? else {
                    return self.generic(i);
                };
                self.decided(i, equal);
                self.guard(op, ty, a, b)?;
                return Ok(Step::More);
            }
            if ox.tag == Tag::STRING {
                self.decided(i, equal);
                if !self.guard_same_text(x, y, equal)? {
                    // both may be long
                    let r = self.call2(IrOp::CallN, CallId::StrEq, x.val, y.val)?;
                    let zero = self.buf.k_int(0);
                    let op = if equal { IrOp::Ne } else { IrOp::Eq };
                    self.guard(op, Ty::Int, r, zero)?;
                }
                return Ok(Step::More);
            }
            if ox.tag == Tag::TABLE && !equal {
                self.guard(op, Ty::Tab, x.val, y.val)?;
                return match self.equal_event(i, (x, ox), (y, oy))? {
                    true => Ok(Step::More),
                    false => self.generic(i),
                };
            }
            let ty = self.buf.ty(x.val);
            self.guard(op, ty, x.val, y.val)?;
            let _ = REF_NONE;
            Ok(Step::More)
        }
    }
}
