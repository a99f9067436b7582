//! The standard libraries, opened one by one or all together.

use std::ffi::{CStr, c_int};

use traceorus_base::{Tag, Value};
use traceorus_stdlib as stdlib;
use traceorus_vm::ctx::Ctx;

use crate::aux_lib::luaL_requiref;
use crate::stack::lua_settop;
use crate::types::*;
use crate::{global, push, safepoint, thread};

/// Opens a library and pushes its table.
unsafe fn open(L: *mut lua_State, name: &str) -> c_int {
    let l = thread(L);
    let lib = stdlib::open_one(Ctx::new(l), name);
    push(l, Value::ptr(lib, Tag::TABLE));
    safepoint(l);
    1
}

macro_rules! libraries {
    ($($function:ident = $name:literal;)*) => {
        $(
            #[doc = concat!("Opens the library `", $name, "`.")]
            #[unsafe(no_mangle)]
            pub unsafe extern "C" fn $function(L: *mut lua_State) -> c_int {
                open(L, $name)
            }
        )*
        /// In the order in which `luaL_openlibs` opens them.
        const ALL: &[(&CStr, lua_CFunction)] = &[
            $((
                // SAFETY: no zero but the last byte.
                unsafe { CStr::from_bytes_with_nul_unchecked(concat!($name, "\0").as_bytes()) },
                Some($function),
            ),)*
        ];
    };
}

libraries! {
    luaopen_base = "_G";
    luaopen_package = "package";
    luaopen_coroutine = "coroutine";
    luaopen_table = "table";
    luaopen_io = "io";
    luaopen_os = "os";
    luaopen_string = "string";
    luaopen_math = "math";
    luaopen_utf8 = "utf8";
    luaopen_debug = "debug";
}

/// `luaL_openlibs`. A library that is loaded already is not opened again.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn luaL_openlibs(L: *mut lua_State) {
    for &(name, open) in ALL {
        luaL_requiref(L, name.as_ptr(), open, 1);
        lua_settop(L, -2);
    }
    let heap = &mut global(thread(L)).heap;
    if heap.is_counted() {
        // hosts set limits from what they have given by now
        heap.full(false);
    }
}
