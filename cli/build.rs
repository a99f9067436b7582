//! Links the command for little resident memory: see `docs/decisions/0010-linked-for-little-memory.md`. And makes it export the C API
//! to modules that it loads: each function of `capi/exports.txt` is kept by a table in `src/exports.rs` and in the table of dynamic symbols.

use std::fmt::Write as _;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=layout.ld");
    println!("cargo::rerun-if-env-changed=TRACEORUS_NO_LAYOUT");
    let var = |name| std::env::var(name).unwrap_or_default();
    let dir = var("CARGO_MANIFEST_DIR");
    if var("TARGET") == "x86_64-unknown-linux-gnu"
        && var("PROFILE") == "release"
        && var("TRACEORUS_NO_LAYOUT").is_empty()
    {
        // what programs use lies together: the system maps files in pieces of 64 KiB
        println!("cargo::rustc-link-arg-bins=-Wl,-T,{dir}/layout.ld");
        // at a fixed address, so that no page is written to relocate it
        println!("cargo::rustc-link-arg-bins=-no-pie");
        // the unwinder comes with the command, not as a library of its own to be mapped and relocated
        println!("cargo::rustc-link-lib=static=gcc_eh");
    }
    exports(&format!("{dir}/../capi/exports.txt"), &var("OUT_DIR"));
}

/// Exports the functions listed in the file, and writes the table that refers to them.
fn exports(list: &str, out: &str) {
    println!("cargo::rerun-if-changed={list}");
    let names = std::fs::read_to_string(list).expect("the list of exports");
    let names: Vec<&str> = names.lines().collect();
    let mut declared = String::from("unsafe extern \"C\" {\n");
    for name in &names {
        println!("cargo::rustc-link-arg-bins=-Wl,--export-dynamic-symbol={name}");
        writeln!(declared, "    static {name}: u8;").expect("a string takes all");
    }
    declared.push_str("}\n");
    let mut table = format!("[Address; {}] = [\n", names.len());
    for name in &names {
        writeln!(table, "    Address(&raw const {name}),").expect("a string takes all");
    }
    let text = format!("{declared}#[used]\nstatic EXPORTS: {table}];\n");
    std::fs::write(format!("{out}/exports.rs"), text).expect("the output folder");
}
