//! Functions of `math`.

use traceorus_base::cmath;
use traceorus_base::objects::Userdata;
use traceorus_vm::arith;
use traceorus_vm::random::{self, Xoshiro};

pub(super) unsafe extern "C" fn fmod(a: f64, b: f64) -> f64 {
    arith::float_mod(a, b)
}
pub(super) unsafe extern "C" fn pow(a: f64, b: f64) -> f64 {
    arith::float_pow(a, b)
}
pub(super) unsafe extern "C" fn rem(a: i64, b: i64) -> i64 {
    a.wrapping_rem(b)
}
pub(super) unsafe extern "C" fn cfmod(a: f64, b: f64) -> f64 {
    a % b
}
pub(super) unsafe extern "C" fn math_pow(a: f64, b: f64) -> f64 {
    cmath::pow(a, b)
}
pub(super) unsafe extern "C" fn atan2(y: f64, x: f64) -> f64 {
    cmath::atan2(y, x)
}

macro_rules! float_functions {
    ($($name:ident)*) => { $(
        pub(super) unsafe extern "C" fn $name(x: f64) -> f64 {
            cmath::$name(x)
        }
    )* };
}
float_functions! { acos asin cos cosh exp log log2 log10 sin sinh tan tanh }

/// The library's `log` with a base.
pub(super) unsafe extern "C" fn log_base(x: f64, base: f64) -> f64 {
    match base {
        2.0 => cmath::log2(x),
        10.0 => cmath::log10(x),
        _ => cmath::log(x) / cmath::log(base),
    }
}

unsafe fn generator<'a>(u: *mut Userdata) -> &'a mut Xoshiro {
    // SAFETY: [GC-LIVE] the trace's constant, of which the recorder has seen that it is a generator's userdata; sizes of userdata do
    // not change, and nothing else refers to the block while a function uses it.
    unsafe { &mut *u.byte_add(Userdata::block_offset(0)).cast::<Xoshiro>() }
}
pub(super) unsafe extern "C" fn random_float(u: *mut Userdata) -> f64 {
    // SAFETY: as `generator`.
    random::to_float(unsafe { generator(u) }.next())
}
pub(super) unsafe extern "C" fn random_bits(u: *mut Userdata) -> i64 {
    // SAFETY: as `generator`.
    unsafe { generator(u) }.next() as i64
}
pub(super) unsafe extern "C" fn random_int(u: *mut Userdata, low: i64, up: i64) -> i64 {
    // SAFETY: as `generator`.
    let g = unsafe { generator(u) };
    let r = g.next();
    let n = g.project(r, (up as u64).wrapping_sub(low as u64));
    n.wrapping_add(low as u64) as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logarithms_are_those_of_the_library() {
        // SAFETY: numbers only.
        unsafe {
            assert_eq!(log_base(8.0, 2.0), 3.0);
            assert_eq!(log_base(1000.0, 10.0), 3.0);
            assert_eq!(log_base(81.0, 3.0), 81f64.ln() / 3f64.ln());
            assert_eq!(rem(i64::MIN, -1), 0);
            assert_eq!(rem(-7, 3), -1);
        }
    }
}
