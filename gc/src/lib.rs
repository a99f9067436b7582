//! The collector (first cut: the interface is final, the inside is not).
#![allow(missing_docs, clippy::undocumented_unsafe_blocks, reason = "first cut")]

mod sizeclass;

use core::marker::PhantomData;
use traceorus_base::objects::*;
use traceorus_base::value::Value;

pub use sizeclass::{MAX_SMALL, NUM_CLASSES, class_bytes, size_class};

/// The host refused memory, or the limit is reached, and an emergency collection did not help.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OutOfMemory;

/// Weakness of a table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WeakMode {
    None,
    Keys,
    Values,
    Both,
}

/// Collection mode, as `collectgarbage` names it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    Incremental,
    Generational,
}

/// As `lua_Alloc`: `(ud, ptr, osize, nsize)`; `nsize == 0` frees.
pub type AllocFn = unsafe extern "C" fn(*mut u8, *mut u8, usize, usize) -> *mut u8;

/// Where memory comes from.
#[derive(Clone, Copy)]
pub enum HostAlloc {
    System,
    Custom { f: AllocFn, ud: *mut u8 },
}

/// What the vm gives to the collector.
#[derive(Clone, Copy)]
pub struct Hooks {
    pub ctx: *mut u8,
    pub mark_roots: unsafe fn(ctx: *mut u8, m: &mut Marker<'_>),
    pub table_mode: unsafe fn(ctx: *mut u8, t: *mut Table) -> WeakMode,
    pub atomic_done: unsafe fn(ctx: *mut u8, h: &mut Heap),
    pub queue_finalizers: unsafe fn(ctx: *mut u8),
    pub intern_buckets: unsafe fn(ctx: *mut u8) -> (*mut *mut Str, usize),
}

pub struct Heap {
    global: *mut GlobalHot,
    hooks: Hooks,
    host: HostAlloc,
    used: usize,
    limit: Option<usize>,
    running: bool,
    mode: Mode,
    pause: u32,
    stepmul: u32,
    stepsize: u32,
    finobj: Vec<*mut GcHeader>,
    tobefnz: std::collections::VecDeque<*mut GcHeader>,
}

/// Slot in `Shape::trans` where the search for the child with last key `key` starts; the search goes on
/// upwards by one, wrapping around. The collector rebuilds the tables by the same rule.
///
/// # Safety
/// `key` is null or a short string; `cap` is a power of two.
pub unsafe fn trans_home(key: *const Str, cap: u32) -> usize {
    if key.is_null() {
        return 0;
    }
    unsafe { ((*key).hdr.word & (cap - 1)) as usize }
}

/// Gives roots to the collector.
pub struct Marker<'a> {
    #[expect(dead_code, reason = "first cut")]
    heap: *mut Heap,
    _life: PhantomData<&'a mut Heap>,
}

#[expect(clippy::missing_safety_doc, reason = "first cut")]
#[expect(unused_variables, reason = "first cut")]
impl Marker<'_> {
    pub unsafe fn value(&mut self, v: Value) {}
    /// May be null.
    pub unsafe fn object<T>(&mut self, p: *mut T) {}
    /// May be null.
    pub unsafe fn run(&mut self, p: *mut u8) {}
    /// As `run`, for callers that know the size (cheaper).
    pub unsafe fn run_sized(&mut self, p: *mut u8, bytes: usize) {}
}

#[expect(clippy::missing_safety_doc, reason = "first cut")]
#[expect(unused_variables, reason = "first cut")]
impl Heap {
    pub fn new(global: *mut GlobalHot, hooks: Hooks, host: HostAlloc) -> Heap {
        Heap {
            global,
            hooks,
            host,
            used: 0,
            limit: None,
            running: true,
            mode: Mode::Incremental,
            pause: 200,
            stepmul: 100,
            stepsize: 13,
            finobj: Vec::new(),
            tobefnz: Default::default(),
        }
    }
    /// `lua_setallocf`.
    pub fn set_host(&mut self, host: HostAlloc) {
        self.host = host;
    }
    pub fn host(&self) -> HostAlloc {
        self.host
    }
    /// A new object: header `{barrier 0, kind, flags 0, extra 0, word 0}`, the rest uninitialised.
    pub unsafe fn alloc(&mut self, kind: ObjKind, bytes: usize) -> *mut u8 {
        let p = unsafe { self.alloc_run(bytes) };
        unsafe {
            p.cast::<GcHeader>().write(GcHeader {
                barrier: 0,
                kind: kind as u8,
                flags: 0,
                extra: 0,
                word: 0,
            })
        };
        p
    }
    /// Cell for an object of the class, when `GlobalHot::free[class]` is empty; fills that list too.
    pub unsafe fn refill(&mut self, class: usize) -> *mut u8 {
        unsafe { self.alloc_run(class_bytes(class)) }
    }
    pub unsafe fn alloc_run(&mut self, bytes: usize) -> *mut u8 {
        self.used += bytes;
        let p = unsafe { libc::malloc(bytes.max(16)) };
        assert!(!p.is_null());
        p.cast()
    }
    pub unsafe fn free_run(&mut self, p: *mut u8, bytes: usize) {
        self.used -= bytes;
        unsafe { libc::free(p.cast()) };
    }
    pub fn reserve(&mut self, bytes: usize) -> Result<(), OutOfMemory> {
        match self.limit {
            Some(l) if self.used + bytes > l => Err(OutOfMemory),
            _ => Ok(()),
        }
    }
    pub fn set_memory_limit(&mut self, limit: Option<usize>) {
        self.limit = limit;
    }
    pub fn memory_limit(&self) -> Option<usize> {
        self.limit
    }
    pub fn used_bytes(&self) -> usize {
        self.used
    }
    pub unsafe fn barrier(&mut self, obj: *mut GcHeader, v: Value) {
        unsafe { (*obj).barrier = 0 };
    }
    pub fn resurrect_string(&mut self, s: *mut Str) {}
    pub unsafe fn step(&mut self) {
        unsafe { (*self.global).poll &= !poll::GC };
    }
    pub unsafe fn step_bytes(&mut self, kb: usize) -> bool {
        true
    }
    pub unsafe fn full(&mut self, emergency: bool) {}
    pub unsafe fn register_finalizer(&mut self, obj: *mut GcHeader) {
        unsafe {
            if (*obj).flags & flags::FINALIZER == 0 {
                (*obj).flags |= flags::FINALIZER;
                self.finobj.push(obj);
            }
        }
    }
    pub unsafe fn next_to_finalize(&mut self) -> Option<*mut GcHeader> {
        let o = self.tobefnz.pop_front()?;
        unsafe { (*o).flags &= !flags::FINALIZER };
        Some(o)
    }
    pub unsafe fn separate_all(&mut self) {
        while let Some(o) = self.finobj.pop() {
            self.tobefnz.push_back(o);
        }
        if !self.tobefnz.is_empty() {
            unsafe { (self.hooks.queue_finalizers)(self.hooks.ctx) };
        }
    }
    pub unsafe fn is_marked(&self, obj: *const GcHeader) -> bool {
        true
    }
    /// The user's stop and restart.
    pub fn stop(&mut self) {
        self.running = false;
    }
    pub fn restart(&mut self) {
        self.running = true;
    }
    pub fn is_running(&self) -> bool {
        self.running
    }
    /// Keeps the collector from running on its own (while a finalizer runs, at close): nests with `release`,
    /// independent of `stop`.
    pub fn hold(&mut self) {}
    pub fn release(&mut self) {}
    /// Sets the mode; returns the previous one.
    pub fn set_mode(&mut self, mode: Mode) -> Mode {
        core::mem::replace(&mut self.mode, mode)
    }
    pub fn mode(&self) -> Mode {
        self.mode
    }
    /// In percent; returns the previous value.
    pub fn set_pause(&mut self, v: u32) -> u32 {
        core::mem::replace(&mut self.pause, v)
    }
    pub fn set_stepmul(&mut self, v: u32) -> u32 {
        core::mem::replace(&mut self.stepmul, v)
    }
    /// As log2 of bytes; returns the previous value.
    pub fn set_stepsize(&mut self, v: u32) -> u32 {
        core::mem::replace(&mut self.stepsize, v)
    }
    /// Every `n`-th allocation asks for a full collection at the next step; 0: off.
    pub fn set_stress(&mut self, n: u32) {}
    pub unsafe fn verify(&self) -> Result<(), String> {
        Ok(())
    }
    /// Bytes of the cell that holds the object.
    pub unsafe fn object_size(&self, obj: *const GcHeader) -> usize {
        0
    }
    /// Gives everything back to the host. Nothing of the heap may be used afterwards.
    pub unsafe fn destroy(&mut self) {}
}
