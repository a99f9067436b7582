//! Exact AArch64 instructions, in both operand sizes, and the choice of forms for constants and addresses.

use dynasmrt::aarch64::{encode_logical_immediate_32bit, encode_logical_immediate_64bit};
use dynasmrt::{DynasmApi, dynasm};

use super::regs::{SP, XADDR, ZR};
use crate::buffer::{BranchForms, BranchKind, CodeBuffer, Reach, Target};
use crate::operand::{Addr, LoadKind, Scale, Size};
use crate::reg::{Fpr, Gpr};

/// Condition codes.
pub(super) mod cc {
    pub const EQ: u8 = 0;
    pub const NE: u8 = 1;
    pub const HS: u8 = 2;
    pub const LO: u8 = 3;
    pub const MI: u8 = 4;
    pub const PL: u8 = 5;
    pub const VS: u8 = 6;
    pub const VC: u8 = 7;
    pub const HI: u8 = 8;
    pub const LS: u8 = 9;
    pub const GE: u8 = 10;
    pub const LT: u8 = 11;
    pub const GT: u8 = 12;
    pub const LE: u8 = 13;
}

/// Three registers, in the size given.
macro_rules! three_registers {
    ($($name:ident)*) => {$(
        pub(super) fn $name(b: &mut CodeBuffer, size: Size, d: Gpr, n: Gpr, m: Gpr) {
            if size == Size::B64 {
                dynasm!(b ; .arch aarch64 ; $name X(d), X(n), X(m));
            } else {
                dynasm!(b ; .arch aarch64 ; $name W(d), W(n), W(m));
            }
        }
    )*};
}
three_registers!(add adds sub subs and ands orr eor mul sdiv udiv lslv lsrv asrv rorv);

/// Destination, source and a shift count in range.
macro_rules! shift_imm {
    ($($name:ident)*) => {$(
        pub(super) fn $name(b: &mut CodeBuffer, size: Size, d: Gpr, n: Gpr, count: u32) {
            if size == Size::B64 {
                dynasm!(b ; .arch aarch64 ; $name X(d), X(n), count);
            } else {
                dynasm!(b ; .arch aarch64 ; $name W(d), W(n), count);
            }
        }
    )*};
}
shift_imm!(lsl lsr asr ror);

/// An immediate of `add` and `sub`: twelve bits, perhaps shifted by twelve.
fn add_sub_imm(value: u64) -> Option<(u32, bool)> {
    match value {
        0..=0xfff => Some((value as u32, false)),
        _ if value & 0xfff == 0 && value >> 24 == 0 => Some(((value >> 12) as u32, true)),
        _ => None,
    }
}

macro_rules! add_sub_form {
    ($b:ident, $size:ident, $imm:ident, $name:ident, $x:ident($d:expr), $w:ident, $n:expr) => {
        match ($size == Size::B64, $imm) {
            (true, (imm, false)) => dynasm!($b ; .arch aarch64 ; $name $x($d), XSP($n), imm),
            (true, (imm, true)) => dynasm!($b ; .arch aarch64 ; $name $x($d), XSP($n), imm, LSL #12),
            (false, (imm, false)) => dynasm!($b ; .arch aarch64 ; $name $w($d), WSP($n), imm),
            (false, (imm, true)) => dynasm!($b ; .arch aarch64 ; $name $w($d), WSP($n), imm, LSL #12),
        }
    };
}

/// `d = n + imm`, where 31 is the stack pointer; false if no immediate form fits. `imm` is sign-extended.
pub(super) fn add_imm(b: &mut CodeBuffer, size: Size, d: Gpr, n: Gpr, imm: i64) -> bool {
    match (
        add_sub_imm(imm as u64),
        add_sub_imm(imm.wrapping_neg() as u64),
    ) {
        (Some(imm), _) => add_sub_form!(b, size, imm, add, XSP(d), WSP, n),
        (_, Some(imm)) => add_sub_form!(b, size, imm, sub, XSP(d), WSP, n),
        _ => return false,
    }
    true
}

/// `d = n + imm` (`n - imm` if `subtract`) with exact flags, where destination 31 is the zero register; false if no
/// immediate form fits. Adding `imm` and subtracting its negation differ in carry for 0 and in overflow for the minimum:
/// the first is tried unchanged, the second fits no form.
pub(super) fn add_imm_flags(
    b: &mut CodeBuffer,
    size: Size,
    d: Gpr,
    n: Gpr,
    imm: i64,
    subtract: bool,
) -> bool {
    match (
        add_sub_imm(imm as u64),
        add_sub_imm(imm.wrapping_neg() as u64),
        subtract,
    ) {
        (Some(imm), _, false) => add_sub_form!(b, size, imm, adds, X(d), W, n),
        (Some(imm), _, true) => add_sub_form!(b, size, imm, subs, X(d), W, n),
        (_, Some(imm), false) => add_sub_form!(b, size, imm, subs, X(d), W, n),
        (_, Some(imm), true) => add_sub_form!(b, size, imm, adds, X(d), W, n),
        _ => return false,
    }
    true
}

/// Whether `imm` is a logical immediate in this size.
pub(super) fn is_logical(size: Size, imm: i64) -> bool {
    match size {
        Size::B64 => encode_logical_immediate_64bit(imm as u64).is_some(),
        _ => encode_logical_immediate_32bit(imm as u32).is_some(),
    }
}

/// `d = n op imm` with a logical immediate.
macro_rules! logical_imm {
    ($($function:ident: $name:ident $x:ident $w:ident;)*) => {$(
        pub(super) fn $function(b: &mut CodeBuffer, size: Size, d: Gpr, n: Gpr, imm: i64) {
            if size == Size::B64 {
                dynasm!(b ; .arch aarch64 ; $name $x(d), X(n), imm as u64);
            } else {
                dynasm!(b ; .arch aarch64 ; $name $w(d), W(n), imm as u32);
            }
        }
    )*};
}
logical_imm! {
    and_imm: and XSP WSP;
    orr_imm: orr XSP WSP;
    eor_imm: eor XSP WSP;
    ands_imm: ands X W;
}

/// `d = n`, where 31 is the stack pointer in 64 bits.
pub(super) fn mov(b: &mut CodeBuffer, size: Size, d: Gpr, n: Gpr) {
    if size == Size::B64 && (d == SP || n == SP) {
        add_imm(b, size, d, n, 0);
    } else {
        orr(b, size, d, ZR, n);
    }
}

/// `d = imm` in the fewest instructions of the kinds movz, movn, movk and orr.
pub(super) fn mov_imm(b: &mut CodeBuffer, d: Gpr, imm: i64) {
    let bits = imm as u64;
    let halves = |value: u64| (0..4).map(move |i| (i, (value >> (16 * i)) as u16 as u32));
    let zeros = halves(bits).filter(|&(_, h)| h == 0).count();
    let ones = halves(bits).filter(|&(_, h)| h == 0xffff).count();
    if zeros < 3 && ones < 3 && is_logical(Size::B64, imm) {
        return orr_imm(b, Size::B64, d, ZR, imm);
    }
    let inverted = ones > zeros;
    let filler = if inverted { 0xffff } else { 0 };
    let mut first = true;
    for (i, half) in halves(bits) {
        let all_filler = bits == if inverted { u64::MAX } else { 0 };
        if half == filler && !(all_filler && i == 0) {
            continue;
        }
        match (first, inverted) {
            (true, false) => wide(b, 0xd280_0000, d, half, i),
            (true, true) => wide(b, 0x9280_0000, d, !half & 0xffff, i),
            (false, _) => wide(b, 0xf280_0000, d, half, i),
        }
        first = false;
    }
}

/// movz, movn or movk: `dynasm!` takes their shift only as part of the value, so the fields are put together here.
fn wide(b: &mut CodeBuffer, opcode: u32, d: Gpr, half: u32, i: u32) {
    b.put(&(opcode | i << 21 | half << 5 | u32::from(d.0)).to_le_bytes());
}

/// A memory operand in a form that loads and stores have.
#[derive(Clone, Copy, Debug)]
pub(super) enum Mem {
    /// Base and a multiple of the access size below 4096 of them.
    Scaled(Gpr, u32),
    /// Base and a signed 9-bit displacement.
    Unscaled(Gpr, i32),
    /// Base and index; the index times the access size if true.
    Indexed(Gpr, Gpr, bool),
}

fn with_disp(base: Gpr, disp: i32, log2: u8) -> Option<Mem> {
    if disp >= 0 && disp & ((1 << log2) - 1) == 0 && disp >> log2 < 4096 {
        Some(Mem::Scaled(base, disp as u32))
    } else if (-256..256).contains(&disp) {
        Some(Mem::Unscaled(base, disp))
    } else {
        None
    }
}

/// `addr` for an access of `1 << log2` bytes; what does not fit is computed in `XADDR`.
pub(super) fn mem(b: &mut CodeBuffer, addr: Addr, log2: u8) -> Mem {
    match addr.index {
        None => with_disp(addr.base, addr.disp, log2).unwrap_or_else(|| {
            mov_imm(b, XADDR, addr.disp.into());
            Mem::Indexed(addr.base, XADDR, false)
        }),
        Some((index, Scale::S1)) if addr.disp == 0 => Mem::Indexed(addr.base, index, false),
        Some((index, scale)) if addr.disp == 0 && scale.log2() == log2 => {
            Mem::Indexed(addr.base, index, true)
        }
        Some(_) => {
            // The displacement moves into the access if it fits there.
            let mem = with_disp(XADDR, addr.disp, log2);
            let disp = if mem.is_some() { 0 } else { addr.disp };
            address(b, XADDR, Addr { disp, ..addr });
            mem.unwrap_or(Mem::Scaled(XADDR, 0))
        }
    }
}

/// `d = addr`. Only `d` and `XADDR` change.
pub(super) fn address(b: &mut CodeBuffer, d: Gpr, addr: Addr) {
    let Addr { base, index, disp } = addr;
    let Some((index, scale)) = index else {
        if disp == 0 {
            if d != base {
                mov(b, Size::B64, d, base);
            }
        } else if !add_imm(b, Size::B64, d, base, disp.into()) {
            mov_imm(b, XADDR, disp.into());
            add_base(b, d, base, XADDR, 0);
        }
        return;
    };
    if disp == 0 {
        return add_base(b, d, base, index, scale.log2());
    }
    // base + disp first if that is one instruction, else the constant first; the index comes last either way.
    if !add_imm(b, Size::B64, XADDR, base, disp.into()) {
        mov_imm(b, XADDR, disp.into());
        add_base(b, XADDR, base, XADDR, 0);
    }
    add_base(b, d, XADDR, index, scale.log2());
}

/// `d = base + (index << shift)`, where a base of 31 is the stack pointer.
fn add_base(b: &mut CodeBuffer, d: Gpr, base: Gpr, index: Gpr, shift: u8) {
    let shift = u32::from(shift);
    if base == SP {
        dynasm!(b ; .arch aarch64 ; add XSP(d), XSP(base), X(index), UXTX shift);
    } else {
        dynasm!(b ; .arch aarch64 ; add X(d), X(base), X(index), LSL shift);
    }
}

macro_rules! access {
    ($b:ident, $mem:ident, $op:ident $unscaled:ident $family:ident($reg:expr) $log2:literal) => {
        match $mem {
            Mem::Scaled(base, disp) => dynasm!($b ; .arch aarch64 ; $op $family($reg), [XSP(base), disp]),
            Mem::Unscaled(base, disp) => dynasm!($b ; .arch aarch64 ; $unscaled $family($reg), [XSP(base), disp]),
            Mem::Indexed(base, index, false) => {
                dynasm!($b ; .arch aarch64 ; $op $family($reg), [XSP(base), X(index)])
            }
            Mem::Indexed(base, index, true) => {
                dynasm!($b ; .arch aarch64 ; $op $family($reg), [XSP(base), X(index), LSL #$log2])
            }
        }
    };
}

/// `d = [addr]`
pub(super) fn load(b: &mut CodeBuffer, kind: LoadKind, d: Gpr, addr: Addr) {
    match kind {
        LoadKind::U8 | LoadKind::S8To32 | LoadKind::S8To64 => {
            let m = mem(b, addr, 0);
            match kind {
                LoadKind::U8 => access!(b, m, ldrb ldurb W(d) 0),
                LoadKind::S8To32 => access!(b, m, ldrsb ldursb W(d) 0),
                _ => access!(b, m, ldrsb ldursb X(d) 0),
            }
        }
        LoadKind::U16 | LoadKind::S16To32 | LoadKind::S16To64 => {
            let m = mem(b, addr, 1);
            match kind {
                LoadKind::U16 => access!(b, m, ldrh ldurh W(d) 1),
                LoadKind::S16To32 => access!(b, m, ldrsh ldursh W(d) 1),
                _ => access!(b, m, ldrsh ldursh X(d) 1),
            }
        }
        LoadKind::U32 | LoadKind::S32To64 => {
            let m = mem(b, addr, 2);
            match kind {
                LoadKind::U32 => access!(b, m, ldr ldur W(d) 2),
                _ => access!(b, m, ldrsw ldursw X(d) 2),
            }
        }
        LoadKind::U64 => {
            let m = mem(b, addr, 3);
            access!(b, m, ldr ldur X(d) 3);
        }
    }
}

/// `[addr] = s`
pub(super) fn store(b: &mut CodeBuffer, size: Size, addr: Addr, s: Gpr) {
    match size {
        Size::B8 => {
            let m = mem(b, addr, 0);
            access!(b, m, strb sturb W(s) 0);
        }
        Size::B16 => {
            let m = mem(b, addr, 1);
            access!(b, m, strh sturh W(s) 1);
        }
        Size::B32 => {
            let m = mem(b, addr, 2);
            access!(b, m, str stur W(s) 2);
        }
        Size::B64 => {
            let m = mem(b, addr, 3);
            access!(b, m, str stur X(s) 3);
        }
    }
}

/// `d = [addr]`, a double.
pub(super) fn fload(b: &mut CodeBuffer, d: Fpr, addr: Addr) {
    let m = mem(b, addr, 3);
    access!(b, m, ldr ldur D(d) 3);
}

/// `[addr] = s`, a double.
pub(super) fn fstore(b: &mut CodeBuffer, addr: Addr, s: Fpr) {
    let m = mem(b, addr, 3);
    access!(b, m, str stur D(s) 3);
}

/// Extends the low bits of `n` as a load would.
pub(super) fn extend(b: &mut CodeBuffer, kind: LoadKind, d: Gpr, n: Gpr) {
    match kind {
        LoadKind::U8 => dynasm!(b ; .arch aarch64 ; uxtb W(d), W(n)),
        LoadKind::S8To32 => dynasm!(b ; .arch aarch64 ; sxtb W(d), W(n)),
        LoadKind::S8To64 => dynasm!(b ; .arch aarch64 ; sxtb X(d), W(n)),
        LoadKind::U16 => dynasm!(b ; .arch aarch64 ; uxth W(d), W(n)),
        LoadKind::S16To32 => dynasm!(b ; .arch aarch64 ; sxth W(d), W(n)),
        LoadKind::S16To64 => dynasm!(b ; .arch aarch64 ; sxth X(d), W(n)),
        LoadKind::U32 => mov(b, Size::B32, d, n),
        LoadKind::S32To64 => dynasm!(b ; .arch aarch64 ; sxtw X(d), W(n)),
        LoadKind::U64 => mov(b, Size::B64, d, n),
    }
}

/// `d = a - n * m`
pub(super) fn msub(b: &mut CodeBuffer, size: Size, d: Gpr, n: Gpr, m: Gpr, a: Gpr) {
    if size == Size::B64 {
        dynasm!(b ; .arch aarch64 ; msub X(d), X(n), X(m), X(a));
    } else {
        dynasm!(b ; .arch aarch64 ; msub W(d), W(n), W(m), W(a));
    }
}

/// `cset d, cond` in 64 bits.
pub(super) fn cset(b: &mut CodeBuffer, d: Gpr, cond: u8) {
    // csinc d, xzr, xzr, !cond
    b.put(&(0x9a9f_07e0 | u32::from(cond ^ 1) << 12 | u32::from(d.0)).to_le_bytes());
}

/// `csel d, n, m, cond` in 64 bits. Conditions are not operands that `dynasm!` takes at run time.
pub(super) fn csel(b: &mut CodeBuffer, d: Gpr, n: Gpr, m: Gpr, cond: u8) {
    let fields =
        u32::from(m.0) << 16 | u32::from(cond) << 12 | u32::from(n.0) << 5 | u32::from(d.0);
    b.put(&(0x9a80_0000 | fields).to_le_bytes());
}

const KIND_BCOND: u32 = 0x000; // | cc << 16
const KIND_CB: u32 = 0x100; // | register, | 1 << 16 for nonzero, | 2 << 16 for 64 bits
const KIND_TB: u32 = 0x200; // | register, | 1 << 16 for nonzero, | bit << 18
const KIND_B: u32 = 0x300;
const KIND_BL: u32 = 0x400;
const KIND_ADR: u32 = 0x500; // | register

/// `b.cond target`
pub(super) fn b_cond(b: &mut CodeBuffer, cond: u8, target: Target) {
    b.branch::<A64Forms>(BranchKind(KIND_BCOND | u32::from(cond) << 16), target);
}

/// `cbz` or `cbnz`
pub(super) fn cb(b: &mut CodeBuffer, nonzero: bool, size: Size, reg: Gpr, target: Target) {
    let wide = u32::from(size == Size::B64);
    b.branch::<A64Forms>(
        BranchKind(KIND_CB | u32::from(reg.0) | u32::from(nonzero) << 16 | wide << 17),
        target,
    );
}

/// `tbz` or `tbnz`
pub(super) fn tb(b: &mut CodeBuffer, nonzero: bool, reg: Gpr, bit: u32, target: Target) {
    b.branch::<A64Forms>(
        BranchKind(KIND_TB | u32::from(reg.0) | u32::from(nonzero) << 16 | bit << 18),
        target,
    );
}

/// `b target`
pub(super) fn b(b: &mut CodeBuffer, target: Target) {
    b.branch::<A64Forms>(BranchKind(KIND_B), target);
}

/// `bl target`
pub(super) fn bl(b: &mut CodeBuffer, target: Target) {
    b.branch::<A64Forms>(BranchKind(KIND_BL), target);
}

/// `adr d, target`
pub(super) fn adr(b: &mut CodeBuffer, d: Gpr, target: Target) {
    b.branch::<A64Forms>(BranchKind(KIND_ADR | u32::from(d.0)), target);
}

/// Branches of AArch64. Conditional ones that do not reach are inverted around a `b`; a far absolute target goes through
/// `XADDR`, always with four instructions for the address, so that sizes do not depend on it.
pub(super) struct A64Forms;

/// Whether `delta`, a multiple of four, fits a word offset of `bits` bits.
fn fits(delta: i64, bits: u32) -> bool {
    delta & 3 == 0 && delta >> (bits + 1) == delta >> 63
}

/// Bits of the word offset of the direct form.
fn direct_bits(kind: u32) -> u32 {
    match kind & 0xf00 {
        KIND_BCOND | KIND_CB => 19,
        KIND_TB => 14,
        _ => 26,
    }
}

/// The word of `b` over `delta` bytes, if it reaches.
pub(super) fn jump_word(delta: i64) -> Option<u32> {
    fits(delta, 26).then(|| b_word(delta))
}

fn b_word(delta: i64) -> u32 {
    0x1400_0000 | (delta >> 2) as u32 & 0x03ff_ffff
}

/// The instruction word of a conditional branch, with the condition inverted if `invert`.
fn cond_word(kind: u32, invert: bool, delta: i64) -> u32 {
    let invert = u32::from(invert);
    let offset = (delta >> 2) as u32;
    let reg = kind & 0x1f;
    let flag = (kind >> 16 & 1) ^ invert;
    match kind & 0xf00 {
        KIND_BCOND => 0x5400_0000 | (offset & 0x7_ffff) << 5 | (kind >> 16) ^ invert,
        KIND_CB => {
            0x3400_0000 | (kind >> 17 & 1) << 31 | flag << 24 | (offset & 0x7_ffff) << 5 | reg
        }
        _ => {
            let bit = kind >> 18;
            0x3600_0000
                | (bit >> 5) << 31
                | flag << 24
                | (bit & 31) << 19
                | (offset & 0x3fff) << 5
                | reg
        }
    }
}

impl BranchForms for A64Forms {
    fn forms(kind: BranchKind) -> u8 {
        if kind.0 & 0xf00 == KIND_ADR { 1 } else { 2 }
    }

    fn size(kind: BranchKind, form: u8, _at: u32) -> u32 {
        match (kind.0 & 0xf00, form) {
            (_, 0) => 4,
            (KIND_B | KIND_BL, _) => 20,
            _ => 8,
        }
    }

    fn reaches(kind: BranchKind, form: u8, reach: Reach) -> bool {
        let class = kind.0 & 0xf00;
        match (class, form) {
            (KIND_B | KIND_BL, 1) => reach.abs.is_some(),
            (KIND_ADR, _) => reach.delta.is_some_and(|delta| delta >> 20 == delta >> 63),
            (_, 0) => reach
                .delta
                .is_some_and(|delta| fits(delta, direct_bits(kind.0))),
            _ => reach.delta.is_some_and(|delta| fits(delta - 4, 26)),
        }
    }

    fn encode(kind: BranchKind, form: u8, reach: Reach, out: &mut Vec<u8>) {
        let delta = reach.delta.unwrap_or_default();
        let mut word = |word: u32| out.extend_from_slice(&word.to_le_bytes());
        match (kind.0 & 0xf00, form) {
            (KIND_B, 0) => word(b_word(delta)),
            (KIND_BL, 0) => word(b_word(delta) | 1 << 31),
            (KIND_B | KIND_BL, _) => {
                let abs = reach.abs.unwrap_or_default();
                let reg = u32::from(XADDR.0);
                for i in 0..4 {
                    let half = (abs >> (16 * i)) as u32 & 0xffff;
                    word(
                        if i == 0 { 0xd280_0000 } else { 0xf280_0000 } | i << 21 | half << 5 | reg,
                    );
                }
                word(
                    if kind.0 & 0xf00 == KIND_B {
                        0xd61f_0000
                    } else {
                        0xd63f_0000
                    } | reg << 5,
                );
            }
            (KIND_ADR, _) => {
                let offset = delta as u32;
                word(
                    0x1000_0000
                        | (offset & 3) << 29
                        | (offset >> 2 & 0x7_ffff) << 5
                        | kind.0 & 0x1f,
                );
            }
            (_, 0) => word(cond_word(kind.0, false, delta)),
            _ => {
                word(cond_word(kind.0, true, 8));
                word(b_word(delta - 4));
            }
        }
    }

    fn pad(bytes: u32, out: &mut Vec<u8>) {
        // Data may have left the position odd; the bytes before the first whole instruction are never executed.
        out.extend(std::iter::repeat_n(0, (bytes % 4) as usize));
        for _ in 0..bytes / 4 {
            out.extend_from_slice(&0xd503_201fu32.to_le_bytes());
        }
    }
}
