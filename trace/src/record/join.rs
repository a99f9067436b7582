//! Joins: accesses to fields at places that meet too many shapes. In place of a side trace for each shape the trace looks the field up, so that the
//! ways of all shapes are one.
//!
//! Which places these are the policy finds out (`Jit::exited`). A table that has been accessed so is not asked for its shape by what follows either.

use traceorus_base::objects::*;
use traceorus_base::{Tag, Value};
use traceorus_vm::{shape, table};

use super::meta::Found;
use super::table::{Place, Tab};
use super::{Rec, Recorder, Tv};
use crate::ir::{FieldId, IrOp, Ref, Ty};

impl Recorder {
    /// The shape of `t`, a record, is not to be guarded by the running instruction.
    unsafe fn is_shapeless(&mut self, t: Tab) -> Rec<bool> {
        // SAFETY: [GC-LIVE] as the callers; the policy's table outlives the recording.
        unsafe {
            let special = flags::TAB_DICT | flags::TAB_VOLATILE | flags::TAB_PROTO;
            if t.r.is_const() || (*t.p).hdr.flags & special != 0 {
                return Ok(false);
            }
            let here = self.snap_pc as usize;
            let join = self.joins.as_ref().is_some_and(|j| j.contains(&here));
            if !join && !self.shapeless.contains(&t.r) {
                return Ok(false);
            }
            let known = self.field(t.r, FieldId::TabShape)?;
            if known.is_const() {
                return Ok(false);
            }
            if !self.shapeless.contains(&t.r) {
                self.shapeless.push(t.r);
            }
            Ok(true)
        }
    }

    /// The slot of `key` in `t`, guarded to be there or not, as it is now.
    fn slot_of(&mut self, t: Tab, key: *mut Str, there: bool) -> Rec<Ref> {
        let k = self.buf.k(Ty::Str, key as u64);
        let n = self.emit(IrOp::SlotOf, Ty::Int, t.r, k)?;
        let zero = self.buf.k_int(0);
        let op = if there { IrOp::Ge } else { IrOp::Lt };
        self.guard(op, Ty::Int, n, zero)?;
        Ok(n)
    }
    fn field_at(&mut self, t: Tab, n: Ref) -> Rec<Place> {
        let run = self.field(t.r, FieldId::TabHash)?;
        let not = self.emit(IrOp::Not, Ty::Int, n, crate::ir::REF_NONE)?;
        Ok(Place::Element(run, n, not))
    }

    /// `t[key]` without a look at the shape. `None`: that cannot be had.
    pub(super) unsafe fn join_lookup(&mut self, t: Tab, key: *mut Str) -> Rec<Option<Found>> {
        // SAFETY: [GC-LIVE] as `lookup`.
        unsafe {
            if !self.is_shapeless(t)? {
                return Ok(None);
            }
            let g = self.global();
            let meta = (*t.p).metatable;
            let Some(n) = shape::shape_find(g, (*t.p).shape, key) else {
                if !meta.is_null() {
                    return self.join_method(t, key);
                }
                self.slot_of(t, key, false)?;
                let f = self.field(t.r, FieldId::TabFlags)?;
                let bit = self.buf.k(Ty::U8, flags::TAB_DICT.into());
                self.guard(IrOp::BitsZ, Ty::U8, f, bit)?;
                self.guard_no_meta(t.r)?;
                return Ok(Some(Found::Value(self.nil())));
            };
            let now = run_get((*t.p).hash as *const u64, n as usize);
            if now.is_nil() && !meta.is_null() {
                return Ok(None);
            }
            let n = self.slot_of(t, key, true)?;
            let at = self.field_at(t, n)?;
            let v = self.load(at)?;
            self.guard_nil(v.tag, now.is_nil())?;
            if now.is_nil() {
                self.guard_no_meta(t.r)?;
                return Ok(Some(Found::Value(self.nil())));
            }
            Ok(Some(Found::Value(v)))
        }
    }

    /// A function that `t` inherits, as a constant.
    unsafe fn join_method(&mut self, t: Tab, key: *mut Str) -> Rec<Option<Found>> {
        // SAFETY: as `join_lookup`.
        unsafe {
            let g = self.global();
            if traceorus_vm::dispatch::inherited_function(g, t.p, key).is_none() {
                return Ok(None);
            }
            let k = self.buf.k(Ty::Str, key as u64);
            let f = self.emit(IrOp::Method, Ty::Func, t.r, k)?;
            let none = self.buf.k(Ty::Func, 0);
            self.guard(IrOp::Ne, Ty::Func, f, none)?;
            let tag = self.buf.k_tag(Tag::FUNCTION);
            Ok(Some(Found::Value(Tv { val: f, tag })))
        }
    }

    /// `t[key] = v` over a value that is not nil, without a look at the shape. False: that cannot be had.
    pub(super) unsafe fn join_store(
        &mut self,
        t: Tab,
        key: *mut Str,
        v: Tv,
        ov: Value,
    ) -> Rec<bool> {
        // SAFETY: [GC-LIVE] as `set_str`.
        unsafe {
            if table::table_get_str(t.p, key).is_nil() || !self.is_shapeless(t)? {
                return Ok(false);
            }
            let v = self.storable(v, ov)?;
            let n = self.slot_of(t, key, true)?;
            let at = self.field_at(t, n)?;
            let tag = self.load_tag(at)?;
            self.guard_nil(tag, false)?;
            self.barrier(t.r, v)?;
            self.store(at, v)?;
            Ok(true)
        }
    }
}
