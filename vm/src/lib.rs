//! The virtual machine: state, strings, tables, calls, errors, coroutines, and the slow path of every
//! instruction. The fast paths are emitted at build time by `vm/interp`.
//!
//! See `docs/ARCHITECTURE.md`; frames are described in `base::frame`, object layouts in `base::objects`.

pub mod arith;
pub mod body;
pub mod call;
pub mod ccall;
pub mod cfunc;
pub mod convert;
pub mod coroutine;
pub mod ctx;
pub mod debuginfo;
pub mod dict;
pub mod digest;
pub mod dispatch;
pub mod dump;
pub mod exec;
pub mod fastfn;
pub mod helpers;
pub mod hooks;
pub mod jithooks;
pub mod load;
pub mod number;
pub mod packing;
pub mod pattern;
pub mod pieces;
pub mod random;
pub mod refs;
pub mod repeat;
pub mod shape;
pub mod state;
pub mod string;
pub mod table;
pub mod throw;
pub mod utf8;
pub mod verify;

pub use state::Global;
