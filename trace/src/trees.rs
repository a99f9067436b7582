//! Removal of traces.

use traceorus_vm::jithooks;

use crate::abort::Abort;
use crate::events::What;
use crate::jit::Jit;
use crate::record::Kind;

impl Jit {
    /// Removes every trace; those that wait for a call to return are left then. Code memory is not used again.
    ///
    /// # Safety
    /// The state is live.
    pub unsafe fn flush(&mut self) {
        // SAFETY: [CODE] anchors are in live code.
        unsafe {
            if self.recorder.is_some() {
                self.abort(Abort::SwitchedOff);
            }
            for n in 1..self.traces.len() {
                self.unlink(n as u16);
            }
            self.disturb();
            self.tell(What::Flush);
        }
    }

    /// Traces that wait for a call to return are left then: what they know of frames and constants may be wrong.
    pub(crate) unsafe fn disturb(&mut self) {
        // SAFETY: the state is live.
        unsafe { (*self.g).hot.jit_scratch[3] = 1 }
    }

    /// No instruction enters the trace any more.
    pub(crate) unsafe fn unlink(&mut self, n: u16) {
        // SAFETY: as `flush`.
        unsafe {
            let Some(t) = self.traces[n as usize].as_mut() else {
                return;
            };
            if !t.alive {
                return;
            }
            self.stats.trace_gone(t);
            t.alive = false;
            if !t.anchor.is_null() {
                let hot = self.params.hotloop as u16;
                jithooks::set_entry(t.anchor, t.proto, None, hot);
            }
            let start = t.start_pc as usize;
            if self.by_start.get(&start) == Some(&n) {
                self.by_start.remove(&start);
            }
            match t.kind {
                Kind::Func => {
                    self.funcs.remove(&(t.proto as usize));
                }
                Kind::Cont { call } => {
                    jithooks::set_continuation(call.cast_mut(), 0);
                }
                _ => {}
            }
        }
    }
}
