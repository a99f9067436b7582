//! RISC-V registers by hardware number. Roles are assigned in `masm`.

use crate::reg::{Fpr, Gpr};

/// `xN`
pub const fn x(number: u8) -> Gpr {
    Gpr(number)
}

/// `fN`
pub const fn f(number: u8) -> Fpr {
    Fpr(number)
}

/// Always zero.
pub const ZERO: Gpr = x(0);
/// The return address.
pub const RA: Gpr = x(1);
/// The stack pointer.
pub const SP: Gpr = x(2);
/// The frame pointer, s0.
pub const FP: Gpr = x(8);
/// t3: lent to callers by `with_scratch`; no expansion uses it.
pub const SCRATCH: Gpr = x(28);
/// t0, expansions: an address, or the way to a far target.
pub const XADDR: Gpr = x(5);
/// t1, expansions: a value from memory.
pub const XVAL: Gpr = x(6);
/// t2, expansions: a constant, or the right operand in another form.
pub const XRHS: Gpr = x(7);
/// t4, expansions: the left operand in another form.
pub const XLHS: Gpr = x(29);
/// t5, expansions: a condition, or the high part of a displacement.
pub const XTMP: Gpr = x(30);
/// ft11, float scratch of expansions.
pub const FSCRATCH: Fpr = f(31);
