//! Lua values on the Rust side.

use std::ffi::c_void;
use std::fmt;

use crate::state::Op;
use crate::{AnyUserData, Error, Function, LuaString, Result, Table, Thread};

/// A Lua value. Strings, tables, functions, threads and userdata are handles: references that keep the object alive.
///
/// `==` compares as Lua's `rawequal`, which takes an integer and a float of the same value for equal.
#[derive(Clone, Default)]
pub enum Value {
    /// `nil`.
    #[default]
    Nil,
    /// A boolean.
    Boolean(bool),
    /// A pointer, which Lua code can only pass on and compare.
    LightUserData(LightUserData),
    /// An integer.
    Integer(i64),
    /// A float.
    Number(f64),
    /// A string: any bytes.
    String(LuaString),
    /// A table.
    Table(Table),
    /// A function.
    Function(Function),
    /// A coroutine.
    Thread(Thread),
    /// A userdata.
    UserData(AnyUserData),
    /// An error of Rust code that was raised (see [`Error::external`]).
    Error(Box<Error>),
}

/// A pointer as a Lua value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LightUserData(pub *mut c_void);

impl Value {
    /// Name of the type as in Lua.
    pub fn type_name(&self) -> &'static str {
        match self {
            Value::Nil => "nil",
            Value::Boolean(_) => "boolean",
            Value::Integer(_) | Value::Number(_) => "number",
            Value::String(_) => "string",
            Value::Table(_) => "table",
            Value::Function(_) => "function",
            Value::Thread(_) => "thread",
            Value::LightUserData(_) | Value::UserData(_) | Value::Error(_) => "userdata",
        }
    }
    /// It is nil.
    pub fn is_nil(&self) -> bool {
        matches!(self, Value::Nil)
    }
    /// Neither nil nor false.
    pub fn is_truthy(&self) -> bool {
        !matches!(self, Value::Nil | Value::Boolean(false))
    }
    /// The boolean.
    pub fn as_boolean(&self) -> Option<bool> {
        match *self {
            Value::Boolean(b) => Some(b),
            _ => None,
        }
    }
    /// The integer.
    pub fn as_integer(&self) -> Option<i64> {
        match *self {
            Value::Integer(i) => Some(i),
            _ => None,
        }
    }
    /// The number, of either kind.
    pub fn as_f64(&self) -> Option<f64> {
        match *self {
            Value::Integer(i) => Some(i as f64),
            Value::Number(n) => Some(n),
            _ => None,
        }
    }
    /// The string.
    pub fn as_string(&self) -> Option<&LuaString> {
        match self {
            Value::String(s) => Some(s),
            _ => None,
        }
    }
    /// The table.
    pub fn as_table(&self) -> Option<&Table> {
        match self {
            Value::Table(t) => Some(t),
            _ => None,
        }
    }
    /// The function.
    pub fn as_function(&self) -> Option<&Function> {
        match self {
            Value::Function(f) => Some(f),
            _ => None,
        }
    }
    /// The coroutine.
    pub fn as_thread(&self) -> Option<&Thread> {
        match self {
            Value::Thread(t) => Some(t),
            _ => None,
        }
    }
    /// The userdata.
    pub fn as_userdata(&self) -> Option<&AnyUserData> {
        match self {
            Value::UserData(u) => Some(u),
            _ => None,
        }
    }
    /// The error.
    pub fn as_error(&self) -> Option<&Error> {
        match self {
            Value::Error(e) => Some(e),
            _ => None,
        }
    }
    /// Text of the value as Lua's `tostring` makes it, with `__tostring` and `__name`; what is not UTF-8 is replaced.
    pub fn to_string(&self) -> Result<String> {
        let r = match self {
            Value::Nil => return Ok("nil".into()),
            Value::Boolean(b) => return Ok(b.to_string()),
            Value::Integer(i) => return Ok(i.to_string()),
            Value::Number(n) => {
                let v = traceorus_base::Value::float(*n);
                let text = traceorus_vm::number::fmt_number(v);
                return Ok(String::from_utf8_lossy(text.as_bytes()).into_owned());
            }
            Value::LightUserData(p) => return Ok(format!("userdata: {:p}", p.0)),
            Value::String(s) => return Ok(s.to_string_lossy()),
            Value::Error(e) => return Ok(e.to_string()),
            Value::Table(Table(r))
            | Value::Function(Function(r))
            | Value::Thread(Thread(r))
            | Value::UserData(AnyUserData(r)) => r,
        };
        let lua = r.lua();
        lua.state.enter(|cx| {
            let s = lua.state.operate(cx, Op::ToString, &[r.raw(cx)])?;
            Ok(String::from_utf8_lossy(cx.bytes(s)).into_owned())
        })
    }
    /// Address of the object (or the pointer), null for others. Only good for comparing and printing.
    pub fn to_pointer(&self) -> *const c_void {
        match self {
            Value::LightUserData(p) => p.0,
            Value::String(LuaString(r))
            | Value::Table(Table(r))
            | Value::Function(Function(r))
            | Value::Thread(Thread(r))
            | Value::UserData(AnyUserData(r)) => r.address(),
            _ => std::ptr::null(),
        }
    }
    /// `a == b` as Lua code has it, `__eq` included.
    pub fn equals(&self, other: &Value) -> Result<bool> {
        match (self, other) {
            (Value::Table(a), Value::Table(b)) => a.equals(b),
            (Value::UserData(a), Value::UserData(b)) => equals(&a.0, &b.0),
            _ => Ok(self == other),
        }
    }
}

/// `a == b` with `__eq`.
pub(crate) fn equals(a: &crate::state::Ref, b: &crate::state::Ref) -> Result<bool> {
    let lua = a.lua();
    lua.state.enter(|cx| {
        let (a, b) = (a.raw(cx), b.raw_in(&lua.state)?);
        Ok(!lua.state.operate(cx, Op::Eq, &[a, b])?.is_falsy())
    })
}

impl PartialEq for Value {
    fn eq(&self, o: &Value) -> bool {
        match (self, o) {
            (Value::Nil, Value::Nil) => true,
            (Value::Boolean(a), Value::Boolean(b)) => a == b,
            (Value::Integer(a), Value::Integer(b)) => a == b,
            (Value::Number(a), Value::Number(b)) => a == b,
            (Value::Integer(i), Value::Number(n)) | (Value::Number(n), Value::Integer(i)) => {
                traceorus_vm::number::float_to_int(*n) == Some(*i)
            }
            (Value::LightUserData(a), Value::LightUserData(b)) => a == b,
            (Value::String(a), Value::String(b)) => a == b,
            (Value::Table(a), Value::Table(b)) => a == b,
            (Value::Function(a), Value::Function(b)) => a == b,
            (Value::Thread(a), Value::Thread(b)) => a == b,
            (Value::UserData(a), Value::UserData(b)) => a == b,
            _ => false,
        }
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Nil => f.write_str("Nil"),
            Value::Boolean(b) => write!(f, "Boolean({b})"),
            Value::LightUserData(p) => write!(f, "{p:?}"),
            Value::Integer(i) => write!(f, "Integer({i})"),
            Value::Number(n) => write!(f, "Number({n:?})"),
            Value::String(s) => write!(f, "String({s:?})"),
            Value::Table(t) => t.fmt(f),
            Value::Function(x) => x.fmt(f),
            Value::Thread(t) => t.fmt(f),
            Value::UserData(u) => u.fmt(f),
            Value::Error(e) => write!(f, "Error({:?})", e.message()),
        }
    }
}

/// `Debug`, `PartialEq` and others of handles.
macro_rules! handle_traits {
    ($($t:ident),*) => { $(
        impl std::fmt::Debug for $t {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, concat!(stringify!($t), "({:?})"), self.to_pointer())
            }
        }
        /// Raw equality: the same object.
        impl PartialEq for $t {
            fn eq(&self, o: &$t) -> bool {
                self.0.same(&o.0)
            }
        }
        impl Eq for $t {}
        impl $t {
            /// Address of the object. Only good for comparing and printing. Null once the state is closed.
            pub fn to_pointer(&self) -> *const std::ffi::c_void {
                self.0.address()
            }
        }
    )* };
}
handle_traits!(Table, Function, Thread, AnyUserData);
