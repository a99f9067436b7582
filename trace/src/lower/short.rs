//! Short exits: code that does what one exit does, without the thunk, the packed exit and the policy.
//!
//! ```text
//!        something disturbed a frame: slow
//!        [left] -= 1, at 0: slow
//!        slots, thread's base and top; RET0 = pc; jump to the interpreter
//! slow   scratch = exit's number, jump to the exit thunk
//! ```
//! It is entered with everything as in the exit's stub.

use std::mem::offset_of;

use traceorus_asm::{AluCond, AluOp, Cond, Fpr, Gpr, LoadKind, at, d};
use traceorus_base::objects::Thread;

use super::arch::TraceRegs;
use super::call::{BASE, CURRENT};
use super::exit::Thunks;
use super::{B32, B64};
use crate::abort::Abort;
use crate::exits::Exit;
use crate::ir::Snap;
use crate::loc::{FIRST_SPILL, Loc};
use crate::ra::plan::{SLOT, SLOT_TAG};

/// The short exit `id` (trace number times 65536 plus snapshot number), which counts down the 32 bits at the address `left`, for code at `address`. `None`: what the
/// exit does takes more.
pub fn short_exit<M: TraceRegs>(
    exit: &Exit<'_>,
    id: u32,
    left: u64,
    address: u64,
    thunks: &Thunks,
) -> Option<Result<Vec<u8>, Abort>> {
    let sunk = |at| matches!(at, Loc::Sunk(_));
    if exit.poll || exit.room != 0 || exit.slots().any(|s| sunk(s.val) || s.tag == Loc::None) {
        return None;
    }
    let mut m = M::new_at(address);
    let slow = m.new_label();
    let disturbed = at(M::GLOBAL, thunks.disturbed_offset);
    m.branch_mem(Cond::Ne, B32, disturbed, 0, slow);
    if let Some(offset) = thunks.exit_left_offset {
        // a test's exit, which another has to be chosen after
        m.branch_mem(Cond::Eq, B32, at(M::GLOBAL, offset), 0, slow);
    }
    m.with_scratch(|m, s| {
        m.mov_imm(d(s), left as i64);
        m.alu_to_mem_branch(AluOp::Sub, B32, at(s, 0), 1, AluCond::Zero, slow);
    });
    exit.each_slot(|s| {
        let slot = at(M::BASE, SLOT * i32::from(s.slot));
        store(&mut m, true, slot, s.val);
        store(&mut m, s.word, slot.offset(SLOT_TAG), s.tag);
    });
    m.load(LoadKind::U64, d(M::THREAD), at(M::GLOBAL, CURRENT));
    if exit.top != Snap::NO_TOP {
        let top = offset_of!(Thread, top) as i32;
        m.lea(d(M::T0), at(M::BASE, SLOT * i32::from(exit.top)));
        m.store(B64, at(M::THREAD, top), M::T0);
    }
    if exit.base != 0 {
        let bytes = i64::from(SLOT) * i64::from(exit.base);
        m.alu(AluOp::Add, B64, d(M::BASE), M::BASE, bytes);
    }
    m.store(B64, at(M::THREAD, BASE), M::BASE);
    if exit.pcalls != 0 {
        let depth = at(M::THREAD, offset_of!(Thread, pcall_depth) as i32);
        m.alu_to_mem(AluOp::Add, B32, depth, i64::from(exit.pcalls));
    }
    m.mov_imm(d(M::RET0), exit.pc as i64);
    m.jump_abs(thunks.resume);
    m.bind(slow);
    m.with_scratch(|m, s| m.mov_imm(d(s), i64::from(id)));
    m.jump_abs(thunks.exit);
    Some(m.finalize().map(|c| c.bytes).map_err(|_| Abort::Assembler))
}

/// `[addr]` = what is at `from`, 64 or 32 bits; nothing if there is nothing.
fn store<M: TraceRegs>(m: &mut M, wide: bool, addr: traceorus_asm::Addr, from: Loc) {
    let size = if wide { B64 } else { B32 };
    match from {
        Loc::None | Loc::Sunk(_) => {}
        Loc::Gpr(n) => m.store(size, addr, Gpr(n)),
        Loc::Fpr(n) => m.fstore(addr, Fpr(n)),
        Loc::Spill(n) => m.with_scratch(|m, s| {
            m.load(LoadKind::U64, d(s), M::local(FIRST_SPILL + u32::from(n)));
            m.store(size, addr, s);
        }),
        Loc::Const(bits) => match i32::try_from(size.sign_extend(bits as i64)) {
            Ok(small) => m.store_imm(size, addr, small),
            Err(_) => m.with_scratch(|m, s| {
                m.mov_imm(d(s), bits as i64);
                m.store(size, addr, s);
            }),
        },
    }
}
