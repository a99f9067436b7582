//! Instructions are watched for a while before what has become hot is recorded, to see which of its branches go both ways.

use traceorus_base::objects::*;
use traceorus_vm::{dispatch, jithooks};

use crate::jit::Jit;
use crate::opt;
use crate::policy::jithooks_is_counter;
use crate::record::select;
use crate::traces::PROTO_KNOWN;

/// Instructions are watched, for [`Jit::profile`].
pub(crate) struct Watch {
    /// So many more.
    pub left: u32,
    /// The last one, if it was a conditional jump: where it is, leads to, and goes on.
    pub last: Option<[*const Instr; 3]>,
    /// What is to be recorded then; null: it is gone.
    pub anchor: *mut Instr,
}

impl Jit {
    /// Has the interpreter watched before what begins at `start` is recorded, if there are branches in it that may become selections.
    pub(crate) unsafe fn watches(
        &mut self,
        l: *mut Thread,
        proto: *mut Proto,
        anchor: *mut Instr,
        start: *const Instr,
    ) -> bool {
        // SAFETY: [CODE] as the callers.
        unsafe {
            let left = self.params.watch;
            let on = self.params.passes.has(opt::Passes::SELECT) && self.params.hotloop > 1;
            if left == 0 || !on || !self.watched.insert(anchor as usize) {
                return false;
            }
            let end = match start > anchor {
                true => (*proto).code.add((*proto).ncode as usize).cast_const(),
                false => anchor.cast_const(),
            };
            let mut at = start;
            while at < end && select::join(at).is_none() {
                at = at.add(dispatch::op_at(at).words());
            }
            if at >= end {
                return false;
            }
            self.watch = Some(Watch {
                left,
                last: None,
                anchor,
            });
            jithooks::set_proto_jit(&mut *self.g, proto, (*proto).jit | PROTO_KNOWN);
            (*self.g).recording = true;
            dispatch::follow_recording(l);
            true
        }
    }

    /// The instruction at `pc` is about to be performed, and is watched.
    pub(crate) unsafe fn watching(&mut self, pc: *const Instr) {
        // SAFETY: [CODE] as the hook; the prototype of the anchor is known.
        unsafe {
            let Some(w) = self.watch.as_mut() else {
                return;
            };
            if let Some([at, to, next]) = w.last
                && (pc == to || pc == next)
            {
                self.profile.entry(at as usize).or_default()[usize::from(pc == next)] += 1;
            }
            let next = pc.add(dispatch::op_at(pc).words());
            w.last = select::target(pc).map(|to| [pc, to, next]);
            w.left -= 1;
            if w.left > 0 {
                return;
            }
            let anchor = w.anchor;
            self.watch = None;
            self.stop();
            if !anchor.is_null() && jithooks_is_counter(anchor) {
                jithooks::set_counter(anchor, 1);
            }
        }
    }
}
