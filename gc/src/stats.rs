//! Counters, and sizes of things.

use crate::Heap;
use crate::arena::*;
use crate::sizeclass::class_bytes;
use traceorus_base::objects::GcHeader;

/// Counters of a heap.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Stats {
    /// Cycles that reached their atomic phase.
    pub cycles: u64,
    /// Bytes looked at by marking, and what sweeping is worth in such bytes.
    pub marked_bytes: u64,
    /// Bytes freed by sweeping.
    pub swept_bytes: u64,
    /// Bytes that the host has given and not got back, without empty blocks that were not written yet.
    pub host_bytes: usize,
    /// Blocks in superblocks, and those of them that are empty.
    pub blocks: usize,
    /// Empty blocks.
    pub pool_blocks: usize,
}

impl Heap {
    /// The counters.
    pub fn stats(&self) -> Stats {
        Stats {
            marked_bytes: self.work as u64,
            host_bytes: self.arena.host_bytes
                - (self.arena.pool_blocks - self.arena.dirty_blocks) * BLOCK,
            blocks: self.arena.total_blocks,
            pool_blocks: self.arena.pool_blocks,
            ..self.stats
        }
    }

    /// Bytes of the cell that holds the object (its runs not included).
    ///
    /// # Safety
    /// [GC-LIVE] `obj` is a live object.
    pub unsafe fn object_size(&self, obj: *const GcHeader) -> usize {
        // SAFETY: [GC-BLOCK] every object has a block header; cells of a mixed block end where the next begins.
        unsafe {
            let b = block_of(obj);
            match (*b).class {
                LARGE => (*b).large.bytes,
                MIXED => {
                    let first = bit_of(obj) + 1;
                    let end = (*b).bump as usize / 16;
                    let next = (first..end).find(|&i| (*b).free[i >> 6] >> (i & 63) & 1 != 0);
                    (next.unwrap_or(end) + 1 - first) * 16
                }
                class => class_bytes(class as usize),
            }
        }
    }
}
