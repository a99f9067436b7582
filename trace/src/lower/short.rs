//! Short exits: code that does what one exit does, without the thunk, the packed exit and the policy.
//!
//! ```text
//!        something disturbed a frame, a poll waits, the stack lacks room, the instruction enters a trace: slow (only what the exit may be about)
//!        [left] -= 1, at 0: slow
//!        slots, thread's base and top; RET0 = pc; jump to the interpreter, or to a trace that begins there
//! slow   scratch = exit's number, jump to the exit thunk
//! ```
//! It is entered with everything as in the exit's stub.

use std::mem::offset_of;

use traceorus_asm::{AluCond, AluOp, Cond, Fpr, Gpr, LoadKind, at, d};
use traceorus_base::objects::{GlobalHot, Thread};

use super::arch::TraceRegs;
use super::call::{BASE, CURRENT};
use super::exit::Thunks;
use super::{B32, B64};
use crate::abort::Abort;
use crate::exits::Exit;
use crate::ir::Snap;
use crate::loc::{FIRST_SPILL, Loc};
use crate::ra::plan::{SLOT, SLOT_TAG};

const POLL: i32 = offset_of!(GlobalHot, poll) as i32;

/// What a short exit is made from, besides the exit.
#[derive(Clone, Copy, Debug)]
pub struct ShortInput<'a> {
    /// Trace number times 65536 plus snapshot number.
    pub id: u32,
    /// Address of 32 bits that are counted down, at 0 of which the general way is taken.
    pub left: Option<u64>,
    /// The entry of a trace that begins where the exit goes on; `None`: the interpreter goes on.
    pub to: Option<u64>,
    /// Low half of a word of code: where the exit goes on it means that the general way has to be taken.
    pub not_at: Option<u16>,
    /// Where the code will be, a multiple of 16.
    pub address: u64,
    /// The state's thunks.
    pub thunks: &'a Thunks,
}

/// The short exit's code. `None`: what the exit does takes more.
pub fn short_exit<M: TraceRegs>(
    exit: &Exit<'_>,
    input: &ShortInput<'_>,
) -> Option<Result<Vec<u8>, Abort>> {
    let sunk = |at| matches!(at, Loc::Sunk(_));
    if exit.slots().any(|s| sunk(s.val) || s.tag == Loc::None) {
        return None;
    }
    let thunks = input.thunks;
    let mut m = M::new_at(input.address);
    let slow = m.new_label();
    let disturbed = at(M::GLOBAL, thunks.disturbed_offset);
    m.branch_mem(Cond::Ne, B32, disturbed, 0, slow);
    if exit.poll || input.to.is_some() {
        m.branch_mem(Cond::Ne, B32, at(M::GLOBAL, POLL), 0, slow);
    }
    if exit.room != 0 {
        m.with_scratch(|m, s| {
            m.load(LoadKind::U64, d(s), at(M::GLOBAL, CURRENT));
            m.load(LoadKind::U64, d(s), at(s, offset_of!(Thread, limit) as i32));
            m.alu(AluOp::Sub, B64, d(s), s, M::BASE);
            m.branch(
                Cond::Lt,
                B64,
                s,
                i64::from(SLOT) * i64::from(exit.room),
                slow,
            );
        });
    }
    if let Some(op) = input.not_at {
        m.with_scratch(|m, s| {
            m.mov_imm(d(s), exit.pc as i64);
            m.load(LoadKind::U16, d(s), at(s, 0));
            m.branch(Cond::Eq, B32, s, i64::from(op), slow);
        });
    }
    if let Some(offset) = thunks.exit_left_offset {
        // a test's exit, which another has to be chosen after
        m.branch_mem(Cond::Eq, B32, at(M::GLOBAL, offset), 0, slow);
    }
    if let Some(left) = input.left {
        m.with_scratch(|m, s| {
            m.mov_imm(d(s), left as i64);
            m.alu_to_mem_branch(AluOp::Sub, B32, at(s, 0), 1, AluCond::Zero, slow);
        });
    }
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
    match input.to {
        Some(entry) => m.jump_abs(entry),
        None => {
            m.mov_imm(d(M::RET0), exit.pc as i64);
            m.jump_abs(thunks.resume);
        }
    }
    m.bind(slow);
    m.with_scratch(|m, s| m.mov_imm(d(s), i64::from(input.id)));
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
