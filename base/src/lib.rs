//! Tables and layouts that every other crate of Traceorus agrees on: value encoding, object layouts,
//! bytecode table, metamethod names, frame words and the front ends' output ([`chunk`]).
//!
//! Tables here, logic elsewhere: nothing in this crate allocates from the collected heap or runs code.
//! See `docs/ARCHITECTURE.md` for the map.

pub mod bytecode;
pub mod chunk;
pub mod chunkid;
pub mod cmath;
pub mod fastfn;
pub mod frame;
pub mod meta;
pub mod number;
pub mod objects;
pub mod params;
pub mod value;

pub use value::{Tag, Value};

/// Version of the Lua language that the runtime implements, as `_VERSION` shows it.
pub const LUA_VERSION: &str = "Lua 5.4";
