//! Upvalues, cells, closures.

use traceorus_base::Tag;
use traceorus_base::bytecode::{self as bc, Op};
use traceorus_base::objects::*;

use super::{Cursor, Rec, Recorder, Step, Tv};
use crate::ir::{IrOp, REF_NONE, Ref, Ty};

impl Recorder {
    /// The closure of the running frame.
    pub(crate) unsafe fn closure_ref(&mut self) -> Rec<Ref> {
        // SAFETY: [GC-LIVE] as `instruction`.
        unsafe {
            let (func, closure, proto) = {
                let f = self.frame();
                (f.base - 1, f.closure, f.proto)
            };
            if self.frame().known {
                return Ok(self.buf.k(Ty::Func, closure as u64));
            }
            let val = match self.slot(func) {
                super::Slot::Known { v, .. } => v.val,
                super::Slot::Unknown => {
                    let at = Self::slot_lit(func);
                    self.emit(IrOp::SLoad, Ty::Func, at, REF_NONE)?
                }
            };
            // one instance only: what it closes over is as good as constant
            if (*proto).ninstances <= 1 {
                let k = self.guard_told(self.snap_pc, val, closure)?;
                self.frames.last_mut().expect("there").known = true;
                return Ok(k);
            }
            Ok(val)
        }
    }

    /// The cell of upvalue `n` of the running closure; its address if it is constant.
    pub(crate) unsafe fn upvalue_cell(&mut self, n: usize) -> Rec<(Ref, *mut Cell)> {
        // SAFETY: [CODE] upvalue operands are in range; [GC-LIVE].
        unsafe {
            let func = self.closure_ref()?;
            let closure = self.frame().closure;
            let cell =
                *((closure as *const u8).add(LuaClosure::UPVALS + 8 * n) as *const *mut Cell);
            if self.frame().known {
                let k = self.buf.k(Ty::Cell, cell as u64);
                return Ok((k, cell));
            }
            let r = self.emit(IrOp::UpRef, Ty::Cell, func, Self::lit(n as u16))?;
            Ok((r, std::ptr::null_mut()))
        }
    }

    /// The value in a cell.
    pub(crate) fn load_cell(&mut self, cell: Ref) -> Rec<Tv> {
        let at = self.emit(IrOp::CRef, Ty::Ptr, cell, REF_NONE)?;
        let val = self.emit(IrOp::LdV, Ty::Any, at, REF_NONE)?;
        let at = self.emit(IrOp::CTRef, Ty::Ptr, cell, REF_NONE)?;
        let tag = self.emit(IrOp::LdW, Ty::Tag, at, REF_NONE)?;
        self.loaded(val, tag)
    }

    /// Payload and tag from loads, which may have been forwarded: if the tag is known, the type is.
    pub(crate) fn loaded(&mut self, val: Ref, tag: Ref) -> Rec<Tv> {
        Ok(match self.buf.tag(tag) {
            Some(t) if Ty::of_tag(t).is_prim() => Tv { val: REF_NONE, tag },
            Some(t) => Tv {
                val: self.retyped(val, Ty::of_tag(t))?,
                tag,
            },
            None => {
                // guarded before?
                if let Some(t) = crate::opt::facts::proved_tag(&self.buf, tag) {
                    return self.assume_tag(Tv { val, tag }, t);
                }
                Tv { val, tag }
            }
        })
    }

    pub(super) fn store_cell(&mut self, cell: Ref, v: Tv) -> Rec<()> {
        if !v.val.is_none() {
            let at = self.emit(IrOp::CRef, Ty::Ptr, cell, REF_NONE)?;
            let ty = self.buf.ty(v.val);
            self.emit(IrOp::StV, ty, at, v.val)?;
        }
        let at = self.emit(IrOp::CTRef, Ty::Ptr, cell, REF_NONE)?;
        self.emit(IrOp::StW, Ty::Tag, at, v.tag)?;
        Ok(())
    }

    /// Makes `cell` the upvalue `n` of the fresh closure `f`.
    pub(super) fn store_upvalue(&mut self, f: Ref, n: u16, cell: Ref) -> Rec<()> {
        let at = self.emit(IrOp::UpAddr, Ty::Ptr, f, Self::lit(n))?;
        self.emit(IrOp::StV, Ty::Cell, at, cell).map(drop)
    }

    /// A new closure of the prototype `p`.
    #[inline(never)]
    unsafe fn new_closure(&mut self, p: *mut Proto) -> Rec<Ref> {
        // SAFETY: [CODE] the prototype is a constant of the running function; [GC-LIVE].
        unsafe {
            let n = u16::from((*p).nupvals);
            let mut cells = Vec::with_capacity(n.into());
            for k in 0..n {
                let desc = *(*p).upvals.add(k.into());
                let at = desc.index;
                cells.push(if desc.in_stack != 0 {
                    let c = self.tv(at.into())?;
                    self.assume_tag(c, Tag::CELL)?.val
                } else {
                    self.upvalue_cell(at.into())?.0
                });
            }
            self.note_proto(p);
            // the helper makes one now, the trace others: that there is one only is no fact any more
            (*p).ninstances = (*p).ninstances.saturating_add(1);
            let kp = self.buf.k_ptr(p as u64);
            let f = self.emit(IrOp::FNew, Ty::Func, kp, Self::lit(n))?;
            for (k, cell) in cells.into_iter().enumerate() {
                self.store_upvalue(f, k as u16, cell)?;
            }
            Ok(f)
        }
    }

    /// The barrier before `v` is stored into `obj`.
    pub(crate) fn barrier(&mut self, obj: Ref, v: Tv) -> Rec<()> {
        let plain = self.buf.tag(v.tag).is_some_and(|t| !t.is_collectable());
        if plain || v.val.is_none() {
            return Ok(());
        }
        let ty = self.buf.ty(v.val);
        self.emit(IrOp::Bar, ty, obj, v.val)?;
        Ok(())
    }

    #[inline(never)]
    pub(crate) unsafe fn upvalue(&mut self, i: Cursor) -> Rec<Step> {
        // SAFETY: as `instruction`.
        unsafe {
            match i.op {
                Op::GetUpval => {
                    let n = (bc::b(i.w) / 8) as usize;
                    let (cell, k) = self.upvalue_cell(n)?;
                    let desc = *(*self.frame().proto).upvals.add(n);
                    let v = if !k.is_null()
                        && desc.readonly != 0
                        && (*k).hdr.flags & flags::CELL_READONLY != 0
                    {
                        self.konst((*k).value)
                    } else {
                        self.load_cell(cell)?
                    };
                    self.set(i.ra(), v);
                }
                Op::SetUpval => {
                    let n = (bc::a(i.w) / 8) as usize;
                    let mut v = self.tv(i.rb())?;
                    if self.known_tag(v).is_none() {
                        v = self.guard_tag(v, self.observed(i.rb()).tag)?;
                    }
                    let (cell, _) = self.upvalue_cell(n)?;
                    self.barrier(cell, v)?;
                    self.store_cell(cell, v)?;
                }
                Op::GetCell => {
                    let c = self.tv(i.rb())?;
                    let c = self.assume_tag(c, Tag::CELL)?;
                    let v = self.load_cell(c.val)?;
                    self.set(i.ra(), v);
                }
                Op::SetCell => {
                    let mut v = self.tv(i.rb())?;
                    if self.known_tag(v).is_none() {
                        v = self.guard_tag(v, self.observed(i.rb()).tag)?;
                    }
                    let c = self.tv(i.ra())?;
                    let c = self.assume_tag(c, Tag::CELL)?;
                    self.barrier(c.val, v)?;
                    self.store_cell(c.val, v)?;
                }
                Op::NewCell => {
                    let mut v = self.tv(i.ra())?;
                    if self.known_tag(v).is_none() {
                        v = self.guard_tag(v, self.observed(i.ra()).tag)?;
                    }
                    let c = self.emit(IrOp::CNew, Ty::Cell, REF_NONE, Self::lit(bc::b(i.w)))?;
                    self.store_cell(c, v)?;
                    let c = self.typed(c);
                    self.set(i.ra(), c);
                }
                Op::Closure => {
                    let f = self.new_closure(i.word(1) as *mut Proto)?;
                    let f = self.typed(f);
                    self.set(i.ra(), f);
                }
                _ => return self.generic(i),
            }
            Ok(Step::More)
        }
    }
}
