//! Integer algebra: wrapping 64-bit arithmetic, bits, shifts.

use crate::ir::{Ins, IrBuf, IrOp, REF_NONE, Ref, Ty};
use crate::opt::{OptCx, facts};

use super::{Fold, ins, inside};

const NO_INS: Ins = Ins {
    op: IrOp::Nop,
    ty: Ty::Void,
    a: REF_NONE,
    b: REF_NONE,
    prev: REF_NONE,
};

#[inline(never)]
pub(super) fn fold(cx: &OptCx, buf: &mut IrBuf, i: &Ins) -> Fold {
    use IrOp::*;
    match i.op {
        Neg | Not | Abs => unary(cx, buf, i),
        Add | Sub | Mul | And | Or | Xor | Shl | Shr | Sar | IDiv | IMod | Min | Max => {
            binary(cx, buf, i)
        }
        _ => Fold::Next,
    }
}

/// `floor(a / b)`; b is neither 0 nor -1.
fn floor_div(a: i64, b: i64) -> i64 {
    let q = a.wrapping_div(b);
    if a.wrapping_rem(b) != 0 && (a < 0) != (b < 0) {
        q - 1
    } else {
        q
    }
}

fn constants(op: IrOp, a: i64, b: i64) -> Option<i64> {
    use IrOp::*;
    Some(match op {
        Add => a.wrapping_add(b),
        Sub => a.wrapping_sub(b),
        Mul => a.wrapping_mul(b),
        And => a & b,
        Or => a | b,
        Xor => a ^ b,
        Shl if (0..64).contains(&b) => a << b,
        Shr if (0..64).contains(&b) => ((a as u64) >> b) as i64,
        Sar if (0..64).contains(&b) => a >> b,
        IDiv if b != 0 && b != -1 => floor_div(a, b),
        IMod if b != 0 && b != -1 => a.wrapping_sub(floor_div(a, b).wrapping_mul(b)),
        Min => a.min(b),
        Max => a.max(b),
        _ => return None,
    })
}

fn unary(cx: &OptCx, buf: &mut IrBuf, i: &Ins) -> Fold {
    use IrOp::*;
    if let Some(a) = buf.int(i.a) {
        let v = match i.op {
            Neg => a.wrapping_neg(),
            Not => !a,
            _ => a.wrapping_abs(),
        };
        return Fold::Ref(buf.k_int(v));
    }
    let Some(x) = inside(cx, buf, i.a) else {
        return Fold::Next;
    };
    match (i.op, x.op) {
        (Neg, Neg) | (Not, Not) => Fold::Ref(x.a),
        (Neg, Sub) => Fold::Ins(Ins {
            op: Sub,
            a: x.b,
            b: x.a,
            ..*i
        }),
        (Abs, Abs) => Fold::Ref(i.a),
        (Abs, Neg) => Fold::Ins(Ins { a: x.a, ..*i }),
        (Abs, _) if facts::range(buf, i.a).lo >= 0 => Fold::Ref(i.a),
        _ => Fold::Next,
    }
}

fn binary(cx: &OptCx, buf: &mut IrBuf, i: &Ins) -> Fold {
    match (buf.int(i.a), buf.int(i.b)) {
        (Some(a), Some(b)) => match constants(i.op, a, b) {
            Some(v) => Fold::Ref(buf.k_int(v)),
            None => Fold::Next,
        },
        (None, Some(k)) => right_constant(cx, buf, i, k),
        (Some(k), None) => left_constant(cx, buf, i, k),
        (None, None) => variables(cx, buf, i),
    }
}

fn right_constant(cx: &OptCx, buf: &mut IrBuf, i: &Ins, k: i64) -> Fold {
    use IrOp::*;
    let same = Fold::Ref(i.a);
    // Without an inside: an instruction that no rule knows.
    let x = inside(cx, buf, i.a).unwrap_or(NO_INS);
    // The same op with a constant inside.
    let inner = if x.op == i.op { buf.int(x.b) } else { None };
    let with = |buf: &mut IrBuf, op, a, k| {
        let b = buf.k_int(k);
        Fold::Ins(Ins { op, a, b, ..*i })
    };
    let power = (k > 0 && k & (k - 1) == 0).then(|| i64::from(k.trailing_zeros()));
    match (i.op, k) {
        (Add | Sub | Or | Xor | Shl | Shr | Sar, 0) => same,
        (Sub, _) => with(buf, Add, i.a, k.wrapping_neg()),
        (Add, _) => match (inner, x.op) {
            (Some(c), _) => with(buf, Add, x.a, c.wrapping_add(k)),
            (None, Sub) => match buf.int(x.a) {
                Some(c) => {
                    let a = buf.k_int(c.wrapping_add(k));
                    Fold::Ins(Ins {
                        op: Sub,
                        a,
                        b: x.b,
                        ..*i
                    })
                }
                None => Fold::Next,
            },
            _ => Fold::Next,
        },
        (Mul | And, 0) => Fold::Ref(i.b),
        (Mul, 1) | (And, -1) => same,
        (Mul, -1) => Fold::Ins(Ins {
            op: Neg,
            b: REF_NONE,
            ..*i
        }),
        (Mul, _) => match (inner, x.op) {
            (Some(c), _) => with(buf, Mul, x.a, c.wrapping_mul(k)),
            (None, Neg) => with(buf, Mul, x.a, k.wrapping_neg()),
            _ => match power {
                Some(n) => with(buf, Shl, i.a, n),
                None => Fold::Next,
            },
        },
        (And, _) => {
            if let Some(c) = inner {
                return with(buf, And, x.a, c & k);
            }
            let r = facts::range(buf, i.a);
            // Bits that may be set are all in the mask.
            if r.lo >= 0 && k >= 0 {
                let bits = 64 - r.hi.leading_zeros();
                let may = if bits >= 63 {
                    i64::MAX
                } else {
                    (1i64 << bits) - 1
                };
                if may & !k == 0 {
                    return same;
                }
            }
            Fold::Next
        }
        (Or, -1) => Fold::Ref(i.b),
        (Xor, -1) => Fold::Ins(Ins {
            op: Not,
            b: REF_NONE,
            ..*i
        }),
        (Or, _) => inner.map_or(Fold::Next, |c| with(buf, Or, x.a, c | k)),
        (Xor, _) => inner.map_or(Fold::Next, |c| with(buf, Xor, x.a, c ^ k)),
        (Shl | Shr | Sar, 1..=63) => shift(buf, i, x, inner, k),
        (IDiv, 1) => same,
        (IMod, 1) => Fold::Ref(buf.k_int(0)),
        (IDiv, _) => power.map_or(Fold::Next, |n| with(buf, Sar, i.a, n)),
        (IMod, _) => {
            if power.is_some() {
                return with(buf, And, i.a, k - 1);
            }
            let r = facts::range(buf, i.a);
            if k > 0 && r.lo >= 0 && r.hi < k {
                return same;
            }
            Fold::Next
        }
        (Min, _) => inner.map_or(Fold::Next, |c| with(buf, Min, x.a, c.min(k))),
        (Max, _) => inner.map_or(Fold::Next, |c| with(buf, Max, x.a, c.max(k))),
        _ => Fold::Next,
    }
}

fn shift(buf: &mut IrBuf, i: &Ins, x: Ins, inner: Option<i64>, k: i64) -> Fold {
    use IrOp::*;
    let with = |buf: &mut IrBuf, op, a, k| {
        let b = buf.k_int(k);
        Fold::Ins(Ins { op, a, b, ..*i })
    };
    if let Some(c @ 0..=63) = inner {
        return match (i.op, c + k) {
            (_, n @ ..=63) => with(buf, i.op, x.a, n),
            (Sar, _) => with(buf, Sar, x.a, 63),
            _ => Fold::Ref(buf.k_int(0)),
        };
    }
    // The bits shifted out and back in again.
    let bits = if matches!(x.op, Shl | Shr | Sar) {
        buf.int(x.b)
    } else {
        None
    };
    match (i.op, x.op, bits) {
        (Shr, Shl, Some(c)) if c == k => with(buf, And, x.a, (u64::MAX >> k) as i64),
        (Shl, Shr | Sar, Some(c)) if c == k => with(buf, And, x.a, -1i64 << k),
        (Sar, _, _) if facts::range(buf, i.a).lo >= 0 => with(buf, Shr, i.a, k),
        _ => Fold::Next,
    }
}

fn left_constant(cx: &OptCx, buf: &mut IrBuf, i: &Ins, k: i64) -> Fold {
    use IrOp::*;
    let x = inside(cx, buf, i.b).unwrap_or(NO_INS);
    match (i.op, k) {
        (Sub, 0) => Fold::Ins(Ins {
            op: Neg,
            a: i.b,
            b: REF_NONE,
            ..*i
        }),
        // k - (x + c), k - (c - x)
        (Sub, _) if !matches!(x.op, Add | Sub | Neg) => Fold::Next,
        (Sub, _) => match (x.op, buf.int(x.a), buf.int(x.b)) {
            (Add, _, Some(c)) => {
                let a = buf.k_int(k.wrapping_sub(c));
                Fold::Ins(Ins { a, b: x.a, ..*i })
            }
            (Sub, Some(c), _) => {
                let b = buf.k_int(k.wrapping_sub(c));
                Fold::Ins(Ins {
                    op: Add,
                    a: x.b,
                    b,
                    ..*i
                })
            }
            (Neg, _, _) => Fold::Ins(Ins {
                op: Add,
                a: x.a,
                b: i.a,
                ..*i
            }),
            _ => Fold::Next,
        },
        (Shl | Shr | Sar | IDiv | IMod, 0) => Fold::Ref(i.a),
        (Sar, -1) => Fold::Ref(i.a),
        (Min | Max, _) => Fold::Ins(Ins {
            a: i.b,
            b: i.a,
            ..*i
        }),
        _ => Fold::Next,
    }
}

fn variables(cx: &OptCx, buf: &mut IrBuf, i: &Ins) -> Fold {
    use IrOp::*;
    let at = |buf: &IrBuf, r: Ref, op| ins(cx, buf, r, op);
    if i.a == i.b {
        match i.op {
            Sub | Xor => return Fold::Ref(buf.k_int(0)),
            And | Or | Min | Max => return Fold::Ref(i.a),
            _ => {}
        }
    }
    match i.op {
        Add => {
            if let Some(n) = at(buf, i.b, Neg) {
                return Fold::Ins(Ins {
                    op: Sub,
                    b: n.a,
                    ..*i
                });
            }
            if let Some(n) = at(buf, i.a, Neg) {
                return Fold::Ins(Ins {
                    op: Sub,
                    a: i.b,
                    b: n.a,
                    ..*i
                });
            }
            for (x, y) in [(i.a, i.b), (i.b, i.a)] {
                if let Some(s) = at(buf, x, Sub)
                    && s.b == y
                    && s.a.is_ins()
                {
                    return Fold::Ref(s.a);
                }
            }
            Fold::Next
        }
        Sub => {
            if let Some(n) = at(buf, i.b, Neg) {
                return Fold::Ins(Ins {
                    op: Add,
                    b: n.a,
                    ..*i
                });
            }
            if let Some(s) = at(buf, i.a, Add) {
                if s.a == i.b {
                    return Fold::Ref(s.b);
                }
                if s.b == i.b {
                    return Fold::Ref(s.a);
                }
                // (x + c1) - (x + c2)
                if let Some(t) = at(buf, i.b, Add)
                    && s.a == t.a
                    && let (Some(c), Some(d)) = (buf.int(s.b), buf.int(t.b))
                {
                    return Fold::Ref(buf.k_int(c.wrapping_sub(d)));
                }
            }
            if let Some(t) = at(buf, i.b, Add) {
                let other = if t.a == i.a {
                    t.b
                } else if t.b == i.a {
                    t.a
                } else {
                    REF_NONE
                };
                if let Some(c) = buf.int(other) {
                    return Fold::Ref(buf.k_int(c.wrapping_neg()));
                }
                if !other.is_none() {
                    return Fold::Ins(Ins {
                        op: Neg,
                        a: other,
                        b: REF_NONE,
                        ..*i
                    });
                }
            }
            Fold::Next
        }
        Min | Max if i.a < i.b => Fold::Ins(Ins {
            a: i.b,
            b: i.a,
            ..*i
        }),
        _ => Fold::Next,
    }
}
