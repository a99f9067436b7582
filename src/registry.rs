//! Values that Lua code does not see.

use std::rc::Rc;

use crate::convert::Slot;
use crate::state::Ref;
use crate::{Error, FromLua, IntoLua, Lua, Result, Table};

/// Keeps a Lua value of any type. Dropping it lets the value go. Made by [`Lua::create_registry_value`].
pub struct RegistryKey(Ref);

impl std::fmt::Debug for RegistryKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RegistryKey")
    }
}

impl Lua {
    /// Keeps a value.
    ///
    /// ```
    /// let lua = traceorus::Lua::new();
    /// let key = lua.create_registry_value("kept")?;
    /// assert_eq!(lua.registry_value::<String>(&key)?, "kept");
    /// # Ok::<(), traceorus::Error>(())
    /// ```
    pub fn create_registry_value(&self, v: impl IntoLua) -> Result<RegistryKey> {
        self.state.enter(|cx| {
            v.push_into_lua(self, crate::convert::Stack(cx))?;
            Ok(RegistryKey(Ref::new(&self.state, cx, cx.arg(cx.top()))))
        })
    }
    /// The value that was kept.
    pub fn registry_value<V: FromLua>(&self, key: &RegistryKey) -> Result<V> {
        self.state.enter(|cx| {
            let raw = key.0.raw_in(&self.state)?;
            V::from_lua_slot(Slot { cx, raw }, self)
        })
    }
    /// Keeps another value in its place.
    pub fn replace_registry_value(&self, key: &mut RegistryKey, v: impl IntoLua) -> Result<()> {
        if !Rc::ptr_eq(key.0.state(), &self.state) {
            return Err(Error::foreign());
        }
        *key = self.create_registry_value(v)?;
        Ok(())
    }

    fn named_values(&self) -> Result<Table> {
        self.state.enter(|cx| {
            let t = cx.registry_table("traceorus.named");
            let t = traceorus_base::Value::ptr(t, traceorus_base::Tag::TABLE);
            Ok(Table(Ref::new(&self.state, cx, t)))
        })
    }
    /// Keeps a value under a name that Lua code does not see.
    pub fn set_named_registry_value(&self, name: &str, v: impl IntoLua) -> Result<()> {
        self.named_values()?.raw_set(name, v)
    }
    /// The value with the name, nil if there is none.
    pub fn named_registry_value<V: FromLua>(&self, name: &str) -> Result<V> {
        self.named_values()?.raw_get(name)
    }
    /// Lets go of the value with the name.
    pub fn unset_named_registry_value(&self, name: &str) -> Result<()> {
        self.named_values()?.raw_set(name, crate::Value::Nil)
    }
}
