//! The static library: everything is in `traceorus-capi`. It is a package of its own so that programs in Rust that use the API do not
//! build it.

pub use traceorus_capi::*;
