//! The heap verifier. Its traversal is written apart from the marker's on purpose.
//!
//! It checks that
//! 1. block headers, free lists and the accounting agree;
//! 2. everything reachable from the roots is an allocated cell of a valid kind that fits its tag, no run has
//!    two owners or a wrong size class, and weak references are not dangling either;
//! 3. in the mark phase, no black object refers to a white one, other than through weak edges;
//! 4. in the sweep phase, nothing reachable is condemned;
//! 5. what a settled object refers to is settled, or is a root because it was.

use crate::arena::*;
use crate::mark::{Root, inline_run, plain_kind, run_start, walk_frames};
use crate::sizeclass::*;
use crate::{Heap, Phase, WeakMode};
use std::collections::HashSet;
use traceorus_base::objects::*;
use traceorus_base::value::{Tag, Value};

/// Something that an object refers to.
enum Edge {
    Strong(Value),
    Object(*mut GcHeader),
    Weak(Value),
    Run(*mut u8, usize),
}

impl Heap {
    /// Walks the heap and checks it. Slow. Not for use inside hooks.
    ///
    /// # Safety
    /// As [`Heap::step`]: the mutator is at a safepoint.
    pub unsafe fn verify(&self) -> Result<(), String> {
        // SAFETY: the caller's promise.
        unsafe {
            let free = self.verify_blocks()?;
            self.verify_graph(&free)
        }
    }

    /// Has the heap verified after every `n`-th step or full collection; 0 turns it off. With 1 that is each time the
    /// collector has run, ends of cycles included.
    pub fn set_verify(&mut self, n: u32) {
        self.verify = n;
        self.verify_left = n;
    }

    /// Verifies after a step if that was asked for. A damaged heap ends the process: nothing in it can be trusted.
    ///
    /// # Safety
    /// As [`Heap::step`].
    #[inline]
    pub(crate) unsafe fn verify_step(&mut self) {
        if self.verify > 0 {
            // SAFETY: the caller's promise.
            unsafe { self.verify_or_abort() };
        }
    }

    #[cold]
    unsafe fn verify_or_abort(&mut self) {
        self.verify_left -= 1;
        if self.verify_left > 0 {
            return;
        }
        self.verify_left = self.verify;
        // SAFETY: the caller's promise.
        if let Err(what) = unsafe { self.verify() } {
            let (phase, cycles) = (self.phase, self.stats.cycles);
            eprintln!(
                "traceorus: the heap is damaged: {what} (phase {phase:?}, {cycles} cycles so far)"
            );
            std::process::abort();
        }
    }

    unsafe fn verify_blocks(&self) -> Result<HashSet<usize>, String> {
        let mut free = HashSet::new();
        // SAFETY: [GC-BLOCK] is what is checked; a violation is reported before it is relied upon.
        unsafe {
            for group in 0..GROUPS {
                for class in 0..NUM_CLASSES {
                    let mut p = if group == OBJ {
                        (*self.global).free[class]
                    } else {
                        self.free[group][class]
                    };
                    let mut n = 0;
                    while !p.is_null() {
                        if !self.arena.in_blocks(p) || !free.insert(p.addr()) {
                            return Err(format!("free list {group}/{class}: bad cell {p:?}"));
                        }
                        let b = block_of(p);
                        if (*b).group as usize != group
                            || ((*b).class as usize != class && (*b).class != MIXED)
                            || (*b).epoch != self.epoch
                        {
                            return Err(format!("free list {group}/{class}: {p:?} is elsewhere"));
                        }
                        if (*b).mark[bit_of(p) >> 6] >> (bit_of(p) & 63) & 1 != 0 {
                            return Err(format!("free list {group}/{class}: {p:?} is marked"));
                        }
                        n += 1;
                        p = p.cast::<*mut u8>().read();
                    }
                    if group != OBJ && n != self.free_count[group][class] {
                        return Err(format!("free list {group}/{class}: count"));
                    }
                }
            }
            let mut used = 0;
            for (at, l) in self.lists.iter().flatten().enumerate() {
                let (group, class) = (at / (NUM_CLASSES + 1), at % (NUM_CLASSES + 1));
                for (list, swept) in [(l.avail, true), (l.full, true), (l.unswept, false)] {
                    let mut b = list.head;
                    while !b.is_null() {
                        used += self.verify_block(b, group, class, swept)?;
                        b = (*b).next;
                    }
                }
            }
            for (mut l, swept) in [(self.large, true), (self.large_unswept, false)] {
                while !l.is_null() {
                    if ((*l).epoch == self.epoch) != swept {
                        return Err(format!("large piece {l:?}: wrong list"));
                    }
                    used += (*l).bytes;
                    l = (*l).next;
                }
            }
            if used != self.used {
                return Err(format!("{used} bytes in use, {} accounted", self.used));
            }
        }
        Ok(free)
    }

    unsafe fn verify_block(
        &self,
        b: *mut Block,
        group: usize,
        class: usize,
        swept: bool,
    ) -> Result<usize, String> {
        // SAFETY: as above.
        unsafe {
            let b = &*b;
            let fail = |what| Err(format!("block {b:p} of {group}/{class}: {what}"));
            let mixed = class == NUM_CLASSES;
            if b.group as usize != group || (b.class != if mixed { MIXED } else { class as u8 }) {
                return fail("header");
            }
            if (b.epoch == self.epoch) != swept {
                return fail("epoch");
            }
            if swept && self.phase != Phase::Mark && b.mark.iter().any(|&m| m != 0) {
                return fail("marks left over");
            }
            if mixed {
                return Ok(b.handed as usize);
            }
            let mut handed = 0;
            for (i, &starts) in STARTS[class].iter().enumerate() {
                if b.free[i] & !starts != 0 || b.mark[i] & !starts != 0 {
                    return fail("bits inside cells");
                }
                handed += (starts & !b.free[i]).count_ones();
            }
            if handed != b.handed {
                return fail("count");
            }
            Ok(handed as usize * class_bytes(class))
        }
    }

    unsafe fn verify_graph(&self, free: &HashSet<usize>) -> Result<(), String> {
        let mut gray: HashSet<usize> = self.gray.iter().map(|w| w & !15).collect();
        gray.extend(self.grayagain.iter().map(|p| p.addr()));
        gray.extend(self.rehash.iter().map(|p| p.addr()));
        let mut runs: HashSet<usize> = HashSet::new();
        let mut seen: HashSet<usize> = HashSet::new();
        let mut todo: Vec<*mut GcHeader> = Vec::new();
        let mut edges: Vec<Edge> = Vec::new();
        // SAFETY: every object is checked to be one before it is read.
        unsafe {
            for r in self.roots() {
                edges.push(match r {
                    Root::Value(v) => Edge::Strong(v),
                    Root::Object(p) => Edge::Object(p),
                });
            }
            edges.extend(self.finobj.iter().map(|&p| Edge::Object(p)));
            edges.extend(self.tobefnz.iter().map(|&p| Edge::Object(p)));
            let stirred: HashSet<usize> = self.stirred.iter().map(|p| p.addr()).collect();
            for s in self.settled_cells() {
                if free.contains(&s.addr()) {
                    return Err(format!("settled cell {s:?} is free"));
                }
            }
            let mut from = core::ptr::null_mut::<GcHeader>();
            loop {
                let settled = !from.is_null() && self.is_settled(from);
                let needs_barrier =
                    |kind| kind != ObjKind::String as u8 && kind != ObjKind::Dict as u8;
                if settled && (*from).barrier == 0 && needs_barrier((*from).kind) {
                    return Err(format!("settled object {from:?} without barrier"));
                }
                let black = !from.is_null()
                    && self.phase == Phase::Mark
                    && self.bit(from)
                    && (*from).barrier == 1
                    && (*from).kind != ObjKind::Thread as u8
                    && !gray.contains(&from.addr());
                for e in edges.drain(..) {
                    let (p, tag, weak) = match e {
                        Edge::Run(p, bytes) => {
                            if p.is_null() {
                                continue;
                            }
                            self.verify_run(p, bytes, free)
                                .map_err(|m| format!("run {p:?} of {from:?}: {m}"))?;
                            if settled && (bytes > MAX_SMALL || !self.is_settled(p)) {
                                return Err(format!(
                                    "run {p:?} of settled {from:?} is not settled"
                                ));
                            }
                            if !runs.insert(p.addr()) {
                                return Err(format!("run {p:?} of {from:?} has another owner"));
                            }
                            continue;
                        }
                        Edge::Strong(v) | Edge::Weak(v) if !v.tag.is_collectable() => continue,
                        Edge::Strong(v) => (v.as_ptr::<GcHeader>(), Some(v.tag), false),
                        Edge::Weak(v) => (v.as_ptr(), Some(v.tag), true),
                        Edge::Object(p) if p.is_null() => continue,
                        Edge::Object(p) => (p, None, false),
                    };
                    let bad = |what: &str| Err(format!("{p:?} ({tag:?}) in {from:?}: {what}"));
                    if p.addr() & 15 != 0 || p.is_null() {
                        return bad("not an address of an object");
                    }
                    let (b, i) = (block_of(p), bit_of(p));
                    let start = if (*b).class != LARGE && self.arena.in_blocks(p.cast()) {
                        let is_mixed = (*b).class == MIXED;
                        let set = (*b).free[i >> 6] >> (i & 63) & 1 != 0;
                        let aligned = is_mixed
                            || ((*b).class as usize) < NUM_CLASSES
                                && STARTS[(*b).class as usize][i >> 6] >> (i & 63) & 1 != 0;
                        aligned && set == is_mixed && !free.contains(&p.addr())
                    } else {
                        (*b).class == LARGE && bit_of(p) == HEADER / 16 && !self.arena.in_pool(b)
                    };
                    if !start {
                        return bad("not an allocated cell");
                    }
                    if (*b).group as usize == RUN {
                        return bad("a run");
                    }
                    if !(1..=ObjKind::Dict as u8).contains(&(*p).kind) {
                        return bad(&format!("kind {:#x}", (*p).kind));
                    }
                    if ((*p).kind == ObjKind::String as u8) != ((*b).group as usize == STR) {
                        return bad("in the wrong group");
                    }
                    if tag.is_some_and(|t| !fits(t, (*p).kind)) {
                        return bad(&format!("tag does not fit kind {}", (*p).kind));
                    }
                    if !weak && self.phase == Phase::Sweep && self.is_condemned(p.cast()) {
                        return bad("reachable but condemned");
                    }
                    if !weak && black && !self.bit(p) {
                        return bad("white in black");
                    }
                    if !weak && settled && !self.is_settled(p) && !stirred.contains(&p.addr()) {
                        return bad("not settled, in settled");
                    }
                    if !weak && seen.insert(p.addr()) {
                        todo.push(p);
                    }
                }
                let Some(p) = todo.pop() else { return Ok(()) };
                from = p;
                self.edges(p, &mut |e| edges.push(e));
            }
        }
    }

    unsafe fn verify_run(
        &self,
        p: *mut u8,
        bytes: usize,
        free: &HashSet<usize>,
    ) -> Result<(), String> {
        // SAFETY: a run that is not in a block can only be trusted to be large.
        unsafe {
            if bytes > MAX_SMALL {
                if self.arena.in_blocks(p) {
                    return Err(format!("{bytes} bytes, in a block"));
                }
                if (*large_of(p)).bytes != bytes {
                    return Err(format!("{bytes} bytes, allocated {}", (*large_of(p)).bytes));
                }
                return Ok(());
            }
            if !self.arena.in_blocks(p) || p.addr() & 15 != 0 {
                return Err("not in a block".into());
            }
            let (b, i) = (block_of(p), bit_of(p));
            let set = (*b).free[i >> 6] >> (i & 63) & 1 != 0;
            if (*b).group as usize != RUN
                || free.contains(&p.addr())
                || set != ((*b).class == MIXED)
            {
                return Err("not an allocated run".into());
            }
            if (*b).class != MIXED && (*b).class as usize != size_class(bytes) {
                return Err(format!("{bytes} bytes in class {}", (*b).class));
            }
            if self.phase == Phase::Sweep && self.is_condemned(p) {
                return Err("condemned".into());
            }
        }
        Ok(())
    }

    /// Names everything that an object refers to.
    unsafe fn edges(&self, p: *mut GcHeader, f: &mut dyn FnMut(Edge)) {
        // SAFETY: [GC-LAYOUT].
        unsafe {
            let n = (*p).extra as usize;
            match (*p).kind {
                k if k == ObjKind::Table as u8 => self.table_edges(p.cast(), f),
                k if k == ObjKind::LuaClosure as u8 => {
                    f(Edge::Object((*p.cast::<LuaClosure>()).proto.cast()));
                    let up: *mut *mut GcHeader = p.cast::<u8>().add(LuaClosure::UPVALS).cast();
                    (0..n).for_each(|i| f(Edge::Object(*up.add(i))));
                }
                k if k == ObjKind::NativeClosure as u8 => {
                    let up: *mut Value = p.cast::<u8>().add(NativeClosure::UPVALS).cast();
                    (0..n).for_each(|i| f(Edge::Strong(*up.add(i))));
                }
                k if k == ObjKind::Userdata as u8 => {
                    f(Edge::Object((*p.cast::<Userdata>()).metatable.cast()));
                    let up: *mut Value = p.cast::<u8>().add(Userdata::UVALS).cast();
                    let n = (*p.cast::<Userdata>()).nuv();
                    (0..n).for_each(|i| f(Edge::Strong(*up.add(i))));
                }
                k if k == ObjKind::Cell as u8 => f(Edge::Strong((*p.cast::<Cell>()).value)),
                k if k == ObjKind::Thread as u8 => {
                    let t: *mut Thread = p.cast();
                    f(Edge::Object((*t).resumer.cast()));
                    f(Edge::Strong((*t).hook_value));
                    if !(*t).stack.is_null() {
                        f(Edge::Run((*t).stack.cast(), 16 * (*t).stack_slots as usize));
                        f(Edge::Run((*t).tbc.cast(), 4 * (*t).tbc_cap as usize));
                        let mut d = (*t).detached;
                        while !d.is_null() {
                            f(Edge::Run(d.cast(), size_of::<Continuable>()));
                            d = (*d).act.prev.cast();
                        }
                        walk_frames(t, &mut |v| f(Edge::Strong(v)));
                    }
                }
                k if k == ObjKind::Proto as u8 => proto_edges(p.cast(), f),
                k if k == ObjKind::Shape as u8 => {
                    let s: *mut Shape = p.cast();
                    f(Edge::Object((*s).parent.cast()));
                    f(Edge::Object((*s).key.cast()));
                    f(Edge::Object((*s).metatable.cast()));
                    f(Edge::Run((*s).keys.cast(), 8 * (*s).nfields as usize));
                    if !(*s).keys.is_null() {
                        let n = (*s).nfields as usize;
                        (0..n).for_each(|i| f(Edge::Object((*(*s).keys.add(i)).cast())));
                    }
                    if !(*s).trans.is_null() && (*s).trans_cap > 0 {
                        let n = (*s).trans_cap as usize;
                        f(Edge::Run((*s).trans.cast(), 8 * n));
                        for i in 0..n {
                            let c = *(*s).trans.add(i);
                            if !c.is_null() {
                                f(Edge::Weak(Value::ptr(c, Tag::SHAPE)));
                            }
                        }
                    }
                }
                k if k == ObjKind::Dict as u8 => dict_edges(p.cast(), WeakMode::None, f),
                _ => {}
            }
        }
    }

    unsafe fn table_edges(&self, t: *mut Table, f: &mut dyn FnMut(Edge)) {
        // SAFETY: [GC-LAYOUT].
        unsafe {
            f(Edge::Object((*t).metatable.cast()));
            f(Edge::Object((*t).shape.cast()));
            let mode = self.mode_of(t);
            let value = |v| match mode {
                WeakMode::Values | WeakMode::Both => Edge::Weak(v),
                _ => Edge::Strong(v),
            };
            let cap = (*t).arr_cap as usize;
            if cap > 0 {
                if !inline_run(t, (*t).array.cast()) {
                    f(Edge::Run(
                        run_start((*t).array, cap),
                        tagged_run_size(cap).0,
                    ));
                }
                for i in 0..cap {
                    let v = run_get((*t).array, i);
                    let kind = (*t).hdr.extra;
                    // [DENSE]
                    let one = kind != Tag::ANY.byte() as u8 && kind != Tag::NIL.byte() as u8;
                    let dense = i != 0 && i <= (*t).arr_len as usize;
                    if one && kind != v.tag.byte() as u8 && (dense || !v.is_nil()) {
                        f(Edge::Strong(Value::new(1, Tag::TABLE)));
                    }
                    if plain_kind(kind) && v.tag.is_collectable() {
                        // an edge that cannot be an object, so that it is reported
                        f(Edge::Strong(Value::new(1, v.tag)));
                    }
                    f(value(v));
                }
            }
            if (*t).hdr.flags & flags::TAB_DICT != 0 {
                if !(*t).hash.is_null() {
                    dict_edges((*t).hash.cast(), mode, f);
                }
                return;
            }
            let cap = (*t).field_cap as usize;
            if cap > 0 && !inline_run(t, (*t).hash) {
                f(Edge::Run(
                    run_start((*t).hash.cast(), cap),
                    tagged_run_size(cap).0,
                ));
            }
            for i in 0..cap {
                f(value(run_get((*t).hash.cast(), i)));
            }
        }
    }
}

unsafe fn dict_edges(d: *mut Dict, mode: WeakMode, f: &mut dyn FnMut(Edge)) {
    // SAFETY: [GC-LAYOUT].
    unsafe {
        f(Edge::Run((*d).entries.cast(), 24 * (*d).cap as usize));
        if !(*d).index.is_null() {
            f(Edge::Run(
                (*d).index.cast(),
                4 * ((*d).index_mask as usize + 1),
            ));
        }
        for i in 0..(*d).used as usize {
            let e = &*(*d).entries.add(i);
            let key = Value::new(e.key_payload, e.key_tag);
            let val = Value::new(e.val_payload, e.val_tag);
            match mode {
                _ if val.is_nil() => f(Edge::Weak(key)),
                WeakMode::None => {
                    f(Edge::Strong(key));
                    f(Edge::Strong(val));
                }
                WeakMode::Values => {
                    f(Edge::Strong(key));
                    f(Edge::Weak(val));
                }
                // an ephemeron's value is strong only if its key lives
                WeakMode::Keys | WeakMode::Both => {
                    f(Edge::Weak(key));
                    f(Edge::Weak(val));
                }
            }
        }
    }
}

unsafe fn proto_edges(p: *mut Proto, f: &mut dyn FnMut(Edge)) {
    // SAFETY: [GC-LAYOUT].
    unsafe {
        let (code, consts, protos) = (
            (*p).ncode as usize,
            (*p).nconsts as usize,
            (*p).nprotos as usize,
        );
        let (ups, vars) = ((*p).nupvals as usize, (*p).nlocvars as usize);
        f(Edge::Object((*p).source.cast()));
        f(Edge::Run((*p).code.cast(), 8 * code));
        f(Edge::Run((*p).consts.cast(), 16 * consts));
        f(Edge::Run((*p).protos.cast(), 8 * protos));
        f(Edge::Run((*p).upvals.cast(), 16 * ups));
        f(Edge::Run((*p).locvars.cast(), size_of::<LocVar>() * vars));
        f(Edge::Run(
            (*p).lines,
            Proto::lines_size(code, (*p).hdr.extra != 0),
        ));
        f(Edge::Run((*p).live, code));
        if !(*p).consts.is_null() {
            (0..consts).for_each(|i| f(Edge::Strong(*(*p).consts.add(i))));
        }
        if !(*p).protos.is_null() {
            (0..protos).for_each(|i| f(Edge::Object((*(*p).protos.add(i)).cast())));
        }
        if !(*p).upvals.is_null() {
            (0..ups).for_each(|i| f(Edge::Object((*(*p).upvals.add(i)).name.cast())));
        }
        if !(*p).locvars.is_null() {
            (0..vars).for_each(|i| f(Edge::Object((*(*p).locvars.add(i)).name().cast())));
        }
    }
}

/// Whether objects of this kind have this tag.
fn fits(tag: Tag, kind: u8) -> bool {
    let is = |k: ObjKind| kind == k as u8;
    match tag {
        Tag::STRING => is(ObjKind::String),
        Tag::TABLE => is(ObjKind::Table),
        Tag::FUNCTION => is(ObjKind::LuaClosure) || is(ObjKind::NativeClosure),
        Tag::USERDATA => is(ObjKind::Userdata),
        Tag::THREAD => is(ObjKind::Thread),
        Tag::CELL => is(ObjKind::Cell),
        Tag::PROTO => is(ObjKind::Proto),
        Tag::SHAPE => is(ObjKind::Shape),
        _ => false,
    }
}
