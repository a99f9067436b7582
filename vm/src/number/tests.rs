//! Printing against libc, conversions and loops against plain definitions.
#![allow(clippy::undocumented_unsafe_blocks, reason = "tests")]

use super::*;
use crate::table::tests::{Rng, rounds};

/// What PUC prints.
fn reference(f: f64) -> String {
    let mut buf = [0u8; 64];
    let n = unsafe { libc::snprintf(buf.as_mut_ptr().cast(), 64, c"%.14g".as_ptr(), f) };
    let mut s = String::from_utf8(buf[..n as usize].to_vec()).unwrap();
    if s.bytes().all(|b| b == b'-' || b.is_ascii_digit()) {
        s += ".0";
    }
    s
}

fn text(v: Value) -> String {
    String::from_utf8(fmt_number(v).to_vec()).unwrap()
}

#[test]
fn floats_print_as_printf_does() {
    let mut r = Rng(3);
    let mut cases = vec![
        0.0,
        -0.0,
        1.0,
        -1.0,
        0.1,
        3.25,
        1e14,
        1e15,
        99999999999999.0,
        99999999999999.7,
        99999999999999.5,
        9999999999999.95,
        123456789012344.5,
        12345678901234.5,
        12345678901235.5,
        1e100,
        1e-5,
        1e-4,
        0.00012345,
        9.999999999999999e-5,
        0.000099999999999999,
        5e-324,
        f64::MAX,
        f64::MIN_POSITIVE,
        f64::INFINITY,
        f64::NEG_INFINITY,
        f64::NAN,
        -f64::NAN,
        2f64.powi(53),
        2f64.powi(63),
        1e22,
        1e23,
        0.5,
        1.5,
        2.5,
        0.30000000000000004,
        1.0000000000000002,
        1e13 + 0.5,
        1e13 + 1.5,
        4.35,
        1e14 - 0.25,
        1.00000000000005,
    ];
    for i in -330..310 {
        cases.push(10f64.powi(i));
        cases.push(9.99999999999995 * 10f64.powi(i));
        cases.push(9.999999999999949 * 10f64.powi(i));
    }
    for _ in 0..rounds(200_000) {
        let x = match r.below(5) {
            0 => f64::from_bits(r.next()),
            1 => r.next() as i64 as f64 / 10f64.powi(r.below(25) as i32),
            2 => (r.below(2_000_000) as f64) / 1000.0,
            // Ties.
            3 => r.below(1 << 50) as f64 / (1u64 << r.below(40)) as f64,
            _ => (r.below(1000) as f64) * 1.1,
        };
        cases.push(x);
    }
    for f in cases {
        assert_eq!(text(Value::float(f)), reference(f), "{f:e}");
    }
}

#[test]
fn integers_print() {
    let mut r = Rng(4);
    for i in [0, 1, -1, 9, 10, 99, 100, 101, i64::MAX, i64::MIN] {
        assert_eq!(text(Value::int(i)), i.to_string());
    }
    for _ in 0..10_000 {
        let i = r.next() as i64 >> r.below(64);
        assert_eq!(text(Value::int(i)), i.to_string());
    }
}

#[test]
fn round_trips() {
    let mut r = Rng(6);
    for _ in 0..rounds(20_000) {
        let f = f64::from_bits(r.next());
        if !f.is_finite() {
            continue;
        }
        for s in [format!("{f:e}"), format!("{f}"), hex(f)] {
            let v = str_to_number(s.as_bytes()).unwrap();
            assert_eq!(num_as_float(v).to_bits(), f.to_bits(), "{s}");
        }
        let i = r.next() as i64;
        assert!(str_to_number(&fmt_int(i)).unwrap().same(Value::int(i)));
        assert!(
            str_to_number(format!("{i:#x}").as_bytes())
                .unwrap()
                .same(Value::int(i))
        );
        // Fourteen digits come back as they went.
        let t = fmt_float(f);
        let back = str_to_number(&t).unwrap();
        assert_eq!(
            text(Value::float(num_as_float(back))),
            String::from_utf8_lossy(&t)
        );
    }
}

/// `%a`.
fn hex(f: f64) -> String {
    let mut buf = [0u8; 64];
    let n = unsafe { libc::snprintf(buf.as_mut_ptr().cast(), 64, c"%a".as_ptr(), f) };
    String::from_utf8(buf[..n as usize].to_vec()).unwrap()
}

#[test]
fn hex_floats_round_as_strtod_does() {
    let mut r = Rng(8);
    for _ in 0..rounds(50_000) {
        let mut s = String::from("0x");
        let n = 1 + r.below(24);
        let dot = r.below(n + 1);
        for i in 0..n {
            if i == dot {
                s.push('.');
            }
            // Long runs of equal digits make ties.
            let d = *[0, 8, 15, r.below(16)].get(r.below(4) as usize).unwrap();
            s.push(char::from_digit(d as u32, 16).unwrap());
        }
        if n == dot {
            s.push('.');
        }
        s += &format!("p{}", r.below(2300) as i64 - 1150);
        let c = std::ffi::CString::new(s.clone()).unwrap();
        let want = unsafe { libc::strtod(c.as_ptr(), core::ptr::null_mut()) };
        let got = str_to_number(s.as_bytes()).unwrap();
        assert_eq!(num_as_float(got).to_bits(), want.to_bits(), "{s}");
    }
}

#[test]
fn float_to_int_is_exact() {
    assert_eq!(float_to_int(9223372036854775807.0), None);
    assert_eq!(float_to_int(-9223372036854775808.0), Some(i64::MIN));
    assert_eq!(
        float_to_int(9223372036854774784.0),
        Some(9223372036854774784)
    );
    assert_eq!(float_to_int(-0.0), Some(0));
    for f in [
        0.5,
        f64::NAN,
        f64::INFINITY,
        f64::NEG_INFINITY,
        1e300,
        -1e300,
    ] {
        assert_eq!(float_to_int(f), None, "{f}");
    }
    assert_eq!(float_to_int_floor(-0.5), Some(-1));
    assert_eq!(float_to_int_ceil(-0.5), Some(0));
    assert_eq!(float_to_int_floor(1e19), None);
}

fn values(init: Value, limit: Value, step: Value) -> Vec<i64> {
    match unsafe { for_prep(init, limit, step) }.unwrap() {
        ForPrep::Skip => vec![],
        ForPrep::Int { init, last, step } => {
            let mut out = vec![init];
            let mut i = init;
            while i != last && out.len() < 10 {
                i = i.wrapping_add(step);
                out.push(i);
            }
            out
        }
        ForPrep::Float { .. } => panic!("integers"),
    }
}

#[test]
fn integer_loops() {
    let v = Value::int;
    let (max, min) = (i64::MAX, i64::MIN);
    assert_eq!(values(v(1), v(3), v(1)), [1, 2, 3]);
    assert_eq!(values(v(1), v(0), v(1)), []);
    assert_eq!(values(v(3), v(1), v(-1)), [3, 2, 1]);
    assert_eq!(values(v(1), v(6), v(2)), [1, 3, 5]);
    assert_eq!(values(v(max - 1), v(max), v(1)), [max - 1, max]);
    assert_eq!(values(v(max - 2), v(max), v(3)), [max - 2]);
    assert_eq!(values(v(min + 1), v(min), v(-1)), [min + 1, min]);
    assert_eq!(values(v(max), v(min), v(min)), [max, -1]);
    assert_eq!(values(v(min), v(max), v(max)), [min, -1, max - 1]);
    assert_eq!(values(v(1), Value::float(3.9), v(1)), [1, 2, 3]);
    assert_eq!(values(v(-1), Value::float(-3.9), v(-1)), [-1, -2, -3]);
    assert_eq!(
        values(v(max - 1), Value::float(1e100), v(1)),
        [max - 1, max]
    );
    assert_eq!(
        values(v(min + 1), Value::float(-1e100), v(-1)),
        [min + 1, min]
    );
    assert_eq!(values(v(1), Value::float(-1e100), v(1)), []);
    assert_eq!(values(v(1), Value::float(1e100), v(-1)), []);
    assert_eq!(values(v(1), Value::float(f64::NAN), v(1)), []);
    assert_eq!(values(v(max), Value::float(f64::INFINITY), v(1)), [max]);
    assert_eq!(
        values(v(min), Value::float(f64::NEG_INFINITY), v(-1)),
        [min]
    );
    let mut r = Rng(9);
    for _ in 0..10_000 {
        let (i, l) = (
            r.next() as i64 >> r.below(60),
            r.next() as i64 >> r.below(60),
        );
        let s = (r.next() as i64 >> r.below(60)).max(min + 1) | 1;
        let got = for_last(i, l, s);
        let (wi, wl, ws) = (i128::from(i), i128::from(l), i128::from(s));
        let n = (wl - wi) / ws;
        let want = (if s > 0 { wi <= wl } else { wi >= wl }).then(|| wi + n * ws);
        assert_eq!(got.map(i128::from), want, "{i} {l} {s}");
    }
}

#[test]
fn other_loops() {
    let v = Value::int;
    let prep = |a, b, c| unsafe { for_prep(a, b, c) };
    assert_eq!(prep(v(1), v(2), v(0)), Err(ForError::ZeroStep));
    assert_eq!(prep(v(1), v(2), Value::float(0.0)), Err(ForError::ZeroStep));
    assert_eq!(prep(Value::NIL, v(2), v(1)), Err(ForError::Init));
    assert_eq!(prep(v(1), Value::NIL, v(1)), Err(ForError::Limit));
    assert_eq!(prep(v(1), v(2), Value::TRUE), Err(ForError::Step));
    assert_eq!(
        prep(Value::NIL, Value::NIL, Value::NIL),
        Err(ForError::Limit)
    );
    assert_eq!(
        prep(Value::float(1.0), v(3), v(1)),
        Ok(ForPrep::Float {
            init: 1.0,
            limit: 3.0,
            step: 1.0
        })
    );
    assert_eq!(
        prep(v(1), v(3), Value::float(0.5)),
        Ok(ForPrep::Float {
            init: 1.0,
            limit: 3.0,
            step: 0.5
        })
    );
    assert_eq!(prep(Value::float(3.0), v(1), v(1)), Ok(ForPrep::Skip));
    assert_eq!(prep(Value::float(1.0), v(3), v(-1)), Ok(ForPrep::Skip));
}
