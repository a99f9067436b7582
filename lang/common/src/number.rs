//! Text to number by Lua's rules, for literals and for `tonumber`.
//!
//! Source of the rules: `l_str2int` and `l_str2d` of PUC Lua 5.4. Integers first: decimal ones that do not fit
//! become floats, hexadecimal ones wrap around. Floats are correctly rounded, decimal ones by the standard library,
//! hexadecimal ones here. `inf` and `nan` are no numbers.

/// A Lua number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    /// Integer.
    Int(i64),
    /// Float.
    Float(f64),
}

/// White space as the C locale's `isspace`.
#[inline]
pub fn is_space(c: u8) -> bool {
    matches!(c, b' ' | b'\t'..=b'\r')
}

/// Value of a hexadecimal digit.
#[inline]
pub fn hex_value(c: u8) -> Option<u8> {
    match c {
        b'0'..=b'9' => Some(c - b'0'),
        b'a'..=b'f' => Some(c - b'a' + 10),
        b'A'..=b'F' => Some(c - b'A' + 10),
        _ => None,
    }
}

/// The number that the whole text denotes, with optional sign and surrounding white space. `None` if there is none.
pub fn str_to_number(text: &[u8]) -> Option<Number> {
    let mut s = text;
    while let [c, rest @ ..] = s {
        if !is_space(*c) {
            break;
        }
        s = rest;
    }
    while let [rest @ .., c] = s {
        if !is_space(*c) {
            break;
        }
        s = rest;
    }
    let negative = s.first() == Some(&b'-');
    let digits = match s {
        [b'-' | b'+', rest @ ..] => rest,
        _ => s,
    };
    if let [b'0', b'x' | b'X', hex @ ..] = digits {
        return hex_number(hex, negative);
    }
    if let Some(i) = decimal_integer(digits, negative) {
        return Some(Number::Int(i));
    }
    let f = decimal_float(digits)?;
    Some(Number::Float(if negative { -f } else { f }))
}

fn decimal_integer(digits: &[u8], negative: bool) -> Option<i64> {
    if digits.is_empty() {
        return None;
    }
    let mut a: u64 = 0;
    for &c in digits {
        if !c.is_ascii_digit() {
            return None;
        }
        a = a.checked_mul(10)?.checked_add(u64::from(c - b'0'))?;
    }
    if a > i64::MAX as u64 + u64::from(negative) {
        return None;
    }
    Some(if negative {
        0u64.wrapping_sub(a) as i64
    } else {
        a as i64
    })
}

/// Unsigned decimal float: digits with an optional point and exponent, at least one digit in the mantissa.
fn decimal_float(s: &[u8]) -> Option<f64> {
    let mut i = 0;
    let mut mantissa_digits = 0;
    let mut seen_dot = false;
    while let Some(&c) = s.get(i) {
        match c {
            b'0'..=b'9' => mantissa_digits += 1,
            b'.' if !seen_dot => seen_dot = true,
            _ => break,
        }
        i += 1;
    }
    if mantissa_digits == 0 {
        return None;
    }
    if let Some(b'e' | b'E') = s.get(i) {
        i += 1;
        if let Some(b'+' | b'-') = s.get(i) {
            i += 1;
        }
        let first = i;
        while s.get(i).is_some_and(u8::is_ascii_digit) {
            i += 1;
        }
        if i == first {
            return None;
        }
    }
    if i != s.len() {
        return None;
    }
    core::str::from_utf8(s).ok()?.parse().ok()
}

/// What follows `0x`: an integer that wraps around, or a float if there is a point or an exponent.
fn hex_number(s: &[u8], negative: bool) -> Option<Number> {
    let mut wrapped: u64 = 0;
    // The first 60 or so significant bits, and whether a nonzero bit was cut off below them.
    let mut mantissa: u64 = 0;
    let mut sticky = false;
    let mut exponent: i64 = 0;
    let mut any = false;
    let mut seen_dot = false;
    let mut i = 0;
    while let Some(&c) = s.get(i) {
        if c == b'.' {
            if seen_dot {
                return None;
            }
            seen_dot = true;
        } else if let Some(d) = hex_value(c) {
            any = true;
            wrapped = wrapped.wrapping_mul(16).wrapping_add(u64::from(d));
            if mantissa < 1 << 58 {
                mantissa = mantissa * 16 + u64::from(d);
                exponent -= if seen_dot { 4 } else { 0 };
            } else {
                sticky |= d != 0;
                exponent += if seen_dot { 0 } else { 4 };
            }
        } else {
            break;
        }
        i += 1;
    }
    if !any {
        return None;
    }
    let mut is_float = seen_dot;
    if let Some(b'p' | b'P') = s.get(i) {
        is_float = true;
        i += 1;
        let down = s.get(i) == Some(&b'-');
        if let Some(b'+' | b'-') = s.get(i) {
            i += 1;
        }
        let first = i;
        let mut e: i64 = 0;
        while let Some(c @ b'0'..=b'9') = s.get(i) {
            e = (e * 10 + i64::from(c - b'0')).min(1 << 40);
            i += 1;
        }
        if i == first {
            return None;
        }
        exponent += if down { -e } else { e };
    }
    if i != s.len() {
        return None;
    }
    if !is_float {
        return Some(Number::Int(if negative {
            wrapped.wrapping_neg() as i64
        } else {
            wrapped as i64
        }));
    }
    let f = scale(mantissa, sticky, exponent);
    Some(Number::Float(if negative { -f } else { f }))
}

/// `mantissa * 2^exponent`, a little more if `sticky`, rounded once to nearest, ties to even.
fn scale(mantissa: u64, sticky: bool, exponent: i64) -> f64 {
    if mantissa == 0 {
        return 0.0;
    }
    let shift = mantissa.leading_zeros();
    let m = mantissa << shift;
    // The value is m/2^63 * 2^e with 1 <= m/2^63 < 2.
    let e = exponent - i64::from(shift) + 63;
    if e > 1023 {
        return f64::INFINITY;
    }
    if e < -1075 {
        return 0.0;
    }
    // Bits of m to drop: 11 for a normal number, more for a subnormal one.
    let drop = if e >= -1022 {
        11
    } else {
        11 + (-1022 - e) as u32
    };
    let (kept, lost) = if drop >= 64 {
        (0, m)
    } else {
        (m >> drop, m << (64 - drop))
    };
    // With drop == 64 the half is the top bit of `lost`, as otherwise.
    let half = 1u64 << 63;
    let up = lost > half || (lost == half && (sticky || kept & 1 == 1));
    let rounded = kept + u64::from(up);
    // A carry out of the mantissa runs into the exponent field, which is what rounding up must do.
    let bits = if e >= -1022 {
        ((e + 1022) as u64) << 52
    } else {
        0
    };
    f64::from_bits(bits + rounded)
}

#[cfg(test)]
mod tests {
    use super::{Number, str_to_number};

    fn int(s: &str) -> i64 {
        match str_to_number(s.as_bytes()) {
            Some(Number::Int(i)) => i,
            other => panic!("{s:?}: {other:?}"),
        }
    }
    fn float(s: &str) -> f64 {
        match str_to_number(s.as_bytes()) {
            Some(Number::Float(f)) => f,
            other => panic!("{s:?}: {other:?}"),
        }
    }

    #[test]
    fn integers() {
        assert_eq!(int("0"), 0);
        assert_eq!(int(" \t\n\x0b\x0c\r-17 "), -17);
        assert_eq!(int("+5"), 5);
        assert_eq!(int("9223372036854775807"), i64::MAX);
        assert_eq!(int("-9223372036854775808"), i64::MIN);
        assert_eq!(int("0000000000000000000000000000001"), 1);
        assert_eq!(int("0xff"), 255);
        assert_eq!(int("-0XA"), -10);
        assert_eq!(int("0xffffffffffffffff"), -1);
        assert_eq!(int("0x1ffffffffffffffff"), -1);
        assert_eq!(int("0x7fffffffffffffff"), i64::MAX);
    }

    #[test]
    fn floats() {
        assert_eq!(float("9223372036854775808"), 9223372036854775808.0);
        assert_eq!(float("-9223372036854775809"), -9223372036854775808.0);
        assert_eq!(float(".5"), 0.5);
        assert_eq!(float("5."), 5.0);
        assert_eq!(float("1e1"), 10.0);
        assert_eq!(float("1E+2"), 100.0);
        assert_eq!(float("-1e-2"), -0.01);
        assert_eq!(float("1e400"), f64::INFINITY);
        assert_eq!(float("1e-400"), 0.0);
        assert_eq!(float("0.1"), 0.1);
        assert_eq!(float("-0.0").to_bits(), (-0.0f64).to_bits());
        assert_eq!(float("1e99999999999999999999"), f64::INFINITY);
        assert_eq!(float("2.2250738585072012e-308"), 2.2250738585072014e-308);
    }

    #[test]
    fn hexadecimal_floats() {
        assert_eq!(float("0x.8"), 0.5);
        assert_eq!(float("0x1p4"), 16.0);
        assert_eq!(float("0xA.8p1"), 21.0);
        assert_eq!(float("-0x1p-1"), -0.5);
        assert_eq!(float("0x0p999999999999"), 0.0);
        assert_eq!(float("0x1p-1074"), f64::from_bits(1));
        assert_eq!(float("0x1p-1075"), 0.0);
        assert_eq!(float("0x1.8p-1075"), f64::from_bits(1));
        assert_eq!(float("0x1.00000000000001p-1075"), f64::from_bits(1));
        assert_eq!(float("0x1p-1076"), 0.0);
        assert_eq!(float("0x1.fffffffffffffp1023"), f64::MAX);
        assert_eq!(float("0x1.fffffffffffff8p1023"), f64::INFINITY);
        assert_eq!(float("0x1.fffffffffffff7p1023"), f64::MAX);
        assert_eq!(float("0x0.fffffffffffff8p-1022"), f64::MIN_POSITIVE);
        assert_eq!(float("0x1.00000000000008p0"), 1.0);
        assert_eq!(float("0x1.00000000000018p0"), 1.0 + 2.0 * f64::EPSILON);
        assert_eq!(
            float("0x1.0000000000000800000000000000000000001p0"),
            1.0 + f64::EPSILON
        );
        assert_eq!(float("0x10000000000000000000000000000000p-124"), 1.0);
        assert_eq!(float("0x.00000000000000000000000000000001p128"), 1.0);
        assert_eq!(float(&format!("0x1{}p-4000", "0".repeat(1000))), 1.0);
    }

    #[test]
    fn no_numbers() {
        for s in [
            "", " ", "+", "-", ".", "e1", ".e1", "0x", "0x.", "0xp1", "1e", "1e+", "0x1p", "0x1p+",
            "inf", "nan", "Infinity", "-inf", "1 2", "1x", "--1", "+-1", "- 1", "0x 1", "1.2.3",
            "0x1.2.3", "1\0", "0b1", "1_0", "1f", "0x1pp1", "0xg", "1e1.5",
        ] {
            assert_eq!(str_to_number(s.as_bytes()), None, "{s:?}");
        }
    }
}
