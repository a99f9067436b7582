//! Between code words and ops: handler offsets, the interpreter's entry, the active region, inline caches.
//!
//! Where an interpreter was generated for the target (`build.rs`), the low 16 bits of an instruction are its handler's
//! offset from the code base in units of 8 bytes. Elsewhere they are the op number and [`run`] calls the helpers in a
//! loop, slower and otherwise the same.

use traceorus_base::bytecode::{self, Op};
use traceorus_base::meta::MetaMethod;
use traceorus_base::objects::*;
use traceorus_base::{Tag, Value};

use crate::ctx::Throw;
use crate::fastfn::LEAN;
use crate::helpers::HELPERS;
use crate::state::Global;
use crate::{arith, call, hooks, shape, table, throw};

/// Continuations that pass results on: three of them, all of them.
static CONT_PASS: [Instr; 4] = [
    bytecode::pack(handler_of(Op::ContPass), 0, 0, 3),
    0,
    bytecode::pack(handler_of(Op::ContPass), 0, 0, bytecode::MULTI),
    0,
];

/// See [`crate::ccall::catch`].
static CONT_CATCH: [Instr; 1] = [bytecode::pack(handler_of(Op::ContCatch), 0, 0, 0)];

/// Address of the static instruction that goes on with a C function which has caught an error.
pub(crate) fn cont_catch() -> *const Instr {
    CONT_CATCH.as_ptr()
}

/// Address of the static instruction that passes `n` results (3, or all if `None`) on as those of a native frame.
pub fn cont_pass(n: Option<u16>) -> *const Instr {
    debug_assert!(matches!(n, None | Some(3)));
    &CONT_PASS[if n.is_some() { 0 } else { 2 }]
}

#[cfg(not(generated_interpreter))]
mod target {
    use super::*;

    /// What the low 16 bits of a loaded instruction with this op are.
    pub const fn handler_of(op: Op) -> u16 {
        op as u16
    }
    /// The op of a loaded instruction with these low 16 bits, one that enters a trace included.
    #[inline]
    pub fn exact_op_of(h: u16) -> Op {
        Op::ALL[h as usize]
    }
    pub(super) fn bases() -> (*const u8, *const u8) {
        (1 as *const u8, 2 as *const u8)
    }
    pub(super) fn resume() -> *const u8 {
        std::ptr::null()
    }
    pub(super) fn back() -> (*const u8, *const u8) {
        (std::ptr::null(), std::ptr::null())
    }
    pub(super) fn count() -> *const u8 {
        std::ptr::null()
    }
    pub(super) unsafe fn enter_trace(_: *mut GlobalHot, _: *const Instr, _: u64) {
        unreachable!("there are no traces")
    }
    pub(super) unsafe fn enter(g: *mut GlobalHot, mut pc: *const Instr) {
        // SAFETY: [CODE] pc is at an instruction of the current thread's running frame.
        unsafe {
            while !pc.is_null() {
                let l = (*g).current;
                (*l).pc = pc;
                if (*l).dispatch == (*g).code_active {
                    pc = active_step(l, pc);
                } else {
                    pc = HELPERS[bytecode::op_field(*pc) as usize](l, pc);
                }
            }
        }
    }
}

#[cfg(generated_interpreter)]
mod target {
    use super::*;

    include!(concat!(env!("OUT_DIR"), "/interp_tables.rs"));
    std::arch::global_asm!(include_str!(concat!(env!("OUT_DIR"), "/interp.s")));

    unsafe extern "C" {
        static traceorus_interp_base: u8;
        static traceorus_interp_active: u8;
        static traceorus_interp_resume: u8;
        static traceorus_interp_back: u8;
        static traceorus_interp_back_default: u8;
        static traceorus_interp_count: u8;
        fn traceorus_interp_enter(g: *mut GlobalHot, pc: *const Instr);
        fn traceorus_interp_enter_trace(g: *mut GlobalHot, pc: *const Instr, address: u64);
    }

    /// What the low 16 bits of a loaded instruction with this op are.
    pub const fn handler_of(op: Op) -> u16 {
        HANDLERS[op as usize]
    }
    /// The op of a loaded instruction with these low 16 bits, one that enters a trace included.
    #[inline]
    pub fn exact_op_of(h: u16) -> Op {
        // SAFETY: the generator puts the op number into the two bytes before each entry.
        unsafe {
            let p = (&raw const traceorus_interp_base)
                .add(h as usize * 8)
                .sub(2);
            Op::ALL[p.cast::<u16>().read() as usize]
        }
    }
    pub(super) fn bases() -> (*const u8, *const u8) {
        // only addresses are taken
        (
            &raw const traceorus_interp_base,
            &raw const traceorus_interp_active,
        )
    }
    pub(super) fn resume() -> *const u8 {
        // only the address is taken
        &raw const traceorus_interp_resume
    }
    pub(super) fn back() -> (*const u8, *const u8) {
        // only addresses are taken
        (
            &raw const traceorus_interp_back,
            &raw const traceorus_interp_back_default,
        )
    }
    pub(super) fn count() -> *const u8 {
        // only the address is taken
        &raw const traceorus_interp_count
    }
    #[inline(always)]
    pub(super) unsafe fn enter(g: *mut GlobalHot, pc: *const Instr) {
        // SAFETY: [CODE] as the caller.
        unsafe { traceorus_interp_enter(g, pc) }
    }
    #[inline(always)]
    pub(super) unsafe fn enter_trace(g: *mut GlobalHot, pc: *const Instr, address: u64) {
        // SAFETY: [CODE] as the caller.
        unsafe { traceorus_interp_enter_trace(g, pc, address) }
    }
}

pub use target::{exact_op_of, handler_of};

/// The op of a loaded instruction with these low 16 bits; that of one that enters a trace is the original ([`Op::original`]).
#[inline]
pub fn op_of(h: u16) -> Op {
    exact_op_of(h).original()
}

/// Address of the helper of an op, `helper(l, pc) -> next pc`, for traces that call it; see [`crate::helpers`].
pub fn helper_address(op: Op) -> usize {
    HELPERS[op as usize] as *const () as usize
}

/// Address of the handler of an op in the normal region, for traces that perform an instruction by it. None if the handler does more
/// than the instruction: ops that count. Not without a generated interpreter.
pub fn handler_address(op: Op) -> Option<usize> {
    let back = target::back().0;
    (op.counter().is_none() && !back.is_null())
        .then(|| target::bases().0 as usize + 8 * handler_of(op) as usize)
}

/// Address of [`poll_step`].
pub fn poll_address() -> usize {
    poll_step as *const () as usize
}

/// The op at `pc` in loaded code, as [`op_of`].
///
/// # Safety
/// [CODE] `pc` is at an instruction.
#[inline]
pub unsafe fn op_at(pc: *const Instr) -> Op {
    // SAFETY: as promised.
    op_of(bytecode::op_field(unsafe { *pc }))
}

/// Prepares a state for running.
pub fn install(g: &mut Global) {
    let (normal, active) = target::bases();
    g.hot.code_base = normal;
    g.hot.code_active = active;
    g.hot.helpers = TABLE.as_ptr() as *const u64;
    g.hot.resume = target::resume();
    (g.hot.code_back, g.hot.back_default) = target::back();
    g.hot.code_count = target::count();
}

/// Instructions are counted from now on (`GlobalHot::counts`): the counting region takes the place of the normal one. Does nothing without a
/// generated interpreter.
///
/// # Safety
/// `g` is a live state; nothing runs in it, and it has no thread but the main one.
pub unsafe fn count_instructions(g: &mut Global) {
    if !g.hot.code_count.is_null() {
        g.hot.code_base = g.hot.code_count;
        // SAFETY: the main thread lives as long as the state.
        unsafe { follow_recording(g.hot.main) }
    }
}

/// Addresses of the generated interpreter's handlers.
pub fn interpreter_code() -> std::ops::Range<u64> {
    let (normal, active) = target::bases();
    normal as u64..active as u64
}

/// What emitted code calls through `GlobalHot::helpers`: the helpers by op number (lean functions for headers), then the
/// extra ones.
#[repr(C)]
struct HelperTable([*const u8; Op::ALL.len() + EXTRA_HELPERS]);
// SAFETY: immutable addresses of functions.
unsafe impl Sync for HelperTable {}

impl HelperTable {
    fn as_ptr(&self) -> *const *const u8 {
        self.0.as_ptr()
    }
}

/// Helpers beyond the ops (ORDER ExtraHelper: numbers in `traceorus_interp::extra`).
pub const EXTRA_HELPERS: usize = 8;

static TABLE: HelperTable = {
    let mut t = [std::ptr::null::<u8>(); Op::ALL.len() + EXTRA_HELPERS];
    let mut i = 0;
    while i < Op::ALL.len() {
        t[i] = HELPERS[i] as *const u8;
        i += 1;
    }
    let mut k = 0;
    while k < LEAN.len() {
        t[LEAN[k].0 as usize] = LEAN[k].1 as *const u8;
        k += 1;
    }
    t[i] = active_step as *const u8;
    t[i + 1] = throw::raise as *const u8;
    t[i + 2] = call::native_return as *const u8;
    t[i + 3] = poll_step as *const u8;
    t[i + 4] = header_step as *const u8;
    t[i + 5] = dict_step as *const u8;
    t[i + 6] = string_step as *const u8;
    t[i + 7] = arith::pow_step as *const u8;
    HelperTable(t)
};

/// One instruction in the active region: the recorder and events first, then its helper.
///
/// # Safety
/// [CODE] as a helper.
pub unsafe extern "C" fn active_step(l: *mut Thread, pc: *const Instr) -> *const Instr {
    // SAFETY: as promised.
    unsafe {
        let g = Global::of((*l).global);
        if g.recording
            && let Some(jit) = g.jit
        {
            let next = (jit.record)(jit.data, l, pc);
            if next != pc {
                return next;
            }
        }
        let op = op_at(pc);
        if op < Op::FuncF {
            g.hot.counts.interpreted += 1;
        }
        if op < Op::FuncF
            && (*l).allow_hook != 0
            && (*l).hook_mask & (hooks::MASK_LINE | hooks::MASK_COUNT) != 0
        {
            let done = (*l).hdr.flags & flags::THREAD_HOOK_DONE != 0;
            if done {
                (*l).hdr.flags &= !flags::THREAD_HOOK_DONE;
            } else if let Err(Throw) = hooks::hook_instr(l, pc) {
                return throw::raise(l);
            }
            if (*l).hdr.flags & flags::THREAD_HOOK_YIELD != 0
                && let Some(next) = hooks::yield_before(l, pc)
            {
                return next;
            }
        }
        HELPERS[op as usize](l, pc)
    }
}

/// Pending work before the instruction at `pc`.
///
/// # Safety
/// [CODE] as a helper.
pub unsafe extern "C" fn poll_step(l: *mut Thread, pc: *const Instr) -> *const Instr {
    // SAFETY: as promised.
    unsafe { call::poll_at(l, pc) }
}

/// A call whose header handler gave up: `func` is the function slot, which holds a closure and, where the frame below is given up
/// or is pcall's, the word instead of a tag already.
///
/// # Safety
/// As `call::precall`.
pub unsafe extern "C" fn header_step(
    l: *mut Thread,
    func: *mut Value,
    nargs: usize,
    word: u64,
) -> *const Instr {
    // SAFETY: as promised.
    unsafe { call::enter_closure(l, func, nargs, word) }
}

/// Runs from `pc` in the running frame of `l` until the innermost entry is left.
///
/// # Safety
/// [CODE] `pc` is the next instruction of the current thread.
#[inline]
pub unsafe fn run(l: *mut Thread, pc: *const Instr) {
    // SAFETY: as promised.
    unsafe { run_from(l, pc, 0) }
}

/// Runs trace number `trace`, which begins at `pc`, until the innermost entry is left. The current thread is in the normal region.
///
/// # Safety
/// As [`run`]; the trace is in `GlobalHot::traces`.
#[inline(always)]
pub(crate) unsafe fn enter_trace(g: *mut GlobalHot, pc: *const Instr, trace: u16) {
    // SAFETY: as promised.
    unsafe { target::enter_trace(g, pc, *(*g).traces.add(trace.into())) }
}

/// As [`run`], from trace number `trace` (0: interpreted), which begins at `pc`, if no one watches the thread.
///
/// # Safety
/// As [`run`]; the trace is in `GlobalHot::traces`.
#[inline(always)]
pub unsafe fn run_from(l: *mut Thread, pc: *const Instr, trace: u16) {
    // SAFETY: as promised.
    unsafe {
        let g = (*l).global;
        if (*l).dispatch != (*g).code_base {
            run_watched(l, pc, trace);
        } else if trace != 0 {
            enter_trace(g, pc, trace);
        } else {
            target::enter(g, pc);
        }
    }
}

/// [`run_from`] of a thread that is not in the normal region.
#[cold]
unsafe fn run_watched(l: *mut Thread, pc: *const Instr, trace: u16) {
    // SAFETY: as promised.
    unsafe {
        let g = (*l).global;
        // a trace that waits below for its instruction has the back region: what runs here is not that instruction
        let waits = (*l).dispatch == (*g).code_back && !(*g).code_back.is_null();
        if waits {
            (*l).dispatch = (*g).code_base;
        }
        if trace != 0 && waits {
            enter_trace(g, pc, trace);
        } else {
            target::enter(g, pc);
        }
        if waits && (*l).dispatch == (*g).code_base {
            (*l).dispatch = (*g).code_back;
        }
    }
}

/// The dispatch base that a thread should have: that of the active region if it has a hook or a trace is being recorded.
///
/// # Safety
/// `l` is a live thread.
pub(crate) unsafe fn wanted_dispatch(l: *mut Thread) -> *const u8 {
    // SAFETY: as promised.
    unsafe {
        let g = (*l).global;
        if (*l).hook_mask != 0 || Global::of(g).recording {
            (*g).code_active
        } else {
            (*g).code_base
        }
    }
}

/// Another thread has run in place of `l`, whose dispatch base was `before`: a trace that waits for its instruction still does.
///
/// # Safety
/// `l` is a live thread, made the running one again.
pub(crate) unsafe fn keep_back(l: *mut Thread, before: *const u8) {
    // SAFETY: as promised.
    unsafe {
        let g = (*l).global;
        if before == (*g).code_back && !before.is_null() && (*l).dispatch == (*g).code_base {
            (*l).dispatch = before;
        }
    }
}

/// As [`update_dispatch`], where the change need not be seen by a native function that is about to return: a recording begins or ends.
///
/// # Safety
/// `l` is a live thread.
pub unsafe fn follow_recording(l: *mut Thread) {
    // SAFETY: as promised.
    unsafe { (*l).dispatch = wanted_dispatch(l) }
}

/// Sets the dispatch base of a thread to what its hooks and `Global::recording` ask for.
///
/// # Safety
/// `l` is a live thread.
pub unsafe fn update_dispatch(l: *mut Thread) {
    // SAFETY: as promised.
    unsafe {
        let g = (*l).global;
        (*l).dispatch = wanted_dispatch(l);
        std::sync::atomic::AtomicU32::from_ptr(&raw mut (*g).poll)
            .fetch_or(poll::HOOKS, std::sync::atomic::Ordering::Relaxed);
    }
}

// ---- inline caches -------------------------------------------------------------------------------------------------

/// Marks a SelfGet cache whose receiver is a string.
pub const STRING_RECEIVER: u32 = u32::MAX - 1;

#[inline]
unsafe fn set_word(pc: *const Instr, i: usize, w: u64) {
    // SAFETY: [CODE] caches are words of the instruction, in writable memory.
    unsafe { *(pc as *mut Instr).add(i) = w }
}

/// Puts an entry into the look-up cache.
#[inline]
unsafe fn lookup_put(g: &mut Global, key: u64, e: LookupEntry) {
    // SAFETY: the index is below the size.
    unsafe {
        let i = lookup_index(e.shape, key & !7) + (key & 7) as usize * LOOKUP_ADD;
        *g.hot.lookup.add(i & (LOOKUP_SIZE - 1)) = LookupEntry { key, ..e };
    }
}

/// Remembers that `key` is in slot `slot` of tables of a shape.
unsafe fn lookup_own(g: &mut Global, shape: u32, key: *mut Str, slot: u32) {
    // SAFETY: as the callers.
    unsafe {
        let e = LookupEntry {
            shape,
            epoch: 0,
            key: 0,
            payload: slot as u64,
            tag: Tag::NIL,
            slot: 0,
        };
        lookup_put(g, key as u64, e);
    }
}

/// The slot of the own field `key` of `t`, if that is a record; the look-up cache knows it then. Not of prototypes, stores into which must be
/// seen by the table module.
///
/// # Safety
/// [GC-LIVE] `key` is a short string.
pub unsafe fn own_slot(g: &mut Global, t: *mut Table, key: *mut Str) -> Option<u32> {
    // SAFETY: as promised.
    unsafe {
        if (*t).hdr.flags & (flags::TAB_DICT | flags::TAB_VOLATILE | flags::TAB_PROTO) != 0 {
            return None;
        }
        let slot = shape::shape_find(g, (*t).shape, key);
        if let Some(n) = slot {
            lookup_own(g, (*t).hdr.word, key, n);
        } else if let Some(v) = inherited(g, Value::ptr(t, Tag::TABLE), key) {
            lookup_constant(g, (*t).hdr.word, key as u64, v);
        }
        slot
    }
}

/// The function that the record `t`, which lacks the field `key`, inherits for it, or that `t`, which is a prototype, has or inherits, if it is a constant
/// of the prototypes; the look-up cache knows it then, if the shape of `t` tells. `mark`: tables on the way may become prototypes, which gives them other
/// ids; else there is no function if they would.
///
/// # Safety
/// [GC-LIVE] `key` is a short string.
pub unsafe fn inherited_function(
    g: &mut Global,
    t: *mut Table,
    key: *mut Str,
    mark: bool,
) -> Option<Value> {
    // SAFETY: as promised.
    unsafe {
        let (f, proto) = ((*t).hdr.flags, (*t).hdr.flags & flags::TAB_PROTO != 0);
        let own = !proto && shape::shape_find(g, (*t).shape, key).is_some();
        if f & flags::TAB_DICT != 0 || own || !table::table_is_cacheable(t) {
            return None;
        }
        let v = constant_from(g, t, key, mark)?;
        if proto || (*(*t).shape).shape_flags & shape_flags::UNCACHED_META == 0 {
            lookup_constant(g, (*t).hdr.word, key as u64, v);
        }
        (v.tag == Tag::FUNCTION).then_some(v)
    }
}

/// The first object of a metatable has a shape that does not tell the metatable, so that nothing is cached of what it
/// inherits. One in eight of such look-ups gives it a shape that does: soon in a loop, seldom where each object has a
/// metatable of its own.
unsafe fn join_family(g: &mut Global, t: *mut Table) {
    // SAFETY: [GC-LIVE] as the callers.
    unsafe {
        let special = flags::TAB_DICT | flags::TAB_PROTO | flags::TAB_OWN_ID;
        if (*t).hdr.flags & special != 0
            || (*t).metatable.is_null()
            || (*(*t).shape).shape_flags & shape_flags::UNCACHED_META == 0
            || shape::plain_target((*t).metatable).is_some()
        {
            return;
        }
        g.uncached_visits = g.uncached_visits.wrapping_add(1);
        if g.uncached_visits.is_multiple_of(8) {
            let mt = (*t).metatable;
            table::table_set_metatable(g, t, std::ptr::null_mut());
            table::table_set_metatable(g, t, mt);
        }
    }
}

/// Fills the caches for a field of `t`: the one of the GetField or SetField at `pc`, and the look-up cache.
///
/// # Safety
/// [CODE] `pc` is at such an instruction.
pub unsafe fn cache_field(g: &mut Global, pc: *const Instr, t: Value) {
    // SAFETY: as promised; [GC-LIVE].
    unsafe {
        if t.tag != Tag::TABLE {
            let key = *pc.add(2) as *mut Str;
            if op_at(pc) == Op::GetField {
                cache_userdata(g, t, key);
            } else {
                cache_target(g, t, key);
            }
            return;
        }
        let p = t.as_ptr::<Table>();
        let f = (*p).hdr.flags;
        let get = op_at(pc) == Op::GetField;
        // stores into prototypes must be seen by the table module
        if f & flags::TAB_VOLATILE != 0 || f & flags::TAB_PROTO != 0 && !get {
            return;
        }
        let key = *pc.add(2) as *mut Str;
        if f & flags::TAB_DICT == 0
            && let Some(slot) = shape::shape_find(g, (*p).shape, key)
        {
            set_word(pc, 1, (*p).hdr.word as u64 | (slot as u64) << 32);
            if f & flags::TAB_PROTO != 0 {
                return;
            }
            lookup_own(g, (*p).hdr.word, key, slot);
            // what the prototypes say where the field is nil
            if get
                && !(*p).metatable.is_null()
                && run_get((*p).hash as *const u64, slot as usize).is_nil()
                && let Some(v) = constant_or_by_meta(g, t, key)
            {
                lookup_constant(g, (*p).hdr.word, key as u64 | 2, v);
            }
            return;
        }
        if get {
            join_family(g, p);
        }
        if get && let Some(v) = inherited(g, t, key) {
            lookup_constant(g, (*p).hdr.word, key as u64, v);
        }
    }
}

/// The metatable of a userdata, in the prototype role, if what is looked for in it can be cached.
unsafe fn userdata_meta(g: &mut Global, o: Value) -> Option<*mut Table> {
    // SAFETY: [GC-LIVE] as the callers.
    unsafe {
        if o.tag != Tag::USERDATA {
            return None;
        }
        let mt = (*o.as_ptr::<Userdata>()).metatable;
        if mt.is_null() {
            return None;
        }
        table::table_mark_proto(g, mt);
        table::table_is_cacheable(mt).then_some(mt)
    }
}

/// Remembers what `key` means for userdata with the metatable of `u`: gives that one's id, and the value.
unsafe fn cache_userdata(g: &mut Global, u: Value, key: *mut Str) -> Option<(u32, Value)> {
    // SAFETY: [GC-LIVE] as the callers.
    unsafe {
        let mt = userdata_meta(g, u)?;
        let name = g.hot.meta_names[MetaMethod::Index as usize];
        let v = match table::table_get_str(mt, name).tag {
            Tag::NIL => return None,
            Tag::FUNCTION if table::proto_slot_is_const(g, mt, name) => ASK_META,
            _ => constant_by(g, mt, key, true)?,
        };
        // looking may have given the metatable another id
        let id = (*mt).hdr.word;
        lookup_constant(g, id, key as u64 | 4, v);
        Some((id, v))
    }
}

/// Remembers the table in `__newindex` of the userdata `u`, and where it has `key`.
unsafe fn cache_target(g: &mut Global, u: Value, key: *mut Str) {
    // SAFETY: [GC-LIVE] as the callers.
    unsafe {
        let Some(mt) = userdata_meta(g, u) else {
            return;
        };
        let target = table::table_get_str(mt, g.hot.meta_names[MetaMethod::NewIndex as usize]);
        if target.tag == Tag::TABLE {
            cache_meta(g, u, MetaMethod::NewIndex, target);
            let t = target.as_ptr::<Table>();
            let special = flags::TAB_DICT | flags::TAB_VOLATILE | flags::TAB_PROTO;
            if (*t).hdr.flags & special == 0
                && let Some(slot) = shape::shape_find(g, (*t).shape, key)
            {
                lookup_own(g, (*t).hdr.word, key, slot);
            }
        }
    }
}

/// What a key that the table does not have means for it: [`constant_or_by_meta`], or [`ASK_META`].
unsafe fn inherited(g: &mut Global, t: Value, key: *mut Str) -> Option<Value> {
    // SAFETY: [GC-LIVE] as the callers.
    unsafe {
        if meta_is_function(g, t.as_ptr(), MetaMethod::Index) {
            return Some(ASK_META);
        }
        constant_or_by_meta(g, t, key)
    }
}

/// [`constant_of`] a table; or [`BY_META`], and the look-up cache knows what tables with such a metatable inherit for the key. (Only plain
/// metatables: `join_family` finds a better shape for the objects of others.)
unsafe fn constant_or_by_meta(g: &mut Global, t: Value, key: *mut Str) -> Option<Value> {
    // SAFETY: [GC-LIVE] as the callers.
    unsafe {
        let p = t.as_ptr::<Table>();
        let mt = (*p).metatable;
        if (*(*p).shape).shape_flags & shape_flags::UNCACHED_META == 0
            || shape::plain_target(mt).is_none()
        {
            return constant_of(g, t, key);
        }
        let v = constant_by(g, mt, key, true)?;
        // looking makes prototypes, and so may have made one of the metatable
        shape::plain_target(mt)?;
        lookup_constant(g, (*mt).hdr.word, key as u64 | 4, v);
        Some(BY_META)
    }
}

/// Remembers what `key` means in the prototypes of tables of a shape.
unsafe fn lookup_constant(g: &mut Global, shape: u32, key: u64, v: Value) {
    // SAFETY: as the callers.
    unsafe {
        let e = LookupEntry {
            shape,
            epoch: g.hot.proto_epoch,
            key: 0,
            payload: v.payload,
            tag: v.tag,
            slot: v.aux,
        };
        lookup_put(g, key, e);
    }
}

/// Remembers what a string key that is no constant of the instruction means for a record: a slot or, for a look-up
/// (`get`), a constant of its prototypes.
///
/// # Safety
/// [GC-LIVE]
pub unsafe fn cache_computed(g: &mut Global, t: Value, k: Value, get: bool) {
    // SAFETY: as promised.
    unsafe {
        if t.tag != Tag::TABLE || k.tag != Tag::STRING || !crate::string::str_is_short(k.as_ptr()) {
            return;
        }
        let p = t.as_ptr::<Table>();
        if (*p).hdr.flags & (flags::TAB_DICT | flags::TAB_VOLATILE) != 0 {
            return;
        }
        if let Some(slot) = shape::shape_find(g, (*p).shape, k.as_ptr()) {
            // stores into prototypes must be seen by the table module
            if (*p).hdr.flags & flags::TAB_PROTO == 0 {
                lookup_own(g, (*p).hdr.word, k.as_ptr(), slot);
            }
        } else if get {
            join_family(g, p);
            if let Some(v) = inherited(g, t, k.as_ptr()) {
                lookup_constant(g, (*p).hdr.word, k.payload, v);
            }
        }
    }
}

/// Remembers the function `f` that the metatable of `o` has for an event, or the table in `__newindex` of a userdata.
///
/// # Safety
/// [GC-LIVE] both are alive.
pub unsafe fn cache_meta(g: &mut Global, o: Value, ev: MetaMethod, f: Value) {
    // SAFETY: as promised.
    unsafe {
        let target = ev == MetaMethod::NewIndex && o.tag == Tag::USERDATA && f.tag == Tag::TABLE;
        if f.tag != Tag::FUNCTION && !target {
            return;
        }
        let mt = match o.tag {
            Tag::TABLE => (*o.as_ptr::<Table>()).metatable,
            _ => userdata_meta(g, o).unwrap_or_default(),
        };
        let name = g.hot.meta_names[ev as usize];
        if !mt.is_null()
            && table::table_is_cacheable(mt)
            && table::table_get_str(mt, name).payload == f.payload
            && table::proto_slot_is_const(g, mt, name)
        {
            lookup_constant(g, (*mt).hdr.word, name as u64 | 3, f);
        }
    }
}

/// Is there a function for the event in the metatable of a table whose shape implies it? The answer holds while
/// `proto_epoch` stays.
unsafe fn meta_is_function(g: &mut Global, t: *mut Table, ev: MetaMethod) -> bool {
    // SAFETY: [GC-LIVE] as the callers.
    unsafe {
        let mt = (*t).metatable;
        let special = flags::TAB_DICT | flags::TAB_VOLATILE | flags::TAB_PROTO;
        if mt.is_null()
            || (*t).hdr.flags & special != 0
            || (*(*t).shape).shape_flags & shape_flags::UNCACHED_META != 0
            || !table::table_is_cacheable(mt)
        {
            return false;
        }
        let name = g.hot.meta_names[ev as usize];
        table::table_get_str(mt, name).tag == Tag::FUNCTION
            && table::proto_slot_is_const(g, mt, name)
    }
}

/// A constant that says: the metatable has a function for that (ORDER: `traceorus_interp::tables::ASK_META`).
const ASK_META: Value = Value::new(0, Tag::ANY);

/// What the look-up cache has for the shape of a table whose metatable tells more.
const BY_META: Value = Value::new(0, LookupEntry::BY_META);

/// Remembers that the SetField at `pc` has taken `t` from the shape `before` to its present one, or that it has called a
/// function in `__newindex`.
///
/// # Safety
/// [CODE] `pc` is at such an instruction; [GC-LIVE].
pub unsafe fn cache_addition(g: &mut Global, pc: *const Instr, t: *mut Table, before: *mut Shape) {
    // SAFETY: as promised.
    unsafe {
        if (*t).shape == before {
            join_family(g, t);
        }
        let after = (*t).shape;
        let f = (*t).hdr.flags;
        let key = *pc.add(2) as *mut Str;
        if f & (flags::TAB_DICT | flags::TAB_OWN_ID) == 0
            && meta_is_function(g, t, MetaMethod::NewIndex)
            && shape::shape_find(g, after, key).is_none()
        {
            return lookup_constant(g, (*after).hdr.word, key as u64 | 1, Value::NIL);
        }
        if after == before
            || f & (flags::TAB_DICT | flags::TAB_PROTO | flags::TAB_OWN_ID | flags::TAB_VOLATILE)
                != 0
            || (*after).parent != before
            || (*after).key != key
        {
            return;
        }
        // the handler asks `meta_absent` whether there is `__newindex`, so that it must know
        let mt = (*t).metatable;
        if !mt.is_null() && !table::meta_get(g, mt, MetaMethod::NewIndex).is_nil() {
            return;
        }
        let e = LookupEntry {
            shape: (*before).hdr.word,
            epoch: g.hot.proto_epoch,
            key: 0,
            payload: after as u64,
            tag: Tag::NIL,
            slot: 0,
        };
        lookup_put(g, (*after).key as u64 | 1, e);
    }
}

/// Finds an entry of a dictionary for emitted code: null if there is none, 1 if the key is a float that stands for an
/// integer.
///
/// # Safety
/// [GC-LIVE] a live table and a live key.
pub unsafe extern "C" fn dict_step(t: *mut Table, payload: u64, tag: i32) -> *mut DictEntry {
    // SAFETY: as promised.
    unsafe {
        if (*t).hdr.flags & flags::TAB_DICT == 0 {
            return std::ptr::null_mut();
        }
        let key = Value::new(payload, Tag(tag));
        if key.tag == Tag::FLOAT && crate::number::float_to_int(key.as_float()).is_some() {
            return std::ptr::without_provenance_mut(1);
        }
        crate::dict::dict_find((*t).hash as *mut Dict, key)
    }
}

/// Compares two strings for emitted code: negative, 0 or positive.
///
/// # Safety
/// [GC-LIVE] two live strings.
pub unsafe extern "C" fn string_step(a: *mut Str, b: *mut Str) -> i64 {
    // SAFETY: as promised.
    unsafe { crate::arith::str_cmp(a, b) as i64 }
}

/// Fills the cache of a global access to `env`.
///
/// # Safety
/// [CODE] `pc` is at such an instruction.
pub unsafe fn cache_global(g: &mut Global, pc: *const Instr, env: Value) {
    // SAFETY: as promised; [GC-LIVE].
    unsafe {
        if env.tag != Tag::TABLE {
            return;
        }
        let t = env.as_ptr::<Table>();
        if (*t).hdr.flags & flags::TAB_DICT == 0 {
            // inherited globals are not cached: that would make a prototype of what is often the table of globals
            let name = Value::new(*pc.add(3), Tag::STRING);
            return cache_computed(g, env, name, false);
        }
        if (*t).hdr.flags & flags::TAB_VOLATILE != 0 {
            return;
        }
        if (*t).hdr.flags & flags::TAB_PROTO != 0 && op_at(pc) == Op::SetGlobal {
            return;
        }
        if (*t).hdr.flags & (flags::TAB_OWN_ID | flags::TAB_PROTO) == 0 && table::own_id(g, t) == 0
        {
            return;
        }
        let key = *pc.add(3) as *mut Str;
        if let Some(e) = table::dict_entry(t, key) {
            set_word(pc, 1, (*t).hdr.word as u64);
            set_word(pc, 2, e as u64);
        }
    }
}

/// The constant (nil, too) that `key` means for `o`, found in its prototypes (a table's own fields do not count), if it can be
/// relied on while `proto_epoch` stays; of a value that changes, where it is ([`LookupEntry::HELD`], the slot in `aux`). The receiver's
/// shape must imply its metatable and the absence of the key.
unsafe fn constant_of(g: &mut Global, o: Value, key: *mut Str) -> Option<Value> {
    // SAFETY: [GC-LIVE] as the callers.
    unsafe {
        if o.tag != Tag::TABLE {
            let mt = match o.tag {
                Tag::USERDATA => (*o.as_ptr::<Userdata>()).metatable,
                _ => g.hot.type_meta[0],
            };
            return if mt.is_null() {
                None
            } else {
                constant_by(g, mt, key, true)
            };
        }
        let t = o.as_ptr::<Table>();
        let f = (*t).hdr.flags;
        if f & flags::TAB_PROTO != 0 {
            if !table::table_is_cacheable(t) {
                return None;
            }
        } else if f & (flags::TAB_DICT | flags::TAB_VOLATILE) != 0
            || (*(*t).shape).shape_flags & shape_flags::UNCACHED_META != 0
        {
            return None;
        }
        constant_from(g, t, key, true)
    }
}

/// [`constant_of`] the table `t`, as long as it keeps its metatable, whether its shape implies that or not. `mark`: see [`inherited_function`].
unsafe fn constant_from(g: &mut Global, t: *mut Table, key: *mut Str, mark: bool) -> Option<Value> {
    // SAFETY: [GC-LIVE] as the callers.
    unsafe {
        let v = table::table_get_str(t, key);
        if !v.is_nil() {
            return constant_in(g, t, key, v);
        }
        match (*t).metatable {
            mt if mt.is_null() => Some(Value::NIL),
            mt => constant_by(g, mt, key, mark),
        }
    }
}

/// [`constant_of`] for an object that lacks the key and has the metatable `mt`. If that is plain, its shape tells where to look.
unsafe fn constant_by(
    g: &mut Global,
    mut mt: *mut Table,
    key: *mut Str,
    mark: bool,
) -> Option<Value> {
    // SAFETY: [GC-LIVE] as the callers.
    unsafe {
        // each prototype on the way must be cacheable and hold what is used in a constant slot
        for _ in 0..16 {
            let t = match shape::plain_target(mt) {
                Some(t) => t,
                None => {
                    if !table::table_is_cacheable(mt) {
                        return None;
                    }
                    let name = g.hot.meta_names[MetaMethod::Index as usize];
                    let ix = table::table_get_str(mt, name);
                    if ix.is_nil() {
                        return Some(Value::NIL);
                    }
                    if ix.tag != Tag::TABLE || !table::proto_slot_is_const(g, mt, name) {
                        return None;
                    }
                    ix.as_ptr()
                }
            };
            if !mark && ((*t).hdr.flags & flags::TAB_PROTO == 0 || shape::plain_target(t).is_some())
            {
                return None;
            }
            table::table_mark_proto(g, t);
            if !table::table_is_cacheable(t) {
                return None;
            }
            let v = table::table_get_str(t, key);
            if !v.is_nil() {
                return constant_in(g, t, key, v);
            }
            mt = (*t).metatable;
            if mt.is_null() {
                // the end of the chain
                return Some(Value::NIL);
            }
        }
        None
    }
}

/// The value `v`, not nil, of `key` in the observed prototype `t`, or where it is.
unsafe fn constant_in(g: &mut Global, t: *mut Table, key: *mut Str, v: Value) -> Option<Value> {
    // SAFETY: [GC-LIVE] as the callers.
    unsafe {
        if (*t).hdr.flags & flags::TAB_PROTO == 0 {
            return None;
        }
        if table::proto_slot_is_const(g, t, key) {
            return Some(v);
        }
        held(g, t, key)
    }
}

/// Where the observed prototype `t` holds the value, not nil, of `key`: as long as nobody announces a change, it is not nil, and the key has its slot.
unsafe fn held(g: &mut Global, t: *mut Table, key: *mut Str) -> Option<Value> {
    // SAFETY: [GC-LIVE] as the callers.
    unsafe {
        if (*t).hdr.flags & flags::TAB_DICT != 0 || !table::table_is_cacheable(t) {
            return None;
        }
        let slot = shape::shape_find(g, (*t).shape, key)?;
        Some(Value {
            aux: slot,
            ..Value::new(t as u64, LookupEntry::HELD)
        })
    }
}

/// What the key means for the prototype `p`, to which an `__index` has led, if the look-up cache tells. It learns what it does not know, one
/// time in four. (Other tables do not become prototypes here: they may be such as the globals', which are stored into.)
///
/// # Safety
/// [GC-LIVE] both are alive; `key` is a short string.
pub unsafe fn get_through(g: &mut Global, p: *mut Table, key: *mut Str) -> Option<Value> {
    // SAFETY: as promised; the index is below the size; what holds for an epoch is alive in it.
    unsafe {
        let value = |v: Value| match v.tag {
            LookupEntry::HELD => {
                let holder = v.payload as *mut Table;
                let record = (*holder).hdr.flags & flags::TAB_DICT == 0;
                record.then(|| run_get((*holder).hash as *const u64, v.aux as usize))
            }
            t if t == ASK_META.tag || t == BY_META.tag => None,
            _ => Some(v),
        };
        let id = (*p).hdr.word;
        let e = &*g.hot.lookup.add(lookup_index(id, key as u64));
        if e.shape == id && e.key == key as u64 && e.epoch == g.hot.proto_epoch {
            return value(Value {
                aux: e.slot,
                ..Value::new(e.payload, e.tag)
            });
        }
        g.uncached_visits = g.uncached_visits.wrapping_add(1);
        if !g.uncached_visits.is_multiple_of(4) || (*p).hdr.flags & flags::TAB_PROTO == 0 {
            return None;
        }
        let v = constant_of(g, Value::ptr(p, Tag::TABLE), key)?;
        lookup_constant(g, (*p).hdr.word, key as u64, v);
        value(v)
    }
}

/// Fills the caches for a SelfGet on `o`.
///
/// # Safety
/// [CODE] `pc` is at such an instruction.
pub unsafe fn cache_method(g: &mut Global, pc: *const Instr, o: Value) {
    // SAFETY: as promised; [GC-LIVE].
    unsafe {
        let key = *pc.add(3) as *mut Str;
        let mut receiver = STRING_RECEIVER;
        if o.tag == Tag::TABLE {
            let t = o.as_ptr::<Table>();
            join_family(g, t);
            let f = (*t).hdr.flags;
            if f & (flags::TAB_DICT | flags::TAB_VOLATILE | flags::TAB_PROTO) == 0
                && let Some(slot) = shape::shape_find(g, (*t).shape, key)
            {
                set_word(pc, 1, (*t).hdr.word as u64);
                set_word(pc, 2, slot as u64);
                lookup_own(g, (*t).hdr.word, key, slot);
                return;
            }
            receiver = (*t).hdr.word;
        } else if o.tag != Tag::STRING {
            if let Some((id, v)) = cache_userdata(g, o, key)
                && v.tag == Tag::FUNCTION
            {
                let id = id ^ USERDATA_BIT;
                set_word(pc, 1, u64::from(id) | u64::from(g.hot.proto_epoch) << 32);
                set_word(pc, 2, v.payload);
            }
            return;
        }
        let found = if o.tag == Tag::TABLE {
            constant_or_by_meta(g, o, key)
        } else {
            constant_of(g, o, key)
        };
        let Some(v) = found.filter(|v| v.tag == Tag::FUNCTION || v.tag == BY_META.tag) else {
            return;
        };
        if v.tag == Tag::FUNCTION {
            let epoch = g.hot.proto_epoch;
            set_word(pc, 1, receiver as u64 | (epoch as u64) << 32);
            set_word(pc, 2, v.payload);
        }
        if receiver != STRING_RECEIVER {
            lookup_constant(g, receiver, key as u64, v);
        }
    }
}
