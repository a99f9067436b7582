//! Guards: compare, and branch to the exit stub if the condition does not hold.

use std::mem::offset_of;

use traceorus_asm::{AluOp, BitCond, Cond, FCond, FOperand, Gpr, Label, RegImm, at, d};
use traceorus_base::Tag;
use traceorus_base::objects::{GlobalHot, Thread};

use super::{B32, B64, Cold, Lower, TraceRegs, U64, Val, imm};
use crate::abort::Abort;
use crate::ir::{Ins, IrOp, Ref, Ty};
use crate::loc::Link;
use crate::ra::InsAlloc;

impl<M: TraceRegs> Lower<'_, M> {
    pub(super) fn guard(&mut self, r: Ref, al: InsAlloc) -> Result<(), Abort> {
        use IrOp::*;
        let ins = self.ir.at(r);
        let exit = self.stub(r)?;
        match ins.op {
            TEq | TNe => {
                let tag = i64::from(ins.lit_b() as i16);
                let leave = if ins.op == TEq { Cond::Ne } else { Cond::Eq };
                self.tag_branch(leave, ins, al, tag, exit);
            }
            TFalsy => self.tag_branch(Cond::Lt, ins, al, i64::from(Tag::FALSE.0), exit),
            TTruthy => self.tag_branch(Cond::Ge, ins, al, i64::from(Tag::FALSE.0), exit),
            BitsZ | BitsNz => {
                let leave = if ins.op == BitsZ {
                    BitCond::NonZero
                } else {
                    BitCond::Zero
                };
                let mask = self.ir.konst(ins.b).ok_or(Abort::Internal)?.bits as i64;
                if self.plan.is_fused(ins.a) {
                    let (size, addr) = (self.mem_size(ins.a), self.address(ins.a, &al.ops));
                    self.m.branch_bits_mem(leave, size, addr, mask, exit);
                } else {
                    let reg = Gpr(al.ops[0].number());
                    self.m
                        .branch_bits(leave, Self::size_of(ins.ty), reg, mask, exit);
                }
            }
            StkChk => {
                // signed: a limit of 0 makes every distance negative
                let current = at(M::GLOBAL, offset_of!(GlobalHot, current) as i32);
                self.m.with_scratch(|m, s| {
                    m.load(U64, d(s), current);
                    m.load(U64, d(s), at(s, offset_of!(Thread, limit) as i32));
                    m.alu(AluOp::Sub, B64, d(s), s, M::BASE);
                    m.branch(Cond::Lt, B64, s, 16 * i64::from(ins.lit_a()), exit);
                });
            }
            Poll => {
                let snap = self.ir.snap_of(r).ok_or(Abort::Internal)?;
                let word = at(M::GLOBAL, offset_of!(GlobalHot, poll) as i32);
                if let Some(head) = self.ends_loop(r) {
                    // the branch back is this one; the jump behind is for what comes back from the thunk
                    self.m.branch_mem(Cond::Eq, B32, word, 0, head);
                    self.exit_number(snap);
                    self.m.call_abs(self.input.thunks.poll);
                    return Ok(());
                }
                let from = self.m.new_label();
                self.m.branch_mem(Cond::Ne, B32, word, 0, from);
                let back = self.m.here();
                self.cold.push(Cold::Poll { from, back, snap });
            }
            RetF => {
                let word = self.ir.konst(ins.a).ok_or(Abort::Internal)?;
                self.m
                    .branch_mem(Cond::Ne, B64, at(M::BASE, -8), imm(word), exit);
                self.add_base(-(ins.lit_b() as i16));
            }
            _ if ins.ty == Ty::Float => self.float_guard(ins, al, exit),
            _ => self.compare_guard(ins, al, exit)?,
        }
        Ok(())
    }

    /// The loop's head, if nothing is left to be done between `r` and the jump there.
    fn ends_loop(&self, r: Ref) -> Option<Label> {
        let rest = &self.al.ins[r.ins_index() + 1..];
        let last = self.input.link == Link::Loop
            && !self.counts()
            && self.al.back_edge.is_empty()
            && self.moves_left == 0
            && rest.iter().all(|i| i.skip);
        self.loop_head.filter(|_| last)
    }

    /// Branches if the tag, operand a, compares so with a constant.
    fn tag_branch(&mut self, cond: Cond, ins: Ins, al: InsAlloc, tag: i64, exit: Label) {
        if self.plan.is_fused(ins.a) {
            let (size, addr) = (self.mem_size(ins.a), self.address(ins.a, &al.ops));
            self.m.branch_mem(cond, size, addr, tag, exit);
        } else {
            self.m.branch(cond, B32, Gpr(al.ops[0].number()), tag, exit);
        }
    }

    fn compare_guard(&mut self, ins: Ins, al: InsAlloc, exit: Label) -> Result<(), Abort> {
        let leave = cond(ins.op).ok_or(Abort::Internal)?.negate();
        let rhs = |v: Val| match v {
            Val::Gpr(g) => RegImm::Reg(g),
            Val::Const(k) => imm(k),
            Val::Fpr(_) => RegImm::Imm(0),
        };
        // a memory operand comes first in the comparison, last in the inputs
        for (load, other, leave) in [(ins.a, ins.b, leave), (ins.b, ins.a, leave.swap())] {
            if self.plan.is_fused(load) {
                let other = rhs(self.val(al.ops[0], other));
                let (size, addr) = (self.mem_size(load), self.address(load, &al.ops[1..]));
                self.m.branch_mem(leave, size, addr, other, exit);
                return Ok(());
            }
        }
        let size = Self::size_of(ins.ty);
        match (self.val(al.ops[0], ins.a), self.val(al.ops[1], ins.b)) {
            (Val::Gpr(a), b) => self.m.branch(leave, size, a, rhs(b), exit),
            (a, Val::Gpr(b)) => self.m.branch(leave.swap(), size, b, rhs(a), exit),
            _ => return Err(Abort::Internal),
        }
        Ok(())
    }

    fn float_guard(&mut self, ins: Ins, al: InsAlloc, exit: Label) {
        let cond = match ins.op {
            IrOp::Eq => FCond::Eq,
            IrOp::Ne => FCond::Ne,
            IrOp::Lt => FCond::Lt,
            IrOp::Ge => FCond::Ge,
            IrOp::Le => FCond::Le,
            IrOp::Gt => FCond::Gt,
            IrOp::NLt => FCond::NLt,
            IrOp::NLe => FCond::NLe,
            IrOp::NGt => FCond::NGt,
            _ => FCond::NGe,
        };
        let lhs = traceorus_asm::Fpr(al.ops[0].number());
        let rhs = self.float_operand(ins.b, al);
        self.m.fcmp_branch(cond.negate(), lhs, rhs, exit);
    }

    /// The second operand of a float operation: register, memory or constant.
    pub(super) fn float_operand(&mut self, b: Ref, al: InsAlloc) -> FOperand {
        if self.plan.is_fused(b) {
            return self.address(b, &al.ops[1..]).into();
        }
        match self.val(al.ops[1], b) {
            Val::Fpr(f) => f.into(),
            Val::Const(k) => self.pooled(k.bits).into(),
            Val::Gpr(_) => unreachable!("a float is in a float register"),
        }
    }
}

/// The condition of a comparison of integers or addresses.
fn cond(op: IrOp) -> Option<Cond> {
    Some(match op {
        IrOp::Eq => Cond::Eq,
        IrOp::Ne => Cond::Ne,
        IrOp::Lt => Cond::Lt,
        IrOp::Ge => Cond::Ge,
        IrOp::Le => Cond::Le,
        IrOp::Gt => Cond::Gt,
        IrOp::Ult => Cond::Below,
        IrOp::Uge => Cond::AboveEq,
        IrOp::Ule => Cond::BelowEq,
        IrOp::Ugt => Cond::Above,
        _ => return None,
    })
}
