//! Blocks, superblocks and large pieces.
//!
//! ```text
//! superblock (from the host)   | slack | block | block | block | ...      blocks: 16 KiB, aligned to 16 KiB
//! block                        | header: class, group, epoch, lists, mark bits, free bits | cell | cell | ...
//! large object                 | header of a block of class LARGE | the object           (a string or a userdata)
//! large run                    | Large | the run
//! ```
//! A block holds cells of one class, or is *mixed*: cells of any class, bumped off, which is how classes start
//! that have few cells, and what is left when the host refuses memory. The header is found by masking the
//! address of a cell, large objects included, so that marking an object never has to look at the object.
//! Large runs are told apart by their size, which the owner knows.

use crate::host::{self, HostAlloc};
use crate::mapped::{BIG, Kept, tell_malloc};
use crate::sizeclass::WORDS;
use core::ptr::null_mut;

/// Bytes of a block, and its alignment.
pub const BLOCK: usize = 16 << 10;
/// Bytes before the first cell of a block.
pub const HEADER: usize = size_of::<Block>();
/// Class of a mixed block.
pub(crate) const MIXED: u8 = 0xfe;
/// Class of the header of a large object.
pub(crate) const LARGE: u8 = 0xff;

/// Objects that are traversed. Their free lists are those of `GlobalHot`.
pub(crate) const OBJ: usize = 0;
/// Runs.
pub(crate) const RUN: usize = 1;
/// Strings: never traversed, swept after the intern table.
pub(crate) const STR: usize = 2;
/// Number of groups.
pub(crate) const GROUPS: usize = 3;

/// Node of a large piece: stands before a large run, or inside the block header of a large object.
#[repr(C, align(16))]
pub(crate) struct Large {
    pub next: *mut Large,
    pub prev: *mut Large,
    /// Size in bytes, without headers.
    pub bytes: usize,
    /// What the host gave, if `chunk` is null. Null if the object lies in blocks of a superblock.
    pub raw: *mut u8,
    pub raw_size: usize,
    /// The shared piece of host memory that this was cut from, or null.
    pub chunk: *mut Chunk,
    /// 1 for an object: the node is in a `Block` then.
    pub is_object: u8,
    /// Run: marked.
    pub mark: u8,
    /// Swept when equal to the heap's.
    pub epoch: u8,
}

/// Header of a block.
#[repr(C, align(16))]
pub(crate) struct Block {
    /// List of the class.
    pub next: *mut Block,
    pub sup: *mut Super,
    pub class: u8,
    pub group: u8,
    /// Swept when equal to the heap's.
    pub epoch: u8,
    /// Some cells are settled.
    pub settled: bool,
    /// Mixed: first free byte.
    pub bump: u32,
    /// Cells that are not in `free` (in use or in a free list). Mixed: their bytes.
    pub handed: u32,
    /// Large object.
    pub large: Large,
    /// Bit of a cell's start: marked.
    pub mark: [u64; WORDS],
    /// Bit of a cell's start: free and in no list. Mixed: a cell was handed out here.
    pub free: [u64; WORDS],
}

/// Shared piece of host memory, the last resort of `reserve`.
#[repr(C, align(16))]
pub(crate) struct Chunk {
    pub refs: usize,
    pub size: usize,
    /// Offset of the first free byte.
    pub bump: usize,
}

/// Up to 64 blocks in one piece of host memory.
pub(crate) struct Super {
    pub raw: *mut u8,
    pub raw_size: usize,
    /// What the host gave is a mapping.
    pub mapped: bool,
    pub chunk: *mut Chunk,
    pub base: *mut u8,
    pub blocks: u32,
    /// Position in `Arena::supers`.
    pub index: u32,
    /// Bit of each block in the pool.
    pub pool: u64,
    /// Those of them whose pages the system has not given, or got back.
    pub clean: u64,
}

/// Singly linked list of blocks.
#[derive(Clone, Copy)]
pub(crate) struct BlockList {
    pub head: *mut Block,
    pub tail: *mut Block,
}

impl BlockList {
    pub const EMPTY: BlockList = BlockList {
        head: null_mut(),
        tail: null_mut(),
    };

    /// # Safety
    /// [GC-BLOCK] `b` is a block and in no list.
    pub unsafe fn push(&mut self, b: *mut Block) {
        // SAFETY: the caller's promise.
        unsafe { (*b).next = self.head };
        if self.head.is_null() {
            self.tail = b;
        }
        self.head = b;
    }

    /// # Safety
    /// [GC-BLOCK] the members are blocks.
    pub unsafe fn pop(&mut self) -> *mut Block {
        let b = self.head;
        if !b.is_null() {
            // SAFETY: the caller's promise.
            self.head = unsafe { (*b).next };
        }
        b
    }

    /// Moves all of `other` to the front.
    ///
    /// # Safety
    /// [GC-BLOCK] the members are blocks.
    pub unsafe fn append(&mut self, other: &mut BlockList) {
        if other.head.is_null() {
            return;
        }
        // SAFETY: a list with a head has a tail.
        unsafe { (*other.tail).next = self.head };
        if self.head.is_null() {
            self.tail = other.tail;
        }
        self.head = other.head;
        *other = BlockList::EMPTY;
    }
}

/// Header of the block that holds the cell (an object or a small run) at `p`.
#[inline(always)]
pub(crate) fn block_of<T>(p: *const T) -> *mut Block {
    p.cast::<u8>()
        .cast_mut()
        .map_addr(|a| a & !(BLOCK - 1))
        .cast()
}

/// Number of the bit of the cell at `p`.
#[inline(always)]
pub(crate) fn bit_of<T>(p: *const T) -> usize {
    (p.addr() & (BLOCK - 1)) >> 4
}

/// Node of the large run at `p`.
#[inline(always)]
pub(crate) fn large_of(p: *const u8) -> *mut Large {
    p.cast_mut().wrapping_sub(size_of::<Large>()).cast()
}

/// Owner of all host memory.
pub(crate) struct Arena {
    pub host: HostAlloc,
    pub supers: Vec<*mut Super>,
    /// No superblock below this index has a block in the pool.
    hint: usize,
    /// Blocks in the pool.
    pub pool_blocks: usize,
    /// Those of them that are not clean.
    pub dirty_blocks: usize,
    /// Blocks in all superblocks.
    pub total_blocks: usize,
    /// Memory kept ready for large pieces, or null.
    pub spare: *mut Chunk,
    /// Bytes that the last `reserve` promised for large pieces and that were not asked for since.
    pub promise: usize,
    /// Bytes obtained from the host.
    pub host_bytes: usize,
    /// Large pieces of the system's memory that were given back.
    kept: Kept,
    /// The host's function gave more when it was asked last, or has since come to refuse.
    generous: bool,
    /// A piece of `BALLAST` bytes to give back for a moment, if the host counts. Null if it has refused one.
    ballast: *mut u8,
    /// Addresses of the large runs, to catch owners that are wrong about a size.
    #[cfg(debug_assertions)]
    pub runs: std::collections::HashSet<usize>,
}

/// Blocks that the pool holds after `reserve`: one mixed block for each group and one more. They hold any
/// mix of small cells up to `SMALL_READY` bytes, rounding included.
pub(crate) const MIN_POOL: usize = 4;
/// Largest `reserve` that needs no spare memory for large pieces.
pub(crate) const SMALL_READY: usize = 4096;

/// Fewest and most blocks of a superblock.
const SUPER_MIN: usize = 4;
const SUPER_MAX: usize = 64;
/// Large objects of up to this many blocks lie in superblocks.
const LARGE_BLOCKS: usize = 16;
/// What a host that counts is asked for, to see whether it gives anything.
const PROBE: usize = 64;
/// What is given back for a moment, to see whether that would change its mind.
const BALLAST: usize = 4096;
/// Blocks that the pool may hold beyond what is wanted before pages go back.
pub(crate) const TRIM_SLACK: usize = 8;

impl Arena {
    pub fn new(host: HostAlloc) -> Arena {
        if host.is_lazy() {
            tell_malloc();
        }
        Arena {
            host,
            supers: Vec::new(),
            hint: 0,
            pool_blocks: 0,
            dirty_blocks: 0,
            total_blocks: 0,
            spare: null_mut(),
            promise: 0,
            host_bytes: 0,
            kept: Kept::new(),
            generous: false,
            ballast: null_mut(),
            #[cfg(debug_assertions)]
            runs: Default::default(),
        }
    }

    /// Whether a piece of so many bytes is mapped by itself.
    fn is_mapped(&self, bytes: usize) -> bool {
        bytes >= BIG && self.host.is_lazy()
    }

    /// Memory for a large piece, or null.
    fn take(&mut self, bytes: usize) -> *mut u8 {
        if self.is_mapped(bytes) {
            self.kept.take(bytes)
        } else {
            self.host.alloc(bytes)
        }
    }

    /// Gives a large piece back.
    ///
    /// # Safety
    /// [GC-HOST] it came from `take` or `resize` with that size, and is not used any more.
    unsafe fn give(&mut self, p: *mut u8, bytes: usize) {
        // SAFETY: the caller's promise.
        unsafe {
            if self.is_mapped(bytes) {
                self.kept.give(p, bytes);
            } else {
                self.host.free(p, bytes);
            }
        }
    }

    /// Changes the size of a large piece; it may move. Null on refusal: then it stays as it is.
    ///
    /// # Safety
    /// [GC-HOST] it came from `take` or `resize` with size `old`.
    unsafe fn resize(&mut self, p: *mut u8, old: usize, new: usize) -> *mut u8 {
        // SAFETY: the caller's promise; neither is larger than the lesser size.
        unsafe {
            match (self.is_mapped(old), self.is_mapped(new)) {
                (true, true) => self.kept.resize(p, old, new),
                (false, false) => self.host.resize(p, old, new),
                _ => {
                    let q = self.take(new);
                    if !q.is_null() {
                        core::ptr::copy_nonoverlapping(p, q, old.min(new));
                        self.give(p, old);
                    }
                    q
                }
            }
        }
    }

    /// The host has given `bytes` more.
    fn obtained(&mut self, bytes: usize) {
        self.host_bytes += bytes;
        self.generous = self.host.is_counting() && self.host.gives(PROBE);
    }

    /// Whether a host that counts has come to refuse: it gave more when we asked last, and does not now, though we have not taken the rest. It
    /// may have lowered its limit, or given the rest to others.
    pub fn is_refused(&mut self) -> bool {
        if !self.host.is_counting() {
            return false;
        }
        if self.host.gives(PROBE) {
            self.generous = true;
            self.hold_ballast();
            return false;
        }
        self.generous
    }

    /// Whether a host that refuses would still do so if we gave back `BALLAST` bytes: what it has given is beyond its limit.
    pub fn is_beyond(&mut self) -> bool {
        if self.ballast.is_null() {
            return true;
        }
        self.drop_ballast();
        let gives = self.host.gives(PROBE);
        self.hold_ballast();
        !gives
    }

    fn hold_ballast(&mut self) {
        if self.ballast.is_null() {
            self.ballast = self.host.alloc(BALLAST);
            if !self.ballast.is_null() {
                self.host_bytes += BALLAST;
            }
        }
    }

    fn drop_ballast(&mut self) {
        let p = core::mem::replace(&mut self.ballast, null_mut());
        if !p.is_null() {
            self.host_bytes -= BALLAST;
            // SAFETY: [GC-HOST] `hold_ballast` has obtained it.
            unsafe { self.host.free(p, BALLAST) };
        }
    }

    /// Obtains a superblock; the last resort is the spare memory, if `use_spare`.
    pub fn grow(&mut self, use_spare: bool) -> bool {
        let mut n = if self.host.is_lazy() {
            SUPER_MAX
        } else {
            (self.total_blocks / 4).clamp(SUPER_MIN, SUPER_MAX)
        };
        loop {
            self.kept.drop_all();
            let (raw, size, base) = self.host.alloc_aligned(n * BLOCK, BLOCK);
            if !raw.is_null() {
                self.obtained(size);
                self.add_super(raw, size, null_mut(), base, n);
                return true;
            }
            if n == 1 {
                break;
            }
            n = n.div_ceil(4);
        }
        if use_spare && !self.spare.is_null() {
            // SAFETY: [GC-HOST] the spare chunk is ours.
            let cut = unsafe { self.carve(BLOCK, BLOCK) };
            if !cut.is_null() {
                let chunk = self.spare;
                self.add_super(cut, BLOCK, chunk, cut, 1);
                return true;
            }
        }
        false
    }

    fn add_super(
        &mut self,
        raw: *mut u8,
        raw_size: usize,
        chunk: *mut Chunk,
        base: *mut u8,
        blocks: usize,
    ) {
        let index = self.supers.len();
        let all = if blocks == 64 { !0 } else { (1 << blocks) - 1 };
        let mapped = chunk.is_null() && self.host.is_lazy();
        let clean = if mapped { all } else { 0 };
        self.supers.push(Box::into_raw(Box::new(Super {
            raw,
            raw_size,
            mapped,
            chunk,
            base,
            blocks: blocks as u32,
            index: index as u32,
            pool: all,
            clean,
        })));
        self.hint = self.hint.min(index);
        self.pool_blocks += blocks;
        self.total_blocks += blocks;
        if clean == 0 {
            self.dirty_blocks += blocks;
        }
    }

    /// A block from the pool, its header initialised, or null.
    ///
    /// # Safety
    /// [GC-BLOCK] superblocks and blocks are intact.
    pub unsafe fn take_block(&mut self, class: u8, group: usize, epoch: u8) -> *mut Block {
        // one whose pages are there if possible
        let any = self.dirty_blocks == 0;
        for at in self.hint..self.supers.len() {
            let s = self.supers[at];
            // SAFETY: [GC-BLOCK] members of `supers` are live boxes; a pool bit names a block in them.
            unsafe {
                if (*s).pool == 0 && at == self.hint {
                    self.hint += 1;
                }
                let fit = (*s).pool & if any { !0 } else { !(*s).clean };
                if fit != 0 {
                    return self.take_blocks(s, fit.trailing_zeros(), 1, class, group, epoch);
                }
            }
        }
        null_mut()
    }

    /// Takes `n` blocks from bit `i` on out of the pool, as one with a fresh header.
    ///
    /// # Safety
    /// [GC-BLOCK] `s` is a member of `supers` and the blocks are in its pool.
    unsafe fn take_blocks(
        &mut self,
        s: *mut Super,
        i: u32,
        n: usize,
        class: u8,
        group: usize,
        epoch: u8,
    ) -> *mut Block {
        // SAFETY: the caller's promise.
        unsafe {
            let bits = ((1 << n) - 1) << i;
            self.pool_blocks -= n;
            self.dirty_blocks -= ((*s).pool & !(*s).clean & bits).count_ones() as usize;
            (*s).pool &= !bits;
            (*s).clean &= !bits;
            let b: *mut Block = (*s).base.add(i as usize * BLOCK).cast();
            core::ptr::write_bytes(b.cast::<u8>(), 0, HEADER);
            (*b).sup = s;
            (*b).class = class;
            (*b).group = group as u8;
            (*b).epoch = epoch;
            (*b).bump = HEADER as u32;
            b
        }
    }

    /// `n` blocks in a row, as one; leaves `MIN_POOL` in the pool. Null if the host refuses.
    ///
    /// # Safety
    /// [GC-BLOCK] superblocks and blocks are intact.
    unsafe fn take_row(&mut self, n: usize, group: usize, epoch: u8) -> *mut Block {
        // the last time is for a fresh superblock
        for _ in 0..2 {
            if self.pool_blocks >= n + MIN_POOL {
                for at in self.hint..self.supers.len() {
                    let s = self.supers[at];
                    // SAFETY: [GC-BLOCK] members of `supers` are live boxes.
                    unsafe {
                        let mut fit = (*s).pool;
                        for k in 1..n {
                            fit &= (*s).pool >> k;
                        }
                        if fit != 0 {
                            return self.take_blocks(
                                s,
                                fit.trailing_zeros(),
                                n,
                                LARGE,
                                group,
                                epoch,
                            );
                        }
                    }
                }
            }
            if !self.grow(false) {
                break;
            }
        }
        null_mut()
    }

    /// Puts a block back into the pool.
    ///
    /// # Safety
    /// [GC-BLOCK] `b` is an empty block in no list.
    pub unsafe fn put_block(&mut self, b: *mut Block) {
        // SAFETY: the caller's promise.
        unsafe { self.put_blocks(b, 1) }
    }

    /// Puts `n` blocks in a row back into the pool.
    ///
    /// # Safety
    /// [GC-BLOCK] `b` was taken as `n` blocks, is empty and in no list.
    unsafe fn put_blocks(&mut self, b: *mut Block, n: usize) {
        // SAFETY: a block knows its superblock, which is a live box.
        unsafe {
            let s = (*b).sup;
            let i = (b.addr() - (*s).base.addr()) / BLOCK;
            (*s).pool |= ((1 << n) - 1) << i;
            self.hint = self.hint.min((*s).index as usize);
        }
        self.pool_blocks += n;
        self.dirty_blocks += n;
    }

    /// Gives back large pieces that are kept, and memory of the pool until `keep` of its blocks take some: superblocks that are
    /// wholly in the pool, then pages.
    ///
    /// # Safety
    /// [GC-BLOCK] superblocks are intact.
    pub unsafe fn trim(&mut self, keep: usize) {
        self.kept.drop_all();
        self.hint = 0;
        let mut i = self.supers.len();
        while i > 0 && self.dirty_blocks > keep {
            i -= 1;
            let s = self.supers[i];
            // SAFETY: [GC-BLOCK] a live box; all its blocks are unused when all are in the pool.
            unsafe {
                let n = (*s).blocks as usize;
                let dirty = ((*s).pool & !(*s).clean).count_ones() as usize;
                if (*s).pool.count_ones() as usize != n
                    || self.pool_blocks - n < MIN_POOL
                    || self.dirty_blocks - dirty < keep
                {
                    continue;
                }
                self.supers.swap_remove(i);
                if let Some(&moved) = self.supers.get(i) {
                    (*moved).index = i as u32;
                }
                self.pool_blocks -= n;
                self.dirty_blocks -= dirty;
                self.total_blocks -= n;
                self.drop_super(s);
            }
        }
        let mut i = self.supers.len();
        while i > 0 && self.dirty_blocks > keep {
            i -= 1;
            let s = self.supers[i];
            // SAFETY: [GC-BLOCK] a live box; blocks in the pool are unused.
            unsafe {
                while self.dirty_blocks > keep {
                    let dirty = (*s).pool & !(*s).clean;
                    if dirty == 0 || !(*s).mapped {
                        break;
                    }
                    // the uppermost dirty blocks in a row
                    let end = 64 - dirty.leading_zeros() as usize;
                    let row = (dirty << (64 - end)).leading_ones() as usize;
                    let n = row.min(self.dirty_blocks - keep);
                    let from = end - n;
                    if !host::discard((*s).base.add(from * BLOCK), n * BLOCK) {
                        return;
                    }
                    (*s).clean |= (!0 >> (64 - n)) << from;
                    self.dirty_blocks -= n;
                }
            }
        }
    }

    /// # Safety
    /// `s` is a live box, out of `supers`, and its blocks are unused.
    unsafe fn drop_super(&mut self, s: *mut Super) {
        // SAFETY: the caller's promise; raw memory came from the host or from a chunk.
        unsafe {
            let s = Box::from_raw(s);
            self.release(s.raw, s.raw_size, s.chunk, s.mapped);
        }
    }

    /// Gives back host memory, or a part of a chunk.
    ///
    /// # Safety
    /// [GC-HOST] the triple describes memory of ours that is not used any more.
    unsafe fn release(&mut self, raw: *mut u8, size: usize, chunk: *mut Chunk, mapped: bool) {
        // SAFETY: the caller's promise.
        unsafe {
            if chunk.is_null() {
                self.host_bytes -= size;
                if mapped {
                    host::unmap(raw, size);
                } else {
                    self.give(raw, size);
                }
            } else {
                (*chunk).refs -= 1;
                if (*chunk).refs == 0 && chunk != self.spare {
                    self.free_chunk(chunk);
                }
            }
        }
    }

    unsafe fn free_chunk(&mut self, c: *mut Chunk) {
        // SAFETY: [GC-HOST] a chunk stands at the start of its own memory.
        unsafe {
            let size = (*c).size;
            self.host_bytes -= size;
            self.give(c.cast(), size);
        }
    }

    /// Bytes that the spare chunk still has.
    pub fn spare_left(&self) -> usize {
        if self.spare.is_null() {
            0
        } else {
            // SAFETY: [GC-HOST] the spare chunk is ours.
            unsafe { (*self.spare).size - (*self.spare).bump }
        }
    }

    /// Makes sure of `bytes` in the spare chunk.
    pub fn fill_spare(&mut self, bytes: usize) -> bool {
        if self.spare_left() >= bytes {
            return true;
        }
        self.drop_spare();
        let Some(size) = bytes.checked_add(size_of::<Chunk>()) else {
            return false;
        };
        let c: *mut Chunk = self.take(size).cast();
        if c.is_null() {
            return false;
        }
        self.obtained(size);
        // SAFETY: fresh memory, large enough and aligned to 16.
        unsafe {
            c.write(Chunk {
                refs: 0,
                size,
                bump: size_of::<Chunk>(),
            })
        };
        self.spare = c;
        true
    }

    /// Lets go of the spare chunk.
    pub fn drop_spare(&mut self) {
        let c = core::mem::replace(&mut self.spare, null_mut());
        // SAFETY: [GC-HOST] a chunk without references is used by nobody.
        unsafe {
            if !c.is_null() && (*c).refs == 0 {
                self.free_chunk(c);
            }
        }
    }

    /// Cuts `bytes` out of the spare chunk, or gives null.
    ///
    /// # Safety
    /// [GC-HOST] the spare chunk is ours and not null.
    unsafe fn carve(&mut self, bytes: usize, align: usize) -> *mut u8 {
        // SAFETY: offsets stay inside the chunk.
        unsafe {
            let c = self.spare;
            let base = c.cast::<u8>();
            let at = ((base.addr() + (*c).bump + align - 1) & !(align - 1)) - base.addr();
            if at > (*c).size || (*c).size - at < bytes {
                return null_mut();
            }
            (*c).bump = (at + bytes).next_multiple_of(16).min((*c).size);
            (*c).refs += 1;
            base.add(at)
        }
    }

    /// Takes the whole spare chunk when `need` bytes fill most of it, and nothing else that was promised depends
    /// on it: `(raw, size)`.
    fn take_spare(&mut self, need: usize, bytes: usize) -> Option<(*mut u8, usize)> {
        self.promise = self.promise.saturating_sub(bytes);
        if self.promise > SMALL_READY {
            return None;
        }
        let c = self.spare;
        // SAFETY: [GC-HOST] the spare chunk is ours; without references it can be overwritten.
        unsafe {
            if c.is_null()
                || (*c).refs != 0
                || (*c).size < need
                || (*c).size - need > need / 2 + 4 * BLOCK
            {
                return None;
            }
            self.spare = null_mut();
            Some((c.cast(), (*c).size))
        }
    }

    /// Memory for a large run; null if the host refuses and the spare chunk does not suffice. Its node is
    /// initialised but for the links.
    ///
    /// # Safety
    /// [GC-HOST].
    pub unsafe fn large_run(&mut self, bytes: usize, epoch: u8) -> *mut Large {
        let Some(need) = bytes.checked_add(size_of::<Large>()) else {
            return null_mut();
        };
        let (mut raw, mut size, mut chunk) = (null_mut(), need, null_mut());
        // SAFETY: [GC-HOST] sizes are those with which the memory was obtained.
        unsafe {
            if let Some((r, s)) = self.take_spare(need, bytes) {
                (raw, size) = (r, s);
                if s - need > need / 16 {
                    let r = self.resize(raw, s, need);
                    if !r.is_null() {
                        (raw, size) = (r, need);
                        self.host_bytes -= s - need;
                    }
                }
            }
            if raw.is_null() {
                raw = self.take(need);
                if !raw.is_null() {
                    self.obtained(need);
                } else if !self.spare.is_null() {
                    raw = self.carve(need, 16);
                    chunk = self.spare;
                }
            }
            if raw.is_null() {
                return null_mut();
            }
            let l: *mut Large = raw.cast();
            l.write(Large {
                next: null_mut(),
                prev: null_mut(),
                bytes,
                raw,
                raw_size: size,
                chunk,
                is_object: 0,
                mark: 0,
                epoch,
            });
            #[cfg(debug_assertions)]
            self.runs.insert(l.add(1).addr());
            l
        }
    }

    /// Makes a large run larger: its node, which may have moved, or null if it stays as it is.
    ///
    /// # Safety
    /// `l` is the node of a large run, in no list.
    pub unsafe fn grow_large(&mut self, l: *mut Large, bytes: usize) -> *mut Large {
        // SAFETY: the caller's promise; [GC-HOST] the size is that with which the memory was obtained.
        unsafe {
            let Some(need) = bytes.checked_add(size_of::<Large>()) else {
                return null_mut();
            };
            if !(*l).chunk.is_null() {
                return null_mut();
            }
            #[cfg(debug_assertions)]
            self.runs.remove(&l.add(1).addr());
            let (raw, size) = ((*l).raw, (*l).raw_size);
            let new: *mut Large = self.resize(raw, size, need).cast();
            #[cfg(debug_assertions)]
            self.runs
                .insert(if new.is_null() { l } else { new }.add(1).addr());
            if !new.is_null() {
                self.obtained(need - size);
                (*new).bytes = bytes;
                (*new).raw = new.cast();
                (*new).raw_size = need;
            }
            new
        }
    }

    /// Memory for a large object: its node, inside an initialised block header; the object follows the header.
    ///
    /// # Safety
    /// [GC-HOST].
    pub unsafe fn large_object(&mut self, bytes: usize, group: usize, epoch: u8) -> *mut Large {
        if bytes > isize::MAX as usize - 2 * BLOCK {
            return null_mut();
        }
        let need = bytes + HEADER;
        let (mut raw, mut size, mut at, mut chunk) =
            (null_mut::<u8>(), 0, null_mut::<u8>(), null_mut());
        // SAFETY: [GC-HOST] sizes are those with which the memory was obtained.
        unsafe {
            let blocks = need.div_ceil(BLOCK);
            if blocks <= LARGE_BLOCKS && self.host.is_lazy() {
                at = self.take_row(blocks, group, epoch).cast();
            }
            if at.is_null()
                && let Some((r, s)) = self.take_spare(need + BLOCK, bytes)
            {
                (raw, size) = (r, s);
                at = r.map_addr(|a| (a + BLOCK - 1) & !(BLOCK - 1));
            }
            if at.is_null() {
                size = need + BLOCK - 16;
                raw = self.take(size);
                if !raw.is_null() {
                    self.obtained(size);
                    at = raw.map_addr(|a| (a + BLOCK - 1) & !(BLOCK - 1));
                } else if !self.spare.is_null() {
                    raw = self.carve(need, BLOCK);
                    at = raw;
                    chunk = self.spare;
                }
            }
            if at.is_null() {
                return null_mut();
            }
            let b: *mut Block = at.cast();
            if !raw.is_null() {
                core::ptr::write_bytes(at, 0, HEADER);
                (*b).class = LARGE;
                (*b).group = group as u8;
                (*b).epoch = epoch;
            }
            let l = &raw mut (*b).large;
            l.write(Large {
                next: null_mut(),
                prev: null_mut(),
                bytes,
                raw,
                raw_size: size,
                chunk,
                is_object: 1,
                mark: 0,
                epoch,
            });
            l
        }
    }

    /// Gives a large piece back.
    ///
    /// # Safety
    /// `l` is in no list and not used any more.
    pub unsafe fn free_large(&mut self, l: *mut Large) {
        // SAFETY: the caller's promise.
        unsafe {
            let (raw, size, chunk) = ((*l).raw, (*l).raw_size, (*l).chunk);
            #[cfg(debug_assertions)]
            {
                let user = large_start(l);
                if (*l).is_object == 0 {
                    assert!(self.runs.remove(&user.addr()), "unknown large run");
                }
                core::ptr::write_bytes(user, crate::POISON, (*l).bytes);
            }
            if raw.is_null() {
                let b = block_of(l);
                self.put_blocks(b, ((*l).bytes + HEADER).div_ceil(BLOCK));
            } else {
                self.release(raw, size, chunk, false);
            }
        }
    }

    /// Whether `p` lies in a superblock.
    ///
    /// # Safety
    /// [GC-BLOCK].
    pub unsafe fn in_blocks(&self, p: *const u8) -> bool {
        self.supers.iter().any(|&s| {
            // SAFETY: [GC-BLOCK] members of `supers` are live boxes.
            let (base, n) = unsafe { ((*s).base.addr(), (*s).blocks as usize) };
            (base..base + n * BLOCK).contains(&p.addr())
        })
    }

    /// Whether the block is in the pool.
    ///
    /// # Safety
    /// [GC-BLOCK].
    pub unsafe fn in_pool(&self, b: *const Block) -> bool {
        self.supers.iter().any(|&s| {
            // SAFETY: [GC-BLOCK] members of `supers` are live boxes.
            let (base, n, pool) = unsafe { ((*s).base.addr(), (*s).blocks as usize, (*s).pool) };
            (base..base + n * BLOCK).contains(&b.addr())
                && pool >> ((b.addr() - base) / BLOCK) & 1 != 0
        })
    }

    /// Gives all superblocks and the spare chunk back.
    ///
    /// # Safety
    /// Nothing in them is used any more, and all large pieces were freed.
    pub unsafe fn destroy(&mut self) {
        for s in core::mem::take(&mut self.supers) {
            // SAFETY: the caller's promise.
            unsafe { self.drop_super(s) };
        }
        self.drop_spare();
        self.kept.drop_all();
        self.drop_ballast();
        self.pool_blocks = 0;
        self.dirty_blocks = 0;
        self.total_blocks = 0;
        self.hint = 0;
    }
}

/// First byte of a large piece.
///
/// # Safety
/// `l` is a node.
pub(crate) unsafe fn large_start(l: *mut Large) -> *mut u8 {
    // SAFETY: the node of an object lies in its block header; that of a run stands before it.
    unsafe {
        if (*l).is_object == 1 {
            block_of(l).cast::<u8>().add(HEADER)
        } else {
            l.add(1).cast()
        }
    }
}

const _: () = assert!(HEADER <= 352 && HEADER.is_multiple_of(16));
