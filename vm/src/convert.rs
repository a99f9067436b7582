//! Conversions of `string.format`, which the library and compiled code share, independent of the state: specifications, integers, floats, quoting.
//!
//! The common float conversions (`%.3f`, `%g`, `%.14g`, `%e` at ordinary magnitudes) are computed exactly in 128-bit
//! integers: a double is `m * 2^e`, so `round(x * 10^p)` is one multiplication, one shift and a look at the bits shifted
//! out. Everything else, and all of `%a`, goes to the C library's `snprintf`.

use traceorus_base::objects::{Table, run_get};
use traceorus_base::{Tag, Value};

use crate::number::{digits, float_to_int};
use crate::string::str_bytes;

/// Flags of a conversion, in C's order.
pub const FLOAT_FLAGS: &[u8] = b"-+#0 ";
/// For `o`, `x`, `X`.
pub const HEX_FLAGS: &[u8] = b"-#0";
/// For `d`, `i`.
pub const INT_FLAGS: &[u8] = b"-+0 ";
/// For `u`.
pub const UNSIGNED_FLAGS: &[u8] = b"-0";
/// For `c`, `p`, `s`.
pub const TEXT_FLAGS: &[u8] = b"-";

/// Most bytes that one conversion other than an unlimited `%s` or `%q` makes.
pub const MAX_ITEM: usize = 430;

/// Longest specification with its `%` and letter, in bytes.
const MAX_FORM: usize = 22;

/// A specification as it is written: `%` ... letter.
pub struct Form {
    text: [u8; MAX_FORM],
    len: usize,
}

impl Form {
    /// The specification at the start of `s`, which is behind the `%`. `None` if it is too long.
    pub fn scan(s: &[u8]) -> Option<Form> {
        let span = s
            .iter()
            .take_while(|b| matches!(b, b'-' | b'+' | b'#' | b'0'..=b'9' | b' ' | b'.'))
            .count();
        if span + 1 >= MAX_FORM {
            return None;
        }
        let mut text = [0; MAX_FORM];
        text[0] = b'%';
        let n = s.len().min(span + 1);
        text[1..=n].copy_from_slice(&s[..n]);
        Some(Form { text, len: n + 1 })
    }
    /// The text, as PUC's messages show it: up to a NUL.
    pub fn text(&self) -> &[u8] {
        let t = &self.text[..self.len];
        t.split(|&b| b == 0).next().unwrap_or(t)
    }
    /// Bytes behind the `%`.
    pub fn width(&self) -> usize {
        self.len - 1
    }
    /// The letter, 0 if there is none.
    pub fn letter(&self) -> u8 {
        let span = self.len - 1;
        match self.text[span] {
            b'-' | b'+' | b'#' | b'0'..=b'9' | b' ' | b'.' | b'%' => 0,
            b => b,
        }
    }
    /// Neither flags nor width nor precision.
    pub fn is_bare(&self) -> bool {
        self.len == 2
    }
    /// Checks the specification (PUC's checkformat); `None` if it is invalid.
    pub fn parse(&self, flags: &[u8], with_precision: bool) -> Option<Spec> {
        let mut spec = Spec {
            letter: self.letter(),
            ..Spec::default()
        };
        let mut rest = &self.text[1..self.len];
        while let [f, tail @ ..] = rest
            && flags.contains(f)
        {
            match f {
                b'-' => spec.minus = true,
                b'+' => spec.plus = true,
                b'#' => spec.hash = true,
                b'0' => spec.zero = true,
                _ => spec.space = true,
            }
            rest = tail;
        }
        let number = |rest: &mut &[u8]| {
            let mut n = 0;
            for _ in 0..2 {
                if let [d @ b'0'..=b'9', tail @ ..] = *rest {
                    n = n * 10 + (d - b'0') as usize;
                    *rest = tail;
                }
            }
            n
        };
        if rest.first() != Some(&b'0') {
            spec.width = number(&mut rest);
            if with_precision && let [b'.', tail @ ..] = rest {
                rest = tail;
                spec.precision = Some(number(&mut rest));
            }
        }
        rest.first()
            .is_some_and(|b| b.is_ascii_alphabetic())
            .then_some(spec)
    }
}

/// A checked specification.
#[derive(Default, Clone, Copy)]
pub struct Spec {
    /// Conversion letter.
    pub letter: u8,
    /// `-`
    pub minus: bool,
    /// `+`
    pub plus: bool,
    /// `#`
    pub hash: bool,
    /// `0`
    pub zero: bool,
    /// Space.
    pub space: bool,
    /// Least width, at most 99.
    pub width: usize,
    /// Precision, at most 99.
    pub precision: Option<usize>,
}

impl Spec {
    fn sign(&self, negative: bool) -> &'static [u8] {
        match (negative, self.plus, self.space) {
            (true, ..) => b"-",
            (_, true, _) => b"+",
            (_, _, true) => b" ",
            _ => b"",
        }
    }
}

/// Appends `body` with what is in front of it (sign or `0x`), padded to the width.
fn padded(out: &mut Vec<u8>, spec: &Spec, front: &[u8], body: &[u8], zero: bool) {
    let fill = spec.width.saturating_sub(front.len() + body.len());
    if fill == 0 {
        append(out, front);
        append(out, body);
    } else if spec.minus {
        out.extend_from_slice(front);
        out.extend_from_slice(body);
        out.resize(out.len() + fill, b' ');
    } else if zero {
        out.extend_from_slice(front);
        out.resize(out.len() + fill, b'0');
        out.extend_from_slice(body);
    } else {
        out.resize(out.len() + fill, b' ');
        out.extend_from_slice(front);
        out.extend_from_slice(body);
    }
}

/// `%s`, `%c`: a text already cut to the precision.
pub fn text(out: &mut Vec<u8>, spec: &Spec, s: &[u8]) {
    padded(out, spec, b"", s, false);
}

/// Decimal digits from the right end of `buf` on; returns where they start.
#[inline]
fn decimal(buf: &mut [u8], mut n: u64) -> usize {
    static PAIRS: [u8; 200] = {
        let mut t = [0; 200];
        let mut i = 0;
        while i < 100 {
            t[2 * i] = b'0' + (i / 10) as u8;
            t[2 * i + 1] = b'0' + (i % 10) as u8;
            i += 1;
        }
        t
    };
    let mut at = buf.len();
    while n >= 100 {
        let pair = (n % 100) as usize * 2;
        n /= 100;
        at -= 2;
        buf[at..at + 2].copy_from_slice(&PAIRS[pair..pair + 2]);
    }
    if n >= 10 {
        at -= 2;
        buf[at..at + 2].copy_from_slice(&PAIRS[n as usize * 2..n as usize * 2 + 2]);
    } else {
        at -= 1;
        buf[at] = b'0' + n as u8;
    }
    at
}

/// `%d` without anything.
#[inline]
pub fn plain_int(out: &mut Vec<u8>, n: i64) {
    if n < 0 {
        out.push(b'-');
    }
    out.reserve(digits::ROOM);
    // SAFETY: there is room; as many bytes are written as the length grows by.
    unsafe {
        let len = out.len();
        let more = digits::write(out.as_mut_ptr().add(len), n.unsigned_abs());
        out.set_len(len + more);
    }
}

/// `d i u o x X`.
pub fn int(out: &mut Vec<u8>, spec: &Spec, n: i64) {
    let mut buf = [b'0'; 128];
    let end = buf.len();
    let mut front: &[u8] = b"";
    let u = n as u64;
    let radix = |buf: &mut [u8; 128], shift: u32, digits: &[u8; 16]| {
        let (mut u, mut at) = (u, end);
        while u != 0 || at == end {
            at -= 1;
            buf[at] = digits[(u & ((1 << shift) - 1)) as usize];
            u >>= shift;
        }
        at
    };
    let mut at = match spec.letter {
        b'd' | b'i' => {
            front = spec.sign(n < 0);
            decimal(&mut buf, n.unsigned_abs())
        }
        b'u' => decimal(&mut buf, u),
        b'o' => radix(&mut buf, 3, b"0123456789abcdef"),
        b'X' => radix(&mut buf, 4, b"0123456789ABCDEF"),
        _ => radix(&mut buf, 4, b"0123456789abcdef"),
    };
    if let Some(p) = spec.precision {
        if n == 0 && p == 0 {
            at = end; // no digits at all
        }
        at = at.min(end - p);
    }
    if spec.hash {
        match spec.letter {
            b'x' if n != 0 => front = b"0x",
            b'X' if n != 0 => front = b"0X",
            b'o' if at == end || buf[at] != b'0' => at -= 1,
            _ => {}
        }
    }
    padded(
        out,
        spec,
        front,
        &buf[at..],
        spec.zero && spec.precision.is_none(),
    );
}

const POW10: [u128; 28] = {
    let mut t = [1; 28];
    let mut i = 1;
    while i < t.len() {
        t[i] = t[i - 1] * 10;
        i += 1;
    }
    t
};

/// Mantissa and exponent: `x == m * 2^e`, for finite `x >= 0`.
fn split(x: f64) -> (u64, i32) {
    let bits = x.to_bits();
    let e = (bits >> 52) as i32;
    let m = bits & ((1 << 52) - 1);
    if e == 0 {
        (m, -1074)
    } else {
        (m | 1 << 52, e - 1075)
    }
}

/// `num / 2^k`, rounded half to even. `num < 2^127`.
fn shift_round(num: u128, k: u32) -> u128 {
    if k > 127 {
        return 0; // less than half
    }
    if k == 0 {
        return num;
    }
    let (q, rem, half) = (num >> k, num & ((1 << k) - 1), 1u128 << (k - 1));
    q + u128::from(rem > half || (rem == half && q & 1 == 1))
}

/// `round(x * 10^p)`, if that can be had in 128 bits.
fn scaled(x: f64, p: i32) -> Option<u128> {
    let (m, e) = split(x);
    if p >= 0 {
        if p > 22 {
            return None;
        }
        let num = u128::from(m) * POW10[p as usize]; // < 2^53 * 2^74
        return if e <= 0 {
            Some(shift_round(num, -e as u32))
        } else if num.leading_zeros() as i32 > e + 1 {
            Some(num << e)
        } else {
            None
        };
    }
    if p < -20 {
        return None;
    }
    let mut den = POW10[-p as usize]; // < 2^67
    let mut num = u128::from(m);
    if e >= 0 {
        if e > 70 {
            return None;
        }
        num <<= e;
    } else {
        if e < -58 {
            return None;
        }
        den <<= -e;
    }
    let (q, rem) = (num / den, num % den);
    let twice = rem * 2;
    Some(q + u128::from(twice > den || (twice == den && q & 1 == 1)))
}

/// `x` as `d * 10^(exp - digits + 1)` with exactly that many decimal digits in `d`, correctly rounded. `x > 0`.
fn significant(x: f64, digits: i32) -> Option<(u64, i32)> {
    if digits > 17 {
        return None;
    }
    let (m, e) = split(x);
    if m < 1 << 52 {
        return None;
    }
    // floor(log10(2^e2)), which is the exponent sought or one less.
    let low = ((e + 52) * 78913) >> 18;
    let limit = POW10[digits as usize];
    for exp in low..low + 2 {
        let d = scaled(x, digits - 1 - exp)?;
        if d < limit {
            return (d >= limit / 10).then_some((d as u64, exp));
        }
    }
    None
}

/// Writes digits into a small buffer; the float conversions below build their text there.
struct Text {
    b: [u8; 96],
    len: usize,
}

impl Text {
    fn push(&mut self, b: u8) {
        self.b[self.len] = b;
        self.len += 1;
    }
    fn add(&mut self, s: &[u8]) {
        self.b[self.len..self.len + s.len()].copy_from_slice(s);
        self.len += s.len();
    }
    /// `n` with at least `least` digits.
    fn number(&mut self, n: u64, least: usize) {
        let mut buf = [b'0'; 24];
        let at = decimal(&mut buf, n).min(24 - least);
        self.add(&buf[at..]);
    }
    fn exponent(&mut self, exp: i32, letter: u8) {
        self.push(letter);
        self.push(if exp < 0 { b'-' } else { b'+' });
        self.number(u64::from(exp.unsigned_abs()), 2);
    }
    /// Cuts the zeros off the end of a fraction, and then its point.
    fn cut_zeros(&mut self) {
        while self.b[self.len - 1] == b'0' {
            self.len -= 1;
        }
        if self.b[self.len - 1] == b'.' {
            self.len -= 1;
        }
    }
}

/// `%.{p}f` of `x >= 0`.
fn fixed(t: &mut Text, x: f64, p: usize) -> Option<()> {
    if p > 18 || x >= 9.0e18 {
        return None;
    }
    let n = scaled(x, p as i32)?;
    let unit = POW10[p];
    let (whole, frac) = match u64::try_from(n) {
        Ok(n) => (n / unit as u64, n % unit as u64),
        Err(_) => ((n / unit) as u64, (n % unit) as u64),
    };
    t.number(whole, 1);
    if p > 0 {
        t.push(b'.');
        t.number(frac, p);
    }
    Some(())
}

/// `d` (of `digits` digits) as `d.ddd`, with its exponent unless it is `None`.
fn scientific(t: &mut Text, d: u64, digits: i32, cut: bool) {
    let unit = POW10[digits as usize - 1] as u64;
    t.number(d / unit, 1);
    if digits > 1 {
        t.push(b'.');
        t.number(d % unit, digits as usize - 1);
        if cut {
            t.cut_zeros();
        }
    }
}

/// The conversion of `x >= 0` without the C library, where that is possible.
fn quick(t: &mut Text, spec: &Spec, x: f64) -> Option<()> {
    if spec.hash || !x.is_finite() {
        return None;
    }
    let p = spec.precision.unwrap_or(6);
    let e = if spec.letter.is_ascii_uppercase() {
        b'E'
    } else {
        b'e'
    };
    match spec.letter {
        b'f' => fixed(t, x, p),
        b'e' | b'E' => {
            let digits = p as i32 + 1;
            if digits > 17 {
                return None;
            }
            let (d, exp) = if x == 0.0 {
                (0, 0)
            } else {
                significant(x, digits)?
            };
            scientific(t, d, digits, false);
            t.exponent(exp, e);
            Some(())
        }
        b'g' | b'G' => {
            let digits = p.max(1) as i32;
            if x == 0.0 {
                t.push(b'0');
                return Some(());
            }
            let (d, exp) = significant(x, digits)?;
            if exp < -4 || exp >= digits {
                scientific(t, d, digits, true);
                t.exponent(exp, e);
                return Some(());
            }
            if exp >= 0 {
                let unit = POW10[(digits - 1 - exp) as usize] as u64;
                t.number(d / unit, 1);
                if unit > 1 {
                    t.push(b'.');
                    t.number(d % unit, (digits - 1 - exp) as usize);
                    t.cut_zeros();
                }
            } else {
                t.add(b"0.");
                t.number(d, (digits - 1 - exp) as usize);
                t.cut_zeros();
            }
            Some(())
        }
        _ => None,
    }
}

/// `a A e E f g G`.
pub fn float(out: &mut Vec<u8>, spec: &Spec, x: f64) {
    let mut t = Text { b: [0; 96], len: 0 };
    match quick(&mut t, spec, x.abs()) {
        Some(()) => padded(
            out,
            spec,
            spec.sign(x.is_sign_negative()),
            &t.b[..t.len],
            spec.zero,
        ),
        None => by_snprintf(out, spec, x),
    }
}

/// A float by the C library.
fn by_snprintf(out: &mut Vec<u8>, spec: &Spec, x: f64) {
    let mut form = [0u8; 16];
    let mut n = 0;
    let flags = [
        (spec.minus, b'-'),
        (spec.plus, b'+'),
        (spec.hash, b'#'),
        (spec.zero, b'0'),
        (spec.space, b' '),
    ];
    let given = flags.iter().filter(|f| f.0).map(|f| f.1);
    for b in std::iter::once(b'%').chain(given) {
        form[n] = b;
        n += 1;
    }
    // A width of 0 would be a flag, hence `*` only when there is one; a missing precision is given as -1.
    for b in *b"*.*" {
        form[n] = b;
        n += 1;
    }
    form[n] = spec.letter;
    let precision = spec.precision.map_or(-1, |p| p as libc::c_int);
    let mut buf = [0u8; MAX_ITEM];
    // SAFETY: the format is `%[flags]*.*[letter]` with a NUL behind it and takes two ints and a double; the buffer's
    // size is given.
    let written = unsafe {
        libc::snprintf(
            buf.as_mut_ptr().cast(),
            buf.len(),
            form.as_ptr().cast(),
            spec.width as libc::c_int,
            precision,
            x,
        )
    };
    let written = usize::try_from(written).unwrap_or(0).min(buf.len() - 1);
    out.extend_from_slice(&buf[..written]);
}

/// `%q` of a float: a numeral that reads back as the same number.
pub fn quoted_float(out: &mut Vec<u8>, x: f64) {
    if x.is_nan() {
        out.extend_from_slice(b"(0/0)");
    } else if x.is_infinite() {
        out.extend_from_slice(if x > 0.0 { b"1e9999" } else { b"-1e9999" });
    } else {
        by_snprintf(
            out,
            &Spec {
                letter: b'a',
                ..Spec::default()
            },
            x,
        );
    }
}

/// `%q` of an integer.
pub fn quoted_int(out: &mut Vec<u8>, n: i64) {
    if n == i64::MIN {
        out.extend_from_slice(b"0x8000000000000000");
    } else {
        plain_int(out, n);
    }
}

/// Bytes that [`quoted_str`] appends at most.
pub fn quoted_max(s: &[u8]) -> usize {
    let special = s
        .iter()
        .filter(|b| b.is_ascii_control() || matches!(b, b'"' | b'\\'))
        .count();
    s.len() + 3 * special + 2
}

/// `%q` of a string.
pub fn quoted_str(out: &mut Vec<u8>, s: &[u8]) {
    out.push(b'"');
    for (i, &b) in s.iter().enumerate() {
        match b {
            b'"' | b'\\' | b'\n' => out.extend_from_slice(&[b'\\', b]),
            _ if b.is_ascii_control() => {
                out.push(b'\\');
                if s.get(i + 1).is_some_and(|b| b.is_ascii_digit()) {
                    out.extend_from_slice(&[b'0' + b / 100, b'0' + b / 10 % 10, b'0' + b % 10]);
                } else {
                    plain_int(out, i64::from(b));
                }
            }
            _ => out.push(b),
        }
    }
    out.push(b'"');
}

/// Appends bytes for which there should be room. Short ones, the common case, are copied without a call.
#[inline(always)]
pub fn append(v: &mut Vec<u8>, s: &[u8]) {
    let (n, len) = (s.len(), v.len());
    if n > 16 || v.capacity() - len < n {
        v.extend_from_slice(s);
        return;
    }
    // SAFETY: there are `n` bytes of room behind the vector's bytes, and `n` bytes in the slice; the pieces that are
    // read and written lie within these and together cover them.
    unsafe {
        let (from, to) = (s.as_ptr(), v.as_mut_ptr().add(len));
        macro_rules! ends {
            ($t:ty) => {{
                let last = n - size_of::<$t>();
                let a = from.cast::<$t>().read_unaligned();
                let b = from.add(last).cast::<$t>().read_unaligned();
                to.cast::<$t>().write_unaligned(a);
                to.add(last).cast::<$t>().write_unaligned(b);
            }};
        }
        match n {
            8.. => ends!(u64),
            4.. => ends!(u32),
            2.. => ends!(u16),
            1 => *to = *from,
            _ => {}
        }
        v.set_len(len + n);
    }
}

/// Writes `total` bytes of `s` and `sep` again and again.
///
/// # Safety
/// `out` has room for `total` bytes and overlaps neither.
pub unsafe fn write_repeated(out: *mut u8, total: usize, s: &[u8], sep: &[u8]) {
    /// Shorter units are copied without a call.
    const SHORT: usize = 32;
    let unit = s.len() + sep.len();
    let mut have = unit.min(total);
    // SAFETY: the caller's promise; all that is written lies below `total`.
    unsafe {
        if have < SHORT {
            for (i, &b) in s.iter().chain(sep).take(have).enumerate() {
                *out.add(i) = b;
            }
        } else {
            out.copy_from_nonoverlapping(s.as_ptr(), s.len());
            out.add(s.len())
                .copy_from_nonoverlapping(sep.as_ptr(), have - s.len());
        }
        // what is there doubled until it is long enough
        while have > 0 && have < total {
            let more = have.min(total - have);
            out.add(have).copy_from_nonoverlapping(out, more);
            have += more;
        }
    }
}

/// Most characters of an integer.
const MAX_INT: usize = 20;

/// Appends elements `k` to `last` of a table, each behind `sep`, as long as they are texts or integers in the array part and there
/// is room for them.
/// Gives the index of the first that is left, `last + 1` if none is; `k` is at most `last`, and `last` below the greatest integer.
///
/// # Safety
/// [GC-LIVE] the table is alive.
pub unsafe fn append_elements(
    v: &mut Vec<u8>,
    t: *mut Table,
    sep: &[u8],
    k: i64,
    last: i64,
) -> i64 {
    // SAFETY: [GC-LIVE]; the index is checked against the capacity, the lengths against the vector's.
    unsafe {
        let array = (*t).array;
        let end = (last + 1).min(i64::from((*t).arr_cap));
        let mut k = k;
        while (0..end).contains(&k) {
            let e = run_get(array, k as usize);
            let room = v.capacity() - v.len();
            if e.tag == Tag::STRING {
                let s = str_bytes(e.as_ptr());
                if room < sep.len() + s.len() {
                    break;
                }
                append(v, sep);
                append(v, s);
            } else {
                if e.tag != Tag::INT || room < sep.len() + MAX_INT {
                    break;
                }
                append(v, sep);
                plain_int(v, e.as_int());
            }
            k += 1;
        }
        k
    }
}

/// The specification of an item of `string.format` for the value `v`, if there is no difficulty with it: no error, and no call but for `__tostring`.
///
/// # Safety
/// [GC-LIVE] `v` is alive.
pub unsafe fn plain_item(form: &Form, v: Value) -> Option<Spec> {
    let (flags, with_precision) = match form.letter() {
        b'c' => (TEXT_FLAGS, false),
        b'd' | b'i' => (INT_FLAGS, true),
        b'u' => (UNSIGNED_FLAGS, true),
        b'o' | b'x' | b'X' => (HEX_FLAGS, true),
        b'a' | b'A' | b'e' | b'E' | b'f' | b'g' | b'G' => (FLOAT_FLAGS, true),
        b's' => (TEXT_FLAGS, true),
        b'q' if form.is_bare() => (TEXT_FLAGS, false),
        _ => return None,
    };
    let spec = form.parse(flags, with_precision)?;
    let plain = match (form.letter(), v.tag) {
        (b'a' | b'A' | b'e' | b'E' | b'f' | b'g' | b'G', t) => t.is_number(),
        // SAFETY: as promised.
        (b's', Tag::STRING) => form.is_bare() || unsafe { is_plain_text(str_bytes(v.as_ptr())) },
        (b's', Tag::INT | Tag::FLOAT) => true,
        (b's', _) => form.is_bare(),
        (b'q', t) => t == Tag::STRING || t == Tag::INT && v.as_int() != i64::MIN,
        (_, Tag::INT) => true,
        (_, Tag::FLOAT) => float_to_int(v.as_float()).is_some(),
        _ => false,
    };
    plain.then_some(spec)
}

/// A text of less than 100 bytes without zeros, which any item of text takes as it is.
pub fn is_plain_text(b: &[u8]) -> bool {
    b.len() < 100 && memchr::memchr(0, b).is_none()
}

#[cfg(test)]
mod tests;
