//! The global state: one per runtime; everything hangs off it.

use std::any::Any;
use std::sync::atomic::{AtomicU32, Ordering};

use traceorus_base::frame;
use traceorus_base::meta::MetaMethod;
use traceorus_base::objects::*;
use traceorus_base::{Tag, Value};
use traceorus_gc::{Heap, Hooks, HostAlloc, Marker, WeakMode};

use crate::body::Bodies;
use crate::cfunc::CData;
use crate::ctx::{Ctx, LResult};
use crate::jithooks::{self, JitHooks};
use crate::refs::Refs;
use crate::shape::ShapeState;
use crate::string::StringTable;
use crate::{call, dispatch, exec, shape, string, table, throw};

/// Loads a chunk: `(l, source, chunk name, mode)`; gives the closure or raises. Set by the facade, which knows the
/// front ends.
pub type Loader = unsafe fn(*mut Thread, &[u8], &[u8], &[u8]) -> LResult<Value>;

/// The state. Starts with the part that emitted code reads, so that `*mut GlobalHot` and `*mut Global` are
/// the same address. Boxed by [`new`] and never moved.
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
    /// See [`Loader`].
    pub loader: Option<Loader>,
    /// Prototypes of chunks being loaded; see [`crate::load::Loader`].
    pub loading: Vec<*mut Proto>,
    /// The look-up cache that `hot.lookup` points to.
    lookup: Box<[LookupEntry]>,
    /// Called at a safepoint after [`request_interrupt`]; may raise.
    pub interrupt: Option<unsafe fn(Ctx<'_>) -> LResult<()>>,
    /// Called at a safepoint with [`poll::EVENTS`]: runs Lua functions that want to be told of events. Raises nothing.
    pub events: Option<unsafe fn(Ctx<'_>)>,
    /// Warning function: `(ctx, message, to be continued)`.
    pub warn: Option<unsafe fn(Ctx<'_>, &[u8], bool)>,
    /// Data of the embedder.
    pub user: Option<Box<dyn Any>>,
    /// What the Rust API keeps per state, so that its functions find it quickly; null without it.
    pub api: *const (),
    /// Values that native code keeps alive.
    pub refs: Refs,
    /// The finalizer of userdata that own Rust values; see [`exec::new_owner`].
    pub owned_gc: Value,
    /// Stress mode: move the stack at every call (TRACEORUS_STACK_STRESS).
    pub stack_stress: bool,
    /// Calls since the stack was moved for that; a big one is not moved at each call (`call::need`).
    pub stack_calm: u32,
    /// Look-ups in objects whose shape does not tell their metatable (`dispatch::join_family`).
    pub uncached_visits: u32,
    /// Finalizers are being run: no nesting.
    pub in_finalizers: bool,
    /// How often finalizers have been run.
    pub finalizer_runs: u64,
    /// `os.exit(code, true)` and others ask for this once the state is closed.
    pub closing: bool,
    /// How many are in [`request_interrupt`].
    requests: AtomicU32,
    /// See [`Global::rooted`].
    kept: (*const Value, usize),
    /// Values that are roots besides the others: those that a trace holds in its native frame during
    /// `exec::collect_at_poll`. Whoever sets it clears it.
    pub extra_roots: (*const Value, usize),
    /// Library functions that are written in Lua.
    pub bodies: Bodies,
    /// What the C API keeps.
    pub c: CData,
    /// The trace compiler, if there is one.
    pub jit: Option<JitHooks>,
    /// The trace compiler sees each instruction. Whoever changes it calls `dispatch::update_dispatch`.
    pub recording: bool,
    /// What counters of loops in code to be loaded start with, at most 0xFFFE.
    pub hotloop: u16,
    /// The same for functions.
    pub hotcall: u16,
    /// Prototypes whose `jit` is not 0; those that die are taken out before they are freed.
    pub(crate) jit_protos: Vec<*mut Proto>,
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

    /// Runs `f`, which may collect, with these values as roots besides the others. Does not nest.
    ///
    /// # Safety
    /// [GC-LIVE] the values are live, and they stay where they are while `f` collects.
    pub unsafe fn rooted<R>(&mut self, values: &[Value], f: impl FnOnce(&mut Global) -> R) -> R {
        self.kept = (values.as_ptr(), values.len());
        let r = f(self);
        self.kept = (std::ptr::null(), 0);
        r
    }
}

/// Slots of a fresh main stack and of a fresh coroutine's.
const MAIN_STACK: usize = 256;
const CO_STACK: usize = 16 + call::EXTRA;

/// Bytes that a fresh state takes, with some to spare.
const INITIAL: usize = 32 << 10;

/// Makes a state with an empty registry and globals table, and gives its main thread; null if the host refuses the memory. The libraries are
/// not opened.
///
/// # Safety
/// A custom allocator obeys the `lua_Alloc` contract.
pub unsafe fn new(host: HostAlloc) -> *mut Thread {
    // SAFETY: every field is written before the state is used; raw pointers between state and heap are stable
    // because the state is boxed.
    unsafe {
        let raw = std::alloc::alloc_zeroed(std::alloc::Layout::new::<Global>()) as *mut Global;
        let hooks = Hooks {
            ctx: raw as *mut u8,
            mark_roots,
            table_mode,
            atomic_done,
            queue_finalizers,
            intern_head,
        };
        std::ptr::write(&raw mut (*raw).hot, fresh_hot());
        std::ptr::write(
            &raw mut (*raw).heap,
            Box::new(Heap::new(raw as *mut GlobalHot, hooks, host)),
        );
        std::ptr::write(&raw mut (*raw).strings, StringTable::new(seed()));
        std::ptr::write(&raw mut (*raw).shapes, ShapeState::new());
        // zeroes are entries without a shape; pages that are not used are not even written
        let lookup = Box::<[LookupEntry]>::new_zeroed_slice(LOOKUP_SIZE).assume_init();
        std::ptr::write(&raw mut (*raw).lookup, lookup);
        (*raw).hot.lookup = (*raw).lookup.as_mut_ptr();
        std::ptr::write(&raw mut (*raw).loader, None);
        std::ptr::write(&raw mut (*raw).loading, Vec::new());
        std::ptr::write(&raw mut (*raw).interrupt, None);
        std::ptr::write(&raw mut (*raw).events, None);
        std::ptr::write(&raw mut (*raw).warn, None);
        std::ptr::write(&raw mut (*raw).user, None);
        std::ptr::write(&raw mut (*raw).refs, Refs::default());
        (*raw).owned_gc = Value::NIL;
        std::ptr::write(&raw mut (*raw).bodies, Bodies::new());
        std::ptr::write(&raw mut (*raw).c, CData::new());
        std::ptr::write(&raw mut (*raw).jit, None);
        std::ptr::write(&raw mut (*raw).jit_protos, Vec::new());
        (*raw).hotloop = jithooks::HOTLOOP;
        (*raw).hotcall = jithooks::HOTCALL;
        (*raw).uncached_visits = 0;
        (*raw).stack_calm = 0;
        (*raw).stack_stress = std::env::var_os("TRACEORUS_STACK_STRESS").is_some_and(|v| v != "0");
        let g = &mut *raw;
        if !g.heap.reserve_now(INITIAL) {
            free(g);
            return std::ptr::null_mut();
        }
        dispatch::install(g);
        shape::init(g);
        for (i, m) in MetaMethod::ALL.iter().enumerate() {
            g.hot.meta_names[i] = g.str_new(m.name().as_bytes());
        }
        let l = new_thread_with(g, MAIN_STACK);
        g.hot.main = l;
        g.hot.current = l;
        (*l).status = thread_status::RUNNING;
        // the main thread, the globals, and some references
        let registry = table::table_new(g, 16, 0);
        g.hot.registry = registry;
        g.c.registry = Value::ptr(registry, Tag::TABLE);
        let globals = table::table_new(g, 0, 0);
        table::table_to_dict(g, globals);
        g.hot.globals = globals;
        table::table_set_int(g, registry, 1, Value::ptr(l, Tag::THREAD));
        table::table_set_int(g, registry, 2, Value::ptr(globals, Tag::TABLE));
        if let Some(n) = number_from("TRACEORUS_GC_STRESS") {
            g.heap.set_stress(n);
        }
        if let Some(n) = number_from("TRACEORUS_VERIFY") {
            g.heap.set_verify(n);
        }
        l
    }
}

fn fresh_hot() -> GlobalHot {
    // SAFETY: GlobalHot is plain data (integers and raw pointers) for which all zeroes is valid.
    let mut h: GlobalHot = unsafe { std::mem::zeroed() };
    h.error_value = Value::NIL;
    h.proto_epoch = 1;
    h.next_shape_id = 1;
    h
}

/// A number in an environment variable; `None` if there is none.
fn number_from<T: std::str::FromStr>(variable: &str) -> Option<T> {
    std::env::var(variable).ok()?.parse().ok()
}

fn seed() -> u64 {
    use std::hash::{BuildHasher, Hasher};
    if let Some(s) = number_from("TRACEORUS_SEED") {
        return s;
    }
    std::collections::hash_map::RandomState::new()
        .build_hasher()
        .finish()
}

/// A new coroutine of the state, with nothing to run yet.
///
/// # Safety
/// [GC-LIVE] the caller makes it reachable before the next safepoint.
pub unsafe fn new_thread(g: &mut Global) -> *mut Thread {
    // SAFETY: as promised.
    unsafe { new_thread_with(g, CO_STACK) }
}

unsafe fn new_thread_with(g: &mut Global, slots: usize) -> *mut Thread {
    // SAFETY: a fresh object of the right size; all fields are written.
    unsafe {
        let l = g.heap.alloc(ObjKind::Thread, size_of::<Thread>()) as *mut Thread;
        let hdr = std::ptr::read(&raw const (*l).hdr);
        std::ptr::write_bytes(l as *mut u8, 0, size_of::<Thread>());
        std::ptr::write(&raw mut (*l).hdr, hdr);
        let stack = g.heap.alloc_run(slots * 16) as *mut Value;
        (*l).stack = stack;
        (*l).stack_slots = slots as u64;
        (*l).global = &mut g.hot;
        (*l).limit = stack.add(slots - call::EXTRA);
        (*l).dispatch = g.hot.code_base;
        (*l).hook_value = Value::NIL;
        (*l).allow_hook = 1;
        *stack = Value::NIL;
        call::set_word(stack, frame::word(frame::kind::BASE, 0, 0));
        (*l).base = stack.add(1);
        (*l).top = stack.add(1);
        l
    }
}

/// Closes the state: pending to-be-closed variables and every finalizer run, then all memory is given back.
///
/// # Safety
/// `l` is a thread of a live state that runs nothing; nothing of the state is used afterwards.
pub unsafe fn close(l: *mut Thread) {
    // SAFETY: as promised.
    unsafe {
        let g = Global::of((*l).global);
        let l = g.hot.main;
        if number_from("TRACEORUS_DIGEST") == Some(1) {
            eprintln!("digest {:016x}", crate::digest::of_globals(g));
        }
        g.closing = true;
        g.in_finalizers = false;
        g.finalizer_runs = 0;
        g.hot.ran_aside = 0;
        g.hot.current = l;
        throw::close_all(l);
        (*l).base = (*l).stack.add(1);
        (*l).top = (*l).base;
        (*l).status = thread_status::RUNNING;
        g.heap.separate_all();
        exec::run_finalizers(l);
        g.user = None;
        if let Some(jit) = g.jit.take() {
            (jit.close)(jit.data);
        }
        free(g);
    }
}

/// Gives all memory of a state back.
unsafe fn free(g: *mut Global) {
    // SAFETY: nothing of the state is used any more; it was allocated by `new`.
    unsafe {
        (*g).heap.destroy();
        std::ptr::drop_in_place(g);
        std::alloc::dealloc(g as *mut u8, std::alloc::Layout::new::<Global>());
    }
}

/// Asks the state to call its interrupt function at the next safepoint. May be called from a signal handler or
/// another thread.
///
/// # Safety
/// `g` is a live state.
pub unsafe fn request_interrupt(g: *mut GlobalHot) {
    // SAFETY: an aligned u32 that others only read and write as a whole; a stack limit of 0 sends the next call of the
    // running thread through `call::need`, which puts the limit back. The thread is not freed before this ends: the
    // collector waits in `atomic_done`.
    unsafe {
        let requests = &(*(g as *const Global)).requests;
        requests.fetch_add(1, Ordering::SeqCst);
        AtomicU32::from_ptr(&raw mut (*g).poll).fetch_or(poll::INTERRUPT, Ordering::Relaxed);
        let l = std::ptr::read_volatile(&raw const (*g).current);
        if !l.is_null() {
            std::ptr::write_volatile(&raw mut (*l).limit, std::ptr::null_mut());
        }
        requests.fetch_sub(1, Ordering::SeqCst);
    };
}

// ---- hooks of the collector ----------------------------------------------------------------------------------

unsafe fn mark_roots(ctx: *mut u8, m: &mut Marker<'_>) {
    // SAFETY: [GC-LIVE] the collector calls with its own state; every root is null or live.
    unsafe {
        let g = &mut *(ctx as *mut Global);
        m.value(g.owned_gc);
        for &v in g.refs.slots() {
            m.value(v);
        }
        for (values, n) in [g.kept, g.extra_roots] {
            for i in 0..n {
                m.value(*values.add(i));
            }
        }
        g.c.mark(m);
        for o in g.bodies.objects() {
            m.object(o);
        }
        if let Some(jit) = g.jit {
            (jit.mark)(jit.data, m);
        }
        for &p in &g.loading {
            m.object(p);
        }
        shape::mark_roots(g, m);
    }
}

unsafe fn table_mode(ctx: *mut u8, t: *mut Table) -> WeakMode {
    // SAFETY: [GC-LIVE] a live table with a metatable.
    unsafe {
        let g = &mut *(ctx as *mut Global);
        let mt = (*t).metatable;
        if mt.is_null() {
            return WeakMode::None;
        }
        let v = table::meta_get(g, mt, MetaMethod::Mode);
        if v.tag != Tag::STRING {
            return WeakMode::None;
        }
        let b = string::str_bytes(v.as_ptr());
        match (b.contains(&b'k'), b.contains(&b'v')) {
            (true, true) => WeakMode::Both,
            (true, false) => WeakMode::Keys,
            (false, true) => WeakMode::Values,
            _ => WeakMode::None,
        }
    }
}

unsafe fn atomic_done(ctx: *mut u8, h: &mut Heap) {
    // SAFETY: [GC-LIVE] called between marking and sweeping.
    unsafe {
        let g = &mut *(ctx as *mut Global);
        let _ = h;
        std::sync::atomic::fence(Ordering::SeqCst);
        while g.requests.load(Ordering::SeqCst) != 0 {
            std::hint::spin_loop();
        }
        g.hot.proto_epoch = g.hot.proto_epoch.wrapping_add(1).max(1);
        g.c.forget_names();
        shape::shapes_clear_dead(g);
        free_jit_protos(g);
    }
}

/// Tells the trace compiler which of its prototypes are dead.
unsafe fn free_jit_protos(g: &mut Global) {
    // SAFETY: [GC-LIVE] called between marking and sweeping: what is dead is still intact.
    unsafe {
        let Some(jit) = g.jit else { return };
        let mut protos = std::mem::take(&mut g.jit_protos);
        protos.retain(|&p| {
            let alive = g.heap.is_marked(p.cast());
            if !alive {
                (jit.proto_freed)(jit.data, p);
            }
            alive
        });
        // the hook may have set it for others
        protos.append(&mut g.jit_protos);
        g.jit_protos = protos;
    }
}

unsafe fn queue_finalizers(ctx: *mut u8) {
    // SAFETY: the collector's own state.
    unsafe {
        AtomicU32::from_ptr(&raw mut (*(ctx as *mut GlobalHot)).poll)
            .fetch_or(poll::FINALIZERS, Ordering::Relaxed)
    };
}

unsafe fn intern_head(ctx: *mut u8, hash: u32) -> *mut *mut Str {
    // SAFETY: the collector's own state.
    unsafe { (*(ctx as *mut Global)).strings.head(hash) }
}
