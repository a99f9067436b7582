//! Loops whose body side traces may enter: what they have to bring along, and what must not have changed.
//!
//! A body takes over values from before LOOP and relies on what the first part has found: hoisted guards, loads, and the form of carried values (that `i` and
//! `i + 1` differ, a range). For a body that others enter the pass takes care that this is little enough to be said, and to be proved by them:
//!
//! - *Carried values* are those of slots, each under a name of its own, a COPY right before LOOP. A COPY has no form, no guard of the first part is
//!   about it, and no address of the first part is made from it. So nothing is known of it but its type, and a slot's value of that type will do.
//! - *Everything else* is invariant: made from constants, from slots that the loop does not change and from memory that it has loaded. Who enters has these values from the
//!   exit of the body that it began with. They, and all guards about them, stay true as long as those slots and that kind of memory ([`Reentry::relies_on`]) are left alone.
//! - *Stores* of the first part are not looked at by loads of the body (`OptCx::entered`), as such a place may hold something else on the other way.
//!
//! A loop in which that would take more instructions than looking across LOOP freely stays closed ([`super::loops`]).

use crate::ir::{Effect, FactKind, FieldId, Ins, IrBuf, IrOp, REF_NONE, Ref};

use super::alias::{self, Mem};
use super::{Carried, memory};

/// What is asked of those that enter the body of a loop at LOOP. BASE is that of the loop, and no other frame is above it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Reentry {
    /// Slots that change. Payloads and tags that are instructions are COPYs right before LOOP; the others are the same constants in each iteration.
    /// Memory has what is not dirty.
    pub carried: Vec<Carried>,
    /// Other slots that the loop has looked at.
    pub slots: Vec<i16>,
    /// Memory that it has loaded from, fields of objects excepted.
    mem: Vec<Mem>,
    /// Fields of objects that it has loaded, except eternal ones.
    fields: Vec<FieldId>,
}

impl Reentry {
    /// Notes the load `i`, which the body need not do again.
    fn rely(&mut self, buf: &IrBuf, i: &Ins) {
        match (i.op, memory::mem_of_load(buf, i)) {
            (_, Mem::Field(FactKind::Eternal)) => {}
            (IrOp::SLoad | IrOp::SLoadT, _) => {
                if !self.slots.contains(&i.slot()) {
                    self.slots.push(i.slot());
                }
            }
            (IrOp::FLd, m) => match alias::field(i.b) {
                Some(f) if !self.fields.contains(&f) => self.fields.push(f),
                Some(_) => {}
                None => self.mem.push(m),
            },
            (_, m) if !self.mem.contains(&m) => self.mem.push(m),
            _ => {}
        }
    }

    /// Memory that the body relies on, of which the effects of `i` say that they change it. (Slots are for the caller to look at.)
    fn is_killed_by(&self, e: Effect) -> bool {
        self.mem.iter().any(|&m| alias::kills(e, m))
            || self
                .fields
                .iter()
                .any(|f| alias::kills(e, Mem::Field(f.info().kind)))
    }

    /// Whether the body relies on something that `i`, an instruction of another trace, may change.
    pub fn relies_on(&self, buf: &IrBuf, i: &Ins) -> bool {
        use IrOp::*;
        match i.op {
            // frames, threads, slots that are numbered otherwise
            XOp | XOpQ | XOpR | RetF | CoEnter | CoLeave | SetTail | STop => true,
            Call | CallN | CallL => {
                let e = alias::effect_of(i);
                e.has(Effect::RUNS_LUA) || self.is_killed_by(e)
            }
            StV | StB | StW => {
                let m = alias::mem_of_address(buf, i.a);
                self.mem.iter().any(|&r| r == m || r == Mem::Any)
            }
            FSt => {
                let f = alias::field(buf.at(i.a).b);
                f.is_none_or(|f| self.fields.contains(&f)) || self.mem.contains(&Mem::Any)
            }
            _ => false,
        }
    }
}

/// The loop whose model is `buf` from `start` to `end`, the only part of the trace that has been recorded, may get a body that others enter: it branches, leaves
/// the stack to exits, and makes nothing that it carries along.
pub(super) fn is_open(buf: &IrBuf, start: Ref, end: Ref, carried: &[Carried]) -> bool {
    use IrOp::*;
    let closed = buf.ins[1..end.ins_index()].iter().any(|i| match i.op {
        XOp | XOpQ | XOpR | RetF | CoEnter | CoLeave | SetTail | STop => true,
        SSt | SStT | SStW | PVal => true,
        Call => alias::effect_of(i).has(Effect::RUNS_LUA),
        _ => false,
    });
    // the loop's own test is one
    let branches = buf
        .snaps
        .iter()
        .filter(|s| s.first >= start && s.first < end && s.decided);
    let made = |c: &Carried| c.val.is_ins() && buf.at(c.val).op.class() == crate::ir::Class::A;
    !closed && branches.count() > 1 && !carried.iter().any(made)
}

/// What a body relies on that has been emitted with carried values under the names in `carried`. `image`: as in [`super::loops`]. None: on more than others can prove.
pub(super) fn of(
    buf: &IrBuf,
    carried: Vec<Carried>,
    image: &dyn Fn(Ref) -> Ref,
) -> Option<Reentry> {
    let named = |r: Ref| carried.iter().any(|c| c.val == r || c.tag == r);
    let mut phi = buf.last(IrOp::Phi);
    while !phi.is_none() {
        let i = buf.at(phi);
        if i.op == IrOp::Phi && !named(i.a) {
            return None;
        }
        phi = i.prev;
    }
    let mut found = Reentry {
        carried,
        ..Reentry::default()
    };
    for n in 1..buf.loop_ref.ins_index() {
        let (r, i) = (Ref::from_ins(n), buf.ins[n]);
        let slot = matches!(i.op, IrOp::SLoad | IrOp::SLoadT);
        if slot && found.carried.iter().any(|c| c.slot == i.slot()) {
            continue;
        }
        if i.op.class() == crate::ir::Class::L && image(r) == r {
            found.rely(buf, &i);
        }
    }
    debug_assert!(buf.loop_ref != REF_NONE);
    Some(found)
}
