//! Table access.
//!
//! What is guarded, and why it is enough, see docs/TABLES.md: a shape id proves which keys a record has, in which slot, and (except for the first
//! object of a metatable) which metatable it has; the id of an observed prototype proves which keys it has and lacks, its metatable and
//! the values of its constant slots; the own id of a dictionary proves where its entries lie. Ids are never reused.

use traceorus_base::bytecode::{self as bc, Op};
use traceorus_base::objects::*;
use traceorus_base::{Tag, Value};
use traceorus_vm::state::Global;
use traceorus_vm::{shape, table};

use super::meta::{Found, Operand};
use super::{Cursor, Rec, Recorder, Step, Tv};
use crate::ir::{CallId, FieldId, IrOp, REF_NONE, Ref, Ty};

/// Longest chain of prototypes that is followed.
pub(super) const MAX_CHAIN: usize = 16;

/// A table operand: payload ref and the table that is there now.
#[derive(Clone, Copy)]
pub(super) struct Tab {
    pub r: Ref,
    pub p: *mut Table,
}

/// Where a value is.
#[derive(Clone, Copy)]
pub(super) enum Place {
    /// Slot of a tagged run with an index known when recording.
    Field(Ref, u16),
    /// Element of an array part: run, index, NOT of the index.
    Element(Ref, Ref, Ref),
    /// Dictionary entry.
    Entry(Ref),
}

impl Recorder {
    pub(crate) unsafe fn table(&mut self, i: Cursor) -> Rec<Step> {
        // SAFETY: [GC-LIVE] operands are in slots; as `instruction`. The policy's table outlives the recording.
        unsafe {
            let at = i.pc as usize;
            if self.helped.as_ref().is_some_and(|h| h.contains(&at)) {
                return self.generic(i);
            }
            let done = match i.op {
                Op::GetGlobal => self.get_global(i)?,
                Op::SetGlobal => self.set_global(i)?,
                Op::GetField => {
                    let key = i.word(2) as *mut Str;
                    self.get_str(i, i.rb(), key)?
                }
                Op::SetField => {
                    let key = i.word(2) as *mut Str;
                    let (v, ov) = (self.tv(i.rb())?, self.observed(i.rb()));
                    match self.table_operand(i.ra())? {
                        Some(t) => self.set_str(i, t, key, v, ov)?,
                        None if self.observed(i.ra()).tag == Tag::USERDATA => {
                            let k = Value::ptr(key, Tag::STRING);
                            let k = (self.konst(k), k);
                            self.userdata_set(i, i.ra(), k, (v, ov))?
                        }
                        None => false,
                    }
                }
                Op::SelfGet => self.self_get(i)?,
                Op::GetIndex => self.get_index(i)?,
                Op::SetIndex => {
                    let k = (self.tv(i.rb())?, self.observed(i.rb()));
                    let v = (self.tv(i.rc())?, self.observed(i.rc()));
                    self.set_index(i, i.ra(), k, v)?
                }
                Op::GetInt => {
                    let n = i64::from(bc::c(i.w) as i16);
                    match self.table_operand(i.rb())? {
                        Some(t) => {
                            let key = self.int_tv(n);
                            let found = self.find_int(t, key.val, n)?;
                            self.give_found(i, found, key)?
                        }
                        None if self.observed(i.rb()).tag == Tag::USERDATA => {
                            let key = self.int_tv(n);
                            let found = self.userdata_get(i.rb(), (key, Value::int(n)))?;
                            self.give_found(i, found, key)?
                        }
                        None => false,
                    }
                }
                Op::SetInt => {
                    let ok = Value::int(i64::from(bc::b(i.w) as i16));
                    let k = (self.konst(ok), ok);
                    let v = (self.tv(i.rc())?, self.observed(i.rc()));
                    self.set_index(i, i.ra(), k, v)?
                }
                Op::Len => self.len(i)?,
                Op::NewRecord => self.new_record(i)?,
                Op::NewTable => self.new_table(i)?,
                Op::SetList => self.set_list(i)?,
                Op::SetListM => self.set_list_open(i)?,
                _ => false,
            };
            if done || self.weak_access(i)? {
                Ok(Step::More)
            } else {
                self.fail_access(i)
            }
        }
    }

    // ---- pieces -----------------------------------------------------------------------------------------------------

    pub(super) fn table_operand(&mut self, r: i16) -> Rec<Option<Tab>> {
        let o = self.observed(r);
        // a collection at a poll may clear what is in weak tables: no load from one may be kept
        // SAFETY: [GC-LIVE] it is in a register.
        let weak = |t: *mut Table| unsafe { (*t).hdr.flags & flags::TAB_WEAK != 0 };
        if o.tag != Tag::TABLE || weak(o.as_ptr()) {
            return Ok(None);
        }
        let v = self.guard_observed(r)?;
        Ok(Some(Tab {
            r: v.val,
            p: o.as_ptr(),
        }))
    }
    pub(super) fn field(&mut self, t: Ref, f: FieldId) -> Rec<Ref> {
        self.emit(IrOp::FLd, f.info().ty, t, Self::lit(f as u16))
    }
    /// Guards the shape id that the table has now.
    pub(super) unsafe fn guard_shape(&mut self, t: Tab) -> Rec<()> {
        // SAFETY: [GC-LIVE]
        let id = unsafe {
            // else it dies with its last table, and the next table would get another one
            let shape = (*t.p).shape;
            if let Some(target) = shape::plain_target(t.p) {
                self.keep.push(Value::ptr(target, Tag::TABLE));
            }
            if (*shape).shape_flags & shape_flags::PROTO == 0 {
                self.keep.push(Value::ptr(shape, Tag::SHAPE));
            }
            (*t.p).hdr.word
        };
        let s = self.field(t.r, FieldId::TabShape)?;
        let k = self.buf.k(Ty::U32, id.into());
        self.guard(IrOp::Eq, Ty::U32, s, k)?;
        Ok(())
    }
    /// Guards that the table has no metatable (which it has not now).
    pub(super) fn guard_no_meta(&mut self, t: Ref) -> Rec<()> {
        let m = self.field(t, FieldId::TabMeta)?;
        let k = self.buf.k_ptr(0);
        self.guard(IrOp::Eq, Ty::Ptr, m, k)?;
        Ok(())
    }
    pub(super) fn load(&mut self, p: Place) -> Rec<Tv> {
        let (val, tag);
        match p {
            Place::Field(run, n) => {
                let at = self.emit(IrOp::HRef, Ty::Ptr, run, Self::lit(n))?;
                val = self.emit(IrOp::LdV, Ty::Any, at, REF_NONE)?;
                let at = self.emit(IrOp::HTRef, Ty::Ptr, run, Self::lit(n))?;
                tag = self.emit(IrOp::LdB, Ty::Tag, at, REF_NONE)?;
            }
            Place::Element(run, n, not) => {
                let at = self.emit(IrOp::ARef, Ty::Ptr, run, n)?;
                val = self.emit(IrOp::LdV, Ty::Any, at, REF_NONE)?;
                let at = self.emit(IrOp::ATRef, Ty::Ptr, run, not)?;
                tag = self.emit(IrOp::LdB, Ty::Tag, at, REF_NONE)?;
            }
            Place::Entry(e) => {
                let at = self.emit(IrOp::ERef, Ty::Ptr, e, REF_NONE)?;
                val = self.emit(IrOp::LdV, Ty::Any, at, REF_NONE)?;
                let at = self.emit(IrOp::ETRef, Ty::Ptr, e, REF_NONE)?;
                tag = self.emit(IrOp::LdW, Ty::Tag, at, REF_NONE)?;
            }
        }
        self.loaded(val, tag)
    }
    pub(super) fn load_tag(&mut self, p: Place) -> Rec<Ref> {
        match p {
            Place::Field(run, n) => {
                let at = self.emit(IrOp::HTRef, Ty::Ptr, run, Self::lit(n))?;
                self.emit(IrOp::LdB, Ty::Tag, at, REF_NONE)
            }
            Place::Element(run, _, not) => {
                let at = self.emit(IrOp::ATRef, Ty::Ptr, run, not)?;
                self.emit(IrOp::LdB, Ty::Tag, at, REF_NONE)
            }
            Place::Entry(e) => {
                let at = self.emit(IrOp::ETRef, Ty::Ptr, e, REF_NONE)?;
                self.emit(IrOp::LdW, Ty::Tag, at, REF_NONE)
            }
        }
    }
    pub(super) fn store(&mut self, p: Place, v: Tv) -> Rec<()> {
        if !v.val.is_none() {
            let at = match p {
                Place::Field(run, n) => self.emit(IrOp::HRef, Ty::Ptr, run, Self::lit(n))?,
                Place::Element(run, n, _) => self.emit(IrOp::ARef, Ty::Ptr, run, n)?,
                Place::Entry(e) => self.emit(IrOp::ERef, Ty::Ptr, e, REF_NONE)?,
            };
            let ty = self.buf.ty(v.val);
            self.emit(IrOp::StV, ty, at, v.val)?;
        }
        let (at, op) = match p {
            Place::Field(run, n) => (
                self.emit(IrOp::HTRef, Ty::Ptr, run, Self::lit(n))?,
                IrOp::StB,
            ),
            Place::Element(run, _, not) => (self.emit(IrOp::ATRef, Ty::Ptr, run, not)?, IrOp::StB),
            Place::Entry(e) => (self.emit(IrOp::ETRef, Ty::Ptr, e, REF_NONE)?, IrOp::StW),
        };
        self.emit(op, Ty::Tag, at, v.tag)?;
        Ok(())
    }
    /// Guards that a tag is (not) nil, as it is now.
    pub(super) fn guard_nil(&mut self, tag: Ref, nil: bool) -> Rec<()> {
        if self.buf.tag(tag).is_none() {
            let op = if nil { IrOp::TEq } else { IrOp::TNe };
            self.guard(op, Ty::Tag, tag, Self::lit(Tag::NIL.0 as u16))?;
        }
        Ok(())
    }
    pub(super) fn nil(&mut self) -> Tv {
        self.konst(Value::NIL)
    }

    // ---- string keys --------------------------------------------------------------------------------------------------

    /// Register A = register `rb` [key].
    unsafe fn get_str(&mut self, i: Cursor, rb: i16, key: *mut Str) -> Rec<bool> {
        // SAFETY: [GC-LIVE]
        unsafe {
            let k = Value::ptr(key, Tag::STRING);
            let found = match self.table_operand(rb)? {
                Some(t) => self.lookup(t, key)?,
                None if self.observed(rb).tag == Tag::USERDATA => {
                    let k = (self.konst(k), k);
                    self.userdata_get(rb, k)?
                }
                None => return Ok(false),
            };
            let key = self.konst(k);
            self.give_found(i, found, key)
        }
    }

    /// `t[key]` of a short string; `None`: by the helper.
    pub(super) unsafe fn lookup(&mut self, t: Tab, key: *mut Str) -> Rec<Option<Found>> {
        // SAFETY: [GC-LIVE] the tables of the chain are reachable from the receiver.
        unsafe {
            let g = self.global();
            let f = (*t.p).hdr.flags;
            if f & flags::TAB_DICT != 0 {
                return self.lookup_dict(g, t, key);
            }
            if let Some(found) = self.join_lookup(t, key)? {
                return Ok(Some(found));
            }
            let meta = (*t.p).metatable;
            let known_meta = (*(*t.p).shape).shape_flags & shape_flags::UNCACHED_META == 0;
            match shape::shape_find(g, (*t.p).shape, key) {
                Some(n) => {
                    self.guard_shape(t)?;
                    if !known_meta {
                        self.guard_metatable(t)?;
                    }
                    let run = self.field(t.r, FieldId::TabHash)?;
                    let at = Place::Field(run, n as u16);
                    let v = self.load(at)?;
                    if meta.is_null() && known_meta {
                        return Ok(Some(Found::Value(v)));
                    }
                    let now = run_get((*t.p).hash as *const u64, n as usize);
                    if !now.is_nil() {
                        self.guard_nil(v.tag, false)?;
                        return Ok(Some(Found::Value(v)));
                    }
                    self.guard_nil(v.tag, true)?;
                }
                None => {
                    self.guard_shape(t)?;
                    if !known_meta {
                        self.guard_which_meta(t)?;
                    }
                }
            }
            if meta.is_null() {
                return Ok(Some(Found::Value(self.nil())));
            }
            let o = self.typed(t.r);
            let k = Value::ptr(key, Tag::STRING);
            let k = (self.konst(k), k);
            self.missing(meta, o, k)
        }
    }

    /// Guards everything that the id of the prototype `p` proves.
    pub(super) unsafe fn guard_proto(&mut self, g: &mut Global, p: *mut Table) -> Rec<Ref> {
        // SAFETY: [GC-LIVE] the trace keeps it alive as its constant.
        unsafe {
            if (*p).hdr.flags & flags::TAB_DICT != 0 {
                table::own_id(g, p);
            }
            let k = self.buf.k(Ty::Tab, p as u64);
            self.guard_shape(Tab { r: k, p })?;
            Ok(k)
        }
    }

    /// The constant value of `key` in the prototype `p` (nil: absent), guarded; `None` if it is not constant.
    pub(super) unsafe fn proto_const(
        &mut self,
        g: &mut Global,
        p: *mut Table,
        key: *mut Str,
    ) -> Rec<Option<Value>> {
        // SAFETY: [GC-LIVE]
        unsafe {
            if !table::table_is_cacheable(p) || !table::proto_slot_is_const(g, p, key) {
                return Ok(None);
            }
            self.guard_proto(g, p)?;
            let v = table::table_get_str(p, key);
            if v.tag.is_collectable() {
                self.keep.push(v);
            }
            Ok(Some(Value::new(v.payload, v.tag)))
        }
    }

    /// The value, not nil now, of `key` in the prototype `p`.
    pub(super) unsafe fn holder_value(
        &mut self,
        g: &mut Global,
        p: *mut Table,
        key: *mut Str,
        now: Value,
    ) -> Rec<Tv> {
        // SAFETY: [GC-LIVE]
        unsafe {
            let k = self.guard_proto(g, p)?;
            if table::proto_slot_is_const(g, p, key) {
                return Ok(self.konst(Value::new(now.payload, now.tag)));
            }
            let at = if (*p).hdr.flags & flags::TAB_DICT != 0 {
                let e = table::dict_entry(p, key).expect("it has a value");
                Place::Entry(self.buf.k_ptr(e as u64))
            } else {
                let n = shape::shape_find(g, (*p).shape, key).expect("it has a value");
                let run = self.field(k, FieldId::TabHash)?;
                Place::Field(run, n as u16)
            };
            let v = self.load(at)?;
            self.guard_nil(v.tag, false)?;
            Ok(v)
        }
    }

    /// `t[key]` in a dictionary.
    unsafe fn lookup_dict(&mut self, g: &mut Global, t: Tab, key: *mut Str) -> Rec<Option<Found>> {
        // SAFETY: [GC-LIVE]
        unsafe {
            let single =
                t.r.is_const() || (*t.p).hdr.flags & (flags::TAB_OWN_ID | flags::TAB_PROTO) != 0;
            let now = table::table_get_str(t.p, key);
            if single && !now.is_nil() && (*t.p).hdr.flags & flags::TAB_VOLATILE == 0 {
                table::own_id(g, t.p);
                self.guard_shape(t)?;
                let Some(e) = table::dict_entry(t.p, key) else {
                    return Ok(None);
                };
                let e = self.buf.k_ptr(e as u64);
                let v = self.load(Place::Entry(e))?;
                self.guard_nil(v.tag, false)?;
                return Ok(Some(Found::Value(v)));
            }
            let k = Value::ptr(key, Tag::STRING);
            let k = (self.konst(k), k);
            self.find_entry(t, k, now)
        }
    }

    /// The value of a key (of a known type) in a dictionary, by a look-up.
    pub(super) unsafe fn find_entry(
        &mut self,
        t: Tab,
        key: Operand,
        now: Value,
    ) -> Rec<Option<Found>> {
        // SAFETY: [GC-LIVE]
        unsafe {
            let e = self.dict_find(t, key.0)?;
            let meta = (*t.p).metatable;
            // without one nil is a value like others
            if now.is_nil() || meta.is_null() {
                self.guard_which_meta(t)?;
            }
            let v = self.load(Place::Entry(e))?;
            if meta.is_null() {
                return Ok(Some(Found::Value(v)));
            }
            self.guard_nil(v.tag, now.is_nil())?;
            if now.is_nil() {
                let o = self.typed(t.r);
                return self.missing(meta, o, key);
            }
            Ok(Some(Found::Value(v)))
        }
    }

    /// The entry of `key` (of a known type) in the dictionary `t`; one with a nil value if there is none.
    pub(super) fn dict_find(&mut self, t: Tab, key: Tv) -> Rec<Ref> {
        let f = self.field(t.r, FieldId::TabFlags)?;
        let bit = self.buf.k(Ty::U8, flags::TAB_DICT.into());
        self.guard(IrOp::BitsNz, Ty::U8, f, bit)?;
        let id = match self.known_tag(key) {
            Some(Tag::INT) => CallId::DictInt,
            Some(Tag::STRING) => CallId::DictStr,
            _ => CallId::DictAny,
        };
        if id != CallId::DictAny {
            return self.call2(IrOp::CallL, id, t.r, key.val);
        }
        let bits = self.bits(key)?;
        self.rt(IrOp::CallL, id, &[t.r, bits, key.tag])
    }

    /// `t[key] = v` of a short string.
    pub(super) unsafe fn set_str(
        &mut self,
        i: Cursor,
        t: Tab,
        key: *mut Str,
        v: Tv,
        ov: Value,
    ) -> Rec<bool> {
        // SAFETY: [GC-LIVE]
        unsafe {
            let k = Value::ptr(key, Tag::STRING);
            let g = self.global();
            let f = (*t.p).hdr.flags;
            let special = flags::TAB_PROTO | flags::TAB_OWN_ID;
            if f & special != 0 {
                return Ok(false);
            }
            if f & flags::TAB_DICT != 0 {
                let kv = self.konst(k);
                return self.store_dict(i, t, (kv, k), (v, ov));
            }
            if self.join_store(t, key, v, ov)? {
                return Ok(true);
            }
            let meta = (*t.p).metatable;
            let known_meta = (*(*t.p).shape).shape_flags & shape_flags::UNCACHED_META == 0;
            let v = self.storable(v, ov)?;
            match shape::shape_find(g, (*t.p).shape, key) {
                Some(n) => {
                    let now = run_get((*t.p).hash as *const u64, n as usize);
                    self.guard_shape(t)?;
                    if now.is_nil() && !known_meta {
                        self.guard_metatable(t)?;
                    }
                    if now.is_nil() && !meta.is_null() {
                        let run = self.field(t.r, FieldId::TabHash)?;
                        let tag = self.load_tag(Place::Field(run, n as u16))?;
                        self.guard_nil(tag, true)?;
                        let (o, k) = (self.typed(t.r), (self.konst(k), k));
                        if let Some(done) = self.store_missing(i, meta, o, k, (v, ov))? {
                            return Ok(done);
                        }
                    }
                    let run = self.field(t.r, FieldId::TabHash)?;
                    let at = Place::Field(run, n as u16);
                    let plain = meta.is_null() && known_meta;
                    if !plain && !now.is_nil() {
                        let tag = self.load_tag(at)?;
                        self.guard_nil(tag, false)?;
                    }
                    self.barrier(t.r, v)?;
                    self.store(at, v)?;
                    Ok(true)
                }
                None => {
                    if !known_meta && !self.redirects(meta) {
                        return Ok(false);
                    }
                    if !meta.is_null() {
                        self.guard_shape(t)?;
                        if !known_meta {
                            self.guard_metatable(t)?;
                        }
                        let (o, k) = (self.typed(t.r), (self.konst(k), k));
                        if let Some(done) = self.store_missing(i, meta, o, k, (v, ov))? {
                            return Ok(done);
                        }
                    }
                    if ov.is_nil() || !known_meta {
                        return Ok(false);
                    }
                    let before = (*t.p).shape;
                    let n = (*before).nfields;
                    if !self.room_for(t, n)? {
                        return Ok(false);
                    }
                    let Some(after) = shape::shape_add(g, before, key) else {
                        return Ok(false);
                    };
                    self.keep.push(Value::ptr(after, Tag::SHAPE));
                    self.guard_shape(t)?;
                    let cap = self.field(t.r, FieldId::TabFieldCap)?;
                    let k = self.buf.k(Ty::U32, n.into());
                    self.guard(IrOp::Ugt, Ty::U32, cap, k)?;
                    // the new shape is an edge, too
                    self.barrier(t.r, v)?;
                    self.barrier_shape(t.r)?;
                    let run = self.field(t.r, FieldId::TabHash)?;
                    self.store(Place::Field(run, n as u16), v)?;
                    let at = self.emit(
                        IrOp::FRef,
                        Ty::Ptr,
                        t.r,
                        Self::lit(FieldId::TabShapeP as u16),
                    )?;
                    let k = self.buf.k_ptr(after as u64);
                    self.emit(IrOp::FSt, Ty::Ptr, at, k)?;
                    let at = self.emit(
                        IrOp::FRef,
                        Ty::Ptr,
                        t.r,
                        Self::lit(FieldId::TabShape as u16),
                    )?;
                    let k = self.buf.k(Ty::U32, (*after).hdr.word.into());
                    self.emit(IrOp::FSt, Ty::U32, at, k)?;
                    Ok(true)
                }
            }
        }
    }

    /// The barrier for an edge to an object that the trace keeps alive anyway.
    fn barrier_shape(&mut self, t: Ref) -> Rec<()> {
        // the trace marks its constants in the atomic phase: nothing to do for the shape itself
        let _ = t;
        Ok(())
    }

    /// A value of a known type, to be stored.
    pub(super) fn storable(&mut self, v: Tv, ov: Value) -> Rec<Tv> {
        if self.known_tag(v).is_some() {
            return Ok(v);
        }
        self.guard_tag(v, ov.tag)
    }

    /// A store into a dictionary, over a value that is not nil.
    pub(super) unsafe fn store_dict(
        &mut self,
        i: Cursor,
        t: Tab,
        k: Operand,
        v: Operand,
    ) -> Rec<bool> {
        let ((k, ok), (v, ov)) = (k, v);
        // SAFETY: [GC-LIVE]
        unsafe {
            let special = flags::TAB_PROTO | flags::TAB_OWN_ID;
            if table::table_get(t.p, ok).is_nil() {
                let meta = (*t.p).metatable;
                if !self.redirects(meta) {
                    return Ok(false);
                }
                let k = self.guard_tag(k, ok.tag)?;
                self.guard_which_meta(t)?;
                let e = self.dict_find(t, k)?;
                let tag = self.load_tag(Place::Entry(e))?;
                self.guard_nil(tag, true)?;
                let o = self.typed(t.r);
                let done = self.store_missing(i, meta, o, (k, ok), (v, ov))?;
                return Ok(done.unwrap_or(false));
            }
            if (*t.p).hdr.flags & special != 0 {
                return Ok(false);
            }
            let k = self.guard_tag(k, ok.tag)?;
            let v = self.storable(v, ov)?;
            let f = self.field(t.r, FieldId::TabFlags)?;
            let bits = self.buf.k(Ty::U8, special.into());
            self.guard(IrOp::BitsZ, Ty::U8, f, bits)?;
            let e = self.dict_find(t, k)?;
            let at = Place::Entry(e);
            let tag = self.load_tag(at)?;
            self.guard_nil(tag, false)?;
            self.barrier(t.r, v)?;
            self.store(at, v)?;
            Ok(true)
        }
    }

    // ---- globals ------------------------------------------------------------------------------------------------------

    unsafe fn environment(&mut self, n: usize) -> Rec<Option<Tab>> {
        // SAFETY: [CODE] [GC-LIVE]
        unsafe {
            let (cell, k) = self.upvalue_cell(n)?;
            let closure = self.frame().closure;
            let is = *((closure as *const u8).add(LuaClosure::UPVALS + 8 * n) as *const *mut Cell);
            let now = (*is).value;
            if now.tag != Tag::TABLE {
                return Ok(None);
            }
            let desc = *(*self.frame().proto).upvals.add(n);
            let v = if !k.is_null() && desc.readonly != 0 {
                self.konst(now)
            } else {
                let v = self.load_cell(cell)?;
                self.guard_tag(v, Tag::TABLE)?
            };
            Ok(Some(Tab {
                r: v.val,
                p: now.as_ptr(),
            }))
        }
    }
    unsafe fn get_global(&mut self, i: Cursor) -> Rec<bool> {
        // SAFETY: [CODE] [GC-LIVE]
        unsafe {
            let key = i.word(3) as *mut Str;
            let Some(t) = self.environment((bc::b(i.w) / 8) as usize)? else {
                return Ok(false);
            };
            let found = self.lookup(t, key)?;
            let key = self.konst(Value::ptr(key, Tag::STRING));
            self.give_found(i, found, key)
        }
    }
    #[inline(never)]
    unsafe fn set_global(&mut self, i: Cursor) -> Rec<bool> {
        // SAFETY: [CODE] [GC-LIVE]
        unsafe {
            let key = i.word(3) as *mut Str;
            let Some(t) = self.environment((bc::b(i.w) / 8) as usize)? else {
                return Ok(false);
            };
            let f = (*t.p).hdr.flags;
            let now = table::table_get_str(t.p, key);
            if f & flags::TAB_DICT == 0 || f & flags::TAB_PROTO != 0 || now.is_nil() {
                return Ok(false);
            }
            let (v, ov) = (self.tv(i.ra())?, self.observed(i.ra()));
            let v = self.storable(v, ov)?;
            let g = self.global();
            table::own_id(g, t.p);
            self.guard_shape(t)?;
            let Some(e) = table::dict_entry(t.p, key) else {
                return Ok(false);
            };
            let at = Place::Entry(self.buf.k_ptr(e as u64));
            let tag = self.load_tag(at)?;
            self.guard_nil(tag, false)?;
            self.barrier(t.r, v)?;
            // the dictionary has a barrier byte of its own
            let d = self.field(t.r, FieldId::TabHash)?;
            self.barrier(d, v)?;
            self.store(at, v)?;
            Ok(true)
        }
    }

    // ---- methods --------------------------------------------------------------------------------------------------------

    #[inline(never)]
    unsafe fn self_get(&mut self, i: Cursor) -> Rec<bool> {
        // SAFETY: [CODE] [GC-LIVE]
        unsafe {
            let key = i.word(3) as *mut Str;
            let o = self.observed(i.rb());
            let found = match o.tag {
                Tag::TABLE => {
                    let Some(t) = self.table_operand(i.rb())? else {
                        return Ok(false);
                    };
                    self.lookup(t, key)?
                }
                Tag::STRING => {
                    self.guard_observed(i.rb())?;
                    let g = self.global();
                    let mt = g.hot.type_meta[0];
                    if mt.is_null() {
                        return Ok(false);
                    }
                    let at = self.buf.k_ptr(&raw const g.hot.type_meta[0] as u64);
                    let at = self.emit(IrOp::XRef, Ty::Ptr, at, REF_NONE)?;
                    let m = self.emit(IrOp::LdV, Ty::Ptr, at, REF_NONE)?;
                    let k = self.buf.k_ptr(mt as u64);
                    self.guard(IrOp::Eq, Ty::Ptr, m, k)?;
                    let o = self.tv(i.rb())?;
                    let k = Value::ptr(key, Tag::STRING);
                    let k = (self.konst(k), k);
                    self.missing(mt, o, k)?
                }
                Tag::USERDATA => {
                    let k = Value::ptr(key, Tag::STRING);
                    let k = (self.konst(k), k);
                    self.userdata_get(i.rb(), k)?
                }
                _ => None,
            };
            if found.is_none() {
                return Ok(false);
            }
            let recv = self.tv(i.rb())?;
            self.pin_snap()?;
            self.set(i.ra() + 1, recv);
            let key = self.konst(Value::ptr(key, Tag::STRING));
            self.give_found(i, found, key)
        }
    }
}
