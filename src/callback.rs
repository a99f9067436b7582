//! Native functions made of Rust code.
//!
//! Each type of closure gets an entry point of its own, which reads arguments from the frame and pushes results, so a call
//! allocates nothing. The closure is in a userdata that is the function's only upvalue; one that captures nothing needs
//! none.

use std::cell::RefCell;
use std::marker::PhantomData;
use std::mem::{forget, needs_drop};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;
use std::rc::Rc;

use traceorus_base::Value as Raw;
use traceorus_base::objects::NativeFn;
use traceorus_vm::ctx::Ctx;

use crate::convert::{Args, Stack};
use crate::state::{RawThread, State};
use crate::userdata::cell;
use crate::{Error, ErrorKind, FromLuaMulti, IntoLuaMulti, Lua, Result};

/// What a native function does: takes arguments, pushes results, gives their number.
pub(crate) trait Body {
    fn run(&self, lua: &Lua, args: &mut Args<'_>) -> Result<usize>;
}

/// A closure of the usual form.
pub(crate) struct Closure<F, A, R>(F, PhantomData<fn(A) -> R>);

impl<F, A, R> Closure<F, A, R> {
    pub(crate) fn new(f: F) -> Closure<F, A, R> {
        Closure(f, PhantomData)
    }
}
impl<F, A, R> Body for Closure<F, A, R>
where
    F: Fn(&Lua, A) -> Result<R>,
    A: FromLuaMulti,
    R: IntoLuaMulti,
{
    #[inline]
    fn run(&self, lua: &Lua, args: &mut Args<'_>) -> Result<usize> {
        let a = A::from_lua_args(args, lua)?;
        (self.0)(lua, a)?.push_multi_into_lua(lua, Stack(args.cx))
    }
}

/// A closure that changes what it has captured. It must not be called while it runs.
pub(crate) struct ClosureMut<F, A, R>(RefCell<F>, PhantomData<fn(A) -> R>);

impl<F, A, R> ClosureMut<F, A, R> {
    pub(crate) fn new(f: F) -> ClosureMut<F, A, R> {
        ClosureMut(RefCell::new(f), PhantomData)
    }
}
impl<F, A, R> Body for ClosureMut<F, A, R>
where
    F: FnMut(&Lua, A) -> Result<R>,
    A: FromLuaMulti,
    R: IntoLuaMulti,
{
    #[inline]
    fn run(&self, lua: &Lua, args: &mut Args<'_>) -> Result<usize> {
        let a = A::from_lua_args(args, lua)?;
        let mut f = self.0.try_borrow_mut().map_err(|_| recursive())?;
        let r = f(lua, a)?;
        drop(f);
        r.push_multi_into_lua(lua, Stack(args.cx))
    }
}

#[cold]
pub(crate) fn recursive() -> Error {
    Error::new(ErrorKind::Borrow, "mutable callback called recursively")
}

/// Runs Rust code as the running native function of `l`; gives what a `NativeFn` gives.
///
/// # Safety
/// [NATIVE-FRAME] `l` is the running thread, of a state made by this API.
#[inline(always)]
unsafe fn run(l: *mut RawThread, f: impl FnOnce(&Lua, &mut Args<'_>) -> Result<usize>) -> i64 {
    // SAFETY: [NATIVE-FRAME]
    let cx = unsafe { Ctx::new(l) };
    let Some(lua) = State::of(cx) else {
        cx.error("no Rust state");
        return -1;
    };
    // a panic must not cross the interpreter's frames [NO-UNWIND]
    match catch_unwind(AssertUnwindSafe(|| f(&lua, &mut Args::arguments(cx)))) {
        Ok(Ok(n)) => n as i64,
        Ok(Err(e)) => lua.state.raise(cx, e),
        Err(p) => lua.state.raise_panic(cx, p),
    }
}

/// Entry point of functions whose body is in the first upvalue.
unsafe extern "C" fn entry<B: Body>(l: *mut RawThread) -> i64 {
    // SAFETY: [NATIVE-FRAME] [CELL] only `native` makes such functions. (Nothing but the `debug` library, which is unsafe to open,
    // replaces upvalues of native functions.)
    unsafe {
        run(l, |lua, args| {
            let body = cell::known::<B>(args.cx.upvalue(1))
                .borrow()
                .map_err(ended)?;
            body.get().run(lua, args)
        })
    }
}

/// Entry point of functions whose body has no content.
unsafe extern "C" fn entry_empty<B: Body>(l: *mut RawThread) -> i64 {
    // SAFETY: [NATIVE-FRAME] `native` was given a value of this type, which takes no memory, and has not dropped it.
    unsafe {
        run(l, |lua, args| {
            NonNull::<B>::dangling().as_ref().run(lua, args)
        })
    }
}

#[cold]
fn ended(_: Error) -> Error {
    Error::new(ErrorKind::Destructed, "the Rust function is gone")
}

/// A native function with this body and, for functions of a scope (`keep`), the userdata that holds it.
pub(crate) fn native<B: Body>(state: &State, cx: Ctx, body: B, keep: bool) -> Result<(Raw, Raw)> {
    if !keep && size_of::<B>() == 0 && !needs_drop::<B>() {
        forget(body);
        let f: NativeFn = entry_empty::<B>;
        state.reserve(cx, 256)?;
        return Ok((cx.new_native("rust", f, &[]), Raw::NIL));
    }
    let u = cell::create(state, cx, body, cell::untyped::<B>(), 0)?;
    let f: NativeFn = entry::<B>;
    Ok((cx.new_native("rust", f, &[u]), u))
}

/// [`native`] for a method: `this`, the only userdata that it is for, becomes its second upvalue.
pub(crate) fn method<B: Body>(state: &State, cx: Ctx, body: B, this: Option<Raw>) -> Result<Raw> {
    let Some(this) = this else {
        return native(state, cx, body, false).map(|(f, _)| f);
    };
    let u = cell::create(state, cx, body, cell::untyped::<B>(), 0)?;
    let f: NativeFn = entry::<B>;
    Ok(cx.new_native("rust", f, &[u, this]))
}

/// [`native`] as a handle.
pub(crate) fn function<B: Body>(state: &Rc<State>, body: B) -> Result<crate::Function> {
    state.enter(|cx| {
        let (f, _) = native(state, cx, body, false)?;
        Ok(crate::Function(crate::state::Ref::new(state, cx, f)))
    })
}
