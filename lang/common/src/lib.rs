//! What the front ends of Traceorus share: naming sources, building functions of bytecode,
//! checking and listing them. Depends on `traceorus-base` alone; nothing here knows a grammar.
//!
//! | module | what |
//! |---|---|
//! | [`source`] | display names of chunks, syntax errors |
//! | [`builder`] | code, registers, labels, constants and debug information of one function |
//! | [`check`] | abstract interpretation of finished code: operands, jumps, live registers |
//! | [`tree`] | functions as they are made to a chunk |
//! | [`listing`] | annotated bytecode as text |
#![forbid(unsafe_code)]

pub mod builder;
pub mod check;
pub mod listing;
pub mod source;
pub mod tree;

pub use check::chunk_check;
pub use source::{SyntaxError, chunkid};
pub use tree::Tree;
