//! What emitted code does, on the host: every operation in every assignment of registers, against the same in Rust.
//! Encodings are tested elsewhere; these tests find expansions that lose an operand.

#![allow(clippy::type_complexity, reason = "tables of closures, each read once")]

use crate::codemem::{CodeMem, Mapping, run_once};
use crate::masm::Masm;
use crate::operand::*;
use crate::reg::{Gpr, d};
use crate::{Host, Label};

const VALUES: [i64; 9] = [
    0,
    1,
    -1,
    7,
    -128,
    0x7fff_ffff,
    0x8000_0000,
    i64::MAX,
    i64::MIN,
];
const SIZES: [Size; 2] = [Size::B32, Size::B64];
/// The result, the shift count, the other divisor half, and one that plays no special part anywhere.
const REGS: [Gpr; 4] = [Host::T0, Host::T1, Host::T2, Host::T5];

fn region() -> CodeMem {
    CodeMem::reserve(region as *const () as u64, 1 << 16, Mapping::Dual)
        .expect("code can be run here")
}

/// Runs `body`, whose value is what it leaves in the register returned.
fn run(mem: &mut CodeMem, body: impl FnOnce(&mut Host) -> Gpr) -> u64 {
    let mut m = Host::new();
    m.prologue(4);
    let result = body(&mut m);
    m.mov(d(Host::RET0), result);
    m.epilogue();
    m.ret();
    let code = m.finalize().expect("the code is complete");
    run_once(mem, &code.bytes)
}

fn cut(size: Size, value: i64) -> i64 {
    size.zero_extend(value) as i64
}

/// Runs `dst = op(lhs, rhs)` for all registers and values; equal registers hold equal values.
fn binary(
    name: &str,
    emit: impl Fn(&mut Host, Size, Gpr, Gpr, Gpr),
    emit_imm: Option<&dyn Fn(&mut Host, Size, Gpr, Gpr, i64)>,
    model: impl Fn(Size, i64, i64) -> Option<i64>,
) {
    let mut mem = region();
    for size in SIZES {
        for a in VALUES {
            for b in VALUES {
                for dst in REGS {
                    for lhs in REGS {
                        for rhs in REGS {
                            let a = if lhs == rhs { b } else { a };
                            let Some(want) = model(size, size.sign_extend(a), size.sign_extend(b))
                            else {
                                continue;
                            };
                            let got = run(&mut mem, |m| {
                                m.mov_imm(d(lhs), a);
                                m.mov_imm(d(rhs), b);
                                emit(m, size, dst, lhs, rhs);
                                dst
                            });
                            assert_eq!(
                                got as i64,
                                cut(size, want),
                                "{name} {size:?} {a:#x} {b:#x} {dst:?} {lhs:?} {rhs:?}"
                            );
                        }
                        let (Some(emit_imm), Some(want)) = (
                            emit_imm,
                            model(size, size.sign_extend(a), size.sign_extend(b)),
                        ) else {
                            continue;
                        };
                        let got = run(&mut mem, |m| {
                            m.mov_imm(d(lhs), a);
                            emit_imm(m, size, dst, lhs, b);
                            dst
                        });
                        assert_eq!(
                            got as i64,
                            cut(size, want),
                            "{name} {size:?} {a:#x} imm {b:#x} {dst:?} {lhs:?}"
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn alu() {
    let ops: [(AluOp, fn(i64, i64) -> i64); 5] = [
        (AluOp::Add, |a, b| a.wrapping_add(b)),
        (AluOp::Sub, |a, b| a.wrapping_sub(b)),
        (AluOp::And, |a, b| a & b),
        (AluOp::Or, |a, b| a | b),
        (AluOp::Xor, |a, b| a ^ b),
    ];
    for (op, model) in ops {
        binary(
            "alu",
            |m, size, dst, lhs, rhs| m.alu(op, size, d(dst), lhs, rhs),
            Some(&|m: &mut Host, size, dst, lhs, imm| m.alu(op, size, d(dst), lhs, imm)),
            |_, a, b| Some(model(a, b)),
        );
    }
    binary(
        "mul",
        |m, size, dst, lhs, rhs| m.mul(size, d(dst), lhs, rhs),
        Some(&|m: &mut Host, size, dst, lhs, imm| m.mul(size, d(dst), lhs, imm)),
        |_, a, b| Some(a.wrapping_mul(b)),
    );
}

#[test]
fn shifts() {
    for op in [ShiftOp::Shl, ShiftOp::Shr, ShiftOp::Sar, ShiftOp::Rotl] {
        binary(
            "shift",
            |m, size, dst, lhs, rhs| m.shift(op, size, d(dst), lhs, rhs),
            Some(&|m: &mut Host, size, dst, lhs, imm| m.shift(op, size, d(dst), lhs, imm)),
            |size, a, b| {
                let (a32, b) = (a as i32, b as u32);
                Some(match (size, op) {
                    (Size::B64, ShiftOp::Shl) => a.wrapping_shl(b),
                    (Size::B64, ShiftOp::Shr) => (a as u64).wrapping_shr(b) as i64,
                    (Size::B64, ShiftOp::Sar) => a.wrapping_shr(b),
                    (Size::B64, ShiftOp::Rotl) => a.rotate_left(b % 64),
                    (_, ShiftOp::Shl) => a32.wrapping_shl(b).into(),
                    (_, ShiftOp::Shr) => (a32 as u32).wrapping_shr(b).into(),
                    (_, ShiftOp::Sar) => a32.wrapping_shr(b).into(),
                    (_, ShiftOp::Rotl) => a32.rotate_left(b % 32).into(),
                })
            },
        );
    }
}

#[test]
fn a_variable_shift_keeps_other_registers() {
    let mut mem = region();
    for dst in REGS {
        for lhs in REGS {
            for count in REGS {
                for kept in REGS.into_iter().filter(|&r| r != dst) {
                    let want = if kept == count {
                        3
                    } else if kept == lhs {
                        100
                    } else {
                        55
                    };
                    let got = run(&mut mem, |m| {
                        m.mov_imm(d(kept), 55);
                        m.mov_imm(d(lhs), 100);
                        m.mov_imm(d(count), 3);
                        m.shift(ShiftOp::Shl, Size::B64, d(dst), lhs, count);
                        kept
                    });
                    assert_eq!(got, want, "{dst:?} {lhs:?} {count:?} {kept:?}");
                }
            }
        }
    }
}

#[test]
fn divisions() {
    let guarded = |size: Size, a: i64, b: i64| {
        b != 0
            && !(b == -1
                && a == if size == Size::B64 {
                    i64::MIN
                } else {
                    i32::MIN.into()
                })
    };
    let unsigned = |size: Size, a: i64| size.zero_extend(a);
    type Emit = fn(&mut Host, Size, Gpr, Gpr, Gpr);
    let sdiv: Emit = |m, size, dst, lhs, rhs| m.sdiv(size, d(dst), lhs, rhs);
    let srem: Emit = |m, size, dst, lhs, rhs| m.srem(size, d(dst), lhs, rhs);
    let udiv: Emit = |m, size, dst, lhs, rhs| m.udiv(size, d(dst), lhs, rhs);
    let urem: Emit = |m, size, dst, lhs, rhs| m.urem(size, d(dst), lhs, rhs);
    let both: Emit = |m, size, dst, lhs, rhs| {
        let rem = if dst == Host::T5 { Host::T2 } else { Host::T5 };
        m.sdivrem(size, d(dst), d(rem), lhs, rhs);
        m.alu(AluOp::Sub, size, d(dst), dst, rem);
    };
    binary("sdiv", sdiv, None, |size, a, b| {
        guarded(size, a, b).then(|| a / b)
    });
    binary("srem", srem, None, |size, a, b| {
        guarded(size, a, b).then(|| a % b)
    });
    binary("udiv", udiv, None, |size, a, b| {
        (b != 0).then(|| (unsigned(size, a) / unsigned(size, b)) as i64)
    });
    binary("urem", urem, None, |size, a, b| {
        (b != 0).then(|| (unsigned(size, a) % unsigned(size, b)) as i64)
    });
    let high = |m: &mut Host, _: Size, dst: Gpr, lhs: Gpr, rhs: Gpr| m.umulh(d(dst), lhs, rhs);
    binary("umulh", high, None, |size, a, b| {
        let product = u128::from(a as u64) * u128::from(b as u64);
        (size == Size::B64).then_some((product >> 64) as i64)
    });
    binary("sdivrem", both, None, |size, a, b| {
        guarded(size, a, b).then(|| (a / b).wrapping_sub(a % b))
    });
}

/// Whether code that may branch to the label given does so; `dst` keeps its value in both cases.
fn branches(mem: &mut CodeMem, body: impl FnOnce(&mut Host, Label)) -> bool {
    run(mem, |m| {
        let (taken, end) = (m.new_label(), m.new_label());
        body(m, taken);
        m.mov_imm(d(Host::T0), 0);
        m.jump(end);
        m.bind(taken);
        m.mov_imm(d(Host::T0), 1);
        m.bind(end);
        Host::T0
    }) == 1
}

#[test]
fn comparisons() {
    let mut mem = region();
    let conds: [(Cond, fn(i64, i64) -> bool); 10] = [
        (Cond::Eq, |a, b| a == b),
        (Cond::Ne, |a, b| a != b),
        (Cond::Lt, |a, b| a < b),
        (Cond::Le, |a, b| a <= b),
        (Cond::Gt, |a, b| a > b),
        (Cond::Ge, |a, b| a >= b),
        (Cond::Below, |a, b| (a as u64) < b as u64),
        (Cond::BelowEq, |a, b| a as u64 <= b as u64),
        (Cond::Above, |a, b| a as u64 > b as u64),
        (Cond::AboveEq, |a, b| a as u64 >= b as u64),
    ];
    for (cond, model) in conds {
        for size in [Size::B8, Size::B16, Size::B32, Size::B64] {
            for a in VALUES {
                for b in VALUES {
                    let want = model(size.sign_extend(a), size.sign_extend(b));
                    let what = format!("{cond:?} {size:?} {a:#x} {b:#x}");
                    let setup = |m: &mut Host| {
                        m.mov_imm(d(Host::T1), a);
                        m.mov_imm(d(Host::T2), b);
                        m.store(Size::B64, Host::local(1), Host::T1);
                        m.store(Size::B64, Host::local(2), Host::T2);
                    };
                    let forms: [&dyn Fn(&mut Host, Label); 5] = [
                        &|m, l| m.branch(cond, size, Host::T1, Host::T2, l),
                        &|m, l| m.branch(cond, size, Host::T1, b, l),
                        &|m, l| m.branch(cond, size, Host::T1, Host::local(2), l),
                        &|m, l| m.branch_mem(cond, size, Host::local(1), Host::T2, l),
                        &|m, l| m.branch_mem(cond, size, Host::local(1), b, l),
                    ];
                    for (i, form) in forms.into_iter().enumerate() {
                        let got = branches(&mut mem, |m, l| {
                            setup(m);
                            form(m, l);
                        });
                        assert_eq!(got, want, "{what} form {i}");
                    }
                    for dst in [Host::T1, Host::T2, Host::T3] {
                        let got = run(&mut mem, |m| {
                            setup(m);
                            m.cset(cond, size, d(dst), Host::T1, Host::T2);
                            dst
                        });
                        assert_eq!(got == 1, want, "cset {what}");
                        let got = run(&mut mem, |m| {
                            setup(m);
                            m.csel(cond, size, Host::T1, Host::T2, d(dst), Host::T1, Host::T2);
                            dst
                        });
                        assert_eq!(got as i64, if want { a } else { b }, "csel {what}");
                    }
                }
            }
        }
    }
}

#[test]
fn overflow_carry_and_bits() {
    let mut mem = region();
    for size in [Size::B8, Size::B16, Size::B32, Size::B64] {
        for a in VALUES {
            for b in VALUES {
                let (sa, sb) = (
                    i128::from(size.sign_extend(a)),
                    i128::from(size.sign_extend(b)),
                );
                let (ua, ub) = (
                    u128::from(size.zero_extend(a)),
                    u128::from(size.zero_extend(b)),
                );
                for op in [AluOp::Add, AluOp::Sub] {
                    let (exact, carry) = if op == AluOp::Add {
                        (sa + sb, ua + ub > u128::from(size.zero_extend(-1)))
                    } else {
                        (sa - sb, ua < ub)
                    };
                    let wrapped = i128::from(size.sign_extend(exact as i64));
                    let conds = [
                        (AluCond::Overflow, wrapped != exact),
                        (AluCond::NoOverflow, wrapped == exact),
                        (AluCond::Carry, carry),
                        (AluCond::NoCarry, !carry),
                        (AluCond::Zero, wrapped == 0),
                        (AluCond::NonZero, wrapped != 0),
                        (AluCond::Sign, wrapped < 0),
                        (AluCond::NoSign, wrapped >= 0),
                    ];
                    for (cond, want) in conds {
                        let what = format!("{op:?} {cond:?} {size:?} {a:#x} {b:#x}");
                        let mut test = |form: &dyn Fn(&mut Host, Label)| {
                            let got = branches(&mut mem, |m, l| {
                                m.mov_imm(d(Host::T1), a);
                                m.mov_imm(d(Host::T2), b);
                                m.store(Size::B64, Host::local(1), Host::T1);
                                form(m, l);
                            });
                            assert_eq!(got, want, "{what}");
                        };
                        test(&|m, l| m.alu_to_mem_branch(op, size, Host::local(1), b, cond, l));
                        test(&|m, l| {
                            m.alu_to_mem_branch(op, size, Host::local(1), Host::T2, cond, l)
                        });
                        if size.bits() >= 32 {
                            for dst in [Host::T1, Host::T2, Host::T3] {
                                test(&|m, l| {
                                    m.alu_branch(op, size, d(dst), Host::T1, Host::T2, cond, l)
                                });
                            }
                            test(&|m, l| m.alu_branch(op, size, d(Host::T1), Host::T1, b, cond, l));
                        }
                    }
                }
                if size.bits() >= 32 {
                    let overflows = i128::from(size.sign_extend((sa * sb) as i64)) != sa * sb;
                    for dst in [Host::T1, Host::T2, Host::T3] {
                        let got = branches(&mut mem, |m, l| {
                            m.mov_imm(d(Host::T1), a);
                            m.mov_imm(d(Host::T2), b);
                            m.mul_branch_overflow(size, d(dst), Host::T1, Host::T2, l);
                        });
                        assert_eq!(got, overflows, "mul {size:?} {a:#x} {b:#x}");
                    }
                }
                for (cond, want) in [
                    (BitCond::Zero, ua & ub == 0),
                    (BitCond::NonZero, ua & ub != 0),
                ] {
                    let mut test = |form: &dyn Fn(&mut Host, Label)| {
                        let got = branches(&mut mem, |m, l| {
                            m.mov_imm(d(Host::T1), a);
                            m.mov_imm(d(Host::T2), b);
                            m.store(Size::B64, Host::local(1), Host::T1);
                            form(m, l);
                        });
                        assert_eq!(got, want, "{cond:?} {size:?} {a:#x} {b:#x}");
                    };
                    test(&|m, l| m.branch_bits(cond, size, Host::T1, Host::T2, l));
                    test(&|m, l| m.branch_bits(cond, size, Host::T1, b, l));
                    test(&|m, l| m.branch_bits_mem(cond, size, Host::local(1), Host::T2, l));
                    test(&|m, l| m.branch_bits_mem(cond, size, Host::local(1), b, l));
                }
            }
        }
    }
}

#[test]
fn doubles() {
    let mut mem = region();
    let values = [
        0.0,
        -0.0,
        1.0,
        -1.5,
        3e9,
        2f64.powi(63),
        -(2f64.powi(63)),
        f64::INFINITY,
        f64::NAN,
    ];
    let conds: [(FCond, fn(f64, f64) -> bool); 5] = [
        (FCond::Eq, |a, b| a == b),
        (FCond::Lt, |a, b| a < b),
        (FCond::Le, |a, b| a <= b),
        (FCond::Gt, |a, b| a > b),
        (FCond::Ge, |a, b| a >= b),
    ];
    for a in values {
        for b in values {
            for (cond, model) in conds {
                for (cond, want) in [(cond, model(a, b)), (cond.negate(), !model(a, b))] {
                    let setup = |m: &mut Host| {
                        m.fmov_imm(d(Host::F1), a);
                        m.fmov_imm(d(Host::F2), b);
                        m.fstore(Host::local(1), Host::F2);
                    };
                    let forms: [&dyn Fn(&mut Host, Label); 2] = [
                        &|m, l| m.fcmp_branch(cond, Host::F1, Host::F2, l),
                        &|m, l| m.fcmp_branch(cond, Host::F1, Host::local(1), l),
                    ];
                    for form in forms {
                        let got = branches(&mut mem, |m, l| {
                            setup(m);
                            form(m, l);
                        });
                        assert_eq!(got, want, "{cond:?} {a} {b}");
                    }
                    let got = run(&mut mem, |m| {
                        setup(m);
                        m.fcset(cond, d(Host::T3), Host::F1, Host::F2);
                        Host::T3
                    });
                    assert_eq!(got == 1, want, "fcset {cond:?} {a} {b}");
                }
            }
            let ops: [(FAlu, fn(f64, f64) -> f64); 4] = [
                (FAlu::Add, |a, b| a + b),
                (FAlu::Sub, |a, b| a - b),
                (FAlu::Mul, |a, b| a * b),
                (FAlu::Div, |a, b| a / b),
            ];
            for (op, model) in ops {
                for dst in [Host::F1, Host::F2, Host::F3] {
                    let got = f64::from_bits(run(&mut mem, |m| {
                        m.fmov_imm(d(Host::F1), a);
                        m.fmov_imm(d(Host::F2), b);
                        m.falu(op, d(dst), Host::F1, Host::F2);
                        m.f64_to_bits(d(Host::T0), dst);
                        Host::T0
                    }));
                    let want = model(a, b);
                    assert!(
                        got.to_bits() == want.to_bits() || (got.is_nan() && want.is_nan()),
                        "{op:?} {a} {b}: {got}"
                    );
                }
            }
        }
        for b in values {
            for (dst, lhs, rhs) in [
                (Host::F1, Host::F1, Host::F2),
                (Host::F2, Host::F1, Host::F2),
                (Host::F3, Host::F1, Host::F2),
            ] {
                for max in [false, true] {
                    let got = run(&mut mem, |m| {
                        m.fmov_imm(d(Host::F1), a);
                        m.fmov_imm(d(Host::F2), b);
                        if max {
                            m.fmax(d(dst), lhs, rhs);
                        } else {
                            m.fmin(d(dst), lhs, rhs);
                        }
                        m.f64_to_bits(d(Host::T0), dst);
                        Host::T0
                    });
                    let first = if max { a > b } else { a < b };
                    let want = if first { a } else { b };
                    assert_eq!(got, want.to_bits(), "max {max} {a} {b}");
                }
            }
        }
        let exact = a.fract() == 0.0 && (-(2f64.powi(63))..2f64.powi(63)).contains(&a);
        let got = branches(&mut mem, |m, l| {
            m.fmov_imm(d(Host::F1), a);
            m.cvt_f64_i64_exact(d(Host::T3), Host::F1, l);
        });
        assert_eq!(got, !exact, "exact {a}");
        for (name, want) in [("neg", -a), ("abs", a.abs())] {
            let got = run(&mut mem, |m| {
                m.fmov_imm(d(Host::F1), a);
                if name == "neg" {
                    m.fneg(d(Host::F2), Host::F1)
                } else {
                    m.fabs(d(Host::F2), Host::F1)
                }
                m.f64_to_bits(d(Host::T0), Host::F2);
                Host::T0
            });
            assert_eq!(got, want.to_bits(), "{name} {a}");
        }
    }
    for a in VALUES {
        let bits = |mem: &mut CodeMem, narrow: bool| {
            run(mem, |m| {
                m.mov_imm(d(Host::T1), a);
                if narrow {
                    m.cvt_i32_f64(d(Host::F1), Host::T1)
                } else {
                    m.cvt_i64_f64(d(Host::F1), Host::T1)
                }
                m.f64_to_bits(d(Host::T0), Host::F1);
                Host::T0
            })
        };
        assert_eq!(bits(&mut mem, false), (a as f64).to_bits());
        assert_eq!(bits(&mut mem, true), f64::from(a as i32).to_bits());
    }
}

#[test]
fn parallel_moves() {
    let mut mem = region();
    // Every map from four destinations to four sources, with their values as digits of the result.
    for map in 0..256usize {
        let source = |i: usize| REGS[map >> (2 * i) & 3];
        let want = (0..4).fold(0, |sum, i| sum * 10 + (map >> (2 * i) & 3) as u64 + 1);
        let got = run(&mut mem, |m| {
            for (i, reg) in REGS.into_iter().enumerate() {
                m.mov_imm(d(reg), i as i64 + 1);
            }
            let moves: Vec<_> = (0..4).map(|i| (REGS[i], RegImm::Reg(source(i)))).collect();
            m.parallel_move(&moves);
            m.mov_imm(d(Host::T4), 0);
            for reg in REGS {
                m.mul(Size::B64, d(Host::T4), Host::T4, 10);
                m.alu(AluOp::Add, Size::B64, d(Host::T4), Host::T4, reg);
            }
            Host::T4
        });
        assert_eq!(got, want, "{map:#x}");
    }
}

#[test]
fn loads_extend() {
    let mut mem = region();
    for value in [0x8081_8283_8485_8687u64 as i64, 0x0102_0304_0506_0708] {
        let kinds: [(LoadKind, u64); 9] = [
            (LoadKind::U8, value as u8 as u64),
            (LoadKind::S8To32, value as i8 as i32 as u32 as u64),
            (LoadKind::S8To64, value as i8 as u64),
            (LoadKind::U16, value as u16 as u64),
            (LoadKind::S16To32, value as i16 as i32 as u32 as u64),
            (LoadKind::S16To64, value as i16 as u64),
            (LoadKind::U32, value as u32 as u64),
            (LoadKind::S32To64, value as i32 as u64),
            (LoadKind::U64, value as u64),
        ];
        for (kind, want) in kinds {
            let got = run(&mut mem, |m| {
                m.mov_imm(d(Host::T1), value);
                m.store(Size::B64, Host::local(0), Host::T1);
                m.load(kind, d(Host::T2), Host::local(0));
                Host::T2
            });
            assert_eq!(got, want, "{kind:?}");
            let got = run(&mut mem, |m| {
                m.mov_imm(d(Host::T1), value);
                m.extend(kind, d(Host::T2), Host::T1);
                Host::T2
            });
            assert_eq!(got, want, "extend {kind:?}");
        }
    }
}
