//! Library functions performed by the call instruction itself, without a frame.
//!
//! These are handlers of function headers (`vm::fastfn` installs them). As in `calls`, T0 = closure, T1 = A, T2 = the
//! callee's base, T3 = the word after the header, T4 = number of arguments, PC is at the call, and nothing has been
//! written. A handler does the plain cases and leaves all others, above all errors, to FuncN's code with these registers
//! intact. Functions that are too long to emit call a *lean* native function, `vm::fastfn::Lean`.

use std::mem::offset_of;

use traceorus_asm::operand::{at, at_index};
use traceorus_asm::{
    AluCond, AluOp, BitCond, Cond, FCond, Gpr, Label, LoadKind, Masm, Scale, ShiftOp, d,
};
use traceorus_base::Tag;
use traceorus_base::bytecode::{MULTI, Op};
use traceorus_base::meta::MetaMethod;
use traceorus_base::objects::{NativeClosure, Str, Table};

use crate::{B8, B32, B64, CALL, FALSY, Gen, NIL, U16, U32, U64, goff, toff};

const META: i32 = offset_of!(Table, metatable) as i32;
const ABSENT: i32 = offset_of!(Table, meta_absent) as i32;
/// Offset of the first upvalue.
const UPVAL: i32 = NativeClosure::UPVALS as i32;
/// Bits of 2^62 as a double.
const TWO_62: i64 = (1023 + 62) << 52;

/// `base[i]`: payload and tag of an argument (number -1 is the function's slot, where the results go).
fn pay<M: Masm>(i: i32) -> traceorus_asm::Addr {
    at(M::T2, 16 * i)
}
fn tag<M: Masm>(i: i32) -> traceorus_asm::Addr {
    at(M::T2, 16 * i + 8)
}

pub(crate) fn emit<M: Masm>(g: &mut Gen<M>, op: Op) -> bool {
    let generic = g.entry[Op::FuncN as usize];
    match op {
        Op::FfFloor | Op::FfCeil => {
            at_least(g, 1, generic);
            let int = g.m.new_label();
            g.m.load(U32, d(M::T6), tag::<M>(0));
            g.m.load(U64, d(M::T5), pay::<M>(0));
            g.m.branch(Cond::Eq, B32, M::T6, i64::from(Tag::INT.0), int);
            g.m.branch(Cond::Ne, B32, M::T6, i64::from(Tag::FLOAT.0), generic);
            // surely an integer below 2^62
            g.m.shift(ShiftOp::Shl, B64, d(M::T6), M::T5, 1);
            g.m.mov_imm(d(M::T7), TWO_62 << 1);
            g.m.branch(Cond::AboveEq, B64, M::T6, M::T7, generic);
            g.m.bits_to_f64(d(M::F0), M::T5);
            g.m.cvt_f64_i64_trunc(d(M::T5), M::F0);
            g.m.cvt_i64_f64(d(M::F1), M::T5);
            if op == Op::FfFloor {
                g.m.fcmp_branch(FCond::NGt, M::F1, M::F0, int);
                g.m.alu(AluOp::Sub, B64, d(M::T5), M::T5, 1);
            } else {
                g.m.fcmp_branch(FCond::NLt, M::F1, M::F0, int);
                g.m.alu(AluOp::Add, B64, d(M::T5), M::T5, 1);
            }
            g.m.bind(int);
            ret_int(g);
        }
        Op::FfAbs => {
            at_least(g, 1, generic);
            let float = g.cold(move |g| {
                g.m.branch(Cond::Ne, B32, M::T6, i64::from(Tag::FLOAT.0), generic);
                g.m.shift(ShiftOp::Shl, B64, d(M::T5), M::T5, 1);
                g.m.shift(ShiftOp::Shr, B64, d(M::T5), M::T5, 1);
                ret_tag(g, Tag::FLOAT);
            });
            let positive = g.m.new_label();
            g.m.load(U32, d(M::T6), tag::<M>(0));
            g.m.load(U64, d(M::T5), pay::<M>(0));
            g.m.branch(Cond::Ne, B32, M::T6, i64::from(Tag::INT.0), float);
            g.m.branch(Cond::Ge, B64, M::T5, 0, positive);
            g.m.neg(B64, d(M::T5), M::T5);
            g.m.bind(positive);
            ret_int(g);
        }
        Op::FfSqrt => {
            at_least(g, 1, generic);
            let have = g.m.new_label();
            let int = g.cold(move |g| {
                g.m.branch_mem(Cond::Ne, B32, tag::<M>(0), i64::from(Tag::INT.0), generic);
                g.m.load(U64, d(M::T5), pay::<M>(0));
                g.m.cvt_i64_f64(d(M::F0), M::T5);
                g.m.jump(have);
            });
            g.m.branch_mem(Cond::Ne, B32, tag::<M>(0), i64::from(Tag::FLOAT.0), int);
            g.m.fload(d(M::F0), pay::<M>(0));
            g.m.bind(have);
            g.m.fsqrt(d(M::F0), M::F0);
            g.m.fstore(pay::<M>(-1), M::F0);
            g.m.store_imm(B32, tag::<M>(-1), Tag::FLOAT.0);
            finish(g, 1);
        }
        Op::FfMax | Op::FfMin => {
            g.m.branch(Cond::Ne, B64, M::T4, 2, generic);
            g.m.load(U32, d(M::T6), tag::<M>(0));
            g.m.branch(Cond::Ne, B32, M::T6, tag::<M>(1), generic);
            g.m.load(U64, d(M::T5), pay::<M>(0));
            let max = op == Op::FfMax;
            let (int, second) = (g.m.new_label(), g.m.new_label());
            g.m.branch(Cond::Eq, B32, M::T6, i64::from(Tag::INT.0), int);
            g.m.branch(Cond::Ne, B32, M::T6, i64::from(Tag::FLOAT.0), generic);
            g.m.bits_to_f64(d(M::F0), M::T5);
            g.m.fload(d(M::F1), pay::<M>(1));
            // the second only if it is really greater (less)
            let cond = if max { FCond::Lt } else { FCond::Gt };
            g.m.fcmp_branch(cond, M::F0, M::F1, second);
            ret_tag(g, Tag::FLOAT);
            g.m.bind(second);
            g.m.f64_to_bits(d(M::T5), M::F1);
            ret_tag(g, Tag::FLOAT);
            g.m.bind(int);
            g.m.load(U64, d(M::T7), pay::<M>(1));
            let cond = if max { Cond::Ge } else { Cond::Le };
            g.m.csel(cond, B64, M::T5, M::T7, d(M::T5), M::T5, M::T7);
            ret_int(g);
        }
        Op::FfByte => {
            let (positive, have) = (g.m.new_label(), g.m.new_label());
            g.m.mov_imm(d(M::T6), 1);
            at_least(g, 1, generic);
            g.m.branch_mem(
                Cond::Ne,
                B32,
                tag::<M>(0),
                i64::from(Tag::STRING.0),
                generic,
            );
            g.m.branch(Cond::Eq, B64, M::T4, 1, have);
            g.m.branch(Cond::Ne, B64, M::T4, 2, generic);
            g.m.branch_mem(Cond::Ne, B32, tag::<M>(1), i64::from(Tag::INT.0), generic);
            g.m.load(U64, d(M::T6), pay::<M>(1));
            g.m.bind(have);
            g.m.load(U64, d(M::T5), pay::<M>(0));
            g.m.load(U64, d(M::T7), at(M::T5, offset_of!(Str, len) as i32));
            g.m.alu(AluOp::Sub, B64, d(M::T6), M::T6, 1);
            g.m.branch(Cond::Ge, B64, M::T6, 0, positive);
            g.m.alu(AluOp::Add, B64, d(M::T6), M::T6, M::T7);
            g.m.alu(AluOp::Add, B64, d(M::T6), M::T6, 1);
            g.m.bind(positive);
            g.m.branch(Cond::AboveEq, B64, M::T6, M::T7, generic);
            g.m.load(
                LoadKind::U8,
                d(M::T5),
                at_index(M::T5, M::T6, Scale::S1, Str::DATA as i32),
            );
            ret_int(g);
        }
        Op::FfLen => {
            at_least(g, 1, generic);
            g.m.branch_mem(
                Cond::Ne,
                B32,
                tag::<M>(0),
                i64::from(Tag::STRING.0),
                generic,
            );
            g.m.load(U64, d(M::T5), pay::<M>(0));
            g.m.load(U64, d(M::T5), at(M::T5, offset_of!(Str, len) as i32));
            ret_int(g);
        }
        Op::FfType => {
            at_least(g, 1, generic);
            let table = g.cold(|g| g.m.emit_bytes(&type_table()));
            g.m.label_addr(d(M::T6), table);
            g.m.load(U32, d(M::T5), tag::<M>(0));
            g.m.alu(AluOp::And, B32, d(M::T5), M::T5, 0x7f);
            g.m.load(LoadKind::U8, d(M::T5), at_index(M::T6, M::T5, Scale::S1, 0));
            g.m.load(U64, d(M::T5), at_index(M::T0, M::T5, Scale::S8, UPVAL));
            ret_tag(g, Tag::STRING);
        }
        Op::FfSelect => select(g, generic),
        Op::FfAssert => {
            at_least(g, 1, generic);
            g.m.load(U32, d(M::T6), tag::<M>(0));
            g.m.branch(Cond::Ge, B32, M::T6, FALSY, generic);
            g.m.load(U16, d(M::T7), at(M::PC, 6));
            let some = g.cold(move |g| {
                let one = g.m.new_label();
                g.m.branch(Cond::Eq, B32, M::T7, 1, one);
                g.m.branch(Cond::Ne, B32, M::T7, i64::from(MULTI), generic);
                g.m.mov_imm(d(M::T5), 0);
                copy_from(g);
                g.m.bind(one);
                g.m.load(U64, d(M::T5), pay::<M>(0));
                g.m.store(B64, pay::<M>(-1), M::T5);
                g.m.store(B32, tag::<M>(-1), M::T6);
                g.next(CALL);
            });
            g.m.branch(Cond::Ne, B32, M::T7, 0, some);
            g.next(CALL);
        }
        Op::FfToNumber => {
            g.m.branch(Cond::Ne, B64, M::T4, 1, generic);
            g.m.load(U32, d(M::T6), tag::<M>(0));
            g.m.branch(Cond::Above, B32, M::T6, i64::from(Tag::FLOAT.0), generic);
            g.m.load(U64, d(M::T5), pay::<M>(0));
            ret(g);
        }
        Op::FfToString => {
            at_least(g, 1, generic);
            g.m.load(U32, d(M::T6), tag::<M>(0));
            let same = g.m.new_label();
            let string = g.cold(move |g| {
                g.m.load(U64, d(M::T5), pay::<M>(0));
                g.m.load(U64, d(M::T7), at(M::GLOBAL, goff!(type_meta)));
                g.m.branch(Cond::Eq, B64, M::T7, 0, same);
                lacks(g, M::T7, MetaMethod::ToString, generic);
                g.m.bind(same);
                ret(g);
            });
            g.m.branch(Cond::Eq, B32, M::T6, i64::from(Tag::STRING.0), string);
            g.m.branch(Cond::Above, B32, M::T6, i64::from(Tag::FLOAT.0), generic);
            lean(g, op, true);
        }
        Op::FfGetMeta => {
            at_least(g, 1, generic);
            let call = g.cold(move |g| lean(g, op, false));
            g.m.branch_mem(Cond::Ne, B32, tag::<M>(0), i64::from(Tag::TABLE.0), call);
            g.m.load(U64, d(M::T5), pay::<M>(0));
            g.m.load(U64, d(M::T5), at(M::T5, META));
            let none = g.cold(|g| {
                g.m.store_imm(B32, tag::<M>(-1), NIL as i32);
                finish(g, 1);
            });
            g.m.branch(Cond::Eq, B64, M::T5, 0, none);
            lacks(g, M::T5, MetaMethod::Metatable, call);
            ret_tag(g, Tag::TABLE);
        }
        Op::FfIpairs => {
            at_least(g, 1, generic);
            g.m.load(U64, d(M::T5), at(M::T0, UPVAL));
            g.m.store(B64, pay::<M>(-1), M::T5);
            g.m.store_imm(B32, tag::<M>(-1), Tag::FUNCTION.0);
            g.m.store_imm(B64, pay::<M>(1), 0);
            g.m.store_imm(B64, tag::<M>(1), Tag::INT.0);
            finish(g, 3);
        }
        Op::FfNext | Op::FfSetMeta | Op::FfRawLen | Op::FfRemove => {
            at_least(g, 1, generic);
            if op != Op::FfRawLen {
                g.m.branch_mem(Cond::Ne, B32, tag::<M>(0), i64::from(Tag::TABLE.0), generic);
            }
            lean(g, op, op == Op::FfSetMeta);
        }
        Op::FfPairs => {
            at_least(g, 1, generic);
            g.m.branch_mem(Cond::Ne, B32, tag::<M>(0), i64::from(Tag::TABLE.0), generic);
            lean(g, op, true);
        }
        Op::FfSub | Op::FfChar => {
            at_least(g, 1, generic);
            lean(g, op, true);
        }
        Op::FfRawGet | Op::FfRawEqual | Op::FfInsert => {
            at_least(g, 2, generic);
            if op != Op::FfRawEqual {
                g.m.branch_mem(Cond::Ne, B32, tag::<M>(0), i64::from(Tag::TABLE.0), generic);
            }
            lean(g, op, false);
        }
        _ => return false,
    }
    true
}

/// At least `n` arguments, or the generic call.
fn at_least<M: Masm>(g: &mut Gen<M>, n: i64, generic: Label) {
    if n == 1 {
        g.m.branch(Cond::Eq, B64, M::T4, 0, generic);
    } else {
        g.m.branch(Cond::Below, B64, M::T4, n, generic);
    }
}

/// The metatable is known to lack the metamethod, or `otherwise`.
fn lacks<M: Masm>(g: &mut Gen<M>, mt: Gpr, e: MetaMethod, otherwise: Label) {
    g.m.branch_bits_mem(
        BitCond::Zero,
        B32,
        at(mt, ABSENT),
        1i64 << e as u32,
        otherwise,
    );
}

/// Returns the integer T5.
fn ret_int<M: Masm>(g: &mut Gen<M>) {
    ret_tag(g, Tag::INT);
}

/// Returns T5 with this tag.
fn ret_tag<M: Masm>(g: &mut Gen<M>, t: Tag) {
    g.m.store(B64, pay::<M>(-1), M::T5);
    g.m.store_imm(B32, tag::<M>(-1), t.0);
    finish(g, 1);
}

/// Returns T5 with the tag T6.
fn ret<M: Masm>(g: &mut Gen<M>) {
    g.m.store(B64, pay::<M>(-1), M::T5);
    g.m.store(B32, tag::<M>(-1), M::T6);
    finish(g, 1);
}

/// `n` results are in place, from the function's slot on.
fn finish<M: Masm>(g: &mut Gen<M>, n: i64) {
    let other = g.cold(move |g| {
        g.m.mov_imm(d(M::T0), n);
        adjust(g);
        g.next(CALL);
    });
    g.m.load(U16, d(M::T7), at(M::PC, 6));
    g.m.branch(Cond::Ne, B32, M::T7, n, other);
    g.next(CALL);
}

/// T0 results are in place, T7 are wanted: the top, or nils for what is missing.
fn adjust<M: Masm>(g: &mut Gen<M>) {
    let (done, fixed, again) = (g.m.new_label(), g.m.new_label(), g.m.new_label());
    g.m.shift(ShiftOp::Shl, B64, d(M::T5), M::T0, 4);
    g.m.lea(d(M::T5), at_index(M::T2, M::T5, Scale::S1, -16));
    g.m.branch(Cond::Ne, B32, M::T7, i64::from(MULTI), fixed);
    g.m.store(B64, at(M::THREAD, toff!(top)), M::T5);
    g.m.jump(done);
    g.m.bind(fixed);
    g.m.alu(AluOp::Sub, B64, d(M::T7), M::T7, M::T0);
    g.m.branch(Cond::Le, B64, M::T7, 0, done);
    g.m.bind(again);
    g.m.store_imm(B32, at(M::T5, 8), NIL as i32);
    g.m.alu(AluOp::Add, B64, d(M::T5), M::T5, 16);
    g.m.alu_branch(AluOp::Sub, B64, d(M::T7), M::T7, 1, AluCond::NonZero, again);
    g.m.bind(done);
}

/// Calls the op's lean function; `poll`: it may have allocated.
fn lean<M: Masm>(g: &mut Gen<M>, op: Op, poll: bool) {
    g.m.store(B64, M::local(0), M::T4);
    g.m.load(U64, d(M::T7), at(M::GLOBAL, goff!(helpers)));
    g.m.load(U64, d(M::T7), at(M::T7, 8 * op as i32));
    g.m.lea(d(M::T5), at(M::T2, -16));
    g.m.move_args(&[M::THREAD.into(), M::T2.into(), M::T4.into(), M::T5.into()]);
    g.m.call_reg(M::T7);
    g.m.mov(d(M::T0), M::RET0);
    g.m.load(U16, d(M::T1), at(M::PC, 2));
    g.m.lea(d(M::T2), at_index(M::BASE, M::T1, Scale::S1, 16));
    let refused = g.cold(|g| {
        g.m.load(U64, d(M::T4), M::local(0));
        g.m.load(U64, d(M::T0), pay::<M>(-1));
        g.m.load(
            U64,
            d(M::T3),
            at(M::T0, offset_of!(NativeClosure, pc) as i32),
        );
        let generic = g.entry[Op::FuncN as usize];
        g.m.jump(generic);
    });
    g.m.branch(Cond::Lt, B64, M::T0, 0, refused);
    g.m.load(U16, d(M::T7), at(M::PC, 6));
    let done = g.m.new_label();
    let other = g.cold(move |g| {
        adjust(g);
        g.m.jump(done);
    });
    g.m.branch(Cond::Ne, B32, M::T7, M::T0, other);
    g.m.bind(done);
    if poll {
        g.m.alu(AluOp::Add, B64, d(M::PC), M::PC, 8 * i64::from(CALL));
        g.poll();
        g.next(0);
    } else {
        g.next(CALL);
    }
}

/// `select`: a positive number, or "#".
fn select<M: Masm>(g: &mut Gen<M>, generic: Label) {
    at_least(g, 1, generic);
    g.m.load(U32, d(M::T6), tag::<M>(0));
    g.m.load(U64, d(M::T5), pay::<M>(0));
    let count = g.cold(move |g| {
        g.m.branch(Cond::Ne, B32, M::T6, i64::from(Tag::STRING.0), generic);
        g.m.branch_mem(
            Cond::Ne,
            B8,
            at(M::T5, Str::DATA as i32),
            i64::from(b'#'),
            generic,
        );
        g.m.alu(AluOp::Sub, B64, d(M::T5), M::T4, 1);
        ret_int(g);
    });
    g.m.branch(Cond::Ne, B32, M::T6, i64::from(Tag::INT.0), count);
    g.m.branch(Cond::Le, B64, M::T5, 0, generic);
    g.m.load(U16, d(M::T7), at(M::PC, 6));
    let more = g.cold(move |g| {
        let (some, none) = (g.m.new_label(), g.m.new_label());
        g.m.branch(Cond::Ne, B32, M::T7, i64::from(MULTI), generic);
        g.m.branch(Cond::AboveEq, B64, M::T5, M::T4, none);
        g.m.bind(some);
        copy_from(g);
        g.m.bind(none);
        g.m.lea(d(M::T5), at(M::T2, -16));
        g.m.store(B64, at(M::THREAD, toff!(top)), M::T5);
        g.next(CALL);
    });
    g.m.branch(Cond::Ne, B32, M::T7, 1, more);
    let none = g.cold(|g| {
        g.m.store_imm(B32, tag::<M>(-1), NIL as i32);
        g.next(CALL);
    });
    g.m.branch(Cond::AboveEq, B64, M::T5, M::T4, none);
    g.m.shift(ShiftOp::Shl, B64, d(M::T5), M::T5, 4);
    g.m.load(U64, d(M::T6), at_index(M::T2, M::T5, Scale::S1, 0));
    g.m.load(U32, d(M::T7), at_index(M::T2, M::T5, Scale::S1, 8));
    g.m.store(B64, pay::<M>(-1), M::T6);
    g.m.store(B32, tag::<M>(-1), M::T7);
    g.next(CALL);
}

/// Returns arguments number T5 (below T4) up to the last, all of them wanted.
fn copy_from<M: Masm>(g: &mut Gen<M>) {
    g.m.alu(AluOp::Sub, B64, d(M::T4), M::T4, M::T5);
    g.m.shift(ShiftOp::Shl, B64, d(M::T5), M::T5, 4);
    g.m.alu(AluOp::Add, B64, d(M::T5), M::T5, M::T2);
    let again = g.m.here();
    g.m.load(U64, d(M::T6), at(M::T5, 0));
    g.m.load(U32, d(M::T7), at(M::T5, 8));
    g.m.store(B64, pay::<M>(-1), M::T6);
    g.m.store(B32, tag::<M>(-1), M::T7);
    g.m.alu(AluOp::Add, B64, d(M::T5), M::T5, 16);
    g.m.alu(AluOp::Add, B64, d(M::T2), M::T2, 16);
    g.m.alu_branch(AluOp::Sub, B64, d(M::T4), M::T4, 1, AluCond::NonZero, again);
    g.m.lea(d(M::T2), at(M::T2, -16));
    g.m.store(B64, at(M::THREAD, toff!(top)), M::T2);
    g.next(CALL);
}

/// By the low seven bits of a tag: where the type's name is among the upvalues of `type`, in words.
fn type_table() -> [u8; 128] {
    const NAMES: [&str; 8] = [
        "nil", "boolean", "number", "string", "table", "function", "userdata", "thread",
    ];
    let mut t = [0; 128];
    for tag in (0..128).chain(-128..0) {
        if let Some(i) = NAMES.iter().position(|n| *n == Tag(tag).type_name()) {
            t[(tag & 0x7f) as usize] = 2 * i as u8;
        }
    }
    t
}
