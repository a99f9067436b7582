//! The portable trait on x86-64.
//!
//! Two-address instructions are the crux: `dst = lhs op rhs` copies `lhs` first unless it is `dst`, which destroys `rhs`
//! if that lives in `dst`. Such cases go through r11 (or a rewriting like `neg; add`), all others stay within the
//! destination.

use super::enc::{self, Arith, Op, Rm, X64Forms, cc, sse};
use super::regs::*;
use super::{abi, enc::put_imm};
use crate::buffer::{Code, CodeBuffer, Target};
use crate::error::AsmError;
use crate::label::Label;
use crate::masm::Masm;
use crate::operand::*;
use crate::reg::{Dst, Fpr, Gpr, d};

/// The macro-assembler for x86-64.
#[derive(Debug)]
pub struct X64Masm {
    b: CodeBuffer,
    scratch_lent: bool,
}

/// An operand in the form that instructions take: immediates fit 32 bits.
#[derive(Clone, Copy)]
enum Src {
    Rm(Rm),
    Imm(i32),
}

impl X64Masm {
    /// The scratch register, for an expansion.
    fn scratch(&mut self) -> Gpr {
        if self.scratch_lent {
            self.b.latch(AsmError::ScratchBusy);
        }
        SCRATCH
    }

    /// `imm` as an instruction operand of `size`, via the scratch if it does not fit.
    fn imm_src(&mut self, size: Size, imm: i64) -> Src {
        let imm = size.sign_extend(imm);
        match i32::try_from(imm) {
            Ok(imm) => Src::Imm(imm),
            Err(_) => {
                let scratch = self.scratch();
                enc::mov_ri(&mut self.b, scratch, imm);
                Src::Rm(scratch.into())
            }
        }
    }

    fn src(&mut self, size: Size, operand: Operand) -> Src {
        match operand {
            Operand::Reg(r) => Src::Rm(r.into()),
            Operand::Mem(a) => Src::Rm(a.into()),
            Operand::Imm(i) => self.imm_src(size, i),
        }
    }

    /// `reg op= src` with the flags of `op`.
    fn arith(&mut self, op: Arith, size: Size, reg: Gpr, src: Src) {
        match src {
            Src::Imm(imm) => enc::arith_imm(&mut self.b, op, size, reg.into(), imm),
            Src::Rm(Rm::Reg(r)) => enc::arith_mr(&mut self.b, op, size, reg.into(), Gpr(r)),
            Src::Rm(mem) => enc::arith_rm(&mut self.b, op, size, reg, mem),
        }
    }

    /// `dst = lhs op rhs` with the flags of `op` on the result.
    fn alu_flags(&mut self, op: AluOp, size: Size, dst: Gpr, lhs: Gpr, rhs: Operand) {
        self.check_register_size(size);
        let arith = arith_of(op);
        let src = self.src(size, rhs);
        if dst == lhs {
            return self.arith(arith, size, dst, src);
        }
        if rhs.uses(dst) {
            if op != AluOp::Sub && rhs == Operand::Reg(dst) {
                return self.arith(arith, size, dst, Src::Rm(lhs.into()));
            }
            let scratch = self.scratch();
            enc::mov_rr(&mut self.b, size, scratch, lhs);
            self.arith(arith, size, scratch, src);
            return enc::mov_rr(&mut self.b, size, dst, scratch);
        }
        enc::mov_rr(&mut self.b, size, dst, lhs);
        self.arith(arith, size, dst, src);
    }

    /// Shorter forms of `alu` that set no or other flags; false if there is none.
    fn alu_short(&mut self, op: AluOp, size: Size, dst: Gpr, lhs: Gpr, rhs: Operand) -> bool {
        let b = &mut self.b;
        match (op, rhs) {
            (AluOp::Add, Operand::Reg(r)) if dst != lhs && dst != r && lhs != RSP && r != RSP => {
                let sum = at_index(lhs, r, Scale::S1, 0);
                enc::op_rm(b, Op::sized(size, 0x8d), dst.0, sum.into());
            }
            (AluOp::Add | AluOp::Sub, Operand::Imm(imm)) => {
                let imm = size.sign_extend(imm);
                // Adding and subtracting are told apart by the sign alone, so that 128 gets its one-byte form.
                let Ok(imm) = i32::try_from(if op == AluOp::Add {
                    imm
                } else {
                    imm.wrapping_neg()
                }) else {
                    return false;
                };
                match (imm, dst == lhs) {
                    (0, _) => self.move_sized(size, dst, lhs),
                    (128, true) => enc::arith_imm(b, Arith::Sub, size, dst.into(), -128),
                    (_, true) => enc::arith_imm(b, Arith::Add, size, dst.into(), imm),
                    (_, false) => enc::op_rm(b, Op::sized(size, 0x8d), dst.0, at(lhs, imm).into()),
                }
            }
            (AluOp::Sub, Operand::Reg(r)) if dst == r && dst != lhs => {
                enc::op_ext(b, Op::sized(size, 0xf7), 3, dst.into());
                enc::arith_mr(b, Arith::Add, size, dst.into(), lhs);
            }
            (AluOp::And, Operand::Imm(imm)) => match size.zero_extend(imm) {
                0 => enc::mov_ri(b, dst, 0),
                0xff => enc::movzx8(b, dst, lhs.into()),
                0xffff => enc::op_rm(b, Op::new(0x0fb7), dst.0, lhs.into()),
                0xffff_ffff => enc::mov_rr(b, Size::B32, dst, lhs),
                u64::MAX => self.mov(d(dst), lhs),
                // Bits 63..31 clear in the mask: the 32-bit form does the same. Bit 31 needs care only in the 64-bit form.
                mask if size == Size::B64 && u32::try_from(mask).is_ok() => {
                    self.alu_flags(op, Size::B32, dst, lhs, Operand::Imm(mask as i64));
                }
                _ => return false,
            },
            (AluOp::Or | AluOp::Xor, Operand::Imm(imm)) if size.sign_extend(imm) == 0 => {
                self.move_sized(size, dst, lhs)
            }
            (AluOp::Xor, Operand::Imm(imm)) if size.sign_extend(imm) == -1 => {
                self.not(size, d(dst), lhs)
            }
            _ => return false,
        }
        true
    }

    /// `dst = src`; a 32-bit move also clears the upper half, so it is never dropped.
    fn move_sized(&mut self, size: Size, dst: Gpr, src: Gpr) {
        if size == Size::B32 || dst != src {
            enc::mov_rr(&mut self.b, size, dst, src);
        }
    }

    fn check_register_size(&mut self, size: Size) {
        if matches!(size, Size::B8 | Size::B16) {
            self.b
                .latch(AsmError::Unsupported("register arithmetic in 8 or 16 bits"));
        }
    }

    fn check_cond(&mut self, op: AluOp, cond: AluCond) {
        let arithmetic = matches!(op, AluOp::Add | AluOp::Sub);
        if !arithmetic
            && !matches!(
                cond,
                AluCond::Zero | AluCond::NonZero | AluCond::Sign | AluCond::NoSign
            )
        {
            self.b.latch(AsmError::Unsupported(
                "carry or overflow of a bitwise operation",
            ));
        }
    }

    fn jcc(&mut self, cond: u8, label: Label) {
        enc::jcc(&mut self.b, cond, Target::Label(label));
    }

    /// Sets the flags for `lhs cond rhs` and returns the condition code.
    fn compare(&mut self, cond: Cond, size: Size, lhs: Gpr, rhs: Operand) -> u8 {
        if let Operand::Imm(imm) = rhs
            && size.sign_extend(imm) == 0
        {
            enc::test_rm(&mut self.b, size, lhs.into(), lhs);
            return zero_cc(cond);
        }
        let src = self.src(size, rhs);
        self.arith(Arith::Cmp, size, lhs, src);
        cc_of(cond)
    }

    /// Multiplication with the overflow flag valid.
    fn imul(&mut self, size: Size, dst: Gpr, lhs: Gpr, rhs: Operand) {
        self.check_register_size(size);
        let op = Op::sized(size, 0x0faf);
        match rhs {
            Operand::Imm(imm) => match self.imm_src(size, imm) {
                Src::Imm(imm) => {
                    let short = i8::try_from(imm).is_ok();
                    enc::op_rm(
                        &mut self.b,
                        Op::sized(size, if short { 0x6b } else { 0x69 }),
                        dst.0,
                        lhs.into(),
                    );
                    put_imm(&mut self.b, if short { Size::B8 } else { Size::B32 }, imm);
                }
                Src::Rm(scratch) if dst != lhs => {
                    // The constant sits in the scratch; multiply there to keep to one copy.
                    enc::mov_rr(&mut self.b, size, dst, lhs);
                    enc::op_rm(&mut self.b, op, dst.0, scratch);
                }
                Src::Rm(scratch) => enc::op_rm(&mut self.b, op, dst.0, scratch),
            },
            Operand::Reg(r) if r == dst => enc::op_rm(&mut self.b, op, dst.0, lhs.into()),
            Operand::Reg(r) => {
                if dst != lhs {
                    enc::mov_rr(&mut self.b, size, dst, lhs);
                }
                enc::op_rm(&mut self.b, op, dst.0, r.into());
            }
            Operand::Mem(addr) if dst == lhs => enc::op_rm(&mut self.b, op, dst.0, addr.into()),
            Operand::Mem(addr) if addr.uses(dst) => {
                let scratch = self.scratch();
                enc::op_rm(&mut self.b, Op::sized(size, 0x8b), scratch.0, addr.into());
                enc::mov_rr(&mut self.b, size, dst, lhs);
                enc::op_rm(&mut self.b, op, dst.0, scratch.into());
            }
            Operand::Mem(addr) => {
                enc::mov_rr(&mut self.b, size, dst, lhs);
                enc::op_rm(&mut self.b, op, dst.0, addr.into());
            }
        }
    }

    /// Divides; afterwards rax holds the quotient and rdx the remainder.
    fn divide(&mut self, signed: bool, size: Size, lhs: Gpr, rhs: Gpr) {
        self.check_register_size(size);
        let mut divisor = rhs;
        if rhs == RAX || rhs == RDX {
            divisor = self.scratch();
            enc::mov_rr(&mut self.b, size, divisor, rhs);
        }
        self.mov(d(RAX), lhs);
        if signed {
            if size == Size::B64 {
                self.b.put1(0x48);
            }
            self.b.put1(0x99);
        } else {
            enc::mov_ri(&mut self.b, RDX, 0);
        }
        enc::op_rm(
            &mut self.b,
            Op::sized(size, 0xf7),
            if signed { 7 } else { 6 },
            divisor.into(),
        );
    }

    fn fsrc(&mut self, src: FOperand) -> Rm {
        match src {
            FOperand::Reg(r) => r.into(),
            FOperand::Mem(a) => a.into(),
            FOperand::At(l) => l.into(),
        }
    }

    /// `dst = lhs op rhs`, the operands in this order.
    fn falu_op(&mut self, op: Op, dst: Dst<Fpr>, lhs: Fpr, mut rhs: Rm) {
        if dst.reg() != lhs {
            // Not even + and * may exchange their operands: of two NaNs the first one is the result.
            if matches!(rhs, Rm::Reg(r) if r == dst.reg().0) {
                self.fmov(d(FSCRATCH), dst.reg());
                rhs = FSCRATCH.into();
            }
            self.fmov(dst, lhs);
        }
        enc::op_rm(&mut self.b, op, dst.reg().0, rhs);
    }

    /// Compares for `cond`; returns the condition code that holds, and for `Eq` and `Ne` the caller looks at parity too.
    fn fcompare(&mut self, cond: FCond, lhs: Fpr, rhs: FOperand) -> u8 {
        // After ucomisd: unordered ZF PF CF = 111, greater 000, less 001, equal 100. `a` and `ae` are false on
        // unordered, `b` and `be` true; less-than is greater-than with operands exchanged.
        let (code, swap) = match cond {
            FCond::Eq => (cc::E, false),
            FCond::Ne => (cc::NE, false),
            FCond::Gt => (cc::A, false),
            FCond::Ge => (cc::AE, false),
            FCond::Lt => (cc::A, true),
            FCond::Le => (cc::AE, true),
            FCond::NGt => (cc::BE, false),
            FCond::NGe => (cc::B, false),
            FCond::NLt => (cc::BE, true),
            FCond::NLe => (cc::B, true),
        };
        let rhs = self.fsrc(rhs);
        match (swap, rhs) {
            (false, _) => enc::op_rm(&mut self.b, sse::UCOMISD, lhs.0, rhs),
            (true, Rm::Reg(r)) => enc::op_rm(&mut self.b, sse::UCOMISD, r, lhs.into()),
            (true, mem) => {
                enc::op_rm(&mut self.b, sse::MOVSD_LOAD, FSCRATCH.0, mem);
                enc::op_rm(&mut self.b, sse::UCOMISD, FSCRATCH.0, lhs.into());
            }
        }
        code
    }

    /// `dst = src op mask`, the mask being all ones shifted by one bit: `shift` 2 is right (all but the sign), 6 is left
    /// (the sign) in the opcode's extension field.
    fn sign_mask(&mut self, op: Op, shift: u8, bits: u8, dst: Fpr, src: Fpr) {
        enc::op_rm(&mut self.b, sse::PCMPEQD, FSCRATCH.0, FSCRATCH.into());
        enc::op_ext(&mut self.b, sse::SHIFT_IMM_Q, shift, FSCRATCH.into());
        self.b.put1(bits);
        self.fmov(d(dst), src);
        enc::op_rm(&mut self.b, op, dst.0, FSCRATCH.into());
    }

    fn cvt_to_f64(&mut self, op: Op, dst: Fpr, src: Gpr) {
        // cvtsi2sd keeps the upper half of its destination: clearing first breaks the dependency on the old value.
        enc::op_rm(&mut self.b, sse::XORPS, dst.0, dst.into());
        enc::op_rm(&mut self.b, op, dst.0, src.into());
    }
}

fn arith_of(op: AluOp) -> Arith {
    match op {
        AluOp::Add => Arith::Add,
        AluOp::Sub => Arith::Sub,
        AluOp::And => Arith::And,
        AluOp::Or => Arith::Or,
        AluOp::Xor => Arith::Xor,
    }
}

fn cc_of(cond: Cond) -> u8 {
    match cond {
        Cond::Eq => cc::E,
        Cond::Ne => cc::NE,
        Cond::Lt => cc::L,
        Cond::Le => cc::LE,
        Cond::Gt => cc::G,
        Cond::Ge => cc::GE,
        Cond::Below => cc::B,
        Cond::BelowEq => cc::BE,
        Cond::Above => cc::A,
        Cond::AboveEq => cc::AE,
    }
}

/// Condition code for a comparison with zero after `test`: no overflow, no carry.
fn zero_cc(cond: Cond) -> u8 {
    match cond {
        Cond::Lt => cc::S,
        Cond::Ge => cc::NS,
        other => cc_of(other),
    }
}

fn alu_cc(cond: AluCond) -> u8 {
    match cond {
        AluCond::Zero => cc::E,
        AluCond::NonZero => cc::NE,
        AluCond::Overflow => cc::O,
        AluCond::NoOverflow => cc::NO,
        AluCond::Carry => cc::B,
        AluCond::NoCarry => cc::AE,
        AluCond::Sign => cc::S,
        AluCond::NoSign => cc::NS,
    }
}

fn bit_cc(cond: BitCond) -> u8 {
    match cond {
        BitCond::Zero => cc::E,
        BitCond::NonZero => cc::NE,
    }
}

fn load_op(kind: LoadKind) -> Op {
    match kind {
        LoadKind::U8 => Op::new(0x0fb6),
        LoadKind::S8To32 => Op::new(0x0fbe),
        LoadKind::S8To64 => Op::new(0x0fbe).w(),
        LoadKind::U16 => Op::new(0x0fb7),
        LoadKind::S16To32 => Op::new(0x0fbf),
        LoadKind::S16To64 => Op::new(0x0fbf).w(),
        LoadKind::U32 => Op::new(0x8b),
        LoadKind::S32To64 => Op::new(0x63).w(),
        LoadKind::U64 => Op::new(0x8b).w(),
    }
}

impl Masm for X64Masm {
    const PC: Gpr = RBX;
    const BASE: Gpr = R13;
    const THREAD: Gpr = R12;
    const CODE: Gpr = R14;
    const GLOBAL: Gpr = R15;
    const FP: Gpr = RBP;
    const SP: Gpr = RSP;
    const SCRATCH: Gpr = SCRATCH;
    const T: [Gpr; 8] = [RAX, RCX, RDX, RSI, RDI, R8, R9, R10];
    const ARG: [Gpr; 6] = [RDI, RSI, RDX, RCX, R8, R9];
    const RET0: Gpr = RAX;
    const RET1: Gpr = RDX;
    const F: [Fpr; 8] = [XMM0, XMM1, XMM2, XMM3, XMM4, XMM5, XMM6, XMM7];
    const DIV_CLOBBERS: &'static [Gpr] = &[RAX, RDX];

    fn new() -> Self {
        X64Masm {
            b: CodeBuffer::new(None),
            scratch_lent: false,
        }
    }

    fn new_at(address: u64) -> Self {
        X64Masm {
            b: CodeBuffer::new(Some(address)),
            scratch_lent: false,
        }
    }

    fn buffer(&mut self) -> &mut CodeBuffer {
        &mut self.b
    }

    fn finalize(self) -> Result<Code, AsmError> {
        self.b.finalize::<X64Forms>()
    }

    fn with_scratch(&mut self, body: impl FnOnce(&mut Self, Gpr)) {
        let scratch = self.scratch();
        self.scratch_lent = true;
        body(self, scratch);
        self.scratch_lent = false;
    }

    fn mov(&mut self, dst: Dst<Gpr>, src: Gpr) {
        if dst.reg() != src {
            enc::mov_rr(&mut self.b, Size::B64, dst.reg(), src);
        }
    }

    fn mov_imm(&mut self, dst: Dst<Gpr>, value: i64) {
        enc::mov_ri(&mut self.b, dst.reg(), value);
    }

    fn label_addr(&mut self, dst: Dst<Gpr>, label: Label) {
        enc::lea_label(&mut self.b, dst.reg(), Target::Label(label));
    }

    fn extend(&mut self, kind: LoadKind, dst: Dst<Gpr>, src: Gpr) {
        let op = match kind {
            LoadKind::U8 | LoadKind::S8To32 | LoadKind::S8To64 => load_op(kind).rm8(),
            LoadKind::U32 => return enc::mov_rr(&mut self.b, Size::B32, dst.reg(), src),
            LoadKind::U64 => return self.mov(dst, src),
            _ => load_op(kind),
        };
        enc::op_rm(&mut self.b, op, dst.reg().0, src.into());
    }

    fn lea(&mut self, dst: Dst<Gpr>, addr: Addr) {
        match addr {
            Addr {
                base,
                index: None,
                disp: 0,
            } => self.mov(dst, base),
            Addr {
                base,
                index: None,
                disp,
            } if base == dst.reg() => {
                self.alu(AluOp::Add, Size::B64, dst, base, disp);
            }
            _ => enc::op_rm(
                &mut self.b,
                Op::sized(Size::B64, 0x8d),
                dst.reg().0,
                addr.into(),
            ),
        }
    }

    fn load(&mut self, kind: LoadKind, dst: Dst<Gpr>, addr: Addr) {
        enc::op_rm(&mut self.b, load_op(kind), dst.reg().0, addr.into());
    }

    fn store(&mut self, size: Size, addr: Addr, src: Gpr) {
        enc::op_rm(&mut self.b, Op::sized(size, 0x89), src.0, addr.into());
    }

    fn store_imm(&mut self, size: Size, addr: Addr, value: i32) {
        enc::op_ext(&mut self.b, Op::sized(size, 0xc7), 0, addr.into());
        put_imm(&mut self.b, size, value);
    }

    fn alu(&mut self, op: AluOp, size: Size, dst: Dst<Gpr>, lhs: Gpr, rhs: impl Into<Operand>) {
        let rhs = rhs.into();
        self.check_register_size(size);
        if !self.alu_short(op, size, dst.reg(), lhs, rhs) {
            self.alu_flags(op, size, dst.reg(), lhs, rhs);
        }
    }

    fn alu_branch(
        &mut self,
        op: AluOp,
        size: Size,
        dst: Dst<Gpr>,
        lhs: Gpr,
        rhs: impl Into<Operand>,
        cond: AluCond,
        label: Label,
    ) {
        self.check_cond(op, cond);
        self.alu_flags(op, size, dst.reg(), lhs, rhs.into());
        self.jcc(alu_cc(cond), label);
    }

    fn alu_to_mem(&mut self, op: AluOp, size: Size, addr: Addr, rhs: impl Into<RegImm>) {
        match self.src(size, rhs.into().into()) {
            Src::Imm(imm) => enc::arith_imm(&mut self.b, arith_of(op), size, addr.into(), imm),
            Src::Rm(Rm::Reg(r)) => {
                enc::arith_mr(&mut self.b, arith_of(op), size, addr.into(), Gpr(r))
            }
            Src::Rm(_) => unreachable!("a RegImm is not memory"),
        }
    }

    fn alu_to_mem_branch(
        &mut self,
        op: AluOp,
        size: Size,
        addr: Addr,
        rhs: impl Into<RegImm>,
        cond: AluCond,
        label: Label,
    ) {
        self.check_cond(op, cond);
        self.alu_to_mem(op, size, addr, rhs);
        self.jcc(alu_cc(cond), label);
    }

    fn shift(
        &mut self,
        op: ShiftOp,
        size: Size,
        dst: Dst<Gpr>,
        lhs: Gpr,
        count: impl Into<RegImm>,
    ) {
        self.check_register_size(size);
        let dst = dst.reg();
        let number = match op {
            ShiftOp::Rotl => 0,
            ShiftOp::Shl => 4,
            ShiftOp::Shr => 5,
            ShiftOp::Sar => 7,
        };
        let count = match count.into() {
            RegImm::Reg(count) => count,
            RegImm::Imm(count) => {
                let count = count as u8 & (size.bits() - 1) as u8;
                // A shift in 32 bits clears the upper half itself; a shift by nothing is a move that has to.
                if dst != lhs || (count == 0 && size == Size::B32) {
                    enc::mov_rr(&mut self.b, size, dst, lhs);
                }
                match count {
                    0 => {}
                    1 => enc::op_ext(&mut self.b, Op::sized(size, 0xd1), number, dst.into()),
                    _ => {
                        enc::op_ext(&mut self.b, Op::sized(size, 0xc1), number, dst.into());
                        self.b.put1(count);
                    }
                }
                return;
            }
        };
        let by_cl = Op::sized(size, 0xd3);
        if dst == RCX {
            // The value must leave rcx before the count enters it.
            let scratch = self.scratch();
            enc::mov_rr(&mut self.b, size, scratch, lhs);
            if count != RCX {
                enc::mov_rr(&mut self.b, Size::B32, RCX, count);
            }
            enc::op_ext(&mut self.b, by_cl, number, scratch.into());
            enc::mov_rr(&mut self.b, size, RCX, scratch);
        } else if count == RCX {
            if dst != lhs {
                enc::mov_rr(&mut self.b, size, dst, lhs);
            }
            enc::op_ext(&mut self.b, by_cl, number, dst.into());
        } else {
            let saved = self.scratch();
            enc::mov_rr(&mut self.b, Size::B64, saved, RCX);
            enc::mov_rr(&mut self.b, Size::B32, RCX, count);
            if dst != lhs {
                enc::mov_rr(&mut self.b, size, dst, if lhs == RCX { saved } else { lhs });
            }
            enc::op_ext(&mut self.b, by_cl, number, dst.into());
            enc::mov_rr(&mut self.b, Size::B64, RCX, saved);
        }
    }

    fn mul(&mut self, size: Size, dst: Dst<Gpr>, lhs: Gpr, rhs: impl Into<Operand>) {
        self.imul(size, dst.reg(), lhs, rhs.into());
    }

    fn mul_branch_overflow(
        &mut self,
        size: Size,
        dst: Dst<Gpr>,
        lhs: Gpr,
        rhs: impl Into<Operand>,
        label: Label,
    ) {
        self.imul(size, dst.reg(), lhs, rhs.into());
        self.jcc(cc::O, label);
    }

    fn umulh(&mut self, dst: Dst<Gpr>, lhs: Gpr, rhs: Gpr) {
        let (lhs, rhs) = if rhs == RAX { (rhs, lhs) } else { (lhs, rhs) };
        self.mov(d(RAX), lhs);
        enc::op_ext(&mut self.b, Op::new(0xf7).w(), 4, rhs.into());
        self.mov(dst, RDX);
    }

    fn neg(&mut self, size: Size, dst: Dst<Gpr>, src: Gpr) {
        self.check_register_size(size);
        if dst.reg() != src {
            enc::mov_rr(&mut self.b, size, dst.reg(), src);
        }
        enc::op_ext(&mut self.b, Op::sized(size, 0xf7), 3, dst.reg().into());
    }

    fn not(&mut self, size: Size, dst: Dst<Gpr>, src: Gpr) {
        self.check_register_size(size);
        if dst.reg() != src {
            enc::mov_rr(&mut self.b, size, dst.reg(), src);
        }
        enc::op_ext(&mut self.b, Op::sized(size, 0xf7), 2, dst.reg().into());
    }

    fn sdiv(&mut self, size: Size, dst: Dst<Gpr>, lhs: Gpr, rhs: Gpr) {
        self.divide(true, size, lhs, rhs);
        self.mov(dst, RAX);
    }

    fn srem(&mut self, size: Size, dst: Dst<Gpr>, lhs: Gpr, rhs: Gpr) {
        self.divide(true, size, lhs, rhs);
        self.mov(dst, RDX);
    }

    fn sdivrem(&mut self, size: Size, quot: Dst<Gpr>, rem: Dst<Gpr>, lhs: Gpr, rhs: Gpr) {
        self.divide(true, size, lhs, rhs);
        self.parallel_move(&[
            (quot.reg(), RegImm::Reg(RAX)),
            (rem.reg(), RegImm::Reg(RDX)),
        ]);
    }

    fn udiv(&mut self, size: Size, dst: Dst<Gpr>, lhs: Gpr, rhs: Gpr) {
        self.divide(false, size, lhs, rhs);
        self.mov(dst, RAX);
    }

    fn urem(&mut self, size: Size, dst: Dst<Gpr>, lhs: Gpr, rhs: Gpr) {
        self.divide(false, size, lhs, rhs);
        self.mov(dst, RDX);
    }

    fn branch(&mut self, cond: Cond, size: Size, lhs: Gpr, rhs: impl Into<Operand>, label: Label) {
        let code = self.compare(cond, size, lhs, rhs.into());
        self.jcc(code, label);
    }

    fn branch_mem(
        &mut self,
        cond: Cond,
        size: Size,
        addr: Addr,
        rhs: impl Into<RegImm>,
        label: Label,
    ) {
        match self.src(size, rhs.into().into()) {
            Src::Imm(imm) => enc::arith_imm(&mut self.b, Arith::Cmp, size, addr.into(), imm),
            Src::Rm(Rm::Reg(r)) => {
                enc::arith_mr(&mut self.b, Arith::Cmp, size, addr.into(), Gpr(r))
            }
            Src::Rm(_) => unreachable!("a RegImm is not memory"),
        }
        self.jcc(cc_of(cond), label);
    }

    fn branch_bits(
        &mut self,
        cond: BitCond,
        size: Size,
        reg: Gpr,
        mask: impl Into<RegImm>,
        label: Label,
    ) {
        let mask = match mask.into() {
            RegImm::Reg(mask) => {
                enc::test_rm(&mut self.b, size, reg.into(), mask);
                return self.jcc(bit_cc(cond), label);
            }
            RegImm::Imm(mask) => mask,
        };
        let bits = size.zero_extend(mask);
        let b = &mut self.b;
        if size.sign_extend(mask) == -1 {
            enc::test_rm(b, size, reg.into(), reg);
        } else if bits <= 0xff {
            enc::test_imm(b, Size::B8, reg.into(), bits as i32);
        } else if bits <= 0xffff_ffff {
            enc::test_imm(b, Size::B32, reg.into(), bits as u32 as i32);
        } else if bits.is_power_of_two() {
            // bt leaves the bit in the carry flag.
            enc::op_ext(b, Op::new(0x0fba).w(), 4, reg.into());
            b.put1(bits.trailing_zeros() as u8);
            return self.jcc(if cond == BitCond::Zero { cc::AE } else { cc::B }, label);
        } else {
            match self.imm_src(size, mask) {
                Src::Imm(imm) => enc::test_imm(&mut self.b, size, reg.into(), imm),
                Src::Rm(Rm::Reg(scratch)) => {
                    enc::test_rm(&mut self.b, size, reg.into(), Gpr(scratch))
                }
                Src::Rm(_) => unreachable!("an immediate is not memory"),
            }
        }
        self.jcc(bit_cc(cond), label);
    }

    fn branch_bits_mem(
        &mut self,
        cond: BitCond,
        size: Size,
        addr: Addr,
        mask: impl Into<RegImm>,
        label: Label,
    ) {
        match mask.into() {
            RegImm::Reg(mask) => enc::test_rm(&mut self.b, size, addr.into(), mask),
            RegImm::Imm(mask) => {
                let bits = size.zero_extend(mask);
                // A mask within the first byte or the first word needs no more of the operand.
                if bits <= 0xff {
                    enc::test_imm(&mut self.b, Size::B8, addr.into(), bits as i32);
                } else if size == Size::B64 && bits <= 0xffff_ffff {
                    enc::test_imm(&mut self.b, Size::B32, addr.into(), bits as u32 as i32);
                } else {
                    match self.imm_src(size, mask) {
                        Src::Imm(imm) => enc::test_imm(&mut self.b, size, addr.into(), imm),
                        Src::Rm(Rm::Reg(scratch)) => {
                            enc::test_rm(&mut self.b, size, addr.into(), Gpr(scratch))
                        }
                        Src::Rm(_) => unreachable!("an immediate is not memory"),
                    }
                }
            }
        }
        self.jcc(bit_cc(cond), label);
    }

    fn cset(&mut self, cond: Cond, size: Size, dst: Dst<Gpr>, lhs: Gpr, rhs: impl Into<Operand>) {
        let rhs = rhs.into();
        let dst = dst.reg();
        // Clearing first avoids the partial register and the movzx, where the comparison does not read `dst`.
        let clear_first = dst != lhs && !rhs.uses(dst);
        if clear_first {
            enc::mov_ri(&mut self.b, dst, 0);
        }
        let code = self.compare(cond, size, lhs, rhs);
        enc::setcc(&mut self.b, code, dst);
        if !clear_first {
            enc::movzx8(&mut self.b, dst, dst.into());
        }
    }

    fn csel(
        &mut self,
        cond: Cond,
        size: Size,
        lhs: Gpr,
        rhs: impl Into<Operand>,
        dst: Dst<Gpr>,
        if_true: Gpr,
        if_false: Gpr,
    ) {
        let code = self.compare(cond, size, lhs, rhs.into());
        // mov leaves the flags alone; flipping bit 0 negates a condition code.
        if dst.reg() == if_true {
            enc::cmov(&mut self.b, code ^ 1, if_true, if_false);
        } else {
            self.mov(dst, if_false);
            enc::cmov(&mut self.b, code, dst.reg(), if_true);
        }
    }

    fn fmov(&mut self, dst: Dst<Fpr>, src: Fpr) {
        if dst.reg() != src {
            enc::op_rm(&mut self.b, sse::MOVAPS, dst.reg().0, src.into());
        }
    }

    fn fmov_imm(&mut self, dst: Dst<Fpr>, value: f64) {
        if value.to_bits() == 0 {
            enc::op_rm(&mut self.b, sse::XORPS, dst.reg().0, dst.reg().into());
        } else {
            let scratch = self.scratch();
            enc::mov_ri(&mut self.b, scratch, value.to_bits() as i64);
            self.bits_to_f64(dst, scratch);
        }
    }

    fn fload(&mut self, dst: Dst<Fpr>, addr: Addr) {
        enc::op_rm(&mut self.b, sse::MOVSD_LOAD, dst.reg().0, addr.into());
    }

    fn fload_label(&mut self, dst: Dst<Fpr>, label: Label) {
        enc::op_rm(&mut self.b, sse::MOVSD_LOAD, dst.reg().0, label.into());
    }

    fn fstore(&mut self, addr: Addr, src: Fpr) {
        enc::op_rm(&mut self.b, sse::MOVSD_STORE, src.0, addr.into());
    }

    fn falu(&mut self, op: FAlu, dst: Dst<Fpr>, lhs: Fpr, rhs: impl Into<FOperand>) {
        let op = match op {
            FAlu::Add => sse::ADDSD,
            FAlu::Sub => sse::SUBSD,
            FAlu::Mul => sse::MULSD,
            FAlu::Div => sse::DIVSD,
        };
        let rhs = self.fsrc(rhs.into());
        self.falu_op(op, dst, lhs, rhs);
    }

    fn fmin(&mut self, dst: Dst<Fpr>, lhs: Fpr, rhs: Fpr) {
        self.falu_op(sse::MINSD, dst, lhs, rhs.into());
    }

    fn fmax(&mut self, dst: Dst<Fpr>, lhs: Fpr, rhs: Fpr) {
        self.falu_op(sse::MAXSD, dst, lhs, rhs.into());
    }

    fn fsqrt(&mut self, dst: Dst<Fpr>, src: Fpr) {
        enc::op_rm(&mut self.b, sse::SQRTSD, dst.reg().0, src.into());
    }

    fn fneg(&mut self, dst: Dst<Fpr>, src: Fpr) {
        self.sign_mask(sse::XORPS, 6, 63, dst.reg(), src);
    }

    fn fabs(&mut self, dst: Dst<Fpr>, src: Fpr) {
        self.sign_mask(sse::ANDPS, 2, 1, dst.reg(), src);
    }

    fn has_fround() -> bool {
        #[cfg(target_arch = "x86_64")]
        {
            std::arch::is_x86_feature_detected!("sse4.1")
        }
        #[cfg(not(target_arch = "x86_64"))]
        {
            false
        }
    }

    fn fround(&mut self, mode: RoundMode, dst: Dst<Fpr>, src: Fpr) {
        enc::op_rm(&mut self.b, sse::ROUNDSD, dst.reg().0, src.into());
        // Bit 3 suppresses the precision exception.
        self.b.put1(match mode {
            RoundMode::Nearest => 8,
            RoundMode::Floor => 9,
            RoundMode::Ceil => 10,
            RoundMode::Trunc => 11,
        });
    }

    fn fcmp_branch(&mut self, cond: FCond, lhs: Fpr, rhs: impl Into<FOperand>, label: Label) {
        let code = self.fcompare(cond, lhs, rhs.into());
        match cond {
            FCond::Eq => {
                let unordered = self.new_label();
                self.jcc(cc::P, unordered);
                self.jcc(code, label);
                self.bind(unordered);
            }
            FCond::Ne => {
                self.jcc(cc::P, label);
                self.jcc(code, label);
            }
            _ => self.jcc(code, label),
        }
    }

    fn fcset(&mut self, cond: FCond, dst: Dst<Gpr>, lhs: Fpr, rhs: impl Into<FOperand>) {
        let rhs = rhs.into();
        let dst = dst.reg();
        let code = self.fcompare(cond, lhs, rhs);
        if matches!(cond, FCond::Eq | FCond::Ne) {
            let scratch = self.scratch();
            let equal = cond == FCond::Eq;
            enc::setcc(&mut self.b, if equal { cc::NP } else { cc::P }, scratch);
            enc::setcc(&mut self.b, code, dst);
            enc::arith_mr(
                &mut self.b,
                if equal { Arith::And } else { Arith::Or },
                Size::B8,
                dst.into(),
                scratch,
            );
        } else {
            enc::setcc(&mut self.b, code, dst);
        }
        enc::movzx8(&mut self.b, dst, dst.into());
    }

    fn cvt_i64_f64(&mut self, dst: Dst<Fpr>, src: Gpr) {
        self.cvt_to_f64(sse::CVTSI2SD.w(), dst.reg(), src);
    }

    fn cvt_i32_f64(&mut self, dst: Dst<Fpr>, src: Gpr) {
        self.cvt_to_f64(sse::CVTSI2SD, dst.reg(), src);
    }

    fn cvt_f64_i64_trunc(&mut self, dst: Dst<Gpr>, src: Fpr) {
        enc::op_rm(&mut self.b, sse::CVTTSD2SI, dst.reg().0, src.into());
    }

    fn cvt_f64_i64_exact(&mut self, dst: Dst<Gpr>, src: Fpr, fail: Label) {
        // Out of range gives MIN, which converts back to a value other than `src`, unless `src` is MIN.
        self.cvt_f64_i64_trunc(dst, src);
        self.cvt_to_f64(sse::CVTSI2SD.w(), FSCRATCH, dst.reg());
        enc::op_rm(&mut self.b, sse::UCOMISD, FSCRATCH.0, src.into());
        self.jcc(cc::P, fail);
        self.jcc(cc::NE, fail);
    }

    fn bits_to_f64(&mut self, dst: Dst<Fpr>, src: Gpr) {
        enc::op_rm(&mut self.b, sse::MOVQ_FROM_GPR, dst.reg().0, src.into());
    }

    fn f64_to_bits(&mut self, dst: Dst<Gpr>, src: Fpr) {
        enc::op_rm(&mut self.b, sse::MOVQ_TO_GPR, src.0, dst.reg().into());
    }

    fn jump(&mut self, label: Label) {
        enc::jmp(&mut self.b, Target::Label(label));
    }

    fn jump_patchable(&mut self, label: Label) -> Label {
        enc::jmp_patchable(&mut self.b, Target::Label(label));
        self.here()
    }

    fn patch_word(distance: i64) -> Option<u32> {
        i32::try_from(distance).ok().map(|distance| distance as u32)
    }

    fn jump_reg(&mut self, reg: Gpr) {
        enc::op_ext(&mut self.b, Op::new(0xff), 4, reg.into());
    }

    fn jump_mem(&mut self, addr: Addr) {
        enc::op_ext(&mut self.b, Op::new(0xff), 4, addr.into());
    }

    fn jump_abs(&mut self, address: u64) {
        self.scratch();
        enc::jmp(&mut self.b, Target::Abs(address));
    }

    fn call_label(&mut self, label: Label) {
        enc::call(&mut self.b, Target::Label(label));
    }

    fn call_reg(&mut self, reg: Gpr) {
        enc::op_ext(&mut self.b, Op::new(0xff), 2, reg.into());
    }

    fn call_mem(&mut self, addr: Addr) {
        enc::op_ext(&mut self.b, Op::new(0xff), 2, addr.into());
    }

    fn call_abs(&mut self, address: u64) {
        self.scratch();
        enc::call(&mut self.b, Target::Abs(address));
    }

    fn ret(&mut self) {
        self.b.put1(0xc3);
    }

    fn trap(&mut self) {
        self.b.put(&[0x0f, 0x0b]);
    }

    fn prologue(&mut self, locals: u32) {
        abi::prologue(&mut self.b, locals);
    }

    fn epilogue(&mut self) {
        abi::epilogue(&mut self.b);
    }

    fn local(slot: u32) -> Addr {
        abi::local(slot)
    }
}
