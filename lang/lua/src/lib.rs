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

use traceorus_base::chunk::Chunk;
pub use traceorus_lang_common::{SyntaxError, chunkid};

use parser::{Failure, Parser, Trap};

/// Levels of C calls that are in use when `lua` runs a script that calls `load`.
pub const DEFAULT_LEVELS: u32 = 2;

/// Compiles a source. `chunkname` as for `load`: `@file`, `=name` or the source itself. A leading `#` line is the
/// loader's business.
pub fn compile(source: &[u8], chunkname: &[u8]) -> Result<Chunk, SyntaxError> {
    compile_nested(source, chunkname, DEFAULT_LEVELS)
}

/// As [`compile`], called at a depth of native calls (PUC's `nCcalls`) that counts against the 200 levels of nesting.
pub fn compile_nested(source: &[u8], chunkname: &[u8], levels: u32) -> Result<Chunk, SyntaxError> {
    let mut trap: Option<Trap> = None;
    loop {
        let mut p = Parser::new(source, chunkname, levels, trap);
        match p.chunk(chunkname) {
            Ok(chunk) => {
                #[cfg(debug_assertions)]
                check(&chunk);
                return Ok(chunk);
            }
            Err(Failure::Syntax(e)) => return Err(*e),
            Err(Failure::Frame(at)) if trap.is_none() => trap = Some(at),
            Err(Failure::Frame(_)) => return Err(*p.frame_error()),
        }
    }
}

/// Every chunk made by a debug build passes the checker.
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
