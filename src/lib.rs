//! Traceorus: Lua 5.4 for Rust programs.
//!
//! ```
//! use traceorus::{Error, Lua};
//!
//! let lua = Lua::new();
//! // values in and out
//! lua.globals().set("limit", 10)?;
//! let sum: i64 = lua.load("local s = 0 for i = 1, limit do s = s + i end return s").eval()?;
//! assert_eq!(sum, 55);
//! // a Rust function for Lua
//! lua.register("shout", |_, s: String| Ok(s.to_uppercase()))?;
//! // a Lua function for Rust
//! let f = lua.load("local a, b = ... return shout(a), b * 2").into_function()?;
//! let (text, n): (String, f64) = f.call(("hello", 1.5))?;
//! assert_eq!((text.as_str(), n), ("HELLO", 3.0));
//! // errors are values of Rust
//! let e = lua.load("error('no luck')").set_name("=example").exec().unwrap_err();
//! assert_eq!(e.message(), "example:1: no luck");
//! # Ok::<(), Error>(())
//! ```
//!
//! | to | see |
//! |---|---|
//! | run code, with its own globals, from files, binary | [`Lua::load`], [`Chunk`] |
//! | hold values | [`Value`], [`LuaString`], [`Table`], [`Function`], [`Thread`], [`AnyUserData`], [`RegistryKey`] |
//! | convert | [`FromLua`], [`IntoLua`], for lists [`FromLuaMulti`], [`IntoLuaMulti`], [`MultiValue`], [`Variadic`] |
//! | let Lua call Rust | [`Lua::create_function`], [`Lua::register`], [`UserData`], [`Lua::scope`] |
//! | handle errors | [`Error`], [`ErrorKind`], [`ErrorContext`], [`ExternalResult`] |
//! | run untrusted code | [`Lua::builder`], [`StdLib`], [`Chunk::set_environment`], [`InterruptHandle`], [`HookTriggers`] |
//! | provide modules | [`Lua::register_module`], [`Lua::preload_module`], [`Lua::add_searcher`] |
//! | keep data of the host | [`Lua::set_app_data`], [`Lua::set_named_registry_value`] |
//!
//! Names and behaviour are those of the crate `mlua` where both have the same thing. What differs: [`Error`] is a structure with an [`ErrorKind`], errors of
//! Lua code keep the value that was raised ([`Error::value`]), the `debug` library is opened by [`Builder::unsafe_libraries`], bytes that are
//! to be a string are [`Bytes`]. There is no `async` yet.
//!
//! # How it works
//!
//! * A handle is a number: a slot in an array of roots (`vm::refs`). Making, cloning and dropping one takes a few instructions, at any time,
//!   also while panicking and after its state.
//! * [`Lua`] values (and guards that borrow from the state) are owners; with the last one the state is closed. Handles only keep what is left of it,
//!   which says that it is closed.
//! * A Rust function is a native function with an entry point of its own type, which reads arguments from the Lua stack and pushes results. Nothing
//!   is allocated for a call, and no table is looked up.
//! * A Rust value in a userdata lies in the userdata's block, behind a count of its borrows. Its type is certain because the block's owner is noted where
//!   Lua code cannot change it, not by the metatable.
//! * Errors return as `Result` through Rust frames, never over them. A panic in a Rust function goes through Lua code as an error that nothing there can
//!   catch, closing variables on its way, and goes on as a panic where Rust code had called Lua.
//! * Lua code runs with traces as in the command: `TRACEORUS_JIT` and the other variables count unless [`Builder::environment`] says no.
//!
//! The parts are crates of their own: `base` (layouts, bytecode), `gc`, `vm` (with the interpreter that `vm/interp`
//! generates), `trace`, `lang/lua` (front end), `stdlib`. This crate wires them together.

mod app_data;
mod builder;
mod callback;
mod chunk;
mod convert;
mod engine;
mod error;
mod function;
mod gc;
mod hook;
mod jitlib;
mod limits;
mod lua;
mod registry;
mod scope;
mod state;
mod string;
mod table;
mod thread;
mod userdata;
mod value;

pub use app_data::{AppDataRef, AppDataRefMut};
pub use builder::{Builder, StdLib};
pub use chunk::{AsChunk, Chunk, ChunkMode};
pub use convert::{Bytes, FromLua, FromLuaMulti, IntoLua, IntoLuaMulti, MultiValue, Variadic};
pub use error::{Error, ErrorContext, ErrorKind, ExternalError, ExternalResult, Result};
pub use function::{Function, FunctionInfo};
pub use gc::GCMode;
pub use hook::{Debug, DebugEvent, HookTriggers};
pub use limits::InterruptHandle;
pub use lua::{Lua, WeakLua};
pub use registry::RegistryKey;
pub use scope::Scope;
pub use string::{BorrowedBytes, BorrowedStr, LuaString};
pub use table::{Table, TablePairs, TableSequence};
pub use thread::{Thread, ThreadStatus};
pub use userdata::{
    AnyUserData, MetaMethod, UserData, UserDataFields, UserDataMethods, UserDataRef,
    UserDataRefMut, UserDataRegistry,
};
pub use value::{LightUserData, Value};

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
