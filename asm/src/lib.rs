//! traceorus-asm.
