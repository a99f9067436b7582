//! The write barrier's slow path.

use crate::arena::block_of;
use crate::mark::{PART_HASH, plain_kind, run_start};
use crate::{Heap, Phase};
use traceorus_base::objects::*;
use traceorus_base::value::Value;

/// Array parts from this many slots on, and hash parts up to this many entries, take the forward barrier.
const BIG_ARRAY: u32 = 4096;
const SMALL_HASH: u32 = 512;

impl Heap {
    /// To be called for a store of `v` (a value, key, metatable, run ...) into `obj` when its `barrier` byte
    /// is not 0, before the next safepoint. Clears the byte unless it forwards.
    ///
    /// # Safety
    /// [GC-LIVE] `obj` and what `v` refers to are live.
    #[cold]
    pub unsafe fn barrier(&mut self, obj: *mut GcHeader, v: Value) {
        // SAFETY: the caller's promise.
        unsafe {
            if (*block_of(obj)).settled {
                self.stir(obj);
            }
            if self.phase != Phase::Mark || !self.bit(obj) {
                (*obj).barrier = 0; // left over from an earlier cycle
                return;
            }
            if (*obj).kind == ObjKind::Table as u8 && self.forwards(obj.cast()) {
                self.mark_value(v);
                if (*obj).flags & QUEUED == 0 {
                    // the key, the metatable or a part of the hash may be what is new
                    (*obj).flags |= QUEUED;
                    self.rehash.push(obj.cast());
                }
                return;
            }
            (*obj).barrier = 0;
            self.grayagain.push(obj);
        }
    }

    /// Whether a table is better kept black, its new values marked one by one: when scanning its array part
    /// again would take long, nothing but that store happened to the part, and stores are not too many.
    unsafe fn forwards(&mut self, t: *mut Table) -> bool {
        // SAFETY: [GC-LAYOUT].
        unsafe {
            let cap = (*t).arr_cap;
            if cap < BIG_ARRAY || plain_kind((*t).hdr.extra) || self.forward_left == 0 {
                return false;
            }
            let hash = if (*t).hdr.flags & flags::TAB_DICT == 0 {
                (*t).field_cap
            } else if (*t).hash.is_null() {
                0
            } else {
                (*(*t).hash.cast::<Dict>()).used
            };
            if hash > SMALL_HASH
                || self
                    .new_runs
                    .contains(&run_start((*t).array, cap as usize).addr())
            {
                return false;
            }
            self.forward_left -= 1;
            true
        }
    }

    /// Makes the hash parts of tables that took the forward barrier gray.
    pub(crate) unsafe fn requeue_forwarded(&mut self) {
        while let Some(t) = self.rehash.pop() {
            // SAFETY: [GC-LAYOUT] the table is marked, hence live.
            unsafe {
                (*t).hdr.flags &= !QUEUED;
                self.mark_table_frame(t);
                let strong = self.mode_of(t) == crate::WeakMode::None;
                self.gray
                    .push(t.addr() | if strong { PART_HASH } else { 0 });
            }
        }
    }
}

/// Bit of a table's flags: the table is in `Heap::rehash`. Clear outside the mark phase.
pub(crate) const QUEUED: u8 = 0x40;
