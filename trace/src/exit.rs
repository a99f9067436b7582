//! What exits of traces do: the interpreter's state is put back as the snapshot says. Called from the thunks (`lower`).

use traceorus_base::bytecode::{self, Op};
use traceorus_base::objects::*;
use traceorus_base::{Tag, Value};
use traceorus_vm::call;
use traceorus_vm::dispatch;
use traceorus_vm::state::Global;

use crate::ir::Snap;
use crate::jit::Jit;
use crate::loc::{ExitMap, Loc};
use crate::lower;
use crate::params::dump;

/// Writes the slots of an exit and makes its frame the running one.
unsafe fn restore(g: *mut GlobalHot, save: *mut u64, map: &ExitMap) -> *mut Thread {
    // SAFETY: [SNAP-EXACT] the map says where the values of every live slot are; [STACK-STABLE] the trace has checked that the
    // stack has room for them.
    unsafe {
        let l = (*g).current;
        let base = lower::saved_base(save) as *mut Value;
        for s in &map.slots {
            let at = base.offset(s.slot as isize);
            if s.val != Loc::None {
                (*at).payload = lower::saved(save, s.val);
            }
            let tag = lower::saved(save, s.tag);
            if s.word {
                call::set_word(at, tag);
            } else {
                (*at).tag = Tag(tag as i32);
                (*at).aux = 0;
            }
        }
        (*l).base = base.offset(map.base as isize);
        (*l).pc = map.pc as *const Instr;
        if map.top != Snap::NO_TOP {
            (*l).top = base.offset(map.top as isize);
        }
        (*l).pcall_depth += u32::from(map.pcalls);
        l
    }
}

/// A guard failed in trace `id >> 16`, snapshot `id & 0xffff`: the state is put back; gives the pc to go on at.
///
/// # Safety
/// Called by the exit thunk only.
pub unsafe extern "C" fn exit(g: *mut GlobalHot, save: *mut u64, id: u64) -> *const Instr {
    // SAFETY: as promised.
    unsafe {
        let jit = Jit::of(Global::of(g)).expect("we run because it is there");
        let (n, e) = ((id >> 16) as u16, id as u16);
        let t = jit.traces[n as usize].as_ref().expect("it runs");
        let map = &t.exits[e as usize];
        let l = restore(g, save, map);
        let pc = map.pc as *const Instr;
        let is_poll = t.polls.iter().any(|p| p.0.0 == e);
        if jit.dump.wants(dump::EXIT) {
            let base = (*l).base.offset(-(map.base as isize));
            jit.dump.exit(t, e, base);
        }
        jit.stats.exits += 1;
        if !is_poll {
            jit.exited(l, n, e, pc);
        }
        // the instruction would only enter the trace again
        let h = bytecode::op_field(*pc);
        if dispatch::exact_op_of(h) == Op::JTForCall && (*l).dispatch == (*g).code_base {
            let helper: unsafe extern "C" fn(*mut Thread, *const Instr) -> *const Instr =
                std::mem::transmute(dispatch::helper_address(Op::TForCall));
            return helper(l, pc);
        }
        pc
    }
}

/// Something waits at a POLL. 0: done, the trace goes on; else it is left.
///
/// # Safety
/// Called by the poll thunk only.
pub unsafe extern "C" fn poll(g: *mut GlobalHot, save: *mut u64, id: u64) -> u64 {
    // SAFETY: as promised.
    unsafe {
        if (*g).poll & !traceorus_base::objects::poll::GC != 0 {
            return 1;
        }
        let jit = Jit::of(Global::of(g)).expect("we run because it is there");
        let (n, e) = ((id >> 16) as u16, id as u16);
        let t = jit.traces[n as usize].as_ref().expect("it runs");
        let map = &t.exits[e as usize];
        let l = restore(g, save, map);
        let mut roots = Vec::with_capacity(map.roots.len());
        for &(val, tag) in &map.roots {
            let v = Value::new(lower::saved(save, val), Tag(lower::saved(save, tag) as i32));
            roots.push((v, ()));
        }
        jit.stats.polls += 1;
        u64::from(!jit.collect(l, &roots))
    }
}

/// The collector's barrier: object, payload and tag of the value are in `GlobalHot::jit_scratch`.
///
/// # Safety
/// Called by the barrier thunk only.
pub unsafe extern "C" fn barrier(g: *mut GlobalHot) {
    // SAFETY: [GC-BARRIER] [GC-LIVE] the trace stores this value into this object next.
    unsafe {
        let [obj, payload, tag, _] = (*g).jit_scratch;
        let v = Value::new(payload, Tag(tag as i32));
        Global::of(g).heap.barrier(obj as *mut GcHeader, v);
    }
}
pub unsafe extern "C" fn alloc(_g: *mut GlobalHot) {}

/// Compiled code has returned to the call at `call`, which has no continuation; `Thread::base` is that of the caller.
///
/// # Safety
/// Called by the return thunk only.
pub unsafe extern "C" fn ret(g: *mut GlobalHot, call: *const Instr) -> *const Instr {
    // SAFETY: as promised.
    unsafe {
        let jit = Jit::of(Global::of(g)).expect("we run because it is there");
        jit.returned((*g).current, call)
    }
}
