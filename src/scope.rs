//! Scopes: functions and userdata that borrow from the stack of the host.

use std::cell::RefCell;
use std::marker::PhantomData;
use std::process::abort;

use crate::callback::{self, Body, Closure, ClosureMut};
use crate::state::Ref;
use crate::userdata::{Receiver, Registry, ScopedMut, ScopedOwned, ScopedRef, cell, type_name};
use crate::{AnyUserData, FromLuaMulti, Function, IntoLuaMulti, Lua, Result, UserData};

/// Makes functions and userdata that end with the scope. See [`Lua::scope`].
pub struct Scope<'scope, 'env: 'scope> {
    made: Made,
    scope: PhantomData<&'scope mut &'scope ()>,
    env: PhantomData<&'env mut &'env ()>,
}

/// Userdata whose values are dropped with the scope, the last one first.
struct Made {
    lua: Lua,
    all: RefCell<Vec<Ref>>,
}

impl Drop for Made {
    fn drop(&mut self) {
        while let Some(r) = self.all.get_mut().pop() {
            // the state is open: `lua` is an owner
            let gone = r.peek().is_none_or(cell::destroy);
            if !gone {
                // Nothing of the scope can be in use now: what runs was called, or borrowed, within it. If something were, it would go on
                // with what is no longer there.
                abort();
            }
        }
    }
}

impl Lua {
    /// Calls `f` with a scope, in which functions and userdata can be made of what is borrowed from outside. When `f` returns (or panics), their
    /// Rust values are dropped. Lua code may still have them, but using them is an error.
    ///
    /// ```
    /// use traceorus::Lua;
    ///
    /// let lua = Lua::new();
    /// let mut lines = Vec::new(); // neither 'static nor shared
    /// lua.scope(|scope| {
    ///     let log = scope.create_function_mut(|_, line: String| {
    ///         lines.push(line);
    ///         Ok(())
    ///     })?;
    ///     lua.globals().set("log", log)?;
    ///     lua.load("log('one') log('two')").exec()
    /// })?;
    /// assert_eq!(lines, ["one", "two"]);
    /// assert!(lua.load("log('late')").exec().is_err());
    /// # Ok::<(), traceorus::Error>(())
    /// ```
    ///
    /// Nothing gets out with a longer life than it has:
    ///
    /// ```compile_fail
    /// let lua = traceorus::Lua::new();
    /// lua.scope(|scope| {
    ///     let local = 1;
    ///     lua.globals().set("f", scope.create_function(|_, ()| Ok(local))?)
    /// });
    /// ```
    pub fn scope<'env, R>(
        &self,
        f: impl for<'scope> FnOnce(&'scope Scope<'scope, 'env>) -> Result<R>,
    ) -> Result<R> {
        let scope = Scope {
            made: Made {
                lua: self.clone(),
                all: RefCell::new(Vec::new()),
            },
            scope: PhantomData,
            env: PhantomData,
        };
        f(&scope)
    }
}

impl<'scope, 'env: 'scope> Scope<'scope, 'env> {
    fn keep(&'scope self, r: Ref) {
        self.made.all.borrow_mut().push(r);
    }
    fn function<B: Body>(&'scope self, body: B) -> Result<Function> {
        let state = &self.made.lua.state;
        let (f, u) = state.enter(|cx| {
            let (f, u) = callback::native(state, cx, body, true)?;
            Ok((Ref::new(state, cx, f), Ref::new(state, cx, u)))
        })?;
        self.keep(u);
        Ok(Function(f))
    }
    /// As [`Lua::create_function`].
    pub fn create_function<F, A, R>(&'scope self, f: F) -> Result<Function>
    where
        F: Fn(&Lua, A) -> Result<R> + 'scope,
        A: FromLuaMulti,
        R: IntoLuaMulti,
    {
        self.function(Closure::new(f))
    }
    /// As [`Lua::create_function_mut`].
    pub fn create_function_mut<F, A, R>(&'scope self, f: F) -> Result<Function>
    where
        F: FnMut(&Lua, A) -> Result<R> + 'scope,
        A: FromLuaMulti,
        R: IntoLuaMulti,
    {
        self.function(ClosureMut::new(f))
    }
    fn userdata<T: UserData, K: Receiver<T>, C>(&'scope self, content: C) -> Result<AnyUserData> {
        let lua = &self.made.lua;
        let u = lua.state.enter(|cx| {
            let v = cell::create(&lua.state, cx, content, cell::untyped::<C>(), 1)?;
            Ok(AnyUserData(Ref::new(&lua.state, cx, v)))
        })?;
        self.keep(u.0.clone());
        let mut r = Registry::<T, K>::new(lua, type_name::<T>(), Some(&u))?;
        T::add_fields(&mut r);
        T::add_methods(&mut r);
        let mt = r.finish()?;
        lua.state.enter(|cx| {
            cx.set_metatable(u.0.raw(cx), mt.0.raw(cx).as_ptr());
            Ok(())
        })?;
        Ok(u)
    }
    /// A userdata that owns a value for the time of the scope; its type may borrow.
    pub fn create_userdata<T: UserData + 'env>(&'scope self, value: T) -> Result<AnyUserData> {
        self.userdata::<T, ScopedOwned, T>(value)
    }
    /// A userdata that is a reference to a value. Methods that change it fail.
    pub fn create_userdata_ref<T: UserData>(&'scope self, value: &'env T) -> Result<AnyUserData> {
        self.userdata::<T, ScopedRef, &'env T>(value)
    }
    /// A userdata that is a mutable reference to a value.
    pub fn create_userdata_ref_mut<T: UserData>(
        &'scope self,
        value: &'env mut T,
    ) -> Result<AnyUserData> {
        self.userdata::<T, ScopedMut, &'env mut T>(value)
    }
}
