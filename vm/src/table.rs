//! Tables: array part, fields by shape, dictionary.
//!
//! A table is in *shape mode* (fields run, one slot per key of its shape) until it gets a key that does not
//! fit: a computed new string key, a long string, anything else than a string, an integer outside the array, a
//! key over the shapes' budgets. Then it is a dictionary (`TAB_DICT`) for good, except that one which loses
//! all its entries to the array part returns to shape mode. Stores to existing keys never change the mode.
//!
//! * **Array.** Grows by PUC's rule: the largest power of two `n` such that more than half of `0..n` is in
//!   use (index 0 counts as used), integer keys of the dictionary included, which then move over. Shrinks by
//!   the same rule, only when a new key finds the dictionary full. `arr_len` is a hint for the border.
//! * **Array kind** (`hdr.extra`): `NIL`, one tag, or `ANY`; widened by stores, narrowed when the array moves.
//! * **Order of `next`:** array from index 0, fields or dictionary entries in insertion order.
//! * **Metamethod cache:** inserting a key, or giving a value to a key that has none, clears `meta_absent`.
//!   Array elements do not count.
//! * **Barrier [GC-BARRIER]:** every store of a collected value and every change of a run, shape or metatable
//!   takes the backward barrier of the table (and of its `Dict`).
//!
//! ## Prototypes
//! A table used as a metatable, or as a target of `__index` ([`table_mark_proto`]), gets a shape of its own.
//! A look-up that goes through prototypes may be cached if [`table_is_cacheable`] said yes for each of them
//! *at that time* (which marks them observed) and, where the found value itself is cached,
//! [`proto_slot_is_const`]. The cache is valid while `hot.proto_epoch` (or every id on the chain) is the same.
//! Of an observed table these changes give it a fresh id, bump the epoch and end the observation: a string key
//! appears, a value turns nil or non-nil, the metatable changes, a constant slot gets a different value (which
//! makes the slot mutable for good). Keys and metatables give a fresh id even when nobody observes, so that an
//! id also proves which keys its owner has. Changes of observed tables are counted, new keys as a quarter;
//! after 32 the table is `TAB_VOLATILE`: never cacheable again.
//! Integer and other non-string keys are not covered: such look-ups are not cached.
//!
//! Emitted stores to existing fields must go to the slow path for prototypes (`TAB_PROTO`), for a nil old
//! value, and for a dictionary entry with a nil value.
//!
//! ## Own ids
//! [`own_id`] gives a dictionary an id that changes whenever its entries move, so that (id, entry address) can
//! be cached for global access.
//!
//! Allocation never collects and never fails: callers reserve [`table_growth_bytes`] first, or use the stores that are
//! `_checked`, which reserve what they need when they need it (`CHECKED` below).

use core::ptr::{copy_nonoverlapping, null_mut};

use traceorus_base::meta::MetaMethod;
use traceorus_base::objects::{
    Dict, DictEntry, ObjKind, Shape, Str, Table, flags, run_get, run_set, shape_flags,
    tagged_run_size,
};
use traceorus_base::value::{Tag, Value};

use crate::dict::{
    MAX_CAP, cap_for, dict_bytes, dict_entries, dict_find, dict_find_int, dict_find_short,
    dict_move, dict_new, dict_position, dict_push, entry_key, entry_val,
};
use crate::number::float_to_int;
use crate::shape::{
    MAX_FIELDS, OBSERVED, fresh_id, private_add_key, private_is_mutable, private_set_meta,
    private_set_mutable, private_shape, private_to_dict, shape_add, shape_find, shape_find_slow,
    shape_key_at, shape_keys, shape_with_meta,
};
use crate::state::Global;
use crate::string::{str_bytes, str_is_short, str_val};

/// Largest index of an array part, plus 1.
pub const MAX_ARRAY: u32 = 1 << 30;
/// Slots of the first array of a table that was made without one: as many as its cell holds.
const FIRST_ARRAY: u32 = 5;
/// Sizes of a fields run, chosen to fill the collector's cells.
const FIELD_CAPS: [u32; 8] = [3, 5, 10, 14, 21, 32, 48, 64];
/// Changes after which a prototype is volatile, in quarters.
const MAX_CHANGES: u8 = 128;

/// Why a store is refused. Only [`table_set`] and [`table_resize`] report `TooBig`; the other setters panic,
/// which takes a table of 2^29 entries.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TableError {
    /// "table index is nil".
    NilKey,
    /// "table index is NaN".
    NanKey,
    /// "table overflow".
    TooBig,
    /// "not enough memory"; only [`table_set_checked`] and [`table_set_field_checked`] report it.
    NoMemory,
}

/// "invalid key to 'next'".
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct InvalidKey;

// ---------------------------------------------------------------------------------------------------------
// Construction.

/// An empty table with room for the keys `1..=narr` and for `nrec` fields. The border hint is `narr`, as PUC's
/// constructors have it.
///
/// # Safety
/// The state is complete; [`table_new_bytes`] is reserved.
pub unsafe fn table_new(g: &mut Global, narr: usize, nrec: usize) -> *mut Table {
    // SAFETY: a fresh object, completely written before anything else happens.
    unsafe {
        let nrec_shape = if nrec > MAX_FIELDS as usize { 0 } else { nrec };
        let t = table_alloc(g, nrec_shape, narr);
        if nrec > nrec_shape {
            let d = dict_new(g, nrec.min(MAX_CAP as usize) as u32);
            (*t).hash = d.cast();
            (*t).hdr.flags |= flags::TAB_DICT;
            set_shape(t, g.hot.dict_shape);
        }
        t
    }
}

/// A table of this shape with all fields nil and room for `1..=narr`.
///
/// # Safety
/// [GC-LIVE] `shape` is alive, shared, without metatable and not a dictionary's.
pub unsafe fn table_new_shape(g: &mut Global, shape: *mut Shape, narr: usize) -> *mut Table {
    // SAFETY: [GC-LIVE]; the fields run has room for the shape's keys.
    unsafe {
        let t = table_new(g, narr, (*shape).nfields as usize);
        set_shape(t, shape);
        t
    }
}

/// Bytes to reserve for [`table_new`].
pub fn table_new_bytes(narr: usize, nrec: usize) -> usize {
    let fields = if nrec > MAX_FIELDS as usize {
        dict_bytes(cap_for(nrec.min(MAX_CAP as usize) as u32))
    } else {
        tagged_run_size(nrec + 1).0
    };
    Table::size_for(0)
        + 16
        + fields
        + if narr == 0 {
            0
        } else {
            tagged_run_size(narr + 1).0
        }
}

unsafe fn table_alloc(g: &mut Global, nrec: usize, narr: usize) -> *mut Table {
    // SAFETY: a fresh object of the right size, completely written.
    unsafe {
        // Cells are multiples of 16 bytes, so inline slots come in pairs: of the fields or else of the array.
        let inline_array = nrec == 0 && narr != 0 && narr < Table::INLINE_MAX;
        let inline = if inline_array {
            inline_room(narr as u32 + 1) as usize
        } else if nrec <= Table::INLINE_MAX {
            (nrec + 1) & !1
        } else {
            0
        };
        let t = g.heap.alloc(ObjKind::Table, Table::size_for(inline)) as *mut Table;
        (*t).hdr.extra = Tag::NIL.0 as u8;
        (*t).array = null_mut();
        (*t).arr_cap = 0;
        (*t).arr_len = 0;
        (*t).metatable = null_mut();
        (*t).hash = null_mut();
        (*t).field_cap = 0;
        (*t).meta_absent = 0;
        set_shape(t, g.hot.empty_shape);
        if inline != 0 {
            nil_tags(inline_run(t).cast(), 0, inline);
        }
        if inline_array {
            (*t).array = inline_run(t).cast();
            (*t).arr_cap = narr as u32 + 1;
            (*t).arr_len = narr as u32;
            return t;
        }
        if inline != 0 {
            (*t).hash = inline_run(t);
            (*t).field_cap = inline as u32;
        } else if nrec != 0 {
            (*t).hash = tagged_alloc(g, nrec).cast();
            (*t).field_cap = nrec as u32;
        }
        if narr != 0 {
            array_alloc(g, t, narr.min(MAX_ARRAY as usize - 1) as u32 + 1);
            (*t).arr_len = (*t).arr_cap - 1;
        }
        t
    }
}

/// Slots that the cell of a table with an inline array part of `cap` slots has room for, at least.
#[inline(always)]
fn inline_room(cap: u32) -> u32 {
    ((cap + 1) & !1).max(Table::INLINE_ARRAY_MIN as u32)
}

/// Where a run in the table's own cell is.
#[inline(always)]
fn inline_run(t: *mut Table) -> *mut u8 {
    (t as *mut u8).wrapping_add(Table::INLINE_FIELDS)
}

/// Writes nil tags to slots `from..to`.
#[inline(always)]
unsafe fn nil_tags(p: *mut u64, from: usize, to: usize) {
    // SAFETY: the caller promises that the slots exist.
    unsafe {
        (p as *mut u8)
            .sub(to)
            .write_bytes(Tag::NIL.0 as u8, to - from);
    }
}

/// A tagged run with all slots nil.
unsafe fn tagged_alloc(g: &mut Global, cap: usize) -> *mut u64 {
    // SAFETY: the layout of `base::objects`.
    unsafe {
        let (bytes, tags) = tagged_run_size(cap);
        let p = g.heap.alloc_run(bytes).add(tags) as *mut u64;
        nil_tags(p, 0, cap);
        p
    }
}

/// A large tagged run made larger where it is, or moved without two copies at a time, the new slots nil; null if that
/// cannot be done.
unsafe fn tagged_grow(g: &mut Global, p: *mut u64, cap: usize, more: usize) -> *mut u64 {
    // SAFETY: the layout of `base::objects`: all of the old run moves by what its tags grow.
    unsafe {
        let (bytes, tags) = tagged_run_size(cap);
        let (more_bytes, more_tags) = tagged_run_size(more);
        let start = g.heap.grow_run((p as *mut u8).sub(tags), bytes, more_bytes);
        if start.is_null() {
            return null_mut();
        }
        start.copy_to(start.add(more_tags - tags), bytes);
        let p = start.add(more_tags) as *mut u64;
        nil_tags(p, cap, more);
        p
    }
}

unsafe fn tagged_free(g: &mut Global, p: *mut u64, cap: usize) {
    // SAFETY: the run came from `tagged_alloc`.
    unsafe {
        let (bytes, tags) = tagged_run_size(cap);
        g.heap.free_run((p as *mut u8).sub(tags), bytes);
    }
}

unsafe fn array_alloc(g: &mut Global, t: *mut Table, cap: u32) {
    // SAFETY: [GC-LIVE] the caller's promise.
    unsafe {
        (*t).array = tagged_alloc(g, cap as usize);
        (*t).arr_cap = cap;
    }
}

#[inline(always)]
unsafe fn set_shape(t: *mut Table, s: *mut Shape) {
    // SAFETY: [GC-LIVE]; the barrier is the caller's.
    unsafe {
        (*t).shape = s;
        (*t).hdr.word = (*s).hdr.word;
    }
}

#[inline(always)]
unsafe fn is_dict(t: *mut Table) -> bool {
    // SAFETY: [GC-LIVE].
    unsafe { (*t).hdr.flags & flags::TAB_DICT != 0 }
}

#[inline(always)]
unsafe fn is_proto(t: *mut Table) -> bool {
    // SAFETY: [GC-LIVE].
    unsafe { (*t).hdr.flags & flags::TAB_PROTO != 0 }
}

/// The barrier for a stored value.
#[inline(always)]
unsafe fn barrier(g: &mut Global, t: *mut Table, v: Value) {
    // SAFETY: [GC-LIVE]; [GC-BARRIER] this is it.
    unsafe {
        if (*t).hdr.barrier != 0 {
            g.heap.barrier(&raw mut (*t).hdr, v);
        }
    }
}

/// The barrier after a change of the table's own parts.
#[inline(always)]
unsafe fn touch(g: &mut Global, t: *mut Table) {
    // SAFETY: [GC-LIVE]; [GC-BARRIER] this is it.
    unsafe {
        if (*t).hdr.barrier != 0 {
            g.heap.barrier(&raw mut (*t).hdr, Value::NIL);
        }
        if is_dict(t) {
            let d = (*t).hash as *mut Dict;
            if (*d).hdr.barrier != 0 {
                g.heap.barrier(&raw mut (*d).hdr, Value::NIL);
            }
        }
    }
}

/// The barrier after a store into the dictionary.
#[inline(always)]
unsafe fn dict_barrier(g: &mut Global, t: *mut Table, d: *mut Dict, v: Value) {
    // SAFETY: [GC-LIVE]; [GC-BARRIER] this is it.
    unsafe {
        if v.tag.is_collectable() {
            if (*t).hdr.barrier != 0 {
                g.heap.barrier(&raw mut (*t).hdr, v);
            }
            if (*d).hdr.barrier != 0 {
                g.heap.barrier(&raw mut (*d).hdr, v);
            }
        }
    }
}

#[inline(always)]
fn never_too_big(r: Result<(), TableError>) {
    #[cold]
    fn too_big() -> ! {
        panic!("table overflow")
    }
    if r.is_err() {
        too_big()
    }
}

/// Integer keys as integers, an error for keys that no table can have.
#[inline(always)]
fn normalise(key: Value) -> Result<Value, TableError> {
    match key.tag {
        Tag::FLOAT => {
            let f = key.as_float();
            match float_to_int(f) {
                Some(i) => Ok(Value::int(i)),
                None if f.is_nan() => Err(TableError::NanKey),
                None => Ok(key),
            }
        }
        Tag::NIL => Err(TableError::NilKey),
        Tag::I32 => Ok(Value::int(i64::from(key.payload as i32))),
        Tag::U32 => Ok(Value::int(i64::from(key.payload as u32))),
        Tag::U64 => Ok(match i64::try_from(key.payload) {
            Ok(i) => Value::int(i),
            Err(_) => Value::float(key.payload as f64),
        }),
        _ => Ok(key),
    }
}

// ---------------------------------------------------------------------------------------------------------
// Reading.

/// `rawget`.
///
/// # Safety
/// [GC-LIVE] table and key are alive.
#[inline]
pub unsafe fn table_get(t: *mut Table, key: Value) -> Value {
    // SAFETY: [GC-LIVE].
    unsafe {
        match key.tag {
            Tag::INT => table_get_int(t, key.as_int()),
            Tag::STRING => table_get_str(t, key.as_ptr()),
            _ => match normalise(key) {
                Ok(k) if k.tag == Tag::INT => table_get_int(t, k.as_int()),
                Ok(k) if is_dict(t) => value_of(dict_find((*t).hash.cast(), k)),
                _ => Value::NIL,
            },
        }
    }
}

#[inline(always)]
unsafe fn value_of(e: *mut DictEntry) -> Value {
    if e.is_null() {
        return Value::NIL;
    }
    // SAFETY: entries found are written.
    unsafe { entry_val(&*e) }
}

/// `rawget` with a string key, short or long.
///
/// # Safety
/// [GC-LIVE] table and key are alive.
#[inline]
pub unsafe fn table_get_str(t: *mut Table, key: *mut Str) -> Value {
    // SAFETY: [GC-LIVE]; the slots of a shape's keys exist in its tables.
    unsafe {
        if is_dict(t) {
            return value_of(if str_is_short(key) {
                dict_find_short((*t).hash.cast(), key)
            } else {
                dict_find((*t).hash.cast(), str_val(key))
            });
        }
        match shape_find_slow((*t).shape, key) {
            Some(slot) => run_get((*t).hash.cast(), slot as usize),
            None => Value::NIL,
        }
    }
}

/// As [`table_get_str`], faster for tables in shape mode with many fields: through the state's cache.
///
/// # Safety
/// [GC-LIVE] table and key are alive.
#[inline]
pub unsafe fn table_get_str_cached(g: &mut Global, t: *mut Table, key: *mut Str) -> Value {
    // SAFETY: [GC-LIVE]; as above.
    unsafe {
        if is_dict(t) {
            return table_get_str(t, key);
        }
        match shape_find(g, (*t).shape, key) {
            Some(slot) => run_get((*t).hash.cast(), slot as usize),
            None => Value::NIL,
        }
    }
}

/// As [`table_get`], through the state's cache like [`table_get_str_cached`].
///
/// # Safety
/// [GC-LIVE] table and key are alive.
#[inline]
pub unsafe fn table_get_cached(g: &mut Global, t: *mut Table, key: Value) -> Value {
    // SAFETY: [GC-LIVE].
    unsafe {
        if key.tag == Tag::STRING {
            return table_get_str_cached(g, t, key.as_ptr());
        }
        table_get(t, key)
    }
}

/// `rawgeti`.
///
/// # Safety
/// [GC-LIVE] the table is alive.
#[inline(always)]
pub unsafe fn table_get_int(t: *mut Table, i: i64) -> Value {
    // SAFETY: [GC-LIVE]; the index is checked against the capacity.
    unsafe {
        if (i as u64) < u64::from((*t).arr_cap) {
            return run_get((*t).array, i as usize);
        }
        if !is_dict(t) {
            return Value::NIL;
        }
        value_of(dict_find_int((*t).hash.cast(), i))
    }
}

/// The metamethod `ev` of a metatable (null: none), nil if there is none. Remembers absence.
///
/// # Safety
/// [GC-LIVE] the metatable is null or alive.
#[inline]
pub unsafe fn meta_get(g: &mut Global, mt: *mut Table, ev: MetaMethod) -> Value {
    // SAFETY: [GC-LIVE].
    unsafe {
        if mt.is_null() {
            return Value::NIL;
        }
        let bit = 1u32 << (ev as u32);
        if (*mt).meta_absent & bit != 0 {
            return Value::NIL;
        }
        let name = g.hot.meta_names[ev as usize];
        let v = table_get_str_cached(g, mt, name);
        if v.is_nil() {
            (*mt).meta_absent |= bit;
        }
        v
    }
}

// ---------------------------------------------------------------------------------------------------------
// Prototype role and own ids.

/// Announces a change of a prototype: `fresh` if its id must change even when nobody observes it.
#[cold]
unsafe fn proto_changed(g: &mut Global, t: *mut Table, quarters: u8, fresh: bool) {
    // SAFETY: [GC-LIVE]; a prototype's shape is private unless ids have run out, and then it is volatile.
    unsafe {
        let s = (*t).shape;
        if (*s).shape_flags & shape_flags::PROTO == 0 {
            return;
        }
        let observed = (*s).shape_flags & OBSERVED != 0;
        if observed {
            (*s).shape_flags &= !OBSERVED;
            g.hot.proto_epoch = g.hot.proto_epoch.wrapping_add(1).max(1);
            (*s).hdr.extra = (*s).hdr.extra.saturating_add(quarters);
            if (*s).hdr.extra >= MAX_CHANGES {
                (*t).hdr.flags |= flags::TAB_VOLATILE;
            }
        }
        if observed || fresh {
            renew_id(g, t);
        }
    }
}

/// Gives a table with a private shape a fresh id.
unsafe fn renew_id(g: &mut Global, t: *mut Table) {
    // SAFETY: [GC-LIVE]; the shape is private.
    unsafe {
        match fresh_id(g) {
            Some(id) => {
                (*(*t).shape).hdr.word = id;
                (*t).hdr.word = id;
            }
            None => lose_id(g, t),
        }
    }
}

/// Ids have run out: the table becomes a plain dictionary that nothing may be cached of.
#[cold]
unsafe fn lose_id(g: &mut Global, t: *mut Table) {
    // SAFETY: [GC-LIVE].
    unsafe {
        if !is_dict(t) {
            fields_to_dict(g, t, 0);
        }
        if is_proto(t) {
            (*t).hdr.flags |= flags::TAB_VOLATILE;
        }
        (*t).hdr.flags &= !flags::TAB_OWN_ID;
        set_shape(t, g.hot.dict_shape);
        touch(g, t);
    }
}

/// Bookkeeping before `key` of a prototype changes from `old` to `new`.
#[inline(always)]
unsafe fn proto_store(g: &mut Global, t: *mut Table, key: Value, old: Value, new: Value) {
    // SAFETY: [GC-LIVE].
    unsafe {
        if is_proto(t) && key.tag == Tag::STRING && !old.same(new) {
            proto_store_slow(g, t, key.as_ptr(), old, new);
        }
    }
}

#[cold]
unsafe fn proto_store_slow(g: &mut Global, t: *mut Table, key: *mut Str, old: Value, new: Value) {
    // SAFETY: [GC-LIVE].
    unsafe {
        let s = (*t).shape;
        if (*s).shape_flags & OBSERVED == 0 {
            return;
        }
        if !old.is_nil() && !new.is_nil() {
            if private_is_mutable(s, key) {
                return;
            }
            private_set_mutable(s, key);
        }
        proto_changed(g, t, 4, false);
    }
}

/// Gives a table the prototype role for life. To be called for each target of `__index` or `__newindex` that
/// a look-up is to be cached through; metatables get it from [`table_set_metatable`].
///
/// # Safety
/// [GC-LIVE] the table is alive.
pub unsafe fn table_mark_proto(g: &mut Global, t: *mut Table) {
    // SAFETY: [GC-LIVE]; [GC-BARRIER] through `touch`.
    unsafe {
        if is_proto(t) {
            return;
        }
        (*t).hdr.flags |= flags::TAB_PROTO;
        if (*t).hdr.flags & flags::TAB_OWN_ID != 0 {
            (*(*t).shape).shape_flags |= shape_flags::PROTO;
            // caches that store past the prototype's bookkeeping end here
            renew_id(g, t);
            return;
        }
        let s = if is_dict(t) {
            private_shape(
                g,
                null_mut(),
                (*t).metatable,
                shape_flags::PROTO | shape_flags::DICT,
            )
        } else {
            private_shape(g, (*t).shape, (*t).metatable, shape_flags::PROTO)
        };
        match s {
            Some(s) => {
                set_shape(t, s);
                if is_dict(t) {
                    (*t).hdr.flags |= flags::TAB_OWN_ID;
                }
                touch(g, t);
            }
            None => lose_id(g, t),
        }
    }
}

/// True when look-ups through this table may be cached now. Saying so of a prototype starts its observation:
/// the next change will be announced. Other tables are not observed; what is known of them comes from their
/// shape.
///
/// # Safety
/// [GC-LIVE] the table is alive.
#[inline]
pub unsafe fn table_is_cacheable(t: *mut Table) -> bool {
    // SAFETY: [GC-LIVE].
    unsafe {
        let f = (*t).hdr.flags;
        if f & flags::TAB_VOLATILE != 0 {
            return false;
        }
        if f & flags::TAB_PROTO != 0 {
            (*(*t).shape).shape_flags |= OBSERVED;
        }
        true
    }
}

/// True when the value of `key` in an observed prototype may be taken for a constant (while the epoch, or the
/// table's id, is the same). Errs on the side of false.
///
/// # Safety
/// [GC-LIVE] table and key are alive.
#[inline]
pub unsafe fn proto_slot_is_const(_g: &mut Global, t: *mut Table, key: *mut Str) -> bool {
    // SAFETY: [GC-LIVE].
    unsafe {
        let s = (*t).shape;
        let want = shape_flags::PROTO | OBSERVED;
        (*s).shape_flags & want == want && !private_is_mutable(s, key)
    }
}

/// Entry of a string key in a dictionary, nil value or not. Its address is good as long as the table's
/// [`own_id`].
///
/// # Safety
/// [GC-LIVE] table and key are alive.
pub unsafe fn dict_entry(t: *mut Table, key: *mut Str) -> Option<*mut DictEntry> {
    // SAFETY: [GC-LIVE].
    unsafe {
        if !is_dict(t) {
            return None;
        }
        let e = dict_find((*t).hash.cast(), str_val(key));
        (!e.is_null()).then_some(e)
    }
}

/// Id of a dictionary that changes whenever its entries move; 0 if there are no more ids. The table keeps it
/// as `hdr.word` from now on.
///
/// # Safety
/// [GC-LIVE] the table is alive and in dictionary mode.
pub unsafe fn own_id(g: &mut Global, t: *mut Table) -> u32 {
    // SAFETY: [GC-LIVE]; [GC-BARRIER] through `touch`.
    unsafe {
        debug_assert!(is_dict(t));
        if (*t).hdr.flags & flags::TAB_OWN_ID == 0 {
            if is_proto(t) {
                return 0;
            }
            let Some(s) = private_shape(g, null_mut(), (*t).metatable, shape_flags::DICT) else {
                return 0;
            };
            set_shape(t, s);
            (*t).hdr.flags |= flags::TAB_OWN_ID;
            touch(g, t);
        }
        (*t).hdr.word
    }
}

/// Sets the metatable (null: none), which takes the prototype role. Protection (`__metatable`) and finalizers
/// are the caller's.
///
/// # Safety
/// [GC-LIVE] both are alive.
pub unsafe fn table_set_metatable(g: &mut Global, t: *mut Table, mt: *mut Table) {
    // SAFETY: [GC-LIVE]; [GC-BARRIER] through `touch`.
    unsafe {
        if !mt.is_null() {
            table_mark_proto(g, mt);
        }
        if (*t).metatable == mt {
            table_update_weak(g, t);
            return;
        }
        (*t).metatable = mt;
        table_update_weak(g, t);
        let f = (*t).hdr.flags;
        if f & (flags::TAB_OWN_ID | flags::TAB_PROTO) != 0 {
            let s = (*t).shape;
            if s != g.hot.dict_shape {
                private_set_meta(g, s, mt);
                if f & flags::TAB_PROTO != 0 {
                    proto_changed(g, t, 4, true);
                } else {
                    renew_id(g, t);
                }
            }
        } else if f & flags::TAB_DICT == 0 {
            let s = shape_with_meta(g, (*t).shape, mt);
            if s.is_null() {
                fields_to_dict(g, t, 0);
            } else {
                set_shape(t, s);
            }
        }
        if f & flags::TAB_DICT != 0 && !mt.is_null() {
            (*mt).hdr.flags |= flags::TAB_META_SEEN;
        }
        touch(g, t);
    }
}

/// Brings `TAB_WEAK` up to date with the metatable's `__mode`.
///
/// # Safety
/// [GC-LIVE] the table is alive.
pub unsafe fn table_update_weak(g: &mut Global, t: *mut Table) {
    // SAFETY: [GC-LIVE].
    unsafe {
        let mode = meta_get(g, (*t).metatable, MetaMethod::Mode);
        let weak = mode.tag == Tag::STRING
            && str_bytes(mode.as_ptr())
                .iter()
                .any(|&b| b == b'k' || b == b'v');
        if weak {
            (*t).hdr.flags |= flags::TAB_WEAK;
        } else {
            (*t).hdr.flags &= !flags::TAB_WEAK;
        }
    }
}

// ---------------------------------------------------------------------------------------------------------
// Writing.

/// With `CHECKED`: reserves `bytes` before the store `t[key] = v` changes anything. May collect.
#[inline]
unsafe fn room<const CHECKED: bool>(
    g: &mut Global,
    t: *mut Table,
    key: Value,
    v: Value,
    bytes: usize,
) -> Result<(), TableError> {
    if !CHECKED {
        return Ok(());
    }
    // SAFETY: [GC-LIVE] the caller's values.
    unsafe {
        g.rooted(&[Value::ptr(t, Tag::TABLE), key, v], |g| {
            g.heap.reserve(bytes).map_err(|_| TableError::NoMemory)
        })
    }
}

/// Bytes that [`fields_to_dict`] takes.
unsafe fn to_dict_bytes(t: *mut Table, extra: u32) -> usize {
    // SAFETY: [GC-LIVE].
    unsafe { dict_bytes(cap_for((*(*t).shape).nfields + extra)) }
}

/// Bytes that [`array_resize`] takes when it makes the array larger.
unsafe fn array_bytes(t: *mut Table, cap: u32) -> usize {
    // SAFETY: [GC-LIVE].
    unsafe {
        let dict = if is_dict(t) {
            dict_bytes((*((*t).hash as *mut Dict)).cap)
        } else {
            0
        };
        tagged_run_size(cap as usize).0 + dict
    }
}

/// `rawset` with a computed key.
///
/// # Safety
/// [GC-LIVE] all are alive; [`table_growth_bytes`] is reserved.
#[inline]
pub unsafe fn table_set(
    g: &mut Global,
    t: *mut Table,
    key: Value,
    v: Value,
) -> Result<(), TableError> {
    // SAFETY: the caller's promise.
    unsafe { set_any::<false>(g, t, key, v) }
}

/// As [`table_set`], but reserves what it needs; may collect.
///
/// # Safety
/// [GC-LIVE] all are alive.
#[inline]
pub unsafe fn table_set_checked(
    g: &mut Global,
    t: *mut Table,
    key: Value,
    v: Value,
) -> Result<(), TableError> {
    // SAFETY: the caller's promise.
    unsafe { set_any::<true>(g, t, key, v) }
}

#[inline]
unsafe fn set_any<const CHECKED: bool>(
    g: &mut Global,
    t: *mut Table,
    key: Value,
    v: Value,
) -> Result<(), TableError> {
    // SAFETY: [GC-LIVE].
    unsafe {
        match key.tag {
            Tag::INT => set_int::<CHECKED>(g, t, key.as_int(), v),
            Tag::STRING => set_str::<CHECKED>(g, t, key.as_ptr(), v),
            _ => {
                let key = normalise(key)?;
                if key.tag == Tag::INT {
                    return set_int::<CHECKED>(g, t, key.as_int(), v);
                }
                if !is_dict(t) {
                    if v.is_nil() {
                        return Ok(());
                    }
                    room::<CHECKED>(g, t, key, v, to_dict_bytes(t, 1))?;
                    fields_to_dict(g, t, 1);
                }
                dict_store::<CHECKED>(g, t, key, v)
            }
        }
    }
}

/// `rawset` with a computed string key: a new key makes the table a dictionary.
///
/// # Safety
/// [GC-LIVE] all are alive; [`table_growth_bytes`] is reserved.
pub unsafe fn table_set_str(g: &mut Global, t: *mut Table, key: *mut Str, v: Value) {
    // SAFETY: the caller's promise.
    unsafe { never_too_big(set_str::<false>(g, t, key, v)) }
}

unsafe fn set_str<const CHECKED: bool>(
    g: &mut Global,
    t: *mut Table,
    key: *mut Str,
    v: Value,
) -> Result<(), TableError> {
    // SAFETY: [GC-LIVE].
    unsafe {
        if !is_dict(t) {
            if let Some(slot) = shape_find(g, (*t).shape, key) {
                field_store(g, t, slot, key, v);
                return Ok(());
            }
            if v.is_nil() {
                return Ok(());
            }
            room::<CHECKED>(g, t, str_val(key), v, to_dict_bytes(t, 1))?;
            fields_to_dict(g, t, 1);
        }
        dict_store::<CHECKED>(g, t, str_val(key), v)
    }
}

/// Store to a field with a constant key: a new key is a transition to another shape.
///
/// # Safety
/// [GC-LIVE] all are alive; [`table_growth_bytes`] is reserved.
pub unsafe fn table_set_field(g: &mut Global, t: *mut Table, key: *mut Str, v: Value) {
    // SAFETY: the caller's promise.
    unsafe { never_too_big(set_field::<false>(g, t, key, v)) }
}

/// As [`table_set_field`], but reserves what it needs; may collect. Reports `TooBig` and `NoMemory`.
///
/// # Safety
/// [GC-LIVE] all are alive.
pub unsafe fn table_set_field_checked(
    g: &mut Global,
    t: *mut Table,
    key: *mut Str,
    v: Value,
) -> Result<(), TableError> {
    // SAFETY: the caller's promise.
    unsafe { set_field::<true>(g, t, key, v) }
}

unsafe fn set_field<const CHECKED: bool>(
    g: &mut Global,
    t: *mut Table,
    key: *mut Str,
    v: Value,
) -> Result<(), TableError> {
    // SAFETY: [GC-LIVE]; [GC-BARRIER] through `touch`.
    unsafe {
        if is_dict(t) || !str_is_short(key) {
            return set_str::<CHECKED>(g, t, key, v);
        }
        let s = (*t).shape;
        if let Some(slot) = shape_find(g, s, key) {
            field_store(g, t, slot, key, v);
            return Ok(());
        }
        if v.is_nil() {
            return Ok(());
        }
        let slot = (*s).nfields;
        // a fields run or a dictionary; a shape
        room::<CHECKED>(g, t, str_val(key), v, to_dict_bytes(t, 1) + 1024)?;
        let to = if (*s).shape_flags & shape_flags::PROTO != 0 {
            if slot >= MAX_FIELDS {
                null_mut()
            } else {
                private_add_key(g, s, key);
                s
            }
        } else {
            shape_add(g, s, key).unwrap_or(null_mut())
        };
        if to.is_null() {
            fields_to_dict(g, t, 1);
            return dict_store::<CHECKED>(g, t, str_val(key), v);
        }
        if slot >= (*t).field_cap {
            fields_grow(g, t, slot + 1);
        }
        run_set((*t).hash.cast(), slot as usize, v);
        (*t).meta_absent = 0;
        set_shape(t, to);
        touch(g, t);
        if is_proto(t) {
            proto_changed(g, t, 1, true);
        }
        Ok(())
    }
}

/// Stores to a slot of the fields run.
#[inline]
unsafe fn field_store(g: &mut Global, t: *mut Table, slot: u32, key: *mut Str, v: Value) {
    // SAFETY: [GC-LIVE]; the slot is one of the shape's; [GC-BARRIER].
    unsafe {
        let p = (*t).hash as *mut u64;
        let old = run_get(p, slot as usize);
        if old.is_nil() {
            (*t).meta_absent = 0;
        }
        run_set(p, slot as usize, v);
        barrier(g, t, v);
        proto_store(g, t, str_val(key), old, v);
    }
}

/// Makes room for `n` fields.
unsafe fn fields_grow(g: &mut Global, t: *mut Table, n: u32) {
    // SAFETY: [GC-LIVE]; the runs have room for the fields that there are. The barrier is the caller's.
    unsafe {
        let cap = FIELD_CAPS
            .iter()
            .copied()
            .find(|&c| c >= n)
            .unwrap_or(MAX_FIELDS);
        let old = (*t).hash as *mut u64;
        let old_cap = (*t).field_cap as usize;
        let new = tagged_alloc(g, cap as usize);
        if old_cap != 0 {
            tagged_copy(old, new, old_cap);
            fields_free(g, t);
        }
        (*t).hash = new.cast();
        (*t).field_cap = cap;
    }
}

/// Copies slots `0..n` between tagged runs.
#[inline]
unsafe fn tagged_copy(from: *mut u64, to: *mut u64, n: usize) {
    // SAFETY: the caller promises that both have the slots.
    unsafe {
        copy_nonoverlapping(from, to, n);
        copy_nonoverlapping((from as *mut u8).sub(n), (to as *mut u8).sub(n), n);
    }
}

/// Frees the fields run unless it is in the table's own cell.
unsafe fn fields_free(g: &mut Global, t: *mut Table) {
    // SAFETY: [GC-LIVE]; the run belongs to the table.
    unsafe {
        if (*t).field_cap != 0 && (*t).hash != inline_run(t) {
            tagged_free(g, (*t).hash.cast(), (*t).field_cap as usize);
        }
    }
}

/// Puts a table into dictionary mode.
///
/// # Safety
/// [GC-LIVE] the table is alive; [`table_growth_bytes`] is reserved.
pub unsafe fn table_to_dict(g: &mut Global, t: *mut Table) {
    // SAFETY: [GC-LIVE].
    unsafe {
        if !is_dict(t) {
            fields_to_dict(g, t, 0);
        }
    }
}

/// Puts a table in shape mode into dictionary mode, with room for `extra` more keys.
#[cold]
unsafe fn fields_to_dict(g: &mut Global, t: *mut Table, extra: u32) {
    // SAFETY: [GC-LIVE]; keys and slots of a shape agree; [GC-BARRIER] through `touch`.
    unsafe {
        let s = (*t).shape;
        let n = (*s).nfields;
        let p = (*t).hash as *mut u64;
        let live = (0..n as usize).filter(|&i| !run_get(p, i).is_nil()).count() as u32;
        let d = dict_new(g, live + extra);
        if n != 0 {
            let keys = shape_keys(g, s);
            for (i, &k) in keys.iter().enumerate() {
                let v = run_get(p, i);
                if !v.is_nil() {
                    dict_push(d, str_val(k), v);
                }
            }
        }
        fields_free(g, t);
        (*t).field_cap = 0;
        (*t).hash = d.cast();
        (*t).hdr.flags |= flags::TAB_DICT;
        if (*s).shape_flags & shape_flags::PROTO != 0 {
            private_to_dict(g, s);
            (*t).hdr.flags |= flags::TAB_OWN_ID;
            // Not `renew_id`, which may call this function.
            if let Some(id) = fresh_id(g) {
                (*s).hdr.word = id;
                (*t).hdr.word = id;
            } else {
                (*t).hdr.flags |= flags::TAB_VOLATILE;
                (*t).hdr.flags &= !flags::TAB_OWN_ID;
                set_shape(t, g.hot.dict_shape);
            }
        } else {
            set_shape(t, g.hot.dict_shape);
        }
        touch(g, t);
    }
}

/// Store with a normalised key that does not belong into the array part, in dictionary mode.
#[inline]
unsafe fn dict_store<const CHECKED: bool>(
    g: &mut Global,
    t: *mut Table,
    key: Value,
    v: Value,
) -> Result<(), TableError> {
    // SAFETY: [GC-LIVE]; [GC-BARRIER].
    unsafe {
        let d = (*t).hash as *mut Dict;
        let e = dict_find(d, key);
        if e.is_null() {
            return dict_insert::<CHECKED>(g, t, key, v);
        }
        entry_store(g, t, d, e, v);
        Ok(())
    }
}

#[inline(always)]
unsafe fn entry_store(g: &mut Global, t: *mut Table, d: *mut Dict, e: *mut DictEntry, v: Value) {
    // SAFETY: [GC-LIVE]; [GC-BARRIER].
    unsafe {
        let old = entry_val(&*e);
        if old.is_nil() {
            (*t).meta_absent = 0;
        }
        (*e).val_payload = v.payload;
        (*e).val_tag = v.tag;
        dict_barrier(g, t, d, v);
        if old.is_nil() {
            // The collector may have passed over the key of an empty entry.
            dict_barrier(g, t, d, entry_key(&*e));
        }
        proto_store(g, t, entry_key(&*e), old, v);
    }
}

/// Inserts a key that is not there, in dictionary mode.
unsafe fn dict_insert<const CHECKED: bool>(
    g: &mut Global,
    t: *mut Table,
    key: Value,
    v: Value,
) -> Result<(), TableError> {
    // SAFETY: [GC-LIVE]; [GC-BARRIER].
    unsafe {
        if v.is_nil() {
            return Ok(());
        }
        let mut d = (*t).hash as *mut Dict;
        if (*d).used == (*d).cap {
            rehash::<CHECKED>(g, t, key, v)?;
            if key.tag == Tag::INT && (key.payload) < u64::from((*t).arr_cap) {
                array_store(g, t, key.payload as usize, v);
                return Ok(());
            }
            if !is_dict(t) {
                fields_to_dict(g, t, 1);
            }
            d = (*t).hash.cast();
            if (*d).used == (*d).cap {
                dict_resize(g, t, (*d).used + 1);
            }
        }
        dict_push(d, key, v);
        (*t).meta_absent = 0;
        dict_barrier(g, t, d, key);
        dict_barrier(g, t, d, v);
        if is_proto(t) && key.tag == Tag::STRING {
            proto_changed(g, t, 1, true);
        }
        Ok(())
    }
}

/// Moves the entries into room for `n`.
unsafe fn dict_resize(g: &mut Global, t: *mut Table, n: u32) {
    // SAFETY: [GC-LIVE]; `n` is at least the number of live entries; [GC-BARRIER] through `touch`.
    unsafe {
        dict_move(g, (*t).hash.cast(), cap_for(n));
        if (*t).hdr.flags & flags::TAB_OWN_ID != 0 {
            renew_id(g, t);
        }
        touch(g, t);
    }
}

/// The dictionary is full: sizes both parts anew for the keys that live and the one to come.
#[cold]
unsafe fn rehash<const CHECKED: bool>(
    g: &mut Global,
    t: *mut Table,
    key: Value,
    v: Value,
) -> Result<(), TableError> {
    // SAFETY: [GC-LIVE].
    unsafe {
        let d = (*t).hash as *mut Dict;
        let mut census = Census::default();
        census.array(t);
        let array_live = census.live;
        census.dict(d);
        let mut total = census.live + 1;
        if key.tag == Tag::INT {
            census.key(key.as_int());
        }
        let (cap, moved) = census.best();
        // Keys of the dictionary part to be: everything that does not go to the array.
        total -= moved;
        if total > u64::from(MAX_CAP) {
            return Err(TableError::TooBig);
        }
        let churn = census.live - array_live < u64::from((*d).used);
        // A table that loses keys as it gets others would soon be here again.
        let room_for = match total {
            _ if !churn => total,
            0..64 => total + total / 2,
            _ => total + total / 4,
        };
        let bytes = tagged_run_size(cap as usize).0 + dict_bytes(cap_for(room_for as u32 + 1));
        room::<CHECKED>(g, t, key, v, bytes)?;
        if cap != (*t).arr_cap && !(cap < (*t).arr_cap && (*t).arr_cap <= FIRST_ARRAY) {
            array_resize(
                g,
                t,
                cap.max(if cap == 0 { 0 } else { FIRST_ARRAY }),
                room_for as u32,
            );
        } else {
            dict_resize(g, t, room_for as u32);
        }
        Ok(())
    }
}

/// `rawseti`.
///
/// # Safety
/// [GC-LIVE] all are alive; [`table_growth_bytes`] is reserved.
#[inline]
pub unsafe fn table_set_int(g: &mut Global, t: *mut Table, i: i64, v: Value) {
    // SAFETY: the caller's promise.
    unsafe { never_too_big(set_int::<false>(g, t, i, v)) }
}

#[inline]
unsafe fn set_int<const CHECKED: bool>(
    g: &mut Global,
    t: *mut Table,
    i: i64,
    v: Value,
) -> Result<(), TableError> {
    // SAFETY: [GC-LIVE]; the index is checked against the capacity.
    unsafe {
        if (i as u64) < u64::from((*t).arr_cap) {
            array_store(g, t, i as usize, v);
            return Ok(());
        }
        set_int_beyond::<CHECKED>(g, t, i, v)
    }
}

unsafe fn set_int_beyond<const CHECKED: bool>(
    g: &mut Global,
    t: *mut Table,
    i: i64,
    v: Value,
) -> Result<(), TableError> {
    // SAFETY: [GC-LIVE].
    unsafe {
        if is_dict(t) {
            let d = (*t).hash as *mut Dict;
            let e = dict_find_int(d, i);
            if !e.is_null() {
                entry_store(g, t, d, e, v);
                return Ok(());
            }
        }
        if v.is_nil() {
            return Ok(());
        }
        let cap = (*t).arr_cap;
        if (0..i64::from(FIRST_ARRAY)).contains(&i) {
            // A first array costs less than a dictionary.
            room::<CHECKED>(g, t, Value::int(i), v, array_bytes(t, FIRST_ARRAY))?;
            let inline = if cap != 0 && (*t).array.cast() == inline_run(t) {
                inline_room(cap)
            } else {
                0
            };
            array_resize(
                g,
                t,
                if i < i64::from(inline) {
                    inline
                } else {
                    FIRST_ARRAY
                },
                0,
            );
            array_store(g, t, i as usize, v);
            return Ok(());
        }
        if (0..i64::from(MAX_ARRAY)).contains(&i) && (i == i64::from(cap) || !is_dict(t)) {
            let mut census = Census::default();
            census.array(t);
            if is_dict(t) {
                census.dict((*t).hash.cast());
            }
            census.key(i);
            let (best, _) = census.best();
            if i64::from(best) > i {
                room::<CHECKED>(g, t, Value::int(i), v, array_bytes(t, best))?;
                array_resize(g, t, best.max(FIRST_ARRAY), 0);
                array_store(g, t, i as usize, v);
                return Ok(());
            }
        }
        if !is_dict(t) {
            room::<CHECKED>(g, t, Value::int(i), v, to_dict_bytes(t, 1))?;
            fields_to_dict(g, t, 1);
        }
        dict_insert::<CHECKED>(g, t, Value::int(i), v)
    }
}

/// Stores to a slot of the array part.
#[inline(always)]
unsafe fn array_store(g: &mut Global, t: *mut Table, i: usize, v: Value) {
    // SAFETY: [GC-LIVE]; `i < arr_cap`; [GC-BARRIER].
    unsafe {
        let kind = (*t).hdr.extra;
        let tag = v.tag.byte() as u8;
        if kind != tag && !v.is_nil() {
            (*t).hdr.extra = if kind == Tag::NIL.0 as u8 {
                tag
            } else {
                Tag::ANY.0 as u8
            };
        }
        run_set((*t).array, i, v);
        barrier(g, t, v);
    }
}

/// An array store that the interpreter's fast path refused (kind, capacity or barrier), with any integer key.
///
/// # Safety
/// [GC-LIVE] all are alive; [`table_growth_bytes`] is reserved.
pub unsafe fn table_array_store_slow(g: &mut Global, t: *mut Table, i: i64, v: Value) {
    // SAFETY: [GC-LIVE].
    unsafe { table_set_int(g, t, i, v) }
}

// ---------------------------------------------------------------------------------------------------------
// Growth.

/// Counts of integer keys by binary order of magnitude.
struct Census {
    /// Keys `k` with `bit length of k == index`. Index 0 of the array counts as used.
    by_bits: [u64; 32],
    /// Keys in `by_bits`, the free one not counted.
    ints: u64,
    /// Live elements and entries seen.
    live: u64,
    /// 1 when index 0 is really in use.
    zero: u64,
}

impl Default for Census {
    fn default() -> Census {
        let mut by_bits = [0; 32];
        by_bits[0] = 1;
        Census {
            by_bits,
            ints: 0,
            live: 0,
            zero: 0,
        }
    }
}

impl Census {
    /// Counts a key that may go to the array.
    #[inline]
    fn key(&mut self, i: i64) {
        if i == 0 {
            self.zero = 1;
        } else if (0..i64::from(MAX_ARRAY)).contains(&i) {
            self.by_bits[64 - i.leading_zeros() as usize] += 1;
            self.ints += 1;
        }
    }

    unsafe fn array(&mut self, t: *mut Table) {
        // SAFETY: [GC-LIVE]; tags of slots below the capacity.
        unsafe {
            let cap = (*t).arr_cap as usize;
            if cap == 0 {
                return;
            }
            let p = (*t).array as *const u8;
            if *p.sub(1) != Tag::NIL.0 as u8 {
                self.zero = 1;
                self.live += 1;
            }
            let (mut from, mut bits) = (1, 1);
            while from < cap {
                let to = (from * 2).min(cap);
                let tags = core::slice::from_raw_parts(p.sub(to), to - from);
                let n = tags.iter().filter(|&&b| b != Tag::NIL.0 as u8).count() as u64;
                self.by_bits[bits] += n;
                self.ints += n;
                self.live += n;
                from = to;
                bits += 1;
            }
        }
    }

    unsafe fn dict(&mut self, d: *mut Dict) {
        // SAFETY: [GC-LIVE]; the first `used` entries are written.
        unsafe {
            for e in dict_entries(d) {
                if e.val_tag != Tag::NIL {
                    self.live += 1;
                    if e.key_tag == Tag::INT {
                        self.key(e.key_payload as i64);
                    }
                }
            }
        }
    }

    /// Best capacity of the array, and how many of the counted keys it takes.
    fn best(&self) -> (u32, u64) {
        let (mut cap, mut taken, mut sum) = (0, 0, 0);
        let total = self.ints + 1;
        for (bits, n) in self.by_bits.iter().enumerate() {
            let size = 1u64 << bits;
            if total <= size / 2 {
                break;
            }
            sum += n;
            if sum > size / 2 {
                cap = size as u32;
                taken = sum - 1 + self.zero;
            }
        }
        if cap == 1 && self.zero == 0 {
            // Only the free key.
            return (0, 0);
        }
        (cap, taken)
    }
}

/// Kind of slots `0..cap`.
unsafe fn array_kind(p: *mut u64, cap: u32) -> u8 {
    // SAFETY: the caller promises that the slots exist.
    let tags =
        unsafe { core::slice::from_raw_parts((p as *const u8).sub(cap as usize), cap as usize) };
    let nil = Tag::NIL.0 as u8;
    match tags.iter().copied().find(|&b| b != nil) {
        None => nil,
        Some(first) if tags.iter().all(|&b| b == first || b == nil) => first,
        Some(_) => Tag::ANY.0 as u8,
    }
}

/// Changes the capacity of the array part; elements above go to the dictionary, integer keys of the dictionary
/// below come in. With `room != 0` the dictionary (if the table is one) is resized to hold that many keys.
#[cold]
unsafe fn array_resize(g: &mut Global, t: *mut Table, cap: u32, room: u32) {
    // SAFETY: [GC-LIVE]; all indices are below the capacities; [GC-BARRIER] through `touch`.
    unsafe {
        let (old, old_cap) = ((*t).array, (*t).arr_cap);
        // What does not fit any more.
        if cap < old_cap {
            let over = (cap as usize..old_cap as usize)
                .filter(|&i| !run_get(old, i).is_nil())
                .count() as u32;
            if over != 0 && !is_dict(t) {
                fields_to_dict(g, t, over);
            }
            if is_dict(t) && (room != 0 || over != 0) {
                let d = (*t).hash as *mut Dict;
                let need = room.max(dict_live(d) + over);
                dict_resize(g, t, need);
                for i in cap as usize..old_cap as usize {
                    let v = run_get(old, i);
                    if !v.is_nil() {
                        dict_push(d, Value::int(i as i64), v);
                    }
                }
            }
        }
        // The new run.
        let mut grown = false;
        if cap == 0 {
            (*t).array = null_mut();
            (*t).hdr.extra = Tag::NIL.0 as u8;
        } else if old_cap != 0
            && old.cast() == inline_run(t)
            && cap >= old_cap
            && cap <= inline_room(old_cap)
        {
            nil_tags(old, old_cap as usize, cap as usize);
        } else {
            let mut new = null_mut();
            if old_cap != 0 && cap > old_cap && old.cast() != inline_run(t) {
                new = tagged_grow(g, old, old_cap as usize, cap as usize);
                grown = !new.is_null();
            }
            if !grown {
                new = tagged_alloc(g, cap as usize);
                let n = cap.min(old_cap) as usize;
                if n != 0 {
                    tagged_copy(old, new, n);
                }
            }
            (*t).array = new;
            if (*t).hdr.extra == Tag::ANY.0 as u8 {
                (*t).hdr.extra = array_kind(new, cap);
            }
        }
        (*t).arr_cap = cap;
        if (*t).arr_len >= cap {
            (*t).arr_len = cap.saturating_sub(1);
        }
        if old_cap != 0 && old.cast() != inline_run(t) && !grown {
            tagged_free(g, old, old_cap as usize);
        }
        // What comes in from the dictionary.
        if cap > old_cap && is_dict(t) {
            let d = (*t).hash as *mut Dict;
            let mut moved = 0;
            for i in 0..(*d).used as usize {
                let e = (*d).entries.add(i);
                if (*e).key_tag == Tag::INT
                    && (*e).key_payload < u64::from(cap)
                    && (*e).val_tag != Tag::NIL
                {
                    array_store(g, t, (*e).key_payload as usize, entry_val(&*e));
                    (*e).val_tag = Tag::NIL;
                    moved += 1;
                }
            }
            let live = dict_live(d);
            if live == 0 && (*t).hdr.flags & (flags::TAB_OWN_ID | flags::TAB_PROTO) == 0 {
                dict_to_fields(g, t);
            } else if moved != 0 || room != 0 {
                // Integer keys of the array part must not stay behind in the dictionary.
                dict_resize(g, t, room.max(live));
            } else if dict_has_array_keys(d, cap) {
                dict_resize(g, t, (*d).cap.max(live));
            }
        }
        touch(g, t);
    }
}

/// True when an entry, be it empty, has an integer key below `cap`.
unsafe fn dict_has_array_keys(d: *mut Dict, cap: u32) -> bool {
    // SAFETY: [GC-LIVE]; the first `used` entries are written.
    unsafe {
        dict_entries(d)
            .iter()
            .any(|e| e.key_tag == Tag::INT && e.key_payload < u64::from(cap))
    }
}

unsafe fn dict_live(d: *mut Dict) -> u32 {
    // SAFETY: [GC-LIVE]; the first `used` entries are written.
    unsafe {
        dict_entries(d)
            .iter()
            .filter(|e| e.val_tag != Tag::NIL)
            .count() as u32
    }
}

/// Returns a plain dictionary without live entries to shape mode. The `Dict` is left to the collector.
unsafe fn dict_to_fields(g: &mut Global, t: *mut Table) {
    // SAFETY: [GC-LIVE]; the barrier is the caller's.
    unsafe {
        let s = shape_with_meta(g, g.hot.empty_shape, (*t).metatable);
        if s.is_null() {
            return;
        }
        (*t).hdr.flags &= !flags::TAB_DICT;
        (*t).hash = null_mut();
        (*t).field_cap = 0;
        set_shape(t, s);
    }
}

/// Sizes the parts: the array for `1..=narr`, the other for `nhash` keys in all (never below what is in use).
///
/// # Safety
/// [GC-LIVE] the table is alive; [`table_resize_bytes`] is reserved.
pub unsafe fn table_resize(
    g: &mut Global,
    t: *mut Table,
    narr: usize,
    nhash: usize,
) -> Result<(), TableError> {
    // SAFETY: [GC-LIVE]; [GC-BARRIER] through `touch`.
    unsafe {
        if narr >= MAX_ARRAY as usize || nhash > MAX_CAP as usize {
            return Err(TableError::TooBig);
        }
        let cap = if narr == 0 { 0 } else { narr as u32 + 1 };
        if cap != (*t).arr_cap {
            array_resize(g, t, cap, 0);
            (*t).arr_len = narr as u32;
        }
        if is_dict(t) {
            let d = (*t).hash as *mut Dict;
            let n = dict_live(d).max(nhash as u32);
            if cap_for(n) != (*d).cap {
                dict_resize(g, t, n);
            }
        } else if nhash > MAX_FIELDS as usize {
            let live = (*(*t).shape).nfields;
            fields_to_dict(g, t, (nhash as u32).saturating_sub(live));
        } else if nhash as u32 > (*t).field_cap {
            fields_grow(g, t, nhash as u32);
            touch(g, t);
        }
        Ok(())
    }
}

/// Bytes to reserve for [`table_resize`].
///
/// # Safety
/// [GC-LIVE] the table is alive.
pub unsafe fn table_resize_bytes(t: *mut Table, narr: usize, nhash: usize) -> usize {
    // SAFETY: [GC-LIVE].
    let growth = unsafe { table_growth_bytes(t) };
    growth
        + tagged_run_size(narr.min(MAX_ARRAY as usize) + 1).0
        + dict_bytes(cap_for(nhash.min(MAX_CAP as usize) as u32))
}

/// Bytes to reserve before a store to the table, whatever the key (more for a table that is full than for one
/// with room).
///
/// # Safety
/// [GC-LIVE] the table is alive.
pub unsafe fn table_growth_bytes(t: *mut Table) -> usize {
    // SAFETY: [GC-LIVE].
    unsafe {
        let arr = (*t).arr_cap as usize;
        let mut used = 64;
        if is_dict(t) {
            let d = (*t).hash as *mut Dict;
            used += (*d).used as usize;
            // Room, and the array is not about to grow either: almost always.
            if (*d).used < (*d).cap && ((*t).arr_len as usize) + 1 < arr {
                used = 64;
            }
        } else {
            used += (*(*t).shape).nfields as usize;
        }
        4096 + tagged_run_size(2 * (arr + used)).0 + 2 * dict_bytes(cap_for((used + arr) as u32))
    }
}

// ---------------------------------------------------------------------------------------------------------
// Length and traversal.

/// A border: `#t` without metamethods.
///
/// # Safety
/// [GC-LIVE] the table is alive.
pub unsafe fn table_len(t: *mut Table) -> u64 {
    // SAFETY: [GC-LIVE]; all indices are below the capacity.
    unsafe {
        let cap = (*t).arr_cap;
        let nil = |i: u32| *((*t).array as *const u8).sub(1 + i as usize) == Tag::NIL.0 as u8;
        let search = |mut i: u32, mut j: u32| {
            // `i` is 0 or present, `j` is absent.
            while j - i > 1 {
                let m = i + (j - i) / 2;
                if nil(m) {
                    j = m;
                } else {
                    i = m;
                }
            }
            i
        };
        if cap > 1 {
            let hint = (*t).arr_len;
            debug_assert!(hint < cap);
            let last = cap - 1;
            if hint > 0 && nil(hint) {
                let n = if hint >= 2 && !nil(hint - 1) {
                    hint - 1
                } else {
                    search(0, hint)
                };
                (*t).arr_len = n;
                return u64::from(n);
            }
            // The hint is 0 or present.
            if hint < last {
                if nil(hint + 1) {
                    return u64::from(hint);
                }
                if hint + 2 <= last && nil(hint + 2) {
                    (*t).arr_len = hint + 1;
                    return u64::from(hint + 1);
                }
                if nil(last) {
                    let n = search(hint + 1, last);
                    (*t).arr_len = n;
                    return u64::from(n);
                }
                (*t).arr_len = last;
            }
        }
        let first = u64::from(cap.max(1) - 1);
        if !is_dict(t) {
            return first;
        }
        let present = |i: u64| !value_of(dict_find_int((*t).hash.cast(), i as i64)).is_nil();
        if !present(first + 1) {
            return first;
        }
        let max = i64::MAX as u64;
        let (mut i, mut j) = (first + 1, first + 1);
        while present(j) {
            i = j;
            if j > max / 2 {
                // Nearly every key is there, or the table is built to tease: as PUC does.
                if j == max || present(max) {
                    return max;
                }
                j = max;
                break;
            }
            j *= 2;
        }
        while j - i > 1 {
            let m = i + (j - i) / 2;
            if present(m) {
                i = m;
            } else {
                j = m;
            }
        }
        i
    }
}

/// The entry after `key` (nil: the first), with a hint for the following call; `None` at the end. `hint` may be
/// anything: it only saves a look-up if it is what the last call returned.
///
/// # Safety
/// [GC-LIVE] the table is alive; so is the key, unless it was a key of this table that has been removed since.
pub unsafe fn table_next(
    t: *mut Table,
    key: Value,
    hint: u32,
) -> Result<Option<(Value, Value, u32)>, InvalidKey> {
    // SAFETY: [GC-LIVE]; indices are checked against the parts' sizes.
    unsafe {
        let cap = (*t).arr_cap;
        // Position to go on from: below `cap` in the array, above it in the other part.
        let mut pos = match position(t, key, hint) {
            Some(p) => p,
            None => return Err(InvalidKey),
        };
        while pos < u64::from(cap) {
            let v = run_get((*t).array, pos as usize);
            pos += 1;
            if !v.is_nil() {
                return Ok(Some((Value::int(pos as i64 - 1), v, 0)));
            }
        }
        let mut i = (pos - u64::from(cap)) as u32;
        if is_dict(t) {
            let d = (*t).hash as *mut Dict;
            while i < (*d).used {
                let e = (*d).entries.add(i as usize);
                i += 1;
                if (*e).val_tag != Tag::NIL {
                    return Ok(Some((entry_key(&*e), entry_val(&*e), i)));
                }
            }
        } else {
            let s = (*t).shape;
            while i < (*s).nfields {
                let v = run_get((*t).hash.cast(), i as usize);
                i += 1;
                if !v.is_nil() {
                    let k = shape_key_at(s, i - 1);
                    return Ok(Some((str_val(k), v, i)));
                }
            }
        }
        Ok(None)
    }
}

/// Makes later [`table_next`] calls on a table in shape mode faster; `pairs` calls it once.
///
/// # Safety
/// [GC-LIVE] the table is alive.
pub unsafe fn table_next_prepare(g: &mut Global, t: *mut Table) {
    // SAFETY: [GC-LIVE].
    unsafe {
        if !is_dict(t) && (*(*t).shape).nfields > 2 {
            shape_keys(g, (*t).shape);
        }
    }
}

/// Position behind `key`. Hints are entry or field numbers plus 1.
#[inline]
unsafe fn position(t: *mut Table, key: Value, hint: u32) -> Option<u64> {
    // SAFETY: [GC-LIVE]; indices are checked against the parts' sizes.
    unsafe {
        let cap = u64::from((*t).arr_cap);
        let key = match key.tag {
            Tag::NIL => return Some(0),
            // as in PUC: a float is not taken for the integer that it equals
            Tag::INT | Tag::FLOAT => key,
            _ => normalise(key).ok()?,
        };
        if key.tag == Tag::INT && key.payload < cap {
            return Some(key.payload + 1);
        }
        let i = hint.wrapping_sub(1);
        if is_dict(t) {
            let d = (*t).hash as *mut Dict;
            if i < (*d).used {
                let e = &*(*d).entries.add(i as usize);
                if e.key_payload == key.payload
                    && (e.key_tag == key.tag
                        || (e.key_tag == Tag::DEADKEY && key.tag.is_collectable()))
                {
                    return Some(cap + u64::from(hint));
                }
            }
            return dict_position(d, key).map(|p| cap + u64::from(p) + 1);
        }
        if key.tag != Tag::STRING {
            return None;
        }
        let s = (*t).shape;
        let k: *mut Str = key.as_ptr();
        if i < (*s).nfields && shape_key_at(s, i) == k {
            return Some(cap + u64::from(hint));
        }
        shape_find_slow(s, k).map(|p| cap + u64::from(p) + 1)
    }
}

#[cfg(test)]
pub(crate) mod tests;
