//! Raw arithmetic, bit operations and comparisons, exactly as the manual says: integers wrap around, `//` and
//! `%` round towards minus infinity, mixed comparisons do not round.

use core::cmp::Ordering;

use traceorus_base::cmath;
use traceorus_base::meta::MetaMethod;
use traceorus_base::objects::Str;
use traceorus_base::value::{Tag, Value};

use crate::number::{
    float_to_int, float_to_int_ceil, float_to_int_floor, num_as_float, to_number, tointeger_ns,
};
use crate::string::{str_bytes, str_eq};

/// Operation (ORDER ArithOp: as `LUA_OPADD` ... of the C API, and as the events from `Add` on).
#[repr(u8)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ArithOp {
    /// `+`.
    Add,
    /// `-`.
    Sub,
    /// `*`.
    Mul,
    /// `%`.
    Mod,
    /// `^`.
    Pow,
    /// `/`.
    Div,
    /// `//`.
    IDiv,
    /// `&`.
    BAnd,
    /// `|`.
    BOr,
    /// `~`.
    BXor,
    /// `<<`.
    Shl,
    /// `>>`.
    Shr,
    /// Unary minus; the second operand is not looked at.
    Unm,
    /// Unary `~`; the second operand is not looked at.
    BNot,
}

impl ArithOp {
    /// Every operation in numeric order.
    pub const ALL: [ArithOp; 14] = [
        ArithOp::Add,
        ArithOp::Sub,
        ArithOp::Mul,
        ArithOp::Mod,
        ArithOp::Pow,
        ArithOp::Div,
        ArithOp::IDiv,
        ArithOp::BAnd,
        ArithOp::BOr,
        ArithOp::BXor,
        ArithOp::Shl,
        ArithOp::Shr,
        ArithOp::Unm,
        ArithOp::BNot,
    ];
    /// The operation's event.
    #[inline]
    pub fn event(self) -> MetaMethod {
        MetaMethod::ALL[MetaMethod::Add as usize + self as usize]
    }
    /// True for the operations on bits.
    #[inline]
    pub fn is_bitwise(self) -> bool {
        matches!(
            self,
            ArithOp::BAnd
                | ArithOp::BOr
                | ArithOp::BXor
                | ArithOp::Shl
                | ArithOp::Shr
                | ArithOp::BNot
        )
    }
    /// True for the operations with one operand.
    #[inline]
    pub fn is_unary(self) -> bool {
        matches!(self, ArithOp::Unm | ArithOp::BNot)
    }
}

/// Why an operation has no raw result. The operand numbers (0, 1) name the culprit as PUC's messages do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ArithError {
    /// Not a number: "attempt to perform arithmetic on" or "perform bitwise operation on".
    NotNumber(u8),
    /// "number has no integer representation".
    NoInt(u8),
    /// "attempt to perform 'n//0'", which 5.4 words "attempt to divide by zero".
    DivZero,
    /// "attempt to perform 'n%%0'".
    ModZero,
}

/// Arithmetic on numbers and, except for bit operations, on strings that read as numbers.
///
/// # Safety
/// [GC-LIVE] strings among the operands are alive.
#[inline]
pub unsafe fn arith(op: ArithOp, a: Value, b: Value) -> Result<Value, ArithError> {
    let r = arith_raw(op, a, b);
    if matches!(r, Err(ArithError::NotNumber(_)))
        && !op.is_bitwise()
        && (a.tag == Tag::STRING || (!op.is_unary() && b.tag == Tag::STRING))
    {
        // SAFETY: [GC-LIVE] the caller's promise.
        unsafe {
            let x = to_number(a).ok_or(ArithError::NotNumber(0))?;
            let y = if op.is_unary() {
                x
            } else {
                to_number(b).ok_or(ArithError::NotNumber(1))?
            };
            return arith_raw(op, x, y);
        }
    }
    r
}

/// Arithmetic on numbers (PUC's `luaO_rawarith`).
#[inline]
pub fn arith_raw(op: ArithOp, a: Value, b: Value) -> Result<Value, ArithError> {
    let b = if op.is_unary() { a } else { b };
    if op.is_bitwise() {
        return bitwise(op, a, b);
    }
    if a.tag == Tag::INT && b.tag == Tag::INT {
        let (x, y) = (a.as_int(), b.as_int());
        return Ok(match op {
            ArithOp::Add => Value::int(x.wrapping_add(y)),
            ArithOp::Sub => Value::int(x.wrapping_sub(y)),
            ArithOp::Mul => Value::int(x.wrapping_mul(y)),
            ArithOp::Mod => Value::int(int_mod(x, y).ok_or(ArithError::ModZero)?),
            ArithOp::IDiv => Value::int(int_floor_div(x, y).ok_or(ArithError::DivZero)?),
            ArithOp::Unm => Value::int(x.wrapping_neg()),
            ArithOp::Div => Value::float(x as f64 / y as f64),
            _ => Value::float(float_pow(x as f64, y as f64)),
        });
    }
    let plain = |v: Value| v.tag == Tag::INT || v.tag == Tag::FLOAT;
    if !plain(a) {
        return Err(ArithError::NotNumber(0));
    }
    if !plain(b) {
        return Err(ArithError::NotNumber(1));
    }
    let (x, y) = (num_as_float(a), num_as_float(b));
    Ok(Value::float(match op {
        ArithOp::Add => x + y,
        ArithOp::Sub => x - y,
        ArithOp::Mul => x * y,
        ArithOp::Mod => float_mod(x, y),
        ArithOp::Pow => float_pow(x, y),
        ArithOp::Div => x / y,
        ArithOp::IDiv => (x / y).floor(),
        _ => -x,
    }))
}

#[inline]
fn bitwise(op: ArithOp, a: Value, b: Value) -> Result<Value, ArithError> {
    let (x, y) = match (tointeger_ns(a), tointeger_ns(b)) {
        (Some(x), Some(y)) => (x, y),
        (x, _) => {
            // A wrong type goes before a float that does not fit.
            return Err(if !a.tag.is_number() {
                ArithError::NotNumber(0)
            } else if !b.tag.is_number() {
                ArithError::NotNumber(1)
            } else {
                ArithError::NoInt(u8::from(x.is_some()))
            });
        }
    };
    Ok(Value::int(match op {
        ArithOp::BAnd => x & y,
        ArithOp::BOr => x | y,
        ArithOp::BXor => x ^ y,
        ArithOp::Shl => shift_left(x, y),
        ArithOp::Shr => shift_left(x, y.wrapping_neg()),
        _ => !x,
    }))
}

/// `x << y`, logical; negative counts shift right, counts of 64 and more give 0.
#[inline(always)]
pub fn shift_left(x: i64, y: i64) -> i64 {
    if y <= -64 || y >= 64 {
        0
    } else if y >= 0 {
        ((x as u64) << y) as i64
    } else {
        ((x as u64) >> -y) as i64
    }
}

/// `x // y` on integers, `None` for `y == 0`.
#[inline(always)]
pub fn int_floor_div(x: i64, y: i64) -> Option<i64> {
    if y == 0 {
        return None;
    }
    let q = x.wrapping_div(y);
    Some(if (x ^ y) < 0 && q.wrapping_mul(y) != x {
        q - 1
    } else {
        q
    })
}

/// `x % y` on integers, `None` for `y == 0`.
#[inline(always)]
pub fn int_mod(x: i64, y: i64) -> Option<i64> {
    if y == 0 {
        return None;
    }
    let r = x.wrapping_rem(y);
    Some(if r != 0 && (r ^ y) < 0 { r + y } else { r })
}

/// `x % y` on floats: C's `fmod`, moved to the sign of `y`.
#[inline]
pub fn float_mod(x: f64, y: f64) -> f64 {
    // Operands with small integer values take the integer path, which is much faster than `fmod`.
    let (xi, yi) = (x as i64, y as i64);
    if xi as f64 == x && yi as f64 == y && xi > 0 && yi > 0 && xi < 1 << 53 && yi < 1 << 53 {
        return (xi % yi) as f64;
    }
    let r = x % y;
    if if r > 0.0 { y < 0.0 } else { r < 0.0 && y > 0.0 } {
        r + y
    } else {
        r
    }
}

/// `x ^ y`.
#[inline]
pub fn float_pow(x: f64, y: f64) -> f64 {
    if y == 2.0 { x * x } else { cmath::pow(x, y) }
}

/// [`float_pow`] for emitted code.
pub extern "C" fn pow_step(x: f64, y: f64) -> f64 {
    float_pow(x, y)
}

/// `x < y` for an integer and a float, without rounding.
#[inline]
fn lt_int_float(i: i64, f: f64) -> bool {
    if fits_float(i) {
        return (i as f64) < f;
    }
    match float_to_int_ceil(f) {
        Some(fi) => i < fi,
        None => f > 0.0,
    }
}

#[inline]
fn le_int_float(i: i64, f: f64) -> bool {
    if fits_float(i) {
        return i as f64 <= f;
    }
    match float_to_int_floor(f) {
        Some(fi) => i <= fi,
        None => f > 0.0,
    }
}

#[inline]
fn lt_float_int(f: f64, i: i64) -> bool {
    if fits_float(i) {
        return f < i as f64;
    }
    match float_to_int_floor(f) {
        Some(fi) => fi < i,
        None => f < 0.0,
    }
}

#[inline]
fn le_float_int(f: f64, i: i64) -> bool {
    if fits_float(i) {
        return f <= i as f64;
    }
    match float_to_int_ceil(f) {
        Some(fi) => fi <= i,
        None => f < 0.0,
    }
}

/// True when the conversion to float is exact for sure.
#[inline(always)]
fn fits_float(i: i64) -> bool {
    (i as u64).wrapping_add(1 << 53) <= 1 << 54
}

/// `a < b` for two numbers; `None` when one is not a number.
#[inline]
pub fn num_lt(a: Value, b: Value) -> Option<bool> {
    Some(match (a.tag, b.tag) {
        (Tag::INT, Tag::INT) => a.as_int() < b.as_int(),
        (Tag::FLOAT, Tag::FLOAT) => a.as_float() < b.as_float(),
        (Tag::INT, Tag::FLOAT) => lt_int_float(a.as_int(), b.as_float()),
        (Tag::FLOAT, Tag::INT) => lt_float_int(a.as_float(), b.as_int()),
        _ => return None,
    })
}

/// `a <= b` for two numbers; `None` when one is not a number.
#[inline]
pub fn num_le(a: Value, b: Value) -> Option<bool> {
    Some(match (a.tag, b.tag) {
        (Tag::INT, Tag::INT) => a.as_int() <= b.as_int(),
        (Tag::FLOAT, Tag::FLOAT) => a.as_float() <= b.as_float(),
        (Tag::INT, Tag::FLOAT) => le_int_float(a.as_int(), b.as_float()),
        (Tag::FLOAT, Tag::INT) => le_float_int(a.as_float(), b.as_int()),
        _ => return None,
    })
}

/// `a == b` for two numbers of any of the two types; false when one is not a number.
#[inline]
pub fn num_eq(a: Value, b: Value) -> bool {
    match (a.tag, b.tag) {
        (Tag::INT, Tag::INT) => a.payload == b.payload,
        (Tag::FLOAT, Tag::FLOAT) => a.as_float() == b.as_float(),
        (Tag::INT, Tag::FLOAT) => float_to_int(b.as_float()) == Some(a.as_int()),
        (Tag::FLOAT, Tag::INT) => float_to_int(a.as_float()) == Some(b.as_int()),
        _ => false,
    }
}

/// Order of two strings: by bytes, embedded NULs included (PUC under the C locale).
///
/// # Safety
/// [GC-LIVE] both strings are alive.
#[inline]
pub unsafe fn str_cmp(a: *mut Str, b: *mut Str) -> Ordering {
    // SAFETY: [GC-LIVE] the caller's promise.
    let (x, y) = unsafe { (str_bytes(a), str_bytes(b)) };
    match (x.first(), y.first()) {
        // spares most comparisons of a sort the call
        (Some(p), Some(q)) if p != q => p.cmp(q),
        _ => x.cmp(y),
    }
}

/// Raw `a < b` for two numbers or two strings; `None` for anything else.
///
/// # Safety
/// [GC-LIVE] strings among the operands are alive.
#[inline]
pub unsafe fn lt(a: Value, b: Value) -> Option<bool> {
    if a.tag == Tag::STRING && b.tag == Tag::STRING {
        // SAFETY: [GC-LIVE] the caller's promise.
        return Some(unsafe { str_cmp(a.as_ptr(), b.as_ptr()) } == Ordering::Less);
    }
    num_lt(a, b)
}

/// Raw `a <= b` for two numbers or two strings; `None` for anything else.
///
/// # Safety
/// [GC-LIVE] strings among the operands are alive.
#[inline]
pub unsafe fn le(a: Value, b: Value) -> Option<bool> {
    if a.tag == Tag::STRING && b.tag == Tag::STRING {
        // SAFETY: [GC-LIVE] the caller's promise.
        return Some(unsafe { str_cmp(a.as_ptr(), b.as_ptr()) } != Ordering::Greater);
    }
    num_le(a, b)
}

/// Primitive equality (`rawequal`).
///
/// # Safety
/// [GC-LIVE] strings among the operands are alive.
#[inline]
pub unsafe fn raw_equal(a: Value, b: Value) -> bool {
    if a.tag != b.tag {
        return num_eq(a, b);
    }
    match a.tag {
        Tag::FLOAT => a.as_float() == b.as_float(),
        Tag::NIL | Tag::TRUE | Tag::FALSE => true,
        Tag::STRING => {
            a.payload == b.payload || {
                // SAFETY: [GC-LIVE] the caller's promise.
                unsafe { str_eq(a.as_ptr(), b.as_ptr()) }
            }
        }
        _ => a.payload == b.payload,
    }
}

#[cfg(test)]
mod tests;
