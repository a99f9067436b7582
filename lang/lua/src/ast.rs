//! The syntax tree of the function being compiled: an arena of 16-byte nodes and a pool of lists.
//!
//! Nodes live from parsing to emission of their function; both pools are cut back when a function is done, so a
//! source of many functions stays in cache. `line` is the line that the node's instruction gets: of the operator for
//! arithmetic, of the `(` for calls, otherwise of the token that PUC's one-pass compiler has just consumed when it
//! emits the instruction, see [`crate::parser`].
//!
//! Lists in the pool:
//! ```text
//! block    n, line of the last token, statements
//! list     n, nodes
//! ```

use crate::strings::StrId;

/// Index of a node.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NodeId(pub u32);

/// Index of a list in the pool.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ListId(pub u32);

/// What a node is. Comments name the operands `a` and `b`.
#[repr(u8)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Nil,
    False,
    True,
    /// Low and high half.
    Int,
    /// Low and high half of the bits.
    Float,
    /// String.
    Str,
    Vararg,
    /// Variable.
    Local,
    /// Upvalue.
    Upval,
    /// Name, upvalue that is `_ENV`.
    Global,
    /// Table, string.
    IndexStr,
    /// Table, key.
    Index,
    /// Function, list of arguments.
    Call,
    /// Object, list of the method's name and the arguments.
    Method,
    /// Number of the nested function.
    Closure,
    /// List of items, number of items `[key] = value` and `name = value` among them.
    Table,
    /// Item of a constructor: key, value.
    Item,
    /// Parenthesised expression: truncates to one value, is no variable.
    Paren,
    // Unary operators.
    Unm,
    BNot,
    Not,
    Len,
    // Binary operators, ORDER BinOp.
    Add,
    Sub,
    Mul,
    Mod,
    Pow,
    Div,
    IDiv,
    BAnd,
    BOr,
    BXor,
    Shl,
    Shr,
    Concat,
    Eq,
    Lt,
    Le,
    Ne,
    Gt,
    Ge,
    And,
    Or,
    // Statements.
    /// List of `number of variables, variables, expressions`.
    LocalStat,
    /// Variable, closure. The variable's `captured` at that time is in [`Kind::SelfRef`].
    LocalFunction,
    /// As LocalFunction, and the function refers to itself.
    SelfRef,
    /// Target, value.
    Assign,
    /// List of targets, list of values.
    MultiAssign,
    /// Call.
    CallStat,
    /// Block.
    Do,
    /// List of `condition, line of then, block`, and a last block if there is an `else`.
    If,
    /// Condition, block.
    While,
    /// Block, condition.
    Repeat,
    /// List `variable, its three hidden ones, line of do, block, init, limit[, step]`.
    NumFor,
    /// List `number of variables, line of do, block, four hidden ones, variables, expressions`, line of `end`.
    GenFor,
    /// List of values.
    Return,
    Break,
    /// Label.
    Goto,
    /// Label, number of active variables that it leaves if it ends its block (else NONE).
    Label,
}

/// "None" for operands.
pub const NONE: u32 = u32::MAX;

/// See the module's documentation.
#[derive(Clone, Copy, Debug)]
pub struct Node {
    pub kind: Kind,
    pub line: u32,
    pub a: u32,
    pub b: u32,
}

const _: () = assert!(core::mem::size_of::<Node>() == 16);

/// A constant expression.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Konst {
    Nil,
    False,
    True,
    Int(i64),
    Float(f64),
    Str(StrId),
}

impl Konst {
    /// False for nil and false.
    pub fn truthy(self) -> bool {
        !matches!(self, Konst::Nil | Konst::False)
    }
}

/// Nodes and lists.
#[derive(Default)]
pub struct Ast {
    pub nodes: Vec<Node>,
    pub pool: Vec<u32>,
}

impl Ast {
    #[inline]
    pub fn get(&self, n: NodeId) -> Node {
        self.nodes[n.0 as usize]
    }

    /// The constant that a node is.
    #[inline]
    pub fn konst(&self, n: NodeId) -> Option<Konst> {
        let n = self.get(n);
        let bits = || u64::from(n.a) | u64::from(n.b) << 32;
        Some(match n.kind {
            Kind::Nil => Konst::Nil,
            Kind::False => Konst::False,
            Kind::True => Konst::True,
            Kind::Int => Konst::Int(bits() as i64),
            Kind::Float => Konst::Float(f64::from_bits(bits())),
            Kind::Str => Konst::Str(StrId(n.a)),
            _ => return None,
        })
    }

    /// The node of a constant.
    pub fn konst_node(k: Konst, line: u32) -> Node {
        let node = |kind, bits: u64| Node {
            kind,
            line,
            a: bits as u32,
            b: (bits >> 32) as u32,
        };
        match k {
            Konst::Nil => node(Kind::Nil, 0),
            Konst::False => node(Kind::False, 0),
            Konst::True => node(Kind::True, 0),
            Konst::Int(i) => node(Kind::Int, i as u64),
            Konst::Float(f) => node(Kind::Float, f.to_bits()),
            Konst::Str(s) => node(Kind::Str, u64::from(s.0)),
        }
    }

    /// A list with its length in front.
    #[inline]
    pub fn list(&self, l: ListId) -> &[u32] {
        let at = l.0 as usize;
        let n = self.pool[at] as usize;
        &self.pool[at + 1..at + 1 + n]
    }

    /// Does it leave a variable number of values?
    pub fn is_multi(&self, n: NodeId) -> bool {
        matches!(self.get(n).kind, Kind::Call | Kind::Method | Kind::Vararg)
    }

    /// Can it be assigned to?
    pub fn is_variable(&self, n: NodeId) -> bool {
        matches!(
            self.get(n).kind,
            Kind::Local | Kind::Upval | Kind::Global | Kind::IndexStr | Kind::Index
        )
    }
}
