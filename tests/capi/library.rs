//! The C library, made once per test program, and the programs of `tests/capi`, compiled and checked.

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use super::command;
use super::report::{SHOWN_LINES, difference, each, files, installed};

/// Programs that are not compared by their output.
const SPECIAL: [&str; 1] = ["misuse"];

/// A program that is compiled, or will be.
pub struct Program {
    pub name: String,
    pub source: PathBuf,
    pub binary: PathBuf,
}

impl Program {
    /// Whether it may run in modes that are slow: its first line does not say `nostress:`.
    pub fn is_calm(&self) -> bool {
        !text(&self.source)
            .lines()
            .next()
            .unwrap_or("")
            .contains("nostress:")
    }
}

/// Compares a finished run with what is expected: the output, success, and silence on standard error.
pub fn check(program: &Program, outcome: &command::Outcome) -> Result<(), String> {
    let file = program.source.with_extension("out");
    let expected = fs::read(&file).map_err(|e| format!("{}: {e}", file.display()))?;
    let mut why = String::new();
    if outcome.timed_out {
        why.push_str("took too long and was killed\n");
    } else if outcome.status != Some(0) {
        let _ = writeln!(
            why,
            "ended with {}",
            outcome
                .status
                .map_or_else(|| "a signal".to_owned(), |s| format!("status {s}"))
        );
    }
    if outcome.stdout != expected {
        difference(&expected, &outcome.stdout, &mut why);
    }
    for line in String::from_utf8_lossy(&outcome.stderr)
        .lines()
        .take(4 * SHOWN_LINES)
    {
        let _ = writeln!(why, "stderr: {line}");
    }
    if why.is_empty() { Ok(()) } else { Err(why) }
}

/// The folder with the C library, made on first use: `lib` and `include`. `None`, after saying so, where there is no C compiler.
pub fn library() -> Option<&'static Path> {
    static LIBRARY: OnceLock<Option<PathBuf>> = OnceLock::new();
    let made = LIBRARY.get_or_init(|| {
        if !installed("cc") {
            return None;
        }
        let (target, profile) = command::target();
        let folder = scratch("library");
        let status = Command::new("sh")
            .arg("capi/build.sh")
            .arg(&folder)
            .current_dir(command::repository())
            .env("CARGO_TARGET_DIR", target)
            .env("TRACEORUS_PROFILE", profile)
            .env_remove("TRACEORUS_STATIC")
            .stdout(std::process::Stdio::null())
            .status()
            .expect("sh starts");
        assert!(status.success(), "capi/build.sh failed");
        Some(folder)
    });
    if made.is_none() {
        command::skip("cc is not installed, so the C API was not tested");
    }
    made.as_deref()
}

/// All programs that print what is compared, compiled.
pub fn programs() -> Option<Vec<Program>> {
    let lib = library()?;
    let programs = listed("");
    static COMPILED: OnceLock<()> = OnceLock::new();
    COMPILED.get_or_init(|| compile_all(lib, &programs, &[]));
    Some(programs)
}

/// The programs that print what is compared. The names of their binaries start with `prefix`.
pub fn listed(prefix: &str) -> Vec<Program> {
    let only = env::var("TRACEORUS_SCRIPTS").unwrap_or_default();
    let mut all = files(&sources(), "c");
    if installed("c++") {
        all.extend(files(&sources(), "cpp"));
    } else {
        command::skip("c++ is not installed, so the headers were not tried in C++");
    }
    let mut programs: Vec<Program> = all
        .into_iter()
        .map(|source| {
            let name = source
                .file_stem()
                .expect("a file has a name")
                .to_string_lossy()
                .into_owned();
            Program {
                binary: scratch(&format!("{prefix}{name}")),
                name,
                source,
            }
        })
        .collect();
    programs.retain(|p| p.name.contains(&only) && !SPECIAL.contains(&&*p.name));
    programs
}

/// Compiles the programs with these arguments more, and links them with the shared library.
pub fn compile_all(lib: &Path, programs: &[Program], more: &[&str]) {
    let mut arguments = dynamic(lib);
    arguments.extend(more.iter().map(|&a| a.to_owned()));
    let report = each(
        programs,
        |p| p.name.clone(),
        |p| {
            compile(&p.source, &p.binary, &lib.join("include"), &arguments);
            Ok(())
        },
    );
    assert!(report.is_empty(), "{report}");
}

/// Arguments that link with the shared library.
pub fn dynamic(lib: &Path) -> Vec<String> {
    vec![
        format!("-L{}", lib.join("lib").display()),
        "-l:liblua5.4.so.0".into(),
        "-lm".into(),
        "-lpthread".into(),
    ]
}

/// Compiles one program; `arguments` come last.
pub fn compile(source: &Path, binary: &Path, headers: &Path, arguments: &[String]) {
    let cpp = source.extension().is_some_and(|e| e == "cpp");
    let mut cc = Command::new(if cpp { "c++" } else { "cc" });
    cc.args(["-O1", "-g", "-Wall", "-Wextra", "-Werror"]);
    if cpp {
        cc.arg("-std=c++11");
    } else {
        cc.args([
            "-std=gnu11",
            "-fno-unwind-tables",
            "-fno-asynchronous-unwind-tables",
        ]);
    }
    cc.arg("-I")
        .arg(headers)
        .arg(source)
        .arg("-o")
        .arg(binary)
        .args(arguments);
    let out = cc.output().expect("the compiler starts");
    assert!(
        out.status.success(),
        "{}\n{}",
        source.display(),
        String::from_utf8_lossy(&out.stderr)
    );
}

/// The folder of the programs.
pub fn sources() -> PathBuf {
    command::repository().join("tests/capi")
}

/// What is in a file.
pub fn text(file: &Path) -> String {
    fs::read_to_string(file).unwrap_or_else(|e| panic!("{}: {e}", file.display()))
}

/// A name in a folder of this test program's own.
pub fn scratch(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(env!("CARGO_CRATE_NAME"));
    fs::create_dir_all(&folder).expect("a writable folder");
    folder.join(name)
}
