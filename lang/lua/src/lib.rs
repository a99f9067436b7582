//! The Lua 5.4 front end: source bytes to a [`Chunk`].
//!
//! ```text
//! bytes -- lexer --> tokens -- parser --> syntax tree of one function -- emit --> its bytecode
//!                                 |  scope: what names mean, what is captured, what is assigned
//! ```
//! Syntax, limits and messages are those of PUC Lua 5.4.8. The whole compiler is safe code, keeps no global state and
//! its native stack is bounded by the limit of 200 levels of nesting.
#![forbid(unsafe_code)]

mod ast;
mod emit;
mod fold;
mod lexer;
mod parser;
mod scope;
mod strings;
mod token;

use traceorus_base::chunk::{Chunk, Function, Sink, Stop, Strings, UpvalInfo};
pub use traceorus_lang_common::{SyntaxError, chunkid};

use parser::{Failure, Parser};
use traceorus_lang_common::Tree;

/// Levels of C calls that are in use when `lua` runs a script that calls `load`.
pub const DEFAULT_LEVELS: u32 = 2;

/// Why there is no chunk.
#[derive(Debug)]
pub enum Error {
    /// The program is wrong.
    Syntax(SyntaxError),
    /// The sink takes no more.
    Stopped,
}

/// Compiles a source. `chunkname` as for `load`: `@file`, `=name` or the source itself. A leading `#` line is the
/// loader's business.
pub fn compile(source: &[u8], chunkname: &[u8]) -> Result<Chunk, SyntaxError> {
    compile_nested(source, chunkname, DEFAULT_LEVELS)
}

/// As [`compile`], called at a depth of native calls (PUC's `nCcalls`) that counts against the 200 levels of nesting.
pub fn compile_nested(source: &[u8], chunkname: &[u8], levels: u32) -> Result<Chunk, SyntaxError> {
    let mut tree = Tree::default();
    let strings = match compile_into(source, chunkname, levels, &mut tree) {
        Ok(strings) => strings,
        Err(Error::Syntax(e)) => return Err(e),
        Err(Error::Stopped) => Strings::default(),
    };
    Ok(Chunk {
        source: chunkname.into(),
        strings,
        main: tree.finish().unwrap_or_default(),
    })
}

/// As [`compile_nested`], but each function is given to `sink` as soon as it is complete. The strings of the chunk.
#[cfg(not(debug_assertions))]
pub fn compile_into(
    source: &[u8],
    chunkname: &[u8],
    levels: u32,
    sink: &mut dyn Sink,
) -> Result<Strings, Error> {
    run(source, chunkname, levels, sink)
}

/// The same for debug builds, in which every chunk passes the checker.
#[cfg(debug_assertions)]
pub fn compile_into(
    source: &[u8],
    chunkname: &[u8],
    levels: u32,
    sink: &mut dyn Sink,
) -> Result<Strings, Error> {
    struct Both<'a>(Tree, &'a mut dyn Sink);
    impl Sink for Both<'_> {
        fn function(
            &mut self,
            strings: &Strings,
            f: &Function,
            nested: usize,
            captures: &[UpvalInfo],
        ) -> Result<(), Stop> {
            self.0.function(strings, f, nested, captures)?;
            self.1.function(strings, f, nested, captures)
        }
    }
    let mut both = Both(Tree::default(), sink);
    let strings = run(source, chunkname, levels, &mut both)?;
    let chunk = Chunk {
        source: chunkname.into(),
        strings,
        main: both.0.finish().unwrap_or_default(),
    };
    check(&chunk);
    Ok(chunk.strings)
}

fn run(
    source: &[u8],
    chunkname: &[u8],
    levels: u32,
    sink: &mut dyn Sink,
) -> Result<Strings, Error> {
    let mut p = Parser::new(source, chunkname, levels, None, sink);
    let trap = match p.chunk() {
        Ok(()) => return Ok(p.lex.strings.table),
        Err(Failure::Syntax(e)) => return Err(Error::Syntax(*e)),
        Err(Failure::Stopped) => return Err(Error::Stopped),
        Err(Failure::Frame(at)) => at,
    };
    // The second time only finds out where the parser is when it reads the expression that did not fit.
    let mut nowhere = Nowhere;
    let mut p = Parser::new(source, chunkname, levels, Some(trap), &mut nowhere);
    Err(Error::Syntax(match p.chunk() {
        Err(Failure::Syntax(e)) => *e,
        _ => *p.frame_error(),
    }))
}

/// Takes functions and forgets them.
struct Nowhere;

impl Sink for Nowhere {
    fn function(
        &mut self,
        _: &Strings,
        _: &Function,
        _: usize,
        _: &[UpvalInfo],
    ) -> Result<(), Stop> {
        Ok(())
    }
}

#[cfg(debug_assertions)]
fn check(chunk: &Chunk) {
    // Large ones are generated programs that the tests check once.
    if chunk.main.code.len() > 200_000 {
        return;
    }
    if let Err(e) = traceorus_lang_common::chunk_check(chunk) {
        panic!(
            "the compiler made a wrong chunk of {}: {e}",
            String::from_utf8_lossy(&chunkid(&chunk.source))
        );
    }
}
