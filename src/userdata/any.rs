//! Handles of userdata.

use std::any::TypeId;
use std::ops::{Deref, DerefMut};

use traceorus_base::objects::{GcHeader, Userdata};
use traceorus_base::{Tag, Value as Raw};
use traceorus_vm::ctx::Ctx;

use super::cell::{self, Access, Exclusive, Shared};
use super::{Registry, Typed, UserData, UserDataRegistry, type_name};
use crate::convert::Slot;
use crate::state::Ref;
use crate::{
    Error, ErrorKind, FromLua, FromLuaMulti, IntoLua, IntoLuaMulti, Lua, Result, Table, Value,
};

/// A userdata, of whatever type.
#[derive(Clone)]
pub struct AnyUserData(pub(crate) Ref);

/// The Rust value of a userdata, borrowed. Keeps userdata and state alive; as an argument of a function, it checks the type.
pub struct UserDataRef<T: 'static> {
    // dropped in this order
    value: Shared<T>,
    _keep: Ref,
    _lua: Lua,
}

/// The Rust value of a userdata, borrowed mutably.
pub struct UserDataRefMut<T: 'static> {
    // dropped in this order
    value: Exclusive<T>,
    _keep: Ref,
    _lua: Lua,
}

impl<T> Deref for UserDataRef<T> {
    type Target = T;
    fn deref(&self) -> &T {
        self.value.get()
    }
}
impl<T> Deref for UserDataRefMut<T> {
    type Target = T;
    fn deref(&self) -> &T {
        self.value.get()
    }
}
impl<T> DerefMut for UserDataRefMut<T> {
    fn deref_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }
}
impl<T: std::fmt::Debug> std::fmt::Debug for UserDataRef<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        (**self).fmt(f)
    }
}
impl<T: std::fmt::Debug> std::fmt::Debug for UserDataRefMut<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        (**self).fmt(f)
    }
}

/// The value of a userdata of this type.
fn access<T: 'static>(v: Value) -> Result<(Access<T>, Ref, Lua)> {
    let Value::UserData(u) = v else {
        return Err(Error::conversion(type_name::<T>(), v.type_name()));
    };
    let cell = u.access()?;
    let lua = u.0.lua().clone();
    Ok((cell, u.0, lua))
}
impl<T: 'static> FromLua for UserDataRef<T> {
    fn from_lua(v: Value, _: &Lua) -> Result<UserDataRef<T>> {
        let (cell, keep, lua) = access::<T>(v)?;
        Ok(UserDataRef {
            value: cell.borrow()?,
            _keep: keep,
            _lua: lua,
        })
    }
}
impl<T: 'static> FromLua for UserDataRefMut<T> {
    fn from_lua(v: Value, _: &Lua) -> Result<UserDataRefMut<T>> {
        let (cell, keep, lua) = access::<T>(v)?;
        Ok(UserDataRefMut {
            value: cell.borrow_mut()?,
            _keep: keep,
            _lua: lua,
        })
    }
}

impl Lua {
    /// A userdata that owns the value.
    pub fn create_userdata<T: UserData + 'static>(&self, value: T) -> Result<AnyUserData> {
        self.state.enter(|cx| {
            let v = self.raw_userdata(cx, value)?;
            Ok(AnyUserData(Ref::new(&self.state, cx, v)))
        })
    }
    /// A userdata that owns a value of any type. Unless the type has been registered by [`Lua::register_userdata_type`], Lua code can only pass
    /// it on.
    pub fn create_any_userdata<T: 'static>(&self, value: T) -> Result<AnyUserData> {
        self.state.enter(|cx| {
            let mt = self.metatable_with::<T>(cx, |_| ())?;
            let v = self.with_metatable(cx, value, mt)?;
            Ok(AnyUserData(Ref::new(&self.state, cx, v)))
        })
    }
    /// Declares fields and methods of a type that does not implement [`UserData`], before the first value of it is given to Lua.
    ///
    /// ```
    /// use traceorus::{Lua, UserDataMethods};
    ///
    /// let lua = Lua::new();
    /// lua.register_userdata_type::<std::time::Duration>(|reg| {
    ///     reg.add_method("seconds", |_, this, ()| Ok(this.as_secs_f64()));
    /// })?;
    /// lua.globals().set("d", lua.create_any_userdata(std::time::Duration::from_millis(1500))?)?;
    /// assert_eq!(lua.load("d:seconds()").eval::<f64>()?, 1.5);
    /// # Ok::<(), traceorus::Error>(())
    /// ```
    pub fn register_userdata_type<T: 'static>(
        &self,
        f: impl FnOnce(&mut UserDataRegistry<'_, T>),
    ) -> Result<()> {
        self.state.enter(|cx| {
            if self.state.types.borrow().contains_key(&TypeId::of::<T>()) {
                return Err(Error::runtime(format!(
                    "type {} is already known",
                    type_name::<T>()
                )));
            }
            self.metatable_with::<T>(cx, f).map(drop)
        })
    }
    /// A table with the functions of the type, for constructors and the like: `Type.new(...)`.
    ///
    /// ```
    /// use traceorus::{Lua, UserData, UserDataMethods};
    ///
    /// struct Counter(u32);
    /// impl UserData for Counter {
    ///     fn add_methods<M: UserDataMethods<Self>>(methods: &mut M) {
    ///         methods.add_function("new", |_, start: u32| Ok(Counter(start)));
    ///         methods.add_method_mut("next", |_, this, ()| {
    ///             this.0 += 1;
    ///             Ok(this.0)
    ///         });
    ///     }
    /// }
    /// let lua = Lua::new();
    /// lua.globals().set("Counter", lua.create_proxy::<Counter>()?)?;
    /// assert_eq!(lua.load("local c = Counter.new(5) c:next() return c:next()").eval::<u32>()?, 7);
    /// # Ok::<(), traceorus::Error>(())
    /// ```
    pub fn create_proxy<T: UserData + 'static>(&self) -> Result<Table> {
        let proxy = self.create_table()?;
        let mut r = Registry::<T, Typed>::new(self, type_name::<T>(), None)?;
        T::add_methods(&mut r);
        let members = r.into_members()?;
        for pair in members.pairs::<Value, Value>() {
            let (k, v) = pair?;
            proxy.raw_set(k, v)?;
        }
        Ok(proxy)
    }

    /// [`Lua::create_userdata`] in the running frame.
    pub(crate) fn raw_userdata<T: UserData + 'static>(&self, cx: Ctx, value: T) -> Result<Raw> {
        let mt = self.metatable_with::<T>(cx, |r| {
            T::add_fields(r);
            T::add_methods(r);
        })?;
        self.with_metatable(cx, value, mt)
    }
    fn with_metatable<T: 'static>(&self, cx: Ctx, value: T, mt: Raw) -> Result<Raw> {
        let v = cell::create(&self.state, cx, value, cell::typed::<T>(), 1)?;
        cx.set_metatable(v, mt.as_ptr());
        Ok(v)
    }
    /// The metatable of a type, made at the first time.
    fn metatable_with<T: 'static>(
        &self,
        cx: Ctx,
        f: impl FnOnce(&mut Registry<'_, T, Typed>),
    ) -> Result<Raw> {
        let id = TypeId::of::<T>();
        if let Some(&slot) = self.state.types.borrow().get(&id) {
            return Ok(cx.g().refs.get(slot));
        }
        let mut r = Registry::new(self, type_name::<T>(), None)?;
        f(&mut r);
        let mt = r.finish()?.0.raw(cx);
        let slot = cx.g().refs.add(mt);
        self.state.types.borrow_mut().insert(id, slot);
        Ok(mt)
    }
}

impl AnyUserData {
    fn access<T: 'static>(&self) -> Result<Access<T>> {
        let v = self.0.peek().ok_or_else(Error::closed)?;
        cell::of_type(v).ok_or_else(|| {
            // SAFETY: the state is open, the value has a reference.
            let got = match self.0.state().global() {
                Some(g) => traceorus_vm::debuginfo::type_name_of(g, v, true),
                None => "userdata".into(),
            };
            Error::conversion(type_name::<T>(), &got)
        })
    }
    /// The value is of this type (and not of a scope).
    pub fn is<T: 'static>(&self) -> bool {
        self.0.peek().and_then(cell::type_of) == Some(TypeId::of::<T>())
    }
    /// Borrows the value.
    pub fn borrow<T: 'static>(&self) -> Result<UserDataRef<T>> {
        UserDataRef::from_lua(Value::UserData(self.clone()), &self.0.lua())
    }
    /// Borrows the value mutably.
    pub fn borrow_mut<T: 'static>(&self) -> Result<UserDataRefMut<T>> {
        UserDataRefMut::from_lua(Value::UserData(self.clone()), &self.0.lua())
    }
    /// Takes the value out. From then on, using the userdata is an error.
    pub fn take<T: 'static>(&self) -> Result<T> {
        self.access::<T>()?.take()
    }
    /// Drops the value now. From then on, using the userdata is an error.
    pub fn destroy(&self) -> Result<()> {
        let v = self.0.peek().ok_or_else(Error::closed)?;
        if cell::destroy(v) {
            Ok(())
        } else {
            Err(Error::new(
                ErrorKind::Borrow,
                "the Rust value is borrowed or gone",
            ))
        }
    }
    /// User value `n` (from 1): a Lua value that belongs to the userdata.
    pub fn nth_user_value<V: FromLua>(&self, n: usize) -> Result<V> {
        self.user_value_at(n)
    }
    /// Sets user value `n` (from 1).
    pub fn set_nth_user_value(&self, n: usize, value: impl IntoLua) -> Result<()> {
        self.set_user_value_at(n, value)
    }
    /// The first user value.
    pub fn user_value<V: FromLua>(&self) -> Result<V> {
        self.user_value_at(1)
    }
    /// Sets the first user value.
    pub fn set_user_value(&self, value: impl IntoLua) -> Result<()> {
        self.set_user_value_at(1, value)
    }
    /// The user value with a name.
    pub fn named_user_value<V: FromLua>(&self, name: &str) -> Result<V> {
        self.user_value_at(name)
    }
    /// Sets a user value with a name.
    pub fn set_named_user_value(&self, name: &str, value: impl IntoLua) -> Result<()> {
        self.set_user_value_at(name, value)
    }
    /// The slot that holds the table of user values.
    fn slot(v: Raw) -> Result<*mut Raw> {
        // SAFETY: [GC-LIVE] the userdata has a reference.
        unsafe {
            let u = v.as_ptr::<Userdata>();
            if (*u).nuv() == 0 || (*u).owner == 0 {
                return Err(Error::runtime("the userdata has no user values"));
            }
            Ok((u as *mut u8).add(Userdata::UVALS).cast())
        }
    }
    fn user_value_at<V: FromLua>(&self, key: impl IntoLua) -> Result<V> {
        let lua = self.0.lua();
        lua.state.enter(|cx| {
            // SAFETY: [GC-LIVE] the userdata has a reference.
            let t = unsafe { *AnyUserData::slot(self.0.raw(cx))? };
            if t.tag != Tag::TABLE {
                return V::from_lua_slot(Slot { cx, raw: Raw::NIL }, &lua);
            }
            Table(Ref::new(&lua.state, cx, t)).raw_get(key)
        })
    }
    fn set_user_value_at(&self, key: impl IntoLua, value: impl IntoLua) -> Result<()> {
        let lua = self.0.lua();
        lua.state.enter(|cx| {
            let u = self.0.raw(cx);
            let slot = AnyUserData::slot(u)?;
            // SAFETY: [GC-LIVE] the userdata has a reference; [GC-BARRIER] taken.
            let t = unsafe {
                if (*slot).tag != Tag::TABLE {
                    let t = Raw::ptr(cx.new_table(0, 0), Tag::TABLE);
                    t.store(slot);
                    if (*u.as_ptr::<GcHeader>()).barrier != 0 {
                        cx.g().heap.barrier(u.as_ptr(), t);
                    }
                }
                *slot
            };
            Table(Ref::new(&lua.state, cx, t)).raw_set(key, value)
        })
    }
    /// The metatable.
    pub fn metatable(&self) -> Option<Table> {
        let lua = self.0.lua();
        let mt = lua.state.enter(|cx| {
            let mt = cx.metatable_of(self.0.raw(cx));
            Ok((!mt.is_null()).then(|| Table(Ref::new(&lua.state, cx, Raw::ptr(mt, Tag::TABLE)))))
        });
        mt.ok().flatten()
    }
    /// `userdata[key]`.
    pub fn get<V: FromLua>(&self, key: impl IntoLua) -> Result<V> {
        let lua = self.0.lua();
        lua.state.get(&lua, &self.0, key)
    }
    /// `userdata[key] = value`.
    pub fn set(&self, key: impl IntoLua, value: impl IntoLua) -> Result<()> {
        let lua = self.0.lua();
        lua.state.set(&lua, &self.0, key, value)
    }
    /// Calls the userdata, which has `__call`.
    pub fn call<R: FromLuaMulti>(&self, args: impl IntoLuaMulti) -> Result<R> {
        crate::Function(self.0.clone()).call(args)
    }
    /// `userdata.name(...)`.
    pub fn call_function<R: FromLuaMulti>(&self, name: &str, args: impl IntoLuaMulti) -> Result<R> {
        let lua = self.0.lua();
        lua.state.call_member(&lua, &self.0, name, false, args)
    }
    /// `userdata:name(...)`.
    pub fn call_method<R: FromLuaMulti>(&self, name: &str, args: impl IntoLuaMulti) -> Result<R> {
        let lua = self.0.lua();
        lua.state.call_member(&lua, &self.0, name, true, args)
    }
}
