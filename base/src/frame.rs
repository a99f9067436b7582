//! Frames on the Lua stack.
//!
//! A frame is the slots from its base upwards; the slot below the base (`base[-1]`) holds the called
//! function's payload and, in place of a tag, a 64-bit *frame word*:
//!
//! ```text
//!  63        47 46                         3 2    0
//! +------------+---------------------------+------+
//! | tail,delta | address (8-aligned)       | kind |
//! +------------+---------------------------+------+
//! ```
//! | kind | address | previous frame's base |
//! |------|---------|-----------------------|
//! | LUA | pc of the calling instruction (CALL, CALLM, TFORCALL); its operand A is the callee's function slot | `base - A - 16` |
//! | VARARG | the delta (in 8-byte units, it may be large); the frame was moved up above its extra arguments, the real function slot and word are `delta` slots below | same frame |
//! | CONT | pc of the instruction that called a metamethod or `__close`; the op there says what happens to the results | `base - delta` slots |
//! | PCALL | `Thread::pcall_depth` before it, times 8; the previous frame is the native frame of pcall (delta 1) or xpcall (delta 2, handler in its slot 0) | `base - delta` slots |
//! | ENTRY | address of the `Activation` by which native code entered | by the record |
//! | BASE | 0; bottom of a thread | none |
//! | TAIL | as LUA; the function was entered by a tail call | `base - A - 16` |
//! | CLOSING | the delta (as VARARG); the previous frame is that of a pcall which closes variables after an error, or of a C function | `base - delta` slots |
//!
//! In words of the other kinds bit 63 ([`TAIL_BIT`]) says that the function was entered by a tail call.
//!
//! The pc of a frame is therefore found in the frame above it; that of the running frame is `Thread::pc`.
//! Live extent of a suspended frame (what the collector scans): a Lua frame's registers below
//! `min(live_top(pc), next frame's function slot)`; a native frame's slots up to the next frame's function
//! slot; of the running frame: `live_top(pc)`, or `Thread::top` for a native one.

/// Frame kinds (ORDER FrameKind: LUA is 0, tested with one `test` in RETURN).
pub mod kind {
    /// Called by a Lua call instruction.
    pub const LUA: u64 = 0;
    /// Vararg frame moved above its arguments.
    pub const VARARG: u64 = 1;
    /// Continuation of an instruction.
    pub const CONT: u64 = 2;
    /// Protected call.
    pub const PCALL: u64 = 3;
    /// Entered from native code.
    pub const ENTRY: u64 = 4;
    /// Bottom frame of a thread.
    pub const BASE: u64 = 5;
    /// As LUA, entered by a tail call.
    pub const TAIL: u64 = 6;
    /// `__close` called on behalf of a pcall that caught an error, or of a C function that returns ([`RETURNING_BIT`]). (Continuation records of compiled code will be words of
    /// kind BASE with an address.)
    pub const CLOSING: u64 = 7;
    /// Mask of the kind bits.
    pub const MASK: u64 = 7;
}

/// Words of 8 bytes that the interpreter's native frame has for traces, from `Masm::local(2)` on. Traces run in that frame:
/// their spill slots and the place where their exits save registers are there. Nobody else uses them, and entries that nest have
/// some each.
pub const JIT_SLOTS: u32 = 300;
/// The local slot (of `Masm::local`) with the address where execution goes on when an instruction that a trace has
/// performed by its handler is done: see "The back region" in docs/INTERPRETER.md.
pub const BACK_SLOT: u32 = 1 + JIT_SLOTS;
/// The local slot in which the trace keeps BASE meanwhile.
pub const BACK_BASE_SLOT: u32 = JIT_SLOTS;

/// First bit of the delta.
pub const DELTA_SHIFT: u32 = 47;
/// Largest delta in slots.
pub const MAX_DELTA: u64 = (1 << 15) - 1;
/// Set in the word of a CONT frame when every slot of the frame below it, up to the function slot, is live (results
/// that wait above the registers), and in `Activation::bits` to the same end for ENTRY frames.
pub const FULL_BIT: u64 = 1 << 62;
/// Set in the word of a frame (of another kind than LUA) whose function was entered by a tail call.
pub const TAIL_BIT: u64 = 1 << 63;

/// Packs a frame word.
#[inline(always)]
pub const fn word(kind: u64, addr: u64, delta_slots: u64) -> u64 {
    debug_assert!(delta_slots <= MAX_DELTA);
    delta_slots << DELTA_SHIFT | addr | kind
}
/// The kind bits of a frame word.
#[inline(always)]
pub const fn kind_of(w: u64) -> u64 {
    w & kind::MASK
}
/// The address bits of a frame word.
#[inline(always)]
pub const fn addr_of(w: u64) -> u64 {
    w & ((1 << DELTA_SHIFT) - 8)
}
/// The delta of a frame word, in slots (of a VARARG frame too).
#[inline(always)]
pub const fn delta_of(w: u64) -> u64 {
    if matches!(kind_of(w), kind::VARARG | kind::CLOSING) {
        addr_of(w) >> 3
    } else {
        w >> DELTA_SHIFT & MAX_DELTA
    }
}
/// Word of the frame of a `__close` called by a pcall `delta` slots below.
#[inline(always)]
pub const fn closing_word(delta: u64) -> u64 {
    delta << 3 | kind::CLOSING
}
/// Set in the word of a CLOSING frame when it was called not because of an error, but because the C function below returns.
pub const RETURNING_BIT: u64 = 1 << DELTA_SHIFT;
/// Word of a vararg frame that was moved up by `delta` slots.
#[inline(always)]
pub const fn vararg_word(delta: u64) -> u64 {
    delta << 3 | kind::VARARG
}
