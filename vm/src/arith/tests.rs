//! Arithmetic against definitions in wider types.
#![allow(
    clippy::undocumented_unsafe_blocks,
    reason = "tests: everything stays alive"
)]

use super::*;
use crate::table::tests::{Rng, State, rounds};

fn edge(r: &mut Rng) -> i64 {
    match r.below(6) {
        0 => i64::MAX - r.below(3) as i64,
        1 => i64::MIN + r.below(3) as i64,
        2 => r.below(5) as i64 - 2,
        3 => (1 << 53) + r.below(5) as i64 - 2,
        4 => -(1 << 53) + r.below(5) as i64 - 2,
        _ => r.next() as i64 >> r.below(64),
    }
}

#[test]
fn integers_wrap_and_floor() {
    let mut r = Rng(1);
    for _ in 0..rounds(50_000) {
        let (x, y) = (edge(&mut r), edge(&mut r));
        let (a, b) = (Value::int(x), Value::int(y));
        let (wx, wy) = (i128::from(x), i128::from(y));
        let get = |op| arith_raw(op, a, b).map(|v| v.as_int());
        assert_eq!(get(ArithOp::Add), Ok((wx + wy) as i64));
        assert_eq!(get(ArithOp::Sub), Ok((wx - wy) as i64));
        assert_eq!(get(ArithOp::Mul), Ok((wx * wy) as i64));
        assert_eq!(get(ArithOp::Unm), Ok((-wx) as i64));
        assert_eq!(get(ArithOp::BNot), Ok(!x));
        if y == 0 {
            assert_eq!(get(ArithOp::IDiv), Err(ArithError::DivZero));
            assert_eq!(get(ArithOp::Mod), Err(ArithError::ModZero));
        } else {
            let q = wx.div_euclid(wy) - i128::from(wy < 0 && wx.rem_euclid(wy) != 0);
            assert_eq!(get(ArithOp::IDiv), Ok(q as i64), "{x} // {y}");
            assert_eq!(get(ArithOp::Mod), Ok((wx - q * wy) as i64), "{x} % {y}");
        }
        let s = (y % 70) as u32 as i32;
        let want = match s {
            0..=63 => ((x as u64) << s) as i64,
            -63..=-1 => ((x as u64) >> -s) as i64,
            _ => 0,
        };
        let sv = Value::int(i64::from(s));
        assert_eq!(arith_raw(ArithOp::Shl, a, sv).unwrap().as_int(), want);
        let neg = Value::int(-i64::from(s));
        assert_eq!(arith_raw(ArithOp::Shr, a, neg).unwrap().as_int(), want);
    }
    for huge in [64, 65, 1 << 32, i64::MAX, i64::MIN, -64] {
        assert_eq!(shift_left(-1, huge), 0);
    }
    let shr = arith_raw(ArithOp::Shr, Value::int(-1), Value::int(i64::MIN));
    assert_eq!(shr.unwrap().as_int(), 0);
}

#[test]
fn floats() {
    let f = |op, x: f64, y: f64| {
        arith_raw(op, Value::float(x), Value::float(y))
            .unwrap()
            .as_float()
    };
    let m = |x, y| f(ArithOp::Mod, x, y);
    assert_eq!(m(5.3, -2.0), 5.3 % 2.0 - 2.0);
    assert_eq!(m(-6.0, 4.0), 2.0);
    assert_eq!(m(6.0, -4.0), -2.0);
    assert_eq!(m(5.0, f64::INFINITY), 5.0);
    assert_eq!(m(-5.0, f64::INFINITY), f64::INFINITY);
    assert_eq!(m(5.0, f64::NEG_INFINITY), f64::NEG_INFINITY);
    assert!(m(5.0, 0.0).is_nan() && m(f64::INFINITY, 2.0).is_nan());
    assert_eq!(m(-0.0, 5.0).to_bits(), (-0.0f64).to_bits());
    assert_eq!(m(0.0, -1.0).to_bits(), 0f64.to_bits());
    assert_eq!(m(-1.0, 1.0).to_bits(), (-0.0f64).to_bits());
    assert_eq!(m(9e15, 7.0), 9e15 % 7.0);
    assert_eq!(f(ArithOp::IDiv, 7.0, -2.0), -4.0);
    assert_eq!(f(ArithOp::IDiv, 1.0, 0.0), f64::INFINITY);
    assert_eq!(f(ArithOp::Pow, 2.0, 0.5), 2f64.sqrt());
    assert_eq!(f(ArithOp::Pow, -3.0, 2.0), 9.0);
    let d = arith_raw(ArithOp::Div, Value::int(7), Value::int(2)).unwrap();
    assert!(d.same(Value::float(3.5)));
    let p = arith_raw(ArithOp::Pow, Value::int(2), Value::int(3)).unwrap();
    assert!(p.same(Value::float(8.0)));
    let mixed = arith_raw(ArithOp::Add, Value::int(1), Value::float(0.5)).unwrap();
    assert!(mixed.same(Value::float(1.5)));
    let bits = arith_raw(ArithOp::BAnd, Value::float(7.0), Value::int(3)).unwrap();
    assert!(bits.same(Value::int(3)));
    let mut r = Rng(2);
    for _ in 0..10_000 {
        let (x, y) = (edge(&mut r) as f64, edge(&mut r) as f64);
        // PUC's definition.
        let mut want = x % y;
        if if want > 0.0 {
            y < 0.0
        } else {
            want < 0.0 && y > 0.0
        } {
            want += y;
        }
        assert_eq!(m(x, y).to_bits(), want.to_bits(), "{x} % {y}");
    }
}

#[test]
fn strings_and_errors() {
    let mut g = State::new();
    let (ten, half, word) = (g.val(" 10 "), g.val("0.5"), g.val("ten"));
    let go = |op, a, b| unsafe { arith(op, a, b) };
    let one = Value::int(1);
    assert!(go(ArithOp::Add, ten, one).unwrap().same(Value::int(11)));
    assert!(go(ArithOp::Add, one, half).unwrap().same(Value::float(1.5)));
    assert!(go(ArithOp::Mul, ten, ten).unwrap().same(Value::int(100)));
    assert!(
        go(ArithOp::Unm, ten, Value::NIL)
            .unwrap()
            .same(Value::int(-10))
    );
    assert_eq!(
        go(ArithOp::Add, word, one).err(),
        Some(ArithError::NotNumber(0))
    );
    assert_eq!(
        go(ArithOp::Add, ten, word).err(),
        Some(ArithError::NotNumber(1))
    );
    assert_eq!(
        go(ArithOp::Add, ten, Value::NIL).err(),
        Some(ArithError::NotNumber(1))
    );
    assert_eq!(
        go(ArithOp::Add, Value::NIL, Value::NIL).err(),
        Some(ArithError::NotNumber(0))
    );
    assert_eq!(
        go(ArithOp::IDiv, ten, Value::int(0)).err(),
        Some(ArithError::DivZero)
    );
    assert_eq!(
        arith_raw(ArithOp::Add, ten, one).err(),
        Some(ArithError::NotNumber(0))
    );
    // 5.4 does not convert strings for bit operations.
    assert_eq!(
        go(ArithOp::BOr, ten, one).err(),
        Some(ArithError::NotNumber(0))
    );
    assert_eq!(
        go(ArithOp::BOr, Value::float(0.5), one).err(),
        Some(ArithError::NoInt(0))
    );
    assert_eq!(
        go(ArithOp::BOr, one, Value::float(1e100)).err(),
        Some(ArithError::NoInt(1))
    );
    assert_eq!(
        go(ArithOp::BOr, Value::float(0.5), Value::NIL).err(),
        Some(ArithError::NotNumber(1))
    );
    assert_eq!(
        go(ArithOp::BNot, Value::TRUE, one).err(),
        Some(ArithError::NotNumber(0))
    );
    assert_eq!(ArithOp::BNot.event(), MetaMethod::BNot);
    for (i, op) in ArithOp::ALL.iter().enumerate() {
        assert_eq!(*op as usize, i);
    }
}

/// Order of an integer and a finite float, exactly.
fn exact(i: i64, f: f64) -> Ordering {
    if f.abs() < 1e30 {
        let t = f.trunc();
        let fi = t as i128;
        i128::from(i)
            .cmp(&fi)
            .then(0.0.partial_cmp(&(f - t)).unwrap())
    } else if f > 0.0 {
        Ordering::Less
    } else {
        Ordering::Greater
    }
}

#[test]
fn comparisons_do_not_round() {
    let mut r = Rng(3);
    for _ in 0..rounds(100_000) {
        let i = edge(&mut r);
        let f = match r.below(6) {
            0 => edge(&mut r) as f64,
            1 => f64::from_bits(
                (i as f64)
                    .to_bits()
                    .wrapping_add(r.below(5))
                    .wrapping_sub(2),
            ),
            2 => i as f64 + 0.5,
            3 => f64::INFINITY,
            4 => f64::NEG_INFINITY,
            _ => f64::from_bits(r.next()),
        };
        let (a, b) = (Value::int(i), Value::float(f));
        if f.is_nan() {
            assert_eq!(num_lt(a, b), Some(false));
            assert_eq!(num_le(b, a), Some(false));
            assert!(!num_eq(a, b));
            continue;
        }
        let o = exact(i, f);
        assert_eq!(num_lt(a, b), Some(o.is_lt()), "{i} {f:e}");
        assert_eq!(num_le(a, b), Some(o.is_le()), "{i} {f:e}");
        assert_eq!(num_lt(b, a), Some(o.is_gt()), "{i} {f:e}");
        assert_eq!(num_le(b, a), Some(o.is_ge()), "{i} {f:e}");
        assert_eq!(num_eq(a, b), o.is_eq(), "{i} {f:e}");
        assert_eq!(unsafe { raw_equal(b, a) }, o.is_eq());
    }
    let max = Value::int(i64::MAX);
    assert!(!num_eq(max, Value::float(i64::MAX as f64)));
    assert_eq!(num_lt(max, Value::float(i64::MAX as f64)), Some(true));
}

#[test]
fn equality_and_order_of_others() {
    let mut g = State::new();
    let long = "x".repeat(100);
    let (a, b, c) = (g.val(&long), g.val(&long), g.val("a\0b"));
    let d = g.val("a\0c");
    unsafe {
        assert_ne!(a.payload, b.payload);
        assert!(raw_equal(a, b) && !raw_equal(a, c));
        assert!(raw_equal(Value::new(1, Tag::TRUE), Value::TRUE));
        assert!(!raw_equal(Value::TRUE, Value::FALSE));
        assert!(!raw_equal(Value::float(f64::NAN), Value::float(f64::NAN)));
        assert!(raw_equal(Value::float(0.0), Value::float(-0.0)));
        assert_eq!(lt(c, d), Some(true));
        assert_eq!(le(a, b), Some(true));
        assert_eq!(lt(d, c), Some(false));
        assert_eq!(lt(c, Value::int(1)), None);
        assert_eq!(le(Value::NIL, Value::NIL), None);
    }
}
