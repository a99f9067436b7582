//! Collects the functions of a chunk.

use traceorus_base::chunk::{Function, Sink, Stop, Strings, UpvalInfo};

/// The sink that makes a tree of functions.
#[derive(Default)]
pub struct Tree {
    /// Functions that are in no other one yet.
    open: Vec<Function>,
}

impl Sink for Tree {
    fn function(
        &mut self,
        _strings: &Strings,
        f: &Function,
        nested: usize,
        mut captures: &[UpvalInfo],
    ) -> Result<(), Stop> {
        let mut f = f.clone();
        f.functions = self.open.split_off(self.open.len() - nested);
        for inner in &mut f.functions {
            let (own, rest) = captures.split_at(inner.upvals.len());
            inner.upvals.copy_from_slice(own);
            captures = rest;
        }
        self.open.push(f);
        Ok(())
    }
}

impl Tree {
    /// The main function, if it has been given.
    pub fn finish(mut self) -> Option<Function> {
        let mut main = self.open.pop()?;
        spread_readonly(&mut main);
        Some(main)
    }
}

/// Tells nested functions which of their upvalues are never assigned; `f`'s own are known.
fn spread_readonly(f: &mut Function) {
    for child in &mut f.functions {
        for u in child.upvals.iter_mut().filter(|u| !u.in_stack) {
            u.readonly = f.upvals[usize::from(u.index)].readonly;
        }
        spread_readonly(child);
    }
}
