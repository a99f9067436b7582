//! Userdata: Rust values in Lua.

mod any;
pub(crate) mod cell;
mod receiver;
pub(crate) mod registry;

use std::borrow::Cow;

pub use any::{AnyUserData, UserDataRef, UserDataRefMut};
pub(crate) use receiver::{Receiver, ScopedMut, ScopedOwned, ScopedRef, Typed};

pub(crate) use registry::Registry;

/// Where [`Lua::register_userdata_type`] declares fields and methods: it implements [`UserDataFields`] and [`UserDataMethods`].
pub type UserDataRegistry<'a, T> = Registry<'a, T, Typed>;

use crate::{FromLua, FromLuaMulti, IntoLua, IntoLuaMulti, Lua, Result};

/// A Rust type whose values can be given to Lua, with fields, methods and metamethods.
///
/// A value becomes a userdata by [`Lua::create_userdata`], or just by being passed to Lua. It is dropped when Lua has no use for it any more
/// (by the collector), at the latest when the state is closed. Methods borrow it as `RefCell` does: what conflicts is a
/// Lua error.
///
/// ```
/// use traceorus::{Lua, MetaMethod, UserData, UserDataFields, UserDataMethods, UserDataRef};
///
/// #[derive(Clone, Copy)]
/// struct Vector {
///     x: f64,
///     y: f64,
/// }
///
/// impl UserData for Vector {
///     fn add_fields<F: UserDataFields<Self>>(fields: &mut F) {
///         fields.add_field_method_get("x", |_, this| Ok(this.x));
///         fields.add_field_method_set("x", |_, this, x| {
///             this.x = x;
///             Ok(())
///         });
///         fields.add_field_method_get("y", |_, this| Ok(this.y));
///     }
///     fn add_methods<M: UserDataMethods<Self>>(methods: &mut M) {
///         methods.add_method("length", |_, this, ()| Ok(this.x.hypot(this.y)));
///         methods.add_method_mut("scale", |_, this, k: f64| {
///             *this = Vector { x: this.x * k, y: this.y * k };
///             Ok(())
///         });
///         methods.add_meta_method(MetaMethod::Add, |_, this, o: UserDataRef<Vector>| {
///             Ok(Vector { x: this.x + o.x, y: this.y + o.y })
///         });
///     }
/// }
///
/// let lua = Lua::new();
/// lua.globals().set("v", Vector { x: 3.0, y: 4.0 })?;
/// assert_eq!(lua.load("v:scale(2) v.x = v.x + 9 return (v + v):length()").eval::<f64>()?, 34.0);
/// let v: UserDataRef<Vector> = lua.globals().get("v")?;
/// assert_eq!((v.x, v.y), (15.0, 8.0));
/// # Ok::<(), traceorus::Error>(())
/// ```
pub trait UserData: Sized {
    /// Declares fields.
    fn add_fields<F: UserDataFields<Self>>(fields: &mut F) {
        let _ = fields;
    }
    /// Declares methods and metamethods.
    fn add_methods<M: UserDataMethods<Self>>(methods: &mut M) {
        let _ = methods;
    }
}

/// Where [`UserData::add_fields`] declares fields. Reading an unknown field gives nil (unless there is a metamethod `__index`), writing one is
/// an error (unless there is `__newindex`).
pub trait UserDataFields<T> {
    /// A field that is the same for all values of the type, and read-only.
    fn add_field(&mut self, name: impl Into<String>, value: impl IntoLua + 'static);
    /// What reading the field gives.
    fn add_field_method_get<M, R>(&mut self, name: impl Into<String>, method: M)
    where
        M: Fn(&Lua, &T) -> Result<R> + 'static,
        R: IntoLua;
    /// What writing the field does.
    fn add_field_method_set<M, A>(&mut self, name: impl Into<String>, method: M)
    where
        M: Fn(&Lua, &mut T, A) -> Result<()> + 'static,
        A: FromLua;
    /// What reading the field gives, by way of the userdata itself.
    fn add_field_function_get<F, R>(&mut self, name: impl Into<String>, function: F)
    where
        F: Fn(&Lua, AnyUserData) -> Result<R> + 'static,
        R: IntoLua;
    /// What writing the field does, by way of the userdata itself.
    fn add_field_function_set<F, A>(&mut self, name: impl Into<String>, function: F)
    where
        F: Fn(&Lua, AnyUserData, A) -> Result<()> + 'static,
        A: FromLua;
    /// A field of the metatable.
    fn add_meta_field(&mut self, name: impl Into<String>, value: impl IntoLua + 'static);
}

/// Where [`UserData::add_methods`] declares methods, functions and metamethods.
pub trait UserDataMethods<T> {
    /// A method: `value:name(...)`.
    fn add_method<M, A, R>(&mut self, name: impl Into<String>, method: M)
    where
        M: Fn(&Lua, &T, A) -> Result<R> + 'static,
        A: FromLuaMulti,
        R: IntoLuaMulti;
    /// A method that changes the value.
    fn add_method_mut<M, A, R>(&mut self, name: impl Into<String>, method: M)
    where
        M: Fn(&Lua, &mut T, A) -> Result<R> + 'static,
        A: FromLuaMulti,
        R: IntoLuaMulti;
    /// A function: `value.name(...)`. Called as a method, it gets the userdata as its first argument.
    fn add_function<F, A, R>(&mut self, name: impl Into<String>, function: F)
    where
        F: Fn(&Lua, A) -> Result<R> + 'static,
        A: FromLuaMulti,
        R: IntoLuaMulti;
    /// A function that changes what it has captured.
    fn add_function_mut<F, A, R>(&mut self, name: impl Into<String>, function: F)
    where
        F: FnMut(&Lua, A) -> Result<R> + 'static,
        A: FromLuaMulti,
        R: IntoLuaMulti;
    /// A metamethod whose first operand is the value. For operators where the value may be the second one, use
    /// [`UserDataMethods::add_meta_function`].
    fn add_meta_method<M, A, R>(&mut self, name: impl Into<String>, method: M)
    where
        M: Fn(&Lua, &T, A) -> Result<R> + 'static,
        A: FromLuaMulti,
        R: IntoLuaMulti;
    /// A metamethod that changes the value.
    fn add_meta_method_mut<M, A, R>(&mut self, name: impl Into<String>, method: M)
    where
        M: Fn(&Lua, &mut T, A) -> Result<R> + 'static,
        A: FromLuaMulti,
        R: IntoLuaMulti;
    /// A metamethod as a function of its operands.
    fn add_meta_function<F, A, R>(&mut self, name: impl Into<String>, function: F)
    where
        F: Fn(&Lua, A) -> Result<R> + 'static,
        A: FromLuaMulti,
        R: IntoLuaMulti;
}

macro_rules! metamethods {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// Names of metamethods. Others can be given as strings. `__gc` and `__metatable` are not for users.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum MetaMethod { $($(#[$doc])* $name,)* }
        impl MetaMethod {
            /// The key in the metatable, `__add` for instance.
            pub const fn name(self) -> &'static str {
                match self { $(MetaMethod::$name => $text,)* }
            }
        }
    };
}
metamethods! {
    /// `a + b`
    Add = "__add",
    /// `a - b`
    Sub = "__sub",
    /// `a * b`
    Mul = "__mul",
    /// `a / b`
    Div = "__div",
    /// `a % b`
    Mod = "__mod",
    /// `a ^ b`
    Pow = "__pow",
    /// `-a`
    Unm = "__unm",
    /// `a // b`
    IDiv = "__idiv",
    /// `a & b`
    BAnd = "__band",
    /// `a | b`
    BOr = "__bor",
    /// `a ~ b`
    BXor = "__bxor",
    /// `~a`
    BNot = "__bnot",
    /// `a << b`
    Shl = "__shl",
    /// `a >> b`
    Shr = "__shr",
    /// `a .. b`
    Concat = "__concat",
    /// `#a`
    Len = "__len",
    /// `a == b`
    Eq = "__eq",
    /// `a < b`
    Lt = "__lt",
    /// `a <= b`
    Le = "__le",
    /// `a[k]`, for keys that are neither fields nor methods.
    Index = "__index",
    /// `a[k] = v`, for keys that are no fields.
    NewIndex = "__newindex",
    /// `a(...)`
    Call = "__call",
    /// `tostring(a)`
    ToString = "__tostring",
    /// `pairs(a)`
    Pairs = "__pairs",
    /// The end of a to-be-closed variable.
    Close = "__close",
    /// The type's name in messages.
    Type = "__name",
}

impl From<MetaMethod> for String {
    fn from(m: MetaMethod) -> String {
        m.name().to_owned()
    }
}
impl From<MetaMethod> for Cow<'static, str> {
    fn from(m: MetaMethod) -> Cow<'static, str> {
        m.name().into()
    }
}

/// The type's name without its path, for messages.
pub(crate) fn type_name<T>() -> &'static str {
    let full = std::any::type_name::<T>();
    let end = full.find('<').unwrap_or(full.len());
    let start = full[..end].rfind("::").map_or(0, |i| i + 2);
    &full[start..end]
}

impl<T: UserData + 'static> IntoLua for T {
    fn into_lua(self, lua: &Lua) -> Result<crate::Value> {
        lua.create_userdata(self).map(crate::Value::UserData)
    }
    fn push_into_lua(self, lua: &Lua, to: crate::convert::Stack<'_>) -> Result<()> {
        let v = lua.raw_userdata(to.0, self)?;
        to.0.push(v);
        Ok(())
    }
}
