//! Machine registers, by hardware number, and the type that marks a destination.

/// A general-purpose register, by its hardware number on the target at hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Gpr(pub u8);

/// A floating-point register, by its hardware number on the target at hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Fpr(pub u8);

/// A register in the position of a destination. Sources are plain, so that exchanging the two does not compile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dst<R>(R);

impl<R: Copy> Dst<R> {
    /// The register itself.
    pub fn reg(self) -> R {
        self.0
    }
}

/// Marks `reg` as a destination.
pub fn d<R: Copy>(reg: R) -> Dst<R> {
    Dst(reg)
}

impl From<Gpr> for u8 {
    fn from(reg: Gpr) -> u8 {
        reg.0
    }
}

impl From<Fpr> for u8 {
    fn from(reg: Fpr) -> u8 {
        reg.0
    }
}
