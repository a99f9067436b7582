//! Statements.

use traceorus_base::bytecode::{MULTI, Op};
use traceorus_lang_common::builder::Label;

use super::expr::{Left, Want};
use super::{Emitter, Loop};
use crate::ast::{Kind, Konst, ListId, NONE, Node, NodeId};
use crate::scope::{Attrib, VarId};
use crate::strings::StrId;

/// Where an assignment goes, with its operands evaluated as far as can be.
#[derive(Clone, Copy)]
enum Target {
    Local(VarId),
    Upval(u32),
    Global(StrId, u32),
    Field(Left, StrId),
    Int(Left, u32),
    Index(Left, Left),
}

impl Emitter<'_> {
    /// The statements of a block, in the scope around them.
    pub(super) fn statements(&mut self, block: ListId) {
        let ast = self.i.ast;
        let at = block.0 as usize;
        let n = ast.pool[at] as usize;
        for &s in &ast.pool[at + 2..at + 2 + n] {
            self.statement(NodeId(s));
        }
    }

    /// Line of the last token of a block.
    fn block_end(&self, block: ListId) -> u32 {
        self.i.ast.pool[block.0 as usize + 1]
    }

    /// The statements of a block in a scope of their own.
    fn block(&mut self, block: ListId) {
        let outer = self.active.len();
        self.statements(block);
        self.close(outer, self.block_end(block));
        self.leave_vars(outer);
    }

    fn statement(&mut self, s: NodeId) {
        let n = self.node(s);
        let ast = self.i.ast;
        match n.kind {
            Kind::LocalStat => self.local_stat(n),
            Kind::LocalFunction | Kind::SelfRef => self.local_function(n),
            Kind::Assign => self.assign(n),
            Kind::MultiAssign => self.multi_assign(n),
            Kind::CallStat => {
                let free = self.b.free;
                self.spine(NodeId(n.a), free, Want::Results(0));
                self.b.need(1);
            }
            Kind::Do => self.block(ListId(n.a)),
            Kind::If => self.if_stat(ast.list(ListId(n.a))),
            Kind::While => self.while_stat(n),
            Kind::Repeat => self.repeat_stat(n),
            Kind::NumFor => self.numeric_for(ast.list(ListId(n.a)), n.line),
            Kind::GenFor => self.generic_for(ast.list(ListId(n.a)), n.line, n.b),
            Kind::Return => self.return_stat(ast.list(ListId(n.a)), n.line),
            Kind::Break => {
                if let Some(to) = self.break_target(n.line, true) {
                    self.b.goto(to, n.line);
                }
            }
            Kind::Goto => {
                let level = self.i.func.label_levels[n.a as usize] as usize;
                self.close(level, n.line);
                let to = self.label(n.a);
                self.b.goto(to, n.line);
            }
            Kind::Label => {
                if n.b != NONE {
                    // Nothing follows in the block: its variables go out of scope here, for those who jump here too.
                    self.close(n.b as usize, n.line);
                    self.leave_vars(n.b as usize);
                }
                let l = self.label(n.a);
                self.b.bind(l);
            }
            _ => {}
        }
    }

    fn label(&mut self, id: u32) -> Label {
        match self.labels[id as usize] {
            Some(l) => l,
            None => {
                let l = self.b.label();
                self.labels[id as usize] = Some(l);
                l
            }
        }
    }

    /// Where a `break` goes. Variables that it leaves are closed first if `close`; otherwise there is no target if
    /// there are any.
    fn break_target(&mut self, line: u32, close: bool) -> Option<Label> {
        let l = self.loops.last()?;
        let (exit, active) = (l.exit, l.active);
        if self.must_close(active) {
            if !close {
                return None;
            }
            self.close(active, line);
        }
        Some(exit)
    }

    // --- variables and assignments ---------------------------------------------------------------------------

    /// Exactly `want` values of a list of expressions in the next free registers, which are reserved.
    fn adjust(&mut self, exps: &[u32], want: u32, line: u32) {
        let first = self.b.free;
        let mut have = 0;
        for (i, &e) in exps.iter().enumerate() {
            let e = NodeId(e);
            if i + 1 == exps.len() && self.i.ast.is_multi(e) {
                let n = want.saturating_sub(have);
                self.results(e, n as u16);
                self.reserve(n);
                have += n;
            } else {
                self.put_next(e);
                have += 1;
            }
        }
        if have < want {
            self.load_nil(self.b.free, want - have, line);
            self.reserve(want - have);
        }
        self.b.free = first + want;
    }

    fn local_stat(&mut self, n: Node) {
        let ast = self.i.ast;
        let list = ast.list(ListId(n.a));
        let (vars, exps) = list[1..].split_at(list[0] as usize);
        let first = self.b.free;
        let constant = vars
            .last()
            .filter(|&&v| self.var(v).constant.is_some())
            .copied();
        let (in_regs, exps) = match constant {
            Some(_) => (&vars[..vars.len() - 1], &exps[..exps.len() - 1]),
            None => (vars, exps),
        };
        self.adjust(exps, in_regs.len() as u32, n.line);
        for (i, &v) in in_regs.iter().enumerate() {
            self.i.vars[v as usize].reg = (first + i as u32) as u8;
            self.box_var(v);
        }
        self.start_vars(in_regs, first);
        self.active.extend(constant);
        if let Some(&v) = in_regs
            .iter()
            .find(|&&v| self.var(v).attrib == Attrib::Close)
        {
            let reg = u32::from(self.var(v).reg);
            self.b.emit(Op::Tbc, reg, 0, 0, n.line);
            if self.var(v).captured {
                let cell = self.b.free;
                self.b.emit(Op::Move, cell, reg, 0, n.line);
                self.reserve(1);
                self.b.emit(Op::NewCell, cell, 1, 0, n.line);
                self.i.vars[v as usize].cell = cell as u8;
                // It goes with the last variable of the statement.
                if let Some(&last) = in_regs.last() {
                    self.i.vars[last as usize].top = self.b.free as u8;
                }
            }
        }
    }

    fn local_function(&mut self, n: Node) {
        let reg = self.b.free;
        let (v, closure) = (n.a, NodeId(n.b));
        if n.kind == Kind::LocalFunction {
            self.i.vars[v as usize].reg = reg as u8;
            self.put_next(closure);
            self.box_var(v);
            self.start_var(v, reg);
            return;
        }
        // The closure captures the cell in which it will be.
        self.load_nil(reg, 1, n.line);
        self.reserve(1);
        self.i.vars[v as usize].reg = reg as u8;
        self.box_var(v);
        let f = self.put_next(closure);
        self.b.emit(Op::SetCell, reg, f, 0, n.line);
        self.b.free = reg + 1;
        self.start_var(v, reg);
    }

    /// Makes variables active that are in consecutive registers, the last of them the topmost one.
    fn start_vars(&mut self, vars: &[VarId], first: u32) {
        let free = self.b.free;
        for (i, &v) in vars.iter().enumerate() {
            self.b.free = first + i as u32 + 1;
            self.start_var(v, first + i as u32);
        }
        self.b.free = free;
    }

    /// Evaluates the operands of a target. Captured locals are left for later, as PUC reads them with the store.
    fn target(&mut self, e: NodeId) -> Target {
        let n = self.node(e);
        match n.kind {
            Kind::Local => Target::Local(n.a),
            Kind::Upval => Target::Upval(n.a),
            Kind::Global => Target::Global(StrId(n.a), n.b),
            Kind::IndexStr => match self.env_upvalue(NodeId(n.a)) {
                Some(env) => Target::Global(StrId(n.b), env),
                None => Target::Field(self.early(NodeId(n.a)), StrId(n.b)),
            },
            _ => {
                let t = self.early(NodeId(n.a));
                match self.konst(NodeId(n.b)) {
                    Some(Konst::Int(i @ 0..=0x7fff)) => Target::Int(t, i as u32),
                    _ => Target::Index(t, self.early(NodeId(n.b))),
                }
            }
        }
    }

    /// Stores the value in register `v`. Temporaries stay reserved.
    fn store(&mut self, target: Target, v: u32, line: u32) {
        match target {
            Target::Local(var) => {
                let (reg, boxed) = (u32::from(self.var(var).reg), self.var(var).boxed());
                if boxed {
                    self.b.emit(Op::SetCell, reg, v, 0, line);
                } else if reg != v {
                    self.b.emit(Op::Move, reg, v, 0, line);
                }
            }
            Target::Upval(u) => {
                self.b.emit(Op::SetUpval, u, v, 0, line);
            }
            Target::Global(name, env) if self.is_short(name) => {
                let k = self.str_const(name);
                self.b.emit(Op::SetGlobal, v, env, 0, line);
                self.cached_key(2, k);
            }
            Target::Global(name, env) => {
                let t = self.b.free;
                self.b.emit(Op::GetUpval, t, env, 0, line);
                self.reserve(1);
                self.store(Target::Field(Left::Reg(t), name), v, line);
            }
            Target::Field(t, name) => {
                let t = self.put_left(t, line);
                if self.is_short(name) {
                    let k = self.str_const(name);
                    self.b.emit(Op::SetField, t, v, 0, line);
                    self.cached_key(1, k);
                } else {
                    let k = self.b.free;
                    self.load(Konst::Str(name), k, line);
                    self.reserve(1);
                    self.b.emit(Op::SetIndex, t, k, v, line);
                }
            }
            Target::Int(t, i) => {
                let t = self.put_left(t, line);
                self.b.emit(Op::SetInt, t, i, v, line);
            }
            Target::Index(t, k) => {
                let t = self.put_left(t, line);
                let k = self.put_left(k, line);
                self.b.emit(Op::SetIndex, t, k, v, line);
            }
        }
    }

    fn assign(&mut self, n: Node) {
        let free = self.b.free;
        let (target, value) = (NodeId(n.a), NodeId(n.b));
        if let Some(reg) = self.plain_local(target) {
            if matches!(
                self.node(value).kind,
                Kind::Closure | Kind::Call | Kind::Method | Kind::Table | Kind::Vararg
            ) {
                // Made in a register of its own, and assigned on the line of the assignment.
                let v = self.put_next(value);
                self.b.emit(Op::Move, reg, v, 0, n.line);
            } else {
                self.put_reg(value, reg);
            }
        } else {
            let t = self.target(target);
            let v = self.put_any(value, n.line);
            self.store(t, v, n.line);
        }
        self.b.free = free;
    }

    fn multi_assign(&mut self, n: Node) {
        let ast = self.i.ast;
        let free = self.b.free;
        let (nodes, exps) = (ast.list(ListId(n.a)), ast.list(ListId(n.b)));
        let mut targets: Vec<Target> = Vec::with_capacity(nodes.len());
        for (i, &e) in nodes.iter().enumerate() {
            let mut t = self.target(NodeId(e));
            self.save_operands(&mut t, &nodes[i + 1..], n.line);
            targets.push(t);
        }
        if exps.len() == nodes.len() {
            for &e in &exps[..exps.len() - 1] {
                self.put_next(NodeId(e));
            }
            // The last value needs no register of its own. Values are assigned from the last to the first.
            let last = NodeId(exps[exps.len() - 1]);
            let values = self.b.free;
            if let Some(t) = targets.pop() {
                match t {
                    Target::Local(var) if !self.var(var).boxed() => {
                        let reg = u32::from(self.var(var).reg);
                        self.put_reg(last, reg);
                    }
                    _ => {
                        let v = self.put_any(last, n.line);
                        self.store(t, v, n.line);
                    }
                }
            }
            self.b.free = values;
        } else {
            self.adjust(exps, nodes.len() as u32, n.line);
        }
        while let Some(t) = targets.pop() {
            let v = self.b.free - 1;
            self.store(t, v, n.line);
            self.b.free = v;
        }
        self.b.free = free;
    }

    /// Copies operands of a target that one of the later targets, which are assigned before it, changes.
    fn save_operands(&mut self, t: &mut Target, later: &[u32], line: u32) {
        let assigns_reg =
            |e: &Self, r: u32| later.iter().any(|&n| e.plain_local(NodeId(n)) == Some(r));
        match t {
            Target::Field(Left::Reg(r), _) | Target::Int(Left::Reg(r), _) => {
                self.save(r, assigns_reg, line)
            }
            Target::Index(a, b) => {
                for l in [a, b] {
                    if let Left::Reg(r) = l {
                        self.save(r, assigns_reg, line);
                    }
                }
            }
            Target::Global(name, env) => {
                let (name, env) = (*name, *env);
                let assigned = later.iter().any(|&n| {
                    let n = self.node(NodeId(n));
                    n.kind == Kind::Upval && n.a == env
                });
                if assigned {
                    let r = self.b.free;
                    self.b.emit(Op::GetUpval, r, env, 0, line);
                    self.reserve(1);
                    *t = Target::Field(Left::Reg(r), name);
                }
            }
            _ => {}
        }
        // Cells are read with the store unless they are assigned before it.
        let mut lefts: [Option<&mut Left>; 2] = match t {
            Target::Field(l, _) | Target::Int(l, _) => [Some(l), None],
            Target::Index(a, b) => [Some(a), Some(b)],
            _ => [None, None],
        };
        for l in lefts.iter_mut().flatten() {
            if let Left::Node(e) = **l {
                let var = self.local_var(e);
                let assigned = later.iter().any(|&n| self.local_var(NodeId(n)) == var);
                if assigned {
                    **l = Left::Reg(self.put_next(e));
                }
            }
        }
    }

    fn save(&mut self, r: &mut u32, assigned: impl Fn(&Self, u32) -> bool, line: u32) {
        if assigned(self, *r) {
            let copy = self.b.free;
            self.b.emit(Op::Move, copy, *r, 0, line);
            self.reserve(1);
            *r = copy;
        }
    }

    // --- control ---------------------------------------------------------------------------------------------

    fn if_stat(&mut self, list: &[u32]) {
        let done = self.b.label();
        let clauses = list.chunks_exact(3);
        let otherwise = clauses.remainder().first();
        let n = clauses.len();
        for (i, clause) in clauses.enumerate() {
            let (cond, then_line, block) = (NodeId(clause[0]), clause[1], ListId(clause[2]));
            let last = i + 1 == n && otherwise.is_none();
            if let Some(to) = self.only_break(block) {
                self.jump_if(cond, true, to, then_line);
                continue;
            }
            let next = self.b.label();
            self.jump_if(cond, false, next, then_line);
            self.block(block);
            if !last {
                self.b.goto(done, self.block_end(block));
            }
            self.b.bind(next);
        }
        if let Some(&block) = otherwise {
            self.block(ListId(block));
        }
        self.b.bind(done);
    }

    /// The target of a block that consists of a `break` which has nothing to close.
    fn only_break(&mut self, block: ListId) -> Option<Label> {
        let ast = self.i.ast;
        let at = block.0 as usize;
        if ast.pool[at] != 1 {
            return None;
        }
        let s = self.node(NodeId(ast.pool[at + 2]));
        if s.kind == Kind::Break {
            self.break_target(s.line, false)
        } else {
            None
        }
    }

    fn enter_loop(&mut self) -> Label {
        let exit = self.b.label();
        self.loops.push(Loop {
            exit,
            active: self.active.len(),
        });
        exit
    }

    fn while_stat(&mut self, n: Node) {
        let top = self.b.here();
        let exit = self.enter_loop();
        self.jump_if(NodeId(n.a), false, exit, n.line);
        let block = ListId(n.b);
        self.block(block);
        self.b.goto(top, self.block_end(block));
        self.loops.pop();
        self.b.bind(exit);
    }

    fn repeat_stat(&mut self, n: Node) {
        let (block, cond) = (ListId(n.a), NodeId(n.b));
        let top = self.b.here();
        let exit = self.enter_loop();
        let outer = self.active.len();
        self.statements(block);
        if self.konst(cond).is_some_and(Konst::truthy) {
            self.close(outer, n.line);
            self.leave_vars(outer);
        } else if self.must_close(outer) {
            let leave = self.b.label();
            self.jump_if(cond, true, leave, n.line);
            self.close(outer, n.line);
            self.b.goto(top, n.line);
            self.b.bind(leave);
            self.close(outer, n.line);
            self.leave_vars(outer);
        } else {
            let leave = self.b.label();
            self.jump_if(cond, true, leave, n.line);
            self.leave_vars(outer);
            self.b.goto(top, n.line);
            self.b.bind(leave);
        }
        self.loops.pop();
        self.b.bind(exit);
    }

    fn numeric_for(&mut self, list: &[u32], line: u32) {
        let [var, h0, h1, h2, do_line, block, exps @ ..] = list else {
            return;
        };
        let base = self.b.free;
        let outer = self.active.len();
        for &e in exps {
            self.put_next(NodeId(e));
        }
        if exps.len() == 2 {
            // PUC has read the limit when it makes the step.
            let step_line = self.node(NodeId(exps[1])).line;
            self.load(Konst::Int(1), base + 2, step_line);
            self.reserve(1);
        }
        let exit = self.enter_loop();
        self.start_vars(&[*h0, *h1, *h2], base);
        let body = self.b.label();
        self.b.jump(Op::ForPrep, base, 0, exit, *do_line);
        self.b.bind(body);
        let own = self.var(*var).captured || self.var(*var).assigned;
        let inner = self.active.len();
        let entry = self.b.pc() as usize;
        if own {
            // The copy is the body's first instruction.
            self.b.emit(Op::Move, base + 3, base, 0, *do_line);
            self.reserve(1);
            self.i.vars[*var as usize].reg = (base + 3) as u8;
            self.box_var(*var);
            self.start_var(*var, base + 3);
        } else {
            self.start_var(*var, base);
        }
        let body_start = self.b.pc() as usize;
        self.block(ListId(*block));
        self.leave_vars(inner);
        self.b.free = base + 3;
        self.b.jump(
            if own { Op::ForLoopV } else { Op::ForLoop },
            base,
            0,
            body,
            line,
        );
        self.b.same_line(entry, body_start);
        self.loops.pop();
        self.leave_vars(outer);
        self.b.free = base;
        self.b.bind(exit);
    }

    fn generic_for(&mut self, list: &[u32], line: u32, end_line: u32) {
        let [nvars, do_line, block, rest @ ..] = list else {
            return;
        };
        let (hidden, rest) = rest.split_at(4);
        let (vars, exps) = rest.split_at(*nvars as usize);
        let base = self.b.free;
        let outer = self.active.len();
        self.adjust(exps, 4, line);
        self.start_vars(hidden, base);
        // what is behind the exit closes the hidden variables only
        let exit = self.enter_loop();
        // Room to call the iterator.
        self.b.need(3);
        let (body, call) = (self.b.label(), self.b.label());
        self.b.jump(Op::TForPrep, base, 0, call, *do_line);
        self.b.bind(body);
        let inner = self.active.len();
        let entry = self.b.pc() as usize;
        self.reserve(*nvars);
        for (i, &v) in vars.iter().enumerate() {
            self.i.vars[v as usize].reg = (base + 4) as u8 + i as u8;
            self.box_var(v);
        }
        self.start_vars(vars, base + 4);
        let body_start = self.b.pc() as usize;
        self.block(ListId(*block));
        self.leave_vars(inner);
        self.b.bind(call);
        self.b.emit(Op::TForCall, base + 4, 0, *nvars, line);
        self.b.word(0);
        self.b.same_line(entry, body_start);
        self.b.free = base + 4 + nvars;
        self.b.jump(Op::TForLoop, base + 4, 0, body, line);
        self.b.free = base + 4;
        self.b.bind(exit);
        self.loops.pop();
        self.close(outer, end_line);
        self.leave_vars(outer);
        self.b.free = base;
    }

    fn return_stat(&mut self, exps: &[u32], line: u32) {
        let free = self.b.free;
        match exps {
            [] => self.ret(free, 0, line),
            [e] if !self.i.ast.is_multi(NodeId(*e)) => {
                let r = self.put_any(NodeId(*e), line);
                self.ret(r, 1, line);
            }
            [e] if self.closing == 0 && self.node(NodeId(*e)).kind != Kind::Vararg => {
                self.spine(NodeId(*e), free, Want::Tail);
            }
            [init @ .., last] => {
                for &e in init {
                    self.put_next(NodeId(e));
                }
                let last = NodeId(*last);
                if self.i.ast.is_multi(last) {
                    self.open(last);
                    if self.closing > 0 {
                        self.b.emit(Op::RetC, free, u32::from(MULTI), 0, line);
                    } else {
                        self.b.emit(Op::RetM, free, 0, 0, line);
                    }
                } else {
                    self.put_next(last);
                    let n = self.b.free - free;
                    self.ret(free, n, line);
                }
            }
        }
        self.b.free = free;
    }
}
