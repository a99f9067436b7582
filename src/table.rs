//! Tables.

use std::marker::PhantomData;

use traceorus_base::{Tag, Value as Raw};
use traceorus_vm::ctx::Ctx;
use traceorus_vm::exec::{self, Access};
use traceorus_vm::table;

use crate::convert::{Slot, Stack};
use crate::state::{Op, Ref, State};
use crate::{Error, FromLua, FromLuaMulti, Function, IntoLua, IntoLuaMulti, Lua, Result, Value};

/// A Lua table.
///
/// [`Table::get`], [`Table::set`] and others that say so respect metamethods; the `raw_` ones and iteration do not.
///
/// ```
/// let lua = traceorus::Lua::new();
/// let t = lua.create_table()?;
/// t.set("name", "Ada")?;
/// t.set(1, 10)?;
/// t.push(20)?;
/// assert_eq!(t.get::<String>("name")?, "Ada");
/// assert_eq!(t.sequence_values::<i64>().collect::<Result<Vec<_>, _>>()?, [10, 20]);
/// assert_eq!(t.get::<Option<i64>>("absent")?, None);
/// # Ok::<(), traceorus::Error>(())
/// ```
#[derive(Clone)]
pub struct Table(pub(crate) Ref);

impl State {
    /// `t[k]`, both in the frame, metamethods included.
    #[inline]
    pub(crate) fn index(&self, cx: Ctx, t: Raw, k: Raw) -> Result<Raw> {
        // SAFETY: [GC-LIVE] both are in the frame or have references.
        match unsafe { exec::index_step(cx.g(), t, k) } {
            Access::Done(v) => Ok(v),
            _ => self.operate(cx, Op::Index, &[t, k]),
        }
    }
    /// `t[k] = v`, all in the frame, metamethods included.
    #[inline]
    pub(crate) fn set_index(&self, cx: Ctx, t: Raw, k: Raw, v: Raw) -> Result<()> {
        // SAFETY: [GC-LIVE] all are in the frame or have references.
        match unsafe { exec::set_step(cx.l, t, k, v, false) } {
            Ok(Access::Done(_)) => Ok(()),
            Ok(_) => self.operate(cx, Op::SetIndex, &[t, k, v]).map(drop),
            Err(_) => Err(self.caught(cx)),
        }
    }
    /// The object's value for the key.
    pub(crate) fn get<V: FromLua>(&self, lua: &Lua, r: &Ref, key: impl IntoLua) -> Result<V> {
        self.enter(|cx| {
            key.push_into_lua(lua, Stack(cx))?;
            let v = self.index(cx, r.raw(cx), cx.arg(cx.top()))?;
            cx.push(v);
            V::from_lua_slot(Slot { cx, raw: v }, lua)
        })
    }
    /// Sets the object's value for the key.
    pub(crate) fn set(
        &self,
        lua: &Lua,
        r: &Ref,
        key: impl IntoLua,
        value: impl IntoLua,
    ) -> Result<()> {
        self.enter(|cx| {
            key.push_into_lua(lua, Stack(cx))?;
            value.push_into_lua(lua, Stack(cx))?;
            let n = cx.top();
            self.set_index(cx, r.raw(cx), cx.arg(n - 1), cx.arg(n))
        })
    }
    /// Calls a member of the object, with the object as first argument or not.
    pub(crate) fn call_member<R: FromLuaMulti>(
        &self,
        lua: &Lua,
        r: &Ref,
        name: &str,
        method: bool,
        args: impl IntoLuaMulti,
    ) -> Result<R> {
        self.enter(|cx| {
            self.begin_call(cx);
            let at = cx.top() + 1;
            cx.push(Raw::NIL);
            self.push_bytes(cx, name.as_bytes())?;
            let f = self.index(cx, r.raw(cx), cx.arg(at + 1))?;
            cx.set(at, f);
            cx.set_top(at);
            if !matches!(f.tag, Tag::FUNCTION) && cx.metafield(f, "__call").is_nil() {
                return Err(Error::runtime(format!(
                    "attempt to call a {} value (member '{name}')",
                    f.tag.type_name()
                )));
            }
            if method {
                cx.push(r.raw(cx));
            }
            let n = args.push_multi_into_lua(lua, Stack(cx))? + usize::from(method);
            self.results(lua, cx, n)
        })
    }
}

impl Table {
    fn with<R>(&self, f: impl FnOnce(&Lua, Ctx<'_>, Raw) -> Result<R>) -> Result<R> {
        let lua = self.0.lua();
        lua.state.enter(|cx| f(&lua, cx, self.0.raw(cx)))
    }

    /// `t[key]`, metamethods included.
    pub fn get<V: FromLua>(&self, key: impl IntoLua) -> Result<V> {
        let lua = self.0.lua();
        lua.state.get(&lua, &self.0, key)
    }
    /// `t[key] = value`, metamethods included.
    pub fn set(&self, key: impl IntoLua, value: impl IntoLua) -> Result<()> {
        let lua = self.0.lua();
        lua.state.set(&lua, &self.0, key, value)
    }
    /// `t[key]` without metamethods.
    pub fn raw_get<V: FromLua>(&self, key: impl IntoLua) -> Result<V> {
        self.with(|lua, cx, t| {
            key.push_into_lua(lua, Stack(cx))?;
            // SAFETY: [GC-LIVE] the table has a reference, the key is in the frame.
            let v = unsafe { table::table_get(t.as_ptr(), cx.arg(cx.top())) };
            cx.push(v);
            V::from_lua_slot(Slot { cx, raw: v }, lua)
        })
    }
    /// `t[key] = value` without metamethods. Fails for the keys nil and NaN.
    pub fn raw_set(&self, key: impl IntoLua, value: impl IntoLua) -> Result<()> {
        self.with(|lua, cx, t| {
            key.push_into_lua(lua, Stack(cx))?;
            value.push_into_lua(lua, Stack(cx))?;
            let n = cx.top();
            cx.raw_set(t.as_ptr(), cx.arg(n - 1), cx.arg(n))
                .map_err(|_| lua.state.caught(cx))
        })
    }
    /// `t[key] ~= nil`, metamethods included.
    pub fn contains_key(&self, key: impl IntoLua) -> Result<bool> {
        Ok(!self.get::<Value>(key)?.is_nil())
    }
    /// `#t`, metamethods included.
    pub fn len(&self) -> Result<i64> {
        self.with(|lua, cx, t| {
            let n = lua.state.operate(cx, Op::Len, &[t])?;
            Ok(n.as_int())
        })
    }
    /// `#t` without metamethods: a border, for a sequence its length. 0 once the state is closed.
    pub fn raw_len(&self) -> usize {
        // SAFETY: [GC-LIVE] the table has a reference.
        self.with(|_, _, t| Ok(unsafe { table::table_len(t.as_ptr()) } as usize))
            .unwrap_or(0)
    }
    /// No key has a value. True once the state is closed.
    pub fn is_empty(&self) -> bool {
        // SAFETY: [GC-LIVE] the table has a reference.
        self.with(|_, _, t| Ok(unsafe { table::table_next(t.as_ptr(), Raw::NIL, 0) }))
            .is_ok_and(|next| matches!(next, Ok(None)))
            || !self.0.state().is_open()
    }
    /// `t[#t + 1] = value`, metamethods included.
    pub fn push(&self, value: impl IntoLua) -> Result<()> {
        self.set(self.len()?.wrapping_add(1), value)
    }
    /// Removes the last element of the sequence (nil if it is empty), metamethods included.
    pub fn pop<V: FromLua>(&self) -> Result<V> {
        let n = self.len()?;
        let v = self.get(n)?;
        if n > 0 {
            self.set(n, Value::Nil)?;
        }
        Ok(v)
    }
    /// [`Table::push`] without metamethods.
    pub fn raw_push(&self, value: impl IntoLua) -> Result<()> {
        self.raw_set(self.raw_len() + 1, value)
    }
    /// [`Table::pop`] without metamethods.
    pub fn raw_pop<V: FromLua>(&self) -> Result<V> {
        let n = self.raw_len();
        let v = self.raw_get(n)?;
        if n > 0 {
            self.raw_set(n, Value::Nil)?;
        }
        Ok(v)
    }
    /// Inserts into the sequence before position `at` (from 1 to `#t + 1`), without metamethods.
    pub fn raw_insert(&self, at: usize, value: impl IntoLua) -> Result<()> {
        let n = self.raw_len();
        if at == 0 || at > n + 1 {
            return Err(Error::runtime("position out of bounds"));
        }
        for i in (at..=n).rev() {
            self.raw_set(i + 1, self.raw_get::<Value>(i)?)?;
        }
        self.raw_set(at, value)
    }
    /// Removes position `at` (from 1 to `#t`) of the sequence, without metamethods.
    pub fn raw_remove<V: FromLua>(&self, at: usize) -> Result<V> {
        let n = self.raw_len();
        if at == 0 || at > n {
            return Err(Error::runtime("position out of bounds"));
        }
        let v = self.raw_get(at)?;
        for i in at..n {
            self.raw_set(i, self.raw_get::<Value>(i + 1)?)?;
        }
        self.raw_set(n, Value::Nil)?;
        Ok(v)
    }
    /// Removes all entries, without metamethods.
    pub fn clear(&self) -> Result<()> {
        for pair in self.pairs::<Value, Value>() {
            self.raw_set(pair?.0, Value::Nil)?;
        }
        Ok(())
    }
    /// `t == other`, `__eq` included. (`==` is raw equality.)
    pub fn equals(&self, other: &Table) -> Result<bool> {
        crate::value::equals(&self.0, &other.0)
    }

    /// The metatable.
    pub fn metatable(&self) -> Option<Table> {
        self.with(|lua, cx, t| {
            let mt = cx.metatable_of(t);
            Ok((!mt.is_null()).then(|| Table(Ref::new(&lua.state, cx, Raw::ptr(mt, Tag::TABLE)))))
        })
        .ok()
        .flatten()
    }
    /// Sets or removes the metatable.
    pub fn set_metatable(&self, metatable: Option<Table>) -> Result<()> {
        self.with(|lua, cx, t| {
            let mt = match &metatable {
                Some(mt) => mt.0.raw_in(&lua.state)?.as_ptr(),
                None => std::ptr::null_mut(),
            };
            cx.set_metatable(t, mt);
            Ok(())
        })
    }

    /// All entries, in the order of Lua's `next`, without metamethods. Existing entries may be changed or removed meanwhile, but
    /// none added.
    ///
    /// ```
    /// let lua = traceorus::Lua::new();
    /// let prices = lua.create_table_from([("soup", 4.5), ("pie", 6.0)])?;
    /// let mut total = 0.0;
    /// for pair in prices.pairs::<String, f64>() {
    ///     let (_dish, price) = pair?;
    ///     total += price;
    /// }
    /// assert_eq!(total, 10.5);
    /// # Ok::<(), traceorus::Error>(())
    /// ```
    pub fn pairs<K: FromLua, V: FromLua>(&self) -> TablePairs<'_, K, V> {
        TablePairs {
            table: self,
            key: None,
            hint: 0,
            done: false,
            of: PhantomData,
        }
    }
    /// The elements from 1 up to the first nil, without metamethods.
    pub fn sequence_values<V: FromLua>(&self) -> TableSequence<'_, V> {
        TableSequence {
            table: self,
            next: 1,
            done: false,
            of: PhantomData,
        }
    }
    /// Calls `f` with each entry, as [`Table::pairs`] gives them.
    pub fn for_each<K: FromLua, V: FromLua>(
        &self,
        mut f: impl FnMut(K, V) -> Result<()>,
    ) -> Result<()> {
        self.pairs().try_for_each(|pair| {
            let (k, v) = pair?;
            f(k, v)
        })
    }

    /// Calls the table, which has `__call`.
    pub fn call<R: FromLuaMulti>(&self, args: impl IntoLuaMulti) -> Result<R> {
        Function(self.0.clone()).call(args)
    }
    /// `t.name(...)`.
    pub fn call_function<R: FromLuaMulti>(&self, name: &str, args: impl IntoLuaMulti) -> Result<R> {
        let lua = self.0.lua();
        lua.state.call_member(&lua, &self.0, name, false, args)
    }
    /// `t:name(...)`.
    pub fn call_method<R: FromLuaMulti>(&self, name: &str, args: impl IntoLuaMulti) -> Result<R> {
        let lua = self.0.lua();
        lua.state.call_member(&lua, &self.0, name, true, args)
    }
}

/// Iterator over entries, see [`Table::pairs`].
pub struct TablePairs<'a, K, V> {
    table: &'a Table,
    /// The last key.
    key: Option<Ref>,
    hint: u32,
    done: bool,
    of: PhantomData<fn() -> (K, V)>,
}

impl<K: FromLua, V: FromLua> Iterator for TablePairs<'_, K, V> {
    type Item = Result<(K, V)>;
    fn next(&mut self) -> Option<Result<(K, V)>> {
        if self.done {
            return None;
        }
        let next = self.table.with(|lua, cx, t| {
            let key = self.key.as_ref().map_or(Raw::NIL, |k| k.raw(cx));
            // SAFETY: [GC-LIVE] the table has a reference, so has the key.
            let next = unsafe { table::table_next(t.as_ptr(), key, self.hint) };
            let Some((k, v, hint)) = next.map_err(|_| Error::runtime("invalid key to 'next'"))?
            else {
                return Ok(None);
            };
            self.hint = hint;
            match &self.key {
                Some(r) => cx.g().refs.set(r.slot(), k),
                None => self.key = Some(Ref::new(&lua.state, cx, k)),
            }
            cx.push(k);
            cx.push(v);
            Ok(Some((
                K::from_lua_slot(Slot { cx, raw: k }, lua)?,
                V::from_lua_slot(Slot { cx, raw: v }, lua)?,
            )))
        });
        self.done = !matches!(next, Ok(Some(_)));
        next.transpose()
    }
}

/// Iterator over a sequence, see [`Table::sequence_values`].
pub struct TableSequence<'a, V> {
    table: &'a Table,
    next: i64,
    done: bool,
    of: PhantomData<fn() -> V>,
}

impl<V: FromLua> Iterator for TableSequence<'_, V> {
    type Item = Result<V>;
    fn next(&mut self) -> Option<Result<V>> {
        if self.done {
            return None;
        }
        let next = self.table.with(|lua, cx, t| {
            // SAFETY: [GC-LIVE] the table has a reference.
            let v = unsafe { table::table_get_int(t.as_ptr(), self.next) };
            if v.is_nil() {
                return Ok(None);
            }
            self.next += 1;
            cx.push(v);
            V::from_lua_slot(Slot { cx, raw: v }, lua).map(Some)
        });
        if !matches!(next, Ok(Some(_))) {
            self.done = true;
        }
        next.transpose()
    }
}
