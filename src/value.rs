//! Values on the Rust side, and conversions.

use crate::handle::{Function, Other, Table};

/// A Lua value. Tables, functions and other objects are handles: references that keep the object alive.
#[derive(Clone, Debug, Default)]
pub enum Value {
    /// `nil`.
    #[default]
    Nil,
    /// A boolean.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// A float.
    Float(f64),
    /// A string: any bytes.
    Str(Vec<u8>),
    /// A table.
    Table(Table),
    /// A function.
    Function(Function),
    /// A userdata or a coroutine, which Rust can only pass on.
    Other(Other),
}

impl Value {
    /// Name of the type as in Lua (userdata and coroutines are both "userdata" here).
    pub fn type_name(&self) -> &'static str {
        match self {
            Value::Nil => "nil",
            Value::Bool(_) => "boolean",
            Value::Int(_) | Value::Float(_) => "number",
            Value::Str(_) => "string",
            Value::Table(_) => "table",
            Value::Function(_) => "function",
            Value::Other(_) => "userdata",
        }
    }
    /// The string, if it is one and valid UTF-8.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::Str(s) => std::str::from_utf8(s).ok(),
            _ => None,
        }
    }
}

/// The types differ: what was expected, of which value (from 1).
#[derive(Clone, Debug)]
pub struct Mismatch {
    pub(crate) position: usize,
    pub(crate) expected: &'static str,
    pub(crate) got: &'static str,
}

impl std::fmt::Display for Mismatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "value #{}: {} expected, got {}",
            self.position, self.expected, self.got
        )
    }
}

/// What can be made from a Lua value.
pub trait FromValue: Sized {
    /// Type name for messages.
    const EXPECTED: &'static str;
    /// The conversion; `None` if the type does not fit.
    fn from_value(v: Value) -> Option<Self>;
}

/// What can become a Lua value.
pub trait IntoValue {
    /// The conversion.
    fn into_value(self) -> Value;
}

impl FromValue for Value {
    const EXPECTED: &'static str = "value";
    fn from_value(v: Value) -> Option<Value> {
        Some(v)
    }
}
impl IntoValue for Value {
    fn into_value(self) -> Value {
        self
    }
}

impl FromValue for bool {
    const EXPECTED: &'static str = "boolean";
    fn from_value(v: Value) -> Option<bool> {
        match v {
            Value::Bool(b) => Some(b),
            _ => None,
        }
    }
}
impl IntoValue for bool {
    fn into_value(self) -> Value {
        Value::Bool(self)
    }
}

/// The integer that a value is: floats with an integral value count.
fn to_int(v: &Value) -> Option<i64> {
    match *v {
        Value::Int(i) => Some(i),
        Value::Float(f) if f == f.trunc() && (i64::MIN as f64..-(i64::MIN as f64)).contains(&f) => {
            Some(f as i64)
        }
        _ => None,
    }
}

macro_rules! integers {
    ($($t:ty),*) => { $(
        impl FromValue for $t {
            const EXPECTED: &'static str = "integer";
            fn from_value(v: Value) -> Option<$t> {
                <$t>::try_from(to_int(&v)?).ok()
            }
        }
    )* };
}
integers!(i8, i16, i32, i64, isize, u8, u16, u32, u64, usize);
macro_rules! from_integers {
    ($($t:ty),*) => { $(
        impl IntoValue for $t {
            fn into_value(self) -> Value {
                Value::Int(i64::from(self))
            }
        }
    )* };
}
from_integers!(i8, i16, i32, i64, u8, u16, u32);
impl IntoValue for usize {
    /// Wraps around above `i64::MAX`, as Lua's own arithmetic does.
    fn into_value(self) -> Value {
        Value::Int(self as i64)
    }
}

impl FromValue for f64 {
    const EXPECTED: &'static str = "number";
    fn from_value(v: Value) -> Option<f64> {
        match v {
            Value::Int(i) => Some(i as f64),
            Value::Float(f) => Some(f),
            _ => None,
        }
    }
}
impl IntoValue for f64 {
    fn into_value(self) -> Value {
        Value::Float(self)
    }
}
impl FromValue for f32 {
    const EXPECTED: &'static str = "number";
    fn from_value(v: Value) -> Option<f32> {
        f64::from_value(v).map(|f| f as f32)
    }
}
impl IntoValue for f32 {
    fn into_value(self) -> Value {
        Value::Float(f64::from(self))
    }
}

impl FromValue for Vec<u8> {
    const EXPECTED: &'static str = "string";
    fn from_value(v: Value) -> Option<Vec<u8>> {
        match v {
            Value::Str(s) => Some(s),
            _ => None,
        }
    }
}
impl FromValue for String {
    const EXPECTED: &'static str = "UTF-8 string";
    fn from_value(v: Value) -> Option<String> {
        String::from_utf8(Vec::from_value(v)?).ok()
    }
}
impl IntoValue for Vec<u8> {
    fn into_value(self) -> Value {
        Value::Str(self)
    }
}
impl IntoValue for &[u8] {
    fn into_value(self) -> Value {
        Value::Str(self.to_vec())
    }
}
impl IntoValue for String {
    fn into_value(self) -> Value {
        Value::Str(self.into_bytes())
    }
}
impl IntoValue for &str {
    fn into_value(self) -> Value {
        Value::Str(self.as_bytes().to_vec())
    }
}

impl<T: FromValue> FromValue for Option<T> {
    const EXPECTED: &'static str = T::EXPECTED;
    fn from_value(v: Value) -> Option<Option<T>> {
        match v {
            Value::Nil => Some(None),
            v => T::from_value(v).map(Some),
        }
    }
}
impl<T: IntoValue> IntoValue for Option<T> {
    fn into_value(self) -> Value {
        self.map_or(Value::Nil, T::into_value)
    }
}

macro_rules! handles {
    ($($t:ident $name:literal),*) => { $(
        impl FromValue for $t {
            const EXPECTED: &'static str = $name;
            fn from_value(v: Value) -> Option<$t> {
                match v {
                    Value::$t(h) => Some(h),
                    _ => None,
                }
            }
        }
        impl IntoValue for $t {
            fn into_value(self) -> Value {
                Value::$t(self)
            }
        }
        impl IntoValue for &$t {
            fn into_value(self) -> Value {
                Value::$t(self.clone())
            }
        }
    )* };
}
handles!(Table "table", Function "function", Other "userdata");

/// A list of values: arguments of a call. One value, a tuple, a `Vec<Value>`, or `()`.
pub trait IntoValues {
    /// The conversion.
    fn into_values(self) -> Vec<Value>;
}
/// What can be made from a list of values: results of a call, arguments of a Rust function. Missing values are nil,
/// further ones are ignored.
pub trait FromValues: Sized {
    /// The conversion.
    fn from_values(vs: Vec<Value>) -> Result<Self, Mismatch>;
}
/// What a Rust function may return to Lua: values, or a `Result` whose error is raised.
pub trait IntoReturn {
    /// Values or the error's message.
    fn into_return(self) -> Result<Vec<Value>, String>;
}

impl<T: IntoValue> IntoValues for T {
    fn into_values(self) -> Vec<Value> {
        vec![self.into_value()]
    }
}
impl IntoValues for Vec<Value> {
    fn into_values(self) -> Vec<Value> {
        self
    }
}
impl FromValues for Vec<Value> {
    fn from_values(vs: Vec<Value>) -> Result<Vec<Value>, Mismatch> {
        Ok(vs)
    }
}
fn one<T: FromValue>(position: usize, v: Option<Value>) -> Result<T, Mismatch> {
    let got = v.as_ref().map_or("no value", Value::type_name);
    T::from_value(v.unwrap_or_default()).ok_or(Mismatch {
        position,
        expected: T::EXPECTED,
        got,
    })
}
impl<T: FromValue> FromValues for T {
    fn from_values(vs: Vec<Value>) -> Result<T, Mismatch> {
        one(1, vs.into_iter().next())
    }
}
impl<T: IntoValues> IntoReturn for T {
    fn into_return(self) -> Result<Vec<Value>, String> {
        Ok(self.into_values())
    }
}
impl<T: IntoValues, E: std::fmt::Display> IntoReturn for Result<T, E> {
    fn into_return(self) -> Result<Vec<Value>, String> {
        self.map(T::into_values).map_err(|e| e.to_string())
    }
}

macro_rules! tuples {
    ($(($($t:ident $n:tt),*))*) => { $(
        impl<$($t: IntoValue),*> IntoValues for ($($t,)*) {
            fn into_values(self) -> Vec<Value> {
                vec![$(self.$n.into_value()),*]
            }
        }
        impl<$($t: FromValue),*> FromValues for ($($t,)*) {
            #[allow(unused_variables, unused_mut, reason = "the empty tuple uses none")]
            fn from_values(vs: Vec<Value>) -> Result<Self, Mismatch> {
                let mut vs = vs.into_iter();
                Ok(($(one::<$t>($n + 1, vs.next())?,)*))
            }
        }
    )* };
}
tuples! {
    ()
    (A 0)
    (A 0, B 1)
    (A 0, B 1, C 2)
    (A 0, B 1, C 2, D 3)
    (A 0, B 1, C 2, D 3, E 4)
    (A 0, B 1, C 2, D 3, E 4, F 5)
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6)
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7)
}
