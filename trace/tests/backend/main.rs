//! The back end of the trace compiler: IR built by hand is assembled and run in a frame like the interpreter's.

#![cfg(target_arch = "x86_64")]

mod harness;
mod loops;
mod ops;
mod random;
mod runtime;
