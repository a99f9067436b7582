//! Numbers: printing as `%d` and `%.14g` do, conversions between the number types, and the preparation of
//! numeric `for` loops. Reading numerals is `base::number`.

use core::fmt::Write;

use traceorus_base::number::str_to_number;
use traceorus_base::value::{Tag, Value};

use crate::string::str_bytes;

pub mod digits;

/// Text of a number: no heap, at most 32 bytes.
#[derive(Clone, Copy)]
pub struct NumBuf {
    bytes: [u8; 32],
    len: u8,
}

impl NumBuf {
    const fn new() -> NumBuf {
        NumBuf {
            bytes: [0; 32],
            len: 0,
        }
    }
    /// The text.
    #[inline(always)]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len as usize]
    }
    #[inline(always)]
    fn push(&mut self, b: u8) {
        self.bytes[self.len as usize] = b;
        self.len += 1;
    }
    #[inline(always)]
    fn extend(&mut self, s: &[u8]) {
        self.bytes[self.len as usize..self.len as usize + s.len()].copy_from_slice(s);
        self.len += s.len() as u8;
    }
}

impl core::ops::Deref for NumBuf {
    type Target = [u8];
    #[inline(always)]
    fn deref(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl Write for NumBuf {
    fn write_str(&mut self, s: &str) -> core::fmt::Result {
        if self.len as usize + s.len() > self.bytes.len() {
            return Err(core::fmt::Error);
        }
        self.extend(s.as_bytes());
        Ok(())
    }
}

/// Text of a number as `tostring` and concatenation give it. Any value that is not a number gives no text.
pub fn fmt_number(v: Value) -> NumBuf {
    match v.tag {
        Tag::INT => fmt_int(v.as_int()),
        Tag::FLOAT => fmt_float(v.as_float()),
        Tag::I32 => fmt_int(i64::from(v.payload as i32)),
        Tag::U32 => fmt_int(i64::from(v.payload as u32)),
        Tag::U64 => fmt_u64(v.payload, false),
        _ => NumBuf::new(),
    }
}

/// Pairs of decimal digits from "00" to "99".
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

#[inline]
fn fmt_u64(u: u64, neg: bool) -> NumBuf {
    let mut out = NumBuf::new();
    if neg {
        out.push(b'-');
    }
    const { assert!(digits::ROOM < 32) };
    // SAFETY: there is room behind the sign.
    let n = unsafe { digits::write(out.bytes.as_mut_ptr().add(out.len.into()), u) };
    out.len += n as u8;
    out
}

/// `%d`.
#[inline]
pub fn fmt_int(i: i64) -> NumBuf {
    fmt_u64(i.unsigned_abs(), i < 0)
}

/// Powers of ten that fit.
static POW10: [u64; 20] = {
    let mut t = [1u64; 20];
    let mut i = 1;
    while i < 20 {
        t[i] = t[i - 1] * 10;
        i += 1;
    }
    t
};

/// Significant digits of `%.14g`.
const PREC: i32 = 14;

/// `%.14g`, with `.0` appended to what would read as an integer.
pub fn fmt_float(f: f64) -> NumBuf {
    let mut out = NumBuf::new();
    let neg = f.is_sign_negative();
    if !f.is_finite() {
        // glibc prints the sign of a NaN, and so does PUC.
        if neg {
            out.push(b'-');
        }
        out.extend(if f.is_nan() { b"nan" } else { b"inf" });
        return out;
    }
    let a = f.abs();
    if a < 1e14 && a == (a as u64) as f64 {
        let mut out = fmt_u64(a as u64, neg);
        out.extend(b".0");
        return out;
    }
    if neg {
        out.push(b'-');
    }
    let (digits, exp) = if (1e-4..1e14).contains(&a) {
        digits_exact(a)
    } else {
        digits_any(a)
    };
    // Fourteen digits without their trailing zeros.
    let mut text = [0u8; PREC as usize];
    let mut rest = digits;
    for pair in text.chunks_exact_mut(2).rev() {
        let p = (rest % 100) as usize * 2;
        rest /= 100;
        pair.copy_from_slice(&PAIRS[p..p + 2]);
    }
    let mut n = text.len();
    while n > 1 && text[n - 1] == b'0' {
        n -= 1;
    }
    let text = &text[..n];
    if !(-4..PREC).contains(&exp) {
        out.push(text[0]);
        if n > 1 {
            out.push(b'.');
            out.extend(&text[1..]);
        }
        out.push(b'e');
        out.push(if exp < 0 { b'-' } else { b'+' });
        let e = exp.unsigned_abs() as usize;
        if e >= 100 {
            out.push(b'0' + (e / 100) as u8);
        }
        out.extend(&PAIRS[e % 100 * 2..e % 100 * 2 + 2]);
    } else if exp < 0 {
        out.extend(b"0.");
        for _ in 0..-exp - 1 {
            out.push(b'0');
        }
        out.extend(text);
    } else {
        let int = exp as usize + 1;
        if n <= int {
            out.extend(text);
            for _ in n..int {
                out.push(b'0');
            }
            out.extend(b".0");
        } else {
            out.extend(&text[..int]);
            out.push(b'.');
            out.extend(&text[int..]);
        }
    }
    out
}

/// The 14 significant decimal digits of `a` in [1e-4, 1e14) and the exponent of the first, by exact integer
/// arithmetic, ties to even.
fn digits_exact(a: f64) -> (u64, i32) {
    let bits = a.to_bits();
    // 1e-4 is far from the subnormals.
    let mant = bits & ((1 << 52) - 1) | 1 << 52;
    let e = (bits >> 52) as i32 - 1075;
    debug_assert!((-66..0).contains(&e));
    // A guess that may be one too low or too high: log10(2) is near 1233/4096.
    let mut exp = ((e + 52) * 1233) >> 12;
    loop {
        let scale = (PREC - 1 - exp).clamp(0, 18) as usize;
        // 53 + 60 bits.
        let x = u128::from(mant) * u128::from(POW10[scale]);
        let shift = -e as u32;
        let mut q = (x >> shift) as u64;
        let rest = x & ((1u128 << shift) - 1);
        let half = 1u128 << (shift - 1);
        if rest > half || (rest == half && q & 1 == 1) {
            q += 1;
        }
        if q >= POW10[PREC as usize] {
            if q == POW10[PREC as usize] && (x >> shift) as u64 == q - 1 {
                // The carry made one digit more: 99999999999999.7.
                return (POW10[PREC as usize - 1], exp + 1);
            }
            exp += 1;
        } else if q < POW10[PREC as usize - 1] {
            exp -= 1;
        } else {
            return (q, exp);
        }
    }
}

/// As [`digits_exact`] for any finite positive number, through the standard library's exact algorithm.
#[cold]
fn digits_any(a: f64) -> (u64, i32) {
    let mut buf = NumBuf::new();
    // d.ddddddddddddde-ddd is 20 bytes, so this cannot fail.
    let _ = write!(buf, "{a:.13e}");
    let mut digits = 0u64;
    let mut it = buf.iter();
    for &b in it.by_ref() {
        match b {
            b'.' => {}
            b'e' => break,
            d => digits = digits * 10 + u64::from(d - b'0'),
        }
    }
    let mut exp = 0i32;
    let mut neg = false;
    for &b in it {
        match b {
            b'-' => neg = true,
            d => exp = exp * 10 + i32::from(d - b'0'),
        }
    }
    (digits, if neg { -exp } else { exp })
}

/// Float to integer when it has exactly that value.
#[inline(always)]
pub fn float_to_int(f: f64) -> Option<i64> {
    let i = f as i64;
    // Saturation makes 2^63 come back as a float equal to it, hence the bound.
    if i as f64 == f && f < 9223372036854775808.0 {
        Some(i)
    } else {
        None
    }
}

/// The floor as integer, when it fits.
#[inline]
pub fn float_to_int_floor(f: f64) -> Option<i64> {
    float_to_int(f.floor())
}

/// The ceiling as integer, when it fits.
#[inline]
pub fn float_to_int_ceil(f: f64) -> Option<i64> {
    float_to_int(f.ceil())
}

/// Number of a number or of a numeric string.
///
/// # Safety
/// [GC-LIVE] a string is alive.
#[inline]
pub unsafe fn to_number(v: Value) -> Option<Value> {
    match v.tag {
        Tag::INT | Tag::FLOAT => Some(v),
        Tag::STRING => {
            // SAFETY: [GC-LIVE] the caller's promise.
            let s = unsafe { str_bytes(v.as_ptr()) };
            str_to_number(s)
        }
        _ => None,
    }
}

/// Value of the numeral `s` in the given base: spaces, sign and alphanumeric digits only; wraps around.
pub fn int_in_base(s: &[u8], base: u32) -> Option<i64> {
    let is_space = |b: &u8| matches!(b, b' ' | 0x09..=0x0d);
    let start = s.iter().position(|b| !is_space(b))?;
    let end = s.len() - s.iter().rev().position(|b| !is_space(b))?;
    let (neg, digits) = match &s[start..end] {
        [b'-', d @ ..] => (true, d),
        [b'+', d @ ..] => (false, d),
        d => (false, d),
    };
    if digits.is_empty() {
        return None;
    }
    let mut n = 0u64;
    for &b in digits {
        n = n
            .wrapping_mul(u64::from(base))
            .wrapping_add(u64::from((b as char).to_digit(base)?));
    }
    Some(if neg { n.wrapping_neg() } else { n } as i64)
}

/// Float of a number or of a numeric string.
///
/// # Safety
/// [GC-LIVE] a string is alive.
#[inline]
pub unsafe fn to_float(v: Value) -> Option<f64> {
    match v.tag {
        Tag::FLOAT => Some(v.as_float()),
        Tag::INT => Some(v.as_int() as f64),
        Tag::STRING => {
            // SAFETY: [GC-LIVE] the caller's promise.
            let n = unsafe { to_number(v) }?;
            Some(num_as_float(n))
        }
        _ => None,
    }
}

/// Float of a number.
#[inline(always)]
pub fn num_as_float(v: Value) -> f64 {
    if v.tag == Tag::INT {
        v.as_int() as f64
    } else {
        v.as_float()
    }
}

/// Integer of a number with exactly an integer value; strings are no numbers here (PUC's `tointegerns`).
#[inline]
pub fn tointeger_ns(v: Value) -> Option<i64> {
    match v.tag {
        Tag::INT => Some(v.as_int()),
        Tag::FLOAT => float_to_int(v.as_float()),
        _ => None,
    }
}

/// Integer of a number with exactly an integer value, or of a string that reads as one.
///
/// # Safety
/// [GC-LIVE] a string is alive.
#[inline]
pub unsafe fn tointeger(v: Value) -> Option<i64> {
    match v.tag {
        Tag::INT => Some(v.as_int()),
        Tag::FLOAT => float_to_int(v.as_float()),
        Tag::STRING => {
            // SAFETY: [GC-LIVE] the caller's promise.
            let n = unsafe { to_number(v) }?;
            tointeger_ns(n)
        }
        _ => None,
    }
}

/// What a numeric `for` does.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum ForPrep {
    /// The body does not run.
    Skip,
    /// Integers: the control variable goes from `init` to exactly `last` by `step`.
    Int {
        /// First value.
        init: i64,
        /// Last value that the body sees.
        last: i64,
        /// Step, not 0.
        step: i64,
    },
    /// Floats: goes on while `i <= limit` (`>=` for a negative step).
    Float {
        /// First value.
        init: f64,
        /// Limit.
        limit: f64,
        /// Step, not 0.
        step: f64,
    },
}

/// Why a numeric `for` is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ForError {
    /// "'for' initial value must be a number".
    Init,
    /// "'for' limit must be a number".
    Limit,
    /// "'for' step must be a number".
    Step,
    /// "'for' step is zero".
    ZeroStep,
}

/// Prepares a numeric `for` (FORPREP): integers if initial value and step are, the limit clipped.
///
/// # Safety
/// [GC-LIVE] strings among the operands are alive.
pub unsafe fn for_prep(init: Value, limit: Value, step: Value) -> Result<ForPrep, ForError> {
    if init.tag == Tag::INT && step.tag == Tag::INT {
        let (init, step) = (init.as_int(), step.as_int());
        if step == 0 {
            return Err(ForError::ZeroStep);
        }
        // SAFETY: [GC-LIVE] the caller's promise.
        let limit = match unsafe { for_limit(limit, step) }? {
            Some(l) => l,
            None => return Ok(ForPrep::Skip),
        };
        return Ok(match for_last(init, limit, step) {
            Some(last) => ForPrep::Int { init, last, step },
            None => ForPrep::Skip,
        });
    }
    // SAFETY: [GC-LIVE] the caller's promise, three times.
    let (limit, step, init) = unsafe {
        (
            to_float(limit).ok_or(ForError::Limit)?,
            to_float(step).ok_or(ForError::Step)?,
            to_float(init).ok_or(ForError::Init)?,
        )
    };
    if step == 0.0 {
        return Err(ForError::ZeroStep);
    }
    let skip = if step > 0.0 {
        limit < init
    } else {
        init < limit
    };
    Ok(if skip {
        ForPrep::Skip
    } else {
        ForPrep::Float { init, limit, step }
    })
}

/// Limit of an integer loop, clipped to the integers; `None` when no integer satisfies it.
///
/// # Safety
/// [GC-LIVE] a string is alive.
pub unsafe fn for_limit(limit: Value, step: i64) -> Result<Option<i64>, ForError> {
    // SAFETY: [GC-LIVE] the caller's promise.
    let n = unsafe { to_number(limit) }.ok_or(ForError::Limit)?;
    if n.tag == Tag::INT {
        return Ok(Some(n.as_int()));
    }
    let f = n.as_float();
    let i = if step < 0 {
        float_to_int_ceil(f)
    } else {
        float_to_int_floor(f)
    };
    Ok(match i {
        Some(i) => Some(i),
        None if f > 0.0 => (step > 0).then_some(i64::MAX),
        // Too low, or NaN, which PUC treats alike.
        None => (step < 0).then_some(i64::MIN),
    })
}

/// Last value of an integer loop, `None` when it does not run.
#[inline]
pub fn for_last(init: i64, limit: i64, step: i64) -> Option<i64> {
    if if step > 0 { init > limit } else { init < limit } {
        return None;
    }
    Some(if step == 1 || step == -1 {
        limit
    } else if step > 0 {
        let span = (limit as u64).wrapping_sub(init as u64);
        (init as u64).wrapping_add(span - span % step as u64) as i64
    } else {
        let span = (init as u64).wrapping_sub(limit as u64);
        (init as u64).wrapping_sub(span - span % step.unsigned_abs()) as i64
    })
}

#[cfg(test)]
mod tests;
