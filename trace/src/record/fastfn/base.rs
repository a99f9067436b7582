//! Functions of the basic library.

use traceorus_base::fastfn::FastFn;
use traceorus_base::meta::MetaMethod;
use traceorus_base::objects::*;
use traceorus_base::{Tag, Value};
use traceorus_vm::arith::ArithOp;
use traceorus_vm::string::{str_bytes, str_is_short};
use traceorus_vm::{arith, number, shape, table};

use super::string::prim_text;
use super::{Native, Results};
use crate::ir::{CallId, FieldId, IrOp, REF_NONE, Ref, Ty};
use crate::record::meta::{Handler, Operand};
use crate::record::table::Tab;
use crate::record::{Rec, Recorder, Tv};

impl Recorder {
    #[inline(never)]
    pub(super) unsafe fn base_function(&mut self, id: FastFn, c: Native) -> Results {
        use FastFn::*;
        // SAFETY: [GC-LIVE] as `native`.
        unsafe {
            // most of them ask for a first argument, even if that is nil
            if c.nargs == 0 {
                return Ok(None);
            }
            let o = self.oarg(c, 1);
            Ok(Some(vec![match id {
                Assert => {
                    if o.is_falsy() {
                        return Ok(None);
                    }
                    let v = self.any_arg(c, 1)?;
                    self.guard_truth(v, false)?;
                    let mut all = Vec::new();
                    for n in 1..=c.nargs {
                        all.push(self.any_arg(c, n)?);
                    }
                    return Ok(Some(all));
                }
                Type => {
                    let name = match o.tag {
                        Tag::NIL => 0,
                        Tag::TRUE | Tag::FALSE => 1,
                        Tag::STRING => 3,
                        Tag::TABLE => 4,
                        Tag::FUNCTION => 5,
                        Tag::THREAD => 7,
                        t if t.is_number() => 2,
                        _ => 6,
                    };
                    let v = self.any_arg(c, 1)?;
                    self.asked_tag(v, o.tag)?;
                    let name = self.upvalue_of(c, name);
                    self.konst(name)
                }
                Select => return self.select(c, o),
                ToString => return self.tostring(c, o),
                ToNumber => return self.tonumber(c, o),
                RawEqual => {
                    if c.nargs < 2 {
                        return Ok(None);
                    }
                    return self.rawequal(c);
                }
                RawLen => match o.tag {
                    Tag::STRING => {
                        let s = self.arg(c, 1)?.val;
                        let f = Self::lit(FieldId::StrLen as u16);
                        let n = self.emit(IrOp::FLd, Ty::Int, s, f)?;
                        self.typed(n)
                    }
                    Tag::TABLE => {
                        let t = self.arg(c, 1)?.val;
                        let n = self.rt(IrOp::CallL, CallId::TabLen, &[t])?;
                        self.typed(n)
                    }
                    _ => return Ok(None),
                },
                RawGet => {
                    if o.tag != Tag::TABLE || c.nargs < 2 {
                        return Ok(None);
                    }
                    let r = self.arg(c, 1)?.val;
                    let t = Tab { r, p: o.as_ptr() };
                    match self.raw_get(t, c, 2)? {
                        Some(v) => v,
                        None => return Ok(None),
                    }
                }
                RawSet => return self.rawset(c, o),
                Next => {
                    let k = self.oarg(c, 2);
                    if o.tag != Tag::TABLE || table::table_next(o.as_ptr(), k, k.aux).is_err() {
                        return Ok(None);
                    }
                    let t = self.arg(c, 1)?.val;
                    let k = self.any_arg(c, 2)?;
                    let (key, value) = self.next_entry(t, k)?;
                    return Ok(Some(vec![key, value]));
                }
                Pairs => return self.pairs(c, o),
                Ipairs => {
                    let v = self.any_arg(c, 1)?;
                    let iter = self.upvalue_of(c, 0);
                    let (iter, zero) = (self.konst(iter), self.int_tv(0));
                    return Ok(Some(vec![iter, v, zero]));
                }
                GetMetatable => return self.getmetatable(c, o),
                SetMetatable => return self.setmetatable(c, o),
                _ => return Ok(None),
            }]))
        }
    }

    /// Upvalue `n` of the function, which its library has set.
    unsafe fn upvalue_of(&mut self, c: Native, n: usize) -> Value {
        // SAFETY: [GC-LIVE] the function has it.
        let v = unsafe { *((c.f as *mut u8).add(NativeClosure::UPVALS) as *const Value).add(n) };
        Value::new(v.payload, v.tag)
    }

    unsafe fn select(&mut self, c: Native, o: Value) -> Results {
        // SAFETY: [GC-LIVE] as `native`.
        unsafe {
            let v = self.any_arg(c, 1)?;
            if o.tag == Tag::STRING && str_bytes(o.as_ptr()).first() == Some(&b'#') {
                let v = self.arg(c, 1)?;
                self.guard_is(v.val, o.payload)?;
                return Ok(Some(vec![self.int_tv(i64::from(c.nargs) - 1)]));
            }
            // which one is a fact of the trace only if it is a constant, as in unrolled loops
            if o.tag != Tag::INT || !v.val.is_const() {
                return Ok(None);
            }
            let n = i64::from(c.nargs);
            let from = match o.as_int() {
                i if i < 0 => n.saturating_add(i),
                i => i.min(n),
            };
            if from < 1 {
                return Ok(None);
            }
            let mut rest = Vec::new();
            for k in from + 1..=n {
                rest.push(self.any_arg(c, k as i16)?);
            }
            Ok(Some(rest))
        }
    }

    unsafe fn tostring(&mut self, c: Native, o: Value) -> Results {
        // SAFETY: [GC-LIVE] as `native`.
        unsafe {
            let v = self.arg(c, 1)?;
            if !self.shown_plainly((v, o))? {
                return Ok(None);
            }
            Ok(Some(vec![match o.tag {
                Tag::STRING => v,
                Tag::INT => self.rt_string(CallId::IntStr, &[v.val])?,
                Tag::FLOAT => self.rt_string(CallId::FloatStr, &[v.val])?,
                Tag::NIL | Tag::TRUE | Tag::FALSE => self.text(prim_text(o.tag)),
                _ => self.object_text(v)?,
            }]))
        }
    }

    /// Guards that a value has no `__tostring`; false: it has, or may.
    pub(super) unsafe fn shown_plainly(&mut self, v: Operand) -> Rec<bool> {
        // SAFETY: as `native`.
        let handler = unsafe { self.handler(v, MetaMethod::ToString)? };
        Ok(matches!(handler, Some(Handler::None)))
    }
    /// What `tostring` shows of an object, which has no `__tostring`.
    pub(super) fn object_text(&mut self, v: Tv) -> Rec<Tv> {
        self.rt_string(CallId::ObjStr, &[v.val, v.tag])
    }

    #[inline(never)]
    unsafe fn tonumber(&mut self, c: Native, o: Value) -> Results {
        // SAFETY: [GC-LIVE] as `native`.
        unsafe {
            let base = self.oarg(c, 2);
            if !base.is_nil() {
                let b = base.as_int();
                if base.tag != Tag::INT || !(2..=36).contains(&b) || o.tag != Tag::STRING {
                    return Ok(None);
                }
                let read = number::int_in_base(str_bytes(o.as_ptr()), b as u32);
                if read.is_none_or(|n| n == i64::MIN) {
                    return Ok(None);
                }
                let s = self.arg(c, 1)?.val;
                let b = self.arg(c, 2)?.val;
                let b = self.guard_is(b, base.payload)?;
                let n = self.rt(IrOp::CallN, CallId::StrIntBase, &[s, b])?;
                let least = self.buf.k_int(i64::MIN);
                self.guard(IrOp::Ne, Ty::Int, n, least)?;
                return Ok(Some(vec![self.typed(n)]));
            }
            self.arg(c, 2)?;
            let v = self.arg(c, 1)?;
            if o.tag == Tag::INT || o.tag == Tag::FLOAT {
                return Ok(Some(vec![v]));
            }
            if o.tag != Tag::STRING {
                return Ok(Some(vec![self.konst(Value::NIL)]));
            }
            let Some(n) = number::to_number(o) else {
                let zero = self.buf.k_int(0);
                let is = self.rt(IrOp::CallN, CallId::StrIsNum, &[v.val])?;
                self.guard(IrOp::Eq, Ty::Int, is, zero)?;
                return Ok(Some(vec![self.konst(Value::NIL)]));
            };
            Ok(self.text_number(v.val, n)?.map(|n| vec![n]))
        }
    }

    /// The number that the text `s` is, now `now`.
    fn text_number(&mut self, s: Ref, now: Value) -> Rec<Option<Tv>> {
        if now.tag != Tag::INT {
            let x = self.rt(IrOp::CallN, CallId::StrFloat, &[s])?;
            self.guard(IrOp::Eq, Ty::Float, x, x)?;
            return Ok(Some(self.typed(x)));
        }
        if now.as_int() == i64::MIN {
            return Ok(None);
        }
        let n = self.rt(IrOp::CallN, CallId::StrInt, &[s])?;
        let least = self.buf.k_int(i64::MIN);
        self.guard(IrOp::Ne, Ty::Int, n, least)?;
        Ok(Some(self.typed(n)))
    }

    /// Arithmetic with texts, by the metamethod `id` of strings.
    pub(super) unsafe fn text_arith(&mut self, id: FastFn, c: Native) -> Results {
        let op = match id {
            FastFn::StrAdd => ArithOp::Add,
            FastFn::StrDiv => ArithOp::Div,
            FastFn::StrIDiv => ArithOp::IDiv,
            FastFn::StrMod => ArithOp::Mod,
            FastFn::StrMul => ArithOp::Mul,
            FastFn::StrPow => ArithOp::Pow,
            FastFn::StrSub => ArithOp::Sub,
            FastFn::StrUnm => ArithOp::Unm,
            _ => return Ok(None),
        };
        let mut operands = [(self.nil(), Value::NIL); 2];
        for (n, to) in (1..).zip(&mut operands) {
            let o = self.oarg(c, n);
            // SAFETY: [GC-LIVE] as `native`.
            let Some(now) = (unsafe { number::to_number(o) }) else {
                return Ok(None);
            };
            let v = self.arg(c, n)?;
            let v = match o.tag {
                Tag::STRING => self.text_number(v.val, now)?,
                _ => Some(v),
            };
            let Some(v) = v else {
                return Ok(None);
            };
            *to = (v, now);
        }
        let [(x, ox), (y, oy)] = operands;
        let Some(r) = self.arith_op(op, x, y, ox, oy)? else {
            return Ok(None);
        };
        Ok(Some(vec![self.typed(r)]))
    }

    // ---- raw access ---------------------------------------------------------------------------------------------------------

    #[inline(never)]
    unsafe fn rawequal(&mut self, c: Native) -> Results {
        // SAFETY: [GC-LIVE] as `native`.
        unsafe {
            let (ox, oy) = (self.oarg(c, 1), self.oarg(c, 2));
            let equal = arith::raw_equal(ox, oy);
            let (x, y) = (self.arg(c, 1)?, self.arg(c, 2)?);
            let answer = self.boolean(equal);
            let op = if equal { IrOp::Eq } else { IrOp::Ne };
            if ox.tag.is_number() && oy.tag.is_number() {
                let Some((ty, a, b)) = self.comparable(x, y, ox, oy)? else {
                    return Ok(None);
                };
                self.guard(op, ty, a, b)?;
            } else if ox.tag == oy.tag && !x.val.is_none() {
                if ox.tag == Tag::STRING {
                    if !self.guard_same_text(x, y, equal)? {
                        let r = self.rt(IrOp::CallN, CallId::StrEq, &[x.val, y.val])?;
                        let zero = self.buf.k_int(0);
                        let op = if equal { IrOp::Ne } else { IrOp::Eq };
                        self.guard(op, Ty::Int, r, zero)?;
                    }
                } else {
                    let ty = self.buf.ty(x.val);
                    self.guard(op, ty, x.val, y.val)?;
                }
            }
            Ok(Some(vec![answer]))
        }
    }

    /// The value of argument `n` as a key of `t`, without metamethods.
    unsafe fn raw_get(&mut self, t: Tab, c: Native, n: i16) -> Rec<Option<Tv>> {
        // SAFETY: [GC-LIVE] as `native`.
        unsafe {
            let ok = self.oarg(c, n);
            let dict = (*t.p).hdr.flags & flags::TAB_DICT != 0;
            let weak = (*t.p).hdr.flags & flags::TAB_WEAK != 0;
            if ok.is_nil() {
                return Ok(None);
            }
            let k = self.arg(c, n)?;
            let text = ok.tag == Tag::STRING && !dict;
            let computed = text && !(k.val.is_const() && str_is_short(ok.as_ptr()));
            if ok.tag == Tag::FLOAT || weak || computed {
                let bits = self.bits(k)?;
                let at = self.rt(IrOp::Call, CallId::TabGet, &[t.r, bits, k.tag])?;
                return self.result(at, 0).map(Some);
            }
            match ok.tag {
                Tag::INT if ok.payload < u64::from((*t.p).arr_cap) => {
                    let at = self.element(t, k.val)?;
                    return self.load(at).map(Some);
                }
                Tag::INT => {
                    let cap = self.field(t.r, FieldId::TabCap)?;
                    let cap = self.emit(IrOp::Cast, Ty::Int, cap, REF_NONE)?;
                    self.guard(IrOp::Uge, Ty::Int, k.val, cap)?;
                }
                Tag::STRING if !dict => {
                    self.guard_shape(t)?;
                    let g = self.global();
                    let Some(n) = shape::shape_find(g, (*t.p).shape, ok.as_ptr()) else {
                        return Ok(Some(self.nil()));
                    };
                    let run = self.field(t.r, FieldId::TabHash)?;
                    let at = crate::record::table::Place::Field(run, n as u16);
                    return self.load(at).map(Some);
                }
                _ => {}
            }
            if dict {
                let e = self.dict_find(t, k)?;
                return self.load(crate::record::table::Place::Entry(e)).map(Some);
            }
            // fields are strings
            let f = self.field(t.r, FieldId::TabFlags)?;
            let bit = self.buf.k(Ty::U8, flags::TAB_DICT.into());
            self.guard(IrOp::BitsZ, Ty::U8, f, bit)?;
            Ok(Some(self.nil()))
        }
    }

    unsafe fn rawset(&mut self, c: Native, o: Value) -> Results {
        // SAFETY: [GC-LIVE] as `native`.
        unsafe {
            if o.tag != Tag::TABLE || c.nargs < 3 || self.oarg(c, 2).is_nil() {
                return Ok(None);
            }
            let (r, p) = (self.arg(c, 1)?.val, o.as_ptr::<Table>());
            let t = Tab { r, p };
            let (k, v) = (self.any_arg(c, 2)?, self.any_arg(c, 3)?);
            let (ok, ov) = (self.oarg(c, 2), self.oarg(c, 3));
            let whole = self.typed(r);
            // without a metatable it is an assignment
            if (*p).metatable.is_null() {
                self.guard_no_meta(r)?;
                if self.set_in(c.i, t, (k, ok), (v, ov))? || self.set_any(t, (k, ok), v)? {
                    return Ok(Some(vec![whole]));
                }
            }
            let k = self.guard_tag(k, ok.tag)?;
            let v = self.storable(v, ov)?;
            let (key, val) = (self.bits(k)?, self.bits(v)?);
            let args = [r, key, k.tag, val, v.tag];
            let done = self.rt(IrOp::Call, CallId::TabSet, &args)?;
            let zero = self.buf.k_int(0);
            self.guard(IrOp::Ne, Ty::Int, done, zero)?;
            Ok(Some(vec![whole]))
        }
    }

    // ---- traversal ------------------------------------------------------------------------------------------------------------

    /// Key and value after the key `k` (any value) of the table `t`.
    pub(in crate::record) fn next_entry(&mut self, t: crate::ir::Ref, k: Tv) -> Rec<(Tv, Tv)> {
        let bits = self.bits(k)?;
        let at = self.rt(IrOp::Call, CallId::TabNext, &[t, bits, k.tag])?;
        let null = self.buf.k_ptr(0);
        self.guard(IrOp::Ne, Ty::Ptr, at, null)?;
        Ok((self.result(at, 0)?, self.result(at, 1)?))
    }

    unsafe fn pairs(&mut self, c: Native, o: Value) -> Results {
        // SAFETY: [GC-LIVE] as `native`.
        unsafe {
            if o.tag != Tag::TABLE {
                return Ok(None);
            }
            let v = self.arg(c, 1)?;
            let t = Tab {
                r: v.val,
                p: o.as_ptr(),
            };
            if self.joins_metatables(t) {
                let mt = (*t.p).metatable;
                if !table::meta_get(self.global(), mt, MetaMethod::Pairs).is_nil() {
                    return Ok(None);
                }
                let v = self.join_event(t, MetaMethod::Pairs)?;
                self.guard_nil(v.tag, true)?;
            } else {
                let mt = self.guard_metatable(t)?;
                if !self.guard_no_method(mt, MetaMethod::Pairs.name().as_bytes())? {
                    return Ok(None);
                }
            }
            self.rt(IrOp::Call, CallId::NextPrepare, &[v.val])?;
            let next = self.upvalue_of(c, 0);
            Ok(Some(vec![self.konst(next), v, self.nil()]))
        }
    }

    // ---- metatables ---------------------------------------------------------------------------------------------------------

    /// Guards what the metatable that `t` has now (null: none) says, its keys included: `__mode` may come later.
    pub(in crate::record) unsafe fn guard_metatable(&mut self, t: Tab) -> Rec<*mut Table> {
        // SAFETY: [GC-LIVE] as `native`.
        unsafe {
            let mt = (*t.p).metatable;
            if !mt.is_null() && shape::plain_target(mt).is_some() {
                return self.guard_which_meta(t);
            }
            self.guard_own_metatable(t)
        }
    }

    /// Guards that `t` has the very metatable that it has now (null: none), with the keys that there are.
    unsafe fn guard_own_metatable(&mut self, t: Tab) -> Rec<*mut Table> {
        // SAFETY: [GC-LIVE] as `native`.
        unsafe {
            let mt = (*t.p).metatable;
            if mt.is_null() {
                self.guard_no_meta(t.r)?;
                return Ok(mt);
            }
            let m = self.field(t.r, FieldId::TabMeta)?;
            let k = self.buf.k_ptr(mt as u64);
            self.guard(IrOp::Eq, Ty::Ptr, m, k)?;
            self.keep.push(Value::ptr(mt, Tag::TABLE));
            if table::table_is_cacheable(mt) {
                let g = self.global();
                self.guard_proto(g, mt)?;
            }
            Ok(mt)
        }
    }

    unsafe fn getmetatable(&mut self, c: Native, o: Value) -> Results {
        // SAFETY: [GC-LIVE] as `native`.
        unsafe {
            let name = MetaMethod::Metatable.name().as_bytes();
            let v = self.arg(c, 1)?;
            let mt = match o.tag {
                Tag::TABLE => self.guard_own_metatable(Tab {
                    r: v.val,
                    p: o.as_ptr(),
                })?,
                Tag::USERDATA => return Ok(None),
                t => self.guard_type_meta(t)?,
            };
            if !self.guard_no_method(mt, name)? {
                return Ok(None);
            }
            Ok(Some(vec![if mt.is_null() {
                self.nil()
            } else {
                self.konst(Value::ptr(mt, Tag::TABLE))
            }]))
        }
    }

    unsafe fn setmetatable(&mut self, c: Native, o: Value) -> Results {
        // SAFETY: [GC-LIVE] as `native`.
        unsafe {
            let om = self.oarg(c, 2);
            if c.nargs < 2 || o.tag != Tag::TABLE || !matches!(om.tag, Tag::TABLE | Tag::NIL) {
                return Ok(None);
            }
            let t = Tab {
                r: self.arg(c, 1)?.val,
                p: o.as_ptr(),
            };
            let old = self.guard_metatable(t)?;
            let m = self.arg(c, 2)?;
            let v = self.any_arg(c, 1)?;
            if old.is_null() && om.is_nil() {
                return Ok(Some(vec![v]));
            }
            let any = !om.is_nil() && self.is_any(m.val);
            if old.is_null() && !any && self.set_first_meta(t, m, om)? {
                return Ok(Some(vec![v]));
            }
            let name = MetaMethod::Metatable.name().as_bytes();
            if !self.guard_no_method(old, name)? {
                return Ok(None);
            }
            let mt = if m.val.is_none() {
                self.buf.k(Ty::Tab, 0)
            } else {
                m.val
            };
            self.rt(IrOp::Call, CallId::SetMeta, &[t.r, mt])?;
            if any {
                self.shapeless.push(t.r);
            }
            Ok(Some(vec![v]))
        }
    }

    /// Gives a table of a shared shape and without metatable the metatable `m`, in line; false: nothing has been emitted that
    /// has an effect.
    unsafe fn set_first_meta(&mut self, t: Tab, m: Tv, om: Value) -> Rec<bool> {
        // SAFETY: [GC-LIVE] as `native`.
        unsafe {
            let mt = om.as_ptr::<Table>();
            let g = self.global();
            let special = flags::TAB_DICT | flags::TAB_PROTO | flags::TAB_OWN_ID | flags::TAB_WEAK;
            let ready = flags::TAB_PROTO | flags::TAB_META_SEEN;
            if (*t.p).hdr.flags & special != 0
                || (*mt).hdr.flags & (ready | flags::TAB_VOLATILE) != ready
                || t.p == mt
            {
                return Ok(false);
            }
            let before = (*t.p).shape;
            let after = shape::shape_with_meta(g, before, mt);
            if after.is_null() || (*after).shape_flags & shape_flags::UNCACHED_META != 0 {
                return Ok(false);
            }
            self.keep.push(Value::ptr(after, Tag::SHAPE));
            self.guard_is(m.val, om.payload)?;
            // neither finalizers nor weakness
            for event in [MetaMethod::Gc, MetaMethod::Mode] {
                if !self.guard_no_method(mt, event.name().as_bytes())? {
                    return Ok(false);
                }
            }
            self.guard_shape(t)?;
            let m = self.konst(Value::new(om.payload, om.tag));
            self.barrier(t.r, m)?;
            let stores = [
                (FieldId::TabMeta, Ty::Ptr, mt as u64),
                (FieldId::TabShapeP, Ty::Ptr, after as u64),
                (FieldId::TabShape, Ty::U32, (*after).hdr.word.into()),
            ];
            for (f, ty, bits) in stores {
                let at = self.emit(IrOp::FRef, Ty::Ptr, t.r, Self::lit(f as u16))?;
                let k = self.buf.k(ty, bits);
                self.emit(IrOp::FSt, ty, at, k)?;
            }
            Ok(true)
        }
    }
}
