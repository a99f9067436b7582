//! What is asked about all traces again and again, beside the traces, which lie all over the memory: which numbers are free, which tree a trace
//! belongs to, where it ends, which root has its entry at an address.

use rustc_hash::FxHashMap;

use crate::abort::Abort;
use crate::jit::MAX_TRACES;

/// See above. Dead traces count until they are freed.
#[derive(Default)]
pub(crate) struct Index {
    /// By number: the root trace of the tree (0: there is no trace), and the root trace that it ends in the entry of, if the jump can be changed
    /// (0: none).
    rows: Vec<(u16, u16)>,
    free: Vec<u16>,
    len: usize,
    entries: FxHashMap<u64, u16>,
}

impl Index {
    /// A number without trace, which stays free until [`Index::add`].
    pub(crate) fn number(&mut self) -> Result<u16, Abort> {
        if self.rows.is_empty() {
            // number 0 is none
            self.rows.push((0, 0));
        }
        match self.free.last() {
            Some(&n) => Ok(n),
            None if self.rows.len() >= MAX_TRACES => Err(Abort::TooManyTraces),
            None => Ok(self.rows.len() as u16),
        }
    }
    /// Trace `n`, of the tree of `root`, is there; `entry` is its address.
    pub(crate) fn add(&mut self, n: u16, root: u16, link: u16, entry: u64) {
        if self.free.last() == Some(&n) {
            self.free.pop();
        } else {
            debug_assert_eq!(n as usize, self.rows.len());
            self.rows.push((0, 0));
        }
        self.rows[n as usize] = (root, link);
        self.len += 1;
        self.entries.insert(entry, n);
    }
    /// Trace `n` cannot be entered any more.
    pub(crate) fn close(&mut self, n: u16, entry: u64) {
        if self.entries.get(&entry) == Some(&n) {
            self.entries.remove(&entry);
        }
    }
    /// Trace `n` is freed.
    pub(crate) fn remove(&mut self, n: u16) {
        self.rows[n as usize] = (0, 0);
        self.free.push(n);
        self.len -= 1;
    }
    /// Number of traces.
    pub(crate) fn len(&self) -> usize {
        self.len
    }
    /// The trace whose entry is at `address`.
    pub(crate) fn at_entry(&self, address: u64) -> Option<u16> {
        self.entries.get(&address).copied()
    }
    /// Numbers of the traces of a tree.
    pub(crate) fn tree(&self, root: u16) -> Vec<u16> {
        self.numbers(|row| row.0 == root)
    }
    /// Numbers of the traces that end in the entry of `root`.
    pub(crate) fn linked_to(&self, root: u16) -> Vec<u16> {
        self.numbers(|row| row.1 == root)
    }
    fn numbers(&self, is: impl Fn(&(u16, u16)) -> bool) -> Vec<u16> {
        let all = self.rows.iter().enumerate();
        all.filter(|(_, row)| is(row))
            .map(|(n, _)| n as u16)
            .collect()
    }
    /// The root trace that trace `n` ends in the entry of; 0: none.
    pub(crate) fn link(&self, n: u16) -> u16 {
        self.rows[n as usize].1
    }
    /// It ends in that of `to` from now on.
    pub(crate) fn set_link(&mut self, n: u16, to: u16) {
        self.rows[n as usize].1 = to;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_used_again() {
        let mut all = Index::default();
        for n in 1..=3 {
            assert_eq!(all.number().unwrap(), n);
            // asking alone takes none
            assert_eq!(all.number().unwrap(), n);
            all.add(n, 1, 0, 16 * u64::from(n));
        }
        all.close(2, 32);
        assert_eq!(all.at_entry(32), None);
        all.remove(2);
        assert_eq!((all.len(), all.tree(1)), (2, vec![1, 3]));
        assert_eq!(all.number().unwrap(), 2);
        all.add(2, 2, 1, 64);
        assert_eq!((all.tree(1), all.tree(2)), (vec![1, 3], vec![2]));
        assert_eq!((all.linked_to(1), all.link(2)), (vec![2], 1));
        all.set_link(2, 0);
        assert!(all.linked_to(1).is_empty());
        assert_eq!(all.number().unwrap(), 4);
    }
}
