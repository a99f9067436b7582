//! AArch64 registers by hardware number. Roles are assigned in `masm`.

use crate::reg::{Fpr, Gpr};

/// `xN`, or `sp` / `xzr` for 31.
pub const fn x(number: u8) -> Gpr {
    Gpr(number)
}

/// `dN`
pub const fn v(number: u8) -> Fpr {
    Fpr(number)
}

/// Lent to callers by `with_scratch`; no expansion uses it.
pub const SCRATCH: Gpr = x(9);
/// Expansions: third operand of a read-modify-write.
pub const XTMP3: Gpr = x(14);
/// Expansions: a constant.
pub const XIMM: Gpr = x(15);
/// Expansions: an address.
pub const XADDR: Gpr = x(16);
/// Expansions: a value from memory.
pub const XVAL: Gpr = x(17);
/// The frame pointer.
pub const FP: Gpr = x(29);
/// The stack pointer where an address or `add` of a constant is meant.
pub const SP: Gpr = x(31);
/// The zero register elsewhere.
pub const ZR: Gpr = x(31);
/// Float scratch of expansions.
pub const FSCRATCH: Fpr = v(31);
