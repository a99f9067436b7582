//! Calls and returns between Lua functions, and calls of native functions.
//!
//! A Call has T0 = closure, T1 = A, T2 = the callee's base, T3 = its first pc, T4 = number of arguments when it leaves
//! for the header handler of its callee (FuncF, FuncV, FuncN), which is dispatched like an instruction, from the normal
//! region. Nothing has been written by then. PC is the frame word; other ways into Lua functions (tail calls, pcall) have
//! made sure of the room and come with another word there.

use std::mem::offset_of;

use traceorus_asm::operand::{at, at_index};
use traceorus_asm::{AluCond, AluOp, BitCond, Cond, Gpr, Label, LoadKind, Masm, Scale, ShiftOp, d};
use traceorus_base::Tag;
use traceorus_base::bytecode::{HEADER_JFUNCF, MULTI, MetaEnd, Op};
use traceorus_base::frame::{self, kind};
use traceorus_base::objects::{
    Activation, GcHeader, LuaClosure, NativeClosure, ObjKind, Proto, thread_status,
};

use crate::{B8, B16, B32, B64, CALL, Gen, NIL, U16, U32, U64, extra, goff, toff};

/// Slots that a native function may count on (ORDER: `vm::call::MIN_NATIVE`).
const MIN_NATIVE: i32 = 20;

pub(crate) fn emit<M: Masm>(g: &mut Gen<M>, op: Op) -> bool {
    match op {
        Op::Call => {
            g.dec_a();
            let object = crate::meta::call(g);
            g.expect(M::T1, Tag::FUNCTION, object);
            g.m.load(U16, d(M::T4), at(M::PC, 4));
            g.m.load(U64, d(M::T0), Gen::<M>::pay(M::T1));
            enter(g);
        }
        Op::CallM => {
            g.dec_a();
            let slow = g.slow();
            g.expect(M::T1, Tag::FUNCTION, slow);
            open_args(g);
            g.m.load(U64, d(M::T0), Gen::<M>::pay(M::T1));
            enter(g);
        }
        Op::TailCall => {
            g.dec_a();
            let slow = g.slow();
            g.expect(M::T1, Tag::FUNCTION, slow);
            g.m.load(U16, d(M::T4), at(M::PC, 4));
            g.m.load(U64, d(M::T0), Gen::<M>::pay(M::T1));
            tail_call(g);
        }
        Op::TailCallM => {
            g.dec_a();
            let slow = g.slow();
            g.expect(M::T1, Tag::FUNCTION, slow);
            open_args(g);
            g.m.load(U64, d(M::T0), Gen::<M>::pay(M::T1));
            tail_call(g);
        }
        Op::TForCall => {
            // a general iterator: copies of iterator, state, control, then a call with two arguments
            g.dec_a();
            let slow = g.slow();
            g.m.branch_mem(
                Cond::Ne,
                B32,
                Gen::<M>::reg(M::T1, -56),
                i64::from(Tag::FUNCTION.0),
                slow,
            );
            for i in 0..3 {
                g.m.load(U64, d(M::T4), Gen::<M>::reg(M::T1, -64 + 16 * i));
                g.m.load(U64, d(M::T5), Gen::<M>::reg(M::T1, -56 + 16 * i));
                g.m.store(B64, Gen::<M>::reg(M::T1, 16 * i), M::T4);
                g.m.store(B64, Gen::<M>::reg(M::T1, 8 + 16 * i), M::T5);
            }
            g.m.load(U64, d(M::T0), Gen::<M>::pay(M::T1));
            g.m.mov_imm(d(M::T4), 2);
            enter(g);
        }
        Op::FuncF | Op::JFuncF => func_fixed(g),
        Op::FuncV | Op::JFuncV => func_vararg(g),
        Op::FuncN => func_native(g),
        Op::FfPcall => func_pcall(g, 1),
        Op::FfXpcall => func_pcall(g, 2),
        Op::FfResume => func_resume(g, false),
        Op::FfWrapped => func_resume(g, true),
        Op::FfYield => func_yield(g),
        Op::Ret0 => {
            let slow = g.slow();
            g.m.load(U64, d(M::T5), at(M::BASE, -8));
            let other = g.cold(move |g| {
                g.m.mov(d(M::T2), M::BASE);
                g.m.mov(d(M::T3), M::BASE);
                g.m.mov_imm(d(M::T4), 0);
                finish(g, slow);
            });
            g.m.branch_bits(BitCond::NonZero, B32, M::T5, kind::MASK as i64, other);
            g.m.load(U16, d(M::T6), at(M::T5, 6));
            g.m.load(U16, d(M::T1), at(M::T5, 2));
            let some = g.cold(move |g| {
                g.m.branch(Cond::Ne, B32, M::T6, 1, other);
                g.m.store_imm(B32, at(M::BASE, -8), NIL as i32);
                leave(g, M::BASE);
            });
            g.m.branch(Cond::Ne, B32, M::T6, 0, some);
            leave(g, M::BASE);
        }
        Op::Ret1 => {
            g.dec_a();
            let slow = g.slow();
            g.m.load(U64, d(M::T5), at(M::BASE, -8));
            g.m.load(U64, d(M::T3), Gen::<M>::pay(M::T1));
            g.m.load(U32, d(M::T4), Gen::<M>::tag(M::T1));
            // T1 = A, T2 = base of the frame to end
            let any = g.cold(move |g| {
                g.m.lea(d(M::T3), at_index(M::BASE, M::T1, Scale::S1, 0));
                g.m.mov_imm(d(M::T4), 1);
                finish(g, slow);
            });
            let other = g.cold(move |g| {
                let (tail, lua, entry) = (g.m.new_label(), g.m.new_label(), g.m.new_label());
                g.m.alu(AluOp::And, B32, d(M::T6), M::T5, kind::MASK as i64);
                g.m.branch(Cond::Eq, B32, M::T6, kind::ENTRY as i64, entry);
                g.m.mov(d(M::T2), M::BASE);
                g.m.branch(Cond::Eq, B32, M::T6, kind::TAIL as i64, tail);
                g.m.branch(Cond::Ne, B32, M::T6, kind::VARARG as i64, any);
                below_vararg(g);
                g.m.branch(Cond::Eq, B32, M::T6, 0, lua);
                g.m.branch(Cond::Ne, B32, M::T6, kind::TAIL as i64, any);
                g.m.bind(tail);
                g.m.alu(AluOp::Sub, B64, d(M::T5), M::T5, kind::TAIL as i64);
                g.m.bind(lua);
                g.m.load(U16, d(M::T6), at(M::T5, 6));
                g.m.branch(Cond::Above, B32, M::T6, 1, any);
                g.m.load(U16, d(M::T1), at(M::T5, 2));
                g.m.store(B64, at(M::T2, -16), M::T3);
                g.m.store(B32, at(M::T2, -8), M::T4);
                leave(g, M::T2);
                g.m.bind(entry);
                g.m.mov(d(M::T2), M::BASE);
                end_entry(g, any);
            });
            g.m.branch_bits(BitCond::NonZero, B32, M::T5, kind::MASK as i64, other);
            g.m.load(U16, d(M::T6), at(M::T5, 6));
            let multi = g.cold(move |g| {
                g.m.mov(d(M::T2), M::BASE);
                g.m.branch(Cond::Ne, B32, M::T6, i64::from(MULTI), any);
                g.m.store(B64, at(M::THREAD, toff!(top)), M::BASE);
                g.m.store(B64, at(M::BASE, -16), M::T3);
                g.m.store(B32, at(M::BASE, -8), M::T4);
                g.m.load(U16, d(M::T1), at(M::T5, 2));
                leave(g, M::BASE);
            });
            g.m.branch(Cond::Above, B32, M::T6, 1, multi);
            g.m.load(U16, d(M::T1), at(M::T5, 2));
            g.m.store(B64, at(M::BASE, -16), M::T3);
            g.m.store(B32, at(M::BASE, -8), M::T4);
            leave(g, M::BASE);
        }
        Op::Ret => {
            g.dec_a();
            let slow = g.slow();
            g.m.load(U16, d(M::T4), at(M::PC, 4));
            g.m.lea(d(M::T3), at_index(M::BASE, M::T1, Scale::S1, 0));
            g.m.mov(d(M::T2), M::BASE);
            finish(g, slow);
        }
        Op::RetM => {
            g.dec_a();
            let slow = g.slow();
            g.m.lea(d(M::T3), at_index(M::BASE, M::T1, Scale::S1, 0));
            g.m.load(U64, d(M::T4), at(M::THREAD, toff!(top)));
            g.m.alu(AluOp::Sub, B64, d(M::T4), M::T4, M::T3);
            g.m.shift(ShiftOp::Shr, B64, d(M::T4), M::T4, 4);
            g.m.mov(d(M::T2), M::BASE);
            finish(g, slow);
        }
        Op::Vararg => {
            g.dec_ab();
            g.m.mov(d(M::T6), M::T2);
            g.m.lea(d(M::T2), at_index(M::BASE, M::T1, Scale::S1, 0));
            extra_args(g);
            copy(g);
            g.next(1);
        }
        Op::VarargM => {
            g.dec_a();
            let slow = g.slow();
            g.m.lea(d(M::T2), at_index(M::BASE, M::T1, Scale::S1, 0));
            extra_args(g);
            g.m.shift(ShiftOp::Shl, B64, d(M::T5), M::T4, 4);
            g.m.alu(AluOp::Add, B64, d(M::T5), M::T5, M::T2);
            g.m.lea(d(M::T6), at(M::T5, 16));
            g.m.branch(Cond::Above, B64, M::T6, at(M::THREAD, toff!(limit)), slow);
            g.m.store(B64, at(M::THREAD, toff!(top)), M::T5);
            let done = g.m.new_label();
            g.m.branch(Cond::Eq, B64, M::T4, 0, done);
            copy_some(g);
            g.m.bind(done);
            g.next(1);
        }
        _ => return false,
    }
    true
}

/// T4 = number of arguments of a call with function slot T1 and arguments up to the top.
fn open_args<M: Masm>(g: &mut Gen<M>) {
    let slow = g.slow();
    g.m.lea(d(M::T2), at_index(M::BASE, M::T1, Scale::S1, 16));
    g.m.load(U64, d(M::T4), at(M::THREAD, toff!(top)));
    g.m.alu(AluOp::Sub, B64, d(M::T4), M::T4, M::T2);
    g.m.shift(ShiftOp::Shr, B64, d(M::T4), M::T4, 4);
    // the count has more than the 16 bits that are compared with the callee's
    g.m.branch(Cond::AboveEq, B64, M::T4, i64::from(HEADER_JFUNCF), slow);
}

/// T3 = first extra argument of the running vararg function, T4 = how many there are. Destroys T5.
fn extra_args<M: Masm>(g: &mut Gen<M>) {
    g.m.load(U64, d(M::T5), at(M::BASE, -16));
    g.m.load(U64, d(M::T4), at(M::BASE, -8));
    g.m.load(
        U64,
        d(M::T5),
        at(M::T5, offset_of!(LuaClosure, proto) as i32),
    );
    g.m.load(
        LoadKind::U8,
        d(M::T5),
        at(M::T5, offset_of!(Proto, nparams) as i32),
    );
    // delta = parameters + extra ones + 1
    g.m.shift(ShiftOp::Shr, B64, d(M::T4), M::T4, 3);
    g.m.alu(AluOp::Sub, B64, d(M::T4), M::T4, M::T5);
    g.m.shift(ShiftOp::Shl, B64, d(M::T5), M::T4, 4);
    g.m.alu(AluOp::Sub, B64, d(M::T3), M::BASE, M::T5);
    g.m.alu(AluOp::Sub, B64, d(M::T4), M::T4, 1);
}

/// Copies T4 values (at least one) from T3 up to T2 up, ascending. T2, T3 end above them; destroys T0, T1, T4.
fn copy_some<M: Masm>(g: &mut Gen<M>) {
    let again = g.m.here();
    g.m.load(U64, d(M::T0), at(M::T3, 0));
    g.m.load(U32, d(M::T1), at(M::T3, 8));
    g.m.store(B64, at(M::T2, 0), M::T0);
    g.m.store(B32, at(M::T2, 8), M::T1);
    g.m.alu(AluOp::Add, B64, d(M::T3), M::T3, 16);
    g.m.alu(AluOp::Add, B64, d(M::T2), M::T2, 16);
    g.m.alu_branch(AluOp::Sub, B64, d(M::T4), M::T4, 1, AluCond::NonZero, again);
}

/// Makes T4 values at T3 into T6 values at T2 (cut, or filled with nil). Destroys T0 to T6 but T5.
fn copy<M: Masm>(g: &mut Gen<M>) {
    let (enough, nils, done) = (g.m.new_label(), g.m.new_label(), g.m.new_label());
    g.m.branch(Cond::BelowEq, B64, M::T4, M::T6, enough);
    g.m.mov(d(M::T4), M::T6);
    g.m.bind(enough);
    g.m.alu(AluOp::Sub, B64, d(M::T6), M::T6, M::T4);
    g.m.branch(Cond::Eq, B64, M::T4, 0, nils);
    copy_some(g);
    g.m.bind(nils);
    g.m.branch(Cond::Eq, B64, M::T6, 0, done);
    let again = g.m.here();
    g.m.store_imm(B32, at(M::T2, 8), NIL as i32);
    g.m.alu(AluOp::Add, B64, d(M::T2), M::T2, 16);
    g.m.alu_branch(AluOp::Sub, B64, d(M::T6), M::T6, 1, AluCond::NonZero, again);
    g.m.bind(done);
}

/// Ends the frame with base `base`: T5 = the caller's pc, T1 = operand A there.
fn leave<M: Masm>(g: &mut Gen<M>, base: Gpr) {
    g.m.alu(AluOp::Sub, B64, d(M::BASE), base, M::T1);
    g.m.lea(d(M::BASE), at(M::BASE, -16));
    g.m.lea(d(M::PC), at(M::T5, 8 * CALL));
    g.reload_code();
    g.next(0);
}

/// From a vararg frame with base T2 and word T5 to the real one: T2 = its base, T5 = its word, T6 = its kind.
fn below_vararg<M: Masm>(g: &mut Gen<M>) {
    g.m.alu(AluOp::Sub, B64, d(M::T5), M::T5, kind::VARARG as i64);
    g.m.shift(ShiftOp::Shl, B64, d(M::T5), M::T5, 1);
    g.m.alu(AluOp::Sub, B64, d(M::T2), M::T2, M::T5);
    g.m.load(U64, d(M::T5), at(M::T2, -8));
    g.m.alu(AluOp::And, B32, d(M::T6), M::T5, kind::MASK as i64);
}

/// Ends the frame with base T2 with the T4 results at T3, whatever its caller wants, if it is of a kind that returns to a
/// Lua frame, directly or through pcall; else leaves for `slow` with nothing changed but temporaries (T4 is kept).
fn finish<M: Masm>(g: &mut Gen<M>, slow: Label) {
    let (again, lua) = (g.m.new_label(), g.m.new_label());
    g.m.bind(again);
    g.m.load(U64, d(M::T5), at(M::T2, -8));
    let other = g.cold(move |g| {
        let (tail, pcall, bottom) = (g.m.new_label(), g.m.new_label(), g.m.new_label());
        let (cont, entry, many) = (g.m.new_label(), g.m.new_label(), g.m.new_label());
        g.m.alu(AluOp::And, B32, d(M::T6), M::T5, kind::MASK as i64);
        g.m.branch(Cond::Eq, B32, M::T6, kind::CONT as i64, cont);
        g.m.branch(Cond::Eq, B32, M::T6, kind::ENTRY as i64, entry);
        g.m.branch(Cond::Eq, B32, M::T6, kind::TAIL as i64, tail);
        g.m.branch(Cond::Eq, B32, M::T6, kind::PCALL as i64, pcall);
        g.m.branch(Cond::Eq, B32, M::T6, kind::BASE as i64, bottom);
        g.m.branch(Cond::Ne, B32, M::T6, kind::VARARG as i64, slow);
        below_vararg(g);
        g.m.jump(again);
        g.m.bind(cont);
        end_meta(g, slow);
        g.m.bind(entry);
        g.m.branch(Cond::Eq, B64, M::T4, 0, slow);
        g.m.mov(d(M::T1), M::T3);
        g.m.load(U64, d(M::T3), at(M::T1, 0));
        g.m.mov(d(M::T7), M::T4);
        g.m.load(U32, d(M::T4), at(M::T1, 8));
        end_entry(g, many);
        g.m.bind(many);
        g.m.mov(d(M::T3), M::T1);
        g.m.mov(d(M::T4), M::T7);
        g.m.jump(slow);
        g.m.bind(bottom);
        end_thread(g, slow);
        g.m.bind(tail);
        g.m.alu(AluOp::Sub, B64, d(M::T5), M::T5, kind::TAIL as i64);
        g.m.jump(lua);
        // T6 = base of pcall's own frame, T0 = its caller's pc
        g.m.bind(pcall);
        g.m.shift(
            ShiftOp::Shr,
            B64,
            d(M::T6),
            M::T5,
            i64::from(frame::DELTA_SHIFT),
        );
        g.m.alu(AluOp::And, B32, d(M::T6), M::T6, frame::MAX_DELTA as i64);
        g.m.shift(ShiftOp::Shl, B64, d(M::T6), M::T6, 4);
        g.m.alu(AluOp::Sub, B64, d(M::T6), M::T2, M::T6);
        g.m.load(U64, d(M::T0), at(M::T6, -8));
        g.m.alu(AluOp::And, B32, d(M::T1), M::T0, kind::MASK as i64);
        let ours = g.m.new_label();
        g.m.branch(Cond::Eq, B32, M::T1, 0, ours);
        g.m.branch(Cond::Ne, B32, M::T1, kind::TAIL as i64, slow);
        g.m.alu(AluOp::Sub, B64, d(M::T0), M::T0, kind::TAIL as i64);
        g.m.bind(ours);
        // the depth before the call is in the word
        g.m.shift(ShiftOp::Shr, B64, d(M::T5), M::T5, 3);
        g.m.store(B32, at(M::THREAD, toff!(pcall_depth)), M::T5);
        g.m.mov(d(M::T2), M::T6);
        g.m.mov(d(M::T5), M::T0);
        give_true(g);
    });
    g.m.branch_bits(BitCond::NonZero, B32, M::T5, kind::MASK as i64, other);
    g.m.bind(lua);
    give(g);
}

/// `to` = the address in the frame word `word`.
fn address<M: Masm>(g: &mut Gen<M>, to: Gpr, word: Gpr) {
    let up = i64::from(64 - frame::DELTA_SHIFT);
    g.m.shift(ShiftOp::Shl, B64, d(to), word, up);
    g.m.shift(ShiftOp::Shr, B64, d(to), to, up);
    g.m.alu(AluOp::And, B64, d(to), to, -8);
}

/// A metamethod with base T2 and frame word T5 ends with the T4 results at T3; its instruction goes on as its `MetaEnd` says.
fn end_meta<M: Masm>(g: &mut Gen<M>, slow: Label) {
    // T0 = pc of that instruction, T6 = its MetaEnd
    address(g, M::T0, M::T5);
    g.m.load(U16, d(M::T6), at(M::T0, 0));
    g.m.load(U64, d(M::T7), at(M::GLOBAL, goff!(code_base)));
    g.m.load(U16, d(M::T6), at_index(M::T7, M::T6, Scale::S8, -4));
    g.m.branch(Cond::Eq, B32, M::T6, 0, slow);
    let plain = g.m.new_label();
    let concat = g.cold(move |g| {
        g.m.branch_mem(Cond::Ne, B16, at(M::T0, 6), 2, slow);
        g.m.mov_imm(d(M::T6), 1);
        g.m.jump(plain);
    });
    g.m.branch(Cond::Eq, B32, M::T6, i64::from(MetaEnd::CONCAT), concat);
    g.m.bind(plain);
    g.m.shift(
        ShiftOp::Shr,
        B64,
        d(M::T5),
        M::T5,
        i64::from(frame::DELTA_SHIFT),
    );
    g.m.alu(AluOp::And, B32, d(M::T5), M::T5, frame::MAX_DELTA as i64);
    g.m.shift(ShiftOp::Shl, B64, d(M::T5), M::T5, 4);
    g.m.alu(AluOp::Sub, B64, d(M::BASE), M::T2, M::T5);
    g.reload_code();
    let other = g.cold(|g| {
        let store = g.m.new_label();
        g.m.mov(d(M::PC), M::T0);
        g.m.branch(Cond::AboveEq, B32, M::T6, i64::from(MetaEnd::STORE), store);
        // a comparison: is the result true?
        let (no, decide) = (g.m.new_label(), g.m.new_label());
        g.m.mov_imm(d(M::T7), i64::from(MetaEnd::JUMP_IF_FALSE));
        g.m.branch(Cond::Eq, B64, M::T4, 0, decide);
        g.m.branch_mem(Cond::Ge, B32, at(M::T3, 8), crate::FALSY, decide);
        g.m.mov_imm(d(M::T7), i64::from(MetaEnd::JUMP_IF_TRUE));
        g.m.bind(decide);
        g.m.branch(Cond::Ne, B32, M::T6, M::T7, no);
        g.jump_c(1);
        g.m.bind(no);
        g.next(1);
        g.m.bind(store);
        g.m.alu(AluOp::Sub, B32, d(M::T6), M::T6, i64::from(MetaEnd::STORE));
        g.m.lea(d(M::PC), at_index(M::T0, M::T6, Scale::S8, 0));
        g.next(0);
    });
    g.m.branch(Cond::AboveEq, B32, M::T6, i64::from(MetaEnd::OTHER), other);
    g.m.lea(d(M::PC), at_index(M::T0, M::T6, Scale::S8, 0));
    g.m.load(U16, d(M::T1), at(M::T0, 2));
    let none = g.cold(|g| {
        g.m.store_imm(B32, Gen::<M>::tag(M::T1), NIL as i32);
        g.next(0);
    });
    g.m.branch(Cond::Eq, B64, M::T4, 0, none);
    g.m.load(U64, d(M::T6), at(M::T3, 0));
    g.m.load(U32, d(M::T7), at(M::T3, 8));
    g.put(M::T1, M::T6, M::T7);
    g.next(0);
}

/// A function called by native code, with base T2 and frame word T5, ends with the result T3, T4: leaves the interpreter if one
/// is wanted, else for `other`.
fn end_entry<M: Masm>(g: &mut Gen<M>, other: Label) {
    address(g, M::T0, M::T5);
    let act = |field: usize| at(M::T0, field as i32);
    g.m.branch_mem(
        Cond::Ne,
        B32,
        act(offset_of!(Activation, nresults)),
        1,
        other,
    );
    // in the place of the function
    g.m.store(B64, at(M::T2, -16), M::T3);
    g.m.store(B32, at(M::T2, -8), M::T4);
    g.m.store(B64, at(M::THREAD, toff!(top)), M::T2);
    g.m.load(U64, d(M::T1), act(offset_of!(Activation, prev_base)));
    g.m.load(U64, d(M::T2), at(M::THREAD, toff!(stack)));
    g.m.alu(AluOp::Add, B64, d(M::T1), M::T1, M::T2);
    g.m.store(B64, at(M::THREAD, toff!(base)), M::T1);
    g.m.load(U64, d(M::T1), act(offset_of!(Activation, prev_pc)));
    g.m.store(B64, at(M::THREAD, toff!(pc)), M::T1);
    g.m.store_imm(B32, at(M::GLOBAL, goff!(exit_status)), 0);
    let leave = g.leave;
    g.m.jump(leave);
}

/// The running thread ends with the T4 results at T3 of its body, whose base is T2.
fn end_thread<M: Masm>(g: &mut Gen<M>, slow: Label) {
    g.m.branch(Cond::Ne, B64, M::T5, kind::BASE as i64, slow);
    g.m.branch(Cond::Eq, B64, M::THREAD, at(M::GLOBAL, goff!(main)), slow);
    g.m.load(U32, d(M::T6), at(M::THREAD, toff!(resume_kind)));
    g.m.branch(Cond::Above, B32, M::T6, 1, slow);
    g.m.branch_mem(Cond::Ne, B32, at(M::THREAD, toff!(tbc_len)), 0, slow);
    g.m.load(U64, d(M::T1), at(M::THREAD, toff!(resumer)));
    // switchable tells the base in T3
    g.m.mov(d(M::T0), M::T3);
    switchable(g, slow);
    // an empty stack
    g.m.store_imm(B64, at(M::T2, -16), 0);
    g.m.store_imm(B64, at(M::T2, -8), kind::BASE as i32);
    g.m.store(B64, at(M::THREAD, toff!(base)), M::T2);
    g.m.store(B64, at(M::THREAD, toff!(top)), M::T2);
    g.m.store_imm(B64, at(M::THREAD, toff!(pc)), 0);
    g.m.store_imm(B32, at(M::THREAD, toff!(pcall_depth)), 0);
    g.m.store_imm(
        B32,
        at(M::THREAD, toff!(status)),
        thread_status::DEAD as i32,
    );
    g.m.store_imm(B64, at(M::THREAD, toff!(resumer)), 0);
    g.m.store_imm(B32, at(M::T1, toff!(status)), thread_status::RUNNING as i32);
    g.m.store(B64, at(M::GLOBAL, goff!(current)), M::T1);
    g.m.mov(d(M::THREAD), M::T1);
    g.m.mov(d(M::T2), M::T3);
    g.m.mov(d(M::T3), M::T0);
    let wrapped = g.cold(|g| give(g));
    g.m.branch(Cond::Ne, B32, M::T6, 0, wrapped);
    give_true(g);
}

/// Ends the frame with base T2 with the T4 results at T3: T5 = the caller's pc.
fn give<M: Masm>(g: &mut Gen<M>) {
    g.m.load(U16, d(M::T6), at(M::T5, 6));
    g.m.load(U16, d(M::T1), at(M::T5, 2));
    g.m.lea(d(M::PC), at(M::T5, 8 * CALL));
    g.m.alu(AluOp::Sub, B64, d(M::BASE), M::T2, M::T1);
    g.m.lea(d(M::BASE), at(M::BASE, -16));
    g.m.alu(AluOp::Sub, B64, d(M::T2), M::T2, 16);
    let results = g.m.new_label();
    let all = all_wanted(g, results);
    g.m.branch(Cond::Eq, B32, M::T6, i64::from(MULTI), all);
    g.m.bind(results);
    copy(g);
    g.reload_code();
    g.next(0);
}

/// As [`give`], with `true` in front of the results.
fn give_true<M: Masm>(g: &mut Gen<M>) {
    g.m.load(U16, d(M::T6), at(M::T5, 6));
    g.m.load(U16, d(M::T1), at(M::T5, 2));
    g.m.lea(d(M::PC), at(M::T5, 8 * CALL));
    g.m.alu(AluOp::Sub, B64, d(M::BASE), M::T2, M::T1);
    g.m.lea(d(M::BASE), at(M::BASE, -16));
    g.m.store_imm(B64, at(M::T2, -16), 0);
    g.m.store_imm(B32, at(M::T2, -8), Tag::TRUE.0);
    let (results, none) = (g.m.new_label(), g.m.new_label());
    let all = all_wanted(g, results);
    g.m.branch(Cond::Eq, B32, M::T6, i64::from(MULTI), all);
    g.m.branch(Cond::Eq, B32, M::T6, 0, none);
    g.m.alu(AluOp::Sub, B64, d(M::T6), M::T6, 1);
    g.m.bind(results);
    copy(g);
    g.m.bind(none);
    g.reload_code();
    g.next(0);
}

/// All T4 results are wanted: sets the top above their places at T2, and T6 to their number.
fn all_wanted<M: Masm>(g: &mut Gen<M>, results: Label) -> Label {
    g.cold(move |g| {
        g.m.mov(d(M::T6), M::T4);
        g.m.shift(ShiftOp::Shl, B64, d(M::T1), M::T4, 4);
        g.m.alu(AluOp::Add, B64, d(M::T1), M::T1, M::T2);
        g.m.store(B64, at(M::THREAD, toff!(top)), M::T1);
        g.m.jump(results);
    })
}

/// T0 = closure, T1 = A, T4 = number of arguments: enters the callee.
fn enter<M: Masm>(g: &mut Gen<M>) {
    let slow = g.slow();
    enter_or(g, slow);
}

/// As [`enter`]; leaves for `slow` if there is no room, with what header handlers get (see the module).
pub(crate) fn enter_or<M: Masm>(g: &mut Gen<M>, slow: Label) {
    g.m.load(U64, d(M::T3), at(M::T0, offset_of!(LuaClosure, pc) as i32));
    g.m.lea(d(M::T2), at_index(M::BASE, M::T1, Scale::S1, 16));
    let header = g.m.new_label();
    // other numbers of arguments, varargs, native functions
    g.m.branch(Cond::Ne, B16, M::T4, at(M::T3, -2), header);
    g.m.load(U16, d(M::T5), at(M::T3, -4));
    g.m.shift(ShiftOp::Shl, B64, d(M::T5), M::T5, 4);
    g.m.alu(AluOp::Add, B64, d(M::T5), M::T5, M::T2);
    g.m.branch(Cond::Above, B64, M::T5, at(M::THREAD, toff!(limit)), slow);
    count(g, slow);
    g.m.store(B64, at(M::T2, -8), M::PC);
    g.m.mov(d(M::BASE), M::T2);
    g.m.mov(d(M::PC), M::T3);
    g.reload_code();
    g.next(0);
    g.m.bind(header);
    to_header(g);
}

/// Counts a call of the function with first pc T3: leaves for `slow` when its counter runs out, with nothing else changed. What is
/// there ends in `vm::call::enter_lua`.
fn count<M: Masm>(g: &mut Gen<M>, slow: Label) {
    let counter = at(
        M::T3,
        2 * Op::FuncF.counter().expect("it counts") as i32 - 8,
    );
    g.m.alu_to_mem_branch(AluOp::Sub, B16, counter, 1, AluCond::Carry, slow);
}

/// Begins a function at PC whose frame is complete: by its first instruction or, where the header says so, in its trace.
fn begin<M: Masm>(g: &mut Gen<M>) {
    if g.op == g.op.original() {
        g.reload_code();
        g.next(0);
    } else {
        g.m.load(
            U16,
            d(M::T1),
            at(
                M::PC,
                2 * Op::FuncF.counter().expect("it counts") as i32 - 8,
            ),
        );
        g.enter_trace();
    }
}

/// Goes to the header handler of the callee (see the module).
pub(crate) fn to_header<M: Masm>(g: &mut Gen<M>) {
    g.m.load(U16, d(M::T5), at(M::T3, -8));
    g.m.load(U64, d(M::T6), at(M::GLOBAL, goff!(code_base)));
    g.m.lea(d(M::T5), at_index(M::T6, M::T5, Scale::S8, 0));
    g.m.jump_reg(M::T5);
}

/// T0 = closure, T1 = A, T4 = number of arguments: the callee takes the place of the running frame. Nothing may fail once
/// that is given up, so room is made sure of first.
fn tail_call<M: Masm>(g: &mut Gen<M>) {
    let slow = g.slow();
    g.m.load(U64, d(M::T3), at(M::T0, offset_of!(LuaClosure, pc) as i32));
    g.m.load(U64, d(M::T5), at(M::BASE, -8));
    g.m.mov(d(M::T2), M::BASE);
    let (ours, entered) = (g.m.new_label(), g.m.new_label());
    let other = g.cold(move |g| {
        let real = g.m.new_label();
        g.m.alu(AluOp::And, B32, d(M::T6), M::T5, kind::MASK as i64);
        g.m.branch(Cond::Ne, B32, M::T6, kind::VARARG as i64, real);
        below_vararg(g);
        g.m.branch(Cond::Eq, B32, M::T6, kind::LUA as i64, ours);
        g.m.bind(real);
        g.m.branch(Cond::Eq, B32, M::T6, kind::TAIL as i64, entered);
        g.m.mov_imm(d(M::T6), frame::TAIL_BIT as i64);
        g.m.alu(AluOp::Or, B64, d(M::T5), M::T5, M::T6);
        g.m.jump(entered);
    });
    g.m.branch_bits(BitCond::NonZero, B32, M::T5, kind::MASK as i64, other);
    g.m.bind(ours);
    const { assert!(kind::LUA == 0) };
    g.m.alu(AluOp::Or, B64, d(M::T5), M::T5, kind::TAIL as i64);
    g.m.bind(entered);
    // T2 = base of the real frame, T5 = its new word
    // as in PUC, the frame stays below a native function; the next instruction returns its results
    let native = g.cold(move |g| {
        g.m.lea(d(M::T2), at_index(M::BASE, M::T1, Scale::S1, 16));
        to_header(g);
    });
    let header = g.cold(move |g| {
        let kind_at = offset_of!(GcHeader, kind) as i32;
        g.m.branch_mem(
            Cond::Ne,
            B8,
            at(M::T0, kind_at),
            ObjKind::LuaClosure as i64,
            native,
        );
        room_for_any(g);
        g.m.branch(Cond::Above, B64, M::T6, at(M::THREAD, toff!(limit)), slow);
        g.m.store(B64, at(M::T2, -16), M::T0);
        // what header handlers take for the frame word
        g.m.mov(d(M::PC), M::T5);
        args_down(g);
        // an interrupt may yet send them to the slow path: the frame is the callee's then
        g.m.store(B64, at(M::T2, -8), M::PC);
        g.m.mov(d(M::BASE), M::T2);
        to_header(g);
    });
    g.m.branch(Cond::Ne, B16, M::T4, at(M::T3, -2), header);
    g.m.load(U16, d(M::T6), at(M::T3, -4));
    g.m.shift(ShiftOp::Shl, B64, d(M::T6), M::T6, 4);
    g.m.alu(AluOp::Add, B64, d(M::T6), M::T6, M::T2);
    g.m.branch(Cond::Above, B64, M::T6, at(M::THREAD, toff!(limit)), slow);
    count(g, slow);
    g.m.store(B64, at(M::T2, -16), M::T0);
    g.m.store(B64, at(M::T2, -8), M::T5);
    args_down(g);
    g.m.mov(d(M::BASE), M::T2);
    g.m.mov(d(M::PC), M::T3);
    g.reload_code();
    g.next(0);
}

/// T6 = end of the slots that a Lua function with first pc T3, base T2 and T4 arguments can need, whatever its header: if
/// there is room, the header handler does not fail for want of it.
pub(crate) fn room_for_any<M: Masm>(g: &mut Gen<M>) {
    // its frame above the larger of arguments and parameters, which are no more than the frame, and the moved function slot
    g.m.load(U16, d(M::T6), at(M::T3, -4));
    g.m.lea(d(M::T6), at_index(M::T4, M::T6, Scale::S2, 1));
    g.m.shift(ShiftOp::Shl, B64, d(M::T6), M::T6, 4);
    g.m.alu(AluOp::Add, B64, d(M::T6), M::T6, M::T2);
}

/// Moves T4 arguments above the function slot T1 down to T2. Destroys T1, T5, T6, T7.
fn args_down<M: Masm>(g: &mut Gen<M>) {
    let done = g.m.new_label();
    g.m.branch(Cond::Eq, B64, M::T4, 0, done);
    g.m.lea(d(M::T1), at_index(M::BASE, M::T1, Scale::S1, 16));
    g.m.shift(ShiftOp::Shl, B64, d(M::T6), M::T4, 4);
    g.m.alu(AluOp::Add, B64, d(M::T6), M::T6, M::T1);
    // distance
    g.m.alu(AluOp::Sub, B64, d(M::T5), M::T2, M::T1);
    let again = g.m.here();
    g.m.load(U64, d(M::T7), at(M::T1, 0));
    g.m.store(B64, at_index(M::T1, M::T5, Scale::S1, 0), M::T7);
    g.m.load(U32, d(M::T7), at(M::T1, 8));
    g.m.store(B32, at_index(M::T1, M::T5, Scale::S1, 8), M::T7);
    g.m.alu(AluOp::Add, B64, d(M::T1), M::T1, 16);
    g.m.branch(Cond::Ne, B64, M::T1, M::T6, again);
    g.m.bind(done);
}

/// Leaves a header handler for the slow path of the call instruction at PC (nothing was written).
pub(crate) fn generic<M: Masm>(g: &mut Gen<M>) -> traceorus_asm::Label {
    g.cold(|g| {
        // precall(l, func, nargs, word) with the running frame as the caller's
        g.m.store(B64, at(M::THREAD, toff!(base)), M::BASE);
        g.m.store(B64, at(M::THREAD, toff!(pc)), M::PC);
        g.m.alu(AluOp::Sub, B64, d(M::T2), M::T2, 16);
        g.extra(extra::PRECALL);
        g.m.move_args(&[M::THREAD.into(), M::T2.into(), M::T4.into(), M::PC.into()]);
        g.m.call_reg(M::T7);
        let resume = g.resume;
        g.m.jump(resume);
    })
}

/// A fixed function called with another number of arguments, or with any if it enters a trace.
fn func_fixed<M: Masm>(g: &mut Gen<M>) {
    let slow = generic(g);
    let traced = g.op != g.op.original();
    g.m.load(U16, d(M::T5), at(M::T3, -4));
    if traced {
        parameters(g, M::T6);
    } else {
        g.m.load(U16, d(M::T6), at(M::T3, -2));
    }
    g.m.shift(ShiftOp::Shl, B64, d(M::T5), M::T5, 4);
    g.m.alu(AluOp::Add, B64, d(M::T5), M::T5, M::T2);
    g.m.branch(Cond::Above, B64, M::T5, at(M::THREAD, toff!(limit)), slow);
    if !traced {
        count(g, slow);
    }
    g.m.store(B64, at(M::T2, -8), M::PC);
    g.m.mov(d(M::BASE), M::T2);
    g.m.mov(d(M::PC), M::T3);
    nil_fill(g);
    begin(g);
}

/// `to` = number of fixed parameters of the closure T0.
fn parameters<M: Masm>(g: &mut Gen<M>, to: Gpr) {
    let proto = offset_of!(LuaClosure, proto) as i32;
    g.m.load(U64, d(to), at(M::T0, proto));
    let np = offset_of!(Proto, nparams) as i32;
    g.m.load(LoadKind::U8, d(to), at(to, np));
}

/// Sets arguments number T4 up to T6 (exclusive) above T2 to nil. Destroys T5, T6.
fn nil_fill<M: Masm>(g: &mut Gen<M>) {
    let (again, done) = (g.m.new_label(), g.m.new_label());
    g.m.alu(AluOp::Sub, B64, d(M::T6), M::T6, M::T4);
    g.m.branch(Cond::Le, B64, M::T6, 0, done);
    g.m.shift(ShiftOp::Shl, B64, d(M::T5), M::T4, 4);
    g.m.alu(AluOp::Add, B64, d(M::T5), M::T5, M::T2);
    g.m.bind(again);
    g.m.store_imm(B32, at(M::T5, 8), NIL as i32);
    g.m.alu(AluOp::Add, B64, d(M::T5), M::T5, 16);
    g.m.alu_branch(AluOp::Sub, B64, d(M::T6), M::T6, 1, AluCond::NonZero, again);
    g.m.bind(done);
}

/// A vararg function: its frame moves up above the arguments, fixed ones are copied.
fn func_vararg<M: Masm>(g: &mut Gen<M>) {
    let slow = generic(g);
    // the prototype knows the number of fixed parameters: the header's C says "vararg"
    parameters(g, M::T7);
    g.m.csel(Cond::Below, B64, M::T4, M::T7, d(M::T6), M::T7, M::T4);
    g.m.load(U16, d(M::T5), at(M::T3, -4));
    g.m.alu(AluOp::Add, B64, d(M::T5), M::T5, M::T6);
    g.m.alu(AluOp::Add, B64, d(M::T5), M::T5, 1);
    g.m.shift(ShiftOp::Shl, B64, d(M::T5), M::T5, 4);
    g.m.alu(AluOp::Add, B64, d(M::T5), M::T5, M::T2);
    g.m.branch(Cond::Above, B64, M::T5, at(M::THREAD, toff!(limit)), slow);
    if g.op == g.op.original() {
        count(g, slow);
    }
    g.m.store(B64, at(M::T2, -8), M::PC);
    let enough = g.m.new_label();
    let fewer = g.cold(move |g| {
        nil_fill(g);
        g.m.mov(d(M::T4), M::T7);
        g.m.jump(enough);
    });
    g.m.branch(Cond::Below, B64, M::T4, M::T7, fewer);
    g.m.bind(enough);
    // T5 = new base
    g.m.shift(ShiftOp::Shl, B64, d(M::T5), M::T4, 4);
    g.m.lea(d(M::T5), at_index(M::T5, M::T2, Scale::S1, 16));
    g.m.store(B64, at(M::T5, -16), M::T0);
    // delta = arguments + 1
    g.m.alu(AluOp::Add, B64, d(M::T4), M::T4, 1);
    g.m.shift(ShiftOp::Shl, B64, d(M::T4), M::T4, 3);
    g.m.alu(AluOp::Or, B64, d(M::T4), M::T4, kind::VARARG as i64);
    g.m.store(B64, at(M::T5, -8), M::T4);
    g.m.mov(d(M::BASE), M::T5);
    g.m.mov(d(M::PC), M::T3);
    let (again, done) = (g.m.new_label(), g.m.new_label());
    g.m.branch(Cond::Eq, B64, M::T7, 0, done);
    g.m.bind(again);
    g.m.load(U64, d(M::T4), at(M::T2, 0));
    g.m.load(U32, d(M::T6), at(M::T2, 8));
    g.m.store(B64, at(M::T5, 0), M::T4);
    g.m.store(B32, at(M::T5, 8), M::T6);
    g.m.alu(AluOp::Add, B64, d(M::T2), M::T2, 16);
    g.m.alu(AluOp::Add, B64, d(M::T5), M::T5, 16);
    g.m.alu_branch(AluOp::Sub, B64, d(M::T7), M::T7, 1, AluCond::NonZero, again);
    g.m.bind(done);
    begin(g);
}

/// pcall (`delta` 1) or xpcall (2) of a function.
fn func_pcall<M: Masm>(g: &mut Gen<M>, delta: i32) {
    // ORDER: `vm::call::MAX_CCALLS`
    const MAX_DEPTH: i64 = 200;
    // the function itself: nothing has been written, T0, T2, T4 are kept
    let plain = g.entry[Op::FuncN as usize];
    g.m.branch(Cond::Below, B64, M::T4, i64::from(delta), plain);
    for i in 0..delta {
        g.m.branch_mem(
            Cond::Ne,
            B32,
            at(M::T2, 16 * i + 8),
            i64::from(Tag::FUNCTION.0),
            plain,
        );
    }
    g.m.load(U32, d(M::T7), at(M::THREAD, toff!(pcall_depth)));
    g.m.branch(Cond::AboveEq, B32, M::T7, MAX_DEPTH, plain);
    g.m.load(U64, d(M::T5), at(M::T2, 0));
    g.m.alu(AluOp::Sub, B64, d(M::T1), M::T4, i64::from(delta));
    g.m.load(U64, d(M::T3), at(M::T5, offset_of!(LuaClosure, pc) as i32));
    let native = g.cold(move |g| {
        g.m.shift(ShiftOp::Shl, B64, d(M::T6), M::T4, 4);
        g.m.alu(AluOp::Add, B64, d(M::T6), M::T6, M::T2);
        g.m.lea(d(M::T3), at(M::T6, 16 * MIN_NATIVE));
        g.m.branch(Cond::Above, B64, M::T3, at(M::THREAD, toff!(limit)), plain);
        pcall_frames(g, delta);
        g.m.mov(d(M::T0), M::T5);
        g.m.mov(d(M::T5), M::T6);
        let failed = g.cold(|g| native_failed(g));
        native_call(g, failed);
        let general = g.cold(|g| native_return(g));
        g.m.branch_mem(Cond::Ne, B32, at(M::GLOBAL, goff!(poll)), 0, general);
        g.m.load(U64, d(M::T2), at(M::THREAD, toff!(base)));
        g.m.load(U64, d(M::T3), at(M::THREAD, toff!(top)));
        g.m.shift(ShiftOp::Shl, B64, d(M::T5), M::T4, 4);
        g.m.alu(AluOp::Sub, B64, d(M::T3), M::T3, M::T5);
        finish(g, general);
    });
    let header = g.cold(move |g| {
        let kind_at = offset_of!(GcHeader, kind) as i32;
        g.m.branch_mem(
            Cond::Ne,
            B8,
            at(M::T5, kind_at),
            ObjKind::LuaClosure as i64,
            native,
        );
        room_for_any(g);
        g.m.branch(Cond::Above, B64, M::T6, at(M::THREAD, toff!(limit)), plain);
        g.m.mov(d(M::T4), M::T1);
        pcall_frames(g, delta);
        // what header handlers take for the frame word
        g.m.load(U64, d(M::PC), at(M::T2, -8));
        g.m.mov(d(M::T0), M::T5);
        to_header(g);
    });
    g.m.branch(Cond::Ne, B16, M::T1, at(M::T3, -2), header);
    g.m.load(U16, d(M::T6), at(M::T3, -4));
    g.m.alu(AluOp::Add, B64, d(M::T6), M::T6, i64::from(delta));
    g.m.shift(ShiftOp::Shl, B64, d(M::T6), M::T6, 4);
    g.m.alu(AluOp::Add, B64, d(M::T6), M::T6, M::T2);
    g.m.branch(Cond::Above, B64, M::T6, at(M::THREAD, toff!(limit)), plain);
    count(g, plain);
    pcall_frames(g, delta);
    g.m.mov(d(M::BASE), M::T2);
    g.m.mov(d(M::PC), M::T3);
    g.reload_code();
    g.next(0);
}

/// Writes the words of pcall's own frame (base T2) and of the one that it calls (function T5, depth T7), which gets T2.
/// Destroys T1, T7.
fn pcall_frames<M: Masm>(g: &mut Gen<M>, delta: i32) {
    let up = 16 * delta;
    g.m.store(B64, at(M::T2, -8), M::PC);
    if delta == 2 {
        // xpcall keeps its handler below the function; both have the same tag
        g.m.load(U64, d(M::T1), at(M::T2, 16));
        g.m.store(B64, at(M::T2, 16), M::T5);
        g.m.store(B64, at(M::T2, 0), M::T1);
    }
    g.m.alu(AluOp::Add, B64, d(M::T2), M::T2, i64::from(up));
    g.m.shift(ShiftOp::Shl, B64, d(M::T1), M::T7, 3);
    g.m.alu(AluOp::Add, B32, d(M::T7), M::T7, 1);
    g.m.store(B32, at(M::THREAD, toff!(pcall_depth)), M::T7);
    g.m.mov_imm(d(M::T7), frame::word(kind::PCALL, 0, delta as u64) as i64);
    g.m.alu(AluOp::Add, B64, d(M::T1), M::T1, M::T7);
    g.m.store(B64, at(M::T2, -8), M::T1);
}

/// Leaves for `plain` if the thread T1 has a hook, or was last run while a trace was being recorded. Destroys T3.
fn unwatched<M: Masm>(g: &mut Gen<M>, plain: Label) {
    g.m.load(U64, d(M::T3), at(M::T1, toff!(dispatch)));
    g.m.branch(Cond::Ne, B64, M::T3, at(M::GLOBAL, goff!(code_base)), plain);
}

/// Leaves for `plain` unless the other thread T1 can be switched to without ado: T3 = base of the native frame in which it
/// waits, T5 = the pc in its word, of kind LUA. Room is made sure of for as many values as the running call has, and one.
fn switchable<M: Masm>(g: &mut Gen<M>, plain: Label) {
    crate::misc::barrier(g, M::T1, plain);
    unwatched(g, plain);
    g.m.load(U64, d(M::T3), at(M::T1, toff!(base)));
    g.m.load(U64, d(M::T5), at(M::T3, -8));
    g.m.branch_bits(BitCond::NonZero, B32, M::T5, kind::MASK as i64, plain);
    g.m.shift(ShiftOp::Shl, B64, d(M::T7), M::T4, 4);
    g.m.lea(d(M::T7), at_index(M::T3, M::T7, Scale::S1, 16));
    g.m.branch(Cond::Above, B64, M::T7, at(M::T1, toff!(limit)), plain);
}

/// coroutine.resume, or a function that coroutine.wrap made, of a coroutine that waits in a yield called by a Lua function.
fn func_resume<M: Masm>(g: &mut Gen<M>, wrapped: bool) {
    // ORDER: `vm::call::MAX_CCALLS`, less one
    const MAX_DEPTH: i64 = 199;
    let plain = g.entry[Op::FuncN as usize];
    if wrapped {
        g.m.load(U64, d(M::T1), at(M::T0, NativeClosure::UPVALS as i32));
    } else {
        g.m.branch(Cond::Eq, B64, M::T4, 0, plain);
        g.m.branch_mem(Cond::Ne, B32, at(M::T2, 8), i64::from(Tag::THREAD.0), plain);
        g.m.load(U64, d(M::T1), at(M::T2, 0));
    }
    g.m.load(U16, d(M::T6), at(M::THREAD, toff!(ncalls)));
    g.m.branch(Cond::AboveEq, B32, M::T6, MAX_DEPTH, plain);
    let fresh = g.cold(move |g| start(g, wrapped, plain));
    g.m.branch_mem(
        Cond::Ne,
        B32,
        at(M::T1, toff!(status)),
        i64::from(thread_status::SUSPENDED),
        fresh,
    );
    switchable(g, plain);
    switch_down(g, wrapped);
    give(g);
}

/// The first resume of the thread T1 by [`func_resume`]: its body must be a Lua function with fixed parameters.
fn start<M: Masm>(g: &mut Gen<M>, wrapped: bool, plain: Label) {
    g.m.branch_mem(
        Cond::Ne,
        B32,
        at(M::T1, toff!(status)),
        i64::from(thread_status::FRESH),
        plain,
    );
    crate::misc::barrier(g, M::T1, plain);
    unwatched(g, plain);
    // the function slot has its word, unless the value in it is to be called by its metamethod
    g.m.load(U64, d(M::T3), at(M::T1, toff!(base)));
    g.m.branch_mem(Cond::Ne, B64, at(M::T3, -8), kind::BASE as i64, plain);
    g.m.load(U64, d(M::T5), at(M::T3, -16));
    g.m.branch(Cond::Eq, B64, M::T5, 0, plain);
    let kind_at = offset_of!(GcHeader, kind) as i32;
    g.m.branch_mem(
        Cond::Ne,
        B8,
        at(M::T5, kind_at),
        ObjKind::LuaClosure as i64,
        plain,
    );
    g.m.load(U64, d(M::T5), at(M::T5, offset_of!(LuaClosure, pc) as i32));
    // varargs, traces
    g.m.load(U16, d(M::T7), at(M::T5, -2));
    g.m.branch(Cond::AboveEq, B32, M::T7, i64::from(HEADER_JFUNCF), plain);
    g.m.load(U16, d(M::T7), at(M::T5, -4));
    g.m.shift(ShiftOp::Shl, B64, d(M::T7), M::T7, 4);
    g.m.alu(AluOp::Add, B64, d(M::T7), M::T7, M::T3);
    g.m.branch(Cond::Above, B64, M::T7, at(M::T1, toff!(limit)), plain);
    switch_down(g, wrapped);
    g.m.mov(d(M::BASE), M::T2);
    g.m.mov(d(M::PC), M::T5);
    g.m.load(U16, d(M::T6), at(M::PC, -2));
    copy(g);
    g.reload_code();
    g.next(0);
}

/// Makes T1 the running thread, resumed with T4 arguments at T2 (resume: the first is the thread) by a call at PC; T6 = C
/// depth. T2 = the old T3 afterwards, T3 and T4 tell the values. Destroys T7.
fn switch_down<M: Masm>(g: &mut Gen<M>, wrapped: bool) {
    // the frame of resume stays while the other thread runs
    g.m.store(B64, at(M::T2, -8), M::PC);
    g.m.shift(ShiftOp::Shl, B64, d(M::T7), M::T4, 4);
    g.m.alu(AluOp::Add, B64, d(M::T7), M::T7, M::T2);
    g.m.store(B64, at(M::THREAD, toff!(base)), M::T2);
    g.m.store(B64, at(M::THREAD, toff!(top)), M::T7);
    g.m.store(B64, at(M::THREAD, toff!(pc)), M::PC);
    g.m.store_imm(
        B32,
        at(M::THREAD, toff!(status)),
        thread_status::NORMAL as i32,
    );
    g.m.store_imm(B32, at(M::T1, toff!(status)), thread_status::RUNNING as i32);
    g.m.store(B64, at(M::T1, toff!(resumer)), M::THREAD);
    g.m.store_imm(B32, at(M::T1, toff!(resume_kind)), wrapped.into());
    g.m.alu(AluOp::Add, B32, d(M::T6), M::T6, 1);
    g.m.store(B32, at(M::T1, toff!(ncalls)), M::T6);
    g.m.store(B64, at(M::GLOBAL, goff!(current)), M::T1);
    g.m.mov(d(M::THREAD), M::T1);
    g.m.mov(d(M::T7), M::T2);
    g.m.mov(d(M::T2), M::T3);
    if wrapped {
        g.m.mov(d(M::T3), M::T7);
    } else {
        g.m.lea(d(M::T3), at(M::T7, 16));
        g.m.alu(AluOp::Sub, B64, d(M::T4), M::T4, 1);
    }
}

/// coroutine.yield to a resume called by a Lua function.
fn func_yield<M: Masm>(g: &mut Gen<M>) {
    let plain = g.entry[Op::FuncN as usize];
    g.m.branch(Cond::Eq, B64, M::THREAD, at(M::GLOBAL, goff!(main)), plain);
    g.m.branch_mem(Cond::Ne, B16, at(M::THREAD, toff!(ncalls) + 2), 0, plain);
    g.m.load(U32, d(M::T6), at(M::THREAD, toff!(resume_kind)));
    g.m.branch(Cond::Above, B32, M::T6, 1, plain);
    g.m.load(U64, d(M::T1), at(M::THREAD, toff!(resumer)));
    switchable(g, plain);
    g.m.store(B64, at(M::T2, -8), M::PC);
    g.m.store(B64, at(M::THREAD, toff!(base)), M::T2);
    g.m.store(B64, at(M::THREAD, toff!(top)), M::T2);
    g.m.store(B64, at(M::THREAD, toff!(pc)), M::PC);
    g.m.store_imm(
        B32,
        at(M::THREAD, toff!(status)),
        thread_status::SUSPENDED as i32,
    );
    g.m.store_imm(B64, at(M::THREAD, toff!(resumer)), 0);
    g.m.store_imm(B32, at(M::T1, toff!(status)), thread_status::RUNNING as i32);
    g.m.store(B64, at(M::GLOBAL, goff!(current)), M::T1);
    g.m.mov(d(M::THREAD), M::T1);
    g.m.mov(d(M::T7), M::T2);
    g.m.mov(d(M::T2), M::T3);
    g.m.mov(d(M::T3), M::T7);
    let wrapped = g.cold(|g| give(g));
    g.m.branch(Cond::Ne, B32, M::T6, 0, wrapped);
    give_true(g);
}

/// A native function: calls it and returns its results.
fn func_native<M: Masm>(g: &mut Gen<M>) {
    let slow = generic(g);
    native_room(g, slow);
    g.m.store(B64, at(M::T2, -8), M::PC);
    let failed = g.cold(|g| native_failed(g));
    native_call(g, failed);
    let general = g.cold(|g| native_return(g));
    g.m.branch_mem(Cond::Ne, B32, at(M::GLOBAL, goff!(poll)), 0, general);
    g.m.load(U64, d(M::BASE), at(M::THREAD, toff!(base)));
    g.m.load(U64, d(M::T3), at(M::THREAD, toff!(top)));
    g.m.load(U16, d(M::T6), at(M::PC, 6));
    g.m.load(U16, d(M::T1), at(M::PC, 2));
    let back = g.m.new_label();
    let other = g.cold(move |g| {
        g.m.branch(Cond::Eq, B32, M::T6, 0, back);
        g.m.mov(d(M::T2), M::BASE);
        g.m.shift(ShiftOp::Shl, B64, d(M::T5), M::T4, 4);
        g.m.alu(AluOp::Sub, B64, d(M::T3), M::T3, M::T5);
        finish(g, general);
    });
    g.m.branch(Cond::Ne, B32, M::T6, 1, other);
    // one wanted, one there
    g.m.branch(Cond::Ne, B64, M::T4, 1, other);
    g.m.load(U64, d(M::T4), at(M::T3, -16));
    g.m.load(U32, d(M::T5), at(M::T3, -8));
    g.m.store(B64, at(M::BASE, -16), M::T4);
    g.m.store(B32, at(M::BASE, -8), M::T5);
    g.m.bind(back);
    g.m.alu(AluOp::Sub, B64, d(M::BASE), M::BASE, M::T1);
    g.m.lea(d(M::BASE), at(M::BASE, -16));
    g.reload_code();
    g.next(CALL);
}

/// T5 = top of the frame of a native function with base T2 and T4 arguments, if there is room for it. Destroys T6.
pub(crate) fn native_room<M: Masm>(g: &mut Gen<M>, slow: Label) {
    g.m.shift(ShiftOp::Shl, B64, d(M::T5), M::T4, 4);
    g.m.alu(AluOp::Add, B64, d(M::T5), M::T5, M::T2);
    g.m.lea(d(M::T6), at(M::T5, 16 * MIN_NATIVE));
    g.m.branch(Cond::Above, B64, M::T6, at(M::THREAD, toff!(limit)), slow);
}

/// Calls the native function T0 with base T2 and top T5, whose frame word is written. T4 = number of its results; if it has not
/// returned, goes to [`native_failed`].
pub(crate) fn native_call<M: Masm>(g: &mut Gen<M>, failed: Label) {
    g.m.store(B64, at(M::THREAD, toff!(base)), M::T2);
    g.m.store(B64, at(M::THREAD, toff!(top)), M::T5);
    g.m.store(B64, at(M::THREAD, toff!(pc)), M::PC);
    g.m.load(
        U64,
        d(M::T7),
        at(M::T0, offset_of!(NativeClosure, func) as i32),
    );
    g.m.move_args(&[M::THREAD.into()]);
    g.m.call_reg(M::T7);
    // T0 = RET0 = number of results
    g.m.mov(d(M::T0), M::RET0);
    g.m.branch(Cond::Lt, B64, M::T0, 0, failed);
    g.m.mov(d(M::T4), M::T0);
}

/// A native function has given -1 (raise) or -2 (switched) in T0.
pub(crate) fn native_failed<M: Masm>(g: &mut Gen<M>) {
    let switched = g.m.new_label();
    let resume = g.resume;
    g.m.branch(Cond::Eq, B64, M::T0, -2, switched);
    g.m.load(U64, d(M::THREAD), at(M::GLOBAL, goff!(current)));
    g.extra(extra::RAISE);
    g.m.move_args(&[M::THREAD.into()]);
    g.m.call_reg(M::T7);
    g.m.jump(resume);
    g.m.bind(switched);
    g.m.load(U64, d(M::RET0), at(M::GLOBAL, goff!(next_pc)));
    g.m.jump(resume);
}

/// The complete return of a native function with T4 results.
pub(crate) fn native_return<M: Masm>(g: &mut Gen<M>) {
    g.extra(extra::NATIVE_RETURN);
    g.m.move_args(&[M::THREAD.into(), M::T4.into()]);
    g.m.call_reg(M::T7);
    let resume = g.resume;
    g.m.jump(resume);
}
