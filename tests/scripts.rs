//! Runs every script below `tests/lua`, and the examples, and compares what they print with the `.out` file beside each.
//!
//! The expected outputs come from Lua 5.4 itself: where `lua5.4` is installed, one test compares the two again. Each script runs four
//! times, in four tests: plainly, with a collection at every allocation, with the stack moved at every call, and with traces from the second
//! iteration on. Some run again with the heap verified. A script's leading comment may hold directives:
//!
//! - `-- nostress: reason` leaves it out of all but the first;
//! - `-- exit: N` expects another exit status than 0.
//!
//! Set `TRACEORUS_BLESS=1` to have the `.out` files rewritten from `lua5.4`, `TRACEORUS_SCRIPTS=text` to run only scripts whose name
//! contains the text, and `TRACEORUS_BIN` to test another command. Scripts must not print addresses, the order of `pairs`, the name of
//! the command or anything that differs between releases of Lua 5.4.

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::time::Duration;

#[path = "lua/command.rs"]
mod command;
#[path = "lua/digests.rs"]
mod digests;
#[path = "lua/report.rs"]
mod report;

use report::{SHOWN_LINES, difference, each, files, installed};

/// The reference implementation that the expected outputs come from.
const REFERENCE: &str = "lua5.4";
/// The longest a script may take.
const TIMEOUT: Duration = Duration::from_secs(120);
/// The longest a script may take under stress.
const STRESS_TIMEOUT: Duration = Duration::from_secs(600);

/// The tests of this file take turns, so that no more than two scripts ever run at once.
static TURN: Mutex<()> = Mutex::new(());

/// One script and what is expected of it.
struct Script {
    /// Name for messages, and for the command line: relative to `dir`.
    name: String,
    /// The folder it runs in.
    dir: PathBuf,
    /// The file with the expected output.
    out: PathBuf,
    /// The reason for leaving it out of stress tests, if there is one.
    no_stress: Option<String>,
    /// The expected exit status.
    exit: i32,
}

#[test]
fn scripts_print_what_is_expected() {
    run_all("plain", &[], TIMEOUT, |_| true);
}

#[test]
fn scripts_survive_a_collection_at_every_allocation() {
    run_all(
        "GC stress",
        &[("TRACEORUS_GC_STRESS", "1")],
        STRESS_TIMEOUT,
        |s| s.no_stress.is_none(),
    );
}

#[test]
fn scripts_survive_a_moving_stack() {
    run_all(
        "stack stress",
        &[("TRACEORUS_STACK_STRESS", "1")],
        STRESS_TIMEOUT,
        |s| s.no_stress.is_none(),
    );
}

#[test]
fn scripts_keep_the_heap_in_order() {
    let picked = |s: &Script| {
        let areas = ["coroutines/", "functions/", "gc/", "meta/", "tables/"];
        s.no_stress.is_none() && areas.iter().any(|a| s.name.starts_with(a))
    };
    run_all(
        "verified",
        &[("TRACEORUS_VERIFY", "1")],
        STRESS_TIMEOUT,
        picked,
    );
    run_all(
        "GC stress, verified",
        &[("TRACEORUS_VERIFY", "20"), ("TRACEORUS_GC_STRESS", "1")],
        STRESS_TIMEOUT,
        picked,
    );
}

/// Everything is compiled at once, and each exit at its first use.
const HOT: (&str, &str) = ("TRACEORUS_JIT", "hotloop=1,hotcall=1,hotexit=1");

#[test]
fn scripts_run_interpreted() {
    run_all("interpreter", &[("TRACEORUS_JIT", "off")], TIMEOUT, |_| {
        true
    });
}

#[test]
fn scripts_run_compiled() {
    run_all("hot", &[HOT], TIMEOUT, |_| true);
    run_all(
        "warm, aborting at random",
        &[(
            "TRACEORUS_JIT",
            "hotloop=2,hotcall=3,hotexit=2,abortrandom=3",
        )],
        TIMEOUT,
        |_| true,
    );
}

#[test]
fn scripts_run_compiled_and_leave_at_random_guards() {
    for setting in ["exitrandom=2", "exitrandom=20"] {
        let jit = format!("{},{setting}", HOT.1);
        run_all(setting, &[(HOT.0, &jit)], TIMEOUT, |_| true);
    }
}

/// Without side traces each exit becomes a short one as soon as it has been taken.
#[test]
fn scripts_run_compiled_with_short_exits() {
    let jit = "hotloop=2,hotcall=2,hotexit=1,maxside=0";
    run_all("short exits", &[(HOT.0, jit)], TIMEOUT, |_| true);
}

#[test]
fn scripts_run_compiled_in_other_ways() {
    for setting in ["randomregs=1", "randomregs=7,exitrandom=30", "count=1"] {
        let jit = format!("{},{setting}", HOT.1);
        run_all(setting, &[(HOT.0, &jit)], TIMEOUT, |_| true);
    }
}

/// What compiled code does is compared with the interpreter, in a copy of the process: `trace/src/replay.rs`.
#[test]
fn compiled_code_does_what_the_interpreter_does() {
    // stacks stay flat here: each comparison looks at all of them
    let areas = ["arith/", "functions/", "tables/"];
    let jit = format!("{},replay=150,exitrandom=20", HOT.1);
    run_all("replay", &[(HOT.0, &jit)], STRESS_TIMEOUT, |s| {
        areas.iter().any(|a| s.name.starts_with(a))
    });
}

#[test]
fn scripts_run_compiled_without_single_passes() {
    let areas = ["arith/", "functions/", "jit/", "tables/", "meta/"];
    for pass in [
        "0", "-fold", "-cse", "-fwd", "-dse", "-guards", "-loop", "-dce", "-sink", "-range",
        "-select", "-enter", "-inherit",
    ] {
        run_all(pass, &[HOT, ("TRACEORUS_OPT", pass)], TIMEOUT, |s| {
            areas.iter().any(|a| s.name.starts_with(a))
        });
    }
}

#[test]
fn compiled_scripts_survive_stress() {
    run_all(
        "hot, GC stress",
        &[HOT, ("TRACEORUS_GC_STRESS", "1")],
        STRESS_TIMEOUT,
        |s| s.no_stress.is_none(),
    );
    run_all(
        "hot, stack stress",
        &[HOT, ("TRACEORUS_STACK_STRESS", "1")],
        STRESS_TIMEOUT,
        |s| s.no_stress.is_none(),
    );
}

#[test]
fn scripts_print_the_same_when_compiled_early() {
    let jit = ("TRACEORUS_JIT", "hotloop=2");
    run_all("compiled early", &[jit], TIMEOUT, |_| true);
    run_all(
        "compiled early, GC stress",
        &[jit, ("TRACEORUS_GC_STRESS", "1")],
        STRESS_TIMEOUT,
        |s| s.no_stress.is_none() && s.name.starts_with("jit/"),
    );
}

#[test]
fn expected_output_is_that_of_lua() {
    let _turn = TURN.lock();
    if !installed(REFERENCE) {
        return command::skip(
            "lua5.4 is not installed, so the expected outputs were not compared with it",
        );
    }
    let bless = env::var_os("TRACEORUS_BLESS").is_some();
    let scripts = scripts();
    let report = each(
        &scripts,
        |s| s.name.clone(),
        |script| {
            let mut lua = Command::new(REFERENCE);
            lua.arg(&script.name).current_dir(&script.dir);
            let outcome = command::run(&mut lua, TIMEOUT).map_err(|e| e.to_string())?;
            if bless {
                return fs::write(&script.out, &outcome.stdout).map_err(|e| e.to_string());
            }
            check(script, &outcome)
        },
    );
    assert!(
        report.is_empty(),
        "lua5.4 disagrees with tests/lua (TRACEORUS_BLESS=1 rewrites it)\n{report}"
    );
}

#[test]
fn every_expected_output_has_a_script() {
    if env::var_os("TRACEORUS_SCRIPTS").is_some() {
        eprintln!("not all scripts are asked for");
        return;
    }
    let outs: Vec<PathBuf> = scripts().into_iter().map(|s| s.out).collect();
    for file in files(&command::repository().join("tests/lua"), "out") {
        assert!(
            outs.contains(&file),
            "{} belongs to no script",
            file.display()
        );
    }
}

/// Runs the scripts that `wanted` picks with the command under test, and panics with a report of all that failed.
fn run_all(mode: &str, vars: &[(&str, &str)], timeout: Duration, wanted: impl Fn(&Script) -> bool) {
    let _turn = TURN.lock();
    let all = scripts();
    let (picked, left_out): (Vec<Script>, Vec<Script>) = all.into_iter().partition(wanted);
    for script in &left_out {
        if let Some(why) = &script.no_stress {
            eprintln!("{mode}: {} left out: {why}", script.name);
        }
    }
    let binary = command::binary();
    let report = each(
        &picked,
        |s| s.name.clone(),
        |script| {
            let mut run = Command::new(binary);
            run.arg(&script.name)
                .current_dir(&script.dir)
                .envs(vars.iter().copied());
            check(
                script,
                &command::run(&mut run, timeout).map_err(|e| e.to_string())?,
            )
        },
    );
    assert!(report.is_empty(), "{mode}: {report}");
    eprintln!("{mode}: {} scripts passed", picked.len());
}

/// Compares a finished run with what is expected.
fn check(script: &Script, outcome: &command::Outcome) -> Result<(), String> {
    let expected = fs::read(&script.out).map_err(|e| format!("{}: {e}", script.out.display()))?;
    let mut why = String::new();
    if outcome.timed_out {
        why.push_str("took too long and was killed\n");
    } else if outcome.status != Some(script.exit) {
        let status = outcome
            .status
            .map_or_else(|| "a signal".to_owned(), |s| format!("status {s}"));
        let _ = writeln!(why, "ended with {status} instead of status {}", script.exit);
    }
    if outcome.stdout != expected {
        difference(&expected, &outcome.stdout, &mut why);
    }
    if why.is_empty() {
        return Ok(());
    }
    for line in String::from_utf8_lossy(&outcome.stderr)
        .lines()
        .take(SHOWN_LINES)
    {
        let _ = writeln!(why, "stderr: {line}");
    }
    Err(why)
}

/// All scripts: those of `tests/lua`, run in that folder, and the examples, run in theirs.
fn scripts() -> Vec<Script> {
    let only = env::var("TRACEORUS_SCRIPTS").unwrap_or_default();
    let root = command::repository();
    let (tests, examples) = (root.join("tests/lua"), root.join("examples"));
    let mut list: Vec<Script> = files(&tests, "lua")
        .iter()
        .map(|f| script(f, &tests, f.with_extension("out")))
        .collect();
    for file in files(&examples, "lua") {
        let out = tests
            .join("examples")
            .join(file.file_name().expect("a file has a name"))
            .with_extension("out");
        list.push(script(&file, &examples, out));
    }
    assert!(
        list.len() > 80,
        "scripts are missing: only {} found",
        list.len()
    );
    list.retain(|s| s.name.contains(&only));
    list
}

/// Reads the directives of one script.
fn script(file: &Path, dir: &Path, out: PathBuf) -> Script {
    let text =
        String::from_utf8_lossy(&fs::read(file).expect("a listed file is readable")).into_owned();
    let directive = |name: &str| {
        let comments = text.lines().map_while(|line| line.strip_prefix("--"));
        comments
            .filter_map(|line| line.trim().strip_prefix(name)?.strip_prefix(':'))
            .map(|v| v.trim().to_owned())
            .next()
    };
    Script {
        name: file
            .strip_prefix(dir)
            .expect("listed below it")
            .to_string_lossy()
            .into_owned(),
        dir: dir.to_owned(),
        out,
        no_stress: directive("nostress"),
        exit: directive("exit").map_or(0, |v| v.parse().expect("exit: takes a number")),
    }
}
