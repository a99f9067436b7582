//! Package library: `require` and the searchers.

use std::os::unix::ffi::OsStrExt;

use traceorus_base::objects::Table;
use traceorus_base::{Tag, Value};
use traceorus_vm::ctx::{Ctx, LResult, Throw};
use traceorus_vm::{native, table};

use crate::base::load_file;
use crate::cfile::until_nul;
use crate::clib;

/// Paths for Lua modules: upstream's, then those of Debian's packages.
const PATH: &str = "/usr/local/share/lua/5.4/?.lua;/usr/local/share/lua/5.4/?/init.lua;\
    /usr/local/lib/lua/5.4/?.lua;/usr/local/lib/lua/5.4/?/init.lua;\
    /usr/share/lua/5.4/?.lua;/usr/share/lua/5.4/?/init.lua;./?.lua;./?/init.lua";
#[cfg(target_arch = "aarch64")]
const MULTIARCH: &str = "aarch64-linux-gnu";
#[cfg(target_arch = "riscv64")]
const MULTIARCH: &str = "riscv64-linux-gnu";
#[cfg(not(any(target_arch = "aarch64", target_arch = "riscv64")))]
const MULTIARCH: &str = "x86_64-linux-gnu";

/// Paths for C modules.
fn cpath() -> String {
    format!(
        "/usr/local/lib/lua/5.4/?.so;/usr/lib/{MULTIARCH}/lua/5.4/?.so;/usr/lib/lua/5.4/?.so;\
         /usr/local/lib/lua/5.4/loadall.so;./?.so"
    )
}

/// Opens the library. Environment variables count unless the registry's `LUA_NOENV` is true.
pub fn open(cx: Ctx) -> *mut Table {
    clib::open(cx);
    let t = cx.new_table(0, 8);
    let package = Value::ptr(t, Tag::TABLE);
    cx.set_funcs(
        t,
        &[
            ("loadlib", native!(loadlib)),
            ("searchpath", native!(searchpath_)),
        ],
    );
    let searchers = cx.new_table(4, 0);
    let all = [
        native!(searcher_preload),
        native!(searcher_lua),
        native!(searcher_c),
        native!(searcher_croot),
    ];
    for (i, f) in all.into_iter().enumerate() {
        let f = cx.new_native("searcher", f, &[package]);
        let _ = cx.raw_set(searchers, Value::int(i as i64 + 1), f);
    }
    cx.raw_set_field(t, "searchers", Value::ptr(searchers, Tag::TABLE));
    let env = cx.registry_get("LUA_NOENV").is_falsy();
    set_path(cx, t, "path", "LUA_PATH", PATH, env);
    set_path(cx, t, "cpath", "LUA_CPATH", &cpath(), env);
    cx.raw_set_field(t, "config", cx.str("/\n;\n?\n!\n-\n"));
    cx.raw_set_field(
        t,
        "loaded",
        Value::ptr(cx.registry_table("_LOADED"), Tag::TABLE),
    );
    cx.raw_set_field(
        t,
        "preload",
        Value::ptr(cx.registry_table("_PRELOAD"), Tag::TABLE),
    );
    cx.raw_set_field(
        cx.globals(),
        "require",
        cx.new_native("require", native!(require), &[package]),
    );
    t
}

fn set_path(cx: Ctx, t: *mut Table, field: &str, var: &str, default: &str, env: bool) {
    let given = if env {
        std::env::var_os(format!("{var}_5_4")).or_else(|| std::env::var_os(var))
    } else {
        None
    };
    let value = match &given {
        None => cx.str(default),
        Some(p) => cx.str(with_default(p.as_bytes(), default.as_bytes())),
    };
    cx.raw_set_field(t, field, value);
}

/// The path with its first `;;` replaced by the default.
fn with_default(path: &[u8], default: &[u8]) -> Vec<u8> {
    let Some(at) = path.windows(2).position(|w| w == b";;") else {
        return path.to_vec();
    };
    let (before, after) = (&path[..at], &path[at + 2..]);
    let mut p = Vec::new();
    if !before.is_empty() {
        p.extend_from_slice(before);
        p.push(b';');
    }
    p.extend_from_slice(default);
    if !after.is_empty() {
        p.push(b';');
        p.extend_from_slice(after);
    }
    p
}

fn replace(s: &[u8], what: &[u8], by: &[u8]) -> Vec<u8> {
    if what.is_empty() {
        return s.to_vec();
    }
    let mut out = Vec::with_capacity(s.len());
    let mut rest = s;
    while let Some(at) = rest.windows(what.len()).position(|w| w == what) {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(by);
        rest = &rest[at + what.len()..];
    }
    out.extend_from_slice(rest);
    out
}

/// First readable file of the path with the name put in; or the message that lists the files tried.
fn search_path(name: &[u8], path: &[u8], sep: &[u8], dirsep: &[u8]) -> Result<Vec<u8>, Vec<u8>> {
    let name = replace(name, sep, dirsep);
    let files = replace(path, b"?", &name);
    if !files.is_empty() {
        for f in files.split(|&b| b == b';') {
            if std::fs::File::open(std::ffi::OsStr::from_bytes(f)).is_ok() {
                return Ok(f.to_vec());
            }
        }
    }
    Err([
        b"no file '",
        &replace(&files, b";", b"'\n\tno file '")[..],
        b"'",
    ]
    .concat())
}

fn searchpath_(cx: Ctx) -> LResult<usize> {
    let name = until_nul(cx.check_str(1)?);
    let path = until_nul(cx.check_str(2)?);
    let sep = cx.opt_str(3)?.map_or(&b"."[..], until_nul);
    let dirsep = cx.opt_str(4)?.map_or(&b"/"[..], until_nul);
    match search_path(name, path, sep, dirsep) {
        Ok(f) => cx.ret(cx.str(&f)),
        Err(m) => cx.ret_all(&[Value::NIL, cx.str(&m)]),
    }
}

fn loadlib(cx: Ctx) -> LResult<usize> {
    let path = cx.check_str(1)?;
    let function = until_nul(cx.check_str(2)?);
    match clib::function(cx, path, function) {
        Ok(f) => cx.ret(f),
        Err(e) => cx.ret_all(&[Value::NIL, cx.str(&e.message), cx.str(e.what())]),
    }
}

// ---- searchers ---------------------------------------------------------------------------------------------------

/// The module's file on `package.<field>`; `Ok(Err(message))` if there is none.
fn find_file(cx: Ctx, name: &[u8], field: &str) -> LResult<Result<Vec<u8>, Vec<u8>>> {
    let path = cx.index(cx.upvalue(1), cx.str(field))?;
    let path = match path.tag {
        t if t.is_number() => cx.number_to_str(path),
        _ => path,
    };
    if path.tag != Tag::STRING {
        return Err(cx.error(format_args!("'package.{field}' must be a string")));
    }
    Ok(search_path(name, until_nul(cx.bytes(path)), b".", b"/"))
}

fn load_failed(cx: Ctx, name: &[u8], file: &[u8], why: &[u8]) -> Throw {
    cx.error_bytes(
        &[
            b"error loading module '",
            name,
            b"' from file '",
            file,
            b"':\n\t",
            why,
        ]
        .concat(),
    )
}

fn searcher_preload(cx: Ctx) -> LResult<usize> {
    let name = until_nul(cx.check_str(1)?);
    let preload = cx.registry_get("_PRELOAD");
    let f = cx.index(preload, cx.str(name))?;
    if f.is_nil() {
        return cx.ret(cx.str([b"no field package.preload['", name, b"']"].concat()));
    }
    cx.ret_all(&[f, cx.str(":preload:")])
}

fn searcher_lua(cx: Ctx) -> LResult<usize> {
    let name = until_nul(cx.check_str(1)?);
    match find_file(cx, name, "path")? {
        Err(m) => cx.ret(cx.str(&m)),
        Ok(file) => match load_file(cx, Some(&file), b"bt") {
            Ok(f) => cx.ret_all(&[f, cx.str(&file)]),
            Err(e) => {
                let why = match e.tag {
                    Tag::STRING => cx.bytes(e),
                    _ => b"(null)",
                };
                Err(load_failed(cx, name, &file, why))
            }
        },
    }
}

/// The opening function of module `name` in a library: `luaopen_` and the name with `_` for dots, without what a hyphen separates: first
/// what is before it, then what is behind.
fn load_function(cx: Ctx, file: &[u8], name: &[u8]) -> Result<Value, clib::Failure> {
    let name = replace(name, b".", b"_");
    let open = |n: &[u8]| clib::function(cx, file, &[b"luaopen_", n].concat());
    let Some(mark) = name.iter().position(|&b| b == b'-') else {
        return open(&name);
    };
    match open(&name[..mark]) {
        Err(e) if e.opened => open(&name[mark + 1..]),
        r => r,
    }
}

fn searcher_c(cx: Ctx) -> LResult<usize> {
    let name = until_nul(cx.check_str(1)?);
    match find_file(cx, name, "cpath")? {
        Err(m) => cx.ret(cx.str(&m)),
        Ok(file) => match load_function(cx, &file, name) {
            Ok(f) => cx.ret_all(&[f, cx.str(&file)]),
            Err(e) => Err(load_failed(cx, name, &file, &e.message)),
        },
    }
}

fn searcher_croot(cx: Ctx) -> LResult<usize> {
    let name = until_nul(cx.check_str(1)?);
    let Some(dot) = name.iter().position(|&b| b == b'.') else {
        return Ok(0);
    };
    match find_file(cx, &name[..dot], "cpath")? {
        Err(m) => cx.ret(cx.str(&m)),
        Ok(file) => match load_function(cx, &file, name) {
            Ok(f) => cx.ret_all(&[f, cx.str(&file)]),
            Err(e) if e.opened => {
                cx.ret(cx.str([b"no module '", name, b"' in file '", &file, b"'"].concat()))
            }
            Err(e) => Err(load_failed(cx, name, &file, &e.message)),
        },
    }
}

/// Pushes the loader and its data.
fn find_loader(cx: Ctx, name: &[u8]) -> LResult<()> {
    let searchers = cx.index(cx.upvalue(1), cx.str("searchers"))?;
    if searchers.tag != Tag::TABLE {
        return Err(cx.error("'package.searchers' must be a table"));
    }
    cx.push(searchers);
    let mut tried = Vec::new();
    for i in 1.. {
        // SAFETY: [GC-LIVE] pushed above.
        let searcher = unsafe { table::table_get_int(searchers.as_ptr(), i) };
        if searcher.is_nil() {
            break;
        }
        cx.push(searcher);
        cx.push(cx.arg(1));
        cx.call(1, 2)?;
        let (f, data) = (cx.arg(cx.top() - 1), cx.arg(cx.top()));
        cx.set_top(cx.top() - 2);
        match f.tag {
            Tag::FUNCTION => {
                cx.push(f);
                cx.push(data);
                return Ok(());
            }
            Tag::STRING => {
                tried.extend_from_slice(b"\n\t");
                tried.extend_from_slice(cx.bytes(f));
            }
            t if t.is_number() => {
                tried.extend_from_slice(b"\n\t");
                tried.extend_from_slice(cx.bytes(cx.number_to_str(f)));
            }
            _ => {}
        }
    }
    Err(cx.error_bytes(&[b"module '", name, b"' not found:", &tried[..]].concat()))
}

fn require(cx: Ctx) -> LResult<usize> {
    let name = until_nul(cx.check_str(1)?);
    cx.set_top(1);
    let loaded = cx.registry_get("_LOADED");
    cx.push(loaded);
    let key = cx.str(name);
    cx.push(key);
    let v = cx.index(loaded, key)?;
    if !v.is_falsy() {
        return cx.ret(v);
    }
    find_loader(cx, name)?;
    let (f, data) = (cx.arg(cx.top() - 1), cx.arg(cx.top()));
    let result = cx.call1(f, &[cx.arg(1), data])?;
    // the frame still holds the loader and its data, at the top
    if !result.is_nil() {
        cx.set_index(loaded, key, result)?;
    }
    let mut module = cx.index(loaded, key)?;
    if module.is_nil() {
        module = Value::TRUE;
        cx.set_index(loaded, key, module)?;
    }
    let data = cx.arg(cx.top());
    cx.ret_all(&[module, data])
}

#[cfg(test)]
mod tests {
    use super::{search_path, with_default};

    #[test]
    fn default_marks() {
        let d = |p: &str| String::from_utf8(with_default(p.as_bytes(), b"D")).expect("ASCII");
        assert_eq!(d("a"), "a");
        assert_eq!(d(";"), ";");
        assert_eq!(d(";;"), "D");
        assert_eq!(d("a;;"), "a;D");
        assert_eq!(d(";;b"), "D;b");
        assert_eq!(d("a;;b;;c"), "a;D;b;;c");
    }

    #[test]
    fn search_messages() {
        let e = search_path(b"a.b", b"/no/?.x;/none/?", b".", b"/");
        assert_eq!(
            e,
            Err(b"no file '/no/a/b.x'\n\tno file '/none/a/b'".to_vec())
        );
        assert_eq!(
            search_path(b"a", b"", b".", b"/"),
            Err(b"no file ''".to_vec())
        );
    }
}
