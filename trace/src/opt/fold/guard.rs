//! Guards on constants, and on conversions.

use crate::ir::{Ins, IrBuf, IrOp, Ty};
use crate::opt::{OptCx, facts};

use super::{Fold, ins};

#[inline(never)]
pub(super) fn fold(cx: &OptCx, buf: &mut IrBuf, i: &Ins, algebra: bool) -> Fold {
    use IrOp::*;
    let verdict = |holds: bool| if holds { Fold::Proved } else { Fold::Fails };
    match i.op {
        TEq | TNe | TFalsy | TTruthy => match buf.tag(i.a) {
            Some(t) => verdict(facts::tag_holds(i.op, t, i.b)),
            None => Fold::Next,
        },
        BitsZ | BitsNz => match (buf.konst(i.a), buf.konst(i.b)) {
            (Some(a), Some(b)) => verdict((a.bits & b.bits == 0) == (i.op == BitsZ)),
            (None, Some(b)) if b.bits == 0 => verdict(i.op == BitsZ),
            _ => Fold::Next,
        },
        FtoI => ftoi(cx, buf, i, algebra),
        StkChk | Poll | RetF | RetPc | RetWord | RetKind | TopEq | CoWord | CoPc => Fold::Next,
        _ => compare(cx, buf, i, algebra),
    }
}

/// 2^53: integers of smaller magnitude, and only those, are floats that nothing else converts to.
const EXACT: f64 = 9007199254740992.0;

fn ftoi(cx: &OptCx, buf: &mut IrBuf, i: &Ins, algebra: bool) -> Fold {
    if let Some(f) = buf.float(i.a) {
        // -2^63 <= f < 2^63
        return if f.trunc() == f && (-9223372036854775808.0..9223372036854775808.0).contains(&f) {
            Fold::Ref(buf.k_int(f as i64))
        } else {
            Fold::Fails
        };
    }
    if algebra && let Some(c) = ins(cx, buf, i.a, IrOp::ItoF) {
        let r = facts::range(buf, c.a);
        if r.lo >= -(EXACT as i64) && r.hi <= EXACT as i64 {
            return Fold::Ref(c.a);
        }
    }
    Fold::Next
}

fn compare(cx: &OptCx, buf: &mut IrBuf, i: &Ins, algebra: bool) -> Fold {
    let verdict = |holds: bool| if holds { Fold::Proved } else { Fold::Fails };
    if i.a.is_const() {
        if let (Some(a), Some(b)) = (buf.konst(i.a), buf.konst(i.b)) {
            return verdict(facts::compare_consts(i.op, i.ty, a.bits, b.bits));
        }
        return Fold::Ins(Ins {
            op: facts::swapped(i.op),
            a: i.b,
            b: i.a,
            ..*i
        });
    }
    if i.a == i.b && !i.ty.is_float() {
        use IrOp::*;
        return verdict(matches!(i.op, Eq | Le | Ge | Ule | Uge));
    }
    if !algebra {
        return Fold::Next;
    }
    // float(x) against an integral constant: compare integers. Exact, as every integer of at least 2^53 converts to a float of at least 2^53.
    if i.ty.is_float()
        && let Some(k) = buf.float(i.b)
        && k.trunc() == k
        && k.abs() < EXACT
        && let Some(c) = ins(cx, buf, i.a, IrOp::ItoF)
    {
        use IrOp::*;
        let op = match i.op {
            NLt => Ge,
            NLe => Gt,
            NGt => Le,
            NGe => Lt,
            o => o,
        };
        let b = buf.k_int(k as i64);
        return Fold::Ins(Ins {
            op,
            ty: Ty::Int,
            a: c.a,
            b,
            ..*i
        });
    }
    // (x + c1) == c2
    if i.ty == Ty::Int
        && matches!(i.op, IrOp::Eq | IrOp::Ne)
        && let Some(k) = buf.int(i.b)
        && let Some(x) = ins(cx, buf, i.a, IrOp::Add)
        && let Some(c) = buf.int(x.b)
    {
        let b = buf.k_int(k.wrapping_sub(c));
        return Fold::Ins(Ins { a: x.a, b, ..*i });
    }
    // A number widened from 32 bits against a constant of that width: compare 32 bits.
    if i.ty == Ty::Int
        && let Some(k) = buf.int(i.b)
        && let Some(x) = ins(cx, buf, i.a, IrOp::Cast)
        && buf.ty(x.a) == Ty::U32
        && u32::try_from(k).is_ok()
    {
        use IrOp::*;
        let op = match i.op {
            Lt => Ult,
            Le => Ule,
            Gt => Ugt,
            Ge => Uge,
            o => o,
        };
        let b = buf.k(Ty::U32, k as u64);
        return Fold::Ins(Ins {
            op,
            ty: Ty::U32,
            a: x.a,
            b,
            ..*i
        });
    }
    Fold::Next
}
