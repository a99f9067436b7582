//! Conversions between Rust and Lua.
//!
//! Users implement [`FromLua::from_lua`] and [`IntoLua::into_lua`]. The hidden methods are for speed: they read and write slots of the
//! stack, without a handle in between.

mod collections;
mod multi;
mod scalars;

use std::marker::PhantomData;

use traceorus_base::Value as Raw;
use traceorus_vm::ctx::Ctx;

pub use multi::{FromLuaMulti, IntoLuaMulti, MultiValue, Variadic};
pub use scalars::Bytes;

use crate::{Error, Lua, Result, Value};

/// What can be made of a Lua value.
///
/// As in Lua's own libraries, numbers are taken for strings and strings that look like numbers for numbers; a float with an integral value is
/// taken for an integer. `bool` is the truth of any value, `Option` is nil or a value. Integers are checked for their range.
///
/// ```
/// use traceorus::{Error, FromLua, Lua, Result, Value};
///
/// struct Percent(u8);
///
/// impl FromLua for Percent {
///     fn from_lua(v: Value, lua: &Lua) -> Result<Percent> {
///         match u8::from_lua(v, lua)? {
///             n @ 0..=100 => Ok(Percent(n)),
///             n => Err(Error::unsuitable(format!("{n} is not a percentage"))),
///         }
///     }
/// }
///
/// let lua = Lua::new();
/// lua.register("set_volume", |_, p: Percent| Ok(p.0))?;
/// let e = lua.load("set_volume(101)").set_name("=test").exec().unwrap_err();
/// assert_eq!(e.message(), "test:1: bad argument #1 to 'set_volume' (101 is not a percentage)");
/// # Ok::<(), Error>(())
/// ```
pub trait FromLua: Sized {
    /// The conversion. The error is best made by [`Error::conversion`] or [`Error::unsuitable`].
    fn from_lua(value: Value, lua: &Lua) -> Result<Self>;
    #[doc(hidden)]
    fn from_lua_slot(slot: Slot<'_>, lua: &Lua) -> Result<Self> {
        Self::from_lua(lua.state.value_of(slot.cx, slot.raw), lua)
    }
}

/// What can become a Lua value.
///
/// ```
/// use traceorus::{IntoLua, Lua, Result, Value};
///
/// struct Point {
///     x: f64,
///     y: f64,
/// }
///
/// impl IntoLua for Point {
///     fn into_lua(self, lua: &Lua) -> Result<Value> {
///         lua.create_table_from([("x", self.x), ("y", self.y)])?.into_lua(lua)
///     }
/// }
///
/// let lua = Lua::new();
/// lua.globals().set("p", Point { x: 3.0, y: 4.0 })?;
/// assert_eq!(lua.load("p.x * p.x + p.y * p.y").eval::<f64>()?, 25.0);
/// # Ok::<(), traceorus::Error>(())
/// ```
pub trait IntoLua: Sized {
    /// The conversion.
    fn into_lua(self, lua: &Lua) -> Result<Value>;
    #[doc(hidden)]
    fn push_into_lua(self, lua: &Lua, to: Stack<'_>) -> Result<()> {
        let v = self.into_lua(lua)?;
        lua.state.push_value(to.0, &v)
    }
}

/// A value in a slot of the running native frame.
#[doc(hidden)]
#[derive(Clone, Copy)]
pub struct Slot<'a> {
    pub(crate) cx: Ctx<'a>,
    pub(crate) raw: Raw,
}

/// The running native frame, to push values on.
#[doc(hidden)]
#[derive(Clone, Copy)]
pub struct Stack<'a>(pub(crate) Ctx<'a>);

/// A list of values in the running native frame: arguments of a Rust function, or results of a call.
#[doc(hidden)]
pub struct Args<'a> {
    pub(crate) cx: Ctx<'a>,
    /// Values before the first.
    base: usize,
    count: usize,
    next: usize,
    results: bool,
    _frame: PhantomData<&'a ()>,
}

impl<'a> Args<'a> {
    /// The arguments of the running function.
    #[inline]
    pub(crate) fn arguments(cx: Ctx<'a>) -> Args<'a> {
        Args {
            cx,
            base: 0,
            count: cx.top(),
            next: 0,
            results: false,
            _frame: PhantomData,
        }
    }
    /// The topmost `n` values.
    #[inline]
    pub(crate) fn results(cx: Ctx<'a>, n: usize) -> Args<'a> {
        Args {
            cx,
            base: cx.top() - n,
            count: n,
            next: 0,
            results: true,
            _frame: PhantomData,
        }
    }
    /// Values that are left.
    pub(crate) fn left(&self) -> usize {
        self.count.saturating_sub(self.next)
    }
    /// The next value, nil after the last. (What is above the arguments later is not taken for one.)
    #[inline]
    pub(crate) fn raw(&mut self) -> Raw {
        let i = self.next;
        self.next += 1;
        if i < self.count {
            self.cx.arg(self.base + i + 1)
        } else {
            Raw::NIL
        }
    }
    /// The next value as what is wanted.
    #[inline]
    pub(crate) fn take<T: FromLua>(&mut self, lua: &Lua) -> Result<T> {
        let raw = self.raw();
        T::from_lua_slot(Slot { cx: self.cx, raw }, lua).map_err(|e| self.failed(e))
    }
    /// Says which value the error is about: the last one taken.
    #[cold]
    pub(crate) fn failed(&self, e: Error) -> Error {
        let none = self.next > self.count;
        if self.results {
            e.at_result(self.next, none)
        } else {
            e.at_argument(self.next)
        }
    }
}
