//! The vocabulary of [`Masm`](crate::Masm): sizes, conditions, operations and operands, none of them tied to a target.

use crate::label::Label;
use crate::reg::{Fpr, Gpr};

/// Operand size of an integer operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// 8 bits.
    B8,
    /// 16 bits.
    B16,
    /// 32 bits. A register result has its upper half zero, on every target.
    B32,
    /// 64 bits.
    B64,
}

impl Size {
    /// Width in bits.
    pub fn bits(self) -> u32 {
        match self {
            Size::B8 => 8,
            Size::B16 => 16,
            Size::B32 => 32,
            Size::B64 => 64,
        }
    }

    /// `value` cut to this size and sign-extended back: the canonical form of an immediate.
    pub fn sign_extend(self, value: i64) -> i64 {
        let shift = 64 - self.bits();
        value << shift >> shift
    }

    /// `value` cut to this size and zero-extended back.
    pub fn zero_extend(self, value: i64) -> u64 {
        let shift = 64 - self.bits();
        (value as u64) << shift >> shift
    }
}

/// Integer comparison, `lhs cond rhs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cond {
    /// Equal.
    Eq,
    /// Not equal.
    Ne,
    /// Less, signed.
    Lt,
    /// Less or equal, signed.
    Le,
    /// Greater, signed.
    Gt,
    /// Greater or equal, signed.
    Ge,
    /// Less, unsigned.
    Below,
    /// Less or equal, unsigned.
    BelowEq,
    /// Greater, unsigned.
    Above,
    /// Greater or equal, unsigned.
    AboveEq,
}

impl Cond {
    /// The condition that holds exactly when `self` does not.
    pub fn negate(self) -> Cond {
        match self {
            Cond::Eq => Cond::Ne,
            Cond::Ne => Cond::Eq,
            Cond::Lt => Cond::Ge,
            Cond::Le => Cond::Gt,
            Cond::Gt => Cond::Le,
            Cond::Ge => Cond::Lt,
            Cond::Below => Cond::AboveEq,
            Cond::BelowEq => Cond::Above,
            Cond::Above => Cond::BelowEq,
            Cond::AboveEq => Cond::Below,
        }
    }

    /// The condition that holds for `rhs, lhs` exactly when `self` holds for `lhs, rhs`.
    pub fn swap(self) -> Cond {
        match self {
            Cond::Eq => Cond::Eq,
            Cond::Ne => Cond::Ne,
            Cond::Lt => Cond::Gt,
            Cond::Le => Cond::Ge,
            Cond::Gt => Cond::Lt,
            Cond::Ge => Cond::Le,
            Cond::Below => Cond::Above,
            Cond::BelowEq => Cond::AboveEq,
            Cond::Above => Cond::Below,
            Cond::AboveEq => Cond::BelowEq,
        }
    }
}

/// Float comparison, `lhs cond rhs`. `Ne` and the `N..` forms are true when an operand is a NaN, the others false.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FCond {
    /// Equal and ordered.
    Eq,
    /// Not equal, or unordered.
    Ne,
    /// Less and ordered.
    Lt,
    /// Less or equal and ordered.
    Le,
    /// Greater and ordered.
    Gt,
    /// Greater or equal and ordered.
    Ge,
    /// Not less: greater, equal or unordered.
    NLt,
    /// Not less or equal: greater or unordered.
    NLe,
    /// Not greater: less, equal or unordered.
    NGt,
    /// Not greater or equal: less or unordered.
    NGe,
}

impl FCond {
    /// The condition that holds exactly when `self` does not.
    pub fn negate(self) -> FCond {
        match self {
            FCond::Eq => FCond::Ne,
            FCond::Ne => FCond::Eq,
            FCond::Lt => FCond::NLt,
            FCond::Le => FCond::NLe,
            FCond::Gt => FCond::NGt,
            FCond::Ge => FCond::NGe,
            FCond::NLt => FCond::Lt,
            FCond::NLe => FCond::Le,
            FCond::NGt => FCond::Gt,
            FCond::NGe => FCond::Ge,
        }
    }
}

/// What `alu_branch` tests about its result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AluCond {
    /// The result is zero.
    Zero,
    /// The result is not zero.
    NonZero,
    /// `Add` and `Sub` only: signed overflow.
    Overflow,
    /// `Add` and `Sub` only: no signed overflow.
    NoOverflow,
    /// `Add`: unsigned overflow. `Sub`: borrow (`lhs` below `rhs`, unsigned). Not for other operations.
    Carry,
    /// The negation of `Carry`.
    NoCarry,
    /// The result is negative.
    Sign,
    /// The result is not negative.
    NoSign,
}

/// What `branch_bits` tests about `value & mask`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BitCond {
    /// No bit of the mask is set.
    Zero,
    /// At least one bit of the mask is set.
    NonZero,
}

/// Two-operand integer operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AluOp {
    /// `lhs + rhs`, wrapping.
    Add,
    /// `lhs - rhs`, wrapping.
    Sub,
    /// Bitwise and.
    And,
    /// Bitwise or.
    Or,
    /// Bitwise exclusive or.
    Xor,
}

/// Shift operation. The count is taken modulo the operand size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShiftOp {
    /// Left, zeros come in.
    Shl,
    /// Right, zeros come in.
    Shr,
    /// Right, the sign comes in.
    Sar,
    /// Rotate left.
    Rotl,
}

/// Two-operand float operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FAlu {
    /// `lhs + rhs`.
    Add,
    /// `lhs - rhs`.
    Sub,
    /// `lhs * rhs`.
    Mul,
    /// `lhs / rhs`.
    Div,
}

/// Rounding to an integral float.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RoundMode {
    /// To nearest, ties to even.
    Nearest,
    /// Towards minus infinity.
    Floor,
    /// Towards plus infinity.
    Ceil,
    /// Towards zero.
    Trunc,
}

/// Width and extension of a load (or of `extend`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoadKind {
    /// 8 bits, zero-extended to 64.
    U8,
    /// 8 bits, sign-extended to 32; bits 63..32 are zero.
    S8To32,
    /// 8 bits, sign-extended to 64.
    S8To64,
    /// 16 bits, zero-extended to 64.
    U16,
    /// 16 bits, sign-extended to 32; bits 63..32 are zero.
    S16To32,
    /// 16 bits, sign-extended to 64.
    S16To64,
    /// 32 bits, zero-extended to 64.
    U32,
    /// 32 bits, sign-extended to 64.
    S32To64,
    /// 64 bits.
    U64,
}

/// Factor of an index register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// times 1
    S1,
    /// times 2
    S2,
    /// times 4
    S4,
    /// times 8
    S8,
}

impl Scale {
    /// The base-two logarithm of the factor.
    pub fn log2(self) -> u8 {
        match self {
            Scale::S1 => 0,
            Scale::S2 => 1,
            Scale::S4 => 2,
            Scale::S8 => 3,
        }
    }
}

/// A memory operand: `base + disp` or `base + index * scale + disp`. All registers are read as 64 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Addr {
    /// The base register.
    pub base: Gpr,
    /// Index register and its factor. The stack pointer cannot be an index.
    pub index: Option<(Gpr, Scale)>,
    /// Displacement in bytes, any value.
    pub disp: i32,
}

impl Addr {
    /// The same operand `bytes` further.
    pub fn offset(self, bytes: i32) -> Addr {
        Addr {
            disp: self.disp + bytes,
            ..self
        }
    }

    /// Whether `reg` takes part in the address.
    pub fn uses(self, reg: Gpr) -> bool {
        self.base == reg || matches!(self.index, Some((i, _)) if i == reg)
    }
}

/// `[base + disp]`
pub fn at(base: Gpr, disp: i32) -> Addr {
    Addr {
        base,
        index: None,
        disp,
    }
}

/// `[base + index * scale + disp]`
pub fn at_index(base: Gpr, index: Gpr, scale: Scale, disp: i32) -> Addr {
    Addr {
        base,
        index: Some((index, scale)),
        disp,
    }
}

/// A register or an immediate of any range. An immediate is cut to the size of the operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegImm {
    /// The value of a register.
    Reg(Gpr),
    /// A constant.
    Imm(i64),
}

/// A register, an immediate of any range, or memory of the size of the operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operand {
    /// The value of a register.
    Reg(Gpr),
    /// A constant.
    Imm(i64),
    /// The value in memory.
    Mem(Addr),
}

impl Operand {
    /// Whether `reg` is read by this operand.
    pub fn uses(self, reg: Gpr) -> bool {
        match self {
            Operand::Reg(r) => r == reg,
            Operand::Imm(_) => false,
            Operand::Mem(a) => a.uses(reg),
        }
    }
}

/// A float register or a double in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FOperand {
    /// The value of a register.
    Reg(Fpr),
    /// The value in memory.
    Mem(Addr),
    /// The value at a label of the same code: a constant.
    At(Label),
}

macro_rules! from_imm {
    ($($int:ty),*) => {$(
        impl From<$int> for RegImm {
            fn from(value: $int) -> RegImm {
                RegImm::Imm(i64::from(value))
            }
        }
        impl From<$int> for Operand {
            fn from(value: $int) -> Operand {
                Operand::Imm(i64::from(value))
            }
        }
    )*};
}
from_imm!(u8, u16, i32, u32, i64);

impl From<Gpr> for RegImm {
    fn from(reg: Gpr) -> RegImm {
        RegImm::Reg(reg)
    }
}

impl From<Gpr> for Operand {
    fn from(reg: Gpr) -> Operand {
        Operand::Reg(reg)
    }
}

impl From<Addr> for Operand {
    fn from(addr: Addr) -> Operand {
        Operand::Mem(addr)
    }
}

impl From<RegImm> for Operand {
    fn from(value: RegImm) -> Operand {
        match value {
            RegImm::Reg(r) => Operand::Reg(r),
            RegImm::Imm(i) => Operand::Imm(i),
        }
    }
}

impl From<Fpr> for FOperand {
    fn from(reg: Fpr) -> FOperand {
        FOperand::Reg(reg)
    }
}

impl From<Label> for FOperand {
    fn from(label: Label) -> FOperand {
        FOperand::At(label)
    }
}

impl From<Addr> for FOperand {
    fn from(addr: Addr) -> FOperand {
        FOperand::Mem(addr)
    }
}
