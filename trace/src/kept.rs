//! The objects that traces keep alive, each once: traces of a program name the same strings, functions and prototypes over and over, and
//! the collector asks for all of them in every cycle.

use rustc_hash::FxHashMap;

use traceorus_base::{Tag, Value};

use crate::traces::Trace;

/// Objects, and how many traces keep each of them.
#[derive(Default)]
pub(crate) struct Kept {
    counts: FxHashMap<u64, (Tag, u32)>,
}

fn of(t: &Trace) -> impl Iterator<Item = Value> {
    let protos = t.protos.iter().map(|&p| Value::ptr(p, Tag::PROTO));
    t.keep.iter().copied().chain(protos)
}

impl Kept {
    /// The trace is there from now on.
    pub(crate) fn add(&mut self, t: &Trace) {
        for v in of(t).filter(|v| v.tag.is_collectable()) {
            self.counts.entry(v.payload).or_insert((v.tag, 0)).1 += 1;
        }
    }
    /// The trace, which was added, is about to be freed.
    pub(crate) fn remove(&mut self, t: &Trace) {
        for v in of(t).filter(|v| v.tag.is_collectable()) {
            let Some(n) = self.counts.get_mut(&v.payload) else {
                debug_assert!(false, "{v:?} is not kept");
                continue;
            };
            n.1 -= 1;
            if n.1 == 0 {
                self.counts.remove(&v.payload);
            }
        }
    }
    /// All of them.
    pub(crate) fn values(&self) -> impl Iterator<Item = Value> {
        self.counts.iter().map(|(&p, &(tag, _))| Value::new(p, tag))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_two_traces_keep_stays_until_both_are_gone() {
        let with = |n: u16, keep: &[u64]| {
            let mut t = Trace::empty(n, 0);
            t.keep = keep.iter().map(|&p| Value::new(p, Tag::STRING)).collect();
            t
        };
        let (a, b) = (with(1, &[16, 32]), with(2, &[32, 48]));
        let mut kept = Kept::default();
        let now = |k: &Kept| {
            let mut all: Vec<u64> = k.values().map(|v| v.payload).collect();
            all.sort_unstable();
            all
        };
        kept.add(&a);
        kept.add(&b);
        assert_eq!(now(&kept), [16, 32, 48]);
        kept.remove(&a);
        assert_eq!(now(&kept), [32, 48]);
        kept.remove(&b);
        assert!(now(&kept).is_empty());
    }
}
