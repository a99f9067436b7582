//! Calls of native functions and of the interpreter's helpers.

use std::mem::offset_of;

use traceorus_asm::{Cond, RoundMode, at, d};
use traceorus_base::frame::{BACK_BASE_SLOT, BACK_SLOT};
use traceorus_base::objects::{GlobalHot, Thread};

use super::number::round_mode;
use super::{AluOp, B32, B64, Cold, Lower, TraceRegs, U64};
use crate::abort::Abort;
use crate::ir::{IrOp, Ref};
use crate::ra::plan;

pub(super) const CURRENT: i32 = offset_of!(GlobalHot, current) as i32;
pub(super) const BASE: i32 = offset_of!(Thread, base) as i32;
const PC: i32 = offset_of!(Thread, pc) as i32;
pub(super) const DISPATCH: i32 = offset_of!(Thread, dispatch) as i32;
pub(super) const CODE_BASE: i32 = offset_of!(GlobalHot, code_base) as i32;
const CODE_BACK: i32 = offset_of!(GlobalHot, code_back) as i32;
const RAN_ASIDE: i32 = offset_of!(GlobalHot, ran_aside) as i32;
const BACK_DEFAULT: i32 = offset_of!(GlobalHot, back_default) as i32;

extern "C" fn nearest(x: f64) -> f64 {
    x.round_ties_even()
}
extern "C" fn floor(x: f64) -> f64 {
    x.floor()
}
extern "C" fn ceil(x: f64) -> f64 {
    x.ceil()
}
extern "C" fn trunc(x: f64) -> f64 {
    x.trunc()
}

/// Address of the function that rounds, for processors without such an instruction.
fn round_address(mode: RoundMode) -> usize {
    let f: extern "C" fn(f64) -> f64 = match mode {
        RoundMode::Nearest => nearest,
        RoundMode::Floor => floor,
        RoundMode::Ceil => ceil,
        RoundMode::Trunc => trunc,
    };
    f as usize
}

impl<M: TraceRegs> Lower<'_, M> {
    /// The arguments are in place.
    pub(super) fn call(&mut self, r: Ref) -> Result<(), Abort> {
        let c = plan::call(self.ir, r, self.regs)?;
        let address = match c.id {
            Some(id) => crate::rt::address(id),
            None => round_address(round_mode(self.ir.at(r).lit_b())),
        };
        if c.thread {
            self.m.load(U64, d(M::ARG0), at(M::GLOBAL, CURRENT));
        }
        self.m.call_abs(address as u64);
        Ok(())
    }

    /// XOP, XOPQ, XOPR: performs an instruction by its helper.
    #[inline(never)]
    pub(super) fn helper(&mut self, r: Ref) -> Result<(), Abort> {
        let ins = self.ir.at(r);
        if !ins.a.is_ins() || self.ir.at(ins.a).op != IrOp::CArg {
            return Err(Abort::Internal);
        }
        let list = self.ir.at(ins.a);
        let pc = self.ir.konst(list.a).ok_or(Abort::Internal)?.bits;
        let next = self.ir.konst(list.b).ok_or(Abort::Internal)?.bits;
        let bytes = 16 * i32::from(ins.lit_b() as i16);
        let thunks = self.input.thunks;
        let handler = match ins.op {
            IrOp::XOpR => None,
            _ => (thunks.handlers)(pc),
        };
        let m = &mut self.m;
        let aside = (ins.op == IrOp::XOpQ).then(|| at(M::GLOBAL, RAN_ASIDE));
        if let Some(aside) = aside {
            m.store_imm(B32, aside, 0);
        }
        let disturbed = at(M::GLOBAL, thunks.disturbed_offset);
        if let Some(handler) = handler {
            // the handler itself, with the next dispatch coming back here
            let (back, kept, leave) = (m.new_label(), m.new_label(), m.new_label());
            m.label_addr(d(M::T0), back);
            m.store(B64, M::local(BACK_SLOT), M::T0);
            m.load(U64, d(M::THREAD), at(M::GLOBAL, CURRENT));
            m.load(U64, d(M::CODE), at(M::GLOBAL, CODE_BACK));
            m.store(B64, at(M::THREAD, DISPATCH), M::CODE);
            if bytes != 0 {
                m.alu(AluOp::Add, B64, d(M::BASE), M::BASE, i64::from(bytes));
            }
            m.store(B64, M::local(BACK_BASE_SLOT), M::BASE);
            m.mov_imm(d(M::PC), pc as i64);
            m.jump_abs(handler);
            m.bind(back);
            m.load(U64, d(M::T0), at(M::GLOBAL, BACK_DEFAULT));
            m.store(B64, M::local(BACK_SLOT), M::T0);
            m.load(U64, d(M::T0), at(M::THREAD, DISPATCH));
            m.branch(Cond::Ne, B64, M::T0, at(M::GLOBAL, CODE_BACK), kept);
            m.load(U64, d(M::T0), at(M::GLOBAL, CODE_BASE));
            m.store(B64, at(M::THREAD, DISPATCH), M::T0);
            m.bind(kept);
            m.branch(Cond::Ne, B64, M::PC, next as i64, leave);
            m.branch(Cond::Ne, B64, M::BASE, M::local(BACK_BASE_SLOT), leave);
            m.branch_mem(Cond::Ne, B32, disturbed, 0, leave);
            if let Some(aside) = aside {
                m.branch_mem(Cond::Ne, B32, aside, 0, leave);
            }
            if bytes != 0 {
                m.alu(AluOp::Sub, B64, d(M::BASE), M::BASE, i64::from(bytes));
            }
            self.cold.push(Cold::Leave { from: leave });
            return Ok(());
        }
        let helper = (thunks.helpers)(pc);
        let leave = *self.leave.get_or_insert_with(|| m.new_label());
        m.load(U64, d(M::ARG0), at(M::GLOBAL, CURRENT));
        m.lea(d(M::ARG1), at(M::BASE, bytes));
        m.store(B64, at(M::ARG0, BASE), M::ARG1);
        m.mov_imm(d(M::ARG1), pc as i64);
        m.store(B64, at(M::ARG0, PC), M::ARG1);
        m.call_abs(helper);
        m.branch(Cond::Ne, B64, M::RET0, next as i64, leave);
        m.branch_mem(Cond::Ne, B32, disturbed, 0, leave);
        if let Some(aside) = aside {
            m.branch_mem(Cond::Ne, B32, aside, 0, leave);
        }
        m.load(U64, d(M::BASE), at(M::GLOBAL, CURRENT));
        m.load(U64, d(M::BASE), at(M::BASE, BASE));
        if ins.op != IrOp::XOpR && bytes != 0 {
            m.alu(AluOp::Sub, B64, d(M::BASE), M::BASE, bytes);
        }
        Ok(())
    }
}
