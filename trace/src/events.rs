//! Events for `jit.attach`. They are noted while traces are made, where no Lua code may run, and told at the next safepoint.

use std::sync::atomic::{AtomicU32, Ordering};

use traceorus_base::objects::*;
use traceorus_base::{Tag, Value};

use crate::abort::Abort;
use crate::jit::Jit;
use crate::record::Kind;

/// What has happened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum What {
    /// A recording has begun.
    Start,
    /// It has become the trace with this number.
    Stop(u16),
    /// It was given up.
    Abort(Abort),
    /// Every trace was removed.
    Flush,
}

/// An event.
#[derive(Clone, Copy, Debug)]
pub struct Event {
    /// What has happened.
    pub what: What,
    /// Number of the trace (that it would get).
    pub number: u16,
    /// The function that runs; nil for a flush. Kept alive until the event is told.
    pub func: Value,
    /// Number of the word of its code at which it is.
    pub word: i64,
    /// Parent trace and exit of a side trace.
    pub parent: Option<(u16, u16)>,
}

/// Events that are kept at most: a program that never reaches a safepoint loses the rest.
const MOST: usize = 100;

impl Jit {
    /// Notes events from now on, or not any more.
    pub fn watch(&mut self, on: bool) {
        if on {
            self.events.get_or_insert_default();
        } else {
            self.events = None;
        }
    }
    /// The events since the last call.
    pub fn take_events(&mut self) -> Vec<Event> {
        self.events.as_mut().map(std::mem::take).unwrap_or_default()
    }
    /// Notes an event, if anybody wants to know.
    pub(crate) fn tell(&mut self, what: What) {
        if self.events.as_ref().is_none_or(|e| e.len() >= MOST) {
            return;
        }
        let mut e = Event {
            what,
            number: match what {
                What::Stop(n) => n,
                _ => self.next_number(),
            },
            func: Value::NIL,
            word: 0,
            parent: None,
        };
        if let Some(r) = &self.recorder
            && what != What::Flush
        {
            let f = r.frame();
            e.func = Value::ptr(f.closure, Tag::FUNCTION);
            // SAFETY: [CODE] [GC-LIVE] the recording keeps its prototypes; the address is only compared.
            let at = unsafe { traceorus_vm::debuginfo::word_index(f.proto, r.last_pc) };
            e.word = at.map_or(0, |n| n as i64);
            if let Kind::Side { parent, exit } = r.kind {
                e.parent = Some((parent, exit));
            }
        }
        if let Some(events) = &mut self.events {
            events.push(e);
        }
        // SAFETY: an aligned word of the live state, which signal handlers change as well.
        unsafe {
            let word = &raw mut (*self.g).hot.poll;
            AtomicU32::from_ptr(word).fetch_or(poll::EVENTS, Ordering::Relaxed);
        }
    }
    fn next_number(&self) -> u16 {
        let free = (1..self.traces.len()).find(|&n| self.traces[n].is_none());
        free.unwrap_or(self.traces.len()) as u16
    }
}
