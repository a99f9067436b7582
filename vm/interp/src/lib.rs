//! traceorus-interp.
