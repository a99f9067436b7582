//! Construction of tables. What is known of fresh ones (shape, no metatable, capacities) the optimiser finds by itself
//! (`opt::memory`), so that accesses to them need no guards, which would keep them from being sunk.

use traceorus_base::Tag;
use traceorus_base::bytecode as bc;
use traceorus_base::objects::*;

use super::meta::Operand;
use super::table::{Place, Tab};
use super::{Cursor, Rec, Recorder, Tv};
use crate::ir::{CallId, FieldId, IrOp, REF_NONE, Ref, Ty};

/// Most elements that are stored one by one.
pub(super) const MAX_LIST: usize = 50;

impl Recorder {
    /// There is room for field `n`: in the table as it is now, or in a fresh one as the trace makes it.
    pub(super) unsafe fn room_for(&mut self, t: Tab, n: u32) -> Rec<bool> {
        let cap = self.field(t.r, FieldId::TabFieldCap)?;
        let Some(cap) = self.buf.konst(cap) else {
            // SAFETY: [GC-LIVE]
            return Ok(n < unsafe { (*t.p).field_cap });
        };
        if u64::from(n) < cap.bits {
            return Ok(true);
        }
        if n as usize >= Table::INLINE_MAX {
            return Ok(false);
        }
        // a larger cell at once, so that the run never moves; what the trace knows already holds of it, too
        let i = self.buf.at_mut(t.r);
        i.b = Self::lit((n as u16 + 1).next_multiple_of(2));
        Ok(true)
    }

    #[inline(never)]
    pub(super) unsafe fn new_record(&mut self, i: Cursor) -> Rec<bool> {
        // SAFETY: [CODE] [GC-LIVE] the prototype keeps the shape alive.
        unsafe {
            let shape = i.word(1) as *mut Shape;
            let n = bc::c(i.w);
            if n == 0 || n as usize > Table::INLINE_MAX {
                return Ok(false);
            }
            let mut vals = Vec::new();
            for k in 0..n as i16 {
                let v = self.tv(i.rb() + k)?;
                vals.push(self.storable(v, self.observed(i.rb() + k))?);
            }
            let ks = self.shape_const(shape);
            let t = self.emit(IrOp::TNew, Ty::Tab, ks, Self::lit(n))?;
            let run = self.emit(IrOp::TRun, Ty::Ptr, t, REF_NONE)?;
            for (k, v) in vals.into_iter().enumerate() {
                self.store(Place::Field(run, k as u16), v)?;
            }
            let v = self.typed(t);
            self.set(i.ra(), v);
            Ok(true)
        }
    }

    pub(super) unsafe fn new_table(&mut self, i: Cursor) -> Rec<bool> {
        // SAFETY: [CODE]
        unsafe {
            let (na, nh) = (i.word(1) as u32, (i.word(1) >> 32) as u32);
            let (op, n) = match (na as usize, nh as usize) {
                (0, n @ 0..=Table::INLINE_MAX) => (IrOp::TNew, n),
                (n @ 1..Table::INLINE_MAX, 0) => (IrOp::TArr, n + 1),
                _ => return Ok(false),
            };
            let ks = self.shape_const(self.global().hot.empty_shape);
            let t = self.emit(op, Ty::Tab, ks, Self::lit(n as u16))?;
            let v = self.typed(t);
            self.set(i.ra(), v);
            Ok(true)
        }
    }

    /// A list constructor's elements, into the inline array part of a table that is fresh.
    pub(super) unsafe fn set_list(&mut self, i: Cursor) -> Rec<bool> {
        // SAFETY: [CODE] [GC-LIVE]
        unsafe {
            let (from, n) = (i.word(1) as u32, bc::b(i.w));
            let t = self.tv(i.ra())?;
            if !self.is_made_here(t) {
                return self.complete_list(i, n as i16);
            }
            if self.buf.at(t.val).op != IrOp::TArr {
                return Ok(false);
            }
            let p = self.observed(i.ra()).as_ptr::<Table>();
            let nil = Tag::NIL.byte() as u8;
            let last = u64::from(from) + u64::from(n);
            let all = from == 0 && last >= u64::from((*p).arr_len);
            if !all
                || last >= u64::from(self.buf.at(t.val).lit_b())
                || (*p).hdr.extra != nil
                || !(*p).metatable.is_null()
            {
                return Ok(false);
            }
            let mut vals = Vec::new();
            for k in 1..=n as i16 {
                vals.push((self.tv(i.ra() + k)?, self.observed(i.ra() + k)));
            }
            let vals = self.storable_all(vals)?;
            let was = self.field(t.val, FieldId::TabKind)?;
            let k = self.buf.k(Ty::U8, nil.into());
            self.guard(IrOp::Eq, Ty::U8, was, k)?;
            let run = self.field(t.val, FieldId::TabArray)?;
            self.put_elements(t.val, run, &vals)?;
            Ok(true)
        }
    }

    /// A list constructor's elements, as many as the instruction before has made.
    #[inline(never)]
    pub(super) unsafe fn set_list_open(&mut self, i: Cursor) -> Rec<bool> {
        // SAFETY: [CODE] [GC-LIVE]
        unsafe {
            let from = i.word(1) as u32;
            let Some(top) = self.multi_top(i.pc) else {
                return Ok(false);
            };
            let n = top - (self.base() + i.ra() + 1);
            let t = self.tv(i.ra())?;
            if !self.is_made_here(t) {
                return self.complete_list(i, n);
            }
            if from != 0 {
                return Ok(false);
            }
            let mut vals = Vec::new();
            for k in 1..=n {
                vals.push((self.tv(i.ra() + k)?, self.observed(i.ra() + k)));
            }
            let made = self.buf.at(t.val);
            match made.op {
                IrOp::TArr => {}
                IrOp::TNew if made.lit_b() == 0 => {}
                IrOp::TNew => return self.fill(t.val, vals),
                _ => return Ok(false),
            }
            // nobody has seen the table that it was to be
            let Some(t) = self.new_list(vals)? else {
                return Ok(false);
            };
            self.set(i.ra(), t);
            Ok(true)
        }
    }

    fn is_made_here(&self, t: Tv) -> bool {
        t.val.is_ins() && matches!(self.buf.at(t.val).op, IrOp::TArr | IrOp::TNew)
    }

    /// The first `n` elements of a list constructor, into a table that another trace has made, or the interpreter.
    unsafe fn complete_list(&mut self, i: Cursor, n: i16) -> Rec<bool> {
        // SAFETY: [CODE] [GC-LIVE]
        unsafe {
            let from = i.word(1) as u32;
            let p = self.observed(i.ra()).as_ptr::<Table>();
            let (len, last) = ((*p).arr_len, n as u32);
            let nil = Tag::NIL.byte() as u8;
            let fits = last < (*p).arr_cap && len <= last && (*p).hdr.extra == nil;
            if from != 0 || n == 0 || n as usize > MAX_LIST || !fits {
                return Ok(false);
            }
            let mut vals = Vec::new();
            for k in 1..=n {
                vals.push((self.tv(i.ra() + k)?, self.observed(i.ra() + k)));
            }
            let vals = self.storable_all(vals)?;
            let t = self.guard_observed(i.ra())?.val;
            self.guard_field(t, FieldId::TabKind, nil.into())?;
            self.guard_field(t, FieldId::TabLen, len.into())?;
            let cap = self.field(t, FieldId::TabCap)?;
            let k = self.buf.k(Ty::U32, last.into());
            self.guard(IrOp::Ugt, Ty::U32, cap, k)?;
            let run = self.field(t, FieldId::TabArray)?;
            if len != last {
                let k = self.buf.k(Ty::U32, last.into());
                self.set_field(t, FieldId::TabLen, k)?;
            }
            self.put_elements(t, run, &vals)?;
            Ok(true)
        }
    }

    /// A new table with these elements; `None`: there are too many.
    pub(super) fn new_list(&mut self, vals: Vec<Operand>) -> Rec<Option<Tv>> {
        let n = vals.len();
        let ks = self.shape_const(self.global().hot.empty_shape);
        if n >= Table::INLINE_MAX {
            if n > MAX_LIST {
                return Ok(None);
            }
            let vals = self.storable_all(vals)?;
            let t = self.emit(IrOp::TNew, Ty::Tab, ks, Self::lit(0))?;
            self.fill_reserved(t, vals)?;
            return Ok(Some(self.typed(t)));
        }
        let vals = self.storable_all(vals)?;
        let (op, slots) = match n {
            0 => (IrOp::TNew, 0),
            _ => (IrOp::TArr, n as u16 + 1),
        };
        let t = self.emit(op, Ty::Tab, ks, Self::lit(slots))?;
        if n != 0 {
            let run = self.emit(IrOp::TRun, Ty::Ptr, t, REF_NONE)?;
            self.put_elements(t, run, &vals)?;
        }
        Ok(Some(self.typed(t)))
    }

    /// Gives the fresh table `t`, which has no array part, these elements; false: there are too many.
    pub(super) fn fill(&mut self, t: Ref, vals: Vec<Operand>) -> Rec<bool> {
        if vals.len() > MAX_LIST {
            return Ok(false);
        }
        let vals = self.storable_all(vals)?;
        if !vals.is_empty() {
            self.fill_reserved(t, vals)?;
        }
        Ok(true)
    }
    fn fill_reserved(&mut self, t: Ref, vals: Vec<Operand>) -> Rec<()> {
        let n = self.buf.k_int(vals.len() as i64);
        self.rt(IrOp::Call, CallId::TabReserve, &[t, n])?;
        let run = self.field(t, FieldId::TabArray)?;
        self.put_elements(t, run, &vals)
    }
    pub(super) fn storable_all(&mut self, vals: Vec<Operand>) -> Rec<Vec<Operand>> {
        let mut out = Vec::new();
        for (v, o) in vals {
            out.push((self.storable(v, o)?, o));
        }
        Ok(out)
    }

    /// Stores elements from 1 on into the array part `run` of the fresh table `t`, whose length they are.
    fn put_elements(&mut self, t: Ref, run: Ref, vals: &[Operand]) -> Rec<()> {
        let mut kind = None;
        for (k, &(v, o)) in vals.iter().enumerate() {
            let k = k as i64 + 1;
            let (n, not) = (self.buf.k_int(k), self.buf.k_int(!k));
            self.barrier(t, v)?;
            self.store(Place::Element(run, n, not), v)?;
            // [DENSE] the whole length has been announced
            let one = kind.is_none_or(|tag| tag == o.tag) && o.tag != Tag::NIL;
            kind = Some(if one { o.tag } else { Tag::ANY });
        }
        let kind = kind.unwrap_or(Tag::NIL);
        let f = Self::lit(FieldId::TabKind as u16);
        let at = self.emit(IrOp::FRef, Ty::Ptr, t, f)?;
        let k = self.buf.k(Ty::U8, (kind.byte() as u8).into());
        self.emit(IrOp::FSt, Ty::U8, at, k)?;
        Ok(())
    }

    /// The address of a shape of new tables, whose id the optimiser may take for granted.
    pub(super) fn shape_const(&mut self, shape: *mut Shape) -> Ref {
        // SAFETY: [GC-LIVE] the caller's.
        let id = unsafe { (*shape).hdr.word };
        self.buf.shape_ids.insert(shape as u64, id);
        self.buf.k_ptr(shape as u64)
    }
}
