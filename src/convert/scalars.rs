//! Conversions of single values.

use std::borrow::Cow;
use std::ffi::{CStr, CString, OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use traceorus_base::{Tag, Value as Raw};
use traceorus_vm::{debuginfo, number};

use super::{FromLua, IntoLua, Slot, Stack};
use crate::{
    AnyUserData, Error, Function, LightUserData, Lua, LuaString, Result, Table, Thread, Value,
};

/// Implements `IntoLua` by pushing.
macro_rules! into_lua {
    ($(impl[$($g:tt)*] $t:ty, |$v:ident, $lua:ident, $to:ident| $push:expr, $value:expr;)*) => { $(
        impl<$($g)*> IntoLua for $t {
            #[inline]
            #[allow(unused_variables, reason = "not every type needs it")]
            fn into_lua(self, $lua: &Lua) -> Result<Value> {
                let $v = self;
                $value
            }
            #[inline]
            fn push_into_lua(self, $lua: &Lua, $to: Stack<'_>) -> Result<()> {
                let $v = self;
                $push
            }
        }
    )* };
}

fn mismatch(expected: &'static str, slot: Slot<'_>) -> Error {
    let got = debuginfo::type_name_of(slot.cx.g(), slot.raw, true);
    Error::conversion(expected, &got)
}

/// Makes `from_lua` of `from_lua_slot`: the value gets a slot.
fn through_slot<T: FromLua>(value: &Value, lua: &Lua) -> Result<T> {
    lua.state.enter(|cx| {
        lua.state.push_value(cx, value)?;
        let raw = cx.arg(cx.top());
        T::from_lua_slot(Slot { cx, raw }, lua)
    })
}

impl FromLua for Value {
    fn from_lua(v: Value, _: &Lua) -> Result<Value> {
        Ok(v)
    }
}
impl IntoLua for Value {
    fn into_lua(self, _: &Lua) -> Result<Value> {
        Ok(self)
    }
    fn push_into_lua(self, lua: &Lua, to: Stack<'_>) -> Result<()> {
        lua.state.push_value(to.0, &self)
    }
}
impl IntoLua for &Value {
    fn into_lua(self, _: &Lua) -> Result<Value> {
        Ok(self.clone())
    }
    fn push_into_lua(self, lua: &Lua, to: Stack<'_>) -> Result<()> {
        lua.state.push_value(to.0, self)
    }
}

// ---- booleans and numbers ---------------------------------------------------------------------------------------------

impl FromLua for bool {
    fn from_lua(v: Value, _: &Lua) -> Result<bool> {
        Ok(!matches!(v, Value::Nil | Value::Boolean(false)))
    }
    #[inline]
    fn from_lua_slot(slot: Slot<'_>, _: &Lua) -> Result<bool> {
        Ok(!slot.raw.is_falsy())
    }
}
into_lua! {
    impl[] bool, |v, _lua, to| { to.0.push(Raw::bool(v)); Ok(()) }, Ok(Value::Boolean(v));
}

/// The integer in a slot, as Lua converts.
#[inline]
fn integer(slot: Slot<'_>) -> Result<i64> {
    if slot.raw.tag == Tag::INT {
        return Ok(slot.raw.as_int());
    }
    other_integer(slot)
}
fn other_integer(slot: Slot<'_>) -> Result<i64> {
    // SAFETY: [GC-LIVE] the value is in a slot.
    if let Some(n) = unsafe { number::tointeger(slot.raw) } {
        return Ok(n);
    }
    if slot.cx.to_number(slot.raw).is_some() {
        return Err(Error::unsuitable("number has no integer representation"));
    }
    Err(mismatch("integer", slot))
}
#[inline]
fn float(slot: Slot<'_>) -> Result<f64> {
    match slot.raw.tag {
        Tag::FLOAT => Ok(slot.raw.as_float()),
        Tag::INT => Ok(slot.raw.as_int() as f64),
        _ => match slot.cx.to_number(slot.raw) {
            Some(n) => Ok(number::num_as_float(n)),
            None => Err(mismatch("number", slot)),
        },
    }
}
#[cold]
fn out_of_range(n: i64, what: &str) -> Error {
    Error::unsuitable(format!("number {n} is out of the range of {what}"))
}

macro_rules! integers {
    ($($t:ty),*) => { $(
        impl FromLua for $t {
            fn from_lua(v: Value, lua: &Lua) -> Result<$t> {
                match v {
                    Value::Integer(n) => <$t>::try_from(n).map_err(|_| out_of_range(n, stringify!($t))),
                    v => through_slot(&v, lua),
                }
            }
            #[inline]
            fn from_lua_slot(slot: Slot<'_>, _: &Lua) -> Result<$t> {
                let n = integer(slot)?;
                <$t>::try_from(n).map_err(|_| out_of_range(n, stringify!($t)))
            }
        }
        /// What does not fit a Lua integer becomes a float.
        impl IntoLua for $t {
            #[inline]
            fn into_lua(self, _: &Lua) -> Result<Value> {
                Ok(match i64::try_from(self) {
                    Ok(n) => Value::Integer(n),
                    Err(_) => Value::Number(self as f64),
                })
            }
            #[inline]
            fn push_into_lua(self, _: &Lua, to: Stack<'_>) -> Result<()> {
                to.0.push(match i64::try_from(self) {
                    Ok(n) => Raw::int(n),
                    Err(_) => Raw::float(self as f64),
                });
                Ok(())
            }
        }
    )* };
}
integers!(
    i8, i16, i32, i64, i128, isize, u8, u16, u32, u64, u128, usize
);

macro_rules! floats {
    ($($t:ty),*) => { $(
        impl FromLua for $t {
            fn from_lua(v: Value, lua: &Lua) -> Result<$t> {
                match v {
                    Value::Number(n) => Ok(n as $t),
                    Value::Integer(n) => Ok(n as $t),
                    v => through_slot(&v, lua),
                }
            }
            #[inline]
            fn from_lua_slot(slot: Slot<'_>, _: &Lua) -> Result<$t> {
                float(slot).map(|n| n as $t)
            }
        }
        into_lua! {
            impl[] $t, |v, _lua, to| { to.0.push(Raw::float(v.into())); Ok(()) }, Ok(Value::Number(v.into()));
        }
    )* };
}
floats!(f32, f64);

impl FromLua for char {
    fn from_lua(v: Value, lua: &Lua) -> Result<char> {
        let s = String::from_lua(v, lua)?;
        let mut cs = s.chars();
        match (cs.next(), cs.next()) {
            (Some(c), None) => Ok(c),
            _ => Err(Error::unsuitable("one character expected")),
        }
    }
}
into_lua! {
    impl[] char, |v, lua, to| lua.state.push_bytes(to.0, v.encode_utf8(&mut [0; 4]).as_bytes()),
        lua.create_string(v.encode_utf8(&mut [0; 4])).map(Value::String);
}

// ---- strings ----------------------------------------------------------------------------------------------------------

/// Bytes that are a string in Lua, where `Vec<u8>` and `[u8]` would be a table of numbers.
///
/// ```
/// use traceorus::{Bytes, Lua};
///
/// let lua = Lua::new();
/// lua.globals().set("data", Bytes(vec![0, 255]))?;
/// assert_eq!(lua.load("data .. '!'").eval::<Bytes>()?.0, [0, 255, b'!']);
/// # Ok::<(), traceorus::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Bytes(pub Vec<u8>);

/// Copies the bytes of a string or the text of a number.
fn bytes<R>(slot: Slot<'_>, f: impl FnOnce(&[u8]) -> R) -> Result<R> {
    match slot.raw.tag {
        Tag::STRING => Ok(f(slot.cx.bytes(slot.raw))),
        t if t.is_number() => Ok(f(number::fmt_number(slot.raw).as_bytes())),
        _ => Err(mismatch("string", slot)),
    }
}
fn text(slot: Slot<'_>) -> Result<String> {
    bytes(slot, |b| std::str::from_utf8(b).map(str::to_owned))?
        .map_err(|_| Error::unsuitable("string is not valid UTF-8"))
}

/// Implements `FromLua` by way of a slot.
macro_rules! from_slot {
    ($($t:ty, |$slot:ident| $get:expr;)*) => { $(
        impl FromLua for $t {
            fn from_lua(v: Value, lua: &Lua) -> Result<$t> {
                through_slot(&v, lua)
            }
            fn from_lua_slot($slot: Slot<'_>, _: &Lua) -> Result<$t> {
                $get
            }
        }
    )* };
}
from_slot! {
    Bytes, |slot| bytes(slot, |b| Bytes(b.to_vec()));
    String, |slot| text(slot);
    Box<str>, |slot| text(slot).map(String::into_boxed_str);
    OsString, |slot| bytes(slot, |b| OsStr::from_bytes(b).to_owned());
    PathBuf, |slot| bytes(slot, |b| PathBuf::from(OsStr::from_bytes(b)));
    CString, |slot| bytes(slot, |b| CString::new(b))?
        .map_err(|_| Error::unsuitable("string contains zero bytes"));
}
into_lua! {
    impl[] Bytes, |v, lua, to| lua.state.push_bytes(to.0, &v.0), lua.create_string(&v.0).map(Value::String);
    impl[] &Bytes, |v, lua, to| lua.state.push_bytes(to.0, &v.0), lua.create_string(&v.0).map(Value::String);
    impl[] &str, |v, lua, to| lua.state.push_bytes(to.0, v.as_bytes()), lua.create_string(v).map(Value::String);
    impl[] String, |v, lua, to| lua.state.push_bytes(to.0, v.as_bytes()), lua.create_string(v).map(Value::String);
    impl[] &String, |v, lua, to| lua.state.push_bytes(to.0, v.as_bytes()), lua.create_string(v).map(Value::String);
    impl[] Box<str>, |v, lua, to| lua.state.push_bytes(to.0, v.as_bytes()), lua.create_string(&*v).map(Value::String);
    impl[] Cow<'_, str>, |v, lua, to| lua.state.push_bytes(to.0, v.as_bytes()), lua.create_string(&*v).map(Value::String);
    impl[] &OsStr, |v, lua, to| lua.state.push_bytes(to.0, v.as_bytes()), lua.create_string(v.as_bytes()).map(Value::String);
    impl[] OsString, |v, lua, to| lua.state.push_bytes(to.0, v.as_bytes()), lua.create_string(v.as_bytes()).map(Value::String);
    impl[] &Path, |v, lua, to| v.as_os_str().push_into_lua(lua, to), v.as_os_str().into_lua(lua);
    impl[] PathBuf, |v, lua, to| v.as_os_str().push_into_lua(lua, to), v.as_os_str().into_lua(lua);
    impl[] &CStr, |v, lua, to| lua.state.push_bytes(to.0, v.to_bytes()), lua.create_string(v.to_bytes()).map(Value::String);
    impl[] CString, |v, lua, to| lua.state.push_bytes(to.0, v.as_bytes()), lua.create_string(v.as_bytes()).map(Value::String);
}

// ---- handles ------------------------------------------------------------------------------------------------------------

macro_rules! handles {
    ($($t:ident, $variant:ident, $name:literal, $($tag:ident)|+;)*) => { $(
        impl FromLua for $t {
            fn from_lua(v: Value, _: &Lua) -> Result<$t> {
                match v {
                    Value::$variant(h) => Ok(h),
                    v => Err(Error::conversion($name, v.type_name())),
                }
            }
            #[inline]
            fn from_lua_slot(slot: Slot<'_>, lua: &Lua) -> Result<$t> {
                match slot.raw.tag {
                    $(Tag::$tag)|+ => Ok($t(crate::state::Ref::new(&lua.state, slot.cx, slot.raw))),
                    _ => Err(mismatch($name, slot)),
                }
            }
        }
        into_lua! {
            impl[] $t, |v, lua, to| { to.0.push(v.0.raw_in(&lua.state)?); Ok(()) }, Ok(Value::$variant(v));
            impl[] &$t, |v, lua, to| { to.0.push(v.0.raw_in(&lua.state)?); Ok(()) }, Ok(Value::$variant(v.clone()));
        }
    )* };
}
handles! {
    Table, Table, "table", TABLE;
    Function, Function, "function", FUNCTION;
    Thread, Thread, "thread", THREAD;
    AnyUserData, UserData, "userdata", USERDATA;
}

impl FromLua for LuaString {
    fn from_lua(v: Value, lua: &Lua) -> Result<LuaString> {
        match v {
            Value::String(s) => Ok(s),
            v => through_slot(&v, lua),
        }
    }
    fn from_lua_slot(slot: Slot<'_>, lua: &Lua) -> Result<LuaString> {
        let raw = match slot.raw.tag {
            Tag::STRING => slot.raw,
            t if t.is_number() => slot.cx.number_to_str(slot.raw),
            _ => return Err(mismatch("string", slot)),
        };
        Ok(LuaString(crate::state::Ref::new(&lua.state, slot.cx, raw)))
    }
}
into_lua! {
    impl[] LuaString, |v, lua, to| { to.0.push(v.0.raw_in(&lua.state)?); Ok(()) }, Ok(Value::String(v));
    impl[] &LuaString, |v, lua, to| { to.0.push(v.0.raw_in(&lua.state)?); Ok(()) }, Ok(Value::String(v.clone()));
    impl[] LightUserData, |v, _lua, to| { to.0.push(Raw::new(v.0 as u64, Tag::LIGHTUD)); Ok(()) }, Ok(Value::LightUserData(v));
    impl[] Error, |v, lua, to| { to.0.push(lua.state.error_value(to.0, &v)); Ok(()) }, Ok(Value::Error(Box::new(v)));
}
impl FromLua for LightUserData {
    fn from_lua(v: Value, _: &Lua) -> Result<LightUserData> {
        match v {
            Value::LightUserData(p) => Ok(p),
            v => Err(Error::conversion("light userdata", v.type_name())),
        }
    }
}
/// An error object, or any value as the message of an error.
impl FromLua for Error {
    fn from_lua(v: Value, _: &Lua) -> Result<Error> {
        Ok(match v {
            Value::Error(e) => *e,
            v => Error::runtime(v.to_string()?),
        })
    }
}

// ---- nil ------------------------------------------------------------------------------------------------------------------

impl<T: FromLua> FromLua for Option<T> {
    fn from_lua(v: Value, lua: &Lua) -> Result<Option<T>> {
        match v {
            Value::Nil => Ok(None),
            v => T::from_lua(v, lua).map(Some),
        }
    }
    #[inline]
    fn from_lua_slot(slot: Slot<'_>, lua: &Lua) -> Result<Option<T>> {
        if slot.raw.is_nil() {
            Ok(None)
        } else {
            T::from_lua_slot(slot, lua).map(Some)
        }
    }
}
into_lua! {
    impl[T: IntoLua] Option<T>, |v, lua, to| match v {
        Some(v) => v.push_into_lua(lua, to),
        None => { to.0.push(Raw::NIL); Ok(()) }
    }, v.map_or(Ok(Value::Nil), |v| v.into_lua(lua));
}
