//! Generic loops: calls of `next`, of the iterators of `ipairs` and `string.gmatch`, and of Lua functions by TFORCALL.

use traceorus_base::bytecode as bc;
use traceorus_base::fastfn::{FastFn, Quiet};
use traceorus_base::frame::{self, kind};
use traceorus_base::objects::*;
use traceorus_base::{Tag, Value};
use traceorus_vm::table::{table_get_int, table_next};

use super::call::Callee;
use super::table::Tab;
use super::{Cursor, How, Rec, Recorder, Step, Tv};
use crate::ir::{CallId, IrOp, Ty};
use crate::rt;

impl Recorder {
    /// `R[A], .. = R[A-4](R[A-3], R[A-2])`.
    #[inline(never)]
    pub(crate) unsafe fn tfor_call(&mut self, i: Cursor) -> Rec<Step> {
        // SAFETY: [CODE] [GC-LIVE] iterator, state and control variable are in slots.
        unsafe {
            let a = i.ra();
            if let Some(step) = self.switching_loop(i)? {
                return Ok(step);
            }
            let (f, t, k) = (
                self.observed(a - 4),
                self.observed(a - 3),
                self.observed(a - 2),
            );
            let wanted = bc::c(i.w) as i16;
            if self.is_gmatch(f) {
                let Some(values) = self.gmatch_next(a - 4, wanted as usize)? else {
                    return self.generic(i);
                };
                for (n, v) in values.into_iter().enumerate() {
                    self.set(a + n as i16, v);
                }
                let top = self.base() + a + wanted;
                self.forget_from(top);
                return Ok(Step::More);
            }
            if f.tag != Tag::FUNCTION {
                return self.generic(i);
            }
            if (*f.as_ptr::<GcHeader>()).kind == ObjKind::LuaClosure as u8 {
                return self.call_iterator(i, f.as_ptr());
            }
            if let Some(step) = self.library_iterator(i, f)? {
                return Ok(step);
            }
            if t.tag != Tag::TABLE {
                return self.generic(i);
            }
            let c = f.as_ptr::<NativeClosure>();
            if (*c).hdr.kind != ObjKind::NativeClosure as u8 {
                return self.generic(i);
            }
            let is = (*c).hdr.flags & (flags::NATIVE_NEXT | flags::NATIVE_IPAIRS);
            if is == 0 || is == flags::NATIVE_IPAIRS && k.tag != Tag::INT {
                return self.generic(i);
            }
            let fv = self.guard_observed(a - 4)?;
            self.guard_is(fv.val, f.payload)?;
            let r = self.guard_observed(a - 3)?.val;
            let t = Tab { r, p: t.as_ptr() };
            let weak = (*t.p).hdr.flags & flags::TAB_WEAK != 0;
            let found = match (is == flags::NATIVE_IPAIRS, weak) {
                (true, false) => self.next_index(t, a - 2, k.as_int())?,
                (true, true) => self.next_weak_index(t, a - 2, k.as_int())?,
                (false, false) => self.next_pair(t, a - 2, k)?,
                (false, true) => {
                    let k = self.tv(a - 2)?;
                    Some(self.next_entry(t.r, k)?)
                }
            };
            let Some(found) = found else {
                return self.generic(i);
            };
            let nil = self.nil();
            for n in 0..wanted {
                let v = match n {
                    0 => found.0,
                    1 => found.1,
                    _ => nil,
                };
                self.set(a + n, v);
            }
            let top = self.base() + a + wanted;
            self.forget_from(top);
            Ok(Step::More)
        }
    }

    /// A Lua function as iterator: its call becomes part of the trace, with a frame as the interpreter makes it.
    #[inline(never)]
    unsafe fn call_iterator(&mut self, i: Cursor, closure: *mut LuaClosure) -> Rec<Step> {
        // SAFETY: [CODE] [GC-LIVE] iterator, state and control variable are in slots.
        unsafe {
            let a = i.ra();
            let proto = (*closure).proto;
            let inside = self.frames.iter().any(|fr| fr.proto == proto);
            if inside || self.frames.len() as u32 > self.params.maxdepth {
                return self.generic(i);
            }
            let fv = self.guard_observed(a - 4)?;
            // most are made for one loop
            let known = fv.val.is_const();
            if !known {
                self.guard_prototype(fv, proto)?;
            }
            let func = self.base() + a;
            if !self.room_to_call(func, proto, 2)? {
                return self.generic(i);
            }
            for k in 1..3 {
                let v = self.tv(a - 4 + k)?;
                self.set(a + k, v);
            }
            let word = self.buf.k(Ty::Word, frame::word(kind::LUA, i.pc as u64, 0));
            self.enter_frame(Callee {
                func,
                val: fv.val,
                closure,
                known,
                nargs: 2,
                word,
                call_pc: i.pc,
                how: How::Call,
            })?;
            Ok(Step::More)
        }
    }

    /// An iterator that a library has made, other than those of `pairs`, `ipairs` and `string.gmatch`.
    #[inline(never)]
    unsafe fn library_iterator(&mut self, i: Cursor, f: Value) -> Rec<Option<Step>> {
        // SAFETY: [GC-LIVE] as `tfor_call`.
        unsafe {
            let c = f.as_ptr::<NativeClosure>();
            let next = flags::NATIVE_NEXT | flags::NATIVE_IPAIRS;
            if (*c).hdr.kind != ObjKind::NativeClosure as u8 || (*c).hdr.flags & next != 0 {
                return Ok(None);
            }
            let id = FastFn::from_u32((*c).hdr.word);
            if id.quiet() != Quiet::Always {
                return Ok(None);
            }
            let a = i.ra();
            let fv = self.guard_observed(a - 4)?.val;
            self.guard_number(fv, id)?;
            if matches!(id, FastFn::CodesNext | FastFn::CodesNextLax)
                && let Some((k, v)) = self.next_code(a, id == FastFn::CodesNextLax)?
            {
                let wanted = bc::c(i.w) as i16;
                let nil = self.nil();
                for n in 0..wanted {
                    let v = match n {
                        0 => k,
                        1 => v,
                        _ => nil,
                    };
                    self.set(a + n, v);
                }
                let top = self.base() + a + wanted;
                self.forget_from(top);
                return Ok(Some(Step::More));
            }
            self.perform(i, true).map(Some)
        }
    }

    /// What the iterator of `utf8.codes` gives next; `None`: it may be an error.
    unsafe fn next_code(&mut self, a: i16, lax: bool) -> Rec<Option<(Tv, Tv)>> {
        // SAFETY: [GC-LIVE] as `tfor_call`.
        unsafe {
            let (s, k) = (self.observed(a - 3), self.observed(a - 2));
            if s.tag != Tag::STRING || k.tag != Tag::INT {
                return Ok(None);
            }
            let now = rt::utf8_next(s.as_ptr(), k.as_int(), lax.into());
            if now < 0 {
                return Ok(None);
            }
            let s = self.guard_observed(a - 3)?.val;
            let k = self.guard_observed(a - 2)?.val;
            let lax = self.buf.k_int(lax.into());
            let both = self.rt(IrOp::CallN, CallId::Utf8Next, &[s, k, lax])?;
            let zero = self.buf.k_int(0);
            if now == 0 {
                self.guard(IrOp::Eq, Ty::Int, both, zero)?;
                let nil = self.nil();
                return Ok(Some((nil, nil)));
            }
            self.guard(IrOp::Gt, Ty::Int, both, zero)?;
            let (bits, mask) = (self.buf.k_int(31), self.buf.k_int((1 << 31) - 1));
            let at = self.emit(IrOp::Shr, Ty::Int, both, bits)?;
            let code = self.emit(IrOp::And, Ty::Int, both, mask)?;
            Ok(Some((self.typed(at), self.typed(code))))
        }
    }

    /// `R[A+3]` is to be closed after the loop, unless it is nil or false.
    #[inline(never)]
    pub(crate) unsafe fn tfor_prep(&mut self, i: Cursor) -> Rec<Step> {
        // SAFETY: as `instruction`.
        unsafe { self.register(i, i.ra() + 3) }
    }

    /// What the iterator of `ipairs` gives after the index in `control`.
    unsafe fn next_index(&mut self, t: Tab, control: i16, ok: i64) -> Rec<Option<(Tv, Tv)>> {
        // SAFETY: [GC-LIVE] as `tfor_call`.
        unsafe {
            let k = self.guard_observed(control)?.val;
            let one = self.buf.k_int(1);
            let k = self.emit(IrOp::Add, Ty::Int, k, one)?;
            let ok = ok.wrapping_add(1);
            let Some(v) = self.get_int(t, k, ok)? else {
                return Ok(None);
            };
            let end = table_get_int(t.p, ok).is_nil();
            self.guard_nil(v.tag, end)?;
            if end {
                let nil = self.nil();
                return Ok(Some((nil, nil)));
            }
            Ok(Some((self.typed(k), v)))
        }
    }

    /// What `next` gives after the key in `control`.
    unsafe fn next_pair(&mut self, t: Tab, control: i16, ok: Value) -> Rec<Option<(Tv, Tv)>> {
        // SAFETY: [GC-LIVE] as `tfor_call`.
        unsafe {
            let Ok(after) = table_next(t.p, ok, ok.aux) else {
                return Ok(None);
            };
            // from one element of the array part to the next
            if let Some((k, v, _)) = after
                && ok.tag == Tag::INT
                && k.tag == Tag::INT
                && k.as_int() == ok.as_int().wrapping_add(1)
                && k.payload < u64::from((*t.p).arr_cap)
            {
                debug_assert!(!v.is_nil());
                let key = self.guard_observed(control)?.val;
                // -1 is no slot of the array, though 0, behind it, is one
                let (one, not) = (self.buf.k_int(1), self.buf.k_int(-1));
                self.guard(IrOp::Ne, Ty::Int, key, not)?;
                let key = self.emit(IrOp::Add, Ty::Int, key, one)?;
                let v = match self.dense_value(t, key, k.as_int())? {
                    Some(v) => v,
                    None => {
                        let at = self.element(t, key)?;
                        let v = self.load(at)?;
                        self.guard_nil(v.tag, false)?;
                        v
                    }
                };
                return Ok(Some((self.typed(key), v)));
            }
            let k = self.tv(control)?;
            let found = self.next_entry(t.r, k)?;
            Ok(Some(found))
        }
    }
}
