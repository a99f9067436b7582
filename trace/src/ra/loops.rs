//! The backward walk over loops: homes, back edges, entry contracts.

use super::backward::{MAX_WALKS, NO_SLOT, PhiState, Walk, place_of};
use super::*;
use crate::abort::Abort;
use crate::ir::IrOp;

impl Walk<'_> {
    /// The state at the end of a trace that goes on in the body of another one's loop.
    pub(super) fn reenter(&mut self) -> Result<(), Abort> {
        let list = self.job.reenter;
        for &(r, loc) in list {
            let home = place_of(loc)?;
            if let Place::Reg(q) = home
                && self.place(r).is_none()
                && self.free.has(q)
            {
                self.take(r, q);
            }
            // it stays where the parent has it
            if let Place::Slot(s) = home
                && self.place(r).is_none()
                && self.inherited_slot(r) == Some(s)
            {
                self.need_slot(r)?;
            }
        }
        for &(r, loc) in list {
            let src = match self.place(r) {
                Some(p) => p,
                None => self.keep(r, RegSet::EMPTY)?,
            };
            let dst = place_of(loc)?;
            if dst != src {
                self.out.back_edge.push(Move { dst, src });
            }
            let inherited = r.is_ins() && self.ir.at(r).op == IrOp::PVal;
            if inherited && !self.through.contains(&r) {
                self.through.push(r);
            }
        }
        Ok(())
    }

    pub(super) fn loop_body(&mut self, n: usize) -> Result<(), Abort> {
        self.in_body = true;
        for ins in &self.ir.ins[self.loop_at..] {
            if ins.op == IrOp::Phi && ins.a != ins.b {
                if !ins.a.is_ins() || !self.is_outer(ins.a) {
                    return Err(Abort::Internal);
                }
                self.phis.push(PhiState {
                    left: ins.a,
                    right: ins.b,
                    end: Place::None,
                });
            }
        }
        // the first walk, again while there are phis that nobody uses
        loop {
            self.reset();
            self.back_edge_free()?;
            self.walk(self.loop_at + 1, n)?;
            let before = self.phis.len();
            let mut phis = std::mem::take(&mut self.phis);
            phis.retain(|p| self.place(p.left).is_some());
            self.phis = phis;
            if self.phis.len() == before {
                break;
            }
        }
        let mut ends = self.state();
        for _ in 1..MAX_WALKS {
            self.homes = ends;
            self.reset();
            self.through.clear();
            for k in 0..self.homes.len() {
                let r = self.value(self.homes[k].0 as usize);
                if r.is_ins() && self.phis.iter().all(|p| p.left != r) {
                    self.through.push(r);
                }
            }
            self.back_edge_homes()?;
            self.walk(self.loop_at + 1, n)?;
            ends = self.state();
            if ends == self.homes {
                break;
            }
        }
        self.join(&ends)
    }

    /// What is alive and where (constants only if they are in registers), in order of refs.
    fn state(&self) -> Vec<(u16, Reg)> {
        (0..self.reg.len())
            .filter(|&v| !self.reg[v].is_none() || self.slot[v] != NO_SLOT)
            .map(|v| (v as u16, self.reg[v]))
            .collect()
    }

    /// The state at the back edge when nothing is known of the state at LOOP: right sides are in any register.
    fn back_edge_free(&mut self) -> Result<(), Abort> {
        for k in 0..self.phis.len() {
            let (left, right) = (self.phis[k].left, self.phis[k].right);
            if !right.is_ins() {
                continue;
            }
            if self.place(right).is_none() {
                let own = self.hint[self.number(right)];
                let all = self.job.regs.allocatable;
                match self.pick(self.is_float(right), all, [own, Reg::NONE]) {
                    Some(q) => self.take(right, q),
                    None => {
                        self.need_slot(right)?;
                    }
                }
            }
            if !self.is_outer(right) {
                let l = self.number(left);
                self.hint[l] = self.reg_of(right);
            }
        }
        Ok(())
    }

    /// The state at the back edge that leads to the homes by the moves of phis alone.
    fn back_edge_homes(&mut self) -> Result<(), Abort> {
        for k in 0..self.homes.len() {
            let (v, q) = self.homes[k];
            let r = self.value(v as usize);
            self.hint[v as usize] = q;
            let carried = self.phis.iter().any(|p| p.left == r);
            if q.is_none() {
                self.need_slot(r)?;
            } else if !carried || self.phis.iter().any(|p| p.right == r) {
                self.take(r, q);
            }
        }
        for k in 0..self.phis.len() {
            let (left, right) = (self.phis[k].left, self.phis[k].right);
            if self.place(right).is_none() {
                // defined in the body
                let home = self.hint[self.number(left)];
                let all = self.job.regs.allocatable;
                match self.pick(self.is_float(right), all, [home, Reg::NONE]) {
                    Some(q) => self.take(right, q),
                    None => {
                        self.need_slot(right)?;
                    }
                }
            }
            self.phis[k].end = self.place(right).ok_or(Abort::Internal)?;
        }
        Ok(())
    }

    /// Connects the state `ends` that the last walk left at LOOP with the homes, and both with the back edge.
    fn join(&mut self, ends: &[(u16, Reg)]) -> Result<(), Abort> {
        for &(v, q) in ends {
            let r = self.value(v as usize);
            if q.is_none() {
                // only the last walk may have found that its slot is needed
                if self.homes.iter().all(|h| h.0 != v) {
                    self.homes.push((v, Reg::NONE));
                }
                continue;
            }
            let home = self.homes.iter().find(|h| h.0 == v).map(|h| h.1);
            let src = match home {
                Some(h) if h == q => continue,
                Some(h) if !h.is_none() => Place::Reg(h),
                _ if r.is_const() => Place::Const(r),
                Some(_) => Place::Slot(self.slot_of(r).ok_or(Abort::Internal)?),
                None => return Err(Abort::Internal),
            };
            self.out.loop_top.push(Move {
                dst: Place::Reg(q),
                src,
            });
        }
        for k in 0..self.homes.len() {
            let (v, q) = self.homes[k];
            let r = self.value(v as usize);
            let slot = self.slot_of(r);
            if !q.is_none() {
                self.out.contract.push((r, Place::Reg(q)));
            }
            if let Some(s) = slot {
                self.out.contract.push((r, Place::Slot(s)));
            }
            if let Some(phi) = self.phis.iter().find(|p| p.left == r) {
                let src = phi.end;
                for dst in [
                    (!q.is_none()).then_some(Place::Reg(q)),
                    slot.map(Place::Slot),
                ]
                .into_iter()
                .flatten()
                {
                    if dst != src {
                        self.out.back_edge.push(Move { dst, src });
                    }
                }
            }
        }
        self.out.phis = self.phis.iter().map(|p| (p.left, p.right)).collect();
        // the part before LOOP ends in the homes
        for q in self.job.regs.allocatable.minus(self.free) {
            self.release(q);
        }
        for k in 0..self.homes.len() {
            let (v, q) = self.homes[k];
            if !q.is_none() {
                self.take(self.value(v as usize), q);
            }
        }
        Ok(())
    }
}
