//! Exact x86-64 instructions in their shortest encodings.
//!
//! Why not `dynasm!` here: with registers that are known only at run time it always emits a REX prefix and a displacement
//! byte, gives four bytes to every displacement and immediate whose size is not stated, and has no form for rsp or r12
//! as a dynamic base. Code size matters to the interpreter, so the ModRM forms are chosen here; sequences with fixed
//! registers (`abi`) use `dynasm!`.

use super::regs::{RBP, RSP};
use crate::buffer::{BranchForms, BranchKind, CodeBuffer, Reach, Target};
use crate::error::AsmError;
use crate::label::Label;
use crate::operand::{Addr, Scale, Size};
use crate::reg::{Fpr, Gpr};

/// Condition codes of jcc, setcc and cmovcc.
pub(super) mod cc {
    pub const O: u8 = 0x0;
    pub const NO: u8 = 0x1;
    pub const B: u8 = 0x2;
    pub const AE: u8 = 0x3;
    pub const E: u8 = 0x4;
    pub const NE: u8 = 0x5;
    pub const BE: u8 = 0x6;
    pub const A: u8 = 0x7;
    pub const S: u8 = 0x8;
    pub const NS: u8 = 0x9;
    pub const P: u8 = 0xa;
    pub const NP: u8 = 0xb;
    pub const L: u8 = 0xc;
    pub const GE: u8 = 0xd;
    pub const LE: u8 = 0xe;
    pub const G: u8 = 0xf;
}

/// The operand of the r/m field.
#[derive(Clone, Copy, Debug)]
pub(super) enum Rm {
    Reg(u8),
    Mem(Addr),
    /// Memory at a label, relative to the program counter; for instructions without immediate only.
    At(Label),
}

impl From<Label> for Rm {
    fn from(label: Label) -> Rm {
        Rm::At(label)
    }
}

impl From<Gpr> for Rm {
    fn from(r: Gpr) -> Rm {
        Rm::Reg(r.0)
    }
}

impl From<Fpr> for Rm {
    fn from(r: Fpr) -> Rm {
        Rm::Reg(r.0)
    }
}

impl From<Addr> for Rm {
    fn from(a: Addr) -> Rm {
        Rm::Mem(a)
    }
}

/// Prefixes and opcode of an instruction with a ModRM byte.
#[derive(Clone, Copy)]
pub(super) struct Op {
    /// Mandatory or size prefix, 0 for none.
    prefix: u8,
    rex_w: bool,
    /// The reg field (r/m field) names a byte register, so 4..7 need a REX prefix.
    reg8: bool,
    rm8: bool,
    /// Up to three opcode bytes, the last in the low byte.
    code: u32,
}

impl Op {
    pub const fn new(code: u32) -> Op {
        Op {
            prefix: 0,
            rex_w: false,
            reg8: false,
            rm8: false,
            code,
        }
    }

    pub const fn prefixed(prefix: u8, code: u32) -> Op {
        Op {
            prefix,
            ..Op::new(code)
        }
    }

    pub const fn w(self) -> Op {
        Op {
            rex_w: true,
            ..self
        }
    }

    pub const fn reg8(self) -> Op {
        Op { reg8: true, ..self }
    }

    pub const fn rm8(self) -> Op {
        Op { rm8: true, ..self }
    }

    /// The usual scheme: `code` is the form for 16, 32 and 64 bits, `code - 1` the one for 8 bits.
    pub const fn sized(size: Size, code: u32) -> Op {
        match size {
            Size::B8 => Op::new(code - 1).reg8().rm8(),
            Size::B16 => Op::prefixed(0x66, code),
            Size::B32 => Op::new(code),
            Size::B64 => Op::new(code).w(),
        }
    }
}

/// Emits `op` with the register `reg` and the operand `rm`.
pub(super) fn op_rm(b: &mut CodeBuffer, op: Op, reg: u8, rm: Rm) {
    if op.prefix != 0 {
        b.put1(op.prefix);
    }
    let rm = match rm {
        Rm::Mem(addr) => Rm::Mem(canonical(b, addr)),
        reg => reg,
    };
    let (rex_x, rex_b) = match rm {
        Rm::Reg(r) => (0, r >> 3),
        Rm::Mem(a) => (a.index.map_or(0, |(i, _)| i.0 >> 3), a.base.0 >> 3),
        Rm::At(_) => (0, 0),
    };
    let byte_reg = (op.reg8 && (4..8).contains(&reg)) || (op.rm8 && matches!(rm, Rm::Reg(4..8)));
    let rex = u8::from(op.rex_w) << 3 | (reg >> 3) << 2 | rex_x << 1 | rex_b;
    if rex != 0 || byte_reg {
        b.put1(0x40 | rex);
    }
    if op.code > 0xffff {
        b.put1((op.code >> 16) as u8);
    }
    if op.code > 0xff {
        b.put1((op.code >> 8) as u8);
    }
    b.put1(op.code as u8);
    let reg = (reg & 7) << 3;
    match rm {
        Rm::Reg(r) => b.put1(0xc0 | reg | r & 7),
        Rm::Mem(a) => modrm_mem(b, reg, a),
        Rm::At(label) => {
            b.put1(reg | 5);
            b.branch::<X64Forms>(BranchKind(KIND_DISP), Target::Label(label));
        }
    }
}

/// Emits `op` with the opcode extension `number` and the operand `rm`.
pub(super) fn op_ext(b: &mut CodeBuffer, op: Op, number: u8, rm: Rm) {
    op_rm(b, Op { reg8: false, ..op }, number, rm);
}

/// An equal address that encodes shorter, where base and index may be exchanged.
fn canonical(b: &mut CodeBuffer, addr: Addr) -> Addr {
    let Some((index, scale)) = addr.index else {
        return addr;
    };
    // rsp has no encoding as index; rbp and r13 as base cost a displacement byte.
    let swap = index == RSP || (addr.disp == 0 && addr.base.0 & 7 == RBP.0 && index.0 & 7 != RBP.0);
    if swap && scale == Scale::S1 && addr.base != RSP {
        return Addr {
            base: index,
            index: Some((addr.base, scale)),
            disp: addr.disp,
        };
    }
    if index == RSP {
        b.latch(AsmError::Unsupported("stack pointer as index"));
    }
    addr
}

fn modrm_mem(b: &mut CodeBuffer, reg: u8, addr: Addr) {
    let base = addr.base.0 & 7;
    let mode = if addr.disp == 0 && base != RBP.0 {
        0x00
    } else if i8::try_from(addr.disp).is_ok() {
        0x40
    } else {
        0x80
    };
    match addr.index {
        None if base == RSP.0 => b.put(&[mode | reg | 4, 0x24]),
        None => b.put1(mode | reg | base),
        Some((index, scale)) => b.put(&[
            mode | reg | 4,
            scale.log2() << 6 | (index.0 & 7) << 3 | base,
        ]),
    }
    match mode {
        0x40 => b.put1(addr.disp as u8),
        0x80 => b.put(&addr.disp.to_le_bytes()),
        _ => {}
    }
}

/// Appends an immediate of an instruction of `size`: 1, 2 or 4 bytes.
pub(super) fn put_imm(b: &mut CodeBuffer, size: Size, imm: i32) {
    match size {
        Size::B8 => b.put1(imm as u8),
        Size::B16 => b.put(&(imm as i16).to_le_bytes()),
        Size::B32 | Size::B64 => b.put(&imm.to_le_bytes()),
    }
}

/// The arithmetic group by its number in the opcode.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Arith {
    Add = 0,
    Or = 1,
    And = 4,
    Sub = 5,
    Xor = 6,
    Cmp = 7,
}

/// `reg op= rm`
pub(super) fn arith_rm(b: &mut CodeBuffer, op: Arith, size: Size, reg: Gpr, rm: Rm) {
    op_rm(b, Op::sized(size, 0x03 | (op as u32) << 3), reg.0, rm);
}

/// `rm op= reg`
pub(super) fn arith_mr(b: &mut CodeBuffer, op: Arith, size: Size, rm: Rm, reg: Gpr) {
    op_rm(b, Op::sized(size, 0x01 | (op as u32) << 3), reg.0, rm);
}

/// `rm op= imm`; `imm` is in the canonical (sign-extended) form of `size`.
pub(super) fn arith_imm(b: &mut CodeBuffer, op: Arith, size: Size, rm: Rm, imm: i32) {
    let number = op as u8;
    let is_rax = matches!(rm, Rm::Reg(0));
    if size != Size::B8 && i8::try_from(imm).is_ok() {
        op_rm(
            b,
            Op {
                code: 0x83,
                ..Op::sized(size, 0x81)
            },
            number,
            rm,
        );
        b.put1(imm as u8);
    } else if is_rax {
        accumulator(b, size, 0x05 | u32::from(number) << 3);
        put_imm(b, size, imm);
    } else {
        op_ext(b, Op::sized(size, 0x81), number, rm);
        put_imm(b, size, imm);
    }
}

/// An instruction on al, ax, eax or rax without ModRM byte.
fn accumulator(b: &mut CodeBuffer, size: Size, code: u32) {
    match size {
        Size::B8 => b.put1(code as u8 - 1),
        Size::B16 => b.put(&[0x66, code as u8]),
        Size::B32 => b.put1(code as u8),
        Size::B64 => b.put(&[0x48, code as u8]),
    }
}

/// `test rm, reg`
pub(super) fn test_rm(b: &mut CodeBuffer, size: Size, rm: Rm, reg: Gpr) {
    op_rm(b, Op::sized(size, 0x85), reg.0, rm);
}

/// `test rm, imm`
pub(super) fn test_imm(b: &mut CodeBuffer, size: Size, rm: Rm, imm: i32) {
    if matches!(rm, Rm::Reg(0)) {
        accumulator(b, size, 0xa9);
    } else {
        op_ext(b, Op::sized(size, 0xf7), 0, rm);
    }
    put_imm(b, size, imm);
}

/// `mov dst, src`, 32 or 64 bits.
pub(super) fn mov_rr(b: &mut CodeBuffer, size: Size, dst: Gpr, src: Gpr) {
    op_rm(b, Op::sized(size, 0x89), src.0, dst.into());
}

/// `mov dst, imm` in the shortest form.
pub(super) fn mov_ri(b: &mut CodeBuffer, dst: Gpr, imm: i64) {
    if imm == 0 {
        arith_mr(b, Arith::Xor, Size::B32, dst.into(), dst);
    } else if let Ok(imm) = u32::try_from(imm) {
        short_reg(b, false, 0xb8, dst);
        b.put(&imm.to_le_bytes());
    } else if let Ok(imm) = i32::try_from(imm) {
        op_ext(b, Op::new(0xc7).w(), 0, dst.into());
        b.put(&imm.to_le_bytes());
    } else {
        short_reg(b, true, 0xb8, dst);
        b.put(&imm.to_le_bytes());
    }
}

/// An instruction with the register in the opcode byte.
fn short_reg(b: &mut CodeBuffer, w: bool, code: u8, reg: Gpr) {
    let rex = u8::from(w) << 3 | reg.0 >> 3;
    if rex != 0 {
        b.put1(0x40 | rex);
    }
    b.put1(code | reg.0 & 7);
}

/// `setcc dst8`
pub(super) fn setcc(b: &mut CodeBuffer, cond: u8, dst: Gpr) {
    op_rm(b, Op::new(0x0f90 | u32::from(cond)).rm8(), 0, dst.into());
}

/// `movzx dst32, src8`
pub(super) fn movzx8(b: &mut CodeBuffer, dst: Gpr, src: Rm) {
    op_rm(b, Op::new(0x0fb6).rm8(), dst.0, src);
}

/// `cmovcc dst, src`, 64 bits.
pub(super) fn cmov(b: &mut CodeBuffer, cond: u8, dst: Gpr, src: Gpr) {
    op_rm(b, Op::new(0x0f40 | u32::from(cond)).w(), dst.0, src.into());
}

/// Scalar double and packed operations by prefix and opcode.
pub(super) mod sse {
    use super::Op;

    pub const MOVSD_LOAD: Op = Op::prefixed(0xf2, 0x0f10);
    pub const MOVSD_STORE: Op = Op::prefixed(0xf2, 0x0f11);
    pub const MOVAPS: Op = Op::new(0x0f28);
    pub const XORPS: Op = Op::new(0x0f57);
    pub const ANDPS: Op = Op::new(0x0f54);
    pub const ADDSD: Op = Op::prefixed(0xf2, 0x0f58);
    pub const MULSD: Op = Op::prefixed(0xf2, 0x0f59);
    pub const SUBSD: Op = Op::prefixed(0xf2, 0x0f5c);
    pub const DIVSD: Op = Op::prefixed(0xf2, 0x0f5e);
    pub const MINSD: Op = Op::prefixed(0xf2, 0x0f5d);
    pub const MAXSD: Op = Op::prefixed(0xf2, 0x0f5f);
    pub const SQRTSD: Op = Op::prefixed(0xf2, 0x0f51);
    pub const UCOMISD: Op = Op::prefixed(0x66, 0x0f2e);
    pub const CVTSI2SD: Op = Op::prefixed(0xf2, 0x0f2a);
    pub const CVTTSD2SI: Op = Op::prefixed(0xf2, 0x0f2c).w();
    pub const MOVQ_FROM_GPR: Op = Op::prefixed(0x66, 0x0f6e).w();
    pub const MOVQ_TO_GPR: Op = Op::prefixed(0x66, 0x0f7e).w();
    pub const PCMPEQD: Op = Op::prefixed(0x66, 0x0f76);
    pub const SHIFT_IMM_Q: Op = Op::prefixed(0x66, 0x0f73);
    pub const ROUNDSD: Op = Op::prefixed(0x66, 0x0f3a0b);
}

/// Branch kinds: what the low byte of a `BranchKind` says.
const KIND_JCC: u32 = 0x000; // | cc
const KIND_JMP: u32 = 0x100;
const KIND_CALL: u32 = 0x200;
const KIND_LEA: u32 = 0x300; // | register
const KIND_JMP_PATCHABLE: u32 = 0x400;
/// The displacement that ends an instruction with an operand relative to the program counter.
const KIND_DISP: u32 = 0x500;

/// `jcc target`
pub(super) fn jcc(b: &mut CodeBuffer, cond: u8, target: Target) {
    b.branch::<X64Forms>(BranchKind(KIND_JCC | u32::from(cond)), target);
}

/// `jmp target` with a displacement of four bytes at a multiple of four.
pub(super) fn jmp_patchable(b: &mut CodeBuffer, target: Target) {
    b.require_align(4);
    b.branch::<X64Forms>(BranchKind(KIND_JMP_PATCHABLE), target);
}

/// `jmp target`
pub(super) fn jmp(b: &mut CodeBuffer, target: Target) {
    b.branch::<X64Forms>(BranchKind(KIND_JMP), target);
}

/// `call target`
pub(super) fn call(b: &mut CodeBuffer, target: Target) {
    b.branch::<X64Forms>(BranchKind(KIND_CALL), target);
}

/// `lea dst, [rip + target]`
pub(super) fn lea_label(b: &mut CodeBuffer, dst: Gpr, target: Target) {
    b.branch::<X64Forms>(BranchKind(KIND_LEA | u32::from(dst.0)), target);
}

/// Branches of x86-64: rel8, rel32, and for absolute targets a jump or call through r11.
pub(super) struct X64Forms;

/// `movabs r11, imm64`, then `jmp r11` or `call r11`.
const FAR_BYTES: u32 = 13;

impl BranchForms for X64Forms {
    fn forms(kind: BranchKind) -> u8 {
        match kind.0 & 0xf00 {
            KIND_JCC => 2,
            KIND_JMP => 3,
            KIND_CALL => 2,
            _ => 1,
        }
    }

    fn size(kind: BranchKind, form: u8, at: u32) -> u32 {
        match (kind.0 & 0xf00, form) {
            // Padding before the opcode puts the displacement behind it at a multiple of four.
            (KIND_JMP_PATCHABLE, _) => (3u32.wrapping_sub(at) & 3) + 5,
            (KIND_JCC, 0) => 2,
            (KIND_JCC, _) => 6,
            (KIND_JMP, 0) => 2,
            (KIND_JMP, 1) => 5,
            (KIND_CALL, 0) => 5,
            (KIND_JMP | KIND_CALL, _) => FAR_BYTES,
            (KIND_DISP, _) => 4,
            _ => 7,
        }
    }

    fn reaches(kind: BranchKind, form: u8, reach: Reach) -> bool {
        let Some(delta) = reach.delta else {
            return far(kind, form);
        };
        let after = delta - i64::from(Self::size(kind, form, 0));
        match (kind.0 & 0xf00, form) {
            (KIND_JCC | KIND_JMP, 0) => i8::try_from(after).is_ok(),
            _ => (far(kind, form) && reach.abs.is_some()) || i32::try_from(after).is_ok(),
        }
    }

    fn encode(kind: BranchKind, form: u8, reach: Reach, out: &mut Vec<u8>) {
        if let (true, Some(abs)) = (far(kind, form), reach.abs) {
            out.extend_from_slice(&[0x49, 0xbb]);
            out.extend_from_slice(&abs.to_le_bytes());
            out.extend_from_slice(&[
                0x41,
                0xff,
                if kind.0 & 0xf00 == KIND_JMP {
                    0xe3
                } else {
                    0xd3
                },
            ]);
            return;
        }
        let size = Self::size(kind, form, out.len() as u32);
        let after = reach.delta.unwrap_or_default() - i64::from(size);
        let low = kind.0 as u8;
        match (kind.0 & 0xf00, form) {
            (KIND_JCC, 0) => return out.extend_from_slice(&[0x70 | low, after as u8]),
            (KIND_JMP, 0) => return out.extend_from_slice(&[0xeb, after as u8]),
            (KIND_JCC, _) => out.extend_from_slice(&[0x0f, 0x80 | low]),
            (KIND_JMP, _) => out.push(0xe9),
            (KIND_CALL, _) => out.push(0xe8),
            (KIND_JMP_PATCHABLE, _) => {
                Self::pad(size - 5, out);
                out.push(0xe9);
            }
            (KIND_DISP, _) => {}
            _ => out.extend_from_slice(&[0x48 | (low >> 3) << 2, 0x8d, (low & 7) << 3 | 5]),
        }
        out.extend_from_slice(&(after as i32).to_le_bytes());
    }

    fn pad(bytes: u32, out: &mut Vec<u8>) {
        const NOPS: [&[u8]; 9] = [
            &[0x90],
            &[0x66, 0x90],
            &[0x0f, 0x1f, 0x00],
            &[0x0f, 0x1f, 0x40, 0x00],
            &[0x0f, 0x1f, 0x44, 0x00, 0x00],
            &[0x66, 0x0f, 0x1f, 0x44, 0x00, 0x00],
            &[0x0f, 0x1f, 0x80, 0x00, 0x00, 0x00, 0x00],
            &[0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00],
            &[0x66, 0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00],
        ];
        let mut left = bytes as usize;
        while left > 0 {
            let n = left.min(NOPS.len());
            out.extend_from_slice(NOPS[n - 1]);
            left -= n;
        }
    }
}

/// Whether the form goes through r11 when the target is absolute.
fn far(kind: BranchKind, form: u8) -> bool {
    matches!((kind.0 & 0xf00, form), (KIND_JMP, 2) | (KIND_CALL, 1))
}
