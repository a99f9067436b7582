//! Native functions that have IR of their own.

use traceorus_base::Value;

use super::{Cursor, Rec, Recorder, Step};

impl Recorder {
    /// Calls the native function `f` with `nargs` arguments.
    pub(crate) unsafe fn native(&mut self, i: Cursor, f: Value, nargs: i16) -> Rec<Step> {
        let _ = (f, nargs);
        // SAFETY: as `instruction`.
        unsafe { self.generic(i) }
    }
}
