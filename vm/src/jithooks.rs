//! What the vm and the trace compiler (the crate `trace`, which depends on this one) know of each other.
//!
//! The vm counts: loops and functions hold a counter in their instruction or header word (`Op::counter`), which emitted code
//! counts down. When it has run out, the helper calls [`JitHooks::hot`]. That may set `Global::recording`; the active region then calls
//! [`JitHooks::record`] before each instruction. A finished trace is entered by an instruction of the interpreter: the trace
//! compiler writes the op `Op::entering` and the trace's number into the word of the loop or function.

use traceorus_base::bytecode;
use traceorus_base::objects::*;
use traceorus_gc::Marker;

use crate::dispatch;
use crate::state::Global;

/// Counters of new loops start with this ([`Global::hotloop`]).
pub const HOTLOOP: u16 = 56;
/// Counters of new functions start with this ([`Global::hotcall`]).
pub const HOTCALL: u16 = 112;

/// What the trace compiler gives the vm. Installed by the root crate; absent: nothing is compiled.
#[derive(Clone, Copy)]
pub struct JitHooks {
    /// Own data, first argument of every hook.
    pub data: *mut u8,
    /// Whether anything is compiled now.
    pub is_on: unsafe fn(data: *mut u8) -> bool,
    /// The counter of a loop or function has run out. `anchor`: address of the loop instruction (Loop, ForLoop, ForLoopV,
    /// TForCall) or of the header word of a Lua function. `start`: the pc at which execution goes on. It is called when a back edge
    /// has been taken, or a frame is complete (the callee's is then the running one), but before a TForCall is performed, where
    /// `start` is the `anchor`. `l.base` and `l.pc` (= `start`) are up to date, the thread has no hook. Sets the counter anew
    /// ([`set_counter`]) and may set `Global::recording`, after which it calls `dispatch::update_dispatch(l)`. Must not collect,
    /// raise or run Lua code.
    pub hot: unsafe fn(data: *mut u8, l: *mut Thread, anchor: *mut Instr, start: *const Instr),
    /// Before each instruction while `Global::recording` is set (called by `active_step`, before line and count events).
    /// `l.base` and `l.pc` are up to date. Returns the pc to go on with: normally `pc`, which is then performed; another one if
    /// execution was transferred (the state is then complete).
    pub record: unsafe fn(data: *mut u8, l: *mut Thread, pc: *const Instr) -> *const Instr,
    /// An error is being raised while `Global::recording` is set: called by `throw::raise` with the frames intact, before the
    /// message handler and before frames are unwound.
    pub raising: unsafe fn(data: *mut u8, l: *mut Thread),
    /// Marks what traces keep alive: called with the roots of each cycle, and again in the atomic phase.
    pub mark: unsafe fn(data: *mut u8, m: &mut Marker<'_>),
    /// A prototype whose `jit` is not 0 was found dead and is about to be freed, its code with it: forget its counters and traces.
    /// Called in the atomic phase; `p` and its code are intact, what they refer to may be dead. Must not allocate in the heap.
    pub proto_freed: unsafe fn(data: *mut u8, p: *mut Proto),
    /// The debug library has changed a variable or what variable an upvalue is, behind the back of the code that uses it.
    /// `constant`: of functions of which it was taken for constant. Must not allocate in the heap.
    pub disturbed: unsafe fn(data: *mut u8, constant: bool),
    /// The state ends. Nothing is called after that.
    pub close: unsafe fn(data: *mut u8),
}

/// Whether what runs often gets compiled.
pub(crate) fn compiles(g: &Global) -> bool {
    // SAFETY: whoever installed the hooks vouches for them.
    g.jit.is_some_and(|jit| unsafe { (jit.is_on)(jit.data) })
}

/// The counter at `anchor` has run out ([`bytecode::COUNTER_OUT`]) and execution goes on at `start`: tells the trace compiler; see
/// [`JitHooks::hot`].
///
/// # Safety
/// [CODE] as the hook's description says; `l` runs that frame.
#[cold]
pub(crate) unsafe fn hot(l: *mut Thread, anchor: *const Instr, start: *const Instr) {
    // SAFETY: as promised; whoever installed the hooks vouches for them.
    unsafe {
        (*l).pc = start;
        match Global::of((*l).global).jit {
            Some(jit) => (jit.hot)(jit.data, l, anchor.cast_mut(), start),
            None => set_counter(anchor.cast_mut(), bytecode::COUNTER_OUT - 1),
        }
    }
}

/// Tells the trace compiler; see [`JitHooks::disturbed`].
///
/// # Safety
/// `l` is live.
pub unsafe fn disturbed(l: *mut Thread, constant: bool) {
    // SAFETY: as promised; whoever installed the hooks vouches for them.
    unsafe {
        if let Some(jit) = Global::of((*l).global).jit {
            (jit.disturbed)(jit.data, constant);
        }
    }
}

/// Place of the counter in the header word of a function with a fixed number of parameters.
const FUNCTION: usize = match bytecode::Op::FuncF.counter() {
    Some(n) => n,
    None => 0,
};

/// [`counter`] of the header word of a function with a fixed number of parameters.
///
/// # Safety
/// As [`counter`].
#[inline(always)]
pub(crate) unsafe fn function_counter(anchor: *const Instr) -> u16 {
    // SAFETY: as promised: see `counter_at`.
    unsafe { *anchor.cast::<u16>().add(FUNCTION) }
}

/// Counts down at `anchor`, a header word of the kind FuncF that enters no trace; true if the counter has run out with that.
///
/// # Safety
/// As [`counter`].
#[inline(always)]
pub(crate) unsafe fn count(anchor: *mut Instr) -> bool {
    // SAFETY: as promised: see `counter_at`.
    unsafe {
        let c = anchor.cast::<u16>().add(FUNCTION);
        *c = (*c).wrapping_sub(1);
        *c == bytecode::COUNTER_OUT
    }
}

/// Whether the counter at `anchor` has run out in a thread that neither a hook nor the recorder watches.
///
/// # Safety
/// As [`counter`]; `l` is a live thread.
#[inline(always)]
pub(crate) unsafe fn ran_out(l: *mut Thread, anchor: *const Instr) -> bool {
    // SAFETY: as promised.
    unsafe {
        (*l).dispatch != (*(*l).global).code_active && counter(anchor) == bytecode::COUNTER_OUT
    }
}

/// Sets [`Proto::jit`]. While it is not 0, [`JitHooks::proto_freed`] is called when the prototype dies.
///
/// # Safety
/// [GC-LIVE] `p` is a live prototype of this state.
pub unsafe fn set_proto_jit(g: &mut Global, p: *mut Proto, jit: u64) {
    // SAFETY: as promised.
    unsafe {
        if (*p).jit == 0 && jit != 0 {
            g.jit_protos.push(p);
        } else if (*p).jit != 0 && jit == 0 {
            g.jit_protos.retain(|&q| q != p);
        }
        (*p).jit = jit;
    }
}

/// The hot counter (or, once it enters one, the number of the trace) of the loop instruction or header word at `anchor`.
///
/// # Safety
/// [CODE] `anchor` is such a word of loaded code.
pub unsafe fn counter(anchor: *const Instr) -> u16 {
    // SAFETY: as promised.
    unsafe { *counter_at(anchor.cast_mut()) }
}

/// Sets what [`counter`] gives.
///
/// # Safety
/// As [`counter`].
pub unsafe fn set_counter(anchor: *mut Instr, n: u16) {
    // SAFETY: as promised.
    unsafe { *counter_at(anchor) = n }
}

unsafe fn counter_at(anchor: *mut Instr) -> *mut u16 {
    // SAFETY: [CODE] an operand is one of the four halves of the word, which is in writable memory.
    unsafe {
        let i = dispatch::op_at(anchor).counter();
        anchor.cast::<u16>().add(i.expect("an op that counts"))
    }
}

/// The continuation word of the call instruction at `pc`: the address of machine code that goes on after the call;
/// 0 if there is none.
///
/// # Safety
/// [CODE] `pc` is at an instruction of loaded code that has one (`Op::has_continuation`).
pub unsafe fn continuation(pc: *const Instr) -> u64 {
    // SAFETY: as promised.
    unsafe { *continuation_at(pc.cast_mut()) }
}

/// Sets what [`continuation`] gives.
///
/// # Safety
/// As [`continuation`]; unless it is 0, whoever makes compiled code return to the call sees to it that `address` can be jumped to then.
pub unsafe fn set_continuation(pc: *mut Instr, address: u64) {
    // SAFETY: as promised.
    unsafe { *continuation_at(pc) = address }
}

unsafe fn continuation_at(pc: *mut Instr) -> *mut u64 {
    // SAFETY: [CODE] the word belongs to the instruction, in writable memory.
    unsafe {
        debug_assert!(dispatch::op_at(pc).has_continuation());
        pc.add(bytecode::CONTINUATION)
    }
}

/// Makes the loop instruction or header word at `anchor` enter trace number `n`, or (`None`) be what it was before, with a
/// counter of `counter`.
///
/// # Safety
/// [CODE] `anchor` is such a word of loaded code, of prototype `p`; trace `n`, which is not 0xFFFF, is in `GlobalHot::traces` as long as it is entered.
pub unsafe fn set_entry(anchor: *mut Instr, p: *const Proto, n: Option<u16>, counter: u16) {
    use bytecode::Op;
    // SAFETY: as promised.
    unsafe {
        let w = *anchor;
        let (a, b, c) = (bytecode::a(w), bytecode::b(w), bytecode::c(w));
        let was = dispatch::op_at(anchor);
        let op = match n {
            Some(_) => was.entering().expect("an op that counts"),
            None => was,
        };
        let c = match op {
            Op::JFuncF => bytecode::HEADER_JFUNCF,
            Op::FuncF => (*p).nparams.into(),
            _ => c,
        };
        *anchor = bytecode::pack(dispatch::handler_of(op), a, b, c);
        set_counter(anchor, n.unwrap_or(counter));
    }
}
