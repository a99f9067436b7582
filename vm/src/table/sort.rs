//! Sorting an array part by `<`, where no program can see how that is done.

use std::cmp::Ordering;

use traceorus_base::Tag;
use traceorus_base::objects::*;

use super::table_may_move;
use crate::state::Global;
use crate::string::str_bytes;

/// What elements `1..=n` are, if they are all in the array part and of one kind that [`table_sort`] sorts.
///
/// # Safety
/// [GC-LIVE] the table is alive.
pub unsafe fn table_sorts(t: *mut Table, n: usize) -> Option<Tag> {
    // SAFETY: [GC-LIVE] the elements are in the array part.
    unsafe {
        if n == 0 || n as u64 >= u64::from((*t).arr_cap) {
            return None;
        }
        let tags = std::slice::from_raw_parts((*t).array.cast::<i8>().sub(1 + n), n);
        let tag = Tag(i32::from(tags[n - 1]));
        if tags.iter().any(|&b| b != tag.byte()) {
            return None;
        }
        match tag {
            // Neither NaNs nor negative zeros: then the total order is the order.
            Tag::FLOAT => std::slice::from_raw_parts((*t).array.add(1).cast::<f64>(), n)
                .iter()
                .all(|x| !x.is_nan() && (*x != 0.0 || x.is_sign_positive()))
                .then_some(tag),
            Tag::INT | Tag::STRING => Some(tag),
            _ => None,
        }
    }
}

/// Sorts elements `1..=n` if they are integers, floats or strings; false if the algorithm might show, or the array part does not hold
/// them, or the collector would have to be told of each move.
///
/// # Safety
/// [GC-LIVE] the table is alive.
pub unsafe fn table_sort(g: &mut Global, t: *mut Table, n: usize) -> bool {
    // SAFETY: [GC-LIVE] elements 1..=n are in the array part; nothing runs that could touch the table meanwhile;
    // [GC-BARRIER] only values without objects, or with leave to move them, are moved, and tags stay as they are.
    unsafe {
        let Some(tag) = table_sorts(t, n) else {
            return false;
        };
        let first = (*t).array.add(1);
        match tag {
            Tag::INT => std::slice::from_raw_parts_mut(first.cast::<i64>(), n).sort_unstable(),
            Tag::FLOAT => std::slice::from_raw_parts_mut(first.cast::<f64>(), n)
                .sort_unstable_by(f64::total_cmp),
            _ => {
                if !table_may_move(g, t) {
                    return false;
                }
                let a = std::slice::from_raw_parts_mut(first.cast::<*mut Str>(), n);
                a.sort_unstable_by(|&a, &b| {
                    if a == b {
                        Ordering::Equal
                    } else {
                        str_bytes(a).cmp(str_bytes(b))
                    }
                });
            }
        }
    }
    true
}
