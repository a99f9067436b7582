//! Objects: allocation from the free lists, as the interpreter's handlers do it (`vm/interp/src/alloc.rs`), and the
//! collector's barrier.

use std::mem::offset_of;

use traceorus_asm::{AluCond, AluOp, Cond, Gpr, Label, LoadKind, Scale, ShiftOp, at, at_index, d};
use traceorus_base::Tag;
use traceorus_base::objects::{
    Cell, GcHeader, GlobalHot, LOOKUP_SIZE, LookupEntry, LuaClosure, ObjKind, Proto,
    SMALL_STEP_MAX, Table, flags, lookup_index, small_class,
};

use super::{B8, B32, B64, Cold, Lower, TraceRegs, U64, Val, tag_bits};
use crate::abort::Abort;
use crate::ir::{IrOp, Konst, Ref, Ty};
use crate::ra::InsAlloc;
use crate::ra::plan;

/// Offset of a field of a table.
macro_rules! tab {
    ($f:ident) => {
        offset_of!(Table, $f) as i32
    };
}

/// Offset of a field of an entry of the look-up cache.
macro_rules! entry {
    ($f:ident) => {
        offset_of!(LookupEntry, $f) as i32
    };
}

const ID: i32 = offset_of!(GcHeader, word) as i32;
const SCRATCH: i32 = offset_of!(GlobalHot, jit_scratch) as i32;
const RUN: i32 = Table::INLINE_FIELDS as i32;
/// Low half of a fresh table's header: no part has elements yet.
const TABLE_HEADER: i32 = (ObjKind::Table as i32) << 8 | Tag::NIL.0 << 24;
/// Eight nil tags.
const NIL_TAGS: i64 = 0x0101_0101_0101_0101 * Tag::NIL.0 as i64;

impl<M: TraceRegs> Lower<'_, M> {
    #[inline(never)]
    pub(super) fn allocation(&mut self, r: Ref, al: InsAlloc) -> Result<(), Abort> {
        let ins = self.ir.at(r);
        let dst = Gpr(al.dst.number());
        let a = Gpr(al.ops[0].number());
        let n = usize::from(ins.lit_b());
        match ins.op {
            IrOp::TNew | IrOp::TArr => self.table(ins.op == IrOp::TArr, dst, a, n)?,
            IrOp::CNew => {
                self.pop(dst, size_of::<Cell>())?;
                let readonly = if n != 0 { flags::CELL_READONLY } else { 0 };
                let header = (ObjKind::Cell as i32) << 8 | i32::from(readonly) << 16;
                self.m.store_imm(B64, at(dst, 0), header);
            }
            IrOp::FNew => {
                self.pop(dst, LuaClosure::size_for(n))?;
                self.m
                    .store_imm(B32, at(dst, 0), closure_header(n) as u32 as i32);
                self.m.store_imm(B32, at(dst, 4), 0);
                let (m, proto) = (&mut self.m, a);
                m.store(B64, at(dst, offset_of!(LuaClosure, proto) as i32), proto);
                m.with_scratch(|m, s| {
                    m.load(U64, d(s), at(proto, offset_of!(Proto, code) as i32));
                    m.alu(AluOp::Add, B64, d(s), s, 8);
                    m.store(B64, at(dst, offset_of!(LuaClosure, pc) as i32), s);
                });
                // instances, saturating
                let counted = m.new_label();
                let instances = at(proto, offset_of!(Proto, ninstances) as i32);
                m.with_scratch(|m, s| {
                    m.load(LoadKind::U32, d(s), instances);
                    m.alu_branch(AluOp::Add, B32, d(s), s, 1, AluCond::Zero, counted);
                    m.store(B32, instances, s);
                });
                m.bind(counted);
            }
            _ => return Err(Abort::Internal),
        }
        Ok(())
    }

    /// A table of the shape in `shape` with `n` inline slots: fields, or an array part.
    fn table(&mut self, array: bool, dst: Gpr, shape: Gpr, n: usize) -> Result<(), Abort> {
        if n > Table::INLINE_MAX {
            return Err(Abort::Internal);
        }
        let mut slots = n.next_multiple_of(2);
        if array && n > 0 {
            slots = slots.max(Table::INLINE_ARRAY_MIN);
        }
        self.pop(dst, Table::size_for(slots))?;
        let m = &mut self.m;
        m.store_imm(B32, at(dst, 0), TABLE_HEADER);
        m.store(B64, at(dst, tab!(shape)), shape);
        m.with_scratch(|m, s| {
            m.load(LoadKind::U32, d(s), at(shape, ID));
            m.store(B32, at(dst, ID), s);
        });
        m.store_imm(B64, at(dst, tab!(metatable)), 0);
        m.store_imm(B32, at(dst, tab!(meta_absent)), 0);
        let (fields, elements) = if array { (0, n) } else { (slots, 0) };
        if slots > 0 {
            m.with_scratch(|m, s| {
                m.mov_imm(d(s), NIL_TAGS);
                m.store(B64, at(dst, RUN - 8), s);
                m.lea(d(s), at(dst, RUN));
                let part = if array { tab!(array) } else { tab!(hash) };
                m.store(B64, at(dst, part), s);
            });
        }
        if elements == 0 {
            m.store_imm(B64, at(dst, tab!(array)), 0);
            m.store_imm(B64, at(dst, tab!(arr_cap)), 0);
        } else {
            m.store_imm(B32, at(dst, tab!(arr_cap)), elements as i32);
            m.store_imm(B32, at(dst, tab!(arr_len)), elements as i32 - 1);
        }
        if fields == 0 {
            m.store_imm(B64, at(dst, tab!(hash)), 0);
        }
        m.store_imm(B32, at(dst, tab!(field_cap)), fields as i32);
        Ok(())
    }

    /// SLOTOF, METHOD: what the look-up cache has for the table and the key; if it has nothing that holds, a function looks.
    #[inline(never)]
    pub(super) fn look_up(&mut self, r: Ref, al: InsAlloc) {
        let ins = self.ir.at(r);
        let method = ins.op == IrOp::Method;
        let (dst, t) = (Gpr(al.dst.number()), Gpr(al.ops[0].number()));
        let key = self.val(al.ops[1], ins.b);
        let (from, back, absent) = (self.m.new_label(), self.m.new_label(), self.m.new_label());
        // what the function gets; `dst` may be the register of either
        let asked = at(M::GLOBAL, SCRATCH + 8);
        self.m.store(B64, at(M::GLOBAL, SCRATCH), t);
        self.store_val(B64, asked, key);
        let m = &mut self.m;
        m.with_scratch(|m, s| {
            m.load(LoadKind::U32, d(s), at(t, ID));
            // the address of the entry: as `lookup_index`, in bytes
            let size = size_of::<LookupEntry>() as i64;
            let to_bytes = i64::from(size.trailing_zeros());
            let mask = LOOKUP_SIZE as i64 - 1;
            match key {
                Val::Const(k) => {
                    m.mov(d(dst), s);
                    m.shift(ShiftOp::Shl, B64, d(dst), dst, 3);
                    let first = lookup_index(0, k.bits) as i64;
                    m.alu(AluOp::Add, B64, d(dst), dst, first);
                }
                Val::Gpr(k) => {
                    m.mov(d(dst), k);
                    m.shift(ShiftOp::Shr, B64, d(dst), dst, 4);
                    m.lea(d(dst), at_index(dst, s, Scale::S8, 0));
                }
                Val::Fpr(_) => {}
            }
            m.alu(AluOp::And, B32, d(dst), dst, mask);
            m.shift(ShiftOp::Shl, B64, d(dst), dst, to_bytes);
            let cache = at(M::GLOBAL, offset_of!(GlobalHot, lookup) as i32);
            m.alu(AluOp::Add, B64, d(dst), dst, cache);
            m.branch(Cond::Ne, B32, s, at(dst, entry!(shape)), from);
            match key {
                Val::Const(k) => m.mov_imm(d(s), k.bits as i64),
                _ => m.load(U64, d(s), asked),
            }
            m.branch(Cond::Ne, B64, s, at(dst, entry!(key)), from);
            let epoch = at(dst, entry!(epoch));
            if method {
                m.load(LoadKind::U32, d(s), epoch);
                let now = at(M::GLOBAL, offset_of!(GlobalHot, proto_epoch) as i32);
                m.branch(Cond::Ne, B32, s, now, from);
                let function = i64::from(Tag::FUNCTION.0);
                m.branch_mem(Cond::Ne, B32, at(dst, entry!(tag)), function, from);
            } else {
                m.branch_mem(Cond::Ne, B32, epoch, 0, absent);
            }
        });
        self.m.load(U64, d(dst), at(dst, entry!(payload)));
        self.m.bind(back);
        let thunks = self.input.thunks;
        let function = if method {
            thunks.method
        } else {
            thunks.slot_of
        };
        self.cold.push(Cold::LookUp {
            from: [absent, from],
            back,
            dst,
            function,
        });
    }

    #[inline(never)]
    pub(super) fn cold_look_up(&mut self, from: [Label; 2], back: Label, dst: Gpr, function: u64) {
        let [absent, from] = from;
        // what holds for an epoch says that there is no such field
        self.m.bind(absent);
        self.m.with_scratch(|m, s| {
            m.load(LoadKind::U32, d(s), at(dst, entry!(epoch)));
            let now = at(M::GLOBAL, offset_of!(GlobalHot, proto_epoch) as i32);
            m.branch(Cond::Ne, B32, s, now, from);
            m.mov_imm(d(dst), -1);
            m.jump(back);
        });
        self.m.bind(from);
        self.m.call_abs(function);
        self.m.load(U64, d(dst), at(M::GLOBAL, SCRATCH));
        self.m.jump(back);
    }

    /// `dst =` a free cell for `bytes` bytes.
    fn pop(&mut self, dst: Gpr, bytes: usize) -> Result<(), Abort> {
        if bytes > SMALL_STEP_MAX {
            return Err(Abort::Internal);
        }
        let (from, back) = (self.m.new_label(), self.m.new_label());
        let list = offset_of!(GlobalHot, free) + 8 * small_class(bytes);
        let head = at(M::GLOBAL, list as i32);
        self.m.load(U64, d(dst), head);
        self.m.branch(Cond::Eq, B64, dst, 0, from);
        self.m.with_scratch(|m, s| {
            m.load(U64, d(s), at(dst, 0));
            m.store(B64, head, s);
        });
        self.m.bind(back);
        self.cold.push(Cold::Alloc {
            from,
            back,
            dst,
            bytes: bytes as i32,
        });
        Ok(())
    }

    /// Charges `bytes` bytes of allocations that were removed.
    pub(super) fn charge(&mut self, bytes: u16) {
        let left = at(M::GLOBAL, offset_of!(GlobalHot, sunk_left) as i32);
        let from = self.m.new_label();
        let bytes = i32::from(bytes);
        self.m
            .alu_to_mem_branch(AluOp::Sub, B32, left, bytes, AluCond::Carry, from);
        let back = self.m.here();
        self.cold.push(Cold::Charge { from, back });
    }

    pub(super) fn cold_alloc(&mut self, from: Label, back: Label, dst: Gpr, bytes: i32) {
        self.m.bind(from);
        self.m.store_imm(B64, at(M::GLOBAL, SCRATCH), bytes);
        self.m.call_abs(self.input.thunks.alloc);
        self.m.load(U64, d(dst), at(M::GLOBAL, SCRATCH));
        self.m.jump(back);
    }

    pub(super) fn barrier(&mut self, r: Ref, al: InsAlloc) {
        let ins = self.ir.at(r);
        let object = Gpr(al.ops[0].number());
        let value = self.val(al.ops[1], ins.b);
        let tag = match plan::bar_tag(self.ir, r) {
            Some(tag) => self.val(al.ops[2], tag),
            None => Val::Const(Konst {
                ty: Ty::Tag,
                bits: tag_bits(self.ir.ty(ins.b).tag().unwrap_or(Tag::ANY)),
            }),
        };
        let from = self.m.new_label();
        let byte = at(object, offset_of!(GcHeader, barrier) as i32);
        self.m.branch_mem(Cond::Ne, B8, byte, 0, from);
        let back = self.m.here();
        self.cold.push(Cold::Barrier {
            from,
            back,
            object,
            value,
            tag,
        });
    }

    pub(super) fn cold_barrier(
        &mut self,
        from: Label,
        back: Label,
        object: Gpr,
        value: Val,
        tag: Val,
    ) {
        self.m.bind(from);
        self.m.store(B64, at(M::GLOBAL, SCRATCH), object);
        self.store_val(B64, at(M::GLOBAL, SCRATCH + 8), value);
        self.store_val(B64, at(M::GLOBAL, SCRATCH + 16), tag);
        self.m.call_abs(self.input.thunks.barrier);
        self.m.jump(back);
    }
}

/// Low half of the header of a closure with `n` upvalues.
const fn closure_header(n: usize) -> u64 {
    (ObjKind::LuaClosure as u64) << 8 | (n as u64) << 24
}
