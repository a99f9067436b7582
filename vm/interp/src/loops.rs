//! Back edges and loop instructions.

use std::mem::offset_of;

use traceorus_asm::operand::{RegImm, at, at_index};
use traceorus_asm::{Addr, AluCond, AluOp, BitCond, Cond, FAlu, FCond, Label, Masm, Scale, d};
use traceorus_base::Tag;
use traceorus_base::bytecode::Op;
use traceorus_base::objects::{Dict, DictEntry, GcHeader, Table, flags};

use crate::{B8, B16, B32, B64, CALL, Gen, NIL, S8To32, S16To64, S32To64, U16, U32, U64, goff};

pub(crate) fn emit<M: Masm>(g: &mut Gen<M>, op: Op) -> bool {
    match op {
        Op::Loop | Op::JLoop => {
            count(g);
            g.m.load(S32To64, d(M::T0), at(M::PC, 4));
            back(g);
        }
        Op::ForPrep => {
            g.dec_a();
            let slow = g.slow();
            g.expect(M::T1, Tag::INT, slow);
            g.m.branch_mem(Cond::Ne, B32, Gen::<M>::reg(M::T1, 24), 0, slow);
            g.m.branch_mem(Cond::Ne, B32, Gen::<M>::reg(M::T1, 40), 0, slow);
            // step 1: the limit is the last value
            g.m.branch_mem(Cond::Ne, B64, Gen::<M>::reg(M::T1, 32), 1, slow);
            let skip = g.m.new_label();
            g.m.load(U64, d(M::T4), Gen::<M>::pay(M::T1));
            g.m.branch(Cond::Gt, B64, M::T4, Gen::<M>::reg(M::T1, 16), skip);
            g.next(1);
            g.m.bind(skip);
            g.jump_bc();
        }
        Op::ForLoop | Op::ForLoopV | Op::JForLoop | Op::JForLoopV => {
            let copy = op.original() == Op::ForLoopV;
            g.dec_a();
            let (float, done) = (g.m.new_label(), g.m.new_label());
            g.m.branch_mem(Cond::Ne, B32, Gen::<M>::tag(M::T1), 0, float);
            g.m.load(U64, d(M::T4), Gen::<M>::pay(M::T1));
            g.m.branch(Cond::Eq, B64, M::T4, Gen::<M>::reg(M::T1, 16), done);
            count(g);
            g.m.alu(AluOp::Add, B64, d(M::T4), M::T4, Gen::<M>::reg(M::T1, 32));
            g.m.store(B64, Gen::<M>::pay(M::T1), M::T4);
            if copy {
                g.m.store(B64, Gen::<M>::reg(M::T1, 48), M::T4);
                g.m.store_imm(B32, Gen::<M>::reg(M::T1, 56), Tag::INT.0);
            }
            g.m.load(S16To64, d(M::T0), at(M::PC, 6));
            back(g);
            g.m.bind(done);
            g.next(1);
            g.m.bind(float);
            g.m.fload(d(M::F1), Gen::<M>::reg(M::T1, 32));
            g.m.fload(d(M::F0), Gen::<M>::pay(M::T1));
            g.m.falu(FAlu::Add, d(M::F0), M::F0, M::F1);
            g.m.fload(d(M::F2), Gen::<M>::reg(M::T1, 16));
            let (down, go) = (g.m.new_label(), g.m.new_label());
            g.m.f64_to_bits(d(M::T4), M::F1);
            g.m.branch(Cond::Lt, B64, M::T4, 0, down);
            g.m.fcmp_branch(FCond::NLe, M::F0, M::F2, done);
            g.m.bind(go);
            count(g);
            g.m.fstore(Gen::<M>::pay(M::T1), M::F0);
            if copy {
                g.m.fstore(Gen::<M>::reg(M::T1, 48), M::F0);
                g.m.store_imm(B32, Gen::<M>::reg(M::T1, 56), Tag::FLOAT.0);
            }
            g.m.load(S16To64, d(M::T0), at(M::PC, 6));
            back(g);
            g.m.bind(down);
            g.m.fcmp_branch(FCond::Le, M::F2, M::F0, go);
            g.m.jump(done);
        }
        Op::JTForCall => {
            trace_number(g);
            g.enter_trace();
        }
        Op::TForCall => {
            count(g);
            let generic = g.m.new_label();
            iterate(g, generic);
            g.m.bind(generic);
            return crate::calls::emit(g, op);
        }
        Op::TForLoop => {
            g.dec_a();
            let done = g.m.new_label();
            g.m.branch_mem(Cond::Eq, B32, Gen::<M>::tag(M::T1), NIL, done);
            // the whole tag word: its upper half may hold a position for `next`
            g.m.load(U64, d(M::T4), Gen::<M>::pay(M::T1));
            g.m.load(U64, d(M::T5), Gen::<M>::tag(M::T1));
            g.m.store(B64, Gen::<M>::reg(M::T1, -32), M::T4);
            g.m.store(B64, Gen::<M>::reg(M::T1, -24), M::T5);
            g.m.load(S32To64, d(M::T0), at(M::PC, 4));
            g.m.lea(d(M::PC), at_index(M::PC, M::T0, Scale::S8, 8));
            g.reload_code();
            g.poll();
            g.next(0);
            g.m.bind(done);
            g.next(1);
        }
        _ => return false,
    }
    true
}

/// A TForCall for one or two variables whose iterator is `next`, or that of `ipairs`, of a table: the next entry without
/// a call. Everything else goes to `generic`, nothing having been changed.
fn iterate<M: Masm>(g: &mut Gen<M>, generic: Label) {
    const ARRAY: i32 = offset_of!(Table, array) as i32;
    const CAP: i32 = offset_of!(Table, arr_cap) as i32;
    const FLAGS: i32 = offset_of!(GcHeader, flags) as i32;
    g.dec_a();
    g.m.branch_mem(
        Cond::Ne,
        B32,
        Gen::<M>::reg(M::T1, -56),
        i64::from(Tag::FUNCTION.0),
        generic,
    );
    g.m.branch_mem(
        Cond::Ne,
        B32,
        Gen::<M>::reg(M::T1, -40),
        i64::from(Tag::TABLE.0),
        generic,
    );
    g.m.load(U64, d(M::T0), Gen::<M>::reg(M::T1, -64));
    g.m.load(U64, d(M::T4), Gen::<M>::reg(M::T1, -48));
    g.m.load(U16, d(M::T7), at(M::PC, 6));
    g.m.branch(Cond::Above, B32, M::T7, 2, generic);
    g.m.load(U64, d(M::T5), Gen::<M>::reg(M::T1, -32));
    g.m.load(U32, d(M::T6), Gen::<M>::reg(M::T1, -24));
    g.m.load(U32, d(M::T7), at(M::T4, CAP));
    let found = g.m.new_label();
    let end = g.cold(|g| {
        g.m.store_imm(B32, Gen::<M>::reg(M::T1, 8), NIL as i32);
        g.m.store_imm(B32, Gen::<M>::reg(M::T1, 24), NIL as i32);
        g.next(CALL);
    });
    let ipairs = g.cold(move |g| {
        let absent = g.m.new_label();
        g.m.branch_bits_mem(
            BitCond::Zero,
            B8,
            at(M::T0, FLAGS),
            i64::from(flags::NATIVE_IPAIRS),
            generic,
        );
        g.m.branch(Cond::Ne, B32, M::T6, i64::from(Tag::INT.0), generic);
        g.m.alu(AluOp::Add, B64, d(M::T5), M::T5, 1);
        let beyond = g.m.new_label();
        g.m.branch(Cond::AboveEq, B64, M::T5, M::T7, beyond);
        g.m.load(U64, d(M::T6), at(M::T4, ARRAY));
        g.m.not(B64, d(M::T7), M::T5);
        g.m.load(S8To32, d(M::T7), at_index(M::T6, M::T7, Scale::S1, 0));
        g.m.branch(Cond::Ne, B32, M::T7, NIL, found);
        g.m.bind(absent);
        g.m.branch_mem(
            Cond::Ne,
            B64,
            at(M::T4, offset_of!(Table, metatable) as i32),
            0,
            generic,
        );
        g.m.jump(end);
        g.m.bind(beyond);
        g.m.branch_bits_mem(
            BitCond::Zero,
            B8,
            at(M::T4, FLAGS),
            i64::from(flags::TAB_DICT),
            absent,
        );
        g.m.jump(generic);
    });
    g.m.branch_bits_mem(
        BitCond::Zero,
        B8,
        at(M::T0, FLAGS),
        i64::from(flags::NATIVE_NEXT),
        ipairs,
    );
    // the array part needs no hint
    let (first, scan, step) = (g.m.new_label(), g.m.new_label(), g.m.new_label());
    g.m.branch(Cond::Ne, B32, M::T6, i64::from(Tag::INT.0), first);
    g.m.branch(Cond::AboveEq, B64, M::T5, M::T7, step);
    g.m.alu(AluOp::Add, B64, d(M::T5), M::T5, 1);
    g.m.bind(scan);
    g.m.load(U64, d(M::T6), at(M::T4, ARRAY));
    let again = g.m.here();
    g.m.branch(Cond::AboveEq, B64, M::T5, M::T7, step);
    g.m.not(B64, d(M::T0), M::T5);
    g.m.load(S8To32, d(M::T0), at_index(M::T6, M::T0, Scale::S1, 0));
    let hole = g.cold(move |g| {
        g.m.alu(AluOp::Add, B64, d(M::T5), M::T5, 1);
        g.m.jump(again);
    });
    g.m.branch(Cond::Eq, B32, M::T0, NIL, hole);
    g.m.mov(d(M::T7), M::T0);
    g.m.bind(found);
    // element T5 of the array T6 has the tag T7
    g.m.load(U64, d(M::T6), at_index(M::T6, M::T5, Scale::S8, 0));
    g.m.store(B64, Gen::<M>::pay(M::T1), M::T5);
    g.m.store_imm(B64, Gen::<M>::tag(M::T1), Tag::INT.0);
    g.m.store(B64, Gen::<M>::reg(M::T1, 16), M::T6);
    g.m.store(B32, Gen::<M>::reg(M::T1, 24), M::T7);
    g.next(CALL);
    g.m.bind(first);
    g.m.branch(Cond::Ne, B32, M::T6, NIL, step);
    g.m.mov_imm(d(M::T5), 0);
    g.m.jump(scan);
    // entries, if the upper half of the control variable's tag word is what the last step has left there
    g.m.bind(step);
    let call = g.m.new_label();
    let key = |field: usize| at(M::T3, field as i32);
    g.m.branch_bits_mem(
        BitCond::Zero,
        B8,
        at(M::T4, FLAGS),
        i64::from(flags::TAB_DICT),
        call,
    );
    g.m.load(U32, d(M::T0), Gen::<M>::reg(M::T1, -20));
    g.m.branch(Cond::Eq, B32, M::T0, 0, call);
    g.m.load(U64, d(M::T7), at(M::T4, offset_of!(Table, hash) as i32));
    let used = at(M::T7, offset_of!(Dict, used) as i32);
    g.m.branch(Cond::Above, B32, M::T0, used, call);
    g.m.load(U64, d(M::T2), at(M::T7, offset_of!(Dict, entries) as i32));
    const { assert!(size_of::<DictEntry>() == 24) };
    g.m.lea(d(M::T3), at_index(M::T0, M::T0, Scale::S2, 0));
    g.m.lea(d(M::T3), at_index(M::T2, M::T3, Scale::S8, -24));
    g.m.branch(
        Cond::Ne,
        B64,
        M::T5,
        key(offset_of!(DictEntry, key_payload)),
        call,
    );
    g.m.branch(
        Cond::Ne,
        B32,
        M::T6,
        key(offset_of!(DictEntry, key_tag)),
        call,
    );
    let entry = g.m.here();
    g.m.branch(Cond::AboveEq, B32, M::T0, used, end);
    g.m.alu(AluOp::Add, B64, d(M::T3), M::T3, 24);
    g.m.alu(AluOp::Add, B32, d(M::T0), M::T0, 1);
    g.m.load(U32, d(M::T6), key(offset_of!(DictEntry, val_tag)));
    g.m.branch(Cond::Eq, B32, M::T6, NIL, entry);
    g.m.load(U64, d(M::T5), key(offset_of!(DictEntry, key_payload)));
    g.m.load(U32, d(M::T2), key(offset_of!(DictEntry, key_tag)));
    g.m.load(U64, d(M::T7), key(offset_of!(DictEntry, val_payload)));
    g.put(M::T1, M::T5, M::T2);
    g.m.store(B32, Gen::<M>::reg(M::T1, 12), M::T0);
    g.m.store(B64, Gen::<M>::reg(M::T1, 16), M::T7);
    g.m.store(B32, Gen::<M>::reg(M::T1, 24), M::T6);
    g.next(CALL);
    // fields, and all other cases
    g.m.bind(call);
    g.m.load(U64, d(M::T7), at(M::GLOBAL, goff!(helpers)));
    g.m.load(U64, d(M::T7), at(M::T7, 8 * Op::FfNext as i32));
    g.m.lea(d(M::T5), Gen::<M>::reg(M::T1, -48));
    g.m.lea(d(M::T6), Gen::<M>::pay(M::T1));
    g.m.move_args(&[M::THREAD.into(), M::T5.into(), RegImm::Imm(2), M::T6.into()]);
    g.m.call_reg(M::T7);
    g.m.mov(d(M::T0), M::RET0);
    g.m.branch(Cond::Lt, B64, M::T0, 0, generic);
    g.next(CALL);
}

/// Takes the back edge of T0 words, into the loop's trace if it has one. Destroys T1.
fn back<M: Masm>(g: &mut Gen<M>) {
    let traced = g.op != g.op.original();
    if traced {
        trace_number(g);
    }
    g.m.lea(d(M::PC), at_index(M::PC, M::T0, Scale::S8, 8));
    if traced {
        // a thread that is watched has poll::HOOKS set
        g.poll();
        g.enter_trace();
    } else {
        g.reload_code();
        g.poll();
        g.next(0);
    }
}

/// Where the counter of the loop at PC is.
fn counter<M: Masm>(g: &Gen<M>) -> Addr {
    at(M::PC, 2 * g.op.counter().expect("a loop") as i32)
}

/// Counts a loop that has no trace: leaves for the helper when the counter runs out. Nothing else has been changed.
fn count<M: Masm>(g: &mut Gen<M>) {
    if g.op == g.op.original() {
        let slow = g.slow();
        let counter = counter(g);
        g.m.alu_to_mem_branch(AluOp::Sub, B16, counter, 1, AluCond::Carry, slow);
    }
}

/// T1 = the number of the loop's trace.
fn trace_number<M: Masm>(g: &mut Gen<M>) {
    let number = counter(g);
    g.m.load(U16, d(M::T1), number);
}
