//! Conversions against the C library's.

use quickcheck::{Arbitrary, Gen, QuickCheck};

use super::*;

fn c_float(form: &str, x: f64) -> String {
    let form = format!("{form}\0");
    let mut buf = [0u8; 512];
    // SAFETY: the format takes one double.
    let n = unsafe { libc::snprintf(buf.as_mut_ptr().cast(), buf.len(), form.as_ptr().cast(), x) };
    String::from_utf8_lossy(&buf[..n as usize]).into_owned()
}

fn c_int(form: &str, x: i64) -> String {
    let (head, letter) = form.split_at(form.len() - 1);
    let form = format!("{head}ll{letter}\0");
    let mut buf = [0u8; 512];
    // SAFETY: the format takes one long long.
    let n = unsafe { libc::snprintf(buf.as_mut_ptr().cast(), buf.len(), form.as_ptr().cast(), x) };
    String::from_utf8_lossy(&buf[..n as usize]).into_owned()
}

fn ours(form: &str, flags: &[u8], convert: impl Fn(&mut Vec<u8>, &Spec)) -> Option<String> {
    let f = Form::scan(&form.as_bytes()[1..])?;
    let spec = f.parse(flags, true)?;
    let mut out = Vec::new();
    convert(&mut out, &spec);
    Some(String::from_utf8_lossy(&out).into_owned())
}

#[derive(Clone, Debug)]
struct Case {
    flags: String,
    width: Option<u8>,
    precision: Option<u8>,
    letter: u8,
}

impl Case {
    fn form(&self, letters: &[u8], allowed: &[u8]) -> String {
        let letter = letters[self.letter as usize % letters.len()] as char;
        let mut s = String::from("%");
        s.extend(self.flags.chars().filter(|c| allowed.contains(&(*c as u8))));
        if let Some(w) = self.width {
            s += &format!("{}", w % 40 + 1);
        }
        if let Some(p) = self.precision {
            s += &format!(".{}", p % 24);
        }
        s.push(letter);
        s
    }
}

impl Arbitrary for Case {
    fn arbitrary(g: &mut Gen) -> Case {
        let flags = "-+#0 "
            .chars()
            .filter(|_| u8::arbitrary(g) % 4 == 0)
            .collect();
        Case {
            flags,
            width: Arbitrary::arbitrary(g),
            precision: Arbitrary::arbitrary(g),
            letter: u8::arbitrary(g),
        }
    }
}

/// A float of ordinary magnitude, often with a short decimal expansion, or any bits.
#[derive(Clone, Debug)]
struct Num(f64);

impl Arbitrary for Num {
    fn arbitrary(g: &mut Gen) -> Num {
        let n = i64::arbitrary(g);
        Num(match u8::arbitrary(g) % 6 {
            0 => f64::from_bits(u64::arbitrary(g)),
            1 => (n % 1000) as f64 / 8.0,
            2 => (n % 1_000_000) as f64 / 1000.0,
            3 => n as f64,
            4 => n as f64 * 10f64.powi(i32::arbitrary(g) % 25 - 18),
            _ => 10f64.powi(i32::arbitrary(g) % 30),
        })
    }
}

#[test]
fn floats_as_snprintf() {
    fn prop(case: Case, x: Num) -> bool {
        let form = case.form(b"fgGeEaAf", FLOAT_FLAGS);
        ours(&form, FLOAT_FLAGS, |o, s| float(o, s, x.0)) == Some(c_float(&form, x.0))
    }
    QuickCheck::new()
        .max_tests(100_000)
        .tests(100_000)
        .quickcheck(prop as fn(Case, Num) -> bool);
}

#[test]
fn short_forms_as_snprintf() {
    fn prop(x: Num, p: u8) -> bool {
        [
            format!("%.{}f", p % 19),
            format!("%.{}g", p % 18),
            "%.14g".into(),
            "%g".into(),
            "%f".into(),
            "%.16e".into(),
        ]
        .iter()
        .all(|form| ours(form, FLOAT_FLAGS, |o, s| float(o, s, x.0)) == Some(c_float(form, x.0)))
    }
    QuickCheck::new()
        .max_tests(100_000)
        .tests(100_000)
        .quickcheck(prop as fn(Num, u8) -> bool);
}

#[test]
fn ties_and_limits() {
    for x in [
        0.5,
        1.5,
        2.5,
        0.125,
        0.375,
        9.5,
        99.5,
        0.05,
        1e15,
        1e16,
        1e23,
        f64::MAX,
        5e-324,
        -0.0,
    ] {
        for form in [
            "%.0f", "%.1f", "%.2f", "%g", "%.1g", "%.2g", "%.14g", "%.17g", "%.99f", "%e", "%.0e",
            "%5.1f",
        ] {
            assert_eq!(
                ours(form, FLOAT_FLAGS, |o, s| float(o, s, x)),
                Some(c_float(form, x)),
                "{form} {x}"
            );
        }
    }
    for x in [f64::INFINITY, f64::NEG_INFINITY, f64::NAN] {
        for form in ["%f", "%010g", "%-10e|", "%+f"] {
            let form = form.trim_end_matches('|');
            assert_eq!(
                ours(form, FLOAT_FLAGS, |o, s| float(o, s, x)),
                Some(c_float(form, x)),
                "{form} {x}"
            );
        }
    }
}

#[test]
fn integers_as_snprintf() {
    fn prop(case: Case, x: i64, small: bool) -> bool {
        let x = if small { x % 20 } else { x };
        let ok = |letters: &[u8], flags: &[u8]| {
            let form = case.form(letters, flags);
            ours(&form, flags, |o, s| int(o, s, x)) == Some(c_int(&form, x))
        };
        ok(b"di", INT_FLAGS) && ok(b"u", UNSIGNED_FLAGS) && ok(b"oxX", HEX_FLAGS)
    }
    QuickCheck::new()
        .max_tests(50_000)
        .tests(50_000)
        .quickcheck(prop as fn(Case, i64, bool) -> bool);
}

#[test]
fn specifications() {
    let parse = |s: &str, flags: &[u8]| {
        Form::scan(s.as_bytes())
            .and_then(|f| f.parse(flags, true))
            .is_some()
    };
    assert!(parse("-99.99d", INT_FLAGS));
    assert!(!parse("0123d", INT_FLAGS));
    assert!(!parse("05s", TEXT_FLAGS));
    assert!(!parse("5.123d", INT_FLAGS));
    assert!(!parse("#d", INT_FLAGS));
    assert!(Form::scan(b"000000000000000000000d").is_none());
    assert!(Form::scan(b"00000000000000000000d").is_some());
    assert_eq!(
        Form::scan(b"").map(|f| f.text().to_vec()),
        Some(b"%".to_vec())
    );
    assert_eq!(
        Form::scan(b"5\0x").map(|f| f.text().to_vec()),
        Some(b"%5".to_vec())
    );
}

#[test]
fn quoting() {
    let q = |s: &[u8]| {
        let mut out = Vec::new();
        quoted_str(&mut out, s);
        out
    };
    assert_eq!(q(b"a\"b\\c\nd"), b"\"a\\\"b\\\\c\\\nd\"");
    assert_eq!(q(b"\0\x001\r\x7f\xe1"), b"\"\\0\\0001\\13\\127\xe1\"");
    let f = |x: f64| {
        let mut out = Vec::new();
        quoted_float(&mut out, x);
        String::from_utf8_lossy(&out).into_owned()
    };
    assert_eq!(
        [f(1.0), f(0.1), f(f64::INFINITY)],
        ["0x1p+0", "0x1.999999999999ap-4", "1e9999"]
    );
    assert_eq!([f(f64::NEG_INFINITY), f(f64::NAN)], ["-1e9999", "(0/0)"]);
}
