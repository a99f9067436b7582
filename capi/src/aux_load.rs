//! The auxiliary library: loading of files and texts.

use std::ffi::{CStr, c_char, c_int, c_void};

use traceorus_stdlib::base::read_source;

use crate::aux_lib::push_bytes;
use crate::call::lua_load;
use crate::types::*;

/// A text and whether it was given out.
struct Source {
    text: *const c_char,
    size: usize,
}

/// The reader of a [`Source`].
unsafe extern "C" fn read(
    _: *mut lua_State,
    source: *mut c_void,
    size: *mut usize,
) -> *const c_char {
    let source = source.cast::<Source>();
    *size = (*source).size;
    (*source).size = 0;
    if *size == 0 {
        std::ptr::null()
    } else {
        (*source).text
    }
}

/// `luaL_loadbufferx`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn luaL_loadbufferx(
    L: *mut lua_State,
    text: *const c_char,
    size: usize,
    name: *const c_char,
    mode: *const c_char,
) -> c_int {
    let mut source = Source { text, size };
    lua_load(L, Some(read), (&raw mut source).cast(), name, mode)
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
            let name = match file {
                Some(f) => [b"@", f.to_bytes_with_nul()].concat(),
                None => b"=stdin\0".to_vec(),
            };
            // lua_load does not raise, so that these are dropped
            luaL_loadbufferx(
                L,
                text.as_ptr().cast(),
                text.len(),
                name.as_ptr().cast(),
                mode,
            )
        }
        Err(message) => {
            push_bytes(L, message);
            LUA_ERRFILE
        }
    }
}
