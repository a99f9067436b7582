//! The native frame on RISC-V; see `Masm::prologue` for the layout.

use dynasmrt::{DynasmApi, dynasm};

use super::regs::FP;
use crate::buffer::CodeBuffer;
use crate::operand::{Addr, at};

/// Saves the callee-saved registers and reserves `locals` slots.
pub(super) fn prologue(b: &mut CodeBuffer, locals: u32) {
    // Seven saved registers and slot 0 make 64 bytes.
    dynasm!(b
        ; .arch riscv64i
        ; .feature imafd
        ; addi sp, sp, -64
        ; sd ra, [sp, 56]
        ; sd s0, [sp, 48]
        ; sd s1, [sp, 40]
        ; sd s2, [sp, 32]
        ; sd s3, [sp, 24]
        ; sd s4, [sp, 16]
        ; sd s5, [sp, 8]
        ; addi s0, sp, 64
    );
    let mut bytes = (locals.saturating_sub(1) * 8 + 15) & !15;
    while bytes > 0 {
        let step = bytes.min(2032);
        dynasm!(b ; .arch riscv64i ; .feature imafd ; addi sp, sp, -(step as i32));
        bytes -= step;
    }
}

/// Undoes `prologue`.
pub(super) fn epilogue(b: &mut CodeBuffer) {
    dynasm!(b
        ; .arch riscv64i
        ; .feature imafd
        ; addi sp, s0, -64
        ; ld ra, [sp, 56]
        ; ld s0, [sp, 48]
        ; ld s1, [sp, 40]
        ; ld s2, [sp, 32]
        ; ld s3, [sp, 24]
        ; ld s4, [sp, 16]
        ; ld s5, [sp, 8]
        ; addi sp, sp, 64
    );
}

/// Address of a local slot.
pub(super) fn local(slot: u32) -> Addr {
    at(FP, -64 - 8 * slot as i32)
}
