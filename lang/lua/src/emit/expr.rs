//! Values of expressions.

use traceorus_base::Tag;
use traceorus_base::bytecode::{MULTI, Op};

use super::Emitter;
use crate::ast::{Kind, Konst, ListId, Node, NodeId};
use crate::fold::exact_int;
use crate::scope::{Attrib, VarId};
use crate::strings::StrId;

/// The operand on the left of a step: in a register, or not evaluated yet.
#[derive(Clone, Copy)]
pub(super) enum Left {
    Reg(u32),
    Node(NodeId),
}

/// What to do with the results of a call.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Want {
    /// One value in the destination.
    Value,
    /// This many from the function's register on.
    Results(u16),
    /// Return them.
    Tail,
}

impl Emitter<'_> {
    /// The value of `e` in the next free register, which is reserved.
    pub(super) fn put_next(&mut self, e: NodeId) -> u32 {
        let r = self.b.free;
        self.put_reg(e, r);
        self.reserve(1);
        r
    }

    /// The value of `e` in some register: a local variable's own or the next free one, which is reserved.
    /// An operand is part of its operation: loading one from a cell has the operation's `line`.
    pub(super) fn put_any(&mut self, e: NodeId, line: u32) -> u32 {
        match self.local_var(e) {
            Some(v) if self.var(v).boxed() => {
                let (dest, reg) = (self.b.free, u32::from(self.var(v).reg));
                self.b.emit(Op::GetCell, dest, reg, 0, line);
                self.reserve(1);
                dest
            }
            Some(v) => u32::from(self.var(v).reg),
            None => self.put_next(e),
        }
    }

    pub(super) fn put_left(&mut self, l: Left, line: u32) -> u32 {
        match l {
            Left::Reg(r) => r,
            Left::Node(e) => self.put_any(e, line),
        }
    }

    /// The local variable that an expression is.
    pub(super) fn local_var(&self, e: NodeId) -> Option<VarId> {
        let mut n = self.node(e);
        while n.kind == Kind::Paren {
            n = self.node(NodeId(n.a));
        }
        (n.kind == Kind::Local).then_some(n.a)
    }

    /// Register of a local variable that is no cell.
    pub(super) fn plain_local(&self, e: NodeId) -> Option<u32> {
        let var = self.var(self.local_var(e)?);
        (!var.boxed()).then_some(u32::from(var.reg))
    }

    /// A local variable in a cell?
    pub(super) fn is_boxed(&self, e: NodeId) -> bool {
        self.local_var(e).is_some_and(|v| self.var(v).boxed())
    }

    /// Evaluates an operand now, unless it is a cell, which is read when the operation runs.
    pub(super) fn early(&mut self, e: NodeId) -> Left {
        if self.is_boxed(e) {
            Left::Node(e)
        } else {
            Left::Reg(self.put_any(e, 0))
        }
    }

    /// The value of `e` in `dest`, a local variable or the next free register (not reserved here). No other
    /// register changes but those from the next free one on.
    pub(super) fn put_reg(&mut self, e: NodeId, dest: u32) {
        self.at = e;
        let n = self.node(e);
        let line = n.line;
        match n.kind {
            Kind::Nil | Kind::False | Kind::True | Kind::Int | Kind::Float | Kind::Str => {
                if let Some(k) = self.konst(e) {
                    self.load(k, dest, line);
                }
            }
            Kind::Local => {
                let (reg, boxed) = (u32::from(self.var(n.a).reg), self.var(n.a).boxed());
                if boxed {
                    self.b.emit(Op::GetCell, dest, reg, 0, line);
                } else if reg != dest {
                    self.b.emit(Op::Move, dest, reg, 0, line);
                }
            }
            Kind::Upval => {
                self.b.emit(Op::GetUpval, dest, n.a, 0, line);
            }
            Kind::Global => self.get_global(dest, StrId(n.a), n.b, line),
            Kind::Vararg => {
                let r = self.b.free;
                self.b.emit(Op::Vararg, r, 1, 0, line);
                self.move_result(r, dest, line);
            }
            Kind::Closure => {
                let r = self.b.free;
                self.closure(n, r);
                self.move_result(r, dest, line);
            }
            Kind::Table => {
                let r = self.b.free;
                self.table(n, r);
                self.move_result(r, dest, line);
            }
            Kind::Paren => self.put_reg(NodeId(n.a), dest),
            Kind::Unm | Kind::BNot | Kind::Len => {
                let op = match n.kind {
                    Kind::Unm => Op::Unm,
                    Kind::BNot => Op::BNot,
                    _ => Op::Len,
                };
                let free = self.b.free;
                let r = self.put_any(NodeId(n.a), line);
                self.b.emit(op, dest, r, 0, line);
                self.b.free = free;
            }
            Kind::Not => self.not(n, dest),
            Kind::Concat => self.concat(e, dest),
            Kind::And | Kind::Or => self.logic(e, dest),
            _ => self.spine(e, dest, Want::Value),
        }
    }

    /// A result that had to be made in the next free register goes to where it is wanted.
    fn move_result(&mut self, r: u32, dest: u32, line: u32) {
        if r == dest {
            self.b.need(1);
            return;
        }
        self.reserve(1);
        self.b.emit(Op::Move, dest, r, 0, line);
        self.b.free -= 1;
    }

    /// A constant into a register.
    pub(super) fn load(&mut self, k: Konst, dest: u32, line: u32) {
        let word = match k {
            Konst::Nil => {
                self.load_nil(dest, 1, line);
                return;
            }
            Konst::True | Konst::False => {
                let tag = if k == Konst::True {
                    Tag::TRUE
                } else {
                    Tag::FALSE
                };
                self.b.emit(Op::LoadPrim, dest, tag.0 as u32, 0, line);
                return;
            }
            Konst::Int(i) => match i16::try_from(i) {
                Ok(imm) => {
                    self.b.emit(Op::LoadI, dest, u32::from(imm as u16), 0, line);
                    return;
                }
                Err(_) => self.b.int_const(i),
            },
            Konst::Float(f) => self.b.float_const(f),
            Konst::Str(s) => self.str_const(s),
        };
        self.b.emit(Op::LoadK, dest, 0, 0, line);
        self.b.word(u64::from(word));
    }

    /// Nil into `n` registers, together with those that the instruction before has set if they are adjacent.
    pub(super) fn load_nil(&mut self, dest: u32, n: u32, line: u32) {
        use traceorus_base::bytecode as bc;
        if let Some((at, Op::LoadNil)) = self.b.previous() {
            let w = self.b.f.code[at as usize];
            let (a, b) = (u32::from(bc::a(w)), u32::from(bc::b(w)));
            if a <= dest && dest <= a + b {
                let b = b.max(dest + n - a);
                self.b.f.code[at as usize] = bc::pack(Op::LoadNil as u16, a as u16, b as u16, 0);
                return;
            }
        }
        self.b.emit(Op::LoadNil, dest, n, 0, line);
    }

    /// `_ENV[name]`, `_ENV` being upvalue `env`.
    fn get_global(&mut self, dest: u32, name: StrId, env: u32, line: u32) {
        if self.is_short(name) {
            let k = self.str_const(name);
            self.b.emit(Op::GetGlobal, dest, env, 0, line);
            self.cached_key(2, k);
        } else {
            let free = self.b.free;
            self.b.emit(Op::GetUpval, free, env, 0, line);
            self.reserve(1);
            self.get_field(dest, free, name, line);
            self.b.free = free;
        }
    }

    /// `dest = R[t].name`; `t` may be a temporary that the caller frees.
    pub(super) fn get_field(&mut self, dest: u32, t: u32, name: StrId, line: u32) {
        if self.is_short(name) {
            let k = self.str_const(name);
            self.b.emit(Op::GetField, dest, t, 0, line);
            self.cached_key(1, k);
        } else {
            let free = self.b.free;
            self.load(Konst::Str(name), free, line);
            self.reserve(1);
            self.b.emit(Op::GetIndex, dest, t, free, line);
            self.b.free = free;
        }
    }

    /// Further words of a field instruction: caches, then the key.
    pub(super) fn cached_key(&mut self, caches: u32, k: u32) {
        for _ in 0..caches {
            self.b.word(0);
        }
        self.b.word(u64::from(k));
    }

    fn closure(&mut self, n: Node, r: u32) {
        let (p, first) = (n.a, n.b as usize);
        self.b.emit(Op::Closure, r, 0, 0, n.line);
        self.b.word(u64::from(n.a));
        // Now the registers of our variables are known, and whether any function assigns them.
        let captured = self.i.captured[first..].iter();
        for (u, c) in self.i.captures[first..].iter_mut().zip(captured) {
            if c.function != p {
                break;
            }
            if u.in_stack {
                let var = &self.i.vars[c.var as usize];
                u.index = if var.attrib == Attrib::Close {
                    var.cell
                } else {
                    var.reg
                };
                u.readonly = !var.assigned;
            }
        }
    }

    fn not(&mut self, n: Node, dest: u32) {
        let inner = NodeId(n.a);
        if self.is_condition(inner) {
            return self.boolean(inner, false, dest, n.line);
        }
        let free = self.b.free;
        let r = self.put_any(inner, n.line);
        self.b.emit(Op::Not, dest, r, 0, n.line);
        self.b.free = free;
    }

    fn concat(&mut self, e: NodeId, dest: u32) {
        let first = self.b.free;
        let mut e = e;
        let mut line;
        loop {
            let n = self.node(e);
            line = n.line;
            self.put_next(NodeId(n.a));
            e = NodeId(n.b);
            let mut inner = e;
            while self.node(inner).kind == Kind::Paren {
                inner = NodeId(self.node(inner).a);
            }
            if self.node(inner).kind != Kind::Concat {
                break;
            }
            e = inner;
        }
        self.put_next(e);
        let n = self.b.free - first;
        self.b.emit(Op::Concat, dest, first, n, line);
        self.b.free = first;
    }

    // --- chains to the left ----------------------------------------------------------------------------------

    /// Calls, indexing, arithmetic and comparisons: from the leaf at the bottom left up.
    pub(super) fn spine(&mut self, e: NodeId, dest: u32, want: Want) {
        let mark = self.shared.spine.len();
        let mut leaf = e;
        loop {
            let n = self.node(leaf);
            match n.kind {
                Kind::IndexStr | Kind::Index | Kind::Call | Kind::Method => {}
                k if arith(k).is_some() || is_comparison(k) => {}
                _ => break,
            }
            self.shared.spine.push(leaf);
            leaf = NodeId(n.a);
        }
        let free = self.b.free;
        let mut left = Left::Node(leaf);
        while let Some(step) = self.shared.spine.pop() {
            self.at = step;
            if self.shared.spine.len() == mark {
                self.step(step, left, dest, want);
                return;
            }
            self.step(step, left, free, Want::Value);
            self.reserve(1);
            left = Left::Reg(free);
        }
    }

    /// One node of a chain. A left operand in a register is the topmost one, `free - 1`, unless it is a local.
    fn step(&mut self, e: NodeId, left: Left, dest: u32, want: Want) {
        let n = self.node(e);
        let free = match left {
            Left::Reg(r) => r,
            Left::Node(_) => self.b.free,
        };
        match n.kind {
            Kind::IndexStr => {
                let name = StrId(n.b);
                if let Left::Node(t) = left
                    && let Some(env) = self.env_upvalue(t)
                {
                    self.get_global(dest, name, env, n.line);
                } else {
                    let t = self.put_left(left, n.line);
                    self.get_field(dest, t, name, n.line);
                }
            }
            Kind::Index => {
                let key = NodeId(n.b);
                if let Some(Konst::Int(i @ 0..=0x7fff)) = self.konst(key) {
                    let t = self.put_left(left, n.line);
                    self.b.emit(Op::GetInt, dest, t, i as u32, n.line);
                } else {
                    let (t, k) = self.operands(left, key, n.line);
                    self.b.emit(Op::GetIndex, dest, t, k, n.line);
                }
            }
            Kind::Call => {
                let base = match left {
                    Left::Reg(r) => r,
                    Left::Node(f) => self.put_next(f),
                };
                let ast = self.i.ast;
                self.call(n, base, ast.list(ListId(n.b)), dest, want);
                return;
            }
            Kind::Method => {
                let ast = self.i.ast;
                let list = ast.list(ListId(n.b));
                let obj = self.put_left(left, n.line);
                self.self_get(free, obj, StrId(list[0]), list[1]);
                self.call(n, free, &list[2..], dest, want);
                return;
            }
            k if is_comparison(k) => {
                let t = self.b.label();
                self.compare(n, left, true, t);
                self.b.free = free;
                self.boolean_end(t, dest, n.line);
            }
            _ => self.arithmetic(n, left, dest),
        }
        self.b.free = free;
    }

    /// Both operands of an operation in registers.
    pub(super) fn operands(&mut self, left: Left, right: NodeId, line: u32) -> (u32, u32) {
        if let Left::Node(l) = left
            && self.is_boxed(l)
        {
            let r = self.put_any(right, line);
            return (self.put_any(l, line), r);
        }
        let l = self.put_left(left, line);
        (l, self.put_any(right, line))
    }

    /// The upvalue `_ENV` that a node is.
    pub(super) fn env_upvalue(&self, e: NodeId) -> Option<u32> {
        let n = self.node(e);
        if n.kind != Kind::Upval {
            return None;
        }
        let var = self.i.func.upvals[n.a as usize].var;
        (self.var(var).name == StrId::ENV).then_some(n.a)
    }

    fn self_get(&mut self, base: u32, obj: u32, name: StrId, line: u32) {
        if self.is_short(name) {
            let k = self.str_const(name);
            self.b.emit(Op::SelfGet, base, obj, 0, line);
            self.cached_key(2, k);
            self.b.free = base;
            self.reserve(2);
            return;
        }
        if obj != base {
            self.b.emit(Op::Move, base, obj, 0, line);
            self.reserve(1);
        }
        self.b.emit(Op::Move, base + 1, base, 0, line);
        self.reserve(1);
        self.get_field(base, base + 1, name, line);
    }

    /// The call of the function in `base`; above it, `self` may have been put already.
    fn call(&mut self, n: Node, base: u32, args: &[u32], dest: u32, want: Want) {
        let mut open = false;
        for (i, &a) in args.iter().enumerate() {
            let a = NodeId(a);
            if i + 1 == args.len() && self.i.ast.is_multi(a) {
                self.open(a);
                open = true;
            } else {
                self.put_next(a);
            }
        }
        let nargs = self.b.free - base - 1;
        let results = match want {
            Want::Value => 1,
            Want::Results(n) => n,
            Want::Tail => {
                let all = u32::from(MULTI);
                if open {
                    self.b.emit(Op::TailCallM, base, 0, all, n.line);
                } else {
                    self.b.emit(Op::TailCall, base, nargs, all, n.line);
                }
                self.b.word(0);
                self.b.free = base;
                self.b.emit(Op::RetM, base, 0, 0, n.line);
                return;
            }
        };
        if open {
            self.b.emit(Op::CallM, base, 0, u32::from(results), n.line);
        } else {
            self.b
                .emit(Op::Call, base, nargs, u32::from(results), n.line);
        }
        self.b.word(0);
        self.b.free = base;
        if want == Want::Value {
            self.move_result(base, dest, n.line);
        }
    }

    /// All values of a call or `...` from the next free register up; its consumer must follow.
    pub(super) fn open(&mut self, e: NodeId) {
        self.results(e, MULTI);
    }

    /// `n` values of a call or `...` from the next free register on, not reserved.
    pub(super) fn results(&mut self, e: NodeId, n: u16) {
        let node = self.node(e);
        if node.kind != Kind::Vararg {
            let free = self.b.free;
            self.spine(e, free, Want::Results(n));
        } else if n == MULTI {
            self.b.emit(Op::VarargM, self.b.free, 0, 0, node.line);
        } else if n > 0 {
            self.b
                .emit(Op::Vararg, self.b.free, u32::from(n), 0, node.line);
        }
        self.b.need(1);
    }

    // --- arithmetic ------------------------------------------------------------------------------------------

    fn arithmetic(&mut self, n: Node, left: Left, dest: u32) {
        let Some(ops) = arith(n.kind) else { return };
        let right = NodeId(n.b);
        if let Some(k) = self.konst(right) {
            if let (Some(imm), Konst::Int(i)) = (ops.imm, k)
                && let Ok(i) = i16::try_from(i)
            {
                let l = self.put_left(left, n.line);
                self.b.emit(imm, dest, l, u32::from(i as u16), n.line);
                return;
            }
            if let Some(k) = self.numeric_const(k, ops.bitwise) {
                let l = self.put_left(left, n.line);
                self.b.emit(ops.right_const, dest, l, 0, n.line);
                self.b.word(u64::from(k));
                return;
            }
        }
        if let Left::Node(l) = left
            && let Some(k) = self.konst(l)
            && let Some(k) = self.numeric_const(k, ops.bitwise)
        {
            let r = self.put_any(right, n.line);
            self.b.emit(ops.left_const, dest, r, 0, n.line);
            self.b.word(u64::from(k));
            return;
        }
        let (l, r) = self.operands(left, right, n.line);
        self.b.emit(ops.regs, dest, l, r, n.line);
    }

    /// The number of a numeric constant that may be an operand.
    fn numeric_const(&mut self, k: Konst, bitwise: bool) -> Option<u32> {
        match k {
            Konst::Int(i) => Some(self.b.int_const(i)),
            Konst::Float(f) if !bitwise => Some(self.b.float_const(f)),
            _ => None,
        }
    }
}

/// An integer that fits a 16-bit operand and equals the constant.
pub(super) fn small_int(k: Konst) -> Option<u32> {
    Some(u32::from(i16::try_from(exact_int(k)?).ok()? as u16))
}

/// Instructions of an arithmetic operator.
struct Arith {
    regs: Op,
    right_const: Op,
    left_const: Op,
    imm: Option<Op>,
    bitwise: bool,
}

fn arith(k: Kind) -> Option<Arith> {
    let (regs, right_const, left_const) = match k {
        Kind::Add => (Op::Add, Op::AddK, Op::AddKR),
        Kind::Sub => (Op::Sub, Op::SubK, Op::SubKR),
        Kind::Mul => (Op::Mul, Op::MulK, Op::MulKR),
        Kind::Mod => (Op::Mod, Op::ModK, Op::ModKR),
        Kind::Pow => (Op::Pow, Op::PowK, Op::PowKR),
        Kind::Div => (Op::Div, Op::DivK, Op::DivKR),
        Kind::IDiv => (Op::IDiv, Op::IDivK, Op::IDivKR),
        Kind::BAnd => (Op::BAnd, Op::BAndK, Op::BAndKR),
        Kind::BOr => (Op::BOr, Op::BOrK, Op::BOrKR),
        Kind::BXor => (Op::BXor, Op::BXorK, Op::BXorKR),
        Kind::Shl => (Op::Shl, Op::ShlK, Op::ShlKR),
        Kind::Shr => (Op::Shr, Op::ShrK, Op::ShrKR),
        _ => return None,
    };
    let imm = match k {
        Kind::Add => Some(Op::AddI),
        Kind::Sub => Some(Op::SubI),
        _ => None,
    };
    let bitwise = matches!(
        k,
        Kind::BAnd | Kind::BOr | Kind::BXor | Kind::Shl | Kind::Shr
    );
    Some(Arith {
        regs,
        right_const,
        left_const,
        imm,
        bitwise,
    })
}

pub(super) fn is_comparison(k: Kind) -> bool {
    matches!(
        k,
        Kind::Eq | Kind::Ne | Kind::Lt | Kind::Le | Kind::Gt | Kind::Ge
    )
}
