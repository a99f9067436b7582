//! Lists of values.

use std::collections::VecDeque;
use std::collections::vec_deque;
use std::ops::{Deref, DerefMut};

use super::{Args, FromLua, IntoLua, Stack};
use crate::{Lua, Result, Value};

/// What can be made of a list of values, as are the arguments of a Rust function and the results of a call: one value, a tuple of
/// values, `()`, [`MultiValue`], [`Variadic`] at the end of a tuple. Missing values are nil, further ones are ignored.
pub trait FromLuaMulti: Sized {
    /// The conversion.
    fn from_lua_multi(values: MultiValue, lua: &Lua) -> Result<Self>;
    #[doc(hidden)]
    fn from_lua_args(args: &mut Args<'_>, lua: &Lua) -> Result<Self> {
        let all = MultiValue::from_lua_args(args, lua)?;
        Self::from_lua_multi(all, lua)
    }
}

/// What can become a list of values: arguments of a call, results of a Rust function.
pub trait IntoLuaMulti: Sized {
    /// The conversion.
    fn into_lua_multi(self, lua: &Lua) -> Result<MultiValue>;
    /// Pushes the values; gives their number.
    #[doc(hidden)]
    fn push_multi_into_lua(self, lua: &Lua, to: Stack<'_>) -> Result<usize> {
        let all = self.into_lua_multi(lua)?;
        all.push_multi_into_lua(lua, to)
    }
}

/// Any number of Lua values.
///
/// ```
/// use traceorus::{Lua, MultiValue};
///
/// let lua = Lua::new();
/// lua.register("reverse", |_, args: MultiValue| Ok(args.into_iter().rev().collect::<MultiValue>()))?;
/// assert_eq!(lua.load("reverse(1, 2, 3)").eval::<(i64, i64, i64)>()?, (3, 2, 1));
/// # Ok::<(), traceorus::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct MultiValue(VecDeque<Value>);

impl MultiValue {
    /// No values.
    pub fn new() -> MultiValue {
        MultiValue::default()
    }
    /// From a vector, in order.
    pub fn from_vec(v: Vec<Value>) -> MultiValue {
        MultiValue(v.into())
    }
    /// As a vector, in order.
    pub fn into_vec(self) -> Vec<Value> {
        self.0.into()
    }
}
impl Deref for MultiValue {
    type Target = VecDeque<Value>;
    fn deref(&self) -> &VecDeque<Value> {
        &self.0
    }
}
impl DerefMut for MultiValue {
    fn deref_mut(&mut self) -> &mut VecDeque<Value> {
        &mut self.0
    }
}
impl FromIterator<Value> for MultiValue {
    fn from_iter<I: IntoIterator<Item = Value>>(i: I) -> MultiValue {
        MultiValue(i.into_iter().collect())
    }
}
impl IntoIterator for MultiValue {
    type Item = Value;
    type IntoIter = vec_deque::IntoIter<Value>;
    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}
impl<'a> IntoIterator for &'a MultiValue {
    type Item = &'a Value;
    type IntoIter = vec_deque::Iter<'a, Value>;
    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl FromLuaMulti for MultiValue {
    fn from_lua_multi(values: MultiValue, _: &Lua) -> Result<MultiValue> {
        Ok(values)
    }
    fn from_lua_args(args: &mut Args<'_>, lua: &Lua) -> Result<MultiValue> {
        let cx = args.cx;
        Ok((0..args.left())
            .map(|_| lua.state.value_of(cx, args.raw()))
            .collect())
    }
}
impl IntoLuaMulti for MultiValue {
    fn into_lua_multi(self, _: &Lua) -> Result<MultiValue> {
        Ok(self)
    }
    fn push_multi_into_lua(self, lua: &Lua, to: Stack<'_>) -> Result<usize> {
        to.room(lua, self.len())?;
        for v in &self {
            lua.state.push_value(to.0, v)?;
        }
        Ok(self.len())
    }
}
impl IntoLuaMulti for &MultiValue {
    fn into_lua_multi(self, _: &Lua) -> Result<MultiValue> {
        Ok(self.clone())
    }
}

impl Stack<'_> {
    /// Room for `n` values, or an error.
    pub(crate) fn room(&self, lua: &Lua, n: usize) -> Result<()> {
        self.0
            .check_stack(n + 8, "too many values")
            .map_err(|_| lua.state.caught(self.0))
    }
}

/// Any number of values of one type: further arguments, or further results.
///
/// ```
/// use traceorus::{Lua, Variadic};
///
/// let lua = Lua::new();
/// lua.register("scale", |_, (k, xs): (f64, Variadic<f64>)| {
///     Ok(xs.iter().map(|x| k * x).collect::<Variadic<_>>())
/// })?;
/// assert_eq!(lua.load("scale(2, 10, 20)").eval::<(f64, f64)>()?, (20.0, 40.0));
/// # Ok::<(), traceorus::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variadic<T>(Vec<T>);

impl<T> Variadic<T> {
    /// None.
    pub fn new() -> Variadic<T> {
        Variadic(Vec::new())
    }
    /// As a vector.
    pub fn into_vec(self) -> Vec<T> {
        self.0
    }
}
impl<T> Default for Variadic<T> {
    fn default() -> Variadic<T> {
        Variadic::new()
    }
}
impl<T> Deref for Variadic<T> {
    type Target = Vec<T>;
    fn deref(&self) -> &Vec<T> {
        &self.0
    }
}
impl<T> DerefMut for Variadic<T> {
    fn deref_mut(&mut self) -> &mut Vec<T> {
        &mut self.0
    }
}
impl<T> From<Vec<T>> for Variadic<T> {
    fn from(v: Vec<T>) -> Variadic<T> {
        Variadic(v)
    }
}
impl<T> FromIterator<T> for Variadic<T> {
    fn from_iter<I: IntoIterator<Item = T>>(i: I) -> Variadic<T> {
        Variadic(i.into_iter().collect())
    }
}
impl<T> IntoIterator for Variadic<T> {
    type Item = T;
    type IntoIter = std::vec::IntoIter<T>;
    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}
impl<T: FromLua> FromLuaMulti for Variadic<T> {
    fn from_lua_multi(values: MultiValue, lua: &Lua) -> Result<Variadic<T>> {
        values.into_iter().map(|v| T::from_lua(v, lua)).collect()
    }
    fn from_lua_args(args: &mut Args<'_>, lua: &Lua) -> Result<Variadic<T>> {
        (0..args.left()).map(|_| args.take(lua)).collect()
    }
}
impl<T: IntoLua> IntoLuaMulti for Variadic<T> {
    fn into_lua_multi(self, lua: &Lua) -> Result<MultiValue> {
        self.0.into_iter().map(|v| v.into_lua(lua)).collect()
    }
    fn push_multi_into_lua(self, lua: &Lua, to: Stack<'_>) -> Result<usize> {
        let n = self.len();
        to.room(lua, n)?;
        for v in self.0 {
            v.push_into_lua(lua, to)?;
        }
        Ok(n)
    }
}

// ---- one value ----------------------------------------------------------------------------------------------------------

impl<T: FromLua> FromLuaMulti for T {
    fn from_lua_multi(mut values: MultiValue, lua: &Lua) -> Result<T> {
        T::from_lua(values.pop_front().unwrap_or_default(), lua)
    }
    #[inline]
    fn from_lua_args(args: &mut Args<'_>, lua: &Lua) -> Result<T> {
        args.take(lua)
    }
}
impl<T: IntoLua> IntoLuaMulti for T {
    fn into_lua_multi(self, lua: &Lua) -> Result<MultiValue> {
        Ok(MultiValue([self.into_lua(lua)?].into()))
    }
    #[inline]
    fn push_multi_into_lua(self, lua: &Lua, to: Stack<'_>) -> Result<usize> {
        self.push_into_lua(lua, to)?;
        Ok(1)
    }
}

/// A function may return a `Result` in place of its results: `nil` (or false), and the error.
impl<T: IntoLuaMulti, E: IntoLua> IntoLuaMulti for std::result::Result<T, E> {
    fn into_lua_multi(self, lua: &Lua) -> Result<MultiValue> {
        match self {
            Ok(v) => v.into_lua_multi(lua),
            Err(e) => (Value::Nil, e).into_lua_multi(lua),
        }
    }
}

// ---- tuples ---------------------------------------------------------------------------------------------------------------

impl FromLuaMulti for () {
    fn from_lua_multi(_: MultiValue, _: &Lua) -> Result<()> {
        Ok(())
    }
    #[inline]
    fn from_lua_args(_: &mut Args<'_>, _: &Lua) -> Result<()> {
        Ok(())
    }
}
impl IntoLuaMulti for () {
    fn into_lua_multi(self, _: &Lua) -> Result<MultiValue> {
        Ok(MultiValue::new())
    }
    #[inline]
    fn push_multi_into_lua(self, _: &Lua, _: Stack<'_>) -> Result<usize> {
        Ok(0)
    }
}

// The last element of a tuple may be a list itself.
macro_rules! tuples {
    ($(($($t:ident),*; $last:ident))*) => { $(
        #[allow(non_snake_case, reason = "variables are named as their types")]
        impl<$($t: FromLua,)* $last: FromLuaMulti> FromLuaMulti for ($($t,)* $last,) {
            #[allow(unused_mut, reason = "tuples of one element leave the list alone")]
            fn from_lua_multi(mut values: MultiValue, lua: &Lua) -> Result<Self> {
                $(let $t = $t::from_lua(values.pop_front().unwrap_or_default(), lua)?;)*
                Ok(($($t,)* $last::from_lua_multi(values, lua)?,))
            }
            #[inline]
            fn from_lua_args(args: &mut Args<'_>, lua: &Lua) -> Result<Self> {
                $(let $t = args.take(lua)?;)*
                Ok(($($t,)* $last::from_lua_args(args, lua)?,))
            }
        }
        #[allow(non_snake_case, reason = "variables are named as their types")]
        impl<$($t: IntoLua,)* $last: IntoLuaMulti> IntoLuaMulti for ($($t,)* $last,) {
            fn into_lua_multi(self, lua: &Lua) -> Result<MultiValue> {
                let ($($t,)* $last,) = self;
                #[allow(unused_mut, reason = "tuples of one element leave the list alone")]
                let mut all = VecDeque::from([$($t.into_lua(lua)?),*]);
                all.extend($last.into_lua_multi(lua)?);
                Ok(MultiValue(all))
            }
            #[inline]
            fn push_multi_into_lua(self, lua: &Lua, to: Stack<'_>) -> Result<usize> {
                let ($($t,)* $last,) = self;
                $($t.push_into_lua(lua, to)?;)*
                let before: &[&str] = &[$(stringify!($t)),*];
                Ok(before.len() + $last.push_multi_into_lua(lua, to)?)
            }
        }
    )* };
}
tuples! {
    (; A)
    (A; B)
    (A, B; C)
    (A, B, C; D)
    (A, B, C, D; E)
    (A, B, C, D, E; F)
    (A, B, C, D, E, F; G)
    (A, B, C, D, E, F, G; H)
    (A, B, C, D, E, F, G, H; I)
    (A, B, C, D, E, F, G, H, I; J)
    (A, B, C, D, E, F, G, H, I, J; K)
    (A, B, C, D, E, F, G, H, I, J, K; L)
}
