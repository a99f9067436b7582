//! When to record: counters, what has become of earlier attempts.

use traceorus_base::bytecode::Op;
use traceorus_base::objects::*;
use traceorus_vm::{dispatch, jithooks};

use crate::abort::Abort;
use crate::jit::Jit;
use crate::loc::Link;
use crate::record::{Kind, Recorder};
use crate::traces::{PROTO_KNOWN, PROTO_OFF};

/// What happened at a place where recording was tried.
#[derive(Clone, Copy, Default)]
pub(crate) struct Penalty {
    pub tries: u32,
    /// Times that something else had to be compiled first.
    waits: u32,
    counter: u16,
}

/// So often a place waits for others; then each time counts as a failure.
const MAX_WAITS: u32 = 40;

impl Penalty {
    /// A recording has failed; `wait`: until something else is compiled, which is in hand.
    fn count(&mut self, wait: bool) {
        if wait && self.waits < MAX_WAITS {
            self.waits += 1;
        } else {
            self.tries += 1;
        }
    }
}

/// The parameter `hotcall` that means that functions are not compiled by themselves.
const NEVER: u32 = 65534;

impl Jit {
    /// The counter of a loop or function has run out; see `JitHooks::hot`.
    pub(crate) unsafe fn hot(&mut self, l: *mut Thread, anchor: *mut Instr, start: *const Instr) {
        // SAFETY: [CODE] as the hook promises.
        unsafe {
            let func = matches!(dispatch::op_at(anchor), Op::FuncF | Op::FuncV);
            let n = match func {
                true => self.params.hotcall,
                false => self.params.hotloop,
            };
            jithooks::set_counter(anchor, n as u16);
            // a function trace does not know how many arguments `...` has: helpers would do what handlers do faster
            let vararg = dispatch::op_at(anchor) == Op::FuncV;
            let never = func && (vararg || self.params.hotcall == NEVER);
            if !self.params.on || never || (*self.g).recording {
                return;
            }
            let proto = {
                let closure = (*(*l).base.sub(1)).payload as *mut LuaClosure;
                (*closure).proto
            };
            if (*proto).jit & PROTO_OFF != 0 {
                // asks again now and then
                jithooks::set_counter(anchor, 0xFFFE);
                return;
            }
            if self.explain && !self.hot_protos.contains(&proto) {
                self.hot_protos.push(proto);
                jithooks::set_proto_jit(&mut *self.g, proto, (*proto).jit | PROTO_KNOWN);
            }
            let kind = if func { Kind::Func } else { Kind::Loop };
            let _ = self.start(l, kind, anchor, start);
        }
    }

    /// Sets the counter of a place where a recording has failed.
    pub(crate) unsafe fn punish(&mut self, r: &Recorder, why: Abort) {
        // SAFETY: [CODE] the anchor is in code that the running frame or its callers keep alive.
        unsafe {
            let random = (self.rand() & 15) as u16;
            let wait = why == Abort::CalleeFirst && self.hurry(r.callee);
            match r.kind {
                Kind::Side { parent, exit } => {
                    let t = self.trace(parent);
                    // try again much later
                    t.states[exit as usize].count = 0;
                    let key = t.stub(exit) as usize;
                    self.penalties.entry(key).or_default().count(wait);
                }
                Kind::Cont { call } => {
                    let p = self.penalties.entry(call as usize).or_default();
                    p.count(wait);
                }
                _ => {
                    let p = self.penalties.entry(r.anchor as usize).or_insert(Penalty {
                        counter: 32,
                        ..Penalty::default()
                    });
                    p.tries += 1;
                    if why != Abort::InnerLoop || p.tries > 8 {
                        p.counter = (p.counter.saturating_mul(2)).min(60000) + random;
                    }
                    if jithooks_is_counter(r.anchor) {
                        jithooks::set_counter(r.anchor, p.counter);
                    }
                }
            }
        }
    }

    /// Has the function with this header recorded at its next call. False: that has failed too often.
    unsafe fn hurry(&mut self, header: *mut Instr) -> bool {
        let tries = self
            .penalties
            .get(&(header as usize))
            .map_or(0, |p| p.tries);
        // SAFETY: [CODE] the header is in code that the recording kept alive.
        unsafe {
            if tries > 2 || self.params.hotcall == NEVER || !jithooks_is_counter(header) {
                return false;
            }
            jithooks::set_counter(header, 1);
        }
        true
    }

    /// An exit has been taken and the interpreter restored: count it, perhaps record what follows. `full`: it was for want of room on the stack.
    pub(crate) unsafe fn exited(
        &mut self,
        l: *mut Thread,
        n: u16,
        exit: u16,
        pc: *const Instr,
        full: bool,
    ) {
        // SAFETY: [CODE] `l` goes on at `pc`.
        unsafe {
            let hotexit = self.params.hotexit;
            let (maxside, on) = (self.params.maxside, self.params.on);
            let maxtries = self.params.maxtries;
            let t = self.trace(n);
            // what follows is for the interpreter: a trace would end there at once
            let end = t.link == Link::Exit && exit as usize + 1 == t.exits.len();
            let e = &mut t.states[exit as usize];
            e.taken = e.taken.saturating_add(1);
            if full {
                return;
            }
            e.count = e.count.saturating_add(1);
            if u32::from(e.count) < hotexit || end || !on || (*l).hook_mask != 0 {
                return;
            }
            e.count = 0;
            let (taken, root) = (e.taken, t.root);
            let stub = t.stub(exit) as usize;
            if self.trace(root).nsides >= maxside || (*self.g).recording {
                return;
            }
            let tries = self.penalties.get(&stub).map_or(0, |p| p.tries);
            // with each further failure it takes twice as many exits to try again
            if tries >= maxtries && taken < hotexit.saturating_mul(64) << (tries - maxtries).min(8)
            {
                return;
            }
            let kind = Kind::Side { parent: n, exit };
            let _ = self.start(l, kind, std::ptr::null_mut(), pc);
        }
    }

    /// Compiled code has returned to the call at `call`, which has no continuation. Gives the pc to go on at.
    pub(crate) unsafe fn returned(&mut self, l: *mut Thread, call: *const Instr) -> *const Instr {
        // SAFETY: [CODE] `l` goes on behind the call.
        unsafe {
            let next = call.add(dispatch::op_at(call).words());
            let n = self.returns.entry(call as usize).or_insert(0);
            *n += 1;
            if *n >= self.params.hotexit
                && self.params.on
                && (*l).hook_mask == 0
                && !(*self.g).recording
            {
                *n = 0;
                let tries = self.penalties.get(&(call as usize)).map_or(0, |p| p.tries);
                if tries < self.params.maxtries {
                    let _ = self.start(l, Kind::Cont { call }, std::ptr::null_mut(), next);
                }
            }
            next
        }
    }
}

/// Whether the word at `anchor` still counts (it does not enter a trace).
unsafe fn jithooks_is_counter(anchor: *mut Instr) -> bool {
    // SAFETY: [CODE] as the callers.
    unsafe {
        let op = dispatch::exact_op_of(traceorus_base::bytecode::op_field(*anchor));
        op.original() == op
    }
}
