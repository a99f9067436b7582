//! Golden listings: `golden/listing/*.lua` against `*.txt` beside them. `TRACEORUS_BLESS=1` rewrites.

use std::path::Path;

use traceorus_lang_common::listing::list;
use traceorus_lang_lua::compile;

#[test]
fn listings() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/listing");
    let bless = std::env::var_os("TRACEORUS_BLESS").is_some();
    let mut sources: Vec<_> = std::fs::read_dir(&dir)
        .expect("the golden directory")
        .flatten()
        .map(|e| e.path())
        .filter(|p| p.extension().is_some_and(|e| e == "lua"))
        .collect();
    sources.sort();
    assert!(sources.len() > 8);
    let mut wrong = String::new();
    for path in sources {
        let source = std::fs::read(&path).expect("readable");
        let chunk = compile(&source, b"=in").unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let got = list(&chunk);
        let golden = path.with_extension("txt");
        if bless {
            std::fs::write(&golden, &got).expect("writable");
            continue;
        }
        let expected = std::fs::read_to_string(&golden).unwrap_or_default();
        if got != expected {
            let at = got
                .lines()
                .zip(expected.lines())
                .position(|(a, b)| a != b)
                .unwrap_or(0);
            wrong += &format!("{}, from line {}:\n{got}\n", path.display(), at + 1);
        }
    }
    assert!(wrong.is_empty(), "{wrong}(TRACEORUS_BLESS=1 accepts these)");
}
