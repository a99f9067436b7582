//! Links the command for little resident memory: see `docs/decisions/0010-linked-for-little-memory.md`.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=layout.ld");
    println!("cargo::rerun-if-env-changed=TRACEORUS_NO_LAYOUT");
    let var = |name| std::env::var(name).unwrap_or_default();
    if var("TARGET") == "x86_64-unknown-linux-gnu"
        && var("PROFILE") == "release"
        && var("TRACEORUS_NO_LAYOUT").is_empty()
    {
        let dir = var("CARGO_MANIFEST_DIR");
        // what programs use lies together: the system maps files in pieces of 64 KiB
        println!("cargo::rustc-link-arg-bins=-Wl,-T,{dir}/layout.ld");
        // at a fixed address, so that no page is written to relocate it
        println!("cargo::rustc-link-arg-bins=-no-pie");
        // the unwinder comes with the command, not as a library of its own to be mapped and relocated
        println!("cargo::rustc-link-lib=static=gcc_eh");
    }
}
