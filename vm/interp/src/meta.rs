//! Calls of metamethods. What an object's metatable has for an event comes from the look-up cache:
//! key + 3 of the event's name and the metatable's id. Whatever is not there, the helper of the instruction does, and it
//! fills the cache (`vm::dispatch::cache_meta`).

use std::mem::offset_of;

use traceorus_asm::operand::{at, at_index};
use traceorus_asm::{AluOp, Cond, Gpr, Label, Masm, Scale, ShiftOp, d};
use traceorus_base::Tag;
use traceorus_base::bytecode::Op;
use traceorus_base::frame::{self, kind};
use traceorus_base::meta::MetaMethod;
use traceorus_base::objects::{GcHeader, LuaClosure, ObjKind, Proto, Table, Userdata};

use crate::tables::{constant, probe};
use crate::{B8, B32, B64, Gen, U16, U32, U64, goff, toff};
use traceorus_asm::LoadKind::U8;

pub(crate) const META: i32 = offset_of!(Table, metatable) as i32;
pub(crate) const USERDATA_META: i32 = offset_of!(Userdata, metatable) as i32;

/// An operand as an argument.
#[derive(Clone, Copy)]
pub(crate) enum Arg {
    /// The register whose offset is operand A, B or C (1 to 3).
    Reg(u8),
    /// The register after that of operand B.
    AfterB,
    /// Constant word, tag in C.
    Konst,
    /// Integer in C.
    Imm,
    /// Integer in B.
    ImmB,
}

/// `p`, `t` = payload and tag of an operand.
fn load_arg<M: Masm>(g: &mut Gen<M>, arg: Arg, p: Gpr, t: Gpr) {
    match arg {
        Arg::Reg(n) => {
            g.m.load(U16, d(t), at(M::PC, 2 * i32::from(n)));
            g.m.load(U64, d(p), Gen::<M>::pay(t));
            g.m.load(U32, d(t), Gen::<M>::tag(t));
        }
        Arg::AfterB => {
            g.m.load(U16, d(t), at(M::PC, 4));
            g.m.load(U64, d(p), Gen::<M>::reg(t, 16));
            g.m.load(U32, d(t), Gen::<M>::reg(t, 24));
        }
        Arg::Konst => {
            g.m.load(crate::S16To32, d(t), at(M::PC, 6));
            g.m.load(U64, d(p), at(M::PC, 8));
        }
        Arg::Imm | Arg::ImmB => {
            let operand = if matches!(arg, Arg::Imm) { 6 } else { 4 };
            g.m.load(crate::S16To64, d(p), at(M::PC, operand));
            g.m.mov_imm(d(t), i64::from(Tag::INT.0));
        }
    }
}

/// T0 = the metatable of an object with payload `p` and tag `t`; `none` if that is neither a table nor a userdata, or has none.
fn metatable<M: Masm>(g: &mut Gen<M>, p: Gpr, t: Gpr, none: Label) {
    let found = g.m.new_label();
    let other = g.cold(move |g| {
        g.m.branch(Cond::Ne, B32, t, i64::from(Tag::USERDATA.0), none);
        g.m.load(U64, d(M::T0), at(p, USERDATA_META));
        g.m.branch(Cond::Ne, B64, M::T0, 0, found);
        g.m.jump(none);
    });
    g.m.branch(Cond::Ne, B32, t, i64::from(Tag::TABLE.0), other);
    g.m.load(U64, d(M::T0), at(p, META));
    g.m.branch(Cond::Eq, B64, M::T0, 0, none);
    g.m.bind(found);
}

/// A cold path that calls the metamethod `ev` of the first operand or, if that has no metatable of its own, of the second.
pub(crate) fn binary<M: Masm>(g: &mut Gen<M>, ev: MetaMethod, left: Arg, right: Arg) -> Label {
    g.cold(move |g| {
        let slow = g.slow();
        load_arg(g, left, M::T2, M::T3);
        load_arg(g, right, M::T4, M::T5);
        let second = g.m.new_label();
        let call = g.meta_call;
        g.m.mov_imm(d(M::T1), 8 * ev as i64);
        metatable(g, M::T2, M::T3, second);
        g.m.jump(call);
        g.m.bind(second);
        metatable(g, M::T4, M::T5, slow);
        g.m.jump(call);
    })
}

/// T2, T3 = the object T4, T4, T5 = the key.
fn object_and_key<M: Masm>(g: &mut Gen<M>, tag: Tag, key: Option<Arg>) {
    g.m.mov(d(M::T2), M::T4);
    g.m.mov_imm(d(M::T3), i64::from(tag.0));
    match key {
        Some(k) => load_arg(g, k, M::T4, M::T5),
        None => {
            g.m.load(U64, d(M::T4), at(M::PC, 16));
            g.m.mov_imm(d(M::T5), i64::from(Tag::STRING.0));
        }
    }
}

/// `object[key]` is missing and the metatable T0 is not known to lack `__index`: calls that, if it is a function. T4 = the
/// object, of type `tag`, `key` the operand, or (`None`) the constant string of a GetField.
pub(crate) fn index<M: Masm>(g: &mut Gen<M>, tag: Tag, key: Option<Arg>) {
    object_and_key(g, tag, key);
    g.m.mov_imm(d(M::T1), 8 * MetaMethod::Index as i64);
    let call = g.meta_call;
    g.m.jump(call);
}

/// `object[key] = value` is missing and the metatable T0 is not known to lack `__newindex`: calls that, if it is a function.
/// T4 and `key` as for [`index`]; the value is the register of operand number `value`.
pub(crate) fn newindex<M: Masm>(g: &mut Gen<M>, tag: Tag, key: Option<Arg>, value: u8) {
    g.m.load(U16, d(M::T6), at(M::PC, 2 * i32::from(value)));
    object_and_key(g, tag, key);
    g.m.mov_imm(d(M::T1), 8 * MetaMethod::NewIndex as i64);
    let call = g.meta_call3;
    g.m.jump(call);
}

/// T4 = the table that stands for `__newindex` in the metatable T0 of a userdata, or goes to `other`. Destroys T5 to T7.
pub(crate) fn newindex_table<M: Masm>(g: &mut Gen<M>, other: Label) {
    let name = goff!(meta_names) + 8 * MetaMethod::NewIndex as i32;
    g.m.load(U64, d(M::T6), at(M::GLOBAL, name));
    g.m.mov(d(M::T4), M::T0);
    probe(g, 3, other);
    constant(g, other);
    g.m.branch(Cond::Ne, B32, M::T7, i64::from(Tag::TABLE.0), other);
    g.m.mov(d(M::T4), M::T6);
}

/// A cold path for an object in the register with offset `object` that is no table: what the metatable of a userdata says.
/// T4 = the userdata, T0 = its metatable, then `and_then`.
pub(crate) fn userdata<M: Masm>(
    g: &mut Gen<M>,
    object: Gpr,
    and_then: impl FnOnce(&mut Gen<M>) + 'static,
) -> Label {
    g.cold(move |g| {
        let slow = g.slow();
        g.expect(object, Tag::USERDATA, slow);
        g.m.load(U64, d(M::T4), Gen::<M>::pay(object));
        g.m.load(U64, d(M::T0), at(M::T4, USERDATA_META));
        g.m.branch(Cond::Eq, B64, M::T0, 0, slow);
        and_then(g);
    })
}

/// T0 = the function that the metatable T4 has for the event whose number times 8 is in T1. Destroys T5 to T7.
fn find<M: Masm>(g: &mut Gen<M>, slow: Label) {
    g.m.load(
        U64,
        d(M::T6),
        at_index(M::GLOBAL, M::T1, Scale::S1, goff!(meta_names)),
    );
    probe(g, 3, slow);
    constant(g, slow);
    g.m.branch(Cond::Ne, B32, M::T7, i64::from(Tag::FUNCTION.0), slow);
    g.m.mov(d(M::T0), M::T6);
}

/// The return of a native metamethod with T4 results, to the instruction at PC.
fn native_result<M: Masm>(g: &mut Gen<M>) {
    let general = g.m.new_label();
    g.m.branch_mem(Cond::Ne, B32, at(M::GLOBAL, goff!(poll)), 0, general);
    // its op number stands before its handler
    op_number(g);
    g.m.load(U64, d(M::T2), at(M::THREAD, toff!(base)));
    g.m.load(U64, d(M::T1), at(M::T2, -8));
    let delta = i64::from(frame::DELTA_SHIFT);
    g.m.shift(ShiftOp::Shr, B64, d(M::T1), M::T1, delta);
    g.m.shift(ShiftOp::Shl, B64, d(M::T1), M::T1, 4);
    // those that take a value, then those that take none
    let value = [
        (Op::GetField, 3),
        (Op::GetIndex, 1),
        (Op::GetInt, 1),
        (Op::Len, 1),
    ];
    let value = value.map(|(op, words)| (op, words, g.m.new_label()));
    for (op, _, label) in value {
        g.m.branch(Cond::Eq, B32, M::T0, op as i64, label);
    }
    let none = [(Op::SetField, 3), (Op::SetIndex, 1), (Op::SetInt, 1)];
    let none = none.map(|(op, words)| (op, words, g.m.new_label()));
    for (op, _, label) in none {
        g.m.branch(Cond::Eq, B32, M::T0, op as i64, label);
    }
    g.m.bind(general);
    crate::calls::native_return(g);
    for (_, words, label) in value {
        g.m.bind(label);
        g.m.branch(Cond::Eq, B64, M::T4, 0, general);
        g.m.alu(AluOp::Sub, B64, d(M::BASE), M::T2, M::T1);
        g.m.load(U64, d(M::T3), at(M::THREAD, toff!(top)));
        g.m.shift(ShiftOp::Shl, B64, d(M::T4), M::T4, 4);
        g.m.alu(AluOp::Sub, B64, d(M::T3), M::T3, M::T4);
        g.m.load(U64, d(M::T6), at(M::T3, 0));
        g.m.load(U32, d(M::T7), at(M::T3, 8));
        g.m.load(U16, d(M::T1), at(M::PC, 2));
        g.put(M::T1, M::T6, M::T7);
        g.reload_code();
        g.next(words);
    }
    for (_, words, label) in none {
        g.m.bind(label);
        g.m.alu(AluOp::Sub, B64, d(M::BASE), M::T2, M::T1);
        g.reload_code();
        g.next(words);
    }
}

/// T0 = the op number of the instruction at PC, which stands before its handler. Destroys T7.
fn op_number<M: Masm>(g: &mut Gen<M>) {
    g.m.load(U16, d(M::T0), at(M::PC, 0));
    g.m.load(U64, d(M::T7), at(M::GLOBAL, goff!(code_base)));
    g.m.load(U16, d(M::T0), at_index(M::T7, M::T0, Scale::S8, -2));
}

/// T1 = the word of the frame with base T2 that an instruction calls: PC, kind CONT, delta = slots from base to base.
fn word<M: Masm>(g: &mut Gen<M>) {
    g.m.alu(AluOp::Sub, B64, d(M::T1), M::T2, M::BASE);
    let delta = i64::from(frame::DELTA_SHIFT) - 4;
    g.m.shift(ShiftOp::Shl, B64, d(M::T1), M::T1, delta);
    g.m.alu(AluOp::Add, B64, d(M::T1), M::T1, M::PC);
    g.m.alu(AluOp::Add, B64, d(M::T1), M::T1, kind::CONT as i64);
}

/// The common code of the above: T0 = metatable, T1 = 8 times the event, T2, T3 and T4, T5 = payloads and tags of two
/// arguments; a third one is in the register whose offset is T6.
pub(crate) fn common<M: Masm>(g: &mut Gen<M>) {
    let slow = g.m.new_label();
    let native = g.m.new_label();
    for (label, nargs) in [(g.meta_call, 2), (g.meta_call3, 3)] {
        g.m.align(16);
        g.m.bind(label);
        // the function slot is the first above the running frame
        g.m.load(U64, d(M::T7), at(M::BASE, -16));
        g.m.load(
            U64,
            d(M::T7),
            at(M::T7, offset_of!(LuaClosure, proto) as i32),
        );
        g.m.load(
            U8,
            d(M::T7),
            at(M::T7, offset_of!(Proto, frame_size) as i32),
        );
        g.m.shift(ShiftOp::Shl, B64, d(M::T7), M::T7, 4);
        g.m.alu(AluOp::Add, B64, d(M::T7), M::T7, M::BASE);
        g.m.store(B64, at(M::T7, 16), M::T2);
        g.m.store(B32, at(M::T7, 24), M::T3);
        g.m.store(B64, at(M::T7, 32), M::T4);
        g.m.store(B32, at(M::T7, 40), M::T5);
        if nargs == 3 {
            g.m.load(U64, d(M::T2), Gen::<M>::pay(M::T6));
            g.m.load(U32, d(M::T3), Gen::<M>::tag(M::T6));
            g.m.store(B64, at(M::T7, 48), M::T2);
            g.m.store(B32, at(M::T7, 56), M::T3);
        }
        g.m.lea(d(M::T2), at(M::T7, 16));
        g.m.mov(d(M::T4), M::T0);
        find(g, slow);
        g.m.mov_imm(d(M::T4), nargs);
        g.m.branch_mem(
            Cond::Ne,
            B8,
            at(M::T0, offset_of!(GcHeader, kind) as i32),
            ObjKind::LuaClosure as i64,
            native,
        );
        g.m.load(U64, d(M::T3), at(M::T0, offset_of!(LuaClosure, pc) as i32));
        crate::calls::room_for_any(g);
        g.m.branch(Cond::Above, B64, M::T6, at(M::THREAD, toff!(limit)), slow);
        g.m.store(B64, at(M::T2, -16), M::T0);
        word(g);
        g.m.mov(d(M::PC), M::T1);
        crate::calls::to_header(g);
    }
    g.m.bind(native);
    crate::calls::native_room(g, slow);
    g.m.store(B64, at(M::T2, -16), M::T0);
    word(g);
    g.m.store(B64, at(M::T2, -8), M::T1);
    let failed = g.m.new_label();
    crate::calls::native_call(g, failed);
    native_result(g);
    g.m.bind(failed);
    crate::calls::native_failed(g);
    // the helper of whatever instruction this is
    g.m.bind(slow);
    op_number(g);
    g.m.shift(ShiftOp::Shl, B64, d(M::T0), M::T0, 3);
    let helper = g.call_helper;
    g.m.jump(helper);
}

/// A cold path for a Call of the object in register A: the function in `__call` gets it as its first argument.
pub(crate) fn call<M: Masm>(g: &mut Gen<M>) -> Label {
    debug_assert!(g.op == Op::Call);
    g.cold(|g| {
        let slow = g.slow();
        g.m.load(U64, d(M::T4), Gen::<M>::pay(M::T1));
        g.m.load(U32, d(M::T5), Gen::<M>::tag(M::T1));
        metatable(g, M::T4, M::T5, slow);
        g.m.mov(d(M::T4), M::T0);
        g.m.mov_imm(d(M::T1), 8 * MetaMethod::Call as i64);
        find(g, slow);
        g.dec_a();
        g.m.load(U16, d(M::T4), at(M::PC, 4));
        // from the last argument down to the object itself, one slot up: the stack has some to spare
        g.m.lea(d(M::T2), at_index(M::BASE, M::T1, Scale::S1, 0));
        g.m.shift(ShiftOp::Shl, B64, d(M::T5), M::T4, 4);
        g.m.alu(AluOp::Add, B64, d(M::T5), M::T5, M::T2);
        let again = g.m.here();
        g.m.load(U64, d(M::T6), at(M::T5, 0));
        g.m.load(U32, d(M::T7), at(M::T5, 8));
        g.m.store(B64, at(M::T5, 16), M::T6);
        g.m.store(B32, at(M::T5, 24), M::T7);
        g.m.alu(AluOp::Sub, B64, d(M::T5), M::T5, 16);
        g.m.branch(Cond::AboveEq, B64, M::T5, M::T2, again);
        g.m.store(B64, Gen::<M>::pay(M::T1), M::T0);
        g.m.store_imm(B32, Gen::<M>::tag(M::T1), Tag::FUNCTION.0);
        g.m.alu(AluOp::Add, B64, d(M::T4), M::T4, 1);
        // the instruction's own helper would not know of the new argument
        let slow = crate::calls::generic(g);
        crate::calls::enter_or(g, slow);
    })
}
