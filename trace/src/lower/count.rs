//! Counting what traces execute ([`Counts`]), for statistics. Traces that count are slower and otherwise the same.
//!
//! Bytecode instructions are counted where the next one begins: at each snapshot those that have become complete since the one before it, at the end of
//! the trace and of each iteration the rest. So a guard that fails has counted the instructions before its own, which the interpreter does again.

use std::mem::offset_of;

use traceorus_asm::{AluOp, at};
use traceorus_base::Tag;
use traceorus_base::objects::Counts;

use super::{B64, Lower, TraceRegs};
use crate::ir::{IrOp, Progress, Ref, SnapNo};

/// How far the emitted code has counted.
#[derive(Default)]
pub(super) struct Counted {
    done: Progress,
    /// Snapshots.
    snaps: usize,
}

impl<M: TraceRegs> Lower<'_, M> {
    /// What is executed is counted.
    pub(super) fn counts(&self) -> bool {
        self.input.thunks.counts_offset.is_some()
    }

    fn count(&mut self, field: usize, n: u32) {
        if let Some(offset) = self.input.thunks.counts_offset
            && n != 0
        {
            let counter = at(M::GLOBAL, offset + field as i32);
            self.m.alu_to_mem(AluOp::Add, B64, counter, i64::from(n));
        }
    }

    fn count_done(&mut self, now: Progress) {
        let done = &mut self.counted.done;
        let instructions = now.instructions.saturating_sub(done.instructions);
        let guards = now.guards.saturating_sub(done.guards);
        done.instructions += instructions;
        done.guards += guards;
        self.count(offset_of!(Counts, compiled), instructions);
        self.count(offset_of!(Counts, guards_recorded), guards);
    }

    /// The instructions that are complete where `r` begins.
    #[inline(never)]
    pub(super) fn count_up_to(&mut self, r: Ref) {
        if !self.counts() {
            return;
        }
        if self.ir.at(r).op == IrOp::Loop {
            self.count_rest();
            self.counted.done = self.ir.done_before_body;
            return;
        }
        let mut done = Progress::default();
        while let Some(s) = self.ir.snaps.get(self.counted.snaps)
            && s.first <= r
        {
            done = s.done;
            self.counted.snaps += 1;
        }
        self.count_done(done);
    }

    /// The instructions up to the end.
    pub(super) fn count_rest(&mut self) {
        self.count_done(self.ir.done);
    }

    /// A guard about a type that neither the program nor the operation asks for: whether there is a value at all (or nil, which makes look-ups go on in
    /// metatables) is no type that is taken for granted.
    fn assumes_type(&self, r: Ref) -> bool {
        let ins = self.ir.at(r);
        let presence = matches!(ins.op, IrOp::TEq | IrOp::TNe) && ins.b.0 == Tag::NIL.0 as u16;
        let asked = |n: SnapNo| self.ir.snaps[n.0 as usize].asked;
        ins.looks_at_type() && !presence && !self.ir.snap_of(r).is_some_and(asked)
    }

    /// A check at the entry.
    pub(super) fn count_guard(&mut self) {
        self.count(offset_of!(Counts, guards), 1);
        self.count(offset_of!(Counts, type_guards), 1);
        self.count(offset_of!(Counts, type_guards_held), 1);
    }

    /// The instruction `r` itself.
    pub(super) fn count_before(&mut self, r: Ref) {
        let ins = self.ir.at(r);
        if ins.op.is_guard() {
            self.count(offset_of!(Counts, guards), 1);
        }
        if self.assumes_type(r) {
            self.count(offset_of!(Counts, type_guards), 1);
        }
        if matches!(ins.op, IrOp::XOp | IrOp::XOpQ | IrOp::XOpR) {
            // it is complete even if the trace ends there
            let mut done = self.counted.done;
            done.instructions += 1;
            self.count_done(done);
            self.count(offset_of!(Counts, performed), 1);
        }
    }

    /// The guard `r` has held.
    pub(super) fn count_behind(&mut self, r: Ref) {
        if self.assumes_type(r) {
            self.count(offset_of!(Counts, type_guards_held), 1);
        }
    }
}
