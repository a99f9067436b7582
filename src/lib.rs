//! Traceorus: Lua 5.4 for Rust programs.
//!
//! ```
//! use traceorus::{Runtime, Value};
//!
//! let lua = Runtime::new();
//! // values in and out
//! lua.set("limit", 10)?;
//! let sum: i64 = lua.eval("local s = 0 for i = 1, limit do s = s + i end return s")?;
//! assert_eq!(sum, 55);
//! // a Rust function for Lua
//! lua.register("shout", |s: String| s.to_uppercase())?;
//! // a Lua function for Rust
//! let f = lua.load("local a, b = ... return shout(a), b * 2", "=example")?;
//! let (text, n): (String, f64) = f.call(("hello", 1.5))?;
//! assert_eq!((text.as_str(), n), ("HELLO", 3.0));
//! // errors are values of Rust
//! let e = lua.eval::<Value>("error('no luck')").unwrap_err();
//! assert_eq!(e.message(), "eval:1: no luck");
//! # Ok::<(), traceorus::Error>(())
//! ```
//!
//! Untrusted code runs with fewer libraries and under limits:
//!
//! ```
//! use std::time::Duration;
//! use traceorus::{ErrorKind, Libraries, Runtime, Value};
//!
//! let lua = Runtime::builder()
//!     .libraries(Libraries::PURE)
//!     .memory_limit(16 << 20)
//!     .time_limit(Duration::from_secs(1))
//!     .build();
//! let e = lua.eval::<Value>("while true do end").unwrap_err();
//! assert!(e.message().ends_with("time limit exceeded"));
//! let e = lua.eval::<Value>("local s = 'x' while true do s = s .. s end").unwrap_err();
//! assert_eq!(e.kind(), ErrorKind::Memory);
//! ```
//!
//! The parts are crates of their own: `base` (layouts, bytecode), `gc`, `vm` (with the interpreter that `vm/interp`
//! generates), `lang/lua` (front end), `stdlib`. This crate wires them together.

mod engine;
mod error;
mod handle;
mod jitlib;
mod runtime;
#[cfg(test)]
mod tests;
mod value;

pub use error::{Error, ErrorKind, Result};
pub use handle::{Function, Other, Table};
pub use runtime::{Builder, InterruptHandle, Libraries, Runtime};
pub use value::{FromValue, FromValues, IntoReturn, IntoValue, IntoValues, Mismatch, Value};

/// The parts, for programs that are built on the virtual machine itself, as the command line is. No stability.
#[doc(hidden)]
pub mod raw {
    pub use crate::engine::{Observer, new_state, open_libs, traceback};
    pub use traceorus_base as base;
    pub use traceorus_gc as gc;
    pub use traceorus_stdlib as stdlib;
    pub use traceorus_trace as trace;
    pub use traceorus_vm as vm;
}
