//! Trees that are recorded anew because accesses of theirs meet too many shapes: those become look-ups (`record::join`) or calls of their helpers.

use traceorus_base::bytecode::Op;
use traceorus_base::objects::*;
use traceorus_vm::{dispatch, jithooks};

use crate::jit::Jit;
use crate::lower;
use crate::record::Kind;
use crate::traces::Trace;

/// Times that a root trace is recorded anew.
const MAX_RENEWED: u32 = 3;

impl Jit {
    /// The exit of the tree `root` at `pc` is one too many that an access to a table there has caused: the tree is to be recorded anew, with
    /// what is there looked up (`record::join`), or left to the helper.
    pub(crate) unsafe fn is_join(&mut self, root: u16, pc: *const Instr) -> bool {
        // SAFETY: [CODE] the exit goes on there.
        let most = match unsafe { dispatch::op_at(pc) } {
            Op::GetField | Op::SetField => self.params.maxshapes,
            // a shape tells the function that is called, too: to guard that instead is worth it only if there are very many
            Op::SelfGet => self.params.maxshapes.saturating_mul(10),
            Op::GetIndex | Op::SetIndex | Op::GetInt | Op::SetInt | Op::Len => u32::MAX,
            _ => return false,
        };
        let n = self.sites.entry((root, pc as usize)).or_insert(0);
        *n += 1;
        // the helper takes whatever comes
        let all = match most {
            u32::MAX => self.params.maxshapes.saturating_mul(8),
            _ => self.params.maxshapes.saturating_mul(12),
        };
        let helped = *n >= all && self.helped.insert(pc as usize);
        if !helped && (*n < most || !self.joins.insert(pc as usize)) {
            return false;
        }
        let t = self.traces[root as usize].as_mut().expect("alive");
        let times = self.renewed.entry(t.start_pc as usize).or_insert(0);
        if *times >= MAX_RENEWED {
            return false;
        }
        *times += 1;
        t.retired = true;
        let (anchor, proto, kind) = (t.anchor, t.proto, t.kind);
        // SAFETY: [CODE] the trace keeps its code alive.
        unsafe {
            if !anchor.is_null() {
                jithooks::set_entry(anchor, proto, None, 1);
            }
            self.set_return(kind, 0);
        }
        true
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
        let (anchor, proto, n, entry) = (t.anchor, t.proto, t.number, t.entry);
        self.renewed.insert(start as usize, MAX_RENEWED);
        // SAFETY: [CODE] the trace keeps its code alive.
        unsafe {
            self.set_return(kind, entry);
            if !anchor.is_null() {
                jithooks::set_entry(anchor, proto, Some(n), 0);
            }
        }
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
