//! Tokens from bytes.
//!
//! Strings without escapes and names are interned straight from the source; only strings with escapes go through
//! a buffer. Error messages quote the token as PUC's buffer holds it at that moment (opening quote included,
//! escapes already replaced), which is why the failing token is kept in the buffer even where the fast path did
//! not need one.

use traceorus_base::Tag;
use traceorus_base::number::{hex_digit, is_space, str_to_number};
use traceorus_lang_common::{SyntaxError, chunkid};

use crate::strings::{StrId, Strings};
use crate::token::{RESERVED, Tok};

/// Value beside a token.
#[derive(Clone, Copy, Debug)]
pub enum Sem {
    None,
    Str(StrId),
    Int(i64),
    Float(f64),
}

/// A token with its value.
#[derive(Clone, Copy, Debug)]
pub struct Token {
    pub tok: Tok,
    pub sem: Sem,
}

/// Every error ends the compilation, so it travels boxed.
pub type Res<T> = Result<T, Box<SyntaxError>>;

pub struct Lexer<'s> {
    src: &'s [u8],
    at: usize,
    chunkname: &'s [u8],
    /// Line of the character read next.
    pub line: u32,
    /// Line of the token before the current one, the line of the code made now.
    pub last_line: u32,
    pub strings: Strings,
    /// The current token.
    pub t: Token,
    ahead: Option<Token>,
    /// Where the token read last starts.
    token_start: usize,
    /// Text of a token that is being built.
    buf: Vec<u8>,
}

/// Character classes, one bit each.
const NAME: u8 = 1;
const DIGIT: u8 = 2;
const NUMERAL: u8 = 4;
const CLASS: [u8; 256] = {
    let mut t = [0; 256];
    let mut c = 0;
    while c < 256 {
        let b = c as u8;
        if b.is_ascii_alphabetic() || b == b'_' {
            t[c] |= NAME;
        }
        if b.is_ascii_digit() {
            t[c] |= NAME | DIGIT;
        }
        if b.is_ascii_hexdigit() || b == b'.' {
            t[c] |= NUMERAL;
        }
        c += 1;
    }
    t
};

impl<'s> Lexer<'s> {
    /// `strings` and `buf` are those of a lexer before, or new.
    pub fn new(src: &'s [u8], chunkname: &'s [u8], strings: Strings, buf: Vec<u8>) -> Lexer<'s> {
        Lexer {
            src,
            at: 0,
            chunkname,
            line: 1,
            last_line: 1,
            strings,
            t: Token {
                tok: Tok::Eof,
                sem: Sem::None,
            },
            ahead: None,
            token_start: 0,
            buf,
        }
    }

    /// What another lexer can use.
    pub fn into_parts(self) -> (Strings, Vec<u8>) {
        (self.strings, self.buf)
    }

    /// Goes to the next token.
    #[inline]
    pub fn next(&mut self) -> Res<()> {
        self.last_line = self.line;
        self.t = match self.ahead.take() {
            Some(t) => t,
            None => self.lex()?,
        };
        Ok(())
    }

    /// The token behind the current one.
    pub fn lookahead(&mut self) -> Res<Tok> {
        debug_assert!(self.ahead.is_none());
        let t = self.lex()?;
        self.ahead = Some(t);
        Ok(t.tok)
    }

    /// An error in what the current token makes of the program.
    #[cold]
    pub fn syntax_error<T>(&mut self, msg: &str) -> Res<T> {
        self.error_near(msg.as_bytes(), Some(self.t.tok))
    }

    /// An error that no token stands for.
    #[cold]
    pub fn semantic_error<T>(&mut self, msg: &[u8]) -> Res<T> {
        self.error_near(msg, None)
    }

    /// Nesting beyond the limit.
    #[cold]
    pub fn overflow<T>(&self) -> Res<T> {
        Err(Box::new(SyntaxError {
            message: b"C stack overflow".to_vec(),
            at_eof: false,
            overflow: true,
        }))
    }

    #[cold]
    fn error_near<T>(&mut self, msg: &[u8], near: Option<Tok>) -> Res<T> {
        let mut m = chunkid(self.chunkname);
        m.extend_from_slice(format!(":{}: ", self.line).as_bytes());
        m.extend_from_slice(msg);
        match near {
            // PUC's token 0 means no token.
            None | Some(Tok::Byte(0)) => {}
            Some(tok) => {
                m.extend_from_slice(b" near ");
                if tok.has_own_text() {
                    self.rebuild();
                    let c_len = self
                        .buf
                        .iter()
                        .position(|&c| c == 0)
                        .unwrap_or(self.buf.len());
                    m.push(b'\'');
                    m.extend_from_slice(&self.buf[..c_len]);
                    m.push(b'\'');
                } else {
                    m.extend_from_slice(tok.text().as_bytes());
                }
            }
        }
        Err(Box::new(SyntaxError {
            message: m,
            at_eof: near == Some(Tok::Eof),
            overflow: false,
        }))
    }

    /// Error inside a token; `buf` holds its text so far.
    #[cold]
    fn lex_error<T>(&mut self, msg: &str, near: Tok) -> Res<T> {
        self.token_start = usize::MAX;
        self.error_near(msg.as_bytes(), Some(near))
    }

    /// Puts the text of the token read last into the buffer, unless it is there already.
    fn rebuild(&mut self) {
        if self.token_start == usize::MAX {
            return;
        }
        let text = &self.src[self.token_start..self.at];
        self.buf.clear();
        match text.first() {
            Some(b'"' | b'\'') => {
                let end = self.at;
                self.at = self.token_start;
                // It was read once without an error.
                let _ = self.escaped_string(text[0]);
                self.at = end;
            }
            Some(b'[') => {
                let level = text[1..].iter().take_while(|&&c| c == b'=').count();
                let (open, mut body) = text.split_at(level + 2);
                self.buf.extend_from_slice(open);
                let line_break = |s: &[u8]| match s {
                    [b'\n', b'\r', ..] | [b'\r', b'\n', ..] => 2,
                    [b'\n' | b'\r', ..] => 1,
                    _ => 0,
                };
                body = &body[line_break(body)..];
                while let Some(&c) = body.first() {
                    let n = line_break(body);
                    self.buf.push(if n > 0 { b'\n' } else { c });
                    body = &body[n.max(1)..];
                }
            }
            _ => self.buf.extend_from_slice(text),
        }
    }

    #[inline]
    fn peek(&self) -> Option<u8> {
        self.src.get(self.at).copied()
    }

    #[inline]
    fn eat(&mut self, c: u8) -> bool {
        let yes = self.peek() == Some(c);
        self.at += usize::from(yes);
        yes
    }

    /// Skips a line break at `at`: `\n`, `\r`, `\r\n` or `\n\r`.
    #[inline]
    fn newline(&mut self) {
        let c = self.src[self.at];
        self.at += 1;
        if let Some(d @ (b'\n' | b'\r')) = self.peek()
            && d != c
        {
            self.at += 1;
        }
        self.line += 1;
    }

    fn lex(&mut self) -> Res<Token> {
        let plain = |tok| {
            Ok(Token {
                tok,
                sem: Sem::None,
            })
        };
        loop {
            let Some(c) = self.peek() else {
                self.token_start = self.at;
                return plain(Tok::Eof);
            };
            match c {
                b' ' | b'\t' | 0x0b | 0x0c => {
                    self.at += 1;
                    continue;
                }
                b'\n' | b'\r' => {
                    self.newline();
                    continue;
                }
                b'-' if self.src.get(self.at + 1) == Some(&b'-') => {
                    self.comment()?;
                    continue;
                }
                _ => {}
            }
            self.token_start = self.at;
            self.at += 1;
            return match c {
                b'a'..=b'z' | b'A'..=b'Z' | b'_' => {
                    let start = self.at - 1;
                    while self.peek().is_some_and(|c| CLASS[c as usize] & NAME != 0) {
                        self.at += 1;
                    }
                    let id = self.strings.intern(&self.src[start..self.at]);
                    match RESERVED.get(id.0 as usize) {
                        Some(&(_, tok)) => plain(tok),
                        None => Ok(Token {
                            tok: Tok::Name,
                            sem: Sem::Str(id),
                        }),
                    }
                }
                b'0'..=b'9' => self.numeral(),
                b'"' | b'\'' => self.string(c),
                b'[' => match self.bracket() {
                    Bracket::Long(level) => {
                        let sem = self.long_string(level, true)?;
                        Ok(Token { tok: Tok::Str, sem })
                    }
                    Bracket::Single => plain(Tok::Byte(b'[')),
                    Bracket::Unfinished => {
                        self.buf.clear();
                        let text = self.token_start..self.at;
                        self.buf.extend_from_slice(&self.src[text]);
                        self.lex_error("invalid long string delimiter", Tok::Str)
                    }
                },
                b'=' => plain(if self.eat(b'=') {
                    Tok::Eq
                } else {
                    Tok::Byte(b'=')
                }),
                b'<' => plain(if self.eat(b'=') {
                    Tok::Le
                } else if self.eat(b'<') {
                    Tok::Shl
                } else {
                    Tok::Byte(b'<')
                }),
                b'>' => plain(if self.eat(b'=') {
                    Tok::Ge
                } else if self.eat(b'>') {
                    Tok::Shr
                } else {
                    Tok::Byte(b'>')
                }),
                b'/' => plain(if self.eat(b'/') {
                    Tok::IDiv
                } else {
                    Tok::Byte(b'/')
                }),
                b'~' => plain(if self.eat(b'=') {
                    Tok::Ne
                } else {
                    Tok::Byte(b'~')
                }),
                b':' => plain(if self.eat(b':') {
                    Tok::DbColon
                } else {
                    Tok::Byte(b':')
                }),
                b'.' => match self.peek() {
                    Some(b'.') => {
                        self.at += 1;
                        plain(if self.eat(b'.') {
                            Tok::Dots
                        } else {
                            Tok::Concat
                        })
                    }
                    Some(b'0'..=b'9') => {
                        self.at += 1;
                        self.numeral()
                    }
                    _ => plain(Tok::Byte(b'.')),
                },
                other => plain(Tok::Byte(other)),
            };
        }
    }

    fn comment(&mut self) -> Res<()> {
        self.at += 2;
        if self.peek() == Some(b'[') {
            self.token_start = self.at;
            self.at += 1;
            if let Bracket::Long(level) = self.bracket() {
                self.long_string(level, false)?;
                return Ok(());
            }
        }
        while let Some(c) = self.peek() {
            if c == b'\n' || c == b'\r' {
                break;
            }
            self.at += 1;
        }
        Ok(())
    }

    /// Reads the rest of a numeral whose first digit has been read.
    fn numeral(&mut self) -> Res<Token> {
        let start = self.token_start;
        let mut exponent = b'e';
        if self.src[self.at - 1] == b'0'
            && self.at - start == 1
            && matches!(self.peek(), Some(b'x' | b'X'))
        {
            self.at += 1;
            exponent = b'p';
        } else if self.at - start == 1 {
            // The common case, a short decimal integer.
            let mut i = i64::from(self.src[start] - b'0');
            let mut at = self.at;
            while let Some(&c) = self.src.get(at)
                && CLASS[c as usize] & DIGIT != 0
            {
                i = i.wrapping_mul(10).wrapping_add(i64::from(c - b'0'));
                at += 1;
            }
            let ends = self
                .src
                .get(at)
                .is_none_or(|&c| CLASS[c as usize] & (NAME | NUMERAL) == 0);
            if ends && at - start <= 18 {
                self.at = at;
                return Ok(Token {
                    tok: Tok::Int,
                    sem: Sem::Int(i),
                });
            }
        }
        while let Some(c) = self.peek() {
            if c | 0x20 == exponent {
                self.at += 1;
                if let Some(b'+' | b'-') = self.peek() {
                    self.at += 1;
                }
            } else if CLASS[c as usize] & NUMERAL != 0 {
                self.at += 1;
            } else {
                break;
            }
        }
        // A numeral that touches a letter is malformed; take one letter to say so.
        if self
            .peek()
            .is_some_and(|c| c.is_ascii_alphabetic() || c == b'_')
        {
            self.at += 1;
        }
        match str_to_number(&self.src[start..self.at]) {
            Some(v) if v.tag == Tag::INT => Ok(Token {
                tok: Tok::Int,
                sem: Sem::Int(v.as_int()),
            }),
            Some(v) => Ok(Token {
                tok: Tok::Float,
                sem: Sem::Float(v.as_float()),
            }),
            None => {
                self.buf.clear();
                self.buf.extend_from_slice(&self.src[start..self.at]);
                self.lex_error("malformed number", Tok::Float)
            }
        }
    }

    /// Behind a `[`: looks for `=*[`. Goes behind the second bracket of a long one.
    fn bracket(&mut self) -> Bracket {
        let start = self.at;
        while self.eat(b'=') {}
        let level = self.at - start;
        if self.eat(b'[') {
            Bracket::Long(level)
        } else if level == 0 {
            Bracket::Single
        } else {
            Bracket::Unfinished
        }
    }

    /// Reads a long string or comment whose opening bracket has been read.
    fn long_string(&mut self, level: usize, is_string: bool) -> Res<Sem> {
        let first_line = self.line;
        if let Some(b'\n' | b'\r') = self.peek() {
            self.newline();
        }
        let start = self.at;
        // Text before `copied` is in the buffer, with its line breaks normalised.
        let mut copied = start;
        self.buf.clear();
        loop {
            let Some(c) = self.peek() else {
                let what = if is_string { "string" } else { "comment" };
                let msg = format!("unfinished long {what} (starting at line {first_line})");
                return self.lex_error(&msg, Tok::Eof);
            };
            match c {
                b']' => {
                    let end = self.at;
                    self.at += 1;
                    let mut n = 0;
                    while n < level && self.eat(b'=') {
                        n += 1;
                    }
                    if n == level && self.eat(b']') {
                        if !is_string {
                            return Ok(Sem::None);
                        }
                        let id = if copied == start {
                            self.strings.intern(&self.src[start..end])
                        } else {
                            self.buf.extend_from_slice(&self.src[copied..end]);
                            self.strings.intern(&self.buf)
                        };
                        return Ok(Sem::Str(id));
                    }
                }
                b'\n' | b'\r' => {
                    let end = self.at;
                    self.newline();
                    if is_string && (c == b'\r' || self.at - end == 2) {
                        self.buf.extend_from_slice(&self.src[copied..end]);
                        self.buf.push(b'\n');
                        copied = self.at;
                    }
                }
                _ => self.at += 1,
            }
        }
    }

    /// Reads a string whose opening quote has been read.
    fn string(&mut self, quote: u8) -> Res<Token> {
        let start = self.at;
        while let Some(c) = self.peek() {
            if c == quote {
                let id = self.strings.intern(&self.src[start..self.at]);
                self.at += 1;
                return Ok(Token {
                    tok: Tok::Str,
                    sem: Sem::Str(id),
                });
            }
            if matches!(c, b'\\' | b'\n' | b'\r') {
                break;
            }
            self.at += 1;
        }
        self.at = start - 1;
        self.escaped_string(quote)?;
        let id = self.strings.intern(&self.buf[1..self.buf.len() - 1]);
        Ok(Token {
            tok: Tok::Str,
            sem: Sem::Str(id),
        })
    }

    /// Reads a string from its opening quote into the buffer, quotes included.
    fn escaped_string(&mut self, quote: u8) -> Res<()> {
        self.buf.clear();
        self.buf.push(quote);
        self.at += 1;
        loop {
            let Some(c) = self.peek() else {
                return self.lex_error("unfinished string", Tok::Eof);
            };
            match c {
                b'\n' | b'\r' => return self.lex_error("unfinished string", Tok::Str),
                b'\\' => self.escape()?,
                _ => {
                    self.buf.push(c);
                    self.at += 1;
                    if c == quote {
                        return Ok(());
                    }
                }
            }
        }
    }

    /// Reads an escape sequence from its backslash on.
    fn escape(&mut self) -> Res<()> {
        self.at += 1;
        let from = self.at - 1;
        let Some(c) = self.peek() else {
            // The next round of the caller finds the end.
            return Ok(());
        };
        let plain = match c {
            b'a' => 7,
            b'b' => 8,
            b'f' => 12,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'v' => 11,
            b'\\' | b'"' | b'\'' => c,
            b'\n' | b'\r' => {
                self.newline();
                self.buf.push(b'\n');
                return Ok(());
            }
            b'x' => {
                self.at += 1;
                let high = self.hex_digit(from)?;
                let low = self.hex_digit(from)?;
                self.buf.push(high << 4 | low);
                return Ok(());
            }
            b'u' => return self.utf8_escape(from),
            b'z' => {
                self.at += 1;
                while let Some(c) = self.peek() {
                    match c {
                        b'\n' | b'\r' => self.newline(),
                        c if is_space(c) => self.at += 1,
                        _ => break,
                    }
                }
                return Ok(());
            }
            b'0'..=b'9' => {
                let mut r = 0u32;
                let mut n = 0;
                while let Some(d @ b'0'..=b'9') = self.peek()
                    && n < 3
                {
                    r = r * 10 + u32::from(d - b'0');
                    self.at += 1;
                    n += 1;
                }
                return match u8::try_from(r) {
                    Ok(b) => {
                        self.buf.push(b);
                        Ok(())
                    }
                    Err(_) => self.escape_error(from, "decimal escape too large"),
                };
            }
            _ => return self.escape_error(from, "invalid escape sequence"),
        };
        self.at += 1;
        self.buf.push(plain);
        Ok(())
    }

    /// An error in the escape that starts at `from`: the message shows it up to and with the current character.
    #[cold]
    fn escape_error<T>(&mut self, from: usize, msg: &str) -> Res<T> {
        let end = (self.at + 1).min(self.src.len());
        self.buf.extend_from_slice(&self.src[from..end]);
        self.lex_error(msg, Tok::Str)
    }

    fn hex_digit(&mut self, from: usize) -> Res<u8> {
        match self.peek().and_then(hex_digit) {
            Some(d) => {
                self.at += 1;
                Ok(d)
            }
            None => self.escape_error(from, "hexadecimal digit expected"),
        }
    }

    fn utf8_escape(&mut self, from: usize) -> Res<()> {
        self.at += 1;
        if !self.eat(b'{') {
            return self.escape_error(from, "missing '{'");
        }
        let mut r = u32::from(self.hex_digit(from)?);
        while let Some(d) = self.peek().and_then(hex_digit) {
            if r > 0x7fff_ffff >> 4 {
                return self.escape_error(from, "UTF-8 value too large");
            }
            r = r << 4 | u32::from(d);
            self.at += 1;
        }
        if !self.eat(b'}') {
            return self.escape_error(from, "missing '}'");
        }
        push_utf8(&mut self.buf, r);
        Ok(())
    }
}

enum Bracket {
    Long(usize),
    Single,
    Unfinished,
}

/// Appends `x < 2^31` in the original UTF-8, up to six bytes.
fn push_utf8(out: &mut Vec<u8>, mut x: u32) {
    if x < 0x80 {
        out.push(x as u8);
        return;
    }
    let mut bytes = [0u8; 6];
    let mut n = 0;
    // Largest value that still fits the first byte.
    let mut first_max = 0x3f;
    loop {
        bytes[n] = 0x80 | (x & 0x3f) as u8;
        n += 1;
        x >>= 6;
        first_max >>= 1;
        if x <= first_max {
            break;
        }
    }
    bytes[n] = ((!first_max << 1) | x) as u8;
    out.extend(bytes[..=n].iter().rev());
}
