//! Comparisons with a jump.

use std::mem::offset_of;

use traceorus_asm::operand::at;
use traceorus_asm::{AluCond, AluOp, BitCond, Cond, FCond, Label, Masm, d};
use traceorus_base::Tag;
use traceorus_base::bytecode::Op;
use traceorus_base::meta::MetaMethod;

use crate::meta::{self, Arg};
use traceorus_base::objects::{GcHeader, Table, flags};

use crate::{B8, B32, B64, Gen, S16To32, S16To64, U32, U64, extra};

pub(crate) fn emit<M: Masm>(g: &mut Gen<M>, op: Op) -> bool {
    match op {
        Op::JLt => order(g, Cond::Lt, FCond::Lt),
        Op::JNLt => order(g, Cond::Ge, FCond::NLt),
        Op::JLe => order(g, Cond::Le, FCond::Le),
        Op::JNLe => order(g, Cond::Gt, FCond::NLe),
        Op::JLtI => order_imm(g, Cond::Lt, FCond::Lt),
        Op::JNLtI => order_imm(g, Cond::Ge, FCond::NLt),
        Op::JLeI => order_imm(g, Cond::Le, FCond::Le),
        Op::JNLeI => order_imm(g, Cond::Gt, FCond::NLe),
        Op::JGtI => order_imm(g, Cond::Gt, FCond::Gt),
        Op::JNGtI => order_imm(g, Cond::Le, FCond::NGt),
        Op::JGeI => order_imm(g, Cond::Ge, FCond::Ge),
        Op::JNGeI => order_imm(g, Cond::Lt, FCond::NGe),
        Op::JEq => equal(g, true),
        Op::JNe => equal(g, false),
        Op::JEqI => equal_imm(g, true),
        Op::JNeI => equal_imm(g, false),
        Op::JEqK => equal_k(g, true),
        Op::JNeK => equal_k(g, false),
        _ => return false,
    }
    true
}

fn order<M: Masm>(g: &mut Gen<M>, cond: Cond, fcond: FCond) {
    g.dec_ab();
    let (notint, taken) = (g.m.new_label(), g.m.new_label());
    g.m.load(U32, d(M::T4), Gen::<M>::tag(M::T1));
    g.m.alu_branch(
        AluOp::Add,
        B32,
        d(M::T4),
        M::T4,
        Gen::<M>::tag(M::T2),
        AluCond::NonZero,
        notint,
    );
    g.m.load(U64, d(M::T5), Gen::<M>::pay(M::T1));
    g.m.branch(cond, B64, M::T5, Gen::<M>::pay(M::T2), taken);
    g.next(1);
    g.m.bind(taken);
    g.jump_c(1);
    g.m.bind(notint);
    let slow = g.slow();
    let other = g.cold(move |g| {
        let ev = if matches!(g.op, Op::JLt | Op::JNLt) {
            MetaMethod::Lt
        } else {
            MetaMethod::Le
        };
        let object = meta::binary(g, ev, Arg::Reg(1), Arg::Reg(2));
        // an integer and a float
        g.m.branch(Cond::Eq, B32, M::T4, 1, slow);
        // no other two tags have this sum
        g.m.branch(Cond::Ne, B32, M::T4, 2 * i64::from(Tag::STRING.0), object);
        g.m.load(U64, d(M::T5), Gen::<M>::pay(M::T1));
        g.m.load(U64, d(M::T6), Gen::<M>::pay(M::T2));
        g.extra(extra::STRING_STEP);
        g.m.move_args(&[M::T5.into(), M::T6.into()]);
        g.m.call_reg(M::T7);
        g.m.branch(cond, B64, M::RET0, 0, taken);
        g.next(1);
    });
    g.m.branch(Cond::Ne, B32, M::T4, 2, other);
    g.m.fload(d(M::F0), Gen::<M>::pay(M::T1));
    g.m.fcmp_branch(fcond, M::F0, Gen::<M>::pay(M::T2), taken);
    g.next(1);
}

fn order_imm<M: Masm>(g: &mut Gen<M>, cond: Cond, fcond: FCond) {
    g.dec_a();
    g.m.load(S16To64, d(M::T2), at(M::PC, 4));
    let (notint, taken) = (g.m.new_label(), g.m.new_label());
    g.m.branch_mem(Cond::Ne, B32, Gen::<M>::tag(M::T1), 0, notint);
    g.m.load(U64, d(M::T5), Gen::<M>::pay(M::T1));
    g.m.branch(cond, B64, M::T5, M::T2, taken);
    g.next(1);
    g.m.bind(taken);
    g.jump_c(1);
    g.m.bind(notint);
    let slow = g.slow();
    g.expect(M::T1, Tag::FLOAT, slow);
    g.m.cvt_i64_f64(d(M::F1), M::T2);
    g.m.fload(d(M::F0), Gen::<M>::pay(M::T1));
    g.m.fcmp_branch(fcond, M::F0, M::F1, taken);
    g.next(1);
}

/// Jumps by C (`words` long) if the answer `yes` is the one asked for, else falls to the next instruction.
fn answer<M: Masm>(g: &mut Gen<M>, label: Label, taken: bool, words: i32) {
    g.m.bind(label);
    if taken {
        g.jump_c(words);
    } else {
        g.next(words);
    }
}

fn equal<M: Masm>(g: &mut Gen<M>, sense: bool) {
    g.dec_ab();
    let (eq, ne, float) = (g.m.new_label(), g.m.new_label(), g.m.new_label());
    let slow = g.slow();
    g.m.load(U32, d(M::T4), Gen::<M>::tag(M::T1));
    g.m.load(U32, d(M::T5), Gen::<M>::tag(M::T2));
    let differ = g.cold(move |g| {
        // integer against float is the helper's
        g.m.alu(AluOp::Add, B32, d(M::T4), M::T4, M::T5);
        g.m.branch(Cond::Eq, B32, M::T4, 1, slow);
        g.m.jump(ne);
    });
    let other = g.m.new_label();
    const { assert!(Tag::INT.0 == 0) };
    g.m.alu_branch(
        AluOp::Or,
        B32,
        d(M::T6),
        M::T4,
        M::T5,
        AluCond::NonZero,
        other,
    );
    g.m.load(U64, d(M::T6), Gen::<M>::pay(M::T1));
    g.m.branch(Cond::Eq, B64, M::T6, Gen::<M>::pay(M::T2), eq);
    answer(g, ne, !sense, 1);
    answer(g, eq, sense, 1);
    g.m.bind(other);
    g.m.branch(Cond::Ne, B32, M::T4, M::T5, differ);
    g.m.branch(Cond::Eq, B32, M::T4, i64::from(Tag::FLOAT.0), float);
    g.m.load(U64, d(M::T6), Gen::<M>::pay(M::T1));
    g.m.load(U64, d(M::T7), Gen::<M>::pay(M::T2));
    g.m.branch(Cond::Eq, B64, M::T6, M::T7, eq);
    let others = g.cold(move |g| {
        // nil and booleans: the tag says it all
        g.m.branch(Cond::Eq, B32, M::T4, i64::from(Tag::TRUE.0), eq);
        g.m.branch(Cond::Ge, B32, M::T4, i64::from(Tag::FALSE.0), eq);
        let string = g.m.new_label();
        g.m.branch(Cond::Eq, B32, M::T4, i64::from(Tag::STRING.0), string);
        // a metatable that is known to lack __eq does not matter
        let lacks = 1i64 << MetaMethod::Eq as u32;
        let absent = offset_of!(Table, meta_absent) as i32;
        let object = meta::binary(g, MetaMethod::Eq, Arg::Reg(1), Arg::Reg(2));
        let table = g.m.new_label();
        g.m.branch(Cond::Eq, B32, M::T4, i64::from(Tag::TABLE.0), table);
        g.m.branch(Cond::Ne, B32, M::T4, i64::from(Tag::USERDATA.0), slow);
        for (start, mt) in [(None, meta::USERDATA_META), (Some(table), meta::META)] {
            if let Some(label) = start {
                g.m.bind(label);
            }
            for t in [M::T6, M::T7] {
                let none = g.m.new_label();
                g.m.load(U64, d(M::T5), at(t, mt));
                g.m.branch(Cond::Eq, B64, M::T5, 0, none);
                g.m.branch_bits_mem(BitCond::Zero, B32, at(M::T5, absent), lacks, object);
                g.m.bind(none);
            }
            g.m.jump(ne);
        }
        g.m.bind(string);
        let fl = offset_of!(GcHeader, flags) as i32;
        // two different short strings are unequal
        g.m.branch_bits_mem(
            BitCond::NonZero,
            B8,
            at(M::T6, fl),
            i64::from(flags::STR_SHORT),
            ne,
        );
        g.m.branch_bits_mem(
            BitCond::NonZero,
            B8,
            at(M::T7, fl),
            i64::from(flags::STR_SHORT),
            ne,
        );
        g.m.jump(slow);
    });
    g.m.jump(others);
    g.m.bind(float);
    g.m.fload(d(M::F0), Gen::<M>::pay(M::T1));
    g.m.fcmp_branch(FCond::Eq, M::F0, Gen::<M>::pay(M::T2), eq);
    g.m.jump(ne);
}

fn equal_imm<M: Masm>(g: &mut Gen<M>, sense: bool) {
    g.dec_a();
    let (eq, ne, notint) = (g.m.new_label(), g.m.new_label(), g.m.new_label());
    g.m.load(S16To64, d(M::T2), at(M::PC, 4));
    g.m.branch_mem(Cond::Ne, B32, Gen::<M>::tag(M::T1), 0, notint);
    g.m.branch(Cond::Eq, B64, M::T2, Gen::<M>::pay(M::T1), eq);
    answer(g, ne, !sense, 1);
    answer(g, eq, sense, 1);
    g.m.bind(notint);
    g.m.branch_mem(
        Cond::Ne,
        B32,
        Gen::<M>::tag(M::T1),
        i64::from(Tag::FLOAT.0),
        ne,
    );
    g.m.cvt_i64_f64(d(M::F1), M::T2);
    g.m.fcmp_branch(FCond::Eq, M::F1, Gen::<M>::pay(M::T1), eq);
    g.m.jump(ne);
}

fn equal_k<M: Masm>(g: &mut Gen<M>, sense: bool) {
    g.dec_a();
    let (eq, ne) = (g.m.new_label(), g.m.new_label());
    let slow = g.slow();
    g.m.load(S16To32, d(M::T4), at(M::PC, 4));
    g.m.load(U64, d(M::T6), at(M::PC, 8));
    let differ = g.cold(move |g| {
        g.m.alu(AluOp::Add, B32, d(M::T4), M::T4, Gen::<M>::tag(M::T1));
        g.m.branch(Cond::Eq, B32, M::T4, 1, slow);
        g.m.jump(ne);
    });
    g.m.branch(Cond::Ne, B32, M::T4, Gen::<M>::tag(M::T1), differ);
    let float = g.cold(move |g| {
        g.m.fload(d(M::F0), at(M::PC, 8));
        g.m.fcmp_branch(FCond::Eq, M::F0, Gen::<M>::pay(M::T1), eq);
        g.m.jump(ne);
    });
    g.m.branch(Cond::Eq, B32, M::T4, i64::from(Tag::FLOAT.0), float);
    g.m.branch(Cond::Eq, B64, M::T6, Gen::<M>::pay(M::T1), eq);
    // a long string constant is compared by its bytes
    let long = g.cold(move |g| {
        g.m.branch(Cond::Ne, B32, M::T4, i64::from(Tag::STRING.0), ne);
        let fl = offset_of!(GcHeader, flags) as i32;
        g.m.branch_bits_mem(
            BitCond::Zero,
            B8,
            at(M::T6, fl),
            i64::from(flags::STR_SHORT),
            slow,
        );
        g.m.jump(ne);
    });
    g.m.branch(Cond::Lt, B32, M::T4, 0, long);
    answer(g, ne, !sense, 2);
    answer(g, eq, sense, 2);
}
