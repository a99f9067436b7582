//! Side traces that go on in the body of their loop, registers to registers ([`Link::Body`]).
//!
//! What a body needs, and why that is enough, [`crate::opt::reentry`] says. The trace of such a loop keeps it as a [`Body`]; its exits, and those of traces that
//! end in the body, say where the loop's invariants are, and side traces take these over.
//!
//! [`Link::Body`]: crate::loc::Link::Body

use traceorus_base::Tag;
use traceorus_base::objects::Instr;

use crate::ir::{Class, IrBuf, IrOp, Konst, REF_NONE, Ref, Ty};
use crate::loc::Loc;
use crate::lower::CodeOutput;
use crate::opt::reentry::Reentry;

use super::{Rec, Recorder, Slot};

/// A payload or tag at the head of a body.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Held {
    /// There is none, or memory has it.
    None,
    /// This constant.
    Const(Ty, u64),
    /// What the loop's trace calls so.
    Named(Ref, Ty),
}

/// A slot that the loop changes.
#[derive(Clone, Copy, Debug)]
struct BodySlot {
    slot: i16,
    val: Held,
    tag: Held,
    dirty: bool,
}

/// The body of a loop as other traces enter it.
#[derive(Clone, Debug)]
pub struct Body {
    /// Address of its head.
    pub head: u64,
    needs: Reentry,
    slots: Box<[BodySlot]>,
    /// Everything that has to be in a place: constants, values of slots, invariants.
    contract: Box<[(Held, Loc)]>,
}

/// Invariants of a loop at the exits of a trace: exit, name in the loop's trace, place, type.
pub type Through = Box<[(u16, Ref, Loc, Ty)]>;

impl Body {
    /// The body of the loop `ir`, whose code is at `address`.
    pub(crate) fn of(ir: &IrBuf, needs: &Reentry, out: &CodeOutput, address: u64) -> Option<Body> {
        let held = |r: Ref| match ir.konst(r) {
            _ if r.is_none() => Held::None,
            Some(k) => Held::Const(k.ty, k.bits),
            None => Held::Named(r, ir.ty(r)),
        };
        let slots: Box<[_]> = needs
            .carried
            .iter()
            .map(|c| BodySlot {
                slot: c.slot,
                val: held(c.val),
                tag: held(c.tag),
                dirty: c.dirty,
            })
            .collect();
        let word = |h: Held| matches!(h, Held::Named(_, Ty::Word) | Held::Const(Ty::Word, _));
        if slots.iter().any(|s| word(s.tag)) {
            return None;
        }
        Some(Body {
            head: address + u64::from(out.loop_head?),
            needs: needs.clone(),
            slots,
            contract: out
                .contract
                .iter()
                .map(|&(r, loc)| (held(r), loc))
                .collect(),
        })
    }

    /// The value of a slot that changes has this name.
    fn is_carried(&self, r: Ref) -> bool {
        let is = |h: Held| matches!(h, Held::Named(n, _) if n == r);
        self.slots.iter().any(|s| is(s.val) || is(s.tag))
    }

    /// What lives through the body, from what the back end says of it.
    pub(crate) fn through(&self, ir: &IrBuf, out: &CodeOutput) -> Through {
        let all = out.through.iter().filter(|t| !self.is_carried(t.1));
        all.map(|&(snap, r, loc)| (snap.0, r, loc, ir.ty(r)))
            .collect()
    }
}

impl Recorder {
    /// The same of a trace that ends in a body.
    pub(crate) fn passed_on(&self, out: &CodeOutput) -> Through {
        let named = |r: Ref| self.through.iter().filter(move |t| t.1 == r);
        let all = out
            .through
            .iter()
            .flat_map(|&(snap, r, loc)| named(r).map(move |t| (snap.0, t.0, loc, self.buf.ty(r))));
        all.collect()
    }

    /// Goes on in `body`, whose loop begins at `pc`, if that can be proved. A POLL has just been emitted. False: it cannot.
    pub(crate) fn reenter_loop(&mut self, body: &Body, pc: *const Instr) -> Rec<bool> {
        if !self.may_enter(body, pc) {
            return Ok(false);
        }
        let mut named = Vec::new();
        for s in &body.slots {
            if !self.provide(s, &mut named)? {
                return Ok(false);
            }
        }
        let mut ends = Vec::new();
        for &(held, loc) in &body.contract {
            let r = match held {
                Held::None => continue,
                Held::Const(ty, bits) => self.buf.k(ty, bits),
                Held::Named(name, _) => {
                    let all = named.iter().chain(&self.through);
                    match all.copied().find(|n| n.0 == name) {
                        Some((_, r)) => r,
                        None => return Ok(false),
                    }
                }
            };
            ends.push((r, loc));
        }
        // what the body expects in memory
        let mut dirty = Vec::new();
        self.for_dirty(pc, |slot, v| dirty.push((slot, v)));
        let in_register = |slot| {
            let is = |s: &&BodySlot| s.slot == slot && s.dirty && s.tag != Held::None;
            body.slots.iter().find(is).is_some()
        };
        dirty.retain(|d| !in_register(d.0));
        for (slot, v) in dirty {
            self.store_slot(slot, v)?;
        }
        self.buf.taken = ends.iter().map(|e| e.0).collect();
        self.reenter = ends;
        Ok(true)
    }

    /// Nothing that the body relies on has been changed by this trace.
    fn may_enter(&self, body: &Body, pc: *const Instr) -> bool {
        let needs = &body.needs;
        self.is_in_entry_frame()
            && self.multi_top(pc).is_none()
            && needs.slots.iter().all(|&s| !self.is_changed(s))
            && !self.buf.ins[1..]
                .iter()
                .any(|i| needs.relies_on(&self.buf, i))
    }

    /// Adds the value of a slot that the body takes over, by its names there. False: it is none that the body can do with.
    fn provide(&mut self, s: &BodySlot, named: &mut Vec<(Ref, Ref)>) -> Rec<bool> {
        if s.tag == Held::None {
            return Ok(true);
        }
        let mut v = self.slot_tv(s.slot)?;
        if let Held::Const(_, bits) = s.tag {
            let tag = Tag(bits as u32 as i32);
            if self.observed(s.slot).tag != tag || self.known_tag(v).is_some_and(|t| t != tag) {
                return Ok(false);
            }
            v = self.guard_tag(v, tag)?;
        }
        let fresh = |r: Ref| r.is_ins() && self.buf.at(r).op.class() == Class::A;
        if fresh(v.val) || self.buf.ty(v.tag) == Ty::Word {
            return Ok(false);
        }
        v.val = match s.val {
            Held::None => REF_NONE,
            Held::Const(ty, bits) => {
                if self.buf.konst(v.val) != Some(Konst { ty, bits }) {
                    return Ok(false);
                }
                v.val
            }
            Held::Named(_, Ty::Any) => match self.buf.ty(v.val) {
                _ if v.val.is_none() => self.buf.k(Ty::Any, 0),
                Ty::Float if v.val.is_ins() => self.emit(IrOp::Cast, Ty::Any, v.val, REF_NONE)?,
                _ => v.val,
            },
            Held::Named(_, ty) => {
                if v.val.is_none() {
                    return Ok(false);
                }
                self.retyped(v.val, ty)?
            }
        };
        for (held, r) in [(s.val, v.val), (s.tag, v.tag)] {
            let Held::Named(name, _) = held else {
                continue;
            };
            match named.iter().find(|n| n.0 == name) {
                Some(n) if n.1 != r => return Ok(false),
                Some(_) => {}
                None => named.push((name, r)),
            }
        }
        Ok(true)
    }

    /// The recording is where it began: in the frame at BASE, of the same thread, with nothing left to be closed.
    fn is_in_entry_frame(&self) -> bool {
        self.frames.len() == 1
            && self.l == self.start_l
            && self.base0 == self.entry_base
            && self.pcalls == 0
            && self.waiting.is_empty()
            && self.pending_close.is_empty()
    }

    /// The slot may not hold what it held when the recording began.
    fn is_changed(&self, slot: i16) -> bool {
        let dirty = matches!(self.slot(slot), Slot::Known { dirty: true, .. });
        let changed = self.changed.get((slot + 1) as usize).copied();
        dirty || self.changed_all || changed.unwrap_or(false)
    }
}
