//! Encoding tests: what a `Masm` emits against what an outside assembler makes of the expected text.
//!
//! A golden file holds one case per line: the text, a tab, the bytes. The bytes come from `llvm-mc` and never from this
//! crate; `TRACEORUS_BLESS=1 cargo test -p traceorus-asm` rewrites the files and is the only run that needs `llvm-mc`.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// One golden file while its test runs.
pub struct Golden {
    file: &'static str,
    llvm_args: &'static [&'static str],
    header: &'static str,
    cases: Vec<(String, Vec<u8>)>,
}

impl Golden {
    /// The file `tests/golden/<file>.txt`, assembled by `llvm-mc <llvm_args>` after the line `header`.
    pub fn new(
        file: &'static str,
        llvm_args: &'static [&'static str],
        header: &'static str,
    ) -> Golden {
        Golden {
            file,
            llvm_args,
            header,
            cases: Vec::new(),
        }
    }

    /// Claims that `bytes` is what `text` assembles to. Instructions are separated by `"; "`.
    pub fn case(&mut self, text: impl Into<String>, bytes: Vec<u8>) {
        self.cases.push((text.into(), bytes));
    }

    /// Compares all cases, and the file with the cases.
    pub fn finish(self) {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
            .join("tests/golden")
            .join(format!("{}.txt", self.file));
        if std::env::var_os("TRACEORUS_BLESS").is_some() {
            let texts: Vec<&str> = unique(self.cases.iter().map(|(t, _)| t.as_str()));
            let bytes = assemble(self.llvm_args, self.header, &texts);
            let mut out = String::new();
            for (text, bytes) in texts.iter().zip(bytes) {
                writeln!(out, "{text}\t{}", hex(&bytes)).unwrap();
            }
            std::fs::write(&path, out).expect("golden file is writable");
        }
        let content = std::fs::read_to_string(&path).unwrap_or_default();
        let golden: HashMap<&str, &str> = content
            .lines()
            .filter_map(|line| line.split_once('\t'))
            .collect();
        let mut failures = String::new();
        for (text, bytes) in &self.cases {
            let got = hex(bytes);
            match golden.get(text.as_str()) {
                Some(want) if *want == got => {}
                Some(want) => writeln!(failures, "{text}\n  want {want}\n  got  {got}").unwrap(),
                None => writeln!(failures, "{text}\n  not in the golden file").unwrap(),
            }
        }
        let used = unique(self.cases.iter().map(|(t, _)| t.as_str())).len();
        if used != golden.len() {
            writeln!(
                failures,
                "the golden file has {} cases, the test {used}",
                golden.len()
            )
            .unwrap();
        }
        assert!(
            failures.is_empty(),
            "{}:\n{failures}(TRACEORUS_BLESS=1 rewrites the file with llvm-mc)",
            path.display()
        );
    }
}

fn unique<'a>(texts: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut seen = std::collections::HashSet::new();
    texts.filter(|text| seen.insert(*text)).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Assembles each text in a section of its own.
fn assemble(args: &[&str], header: &str, texts: &[&str]) -> Vec<Vec<u8>> {
    let mut source = format!("{header}\n");
    for (i, text) in texts.iter().enumerate() {
        writeln!(
            source,
            ".section .t{i},\"ax\"\n{}",
            text.replace("; ", "\n")
        )
        .unwrap();
    }
    let mut child = Command::new("llvm-mc")
        .args(args)
        .args(["-filetype=obj", "-o", "-", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("llvm-mc is installed where golden files are written");
    let mut stdin = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || stdin.write_all(source.as_bytes()).unwrap());
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    assert!(output.status.success(), "llvm-mc refused the texts");
    let sections = sections(&output.stdout);
    (0..texts.len())
        .map(|i| sections[&format!(".t{i}")].clone())
        .collect()
}

/// The sections of an ELF64 little-endian object, by name.
fn sections(elf: &[u8]) -> HashMap<String, Vec<u8>> {
    let word = |at: usize, n: usize| {
        elf[at..at + n]
            .iter()
            .rev()
            .fold(0usize, |v, &b| v << 8 | usize::from(b))
    };
    let (table, count, names) = (word(0x28, 8), word(0x3c, 2), word(0x3e, 2));
    let header = |i: usize| table + i * 64;
    let name_base = word(header(names) + 0x18, 8);
    let mut map = HashMap::new();
    for i in 0..count {
        let name = name_base + word(header(i), 4);
        let len = elf[name..].iter().position(|&b| b == 0).unwrap();
        let (at, size) = (word(header(i) + 0x18, 8), word(header(i) + 0x20, 8));
        if let Some(bytes) = elf.get(at..at + size) {
            let name = String::from_utf8_lossy(&elf[name..name + len]).into_owned();
            assert!(
                !name.starts_with(".rel"),
                "a reference was left to the linker: {name}"
            );
            map.insert(name, bytes.to_vec());
        }
    }
    map
}
