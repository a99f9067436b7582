//! The math library, with what LUA_COMPAT_5_3 adds. Semantics and messages are those of lmathlib.c (PUC 5.4.8).

use std::f64::consts::PI;

use traceorus_base::cmath;
use traceorus_base::objects::{Table, Userdata};
use traceorus_base::{Tag, Value};
use traceorus_vm::arith::num_lt;
use traceorus_vm::ctx::{Ctx, LResult};
use traceorus_vm::native;
use traceorus_vm::number::tointeger_ns;
use traceorus_vm::random::{self, Xoshiro};

/// Makes the library's table.
pub fn open(cx: Ctx<'_>) -> *mut Table {
    let lib = cx.new_table(0, 40);
    cx.push(Value::ptr(lib, Tag::TABLE));
    cx.set_funcs(
        lib,
        &[
            ("abs", native!(abs)),
            ("acos", native!(acos)),
            ("asin", native!(asin)),
            ("atan", native!(atan)),
            ("ceil", native!(ceil)),
            ("cos", native!(cos)),
            ("cosh", native!(cosh)),
            ("deg", native!(deg)),
            ("exp", native!(exp)),
            ("floor", native!(floor)),
            ("fmod", native!(fmod)),
            ("frexp", native!(frexp)),
            ("ldexp", native!(ldexp)),
            ("log", native!(log)),
            ("log10", native!(log10)),
            ("max", native!(max)),
            ("min", native!(min)),
            ("modf", native!(modf)),
            ("pow", native!(pow)),
            ("rad", native!(rad)),
            ("sin", native!(sin)),
            ("sinh", native!(sinh)),
            ("sqrt", native!(sqrt)),
            ("tan", native!(tan)),
            ("tanh", native!(tanh)),
            ("tointeger", native!(tointeger)),
            ("type", native!(type_)),
            ("ult", native!(ult)),
        ],
    );
    // One function under two names.
    cx.raw_set_field(lib, "atan2", cx.raw_get_field(lib, "atan"));
    for (name, v) in [
        ("pi", Value::float(PI)),
        ("huge", Value::float(f64::INFINITY)),
        ("maxinteger", Value::int(i64::MAX)),
        ("mininteger", Value::int(i64::MIN)),
    ] {
        cx.raw_set_field(lib, name, v);
    }
    let (state, block) = cx.new_userdata(size_of::<Xoshiro>(), 0);
    cx.push(state);
    let (n1, n2) = fresh_seed(cx);
    // SAFETY: [GC-LIVE] the block is fresh, aligned to 16 and large enough.
    unsafe { block.cast::<Xoshiro>().write(Xoshiro::seeded(n1, n2)) };
    for (name, f) in [
        ("random", native!(random)),
        ("randomseed", native!(randomseed)),
    ] {
        cx.raw_set_field(lib, name, cx.new_native(name, f, &[state]));
    }
    cx.pop();
    cx.pop();
    lib
}

// ---- float functions -----------------------------------------------------------------------------------------------

/// As `Ctx::check_num`, with the common cases in line.
#[inline(always)]
fn num(cx: Ctx, i: usize) -> LResult<f64> {
    let v = cx.arg(i);
    match v.tag {
        Tag::FLOAT => Ok(v.as_float()),
        Tag::INT => Ok(v.as_int() as f64),
        _ => cx.check_num(i),
    }
}

macro_rules! float_functions {
    ($($name:ident = $f:expr;)*) => {$(
        fn $name(cx: Ctx) -> LResult<usize> {
            let f: fn(f64) -> f64 = $f;
            let x = num(cx, 1)?;
            cx.ret(Value::float(f(x)))
        }
    )*};
}

float_functions! {
    acos = cmath::acos;
    asin = cmath::asin;
    cos = cmath::cos;
    cosh = cmath::cosh;
    deg = |x| x * (180.0 / PI);
    exp = cmath::exp;
    log10 = cmath::log10;
    rad = |x| x * (PI / 180.0);
    sin = cmath::sin;
    sinh = cmath::sinh;
    sqrt = f64::sqrt;
    tan = cmath::tan;
    tanh = cmath::tanh;
}

fn atan(cx: Ctx) -> LResult<usize> {
    let y = num(cx, 1)?;
    let x = cx.opt_num(2, 1.0)?;
    cx.ret(Value::float(cmath::atan2(y, x)))
}

fn pow(cx: Ctx) -> LResult<usize> {
    let (x, y) = (num(cx, 1)?, num(cx, 2)?);
    cx.ret(Value::float(cmath::pow(x, y)))
}

fn log(cx: Ctx) -> LResult<usize> {
    let x = num(cx, 1)?;
    let r = if cx.is_none_or_nil(2) {
        cmath::log(x)
    } else {
        match num(cx, 2)? {
            2.0 => cmath::log2(x),
            10.0 => cmath::log10(x),
            base => cmath::log(x) / cmath::log(base),
        }
    };
    cx.ret(Value::float(r))
}

fn ldexp(cx: Ctx) -> LResult<usize> {
    let (x, e) = (num(cx, 1)?, cx.check_int(2)?);
    cx.ret(Value::float(cmath::ldexp(x, e as libc::c_int)))
}

fn frexp(cx: Ctx) -> LResult<usize> {
    let (m, e) = split(num(cx, 1)?);
    cx.ret_all(&[Value::float(m), Value::int(e)])
}

/// Fraction in [0.5, 1) and exponent.
fn split(x: f64) -> (f64, i64) {
    if x == 0.0 || !x.is_finite() {
        return (x, 0);
    }
    let tiny = x.abs() < f64::MIN_POSITIVE;
    let bits = if tiny { x * 2f64.powi(54) } else { x }.to_bits();
    let e = (bits >> 52 & 0x7ff) as i64 - 1022 - if tiny { 54 } else { 0 };
    (f64::from_bits(bits & !(0x7ff << 52) | 1022 << 52), e)
}

// ---- integers and rounding -----------------------------------------------------------------------------------------

/// True for floats that an `i64` can hold after truncation.
#[inline(always)]
fn in_range(x: f64) -> bool {
    (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&x)
}

#[inline(always)]
fn floor_value(x: f64) -> Value {
    if in_range(x) {
        let i = x as i64;
        Value::int(if i as f64 > x { i - 1 } else { i })
    } else {
        Value::float(x)
    }
}

#[inline(always)]
fn ceil_value(x: f64) -> Value {
    if in_range(x) {
        let i = x as i64;
        // No overflow: beyond 2^53 every float is its own ceiling.
        Value::int(if (i as f64) < x { i + 1 } else { i })
    } else {
        Value::float(x)
    }
}

fn floor(cx: Ctx) -> LResult<usize> {
    let v = cx.arg(1);
    if v.tag == Tag::INT {
        return cx.ret(v);
    }
    let x = num(cx, 1)?;
    cx.ret(floor_value(x))
}

fn ceil(cx: Ctx) -> LResult<usize> {
    let v = cx.arg(1);
    if v.tag == Tag::INT {
        return cx.ret(v);
    }
    let x = num(cx, 1)?;
    cx.ret(ceil_value(x))
}

fn abs(cx: Ctx) -> LResult<usize> {
    let v = cx.arg(1);
    if v.tag == Tag::INT {
        return cx.ret(Value::int(v.as_int().wrapping_abs()));
    }
    let x = num(cx, 1)?;
    cx.ret(Value::float(x.abs()))
}

fn fmod(cx: Ctx) -> LResult<usize> {
    let (a, b) = (cx.arg(1), cx.arg(2));
    if a.tag == Tag::INT && b.tag == Tag::INT {
        if b.as_int() == 0 {
            return Err(cx.arg_error(2, "zero"));
        }
        return cx.ret(Value::int(a.as_int().wrapping_rem(b.as_int())));
    }
    let y = num(cx, 2)?; // first, as in PUC's compiled code
    let x = num(cx, 1)?;
    cx.ret(Value::float(x % y))
}

fn modf(cx: Ctx) -> LResult<usize> {
    let v = cx.arg(1);
    if v.tag == Tag::INT {
        return cx.ret_all(&[v, Value::float(0.0)]);
    }
    let x = num(cx, 1)?;
    let whole = x.trunc();
    let fraction = if x == whole { 0.0 } else { x - whole };
    // `trunc` keeps the sign of zero, which only matters beyond the integers.
    cx.ret_all(&[
        if x < 0.0 {
            ceil_value(x)
        } else {
            floor_value(x)
        },
        Value::float(fraction),
    ])
}

fn tointeger(cx: Ctx) -> LResult<usize> {
    let v = cx.check_any(1)?;
    let n = cx.to_number(v).and_then(tointeger_ns);
    cx.ret(n.map_or(Value::NIL, Value::int))
}

fn ult(cx: Ctx) -> LResult<usize> {
    let (a, b) = (cx.check_int(1)?, cx.check_int(2)?);
    cx.ret(Value::bool((a as u64) < b as u64))
}

fn type_(cx: Ctx) -> LResult<usize> {
    let v = cx.check_any(1)?;
    cx.ret(match v.tag {
        Tag::INT => cx.str("integer"),
        Tag::FLOAT => cx.str("float"),
        _ => Value::NIL,
    })
}

#[inline(always)]
fn less(cx: Ctx, a: Value, b: Value) -> LResult<bool> {
    if a.tag == Tag::INT && b.tag == Tag::INT {
        return Ok(a.as_int() < b.as_int());
    }
    if a.tag == Tag::FLOAT && b.tag == Tag::FLOAT {
        return Ok(a.as_float() < b.as_float());
    }
    match num_lt(a, b) {
        Some(r) => Ok(r),
        None => cx.less_than(a, b),
    }
}

/// The argument that no other one replaces; `replaces(best, other)`.
#[inline(always)]
fn choose(cx: Ctx, replaces: impl Fn(Value, Value) -> LResult<bool>) -> LResult<usize> {
    if cx.is_none(1) {
        return Err(cx.arg_error(1, "value expected"));
    }
    let mut best = cx.arg(1);
    for i in 2..=cx.top() {
        let v = cx.arg(i);
        if replaces(best, v)? {
            best = v;
        }
    }
    cx.ret(best)
}

fn max(cx: Ctx) -> LResult<usize> {
    choose(cx, |best, v| less(cx, best, v))
}

fn min(cx: Ctx) -> LResult<usize> {
    choose(cx, |best, v| less(cx, v, best))
}

// ---- random numbers ------------------------------------------------------------------------------------------------

/// Generator of the state: the userdata that is the running function's upvalue.
fn generator<'c>(cx: Ctx<'c>) -> LResult<&'c mut Xoshiro> {
    let v = cx.upvalue(1);
    // SAFETY: [GC-LIVE] the closure keeps the userdata; the debug library could have put another there, hence the
    // look at its size. Nothing else refers to the block while a function uses it.
    unsafe {
        if v.tag == Tag::USERDATA {
            let u = v.as_ptr::<Userdata>();
            if (*u).size as usize == size_of::<Xoshiro>() && (*u).hdr.extra == 0 {
                return Ok(&mut *u.byte_add(Userdata::block_offset(0)).cast::<Xoshiro>());
            }
        }
    }
    Err(cx.error("invalid state of the random generator"))
}

fn random(cx: Ctx) -> LResult<usize> {
    let g = generator(cx)?;
    let r = g.next();
    let (low, up) = match cx.top() {
        0 => return cx.ret(Value::float(random::to_float(r))),
        1 => {
            let up = cx.check_int(1)?;
            if up == 0 {
                return cx.ret(Value::int(r as i64));
            }
            (1, up)
        }
        2 => (cx.check_int(1)?, cx.check_int(2)?),
        _ => return Err(cx.error("wrong number of arguments")),
    };
    if low > up {
        return Err(cx.arg_error(1, "interval is empty"));
    }
    let n = g.project(r, (up as u64).wrapping_sub(low as u64));
    cx.ret(Value::int(n.wrapping_add(low as u64) as i64))
}

fn randomseed(cx: Ctx) -> LResult<usize> {
    let (n1, n2) = if cx.is_none(1) {
        fresh_seed(cx)
    } else {
        (cx.check_int(1)? as u64, cx.opt_int(2, 0)? as u64)
    };
    *generator(cx)? = Xoshiro::seeded(n1, n2);
    cx.ret_all(&[Value::int(n1 as i64), Value::int(n2 as i64)])
}

/// Time and an address.
fn fresh_seed(cx: Ctx) -> (u64, u64) {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    (now.map_or(0, |d| d.as_nanos() as u64), cx.l as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding() {
        let int = |v: Value| (v.tag == Tag::INT).then(|| v.as_int());
        for (x, f, c) in [
            (1.5, 1, 2),
            (-1.5, -2, -1),
            (0.0, 0, 0),
            (-0.0, 0, 0),
            (-0.25, -1, 0),
            (1e15 + 0.5, 1_000_000_000_000_000, 1_000_000_000_000_001),
        ] {
            assert_eq!(
                (int(floor_value(x)), int(ceil_value(x))),
                (Some(f), Some(c)),
                "{x}"
            );
        }
        assert_eq!(int(floor_value(i64::MIN as f64)), Some(i64::MIN));
        assert_eq!(int(floor_value(9.3e18)), None);
        assert_eq!(int(ceil_value(f64::NAN)), None);
        assert_eq!(int(floor_value(f64::NEG_INFINITY)), None);
    }

    #[test]
    fn fractions() {
        assert_eq!(split(8.0), (0.5, 4));
        assert_eq!(split(-3.0), (-0.75, 2));
        assert_eq!(split(0.0), (0.0, 0));
        assert_eq!(split(5e-324), (0.5, -1073));
        assert_eq!(split(f64::INFINITY), (f64::INFINITY, 0));
    }
}
