//! traceorus-lang-common.
