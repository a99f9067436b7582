//! Weak tables and ephemerons, and the atomic phase that settles them.
//!
//! Semantics and order are those of Lua 5.4: values of weak-value tables are removed before objects with
//! finalizers are resurrected, keys after; strings are values and never removed. What is new is how ephemerons
//! converge: an entry whose key is white waits in a table by its key, and marking that object wakes it, so
//! every entry is looked at a bounded number of times whatever the order of tables and chains.

use crate::mark::plain_kind;
use crate::{Heap, Phase, WeakMode};
use std::collections::HashMap;
use traceorus_base::objects::*;
use traceorus_base::value::{Tag, Value};

/// Entries of ephemeron tables whose keys are white.
#[derive(Default)]
pub(crate) struct Waiting {
    /// First node of each key.
    by_key: HashMap<usize, u32>,
    /// Value and next node (0: none; node numbers are off by one).
    nodes: Vec<(*mut GcHeader, u32)>,
    /// Keys that were marked since.
    awake: Vec<u32>,
}

impl Waiting {
    fn clear(&mut self) {
        *self = Waiting::default();
    }
}

/// Table with what is weak in it.
pub(crate) type WeakTable = (*mut Table, WeakMode);

impl Heap {
    /// Scans a weak table. Its structure is marked already. Whatever the phase, the table is noted for the
    /// atomic phase, which calls this again.
    pub(crate) unsafe fn scan_weak(&mut self, t: *mut Table, mode: WeakMode) {
        // SAFETY: [GC-LAYOUT].
        unsafe {
            if self.phase == Phase::Mark {
                self.weak_seen.push(t);
            } else {
                self.weak.push((t, mode));
            }
            let dict = (*t).hdr.flags & flags::TAB_DICT != 0;
            if mode == WeakMode::Keys {
                // integers and strings are never collected as keys: their values are strong
                if (*t).arr_cap > 0 && !plain_kind((*t).hdr.extra) {
                    self.scan_tagged((*t).array, 0, (*t).arr_cap as usize);
                }
                if !dict {
                    self.scan_tagged((*t).hash.cast(), 0, (*t).field_cap as usize);
                }
            }
            if !dict || (*t).hash.is_null() {
                return;
            }
            let d: *mut Dict = (*t).hash.cast();
            let pinned = (*t).hdr.flags & flags::TAB_OWN_ID != 0;
            self.work += 24 * (*d).used as usize;
            for i in 0..(*d).used as usize {
                let e = (*d).entries.add(i);
                if (*e).val_tag == Tag::NIL {
                    self.nil_entry(e, pinned);
                    continue;
                }
                let key = Value::new((*e).key_payload, (*e).key_tag);
                let val = Value::new((*e).val_payload, (*e).val_tag);
                match mode {
                    WeakMode::Values => self.mark_value(key),
                    WeakMode::Keys if !self.is_cleared(key) => self.mark_value(val),
                    WeakMode::Keys
                        if self.phase == Phase::Atomic
                            && val.tag.is_collectable()
                            && !self.bit(val.as_ptr()) =>
                    {
                        let w = &mut self.waiting;
                        let next = w.by_key.entry(key.payload as usize).or_insert(0);
                        w.nodes.push((val.as_ptr(), *next));
                        *next = w.nodes.len() as u32;
                    }
                    _ => {}
                }
            }
        }
    }

    /// An object was marked while ephemeron entries wait.
    #[inline]
    pub(crate) fn key_marked(&mut self, p: *mut GcHeader) {
        if !self.waiting.nodes.is_empty()
            && let Some(first) = self.waiting.by_key.remove(&p.addr())
        {
            self.waiting.awake.push(first);
        }
    }

    /// Marks the values of entries whose keys were marked; false if there are none.
    pub(crate) unsafe fn wake_entries(&mut self) -> bool {
        let Some(mut n) = self.waiting.awake.pop() else {
            return false;
        };
        while n != 0 {
            let (val, next) = self.waiting.nodes[n as usize - 1];
            // SAFETY: [GC-LIVE] values of a live table are intact.
            unsafe { self.mark_object(val) };
            n = next;
        }
        true
    }

    /// Whether a key or value of a weak table is to be removed. Strings are marked instead.
    unsafe fn is_cleared(&mut self, v: Value) -> bool {
        if !v.tag.is_collectable() {
            return false;
        }
        // SAFETY: [GC-LIVE] nothing was swept yet.
        unsafe {
            if v.tag == Tag::STRING {
                self.mark_value(v);
                return false;
            }
            !self.bit(v.as_ptr())
        }
    }

    /// Ends marking. What was marked is then exactly what lives: what is reachable from the roots now, what
    /// the barrier or a scan found reachable earlier in the cycle, and what finalizers will see.
    pub(crate) unsafe fn atomic(&mut self) {
        debug_assert!(self.phase == Phase::Mark);
        self.phase = Phase::Atomic;
        let hooks = self.hooks;
        // SAFETY: [GC-LAYOUT]; [GC-HOOK]. The mutator does not run.
        unsafe {
            self.watch = true;
            self.mark_roots();
            self.requeue_forwarded();
            self.gray.extend(self.grayagain.drain(..).map(|p| p.addr()));
            self.propagate(usize::MAX);
            let mut seen = core::mem::take(&mut self.weak_seen);
            seen.sort_unstable();
            seen.dedup();
            self.gray.extend(seen.iter().map(|t| t.addr()));
            self.propagate(usize::MAX);
            // all that is strongly reachable is marked
            self.clear_values(0);
            let before = self.weak.len();
            self.separate_white();
            for i in 0..self.tobefnz.len() {
                let o = self.tobefnz[i];
                self.mark_object(o);
            }
            self.propagate(usize::MAX);
            // all that finalizers can reach is marked, too
            self.clear_keys();
            self.clear_values(before);
            self.watch = false;
            self.weak.clear();
            self.waiting.clear();
            self.prune_shapes();
            debug_assert!(self.gray.is_empty() && self.grayagain.is_empty());
            self.new_runs.clear();
            self.busy = true;
            (hooks.atomic_done)(hooks.ctx, self);
            self.busy = false;
            debug_assert!(self.gray.is_empty(), "atomic_done must not mark");
            (*self.global).gc_marking = 0;
            (*self.global).proto_epoch = (*self.global).proto_epoch.wrapping_add(1);
            self.stats.cycles += 1;
            self.live_estimate = self.used;
            self.swept_before = self.stats.swept_bytes;
            self.begin_sweep();
            if !self.tobefnz.is_empty() {
                (hooks.queue_finalizers)(hooks.ctx);
            }
        }
    }

    /// Removes entries with dead values from the tables noted from `from` on.
    unsafe fn clear_values(&mut self, from: usize) {
        for i in from..self.weak.len() {
            let (t, mode) = self.weak[i];
            if mode == WeakMode::Keys {
                continue;
            }
            // SAFETY: [GC-LAYOUT]; storing nil needs no barrier.
            unsafe {
                if (*t).arr_cap > 0
                    && !plain_kind((*t).hdr.extra)
                    && self.clear_tagged((*t).array, (*t).arr_cap as usize)
                {
                    (*t).hdr.extra = Tag::ANY.byte() as u8;
                }
                if (*t).hdr.flags & flags::TAB_DICT == 0 {
                    self.clear_tagged((*t).hash.cast(), (*t).field_cap as usize);
                } else if !(*t).hash.is_null() {
                    self.clear_entries(t, |h, e| {
                        h.is_cleared(Value::new((*e).val_payload, (*e).val_tag))
                    });
                }
            }
        }
    }

    /// Removes entries with dead keys.
    unsafe fn clear_keys(&mut self) {
        for i in 0..self.weak.len() {
            let (t, mode) = self.weak[i];
            // SAFETY: [GC-LAYOUT].
            unsafe {
                if mode != WeakMode::Values
                    && (*t).hdr.flags & flags::TAB_DICT != 0
                    && !(*t).hash.is_null()
                {
                    self.clear_entries(t, |h, e| {
                        h.is_cleared(Value::new((*e).key_payload, (*e).key_tag))
                    });
                }
            }
        }
    }

    unsafe fn clear_entries(
        &mut self,
        t: *mut Table,
        dead: impl Fn(&mut Heap, *mut DictEntry) -> bool,
    ) {
        // SAFETY: [GC-LAYOUT] the table is in dictionary mode.
        unsafe {
            let d: *mut Dict = (*t).hash.cast();
            let pinned = (*t).hdr.flags & flags::TAB_OWN_ID != 0;
            for i in 0..(*d).used as usize {
                let e = (*d).entries.add(i);
                if (*e).val_tag != Tag::NIL && dead(self, e) {
                    (*e).val_tag = Tag::NIL;
                    (*e).val_payload = 0;
                }
                if (*e).val_tag == Tag::NIL {
                    self.nil_entry(e, pinned);
                }
            }
        }
    }

    /// Stores nil over dead values of a tagged run; true if there was one.
    unsafe fn clear_tagged(&mut self, run: *mut u64, n: usize) -> bool {
        let mut any = false;
        for i in 0..n {
            // SAFETY: [GC-LAYOUT] the run has `n` slots.
            unsafe {
                if self.is_cleared(run_get(run, i)) {
                    run_set(run, i, Value::NIL);
                    any = true;
                }
            }
        }
        any
    }
}
