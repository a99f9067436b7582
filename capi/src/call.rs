//! Calls, errors, coroutines, chunks, to-be-closed slots.

use std::ffi::c_int;

use traceorus_base::objects::*;
use traceorus_base::{Tag, Value};
use traceorus_vm::cfunc;
use traceorus_vm::ctx::Throw;
use traceorus_vm::{call, coroutine, string, throw};

use crate::types::*;
use crate::{at, check, count, ok, running, thread};

// ---- calls --------------------------------------------------------------------------------------------------------

/// `lua_callk`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lua_callk(
    L: *mut lua_State,
    nargs: c_int,
    nresults: c_int,
    ctx: lua_KContext,
    k: lua_KFunction,
) {
    let l = thread(L);
    check!(
        count(l) > nargs as isize,
        "lua_callk",
        "there are no function and nargs arguments"
    );
    let _ = (ctx, k);
    let r = running(l, || call::call(l, nargs as usize, nresults));
    ok(l, r);
}

/// `lua_pcallk`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lua_pcallk(
    L: *mut lua_State,
    nargs: c_int,
    nresults: c_int,
    msgh: c_int,
    ctx: lua_KContext,
    k: lua_KFunction,
) -> c_int {
    let l = thread(L);
    check!(
        count(l) > nargs as isize,
        "lua_pcallk",
        "there are no function and nargs arguments"
    );
    let handler = match msgh {
        0 => Value::NIL,
        i => *at(l, i),
    };
    let _ = (ctx, k);
    match running(l, || call::pcall(l, nargs as usize, nresults, handler)) {
        Ok(_) => LUA_OK,
        Err(status) => status as c_int,
    }
}

/// `lua_error`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lua_error(L: *mut lua_State) -> c_int {
    let l = thread(L);
    check!(count(l) >= 1, "lua_error", "there is no error value");
    (*l).top = (*l).top.sub(1);
    throw_value(l, *(*l).top);
    cfunc::raise(l)
}

/// Registers an error value. The message of a memory error is one.
unsafe fn throw_value(l: *mut Thread, v: Value) -> Throw {
    let memory = v.tag == Tag::STRING && string::str_bytes(v.as_ptr()) == b"not enough memory";
    throw::set_error(l, v, if memory { 4 } else { 2 })
}

// ---- coroutines ---------------------------------------------------------------------------------------------------

/// Prepares a thread for being used by C code while it does not run.
pub(crate) unsafe fn open(co: *mut Thread) {
    (*co).hdr.flags |= flags::THREAD_OPEN;
    coroutine::to_stack(co);
}

/// Closes a thread's pending variables and gives the status of what is left.
pub(crate) unsafe fn close_thread(by: *mut Thread, co: *mut Thread) -> c_int {
    let status = coroutine::reset(by, co);
    status as c_int
}

// ---- to-be-closed slots -------------------------------------------------------------------------------------------

/// `lua_toclose`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lua_toclose(L: *mut lua_State, idx: c_int) {
    let l = thread(L);
    let r = throw::mark_tbc(l, at(l, idx));
    ok(l, r);
}

/// `lua_closeslot`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lua_closeslot(L: *mut lua_State, idx: c_int) {
    let l = thread(L);
    let level = at(l, idx).offset_from((*l).stack) as usize;
    let r = running(l, || throw::close_to(l, level));
    ok(l, r);
    Value::NIL.store((*l).stack.add(level));
}
