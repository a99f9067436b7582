//! Tables: array part, fields by shape, dictionary.
//!
//! A table is in *shape mode* (fields run, one slot per key of its shape) until it gets a key that does not
//! fit: a computed new string key, a long string, anything else than a string, an integer outside the array, a
//! key over the shapes' budgets. Then it is a dictionary (`TAB_DICT`) for good, except that one which loses
//! all its entries to the array part returns to shape mode. Stores to existing keys never change the mode.
//!
//! * **Array.** Grows by PUC's rule: the largest power of two `n` such that more than half of `0..n` is in
//!   use (index 0 counts as used), integer keys of the dictionary included, which then move over. A full one of some
//!   hundred slots grows by half when it gets one more (`half_more`). Shrinks by PUC's rule, only when a new key finds the dictionary full. `arr_len` is a hint for the border.
//! * **Array kind** (`hdr.extra`): `NIL`, one tag, or `ANY`; widened by stores, narrowed when the array moves.
//! * **[DENSE]** If the kind is one tag, elements `1..=arr_len` have that tag; all others have it or are nil. So a nil stored below `arr_len` makes
//!   the kind `ANY`, one stored at `arr_len` lowers that, and nothing raises `arr_len` that does not know what it passes.
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
    Gap, MAX_CAP, cap_for, dict_bytes, dict_entries, dict_fill, dict_find, dict_find_int,
    dict_find_short, dict_move, dict_new, dict_position, dict_push, dict_seek, entry_key,
    entry_val,
};
use crate::number::float_to_int;
use crate::shape::{
    MAX_FIELDS, OBSERVED, fresh_id, plain_shape, private_add_key, private_is_mutable,
    private_set_meta, private_set_mutable, private_shape, private_to_dict, shape_add, shape_find,
    shape_find_slow, shape_key_at, shape_keys, shape_with_meta,
};
use crate::state::Global;
use crate::string::{str_bytes, str_is_short, str_val};

mod grow;
mod proto;
mod sort;
mod store;
mod traverse;

pub use grow::*;
pub use proto::*;
pub use sort::*;
pub use store::*;
pub use traverse::*;

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
            if str_is_short(key) {
                return value_of(dict_find_short((*t).hash.cast(), key));
            }
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

#[cfg(test)]
pub(crate) mod tests;
