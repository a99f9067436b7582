//! Memory, and the garbage collector.

use traceorus_gc::{Heap, Mode};

use crate::{Lua, Result};

/// Which way the collector works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GCMode {
    /// In steps, between which the program runs.
    Incremental,
    /// Young objects first.
    Generational,
}

impl Lua {
    fn heap(&self) -> &mut Heap {
        let g = self.state.global();
        &mut g.expect("the state is open while there is a `Lua`").heap
    }
    /// Bytes that Lua objects take.
    pub fn used_memory(&self) -> usize {
        self.state.global().map_or(0, |g| g.heap.used_bytes())
    }
    /// Sets the memory limit in bytes (`None`: no limit). Reaching it is an error of kind [`Memory`](crate::ErrorKind::Memory).
    pub fn set_memory_limit(&self, bytes: Option<usize>) {
        self.heap().set_memory_limit(bytes);
    }
    /// The memory limit.
    pub fn memory_limit(&self) -> Option<usize> {
        self.heap().memory_limit()
    }
    /// Runs a full garbage collection, finalizers included. Finalizers that are running are not run by another one.
    pub fn gc_collect(&self) -> Result<()> {
        self.state.take_back();
        self.state.enter(|cx| {
            // SAFETY: [NATIVE-FRAME]
            unsafe { traceorus_vm::exec::full_gc(cx.l) };
            Ok(())
        })
    }
    /// Runs a step of about so many KiB. True if a collection has ended with it.
    pub fn gc_step(&self, kbytes: usize) -> Result<bool> {
        // SAFETY: [NATIVE-FRAME]
        self.state
            .enter(|cx| Ok(unsafe { traceorus_vm::exec::gc_step(cx.l, kbytes) }))
    }
    /// Stops the collector.
    pub fn gc_stop(&self) {
        self.heap().stop();
    }
    /// Lets it run again.
    pub fn gc_restart(&self) {
        self.heap().restart();
    }
    /// It is not stopped.
    pub fn gc_is_running(&self) -> bool {
        self.heap().is_running()
    }
    /// Sets the mode; gives the one before.
    pub fn gc_set_mode(&self, mode: GCMode) -> GCMode {
        let mode = match mode {
            GCMode::Incremental => Mode::Incremental,
            GCMode::Generational => Mode::Generational,
        };
        match self.heap().set_mode(mode) {
            Mode::Generational => GCMode::Generational,
            _ => GCMode::Incremental,
        }
    }
    /// Sets pause and step multiplier of incremental mode, in percent (0: as it is); see the manual's `collectgarbage`.
    pub fn gc_set_params(&self, pause: u32, step_multiplier: u32) {
        if pause != 0 {
            self.heap().set_pause(pause);
        }
        if step_multiplier != 0 {
            self.heap().set_stepmul(step_multiplier);
        }
    }
}
