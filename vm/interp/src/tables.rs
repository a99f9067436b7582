//! Table access: cached fields, methods and globals, array elements, length.

use std::mem::offset_of;

use traceorus_asm::operand::{at, at_index};
use traceorus_asm::{AluOp, Cond, Gpr, Label, Masm, Scale, d};
use traceorus_base::Tag;
use traceorus_base::bytecode::Op;
use traceorus_base::objects::{DictEntry, GcHeader, Str, Table};

use crate::misc::{barrier, upcell};
use crate::{B8, B32, B64, Gen, NIL, S8To32, S16To64, U32, U64, goff};

const SHAPE: i32 = offset_of!(GcHeader, word) as i32;
const KIND: i32 = offset_of!(GcHeader, extra) as i32;
const ARRAY: i32 = offset_of!(Table, array) as i32;
const CAP: i32 = offset_of!(Table, arr_cap) as i32;
const LEN: i32 = offset_of!(Table, arr_len) as i32;
const HASH: i32 = offset_of!(Table, hash) as i32;
const META: i32 = offset_of!(Table, metatable) as i32;
const VAL: i32 = offset_of!(DictEntry, val_payload) as i32;
const VAL_TAG: i32 = offset_of!(DictEntry, val_tag) as i32;

/// Marks a SelfGet cache whose receiver is a string (ORDER: `vm::dispatch::STRING_RECEIVER`).
const STRING_RECEIVER: i64 = u32::MAX as i64 - 1;

pub(crate) fn emit<M: Masm>(g: &mut Gen<M>, op: Op) -> bool {
    match op {
        Op::GetGlobal => {
            g.dec_ab();
            let slow = g.slow();
            env(g, M::T2, slow);
            g.m.load(U32, d(M::T5), at(M::PC, 8));
            g.m.branch(Cond::Ne, B32, M::T5, at(M::T4, SHAPE), slow);
            g.m.load(U64, d(M::T6), at(M::PC, 16));
            g.m.load(U32, d(M::T5), at(M::T6, VAL_TAG));
            g.m.branch(Cond::Eq, B32, M::T5, NIL, slow);
            g.m.load(U64, d(M::T6), at(M::T6, VAL));
            g.put(M::T1, M::T6, M::T5);
            g.next(4);
        }
        Op::SetGlobal => {
            g.dec_ab();
            let slow = g.slow();
            env(g, M::T2, slow);
            g.m.load(U32, d(M::T5), at(M::PC, 8));
            g.m.branch(Cond::Ne, B32, M::T5, at(M::T4, SHAPE), slow);
            g.m.load(U64, d(M::T6), at(M::PC, 16));
            g.m.branch_mem(Cond::Eq, B32, at(M::T6, VAL_TAG), NIL, slow);
            g.m.load(U64, d(M::T5), at(M::T4, HASH));
            barrier(g, M::T5, slow);
            barrier(g, M::T4, slow);
            g.m.load(U64, d(M::T5), Gen::<M>::pay(M::T1));
            g.m.load(U32, d(M::T4), Gen::<M>::tag(M::T1));
            g.m.store(B64, at(M::T6, VAL), M::T5);
            g.m.store(B32, at(M::T6, VAL_TAG), M::T4);
            g.next(4);
        }
        Op::GetField => {
            g.dec_ab();
            let slow = g.slow();
            g.expect(M::T2, Tag::TABLE, slow);
            g.m.load(U64, d(M::T4), Gen::<M>::pay(M::T2));
            g.m.load(U32, d(M::T5), at(M::PC, 8));
            g.m.branch(Cond::Ne, B32, M::T5, at(M::T4, SHAPE), slow);
            g.m.load(U32, d(M::T6), at(M::PC, 12));
            g.m.load(U64, d(M::T5), at(M::T4, HASH));
            get_run(g, M::T5, M::T6, M::T7);
            absent(g, M::T7, M::T4, slow, 3);
            g.put(M::T1, M::T6, M::T7);
            g.next(3);
        }
        Op::SetField => {
            g.dec_ab();
            let slow = g.slow();
            g.expect(M::T1, Tag::TABLE, slow);
            g.m.load(U64, d(M::T4), Gen::<M>::pay(M::T1));
            g.m.load(U32, d(M::T5), at(M::PC, 8));
            g.m.branch(Cond::Ne, B32, M::T5, at(M::T4, SHAPE), slow);
            barrier(g, M::T4, slow);
            g.m.load(U32, d(M::T6), at(M::PC, 12));
            g.m.load(U64, d(M::T5), at(M::T4, HASH));
            g.m.load(U64, d(M::T4), Gen::<M>::pay(M::T2));
            g.m.load(U32, d(M::T7), Gen::<M>::tag(M::T2));
            g.m.not(B64, d(M::T3), M::T6);
            g.m.branch_mem(Cond::Eq, B8, at_index(M::T5, M::T3, Scale::S1, 0), NIL, slow);
            g.m.store(B8, at_index(M::T5, M::T3, Scale::S1, 0), M::T7);
            g.m.store(B64, at_index(M::T5, M::T6, Scale::S8, 0), M::T4);
            g.next(3);
        }
        Op::SelfGet => self_get(g),
        Op::GetIndex => {
            g.dec_abc();
            let slow = g.slow();
            g.expect(M::T2, Tag::TABLE, slow);
            g.expect(M::T3, Tag::INT, slow);
            g.m.load(U64, d(M::T4), Gen::<M>::pay(M::T2));
            g.m.load(U64, d(M::T6), Gen::<M>::pay(M::T3));
            get_element(g, slow);
        }
        Op::GetInt => {
            g.dec_ab();
            let slow = g.slow();
            g.expect(M::T2, Tag::TABLE, slow);
            g.m.load(U64, d(M::T4), Gen::<M>::pay(M::T2));
            g.m.load(S16To64, d(M::T6), at(M::PC, 6));
            get_element(g, slow);
        }
        Op::SetIndex => {
            g.dec_abc();
            let slow = g.slow();
            g.expect(M::T1, Tag::TABLE, slow);
            g.expect(M::T2, Tag::INT, slow);
            g.m.load(U64, d(M::T4), Gen::<M>::pay(M::T1));
            g.m.load(U64, d(M::T6), Gen::<M>::pay(M::T2));
            set_element(g, slow);
        }
        Op::SetInt => {
            g.dec_a();
            g.dec_c();
            let slow = g.slow();
            g.expect(M::T1, Tag::TABLE, slow);
            g.m.load(U64, d(M::T4), Gen::<M>::pay(M::T1));
            g.m.load(S16To64, d(M::T6), at(M::PC, 4));
            set_element(g, slow);
        }
        Op::Len => {
            g.dec_ab();
            let slow = g.slow();
            g.m.load(U64, d(M::T4), Gen::<M>::pay(M::T2));
            let string = g.cold(move |g| {
                g.expect(M::T2, Tag::STRING, slow);
                g.m.load(U64, d(M::T5), at(M::T4, offset_of!(Str, len) as i32));
                g.m.store(B64, Gen::<M>::pay(M::T1), M::T5);
                g.m.store_imm(B32, Gen::<M>::tag(M::T1), Tag::INT.0);
                g.next(1);
            });
            g.expect(M::T2, Tag::TABLE, string);
            g.m.branch_mem(Cond::Ne, B64, at(M::T4, META), 0, slow);
            // the hint is the border if its slot is not nil and the next one, inside the array, is
            g.m.load(U32, d(M::T5), at(M::T4, LEN));
            g.m.load(U64, d(M::T6), at(M::T4, ARRAY));
            g.m.alu(AluOp::Add, B32, d(M::T7), M::T5, 1);
            g.m.branch(Cond::AboveEq, B32, M::T7, at(M::T4, CAP), slow);
            g.m.not(B64, d(M::T7), M::T7);
            g.m.branch_mem(Cond::Ne, B8, at_index(M::T6, M::T7, Scale::S1, 0), NIL, slow);
            let zero = g.m.new_label();
            g.m.branch(Cond::Eq, B32, M::T5, 0, zero);
            g.m.branch_mem(Cond::Eq, B8, at_index(M::T6, M::T7, Scale::S1, 1), NIL, slow);
            g.m.bind(zero);
            g.m.store(B64, Gen::<M>::pay(M::T1), M::T5);
            g.m.store_imm(B32, Gen::<M>::tag(M::T1), Tag::INT.0);
            g.next(1);
        }
        _ => return false,
    }
    true
}

/// T4 = the table in the upvalue whose offset is in `r`.
fn env<M: Masm>(g: &mut Gen<M>, r: Gpr, slow: Label) {
    upcell(g, r, M::T4);
    let cell = crate::misc::CELL;
    g.m.branch_mem(Cond::Ne, B32, at(M::T4, cell + 8), i64::from(Tag::TABLE.0), slow);
    g.m.load(U64, d(M::T4), at(M::T4, cell));
}

/// `slot` = payload, `tag` = tag of slot number `slot` of the tagged run `run`.
fn get_run<M: Masm>(g: &mut Gen<M>, run: Gpr, slot: Gpr, tag: Gpr) {
    g.m.not(B64, d(tag), slot);
    g.m.load(S8To32, d(tag), at_index(run, tag, Scale::S1, 0));
    g.m.load(U64, d(slot), at_index(run, slot, Scale::S8, 0));
}

/// A nil was found in the table `t`: that is the value if there is no metatable.
fn absent<M: Masm>(g: &mut Gen<M>, tag: Gpr, t: Gpr, slow: Label, words: i32) {
    let nil = g.cold(move |g| {
        g.m.branch_mem(Cond::Ne, B64, at(t, META), 0, slow);
        g.m.store_imm(B32, Gen::<M>::tag(M::T1), NIL as i32);
        g.next(words);
    });
    g.m.branch(Cond::Eq, B32, tag, NIL, nil);
}

/// Register T1 = element T6 of the table T4.
fn get_element<M: Masm>(g: &mut Gen<M>, slow: Label) {
    g.m.load(U32, d(M::T5), at(M::T4, CAP));
    g.m.branch(Cond::AboveEq, B64, M::T6, M::T5, slow);
    g.m.load(U64, d(M::T5), at(M::T4, ARRAY));
    get_run(g, M::T5, M::T6, M::T7);
    absent(g, M::T7, M::T4, slow, 1);
    g.put(M::T1, M::T6, M::T7);
    g.next(1);
}

/// Element T6 of the table T4 = register T3.
fn set_element<M: Masm>(g: &mut Gen<M>, slow: Label) {
    g.m.load(U32, d(M::T5), at(M::T4, CAP));
    g.m.branch(Cond::AboveEq, B64, M::T6, M::T5, slow);
    barrier(g, M::T4, slow);
    g.m.load(U32, d(M::T7), Gen::<M>::tag(M::T3));
    g.m.load(S8To32, d(M::T5), at(M::T4, KIND));
    let kind_ok = g.m.new_label();
    let any = g.cold(move |g| {
        g.m.branch(Cond::Ne, B32, M::T5, i64::from(Tag::ANY.0), slow);
        g.m.jump(kind_ok);
    });
    g.m.branch(Cond::Ne, B32, M::T5, M::T7, any);
    g.m.bind(kind_ok);
    g.m.load(U64, d(M::T5), at(M::T4, ARRAY));
    g.m.not(B64, d(M::T2), M::T6);
    let store = g.m.new_label();
    let fresh = g.cold(move |g| {
        g.m.branch_mem(Cond::Ne, B64, at(M::T4, META), 0, slow);
        // appending moves the border hint along
        g.m.alu(AluOp::Sub, B64, d(M::T0), M::T6, 1);
        g.m.branch(Cond::Ne, B32, M::T0, at(M::T4, LEN), store);
        g.m.store(B32, at(M::T4, LEN), M::T6);
        g.m.jump(store);
    });
    g.m.branch_mem(Cond::Eq, B8, at_index(M::T5, M::T2, Scale::S1, 0), NIL, fresh);
    g.m.bind(store);
    g.m.store(B8, at_index(M::T5, M::T2, Scale::S1, 0), M::T7);
    g.m.load(U64, d(M::T7), Gen::<M>::pay(M::T3));
    g.m.store(B64, at_index(M::T5, M::T6, Scale::S8, 0), M::T7);
    g.next(1);
}

/// Caches: word 1 = u32 shape, u32 epoch (0: word 2 is the slot of an own field); word 2 = the function.
fn self_get<M: Masm>(g: &mut Gen<M>) {
    g.dec_ab();
    let slow = g.slow();
    let found = g.m.new_label();
    g.m.load(U64, d(M::T4), Gen::<M>::pay(M::T2));
    g.m.load(U32, d(M::T5), Gen::<M>::tag(M::T2));
    g.m.load(U32, d(M::T6), at(M::PC, 8));
    let string = g.cold(move |g| {
        g.m.branch(Cond::Ne, B32, M::T5, i64::from(Tag::STRING.0), slow);
        g.m.branch(Cond::Ne, B32, M::T6, STRING_RECEIVER, slow);
        g.m.load(U32, d(M::T6), at(M::PC, 12));
        g.m.branch(Cond::Ne, B32, M::T6, at(M::GLOBAL, goff!(proto_epoch)), slow);
        g.m.jump(found);
    });
    g.m.branch(Cond::Ne, B32, M::T5, i64::from(Tag::TABLE.0), string);
    g.m.branch(Cond::Ne, B32, M::T6, at(M::T4, SHAPE), slow);
    g.m.load(U32, d(M::T6), at(M::PC, 12));
    let own = g.cold(move |g| {
        g.m.branch(Cond::Ne, B32, M::T6, 0, slow);
        g.m.load(U64, d(M::T6), at(M::PC, 16));
        g.m.load(U64, d(M::T7), at(M::T4, HASH));
        get_run(g, M::T7, M::T6, M::T3);
        g.m.branch(Cond::Eq, B32, M::T3, NIL, slow);
        g.m.store(B64, Gen::<M>::reg(M::T1, 16), M::T4);
        g.m.store(B32, Gen::<M>::reg(M::T1, 24), M::T5);
        g.put(M::T1, M::T6, M::T3);
        g.next(4);
    });
    g.m.branch(Cond::Ne, B32, M::T6, at(M::GLOBAL, goff!(proto_epoch)), own);
    g.m.bind(found);
    g.m.load(U64, d(M::T6), at(M::PC, 16));
    g.m.store(B64, Gen::<M>::reg(M::T1, 16), M::T4);
    g.m.store(B32, Gen::<M>::reg(M::T1, 24), M::T5);
    g.m.store(B64, Gen::<M>::pay(M::T1), M::T6);
    g.m.store_imm(B32, Gen::<M>::tag(M::T1), Tag::FUNCTION.0);
    g.next(4);
}


