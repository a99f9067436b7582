//! Marking: from roots through gray objects, with an explicit stack, in slices.
//!
//! The stack holds addresses of gray objects. A big array part or dictionary is scanned in slices: three words
//! (the run's address, the next index, the table with the part in its low bits) lie under the children of the
//! slice just scanned, so the stack stays as deep as the graph, not as wide. When the run is no longer the
//! table's when a slice is taken up, the table is scanned from the start.

use crate::arena::*;
use crate::sizeclass::MAX_SMALL;
use crate::{Heap, Hooks, Phase, WeakMode};
use core::marker::PhantomData;
use core::ptr::null_mut;
use traceorus_base::frame;
use traceorus_base::meta::MetaMethod;
use traceorus_base::objects::*;
use traceorus_base::value::{Tag, Value};

/// Slots of an array part and entries of a dictionary that are scanned at a time.
const ARRAY_SLICE: usize = 2048;
const DICT_SLICE: usize = 512;
/// Low bits of a stack word that continues a table.
const PART_ARRAY: usize = 1;
const PART_DICT: usize = 2;
/// Only the hash part, from its start; no further words.
pub(crate) const PART_HASH: usize = 3;
const PART_MASK: usize = 15;

/// Objects that the scan runs ahead of itself.
const PREFETCH: usize = 16;

/// Brings the line at an address into the cache.
#[inline(always)]
fn prefetch(addr: usize) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a prefetch reads nothing, whatever the address.
    unsafe {
        use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(core::ptr::without_provenance(addr));
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = addr;
}

/// Gives roots to the collector.
pub struct Marker<'a> {
    heap: *mut Heap,
    /// Where roots go instead, for the verifier.
    sink: Option<*mut Vec<Root>>,
    _heap: PhantomData<&'a mut Heap>,
}

/// What a root was.
pub(crate) enum Root {
    Value(Value),
    Object(*mut GcHeader),
}

impl Marker<'_> {
    /// Marks what the value refers to.
    ///
    /// # Safety
    /// [GC-LIVE] an object that it refers to is intact.
    #[inline]
    pub unsafe fn value(&mut self, v: Value) {
        // SAFETY: the caller's promise.
        unsafe {
            match self.sink {
                None => (*self.heap).mark_value(v),
                Some(s) => (*s).push(Root::Value(v)),
            }
        }
    }

    /// Marks an object; null is ignored.
    ///
    /// # Safety
    /// [GC-LIVE] `p` is null or an object.
    #[inline]
    pub unsafe fn object<T>(&mut self, p: *mut T) {
        // SAFETY: the caller's promise.
        unsafe {
            match self.sink {
                None => (*self.heap).mark(p),
                Some(s) => (*s).push(Root::Object(p.cast())),
            }
        }
    }

    /// Marks a run that no object owns; null is ignored. Give the size if it is known.
    ///
    /// # Safety
    /// [GC-LIVE] `p` is null or a run.
    pub unsafe fn run(&mut self, p: *mut u8) {
        // SAFETY: what is not in a block is a large run.
        unsafe {
            match self.sink {
                _ if p.is_null() => {}
                None => {
                    let small = (*self.heap).arena.in_blocks(p);
                    (*self.heap).mark_run(p, if small { 0 } else { usize::MAX });
                }
                Some(_) => {}
            }
        }
    }

    /// As [`Marker::run`], much cheaper.
    ///
    /// # Safety
    /// [GC-LIVE] `p` is null or a run of `bytes` bytes.
    pub unsafe fn run_sized(&mut self, p: *mut u8, bytes: usize) {
        // SAFETY: the caller's promise.
        unsafe {
            match self.sink {
                None => (*self.heap).mark_run(p, bytes),
                Some(_) => self.run(p),
            }
        }
    }
}

/// Address of the first byte of a tagged run.
#[inline(always)]
pub(crate) fn run_start(p: *mut u64, cap: usize) -> *mut u8 {
    p.cast::<u8>().wrapping_sub((cap + 7) & !7)
}

/// Whether a run (fields or array part) lies in the table's own cell.
#[inline(always)]
pub(crate) fn inline_run(t: *mut Table, run: *mut u8) -> bool {
    run == t.cast::<u8>().wrapping_add(Table::INLINE_FIELDS)
}

/// Whether elements of an array part of this kind need no look.
#[inline(always)]
pub(crate) fn plain_kind(kind: u8) -> bool {
    (kind as i8) >= 0 && kind as i8 != Tag::ANY.byte()
}

impl Heap {
    /// All roots.
    pub(crate) unsafe fn roots(&self) -> Vec<Root> {
        let mut roots = Vec::new();
        let mut m = Marker {
            heap: core::ptr::from_ref(self).cast_mut(),
            sink: Some(&raw mut roots),
            _heap: PhantomData,
        };
        // SAFETY: [GC-HOOK]; a marker with a sink does not write to the heap.
        unsafe { give_roots(self.global, self.hooks, &mut m) };
        roots
    }

    /// Marks an object that may be null.
    #[inline(always)]
    pub(crate) unsafe fn mark<T>(&mut self, p: *mut T) {
        if !p.is_null() {
            // SAFETY: [GC-LIVE] `p` is an object.
            unsafe { self.mark_object(p.cast()) }
        }
    }

    #[inline(always)]
    pub(crate) unsafe fn mark_value(&mut self, v: Value) {
        if v.tag.is_collectable() {
            // SAFETY: [GC-LIVE] the payload of a collectable tag is an object.
            unsafe { self.mark_object(v.as_ptr()) }
        }
    }

    #[inline(always)]
    pub(crate) unsafe fn mark_object(&mut self, p: *mut GcHeader) {
        debug_assert!(
            p.addr() & 15 == 0 && p.addr() > 4096,
            "not an object: {p:?}"
        );
        // SAFETY: [GC-BLOCK] every object has a block header.
        unsafe {
            let (b, i) = (block_of(p), bit_of(p));
            let bit = 1 << (i & 63);
            let word = &mut (*b).mark[i >> 6];
            if *word & bit != 0 {
                return;
            }
            *word |= bit;
            debug_assert!(
                (1..=ObjKind::Dict as u8).contains(&(*p).kind),
                "dead object {p:?} (kind {:#x}) reached",
                (*p).kind
            );
            if (*b).group as usize != STR {
                self.gray.push(p.addr());
                if self.watch {
                    self.key_marked(p);
                }
            }
        }
    }

    /// Sets the bit of an object without making it gray; false if it was set.
    #[inline(always)]
    unsafe fn mark_only<T>(&mut self, p: *mut T) -> bool {
        // SAFETY: [GC-BLOCK] every object has a block header.
        unsafe {
            let (b, i) = (block_of(p), bit_of(p));
            let old = (*b).mark[i >> 6];
            (*b).mark[i >> 6] = old | 1 << (i & 63);
            old >> (i & 63) & 1 == 0
        }
    }

    /// Marks a run of that size; null is ignored.
    #[inline(always)]
    pub(crate) unsafe fn mark_run(&mut self, p: *mut u8, bytes: usize) {
        if p.is_null() {
            return;
        }
        debug_assert!(p.addr() & 15 == 0, "not a run: {p:?}");
        // SAFETY: [GC-LIVE] `p` is a run of that size, which tells its kind of memory.
        unsafe {
            if bytes <= MAX_SMALL {
                self.mark_only(p);
            } else {
                #[cfg(debug_assertions)]
                assert!(
                    self.arena.runs.contains(&p.addr()),
                    "not a large run: {p:?}, {bytes} bytes"
                );
                (*large_of(p)).mark = 1;
            }
        }
    }

    /// Whether the bit of an object is set.
    #[inline(always)]
    pub(crate) unsafe fn bit(&self, p: *const GcHeader) -> bool {
        // SAFETY: [GC-BLOCK] every object has a block header.
        unsafe {
            let (b, i) = (block_of(p), bit_of(p));
            (*b).mark[i >> 6] >> (i & 63) & 1 != 0
        }
    }

    /// Whether the object has been found alive by this cycle so far. Exact in `Hooks::atomic_done` and until
    /// the object's block is swept; true between cycles.
    ///
    /// # Safety
    /// [GC-LIVE] `obj` is an object whose memory has not been reused.
    #[inline]
    pub unsafe fn is_marked(&self, obj: *const GcHeader) -> bool {
        // SAFETY: [GC-BLOCK] every object has a block header.
        unsafe {
            match self.phase {
                Phase::Pause => true,
                Phase::Mark | Phase::Atomic => self.bit(obj),
                Phase::Sweep => !self.is_condemned(obj.cast()),
            }
        }
    }

    /// Starts a cycle: marks the roots, and what is taken to be alive unless `full`.
    pub(crate) unsafe fn start_cycle(&mut self, full: bool) {
        debug_assert!(self.phase == Phase::Pause && self.gray.is_empty());
        self.phase = Phase::Mark;
        self.remarked = false;
        self.work_before = self.work;
        self.forward_left = 4096;
        // SAFETY: [GC-HOOK] roots are what the vm and the state name.
        unsafe {
            (*self.global).gc_marking = 1;
            if !full {
                self.mark_settled();
            }
            self.mark_roots();
            for i in 0..self.tobefnz.len() {
                let o = self.tobefnz[i];
                self.mark_object(o);
            }
        }
    }

    pub(crate) unsafe fn mark_roots(&mut self) {
        let (global, hooks) = (self.global, self.hooks);
        let mut m = Marker {
            heap: self,
            sink: None,
            _heap: PhantomData,
        };
        // SAFETY: [GC-HOOK].
        unsafe { give_roots(global, hooks, &mut m) };
    }

    /// Scans gray objects until about `limit` bytes were looked at or none is left; returns the bytes.
    pub(crate) unsafe fn propagate(&mut self, limit: usize) -> usize {
        let start = self.work;
        // a queue of objects that are on their way into the cache: `waiting` of them, the first at `first`
        let mut ahead = [0; PREFETCH];
        let mut first = 0;
        let mut waiting = 0;
        // SAFETY: [GC-LIVE] the stack holds live objects and the words described above.
        unsafe {
            loop {
                let object = match self.gray.pop() {
                    Some(w) => match w & PART_MASK {
                        0 => {
                            // most objects are two lines long, or one and lie across two
                            prefetch(w);
                            prefetch(w + 64);
                            if waiting < PREFETCH {
                                ahead[(first + waiting) % PREFETCH] = w;
                                waiting += 1;
                                continue;
                            }
                            let due = core::mem::replace(&mut ahead[first], w);
                            first = (first + 1) % PREFETCH;
                            due
                        }
                        PART_HASH => {
                            self.scan_hash(core::ptr::with_exposed_provenance_mut(w & !PART_MASK));
                            0
                        }
                        part => {
                            self.continue_table(w, part);
                            0
                        }
                    },
                    None if waiting > 0 => {
                        let due = ahead[first];
                        first = (first + 1) % PREFETCH;
                        waiting -= 1;
                        due
                    }
                    None if self.watch && self.wake_entries() => continue,
                    None => break,
                };
                if object != 0 {
                    self.scan(core::ptr::with_exposed_provenance_mut(object));
                }
                if self.work - start >= limit {
                    let rest = (0..waiting).map(|i| ahead[(first + i) % PREFETCH]);
                    self.gray.extend(rest);
                    break;
                }
            }
        }
        self.work - start
    }

    /// Scans a gray object and makes it black.
    unsafe fn scan(&mut self, p: *mut GcHeader) {
        // SAFETY: [GC-LAYOUT] fields of a live object are initialised and lead to live objects and runs.
        unsafe {
            (*p).barrier = 1;
            let extra = (*p).extra as usize;
            self.work += match (*p).kind {
                k if k == ObjKind::Table as u8 => self.scan_table(p.cast()),
                k if k == ObjKind::Cell as u8 => {
                    self.mark_value((*p.cast::<Cell>()).value);
                    32
                }
                k if k == ObjKind::LuaClosure as u8 => {
                    self.mark((*p.cast::<LuaClosure>()).proto);
                    let up: *mut *mut Cell = p.cast::<u8>().add(LuaClosure::UPVALS).cast();
                    for i in 0..extra {
                        self.mark(*up.add(i));
                    }
                    32 + 8 * extra
                }
                k if k == ObjKind::NativeClosure as u8 => {
                    self.mark_values(p.cast::<u8>().add(NativeClosure::UPVALS).cast(), extra);
                    64 + 16 * extra
                }
                k if k == ObjKind::Userdata as u8 => {
                    self.mark((*p.cast::<Userdata>()).metatable);
                    let n = (*p.cast::<Userdata>()).nuv();
                    self.mark_values(p.cast::<u8>().add(Userdata::UVALS).cast(), n);
                    32 + 16 * n
                }
                k if k == ObjKind::Thread as u8 => self.scan_thread(p.cast()),
                k if k == ObjKind::Proto as u8 => self.scan_proto(p.cast()),
                k if k == ObjKind::Shape as u8 => self.scan_shape(p.cast()),
                k if k == ObjKind::Dict as u8 => {
                    let d: *mut Dict = p.cast();
                    self.mark_dict_runs(d);
                    self.scan_entries(d, 0, (*d).used as usize, false);
                    24 * (*d).used as usize
                }
                _ => 16, // strings have no children
            }
        }
    }

    unsafe fn mark_values(&mut self, p: *mut Value, n: usize) {
        for i in 0..n {
            // SAFETY: [GC-LAYOUT] `n` values from `p`.
            unsafe { self.mark_value(*p.add(i)) }
        }
    }

    unsafe fn scan_proto(&mut self, p: *mut Proto) -> usize {
        // SAFETY: [GC-LAYOUT] runs have the numbers of elements that the fields say, or are null.
        unsafe {
            let (code, consts, protos) = (
                (*p).ncode as usize,
                (*p).nconsts as usize,
                (*p).nprotos as usize,
            );
            let (ups, vars) = ((*p).nupvals as usize, (*p).nlocvars as usize);
            self.mark((*p).source);
            self.mark_run((*p).code.cast(), 8 * code);
            self.mark_run((*p).consts.cast(), 16 * consts);
            self.mark_run((*p).protos.cast(), 8 * protos);
            self.mark_run((*p).upvals.cast(), size_of::<UpvalDesc>() * ups);
            self.mark_run((*p).locvars.cast(), size_of::<LocVar>() * vars);
            self.mark_run((*p).lines, Proto::lines_size(code, (*p).hdr.extra != 0));
            self.mark_run((*p).live, code);
            if !(*p).consts.is_null() {
                self.mark_values((*p).consts, consts);
            }
            if !(*p).protos.is_null() {
                for i in 0..protos {
                    self.mark(*(*p).protos.add(i));
                }
            }
            if !(*p).upvals.is_null() {
                for i in 0..ups {
                    self.mark((*(*p).upvals.add(i)).name);
                }
            }
            if !(*p).locvars.is_null() {
                for i in 0..vars {
                    self.mark((*(*p).locvars.add(i)).name());
                }
            }
            600 + 16 * consts + 8 * protos + 16 * ups + 24 * vars
        }
    }

    unsafe fn scan_shape(&mut self, s: *mut Shape) -> usize {
        // SAFETY: [GC-LAYOUT] as above. `trans` is weak: the run is marked, the children are not.
        unsafe {
            self.mark((*s).parent);
            self.mark((*s).key);
            self.mark((*s).metatable);
            let n = (*s).nfields as usize;
            self.mark_run((*s).keys.cast(), 8 * n);
            if !(*s).keys.is_null() {
                for i in 0..n {
                    self.mark(*(*s).keys.add(i));
                }
            }
            if !(*s).trans.is_null() && (*s).trans_cap > 0 {
                self.mark_run((*s).trans.cast(), 8 * (*s).trans_cap as usize);
                self.parents.push(s);
            }
            80 + 8 * n
        }
    }

    /// Weakness of a table. Asks the vm only if the metatable may have `__mode`.
    pub(crate) unsafe fn mode_of(&self, t: *mut Table) -> WeakMode {
        // SAFETY: [GC-LAYOUT] the metatable is a table or null.
        unsafe {
            let mt = (*t).metatable;
            if mt.is_null() || (*mt).meta_absent & 1 << (MetaMethod::Mode as u32) != 0 {
                WeakMode::None
            } else {
                (self.hooks.table_mode)(self.hooks.ctx, t)
            }
        }
    }

    /// Marks what a table refers to whatever its mode.
    pub(crate) unsafe fn mark_table_frame(&mut self, t: *mut Table) {
        // SAFETY: [GC-LAYOUT].
        unsafe {
            self.mark((*t).metatable);
            self.mark((*t).shape);
            if (*t).arr_cap > 0 && !inline_run(t, (*t).array.cast()) {
                let cap = (*t).arr_cap as usize;
                self.mark_run(run_start((*t).array, cap), tagged_run_size(cap).0);
            }
            if (*t).hdr.flags & flags::TAB_DICT != 0 {
                let d: *mut Dict = (*t).hash.cast();
                if !d.is_null() {
                    self.mark_only(d);
                    self.mark_dict_runs(d);
                }
            } else if (*t).field_cap > 0 && !inline_run(t, (*t).hash) {
                let cap = (*t).field_cap as usize;
                self.mark_run(run_start((*t).hash.cast(), cap), tagged_run_size(cap).0);
            }
        }
    }

    unsafe fn mark_dict_runs(&mut self, d: *mut Dict) {
        // SAFETY: [GC-LAYOUT].
        unsafe {
            self.mark_run((*d).entries.cast(), 24 * (*d).cap as usize);
            self.mark_run((*d).index.cast(), 4 * ((*d).index_mask as usize + 1));
        }
    }

    unsafe fn scan_table(&mut self, t: *mut Table) -> usize {
        // SAFETY: [GC-LAYOUT].
        unsafe {
            self.mark_table_frame(t);
            match self.mode_of(t) {
                WeakMode::None => {
                    if (*t).arr_cap > 0 && !plain_kind((*t).hdr.extra) {
                        self.array_slice(t, 0);
                    }
                    self.scan_hash(t);
                }
                mode => self.scan_weak(t, mode),
            }
        }
        64
    }

    /// Scans the hash part of a table that is not weak.
    unsafe fn scan_hash(&mut self, t: *mut Table) {
        // SAFETY: [GC-LAYOUT].
        unsafe {
            if (*t).hdr.flags & flags::TAB_DICT != 0 {
                if !(*t).hash.is_null() {
                    self.dict_slice(t, 0);
                }
            } else {
                self.scan_tagged((*t).hash.cast(), 0, (*t).field_cap as usize);
            }
        }
    }

    /// Takes up a table that was scanned in part.
    unsafe fn continue_table(&mut self, w: usize, part: usize) {
        let t: *mut Table = core::ptr::with_exposed_provenance_mut(w & !PART_MASK);
        let (Some(at), Some(run)) = (self.gray.pop(), self.gray.pop()) else {
            unreachable!("three words continue a table")
        };
        // SAFETY: [GC-LAYOUT]; the run is compared, not used.
        unsafe {
            let now = if part == PART_ARRAY {
                (*t).array.addr()
            } else if (*t).hdr.flags & flags::TAB_DICT != 0 {
                (*(*t).hash.cast::<Dict>()).entries.addr()
            } else {
                0
            };
            if now != run {
                self.gray.push(t.addr());
            } else if part == PART_ARRAY {
                self.array_slice(t, at);
            } else {
                self.dict_slice(t, at);
            }
        }
    }

    unsafe fn array_slice(&mut self, t: *mut Table, at: usize) {
        // SAFETY: [GC-LAYOUT] the array part has `arr_cap` slots with valid tags.
        unsafe {
            let (run, cap) = ((*t).array, (*t).arr_cap as usize);
            let end = cap.min(at + ARRAY_SLICE);
            if end < cap {
                self.gray.extend([run.addr(), end, t.addr() | PART_ARRAY]);
            }
            self.scan_tagged(run, at, end);
        }
    }

    unsafe fn dict_slice(&mut self, t: *mut Table, at: usize) {
        // SAFETY: [GC-LAYOUT] a table in dictionary mode has a dictionary.
        unsafe {
            let d: *mut Dict = (*t).hash.cast();
            let used = (*d).used as usize;
            let end = used.min(at + DICT_SLICE);
            if end < used {
                self.gray
                    .extend([(*d).entries.addr(), end, t.addr() | PART_DICT]);
            }
            self.scan_entries(d, at, end, (*t).hdr.flags & flags::TAB_OWN_ID != 0);
            self.work += 24 * (end.saturating_sub(at));
        }
    }

    /// Marks slots `from..to` of a tagged run, looking at eight tags at a time; `from` is a multiple of 8.
    pub(crate) unsafe fn scan_tagged(&mut self, run: *mut u64, from: usize, to: usize) {
        let mut i = from;
        // SAFETY: [GC-LAYOUT] the tags of slots `i..i+8` are the 8 bytes below `run - i`; those below `to` are written.
        unsafe {
            while i < to {
                let tags: u64 = run.cast::<u8>().sub(i + 8).cast::<u64>().read_unaligned();
                let mut hit = tags & 0x8080_8080_8080_8080;
                if to - i < 8 {
                    // tags from slot `to` on need not be written
                    hit &= u64::MAX << (64 - 8 * (to - i));
                }
                self.work += 8 * hit.count_ones() as usize;
                while hit != 0 {
                    let top = hit.leading_zeros() as usize;
                    hit &= !(1 << (63 - top));
                    self.mark_object(core::ptr::with_exposed_provenance_mut(
                        *run.add(i + top / 8) as usize,
                    ));
                }
                i += 8;
            }
        }
        self.work += to.saturating_sub(from);
    }

    /// Marks keys and values of entries `from..to`. A key whose value is nil and that is not marked yet is
    /// forgotten, or kept alive if the keys of live code may name the entry (`pinned`) and it is a string.
    pub(crate) unsafe fn scan_entries(
        &mut self,
        d: *mut Dict,
        from: usize,
        to: usize,
        pinned: bool,
    ) {
        // SAFETY: [GC-LAYOUT] entries below `used` are written.
        unsafe {
            for i in from..to {
                let e = (*d).entries.add(i);
                if (*e).val_tag == Tag::NIL {
                    self.nil_entry(e, pinned);
                    continue;
                }
                if (*e).key_tag.is_collectable() {
                    self.mark_object(core::ptr::with_exposed_provenance_mut(
                        (*e).key_payload as usize,
                    ));
                }
                if (*e).val_tag.is_collectable() {
                    self.mark_object(core::ptr::with_exposed_provenance_mut(
                        (*e).val_payload as usize,
                    ));
                }
            }
        }
    }

    /// An entry with nil value does not keep its key alive.
    pub(crate) unsafe fn nil_entry(&mut self, e: *mut DictEntry, pinned: bool) {
        // SAFETY: [GC-LAYOUT] a collectable key is an object as long as it is not DEADKEY.
        unsafe {
            if !(*e).key_tag.is_collectable() {
                return;
            }
            let key: *mut GcHeader =
                core::ptr::with_exposed_provenance_mut((*e).key_payload as usize);
            if pinned && (*e).key_tag == Tag::STRING {
                self.mark_object(key);
            } else if !self.bit(key) {
                (*e).key_tag = Tag::DEADKEY;
            }
        }
    }

    /// Marks a thread's stack by walking its frames (see `base::frame`). A thread that runs, or will go on
    /// without being resumed, is noted for the atomic phase.
    unsafe fn scan_thread(&mut self, t: *mut Thread) -> usize {
        // SAFETY: [GC-LAYOUT], and the frame layout of `base::frame`.
        unsafe {
            let g = self.global;
            if self.phase == Phase::Mark
                && (t == (*g).current
                    || t == (*g).main
                    || (*t).hdr.flags & flags::THREAD_OPEN != 0
                    || matches!((*t).status, thread_status::RUNNING | thread_status::NORMAL))
            {
                self.grayagain.push(t.cast());
            }
            self.mark((*t).resumer);
            self.mark_value((*t).hook_value);
            if (*t).stack.is_null() {
                return 256;
            }
            self.mark_run((*t).stack.cast(), 16 * (*t).stack_slots as usize);
            self.mark_run((*t).tbc.cast(), 4 * (*t).tbc_cap as usize);
            let mut d = (*t).detached;
            while !d.is_null() {
                self.mark_run(d.cast(), size_of::<Continuable>());
                d = (*d).act.prev.cast();
            }
            256 + walk_frames(t, &mut |v| self.mark_value(v))
        }
    }
}

/// Gives what the state and the vm name.
unsafe fn give_roots(g: *mut GlobalHot, hooks: Hooks, m: &mut Marker<'_>) {
    // SAFETY: [GC-HOOK] the hot prefix of the state holds objects or null.
    unsafe {
        m.object((*g).main);
        m.object((*g).current);
        m.object((*g).globals);
        m.object((*g).registry);
        m.object((*g).empty_shape);
        m.object((*g).dict_shape);
        m.value((*g).error_value);
        for t in (*g).type_meta {
            m.object(t);
        }
        for s in (*g).meta_names {
            m.object(s);
        }
        let mut a = (*g).activation;
        while !a.is_null() {
            m.object((*a).thread);
            a = (*a).prev;
        }
        (hooks.mark_roots)(hooks.ctx, m);
    }
}

/// Calls `f` with every value in the live extents of a thread's frames, called functions included; returns
/// the bytes looked at.
///
/// # Safety
/// [GC-LAYOUT] the thread's frames are as `base::frame` says.
pub unsafe fn walk_frames(t: *mut Thread, f: &mut dyn FnMut(Value)) -> usize {
    let mut work = 0;
    // SAFETY: the caller's promise; every pointer stays inside the stack.
    unsafe {
        if (*t).stack.is_null() || (*t).base.is_null() {
            return 0;
        }
        let mut base = (*t).base;
        let mut pc = (*t).pc;
        // end of the frame as far as the frame above tells; the running one of a native
        // function, and that of a thread that has not started, end at `top`
        let running: *mut GcHeader = (*base.sub(1)).as_ptr();
        let mut end = if is_lua(running) && !pc.is_null() {
            (*t).stack.add((*t).stack_slots as usize)
        } else {
            (*t).top
        };
        // results wait above the registers: all of the frame is live
        let mut full = false;
        loop {
            let mut func = base.sub(1);
            let callee: *mut GcHeader = (*func).as_ptr();
            if !full && !pc.is_null() && is_lua(callee) {
                end = end.min(base.add(live_top((*callee.cast::<LuaClosure>()).proto, pc)));
            }
            let mut p = base;
            while p < end {
                f(*p);
                p = p.add(1);
                work += 16;
            }
            let mut word = frame_word(func);
            if !callee.is_null() {
                f(Value::ptr(callee, Tag::FUNCTION));
            }
            if frame::kind_of(word) == frame::kind::VARARG {
                // the arguments lie between the real function slot and the moved one
                let real = func.sub(frame::delta_of(word) as usize);
                let mut p = real.add(1);
                while p < func {
                    f(*p);
                    p = p.add(1);
                    work += 16;
                }
                func = real;
                word = frame_word(func);
                if (*func).payload != 0 {
                    f(Value::new((*func).payload, Tag::FUNCTION));
                }
            }
            end = func;
            let addr = frame::addr_of(word) as usize;
            full = frame::kind_of(word) == frame::kind::CONT && word & frame::FULL_BIT != 0;
            match frame::kind_of(word) {
                frame::kind::LUA | frame::kind::TAIL => {
                    pc = core::ptr::with_exposed_provenance(addr);
                    base = func.byte_sub((*pc >> 16 & 0xffff) as usize);
                }
                frame::kind::CONT => {
                    pc = core::ptr::with_exposed_provenance(addr);
                    base = func.add(1).sub(frame::delta_of(word) as usize);
                }
                frame::kind::PCALL | frame::kind::CLOSING => {
                    pc = core::ptr::null();
                    base = func.add(1).sub(frame::delta_of(word) as usize);
                }
                frame::kind::ENTRY => {
                    let a: *mut Activation = core::ptr::with_exposed_provenance_mut(addr);
                    pc = (*a).prev_pc;
                    full = (*a).bits & frame::FULL_BIT != 0;
                    base = (*t).stack.byte_add((*a).prev_base as usize);
                }
                _ => {
                    // what C code has put below the body of a coroutine
                    let mut p = (*t).stack.add(1);
                    while p < func {
                        f(*p);
                        p = p.add(1);
                        work += 16;
                    }
                    return work;
                }
            }
        }
    }
}

/// Whether the called function (null at the bottom of a thread) is a Lua function.
unsafe fn is_lua(callee: *mut GcHeader) -> bool {
    // SAFETY: [GC-LAYOUT] null or a live object.
    unsafe { !callee.is_null() && (*callee).kind == ObjKind::LuaClosure as u8 }
}

/// The word in place of a function slot's tag.
unsafe fn frame_word(func: *mut Value) -> u64 {
    // SAFETY: the second half of a slot.
    unsafe { func.cast::<u64>().add(1).read() }
}

/// Live registers of a frame of `p` at `pc`.
unsafe fn live_top(p: *mut Proto, pc: *const Instr) -> usize {
    // SAFETY: [GC-LAYOUT] `pc` points into the prototype's code; pcs outside it (stubs) are no code of a function.
    unsafe {
        let at = (pc.addr().wrapping_sub((*p).code.addr())) / 8;
        if (*p).live.is_null() || at >= (*p).ncode as usize {
            debug_assert!((*p).live.is_null(), "pc outside the function's code");
            return (*p).frame_size as usize;
        }
        *(*p).live.add(at) as usize
    }
}

/// Slot in `Shape::trans` where the search for the child with last key `key` begins; it goes on upwards by
/// one, wrapping around, to the first null. The collector rebuilds the tables by this rule.
///
/// # Safety
/// `key` is null or a short string; `cap` is a power of two.
#[inline(always)]
pub unsafe fn trans_home(key: *const Str, cap: u32) -> usize {
    if key.is_null() {
        return 0;
    }
    // SAFETY: the hash of a short string is valid.
    unsafe { ((*key).hdr.word & (cap - 1)) as usize }
}

impl Heap {
    /// Removes dead children from the transitions of live shapes.
    pub(crate) unsafe fn prune_shapes(&mut self) {
        let parents = core::mem::take(&mut self.parents);
        let mut live: Vec<*mut Shape> = Vec::new();
        for &s in &parents {
            // SAFETY: [GC-LAYOUT] `trans` has `trans_cap` slots; a live child's key is live.
            unsafe {
                let (run, cap) = ((*s).trans, (*s).trans_cap as usize);
                let mut dead = false;
                live.clear();
                for i in 0..cap {
                    let c = *run.add(i);
                    if !c.is_null() {
                        if self.bit(c.cast()) {
                            live.push(c);
                        } else {
                            dead = true;
                        }
                    }
                }
                if !dead {
                    continue;
                }
                for i in 0..cap {
                    *run.add(i) = null_mut();
                }
                for &c in &live {
                    let mut i = trans_home((*c).key, cap as u32);
                    while !(*run.add(i)).is_null() {
                        i = (i + 1) & (cap - 1);
                    }
                    *run.add(i) = c;
                }
                (*s).trans_len = live.len() as u32;
            }
        }
        self.parents = parents;
        self.parents.clear();
    }
}
