//! The trace compiler: hot loops and functions of the interpreter become machine code.
//!
//! ```text
//! vm: a counter runs out -> JitHooks::hot -> jit (policy) -> recording is switched on
//! vm: active region, before each bytecode -> JitHooks::record -> record (bytecode -> IR) -> opt::emit (fold, CSE, guards)
//! loop closed -> opt::finish (peeling, dead code, sinking) -> ra (registers, spills) -> lower (Masm) -> code memory -> patch
//! guard fails -> exit stub -> exit (restores the interpreter) -> counts -> side trace
//! ```
//! [`ir`] defines the intermediate representation; read its page first.

pub mod abort;
pub mod ir;
pub mod loc;
pub mod lower;
pub mod ra;
pub mod rt;
