//! The crates may depend on each other only along the edges that the layout allows, and packages that bring unsafe code
//! or platform knowledge only appear where they belong.
//!
//! `asm` and `base` stand alone; `base -> gc -> vm`, `base -> lang/common -> lang/lua`, `vm -> stdlib`,
//! `base, asm -> vm/interp -> vm` (the last one when building only); the root package takes all of them,
//! `capi` and `cli` the root (A -> B: B depends on A).

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;

/// A dependency in a manifest: `crate -> what`, for a normal or a build dependency.
type Edge = (String, String, bool);

/// Crate, its allowed normal dependencies in the workspace, and those of its build script.
const ALLOWED: [(&str, &[&str], &[&str]); 14] = [
    ("traceorus-base", &[], &[]),
    ("traceorus-asm", &[], &[]),
    ("traceorus-gc", &["base"], &[]),
    // gc is not below `interp`, so the build script needs only what the interpreter is made of
    ("traceorus-vm", &["base", "gc"], &["interp", "base"]),
    ("traceorus-interp", &["base", "asm"], &[]),
    ("traceorus-lang-common", &["base"], &[]),
    ("traceorus-lang-lua", &["base", "lang-common"], &[]),
    ("traceorus-stdlib", &["base", "vm", "gc"], &[]),
    ("traceorus-trace", &["base", "asm", "gc", "vm"], &[]),
    (
        "traceorus",
        &[
            "base",
            "asm",
            "gc",
            "vm",
            "interp",
            "lang-common",
            "lang-lua",
            "stdlib",
            "trace",
        ],
        &[],
    ),
    // the listing of bytecode for --dump comes from lang/common
    ("traceorus-cli", &["traceorus", "capi", "lang-common"], &[]),
    (
        "traceorus-capi",
        &["traceorus", "base", "gc", "vm", "stdlib"],
        &[],
    ),
    // the same as a library for C
    ("traceorus-clib", &["capi"], &[]),
    ("traceorus-bench", &["traceorus"], &[]),
];

/// Package, and the crates that may use it.
const CONFINED: [(&str, &[&str]); 9] = [
    ("dynasm", &["asm"]),
    ("dynasmrt", &["asm"]),
    ("region", &["asm", "gc"]),
    // base: the mathematical library; vm: the intern table's array; trace: what jitdump wants; bench and cli: processes and signals
    (
        "libc",
        &[
            "base", "asm", "gc", "vm", "stdlib", "trace", "capi", "cli", "bench",
        ],
    ),
    // dumps, debuggers, the log
    ("iced-x86", &["trace"]),
    ("object", &["trace"]),
    ("tracing", &["trace"]),
    ("tracing-subscriber", &["cli"]),
    ("rustyline", &["cli"]),
];

fn full(name: &str) -> String {
    if name.starts_with("traceorus") {
        name.into()
    } else {
        format!("traceorus-{name}")
    }
}

/// Edges of all manifests of the workspace, and its packages.
fn manifests() -> (Vec<Edge>, BTreeSet<String>) {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let out = Command::new(cargo)
        .args(["metadata", "--no-deps", "--format-version", "1"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    assert!(
        out.status.success(),
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
    let meta: Value = serde_json::from_slice(&out.stdout).expect("JSON");
    let (mut edges, mut packages) = (Vec::new(), BTreeSet::new());
    for p in meta["packages"].as_array().expect("packages") {
        let name = p["name"].as_str().expect("a name");
        packages.insert(name.to_string());
        for d in p["dependencies"].as_array().expect("dependencies") {
            let to = d["name"].as_str().expect("a name").to_string();
            match d["kind"].as_str() {
                Some("dev") => {}
                kind => edges.push((name.to_string(), to, kind == Some("build"))),
            }
        }
    }
    (edges, packages)
}

/// What is not allowed, in words.
fn violations(edges: &[Edge], packages: &BTreeSet<String>) -> Vec<String> {
    let mut bad = Vec::new();
    for p in packages {
        if !ALLOWED.iter().any(|(n, ..)| n == p) {
            bad.push(format!("{p} has no row here: say what it may depend on"));
        }
    }
    for (from, to, build) in edges {
        let kind = if *build { " (build)" } else { "" };
        if packages.contains(to) {
            let row = ALLOWED.iter().find(|(n, ..)| n == from);
            let allowed = row.map_or(
                &[][..],
                |(_, normal, at_build)| if *build { at_build } else { normal },
            );
            if !allowed.iter().any(|a| full(a) == *to) {
                bad.push(format!("{from} -> {to}{kind}"));
            }
        }
        if let Some((_, users)) = CONFINED.iter().find(|(n, _)| n == to)
            && !users.iter().any(|u| full(u) == *from)
        {
            bad.push(format!("{from} -> {to}{kind}: only for {users:?}"));
        }
    }
    bad
}

#[test]
fn only_the_allowed_edges() {
    let (edges, packages) = manifests();
    let bad = violations(&edges, &packages);
    assert!(
        bad.is_empty(),
        "dependencies against the layout:\n{}",
        bad.join("\n")
    );
    // the reading of the manifests sees what must be there
    let has = |a: &str, b: &str, build| edges.contains(&(a.to_string(), b.to_string(), build));
    assert!(has("traceorus-gc", "traceorus-base", false));
    assert!(has("traceorus-vm", "traceorus-interp", true));
    assert!(has("traceorus-asm", "dynasm", false));
}

#[test]
fn a_wrong_edge_is_seen() {
    let (_, packages) = manifests();
    let with =
        |from: &str, to: &str, build| violations(&[(from.into(), to.into(), build)], &packages);
    assert_eq!(with("traceorus-gc", "traceorus-base", false), [""; 0]);
    assert_eq!(
        with("traceorus-gc", "traceorus-vm", false),
        ["traceorus-gc -> traceorus-vm"]
    );
    assert_eq!(with("traceorus-vm", "traceorus-interp", true), [""; 0]);
    assert_eq!(with("traceorus-vm", "traceorus-interp", false).len(), 1);
    assert_eq!(
        with("traceorus-base", "traceorus-gc", true),
        ["traceorus-base -> traceorus-gc (build)"]
    );
    assert_eq!(with("traceorus", "traceorus-cli", false).len(), 1);
    assert_eq!(with("traceorus-interp", "dynasm", false).len(), 1);
    assert_eq!(with("traceorus-new", "traceorus-base", false).len(), 1);
    let more = packages
        .iter()
        .cloned()
        .chain(["traceorus-new".to_string()])
        .collect();
    assert_eq!(violations(&[], &more).len(), 1);
}
