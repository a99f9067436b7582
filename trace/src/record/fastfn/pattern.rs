//! Functions of patterns, and the iterator of `string.gmatch`.

use traceorus_base::bytecode::MULTI;
use traceorus_base::fastfn::FastFn;
use traceorus_base::objects::*;
use traceorus_base::{Tag, Value};
use traceorus_vm::pattern::{anchor, with_matcher};
use traceorus_vm::string::str_bytes;

use super::{Native, Results};
use crate::ir::{CallId, IrOp, REF_NONE, Ref, Ty};
use crate::record::{Rec, Recorder, Tv};
use crate::rt::MAX_RESULTS;
use crate::rt::pattern::{Chain, FIND, FOUND, MAX_PATTERN};

/// Number of results of `string.match` (`find`: of `string.find`), if it is no error.
fn count(src: &[u8], pat: &[u8], init: i64, find: bool) -> Option<usize> {
    let from = usize::try_from(init.checked_sub(1)?).ok()?;
    if from > src.len() {
        return Some(1);
    }
    let (pat, anchored) = anchor(pat);
    with_matcher(|m| {
        let id = m.prepare(pat);
        Some(match m.search(id, src, from, anchored, None).ok()? {
            None => 1,
            Some(_) if find => 2 + m.captures(),
            Some(_) => m.captures().max(1),
        })
    })
}

impl Recorder {
    /// Value `n` of those that `rt::pattern` has left at `at`.
    fn value(&mut self, at: Ref, n: usize) -> Rec<Tv> {
        let p = self.emit(IrOp::XRef, Ty::Ptr, at, Self::lit(8 + 16 * n as u16))?;
        let val = self.emit(IrOp::LdV, Ty::Any, p, REF_NONE)?;
        let p = self.emit(IrOp::XRef, Ty::Ptr, at, Self::lit(16 + 16 * n as u16))?;
        let tag = self.emit(IrOp::LdV, Ty::Tag, p, REF_NONE)?;
        self.loaded(val, tag)
    }
    fn values(&mut self, at: Ref, n: usize) -> Rec<Vec<Tv>> {
        (0..n).map(|k| self.value(at, k)).collect()
    }
    /// Guards that a call has not refused.
    fn guard_done(&mut self, at: Ref) -> Rec<()> {
        let null = self.buf.k_ptr(0);
        self.guard(IrOp::Ne, Ty::Ptr, at, null)?;
        Ok(())
    }

    /// `string.match` or `string.find` of the subject `s`, which is `src` now, with any pattern.
    pub(super) unsafe fn match_pattern(
        &mut self,
        c: Native,
        s: Ref,
        src: &[u8],
        find: bool,
    ) -> Results {
        // SAFETY: [GC-LIVE] as `native`.
        unsafe {
            let op = self.oarg(c, 2);
            if op.tag != Tag::STRING {
                return Ok(None);
            }
            let pat = str_bytes(op.as_ptr());
            let Some((init, oinit)) = self.int_arg(c, 3, 1)? else {
                return Ok(None);
            };
            let mut want = usize::from(c.wanted);
            if c.wanted == MULTI {
                match count(src, pat, oinit, find) {
                    Some(n) => want = n,
                    None => return Ok(None),
                }
                self.need_slots(self.base() + c.at + want as i16 + 1)?;
            }
            if want > MAX_RESULTS || pat.len() > MAX_PATTERN {
                return Ok(None);
            }
            let mut how = want as i64;
            if find {
                let plain = self.any_arg(c, 4)?;
                self.guard_truth(plain, true)?;
                how += FIND;
            }
            let p = self.arg(c, 2)?.val;
            let how = self.buf.k_int(how);
            let at = self.rt(IrOp::Call, CallId::StrMatch, &[s, p, init, how])?;
            self.guard_done(at)?;
            if c.wanted == MULTI {
                let at = self.emit(IrOp::XRef, Ty::Ptr, at, Self::lit(0))?;
                let n = self.emit(IrOp::LdV, Ty::Int, at, REF_NONE)?;
                let k = self.buf.k_int(want as i64);
                self.guard(IrOp::Eq, Ty::Int, n, k)?;
            }
            self.values(at, want).map(Some)
        }
    }

    /// `string.gsub` with a text, or a table without functions in `__index`; if one comes to be there, the call refuses.
    pub(super) unsafe fn gsub(&mut self, c: Native, s: Ref) -> Results {
        let (op, or) = (self.oarg(c, 2), self.oarg(c, 3));
        let Some((max, _)) = self.int_arg(c, 4, i64::MAX)? else {
            return Ok(None);
        };
        if op.tag != Tag::STRING {
            return Ok(None);
        }
        let (id, repl) = match or.tag {
            Tag::STRING => (CallId::GsubText, self.arg(c, 3)?.val),
            Tag::TABLE => {
                // SAFETY: [GC-LIVE] it is in a slot.
                let plain =
                    unsafe { Chain::new(or.as_ptr()).first(self.global(), |_, _| Value::NIL) };
                if plain.is_none() {
                    return Ok(None);
                }
                (CallId::GsubTable, self.arg(c, 3)?.val)
            }
            _ => return Ok(None),
        };
        let p = self.arg(c, 2)?.val;
        let at = self.rt(IrOp::Call, id, &[s, p, repl, max])?;
        self.guard_done(at)?;
        let (text, n) = (self.value(at, 0)?, self.value(at, 1)?);
        let text = self.assume_tag(text, Tag::STRING)?;
        let n = self.assume_tag(n, Tag::INT)?;
        Ok(Some(vec![text, n]))
    }

    /// The search of the body of `string.gsub`.
    pub(super) unsafe fn gsub_find(&mut self, c: Native) -> Results {
        let mut args = [REF_NONE; 3];
        for (n, a) in (1..).zip(&mut args) {
            *a = self.arg(c, n)?.val;
        }
        let at = self.rt(IrOp::Call, CallId::GsubFind, &args)?;
        self.guard_done(at)?;
        self.values(at, FOUND).map(Some)
    }
    /// A replacement.
    pub(super) unsafe fn gsub_put(&mut self, c: Native) -> Results {
        let mut args = [REF_NONE; 5];
        for (n, a) in (1..).zip(&mut args) {
            *a = self.arg(c, n)?.val;
        }
        let text = match self.oarg(c, 5).tag {
            Tag::STRING => None,
            Tag::INT => Some(CallId::IntStr),
            Tag::FLOAT => Some(CallId::FloatStr),
            _ => return Ok(None),
        };
        if let Some(id) = text {
            args[4] = self.rt_string(id, &args[4..])?.val;
        }
        let len = self.rt(IrOp::Call, CallId::GsubPut, &args)?;
        let zero = self.buf.k_int(0);
        self.guard(IrOp::Ge, Ty::Int, len, zero)?;
        Ok(Some(vec![self.typed(len)]))
    }
    /// The text that is made of it.
    pub(super) unsafe fn gsub_end(&mut self, c: Native) -> Results {
        let mut args = [REF_NONE; 4];
        for (n, a) in (1..).zip(&mut args) {
            *a = self.arg(c, n)?.val;
        }
        Ok(Some(vec![self.rt_string(CallId::GsubEnd, &args)?]))
    }

    /// The function in register `r` is an iterator of `string.gmatch`.
    pub(in crate::record) unsafe fn is_gmatch(&self, f: Value) -> bool {
        // SAFETY: [GC-LIVE] it is in a slot.
        unsafe {
            let c = f.as_ptr::<NativeClosure>();
            f.tag == Tag::FUNCTION
                && (*c).hdr.kind == ObjKind::NativeClosure as u8
                && (*c).hdr.word == FastFn::GmatchNext as u32
        }
    }

    /// Calls the iterator of `string.gmatch` in register `r`, which has been found to be one, for `want` values.
    pub(in crate::record) fn gmatch_next(&mut self, r: i16, want: usize) -> Results {
        if want > MAX_RESULTS {
            return Ok(None);
        }
        let f = self.guard_observed(r)?.val;
        self.guard_number(f, FastFn::GmatchNext)?;
        let n = self.buf.k_int(want as i64);
        let at = self.rt(IrOp::Call, CallId::GmatchNext, &[f, n])?;
        self.guard_done(at)?;
        self.values(at, want).map(Some)
    }
}
