//! traceorus-vm.
