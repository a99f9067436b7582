//! When to collect and how fast: debts, steps, parameters, modes.
//!
//! As in Lua, a *debt* counts bytes allocated beyond the point where work is due. A cycle starts when memory
//! in use reaches `pause` percent of what was alive after the last one. From then on, each `2^stepsize` bytes
//! of allocation make a step due, and the step looks at `stepmul / 3` bytes for each byte of debt.

use crate::arena::TRIM_SLACK;
use crate::{BLOCK, Heap, Phase};
use core::sync::atomic::Ordering;
use traceorus_base::objects::poll;

/// Collection mode, as `collectgarbage` names it. Both share the incremental engine for now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// "incremental"
    Incremental,
    /// "generational"
    Generational,
}

/// Parameters of the pacer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Params {
    /// Memory in use, in percent of what survived, at which a cycle starts.
    pub pause: u32,
    /// Speed of steps in percent.
    pub stepmul: u32,
    /// Allocation between steps, as log2 of bytes.
    pub stepsize: u32,
}

impl Params {
    /// Lua's.
    pub const DEFAULT: Params = Params {
        pause: 200,
        stepmul: 100,
        stepsize: 13,
    };
}

/// A cycle starts at the earliest after as much allocation as what lives takes, within these bounds. A cycle over the libraries
/// alone is worth about 32 KiB of allocation in small objects.
pub(crate) const MIN_PAUSE: usize = 96 << 10;
const MAX_MIN_PAUSE: usize = 256 << 10;
/// Bytes of marking that are done without looking at the clock.
const SLICE: usize = 16 << 10;

impl Heap {
    /// Does the work that is due; for safepoints that find `poll::GC`.
    ///
    /// # Safety
    /// [GC-LIVE] everything that is needed is reachable from the roots, threads' frames are in order.
    pub unsafe fn step(&mut self) {
        // SAFETY: the caller's promise.
        unsafe {
            self.poll_word().fetch_and(!poll::GC, Ordering::Relaxed);
            if self.busy {
                return;
            }
            self.arena.drop_spare();
            if !self.may_run() {
                self.debt = -(1 << 14);
            } else if self.stress_due {
                self.stress_due = false;
                self.full(false);
            } else if self.debt > 0 {
                self.basic_step();
            }
        }
    }

    /// `collectgarbage("step", kb)`: a basic step for 0, else a step as if `kb` KiB had been allocated. True
    /// if it ended a cycle.
    ///
    /// # Safety
    /// As [`Heap::step`].
    pub unsafe fn step_bytes(&mut self, kb: usize) -> bool {
        if self.busy {
            return false;
        }
        let more = isize::try_from(kb)
            .unwrap_or(isize::MAX)
            .saturating_mul(1024);
        self.debt = if kb == 0 {
            0
        } else {
            self.debt.saturating_add(more)
        };
        if kb != 0 && self.debt <= 0 {
            return false;
        }
        // SAFETY: the caller's promise.
        unsafe { self.basic_step() };
        self.phase == Phase::Pause
    }

    unsafe fn basic_step(&mut self) {
        let size = 1usize << self.params.stepsize.clamp(4, 40);
        let speed = (self.params.stepmul as usize / 3).max(1);
        let mut work = (self.debt.max(0) as usize)
            .saturating_add(size)
            .saturating_mul(speed);
        // SAFETY: the caller's promise.
        unsafe {
            loop {
                let done = self.single_step(work.min(SLICE));
                if self.phase == Phase::Pause {
                    self.schedule();
                    self.verify_step();
                    return;
                }
                if done >= work {
                    break;
                }
                work -= done;
            }
            self.debt = -(size as isize);
            self.verify_step();
        }
    }

    /// One piece of work of about `limit` bytes; returns what it cost.
    unsafe fn single_step(&mut self, limit: usize) -> usize {
        self.at_work.store(true, Ordering::Relaxed);
        // SAFETY: the caller's promise.
        let done = unsafe { self.step_of_phase(limit) };
        self.at_work.store(false, Ordering::Relaxed);
        done
    }

    unsafe fn step_of_phase(&mut self, limit: usize) -> usize {
        // SAFETY: the caller's promise.
        unsafe {
            match self.phase {
                Phase::Pause => {
                    self.start_cycle(false);
                    1024
                }
                Phase::Mark => {
                    if !self.gray.is_empty() {
                        return self.propagate(limit).max(1);
                    }
                    if !self.remarked {
                        // scan once more what changed, so that the atomic phase has less to do
                        self.remarked = true;
                        self.requeue_forwarded();
                        self.gray.extend(self.grayagain.drain(..).map(|p| p.addr()));
                        return 1024;
                    }
                    let before = self.work;
                    self.atomic();
                    1024 + (self.work - before)
                }
                Phase::Atomic => unreachable!("the atomic phase is one step"),
                Phase::Sweep => self.sweep_step(limit),
            }
        }
    }

    /// A full collection: every object that is not reachable now is freed or its finalizer queued.
    ///
    /// # Safety
    /// As [`Heap::step`].
    pub unsafe fn full(&mut self, emergency: bool) {
        if self.busy {
            return;
        }
        self.at_work.store(true, Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe {
            if !emergency {
                self.arena.drop_spare();
            }
            self.reach_pause();
            self.start_cycle(true);
            self.remarked = true;
            self.propagate(usize::MAX);
            self.atomic();
            self.prune_settled();
            self.finish_sweep();
            self.schedule();
            self.poll_word().fetch_and(!poll::GC, Ordering::Relaxed);
            self.verify_step();
        }
        self.at_work.store(false, Ordering::Relaxed);
    }

    /// Gives up a mark phase, completes a sweep.
    pub(crate) unsafe fn reach_pause(&mut self) {
        // SAFETY: the caller's promise.
        unsafe {
            match self.phase {
                Phase::Mark => self.abandon(),
                Phase::Sweep => self.finish_sweep(),
                _ => {}
            }
        }
    }

    unsafe fn finish_sweep(&mut self) {
        while self.phase == Phase::Sweep {
            // SAFETY: the caller's promise.
            unsafe { self.sweep_step(usize::MAX / 64) };
        }
    }

    /// Gives up a cycle in its mark phase.
    unsafe fn abandon(&mut self) {
        for t in self.rehash.drain(..) {
            // SAFETY: [GC-LIVE] the tables were marked.
            unsafe { (*t).hdr.flags &= !crate::barrier::QUEUED };
        }
        // SAFETY: [GC-BLOCK]; [GC-HOOK].
        unsafe {
            self.clear_marks();
            (*self.global).gc_marking = 0;
        }
        self.gray.clear();
        self.grayagain.clear();
        self.weak_seen.clear();
        self.parents.clear();
        self.new_runs.clear();
        self.phase = Phase::Pause;
    }

    /// All is swept.
    pub(crate) unsafe fn end_cycle(&mut self) {
        self.phase = Phase::Pause;
        let swept = (self.stats.swept_bytes - self.swept_before) as usize;
        self.live_estimate = self.live_estimate.saturating_sub(swept);
        if self.gray.capacity() > 1 << 16 {
            self.gray = Vec::new();
        }
    }

    /// Sets the debt so that the next cycle starts after the pause, and gives back blocks that will not be
    /// needed until then.
    fn schedule(&mut self) {
        // Garbage up to the pause's share of what lives is what collecting costs less often; where a cycle is cheap
        // (large arrays of numbers, strings), less of it will do.
        let live = self.live_estimate.max(1);
        let cost = (self.work - self.work_before).clamp(live / 4, live);
        let share = u128::from(self.params.pause.saturating_sub(100));
        let threshold = live as u128 + (cost as u128 * share / 100).min(1 << 60);
        let rest = (threshold as usize).saturating_sub(self.used_bytes());
        let least = if self.params.pause >= 100 {
            live.clamp(MIN_PAUSE, MAX_MIN_PAUSE)
        } else {
            0
        };
        let rest = rest.max(least);
        self.debt = -(rest as isize);
        // keep the blocks that this cycle will need, or the ones before did: what goes back costs page faults
        let taken = self.arena.total_blocks - self.arena.pool_blocks;
        let wanted = taken + rest / BLOCK + 4;
        self.wanted_blocks = wanted.max(self.wanted_blocks - self.wanted_blocks / 8);
        let keep = self.wanted_blocks - taken;
        if self.arena.dirty_blocks > keep + TRIM_SLACK {
            // SAFETY: [GC-BLOCK]
            unsafe { self.arena.trim(keep) };
        }
    }

    /// Whether steps may do anything.
    pub(crate) fn may_run(&self) -> bool {
        self.running && self.held == 0
    }

    /// `collectgarbage("stop")`.
    pub fn stop(&mut self) {
        self.running = false;
    }

    /// `collectgarbage("restart")`.
    pub fn restart(&mut self) {
        self.running = true;
        self.debt = 0;
    }

    /// `collectgarbage("isrunning")`.
    pub fn is_running(&self) -> bool {
        self.running
    }

    /// Keeps steps from doing anything (while a finalizer runs, at close), independently of `stop`. Nests.
    pub fn hold(&mut self) {
        self.held += 1;
    }

    /// Ends one [`Heap::hold`].
    pub fn release(&mut self) {
        self.held = self.held.saturating_sub(1);
        if self.may_run() && (self.debt > 0 || self.stress_due) {
            self.raise();
        }
    }

    /// Whether [`Heap::hold`] is in force.
    pub fn is_held(&self) -> bool {
        self.held > 0
    }

    /// The mode.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// Sets the mode; returns the one before.
    pub fn set_mode(&mut self, mode: Mode) -> Mode {
        core::mem::replace(&mut self.mode, mode)
    }

    /// The pacer's parameters.
    pub fn params(&self) -> Params {
        self.params
    }

    /// Sets the pause in percent; returns the one before.
    pub fn set_pause(&mut self, v: u32) -> u32 {
        core::mem::replace(&mut self.params.pause, v)
    }

    /// Sets the speed in percent; returns the one before.
    pub fn set_stepmul(&mut self, v: u32) -> u32 {
        core::mem::replace(&mut self.params.stepmul, v)
    }

    /// Sets the step size as log2 of bytes; returns the one before.
    pub fn set_stepsize(&mut self, v: u32) -> u32 {
        core::mem::replace(&mut self.params.stepsize, v)
    }

    /// Every `n`-th allocation asks for a full collection at the next step; 0 turns it off.
    pub fn set_stress(&mut self, n: u32) {
        self.stress = n;
        self.stress_left = n;
        self.stress_due = false;
        if n > 0 {
            // inline allocation must take the slow path; the next sweep finds the cells again
            // SAFETY: [GC-HOOK] the state outlives its heap.
            unsafe { (*self.global).free = [core::ptr::null_mut(); _] };
        }
    }
}
