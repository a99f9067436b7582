//! Table access by keys that instructions compute, integers first of all; length.

use traceorus_base::meta::MetaMethod;
use traceorus_base::objects::*;
use traceorus_base::{Tag, Value};
use traceorus_vm::{string, table};

use super::meta::{Found, Operand};
use super::table::{Place, Tab};
use super::{Cursor, Rec, Recorder, Tv};
use crate::ir::{CallId, FieldId, IrOp, REF_NONE, Ref, Ty};

impl Recorder {
    // ---- computed keys --------------------------------------------------------------------------------------------------

    pub(super) unsafe fn get_index(&mut self, i: Cursor) -> Rec<bool> {
        // SAFETY: [GC-LIVE]
        unsafe {
            let ok = self.observed(i.rc());
            let Some(t) = self.table_operand(i.rb())? else {
                if self.observed(i.rb()).tag != Tag::USERDATA {
                    return Ok(false);
                }
                let k = self.guard_observed(i.rc())?;
                let found = self.userdata_get(i.rb(), (k, ok))?;
                return self.give_found(i, found, k);
            };
            let key = (self.tv(i.rc())?, ok);
            if let Some(found) = self.join_index(t, key)? {
                return self.give_found(i, Some(found), key.0);
            }
            if ok.tag == Tag::STRING
                && !self.tv(i.rc())?.val.is_const()
                && self.looks_further(t, ok)
            {
                return Ok(false);
            }
            let found = match ok.tag {
                Tag::INT => {
                    let k = self.guard_observed(i.rc())?;
                    self.find_int(t, k.val, ok.as_int())?
                }
                Tag::STRING
                    if (*t.p).hdr.flags & flags::TAB_DICT == 0
                        && string::str_is_short(ok.as_ptr())
                        && self.tv(i.rc())?.val.is_const() =>
                {
                    self.lookup(t, ok.as_ptr())?
                }
                Tag::STRING if (*t.p).hdr.flags & flags::TAB_DICT == 0 => {
                    let k = self.guard_observed(i.rc())?;
                    self.get_text(t, k.val, ok)?
                }
                Tag::NIL | Tag::FLOAT => None,
                _ if (*t.p).hdr.flags & flags::TAB_DICT != 0 => {
                    let k = self.guard_observed(i.rc())?;
                    let now = table::table_get(t.p, ok);
                    self.find_entry(t, (k, ok), now)?
                }
                _ => None,
            };
            let key = self.tv(i.rc())?;
            self.give_found(i, found, key)
        }
    }

    /// The key is looked for in another table, which the metatable of `t` names. For a computed key only the helper does that; guards of the metatable
    /// before it would be in vain, and fail if each object has its own.
    unsafe fn looks_further(&mut self, t: Tab, key: Value) -> bool {
        // SAFETY: [GC-LIVE]
        unsafe {
            let meta = (*t.p).metatable;
            !meta.is_null()
                && table::table_get(t.p, key).is_nil()
                && table::meta_get(self.global(), meta, MetaMethod::Index).tag == Tag::TABLE
        }
    }

    /// The metatable (null: none) has something to say of keys that are new. Of others there is nothing to guard before the helper is called.
    pub(super) unsafe fn redirects(&mut self, meta: *mut Table) -> bool {
        // SAFETY: [GC-LIVE]
        unsafe {
            !meta.is_null() && !table::meta_get(self.global(), meta, MetaMethod::NewIndex).is_nil()
        }
    }

    /// `t[k]` of a computed text, by a call that asks for no shape.
    unsafe fn get_text(&mut self, t: Tab, k: Ref, ok: Value) -> Rec<Option<Found>> {
        // SAFETY: [GC-LIVE]
        unsafe {
            if let Some(v) = self.text_value(t, k, ok)? {
                return Ok(Some(Found::Value(v)));
            }
            let nil = table::table_get(t.p, ok).is_nil();
            let meta = (*t.p).metatable;
            let v = self.text_at(t, k, nil)?;
            if nil && !meta.is_null() {
                let (o, k) = (self.typed(t.r), self.typed(k));
                return self.missing(meta, o, (k, ok));
            }
            Ok(Some(Found::Value(v)))
        }
    }

    /// The value of the text `k` in `t` itself, by a call that asks for no shape. With a metatable it is guarded to be nil, and the metatable to be this
    /// one; or not to be nil. Without one (which is guarded) nil is a value like others.
    unsafe fn text_at(&mut self, t: Tab, k: Ref, nil: bool) -> Rec<Tv> {
        // SAFETY: [GC-LIVE]
        unsafe {
            let plain = (*t.p).metatable.is_null();
            if nil || plain {
                self.guard_which_meta(t)?;
            }
            let at = self.rt(IrOp::Call, CallId::TabStr, &[t.r, k])?;
            let v = self.result(at, 0)?;
            if !plain {
                self.guard_nil(v.tag, nil)?;
            }
            Ok(v)
        }
    }

    /// `t[k] = v` in a table without metatable, by a call that does all that may be needed. False: not of such a key.
    pub(super) unsafe fn set_any(&mut self, t: Tab, k: Operand, v: Tv) -> Rec<bool> {
        // SAFETY: [GC-LIVE]
        unsafe {
            if !(*t.p).metatable.is_null() || matches!(k.1.tag, Tag::NIL | Tag::FLOAT) {
                return Ok(false);
            }
            let k = self.guard_tag(k.0, k.1.tag)?;
            self.guard_no_meta(t.r)?;
            self.set_by(CallId::TabSet, t, k, v)
        }
    }
    /// `t[k] = v` in a table with a metatable that has nothing to say of it now, by a call that asks each time: it may be another one for each table.
    /// False: it has, or not of such a key.
    unsafe fn put_any(&mut self, t: Tab, k: Operand, v: Tv) -> Rec<bool> {
        // SAFETY: [GC-LIVE]
        unsafe {
            let meta = (*t.p).metatable;
            if meta.is_null()
                || matches!(k.1.tag, Tag::NIL | Tag::FLOAT)
                || self.redirects(meta) && table::table_get(t.p, k.1).is_nil()
            {
                return Ok(false);
            }
            let k = self.guard_tag(k.0, k.1.tag)?;
            self.set_by(CallId::TabPut, t, k, v)
        }
    }
    fn set_by(&mut self, id: CallId, t: Tab, k: Tv, v: Tv) -> Rec<bool> {
        let (key, val) = (self.bits(k)?, self.bits(v)?);
        let done = self.rt(IrOp::Call, id, &[t.r, key, k.tag, val, v.tag])?;
        let zero = self.buf.k_int(0);
        self.guard(IrOp::Ne, Ty::Int, done, zero)?;
        Ok(true)
    }

    /// The array element `k`, inside the array part.
    pub(super) fn element(&mut self, t: Tab, k: Ref) -> Rec<Place> {
        let cap = self.field(t.r, FieldId::TabCap)?;
        // SAFETY: [GC-LIVE] it is an operand of the instruction that is recorded.
        self.saw(cap, i64::from(unsafe { (*t.p).arr_cap }));
        let cap = self.emit(IrOp::Cast, Ty::Int, cap, REF_NONE)?;
        self.guard(IrOp::Ult, Ty::Int, k, cap)?;
        let run = self.field(t.r, FieldId::TabArray)?;
        let not = self.complement(k)?;
        Ok(Place::Element(run, k, not))
    }
    /// NOT of an index; constants stay outside, where they become part of addresses.
    fn complement(&mut self, k: Ref) -> Rec<Ref> {
        if k.is_ins()
            && self.buf.at(k).op == IrOp::Add
            && let Some(c) = self.buf.int(self.buf.at(k).b)
        {
            let base = self.buf.at(k).a;
            let not = self.emit(IrOp::Not, Ty::Int, base, REF_NONE)?;
            let c = self.buf.k_int(c.wrapping_neg());
            return self.emit(IrOp::Add, Ty::Int, not, c);
        }
        self.emit(IrOp::Not, Ty::Int, k, REF_NONE)
    }

    /// The element `k` (`ok` now), if it is one of those that the array's kind tells the type of.
    pub(super) unsafe fn dense_value(&mut self, t: Tab, k: Ref, ok: i64) -> Rec<Option<Tv>> {
        // SAFETY: [GC-LIVE]
        let Some((at, tag)) = (unsafe { self.dense_element(t, k, ok)? }) else {
            return Ok(None);
        };
        let val = self.emit(IrOp::LdV, Ty::of_tag(tag), at, REF_NONE)?;
        Ok(Some(self.typed(val)))
    }
    /// Guards that element `k` (`ok` now) is one of those that the array's kind tells the type of, if it is: [DENSE]. Its address, and the tag.
    unsafe fn dense_element(&mut self, t: Tab, k: Ref, ok: i64) -> Rec<Option<(Ref, Tag)>> {
        // SAFETY: [GC-LIVE]
        unsafe {
            let tag = Tag(i32::from((*t.p).hdr.extra as i8));
            let len = (*t.p).arr_len;
            // of true and false it does not tell much, and changes
            if matches!(tag, Tag::NIL | Tag::ANY | Tag::TRUE | Tag::FALSE)
                || !(1..=i64::from(len)).contains(&ok)
            {
                return Ok(None);
            }
            let kind = self.field(t.r, FieldId::TabKind)?;
            if self.buf.konst(kind).is_some() {
                // made here
                return Ok(None);
            }
            // the length first: a table without such an element may have no elements at all, and so no kind
            let bound = self.field(t.r, FieldId::TabDense)?;
            self.saw(bound, len.into());
            let bound = self.emit(IrOp::Cast, Ty::Int, bound, REF_NONE)?;
            let one = self.buf.k_int(1);
            let before = self.emit(IrOp::Sub, Ty::Int, k, one)?;
            self.guard(IrOp::Ult, Ty::Int, before, bound)?;
            let want = self.buf.k(Ty::U8, (*t.p).hdr.extra.into());
            self.guard(IrOp::Eq, Ty::U8, kind, want)?;
            let run = self.field(t.r, FieldId::TabArray)?;
            let at = self.emit(IrOp::ARef, Ty::Ptr, run, k)?;
            Ok(Some((at, tag)))
        }
    }

    /// `t[k]`, if no metamethod is called for it.
    pub(super) unsafe fn get_int(&mut self, t: Tab, k: Ref, ok: i64) -> Rec<Option<Tv>> {
        // SAFETY: [GC-LIVE]
        unsafe {
            match self.find_int(t, k, ok)? {
                Some(Found::Value(v)) => Ok(Some(v)),
                _ => Ok(None),
            }
        }
    }

    pub(super) unsafe fn find_int(&mut self, t: Tab, k: Ref, ok: i64) -> Rec<Option<Found>> {
        // SAFETY: [GC-LIVE]
        unsafe {
            if let Some(v) = self.dense_value(t, k, ok)? {
                return Ok(Some(Found::Value(v)));
            }
            let meta = (*t.p).metatable;
            // a table made here may have another capacity than the one that is there now
            let cap = self.field(t.r, FieldId::TabCap)?;
            let cap = self.buf.konst(cap).map(|k| k.bits);
            let inside = (ok as u64) < cap.unwrap_or((*t.p).arr_cap.into());
            if inside {
                let now = table::table_get_int(t.p, ok);
                self.guard_metatable(t)?;
                let at = self.element(t, k)?;
                let v = self.load(at)?;
                if !meta.is_null() {
                    self.guard_nil(v.tag, now.is_nil())?;
                    if now.is_nil() {
                        return self.int_missing(t, k, ok);
                    }
                }
                return Ok(Some(Found::Value(v)));
            }
            if (*t.p).hdr.flags & flags::TAB_DICT != 0 {
                let now = table::table_get_int(t.p, ok);
                let cap = self.field(t.r, FieldId::TabCap)?;
                let cap = self.emit(IrOp::Cast, Ty::Int, cap, REF_NONE)?;
                self.guard(IrOp::Uge, Ty::Int, k, cap)?;
                let k = (self.typed(k), Value::int(ok));
                return self.find_entry(t, k, now);
            }
            // a record has no integer keys outside its array part
            self.guard_metatable(t)?;
            let f = self.field(t.r, FieldId::TabFlags)?;
            let bit = self.buf.k(Ty::U8, flags::TAB_DICT.into());
            self.guard(IrOp::BitsZ, Ty::U8, f, bit)?;
            let cap = self.field(t.r, FieldId::TabCap)?;
            let cap = self.emit(IrOp::Cast, Ty::Int, cap, REF_NONE)?;
            self.guard(IrOp::Uge, Ty::Int, k, cap)?;
            if !meta.is_null() {
                return self.int_missing(t, k, ok);
            }
            Ok(Some(Found::Value(self.nil())))
        }
    }
    /// `t`, whose metatable is guarded, lacks the integer key `k`.
    unsafe fn int_missing(&mut self, t: Tab, k: Ref, ok: i64) -> Rec<Option<Found>> {
        // SAFETY: [GC-LIVE]
        unsafe {
            let (o, k) = (self.typed(t.r), self.typed(k));
            self.missing((*t.p).metatable, o, (k, Value::int(ok)))
        }
    }

    /// Register `ra` [k] = v.
    pub(super) unsafe fn set_index(
        &mut self,
        i: Cursor,
        ra: i16,
        k: Operand,
        v: Operand,
    ) -> Rec<bool> {
        // SAFETY: [GC-LIVE]
        unsafe {
            match self.table_operand(ra)? {
                Some(t) => Ok(self.set_in(i, t, k, v)?
                    || self.set_any(t, k, v.0)?
                    || self.put_any(t, k, v.0)?),
                None if self.observed(ra).tag == Tag::USERDATA => self.userdata_set(i, ra, k, v),
                None => Ok(false),
            }
        }
    }

    /// `t[k] = v` where that is possible in line, or by calling a metamethod.
    pub(super) unsafe fn set_in(&mut self, i: Cursor, t: Tab, k: Operand, v: Operand) -> Rec<bool> {
        let ((k, ok), (v, ov)) = (k, v);
        // SAFETY: [GC-LIVE]
        unsafe {
            let dict = (*t.p).hdr.flags & flags::TAB_DICT != 0;
            if ok.tag != Tag::INT {
                if dict && matches!(ok.tag, Tag::STRING | Tag::TABLE) {
                    return self.store_dict(i, t, (k, ok), (v, ov));
                }
                let short = ok.tag == Tag::STRING && string::str_is_short(ok.as_ptr());
                if !dict && short && k.val.is_const() {
                    return self.set_str(i, t, ok.as_ptr(), v, ov);
                }
                if !dict && short {
                    let k = self.guard_tag(k, ok.tag)?;
                    if self.text_store(t, k.val, ok, v, ov)? {
                        return Ok(true);
                    }
                    let meta = (*t.p).metatable;
                    if !table::table_get(t.p, ok).is_nil() || !self.redirects(meta) {
                        return Ok(false);
                    }
                    self.text_at(t, k.val, true)?;
                    let o = self.typed(t.r);
                    let done = self.store_missing(i, meta, o, (k, ok), (v, ov))?;
                    return Ok(done.unwrap_or(false));
                }
                return Ok(false);
            }
            let n = ok.as_int();
            if n as u64 >= u64::from((*t.p).arr_cap) {
                let meta = (*t.p).metatable;
                if !dict && !self.redirects(meta) {
                    return Ok(false);
                }
                let k = self.guard_tag(k, Tag::INT)?;
                let cap = self.field(t.r, FieldId::TabCap)?;
                let cap = self.emit(IrOp::Cast, Ty::Int, cap, REF_NONE)?;
                self.guard(IrOp::Uge, Ty::Int, k.val, cap)?;
                if dict {
                    return self.store_dict(i, t, (k, ok), (v, ov));
                }
                self.guard_metatable(t)?;
                let f = self.field(t.r, FieldId::TabFlags)?;
                let bit = self.buf.k(Ty::U8, flags::TAB_DICT.into());
                self.guard(IrOp::BitsZ, Ty::U8, f, bit)?;
                let o = self.typed(t.r);
                let done = self.store_missing(i, meta, o, (k, ok), (v, ov))?;
                return Ok(done.unwrap_or(false));
            }
            let now = run_get((*t.p).array, n as usize);
            let meta = (*t.p).metatable;
            if now.is_nil() && !meta.is_null() {
                if !self.redirects(meta) {
                    return Ok(false);
                }
                let k = self.guard_tag(k, Tag::INT)?;
                self.guard_metatable(t)?;
                let at = self.element(t, k.val)?;
                let tag = self.load_tag(at)?;
                self.guard_nil(tag, true)?;
                let o = self.typed(t.r);
                let done = self.store_missing(i, meta, o, (k, ok), (v, ov))?;
                return Ok(done.unwrap_or(false));
            }
            let kind = (*t.p).hdr.extra;
            let fits = kind == ov.tag.byte() as u8 || kind == Tag::ANY.byte() as u8;
            if !ov.is_nil() && !fits {
                return Ok(false);
            }
            let k = self.guard_tag(k, Tag::INT)?;
            let any = kind == Tag::ANY.byte() as u8 && !ov.is_nil();
            let v = if any && self.has_no_payload(v) {
                // true or false, no matter which
                self.guard_nil(v.tag, false)?;
                Tv { val: REF_NONE, ..v }
            } else {
                self.storable(v, ov)?
            };
            if kind == ov.tag.byte() as u8
                && let Some((at, _)) = self.dense_element(t, k.val, n)?
            {
                // over an element of the same type
                self.barrier(t.r, v)?;
                let ty = self.buf.ty(v.val);
                self.emit(IrOp::StV, ty, at, v.val)?;
                return Ok(true);
            }
            self.guard_metatable(t)?;
            // [DENSE] a nil
            let mut pop = false;
            if ov.is_nil() {
                let len = self.field(t.r, FieldId::TabLen)?;
                let len = self.emit(IrOp::Cast, Ty::Int, len, REF_NONE)?;
                let one = self.buf.k_int(1);
                let hint = i64::from((*t.p).arr_len);
                if kind == Tag::ANY.byte() as u8 {
                    let f = self.field(t.r, FieldId::TabKind)?;
                    let want = self.buf.k(Ty::U8, kind.into());
                    self.guard(IrOp::Eq, Ty::U8, f, want)?;
                } else if n == hint && n != 0 {
                    self.guard(IrOp::Eq, Ty::Int, k.val, len)?;
                    let zero = self.buf.k_int(0);
                    self.guard(IrOp::Ne, Ty::Int, k.val, zero)?;
                    pop = true;
                } else if n == 0 || n > hint {
                    let before = self.emit(IrOp::Sub, Ty::Int, k.val, one)?;
                    self.guard(IrOp::Uge, Ty::Int, before, len)?;
                } else {
                    return Ok(false);
                }
            } else {
                let f = self.field(t.r, FieldId::TabKind)?;
                let want = self.buf.k(Ty::U8, kind.into());
                self.guard(IrOp::Eq, Ty::U8, f, want)?;
            }
            let at = self.element(t, k.val)?;
            if !meta.is_null() {
                let tag = self.load_tag(at)?;
                self.guard_nil(tag, false)?;
            }
            // appending moves the border hint along
            let mut append = false;
            if meta.is_null() && now.is_nil() && !ov.is_nil() {
                append = n - 1 == i64::from((*t.p).arr_len);
                let len = self.field(t.r, FieldId::TabLen)?;
                let len = self.emit(IrOp::Cast, Ty::Int, len, REF_NONE)?;
                let one = self.buf.k_int(1);
                let before = self.emit(IrOp::Sub, Ty::Int, k.val, one)?;
                let op = if append { IrOp::Eq } else { IrOp::Ne };
                self.guard(op, Ty::Int, before, len)?;
            }
            self.barrier(t.r, v)?;
            self.store(at, v)?;
            if append || pop {
                let at = self.emit(IrOp::FRef, Ty::Ptr, t.r, Self::lit(FieldId::TabLen as u16))?;
                let one = self.buf.k_int(1);
                let n = if pop {
                    self.emit(IrOp::Sub, Ty::Int, k.val, one)?
                } else {
                    k.val
                };
                let n = self.emit(IrOp::Cast, Ty::U32, n, REF_NONE)?;
                self.emit(IrOp::FSt, Ty::U32, at, n)?;
                if pop {
                    let at = self.emit(
                        IrOp::FRef,
                        Ty::Ptr,
                        t.r,
                        Self::lit(FieldId::TabDense as u16),
                    )?;
                    self.emit(IrOp::FSt, Ty::U32, at, n)?;
                }
            }
            Ok(true)
        }
    }

    // ---- length -----------------------------------------------------------------------------------------------

    #[inline(never)]
    pub(super) unsafe fn len(&mut self, i: Cursor) -> Rec<bool> {
        // SAFETY: [GC-LIVE]
        unsafe {
            let o = self.observed(i.rb());
            let n = match o.tag {
                Tag::STRING => {
                    let v = self.guard_observed(i.rb())?;
                    self.field(v.val, FieldId::StrLen)?
                }
                Tag::TABLE if !(*o.as_ptr::<Table>()).metatable.is_null() => {
                    let v = self.tv(i.rb())?;
                    return self.len_event(i, (v, o));
                }
                Tag::USERDATA => {
                    let v = self.tv(i.rb())?;
                    return self.len_event(i, (v, o));
                }
                Tag::TABLE => {
                    let v = self.guard_observed(i.rb())?;
                    self.guard_no_meta(v.val)?;
                    self.emit(
                        IrOp::CallL,
                        Ty::Int,
                        v.val,
                        Self::lit(CallId::TabLen as u16),
                    )?
                }
                _ => return Ok(false),
            };
            let v = self.typed(n);
            self.set(i.ra(), v);
            Ok(true)
        }
    }
}
