//! The C API of Lua 5.4: `lua.h`, `lauxlib.h`, `lualib.h`.
//!
//! | module | functions |
//! |---|---|
//! | [`state`] | states and threads, panics, warnings, allocators |
//! | [`stack`] | the stack: indices, types, conversions, pushes, arithmetic, comparison |
//! | [`table`] | tables, userdata, metatables |
//! | [`call`] | calls, errors, coroutines, chunks, to-be-closed slots |
//! | [`debug`] | `lua_Debug`, hooks, locals, upvalues |
//! | [`gc`] | the collector |
//! | [`fmt`], [`variadic`] | formatted strings, the functions with `...` |
//! | [`aux_args`], [`aux_buffer`], [`aux_lib`], [`aux_load`] | `lauxlib.h` |
//! | [`openlibs`] | `lualib.h` |
//!
//! Invariant **[C-API]**, on which every function here relies as a whole, so that they have no notes on single operations: the caller
//! keeps the manual's rules. Thus `L` is a live state or thread of one, indices are acceptable or valid as the manual asks,
//! there is room on the stack for what is pushed, strings end in a NUL, and the functions that are given are what their types say.
//! Debug builds test what can be tested ([`check!`]) and abort with a message.
//!
//! Functions that can raise (`ok`, `raise`) go back to the innermost call of C code by changing the stack pointer
//! (`vm::cfunc`): no value with a destructor may be alive then.

#![allow(
    unsafe_op_in_unsafe_fn,
    clippy::missing_safety_doc,
    non_camel_case_types,
    non_snake_case,
    reason = "[C-API]: the functions are unsafe as a whole, and have the names of C"
)]

pub mod aux_args;
pub mod aux_buffer;
pub mod aux_lib;
pub mod aux_load;
pub mod call;
pub mod debug;
pub mod fmt;
pub mod gc;
pub mod openlibs;
pub mod stack;
pub mod state;
pub mod table;
pub mod types;
pub mod variadic;

use traceorus_base::Value;
use traceorus_base::objects::{GlobalHot, NativeClosure, Thread, poll};
use traceorus_vm::cfunc;
use traceorus_vm::ctx::{LResult, Throw};
use traceorus_vm::{Global, coroutine, exec};
use types::{LUA_REGISTRYINDEX, lua_State};

/// Aborts a debug build with a message about misuse: condition, name of the function, what is wrong.
macro_rules! check {
    ($ok:expr, $function:literal, $what:expr) => {
        if cfg!(debug_assertions) && !$ok {
            $crate::misuse($function, $what)
        }
    };
}
pub(crate) use check;

/// Ends the process after a misuse of the API.
#[cold]
pub(crate) fn misuse(function: &str, what: &str) -> ! {
    eprintln!("{function}: {what}");
    std::process::abort()
}

/// The thread of a `lua_State`.
#[inline(always)]
pub(crate) unsafe fn thread(L: *mut lua_State) -> *mut Thread {
    L.cast::<Thread>().sub(1)
}

/// The `lua_State` of a thread.
#[inline(always)]
pub(crate) unsafe fn state_of(l: *mut Thread) -> *mut lua_State {
    l.add(1).cast()
}

/// The state of a thread.
#[inline(always)]
pub(crate) unsafe fn global<'a>(l: *mut Thread) -> &'a mut Global {
    Global::of((*l).global)
}

/// What is at an index that names nothing. Told by its address.
static NONE: Value = Value::NIL;

#[inline(always)]
pub(crate) fn is_none(p: *const Value) -> bool {
    std::ptr::eq(p, &NONE)
}

/// The place that an acceptable index names; [`NONE`] if there is nothing. It may be written to if it is on the stack or an upvalue.
#[inline(always)]
pub(crate) unsafe fn at(l: *mut Thread, idx: i32) -> *mut Value {
    if idx > 0 {
        let p = (*l).base.add(idx as usize - 1);
        if p < (*l).top {
            p
        } else {
            (&raw const NONE).cast_mut()
        }
    } else if idx > LUA_REGISTRYINDEX {
        (*l).top.offset(idx as isize)
    } else {
        pseudo(l, idx)
    }
}

unsafe fn pseudo(l: *mut Thread, idx: i32) -> *mut Value {
    if idx == LUA_REGISTRYINDEX {
        return &raw mut global(l).c.registry;
    }
    let n = (LUA_REGISTRYINDEX - idx) as usize;
    let f = (*(*l).base.sub(1)).payload as *mut NativeClosure;
    if f.is_null() || n > (*f).hdr.extra as usize {
        return (&raw const NONE).cast_mut();
    }
    f.cast::<u8>()
        .add(NativeClosure::UPVALS)
        .cast::<Value>()
        .add(n - 1)
}

/// Whether an index names something on the stack or an upvalue of the running function.
pub(crate) unsafe fn is_valid(l: *mut Thread, idx: i32) -> bool {
    match idx {
        0 => false,
        1.. => (idx as isize) <= (*l).top.offset_from((*l).base),
        _ if idx > LUA_REGISTRYINDEX => -(idx as isize) <= (*l).top.offset_from((*l).base),
        _ => !is_none(pseudo(l, idx)),
    }
}

/// Values in the running frame.
#[inline(always)]
pub(crate) unsafe fn count(l: *mut Thread) -> isize {
    (*l).top.offset_from((*l).base)
}

/// Pushes a value; [C-API] there is room.
#[inline(always)]
pub(crate) unsafe fn push(l: *mut Thread, v: Value) {
    if cfg!(debug_assertions) && (*l).top >= (*l).stack.add((*l).stack_slots as usize) {
        misuse("lua_push*", "stack overflow: lua_checkstack was not called")
    }
    let top = (*l).top;
    v.store(top);
    (*l).top = top.add(1);
}

/// The result, or its error raised.
#[inline(always)]
pub(crate) unsafe fn ok<T: Copy>(l: *mut Thread, r: LResult<T>) -> T {
    match r {
        Ok(v) => v,
        Err(Throw) => cfunc::raise(l),
    }
}

/// Whether `l` is the running thread.
#[inline(always)]
pub(crate) unsafe fn runs(l: *mut Thread) -> bool {
    (*(*l).global).current == l
}

/// Does what `f` says with `l` as the running thread.
#[inline]
pub(crate) unsafe fn running<R>(l: *mut Thread, f: impl FnOnce() -> R) -> R {
    if runs(l) {
        f()
    } else {
        coroutine::as_current(l, f)
    }
}

/// The end of a function that has allocated: a safepoint, if the collector wants one.
#[inline(always)]
pub(crate) unsafe fn safepoint(l: *mut Thread) {
    let g = (*l).global;
    if (*g).poll & (poll::GC | poll::FINALIZERS) != 0 {
        collect(g);
    }
}

#[cold]
unsafe fn collect(g: *mut GlobalHot) {
    let l = (*g).current;
    let hooks = (*g).poll & poll::HOOKS;
    let r = exec::safepoint(l);
    (*g).poll |= hooks;
    ok(l, r)
}
