//! Float algebra: only what is exact for every input, NaN and -0 included. No reassociation.

use crate::ir::{Ins, IrBuf, IrOp, Ref};
use crate::opt::OptCx;

use super::{Fold, ins};

/// Rounding by the literal of ROUND.
fn round(f: f64, how: u16) -> f64 {
    match how {
        0 => f.round_ties_even(),
        1 => f.floor(),
        2 => f.ceil(),
        _ => f.trunc(),
    }
}

#[inline(never)]
pub(super) fn fold(cx: &OptCx, buf: &mut IrBuf, i: &Ins) -> Fold {
    use IrOp::*;
    if i.op == Round {
        // Its second operand is a literal.
        if let Some(a) = buf.float(i.a)
            && !a.is_nan()
        {
            return Fold::Ref(buf.k_float(round(a, i.lit_b())));
        }
        // What is integral stays as it is, in every direction.
        let integral = ins(cx, buf, i.a, Round).is_some() || ins(cx, buf, i.a, ItoF).is_some();
        return if integral { Fold::Ref(i.a) } else { Fold::Next };
    }
    if !matches!(i.op, Add | Sub | Mul | Div | Min | Max | Neg | Abs | Sqrt) {
        return Fold::Next;
    }
    let value = match (i.op, buf.float(i.a), buf.float(i.b)) {
        (Add, Some(a), Some(b)) => a + b,
        (Sub, Some(a), Some(b)) => a - b,
        (Mul, Some(a), Some(b)) => a * b,
        (Div, Some(a), Some(b)) => a / b,
        (Min, Some(a), Some(b)) => {
            if b < a {
                b
            } else {
                a
            }
        }
        (Max, Some(a), Some(b)) => {
            if a < b {
                b
            } else {
                a
            }
        }
        (Neg, Some(a), _) => -a,
        (Abs, Some(a), _) => a.abs(),
        (Sqrt, Some(a), _) => a.sqrt(),
        _ => return algebra(cx, buf, i),
    };
    if value.is_nan() {
        return Fold::Next;
    }
    Fold::Ref(buf.k_float(value))
}

fn algebra(cx: &OptCx, buf: &mut IrBuf, i: &Ins) -> Fold {
    use IrOp::*;
    let bits = |buf: &IrBuf, r: Ref| buf.float(r).map(f64::to_bits);
    const ZERO: u64 = 0;
    const MINUS_ZERO: u64 = 1 << 63;
    const ONE: u64 = 1.0f64.to_bits();
    let same = Fold::Ref(i.a);
    match (i.op, bits(buf, i.b)) {
        // x + 0.0 is not x for -0.
        (Add, Some(MINUS_ZERO)) | (Sub, Some(ZERO)) | (Mul | Div, Some(ONE)) => same,
        // x - c as x + -c.
        (Sub, Some(k)) if !f64::from_bits(k).is_nan() => {
            let b = buf.k_float(-f64::from_bits(k));
            Fold::Ins(Ins { op: Add, b, ..*i })
        }
        (Div, Some(k)) => match reciprocal(f64::from_bits(k)) {
            Some(r) => {
                let b = buf.k_float(r);
                Fold::Ins(Ins { op: Mul, b, ..*i })
            }
            None => Fold::Next,
        },
        (Neg, _) => ins(cx, buf, i.a, Neg).map_or(Fold::Next, |x| Fold::Ref(x.a)),
        (Abs, _) => {
            if ins(cx, buf, i.a, Abs).is_some() {
                return same;
            }
            ins(cx, buf, i.a, Neg).map_or(Fold::Next, |x| Fold::Ins(Ins { a: x.a, ..*i }))
        }
        (Min | Max, _) if i.a == i.b => same,
        _ => Fold::Next,
    }
}

/// `1 / k` if that is exact: k is a power of two whose reciprocal is a normal number.
fn reciprocal(k: f64) -> Option<f64> {
    let power = k.is_normal() && k.to_bits() & ((1 << 52) - 1) == 0;
    let r = 1.0 / k;
    (power && r.is_normal()).then_some(r)
}
