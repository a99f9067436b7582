//! Numerals: text to number by the rules of Lua (PUC's `l_str2int` and `l_str2d`).
//!
//! Shared by the lexer and by every run-time conversion, so that `"0x1p4"` means the same everywhere.

use crate::value::Value;

/// True for the bytes that C's `isspace` accepts in the C locale.
#[inline]
pub fn is_space(b: u8) -> bool {
    matches!(b, b' ' | b'\t'..=b'\r')
}

/// Value of a hexadecimal digit.
#[inline]
pub fn hex_digit(b: u8) -> Option<u8> {
    match b {
        b'0'..=b'9' => Some(b - b'0'),
        b'a'..=b'f' => Some(b - b'a' + 10),
        b'A'..=b'F' => Some(b - b'A' + 10),
        _ => None,
    }
}

/// Converts a whole string to a number: optional white space, sign, decimal or hexadecimal integer or float,
/// optional white space. Decimal integers that do not fit become floats, hexadecimal ones wrap around.
/// `inf`, `nan`, empty strings and embedded NULs are no numerals.
pub fn str_to_number(s: &[u8]) -> Option<Value> {
    let mut t = s;
    while let [b, rest @ ..] = t
        && is_space(*b)
    {
        t = rest;
    }
    while let [rest @ .., b] = t
        && is_space(*b)
    {
        t = rest;
    }
    let (neg, digits) = match t {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, t),
    };
    if let [b'0', b'x' | b'X', hex @ ..] = digits {
        return match hex_int(hex) {
            Some(a) => Some(Value::int(if neg { a.wrapping_neg() } else { a } as i64)),
            None => hex_float(hex).map(|f| Value::float(if neg { -f } else { f })),
        };
    }
    match dec_int(digits, neg) {
        Some(i) => Some(Value::int(i)),
        None => dec_float(digits).map(|f| Value::float(if neg { -f } else { f })),
    }
}

/// Hexadecimal digits only; the value modulo 2^64.
fn hex_int(s: &[u8]) -> Option<u64> {
    if s.is_empty() {
        return None;
    }
    let mut a = 0u64;
    for &b in s {
        a = a << 4 | u64::from(hex_digit(b)?);
    }
    Some(a)
}

/// Decimal digits only, in range.
fn dec_int(s: &[u8], neg: bool) -> Option<i64> {
    if s.is_empty() {
        return None;
    }
    let limit = i64::MAX as u64 + u64::from(neg);
    let mut a = 0u64;
    for &b in s {
        if !b.is_ascii_digit() {
            return None;
        }
        a = a.checked_mul(10)?.checked_add(u64::from(b - b'0'))?;
        if a > limit {
            return None;
        }
    }
    Some(if neg { a.wrapping_neg() } else { a } as i64)
}

/// Unsigned decimal float: digits with at most one dot, optional exponent.
fn dec_float(s: &[u8]) -> Option<f64> {
    let mut i = 0;
    let mut digits = 0;
    let mut dot = false;
    while i < s.len() {
        match s[i] {
            b'0'..=b'9' => digits += 1,
            b'.' if !dot => dot = true,
            _ => break,
        }
        i += 1;
    }
    if digits == 0 {
        return None;
    }
    if i < s.len() {
        if !matches!(s[i], b'e' | b'E') {
            return None;
        }
        exponent(&s[i + 1..])?;
    }
    // The grammar above is a subset of what Rust reads, and Rust rounds correctly.
    core::str::from_utf8(s).ok()?.parse().ok()
}

/// Exponent with optional sign up to the end of the text, clipped to +-10^9.
fn exponent(s: &[u8]) -> Option<i64> {
    let (neg, digits) = match s {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, s),
    };
    if digits.is_empty() {
        return None;
    }
    let mut e = 0i64;
    for &b in digits {
        if !b.is_ascii_digit() {
            return None;
        }
        e = (e * 10 + i64::from(b - b'0')).min(1_000_000_000);
    }
    Some(if neg { -e } else { e })
}

/// Unsigned hexadecimal float after its `0x`, rounded to nearest, ties to even.
fn hex_float(s: &[u8]) -> Option<f64> {
    let mut mant = 0u64;
    let mut sticky = false;
    // Exponent of two of the lowest bit of `mant`.
    let mut e = 0i64;
    let mut digits = 0;
    let mut dot = false;
    let mut i = 0;
    while i < s.len() {
        match s[i] {
            b'.' if !dot => dot = true,
            b => match hex_digit(b) {
                None => break,
                Some(d) => {
                    digits += 1;
                    if mant >> 60 == 0 {
                        mant = mant << 4 | u64::from(d);
                        if dot {
                            e -= 4;
                        }
                    } else {
                        sticky |= d != 0;
                        if !dot {
                            e += 4;
                        }
                    }
                }
            },
        }
        i += 1;
    }
    if digits == 0 {
        return None;
    }
    if i < s.len() {
        if !matches!(s[i], b'p' | b'P') {
            return None;
        }
        e += exponent(&s[i + 1..])?;
    }
    if mant == 0 {
        return Some(0.0);
    }
    // Normalise: the leading bit at 63, value mant * 2^e.
    let shift = mant.leading_zeros();
    mant <<= shift;
    e -= i64::from(shift);
    let top = e + 63;
    if top > 1023 {
        return Some(f64::INFINITY);
    }
    // Bits dropped below the last place that the result keeps.
    let drop = if top >= -1022 { 11 } else { 11 + (-1022 - top) };
    if drop > 64 {
        return Some(0.0);
    }
    let (mut kept, rest, half) = if drop == 64 {
        (0u64, mant, 1u64 << 63)
    } else {
        (
            mant >> drop,
            mant & ((1u64 << drop) - 1),
            1u64 << (drop - 1),
        )
    };
    if rest > half || (rest == half && (sticky || kept & 1 == 1)) {
        kept += 1;
    }
    // Carries run over into the exponent field as they should.
    let bits = if top >= -1022 {
        (((top + 1022) as u64) << 52) + kept
    } else {
        kept
    };
    Some(f64::from_bits(bits))
}

#[cfg(test)]
mod tests {
    use super::str_to_number;
    use crate::value::{Tag, Value};

    fn int(s: &str) -> Option<i64> {
        str_to_number(s.as_bytes())
            .filter(|v| v.tag == Tag::INT)
            .map(Value::as_int)
    }
    fn float(s: &str) -> Option<f64> {
        str_to_number(s.as_bytes())
            .filter(|v| v.tag == Tag::FLOAT)
            .map(Value::as_float)
    }

    #[test]
    fn integers() {
        assert_eq!(int(" 42\n"), Some(42));
        assert_eq!(int("-0x10"), Some(-16));
        assert_eq!(int("+7"), Some(7));
        assert_eq!(int("9223372036854775807"), Some(i64::MAX));
        assert_eq!(int("-9223372036854775808"), Some(i64::MIN));
        assert_eq!(float("9223372036854775808"), Some(9223372036854775808.0));
        assert_eq!(int("0xffffffffffffffff"), Some(-1));
        assert_eq!(int("0x1ffffffffffffffff"), Some(-1));
        assert_eq!(int("000000000000000000000000000001"), Some(1));
        assert_eq!(
            float("123456789012345678901234567890"),
            Some(123456789012345678901234567890.0)
        );
    }

    #[test]
    fn floats() {
        assert_eq!(float("0.1"), Some(0.1));
        assert_eq!(float(".5"), Some(0.5));
        assert_eq!(float("5."), Some(5.0));
        assert_eq!(float("1e1"), Some(10.0));
        assert_eq!(float("1e+400"), Some(f64::INFINITY));
        assert_eq!(float("1e-99999999999999999999"), Some(0.0));
        assert_eq!(float("0e99999999999999999999"), Some(0.0));
        assert_eq!(float("-0.0").map(f64::to_bits), Some((-0.0f64).to_bits()));
        assert_eq!(float("0x.8"), Some(0.5));
        assert_eq!(float("0xA.8p1"), Some(21.0));
        assert_eq!(float("0x1p-1074"), Some(5e-324));
        assert_eq!(float("0x1p-1075"), Some(0.0));
        assert_eq!(float("0x1.8p-1075"), Some(5e-324));
        assert_eq!(float("0x1.00000000000008p0"), Some(1.0));
        assert_eq!(
            float("0x1.000000000000080000000000001p0"),
            Some(1.0 + f64::EPSILON)
        );
        assert_eq!(
            float("0x1.00000000000018p0"),
            Some(1.0 + 2.0 * f64::EPSILON)
        );
        assert_eq!(float("0x1.fffffffffffff8p1023"), Some(f64::INFINITY));
        assert_eq!(float("0x1.fffffffffffff7p1023"), Some(f64::MAX));
        assert_eq!(float("0x0.fffffffffffff8p-1022"), Some(f64::MIN_POSITIVE));
        assert_eq!(float("-1e-2"), Some(-0.01));
        assert_eq!(
            float("2.2250738585072012e-308"),
            Some(2.2250738585072014e-308)
        );
        assert_eq!(float("-0x1p-1"), Some(-0.5));
        assert_eq!(float("0x0p999999999999"), Some(0.0));
        assert_eq!(float("0x1.00000000000001p-1075"), Some(5e-324));
        assert_eq!(float("0x1p-1076"), Some(0.0));
        assert_eq!(float("0x1.fffffffffffffp1023"), Some(f64::MAX));
        assert_eq!(float("0x10000000000000000000000000000000p-124"), Some(1.0));
        assert_eq!(float("0x.00000000000000000000000000000001p128"), Some(1.0));
        assert_eq!(float(&format!("0x1{}p-4000", "0".repeat(1000))), Some(1.0));
    }

    #[test]
    fn refused() {
        for s in [
            "", " ", "-", "+", "e1", "+-1", "1x", "0x 1", "0x1pp1", "0xg", "Infinity", "0x", "0x.",
            "0xp1", "0x1p", "0x1p+", "1e", "1e+", ".", ".e1", "inf", "nan", "infinity", "-inf",
            "1 2", "1\0", "\0", "1_0", "- 1", "--1", "0x1g", "1f", "1.2.3", "0x1.2.3", "1e1.5",
            "0b1",
        ] {
            assert!(str_to_number(s.as_bytes()).is_none(), "{s:?}");
        }
    }
}
