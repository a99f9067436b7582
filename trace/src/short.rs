//! Short exits, as far as policy is concerned: which exits get code of their own ([`crate::lower::short`]), and what becomes of it.
//!
//! Most exits that are taken often become side traces. What is left are those where recording fails or is not allowed (the time is spent, the
//! tree is wide), and in programs of many branches these are most of the exits that are taken. The general way out reads what an exit restores, and the state of trace and exit, from
//! half a dozen places that are in no cache: 100 ns and more. A short exit is a few stores.
//!
//! It counts down, and takes the general way about each [`PERIOD`]th time: so the policy goes on counting and trying. A side trace takes its place, as that of any exit.

use std::sync::atomic::{AtomicU32, Ordering};

use traceorus_asm::Host;
use traceorus_base::bytecode::Op;
use traceorus_base::objects::Instr;
use traceorus_vm::dispatch;

use crate::jit::Jit;
use crate::lower::{self, TraceRegs};
use crate::params::dump;

/// So often a short exit is taken, on the average, before the general way is, which counts as so many times.
const PERIOD: u32 = 64;
/// Room that is enough for nearly all of them, in bytes.
const MOST_BYTES: usize = 512;

/// Code of an exit.
#[derive(Debug)]
pub(crate) struct Short {
    /// What the code counts down.
    left: Box<AtomicU32>,
    /// What that began with.
    period: u32,
    address: u64,
    bytes: usize,
    /// The trace that it leads to; 0: the interpreter.
    to: u16,
    /// What the exit's stub began with.
    stub: u64,
}

impl Jit {
    /// The general way has been taken out of trace `n`: how many exits that stands for.
    pub(crate) fn exits_at_once(&mut self, n: u16, exit: u16) -> u32 {
        if self.shorts.is_empty() {
            return 1;
        }
        let next = self.short_period();
        match self.shorts.get_mut(&(n, exit)) {
            Some(s) if s.left.load(Ordering::Relaxed) == 0 => {
                s.left.store(next, Ordering::Relaxed);
                std::mem::replace(&mut s.period, next)
            }
            _ => 1,
        }
    }
    /// So often a short exit is taken before the general way is. Exits of a loop would all run out at once if it were the same number for all.
    fn short_period(&mut self) -> u32 {
        PERIOD / 2 + self.rand() % PERIOD
    }

    /// Nothing can be recorded at this exit for the time being: it becomes a short one, if it is not.
    pub(crate) unsafe fn shorten(&mut self, n: u16, exit: u16) {
        // SAFETY: as the callers.
        unsafe { self.shorten_to(n, exit, 0) };
    }

    /// The exit becomes a short one that leads to the entry of trace `to`, which begins where it goes on (0: to the interpreter), if it is not.
    pub(crate) unsafe fn shorten_to(&mut self, n: u16, exit: u16, to: u16) {
        let is_dumped = to == 0 && self.dump.wants(dump::EXIT);
        if is_dumped || self.shorts.get(&(n, exit)).is_some_and(|s| s.to == to) {
            return;
        }
        self.restore_stub(n, exit);
        let period = self.short_period();
        let Some(thunks) = self.thunks.as_ref() else {
            return;
        };
        let t = self.traces[n as usize].as_ref().expect("alive");
        let map = t.exits.get(exit);
        // SAFETY: [CODE] the trace keeps the prototype.
        let op = unsafe { dispatch::op_at(map.pc as *const Instr) };
        if t.states[exit as usize].side != 0 {
            return;
        }
        // see the end of `exit::exit`
        let enters = (op == Op::TForCall).then(|| dispatch::handler_of(Op::JTForCall));
        let Ok(address) = self.area.place(MOST_BYTES) else {
            return;
        };
        let left = Box::new(AtomicU32::new(period));
        let input = lower::ShortInput {
            id: u32::from(n) << 16 | u32::from(exit),
            left: (to == 0).then_some(left.as_ptr() as u64),
            to: (to != 0).then(|| self.trace_entry(to)),
            not_at: enters,
            address,
            thunks,
        };
        let stub = t.stub(exit);
        let Some(Ok(code)) = lower::short_exit::<Host>(&map, &input) else {
            return;
        };
        if code.len() > MOST_BYTES || self.area.install_at(address, &code).is_err() {
            return;
        }
        // SAFETY: [CODE] the trace is alive, and stubs are eight bytes at least.
        let was = unsafe { *(stub as *const u64) };
        let jump = Host::link_stub(stub, address);
        if jump.is_none_or(|j| self.area.patch(stub, j).is_err()) {
            return self.area.free(address, code.len());
        }
        self.area.trim();
        let bytes = code.len();
        self.shorts.insert(
            (n, exit),
            Short {
                left,
                period,
                address,
                bytes,
                to,
                stub: was,
            },
        );
    }

    fn trace_entry(&self, n: u16) -> u64 {
        self.traces[n as usize]
            .as_ref()
            .expect("a live trace")
            .entry
    }

    /// The exit takes the general way again.
    pub(crate) fn restore_stub(&mut self, n: u16, exit: u16) {
        let Some(was) = self.shorts.get(&(n, exit)).map(|s| s.stub) else {
            return;
        };
        let stub = self.trace(n).stub(exit);
        let patched = self.area.patch(stub, was);
        debug_assert!(patched.is_ok());
        self.drop_short(n, exit);
    }

    /// No exit leads to trace `to` any more.
    pub(crate) fn close_meet(&mut self, to: u16) {
        let there = self.shorts.iter().filter(|s| s.1.to == to);
        let exits: Vec<(u16, u16)> = there.map(|s| *s.0).collect();
        for (n, exit) in exits {
            self.restore_stub(n, exit);
        }
    }

    /// The exit is not a short one any more: its stub leads elsewhere, or is gone.
    pub(crate) fn drop_short(&mut self, n: u16, exit: u16) {
        if let Some(s) = self.shorts.remove(&(n, exit)) {
            // nothing returns to it
            self.area.free(s.address, s.bytes);
        }
    }

    /// The same for all exits of a trace, which has so many.
    pub(crate) fn drop_shorts(&mut self, n: u16, exits: u16) {
        if self.shorts.is_empty() {
            return;
        }
        for exit in 0..exits {
            self.drop_short(n, exit);
        }
    }
}
