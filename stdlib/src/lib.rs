//! The standard libraries.

pub mod base;
pub mod cfile;
pub mod clib;
pub mod coroutine;
pub mod debug;
pub mod format;
pub mod io;
pub mod math;
pub mod os;
pub mod pack;
pub mod package;
pub mod string;
pub mod table;
pub mod utf8;

use traceorus_base::objects::{NativeFn, Table};
use traceorus_base::{Tag, Value};
use traceorus_vm::ctx::{Ctx, LResult};

/// A library: name and opening function. The basic library is `_G`.
pub type Library = (&'static str, fn(Ctx) -> *mut Table);

/// Every library, in the order of opening.
pub const LIBRARIES: &[Library] = &[
    ("_G", base::open),
    ("package", package::open),
    ("coroutine", coroutine::open),
    ("table", table::open),
    ("io", io::open),
    ("os", os::open),
    ("string", string::open),
    ("math", math::open),
    ("utf8", utf8::open),
    ("debug", debug::open),
];

/// Opens every library: each is a global and a field of `package.loaded`.
pub fn open_libs(cx: Ctx) {
    open_some(cx, |_| true);
}

/// Opens the libraries that `wanted` accepts.
pub fn open_some(cx: Ctx, mut wanted: impl FnMut(&str) -> bool) {
    let loaded = cx.registry_table("_LOADED");
    for (name, _) in LIBRARIES {
        if wanted(name) {
            let lib = Value::ptr(open_one(cx, name), Tag::TABLE);
            cx.raw_set_field(loaded, name, lib);
            cx.raw_set_field(cx.globals(), name, lib);
        }
    }
}

/// Makes a library's table, which no other place refers to yet, except that of the basic library.
///
/// # Panics
/// If there is no such library.
pub fn open_one(cx: Ctx, name: &str) -> *mut Table {
    let (_, open) = LIBRARIES
        .iter()
        .find(|library| library.0 == name)
        .expect("a library of the list");
    let lib = open(cx);
    if name == "string" {
        let dump = cx.new_native("dump", native_string_dump(), &[]);
        cx.raw_set_field(lib, "dump", dump);
    }
    traceorus_vm::fastfn::install(cx, name, lib);
    lib
}

fn native_string_dump() -> NativeFn {
    traceorus_vm::native!(base::string_dump)
}

/// As luaL_fileresult: `true`, or nil, the message and the number of the C library's error.
pub(crate) fn file_result(cx: Ctx, ok: bool, name: Option<&[u8]>) -> LResult<usize> {
    let e = cfile::errno();
    if ok {
        return cx.ret(Value::TRUE);
    }
    let mut m = Vec::new();
    if let Some(name) = name {
        m.extend_from_slice(cfile::until_nul(name));
        m.extend_from_slice(b": ");
    }
    if e != 0 {
        m.extend_from_slice(&cfile::strerror(e));
    } else {
        m.extend_from_slice(b"(no extra info)");
    }
    cx.ret_all(&[Value::NIL, cx.str(&m), Value::int(i64::from(e))])
}

/// As luaL_execresult, for the status of a finished process.
pub(crate) fn exec_result(cx: Ctx, status: i32) -> LResult<usize> {
    if status != 0 && cfile::errno() != 0 {
        return file_result(cx, false, None);
    }
    let (what, code) = if libc::WIFEXITED(status) {
        ("exit", libc::WEXITSTATUS(status))
    } else if libc::WIFSIGNALED(status) {
        ("signal", libc::WTERMSIG(status))
    } else {
        ("exit", status)
    };
    let ok = if what == "exit" && code == 0 {
        Value::TRUE
    } else {
        Value::NIL
    };
    cx.ret_all(&[ok, cx.str(what), Value::int(i64::from(code))])
}

/// `bytes` for a C function: strings of the heap end in a NUL.
pub(crate) fn c_ptr(bytes: &[u8]) -> *const libc::c_char {
    bytes.as_ptr().cast()
}
