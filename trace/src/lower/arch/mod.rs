//! What differs between targets in traces: which registers are allocated, and the few instructions that `Masm` has no word
//! for.

mod x64;

use traceorus_asm::{Fpr, Masm};

use crate::ra::RegInfo;

/// A macro-assembler that traces can be emitted with.
///
/// Reserved in traces: `BASE`, `GLOBAL`, `FP`, `SP`, `SCRATCH` and the float scratch. All other roles are free: the
/// interpreter finds their values again in the state.
pub trait TraceRegs: Masm {
    /// Float register kept for moves; the one that the expansions of `Masm` use.
    const FSCRATCH: Fpr;
    /// Index in the register save area of float register 0.
    const SAVE_FPRS: u32;
    /// Registers for the allocator.
    fn regs() -> &'static RegInfo;
    /// The eight bytes that turn the exit stub at `stub` (a multiple of 8) into a jump to `target`; none if it does not reach.
    fn link_stub(stub: u64, target: u64) -> Option<u64>;
    /// At the head of a thunk that traces call: makes the native stack fit for calls.
    fn thunk_enter(&mut self);
    /// Undoes `thunk_enter` and returns to the trace.
    fn thunk_return(&mut self);
    /// Undoes `thunk_enter` and forgets the return address: the native stack is as in the trace.
    fn thunk_abandon(&mut self);
}
