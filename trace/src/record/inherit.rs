//! What a side trace takes over from its parent's exit: values, objects that the parent sank, and what the parent has found of slots that are in memory.

use traceorus_base::objects::*;
use traceorus_base::{Tag, Value};

use super::table::Place;
use super::{Rec, Recorder, Slot, Tv};
use crate::ir::{Class, EntryCheck, Ins, IrOp, Mode, Part, REF_NONE, Ref, Ty};
use crate::loc::NewObject;
use crate::opt::facts;
use crate::opt::known::{Known, Node};
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

impl Recorder {
    /// What the trace `t` has proved where it is left through `exit`, as guards without code.
    pub(super) fn inherit_known(&mut self, t: &Trace, exit: u16) -> Rec<()> {
        let known = &t.known.unpack();
        let map = t.exits.get(exit);
        let mut again = Again {
            known,
            exit,
            written: map.slots().map(|s| s.slot).collect(),
            found: vec![None; known.nodes.len()],
        };
        for n in 0..known.nodes.len() {
            let i = known.nodes[n];
            if !i.op.is_guard() || !(i.from..i.until).contains(&exit) {
                continue;
            }
            let Some((a, b)) = again.operands(self, &i)? else {
                continue;
            };
            #[cfg(debug_assertions)]
            again.check(self, &i);
            self.opt.know(&mut self.buf, Ins::new(i.op, i.ty, a, b));
        }
        self.known_until = self.buf.next();
        Ok(())
    }

    /// What another trace, whose BASE will be `base` slots above this one's, checks at its entry holds at the end of this one.
    pub(crate) fn proves(&self, checks: &[EntryCheck], base: i16) -> bool {
        checks.iter().all(|c| {
            let Slot::Known { v, dirty: false } = self.slot(base + c.slot()) else {
                return false;
            };
            match *c {
                EntryCheck::Tag(_, tag) => facts::proved_tag(&self.buf, v.tag) == Some(tag),
                EntryCheck::Bits(_, bits) => self.buf.konst(v.val).is_some_and(|k| k.bits == bits),
            }
        })
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

/// What a parent has looked at, had again at one of its exits.
struct Again<'a> {
    known: &'a Known,
    exit: u16,
    /// Slots that the exit restores: memory does not have what the parent has found there.
    written: Vec<i16>,
    /// By node; none inside: it cannot be had.
    found: Vec<Option<Option<Ref>>>,
}

impl Again<'_> {
    /// The operands of `i`. None: not all of them can be had.
    fn operands(&mut self, r: &mut Recorder, i: &Node) -> Rec<Option<(Ref, Ref)>> {
        let [ma, mb] = i.op.modes();
        let Some(a) = self.operand(r, ma, i.a)? else {
            return Ok(None);
        };
        Ok(self.operand(r, mb, i.b)?.map(|b| (a, b)))
    }

    fn operand(&mut self, r: &mut Recorder, mode: Mode, o: Ref) -> Rec<Option<Ref>> {
        if !matches!(mode, Mode::Ref | Mode::Const) {
            return Ok(Some(o));
        }
        if o.is_const() {
            let k = self.known.konsts[o.const_index()];
            return Ok(Some(r.buf.k(k.ty, k.bits)));
        }
        let n = o.ins_index();
        if let Some(found) = self.found[n] {
            return Ok(found);
        }
        let found = match self.slot_value(r, n)? {
            Some(v) => Some(v),
            None => self.computed(r, n)?,
        };
        self.found[n] = Some(found);
        Ok(found)
    }

    /// The node is the value of a slot.
    fn slot_value(&self, r: &mut Recorder, n: usize) -> Rec<Option<Ref>> {
        let ty = self.known.nodes[n].ty;
        for (slot, tag) in self.known.slots_of(n, self.exit) {
            let Slot::Known { v, .. } = r.slot(slot) else {
                continue;
            };
            let is = if tag { v.tag } else { v.val };
            if !is.is_none() {
                return Self::typed(r, is, ty);
            }
        }
        Ok(None)
    }

    /// `v`, which the parent has had as a `ty`.
    fn typed(r: &mut Recorder, v: Ref, ty: Ty) -> Rec<Option<Ref>> {
        let is = r.buf.ty(v);
        match is == Ty::Any && ty != Ty::Tag && ty != Ty::Word {
            true => r.retyped(v, ty).map(Some),
            false => Ok((is == ty).then_some(v)),
        }
    }

    fn computed(&mut self, r: &mut Recorder, n: usize) -> Rec<Option<Ref>> {
        let i = self.known.nodes[n];
        if i.op == IrOp::Nop || self.exit >= i.until {
            return Ok(None);
        }
        if matches!(i.op, IrOp::SLoad | IrOp::SLoadT) {
            let slot = i.a.0 as i16;
            if self.written.contains(&slot) {
                return Ok(None);
            }
            let v = r.slot_tv(slot)?;
            let is = if i.op == IrOp::SLoad { v.val } else { v.tag };
            return Self::typed(r, is, i.ty);
        }
        let Some((a, b)) = self.operands(r, &i)? else {
            return Ok(None);
        };
        let v = r.emit(i.op, i.ty, a, b)?;
        let address = i.op.class() == Class::R;
        Ok((address || r.buf.ty(v) == i.ty).then_some(v))
    }

    /// The guard `i` holds now.
    #[cfg(debug_assertions)]
    fn check(&self, r: &Recorder, i: &Node) {
        let Some(v) = self.now(r, i.a) else { return };
        let holds = match i.op {
            IrOp::TEq => v as i32 == i32::from(i.b.0 as i16),
            IrOp::TNe => v as i32 != i32::from(i.b.0 as i16),
            IrOp::Eq | IrOp::Ne => match self.now(r, i.b) {
                Some(k) => (v == k) == (i.op == IrOp::Eq),
                None => true,
            },
            _ => true,
        };
        assert!(holds, "{i:?} at exit {} of {:?}: {v:#x}", self.exit, r.kind);
    }

    /// The bits of a node, if that is easy to say.
    #[cfg(debug_assertions)]
    fn now(&self, r: &Recorder, o: Ref) -> Option<u64> {
        if o.is_const() {
            return Some(self.known.konsts[o.const_index()].bits);
        }
        let i = self.known.nodes[o.ins_index()];
        let slot = |slot: i16| {
            let at = r.base0 + 16 * slot as isize;
            // SAFETY: [CODE] the slot is in the running frame or below it.
            unsafe { *(*r.l).stack.byte_offset(at) }
        };
        let bits = |slot_no: i16, tag: bool| match (tag, slot(slot_no)) {
            (true, v) => v.tag.0 as i64 as u64,
            (false, v) => v.payload,
        };
        if let Some((s, tag)) = self.known.slots_of(o.ins_index(), self.exit).next() {
            return Some(bits(s, tag));
        }
        match i.op {
            IrOp::SLoad => Some(bits(i.a.0 as i16, false)),
            IrOp::SLoadT => Some(bits(i.a.0 as i16, true)),
            IrOp::FLd => {
                let f = crate::ir::FieldId::from_u16(i.b.0)?.info();
                let object = self.now(r, i.a)? as *const u8;
                // SAFETY: [GC-LIVE] the parent has loaded that field of the object.
                unsafe {
                    let at = object.offset(f.offset as isize);
                    Some(match f.size {
                        1 => (*at).into(),
                        4 => (*at.cast::<u32>()).into(),
                        _ => *at.cast::<u64>(),
                    })
                }
            }
            _ => None,
        }
    }
}
