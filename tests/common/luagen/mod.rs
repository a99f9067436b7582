//! A generator of random Lua programs.
//!
//! A program is a prelude and some units. A unit is a template ([`units`]) whose placeholders are filled with random
//! expressions ([`expr`]) and statements ([`stmt`]); it runs in a protected call and prints what it computes. Every
//! program ends: loops have small bounds and count down a common fuel, and functions only call functions that were
//! made before them. What it prints is determined by the language: tables are shown sorted, NaN without a sign, no
//! addresses, no `#` of tables with holes.

mod expr;
mod stmt;
mod template;
pub mod tree;
mod units;

use crate::common::Rng;
use tree::Item;

/// What a variable holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ty {
    Int,
    /// Integer or float.
    Num,
    Str,
    Bool,
    /// Table with any keys.
    Tab,
    /// Sequence of numbers.
    Arr,
    /// Function of so many numbers; gives one number.
    Fun(u8),
    Any,
}

#[derive(Clone, Debug)]
struct Var {
    name: String,
    ty: Ty,
    /// May be assigned.
    free: bool,
}

/// The generator's state.
pub struct Gen {
    rng: Rng,
    scope: Vec<Var>,
    names: u32,
    /// Nesting of loops.
    loops: u32,
    /// Nesting of functions.
    functions: u32,
    /// `...` is there.
    varargs: bool,
}

const PRELUDE: &str = include_str!("prelude.lua");

/// The prelude, then one item per unit: a list that can be made smaller.
pub fn program(seed: u64) -> Vec<Item> {
    let mut g = Gen {
        rng: Rng(seed),
        scope: Vec::new(),
        names: 0,
        loops: 0,
        functions: 0,
        varargs: true,
    };
    let mut all: Vec<Item> = Vec::new();
    for l in PRELUDE.lines() {
        match all.last_mut() {
            Some(Item::Line(text)) if !l.starts_with("local ") => *text = format!("{text}\n{l}"),
            _ => all.push(Item::Line(l.to_string())),
        }
    }
    let n = g.rng.range(2, 6);
    for _ in 0..n {
        let kept = g.scope.len();
        g.functions += 1;
        g.varargs = false;
        let body = g.unit();
        g.functions -= 1;
        g.scope.truncate(kept);
        all.push(Item::block("P(pcall(function()", body, "end))"));
    }
    all
}

impl Gen {
    fn name(&mut self, prefix: &str) -> String {
        self.names += 1;
        format!("{prefix}{}", self.names)
    }
    fn declare(&mut self, name: &str, ty: Ty, free: bool) {
        self.scope.push(Var {
            name: name.into(),
            ty,
            free,
        });
    }
    /// A visible variable of the type.
    fn var(&mut self, want: impl Fn(&Var) -> bool) -> Option<String> {
        let fits: Vec<usize> = (0..self.scope.len())
            .filter(|&i| {
                let v = &self.scope[i];
                want(v) && !self.scope[i + 1..].iter().any(|w| w.name == v.name)
            })
            .collect();
        if fits.is_empty() {
            return None;
        }
        // rather a near one
        let i = if self.rng.chance(50) {
            fits[fits.len() - 1 - self.rng.below(fits.len().min(3))]
        } else {
            self.rng.pick(&fits)
        };
        Some(self.scope[i].name.clone())
    }
}
