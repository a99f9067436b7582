//! Encodings of every method of the portable trait, with edge constants and addresses.

use super::A64Masm;
use super::regs::*;
use crate::golden::Golden;
use crate::masm::Masm;
use crate::operand::*;
use crate::reg::{Fpr, Gpr, d};
use crate::{AsmError, Label};

const REG_SIZES: [Size; 2] = [Size::B32, Size::B64];
const SIZES: [Size; 4] = [Size::B8, Size::B16, Size::B32, Size::B64];
const ALU: [(AluOp, &str); 5] = [
    (AluOp::Add, "add"),
    (AluOp::Sub, "sub"),
    (AluOp::And, "and"),
    (AluOp::Or, "orr"),
    (AluOp::Xor, "eor"),
];
const CONDS: [(Cond, &str); 10] = [
    (Cond::Eq, "eq"),
    (Cond::Ne, "ne"),
    (Cond::Lt, "lt"),
    (Cond::Le, "le"),
    (Cond::Gt, "gt"),
    (Cond::Ge, "ge"),
    (Cond::Below, "lo"),
    (Cond::BelowEq, "ls"),
    (Cond::Above, "hi"),
    (Cond::AboveEq, "hs"),
];

fn golden(file: &'static str) -> Golden {
    Golden::new(file, &["-triple=aarch64"], "")
}

fn emit(body: impl FnOnce(&mut A64Masm)) -> Vec<u8> {
    let mut m = A64Masm::new();
    body(&mut m);
    m.finalize().expect("the code is complete").bytes
}

/// With a label bound behind the code; `9f` in the text.
fn emit_to(body: impl FnOnce(&mut A64Masm, Label)) -> Vec<u8> {
    emit(|m| {
        let end = m.new_label();
        body(m, end);
        m.bind(end);
    })
}

/// Register name in the size of an operation: narrow ones compute in 32 bits.
fn n(number: u8, size: Size) -> String {
    format!("{}{number}", if size == Size::B64 { "x" } else { "w" })
}

#[test]
fn constants_and_moves() {
    let mut g = golden("a64_mov");
    let constants: &[(i64, &str)] = &[
        (0, "movz x3, #0"),
        (1, "movz x3, #1"),
        (-1, "movn x3, #0"),
        (-2, "movn x3, #1"),
        (127, "movz x3, #127"),
        (128, "movz x3, #128"),
        (-128, "movn x3, #127"),
        (-129, "movn x3, #128"),
        (0xffff, "movz x3, #0xffff"),
        (0x10000, "movz x3, #1, lsl #16"),
        (0x12345, "movz x3, #0x2345; movk x3, #1, lsl #16"),
        (-0x12345, "movn x3, #0x2344; movk x3, #0xfffe, lsl #16"),
        (0x7fff_ffff, "orr x3, xzr, #0x7fffffff"),
        (0xffff_ffff, "orr x3, xzr, #0xffffffff"),
        (-0x8000_0000, "orr x3, xzr, #0xffffffff80000000"),
        (0x8000_0000, "movz x3, #0x8000, lsl #16"),
        (1 << 32, "movz x3, #1, lsl #32"),
        (i64::MAX, "movn x3, #0x8000, lsl #48"),
        (i64::MIN, "movz x3, #0x8000, lsl #48"),
        (0x5555_5555_5555_5555, "orr x3, xzr, #0x5555555555555555"),
        (
            0x1234_5678_9abc_def0,
            "movz x3, #0xdef0; movk x3, #0x9abc, lsl #16; movk x3, #0x5678, lsl #32; movk x3, #0x1234, lsl #48",
        ),
        (-0xffff_0001, "movn x3, #0xffff, lsl #16"),
    ];
    for &(imm, text) in constants {
        g.case(text, emit(|m| m.mov_imm(d(x(3)), imm)));
    }
    g.case("mov x1, x2", emit(|m| m.mov(d(x(1)), x(2))));
    g.case("", emit(|m| m.mov(d(x(1)), x(1))));
    g.case("mov x1, sp", emit(|m| m.mov(d(x(1)), SP)));
    g.case("adr x4, 9f; 9:", emit_to(|m, l| m.label_addr(d(x(4)), l)));
    g.case(
        "adr x15, 9f; ldr d4, [x15]; 9:",
        emit_to(|m, l| m.fload_label(d(Fpr(4)), l)),
    );
    let kinds = [
        (LoadKind::U8, "uxtb w1, w2"),
        (LoadKind::S8To32, "sxtb w1, w2"),
        (LoadKind::S8To64, "sxtb x1, w2"),
        (LoadKind::U16, "uxth w1, w2"),
        (LoadKind::S16To32, "sxth w1, w2"),
        (LoadKind::S16To64, "sxth x1, w2"),
        (LoadKind::U32, "mov w1, w2"),
        (LoadKind::S32To64, "sxtw x1, w2"),
        (LoadKind::U64, "mov x1, x2"),
    ];
    for (kind, text) in kinds {
        g.case(text, emit(|m| m.extend(kind, d(x(1)), x(2))));
    }
    let addresses: &[(Addr, &str)] = &[
        (at(x(2), 0), "mov x1, x2"),
        (at(SP, 16), "add x1, sp, #16"),
        (at(x(2), -8), "sub x1, x2, #8"),
        (at(x(2), 4096), "add x1, x2, #1, lsl #12"),
        (at(x(2), 4097), "movz x16, #4097; add x1, x2, x16"),
        (at(SP, -4097), "movn x16, #4096; add x1, sp, x16, uxtx"),
        (at_index(x(2), x(3), Scale::S8, 0), "add x1, x2, x3, lsl #3"),
        (at_index(SP, x(3), Scale::S2, 0), "add x1, sp, x3, uxtx #1"),
        (
            at_index(x(2), x(1), Scale::S1, 24),
            "add x16, x2, #24; add x1, x16, x1",
        ),
        (
            at_index(x(1), x(3), Scale::S4, 4097),
            "movz x16, #4097; add x16, x1, x16; add x1, x16, x3, lsl #2",
        ),
    ];
    for &(addr, text) in addresses {
        g.case(text, emit(|m| m.lea(d(x(1)), addr)));
    }
    g.case("mov x9, x0; mov x0, x1; mov x1, x9; movz x2, #7", {
        emit(|m| {
            // Through the register that `with_scratch` lends.
            m.move_args(&[x(1).into(), x(0).into(), 7.into()]);
        })
    });
    g.case(
        "mov x9, x5",
        emit(|m| m.with_scratch(|m, s| m.mov(d(s), x(5)))),
    );
    g.finish();
}

#[test]
fn loads_and_stores() {
    let mut g = golden("a64_mem");
    let kinds = [
        (LoadKind::U8, "ldrb", "ldurb", "w5", 0u32),
        (LoadKind::S8To32, "ldrsb", "ldursb", "w5", 0),
        (LoadKind::S8To64, "ldrsb", "ldursb", "x5", 0),
        (LoadKind::U16, "ldrh", "ldurh", "w5", 1),
        (LoadKind::S16To32, "ldrsh", "ldursh", "w5", 1),
        (LoadKind::S16To64, "ldrsh", "ldursh", "x5", 1),
        (LoadKind::U32, "ldr", "ldur", "w5", 2),
        (LoadKind::S32To64, "ldrsw", "ldursw", "x5", 2),
        (LoadKind::U64, "ldr", "ldur", "x5", 3),
    ];
    // The text of an access, given the names of its forms.
    let access = |addr: Addr, op: &str, unscaled: &str, reg: &str, log2: u32| -> String {
        let base = if addr.base == SP {
            "sp".to_owned()
        } else {
            format!("x{}", addr.base.0)
        };
        let disp = addr.disp;
        let fits = disp >= 0 && disp % (1 << log2) == 0 && disp >> log2 < 4096;
        let direct = |base: &str| {
            if fits {
                format!("{op} {reg}, [{base}, #{disp}]")
            } else {
                format!("{unscaled} {reg}, [{base}, #{disp}]")
            }
        };
        let reachable = fits || (-256..256).contains(&disp);
        let constant = match disp {
            0x7fff_ffff => "orr x16, xzr, #0x7fffffff".to_owned(),
            i32::MIN => "orr x16, xzr, #0xffffffff80000000".to_owned(),
            _ if disp < 0 => format!("movn x16, #{}", !disp),
            _ if disp < 65536 => format!("movz x16, #{disp}"),
            _ => format!("movz x16, #{}, lsl #16", disp >> 16),
        };
        match addr.index {
            None if reachable => direct(&base),
            None => format!("{constant}; {op} {reg}, [{base}, x16]"),
            Some((i, Scale::S1)) if disp == 0 => format!("{op} {reg}, [{base}, x{}]", i.0),
            Some((i, scale)) if disp == 0 && u32::from(scale.log2()) == log2 => {
                format!("{op} {reg}, [{base}, x{}, lsl #{log2}]", i.0)
            }
            Some((i, scale)) if reachable => {
                let add = if base == "sp" {
                    format!("add x16, sp, x{}, uxtx #{}", i.0, scale.log2())
                } else {
                    format!("add x16, {base}, x{}, lsl #{}", i.0, scale.log2())
                };
                format!("{add}; {}", direct("x16"))
            }
            Some((i, scale)) => {
                let first = match disp {
                    256..=4095 => format!("add x16, {base}, #{disp}"),
                    -4095..=-257 => format!("sub x16, {base}, #{}", -disp),
                    4096 | 32768 | 65536 => format!("add x16, {base}, #{}, lsl #12", disp >> 12),
                    _ => format!("{constant}; add x16, {base}, x16"),
                };
                format!(
                    "{first}; add x16, x16, x{}, lsl #{}; {op} {reg}, [x16]",
                    i.0,
                    scale.log2()
                )
            }
        }
    };
    let mut addresses = Vec::new();
    for disp in [
        0,
        1,
        8,
        255,
        256,
        -1,
        -256,
        -257,
        4095,
        4096,
        32760,
        32768,
        65536,
        i32::MAX,
        i32::MIN,
    ] {
        addresses.push(at(x(20), disp));
        addresses.push(at_index(x(20), x(3), Scale::S8, disp));
        addresses.push(at_index(x(20), x(3), Scale::S1, disp));
    }
    addresses.push(at(SP, 24));
    for scale in [Scale::S2, Scale::S4] {
        addresses.push(at_index(x(20), x(3), scale, 0));
    }
    addresses.push(at_index(SP, x(3), Scale::S1, 0));
    addresses.push(at_index(SP, x(3), Scale::S1, 8));
    for &addr in &addresses {
        for (kind, op, unscaled, reg, log2) in kinds {
            g.case(
                access(addr, op, unscaled, reg, log2),
                emit(|m| m.load(kind, d(x(5)), addr)),
            );
        }
        let stores = [
            ("strb", "sturb", "w5"),
            ("strh", "sturh", "w5"),
            ("str", "stur", "w5"),
            ("str", "stur", "x5"),
        ];
        for (log2, (size, (op, unscaled, reg))) in SIZES.into_iter().zip(stores).enumerate() {
            g.case(
                access(addr, op, unscaled, reg, log2 as u32),
                emit(|m| m.store(size, addr, x(5))),
            );
        }
        g.case(
            access(addr, "ldr", "ldur", "d5", 3),
            emit(|m| m.fload(d(v(5)), addr)),
        );
        g.case(
            access(addr, "str", "stur", "d5", 3),
            emit(|m| m.fstore(addr, v(5))),
        );
    }
    g.case(
        "strb wzr, [x1]",
        emit(|m| m.store_imm(Size::B8, at(x(1), 0), 0)),
    );
    g.case(
        "movz x15, #255; strb w15, [x1]",
        emit(|m| m.store_imm(Size::B8, at(x(1), 0), -1)),
    );
    g.case(
        "movz x15, #0xffff; strh w15, [x1]",
        emit(|m| m.store_imm(Size::B16, at(x(1), 0), -1)),
    );
    g.case(
        "orr x15, xzr, #0xffffffff; str w15, [x1]",
        emit(|m| m.store_imm(Size::B32, at(x(1), 0), -1)),
    );
    g.case(
        "movn x15, #0; str x15, [x1]",
        emit(|m| m.store_imm(Size::B64, at(x(1), 0), -1)),
    );
    g.case(
        "movz x15, #5; movz x16, #0x8, lsl #16; str x15, [x1, x16]",
        emit(|m| m.store_imm(Size::B64, at(x(1), 0x80000), 5)),
    );
    g.finish();
}

#[test]
fn arithmetic() {
    let mut g = golden("a64_alu");
    for (op, name) in ALU {
        for size in REG_SIZES {
            let (a, b, c) = (n(1, size), n(2, size), n(3, size));
            let load = if size == Size::B64 {
                "ldr x17"
            } else {
                "ldr w17"
            };
            let val = n(17, size);
            let t = n(15, size);
            let mut case = |text: String, rhs: Operand| {
                g.case(text, emit(|m| m.alu(op, size, d(x(1)), x(2), rhs)))
            };
            case(format!("{name} {a}, {b}, {c}"), x(3).into());
            case(
                format!("{load}, [x4, #8]; {name} {a}, {b}, {val}"),
                at(x(4), 8).into(),
            );
            if matches!(op, AluOp::Add | AluOp::Sub) {
                let other = if op == AluOp::Add { "sub" } else { "add" };
                case(format!("add {a}, {b}, #0"), 0.into());
                for imm in [1, 127, 128, 4095] {
                    case(format!("{name} {a}, {b}, #{imm}"), imm.into());
                    case(format!("{other} {a}, {b}, #{imm}"), (-imm).into());
                }
                case(format!("{name} {a}, {b}, #1, lsl #12"), 4096.into());
                case(
                    format!("{name} {a}, {b}, #0xfff, lsl #12"),
                    0xff_f000.into(),
                );
                case(
                    format!("movz x15, #4097; {name} {a}, {b}, {t}"),
                    4097.into(),
                );
                case(
                    format!("movz x15, #0x100, lsl #16; {name} {a}, {b}, {t}"),
                    0x100_0000.into(),
                );
                if size == Size::B64 {
                    case(
                        format!("movn x15, #4096; {name} {a}, {b}, {t}"),
                        (-4097).into(),
                    );
                    case(
                        format!("movz x15, #0x8000, lsl #48; {name} {a}, {b}, {t}"),
                        i64::MIN.into(),
                    );
                } else {
                    case(format!("{name} {a}, {b}, #1"), 0x1_0000_0001i64.into());
                    case(format!("{other} {a}, {b}, #1"), 0xffff_ffffi64.into());
                }
            } else {
                case(
                    format!(
                        "{name} {a}, {b}, {}",
                        if size == Size::B64 { "xzr" } else { "wzr" }
                    ),
                    0.into(),
                );
                for imm in [1i64, 2, 127, 128, 255, 0xffff, 0x7fff_ffff] {
                    case(format!("{name} {a}, {b}, #{imm}"), imm.into());
                }
                for imm in [-128i64, i32::MIN.into()] {
                    let shown = if size == Size::B64 {
                        imm as u64
                    } else {
                        u64::from(imm as u32)
                    };
                    case(format!("{name} {a}, {b}, #{shown:#x}"), imm.into());
                }
                case(format!("movz x15, #5; {name} {a}, {b}, {t}"), 5.into());
                let ones = if size == Size::B64 {
                    "movn x15, #0"
                } else {
                    "orr x15, xzr, #0xffffffff"
                };
                case(format!("{ones}; {name} {a}, {b}, {t}"), (-1).into());
                if size == Size::B64 {
                    case(
                        format!("movn x15, #0x84; {name} {a}, {b}, {t}"),
                        (-0x85).into(),
                    );
                }
            }
        }
    }
    let flags = [
        (AluCond::Zero, ""),
        (AluCond::NonZero, ""),
        (AluCond::Sign, ""),
        (AluCond::NoSign, ""),
        (AluCond::Overflow, "vs"),
        (AluCond::NoOverflow, "vc"),
        (AluCond::Carry, "hs"),
        (AluCond::NoCarry, "lo"),
    ];
    for (op, name) in ALU {
        for (cond, cc) in flags {
            for size in REG_SIZES {
                let (a, b, c) = (n(1, size), n(2, size), n(3, size));
                let top = size.bits() - 1;
                let jump = match cond {
                    AluCond::Zero => format!("cbz {a}, 9f"),
                    AluCond::NonZero => format!("cbnz {a}, 9f"),
                    AluCond::Sign => format!("tbnz {a}, #{top}, 9f"),
                    AluCond::NoSign => format!("tbz {a}, #{top}, 9f"),
                    AluCond::Carry if op == AluOp::Sub => "b.lo 9f".to_owned(),
                    AluCond::NoCarry if op == AluOp::Sub => "b.hs 9f".to_owned(),
                    _ => format!("b.{cc} 9f"),
                };
                let with_flags = !cc.is_empty();
                if with_flags && !matches!(op, AluOp::Add | AluOp::Sub) {
                    let mut m = A64Masm::new();
                    let l = m.here();
                    m.alu_branch(op, size, d(x(1)), x(2), x(3), cond, l);
                    assert!(matches!(m.finalize(), Err(AsmError::Unsupported(_))));
                    continue;
                }
                let s = if with_flags { "s" } else { "" };
                let mut case = |text: String, rhs: Operand| {
                    let bytes = emit_to(|m, l| m.alu_branch(op, size, d(x(1)), x(2), rhs, cond, l));
                    g.case(format!("{text}; {jump}; 9:"), bytes);
                };
                case(format!("{name}{s} {a}, {b}, {c}"), x(3).into());
                case(format!("{name}{s} {a}, {b}, #1"), 1.into());
                if matches!(op, AluOp::Add | AluOp::Sub) {
                    let other = if op == AluOp::Add { "sub" } else { "add" };
                    case(format!("{other}{s} {a}, {b}, #1"), (-1).into());
                    case(
                        format!("movz x15, #4097; {name}{s} {a}, {b}, {}", n(15, size)),
                        4097.into(),
                    );
                }
            }
            if op != AluOp::Sub {
                continue;
            }
            for (size, load, store) in [
                (Size::B8, "ldrb w", "strb w"),
                (Size::B16, "ldrh w", "strh w"),
                (Size::B32, "ldr w", "str w"),
                (Size::B64, "ldr x", "str x"),
            ] {
                let narrow = size.bits() < 32;
                let val = n(17, size);
                let top = size.bits() - 1;
                let mask = if size == Size::B8 { 0xff } else { 0xffff };
                let jump = match cond {
                    AluCond::Zero if narrow => format!("tst w17, #{mask}; b.eq 9f"),
                    AluCond::NonZero if narrow => format!("tst w17, #{mask}; b.ne 9f"),
                    AluCond::Zero => format!("cbz {val}, 9f"),
                    AluCond::NonZero => format!("cbnz {val}, 9f"),
                    AluCond::Sign => {
                        format!("tbnz w17, #{top}, 9f").replace("w17, #63", "x17, #63")
                    }
                    AluCond::NoSign => {
                        format!("tbz w17, #{top}, 9f").replace("w17, #63", "x17, #63")
                    }
                    AluCond::Carry => "b.lo 9f".to_owned(),
                    AluCond::NoCarry => "b.hs 9f".to_owned(),
                    _ => format!("b.{cc} 9f"),
                };
                let text = if cc.is_empty() {
                    format!(
                        "{load}17, [x4, #2]; sub {val}, {val}, #1; {store}17, [x4, #2]; {jump}; 9:"
                    )
                } else if narrow {
                    let shift = 32 - size.bits();
                    let one = if size == Size::B8 {
                        "movz x15, #0x100, lsl #16"
                    } else {
                        "movz x15, #1, lsl #16"
                    };
                    format!(
                        "{load}17, [x4, #2]; lsl w17, w17, #{shift}; {one}; subs w17, w17, w15; lsr w14, w17, #{shift}; \
                         {store}14, [x4, #2]; {jump}; 9:"
                    )
                } else {
                    format!(
                        "{load}17, [x4, #2]; subs {val}, {val}, #1; {store}17, [x4, #2]; {jump}; 9:"
                    )
                };
                let text = match size {
                    Size::B32 | Size::B64 => text.replace("ldr ", "ldur ").replace("str ", "stur "),
                    _ => text,
                };
                let disp = 2;
                g.case(
                    text,
                    emit_to(|m, l| m.alu_to_mem_branch(op, size, at(x(4), disp), 1, cond, l)),
                );
            }
        }
        g.case(
            format!("ldr w17, [x4, #8]; {name} w17, w17, w5; str w17, [x4, #8]"),
            emit(|m| m.alu_to_mem(op, Size::B32, at(x(4), 8), x(5))),
        );
        g.case(
            format!("ldrh w17, [x4, #8]; {name} w17, w17, #1; strh w17, [x4, #8]"),
            emit(|m| m.alu_to_mem(op, Size::B16, at(x(4), 8), 0x10001)),
        );
    }
    let shifts = [
        (ShiftOp::Shl, "lsl"),
        (ShiftOp::Shr, "lsr"),
        (ShiftOp::Sar, "asr"),
        (ShiftOp::Rotl, "ror"),
    ];
    for (op, name) in shifts {
        for size in REG_SIZES {
            let (a, b, c) = (n(1, size), n(2, size), n(3, size));
            for count in [0, 1, 31, 32, 63] {
                let masked = count & (size.bits() - 1);
                let shown = if op == ShiftOp::Rotl {
                    size.bits() - masked
                } else {
                    masked
                };
                let text = if masked == 0 {
                    format!("mov {a}, {b}")
                } else {
                    format!("{name} {a}, {b}, #{shown}")
                };
                g.case(
                    text,
                    emit(|m| m.shift(op, size, d(x(1)), x(2), i64::from(count))),
                );
            }
            let text = match op {
                ShiftOp::Rotl => format!("neg w15, w3; ror {a}, {b}, {}", n(15, size)),
                _ => format!("{name} {a}, {b}, {c}"),
            };
            g.case(text, emit(|m| m.shift(op, size, d(x(1)), x(2), x(3))));
        }
    }
    for size in REG_SIZES {
        let (a, b, c, t, q) = (n(1, size), n(2, size), n(3, size), n(15, size), n(17, size));
        g.case("umulh x1, x2, x3", emit(|m| m.umulh(d(x(1)), x(2), x(3))));
        g.case(
            format!("mul {a}, {b}, {c}"),
            emit(|m| m.mul(size, d(x(1)), x(2), x(3))),
        );
        g.case(
            format!("movz x15, #10; mul {a}, {b}, {t}"),
            emit(|m| m.mul(size, d(x(1)), x(2), 10)),
        );
        g.case(
            format!("neg {a}, {b}"),
            emit(|m| m.neg(size, d(x(1)), x(2))),
        );
        g.case(
            format!("mvn {a}, {b}"),
            emit(|m| m.not(size, d(x(1)), x(2))),
        );
        g.case(
            format!("sdiv {a}, {b}, {c}"),
            emit(|m| m.sdiv(size, d(x(1)), x(2), x(3))),
        );
        g.case(
            format!("udiv {a}, {b}, {c}"),
            emit(|m| m.udiv(size, d(x(1)), x(2), x(3))),
        );
        g.case(
            format!("sdiv {q}, {b}, {c}; msub {a}, {q}, {c}, {b}"),
            emit(|m| m.srem(size, d(x(1)), x(2), x(3))),
        );
        g.case(
            format!("udiv {q}, {b}, {c}; msub {a}, {q}, {c}, {b}"),
            emit(|m| m.urem(size, d(x(1)), x(2), x(3))),
        );
        g.case(
            format!("sdiv {q}, {b}, {c}; msub {b}, {q}, {c}, {b}; mov {c}, {q}"),
            emit(|m| m.sdivrem(size, d(x(3)), d(x(2)), x(2), x(3))),
        );
    }
    g.case(
        "smulh x16, x2, x3; mul x2, x2, x3; cmp x16, x2, asr #63; b.ne 9f; 9:",
        emit_to(|m, l| m.mul_branch_overflow(Size::B64, d(x(2)), x(2), x(3), l)),
    );
    g.case(
        "smull x16, w2, w3; mov w2, w16; cmp x16, w16, sxtw; b.ne 9f; 9:",
        emit_to(|m, l| m.mul_branch_overflow(Size::B32, d(x(2)), x(2), x(3), l)),
    );
    g.finish();
}

#[test]
fn comparisons() {
    let mut g = golden("a64_compare");
    for (cond, cc) in CONDS {
        let signed = matches!(cond, Cond::Lt | Cond::Le | Cond::Gt | Cond::Ge);
        for size in SIZES {
            let narrow = size.bits() < 32;
            let (a, b) = (n(1, size), n(2, size));
            let ext = match size {
                Size::B8 => {
                    if signed {
                        "sxtb"
                    } else {
                        "uxtb"
                    }
                }
                _ => {
                    if signed {
                        "sxth"
                    } else {
                        "uxth"
                    }
                }
            };
            let load = match (size, signed) {
                (Size::B8, false) => "ldrb w17",
                (Size::B8, true) => "ldrsb w17",
                (Size::B16, false) => "ldrh w17",
                (Size::B16, true) => "ldrsh w17",
                (Size::B32, _) => "ldr w17",
                (Size::B64, _) => "ldr x17",
            };
            let val = n(17, size);
            let top = size.bits() - 1;
            // A narrow loaded value is extended: its sign is that of 32 bits.
            let loaded_top = if narrow { 31 } else { top };
            let zero = |reg: &str, top: u32, narrow: bool| match cond {
                Cond::Eq | Cond::BelowEq if narrow => Some(format!(
                    "tst {reg}, #{:#x}; b.eq 9f; 9:",
                    size.zero_extend(-1)
                )),
                Cond::Ne | Cond::Above if narrow => Some(format!(
                    "tst {reg}, #{:#x}; b.ne 9f; 9:",
                    size.zero_extend(-1)
                )),
                Cond::Eq | Cond::BelowEq => Some(format!("cbz {reg}, 9f; 9:")),
                Cond::Ne | Cond::Above => Some(format!("cbnz {reg}, 9f; 9:")),
                Cond::Lt => Some(format!("tbnz {reg}, #{top}, 9f; 9:")),
                Cond::Ge => Some(format!("tbz {reg}, #{top}, 9f; 9:")),
                _ => None,
            };
            let mut case = |text: String, rhs: Operand| {
                g.case(text, emit_to(|m, l| m.branch(cond, size, x(1), rhs, l)));
            };
            let compare = |text: String| format!("{text}; b.{cc} 9f; 9:");
            if narrow {
                case(
                    compare(format!("{ext} w16, w1; {ext} w15, w2; cmp w16, w15")),
                    x(2).into(),
                );
                case(
                    compare(format!("{load}, [x3]; {ext} w15, w1; cmp w15, w17")),
                    at(x(3), 0).into(),
                );
                case(compare(format!("{ext} w16, w1; cmp w16, #5")), 5.into());
                let minus = match (signed, size) {
                    (true, _) => format!("{ext} w16, w1; cmn w16, #1"),
                    (false, Size::B8) => format!("{ext} w16, w1; cmp w16, #255"),
                    _ => format!("{ext} w16, w1; movz x15, #0xffff; cmp w16, w15"),
                };
                case(compare(minus), (-1).into());
                case(
                    zero("w1", top, true)
                        .unwrap_or_else(|| compare(format!("{ext} w16, w1; cmp w16, #0"))),
                    0.into(),
                );
            } else {
                case(compare(format!("cmp {a}, {b}")), x(2).into());
                case(
                    compare(format!("{load}, [x3]; cmp {a}, {val}")),
                    at(x(3), 0).into(),
                );
                case(compare(format!("cmp {a}, #5")), 5.into());
                case(compare(format!("cmn {a}, #1")), (-1).into());
                case(compare(format!("cmp {a}, #1, lsl #12")), 4096.into());
                case(
                    compare(format!("movz x15, #4097; cmp {a}, {}", n(15, size))),
                    4097.into(),
                );
                let wide = if size == Size::B64 {
                    "movz x15, #0x8000, lsl #48; cmp x1, x15"
                } else {
                    "cmp w1, #0"
                };
                case(
                    match zero(&a, top, false) {
                        Some(text) if size == Size::B32 => text,
                        _ => compare(wide.to_owned()),
                    },
                    i64::MIN.into(),
                );
                case(
                    zero(&a, top, false).unwrap_or_else(|| compare(format!("cmp {a}, #0"))),
                    0.into(),
                );
            }
            let mut case = |text: String, rhs: RegImm| {
                g.case(
                    text,
                    emit_to(|m, l| m.branch_mem(cond, size, at(x(3), 0), rhs, l)),
                );
            };
            let reg = if narrow {
                format!("{load}, [x3]; {ext} w15, w2; cmp w17, w15")
            } else {
                format!("{load}, [x3]; cmp {val}, {b}")
            };
            case(compare(reg), x(2).into());
            case(compare(format!("{load}, [x3]; cmp {val}, #5")), 5.into());
            let zeroed = zero(&val, loaded_top, false).map(|text| format!("{load}, [x3]; {text}"));
            case(
                zeroed.unwrap_or_else(|| compare(format!("{load}, [x3]; cmp {val}, #0"))),
                0.into(),
            );
            g.case(
                if narrow {
                    format!("{ext} w16, w1; {ext} w15, w2; cmp w16, w15; cset x4, {cc}")
                } else {
                    format!("cmp {a}, {b}; cset x4, {cc}")
                },
                emit(|m| m.cset(cond, size, d(x(4)), x(1), x(2))),
            );
            if !narrow {
                g.case(
                    format!("cmp {a}, {b}; csel x4, x5, x6, {cc}"),
                    emit(|m| m.csel(cond, size, x(1), x(2), d(x(4)), x(5), x(6))),
                );
            }
        }
    }
    for (cond, cc, nz) in [(BitCond::Zero, "eq", ""), (BitCond::NonZero, "ne", "n")] {
        for size in SIZES {
            let (a, b) = (n(1, size), n(2, size));
            let ones = size.zero_extend(-1);
            let mut case = |text: String, mask: RegImm| {
                g.case(
                    format!("{text}; 9:"),
                    emit_to(|m, l| m.branch_bits(cond, size, x(1), mask, l)),
                );
            };
            case(format!("tb{nz}z w1, #0, 9f"), 1.into());
            case(format!("tb{nz}z w1, #7, 9f"), 0x80.into());
            if size == Size::B64 {
                case(format!("tb{nz}z x1, #40, 9f"), (1i64 << 40).into());
            }
            case(format!("tst {a}, #3; b.{cc} 9f"), 3.into());
            case(
                format!("movz x15, #5; tst {a}, {}; b.{cc} 9f", n(15, size)),
                5.into(),
            );
            if size.bits() < 32 {
                case(format!("tst w1, #{ones:#x}; b.{cc} 9f"), (-1).into());
                case(
                    format!("and w15, w1, w2; tst w15, #{ones:#x}; b.{cc} 9f"),
                    x(2).into(),
                );
            } else {
                case(format!("cb{nz}z {a}, 9f"), (-1).into());
                case(format!("tst {a}, {b}; b.{cc} 9f"), x(2).into());
            }
            let load = match size {
                Size::B8 => "ldrb w17",
                Size::B16 => "ldrh w17",
                Size::B32 => "ldr w17",
                Size::B64 => "ldr x17",
            };
            let mut case = |text: String, mask: RegImm| {
                g.case(
                    format!("{load}, [x3, #8]; {text}; 9:"),
                    emit_to(|m, l| m.branch_bits_mem(cond, size, at(x(3), 8), mask, l)),
                );
            };
            case(format!("tb{nz}z w17, #1, 9f"), 2.into());
            case(format!("tst {}, #6; b.{cc} 9f", n(17, size)), 6.into());
            case(format!("cb{nz}z {}, 9f", n(17, size)), (-1).into());
        }
    }
    g.case(
        "tbnz x1, #63, 9f; 9:",
        emit_to(|m, l| m.branch_sign(Size::B64, x(1), l)),
    );
    g.finish();
}

#[test]
fn doubles() {
    let mut g = golden("a64_double");
    let f = |number: u8| -> Fpr { v(number) };
    let names = [
        (FAlu::Add, "fadd"),
        (FAlu::Sub, "fsub"),
        (FAlu::Mul, "fmul"),
        (FAlu::Div, "fdiv"),
    ];
    for (op, name) in names {
        g.case(
            format!("{name} d1, d2, d30"),
            emit(|m| m.falu(op, d(f(1)), f(2), f(30))),
        );
        g.case(
            format!("ldr d31, [x3, #8]; {name} d1, d2, d31"),
            emit(|m| m.falu(op, d(f(1)), f(2), at(x(3), 8))),
        );
    }
    g.case("fmov d1, d2", emit(|m| m.fmov(d(f(1)), f(2))));
    g.case("fmov d1, xzr", emit(|m| m.fmov_imm(d(f(1)), 0.0)));
    g.case(
        "movz x15, #0x8000, lsl #48; fmov d1, x15",
        emit(|m| m.fmov_imm(d(f(1)), -0.0)),
    );
    g.case("fsqrt d1, d2", emit(|m| m.fsqrt(d(f(1)), f(2))));
    g.case("fneg d1, d2", emit(|m| m.fneg(d(f(1)), f(2))));
    g.case("fabs d1, d2", emit(|m| m.fabs(d(f(1)), f(2))));
    for (mode, name) in [
        (RoundMode::Nearest, "n"),
        (RoundMode::Floor, "m"),
        (RoundMode::Ceil, "p"),
        (RoundMode::Trunc, "z"),
    ] {
        g.case(
            format!("frint{name} d1, d2"),
            emit(|m| m.fround(mode, d(f(1)), f(2))),
        );
    }
    let conds = [
        (FCond::Eq, "eq"),
        (FCond::Ne, "ne"),
        (FCond::Lt, "mi"),
        (FCond::Le, "ls"),
        (FCond::Gt, "gt"),
        (FCond::Ge, "ge"),
        (FCond::NLt, "pl"),
        (FCond::NLe, "hi"),
        (FCond::NGt, "le"),
        (FCond::NGe, "lt"),
    ];
    for (cond, cc) in conds {
        g.case(
            format!("fcmp d1, d2; b.{cc} 9f; 9:"),
            emit_to(|m, l| m.fcmp_branch(cond, f(1), f(2), l)),
        );
        g.case(
            format!("fcmp d1, d2; cset x3, {cc}"),
            emit(|m| m.fcset(cond, d(x(3)), f(1), f(2))),
        );
    }
    g.case("scvtf d1, x2", emit(|m| m.cvt_i64_f64(d(f(1)), x(2))));
    g.case("scvtf d1, w2", emit(|m| m.cvt_i32_f64(d(f(1)), x(2))));
    g.case(
        "fcvtzs x2, d1",
        emit(|m| m.cvt_f64_i64_trunc(d(x(2)), f(1))),
    );
    g.case(
        "fcvtzs x2, d1; scvtf d31, x2; fcmp d31, d1; b.ne 9f; cmn x2, #1; b.vs 9f; 9:",
        emit_to(|m, l| m.cvt_f64_i64_exact(d(x(2)), f(1), l)),
    );
    g.case("fmov d1, x2", emit(|m| m.bits_to_f64(d(f(1)), x(2))));
    g.case("fmov x2, d1", emit(|m| m.f64_to_bits(d(x(2)), f(1))));
    g.finish();
}

#[test]
fn control_flow() {
    let mut g = golden("a64_control");
    g.case("br x5", emit(|m| m.jump_reg(x(5))));
    g.case("blr x5", emit(|m| m.call_reg(x(5))));
    g.case(
        "ldr x17, [x1, #8]; br x17",
        emit(|m| m.jump_mem(at(x(1), 8))),
    );
    g.case(
        "ldr x17, [x1, #8]; blr x17",
        emit(|m| m.call_mem(at(x(1), 8))),
    );
    g.case("ret", emit(|m| m.ret()));
    g.case("brk #1", emit(|m| m.trap()));
    g.case("b 9f; 9:", emit_to(|m, l| m.jump(l)));
    g.case("bl 9f; 9:", emit_to(|m, l| m.call_label(l)));
    let far = "movz x16, #0xcdef; movk x16, #0x89ab, lsl #16; movk x16, #0x4567, lsl #32; movk x16, #0x123, lsl #48";
    g.case(
        format!("{far}; br x16"),
        emit(|m| m.jump_abs(0x123_4567_89ab_cdef)),
    );
    g.case(
        format!("{far}; blr x16"),
        emit(|m| m.call_abs(0x123_4567_89ab_cdef)),
    );
    let save = "stp x29, x30, [sp, #-64]!; mov x29, sp; stp x19, x20, [sp, #16]; stp x21, x22, [sp, #32]; str x23, [sp, #48]";
    g.case(save, emit(|m| m.prologue(0)));
    g.case(format!("{save}; sub sp, sp, #16"), emit(|m| m.prologue(1)));
    g.case(
        format!("{save}; sub sp, sp, #4080; sub sp, sp, #32"),
        emit(|m| m.prologue(514)),
    );
    g.case(
        "mov sp, x29; ldp x19, x20, [sp, #16]; ldp x21, x22, [sp, #32]; ldr x23, [sp, #48]; ldp x29, x30, [sp], #64",
        emit(|m| m.epilogue()),
    );
    // The last distance of tbz and b.cond, and the first beyond it; fields by hand, to keep long runs out of the file.
    let fill = |m: &mut A64Masm, words: usize| m.emit_bytes(&vec![0; words * 4]);
    for words in [8190usize, 8191] {
        let bytes = emit_to(|m, l| {
            m.branch_bits(BitCond::Zero, Size::B32, x(1), 8, l);
            fill(m, words);
        });
        let first = u32::from_le_bytes(bytes[..4].try_into().unwrap());
        let want = if words == 8190 {
            0x3600_0001 | 3 << 19 | 8191 << 5
        } else {
            0x3700_0001 | 3 << 19 | 2 << 5
        };
        assert_eq!(first, want);
    }
    for words in [(1usize << 18) - 2, (1 << 18) - 1] {
        let bytes = emit_to(|m, l| {
            m.branch(Cond::Lt, Size::B64, x(1), x(2), l);
            fill(m, words);
        });
        let second = u32::from_le_bytes(bytes[4..8].try_into().unwrap());
        let want = if words == (1 << 18) - 2 {
            0x5400_000b | 0x3_ffff << 5
        } else {
            0x5400_000a | 2 << 5
        };
        assert_eq!(second, want);
    }
    g.finish();
}

#[test]
fn roles_are_apart() {
    let mut seen: Vec<Gpr> = A64Masm::T.to_vec();
    let fixed = [
        A64Masm::PC,
        A64Masm::BASE,
        A64Masm::THREAD,
        A64Masm::CODE,
        A64Masm::GLOBAL,
        FP,
        SP,
        SCRATCH,
    ];
    seen.extend(fixed);
    seen.extend([XADDR, XIMM, XVAL, XTMP3]);
    let count = seen.len();
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), count);
}
