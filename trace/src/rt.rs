//! Functions that compiled code calls (`ir::CallId`), and their addresses.

use traceorus_base::objects::{Str, Table};
use traceorus_vm::{arith, string, table};

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

/// Address of the function.
pub fn address(id: CallId) -> usize {
    match id {
        CallId::FMod => fmod as *const () as usize,
        CallId::Pow => pow as *const () as usize,
        CallId::StrCmp => str_cmp as *const () as usize,
        CallId::StrEq => str_eq as *const () as usize,
        CallId::TabLen => tab_len as *const () as usize,
    }
}
