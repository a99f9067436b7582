//! Stores into tables.

use super::*;

/// With `CHECKED`: reserves `bytes` before the store `t[key] = v` changes anything. May collect.
#[inline]
pub(super) unsafe fn room<const CHECKED: bool>(
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

/// Makes an array part that is large and all that the table has larger without reserving a second one: true if that has
/// been done.
unsafe fn grown_in_place(
    g: &mut Global,
    t: *mut Table,
    i: i64,
    v: Value,
    cap: u32,
) -> Result<bool, TableError> {
    // SAFETY: [GC-LIVE] the caller's values.
    unsafe {
        let old = (*t).arr_cap;
        if is_dict(t) || old == 0 || cap <= old || (*t).array.cast() == inline_run(t) {
            return Ok(false);
        }
        let more = tagged_run_size(cap as usize).0 - tagged_run_size(old as usize).0;
        g.rooted(&[Value::ptr(t, Tag::TABLE), Value::int(i), v], |g| {
            g.heap.allow(more).map_err(|_| TableError::NoMemory)
        })?;
        Ok(array_grow(g, t, cap))
    }
}

/// Bytes that [`fields_to_dict`] takes.
pub(super) unsafe fn to_dict_bytes(t: *mut Table, extra: u32) -> usize {
    // SAFETY: [GC-LIVE].
    unsafe { dict_bytes(cap_for((*(*t).shape).nfields + extra)) }
}

/// Bytes that [`array_resize`] takes when it makes the array larger.
pub(super) unsafe fn array_bytes(t: *mut Table, cap: u32) -> usize {
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

/// As [`table_set_checked`], but fails where that would collect, for callers that cannot root what they have.
///
/// # Safety
/// [GC-LIVE] all are alive.
pub unsafe fn table_set_now(
    g: &mut Global,
    t: *mut Table,
    key: Value,
    v: Value,
) -> Result<(), TableError> {
    let before = g.heap.forbid_collection(true);
    // SAFETY: the caller's promise.
    let done = unsafe { set_any::<true>(g, t, key, v) };
    g.heap.forbid_collection(before);
    done
}

#[inline]
pub(super) unsafe fn set_any<const CHECKED: bool>(
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

pub(super) unsafe fn set_str<const CHECKED: bool>(
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

pub(super) unsafe fn set_field<const CHECKED: bool>(
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
        if let Some(slot) = shape_find(g, (*t).shape, key) {
            field_store(g, t, slot, key, v);
            return Ok(());
        }
        if v.is_nil() {
            return Ok(());
        }
        end_plain(g, t);
        let s = (*t).shape;
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

/// Stores to the field `key`, if the table has it in its shape; else does nothing and says so.
///
/// # Safety
/// [GC-LIVE] all are alive.
#[inline(always)]
pub unsafe fn table_set_own_field(g: &mut Global, t: *mut Table, key: *mut Str, v: Value) -> bool {
    // SAFETY: [GC-LIVE]; the slots of a shape's keys exist in its tables.
    unsafe {
        if is_dict(t) || !str_is_short(key) {
            return false;
        }
        let slot = shape_find(g, (*t).shape, key);
        if let Some(slot) = slot {
            field_store(g, t, slot, key, v);
        }
        slot.is_some()
    }
}

/// Stores to a slot of the fields run.
#[inline]
pub(super) unsafe fn field_store(
    g: &mut Global,
    t: *mut Table,
    slot: u32,
    key: *mut Str,
    v: Value,
) {
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
pub(super) unsafe fn fields_grow(g: &mut Global, t: *mut Table, n: u32) {
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
pub(super) unsafe fn tagged_copy(from: *mut u64, to: *mut u64, n: usize) {
    // SAFETY: the caller promises that both have the slots.
    unsafe {
        copy_nonoverlapping(from, to, n);
        tags_copy(from, to, n);
    }
}

/// Copies the tags of slots `0..n` between tagged runs.
#[inline]
pub(super) unsafe fn tags_copy(from: *mut u64, to: *mut u64, n: usize) {
    // SAFETY: the caller promises that both have the slots.
    unsafe { copy_nonoverlapping((from as *mut u8).sub(n), (to as *mut u8).sub(n), n) }
}

/// Frees the fields run unless it is in the table's own cell.
pub(super) unsafe fn fields_free(g: &mut Global, t: *mut Table) {
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
pub(super) unsafe fn fields_to_dict(g: &mut Global, t: *mut Table, extra: u32) {
    // SAFETY: [GC-LIVE]; keys and slots of a shape agree; [GC-BARRIER] through `touch`.
    unsafe {
        end_plain(g, t);
        // an object whose shape does not tell its metatable any more
        if !(*t).metatable.is_null() {
            end_plain(g, (*t).metatable);
        }
        if is_dict(t) {
            return;
        }
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
pub(super) unsafe fn dict_store<const CHECKED: bool>(
    g: &mut Global,
    t: *mut Table,
    key: Value,
    v: Value,
) -> Result<(), TableError> {
    // SAFETY: [GC-LIVE]; [GC-BARRIER].
    unsafe {
        let d = (*t).hash as *mut Dict;
        if key.tag == Tag::STRING && str_is_short(key.as_ptr()) {
            return match dict_seek(d, key) {
                Ok(e) => {
                    entry_store(g, t, d, e, v);
                    Ok(())
                }
                Err(gap) => dict_append::<CHECKED>(g, t, gap, key, v),
            };
        }
        let e = dict_find(d, key);
        if e.is_null() {
            return dict_insert::<CHECKED>(g, t, key, v);
        }
        entry_store(g, t, d, e, v);
        Ok(())
    }
}

/// Inserts a key that [`dict_seek`] has not found.
#[inline(always)]
unsafe fn dict_append<const CHECKED: bool>(
    g: &mut Global,
    t: *mut Table,
    gap: Gap,
    key: Value,
    v: Value,
) -> Result<(), TableError> {
    // SAFETY: [GC-LIVE]; nothing has changed since the key was sought.
    unsafe {
        let d = (*t).hash as *mut Dict;
        if v.is_nil() || (*d).used == (*d).cap {
            return dict_insert::<CHECKED>(g, t, key, v);
        }
        dict_fill(d, gap, key, v);
        dict_inserted(g, t, key, v);
        Ok(())
    }
}

/// What follows the insertion of a key.
#[inline(always)]
unsafe fn dict_inserted(g: &mut Global, t: *mut Table, key: Value, v: Value) {
    // SAFETY: [GC-LIVE]; [GC-BARRIER].
    unsafe {
        let d = (*t).hash as *mut Dict;
        (*t).meta_absent = 0;
        dict_barrier(g, t, d, key);
        dict_barrier(g, t, d, v);
        if is_proto(t) && key.tag == Tag::STRING {
            proto_changed(g, t, 1, true);
        }
    }
}

#[inline(always)]
pub(super) unsafe fn entry_store(
    g: &mut Global,
    t: *mut Table,
    d: *mut Dict,
    e: *mut DictEntry,
    v: Value,
) {
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
#[inline(never)]
pub(super) unsafe fn dict_insert<const CHECKED: bool>(
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
        dict_inserted(g, t, key, v);
        Ok(())
    }
}

/// Moves the entries into room for `n`.
pub(super) unsafe fn dict_resize(g: &mut Global, t: *mut Table, n: u32) {
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
pub(super) unsafe fn rehash<const CHECKED: bool>(
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

/// Stores to element `i`, if the array part has room for it; else does nothing and says so.
///
/// # Safety
/// [GC-LIVE] table and value are alive.
#[inline(always)]
pub unsafe fn table_set_element(g: &mut Global, t: *mut Table, i: i64, v: Value) -> bool {
    // SAFETY: [GC-LIVE]; the index is checked against the capacity.
    unsafe {
        let there = (i as u64) < u64::from((*t).arr_cap);
        if there {
            array_store(g, t, i as usize, v);
        }
        there
    }
}

/// Stores `t[key] = v` where that takes no memory and moves nothing: an element inside the array part, or in a dictionary a value
/// of a key that is there, or a new key where there is room for it. Keys are integers and short strings. Else does nothing and says so.
///
/// # Safety
/// [GC-LIVE] all are alive.
#[inline(always)]
pub unsafe fn table_set_in_place(g: &mut Global, t: *mut Table, key: Value, v: Value) -> bool {
    // SAFETY: [GC-LIVE]; indices are checked against the capacity; nothing has changed since the key was sought.
    unsafe {
        match key.tag {
            Tag::INT => {
                let i = key.as_int();
                if table_set_element(g, t, i, v) {
                    return true;
                }
                // the array part may grow
                if i == i64::from((*t).arr_cap) || (0..i64::from(FIRST_ARRAY)).contains(&i) {
                    return false;
                }
            }
            Tag::STRING if str_is_short(key.as_ptr()) => {}
            _ => return false,
        }
        if !is_dict(t) {
            return false;
        }
        let d = (*t).hash as *mut Dict;
        match dict_seek(d, key) {
            Ok(e) => entry_store(g, t, d, e, v),
            Err(_) if v.is_nil() || (*d).used == (*d).cap => return false,
            Err(gap) => {
                dict_fill(d, gap, key, v);
                dict_inserted(g, t, key, v);
            }
        }
        true
    }
}

#[inline]
pub(super) unsafe fn set_int<const CHECKED: bool>(
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

pub(super) unsafe fn set_int_beyond<const CHECKED: bool>(
    g: &mut Global,
    t: *mut Table,
    i: i64,
    v: Value,
) -> Result<(), TableError> {
    // SAFETY: [GC-LIVE].
    unsafe {
        let cap = (*t).arr_cap;
        if is_dict(t) {
            let d = (*t).hash as *mut Dict;
            match dict_seek(d, Value::int(i)) {
                Ok(e) => {
                    entry_store(g, t, d, e, v);
                    return Ok(());
                }
                // the array does not grow
                Err(gap) if i != i64::from(cap) && !(0..i64::from(FIRST_ARRAY)).contains(&i) => {
                    return dict_append::<CHECKED>(g, t, gap, Value::int(i), v);
                }
                Err(_) => {}
            }
        }
        if v.is_nil() {
            return Ok(());
        }
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
            let count = || {
                let mut census = Census::default();
                census.array(t);
                if is_dict(t) {
                    census.dict((*t).hash.cast());
                }
                census.key(i);
                (census.ints, census.best().0)
            };
            let (ints, best) = if i == i64::from(cap) && !is_dict(t) && array_is_full(t) {
                let doubled = (u64::from(cap), (cap + 1).next_power_of_two());
                debug_assert_eq!(doubled, count());
                doubled
            } else {
                count()
            };
            if i64::from(best) > i {
                let half = half_more(cap)
                    .filter(|&n| i == i64::from(cap) && !is_dict(t) && ints >= u64::from(n / 2));
                let best = half.unwrap_or(best).max(FIRST_ARRAY);
                if !(CHECKED && grown_in_place(g, t, i, v, best)?) {
                    room::<CHECKED>(g, t, Value::int(i), v, array_bytes(t, best))?;
                    array_resize(g, t, best, 0);
                }
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
pub(super) unsafe fn array_store(g: &mut Global, t: *mut Table, i: usize, v: Value) {
    // SAFETY: [GC-LIVE]; `i < arr_cap`; [GC-BARRIER].
    unsafe {
        let kind = (*t).hdr.extra;
        let tag = v.tag.byte() as u8;
        let len = (*t).arr_len;
        const NONE: u8 = Tag::NIL.0 as u8;
        const ANY: u8 = Tag::ANY.0 as u8;
        if v.is_nil() {
            // [DENSE]
            if kind != ANY && i != 0 && i <= len as usize {
                if i == len as usize {
                    (*t).arr_len = len - 1;
                } else if kind != NONE {
                    (*t).hdr.extra = ANY;
                }
            }
        } else {
            let now = match kind {
                _ if kind == tag => tag,
                // otherwise what was announced is not there yet
                NONE if len == 0 => tag,
                _ => ANY,
            };
            (*t).hdr.extra = now;
            if now != ANY && i == len as usize + 1 {
                (*t).arr_len = i as u32;
            }
        }
        run_set((*t).array, i, v);
        barrier(g, t, v);
    }
}

/// Stores `v` in place of an element with the same tag, if it is in the array part and the collector need not be told; else does nothing and
/// says so.
///
/// # Safety
/// [GC-LIVE] table and value are alive.
#[inline(always)]
pub unsafe fn table_replace(t: *mut Table, i: usize, v: Value) -> bool {
    // SAFETY: [GC-LIVE]; the index is checked against the capacity; [DENSE] no tag changes; [GC-BARRIER] the header's byte decides.
    unsafe {
        if i >= (*t).arr_cap as usize
            || v.is_nil()
            || *((*t).array as *const i8).sub(1 + i) != v.tag.byte()
            || (v.tag.is_collectable() && (*t).hdr.barrier != 0)
        {
            return false;
        }
        *(*t).array.add(i) = v.payload;
        true
    }
}

/// Says that an array part has been filled, one by one, up to `len`: the border hint, and the kind if there are no holes.
///
/// # Safety
/// [GC-LIVE] the table is alive, `len` is below its capacity and element `len` is there.
pub unsafe fn table_settle(t: *mut Table, len: u32) {
    // SAFETY: [GC-LIVE]; the slots exist.
    unsafe {
        (*t).hdr.extra = array_kind((*t).array, (*t).arr_cap, len);
        (*t).arr_len = len;
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

/// Whether elements may be moved within the array part without a barrier for each: if the collector has seen the table already, it is
/// told to look again, and if it would rather not, the answer is no.
///
/// # Safety
/// [GC-LIVE] the table is alive.
pub unsafe fn table_may_move(g: &mut Global, t: *mut Table) -> bool {
    // SAFETY: [GC-LIVE]; [GC-BARRIER] the header's byte decides.
    unsafe {
        if (*t).hdr.barrier != 0 {
            g.heap.barrier(&raw mut (*t).hdr, Value::NIL);
        }
        (*t).hdr.barrier == 0
    }
}

/// Copies elements `from .. from + n` of the array part to `to ..`, as memmove does.
///
/// # Safety
/// [GC-LIVE] both ranges lie within the array part; [GC-BARRIER] the table's barrier byte is 0.
pub unsafe fn table_move_elements(t: *mut Table, from: usize, to: usize, n: usize) {
    // SAFETY: payloads go up from the run's pointer and tags down from it, so the tags of a range are a range that
    // ends with the tag of its first element.
    unsafe {
        let p = (*t).array;
        std::ptr::copy(p.add(from), p.add(to), n);
        let tags = p.cast::<u8>();
        std::ptr::copy(tags.sub(from + n), tags.sub(to + n), n);
    }
}
