//! Functions of `coroutine` that do not switch (for those that do see `record::coroutine`).

use traceorus_base::fastfn::FastFn;
use traceorus_base::objects::*;
use traceorus_base::{Tag, Value};

use super::{Native, Results};
use crate::ir::{CallId, FieldId, IrOp, Ty};
use crate::record::Recorder;

impl Recorder {
    #[inline(never)]
    pub(super) unsafe fn coroutine_function(&mut self, id: FastFn, c: Native) -> Results {
        // SAFETY: [GC-LIVE] as `native`.
        unsafe {
            let o = self.oarg(c, 1);
            match id {
                FastFn::CoCreate | FastFn::CoWrap => {
                    if o.tag != Tag::FUNCTION {
                        return Ok(None);
                    }
                    let f = self.arg(c, 1)?.val;
                    let call = match id {
                        FastFn::CoCreate => CallId::CoCreate,
                        _ => CallId::CoWrap,
                    };
                    let made = self.rt(IrOp::Call, call, &[f])?;
                    Ok(Some(vec![self.typed(made)]))
                }
                FastFn::Running => {
                    let main = self.guard_main(self.l)?;
                    let me = self.running()?;
                    let main = self.konst(Value::bool(main));
                    Ok(Some(vec![self.typed(me), main]))
                }
                FastFn::IsYieldable => {
                    let (co, at) = match o.tag {
                        Tag::THREAD => (o.as_ptr::<Thread>(), self.arg(c, 1)?.val),
                        Tag::NIL if c.nargs == 0 => (self.l, self.running()?),
                        _ => return Ok(None),
                    };
                    // native code in between may allow a yield or not
                    if co != self.global().hot.main && (*co).ncalls >> 16 != 0 {
                        return Ok(None);
                    }
                    let main = self.thread_is_main(co, at)?;
                    if !main {
                        let calls = self.field(at, FieldId::ThreadCalls)?;
                        let low = self.buf.k(Ty::U32, 0x1_0000);
                        self.guard(IrOp::Ult, Ty::U32, calls, low)?;
                    }
                    let yes = self.konst(Value::bool(!main));
                    Ok(Some(vec![yes]))
                }
                _ => self.status(c, o),
            }
        }
    }

    unsafe fn status(&mut self, c: Native, o: Value) -> Results {
        // SAFETY: [GC-LIVE] as `native`.
        unsafe {
            if o.tag != Tag::THREAD {
                return Ok(None);
            }
            let co = o.as_ptr::<Thread>();
            let now = (*co).status;
            let name: &[u8] = match now {
                thread_status::FRESH | thread_status::SUSPENDED => b"suspended",
                thread_status::RUNNING if co == self.l => b"running",
                thread_status::NORMAL => b"normal",
                thread_status::DEAD | thread_status::ERROR => b"dead",
                _ => return Ok(None),
            };
            let at = self.arg(c, 1)?.val;
            if now == thread_status::RUNNING {
                let me = self.running()?;
                self.guard(IrOp::Eq, Ty::Thread, at, me)?;
            } else {
                self.guard_field(at, FieldId::ThreadStatus, now.into())?;
            }
            Ok(Some(vec![self.text(name)]))
        }
    }

    /// Guards whether the running thread is the main one.
    unsafe fn guard_main(&mut self, l: *mut Thread) -> crate::record::Rec<bool> {
        let me = self.running()?;
        // SAFETY: as `native`.
        unsafe { self.thread_is_main(l, me) }
    }

    /// Guards whether the thread `co`, `at` in the trace, is the main one.
    unsafe fn thread_is_main(
        &mut self,
        co: *mut Thread,
        at: crate::ir::Ref,
    ) -> crate::record::Rec<bool> {
        let main = self.global().hot.main;
        let k = self.buf.k(Ty::Thread, main as u64);
        let op = if co == main { IrOp::Eq } else { IrOp::Ne };
        self.guard(op, Ty::Thread, at, k)?;
        Ok(co == main)
    }
}
