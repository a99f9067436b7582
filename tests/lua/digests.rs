//! The data that each script of `tests/lua` leaves behind is the same however it was run: interpreted, compiled at once, left at random guards,
//! with registers chosen at random.
//!
//! So that there is something left, the outermost locals of the scripts are made globals here; what they print then is compared between
//! the runs, too. See `vm/src/digest.rs` for what a digest is of.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::report::{each, files};
use super::{TURN, command};

/// The longest a script may take.
const TIMEOUT: Duration = Duration::from_secs(240);

/// Parameters of the runs that are compared with the first.
const RUNS: &[&str] = &[
    "off",
    "hotloop=1,hotcall=1,hotexit=1",
    "hotloop=2,hotcall=2,hotexit=1,exitrandom=15",
    "hotloop=1,hotcall=1,hotexit=1,randomregs=3",
];

/// Scripts that leave something else behind each time, and why.
const DIFFERENT: &[(&str, &str)] = &[
    (
        "functions/assignment.lua",
        "prints an address when its locals are globals",
    ),
    ("io/os_lib.lua", "the time, names of temporary files"),
    ("io/read.lua", "names of temporary files"),
    ("io/write_seek.lua", "names of temporary files"),
    ("jit/poll_side.lua", "how much memory was in use"),
    ("jit/weak_files.lua", "names of temporary files"),
    ("load/files.lua", "names of temporary files"),
    ("load/modules.lua", "names of temporary files"),
];

/// A line whose outermost local is a global.
fn global(line: &str) -> String {
    let Some(rest) = line.strip_prefix("local ") else {
        return line.to_owned();
    };
    let names = rest.split_once('=').map_or(rest, |(names, _)| names);
    if rest.starts_with("function ") || rest.contains('=') && !names.contains('<') {
        return rest.to_owned();
    }
    line.to_owned()
}

/// What one run printed, and how it ended; the digest is the last line of its standard error.
fn run(
    file: &Path,
    dir: &Path,
    parameters: &str,
) -> Result<(Option<i32>, Vec<u8>, String), String> {
    let mut run = Command::new(command::binary());
    run.arg(file)
        .current_dir(dir)
        .env("TRACEORUS_JIT", parameters)
        .env("TRACEORUS_SEED", "1")
        .env("TRACEORUS_DIGEST", "1");
    let outcome = command::run(&mut run, TIMEOUT).map_err(|e| e.to_string())?;
    if outcome.timed_out {
        return Err(format!("{parameters}: took too long and was killed"));
    }
    let stderr = String::from_utf8_lossy(&outcome.stderr);
    let digest = stderr.lines().rfind(|l| l.starts_with("digest "));
    Ok((
        outcome.status,
        outcome.stdout,
        digest.unwrap_or("").to_owned(),
    ))
}

#[test]
fn scripts_leave_the_same_behind() {
    let _turn = TURN.lock();
    let dir = command::repository().join("tests/lua");
    let only = env::var("TRACEORUS_SCRIPTS").unwrap_or_default();
    let place = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("digests");
    let mut scripts = files(&dir, "lua");
    let name = |file: &PathBuf| {
        let name = file.strip_prefix(&dir).expect("listed below it");
        name.to_string_lossy().into_owned()
    };
    for (script, why) in DIFFERENT {
        assert!(dir.join(script).is_file(), "{script}, left out for {why}");
    }
    scripts.retain(|f| name(f).contains(&only) && !DIFFERENT.iter().any(|d| d.0 == name(f)));
    let report = each(&scripts, name, |script| {
        let file = place.join(name(script));
        let io = |e: std::io::Error| e.to_string();
        fs::create_dir_all(file.parent().expect("a folder")).map_err(io)?;
        let text = String::from_utf8_lossy(&fs::read(script).map_err(io)?).into_owned();
        let lines: Vec<String> = text.lines().map(global).collect();
        fs::write(&file, lines.join("\n") + "\n").map_err(io)?;
        let first = run(&file, &dir, RUNS[0])?;
        if first.0 == Some(0) && first.2.is_empty() {
            return Err("no digest".into());
        }
        for parameters in &RUNS[1..] {
            let this = run(&file, &dir, parameters)?;
            if this != first {
                let what = if this.2 != first.2 {
                    "leaves"
                } else {
                    "prints"
                };
                return Err(format!("{parameters}: {what} something else\n"));
            }
        }
        Ok(())
    });
    assert!(report.is_empty(), "{report}");
}

/// Data that differs has other digests, the same data made in another way has the same.
#[test]
fn digests_tell_data_apart() {
    let digest = |source: &str| {
        let mut run = Command::new(command::binary());
        run.args(["-e", &format!("arg = nil {source}")])
            .env("TRACEORUS_DIGEST", "1");
        let outcome = command::run(&mut run, TIMEOUT).expect("it runs");
        String::from_utf8_lossy(&outcome.stderr).into_owned()
    };
    let base = digest("t = { 1, 2.5, 'x', a = { b = true } }");
    assert!(base.starts_with("digest "), "{base}");
    for same in [
        "t = {} t.a = { b = 1 } t.a.b = true for i, v in ipairs { 1, 2.5, 'x' } do t[i] = v end",
        "t = { [3] = 'x', [2] = 5 / 2, gone = 1 } t.gone = nil t[1] = 1 t.a = {} t.a.b = true",
        "collectgarbage() local spare = {} t = { 1, 2.5, 'x', a = { b = true } }",
    ] {
        assert_eq!(digest(same), base, "{same}");
    }
    for other in [
        "t = { 1, 2.5, 'x', a = { b = false } }",
        "t = { 1.0, 2.5, 'x', a = { b = true } }",
        "t = { 1, 2.5, 'y', a = { b = true } }",
        "t = { 1, 2.5, 'x', 4, a = { b = true } }",
        "t = { 2.5, 1, 'x', a = { b = true } }",
        "t = { 1, 2.5, 'x', a = { c = true } }",
        "t = { 1, 2.5, 'x', a = setmetatable({ b = true }, {}) }",
        "u = { 1, 2.5, 'x', a = { b = true } }",
        "t = { 1, 2.5, 'x', a = { b = true } } local n = 1 t.f = function() return n end",
    ] {
        assert_ne!(digest(other), base, "{other}");
    }
    let counter = |n: u32| digest(&format!("local n = {n} function f() return n end"));
    assert_ne!(counter(1), counter(2));
}
