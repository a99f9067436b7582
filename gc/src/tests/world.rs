//! A fake vm: a state with roots, an intern table, and constructors of objects by their layouts.

use crate::*;
use core::mem::MaybeUninit;
use core::ptr::null_mut;
use traceorus_base::objects::*;
use traceorus_base::value::{Tag, Value};

/// State of the fake vm.
pub struct World {
    pub hot: GlobalHot,
    pub heap: MaybeUninit<Heap>,
    pub roots: Vec<Value>,
    pub buckets: Vec<*mut Str>,
    pub queued: bool,
    /// Weak pointers that `atomic_done` clears.
    pub cache: Vec<*mut GcHeader>,
    pub mode: *mut Str,
    pub host: Host,
}

/// State of the fake host.
#[derive(Default)]
pub struct Host {
    pub live: usize,
    pub calls: usize,
    /// Refuse requests from this one on, and how many; counting from 1; 0: none.
    pub fail_at: usize,
    pub fail_for: usize,
}

unsafe extern "C" fn host_alloc(ud: *mut u8, p: *mut u8, old: usize, new: usize) -> *mut u8 {
    unsafe {
        let h: *mut Host = ud.cast();
        if new == 0 {
            (*h).live -= old;
            libc::free(p.cast());
            return null_mut();
        }
        if new > old {
            (*h).calls += 1;
            let at = (*h).fail_at;
            if at != 0 && (at..at.saturating_add((*h).fail_for)).contains(&(*h).calls) {
                return null_mut();
            }
        }
        (*h).live = (*h).live + new - old;
        libc::realloc(p.cast(), new).cast()
    }
}

unsafe fn mark_roots(ctx: *mut u8, m: &mut Marker<'_>) {
    unsafe {
        let w: *mut World = ctx.cast();
        for &v in &(*w).roots {
            m.value(v);
        }
        m.object((*w).mode);
    }
}

/// `__mode` of the fake vm: field 0 of the metatable, an integer.
unsafe fn table_mode(_: *mut u8, t: *mut Table) -> WeakMode {
    unsafe {
        let mt = (*t).metatable;
        match run_get((*mt).hash.cast(), 0).payload {
            1 => WeakMode::Keys,
            2 => WeakMode::Values,
            3 => WeakMode::Both,
            _ => WeakMode::None,
        }
    }
}

unsafe fn atomic_done(ctx: *mut u8, h: &mut Heap) {
    unsafe {
        let w: *mut World = ctx.cast();
        (*w).cache.retain(|&p| h.is_marked(p));
    }
}

unsafe fn queue_finalizers(ctx: *mut u8) {
    unsafe { (*ctx.cast::<World>()).queued = true }
}

unsafe fn intern_head(ctx: *mut u8, hash: u32) -> *mut *mut Str {
    unsafe {
        let w = &mut *ctx.cast::<World>();
        let at = hash as usize % w.buckets.len();
        &raw mut w.buckets[at]
    }
}

/// Slots that `fields` must have for a run.
fn init_run(p: *mut u8, cap: usize) -> *mut u64 {
    unsafe {
        let (_, tags) = tagged_run_size(cap);
        let q: *mut u64 = p.add(tags).cast();
        for i in 0..cap {
            run_set(q, i, Value::NIL);
        }
        q
    }
}

impl World {
    pub fn new(custom_host: bool) -> Box<World> {
        let mut w = Box::new(World {
            hot: unsafe { MaybeUninit::zeroed().assume_init() },
            heap: MaybeUninit::uninit(),
            roots: vec![Value::NIL; 32],
            buckets: vec![null_mut(); 64],
            queued: false,
            cache: Vec::new(),
            mode: null_mut(),
            host: Host::default(),
        });
        let hooks = Hooks {
            ctx: (&raw mut *w).cast(),
            mark_roots,
            table_mode,
            atomic_done,
            queue_finalizers,
            intern_head,
        };
        let host = if custom_host {
            HostAlloc::Custom {
                f: host_alloc,
                ud: (&raw mut w.host).cast(),
            }
        } else {
            HostAlloc::System
        };
        let hot = &raw mut w.hot;
        w.heap.write(Heap::new(hot, hooks, host));
        w.init_shape();
        w
    }

    pub fn h(&mut self) -> &mut Heap {
        unsafe { self.heap.assume_init_mut() }
    }

    pub fn full(&mut self) {
        unsafe { self.h().full(false) };
        self.verify();
    }

    pub fn verify(&mut self) {
        if let Err(e) = unsafe { self.h().verify() } {
            panic!("verify: {e}");
        }
    }

    /// Strings in the intern table.
    pub fn interned(&self) -> usize {
        let mut n = 0;
        for &head in &self.buckets {
            let mut s = head;
            while !s.is_null() {
                n += 1;
                s = unsafe { (*s).next };
            }
        }
        n
    }

    fn init_shape(&mut self) {
        self.hot.empty_shape = self.shape(null_mut(), null_mut());
    }

    pub fn shape(&mut self, parent: *mut Shape, key: *mut Str) -> *mut Shape {
        unsafe {
            let s: *mut Shape = self.h().alloc(ObjKind::Shape, size_of::<Shape>()).cast();
            (*s).parent = parent;
            (*s).key = key;
            (*s).metatable = null_mut();
            (*s).nfields = if parent.is_null() {
                0
            } else {
                (*parent).nfields + 1
            };
            (*s).shape_flags = 0;
            (*s).keys = null_mut();
            (*s).trans = null_mut();
            (*s).trans_cap = 0;
            (*s).trans_len = 0;
            s
        }
    }

    /// Short strings are interned by bytes.
    pub fn str(&mut self, bytes: &[u8]) -> *mut Str {
        unsafe {
            let hash = bytes
                .iter()
                .fold(7u32, |h, &b| h.wrapping_mul(31).wrapping_add(b.into()));
            let short = bytes.len() <= Str::MAX_SHORT;
            let at = hash as usize % self.buckets.len();
            if short {
                let mut s = self.buckets[at];
                while !s.is_null() {
                    if str_bytes(s) == bytes {
                        self.h().resurrect_string(s);
                        return s;
                    }
                    s = (*s).next;
                }
            }
            let s: *mut Str = self
                .h()
                .alloc(ObjKind::String, Str::size_for(bytes.len()))
                .cast();
            (*s).len = bytes.len() as u64;
            (*s).next = null_mut();
            let data = s.cast::<u8>().add(Str::DATA);
            core::ptr::copy_nonoverlapping(bytes.as_ptr(), data, bytes.len());
            *data.add(bytes.len()) = 0;
            if short {
                (*s).hdr.word = hash;
                (*s).hdr.flags = flags::STR_SHORT;
                (*s).next = self.buckets[at];
                self.buckets[at] = s;
            }
            s
        }
    }

    /// Table with an array part and fields (inline up to 8).
    pub fn table(&mut self, arr: usize, fields: usize) -> *mut Table {
        unsafe {
            let inline = fields > 0 && fields <= Table::INLINE_MAX;
            let size = Table::size_for(if inline { fields } else { 0 });
            let shape = self.hot.empty_shape;
            let t: *mut Table = self.h().alloc(ObjKind::Table, size).cast();
            (*t).hdr.extra = Tag::NIL.byte() as u8;
            (*t).arr_cap = arr as u32;
            (*t).arr_len = 0;
            (*t).array = null_mut();
            (*t).hash = null_mut();
            (*t).metatable = null_mut();
            (*t).shape = shape;
            (*t).field_cap = fields as u32;
            (*t).meta_absent = 0;
            if arr > 0 {
                let p = self.h().alloc_run(tagged_run_size(arr).0);
                (*t).array = init_run(p, arr);
            }
            if inline {
                let p = t.cast::<u8>().add(size_of::<Table>());
                (*t).hash = init_run(p, fields).cast();
            } else if fields > 0 {
                let p = self.h().alloc_run(tagged_run_size(fields).0);
                (*t).hash = init_run(p, fields).cast();
            }
            t
        }
    }

    /// Metatable for a mode (see `table_mode`).
    pub fn mode_table(&mut self, mode: WeakMode) -> *mut Table {
        let mt = self.table(0, 1);
        let n = match mode {
            WeakMode::None => 0,
            WeakMode::Keys => 1,
            WeakMode::Values => 2,
            WeakMode::Both => 3,
        };
        unsafe { run_set((*mt).hash.cast(), 0, Value::int(n)) };
        mt
    }

    /// Empty table in dictionary mode.
    pub fn dict_table(&mut self, cap: usize) -> *mut Table {
        unsafe {
            let t = self.table(0, 0);
            let d: *mut Dict = self.h().alloc(ObjKind::Dict, size_of::<Dict>()).cast();
            (*d).cap = cap as u32;
            (*d).used = 0;
            (*d).index = null_mut();
            (*d).index_mask = 0;
            (*d).marks = 0;
            (*d).entries = self.h().alloc_run(24 * cap).cast();
            (*t).hash = d.cast();
            (*t).hdr.flags |= flags::TAB_DICT;
            t
        }
    }

    pub fn set_meta(&mut self, t: *mut Table, mt: *mut Table) {
        unsafe {
            (*t).metatable = mt;
            self.touch(t.cast(), Value::ptr(mt, Tag::TABLE));
        }
    }

    /// The barrier.
    pub fn touch(&mut self, o: *mut GcHeader, v: Value) {
        unsafe {
            if (*o).barrier != 0 {
                self.h().barrier(o, v);
            }
        }
    }

    pub fn set_array(&mut self, t: *mut Table, i: usize, v: Value) {
        unsafe {
            run_set((*t).array, i, v);
            let kind = &mut (*t).hdr.extra;
            if !v.is_nil() && *kind as i8 != v.tag.byte() {
                *kind = if *kind as i8 == Tag::NIL.byte() {
                    v.tag.byte()
                } else {
                    Tag::ANY.byte()
                } as u8;
            }
            self.touch(t.cast(), v);
        }
    }

    pub fn set_field(&mut self, t: *mut Table, i: usize, v: Value) {
        unsafe { run_set((*t).hash.cast(), i, v) };
        self.touch(t.cast(), v);
    }

    pub fn grow_array(&mut self, t: *mut Table, cap: usize) {
        unsafe {
            let old = (*t).arr_cap as usize;
            if old > 0 && cap > old {
                // in place, as the vm does it
                let ((size, tags), (more, more_tags)) =
                    (tagged_run_size(old), tagged_run_size(cap));
                let start = (*t).array.cast::<u8>().sub(tags);
                let p = self.h().grow_run(start, size, more);
                if !p.is_null() {
                    p.copy_to(p.add(more_tags - tags), size);
                    for i in old..cap {
                        run_set(p.add(more_tags).cast(), i, Value::NIL);
                    }
                    (*t).array = p.add(more_tags).cast();
                    (*t).arr_cap = cap as u32;
                    self.touch(t.cast(), Value::NIL);
                    return;
                }
            }
            let p = self.h().alloc_run(tagged_run_size(cap).0);
            let q = init_run(p, cap);
            for i in 0..old {
                run_set(q, i, run_get((*t).array, i));
            }
            if old > 0 {
                let (size, tags) = tagged_run_size(old);
                let start = (*t).array.cast::<u8>().sub(tags);
                self.h().free_run(start, size);
            }
            (*t).array = q;
            (*t).arr_cap = cap as u32;
            self.touch(t.cast(), Value::NIL);
        }
    }

    /// Position of a key among the entries.
    pub fn find(&self, t: *mut Table, key: Value) -> Option<usize> {
        unsafe {
            let d: *mut Dict = (*t).hash.cast();
            (0..(*d).used as usize).find(|&i| {
                let e = &*(*d).entries.add(i);
                e.key_tag == key.tag && e.key_payload == key.payload
            })
        }
    }

    pub fn get_key(&self, t: *mut Table, key: Value) -> Value {
        match self.find(t, key) {
            Some(i) => unsafe {
                let e = &*(*(*t).hash.cast::<Dict>()).entries.add(i);
                Value::new(e.val_payload, e.val_tag)
            },
            None => Value::NIL,
        }
    }

    pub fn set_key(&mut self, t: *mut Table, key: Value, v: Value) {
        unsafe {
            let d: *mut Dict = (*t).hash.cast();
            if let Some(i) = self.find(t, key) {
                let e = &mut *(*d).entries.add(i);
                (e.val_payload, e.val_tag) = (v.payload, v.tag);
                self.touch(t.cast(), v);
                return;
            }
            if v.is_nil() {
                return;
            }
            if (*d).used == (*d).cap {
                let cap = (*d).cap as usize * 2;
                let new: *mut DictEntry = self.h().alloc_run(24 * cap).cast();
                let mut n = 0;
                for i in 0..(*d).used as usize {
                    let e = *(*d).entries.add(i);
                    if e.val_tag != Tag::NIL {
                        *new.add(n) = e;
                        n += 1;
                    }
                }
                let (old, old_cap) = ((*d).entries, (*d).cap as usize);
                self.h().free_run(old.cast(), 24 * old_cap);
                (*d).entries = new;
                (*d).cap = cap as u32;
                (*d).used = n as u32;
            }
            *(*d).entries.add((*d).used as usize) = DictEntry {
                key_payload: key.payload,
                val_payload: v.payload,
                val_tag: v.tag,
                key_tag: key.tag,
            };
            (*d).used += 1;
            self.touch(t.cast(), key);
            self.touch(t.cast(), v);
        }
    }

    pub fn cell(&mut self, v: Value) -> *mut Cell {
        unsafe {
            let c: *mut Cell = self.h().alloc(ObjKind::Cell, size_of::<Cell>()).cast();
            (*c).value = v;
            c
        }
    }

    pub fn userdata(&mut self, uvs: usize, size: usize) -> *mut Userdata {
        unsafe {
            let u: *mut Userdata = self
                .h()
                .alloc(ObjKind::Userdata, Userdata::block_offset(uvs) + size)
                .cast();
            (*u).hdr.word = uvs as u32;
            (*u).metatable = null_mut();
            (*u).size = size as u64;
            let uv: *mut Value = u.cast::<u8>().add(Userdata::UVALS).cast();
            for i in 0..uvs {
                *uv.add(i) = Value::NIL;
            }
            let block = u.cast::<u8>().add(Userdata::block_offset(uvs));
            core::ptr::write_bytes(block, 0x5a, size);
            u
        }
    }

    pub fn native(&mut self, ups: &[Value]) -> *mut NativeClosure {
        unsafe {
            let size = NativeClosure::size_for(ups.len());
            let c: *mut NativeClosure = self.h().alloc(ObjKind::NativeClosure, size).cast();
            (*c).hdr.extra = ups.len() as u8;
            let up: *mut Value = c.cast::<u8>().add(NativeClosure::UPVALS).cast();
            for (i, &v) in ups.iter().enumerate() {
                *up.add(i) = v;
            }
            c
        }
    }

    /// Prototype with `live` registers at each of `live.len()` words of code.
    pub fn proto(&mut self, live: &[u8], consts: &[Value]) -> *mut Proto {
        unsafe {
            let p: *mut Proto = self.h().alloc(ObjKind::Proto, size_of::<Proto>()).cast();
            core::ptr::write_bytes(p.cast::<u8>().add(8), 0, size_of::<Proto>() - 8);
            let n = live.len();
            (*p).ncode = n as u32;
            (*p).code = self.h().alloc_run(8 * n).cast();
            (*p).live = self.h().alloc_run(n);
            for (i, &l) in live.iter().enumerate() {
                *(*p).code.add(i) = 0;
                *(*p).live.add(i) = l;
            }
            (*p).frame_size = 20;
            if !consts.is_empty() {
                (*p).nconsts = consts.len() as u32;
                (*p).consts = self.h().alloc_run(16 * consts.len()).cast();
                for (i, &v) in consts.iter().enumerate() {
                    *(*p).consts.add(i) = v;
                }
            }
            p
        }
    }

    pub fn closure(&mut self, proto: *mut Proto, cells: &[*mut Cell]) -> *mut LuaClosure {
        unsafe {
            let size = LuaClosure::size_for(cells.len());
            let c: *mut LuaClosure = self.h().alloc(ObjKind::LuaClosure, size).cast();
            (*c).hdr.extra = cells.len() as u8;
            (*c).proto = proto;
            (*c).pc = core::ptr::null();
            let up: *mut *mut Cell = c.cast::<u8>().add(LuaClosure::UPVALS).cast();
            for (i, &v) in cells.iter().enumerate() {
                *up.add(i) = v;
            }
            c
        }
    }

    /// Suspended thread with one native frame of `n` nil slots.
    pub fn thread(&mut self, slots: usize, n: usize) -> *mut Thread {
        unsafe {
            let hot = &raw mut self.hot;
            let t: *mut Thread = self.h().alloc(ObjKind::Thread, size_of::<Thread>()).cast();
            core::ptr::write_bytes(t.cast::<u8>().add(8), 0, size_of::<Thread>() - 8);
            (*t).global = hot;
            (*t).status = thread_status::SUSPENDED;
            let stack: *mut Value = self.h().alloc_run(16 * slots).cast();
            (*t).stack = stack;
            (*t).stack_slots = slots as u64;
            set_func(stack, null_mut(), frame_word(5, 0, 0));
            (*t).base = stack.add(1);
            (*t).top = stack.add(1 + n);
            for i in 0..n {
                *stack.add(1 + i) = Value::NIL;
            }
            for i in n + 1..slots {
                // what lies above the top must not be looked at
                *stack.add(i) = Value::new(0xdead_beef, Tag::TABLE);
            }
            t
        }
    }

    /// Takes a cell as emitted code does.
    pub fn inline_alloc(&mut self, class: usize) -> *mut u8 {
        unsafe {
            let p = self.hot.free[class];
            if p.is_null() {
                return self.h().refill(class);
            }
            self.hot.free[class] = p.cast::<*mut u8>().read();
            p
        }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        unsafe { self.h().destroy() };
        assert_eq!(self.host.live, 0, "memory of the host lost");
    }
}

pub fn frame_word(kind: u64, addr: u64, delta: u64) -> u64 {
    traceorus_base::frame::word(kind, addr, delta)
}

/// Writes a function slot.
pub unsafe fn set_func(slot: *mut Value, f: *mut GcHeader, word: u64) {
    unsafe {
        let p: *mut u64 = slot.cast();
        *p = f.addr() as u64;
        *p.add(1) = word;
    }
}

pub unsafe fn str_bytes<'a>(s: *mut Str) -> &'a [u8] {
    unsafe { core::slice::from_raw_parts(s.cast::<u8>().add(Str::DATA), (*s).len as usize) }
}

pub fn tab(t: *mut Table) -> Value {
    Value::ptr(t, Tag::TABLE)
}
