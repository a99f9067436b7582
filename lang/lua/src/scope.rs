//! Variables, functions and blocks being parsed: name resolution, assignment analysis, labels and gotos.
//!
//! A name finds its innermost variable through one table look-up: `bindings` maps a name to the variable it means
//! here, each variable remembers the one it shadows. Whether a variable is captured or assigned is known once its
//! scope has been parsed, which is before its function is emitted.

use traceorus_base::chunk::UpvalInfo;

use crate::ast::Konst;
use crate::lexer::{Lexer, Res};
use crate::strings::StrId;

/// Most local variables in a function.
pub const MAX_LOCALS: usize = 200;
/// Most upvalues of a function.
pub const MAX_UPVALUES: usize = 255;

/// Number of a variable.
pub type VarId = u32;
/// No variable.
pub const NO_VAR: VarId = u32::MAX;

/// Attribute of a variable; ORDER as `UpvalInfo::attrib`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Attrib {
    Regular,
    Const,
    Close,
}

/// A local variable, or `_ENV` of the main function.
#[derive(Clone, Copy, Debug)]
pub struct Var {
    pub name: StrId,
    /// Nesting depth of its function.
    pub level: u32,
    pub attrib: Attrib,
    /// A nested function refers to it: it lives in a cell.
    pub captured: bool,
    /// Assigned after its initialisation.
    pub assigned: bool,
    /// Compile-time constant: has no register.
    pub constant: Option<Konst>,
    /// What its name meant before.
    pub shadowed: VarId,
    /// Its register, once emitted.
    pub reg: u8,
    /// Register of the copy in a cell that closures capture, for a variable to be closed.
    pub cell: u8,
    /// First register above it and what goes with it.
    pub top: u8,
    /// Its number among the debug names, once emitted.
    pub debug: u32,
}

/// Upvalue of a function.
#[derive(Clone, Copy, Debug)]
pub struct Upval {
    pub var: VarId,
    /// Upvalue of the enclosing function; [`None`] for a local variable of it.
    pub outer: Option<u8>,
}

impl Var {
    fn new(name: StrId, level: u32) -> Var {
        Var {
            name,
            level,
            attrib: Attrib::Regular,
            captured: false,
            assigned: false,
            constant: None,
            shadowed: NO_VAR,
            reg: 0,
            cell: 0,
            top: 0,
            debug: 0,
        }
    }

    /// Its register holds a cell. A variable to be closed keeps its value in its register, where the runtime finds it;
    /// since it is never assigned, closures can have a copy.
    pub fn boxed(&self) -> bool {
        self.captured && self.attrib != Attrib::Close
    }
}

/// The variable behind an upvalue of a function that has been emitted.
#[derive(Clone, Copy, Debug)]
pub struct Captured {
    pub var: VarId,
    /// Number of the function in the one around it.
    pub function: u32,
}

/// A function being parsed.
pub struct Func {
    pub line_defined: u32,
    pub is_vararg: bool,
    pub nparams: u8,
    /// First of its entries in the lists of [`Scopes`], the syntax tree and the list pool.
    pub first_var: usize,
    pub first_declared: usize,
    pub first_label: usize,
    pub first_block: usize,
    pub first_node: usize,
    pub first_list: usize,
    /// How many of its declared variables are active.
    pub active: usize,
    pub upvals: Vec<Upval>,
    /// How many functions in it have been emitted.
    pub nested: u32,
    /// First of their entries in the lists of captures.
    pub first_capture: usize,
    /// Active variables at each label, by label number.
    pub label_levels: Vec<u32>,
    /// Number of the function in the chunk.
    pub ordinal: u32,
}

struct Block {
    active: usize,
    first_label: usize,
    first_goto: usize,
    is_loop: bool,
}

struct LabelEntry {
    name: StrId,
    line: u32,
    id: u32,
}

struct GotoEntry {
    /// `None`: a `break` outside a loop.
    name: Option<StrId>,
    line: u32,
    active: usize,
    /// Node to fill in.
    node: u32,
}

/// All scopes of a compilation.
pub struct Scopes {
    pub vars: Vec<Var>,
    /// Declared variables of the open functions, active or about to be.
    declared: Vec<VarId>,
    bindings: Vec<VarId>,
    pub funcs: Vec<Func>,
    /// Upvalues of emitted functions, to be completed by the functions around them, and the variables behind them.
    pub captures: Vec<UpvalInfo>,
    pub captured: Vec<Captured>,
    /// Lists to be used again.
    spare: Vec<Vec<Upval>>,
    blocks: Vec<Block>,
    labels: Vec<LabelEntry>,
    gotos: Vec<GotoEntry>,
    nfuncs: u32,
}

/// What a name means.
#[derive(Clone, Copy, Debug)]
pub enum Meaning {
    Local(VarId),
    Upval(u8),
    Constant(Konst),
    Global,
}

impl Scopes {
    pub fn new() -> Scopes {
        Scopes {
            vars: Vec::with_capacity(32),
            declared: Vec::with_capacity(32),
            bindings: Vec::with_capacity(32),
            funcs: Vec::with_capacity(4),
            captures: Vec::new(),
            captured: Vec::new(),
            spare: Vec::new(),
            blocks: Vec::with_capacity(8),
            labels: Vec::new(),
            gotos: Vec::new(),
            nfuncs: 0,
        }
    }

    /// Forgets everything, for another compilation.
    pub fn reset(&mut self) {
        self.vars.clear();
        self.declared.clear();
        self.bindings.clear();
        self.funcs.clear();
        self.captures.clear();
        self.captured.clear();
        self.blocks.clear();
        self.labels.clear();
        self.gotos.clear();
        self.nfuncs = 0;
    }

    /// The innermost function. There always is one while parsing.
    #[inline]
    pub fn func(&mut self) -> &mut Func {
        let last = self.funcs.len() - 1;
        &mut self.funcs[last]
    }

    #[inline]
    fn level(&self) -> u32 {
        self.funcs.len() as u32
    }

    /// Opens a function and its outermost block.
    pub fn open_func(&mut self, line_defined: u32, first_node: usize, first_list: usize) {
        self.funcs.push(Func {
            line_defined,
            is_vararg: false,
            nparams: 0,
            first_var: self.vars.len(),
            first_declared: self.declared.len(),
            first_label: self.labels.len(),
            first_block: self.blocks.len(),
            first_node,
            first_list,
            active: 0,
            upvals: self.spare.pop().unwrap_or_default(),
            nested: 0,
            first_capture: self.captures.len(),
            label_levels: Vec::new(),
            ordinal: self.nfuncs,
        });
        self.nfuncs += 1;
        self.open_block(false);
    }

    /// Forgets a function that has been emitted, but for its upvalues, which go to the function around it.
    pub fn close_func(&mut self, upvals: &[UpvalInfo]) {
        let Some(mut f) = self.funcs.pop() else {
            return;
        };
        self.vars.truncate(f.first_var);
        self.captures.truncate(f.first_capture);
        self.captured.truncate(f.first_capture);
        if let Some(outer) = self.funcs.last_mut() {
            let function = outer.nested;
            outer.nested += 1;
            self.captures.extend_from_slice(upvals);
            let vars = f.upvals.iter().map(|u| u.var);
            self.captured
                .extend(vars.map(|var| Captured { var, function }));
        }
        f.upvals.clear();
        self.spare.push(f.upvals);
    }

    // --- variables -------------------------------------------------------------------------------------------

    /// The variable of the host that the main function's upvalue `_ENV` is.
    pub fn add_env(&mut self, name: StrId) -> VarId {
        self.vars.push(Var {
            captured: true,
            ..Var::new(name, 0)
        });
        self.bind(name, 0);
        0
    }

    fn bind(&mut self, name: StrId, var: VarId) {
        let i = name.0 as usize;
        if self.bindings.len() <= i {
            self.bindings.resize(i + 1 + i / 2, NO_VAR);
        }
        self.bindings[i] = var;
    }

    fn binding(&self, name: StrId) -> VarId {
        self.bindings
            .get(name.0 as usize)
            .copied()
            .unwrap_or(NO_VAR)
    }

    /// Declares a variable of the innermost function; it becomes active with [`Self::activate`].
    pub fn declare(&mut self, lex: &mut Lexer, name: StrId) -> Res<VarId> {
        if self.declared.len() + 1 - self.func().first_declared > MAX_LOCALS {
            return self.limit_error(lex, self.funcs.len() - 1, "local variables", MAX_LOCALS);
        }
        let var = self.vars.len() as VarId;
        self.vars.push(Var::new(name, self.level()));
        self.declared.push(var);
        Ok(var)
    }

    /// Makes the next `n` declared variables visible.
    pub fn activate(&mut self, n: usize) {
        for _ in 0..n {
            let f = self.func();
            let at = f.first_declared + f.active;
            f.active += 1;
            let var = self.declared[at];
            let name = self.vars[var as usize].name;
            self.vars[var as usize].shadowed = self.binding(name);
            self.bind(name, var);
        }
    }

    fn deactivate(&mut self, to: usize) {
        let f = self.func();
        let from = f.first_declared + to;
        f.active = to;
        while self.declared.len() > from {
            if let Some(var) = self.declared.pop() {
                let v = self.vars[var as usize];
                self.bind(v.name, v.shadowed);
            }
        }
    }

    /// Finds what a name means in the innermost function, adding upvalues on the way.
    #[inline]
    pub fn resolve(&mut self, lex: &mut Lexer, name: StrId) -> Res<Meaning> {
        let id = self.binding(name);
        if id == NO_VAR {
            return Ok(Meaning::Global);
        }
        let var = &self.vars[id as usize];
        if let Some(k) = var.constant {
            return Ok(Meaning::Constant(k));
        }
        if var.level == self.level() {
            return Ok(Meaning::Local(id));
        }
        let top = self.funcs.len() - 1;
        Ok(Meaning::Upval(self.upvalue(lex, top, id)?))
    }

    fn upvalue(&mut self, lex: &mut Lexer, func: usize, var: VarId) -> Res<u8> {
        if let Some(i) = self.funcs[func].upvals.iter().position(|u| u.var == var) {
            return Ok(i as u8);
        }
        // Function number n is at level n + 1.
        let outer = if self.vars[var as usize].level as usize == func {
            self.vars[var as usize].captured = true;
            None
        } else {
            Some(self.upvalue(lex, func - 1, var)?)
        };
        if self.funcs[func].upvals.len() == MAX_UPVALUES {
            return self.limit_error(lex, func, "upvalues", MAX_UPVALUES);
        }
        self.funcs[func].upvals.push(Upval { var, outer });
        Ok(self.funcs[func].upvals.len() as u8 - 1)
    }

    #[cold]
    fn limit_error<T>(&self, lex: &mut Lexer, func: usize, what: &str, limit: usize) -> Res<T> {
        let place = match self.funcs[func].line_defined {
            0 => "main function".into(),
            line => format!("function at line {line}"),
        };
        lex.syntax_error(&format!("too many {what} (limit is {limit}) in {place}"))
    }

    // --- blocks, labels, gotos -------------------------------------------------------------------------------

    pub fn open_block(&mut self, is_loop: bool) {
        let block = Block {
            active: self.func().active,
            first_label: self.labels.len(),
            first_goto: self.gotos.len(),
            is_loop,
        };
        self.blocks.push(block);
    }

    /// Ends the innermost block. At the end of a function, a goto without a label is an error.
    pub fn close_block(&mut self, lex: &mut Lexer) -> Res<()> {
        let Some(block) = self.blocks.pop() else {
            return Ok(());
        };
        self.deactivate(block.active);
        self.labels.truncate(block.first_label);
        if self.blocks.len() > self.func().first_block {
            for g in &mut self.gotos[block.first_goto..] {
                g.active = block.active;
            }
            return Ok(());
        }
        match self.gotos.get(block.first_goto) {
            None => Ok(()),
            Some(g) => {
                let msg = match g.name {
                    None => format!("break outside loop at line {}", g.line).into_bytes(),
                    Some(name) => {
                        let mut m = b"no visible label '".to_vec();
                        m.extend_from_slice(lex.strings.get(name));
                        m.extend_from_slice(format!("' for <goto> at line {}", g.line).as_bytes());
                        m
                    }
                };
                lex.semantic_error(&msg)
            }
        }
    }

    /// Notes a `break`.
    pub fn add_break(&mut self, line: u32) {
        let first = self.func().first_block;
        if !self.blocks[first..].iter().any(|b| b.is_loop) {
            let active = self.func().active;
            self.gotos.push(GotoEntry {
                name: None,
                line,
                active,
                node: 0,
            });
        }
    }

    /// Finds the label of a goto, or notes the goto for later. `node` will be its node.
    pub fn add_goto(&mut self, name: StrId, line: u32, node: u32) -> Option<u32> {
        let first = self.func().first_label;
        if let Some(l) = self.labels[first..].iter().find(|l| l.name == name) {
            return Some(l.id);
        }
        let active = self.func().active;
        self.gotos.push(GotoEntry {
            name: Some(name),
            line,
            active,
            node,
        });
        None
    }

    /// Adds a label and calls `solve` with the node of each goto that waited for it. `is_last`: nothing but empty
    /// statements follow in its block, so the block's variables count as out of scope. Returns the label's number
    /// and the active variables that remain there.
    pub fn add_label(
        &mut self,
        lex: &mut Lexer,
        name: StrId,
        line: u32,
        is_last: bool,
        mut solve: impl FnMut(u32, u32),
    ) -> Res<(u32, usize)> {
        let first = self.func().first_label;
        if let Some(l) = self.labels[first..].iter().find(|l| l.name == name) {
            let mut m = b"label '".to_vec();
            m.extend_from_slice(lex.strings.get(name));
            m.extend_from_slice(format!("' already defined on line {}", l.line).as_bytes());
            return lex.semantic_error(&m);
        }
        let block = &self.blocks[self.blocks.len() - 1];
        let (block_active, first_goto) = (block.active, block.first_goto);
        let active = if is_last {
            block_active
        } else {
            self.func().active
        };
        let levels = &mut self.func().label_levels;
        let id = levels.len() as u32;
        levels.push(active as u32);
        self.labels.push(LabelEntry { name, line, id });
        let mut i = first_goto;
        while i < self.gotos.len() {
            let g = &self.gotos[i];
            if g.name != Some(name) {
                i += 1;
                continue;
            }
            if g.active < active {
                let (line, at) = (g.line, g.active);
                let first = self.func().first_declared;
                let var = self.vars[self.declared[first + at] as usize].name;
                let mut m = b"<goto ".to_vec();
                m.extend_from_slice(lex.strings.get(name));
                m.extend_from_slice(
                    format!("> at line {line} jumps into the scope of local '").as_bytes(),
                );
                m.extend_from_slice(lex.strings.get(var));
                m.push(b'\'');
                return lex.semantic_error(&m);
            }
            solve(self.gotos[i].node, id);
            self.gotos.remove(i);
        }
        Ok((id, active))
    }
}
