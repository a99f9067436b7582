//! Where the ways through a wide tree meet.
//!
//! A side trace goes on to the end of the loop or function, so where several branches follow one another that go either way, each combination becomes a trace of its own: the
//! tree grows with their product. In a tree that is wide and deep already, hot exits become no side traces therefore, but lead to a root trace that begins where they
//! go on ([`Kind::Meet`]), whatever way has led there: one for each such place. They store what memory does not have first ([`crate::short`]); that trace loads it,
//! looks at the types again, and has exits of its own that lead to others. So there are as many traces as there are places.
//!
//! An exit leads to no trace that begins where the one with the exit does: it would come back to the same guard. All others get on by an instruction at least.

use traceorus_base::bytecode::Op;
use traceorus_base::objects::Instr;
use traceorus_vm::dispatch;

use crate::ir::Snap;
use crate::jit::Jit;
use crate::record::Kind;

/// The instruction at `pc` is a call.
pub(crate) unsafe fn is_call(pc: *const Instr) -> bool {
    // SAFETY: [CODE] the caller's promise.
    let op = unsafe { dispatch::op_at(pc) };
    matches!(op, Op::Call | Op::CallM | Op::TailCall | Op::TailCallM)
}

impl Jit {
    fn trace_kind(&self, n: u16) -> Kind {
        self.traces[n as usize].as_ref().expect("a trace").kind
    }

    /// Whether what follows this exit is to be the trace that begins where it goes on, whatever has led there.
    pub(crate) fn meets(&self, n: u16, exit: u16) -> bool {
        let t = self.traces[n as usize].as_ref().expect("alive");
        let of_meet = |n: u16| matches!(self.trace_kind(n), Kind::Meet { .. });
        let map = t.exits.get(exit);
        let pc = map.pc as *const Instr;
        let same = self.starts.get(&(t.root, map.pc as usize));
        let root = self.traces[t.root as usize].as_ref().expect("alive");
        let narrow = root.nsides < self.params.maxside / 12 && !of_meet(t.root);
        if t.states[exit as usize].types && narrow {
            return false;
        }
        let many = same.is_some_and(|&n| n >= self.params.maxmeet)
            || of_meet(t.root) && self.meets.contains_key(&(map.pc as usize));
        if !many {
            return false;
        }
        // SAFETY: [CODE] the trace keeps the prototype.
        let op = unsafe { dispatch::op_at(pc) };
        pc != t.start_pc && map.top == Snap::NO_TOP && !map.has_objects() && op.entering().is_none()
    }

    /// So many side traces of the tree begin at the call at `pc`, for a function each, that the interpreter had better call further ones, which may be compiled.
    pub(crate) fn calls_many(&self, root: u16, pc: *const Instr) -> bool {
        // SAFETY: [CODE] the tree keeps the prototype.
        let call = unsafe { is_call(pc) };
        let made = self.starts.get(&(root, pc as usize)).copied();
        call && made.unwrap_or(0) >= self.params.maxcalls
    }

    /// An exit that [`Jit::meets`] others has become hot: it leads to the trace at `pc`, where it goes on, or that is to be recorded.
    pub(crate) unsafe fn meet(&mut self, n: u16, exit: u16, pc: *const Instr) -> Option<Kind> {
        let there = self.meets.get(&(pc as usize)).copied();
        let Some(to) = there.filter(|&to| !self.trace(to).retired) else {
            return Some(Kind::Meet { pc });
        };
        // SAFETY: [CODE] both are alive.
        unsafe {
            self.wake_tree(to);
            self.shorten_to(n, exit, to);
        }
        None
    }
}
