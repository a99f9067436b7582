//! Traceorus: Lua 5.4 for Rust programs.
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
    AnyUserData, MetaMethod, UserData, UserDataFields, UserDataMethods, UserDataRef, UserDataRefMut,
    UserDataRegistry,
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
