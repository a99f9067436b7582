//! Functions of tables.

use std::cell::Cell;

use traceorus_base::meta::MetaMethod;
use traceorus_base::objects::*;
use traceorus_base::{Tag, Value};
use traceorus_vm::shape::shape_key_at;
use traceorus_vm::state::Global;
use traceorus_vm::string::{str_bytes, str_is_short};
use traceorus_vm::{convert, dict, exec, number, table};

use super::out::Out;
use super::string::{MAX_TEXT, buf_new, make};

pub(super) unsafe extern "C" fn tab_len(t: *mut Table) -> i64 {
    // SAFETY: [GC-LIVE] the trace holds it in a register that no collection has been near.
    unsafe { table::table_len(t) as i64 }
}

/// What a look-up that finds nothing points to.
static NO_ENTRY: Shared = Shared(DictEntry {
    key_payload: 0,
    val_payload: 0,
    val_tag: Tag::NIL,
    key_tag: Tag::NIL,
});
struct Shared(DictEntry);
// SAFETY: never written.
unsafe impl Sync for Shared {}

#[inline(always)]
fn found(e: *mut DictEntry) -> *const DictEntry {
    if e.is_null() {
        &raw const NO_ENTRY.0
    } else {
        e
    }
}
pub(super) unsafe extern "C" fn dict_int(t: *mut Table, k: i64) -> *const DictEntry {
    // SAFETY: [GC-LIVE] as above; the recorder has guarded that it is a dictionary.
    unsafe { found(dict::dict_find_int((*t).hash as *mut Dict, k)) }
}
pub(super) unsafe extern "C" fn dict_str(t: *mut Table, k: *mut Str) -> *const DictEntry {
    // SAFETY: as `dict_int`.
    unsafe {
        if str_is_short(k) {
            return found(dict::dict_find_short((*t).hash as *mut Dict, k));
        }
        dict_any(t, k as u64, Tag::STRING.0)
    }
}
pub(super) unsafe extern "C" fn dict_any(
    t: *mut Table,
    payload: u64,
    tag: i32,
) -> *const DictEntry {
    // SAFETY: as `dict_int`.
    unsafe {
        found(dict::dict_find(
            (*t).hash as *mut Dict,
            Value::new(payload, Tag(tag)),
        ))
    }
}

// ---- results in memory ------------------------------------------------------------------------------------------------

/// Leaves values where the trace loads them: payload and tag of each.
#[inline(always)]
fn results(values: &[Value]) -> *const u64 {
    let mut out = Out::new();
    for &v in values {
        out.push(v);
    }
    out.first()
}

pub(super) unsafe extern "C" fn get_str(l: *mut Thread, t: *mut Table, k: *mut Str) -> *const u64 {
    // SAFETY: [GC-LIVE] as above.
    unsafe {
        let g = Global::of((*l).global);
        results(&[table::table_get_str_cached(g, t, k)])
    }
}

pub(super) unsafe extern "C" fn get(
    _: *mut Thread,
    t: *mut Table,
    key: u64,
    tag: i32,
) -> *const u64 {
    // SAFETY: [GC-LIVE] as above.
    unsafe { results(&[table::table_get(t, Value::new(key, Tag(tag)))]) }
}

// ---- changes ------------------------------------------------------------------------------------------------------------

/// `t[at] = v`; false if that would collect.
unsafe fn store_int(g: &mut Global, t: *mut Table, at: i64, v: Value) -> bool {
    // SAFETY: [GC-LIVE] the caller has them from the trace.
    unsafe {
        table::table_set_element(g, t, at, v)
            || table::table_set_now(g, t, Value::int(at), v).is_ok()
    }
}
pub(super) unsafe extern "C" fn append(
    l: *mut Thread,
    t: *mut Table,
    payload: u64,
    tag: i32,
) -> i64 {
    // SAFETY: [GC-LIVE] as above.
    unsafe {
        let (g, v) = (Global::of((*l).global), Value::new(payload, Tag(tag)));
        let at = table::table_len(t) as i64 + 1;
        i64::from(store_int(g, t, at, v))
    }
}
pub(super) unsafe extern "C" fn pop(l: *mut Thread, t: *mut Table) -> *const u64 {
    // SAFETY: [GC-LIVE] as above; the index is inside the array part.
    unsafe {
        let at = table::table_len(t);
        if at == 0 || at >= u64::from((*t).arr_cap) {
            return std::ptr::null();
        }
        let v = run_get((*t).array, at as usize);
        table::table_set_int(Global::of((*l).global), t, at as i64, Value::NIL);
        results(&[v])
    }
}
pub(super) unsafe extern "C" fn reserve(l: *mut Thread, t: *mut Table, n: i64) -> i64 {
    // SAFETY: [GC-LIVE] as above; it takes little. [DENSE] the elements come next, and then the kind.
    unsafe {
        let g = Global::of((*l).global);
        let done = table::table_resize(g, t, n as usize, 0);
        debug_assert!(done.is_ok());
        (*t).arr_len = n as u32;
    }
    1
}
pub(super) unsafe extern "C" fn sort(l: *mut Thread, t: *mut Table) -> i64 {
    // SAFETY: [GC-LIVE] as above.
    unsafe {
        let n = table::table_len(t) as usize;
        i64::from(n < 2 || table::table_sort(Global::of((*l).global), t, n))
    }
}
pub(super) unsafe extern "C" fn move_(
    l: *mut Thread,
    a: *mut Table,
    first: i64,
    last: i64,
    to: i64,
    b: *mut Table,
) -> i64 {
    // SAFETY: [GC-LIVE] as above; ranges are inside the array parts.
    unsafe {
        let g = Global::of((*l).global);
        if last < first {
            return 1;
        }
        let (n, cap) = (last - first, i64::from((*b).arr_cap));
        if first < 0 || last >= i64::from((*a).arr_cap) || to < 0 || to >= cap || n >= cap - to {
            return 0;
        }
        let copy = |k: i64| {
            let v = run_get((*a).array, (first + k) as usize);
            table::table_set_int(g, b, to + k, v);
        };
        if a == b && first < to && to <= last {
            (0..=n).rev().for_each(copy);
        } else {
            (0..=n).for_each(copy);
        }
        1
    }
}
pub(super) unsafe extern "C" fn insert(
    l: *mut Thread,
    t: *mut Table,
    pos: i64,
    payload: u64,
    tag: i32,
) -> i64 {
    // SAFETY: [GC-LIVE] as above; ranges are below the capacity.
    unsafe {
        let g = Global::of((*l).global);
        let end = table::table_len(t) as i64 + 1;
        if pos < 1 || pos > end {
            return 0;
        }
        let v = Value::new(payload, Tag(tag));
        let last = match end - 1 {
            last if pos <= last => table::table_get_int(t, last),
            _ => v,
        };
        if !store_int(g, t, end, last) {
            return 0;
        }
        if pos < end {
            if end < i64::from((*t).arr_cap) && table::table_may_move(g, t) {
                let n = (end - 1 - pos) as usize;
                table::table_move_elements(t, pos as usize, pos as usize + 1, n);
            } else {
                for k in (pos + 1..end).rev() {
                    let v = table::table_get_int(t, k - 1);
                    store_int(g, t, k, v);
                }
            }
            store_int(g, t, pos, v);
        }
        1
    }
}
pub(super) unsafe extern "C" fn remove(l: *mut Thread, t: *mut Table, pos: i64) -> *const u64 {
    // SAFETY: [GC-LIVE] as above; ranges are below the capacity.
    unsafe {
        let g = Global::of((*l).global);
        let size = table::table_len(t) as i64;
        if pos < 1 || pos > size || size >= i64::from((*t).arr_cap) {
            return std::ptr::null();
        }
        let v = run_get((*t).array, pos as usize);
        if table::table_may_move(g, t) {
            let n = (size - pos) as usize;
            table::table_move_elements(t, pos as usize + 1, pos as usize, n);
        } else {
            for k in pos..size {
                let v = run_get((*t).array, k as usize + 1);
                table::table_set_int(g, t, k, v);
            }
        }
        table::table_set_int(g, t, size, Value::NIL);
        results(&[v])
    }
}
pub(super) unsafe extern "C" fn set(
    l: *mut Thread,
    t: *mut Table,
    key: u64,
    key_tag: i32,
    payload: u64,
    tag: i32,
) -> i64 {
    // SAFETY: [GC-LIVE] as above.
    unsafe {
        let g = Global::of((*l).global);
        let (k, v) = (Value::new(key, Tag(key_tag)), Value::new(payload, Tag(tag)));
        i64::from(table::table_set_in_place(g, t, k, v) || table::table_set_now(g, t, k, v).is_ok())
    }
}
pub(super) unsafe extern "C" fn put(
    l: *mut Thread,
    t: *mut Table,
    key: u64,
    key_tag: i32,
    payload: u64,
    tag: i32,
) -> i64 {
    // SAFETY: [GC-LIVE] as above.
    unsafe {
        let g = Global::of((*l).global);
        let asks = !table::meta_get(g, (*t).metatable, MetaMethod::NewIndex).is_nil();
        if asks && table::table_get(t, Value::new(key, Tag(key_tag))).is_nil() {
            return 0;
        }
        set(l, t, key, key_tag, payload, tag)
    }
}
pub(super) unsafe extern "C" fn set_meta(l: *mut Thread, t: *mut Table, mt: *mut Table) -> i64 {
    // SAFETY: [GC-LIVE] as above.
    unsafe {
        exec::set_metatable(
            Global::of((*l).global),
            Value::ptr(t as *mut GcHeader, Tag::TABLE),
            mt,
        );
    }
    1
}

// ---- traversal ------------------------------------------------------------------------------------------------------------

/// Latest positions by table.
const HINTS: usize = 16;
thread_local! {
    static LATEST: [Cell<(usize, u32)>; HINTS] = const { [const { Cell::new((0, 0)) }; HINTS] };
}

/// Whether entry or field number `n`, from 1, has this key.
#[inline(always)]
unsafe fn is_at(t: *mut Table, n: u32, payload: u64, tag: i32) -> bool {
    // SAFETY: [GC-LIVE] as above; numbers are checked against the part's size.
    unsafe {
        let at = n.wrapping_sub(1);
        if (*t).hdr.flags & flags::TAB_DICT != 0 {
            let d = (*t).hash as *mut Dict;
            if at >= (*d).used {
                return false;
            }
            let e = (*d).entries.add(at as usize);
            (*e).key_payload == payload && (*e).key_tag.0 == tag
        } else {
            let s = (*t).shape;
            at < (*s).nfields
                && tag == Tag::STRING.0
                && !(*s).keys.is_null()
                && *(*s).keys.add(at as usize) as u64 == payload
        }
    }
}

/// Key and value of the first entry or field behind number `n` that is not nil, and its number.
#[inline(always)]
unsafe fn behind(t: *mut Table, n: u32) -> Option<(Value, Value, u32)> {
    // SAFETY: [GC-LIVE] as above; numbers are checked against the part's size.
    unsafe {
        let mut i = n;
        if (*t).hdr.flags & flags::TAB_DICT != 0 {
            let d = (*t).hash as *mut Dict;
            let (entries, used) = ((*d).entries, (*d).used);
            while i < used {
                let e = entries.add(i as usize);
                i += 1;
                if (*e).val_tag != Tag::NIL {
                    let k = Value::new((*e).key_payload, (*e).key_tag);
                    return Some((k, Value::new((*e).val_payload, (*e).val_tag), i));
                }
            }
        } else {
            let s = (*t).shape;
            let used = (*s).nfields;
            while i < used {
                let v = run_get((*t).hash.cast(), i as usize);
                if !v.is_nil() {
                    let k = shape_key_at(s, i);
                    return Some((Value::ptr(k, Tag::STRING), v, i + 1));
                }
                i += 1;
            }
        }
        None
    }
}

pub(super) unsafe extern "C" fn next(
    _: *mut Thread,
    t: *mut Table,
    payload: u64,
    tag: i32,
) -> *const u64 {
    // SAFETY: [GC-LIVE] as above; indices are below the capacity. A hint that does not fit costs a look-up.
    unsafe {
        let cap = u64::from((*t).arr_cap);
        let hint = t as usize >> 4 & (HINTS - 1);
        let mut n = 0;
        if tag == Tag::NIL.0 || tag == Tag::INT.0 && payload < cap {
            let mut i = if tag == Tag::NIL.0 { 0 } else { payload + 1 };
            while i < cap {
                let v = run_get((*t).array, i as usize);
                if !v.is_nil() {
                    return results(&[Value::int(i as i64), v]);
                }
                i += 1;
            }
        } else {
            let (of, latest) = LATEST.with(|hints| hints[hint].get());
            if of == t as usize {
                n = latest;
            }
            if !is_at(t, n, payload, tag) {
                return match table::table_next(t, Value::new(payload, Tag(tag)), n) {
                    Ok(Some((k, v, n))) => {
                        LATEST.with(|hints| hints[hint].set((t as usize, n)));
                        results(&[k, v])
                    }
                    Ok(None) => results(&[Value::NIL, Value::NIL]),
                    Err(_) => std::ptr::null(),
                };
            }
        }
        match behind(t, n) {
            Some((k, v, n)) => {
                LATEST.with(|hints| hints[hint].set((t as usize, n)));
                results(&[k, v])
            }
            None => results(&[Value::NIL, Value::NIL]),
        }
    }
}
pub(super) unsafe extern "C" fn next_prepare(l: *mut Thread, t: *mut Table) -> i64 {
    // SAFETY: [GC-LIVE] as above.
    unsafe { table::table_next_prepare(Global::of((*l).global), t) };
    1
}

// ---- concat ---------------------------------------------------------------------------------------------------------------

/// Appends elements `i` to `j` of a table without metatable to `out`; false if one of them is no text or number, or it is too long.
unsafe fn collect(out: &mut Vec<u8>, t: *mut Table, sep: *mut Str, i: i64, j: i64) -> bool {
    // SAFETY: [GC-LIVE] as above.
    unsafe {
        let sep = str_bytes(sep);
        let mut k = i;
        while k <= j {
            if k != i && j < i64::MAX {
                k = convert::append_elements(out, t, sep, k, j);
                if k > j {
                    return out.len() <= MAX_TEXT;
                }
            }
            if k != i {
                convert::append(out, sep);
            }
            let v = table::table_get_int(t, k);
            match v.tag {
                Tag::STRING => convert::append(out, str_bytes(v.as_ptr())),
                Tag::INT => convert::plain_int(out, v.as_int()),
                Tag::FLOAT => convert::append(out, number::fmt_number(v).as_bytes()),
                _ => return false,
            }
            if out.len() > MAX_TEXT {
                return false;
            }
            if k == j {
                break;
            }
            k += 1;
        }
        true
    }
}
pub(super) unsafe extern "C" fn concat(
    l: *mut Thread,
    t: *mut Table,
    sep: *mut Str,
    i: i64,
    j: i64,
) -> *mut Str {
    // SAFETY: [GC-LIVE] as above; the buffer is free between two calls of other functions.
    unsafe {
        let out = &mut *buf_new();
        if collect(out, t, sep, i, j) {
            make(l, out)
        } else {
            std::ptr::null_mut()
        }
    }
}
/// Length of what `table.concat` would make; `None` if compiled code does not make it.
///
/// # Safety
/// [GC-LIVE] both are alive, the table has no metatable.
pub(crate) unsafe fn concat_len(t: *mut Table, sep: *mut Str, i: i64, j: i64) -> Option<usize> {
    let mut out = Vec::new();
    // SAFETY: as promised.
    unsafe { collect(&mut out, t, sep, i, j) }.then_some(out.len())
}
