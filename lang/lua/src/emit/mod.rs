//! Emission: the syntax tree of one function to bytecode.
//!
//! Code is made for a destination: [`Emitter::put_reg`] leaves a value in a given register, [`Emitter::put_any`] in the
//! register of a local variable or the next free one, [`Emitter::jump_if`] makes control flow of it. Registers are
//! a stack (`b.free`); a register counts as live from the moment its value has been written, which the builder
//! records for the collector with every instruction. A destination is therefore either a local variable or exactly
//! `b.free`, to be reserved by the caller afterwards.
//!
//! Captured variables hold a cell from their birth: they are operands that must be loaded first
//! ([`Emitter::is_plain`]). PUC reads such a local when the operation runs and not when its operand is evaluated;
//! so that calls in the other operand are seen in the same way, loading it is put off until then.
//!
//! Chains that lean to the left (`a + b + c`, `f().x.y()`, `a and b and c`) may be millions of nodes long: they are
//! walked with a stack of our own. All other nesting is bounded by the parser's limit of levels.

mod branch;
mod expr;
mod stat;
mod table;

use traceorus_base::bytecode::Op;
use traceorus_base::chunk::{Const, Function, UpvalInfo};
use traceorus_lang_common::builder::{FuncBuilder, Label};

use crate::ast::{Ast, Konst, ListId, Node, NodeId};
use crate::scope::{Attrib, Captured, Func, Var, VarId};
use crate::strings::{StrId, Strings};

/// Longest short string: keys of field instructions.
const SHORT_STRING: usize = 40;

/// What is kept from function to function.
#[derive(Default)]
pub struct Shared {
    notes: Notes,
    builder: FuncBuilder,
    active: Vec<VarId>,
    loops: Vec<Loop>,
}

#[derive(Default)]
struct Notes {
    /// Per string, the function (by serial number) that has it as a constant, and the constant's number.
    str_consts: Vec<(u32, u32)>,
    serial: u32,
    /// Nodes of the chains being walked.
    spine: Vec<NodeId>,
    /// Operands of logical operators, with the lines of their tests.
    chain: Vec<(NodeId, u32)>,
}

/// A parsed function.
pub struct Input<'a> {
    pub ast: &'a Ast,
    pub vars: &'a mut [Var],
    pub strings: &'a Strings,
    pub func: &'a Func,
    /// Upvalues of the functions in it, and the variables behind them.
    pub captures: &'a mut [UpvalInfo],
    pub captured: &'a [Captured],
    pub params: &'a [VarId],
    pub body: ListId,
    pub last_line_defined: u32,
    /// Line of the last token.
    pub end_line: u32,
}

/// A loop around the code being made.
struct Loop {
    exit: Label,
    /// Active variables outside of its body.
    active: usize,
}

struct Emitter<'a> {
    i: Input<'a>,
    shared: &'a mut Notes,
    b: &'a mut FuncBuilder,
    /// Active variables, as in the parser.
    active: &'a mut Vec<VarId>,
    /// How many of them are to be closed.
    closing: u32,
    loops: &'a mut Vec<Loop>,
    labels: Vec<Option<Label>>,
    /// The expression being emitted, and the one at which the frame became too large.
    at: NodeId,
    too_large: Option<NodeId>,
}

/// Emits a function; it is then in [`Shared::done`]. The error is the expression that does not fit into its frame.
pub fn function(input: Input, shared: &mut Shared) -> Result<(), NodeId> {
    let notes = &mut shared.notes;
    notes.serial += 1;
    if notes.str_consts.len() < input.strings.len() {
        notes.str_consts.resize(input.strings.len() * 2, (0, 0));
    }
    // the last one may not have been finished
    shared.active.clear();
    shared.loops.clear();
    let first = NodeId(input.func.first_node as u32);
    let labels = vec![None; input.func.label_levels.len()];
    let mut e = Emitter {
        b: &mut shared.builder,
        active: &mut shared.active,
        loops: &mut shared.loops,
        i: input,
        shared: notes,
        closing: 0,
        labels,
        at: first,
        too_large: None,
    };
    e.b.start(e.i.func.nparams);
    e.run();
    match e.too_large {
        Some(node) => Err(node),
        None => {
            e.finish();
            Ok(())
        }
    }
}

impl Shared {
    /// Forgets what is known of strings, for another compilation.
    pub fn reset(&mut self) {
        // numbers of functions go on, so that those of other compilations are of no function
        if self.notes.serial > u32::MAX / 2 {
            self.notes.str_consts.clear();
            self.notes.serial = 0;
        }
    }

    /// The function emitted last.
    pub fn done(&self) -> &Function {
        &self.builder.f
    }
}

impl Emitter<'_> {
    fn run(&mut self) {
        let params = self.i.params;
        for (reg, &p) in params.iter().enumerate() {
            self.i.vars[p as usize].reg = reg as u8;
            self.i.vars[p as usize].top = reg as u8 + 1;
            let (name, boxed) = (
                self.i.vars[p as usize].name,
                self.i.vars[p as usize].boxed(),
            );
            let debug = self.b.start_local(name.0, reg as u32, boxed);
            self.i.vars[p as usize].debug = debug;
            self.active.push(p);
        }
        for &p in params {
            self.box_var(p);
        }
        let boxes = self.b.pc() as usize;
        let body = self.i.body;
        self.statements(body);
        let line = self.i.end_line;
        self.ret(self.b.free, 0, line);
        // A function begins on the line of its first statement.
        self.b.same_line(0, boxes);
        self.leave_vars(0);
    }

    fn finish(self) {
        self.b.finish();
        let f = &mut self.b.f;
        let func = self.i.func;
        f.line_defined = func.line_defined;
        f.last_line_defined = self.i.last_line_defined;
        f.is_vararg = func.is_vararg;
        f.upvals.extend(func.upvals.iter().map(|u| {
            let var = &self.i.vars[u.var as usize];
            UpvalInfo {
                name: var.name.0,
                in_stack: u.outer.is_none(),
                // The register is filled in by the enclosing function, see `closure`.
                index: u.outer.unwrap_or(0),
                // Final for the main function only.
                readonly: !var.assigned,
                attrib: var.attrib as u8,
            }
        }));
    }

    // --- tools -----------------------------------------------------------------------------------------------

    #[inline]
    fn node(&self, n: NodeId) -> Node {
        self.i.ast.get(n)
    }

    #[inline]
    fn konst(&self, n: NodeId) -> Option<Konst> {
        self.i.ast.konst(n)
    }

    #[inline]
    fn var(&self, v: u32) -> &Var {
        &self.i.vars[v as usize]
    }

    /// The first `n` free registers have been written.
    #[inline]
    fn reserve(&mut self, n: u32) {
        self.b.reserve(n);
        if self.b.overflowed() && self.too_large.is_none() {
            self.too_large = Some(self.at);
        }
    }

    fn str_const(&mut self, s: StrId) -> u32 {
        let slot = &mut self.shared.str_consts[s.0 as usize];
        if slot.0 != self.shared.serial {
            let n = self.b.push_const(Const::Str(s.0));
            *slot = (self.shared.serial, n);
        }
        slot.1
    }

    fn is_short(&self, s: StrId) -> bool {
        self.i.strings.get(s).len() <= SHORT_STRING
    }

    // --- variables -------------------------------------------------------------------------------------------

    /// Gives an active variable the register that holds it.
    fn start_var(&mut self, v: VarId, reg: u32) {
        self.i.vars[v as usize].reg = reg as u8;
        self.i.vars[v as usize].top = self.b.free as u8;
        self.closing += u32::from(self.var(v).attrib == Attrib::Close);
        self.active.push(v);
        let (name, boxed) = (self.var(v).name, self.var(v).boxed());
        self.i.vars[v as usize].debug = self.b.start_local(name.0, reg, boxed);
    }

    /// Puts a variable that is captured into its cell, on the line of the instruction before.
    fn box_var(&mut self, v: VarId) {
        let var = self.var(v);
        if var.boxed() {
            let (reg, single) = (var.reg, !var.assigned);
            let line = self.b.f.lines.last().copied().unwrap_or(0);
            self.b
                .emit(Op::NewCell, u32::from(reg), u32::from(single), 0, line);
        }
    }

    /// Ends the scope of all but the first `n` active variables and frees their registers.
    fn leave_vars(&mut self, n: usize) {
        while self.active.len() > n {
            let Some(v) = self.active.pop() else { return };
            let var = self.var(v);
            if var.constant.is_some() {
                continue;
            }
            let (debug, closing) = (var.debug, var.attrib == Attrib::Close);
            self.closing -= u32::from(closing);
            self.b.end_local(debug);
        }
        self.b.free = self.level(n);
    }

    /// First register above the first `n` active variables.
    fn level(&self, n: usize) -> u32 {
        for &v in self.active[..n].iter().rev() {
            let var = self.var(v);
            if var.constant.is_none() {
                return u32::from(var.top);
            }
        }
        0
    }

    /// Is a variable to be closed among the active ones from number `n` on?
    fn must_close(&self, n: usize) -> bool {
        self.closing > 0
            && self.active[n..]
                .iter()
                .any(|&v| self.var(v).attrib == Attrib::Close)
    }

    /// Closes the variables from number `n` on, if there is anything to close.
    fn close(&mut self, n: usize, line: u32) {
        if self.must_close(n) && !self.b.unreachable() {
            let level = self.level(n);
            self.b.emit(Op::Close, level, 0, 0, line);
        }
    }

    /// A return of `n` values from `reg` on.
    fn ret(&mut self, reg: u32, n: u32, line: u32) {
        let (op, b) = match n {
            _ if self.closing > 0 => (Op::RetC, n),
            0 => (Op::Ret0, 0),
            1 => (Op::Ret1, 0),
            _ => (Op::Ret, n),
        };
        self.b
            .emit(op, if op == Op::Ret0 { 0 } else { reg }, b, 0, line);
    }
}
