//! The auxiliary library: loading of files and texts.

use std::ffi::{CStr, c_char, c_int};

use traceorus_base::Value;
use traceorus_stdlib::base::{load_chunk, read_source};
use traceorus_vm::ctx::Ctx;

use crate::aux_lib::push_bytes;
use crate::types::*;
use crate::{global, push, running, safepoint, thread};

/// `luaL_loadbufferx`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn luaL_loadbufferx(
    L: *mut lua_State,
    text: *const c_char,
    size: usize,
    name: *const c_char,
    mode: *const c_char,
) -> c_int {
    let text: &[u8] = match size {
        0 => &[],
        _ => std::slice::from_raw_parts(text.cast(), size),
    };
    let name = if name.is_null() {
        b"?"
    } else {
        CStr::from_ptr(name).to_bytes()
    };
    let loaded = compile(L, text, name, mode);
    finish(L, loaded)
}

/// The function that the text makes, or the message.
unsafe fn compile(
    L: *mut lua_State,
    text: &[u8],
    name: &[u8],
    mode: *const c_char,
) -> Result<Value, Value> {
    let l = thread(L);
    let mode = if mode.is_null() {
        b"bt"
    } else {
        CStr::from_ptr(mode).to_bytes()
    };
    running(l, || load_chunk(Ctx::new(l), text, name, mode))
}

/// Pushes function or message and gives the status.
unsafe fn finish(L: *mut lua_State, loaded: Result<Value, Value>) -> c_int {
    let l = thread(L);
    let (value, status) = match loaded {
        Ok(function) => (function, LUA_OK),
        Err(message) => (message, global(l).hot.error_status as c_int),
    };
    push(l, value);
    safepoint(l);
    status
}

/// `luaL_loadstring`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn luaL_loadstring(L: *mut lua_State, text: *const c_char) -> c_int {
    let size = CStr::from_ptr(text).count_bytes();
    luaL_loadbufferx(L, text, size, text, std::ptr::null())
}

/// `luaL_loadfilex`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn luaL_loadfilex(
    L: *mut lua_State,
    file: *const c_char,
    mode: *const c_char,
) -> c_int {
    let file = (!file.is_null()).then(|| CStr::from_ptr(file));
    match read_source(file.map(CStr::to_bytes)) {
        Ok(text) => {
            let loaded = match file {
                Some(f) => compile(L, &text, &[b"@", f.to_bytes()].concat(), mode),
                None => compile(L, &text, b"=stdin", mode),
            };
            drop(text);
            finish(L, loaded)
        }
        Err(message) => {
            push_bytes(L, message);
            LUA_ERRFILE
        }
    }
}
