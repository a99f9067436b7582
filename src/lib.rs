//! Traceorus facade.
