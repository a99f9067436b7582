//! Types and constants of the headers.

use std::ffi::{c_char, c_int, c_void};

/// `lua_State`: only its address is of use.
#[repr(C)]
pub struct lua_State {
    _private: [u8; 0],
}

/// `lua_Integer`.
pub type lua_Integer = i64;
/// `lua_Unsigned`.
pub type lua_Unsigned = u64;
/// `lua_Number`.
pub type lua_Number = f64;
/// `lua_KContext`.
pub type lua_KContext = isize;
/// `lua_CFunction`.
pub type lua_CFunction = Option<unsafe extern "C" fn(L: *mut lua_State) -> c_int>;
/// `lua_KFunction`.
pub type lua_KFunction =
    Option<unsafe extern "C" fn(L: *mut lua_State, status: c_int, ctx: lua_KContext) -> c_int>;
/// `lua_Reader`.
pub type lua_Reader = Option<
    unsafe extern "C" fn(L: *mut lua_State, ud: *mut c_void, size: *mut usize) -> *const c_char,
>;
/// `lua_Writer`.
pub type lua_Writer = Option<
    unsafe extern "C" fn(
        L: *mut lua_State,
        p: *const c_void,
        size: usize,
        ud: *mut c_void,
    ) -> c_int,
>;
/// `lua_Alloc`.
pub type lua_Alloc = Option<
    unsafe extern "C" fn(
        ud: *mut c_void,
        ptr: *mut c_void,
        osize: usize,
        nsize: usize,
    ) -> *mut c_void,
>;
/// `lua_WarnFunction`.
pub type lua_WarnFunction =
    Option<unsafe extern "C" fn(ud: *mut c_void, msg: *const c_char, tocont: c_int)>;
/// `lua_Hook`.
pub type lua_Hook = Option<unsafe extern "C" fn(L: *mut lua_State, ar: *mut lua_Debug)>;

/// `lua_Debug`.
#[repr(C)]
pub struct lua_Debug {
    /// Event of a hook.
    pub event: c_int,
    /// Option `n`.
    pub name: *const c_char,
    /// Option `n`.
    pub namewhat: *const c_char,
    /// Option `S`.
    pub what: *const c_char,
    /// Option `S`.
    pub source: *const c_char,
    /// Option `S`.
    pub srclen: usize,
    /// Option `l`.
    pub currentline: c_int,
    /// Option `S`.
    pub linedefined: c_int,
    /// Option `S`.
    pub lastlinedefined: c_int,
    /// Option `u`.
    pub nups: u8,
    /// Option `u`.
    pub nparams: u8,
    /// Option `u`.
    pub isvararg: c_char,
    /// Option `t`.
    pub istailcall: c_char,
    /// Option `r`.
    pub ftransfer: u16,
    /// Option `r`.
    pub ntransfer: u16,
    /// Option `S`.
    pub short_src: [c_char; 60],
    /// Ours: offset of the frame's base in its stack.
    pub i_ci: usize,
}

/// Pseudo-index of the registry.
pub const LUA_REGISTRYINDEX: i32 = -1_001_000;
/// All results.
pub const LUA_MULTRET: i32 = -1;
/// Slots that a C function may use.
pub const LUA_MINSTACK: i32 = 20;
/// Index of the main thread in the registry.
pub const LUA_RIDX_MAINTHREAD: i64 = 1;
/// Index of the globals in the registry.
pub const LUA_RIDX_GLOBALS: i64 = 2;

/// Pseudo-index of upvalue `i` of the running C function.
pub const fn lua_upvalueindex(i: i32) -> i32 {
    LUA_REGISTRYINDEX - i
}

macro_rules! numbers {
    ($($(#[$doc:meta])* $name:ident = $n:expr;)*) => {
        $($(#[$doc])* #[allow(missing_docs, reason = "PUC's")] pub const $name: i32 = $n;)*
    };
}

numbers! {
    LUA_OK = 0;
    LUA_YIELD = 1;
    LUA_ERRRUN = 2;
    LUA_ERRSYNTAX = 3;
    LUA_ERRMEM = 4;
    LUA_ERRERR = 5;
    LUA_ERRFILE = 6;
    LUA_TNONE = -1;
    LUA_TNIL = 0;
    LUA_TBOOLEAN = 1;
    LUA_TLIGHTUSERDATA = 2;
    LUA_TNUMBER = 3;
    LUA_TSTRING = 4;
    LUA_TTABLE = 5;
    LUA_TFUNCTION = 6;
    LUA_TUSERDATA = 7;
    LUA_TTHREAD = 8;
    LUA_OPEQ = 0;
    LUA_OPLT = 1;
    LUA_OPLE = 2;
    LUA_GCSTOP = 0;
    LUA_GCRESTART = 1;
    LUA_GCCOLLECT = 2;
    LUA_GCCOUNT = 3;
    LUA_GCCOUNTB = 4;
    LUA_GCSTEP = 5;
    LUA_GCSETPAUSE = 6;
    LUA_GCSETSTEPMUL = 7;
    LUA_GCISRUNNING = 9;
    LUA_GCGEN = 10;
    LUA_GCINC = 11;
    LUA_HOOKCALL = 0;
    LUA_HOOKRET = 1;
    LUA_HOOKLINE = 2;
    LUA_HOOKCOUNT = 3;
    LUA_HOOKTAILCALL = 4;
    LUA_MASKCALL = 1;
    LUA_MASKRET = 2;
    LUA_MASKLINE = 4;
    LUA_MASKCOUNT = 8;
}

const _: () = {
    use std::mem::{offset_of, size_of};
    assert!(size_of::<lua_Debug>() == 136);
    assert!(offset_of!(lua_Debug, srclen) == 40 && offset_of!(lua_Debug, currentline) == 48);
    assert!(offset_of!(lua_Debug, nups) == 60 && offset_of!(lua_Debug, ftransfer) == 64);
    assert!(offset_of!(lua_Debug, short_src) == 68 && offset_of!(lua_Debug, i_ci) == 128);
};
