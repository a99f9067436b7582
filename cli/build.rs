//! Has the linker put the functions that most programs use next to each other: `layout.ld`, made by `layout.sh`. The system
//! maps code in pieces of 64 KiB and more, so this saves half a megabyte of resident memory.

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
        println!("cargo::rustc-link-arg-bins=-Wl,-T,{dir}/layout.ld");
        // the unwinder comes with the command, not as a library of its own to be mapped and relocated
        println!("cargo::rustc-link-lib=static=gcc_eh");
    }
}
