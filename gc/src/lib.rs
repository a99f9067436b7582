//! The collector: non-moving, size-classed arenas with mark bitmaps at the side, incremental tri-colour
//! marking, lazy sweeping. Objects are known by their layouts in `base::objects`; the rest comes through
//! [`Hooks`].
//!
//! # Phases
//! ```text
//! Pause --debt--> Mark --no gray left--> (Atomic) --> Sweep --all swept--> Pause
//! ```
//! * **Pause.** No marks are set anywhere. Allocation raises the debt until a cycle is due.
//! * **Mark.** Roots are marked, then gray objects are scanned in steps. `GlobalHot::gc_marking` is 1.
//! * **Atomic.** One step without the mutator: roots again, objects that changed, threads that ran, weak
//!   tables, finalizers, transitions of shapes. From then on white means dead.
//! * **Sweep.** Blocks are swept one by one, on demand of allocation or in steps; dead short strings leave the
//!   intern table with their block. Objects made meanwhile come from swept blocks and are safe.
//!
//! Steps run only at safepoints ([`Heap::step`]), never in an allocation. A full collection abandons a mark
//! phase or completes a sweep, and then does all phases at once.
//!
//! # Colours
//! | colour | mark bit | `GcHeader::barrier` | meaning |
//! |--------|----------|---------------------|---------|
//! | white  | 0        | any                 | not reached yet |
//! | gray   | 1        | any                 | reached, waits on a stack (`gray`, `grayagain`) |
//! | black  | 1        | 1                   | reached and scanned, or settled |
//!
//! Mark bits are in block headers, so that marking a string or an object that is marked already touches no
//! object. Strings have no children and become black at once. The `barrier` byte is set when an object is
//! scanned and may stay 1 when it is white again: that costs one call of the slow path and saves the sweep
//! from touching live objects. Runs have a mark bit, no colour: the scan of their owner sets it.
//!
//! **The invariant**: in the mark phase no black object refers to a white one, other than weakly. Exempt are
//! threads, which are scanned again, and objects in `grayagain`, `rehash`, or scanned in part.
//!
//! # The barrier
//! A store into an object whose byte is 1 calls [`Heap::barrier`] before the next safepoint, for every store
//! that could create an edge: a collectable value or key, a metatable, a shape, a run that replaces another (the
//! new run has to be marked, its contents too, even if the value being stored is a number). The slow path
//! * outside the mark phase, or if the object is white, clears the byte;
//! * else clears the byte and puts the object into `grayagain`: it is scanned once more, when the gray stack is
//!   empty or in the atomic phase (backward barrier; one call per object and cycle);
//! * for a table with a big array part marks the new value instead, and later scans the hash part again
//!   (forward barrier), since scanning the array again would make the atomic phase long.
//!
//! A fast path that tests the byte and not the value must call the slow path for values that are not
//! collectable, too: otherwise a byte left over from the cycle before sends every store to the slow path for
//! ever. The dictionary of a table is scanned as a part of the table: only the table's byte counts.
//!
//! Before all that, a settled object (`settled`) becomes one like others, in any phase.
//!
//! No barrier is needed for the initialising stores of a new object (it is white until the next safepoint),
//! for stores of values that are not collectable, and for stores into the roots of [`Hooks::mark_roots`].
//!
//! # Threads
//! Stores into stacks have no barrier. A thread that is running, or has resumed another (`NORMAL`), goes to
//! `grayagain` whenever it is scanned in the mark phase, and is so scanned by the atomic phase. A suspended
//! thread that was scanned is black: whoever resumes it or writes into its stack calls the barrier for it
//! first. So the atomic phase scans the threads that ran, and not the others. What is live in a stack is
//! found by walking its frames, see `base::frame`: nothing above a frame's live extent is looked at, and
//! everything below is a valid value [GC-LAYOUT].
//!
//! # Invariants cited by unsafe code
//! * **[GC-LIVE]** a pointer to an object that is used was reachable from the roots at the last safepoint, or
//!   was allocated since; nothing reachable is ever freed.
//! * **[GC-LAYOUT]** at a safepoint every reachable object has all fields initialised as `base::objects` says:
//!   tags of *all* slots of the array part (`arr_cap`) and of the fields (`field_cap`) are valid, `used` entries
//!   of a dictionary are written, runs have the sizes that their owner's fields give and one owner each.
//! * **[GC-BARRIER]** stores follow the protocol above.
//! * **[GC-BLOCK]** mark and free bits are set only at starts of cells; cells in a free list are linked through
//!   their first word and belong to a swept block of that class; a block is in exactly one list or the pool.
//! * **[GC-HOST]** the host's function follows `lua_Alloc`; memory goes back with the size it came with.
//! * **[GC-HOOK]** `global` and `ctx` outlive the heap; hooks do not allocate, step or collect, and touch the heap
//!   only through the argument they get.
//!
//! # Memory
//! See `arena` (blocks, superblocks, large pieces), `alloc` (free lists, `reserve`), `sweep`, `pacer`. An
//! allocation never collects and, after [`Heap::reserve`], never fails.

#[cfg(all(target_pointer_width = "32", not(doc)))]
compile_error!("addresses are 64 bits wide");

mod alloc;
mod arena;
mod barrier;
mod finalize;
mod host;
mod mapped;
mod mark;
mod pacer;
mod settled;
mod sizeclass;
mod stats;
mod sweep;
#[cfg(test)]
mod tests;
mod verify;
mod weak;

use std::sync::atomic::AtomicBool;

use core::ptr::null_mut;
use std::collections::VecDeque;

use arena::{Arena, BlockList, GROUPS, Large};
use traceorus_base::objects::{GcHeader, GlobalHot, Shape, Str, Table};

pub use arena::BLOCK;
pub use host::{AllocFn, HostAlloc};
pub use mark::{Marker, trans_home, walk_frames};
pub use pacer::{Mode, Params};
pub use sizeclass::{
    MAX_SMALL, NUM_CLASSES, alloc_size, class_bytes, const_size_class, size_class,
};
pub use stats::Stats;

/// Freed memory is filled with this byte in debug builds.
pub const POISON: u8 = 0xdb;

/// The host refused memory, or the limit is reached, and an emergency collection did not help.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OutOfMemory;

/// Weakness of a table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WeakMode {
    /// Strong.
    None,
    /// Weak keys, and values that live as long as their keys (ephemerons).
    Keys,
    /// Weak values.
    Values,
    /// Weak keys and values.
    Both,
}

/// What the vm gives to the collector.
#[derive(Clone, Copy)]
pub struct Hooks {
    /// First argument of the functions.
    pub ctx: *mut u8,
    /// Marks what `GlobalHot` does not name (its threads, tables, metatables, names and error value are marked
    /// anyway). Called at the start and the end of marking, and by the verifier.
    pub mark_roots: unsafe fn(ctx: *mut u8, m: &mut Marker<'_>),
    /// Weakness of a table with a metatable, from `__mode`; not called if `meta_absent` excludes it.
    pub table_mode: unsafe fn(ctx: *mut u8, t: *mut Table) -> WeakMode,
    /// Called after marking, before anything is freed: clear weak caches here, by [`Heap::is_marked`].
    pub atomic_done: unsafe fn(ctx: *mut u8, h: &mut Heap),
    /// Called when objects wait to be finalized.
    pub queue_finalizers: unsafe fn(ctx: *mut u8),
    /// Head of the chain (linked by `Str::next`) of the intern table that holds the short strings with this hash. The
    /// sweep unlinks dead ones.
    pub intern_head: unsafe fn(ctx: *mut u8, hash: u32) -> *mut *mut Str,
}

/// What the collector is doing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    Pause,
    Mark,
    Atomic,
    Sweep,
}

/// Blocks of one class in one group.
#[derive(Clone, Copy)]
struct ClassLists {
    /// Swept, with free cells.
    avail: BlockList,
    /// Swept, full when last looked at.
    full: BlockList,
    unswept: BlockList,
}

/// The heap of one state. It must not move while it is in use by hooks; the vm keeps it inside its state.
pub struct Heap {
    global: *mut GlobalHot,
    hooks: Hooks,
    arena: Arena,

    /// Blocks by group and class; the last class is that of mixed blocks.
    lists: [[ClassLists; NUM_CLASSES + 1]; GROUPS],
    /// Free lists of runs and strings.
    free: [[*mut u8; NUM_CLASSES]; GROUPS],
    free_count: [[usize; NUM_CLASSES]; GROUPS],
    /// Blocks that mixed cells are taken from.
    mixed: [*mut arena::Block; GROUPS],
    /// Bytes that classes took from mixed blocks.
    mixed_bytes: [[u16; NUM_CLASSES]; GROUPS],
    large: *mut Large,
    large_unswept: *mut Large,
    /// Bytes in cells that were handed out, and in large pieces.
    used: usize,
    limit: usize,
    /// Most bytes that may be in use as long as the host refuses.
    cap: usize,
    /// The host has refused a block: what the pool holds is the rest.
    short: bool,

    phase: Phase,
    /// Flips when sweeping begins; blocks with the other value are unswept.
    epoch: u8,
    /// A hook runs, or what runs cannot root what it has: no collection.
    busy: bool,
    /// A step or collection runs.
    at_work: AtomicBool,
    /// Stack of gray objects, see `mark`.
    gray: Vec<usize>,
    /// Black objects that changed, and threads that run.
    grayagain: Vec<*mut GcHeader>,
    /// `grayagain` was scanned once in this mark phase.
    remarked: bool,
    /// Tables that took the forward barrier.
    rehash: Vec<*mut Table>,
    /// Forward barriers that this cycle may still take.
    forward_left: u32,
    /// Large runs allocated in this mark phase.
    new_runs: Vec<usize>,
    /// Weak tables seen while marking, and in the atomic phase.
    weak_seen: Vec<*mut Table>,
    weak: Vec<weak::WeakTable>,
    waiting: weak::Waiting,
    /// Marks are to be reported to `waiting`.
    watch: bool,
    /// Shapes with transitions.
    parents: Vec<*mut Shape>,

    /// Objects that are taken to be alive unseen, and those of them that were stored into since; see `settled`.
    settled: Vec<settled::Settled>,
    stirred: Vec<*mut GcHeader>,

    finobj: Vec<*mut GcHeader>,
    tobefnz: VecDeque<*mut GcHeader>,

    /// Position of the sweep among the lists.
    sweep_at: usize,

    debt: isize,
    running: bool,
    held: u32,
    mode: Mode,
    params: Params,
    /// Bytes alive after the last cycle.
    live_estimate: usize,
    swept_before: u64,
    /// Blocks that the program needed at a time, lately.
    wanted_blocks: usize,
    /// Bytes looked at by marking, and their worth in other work.
    work: usize,
    /// `work` when the cycle started.
    work_before: usize,
    stress: u32,
    stress_left: u32,
    /// What `GlobalHot::sunk_left` last began at.
    sunk_quota: u32,
    stress_due: bool,
    /// Work is verified when the second reaches 0, every so many steps as the first says; 0: never.
    verify: u32,
    verify_left: u32,
    stats: Stats,
}

impl Heap {
    /// A heap without objects. `global` and the context of the hooks outlive it [GC-HOOK].
    pub fn new(global: *mut GlobalHot, hooks: Hooks, host: HostAlloc) -> Heap {
        Heap {
            global,
            hooks,
            arena: Arena::new(host),
            lists: [[ClassLists {
                avail: BlockList::EMPTY,
                full: BlockList::EMPTY,
                unswept: BlockList::EMPTY,
            }; NUM_CLASSES + 1]; GROUPS],
            free: [[null_mut(); NUM_CLASSES]; GROUPS],
            free_count: [[0; NUM_CLASSES]; GROUPS],
            mixed: [null_mut(); GROUPS],
            mixed_bytes: [[0; NUM_CLASSES]; GROUPS],
            large: null_mut(),
            large_unswept: null_mut(),
            used: 0,
            limit: usize::MAX,
            cap: usize::MAX,
            short: false,
            phase: Phase::Pause,
            epoch: 0,
            busy: false,
            at_work: AtomicBool::new(false),
            gray: Vec::new(),
            grayagain: Vec::new(),
            remarked: false,
            rehash: Vec::new(),
            forward_left: 0,
            new_runs: Vec::new(),
            weak_seen: Vec::new(),
            weak: Vec::new(),
            waiting: weak::Waiting::default(),
            watch: false,
            parents: Vec::new(),
            settled: Vec::new(),
            stirred: Vec::new(),
            finobj: Vec::new(),
            tobefnz: VecDeque::new(),
            sweep_at: 0,
            debt: -(pacer::MIN_PAUSE as isize),
            running: true,
            held: 0,
            mode: Mode::Incremental,
            params: Params::DEFAULT,
            live_estimate: 0,
            swept_before: 0,
            wanted_blocks: 0,
            work: 0,
            work_before: 0,
            stress: 0,
            stress_left: 0,
            sunk_quota: 0,
            stress_due: false,
            verify: 0,
            verify_left: 0,
            stats: Stats::default(),
        }
    }

    /// Where it is noted that a step or collection runs, for profilers that look from a signal handler. Valid as long as the heap.
    pub fn at_work(&self) -> *const AtomicBool {
        &raw const self.at_work
    }
    /// Where memory comes from.
    pub fn host(&self) -> HostAlloc {
        self.arena.host
    }

    /// `lua_setallocf`: the new function must accept memory that the old one gave.
    pub fn set_host(&mut self, host: HostAlloc) {
        self.arena.host = host;
    }

    /// Gives all memory back to the host. No object of the heap, nor the heap, may be used afterwards.
    ///
    /// # Safety
    /// Nobody uses the objects any more; finalizers have run.
    pub unsafe fn destroy(&mut self) {
        // SAFETY: the caller's promise.
        unsafe {
            for mut l in [self.large, self.large_unswept] {
                while !l.is_null() {
                    let next = (*l).next;
                    self.arena.free_large(l);
                    l = next;
                }
            }
            self.arena.destroy();
            (*self.global).free = [null_mut(); _];
        }
        self.large = null_mut();
        self.large_unswept = null_mut();
        self.used = 0;
    }
}
