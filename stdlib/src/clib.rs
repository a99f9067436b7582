//! C libraries that are loaded at run time. Those in use are in the registry's table `_CLIBS`: by path, and in order of loading, for its
//! finalizer, which unloads them when the state is closed.

use std::ffi::{CStr, c_void};

use traceorus_base::{Tag, Value, cmath};
use traceorus_vm::cfunc;
use traceorus_vm::ctx::{Ctx, LResult};
use traceorus_vm::{native, table};

use crate::cfile::c_string;

/// Registry key of the libraries.
const LIBRARIES: &str = "_CLIBS";

/// Why there is no function.
pub struct Failure {
    /// What the system says.
    pub message: Vec<u8>,
    /// The library was opened; the function is not there.
    pub opened: bool,
}

impl Failure {
    /// As `package.loadlib` names the step.
    pub fn what(&self) -> &'static str {
        if self.opened { "init" } else { "open" }
    }
}

/// Prepares the table of libraries.
pub fn open(cx: Ctx) {
    let libraries = Value::ptr(cx.registry_table(LIBRARIES), Tag::TABLE);
    let meta = cx.new_table(0, 1);
    cx.raw_set_field(meta, "__gc", cx.new_native("__gc", native!(unload), &[]));
    cx.set_metatable(libraries, meta);
}

/// Finalizer: the last library first.
fn unload(cx: Ctx) -> LResult<usize> {
    let t = cx.check_table(1)?;
    // SAFETY: [GC-LIVE] an argument; its elements are handles of libraries, which nobody uses any more.
    unsafe {
        for i in (1..=table::table_len(t)).rev() {
            libc::dlclose(table::table_get_int(t, i as i64).as_ptr());
        }
    }
    Ok(0)
}

/// What `dlerror` says.
fn failure(opened: bool) -> Failure {
    // SAFETY: null or a C string that lives until the next call of this family.
    let message = unsafe {
        let m = libc::dlerror();
        match m.is_null() {
            true => Vec::new(),
            false => CStr::from_ptr(m).to_bytes().to_vec(),
        }
    };
    Failure { message, opened }
}

/// The library at `path`, opened if it is not in use; `global`: its symbols are to be seen by others.
fn library(cx: Ctx, path: &[u8], global: bool) -> Result<*mut c_void, Failure> {
    let path = c_string(path);
    let libraries = cx.registry_table(LIBRARIES);
    let key = cx.str(path.as_bytes());
    // SAFETY: [GC-LIVE] the registry keeps the table.
    unsafe {
        let known = table::table_get(libraries, key);
        if known.tag == Tag::LIGHTUD {
            return Ok(known.as_ptr());
        }
        let scope = if global {
            libc::RTLD_GLOBAL
        } else {
            libc::RTLD_LOCAL
        };
        cmath::show_to_modules();
        let handle = libc::dlopen(path.as_ptr(), libc::RTLD_NOW | scope);
        if handle.is_null() {
            return Err(failure(false));
        }
        let v = Value::ptr(handle, Tag::LIGHTUD);
        let n = table::table_len(libraries) as i64;
        table::table_set_str(cx.g(), libraries, key.as_ptr(), v);
        table::table_set_int(cx.g(), libraries, n + 1, v);
        Ok(handle)
    }
}

/// The C function `name` of the library at `path`; `*`: only the library, `true`.
pub fn function(cx: Ctx, path: &[u8], name: &[u8]) -> Result<Value, Failure> {
    let all = name.first() == Some(&b'*');
    let handle = library(cx, path, all)?;
    if all {
        return Ok(Value::TRUE);
    }
    let name = c_string(name);
    // SAFETY: a handle from `dlopen`; what modules export under such names are C functions.
    unsafe {
        let f = libc::dlsym(handle, name.as_ptr());
        if f.is_null() {
            return Err(failure(true));
        }
        Ok(cfunc::value(cfunc::light(cx.g(), f as usize)))
    }
}
