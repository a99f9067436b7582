//! Objects with finalizers: one list in order of registration, and the queue of those to be finalized.
//!
//! The lists are the collector's own memory. An object that turns out white in the atomic phase moves to the
//! queue, later registrations first, and is marked from there: it and what it reaches survive until the
//! finalizer has run and the next cycle finds it white again.

use crate::Heap;
use traceorus_base::objects::{GcHeader, flags};

impl Heap {
    /// Notes that the object has a finalizer (`setmetatable` with a `__gc`). Does nothing if it is noted
    /// already.
    ///
    /// # Safety
    /// [GC-LIVE] `obj` is a live object.
    pub unsafe fn register_finalizer(&mut self, obj: *mut GcHeader) {
        // SAFETY: the caller's promise.
        unsafe {
            if (*obj).flags & flags::FINALIZER == 0 {
                (*obj).flags |= flags::FINALIZER;
                self.finobj.push(obj);
            }
        }
    }

    /// The next object whose finalizer is to run. It may be registered again from now on, and is kept alive
    /// by nobody but the caller.
    ///
    /// # Safety
    /// [GC-LIVE] the caller roots the object before the next safepoint.
    pub unsafe fn next_to_finalize(&mut self) -> Option<*mut GcHeader> {
        let o = self.tobefnz.pop_front()?;
        // SAFETY: [GC-LIVE] queued objects are marked in each cycle.
        unsafe { (*o).flags &= !flags::FINALIZER };
        Some(o)
    }

    /// Whether objects wait for their finalizers.
    pub fn has_to_finalize(&self) -> bool {
        !self.tobefnz.is_empty()
    }

    /// At close: queues every registered object, later registrations first.
    ///
    /// # Safety
    /// [GC-HOOK] no hook is active.
    pub unsafe fn separate_all(&mut self) {
        let all = core::mem::take(&mut self.finobj);
        self.tobefnz.extend(all.into_iter().rev());
        if !self.tobefnz.is_empty() {
            // SAFETY: [GC-HOOK].
            unsafe { (self.hooks.queue_finalizers)(self.hooks.ctx) };
        }
    }

    /// Queues the registered objects that are white.
    pub(crate) unsafe fn separate_white(&mut self) {
        let mut list = core::mem::take(&mut self.finobj);
        let first = self.tobefnz.len();
        // SAFETY: [GC-LIVE] registered objects were not swept: they are reached, or queued here when white.
        list.retain(|&o| unsafe {
            let keep = self.bit(o);
            if !keep {
                self.tobefnz.push_back(o);
            }
            keep
        });
        self.tobefnz.make_contiguous()[first..].reverse();
        self.finobj = list;
    }
}
