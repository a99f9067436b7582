//! States and threads, panics, warnings, allocators.

use std::ffi::{c_char, c_int, c_void};

use traceorus::raw::trace::{Config, Outputs};
use traceorus_base::objects::*;
use traceorus_base::{Tag, Value};
use traceorus_gc::{AllocFn, HostAlloc};
use traceorus_vm::cfunc::CFunction;
use traceorus_vm::ctx::Ctx;
use traceorus_vm::{coroutine, state, throw};

use crate::types::*;
use crate::{check, global, ok, push, safepoint, state_of, thread};

/// `lua_ident`, what `strings` and `what` find. As long as that of Debian's library: programs copy it when they start.
#[unsafe(no_mangle)]
pub static lua_ident: [c_char; 129] = {
    let text = b"$LuaVersion: Lua 5.4.8 (Traceorus) $$LuaAuthors: see the project $";
    let mut t = [0; 129];
    let mut i = 0;
    while i < text.len() {
        t[i] = text[i] as c_char;
        i += 1;
    }
    t
};

unsafe fn host(f: lua_Alloc, ud: *mut c_void) -> HostAlloc {
    match f {
        Some(f) => HostAlloc::Custom {
            // pointers to different things
            f: std::mem::transmute::<usize, AllocFn>(f as usize),
            ud: ud.cast(),
        },
        None => HostAlloc::System,
    }
}

/// `lua_newstate`. All objects are in memory that `f` gave; what the runtime keeps beside them (the record of the state, work lists
/// of the collector, compiled code) is not. A null `f` stands for the system's memory, which costs less.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lua_newstate(f: lua_Alloc, ud: *mut c_void) -> *mut lua_State {
    let config = Config::from_env(|n| std::env::var(n).ok()).unwrap_or_default();
    let outputs = Outputs::open(&config).unwrap_or_default();
    let l = traceorus::raw::new_state(host(f, ud), None, &config, outputs);
    if l.is_null() {
        return std::ptr::null_mut();
    }
    (*l).hdr.flags |= flags::THREAD_OPEN;
    state_of(l)
}

/// `lua_close`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lua_close(L: *mut lua_State) {
    state::close(thread(L));
}

/// About what a new thread takes, its stack included.
const NEW_THREAD: usize = 1024;

/// `lua_newthread`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lua_newthread(L: *mut lua_State) -> *mut lua_State {
    let l = thread(L);
    if global(l).heap.is_counted() {
        let r = throw::reserve(l, NEW_THREAD);
        ok(l, r);
    }
    let co = coroutine::new(l, Value::NIL);
    (*co).hdr.flags |= flags::THREAD_OPEN;
    (*co).extra_space = (*global(l).hot.main).extra_space;
    push(l, Value::ptr(co, Tag::THREAD));
    safepoint(l);
    state_of(co)
}

/// `lua_closethread`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lua_closethread(L: *mut lua_State, from: *mut lua_State) -> c_int {
    let co = thread(L);
    let by = if from.is_null() {
        (*(*co).global).current
    } else {
        thread(from)
    };
    crate::call::close_thread(by, co)
}

/// `lua_resetthread`, as `lua_closethread` by nobody.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lua_resetthread(L: *mut lua_State) -> c_int {
    lua_closethread(L, std::ptr::null_mut())
}

/// `lua_atpanic`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lua_atpanic(L: *mut lua_State, f: lua_CFunction) -> lua_CFunction {
    let g = global(thread(L));
    let new = std::mem::transmute::<lua_CFunction, Option<CFunction>>(f);
    let old = std::mem::replace(&mut g.c.panic, new);
    std::mem::transmute::<Option<CFunction>, lua_CFunction>(old)
}

/// `lua_version`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lua_version(_: *mut lua_State) -> lua_Number {
    504.0
}

/// `lua_getallocf`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lua_getallocf(L: *mut lua_State, ud: *mut *mut c_void) -> lua_Alloc {
    let (f, data): (lua_Alloc, *mut c_void) = match global(thread(L)).heap.host() {
        HostAlloc::Custom { f, ud } => (
            std::mem::transmute::<usize, lua_Alloc>(f as usize),
            ud.cast(),
        ),
        HostAlloc::System => (Some(system_alloc), std::ptr::null_mut()),
    };
    if !ud.is_null() {
        *ud = data;
    }
    f
}

/// What `lua_getallocf` gives for a state with the system's memory.
unsafe extern "C" fn system_alloc(
    _: *mut c_void,
    p: *mut c_void,
    _: usize,
    size: usize,
) -> *mut c_void {
    if size == 0 {
        libc::free(p);
        std::ptr::null_mut()
    } else {
        libc::realloc(p, size)
    }
}

/// `lua_setallocf`. The new function must accept what the old one gave; for a state with the system's memory that is not possible,
/// and it keeps its own.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lua_setallocf(L: *mut lua_State, f: lua_Alloc, ud: *mut c_void) {
    check!(f.is_some(), "lua_setallocf", "f is null");
    let heap = &mut global(thread(L)).heap;
    if let HostAlloc::Custom { .. } = heap.host() {
        heap.set_host(host(f, ud));
    }
}

/// `lua_setcstacklimit`: the limit cannot be changed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lua_setcstacklimit(_: *mut lua_State, _: u32) -> c_int {
    200
}

// ---- warnings -----------------------------------------------------------------------------------------------------

/// `lua_setwarnf`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lua_setwarnf(L: *mut lua_State, f: lua_WarnFunction, ud: *mut c_void) {
    let g = global(thread(L));
    g.c.warn = f;
    g.c.warn_data = ud as usize;
    g.warn = Some(emit);
}

/// Gives a piece of a warning to the C function.
unsafe fn emit(cx: Ctx<'_>, msg: &[u8], more: bool) {
    let g = cx.g();
    if let Some(f) = g.c.warn {
        let text = std::ffi::CString::new(msg.split(|&b| b == 0).next().unwrap_or(msg));
        f(
            g.c.warn_data as *mut c_void,
            text.unwrap_or_default().as_ptr(),
            more as c_int,
        );
    }
}

/// `lua_warning`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lua_warning(L: *mut lua_State, msg: *const c_char, tocont: c_int) {
    let l = thread(L);
    if let Some(f) = global(l).warn {
        f(
            Ctx::new(l),
            std::ffi::CStr::from_ptr(msg).to_bytes(),
            tocont != 0,
        );
    }
}
