//! What exits of traces do: the interpreter's state is put back as the snapshot says. Called from the thunks (`lower`).

use traceorus_asm::{Host, Masm};
use traceorus_base::bytecode::{self, Op};
use traceorus_base::objects::*;
use traceorus_base::{Tag, Value};
use traceorus_vm::call;
use traceorus_vm::dispatch;
use traceorus_vm::state::Global;

use crate::ir::Snap;
use crate::jit::Jit;
use crate::loc::{ExitMap, Loc};
use crate::lower::{self, TraceRegs};
use crate::params::dump;

/// What was in a place when the trace was left.
unsafe fn saved(save: *mut u64, at: Loc) -> u64 {
    let n = match at {
        Loc::None => return 0,
        Loc::Const(bits) => return bits,
        Loc::Gpr(n) => n as usize,
        Loc::Fpr(n) => (Host::SAVE_FPRS + u32::from(n)) as usize,
        Loc::Spill(n) => lower::spill_index(n),
    };
    // SAFETY: the save area and the spill slots above it belong to the native frame that the thunk runs in; see `lower::exit`.
    unsafe { *save.add(n) }
}

/// Writes the slots of an exit and makes its frame the running one.
unsafe fn restore(g: *mut GlobalHot, save: *mut u64, map: &ExitMap) -> *mut Thread {
    // SAFETY: [SNAP-EXACT] the map says where the values of every live slot are; [STACK-STABLE] the trace has checked that the
    // stack has room for them.
    unsafe {
        let l = (*g).current;
        let base = saved(save, Loc::Gpr(<Host as Masm>::BASE.0)) as *mut Value;
        for s in &map.slots {
            let at = base.offset(s.slot as isize);
            if s.val != Loc::None {
                (*at).payload = saved(save, s.val);
            }
            let tag = saved(save, s.tag);
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
        (*g).jit_scratch[3] = 0;
        let is_poll = (*g).poll != 0 && t.polls.iter().any(|p| p.0 == e);
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
            let v = Value::new(saved(save, val), Tag(saved(save, tag) as i32));
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
/// A free cell for an object of `jit_scratch[0]` bytes: its address goes there.
///
/// # Safety
/// Called by the allocation thunk only; the trace writes all fields before anything looks at them [GC-LAYOUT].
pub unsafe extern "C" fn alloc(g: *mut GlobalHot) {
    // SAFETY: as promised. Allocation neither collects nor fails.
    unsafe {
        let bytes = (*g).jit_scratch[0] as usize;
        let p = Global::of(g).heap.alloc(ObjKind::Table, bytes);
        (*g).jit_scratch[0] = p as u64;
    }
}

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
