//! Instructions, constants and refs.

use super::{IrOp, Ty};

/// Names an instruction or a constant.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Ref(pub u16);

/// First instruction's number.
pub const REF_BIAS: u16 = 0x8000;
/// No ref.
pub const REF_NONE: Ref = Ref(0);
/// The BASE instruction.
pub const REF_BASE: Ref = Ref(REF_BIAS);

impl Ref {
    /// Names a constant.
    #[inline]
    pub fn is_const(self) -> bool {
        self.0 < REF_BIAS && self.0 != 0
    }
    /// Names an instruction.
    #[inline]
    pub fn is_ins(self) -> bool {
        self.0 >= REF_BIAS
    }
    /// Neither.
    #[inline]
    pub fn is_none(self) -> bool {
        self.0 == 0
    }
    /// Index of the instruction, from 0 (BASE).
    #[inline]
    pub fn ins_index(self) -> usize {
        debug_assert!(self.is_ins());
        (self.0 - REF_BIAS) as usize
    }
    /// Index of the constant, from 0.
    #[inline]
    pub fn const_index(self) -> usize {
        debug_assert!(self.is_const());
        (REF_BIAS - 1 - self.0) as usize
    }
    /// The instruction with this index.
    #[inline]
    pub fn from_ins(i: usize) -> Ref {
        Ref(REF_BIAS + i as u16)
    }
    /// The constant with this index.
    #[inline]
    pub fn from_const(i: usize) -> Ref {
        Ref(REF_BIAS - 1 - i as u16)
    }
}

/// An instruction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ins {
    /// What it does.
    pub op: IrOp,
    /// Type of the result; of guards and stores: of the operands.
    pub ty: Ty,
    /// First operand: ref or literal, see the op's modes.
    pub a: Ref,
    /// Second operand.
    pub b: Ref,
    /// Previous instruction with the same op (0: none).
    pub prev: Ref,
}

impl Ins {
    /// An instruction that is not linked.
    pub fn new(op: IrOp, ty: Ty, a: Ref, b: Ref) -> Ins {
        Ins {
            op,
            ty,
            a,
            b,
            prev: REF_NONE,
        }
    }
    /// A guard about the type of a value, or the kind of an array.
    pub fn looks_at_type(&self) -> bool {
        matches!(self.op, IrOp::TEq | IrOp::TNe) || self.op == IrOp::Eq && self.ty == Ty::U8
    }
    /// Operand a as unsigned literal.
    pub fn lit_a(self) -> u16 {
        self.a.0
    }
    /// Operand b as unsigned literal.
    pub fn lit_b(self) -> u16 {
        self.b.0
    }
    /// Operand a as signed literal (slot number).
    pub fn slot(self) -> i16 {
        self.a.0 as i16
    }
}

/// A constant: type and bits. `Int`: the number; `Float`: its bits; objects and `Ptr`: the address; `Tag`: the tag as i32
/// sign-extended to 64 bits; nil, false, true: 0.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Konst {
    /// Its type.
    pub ty: Ty,
    /// Its bits.
    pub bits: u64,
}
