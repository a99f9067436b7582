//! Exact RISC-V instructions, and the choice of forms for constants and addresses.

use dynasmrt::{DynasmApi, dynasm};

use super::regs::{RA, XADDR, XTMP, ZERO};
use crate::buffer::{BranchForms, BranchKind, CodeBuffer, Reach, Target};
use crate::operand::{Addr, LoadKind, Size};
use crate::reg::{Fpr, Gpr};

/// Three registers.
macro_rules! three_registers {
    ($($name:ident)*) => {$(
        pub(super) fn $name(b: &mut CodeBuffer, d: Gpr, n: Gpr, m: Gpr) {
            dynasm!(b ; .arch riscv64i ; .feature imafd ; $name X(d), X(n), X(m));
        }
    )*};
}
three_registers!(add sub and or xor slt sltu sll srl sra sllw srlw sraw mul mulh mulhu div divu rem remu divw divuw remw remuw);

/// Two registers and a signed 12-bit constant.
macro_rules! register_imm {
    ($($name:ident)*) => {$(
        pub(super) fn $name(b: &mut CodeBuffer, d: Gpr, n: Gpr, imm: i32) {
            dynasm!(b ; .arch riscv64i ; .feature imafd ; $name X(d), X(n), imm);
        }
    )*};
}
register_imm!(addi addiw andi ori xori sltiu jalr);

/// Two registers and a shift count in range.
macro_rules! shift_imm {
    ($($name:ident)*) => {$(
        pub(super) fn $name(b: &mut CodeBuffer, d: Gpr, n: Gpr, count: u32) {
            dynasm!(b ; .arch riscv64i ; .feature imafd ; $name X(d), X(n), count);
        }
    )*};
}
shift_imm!(slli srli srai srliw sraiw);

/// Whether `imm` fits the 12 bits of an instruction.
pub(super) fn fits12(imm: i64) -> bool {
    (-2048..2048).contains(&imm)
}

/// `imm` as `high + low` where `low` fits 12 bits and `high` is a multiple of 4096.
fn split(imm: i64) -> (i64, i32) {
    let low = imm << 52 >> 52;
    (imm.wrapping_sub(low), low as i32)
}

/// `d = n`
pub(super) fn mv(b: &mut CodeBuffer, d: Gpr, n: Gpr) {
    addi(b, d, n, 0);
}

/// `d = imm`: 12 bits at a time from the top, runs of zeros in one shift.
pub(super) fn li(b: &mut CodeBuffer, d: Gpr, imm: i64) {
    if fits12(imm) {
        return addi(b, d, ZERO, imm as i32);
    }
    let (high, low) = split(imm);
    if i32::try_from(imm).is_ok() {
        // High may be 2^31, which lui makes negative; addiw wraps it back.
        dynasm!(b ; .arch riscv64i ; .feature imafd ; lui X(d), high as i32);
        if low != 0 {
            addiw(b, d, d, low);
        }
        return;
    }
    let zeros = high.trailing_zeros();
    // Arithmetic shift: the sign bits that it brings in fall out again on the way back.
    li(b, d, high >> zeros);
    slli(b, d, d, zeros);
    if low != 0 {
        addi(b, d, d, low);
    }
}

/// Base register and displacement for `addr`; what does not fit is computed in `XADDR` (and `XTMP`).
pub(super) fn mem(b: &mut CodeBuffer, addr: Addr) -> (Gpr, i32) {
    let Addr {
        mut base,
        index,
        disp,
    } = addr;
    if let Some((index, scale)) = index {
        let scaled = if scale.log2() == 0 {
            index
        } else {
            slli(b, XADDR, index, scale.log2().into());
            XADDR
        };
        add(b, XADDR, base, scaled);
        base = XADDR;
    }
    if fits12(disp.into()) {
        return (base, disp);
    }
    let (high, low) = split(disp.into());
    li(b, XTMP, high);
    add(b, XADDR, base, XTMP);
    (XADDR, low)
}

/// `d = [addr]`. Narrow forms that clear the upper half only are the caller's business: there is `S8To64`, no `S8To32`.
pub(super) fn load(b: &mut CodeBuffer, kind: LoadKind, d: Gpr, addr: Addr) {
    let (base, disp) = mem(b, addr);
    match kind {
        LoadKind::U8 => dynasm!(b ; .arch riscv64i ; .feature imafd ; lbu X(d), [X(base), disp]),
        LoadKind::S8To32 | LoadKind::S8To64 => {
            dynasm!(b ; .arch riscv64i ; .feature imafd ; lb X(d), [X(base), disp])
        }
        LoadKind::U16 => dynasm!(b ; .arch riscv64i ; .feature imafd ; lhu X(d), [X(base), disp]),
        LoadKind::S16To32 | LoadKind::S16To64 => {
            dynasm!(b ; .arch riscv64i ; .feature imafd ; lh X(d), [X(base), disp])
        }
        LoadKind::U32 => dynasm!(b ; .arch riscv64i ; .feature imafd ; lwu X(d), [X(base), disp]),
        LoadKind::S32To64 => {
            dynasm!(b ; .arch riscv64i ; .feature imafd ; lw X(d), [X(base), disp])
        }
        LoadKind::U64 => dynasm!(b ; .arch riscv64i ; .feature imafd ; ld X(d), [X(base), disp]),
    }
    if matches!(kind, LoadKind::S8To32 | LoadKind::S16To32) {
        zext(b, Size::B32, d, d);
    }
}

/// `[addr] = s`
pub(super) fn store(b: &mut CodeBuffer, size: Size, addr: Addr, s: Gpr) {
    let (base, disp) = mem(b, addr);
    match size {
        Size::B8 => dynasm!(b ; .arch riscv64i ; .feature imafd ; sb X(s), [X(base), disp]),
        Size::B16 => dynasm!(b ; .arch riscv64i ; .feature imafd ; sh X(s), [X(base), disp]),
        Size::B32 => dynasm!(b ; .arch riscv64i ; .feature imafd ; sw X(s), [X(base), disp]),
        Size::B64 => dynasm!(b ; .arch riscv64i ; .feature imafd ; sd X(s), [X(base), disp]),
    }
}

/// `d = [addr]`, a double.
pub(super) fn fload(b: &mut CodeBuffer, d: Fpr, addr: Addr) {
    let (base, disp) = mem(b, addr);
    dynasm!(b ; .arch riscv64i ; .feature imafd ; fld F(d), [X(base), disp]);
}

/// `[addr] = s`, a double.
pub(super) fn fstore(b: &mut CodeBuffer, addr: Addr, s: Fpr) {
    let (base, disp) = mem(b, addr);
    dynasm!(b ; .arch riscv64i ; .feature imafd ; fsd F(s), [X(base), disp]);
}

/// `d =` the low `size` bits of `n`, zero-extended.
pub(super) fn zext(b: &mut CodeBuffer, size: Size, d: Gpr, n: Gpr) {
    match size {
        Size::B8 => andi(b, d, n, 255),
        Size::B16 | Size::B32 => {
            slli(b, d, n, 64 - size.bits());
            srli(b, d, d, 64 - size.bits());
        }
        Size::B64 => {
            if d != n {
                mv(b, d, n);
            }
        }
    }
}

/// `d =` the low `size` bits of `n`, sign-extended.
pub(super) fn sext(b: &mut CodeBuffer, size: Size, d: Gpr, n: Gpr) {
    match size {
        Size::B8 | Size::B16 => {
            slli(b, d, n, 64 - size.bits());
            srai(b, d, d, 64 - size.bits());
        }
        Size::B32 => addiw(b, d, n, 0),
        Size::B64 => {
            if d != n {
                mv(b, d, n);
            }
        }
    }
}

/// The comparisons that branches have, by their function field; flipping bit 0 negates.
pub(super) mod cmp {
    pub const EQ: u32 = 0;
    pub const NE: u32 = 1;
    pub const LT: u32 = 4;
    pub const GE: u32 = 5;
    pub const LTU: u32 = 6;
    pub const GEU: u32 = 7;
}

const KIND_COND: u32 = 0; // | cmp << 8 | rs1 << 16 | rs2 << 24
const KIND_JUMP: u32 = 1;
const KIND_CALL: u32 = 2;
const KIND_ADDR: u32 = 3; // | register << 8
const KIND_JUMP_NEAR: u32 = 4;

/// A conditional branch.
pub(super) fn branch(b: &mut CodeBuffer, cmp: u32, n: Gpr, m: Gpr, target: Target) {
    let kind = KIND_COND | cmp << 8 | u32::from(n.0) << 16 | u32::from(m.0) << 24;
    b.branch::<Rv64Forms>(BranchKind(kind), target);
}

/// A jump.
pub(super) fn jump(b: &mut CodeBuffer, target: Target) {
    b.branch::<Rv64Forms>(BranchKind(KIND_JUMP), target);
}

/// A jump in one instruction.
pub(super) fn jump_near(b: &mut CodeBuffer, target: Target) {
    b.branch::<Rv64Forms>(BranchKind(KIND_JUMP_NEAR), target);
}

/// The word of `jal zero` over `delta` bytes, if it reaches.
pub(super) fn jump_word(delta: i64) -> Option<u32> {
    fits(delta, 21).then(|| jal(0, delta))
}

/// A call.
pub(super) fn call(b: &mut CodeBuffer, target: Target) {
    b.branch::<Rv64Forms>(BranchKind(KIND_CALL), target);
}

/// `d =` the address of `target`.
pub(super) fn address_of(b: &mut CodeBuffer, d: Gpr, target: Target) {
    b.branch::<Rv64Forms>(BranchKind(KIND_ADDR | u32::from(d.0) << 8), target);
}

/// Branches of RISC-V: B-type (4 KiB), inverted around `jal` (1 MiB), around `auipc; jalr` (2 GiB). Absolute targets
/// beyond that: eight instructions whatever the value, `jalr` the last.
pub(super) struct Rv64Forms;

const FAR_BYTES: u32 = 32;

fn fits(delta: i64, bits: u32) -> bool {
    delta & 1 == 0 && delta >> (bits - 1) == delta >> 63
}

/// Whether `auipc` and a 12-bit displacement reach.
fn fits_pair(delta: i64) -> bool {
    i32::try_from(delta).is_ok() && i32::try_from(delta + 0x800).is_ok()
}

fn b_type(cmp: u32, n: u32, m: u32, delta: i64) -> u32 {
    let d = delta as u32;
    let offset =
        (d >> 12 & 1) << 31 | (d >> 5 & 0x3f) << 25 | (d >> 1 & 0xf) << 8 | (d >> 11 & 1) << 7;
    0x63 | cmp << 12 | n << 15 | m << 20 | offset
}

fn jal(rd: u32, delta: i64) -> u32 {
    let d = delta as u32;
    let offset =
        (d >> 20 & 1) << 31 | (d >> 1 & 0x3ff) << 21 | (d >> 11 & 1) << 20 | (d >> 12 & 0xff) << 12;
    0x6f | rd << 7 | offset
}

/// `auipc reg` and what has to be added by the next instruction.
fn auipc(reg: u32, delta: i64) -> (u32, i32) {
    let (high, low) = split(delta);
    (0x17 | reg << 7 | high as u32, low)
}

fn i_type(opcode: u32, funct: u32, rd: u32, n: u32, imm: i32) -> u32 {
    opcode | rd << 7 | funct << 12 | n << 15 | (imm as u32) << 20
}

impl BranchForms for Rv64Forms {
    fn forms(kind: BranchKind) -> u8 {
        if matches!(kind.0 & 0xff, KIND_ADDR | KIND_JUMP_NEAR) {
            1
        } else {
            3
        }
    }

    fn size(kind: BranchKind, form: u8, _at: u32) -> u32 {
        match (kind.0 & 0xff, form) {
            (KIND_ADDR, _) => 8,
            (KIND_COND, 2) => 12,
            (KIND_JUMP | KIND_CALL, 2) => FAR_BYTES,
            (_, form) => 4 + 4 * u32::from(form),
        }
    }

    fn reaches(kind: BranchKind, form: u8, reach: Reach) -> bool {
        if form == 2 && kind.0 & 0xff != KIND_COND {
            return reach.abs.is_some();
        }
        let Some(delta) = reach.delta else {
            return false;
        };
        match (kind.0 & 0xff, form) {
            (KIND_COND, 0) => fits(delta, 13),
            (KIND_COND, 1) => fits(delta - 4, 21),
            (KIND_COND, _) => fits_pair(delta - 4),
            (KIND_JUMP | KIND_CALL | KIND_JUMP_NEAR, 0) => fits(delta, 21),
            _ => fits_pair(delta),
        }
    }

    fn encode(kind: BranchKind, form: u8, reach: Reach, out: &mut Vec<u8>) {
        let delta = reach.delta.unwrap_or_default();
        let mut word = |word: u32| out.extend_from_slice(&word.to_le_bytes());
        let (cmp, n, m) = (kind.0 >> 8 & 7, kind.0 >> 16 & 31, kind.0 >> 24);
        let through = u32::from(XADDR.0);
        let class = kind.0 & 0xff;
        let link = if class == KIND_CALL {
            u32::from(RA.0)
        } else {
            0
        };
        match (class, form) {
            (KIND_COND, 0) => word(b_type(cmp, n, m, delta)),
            (KIND_COND, 1) => {
                word(b_type(cmp ^ 1, n, m, 8));
                word(jal(0, delta - 4));
            }
            (KIND_COND, _) => {
                let (first, low) = auipc(through, delta - 4);
                word(b_type(cmp ^ 1, n, m, 12));
                word(first);
                word(i_type(0x67, 0, 0, through, low));
            }
            (KIND_JUMP | KIND_CALL | KIND_JUMP_NEAR, 0) => word(jal(link, delta)),
            (KIND_JUMP | KIND_CALL, 1) => {
                let (first, low) = auipc(through, delta);
                word(first);
                word(i_type(0x67, 0, link, through, low));
            }
            (KIND_ADDR, _) => {
                let reg = kind.0 >> 8 & 31;
                let (first, low) = auipc(reg, delta);
                word(first);
                word(i_type(0x13, 0, reg, reg, low));
            }
            _ => far(reach.abs.unwrap_or_default(), link, through, out),
        }
    }

    fn pad(bytes: u32, out: &mut Vec<u8>) {
        // Data may have left the position odd; the bytes before the first whole instruction are never executed.
        out.extend(std::iter::repeat_n(0, (bytes % 4) as usize));
        for _ in 0..bytes / 4 {
            out.extend_from_slice(&0x13u32.to_le_bytes());
        }
    }
}

/// `jalr link, address` with the address built 12 bits at a time, in a fixed number of instructions.
fn far(address: u64, link: u32, through: u32, out: &mut Vec<u8>) {
    let mut word = |word: u32| out.extend_from_slice(&word.to_le_bytes());
    let mut rest = address as i64;
    let mut lows = [0; 4];
    for low in &mut lows {
        let (high, this) = split(rest);
        *low = this;
        rest = high >> 12;
    }
    // lows[0] belongs to jalr; what is left over, 64 - 4 * 12 bits, goes into lui.
    word(0x37 | through << 7 | (rest as u32) << 12);
    for (i, low) in lows.iter().enumerate().rev() {
        let last = i == 0;
        if i == 3 {
            // lui has put the upper part 12 bits too high already, which is where it belongs before lows[3].
            word(i_type(0x1b, 0, through, through, *low));
            continue;
        }
        word(i_type(0x13, 1, through, through, 12));
        if last {
            word(i_type(0x67, 0, link, through, *low));
        } else {
            word(i_type(0x13, 0, through, through, *low));
        }
    }
}
