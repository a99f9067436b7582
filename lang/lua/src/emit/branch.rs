//! Conditions: control flow from expressions, and values of logical operators.

use traceorus_base::Tag;
use traceorus_base::bytecode::Op;
use traceorus_lang_common::builder::Label;

use super::Emitter;
use super::expr::{Left, is_comparison, small_int};
use crate::ast::{Kind, Konst, Node, NodeId};

/// The value of a logical expression being made.
struct Logic {
    dest: u32,
    /// Behind it, with the value in `dest`.
    done: Label,
    /// Where true and false are loaded, if anything jumps there.
    yes: Option<Label>,
    no: Option<Label>,
}

impl Emitter<'_> {
    /// Is the value of this expression a boolean that control flow makes?
    pub(super) fn is_condition(&self, e: NodeId) -> bool {
        let n = self.node(e);
        match n.kind {
            Kind::And | Kind::Or => true,
            Kind::Not | Kind::Paren => self.is_condition(NodeId(n.a)),
            k => is_comparison(k),
        }
    }

    /// Jumps to `to` if the truth of `e` is `cond`, else goes on. `line`: of a test that is made for this alone.
    pub(super) fn jump_if(&mut self, e: NodeId, cond: bool, to: Label, line: u32) {
        self.at = e;
        let n = self.node(e);
        match n.kind {
            Kind::Paren => return self.jump_if(NodeId(n.a), cond, to, line),
            Kind::Not => return self.jump_if(NodeId(n.a), !cond, to, line),
            Kind::And | Kind::Or => {
                let shortcut = n.kind == Kind::Or;
                let mark = self.operands_of(e, line);
                let skip = self.b.label();
                while let Some((operand, test_line, last)) = self.next_operand(mark) {
                    if last || cond == shortcut {
                        self.jump_if(operand, cond, to, test_line);
                    } else {
                        self.jump_if(operand, shortcut, skip, test_line);
                    }
                }
                self.b.bind(skip);
                return;
            }
            k if is_comparison(k) => {
                let free = self.b.free;
                self.compare(n, Left::Node(NodeId(n.a)), cond, to);
                self.b.free = free;
                return;
            }
            _ => {}
        }
        if let Some(k) = self.konst(e) {
            if k.truthy() == cond {
                self.b.goto(to, line);
            }
            return;
        }
        let free = self.b.free;
        let r = self.put_any(e, line);
        self.b
            .jump(if cond { Op::JT } else { Op::JF }, r, 0, to, line);
        self.b.free = free;
    }

    /// Puts the operands of a chain of the same logical operator onto the stack, the last one at the bottom, each
    /// with the line of its test: that of the operator behind it, `line` for the last.
    fn operands_of(&mut self, e: NodeId, line: u32) -> usize {
        let mark = self.shared.chain.len();
        let kind = self.node(e).kind;
        let (mut e, mut line) = (e, line);
        loop {
            let n = self.node(e);
            if n.kind != kind {
                break;
            }
            self.shared.chain.push((NodeId(n.b), line));
            line = n.line;
            e = NodeId(n.a);
        }
        self.shared.chain.push((e, line));
        mark
    }

    /// The next operand of the chain that starts at `mark`, its test's line, and whether it is the last.
    fn next_operand(&mut self, mark: usize) -> Option<(NodeId, u32, bool)> {
        if self.shared.chain.len() == mark {
            return None;
        }
        let (e, line) = self.shared.chain.pop()?;
        Some((e, line, self.shared.chain.len() == mark))
    }

    /// Jumps to `to` if the comparison comes out as `cond`. Leaves temporaries reserved.
    pub(super) fn compare(&mut self, n: Node, left: Left, cond: bool, to: Label) {
        if matches!(n.kind, Kind::Eq | Kind::Ne) {
            return self.compare_eq(n, left, cond == (n.kind == Kind::Eq), to);
        }
        let right = NodeId(n.b);
        // Immediates are integers: a float constant must reach metamethods as a float.
        let imm = |k| match k {
            Some(k @ Konst::Int(_)) => small_int(k),
            _ => None,
        };
        if let Some(i) = imm(self.konst(right)) {
            let l = self.put_left(left, n.line);
            let (yes, no) = match n.kind {
                Kind::Lt => (Op::JLtI, Op::JNLtI),
                Kind::Le => (Op::JLeI, Op::JNLeI),
                Kind::Gt => (Op::JGtI, Op::JNGtI),
                _ => (Op::JGeI, Op::JNGeI),
            };
            self.b.jump(if cond { yes } else { no }, l, i, to, n.line);
            return;
        }
        if let Left::Node(l) = left
            && let Some(i) = imm(self.konst(l))
        {
            let r = self.put_any(right, n.line);
            let (yes, no) = match n.kind {
                Kind::Lt => (Op::JGtI, Op::JNGtI),
                Kind::Le => (Op::JGeI, Op::JNGeI),
                Kind::Gt => (Op::JLtI, Op::JNLtI),
                _ => (Op::JLeI, Op::JNLeI),
            };
            self.b.jump(if cond { yes } else { no }, r, i, to, n.line);
            return;
        }
        let (l, r) = self.operands(left, right, n.line);
        let (a, b) = if matches!(n.kind, Kind::Lt | Kind::Le) {
            (l, r)
        } else {
            (r, l)
        };
        let (yes, no) = match n.kind {
            Kind::Lt | Kind::Gt => (Op::JLt, Op::JNLt),
            _ => (Op::JLe, Op::JNLe),
        };
        self.b.jump(if cond { yes } else { no }, a, b, to, n.line);
    }

    fn compare_eq(&mut self, n: Node, left: Left, equal: bool, to: Label) {
        let mut left = left;
        let mut right = NodeId(n.b);
        if let Left::Node(l) = left
            && self.konst(l).is_some()
            && self.konst(right).is_none()
        {
            left = Left::Node(right);
            right = l;
        }
        let pick = |yes, no| if equal { yes } else { no };
        match self.konst(right) {
            Some(k @ (Konst::Nil | Konst::True | Konst::False)) => {
                let tag = match k {
                    Konst::Nil => Tag::NIL,
                    Konst::True => Tag::TRUE,
                    _ => Tag::FALSE,
                };
                let l = self.put_left(left, n.line);
                self.b
                    .jump(pick(Op::JEqP, Op::JNeP), l, tag.0 as u32, to, n.line);
            }
            Some(k @ (Konst::Int(_) | Konst::Float(_))) => {
                let l = self.put_left(left, n.line);
                if let Some(i) = small_int(k) {
                    self.b.jump(pick(Op::JEqI, Op::JNeI), l, i, to, n.line);
                    return;
                }
                let k = match k {
                    Konst::Float(f) => self.b.float_const(f),
                    Konst::Int(i) => self.b.int_const(i),
                    _ => return,
                };
                self.b.jump(pick(Op::JEqK, Op::JNeK), l, 0, to, n.line);
                self.b.word(u64::from(k));
            }
            Some(Konst::Str(s)) if self.is_short(s) => {
                let l = self.put_left(left, n.line);
                let k = self.str_const(s);
                self.b.jump(pick(Op::JEqK, Op::JNeK), l, 0, to, n.line);
                self.b.word(u64::from(k));
            }
            _ => {
                let (l, r) = self.operands(left, right, n.line);
                self.b.jump(pick(Op::JEq, Op::JNe), l, r, to, n.line);
            }
        }
    }

    /// `dest` = whether the truth of `e` is `cond`.
    pub(super) fn boolean(&mut self, e: NodeId, cond: bool, dest: u32, line: u32) {
        let yes = self.b.label();
        self.jump_if(e, cond, yes, line);
        self.boolean_end(yes, dest, line);
    }

    /// A jump while `dest` has been written but not been reserved.
    fn goto_with(&mut self, dest: u32, to: Label, line: u32) {
        let free = self.b.free;
        self.b.free = free.max(dest + 1);
        self.b.goto(to, line);
        self.b.free = free;
    }

    /// `dest` = false, but true if control comes by `yes`.
    pub(super) fn boolean_end(&mut self, yes: Label, dest: u32, line: u32) {
        let done = self.b.label();
        self.b
            .emit(Op::LoadPrim, dest, Tag::FALSE.0 as u32, 0, line);
        self.goto_with(dest, done, line);
        self.b.bind(yes);
        self.b.emit(Op::LoadPrim, dest, Tag::TRUE.0 as u32, 0, line);
        self.b.bind(done);
    }

    /// The value of `and` or `or` in `dest`, which is written only with the final value.
    pub(super) fn logic(&mut self, e: NodeId, dest: u32) {
        let done = self.b.label();
        let mut l = Logic {
            dest,
            done,
            yes: None,
            no: None,
        };
        let line = self.logic_tail(e, &mut l);
        if l.yes.is_some() || l.no.is_some() {
            // The tail is either a value or, if `line` is given, a condition that falls through when false.
            if let Some(line) = line {
                if let Some(no) = l.no {
                    self.b.bind(no);
                }
                self.b
                    .emit(Op::LoadPrim, dest, Tag::FALSE.0 as u32, 0, line);
                self.finish_logic(done, l.yes, Tag::TRUE, dest, line);
            } else {
                let line = self.last_line(e);
                let tag = if l.no.is_some() {
                    Tag::FALSE
                } else {
                    Tag::TRUE
                };
                self.finish_logic(done, l.no.or(l.yes), tag, dest, line);
                if l.no.is_some() && l.yes.is_some() {
                    self.finish_logic(done, l.yes, Tag::TRUE, dest, line);
                }
            }
        } else if let Some(line) = line {
            self.b
                .emit(Op::LoadPrim, dest, Tag::FALSE.0 as u32, 0, line);
        }
        self.b.bind(done);
    }

    /// Line of the last operand of a logical expression.
    fn last_line(&self, e: NodeId) -> u32 {
        let mut n = self.node(e);
        while matches!(n.kind, Kind::And | Kind::Or) {
            n = self.node(NodeId(n.b));
        }
        n.line
    }

    /// Jumps over the load of a boolean that others jump to.
    fn finish_logic(&mut self, done: Label, at: Option<Label>, tag: Tag, dest: u32, line: u32) {
        if let Some(at) = at {
            self.goto_with(dest, done, line);
            self.b.bind(at);
            self.b.emit(Op::LoadPrim, dest, tag.0 as u32, 0, line);
        }
    }

    /// The last part of a logical expression: its value is the value of the whole. Returns the line if it is a
    /// condition.
    fn logic_tail(&mut self, e: NodeId, l: &mut Logic) -> Option<u32> {
        let n = self.node(e);
        match n.kind {
            Kind::Paren if self.is_condition(NodeId(n.a)) => self.logic_tail(NodeId(n.a), l),
            Kind::And | Kind::Or => {
                let shortcut = n.kind == Kind::Or;
                let mark = self.operands_of(e, n.line);
                while let Some((operand, line, last)) = self.next_operand(mark) {
                    if last {
                        return self.logic_tail(operand, l);
                    }
                    self.branch_set(operand, shortcut, l, line);
                }
                None
            }
            _ if self.is_condition(e) => {
                let yes = *l.yes.get_or_insert_with(|| self.b.label());
                self.jump_if(e, true, yes, n.line);
                Some(n.line)
            }
            _ => {
                self.put_reg(e, l.dest);
                None
            }
        }
    }

    /// If the truth of `e` is `cond`, ends the expression with its value, else goes on.
    fn branch_set(&mut self, e: NodeId, cond: bool, l: &mut Logic, line: u32) {
        let n = self.node(e);
        match n.kind {
            Kind::Paren => return self.branch_set(NodeId(n.a), cond, l, line),
            Kind::And | Kind::Or => {
                let shortcut = n.kind == Kind::Or;
                let mark = self.operands_of(e, line);
                let skip = self.b.label();
                while let Some((operand, test_line, last)) = self.next_operand(mark) {
                    if last || cond == shortcut {
                        self.branch_set(operand, cond, l, test_line);
                    } else {
                        self.jump_if(operand, shortcut, skip, test_line);
                    }
                }
                self.b.bind(skip);
                return;
            }
            _ => {}
        }
        if n.kind == Kind::Not || self.is_condition(e) {
            let target = if cond { &mut l.yes } else { &mut l.no };
            let target = *target.get_or_insert_with(|| self.b.label());
            return self.jump_if(e, cond, target, line);
        }
        if let Some(k) = self.konst(e) {
            if k.truthy() == cond {
                self.load(k, l.dest, n.line);
                self.goto_with(l.dest, l.done, line);
            }
            return;
        }
        let (free, dest) = (self.b.free, l.dest);
        let (test, test_set) = if cond {
            (Op::JT, Op::JTSet)
        } else {
            (Op::JF, Op::JFSet)
        };
        let r = self.put_any(e, line);
        if r == dest {
            self.b.jump(test, r, 0, l.done, line);
        } else {
            self.b.jump(test_set, dest, r, l.done, line);
        }
        self.b.free = free;
    }
}
