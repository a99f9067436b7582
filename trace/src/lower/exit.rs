//! Ways out of traces, and calls of Rust that preserve all registers: thunks that all traces of a state share.
//!
//! **Exit stubs.** Each snapshot has a stub behind the trace: the exit's number (trace number times 65536 plus snapshot
//! number) goes to the scratch register, then a jump to [`Thunks::exit`]. The stub is aligned to 8, so that one store
//! ([`TraceRegs::link_stub`]) makes it a jump to a side trace.
//!
//! **Save area.** The exit and poll thunks store every register that traces allocate, and `BASE`, to the native frame:
//!
//! ```text
//! save[n]              general register n (hardware number); save[SCRATCH] is the exit's number
//! save[SAVE_FPRS + n]  float register n                       (x86-64: SAVE_FPRS is 16)
//! save[spill_index(n)] spill slot n
//! ```
//! `save` is the lowest address: `Masm::local(SAVE_AREA + SAVE_SLOTS - 1)`.
//!
//! **Native stack.** Thunks that traces call (poll, barrier, alloc) return by the return address; the exit thunk is jumped
//! to. In a trace the native stack is as in the interpreter's handlers: aligned for calls.

use traceorus_asm::{Addr, AluCond, AluOp, AsmError, Cond, Fpr, Gpr, LoadKind, Masm, Size, at, d};

use traceorus_base::bytecode::CALL_WORDS;

use super::arch::TraceRegs;
use super::call::{BASE, CURRENT};
use crate::loc::{SAVE_AREA, SAVE_SLOTS, SPILL_SLOTS};
use crate::ra::{Reg, RegSet};

/// Rust functions behind the thunks, and facts about the state.
#[derive(Clone, Copy, Debug)]
pub struct RustEntry {
    /// `unsafe extern "C" fn(g: *mut GlobalHot, save: *mut u64, id: u64) -> *const Instr`: restores the interpreter's state
    /// after exit `id` and returns where it goes on (null: leaves the interpreter).
    pub exit: u64,
    /// `unsafe extern "C" fn(g: *mut GlobalHot, save: *mut u64, id: u64) -> u64`: does what waits in the poll word. 0: the
    /// trace goes on with all registers as they were; else `exit` is called with the same arguments.
    pub poll: u64,
    /// `unsafe extern "C" fn(g: *mut GlobalHot)`: the collector's barrier for the object `jit_scratch[0]`, into which the value
    /// with payload `jit_scratch[1]` and tag `jit_scratch[2]` (low half; `Tag::ANY`: unknown) is about to be stored.
    pub barrier: u64,
    /// `unsafe extern "C" fn(g: *mut GlobalHot)`: puts the address of a free cell of at least `jit_scratch[0]` bytes into
    /// `jit_scratch[0]`. It must neither collect nor fail.
    pub alloc: u64,
    /// `unsafe extern "C" fn(g: *mut GlobalHot)`: what SLOTOF gives for the table `jit_scratch[0]` and the key `jit_scratch[1]` goes to
    /// `jit_scratch[0]`; the look-up cache knows it then, if it can. It must neither collect nor fail.
    pub slot_of: u64,
    /// The same for METHOD.
    pub method: u64,
    /// `unsafe extern "C" fn(g: *mut GlobalHot)`: `GlobalHot::sunk_left` has wrapped: charges what was counted down. It must
    /// neither collect nor fail.
    pub charge: u64,
    /// `unsafe extern "C" fn(g: *mut GlobalHot, call: *const Instr) -> *const Instr`: compiled code has returned to the call at
    /// `call`, which has no continuation, and `Thread::base` is its frame's; gives the pc to go on at.
    pub ret: u64,
    /// Address of 32 bits: so many returns, this one included, until `ret` is called; the others go on behind the call.
    pub returns_left: u64,
    /// `unsafe extern "C" fn(g: *mut GlobalHot, word: u64) -> *const Instr`: compiled code has returned from a metamethod's frame, whose
    /// word this is and whose base `Thread::base`, with the result below it, to an instruction without continuation; gives the pc to go on at.
    pub ret_event: u64,
    /// Address of the table of [`EVENTS`] continuations of instructions that have called metamethods: frame word, address.
    pub events: u64,
    /// Where RET0, the next pc or null, goes on in the interpreter (`GlobalHot::resume`).
    pub resume: u64,
    /// Offset from GLOBAL of a 32-bit word that is not 0 when something disturbed a frame during a call.
    pub disturbed_offset: i32,
    /// Offset from GLOBAL of a 32-bit word that each guard counts down; at 0 it leaves the trace. For tests.
    pub exit_left_offset: Option<i32>,
    /// `unsafe extern "C" fn(g: *mut GlobalHot)`: a root trace is entered; BASE is in `jit_scratch[0]`, its number in `jit_scratch[1]`. For tests.
    pub entered: Option<u64>,
    /// Offset from GLOBAL of the `Counts` in which what is executed is counted, if it is to be.
    pub counts_offset: Option<i32>,
    /// Address of the helper of the instruction at a pc.
    pub helpers: fn(pc: u64) -> u64,
    /// Address of the handler of the instruction at a pc, if a trace may perform it by that.
    pub handlers: fn(pc: u64) -> Option<u64>,
}

/// Addresses of the thunks, and what traces need of [`RustEntry`].
#[derive(Clone, Copy, Debug)]
pub struct Thunks {
    /// Jumped to by exit stubs.
    pub exit: u64,
    /// Called by POLLs when something waits.
    pub poll: u64,
    /// Called by barriers.
    pub barrier: u64,
    /// Called by allocations whose free list is empty.
    pub alloc: u64,
    /// Called by SLOTOF when the look-up cache does not know.
    pub slot_of: u64,
    /// The same for METHOD.
    pub method: u64,
    /// Called where allocations were removed when enough of them have come together.
    pub charge: u64,
    /// Continuation of calls that have none: see `Link::Return`.
    pub ret: u64,
    /// The same for instructions that have called metamethods: see `Link::Event`.
    pub ret_event: u64,
    /// As in [`RustEntry`].
    pub events: u64,
    /// As in [`RustEntry`].
    pub resume: u64,
    /// As in [`RustEntry`].
    pub disturbed_offset: i32,
    /// As in [`RustEntry`].
    pub exit_left_offset: Option<i32>,
    /// Called at the entries of root traces, if the test wants it.
    pub entered: Option<u64>,
    /// As in [`RustEntry`].
    pub counts_offset: Option<i32>,
    /// As in [`RustEntry`].
    pub helpers: fn(pc: u64) -> u64,
    /// As in [`RustEntry`].
    pub handlers: fn(pc: u64) -> Option<u64>,
}

/// Entries of the table of continuations by frame word (a power of two).
pub const EVENTS: usize = 1024;
/// Where that table has the frame word `word`.
pub const fn event_index(word: u64) -> usize {
    (word >> 3) as usize & (EVENTS - 1)
}

/// Index of spill slot `n` from the save area's address, in words.
pub const fn spill_index(n: u16) -> usize {
    (SAVE_SLOTS - 1 + SPILL_SLOTS - n as u32) as usize
}

/// Word `k` of the save area.
fn save<M: Masm>(k: u32) -> Addr {
    M::local(SAVE_AREA + SAVE_SLOTS - 1 - k)
}

/// Where register `r` is saved.
fn save_of<M: TraceRegs>(r: Reg) -> Addr {
    let n = u32::from(r.number());
    save::<M>(if r.is_fpr() { M::SAVE_FPRS + n } else { n })
}

fn save_all<M: TraceRegs>(m: &mut M, set: RegSet) {
    for r in set {
        if r.is_fpr() {
            m.fstore(save_of::<M>(r), Fpr(r.number()));
        } else {
            m.store(Size::B64, save_of::<M>(r), Gpr(r.number()));
        }
    }
}

fn restore_all<M: TraceRegs>(m: &mut M, set: RegSet) {
    for r in set {
        if r.is_fpr() {
            m.fload(d(Fpr(r.number())), save_of::<M>(r));
        } else {
            m.load(LoadKind::U64, d(Gpr(r.number())), save_of::<M>(r));
        }
    }
}

/// Calls `address(GLOBAL, save, save[SCRATCH])`.
fn call_exit<M: TraceRegs>(m: &mut M, address: u64) {
    m.load(
        LoadKind::U64,
        d(M::ARG2),
        save_of::<M>(Reg::gpr(M::SCRATCH.0)),
    );
    m.lea(d(M::ARG1), save::<M>(0));
    m.mov(d(M::ARG0), M::GLOBAL);
    m.call_abs(address);
}

/// Emits the thunks for code at `address` (a multiple of 16). Traces must be near them, as they are in one
/// [`CodeArea`](super::CodeArea).
#[inline(never)]
pub fn emit_thunks<M: TraceRegs>(
    address: u64,
    rust: &RustEntry,
) -> Result<(Vec<u8>, Thunks), AsmError> {
    let mut m = M::new_at(address);
    let m = &mut m;
    let all = M::regs().allocatable;
    let mut everything = all;
    everything.add(Reg::gpr(M::BASE.0));
    everything.add(Reg::gpr(M::SCRATCH.0));

    let exit = m.here();
    save_all(m, everything);
    call_exit(m, rust.exit);
    m.jump_abs(rust.resume);

    m.align(16);
    let poll = m.here();
    let leave = m.new_label();
    m.thunk_enter();
    save_all(m, everything);
    call_exit(m, rust.poll);
    m.branch(Cond::Ne, Size::B64, M::RET0, 0, leave);
    restore_all(m, all);
    m.thunk_return();
    m.bind(leave);
    m.thunk_abandon();
    call_exit(m, rust.exit);
    m.jump_abs(rust.resume);

    m.align(16);
    let ret = m.here();
    m.load(LoadKind::U16, d(M::T0), at(M::PC, 2));
    m.alu(AluOp::Sub, Size::B64, d(M::BASE), M::BASE, M::T0);
    m.alu(AluOp::Sub, Size::B64, d(M::BASE), M::BASE, 16);
    m.load(LoadKind::U64, d(M::THREAD), at(M::GLOBAL, CURRENT));
    m.store(Size::B64, at(M::THREAD, BASE), M::BASE);
    let counted = m.new_label();
    m.with_scratch(|m, s| {
        m.mov_imm(d(s), rust.returns_left as i64);
        m.alu_to_mem_branch(AluOp::Sub, Size::B32, at(s, 0), 1, AluCond::Zero, counted);
    });
    m.lea(d(M::RET0), at(M::PC, 8 * CALL_WORDS as i32));
    m.jump_abs(rust.resume);
    m.bind(counted);
    m.move_args(&[M::GLOBAL.into(), M::PC.into()]);
    m.call_abs(rust.ret);
    m.jump_abs(rust.resume);

    m.align(16);
    let ret_event = m.here();
    m.load(LoadKind::U64, d(M::THREAD), at(M::GLOBAL, CURRENT));
    m.store(Size::B64, at(M::THREAD, BASE), M::BASE);
    m.move_args(&[M::GLOBAL.into(), M::PC.into()]);
    m.call_abs(rust.ret_event);
    m.jump_abs(rust.resume);

    let mut preserving = |function: u64| {
        m.align(16);
        let label = m.here();
        let lost = M::regs().caller_saved();
        m.thunk_enter();
        save_all(m, lost);
        m.mov(d(M::ARG0), M::GLOBAL);
        m.call_abs(function);
        restore_all(m, lost);
        m.thunk_return();
        label
    };
    let barrier = preserving(rust.barrier);
    let alloc = preserving(rust.alloc);
    let charge = preserving(rust.charge);
    let slot_of = preserving(rust.slot_of);
    let method = preserving(rust.method);
    let entered = rust.entered.map(&mut preserving);
    let code = std::mem::replace(m, M::new()).finalize()?;
    let place = |l| address + u64::from(code.label_offset(l).unwrap_or(0));
    let thunks = Thunks {
        exit: place(exit),
        poll: place(poll),
        barrier: place(barrier),
        alloc: place(alloc),
        charge: place(charge),
        slot_of: place(slot_of),
        method: place(method),
        ret: place(ret),
        ret_event: place(ret_event),
        events: rust.events,
        resume: rust.resume,
        disturbed_offset: rust.disturbed_offset,
        exit_left_offset: rust.exit_left_offset,
        entered: entered.map(place),
        counts_offset: rust.counts_offset,
        helpers: rust.helpers,
        handlers: rust.handlers,
    };
    Ok((code.bytes, thunks))
}
