//! The native frame on AArch64; see `Masm::prologue` for the layout.

use dynasmrt::{DynasmApi, dynasm};

use super::regs::FP;
use crate::buffer::CodeBuffer;
use crate::operand::{Addr, at};

/// Saves the callee-saved registers and reserves `locals` slots.
pub(super) fn prologue(b: &mut CodeBuffer, locals: u32) {
    dynasm!(b
        ; .arch aarch64
        ; stp x29, x30, [sp, #-64]!
        ; mov x29, sp
        ; stp x19, x20, [sp, #16]
        ; stp x21, x22, [sp, #32]
        ; str x23, [sp, #48]
    );
    let mut bytes = (locals * 8 + 15) & !15;
    while bytes > 0 {
        // Twelve bits at a time keeps to one form; real frames need one step.
        let step = bytes.min(4080);
        dynasm!(b ; .arch aarch64 ; sub sp, sp, step);
        bytes -= step;
    }
}

/// Undoes `prologue`.
pub(super) fn epilogue(b: &mut CodeBuffer) {
    dynasm!(b
        ; .arch aarch64
        ; mov sp, x29
        ; ldp x19, x20, [sp, #16]
        ; ldp x21, x22, [sp, #32]
        ; ldr x23, [sp, #48]
        ; ldp x29, x30, [sp], #64
    );
}

/// Address of a local slot.
pub(super) fn local(slot: u32) -> Addr {
    at(FP, -8 - 8 * slot as i32)
}
