//! Interactive mode: reads a line, tries it as an expression and then as a statement, asks for more lines while the
//! statement is incomplete, runs it and prints the results.

use std::cell::RefCell;
use std::path::PathBuf;

use rustyline::completion::{Completer, Pair};
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::FileHistory;
use rustyline::validate::Validator;
use rustyline::{CompletionType, Config, Editor, Helper};

use traceorus::raw::base::objects::{Table, Thread};
use traceorus::raw::base::{Tag, Value};
use traceorus::raw::stdlib::{base, cfile};
use traceorus::raw::vm::ctx::{Ctx, LResult};
use traceorus::raw::vm::table;

use crate::{Program, docall, message, report, write_stdout};

/// Whether a person is typing.
pub fn stdin_is_terminal() -> bool {
    // SAFETY: a query.
    unsafe { libc::isatty(0) == 1 }
}

/// Where lines come from.
enum Input {
    /// Line editing on a terminal.
    Terminal(Box<Terminal>),
    /// Anything else; the lines are echoed, as GNU readline does.
    Plain,
}

struct Terminal {
    editor: Editor<Names, FileHistory>,
    history: Option<PathBuf>,
    /// The last thing typed was Ctrl-C.
    interrupted: bool,
}

/// What a request for a line brings.
enum Line {
    Text(Vec<u8>),
    /// Ctrl-C: forget what was typed so far.
    Cancel,
    End,
}

impl Input {
    fn new(cx: Ctx) -> Input {
        if !stdin_is_terminal() {
            return Input::Plain;
        }
        let config = Config::builder()
            .completion_type(CompletionType::List)
            .auto_add_history(false)
            .build();
        let Ok(mut editor) = Editor::<Names, FileHistory>::with_config(config) else {
            return Input::Plain;
        };
        editor.set_helper(Some(Names { l: cx.l }));
        let history = history_file();
        if let Some(h) = &history {
            let _ = editor.load_history(h); // absent the first time
        }
        Input::Terminal(Box::new(Terminal {
            editor,
            history,
            interrupted: false,
        }))
    }

    fn line(&mut self, prompt: &[u8]) -> Line {
        match self {
            Input::Plain => {
                write_stdout(prompt);
                cfile::flush_stdout();
                // SAFETY: standard input is never closed.
                let line = unsafe { cfile::read_line(cfile::stdin(), |l| l.to_vec()) };
                if line.is_empty() {
                    return Line::End;
                }
                let line = line.strip_suffix(b"\n").unwrap_or(&line).to_vec();
                write_stdout(&line);
                write_stdout(b"\n");
                Line::Text(line)
            }
            Input::Terminal(t) => {
                cfile::flush_stdout();
                match t.editor.readline(&*String::from_utf8_lossy(prompt)) {
                    Ok(line) => {
                        t.interrupted = false;
                        Line::Text(line.into_bytes())
                    }
                    Err(ReadlineError::Interrupted) if !t.interrupted => {
                        t.interrupted = true;
                        Line::Cancel
                    }
                    Err(_) => Line::End,
                }
            }
        }
    }

    fn remember(&mut self, text: &[u8]) {
        if let Input::Terminal(t) = self
            && !text.is_empty()
        {
            let _ = t.editor.add_history_entry(String::from_utf8_lossy(text));
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if let Some(h) = &self.history {
            // a history that cannot be written is no reason to complain
            let _ = h.parent().map(std::fs::create_dir_all);
            let _ = self.editor.save_history(h);
        }
    }
}

/// `$XDG_STATE_HOME/traceorus/history`, by default under `~/.local/state`.
fn history_file() -> Option<PathBuf> {
    let dir = match std::env::var_os("XDG_STATE_HOME").filter(|d| !d.is_empty()) {
        Some(d) => PathBuf::from(d),
        None => PathBuf::from(std::env::var_os("HOME")?).join(".local/state"),
    };
    Some(dir.join("traceorus/history"))
}

/// The prompt: a global variable or the default.
fn prompt(cx: Ctx, first: bool) -> LResult<Vec<u8>> {
    let (name, default) = if first {
        ("_PROMPT", "> ")
    } else {
        ("_PROMPT2", ">> ")
    };
    let v = cx.index(Value::ptr(cx.globals(), Tag::TABLE), cx.str(name))?;
    if v.is_nil() {
        return Ok(default.into());
    }
    cx.push(v);
    let s = cx.tostring(v)?;
    let text = cx.bytes(s).to_vec();
    cx.pop();
    Ok(text)
}

/// What was read.
enum Chunk {
    /// The function or the message of a syntax error.
    Loaded(Result<Value, Value>),
    Cancelled,
    End,
}

/// The message says that the chunk ends too early.
fn incomplete(cx: Ctx, msg: Value) -> bool {
    msg.tag == Tag::STRING && cx.g().hot.error_status == 3 && cx.bytes(msg).ends_with(b"<eof>")
}

/// Reads a chunk: an expression, or a statement of one or more lines.
fn read_chunk(cx: Ctx, input: &mut Input) -> LResult<Chunk> {
    let first = match input.line(&prompt(cx, true)?) {
        Line::Text(t) => t,
        Line::Cancel => return Ok(Chunk::Cancelled),
        Line::End => return Ok(Chunk::End),
    };
    let mut text = match first.strip_prefix(b"=") {
        Some(expr) => [b"return ", expr].concat(), // as in 5.2
        None => first.clone(),
    };
    let expression = [b"return ", &text[..], b";"].concat();
    if let Ok(f) = base::load_chunk(cx, &expression, b"=stdin", b"bt") {
        input.remember(&first);
        return Ok(Chunk::Loaded(Ok(f)));
    }
    loop {
        match base::load_chunk(cx, &text, b"=stdin", b"bt") {
            Err(msg) if incomplete(cx, msg) => {
                cx.push(msg);
                let more = input.line(&prompt(cx, false)?);
                cx.pop();
                match more {
                    Line::Text(more) => {
                        text.push(b'\n');
                        text.extend_from_slice(&more);
                    }
                    Line::Cancel => return Ok(Chunk::Cancelled),
                    Line::End => {
                        input.remember(&text);
                        return Ok(Chunk::Loaded(Err(msg)));
                    }
                }
            }
            r => {
                input.remember(&text);
                return Ok(Chunk::Loaded(r));
            }
        }
    }
}

/// Prints the values above `base` by the global `print`.
fn print_results(cx: Ctx, p: &Program, base: usize) -> LResult<()> {
    let n = cx.top() - base;
    if n == 0 {
        return Ok(());
    }
    cx.check_stack(n + 20, "too many results to print")?;
    let print = cx.index(Value::ptr(cx.globals(), Tag::TABLE), cx.str("print"))?;
    cx.push(print);
    for i in 1..=n {
        cx.push(cx.arg(base + i));
    }
    if cx.pcall(n, 0, Value::NIL).is_err() {
        let e = cx.pop();
        let why = if e.tag == Tag::STRING {
            cx.bytes(e)
        } else {
            b"(null)"
        };
        message(
            p.name.get(),
            &[b"error calling 'print' (", why, b")"].concat(),
        );
    }
    Ok(())
}

/// The interactive mode.
pub fn run(cx: Ctx, p: &Program) -> LResult<()> {
    let name = p.name.take();
    let mut input = Input::new(cx);
    let base = cx.top();
    loop {
        match read_chunk(cx, &mut input)? {
            Chunk::End => break,
            Chunk::Cancelled => {}
            Chunk::Loaded(Ok(f)) => {
                cx.push(f);
                match docall(cx, 0, -1) {
                    Ok(_) => print_results(cx, p, base)?,
                    Err(_) => report(cx, p),
                }
            }
            Chunk::Loaded(Err(msg)) => {
                cx.push(msg);
                report(cx, p);
            }
        }
        cx.set_top(base);
    }
    write_stdout(b"\n");
    cfile::flush_stdout();
    p.name.set(name);
    Ok(())
}

// ---- completion --------------------------------------------------------------------------------------------------

/// Completes names of globals, fields and methods, and keywords.
struct Names {
    /// The thread that reads.
    l: *mut Thread,
}

impl Helper for Names {}
impl Hinter for Names {
    type Hint = String;
}
impl Highlighter for Names {}
impl Validator for Names {}

const KEYWORDS: [&str; 22] = [
    "and", "break", "do", "else", "elseif", "end", "false", "for", "function", "goto", "if", "in",
    "local", "nil", "not", "or", "repeat", "return", "then", "true", "until", "while",
];

impl Completer for Names {
    type Candidate = Pair;
    fn complete(
        &self,
        line: &str,
        pos: usize,
        _: &rustyline::Context<'_>,
    ) -> rustyline::Result<(usize, Vec<Pair>)> {
        // SAFETY: [NATIVE-FRAME] the main function is waiting for a line.
        let cx = unsafe { Ctx::new(self.l) };
        let (start, path, prefix) = split_path(&line[..pos]);
        let found = RefCell::new(Vec::<(String, bool)>::new());
        let add = |name: &[u8], callable: bool| {
            if let Ok(s) = std::str::from_utf8(name)
                && s.starts_with(prefix)
                && is_name(s)
            {
                found.borrow_mut().push((s.into(), callable));
            }
        };
        let methods = path.last().is_some_and(|(_, sep)| *sep == ':');
        if let Some(v) = resolve(cx, &path) {
            each_field(cx, v, |name, value| {
                let callable = value.tag == Tag::FUNCTION;
                if callable || !methods {
                    add(name, callable);
                }
            });
        }
        if path.is_empty() {
            KEYWORDS.iter().for_each(|k| add(k.as_bytes(), false));
        }
        let mut found = found.into_inner();
        found.sort();
        found.dedup_by(|a, b| a.0 == b.0);
        let pairs = found
            .into_iter()
            .map(|(name, callable)| Pair {
                replacement: if callable {
                    format!("{name}(")
                } else {
                    name.clone()
                },
                display: name,
            })
            .collect();
        Ok((start, pairs))
    }
}

fn is_name(s: &str) -> bool {
    let mut b = s.bytes();
    b.next()
        .is_some_and(|c| c.is_ascii_alphabetic() || c == b'_')
        && b.all(|c| c.is_ascii_alphanumeric() || c == b'_')
}

/// Takes `a.b:c` at the end of the text apart: where `c` starts, the names before it with the separators that follow
/// them, and `c`.
fn split_path(text: &str) -> (usize, Vec<(&str, char)>, &str) {
    let part = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b':');
    let from = text.bytes().rposition(|b| !part(b)).map_or(0, |i| i + 1);
    let mut path = Vec::new();
    let mut start = from;
    for (i, c) in text[from..].char_indices() {
        if c == '.' || c == ':' {
            path.push((&text[start..from + i], c));
            start = from + i + 1;
        }
    }
    (start, path, &text[start..])
}

/// Raw field of a table, or of what its metatable's `__index` leads to.
fn field(cx: Ctx, v: Value, name: &str) -> Value {
    let mut found = Value::NIL;
    each_table(cx, v, |t| {
        if found.is_nil() {
            found = cx.raw_get_field(t, name);
        }
    });
    found
}

/// The value that the names lead to, by raw accesses from the globals.
fn resolve(cx: Ctx, path: &[(&str, char)]) -> Option<Value> {
    let mut v = Value::ptr(cx.globals(), Tag::TABLE);
    for (name, _) in path {
        v = field(cx, v, name);
        if v.is_nil() {
            return None;
        }
    }
    Some(v)
}

/// Visits the tables where a field of `v` is looked for.
fn each_table(cx: Ctx, mut v: Value, mut visit: impl FnMut(*mut Table)) {
    for _ in 0..16 {
        if v.tag == Tag::TABLE {
            visit(v.as_ptr());
        }
        v = cx.metafield(v, "__index");
        if v.tag != Tag::TABLE {
            return;
        }
    }
}

/// Visits the string-keyed fields that `v` has or inherits.
fn each_field(cx: Ctx, v: Value, mut visit: impl FnMut(&[u8], Value)) {
    each_table(cx, v, |t| {
        let mut key = Value::NIL;
        // SAFETY: [GC-LIVE] reachable from the globals; nothing runs meanwhile.
        while let Ok(Some((k, value, hint))) = unsafe { table::table_next(t, key, key.aux) } {
            if k.tag == Tag::STRING {
                visit(cx.bytes(k), value);
            }
            key = k;
            key.aux = hint;
        }
    });
}

#[cfg(test)]
mod tests {
    use super::{is_name, split_path};

    #[test]
    fn paths() {
        assert_eq!(split_path("x = str"), (4, vec![], "str"));
        assert_eq!(split_path("f(string.f"), (9, vec![("string", '.')], "f"));
        assert_eq!(split_path("a.b:"), (4, vec![("a", '.'), ("b", ':')], ""));
        assert_eq!(split_path(""), (0, vec![], ""));
        assert_eq!(split_path("é.x"), (3, vec![("", '.')], "x"));
    }

    #[test]
    fn names() {
        assert!(is_name("_a1") && !is_name("1a") && !is_name("") && !is_name("a-b"));
    }
}
