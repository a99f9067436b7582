//! traceorus-emit.
