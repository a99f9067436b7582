//! Functions that compiled code calls (`ir::CallId`), and their addresses.

use traceorus_base::objects::{Dict, DictEntry, Str, Table};
use traceorus_base::{Tag, Value};
use traceorus_vm::{arith, dict, string, table};

use crate::ir::CallId;

unsafe extern "C" fn fmod(a: f64, b: f64) -> f64 {
    arith::float_mod(a, b)
}
unsafe extern "C" fn pow(a: f64, b: f64) -> f64 {
    arith::float_pow(a, b)
}
unsafe extern "C" fn str_cmp(a: *mut Str, b: *mut Str) -> i64 {
    // SAFETY: [GC-LIVE] the trace holds both in registers that no collection has been near.
    unsafe { string::str_bytes(a).cmp(string::str_bytes(b)) as i64 }
}
unsafe extern "C" fn str_eq(a: *mut Str, b: *mut Str) -> i64 {
    // SAFETY: as above.
    unsafe { i64::from(a == b || string::str_bytes(a) == string::str_bytes(b)) }
}
unsafe extern "C" fn tab_len(t: *mut Table) -> i64 {
    // SAFETY: as above.
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

unsafe fn dict_find(t: *mut Table, key: Value) -> *const DictEntry {
    // SAFETY: [GC-LIVE] as above; the recorder has guarded that it is a dictionary.
    unsafe {
        let e = dict::dict_find((*t).hash as *mut Dict, key);
        if e.is_null() {
            &raw const NO_ENTRY.0
        } else {
            e
        }
    }
}
unsafe extern "C" fn dict_int(t: *mut Table, k: i64) -> *const DictEntry {
    // SAFETY: as `dict_find`.
    unsafe { dict_find(t, Value::int(k)) }
}
unsafe extern "C" fn dict_str(t: *mut Table, k: *mut Str) -> *const DictEntry {
    // SAFETY: as `dict_find`.
    unsafe { dict_find(t, Value::ptr(k, Tag::STRING)) }
}
unsafe extern "C" fn dict_any(t: *mut Table, payload: u64, tag: i32) -> *const DictEntry {
    // SAFETY: as `dict_find`.
    unsafe { dict_find(t, Value::new(payload, Tag(tag))) }
}

/// Address of the function.
pub fn address(id: CallId) -> usize {
    match id {
        CallId::FMod => fmod as *const () as usize,
        CallId::Pow => pow as *const () as usize,
        CallId::StrCmp => str_cmp as *const () as usize,
        CallId::StrEq => str_eq as *const () as usize,
        CallId::TabLen => tab_len as *const () as usize,
        CallId::DictInt => dict_int as *const () as usize,
        CallId::DictStr => dict_str as *const () as usize,
        CallId::DictAny => dict_any as *const () as usize,
    }
}
