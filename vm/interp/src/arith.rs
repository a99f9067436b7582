//! Arithmetic and bit operations on numbers. Everything else, and the rare cases, are the helpers'.

use traceorus_asm::operand::at;
use traceorus_asm::{Addr, AluCond, AluOp, Cond, FAlu, FCond, Gpr, Label, Masm, ShiftOp, d};
use traceorus_base::Tag;
use traceorus_base::bytecode::Op;
use traceorus_base::meta::MetaMethod;

use crate::meta::{self, Arg};

use crate::{B32, B64, Gen, S16To32, S16To64, U32, U64, extra};

/// Where the right operand of an operation is.
#[derive(Clone, Copy, PartialEq)]
enum Rhs {
    /// Register C.
    Reg,
    /// Constant word, tag in C; the register is the left operand.
    K,
    /// As `K`, the constant is the left operand.
    KR,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Add,
    Sub,
    Mul,
    Div,
    Mod,
    Pow,
    IDiv,
    And,
    Or,
    Xor,
    Shl,
    Shr,
}

fn classify(op: Op) -> Option<(Kind, Rhs)> {
    use Kind::*;
    use Rhs::{K, KR, Reg};
    Some(match op {
        Op::Add => (Add, Reg),
        Op::Sub => (Sub, Reg),
        Op::Mul => (Mul, Reg),
        Op::Div => (Div, Reg),
        Op::Mod => (Mod, Reg),
        Op::Pow => (Pow, Reg),
        Op::IDiv => (IDiv, Reg),
        Op::BAnd => (And, Reg),
        Op::BOr => (Or, Reg),
        Op::BXor => (Xor, Reg),
        Op::Shl => (Shl, Reg),
        Op::Shr => (Shr, Reg),
        Op::AddK => (Add, K),
        Op::SubK => (Sub, K),
        Op::MulK => (Mul, K),
        Op::DivK => (Div, K),
        Op::ModK => (Mod, K),
        Op::PowK => (Pow, K),
        Op::IDivK => (IDiv, K),
        Op::BAndK => (And, K),
        Op::BOrK => (Or, K),
        Op::BXorK => (Xor, K),
        Op::ShlK => (Shl, K),
        Op::ShrK => (Shr, K),
        Op::AddKR => (Add, KR),
        Op::SubKR => (Sub, KR),
        Op::MulKR => (Mul, KR),
        Op::BAndKR => (And, KR),
        Op::BOrKR => (Or, KR),
        Op::BXorKR => (Xor, KR),
        Op::DivKR => (Div, KR),
        Op::ModKR => (Mod, KR),
        Op::PowKR => (Pow, KR),
        Op::IDivKR => (IDiv, KR),
        Op::ShlKR => (Shl, KR),
        Op::ShrKR => (Shr, KR),
        _ => return None,
    })
}

/// Operand addresses of the current op: payloads and where the tags are.
#[derive(Clone, Copy)]
struct Ops {
    left: Addr,
    right: Addr,
    words: i32,
    rhs: Rhs,
}

pub(crate) fn emit<M: Masm>(g: &mut Gen<M>, op: Op) -> bool {
    if let Some((kind, rhs)) = classify(op) {
        binary(g, kind, rhs);
        return true;
    }
    match op {
        Op::AddI | Op::SubI => {
            let alu = if op == Op::AddI {
                AluOp::Add
            } else {
                AluOp::Sub
            };
            let falu = if op == Op::AddI { FAlu::Add } else { FAlu::Sub };
            g.dec_ab();
            let float = g.m.new_label();
            g.m.load(S16To64, d(M::T3), at(M::PC, 6));
            g.m.branch_mem(Cond::Ne, B32, Gen::<M>::tag(M::T2), 0, float);
            g.m.load(U64, d(M::T4), Gen::<M>::pay(M::T2));
            g.m.alu(alu, B64, d(M::T4), M::T4, M::T3);
            put_int(g, M::T4);
            g.next(1);
            g.m.bind(float);
            let ev = if op == Op::AddI {
                MetaMethod::Add
            } else {
                MetaMethod::Sub
            };
            let object = meta::binary(g, ev, Arg::Reg(2), Arg::Imm);
            g.expect(M::T2, Tag::FLOAT, object);
            g.m.cvt_i64_f64(d(M::F1), M::T3);
            g.m.fload(d(M::F0), Gen::<M>::pay(M::T2));
            g.m.falu(falu, d(M::F0), M::F0, M::F1);
            put_float(g);
            g.next(1);
        }
        Op::Unm => {
            g.dec_ab();
            let float = g.m.new_label();
            g.m.load(U64, d(M::T4), Gen::<M>::pay(M::T2));
            g.m.branch_mem(Cond::Ne, B32, Gen::<M>::tag(M::T2), 0, float);
            g.m.neg(B64, d(M::T4), M::T4);
            put_int(g, M::T4);
            g.next(1);
            g.m.bind(float);
            let object = meta::binary(g, MetaMethod::Unm, Arg::Reg(2), Arg::Reg(2));
            g.expect(M::T2, Tag::FLOAT, object);
            g.m.bits_to_f64(d(M::F0), M::T4);
            g.m.fneg(d(M::F0), M::F0);
            put_float(g);
            g.next(1);
        }
        Op::BNot => {
            g.dec_ab();
            let object = meta::binary(g, MetaMethod::BNot, Arg::Reg(2), Arg::Reg(2));
            g.expect(M::T2, Tag::INT, object);
            g.m.load(U64, d(M::T4), Gen::<M>::pay(M::T2));
            g.m.not(B64, d(M::T4), M::T4);
            put_int(g, M::T4);
            g.next(1);
        }
        _ => return false,
    }
    true
}

/// Register A (offset in T1) = integer.
fn put_int<M: Masm>(g: &mut Gen<M>, r: Gpr) {
    g.m.store(B64, Gen::<M>::pay(M::T1), r);
    g.m.store_imm(B32, Gen::<M>::tag(M::T1), Tag::INT.0);
}

/// Register A (offset in T1) = F0.
fn put_float<M: Masm>(g: &mut Gen<M>) {
    g.m.fstore(Gen::<M>::pay(M::T1), M::F0);
    g.m.store_imm(B32, Gen::<M>::tag(M::T1), Tag::FLOAT.0);
}

fn binary<M: Masm>(g: &mut Gen<M>, kind: Kind, rhs: Rhs) {
    let pay = Gen::<M>::pay;
    let ops = match rhs {
        Rhs::Reg => {
            g.dec_abc();
            Ops {
                left: pay(M::T2),
                right: pay(M::T3),
                words: 1,
                rhs,
            }
        }
        Rhs::K => {
            g.dec_ab();
            Ops {
                left: pay(M::T2),
                right: at(M::PC, 8),
                words: 2,
                rhs,
            }
        }
        Rhs::KR => {
            g.dec_ab();
            Ops {
                left: at(M::PC, 8),
                right: pay(M::T2),
                words: 2,
                rhs,
            }
        }
    };
    let notint = g.m.new_label();
    // T4 = sum of the tags
    match rhs {
        Rhs::Reg => g.m.load(U32, d(M::T4), Gen::<M>::tag(M::T3)),
        _ => g.m.load(S16To32, d(M::T4), at(M::PC, 6)),
    }
    g.m.alu_branch(
        AluOp::Add,
        B32,
        d(M::T4),
        M::T4,
        Gen::<M>::tag(M::T2),
        AluCond::NonZero,
        notint,
    );
    let slow = g.slow();
    match kind {
        Kind::Add | Kind::Sub | Kind::And | Kind::Or | Kind::Xor => {
            let alu = match kind {
                Kind::Add => AluOp::Add,
                Kind::Sub => AluOp::Sub,
                Kind::And => AluOp::And,
                Kind::Or => AluOp::Or,
                _ => AluOp::Xor,
            };
            g.m.load(U64, d(M::T5), ops.left);
            g.m.alu(alu, B64, d(M::T5), M::T5, ops.right);
            put_int(g, M::T5);
            g.next(ops.words);
        }
        Kind::Mul => {
            g.m.load(U64, d(M::T5), ops.left);
            g.m.mul(B64, d(M::T5), M::T5, ops.right);
            put_int(g, M::T5);
            g.next(ops.words);
        }
        Kind::Div => {
            both_to_float(g, ops, M::T4, true);
            g.m.falu(FAlu::Div, d(M::F0), M::F0, M::F1);
            put_float(g);
            g.next(ops.words);
        }
        Kind::Shl | Kind::Shr => {
            let sh = if kind == Kind::Shl {
                ShiftOp::Shl
            } else {
                ShiftOp::Shr
            };
            g.m.load(U64, d(M::T5), ops.right);
            g.m.branch(Cond::AboveEq, B64, M::T5, 64, slow);
            g.m.load(U64, d(M::T4), ops.left);
            g.m.shift(sh, B64, d(M::T4), M::T4, M::T5);
            put_int(g, M::T4);
            g.next(ops.words);
        }
        Kind::Mod | Kind::IDiv => {
            // T6 = divisor, T5 = dividend
            g.m.load(U64, d(M::T6), ops.right);
            g.m.load(U64, d(M::T5), ops.left);
            int_divide(g, kind, ops.words, slow);
        }
        Kind::Pow => {
            // an integer square is the square of the float
            g.m.jump(notint);
        }
    }
    // floats and mixed
    g.m.bind(notint);
    let falu = match kind {
        Kind::Add => Some(FAlu::Add),
        Kind::Sub => Some(FAlu::Sub),
        Kind::Mul => Some(FAlu::Mul),
        Kind::Div => Some(FAlu::Div),
        _ => None,
    };
    match kind {
        Kind::Pow => {
            // T4: sum of the tags
            let (general, go) = (g.m.new_label(), g.m.new_label());
            if rhs == Rhs::K {
                let (square, int) = (g.m.new_label(), g.m.new_label());
                g.m.load(U64, d(M::T5), ops.right);
                g.m.branch(Cond::Eq, B64, M::T5, 2, square);
                g.m.branch(Cond::Ne, B64, M::T5, 2.0f64.to_bits() as i64, general);
                g.m.bind(square);
                g.m.load(U32, d(M::T6), Gen::<M>::tag(M::T2));
                g.m.branch(Cond::Eq, B32, M::T6, 0, int);
                g.m.branch(Cond::Ne, B32, M::T6, 1, general);
                g.m.fload(d(M::F0), ops.left);
                g.m.bind(go);
                g.m.falu(FAlu::Mul, d(M::F0), M::F0, M::F0);
                put_float(g);
                g.next(ops.words);
                g.m.bind(int);
                g.m.load(U64, d(M::T5), ops.left);
                g.m.cvt_i64_f64(d(M::F0), M::T5);
                g.m.jump(go);
            }
            g.m.bind(general);
            power(g, ops);
        }
        Kind::Mod | Kind::IDiv => {
            let mixed = mixed_path(g, ops, kind);
            g.m.branch(Cond::Ne, B32, M::T4, 2, mixed);
            g.m.fload(d(M::F1), ops.right);
            g.m.fload(d(M::F0), ops.left);
            float_divide(g, kind, ops.words, slow);
        }
        _ => match falu {
            Some(f) => {
                let mixed = mixed_path(g, ops, kind);
                g.m.branch(Cond::Ne, B32, M::T4, 2, mixed);
                g.m.fload(d(M::F0), ops.left);
                g.m.falu(f, d(M::F0), M::F0, ops.right);
                put_float(g);
                g.next(ops.words);
            }
            None => {
                let meta = objects(g, kind, rhs);
                g.m.branch(Cond::BelowEq, B32, M::T4, 2, slow);
                g.m.jump(meta);
            }
        },
    }
}

/// The C library's `pow` of two numbers; T4 = sum of their tags.
fn power<M: Masm>(g: &mut Gen<M>, ops: Ops) {
    let call = g.m.new_label();
    let ints = g.cold(move |g| {
        both_to_float(g, ops, M::T4, true);
        g.m.jump(call);
    });
    let object = objects(g, Kind::Pow, ops.rhs);
    let mixed = g.cold(move |g| {
        g.m.branch(Cond::Ne, B32, M::T4, 1, object);
        both_to_float(g, ops, M::T4, false);
        g.m.jump(call);
    });
    g.m.branch(Cond::Eq, B32, M::T4, 0, ints);
    g.m.branch(Cond::Ne, B32, M::T4, 2, mixed);
    g.m.fload(d(M::F0), ops.left);
    g.m.fload(d(M::F1), ops.right);
    g.m.bind(call);
    g.extra(extra::POW_STEP);
    g.m.call_reg(M::T7);
    g.dec_a();
    put_float(g);
    g.next(ops.words);
}

/// Operands that are no numbers: a metamethod's.
fn objects<M: Masm>(g: &mut Gen<M>, kind: Kind, rhs: Rhs) -> Label {
    let ev = match kind {
        Kind::Add => MetaMethod::Add,
        Kind::Sub => MetaMethod::Sub,
        Kind::Mul => MetaMethod::Mul,
        Kind::Div => MetaMethod::Div,
        Kind::Mod => MetaMethod::Mod,
        Kind::Pow => MetaMethod::Pow,
        Kind::IDiv => MetaMethod::IDiv,
        Kind::And => MetaMethod::BAnd,
        Kind::Or => MetaMethod::BOr,
        Kind::Xor => MetaMethod::BXor,
        Kind::Shl => MetaMethod::Shl,
        Kind::Shr => MetaMethod::Shr,
    };
    let (left, right) = match rhs {
        Rhs::Reg => (Arg::Reg(2), Arg::Reg(3)),
        Rhs::K => (Arg::Reg(2), Arg::Konst),
        Rhs::KR => (Arg::Konst, Arg::Reg(2)),
    };
    meta::binary(g, ev, left, right)
}

/// One integer and one float (T4 == 1): out of line.
fn mixed_path<M: Masm>(g: &mut Gen<M>, ops: Ops, kind: Kind) -> Label {
    g.cold(move |g| {
        let slow = g.slow();
        let meta = objects(g, kind, ops.rhs);
        g.m.branch(Cond::Ne, B32, M::T4, 1, meta);
        both_to_float(g, ops, M::T4, false);
        match kind {
            Kind::Mod | Kind::IDiv => float_divide(g, kind, ops.words, slow),
            _ => {
                let f = match kind {
                    Kind::Add => FAlu::Add,
                    Kind::Sub => FAlu::Sub,
                    Kind::Mul => FAlu::Mul,
                    _ => FAlu::Div,
                };
                g.m.falu(f, d(M::F0), M::F0, M::F1);
                put_float(g);
                g.next(ops.words);
            }
        }
    })
}

/// F0, F1 = the operands as floats. `ints`: both are integers; otherwise one of them.
fn both_to_float<M: Masm>(g: &mut Gen<M>, ops: Ops, tmp: Gpr, ints: bool) {
    if ints {
        g.m.load(U64, d(tmp), ops.left);
        g.m.cvt_i64_f64(d(M::F0), tmp);
        g.m.load(U64, d(tmp), ops.right);
        g.m.cvt_i64_f64(d(M::F1), tmp);
        return;
    }
    // which one is the integer?
    let (left_float, done) = (g.m.new_label(), g.m.new_label());
    let b_is_int = if ops.rhs == Rhs::KR {
        Cond::Ne
    } else {
        Cond::Eq
    };
    // the tag of the left operand: register B's, or for KR the other one's complement
    g.m.branch_mem(b_is_int.negate(), B32, Gen::<M>::tag(M::T2), 0, left_float);
    g.m.load(U64, d(tmp), ops.left);
    g.m.cvt_i64_f64(d(M::F0), tmp);
    g.m.fload(d(M::F1), ops.right);
    g.m.jump(done);
    g.m.bind(left_float);
    g.m.fload(d(M::F0), ops.left);
    g.m.load(U64, d(tmp), ops.right);
    g.m.cvt_i64_f64(d(M::F1), tmp);
    g.m.bind(done);
}

/// Floor division of T5 by T6 (integers), quotient or remainder into register A.
fn int_divide<M: Masm>(g: &mut Gen<M>, kind: Kind, words: i32, slow: Label) {
    let rem = kind == Kind::Mod;
    let wide = g.cold(move |g| {
        let fix = g.m.new_label();
        g.m.alu(AluOp::Add, B64, d(M::T3), M::T6, 1);
        // divisor 0 or -1
        g.m.branch(Cond::BelowEq, B64, M::T3, 1, slow);
        // quotient T0, remainder T2 are what division clobbers anyway
        g.m.sdivrem(B64, d(M::T7), d(M::T3), M::T5, M::T6);
        g.dec_a();
        // floor: the remainder is not zero and its sign differs from the divisor's
        let done = g.m.new_label();
        g.m.branch(Cond::Eq, B64, M::T3, 0, done);
        g.m.alu(AluOp::Xor, B64, d(M::T4), M::T3, M::T6);
        g.m.branch(Cond::Lt, B64, M::T4, 0, fix);
        g.m.bind(done);
        put_int(g, if rem { M::T3 } else { M::T7 });
        g.next(words);
        g.m.bind(fix);
        if rem {
            g.m.alu(AluOp::Add, B64, d(M::T3), M::T3, M::T6);
            put_int(g, M::T3);
        } else {
            g.m.alu(AluOp::Sub, B64, d(M::T7), M::T7, 1);
            put_int(g, M::T7);
        }
        g.next(words);
    });
    // both below 2^32 and not negative: 32-bit unsigned division
    g.m.alu(AluOp::Or, B64, d(M::T4), M::T5, M::T6);
    g.m.shift(ShiftOp::Shr, B64, d(M::T4), M::T4, 32);
    g.m.branch(Cond::Ne, B64, M::T4, 0, wide);
    g.m.branch(Cond::Eq, B64, M::T6, 0, slow);
    if rem {
        g.m.urem(B32, d(M::T5), M::T5, M::T6);
    } else {
        g.m.udiv(B32, d(M::T5), M::T5, M::T6);
    }
    g.dec_a();
    put_int(g, M::T5);
    g.next(words);
}

/// F0 // F1 or F0 % F1 into register A; leaves what is not simple to the helper.
fn float_divide<M: Masm>(g: &mut Gen<M>, kind: Kind, words: i32, slow: Label) {
    if kind == Kind::IDiv {
        let (zero, done) = (g.m.new_label(), g.m.new_label());
        g.m.falu(FAlu::Div, d(M::F0), M::F0, M::F1);
        g.m.cvt_f64_i64_trunc(d(M::T4), M::F0);
        // out of range, infinite, NaN: the conversion gives MIN
        g.m.alu(AluOp::Add, B64, d(M::T5), M::T4, 1i64 << 53);
        g.m.branch(Cond::Above, B64, M::T5, 1i64 << 54, slow);
        g.m.branch(Cond::Eq, B64, M::T4, 0, zero);
        g.m.cvt_i64_f64(d(M::F2), M::T4);
        g.m.fcmp_branch(FCond::Le, M::F2, M::F0, done);
        g.m.fmov_imm(d(M::F3), 1.0);
        g.m.falu(FAlu::Sub, d(M::F2), M::F2, M::F3);
        g.m.bind(done);
        g.m.fmov(d(M::F0), M::F2);
        put_float(g);
        g.next(words);
        g.m.bind(zero);
        // -1 < quotient < 1: -1 if negative, itself if a zero, else 0
        g.m.jump(slow);
    } else {
        // integral operands, dividend >= 0 (not -0), divisor > 0, below 2^53: exact through integers
        g.m.cvt_f64_i64_exact(d(M::T5), M::F0, slow);
        g.m.cvt_f64_i64_exact(d(M::T6), M::F1, slow);
        g.m.branch(Cond::Le, B64, M::T6, 0, slow);
        g.m.branch(Cond::Le, B64, M::T5, 0, slow);
        g.m.alu(AluOp::Or, B64, d(M::T4), M::T5, M::T6);
        g.m.shift(ShiftOp::Shr, B64, d(M::T4), M::T4, 53);
        g.m.branch(Cond::Ne, B64, M::T4, 0, slow);
        g.m.urem(B64, d(M::T5), M::T5, M::T6);
        g.dec_a();
        g.m.cvt_i64_f64(d(M::F0), M::T5);
        put_float(g);
        g.next(words);
    }
}
