//! Trees that are recorded anew because accesses of theirs meet too many shapes: those become look-ups (`record::join`) or calls of their helpers.

use traceorus_base::bytecode::{self as bc, Mode, Op};
use traceorus_base::fastfn::FastFn;
use traceorus_base::objects::*;
use traceorus_base::{Tag, Value};
use traceorus_vm::{dispatch, jithooks};

use crate::jit::Jit;
use crate::lower;
use crate::policy::processor_time;
use crate::record::Kind;
use crate::traces::Trace;

/// Times that a root trace is recorded anew.
const MAX_RENEWED: u32 = 3;

/// Closures that the calls of a tree tell from others of their prototypes. More than that, or as many made since, and they tell prototypes.
const MOST_CLOSURES: u32 = 4;

/// A tree is recorded anew because a class is if it has run for so many times as long as it took to compile.
const WORTH: u64 = 4;

impl Jit {
    /// The exit of the tree `root` at `pc` is one too many that an access to a table there has caused: the tree is to be recorded anew, with
    /// what is there looked up (`record::join`), or left to the helper. `anew`: see [`Jit::meets_new_class`].
    pub(crate) unsafe fn is_join(
        &mut self,
        l: *mut Thread,
        root: u16,
        pc: *const Instr,
        anew: bool,
    ) -> bool {
        let shapes = self.params.maxshapes;
        // SAFETY: [CODE] `l` goes on there.
        let (most, all) = match unsafe { dispatch::op_at(pc) } {
            Op::GetField | Op::SetField => (shapes, shapes.saturating_mul(12)),
            Op::SelfGet if anew => (shapes, u32::MAX),
            // a shape tells the function that is called, too: to guard that instead is worth it only if there are very many
            Op::SelfGet => (shapes.saturating_mul(10), shapes.saturating_mul(12)),
            // SAFETY: as above.
            Op::GetIndex if unsafe { self.is_of_new_metatable(l, pc, bc::b(*pc)) } => {
                (0, shapes.saturating_mul(8))
            }
            Op::GetIndex | Op::SetIndex | Op::GetInt | Op::SetInt | Op::Len => {
                (u32::MAX, shapes.saturating_mul(8))
            }
            // SAFETY: as above.
            Op::Call | Op::TailCall if unsafe { calls(l, pc, FastFn::SetMetatable) } => {
                (shapes.saturating_mul(4), u32::MAX)
            }
            // SAFETY: as above.
            Op::Call if unsafe { self.is_pairs_of_new_metatable(l, pc) } => (0, u32::MAX),
            _ => return false,
        };
        let n = self.sites.entry((root, pc as usize)).or_insert(0);
        *n += 1;
        // the helper takes whatever comes
        let helped = *n >= all && self.helped.insert(pc as usize);
        if !helped && (*n < most || !self.joins.insert(pc as usize)) {
            return false;
        }
        // SAFETY: [CODE] the tree is alive.
        unsafe { self.retire(root) }
    }

    /// Has the tree recorded anew, and closes its entries until then. False: that has been done too often.
    unsafe fn retire(&mut self, root: u16) -> bool {
        let t = self.traces[root as usize].as_mut().expect("alive");
        let times = self.renewed.entry(t.start_pc as usize).or_insert(0);
        if *times >= MAX_RENEWED {
            return false;
        }
        *times += 1;
        t.retired = true;
        self.stats.renewed += 1;
        // SAFETY: [CODE] the tree is alive.
        unsafe { self.set_entries(root, false, 1) };
        self.area.trim();
        true
    }

    /// Whether a hot exit of the tree `root` at `pc`, where a closure was guarded, has met another one of its prototype. If the tree is to be recorded anew for that,
    /// because these are too many, or because the function that runs had been made only once, it is retired.
    pub(crate) unsafe fn meets_other_closure(
        &mut self,
        l: *mut Thread,
        root: u16,
        pc: *const Instr,
    ) -> bool {
        // SAFETY: [CODE] `l` goes on at `pc`; [GC-LIVE] functions that run or are called are in its slots.
        unsafe {
            let call = matches!(
                dispatch::op_at(pc),
                Op::Call | Op::CallM | Op::TailCall | Op::TailCallM
            );
            let f = match call {
                true => *(*l).base.byte_add(bc::a(*pc) as usize),
                false => Value::new((*(*l).base.sub(1)).payload, Tag::FUNCTION),
            };
            let c = f.as_ptr::<LuaClosure>();
            if f.tag != Tag::FUNCTION || (*c).hdr.kind != ObjKind::LuaClosure as u8 {
                return false;
            }
            let p = (*c).proto;
            let told = self.told.get(&(pc as usize, p as usize));
            let Some(told) = told.filter(|t| t.closure != c as usize) else {
                return false;
            };
            if !call {
                // now that there are more, none is guarded
                return (*p).ninstances > 1 && self.retire(root);
            }
            *self.misses.entry((root, pc as usize)).or_insert(0) += 1;
            let of_tree = || self.misses.iter().filter(|m| m.0.0 == root);
            let times: u32 = of_tree().map(|m| m.1).sum();
            if times >= MOST_CLOSURES || (*p).ninstances - told.made > MOST_CLOSURES {
                let places: Vec<usize> = of_tree().map(|m| m.0.1).collect();
                self.by_prototype.extend(places);
                self.retire(root);
            }
            true
        }
    }

    /// The instruction at `pc` is about to get a method of an object, or to look at one, whose class goes on being made: more closures of the method's prototype
    /// (or of one of the functions in the metatable) exist than when that was last asked here. So the same code makes classes again and again, and neither shape nor
    /// function come back.
    pub(crate) unsafe fn meets_new_class(&mut self, l: *mut Thread, pc: *const Instr) -> bool {
        // SAFETY: [CODE] `l` goes on at `pc`; [GC-LIVE] the operands are in registers, and keep what is looked at alive.
        unsafe {
            let (op, w, base) = (dispatch::op_at(pc), *pc, (*l).base);
            let operands = [bc::a(w), bc::b(w), bc::c(w)];
            let read = |n: usize| {
                let is = op.info().modes[n] == Mode::R;
                let v = is.then(|| *base.byte_add(operands[n] as usize));
                v.filter(|v| v.tag == Tag::TABLE)
                    .map(|v| v.as_ptr::<Table>())
            };
            let tables: Vec<*mut Table> = (0..3).filter_map(read).collect();
            let g = &mut *self.g;
            let mut functions = Vec::new();
            if op == Op::SelfGet {
                let key = *pc.add(3) as *mut Str;
                let of = |&o: &*mut Table| dispatch::inherited_function(g, o, key, true);
                functions.extend(tables.iter().filter_map(of));
            } else {
                for o in tables {
                    functions.extend(functions_in((*o).metatable));
                }
            }
            let mut anew = false;
            for f in functions {
                let f = f.as_ptr::<LuaClosure>();
                if (*f).hdr.kind == ObjKind::LuaClosure as u8 {
                    let (p, n) = ((*f).proto, (*(*f).proto).ninstances);
                    let before = self.instances.insert((pc as usize, p as usize), n);
                    anew |= before.is_some_and(|before| n > before);
                }
            }
            anew
        }
    }

    /// The tree has met, at an instruction that calls a metamethod, a class that takes the place of the one that it was recorded with. There are no look-ups for that. It is
    /// recorded anew at once if it has run for so long that this is cheap; else there would be a side trace for each such class.
    pub(crate) unsafe fn wears_out(&mut self, root: u16, pc: *const Instr) -> bool {
        // SAFETY: [CODE] execution goes on at `pc`.
        let op = unsafe { dispatch::op_at(pc) };
        let access = matches!(
            op,
            Op::GetField
                | Op::SetField
                | Op::SelfGet
                | Op::GetIndex
                | Op::SetIndex
                | Op::GetInt
                | Op::SetInt
        );
        if access || matches!(op, Op::Call | Op::TailCall) {
            return false;
        }
        let t = self.trace(root);
        let (anchor, born) = (t.anchor, t.born_us);
        let tree = self.index.tree(root);
        let traces = tree
            .iter()
            .filter_map(|&n| self.traces[n as usize].as_ref());
        let cost: u64 = traces.map(|t| u64::from(t.cost_us)).sum();
        if processor_time().saturating_sub(born) < WORTH * cost {
            return false;
        }
        // SAFETY: [CODE] the tree is alive, so its anchor is.
        unsafe {
            self.remove(root);
            // what follows a call is counted there
            if !anchor.is_null() {
                jithooks::set_counter(anchor, 1);
            }
        }
        self.stats.renewed += 1;
        true
    }

    /// The table in the register at `offset` has a metatable, and before it `maxshapes` times at `pc` each had another one than the one before: each has
    /// its own.
    unsafe fn is_of_new_metatable(
        &mut self,
        l: *mut Thread,
        pc: *const Instr,
        offset: u16,
    ) -> bool {
        // SAFETY: [CODE] `l` goes on at `pc`, whose register it is; [GC-LIVE] what is in it.
        let mt = unsafe {
            let t = *(*l).base.byte_add(offset as usize);
            if t.tag != Tag::TABLE {
                return false;
            }
            (*t.as_ptr::<Table>()).metatable as usize
        };
        if mt == 0 {
            return false;
        }
        let (last, n) = self.metatables.entry(pc as usize).or_insert((mt, 0));
        if *last != mt {
            (*last, *n) = (mt, *n + 1);
        }
        *n > self.params.maxshapes
    }

    /// The call at `pc` is one of `pairs` with such a table.
    unsafe fn is_pairs_of_new_metatable(&mut self, l: *mut Thread, pc: *const Instr) -> bool {
        // SAFETY: [CODE] `l` goes on at `pc`; the argument is in the register behind the function.
        unsafe { calls(l, pc, FastFn::Pairs) && self.is_of_new_metatable(l, pc, bc::a(*pc) + 16) }
    }

    /// The trace `number`, a root, takes the place of the one that was retired in its favour. Its own entry is not open yet.
    pub(crate) unsafe fn replace_retired(&mut self, number: u16) {
        let t = self.trace(number);
        let (kind, start) = (t.kind, t.start_pc);
        let Some(old) = self.retired(kind, start).map(|t| t.number) else {
            return;
        };
        self.trace(old).retired = false;
        let linked = self.index.linked_to(old);
        // SAFETY: [CODE] the trace keeps its code alive.
        unsafe {
            for n in linked {
                self.link_again(n, number);
            }
            self.remove(old);
        }
    }

    /// The root of this kind that was retired and has not been replaced.
    fn retired(&mut self, kind: Kind, start: *const Instr) -> Option<&mut Trace> {
        if !self.renewed.contains_key(&(start as usize)) {
            return None;
        }
        let is = |t: &&mut Box<Trace>| t.retired && t.kind == kind && t.start_pc == start;
        let t = self.traces.iter_mut().flatten().find(is);
        t.map(|t| &mut **t)
    }

    /// A root could not be recorded: the one that was retired for it is entered again.
    pub(crate) unsafe fn reinstate(&mut self, kind: Kind, start: *const Instr) {
        let Some(t) = self.retired(kind, start) else {
            return;
        };
        t.retired = false;
        let n = t.number;
        self.renewed.insert(start as usize, MAX_RENEWED);
        // SAFETY: [CODE] the tree is alive.
        unsafe { self.set_entries(n, true, 0) };
        self.area.trim();
    }

    /// Returns to what the continuation of this kind follows go to `entry`; 0: to the interpreter.
    pub(crate) unsafe fn set_return(&mut self, kind: Kind, entry: u64) {
        match kind {
            // SAFETY: [CODE] the trace keeps its code alive.
            Kind::Cont { call } => unsafe { jithooks::set_continuation(call.cast_mut(), entry) },
            Kind::Event { word } => {
                match entry {
                    0 => self.event_entries.remove(&word),
                    _ => self.event_entries.insert(word, entry),
                };
                let at = &mut self.events_table[lower::event_index(word)];
                if entry != 0 {
                    *at = [word, entry];
                } else if at[0] == word {
                    *at = [0; 2];
                }
            }
            _ => {}
        }
    }
}

/// The functions in a table with fields; null: none.
unsafe fn functions_in(t: *mut Table) -> Vec<Value> {
    // SAFETY: [GC-LIVE] as the callers.
    unsafe {
        if t.is_null() || (*t).hdr.flags & flags::TAB_DICT != 0 {
            return Vec::new();
        }
        let run = (*t).hash as *const u64;
        let all = (0..(*(*t).shape).nfields as usize).map(|n| run_get(run, n));
        all.filter(|v| v.tag == Tag::FUNCTION).collect()
    }
}

/// The call at `pc` is one of the library function `which`.
unsafe fn calls(l: *mut Thread, pc: *const Instr, which: FastFn) -> bool {
    // SAFETY: [CODE] `l` goes on at `pc`; [GC-LIVE] what is called is in a register.
    unsafe {
        let f = *(*l).base.byte_add(bc::a(*pc) as usize);
        let h = f.as_ptr::<GcHeader>();
        f.tag == Tag::FUNCTION
            && (*h).kind == ObjKind::NativeClosure as u8
            && FastFn::from_u32((*h).word) == which
    }
}
