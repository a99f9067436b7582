//! Growth of tables' parts.

use super::*;

use traceorus_gc::{MAX_SMALL, alloc_size};

/// Slots from which arrays grow by half.
const FIRST_HALF_MORE: u32 = 128;

/// Counts of integer keys by binary order of magnitude.
pub(super) struct Census {
    /// Keys `k` with `bit length of k == index`. Index 0 of the array counts as used.
    pub(super) by_bits: [u64; 32],
    /// Keys in `by_bits`, the free one not counted.
    pub(super) ints: u64,
    /// Live elements and entries seen.
    pub(super) live: u64,
    /// 1 when index 0 is really in use.
    pub(super) zero: u64,
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
    pub(super) fn key(&mut self, i: i64) {
        if i == 0 {
            self.zero = 1;
        } else if (0..i64::from(MAX_ARRAY)).contains(&i) {
            self.by_bits[64 - i.leading_zeros() as usize] += 1;
            self.ints += 1;
        }
    }

    pub(super) unsafe fn array(&mut self, t: *mut Table) {
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
            // [DENSE] so many need not be looked at
            let dense = match Tag(i32::from((*t).hdr.extra as i8)) {
                Tag::NIL | Tag::ANY => 0,
                _ => (*t).arr_len as usize,
            };
            let live = |from: usize, to: usize| {
                let tags = core::slice::from_raw_parts(p.sub(to), to - from);
                tags.iter().filter(|&&b| b != Tag::NIL.0 as u8).count()
            };
            let (mut from, mut bits) = (1, 1);
            while from < cap {
                let to = (from * 2).min(cap);
                let unknown = (dense + 1).clamp(from, to);
                debug_assert_eq!(live(from, unknown), unknown - from);
                let n = (unknown - from + live(unknown, to)) as u64;
                self.by_bits[bits] += n;
                self.ints += n;
                self.live += n;
                from = to;
                bits += 1;
            }
        }
    }

    pub(super) unsafe fn dict(&mut self, d: *mut Dict) {
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
    pub(super) fn best(&self) -> (u32, u64) {
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

/// Capacity for one element more than `cap`, at the end: half as much again and what else the cell has room for, if it is one of more than 1 KiB.
/// None for others, which double: smaller ones, and those so large that memory which is not touched is not taken.
pub(super) fn half_more(cap: u32) -> Option<u32> {
    let (bytes, _) = tagged_run_size((cap + cap / 2) as usize);
    if cap < FIRST_HALF_MORE || bytes > MAX_SMALL {
        return None;
    }
    // tags take whole words
    Some((alloc_size(bytes) - 7) as u32 / 9)
}

/// All elements of the array part from 1 on are known to have values, so a [`Census`] would say that one more doubles it.
pub(super) unsafe fn array_is_full(t: *mut Table) -> bool {
    // SAFETY: [GC-LIVE].
    let (kind, len, cap) = unsafe { ((*t).hdr.extra, (*t).arr_len, (*t).arr_cap) };
    // [DENSE]
    kind != Tag::NIL.0 as u8 && kind != Tag::ANY.0 as u8 && cap != 0 && len == cap - 1
}

/// Kind of slots `0..cap` if the border hint is `len`.
pub(super) unsafe fn array_kind(p: *mut u64, cap: u32, len: u32) -> u8 {
    // SAFETY: the caller promises that the slots exist.
    let tags =
        unsafe { core::slice::from_raw_parts((p as *const u8).sub(cap as usize), cap as usize) };
    let nil = Tag::NIL.0 as u8;
    // [DENSE] tags go down
    let (above, rest) = tags.split_at((cap - 1).saturating_sub(len) as usize);
    let (dense, zero) = rest.split_at(rest.len() - 1);
    match tags.iter().copied().find(|&b| b != nil) {
        None => nil,
        Some(first)
            if dense.iter().all(|&b| b == first)
                && above.iter().chain(zero).all(|&b| b == first || b == nil) =>
        {
            first
        }
        Some(_) => Tag::ANY.0 as u8,
    }
}

/// Elements of an array of this kind have payloads, which have to be copied along. (Of large arrays of true or false their pages are
/// never touched. While a constructor fills an array its kind says nothing, so nil does not count.)
fn has_payloads(kind: u8) -> bool {
    kind != Tag::FALSE.byte() as u8 && kind != Tag::TRUE.byte() as u8
}

/// Changes the capacity of the array part; elements above go to the dictionary, integer keys of the dictionary
/// below come in. With `room != 0` the dictionary (if the table is one) is resized to hold that many keys.
#[cold]
pub(super) unsafe fn array_resize(g: &mut Global, t: *mut Table, cap: u32, room: u32) {
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
        let grown =
            old_cap != 0 && cap > old_cap && old.cast() != inline_run(t) && array_grow(g, t, cap);
        if grown {
        } else if cap == 0 {
            (*t).array = null_mut();
            (*t).hdr.extra = Tag::NIL.0 as u8;
        } else if old_cap != 0
            && old.cast() == inline_run(t)
            && cap >= old_cap
            && cap <= inline_room(old_cap)
        {
            nil_tags(old, old_cap as usize, cap as usize);
        } else {
            let new = tagged_alloc(g, cap as usize);
            let n = cap.min(old_cap) as usize;
            if n != 0 {
                if has_payloads((*t).hdr.extra) {
                    tagged_copy(old, new, n);
                } else {
                    tags_copy(old, new, n);
                }
            }
            (*t).array = new;
            if (*t).hdr.extra == Tag::ANY.0 as u8 {
                (*t).hdr.extra = array_kind(new, cap, (*t).arr_len);
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

/// Makes the array part, a run of its own, larger where it is; false if that cannot be done or a copy costs less.
pub(super) unsafe fn array_grow(g: &mut Global, t: *mut Table, cap: u32) -> bool {
    // SAFETY: [GC-LIVE]; `cap` is above the present capacity; [GC-BARRIER] through `touch`.
    unsafe {
        if !has_payloads((*t).hdr.extra) {
            return false;
        }
        let new = tagged_grow(g, (*t).array, (*t).arr_cap as usize, cap as usize);
        if new.is_null() {
            return false;
        }
        (*t).array = new;
        if (*t).hdr.extra == Tag::ANY.0 as u8 {
            (*t).hdr.extra = array_kind(new, cap, (*t).arr_len);
        }
        (*t).arr_cap = cap;
        touch(g, t);
        true
    }
}

/// True when an entry, be it empty, has an integer key below `cap`.
pub(super) unsafe fn dict_has_array_keys(d: *mut Dict, cap: u32) -> bool {
    // SAFETY: [GC-LIVE]; the first `used` entries are written.
    unsafe {
        dict_entries(d)
            .iter()
            .any(|e| e.key_tag == Tag::INT && e.key_payload < u64::from(cap))
    }
}

pub(super) unsafe fn dict_live(d: *mut Dict) -> u32 {
    // SAFETY: [GC-LIVE]; the first `used` entries are written.
    unsafe {
        dict_entries(d)
            .iter()
            .filter(|e| e.val_tag != Tag::NIL)
            .count() as u32
    }
}

/// Returns a plain dictionary without live entries to shape mode. The `Dict` is left to the collector.
pub(super) unsafe fn dict_to_fields(g: &mut Global, t: *mut Table) {
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
            // [DENSE]
            if matches!((*t).hdr.extra, k if k == Tag::ANY.0 as u8 || k == Tag::NIL.0 as u8) {
                (*t).arr_len = narr as u32;
            }
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
