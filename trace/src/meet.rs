//! Where the ways through a wide tree meet.
//!
//! A side trace goes on to the end of the loop or function, so where several branches follow one another that go either way, each combination becomes a trace of its own: the
//! tree grows with their product. So when `maxmeet` side traces of a tree begin at one place, each at the end of another way there, further ways become no side traces,
//! but lead to a root trace that begins there ([`Kind::Meet`]). They store what memory does not have first ([`crate::short`]); that trace loads it, looks at the types
//! again, and has exits of its own that lead to others. Recordings that come to such a place end there. So there are about as many traces as there are places.
//!
//! Only exits of branches that the program decides do so. At a guard of a type, a shape or a function the policy has better answers (other roots, look-ups, trees recorded anew), which need
//! to hear of the exits; and what such guards have found out is what the trace behind them lives on.
//!
//! An exit leads to no trace that begins where the one with the exit does: it would come back to the same guard. All others get on by an instruction at least, and whoever jumps looks whether
//! something waits.

use traceorus_base::bytecode::Op;
use traceorus_base::objects::Instr;
use traceorus_vm::dispatch;

use crate::ir::Snap;
use crate::jit::Jit;
use crate::record::Kind;

/// The instruction at `pc`, in code that is alive, is a call.
pub(crate) unsafe fn is_call(pc: *const Instr) -> bool {
    // SAFETY: [CODE] the caller's promise.
    let op = unsafe { dispatch::op_at(pc) };
    matches!(op, Op::Call | Op::CallM | Op::TailCall | Op::TailCallM)
}

impl Jit {
    /// Whether what follows this exit is to be the trace that begins where it goes on, whatever has led there.
    pub(crate) fn meets(&self, n: u16, exit: u16) -> bool {
        let trace = |n: u16| self.traces[n as usize].as_ref().expect("alive");
        let t = trace(n);
        if !t.states[exit as usize].decided {
            return false;
        }
        let map = t.exits.get(exit);
        let (pc, at) = (map.pc as *const Instr, map.pc as usize);
        let ways = self.starts.get(&(t.root, at)).copied().unwrap_or(0);
        let known = matches!(trace(t.root).kind, Kind::Meet { .. }) && self.meets.contains_key(&at);
        // a side trace that can go on in the loop's body costs little, and what follows a loop is no way through it
        let open = t.through_of != 0
            || t.body.is_some() && exit >= t.loop_exits
            || t.way != 0 && self.leaves(t, exit);
        let most = self.params.maxmeet * if open { 8 } else { 1 };
        // not where that has led nowhere
        let failed = self.tries(Kind::Meet { pc }) != 0;
        if ways < most && !known || failed {
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
