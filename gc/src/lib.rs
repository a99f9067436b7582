//! traceorus-gc.
