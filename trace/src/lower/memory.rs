//! Loads and stores.

use traceorus_asm::{Addr, Fpr, Gpr, LoadKind, Scale, Size, at, at_index, d};

use super::{B8, B32, B64, Lower, TraceRegs, Val};
use crate::ir::{IrOp, Ref, Ty};
use crate::ra::plan::{self, Base, SLOT, SLOT_TAG};
use crate::ra::{InsAlloc, Reg};

impl<M: TraceRegs> Lower<'_, M> {
    /// The operand that the load or address `r` stands for; `ops` are the registers of its base and index.
    pub(super) fn address(&self, r: Ref, ops: &[Reg]) -> Addr {
        let mem = plan::mem(self.ir, r);
        let mut ops = ops.iter().map(|q| Gpr(q.number()));
        let mut next = || ops.next().unwrap_or(M::BASE);
        let base = match mem.base {
            Base::Frame => M::BASE,
            Base::Ref(_) => next(),
        };
        match mem.index {
            None => at(base, mem.disp),
            Some((_, Scale::S1)) => at_index(base, next(), Scale::S1, mem.disp),
            Some((_, scale)) => at_index(base, next(), scale, mem.disp),
        }
    }

    pub(super) fn load(&mut self, r: Ref, al: InsAlloc) {
        let ins = self.ir.at(r);
        let addr = self.address(r, &al.ops);
        if al.dst.is_fpr() {
            return self.m.fload(d(Fpr(al.dst.number())), addr);
        }
        let kind = match ins.op {
            IrOp::SLoadT | IrOp::LdW => LoadKind::U32,
            IrOp::LdB => LoadKind::S8To32,
            IrOp::StrByte => LoadKind::U8,
            IrOp::FLd => match plan::field(ins).map_or(8, |f| f.info().size) {
                1 => LoadKind::U8,
                4 => LoadKind::U32,
                _ => LoadKind::U64,
            },
            _ => LoadKind::U64,
        };
        self.m.load(kind, d(Gpr(al.dst.number())), addr);
    }

    pub(super) fn store(&mut self, r: Ref, al: InsAlloc) {
        let ins = self.ir.at(r);
        let slot = at(M::BASE, SLOT * i32::from(ins.slot()));
        let value = self.val(al.ops[0], ins.b);
        let (size, addr) = match ins.op {
            IrOp::SSt => (B64, slot),
            IrOp::SStT => (B32, slot.offset(SLOT_TAG)),
            IrOp::SStW => (B64, slot.offset(SLOT_TAG)),
            op => {
                let size = match op {
                    IrOp::StB => B8,
                    IrOp::StW => B32,
                    IrOp::FSt => {
                        match plan::field(self.ir.at(ins.a)).map_or(8, |f| f.info().size) {
                            1 => B8,
                            4 => B32,
                            _ => B64,
                        }
                    }
                    _ => B64,
                };
                (size, self.address(ins.a, &al.ops[1..]))
            }
        };
        self.store_val(size, addr, value);
    }

    /// `[addr] = value`
    pub(super) fn store_val(&mut self, size: Size, addr: Addr, value: Val) {
        match value {
            Val::Gpr(g) => self.m.store(size, addr, g),
            Val::Fpr(f) => self.m.fstore(addr, f),
            Val::Const(k) => {
                let bits = if k.ty.is_prim() { 0 } else { k.bits as i64 };
                match i32::try_from(size.sign_extend(bits)) {
                    Ok(small) => self.m.store_imm(size, addr, small),
                    Err(_) => self.m.with_scratch(|m, s| {
                        m.mov_imm(d(s), bits);
                        m.store(size, addr, s);
                    }),
                }
            }
        }
    }

    /// Bytes that a fused load reads, as the size of the operation.
    pub(super) fn mem_size(&self, load: Ref) -> Size {
        let ins = self.ir.at(load);
        match ins.op {
            IrOp::LdB => B8,
            IrOp::SLoadT | IrOp::LdW => B32,
            IrOp::FLd => match plan::field(ins).map_or(8, |f| f.info().size) {
                1 => B8,
                4 => B32,
                _ => B64,
            },
            _ => B64,
        }
    }

    /// The size in which values of a type are compared.
    pub(super) fn size_of(ty: Ty) -> Size {
        match ty {
            Ty::Tag | Ty::U32 | Ty::U8 => B32,
            _ => B64,
        }
    }
}
