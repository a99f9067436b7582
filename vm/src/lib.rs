//! The virtual machine: state, strings, tables, calls, errors, coroutines, and the slow path of every
//! instruction. The fast paths are emitted at build time by `vm/interp`.
//!
//! See `docs/ARCHITECTURE.md`; frames are described in `base::frame`, object layouts in `base::objects`.

pub mod arith;
pub mod dict;
pub mod number;
pub mod shape;
pub mod state;
pub mod string;
pub mod table;
pub mod call;
pub mod coroutine;
pub mod ctx;
pub mod dispatch;
pub mod exec;
pub mod fastfn;
pub mod dump;
pub mod helpers;
pub mod load;
pub mod verify;
pub mod throw;
pub mod debuginfo;
pub mod hooks;

pub use state::Global;
