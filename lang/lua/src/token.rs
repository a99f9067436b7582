//! Tokens and how error messages show them.

/// A token. The values of names, strings and numbers are beside it in the lexer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(
    missing_docs,
    reason = "named by the reserved words and symbols of the language"
)]
pub enum Tok {
    /// A character that is a token by itself, or one that is no part of the language.
    Byte(u8),
    And,
    Break,
    Do,
    Else,
    ElseIf,
    End,
    False,
    For,
    Function,
    Goto,
    If,
    In,
    Local,
    Nil,
    Not,
    Or,
    Repeat,
    Return,
    Then,
    True,
    Until,
    While,
    IDiv,
    Concat,
    Dots,
    Eq,
    Ge,
    Le,
    Ne,
    Shl,
    Shr,
    DbColon,
    Eof,
    Float,
    Int,
    Name,
    Str,
}

/// Reserved words; ORDER RESERVED: the interner knows them by these numbers.
pub const RESERVED: &[(&str, Tok)] = &[
    ("and", Tok::And),
    ("break", Tok::Break),
    ("do", Tok::Do),
    ("else", Tok::Else),
    ("elseif", Tok::ElseIf),
    ("end", Tok::End),
    ("false", Tok::False),
    ("for", Tok::For),
    ("function", Tok::Function),
    ("goto", Tok::Goto),
    ("if", Tok::If),
    ("in", Tok::In),
    ("local", Tok::Local),
    ("nil", Tok::Nil),
    ("not", Tok::Not),
    ("or", Tok::Or),
    ("repeat", Tok::Repeat),
    ("return", Tok::Return),
    ("then", Tok::Then),
    ("true", Tok::True),
    ("until", Tok::Until),
    ("while", Tok::While),
];

impl Tok {
    /// The token as a message quotes it: `'while'`, `'+'`, `'<\200>'`, `<name>`.
    pub fn text(self) -> String {
        let fixed = match self {
            Tok::Byte(c @ 32..=126) => return format!("'{}'", char::from(c)),
            Tok::Byte(c) => return format!("'<\\{c}>'"),
            Tok::IDiv => "//",
            Tok::Concat => "..",
            Tok::Dots => "...",
            Tok::Eq => "==",
            Tok::Ge => ">=",
            Tok::Le => "<=",
            Tok::Ne => "~=",
            Tok::Shl => "<<",
            Tok::Shr => ">>",
            Tok::DbColon => "::",
            Tok::Eof => return "<eof>".into(),
            Tok::Float => return "<number>".into(),
            Tok::Int => return "<integer>".into(),
            Tok::Name => return "<name>".into(),
            Tok::Str => return "<string>".into(),
            word => RESERVED
                .iter()
                .find(|(_, t)| *t == word)
                .map_or("?", |(s, _)| s),
        };
        format!("'{fixed}'")
    }

    /// Names, strings and numbers are quoted as written.
    pub fn has_own_text(self) -> bool {
        matches!(self, Tok::Float | Tok::Int | Tok::Name | Tok::Str)
    }
}
