//! New coroutines.

use traceorus_base::objects::*;
use traceorus_base::{Tag, Value};
use traceorus_vm::coroutine;

/// `coroutine.create(f)`.
pub(super) unsafe extern "C" fn create(l: *mut Thread, f: *mut LuaClosure) -> *mut Thread {
    // SAFETY: [GC-LIVE] the trace has `f`, and keeps the result.
    unsafe { coroutine::new(l, Value::ptr(f, Tag::FUNCTION)) }
}

/// `coroutine.wrap(f)`.
pub(super) unsafe extern "C" fn wrap(l: *mut Thread, f: *mut LuaClosure) -> *mut NativeClosure {
    // SAFETY: as above.
    unsafe { coroutine::wrapped(l, Value::ptr(f, Tag::FUNCTION)).as_ptr() }
}
