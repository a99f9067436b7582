//! Values that functions leave in memory for the trace, which loads them next.
//!
//! The place is this thread's, and not one of the state's that the trace uses for other things (the word of `GlobalHot::jit_scratch` that
//! says that a frame was disturbed is one of those).

use std::cell::UnsafeCell;

use traceorus_base::Value;

/// Most values that one call gives.
pub const MAX_RESULTS: usize = 12;

/// The number of values, then payload and tag of each.
type Values = UnsafeCell<[u64; 1 + 2 * MAX_RESULTS]>;
thread_local! {
    static VALUES: Values = const { UnsafeCell::new([0; 1 + 2 * MAX_RESULTS]) };
}

/// Values for the trace.
pub(super) struct Out {
    to: *mut u64,
    n: usize,
}

impl Out {
    pub fn new() -> Out {
        let to = VALUES.with(UnsafeCell::get).cast();
        Out { to, n: 0 }
    }
    pub fn push(&mut self, v: Value) {
        debug_assert!(self.n < MAX_RESULTS);
        // SAFETY: there is room; nothing else uses it before the trace has loaded the values.
        unsafe {
            *self.to.add(1 + 2 * self.n) = v.payload;
            *self.to.add(2 + 2 * self.n) = v.tag.0 as i64 as u64;
        }
        self.n += 1;
    }
    /// The address of the first one, how many there are being known.
    pub fn first(self) -> *const u64 {
        // SAFETY: behind their number.
        unsafe { self.to.add(1) }
    }
    /// Their address, and that there are `n` of them; nil for those of the `want` that are missing.
    pub fn end(mut self, n: usize, want: usize) -> *const u64 {
        while self.n < want.min(MAX_RESULTS) {
            self.push(Value::NIL);
        }
        // SAFETY: as above.
        unsafe { *self.to = n as u64 };
        self.to
    }
}
