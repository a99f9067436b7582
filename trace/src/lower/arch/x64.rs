//! Traces on x86-64.

use traceorus_asm::arch::x64::X64Masm;
use traceorus_asm::{AluOp, Fpr, Masm, Size, d};

use super::TraceRegs;
use crate::ra::{Reg, RegInfo, RegSet};

const fn set(numbers: &[u8]) -> u64 {
    let mut bits = 0;
    let mut i = 0;
    while i < numbers.len() {
        bits |= 1 << numbers[i];
        i += 1;
    }
    bits
}

/// rbx, r12 and r14: PC, THREAD and CODE of the interpreter.
const CALLEE_SAVED: u64 = set(&[3, 12, 14]);
/// rax rcx rdx rsi rdi r8 r9 r10
const CALLER_SAVED: u64 = set(&[0, 1, 2, 6, 7, 8, 9, 10]);
/// xmm0 to xmm14
const FLOATS: u64 = 0x7fff << 32;

fn immediate(value: i64) -> bool {
    i32::try_from(value).is_ok()
}

fn info(rounds: bool) -> RegInfo {
    RegInfo {
        allocatable: RegSet(CALLEE_SAVED | CALLER_SAVED | FLOATS),
        callee_saved: RegSet(CALLEE_SAVED),
        args: [7, 6, 2, 1, 8, 9].map(Reg::gpr),
        float_args: [0, 1, 2, 3, 4, 5, 6, 7].map(Reg::fpr),
        ret: Reg::gpr(0),
        float_ret: Reg::fpr(0),
        quotient: Reg::gpr(0),
        remainder: Reg::gpr(2),
        shift_count: Reg::gpr(1),
        rounds,
        immediate,
    }
}

impl TraceRegs for X64Masm {
    const FSCRATCH: Fpr = Fpr(15);
    const SAVE_FPRS: u32 = 16;

    fn regs() -> &'static RegInfo {
        static INFO: std::sync::OnceLock<RegInfo> = std::sync::OnceLock::new();
        INFO.get_or_init(|| info(X64Masm::has_fround()))
    }

    fn link_stub(stub: u64, target: u64) -> Option<u64> {
        // jmp rel32, then three bytes that are never run
        let distance = i32::try_from(target.wrapping_sub(stub + 5) as i64).ok()?;
        Some(0xe9 | u64::from(distance as u32) << 8)
    }

    fn thunk_enter(&mut self) {
        self.alu(AluOp::Sub, Size::B64, d(Self::SP), Self::SP, 8);
    }

    fn thunk_return(&mut self) {
        self.alu(AluOp::Add, Size::B64, d(Self::SP), Self::SP, 8);
        self.ret();
    }

    fn thunk_abandon(&mut self) {
        self.alu(AluOp::Add, Size::B64, d(Self::SP), Self::SP, 16);
    }
}
