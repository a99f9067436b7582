//! Settled objects: what existed before the program started (the libraries) is taken to live on, so that the many short
//! cycles of a program with little in memory need not look at it.
//!
//! [`Heap::settle`] notes every allocated cell in bitmaps. A cycle starts by setting the mark bits of these cells: they
//! are black, never scanned, and the sweep finds them alive. What a settled object refers to is settled, too, until
//! somebody stores into it. Its barrier byte is 1, so that the store calls the slow path, in any phase: there the object
//! leaves the bitmaps and becomes a root of each cycle to come (`stirred`), which makes it an object like others.
//! Objects that are written without a barrier, that the atomic phase has to look at, or that have large pieces of memory start
//! as such roots.
//!
//! A full collection takes no object for alive. It finds out what is, and who died leaves the bitmaps and the roots.
//! So only a full collection frees what was settled, and entries of weak tables that refer to it stay until then.

use crate::arena::*;
use crate::sizeclass::*;
use crate::{Heap, Phase, WeakMode};
use traceorus_base::objects::*;

/// Settled objects and runs of a block.
pub(crate) struct Settled {
    block: *mut Block,
    /// Bit of a cell's start.
    cells: [u64; WORDS],
}

impl Heap {
    /// Settles everything that exists now. For embedders: once the libraries are open. Does nothing the second
    /// time, and in stress mode, in which all collections are full ones.
    ///
    /// # Safety
    /// As [`Heap::step`].
    pub unsafe fn settle(&mut self) {
        if self.busy || self.stress > 0 || !self.settled.is_empty() {
            return;
        }
        // SAFETY: [GC-BLOCK] lists hold blocks, and cells that nobody has taken; [GC-LAYOUT].
        unsafe {
            self.reach_pause();
            for l in self.lists.iter().flatten() {
                for list in [l.avail, l.full] {
                    let mut b = list.head;
                    while !b.is_null() {
                        let mut cells = (*b).free;
                        if (*b).class != MIXED {
                            let starts = &STARTS[(*b).class as usize];
                            for (cell, start) in cells.iter_mut().zip(starts) {
                                *cell = start & !*cell;
                            }
                        }
                        (*b).settled = true;
                        self.settled.push(Settled { block: b, cells });
                        b = (*b).next;
                    }
                }
            }
            let hot = (*self.global).free;
            for &list in hot.iter().chain(self.free.iter().flatten()) {
                let mut p = list;
                while !p.is_null() {
                    unsettle(&mut self.settled, p);
                    p = p.cast::<*mut u8>().read();
                }
            }
            for at in 0..self.settled.len() {
                let b = self.settled[at].block;
                if (*b).group as usize != OBJ {
                    continue;
                }
                for i in 0..WORDS {
                    let mut cells = self.settled[at].cells[i];
                    while cells != 0 {
                        let bit = cells.trailing_zeros() as usize;
                        cells &= cells - 1;
                        let p: *mut GcHeader = b.cast::<u8>().add((i * 64 + bit) * 16).cast();
                        if self.may_settle(p) {
                            // a dictionary is scanned as a part of its table, whose byte counts
                            (*p).barrier = u8::from((*p).kind != ObjKind::Dict as u8);
                        } else {
                            self.stir(p);
                        }
                    }
                }
            }
            let mut l = self.large;
            while !l.is_null() {
                if (*l).is_object == 1 {
                    self.stirred.push(large_start(l).cast());
                }
                l = (*l).next;
            }
        }
    }

    /// Whether an object may go unseen by cycles until it is stored into.
    unsafe fn may_settle(&self, p: *mut GcHeader) -> bool {
        let small = |bytes: usize| bytes <= MAX_SMALL;
        // SAFETY: [GC-LAYOUT].
        unsafe {
            match (*p).kind {
                k if k == ObjKind::Table as u8 => {
                    let t: *mut Table = p.cast();
                    let dict: *mut Dict = (*t).hash.cast();
                    self.mode_of(t) == WeakMode::None
                        && small(tagged_run_size((*t).arr_cap as usize).0)
                        && match (*t).hdr.flags & flags::TAB_DICT != 0 {
                            true => dict.is_null() || small(24 * (*dict).cap as usize),
                            false => small(tagged_run_size((*t).field_cap as usize).0),
                        }
                }
                k if k == ObjKind::Shape as u8 => {
                    let s: *mut Shape = p.cast();
                    (*s).trans.is_null() || small(8 * (*s).trans_cap as usize)
                }
                // stacks are written without a barrier; prototypes have many runs, and libraries have none of them
                k => k != ObjKind::Thread as u8 && k != ObjKind::Proto as u8,
            }
        }
    }

    /// Makes a settled object one like others: it will be scanned in each cycle, beginning with this one. Nothing if it is not
    /// settled.
    #[cold]
    pub(crate) fn stir(&mut self, p: *mut GcHeader) {
        if unsettle(&mut self.settled, p.cast()) {
            self.stirred.push(p);
        }
    }

    /// A run in a block with settled cells was freed.
    #[cold]
    pub(crate) fn unsettle_run(&mut self, p: *mut u8) {
        unsettle(&mut self.settled, p);
    }

    /// Starts a cycle that takes settled objects to be alive.
    pub(crate) unsafe fn mark_settled(&mut self) {
        // SAFETY: [GC-BLOCK] blocks in `settled` are in use; [GC-LIVE] what was stirred was alive in the last full collection.
        unsafe {
            for s in &self.settled {
                for (mark, cells) in (*s.block).mark.iter_mut().zip(s.cells) {
                    *mark |= cells;
                }
            }
            for i in 0..self.stirred.len() {
                let o = self.stirred[i];
                self.mark_object(o);
            }
        }
    }

    /// After the atomic phase of a full collection, before anything is swept: forgets what died.
    pub(crate) unsafe fn prune_settled(&mut self) {
        debug_assert!(self.phase == Phase::Sweep);
        // SAFETY: [GC-BLOCK] nothing was swept yet: blocks are in use, bits tell what lives.
        unsafe {
            self.settled.retain_mut(|s| {
                let mut any = 0;
                for (cells, mark) in s.cells.iter_mut().zip((*s.block).mark) {
                    *cells &= mark;
                    any |= *cells;
                }
                (*s.block).settled = any != 0;
                any != 0
            });
            let mut stirred = core::mem::take(&mut self.stirred);
            stirred.retain(|&o| self.bit(o));
            self.stirred = stirred;
        }
    }

    /// Addresses of the settled cells, for the verifier.
    pub(crate) fn settled_cells(&self) -> impl Iterator<Item = *mut u8> {
        self.settled.iter().flat_map(|s| {
            (0..WORDS * 64)
                .filter(|i| s.cells[i >> 6] >> (i & 63) & 1 != 0)
                .map(|i| s.block.cast::<u8>().wrapping_add(i * 16))
        })
    }

    /// Whether cycles take this object or run to be alive unseen.
    pub(crate) fn is_settled<T>(&self, p: *const T) -> bool {
        let i = bit_of(p);
        self.settled
            .iter()
            .any(|s| s.block == block_of(p) && s.cells[i >> 6] >> (i & 63) & 1 != 0)
    }
}

/// Takes a cell out of the bitmaps; false if it was not there.
fn unsettle(settled: &mut [Settled], p: *const u8) -> bool {
    let i = bit_of(p);
    let Some(s) = settled.iter_mut().find(|s| s.block == block_of(p)) else {
        return false;
    };
    let cells = &mut s.cells[i >> 6];
    let was = *cells >> (i & 63) & 1 != 0;
    *cells &= !(1 << (i & 63));
    was
}
