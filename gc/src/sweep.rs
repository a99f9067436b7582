//! Sweeping: lazy, by block, a word of bits at a time; no live object is touched.
//!
//! Everything unmarked is free, cells that were in free lists included: those lists are dropped when sweeping
//! begins. A block is swept when allocation in its class needs it, or by the collector's steps. The dead short strings
//! of a block leave the intern table when it is swept. To be told from cells that nobody has taken, those in the free
//! lists of strings get an empty header when the lists are dropped.

use crate::alloc::poison;
use crate::arena::*;
use crate::sizeclass::*;
use crate::{Heap, Phase};
use core::ptr::null_mut;
use traceorus_base::objects::{ObjKind, Str, flags};

/// What sweeping a block or a large piece, and a dead short string, is worth in bytes of marking.
const BLOCK_WORK: usize = 512;
const STRING_WORK: usize = 64;

impl Heap {
    /// Turns to sweeping: all blocks and large pieces become unswept, free lists are dropped.
    pub(crate) unsafe fn begin_sweep(&mut self) {
        self.phase = Phase::Sweep;
        self.epoch ^= 1;
        // SAFETY: [GC-BLOCK] dropped cells are unmarked and so found again by the sweep.
        unsafe {
            for &list in &self.free[STR] {
                let mut p = list;
                while !p.is_null() {
                    p = p.cast::<*mut u8>().replace(null_mut());
                }
            }
            (*self.global).free = [null_mut(); _];
            self.free = [[null_mut(); NUM_CLASSES]; GROUPS];
            self.free_count = [[0; NUM_CLASSES]; GROUPS];
            self.mixed = [null_mut(); GROUPS];
            for l in self.lists.iter_mut().flatten() {
                debug_assert!(l.unswept.head.is_null());
                l.unswept.append(&mut l.avail);
                l.unswept.append(&mut l.full);
            }
        }
        debug_assert!(self.large_unswept.is_null());
        self.large_unswept = core::mem::replace(&mut self.large, null_mut());
        self.sweep_at = 0;
    }

    /// Sweeps a block for an allocation; false if there is none that may be swept.
    pub(crate) unsafe fn sweep_for(&mut self, group: usize, class: usize) -> bool {
        // SAFETY: [GC-BLOCK] lists hold blocks of their class.
        unsafe {
            if !self.lists[group][class].unswept.head.is_null() {
                self.sweep_next(group, class);
                return true;
            }
            if !self.lists[group][NUM_CLASSES].unswept.head.is_null() {
                self.sweep_next(group, NUM_CLASSES);
                return true;
            }
        }
        false
    }

    /// Does about `work` bytes' worth of sweeping; ends the cycle when all is swept. Returns what it did.
    pub(crate) unsafe fn sweep_step(&mut self, work: usize) -> usize {
        let before = self.work;
        // SAFETY: [GC-BLOCK].
        unsafe {
            while self.work - before < work {
                let (group, class) = (
                    self.sweep_at / (NUM_CLASSES + 1),
                    self.sweep_at % (NUM_CLASSES + 1),
                );
                if group < GROUPS {
                    // mixed blocks first: they fill free lists
                    let class = if class == 0 { NUM_CLASSES } else { class - 1 };
                    if self.lists[group][class].unswept.head.is_null() {
                        self.sweep_at += 1;
                    } else {
                        self.sweep_next(group, class);
                    }
                } else if !self.large_unswept.is_null() {
                    self.sweep_large();
                } else {
                    self.end_cycle();
                    break;
                }
            }
        }
        (self.work - before).max(1)
    }

    /// Sweeps the first unswept block of a list that has one.
    unsafe fn sweep_next(&mut self, group: usize, class: usize) {
        // SAFETY: [GC-BLOCK] the block is out of all lists while it is swept.
        unsafe {
            let b = self.lists[group][class].unswept.pop();
            self.work += BLOCK_WORK;
            if class == NUM_CLASSES {
                self.sweep_mixed(b, group);
            } else {
                self.sweep_block(b, group, class);
            }
        }
    }

    unsafe fn sweep_block(&mut self, b: *mut Block, group: usize, class: usize) {
        let starts = &STARTS[class];
        let size = class_bytes(class);
        let (mut live, mut free) = (0, 0);
        // SAFETY: [GC-BLOCK] mark bits are set only at starts of cells in use.
        unsafe {
            for (i, &start) in starts.iter().enumerate() {
                let mark = (*b).mark[i];
                debug_assert_eq!(mark & !start, 0, "mark inside a cell");
                let now = start & !mark;
                if group == STR || cfg!(debug_assertions) {
                    let mut fresh = now & !(*b).free[i];
                    while fresh != 0 {
                        let bit = fresh.trailing_zeros() as usize;
                        fresh &= fresh - 1;
                        let p = b.cast::<u8>().add((i * 64 + bit) * 16);
                        if group == STR {
                            self.unlink_dead(p);
                        }
                        poison(p, size);
                    }
                }
                (*b).free[i] = now;
                (*b).mark[i] = 0;
                live += mark.count_ones();
                free += now.count_ones();
            }
            let dead = ((*b).handed - live) as usize * size;
            self.used -= dead;
            self.stats.swept_bytes += dead as u64;
            (*b).handed = live;
            (*b).epoch = self.epoch;
            if live == 0 {
                self.arena.put_block(b);
            } else if free == 0 {
                self.lists[group][class].full.push(b);
            } else {
                self.lists[group][class].avail.push(b);
            }
        }
    }

    unsafe fn sweep_mixed(&mut self, b: *mut Block, group: usize) {
        // SAFETY: [GC-BLOCK] `free` has the starts of all cells, `bump` is the end of the last.
        unsafe {
            let empty = (*b).mark == [0; WORDS];
            // where the cell ends that the last start below begins
            let mut end = (*b).bump as usize;
            for i in (0..WORDS).rev() {
                let starts = (*b).free[i];
                let mut dead = starts & !(*b).mark[i];
                while dead != 0 {
                    let bit = 63 - dead.leading_zeros() as usize;
                    dead &= !(1 << bit);
                    let above = starts & (!1 << bit);
                    if above != 0 {
                        end = (i * 64 + above.trailing_zeros() as usize) * 16;
                    }
                    let at = (i * 64 + bit) * 16;
                    let p = b.cast::<u8>().add(at);
                    if group == STR {
                        self.unlink_dead(p);
                    }
                    poison(p, end - at);
                    if !empty && self.stress == 0 {
                        self.push_free(group, size_class(end - at), p);
                    } // else it is lost until stress ends, since taking it would not be noticed
                }
                if starts != 0 {
                    end = (i * 64 + starts.trailing_zeros() as usize) * 16;
                }
            }
            if empty {
                self.used -= (*b).handed as usize;
                self.stats.swept_bytes += (*b).handed as u64;
                self.arena.put_block(b);
                return;
            }
            (*b).mark = [0; WORDS];
            (*b).epoch = self.epoch;
            let best = self.mixed[group];
            if best.is_null() || (*b).bump < (*best).bump {
                self.mixed[group] = b;
            }
            self.lists[group][NUM_CLASSES].full.push(b);
        }
    }

    unsafe fn sweep_large(&mut self) {
        // SAFETY: [GC-BLOCK] the head of the list of unswept pieces; an object's bit is that of the first cell.
        unsafe {
            let l = self.large_unswept;
            self.work += BLOCK_WORK;
            self.large_unswept = (*l).next;
            if !self.large_unswept.is_null() {
                (*self.large_unswept).prev = null_mut();
            }
            let marked = if (*l).is_object == 1 {
                let (b, i) = (block_of(l), HEADER / 16);
                let m = (*b).mark[i >> 6] != 0;
                (*b).mark[i >> 6] = 0;
                (*b).epoch = self.epoch;
                m
            } else {
                core::mem::replace(&mut (*l).mark, 0) != 0
            };
            (*l).epoch = self.epoch;
            if marked {
                self.link_large(l);
            } else {
                self.used -= (*l).bytes;
                self.stats.swept_bytes += (*l).bytes as u64;
                self.arena.free_large(l);
            }
        }
    }

    /// Unlinks what a dead cell holds from the intern table, if that is a short string. The header is empty then, too, so that
    /// this happens once even if the cell is never taken again.
    unsafe fn unlink_dead(&mut self, p: *mut u8) {
        let s: *mut Str = p.cast();
        // SAFETY: [GC-LIVE] a dead string is intact until now; the others of its chain are in the table, hence intact.
        // [GC-HOOK] the vm gives its table.
        unsafe {
            if (*s).hdr.kind != ObjKind::String as u8 || (*s).hdr.flags & flags::STR_SHORT == 0 {
                return;
            }
            self.work += STRING_WORK;
            let mut link = (self.hooks.intern_head)(self.hooks.ctx, (*s).hdr.word);
            while *link != s {
                debug_assert!(!(*link).is_null(), "{s:?} is not in the intern table");
                link = &raw mut (**link).next;
            }
            *link = (*s).next;
            (*s).hdr.kind = 0;
        }
    }

    /// Must be called for a string that a look-up in the intern table found: it may be condemned already, and
    /// must then survive the sweep.
    #[inline]
    pub fn resurrect_string(&mut self, s: *mut Str) {
        if self.phase == Phase::Sweep {
            let (b, i) = (block_of(s), bit_of(s));
            // SAFETY: [GC-LIVE] strings in the table are intact; short strings lie in blocks.
            unsafe {
                if (*b).epoch != self.epoch {
                    (*b).mark[i >> 6] |= 1 << (i & 63);
                }
            }
        }
    }

    /// Whether the sweep to come will free this object.
    pub(crate) unsafe fn is_condemned(&self, p: *const u8) -> bool {
        let (b, i) = (block_of(p), bit_of(p));
        // SAFETY: [GC-BLOCK] every object has a block header.
        unsafe { (*b).epoch != self.epoch && (*b).mark[i >> 6] >> (i & 63) & 1 == 0 }
    }

    /// Clears all marks, to give up a cycle in its mark phase.
    pub(crate) unsafe fn clear_marks(&mut self) {
        // SAFETY: [GC-BLOCK] lists hold blocks; nodes of large pieces are linked.
        unsafe {
            for l in self.lists.iter().flatten() {
                for list in [l.avail, l.full] {
                    let mut b = list.head;
                    while !b.is_null() {
                        (*b).mark = [0; WORDS];
                        b = (*b).next;
                    }
                }
            }
            let mut l = self.large;
            while !l.is_null() {
                (*l).mark = 0;
                if (*l).is_object == 1 {
                    (*block_of(l)).mark = [0; WORDS];
                }
                l = (*l).next;
            }
        }
    }
}
