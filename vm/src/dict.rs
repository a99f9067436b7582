//! Dictionary part of tables: entries in insertion order and, above [`Dict::SMALL`] of them, an index.
//!
//! Up to `SMALL` entries there is a *mark* for each key, a byte that tells something of its hash, and all of them are
//! compared at once: a look-up touches the entry of a wrong key only once in 128.
//!
//! Index words hold `entry number + 1` in the bits of `index_mask` and, above them, the same bits of the key's
//! hash; 0 is empty. Capacity stays below the index size, so the two never overlap, and a look-up touches the
//! entry of a wrong key only once in `2^(32 - log2 size)` collisions.
//!
//! Probing goes through the four words of the group that the *home* lies in, from the home on, wrapping around
//! in the group; then through the next group, at an odd distance given by the hash. The home comes from the
//! hash too, except for integers: theirs is the integer itself, so that dense ranges outside the array part
//! are walked through memory in order. Homes may therefore collide as they like (multiples of a power of two);
//! the distance then separates the keys at the cost of one more group.
//!
//! Nothing is ever removed: an entry whose value is nil keeps its key (or a `DEADKEY`) until the entries are
//! moved by the insertion of a new key that finds no room. The hash of numbers and of objects, short strings
//! included, is a mix of the payload (no access to the key's memory, neither in look-ups nor in rebuilds);
//! that of long strings comes from their bytes. Emitted code (`vm/interp`, `tables.rs`) looks at the home of
//! integers and of objects itself: an empty word there says that the key is absent.
//!
//! Keys given to these functions are normalised: no nil, no NaN, no float with an integer value.

use core::ptr::null_mut;

use traceorus_base::objects::{Dict, DictEntry, INT_FACTOR, ObjKind, POINTER_FACTOR, Str};
use traceorus_base::value::{Tag, Value};

use crate::state::Global;
use crate::string::{str_eq, str_hash, str_is_short};

/// Bit of `Dict::spare`: a long string is, or was, among the keys. Without it the index is rebuilt from the
/// payloads, without a look at the strings.
const LONG_KEYS: u32 = 1;

/// Largest capacity.
pub const MAX_CAP: u32 = 1 << 29;

/// Hash of a payload: both halves of a 128-bit product, so that low bits (integers) and high bits (floats,
/// aligned addresses) both count. The multiplier was chosen over others by the worst number of probes in
/// fifty arithmetic families of keys.
#[inline(always)]
pub fn mix(x: u64) -> u32 {
    let p = u128::from(x) * 0xa076_1d64_78bd_642f;
    (p as u64 ^ (p >> 64) as u64) as u32
}

/// Where to look for a key: its hash, and its home before masking.
#[derive(Clone, Copy)]
pub struct Spot {
    hash: u32,
    home: u32,
}

#[inline(always)]
fn spot_int(payload: u64) -> Spot {
    Spot {
        hash: mix(payload),
        // The upper half only shifts ranges against each other.
        home: (payload as u32).wrapping_add(((payload >> 32) as u32).wrapping_mul(INT_FACTOR)),
    }
}

#[inline(always)]
fn spot_hash(hash: u32) -> Spot {
    Spot { hash, home: hash }
}

/// Spot of an object that is no long string. One multiplication: addresses differ in low bits.
#[inline(always)]
fn spot_object(payload: u64) -> Spot {
    spot_hash((payload.wrapping_mul(POINTER_FACTOR) >> 32) as u32)
}

/// Spot of a key that is no long string.
#[inline(always)]
fn spot_plain(key: Value) -> Spot {
    match key.tag {
        Tag::INT => spot_int(key.payload),
        Tag::TRUE => spot_hash(mix(1)),
        Tag::FALSE => spot_hash(mix(2)),
        t if t.is_collectable() => spot_object(key.payload),
        _ => spot_hash(mix(key.payload)),
    }
}

/// Spot of a normalised key.
///
/// # Safety
/// [GC-LIVE] a string is alive.
#[inline(always)]
pub unsafe fn spot_of(key: Value) -> Spot {
    if key.tag == Tag::STRING {
        let s: *mut Str = key.as_ptr();
        // SAFETY: [GC-LIVE].
        unsafe {
            if !str_is_short(s) {
                return spot_hash(mix(u64::from(str_hash(s))));
            }
        }
    }
    spot_plain(key)
}

/// A one in each byte.
const ONES: u64 = 0x0101_0101_0101_0101;

/// Mark of a payload: not 0.
#[inline(always)]
fn mark(payload: u64) -> u8 {
    (payload.wrapping_mul(POINTER_FACTOR) >> 56) as u8 | 0x80
}

/// Mark of a normalised key.
///
/// # Safety
/// [GC-LIVE] a string is alive.
#[inline(always)]
unsafe fn mark_of(key: Value) -> u8 {
    match key.tag {
        Tag::TRUE => mark(1),
        Tag::FALSE => mark(2),
        Tag::STRING => {
            let s: *mut Str = key.as_ptr();
            // SAFETY: [GC-LIVE].
            unsafe {
                if str_is_short(s) {
                    mark(key.payload)
                } else {
                    mark(u64::from(str_hash(s)))
                }
            }
        }
        _ => mark(key.payload),
    }
}

/// Looks for the entry for which `eq` holds among those with this mark, in a dictionary without index.
#[inline(always)]
unsafe fn find_marked(d: *mut Dict, mark: u8, eq: impl Fn(&DictEntry) -> bool) -> *mut DictEntry {
    // the lowest byte with its upper bit set is one that is equal; those above it may err
    // SAFETY: [GC-LIVE] the caller's promise.
    let x = unsafe { (*d).marks } ^ u64::from(mark).wrapping_mul(ONES);
    let mut at = x.wrapping_sub(ONES) & !x & (ONES << 7);
    while at != 0 {
        // SAFETY: [GC-LIVE] the caller's promise; only entries that are written have marks.
        unsafe {
            let e = (*d).entries.add(at.trailing_zeros() as usize / 8);
            if eq(&*e) {
                return e;
            }
        }
        at &= at - 1;
    }
    null_mut()
}

/// Calls `f` with the numbers of the index words where a key may be, in order, until it says stop.
#[inline(always)]
fn probe(spot: Spot, mask: u32, mut f: impl FnMut(u32) -> bool) {
    let mut at = spot.home & mask;
    // An odd number of groups, so that all are visited.
    let distance = (spot.hash >> 10) << 2 | 4;
    loop {
        let group = at & !3;
        for k in 0..4 {
            if f(group | (at + k) & 3) {
                return;
            }
        }
        at = at.wrapping_add(distance) & mask;
    }
}

/// The key of an entry as a value; `DEADKEY` when its object died.
#[inline(always)]
pub fn entry_key(e: &DictEntry) -> Value {
    Value::new(e.key_payload, e.key_tag)
}

/// The value of an entry.
#[inline(always)]
pub fn entry_val(e: &DictEntry) -> Value {
    Value::new(e.val_payload, e.val_tag)
}

/// The entries that are written.
///
/// # Safety
/// [GC-LIVE] the dictionary is alive and does not change while the slice is used.
#[inline]
pub unsafe fn dict_entries(d: *mut Dict) -> &'static [DictEntry] {
    // SAFETY: the first `used` entries are written; a dictionary without a run has none.
    unsafe {
        if (*d).used == 0 {
            return &[];
        }
        core::slice::from_raw_parts((*d).entries, (*d).used as usize)
    }
}

/// Smallest capacity that holds `n` entries: 2, 4, 6, 8, then 3/4 and 9/16 of powers of two, so that the index
/// is between 3/8 and 3/4 full.
pub fn cap_for(n: u32) -> u32 {
    if n <= Dict::SMALL {
        return (n + 1) & !1;
    }
    let mut size = 16u32;
    loop {
        if n <= size / 16 * 9 && size > 16 {
            return size / 16 * 9;
        }
        if n <= size / 4 * 3 {
            return size / 4 * 3;
        }
        size *= 2;
    }
}

/// Words of the index for a capacity; 0: none.
fn index_size(cap: u32) -> u32 {
    if cap <= Dict::SMALL {
        0
    } else {
        (cap / 3 * 4).next_power_of_two()
    }
}

/// Bytes that a dictionary of this capacity takes.
pub fn dict_bytes(cap: u32) -> usize {
    size_of::<Dict>() + cap as usize * size_of::<DictEntry>() + index_size(cap) as usize * 4
}

/// An empty dictionary with room for `n` entries.
///
/// # Safety
/// The state is complete; [`dict_bytes`] is reserved.
pub unsafe fn dict_new(g: &mut Global, n: u32) -> *mut Dict {
    // SAFETY: a fresh object, completely written.
    unsafe {
        let d = g.heap.alloc(ObjKind::Dict, size_of::<Dict>()) as *mut Dict;
        let cap = cap_for(n);
        (*d).entries = entries_alloc(g, cap);
        (*d).index = null_mut();
        (*d).index_mask = 0;
        (*d).used = 0;
        (*d).cap = cap;
        (*d).spare = 0;
        (*d).marks = 0;
        let size = index_size(cap);
        if size != 0 {
            (*d).index = g.heap.alloc_run(size as usize * 4) as *mut u32;
            (*d).index.write_bytes(0, size as usize);
            (*d).index_mask = size - 1;
        }
        d
    }
}

unsafe fn entries_alloc(g: &mut Global, cap: u32) -> *mut DictEntry {
    if cap == 0 {
        return null_mut();
    }
    // SAFETY: the state is complete.
    unsafe { g.heap.alloc_run(cap as usize * size_of::<DictEntry>()) as *mut DictEntry }
}

/// Drops the entries without value and changes the capacity to `cap`. Entries move even if it stays the same.
/// The table's barrier is the caller's.
///
/// # Safety
/// [GC-LIVE] `d` is alive; `cap` comes from [`cap_for`] and holds the live entries.
pub unsafe fn dict_move(g: &mut Global, d: *mut Dict, cap: u32) {
    // SAFETY: [GC-LIVE]; the old run has `used` written entries; the new one has room, as promised. Compaction
    // in place writes no entry before it is read.
    unsafe {
        let (old, used, old_cap) = ((*d).entries, (*d).used as usize, (*d).cap);
        let new = if cap == old_cap {
            old
        } else {
            entries_alloc(g, cap)
        };
        let mut n = 0;
        for i in 0..used {
            let e = old.add(i);
            if (*e).val_tag != Tag::NIL {
                *new.add(n) = *e;
                n += 1;
            }
        }
        (*d).entries = new;
        (*d).used = n as u32;
        (*d).cap = cap;
        if cap != old_cap && old_cap != 0 {
            g.heap
                .free_run(old.cast(), old_cap as usize * size_of::<DictEntry>());
        }
        let (size, old_size) = (index_size(cap), index_size(old_cap));
        if size != old_size {
            if old_size != 0 {
                g.heap.free_run((*d).index.cast(), old_size as usize * 4);
            }
            (*d).index = if size == 0 {
                null_mut()
            } else {
                g.heap.alloc_run(size as usize * 4) as *mut u32
            };
            (*d).index_mask = size.max(1) - 1;
        } else if n == used {
            // The same numbers at the same places.
            return;
        }
        index_build(d);
    }
}

/// Fills the index, or the marks, from the entries.
unsafe fn index_build(d: *mut Dict) {
    // SAFETY: [GC-LIVE]; the index has room for all entries, the marks for all that fit in a dictionary without.
    unsafe {
        let (index, mask) = ((*d).index, (*d).index_mask);
        if mask == 0 {
            (*d).marks = 0;
            for (i, e) in dict_entries(d).iter().enumerate() {
                (*d).marks |= u64::from(mark_of(entry_key(e))) << (8 * i);
            }
            return;
        }
        index.write_bytes(0, mask as usize + 1);
        if (*d).spare & LONG_KEYS == 0 {
            for (i, e) in dict_entries(d).iter().enumerate() {
                index_put(index, mask, spot_plain(entry_key(e)), i as u32);
            }
        } else {
            for (i, e) in dict_entries(d).iter().enumerate() {
                index_put(index, mask, spot_of(entry_key(e)), i as u32);
            }
        }
    }
}

#[inline(always)]
unsafe fn index_put(index: *mut u32, mask: u32, spot: Spot, number: u32) {
    // SAFETY: the index has `mask + 1` words, some of them empty.
    unsafe {
        probe(spot, mask, |i| {
            let w = index.add(i as usize);
            if *w == 0 {
                *w = (spot.hash & !mask) | (number + 1);
            }
            *w & mask == number + 1
        });
    }
}

/// Looks for the entry for which `eq` holds among those with this hash, or this mark.
#[inline(always)]
unsafe fn find(
    d: *mut Dict,
    spot: Spot,
    mark: u8,
    eq: impl Fn(&DictEntry) -> bool,
) -> *mut DictEntry {
    // SAFETY: [GC-LIVE] the caller's promise; numbers in the index are of written entries.
    unsafe {
        let mask = (*d).index_mask;
        if mask == 0 {
            return find_marked(d, mark, eq);
        }
        let (entries, index) = ((*d).entries, (*d).index);
        let high = spot.hash & !mask;
        let mut found = null_mut();
        probe(spot, mask, |i| {
            let w = *index.add(i as usize);
            // Equal high bits cancel out and leave the number.
            let n = w ^ high;
            if n.wrapping_sub(1) < mask {
                let e = entries.add(n as usize - 1);
                if eq(&*e) {
                    found = e;
                    return true;
                }
            }
            w == 0
        });
        found
    }
}

/// Entry of a key, nil value or not; null when there is none.
///
/// # Safety
/// [GC-LIVE] dictionary and key are alive.
#[inline]
pub unsafe fn dict_find(d: *mut Dict, key: Value) -> *mut DictEntry {
    // SAFETY: [GC-LIVE].
    unsafe {
        let mark = mark_of(key);
        match key.tag {
            Tag::STRING if !str_is_short(key.as_ptr()) => {
                let s: *mut Str = key.as_ptr();
                find(d, spot_of(key), mark, |e| {
                    e.key_tag == Tag::STRING && str_eq(s, e.key_payload as *mut Str)
                })
            }
            Tag::TRUE | Tag::FALSE => find(d, spot_of(key), mark, |e| e.key_tag == key.tag),
            _ => find(d, spot_plain(key), mark, |e| {
                e.key_payload == key.payload && e.key_tag == key.tag
            }),
        }
    }
}

/// Where the entry of a key goes that is not there.
#[derive(Clone, Copy)]
pub struct Gap {
    hash: u32,
    /// Number of its word in the index, which is empty.
    at: u32,
}

/// Entry of an integer or a short string, or else where it goes.
///
/// # Safety
/// [GC-LIVE] dictionary and key are alive.
#[inline(always)]
pub unsafe fn dict_seek(d: *mut Dict, key: Value) -> Result<*mut DictEntry, Gap> {
    let same = |e: &DictEntry| e.key_payload == key.payload && e.key_tag == key.tag;
    let spot = if key.tag == Tag::INT {
        spot_int(key.payload)
    } else {
        spot_object(key.payload)
    };
    let Spot { hash, home } = spot;
    // SAFETY: [GC-LIVE]; numbers in the index are of written entries.
    unsafe {
        debug_assert!(key.tag == Tag::INT || key.tag == Tag::STRING && str_is_short(key.as_ptr()));
        let mask = (*d).index_mask;
        if mask == 0 {
            let e = find_marked(d, mark(key.payload), same);
            return if e.is_null() {
                Err(Gap { hash, at: home })
            } else {
                Ok(e)
            };
        }
        let (entries, index) = ((*d).entries, (*d).index);
        let mut found = null_mut();
        let mut at = 0;
        probe(spot, mask, |i| {
            let w = *index.add(i as usize);
            at = i;
            // Equal high bits cancel out and leave the number.
            let n = w ^ (hash & !mask);
            if n.wrapping_sub(1) < mask {
                let e = entries.add(n as usize - 1);
                if same(&*e) {
                    found = e;
                    return true;
                }
            }
            w == 0
        });
        if found.is_null() {
            Err(Gap { hash, at })
        } else {
            Ok(found)
        }
    }
}

/// Appends the entry of a key that [`dict_seek`] has not found. The barrier is the caller's.
///
/// # Safety
/// [GC-LIVE]; `used < cap`; the dictionary has not changed since.
#[inline(always)]
pub unsafe fn dict_fill(d: *mut Dict, gap: Gap, key: Value, val: Value) {
    // SAFETY: [GC-LIVE]; there is room, as promised; the index word is empty.
    unsafe {
        let n = (*d).used;
        debug_assert!(n < (*d).cap);
        *(*d).entries.add(n as usize) = DictEntry {
            key_payload: key.payload,
            val_payload: val.payload,
            val_tag: val.tag,
            key_tag: key.tag,
        };
        (*d).used = n + 1;
        let mask = (*d).index_mask;
        if mask != 0 {
            *(*d).index.add(gap.at as usize) = (gap.hash & !mask) | (n + 1);
        } else {
            (*d).marks |= u64::from(mark(key.payload)) << (8 * n);
        }
    }
}

/// Entry of a short string.
///
/// # Safety
/// [GC-LIVE] dictionary and key are alive.
#[inline]
pub unsafe fn dict_find_short(d: *mut Dict, key: *mut Str) -> *mut DictEntry {
    let key = Value::ptr(key, Tag::STRING);
    // The hash costs nothing here, and keeps the entries of other keys out of it.
    // SAFETY: [GC-LIVE].
    unsafe {
        find(d, spot_object(key.payload), mark(key.payload), |e| {
            e.key_payload == key.payload && e.key_tag == key.tag
        })
    }
}

/// Entry of an integer, which is mostly at its home: that is looked at before the hash is made.
///
/// # Safety
/// [GC-LIVE] the dictionary is alive.
#[inline]
pub unsafe fn dict_find_int(d: *mut Dict, key: i64) -> *mut DictEntry {
    let payload = key as u64;
    let same = |e: &DictEntry| e.key_payload == payload && e.key_tag == Tag::INT;
    // SAFETY: [GC-LIVE]; the home is masked, and a word that is not 0 names an entry.
    unsafe {
        let mask = (*d).index_mask;
        if mask == 0 {
            return find_marked(d, mark(payload), same);
        }
        let word = *(*d).index.add((spot_int(payload).home & mask) as usize);
        if word == 0 {
            return null_mut();
        }
        let e = (*d).entries.add((word & mask) as usize - 1);
        if same(&*e) {
            return e;
        }
        find_int_far(d, payload)
    }
}
#[inline(never)]
unsafe fn find_int_far(d: *mut Dict, payload: u64) -> *mut DictEntry {
    // SAFETY: [GC-LIVE] as the caller.
    unsafe {
        find(d, spot_int(payload), mark(payload), |e| {
            e.key_payload == payload && e.key_tag == Tag::INT
        })
    }
}

/// Number of the entry of a key for `next`: as [`dict_find`], and dead keys match by payload.
///
/// # Safety
/// [GC-LIVE] the dictionary is alive. The key may be an object that was collected in the meantime, if it is
/// not a string.
pub unsafe fn dict_position(d: *mut Dict, key: Value) -> Option<u32> {
    // SAFETY: [GC-LIVE].
    unsafe {
        let e = dict_find(d, key);
        if !e.is_null() {
            return Some(e.offset_from((*d).entries) as u32);
        }
        if key.tag.is_collectable() {
            for i in 0..(*d).used {
                let e = (*d).entries.add(i as usize);
                if (*e).key_tag == Tag::DEADKEY && (*e).key_payload == key.payload {
                    return Some(i);
                }
            }
        }
        None
    }
}

/// Appends an entry for a key that is not there. The barrier is the caller's.
///
/// # Safety
/// [GC-LIVE]; `used < cap`.
#[inline]
pub unsafe fn dict_push(d: *mut Dict, key: Value, val: Value) -> *mut DictEntry {
    // SAFETY: [GC-LIVE]; there is room, as promised.
    unsafe {
        let n = (*d).used;
        debug_assert!(n < (*d).cap);
        let e = (*d).entries.add(n as usize);
        *e = DictEntry {
            key_payload: key.payload,
            val_payload: val.payload,
            val_tag: val.tag,
            key_tag: key.tag,
        };
        (*d).used = n + 1;
        if key.tag == Tag::STRING && !str_is_short(key.as_ptr()) {
            (*d).spare |= LONG_KEYS;
        }
        if (*d).index_mask != 0 {
            index_put((*d).index, (*d).index_mask, spot_of(key), n);
        } else {
            (*d).marks |= u64::from(mark_of(key)) << (8 * n);
        }
        e
    }
}

#[cfg(test)]
mod tests;
