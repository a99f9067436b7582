//! Loops whose body side traces may enter: what they have to bring along, and what must not have changed.
//!
//! A body takes over values from before LOOP and relies on what the first part has found: hoisted guards, loads, and the form of carried values (that `i` and
//! `i + 1` differ, a range). For a body that others enter the pass takes care that this is little enough to be said, and to be proved by them:
//!
//! - *Carried values* are those of slots, each under a name of its own, a COPY right before LOOP. A COPY has no form, no guard of the first part is
//!   about it, and no address of the first part is made from it. So nothing is known of it but its type, and a slot's value of that type will do.
//! - *Everything else* is invariant: made from constants, from slots that the loop does not change and from memory that it has loaded. Who enters has these values from the
//!   exit of the body that it began with. They, and all guards about them, stay true as long as those slots and that kind of memory ([`Reentry::relies_on`]) are left alone.
//! - *Bounds* of a variable that guards before the loop have checked ([`super::range`]) hold for all values that it runs through, so only the variable of a numeric `for` may have them: its slot
//!   takes no other values, whatever way (`OptCx::index`).
//! - *Stores* of the first part are not looked at by loads of the body (`OptCx::entered`), as such a place may hold something else on the other way.
//!
//! A loop in which that would take more instructions than looking across LOOP freely stays closed ([`super::loops`]).

use std::fmt;

use crate::ir::{Class, Effect, FactKind, FieldId, Ins, IrBuf, IrOp, REF_NONE, Ref};

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

fn note<T: PartialEq>(all: &mut Vec<T>, one: T) {
    if !all.contains(&one) {
        all.push(one);
    }
}

impl Reentry {
    /// Notes the load `i`, which the body need not do again.
    fn rely(&mut self, buf: &IrBuf, i: &Ins) {
        let mem = memory::mem_of_load(buf, i);
        let field = alias::field(i.b).filter(|_| i.op == IrOp::FLd);
        if mem == Mem::Field(FactKind::Eternal) {
        } else if matches!(i.op, IrOp::SLoad | IrOp::SLoadT) {
            note(&mut self.slots, i.slot());
        } else if let Some(f) = field {
            note(&mut self.fields, f);
        } else {
            note(&mut self.mem, mem);
        }
    }

    /// Whoever enters the body finds by the load `i` what the loop has found.
    pub(super) fn keeps(&self, buf: &IrBuf, i: &Ins) -> bool {
        let field = alias::field(i.b).filter(|_| i.op == IrOp::FLd);
        match (memory::mem_of_load(buf, i), field) {
            (Mem::Slot, _) => self.slots.contains(&i.slot()),
            (_, Some(f)) => self.fields.contains(&f),
            (mem, None) => self.mem.contains(&mem),
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
        // nobody else knows an object that the trace itself makes
        let own = |at: Ref| {
            let o = alias::owner(buf, buf.at(at).a);
            o.is_ins() && buf.at(o).op.class() == Class::A
        };
        match i.op {
            StV | StB | StW | FSt if own(i.a) => false,
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

impl fmt::Display for Reentry {
    /// What the body relies on.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fields: Vec<_> = self.fields.iter().map(|f| f.info().name).collect();
        write!(
            f,
            "slots {:?}, memory {:?}, fields {}",
            self.slots,
            self.mem,
            fields.join(" ")
        )
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
    let made = |c: &Carried| c.val.is_ins() && buf.at(c.val).op.class() == Class::A;
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
        if i.op.class() == Class::L && image(r) == r {
            found.rely(buf, &i);
        }
    }
    debug_assert!(buf.loop_ref != REF_NONE);
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::parse::parse;

    /// What of `text` a loop relies on that has looked at the kind of a table, at a cell, and (`any`) has asked a function that reads.
    fn killers(text: &str, any: bool) -> Vec<usize> {
        let mut mem = vec![Mem::Cell];
        if any {
            mem.push(Mem::Any);
        }
        let needs = Reentry {
            mem,
            fields: vec![FieldId::TabKind],
            ..Reentry::default()
        };
        let buf = parse(text).expect("IR");
        (1..buf.len())
            .filter(|&n| needs.relies_on(&buf, &buf.ins[n]))
            .collect()
    }

    const STORES: &str = "\
0001    tab SLOAD  #0
0002    ptr FREF   0001 tab.len
0003    u32 FST    0002 u32:7
0004    ptr FREF   0001 tab.kind
0005    u8  FST    0004 u8:1
0006    ptr FLD    0001 tab.array
0007    ptr AREF   0006 +1
0008    int STV    0007 +5
0009    ptr CREF   cel:0x40
0010    int STV    0009 +5
0011    tab TNEW   ptr:0x80 #2
0012    int SST    #1 +5
0013    cel CNEW   #0
0014    ptr CREF   0013
0015    int STV    0014 +5
";

    #[test]
    fn stores_count_where_the_body_looks() {
        // the kind, the cell; not the length, elements, slots, what is made
        assert_eq!(killers(STORES, false), [5, 10]);
        // a function may have looked at each of them
        assert_eq!(killers(STORES, true), [3, 5, 8, 10]);
    }

    #[test]
    fn frames_and_threads_always_count() {
        let text = "\
0001    thr SLOAD  #0
0002    --- COLEAVE 0001 #2
0003    --- COENTER 0001 #0
0004    --- STOP   #3
0005    --- CARG   ptr:0x10 ptr:0x18
0006    --- XOP    0005 #0
";
        assert_eq!(killers(text, false), [2, 3, 4, 6]);
    }
}
