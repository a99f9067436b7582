//! Library functions that call instructions perform without a frame: which they are, and the native part of those that
//! are not emitted in full (see `interp::fastfn`).

use traceorus_base::bytecode::Op;
use traceorus_base::fastfn::FastFn;
use traceorus_base::meta::MetaMethod;
use traceorus_base::objects::*;
use traceorus_base::{Tag, Value};

use crate::ctx::Ctx;
use crate::state::Global;
use crate::string::{str_bytes, str_val};
use crate::{arith, dispatch, exec, table};

/// `(l, arguments, their number, results) -> n`: writes `n` results, or gives -1 before it has changed anything, and the
/// function is called as usual. Neither raises nor collects; `results` may overlap the arguments.
pub type Lean = unsafe extern "C" fn(*mut Thread, *const Value, usize, *mut Value) -> i64;

/// Names by library, with their header's op.
const FUNCTIONS: &[(&str, &[(&str, Op)])] = &[
    (
        "_G",
        &[
            ("assert", Op::FfAssert),
            ("getmetatable", Op::FfGetMeta),
            ("ipairs", Op::FfIpairs),
            ("next", Op::FfNext),
            ("pairs", Op::FfPairs),
            ("rawequal", Op::FfRawEqual),
            ("rawget", Op::FfRawGet),
            ("rawlen", Op::FfRawLen),
            ("select", Op::FfSelect),
            ("setmetatable", Op::FfSetMeta),
            ("tonumber", Op::FfToNumber),
            ("tostring", Op::FfToString),
            ("type", Op::FfType),
        ],
    ),
    (
        "math",
        &[
            ("abs", Op::FfAbs),
            ("ceil", Op::FfCeil),
            ("floor", Op::FfFloor),
            ("max", Op::FfMax),
            ("min", Op::FfMin),
            ("sqrt", Op::FfSqrt),
        ],
    ),
    (
        "string",
        &[
            ("byte", Op::FfByte),
            ("char", Op::FfChar),
            ("len", Op::FfLen),
            ("sub", Op::FfSub),
        ],
    ),
    (
        "table",
        &[("insert", Op::FfInsert), ("remove", Op::FfRemove)],
    ),
];

/// Gives the functions of a library that was just opened their headers, and their numbers for the trace compiler.
pub fn install(cx: Ctx<'_>, name: &str, lib: *mut Table) {
    for &(id, _, name) in FastFn::ALL.iter().filter(|f| f.1 == name) {
        if let Some(c) = native(cx.raw_get_field(lib, name)) {
            // SAFETY: [GC-LIVE] the library's own function.
            unsafe { (*c).hdr.word = id as u32 };
        }
    }
    for (_, functions) in FUNCTIONS.iter().filter(|f| f.0 == name) {
        for &(name, op) in *functions {
            let f = cx.raw_get_field(lib, name);
            if let Some(c) = native(f) {
                // SAFETY: [GC-LIVE] the library's own function; `ipairs` has its iterator as upvalue.
                unsafe {
                    (*c).header = (*c).header & !0xFFFF | u64::from(dispatch::handler_of(op));
                    if op == Op::FfNext {
                        (*c).hdr.flags |= flags::NATIVE_NEXT;
                    }
                    if op == Op::FfIpairs {
                        let iter = *((c as *mut u8).add(NativeClosure::UPVALS) as *mut Value);
                        if let Some(iter) = native(iter) {
                            (*iter).hdr.flags |= flags::NATIVE_IPAIRS;
                        }
                    }
                }
            }
        }
    }
}

/// Gives the native function `f`, which a library has made, its number for the trace compiler.
pub fn number(f: Value, id: FastFn) {
    if let Some(c) = native(f) {
        // SAFETY: [GC-LIVE] the caller has it.
        unsafe { (*c).hdr.word = id as u32 };
    }
}

fn native(f: Value) -> Option<*mut NativeClosure> {
    let c = f.as_ptr::<NativeClosure>();
    // SAFETY: [GC-LIVE] functions are closures of one kind or the other.
    (f.tag == Tag::FUNCTION && unsafe { (*c).hdr.kind } == ObjKind::NativeClosure as u8)
        .then_some(c)
}

/// Longest string that is made without asking for memory first.
const SHORT: usize = 1024;

macro_rules! lean {
    ($($name:ident($g:ident, $a:ident, $n:ident, $r:ident) $body:block)*) => { $(
        unsafe extern "C" fn $name(l: *mut Thread, $a: *const Value, $n: usize, $r: *mut Value) -> i64 {
            // SAFETY: [GC-LIVE] the arguments are in the stack; the emitted code has made the tests that it says.
            unsafe {
                let $g = Global::of((*l).global);
                $body
            }
        }
    )* };
}

lean! {
    // at least one argument, a table
    next(_g, a, n, r) {
        let k = if n > 1 { *a.add(1) } else { Value::NIL };
        match table::table_next((*a).as_ptr(), k, k.aux) {
            Ok(Some((k, v, hint))) => {
                *r = Value { aux: hint, ..k };
                *r.add(1) = v;
                2
            }
            Ok(None) => {
                // the second variable of a loop is live, too
                *r = Value::NIL;
                *r.add(1) = Value::NIL;
                1
            }
            Err(_) => -1,
        }
    }
    // one table
    pairs(g, a, _n, r) {
        let v = *a;
        let t = v.as_ptr::<Table>();
        if !(*t).metatable.is_null() && !table::meta_get(g, (*t).metatable, MetaMethod::Pairs).is_nil() {
            return -1;
        }
        table::table_next_prepare(g, t);
        let f = (*r).as_ptr::<NativeClosure>();
        *r = *((f as *mut u8).add(NativeClosure::UPVALS) as *mut Value);
        *r.add(1) = v;
        *r.add(2) = Value::NIL;
        3
    }
    // a first argument
    getmetatable(g, a, _n, r) {
        let mt = exec::metatable_of(g, *a);
        let protected = table::meta_get(g, mt, MetaMethod::Metatable);
        *r = if !protected.is_nil() {
            protected
        } else if mt.is_null() {
            Value::NIL
        } else {
            Value::ptr(mt, Tag::TABLE)
        };
        1
    }
    // a table
    setmetatable(g, a, n, r) {
        let (t, m) = (*a, *a.add(1));
        if n < 2 || !matches!(m.tag, Tag::TABLE | Tag::NIL) {
            return -1;
        }
        if !table::meta_get(g, (*t.as_ptr::<Table>()).metatable, MetaMethod::Metatable).is_nil() {
            return -1;
        }
        exec::set_metatable(g, t, if m.is_nil() { std::ptr::null_mut() } else { m.as_ptr() });
        *r = t;
        1
    }
    // a first argument
    rawlen(_g, a, _n, r) {
        let v = *a;
        *r = Value::int(match v.tag {
            Tag::TABLE => table::table_len(v.as_ptr()) as i64,
            Tag::STRING => (*v.as_ptr::<Str>()).len as i64,
            _ => return -1,
        });
        1
    }
    // a table and a key
    rawget(g, a, _n, r) {
        *r = table::table_get_cached(g, (*a).as_ptr(), *a.add(1));
        1
    }
    // two arguments
    rawequal(_g, a, _n, r) {
        *r = Value::bool(arith::raw_equal(*a, *a.add(1)));
        1
    }
    // an integer or a float
    tostring(g, a, _n, r) {
        if !g.hot.type_meta[1].is_null() {
            return -1;
        }
        *r = exec::number_to_str(g, *a);
        1
    }
    // a first argument
    sub(g, a, n, r) {
        let (s, i) = (*a, *a.add(1));
        let j = if n > 2 { *a.add(2) } else { Value::int(-1) };
        if n < 2 || s.tag != Tag::STRING || i.tag != Tag::INT || j.tag != Tag::INT {
            return -1;
        }
        let b = str_bytes(s.as_ptr());
        let len = b.len() as i64;
        let start = match i.as_int() {
            i if i > 0 => i,
            0 => 1,
            i => (len + 1).saturating_add(i).max(1),
        };
        let end = match j.as_int() {
            j if j >= 0 => j.min(len),
            j => (len + 1).saturating_add(j),
        };
        let part = if start > end { &[][..] } else { &b[start as usize - 1..end as usize] };
        if part.len() == b.len() {
            *r = s;
            return 1;
        }
        if part.len() > SHORT {
            return -1;
        }
        *r = str_val(g.str_new(part));
        1
    }
    // a first argument
    char(g, a, n, r) {
        let mut b = [0u8; 8];
        if n > b.len() {
            return -1;
        }
        for (k, o) in b[..n].iter_mut().enumerate() {
            let v = *a.add(k);
            match u8::try_from(v.payload) {
                Ok(c) if v.tag == Tag::INT => *o = c,
                _ => return -1,
            }
        }
        *r = str_val(g.str_new(&b[..n]));
        1
    }
    // a table and something
    insert(g, a, n, _r) {
        let t = (*a).as_ptr::<Table>();
        if n != 2 || !(*t).metatable.is_null() {
            return -1;
        }
        let at = table::table_len(t) + 1;
        if at >= u64::from((*t).arr_cap) {
            return -1;
        }
        table::table_set_int(g, t, at as i64, *a.add(1));
        0
    }
    // a table
    remove(g, a, n, r) {
        let t = (*a).as_ptr::<Table>();
        if n != 1 || !(*t).metatable.is_null() {
            return -1;
        }
        let at = table::table_len(t);
        if at == 0 || at >= u64::from((*t).arr_cap) {
            return -1;
        }
        *r = table::table_get_int(t, at as i64);
        table::table_set_int(g, t, at as i64, Value::NIL);
        1
    }
}

/// The lean functions, by the op in whose place of the helper table they are.
pub(crate) static LEAN: [(Op, Lean); 12] = [
    (Op::FfNext, next),
    (Op::FfPairs, pairs),
    (Op::FfGetMeta, getmetatable),
    (Op::FfSetMeta, setmetatable),
    (Op::FfRawLen, rawlen),
    (Op::FfRawGet, rawget),
    (Op::FfRawEqual, rawequal),
    (Op::FfToString, tostring),
    (Op::FfSub, sub),
    (Op::FfChar, char),
    (Op::FfInsert, insert),
    (Op::FfRemove, remove),
];
