//! The portable trait on AArch64.
//!
//! Expansions own four registers with fixed jobs (`regs`): addresses, values from memory, constants, and one more for
//! read-modify-write. They never collide, and none is the register that `with_scratch` lends.

use dynasmrt::{DynasmApi, dynasm};

use super::abi;
use super::enc::{self, A64Forms, cc};
use super::regs::*;
use crate::buffer::{Code, CodeBuffer, Target};
use crate::error::AsmError;
use crate::label::Label;
use crate::masm::Masm;
use crate::operand::*;
use crate::reg::{Dst, Fpr, Gpr, d};

/// The macro-assembler for AArch64.
#[derive(Debug)]
pub struct A64Masm {
    b: CodeBuffer,
    scratch_lent: bool,
}

impl A64Masm {
    fn check_register_size(&mut self, size: Size) {
        if matches!(size, Size::B8 | Size::B16) {
            self.b
                .latch(AsmError::Unsupported("register arithmetic in 8 or 16 bits"));
        }
    }

    fn check_cond(&mut self, op: AluOp, cond: AluCond) {
        if !matches!(op, AluOp::Add | AluOp::Sub) && needs_flags(cond) {
            self.b.latch(AsmError::Unsupported(
                "carry or overflow of a bitwise operation",
            ));
        }
    }

    /// `operand` in a register: its own, or an expansion register.
    fn in_register(&mut self, size: Size, operand: Operand) -> Gpr {
        match operand {
            Operand::Reg(r) => r,
            Operand::Imm(imm) => self.constant(size, imm),
            Operand::Mem(addr) => {
                enc::load(&mut self.b, zero_load(size), XVAL, addr);
                XVAL
            }
        }
    }

    /// A constant in a register; the zero register for 0.
    fn constant(&mut self, size: Size, imm: i64) -> Gpr {
        // 32-bit operations see the low half only, and zero-extended it takes fewer instructions as often as not.
        let imm = if size == Size::B64 {
            imm
        } else {
            i64::from(imm as u32)
        };
        if imm == 0 {
            return ZR;
        }
        enc::mov_imm(&mut self.b, XIMM, imm);
        XIMM
    }

    fn foperand(&mut self, operand: FOperand) -> Fpr {
        match operand {
            FOperand::Reg(r) => r,
            FOperand::Mem(addr) => {
                enc::fload(&mut self.b, FSCRATCH, addr);
                FSCRATCH
            }
            FOperand::At(label) => {
                self.fload_label(d(FSCRATCH), label);
                FSCRATCH
            }
        }
    }

    /// `d = n op rhs` without flags.
    fn alu3(&mut self, op: AluOp, size: Size, dst: Gpr, lhs: Gpr, rhs: Operand) {
        if let Operand::Imm(imm) = rhs {
            let imm = size.sign_extend(imm);
            let b = &mut self.b;
            let done = match op {
                AluOp::Add => enc::add_imm(b, size, dst, lhs, imm),
                AluOp::Sub => enc::add_imm(b, size, dst, lhs, imm.wrapping_neg()),
                _ if !enc::is_logical(size, imm) => false,
                AluOp::And => {
                    enc::and_imm(b, size, dst, lhs, imm);
                    true
                }
                AluOp::Or => {
                    enc::orr_imm(b, size, dst, lhs, imm);
                    true
                }
                AluOp::Xor => {
                    enc::eor_imm(b, size, dst, lhs, imm);
                    true
                }
            };
            if done {
                return;
            }
        }
        let rhs = self.in_register(size, rhs);
        let b = &mut self.b;
        match op {
            AluOp::Add => enc::add(b, size, dst, lhs, rhs),
            AluOp::Sub => enc::sub(b, size, dst, lhs, rhs),
            AluOp::And => enc::and(b, size, dst, lhs, rhs),
            AluOp::Or => enc::orr(b, size, dst, lhs, rhs),
            AluOp::Xor => enc::eor(b, size, dst, lhs, rhs),
        }
    }

    /// `d = n + rhs` or `n - rhs` with flags.
    fn add_sub_flags(&mut self, subtract: bool, size: Size, dst: Gpr, lhs: Gpr, rhs: Operand) {
        if let Operand::Imm(imm) = rhs {
            let imm = size.sign_extend(imm);
            if enc::add_imm_flags(&mut self.b, size, dst, lhs, imm, subtract) {
                return;
            }
        }
        let rhs = self.in_register(size, rhs);
        if subtract {
            enc::subs(&mut self.b, size, dst, lhs, rhs);
        } else {
            enc::adds(&mut self.b, size, dst, lhs, rhs);
        }
    }

    fn b_cond(&mut self, cond: u8, label: Label) {
        enc::b_cond(&mut self.b, cond, Target::Label(label));
    }

    /// Branches on the zeroness or the sign of the low `size` bits of `reg`.
    fn branch_result(&mut self, cond: AluCond, size: Size, reg: Gpr, label: Label) {
        let target = Target::Label(label);
        let narrow = matches!(size, Size::B8 | Size::B16);
        match cond {
            AluCond::Zero | AluCond::NonZero if narrow => {
                let mask = size.zero_extend(-1) as i64;
                enc::ands_imm(&mut self.b, Size::B32, ZR, reg, mask);
                self.b_cond(
                    if cond == AluCond::Zero {
                        cc::EQ
                    } else {
                        cc::NE
                    },
                    label,
                );
            }
            AluCond::Zero => enc::cb(&mut self.b, false, size, reg, target),
            AluCond::NonZero => enc::cb(&mut self.b, true, size, reg, target),
            AluCond::Sign => enc::tb(&mut self.b, true, reg, size.bits() - 1, target),
            _ => enc::tb(&mut self.b, false, reg, size.bits() - 1, target),
        }
    }

    /// Sets the flags for `lhs cond rhs`; both are the operands' low bits in a form where 32 or 64 bits compare right.
    fn compare(&mut self, cond: Cond, size: Size, lhs: Gpr, rhs: Operand) {
        let signed = is_signed(cond);
        if matches!(size, Size::B32 | Size::B64) {
            return self.add_sub_flags(true, size, ZR, lhs, rhs);
        }
        enc::extend(&mut self.b, narrow_load(size, signed), XADDR, lhs);
        self.compare_narrow(size, signed, XADDR, rhs);
    }

    /// As `compare`, with `lhs` extended already. An address of `rhs` must not need `XADDR` then, so a memory operand goes
    /// through its own registers first.
    fn compare_narrow(&mut self, size: Size, signed: bool, lhs: Gpr, rhs: Operand) {
        let rhs = match rhs {
            Operand::Imm(imm) => Operand::Imm(if signed {
                size.sign_extend(imm)
            } else {
                size.zero_extend(imm) as i64
            }),
            Operand::Reg(r) => {
                enc::extend(&mut self.b, narrow_load(size, signed), XIMM, r);
                Operand::Reg(XIMM)
            }
            Operand::Mem(_) => unreachable!("loaded by the caller"),
        };
        self.add_sub_flags(true, Size::B32, ZR, lhs, rhs);
    }

    /// Flags for a whole comparison, whatever the operand.
    fn compare_any(&mut self, cond: Cond, size: Size, lhs: Gpr, rhs: Operand) {
        if let Operand::Mem(addr) = rhs
            && matches!(size, Size::B8 | Size::B16)
        {
            let kind = narrow_load(size, is_signed(cond));
            enc::load(&mut self.b, kind, XVAL, addr);
            enc::extend(&mut self.b, kind, XIMM, lhs);
            enc::subs(&mut self.b, Size::B32, ZR, XIMM, XVAL);
        } else {
            self.compare(cond, size, lhs, rhs);
        }
    }

    /// Branch for a comparison with zero that needs no flags.
    fn branch_zero(&mut self, cond: Cond, size: Size, reg: Gpr, label: Label) -> bool {
        let cond = match cond {
            Cond::Eq | Cond::BelowEq => AluCond::Zero,
            Cond::Ne | Cond::Above => AluCond::NonZero,
            Cond::Lt => AluCond::Sign,
            Cond::Ge => AluCond::NoSign,
            _ => return false,
        };
        self.branch_result(cond, size, reg, label);
        true
    }

    /// Branches if `reg & mask` is zero (not zero), `reg` holding at least `size` bits.
    fn test_bits(&mut self, cond: BitCond, size: Size, reg: Gpr, mask: RegImm, label: Label) {
        let nonzero = cond == BitCond::NonZero;
        let target = Target::Label(label);
        let wide = if size == Size::B64 {
            Size::B64
        } else {
            Size::B32
        };
        match mask {
            RegImm::Imm(mask) => {
                let bits = size.zero_extend(mask);
                if bits.is_power_of_two() {
                    return enc::tb(&mut self.b, nonzero, reg, bits.trailing_zeros(), target);
                }
                if bits == wide.zero_extend(-1) {
                    return enc::cb(&mut self.b, nonzero, wide, reg, target);
                }
                if enc::is_logical(wide, bits as i64) {
                    enc::ands_imm(&mut self.b, wide, ZR, reg, bits as i64);
                } else {
                    let mask = self.constant(wide, bits as i64);
                    enc::ands(&mut self.b, wide, ZR, reg, mask);
                }
            }
            RegImm::Reg(mask) if matches!(size, Size::B8 | Size::B16) => {
                enc::and(&mut self.b, Size::B32, XIMM, reg, mask);
                enc::ands_imm(
                    &mut self.b,
                    Size::B32,
                    ZR,
                    XIMM,
                    size.zero_extend(-1) as i64,
                );
            }
            RegImm::Reg(mask) => enc::ands(&mut self.b, wide, ZR, reg, mask),
        }
        self.b_cond(if nonzero { cc::NE } else { cc::EQ }, label);
    }

    /// Compares doubles and returns the condition code.
    fn fcompare(&mut self, cond: FCond, lhs: Fpr, rhs: FOperand) -> u8 {
        let rhs = self.foperand(rhs);
        let b = &mut self.b;
        dynasm!(b ; .arch aarch64 ; fcmp D(lhs), D(rhs));
        // Unordered is N Z C V = 0011.
        match cond {
            FCond::Eq => cc::EQ,
            FCond::Ne => cc::NE,
            FCond::Lt => cc::MI,
            FCond::Le => cc::LS,
            FCond::Gt => cc::GT,
            FCond::Ge => cc::GE,
            FCond::NLt => cc::PL,
            FCond::NLe => cc::HI,
            FCond::NGt => cc::LE,
            FCond::NGe => cc::LT,
        }
    }
}

fn needs_flags(cond: AluCond) -> bool {
    matches!(
        cond,
        AluCond::Overflow | AluCond::NoOverflow | AluCond::Carry | AluCond::NoCarry
    )
}

/// The condition code after `adds` or `subs`: the carry flag is inverted for a borrow.
fn flag_cc(cond: AluCond, subtract: bool) -> u8 {
    match (cond, subtract) {
        (AluCond::Overflow, _) => cc::VS,
        (AluCond::NoOverflow, _) => cc::VC,
        (AluCond::Carry, false) | (AluCond::NoCarry, true) => cc::HS,
        _ => cc::LO,
    }
}

fn is_signed(cond: Cond) -> bool {
    matches!(cond, Cond::Lt | Cond::Le | Cond::Gt | Cond::Ge)
}

fn cc_of(cond: Cond) -> u8 {
    match cond {
        Cond::Eq => cc::EQ,
        Cond::Ne => cc::NE,
        Cond::Lt => cc::LT,
        Cond::Le => cc::LE,
        Cond::Gt => cc::GT,
        Cond::Ge => cc::GE,
        Cond::Below => cc::LO,
        Cond::BelowEq => cc::LS,
        Cond::Above => cc::HI,
        Cond::AboveEq => cc::HS,
    }
}

fn zero_load(size: Size) -> LoadKind {
    match size {
        Size::B8 => LoadKind::U8,
        Size::B16 => LoadKind::U16,
        Size::B32 => LoadKind::U32,
        Size::B64 => LoadKind::U64,
    }
}

/// The load that makes a 32-bit comparison right.
fn narrow_load(size: Size, signed: bool) -> LoadKind {
    match (size, signed) {
        (Size::B8, true) => LoadKind::S8To32,
        (Size::B16, true) => LoadKind::S16To32,
        _ => zero_load(size),
    }
}

impl Masm for A64Masm {
    const PC: Gpr = x(19);
    const BASE: Gpr = x(20);
    const THREAD: Gpr = x(21);
    const CODE: Gpr = x(22);
    const GLOBAL: Gpr = x(23);
    const FP: Gpr = FP;
    const SP: Gpr = SP;
    const SCRATCH: Gpr = SCRATCH;
    const T: [Gpr; 8] = [x(0), x(1), x(2), x(3), x(4), x(5), x(6), x(7)];
    const ARG: [Gpr; 6] = [x(0), x(1), x(2), x(3), x(4), x(5)];
    const RET0: Gpr = x(0);
    const RET1: Gpr = x(1);
    const F: [Fpr; 8] = [v(0), v(1), v(2), v(3), v(4), v(5), v(6), v(7)];
    const DIV_CLOBBERS: &'static [Gpr] = &[];

    fn new() -> Self {
        A64Masm {
            b: CodeBuffer::new(None),
            scratch_lent: false,
        }
    }

    fn new_at(address: u64) -> Self {
        A64Masm {
            b: CodeBuffer::new(Some(address)),
            scratch_lent: false,
        }
    }

    fn buffer(&mut self) -> &mut CodeBuffer {
        &mut self.b
    }

    fn finalize(self) -> Result<Code, AsmError> {
        self.b.finalize::<A64Forms>()
    }

    fn with_scratch(&mut self, body: impl FnOnce(&mut Self, Gpr)) {
        if self.scratch_lent {
            self.b.latch(AsmError::ScratchBusy);
        }
        self.scratch_lent = true;
        body(self, SCRATCH);
        self.scratch_lent = false;
    }

    fn mov(&mut self, dst: Dst<Gpr>, src: Gpr) {
        if dst.reg() != src {
            enc::mov(&mut self.b, Size::B64, dst.reg(), src);
        }
    }

    fn mov_imm(&mut self, dst: Dst<Gpr>, value: i64) {
        enc::mov_imm(&mut self.b, dst.reg(), value);
    }

    fn label_addr(&mut self, dst: Dst<Gpr>, label: Label) {
        enc::adr(&mut self.b, dst.reg(), Target::Label(label));
    }

    fn extend(&mut self, kind: LoadKind, dst: Dst<Gpr>, src: Gpr) {
        if kind != LoadKind::U64 || dst.reg() != src {
            enc::extend(&mut self.b, kind, dst.reg(), src);
        }
    }

    fn lea(&mut self, dst: Dst<Gpr>, addr: Addr) {
        enc::address(&mut self.b, dst.reg(), addr);
    }

    fn load(&mut self, kind: LoadKind, dst: Dst<Gpr>, addr: Addr) {
        enc::load(&mut self.b, kind, dst.reg(), addr);
    }

    fn store(&mut self, size: Size, addr: Addr, src: Gpr) {
        enc::store(&mut self.b, size, addr, src);
    }

    fn store_imm(&mut self, size: Size, addr: Addr, value: i32) {
        let value = if size == Size::B64 {
            i64::from(value)
        } else {
            size.zero_extend(value.into()) as i64
        };
        let value = self.constant(size, value);
        enc::store(&mut self.b, size, addr, value);
    }

    fn alu(&mut self, op: AluOp, size: Size, dst: Dst<Gpr>, lhs: Gpr, rhs: impl Into<Operand>) {
        self.check_register_size(size);
        self.alu3(op, size, dst.reg(), lhs, rhs.into());
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
        self.check_register_size(size);
        self.check_cond(op, cond);
        if needs_flags(cond) {
            let subtract = op == AluOp::Sub;
            self.add_sub_flags(subtract, size, dst.reg(), lhs, rhs.into());
            self.b_cond(flag_cc(cond, subtract), label);
        } else {
            self.alu3(op, size, dst.reg(), lhs, rhs.into());
            self.branch_result(cond, size, dst.reg(), label);
        }
    }

    fn alu_to_mem(&mut self, op: AluOp, size: Size, addr: Addr, rhs: impl Into<RegImm>) {
        let wide = if size == Size::B64 {
            Size::B64
        } else {
            Size::B32
        };
        enc::load(&mut self.b, zero_load(size), XVAL, addr);
        // Cut and extended, so that narrow constants keep their short forms.
        let rhs = match rhs.into() {
            RegImm::Imm(imm) => RegImm::Imm(size.sign_extend(imm)),
            reg => reg,
        };
        self.alu3(op, wide, XVAL, XVAL, rhs.into());
        enc::store(&mut self.b, size, addr, XVAL);
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
        let rhs = rhs.into();
        if !needs_flags(cond) {
            self.alu_to_mem(op, size, addr, rhs);
            return self.branch_result(cond, size, XVAL, label);
        }
        let subtract = op == AluOp::Sub;
        enc::load(&mut self.b, zero_load(size), XVAL, addr);
        if matches!(size, Size::B32 | Size::B64) {
            self.add_sub_flags(subtract, size, XVAL, XVAL, rhs.into());
            enc::store(&mut self.b, size, addr, XVAL);
        } else {
            // At the top of 32 bits a narrow operation has the flags of a 32-bit one.
            let shift = 32 - size.bits();
            enc::lsl(&mut self.b, Size::B32, XVAL, XVAL, shift);
            match rhs {
                RegImm::Imm(imm) => {
                    enc::mov_imm(&mut self.b, XIMM, i64::from((imm as u32) << shift))
                }
                RegImm::Reg(r) => enc::lsl(&mut self.b, Size::B32, XIMM, r, shift),
            }
            if subtract {
                enc::subs(&mut self.b, Size::B32, XVAL, XVAL, XIMM);
            } else {
                enc::adds(&mut self.b, Size::B32, XVAL, XVAL, XIMM);
            }
            enc::lsr(&mut self.b, Size::B32, XTMP3, XVAL, shift);
            enc::store(&mut self.b, size, addr, XTMP3);
        }
        self.b_cond(flag_cc(cond, subtract), label);
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
        let b = &mut self.b;
        match count.into() {
            RegImm::Imm(count) => {
                let count = count as u32 & (size.bits() - 1);
                match op {
                    _ if count == 0 => {
                        if size == Size::B32 || dst != lhs {
                            enc::mov(b, size, dst, lhs);
                        }
                    }
                    ShiftOp::Shl => enc::lsl(b, size, dst, lhs, count),
                    ShiftOp::Shr => enc::lsr(b, size, dst, lhs, count),
                    ShiftOp::Sar => enc::asr(b, size, dst, lhs, count),
                    ShiftOp::Rotl => enc::ror(b, size, dst, lhs, size.bits() - count),
                }
            }
            RegImm::Reg(count) => match op {
                ShiftOp::Shl => enc::lslv(b, size, dst, lhs, count),
                ShiftOp::Shr => enc::lsrv(b, size, dst, lhs, count),
                ShiftOp::Sar => enc::asrv(b, size, dst, lhs, count),
                ShiftOp::Rotl => {
                    enc::sub(b, Size::B32, XIMM, ZR, count);
                    enc::rorv(b, size, dst, lhs, XIMM);
                }
            },
        }
    }

    fn mul(&mut self, size: Size, dst: Dst<Gpr>, lhs: Gpr, rhs: impl Into<Operand>) {
        self.check_register_size(size);
        let rhs = self.in_register(size, rhs.into());
        enc::mul(&mut self.b, size, dst.reg(), lhs, rhs);
    }

    fn mul_branch_overflow(
        &mut self,
        size: Size,
        dst: Dst<Gpr>,
        lhs: Gpr,
        rhs: impl Into<Operand>,
        label: Label,
    ) {
        self.check_register_size(size);
        let rhs = self.in_register(size, rhs.into());
        let b = &mut self.b;
        // The high part must be the sign of the low part.
        if size == Size::B64 {
            dynasm!(b ; .arch aarch64 ; smulh X(XADDR), X(lhs), X(rhs));
            enc::mul(b, size, dst.reg(), lhs, rhs);
            dynasm!(b ; .arch aarch64 ; cmp X(XADDR), X(dst.reg()), ASR #63);
        } else {
            dynasm!(b ; .arch aarch64 ; smull X(XADDR), W(lhs), W(rhs));
            enc::mov(b, Size::B32, dst.reg(), XADDR);
            dynasm!(b ; .arch aarch64 ; cmp XSP(XADDR), W(XADDR), SXTW);
        }
        self.b_cond(cc::NE, label);
    }

    fn umulh(&mut self, dst: Dst<Gpr>, lhs: Gpr, rhs: Gpr) {
        let b = &mut self.b;
        dynasm!(b ; .arch aarch64 ; umulh X(dst.reg()), X(lhs), X(rhs));
    }

    fn neg(&mut self, size: Size, dst: Dst<Gpr>, src: Gpr) {
        self.check_register_size(size);
        enc::sub(&mut self.b, size, dst.reg(), ZR, src);
    }

    fn not(&mut self, size: Size, dst: Dst<Gpr>, src: Gpr) {
        self.check_register_size(size);
        let b = &mut self.b;
        if size == Size::B64 {
            dynasm!(b ; .arch aarch64 ; mvn X(dst.reg()), X(src));
        } else {
            dynasm!(b ; .arch aarch64 ; mvn W(dst.reg()), W(src));
        }
    }

    fn sdiv(&mut self, size: Size, dst: Dst<Gpr>, lhs: Gpr, rhs: Gpr) {
        self.check_register_size(size);
        enc::sdiv(&mut self.b, size, dst.reg(), lhs, rhs);
    }

    fn srem(&mut self, size: Size, dst: Dst<Gpr>, lhs: Gpr, rhs: Gpr) {
        self.check_register_size(size);
        enc::sdiv(&mut self.b, size, XVAL, lhs, rhs);
        enc::msub(&mut self.b, size, dst.reg(), XVAL, rhs, lhs);
    }

    fn sdivrem(&mut self, size: Size, quot: Dst<Gpr>, rem: Dst<Gpr>, lhs: Gpr, rhs: Gpr) {
        self.srem(size, rem, lhs, rhs);
        enc::mov(&mut self.b, size, quot.reg(), XVAL);
    }

    fn udiv(&mut self, size: Size, dst: Dst<Gpr>, lhs: Gpr, rhs: Gpr) {
        self.check_register_size(size);
        enc::udiv(&mut self.b, size, dst.reg(), lhs, rhs);
    }

    fn urem(&mut self, size: Size, dst: Dst<Gpr>, lhs: Gpr, rhs: Gpr) {
        self.check_register_size(size);
        enc::udiv(&mut self.b, size, XVAL, lhs, rhs);
        enc::msub(&mut self.b, size, dst.reg(), XVAL, rhs, lhs);
    }

    fn branch(&mut self, cond: Cond, size: Size, lhs: Gpr, rhs: impl Into<Operand>, label: Label) {
        let rhs = rhs.into();
        if let Operand::Imm(imm) = rhs
            && size.sign_extend(imm) == 0
            && self.branch_zero(cond, size, lhs, label)
        {
            return;
        }
        self.compare_any(cond, size, lhs, rhs);
        self.b_cond(cc_of(cond), label);
    }

    fn branch_mem(
        &mut self,
        cond: Cond,
        size: Size,
        addr: Addr,
        rhs: impl Into<RegImm>,
        label: Label,
    ) {
        let signed = is_signed(cond);
        enc::load(&mut self.b, narrow_load(size, signed), XVAL, addr);
        let rhs = rhs.into();
        if let RegImm::Imm(imm) = rhs
            && size.sign_extend(imm) == 0
            && self.branch_zero(
                cond,
                if size == Size::B64 { size } else { Size::B32 },
                XVAL,
                label,
            )
        {
            return;
        }
        if matches!(size, Size::B32 | Size::B64) {
            self.compare(cond, size, XVAL, rhs.into());
        } else {
            self.compare_narrow(size, signed, XVAL, rhs.into());
        }
        self.b_cond(cc_of(cond), label);
    }

    fn branch_bits(
        &mut self,
        cond: BitCond,
        size: Size,
        reg: Gpr,
        mask: impl Into<RegImm>,
        label: Label,
    ) {
        self.test_bits(cond, size, reg, mask.into(), label);
    }

    fn branch_bits_mem(
        &mut self,
        cond: BitCond,
        size: Size,
        addr: Addr,
        mask: impl Into<RegImm>,
        label: Label,
    ) {
        enc::load(&mut self.b, zero_load(size), XVAL, addr);
        let mask = mask.into();
        // The loaded value has zeros above, so a mask of ones needs no more than the register's zeroness.
        if matches!(mask, RegImm::Imm(mask) if size.sign_extend(mask) == -1) {
            let wide = if size == Size::B64 { size } else { Size::B32 };
            return enc::cb(
                &mut self.b,
                cond == BitCond::NonZero,
                wide,
                XVAL,
                Target::Label(label),
            );
        }
        self.test_bits(cond, size, XVAL, mask, label);
    }

    fn cset(&mut self, cond: Cond, size: Size, dst: Dst<Gpr>, lhs: Gpr, rhs: impl Into<Operand>) {
        self.compare_any(cond, size, lhs, rhs.into());
        enc::cset(&mut self.b, dst.reg(), cc_of(cond));
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
        self.compare_any(cond, size, lhs, rhs.into());
        enc::csel(&mut self.b, dst.reg(), if_true, if_false, cc_of(cond));
    }

    fn fmov(&mut self, dst: Dst<Fpr>, src: Fpr) {
        if dst.reg() != src {
            let b = &mut self.b;
            dynasm!(b ; .arch aarch64 ; fmov D(dst.reg()), D(src));
        }
    }

    fn fmov_imm(&mut self, dst: Dst<Fpr>, value: f64) {
        let bits = self.constant(Size::B64, value.to_bits() as i64);
        self.bits_to_f64(dst, bits);
    }

    fn fload(&mut self, dst: Dst<Fpr>, addr: Addr) {
        enc::fload(&mut self.b, dst.reg(), addr);
    }

    fn fload_label(&mut self, dst: Dst<Fpr>, label: Label) {
        self.label_addr(d(XIMM), label);
        enc::fload(&mut self.b, dst.reg(), at(XIMM, 0));
    }

    fn fstore(&mut self, addr: Addr, src: Fpr) {
        enc::fstore(&mut self.b, addr, src);
    }

    fn falu(&mut self, op: FAlu, dst: Dst<Fpr>, lhs: Fpr, rhs: impl Into<FOperand>) {
        let rhs = self.foperand(rhs.into());
        let dst = dst.reg();
        let b = &mut self.b;
        match op {
            FAlu::Add => dynasm!(b ; .arch aarch64 ; fadd D(dst), D(lhs), D(rhs)),
            FAlu::Sub => dynasm!(b ; .arch aarch64 ; fsub D(dst), D(lhs), D(rhs)),
            FAlu::Mul => dynasm!(b ; .arch aarch64 ; fmul D(dst), D(lhs), D(rhs)),
            FAlu::Div => dynasm!(b ; .arch aarch64 ; fdiv D(dst), D(lhs), D(rhs)),
        }
    }

    fn fsqrt(&mut self, dst: Dst<Fpr>, src: Fpr) {
        let b = &mut self.b;
        dynasm!(b ; .arch aarch64 ; fsqrt D(dst.reg()), D(src));
    }

    fn fneg(&mut self, dst: Dst<Fpr>, src: Fpr) {
        let b = &mut self.b;
        dynasm!(b ; .arch aarch64 ; fneg D(dst.reg()), D(src));
    }

    fn fabs(&mut self, dst: Dst<Fpr>, src: Fpr) {
        let b = &mut self.b;
        dynasm!(b ; .arch aarch64 ; fabs D(dst.reg()), D(src));
    }

    fn has_fround() -> bool {
        true
    }

    fn fround(&mut self, mode: RoundMode, dst: Dst<Fpr>, src: Fpr) {
        let dst = dst.reg();
        let b = &mut self.b;
        match mode {
            RoundMode::Nearest => dynasm!(b ; .arch aarch64 ; frintn D(dst), D(src)),
            RoundMode::Floor => dynasm!(b ; .arch aarch64 ; frintm D(dst), D(src)),
            RoundMode::Ceil => dynasm!(b ; .arch aarch64 ; frintp D(dst), D(src)),
            RoundMode::Trunc => dynasm!(b ; .arch aarch64 ; frintz D(dst), D(src)),
        }
    }

    fn fcmp_branch(&mut self, cond: FCond, lhs: Fpr, rhs: impl Into<FOperand>, label: Label) {
        let code = self.fcompare(cond, lhs, rhs.into());
        self.b_cond(code, label);
    }

    fn fcset(&mut self, cond: FCond, dst: Dst<Gpr>, lhs: Fpr, rhs: impl Into<FOperand>) {
        let code = self.fcompare(cond, lhs, rhs.into());
        enc::cset(&mut self.b, dst.reg(), code);
    }

    fn cvt_i64_f64(&mut self, dst: Dst<Fpr>, src: Gpr) {
        let b = &mut self.b;
        dynasm!(b ; .arch aarch64 ; scvtf D(dst.reg()), X(src));
    }

    fn cvt_i32_f64(&mut self, dst: Dst<Fpr>, src: Gpr) {
        let b = &mut self.b;
        dynasm!(b ; .arch aarch64 ; scvtf D(dst.reg()), W(src));
    }

    fn cvt_f64_i64_trunc(&mut self, dst: Dst<Gpr>, src: Fpr) {
        let b = &mut self.b;
        dynasm!(b ; .arch aarch64 ; fcvtzs X(dst.reg()), D(src));
    }

    fn cvt_f64_i64_exact(&mut self, dst: Dst<Gpr>, src: Fpr, fail: Label) {
        // Out of range saturates. MIN that came from below converts back unequal; MAX converts back to 2^63, which may
        // equal `src` and must be caught by itself.
        self.cvt_f64_i64_trunc(dst, src);
        self.cvt_i64_f64(d(FSCRATCH), dst.reg());
        self.fcmp_branch(FCond::Ne, FSCRATCH, src, fail);
        self.add_sub_flags(false, Size::B64, ZR, dst.reg(), Operand::Imm(1));
        self.b_cond(cc::VS, fail);
    }

    fn bits_to_f64(&mut self, dst: Dst<Fpr>, src: Gpr) {
        let b = &mut self.b;
        dynasm!(b ; .arch aarch64 ; fmov D(dst.reg()), X(src));
    }

    fn f64_to_bits(&mut self, dst: Dst<Gpr>, src: Fpr) {
        let b = &mut self.b;
        dynasm!(b ; .arch aarch64 ; fmov X(dst.reg()), D(src));
    }

    fn jump(&mut self, label: Label) {
        enc::b(&mut self.b, Target::Label(label));
    }

    fn jump_patchable(&mut self, label: Label) -> Label {
        self.jump(label);
        self.here()
    }

    fn patch_word(distance: i64) -> Option<u32> {
        enc::jump_word(distance + 4)
    }

    fn jump_reg(&mut self, reg: Gpr) {
        let b = &mut self.b;
        dynasm!(b ; .arch aarch64 ; br X(reg));
    }

    fn jump_mem(&mut self, addr: Addr) {
        enc::load(&mut self.b, LoadKind::U64, XVAL, addr);
        self.jump_reg(XVAL);
    }

    fn jump_abs(&mut self, address: u64) {
        enc::b(&mut self.b, Target::Abs(address));
    }

    fn call_label(&mut self, label: Label) {
        enc::bl(&mut self.b, Target::Label(label));
    }

    fn call_reg(&mut self, reg: Gpr) {
        let b = &mut self.b;
        dynasm!(b ; .arch aarch64 ; blr X(reg));
    }

    fn call_mem(&mut self, addr: Addr) {
        enc::load(&mut self.b, LoadKind::U64, XVAL, addr);
        self.call_reg(XVAL);
    }

    fn call_abs(&mut self, address: u64) {
        enc::bl(&mut self.b, Target::Abs(address));
    }

    fn ret(&mut self) {
        let b = &mut self.b;
        dynasm!(b ; .arch aarch64 ; ret);
    }

    fn trap(&mut self) {
        let b = &mut self.b;
        dynasm!(b ; .arch aarch64 ; brk 1);
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
