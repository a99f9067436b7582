//! The portable trait on RISC-V 64.
//!
//! There are no flags and no narrow comparisons. Comparisons of fewer than 64 bits sign-extend both sides, which keeps
//! signed and unsigned order alike. 32-bit results are zero-extended, as the trait promises, by two shifts; carry and
//! overflow of narrow operations are found in the 64-bit result. Expansions own five registers with fixed jobs (`regs`),
//! none of them the one that `with_scratch` lends.

use dynasmrt::{DynasmApi, dynasm};

use super::abi;
use super::enc::{self, Rv64Forms, cmp};
use super::regs::*;
use crate::buffer::{Code, CodeBuffer, Target};
use crate::error::AsmError;
use crate::label::Label;
use crate::masm::Masm;
use crate::operand::*;
use crate::reg::{Dst, Fpr, Gpr, d};

/// The macro-assembler for RISC-V 64.
#[derive(Debug)]
pub struct Rv64Masm {
    b: CodeBuffer,
    scratch_lent: bool,
}

impl Rv64Masm {
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

    /// A constant in a register; the zero register for 0.
    fn constant(&mut self, imm: i64) -> Gpr {
        if imm == 0 {
            return ZERO;
        }
        enc::li(&mut self.b, XRHS, imm);
        XRHS
    }

    /// `operand` in a register; the upper bits beyond `size` are arbitrary.
    fn in_register(&mut self, size: Size, operand: Operand) -> Gpr {
        match operand {
            Operand::Reg(r) => r,
            Operand::Imm(imm) => self.constant(size.sign_extend(imm)),
            Operand::Mem(addr) => {
                enc::load(&mut self.b, signed_load(size), XVAL, addr);
                XVAL
            }
        }
    }

    /// `operand` in a register, extended from `size` to 64 bits.
    fn extended(&mut self, size: Size, signed: bool, operand: Operand) -> Gpr {
        match operand {
            Operand::Reg(r) if size == Size::B64 => r,
            Operand::Reg(r) => {
                self.ext(signed, size, XRHS, r);
                XRHS
            }
            Operand::Imm(imm) => {
                let imm = if signed {
                    size.sign_extend(imm)
                } else {
                    size.zero_extend(imm) as i64
                };
                self.constant(imm)
            }
            Operand::Mem(addr) => {
                let kind = if signed {
                    signed_load(size)
                } else {
                    unsigned_load(size)
                };
                enc::load(&mut self.b, kind, XVAL, addr);
                XVAL
            }
        }
    }

    fn ext(&mut self, signed: bool, size: Size, dst: Gpr, src: Gpr) {
        if signed {
            enc::sext(&mut self.b, size, dst, src);
        } else {
            enc::zext(&mut self.b, size, dst, src);
        }
    }

    /// The left operand of a comparison, extended if it is narrow.
    fn left(&mut self, size: Size, lhs: Gpr) -> Gpr {
        if size == Size::B64 {
            return lhs;
        }
        enc::sext(&mut self.b, size, XLHS, lhs);
        XLHS
    }

    fn finish32(&mut self, size: Size, dst: Gpr) {
        if size == Size::B32 {
            enc::zext(&mut self.b, Size::B32, dst, dst);
        }
    }

    /// `d = n op rhs`, 64 bits wide; what lies beyond a narrower size is for the caller to cut.
    fn alu3(&mut self, op: AluOp, size: Size, dst: Gpr, lhs: Gpr, rhs: Operand) {
        if let Operand::Imm(imm) = rhs {
            let imm = size.sign_extend(imm);
            let imm = if op == AluOp::Sub {
                imm.wrapping_neg()
            } else {
                imm
            };
            if enc::fits12(imm) {
                let b = &mut self.b;
                let imm = imm as i32;
                return match op {
                    AluOp::Add | AluOp::Sub => enc::addi(b, dst, lhs, imm),
                    AluOp::And => enc::andi(b, dst, lhs, imm),
                    AluOp::Or => enc::ori(b, dst, lhs, imm),
                    AluOp::Xor => enc::xori(b, dst, lhs, imm),
                };
            }
        }
        let rhs = self.in_register(size, rhs);
        let b = &mut self.b;
        match op {
            AluOp::Add => enc::add(b, dst, lhs, rhs),
            AluOp::Sub => enc::sub(b, dst, lhs, rhs),
            AluOp::And => enc::and(b, dst, lhs, rhs),
            AluOp::Or => enc::or(b, dst, lhs, rhs),
            AluOp::Xor => enc::xor(b, dst, lhs, rhs),
        }
    }

    /// `d = n + rhs` or `n - rhs` cut to `size`, and `XTMP` nonzero (negative for 64-bit overflow) if `cond`'s event
    /// happened. Returns the branch that is to be taken.
    fn add_sub_event(
        &mut self,
        subtract: bool,
        size: Size,
        dst: Gpr,
        lhs: Gpr,
        rhs: Operand,
        cond: AluCond,
    ) -> u32 {
        let overflow = matches!(cond, AluCond::Overflow | AluCond::NoOverflow);
        let negated = matches!(cond, AluCond::NoOverflow | AluCond::NoCarry);
        let rhs = self.extended(size, overflow, rhs);
        if size == Size::B64 {
            let b = &mut self.b;
            let sum = if subtract { enc::sub } else { enc::add };
            sum(b, XLHS, lhs, rhs);
            let event = match (overflow, subtract) {
                // Overflow if the result's sign differs from lhs and from rhs (subtracting: lhs and rhs differ).
                (true, _) => {
                    enc::xor(b, XTMP, XLHS, lhs);
                    let other = if subtract { lhs } else { XLHS };
                    enc::xor(b, XADDR, other, rhs);
                    enc::and(b, XTMP, XTMP, XADDR);
                    cmp::LT
                }
                (false, false) => {
                    enc::sltu(b, XTMP, XLHS, lhs);
                    cmp::NE
                }
                (false, true) => {
                    enc::sltu(b, XTMP, lhs, rhs);
                    cmp::NE
                }
            };
            enc::mv(b, dst, XLHS);
            return event ^ u32::from(negated);
        }
        self.ext(overflow, size, XLHS, lhs);
        let b = &mut self.b;
        let sum = if subtract { enc::sub } else { enc::add };
        sum(b, XLHS, XLHS, rhs);
        if overflow {
            enc::sext(b, size, XTMP, XLHS);
            enc::xor(b, XTMP, XTMP, XLHS);
        } else {
            enc::srli(b, XTMP, XLHS, size.bits());
        }
        enc::zext(b, size, dst, XLHS);
        cmp::NE ^ u32::from(negated)
    }

    fn branch_if(&mut self, cmp: u32, n: Gpr, m: Gpr, label: Label) {
        enc::branch(&mut self.b, cmp, n, m, Target::Label(label));
    }

    /// Branches on the zeroness or the sign of the low `size` bits of `reg`; `clean` if nothing lies above them.
    fn branch_result(&mut self, cond: AluCond, size: Size, reg: Gpr, clean: bool, label: Label) {
        let zeroness = matches!(cond, AluCond::Zero | AluCond::NonZero);
        let mut tested = reg;
        if size != Size::B64 && !(clean && zeroness) {
            // The highest bit goes to the sign, what lies above falls out.
            enc::slli(&mut self.b, XTMP, reg, 64 - size.bits());
            tested = XTMP;
        }
        let cmp = match cond {
            AluCond::Zero => cmp::EQ,
            AluCond::NonZero => cmp::NE,
            AluCond::Sign => cmp::LT,
            _ => cmp::GE,
        };
        self.branch_if(cmp, tested, ZERO, label);
    }

    /// Branches on `lhs cond rhs`, both extended.
    fn branch_compare(&mut self, cond: Cond, lhs: Gpr, rhs: Gpr, label: Label) {
        let (cmp, swap) = cmp_of(cond);
        let (n, m) = if swap { (rhs, lhs) } else { (lhs, rhs) };
        self.branch_if(cmp, n, m, label);
    }

    /// `dst = lhs cond rhs` as 0 or 1.
    fn set_compare(&mut self, cond: Cond, size: Size, dst: Gpr, lhs: Gpr, rhs: Operand) {
        let rhs = self.extended(size, true, rhs);
        let lhs = self.left(size, lhs);
        let b = &mut self.b;
        let (cmp, swap) = cmp_of(cond);
        let (n, m) = if swap { (rhs, lhs) } else { (lhs, rhs) };
        match cmp {
            cmp::EQ | cmp::NE => {
                let tested = if m == ZERO {
                    n
                } else {
                    enc::xor(b, XTMP, n, m);
                    XTMP
                };
                if cmp == cmp::EQ {
                    enc::sltiu(b, dst, tested, 1);
                } else {
                    enc::sltu(b, dst, ZERO, tested);
                }
            }
            cmp::LT | cmp::GE => enc::slt(b, dst, n, m),
            _ => enc::sltu(b, dst, n, m),
        }
        if matches!(cmp, cmp::GE | cmp::GEU) {
            enc::xori(b, dst, dst, 1);
        }
    }

    /// Branches if `reg & mask` is zero (not zero).
    fn test_bits(&mut self, cond: BitCond, size: Size, reg: Gpr, mask: RegImm, label: Label) {
        let cmp = if cond == BitCond::Zero {
            cmp::EQ
        } else {
            cmp::NE
        };
        let b = &mut self.b;
        let tested = match mask {
            RegImm::Reg(mask) => {
                enc::and(b, XRHS, reg, mask);
                if size != Size::B64 {
                    enc::slli(b, XRHS, XRHS, 64 - size.bits());
                }
                XRHS
            }
            RegImm::Imm(mask) => {
                let bits = size.zero_extend(mask);
                if bits < 2048 {
                    enc::andi(b, XRHS, reg, bits as i32);
                    XRHS
                } else if bits.is_power_of_two() {
                    // To the sign: one shift and one branch.
                    enc::slli(b, XRHS, reg, bits.leading_zeros());
                    let cmp = if cond == BitCond::Zero {
                        cmp::GE
                    } else {
                        cmp::LT
                    };
                    return self.branch_if(cmp, XRHS, ZERO, label);
                } else if bits == u64::MAX {
                    reg
                } else if bits == size.zero_extend(-1) {
                    enc::slli(b, XRHS, reg, 64 - size.bits());
                    XRHS
                } else {
                    let mask = self.constant(bits as i64);
                    enc::and(&mut self.b, XRHS, reg, mask);
                    XRHS
                }
            }
        };
        self.branch_if(cmp, tested, ZERO, label);
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

    /// `dst = 1` if the comparison holds, or if it does not when the result is true.
    fn fcompare(&mut self, cond: FCond, dst: Gpr, lhs: Fpr, rhs: FOperand) -> bool {
        let rhs = self.foperand(rhs);
        let b = &mut self.b;
        match cond {
            FCond::Eq | FCond::Ne => {
                dynasm!(b ; .arch riscv64i ; .feature imafd ; feq.d X(dst), F(lhs), F(rhs))
            }
            FCond::Lt | FCond::NLt => {
                dynasm!(b ; .arch riscv64i ; .feature imafd ; flt.d X(dst), F(lhs), F(rhs))
            }
            FCond::Le | FCond::NLe => {
                dynasm!(b ; .arch riscv64i ; .feature imafd ; fle.d X(dst), F(lhs), F(rhs))
            }
            FCond::Gt | FCond::NGt => {
                dynasm!(b ; .arch riscv64i ; .feature imafd ; flt.d X(dst), F(rhs), F(lhs))
            }
            FCond::Ge | FCond::NGe => {
                dynasm!(b ; .arch riscv64i ; .feature imafd ; fle.d X(dst), F(rhs), F(lhs))
            }
        }
        matches!(
            cond,
            FCond::Ne | FCond::NLt | FCond::NLe | FCond::NGt | FCond::NGe
        )
    }
}

/// The encoder of a shift by register.
type Shift = fn(&mut CodeBuffer, Gpr, Gpr, Gpr);

fn needs_flags(cond: AluCond) -> bool {
    matches!(
        cond,
        AluCond::Overflow | AluCond::NoOverflow | AluCond::Carry | AluCond::NoCarry
    )
}

/// The branch for a condition, and whether its operands change places.
fn cmp_of(cond: Cond) -> (u32, bool) {
    match cond {
        Cond::Eq => (cmp::EQ, false),
        Cond::Ne => (cmp::NE, false),
        Cond::Lt => (cmp::LT, false),
        Cond::Ge => (cmp::GE, false),
        Cond::Gt => (cmp::LT, true),
        Cond::Le => (cmp::GE, true),
        Cond::Below => (cmp::LTU, false),
        Cond::AboveEq => (cmp::GEU, false),
        Cond::Above => (cmp::LTU, true),
        Cond::BelowEq => (cmp::GEU, true),
    }
}

fn signed_load(size: Size) -> LoadKind {
    match size {
        Size::B8 => LoadKind::S8To64,
        Size::B16 => LoadKind::S16To64,
        Size::B32 => LoadKind::S32To64,
        Size::B64 => LoadKind::U64,
    }
}

fn unsigned_load(size: Size) -> LoadKind {
    match size {
        Size::B8 => LoadKind::U8,
        Size::B16 => LoadKind::U16,
        Size::B32 => LoadKind::U32,
        Size::B64 => LoadKind::U64,
    }
}

impl Masm for Rv64Masm {
    const PC: Gpr = x(9);
    const BASE: Gpr = x(18);
    const THREAD: Gpr = x(19);
    const CODE: Gpr = x(20);
    const GLOBAL: Gpr = x(21);
    const FP: Gpr = FP;
    const SP: Gpr = SP;
    const SCRATCH: Gpr = SCRATCH;
    const T: [Gpr; 8] = [x(10), x(11), x(12), x(13), x(14), x(15), x(16), x(17)];
    const ARG: [Gpr; 6] = [x(10), x(11), x(12), x(13), x(14), x(15)];
    const RET0: Gpr = x(10);
    const RET1: Gpr = x(11);
    const F: [Fpr; 8] = [f(10), f(11), f(12), f(13), f(14), f(15), f(16), f(17)];
    const DIV_CLOBBERS: &'static [Gpr] = &[];

    fn new() -> Self {
        Rv64Masm {
            b: CodeBuffer::new(None),
            scratch_lent: false,
        }
    }

    fn new_at(address: u64) -> Self {
        Rv64Masm {
            b: CodeBuffer::new(Some(address)),
            scratch_lent: false,
        }
    }

    fn buffer(&mut self) -> &mut CodeBuffer {
        &mut self.b
    }

    fn finalize(self) -> Result<Code, AsmError> {
        self.b.finalize::<Rv64Forms>()
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
            enc::mv(&mut self.b, dst.reg(), src);
        }
    }

    fn mov_imm(&mut self, dst: Dst<Gpr>, value: i64) {
        enc::li(&mut self.b, dst.reg(), value);
    }

    fn label_addr(&mut self, dst: Dst<Gpr>, label: Label) {
        enc::address_of(&mut self.b, dst.reg(), Target::Label(label));
    }

    fn extend(&mut self, kind: LoadKind, dst: Dst<Gpr>, src: Gpr) {
        let b = &mut self.b;
        let dst = dst.reg();
        match kind {
            LoadKind::U8 => enc::zext(b, Size::B8, dst, src),
            LoadKind::U16 => enc::zext(b, Size::B16, dst, src),
            LoadKind::U32 => enc::zext(b, Size::B32, dst, src),
            LoadKind::U64 => enc::zext(b, Size::B64, dst, src),
            LoadKind::S8To64 => enc::sext(b, Size::B8, dst, src),
            LoadKind::S16To64 => enc::sext(b, Size::B16, dst, src),
            LoadKind::S32To64 => enc::sext(b, Size::B32, dst, src),
            LoadKind::S8To32 | LoadKind::S16To32 => {
                // Into the sign, back by half the way with the sign, the rest with zeros.
                let bits = if kind == LoadKind::S8To32 { 8 } else { 16 };
                enc::slli(b, dst, src, 64 - bits);
                enc::srai(b, dst, dst, 32 - bits);
                enc::srli(b, dst, dst, 32);
            }
        }
    }

    fn lea(&mut self, dst: Dst<Gpr>, addr: Addr) {
        let dst = dst.reg();
        if let (Some((index, scale)), true) = (addr.index, enc::fits12(addr.disp.into())) {
            let b = &mut self.b;
            let scaled = if scale == Scale::S1 { index } else { XADDR };
            if scale != Scale::S1 {
                enc::slli(b, XADDR, index, scale.log2().into());
            }
            enc::add(b, dst, addr.base, scaled);
            if addr.disp != 0 {
                enc::addi(b, dst, dst, addr.disp);
            }
            return;
        }
        let (base, disp) = enc::mem(&mut self.b, addr);
        if disp != 0 || base != dst {
            enc::addi(&mut self.b, dst, base, disp);
        }
    }

    fn load(&mut self, kind: LoadKind, dst: Dst<Gpr>, addr: Addr) {
        enc::load(&mut self.b, kind, dst.reg(), addr);
    }

    fn store(&mut self, size: Size, addr: Addr, src: Gpr) {
        enc::store(&mut self.b, size, addr, src);
    }

    fn store_imm(&mut self, size: Size, addr: Addr, value: i32) {
        let value = self.constant(size.sign_extend(value.into()));
        enc::store(&mut self.b, size, addr, value);
    }

    fn alu(&mut self, op: AluOp, size: Size, dst: Dst<Gpr>, lhs: Gpr, rhs: impl Into<Operand>) {
        self.check_register_size(size);
        let rhs = rhs.into();
        self.alu3(op, size, dst.reg(), lhs, rhs);
        // A mask without the sign bit has cleared the upper half already.
        let masked =
            op == AluOp::And && matches!(rhs, Operand::Imm(imm) if size.sign_extend(imm) >= 0);
        if !masked {
            self.finish32(size, dst.reg());
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
        self.check_register_size(size);
        self.check_cond(op, cond);
        if needs_flags(cond) {
            let cmp = self.add_sub_event(op == AluOp::Sub, size, dst.reg(), lhs, rhs.into(), cond);
            self.branch_if(cmp, XTMP, ZERO, label);
        } else {
            self.alu(op, size, dst, lhs, rhs);
            self.branch_result(cond, size, dst.reg(), true, label);
        }
    }

    fn alu_to_mem(&mut self, op: AluOp, size: Size, addr: Addr, rhs: impl Into<RegImm>) {
        enc::load(&mut self.b, unsigned_load(size), XVAL, addr);
        self.alu3(op, size, XVAL, XVAL, rhs.into().into());
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
            return self.branch_result(cond, size, XVAL, false, label);
        }
        enc::load(&mut self.b, unsigned_load(size), XVAL, addr);
        let cmp = self.add_sub_event(op == AluOp::Sub, size, XVAL, XVAL, rhs.into(), cond);
        // The address may take XTMP, where the event is.
        enc::mv(&mut self.b, XLHS, XTMP);
        enc::store(&mut self.b, size, addr, XVAL);
        self.branch_if(cmp, XLHS, ZERO, label);
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
        let narrow = size == Size::B32;
        match count.into() {
            RegImm::Imm(count) => {
                let count = count as u32 & (size.bits() - 1);
                match (op, narrow) {
                    (_, true) if count == 0 => enc::zext(b, Size::B32, dst, lhs),
                    (_, false) if count == 0 => enc::zext(b, Size::B64, dst, lhs),
                    (ShiftOp::Shl, true) => {
                        enc::slli(b, dst, lhs, 32 + count);
                        enc::srli(b, dst, dst, 32);
                    }
                    // The count is not 0, so the sign that srliw extends is 0.
                    (ShiftOp::Shr, true) => enc::srliw(b, dst, lhs, count),
                    (ShiftOp::Sar, true) => {
                        enc::sraiw(b, dst, lhs, count);
                        enc::zext(b, Size::B32, dst, dst);
                    }
                    (ShiftOp::Rotl, true) => {
                        enc::slli(b, XLHS, lhs, 32 + count);
                        enc::srliw(b, XRHS, lhs, 32 - count);
                        enc::srli(b, XLHS, XLHS, 32);
                        enc::or(b, dst, XLHS, XRHS);
                    }
                    (ShiftOp::Shl, false) => enc::slli(b, dst, lhs, count),
                    (ShiftOp::Shr, false) => enc::srli(b, dst, lhs, count),
                    (ShiftOp::Sar, false) => enc::srai(b, dst, lhs, count),
                    (ShiftOp::Rotl, false) => {
                        enc::slli(b, XLHS, lhs, count);
                        enc::srli(b, XRHS, lhs, 64 - count);
                        enc::or(b, dst, XLHS, XRHS);
                    }
                }
            }
            RegImm::Reg(count) => {
                match (op, narrow) {
                    (ShiftOp::Shl, true) => enc::sllw(b, dst, lhs, count),
                    (ShiftOp::Shr, true) => enc::srlw(b, dst, lhs, count),
                    (ShiftOp::Sar, true) => enc::sraw(b, dst, lhs, count),
                    (ShiftOp::Shl, false) => enc::sll(b, dst, lhs, count),
                    (ShiftOp::Shr, false) => enc::srl(b, dst, lhs, count),
                    (ShiftOp::Sar, false) => enc::sra(b, dst, lhs, count),
                    (ShiftOp::Rotl, _) => {
                        let (left, right) = if narrow {
                            (enc::sllw as Shift, enc::srlw as Shift)
                        } else {
                            (enc::sll as Shift, enc::srl as Shift)
                        };
                        left(b, XLHS, lhs, count);
                        enc::sub(b, XRHS, ZERO, count);
                        right(b, XRHS, lhs, XRHS);
                        enc::or(b, dst, XLHS, XRHS);
                    }
                }
                self.finish32(size, dst);
            }
        }
    }

    fn mul(&mut self, size: Size, dst: Dst<Gpr>, lhs: Gpr, rhs: impl Into<Operand>) {
        self.check_register_size(size);
        let rhs = self.in_register(size, rhs.into());
        enc::mul(&mut self.b, dst.reg(), lhs, rhs);
        self.finish32(size, dst.reg());
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
        let rhs = self.extended(size, true, rhs.into());
        let dst = dst.reg();
        if size == Size::B64 {
            let b = &mut self.b;
            // The high part must be the sign of the low part.
            enc::mulh(b, XTMP, lhs, rhs);
            enc::mul(b, dst, lhs, rhs);
            enc::srai(b, XLHS, dst, 63);
        } else {
            enc::sext(&mut self.b, size, XLHS, lhs);
            let b = &mut self.b;
            enc::mul(b, XTMP, XLHS, rhs);
            enc::zext(b, size, dst, XTMP);
            enc::sext(b, size, XLHS, XTMP);
        }
        self.branch_if(cmp::NE, XTMP, XLHS, label);
    }

    fn umulh(&mut self, dst: Dst<Gpr>, lhs: Gpr, rhs: Gpr) {
        enc::mulhu(&mut self.b, dst.reg(), lhs, rhs);
    }

    fn neg(&mut self, size: Size, dst: Dst<Gpr>, src: Gpr) {
        self.check_register_size(size);
        enc::sub(&mut self.b, dst.reg(), ZERO, src);
        self.finish32(size, dst.reg());
    }

    fn not(&mut self, size: Size, dst: Dst<Gpr>, src: Gpr) {
        self.check_register_size(size);
        enc::xori(&mut self.b, dst.reg(), src, -1);
        self.finish32(size, dst.reg());
    }

    fn sdiv(&mut self, size: Size, dst: Dst<Gpr>, lhs: Gpr, rhs: Gpr) {
        self.check_register_size(size);
        let op = if size == Size::B64 {
            enc::div
        } else {
            enc::divw
        };
        op(&mut self.b, dst.reg(), lhs, rhs);
        self.finish32(size, dst.reg());
    }

    fn srem(&mut self, size: Size, dst: Dst<Gpr>, lhs: Gpr, rhs: Gpr) {
        self.check_register_size(size);
        let op = if size == Size::B64 {
            enc::rem
        } else {
            enc::remw
        };
        op(&mut self.b, dst.reg(), lhs, rhs);
        self.finish32(size, dst.reg());
    }

    fn sdivrem(&mut self, size: Size, quot: Dst<Gpr>, rem: Dst<Gpr>, lhs: Gpr, rhs: Gpr) {
        self.sdiv(size, d(XVAL), lhs, rhs);
        self.srem(size, rem, lhs, rhs);
        enc::mv(&mut self.b, quot.reg(), XVAL);
    }

    fn udiv(&mut self, size: Size, dst: Dst<Gpr>, lhs: Gpr, rhs: Gpr) {
        self.check_register_size(size);
        let op = if size == Size::B64 {
            enc::divu
        } else {
            enc::divuw
        };
        op(&mut self.b, dst.reg(), lhs, rhs);
        self.finish32(size, dst.reg());
    }

    fn urem(&mut self, size: Size, dst: Dst<Gpr>, lhs: Gpr, rhs: Gpr) {
        self.check_register_size(size);
        let op = if size == Size::B64 {
            enc::remu
        } else {
            enc::remuw
        };
        op(&mut self.b, dst.reg(), lhs, rhs);
        self.finish32(size, dst.reg());
    }

    fn branch(&mut self, cond: Cond, size: Size, lhs: Gpr, rhs: impl Into<Operand>, label: Label) {
        let rhs = self.extended(size, true, rhs.into());
        let lhs = self.left(size, lhs);
        self.branch_compare(cond, lhs, rhs, label);
    }

    fn branch_mem(
        &mut self,
        cond: Cond,
        size: Size,
        addr: Addr,
        rhs: impl Into<RegImm>,
        label: Label,
    ) {
        enc::load(&mut self.b, signed_load(size), XVAL, addr);
        let rhs = self.extended(size, true, rhs.into().into());
        self.branch_compare(cond, XVAL, rhs, label);
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
        enc::load(&mut self.b, unsigned_load(size), XVAL, addr);
        let mask = mask.into();
        // The loaded value has zeros above, so a mask of ones needs no more than the register's zeroness.
        if matches!(mask, RegImm::Imm(mask) if size.sign_extend(mask) == -1) {
            let cmp = if cond == BitCond::Zero {
                cmp::EQ
            } else {
                cmp::NE
            };
            return self.branch_if(cmp, XVAL, ZERO, label);
        }
        self.test_bits(cond, size, XVAL, mask, label);
    }

    fn cset(&mut self, cond: Cond, size: Size, dst: Dst<Gpr>, lhs: Gpr, rhs: impl Into<Operand>) {
        self.set_compare(cond, size, dst.reg(), lhs, rhs.into());
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
        // Without branches: false ^ ((true ^ false) & -(condition)).
        self.set_compare(cond, size, XRHS, lhs, rhs.into());
        let b = &mut self.b;
        enc::sub(b, XRHS, ZERO, XRHS);
        enc::xor(b, XLHS, if_true, if_false);
        enc::and(b, XLHS, XLHS, XRHS);
        enc::xor(b, dst.reg(), XLHS, if_false);
    }

    fn fmov(&mut self, dst: Dst<Fpr>, src: Fpr) {
        if dst.reg() != src {
            let b = &mut self.b;
            dynasm!(b ; .arch riscv64i ; .feature imafd ; fsgnj.d F(dst.reg()), F(src), F(src));
        }
    }

    fn fmov_imm(&mut self, dst: Dst<Fpr>, value: f64) {
        let bits = self.constant(value.to_bits() as i64);
        self.bits_to_f64(dst, bits);
    }

    fn fload(&mut self, dst: Dst<Fpr>, addr: Addr) {
        enc::fload(&mut self.b, dst.reg(), addr);
    }

    fn fload_label(&mut self, dst: Dst<Fpr>, label: Label) {
        self.label_addr(d(XTMP), label);
        enc::fload(&mut self.b, dst.reg(), at(XTMP, 0));
    }

    fn fstore(&mut self, addr: Addr, src: Fpr) {
        enc::fstore(&mut self.b, addr, src);
    }

    fn falu(&mut self, op: FAlu, dst: Dst<Fpr>, lhs: Fpr, rhs: impl Into<FOperand>) {
        let rhs = self.foperand(rhs.into());
        let dst = dst.reg();
        let b = &mut self.b;
        match op {
            FAlu::Add => {
                dynasm!(b ; .arch riscv64i ; .feature imafd ; fadd.d F(dst), F(lhs), F(rhs))
            }
            FAlu::Sub => {
                dynasm!(b ; .arch riscv64i ; .feature imafd ; fsub.d F(dst), F(lhs), F(rhs))
            }
            FAlu::Mul => {
                dynasm!(b ; .arch riscv64i ; .feature imafd ; fmul.d F(dst), F(lhs), F(rhs))
            }
            FAlu::Div => {
                dynasm!(b ; .arch riscv64i ; .feature imafd ; fdiv.d F(dst), F(lhs), F(rhs))
            }
        }
    }

    fn fsqrt(&mut self, dst: Dst<Fpr>, src: Fpr) {
        let b = &mut self.b;
        dynasm!(b ; .arch riscv64i ; .feature imafd ; fsqrt.d F(dst.reg()), F(src));
    }

    fn fneg(&mut self, dst: Dst<Fpr>, src: Fpr) {
        let b = &mut self.b;
        dynasm!(b ; .arch riscv64i ; .feature imafd ; fsgnjn.d F(dst.reg()), F(src), F(src));
    }

    fn fabs(&mut self, dst: Dst<Fpr>, src: Fpr) {
        let b = &mut self.b;
        dynasm!(b ; .arch riscv64i ; .feature imafd ; fsgnjx.d F(dst.reg()), F(src), F(src));
    }

    fn has_fround() -> bool {
        false
    }

    fn fround(&mut self, _mode: RoundMode, _dst: Dst<Fpr>, _src: Fpr) {
        self.b
            .latch(AsmError::Unsupported("rounding instructions on RISC-V"));
    }

    fn fcmp_branch(&mut self, cond: FCond, lhs: Fpr, rhs: impl Into<FOperand>, label: Label) {
        let negated = self.fcompare(cond, XTMP, lhs, rhs.into());
        self.branch_if(if negated { cmp::EQ } else { cmp::NE }, XTMP, ZERO, label);
    }

    fn fcset(&mut self, cond: FCond, dst: Dst<Gpr>, lhs: Fpr, rhs: impl Into<FOperand>) {
        if self.fcompare(cond, dst.reg(), lhs, rhs.into()) {
            enc::xori(&mut self.b, dst.reg(), dst.reg(), 1);
        }
    }

    fn cvt_i64_f64(&mut self, dst: Dst<Fpr>, src: Gpr) {
        let b = &mut self.b;
        dynasm!(b ; .arch riscv64i ; .feature imafd ; fcvt.d.l F(dst.reg()), X(src));
    }

    fn cvt_i32_f64(&mut self, dst: Dst<Fpr>, src: Gpr) {
        let b = &mut self.b;
        dynasm!(b ; .arch riscv64i ; .feature imafd ; fcvt.d.w F(dst.reg()), X(src));
    }

    fn cvt_f64_i64_trunc(&mut self, dst: Dst<Gpr>, src: Fpr) {
        let b = &mut self.b;
        dynasm!(b ; .arch riscv64i ; .feature imafd ; fcvt.l.d X(dst.reg()), F(src), rtz);
    }

    fn cvt_f64_i64_exact(&mut self, dst: Dst<Gpr>, src: Fpr, fail: Label) {
        // Out of range saturates. MIN that came from below converts back unequal; MAX converts back to 2^63, which may
        // equal `src` and must be caught by itself.
        self.cvt_f64_i64_trunc(dst, src);
        self.cvt_i64_f64(d(FSCRATCH), dst.reg());
        self.fcmp_branch(FCond::Ne, FSCRATCH, src, fail);
        enc::addi(&mut self.b, XTMP, dst.reg(), 1);
        self.branch_if(cmp::LT, XTMP, dst.reg(), fail);
    }

    fn bits_to_f64(&mut self, dst: Dst<Fpr>, src: Gpr) {
        let b = &mut self.b;
        dynasm!(b ; .arch riscv64i ; .feature imafd ; fmv.d.x F(dst.reg()), X(src));
    }

    fn f64_to_bits(&mut self, dst: Dst<Gpr>, src: Fpr) {
        let b = &mut self.b;
        dynasm!(b ; .arch riscv64i ; .feature imafd ; fmv.x.d X(dst.reg()), F(src));
    }

    fn jump(&mut self, label: Label) {
        enc::jump(&mut self.b, Target::Label(label));
    }

    fn jump_patchable(&mut self, label: Label) -> Label {
        enc::jump_near(&mut self.b, Target::Label(label));
        self.here()
    }

    fn patch_word(distance: i64) -> Option<u32> {
        enc::jump_word(distance + 4)
    }

    fn jump_reg(&mut self, reg: Gpr) {
        enc::jalr(&mut self.b, ZERO, reg, 0);
    }

    fn jump_mem(&mut self, addr: Addr) {
        enc::load(&mut self.b, LoadKind::U64, XVAL, addr);
        self.jump_reg(XVAL);
    }

    fn jump_abs(&mut self, address: u64) {
        enc::jump(&mut self.b, Target::Abs(address));
    }

    fn call_label(&mut self, label: Label) {
        enc::call(&mut self.b, Target::Label(label));
    }

    fn call_reg(&mut self, reg: Gpr) {
        enc::jalr(&mut self.b, RA, reg, 0);
    }

    fn call_mem(&mut self, addr: Addr) {
        enc::load(&mut self.b, LoadKind::U64, XVAL, addr);
        self.call_reg(XVAL);
    }

    fn call_abs(&mut self, address: u64) {
        enc::call(&mut self.b, Target::Abs(address));
    }

    fn ret(&mut self) {
        enc::jalr(&mut self.b, ZERO, RA, 0);
    }

    fn trap(&mut self) {
        let b = &mut self.b;
        dynasm!(b ; .arch riscv64i ; .feature imafd ; ebreak);
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
