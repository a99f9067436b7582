//! How the methods of a type get at the value.

use traceorus_base::Value as Raw;
use traceorus_vm::ctx::Ctx;

use super::cell::{self, Access};
use super::type_name;
use crate::{Error, Result};

/// Finds the `T` in the first argument of a method.
pub trait Receiver<T> {
    fn with<R>(cx: Ctx, v: Raw, f: impl FnOnce(&T) -> Result<R>) -> Result<R>;
    fn with_mut<R>(cx: Ctx, v: Raw, f: impl FnOnce(&mut T) -> Result<R>) -> Result<R>;
}

/// The value is in the userdata, which says its type.
pub struct Typed;

/// What the methods of a scope's userdata were made for: that userdata, their second upvalue. Its type cannot be
/// asked for, since it may be of a type with a lifetime.
fn scoped<C>(cx: Ctx, v: Raw) -> Result<Access<C>> {
    if v.same(cx.upvalue(2)) {
        // SAFETY: [CELL] whoever has made the method knows the type.
        Ok(unsafe { cell::known(v) })
    } else {
        Err(wrong(cx, v, "userdata of this scope"))
    }
}

/// The value is in the one userdata that the method is for.
pub(crate) struct ScopedOwned;
/// A reference is in it.
pub(crate) struct ScopedRef;
/// A mutable reference is in it.
pub(crate) struct ScopedMut;

/// The error for a first argument of another type.
#[cold]
fn wrong(cx: Ctx, v: Raw, expected: &'static str) -> Error {
    let got = traceorus_vm::debuginfo::type_name_of(cx.g(), v, true);
    Error::conversion(expected, &got).at_argument(1)
}

impl<T: 'static> Receiver<T> for Typed {
    #[inline]
    fn with<R>(cx: Ctx, v: Raw, f: impl FnOnce(&T) -> Result<R>) -> Result<R> {
        match cell::of_type::<T>(v) {
            Some(c) => f(c.borrow()?.get()),
            None => Err(wrong(cx, v, type_name::<T>())),
        }
    }
    #[inline]
    fn with_mut<R>(cx: Ctx, v: Raw, f: impl FnOnce(&mut T) -> Result<R>) -> Result<R> {
        match cell::of_type::<T>(v) {
            Some(c) => f(c.borrow_mut()?.get_mut()),
            None => Err(wrong(cx, v, type_name::<T>())),
        }
    }
}

impl<T> Receiver<T> for ScopedOwned {
    fn with<R>(cx: Ctx, v: Raw, f: impl FnOnce(&T) -> Result<R>) -> Result<R> {
        f(scoped::<T>(cx, v)?.borrow()?.get())
    }
    fn with_mut<R>(cx: Ctx, v: Raw, f: impl FnOnce(&mut T) -> Result<R>) -> Result<R> {
        f(scoped::<T>(cx, v)?.borrow_mut()?.get_mut())
    }
}

impl<T> Receiver<T> for ScopedRef {
    fn with<R>(cx: Ctx, v: Raw, f: impl FnOnce(&T) -> Result<R>) -> Result<R> {
        f(scoped::<&T>(cx, v)?.borrow()?.get())
    }
    fn with_mut<R>(_: Ctx, _: Raw, _: impl FnOnce(&mut T) -> Result<R>) -> Result<R> {
        Err(Error::new(
            crate::ErrorKind::Borrow,
            "the Rust value is borrowed by its scope",
        ))
    }
}

impl<T> Receiver<T> for ScopedMut {
    fn with<R>(cx: Ctx, v: Raw, f: impl FnOnce(&T) -> Result<R>) -> Result<R> {
        f(scoped::<&mut T>(cx, v)?.borrow()?.get())
    }
    fn with_mut<R>(cx: Ctx, v: Raw, f: impl FnOnce(&mut T) -> Result<R>) -> Result<R> {
        f(scoped::<&mut T>(cx, v)?.borrow_mut()?.get_mut())
    }
}
