//! Prototype role and own ids of tables.

use super::*;

/// Announces a change of a prototype: `fresh` if its id must change even when nobody observes it.
#[cold]
pub(super) unsafe fn proto_changed(g: &mut Global, t: *mut Table, quarters: u8, fresh: bool) {
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
pub(super) unsafe fn renew_id(g: &mut Global, t: *mut Table) {
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
pub(super) unsafe fn lose_id(g: &mut Global, t: *mut Table) {
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
pub(super) unsafe fn proto_store(
    g: &mut Global,
    t: *mut Table,
    key: Value,
    old: Value,
    new: Value,
) {
    // SAFETY: [GC-LIVE].
    unsafe {
        if is_proto(t) && key.tag == Tag::STRING && !old.same(new) {
            end_plain(g, t);
            proto_store_slow(g, t, key.as_ptr(), old, new);
        }
    }
}

#[cold]
pub(super) unsafe fn proto_store_slow(
    g: &mut Global,
    t: *mut Table,
    key: *mut Str,
    old: Value,
    new: Value,
) {
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
            end_plain(g, t);
            return;
        }
        (*t).hdr.flags |= flags::TAB_PROTO;
        // what its metatable says is to be observed, too
        if !(*t).metatable.is_null() {
            end_plain(g, (*t).metatable);
        }
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

/// Makes `mt`, the metatable that `t` is about to get, a plain one ([`crate::shape::plain_shape`]), if it can be: nothing but a table in
/// `__index`, and no other object. That costs less than the role of a prototype, and traces can know what objects of one kind inherit
/// although each has a metatable of its own.
///
/// # Safety
/// [GC-LIVE] both are alive.
unsafe fn make_plain(g: &mut Global, t: *mut Table, mt: *mut Table) -> bool {
    // SAFETY: [GC-LIVE]; the slots of a shape's keys exist in its tables; [GC-BARRIER] through `touch`.
    unsafe {
        let known = flags::TAB_DICT | flags::TAB_PROTO | flags::TAB_OWN_ID | flags::TAB_VOLATILE;
        let s = (*mt).shape;
        if (*t).hdr.flags & known != 0
            || (*mt).hdr.flags & (known | flags::TAB_META_SEEN | flags::TAB_WEAK) != 0
            || (*s).nfields != 1
            || (*s).key != g.hot.meta_names[MetaMethod::Index as usize]
            || !(*mt).metatable.is_null()
        {
            return false;
        }
        let target = run_get((*mt).hash as *const u64, 0);
        if target.tag != Tag::TABLE || target.as_ptr() == mt {
            return false;
        }
        let target = target.as_ptr::<Table>();
        table_mark_proto(g, target);
        let Some(s) = plain_shape(g, target) else {
            return false;
        };
        (*mt).hdr.flags |= flags::TAB_PROTO;
        (*mt).meta_absent = !(1 << MetaMethod::Index as u32);
        set_shape(mt, s);
        touch(g, mt);
        true
    }
}

/// The table is no plain metatable any more, if it was one: it is about to change, or to be used in another way.
///
/// # Safety
/// [GC-LIVE] the table is alive.
pub(super) unsafe fn end_plain(g: &mut Global, t: *mut Table) {
    // SAFETY: [GC-LIVE]; [GC-BARRIER] through `touch`.
    unsafe {
        if (*(*t).shape).shape_flags & shape_flags::PLAIN == 0 {
            return;
        }
        (*t).meta_absent = 0;
        match private_shape(g, (*t).shape, (*t).metatable, shape_flags::PROTO) {
            Some(s) => {
                set_shape(t, s);
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
        end_plain(g, t);
        if !mt.is_null() && !make_plain(g, t, mt) {
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
