//! Shapes (hidden classes): ordered string keys and a metatable.
//!
//! * **Canonical.** A shape is found from a root by its keys in order; roots are `hot.empty_shape` (no
//!   metatable), one per metatable, and `uncached_root` for the first object of every metatable
//!   (`UNCACHED_META`: the tables of that family have any metatable). A metatable earns its own root with its
//!   second object (`TAB_META_SEEN`). That root hangs off the `parent` of the metatable's private shape, so it
//!   lives exactly as long as the metatable.
//! * **Weak.** A table keeps its shape alive, a shape its parents, key and metatable; children (`trans`) are
//!   weak and the collector removes dead ones. Ids are never reused; when they run out no shape is made any
//!   more and tables become dictionaries.
//! * **Plain.** A metatable made for one object, which only says in which table what the object lacks is found
//!   (`setmetatable(o, {__index = C})`), has a shape of its kind with all that name the same table
//!   ([`plain_shape`]), until it gets another object or is changed.
//! * **Private.** A prototype, and a dictionary whose entries are cached, owns a shape that nobody shares
//!   ([`private_shape`]). "Replacing" it means to give the same object a fresh id.
//! * **Budget.** [`MAX_FIELDS`] keys per shape and [`MAX_SHAPES`] shapes per state.
//!
//! There are no kinds in shapes yet: they come with the trace compiler.
//!
//! Fields that mean something else in a private shape: `parent` is the root of the shapes whose metatable the
//! owner is (or null); `trans_cap`, `trans_len` (with `trans` null) are a 64-bit filter of the keys that are
//! known to change ([`proto_key_bit`]); `hdr.extra` counts changes.

use core::ptr::{copy_nonoverlapping, null_mut};

use rustc_hash::FxHashMap;

use traceorus_base::meta::MetaMethod;
use traceorus_base::objects::{
    ObjKind, Shape, Str, Table, USERDATA_BIT, flags, run_get, shape_flags,
};
use traceorus_base::value::Value;
use traceorus_gc::Marker;

use crate::dict::mix;
use crate::state::Global;

/// Most keys of a shape; a table with more is a dictionary.
pub const MAX_FIELDS: u32 = 64;
/// Most live shared shapes of a state.
pub const MAX_SHAPES: usize = 16384;
/// Bit of `Shape::shape_flags`, private shapes only: a look-up through the owner was cached since its last
/// change ([`crate::table::table_is_cacheable`]), so a change must be announced.
pub const OBSERVED: u32 = 0x100;

const CACHE: usize = 1024;
const META_CACHE: usize = 128;
/// Ids from here on are not given out: the look-up cache has other uses for the last bit.
const LAST_ID: u32 = USERDATA_BIT - 16;
const ABSENT: u32 = u32::MAX;

/// Entry of the (shape id, key) cache. Never has to be cleared: ids are not reused, and a shape holds its keys
/// and never changes them without a new id, so that neither a slot nor an absence can become wrong.
#[derive(Clone, Copy)]
struct CacheEntry {
    key: *mut Str,
    id: u32,
    slot: u32,
}

/// Entry of the (shape, metatable) cache; cleared at each collection. For first objects of metatables the uncached root stands for the
/// metatable.
#[derive(Clone, Copy)]
struct MetaEntry {
    id: u32,
    mt: *mut Table,
    to: *mut Shape,
}

/// Shape tables of a state.
pub struct ShapeState {
    cache: Box<[CacheEntry; CACHE]>,
    meta: Box<[MetaEntry; META_CACHE]>,
    /// Shared shapes, for the budget. Weak.
    all: Vec<*mut Shape>,
    /// Root of the shapes of tables that are the first of their metatable.
    pub uncached_root: *mut Shape,
    /// Shapes of plain metatables by the table in `__index`. Weak, both.
    plain: FxHashMap<*mut Table, *mut Shape>,
}

const NO_META: MetaEntry = MetaEntry {
    id: 0,
    mt: null_mut(),
    to: null_mut(),
};

impl ShapeState {
    /// Tables without shapes; [`init`] makes the first ones.
    #[expect(clippy::new_without_default, reason = "incomplete until init")]
    pub fn new() -> ShapeState {
        ShapeState {
            // SAFETY: entries are plain data for which all zeroes is valid: no shape has the id 0.
            cache: unsafe { Box::new_zeroed().assume_init() },
            meta: Box::new([NO_META; META_CACHE]),
            all: Vec::new(),
            uncached_root: null_mut(),
            plain: FxHashMap::default(),
        }
    }
    /// Live shared shapes, as of the last collection plus those made since.
    pub fn count(&self) -> usize {
        self.all.len()
    }
}

/// Makes the roots `hot.empty_shape`, `hot.dict_shape` and the uncached one.
///
/// # Safety
/// The state's heap works.
pub unsafe fn init(g: &mut Global) {
    // SAFETY: fresh objects.
    unsafe {
        if g.hot.next_shape_id == 0 {
            g.hot.next_shape_id = 1;
        }
        let make = |g: &mut Global, f: u32| {
            let id = fresh_id(g).unwrap_or(0);
            shape_alloc(g, id, f)
        };
        g.hot.empty_shape = make(g, 0);
        g.hot.dict_shape = make(g, shape_flags::DICT);
        g.shapes.uncached_root = make(g, shape_flags::UNCACHED_META);
    }
}

/// Gives the roots that are not in `hot` to the collector.
///
/// # Safety
/// Called from the collector's `mark_roots` hook.
pub unsafe fn mark_roots(g: &mut Global, m: &mut Marker<'_>) {
    // SAFETY: [GC-LIVE] a root is never freed.
    unsafe { m.object(g.shapes.uncached_root) };
}

/// Forgets what the collector is about to free. For the collector's `atomic_done` hook: marks are complete,
/// nothing is swept yet.
///
/// # Safety
/// Called from that hook.
pub unsafe fn shapes_clear_dead(g: &mut Global) {
    let heap = &g.heap;
    // SAFETY: dead shapes are not swept yet, their headers can be looked at.
    g.shapes
        .all
        .retain(|&s| unsafe { heap.is_marked(&raw const (*s).hdr) });
    g.shapes.meta.fill(NO_META);
    // SAFETY: as above.
    g.shapes.plain.retain(|&t, &mut s| unsafe {
        heap.is_marked(&raw const (*t).hdr) && heap.is_marked(&raw const (*s).hdr)
    });
}

/// A new id, or `None` when they have run out.
#[inline]
pub fn fresh_id(g: &mut Global) -> Option<u32> {
    let id = g.hot.next_shape_id;
    if id >= LAST_ID {
        return None;
    }
    g.hot.next_shape_id = id + 1;
    Some(id)
}

unsafe fn shape_alloc(g: &mut Global, id: u32, flags: u32) -> *mut Shape {
    // SAFETY: a fresh object of the right size, completely written.
    unsafe {
        let s = g.heap.alloc(ObjKind::Shape, size_of::<Shape>()) as *mut Shape;
        (*s).hdr.word = id;
        (*s).parent = null_mut();
        (*s).key = null_mut();
        (*s).metatable = null_mut();
        (*s).nfields = 0;
        (*s).shape_flags = flags;
        (*s).keys = null_mut();
        (*s).trans = null_mut();
        (*s).trans_cap = 0;
        (*s).trans_len = 0;
        s
    }
}

/// Takes the barrier after anything was stored into a shape.
#[inline(always)]
unsafe fn touch(g: &mut Global, s: *mut Shape) {
    // SAFETY: [GC-LIVE] `s` is alive; [GC-BARRIER] this is it.
    unsafe {
        if (*s).hdr.barrier != 0 {
            g.heap.barrier(&raw mut (*s).hdr, Value::NIL);
        }
    }
}

/// Root of the shapes with metatable `mt` (null: none). For a metatable without a root of its own (it cannot
/// have one when ids have run out) the uncached root.
///
/// # Safety
/// [GC-LIVE] `mt` is null or alive and has the prototype role.
pub unsafe fn shape_root(g: &mut Global, mt: *mut Table) -> *mut Shape {
    // SAFETY: [GC-LIVE]; a prototype's shape is its own, see the module's page.
    unsafe {
        if mt.is_null() {
            return g.hot.empty_shape;
        }
        let own = (*mt).shape;
        if (*own).shape_flags & shape_flags::PROTO == 0 {
            return g.shapes.uncached_root;
        }
        if (*own).parent.is_null() {
            let Some(id) = fresh_id(g) else {
                return g.shapes.uncached_root;
            };
            let root = shape_alloc(g, id, 0);
            (*root).metatable = mt;
            (*own).parent = root;
            touch(g, own);
            g.shapes.all.push(root);
        }
        (*own).parent
    }
}

/// Slot of `key` in `s`, if it has it. For long strings, and for shapes of dictionaries, `None`.
///
/// # Safety
/// [GC-LIVE] both are alive.
#[inline]
pub unsafe fn shape_find(g: &mut Global, s: *mut Shape, key: *mut Str) -> Option<u32> {
    // SAFETY: [GC-LIVE].
    unsafe {
        let id = (*s).hdr.word;
        let i = (id.wrapping_mul(0x9e37_79b1) >> 12) as usize ^ (key as usize >> 4);
        let e = &mut g.shapes.cache[i & (CACHE - 1)];
        if e.key == key && e.id == id {
            return if e.slot == ABSENT { None } else { Some(e.slot) };
        }
        let found = shape_find_slow(s, key);
        *e = CacheEntry {
            key,
            id,
            slot: found.unwrap_or(ABSENT),
        };
        found
    }
}

/// [`shape_find`] without the state's cache.
///
/// # Safety
/// [GC-LIVE] both are alive.
pub unsafe fn shape_find_slow(s: *mut Shape, key: *mut Str) -> Option<u32> {
    // SAFETY: [GC-LIVE] a shape keeps its keys and parents alive; a `keys` run has `nfields` elements.
    unsafe {
        if !(*s).keys.is_null() {
            let keys = core::slice::from_raw_parts((*s).keys, (*s).nfields as usize);
            return keys.iter().position(|&k| k == key).map(|i| i as u32);
        }
        if (*s).shape_flags & (shape_flags::DICT | shape_flags::PROTO) != 0 {
            return None;
        }
        let mut p = s;
        while (*p).nfields != 0 {
            if (*p).key == key {
                return Some((*p).nfields - 1);
            }
            p = (*p).parent;
        }
        None
    }
}

/// Key in slot `i`.
///
/// # Safety
/// [GC-LIVE] `s` is alive and has more than `i` keys.
pub unsafe fn shape_key_at(s: *mut Shape, i: u32) -> *mut Str {
    // SAFETY: [GC-LIVE]; `i < nfields`.
    unsafe {
        if !(*s).keys.is_null() {
            return *(*s).keys.add(i as usize);
        }
        let mut p = s;
        while (*p).nfields != i + 1 {
            p = (*p).parent;
        }
        (*p).key
    }
}

/// The keys in slot order; makes the run if it is not there yet ([`keys_size`] bytes).
///
/// # Safety
/// [GC-LIVE] `s` is alive, and as long as the slice is used.
pub unsafe fn shape_keys(g: &mut Global, s: *mut Shape) -> &'static [*mut Str] {
    // SAFETY: [GC-LIVE]; the run belongs to `s`.
    unsafe {
        let n = (*s).nfields as usize;
        if n == 0 {
            return &[];
        }
        if (*s).keys.is_null() {
            let run = g.heap.alloc_run(keys_size(n)) as *mut *mut Str;
            let mut p = s;
            for i in (0..n).rev() {
                *run.add(i) = (*p).key;
                p = (*p).parent;
            }
            (*s).keys = run;
            touch(g, s);
        }
        core::slice::from_raw_parts((*s).keys, n)
    }
}

/// Bytes of a run of `n` keys.
pub const fn keys_size(n: usize) -> usize {
    8 * n
}

/// Shape with one more key, or `None` when a budget is used up or `s` cannot have children (shapes of
/// dictionaries and prototypes). `key` is a short string that `s` lacks.
///
/// # Safety
/// [GC-LIVE] both are alive.
pub unsafe fn shape_add(g: &mut Global, s: *mut Shape, key: *mut Str) -> Option<*mut Shape> {
    // SAFETY: [GC-LIVE]; `trans` has `trans_cap` elements, a power of two, at least one of them null. Its order
    // is the collector's `trans_home`: by the hash of the key, upwards.
    unsafe {
        let hash = (*key).hdr.word;
        let mask = (*s).trans_cap.wrapping_sub(1);
        if !(*s).trans.is_null() {
            let mut i = hash & mask;
            loop {
                let child = *(*s).trans.add(i as usize);
                if child.is_null() {
                    break;
                }
                if (*child).key == key {
                    return Some(child);
                }
                i = (i + 1) & mask;
            }
        }
        if (*s).nfields >= MAX_FIELDS
            || (*s).shape_flags & (shape_flags::DICT | shape_flags::PROTO | shape_flags::PLAIN) != 0
            || g.shapes.all.len() >= MAX_SHAPES
        {
            return None;
        }
        let id = fresh_id(g)?;
        let child = shape_alloc(g, id, (*s).shape_flags & shape_flags::UNCACHED_META);
        (*child).parent = s;
        (*child).key = key;
        (*child).metatable = (*s).metatable;
        (*child).nfields = (*s).nfields + 1;
        g.shapes.all.push(child);
        if ((*s).trans_len + 1) * 4 > (*s).trans_cap * 3 {
            let old = (*s).trans;
            let old_cap = (*s).trans_cap;
            let cap = (old_cap * 2).max(2);
            let run = g.heap.alloc_run(8 * cap as usize) as *mut *mut Shape;
            for i in 0..cap as usize {
                *run.add(i) = null_mut();
            }
            for i in 0..old_cap as usize {
                let c = *old.add(i);
                if !c.is_null() {
                    trans_put(run, cap, c);
                }
            }
            (*s).trans = run;
            (*s).trans_cap = cap;
            if !old.is_null() {
                g.heap.free_run(old.cast(), 8 * old_cap as usize);
            }
        }
        trans_put((*s).trans, (*s).trans_cap, child);
        (*s).trans_len += 1;
        touch(g, s);
        Some(child)
    }
}

unsafe fn trans_put(run: *mut *mut Shape, cap: u32, child: *mut Shape) {
    // SAFETY: the run has `cap` elements, at least one of them null.
    unsafe {
        let mut i = (*(*child).key).hdr.word & (cap - 1);
        while !(*run.add(i as usize)).is_null() {
            i = (i + 1) & (cap - 1);
        }
        *run.add(i as usize) = child;
    }
}

/// Shape with the same keys in the same order under metatable `mt` (null: none); null when a budget is used
/// up. Decides by `TAB_META_SEEN` whether this is the metatable's first object, and sets it.
///
/// # Safety
/// [GC-LIVE] both are alive; `s` is shared and no dictionary's; `mt` is null or has the prototype role.
pub unsafe fn shape_with_meta(g: &mut Global, s: *mut Shape, mt: *mut Table) -> *mut Shape {
    // SAFETY: [GC-LIVE]; cached shapes are alive, because the cache is cleared at each collection and what it
    // returns is stored into a table behind a barrier.
    unsafe {
        let seen = mt.is_null() || (*mt).hdr.flags & flags::TAB_META_SEEN != 0;
        let id = (*s).hdr.word;
        // all metatables are the same for their first objects
        let of = if seen {
            mt
        } else {
            g.shapes.uncached_root.cast()
        };
        let i = (id.wrapping_mul(0x9e37_79b1) >> 16) as usize ^ (of as usize >> 6);
        let i = i & (META_CACHE - 1);
        if !seen {
            (*mt).hdr.flags |= flags::TAB_META_SEEN;
        }
        let e = g.shapes.meta[i];
        if e.id == id && e.mt == of {
            return e.to;
        }
        let mut to = if seen {
            shape_root(g, mt)
        } else {
            g.shapes.uncached_root
        };
        let n = (*s).nfields as usize;
        let mut keys = [null_mut(); MAX_FIELDS as usize];
        let mut p = s;
        for k in keys[..n].iter_mut().rev() {
            *k = (*p).key;
            p = (*p).parent;
        }
        for &k in &keys[..n] {
            match shape_add(g, to, k) {
                Some(child) => to = child,
                None => return null_mut(),
            }
        }
        g.shapes.meta[i] = MetaEntry { id, mt: of, to };
        to
    }
}

/// Shape of metatables that have nothing but `target` in `__index`; `None` when a budget is used up.
///
/// # Safety
/// [GC-LIVE] the table is alive.
pub(crate) unsafe fn plain_shape(g: &mut Global, target: *mut Table) -> Option<*mut Shape> {
    if let Some(&s) = g.shapes.plain.get(&target) {
        return Some(s);
    }
    if g.shapes.plain.len() >= MAX_SHAPES {
        return None;
    }
    let id = fresh_id(g)?;
    // SAFETY: a fresh object; the parent is a root, and the names of events live as long as the state.
    unsafe {
        let s = shape_alloc(g, id, shape_flags::PLAIN);
        (*s).parent = g.hot.empty_shape;
        (*s).key = g.hot.meta_names[MetaMethod::Index as usize];
        (*s).nfields = 1;
        g.shapes.plain.insert(target, s);
        Some(s)
    }
}

/// The table in `__index` of the metatable `mt`, if that is plain.
///
/// # Safety
/// [GC-LIVE] the table is alive.
#[inline]
pub unsafe fn plain_target(mt: *mut Table) -> Option<*mut Table> {
    // SAFETY: [GC-LIVE]; such a table has one field.
    unsafe {
        let plain = (*(*mt).shape).shape_flags & shape_flags::PLAIN != 0;
        plain.then(|| run_get((*mt).hash as *const u64, 0).as_ptr())
    }
}

/// Shape of a constructor with these keys (short strings, none twice); null when a budget is used up.
///
/// # Safety
/// [GC-LIVE] the keys are alive.
pub unsafe fn shape_for_template(g: &mut Global, keys: &[*mut Str]) -> *mut Shape {
    let mut s = g.hot.empty_shape;
    for &k in keys {
        // SAFETY: [GC-LIVE] the caller's promise.
        match unsafe { shape_add(g, s, k) } {
            Some(child) => s = child,
            None => return null_mut(),
        }
    }
    s
}

/// A shape of dictionary kind that only lists these keys. No table has it, so it needs no id of its own.
///
/// # Safety
/// [GC-LIVE] the keys are alive.
pub unsafe fn shape_of_keys(g: &mut Global, keys: &[*mut Str]) -> *mut Shape {
    // SAFETY: [GC-LIVE] a fresh shape, private until a template has it.
    unsafe {
        let id = (*g.hot.dict_shape).hdr.word;
        let s = shape_alloc(g, id, shape_flags::DICT);
        for &k in keys {
            private_add_key(g, s, k);
        }
        s
    }
}

/// A shape that belongs to one table: with a copy of the keys of `like` (null: of a dictionary). `None` when
/// ids have run out.
///
/// # Safety
/// [GC-LIVE] `like` and `mt` are null or alive.
pub(crate) unsafe fn private_shape(
    g: &mut Global,
    like: *mut Shape,
    mt: *mut Table,
    flags: u32,
) -> Option<*mut Shape> {
    // SAFETY: [GC-LIVE]; the run has `n` elements.
    unsafe {
        let id = fresh_id(g)?;
        let s = shape_alloc(g, id, flags);
        (*s).metatable = mt;
        if !like.is_null() && (*like).nfields != 0 {
            let keys = shape_keys(g, like);
            let run = g.heap.alloc_run(keys_size(keys.len())) as *mut *mut Str;
            copy_nonoverlapping(keys.as_ptr(), run, keys.len());
            (*s).keys = run;
            (*s).nfields = keys.len() as u32;
        }
        Some(s)
    }
}

/// Adds a key to a private shape of a table in shape mode. The caller gives it a fresh id.
///
/// # Safety
/// [GC-LIVE]; `s` is private, has fewer than [`MAX_FIELDS`] keys and lacks `key`.
pub(crate) unsafe fn private_add_key(g: &mut Global, s: *mut Shape, key: *mut Str) {
    // SAFETY: [GC-LIVE]; the runs have `n` and `n + 1` elements.
    unsafe {
        let n = (*s).nfields as usize;
        let run = g.heap.alloc_run(keys_size(n + 1)) as *mut *mut Str;
        if n != 0 {
            copy_nonoverlapping((*s).keys, run, n);
            g.heap.free_run((*s).keys.cast(), keys_size(n));
        }
        *run.add(n) = key;
        (*s).keys = run;
        (*s).nfields = n as u32 + 1;
        touch(g, s);
    }
}

/// Makes a private shape one of a dictionary.
///
/// # Safety
/// [GC-LIVE]; `s` is private.
pub(crate) unsafe fn private_to_dict(g: &mut Global, s: *mut Shape) {
    // SAFETY: [GC-LIVE]; the run belongs to `s` alone.
    unsafe {
        if !(*s).keys.is_null() {
            g.heap
                .free_run((*s).keys.cast(), keys_size((*s).nfields as usize));
        }
        (*s).keys = null_mut();
        (*s).nfields = 0;
        (*s).shape_flags |= shape_flags::DICT;
    }
}

/// Sets the metatable of a private shape.
///
/// # Safety
/// [GC-LIVE]; `s` is private.
pub(crate) unsafe fn private_set_meta(g: &mut Global, s: *mut Shape, mt: *mut Table) {
    // SAFETY: [GC-LIVE].
    unsafe {
        (*s).metatable = mt;
        touch(g, s);
    }
}

/// Bit of a key in the filter of changing keys.
#[inline]
fn proto_key_bit(key: *mut Str) -> u64 {
    1 << (mix(key as u64) & 63)
}

/// True when `key` may have been overwritten while look-ups of `s`'s owner were cached. Errs on the side of
/// true.
///
/// # Safety
/// [GC-LIVE]; `s` is private.
pub(crate) unsafe fn private_is_mutable(s: *mut Shape, key: *mut Str) -> bool {
    // SAFETY: [GC-LIVE]; the two words are the filter, see the module's page.
    let filter = unsafe { u64::from((*s).trans_cap) | u64::from((*s).trans_len) << 32 };
    filter & proto_key_bit(key) != 0
}

/// Marks `key` as changing.
///
/// # Safety
/// [GC-LIVE]; `s` is private.
pub(crate) unsafe fn private_set_mutable(s: *mut Shape, key: *mut Str) {
    // SAFETY: as above.
    unsafe {
        let bit = proto_key_bit(key);
        (*s).trans_cap |= bit as u32;
        (*s).trans_len |= (bit >> 32) as u32;
    }
}

#[cfg(test)]
mod tests;
