//! What a side trace takes over from its parent's exit: values, objects that the parent sank, and what the parent has found of slots that are in memory.

use traceorus_base::objects::*;
use traceorus_base::{Tag, Value};

use super::table::Place;
use super::{Rec, Recorder, Tv};
use crate::ir::{IrBuf, IrOp, Part, REF_BASE, REF_NONE, Ref, Ty};
use crate::loc::NewObject;
use crate::opt::alias::{self, Mem};
use crate::traces::Trace;

/// A value taken over from the parent, before anything but PVALs is emitted.
#[derive(Clone, Copy)]
pub(super) struct Taken {
    pub v: Tv,
    /// The payload has to become an `Any`.
    pub cast: bool,
    /// The payload is this object of the exit.
    pub object: Option<usize>,
}

/// What has been found of a slot that a trace leaves alone: it holds for the whole trace, and for what follows its exits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SlotFact {
    /// Relative to the trace's BASE.
    pub slot: i16,
    /// The guard that has proved it; BASE: it holds from the beginning.
    pub since: Ref,
    /// Its tag.
    pub tag: Tag,
    /// Its payload, if that is known.
    pub bits: Option<u64>,
}

/// What the trace `ir`, which begins with `known`, finds of slots in memory.
pub(crate) fn slot_facts(ir: &IrBuf, known: &[SlotFact]) -> Vec<SlotFact> {
    use IrOp::*;
    let mut written = Vec::new();
    for i in &ir.ins {
        match i.op {
            // slots may change, or are numbered otherwise from here on
            XOp | XOpQ | XOpR | RetF | CoEnter => return Vec::new(),
            Call if alias::kills(alias::effect_of(i), Mem::Slot) => return Vec::new(),
            SSt | SStT | SStW => written.push(i.slot()),
            _ => {}
        }
    }
    let alone = |slot: i16| !written.contains(&slot);
    let mut facts: Vec<SlotFact> = known.iter().filter(|f| alone(f.slot)).copied().collect();
    for (n, i) in ir.ins.iter().enumerate() {
        if !matches!(i.op, TEq | Eq) || !i.a.is_ins() {
            continue;
        }
        let (load, since) = (ir.at(i.a), Ref::from_ins(n));
        if !matches!(load.op, SLoad | SLoadT) || !alone(load.slot()) {
            continue;
        }
        let slot = load.slot();
        if i.op == TEq && load.op == SLoadT {
            facts.push(SlotFact {
                slot,
                since,
                tag: Tag(i32::from(i.b.0 as i16)),
                bits: None,
            });
        } else if let (SLoad, Ty::Int, Some(k)) = (load.op, i.ty, ir.konst(i.b)) {
            facts.push(SlotFact {
                slot,
                since,
                tag: Tag::INT,
                bits: Some(k.bits),
            });
        }
    }
    facts
}

impl Recorder {
    /// What holds of slots in memory where `t` is left through `exit`.
    pub(super) fn inherit_facts(&mut self, t: &Trace, exit: u16) {
        let map = t.exits.get(exit);
        for &(from, f) in t.slots.iter() {
            if from <= exit && map.slots().all(|s| s.slot != f.slot) {
                let since = REF_BASE;
                self.facts.push(SlotFact { since, ..f });
            }
        }
        self.inherited_facts = self.facts.clone();
    }

    /// The slot's value, not loaded yet, if its type is known from the parent.
    pub(super) fn known_slot(&mut self, slot: i16) -> Rec<Option<Tv>> {
        let of = |f: &&SlotFact| f.slot == slot;
        let Some(&SlotFact { tag, .. }) = self.facts.iter().find(of) else {
            return Ok(None);
        };
        let bits = self.facts.iter().filter(of).find_map(|f| f.bits);
        #[cfg(debug_assertions)]
        // SAFETY: [CODE] the slot is in the running frame or below it.
        unsafe {
            let at = self.base0 + 16 * slot as isize;
            let now = *(*self.l).stack.byte_offset(at);
            assert!(
                now.tag == tag && bits.is_none_or(|b| b == now.payload),
                "slot {slot} is {now:?}"
            );
        }
        // as if it had been guarded again
        self.opt.stats.guards_asked += 1;
        self.opt.stats.guards_proved += 1;
        let ty = Ty::of_tag(tag);
        let val = match bits {
            _ if ty.is_prim() => REF_NONE,
            Some(bits) => self.buf.k(ty, bits),
            None => {
                let at = Self::slot_lit(slot);
                self.emit(IrOp::SLoad, ty, at, REF_NONE)?
            }
        };
        let tag = self.buf.k_tag(tag);
        Ok(Some(Tv { val, tag }))
    }

    /// An inherited value as slots and stores have it.
    pub(super) fn known(&mut self, taken: Taken, objects: &[Ref]) -> Rec<Tv> {
        let mut v = taken.v;
        if let Some(n) = taken.object {
            v.val = objects[n];
        } else if taken.cast {
            v.val = self.emit(IrOp::Cast, Ty::Any, v.val, REF_NONE)?;
        }
        Ok(v)
    }

    /// Objects that the parent sank: its exit stub leads here, so this trace makes them, or sinks them in turn.
    pub(super) fn make_again(&mut self, objects: impl Iterator<Item = NewObject>) -> Rec<Vec<Ref>> {
        let mut made = Vec::new();
        for new in objects {
            let (op, ty, a, n) = match new {
                NewObject::Table { shape, slots } => {
                    (IrOp::TNew, Ty::Tab, self.shape_again(shape), slots)
                }
                NewObject::Array { shape, slots } => {
                    (IrOp::TArr, Ty::Tab, self.shape_again(shape), slots)
                }
                NewObject::Closure { proto, upvals } => {
                    self.note_proto(proto as *mut Proto);
                    (IrOp::FNew, Ty::Func, self.buf.k_ptr(proto), upvals)
                }
                NewObject::Cell { readonly } => (IrOp::CNew, Ty::Cell, REF_NONE, readonly.into()),
            };
            made.push(self.emit(op, ty, a, Self::lit(n))?);
        }
        Ok(made)
    }

    fn shape_again(&mut self, shape: u64) -> Ref {
        let shape = shape as *mut Shape;
        self.keep.push(Value::ptr(shape, Tag::SHAPE));
        self.shape_const(shape)
    }

    /// The store of `v` into a part of the fresh object `object`.
    pub(super) fn fill_part(&mut self, object: Ref, part: Part, v: Tv) -> Rec<()> {
        match part {
            Part::Slot(n) => {
                let run = self.emit(IrOp::TRun, Ty::Ptr, object, REF_NONE)?;
                self.store(Place::Field(run, n), v)
            }
            Part::Elem(n) => {
                let run = self.emit(IrOp::TRun, Ty::Ptr, object, REF_NONE)?;
                let n = i64::from(n);
                let (n, not) = (self.buf.k_int(n), self.buf.k_int(!n));
                self.store(Place::Element(run, n, not), v)
            }
            Part::Cell => self.store_cell(object, v),
            Part::Upvalue(n) => self.store_upvalue(object, n, v.val),
            Part::Field(n) => {
                let at = self.emit(IrOp::FRef, Ty::Ptr, object, Self::lit(n))?;
                let ty = self.buf.ty(v.val);
                self.emit(IrOp::FSt, ty, at, v.val).map(drop)
            }
        }
    }
}
