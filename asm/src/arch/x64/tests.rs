//! Encodings of every method of the portable trait, each operand form, with edge immediates and awkward registers.

use super::X64Masm;
use super::regs::*;
use crate::golden::Golden;
use crate::masm::Masm;
use crate::operand::*;
use crate::reg::{Fpr, Gpr, d};
use crate::{AsmError, Label};

/// Edge immediates that fit 32 bits.
const IMMS: [i64; 12] = [
    0,
    1,
    -1,
    2,
    127,
    128,
    -128,
    -129,
    255,
    65535,
    i32::MAX as i64,
    i32::MIN as i64,
];
/// Edge immediates that do not.
const WIDE: [i64; 5] = [1 << 31, u32::MAX as i64, 1 << 32, i64::MAX, i64::MIN];
const REGS: [Gpr; 16] = [
    RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8, R9, R10, R11, R12, R13, R14, R15,
];
/// Registers of each encoding class: accumulator, plain, byte-REX, extended, and the SIB and displacement quirks.
const SOME: [Gpr; 8] = [RAX, RBX, RSI, RBP, R8, R12, R13, R15];
const REG_SIZES: [Size; 2] = [Size::B32, Size::B64];
const SIZES: [Size; 4] = [Size::B8, Size::B16, Size::B32, Size::B64];
const ALU: [AluOp; 5] = [AluOp::Add, AluOp::Sub, AluOp::And, AluOp::Or, AluOp::Xor];
const CONDS: [Cond; 10] = [
    Cond::Eq,
    Cond::Ne,
    Cond::Lt,
    Cond::Le,
    Cond::Gt,
    Cond::Ge,
    Cond::Below,
    Cond::BelowEq,
    Cond::Above,
    Cond::AboveEq,
];
const FCONDS: [FCond; 10] = [
    FCond::Eq,
    FCond::Ne,
    FCond::Lt,
    FCond::Le,
    FCond::Gt,
    FCond::Ge,
    FCond::NLt,
    FCond::NLe,
    FCond::NGt,
    FCond::NGe,
];

fn golden(file: &'static str) -> Golden {
    Golden::new(file, &["-triple=x86_64"], ".intel_syntax noprefix")
}

fn emit(body: impl FnOnce(&mut X64Masm)) -> Vec<u8> {
    let mut m = X64Masm::new();
    body(&mut m);
    m.finalize().expect("the code is complete").bytes
}

/// With a label bound behind the code; `9f` in the text.
fn emit_to(body: impl FnOnce(&mut X64Masm, Label)) -> Vec<u8> {
    emit(|m| {
        let end = m.new_label();
        body(m, end);
        m.bind(end);
    })
}

fn error(body: impl FnOnce(&mut X64Masm)) -> AsmError {
    let mut m = X64Masm::new();
    body(&mut m);
    m.finalize().expect_err("an error was latched")
}

fn n(reg: Gpr, size: Size) -> String {
    const OLD: [&str; 8] = ["ax", "cx", "dx", "bx", "sp", "bp", "si", "di"];
    let number = usize::from(reg.0);
    if number < 8 {
        match size {
            Size::B8 if number < 4 => format!("{}l", &OLD[number][..1]),
            Size::B8 => format!("{}l", OLD[number]),
            Size::B16 => OLD[number].to_owned(),
            Size::B32 => format!("e{}", OLD[number]),
            Size::B64 => format!("r{}", OLD[number]),
        }
    } else {
        let suffix = match size {
            Size::B8 => "b",
            Size::B16 => "w",
            Size::B32 => "d",
            Size::B64 => "",
        };
        format!("r{number}{suffix}")
    }
}

fn r(reg: Gpr) -> String {
    n(reg, Size::B64)
}

fn x(reg: Fpr) -> String {
    format!("xmm{}", reg.0)
}

fn ptr(size: Size) -> &'static str {
    match size {
        Size::B8 => "byte ptr",
        Size::B16 => "word ptr",
        Size::B32 => "dword ptr",
        Size::B64 => "qword ptr",
    }
}

/// The address as the text that encodes shortest.
fn a(addr: Addr) -> String {
    let mut out = format!("[{}", r(addr.base));
    if let Some((index, scale)) = addr.index {
        out = if scale == Scale::S1
            && (index == RSP || (addr.disp == 0 && addr.base.0 & 7 == 5 && index.0 & 7 != 5))
        {
            format!("[{} + {}", r(index), r(addr.base))
        } else {
            format!("{out} + {}*{}", r(index), 1 << scale.log2())
        };
    }
    match addr.disp {
        0 => out + "]",
        disp if disp < 0 => format!("{out} - {}]", -i64::from(disp)),
        disp => format!("{out} + {disp}]"),
    }
}

fn alu_name(op: AluOp) -> &'static str {
    match op {
        AluOp::Add => "add",
        AluOp::Sub => "sub",
        AluOp::And => "and",
        AluOp::Or => "or",
        AluOp::Xor => "xor",
    }
}

fn cc(cond: Cond) -> &'static str {
    match cond {
        Cond::Eq => "e",
        Cond::Ne => "ne",
        Cond::Lt => "l",
        Cond::Le => "le",
        Cond::Gt => "g",
        Cond::Ge => "ge",
        Cond::Below => "b",
        Cond::BelowEq => "be",
        Cond::Above => "a",
        Cond::AboveEq => "ae",
    }
}

/// Memory operands of every shape: each base, each index, each size of displacement.
fn addresses() -> Vec<Addr> {
    let mut list = Vec::new();
    for base in REGS {
        for disp in [0, 1, 127, 128, -128, -129, i32::MAX, i32::MIN] {
            list.push(at(base, disp));
        }
        for index in REGS {
            if index != RSP {
                list.push(at_index(base, index, Scale::S1, 0));
                list.push(at_index(base, index, Scale::S8, 0));
                list.push(at_index(base, index, Scale::S1, 8));
            }
        }
        for scale in [Scale::S1, Scale::S2, Scale::S4, Scale::S8] {
            for disp in [0, -1, 127, 128, -128, -129, i32::MAX, i32::MIN] {
                list.push(at_index(base, RCX, scale, disp));
            }
        }
    }
    list.push(at_index(RAX, RSP, Scale::S1, 0));
    list.push(at_index(RBP, RSP, Scale::S1, 4));
    list
}

/// A few addresses for the other methods.
const MEM: [Addr; 4] = [
    Addr {
        base: RBX,
        index: None,
        disp: 0,
    },
    Addr {
        base: R12,
        index: None,
        disp: 16,
    },
    Addr {
        base: R13,
        index: Some((RCX, Scale::S1)),
        disp: 0,
    },
    Addr {
        base: R13,
        index: Some((R9, Scale::S4)),
        disp: 1024,
    },
];

#[test]
fn memory_operands() {
    let mut g = golden("x64_addr");
    for addr in addresses() {
        g.case(
            format!("mov rax, {}", a(addr)),
            emit(|m| m.load(LoadKind::U64, d(RAX), addr)),
        );
        g.case(
            format!("mov r9d, {}", a(addr)),
            emit(|m| m.load(LoadKind::U32, d(R9), addr)),
        );
    }
    g.finish();
    assert_eq!(
        error(|m| m.load(LoadKind::U64, d(RAX), at_index(RSP, RSP, Scale::S1, 0))),
        AsmError::Unsupported("stack pointer as index")
    );
    assert_eq!(
        error(|m| m.load(LoadKind::U64, d(RAX), at_index(RAX, RSP, Scale::S2, 0))),
        AsmError::Unsupported("stack pointer as index")
    );
}

#[test]
fn moves() {
    let mut g = golden("x64_mov");
    for dst in REGS {
        for src in [RAX, RSP, RBP, R8, R15] {
            let text = if dst == src {
                String::new()
            } else {
                format!("mov {}, {}", r(dst), r(src))
            };
            g.case(text, emit(|m| m.mov(d(dst), src)));
        }
        for imm in IMMS.into_iter().chain(WIDE) {
            let text = match imm {
                0 => format!("xor {0}, {0}", n(dst, Size::B32)),
                1..=0xffff_ffff => format!("mov {}, {imm}", n(dst, Size::B32)),
                _ if i32::try_from(imm).is_ok() => format!("mov {}, {imm}", r(dst)),
                _ => format!("movabs {}, {imm}", r(dst)),
            };
            g.case(text, emit(|m| m.mov_imm(d(dst), imm)));
        }
    }
    let kinds = [
        (LoadKind::U8, "movzx", Size::B32, Size::B8),
        (LoadKind::S8To32, "movsx", Size::B32, Size::B8),
        (LoadKind::S8To64, "movsx", Size::B64, Size::B8),
        (LoadKind::U16, "movzx", Size::B32, Size::B16),
        (LoadKind::S16To32, "movsx", Size::B32, Size::B16),
        (LoadKind::S16To64, "movsx", Size::B64, Size::B16),
        (LoadKind::U32, "mov", Size::B32, Size::B32),
        (LoadKind::S32To64, "movsxd", Size::B64, Size::B32),
        (LoadKind::U64, "mov", Size::B64, Size::B64),
    ];
    for (kind, name, to, from) in kinds {
        for dst in SOME {
            for addr in MEM {
                g.case(
                    format!("{name} {}, {} {}", n(dst, to), ptr(from), a(addr)),
                    emit(|m| m.load(kind, d(dst), addr)),
                );
            }
            for src in SOME {
                if kind == LoadKind::U64 && dst == src {
                    continue;
                }
                g.case(
                    format!("{name} {}, {}", n(dst, to), n(src, from)),
                    emit(|m| m.extend(kind, d(dst), src)),
                );
            }
        }
    }
    for size in SIZES {
        for addr in MEM {
            for src in REGS {
                g.case(
                    format!("mov {}, {}", a(addr), n(src, size)),
                    emit(|m| m.store(size, addr, src)),
                );
            }
            for imm in [0, 1, -1, 127, -128] {
                g.case(
                    format!("mov {} {}, {imm}", ptr(size), a(addr)),
                    emit(|m| m.store_imm(size, addr, imm)),
                );
            }
            if size.bits() >= 32 {
                for imm in [128, -129, i32::MAX, i32::MIN] {
                    g.case(
                        format!("mov {} {}, {imm}", ptr(size), a(addr)),
                        emit(|m| m.store_imm(size, addr, imm)),
                    );
                }
            }
        }
    }
    g.case("lea rax, [rbx + 8]", emit(|m| m.lea(d(RAX), at(RBX, 8))));
    g.case("mov rax, rbx", emit(|m| m.lea(d(RAX), at(RBX, 0))));
    g.case("add rbx, 8", emit(|m| m.lea(d(RBX), at(RBX, 8))));
    g.case("sub rbx, -128", emit(|m| m.lea(d(RBX), at(RBX, 128))));
    g.case(
        "lea rbx, [rbx + rcx*8 - 16]",
        emit(|m| m.lea(d(RBX), at_index(RBX, RCX, Scale::S8, -16))),
    );
    g.case(
        "lea r13, [rcx + r13]",
        emit(|m| m.lea(d(R13), at_index(R13, RCX, Scale::S1, 0))),
    );
    g.case("lea rdx, [rip + 9f]; ret; 9:", {
        emit(|m| {
            let l = m.new_label();
            m.label_addr(d(RDX), l);
            m.ret();
            m.bind(l);
        })
    });
    g.case(
        "9:; lea r9, [rip + 9b]",
        emit(|m| {
            let l = m.here();
            m.label_addr(d(R9), l);
        }),
    );
    g.case(
        "mov r11, rdi; mov rdi, rsi; mov rsi, r11; xor edx, edx",
        emit(|m| m.move_args(&[RSI.into(), RDI.into(), 0.into()])),
    );
    g.case(
        "mov rdi, r13; mov esi, 5",
        emit(|m| m.move_args(&[R13.into(), 5.into()])),
    );
    g.finish();
}

/// Text of an immediate that may have to come through r11; the first part is what precedes the instruction.
fn imm_text(size: Size, imm: i64) -> (String, String) {
    let imm = size.sign_extend(imm);
    if i32::try_from(imm).is_ok() {
        (String::new(), imm.to_string())
    } else if u32::try_from(imm).is_ok() {
        (format!("mov r11d, {imm}; "), n(R11, size))
    } else {
        (format!("movabs r11, {imm}; "), n(R11, size))
    }
}

#[test]
fn alu() {
    let mut g = golden("x64_alu");
    for op in ALU {
        let name = alu_name(op);
        for size in REG_SIZES {
            for dst in SOME {
                for rhs in REGS {
                    let text = format!("{name} {}, {}", n(dst, size), n(rhs, size));
                    g.case(text, emit(|m| m.alu(op, size, d(dst), dst, rhs)));
                }
                for addr in MEM {
                    let text = format!("{name} {}, {}", n(dst, size), a(addr));
                    g.case(text, emit(|m| m.alu(op, size, d(dst), dst, addr)));
                    let lhs = if dst == RDX { RSI } else { RDX };
                    let text = format!(
                        "mov {0}, {1}; {name} {0}, {2}",
                        n(dst, size),
                        n(lhs, size),
                        a(addr)
                    );
                    let reads_dst = addr.uses(dst);
                    let s = n(R11, size);
                    let text = if reads_dst {
                        format!(
                            "mov {s}, {}; {name} {s}, {}; mov {}, {s}",
                            n(lhs, size),
                            a(addr),
                            n(dst, size)
                        )
                    } else {
                        text
                    };
                    g.case(text, emit(|m| m.alu(op, size, d(dst), lhs, addr)));
                }
                for imm in IMMS.into_iter().chain(WIDE) {
                    g.case(
                        alu_imm_text(op, size, dst, dst, imm),
                        emit(|m| m.alu(op, size, d(dst), dst, imm)),
                    );
                    g.case(
                        alu_imm_text(op, size, dst, R9, imm),
                        emit(|m| m.alu(op, size, d(dst), R9, imm)),
                    );
                }
            }
            // Three registers: the destination is the right operand, and all different.
            let (c, s) = (n(RCX, size), n(RSI, size));
            let text = match op {
                AluOp::Sub => format!("neg {c}; add {c}, {s}"),
                AluOp::Add => format!("add {c}, {s}"),
                _ => format!("{name} {c}, {s}"),
            };
            g.case(text, emit(|m| m.alu(op, size, d(RCX), RSI, RCX)));
            let text = match op {
                AluOp::Add => format!("lea {c}, [rsi + rdx]"),
                _ => format!("mov {c}, {s}; {name} {c}, {}", n(RDX, size)),
            };
            g.case(text, emit(|m| m.alu(op, size, d(RCX), RSI, RDX)));
        }
    }
    g.case(
        "lea eax, [rcx + r13]",
        emit(|m| m.alu(AluOp::Add, Size::B32, d(RAX), R13, RCX)),
    );
    g.finish();
    for size in [Size::B8, Size::B16] {
        assert!(matches!(
            error(|m| m.alu(AluOp::Add, size, d(RAX), RAX, 1)),
            AsmError::Unsupported(_)
        ));
    }
}

/// What `alu` with a constant is expected to be.
fn alu_imm_text(op: AluOp, size: Size, dst: Gpr, lhs: Gpr, imm: i64) -> String {
    let (to, from) = (n(dst, size), n(lhs, size));
    let name = alu_name(op);
    let same = dst == lhs;
    let mov = if same {
        String::new()
    } else {
        format!("mov {to}, {from}; ")
    };
    let mov_only = match (same, size) {
        (true, Size::B64) => String::new(),
        _ => format!("mov {to}, {from}"),
    };
    let value = size.sign_extend(imm);
    let negated = if op == AluOp::Sub {
        -i128::from(value)
    } else {
        i128::from(value)
    };
    match op {
        AluOp::Add | AluOp::Sub if i32::try_from(negated).is_ok() => match negated {
            0 => mov_only,
            128 if same => format!("sub {to}, -128"),
            _ if same => format!("add {to}, {negated}"),
            _ if negated < 0 => format!("lea {to}, [{} - {}]", r(lhs), -negated),
            _ => format!("lea {to}, [{} + {negated}]", r(lhs)),
        },
        AluOp::And => match size.zero_extend(imm) {
            0 => format!("xor {0}, {0}", n(dst, Size::B32)),
            0xff => format!("movzx {}, {}", n(dst, Size::B32), n(lhs, Size::B8)),
            0xffff => format!("movzx {}, {}", n(dst, Size::B32), n(lhs, Size::B16)),
            0xffff_ffff => format!("mov {}, {}", n(dst, Size::B32), n(lhs, Size::B32)),
            u64::MAX => mov_only,
            mask if u32::try_from(mask).is_ok() => {
                let mov = if same {
                    String::new()
                } else {
                    format!("mov {}, {}; ", n(dst, Size::B32), n(lhs, Size::B32))
                };
                format!("{mov}and {}, {}", n(dst, Size::B32), mask as u32 as i32)
            }
            _ => {
                let (first, operand) = imm_text(size, imm);
                format!("{first}{mov}and {to}, {operand}")
            }
        },
        AluOp::Or | AluOp::Xor if value == 0 => mov_only,
        AluOp::Xor if value == -1 => format!("{mov}not {to}"),
        _ => {
            let (first, operand) = imm_text(size, imm);
            format!("{first}{mov}{name} {to}, {operand}")
        }
    }
}

#[test]
fn alu_branch() {
    let mut g = golden("x64_alu_branch");
    let conds = [
        (AluCond::Zero, "e"),
        (AluCond::NonZero, "ne"),
        (AluCond::Overflow, "o"),
        (AluCond::NoOverflow, "no"),
        (AluCond::Carry, "b"),
        (AluCond::NoCarry, "ae"),
        (AluCond::Sign, "s"),
        (AluCond::NoSign, "ns"),
    ];
    for op in ALU {
        let name = alu_name(op);
        for (cond, cc) in conds {
            let arithmetic = matches!(op, AluOp::Add | AluOp::Sub);
            if !arithmetic && matches!(cc, "o" | "no" | "b" | "ae") {
                assert!(matches!(
                    error(|m| {
                        let l = m.here();
                        m.alu_branch(op, Size::B32, d(RAX), RAX, RCX, cond, l);
                    }),
                    AsmError::Unsupported(_)
                ));
                continue;
            }
            for size in REG_SIZES {
                let reg = |r| n(r, size);
                let mut case = |text: String, dst: Gpr, lhs: Gpr, rhs: Operand| {
                    let bytes = emit_to(|m, l| m.alu_branch(op, size, d(dst), lhs, rhs, cond, l));
                    g.case(format!("{text}; j{cc} 9f; 9:"), bytes);
                };
                case(
                    format!("{name} {}, {}", reg(RAX), reg(R8)),
                    RAX,
                    RAX,
                    R8.into(),
                );
                for addr in MEM {
                    case(
                        format!("{name} {}, {}", reg(RAX), a(addr)),
                        RAX,
                        RAX,
                        addr.into(),
                    );
                }
                for imm in IMMS.into_iter().chain(WIDE) {
                    let (first, operand) = imm_text(size, imm);
                    case(
                        format!("{first}{name} {}, {operand}", reg(RSI)),
                        RSI,
                        RSI,
                        imm.into(),
                    );
                    case(
                        format!("{first}{name} {}, {operand}", reg(RAX)),
                        RAX,
                        RAX,
                        imm.into(),
                    );
                    case(
                        format!(
                            "{first}mov {0}, {1}; {name} {0}, {operand}",
                            reg(R9),
                            reg(RSI)
                        ),
                        R9,
                        RSI,
                        imm.into(),
                    );
                }
                let (c, s, t) = (reg(RCX), reg(RSI), reg(R11));
                let reversed = match op {
                    AluOp::Sub => format!("mov {t}, {s}; sub {t}, {c}; mov {c}, {t}"),
                    _ => format!("{name} {c}, {s}"),
                };
                case(reversed, RCX, RSI, RCX.into());
                let addr = at(RCX, 8);
                case(
                    format!("mov {t}, {s}; {name} {t}, {}; mov {c}, {t}", a(addr)),
                    RCX,
                    RSI,
                    addr.into(),
                );
            }
            for size in SIZES {
                for addr in MEM {
                    let bytes = emit_to(|m, l| m.alu_to_mem_branch(op, size, addr, 1, cond, l));
                    g.case(
                        format!("{name} {} {}, 1; j{cc} 9f; 9:", ptr(size), a(addr)),
                        bytes,
                    );
                }
            }
        }
        for size in SIZES {
            for addr in MEM {
                for src in SOME {
                    let text = format!("{name} {}, {}", a(addr), n(src, size));
                    g.case(text, emit(|m| m.alu_to_mem(op, size, addr, src)));
                }
                for imm in IMMS.into_iter().chain(WIDE) {
                    let (first, operand) = imm_text(size, imm);
                    let text = format!("{first}{name} {} {}, {operand}", ptr(size), a(addr));
                    g.case(text, emit(|m| m.alu_to_mem(op, size, addr, imm)));
                }
            }
        }
    }
    g.finish();
}

#[test]
fn shifts_and_products() {
    let mut g = golden("x64_shift_mul");
    let shifts = [
        (ShiftOp::Shl, "shl"),
        (ShiftOp::Shr, "shr"),
        (ShiftOp::Sar, "sar"),
        (ShiftOp::Rotl, "rol"),
    ];
    for (op, name) in shifts {
        for size in REG_SIZES {
            for count in [0, 1, 2, 31, 32, 63, 64, -1] {
                let masked = count & i64::from(size.bits() - 1);
                for (dst, lhs) in [(RAX, RAX), (RAX, RSI), (R9, R12)] {
                    let (to, from) = (n(dst, size), n(lhs, size));
                    let mov = if dst == lhs && (masked != 0 || size == Size::B64) {
                        String::new()
                    } else {
                        format!("mov {to}, {from}; ")
                    };
                    let text = match masked {
                        0 => mov.trim_end_matches("; ").to_owned(),
                        1 => format!("{mov}{name} {to}, 1"),
                        _ => format!("{mov}{name} {to}, {masked}"),
                    };
                    g.case(text, emit(|m| m.shift(op, size, d(dst), lhs, count)));
                }
            }
            let mut case = |text: &str, dst, lhs, count: Gpr| {
                // Register names in the text stand for the size at hand.
                let mut text = text.replace("SHIFT", name);
                for reg in [RAX, RDX, RSI, R11, RCX] {
                    text = text.replace(&format!("<{}>", r(reg)), &n(reg, size));
                }
                g.case(text, emit(|m| m.shift(op, size, d(dst), lhs, count)));
            };
            case("SHIFT <rax>, cl", RAX, RAX, RCX);
            case("mov <rax>, <rsi>; SHIFT <rax>, cl", RAX, RSI, RCX);
            case("mov <rax>, <rcx>; SHIFT <rax>, cl", RAX, RCX, RCX);
            case(
                "mov <r11>, <rcx>; SHIFT <r11>, cl; mov <rcx>, <r11>",
                RCX,
                RCX,
                RCX,
            );
            case(
                "mov <r11>, <rsi>; SHIFT <r11>, cl; mov <rcx>, <r11>",
                RCX,
                RSI,
                RCX,
            );
            case(
                "mov <r11>, <rcx>; mov ecx, edx; SHIFT <r11>, cl; mov <rcx>, <r11>",
                RCX,
                RCX,
                RDX,
            );
            case(
                "mov r11, rcx; mov ecx, edx; SHIFT <rax>, cl; mov rcx, r11",
                RAX,
                RAX,
                RDX,
            );
            case(
                "mov r11, rcx; mov ecx, edx; mov <rax>, <rsi>; SHIFT <rax>, cl; mov rcx, r11",
                RAX,
                RSI,
                RDX,
            );
            case(
                "mov r11, rcx; mov ecx, edx; mov <rax>, <r11>; SHIFT <rax>, cl; mov rcx, r11",
                RAX,
                RCX,
                RDX,
            );
            case(
                "mov r11, rcx; mov ecx, edx; mov <rdx>, <rsi>; SHIFT <rdx>, cl; mov rcx, r11",
                RDX,
                RSI,
                RDX,
            );
            case(
                "mov r11, rcx; mov ecx, edx; SHIFT <rdx>, cl; mov rcx, r11",
                RDX,
                RDX,
                RDX,
            );
        }
    }
    for size in REG_SIZES {
        let reg = |r| n(r, size);
        let mut case = |text: String, dst: Gpr, lhs: Gpr, rhs: Operand| {
            g.case(text.clone(), emit(|m| m.mul(size, d(dst), lhs, rhs)));
            let bytes = emit_to(|m, l| m.mul_branch_overflow(size, d(dst), lhs, rhs, l));
            g.case(format!("{text}; jo 9f; 9:"), bytes);
        };
        for dst in SOME {
            for rhs in SOME {
                case(
                    format!("imul {}, {}", reg(dst), reg(rhs)),
                    dst,
                    dst,
                    rhs.into(),
                );
            }
            for imm in IMMS.into_iter().chain(WIDE) {
                let (first, operand) = imm_text(size, imm);
                if first.is_empty() {
                    case(
                        format!("imul {}, {}, {operand}", reg(dst), reg(R9)),
                        dst,
                        R9,
                        imm.into(),
                    );
                    case(
                        format!("imul {0}, {0}, {operand}", reg(dst)),
                        dst,
                        dst,
                        imm.into(),
                    );
                } else {
                    let d_ = reg(dst);
                    case(
                        format!("{first}mov {d_}, {}; imul {d_}, {operand}", reg(R9)),
                        dst,
                        R9,
                        imm.into(),
                    );
                    case(format!("{first}imul {d_}, {operand}"), dst, dst, imm.into());
                }
            }
        }
        for addr in MEM {
            case(
                format!("imul {}, {}", reg(RAX), a(addr)),
                RAX,
                RAX,
                addr.into(),
            );
            case(
                format!("mov {0}, {1}; imul {0}, {2}", reg(RAX), reg(RDX), a(addr)),
                RAX,
                RDX,
                addr.into(),
            );
        }
        case(
            format!("imul {}, {}", reg(RAX), reg(RDX)),
            RAX,
            RDX,
            RAX.into(),
        );
        case(
            format!("mov {0}, {1}; imul {0}, {2}", reg(RAX), reg(RDX), reg(RSI)),
            RAX,
            RDX,
            RSI.into(),
        );
        case(
            format!(
                "mov {0}, [rax + 8]; mov {1}, {2}; imul {1}, {0}",
                reg(R11),
                reg(RAX),
                reg(RDX)
            ),
            RAX,
            RDX,
            at(RAX, 8).into(),
        );
        for dst in SOME {
            g.case(
                format!("neg {}", reg(dst)),
                emit(|m| m.neg(size, d(dst), dst)),
            );
            g.case(
                format!("not {}", reg(dst)),
                emit(|m| m.not(size, d(dst), dst)),
            );
            g.case(
                format!("mov {0}, {1}; neg {0}", reg(dst), reg(R10)),
                emit(|m| m.neg(size, d(dst), R10)),
            );
            g.case(
                format!("mov {0}, {1}; not {0}", reg(dst), reg(R10)),
                emit(|m| m.not(size, d(dst), R10)),
            );
        }
        let signed = if size == Size::B64 { "cqo" } else { "cdq" };
        let (c, s, t, x) = (reg(RCX), reg(RSI), reg(R11), reg(RDX));
        let eax = reg(RAX);
        g.case(
            format!("mov rax, rsi; {signed}; idiv {c}"),
            emit(|m| m.sdiv(size, d(RAX), RSI, RCX)),
        );
        g.case(
            format!("mov rax, rsi; {signed}; idiv {c}; mov rcx, rdx"),
            emit(|m| m.srem(size, d(RCX), RSI, RCX)),
        );
        g.case(
            format!("{signed}; idiv {s}; mov r9, rax"),
            emit(|m| m.sdiv(size, d(R9), RAX, RSI)),
        );
        g.case(
            format!("mov {t}, {x}; {signed}; idiv {t}"),
            emit(|m| m.sdiv(size, d(RAX), RAX, RDX)),
        );
        g.case(
            format!("mov {t}, {eax}; mov rax, rdx; {signed}; idiv {t}"),
            emit(|m| m.srem(size, d(RDX), RDX, RAX)),
        );
        g.case(
            format!("mov rax, rsi; xor edx, edx; div {c}"),
            emit(|m| m.udiv(size, d(RAX), RSI, RCX)),
        );
        g.case(
            format!("mov {t}, {x}; xor edx, edx; div {t}; mov rsi, rdx"),
            emit(|m| m.urem(size, d(RSI), RAX, RDX)),
        );
        g.case(
            format!("{signed}; idiv {c}"),
            emit(|m| m.sdivrem(size, d(RAX), d(RDX), RAX, RCX)),
        );
        g.case(
            format!("{signed}; idiv {c}; mov r11, rdx; mov rdx, rax; mov rax, r11"),
            emit(|m| m.sdivrem(size, d(RDX), d(RAX), RAX, RCX)),
        );
    }
    g.case("mov rax, rsi; mul rcx", emit(|m| m.umulh(d(RDX), RSI, RCX)));
    g.case("mul r9; mov rdi, rdx", emit(|m| m.umulh(d(RDI), R9, RAX)));
    g.finish();
}

#[test]
fn comparisons() {
    let mut g = golden("x64_compare");
    for cond in CONDS {
        let j = cc(cond);
        let zero = match cond {
            Cond::Lt => "s",
            Cond::Ge => "ns",
            _ => j,
        };
        for size in SIZES {
            let reg = |r| n(r, size);
            let mut case = |text: String, lhs: Gpr, rhs: Operand| {
                g.case(
                    format!("{text} 9f; 9:"),
                    emit_to(|m, l| m.branch(cond, size, lhs, rhs, l)),
                );
            };
            case(
                format!("cmp {}, {}; j{j}", reg(RAX), reg(RSI)),
                RAX,
                RSI.into(),
            );
            case(
                format!("cmp {}, {}; j{j}", reg(RDI), reg(R9)),
                RDI,
                R9.into(),
            );
            for addr in MEM {
                case(
                    format!("cmp {}, {}; j{j}", reg(RDX), a(addr)),
                    RDX,
                    addr.into(),
                );
            }
            for lhs in [RAX, RSI, R8] {
                for imm in IMMS.into_iter().chain(WIDE) {
                    let (first, operand) = imm_text(size, imm);
                    let text = if size.sign_extend(imm) == 0 {
                        format!("test {0}, {0}; j{zero}", reg(lhs))
                    } else {
                        format!("{first}cmp {}, {operand}; j{j}", reg(lhs))
                    };
                    case(text, lhs, imm.into());
                }
            }
            let mut case = |text: String, addr: Addr, rhs: RegImm| {
                g.case(
                    format!("{text}; j{j} 9f; 9:"),
                    emit_to(|m, l| m.branch_mem(cond, size, addr, rhs, l)),
                );
            };
            for addr in MEM {
                case(format!("cmp {}, {}", a(addr), reg(RSI)), addr, RSI.into());
                for imm in IMMS.into_iter().chain(WIDE) {
                    let (first, operand) = imm_text(size, imm);
                    case(
                        format!("{first}cmp {} {}, {operand}", ptr(size), a(addr)),
                        addr,
                        imm.into(),
                    );
                }
            }
        }
        for size in REG_SIZES {
            let reg = |r| n(r, size);
            // Set: the destination apart, equal to an operand, part of an address.
            g.case(
                format!("xor esi, esi; cmp {}, {}; set{j} sil", reg(RAX), reg(RCX)),
                emit(|m| m.cset(cond, size, d(RSI), RAX, RCX)),
            );
            g.case(
                format!("cmp {}, {}; set{j} al; movzx eax, al", reg(RAX), reg(RCX)),
                emit(|m| m.cset(cond, size, d(RAX), RAX, RCX)),
            );
            g.case(
                format!("cmp {}, 7; set{j} r9b; movzx r9d, r9b", reg(R9)),
                emit(|m| m.cset(cond, size, d(R9), R9, 7)),
            );
            g.case(
                format!("cmp {}, [rdi + 4]; set{j} dil; movzx edi, dil", reg(RAX)),
                emit(|m| m.cset(cond, size, d(RDI), RAX, at(RDI, 4))),
            );
            g.case(
                format!("xor ecx, ecx; test {0}, {0}; set{zero} cl", reg(RAX)),
                emit(|m| m.cset(cond, size, d(RCX), RAX, 0)),
            );
            let not = cc(cond.negate());
            g.case(
                format!(
                    "cmp {}, {}; mov rdx, rdi; cmov{j} rdx, rsi",
                    reg(RAX),
                    reg(RCX)
                ),
                emit(|m| m.csel(cond, size, RAX, RCX, d(RDX), RSI, RDI)),
            );
            g.case(
                format!("cmp {}, {}; cmov{j} rdi, rsi", reg(RAX), reg(RCX)),
                emit(|m| m.csel(cond, size, RAX, RCX, d(RDI), RSI, RDI)),
            );
            g.case(
                format!("cmp {}, {}; cmov{not} rsi, rdi", reg(RAX), reg(RCX)),
                emit(|m| m.csel(cond, size, RAX, RCX, d(RSI), RSI, RDI)),
            );
            g.case(
                format!("cmp {}, -1; mov rax, r9; cmov{j} rax, r8", reg(RAX)),
                emit(|m| m.csel(cond, size, RAX, -1, d(RAX), R8, R9)),
            );
        }
    }
    for (cond, j, bt) in [(BitCond::Zero, "e", "ae"), (BitCond::NonZero, "ne", "b")] {
        for size in SIZES {
            for reg in SOME {
                for mask in REGS {
                    let text = format!("test {}, {}; j{j} 9f; 9:", n(reg, size), n(mask, size));
                    g.case(
                        text,
                        emit_to(|m, l| m.branch_bits(cond, size, reg, mask, l)),
                    );
                }
                for mask in
                    IMMS.into_iter()
                        .chain(WIDE)
                        .chain([0x80, 0x100, 0x8000_0001, 1 << 40, 3 << 40])
                {
                    let bits = size.zero_extend(mask);
                    let text = if size.sign_extend(mask) == -1 {
                        format!("test {0}, {0}; j{j}", n(reg, size))
                    } else if bits <= 0xff {
                        format!("test {}, {bits}; j{j}", n(reg, Size::B8))
                    } else if bits <= 0xffff_ffff {
                        format!("test {}, {}; j{j}", n(reg, Size::B32), bits as u32 as i32)
                    } else if bits.is_power_of_two() {
                        format!("bt {}, {}; j{bt}", r(reg), bits.trailing_zeros())
                    } else {
                        let (first, operand) = imm_text(size, mask);
                        format!("{first}test {}, {operand}; j{j}", n(reg, size))
                    };
                    let bytes = emit_to(|m, l| m.branch_bits(cond, size, reg, mask, l));
                    g.case(format!("{text} 9f; 9:"), bytes);
                }
            }
            for addr in MEM {
                let text = format!("test {}, {}; j{j} 9f; 9:", a(addr), n(RSI, size));
                g.case(
                    text,
                    emit_to(|m, l| m.branch_bits_mem(cond, size, addr, RSI, l)),
                );
                for mask in IMMS.into_iter().chain(WIDE) {
                    let bits = size.zero_extend(mask);
                    let text = if bits <= 0xff {
                        format!("test byte ptr {}, {bits}", a(addr))
                    } else if size == Size::B64 && bits <= 0xffff_ffff {
                        format!("test dword ptr {}, {}", a(addr), bits as u32 as i32)
                    } else {
                        let (first, operand) = imm_text(size, mask);
                        format!("{first}test {} {}, {operand}", ptr(size), a(addr))
                    };
                    let bytes = emit_to(|m, l| m.branch_bits_mem(cond, size, addr, mask, l));
                    g.case(format!("{text}; j{j} 9f; 9:"), bytes);
                }
            }
        }
    }
    g.case(
        "test rsi, rsi; js 9f; 9:",
        emit_to(|m, l| m.branch_sign(Size::B64, RSI, l)),
    );
    g.finish();
}

#[test]
fn doubles() {
    let mut g = golden("x64_double");
    let some = [XMM0, XMM5, XMM8, XMM14];
    for dst in some {
        for src in some {
            let (to, from) = (x(dst), x(src));
            let mov = if dst == src {
                String::new()
            } else {
                format!("movaps {to}, {from}; ")
            };
            g.case(mov.trim_end_matches("; "), emit(|m| m.fmov(d(dst), src)));
            g.case(
                format!("sqrtsd {to}, {from}"),
                emit(|m| m.fsqrt(d(dst), src)),
            );
            g.case(
                format!("pcmpeqd xmm15, xmm15; psllq xmm15, 63; {mov}xorps {to}, xmm15"),
                emit(|m| m.fneg(d(dst), src)),
            );
            g.case(
                format!("pcmpeqd xmm15, xmm15; psrlq xmm15, 1; {mov}andps {to}, xmm15"),
                emit(|m| m.fabs(d(dst), src)),
            );
            for (name, max) in [("minsd", false), ("maxsd", true)] {
                let emit_one = |m: &mut X64Masm, dst, lhs, rhs| {
                    if max {
                        m.fmax(d(dst), lhs, rhs)
                    } else {
                        m.fmin(d(dst), lhs, rhs)
                    }
                };
                g.case(
                    format!("{name} {to}, {from}"),
                    emit(|m| emit_one(m, dst, dst, src)),
                );
                g.case(
                    format!("{mov}{name} {to}, xmm3"),
                    emit(|m| emit_one(m, dst, src, XMM3)),
                );
            }
            g.case(
                format!("movsd {to}, qword ptr [rip + 9f]; 9:"),
                emit_to(|m, l| m.fload_label(d(dst), l)),
            );
            g.case(
                format!("mulsd {to}, qword ptr [rip + 9f]; 9:"),
                emit_to(|m, l| m.falu(FAlu::Mul, d(dst), dst, l)),
            );
            g.case(
                format!("ucomisd {to}, qword ptr [rip + 9f]; ja 9f; 9:"),
                emit_to(|m, l| m.fcmp_branch(FCond::Gt, dst, l, l)),
            );
            let modes = [
                (RoundMode::Nearest, 8),
                (RoundMode::Floor, 9),
                (RoundMode::Ceil, 10),
                (RoundMode::Trunc, 11),
            ];
            for (mode, imm) in modes {
                g.case(
                    format!("roundsd {to}, {from}, {imm}"),
                    emit(|m| m.fround(mode, d(dst), src)),
                );
            }
            let names = [
                (FAlu::Add, "addsd"),
                (FAlu::Sub, "subsd"),
                (FAlu::Mul, "mulsd"),
                (FAlu::Div, "divsd"),
            ];
            for (op, name) in names {
                g.case(
                    format!("{name} {to}, {from}"),
                    emit(|m| m.falu(op, d(dst), dst, src)),
                );
                if dst != src {
                    g.case(
                        format!("movaps xmm15, {to}; movaps {to}, {from}; {name} {to}, xmm15"),
                        emit(|m| m.falu(op, d(dst), src, dst)),
                    );
                    g.case(
                        format!("movaps {to}, {from}; {name} {to}, xmm3"),
                        emit(|m| m.falu(op, d(dst), src, XMM3)),
                    );
                }
                for addr in MEM {
                    g.case(
                        format!("{name} {to}, qword ptr {}", a(addr)),
                        emit(|m| m.falu(op, d(dst), dst, addr)),
                    );
                    g.case(
                        format!("movaps {to}, xmm3; {name} {to}, qword ptr {}", a(addr)),
                        emit(|m| m.falu(op, d(dst), XMM3, addr)),
                    );
                }
            }
            for cond in FCONDS {
                let (swap, jump, set) = match cond {
                    FCond::Eq => (false, "jp 1f; je 9f; 1:", ""),
                    FCond::Ne => (false, "jp 9f; jne 9f", ""),
                    FCond::Gt => (false, "ja 9f", "a"),
                    FCond::Ge => (false, "jae 9f", "ae"),
                    FCond::Lt => (true, "ja 9f", "a"),
                    FCond::Le => (true, "jae 9f", "ae"),
                    FCond::NGt => (false, "jbe 9f", "be"),
                    FCond::NGe => (false, "jb 9f", "b"),
                    FCond::NLt => (true, "jbe 9f", "be"),
                    FCond::NLe => (true, "jb 9f", "b"),
                };
                let compare = match swap {
                    false => format!("ucomisd {to}, {from}"),
                    true => format!("ucomisd {from}, {to}"),
                };
                let memory = match swap {
                    false => format!("ucomisd {to}, qword ptr [rbx + 8]"),
                    true => format!("movsd xmm15, qword ptr [rbx + 8]; ucomisd xmm15, {to}"),
                };
                g.case(
                    format!("{compare}; {jump}; 9:"),
                    emit_to(|m, l| m.fcmp_branch(cond, dst, src, l)),
                );
                g.case(
                    format!("{memory}; {jump}; 9:"),
                    emit_to(|m, l| m.fcmp_branch(cond, dst, at(RBX, 8), l)),
                );
                let set = match cond {
                    FCond::Eq => "setnp r11b; sete sil; and sil, r11b".to_owned(),
                    FCond::Ne => "setp r11b; setne sil; or sil, r11b".to_owned(),
                    _ => format!("set{set} sil"),
                };
                g.case(
                    format!("{compare}; {set}; movzx esi, sil"),
                    emit(|m| m.fcset(cond, d(RSI), dst, src)),
                );
            }
        }
        let to = x(dst);
        for addr in MEM {
            g.case(
                format!("movsd {to}, qword ptr {}", a(addr)),
                emit(|m| m.fload(d(dst), addr)),
            );
            g.case(
                format!("movsd qword ptr {}, {to}", a(addr)),
                emit(|m| m.fstore(addr, dst)),
            );
        }
        g.case(
            format!("xorps {to}, {to}"),
            emit(|m| m.fmov_imm(d(dst), 0.0)),
        );
        g.case(
            format!("movabs r11, {}; movq {to}, r11", i64::MIN),
            emit(|m| m.fmov_imm(d(dst), -0.0)),
        );
        g.case(
            format!("movabs r11, {}; movq {to}, r11", 1.5f64.to_bits()),
            emit(|m| m.fmov_imm(d(dst), 1.5)),
        );
        for src in SOME {
            let s = r(src);
            g.case(
                format!("xorps {to}, {to}; cvtsi2sd {to}, {s}"),
                emit(|m| m.cvt_i64_f64(d(dst), src)),
            );
            let s32 = n(src, Size::B32);
            g.case(
                format!("xorps {to}, {to}; cvtsi2sd {to}, {s32}"),
                emit(|m| m.cvt_i32_f64(d(dst), src)),
            );
            g.case(
                format!("cvttsd2si {s}, {to}"),
                emit(|m| m.cvt_f64_i64_trunc(d(src), dst)),
            );
            g.case(
                format!("movq {to}, {s}"),
                emit(|m| m.bits_to_f64(d(dst), src)),
            );
            g.case(
                format!("movq {s}, {to}"),
                emit(|m| m.f64_to_bits(d(src), dst)),
            );
            g.case(
                format!("cvttsd2si {s}, {to}; xorps xmm15, xmm15; cvtsi2sd xmm15, {s}; ucomisd xmm15, {to}; jp 9f; jne 9f; 9:"),
                emit_to(|m, l| m.cvt_f64_i64_exact(d(src), dst, l)),
            );
        }
    }
    g.finish();
}

#[test]
fn control_flow() {
    let mut g = golden("x64_control");
    for reg in REGS {
        g.case(format!("jmp {}", r(reg)), emit(|m| m.jump_reg(reg)));
        g.case(format!("call {}", r(reg)), emit(|m| m.call_reg(reg)));
    }
    for addr in MEM {
        g.case(
            format!("jmp qword ptr {}", a(addr)),
            emit(|m| m.jump_mem(addr)),
        );
        g.case(
            format!("call qword ptr {}", a(addr)),
            emit(|m| m.call_mem(addr)),
        );
    }
    g.case("ret", emit(|m| m.ret()));
    g.case("ud2", emit(|m| m.trap()));
    g.case("call 9f; 9:", emit_to(|m, l| m.call_label(l)));
    // Reach: the last distance of the short form and the first beyond it, both ways.
    for gap in [0, 126, 127, 128, 129, 300] {
        let fill = format!(".fill {gap}, 1, 0xc3");
        let filler = |m: &mut X64Masm| m.emit_bytes(&vec![0xc3; gap]);
        g.case(
            format!("jmp 9f; {fill}; 9:"),
            emit_to(|m, l| {
                m.jump(l);
                filler(m);
            }),
        );
        g.case(
            format!("test eax, eax; je 9f; {fill}; 9:"),
            emit_to(|m, l| {
                m.branch(Cond::Eq, Size::B32, RAX, 0, l);
                filler(m);
            }),
        );
        g.case(
            format!("9:; {fill}; jmp 9b"),
            emit(|m| {
                let l = m.here();
                filler(m);
                m.jump(l);
            }),
        );
        g.case(
            format!("9:; {fill}; test eax, eax; jne 9b"),
            emit(|m| {
                let l = m.here();
                filler(m);
                m.branch(Cond::Ne, Size::B32, RAX, 0, l);
            }),
        );
    }
    // A branch that grows pushes another one out of reach.
    g.case(
        "jmp 2f; jmp 1f; .fill 123, 1, 0xc3; 2:; .fill 5, 1, 0xc3; 1:",
        emit(|m| {
            let (one, two) = (m.new_label(), m.new_label());
            m.jump(two);
            m.jump(one);
            m.emit_bytes(&[0xc3; 123]);
            m.bind(two);
            m.emit_bytes(&[0xc3; 5]);
            m.bind(one);
        }),
    );
    let saved = "push rbp; mov rbp, rsp; push rbx; push r12; push r13; push r14; push r15";
    for (locals, bytes) in [
        (0, 8),
        (1, 8),
        (2, 24),
        (14, 120),
        (15, 120),
        (16, 136),
        (1000, 8008),
    ] {
        g.case(
            format!("{saved}; sub rsp, {bytes}"),
            emit(|m| m.prologue(locals)),
        );
    }
    g.case(
        "lea rsp, [rbp - 40]; pop r15; pop r14; pop r13; pop r12; pop rbx; pop rbp",
        emit(|m| m.epilogue()),
    );
    assert_eq!(X64Masm::local(0), at(RBP, -48));
    assert_eq!(X64Masm::local(3), at(RBP, -72));
    g.case(
        "movabs r11, 81985529216486895; jmp r11",
        emit(|m| m.jump_abs(0x123_4567_89ab_cdef)),
    );
    g.case(
        "movabs r11, 81985529216486895; call r11",
        emit(|m| m.call_abs(0x123_4567_89ab_cdef)),
    );
    g.finish();
}

#[test]
fn absolute_targets_near_a_known_address() {
    let base = 0x7f00_0000_0000u64;
    let code = |target: u64, call: bool| {
        let mut m = X64Masm::new_at(base);
        if call {
            m.call_abs(target)
        } else {
            m.jump_abs(target)
        }
        m.finalize().unwrap().bytes
    };
    // The distance counts from the end of the instruction.
    assert_eq!(code(base + 2 + 127, false), [0xeb, 127]);
    assert_eq!(code(base + 5 + 0x1000, false), [0xe9, 0x00, 0x10, 0, 0]);
    assert_eq!(
        code(base + 5 - 0x1000, true),
        [0xe8, 0x00, 0xf0, 0xff, 0xff]
    );
    assert_eq!(
        code(base + 5 + 0x7fff_ffff, true),
        [0xe8, 0xff, 0xff, 0xff, 0x7f]
    );
    assert_eq!(code(base + 5 + 0x8000_0000, true).len(), 13);
}

#[test]
fn patchable_jumps_are_aligned() {
    for before in 0..8 {
        let mut m = X64Masm::new();
        m.emit_bytes(&vec![0x90; before]);
        let l = m.new_label();
        let after = m.jump_patchable(l);
        m.emit_bytes(&[0xcc; 200]);
        m.bind(l);
        let code = m.finalize().unwrap();
        let after = code.label_offset(after).unwrap() as usize;
        assert_eq!((after % 4, code.align), (0, 4));
        assert!(after < before + 9);
        assert_eq!(code.bytes[after - 5..after], [0xe9, 200, 0, 0, 0]);
    }
}

#[test]
fn data_symbols_and_alignment() {
    let mut m = X64Masm::new();
    m.begin_symbol("first");
    let start = m.here();
    m.ret();
    m.align(8);
    let table = m.here();
    m.emit_u16(0x0102);
    m.emit_u32(0x0304_0506);
    m.emit_u64(0x1122_3344_5566_7788);
    m.emit_label_diff(table, start);
    m.end_symbol();
    m.begin_symbol("second");
    m.jump(start);
    m.end_symbol();
    assert!(m.offset() >= 26);
    let code = m.finalize().unwrap();
    assert_eq!(code.label_offset(table), Some(8));
    assert_eq!(code.align, 8);
    assert_eq!(code.bytes[0], 0xc3);
    let data = [
        2, 1, 6, 5, 4, 3, 0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11, 8, 0, 0, 0,
    ];
    assert_eq!(code.bytes[8..26], data);
    let names: Vec<_> = code
        .symbols
        .iter()
        .map(|s| (s.name.as_str(), s.start, s.end))
        .collect();
    assert_eq!(names, [("first", 0, 26), ("second", 26, 28)]);
}

#[test]
fn errors_are_latched() {
    assert!(matches!(
        error(|m| {
            let l = m.new_label();
            m.jump(l);
        }),
        AsmError::UnboundLabel(_)
    ));
    assert!(matches!(
        error(|m| {
            let l = m.here();
            m.bind(l);
        }),
        AsmError::LabelBoundTwice(_)
    ));
    assert_eq!(
        error(|m| m.with_scratch(|m, s| m.alu(AluOp::Or, Size::B64, d(s), s, i64::MAX))),
        AsmError::ScratchBusy
    );
    assert_eq!(
        error(|m| m.with_scratch(|m, _| m.with_scratch(|_, _| {}))),
        AsmError::ScratchBusy
    );
    assert!(matches!(
        error(|m| m.begin_symbol("open")),
        AsmError::BadSymbol(_)
    ));
    assert!(matches!(error(|m| m.end_symbol()), AsmError::BadSymbol(_)));
    let fine = emit(|m| m.with_scratch(|m, s| m.mov(d(s), RAX)));
    assert_eq!(fine, [0x49, 0x89, 0xc3]);
}
