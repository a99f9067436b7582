//! traceorus-base.
