//! The collector: `lua_gc`.

use std::ffi::c_int;

use traceorus_gc::Mode;
use traceorus_vm::exec;

use crate::types::*;
use crate::{global, thread};

/// A tuning parameter as PUC stores it: in a byte, divided by 4.
fn parameter(v: c_int) -> u32 {
    u32::from((v / 4) as u8) * 4
}

/// `lua_gc`. The headers declare it with `...`; the arguments of such a call are where those of this one are expected.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lua_gc(
    L: *mut lua_State,
    what: c_int,
    a: c_int,
    b: c_int,
    c: c_int,
) -> c_int {
    let g = global(thread(L));
    if g.in_finalizers || g.closing {
        return -1;
    }
    let l = g.hot.current;
    let mode = |m| match m {
        Mode::Generational => LUA_GCGEN,
        _ => LUA_GCINC,
    };
    match what {
        LUA_GCSTOP => g.heap.stop(),
        LUA_GCRESTART => g.heap.restart(),
        LUA_GCCOLLECT => exec::full_gc(l),
        LUA_GCCOUNT => return (g.heap.used_bytes() >> 10) as c_int,
        LUA_GCCOUNTB => return (g.heap.used_bytes() & 0x3ff) as c_int,
        LUA_GCSTEP => return exec::gc_step(l, a.max(0) as usize) as c_int,
        LUA_GCSETPAUSE => return g.heap.set_pause(parameter(a)) as c_int,
        LUA_GCSETSTEPMUL => return g.heap.set_stepmul(parameter(a)) as c_int,
        LUA_GCISRUNNING => return g.heap.is_running() as c_int,
        LUA_GCGEN => return mode(g.heap.set_mode(Mode::Generational)),
        LUA_GCINC => {
            if a != 0 {
                g.heap.set_pause(parameter(a));
            }
            if b != 0 {
                g.heap.set_stepmul(parameter(b));
            }
            if c != 0 {
                g.heap.set_stepsize(u32::from(c as u8));
            }
            return mode(g.heap.set_mode(Mode::Incremental));
        }
        _ => return -1,
    }
    0
}
