//! Parsing: source to syntax tree, function by function.
//!
//! One function is parsed, then emitted ([`crate::emit`]), then forgotten but for its code; so what a function's
//! code depends on (which of its variables are captured, which are assigned) is complete when it is emitted.
//! Errors come in the order and with the texts of PUC's one-pass compiler, which makes these rules:
//! * whatever it checks while parsing is checked here at the same token;
//! * what it checks while emitting (frame size) is found by our emitter later: the source is then parsed a second
//!   time up to the node that did not fit, and the error is raised there ([`Parser::trap`]).
//!
//! **Lines.** PUC emits a variable's or field's load late, when it knows what the value is for, and gives it the line
//! of the token it has consumed last. [`Parser::settle`] is called wherever a token is consumed between the end of
//! an expression and that moment: behind operators, commas of lists, closing parentheses, `then`.

mod expr;

use traceorus_base::chunk::{Sink, Stop};

use crate::ast::{Ast, Kind, ListId, NONE, Node, NodeId};
use crate::emit;
use crate::lexer::{Lexer, Res, Sem};
use crate::scope::{Attrib, Meaning, Scopes, VarId};
use crate::strings::{StrId, Strings};
use crate::token::Tok;

/// Levels of nesting of statements and expressions, and those that a call of the compiler has already used.
const MAX_LEVELS: u32 = 200;

/// Where the parser has to stop: the expression with this number in the function with this number.
pub type Trap = (u32, NodeId);

/// See the module's documentation.
pub struct Parser<'s> {
    pub lex: Lexer<'s>,
    ast: Ast,
    scopes: Box<Scopes>,
    /// Lists under construction.
    scratch: Vec<u32>,
    levels: u32,
    trap: Option<Trap>,
    /// The trap has been made; the next expression that ends raises the error.
    trapped: bool,
    /// The node of a compile-time constant that was read as a name, to tell `x = 1` from `1 = 1`.
    const_name: Option<(NodeId, StrId)>,
    emit: Box<emit::Shared>,
    sink: &'s mut dyn Sink,
}

/// What one parser after the other uses: allocating it costs as much as compiling a line.
pub struct Space {
    pub strings: Strings,
    buf: Vec<u8>,
    ast: Ast,
    scopes: Box<Scopes>,
    scratch: Vec<u32>,
    emit: Box<emit::Shared>,
}

impl Default for Space {
    fn default() -> Space {
        Space {
            strings: Strings::new(),
            buf: Vec::new(),
            ast: Ast::default(),
            scopes: Box::new(Scopes::new()),
            scratch: Vec::new(),
            emit: Box::default(),
        }
    }
}

impl Space {
    /// Forgets the compilation before.
    fn reset(&mut self) {
        self.strings.reset();
        self.buf.clear();
        self.ast.nodes.clear();
        self.ast.pool.clear();
        self.scopes.reset();
        self.scratch.clear();
        self.emit.reset();
    }
}

/// Why no chunk was made.
pub enum Failure {
    /// The program is wrong.
    Syntax(Box<traceorus_lang_common::SyntaxError>),
    /// An expression of the function with this number does not fit the frame.
    Frame(Trap),
    /// The sink takes no more.
    Stopped,
}

impl From<Box<traceorus_lang_common::SyntaxError>> for Failure {
    fn from(e: Box<traceorus_lang_common::SyntaxError>) -> Failure {
        Failure::Syntax(e)
    }
}

type Made<T> = Result<T, Failure>;

impl<'s> Parser<'s> {
    pub fn new(
        source: &'s [u8],
        chunkname: &'s [u8],
        levels_used: u32,
        trap: Option<Trap>,
        mut space: Space,
        sink: &'s mut dyn Sink,
    ) -> Parser<'s> {
        space.reset();
        Parser {
            lex: Lexer::new(source, chunkname, space.strings, space.buf),
            ast: space.ast,
            scopes: space.scopes,
            scratch: space.scratch,
            levels: levels_used,
            trap,
            trapped: false,
            const_name: None,
            emit: space.emit,
            sink,
        }
    }

    /// What another parser can use, with the strings of this one.
    pub fn into_space(self) -> Space {
        let (strings, buf) = self.lex.into_parts();
        Space {
            strings,
            buf,
            ast: self.ast,
            scopes: self.scopes,
            scratch: self.scratch,
            emit: self.emit,
        }
    }

    /// Compiles the whole source.
    pub fn chunk(&mut self) -> Made<()> {
        let env = self.scopes.add_env(StrId::ENV);
        self.scopes.open_func(0, 0, 0);
        let f = self.scopes.func();
        f.is_vararg = true;
        f.upvals.push(crate::scope::Upval {
            var: env,
            outer: None,
        });
        self.lex.next()?;
        let body = self.statements()?;
        self.check(Tok::Eof)?;
        self.scopes.close_block(&mut self.lex)?;
        self.finish_function(body, &[], 0)
    }

    /// Emits the innermost function, whose body has been parsed and whose blocks are closed, and hands it out.
    fn finish_function(&mut self, body: ListId, params: &[VarId], last_line: u32) -> Made<()> {
        let last = self.scopes.funcs.len() - 1;
        let func = &self.scopes.funcs[last];
        let (nodes, lists, ordinal) = (func.first_node, func.first_list, func.ordinal);
        let (nested, first_capture) = (func.nested as usize, func.first_capture);
        let input = emit::Input {
            ast: &self.ast,
            vars: &mut self.scopes.vars,
            strings: &self.lex.strings,
            func,
            captures: &mut self.scopes.captures[first_capture..],
            captured: &self.scopes.captured[first_capture..],
            params,
            body,
            last_line_defined: last_line,
            end_line: self.lex.last_line,
        };
        emit::function(input, &mut self.emit)
            .map_err(|node| Failure::Frame((ordinal, NodeId(node.0 - nodes as u32))))?;
        let f = self.emit.done();
        let captures = &self.scopes.captures[first_capture..];
        self.sink
            .function(&self.lex.strings.table, f, nested, captures)
            .map_err(|Stop| Failure::Stopped)?;
        self.ast.nodes.truncate(nodes);
        self.ast.pool.truncate(lists);
        self.scopes.close_func(&f.upvals);
        Ok(())
    }

    /// The error of a frame that is too large where no expression can be named.
    pub fn frame_error(&mut self) -> Box<traceorus_lang_common::SyntaxError> {
        match self
            .lex
            .syntax_error::<()>("function or expression needs too many registers")
        {
            Err(e) => e,
            Ok(()) => Box::new(traceorus_lang_common::SyntaxError {
                message: Vec::new(),
                at_eof: false,
                overflow: false,
            }),
        }
    }

    // --- tools -----------------------------------------------------------------------------------------------

    fn node(&mut self, kind: Kind, line: u32, a: u32, b: u32) -> NodeId {
        self.push(Node { kind, line, a, b })
    }

    fn push(&mut self, node: Node) -> NodeId {
        let id = NodeId(self.ast.nodes.len() as u32);
        self.ast.nodes.push(node);
        if let Some((ordinal, at)) = self.trap {
            let f = self.scopes.func();
            self.trapped |= f.ordinal == ordinal && f.first_node as u32 + at.0 == id.0;
        }
        id
    }

    /// A list of the scratch entries from `mark` on.
    fn list(&mut self, mark: usize) -> ListId {
        let at = ListId(self.ast.pool.len() as u32);
        self.ast.pool.push((self.scratch.len() - mark) as u32);
        self.ast.pool.extend(self.scratch.drain(mark..));
        at
    }

    #[inline]
    fn enter(&mut self) -> Res<()> {
        self.levels += 1;
        if self.levels >= MAX_LEVELS {
            self.lex.overflow()
        } else {
            Ok(())
        }
    }

    #[inline]
    fn leave(&mut self) {
        self.levels -= 1;
    }

    #[inline]
    fn tok(&self) -> Tok {
        self.lex.t.tok
    }

    #[inline]
    fn accept(&mut self, tok: Tok) -> Res<bool> {
        let yes = self.tok() == tok;
        if yes {
            self.lex.next()?;
        }
        Ok(yes)
    }

    fn check(&mut self, tok: Tok) -> Res<()> {
        if self.tok() == tok {
            return Ok(());
        }
        self.lex.syntax_error(&format!("{} expected", tok.text()))
    }

    #[inline]
    fn expect(&mut self, tok: Tok) -> Res<()> {
        self.check(tok)?;
        self.lex.next()
    }

    /// Expects `what`, which closes the `who` of a line.
    fn expect_match(&mut self, what: Tok, who: Tok, line: u32) -> Res<()> {
        if self.accept(what)? {
            return Ok(());
        }
        if line == self.lex.line {
            return self.check(what);
        }
        self.lex.syntax_error(&format!(
            "{} expected (to close {} at line {line})",
            what.text(),
            who.text()
        ))
    }

    fn name(&mut self) -> Res<StrId> {
        self.check(Tok::Name)?;
        let Sem::Str(s) = self.lex.t.sem else {
            return self.lex.syntax_error("<name> expected");
        };
        self.lex.next()?;
        Ok(s)
    }

    /// The value of this expression is loaded with the current line; see the module's documentation.
    fn settle(&mut self, e: NodeId) {
        let mut e = e;
        loop {
            let line = self.lex.last_line;
            let n = &mut self.ast.nodes[e.0 as usize];
            match n.kind {
                Kind::And | Kind::Or => e = NodeId(n.b),
                Kind::Nil
                | Kind::False
                | Kind::True
                | Kind::Int
                | Kind::Float
                | Kind::Str
                | Kind::Local
                | Kind::Upval
                | Kind::Global
                | Kind::IndexStr
                | Kind::Index => {
                    n.line = line;
                    return;
                }
                _ => return,
            }
        }
    }

    // --- statements ------------------------------------------------------------------------------------------

    /// Does the token end a block?
    fn at_block_end(&self, with_until: bool) -> bool {
        match self.tok() {
            Tok::Else | Tok::ElseIf | Tok::End | Tok::Eof => true,
            Tok::Until => with_until,
            _ => false,
        }
    }

    /// Statements up to the end of the block; a block list.
    fn statements(&mut self) -> Made<ListId> {
        let mark = self.scratch.len();
        while !self.at_block_end(true) {
            let is_return = self.tok() == Tok::Return;
            if let Some(s) = self.statement()? {
                self.scratch.push(s.0);
            }
            if is_return {
                break;
            }
        }
        let at = ListId(self.ast.pool.len() as u32);
        let n = (self.scratch.len() - mark) as u32;
        self.ast.pool.push(n);
        self.ast.pool.push(self.lex.last_line);
        self.ast.pool.extend(self.scratch.drain(mark..));
        Ok(at)
    }

    fn block(&mut self, is_loop: bool) -> Made<ListId> {
        self.scopes.open_block(is_loop);
        let b = self.statements()?;
        self.scopes.close_block(&mut self.lex)?;
        Ok(b)
    }

    fn statement(&mut self) -> Made<Option<NodeId>> {
        let line = self.lex.line;
        self.enter()?;
        let s = match self.tok() {
            Tok::Byte(b';') => {
                self.lex.next()?;
                None
            }
            Tok::If => Some(self.if_stat(line)?),
            Tok::While => Some(self.while_stat(line)?),
            Tok::Do => {
                self.lex.next()?;
                let b = self.block(false)?;
                self.expect_match(Tok::End, Tok::Do, line)?;
                Some(self.node(Kind::Do, line, b.0, 0))
            }
            Tok::For => Some(self.for_stat(line)?),
            Tok::Repeat => Some(self.repeat_stat(line)?),
            Tok::Function => Some(self.function_stat(line)?),
            Tok::Local => {
                self.lex.next()?;
                Some(if self.accept(Tok::Function)? {
                    self.local_function()?
                } else {
                    self.local_stat()?
                })
            }
            Tok::DbColon => {
                self.lex.next()?;
                let name = self.name()?;
                Some(self.label_stat(name, line)?)
            }
            Tok::Return => {
                self.lex.next()?;
                Some(self.return_stat()?)
            }
            Tok::Break => {
                self.lex.next()?;
                self.scopes.add_break(line);
                Some(self.node(Kind::Break, self.lex.last_line, 0, 0))
            }
            Tok::Goto => {
                self.lex.next()?;
                let line = self.lex.line;
                let name = self.name()?;
                let s = self.node(Kind::Goto, self.lex.last_line, NONE, 0);
                if let Some(id) = self.scopes.add_goto(name, line, s.0) {
                    self.ast.nodes[s.0 as usize].a = id;
                }
                Some(s)
            }
            _ => Some(self.expr_stat()?),
        };
        self.leave();
        Ok(s)
    }

    fn if_stat(&mut self, line: u32) -> Made<NodeId> {
        let mark = self.scratch.len();
        loop {
            self.lex.next()?;
            let cond = self.expr()?;
            self.expect(Tok::Then)?;
            self.settle(cond);
            let then_line = self.lex.last_line;
            let b = self.block(false)?;
            self.scratch.extend([cond.0, then_line, b.0]);
            if self.tok() != Tok::ElseIf {
                break;
            }
        }
        if self.accept(Tok::Else)? {
            let b = self.block(false)?;
            self.scratch.push(b.0);
        }
        self.expect_match(Tok::End, Tok::If, line)?;
        let l = self.list(mark);
        Ok(self.node(Kind::If, line, l.0, 0))
    }

    fn while_stat(&mut self, line: u32) -> Made<NodeId> {
        self.lex.next()?;
        let cond = self.expr()?;
        let cond_line = self.lex.last_line;
        self.expect(Tok::Do)?;
        let b = self.block(true)?;
        self.expect_match(Tok::End, Tok::While, line)?;
        Ok(self.node(Kind::While, cond_line, cond.0, b.0))
    }

    fn repeat_stat(&mut self, line: u32) -> Made<NodeId> {
        self.scopes.open_block(true);
        self.scopes.open_block(false);
        self.lex.next()?;
        let b = self.statements()?;
        self.expect_match(Tok::Until, Tok::Repeat, line)?;
        let cond = self.expr()?;
        let cond_line = self.lex.last_line;
        self.scopes.close_block(&mut self.lex)?;
        self.scopes.close_block(&mut self.lex)?;
        Ok(self.node(Kind::Repeat, cond_line, b.0, cond.0))
    }

    fn for_stat(&mut self, line: u32) -> Made<NodeId> {
        self.scopes.open_block(true);
        self.lex.next()?;
        let name = self.name()?;
        let s = match self.tok() {
            Tok::Byte(b'=') => self.numeric_for(name, line)?,
            Tok::Byte(b',') | Tok::In => self.generic_for(name)?,
            _ => return Ok(self.lex.syntax_error("'=' or 'in' expected")?),
        };
        self.expect_match(Tok::End, Tok::For, line)?;
        self.ast.nodes[s.0 as usize].b = self.lex.last_line;
        self.scopes.close_block(&mut self.lex)?;
        Ok(s)
    }

    fn numeric_for(&mut self, name: StrId, line: u32) -> Made<NodeId> {
        let mut hidden = [0; 3];
        for h in &mut hidden {
            *h = self.scopes.declare(&mut self.lex, StrId::STATE)?;
        }
        let var = self.scopes.declare(&mut self.lex, name)?;
        self.expect(Tok::Byte(b'='))?;
        let init = self.expr()?;
        self.expect(Tok::Byte(b','))?;
        let limit = self.expr()?;
        let step = if self.accept(Tok::Byte(b','))? {
            Some(self.expr()?)
        } else {
            None
        };
        self.scopes.activate(3);
        let (do_line, b) = self.for_body(1)?;
        let mark = self.scratch.len();
        self.scratch.extend([
            var, hidden[0], hidden[1], hidden[2], do_line, b.0, init.0, limit.0,
        ]);
        self.scratch.extend(step.map(|s| s.0));
        let l = self.list(mark);
        Ok(self.node(Kind::NumFor, line, l.0, 0))
    }

    fn generic_for(&mut self, first: StrId) -> Made<NodeId> {
        let vars = self.scratch.len();
        for _ in 0..4 {
            let v = self.scopes.declare(&mut self.lex, StrId::STATE)?;
            self.scratch.push(v);
        }
        // The fourth hidden variable is closed when the loop ends.
        let closing = self.scratch[vars + 3];
        self.scopes.vars[closing as usize].attrib = Attrib::Close;
        let v = self.scopes.declare(&mut self.lex, first)?;
        self.scratch.push(v);
        while self.accept(Tok::Byte(b','))? {
            let name = self.name()?;
            let v = self.scopes.declare(&mut self.lex, name)?;
            self.scratch.push(v);
        }
        let nvars = self.scratch.len() - vars - 4;
        self.expect(Tok::In)?;
        let line = self.lex.line;
        self.expr_list()?;
        self.scopes.activate(4);
        let (do_line, b) = self.for_body(nvars)?;
        // [variables, expressions] becomes [n, do, block, variables, expressions].
        self.scratch.extend([nvars as u32, do_line, b.0]);
        self.scratch[vars..].rotate_right(3);
        let l = self.list(vars);
        Ok(self.node(Kind::GenFor, line, l.0, 0))
    }

    /// `do block` with the loop's variables; its `end` is left. The line of `do`.
    fn for_body(&mut self, nvars: usize) -> Made<(u32, ListId)> {
        self.expect(Tok::Do)?;
        let do_line = self.lex.last_line;
        self.scopes.open_block(false);
        self.scopes.activate(nvars);
        let b = self.block(false)?;
        self.scopes.close_block(&mut self.lex)?;
        Ok((do_line, b))
    }

    fn function_stat(&mut self, line: u32) -> Made<NodeId> {
        self.lex.next()?;
        let mut target = self.variable()?;
        let mut is_method = false;
        while let Tok::Byte(c @ (b'.' | b':')) = self.tok() {
            self.lex.next()?;
            let key = self.name()?;
            target = self.node(Kind::IndexStr, self.lex.last_line, target.0, key.0);
            is_method = c == b':';
            if is_method {
                break;
            }
        }
        let const_name = self.const_name;
        let f = self.body(is_method, line)?;
        self.const_name = const_name;
        self.check_assignable(target)?;
        Ok(self.node(Kind::Assign, line, target.0, f.0))
    }

    fn local_function(&mut self) -> Made<NodeId> {
        let name = self.name()?;
        let var = self.scopes.declare(&mut self.lex, name)?;
        self.scopes.activate(1);
        let line = self.lex.line;
        let f = self.body(false, line)?;
        let own = self.scopes.vars[var as usize].captured;
        let kind = if own {
            Kind::SelfRef
        } else {
            Kind::LocalFunction
        };
        Ok(self.node(kind, self.lex.last_line, var, f.0))
    }

    fn attribute(&mut self) -> Res<Attrib> {
        if !self.accept(Tok::Byte(b'<'))? {
            return Ok(Attrib::Regular);
        }
        let name = self.name()?;
        self.expect(Tok::Byte(b'>'))?;
        match self.lex.strings.get(name) {
            b"const" => Ok(Attrib::Const),
            b"close" => Ok(Attrib::Close),
            other => {
                let msg = [b"unknown attribute '", other, b"'"].concat();
                self.lex.semantic_error(&msg)
            }
        }
    }

    fn local_stat(&mut self) -> Made<NodeId> {
        let mark = self.scratch.len();
        self.scratch.push(0);
        let mut last;
        let mut any_close = false;
        loop {
            let name = self.name()?;
            last = self.scopes.declare(&mut self.lex, name)?;
            self.scratch.push(last);
            let attrib = self.attribute()?;
            self.scopes.vars[last as usize].attrib = attrib;
            if attrib == Attrib::Close {
                if any_close {
                    return Ok(self
                        .lex
                        .semantic_error(b"multiple to-be-closed variables in local list")?);
                }
                any_close = true;
            }
            if !self.accept(Tok::Byte(b','))? {
                break;
            }
        }
        let nvars = self.scratch.len() - mark - 1;
        self.scratch[mark] = nvars as u32;
        if self.accept(Tok::Byte(b'='))? {
            self.expr_list()?;
        }
        let nexps = self.scratch.len() - mark - 1 - nvars;
        let var = &mut self.scopes.vars[last as usize];
        if nvars == nexps && var.attrib == Attrib::Const {
            let value = NodeId(self.scratch[self.scratch.len() - 1]);
            var.constant = self.ast.konst(value);
        }
        self.scopes.activate(nvars);
        let l = self.list(mark);
        Ok(self.node(Kind::LocalStat, self.lex.last_line, l.0, 0))
    }

    fn label_stat(&mut self, name: StrId, line: u32) -> Made<NodeId> {
        self.expect(Tok::DbColon)?;
        // What follows at once is parsed first, as in PUC; all these labels stand at the same place.
        while matches!(self.tok(), Tok::Byte(b';') | Tok::DbColon) {
            if let Some(s) = self.statement()? {
                self.scratch.push(s.0);
            }
        }
        let is_last = self.at_block_end(false);
        let nodes = &mut self.ast.nodes;
        let solve = |node: u32, id: u32| nodes[node as usize].a = id;
        let (id, active) = self
            .scopes
            .add_label(&mut self.lex, name, line, is_last, solve)?;
        let b = if is_last { active as u32 } else { NONE };
        let s = self.node(Kind::Label, self.lex.last_line, id, b);
        Ok(s)
    }

    fn return_stat(&mut self) -> Made<NodeId> {
        let mark = self.scratch.len();
        if !self.at_block_end(true) && self.tok() != Tok::Byte(b';') {
            self.expr_list()?;
        }
        let line = self.lex.last_line;
        self.accept(Tok::Byte(b';'))?;
        let l = self.list(mark);
        Ok(self.node(Kind::Return, line, l.0, 0))
    }

    /// A call or an assignment.
    fn expr_stat(&mut self) -> Made<NodeId> {
        let e = self.suffixed()?;
        if !matches!(self.tok(), Tok::Byte(b'=' | b',')) {
            if !matches!(self.ast.get(e).kind, Kind::Call | Kind::Method) {
                return Ok(self.lex.syntax_error("syntax error")?);
            }
            return Ok(self.node(Kind::CallStat, self.lex.last_line, e.0, 0));
        }
        let mark = self.scratch.len();
        self.scratch.push(e.0);
        self.check_target(e)?;
        let levels = self.levels;
        while self.accept(Tok::Byte(b','))? {
            let e = self.suffixed()?;
            self.enter()?;
            self.check_target(e)?;
            self.scratch.push(e.0);
        }
        self.expect(Tok::Byte(b'='))?;
        let values = self.scratch.len();
        self.expr_list()?;
        self.levels = levels;
        let line = self.lex.last_line;
        if values - mark == 1 && self.scratch.len() - values == 1 {
            let (t, v) = (self.scratch[mark], self.scratch[values]);
            self.scratch.truncate(mark);
            return Ok(self.node(Kind::Assign, line, t, v));
        }
        let vals = self.list(values);
        let targets = self.list(mark);
        Ok(self.node(Kind::MultiAssign, line, targets.0, vals.0))
    }

    fn check_target(&mut self, e: NodeId) -> Res<()> {
        let is_const = self.ast.konst(e).is_some() && self.const_name.is_some_and(|(n, _)| n == e);
        if !is_const && !self.ast.is_variable(e) {
            return self.lex.syntax_error("syntax error");
        }
        self.check_assignable(e)
    }

    /// Notes an assignment to a variable, which must not be constant.
    fn check_assignable(&mut self, e: NodeId) -> Res<()> {
        let n = self.ast.get(e);
        let name = match n.kind {
            Kind::Local | Kind::Upval => {
                let id = if n.kind == Kind::Local {
                    n.a
                } else {
                    self.scopes.func().upvals[n.a as usize].var
                };
                let var = &mut self.scopes.vars[id as usize];
                if var.attrib == Attrib::Regular {
                    var.assigned = true;
                    return Ok(());
                }
                var.name
            }
            Kind::Global | Kind::IndexStr | Kind::Index => return Ok(()),
            _ => match self.const_name {
                Some((c, name)) if c == e => name,
                _ => return Ok(()),
            },
        };
        let msg = [
            b"attempt to assign to const variable '",
            self.lex.strings.get(name),
            b"'",
        ]
        .concat();
        self.lex.semantic_error(&msg)
    }

    /// A name as an expression.
    fn variable(&mut self) -> Res<NodeId> {
        let name = self.name()?;
        let line = self.lex.last_line;
        Ok(match self.scopes.resolve(&mut self.lex, name)? {
            Meaning::Local(v) => self.node(Kind::Local, line, v, 0),
            Meaning::Upval(i) => self.node(Kind::Upval, line, u32::from(i), 0),
            Meaning::Constant(k) => {
                let e = self.push(Ast::konst_node(k, line));
                self.const_name = Some((e, name));
                e
            }
            Meaning::Global => match self.scopes.resolve(&mut self.lex, StrId::ENV)? {
                Meaning::Upval(i) => self.node(Kind::Global, line, name.0, u32::from(i)),
                Meaning::Local(v) => {
                    let env = self.node(Kind::Local, line, v, 0);
                    self.node(Kind::IndexStr, line, env.0, name.0)
                }
                Meaning::Constant(k) => {
                    let env = self.push(Ast::konst_node(k, line));
                    self.node(Kind::IndexStr, line, env.0, name.0)
                }
                // `_ENV` is bound outside of every function.
                Meaning::Global => return self.lex.syntax_error("unexpected symbol"),
            },
        })
    }

    /// Parameters and body of a function, up to its `end`.
    fn body(&mut self, is_method: bool, line: u32) -> Made<NodeId> {
        self.scopes
            .open_func(line, self.ast.nodes.len(), self.ast.pool.len());
        self.expect(Tok::Byte(b'('))?;
        let mut params = [0; crate::scope::MAX_LOCALS];
        let mut n = 0;
        if is_method {
            params[n] = self.scopes.declare(&mut self.lex, StrId::SELF)?;
            self.scopes.activate(1);
            n += 1;
        }
        let mut pending = 0;
        if self.tok() != Tok::Byte(b')') {
            loop {
                match self.tok() {
                    Tok::Name => {
                        let name = self.name()?;
                        // Declaring fails beyond the size of `params`.
                        params[n] = self.scopes.declare(&mut self.lex, name)?;
                        n += 1;
                        pending += 1;
                    }
                    Tok::Dots => {
                        self.lex.next()?;
                        self.scopes.func().is_vararg = true;
                    }
                    _ => return Ok(self.lex.syntax_error("<name> or '...' expected")?),
                }
                if self.scopes.func().is_vararg || !self.accept(Tok::Byte(b','))? {
                    break;
                }
            }
        }
        self.scopes.activate(pending);
        self.scopes.func().nparams = n as u8;
        self.expect(Tok::Byte(b')'))?;
        let b = self.statements()?;
        let last_line = self.lex.line;
        self.expect_match(Tok::End, Tok::Function, line)?;
        self.scopes.close_block(&mut self.lex)?;
        // Where its upvalues are among those of all functions here; see `emit::Input`.
        let outer = self.scopes.funcs.len() - 2;
        let outer = &self.scopes.funcs[outer];
        let (p, from) = (outer.nested, outer.first_capture);
        let first = self.scopes.func().first_capture - from;
        self.finish_function(b, &params[..n], last_line)?;
        Ok(self.node(Kind::Closure, self.lex.last_line, p, first as u32))
    }
}
