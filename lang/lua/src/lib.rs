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

use parser::{Failure, Parser, Space};
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
    let (done, space) = run(source, chunkname, levels, Space::default(), &mut tree);
    if let Err(Error::Syntax(e)) = done {
        return Err(e);
    }
    Ok(Chunk {
        source: chunkname.into(),
        strings: space.strings.table,
        main: tree.finish().unwrap_or_default(),
    })
}

/// Memory that one compilation after the other uses: allocating it takes as long as compiling a short source.
#[derive(Default)]
pub struct Workspace(Option<Space>);

/// Longer sources have memory of their own, so that what is kept remains small.
const SHORT: usize = 1024;

/// As [`compile_nested`], but each function is given to `sink` as soon as it is complete.
pub fn compile_into(
    source: &[u8],
    chunkname: &[u8],
    levels: u32,
    workspace: &mut Workspace,
    sink: &mut dyn Sink,
) -> Result<(), Error> {
    let short = source.len() <= SHORT;
    let kept = workspace.0.take_if(|_| short).unwrap_or_default();
    let (done, space) = run(source, chunkname, levels, kept, sink);
    if short {
        workspace.0 = Some(space);
    }
    done
}

#[cfg(not(debug_assertions))]
use parse as run;

/// As [`parse`], but every chunk passes the checker.
#[cfg(debug_assertions)]
fn run(
    source: &[u8],
    chunkname: &[u8],
    levels: u32,
    space: Space,
    sink: &mut dyn Sink,
) -> (Result<(), Error>, Space) {
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
    let (done, space) = parse(source, chunkname, levels, space, &mut both);
    if done.is_ok() {
        check(&Chunk {
            source: chunkname.into(),
            strings: space.strings.table.clone(),
            main: both.0.finish().unwrap_or_default(),
        });
    }
    (done, space)
}

/// Gives the functions of a source to `sink`. The space comes back with the strings.
fn parse(
    source: &[u8],
    chunkname: &[u8],
    levels: u32,
    space: Space,
    sink: &mut dyn Sink,
) -> (Result<(), Error>, Space) {
    let mut p = Parser::new(source, chunkname, levels, None, space, sink);
    let done = p.chunk();
    let space = p.into_space();
    let trap = match done {
        Ok(()) => return (Ok(()), space),
        Err(Failure::Syntax(e)) => return (Err(Error::Syntax(*e)), space),
        Err(Failure::Stopped) => return (Err(Error::Stopped), space),
        Err(Failure::Frame(at)) => at,
    };
    // The second time only finds out where the parser is when it reads the expression that did not fit.
    let mut nowhere = Nowhere;
    let trap = Some(trap);
    let mut p = Parser::new(source, chunkname, levels, trap, space, &mut nowhere);
    let error = match p.chunk() {
        Err(Failure::Syntax(e)) => *e,
        _ => *p.frame_error(),
    };
    (Err(Error::Syntax(error)), p.into_space())
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
