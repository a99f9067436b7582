//! Moves, constants, upvalues and cells, `not`, truth tests, jumps.

use std::mem::offset_of;

use traceorus_asm::operand::{at, at_index};
use traceorus_asm::{Cond, Gpr, Label, Masm, Scale, d};
use traceorus_base::Tag;
use traceorus_base::bytecode::Op;
use traceorus_base::objects::{Cell, LuaClosure};

use crate::{B8, B32, B64, FALSY, Gen, NIL, S16To32, S16To64, U32, U64};

/// Offset of a cell's value.
pub(crate) const CELL: i32 = offset_of!(Cell, value) as i32;

pub(crate) fn emit<M: Masm>(g: &mut Gen<M>, op: Op) -> bool {
    match op {
        Op::Move => {
            g.dec_ab();
            g.m.load(U64, d(M::T4), Gen::<M>::pay(M::T2));
            g.m.load(U32, d(M::T5), Gen::<M>::tag(M::T2));
            g.put(M::T1, M::T4, M::T5);
            g.next(1);
        }
        Op::LoadI => {
            g.dec_a();
            g.m.load(S16To64, d(M::T4), at(M::PC, 4));
            g.m.store(B64, Gen::<M>::pay(M::T1), M::T4);
            g.m.store_imm(B32, Gen::<M>::tag(M::T1), 0);
            g.next(1);
        }
        Op::LoadK => {
            g.dec_a();
            g.m.load(S16To32, d(M::T5), at(M::PC, 6));
            g.m.load(U64, d(M::T4), at(M::PC, 8));
            g.put(M::T1, M::T4, M::T5);
            g.next(2);
        }
        Op::LoadPrim => {
            g.dec_a();
            g.m.load(S16To32, d(M::T5), at(M::PC, 4));
            g.m.store_imm(B64, Gen::<M>::pay(M::T1), 0);
            g.m.store(B32, Gen::<M>::tag(M::T1), M::T5);
            g.next(1);
        }
        Op::LoadNil => {
            g.dec_ab();
            g.m.lea(d(M::T1), at_index(M::BASE, M::T1, Scale::S1, 0));
            let again = g.m.here();
            g.m.store_imm(B32, at(M::T1, 8), NIL as i32);
            g.m.lea(d(M::T1), at(M::T1, 16));
            g.m.alu_branch(
                traceorus_asm::AluOp::Sub,
                B32,
                d(M::T2),
                M::T2,
                1,
                traceorus_asm::AluCond::NonZero,
                again,
            );
            g.next(1);
        }
        Op::GetUpval => {
            g.dec_ab();
            upcell(g, M::T2, M::T4);
            load_cell(g, M::T4);
            g.next(1);
        }
        Op::SetUpval => {
            g.dec_ab();
            upcell(g, M::T1, M::T4);
            store_cell(g, M::T4, M::T2);
            g.next(1);
        }
        Op::GetCell => {
            g.dec_ab();
            g.m.load(U64, d(M::T4), Gen::<M>::pay(M::T2));
            load_cell(g, M::T4);
            g.next(1);
        }
        Op::SetCell => {
            g.dec_ab();
            g.m.load(U64, d(M::T4), Gen::<M>::pay(M::T1));
            store_cell(g, M::T4, M::T2);
            g.next(1);
        }
        Op::Not => {
            g.dec_ab();
            g.m.load(U32, d(M::T4), Gen::<M>::tag(M::T2));
            // falsy: TRUE, else FALSE
            g.m.mov_imm(d(M::T5), i64::from(Tag::TRUE.0));
            g.m.mov_imm(d(M::T6), i64::from(Tag::FALSE.0));
            g.m.csel(Cond::Ge, B32, M::T4, FALSY, d(M::T5), M::T5, M::T6);
            g.m.store_imm(B64, Gen::<M>::pay(M::T1), 0);
            g.m.store(B32, Gen::<M>::tag(M::T1), M::T5);
            g.next(1);
        }
        Op::Jmp => g.jump_bc(),
        Op::JT | Op::JF => {
            g.dec_a();
            let taken = g.m.new_label();
            let cond = if op == Op::JT { Cond::Lt } else { Cond::Ge };
            g.m.branch_mem(cond, B32, Gen::<M>::tag(M::T1), FALSY, taken);
            g.next(1);
            g.m.bind(taken);
            g.jump_c(1);
        }
        Op::JTSet | Op::JFSet => {
            g.dec_b();
            let taken = g.m.new_label();
            let cond = if op == Op::JTSet { Cond::Lt } else { Cond::Ge };
            g.m.load(U32, d(M::T5), Gen::<M>::tag(M::T2));
            g.m.branch(cond, B32, M::T5, FALSY, taken);
            g.next(1);
            g.m.bind(taken);
            g.dec_a();
            g.m.load(U64, d(M::T4), Gen::<M>::pay(M::T2));
            g.put(M::T1, M::T4, M::T5);
            g.jump_c(1);
        }
        Op::JEqP | Op::JNeP => {
            g.dec_a();
            let taken = g.m.new_label();
            g.m.load(S16To32, d(M::T4), at(M::PC, 4));
            let cond = if op == Op::JEqP { Cond::Eq } else { Cond::Ne };
            g.m.branch(cond, B32, M::T4, Gen::<M>::tag(M::T1), taken);
            g.next(1);
            g.m.bind(taken);
            g.jump_c(1);
        }
        _ => return false,
    }
    true
}

/// `dst =` the cell of the upvalue whose offset is in `r`.
pub(crate) fn upcell<M: Masm>(g: &mut Gen<M>, r: Gpr, dst: Gpr) {
    g.m.load(U64, d(dst), at(M::BASE, -16));
    g.m.load(
        U64,
        d(dst),
        at_index(dst, r, Scale::S1, LuaClosure::UPVALS as i32),
    );
}

/// Register T1 = the value of the cell.
fn load_cell<M: Masm>(g: &mut Gen<M>, cell: Gpr) {
    g.m.load(U64, d(M::T5), at(cell, CELL));
    g.m.load(U32, d(M::T6), at(cell, CELL + 8));
    g.put(M::T1, M::T5, M::T6);
}

/// The cell's value = register `r`; slow when the barrier wants it.
fn store_cell<M: Masm>(g: &mut Gen<M>, cell: Gpr, r: Gpr) {
    let slow = g.slow();
    barrier(g, cell, slow);
    g.m.load(U64, d(M::T5), Gen::<M>::pay(r));
    g.m.load(U32, d(M::T6), Gen::<M>::tag(r));
    g.m.store(B64, at(cell, CELL), M::T5);
    g.m.store(B32, at(cell, CELL + 8), M::T6);
}

/// Branches to `slow` if a store into the object must go through the barrier.
pub(crate) fn barrier<M: Masm>(g: &mut Gen<M>, object: Gpr, slow: Label) {
    g.m.branch_mem(Cond::Ne, B8, at(object, 0), 0, slow);
}
