//! The life of trees: a root trace with its side traces is entered, put to sleep, woken, removed.
//!
//! **Entries.** A tree is entered by an instruction (its anchor), by the continuation word of a call, and by the ends of traces of other
//! trees ([`Link::Entry`]). Closing them is a few stores: the anchor counts again, the word is 0, and the end of each such trace,
//! a jump in eight aligned bytes, leads to an exit that goes on in the interpreter at the pc where the tree begins.
//!
//! **Sleep.** Entering a trace is not counted, so nobody knows which trees are used. When room runs short, all trees are put to sleep: their
//! entries are closed, their counters set to run out at once. What is used wakes up at its first use. What is still asleep when room is
//! needed is cold, and is removed, the oldest first. Nothing else is, unless a newcomer has been refused several times: a program whose hot
//! code does not fit keeps what it has, and what else gets hot is tried more and more rarely.
//!
//! **Removal.** The code of a tree may still be running, or be returned to, below us on the native stack. A tree that was removed is dead: not
//! entered any more, but kept, with the objects it refers to, until no word of the native stack points into its code (rule J). That is looked up
//! when room is needed and when the collector marks. Words that only look like addresses delay it, no more. Lua frames and coroutines hold no
//! addresses of code: a compiled return jumps through the word of the call.

use traceorus_base::objects::Instr;
use traceorus_vm::jithooks;

use crate::abort::Abort;
use crate::events::What;
use crate::jit::Jit;
use crate::lower::TraceRegs;
use crate::record::Kind;
use crate::traces::Trace;

/// Most bytes of the native stack that are looked through; if there are more, nothing is freed.
const MOST_STACK: usize = 4 << 20;
/// A newcomer that has been refused so often may have the place of a tree that is in use.
const PATIENCE: u32 = 3;

impl Jit {
    /// Removes every trace; those that wait for a call to return are left then.
    ///
    /// # Safety
    /// The state is live.
    pub unsafe fn flush(&mut self) {
        // SAFETY: [CODE] anchors are in live code.
        unsafe {
            if self.recorder.is_some() {
                self.abort(Abort::SwitchedOff);
            }
            self.remove_trees(|_| true);
            self.disturb();
            self.tell(What::Flush);
        }
    }

    /// Traces that wait for a call to return are left then: what they know of frames and constants may be wrong.
    pub(crate) unsafe fn disturb(&mut self) {
        if let Some(r) = self.recorder.as_mut() {
            r.disturbed = true;
        }
        // SAFETY: the state is live.
        unsafe { (*self.g).hot.jit_scratch[3] = 1 }
    }

    /// Removes the trees of which a trace is `doomed`.
    pub(crate) unsafe fn remove_trees(&mut self, doomed: impl Fn(&Trace) -> bool) {
        let mut roots: Vec<u16> = self.live().filter(|t| doomed(t)).map(|t| t.root).collect();
        roots.sort_unstable();
        roots.dedup();
        if roots.is_empty() {
            return;
        }
        // SAFETY: [CODE] as the callers.
        unsafe {
            if self.recorder.is_some() {
                // it may have inlined or linked to what goes
                self.abort(Abort::SwitchedOff);
            }
            for root in roots {
                self.remove(root);
            }
        }
    }

    /// What tells one root from another.
    fn place_of_tree(&self, root: u16) -> usize {
        let t = self.traces[root as usize].as_ref().expect("a trace");
        self.place_of(t.kind, t.anchor)
    }

    /// The same of what goes on behind a call. (The call of a generic loop may be the anchor of the loop.)
    pub(crate) fn place_of_call(call: *const Instr) -> usize {
        call as usize | 1
    }

    /// Opens (`true`) or closes the entries of the tree; see the top of the file. A counter that is set begins with `counter`.
    pub(crate) unsafe fn set_entries(&mut self, root: u16, open: bool, counter: u16) {
        // SAFETY: [CODE] a tree that is alive keeps the prototypes that its anchor and calls are in.
        unsafe {
            let t = self.traces[root as usize].as_ref().expect("a trace");
            let entry = t.entry;
            match t.kind {
                kind @ (Kind::Cont { .. } | Kind::Event { .. }) => {
                    self.set_return(kind, if open { entry } else { 0 });
                }
                // exits that lead there find it again when they are hot
                Kind::Meet { .. } if open => {}
                Kind::Meet { .. } => self.close_meet(root),
                _ => jithooks::set_entry(t.anchor, t.proto, open.then_some(root), counter),
            }
            self.set_links(root, open);
        }
    }

    /// The part of [`Jit::set_entries`] about traces that end in the tree.
    pub(crate) fn set_links(&mut self, root: u16, open: bool) {
        let (entry, checked) = (self.trace(root).entry, self.trace(root).checked);
        for n in self.index.linked_to(root) {
            let t = self.traces[n as usize].as_ref().expect("a trace");
            let target = match open {
                true if t.proves == root => checked,
                true => entry,
                false => t.link_exit(),
            };
            // both are in the area, so it reaches; and it is sealed code of ours
            let jump = traceorus_asm::Host::link_stub(t.link_at(), target);
            let patched = jump.map(|j| self.area.patch(t.link_at(), j));
            debug_assert!(matches!(patched, Some(Ok(()))));
        }
    }

    unsafe fn sleep(&mut self, root: u16) {
        // SAFETY: as `set_entries`.
        unsafe {
            self.set_entries(root, false, 1);
            let place = self.place_of_tree(root);
            self.asleep.insert(place, root);
        }
    }

    /// Wakes what sleeps at `place` (an anchor, or the pc of a call). False: nothing does.
    pub(crate) unsafe fn wake(&mut self, place: usize) -> bool {
        let Some(root) = self.asleep.remove(&place) else {
            return false;
        };
        // SAFETY: as `set_entries`.
        unsafe { self.set_entries(root, true, 0) };
        self.clock += 1;
        let clock = self.clock;
        self.trace(root).used = clock;
        self.stats.woken += 1;
        self.area.trim();
        true
    }

    /// Wakes the tree `root` if it sleeps.
    pub(crate) unsafe fn wake_tree(&mut self, root: u16) {
        let place = self.place_of_tree(root);
        if self.asleep.get(&place) == Some(&root) {
            // SAFETY: as `set_entries`.
            unsafe { self.wake(place) };
        }
    }

    /// Has trace `n` end in the entry of trace `to`, which begins at the same pc as the one that it has ended in.
    pub(crate) unsafe fn link_again(&mut self, n: u16, to: u16) {
        self.index.set_link(n, to);
        self.trace(n).link_anchor = self.trace(to).anchor;
        self.trace(n).proves = 0;
        // SAFETY: as `set_entries`.
        unsafe { self.wake_tree(to) };
        self.set_links(to, true);
        self.area.trim();
    }

    /// Removes a tree that is alive. It is freed by [`Jit::bury`].
    pub(crate) unsafe fn remove(&mut self, root: u16) {
        // SAFETY: as `set_entries`.
        unsafe {
            let place = self.place_of_tree(root);
            self.set_entries(root, false, self.params.hotloop as u16);
            if self.asleep.get(&place) == Some(&root) {
                self.asleep.remove(&place);
            }
            for n in self.index.tree(root) {
                let t = self.traces[n as usize].as_mut().expect("a trace");
                self.stats.trace_gone(t);
                self.starts.remove(&(t.root, t.start_pc as usize));
                t.alive = false;
                let start = t.start_pc as usize;
                for e in 0..t.states.len() as u16 {
                    self.penalties.remove(&(t.stub(e) as usize));
                }
                self.index.close(n, t.entry);
                if self.by_start.get(&start) == Some(&n) {
                    self.by_start.remove(&start);
                }
                t.retired = false;
                let (func, entry) = (t.proto as usize, t.entry);
                let is_func = t.kind == Kind::Func;
                if is_func && self.funcs.get(&func).is_some_and(|f| f.0 == entry) {
                    self.funcs.remove(&func);
                }
                if self.meets.get(&start) == Some(&n) {
                    self.meets.remove(&start);
                }
                self.dead.push(n);
            }
            self.sites.retain(|&(of, _), _| of != root);
            self.misses.retain(|&(of, _), _| of != root);
            for n in self.index.linked_to(root) {
                self.index.set_link(n, 0);
            }
        }
    }

    /// Frees dead trees that nothing on the native stack returns to.
    pub(crate) unsafe fn bury(&mut self) {
        if self.dead.is_empty() {
            return;
        }
        // SAFETY: as the callers: the state is live, and runs in this thread.
        let Some(waiting) = (unsafe { self.trees_on_stack() }) else {
            return;
        };
        for n in std::mem::take(&mut self.dead) {
            let t = self.traces[n as usize].take().expect("a dead trace");
            if waiting.contains(&t.root) {
                self.traces[n as usize] = Some(t);
                self.dead.push(n);
            } else {
                self.entries[n as usize] = 0;
                self.index.remove(n);
                self.kept.remove(&t);
                self.drop_shorts(n, t.states.len() as u16);
                if !self.outputs.wanted() {
                    // (what was told to others stays where it is)
                    self.area.free(t.address, t.bytes as usize);
                }
            }
        }
    }

    /// Roots of the dead trees that a word of the native stack, from here to the outermost entry of the interpreter, points into. `None`: the stack
    /// is too large. Never inlined, and all that it looks at stays in here, since memcheck is told by its name that it may read what nobody wrote.
    #[inline(never)]
    unsafe fn trees_on_stack(&self) -> Option<Vec<u16>> {
        let dead: Vec<&Trace> = self
            .dead
            .iter()
            .filter_map(|&n| self.traces[n as usize].as_deref())
            .collect();
        let mut found = Vec::new();
        // SAFETY: the state is live; activations are on this thread's native stack, above us, and everything in between is mapped. The words may
        // change meaning while we look, but those that count, return addresses and slots of native frames below ours, do not.
        unsafe {
            let mut outermost = (*self.g).hot.activation;
            if outermost.is_null() {
                return Some(found);
            }
            while !(*outermost).prev.is_null() {
                outermost = (*outermost).prev;
            }
            let here = 0u64;
            let mut at = &raw const here;
            if (outermost as usize).wrapping_sub(at as usize) > MOST_STACK {
                return None;
            }
            while at.cast() < outermost.cast_const() {
                let word = std::ptr::read_volatile(at);
                if self.code.contains(&word) {
                    for t in dead.iter().filter(|t| t.code().contains(&word)) {
                        if !found.contains(&t.root) {
                            found.push(t.root);
                        }
                    }
                }
                at = at.add(1);
            }
        }
        Some(found)
    }

    // ---- room -------------------------------------------------------------------------------------------------------------

    /// Sees to it that there is room for another trace, which a place wants that has been refused `refused` times. `parent` is
    /// a tree that stays.
    pub(crate) unsafe fn make_room(&mut self, parent: u16, refused: u32) -> Result<(), Abort> {
        match self.room(7, 8) {
            Ok(()) => Ok(()),
            // SAFETY: as `set_entries`.
            Err(_) => unsafe { self.clear_room(parent, refused) },
        }
    }

    /// The same if room is short.
    #[inline(never)]
    unsafe fn clear_room(&mut self, parent: u16, refused: u32) -> Result<(), Abort> {
        // SAFETY: as `set_entries`.
        unsafe {
            self.bury();
            // all have had time to be used since they were put to sleep
            let most = self.params.maxtrace as usize;
            let roots = self.live().filter(|t| t.root == t.number).count();
            if self.asleep.len() <= roots / 8 && self.made_since_nap >= most / 16 {
                self.made_since_nap = 0;
                for root in
                    self.roots_by_use(|j, t| !j.sleeps(t) && !t.retired && t.number != parent)
                {
                    self.sleep(root);
                }
                self.area.trim();
                self.stats.naps += 1;
            }
            let Err(why) = self.room(1, 1) else {
                return Ok(());
            };
            if why == Abort::CodeMemory && self.outputs.wanted() {
                // what was told to others is not used again
                return Err(why);
            }
            // several at a time: looking for them costs
            let asleep = self.roots_by_use(|j, t| j.sleeps(t) && t.number != parent);
            self.evict(&asleep, (15, 16));
            if self.room(1, 1).is_err() && refused >= PATIENCE {
                let all = self.roots_by_use(|_, t| t.number != parent);
                self.evict(&all, (1, 1));
            }
            self.area.trim();
            self.made_since_nap = self.made_since_nap.saturating_add(1);
            self.room(1, 1).map_err(|_| why)
        }
    }

    /// Removes trees until only such a share of the room is in use.
    unsafe fn evict(&mut self, roots: &[u16], (num, den): (usize, usize)) {
        for some in roots.chunks(8) {
            // SAFETY: as `set_entries`.
            unsafe {
                for &root in some {
                    let (kind, anchor) = (self.trace(root).kind, self.trace(root).anchor);
                    self.remove(root);
                    self.was_evicted(kind, anchor);
                }
                self.bury();
            }
            self.stats.evicted += some.len() as u64;
            if self.room(num, den).is_ok() {
                return;
            }
        }
    }

    fn sleeps(&self, t: &Trace) -> bool {
        self.asleep.get(&self.place_of(t.kind, t.anchor)) == Some(&t.number)
    }

    /// Root traces, those first that were not used for long.
    fn roots_by_use(&self, which: impl Fn(&Jit, &Trace) -> bool) -> Vec<u16> {
        let roots = self.live().filter(|t| t.root == t.number);
        let mut all: Vec<_> = roots
            .filter(|t| which(self, t))
            .map(|t| (t.used, t.number))
            .collect();
        all.sort_unstable();
        all.into_iter().map(|(_, n)| n).collect()
    }

    /// Whether less than `num / den` of what is allowed is in use; the error says what is short.
    fn room(&self, num: usize, den: usize) -> Result<(), Abort> {
        let most = |n: u32| n as usize * num / den;
        let traces = self.index.len();
        if traces >= most(self.params.maxtrace) {
            return Err(Abort::TooManyTraces);
        }
        // what a large trace may need is kept free
        let code = self.area.used() + crate::lower::area::MOST_CODE;
        if code > most(self.params.maxmcode).saturating_mul(1024) || !self.area.has_room() {
            return Err(Abort::CodeMemory);
        }
        Ok(())
    }
}
