//! Calls and returns between Lua functions, and calls of native functions.
//!
//! A Call has T0 = closure, T1 = A, T2 = the callee's base, T3 = its first pc, T4 = number of arguments when it leaves
//! for the header handler of its callee (FuncF, FuncV, FuncN), which is dispatched like an instruction, from the normal
//! region. Nothing has been written by then.

use std::mem::offset_of;

use traceorus_asm::operand::{at, at_index};
use traceorus_asm::{AluCond, AluOp, BitCond, Cond, Masm, Scale, ShiftOp, d};
use traceorus_base::Tag;
use traceorus_base::bytecode::{MULTI, Op};
use traceorus_base::frame::kind;
use traceorus_base::objects::{LuaClosure, NativeClosure};

use crate::{B16, B32, B64, Gen, NIL, U16, U32, U64, extra, goff, toff};

/// Slots that a native function may count on (ORDER: `vm::call::MIN_NATIVE`).
const MIN_NATIVE: i32 = 20;

pub(crate) fn emit<M: Masm>(g: &mut Gen<M>, op: Op) -> bool {
    match op {
        Op::Call => {
            g.dec_a();
            let slow = g.slow();
            g.expect(M::T1, Tag::FUNCTION, slow);
            g.m.load(U16, d(M::T4), at(M::PC, 4));
            g.m.load(U64, d(M::T0), Gen::<M>::pay(M::T1));
            enter(g);
        }
        Op::CallM => {
            g.dec_a();
            let slow = g.slow();
            g.expect(M::T1, Tag::FUNCTION, slow);
            // arguments up to the top
            g.m.lea(d(M::T2), at_index(M::BASE, M::T1, Scale::S1, 16));
            g.m.load(U64, d(M::T4), at(M::THREAD, toff!(top)));
            g.m.alu(AluOp::Sub, B64, d(M::T4), M::T4, M::T2);
            g.m.shift(ShiftOp::Shr, B64, d(M::T4), M::T4, 4);
            g.m.load(U64, d(M::T0), Gen::<M>::pay(M::T1));
            // the count has more than the 16 bits that are compared below
            let slow = g.slow();
            g.m.branch(Cond::AboveEq, B64, M::T4, 0xFFFE, slow);
            enter(g);
        }
        Op::TForCall => {
            // a general iterator: copies of iterator, state, control, then a call with two arguments
            g.dec_a();
            let slow = g.slow();
            g.m.branch_mem(Cond::Ne, B32, Gen::<M>::reg(M::T1, -56), i64::from(Tag::FUNCTION.0), slow);
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
        Op::FuncF => func_fixed(g),
        Op::FuncV => func_vararg(g),
        Op::FuncN => func_native(g),
        Op::Ret0 => {
            let slow = g.slow();
            g.m.load(U64, d(M::T5), at(M::BASE, -8));
            g.m.branch_bits(BitCond::NonZero, B32, M::T5, kind::MASK as i64, slow);
            g.m.load(U16, d(M::T6), at(M::T5, 6));
            g.m.load(U16, d(M::T1), at(M::T5, 2));
            let some = g.cold(move |g| {
                let one = g.m.new_label();
                g.m.branch(Cond::Eq, B32, M::T6, 1, one);
                g.m.branch(Cond::Ne, B32, M::T6, i64::from(MULTI), slow);
                // no results: the top is the function slot
                g.m.lea(d(M::T4), at(M::BASE, -16));
                g.m.store(B64, at(M::THREAD, toff!(top)), M::T4);
                leave(g);
                g.m.bind(one);
                g.m.store_imm(B32, at(M::BASE, -8), NIL as i32);
                leave(g);
            });
            g.m.branch(Cond::Ne, B32, M::T6, 0, some);
            leave(g);
        }
        Op::Ret1 => {
            g.dec_a();
            let slow = g.slow();
            g.m.load(U64, d(M::T5), at(M::BASE, -8));
            g.m.load(U64, d(M::T3), Gen::<M>::pay(M::T1));
            g.m.load(U32, d(M::T4), Gen::<M>::tag(M::T1));
            g.m.branch_bits(BitCond::NonZero, B32, M::T5, kind::MASK as i64, slow);
            g.m.load(U16, d(M::T6), at(M::T5, 6));
            let multi = g.cold(move |g| {
                g.m.branch(Cond::Ne, B32, M::T6, i64::from(MULTI), slow);
                g.m.store(B64, at(M::THREAD, toff!(top)), M::BASE);
                g.m.store(B64, at(M::BASE, -16), M::T3);
                g.m.store(B32, at(M::BASE, -8), M::T4);
                g.m.load(U16, d(M::T1), at(M::T5, 2));
                leave(g);
            });
            g.m.branch(Cond::Above, B32, M::T6, 1, multi);
            g.m.load(U16, d(M::T1), at(M::T5, 2));
            g.m.store(B64, at(M::BASE, -16), M::T3);
            g.m.store(B32, at(M::BASE, -8), M::T4);
            leave(g);
        }
        _ => return false,
    }
    true
}

/// Ends a frame: T5 = the caller's pc, T1 = operand A there.
fn leave<M: Masm>(g: &mut Gen<M>) {
    g.m.alu(AluOp::Sub, B64, d(M::BASE), M::BASE, M::T1);
    g.m.lea(d(M::BASE), at(M::BASE, -16));
    g.m.lea(d(M::PC), at(M::T5, 8));
    g.reload_code();
    g.next(0);
}

/// T0 = closure, T1 = A, T4 = number of arguments: enters the callee.
fn enter<M: Masm>(g: &mut Gen<M>) {
    let slow = g.slow();
    g.m.load(U64, d(M::T3), at(M::T0, offset_of!(LuaClosure, pc) as i32));
    g.m.lea(d(M::T2), at_index(M::BASE, M::T1, Scale::S1, 16));
    let header = g.m.new_label();
    // other numbers of arguments, varargs, native functions
    g.m.branch(Cond::Ne, B16, M::T4, at(M::T3, -2), header);
    g.m.load(U16, d(M::T5), at(M::T3, -4));
    g.m.shift(ShiftOp::Shl, B64, d(M::T5), M::T5, 4);
    g.m.alu(AluOp::Add, B64, d(M::T5), M::T5, M::T2);
    g.m.branch(Cond::Above, B64, M::T5, at(M::THREAD, toff!(limit)), slow);
    g.m.store(B64, at(M::T2, -8), M::PC);
    g.m.mov(d(M::BASE), M::T2);
    g.m.mov(d(M::PC), M::T3);
    g.reload_code();
    g.next(0);
    g.m.bind(header);
    g.m.load(U16, d(M::T5), at(M::T3, -8));
    g.m.load(U64, d(M::T6), at(M::GLOBAL, goff!(code_base)));
    g.m.lea(d(M::T5), at_index(M::T6, M::T5, Scale::S8, 0));
    g.m.jump_reg(M::T5);
}

/// Leaves a header handler for the slow path of the call instruction at PC (nothing was written).
fn generic<M: Masm>(g: &mut Gen<M>) -> traceorus_asm::Label {
    g.cold(|g| {
        // precall(l, func, nargs, word) with the running frame as the caller's
        g.m.store(B64, at(M::THREAD, toff!(base)), M::BASE);
        g.m.store(B64, at(M::THREAD, toff!(pc)), M::PC);
        g.m.alu(AluOp::Sub, B64, d(M::T2), M::T2, 16);
        g.m.load(U64, d(M::T7), at(M::GLOBAL, goff!(helpers)));
        g.m.load(U64, d(M::T7), at(M::T7, 8 * (Op::ALL.len() + extra::PRECALL) as i32));
        g.m.move_args(&[M::THREAD.into(), M::T2.into(), M::T4.into(), M::PC.into()]);
        g.m.call_reg(M::T7);
        let resume = g.resume;
        g.m.jump(resume);
    })
}

/// A fixed function called with another number of arguments.
fn func_fixed<M: Masm>(g: &mut Gen<M>) {
    let slow = generic(g);
    g.m.load(U16, d(M::T5), at(M::T3, -4));
    g.m.load(U16, d(M::T6), at(M::T3, -2));
    g.m.shift(ShiftOp::Shl, B64, d(M::T5), M::T5, 4);
    g.m.alu(AluOp::Add, B64, d(M::T5), M::T5, M::T2);
    g.m.branch(Cond::Above, B64, M::T5, at(M::THREAD, toff!(limit)), slow);
    g.m.store(B64, at(M::T2, -8), M::PC);
    g.m.mov(d(M::BASE), M::T2);
    g.m.mov(d(M::PC), M::T3);
    nil_fill(g);
    g.reload_code();
    g.next(0);
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
    let np = offset_of!(traceorus_base::objects::Proto, nparams) as i32;
    g.m.load(U64, d(M::T7), at(M::T0, offset_of!(LuaClosure, proto) as i32));
    g.m.load(traceorus_asm::LoadKind::U8, d(M::T7), at(M::T7, np));
    // fewer arguments than parameters, or absurdly many: the helper
    g.m.branch(Cond::Below, B64, M::T4, M::T7, slow);
    g.m.load(U16, d(M::T5), at(M::T3, -4));
    g.m.alu(AluOp::Add, B64, d(M::T5), M::T5, M::T4);
    g.m.alu(AluOp::Add, B64, d(M::T5), M::T5, 1);
    g.m.shift(ShiftOp::Shl, B64, d(M::T5), M::T5, 4);
    g.m.alu(AluOp::Add, B64, d(M::T5), M::T5, M::T2);
    g.m.branch(Cond::Above, B64, M::T5, at(M::THREAD, toff!(limit)), slow);
    g.m.store(B64, at(M::T2, -8), M::PC);
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
    g.reload_code();
    g.next(0);
}

/// A native function: calls it and returns its results.
fn func_native<M: Masm>(g: &mut Gen<M>) {
    let slow = generic(g);
    g.m.shift(ShiftOp::Shl, B64, d(M::T5), M::T4, 4);
    g.m.alu(AluOp::Add, B64, d(M::T5), M::T5, M::T2);
    g.m.lea(d(M::T6), at(M::T5, 16 * MIN_NATIVE));
    g.m.branch(Cond::Above, B64, M::T6, at(M::THREAD, toff!(limit)), slow);
    g.m.store(B64, at(M::T2, -8), M::PC);
    g.m.store(B64, at(M::THREAD, toff!(base)), M::T2);
    g.m.store(B64, at(M::THREAD, toff!(top)), M::T5);
    g.m.store(B64, at(M::THREAD, toff!(pc)), M::PC);
    g.m.load(U64, d(M::T7), at(M::T0, offset_of!(NativeClosure, func) as i32));
    g.m.move_args(&[M::THREAD.into()]);
    g.m.call_reg(M::T7);
    // T0 = RET0 = number of results
    g.m.mov(d(M::T0), M::RET0);
    let special = g.cold(|g| {
        let switched = g.m.new_label();
        g.m.branch(Cond::Eq, B64, M::T0, -2, switched);
        // -1: raise
        g.m.load(U64, d(M::THREAD), at(M::GLOBAL, goff!(current)));
        g.m.load(U64, d(M::T7), at(M::GLOBAL, goff!(helpers)));
        g.m.load(U64, d(M::T7), at(M::T7, 8 * (Op::ALL.len() + extra::RAISE) as i32));
        g.m.move_args(&[M::THREAD.into()]);
        g.m.call_reg(M::T7);
        let resume = g.resume;
        g.m.jump(resume);
        g.m.bind(switched);
        g.m.load(U64, d(M::RET0), at(M::GLOBAL, goff!(next_pc)));
        g.m.jump(resume);
    });
    g.m.branch(Cond::Lt, B64, M::T0, 0, special);
    let general = g.cold(|g| {
        g.m.load(U64, d(M::T7), at(M::GLOBAL, goff!(helpers)));
        g.m.load(U64, d(M::T7), at(M::T7, 8 * (Op::ALL.len() + extra::NATIVE_RETURN) as i32));
        g.m.move_args(&[M::THREAD.into(), M::T0.into()]);
        g.m.call_reg(M::T7);
        let resume = g.resume;
        g.m.jump(resume);
    });
    g.m.branch_mem(Cond::Ne, B32, at(M::GLOBAL, goff!(poll)), 0, general);
    g.m.load(U64, d(M::BASE), at(M::THREAD, toff!(base)));
    g.m.load(U64, d(M::T2), at(M::THREAD, toff!(top)));
    g.m.load(U16, d(M::T6), at(M::PC, 6));
    g.m.load(U16, d(M::T1), at(M::PC, 2));
    // the frame word may have been rewritten only by a call that does not come here
    let none = g.cold(move |g| {
        let finish = g.m.new_label();
        g.m.branch(Cond::Eq, B32, M::T6, 0, finish);
        // one result for "all" is common, too
        g.m.branch(Cond::Ne, B32, M::T6, i64::from(MULTI), general);
        g.m.branch(Cond::Ne, B64, M::T0, 1, general);
        g.m.store(B64, at(M::THREAD, toff!(top)), M::BASE);
        g.m.load(U64, d(M::T4), at(M::T2, -16));
        g.m.load(U32, d(M::T5), at(M::T2, -8));
        g.m.store(B64, at(M::BASE, -16), M::T4);
        g.m.store(B32, at(M::BASE, -8), M::T5);
        g.m.bind(finish);
        g.m.alu(AluOp::Sub, B64, d(M::BASE), M::BASE, M::T1);
        g.m.lea(d(M::BASE), at(M::BASE, -16));
        g.reload_code();
        g.next(1);
    });
    g.m.branch(Cond::Ne, B32, M::T6, 1, none);
    // one wanted: the first result, or nil
    g.m.branch(Cond::Ne, B64, M::T0, 1, general);
    g.m.load(U64, d(M::T4), at(M::T2, -16));
    g.m.load(U32, d(M::T5), at(M::T2, -8));
    g.m.store(B64, at(M::BASE, -16), M::T4);
    g.m.store(B32, at(M::BASE, -8), M::T5);
    g.m.alu(AluOp::Sub, B64, d(M::BASE), M::BASE, M::T1);
    g.m.lea(d(M::BASE), at(M::BASE, -16));
    g.reload_code();
    g.next(1);
}
