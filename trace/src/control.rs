//! What programs and the command may ask of the trace compiler while it runs: switches, parameters, removal of traces.

use std::ops::Range;

use traceorus_base::objects::*;
use traceorus_vm::{dispatch, jithooks};

use crate::abort::Abort;
use crate::jit::Jit;
use crate::loc::Link;
use crate::params::Params;
use crate::places::proto_at;
use crate::record::Kind;
use crate::traces::{PROTO_OFF, Trace};

impl Jit {
    /// Whether recordings may begin. Traces that exist are entered all the same.
    pub fn is_on(&self) -> bool {
        self.params.on
    }
    /// See [`Jit::is_on`].
    pub fn set_on(&mut self, on: bool) {
        self.params.on = on;
        if !on && self.recorder.is_some() {
            // SAFETY: the state is live.
            unsafe { self.abort(Abort::SwitchedOff) };
        }
    }
    /// Changes parameters and passes; on an error nothing is changed.
    pub fn change<E>(&mut self, f: impl FnOnce(&mut Params) -> Result<(), E>) -> Result<(), E> {
        let mut p = self.params;
        f(&mut p)?;
        self.params = p;
        // SAFETY: the state is live as long as its trace compiler.
        let g = unsafe { &mut *self.g };
        g.hotloop = p.hotloop as u16;
        g.hotcall = p.hotcall as u16;
        Ok(())
    }
    /// Addresses between which the code of traces lies.
    pub fn code(&self) -> Range<u64> {
        self.code.clone()
    }
    /// The trace with this number, if there is one.
    pub fn get(&self, number: i64) -> Option<&Trace> {
        let n = usize::try_from(number).ok()?;
        self.traces.get(n)?.as_deref().filter(|t| t.alive)
    }
    /// Traces that can be entered.
    pub fn live(&self) -> impl Iterator<Item = &Trace> {
        self.traces
            .iter()
            .flatten()
            .map(|t| &**t)
            .filter(|t| t.alive)
    }

    /// Lets the function `p` be compiled or not. What contains it already is removed.
    ///
    /// # Safety
    /// [GC-LIVE] `p` is a live prototype; as [`Jit::flush`].
    pub unsafe fn set_function(&mut self, p: *mut Proto, on: bool) {
        // SAFETY: as promised.
        unsafe {
            let g = &mut *self.g;
            if on {
                jithooks::set_proto_jit(g, p, (*p).jit & !PROTO_OFF);
                self.reset_counters(p);
            } else {
                jithooks::set_proto_jit(g, p, (*p).jit | PROTO_OFF);
                self.flush_function(p);
            }
        }
    }

    /// Counters of the loops of `p`, and of its calls, begin anew.
    unsafe fn reset_counters(&mut self, p: *mut Proto) {
        // SAFETY: [CODE] the words are walked as instructions, the header first.
        unsafe {
            let mut i = 0;
            while i < (*p).ncode as usize {
                let at = (*p).code.add(i);
                let op = dispatch::exact_op_of(traceorus_base::bytecode::op_field(*at));
                if op.original() == op && op.counter().is_some() {
                    let n = if i == 0 {
                        self.params.hotcall
                    } else {
                        self.params.hotloop
                    };
                    jithooks::set_counter(at, n as u16);
                }
                i += if i == 0 { 1 } else { op.words() };
            }
        }
    }

    /// Removes the traces that contain code of `p`.
    ///
    /// # Safety
    /// As [`Jit::flush`].
    pub unsafe fn flush_function(&mut self, p: *mut Proto) {
        let with = |t: &Trace| t.protos.contains(&p);
        // SAFETY: as promised.
        unsafe { self.remove_trees(with) };
    }

    /// Removes the tree of trace `number`. False: there is no such trace.
    ///
    /// # Safety
    /// As [`Jit::flush`].
    pub unsafe fn flush_trace(&mut self, number: i64) -> bool {
        let Some(root) = self.get(number).map(|t| t.root) else {
            return false;
        };
        // SAFETY: as promised.
        unsafe { self.remove_trees(|t| t.root == root) };
        true
    }
}

impl Trace {
    /// What it begins with, in a word, as LuaJIT calls it.
    pub fn kind_name(&self) -> &'static str {
        match self.kind {
            Kind::Loop => "loop",
            Kind::Func => "function",
            Kind::Cont { .. } | Kind::Event { .. } => "continuation",
            Kind::Meet { .. } => "meet",
            Kind::Side { .. } => "side",
        }
    }
    /// LuaJIT's word for how it ends.
    pub fn link_type(&self) -> &'static str {
        match self.link {
            Link::Loop => "loop",
            Link::SelfEntry { base: 0 } if self.kind == Kind::Loop => "loop",
            Link::Entry { .. } | Link::Body { .. } => "root",
            Link::SelfEntry { .. } => "up-recursion",
            Link::Return { .. } | Link::Event(_) => "return",
            Link::Exit | Link::Resume { .. } => "interpreter",
        }
    }
    /// Prototype and word of the code that it begins at.
    ///
    /// # Safety
    /// [GC-LIVE] the trace is live, so its prototypes are.
    pub unsafe fn start(&self) -> Option<(*mut Proto, usize)> {
        // SAFETY: as promised.
        unsafe {
            let p = proto_at(&self.protos, self.start_pc)?;
            Some((p, self.start_pc.offset_from((*p).code) as usize))
        }
    }
}
