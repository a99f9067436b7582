//! The global state. One per runtime; everything hangs off it.

use traceorus_base::objects::GlobalHot;
use traceorus_gc::Heap;

use crate::shape::ShapeState;
use crate::string::StringTable;

/// The state. Starts with the part that emitted code reads, so that `*mut GlobalHot` and `*mut Global` are
/// the same address. Boxed by its owner and never moved.
#[repr(C)]
pub struct Global {
    /// Hot prefix.
    pub hot: GlobalHot,
    /// Collector.
    pub heap: Box<Heap>,
    /// Interned strings.
    pub strings: StringTable,
    /// Shape tables.
    pub shapes: ShapeState,
}

impl Global {
    /// The state that starts with this hot prefix.
    ///
    /// # Safety
    /// `hot` is the `hot` field of a live `Global`.
    #[inline(always)]
    pub unsafe fn of<'a>(hot: *mut GlobalHot) -> &'a mut Global {
        // SAFETY: `Global` is repr(C) and starts with `hot`; the caller promises the rest.
        unsafe { &mut *(hot as *mut Global) }
    }
}
