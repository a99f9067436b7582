//! Constant folding as PUC does it: numbers only, never to NaN or to zero (which may be negative), never where the
//! operation can fail.

use traceorus_base::cmath;

use crate::ast::{Kind, Konst};

/// The value of an arithmetic or bitwise operation on two constants. Unary ones take the operand twice.
pub fn fold(op: Kind, x: Konst, y: Konst) -> Option<Konst> {
    if let (Konst::Int(a), Konst::Int(b)) = (x, y)
        && let Some(i) = fold_int(op, a, b)?
    {
        return Some(Konst::Int(i));
    }
    if matches!(
        op,
        Kind::BAnd | Kind::BOr | Kind::BXor | Kind::Shl | Kind::Shr | Kind::BNot
    ) {
        let i = fold_int(op, exact_int(x)?, exact_int(y)?)??;
        return Some(Konst::Int(i));
    }
    let (a, b) = (to_float(x)?, to_float(y)?);
    if matches!(op, Kind::Div | Kind::IDiv | Kind::Mod) && b == 0.0 {
        return None;
    }
    let r = match op {
        Kind::Add => a + b,
        Kind::Sub => a - b,
        Kind::Mul => a * b,
        Kind::Div => a / b,
        Kind::IDiv => (a / b).floor(),
        Kind::Mod => {
            let m = a % b;
            if (m > 0.0 && b < 0.0) || (m < 0.0 && b > 0.0) {
                m + b
            } else {
                m
            }
        }
        Kind::Pow => {
            if b == 2.0 {
                a * a
            } else {
                cmath::pow(a, b)
            }
        }
        Kind::Unm => -a,
        _ => return None,
    };
    (!r.is_nan() && r != 0.0).then_some(Konst::Float(r))
}

fn to_float(k: Konst) -> Option<f64> {
    match k {
        Konst::Int(i) => Some(i as f64),
        Konst::Float(f) => Some(f),
        _ => None,
    }
}

/// The integer equal to the constant.
pub fn exact_int(k: Konst) -> Option<i64> {
    match k {
        Konst::Int(i) => Some(i),
        // 2^63 itself is out of range, -2^63 is in.
        Konst::Float(f)
            if f.floor() == f && (-9223372036854775808.0..9223372036854775808.0).contains(&f) =>
        {
            Some(f as i64)
        }
        _ => None,
    }
}

/// `None`: must not be folded. `Some(None)`: goes through floats.
#[allow(
    clippy::option_option,
    reason = "the two ways not to have an integer differ"
)]
fn fold_int(op: Kind, a: i64, b: i64) -> Option<Option<i64>> {
    Some(Some(match op {
        Kind::Add => a.wrapping_add(b),
        Kind::Sub => a.wrapping_sub(b),
        Kind::Mul => a.wrapping_mul(b),
        Kind::IDiv | Kind::Mod if b == 0 => return None,
        Kind::IDiv => {
            let q = a.wrapping_div(b);
            if a.wrapping_rem(b) != 0 && (a ^ b) < 0 {
                q - 1
            } else {
                q
            }
        }
        Kind::Mod => {
            let r = a.wrapping_rem(b);
            if r != 0 && (r ^ b) < 0 { r + b } else { r }
        }
        Kind::BAnd => a & b,
        Kind::BOr => a | b,
        Kind::BXor => a ^ b,
        Kind::Shl => shift_left(a, b),
        Kind::Shr => shift_left(a, b.wrapping_neg()),
        Kind::Unm => a.wrapping_neg(),
        Kind::BNot => !a,
        _ => return Some(None),
    }))
}

/// Logical shift, to the right for negative counts.
fn shift_left(a: i64, n: i64) -> i64 {
    let a = a as u64;
    (match n {
        0..=63 => a << n,
        -63..=-1 => a >> -n,
        _ => 0,
    }) as i64
}

#[cfg(test)]
mod tests {
    use super::fold;
    use crate::ast::Kind;
    use crate::ast::Konst::{Float, Int};

    #[test]
    fn integers() {
        assert_eq!(fold(Kind::Add, Int(i64::MAX), Int(1)), Some(Int(i64::MIN)));
        assert_eq!(fold(Kind::IDiv, Int(-7), Int(2)), Some(Int(-4)));
        assert_eq!(
            fold(Kind::IDiv, Int(i64::MIN), Int(-1)),
            Some(Int(i64::MIN))
        );
        assert_eq!(fold(Kind::Mod, Int(-7), Int(3)), Some(Int(2)));
        assert_eq!(fold(Kind::Mod, Int(7), Int(-3)), Some(Int(-2)));
        assert_eq!(fold(Kind::Mod, Int(i64::MIN), Int(-1)), Some(Int(0)));
        assert_eq!(fold(Kind::IDiv, Int(1), Int(0)), None);
        assert_eq!(fold(Kind::Mod, Int(1), Int(0)), None);
        assert_eq!(fold(Kind::Shl, Int(1), Int(64)), Some(Int(0)));
        assert_eq!(fold(Kind::Shr, Int(-1), Int(60)), Some(Int(15)));
        assert_eq!(fold(Kind::Shl, Int(-1), Int(-60)), Some(Int(15)));
        assert_eq!(fold(Kind::Shr, Int(1), Int(i64::MIN)), Some(Int(0)));
        assert_eq!(fold(Kind::BXor, Int(5), Float(3.0)), Some(Int(6)));
        assert_eq!(fold(Kind::BAnd, Int(5), Float(3.5)), None);
        assert_eq!(fold(Kind::BOr, Int(5), Float(1e300)), None);
        assert_eq!(
            fold(Kind::Unm, Int(i64::MIN), Int(i64::MIN)),
            Some(Int(i64::MIN))
        );
    }

    #[test]
    fn floats() {
        assert_eq!(fold(Kind::Div, Int(1), Int(2)), Some(Float(0.5)));
        assert_eq!(fold(Kind::Div, Int(1), Int(0)), None);
        assert_eq!(fold(Kind::Div, Int(0), Int(2)), None);
        assert_eq!(fold(Kind::Pow, Int(2), Int(10)), Some(Float(1024.0)));
        assert_eq!(fold(Kind::Mod, Float(-7.5), Int(2)), Some(Float(0.5)));
        assert_eq!(
            fold(Kind::Mod, Float(5.0), Float(f64::NEG_INFINITY)),
            Some(Float(f64::NEG_INFINITY))
        );
        assert_eq!(fold(Kind::IDiv, Float(7.0), Int(2)), Some(Float(3.0)));
        assert_eq!(fold(Kind::Unm, Float(0.0), Float(0.0)), None);
        assert_eq!(fold(Kind::Sub, Float(1.0), Float(1.0)), None);
        assert_eq!(fold(Kind::Mul, Float(f64::INFINITY), Int(0)), None);
    }
}
