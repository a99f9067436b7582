//! The auxiliary library: string buffers.
//!
//! The structure belongs to the caller, whose compiled macros read and write `b`, `size` and `n`. One slot of the stack belongs to each
//! buffer. It holds a light userdata while the bytes are in the structure itself; a buffer that outgrows that moves into a userdata in
//! the slot, and into a larger one when needed. So an abandoned buffer is garbage like any other.

use std::ffi::{CStr, c_char, c_int, c_void};

use crate::aux_args::luaL_checkstack;
use crate::stack::*;
use crate::table::lua_newuserdatauv;
use crate::types::*;
use crate::variadic::luaL_error;

/// Bytes in the structure.
const INIT_SIZE: usize = 1024;

/// `luaL_Buffer`.
#[repr(C)]
pub struct luaL_Buffer {
    /// The bytes: in `init`, or a userdata's block.
    pub b: *mut c_char,
    /// Room at `b`, in bytes.
    pub size: usize,
    /// Bytes in use.
    pub n: usize,
    /// Whose stack has the slot.
    pub L: *mut lua_State,
    /// The first room.
    pub init: [u64; INIT_SIZE / 8],
}

const _: () = {
    use std::mem::{offset_of, size_of};
    assert!(size_of::<luaL_Buffer>() == 1056);
    assert!(offset_of!(luaL_Buffer, size) == 8 && offset_of!(luaL_Buffer, n) == 16);
    assert!(offset_of!(luaL_Buffer, L) == 24 && offset_of!(luaL_Buffer, init) == 32);
};

/// Room for `more` bytes behind those in use. `slot`: the index of the buffer's slot.
#[inline]
unsafe fn prepare(B: *mut luaL_Buffer, more: usize, slot: c_int) -> *mut c_char {
    if (*B).size - (*B).n < more {
        grow(B, more, slot);
    }
    (*B).b.add((*B).n)
}

#[cold]
unsafe fn grow(B: *mut luaL_Buffer, more: usize, slot: c_int) {
    let (L, n) = ((*B).L, (*B).n);
    let slot = lua_absindex(L, slot);
    let Some(least) = n.checked_add(more).filter(|&s| s <= isize::MAX as usize) else {
        luaL_error(L, c"buffer too large".as_ptr());
        return;
    };
    let size = least.max((*B).size.saturating_mul(2));
    luaL_checkstack(L, 1, std::ptr::null());
    let block = lua_newuserdatauv(L, size, 0).cast::<c_char>();
    std::ptr::copy_nonoverlapping((*B).b, block, n);
    lua_copy(L, -1, slot);
    lua_settop(L, -2);
    (*B).b = block;
    (*B).size = size;
}

/// Adds bytes.
unsafe fn add(B: *mut luaL_Buffer, s: *const c_char, size: usize, slot: c_int) {
    if size > 0 {
        let to = prepare(B, size, slot);
        std::ptr::copy_nonoverlapping(s, to, size);
        (*B).n += size;
    }
}

/// `luaL_buffinit`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn luaL_buffinit(L: *mut lua_State, B: *mut luaL_Buffer) {
    (*B).L = L;
    (*B).b = (&raw mut (*B).init).cast();
    (*B).n = 0;
    (*B).size = INIT_SIZE;
    lua_pushlightuserdata(L, B.cast::<c_void>());
}

/// `luaL_buffinitsize`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn luaL_buffinitsize(
    L: *mut lua_State,
    B: *mut luaL_Buffer,
    size: usize,
) -> *mut c_char {
    luaL_buffinit(L, B);
    prepare(B, size, -1)
}

/// `luaL_prepbuffsize`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn luaL_prepbuffsize(B: *mut luaL_Buffer, size: usize) -> *mut c_char {
    prepare(B, size, -1)
}

/// `luaL_addlstring`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn luaL_addlstring(B: *mut luaL_Buffer, s: *const c_char, size: usize) {
    add(B, s, size, -1);
}

/// `luaL_addstring`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn luaL_addstring(B: *mut luaL_Buffer, s: *const c_char) {
    add(B, s, CStr::from_ptr(s).count_bytes(), -1);
}

/// `luaL_addvalue`: pops a string or number and adds it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn luaL_addvalue(B: *mut luaL_Buffer) {
    let mut size = 0;
    let s = lua_tolstring((*B).L, -1, &mut size);
    add(B, s, size, -2);
    lua_settop((*B).L, -2);
}

/// `luaL_addgsub`: adds `s` with each `part` replaced.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn luaL_addgsub(
    B: *mut luaL_Buffer,
    s: *const c_char,
    part: *const c_char,
    by: *const c_char,
) {
    let (mut rest, part_size) = (s, CStr::from_ptr(part).count_bytes());
    loop {
        let found = libc::strstr(rest, part);
        if found.is_null() {
            break;
        }
        luaL_addlstring(B, rest, found.offset_from(rest) as usize);
        luaL_addstring(B, by);
        rest = found.add(part_size);
    }
    luaL_addstring(B, rest);
}

/// `luaL_pushresult`: the string takes the place of the buffer's slot.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn luaL_pushresult(B: *mut luaL_Buffer) {
    let L = (*B).L;
    lua_pushlstring(L, (*B).b, (*B).n);
    lua_copy(L, -1, -2);
    lua_settop(L, -2);
}

/// `luaL_pushresultsize`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn luaL_pushresultsize(B: *mut luaL_Buffer, size: usize) {
    (*B).n += size;
    luaL_pushresult(B);
}

/// `luaL_gsub`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn luaL_gsub(
    L: *mut lua_State,
    s: *const c_char,
    part: *const c_char,
    by: *const c_char,
) -> *const c_char {
    let mut b = std::mem::MaybeUninit::<luaL_Buffer>::uninit();
    luaL_buffinit(L, b.as_mut_ptr());
    luaL_addgsub(b.as_mut_ptr(), s, part, by);
    luaL_pushresult(b.as_mut_ptr());
    lua_tolstring(L, -1, std::ptr::null_mut())
}
