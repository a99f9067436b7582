//! What instructions mean where emitted code does not decide: indexing, arithmetic, comparison, conversion with
//! metamethods, safepoints. Functions that take a thread and return `LResult` call metamethods by nested entry (for
//! native callers); [`crate::helpers`] calls them as frames.

use traceorus_base::meta::MetaMethod;
use traceorus_base::objects::*;
use traceorus_base::{Tag, Value};

use crate::arith::{self, ArithError};
use crate::ctx::{Ctx, LResult, Throw};
use crate::debuginfo::{self, ErrKind};
use crate::state::Global;
use crate::string::{str_bytes, str_is_short, str_val};
use crate::table::TableError;
use crate::{call, dispatch, number, shape, table, throw};

/// Longest chain of `__index`/`__newindex`.
pub(crate) const MAX_LOOP: usize = 2000;

/// Metatable of any value, or null.
///
/// # Safety
/// [GC-LIVE] `v` is live.
#[inline]
pub unsafe fn metatable_of(g: &Global, v: Value) -> *mut Table {
    // SAFETY: as promised.
    unsafe {
        match v.tag {
            Tag::TABLE => (*v.as_ptr::<Table>()).metatable,
            Tag::USERDATA => (*v.as_ptr::<Userdata>()).metatable,
            t => match type_meta_index(t) {
                Some(i) => g.hot.type_meta[i],
                None => std::ptr::null_mut(),
            },
        }
    }
}

/// Metamethod `e` of `v`, nil if it has none.
///
/// # Safety
/// [GC-LIVE] `v` is live.
#[inline]
pub unsafe fn metamethod(g: &mut Global, v: Value, e: MetaMethod) -> Value {
    // SAFETY: as promised.
    unsafe {
        let mt = metatable_of(g, v);
        if mt.is_null() {
            Value::NIL
        } else {
            table::meta_get(g, mt, e)
        }
    }
}

/// Sets a metatable (null: none), registers a finalizer if there is `__gc`.
///
/// # Safety
/// [GC-LIVE] both are live.
pub unsafe fn set_metatable(g: &mut Global, v: Value, mt: *mut Table) {
    // SAFETY: [GC-BARRIER] done here for userdata, by the table module for tables.
    unsafe {
        match v.tag {
            Tag::TABLE => table::table_set_metatable(g, v.as_ptr(), mt),
            Tag::USERDATA => {
                let u = v.as_ptr::<Userdata>();
                (*u).metatable = mt;
                if !mt.is_null() {
                    table::table_mark_proto(g, mt);
                    if (*u).hdr.barrier != 0 {
                        g.heap
                            .barrier(u as *mut GcHeader, Value::ptr(mt, Tag::TABLE));
                    }
                }
            }
            t => {
                if let Some(i) = type_meta_index(t) {
                    g.hot.type_meta[i] = mt;
                    if !mt.is_null() {
                        table::table_mark_proto(g, mt);
                    }
                    g.hot.proto_epoch = g.hot.proto_epoch.wrapping_add(1).max(1);
                }
                return;
            }
        }
        if !mt.is_null() {
            let o = v.as_ptr::<GcHeader>();
            if (*o).flags & flags::FINALIZER == 0
                && !table::meta_get(g, mt, MetaMethod::Gc).is_nil()
                && !g.closing
            {
                g.heap.register_finalizer(o);
            }
        }
    }
}

/// A new full userdata with zeroed block and nil user values (up to [`Userdata::MAX_UVALS`]).
///
/// # Safety
/// [GC-LIVE] the caller makes it reachable before the next safepoint.
pub unsafe fn new_userdata(g: &mut Global, size: usize, nuv: usize) -> (Value, *mut u8) {
    // SAFETY: a fresh object of the right size.
    unsafe {
        let off = Userdata::block_offset(nuv);
        let u = g.heap.alloc(ObjKind::Userdata, off + size) as *mut Userdata;
        debug_assert!(nuv <= Userdata::MAX_UVALS);
        (*u).hdr.word = nuv as u32;
        (*u).metatable = std::ptr::null_mut();
        (*u).size = size as u64;
        (*u).owner = 0;
        for i in 0..nuv {
            *((u as *mut u8).add(Userdata::UVALS) as *mut Value).add(i) = Value::NIL;
        }
        let block = (u as *mut u8).add(off);
        std::ptr::write_bytes(block, 0, size);
        (Value::ptr(u, Tag::USERDATA), block)
    }
}

/// As [`new_userdata`], for a block that owns something: `owner` (not 0) says what. Once nothing refers to the userdata, or
/// when the state is closed, `Global::owned_gc` is called with it, whatever its metatable says. `None` while the state is
/// being closed: nobody would call it.
///
/// # Safety
/// As [`new_userdata`].
pub unsafe fn new_owner(
    g: &mut Global,
    size: usize,
    nuv: usize,
    owner: u64,
) -> Option<(Value, *mut u8)> {
    debug_assert!(owner != 0 && !g.owned_gc.is_nil());
    if g.closing {
        return None;
    }
    // SAFETY: as promised.
    unsafe {
        let (v, block) = new_userdata(g, size, nuv);
        (*v.as_ptr::<Userdata>()).owner = owner;
        g.heap.register_finalizer(v.as_ptr());
        Some((v, block))
    }
}

/// What calls the finalizer of an object, nil if it has none.
unsafe fn finalizer_of(g: &mut Global, v: Value) -> Value {
    // SAFETY: [GC-LIVE] the object waits for its finalizer.
    unsafe {
        if v.tag == Tag::USERDATA && (*v.as_ptr::<Userdata>()).owner != 0 {
            g.owned_gc
        } else {
            metamethod(g, v, MetaMethod::Gc)
        }
    }
}

/// Text of a number as a string.
///
/// # Safety
/// `v` is a number.
pub unsafe fn number_to_str(g: &mut Global, v: Value) -> Value {
    // SAFETY: [GC-LIVE] a fresh string.
    unsafe { str_val(g.str_new(number::fmt_number(v).as_bytes())) }
}

// ---- indexing ------------------------------------------------------------------------------------------------

/// Outcome of an access: done, or a metamethod is to be called with the object it was found for.
pub enum Access {
    /// The value (of a read), or anything (of a write).
    Done(Value),
    /// Call this with `(object, key)` or `(object, key, value)`.
    Call(Value, Value),
    /// The value cannot be indexed.
    NotIndexable(Value),
    /// The chain is too long.
    Loop,
}

/// `t[k]` up to the call of a metamethod.
///
/// # Safety
/// [GC-LIVE] both are live.
pub unsafe fn index_step(g: &mut Global, t: Value, k: Value) -> Access {
    // SAFETY: as promised.
    unsafe {
        let mut t = t;
        for _ in 0..MAX_LOOP {
            let mm;
            if t.tag == Tag::TABLE {
                let p = t.as_ptr::<Table>();
                let v = table::table_get_cached(g, p, k);
                if !v.is_nil() {
                    return Access::Done(v);
                }
                let mt = (*p).metatable;
                if mt.is_null() {
                    return Access::Done(Value::NIL);
                }
                mm = table::meta_get(g, mt, MetaMethod::Index);
                if mm.is_nil() {
                    return Access::Done(Value::NIL);
                }
            } else {
                mm = metamethod(g, t, MetaMethod::Index);
                if mm.is_nil() {
                    return Access::NotIndexable(t);
                }
            }
            if mm.tag == Tag::FUNCTION {
                return Access::Call(mm, t);
            }
            t = mm;
            if t.tag == Tag::TABLE
                && k.tag == Tag::STRING
                && str_is_short(k.as_ptr())
                && let Some(v) = dispatch::get_through(g, t.as_ptr(), k.as_ptr())
            {
                return Access::Done(v);
            }
        }
        Access::Loop
    }
}

/// `t[k] = v` up to the call of a metamethod. `field`: the key is a constant short string.
///
/// # Safety
/// [GC-LIVE] all are live. The error of a bad key is registered for `l`.
pub unsafe fn set_step(
    l: *mut Thread,
    t: Value,
    k: Value,
    v: Value,
    field: bool,
) -> LResult<Access> {
    // SAFETY: as promised.
    unsafe {
        let g = Global::of((*l).global);
        let mut t = t;
        for _ in 0..MAX_LOOP {
            let mm;
            if t.tag == Tag::TABLE {
                let p = t.as_ptr::<Table>();
                let mt = (*p).metatable;
                let handler = if mt.is_null() {
                    Value::NIL
                } else {
                    table::meta_get(g, mt, MetaMethod::NewIndex)
                };
                if handler.is_nil() || !table::table_get(p, k).is_nil() {
                    if field {
                        table::table_set_field_checked(g, p, k.as_ptr(), v)
                            .map_err(|e| store_error(l, e))?;
                    } else {
                        raw_set(l, p, k, v)?;
                    }
                    return Ok(Access::Done(v));
                }
                mm = handler;
            } else {
                mm = metamethod(g, t, MetaMethod::NewIndex);
                if mm.is_nil() {
                    return Ok(Access::NotIndexable(t));
                }
            }
            if mm.tag == Tag::FUNCTION {
                return Ok(Access::Call(mm, t));
            }
            t = mm;
        }
        Ok(Access::Loop)
    }
}

/// Raw `t[k] = v` with PUC's errors for nil and NaN keys. May collect when the table grows; the three are roots then.
///
/// # Safety
/// [GC-LIVE] all are live.
pub unsafe fn raw_set(l: *mut Thread, t: *mut Table, k: Value, v: Value) -> LResult<()> {
    // SAFETY: as promised.
    unsafe {
        table::table_set_checked(Global::of((*l).global), t, k, v).map_err(|e| store_error(l, e))
    }
}

/// Registers the error of a store that the table module refused.
///
/// # Safety
/// `l` is the running thread.
#[cold]
pub unsafe fn store_error(l: *mut Thread, e: TableError) -> Throw {
    // SAFETY: `l` is live.
    unsafe {
        match e {
            TableError::NilKey => throw::run_error(l, "table index is nil"),
            TableError::NanKey => throw::run_error(l, "table index is NaN"),
            TableError::TooBig => throw::run_error(l, "table overflow"),
            TableError::NoMemory => throw::out_of_memory(l),
        }
    }
}

/// Pushes function and arguments above everything in use, calls by nested entry, gives the first result.
///
/// # Safety
/// [GC-LIVE] `args`, the function first, are live; `l` is the running thread.
pub unsafe fn nested(l: *mut Thread, args: &[Value]) -> LResult<Value> {
    // SAFETY: as the callers.
    unsafe { nested_as(l, args, 0) }
}

/// As [`nested`]; `akind` is `Activation::kind`.
unsafe fn nested_as(l: *mut Thread, args: &[Value], akind: u32) -> LResult<Value> {
    // SAFETY: [STACK-STABLE] the slots above `scratch_top` are free.
    unsafe {
        let top = call::scratch_top(l);
        let off = top.offset_from((*l).stack);
        let top_off = (*l).top.offset_from((*l).stack);
        call::need(l, top, args.len() + 1, args)?;
        let at = (*l).stack.offset(off);
        for (i, &a) in args.iter().enumerate() {
            *at.add(i) = a;
        }
        let saved_native_top = top_off;
        let r = call::enter(l, at, args.len() - 1, 1, akind);
        let v = *(*l).stack.offset(off);
        if r.is_err() {
            throw::close_from(l, off as usize);
        }
        (*l).top = (*l).stack.offset(saved_native_top);
        r.map(|_| v)
    }
}

/// `t[k]` for native callers.
///
/// # Safety
/// [GC-LIVE] [NATIVE-FRAME] the running frame keeps both alive.
pub unsafe fn index(l: *mut Thread, t: Value, k: Value) -> LResult<Value> {
    // SAFETY: as promised.
    unsafe {
        match index_step(Global::of((*l).global), t, k) {
            Access::Done(v) => Ok(v),
            Access::Call(f, o) => nested(l, &[f, o, k]),
            Access::NotIndexable(o) => Err(debuginfo::op_error(
                l,
                std::ptr::null(),
                ErrKind::Index,
                o,
                k,
            )),
            Access::Loop => Err(throw::run_error(
                l,
                "'__index' chain too long; possible loop",
            )),
        }
    }
}

/// `t[k] = v` for native callers.
///
/// # Safety
/// [GC-LIVE] [NATIVE-FRAME] the running frame keeps all alive.
pub unsafe fn set_index(l: *mut Thread, t: Value, k: Value, v: Value) -> LResult<()> {
    // SAFETY: as promised.
    unsafe {
        match set_step(l, t, k, v, false)? {
            Access::Done(_) => Ok(()),
            Access::Call(f, o) => nested(l, &[f, o, k, v]).map(|_| ()),
            Access::NotIndexable(o) => Err(debuginfo::op_error(
                l,
                std::ptr::null(),
                ErrKind::Index,
                o,
                k,
            )),
            Access::Loop => Err(throw::run_error(
                l,
                "'__newindex' chain too long; possible loop",
            )),
        }
    }
}

/// `#v` for native callers.
///
/// # Safety
/// [GC-LIVE] [NATIVE-FRAME]
pub unsafe fn len(l: *mut Thread, v: Value) -> LResult<Value> {
    // SAFETY: as promised.
    unsafe {
        let g = Global::of((*l).global);
        if v.tag == Tag::STRING {
            return Ok(Value::int((*v.as_ptr::<Str>()).len as i64));
        }
        let mm = metamethod(g, v, MetaMethod::Len);
        if !mm.is_nil() {
            return nested(l, &[mm, v, v]);
        }
        if v.tag == Tag::TABLE {
            return Ok(Value::int(table::table_len(v.as_ptr()) as i64));
        }
        Err(debuginfo::op_error(l, std::ptr::null(), ErrKind::Len, v, v))
    }
}

// ---- comparison ----------------------------------------------------------------------------------------------

/// The metamethod that decides `a == b`, when raw comparison does not: `Err(f)`; otherwise the answer.
///
/// # Safety
/// [GC-LIVE]
pub unsafe fn equals_step(g: &mut Global, a: Value, b: Value) -> Result<bool, Value> {
    // SAFETY: as promised.
    unsafe {
        if arith::raw_equal(a, b) {
            return Ok(true);
        }
        if a.tag != b.tag || !matches!(a.tag, Tag::TABLE | Tag::USERDATA) {
            return Ok(false);
        }
        let mut mm = metamethod(g, a, MetaMethod::Eq);
        if mm.is_nil() {
            mm = metamethod(g, b, MetaMethod::Eq);
        }
        if mm.is_nil() { Ok(false) } else { Err(mm) }
    }
}

/// `a == b` for native callers.
///
/// # Safety
/// [GC-LIVE] [NATIVE-FRAME]
pub unsafe fn equals(l: *mut Thread, a: Value, b: Value) -> LResult<bool> {
    // SAFETY: as promised.
    unsafe {
        match equals_step(Global::of((*l).global), a, b) {
            Ok(r) => Ok(r),
            Err(mm) => nested(l, &[mm, a, b]).map(|v| !v.is_falsy()),
        }
    }
}

/// Outcome of an order comparison without metamethods; `None`: neither numbers nor strings.
///
/// # Safety
/// [GC-LIVE]
#[inline]
pub unsafe fn order_raw(a: Value, b: Value, or_equal: bool) -> Option<bool> {
    // SAFETY: as promised.
    unsafe {
        if or_equal {
            arith::le(a, b)
        } else {
            arith::lt(a, b)
        }
    }
}

/// The order metamethod of `a` and `b` (nil: none), and whether its arguments are to be swapped and its answer negated
/// (`__lt` for a missing `__le`, LUA_COMPAT_LT_LE).
///
/// # Safety
/// [GC-LIVE]
pub unsafe fn order_meta(g: &mut Global, a: Value, b: Value, or_equal: bool) -> (Value, bool) {
    // SAFETY: as promised.
    unsafe {
        let e = if or_equal {
            MetaMethod::Le
        } else {
            MetaMethod::Lt
        };
        let mut mm = metamethod(g, a, e);
        if mm.is_nil() {
            mm = metamethod(g, b, e);
        }
        if mm.is_nil() && or_equal {
            mm = metamethod(g, b, MetaMethod::Lt);
            if mm.is_nil() {
                mm = metamethod(g, a, MetaMethod::Lt);
            }
            return (mm, true);
        }
        (mm, false)
    }
}

/// `a < b` for native callers.
///
/// # Safety
/// [GC-LIVE] [NATIVE-FRAME]
pub unsafe fn less_than(l: *mut Thread, a: Value, b: Value) -> LResult<bool> {
    // SAFETY: as promised.
    unsafe {
        if let Some(r) = order_raw(a, b, false) {
            return Ok(r);
        }
        let (mm, _) = order_meta(Global::of((*l).global), a, b, false);
        if mm.is_nil() {
            return Err(debuginfo::op_error(
                l,
                std::ptr::null(),
                ErrKind::Compare,
                a,
                b,
            ));
        }
        nested(l, &[mm, a, b]).map(|v| !v.is_falsy())
    }
}

// ---- arithmetic ------------------------------------------------------------------------------------------------

/// Registers the error of a failed raw operation at `pc` (null: in a native function).
///
/// # Safety
/// [GC-LIVE] `l` runs the instruction at `pc`.
#[cold]
pub unsafe fn arith_error(
    l: *mut Thread,
    pc: *const Instr,
    e: ArithError,
    bitwise: bool,
    a: Value,
    b: Value,
) -> Throw {
    // SAFETY: as promised.
    unsafe {
        match e {
            ArithError::DivZero => throw::run_error(l, "attempt to divide by zero"),
            ArithError::ModZero => throw::run_error(l, "attempt to perform 'n%0'"),
            _ => debuginfo::op_error(
                l,
                pc,
                if bitwise {
                    ErrKind::BitArith
                } else {
                    ErrKind::Arith
                },
                a,
                b,
            ),
        }
    }
}

// ---- conversion --------------------------------------------------------------------------------------------------

/// `tostring(v)` as a string value (luaL_tolstring).
///
/// # Safety
/// [GC-LIVE] [NATIVE-FRAME]
pub unsafe fn tostring(l: *mut Thread, v: Value) -> LResult<Value> {
    // SAFETY: as promised.
    unsafe {
        let g = Global::of((*l).global);
        match v.tag {
            Tag::STRING if g.hot.type_meta[0].is_null() => return Ok(v),
            Tag::INT | Tag::FLOAT if g.hot.type_meta[1].is_null() => {
                return Ok(number_to_str(g, v));
            }
            _ => {}
        }
        let mm = metamethod(g, v, MetaMethod::ToString);
        if !mm.is_nil() {
            let r = nested(l, &[mm, v])?;
            return match r.tag {
                Tag::STRING => Ok(r),
                t if t.is_number() => Ok(number_to_str(g, r)),
                _ => Err(Ctx::new(l).error("'__tostring' must return a string")),
            };
        }
        Ok(match v.tag {
            Tag::STRING => v,
            t if t.is_number() => number_to_str(g, v),
            Tag::NIL => str_val(g.str_new(b"nil")),
            Tag::TRUE => str_val(g.str_new(b"true")),
            Tag::FALSE => str_val(g.str_new(b"false")),
            _ => {
                let mut s = Vec::new();
                object_text(g, &mut s, v);
                str_val(g.str_new(&s))
            }
        })
    }
}

/// Appends what `tostring` shows of an object without `__tostring`: its type, or `__name`, and its address.
///
/// # Safety
/// [GC-LIVE]
pub unsafe fn object_text(g: &mut Global, out: &mut Vec<u8>, v: Value) {
    // SAFETY: as promised.
    unsafe {
        let name = metamethod(g, v, MetaMethod::Name);
        if name.tag == Tag::STRING {
            out.extend_from_slice(str_bytes(name.as_ptr()));
        } else {
            out.extend_from_slice(v.tag.type_name().as_bytes());
        }
        out.extend_from_slice(b": 0x");
        let address = pointer_of(v);
        let digits = (64 - (address | 1).leading_zeros()).div_ceil(4);
        for k in (0..digits).rev() {
            out.push(b"0123456789abcdef"[(address >> (4 * k) & 15) as usize]);
        }
    }
}

/// The address that stands for a value outside (`lua_topointer`): of a userdata that of its block, of a thread what C knows, of a C function
/// without upvalues that of its code; 0 for what has none.
///
/// # Safety
/// [GC-LIVE]
pub unsafe fn pointer_of(v: Value) -> u64 {
    // SAFETY: as promised.
    unsafe {
        match v.tag {
            Tag::USERDATA => {
                let nuv = (*v.as_ptr::<Userdata>()).nuv();
                v.payload + Userdata::block_offset(nuv) as u64
            }
            Tag::THREAD => crate::cfunc::state_of(v.as_ptr()) as u64,
            Tag::FUNCTION => {
                let c = v.as_ptr::<NativeClosure>();
                let native = (*c).hdr.kind == ObjKind::NativeClosure as u8;
                if native && (*c).hdr.extra == 0 && (*c).cfunc != 0 {
                    (*c).cfunc
                } else {
                    v.payload
                }
            }
            Tag::STRING | Tag::TABLE | Tag::LIGHTUD => v.payload,
            _ => 0,
        }
    }
}

/// Bytes of a string or number for concatenation, appended to `out`; false for anything else.
///
/// # Safety
/// [GC-LIVE]
pub unsafe fn append_text(out: &mut Vec<u8>, v: Value) -> bool {
    // SAFETY: as promised.
    unsafe {
        match v.tag {
            Tag::STRING => out.extend_from_slice(str_bytes(v.as_ptr())),
            t if t.is_number() => out.extend_from_slice(number::fmt_number(v).as_bytes()),
            _ => return false,
        }
        true
    }
}

// ---- safepoints --------------------------------------------------------------------------------------------------

/// Does what waits: a collection step, finalizers, an interrupt. The stack may move.
///
/// # Safety
/// `Thread::pc` is at an instruction boundary of the running Lua frame (all registers live there hold values and
/// `top` is at its base), or the running frame is native.
pub unsafe fn safepoint(l: *mut Thread) -> LResult<()> {
    // SAFETY: as promised.
    unsafe {
        let g = Global::of((*l).global);
        if g.hot.poll & poll::HOOKS != 0 {
            std::sync::atomic::AtomicU32::from_ptr(&raw mut g.hot.poll)
                .fetch_and(!poll::HOOKS, std::sync::atomic::Ordering::Relaxed);
        }
        if g.hot.poll & poll::GC != 0 {
            if !g.heap.is_ready() {
                return Err(throw::out_of_memory(l));
            }
            // what was allocated without `reserve` counts, too
            if let Some(limit) = g.heap.memory_limit()
                && g.heap.used_bytes() > limit
            {
                g.heap.full(true);
                if g.heap.used_bytes() > limit {
                    return Err(throw::out_of_memory(l));
                }
            }
            g.heap.step();
            call::shrink_idle(l);
        }
        if g.hot.poll & poll::FINALIZERS != 0 {
            run_finalizers(l);
        }
        if g.hot.poll & poll::EVENTS != 0 {
            std::sync::atomic::AtomicU32::from_ptr(&raw mut g.hot.poll)
                .fetch_and(!poll::EVENTS, std::sync::atomic::Ordering::Relaxed);
            if let Some(f) = g.events {
                in_scratch_frame(l, |cx| f(cx));
            }
        }
        if g.hot.poll & poll::INTERRUPT != 0 {
            std::sync::atomic::AtomicU32::from_ptr(&raw mut g.hot.poll)
                .fetch_and(!poll::INTERRUPT, std::sync::atomic::Ordering::Relaxed);
            if let Some(f) = g.interrupt {
                return in_scratch_frame(l, |cx| f(cx));
            }
        }
        Ok(())
    }
}

/// Calls native code above everything that is live in the running frame.
unsafe fn in_scratch_frame<R>(l: *mut Thread, f: impl FnOnce(Ctx<'_>) -> R) -> R {
    // SAFETY: as `safepoint`.
    unsafe {
        let top = call::scratch_top(l);
        let saved = (*l).top.offset_from((*l).stack);
        (*l).top = top;
        let r = f(Ctx::new(l));
        (*l).top = (*l).stack.offset(saved);
        (*(*l).global).ran_aside = 1;
        r
    }
}

/// The collector's part of [`safepoint`], for traces: no finalizer, no interrupt and no Lua code runs, no stack moves, nothing is
/// raised. True if more than that waits in the poll word (or memory is short): a [`safepoint`] is due.
///
/// # Safety
/// `l` is the running thread. All values that the trace needs are in live slots of the frames, whose `base`, `top` and `pc` are as
/// [`safepoint`] wants them, or in `Global::extra_roots`.
pub unsafe fn collect_at_poll(l: *mut Thread) -> bool {
    // SAFETY: as promised.
    unsafe {
        let g = Global::of((*l).global);
        if g.hot.poll & poll::GC != 0 {
            let used = g.heap.used_bytes();
            if g.heap.is_short() || g.heap.memory_limit().is_some_and(|limit| used > limit) {
                return true;
            }
            g.heap.step();
        }
        g.hot.poll & !poll::GC != 0
    }
}

/// Calls the finalizers that wait. Errors in them are warnings.
///
/// # Safety
/// As [`safepoint`].
pub unsafe fn run_finalizers(l: *mut Thread) {
    // SAFETY: as promised; every object given out is live (resurrected) until the next collection.
    unsafe {
        let g = Global::of((*l).global);
        if g.in_finalizers {
            return;
        }
        g.in_finalizers = true;
        g.finalizer_runs += 1;
        std::sync::atomic::AtomicU32::from_ptr(&raw mut g.hot.poll)
            .fetch_and(!poll::FINALIZERS, std::sync::atomic::Ordering::Relaxed);
        let saved_err = (g.hot.error_value, g.hot.error_status, g.hot.error_handled);
        while let Some(o) = g.heap.next_to_finalize() {
            let v = match (*o).kind {
                k if k == ObjKind::Table as u8 => Value::ptr(o, Tag::TABLE),
                _ => Value::ptr(o, Tag::USERDATA),
            };
            let mm = finalizer_of(g, v);
            if mm.tag != Tag::FUNCTION && metamethod(g, mm, MetaMethod::Call).is_nil() {
                continue;
            }
            let hooks = std::mem::replace(&mut (*l).allow_hook, 0);
            let r = nested_as(l, &[mm, v], crate::hooks::ENTRY_FINALIZER);
            (*l).allow_hook = hooks;
            if r.is_err() {
                let e = g.hot.error_value;
                let text: &[u8] = if e.tag == Tag::STRING {
                    str_bytes(e.as_ptr())
                } else {
                    b"error object is not a string"
                };
                if let Some(w) = g.warn {
                    let top = call::scratch_top(l);
                    let off = (*l).top.offset_from((*l).stack);
                    (*l).top = top;
                    w(Ctx::new(l), b"error in ", true);
                    w(Ctx::new(l), b"__gc", true);
                    w(Ctx::new(l), b" (", true);
                    w(Ctx::new(l), text, true);
                    w(Ctx::new(l), b")", false);
                    (*l).top = (*l).stack.offset(off);
                }
            }
        }
        (g.hot.error_value, g.hot.error_status, g.hot.error_handled) = saved_err;
        g.in_finalizers = false;
        g.hot.ran_aside = 1;
    }
}

/// A full collection, with finalizers (`collectgarbage()`). The stack may move.
///
/// # Safety
/// [NATIVE-FRAME] the running frame is native.
pub unsafe fn full_gc(l: *mut Thread) {
    // SAFETY: as promised.
    unsafe {
        let g = Global::of((*l).global);
        g.heap.full(false);
        call::shrink_idle(l);
        run_finalizers(l);
    }
}

/// `collectgarbage("step", kb)`: true if a cycle ended.
///
/// # Safety
/// [NATIVE-FRAME] the running frame is native.
pub unsafe fn gc_step(l: *mut Thread, kb: usize) -> bool {
    // SAFETY: as promised.
    unsafe {
        let g = Global::of((*l).global);
        // a step of generational mode is a whole (young) collection
        let done = if g.heap.mode() == traceorus_gc::Mode::Generational {
            g.heap.full(false);
            true
        } else {
            g.heap.step_bytes(kb)
        };
        run_finalizers(l);
        done
    }
}

// ---- functions that the interpreter knows --------------------------------------------------------------------------

/// `next`.
fn next(cx: Ctx<'_>) -> LResult<usize> {
    let t = cx.check_table(1)?;
    let k = cx.arg(2);
    // SAFETY: [GC-LIVE] an argument.
    match unsafe { table::table_next(t, k, k.aux) } {
        Ok(Some((k, v, hint))) => {
            cx.push(Value { aux: hint, ..k });
            cx.push(v);
            Ok(2)
        }
        Ok(None) => cx.ret(Value::NIL),
        Err(_) => Err(cx.throw(cx.str("invalid key to 'next'"))),
    }
}

/// The iterator of `ipairs`.
fn ipairs_iter(cx: Ctx<'_>) -> LResult<usize> {
    let i = cx.check_int(2)?.wrapping_add(1);
    let v = cx.geti(cx.arg(1), i)?;
    if v.is_nil() {
        return cx.ret(Value::NIL);
    }
    cx.push(Value::int(i));
    cx.push(v);
    Ok(2)
}

/// `next` as entry point.
///
/// # Safety
/// A `NativeFn`.
pub unsafe extern "C" fn native_next(l: *mut Thread) -> i64 {
    // SAFETY: [NATIVE-FRAME]
    match next(unsafe { Ctx::new(l) }) {
        Ok(n) => n as i64,
        Err(Throw) => -1,
    }
}

/// `ipairs`' iterator as entry point.
///
/// # Safety
/// A `NativeFn`.
pub unsafe extern "C" fn native_ipairs_iter(l: *mut Thread) -> i64 {
    // SAFETY: [NATIVE-FRAME]
    match ipairs_iter(unsafe { Ctx::new(l) }) {
        Ok(n) => n as i64,
        Err(Throw) => -1,
    }
}

/// A new upvalue cell.
///
/// # Safety
/// [GC-LIVE] the caller makes it reachable before the next safepoint.
pub unsafe fn new_cell(g: &mut Global, v: Value, readonly: bool) -> *mut Cell {
    // SAFETY: a fresh object of the right size.
    unsafe {
        let c = g.heap.alloc(ObjKind::Cell, size_of::<Cell>()) as *mut Cell;
        (*c).value = v;
        if readonly {
            (*c).hdr.flags = flags::CELL_READONLY;
        }
        c
    }
}

/// A table for a record constructor: shape and fields at once.
///
/// # Safety
/// [GC-LIVE] `values` are the shape's fields in order; the caller makes the table reachable before the next safepoint.
pub unsafe fn new_record(
    g: &mut Global,
    s: *mut Shape,
    values: *const Value,
    n: usize,
) -> *mut Table {
    // SAFETY: as promised; slots `0..n` exist.
    unsafe {
        let t = table::table_new(g, 0, n);
        if (*s).nfields as usize == n && (*s).shape_flags & shape_flags::DICT == 0 {
            (*t).shape = s;
            (*t).hdr.word = (*s).hdr.word;
            for i in 0..n {
                run_set((*t).hash as *mut u64, i, *values.add(i));
            }
        } else {
            let keys: Vec<*mut Str> = shape::shape_keys(g, s).to_vec();
            for (i, k) in keys.into_iter().enumerate() {
                table::table_set_field(g, t, k, *values.add(i));
            }
        }
        t
    }
}
