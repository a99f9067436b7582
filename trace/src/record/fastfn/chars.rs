//! Strings of one byte: from a table ([`crate::chars`]), and compared by their bytes.

use traceorus_base::objects::Str;
use traceorus_base::{Tag, Value};
use traceorus_vm::string::{str_bytes, str_is_short};

use super::{Native, Results};
use crate::ir::{CallId, IrOp, REF_NONE, Ref, Ty};
use crate::record::{Rec, Recorder, Tv};

impl Recorder {
    /// Address of the table.
    fn chars(&mut self) -> Option<*const *mut Str> {
        let g = self.global();
        // SAFETY: part of the trace compiler, which outlives the recording.
        unsafe { Some(self.chars.as_mut()?.table(g).as_ptr()) }
    }

    /// The string of the byte `c` (an integer below 256).
    pub(super) fn char_string(&mut self, c: Ref) -> Rec<Tv> {
        let Some(chars) = self.chars() else {
            let one = self.buf.k_int(1);
            return self.rt_string(CallId::StrBytes, &[c, one]);
        };
        if let Some(c) = self.buf.int(c) {
            // SAFETY: the table has 256.
            let s = unsafe { *chars.add(c as u8 as usize) };
            return Ok(self.konst(Value::ptr(s, Tag::STRING)));
        }
        let run = self.buf.k_ptr(chars as u64);
        let at = self.emit(IrOp::ARef, Ty::Ptr, run, c)?;
        let s = self.emit(IrOp::LdV, Ty::Str, at, REF_NONE)?;
        Ok(self.typed(s))
    }

    /// The byte whose string `v` is, if it comes from the table; of a constant that is as long, too.
    fn byte_of(&mut self, v: Tv) -> Option<Ref> {
        let run = self.chars()? as u64;
        if let Some(k) = self.buf.konst(v.val).filter(|k| k.ty == Ty::Str) {
            // SAFETY: [GC-LIVE] the trace keeps its constants.
            return match unsafe { str_bytes(k.bits as *mut Str) } {
                &[b] => Some(self.buf.k_int(b.into())),
                _ => None,
            };
        }
        if !v.val.is_ins() || self.buf.at(v.val).op != IrOp::LdV {
            return None;
        }
        let at = self.buf.at(self.buf.at(v.val).a);
        let of_table = self.buf.konst(at.a).is_some_and(|k| k.bits == run);
        (at.op == IrOp::ARef && of_table).then_some(at.b)
    }

    /// Guards that two strings are equal, or not, if that is easy: one is short for certain. False: nothing has been done.
    pub(in crate::record) fn guard_same_text(&mut self, x: Tv, y: Tv, equal: bool) -> Rec<bool> {
        let op = if equal { IrOp::Eq } else { IrOp::Ne };
        let (a, b) = (self.byte_of(x), self.byte_of(y));
        if let (Some(a), Some(b)) = (a, b) {
            if !(a.is_const() && b.is_const()) {
                self.guard(op, Ty::Int, a, b)?;
            }
            return Ok(true);
        }
        // SAFETY: [GC-LIVE] the trace keeps its constants.
        let short = |k: crate::ir::Konst| unsafe { str_is_short(k.bits as *mut Str) };
        let constant = [x, y].map(|v| self.buf.konst(v.val));
        let any = a.is_some() || b.is_some() || constant.into_iter().flatten().any(short);
        if any {
            self.guard(op, Ty::Str, x.val, y.val)?;
        }
        Ok(any)
    }

    /// `string.sub` for one byte; `None`: as the others.
    pub(super) fn sub_char(&mut self, c: Native, s: Ref, len: usize) -> Results {
        let (Some((i, oi)), Some((j, _))) = (self.int_arg(c, 2, 1)?, self.int_arg(c, 3, -1)?)
        else {
            return Ok(None);
        };
        if i != j || oi == 0 {
            return Ok(None);
        }
        let n = self.str_len(s)?;
        let zero = self.buf.k_int(0);
        let (at, oat) = if oi > 0 {
            self.guard(IrOp::Gt, Ty::Int, i, zero)?;
            (self.plus(i, -1)?, oi - 1)
        } else {
            self.guard(IrOp::Lt, Ty::Int, i, zero)?;
            (self.emit(IrOp::Add, Ty::Int, n, i)?, (len as i64) + oi)
        };
        if !(0..len as i64).contains(&oat) {
            self.guard(IrOp::Uge, Ty::Int, at, n)?;
            return Ok(Some(vec![self.text(b"")]));
        }
        self.guard(IrOp::Ult, Ty::Int, at, n)?;
        let b = self.byte_at(s, at)?;
        Ok(Some(vec![self.char_string(b.val)?]))
    }
}
