//! Expressions.

use crate::ast::{Ast, Kind, Konst, NodeId};
use crate::fold::fold;
use crate::lexer::Sem;
use crate::token::Tok;

use super::{Made, Parser};

/// Priority of unary operators.
const UNARY: u8 = 12;

/// Binary operator of a token, with its priorities to the left and to the right.
fn binary(tok: Tok) -> Option<(Kind, u8, u8)> {
    Some(match tok {
        Tok::Byte(c) => match c {
            b'+' => (Kind::Add, 10, 10),
            b'-' => (Kind::Sub, 10, 10),
            b'*' => (Kind::Mul, 11, 11),
            b'%' => (Kind::Mod, 11, 11),
            b'^' => (Kind::Pow, 14, 13),
            b'/' => (Kind::Div, 11, 11),
            b'&' => (Kind::BAnd, 6, 6),
            b'|' => (Kind::BOr, 4, 4),
            b'~' => (Kind::BXor, 5, 5),
            b'<' => (Kind::Lt, 3, 3),
            b'>' => (Kind::Gt, 3, 3),
            _ => return None,
        },
        Tok::IDiv => (Kind::IDiv, 11, 11),
        Tok::Shl => (Kind::Shl, 7, 7),
        Tok::Shr => (Kind::Shr, 7, 7),
        Tok::Concat => (Kind::Concat, 9, 8),
        Tok::Eq => (Kind::Eq, 3, 3),
        Tok::Ne => (Kind::Ne, 3, 3),
        Tok::Le => (Kind::Le, 3, 3),
        Tok::Ge => (Kind::Ge, 3, 3),
        Tok::And => (Kind::And, 2, 2),
        Tok::Or => (Kind::Or, 1, 1),
        _ => return None,
    })
}

impl Parser<'_> {
    /// An expression.
    pub(super) fn expr(&mut self) -> Made<NodeId> {
        let e = self.sub_expr(0)?;
        if self.trapped {
            self.accept(Tok::Byte(b','))?;
            return Ok(self
                .lex
                .syntax_error("function or expression needs too many registers")?);
        }
        Ok(e)
    }

    /// Expressions separated by commas, onto the scratch stack.
    pub(super) fn expr_list(&mut self) -> Made<()> {
        loop {
            let e = self.expr()?;
            self.scratch.push(e.0);
            if !self.accept(Tok::Byte(b','))? {
                return Ok(());
            }
            self.settle(e);
        }
    }

    /// Reads operators of a priority higher than `limit`.
    fn sub_expr(&mut self, limit: u8) -> Made<NodeId> {
        self.enter()?;
        let unary = match self.tok() {
            Tok::Not => Some(Kind::Not),
            Tok::Byte(b'-') => Some(Kind::Unm),
            Tok::Byte(b'~') => Some(Kind::BNot),
            Tok::Byte(b'#') => Some(Kind::Len),
            _ => None,
        };
        let mut e = match unary {
            Some(kind) => {
                let line = self.lex.line;
                self.lex.next()?;
                let operand = self.sub_expr(UNARY)?;
                self.unary(kind, operand, line)
            }
            None => self.simple()?,
        };
        while let Some((kind, left, right)) = binary(self.tok()) {
            if left <= limit {
                break;
            }
            let line = self.lex.line;
            self.lex.next()?;
            self.settle(e);
            let operator_line = self.lex.last_line;
            let rhs = self.sub_expr(right)?;
            e = self.binary(kind, e, rhs, line, operator_line);
        }
        self.leave();
        Ok(e)
    }

    fn unary(&mut self, kind: Kind, operand: NodeId, line: u32) -> NodeId {
        let here = self.lex.last_line;
        if let Some(k) = self.ast.konst(operand) {
            let folded = match kind {
                Kind::Not => Some(if k.truthy() {
                    Konst::False
                } else {
                    Konst::True
                }),
                Kind::Len => None,
                _ => fold(kind, k, k),
            };
            if let Some(k) = folded {
                return self.push(Ast::konst_node(k, here));
            }
        }
        let line = if kind == Kind::Not { here } else { line };
        self.node(kind, line, operand.0, 0)
    }

    /// `line`: of the operator, as a token; `operator_line`: the same as PUC has it when it has read past it.
    fn binary(
        &mut self,
        kind: Kind,
        l: NodeId,
        r: NodeId,
        line: u32,
        operator_line: u32,
    ) -> NodeId {
        let here = self.lex.last_line;
        let lk = self.ast.konst(l);
        match kind {
            Kind::And | Kind::Or => {
                // A constant that lets the right side through vanishes.
                if lk.is_some_and(|k| k.truthy() == (kind == Kind::And)) {
                    return if self.ast.is_multi(r) {
                        self.node(Kind::Paren, here, r.0, 0)
                    } else {
                        r
                    };
                }
                self.node(kind, operator_line, l.0, r.0)
            }
            Kind::Eq | Kind::Ne | Kind::Lt | Kind::Le | Kind::Gt | Kind::Ge => {
                self.node(kind, here, l.0, r.0)
            }
            _ => {
                if let (Some(a), Some(b)) = (lk, self.ast.konst(r))
                    && let Some(k) = fold(kind, a, b)
                {
                    return self.push(Ast::konst_node(k, here));
                }
                self.node(kind, line, l.0, r.0)
            }
        }
    }

    fn simple(&mut self) -> Made<NodeId> {
        let k = match (self.tok(), self.lex.t.sem) {
            (Tok::Float, Sem::Float(f)) => Konst::Float(f),
            (Tok::Int, Sem::Int(i)) => Konst::Int(i),
            (Tok::Str, Sem::Str(s)) => Konst::Str(s),
            (Tok::Nil, _) => Konst::Nil,
            (Tok::True, _) => Konst::True,
            (Tok::False, _) => Konst::False,
            (Tok::Dots, _) => {
                if !self.scopes.func().is_vararg {
                    return Ok(self
                        .lex
                        .syntax_error("cannot use '...' outside a vararg function")?);
                }
                let line = self.lex.last_line;
                self.lex.next()?;
                return Ok(self.node(Kind::Vararg, line, 0, 0));
            }
            (Tok::Byte(b'{'), _) => return self.constructor(),
            (Tok::Function, _) => {
                self.lex.next()?;
                let line = self.lex.line;
                return self.body(false, line);
            }
            _ => return self.suffixed(),
        };
        self.lex.next()?;
        Ok(self.push(Ast::konst_node(k, self.lex.last_line)))
    }

    fn primary(&mut self) -> Made<NodeId> {
        match self.tok() {
            Tok::Name => Ok(self.variable()?),
            Tok::Byte(b'(') => {
                let line = self.lex.line;
                self.lex.next()?;
                let e = self.expr()?;
                self.expect_match(Tok::Byte(b')'), Tok::Byte(b'('), line)?;
                self.settle(e);
                // A constant in parentheses is still one, but not the name of one.
                if self.ast.konst(e).is_some() {
                    self.const_name = None;
                    return Ok(e);
                }
                Ok(self.node(Kind::Paren, self.lex.last_line, e.0, 0))
            }
            _ => Ok(self.lex.syntax_error("unexpected symbol")?),
        }
    }

    pub(super) fn suffixed(&mut self) -> Made<NodeId> {
        let mut e = self.primary()?;
        loop {
            match self.tok() {
                Tok::Byte(b'.') => {
                    self.lex.next()?;
                    let key = self.name()?;
                    e = self.node(Kind::IndexStr, self.lex.last_line, e.0, key.0);
                }
                Tok::Byte(b'[') => {
                    let key = self.bracketed()?;
                    let line = self.lex.last_line;
                    e = match self.ast.konst(key) {
                        Some(Konst::Str(s)) => self.node(Kind::IndexStr, line, e.0, s.0),
                        _ => self.node(Kind::Index, line, e.0, key.0),
                    };
                }
                Tok::Byte(b':') => {
                    self.lex.next()?;
                    let name = self.name()?;
                    self.settle(e);
                    let mark = self.scratch.len();
                    self.scratch.push(name.0);
                    self.scratch.push(self.lex.last_line);
                    e = self.arguments(Kind::Method, e, mark)?;
                }
                Tok::Byte(b'(' | b'{') | Tok::Str => {
                    let mark = self.scratch.len();
                    e = self.arguments(Kind::Call, e, mark)?;
                }
                _ => return Ok(e),
            }
        }
    }

    /// `[key]`
    fn bracketed(&mut self) -> Made<NodeId> {
        self.lex.next()?;
        let key = self.expr()?;
        self.expect(Tok::Byte(b']'))?;
        Ok(key)
    }

    /// Arguments of a call; the list starts at `mark`.
    fn arguments(&mut self, kind: Kind, callee: NodeId, mark: usize) -> Made<NodeId> {
        let line = self.lex.line;
        match (self.tok(), self.lex.t.sem) {
            (Tok::Byte(b'('), _) => {
                self.lex.next()?;
                if self.tok() == Tok::Byte(b')') {
                    self.lex.next()?;
                } else {
                    self.expr_list()?;
                    self.expect_match(Tok::Byte(b')'), Tok::Byte(b'('), line)?;
                    let last = NodeId(self.scratch[self.scratch.len() - 1]);
                    self.settle(last);
                }
            }
            (Tok::Byte(b'{'), _) => {
                let e = self.constructor()?;
                self.scratch.push(e.0);
            }
            (Tok::Str, Sem::Str(s)) => {
                self.lex.next()?;
                let e = self.push(Ast::konst_node(Konst::Str(s), self.lex.last_line));
                self.scratch.push(e.0);
            }
            _ => return Ok(self.lex.syntax_error("function arguments expected")?),
        }
        let args = self.list(mark);
        Ok(self.node(kind, line, callee.0, args.0))
    }

    fn constructor(&mut self) -> Made<NodeId> {
        let line = self.lex.line;
        let new_line = self.lex.last_line;
        let mark = self.scratch.len();
        let mut keyed = 0;
        self.expect(Tok::Byte(b'{'))?;
        let mut last_item = None;
        while self.tok() != Tok::Byte(b'}') {
            if let Some(e) = last_item.take() {
                self.settle(e);
            }
            let is_item = match self.tok() {
                Tok::Name => self.lex.lookahead()? == Tok::Byte(b'='),
                Tok::Byte(b'[') => true,
                _ => false,
            };
            let e = if is_item {
                keyed += 1;
                self.item()?
            } else {
                let e = self.expr()?;
                last_item = Some(e);
                e
            };
            self.scratch.push(e.0);
            if !(self.accept(Tok::Byte(b','))? || self.accept(Tok::Byte(b';'))?) {
                break;
            }
        }
        self.expect_match(Tok::Byte(b'}'), Tok::Byte(b'{'), line)?;
        if let Some(e) = last_item {
            self.settle(e);
        }
        // In front of the items: the line at the end.
        self.scratch.push(self.lex.last_line);
        self.scratch[mark..].rotate_right(1);
        let items = self.list(mark);
        Ok(self.node(Kind::Table, new_line, items.0, keyed))
    }

    /// `name = value` or `[key] = value`
    fn item(&mut self) -> Made<NodeId> {
        let key = if self.tok() == Tok::Name {
            let name = self.name()?;
            self.push(Ast::konst_node(Konst::Str(name), self.lex.last_line))
        } else {
            self.bracketed()?
        };
        self.expect(Tok::Byte(b'='))?;
        let value = self.expr()?;
        Ok(self.node(Kind::Item, self.lex.last_line, key.0, value.0))
    }
}
