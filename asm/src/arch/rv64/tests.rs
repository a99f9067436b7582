//! Encodings of every method of the portable trait, with edge constants and addresses.

use super::Rv64Masm;
use super::regs::*;
use crate::golden::Golden;
use crate::masm::Masm;
use crate::operand::*;
use crate::reg::{Fpr, Gpr, d};
use crate::{AsmError, Label};

// Registers of the tests by their names: a0..a7 are x10..x17.
const A0: Gpr = x(10);
const A1: Gpr = x(11);
const A2: Gpr = x(12);
const A3: Gpr = x(13);
const SIZES: [Size; 4] = [Size::B8, Size::B16, Size::B32, Size::B64];
const REG_SIZES: [Size; 2] = [Size::B32, Size::B64];

fn golden(file: &'static str) -> Golden {
    Golden::new(file, &["-triple=riscv64", "-mattr=+m,+a,+f,+d,-relax"], "")
}

fn emit(body: impl FnOnce(&mut Rv64Masm)) -> Vec<u8> {
    let mut m = Rv64Masm::new();
    body(&mut m);
    m.finalize().expect("the code is complete").bytes
}

/// With a label bound behind the code; `9f` in the text.
fn emit_to(body: impl FnOnce(&mut Rv64Masm, Label)) -> Vec<u8> {
    emit(|m| {
        let end = m.new_label();
        body(m, end);
        m.bind(end);
    })
}

/// Sign extension of `from` into `to`.
fn sext(size: Size, to: &str, from: &str) -> String {
    match size {
        Size::B8 => format!("slli {to}, {from}, 56; srai {to}, {to}, 56"),
        Size::B16 => format!("slli {to}, {from}, 48; srai {to}, {to}, 48"),
        Size::B32 => format!("addiw {to}, {from}, 0"),
        Size::B64 => String::new(),
    }
}

/// Zero extension of `from` into `to`.
fn zext(size: Size, to: &str, from: &str) -> String {
    match size {
        Size::B8 => format!("andi {to}, {from}, 255"),
        Size::B16 => format!("slli {to}, {from}, 48; srli {to}, {to}, 48"),
        Size::B32 => format!("slli {to}, {from}, 32; srli {to}, {to}, 32"),
        Size::B64 => String::new(),
    }
}

fn join(parts: &[&str]) -> String {
    parts
        .iter()
        .filter(|part| !part.is_empty())
        .copied()
        .collect::<Vec<_>>()
        .join("; ")
}

#[test]
fn constants_and_moves() {
    let mut g = golden("rv64_mov");
    let constants: &[(i64, &str)] = &[
        (0, "addi a0, zero, 0"),
        (1, "addi a0, zero, 1"),
        (-1, "addi a0, zero, -1"),
        (127, "addi a0, zero, 127"),
        (128, "addi a0, zero, 128"),
        (-128, "addi a0, zero, -128"),
        (-129, "addi a0, zero, -129"),
        (2047, "addi a0, zero, 2047"),
        (2048, "lui a0, 1; addiw a0, a0, -2048"),
        (-2048, "addi a0, zero, -2048"),
        (-2049, "lui a0, 0xfffff; addiw a0, a0, 2047"),
        (4096, "lui a0, 1"),
        (0x1234_5678, "lui a0, 0x12345; addiw a0, a0, 0x678"),
        (0x7fff_ffff, "lui a0, 0x80000; addiw a0, a0, -1"),
        (-0x8000_0000, "lui a0, 0x80000"),
        (0x8000_0000, "addi a0, zero, 1; slli a0, a0, 31"),
        (
            0xffff_ffff,
            "addi a0, zero, 1; slli a0, a0, 32; addi a0, a0, -1",
        ),
        (1 << 32, "addi a0, zero, 1; slli a0, a0, 32"),
        (
            i64::MAX,
            "addi a0, zero, -1; slli a0, a0, 63; addi a0, a0, -1",
        ),
        (i64::MIN, "addi a0, zero, -1; slli a0, a0, 63"),
        (
            0x1234_5678_9abc_def0,
            "lui a0, 0x247; addiw a0, a0, -1875; slli a0, a0, 14; addi a0, a0, -947; slli a0, a0, 12; addi a0, a0, 1511; slli a0, a0, 13; addi a0, a0, -272",
        ),
    ];
    for &(imm, text) in constants {
        // The value that the text builds, as a check of the text itself.
        assert_eq!(run(text), imm, "{text}");
        g.case(text, emit(|m| m.mov_imm(d(A0), imm)));
    }
    g.case("addi a0, a1, 0", emit(|m| m.mov(d(A0), A1)));
    g.case("", emit(|m| m.mov(d(A0), A0)));
    g.case(
        "auipc a0, 0; addi a0, a0, 8",
        emit_to(|m, l| m.label_addr(d(A0), l)),
    );
    g.case(
        "auipc t5, 0; addi t5, t5, 12; fld fa4, 0(t5)",
        emit_to(|m, l| m.fload_label(d(Fpr(14)), l)),
    );
    let kinds = [
        (LoadKind::U8, zext(Size::B8, "a0", "a1")),
        (LoadKind::U16, zext(Size::B16, "a0", "a1")),
        (LoadKind::U32, zext(Size::B32, "a0", "a1")),
        (LoadKind::S8To64, sext(Size::B8, "a0", "a1")),
        (LoadKind::S16To64, sext(Size::B16, "a0", "a1")),
        (LoadKind::S32To64, sext(Size::B32, "a0", "a1")),
        (LoadKind::U64, "addi a0, a1, 0".to_owned()),
        (
            LoadKind::S8To32,
            "slli a0, a1, 56; srai a0, a0, 24; srli a0, a0, 32".to_owned(),
        ),
        (
            LoadKind::S16To32,
            "slli a0, a1, 48; srai a0, a0, 16; srli a0, a0, 32".to_owned(),
        ),
    ];
    for (kind, text) in kinds {
        g.case(text, emit(|m| m.extend(kind, d(A0), A1)));
    }
    let addresses: &[(Addr, &str)] = &[
        (at(A1, 0), "addi a0, a1, 0"),
        (at(A0, 0), ""),
        (at(SP, 16), "addi a0, sp, 16"),
        (
            at(A1, 2048),
            "lui t5, 1; add t0, a1, t5; addi a0, t0, -2048",
        ),
        (at_index(A1, A2, Scale::S1, 0), "add a0, a1, a2"),
        (
            at_index(A1, A0, Scale::S8, -4),
            "slli t0, a0, 3; add a0, a1, t0; addi a0, a0, -4",
        ),
        (
            at_index(A1, A2, Scale::S4, 4096),
            "slli t0, a2, 2; add t0, a1, t0; lui t5, 1; add t0, t0, t5; addi a0, t0, 0",
        ),
    ];
    for &(addr, text) in addresses {
        g.case(text, emit(|m| m.lea(d(A0), addr)));
    }
    g.case(
        "addi t3, a0, 0; addi a0, a1, 0; addi a1, t3, 0; addi a2, zero, 7",
        emit(|m| m.move_args(&[A1.into(), A0.into(), 7.into()])),
    );
    g.case(
        "addi t3, a1, 0",
        emit(|m| m.with_scratch(|m, s| m.mov(d(s), A1))),
    );
    g.finish();
}

/// Interprets a sequence of lui, addi, addiw and slli on one register.
fn run(text: &str) -> i64 {
    let number = |text: &str| match text.strip_prefix("0x") {
        Some(hex) => i64::from_str_radix(hex, 16).unwrap(),
        None => text.parse().unwrap(),
    };
    let mut value = 0i64;
    for instruction in text.split("; ") {
        let (op, operands) = instruction.split_once(' ').unwrap();
        let imm = number(operands.rsplit(", ").next().unwrap());
        value = match op {
            "lui" => i64::from((imm << 12) as i32),
            "addi" => value.wrapping_add(imm),
            "addiw" => i64::from(value.wrapping_add(imm) as i32),
            _ => value << imm,
        };
    }
    value
}

#[test]
fn loads_and_stores() {
    let mut g = golden("rv64_mem");
    let addresses = [
        (at(A1, 0), "", "0(a1)"),
        (at(A1, 2047), "", "2047(a1)"),
        (at(SP, -2048), "", "-2048(sp)"),
        (at(A1, 2048), "lui t5, 1; add t0, a1, t5", "-2048(t0)"),
        (at(A1, -2049), "lui t5, 0xfffff; add t0, a1, t5", "2047(t0)"),
        (at(A1, i32::MIN), "lui t5, 0x80000; add t0, a1, t5", "0(t0)"),
        (
            at(A1, i32::MAX),
            "addi t5, zero, 1; slli t5, t5, 31; add t0, a1, t5",
            "-1(t0)",
        ),
        (at_index(A1, A2, Scale::S1, 0), "add t0, a1, a2", "0(t0)"),
        (
            at_index(A1, A2, Scale::S8, 8),
            "slli t0, a2, 3; add t0, a1, t0",
            "8(t0)",
        ),
        (
            at_index(A1, A2, Scale::S2, 4096),
            "slli t0, a2, 1; add t0, a1, t0; lui t5, 1; add t0, t0, t5",
            "0(t0)",
        ),
    ];
    for (addr, first, operand) in addresses {
        let kinds = [
            (LoadKind::U8, "lbu", false),
            (LoadKind::S8To32, "lb", true),
            (LoadKind::S8To64, "lb", false),
            (LoadKind::U16, "lhu", false),
            (LoadKind::S16To32, "lh", true),
            (LoadKind::S16To64, "lh", false),
            (LoadKind::U32, "lwu", false),
            (LoadKind::S32To64, "lw", false),
            (LoadKind::U64, "ld", false),
        ];
        for (kind, name, cut) in kinds {
            let cut = if cut {
                zext(Size::B32, "a0", "a0")
            } else {
                String::new()
            };
            let text = join(&[first, &format!("{name} a0, {operand}"), &cut]);
            g.case(text, emit(|m| m.load(kind, d(A0), addr)));
        }
        for (size, name) in SIZES.into_iter().zip(["sb", "sh", "sw", "sd"]) {
            let text = join(&[first, &format!("{name} a0, {operand}")]);
            g.case(text, emit(|m| m.store(size, addr, A0)));
            let text = join(&[
                &format!("addi t2, zero, -1; {first}"),
                &format!("{name} t2, {operand}"),
            ]);
            g.case(
                text.replace("; ;", ";"),
                emit(|m| m.store_imm(size, addr, -1)),
            );
            let text = join(&[first, &format!("{name} zero, {operand}")]);
            g.case(text, emit(|m| m.store_imm(size, addr, 0)));
        }
        g.case(
            join(&[first, &format!("fld fa0, {operand}")]),
            emit(|m| m.fload(d(f(10)), addr)),
        );
        g.case(
            join(&[first, &format!("fsd fa0, {operand}")]),
            emit(|m| m.fstore(addr, f(10))),
        );
    }
    g.finish();
}

#[test]
fn arithmetic() {
    let mut g = golden("rv64_alu");
    let ops = [
        (AluOp::Add, "add"),
        (AluOp::Sub, "sub"),
        (AluOp::And, "and"),
        (AluOp::Or, "or"),
        (AluOp::Xor, "xor"),
    ];
    for (op, name) in ops {
        for size in REG_SIZES {
            let cut = if size == Size::B32 {
                zext(Size::B32, "a0", "a0")
            } else {
                String::new()
            };
            let load = if size == Size::B32 { "lw" } else { "ld" };
            let mut case = |text: &str, cut: &str, rhs: Operand| {
                g.case(
                    join(&[text, cut]),
                    emit(|m| m.alu(op, size, d(A0), A1, rhs)),
                );
            };
            case(&format!("{name} a0, a1, a2"), &cut, A2.into());
            case(
                &format!("{load} t1, 8(a2); {name} a0, a1, t1"),
                &cut,
                at(A2, 8).into(),
            );
            let zero_above = |imm: i64| {
                if op == AluOp::And && imm >= 0 {
                    ""
                } else {
                    cut.as_str()
                }
            };
            let (named, sign) = if op == AluOp::Sub {
                ("addi".to_owned(), -1)
            } else {
                (format!("{name}i"), 1)
            };
            for imm in [0, 1, -1, 127, 128, -128, -129, 2047, -2047] {
                case(
                    &format!("{named} a0, a1, {}", sign * imm),
                    zero_above(imm),
                    imm.into(),
                );
            }
            if op == AluOp::Sub {
                case("addi a0, a1, -2048", &cut, 2048.into());
                case("addi t2, zero, -2048; sub a0, a1, t2", &cut, (-2048).into());
            } else {
                case(&format!("{named} a0, a1, -2048"), &cut, (-2048).into());
                case(
                    &format!("lui t2, 1; addiw t2, t2, -2048; {name} a0, a1, t2"),
                    zero_above(2048),
                    2048.into(),
                );
            }
            case(
                &format!("lui t2, 0x80000; {name} a0, a1, t2"),
                &cut,
                i64::from(i32::MIN).into(),
            );
            if size == Size::B64 {
                case(
                    &format!("addi t2, zero, -1; slli t2, t2, 63; {name} a0, a1, t2"),
                    &cut,
                    i64::MIN.into(),
                );
            } else {
                case(
                    &format!("{named} a0, a1, {}", -sign),
                    &cut,
                    0xffff_ffffi64.into(),
                );
            }
        }
        for (size, load, store) in [
            (Size::B8, "lbu", "sb"),
            (Size::B16, "lhu", "sh"),
            (Size::B32, "lwu", "sw"),
            (Size::B64, "ld", "sd"),
        ] {
            g.case(
                format!("{load} t1, 4(a0); {name} t1, t1, a1; {store} t1, 4(a0)"),
                emit(|m| m.alu_to_mem(op, size, at(A0, 4), A1)),
            );
        }
    }
    let conds = [
        (AluCond::Zero, "beqz"),
        (AluCond::NonZero, "bnez"),
        (AluCond::Sign, "bltz"),
        (AluCond::NoSign, "bgez"),
    ];
    for (cond, branch) in conds {
        let sign = matches!(cond, AluCond::Sign | AluCond::NoSign);
        g.case(
            format!("add a0, a1, a2; {branch} a0, 9f; 9:"),
            emit_to(|m, l| m.alu_branch(AluOp::Add, Size::B64, d(A0), A1, A2, cond, l)),
        );
        let test = if sign {
            format!("slli t5, a0, 32; {branch} t5, 9f")
        } else {
            format!("{branch} a0, 9f")
        };
        g.case(
            format!("or a0, a1, a2; {}; {test}; 9:", zext(Size::B32, "a0", "a0")),
            emit_to(|m, l| m.alu_branch(AluOp::Or, Size::B32, d(A0), A1, A2, cond, l)),
        );
        g.case(
            format!(
                "lhu t1, 0(a0); addi t1, t1, -1; sh t1, 0(a0); slli t5, t1, 48; {branch} t5, 9f; 9:"
            ),
            emit_to(|m, l| m.alu_to_mem_branch(AluOp::Sub, Size::B16, at(A0, 0), 1, cond, l)),
        );
    }
    let events = [
        (AluCond::Overflow, true, false),
        (AluCond::NoOverflow, true, true),
        (AluCond::Carry, false, false),
        (AluCond::NoCarry, false, true),
    ];
    for (cond, overflow, negated) in events {
        for (op, name) in [(AluOp::Add, "add"), (AluOp::Sub, "sub")] {
            let branch = match (overflow, negated) {
                (true, false) => "bltz",
                (true, true) => "bgez",
                (false, false) => "bnez",
                (false, true) => "beqz",
            };
            let event = match (overflow, op) {
                (true, AluOp::Add) => "xor t5, t4, a1; xor t0, t4, a2; and t5, t5, t0",
                (true, _) => "xor t5, t4, a1; xor t0, a1, a2; and t5, t5, t0",
                (false, AluOp::Add) => "sltu t5, t4, a1",
                (false, _) => "sltu t5, a1, a2",
            };
            g.case(
                format!("{name} t4, a1, a2; {event}; addi a0, t4, 0; {branch} t5, 9f; 9:"),
                emit_to(|m, l| m.alu_branch(op, Size::B64, d(A0), A1, A2, cond, l)),
            );
            let branch = if negated { "beqz" } else { "bnez" };
            let narrow = |size: Size, lhs: &str, dst: &str, rhs: &str| {
                let extended = if overflow {
                    sext(size, "t4", lhs)
                } else {
                    zext(size, "t4", lhs)
                };
                let event = if overflow {
                    format!("{}; xor t5, t5, t4", sext(size, "t5", "t4"))
                } else {
                    format!("srli t5, t4, {}", size.bits())
                };
                format!(
                    "{extended}; {name} t4, t4, {rhs}; {event}; {}",
                    zext(size, dst, "t4")
                )
            };
            let rhs = if overflow {
                sext(Size::B32, "t2", "a2")
            } else {
                zext(Size::B32, "t2", "a2")
            };
            g.case(
                format!(
                    "{rhs}; {}; {branch} t5, 9f; 9:",
                    narrow(Size::B32, "a1", "a0", "t2")
                ),
                emit_to(|m, l| m.alu_branch(op, Size::B32, d(A0), A1, A2, cond, l)),
            );
            g.case(
                format!(
                    "lhu t1, 0(a0); addi t2, zero, 1; {}; addi t4, t5, 0; sh t1, 0(a0); {branch} t4, 9f; 9:",
                    narrow(Size::B16, "t1", "t1", "t2")
                ),
                emit_to(|m, l| m.alu_to_mem_branch(op, Size::B16, at(A0, 0), 1, cond, l)),
            );
        }
        let mut m = Rv64Masm::new();
        let l = m.here();
        m.alu_branch(AluOp::And, Size::B64, d(A0), A1, A2, cond, l);
        assert!(matches!(m.finalize(), Err(AsmError::Unsupported(_))));
    }
    let cut = zext(Size::B32, "a0", "a0");
    for (op, name) in [
        (ShiftOp::Shl, "sll"),
        (ShiftOp::Shr, "srl"),
        (ShiftOp::Sar, "sra"),
    ] {
        g.case(
            format!("{name} a0, a1, a2"),
            emit(|m| m.shift(op, Size::B64, d(A0), A1, A2)),
        );
        g.case(
            format!("{name}w a0, a1, a2; {cut}"),
            emit(|m| m.shift(op, Size::B32, d(A0), A1, A2)),
        );
        for count in [1, 31, 63] {
            g.case(
                format!("{name}i a0, a1, {count}"),
                emit(|m| m.shift(op, Size::B64, d(A0), A1, count)),
            );
        }
        g.case(
            "addi a0, a1, 0",
            emit(|m| m.shift(op, Size::B64, d(A0), A1, 64)),
        );
        g.case(
            zext(Size::B32, "a0", "a1"),
            emit(|m| m.shift(op, Size::B32, d(A0), A1, 0)),
        );
        for count in [1, 31] {
            let text = match op {
                ShiftOp::Shl => format!("slli a0, a1, {}; srli a0, a0, 32", 32 + count),
                ShiftOp::Shr => format!("srliw a0, a1, {count}"),
                _ => format!("sraiw a0, a1, {count}; {cut}"),
            };
            g.case(text, emit(|m| m.shift(op, Size::B32, d(A0), A1, count)));
        }
    }
    let rotl = ShiftOp::Rotl;
    g.case(
        "slli t4, a1, 7; srli t2, a1, 57; or a0, t4, t2",
        emit(|m| m.shift(rotl, Size::B64, d(A0), A1, 7)),
    );
    g.case(
        "slli t4, a1, 39; srliw t2, a1, 25; srli t4, t4, 32; or a0, t4, t2",
        emit(|m| m.shift(rotl, Size::B32, d(A0), A1, 7)),
    );
    g.case(
        "sll t4, a1, a2; neg t2, a2; srl t2, a1, t2; or a0, t4, t2",
        emit(|m| m.shift(rotl, Size::B64, d(A0), A1, A2)),
    );
    g.case(
        format!("sllw t4, a1, a2; neg t2, a2; srlw t2, a1, t2; or a0, t4, t2; {cut}"),
        emit(|m| m.shift(rotl, Size::B32, d(A0), A1, A2)),
    );
    for size in REG_SIZES {
        let (w, cut) = if size == Size::B32 {
            ("w", cut.as_str())
        } else {
            ("", "")
        };
        let mut case = |text: &str, bytes: Vec<u8>| g.case(join(&[text, cut]), bytes);
        case("mul a0, a1, a2", emit(|m| m.mul(size, d(A0), A1, A2)));
        case(
            "addi t2, zero, 10; mul a0, a1, t2",
            emit(|m| m.mul(size, d(A0), A1, 10)),
        );
        case("neg a0, a1", emit(|m| m.neg(size, d(A0), A1)));
        case("not a0, a1", emit(|m| m.not(size, d(A0), A1)));
        case(
            &format!("div{w} a0, a1, a2"),
            emit(|m| m.sdiv(size, d(A0), A1, A2)),
        );
        case(
            &format!("rem{w} a0, a1, a2"),
            emit(|m| m.srem(size, d(A0), A1, A2)),
        );
        case(
            &format!("divu{w} a0, a1, a2"),
            emit(|m| m.udiv(size, d(A0), A1, A2)),
        );
        case(
            &format!("remu{w} a0, a1, a2"),
            emit(|m| m.urem(size, d(A0), A1, A2)),
        );
    }
    g.case(
        "div t1, a1, a2; rem a1, a1, a2; addi a2, t1, 0",
        emit(|m| m.sdivrem(Size::B64, d(A2), d(A1), A1, A2)),
    );
    g.case("mulhu a0, a1, a2", emit(|m| m.umulh(d(A0), A1, A2)));
    g.case(
        "mulh t5, a1, a2; mul a1, a1, a2; srai t4, a1, 63; bne t5, t4, 9f; 9:",
        emit_to(|m, l| m.mul_branch_overflow(Size::B64, d(A1), A1, A2, l)),
    );
    g.case(
        format!(
            "sext.w t2, a2; sext.w t4, a1; mul t5, t4, t2; {}; sext.w t4, t5; bne t5, t4, 9f; 9:",
            zext(Size::B32, "a1", "t5")
        ),
        emit_to(|m, l| m.mul_branch_overflow(Size::B32, d(A1), A1, A2, l)),
    );
    g.finish();
}

#[test]
fn comparisons() {
    let mut g = golden("rv64_compare");
    let conds = [
        (Cond::Eq, "beq", false),
        (Cond::Ne, "bne", false),
        (Cond::Lt, "blt", false),
        (Cond::Ge, "bge", false),
        (Cond::Gt, "blt", true),
        (Cond::Le, "bge", true),
        (Cond::Below, "bltu", false),
        (Cond::AboveEq, "bgeu", false),
        (Cond::Above, "bltu", true),
        (Cond::BelowEq, "bgeu", true),
    ];
    for (cond, name, swap) in conds {
        let branch = |n: &str, m: &str| match swap {
            false => format!("{name} {n}, {m}, 9f; 9:"),
            true => format!("{name} {m}, {n}, 9f; 9:"),
        };
        let set = |n: &str, m: &str, dst: &str| {
            let (n, m) = if swap { (m, n) } else { (n, m) };
            match name {
                "beq" => format!("xor t5, {n}, {m}; seqz {dst}, t5"),
                "bne" => format!("xor t5, {n}, {m}; snez {dst}, t5"),
                "blt" => format!("slt {dst}, {n}, {m}"),
                "bge" => format!("slt {dst}, {n}, {m}; xori {dst}, {dst}, 1"),
                "bltu" => format!("sltu {dst}, {n}, {m}"),
                _ => format!("sltu {dst}, {n}, {m}; xori {dst}, {dst}, 1"),
            }
        };
        for (size, load) in SIZES.into_iter().zip(["lb", "lh", "lw", "ld"]) {
            let wide = size == Size::B64;
            let (lhs, l) = if wide {
                (String::new(), "a0")
            } else {
                (sext(size, "t4", "a0"), "t4")
            };
            let (rhs, r) = if wide {
                (String::new(), "a1")
            } else {
                (sext(size, "t2", "a1"), "t2")
            };
            let mut case = |text: String, rhs: Operand| {
                g.case(
                    text,
                    emit_to(|m, label| m.branch(cond, size, A0, rhs, label)),
                );
            };
            case(join(&[&rhs, &lhs, &branch(l, r)]), A1.into());
            case(join(&[&lhs, &branch(l, "zero")]), 0.into());
            case(
                join(&["addi t2, zero, -1", &lhs, &branch(l, "t2")]),
                (-1).into(),
            );
            case(
                join(&[&format!("{load} t1, 8(a2)"), &lhs, &branch(l, "t1")]),
                at(A2, 8).into(),
            );
            let mut case = |text: String, rhs: RegImm| {
                g.case(
                    text,
                    emit_to(|m, label| m.branch_mem(cond, size, at(A2, 8), rhs, label)),
                );
            };
            case(
                join(&[&format!("{load} t1, 8(a2)"), &rhs, &branch("t1", r)]),
                A1.into(),
            );
            case(
                format!("{load} t1, 8(a2); addi t2, zero, 5; {}", branch("t1", "t2")),
                5.into(),
            );
            case(
                format!("{load} t1, 8(a2); {}", branch("t1", "zero")),
                0.into(),
            );
            g.case(
                join(&[&rhs, &lhs, &set(l, r, "a3")]),
                emit(|m| m.cset(cond, size, d(A3), A0, A1)),
            );
            let select = "neg t2, t2; xor t4, a2, a3; and t4, t4, t2; xor a0, t4, a3";
            g.case(
                join(&[&rhs, &lhs, &set(l, r, "t2"), select]),
                emit(|m| m.csel(cond, size, A0, A1, d(A0), A2, A3)),
            );
        }
    }
    g.case(
        "seqz a1, a0",
        emit(|m| m.cset(Cond::Eq, Size::B64, d(A1), A0, 0)),
    );
    for (cond, eq, sign) in [
        (BitCond::Zero, "beqz", "bgez"),
        (BitCond::NonZero, "bnez", "bltz"),
    ] {
        for (size, load) in SIZES.into_iter().zip(["lbu", "lhu", "lwu", "ld"]) {
            let up = 64 - size.bits();
            let mut case = |text: String, mask: RegImm| {
                g.case(
                    format!("{text}, 9f; 9:"),
                    emit_to(|m, l| m.branch_bits(cond, size, A0, mask, l)),
                );
            };
            case(format!("andi t2, a0, 1; {eq} t2"), 1.into());
            case(format!("andi t2, a0, 0x83; {eq} t2"), 0x83.into());
            let cut = if up == 0 {
                String::new()
            } else {
                format!("slli t2, t2, {up}; ")
            };
            case(format!("and t2, a0, a1; {cut}{eq} t2"), A1.into());
            match size {
                Size::B8 => case(format!("andi t2, a0, 255; {eq} t2"), (-1).into()),
                Size::B64 => case(format!("{eq} a0"), (-1).into()),
                _ => case(format!("slli t2, a0, {up}; {eq} t2"), (-1).into()),
            }
            if up < 48 {
                case(format!("slli t2, a0, 47; {sign} t2"), 0x1_0000.into());
                case(
                    format!("lui t2, 0x30; and t2, a0, t2; {eq} t2"),
                    0x3_0000.into(),
                );
            }
            let mut case = |text: String, mask: RegImm| {
                g.case(
                    format!("{load} t1, 8(a2); {text}, 9f; 9:"),
                    emit_to(|m, l| m.branch_bits_mem(cond, size, at(A2, 8), mask, l)),
                );
            };
            case(format!("andi t2, t1, 2; {eq} t2"), 2.into());
            case(format!("{eq} t1"), (-1).into());
        }
    }
    g.case(
        "bltz a0, 9f; 9:",
        emit_to(|m, l| m.branch(Cond::Lt, Size::B64, A0, 0, l)),
    );
    g.finish();
}

#[test]
fn doubles() {
    let mut g = golden("rv64_double");
    let names = [
        (FAlu::Add, "fadd.d"),
        (FAlu::Sub, "fsub.d"),
        (FAlu::Mul, "fmul.d"),
        (FAlu::Div, "fdiv.d"),
    ];
    let (a, b, c) = (f(10), f(11), f(12));
    for (op, name) in names {
        g.case(
            format!("{name} fa0, fa1, fa2"),
            emit(|m| m.falu(op, d(a), b, c)),
        );
        g.case(
            format!("fld ft11, 8(a0); {name} fa0, fa1, ft11"),
            emit(|m| m.falu(op, d(a), b, at(A0, 8))),
        );
    }
    g.case("fmv.d fa0, fa1", emit(|m| m.fmov(d(a), b)));
    g.case("fmv.d.x fa0, zero", emit(|m| m.fmov_imm(d(a), 0.0)));
    g.case(
        "addi t2, zero, -1; slli t2, t2, 63; fmv.d.x fa0, t2",
        emit(|m| m.fmov_imm(d(a), -0.0)),
    );
    g.case("fsqrt.d fa0, fa1", emit(|m| m.fsqrt(d(a), b)));
    g.case("fneg.d fa0, fa1", emit(|m| m.fneg(d(a), b)));
    g.case("fabs.d fa0, fa1", emit(|m| m.fabs(d(a), b)));
    let conds = [
        (FCond::Eq, "feq.d", false, false),
        (FCond::Ne, "feq.d", false, true),
        (FCond::Lt, "flt.d", false, false),
        (FCond::Le, "fle.d", false, false),
        (FCond::Gt, "flt.d", true, false),
        (FCond::Ge, "fle.d", true, false),
        (FCond::NLt, "flt.d", false, true),
        (FCond::NLe, "fle.d", false, true),
        (FCond::NGt, "flt.d", true, true),
        (FCond::NGe, "fle.d", true, true),
    ];
    for (cond, name, swap, negated) in conds {
        let operands = if swap { "fa1, fa0" } else { "fa0, fa1" };
        let branch = if negated { "beqz" } else { "bnez" };
        g.case(
            format!("{name} t5, {operands}; {branch} t5, 9f; 9:"),
            emit_to(|m, l| m.fcmp_branch(cond, a, b, l)),
        );
        let flip = if negated { "; xori a0, a0, 1" } else { "" };
        g.case(
            format!("{name} a0, {operands}{flip}"),
            emit(|m| m.fcset(cond, d(A0), a, b)),
        );
    }
    g.case("fcvt.d.l fa0, a0", emit(|m| m.cvt_i64_f64(d(a), A0)));
    g.case("fcvt.d.w fa0, a0", emit(|m| m.cvt_i32_f64(d(a), A0)));
    g.case(
        "fcvt.l.d a0, fa0, rtz",
        emit(|m| m.cvt_f64_i64_trunc(d(A0), a)),
    );
    g.case(
        "fcvt.l.d a0, fa0, rtz; fcvt.d.l ft11, a0; feq.d t5, ft11, fa0; beqz t5, 9f; addi t5, a0, 1; blt t5, a0, 9f; 9:",
        emit_to(|m, l| m.cvt_f64_i64_exact(d(A0), a, l)),
    );
    g.case("fmv.d.x fa0, a0", emit(|m| m.bits_to_f64(d(a), A0)));
    g.case("fmv.x.d a0, fa0", emit(|m| m.f64_to_bits(d(A0), a)));
    g.finish();
    let mut m = Rv64Masm::new();
    m.fround(RoundMode::Floor, d(a), b);
    assert!(matches!(m.finalize(), Err(AsmError::Unsupported(_))));
}

#[test]
fn control_flow() {
    let mut g = golden("rv64_control");
    g.case("jr a5", emit(|m| m.jump_reg(x(15))));
    g.case("jalr a5", emit(|m| m.call_reg(x(15))));
    g.case("ld t1, 8(a1); jr t1", emit(|m| m.jump_mem(at(A1, 8))));
    g.case("ld t1, 8(a1); jalr t1", emit(|m| m.call_mem(at(A1, 8))));
    g.case("ret", emit(|m| m.ret()));
    g.case("ebreak", emit(|m| m.trap()));
    g.case("j 9f; 9:", emit_to(|m, l| m.jump(l)));
    g.case("jal ra, 9f; 9:", emit_to(|m, l| m.call_label(l)));
    // 0x123456789abcdef = ((0x0123 << 12 | 0x456) << 12 | ...), each part borrowing from the one above.
    let far = "lui t0, 0x123; addiw t0, t0, 0x456; slli t0, t0, 12; addi t0, t0, 0x78a; slli t0, t0, 12; \
               addi t0, t0, -1347; slli t0, t0, 12";
    g.case(
        format!("{far}; jalr zero, -529(t0)"),
        emit(|m| m.jump_abs(0x123_4567_89ab_cdef)),
    );
    g.case(
        format!("{far}; jalr ra, -529(t0)"),
        emit(|m| m.call_abs(0x123_4567_89ab_cdef)),
    );
    let save = "addi sp, sp, -64; sd ra, 56(sp); sd s0, 48(sp); sd s1, 40(sp); sd s2, 32(sp); sd s3, 24(sp); \
                sd s4, 16(sp); sd s5, 8(sp); addi s0, sp, 64";
    g.case(save, emit(|m| m.prologue(1)));
    g.case(format!("{save}; addi sp, sp, -16"), emit(|m| m.prologue(2)));
    g.case(
        format!("{save}; addi sp, sp, -2032; addi sp, sp, -16"),
        emit(|m| m.prologue(257)),
    );
    g.case(
        "addi sp, s0, -64; ld ra, 56(sp); ld s0, 48(sp); ld s1, 40(sp); ld s2, 32(sp); ld s3, 24(sp); ld s4, 16(sp); \
         ld s5, 8(sp); addi sp, sp, 64",
        emit(|m| m.epilogue()),
    );
    // The last distance of the short form and the first beyond it.
    for (words, text) in [(1022, "blt a0, a1, 9f"), (1023, "bge a0, a1, 8f; j 9f; 8:")] {
        g.case(
            format!("{text}; .fill {words}, 4, 0; 9:"),
            emit_to(|m, l| {
                m.branch(Cond::Lt, Size::B64, A0, A1, l);
                m.emit_bytes(&vec![0; words * 4]);
            }),
        );
    }
    for (words, text) in [
        (1024, "9:; .fill 1024, 4, 0; blt a0, a1, 9b"),
        (1025, "9:; .fill 1025, 4, 0; bge a0, a1, 8f; j 9b; 8:"),
    ] {
        g.case(
            text,
            emit(|m| {
                let l = m.here();
                m.emit_bytes(&vec![0; words * 4]);
                m.branch(Cond::Lt, Size::B64, A0, A1, l);
            }),
        );
    }
    g.finish();
    // Beyond a megabyte: auipc and jalr; checked by fields, to keep long runs out of the file.
    let words = (1usize << 18) + 16;
    let bytes = emit_to(|m, l| {
        m.branch(Cond::Eq, Size::B64, A0, A1, l);
        m.call_label(l);
        m.emit_bytes(&vec![0; words * 4]);
    });
    let word = |i: usize| u32::from_le_bytes(bytes[i * 4..i * 4 + 4].try_into().unwrap());
    // bne a0, a1, +12; auipc t0, 0x100; jalr zero, t0, distance - 0x100000
    assert_eq!(word(0), 0x00b5_1663);
    assert_eq!(word(1), 0x0010_0297);
    assert_eq!(word(2), 0x0002_8067 | (64 + 16) << 20);
    assert_eq!(word(3), 0x0010_0297);
    assert_eq!(word(4), 0x0002_80e7 | (64 + 8) << 20);
}

#[test]
fn roles_are_apart() {
    let mut seen: Vec<Gpr> = Rv64Masm::T.to_vec();
    let fixed = [
        Rv64Masm::PC,
        Rv64Masm::BASE,
        Rv64Masm::THREAD,
        Rv64Masm::CODE,
        Rv64Masm::GLOBAL,
    ];
    seen.extend(fixed);
    seen.extend([FP, SP, RA, ZERO, SCRATCH, XADDR, XVAL, XRHS, XLHS, XTMP]);
    let count = seen.len();
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), count);
}
