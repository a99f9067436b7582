//! The backward walk; see the module above.

use std::cell::Cell;

use super::plan::{self, CallPlan, Division, Kind, Plan};
use super::*;
use crate::abort::Abort;
use crate::ir::{Class, Ins, IrBuf, IrOp, REF_BIAS, SnapNo, Ty};
use crate::loc::{Inherited, Link, Loc, SPILL_SLOTS};

/// What is to be allocated.
#[derive(Clone, Copy, Debug)]
pub struct Job<'a> {
    /// The trace.
    pub ir: &'a IrBuf,
    /// Its memory operands.
    pub plan: &'a Plan,
    /// The target.
    pub regs: &'a RegInfo,
    /// How it ends.
    pub link: Link,
    /// Places of inherited values, by PVAL number.
    pub inherited: &'a [Inherited],
    /// Spill slots below this one are the parent's.
    pub parent_spills: u16,
    /// For [`Link::Body`]: values and where they have to be at the end.
    pub reenter: &'a [(Ref, Loc)],
    /// For tests: not 0, registers are chosen at random, and this is the seed.
    pub random: u32,
}

/// No spill slot.
pub(super) const NO_SLOT: u16 = u16::MAX;
/// No value.
pub(super) const NO_VALUE: u16 = u16::MAX;
/// Walks over a loop's body, at most.
pub(super) const MAX_WALKS: u32 = 4;

/// A bit for each spill slot.
#[derive(Clone, Copy, Default)]
pub(super) struct SlotSet([u64; (SPILL_SLOTS as usize).div_ceil(64)]);

impl SlotSet {
    fn add(&mut self, n: u16) {
        self.0[n as usize / 64] |= 1 << (n % 64);
    }
    fn remove(&mut self, n: u16) {
        self.0[n as usize / 64] &= !(1 << (n % 64));
    }
    fn or(self, o: SlotSet) -> SlotSet {
        SlotSet(std::array::from_fn(|i| self.0[i] | o.0[i]))
    }
    /// The lowest one that is not in it.
    fn first_free(self) -> Option<u16> {
        (0..SPILL_SLOTS as u16).find(|n| self.0[*n as usize / 64] >> (n % 64) & 1 == 0)
    }
}

/// A phi during allocation.
pub(super) struct PhiState {
    pub(super) left: Ref,
    pub(super) right: Ref,
    /// Where the right side is at the back edge.
    pub(super) end: Place,
}

pub(super) struct Walk<'a> {
    pub(super) job: Job<'a>,
    pub(super) ir: &'a IrBuf,
    /// Subtracted from a ref to get its value number: constants first, then instructions.
    pub(super) low: u16,
    /// By value number.
    pub(super) reg: Vec<Reg>,
    pub(super) slot: Vec<u16>,
    pub(super) hint: Vec<Reg>,
    /// Value number in each register.
    pub(super) occupant: [u16; 64],
    pub(super) free: RegSet,
    /// Slots that hold something here.
    pub(super) busy: SlotSet,
    /// Slots that fell free while the open snapshot may name them.
    pub(super) blocked: SlotSet,
    /// Slots used anywhere in the body.
    pub(super) body_slots: SlotSet,
    /// The body is walked: values from before LOOP must keep their slots to themselves.
    pub(super) in_body: bool,
    /// Index of LOOP, or the number of instructions.
    pub(super) loop_at: usize,
    pub(super) open_snap: Option<SnapNo>,
    /// What lives through everything that is walked, and where the open snapshot's places of it begin.
    pub(super) through: Vec<Ref>,
    pub(super) through_at: usize,
    /// Registers in which values only get past the present instruction, and the moves that take them from there.
    pub(super) passing: Vec<(Reg, usize)>,
    pub(super) phis: Vec<PhiState>,
    /// What is alive at LOOP and in which register (none: in its slot only).
    pub(super) homes: Vec<(u16, Reg)>,
    /// See [`Job::random`].
    random: Cell<u32>,
    pub(super) out: Allocation,
}

/// Allocates registers and spill slots.
///
/// Fails with [`Abort::Registers`] if spill slots run out, with [`Abort::Internal`] if the IR breaks its rules.
pub fn allocate(job: &Job<'_>) -> Result<Allocation, Abort> {
    let ir = job.ir;
    let values = ir.konsts.len() + ir.len();
    let mut w = Walk {
        job: *job,
        ir,
        low: REF_BIAS - ir.konsts.len() as u16,
        reg: vec![Reg::NONE; values],
        slot: vec![NO_SLOT; values],
        hint: vec![Reg::NONE; values],
        occupant: [NO_VALUE; 64],
        free: job.regs.allocatable,
        busy: SlotSet::default(),
        blocked: SlotSet::default(),
        body_slots: SlotSet::default(),
        in_body: false,
        loop_at: ir.len(),
        open_snap: None,
        through: Vec::new(),
        through_at: 0,
        passing: Vec::new(),
        phis: Vec::new(),
        homes: Vec::new(),
        random: Cell::new(job.random),
        out: Allocation {
            ins: vec![InsAlloc::NONE; ir.len()],
            snaps: vec![[Place::None; 2]; ir.entries.len()],
            fillings: vec![[Place::None; 2]; ir.fillings.len()],
            snap_used: vec![false; ir.snaps.len()],
            spills: job.parent_spills,
            ..Allocation::default()
        },
    };
    w.run()?;
    Ok(w.out)
}

impl Walk<'_> {
    fn run(&mut self) -> Result<(), Abort> {
        let n = self.ir.len();
        self.first_hints();
        self.reset();
        if self.ir.loop_ref.is_none() {
            match self.job.link {
                Link::Exit => {
                    let last = self.ir.snaps.len().checked_sub(1).ok_or(Abort::Internal)?;
                    self.snapshot(SnapNo(last as u16), RegSet::EMPTY)?;
                }
                Link::Body { .. } => self.reenter()?,
                Link::Loop => return Err(Abort::Internal),
                Link::Return { call: r, .. } | Link::Event(r) => {
                    self.out.ret = self.allocate(n, r, RegSet::EMPTY, Reg::NONE)?;
                }
                Link::Entry { .. } | Link::SelfEntry { .. } | Link::Resume { .. } => {}
            }
            self.walk(0, n)?;
        } else if self.job.link != Link::Loop {
            return Err(Abort::Internal);
        } else {
            self.loop_at = self.ir.loop_ref.ins_index();
            self.loop_body(n)?;
            self.in_body = false;
            self.through.clear();
            self.walk(0, self.loop_at)?;
        }
        self.head()
    }

    // ---- value numbers ----

    pub(super) fn number(&self, r: Ref) -> usize {
        (r.0 - self.low) as usize
    }
    pub(super) fn value(&self, number: usize) -> Ref {
        Ref(number as u16 + self.low)
    }
    pub(super) fn is_float(&self, r: Ref) -> bool {
        self.ir.ty(r).is_float()
    }
    pub(super) fn reg_of(&self, r: Ref) -> Reg {
        self.reg[self.number(r)]
    }
    pub(super) fn slot_of(&self, r: Ref) -> Option<u16> {
        let s = self.slot[self.number(r)];
        (s != NO_SLOT).then_some(s)
    }
    /// Where `r` is here, if it is alive.
    pub(super) fn place(&self, r: Ref) -> Option<Place> {
        let reg = self.reg_of(r);
        if !reg.is_none() {
            Some(Place::Reg(reg))
        } else if r.is_const() {
            Some(Place::Const(r))
        } else {
            self.slot_of(r).map(Place::Slot)
        }
    }

    // ---- registers ----

    /// The register `q` holds `r` above this point.
    pub(super) fn take(&mut self, r: Ref, q: Reg) {
        debug_assert!(self.free.has(q) && self.reg_of(r).is_none());
        let v = self.number(r);
        self.reg[v] = q;
        self.occupant[q.0 as usize] = v as u16;
        self.free.remove(q);
    }
    pub(super) fn release(&mut self, q: Reg) {
        let v = self.occupant[q.0 as usize];
        self.reg[v as usize] = Reg::NONE;
        self.occupant[q.0 as usize] = NO_VALUE;
        self.free.add(q);
    }
    /// One of them, whichever.
    fn any_of(&self, mut set: RegSet) -> Option<Reg> {
        let next = self
            .random
            .get()
            .wrapping_mul(1_664_525)
            .wrapping_add(1_013_904_223);
        self.random.set(next);
        let n = (next >> 8).checked_rem(set.len())?;
        set.nth(n as usize)
    }
    /// The best free register of the class among `allowed`.
    pub(super) fn pick(&self, float: bool, allowed: RegSet, hints: [Reg; 2]) -> Option<Reg> {
        let avail = self.free.and(allowed).and(RegSet::class(float));
        if self.job.random != 0 {
            return self.any_of(avail);
        }
        if let Some(h) = hints.into_iter().find(|h| avail.has(*h)) {
            return Some(h);
        }
        avail
            .minus(self.job.regs.callee_saved)
            .first()
            .or(avail.first())
    }
    /// A register for `r` above instruction `i`, not one of `not`; takes it from another value if need be.
    fn allocate(&mut self, i: usize, r: Ref, not: RegSet, hint: Reg) -> Result<Reg, Abort> {
        let float = self.is_float(r);
        let own = self.hint[self.number(r)];
        let q = match self.pick(float, self.job.regs.allocatable.minus(not), [hint, own]) {
            Some(q) => q,
            None => self.evict(i, float, not)?,
        };
        self.take(r, q);
        Ok(q)
    }
    /// Frees a register above instruction `i`: the cheapest one to reload, then the one whose value was defined first.
    fn evict(&mut self, i: usize, float: bool, not: RegSet) -> Result<Reg, Abort> {
        let candidates = self
            .job
            .regs
            .allocatable
            .and(RegSet::class(float))
            .minus(not)
            .minus(self.free);
        if self.job.random != 0 {
            let q = self.any_of(candidates).ok_or(Abort::Internal)?;
            self.evict_from(i, q)?;
            return Ok(q);
        }
        let q = candidates
            .min_by_key(|q| {
                let v = self.occupant[q.0 as usize] as usize;
                let r = self.value(v);
                let rank = if r.is_const() {
                    0
                } else if self.slot[v] != NO_SLOT || self.is_invariant(r) {
                    1
                } else {
                    2
                };
                (rank, v)
            })
            .ok_or(Abort::Internal)?;
        self.evict_from(i, q)?;
        Ok(q)
    }
    /// The value in `q` is elsewhere above instruction `i` and is reloaded behind it.
    fn evict_from(&mut self, i: usize, q: Reg) -> Result<(), Abort> {
        let r = self.value(self.occupant[q.0 as usize] as usize);
        let src = if r.is_const() {
            Place::Const(r)
        } else {
            Place::Slot(self.need_slot(r)?)
        };
        self.release(q);
        // a value that came here only to get past instruction `i` goes on from its new place
        match self.passing.iter().find(|p| p.0 == q) {
            Some(&(_, k)) => self.out.moves[k].mv.src = src,
            None => self.after(i, Place::Reg(q), src),
        }
        Ok(())
    }
    /// As [`Walk::evict_from`], but to another register if one of `allowed` is free.
    fn move_from(&mut self, i: usize, q: Reg, allowed: RegSet) -> Result<(), Abort> {
        let r = self.value(self.occupant[q.0 as usize] as usize);
        if r.is_ins()
            && let Some(p) = self.pick(q.is_fpr(), allowed, [self.hint[self.number(r)], Reg::NONE])
        {
            self.release(q);
            self.take(r, p);
            self.passing.push((p, self.out.moves.len()));
            self.after(i, Place::Reg(q), Place::Reg(p));
            return Ok(());
        }
        self.evict_from(i, q)
    }
    fn after(&mut self, i: usize, dst: Place, src: Place) {
        self.out.moves.push(GapMove {
            gap: 2 * i as u32 + 1,
            mv: Move { dst, src },
        });
    }
    fn before(&mut self, i: usize, dst: Place, src: Place) {
        self.out.moves.push(GapMove {
            gap: 2 * i as u32,
            mv: Move { dst, src },
        });
    }

    // ---- spill slots ----

    /// Does not change in the loop whose body is walked.
    pub(super) fn is_invariant(&self, r: Ref) -> bool {
        self.in_body && self.is_outer(r) && self.phis.iter().all(|p| p.left != r)
    }
    /// Defined before LOOP.
    pub(super) fn is_outer(&self, r: Ref) -> bool {
        !r.is_ins() || r.ins_index() < self.loop_at
    }
    pub(super) fn need_slot(&mut self, r: Ref) -> Result<u16, Abort> {
        if let Some(s) = self.slot_of(r) {
            return Ok(s);
        }
        let v = self.number(r);
        let slot = match self.inherited_slot(r) {
            Some(s) => s,
            None => {
                let mut taken = self.busy.or(self.blocked);
                if self.in_body && self.is_outer(r) {
                    taken = taken.or(self.body_slots);
                }
                taken.first_free().ok_or(Abort::Registers)?
            }
        };
        self.slot[v] = slot;
        self.busy.add(slot);
        if self.in_body {
            self.body_slots.add(slot);
        }
        self.out.spills = self.out.spills.max(slot + 1);
        Ok(slot)
    }
    fn free_slot(&mut self, r: Ref) {
        let v = self.number(r);
        let slot = std::mem::replace(&mut self.slot[v], NO_SLOT);
        if slot != NO_SLOT && slot >= self.job.parent_spills {
            self.busy.remove(slot);
            if self.open_snap.is_some() {
                self.blocked.add(slot);
            }
        }
    }
    /// The parent's slot that holds the inherited value `r`, if nothing else comes to be there.
    pub(super) fn inherited_slot(&self, r: Ref) -> Option<u16> {
        if !r.is_ins() || self.ir.at(r).op != IrOp::PVal || self.phis.iter().any(|p| p.left == r) {
            return None;
        }
        match self.job.inherited.get(self.ir.at(r).lit_a() as usize) {
            Some(Inherited {
                loc: Loc::Spill(n), ..
            }) => Some(*n),
            _ => None,
        }
    }

    // ---- the walk ----

    /// Forgets everything that a walk has found.
    pub(super) fn reset(&mut self) {
        self.reg.fill(Reg::NONE);
        self.slot.fill(NO_SLOT);
        self.occupant = [NO_VALUE; 64];
        self.free = self.job.regs.allocatable;
        self.busy = SlotSet::default();
        for n in 0..self.job.parent_spills {
            self.busy.add(n);
        }
        self.blocked = SlotSet::default();
        self.body_slots = SlotSet::default();
        self.open_snap = None;
        self.out.moves.clear();
        self.out.roots.clear();
        self.out.through.clear();
        self.out.spills = self.job.parent_spills;
    }

    /// Registers that values are made in or have to get to.
    fn first_hints(&mut self) {
        let regs = self.job.regs;
        for (i, &ins) in self.ir.ins.iter().enumerate() {
            let r = Ref::from_ins(i);
            let hint = match ins.op {
                _ if plan::is_call(ins, regs) => {
                    if ins.ty.is_float() {
                        regs.float_ret
                    } else {
                        regs.ret
                    }
                }
                IrOp::IDiv => regs.quotient,
                IrOp::IMod => regs.remainder,
                IrOp::PVal => match self.job.inherited.get(ins.lit_a() as usize).map(|h| h.loc) {
                    Some(Loc::Gpr(n)) => Reg::gpr(n),
                    Some(Loc::Fpr(n)) => Reg::fpr(n),
                    _ => continue,
                },
                _ => continue,
            };
            let v = self.number(r);
            self.hint[v] = hint;
        }
    }

    pub(super) fn walk(&mut self, from: usize, to: usize) -> Result<(), Abort> {
        for i in (from..to).rev() {
            self.step(i)?;
        }
        Ok(())
    }

    fn step(&mut self, i: usize) -> Result<(), Abort> {
        let (r, ins) = (Ref::from_ins(i), self.ir.ins[i]);
        if let Some(n) = self.open_snap
            && r < self.ir.snaps[n.0 as usize].first
        {
            self.open_snap = None;
            self.blocked = SlotSet::default();
        }
        self.passing.clear();
        self.out.ins[i] = InsAlloc::NONE;
        match ins.op {
            IrOp::Base | IrOp::Nop | IrOp::Loop | IrOp::Phi | IrOp::CArg => return Ok(()),
            IrOp::Sunk => {
                self.out.ins[i].skip = ins.lit_b() == 0;
                return Ok(());
            }
            _ if ins.op.class() == Class::R || self.job.plan.fused[i] => return Ok(()),
            _ => {}
        }
        let dead = ins.op.has_value() && self.place(r).is_none();
        // dead allocations are removed by the optimiser, which has their bytes charged
        let removable = matches!(ins.op.class(), Class::N | Class::L | Class::X);
        if dead && removable {
            return Ok(());
        }
        if ins.op == IrOp::PVal {
            return self.pval(r, ins);
        }
        self.out.ins[i].skip = false;
        if plan::is_call(ins, self.job.regs) {
            return self.call(i, r, ins);
        }
        let dst = self.define(i, r, ins)?;
        self.out.ins[i].dst = dst;
        let division = divides(self.ir, ins);
        let mut clobbered = RegSet::EMPTY;
        if division {
            clobbered.add(self.job.regs.quotient);
            clobbered.add(self.job.regs.remainder);
            let elsewhere = self
                .job
                .regs
                .allocatable
                .minus(clobbered)
                .minus(RegSet::of(dst));
            for q in clobbered.minus(self.free) {
                self.move_from(i, q, elsewhere)?;
            }
        }
        self.inputs(i, r, ins, dst, clobbered)?;
        if ins.op.is_guard() {
            let snap = self.ir.snap_of(r).ok_or(Abort::Internal)?;
            self.snapshot(snap, RegSet::of(dst))?;
            if ins.op == IrOp::Poll {
                self.roots(snap)?;
            }
        }
        Ok(())
    }

    /// The register in which `r` is defined; it is free above. Stores it to its spill slot, if it has one.
    fn define(&mut self, i: usize, r: Ref, ins: Ins) -> Result<Reg, Abort> {
        if !ins.op.has_value() {
            return Ok(Reg::NONE);
        }
        let mut q = self.reg_of(r);
        if q.is_none() {
            q = self.allocate(i, r, RegSet::EMPTY, Reg::NONE)?;
        }
        self.release(q);
        if let Some(s) = self.slot_of(r) {
            self.after(i, Place::Slot(s), Place::Reg(q));
            self.free_slot(r);
        }
        Ok(q)
    }

    fn inputs(
        &mut self,
        i: usize,
        r: Ref,
        ins: Ins,
        dst: Reg,
        clobbered: RegSet,
    ) -> Result<(), Abort> {
        let inputs = self.job.plan.inputs(self.ir, r);
        let mut pinned = RegSet::EMPTY;
        if matches!(ins.op.class(), Class::A) {
            pinned.add(dst); // written before the inputs are read
        }
        for (k, &(v, _)) in inputs.list().iter().enumerate() {
            let q = self.reg_of(v);
            self.out.ins[i].ops[k] = q;
            pinned.add(q);
        }
        for (k, &(v, kind)) in inputs.list().iter().enumerate() {
            if !self.out.ins[i].ops[k].is_none() {
                continue;
            }
            let known = self.reg_of(v); // the same value twice
            if !known.is_none() {
                self.out.ins[i].ops[k] = known;
                continue;
            }
            let mut not = pinned;
            let mut hint = Reg::NONE;
            if k == 0 {
                hint = dst;
                // read again after the division
                let again = inputs.list()[1..].iter().any(|o| o.0 == v);
                let reciprocal = plan::division(self.ir, ins) == Some(Division::Reciprocal);
                if again || (reciprocal && ins.op == IrOp::IMod) {
                    not = not.or(clobbered);
                }
            } else {
                let either = ins.op.is_commutative() && ins.ty != Ty::Float && k < inputs.mem;
                if either {
                    hint = dst;
                } else if inputs.list()[0].0 != v {
                    not.add(dst); // the first operand is moved there before this one is read
                }
                if matches!(ins.op, IrOp::Shl | IrOp::Shr | IrOp::Sar) {
                    hint = self.job.regs.shift_count;
                }
                not = not.or(clobbered);
            }
            if v.is_const() && kind == Kind::RegOrConst {
                // a large constant is better in a register, if there is one to spare
                let bits = self.ir.konsts[v.const_index()].bits as i64;
                let float = self.is_float(v);
                if float || ins.op == IrOp::Copy || (self.job.regs.immediate)(bits) {
                    continue;
                }
                let allowed = self.job.regs.allocatable.minus(not);
                if let Some(q) = self.pick(float, allowed, [Reg::NONE; 2]) {
                    self.take(v, q);
                    self.out.ins[i].ops[k] = q;
                    pinned.add(q);
                }
                continue;
            }
            let q = self.allocate(i, v, not, hint)?;
            self.out.ins[i].ops[k] = q;
            pinned.add(q);
        }
        Ok(())
    }

    // ---- calls ----

    fn call(&mut self, i: usize, r: Ref, ins: Ins) -> Result<(), Abort> {
        let regs = self.job.regs;
        let c = plan::call(self.ir, r, regs)?;
        if ins.op.has_value() {
            let ret = if c.float { regs.float_ret } else { regs.ret };
            self.out.ins[i].dst = ret;
            let q = self.reg_of(r);
            if !q.is_none() {
                self.release(q);
                if q != ret {
                    self.after(i, Place::Reg(q), Place::Reg(ret));
                }
            }
            if let Some(s) = self.slot_of(r) {
                self.after(i, Place::Slot(s), Place::Reg(ret));
                self.free_slot(r);
            }
        }
        let clobbered = regs.clobbered(ins.op);
        for q in clobbered.minus(self.free) {
            self.move_from(i, q, regs.callee_saved.minus(clobbered))?;
        }
        self.arguments(i, &c)
    }

    fn arguments(&mut self, i: usize, c: &CallPlan) -> Result<(), Abort> {
        for &(arg, reg) in c.args() {
            if self.place(arg).is_none() {
                if self.free.has(reg) {
                    self.take(arg, reg);
                } else {
                    // the argument's register is that of another one already
                    let all = self.job.regs.allocatable;
                    match self.pick(self.is_float(arg), all, [Reg::NONE; 2]) {
                        Some(q) => self.take(arg, q),
                        None => {
                            self.need_slot(arg)?;
                        }
                    }
                }
            }
            let src = self.place(arg).ok_or(Abort::Internal)?;
            if src != Place::Reg(reg) {
                self.before(i, Place::Reg(reg), src);
            }
        }
        Ok(())
    }

    // ---- head ----

    /// An inherited value that the trace uses.
    fn pval(&mut self, r: Ref, ins: Ins) -> Result<(), Abort> {
        let inherited = self.job.inherited.get(ins.lit_a() as usize);
        let src = place_of(inherited.ok_or(Abort::Internal)?.loc)?;
        let q = self.reg_of(r);
        if !q.is_none() {
            self.out.head.push(Move {
                dst: Place::Reg(q),
                src,
            });
            self.release(q);
        }
        if let Some(s) = self.slot_of(r) {
            self.out.head.push(Move {
                dst: Place::Slot(s),
                src,
            });
            // not reused: all inherited values come to be at the same time
        }
        Ok(())
    }

    /// What is in registers at the head is constants.
    fn head(&mut self) -> Result<(), Abort> {
        for q in self.job.regs.allocatable.minus(self.free) {
            let r = self.value(self.occupant[q.0 as usize] as usize);
            if !r.is_const() {
                return Err(Abort::Internal);
            }
            self.out.head.push(Move {
                dst: Place::Reg(q),
                src: Place::Const(r),
            });
        }
        self.out.head.retain(|m| m.dst != m.src);
        Ok(())
    }
}

/// Register or spill slot.
pub(super) fn place_of(loc: Loc) -> Result<Place, Abort> {
    match loc {
        Loc::Gpr(n) => Ok(Place::Reg(Reg::gpr(n))),
        Loc::Fpr(n) => Ok(Place::Reg(Reg::fpr(n))),
        Loc::Spill(n) => Ok(Place::Slot(n)),
        Loc::None | Loc::Const(_) | Loc::Sunk(_) => Err(Abort::Internal),
    }
}

/// Destroys the registers of divisions.
pub fn divides(ir: &IrBuf, ins: Ins) -> bool {
    plan::division(ir, ins).is_some_and(|d| d != Division::Power)
}
