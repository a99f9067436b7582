//! Functions of the C library's mathematical part. The shared library that has them is loaded when one is first called: most programs
//! call none, and its tables and the choice among variants of its functions at start-up keep 300 KiB resident.

/// `x * 2^e`, rounded once.
pub use libm::ldexp;

/// Where the library is part of what is always there, or has another name.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
macro_rules! functions {
    ($($name:ident($x:ident $(, $y:ident)?) = $f:path;)*) => { $(
        #[doc = concat!("C's `", stringify!($name), "`.")]
        #[inline]
        pub fn $name($x: f64 $(, $y: f64)?) -> f64 {
            $f($x $(, $y)?)
        }
    )* };
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
macro_rules! functions {
    ($($name:ident($x:ident $(, $y:ident)?) = $f:path;)*) => { $(
        #[doc = concat!("C's `", stringify!($name), "`.")]
        #[inline]
        pub fn $name($x: f64 $(, $y: f64)?) -> f64 {
            static FOUND: lazy::Function = lazy::Function::new();
            type F = unsafe extern "C" fn(f64 $(, replace!($y f64))?) -> f64;
            match FOUND.get(concat!(stringify!($name), "\0")) {
                // SAFETY: the C function of this name has this type.
                Some(f) => unsafe { std::mem::transmute::<std::ptr::NonNull<std::ffi::c_void>, F>(f)($x $(, $y)?) },
                None => libm::$name($x $(, $y)?),
            }
        }
    )* };
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
macro_rules! replace {
    ($x:ident $t:ty) => {
        $t
    };
}

functions! {
    acos(x) = f64::acos;
    asin(x) = f64::asin;
    atan2(y, x) = f64::atan2;
    cos(x) = f64::cos;
    cosh(x) = f64::cosh;
    exp(x) = f64::exp;
    log(x) = f64::ln;
    log2(x) = f64::log2;
    log10(x) = f64::log10;
    pow(x, y) = f64::powf;
    sin(x) = f64::sin;
    sinh(x) = f64::sinh;
    tan(x) = f64::tan;
    tanh(x) = f64::tanh;
}

/// Makes the library's functions visible to C modules that are loaded from now on. Some are not linked with it, as the program that they are made
/// for is.
pub fn show_to_modules() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    lazy::library(libc::RTLD_GLOBAL);
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod lazy {
    use std::ffi::{CStr, c_void};
    use std::ptr::{NonNull, null_mut};
    use std::sync::atomic::{AtomicPtr, Ordering};

    /// The library's handle; it is never unloaded. `scope`: whether its symbols are to be seen by others.
    pub(super) fn library(scope: i32) -> Option<NonNull<c_void>> {
        // SAFETY: a C string; the library's constructors are the system's.
        NonNull::new(unsafe { libc::dlopen(c"libm.so.6".as_ptr(), libc::RTLD_NOW | scope) })
    }

    /// The address of a function, once it is known.
    pub(super) struct Function(AtomicPtr<c_void>);

    impl Function {
        pub(super) const fn new() -> Function {
            Function(AtomicPtr::new(null_mut()))
        }

        /// `name` ends in a zero byte. None if the library can't be loaded now (say, because no file can be opened); asked again the next time.
        #[inline]
        pub(super) fn get(&self, name: &str) -> Option<NonNull<c_void>> {
            NonNull::new(self.0.load(Ordering::Relaxed)).or_else(|| self.find(name))
        }

        #[cold]
        #[inline(never)]
        fn find(&self, name: &str) -> Option<NonNull<c_void>> {
            let name = CStr::from_bytes_with_nul(name.as_bytes()).ok()?;
            let library = library(libc::RTLD_LOCAL)?;
            // SAFETY: a handle and a C string. Threads that come here at once find the same address.
            let found = unsafe { libc::dlsym(library.as_ptr(), name.as_ptr()) };
            self.0.store(found, Ordering::Relaxed);
            NonNull::new(found)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same results as what Rust links; and nearly the same without the library.
    #[test]
    fn functions_are_those_of_the_c_library() {
        type Row = (fn(f64) -> f64, fn(f64) -> f64, fn(f64) -> f64);
        let rows: [Row; 12] = [
            (acos, f64::acos, libm::acos),
            (asin, f64::asin, libm::asin),
            (cos, f64::cos, libm::cos),
            (cosh, f64::cosh, libm::cosh),
            (exp, f64::exp, libm::exp),
            (log, f64::ln, libm::log),
            (log2, f64::log2, libm::log2),
            (log10, f64::log10, libm::log10),
            (sin, f64::sin, libm::sin),
            (sinh, f64::sinh, libm::sinh),
            (tan, f64::tan, libm::tan),
            (tanh, f64::tanh, libm::tanh),
        ];
        for (i, (f, expected, without)) in rows.into_iter().enumerate() {
            for x in [0.1, 0.5, 0.9, 1.0, -0.3, -0.0, 0.7] {
                let y = f(x);
                assert_eq!(y.to_bits(), expected(x).to_bits(), "{i} {x}");
                let near = (y - without(x)).abs() <= 4.0 * f64::EPSILON * y.abs();
                assert!(near || y.is_nan() || y == without(x), "{i} {x}");
            }
        }
        for (x, y) in [(2.0, 0.5), (1e10, -3.0), (-8.0, 3.0), (0.0, -1.0)] {
            assert_eq!(pow(x, y).to_bits(), f64::powf(x, y).to_bits());
            assert_eq!(atan2(x, y).to_bits(), f64::atan2(x, y).to_bits());
        }
    }
}
