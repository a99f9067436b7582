//! Allocation from the free lists: cells, closures, tables, records; list constructors.
//!
//! An object is taken from `GlobalHot::free[class]`; an empty list (always so in the collector's stress mode) is left to
//! the helper, which finds more memory and charges for it. What is built here is what the helpers build.

use std::mem::offset_of;

use traceorus_asm::operand::{at, at_index};
use traceorus_asm::{AluCond, AluOp, BitCond, Cond, Gpr, Masm, Scale, ShiftOp, d};
use traceorus_base::Tag;
use traceorus_base::bytecode::Op;
use traceorus_base::objects::{
    Cell, GcHeader, LuaClosure, ObjKind, Proto, Shape, Table, UpvalDesc, flags, shape_flags,
    small_class,
};

use crate::misc::CELL;
use crate::{B8, B32, B64, Gen, LoadKind, NIL, U16, U32, U64, goff, toff};

/// Offset of a field of a table.
macro_rules! tab {
    ($f:ident) => {
        offset_of!(Table, $f) as i32
    };
}
/// Offset of a table's shape id.
const ID: i32 = offset_of!(GcHeader, word) as i32;
/// Upvalues of closures that are made here.
const MAX_UPVALS: i64 = 8;

pub(crate) fn emit<M: Masm>(g: &mut Gen<M>, op: Op) -> bool {
    match op {
        Op::NewCell => {
            g.dec_ab();
            pop_const(g, size_of::<Cell>(), M::T4, M::T5);
            // B is the flag
            g.m.shift(ShiftOp::Shl, B32, d(M::T2), M::T2, 16);
            g.m.alu(AluOp::Or, B32, d(M::T2), M::T2, header(ObjKind::Cell));
            g.m.store(B64, at(M::T4, 0), M::T2);
            g.m.load(U64, d(M::T5), Gen::<M>::pay(M::T1));
            g.m.load(U32, d(M::T6), Gen::<M>::tag(M::T1));
            g.m.store(B64, at(M::T4, CELL), M::T5);
            g.m.store(B64, at(M::T4, CELL + 8), M::T6);
            done(g, Tag::CELL, 1);
        }
        Op::Closure => closure(g),
        Op::NewTable => new_table(g),
        Op::NewRecord => new_record(g),
        Op::SetList | Op::SetListM => set_list(g, op),
        _ => return false,
    }
    true
}

/// Low half of a fresh header.
const fn header(kind: ObjKind) -> i64 {
    (kind as i64) << 8
}

/// Low half of a fresh table's header.
const TABLE_HEADER: i32 = (header(ObjKind::Table) | NIL << 24) as i32;

/// `dst =` a cell for an object of `bytes` bytes.
fn pop_const<M: Masm>(g: &mut Gen<M>, bytes: usize, dst: Gpr, tmp: Gpr) {
    let slow = g.slow();
    let head = at(M::GLOBAL, goff!(free) + 8 * small_class(bytes) as i32);
    g.m.load(U64, d(dst), head);
    g.m.branch(Cond::Eq, B64, dst, 0, slow);
    g.m.load(U64, d(tmp), at(dst, 0));
    g.m.store(B64, head, tmp);
}

/// T4 = the object: register T1 gets it, then the next instruction after pending work.
fn done<M: Masm>(g: &mut Gen<M>, tag: Tag, words: i32) {
    g.m.store(B64, Gen::<M>::pay(M::T1), M::T4);
    g.m.store_imm(B32, Gen::<M>::tag(M::T1), tag.0);
    g.m.alu(AluOp::Add, B64, d(M::PC), M::PC, i64::from(8 * words));
    g.poll();
    g.next(0);
}

fn closure<M: Masm>(g: &mut Gen<M>) {
    let slow = g.slow();
    g.dec_a();
    g.m.load(U64, d(M::T5), at(M::PC, 8));
    g.m.load(
        LoadKind::U8,
        d(M::T6),
        at(M::T5, offset_of!(Proto, nupvals) as i32),
    );
    g.m.branch(Cond::Above, B32, M::T6, MAX_UPVALS, slow);
    // the class of `n` upvalues is `(8n + 23) / 16`
    g.m.lea(d(M::T7), at_index(M::T6, M::T6, Scale::S1, 0));
    g.m.lea(d(M::T7), at_index(M::T7, M::T6, Scale::S2, 0));
    g.m.lea(
        d(M::T7),
        at_index(M::T7, M::T6, Scale::S4, LuaClosure::UPVALS as i32 - 1),
    );
    g.m.shift(ShiftOp::Shr, B32, d(M::T7), M::T7, 4);
    let head = at_index(M::GLOBAL, M::T7, Scale::S8, goff!(free));
    g.m.load(U64, d(M::T4), head);
    g.m.branch(Cond::Eq, B64, M::T4, 0, slow);
    g.m.load(U64, d(M::T0), at(M::T4, 0));
    g.m.store(B64, head, M::T0);
    g.m.shift(ShiftOp::Shl, B64, d(M::T0), M::T6, 24);
    g.m.alu(AluOp::Or, B64, d(M::T0), M::T0, header(ObjKind::LuaClosure));
    g.m.store(B64, at(M::T4, 0), M::T0);
    g.m.store(B64, at(M::T4, offset_of!(LuaClosure, proto) as i32), M::T5);
    g.m.load(U64, d(M::T0), at(M::T5, offset_of!(Proto, code) as i32));
    g.m.lea(d(M::T0), at(M::T0, 8));
    g.m.store(B64, at(M::T4, offset_of!(LuaClosure, pc) as i32), M::T0);
    // instances, saturating
    let instances = at(M::T5, offset_of!(Proto, ninstances) as i32);
    let (counted, again, end) = (g.m.new_label(), g.m.new_label(), g.m.new_label());
    g.m.load(U32, d(M::T0), instances);
    g.m.alu_branch(AluOp::Add, B32, d(M::T0), M::T0, 1, AluCond::Zero, counted);
    g.m.store(B32, instances, M::T0);
    g.m.bind(counted);
    g.m.branch(Cond::Eq, B32, M::T6, 0, end);
    g.m.load(U64, d(M::T5), at(M::T5, offset_of!(Proto, upvals) as i32));
    g.m.lea(d(M::T3), at(M::T4, LuaClosure::UPVALS as i32));
    g.m.bind(again);
    g.m.load(
        LoadKind::U8,
        d(M::T0),
        at(M::T5, offset_of!(UpvalDesc, index) as i32),
    );
    let (stack, store) = (g.m.new_label(), g.m.new_label());
    g.m.branch_mem(
        Cond::Ne,
        B8,
        at(M::T5, offset_of!(UpvalDesc, in_stack) as i32),
        0,
        stack,
    );
    g.m.load(U64, d(M::T2), at(M::BASE, -16));
    g.m.load(
        U64,
        d(M::T2),
        at_index(M::T2, M::T0, Scale::S8, LuaClosure::UPVALS as i32),
    );
    g.m.jump(store);
    g.m.bind(stack);
    g.m.shift(ShiftOp::Shl, B64, d(M::T0), M::T0, 4);
    g.m.load(U64, d(M::T2), at_index(M::BASE, M::T0, Scale::S1, 0));
    g.m.bind(store);
    g.m.store(B64, at(M::T3, 0), M::T2);
    g.m.alu(AluOp::Add, B64, d(M::T3), M::T3, 8);
    g.m.alu(
        AluOp::Add,
        B64,
        d(M::T5),
        M::T5,
        size_of::<UpvalDesc>() as i64,
    );
    g.m.alu_branch(AluOp::Sub, B32, d(M::T6), M::T6, 1, AluCond::NonZero, again);
    g.m.bind(end);
    done(g, Tag::FUNCTION, 2);
}

/// The fields of the new table T4 that do not depend on its parts, with the shape in `shape`. Destroys `tmp`.
fn table_frame<M: Masm>(g: &mut Gen<M>, shape: Gpr, tmp: Gpr) {
    g.m.store_imm(B32, at(M::T4, 0), TABLE_HEADER);
    g.m.load(U32, d(tmp), at(shape, ID));
    g.m.store(B32, at(M::T4, ID), tmp);
    g.m.store(B64, at(M::T4, tab!(shape)), shape);
    g.m.store_imm(B64, at(M::T4, tab!(metatable)), 0);
    g.m.store_imm(B32, at(M::T4, tab!(meta_absent)), 0);
}

/// T4 = a cell for a table with an inline run of `slots` slots, an even number.
fn pop_table<M: Masm>(g: &mut Gen<M>, slots: Gpr, tmp: Gpr) {
    const _: () = {
        let mut n = 2;
        while n <= Table::INLINE_MAX {
            assert!(small_class(Table::size_for(n)) == small_class(Table::size_for(0)) + n / 2);
            n += 2;
        }
    };
    let slow = g.slow();
    let head = at_index(
        M::GLOBAL,
        slots,
        Scale::S4,
        goff!(free) + 8 * small_class(Table::size_for(0)) as i32,
    );
    g.m.load(U64, d(M::T4), head);
    g.m.branch(Cond::Eq, B64, M::T4, 0, slow);
    g.m.load(U64, d(tmp), at(M::T4, 0));
    g.m.store(B64, head, tmp);
}

/// Eight nil tags.
const NIL_TAGS: i64 = 0x0101_0101_0101_0101 * NIL;

fn new_table<M: Masm>(g: &mut Gen<M>) {
    const { assert!(Table::INLINE_MAX == 8) };
    let slow = g.slow();
    let parts = g.cold(move |g| {
        let fields = g.m.new_label();
        g.m.load(U32, d(M::T6), at(M::PC, 12));
        g.m.branch(Cond::Ne, B32, M::T6, 0, fields);
        // an array for indices up to T5
        g.m.load(U32, d(M::T5), at(M::PC, 8));
        g.m.branch(Cond::AboveEq, B32, M::T5, Table::INLINE_MAX as i64, slow);
        g.m.alu(AluOp::Add, B32, d(M::T6), M::T5, 2);
        g.m.alu(AluOp::And, B32, d(M::T6), M::T6, -2);
        let enough = g.m.new_label();
        g.m.branch(
            Cond::AboveEq,
            B32,
            M::T6,
            Table::INLINE_ARRAY_MIN as i64,
            enough,
        );
        g.m.mov_imm(d(M::T6), Table::INLINE_ARRAY_MIN as i64);
        g.m.bind(enough);
        pop_table(g, M::T6, M::T7);
        g.m.load(U64, d(M::T0), at(M::GLOBAL, goff!(empty_shape)));
        table_frame(g, M::T0, M::T7);
        g.m.mov_imm(d(M::T7), NIL_TAGS);
        g.m.store(B64, at(M::T4, Table::INLINE_FIELDS as i32 - 8), M::T7);
        g.m.lea(d(M::T7), at(M::T4, Table::INLINE_FIELDS as i32));
        g.m.store(B64, at(M::T4, tab!(array)), M::T7);
        g.m.store(B32, at(M::T4, tab!(arr_len)), M::T5);
        g.m.alu(AluOp::Add, B32, d(M::T5), M::T5, 1);
        g.m.store(B32, at(M::T4, tab!(arr_cap)), M::T5);
        g.m.store_imm(B64, at(M::T4, tab!(hash)), 0);
        g.m.store_imm(B32, at(M::T4, tab!(field_cap)), 0);
        done(g, Tag::TABLE, 2);
        g.m.bind(fields);
        g.m.branch_mem(Cond::Ne, B32, at(M::PC, 8), 0, slow);
        g.m.branch(Cond::Above, B32, M::T6, Table::INLINE_MAX as i64, slow);
        inline_fields(g);
        g.m.load(U64, d(M::T0), at(M::GLOBAL, goff!(empty_shape)));
        table_frame(g, M::T0, M::T7);
        done(g, Tag::TABLE, 2);
    });
    g.dec_a();
    g.m.branch_mem(Cond::Ne, B64, at(M::PC, 8), 0, parts);
    pop_const(g, Table::size_for(0), M::T4, M::T5);
    g.m.load(U64, d(M::T0), at(M::GLOBAL, goff!(empty_shape)));
    table_frame(g, M::T0, M::T5);
    g.m.store_imm(B64, at(M::T4, tab!(array)), 0);
    g.m.store_imm(B64, at(M::T4, tab!(arr_cap)), 0);
    g.m.store_imm(B64, at(M::T4, tab!(hash)), 0);
    g.m.store_imm(B32, at(M::T4, tab!(field_cap)), 0);
    done(g, Tag::TABLE, 2);
}

/// T4 = a new table with at least T6 inline fields, all nil, and T7 = their run; the frame is not written.
/// Destroys T0.
fn inline_fields<M: Masm>(g: &mut Gen<M>) {
    g.m.alu(AluOp::Add, B32, d(M::T0), M::T6, 1);
    g.m.alu(AluOp::And, B32, d(M::T0), M::T0, -2);
    pop_table(g, M::T0, M::T7);
    g.m.store(B32, at(M::T4, tab!(field_cap)), M::T0);
    g.m.mov_imm(d(M::T7), NIL_TAGS);
    g.m.store(B64, at(M::T4, Table::INLINE_FIELDS as i32 - 8), M::T7);
    g.m.lea(d(M::T7), at(M::T4, Table::INLINE_FIELDS as i32));
    g.m.store(B64, at(M::T4, tab!(hash)), M::T7);
    g.m.store_imm(B64, at(M::T4, tab!(array)), 0);
    g.m.store_imm(B64, at(M::T4, tab!(arr_cap)), 0);
}

const _: () = assert!(tab!(arr_len) == tab!(arr_cap) + 4 && tab!(arr_cap) % 8 == 0);

fn new_record<M: Masm>(g: &mut Gen<M>) {
    let slow = g.slow();
    g.m.load(U16, d(M::T6), at(M::PC, 6));
    g.m.load(U64, d(M::T5), at(M::PC, 8));
    g.m.branch(Cond::Above, B32, M::T6, Table::INLINE_MAX as i64, slow);
    g.m.branch(Cond::Eq, B32, M::T6, 0, slow);
    g.m.branch_bits_mem(
        BitCond::NonZero,
        B32,
        at(M::T5, offset_of!(Shape, shape_flags) as i32),
        i64::from(shape_flags::DICT),
        slow,
    );
    g.m.branch(
        Cond::Ne,
        B32,
        M::T6,
        at(M::T5, offset_of!(Shape, nfields) as i32),
        slow,
    );
    inline_fields(g);
    table_frame(g, M::T5, M::T0);
    g.dec_ab();
    // the values: payloads go up from T7, tags down from T3
    g.m.lea(d(M::T2), at_index(M::BASE, M::T2, Scale::S1, 0));
    g.m.lea(d(M::T3), at(M::T7, -1));
    let again = g.m.here();
    g.m.load(U64, d(M::T0), at(M::T2, 0));
    g.m.load(U32, d(M::T5), at(M::T2, 8));
    g.m.store(B64, at(M::T7, 0), M::T0);
    g.m.store(B8, at(M::T3, 0), M::T5);
    g.m.alu(AluOp::Add, B64, d(M::T2), M::T2, 16);
    g.m.alu(AluOp::Add, B64, d(M::T7), M::T7, 8);
    g.m.alu(AluOp::Sub, B64, d(M::T3), M::T3, 1);
    g.m.alu_branch(AluOp::Sub, B32, d(M::T6), M::T6, 1, AluCond::NonZero, again);
    done(g, Tag::TABLE, 2);
}

/// Elements into an array part that has room for them.
fn set_list<M: Masm>(g: &mut Gen<M>, op: Op) {
    let slow = g.slow();
    g.dec_a();
    if op == Op::SetList {
        g.m.load(U16, d(M::T6), at(M::PC, 4));
    } else {
        g.m.load(U64, d(M::T6), at(M::THREAD, toff!(top)));
        g.m.alu(AluOp::Sub, B64, d(M::T6), M::T6, M::BASE);
        g.m.alu(AluOp::Sub, B64, d(M::T6), M::T6, M::T1);
        g.m.shift(ShiftOp::Shr, B64, d(M::T6), M::T6, 4);
        g.m.alu(AluOp::Sub, B64, d(M::T6), M::T6, 1);
    }
    g.m.branch(Cond::Eq, B64, M::T6, 0, slow);
    g.m.load(U64, d(M::T4), Gen::<M>::pay(M::T1));
    crate::misc::barrier(g, M::T4, slow);
    g.m.load(U32, d(M::T5), at(M::PC, 8));
    g.m.alu(AluOp::Add, B64, d(M::T7), M::T5, M::T6);
    g.m.load(U32, d(M::T0), at(M::T4, tab!(arr_cap)));
    let fits = g.m.new_label();
    // an inline array part may have room that is not counted yet
    let grow = g.cold(move |g| {
        g.m.branch(
            Cond::AboveEq,
            B64,
            M::T7,
            Table::INLINE_ARRAY_MIN as i64,
            slow,
        );
        g.m.lea(d(M::T0), at(M::T4, Table::INLINE_FIELDS as i32));
        g.m.branch(Cond::Ne, B64, M::T0, at(M::T4, tab!(array)), slow);
        g.m.branch_mem(Cond::Above, B32, at(M::PC, 12), M::T7, slow);
        // integer keys of a dictionary would have to move
        let flags_at = offset_of!(GcHeader, flags) as i32;
        g.m.branch_bits_mem(
            BitCond::NonZero,
            B8,
            at(M::T4, flags_at),
            i64::from(flags::TAB_DICT),
            slow,
        );
        g.m.store(B32, at(M::T4, tab!(arr_len)), M::T7);
        g.m.lea(d(M::T0), at(M::T7, 1));
        g.m.store(B32, at(M::T4, tab!(arr_cap)), M::T0);
        g.m.jump(fits);
    });
    g.m.branch(Cond::AboveEq, B64, M::T7, M::T0, grow);
    // [DENSE] all elements that have been announced, or more
    g.m.branch(Cond::Below, B32, M::T7, at(M::T4, tab!(arr_len)), slow);
    let later = g.cold(move |g| {
        let kind = at(M::T4, offset_of!(GcHeader, extra) as i32);
        g.m.branch_mem(Cond::Eq, B8, kind, NIL, slow);
        g.m.jump(fits);
    });
    g.m.branch(Cond::Ne, B32, M::T5, 0, later);
    g.m.bind(fits);
    g.m.lea(d(M::T3), at_index(M::BASE, M::T1, Scale::S1, 16));
    // payloads go up from T5, tags down from T1; the kind is in T7
    g.m.load(U64, d(M::T0), at(M::T4, tab!(array)));
    g.m.not(B64, d(M::T1), M::T5);
    g.m.lea(d(M::T1), at_index(M::T0, M::T1, Scale::S1, -1));
    g.m.lea(d(M::T5), at_index(M::T0, M::T5, Scale::S8, 8));
    let kind = at(M::T4, offset_of!(GcHeader, extra) as i32);
    g.m.load(LoadKind::S8To32, d(M::T7), kind);
    let (again, same, known) = (g.m.new_label(), g.m.new_label(), g.m.new_label());
    // the first element decides; a nil is a hole [DENSE]
    let fresh = g.cold(move |g| {
        g.m.load(U32, d(M::T7), at(M::T3, 8));
        g.m.branch(Cond::Ne, B32, M::T7, NIL, known);
        g.m.mov_imm(d(M::T7), i64::from(Tag::ANY.0));
        g.m.jump(known);
    });
    g.m.branch(Cond::Eq, B32, M::T7, NIL, fresh);
    g.m.bind(known);
    let other = g.cold(move |g| {
        g.m.mov_imm(d(M::T7), i64::from(Tag::ANY.0));
        g.m.jump(same);
    });
    g.m.bind(again);
    g.m.load(U32, d(M::T0), at(M::T3, 8));
    g.m.load(U64, d(M::T2), at(M::T3, 0));
    g.m.store(B8, at(M::T1, 0), M::T0);
    g.m.store(B64, at(M::T5, 0), M::T2);
    g.m.branch(Cond::Ne, B32, M::T0, M::T7, other);
    g.m.bind(same);
    g.m.alu(AluOp::Add, B64, d(M::T3), M::T3, 16);
    g.m.alu(AluOp::Add, B64, d(M::T5), M::T5, 8);
    g.m.alu(AluOp::Sub, B64, d(M::T1), M::T1, 1);
    g.m.alu_branch(AluOp::Sub, B32, d(M::T6), M::T6, 1, AluCond::NonZero, again);
    g.m.store(B8, kind, M::T7);
    g.next(2);
}
