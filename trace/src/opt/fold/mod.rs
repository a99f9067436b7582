//! Folding: constants, algebra and normal forms.
//!
//! A rule gives another instruction (which is folded again), a ref, or a verdict on a guard. Requirements for a rule: the type stays; the
//! value is the same for every input, wrap-around, NaN and -0 included; and each step brings the instruction nearer to a normal form
//! (younger operand left, so constants right; subtraction of constants as addition; shifts for powers of two), so that folding ends.
//!
//! A float operation is never folded to a NaN: its sign is visible to programs and is the processor's business.

mod float;
mod guard;
mod int;

use crate::ir::{Ins, IrBuf, IrOp, Ref, Ty};

use super::{OptCx, Passes, facts};

/// Outcome of folding.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fold {
    /// No rule applies.
    Next,
    /// The value is this.
    Ref(Ref),
    /// The guard holds.
    Proved,
    /// The guard can never hold.
    Fails,
    /// The same as this instruction.
    Ins(Ins),
}

/// Applies one rule.
pub(super) fn fold(cx: &OptCx, buf: &mut IrBuf, mut i: Ins) -> Fold {
    if i.op.is_commutative() && i.a < i.b {
        std::mem::swap(&mut i.a, &mut i.b);
        return Fold::Ins(i);
    }
    if i.op.is_guard() {
        let f = guard::fold(cx, buf, &i, cx.passes.has(Passes::FOLD));
        if f != Fold::Next || i.op != IrOp::FtoI {
            return f;
        }
    }
    if !cx.passes.has(Passes::FOLD) {
        return Fold::Next;
    }
    match i.op {
        IrOp::Cast => cast(cx, buf, &i),
        IrOp::ItoF => match buf.int(i.a) {
            Some(k) => Fold::Ref(buf.k_float(k as f64)),
            None => Fold::Next,
        },
        IrOp::UpRef => upref(cx, buf, &i),
        IrOp::IsEq | IrOp::IsLt | IrOp::IsLe | IrOp::IsGe => outcome(buf, &i),
        _ if i.ty == Ty::Int => int::fold(cx, buf, &i),
        _ if i.ty == Ty::Float => float::fold(cx, buf, &i),
        _ => Fold::Next,
    }
}

/// The instruction `r`, if a rule may look inside it. Not across a loop: what is inside a carried value belongs to the iteration before
/// (`(i + 1) + 1` as `i + 2` would keep two induction variables alive).
fn inside(cx: &OptCx, buf: &IrBuf, r: Ref) -> Option<Ins> {
    (r.is_ins() && !cx.is_carried(r)).then(|| buf.at(r))
}

/// The same, if it has the op `op`.
fn ins(cx: &OptCx, buf: &IrBuf, r: Ref, op: IrOp) -> Option<Ins> {
    inside(cx, buf, r).filter(|i| i.op == op)
}

fn cast(cx: &OptCx, buf: &mut IrBuf, i: &Ins) -> Fold {
    let from = buf.ty(i.a);
    if from == i.ty {
        return Fold::Ref(i.a);
    }
    if let Some(k) = buf.konst(i.a) {
        return Fold::Ref(buf.k(i.ty, k.bits));
    }
    match ins(cx, buf, i.a, IrOp::Cast) {
        // All casts keep the 64 bits.
        Some(c) => Fold::Ins(Ins { a: c.a, ..*i }),
        None => Fold::Next,
    }
}

/// A comparison of two constants.
fn outcome(buf: &mut IrBuf, i: &Ins) -> Fold {
    let (Some(x), Some(y)) = (buf.konst(i.a), buf.konst(i.b)) else {
        return Fold::Next;
    };
    let op = match i.op {
        IrOp::IsEq => IrOp::Eq,
        IrOp::IsLt => IrOp::Lt,
        IrOp::IsLe => IrOp::Le,
        _ => IrOp::Ge,
    };
    let holds = facts::compare_consts(op, x.ty, x.bits, y.bits);
    Fold::Ref(buf.k_int(i64::from(holds)))
}

/// The cell that was stored into the fresh closure.
fn upref(cx: &OptCx, buf: &IrBuf, i: &Ins) -> Fold {
    if ins(cx, buf, i.a, IrOp::FNew).is_none() {
        return Fold::Next;
    }
    let mut r = buf.last(IrOp::StV);
    while r > i.a {
        let s = buf.at(r);
        if s.op == IrOp::StV
            && ins(cx, buf, s.a, IrOp::UpAddr).is_some_and(|u| u.a == i.a && u.b == i.b)
        {
            return if buf.ty(s.b) == i.ty {
                Fold::Ref(s.b)
            } else {
                Fold::Next
            };
        }
        r = s.prev;
    }
    Fold::Next
}
