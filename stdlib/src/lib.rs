//! traceorus-stdlib.
