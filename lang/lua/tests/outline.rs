//! What debuggers see of each function against PUC Lua 5.4.8: the sequence of lines in code order, names of local
//! variables, upvalues. `golden/listing/*.puc` were made from `string.dump`'s output.

use std::fmt::Write;
use std::path::Path;

use traceorus_base::chunk::{Function, StrNum, Strings};
use traceorus_lang_lua::compile;

fn outline(f: &Function, strings: &Strings, out: &mut String) {
    let name = |n: StrNum| String::from_utf8_lossy(strings.name(n)).into_owned();
    let join = |items: Vec<String>, by: &str| items.join(by);
    let mut lines: Vec<u32> = f.instructions().map(|(pc, _)| f.lines[pc]).collect();
    lines.dedup();
    let lines = join(lines.iter().map(u32::to_string).collect(), " ");
    let locals = join(f.locvars.iter().map(|v| name(v.name)).collect(), ",");
    let upvals = f
        .upvals
        .iter()
        .map(|u| format!("{}/{}/{}", name(u.name), u8::from(u.in_stack), u.attrib));
    let upvals = join(upvals.collect(), ",");
    let vararg = u8::from(f.is_vararg);
    writeln!(
        out,
        "function {} {} params {} vararg {vararg}\n  lines {lines}\n  locals {locals}\n  upvalues {upvals}",
        f.line_defined, f.last_line_defined, f.nparams
    )
    .expect("writing to a string");
    f.functions.iter().for_each(|f| outline(f, strings, out));
}

#[test]
fn outlines_equal_puc() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/listing");
    let mut compared = 0;
    for path in std::fs::read_dir(dir)
        .expect("the golden directory")
        .flatten()
        .map(|e| e.path())
    {
        if path.extension().is_none_or(|e| e != "lua") {
            continue;
        }
        let source = std::fs::read(&path).expect("readable");
        let chunk = compile(&source, b"=in").unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let mut got = String::new();
        outline(&chunk.main, &chunk.strings, &mut got);
        let expected = std::fs::read_to_string(path.with_extension("puc")).expect("readable");
        for (g, e) in got.lines().zip(expected.lines()) {
            assert_eq!(g.trim_end(), e.trim_end(), "{}", path.display());
        }
        assert_eq!(
            got.lines().count(),
            expected.lines().count(),
            "{}",
            path.display()
        );
        compared += 1;
    }
    assert!(compared > 8);
}
