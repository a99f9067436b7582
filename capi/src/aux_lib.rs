//! The auxiliary library: metatables, references, libraries, texts, results of system calls, states.

use std::ffi::{CStr, c_char, c_int, c_void};

use traceorus_stdlib::base::warn_off;
use traceorus_vm::ctx::Ctx;
use traceorus_vm::{debuginfo, exec};

use crate::aux_args::luaL_checkstack;
use crate::call::lua_callk;
use crate::stack::*;
use crate::state::{lua_atpanic, lua_newstate, lua_version};
use crate::table::*;
use crate::types::*;
use crate::variadic::{lua_pushfstring, luaL_error};
use crate::{at, global, ok, running, thread};

/// `luaL_Reg`.
#[repr(C)]
pub struct luaL_Reg {
    /// Null in the last entry of a list.
    pub name: *const c_char,
    /// Null for a placeholder.
    pub func: lua_CFunction,
}

const LOADED: &CStr = c"_LOADED";

unsafe fn pop(L: *mut lua_State, n: c_int) {
    lua_settop(L, -n - 1);
}

// ---- metatables ---------------------------------------------------------------------------------------------------

/// `luaL_newmetatable`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn luaL_newmetatable(L: *mut lua_State, tname: *const c_char) -> c_int {
    if lua_getfield(L, LUA_REGISTRYINDEX, tname) != LUA_TNIL {
        return 0;
    }
    pop(L, 1);
    lua_createtable(L, 0, 2);
    lua_pushstring(L, tname);
    lua_setfield(L, -2, c"__name".as_ptr());
    lua_pushvalue(L, -1);
    lua_setfield(L, LUA_REGISTRYINDEX, tname);
    1
}

/// `luaL_setmetatable`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn luaL_setmetatable(L: *mut lua_State, tname: *const c_char) {
    lua_getfield(L, LUA_REGISTRYINDEX, tname);
    lua_setmetatable(L, -2);
}

/// `luaL_getmetafield`: pushes nothing if there is no such field.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn luaL_getmetafield(
    L: *mut lua_State,
    idx: c_int,
    event: *const c_char,
) -> c_int {
    if lua_getmetatable(L, idx) == 0 {
        return LUA_TNIL;
    }
    lua_pushstring(L, event);
    let t = lua_rawget(L, -2);
    if t == LUA_TNIL {
        pop(L, 2);
    } else {
        lua_copy(L, -1, -2);
        pop(L, 1);
    }
    t
}

/// `luaL_callmeta`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn luaL_callmeta(
    L: *mut lua_State,
    idx: c_int,
    event: *const c_char,
) -> c_int {
    let idx = lua_absindex(L, idx);
    if luaL_getmetafield(L, idx, event) == LUA_TNIL {
        return 0;
    }
    lua_pushvalue(L, idx);
    lua_callk(L, 1, 1, 0, None);
    1
}

/// `luaL_len`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn luaL_len(L: *mut lua_State, idx: c_int) -> lua_Integer {
    lua_len(L, idx);
    let mut is_integer = 0;
    let n = lua_tointegerx(L, -1, &mut is_integer);
    if is_integer == 0 {
        luaL_error(L, c"object length is not an integer".as_ptr());
    }
    pop(L, 1);
    n
}

/// `luaL_tolstring`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn luaL_tolstring(
    L: *mut lua_State,
    idx: c_int,
    size: *mut usize,
) -> *const c_char {
    let l = thread(L);
    let v = *at(l, idx);
    let r = running(l, || exec::tostring(l, v));
    let text = ok(l, r);
    crate::push(l, text);
    crate::safepoint(l);
    lua_tolstring(L, -1, size)
}

/// `luaL_getsubtable`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn luaL_getsubtable(
    L: *mut lua_State,
    idx: c_int,
    key: *const c_char,
) -> c_int {
    if lua_getfield(L, idx, key) == LUA_TTABLE {
        return 1;
    }
    pop(L, 1);
    let idx = lua_absindex(L, idx);
    lua_createtable(L, 0, 0);
    lua_pushvalue(L, -1);
    lua_setfield(L, idx, key);
    0
}

// ---- references ---------------------------------------------------------------------------------------------------

/// The entry of a table of references that holds the first free one; each free one holds the next, the last 0.
const FREE: lua_Integer = LUA_RIDX_GLOBALS + 1;
const LUA_REFNIL: c_int = -1;

/// `luaL_ref`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn luaL_ref(L: *mut lua_State, table: c_int) -> c_int {
    if lua_type(L, -1) == LUA_TNIL {
        pop(L, 1);
        return LUA_REFNIL;
    }
    let table = lua_absindex(L, table);
    let mut free = 0;
    if lua_rawgeti(L, table, FREE) == LUA_TNIL {
        lua_pushinteger(L, 0);
        lua_rawseti(L, table, FREE);
    } else {
        free = lua_tointegerx(L, -1, std::ptr::null_mut());
    }
    pop(L, 1);
    if free == 0 {
        free = lua_rawlen(L, table) as lua_Integer + 1;
    } else {
        lua_rawgeti(L, table, free);
        lua_rawseti(L, table, FREE);
    }
    lua_rawseti(L, table, free);
    free as c_int
}

/// `luaL_unref`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn luaL_unref(L: *mut lua_State, table: c_int, reference: c_int) {
    if reference >= 0 {
        let (table, reference) = (lua_absindex(L, table), lua_Integer::from(reference));
        lua_rawgeti(L, table, FREE);
        lua_rawseti(L, table, reference);
        lua_pushinteger(L, reference);
        lua_rawseti(L, table, FREE);
    }
}

// ---- libraries ----------------------------------------------------------------------------------------------------

/// `luaL_setfuncs`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn luaL_setfuncs(L: *mut lua_State, list: *const luaL_Reg, nup: c_int) {
    luaL_checkstack(L, nup, c"too many upvalues".as_ptr());
    let mut entry = list;
    while !(*entry).name.is_null() {
        if (*entry).func.is_some() {
            for _ in 0..nup {
                lua_pushvalue(L, -nup);
            }
            lua_pushcclosure(L, (*entry).func, nup);
        } else {
            lua_pushboolean(L, 0);
        }
        lua_setfield(L, -(nup + 2), (*entry).name);
        entry = entry.add(1);
    }
    pop(L, nup);
}

/// `luaL_requiref`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn luaL_requiref(
    L: *mut lua_State,
    name: *const c_char,
    open: lua_CFunction,
    make_global: c_int,
) {
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LOADED.as_ptr());
    lua_getfield(L, -1, name);
    if lua_toboolean(L, -1) == 0 {
        pop(L, 1);
        lua_pushcclosure(L, open, 0);
        lua_pushstring(L, name);
        lua_callk(L, 1, 1, 0, None);
        lua_pushvalue(L, -1);
        lua_setfield(L, -3, name);
    }
    lua_copy(L, -1, -2);
    pop(L, 1);
    if make_global != 0 {
        lua_pushvalue(L, -1);
        lua_setglobal(L, name);
    }
}

/// `luaL_checkversion_`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn luaL_checkversion_(L: *mut lua_State, version: lua_Number, sizes: usize) {
    if sizes != size_of::<lua_Integer>() * 16 + size_of::<lua_Number>() {
        luaL_error(
            L,
            c"core and library have incompatible numeric types".as_ptr(),
        );
    } else if version != lua_version(L) {
        luaL_error(
            L,
            c"version mismatch: app. needs %f, Lua core provides %f".as_ptr(),
            version,
            lua_version(L),
        );
    }
}

// ---- positions ----------------------------------------------------------------------------------------------------

/// `luaL_where`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn luaL_where(L: *mut lua_State, level: c_int) {
    let text = debuginfo::where_(Ctx::new(thread(L)), level);
    push_bytes(L, text);
}

/// `luaL_traceback`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn luaL_traceback(
    L: *mut lua_State,
    of: *mut lua_State,
    message: *const c_char,
    level: c_int,
) {
    let message = (!message.is_null()).then(|| CStr::from_ptr(message).to_bytes());
    let text = debuginfo::traceback(thread(of), message, level);
    push_bytes(L, text);
}

/// Pushes a string whose bytes Rust owns; they are freed before an error about memory leaves.
pub(crate) unsafe fn push_bytes(L: *mut lua_State, text: Vec<u8>) {
    let l = thread(L);
    let r = new_string(l, &text);
    drop(text);
    let v = ok(l, r);
    crate::push(l, v);
    crate::safepoint(l);
}

// ---- results of system calls --------------------------------------------------------------------------------------

/// `luaL_fileresult`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn luaL_fileresult(
    L: *mut lua_State,
    succeeded: c_int,
    file: *const c_char,
) -> c_int {
    let error = *libc::__errno_location();
    if succeeded != 0 {
        lua_pushboolean(L, 1);
        return 1;
    }
    lua_pushnil(L);
    let text = if error == 0 {
        c"(no extra info)".as_ptr()
    } else {
        libc::strerror(error).cast_const()
    };
    if file.is_null() {
        lua_pushstring(L, text);
    } else {
        lua_pushfstring(L, c"%s: %s".as_ptr(), file, text);
    }
    lua_pushinteger(L, error.into());
    3
}

/// `luaL_execresult`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn luaL_execresult(L: *mut lua_State, status: c_int) -> c_int {
    if status != 0 && *libc::__errno_location() != 0 {
        return luaL_fileresult(L, 0, std::ptr::null());
    }
    let (what, code) = if libc::WIFEXITED(status) {
        (c"exit", libc::WEXITSTATUS(status))
    } else if libc::WIFSIGNALED(status) {
        (c"signal", libc::WTERMSIG(status))
    } else {
        (c"exit", status)
    };
    if what == c"exit" && code == 0 {
        lua_pushboolean(L, 1);
    } else {
        lua_pushnil(L);
    }
    lua_pushstring(L, what.as_ptr());
    lua_pushinteger(L, code.into());
    3
}

// ---- states -------------------------------------------------------------------------------------------------------

/// `luaL_newstate`: memory of the system, a panic function that writes to standard error, warnings that are off.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn luaL_newstate() -> *mut lua_State {
    let L = lua_newstate(None, std::ptr::null_mut::<c_void>());
    if !L.is_null() {
        lua_atpanic(L, Some(panic));
        global(thread(L)).warn = Some(warn_off);
    }
    L
}

/// Reports an error that nothing catches; the process aborts then.
unsafe extern "C" fn panic(L: *mut lua_State) -> c_int {
    let mut size = 0;
    let mut text = lua_tolstring(L, -1, &mut size);
    if text.is_null() {
        text = c"error object is not a string".as_ptr();
    }
    let text = CStr::from_ptr(text).to_bytes();
    let line = [
        b"PANIC: unprotected error in call to Lua API (",
        text,
        b")\n",
    ]
    .concat();
    libc::write(2, line.as_ptr().cast(), line.len());
    0
}
