//! Allocation: free lists, refills, mixed blocks, large pieces, `reserve`.
//!
//! A free list is filled with at most a page or 64 cells at a time, in address order, from the first block of
//! the class that has free cells; when there is none, the next unswept block of the class is swept; then
//! classes with little in use take a cell from the group's mixed block, others a fresh block. Accounting
//! happens when cells are handed out to a list, so taking a cell from a list is two moves.

use crate::arena::*;
use crate::sizeclass::*;
use crate::{Heap, OutOfMemory, Phase};
use core::ptr::null_mut;
use core::sync::atomic::{AtomicU32, Ordering};
use traceorus_base::objects::{GcHeader, ObjKind, poll};

/// Most cells of one refill; those of objects, and of strings and runs, if the host counts.
const REFILL_CELLS: u32 = 64;
const COUNTED_OBJECTS: u32 = 16;
const COUNTED_OTHERS: u32 = 1;
/// Most bytes of one refill.
const REFILL_BYTES: usize = 4096;
/// Bytes of allocations removed by the trace compiler that come together before they are charged.
const SUNK_QUOTA: u32 = 16 << 10;
/// What may be in use at safepoints beyond what a host that has come to refuse allows: a message about that.
const MESSAGE: usize = 256;
/// A class takes this many bytes from mixed blocks before it gets a block of its own.
const MIXED_BYTES: usize = 4096;

impl Heap {
    /// A new object of `bytes` bytes: header `{barrier 0, kind, flags 0, extra 0, word 0}`, the rest
    /// uninitialised. White: the caller makes it reachable, or loses it, before the next safepoint. Never
    /// collects. Ends the process when the host refuses memory that was not reserved.
    ///
    /// # Safety
    /// [GC-LAYOUT] the caller initialises the fields before the next safepoint; `bytes` is the size that the
    /// object's layout gives.
    #[inline]
    pub unsafe fn alloc(&mut self, kind: ObjKind, bytes: usize) -> *mut u8 {
        let group = if kind == ObjKind::String { STR } else { OBJ };
        // SAFETY: a cell of at least `bytes >= 8` bytes.
        unsafe {
            let p = if bytes <= MAX_SMALL {
                self.cell(group, size_class(bytes))
            } else {
                self.large(bytes, group)
            };
            p.cast::<GcHeader>().write(GcHeader {
                barrier: 0,
                kind: kind as u8,
                flags: 0,
                extra: 0,
                word: 0,
            });
            p
        }
    }

    /// A run: `bytes` bytes, 16-aligned, uninitialised, without header. It lives as long as the object that
    /// owns it.
    ///
    /// # Safety
    /// [GC-LAYOUT] the run gets its one owner, with this size, before the next safepoint.
    #[inline]
    pub unsafe fn alloc_run(&mut self, bytes: usize) -> *mut u8 {
        // SAFETY: [GC-BLOCK] what `cell` and `large` give is a cell or a large run.
        unsafe {
            if bytes <= MAX_SMALL {
                let p = self.cell(RUN, size_class(bytes));
                if self.phase == Phase::Mark {
                    let (b, i) = (block_of(p), bit_of(p));
                    (*b).mark[i >> 6] |= 1 << (i & 63);
                }
                p
            } else {
                self.large(bytes, RUN)
            }
        }
    }

    /// Frees a run that its owner has let go of. Null is ignored.
    ///
    /// # Safety
    /// `p` is a run of `bytes` bytes and no object refers to it any more.
    pub unsafe fn free_run(&mut self, p: *mut u8, bytes: usize) {
        if p.is_null() {
            return;
        }
        // SAFETY: [GC-BLOCK] the size says in what kind of memory the run is.
        unsafe {
            if bytes > MAX_SMALL {
                let l = large_of(p);
                debug_assert_eq!((*l).bytes, bytes, "size of a run");
                self.unlink_large(l);
                self.used -= bytes;
                self.debt -= bytes as isize;
                self.arena.free_large(l);
                return;
            }
            let (b, i, class) = (block_of(p), bit_of(p), size_class(bytes));
            debug_assert_eq!((*b).group as usize, RUN);
            debug_assert!(
                (*b).class == MIXED || (*b).class as usize == class,
                "size of a run"
            );
            (*b).mark[i >> 6] &= !(1 << (i & 63));
            if (*b).settled {
                self.unsettle_run(p);
            }
            poison(p, class_bytes(class));
            if (*b).epoch == self.epoch {
                self.push_free(RUN, class, p);
            }
            // else the block has yet to be swept, which frees the cell since it is unmarked
        }
    }

    /// Makes a large run larger; it may move, and the bytes added at its end are uninitialised. Null if the run is
    /// not large or the host refuses: then nothing has changed.
    ///
    /// # Safety
    /// [GC-LAYOUT] `p` is a run of `old` bytes, `new > old`; its owner gets the new address and size, and a barrier,
    /// before the next safepoint.
    pub unsafe fn grow_run(&mut self, p: *mut u8, old: usize, new: usize) -> *mut u8 {
        if old <= MAX_SMALL {
            return null_mut();
        }
        // SAFETY: [GC-BLOCK] a run of that size has a node, which is in the list that its epoch names.
        unsafe {
            let l = large_of(p);
            debug_assert_eq!((*l).bytes, old, "size of a run");
            self.unlink_large(l);
            let grown = self.arena.grow_large(l, new);
            let done = !grown.is_null();
            let l = if done { grown } else { l };
            // live, for it has an owner that is in use
            (*l).epoch = self.epoch;
            (*l).mark = u8::from(self.phase == Phase::Mark);
            self.link_large(l);
            if !done {
                return null_mut();
            }
            let run = large_start(l);
            if self.phase == Phase::Mark {
                self.new_runs.push(run.addr());
            }
            self.charge(new - old);
            run
        }
    }

    /// Slow path of inline allocation: a cell for an object of the class, `GlobalHot::free[class]` being
    /// empty; leaves more cells in that list. Same terms as [`Heap::alloc`]; the caller writes the header.
    ///
    /// # Safety
    /// As [`Heap::alloc`]; `class` is below `NUM_CLASSES`.
    #[inline]
    pub unsafe fn refill(&mut self, class: usize) -> *mut u8 {
        // SAFETY: the caller's promise.
        unsafe { self.hand_out(OBJ, class) }
    }

    /// Makes sure that allocations of `bytes` bytes in total succeed, up to the next call of `reserve` or the
    /// next safepoint: sum up [`alloc_size`] of each. May run an emergency collection: everything that the
    /// caller needs must be rooted. A total above 4 KiB is meant for a few large pieces; many small ones
    /// should have some slack (an eighth).
    pub fn reserve(&mut self, bytes: usize) -> Result<(), OutOfMemory> {
        if bytes <= SMALL_READY
            && self.arena.pool_blocks >= MIN_POOL
            && !self.is_counted()
            && bytes <= self.limit.saturating_sub(self.used)
        {
            return Ok(());
        }
        self.reserve_slow(bytes)
    }

    /// Whether objects come from a function of the program that embeds us, which may count and refuse. What then makes objects one
    /// by one calls [`Heap::reserve`] for each, so that a refusal is noticed at once.
    #[inline]
    pub fn is_counted(&self) -> bool {
        self.arena.host.is_counting()
    }

    /// The same as [`Heap::reserve`] without a collection, for code that cannot root what it has; false if it would take one.
    pub fn reserve_now(&mut self, bytes: usize) -> bool {
        self.try_reserve(bytes, 0)
    }

    /// While it is forbidden, [`Heap::reserve`] and [`Heap::allow`] fail instead of collecting. Returns whether it was before.
    #[inline]
    pub fn forbid_collection(&mut self, forbid: bool) -> bool {
        core::mem::replace(&mut self.busy, forbid)
    }

    #[cold]
    fn reserve_slow(&mut self, bytes: usize) -> Result<(), OutOfMemory> {
        self.or_collect(|h| h.try_reserve(bytes, 0))
    }

    /// Asks whether `bytes` more are within the limit, for [`Heap::grow_run`], which tells itself whether there is memory.
    /// May run an emergency collection, as [`Heap::reserve`].
    pub fn allow(&mut self, bytes: usize) -> Result<(), OutOfMemory> {
        self.or_collect(|h| h.is_within(bytes))
    }

    /// Asks again after an emergency collection.
    fn or_collect(&mut self, ask: impl Fn(&mut Heap) -> bool) -> Result<(), OutOfMemory> {
        if ask(self) {
            return Ok(());
        }
        self.arena.drop_spare();
        if !self.busy {
            // SAFETY: [GC-LIVE] the caller has rooted what it needs; [GC-BLOCK].
            unsafe {
                self.full(true);
                self.arena.trim(0);
            }
            if ask(self) {
                return Ok(());
            }
            self.arena.drop_spare();
        }
        Err(OutOfMemory)
    }

    fn is_within(&self, bytes: usize) -> bool {
        self.used.saturating_add(bytes) <= self.limit
            || self.used_bytes().saturating_add(bytes) <= self.limit
    }

    /// Whether `bytes` of what is free in our blocks may be handed out. Once a host that counts has come to refuse, no more may be in use than
    /// there was then, but for `slack`; and nothing new while its limit is below what it has given.
    fn is_allowed(&mut self, bytes: usize, slack: usize) -> bool {
        if !self.arena.is_refused() {
            self.cap = usize::MAX;
            return true;
        }
        let used = self.used_bytes();
        if self.cap == usize::MAX {
            self.cap = used;
        }
        !self.arena.is_beyond() && used + bytes <= self.cap + slack
    }

    fn try_reserve(&mut self, bytes: usize, slack: usize) -> bool {
        if bytes > isize::MAX as usize / 2 {
            return false;
        }
        if !self.is_within(bytes) || !self.is_allowed(bytes, slack) {
            return false;
        }
        while self.arena.pool_blocks < MIN_POOL {
            if !self.arena.grow(false) {
                return false;
            }
        }
        self.arena.promise = bytes;
        // headers, and rounding if it is many small cells
        let slack = if bytes <= 1 << 20 {
            bytes / 4
        } else {
            bytes / 32 + (1 << 18)
        };
        bytes <= SMALL_READY || self.arena.fill_spare(bytes + slack + 2 * BLOCK)
    }

    /// The host has refused memory since the last safepoint, which will look whether enough is left ([`Heap::is_ready`]).
    pub fn is_short(&self) -> bool {
        self.short
    }

    /// At a safepoint: whether small allocations will find memory up to the next one. If the host has refused some since
    /// the last call, this may run an emergency collection.
    ///
    /// # Safety
    /// As [`Heap::step`].
    pub unsafe fn is_ready(&mut self) -> bool {
        !core::mem::take(&mut self.short) || self.or_collect(|h| h.try_reserve(0, MESSAGE)).is_ok()
    }

    /// Limits [`Heap::used_bytes`]; checked by `reserve`.
    pub fn set_memory_limit(&mut self, limit: Option<usize>) {
        self.limit = limit.unwrap_or(usize::MAX);
    }

    /// The limit.
    pub fn memory_limit(&self) -> Option<usize> {
        (self.limit != usize::MAX).then_some(self.limit)
    }

    /// Bytes in use by objects and runs: cells that are not free, and dead ones that have yet to be swept.
    pub fn used_bytes(&self) -> usize {
        let mut free = 0;
        for class in 0..NUM_CLASSES {
            let mut n = self.free_count[RUN][class] + self.free_count[STR][class];
            // SAFETY: [GC-BLOCK] the lists link free cells through their first words.
            unsafe {
                let mut p = (*self.global).free[class];
                while !p.is_null() {
                    n += 1;
                    p = p.cast::<*mut u8>().read();
                }
            }
            free += n * class_bytes(class);
        }
        self.used - free
    }

    /// Takes a cell from the class's free list.
    #[inline(always)]
    unsafe fn cell(&mut self, group: usize, class: usize) -> *mut u8 {
        // SAFETY: [GC-BLOCK] list members are free cells linked through their first words.
        unsafe {
            if group == OBJ {
                let p = (*self.global).free[class];
                if !p.is_null() {
                    (*self.global).free[class] = p.cast::<*mut u8>().read();
                    return p;
                }
            } else {
                let p = self.free[group][class];
                if !p.is_null() {
                    self.free[group][class] = p.cast::<*mut u8>().read();
                    self.free_count[group][class] -= 1;
                    return p;
                }
            }
            self.hand_out(group, class)
        }
    }

    /// Adds a free cell to its list.
    pub(crate) unsafe fn push_free(&mut self, group: usize, class: usize, p: *mut u8) {
        // SAFETY: [GC-BLOCK] `p` is a free cell of the class.
        unsafe {
            let head = if group == OBJ {
                &mut (*self.global).free[class]
            } else {
                self.free_count[group][class] += 1;
                &mut self.free[group][class]
            };
            p.cast::<*mut u8>().write(*head);
            *head = p;
        }
    }

    /// Finds cells for a free list that is empty; returns one and puts the others there.
    #[cold]
    unsafe fn hand_out(&mut self, group: usize, class: usize) -> *mut u8 {
        self.tick();
        if !self.is_allowed(class_bytes(class), 0) {
            self.fall_short();
        }
        // SAFETY: [GC-BLOCK] lists hold blocks of their class; a block with nothing free goes to `full`.
        unsafe {
            loop {
                let b = self.lists[group][class].avail.head;
                if !b.is_null() {
                    let p = self.cut(b, group, class);
                    if !p.is_null() {
                        return p;
                    }
                    let l = &mut self.lists[group][class];
                    l.avail.pop();
                    l.full.push(b);
                    continue;
                }
                if self.phase == Phase::Sweep && self.sweep_for(group, class) {
                    let head = if group == OBJ {
                        (*self.global).free[class]
                    } else {
                        self.free[group][class]
                    };
                    if !head.is_null() {
                        return self.cell(group, class); // came from a mixed block
                    }
                    continue;
                }
                let size = class_bytes(class);
                let mixed = &mut self.mixed_bytes[group][class];
                if *mixed as usize + size <= MIXED_BYTES {
                    *mixed += size as u16;
                    return self.mixed_cell(group, class);
                }
                if self.arena.pool_blocks <= MIN_POOL && !self.arena.grow(false) {
                    self.fall_short();
                    return self.mixed_cell(group, class);
                }
                let b = self.arena.take_block(class as u8, group, self.epoch);
                (*b).free = STARTS[class];
                self.lists[group][class].avail.push(b);
            }
        }
    }

    /// Takes free cells of a block: the first is returned, the others go to the list. Null if there is none.
    unsafe fn cut(&mut self, b: *mut Block, group: usize, class: usize) -> *mut u8 {
        let size = class_bytes(class);
        let most = match group {
            _ if self.stress > 0 => 1,
            _ if !self.is_counted() => REFILL_CELLS,
            OBJ => COUNTED_OBJECTS,
            _ => COUNTED_OTHERS,
        };
        let most = most.min((REFILL_BYTES / size) as u32).max(1);
        let mut n = 0;
        let mut first = null_mut::<u8>();
        let mut last = null_mut::<u8>();
        // SAFETY: [GC-BLOCK] set bits of `free` name free cells of this block.
        unsafe {
            'words: for i in 0..WORDS {
                while (*b).free[i] != 0 {
                    if n == most {
                        break 'words;
                    }
                    let bit = (*b).free[i].trailing_zeros() as usize;
                    (*b).free[i] &= (*b).free[i] - 1;
                    let p = b.cast::<u8>().add((i * 64 + bit) * 16);
                    if first.is_null() {
                        first = p;
                    } else {
                        last.cast::<*mut u8>().write(p);
                    }
                    last = p;
                    n += 1;
                }
            }
            if n == 0 {
                return null_mut();
            }
            (*b).handed += n;
            self.charge(n as usize * size);
            if n > 1 {
                let rest = first.cast::<*mut u8>().read();
                let head = if group == OBJ {
                    &mut (*self.global).free[class]
                } else {
                    self.free_count[group][class] += n as usize - 1;
                    &mut self.free[group][class]
                };
                last.cast::<*mut u8>().write(*head);
                *head = rest;
            }
        }
        first
    }

    /// A cell from the group's mixed block.
    unsafe fn mixed_cell(&mut self, group: usize, class: usize) -> *mut u8 {
        let size = class_bytes(class);
        // SAFETY: [GC-BLOCK] bytes from `bump` on are free.
        unsafe {
            loop {
                let b = self.mixed[group];
                if !b.is_null() && (*b).bump as usize + size <= BLOCK {
                    let p = b.cast::<u8>().add((*b).bump as usize);
                    let i = bit_of(p);
                    (*b).free[i >> 6] |= 1 << (i & 63);
                    (*b).bump += size as u32;
                    (*b).handed += size as u32;
                    self.charge(size);
                    return p;
                }
                let b = self.arena.take_block(MIXED, group, self.epoch);
                if self.arena.pool_blocks < MIN_POOL && !self.arena.grow(false) {
                    self.fall_short();
                }
                if !b.is_null() {
                    self.lists[group][NUM_CLASSES].full.push(b);
                    self.mixed[group] = b;
                } else if !self.arena.grow(true) {
                    refused();
                }
            }
        }
    }

    #[cold]
    unsafe fn large(&mut self, bytes: usize, group: usize) -> *mut u8 {
        self.tick();
        // SAFETY: [GC-HOST] a fresh node is linked into the list of swept pieces.
        unsafe {
            let l = if group == RUN {
                self.arena.large_run(bytes, self.epoch)
            } else {
                self.arena.large_object(bytes, group, self.epoch)
            };
            if l.is_null() {
                refused();
            }
            if group == RUN && self.phase == Phase::Mark {
                (*l).mark = 1;
                self.new_runs.push(l.add(1).addr());
            }
            self.link_large(l);
            self.charge(bytes);
            large_start(l)
        }
    }

    pub(crate) unsafe fn link_large(&mut self, l: *mut Large) {
        // SAFETY: `l` is a node in no list.
        unsafe {
            (*l).prev = null_mut();
            (*l).next = self.large;
            if !self.large.is_null() {
                (*self.large).prev = l;
            }
        }
        self.large = l;
    }

    unsafe fn unlink_large(&mut self, l: *mut Large) {
        // SAFETY: `l` is in the list that its epoch names.
        unsafe {
            let (next, prev) = ((*l).next, (*l).prev);
            if !next.is_null() {
                (*next).prev = prev;
            }
            if !prev.is_null() {
                (*prev).next = next;
            } else if (*l).epoch == self.epoch {
                self.large = next;
            } else {
                self.large_unswept = next;
            }
        }
    }

    /// Counts bytes as used and as debt.
    fn charge(&mut self, bytes: usize) {
        self.used += bytes;
        self.debt += bytes as isize;
        if (self.debt > 0 && self.may_run()) || self.used > self.limit {
            self.raise();
        }
    }

    /// Adds what has been counted down in `GlobalHot::sunk_left`, allocations that compiled code does without, to the debt; and lets
    /// it begin again. In stress mode each such allocation counts like one that was made.
    ///
    /// # Safety
    /// [GC-HOOK] the state is live.
    pub unsafe fn charge_removed(&mut self) {
        // SAFETY: the caller's promise.
        let left = unsafe { &mut (*self.global).sunk_left };
        self.debt += self.sunk_quota.wrapping_sub(*left) as isize;
        self.sunk_quota = if self.stress > 0 { 0 } else { SUNK_QUOTA };
        *left = self.sunk_quota;
        self.tick();
        if self.debt > 0 && self.may_run() {
            self.raise();
        }
    }

    /// The host refuses memory: the next safepoint is to look whether there is enough.
    fn fall_short(&mut self) {
        self.short = true;
        self.raise();
    }

    /// Asks for a step at the next safepoint.
    pub(crate) fn raise(&mut self) {
        self.poll_word().fetch_or(poll::GC, Ordering::Relaxed);
    }

    /// The state's poll word; signal handlers and other threads set bits of it, too.
    pub(crate) fn poll_word(&self) -> &AtomicU32 {
        // SAFETY: [GC-HOOK] the state outlives its heap; the word is only changed atomically.
        unsafe { AtomicU32::from_ptr(&raw mut (*self.global).poll) }
    }

    /// Stress mode's clock.
    fn tick(&mut self) {
        if self.stress > 0 {
            self.stress_left = self.stress_left.saturating_sub(1);
            if self.stress_left == 0 {
                self.stress_left = self.stress;
                self.stress_due = true;
                if self.may_run() {
                    self.raise();
                }
            }
        }
    }
}

/// Fills a freed cell with a pattern, in debug builds.
///
/// # Safety
/// The cell is free.
#[inline(always)]
pub(crate) unsafe fn poison(p: *mut u8, bytes: usize) {
    if cfg!(debug_assertions) {
        // SAFETY: the caller's promise.
        unsafe { core::ptr::write_bytes(p, crate::POISON, bytes) };
    }
}

/// The contract of `reserve` was broken.
#[cold]
fn refused() -> ! {
    eprintln!("traceorus: out of memory in an allocation that was not reserved");
    std::process::abort()
}
