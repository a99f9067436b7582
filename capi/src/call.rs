//! Calls, errors, coroutines, chunks, to-be-closed slots.

use std::ffi::{CStr, c_char, c_int, c_void};

use traceorus_base::objects::*;
use traceorus_base::{Tag, Value};
use traceorus_vm::cfunc::{self, Ended};
use traceorus_vm::ctx::{LResult, Throw};
use traceorus_vm::{call, ccall, coroutine, debuginfo, dump, hooks, string, throw};

use crate::stack::{new_string, run_error};
use crate::types::*;
use crate::{at, check, count, global, ok, push, running, runs, safepoint, state_of, thread};

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
    let nargs = nargs as usize;
    match k {
        None if runs(l) => call::call_from_c(l, nargs, nresults),
        _ => {
            let r = call_with(l, nargs, nresults, ctx, k);
            ok(l, r);
        }
    }
}

/// [`lua_callk`] in a thread that does not run, or with a continuation.
#[cold]
unsafe fn call_with(
    l: *mut Thread,
    nargs: usize,
    nresults: c_int,
    ctx: lua_KContext,
    k: lua_KFunction,
) -> LResult<usize> {
    match k {
        Some(k) if ccall::is_yieldable(l) => {
            let func = (*l).top.sub(nargs + 1);
            let off = func.offset_from((*l).stack) as usize;
            let r = ccall::enter(l, func, nargs, nresults, 0, k as usize as u64, ctx as i64);
            if r.is_err() {
                throw::leave_pending(l, off);
            }
            r
        }
        _ => running(l, || call::call(l, nargs, nresults)),
    }
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
    let nargs = nargs as usize;
    let r = match (k, msgh) {
        (None, 0) if runs(l) => call::pcall_bare(l, nargs, nresults),
        _ => pcall_with(l, nargs, nresults, msgh, ctx, k),
    };
    match r {
        Ok(_) => LUA_OK,
        Err(status) => status as c_int,
    }
}

/// [`lua_pcallk`] in a thread that does not run, with a message handler or a continuation.
#[cold]
unsafe fn pcall_with(
    l: *mut Thread,
    nargs: usize,
    nresults: c_int,
    msgh: c_int,
    ctx: lua_KContext,
    k: lua_KFunction,
) -> Result<usize, u32> {
    let handler = match msgh {
        0 => Value::NIL,
        i => *at(l, i),
    };
    match k {
        Some(k) if ccall::is_yieldable(l) => {
            let k = (k as usize as u64, ctx as i64);
            call::pcall_with(l, nargs, handler, |l, func| {
                ccall::enter(l, func, nargs, nresults, 1, k.0, k.1)
            })
        }
        _ if handler.is_nil() => running(l, || call::pcall_bare(l, nargs, nresults)),
        _ => running(l, || call::pcall(l, nargs, nresults, handler)),
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

/// `lua_yieldk`. In a hook (of count or line, without values) the function that it looks at yields when the hook has returned.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lua_yieldk(
    L: *mut lua_State,
    nresults: c_int,
    ctx: lua_KContext,
    k: lua_KFunction,
) -> c_int {
    let l = thread(L);
    check!(
        count(l) >= nresults as isize,
        "lua_yieldk",
        "nresults is greater than the number of values"
    );
    if !ccall::is_yieldable(l) {
        let why = match l == (*(*l).global).main {
            true => "attempt to yield from outside a coroutine",
            false => "attempt to yield across a C-call boundary",
        };
        run_error(l, why);
        cfunc::raise(l)
    }
    if hooks::in_hook(l) {
        check!(
            nresults == 0 && k.is_none(),
            "lua_yieldk",
            "hooks cannot yield values, nor continue"
        );
        hooks::ask_yield(l);
        return 0;
    }
    let n = nresults as usize;
    let res = (*l).top.sub(n);
    if k.is_none() && !throw::has_tbc(l, (*l).base) {
        ccall::suspend_c(l, res, n, thread_status::SUSPENDED)
    }
    (*l).yield_k = k.map_or(0, |k| k as usize as u64);
    (*l).yield_ctx = ctx as i64;
    ccall::suspend_c(l, res, n, thread_status::SUSPENDED_K)
}

/// `lua_resume`. Whoever runs at the moment resumes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lua_resume(
    L: *mut lua_State,
    _from: *mut lua_State,
    nargs: c_int,
    nresults: *mut c_int,
) -> c_int {
    let co = thread(L);
    check!(
        count(co) >= nargs as isize,
        "lua_resume",
        "nargs is greater than the number of values"
    );
    open(co);
    let (status, n) = ccall::resume(co, nargs as usize);
    if !nresults.is_null() {
        *nresults = n as c_int;
    }
    status as c_int
}

/// `lua_status`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lua_status(L: *mut lua_State) -> c_int {
    let l = thread(L);
    match (*l).status {
        s if coroutine::is_suspended(s) => LUA_YIELD,
        thread_status::ERROR => (*l).yield_ctx as c_int,
        _ => LUA_OK,
    }
}

/// `lua_isyieldable`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lua_isyieldable(L: *mut lua_State) -> c_int {
    ccall::is_yieldable(thread(L)) as c_int
}

/// Prepares a thread for being used by C code while it does not run.
pub(crate) unsafe fn open(co: *mut Thread) {
    (*co).hdr.flags |= flags::THREAD_OPEN;
    coroutine::to_stack(co);
}

/// Closes a thread's pending variables and gives the status of what is left.
pub(crate) unsafe fn close_thread(by: *mut Thread, co: *mut Thread) -> c_int {
    check!(by != co, "lua_closethread", "the thread runs");
    coroutine::reset(by, co) as c_int
}

// ---- chunks -------------------------------------------------------------------------------------------------------

/// All that a reader gives. `Err`: an error is registered, of the reader or for want of memory.
unsafe fn read_all(l: *mut Thread, reader: lua_Reader, data: *mut c_void) -> LResult<Vec<u8>> {
    let mut source = Vec::new();
    let f = reader.map_or(0, |f| f as usize);
    loop {
        let mut size = 0usize;
        let args = [state_of(l) as usize, data as usize, &raw mut size as usize];
        let p = match cfunc::call_c(l, f, args) {
            Ended::Returned(p) => p as *const u8,
            _ => {
                // the message handler in force sees errors of readers
                throw::run_handler(l);
                return Err(Throw);
            }
        };
        if p.is_null() || size == 0 {
            return Ok(source);
        }
        if source.try_reserve(size).is_err() {
            return Err(throw::out_of_memory(l));
        }
        source.extend_from_slice(std::slice::from_raw_parts(p, size));
    }
}

/// `lua_load`. The whole chunk is read before it is compiled.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lua_load(
    L: *mut lua_State,
    reader: lua_Reader,
    data: *mut c_void,
    chunkname: *const c_char,
    mode: *const c_char,
) -> c_int {
    let l = thread(L);
    let text = |s: *const c_char, default: &'static [u8]| match s.is_null() {
        true => default,
        false => CStr::from_ptr(s).to_bytes(),
    };
    let (name, mode) = (text(chunkname, b"?"), text(mode, b"bt"));
    let top = (*l).top.offset_from((*l).stack);
    let ncalls = (*l).ncalls;
    (*l).ncalls += 0x1_0000;
    let r = running(l, || {
        let source = read_all(l, reader, data)?;
        (*l).top = (*l).stack.offset(top);
        match global(l).loader {
            Some(load) => load(l, &source, name, mode),
            None => Err(run_error(l, "no loader for chunks in this state")),
        }
    });
    (*l).ncalls = ncalls;
    let g = global(l);
    (*l).top = (*l).stack.offset(top);
    let status = match r {
        Ok(f) => {
            push(l, f);
            LUA_OK
        }
        Err(Throw) => {
            let e = std::mem::replace(&mut g.hot.error_value, Value::NIL);
            g.hot.error_handled = 0;
            push(l, e);
            g.hot.error_status as c_int
        }
    };
    safepoint(l);
    status
}

/// `lua_dump`. The writer gets the chunk in one piece.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lua_dump(
    L: *mut lua_State,
    writer: lua_Writer,
    data: *mut c_void,
    strip: c_int,
) -> c_int {
    let l = thread(L);
    check!(count(l) >= 1, "lua_dump", "there is no function");
    let f = *(*l).top.sub(1);
    let Some(p) = (f.tag == Tag::FUNCTION)
        .then(|| debuginfo::proto_of(f.as_ptr()))
        .flatten()
    else {
        return 1;
    };
    let Some(writer) = writer else { return 1 };
    // the writer may raise: the bytes belong to a string, below what it pushes
    let at = (*l).top.offset_from((*l).stack);
    let r = new_string(l, &dump::dump(p, strip != 0));
    push(l, ok(l, r));
    let s = (*(*l).stack.offset(at)).as_ptr::<Str>();
    let status = writer(L, string::str_data(s).cast(), (*s).len as usize, data);
    let at = (*l).stack.offset(at);
    (*l).top = (*l).top.sub(1);
    std::ptr::copy(at.add(1), at, (*l).top.offset_from(at) as usize);
    status
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
