//! Length and traversal of tables.

use super::*;

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
            let kind = (*t).hdr.extra;
            if kind != Tag::ANY.0 as u8 && kind != Tag::NIL.0 as u8 {
                // [DENSE] nothing may be skipped
                let mut n = hint;
                while n < last && !nil(n + 1) {
                    n += 1;
                }
                (*t).arr_len = n;
                if n < last {
                    return u64::from(n);
                }
            } else if hint < last {
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

/// The first string, in the order of `next`, that is the key of `v`, which is an object. Much faster than a traversal.
///
/// # Safety
/// [GC-LIVE] the table and the object are alive.
pub unsafe fn table_name_of(t: *mut Table, v: Value) -> Option<*mut Str> {
    debug_assert!(v.tag.is_collectable());
    // SAFETY: [GC-LIVE]; runs have as many slots as their table says. Integers may have the payload of an object: the tag tells.
    unsafe {
        if is_dict(t) {
            let d = (*t).hash as *mut Dict;
            return (0..(*d).used as usize).find_map(|i| {
                let e = &*(*d).entries.add(i);
                let is = e.val_payload == v.payload && e.val_tag == v.tag;
                (is && e.key_tag == Tag::STRING).then(|| entry_key(e).as_ptr())
            });
        }
        let (s, run) = ((*t).shape, (*t).hash as *mut u64);
        (0..(*s).nfields)
            .find(|&i| *run.add(i as usize) == v.payload && run_get(run, i as usize).same(v))
            .map(|i| shape_key_at(s, i))
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
pub(super) unsafe fn position(t: *mut Table, key: Value, hint: u32) -> Option<u64> {
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
