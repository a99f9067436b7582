//! traceorus-lang-lua.
