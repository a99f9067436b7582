//! Access to weak tables: a collection at a poll changes them, so nothing is known of what they hold, and each access is a call.

use traceorus_base::bytecode::{self as bc, Op};
use traceorus_base::meta::MetaMethod;
use traceorus_base::objects::*;
use traceorus_base::{Tag, Value};
use traceorus_vm::table::table_get;

use super::meta::Operand;
use super::table::Tab;
use super::{Cursor, Rec, Recorder, Tv};
use crate::ir::{CallId, IrOp, Ref, Ty};

impl Recorder {
    /// Performs the instruction if it is an access to a weak table by anything but nil, and no metamethod is called.
    #[inline(never)]
    pub(super) unsafe fn weak_access(&mut self, i: Cursor) -> Rec<bool> {
        // SAFETY: [CODE] [GC-LIVE] operands are in slots.
        unsafe {
            let (a, b, c) = (i.ra(), i.rb(), i.rc());
            let of = match i.op {
                Op::GetField | Op::GetIndex | Op::GetInt => b,
                Op::SetField | Op::SetIndex | Op::SetInt => a,
                _ => return Ok(false),
            };
            let o = self.observed(of);
            if o.tag != Tag::TABLE || (*o.as_ptr::<GcHeader>()).flags & flags::TAB_WEAK == 0 {
                return Ok(false);
            }
            let fixed = |n: u16| Value::int(i64::from(n as i16));
            let text = |n| Value::ptr(i.word(n) as *mut Str, Tag::STRING);
            let (k, v) = match i.op {
                Op::GetField => (self.fixed_key(text(2)), None),
                Op::GetInt => (self.fixed_key(fixed(bc::c(i.w))), None),
                Op::GetIndex => ((self.tv(c)?, self.observed(c)), None),
                Op::SetField => (self.fixed_key(text(2)), Some(b)),
                Op::SetInt => (self.fixed_key(fixed(bc::b(i.w))), Some(c)),
                _ => ((self.tv(b)?, self.observed(b)), Some(c)),
            };
            if k.1.is_nil() {
                return Ok(false);
            }
            let t = Tab {
                r: self.guard_observed(of)?.val,
                p: o.as_ptr(),
            };
            let mt = self.guard_metatable(t)?;
            let key = self.guard_tag(k.0, k.1.tag)?;
            let bits = self.bits(key)?;
            match v {
                None => {
                    let v = self.weak_get((t, mt), k.1, (bits, key.tag))?;
                    if let Some(v) = v {
                        self.set(a, v);
                    }
                    Ok(v.is_some())
                }
                Some(v) => {
                    let v = (self.tv(v)?, self.observed(v));
                    self.weak_set((t, mt), (bits, key.tag), v)
                }
            }
        }
    }
    fn fixed_key(&mut self, k: Value) -> Operand {
        (self.konst(k), k)
    }

    unsafe fn weak_get(
        &mut self,
        (t, mt): (Tab, *mut Table),
        ok: Value,
        (bits, tag): (Ref, Ref),
    ) -> Rec<Option<Tv>> {
        // SAFETY: as `weak_access`.
        unsafe {
            let nil = table_get(t.p, ok).is_nil();
            if nil && !self.guard_no_method(mt, MetaMethod::Index.name().as_bytes())? {
                return Ok(None);
            }
            let at = self.rt(IrOp::Call, CallId::TabGet, &[t.r, bits, tag])?;
            let v: Tv = self.result(at, 0)?;
            self.guard_nil(v.tag, nil)?;
            Ok(Some(if nil { self.nil() } else { v }))
        }
    }

    /// What the iterator of `ipairs` gives for the weak table `t` after the index `ok`, which is in register `control`.
    pub(super) unsafe fn next_weak_index(
        &mut self,
        t: Tab,
        control: i16,
        ok: i64,
    ) -> Rec<Option<(Tv, Tv)>> {
        // SAFETY: as `weak_access`.
        unsafe {
            let k = self.guard_observed(control)?.val;
            let k = self.plus(k, 1)?;
            let ok = Value::int(ok.wrapping_add(1));
            let mt = self.guard_metatable(t)?;
            let key = self.typed(k);
            let Some(v) = self.weak_get((t, mt), ok, (k, key.tag))? else {
                return Ok(None);
            };
            let end = self.known_tag(v) == Some(Tag::NIL);
            Ok(Some((if end { v } else { key }, v)))
        }
    }

    unsafe fn weak_set(
        &mut self,
        (t, mt): (Tab, *mut Table),
        (bits, tag): (Ref, Ref),
        (v, ov): Operand,
    ) -> Rec<bool> {
        // SAFETY: as `weak_access`.
        unsafe {
            if !self.guard_no_method(mt, MetaMethod::NewIndex.name().as_bytes())? {
                return Ok(false);
            }
            let v = self.storable(v, ov)?;
            let val = self.bits(v)?;
            let done = self.rt(IrOp::Call, CallId::TabSet, &[t.r, bits, tag, val, v.tag])?;
            let zero = self.buf.k_int(0);
            self.guard(IrOp::Ne, Ty::Int, done, zero)?;
            Ok(true)
        }
    }
}
