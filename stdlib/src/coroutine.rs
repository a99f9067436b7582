//! Coroutine library. The functions switch threads, so they live in the vm.

use traceorus_base::objects::Table;
use traceorus_vm::coroutine;
use traceorus_vm::ctx::Ctx;

/// Opens the library.
pub fn open(cx: Ctx) -> *mut Table {
    let t = cx.new_table(0, 8);
    cx.set_funcs(t, &coroutine::functions());
    t
}
