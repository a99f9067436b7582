//! Functions of `table`.

use traceorus_base::bytecode::MULTI;
use traceorus_base::fastfn::FastFn;
use traceorus_base::objects::*;
use traceorus_base::{Tag, Value};
use traceorus_vm::table::table_len;

use super::{Native, Results};
use crate::ir::{CallId, IrOp, Ty};
use crate::record::Recorder;
use crate::record::table::Tab;
use crate::rt;

/// Most elements that `unpack` gives in line.
const MAX_UNPACK: i64 = 16;

impl Recorder {
    pub(super) unsafe fn table_function(&mut self, id: FastFn, c: Native) -> Results {
        // SAFETY: [GC-LIVE] as `native`.
        unsafe {
            let Some((r, p)) = self.plain_table(c, 1)? else {
                return Ok(None);
            };
            let t = Tab { r, p };
            match id {
                FastFn::Insert => self.insert(c, t),
                FastFn::Remove => self.remove(c, t),
                FastFn::Unpack => self.unpack(c, t),
                FastFn::TableConcat => self.table_concat(c, t),
                _ => Ok(None),
            }
        }
    }

    /// Inserts at a position.
    unsafe fn insert_at(&mut self, c: Native, t: Tab) -> Results {
        // SAFETY: [GC-LIVE] as `native`.
        unsafe {
            let pos = self.oarg(c, 2);
            let len = table_len(t.p) as i64;
            if pos.tag != Tag::INT || !(1..=len + 1).contains(&pos.as_int()) {
                return Ok(None);
            }
            let pos = self.arg(c, 2)?.val;
            let v = self.arg(c, 3)?;
            let bits = self.bits(v)?;
            let done = self.rt(IrOp::Call, CallId::TabInsert, &[t.r, pos, bits, v.tag])?;
            let zero = self.buf.k_int(0);
            self.guard(IrOp::Ne, Ty::Int, done, zero)?;
            Ok(Some(Vec::new()))
        }
    }

    /// Appends.
    unsafe fn insert(&mut self, c: Native, t: Tab) -> Results {
        // SAFETY: [GC-LIVE] as `native`.
        unsafe {
            let ov = self.oarg(c, 2);
            if c.nargs == 3 {
                return self.insert_at(c, t);
            }
            if c.nargs != 2 || ov.is_nil() {
                return Ok(None);
            }
            let at = table_len(t.p) as i64 + 1;
            let v = self.arg(c, 2)?;
            let kind = (*t.p).hdr.extra;
            let fits = kind == ov.tag.byte() as u8 || kind == Tag::ANY.byte() as u8;
            if at < i64::from((*t.p).arr_cap) && fits {
                let len = self.rt(IrOp::CallL, CallId::TabLen, &[t.r])?;
                let one = self.buf.k_int(1);
                let k = self.emit(IrOp::Add, Ty::Int, len, one)?;
                let k = self.typed(k);
                if self.set_index(c.i, c.at + 1, (k, Value::int(at)), (v, ov))? {
                    return Ok(Some(Vec::new()));
                }
            }
            let bits = self.bits(v)?;
            let done = self.rt(IrOp::Call, CallId::TabAppend, &[t.r, bits, v.tag])?;
            let zero = self.buf.k_int(0);
            self.guard(IrOp::Ne, Ty::Int, done, zero)?;
            Ok(Some(Vec::new()))
        }
    }

    /// Takes an element away, by default the last one.
    unsafe fn remove(&mut self, c: Native, t: Tab) -> Results {
        // SAFETY: [GC-LIVE] as `native`.
        unsafe {
            let n = table_len(t.p);
            if c.nargs > 2 || n == 0 || n >= u64::from((*t.p).arr_cap) {
                return Ok(None);
            }
            let at = if c.nargs == 2 {
                let pos = self.oarg(c, 2);
                if pos.tag != Tag::INT || !(1..=n).contains(&pos.payload) {
                    return Ok(None);
                }
                let pos = self.arg(c, 2)?.val;
                self.rt(IrOp::Call, CallId::TabRemove, &[t.r, pos])?
            } else {
                self.rt(IrOp::Call, CallId::TabPop, &[t.r])?
            };
            let null = self.buf.k_ptr(0);
            self.guard(IrOp::Ne, Ty::Ptr, at, null)?;
            Ok(Some(vec![self.result(at, 0)?]))
        }
    }

    /// As many elements as there are now.
    unsafe fn unpack(&mut self, c: Native, t: Tab) -> Results {
        // SAFETY: [GC-LIVE] as `native`.
        unsafe {
            let Some((i, oi)) = self.int_arg(c, 2, 1)? else {
                return Ok(None);
            };
            let olast = self.oarg(c, 3);
            let (j, oj) = match olast.tag {
                Tag::NIL => {
                    self.arg(c, 3)?;
                    let n = self.rt(IrOp::CallL, CallId::TabLen, &[t.r])?;
                    (n, table_len(t.p) as i64)
                }
                Tag::INT => (self.arg(c, 3)?.val, olast.as_int()),
                _ => return Ok(None),
            };
            if oi < 0 || oj < oi || oj.saturating_sub(oi) >= MAX_UNPACK || oj >= i64::MAX - 1 {
                return Ok(None);
            }
            // both ends are facts of the trace
            self.guard_is(i, oi as u64)?;
            self.guard_is(j, oj as u64)?;
            let count = oj - oi + 1;
            if c.wanted == MULTI {
                self.need_slots(self.base() + c.at + count as i16 + 1)?;
            }
            let mut out = Vec::new();
            for k in oi..oi + count.min(c.wanted.into()) {
                let key = self.buf.k_int(k);
                match self.get_int(t, key, k)? {
                    Some(v) => out.push(v),
                    None => return Ok(None),
                }
            }
            Ok(Some(out))
        }
    }

    unsafe fn table_concat(&mut self, c: Native, t: Tab) -> Results {
        // SAFETY: [GC-LIVE] as `native`.
        unsafe {
            let osep = self.oarg(c, 2);
            let Some((i, oi)) = self.int_arg(c, 3, 1)? else {
                return Ok(None);
            };
            let olast = self.oarg(c, 4);
            let oj = match olast.tag {
                Tag::NIL => table_len(t.p) as i64,
                Tag::INT => olast.as_int(),
                _ => return Ok(None),
            };
            let osep = match osep.tag {
                Tag::STRING => osep.as_ptr::<Str>(),
                Tag::NIL => self.global().str_new(b""),
                _ => return Ok(None),
            };
            if rt::concat_len(t.p, osep, oi, oj).is_none() {
                return Ok(None);
            }
            let sep = self.arg(c, 2)?;
            let sep = if sep.val.is_none() {
                self.text(b"").val
            } else {
                sep.val
            };
            let last = self.arg(c, 4)?;
            let j = if last.val.is_none() {
                self.rt(IrOp::CallL, CallId::TabLen, &[t.r])?
            } else {
                last.val
            };
            Ok(Some(vec![
                self.rt_string(CallId::TabConcat, &[t.r, sep, i, j])?,
            ]))
        }
    }
}
