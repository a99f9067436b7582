//! Loops that append: the check that the next index follows the length, which the loop has written itself.
//!
//! `t[i] = v` at the end of an array checks `EQ(i - 1, len)` and stores the length, `u32(i)`. In the body both sides are made from values that are carried: the index
//! `x` and the length `y`. The check holds in each iteration if it holds for what they are at the first entry, and for what each iteration hands to the
//! next, if both differ from the same value by the same constant.
//!
//! What a length was made from must have fitted into 32 bits: a check against a capacity, which every iteration passes, says so.

use crate::ir::{IrBuf, IrOp, Ref, Ty};

use super::facts;

/// The loop that has just been emitted.
pub(super) struct Body<'a> {
    /// LOOP.
    pub head: Ref,
    /// What an iteration hands to the next in place of a value from before LOOP; the value itself if that does not change.
    pub image: &'a dyn Fn(Ref) -> Ref,
}

/// Checks of the body that always hold.
pub(super) fn checks(buf: &IrBuf, body: &Body) -> Vec<Ref> {
    let mut found = Vec::new();
    let mut g = buf.last(IrOp::Eq);
    while g > body.head {
        let i = buf.at(g);
        let sides = i.op == IrOp::Eq && i.ty == Ty::Int;
        if sides && (body.follows(buf, i.a, i.b) || body.follows(buf, i.b, i.a)) {
            found.push(g);
        }
        g = i.prev;
    }
    found
}

impl Body<'_> {
    fn is_carried(&self, r: Ref) -> bool {
        r.is_ins() && r < self.head && (self.image)(r) != r
    }

    /// `r` as what it was made from by adding a constant. Values that are carried have the form that they have at the first entry only if `first`.
    fn sum(&self, buf: &IrBuf, mut r: Ref, first: bool) -> (Ref, i64) {
        let mut c = 0i64;
        while r.is_ins() && (first || !self.is_carried(r)) && buf.at(r).op == IrOp::Add {
            let i = buf.at(r);
            let Some(k) = buf.int(i.b) else { break };
            (r, c) = (i.a, c.wrapping_add(k));
        }
        (r, c)
    }

    /// What the length `r` was made from.
    fn index_of(buf: &IrBuf, r: Ref) -> Option<Ref> {
        let is = r.is_ins() && buf.at(r).op == IrOp::Cast && buf.ty(r) == Ty::U32;
        let from = is.then(|| buf.at(r).a)?;
        (buf.ty(from) == Ty::Int).then_some(from)
    }

    /// A guard after `from` and before `to` says that `r` fits into 32 bits.
    fn fits(buf: &IrBuf, r: Ref, from: Ref, to: Ref) -> bool {
        let mut g = buf.last(IrOp::Ult);
        while g > from {
            let i = buf.at(g);
            if g < to && i.op == IrOp::Ult && i.ty == Ty::Int && i.a == r {
                let bound = facts::range(buf, i.b);
                if bound.lo >= 0 && bound.hi <= i64::from(u32::MAX) {
                    return true;
                }
            }
            g = i.prev;
        }
        false
    }

    /// `index` (what is carried, and a constant) is the number that the carried length `len` is.
    fn follows(&self, buf: &IrBuf, index: Ref, len: Ref) -> bool {
        if !len.is_ins() || buf.at(len).op != IrOp::Cast || buf.ty(buf.at(len).a) != Ty::U32 {
            return false;
        }
        let (x, k) = self.sum(buf, index, false);
        let y = buf.at(len).a;
        if !self.is_carried(x) || !self.is_carried(y) {
            return false;
        }
        let (next_x, next_y) = ((self.image)(x), (self.image)(y));
        let (Some(was), Some(is)) = (Self::index_of(buf, y), Self::index_of(buf, next_y)) else {
            return false;
        };
        let equal = |x: Ref, y: Ref, first: bool| {
            let ((a, c), (b, d)) = (self.sum(buf, x, first), self.sum(buf, y, first));
            a == b && c.wrapping_add(k) == d
        };
        equal(x, was, true)
            && equal(next_x, is, false)
            && Self::fits(buf, was, crate::ir::REF_BASE, self.head)
            && Self::fits(buf, is, self.head, buf.next())
    }
}
