//! Allocation sinking: an object whose address is only needed to fill it, and by exits, is not made on the trace. Snapshots that name it get a
//! recipe of its contents at that point.
//!
//! **Candidates** are allocations whose address is used for: addresses of stores into the object itself; stores into another object
//! that is sunk; barriers; snapshots; a PHI whose two sides are both such objects. A load that was not forwarded, a guard, a call, a store anywhere else
//! disqualifies. What depends on a disqualified object (being stored into it, sharing a PHI) is disqualified in turn, to a fixpoint.
//!
//! **Loops.** `PHI(p, q)`: an object carried from one iteration to the next. `p` is filled before LOOP only, `q` in the body only, both with the same
//! parts. In the body, parts of `p` are the carried values of what filled it, so each pair of fillings needs a PHI of its own: there is one already,
//! or one is added, or the two are the same constant or invariant; if that is impossible, neither is sunk.
//!
//! (LuaJIT's `lj_opt_sink.c` has the idea; the recipes are ours: LuaJIT's exits walk the IR for the stores.)

use crate::ir::{Filling, Ins, IrBuf, IrOp, Mode, Part, REF_NONE, Recipe, Ref, SnapNo, Ty};

use super::OptCx;

/// A candidate.
struct Object {
    at: Ref,
    ok: bool,
    /// Stores into it, in order: (store, part, whether the payload).
    stores: Vec<(Ref, Part, bool)>,
    /// PHI partner on the right.
    next: Option<usize>,
    /// It is the right side of a PHI.
    is_next: bool,
}

struct Sink<'a> {
    buf: &'a mut IrBuf,
    objects: Vec<Object>,
    /// By instruction: the candidate that it is, or whose address it computes, plus 1.
    owner: Vec<u16>,
    /// By instruction: used in the body, as operand or in a snapshot.
    in_body: Vec<bool>,
    /// PHIs to be added.
    phis: Vec<(Ref, Ref)>,
}

/// Sinks what can be sunk. The result: whether anything was.
#[inline(never)]
pub(super) fn sink(cx: &mut OptCx, buf: &mut IrBuf) -> bool {
    let allocations = [IrOp::TNew, IrOp::TArr, IrOp::CNew, IrOp::FNew];
    if allocations.into_iter().all(|op| buf.last(op).is_none()) {
        return false;
    }
    let n = buf.len();
    let mut s = Sink {
        buf,
        objects: Vec::new(),
        owner: vec![0; n],
        in_body: vec![false; n],
        phis: Vec::new(),
    };
    s.find_objects();
    s.find_body_uses();
    s.settle();
    let sunk = s.objects.iter().filter(|o| o.ok).count();
    if sunk == 0 {
        return false;
    }
    cx.stats.sunk += sunk as u32;
    s.apply();
    true
}

impl Sink<'_> {
    fn looped(&self) -> bool {
        !self.buf.loop_ref.is_none()
    }
    fn is_body(&self, r: Ref) -> bool {
        self.looped() && r > self.buf.loop_ref
    }
    /// The candidate that the ref is.
    fn object(&self, r: Ref) -> Option<usize> {
        let n = self.owner(r)?;
        (self.objects[n].at == r).then_some(n)
    }
    /// The candidate that the ref is or addresses.
    fn owner(&self, r: Ref) -> Option<usize> {
        let n = if r.is_ins() {
            self.owner[r.ins_index()]
        } else {
            0
        };
        n.checked_sub(1).map(usize::from)
    }

    fn disqualify(&mut self, r: Ref) {
        if let Some(n) = self.owner(r) {
            self.objects[n].ok = false;
        }
    }

    /// Finds candidates, their stores, and uses that disqualify.
    fn find_objects(&mut self) {
        use IrOp::*;
        for n in 1..self.buf.len() {
            let r = Ref::from_ins(n);
            let i = self.buf.at(r);
            match i.op {
                TNew | TArr | CNew | FNew => {
                    self.objects.push(Object {
                        at: r,
                        ok: true,
                        stores: Vec::new(),
                        next: None,
                        is_next: false,
                    });
                    self.owner[n] = self.objects.len() as u16;
                }
                TRun | HRef | HTRef | CRef | CTRef | UpAddr | FRef => {
                    self.owner[n] = if i.a.is_ins() {
                        self.owner[i.a.ins_index()]
                    } else {
                        0
                    };
                }
                ARef | ATRef => {
                    self.owner[n] = if i.a.is_ins() {
                        self.owner[i.a.ins_index()]
                    } else {
                        0
                    };
                    if self.buf.int(i.b).is_none() {
                        self.disqualify(r);
                    }
                }
                StV | StB | StW | FSt => self.store(r, i),
                // On the object itself; the value is stored next.
                Bar if self.object(i.a).is_some() => {}
                Phi => self.phi(i),
                _ => {
                    let [ma, mb] = i.op.modes();
                    if ma == Mode::Ref {
                        self.disqualify(i.a);
                    }
                    if mb == Mode::Ref {
                        self.disqualify(i.b);
                    }
                }
            }
        }
    }

    fn store(&mut self, r: Ref, i: Ins) {
        let Some(n) = self.owner(i.a) else {
            // Into something else: the value escapes.
            self.disqualify(i.b);
            return;
        };
        let outside = self.is_body(r) != self.is_body(self.objects[n].at);
        match part(self.buf, i.a) {
            Some(p) if !outside => {
                let payload = matches!(i.op, IrOp::StV | IrOp::FSt);
                self.objects[n].stores.push((r, p, payload));
            }
            _ => {
                self.objects[n].ok = false;
                self.disqualify(i.b);
            }
        }
    }

    fn phi(&mut self, i: Ins) {
        let (Some(p), Some(q)) = (self.object(i.a), self.object(i.b)) else {
            self.disqualify(i.a);
            self.disqualify(i.b);
            return;
        };
        let (x, y) = (self.buf.at(i.a), self.buf.at(i.b));
        let alike = x.op == y.op && x.a == y.a && x.b == y.b;
        if alike && self.is_body(i.b) && !self.objects[q].is_next {
            self.objects[p].next = Some(q);
            self.objects[q].is_next = true;
        } else {
            self.objects[p].ok = false;
            self.objects[q].ok = false;
        }
    }

    fn find_body_uses(&mut self) {
        if !self.looped() {
            return;
        }
        for n in self.buf.loop_ref.ins_index() + 1..self.buf.len() {
            let i = self.buf.ins[n];
            let [ma, mb] = i.op.modes();
            if ma == Mode::Ref && i.a.is_ins() && i.op != IrOp::Phi {
                self.in_body[i.a.ins_index()] = true;
            }
            if mb == Mode::Ref && i.b.is_ins() {
                self.in_body[i.b.ins_index()] = true;
            }
        }
        for s in &self.buf.snaps {
            if s.first > self.buf.loop_ref {
                for e in &self.buf.entries[s.start as usize..s.end as usize] {
                    for r in [e.val, e.tag] {
                        if r.is_ins() {
                            self.in_body[r.ins_index()] = true;
                        }
                    }
                }
            }
        }
        // Operands of addresses and lists from before the loop are used where these are.
        for n in (1..self.buf.loop_ref.ins_index()).rev() {
            let i = self.buf.ins[n];
            let transparent = i.op.class() == crate::ir::Class::R || i.op == IrOp::CArg;
            if transparent && self.in_body[n] {
                let [ma, mb] = i.op.modes();
                for (m, o) in [(ma, i.a), (mb, i.b)] {
                    if m == Mode::Ref && o.is_ins() {
                        self.in_body[o.ins_index()] = true;
                    }
                }
            }
        }
    }

    /// Disqualifies until nothing changes.
    #[inline(never)]
    fn settle(&mut self) {
        loop {
            let mut bad = Vec::new();
            self.phis.clear();
            for n in 0..self.objects.len() {
                let o = &self.objects[n];
                if !o.ok {
                    // What is stored into it escapes.
                    for &(s, _, _) in &o.stores {
                        bad.extend(self.object(self.buf.at(s).b));
                    }
                    continue;
                }
                let first_part = self.looped() && !self.is_body(o.at);
                if o.next.is_some() {
                    if !self.carry(n) {
                        bad.push(n);
                    }
                } else if first_part && self.in_body[o.at.ins_index()] {
                    // From before the model iteration, and invariant: so must be its contents.
                    let carried = o
                        .stores
                        .iter()
                        .any(|&(s, _, _)| self.phi_of(self.buf.at(s).b).is_some());
                    if carried {
                        bad.push(n);
                    }
                }
            }
            for n in 0..self.objects.len() {
                if let Some(q) = self.objects[n].next
                    && self.objects[n].ok != self.objects[q].ok
                {
                    bad.push(n);
                    bad.push(q);
                }
            }
            let mut changed = false;
            for n in bad {
                changed |= std::mem::replace(&mut self.objects[n].ok, false);
            }
            if !changed {
                return;
            }
        }
    }

    /// Right side of the PHI of `r`, present or to be added.
    fn phi_of(&self, r: Ref) -> Option<Ref> {
        if !r.is_ins() {
            return None;
        }
        let mut p = self.buf.last(IrOp::Phi);
        while !p.is_none() {
            let i = self.buf.at(p);
            if i.op == IrOp::Phi && i.a == r {
                return Some(i.b);
            }
            p = i.prev;
        }
        self.phis.iter().find(|p| p.0 == r).map(|p| p.1)
    }

    /// The contents of object `n` can be carried over to those of its partner: adds the PHIs.
    fn carry(&mut self, n: usize) -> bool {
        let Some(q) = self.objects[n].next else {
            return true;
        };
        let end = self.buf.next();
        let (from, to) = (self.contents(n, end), self.contents(q, end));
        if from.len() != to.len() {
            return false;
        }
        for f in from {
            let Some(t) = to.iter().find(|t| t.part == f.part).copied() else {
                return false;
            };
            for (x, y) in [(f.val, t.val), (f.tag, t.tag)] {
                if self.object(x).is_some() || self.object(y).is_some() {
                    // Objects in carried objects are not followed.
                    return false;
                }
                match self.phi_of(x) {
                    Some(b) if b == y => {}
                    Some(_) => return false,
                    // Invariant.
                    None if x == y => {}
                    None if !x.is_ins() || y.is_none() || self.buf.ty(x) != self.buf.ty(y) => {
                        return false;
                    }
                    // A value that the body uses without PHI is invariant: it cannot be carried as well.
                    None if self.in_body[x.ins_index()] || self.is_body(x) => return false,
                    None => {
                        if y.is_ins()
                            && !self.is_body(y)
                            && self.phi_of(y).is_none()
                            && self.variant(y)
                        {
                            return false;
                        }
                        self.phis.push((x, y));
                    }
                }
            }
        }
        true
    }

    /// A value from before the loop that the body does not use: whether it changes is unknown.
    fn variant(&self, r: Ref) -> bool {
        !self.in_body[r.ins_index()]
    }

    /// What is in the object before the instruction `until`.
    fn contents(&self, n: usize, until: Ref) -> Vec<Filling> {
        let mut out: Vec<Filling> = Vec::new();
        for &(s, part, payload) in &self.objects[n].stores {
            if s >= until {
                break;
            }
            let i = self.buf.at(s);
            let k = match out.iter().position(|f| f.part == part) {
                Some(k) => k,
                None => {
                    out.push(Filling {
                        part,
                        val: REF_NONE,
                        tag: REF_NONE,
                    });
                    out.len() - 1
                }
            };
            if payload {
                out[k].val = i.b;
            } else {
                out[k].tag = i.b;
                if self.buf.tag(i.b).is_some_and(|t| Ty::of_tag(t).is_prim()) {
                    out[k].val = REF_NONE;
                }
            }
        }
        out
    }

    #[inline(never)]
    fn apply(&mut self) {
        // Recipes first: they need the stores.
        for k in 0..self.buf.snaps.len() {
            let s = self.buf.snaps[k].clone();
            let mut found: Vec<usize> = Vec::new();
            for e in s.start..s.end {
                self.reach(self.buf.entries[e as usize].val, s.first, &mut found);
            }
            found.sort_unstable();
            for n in found {
                let start = self.buf.fillings.len() as u32;
                let contents = self.contents(n, s.first);
                self.buf.fillings.extend(contents);
                let end = self.buf.fillings.len() as u32;
                self.buf.recipes.push(Recipe {
                    snap: SnapNo(k as u16),
                    object: self.objects[n].at,
                    start,
                    end,
                });
            }
        }
        for n in 1..self.buf.len() {
            let r = Ref::from_ins(n);
            let i = self.buf.at(r);
            let sunk = |s: &Self, r: Ref| s.owner(r).is_some_and(|o| s.objects[o].ok);
            let dead = match i.op {
                IrOp::StV | IrOp::StB | IrOp::StW | IrOp::FSt | IrOp::Phi => sunk(self, i.a),
                // the store behind it may have been a dead one
                IrOp::Bar => sunk(self, i.a) || sunk(self, i.b),
                IrOp::TNew | IrOp::TArr | IrOp::CNew | IrOp::FNew => false,
                _ => sunk(self, r),
            };
            if dead {
                self.buf.kill(r);
            }
        }
        for o in self.objects.iter().filter(|o| o.ok) {
            self.buf.sink(o.at);
        }
        for k in 0..self.phis.len() {
            let (a, b) = self.phis[k];
            let ty = self.buf.ty(a);
            self.buf.push(Ins::new(IrOp::Phi, ty, a, b));
        }
    }

    /// Adds the sunk object that `r` is, and those in it.
    fn reach(&self, r: Ref, until: Ref, found: &mut Vec<usize>) {
        let Some(n) = self.object(r) else { return };
        if !self.objects[n].ok || found.contains(&n) {
            return;
        }
        found.push(n);
        for f in self.contents(n, until) {
            self.reach(f.val, until, found);
        }
    }
}

/// The part of its object that an address denotes.
fn part(buf: &IrBuf, addr: Ref) -> Option<Part> {
    let i = buf.at(addr);
    let literal = i.lit_b();
    Some(match i.op {
        IrOp::HRef | IrOp::HTRef => Part::Slot(literal),
        IrOp::ARef => Part::Elem(u16::try_from(buf.int(i.b)?).ok()?),
        IrOp::ATRef => Part::Elem(u16::try_from(!buf.int(i.b)?).ok()?),
        IrOp::CRef | IrOp::CTRef => Part::Cell,
        IrOp::UpAddr => Part::Upvalue(literal),
        IrOp::FRef => Part::Field(literal),
        _ => return None,
    })
}
