//! Arithmetic and conversions.

use traceorus_asm::{
    AluCond, AluOp, BitCond, Cond, FAlu, FCond, Fpr, Gpr, Label, Operand, RoundMode, ShiftOp, d,
};

use super::{B32, B64, Cold, Lower, TraceRegs, Val, imm};
use crate::abort::Abort;
use crate::ir::{IrOp, Ref, Ty};
use crate::ra::InsAlloc;
use crate::ra::plan::{self, Division};

impl<M: TraceRegs> Lower<'_, M> {
    pub(super) fn number(&mut self, r: Ref, al: InsAlloc) -> Result<(), Abort> {
        use IrOp::*;
        let ins = self.ir.at(r);
        if matches!(ins.op, Copy | Cast) {
            let src = self.val(al.ops[0], ins.a);
            if al.dst.is_fpr() {
                self.set_float(Fpr(al.dst.number()), src);
            } else {
                self.set_general(Gpr(al.dst.number()), src);
            }
            return Ok(());
        }
        if al.dst.is_fpr() {
            return self.float(r, al);
        }
        let dst = d(Gpr(al.dst.number()));
        let a = Gpr(al.ops[0].number());
        let size = match ins.ty {
            Ty::U32 | Ty::U8 => B32,
            _ => B64,
        };
        match ins.op {
            Add | Sub | Mul | And | Or | Xor => {
                let rhs = self.operand(r, al);
                let op = match ins.op {
                    Add => AluOp::Add,
                    Sub => AluOp::Sub,
                    And => AluOp::And,
                    Or => AluOp::Or,
                    Xor => AluOp::Xor,
                    _ => {
                        self.m.mul(size, dst, a, rhs);
                        return Ok(());
                    }
                };
                self.m.alu(op, size, dst, a, rhs);
            }
            Shl | Shr | Sar => {
                let op = match ins.op {
                    Shl => ShiftOp::Shl,
                    Shr => ShiftOp::Shr,
                    _ => ShiftOp::Sar,
                };
                match self.operand(r, al) {
                    Operand::Reg(count) => self.m.shift(op, size, dst, a, count),
                    Operand::Imm(count) => self.m.shift(op, size, dst, a, count),
                    Operand::Mem(_) => return Err(Abort::Internal),
                }
            }
            IDiv | IMod => self.division(r, al)?,
            Neg => self.m.neg(size, dst, a),
            Not => self.m.not(size, dst, a),
            Abs => self.m.with_scratch(|m, sign| {
                m.shift(ShiftOp::Sar, B64, d(sign), a, 63);
                m.alu(AluOp::Xor, B64, dst, a, sign);
                m.alu(AluOp::Sub, B64, dst, dst.reg(), sign);
            }),
            Min | Max => {
                let (b, a) = (a, Gpr(al.ops[1].number()));
                let cond = if ins.op == Min { Cond::Lt } else { Cond::Gt };
                self.m.csel(cond, B64, b, a, dst, b, a);
            }
            FtoI => {
                let exit = self.stub(r)?;
                self.m.cvt_f64_i64_exact(dst, Fpr(al.ops[0].number()), exit);
            }
            _ => return Err(Abort::Internal),
        }
        Ok(())
    }

    /// A comparison as 0 or 1.
    #[inline(never)]
    pub(super) fn outcome(&mut self, r: Ref, al: InsAlloc) {
        let ins = self.ir.at(r);
        let dst = d(Gpr(al.dst.number()));
        let of = self.ir.ty(ins.a);
        if of == Ty::Float {
            let cond = match ins.op {
                IrOp::IsEq => FCond::Eq,
                IrOp::IsLt => FCond::Lt,
                IrOp::IsLe => FCond::Le,
                _ => FCond::Ge,
            };
            let b = self.float_operand(ins.b, al);
            self.m.fcset(cond, dst, Fpr(al.ops[0].number()), b);
            return;
        }
        let cond = match ins.op {
            IrOp::IsEq => Cond::Eq,
            IrOp::IsLt => Cond::Lt,
            IrOp::IsLe => Cond::Le,
            _ => Cond::Ge,
        };
        let b = self.operand(r, al);
        let a = Gpr(al.ops[0].number());
        self.m.cset(cond, Self::size_of(of), dst, a, b);
    }

    /// The operand that is not `ops[0]` of an integer operation.
    fn operand(&mut self, r: Ref, al: InsAlloc) -> Operand {
        let ins = self.ir.at(r);
        for load in [ins.a, ins.b] {
            if self.plan.is_fused(load) {
                return self.address(load, &al.ops[1..]).into();
            }
        }
        match self.val(al.ops[1], ins.b) {
            Val::Gpr(g) => g.into(),
            Val::Const(k) => imm(k).into(),
            Val::Fpr(_) => unreachable!("an integer is in a general register"),
        }
    }

    fn float(&mut self, r: Ref, al: InsAlloc) -> Result<(), Abort> {
        use IrOp::*;
        let ins = self.ir.at(r);
        let dst = d(Fpr(al.dst.number()));
        let a = Fpr(al.ops[0].number());
        match ins.op {
            Add | Sub | Mul | Div => {
                let op = match ins.op {
                    Add => FAlu::Add,
                    Sub => FAlu::Sub,
                    Mul => FAlu::Mul,
                    _ => FAlu::Div,
                };
                let rhs = self.float_operand(ins.b, al);
                self.m.falu(op, dst, a, rhs);
            }
            Neg => self.m.fneg(dst, a),
            Abs => self.m.fabs(dst, a),
            Sqrt => self.m.fsqrt(dst, a),
            // min(a, b) is `b < a ? b : a`; b is the first input
            Min => self.m.fmin(dst, a, Fpr(al.ops[1].number())),
            Max => self.m.fmax(dst, a, Fpr(al.ops[1].number())),
            Round => self.m.fround(round_mode(ins.lit_b()), dst, a),
            ItoF => {
                let a = Gpr(al.ops[0].number());
                self.m.cvt_i64_f64(dst, a);
            }
            _ => return Err(Abort::Internal),
        }
        Ok(())
    }

    fn division(&mut self, r: Ref, al: InsAlloc) -> Result<(), Abort> {
        let ins = self.ir.at(r);
        let dst = Gpr(al.dst.number());
        let a = Gpr(al.ops[0].number());
        let modulo = ins.op == IrOp::IMod;
        let known = || self.ir.int(ins.b).ok_or(Abort::Internal);
        match plan::division(self.ir, ins) {
            Some(Division::Power) => {
                let c = known()?;
                if modulo {
                    self.m.alu(AluOp::And, B64, d(dst), a, c - 1);
                } else {
                    let count = i64::from(c.trailing_zeros());
                    self.m.shift(ShiftOp::Sar, B64, d(dst), a, count);
                }
            }
            Some(Division::Reciprocal) => {
                let c = known()?;
                self.divide_by(modulo, dst, a, c);
            }
            _ => self.divide(modulo, dst, a, Gpr(al.ops[1].number())),
        }
        Ok(())
    }

    /// `dst = floor(a / c)` or the remainder to that, for a positive constant that is no power of two.
    ///
    /// Of a number `t` of 63 bits the quotient is the high part of `t * m`, shifted, with `m` the reciprocal of `c` in 64
    /// bits, rounded up (Granlund and Montgomery, Division by Invariant Integers). Below zero, `t` is the complement and
    /// so is the quotient: `floor(a / c) = !floor(!a / c)`.
    fn divide_by(&mut self, modulo: bool, dst: Gpr, a: Gpr, c: i64) {
        let (m, shift) = reciprocal(c as u64);
        let quot = Gpr(self.regs.quotient.number());
        let rem = Gpr(self.regs.remainder.number());
        self.m.with_scratch(|s, sign| {
            s.shift(ShiftOp::Sar, B64, d(sign), a, 63);
            s.alu(AluOp::Xor, B64, d(quot), a, sign);
            s.mov_imm(d(rem), m as i64);
            s.umulh(d(rem), quot, rem);
            if shift > 0 {
                s.shift(ShiftOp::Shr, B64, d(rem), rem, i64::from(shift));
            }
            let to = if modulo { quot } else { dst };
            s.alu(AluOp::Xor, B64, d(to), rem, sign);
        });
        if modulo {
            self.m.mul(B64, d(quot), quot, c);
            self.m.alu(AluOp::Sub, B64, d(dst), a, quot);
        }
    }

    /// `dst = floor(a / b)` or the remainder to that: of numbers below 2^31 and not negative by a division in 32 bits.
    fn divide(&mut self, modulo: bool, dst: Gpr, a: Gpr, b: Gpr) {
        let (from, back) = (self.m.new_label(), self.m.new_label());
        self.m.with_scratch(|m, s| {
            m.mov(d(s), a);
            m.alu(AluOp::Or, B64, d(s), s, b);
            m.branch_bits(BitCond::NonZero, B64, s, -0x8000_0000, from);
        });
        if modulo {
            self.m.urem(B32, d(dst), a, b);
        } else {
            self.m.udiv(B32, d(dst), a, b);
        }
        self.m.bind(back);
        self.cold.push(Cold::Divide {
            from,
            back,
            modulo,
            dst,
            a,
            b,
        });
    }

    /// The division in 64 bits, with the quotient rounded down.
    #[inline(never)]
    pub(super) fn cold_divide(
        &mut self,
        from: Label,
        back: Label,
        modulo: bool,
        dst: Gpr,
        a: Gpr,
        b: Gpr,
    ) {
        let quot = Gpr(self.regs.quotient.number());
        let rem = Gpr(self.regs.remainder.number());
        let exact = self.m.new_label();
        self.m.bind(from);
        self.m.sdivrem(B64, d(quot), d(rem), a, b);
        self.m.branch(Cond::Eq, B64, rem, 0, exact);
        // the signs of remainder and divisor differ: the quotient was rounded up
        self.m.with_scratch(|m, s| {
            m.mov(d(s), rem);
            m.alu_branch(AluOp::Xor, B64, d(s), s, b, AluCond::NoSign, exact);
        });
        if modulo {
            self.m.alu(AluOp::Add, B64, d(rem), rem, b);
        } else {
            self.m.alu(AluOp::Sub, B64, d(quot), quot, 1);
        }
        self.m.bind(exact);
        self.m.mov(d(dst), if modulo { rem } else { quot });
        self.m.jump(back);
    }
}

/// The reciprocal of `c` (at least 2), and the shift that goes with it.
fn reciprocal(c: u64) -> (u64, u32) {
    // l is the base-two logarithm, rounded up; m = ceil(2^(63 + l) / c) is below 2^64
    let l = 64 - (c - 1).leading_zeros();
    let m = (1u128 << (63 + l)).div_ceil(u128::from(c));
    (m as u64, l - 1)
}

/// The mode of a ROUND.
pub(super) fn round_mode(literal: u16) -> RoundMode {
    match literal {
        0 => RoundMode::Nearest,
        1 => RoundMode::Floor,
        2 => RoundMode::Ceil,
        _ => RoundMode::Trunc,
    }
}
