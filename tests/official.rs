//! Runs the official test suite of Lua 5.4.8, whose folder `TRACEORUS_TESTES` names. The suite is not part of this repository; `.ci/run`
//! shows where it comes from.
//!
//! Each file runs alone, and then all of them through `all.lua`, once in user mode and once in full mode. Then each runs alone in the ways of
//! [`WAYS`]: compiled at once, under stress. Files that need the internal test library of PUC skip those parts by themselves. Each pass works in
//! a private copy of the folder. Run it with `--release`.

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

#[path = "lua/command.rs"]
mod command;

/// Everything is compiled at once, and each exit at its first use.
const HOT: &str = "hotloop=1,hotcall=1,hotexit=1";

/// Variables of the runs in other ways, all of them in user mode.
const WAYS: &[&[(&str, &str)]] = &[
    &[("TRACEORUS_JIT", "off")],
    &[("TRACEORUS_JIT", HOT)],
    &[(
        "TRACEORUS_JIT",
        "hotloop=2,hotcall=2,hotexit=1,exitrandom=2",
    )],
    &[(
        "TRACEORUS_JIT",
        "hotloop=1,hotcall=1,hotexit=1,exitrandom=20",
    )],
    &[(
        "TRACEORUS_JIT",
        "hotloop=2,hotcall=3,hotexit=2,abortrandom=3,randomregs=1",
    )],
    &[("TRACEORUS_GC_STRESS", "1")],
    &[("TRACEORUS_GC_STRESS", "1"), ("TRACEORUS_JIT", HOT)],
    &[("TRACEORUS_STACK_STRESS", "1"), ("TRACEORUS_JIT", HOT)],
];

/// What is left out of other ways: file, variable that is set then, reason.
const LEFT_OUT: &[(&str, &str, &str)] = &[(
    "gc.lua",
    "TRACEORUS_GC_STRESS",
    "it demands that the collector has not run yet",
)];

/// Parts replaced in the private copy: file, text, replacement, reason. The text must occur once. Line numbers stay as they are.
const CHANGED: &[(&str, &str, &str, &str)] = &[(
    "main.lua",
    r#"string.format('%s -e "%s" & echo $!',"#,
    r#"string.format('(sleep 0.3; exec %s -e "%s") & echo $!',"#,
    "lets two processes race to print the first line, and then signals the process of that number",
)];

/// Files that are no tests of their own (`bwcoercion` and `tracegc` are modules), or need gigabytes (`heavy`).
const NOT_ALONE: &[&str] = &["all.lua", "bwcoercion.lua", "heavy.lua", "tracegc.lua"];

/// The longest one run may take.
const TIMEOUT: Duration = Duration::from_secs(900);

/// How much the suite demands of the system around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// Portable parts only.
    User,
    /// Everything: needs a Unix shell and more time.
    Full,
}

#[test]
fn official_suite() {
    let Some(folder) = env::var_os("TRACEORUS_TESTES") else {
        return command::skip(
            "TRACEORUS_TESTES does not name the folder of the official test suite",
        );
    };
    let folder = command::repository().join(folder);
    let mut failures = String::new();
    let mut passed = 0;
    let mut note = |file: &str, how: &str, outcome: Result<(), String>| match outcome {
        Ok(()) => passed += 1,
        Err(why) => {
            let _ = writeln!(failures, "\n--- {file} ({how})\n{}", why.trim_end());
        }
    };
    for mode in [Mode::User, Mode::Full] {
        let copy = private_copy(&folder, mode);
        let files = test_files(&copy);
        assert_eq!(
            files.len(),
            29,
            "the suite of Lua 5.4.8 has 29 files besides all.lua, not {files:?}"
        );
        for file in files.iter().map(String::as_str).chain(["all.lua"]) {
            note(file, &format!("{mode:?}"), run(file, mode, &copy, &[]));
        }
        if mode == Mode::User {
            for vars in WAYS {
                let set = |name: &str| vars.iter().any(|v| v.0 == name);
                let left_out = |f: &str| LEFT_OUT.iter().any(|l| l.0 == f && set(l.1));
                for file in files.iter().filter(|f| !left_out(f)) {
                    note(file, &format!("{vars:?}"), run(file, mode, &copy, vars));
                }
            }
        }
        fs::remove_dir_all(&copy).expect("the copy can be removed");
    }
    eprintln!("official suite: {passed} runs passed");
    assert!(
        failures.is_empty(),
        "official suite: {passed} runs passed, others did not\n{failures}"
    );
}

/// Runs one file in the copy. `Err` holds the end of what it printed.
fn run(file: &str, mode: Mode, copy: &Path, vars: &[(&str, &str)]) -> Result<(), String> {
    let mut test = Command::new(command::binary());
    test.current_dir(copy).envs(vars.iter().copied());
    if mode == Mode::User {
        // all.lua derives the other names from _U; a file that runs alone reads them itself
        test.args(["-e", "_U, _soft, _port, _nomsg = true, true, true, true"]);
    }
    if file == "big.lua" {
        // its last statement yields, except in user mode, where it returns early
        test.args(["-e", "local r = coroutine.wrap(assert(loadfile('big.lua')))() assert(r == (_soft and 'a' or 'b'))"]);
    } else {
        test.arg(file);
    }
    let outcome = command::run(&mut test, TIMEOUT).map_err(|e| e.to_string())?;
    let finished = file != "all.lua" || contains(&outcome.stdout, b"final OK !!!");
    let status = match outcome.status {
        Some(0) if finished => return Ok(()),
        _ if outcome.timed_out => "took too long and was killed".to_owned(),
        Some(0) => "ended early with status 0".to_owned(),
        Some(status) => format!("ended with status {status}"),
        None => "was ended by a signal".to_owned(),
    };
    Err(format!(
        "{status}\n{}\n{}",
        tail(&outcome.stdout, 6),
        tail(&outcome.stderr, 14)
    ))
}

/// Makes a fresh copy of the suite for one pass, with the parts in `CHANGED` replaced.
fn private_copy(folder: &Path, mode: Mode) -> PathBuf {
    let copy = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join(format!("testes-{}-{mode:?}", std::process::id()));
    copy_folder(folder, &copy).unwrap_or_else(|e| panic!("cannot copy {}: {e}", folder.display()));
    for (file, old, new, reason) in CHANGED {
        let path = copy.join(file);
        let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{file}: {e}"));
        assert_eq!(
            text.matches(old).count(),
            1,
            "{file} does not hold this once: {old}"
        );
        let line = text
            .split(old)
            .next()
            .map_or(0, |before| before.lines().count());
        eprintln!("{file}:{line} is changed, since it {reason}");
        fs::write(&path, text.replace(old, new)).unwrap_or_else(|e| panic!("{file}: {e}"));
    }
    for (source, library) in LIBRARIES {
        compile(&copy.join("libs"), source, library);
    }
    copy
}

/// The C libraries of the suite, for attrib.lua and main.lua: source and file.
const LIBRARIES: [(&str, &str); 5] = [
    ("lib1.c", "lib1.so"),
    ("lib11.c", "lib11.so"),
    ("lib2.c", "lib2.so"),
    ("lib21.c", "lib21.so"),
    ("lib22.c", "lib2-v2.so"),
];

/// Compiles a C library with our headers.
fn compile(folder: &Path, source: &str, library: &str) {
    let include = command::repository().join("capi/include");
    let done = Command::new("cc")
        .args(["-O2", "-shared", "-fPIC", "-o", library, source, "-I"])
        .arg(include)
        .current_dir(folder)
        .status()
        .expect("the C compiler runs");
    assert!(done.success(), "{source}: {done}");
}

fn copy_folder(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

/// The files that can run alone, sorted.
fn test_files(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).expect("a fresh copy").map(|e| {
        e.expect("readable")
            .file_name()
            .to_string_lossy()
            .into_owned()
    });
    let mut names: Vec<String> = names
        .filter(|n| n.ends_with(".lua") && !NOT_ALONE.contains(&n.as_str()))
        .collect();
    names.sort();
    names
}

/// The last `count` lines of a text.
fn tail(text: &[u8], count: usize) -> String {
    let text = String::from_utf8_lossy(text);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|w| w == part)
}
