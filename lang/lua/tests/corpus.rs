//! Every Lua file at hand compiles to code that passes the checker, and damaged files end in an error, never in a
//! panic. Further directories (the official test suite, say) can be named in `TRACEORUS_CORPUS`, separated by `:`.

use std::path::{Path, PathBuf};

use traceorus_lang_common::{chunk_check, listing};
use traceorus_lang_lua::compile;

fn collect(dir: &Path, out: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(dir) else {
        return;
    };
    for path in entries.flatten().map(|e| e.path()) {
        if path.is_dir() {
            collect(&path, out);
        } else if path.extension().is_some_and(|e| e == "lua") {
            out.push(path);
        }
    }
}

fn corpus() -> Vec<(PathBuf, Vec<u8>)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut files = Vec::new();
    for dir in ["bench/programs", "tests", "examples", "lang/lua/tests"] {
        collect(&root.join(dir), &mut files);
    }
    if let Some(more) = std::env::var_os("TRACEORUS_CORPUS") {
        std::env::split_paths(&more).for_each(|dir| collect(&dir, &mut files));
    }
    files.sort();
    let read = |p: PathBuf| {
        let mut text = std::fs::read(&p).unwrap_or_else(|e| panic!("{}: {e}", p.display()));
        // The loader skips a first line that starts with `#`.
        if text.first() == Some(&b'#') {
            let end = text.iter().position(|&c| c == b'\n').unwrap_or(text.len());
            text.drain(..end);
        }
        (p, text)
    };
    files.into_iter().map(read).collect()
}

#[test]
fn files_compile() {
    let files = corpus();
    assert!(files.len() > 20, "only {} files", files.len());
    for (path, text) in files {
        // Scripts that are wrong on purpose start with a comment that says so.
        if text.starts_with(b"-- syntax error") {
            continue;
        }
        let chunk = compile(&text, b"=in").unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        chunk_check(&chunk).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        assert!(!listing::list(&chunk).is_empty());
    }
}

/// xorshift64*
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % n.max(1)
    }
}

const SNIPPETS: &[&str] = &[
    " end ",
    " then ",
    " do ",
    "(",
    ")",
    "{",
    "}",
    ",",
    "=",
    " local x <close> = ",
    " local x <const> = 1 ",
    "::l::",
    " goto l ",
    " break ",
    " return ",
    " function f() ",
    " function() return x end ",
    " for i = 1, 2 do ",
    " while x do ",
    " repeat ",
    " until ",
    " and ",
    " or ",
    " not ",
    " == ",
    " .. ",
    "...",
    "x",
    "1",
    "'",
    "\"",
    "[[",
    "--",
    "\\",
    "\0",
    " nil ",
    " x = ",
    " if x then ",
    " else ",
    ":",
    ".",
    "[",
    "]",
    ";",
    " elseif ",
    " in ",
    "~",
    "//",
    "2^53",
    "\n",
    "\u{e9}",
];

#[test]
fn damaged_files_end_in_errors() {
    let files: Vec<_> = corpus()
        .into_iter()
        .filter(|(_, t)| t.len() < 40_000)
        .collect();
    let mut random = Random(0x1234_5678_9abc_def1);
    let rounds = if std::env::var_os("TRACEORUS_LONG").is_some() {
        100_000
    } else {
        1500
    };
    for _ in 0..rounds {
        let (_, text) = &files[random.below(files.len())];
        // A piece of it, so that short programs are common; then a few random edits at line ends and elsewhere.
        let start = random.below(text.len() + 1);
        let mut text = text[start..(start + random.below(3000)).min(text.len())].to_vec();
        if let Some(line) = text.iter().position(|&c| c == b'\n') {
            text.drain(..line);
        }
        for _ in 0..random.below(6) {
            let at = random.below(text.len() + 1);
            match random.below(3) {
                0 => {
                    let end = (at + random.below(20)).min(text.len());
                    text.drain(at..end);
                }
                1 => {
                    let s = SNIPPETS[random.below(SNIPPETS.len())];
                    text.splice(at..at, s.bytes());
                }
                _ => {
                    let from = random.below(text.len() + 1);
                    let piece = text[from..(from + random.below(60)).min(text.len())].to_vec();
                    text.splice(at..at, piece);
                }
            }
        }
        check(&text);
    }
}

/// Programs made of the snippets alone find other corners.
#[test]
fn token_soup() {
    let mut random = Random(0xfeed_5eed_0000_0001);
    let rounds = if std::env::var_os("TRACEORUS_LONG").is_some() {
        1_000_000
    } else {
        20_000
    };
    for _ in 0..rounds {
        let text: String = (0..random.below(40))
            .map(|_| SNIPPETS[random.below(SNIPPETS.len())])
            .collect();
        check(text.as_bytes());
    }
}

fn check(text: &[u8]) {
    match compile(text, b"=in") {
        Ok(chunk) => {
            if let Err(e) = chunk_check(&chunk) {
                panic!("{e}\n{}", String::from_utf8_lossy(text));
            }
        }
        Err(e) => assert!(e.overflow || e.message.starts_with(b"in:"), "{e}"),
    }
}
