//! The backward walk at guards: places of what snapshots restore, roots of the collector, values that live through.

use super::backward::Walk;
use super::plan;
use super::*;
use crate::abort::Abort;
use crate::ir::{IrOp, REF_NONE, SnapNo, Ty};

impl Walk<'_> {
    /// Finds the places of what snapshot `n` restores, at a guard that it serves. `not`: what the guard destroys.
    pub(super) fn snapshot(&mut self, n: SnapNo, not: RegSet) -> Result<(), Abort> {
        let snap = &self.ir.snaps[n.0 as usize];
        if self.in_body && snap.first <= self.ir.loop_ref {
            return Err(Abort::Internal); // a snapshot serves one side of LOOP
        }
        let again = self.open_snap == Some(n);
        self.open_snap = Some(n);
        self.out.snap_used[n.0 as usize] = true;
        for e in snap.start as usize..snap.end as usize {
            let entry = self.ir.entries[e];
            for (half, r) in [entry.val, entry.tag].into_iter().enumerate() {
                let before = again.then_some(self.out.snaps[e][half]);
                self.out.snaps[e][half] = self.restored(r, before, not)?;
            }
        }
        for recipe in self.ir.snap_recipes(n) {
            for f in recipe.start as usize..recipe.end as usize {
                let filling = self.ir.fillings[f];
                for (half, r) in [filling.val, filling.tag].into_iter().enumerate() {
                    let before = again.then_some(self.out.fillings[f][half]);
                    self.out.fillings[f][half] = self.restored(r, before, not)?;
                }
            }
        }
        if !again {
            self.through_at = self.out.through.len();
        }
        for k in 0..self.through.len() {
            let val = self.through[k];
            let place = self.place(val).ok_or(Abort::Internal)?;
            if !again {
                self.out.through.push(Through {
                    snap: n.0,
                    val,
                    place,
                });
            } else if let Place::Reg(q) = self.out.through[self.through_at + k].place
                && self.reg_of(val) != q
            {
                let slot = self.need_slot(val)?;
                self.out.through[self.through_at + k].place = Place::Slot(slot);
            }
        }
        Ok(())
    }

    /// The place of `r` for a snapshot; `before`: its place at guards of the snapshot further down.
    fn restored(&mut self, r: Ref, before: Option<Place>, not: RegSet) -> Result<Place, Abort> {
        if !r.is_ins() {
            return Ok(if r.is_none() {
                Place::None
            } else {
                Place::Const(r)
            });
        }
        if self.ir.at(r).op == IrOp::Sunk {
            return Ok(Place::None);
        }
        match before {
            None => self.keep(r, not),
            // another register than at the guards below: only the slot holds it all the time
            Some(Place::Reg(q)) if self.reg_of(r) != q => Ok(Place::Slot(self.need_slot(r)?)),
            Some(p) => Ok(p),
        }
    }

    /// Keeps `r` alive where that costs least, and says where.
    pub(super) fn keep(&mut self, r: Ref, not: RegSet) -> Result<Place, Abort> {
        if let Some(p) = self.place(r) {
            return Ok(p);
        }
        if !self.is_invariant(r) {
            let hint = self.hint[self.number(r)];
            let allowed = self.job.regs.allocatable.minus(not);
            if let Some(q) = self.pick(self.is_float(r), allowed, [hint, Reg::NONE]) {
                self.take(r, q);
                return Ok(Place::Reg(q));
            }
        }
        Ok(Place::Slot(self.need_slot(r)?))
    }

    /// The collectable values that are alive at a POLL and not in its snapshot.
    pub(super) fn roots(&mut self, n: SnapNo) -> Result<(), Abort> {
        if self.out.roots.iter().any(|r| r.snap == n.0) {
            return Err(Abort::Internal); // two POLLs under one snapshot
        }
        let first = self.ir.konsts.len();
        let mut at = first;
        while at < self.reg.len() {
            let r = self.value(at);
            at += 1;
            if self.place(r).is_none() {
                continue;
            }
            match self.ir.ty(r) {
                Ty::Any => {
                    let tag = plan::tag_of(self.ir, r).ok_or(Abort::Internal)?;
                    self.root(n, r, tag)?;
                }
                t if t.is_gc() => self.root(n, r, REF_NONE)?,
                Ty::Ptr => {
                    // what an interior pointer points into has to stay
                    if let Some(owner) = self.owner(r) {
                        self.root(n, owner, REF_NONE)?;
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn root(&mut self, n: SnapNo, val: Ref, tag: Ref) -> Result<(), Abort> {
        if plan::names(self.ir, n, val)
            || self.out.roots.iter().any(|r| r.snap == n.0 && r.val == val)
        {
            return Ok(());
        }
        let val_place = self.keep(val, RegSet::EMPTY)?;
        let tag_place = if tag.is_none() {
            Place::None
        } else {
            self.keep(tag, RegSet::EMPTY)?
        };
        self.out.roots.push(Root {
            snap: n.0,
            val,
            tag,
            places: [val_place, tag_place],
        });
        Ok(())
    }

    /// The object that the address `r` was loaded from, if that is a value.
    fn owner(&self, mut r: Ref) -> Option<Ref> {
        while r.is_ins() {
            let ins = self.ir.at(r);
            if self.ir.ty(r).is_gc() {
                return Some(r);
            }
            match ins.op {
                IrOp::FLd | IrOp::TRun | IrOp::UpRef | IrOp::Copy | IrOp::Cast => r = ins.a,
                _ => return None,
            }
        }
        None
    }
}
