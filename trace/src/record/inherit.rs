//! What a side trace takes over from its parent's exit: values, and objects that the parent sank.

use traceorus_base::objects::*;
use traceorus_base::{Tag, Value};

use super::table::Place;
use super::{Rec, Recorder, Tv};
use crate::ir::{IrOp, Part, REF_NONE, Ref, Ty};
use crate::loc::NewObject;

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
