//! The auxiliary library: arguments of C functions, and the errors about them.

use std::ffi::{CStr, c_char, c_int, c_void};

use traceorus_base::Tag;
use traceorus_vm::ctx::{Ctx, LResult};
use traceorus_vm::{cfunc, debuginfo, exec, table};

use crate::aux_lib::luaL_getmetafield;
use crate::stack::*;
use crate::types::*;
use crate::variadic::{lua_pushfstring, luaL_error};
use crate::{at, global, ok, thread};

/// `luaL_argerror`: "bad argument #arg to 'function' (message)", with the position of the caller.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn luaL_argerror(
    L: *mut lua_State,
    arg: c_int,
    message: *const c_char,
) -> c_int {
    let l = thread(L);
    let message = CStr::from_ptr(message).to_bytes();
    let r: LResult<()> = Err(debuginfo::arg_error(Ctx::new(l), arg as usize, message));
    ok(l, r);
    0
}

/// `luaL_typeerror`: "tname expected, got ...".
#[unsafe(no_mangle)]
pub unsafe extern "C" fn luaL_typeerror(
    L: *mut lua_State,
    arg: c_int,
    tname: *const c_char,
) -> c_int {
    let actual = if luaL_getmetafield(L, arg, c"__name".as_ptr()) == LUA_TSTRING {
        lua_tolstring(L, -1, std::ptr::null_mut())
    } else if lua_type(L, arg) == LUA_TLIGHTUSERDATA {
        c"light userdata".as_ptr()
    } else {
        lua_typename(L, lua_type(L, arg))
    };
    let message = lua_pushfstring(L, c"%s expected, got %s".as_ptr(), tname, actual);
    luaL_argerror(L, arg, message)
}

#[cold]
unsafe fn tag_error(L: *mut lua_State, arg: c_int, tag: c_int) {
    luaL_typeerror(L, arg, lua_typename(L, tag));
}

/// An argument is no integer: no number at all, or one with a fraction or out of range.
#[cold]
unsafe fn integer_error(L: *mut lua_State, arg: c_int) {
    if lua_isnumber(L, arg) != 0 {
        luaL_argerror(L, arg, c"number has no integer representation".as_ptr());
    } else {
        tag_error(L, arg, LUA_TNUMBER);
    }
}

/// `luaL_checkinteger`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn luaL_checkinteger(L: *mut lua_State, arg: c_int) -> lua_Integer {
    let v = *at(thread(L), arg);
    if v.tag == Tag::INT {
        return v.payload as lua_Integer;
    }
    let mut is_integer = 0;
    let n = lua_tointegerx(L, arg, &mut is_integer);
    if is_integer == 0 {
        integer_error(L, arg);
    }
    n
}

/// `luaL_optinteger`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn luaL_optinteger(
    L: *mut lua_State,
    arg: c_int,
    otherwise: lua_Integer,
) -> lua_Integer {
    match (*at(thread(L), arg)).tag {
        Tag::NIL => otherwise,
        _ => luaL_checkinteger(L, arg),
    }
}

/// `luaL_checknumber`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn luaL_checknumber(L: *mut lua_State, arg: c_int) -> lua_Number {
    let v = *at(thread(L), arg);
    if v.tag == Tag::FLOAT {
        return f64::from_bits(v.payload);
    }
    let mut is_number = 0;
    let n = lua_tonumberx(L, arg, &mut is_number);
    if is_number == 0 {
        tag_error(L, arg, LUA_TNUMBER);
    }
    n
}

/// `luaL_optnumber`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn luaL_optnumber(
    L: *mut lua_State,
    arg: c_int,
    otherwise: lua_Number,
) -> lua_Number {
    match (*at(thread(L), arg)).tag {
        Tag::NIL => otherwise,
        _ => luaL_checknumber(L, arg),
    }
}

/// `luaL_checklstring`. The bytes stay where they are as long as the string is in its slot.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn luaL_checklstring(
    L: *mut lua_State,
    arg: c_int,
    size: *mut usize,
) -> *const c_char {
    let s = lua_tolstring(L, arg, size);
    if s.is_null() {
        tag_error(L, arg, LUA_TSTRING);
    }
    s
}

/// `luaL_optlstring`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn luaL_optlstring(
    L: *mut lua_State,
    arg: c_int,
    otherwise: *const c_char,
    size: *mut usize,
) -> *const c_char {
    if (*at(thread(L), arg)).tag != Tag::NIL {
        return luaL_checklstring(L, arg, size);
    }
    if !size.is_null() {
        *size = if otherwise.is_null() {
            0
        } else {
            CStr::from_ptr(otherwise).count_bytes()
        };
    }
    otherwise
}

/// `luaL_checkoption`: the number of the string in a list that ends in a null pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn luaL_checkoption(
    L: *mut lua_State,
    arg: c_int,
    otherwise: *const c_char,
    list: *const *const c_char,
) -> c_int {
    let no_size = std::ptr::null_mut();
    let name = if otherwise.is_null() {
        luaL_checklstring(L, arg, no_size)
    } else {
        luaL_optlstring(L, arg, otherwise, no_size)
    };
    let mut i = 0;
    while !(*list.add(i)).is_null() {
        if libc::strcmp(*list.add(i), name) == 0 {
            return i as c_int;
        }
        i += 1;
    }
    let message = lua_pushfstring(L, c"invalid option '%s'".as_ptr(), name);
    luaL_argerror(L, arg, message)
}

/// `luaL_checktype`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn luaL_checktype(L: *mut lua_State, arg: c_int, tag: c_int) {
    if lua_type(L, arg) != tag {
        tag_error(L, arg, tag);
    }
}

/// `luaL_checkany`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn luaL_checkany(L: *mut lua_State, arg: c_int) {
    if lua_type(L, arg) == LUA_TNONE {
        luaL_argerror(L, arg, c"value expected".as_ptr());
    }
}

/// `luaL_checkstack`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn luaL_checkstack(L: *mut lua_State, n: c_int, message: *const c_char) {
    if lua_checkstack(L, n) != 0 {
        return;
    }
    if message.is_null() {
        luaL_error(L, c"stack overflow".as_ptr());
    } else {
        luaL_error(L, c"stack overflow (%s)".as_ptr(), message);
    }
}

/// `luaL_testudata`: the block of a userdata with the metatable of this name, or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn luaL_testudata(
    L: *mut lua_State,
    idx: c_int,
    tname: *const c_char,
) -> *mut c_void {
    let l = thread(L);
    let v = *at(l, idx);
    let block = match v.tag {
        Tag::USERDATA => block(v.as_ptr()),
        Tag::LIGHTUD => v.as_ptr(),
        _ => return std::ptr::null_mut(),
    };
    let g = global(l);
    let mt = exec::metatable_of(g, v);
    let name = cfunc::name(g, tname);
    let registry = g.hot.registry;
    let named = table::table_get_str_cached(g, registry, name);
    if mt.is_null() || named.tag != Tag::TABLE || named.as_ptr() != mt {
        return std::ptr::null_mut();
    }
    block
}

/// `luaL_checkudata`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn luaL_checkudata(
    L: *mut lua_State,
    arg: c_int,
    tname: *const c_char,
) -> *mut c_void {
    let block = luaL_testudata(L, arg, tname);
    if block.is_null() {
        luaL_typeerror(L, arg, tname);
    }
    block
}
