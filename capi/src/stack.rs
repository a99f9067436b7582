//! The stack: indices, types, conversions, pushes, arithmetic and comparison.

use std::ffi::{c_char, c_int, c_void};

use traceorus_base::meta::MetaMethod;
use traceorus_base::objects::*;
use traceorus_base::{Tag, Value};
use traceorus_vm::arith::{self, ArithOp};
use traceorus_vm::ctx::{LResult, Throw};
use traceorus_vm::debuginfo::{self, ErrKind};
use traceorus_vm::string::{str_data, str_val};
use traceorus_vm::{call, cfunc, exec, number, table, throw};

use crate::types::*;
use crate::{at, check, count, global, is_none, is_valid, ok, push, running, safepoint};
use crate::{state_of, thread};

// ---- indices ------------------------------------------------------------------------------------------------------

/// `lua_absindex`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lua_absindex(L: *mut lua_State, idx: c_int) -> c_int {
    if idx > 0 || idx <= LUA_REGISTRYINDEX {
        idx
    } else {
        count(thread(L)) as c_int + idx + 1
    }
}

/// `lua_gettop`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lua_gettop(L: *mut lua_State) -> c_int {
    count(thread(L)) as c_int
}

/// `lua_settop`: closes to-be-closed slots that go.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lua_settop(L: *mut lua_State, idx: c_int) {
    let l = thread(L);
    if idx >= 0 {
        return set_count(l, idx as usize);
    }
    check!(
        -(idx as isize) - 1 <= count(l),
        "lua_settop",
        "idx takes off more values than there are"
    );
    set_top(l, (*l).top.offset(idx as isize + 1));
}

/// The frame has `n` values. Apart from `lua_settop`, in which that of `lua_pop` comes first.
#[inline(never)]
unsafe extern "C" fn set_count(l: *mut Thread, n: usize) {
    let to = (*l).base.add(n);
    check!(
        to <= (*l).stack.add((*l).stack_slots as usize),
        "lua_settop",
        "the new top is beyond the stack: lua_checkstack was not called"
    );
    while (*l).top < to {
        Value::NIL.store((*l).top);
        (*l).top = (*l).top.add(1);
    }
    set_top(l, to);
}

/// Cuts the frame.
#[inline(always)]
unsafe fn set_top(l: *mut Thread, to: *mut Value) {
    if (*l).tbc_len != 0 {
        close_above(l, to)
    } else {
        (*l).top = to;
    }
}

/// [`set_top`] of a thread in which something is pending somewhere. Not to be unwound, so that it can be jumped to.
#[cold]
unsafe extern "C" fn close_above(l: *mut Thread, to: *mut Value) {
    if !throw::has_tbc(l, to) {
        (*l).top = to;
        return;
    }
    let level = to.offset_from((*l).stack) as usize;
    let r = running(l, || throw::close_to(l, level));
    (*l).top = (*l).stack.add(level);
    ok(l, r)
}

/// `lua_pushvalue`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lua_pushvalue(L: *mut lua_State, idx: c_int) {
    let l = thread(L);
    check!(
        is_valid(l, idx),
        "lua_pushvalue",
        "there is no value at idx"
    );
    push(l, *at(l, idx));
}

/// `lua_rotate`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lua_rotate(L: *mut lua_State, idx: c_int, n: c_int) {
    let l = thread(L);
    check!(
        idx > LUA_REGISTRYINDEX && is_valid(l, idx),
        "lua_rotate",
        "idx is not on the stack"
    );
    let from = at(l, idx);
    let len = (*l).top.offset_from(from) as usize;
    check!(
        n.unsigned_abs() as usize <= len,
        "lua_rotate",
        "n is greater than the number of values to rotate"
    );
    let values = std::slice::from_raw_parts_mut(from, len);
    match (n, len) {
        (_, 0 | 1) | (0, _) => {}
        // lua_insert and lua_remove
        (1, _) => {
            let v = values[len - 1];
            std::ptr::copy(from, from.add(1), len - 1);
            *from = v;
        }
        (-1, _) => {
            let v = values[0];
            std::ptr::copy(from.add(1), from, len - 1);
            values[len - 1] = v;
        }
        (1.., _) => values.rotate_right(n as usize),
        _ => values.rotate_left(n.unsigned_abs() as usize),
    }
}

/// `lua_copy`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lua_copy(L: *mut lua_State, fromidx: c_int, toidx: c_int) {
    let l = thread(L);
    let to = at(l, toidx);
    check!(
        !is_none(to) && toidx != LUA_REGISTRYINDEX,
        "lua_copy",
        "toidx names nothing that can be replaced"
    );
    let v = *at(l, fromidx);
    v.store(to);
    if toidx < LUA_REGISTRYINDEX {
        let f = (*(*l).base.sub(1)).payload as *mut GcHeader;
        barrier(l, f, v);
    }
}

/// Takes the barrier of an object in which `v` was stored.
#[inline(always)]
pub(crate) unsafe fn barrier(l: *mut Thread, o: *mut GcHeader, v: Value) {
    if (*o).barrier != 0 {
        global(l).heap.barrier(o, v);
    }
}

/// `lua_checkstack`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lua_checkstack(L: *mut lua_State, n: c_int) -> c_int {
    let l = thread(L);
    check!(n >= 0, "lua_checkstack", "n is negative");
    let to = (*l).top.wrapping_add(n as usize);
    (to <= (*l).limit || call::try_ensure_slots(l, n as usize)) as c_int
}

/// `lua_xmove`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lua_xmove(from: *mut lua_State, to: *mut lua_State, n: c_int) {
    if from == to {
        return;
    }
    let (from, to, n) = (thread(from), thread(to), n as usize);
    check!(
        count(from) >= n as isize,
        "lua_xmove",
        "n is greater than the number of values"
    );
    check!(
        (*from).global == (*to).global,
        "lua_xmove",
        "the threads are of different states"
    );
    (*from).top = (*from).top.sub(n);
    for i in 0..n {
        push(to, *(*from).top.add(i));
    }
}

// ---- types --------------------------------------------------------------------------------------------------------

/// The number of a type by which C knows it.
#[inline(always)]
pub(crate) fn type_number(t: Tag) -> c_int {
    /// By tag plus 64, where that is below 80.
    const TYPES: [i8; 80] = {
        let mut t = [0i8; 80];
        let known = [
            (Tag::STRING, LUA_TSTRING),
            (Tag::TABLE, LUA_TTABLE),
            (Tag::FUNCTION, LUA_TFUNCTION),
            (Tag::USERDATA, LUA_TUSERDATA),
            (Tag::THREAD, LUA_TTHREAD),
            (Tag::INT, LUA_TNUMBER),
            (Tag::FLOAT, LUA_TNUMBER),
            (Tag::I32, LUA_TNUMBER),
            (Tag::U32, LUA_TNUMBER),
            (Tag::U64, LUA_TNUMBER),
            (Tag::TRUE, LUA_TBOOLEAN),
            (Tag::LIGHTUD, LUA_TLIGHTUSERDATA),
        ];
        let mut i = 0;
        while i < known.len() {
            t[(known[i].0.0 + 64) as usize] = known[i].1 as i8;
            i += 1;
        }
        t
    };
    match t {
        Tag::NIL => LUA_TNIL,
        Tag::FALSE => LUA_TBOOLEAN,
        t => TYPES
            .get((t.0 + 64) as usize)
            .map_or(LUA_TNIL, |&n| n.into()),
    }
}

/// `lua_type`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lua_type(L: *mut lua_State, idx: c_int) -> c_int {
    let p = at(thread(L), idx);
    match (*p).tag {
        Tag::NIL if is_none(p) => LUA_TNONE,
        t => type_number(t),
    }
}

/// `lua_typename`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lua_typename(_: *mut lua_State, t: c_int) -> *const c_char {
    check!(
        (LUA_TNONE..=LUA_TTHREAD).contains(&t),
        "lua_typename",
        "invalid type"
    );
    [
        c"no value",
        c"nil",
        c"boolean",
        c"userdata",
        c"number",
        c"string",
        c"table",
        c"function",
        c"userdata",
        c"thread",
    ][(t + 1) as usize]
        .as_ptr()
}

/// `lua_isnumber`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lua_isnumber(L: *mut lua_State, idx: c_int) -> c_int {
    number::to_number(*at(thread(L), idx)).is_some() as c_int
}

/// `lua_isstring`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lua_isstring(L: *mut lua_State, idx: c_int) -> c_int {
    let t = (*at(thread(L), idx)).tag;
    (t == Tag::STRING || t.is_number()) as c_int
}

/// `lua_isinteger`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lua_isinteger(L: *mut lua_State, idx: c_int) -> c_int {
    ((*at(thread(L), idx)).tag == Tag::INT) as c_int
}

/// `lua_iscfunction`: true for functions of the libraries, too.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lua_iscfunction(L: *mut lua_State, idx: c_int) -> c_int {
    native(*at(thread(L), idx)).is_some() as c_int
}

/// `lua_isuserdata`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lua_isuserdata(L: *mut lua_State, idx: c_int) -> c_int {
    matches!((*at(thread(L), idx)).tag, Tag::USERDATA | Tag::LIGHTUD) as c_int
}

/// The closure of a native function.
#[inline]
pub(crate) unsafe fn native(v: Value) -> Option<*mut NativeClosure> {
    (v.tag == Tag::FUNCTION && (*v.as_ptr::<GcHeader>()).kind == ObjKind::NativeClosure as u8)
        .then(|| v.as_ptr())
}

// ---- conversions --------------------------------------------------------------------------------------------------

/// `lua_tonumberx`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lua_tonumberx(
    L: *mut lua_State,
    idx: c_int,
    isnum: *mut c_int,
) -> lua_Number {
    let v = *at(thread(L), idx);
    let n = match v.tag {
        Tag::FLOAT => Some(v.as_float()),
        Tag::INT => Some(v.as_int() as f64),
        _ => number::to_float(v),
    };
    if !isnum.is_null() {
        *isnum = n.is_some() as c_int;
    }
    n.unwrap_or(0.0)
}

/// `lua_tointegerx`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lua_tointegerx(
    L: *mut lua_State,
    idx: c_int,
    isnum: *mut c_int,
) -> lua_Integer {
    let v = *at(thread(L), idx);
    let n = match v.tag {
        Tag::INT => Some(v.as_int()),
        _ => number::tointeger(v),
    };
    if !isnum.is_null() {
        *isnum = n.is_some() as c_int;
    }
    n.unwrap_or(0)
}

/// `lua_toboolean`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lua_toboolean(L: *mut lua_State, idx: c_int) -> c_int {
    !(*at(thread(L), idx)).is_falsy() as c_int
}

/// `lua_tolstring`: a number on the stack becomes a string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lua_tolstring(
    L: *mut lua_State,
    idx: c_int,
    len: *mut usize,
) -> *const c_char {
    let l = thread(L);
    let mut p = at(l, idx);
    if (*p).tag != Tag::STRING {
        if !(*p).tag.is_number() {
            if !len.is_null() {
                *len = 0;
            }
            return std::ptr::null();
        }
        exec::number_to_str(global(l), *p).store(p);
        if idx < LUA_REGISTRYINDEX {
            barrier(l, (*(*l).base.sub(1)).payload as *mut GcHeader, *p);
        }
        safepoint(l);
        p = at(l, idx);
    }
    let s = (*p).as_ptr::<Str>();
    if !len.is_null() {
        *len = (*s).len as usize;
    }
    str_data(s).cast()
}

/// `lua_rawlen`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lua_rawlen(L: *mut lua_State, idx: c_int) -> lua_Unsigned {
    let v = *at(thread(L), idx);
    match v.tag {
        Tag::STRING => (*v.as_ptr::<Str>()).len,
        Tag::TABLE => table::table_len(v.as_ptr()),
        Tag::USERDATA => (*v.as_ptr::<Userdata>()).size,
        _ => 0,
    }
}

/// `lua_tocfunction`. For a function of the libraries the address can be used by `lua_pushcclosure` only.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lua_tocfunction(L: *mut lua_State, idx: c_int) -> lua_CFunction {
    let l = thread(L);
    let f = native(*at(l, idx)).map_or(0, |c| cfunc::function_address(global(l), c));
    std::mem::transmute::<usize, lua_CFunction>(f)
}

/// The block of a full userdata.
#[inline(always)]
pub(crate) unsafe fn block(u: *mut Userdata) -> *mut c_void {
    u.cast::<u8>()
        .add(Userdata::block_offset((*u).nuv()))
        .cast()
}

/// `lua_touserdata`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lua_touserdata(L: *mut lua_State, idx: c_int) -> *mut c_void {
    let v = *at(thread(L), idx);
    match v.tag {
        Tag::USERDATA => block(v.as_ptr()),
        Tag::LIGHTUD => v.as_ptr(),
        _ => std::ptr::null_mut(),
    }
}

/// `lua_tothread`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lua_tothread(L: *mut lua_State, idx: c_int) -> *mut lua_State {
    let v = *at(thread(L), idx);
    match v.tag {
        Tag::THREAD => {
            let co = v.as_ptr::<Thread>();
            crate::call::open(co);
            state_of(co)
        }
        _ => std::ptr::null_mut(),
    }
}

/// `lua_topointer`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lua_topointer(L: *mut lua_State, idx: c_int) -> *const c_void {
    let v = *at(thread(L), idx);
    exec::pointer_of(v) as usize as *const c_void
}

// ---- pushes -------------------------------------------------------------------------------------------------------

/// `lua_pushnil`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lua_pushnil(L: *mut lua_State) {
    push(thread(L), Value::NIL);
}

/// `lua_pushnumber`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lua_pushnumber(L: *mut lua_State, n: lua_Number) {
    push(thread(L), Value::float(n));
}

/// `lua_pushinteger`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lua_pushinteger(L: *mut lua_State, n: lua_Integer) {
    push(thread(L), Value::int(n));
}

/// `lua_pushboolean`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lua_pushboolean(L: *mut lua_State, b: c_int) {
    push(thread(L), Value::bool(b != 0));
}

/// `lua_pushlightuserdata`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lua_pushlightuserdata(L: *mut lua_State, p: *mut c_void) {
    push(thread(L), Value::ptr(p, Tag::LIGHTUD));
}

/// `lua_pushthread`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lua_pushthread(L: *mut lua_State) -> c_int {
    let l = thread(L);
    (*l).hdr.flags |= flags::THREAD_OPEN;
    push(l, Value::ptr(l, Tag::THREAD));
    (l == (*(*l).global).main) as c_int
}

/// Strings up to this size are made without asking for memory first.
const SMALL: usize = 2048;

/// A string of the bytes at `s`; what is on the stack is rooted.
#[inline]
pub(crate) unsafe fn new_string(l: *mut Thread, s: &[u8]) -> LResult<Value> {
    let g = global(l);
    if s.len() > SMALL || g.heap.is_counted() && g.str_is_new(s) {
        throw::reserve(l, s.len() + 64)?;
    }
    Ok(str_val(g.str_new(s)))
}

/// `lua_pushlstring`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lua_pushlstring(
    L: *mut lua_State,
    s: *const c_char,
    len: usize,
) -> *const c_char {
    let l = thread(L);
    let bytes = match len {
        0 => &[],
        _ => std::slice::from_raw_parts(s.cast(), len),
    };
    push_new(l, bytes)
}

/// Pushes a new string and gives its text.
#[inline]
pub(crate) unsafe fn push_new(l: *mut Thread, bytes: &[u8]) -> *const c_char {
    let v = ok(l, new_string(l, bytes));
    push(l, v);
    safepoint(l);
    str_data(v.as_ptr()).cast()
}

/// `lua_pushstring`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lua_pushstring(L: *mut lua_State, s: *const c_char) -> *const c_char {
    let l = thread(L);
    if s.is_null() {
        push(l, Value::NIL);
        return s;
    }
    if let Some(known) = cfunc::known_name(global(l), s) {
        push(l, str_val(known));
        return str_data(known).cast();
    }
    let n = libc::strlen(s);
    if n > Str::MAX_SHORT || global(l).heap.is_counted() {
        return push_new(l, std::slice::from_raw_parts(s.cast(), n));
    }
    let known = cfunc::name(global(l), s);
    push(l, str_val(known));
    safepoint(l);
    str_data(known).cast()
}

/// `lua_pushcclosure`. Up to 255 upvalues.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lua_pushcclosure(L: *mut lua_State, f: lua_CFunction, n: c_int) {
    let l = thread(L);
    let f = f.map_or(0, |f| f as usize);
    check!(f != 0, "lua_pushcclosure", "f is null");
    let g = global(l);
    if n == 0 {
        push(l, cfunc::value(cfunc::light(g, f)));
        return;
    }
    check!(
        (0..=255).contains(&n) && count(l) >= n as isize,
        "lua_pushcclosure",
        "n is greater than 255 or than the number of values"
    );
    if g.heap.is_counted() {
        let r = throw::reserve(l, NativeClosure::size_for(n as usize));
        ok(l, r);
    }
    let first = (*l).top.sub(n as usize);
    let upvalues = std::slice::from_raw_parts(first, n as usize);
    let c = cfunc::closure(g, f, upvalues);
    if let Some(library) = cfunc::library_function(g, f) {
        (*c).func = (*library).func;
        (*c).cfunc = 0;
    }
    cfunc::value(c).store(first);
    (*l).top = first.add(1);
    safepoint(l);
}

/// `lua_stringtonumber`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lua_stringtonumber(L: *mut lua_State, s: *const c_char) -> usize {
    let bytes = std::ffi::CStr::from_ptr(s).to_bytes();
    match traceorus_base::number::str_to_number(bytes) {
        Some(v) => {
            push(thread(L), v);
            bytes.len() + 1
        }
        None => 0,
    }
}

// ---- operations ---------------------------------------------------------------------------------------------------

/// `lua_arith`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lua_arith(L: *mut lua_State, op: c_int) {
    let l = thread(L);
    check!((0..=13).contains(&op), "lua_arith", "invalid operation");
    let op = ArithOp::ALL[op as usize];
    let operands = 2 - op.is_unary() as usize;
    check!(
        count(l) >= operands as isize,
        "lua_arith",
        "not enough operands"
    );
    let a = *(*l).top.sub(operands);
    let b = *(*l).top.sub(1);
    let r = match arith::arith(op, a, b) {
        Ok(v) => v,
        Err(e) => {
            let g = global(l);
            let mut mm = Value::NIL;
            if !(a.tag.is_number() && b.tag.is_number()) {
                mm = exec::metamethod(g, a, op.event());
                if mm.is_nil() {
                    mm = exec::metamethod(g, b, op.event());
                }
            }
            let r = if mm.is_nil() {
                Err(exec::arith_error(
                    l,
                    std::ptr::null(),
                    e,
                    op.is_bitwise(),
                    a,
                    b,
                ))
            } else {
                running(l, || exec::nested(l, &[mm, a, b]))
            };
            ok(l, r)
        }
    };
    (*l).top = (*l).top.sub(operands - 1);
    r.store((*l).top.sub(1));
}

/// `lua_rawequal`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lua_rawequal(L: *mut lua_State, a: c_int, b: c_int) -> c_int {
    let l = thread(L);
    let (a, b) = (at(l, a), at(l, b));
    (!is_none(a) && !is_none(b) && arith::raw_equal(*a, *b)) as c_int
}

/// `lua_compare`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lua_compare(L: *mut lua_State, a: c_int, b: c_int, op: c_int) -> c_int {
    let l = thread(L);
    let (a, b) = (at(l, a), at(l, b));
    if is_none(a) || is_none(b) {
        return 0;
    }
    check!(
        (LUA_OPEQ..=LUA_OPLE).contains(&op),
        "lua_compare",
        "invalid operation"
    );
    let r = compare(l, *a, *b, op);
    ok(l, r) as c_int
}

unsafe fn compare(l: *mut Thread, a: Value, b: Value, op: c_int) -> LResult<bool> {
    if op == LUA_OPEQ {
        return match exec::equals_step(global(l), a, b) {
            Ok(r) => Ok(r),
            Err(_) => running(l, || exec::equals(l, a, b)),
        };
    }
    let or_equal = op == LUA_OPLE;
    if let Some(r) = exec::order_raw(a, b, or_equal) {
        return Ok(r);
    }
    let (mm, swapped) = exec::order_meta(global(l), a, b, or_equal);
    if mm.is_nil() {
        return Err(debuginfo::op_error(
            l,
            std::ptr::null(),
            ErrKind::Compare,
            a,
            b,
        ));
    }
    let (x, y) = if swapped { (b, a) } else { (a, b) };
    running(l, || exec::nested(l, &[mm, x, y])).map(|v| v.is_falsy() == swapped)
}

/// `lua_concat`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lua_concat(L: *mut lua_State, n: c_int) {
    let l = thread(L);
    check!(
        (0..=count(l)).contains(&(n as isize)),
        "lua_concat",
        "n is greater than the number of values"
    );
    if n == 0 {
        push(l, str_val(global(l).str_new(b"")));
        return;
    }
    let r = concat(l, n as usize);
    ok(l, r);
    safepoint(l);
}

/// Concatenates the `n` topmost values, from the right.
unsafe fn concat(l: *mut Thread, mut n: usize) -> LResult<()> {
    let is_text = |v: Value| v.tag == Tag::STRING || v.tag.is_number();
    while n > 1 {
        let values = std::slice::from_raw_parts((*l).top.sub(n), n);
        let texts = values.iter().rev().take_while(|v| is_text(**v)).count();
        let (v, k) = if texts >= 2 {
            (join(l, &values[n - texts..])?, texts)
        } else {
            let (a, b) = (values[n - 2], values[n - 1]);
            let g = global(l);
            let mut mm = exec::metamethod(g, a, MetaMethod::Concat);
            if mm.is_nil() {
                mm = exec::metamethod(g, b, MetaMethod::Concat);
            }
            if mm.is_nil() {
                return Err(debuginfo::op_error(
                    l,
                    std::ptr::null(),
                    ErrKind::Concat,
                    a,
                    b,
                ));
            }
            (running(l, || exec::nested(l, &[mm, a, b]))?, 2)
        };
        (*l).top = (*l).top.sub(k - 1);
        v.store((*l).top.sub(1));
        n -= k - 1;
    }
    Ok(())
}

/// One string of the texts, which are on the stack.
unsafe fn join(l: *mut Thread, values: &[Value]) -> LResult<Value> {
    let mut size = 0usize;
    for v in values {
        size += match v.tag {
            Tag::STRING => (*v.as_ptr::<Str>()).len as usize,
            // the longest text of a number is shorter
            _ => 64,
        };
    }
    throw::reserve(l, size + 64)?;
    let mut text = Vec::with_capacity(size);
    for &v in values {
        exec::append_text(&mut text, v);
    }
    let g = global(l);
    Ok(str_val(g.str_new_reserved(&text)))
}

/// `lua_len`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lua_len(L: *mut lua_State, idx: c_int) {
    let l = thread(L);
    let v = *at(l, idx);
    let r = running(l, || exec::len(l, v));
    push(l, ok(l, r));
}

/// Registers an error with the position of the running function.
pub(crate) unsafe fn run_error(l: *mut Thread, msg: &str) -> Throw {
    throw::run_error(l, msg)
}
