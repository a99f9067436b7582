//! Metatables of userdata types.
//!
//! Methods and constant fields are in one table. It is `__index` itself, unless there are fields with getters or a metamethod `__index`; then
//! a function looks in the tables of getters and of methods, and calls the metamethod in the end.

use std::marker::PhantomData;

use traceorus_base::objects::{NativeClosure, ObjKind};
use traceorus_base::{Tag, Value as Raw};
use traceorus_vm::ctx::{Ctx, LResult};
use traceorus_vm::{native, table};

use super::{Receiver, UserDataFields, UserDataMethods};
use crate::callback::{self, Body, Closure, ClosureMut};
use crate::convert::{Args, Stack};
use crate::state::Ref;
use crate::{
    AnyUserData, FromLua, FromLuaMulti, Function, IntoLua, IntoLuaMulti, Lua, Result, Table,
};

/// A metatable in the making.
pub struct Registry<'a, T, K> {
    lua: &'a Lua,
    /// The userdata of a scope that it is for.
    this: Option<&'a AnyUserData>,
    meta: Table,
    members: Table,
    getters: Table,
    setters: Table,
    /// The first thing that failed.
    result: Result<()>,
    of: PhantomData<(fn(T), K)>,
}

impl<'a, T, K: Receiver<T>> Registry<'a, T, K> {
    pub(crate) fn new(lua: &'a Lua, name: &str, this: Option<&'a AnyUserData>) -> Result<Self> {
        let meta = lua.create_table()?;
        meta.raw_set("__name", name)?;
        Ok(Registry {
            lua,
            this,
            meta,
            members: lua.create_table()?,
            getters: lua.create_table()?,
            setters: lua.create_table()?,
            result: Ok(()),
            of: PhantomData,
        })
    }
    /// The finished metatable.
    pub(crate) fn finish(self) -> Result<Table> {
        self.result?;
        let meta = &self.meta;
        let index: crate::Value = meta.raw_get("__index")?;
        if self.getters.is_empty() && index.is_nil() {
            meta.raw_set("__index", &self.members)?;
        } else {
            let f = dispatcher(
                self.lua,
                native!(index_member),
                (&self.getters, &self.members, index),
            )?;
            meta.raw_set("__index", f)?;
        }
        let newindex: crate::Value = meta.raw_get("__newindex")?;
        if !self.setters.is_empty() || newindex.is_nil() {
            let f = dispatcher(self.lua, native!(set_member), (&self.setters, newindex))?;
            meta.raw_set("__newindex", f)?;
        }
        meta.raw_set("__metatable", false)?;
        Ok(self.meta)
    }
    /// The table of methods and constant fields.
    pub(crate) fn into_members(self) -> Result<Table> {
        self.result.map(|()| self.members)
    }
    fn put(&mut self, to: fn(&Self) -> &Table, name: String, value: impl IntoLua) {
        if self.result.is_ok() {
            self.result = to(self).raw_set(name, value);
        }
    }
    fn put_body<B: Body>(&mut self, to: fn(&Self) -> &Table, name: String, body: B) {
        if self.result.is_err() {
            return;
        }
        let made = self.lua.state.enter(|cx| {
            let this = self.this.map(|u| u.0.raw(cx));
            let f = callback::method(&self.lua.state, cx, body, this)?;
            Ok(Function(Ref::new(&self.lua.state, cx, f)))
        });
        match made {
            Ok(f) => self.put(to, name, f),
            Err(e) => self.result = Err(e),
        }
    }
    fn members(&self) -> &Table {
        &self.members
    }
    fn getters(&self) -> &Table {
        &self.getters
    }
    fn setters(&self) -> &Table {
        &self.setters
    }
    fn meta(&self) -> &Table {
        &self.meta
    }
    /// The name of a metamethod, unless it is not for users.
    fn meta_name(&mut self, name: impl Into<String>) -> String {
        let name = name.into();
        if matches!(name.as_str(), "__gc" | "__metatable") && self.result.is_ok() {
            self.result = Err(crate::Error::runtime(format!(
                "metamethod '{name}' is reserved"
            )));
        }
        name
    }
}

fn dispatcher(
    lua: &Lua,
    f: traceorus_base::objects::NativeFn,
    upvalues: impl IntoLuaMulti,
) -> Result<Function> {
    lua.state.enter(|cx| {
        let at = cx.top();
        let n = upvalues.push_multi_into_lua(lua, Stack(cx))?;
        let all: Vec<Raw> = (1..=n).map(|i| cx.arg(at + i)).collect();
        let f = cx.new_native(DISPATCHER, f, &all);
        Ok(Function(Ref::new(&lua.state, cx, f)))
    })
}

/// Name of the functions that look for fields.
static DISPATCHER: &str = "member";

/// Whether the running native function is a getter or setter, called for an access to a field.
pub(crate) fn called_by_dispatcher(cx: Ctx) -> bool {
    // SAFETY: [NATIVE-FRAME] the frames of the running thread are intact, and keep their functions.
    unsafe {
        traceorus_vm::debuginfo::level(cx.l, 1).is_some_and(|f| {
            (*f.func).kind == ObjKind::NativeClosure as u8
                && std::ptr::eq((*f.func.cast::<NativeClosure>()).name, DISPATCHER.as_ptr())
        })
    }
}

fn is_function(v: Raw) -> bool {
    matches!(v.tag, Tag::FUNCTION)
}

/// `__index`, where a table does not do: upvalues are getters, members, and the metamethod.
fn index_member(cx: Ctx) -> LResult<usize> {
    let key = cx.arg(2);
    // SAFETY: [GC-LIVE] upvalues and arguments.
    let (getter, member) = unsafe {
        (
            table::table_get(cx.upvalue(1).as_ptr(), key),
            table::table_get(cx.upvalue(2).as_ptr(), key),
        )
    };
    if !getter.is_nil() {
        cx.push(getter);
        cx.push(cx.arg(1));
        return cx.call_pass(1, None);
    }
    if !member.is_nil() {
        return cx.ret(member);
    }
    let other = cx.upvalue(3);
    if is_function(other) {
        cx.push(other);
        cx.push(cx.arg(1));
        cx.push(key);
        return cx.call_pass(2, None);
    }
    if other.is_nil() {
        return cx.ret(Raw::NIL);
    }
    let v = cx.index(other, key)?;
    cx.ret(v)
}

/// `__newindex`: upvalues are setters and the metamethod.
fn set_member(cx: Ctx) -> LResult<usize> {
    let key = cx.arg(2);
    // SAFETY: [GC-LIVE] an upvalue and an argument.
    let setter = unsafe { table::table_get(cx.upvalue(1).as_ptr(), key) };
    if !setter.is_nil() {
        cx.push(setter);
        cx.push(cx.arg(1));
        cx.push(cx.arg(3));
        return cx.call_pass(2, None);
    }
    let other = cx.upvalue(2);
    if is_function(other) {
        cx.push(other);
        cx.push(cx.arg(1));
        cx.push(key);
        cx.push(cx.arg(3));
        return cx.call_pass(3, None);
    }
    if other.is_nil() {
        let s = cx.tostring(key)?;
        cx.push(s);
        let name = String::from_utf8_lossy(cx.bytes(s)).into_owned();
        return Err(cx.error(format_args!("attempt to set an unknown field '{name}'")));
    }
    cx.set_index(other, key, cx.arg(3))?;
    Ok(0)
}

// ---- bodies of methods ------------------------------------------------------------------------------------------------

/// A method's types: receiver, arguments, results, how to get at the receiver.
type Types<T, A, R, K> = PhantomData<(fn(T, A) -> R, K)>;

struct Method<M, T, K, A, R>(M, Types<T, A, R, K>);

impl<M, T, K, A, R> Body for Method<M, T, K, A, R>
where
    M: Fn(&Lua, &T, A) -> Result<R>,
    K: Receiver<T>,
    A: FromLuaMulti,
    R: IntoLuaMulti,
{
    #[inline]
    fn run(&self, lua: &Lua, args: &mut Args<'_>) -> Result<usize> {
        let this = args.raw();
        let r = K::with(args.cx, this, |t| {
            let a = A::from_lua_args(args, lua)?;
            (self.0)(lua, t, a)
        });
        r?.push_multi_into_lua(lua, Stack(args.cx))
    }
}

struct MethodMut<M, T, K, A, R>(M, Types<T, A, R, K>);

impl<M, T, K, A, R> Body for MethodMut<M, T, K, A, R>
where
    M: Fn(&Lua, &mut T, A) -> Result<R>,
    K: Receiver<T>,
    A: FromLuaMulti,
    R: IntoLuaMulti,
{
    #[inline]
    fn run(&self, lua: &Lua, args: &mut Args<'_>) -> Result<usize> {
        let this = args.raw();
        let r = K::with_mut(args.cx, this, |t| {
            let a = A::from_lua_args(args, lua)?;
            (self.0)(lua, t, a)
        });
        r?.push_multi_into_lua(lua, Stack(args.cx))
    }
}

impl<T, K: Receiver<T>> UserDataFields<T> for Registry<'_, T, K> {
    fn add_field(&mut self, name: impl Into<String>, value: impl IntoLua + 'static) {
        self.put(Self::members, name.into(), value);
    }
    fn add_field_method_get<M, R>(&mut self, name: impl Into<String>, method: M)
    where
        M: Fn(&Lua, &T) -> Result<R> + 'static,
        R: IntoLua,
    {
        let m = move |lua: &Lua, t: &T, ()| method(lua, t);
        let body: Method<_, T, K, (), R> = Method(m, PhantomData);
        self.put_body(Self::getters, name.into(), body);
    }
    fn add_field_method_set<M, A>(&mut self, name: impl Into<String>, method: M)
    where
        M: Fn(&Lua, &mut T, A) -> Result<()> + 'static,
        A: FromLua,
    {
        let body: MethodMut<_, T, K, A, ()> = MethodMut(method, PhantomData);
        self.put_body(Self::setters, name.into(), body);
    }
    fn add_field_function_get<F, R>(&mut self, name: impl Into<String>, function: F)
    where
        F: Fn(&Lua, AnyUserData) -> Result<R> + 'static,
        R: IntoLua,
    {
        self.put_body(Self::getters, name.into(), Closure::new(function));
    }
    fn add_field_function_set<F, A>(&mut self, name: impl Into<String>, function: F)
    where
        F: Fn(&Lua, AnyUserData, A) -> Result<()> + 'static,
        A: FromLua,
    {
        let f = move |lua: &Lua, (u, a): (AnyUserData, A)| function(lua, u, a);
        self.put_body(Self::setters, name.into(), Closure::new(f));
    }
    fn add_meta_field(&mut self, name: impl Into<String>, value: impl IntoLua + 'static) {
        let name = self.meta_name(name);
        self.put(Self::meta, name, value);
    }
}

impl<T, K: Receiver<T>> UserDataMethods<T> for Registry<'_, T, K> {
    fn add_method<M, A, R>(&mut self, name: impl Into<String>, method: M)
    where
        M: Fn(&Lua, &T, A) -> Result<R> + 'static,
        A: FromLuaMulti,
        R: IntoLuaMulti,
    {
        let body: Method<_, T, K, A, R> = Method(method, PhantomData);
        self.put_body(Self::members, name.into(), body);
    }
    fn add_method_mut<M, A, R>(&mut self, name: impl Into<String>, method: M)
    where
        M: Fn(&Lua, &mut T, A) -> Result<R> + 'static,
        A: FromLuaMulti,
        R: IntoLuaMulti,
    {
        let body: MethodMut<_, T, K, A, R> = MethodMut(method, PhantomData);
        self.put_body(Self::members, name.into(), body);
    }
    fn add_function<F, A, R>(&mut self, name: impl Into<String>, function: F)
    where
        F: Fn(&Lua, A) -> Result<R> + 'static,
        A: FromLuaMulti,
        R: IntoLuaMulti,
    {
        self.put_body(Self::members, name.into(), Closure::new(function));
    }
    fn add_function_mut<F, A, R>(&mut self, name: impl Into<String>, function: F)
    where
        F: FnMut(&Lua, A) -> Result<R> + 'static,
        A: FromLuaMulti,
        R: IntoLuaMulti,
    {
        self.put_body(Self::members, name.into(), ClosureMut::new(function));
    }
    fn add_meta_method<M, A, R>(&mut self, name: impl Into<String>, method: M)
    where
        M: Fn(&Lua, &T, A) -> Result<R> + 'static,
        A: FromLuaMulti,
        R: IntoLuaMulti,
    {
        let name = self.meta_name(name);
        let body: Method<_, T, K, A, R> = Method(method, PhantomData);
        self.put_body(Self::meta, name, body);
    }
    fn add_meta_method_mut<M, A, R>(&mut self, name: impl Into<String>, method: M)
    where
        M: Fn(&Lua, &mut T, A) -> Result<R> + 'static,
        A: FromLuaMulti,
        R: IntoLuaMulti,
    {
        let name = self.meta_name(name);
        let body: MethodMut<_, T, K, A, R> = MethodMut(method, PhantomData);
        self.put_body(Self::meta, name, body);
    }
    fn add_meta_function<F, A, R>(&mut self, name: impl Into<String>, function: F)
    where
        F: Fn(&Lua, A) -> Result<R> + 'static,
        A: FromLuaMulti,
        R: IntoLuaMulti,
    {
        let name = self.meta_name(name);
        self.put_body(Self::meta, name, Closure::new(function));
    }
}
