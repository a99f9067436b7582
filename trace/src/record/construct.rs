//! Construction of tables. What is known of fresh ones (shape, no metatable, capacities) the optimiser finds by itself
//! (`opt::memory`), so that accesses to them need no guards, which would keep them from being sunk.

use traceorus_base::Tag;
use traceorus_base::bytecode as bc;
use traceorus_base::objects::*;

use super::table::{Place, Tab};
use super::{Cursor, Rec, Recorder};
use crate::ir::{FieldId, IrOp, REF_NONE, Ref, Ty};

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
            if !t.val.is_ins() || self.buf.at(t.val).op != IrOp::TArr {
                return Ok(false);
            }
            let p = self.observed(i.ra()).as_ptr::<Table>();
            let nil = Tag::NIL.byte() as u8;
            let last = u64::from(from) + u64::from(n);
            let all = from == 0 && last >= u64::from((*p).arr_len);
            if !all
                || last >= u64::from((*p).arr_cap)
                || (*p).hdr.extra != nil
                || !(*p).metatable.is_null()
            {
                return Ok(false);
            }
            let mut vals = Vec::new();
            let mut kind = Tag::NIL;
            for k in 1..=n as i16 {
                let v = self.tv(i.ra() + k)?;
                let ov = self.observed(i.ra() + k);
                vals.push(self.storable(v, ov)?);
                kind = match ov.tag {
                    // [DENSE] the whole length has been announced
                    Tag::NIL => Tag::ANY,
                    tag if k == 1 || kind == tag => tag,
                    _ => Tag::ANY,
                };
            }
            let was = self.field(t.val, FieldId::TabKind)?;
            let k = self.buf.k(Ty::U8, nil.into());
            self.guard(IrOp::Eq, Ty::U8, was, k)?;
            for (k, v) in vals.into_iter().enumerate() {
                let k = self.buf.k_int(i64::from(from) + 1 + k as i64);
                let at = self.element(Tab { r: t.val, p }, k)?;
                self.barrier(t.val, v)?;
                self.store(at, v)?;
            }
            if kind != Tag::NIL {
                let at = self.emit(
                    IrOp::FRef,
                    Ty::Ptr,
                    t.val,
                    Self::lit(FieldId::TabKind as u16),
                )?;
                let k = self.buf.k(Ty::U8, (kind.byte() as u8).into());
                self.emit(IrOp::FSt, Ty::U8, at, k)?;
            }
            Ok(true)
        }
    }

    /// The address of a shape of new tables, whose id the optimiser may take for granted.
    pub(super) fn shape_const(&mut self, shape: *mut Shape) -> Ref {
        // SAFETY: [GC-LIVE] the caller's.
        let id = unsafe { (*shape).hdr.word };
        self.buf.shape_ids.insert(shape as u64, id);
        self.buf.k_ptr(shape as u64)
    }
}
