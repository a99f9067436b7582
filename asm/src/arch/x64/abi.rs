//! The native frame on x86-64; see `Masm::prologue` for the layout.

use dynasmrt::{DynasmApi, dynasm};

use super::regs::RBP;
use crate::buffer::CodeBuffer;
use crate::operand::{Addr, at};

/// Distance from FP down to the last saved register.
const SAVED_BYTES: i32 = 40;

/// Saves the callee-saved registers and reserves `locals` slots.
pub(super) fn prologue(b: &mut CodeBuffer, locals: u32) {
    dynasm!(b
        ; .arch x64
        ; push rbp
        ; mov rbp, rsp
        ; push rbx
        ; push r12
        ; push r13
        ; push r14
        ; push r15
    );
    // At entry rsp is 8 off a multiple of 16; six pushes keep it 8 off, so the reserved size must be 8 off too.
    let bytes = (locals | 1) * 8;
    if bytes < 128 {
        dynasm!(b ; .arch x64 ; sub rsp, BYTE bytes as i8);
    } else {
        dynasm!(b ; .arch x64 ; sub rsp, DWORD bytes as i32);
    }
}

/// Undoes `prologue`.
pub(super) fn epilogue(b: &mut CodeBuffer) {
    dynasm!(b
        ; .arch x64
        ; lea rsp, [rbp - 40]
        ; pop r15
        ; pop r14
        ; pop r13
        ; pop r12
        ; pop rbx
        ; pop rbp
    );
}

/// Address of a local slot.
pub(super) fn local(slot: u32) -> Addr {
    at(RBP, -SAVED_BYTES - 8 - 8 * slot as i32)
}
