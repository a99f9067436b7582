//! Functions of `table`.

use traceorus_base::bytecode::MULTI;
use traceorus_base::fastfn::FastFn;
use traceorus_base::objects::*;
use traceorus_base::{Tag, Value};
use traceorus_vm::shape;
use traceorus_vm::table::{table_len, table_sorts};

use super::{Native, Results};
use crate::ir::{CallId, IrOp, REF_NONE, Ref, Ty};
use crate::record::Recorder;
use crate::record::construct::MAX_LIST;
use crate::record::table::{Place, Tab};
use crate::rt;

/// Most elements that `unpack` gives in line.
const MAX_UNPACK: i64 = 16;

impl Recorder {
    #[inline(never)]
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
                FastFn::Sort => self.sort(c, t),
                FastFn::TableMove => self.table_move(c, t),
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
                let k = (k, Value::int(at));
                if self.set_in(c.i, t, k, (v, ov))? || self.set_any(t, k, v)? {
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
    #[inline(never)]
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
            if c.wanted != MULTI && i64::from(c.wanted) <= MAX_UNPACK {
                return self.unpack_some(c, t, (i, oi), (j, oj));
            }
            let count = oj.saturating_sub(oi).saturating_add(1).max(0);
            if oi < 0 || count > MAX_UNPACK || oj >= i64::MAX - 1 {
                return Ok(None);
            }
            // both ends are facts of the trace
            self.guard_is(i, oi as u64)?;
            self.guard_is(j, oj as u64)?;
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

    /// As many elements as are wanted, if there are so many; else as many as there are.
    #[inline(never)]
    unsafe fn unpack_some(
        &mut self,
        c: Native,
        t: Tab,
        (i, oi): (Ref, i64),
        (j, oj): (Ref, i64),
    ) -> Results {
        // SAFETY: [GC-LIVE] as `native`.
        unsafe {
            let wanted = i64::from(c.wanted);
            let there = oj.saturating_sub(oi).saturating_add(1).clamp(0, wanted);
            // neither the difference nor an index overflows
            let most = self.buf.k_int(1 << 40);
            for (end, now) in [(i, oi), (j, oj)] {
                if !(0..1 << 40).contains(&now) {
                    return Ok(None);
                }
                self.guard(IrOp::Ult, Ty::Int, end, most)?;
            }
            let more = self.emit(IrOp::Sub, Ty::Int, j, i)?;
            let last = self.buf.k_int(there - 1);
            let op = if there == wanted { IrOp::Ge } else { IrOp::Eq };
            if there == 0 && wanted != 0 {
                self.guard(IrOp::Lt, Ty::Int, j, i)?;
            } else {
                self.guard(op, Ty::Int, more, last)?;
            }
            let mut out = Vec::new();
            for k in 0..there {
                let key = self.plus(i, k)?;
                match self.get_int(t, key, oi + k)? {
                    Some(v) => out.push(v),
                    None => return Ok(None),
                }
            }
            Ok(Some(out))
        }
    }

    /// `table.pack`: a record with the field `n`, and an array part.
    pub(super) unsafe fn table_pack(&mut self, c: Native) -> Results {
        // SAFETY: [GC-LIVE] as `native`.
        unsafe {
            let g = self.global();
            let key = g.str_new(b"n");
            self.keep.push(Value::ptr(key, Tag::STRING));
            let empty = g.hot.empty_shape;
            let Some(shape) = shape::shape_add(g, empty, key) else {
                return Ok(None);
            };
            self.keep.push(Value::ptr(shape, Tag::SHAPE));
            if c.nargs as usize > MAX_LIST {
                return Ok(None);
            }
            let mut vals = Vec::new();
            for k in 1..=c.nargs {
                vals.push((self.any_arg(c, k)?, self.oarg(c, k)));
            }
            let vals = self.storable_all(vals)?;
            let ks = self.shape_const(shape);
            let t = self.emit(IrOp::TNew, Ty::Tab, ks, Self::lit(1))?;
            let run = self.emit(IrOp::TRun, Ty::Ptr, t, REF_NONE)?;
            let n = self.int_tv(c.nargs.into());
            self.store(Place::Field(run, 0), n)?;
            self.fill(t, vals)?;
            Ok(Some(vec![self.typed(t)]))
        }
    }

    /// Without an order function, and where that would not show.
    unsafe fn sort(&mut self, c: Native, t: Tab) -> Results {
        // SAFETY: [GC-LIVE] as `native`.
        unsafe {
            let n = table_len(t.p) as usize;
            if !self.oarg(c, 2).is_nil() || n > 1 && table_sorts(t.p, n).is_none() {
                return Ok(None);
            }
            self.arg(c, 2)?;
            let done = self.rt(IrOp::Call, CallId::TabSort, &[t.r])?;
            let zero = self.buf.k_int(0);
            self.guard(IrOp::Ne, Ty::Int, done, zero)?;
            Ok(Some(Vec::new()))
        }
    }

    /// Within array parts.
    unsafe fn table_move(&mut self, c: Native, from: Tab) -> Results {
        // SAFETY: [GC-LIVE] as `native`.
        unsafe {
            let ends = [self.oarg(c, 2), self.oarg(c, 3), self.oarg(c, 4)];
            if ends.iter().any(|v| v.tag != Tag::INT) {
                return Ok(None);
            }
            let [first, last, at] = ends.map(|v| v.as_int());
            let to = match self.oarg(c, 5).tag {
                Tag::NIL => {
                    self.arg(c, 5)?;
                    from
                }
                _ => match self.plain_table(c, 5)? {
                    Some((r, p)) => Tab { r, p },
                    None => return Ok(None),
                },
            };
            let inside = |t: Tab, k: i64| (0..i64::from((*t.p).arr_cap)).contains(&k);
            let end = at.saturating_add(last.saturating_sub(first));
            if last >= first
                && ![
                    inside(from, first),
                    inside(from, last),
                    inside(to, at),
                    inside(to, end),
                ]
                .iter()
                .all(|&b| b)
            {
                return Ok(None);
            }
            let (f, e, a) = (
                self.arg(c, 2)?.val,
                self.arg(c, 3)?.val,
                self.arg(c, 4)?.val,
            );
            let done = self.rt(IrOp::Call, CallId::TabMove, &[from.r, f, e, a, to.r])?;
            let zero = self.buf.k_int(0);
            self.guard(IrOp::Ne, Ty::Int, done, zero)?;
            Ok(Some(vec![self.typed(to.r)]))
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
