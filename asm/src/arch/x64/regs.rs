//! x86-64 registers by hardware number. Roles are assigned in `masm`.

use crate::reg::{Fpr, Gpr};

macro_rules! regs {
    ($ty:ident: $($name:ident = $number:literal),*) => {$(
        #[doc = concat!("Hardware register ", $number, ".")]
        pub const $name: $ty = $ty($number);
    )*};
}

regs!(Gpr: RAX = 0, RCX = 1, RDX = 2, RBX = 3, RSP = 4, RBP = 5, RSI = 6, RDI = 7);
regs!(Gpr: R8 = 8, R9 = 9, R10 = 10, R11 = 11, R12 = 12, R13 = 13, R14 = 14, R15 = 15);
regs!(Fpr: XMM0 = 0, XMM1 = 1, XMM2 = 2, XMM3 = 3, XMM4 = 4, XMM5 = 5, XMM6 = 6, XMM7 = 7);
regs!(Fpr: XMM8 = 8, XMM9 = 9, XMM10 = 10, XMM11 = 11, XMM12 = 12, XMM13 = 13, XMM14 = 14, XMM15 = 15);

/// Scratch of macro expansions.
pub const SCRATCH: Gpr = R11;
/// Float scratch of macro expansions.
pub const FSCRATCH: Fpr = XMM15;
