//! The state as its users see it.

use std::rc::Rc;
use std::time::Duration;

use traceorus_base::{Tag, Value as Raw};

use crate::callback::{self, Closure, ClosureMut};
use crate::convert::{Slot, Stack};
use crate::limits::InterruptHandle;
use crate::state::{Ref, State};
use crate::{
    Builder, FromLua, FromLuaMulti, Function, IntoLua, IntoLuaMulti, LuaString, MultiValue, Result,
    Table, Value,
};

/// A Lua state.
///
/// It is a reference: clones are the same state. It belongs to one thread; a program may have many. The state is closed when the last `Lua`
/// (or guard, such as [`UserDataRef`](crate::UserDataRef)) is dropped: finalizers run, Rust values are dropped. Handles such as [`Table`] do not keep
/// it open; using one afterwards is an error of kind [`Handle`](crate::ErrorKind::Handle).
///
/// A Rust function that Lua code calls gets the `Lua` as its first argument. It should not capture a clone, which would keep
/// the state, and thereby the function, alive for ever; [`Lua::weak`] is for that.
pub struct Lua {
    pub(crate) state: Rc<State>,
}

/// A reference to a state that does not keep it open.
#[derive(Clone)]
pub struct WeakLua(Rc<State>);

impl WeakLua {
    /// The state, if it is still open.
    pub fn upgrade(&self) -> Option<Lua> {
        self.0.is_open().then(|| {
            self.0.add_owner();
            Lua {
                state: self.0.clone(),
            }
        })
    }
}

impl Clone for Lua {
    #[inline]
    fn clone(&self) -> Lua {
        self.state.add_owner();
        Lua {
            state: self.state.clone(),
        }
    }
}

impl Drop for Lua {
    #[inline]
    fn drop(&mut self) {
        self.state.remove_owner();
    }
}

impl Default for Lua {
    fn default() -> Lua {
        Lua::new()
    }
}

impl Lua {
    /// A state with all libraries but `debug`, and no limits.
    pub fn new() -> Lua {
        Builder::default().build()
    }
    /// Settings for a new state.
    pub fn builder() -> Builder {
        Builder::default()
    }
    /// A reference that does not keep the state open.
    pub fn weak(&self) -> WeakLua {
        WeakLua(self.state.clone())
    }

    // ---- globals ---------------------------------------------------------------------------------------------------

    /// The globals table.
    pub fn globals(&self) -> Table {
        let g = self.state.global().expect("the state is open");
        Table(Ref::keep(&self.state, Raw::ptr(g.hot.globals, Tag::TABLE)))
    }
    /// Makes a Rust function a global: short for [`Lua::create_function`] and [`Table::set`].
    ///
    /// ```
    /// let lua = traceorus::Lua::new();
    /// lua.register("add", |_, (a, b): (i64, i64)| Ok(a + b))?;
    /// assert_eq!(lua.load("add(2, 3)").eval::<i64>()?, 5);
    /// # Ok::<(), traceorus::Error>(())
    /// ```
    pub fn register<F, A, R>(&self, name: &str, f: F) -> Result<()>
    where
        F: Fn(&Lua, A) -> Result<R> + 'static,
        A: FromLuaMulti,
        R: IntoLuaMulti,
    {
        self.globals().set(name, self.create_function(f)?)
    }

    // ---- making values -----------------------------------------------------------------------------------------------

    /// A Lua string.
    pub fn create_string(&self, bytes: impl AsRef<[u8]>) -> Result<LuaString> {
        self.state.enter(|cx| {
            self.state.push_bytes(cx, bytes.as_ref())?;
            Ok(LuaString(Ref::new(&self.state, cx, cx.arg(cx.top()))))
        })
    }
    /// An empty table.
    pub fn create_table(&self) -> Result<Table> {
        self.create_table_with_capacity(0, 0)
    }
    /// An empty table with room for so many elements of a sequence and so many other entries.
    pub fn create_table_with_capacity(&self, narr: usize, nrec: usize) -> Result<Table> {
        self.state.enter(|cx| {
            let bytes = traceorus_vm::table::table_new_bytes(narr, nrec);
            self.state.reserve(cx, bytes.saturating_add(256))?;
            let t = Raw::ptr(cx.new_table(narr, nrec), Tag::TABLE);
            Ok(Table(Ref::new(&self.state, cx, t)))
        })
    }
    /// A table with these entries.
    pub fn create_table_from<K: IntoLua, V: IntoLua>(
        &self,
        entries: impl IntoIterator<Item = (K, V)>,
    ) -> Result<Table> {
        let entries = entries.into_iter();
        let t = self.create_table_with_capacity(0, entries.size_hint().0.min(1 << 16))?;
        self.state.enter(|cx| {
            let top = cx.top();
            for (k, v) in entries {
                k.push_into_lua(self, Stack(cx))?;
                v.push_into_lua(self, Stack(cx))?;
                cx.raw_set(t.0.raw(cx).as_ptr(), cx.arg(top + 1), cx.arg(top + 2))
                    .map_err(|_| self.state.caught(cx))?;
                cx.set_top(top);
            }
            Ok(())
        })?;
        Ok(t)
    }
    /// A table with these elements, from index 1.
    pub fn create_sequence_from<T: IntoLua>(
        &self,
        elements: impl IntoIterator<Item = T>,
    ) -> Result<Table> {
        let elements = elements.into_iter();
        let t = self.create_table_with_capacity(elements.size_hint().0.min(1 << 16), 0)?;
        self.state.enter(|cx| {
            let top = cx.top();
            for (i, v) in elements.enumerate() {
                v.push_into_lua(self, Stack(cx))?;
                cx.raw_set(
                    t.0.raw(cx).as_ptr(),
                    Raw::int(i as i64 + 1),
                    cx.arg(top + 1),
                )
                .map_err(|_| self.state.caught(cx))?;
                cx.set_top(top);
            }
            Ok(())
        })?;
        Ok(t)
    }
    /// A Lua function that calls the Rust one. Arguments and results are converted: see [`FromLuaMulti`] and [`IntoLuaMulti`]. An `Err` is
    /// raised as a Lua error. A panic passes through Lua code, which cannot catch it, and goes on where Rust code had called Lua; the
    /// state stays usable.
    ///
    /// ```
    /// use traceorus::{Error, Lua};
    ///
    /// let lua = Lua::new();
    /// let div = lua.create_function(|_, (a, b): (i64, i64)| {
    ///     a.checked_div(b).ok_or_else(|| Error::runtime("division by zero"))
    /// })?;
    /// lua.globals().set("div", div)?;
    /// assert_eq!(lua.load("div(7, 2)").eval::<i64>()?, 3);
    /// let (ok, message): (bool, String) = lua.load("pcall(div, 1, 0)").eval()?;
    /// assert_eq!((ok, message.as_str()), (false, "division by zero"));
    /// # Ok::<(), Error>(())
    /// ```
    pub fn create_function<F, A, R>(&self, f: F) -> Result<Function>
    where
        F: Fn(&Lua, A) -> Result<R> + 'static,
        A: FromLuaMulti,
        R: IntoLuaMulti,
    {
        callback::function(&self.state, Closure::new(f))
    }
    /// The same for a function that changes what it has captured. If it is called while it runs, that is an error.
    pub fn create_function_mut<F, A, R>(&self, f: F) -> Result<Function>
    where
        F: FnMut(&Lua, A) -> Result<R> + 'static,
        A: FromLuaMulti,
        R: IntoLuaMulti,
    {
        callback::function(&self.state, ClosureMut::new(f))
    }

    // ---- conversions ---------------------------------------------------------------------------------------------------

    /// The Lua value of a Rust value.
    pub fn pack(&self, v: impl IntoLua) -> Result<Value> {
        v.into_lua(self)
    }
    /// The Lua values of a list of Rust values.
    pub fn pack_multi(&self, v: impl IntoLuaMulti) -> Result<MultiValue> {
        v.into_lua_multi(self)
    }
    /// A Lua value as a Rust value.
    pub fn unpack<T: FromLua>(&self, v: Value) -> Result<T> {
        self.state.enter(|cx| {
            self.state.push_value(cx, &v)?;
            let raw = cx.arg(cx.top());
            T::from_lua_slot(Slot { cx, raw }, self)
        })
    }
    /// A list of Lua values as Rust values.
    pub fn unpack_multi<T: FromLuaMulti>(&self, v: MultiValue) -> Result<T> {
        T::from_lua_multi(v, self)
    }

    // ---- modules -------------------------------------------------------------------------------------------------------

    fn registry_table(&self, name: &str) -> Result<Table> {
        self.state.enter(|cx| {
            let t = Raw::ptr(cx.registry_table(name), Tag::TABLE);
            Ok(Table(Ref::new(&self.state, cx, t)))
        })
    }
    /// Makes `require(name)` give this value.
    ///
    /// ```
    /// let lua = traceorus::Lua::new();
    /// lua.register_module("host", lua.create_table_from([("version", 3)])?)?;
    /// assert_eq!(lua.load("require('host').version").eval::<i64>()?, 3);
    /// # Ok::<(), traceorus::Error>(())
    /// ```
    pub fn register_module(&self, name: &str, value: impl IntoLua) -> Result<()> {
        self.registry_table("_LOADED")?.raw_set(name, value)
    }
    /// Makes the first `require(name)` call this function, with the name, for the module.
    pub fn preload_module(&self, name: &str, f: Function) -> Result<()> {
        self.registry_table("_PRELOAD")?.raw_set(name, f)
    }
    /// Makes `require(name)` load the module anew.
    pub fn unload_module(&self, name: &str) -> Result<()> {
        self.registry_table("_LOADED")?.raw_set(name, Value::Nil)
    }
    /// Asks this function for modules that are neither loaded nor preloaded, before files are looked for. It gets the name, and gives the function
    /// that makes the module, or `None`. The library `package` is open.
    ///
    /// ```
    /// let lua = traceorus::Lua::new();
    /// lua.add_searcher(|lua, name| match name.as_str() {
    ///     "answer" => lua.load("return 42").into_function().map(Some),
    ///     _ => Ok(None),
    /// })?;
    /// assert_eq!(lua.load("require('answer')").eval::<i64>()?, 42);
    /// # Ok::<(), traceorus::Error>(())
    /// ```
    pub fn add_searcher(
        &self,
        f: impl Fn(&Lua, String) -> Result<Option<Function>> + 'static,
    ) -> Result<()> {
        let package: Table = self.registry_table("_LOADED")?.raw_get("package")?;
        let searchers: Table = package.raw_get("searchers")?;
        let searcher = self.create_function(move |lua, name: String| {
            Ok(match f(lua, name.clone())? {
                Some(f) => (Value::Function(f), Some(":host:".to_owned())),
                None => (lua.pack(format!("no module '{name}' in the host"))?, None),
            })
        })?;
        searchers.raw_insert(2, searcher)
    }

    // ---- limits ----------------------------------------------------------------------------------------------------------

    /// Sets the time limit for each further call from Rust into Lua.
    pub fn set_time_limit(&self, t: Option<Duration>) {
        self.state.time_limit.set(t);
    }
    /// A handle by which another thread can interrupt running Lua code.
    pub fn interrupt_handle(&self) -> InterruptHandle {
        InterruptHandle(self.state.watch.clone())
    }
}
