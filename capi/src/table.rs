//! Tables, userdata and metatables.

use std::ffi::{c_char, c_int, c_void};

use traceorus_base::objects::*;
use traceorus_base::{Tag, Value};
use traceorus_vm::ctx::LResult;
use traceorus_vm::debuginfo::{self, ErrKind};
use traceorus_vm::exec::{self, Access};
use traceorus_vm::string::str_val;
use traceorus_vm::{cfunc, table, throw};

use crate::stack::{barrier, run_error, type_number};
use crate::types::*;
use crate::{at, check, count, global, is_none, ok, push, running, safepoint, thread};

// ---- reading ------------------------------------------------------------------------------------------------------

/// `t[k]` where a metamethod may be wanted.
#[cold]
unsafe fn index(l: *mut Thread, t: Value, k: Value) -> LResult<Value> {
    running(l, || exec::index(l, t, k))
}

/// The string that a C string stands for as a key, rooted nowhere.
#[inline(always)]
unsafe fn key(l: *mut Thread, k: *const c_char) -> *mut Str {
    cfunc::name(global(l), k)
}

/// Pushes `t[k]` and gives its type.
#[inline(always)]
unsafe fn get_field(l: *mut Thread, t: Value, k: *const c_char) -> c_int {
    let k = key(l, k);
    if t.tag == Tag::TABLE {
        let p = t.as_ptr::<Table>();
        let v = table::table_get_str_cached(global(l), p, k);
        if !v.is_nil() || (*p).metatable.is_null() {
            push(l, v);
            return type_number(v.tag);
        }
    }
    get_missing(l, t, k)
}

/// [`get_field`] where a metamethod may be wanted.
#[cold]
unsafe fn get_missing(l: *mut Thread, t: Value, k: *mut Str) -> c_int {
    // the key is looked for during calls
    push(l, str_val(k));
    let r = index(l, t, str_val(k));
    let v = ok(l, r);
    v.store((*l).top.sub(1));
    type_number(v.tag)
}

/// `lua_getglobal`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lua_getglobal(L: *mut lua_State, name: *const c_char) -> c_int {
    let l = thread(L);
    get_field(l, globals(l), name)
}

/// What the registry has for the globals.
#[inline(always)]
unsafe fn globals(l: *mut Thread) -> Value {
    table::table_get_int(global(l).hot.registry, LUA_RIDX_GLOBALS)
}

/// `lua_getfield`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lua_getfield(L: *mut lua_State, idx: c_int, k: *const c_char) -> c_int {
    let l = thread(L);
    get_field(l, *at(l, idx), k)
}

/// `lua_gettable`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lua_gettable(L: *mut lua_State, idx: c_int) -> c_int {
    let l = thread(L);
    let (t, k) = (*at(l, idx), *(*l).top.sub(1));
    let mut v = Value::NIL;
    if t.tag == Tag::TABLE {
        v = table::table_get_cached(global(l), t.as_ptr(), k);
    }
    if v.is_nil() && (t.tag != Tag::TABLE || !(*t.as_ptr::<Table>()).metatable.is_null()) {
        let r = index(l, t, k);
        v = ok(l, r);
    }
    v.store((*l).top.sub(1));
    type_number(v.tag)
}

/// `lua_geti`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lua_geti(L: *mut lua_State, idx: c_int, n: lua_Integer) -> c_int {
    let l = thread(L);
    let t = *at(l, idx);
    let mut v = Value::NIL;
    if t.tag == Tag::TABLE {
        v = table::table_get_int(t.as_ptr(), n);
    }
    if v.is_nil() && (t.tag != Tag::TABLE || !(*t.as_ptr::<Table>()).metatable.is_null()) {
        let r = index(l, t, Value::int(n));
        v = ok(l, r);
    }
    push(l, v);
    type_number(v.tag)
}

/// The table at an index.
#[inline(always)]
unsafe fn table_at(l: *mut Thread, idx: c_int, function: &str) -> *mut Table {
    let v = *at(l, idx);
    if cfg!(debug_assertions) && v.tag != Tag::TABLE {
        crate::misuse(function, "there is no table at idx")
    }
    v.as_ptr()
}

/// `lua_rawget`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lua_rawget(L: *mut lua_State, idx: c_int) -> c_int {
    let l = thread(L);
    let t = table_at(l, idx, "lua_rawget");
    let k = (*l).top.sub(1);
    let v = table::table_get_cached(global(l), t, *k);
    v.store(k);
    type_number(v.tag)
}

/// `lua_rawgeti`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lua_rawgeti(L: *mut lua_State, idx: c_int, n: lua_Integer) -> c_int {
    let l = thread(L);
    let v = table::table_get_int(table_at(l, idx, "lua_rawgeti"), n);
    push(l, v);
    type_number(v.tag)
}

/// `lua_rawgetp`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lua_rawgetp(L: *mut lua_State, idx: c_int, p: *const c_void) -> c_int {
    let l = thread(L);
    let t = table_at(l, idx, "lua_rawgetp");
    let v = table::table_get(t, Value::ptr(p, Tag::LIGHTUD));
    push(l, v);
    type_number(v.tag)
}

/// `lua_next`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lua_next(L: *mut lua_State, idx: c_int) -> c_int {
    let l = thread(L);
    let t = table_at(l, idx, "lua_next");
    check!(count(l) >= 1, "lua_next", "there is no key");
    let k = (*l).top.sub(1);
    // elements of the array part follow each other
    if (*k).tag == Tag::INT && ((*k).payload) < u64::from((*t).arr_cap) {
        for i in (*k).payload + 1..u64::from((*t).arr_cap) {
            let v = run_get((*t).array, i as usize);
            if !v.is_nil() {
                Value::int(i as i64).store(k);
                push(l, v);
                return 1;
            }
        }
    }
    match table::table_next(t, *k, (*k).aux) {
        Ok(Some((key, v, hint))) => {
            Value { aux: hint, ..key }.store(k);
            push(l, v);
            1
        }
        Ok(None) => {
            (*l).top = k;
            0
        }
        Err(_) => {
            run_error(l, "invalid key to 'next'");
            cfunc::raise(l)
        }
    }
}

// ---- writing ------------------------------------------------------------------------------------------------------

/// `t[k] = v`; all are on the stack but for `k` where `field`, then it is on top of it.
unsafe fn set(l: *mut Thread, t: Value, k: Value, v: Value, field: bool) -> LResult<()> {
    match exec::set_step(l, t, k, v, field)? {
        Access::Done(_) => Ok(()),
        Access::Call(f, o) => running(l, || exec::nested(l, &[f, o, k, v])).map(|_| ()),
        Access::NotIndexable(o) => Err(debuginfo::op_error(
            l,
            std::ptr::null(),
            ErrKind::Index,
            o,
            k,
        )),
        Access::Loop => Err(run_error(l, "'__newindex' chain too long; possible loop")),
    }
}

/// `t[k] = v` with the value on top, which goes.
#[inline(always)]
unsafe fn set_field(l: *mut Thread, t: Value, k: *const c_char) {
    let k = key(l, k);
    if t.tag == Tag::TABLE
        && (*t.as_ptr::<Table>()).metatable.is_null()
        && table::table_set_own_field(global(l), t.as_ptr(), k, Value::load((*l).top.sub(1)))
    {
        (*l).top = (*l).top.sub(1);
        return;
    }
    set_new_field(l, t, k);
}

/// [`set_field`] where that may take memory or a metamethod.
unsafe fn set_new_field(l: *mut Thread, t: Value, k: *mut Str) {
    let v = *(*l).top.sub(1);
    if t.tag == Tag::TABLE && (*t.as_ptr::<Table>()).metatable.is_null() {
        if let Err(e) = table::table_set_field_checked(global(l), t.as_ptr(), k, v) {
            exec::store_error(l, e);
            cfunc::raise(l)
        }
        (*l).top = (*l).top.sub(1);
        safepoint(l);
        return;
    }
    let k = str_val(k);
    push(l, k);
    let r = set(l, t, k, v, true);
    ok(l, r);
    (*l).top = (*l).top.sub(2);
    safepoint(l);
}

/// `lua_setglobal`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lua_setglobal(L: *mut lua_State, name: *const c_char) {
    let l = thread(L);
    check!(count(l) >= 1, "lua_setglobal", "there is no value");
    set_field(l, globals(l), name);
}

/// `lua_setfield`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lua_setfield(L: *mut lua_State, idx: c_int, k: *const c_char) {
    let l = thread(L);
    check!(count(l) >= 1, "lua_setfield", "there is no value");
    set_field(l, *at(l, idx), k);
}

/// `lua_settable`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lua_settable(L: *mut lua_State, idx: c_int) {
    let l = thread(L);
    check!(count(l) >= 2, "lua_settable", "there are no key and value");
    let t = *at(l, idx);
    let (k, v) = (*(*l).top.sub(2), *(*l).top.sub(1));
    let r = set(l, t, k, v, false);
    ok(l, r);
    (*l).top = (*l).top.sub(2);
    safepoint(l);
}

/// `lua_seti`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lua_seti(L: *mut lua_State, idx: c_int, n: lua_Integer) {
    let l = thread(L);
    check!(count(l) >= 1, "lua_seti", "there is no value");
    let t = *at(l, idx);
    if t.tag == Tag::TABLE && (*t.as_ptr::<Table>()).metatable.is_null() {
        raw_set_int(l, t.as_ptr(), n);
        return;
    }
    let r = set(l, t, Value::int(n), *(*l).top.sub(1), false);
    ok(l, r);
    (*l).top = (*l).top.sub(1);
    safepoint(l);
}

/// `t[n] = v` with the value on top, which goes.
#[inline(always)]
unsafe fn raw_set_int(l: *mut Thread, t: *mut Table, n: lua_Integer) {
    if table::table_set_element(global(l), t, n, Value::load((*l).top.sub(1))) {
        (*l).top = (*l).top.sub(1);
        return;
    }
    raw_set_below(l, t, Value::int(n), 1);
}

/// Raw store of the value on top; the topmost `n` values go then.
unsafe fn raw_set_below(l: *mut Thread, t: *mut Table, k: Value, n: usize) {
    let r = exec::raw_set(l, t, k, *(*l).top.sub(1));
    ok(l, r);
    (*l).top = (*l).top.sub(n);
    safepoint(l);
}

/// `lua_rawset`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lua_rawset(L: *mut lua_State, idx: c_int) {
    let l = thread(L);
    check!(count(l) >= 2, "lua_rawset", "there are no key and value");
    let t = table_at(l, idx, "lua_rawset");
    raw_set_below(l, t, *(*l).top.sub(2), 2);
}

/// `lua_rawseti`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lua_rawseti(L: *mut lua_State, idx: c_int, n: lua_Integer) {
    let l = thread(L);
    check!(count(l) >= 1, "lua_rawseti", "there is no value");
    raw_set_int(l, table_at(l, idx, "lua_rawseti"), n);
}

/// `lua_rawsetp`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lua_rawsetp(L: *mut lua_State, idx: c_int, p: *const c_void) {
    let l = thread(L);
    check!(count(l) >= 1, "lua_rawsetp", "there is no value");
    let t = table_at(l, idx, "lua_rawsetp");
    raw_set_below(l, t, Value::ptr(p, Tag::LIGHTUD), 1);
}

// ---- objects ------------------------------------------------------------------------------------------------------

/// `lua_createtable`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lua_createtable(L: *mut lua_State, narr: c_int, nrec: c_int) {
    let l = thread(L);
    let (narr, nrec) = (narr.max(0) as usize, nrec.max(0) as usize);
    if narr + nrec > 64 || global(l).heap.is_counted() {
        let r = throw::reserve(l, table::table_new_bytes(narr, nrec));
        ok(l, r);
    }
    let t = table::table_new(global(l), narr, nrec);
    push(l, Value::ptr(t, Tag::TABLE));
    safepoint(l);
}

/// `lua_newuserdatauv`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lua_newuserdatauv(
    L: *mut lua_State,
    size: usize,
    nuv: c_int,
) -> *mut c_void {
    let l = thread(L);
    check!(
        (0..Userdata::MAX_UVALS as c_int).contains(&nuv),
        "lua_newuserdatauv",
        "invalid value: nuvalue is negative or too great"
    );
    let bytes = size.saturating_add(256 + 16 * nuv as usize);
    if bytes > 2048 || global(l).heap.is_counted() {
        let r = throw::reserve(l, bytes);
        ok(l, r);
    }
    let (v, p) = exec::new_userdata(global(l), size, nuv as usize);
    push(l, v);
    safepoint(l);
    p.cast()
}

/// `lua_getmetatable`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lua_getmetatable(L: *mut lua_State, idx: c_int) -> c_int {
    let l = thread(L);
    let p = at(l, idx);
    let mt = if is_none(p) {
        std::ptr::null_mut()
    } else {
        exec::metatable_of(global(l), *p)
    };
    if mt.is_null() {
        return 0;
    }
    push(l, Value::ptr(mt, Tag::TABLE));
    1
}

/// `lua_setmetatable`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lua_setmetatable(L: *mut lua_State, idx: c_int) -> c_int {
    let l = thread(L);
    let v = *at(l, idx);
    let mt = *(*l).top.sub(1);
    check!(
        matches!(mt.tag, Tag::TABLE | Tag::NIL),
        "lua_setmetatable",
        "the metatable is neither a table nor nil"
    );
    let mt = if mt.is_nil() {
        std::ptr::null_mut()
    } else {
        mt.as_ptr()
    };
    exec::set_metatable(global(l), v, mt);
    (*l).top = (*l).top.sub(1);
    safepoint(l);
    1
}

/// The place of a user value.
unsafe fn user_value(v: Value, n: c_int) -> Option<*mut Value> {
    let u = v.as_ptr::<Userdata>();
    (v.tag == Tag::USERDATA && n >= 1 && n as usize <= (*u).nuv()).then(|| {
        u.cast::<u8>()
            .add(Userdata::UVALS)
            .cast::<Value>()
            .add(n as usize - 1)
    })
}

/// `lua_getiuservalue`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lua_getiuservalue(L: *mut lua_State, idx: c_int, n: c_int) -> c_int {
    let l = thread(L);
    let u = *at(l, idx);
    check!(
        u.tag == Tag::USERDATA,
        "lua_getiuservalue",
        "there is no full userdata at idx"
    );
    match user_value(u, n) {
        Some(p) => {
            push(l, *p);
            type_number((*p).tag)
        }
        None => {
            push(l, Value::NIL);
            LUA_TNONE
        }
    }
}

/// `lua_setiuservalue`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lua_setiuservalue(L: *mut lua_State, idx: c_int, n: c_int) -> c_int {
    let l = thread(L);
    let u = *at(l, idx);
    check!(
        u.tag == Tag::USERDATA,
        "lua_setiuservalue",
        "there is no full userdata at idx"
    );
    (*l).top = (*l).top.sub(1);
    let v = *(*l).top;
    match user_value(u, n) {
        Some(p) => {
            v.store(p);
            barrier(l, u.as_ptr(), v);
            1
        }
        None => 0,
    }
}
