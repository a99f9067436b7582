//! Joins: accesses to fields at places that meet too many shapes. In place of a side trace for each shape the trace looks the field up, so that the
//! ways of all shapes are one.
//!
//! Which places these are the policy finds out (`Jit::is_join`). A table that has been accessed so is not asked for its shape by what follows either. Keys that
//! are computed texts are looked up in any case.

use traceorus_base::meta::MetaMethod;
use traceorus_base::objects::*;
use traceorus_base::{Tag, Value};
use traceorus_vm::{shape, string, table};

use super::meta::{Found, Operand};
use super::table::{Place, Tab};
use super::{Rec, Recorder, Tv};
use crate::ir::{CallId, FieldId, IrOp, REF_NONE, Ref, Ty};

impl Recorder {
    /// The running instruction does not ask which table, or which shape, `t` is: it has met too many, or so has one before it.
    pub(super) fn is_any(&self, t: Ref) -> bool {
        // SAFETY: the policy's table outlives the recording.
        let joins = unsafe { self.joins.as_ref() };
        let here = self.snap_pc as usize;
        !t.is_const() && (joins.is_some_and(|j| j.contains(&here)) || self.shapeless.contains(&t))
    }

    /// The shape of `t`, a record, is not to be guarded by the running instruction.
    unsafe fn is_shapeless(&mut self, t: Tab) -> Rec<bool> {
        // SAFETY: [GC-LIVE] as the callers.
        unsafe {
            let special = flags::TAB_DICT | flags::TAB_VOLATILE;
            if (*t.p).hdr.flags & special != 0 || !self.is_any(t.r) {
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

    /// The slot of the short string `key` in `t`, guarded to be there or not, as it is now.
    fn slot_of(&mut self, t: Tab, key: Ref, there: bool) -> Rec<Ref> {
        let n = self.emit(IrOp::SlotOf, Ty::Int, t.r, key)?;
        let zero = self.buf.k_int(0);
        let op = if there { IrOp::Ge } else { IrOp::Lt };
        self.guard(op, Ty::Int, n, zero)?;
        Ok(n)
    }
    fn field_at(&mut self, t: Tab, n: Ref) -> Rec<Place> {
        let run = self.field(t.r, FieldId::TabHash)?;
        let not = self.emit(IrOp::Not, Ty::Int, n, REF_NONE)?;
        Ok(Place::Element(run, n, not))
    }

    /// `t[key]` without a look at the shape. `None`: that cannot be had.
    pub(super) unsafe fn join_lookup(&mut self, t: Tab, key: *mut Str) -> Rec<Option<Found>> {
        // SAFETY: [GC-LIVE] as `lookup`.
        unsafe {
            if !self.is_shapeless(t)? {
                return Ok(None);
            }
            if (*t.p).hdr.flags & flags::TAB_PROTO != 0 {
                return self.join_method(t, key);
            }
            let g = self.global();
            let meta = (*t.p).metatable;
            let k = self.buf.k(Ty::Str, key as u64);
            let Some(n) = shape::shape_find(g, (*t.p).shape, key) else {
                if !meta.is_null() {
                    return self.join_method(t, key);
                }
                self.slot_of(t, k, false)?;
                // of these SLOTOF does not tell
                let others = flags::TAB_DICT | flags::TAB_PROTO;
                let f = self.field(t.r, FieldId::TabFlags)?;
                let bits = self.buf.k(Ty::U8, others.into());
                self.guard(IrOp::BitsZ, Ty::U8, f, bits)?;
                self.guard_no_meta(t.r)?;
                return Ok(Some(Found::Value(self.nil())));
            };
            let now = run_get((*t.p).hash as *const u64, n as usize);
            if now.is_nil() && !meta.is_null() {
                return Ok(None);
            }
            let n = self.slot_of(t, k, true)?;
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

    /// The place of the field of `t` whose key is the text `k` (`ok` now), if it has one, which is not nil.
    pub(super) unsafe fn text_field(&mut self, t: Tab, k: Ref, ok: Value) -> Rec<Option<Place>> {
        // SAFETY: [GC-LIVE] as `lookup`.
        unsafe {
            let special = flags::TAB_DICT | flags::TAB_VOLATILE | flags::TAB_PROTO;
            let key = ok.as_ptr::<Str>();
            if (*t.p).hdr.flags & special != 0
                || !string::str_is_short(key)
                || table::table_get_str(t.p, key).is_nil()
            {
                return Ok(None);
            }
            let f = self.field(k, FieldId::StrFlags)?;
            let short = self.buf.k(Ty::U8, flags::STR_SHORT.into());
            self.guard(IrOp::BitsNz, Ty::U8, f, short)?;
            let n = self.slot_of(t, k, true)?;
            self.field_at(t, n).map(Some)
        }
    }
    /// `t[k]` of a text, if it is such a field.
    pub(super) unsafe fn text_value(&mut self, t: Tab, k: Ref, ok: Value) -> Rec<Option<Tv>> {
        // SAFETY: as `text_field`.
        let Some(at) = (unsafe { self.text_field(t, k, ok)? }) else {
            return Ok(None);
        };
        let v = self.load(at)?;
        self.guard_nil(v.tag, false)?;
        Ok(Some(v))
    }
    /// `t[k] = v` of a text, if it is such a field.
    pub(super) unsafe fn text_store(
        &mut self,
        t: Tab,
        k: Ref,
        ok: Value,
        v: Tv,
        ov: Value,
    ) -> Rec<bool> {
        // SAFETY: as `text_field`.
        unsafe {
            if (*t.p).hdr.flags & flags::TAB_OWN_ID != 0 {
                return Ok(false);
            }
            let v = self.storable(v, ov)?;
            let Some(at) = self.text_field(t, k, ok)? else {
                return Ok(false);
            };
            self.store_over(t, at, v)?;
            Ok(true)
        }
    }
    /// Stores `v` at `at` in `t`, where there is a value that is not nil.
    fn store_over(&mut self, t: Tab, at: Place, v: Tv) -> Rec<()> {
        let tag = self.load_tag(at)?;
        self.guard_nil(tag, false)?;
        self.barrier(t.r, v)?;
        self.store(at, v)
    }

    /// Tables of too many metatables have come here.
    pub(super) fn joins_metatables(&self, t: Tab) -> bool {
        // SAFETY: the policy's table outlives the recording; [GC-LIVE] as `lookup`.
        unsafe {
            let here = self.snap_pc as usize;
            !t.r.is_const()
                && !(*t.p).metatable.is_null()
                && self.joins.as_ref().is_some_and(|j| j.contains(&here))
        }
    }
    /// What the metatable of `t`, which has one, has under the name of an event: looked up, whichever metatable it is.
    pub(super) fn join_event(&mut self, t: Tab, ev: MetaMethod) -> Rec<Tv> {
        let m = self.field(t.r, FieldId::TabMeta)?;
        let none = self.buf.k_ptr(0);
        self.guard(IrOp::Ne, Ty::Ptr, m, none)?;
        let m = self.emit(IrOp::Cast, Ty::Tab, m, REF_NONE)?;
        let name = self.text(ev.name().as_bytes());
        let at = self.rt(IrOp::Call, CallId::TabStr, &[m, name.val])?;
        self.result(at, 0)
    }
    /// `t[k]` of a computed key where tables have metatables of their own. `None`: it is there, or no function in Lua is called for it.
    pub(super) unsafe fn join_index(&mut self, t: Tab, (k, ok): Operand) -> Rec<Option<Found>> {
        // SAFETY: [GC-LIVE] as `lookup`.
        unsafe {
            if matches!(ok.tag, Tag::NIL | Tag::FLOAT) || !self.joins_metatables(t) {
                return Ok(None);
            }
            let f = table::meta_get(self.global(), (*t.p).metatable, MetaMethod::Index);
            let lua = f.tag == Tag::FUNCTION
                && (*f.as_ptr::<GcHeader>()).kind == ObjKind::LuaClosure as u8;
            let nil = table::table_get(t.p, ok).is_nil();
            if nil && !lua {
                return Ok(None);
            }
            let k = self.guard_tag(k, ok.tag)?;
            let bits = self.bits(k)?;
            let at = self.rt(IrOp::Call, CallId::TabGet, &[t.r, bits, k.tag])?;
            let v = self.result(at, 0)?;
            self.guard_nil(v.tag, nil)?;
            if !nil {
                return Ok(Some(Found::Value(v)));
            }
            let h = self.join_event(t, MetaMethod::Index)?;
            let h = self.guard_tag(h, Tag::FUNCTION)?;
            let o = self.typed(t.r);
            Ok(Some(Found::Call(h, f, o)))
        }
    }

    /// A function that `t` inherits (or, if it is a prototype, has), as a constant.
    unsafe fn join_method(&mut self, t: Tab, key: *mut Str) -> Rec<Option<Found>> {
        // SAFETY: as `join_lookup`.
        unsafe {
            let g = self.global();
            if traceorus_vm::dispatch::inherited_function(g, t.p, key, true).is_none() {
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
            let proto = (*t.p).hdr.flags & flags::TAB_PROTO != 0;
            if proto || table::table_get_str(t.p, key).is_nil() || !self.is_shapeless(t)? {
                return Ok(false);
            }
            let v = self.storable(v, ov)?;
            let k = self.buf.k(Ty::Str, key as u64);
            let n = self.slot_of(t, k, true)?;
            let at = self.field_at(t, n)?;
            self.store_over(t, at, v)?;
            Ok(true)
        }
    }
}
