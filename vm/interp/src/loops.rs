//! Back edges and loop instructions.

use traceorus_asm::operand::{at, at_index};
use traceorus_asm::{AluOp, Cond, FAlu, FCond, Masm, Scale, d};
use traceorus_base::Tag;
use traceorus_base::bytecode::Op;

use crate::{B32, B64, Gen, NIL, S16To64, S32To64, U64};

pub(crate) fn emit<M: Masm>(g: &mut Gen<M>, op: Op) -> bool {
    match op {
        Op::Loop => {
            g.m.load(S32To64, d(M::T0), at(M::PC, 4));
            g.m.lea(d(M::PC), at_index(M::PC, M::T0, Scale::S8, 8));
            g.reload_code();
            g.poll();
            g.next(0);
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
        Op::ForLoop | Op::ForLoopV => {
            let copy = op == Op::ForLoopV;
            g.dec_a();
            let (float, done) = (g.m.new_label(), g.m.new_label());
            g.m.branch_mem(Cond::Ne, B32, Gen::<M>::tag(M::T1), 0, float);
            g.m.load(U64, d(M::T4), Gen::<M>::pay(M::T1));
            g.m.branch(Cond::Eq, B64, M::T4, Gen::<M>::reg(M::T1, 16), done);
            g.m.alu(AluOp::Add, B64, d(M::T4), M::T4, Gen::<M>::reg(M::T1, 32));
            g.m.store(B64, Gen::<M>::pay(M::T1), M::T4);
            if copy {
                g.m.store(B64, Gen::<M>::reg(M::T1, 48), M::T4);
                g.m.store_imm(B32, Gen::<M>::reg(M::T1, 56), Tag::INT.0);
            }
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
            g.m.fstore(Gen::<M>::pay(M::T1), M::F0);
            if copy {
                g.m.fstore(Gen::<M>::reg(M::T1, 48), M::F0);
                g.m.store_imm(B32, Gen::<M>::reg(M::T1, 56), Tag::FLOAT.0);
            }
            back(g);
            g.m.bind(down);
            g.m.fcmp_branch(FCond::Le, M::F2, M::F0, go);
            g.m.jump(done);
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

/// Takes the back edge by C.
fn back<M: Masm>(g: &mut Gen<M>) {
    g.m.load(S16To64, d(M::T0), at(M::PC, 6));
    g.m.lea(d(M::PC), at_index(M::PC, M::T0, Scale::S8, 8));
    g.reload_code();
    g.poll();
    g.next(0);
}
