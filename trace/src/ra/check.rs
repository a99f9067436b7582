//! Checks an allocation against the IR, independently of how it was found.
//!
//! Walks forward with an abstract state: which values each register and spill slot holds. Every read must find its value,
//! every place that a snapshot names must hold what it says, and the back edge must establish the loop's contract with
//! right sides of phis in place of left ones.

use super::backward::{Job, divides};
use super::plan::{self, Division, Kind};
use super::*;
use crate::ir::{Class, IrOp, SnapNo, Ty};
use crate::loc::{Link, Loc};

struct Check<'a> {
    job: &'a Job<'a>,
    out: &'a Allocation,
    /// Which value is where; both sides may be there several times.
    state: Vec<(Place, Ref)>,
    next: Vec<(Place, Ref)>,
}

/// Verifies `out`; an error says which instruction finds what missing.
pub fn check(job: &Job<'_>, out: &Allocation) -> Result<(), String> {
    let mut c = Check {
        job,
        out,
        state: Vec::new(),
        next: Vec::new(),
    };
    c.run()
}

impl Check<'_> {
    fn run(&mut self) -> Result<(), String> {
        let (ir, out) = (self.job.ir, self.out);
        for (i, ins) in ir.ins.iter().enumerate() {
            if ins.op == IrOp::PVal
                && let Some(h) = self.job.inherited.get(ins.lit_a() as usize)
            {
                let Some(place) = place_of(h.loc) else {
                    continue;
                };
                self.state.push((place, Ref::from_ins(i)));
            }
        }
        self.parallel(&out.head);
        let mut at = out.moves.len();
        let mut gap = Vec::new();
        for i in 0..ir.len() {
            take_gap(out, &mut at, 2 * i as u32, &mut gap);
            self.parallel(&gap);
            self.step(i).map_err(|e| {
                format!(
                    "{i:04} {}: {e}\nwith {:?}\n{}",
                    ir.ins[i].op.name(),
                    self.state,
                    super::print::print(self.job, out)
                )
            })?;
            take_gap(out, &mut at, 2 * i as u32 + 1, &mut gap);
            self.parallel(&gap);
        }
        if at != 0 {
            return Err(format!("{at} moves are out of order"));
        }
        self.end()
            .map_err(|e| format!("end: {e}\n{}", super::print::print(self.job, out)))
    }

    fn end(&mut self) -> Result<(), String> {
        let (ir, out) = (self.job.ir, self.out);
        if !ir.loop_ref.is_none() {
            self.parallel(&out.back_edge);
            for &(r, place) in &out.contract {
                let carried = out.phis.iter().find(|p| p.0 == r).map_or(r, |p| p.1);
                self.reads(place, carried)?;
            }
        } else if let Link::Return { call: r, .. } | Link::Event(r) = self.job.link {
            self.reads(Place::Reg(out.ret), r)?;
        } else if matches!(self.job.link, Link::Body { .. }) {
            self.parallel(&out.back_edge);
            for &(r, loc) in self.job.reenter {
                let place = place_of(loc).ok_or("a constant as destination")?;
                self.reads(place, r)?;
            }
        } else if self.job.link == Link::Exit {
            let last = ir.snaps.len().checked_sub(1).ok_or("no snapshot")?;
            self.snapshot(SnapNo(last as u16), Reg::NONE)?;
        }
        Ok(())
    }

    /// All sources are read before any destination is written.
    fn parallel(&mut self, moves: &[Move]) {
        self.next.clear();
        for m in moves {
            if let Place::Const(k) = m.src {
                self.next.push((m.dst, k));
            } else {
                for &(p, r) in &self.state {
                    if p == m.src {
                        self.next.push((m.dst, r));
                    }
                }
            }
        }
        self.state
            .retain(|&(p, _)| moves.iter().all(|m| m.dst != p));
        self.state.append(&mut self.next);
    }

    fn reads(&self, place: Place, r: Ref) -> Result<(), String> {
        let ok = match place {
            Place::None => r.is_none() || r.is_ins() && self.job.ir.at(r).op == IrOp::Sunk,
            Place::Const(k) => k == r,
            Place::ParkGpr | Place::ParkFpr => false,
            Place::Reg(_) | Place::Slot(_) => self.state.contains(&(place, r)),
        };
        if ok {
            Ok(())
        } else {
            Err(format!("{:04x} is not at {place:?}", r.0))
        }
    }

    fn snapshot(&self, n: SnapNo, dst: Reg) -> Result<(), String> {
        let (ir, out) = (self.job.ir, self.out);
        if !out.snap_used[n.0 as usize] {
            return Err(format!("snapshot {} is not allocated", n.0));
        }
        let s = &ir.snaps[n.0 as usize];
        let entries = (s.start as usize..s.end as usize)
            .map(|e| ([ir.entries[e].val, ir.entries[e].tag], out.snaps[e]));
        let fillings = ir
            .snap_recipes(n)
            .iter()
            .flat_map(|recipe| recipe.start as usize..recipe.end as usize)
            .map(|f| ([ir.fillings[f].val, ir.fillings[f].tag], out.fillings[f]));
        for (refs, places) in entries.chain(fillings) {
            for (r, place) in refs.into_iter().zip(places) {
                self.reads(place, r)
                    .map_err(|m| format!("snapshot {}: {m}", n.0))?;
                if !dst.is_none() && place == Place::Reg(dst) {
                    return Err(format!("snapshot {} reads the result's register", n.0));
                }
            }
        }
        Ok(())
    }

    fn lives_through(&self, n: SnapNo) -> Result<(), String> {
        for t in self.out.through.iter().filter(|t| t.snap == n.0) {
            self.reads(t.place, t.val)
                .map_err(|m| format!("through snapshot {}: {m}", n.0))?;
        }
        Ok(())
    }

    fn clobber(&mut self, set: RegSet) {
        self.state
            .retain(|&(p, _)| !matches!(p, Place::Reg(q) if set.has(q)));
    }

    fn step(&mut self, i: usize) -> Result<(), String> {
        let (ir, out, regs) = (self.job.ir, self.out, self.job.regs);
        let (r, ins, al) = (Ref::from_ins(i), ir.ins[i], out.ins[i]);
        if ins.op == IrOp::Loop {
            for &(v, place) in &out.contract {
                self.reads(place, v)?;
            }
            self.state.clear();
            self.state
                .extend(out.contract.iter().map(|&(v, place)| (place, v)));
            self.parallel(&out.loop_top);
            return Ok(());
        }
        if al.skip || ins.op == IrOp::Sunk {
            return Ok(());
        }
        if plan::is_call(ins, regs) {
            let c = plan::call(ir, r, regs).map_err(|e| e.text().to_owned())?;
            for &(arg, reg) in c.args() {
                self.reads(Place::Reg(reg), arg)?;
            }
            self.clobber(regs.clobbered(ins.op));
        } else {
            self.operands(i)?;
        }
        if ins.op.is_guard() {
            let n = ir.snap_of(r).ok_or("no snapshot")?;
            self.snapshot(n, al.dst)?;
            self.lives_through(n)?;
            if ins.op == IrOp::Poll {
                for root in out.roots.iter().filter(|x| x.snap == n.0) {
                    self.reads(root.places[0], root.val)?;
                    self.reads(root.places[1], root.tag)?;
                }
                self.all_roots(n)?;
            }
        }
        if divides(ir, ins) {
            self.clobber(RegSet::of(regs.quotient).or(RegSet::of(regs.remainder)));
        }
        if ins.op.has_value() {
            if al.dst.is_none() || al.dst.is_fpr() != ins.ty.is_float() {
                return Err(format!("bad result register {:?}", al.dst));
            }
            self.clobber(RegSet::of(al.dst));
            self.state.push((Place::Reg(al.dst), r));
        }
        Ok(())
    }

    fn operands(&self, i: usize) -> Result<(), String> {
        let (ir, out, regs) = (self.job.ir, self.out, self.job.regs);
        let (ins, al) = (ir.ins[i], out.ins[i]);
        let inputs = self.job.plan.inputs(ir, Ref::from_ins(i));
        for (k, &(v, kind)) in inputs.list().iter().enumerate() {
            let q = al.ops[k];
            if q.is_none() {
                if !(v.is_const() && kind == Kind::RegOrConst) {
                    return Err(format!("input {k} has no register"));
                }
                continue;
            }
            self.reads(Place::Reg(q), v)?;
            if q.is_fpr() != ir.ty(v).is_float() {
                return Err(format!("input {k} is in a register of the wrong class"));
            }
            if ins.op.class() == Class::A && q == al.dst {
                return Err("the result destroys an input".into());
            }
            let either = ins.op.is_commutative() && ins.ty != Ty::Float && k < inputs.mem;
            if k > 0 && q == al.dst && q != al.ops[0] && !either {
                return Err(format!("the first operand destroys input {k}"));
            }
            let kept = match plan::division(ir, ins) {
                Some(Division::General) => k == 1,
                Some(Division::Reciprocal) => k == 1 || ins.op == IrOp::IMod,
                _ => false,
            };
            if kept && (q == regs.quotient || q == regs.remainder) {
                return Err(format!("the division destroys input {k}"));
            }
        }
        Ok(())
    }

    /// Every collectable value that is held here is named by snapshot `n` or its roots.
    fn all_roots(&self, n: SnapNo) -> Result<(), String> {
        let (ir, out) = (self.job.ir, self.out);
        let named =
            |r: Ref| plan::names(ir, n, r) || out.roots.iter().any(|x| x.snap == n.0 && x.val == r);
        // what is held and never read again need not be named, so look at what the homes or slots promise only
        for &(r, place) in &out.contract {
            if r.is_ins() && ir.ty(r).is_gc() && !named(r) {
                let invariant = out.phis.iter().all(|p| p.0 != r);
                let in_body = ir.snaps[n.0 as usize].first > ir.loop_ref;
                if invariant && in_body && self.state.contains(&(place, r)) {
                    return Err(format!("{:04x} is no root", r.0));
                }
            }
        }
        Ok(())
    }
}

fn place_of(loc: Loc) -> Option<Place> {
    match loc {
        Loc::Gpr(n) => Some(Place::Reg(Reg::gpr(n))),
        Loc::Fpr(n) => Some(Place::Reg(Reg::fpr(n))),
        Loc::Spill(n) => Some(Place::Slot(n)),
        Loc::None | Loc::Const(_) | Loc::Sunk(_) => None,
    }
}

/// Moves of gap `gap`, which come before position `at` of the list.
fn take_gap(out: &Allocation, at: &mut usize, gap: u32, to: &mut Vec<Move>) {
    to.clear();
    while *at > 0 && out.moves[*at - 1].gap == gap {
        *at -= 1;
        to.push(out.moves[*at].mv);
    }
}
